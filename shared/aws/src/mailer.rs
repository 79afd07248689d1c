//! Sending mail by SES. One attempt, one recipient: SES has no idempotency key, and refuses a mail as a whole.

use aws_sdk_ses::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::send_email::{SendEmailError, builders::SendEmailFluentBuilder},
    types::{Body, Content, Destination, Message as SesMessage, MessageTag},
};
use aws_types::SdkConfig;
use domain::{EmailAddress, Issue, SubscriptionId};

use crate::{Failure, connection};

/// Sends mail in the vendor's name.
pub struct Mailer {
    client: Client,
    sender: String,
}

/// One mail. No `Debug`: it may hold a password.
pub struct Message<'a> {
    /// The one recipient.
    pub to: &'a EmailAddress,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<&'a EmailAddress>,
    /// One line.
    pub subject: &'a str,
    /// For whoever reads plain text.
    pub text: &'a str,
    /// The same in HTML.
    pub html: &'a str,
    /// Leads the feedback of SES back to the subscription.
    pub subscription: &'a SubscriptionId,
    /// And to the issue.
    pub issue: Issue,
}

/// What became of a mail.
pub enum Delivery {
    /// SES has taken it; its message id.
    Sent(String),
    /// SES refuses this address, whatever is sent to it.
    AddressRefused(Failure),
    /// SES has not taken it, and may later.
    NotSent(Failure),
    /// Nobody knows: it may be on its way.
    Unknown(Failure),
}

/// The address that mails should come from is none.
#[derive(Debug)]
pub struct InvalidSender;

impl std::fmt::Display for InvalidSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the setting SENDER is no e-mail address")
    }
}

impl std::error::Error for InvalidSender {}

const OPERATION: &str = "ses SendEmail";

impl Mailer {
    /// `sender` is an address, `a@b.example` or `Name <a@b.example>`, of an identity that SES has verified. One that is no address is
    /// refused here, since SES would refuse every mail for it in words that seem to mean the recipient.
    #[expect(clippy::disallowed_methods, reason = "here the client is built, once, from the one configuration")]
    pub fn new(config: &SdkConfig, sender: String) -> Result<Self, InvalidSender> {
        let address = sender.rsplit_once('<').map_or(&*sender, |(_, rest)| rest.trim_end_matches('>'));
        EmailAddress::parse(address.trim()).ok_or(InvalidSender)?;
        Ok(Self { client: Client::new(&connection::once(config)), sender })
    }

    /// Sends `message` once.
    pub async fn send(&self, message: &Message<'_>) -> Delivery {
        match self.request(message) {
            None => Delivery::NotSent(Failure::unreadable(OPERATION, "an empty part")),
            Some(request) => match request.send().await {
                Ok(answer) => Delivery::Sent(answer.message_id),
                Err(error) => refusal(&error),
            },
        }
    }

    fn request(&self, message: &Message<'_>) -> Option<SendEmailFluentBuilder> {
        let content = |data: &str| Content::builder().charset("UTF-8").data(data).build().ok();
        let tag = |name: &str, value: String| MessageTag::builder().name(name).value(value).build().ok();
        let body = Body::builder().text(content(message.text)?).html(content(message.html)?).build();
        let request = self
            .client
            .send_email()
            .source(&self.sender)
            .destination(Destination::builder().to_addresses(message.to.to_string()).build())
            .message(SesMessage::builder().subject(content(message.subject)?).body(body).build())
            .tags(tag("subscription", message.subscription.to_string())?)
            .tags(tag("issue", message.issue.to_string())?);
        Some(message.reply_to.into_iter().fold(request, |request, to| request.reply_to_addresses(to.to_string())))
    }
}

/// Only what SES itself answered is known not to be sent.
fn refusal(error: &SdkError<SendEmailError>) -> Delivery {
    let failure = Failure::from_sdk(OPERATION, error);
    match error {
        SdkError::ServiceError(service) if refuses_address(service.err()) => Delivery::AddressRefused(failure),
        SdkError::ServiceError(_) | SdkError::ConstructionFailure(_) => Delivery::NotSent(failure),
        _ => Delivery::Unknown(failure),
    }
}

/// `MessageRejected` is about the account while its message says "not verified" (the sandbox), and about the recipient when it
/// names an address; an address that SES cannot parse is an invalid parameter.
fn refuses_address(error: &SendEmailError) -> bool {
    let message = error.message().unwrap_or_default().to_ascii_lowercase();
    match error.code().unwrap_or_default() {
        "MessageRejected" => message.contains("address") && !message.contains("not verified"),
        "InvalidParameterValue" => message.contains("address") || message.contains("domain"),
        _ => false,
    }
}
