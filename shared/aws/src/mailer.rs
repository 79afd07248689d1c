//! The sender of mails, by SES. A mail has one attempt and one recipient: SES has no idempotency key, and refuses a mail as a whole.

use aws_sdk_ses::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::send_email::{SendEmailError, builders::SendEmailFluentBuilder},
    types::{Body, Content, Destination, Message as SesMessage, MessageTag},
};
use aws_types::SdkConfig;
use domain::{EmailAddress, Issue, MailKind, Sender, SubscriptionId};

use crate::{Failure, connection};

/// Sends mail in the vendor's name.
pub struct Mailer {
    client: Client,
    /// The sender as a header writes it.
    sender: String,
    /// The configuration set, which makes SES use TLS and report what becomes of a mail.
    configuration_set: String,
}

/// One mail. It has no `Debug`, because it may hold a password.
pub struct Message<'a> {
    /// The recipient.
    pub to: &'a EmailAddress,
    /// The address that answers go to, if it is not the sender's. SES must be able to send to it, or it refuses the mail.
    pub reply_to: Option<&'a EmailAddress>,
    /// The subject, on one line.
    pub subject: &'a str,
    /// The body in plain text.
    pub text: &'a str,
    /// The same body in HTML.
    pub html: &'a str,
    /// The subscription that the feedback of SES is about.
    pub subscription: &'a SubscriptionId,
    /// The issue that the feedback of SES is about.
    pub issue: Issue,
    /// The kind of the mail that the feedback of SES is about.
    pub kind: &'a MailKind,
    /// The round: the number of times that the mail was ordered again.
    pub round: u32,
}

/// The result of sending a mail.
pub enum Delivery {
    /// SES has accepted the mail and given it this message id.
    Sent(String),
    /// SES refuses every mail to this address.
    AddressRefused(Failure),
    /// The account sends faster than SES allows. SES has not accepted the mail, and may accept it in a moment.
    TooFast(Failure),
    /// The account has sent what SES allows in 24 hours.
    QuotaReached(Failure),
    /// SES has not accepted the mail for another reason, and may accept it later.
    NotSent(Failure),
    /// SES gave no answer: the mail may be on its way.
    Unknown(Failure),
}

/// The setting `SENDER` is not an e-mail address that SES can send from.
#[derive(Debug)]
pub struct InvalidSender;

impl std::fmt::Display for InvalidSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the setting SENDER is not an e-mail address")
    }
}

impl std::error::Error for InvalidSender {}

const OPERATION: &str = "ses SendEmail";

impl Mailer {
    /// Returns the mailer of `sender`, an address like `a@b.example` or `Name <a@b.example>` of an identity that SES has verified. Other
    /// text is refused here, since SES would refuse every mail for it in words that seem to mean the recipient. Every mail names the
    /// configuration set, since the identity that the vendor brings along may have another one by default, or none.
    #[expect(clippy::disallowed_methods, reason = "here the client is built, once, from the one configuration")]
    pub fn new(config: &SdkConfig, sender: &str, configuration_set: String) -> Result<Self, InvalidSender> {
        let sender = Sender::parse(sender).ok_or(InvalidSender)?.to_header();
        Ok(Self { client: Client::new(&connection::once(config)), sender, configuration_set })
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
            .configuration_set_name(&self.configuration_set)
            .destination(Destination::builder().to_addresses(message.to.to_string()).build())
            .message(SesMessage::builder().subject(content(message.subject)?).body(body).build())
            .tags(tag("subscription", message.subscription.to_string())?)
            .tags(tag("issue", message.issue.to_string())?)
            .tags(tag("mail", message.kind.tag())?)
            .tags(tag("round", message.round.to_string())?);
        Some(message.reply_to.into_iter().fold(request, |request, to| request.reply_to_addresses(to.to_string())))
    }
}

/// Returns the result of an error. Only what SES itself answered is known not to be sent.
fn refusal(error: &SdkError<SendEmailError>) -> Delivery {
    let failure = Failure::from_sdk(OPERATION, error);
    match error {
        SdkError::ServiceError(service) if refuses_address(service.err()) => Delivery::AddressRefused(failure),
        SdkError::ServiceError(service) if is_throttled(service.err()) && names_quota(service.err()) => {
            Delivery::QuotaReached(failure)
        }
        SdkError::ServiceError(service) if is_throttled(service.err()) => Delivery::TooFast(failure),
        SdkError::ServiceError(_) | SdkError::ConstructionFailure(_) => Delivery::NotSent(failure),
        _ => Delivery::Unknown(failure),
    }
}

/// Returns whether the account has reached one of its limits, the rate or the quota. Their error has one code and two texts:
/// <https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html>
fn is_throttled(error: &SendEmailError) -> bool {
    matches!(error.code(), Some("Throttling" | "ThrottlingException"))
}

fn names_quota(error: &SendEmailError) -> bool {
    error.message().is_some_and(|message| message.to_ascii_lowercase().contains("quota"))
}

/// Returns whether SES refuses the recipient. `MessageRejected` is about the account while its message says "not verified" (the sandbox), and
/// about the recipient when it names an address; an address that SES cannot parse is an invalid parameter.
fn refuses_address(error: &SendEmailError) -> bool {
    let message = error.message().unwrap_or_default().to_ascii_lowercase();
    match error.code().unwrap_or_default() {
        "MessageRejected" => message.contains("address") && !message.contains("not verified"),
        "InvalidParameterValue" => message.contains("address") || message.contains("domain"),
        _ => false,
    }
}
