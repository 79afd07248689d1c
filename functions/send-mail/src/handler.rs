//! `send-mail`: what a transaction has ordered to be mailed, welcome mails and requests to support, is mailed, once where nothing goes
//! wrong, and never lost.
//!
//! **Source**: a queue of stream records of mail items that are pending and have not been tried, in batches.
//!
//! The only function that unseals for a mail and that calls SES. It takes a lease on the mail, sends, and records. SES has no
//! idempotency key, so a crash between sending and recording can send the mail of an issue a second time, with the same password.

use std::{sync::Arc, time::Duration};

use askama::Template;
use aws::{
    Delivery, Lease, Mail, MailOrder, Mailer, Mails, Message as Envelope, Table, TakeOutcome, TakenMail, Unsealer,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    Credential, Kind, MailContent, MailStatus, Retryable, SupportRequest, TemporaryPassword, Timestamp, WelcomeMail,
};
use lambda::{Clock, Message, Rejection, Settings};
use tracing::{info, warn};
use words::{Language, Words};
use zeroize::Zeroizing;

/// May lease and settle mails, unseal, and send; may not seal, and may not count retrievals.
pub struct App {
    mails: Mails,
    unsealer: Unsealer,
    mailer: Mailer,
    clock: Clock,
    lease: Duration,
    origin: String,
    support_url: String,
}

/// Longer than this function may run; the two together are no longer than the queue hides a message.
const LEASE: Duration = Duration::from_mins(1);

/// Each takes 2.5 s at most.
const RECORD_TRIES: u32 = 3;
const RECORD_PAUSE: Duration = Duration::from_millis(300);

impl App {
    /// With the settings `TABLE_NAME`, `SEALING_KEY`, `SENDER`, `PUBLIC_ORIGIN`, `SUPPORT_URL`, `MAIL_LEASE_SECONDS`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let origin = settings.required("PUBLIC_ORIGIN")?;
        Ok(Self {
            mails: Mails::new(Table::new(&aws, settings.required("TABLE_NAME")?)),
            unsealer: Unsealer::new(&aws, settings.required("SEALING_KEY")?),
            mailer: Mailer::new(&aws, settings.required("SENDER")?)?,
            clock,
            lease: settings.seconds("MAIL_LEASE_SECONDS", LEASE)?,
            support_url: settings.optional("SUPPORT_URL").unwrap_or_else(|| format!("{origin}/support")),
            origin,
        })
    }
}

/// Handles one order.
pub async fn handle(app: Arc<App>, message: Message) -> Result<(), Rejection> {
    let detail = "no stream record of a mail item";
    let order = MailOrder::parse(&message.body).ok_or(Rejection::Permanent { reason: "invalid-order", detail })?;
    let now = app.clock.now();
    let lease = Lease { id: BASE64_URL_SAFE_NO_PAD.encode(lambda::random_bytes::<16>()), until: now.plus(app.lease) };
    match app.mails.take(&order, lease, now).await? {
        TakeOutcome::Settled => Ok(()),
        TakeOutcome::Leased => Err(Rejection::temporary("another worker has the mail, or one had it when it died")),
        TakeOutcome::Taken(taken) => app.deliver(&order, &taken, now).await,
    }
}

impl App {
    /// Whatever fails before SES was asked gives the lease back, for the next delivery to go on at once.
    async fn deliver(&self, order: &MailOrder, taken: &TakenMail, now: Timestamp) -> Result<(), Rejection> {
        let letter = match self.write(order, taken, now).await {
            Ok(Some(letter)) => letter,
            Ok(None) => return self.settle(order, MailStatus::NotNeeded, None, now).await,
            Err(rejection) => return self.give_back(order, taken, rejection).await,
        };
        let mail = Envelope {
            to: taken.mail.to(),
            reply_to: taken.mail.reply_to(),
            subject: &letter.subject,
            text: &letter.text,
            html: &letter.html,
            subscription: &order.subscription,
            issue: order.issue,
        };
        match self.mailer.send(&mail).await {
            Delivery::Sent(message_id) => {
                info!(outcome = "mailed", metric = "Mailed");
                self.record(order, &message_id, now).await
            }
            Delivery::AddressRefused(failure) => {
                warn!(outcome = "bounced", metric = "MailRefused", service = failure.service(), cause = %failure);
                self.settle(order, MailStatus::Bounced, None, now).await
            }
            Delivery::NotSent(failure) => self.give_back(order, taken, failure.into()).await,
            // The mail may be on its way: the lease stays, so that no other delivery sends it again at once.
            Delivery::Unknown(failure) => Err(failure.into()),
        }
    }

    /// The mail in words; `None` where nobody needs it any more.
    async fn write(&self, order: &MailOrder, taken: &TakenMail, now: Timestamp) -> Result<Option<Letter>, Rejection> {
        let credential = self.mails.credential(&order.subscription).await?;
        let Some(credential) = credential else { return Ok(None) };
        match &taken.mail {
            Mail::Welcome(mail) if credential.issue == order.issue && credential.disclosable(now) => {
                self.welcome(mail, &credential).await.map(Some)
            }
            Mail::Welcome(_) => Ok(None),
            Mail::Support(request) => Ok(Some(Letter::support(&credential, request, now)?)),
        }
    }

    async fn welcome(&self, mail: &WelcomeMail, credential: &Credential) -> Result<Letter, Rejection> {
        let password = match (mail.content, &credential.sealed_password) {
            (MailContent::Credentials, Some(sealed)) => {
                Some(self.unsealer.unseal(sealed, &credential.subscription, credential.issue).await?)
            }
            (MailContent::Credentials | MailContent::Link, _) => None,
        };
        let language = Language::preferred(mail.locale.as_deref().unwrap_or_default());
        Ok(Letter::welcome(language, credential, password.as_ref(), &self.origin, &self.support_url)?)
    }

    /// The mail is out: what is not recorded now is sent again, so it is tried for as long as this function has time.
    async fn record(&self, order: &MailOrder, message_id: &str, now: Timestamp) -> Result<(), Rejection> {
        for _ in 1..RECORD_TRIES {
            if self.settle(order, MailStatus::Sent, Some(message_id), now).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(RECORD_PAUSE).await;
        }
        self.settle(order, MailStatus::Sent, Some(message_id), now).await
    }

    async fn settle(
        &self,
        order: &MailOrder,
        status: MailStatus,
        message_id: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        Ok(self.mails.settle(order, status, message_id, now).await?)
    }

    async fn give_back(&self, order: &MailOrder, taken: &TakenMail, rejection: Rejection) -> Result<(), Rejection> {
        if let Err(failure) = self.mails.release(order, taken).await {
            warn!(outcome = "lease-kept", service = failure.service(), cause = %failure);
        }
        Err(rejection)
    }
}

/// A mail could not be rendered.
#[derive(Debug)]
struct RenderingFailed(askama::Error);

impl From<askama::Error> for RenderingFailed {
    fn from(error: askama::Error) -> Self {
        Self(error)
    }
}

impl std::fmt::Display for RenderingFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for RenderingFailed {}

impl Retryable for RenderingFailed {
    fn is_transient(&self) -> bool {
        false
    }
}

/// A mail in words. No `Debug`: it holds the password, and is wiped when dropped.
struct Letter {
    subject: String,
    text: Zeroizing<String>,
    html: Zeroizing<String>,
}

impl Letter {
    fn welcome(
        language: Language,
        credential: &Credential,
        password: Option<&TemporaryPassword>,
        origin: &str,
        support_url: &str,
    ) -> Result<Self, RenderingFailed> {
        let w = language.words();
        let (company, product) = (&*credential.company.name, &*credential.product);
        let opening = if credential.kind == Kind::Paid { w.mail_subscribed } else { w.mail_trying };
        let subject = words::fill(w.mail_subject, &[("product", product)]);
        let until = [("at", &*words::date(w, credential.expires_at))];
        #[expect(clippy::disallowed_methods, reason = "here the password is mailed")]
        let password = password.map(TemporaryPassword::expose_secret);
        let letter = &Welcome {
            w,
            language: language.code(),
            subject: &subject,
            opening: &words::fill(opening, &[("company", company), ("product", product)]),
            user_name: credential.user_name.as_str(),
            password,
            sign_in_url: &format!("{origin}/administration"),
            works_until: &words::fill(if password.is_some() { w.mail_works_until } else { w.mail_link_until }, &until),
            portal_url: origin,
            support_url,
        };
        let (text, html) = (WelcomeText { letter }.render()?, WelcomeHtml { letter }.render()?);
        let (text, html) = (Zeroizing::new(text), Zeroizing::new(html));
        Ok(Self { subject, text, html })
    }

    /// What somebody asks support, with what support needs to know and never a password.
    fn support(credential: &Credential, request: &SupportRequest, now: Timestamp) -> Result<Self, RenderingFailed> {
        let subject =
            format!("Support request {}: {}, {}", request.reference, credential.product, credential.company.name);
        let letter = &Support {
            subject: &subject,
            reference: request.reference.as_str(),
            message: request.message.as_str(),
            by: &request.by,
            answerable: request.reply_to.is_some(),
            subscription: credential.subscription.as_str(),
            product: &credential.product,
            paid: credential.kind == Kind::Paid,
            company: &credential.company.name,
            user_name: credential.user_name.as_str(),
            facts: facts(credential, now),
        };
        let (text, html) = (SupportText { letter }.render()?, SupportHtml { letter }.render()?);
        Ok(Self { subject, text: Zeroizing::new(text), html: Zeroizing::new(html) })
    }
}

/// What happened to the credentials, in its order.
fn facts(credential: &Credential, now: Timestamp) -> Vec<String> {
    let date = |at| words::date(Language::English.words(), at);
    let mut facts = vec![format!("issue {}, of {}", credential.issue, date(credential.issued_at))];
    for retrieval in credential.retrievals_in_order() {
        facts.push(format!("retrieved on {} by {}", date(retrieval.at), retrieval.by));
    }
    let steps = [
        ("the service administrator signed in", credential.signed_in_at),
        ("the service administrator chose a password", credential.changed_at),
        ("an administrator was created", credential.handed_over_at),
        ("the subscription ended", credential.ended_at),
    ];
    facts.extend(steps.into_iter().filter_map(|(what, at)| Some(format!("{what} on {}", date(at?)))));
    if credential.changed_at.is_none() {
        let works =
            if credential.expired(now) { "the temporary password stopped working on" } else { "it works until" };
        facts.push(format!("{works} {}", date(credential.expires_at)));
    }
    facts
}

/// What both forms of the welcome mail say. No `Debug`: it holds the password.
struct Welcome<'a> {
    w: &'static Words,
    language: &'static str,
    subject: &'a str,
    opening: &'a str,
    user_name: &'a str,
    /// Absent in a mail that leads to the portal.
    password: Option<&'a str>,
    sign_in_url: &'a str,
    works_until: &'a str,
    portal_url: &'a str,
    support_url: &'a str,
}

#[derive(Template)]
#[template(path = "welcome.txt", escape = "none")]
struct WelcomeText<'a> {
    letter: &'a Welcome<'a>,
}

#[derive(Template)]
#[template(path = "welcome.html")]
struct WelcomeHtml<'a> {
    letter: &'a Welcome<'a>,
}

/// What both forms of a support request say. No `Debug`: people write what they should not.
struct Support<'a> {
    subject: &'a str,
    reference: &'a str,
    message: &'a str,
    by: &'a str,
    /// Whether there is an address to answer to.
    answerable: bool,
    subscription: &'a str,
    product: &'a str,
    paid: bool,
    company: &'a str,
    user_name: &'a str,
    facts: Vec<String>,
}

#[derive(Template)]
#[template(path = "support.txt", escape = "none")]
struct SupportText<'a> {
    letter: &'a Support<'a>,
}

#[derive(Template)]
#[template(path = "support.html")]
struct SupportHtml<'a> {
    letter: &'a Support<'a>,
}
