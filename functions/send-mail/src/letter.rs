//! The text of a mail, plain and HTML, in the reader's language.

mod notice;

use std::{error::Error, fmt};

use askama::Template;
use domain::{Credential, Kind, Retryable, SupportRequest, TemporaryPassword, Timestamp, name::defused};
use words::{Language, Words};
use zeroize::Zeroizing;

pub(crate) use notice::NoticeContext;

/// A mail could not be rendered.
#[derive(Debug)]
pub(crate) struct RenderingFailed(askama::Error);

impl From<askama::Error> for RenderingFailed {
    fn from(error: askama::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for RenderingFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for RenderingFailed {}

impl Retryable for RenderingFailed {
    fn is_transient(&self) -> bool {
        false
    }
}

/// The subject and both bodies of a mail. It has no `Debug`, because it holds the password, and its bodies are wiped when dropped.
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) text: Zeroizing<String>,
    pub(crate) html: Zeroizing<String>,
}

impl Letter {
    /// Writes the welcome mail: with the password, or without it, leading to the portal.
    pub(crate) fn welcome(
        language: Language,
        credential: &Credential,
        password: Option<&TemporaryPassword>,
        origin: &str,
        support_url: &str,
    ) -> Result<Self, RenderingFailed> {
        let w = language.words();
        let (company, product) = (&*defused(&credential.company.name), &*defused(&credential.product));
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

    /// Writes the reminder that the credentials are about to expire. It holds no password, and leads to the portal.
    pub(crate) fn reminder(
        language: Language,
        credential: &Credential,
        origin: &str,
        support_url: &str,
    ) -> Result<Self, RenderingFailed> {
        let w = language.words();
        let (company, product) = (&*defused(&credential.company.name), &*defused(&credential.product));
        let subject = words::fill(w.reminder_subject, &[("product", product)]);
        let letter = &Reminder {
            w,
            language: language.code(),
            subject: &subject,
            opening: &words::fill(w.reminder_opening, &[("company", company), ("product", product)]),
            user_name: credential.user_name.as_str(),
            works_until: &words::fill(w.reminder_until, &[("at", &words::date(w, credential.expires_at))]),
            portal_url: origin,
            sign_in_url: &format!("{origin}/administration"),
            support_url,
        };
        let (text, html) = (ReminderText { letter }.render()?, ReminderHtml { letter }.render()?);
        Ok(Self { subject, text: Zeroizing::new(text), html: Zeroizing::new(html) })
    }

    /// Writes the mail of a support request: the customer's message and what support needs to know, but never a password.
    pub(crate) fn support(
        language: Language,
        credential: &Credential,
        request: &SupportRequest,
        now: Timestamp,
    ) -> Result<Self, RenderingFailed> {
        let w = language.words();
        let (company, product) = (&*defused(&credential.company.name), &*defused(&credential.product));
        let reference = ("reference", request.reference.as_str());
        let subject = words::fill(w.request_subject, &[reference, ("product", product), ("company", company)]);
        let from = match (&request.reply_to, request.mailable_reply_to()) {
            (None, _) => w.request_from_unverified,
            (Some(_), None) => w.request_from_without_reply,
            (Some(_), Some(_)) => w.request_from,
        };
        let about = if credential.kind == Kind::Paid { w.request_about_paid } else { w.request_about_trial };
        let letter = &Support {
            language: language.code(),
            direction: w.direction,
            subject: &subject,
            title: &words::fill(w.request_title, &[reference]),
            message_title: w.request_message,
            message: request.message.as_str(),
            lines: [
                words::fill(from, &[("by", &words::person(w, &request.by))]),
                words::fill(about, &[("subscription", credential.subscription.as_str()), ("product", product)]),
                words::fill(w.request_company, &[("company", company)]),
                words::fill(w.request_user_name, &[("user_name", credential.user_name.as_str())]),
            ],
            history_title: w.request_history,
            history: history(w, credential, now),
        };
        let (text, html) = (SupportText { letter }.render()?, SupportHtml { letter }.render()?);
        Ok(Self { subject, text: Zeroizing::new(text), html: Zeroizing::new(html) })
    }
}

/// Describes what has happened to the credentials of this issue.
fn history(w: &Words, credential: &Credential, now: Timestamp) -> Vec<String> {
    let date = |at: Timestamp| words::date(w, at);
    let issued = [("issue", &*credential.issue.to_string()), ("at", &date(credential.issued_at))];
    let mut history = vec![words::fill(w.history_issued, &issued)];
    for retrieval in credential.retrievals_in_order() {
        let by = words::person(w, &retrieval.by);
        history.push(words::fill(w.history_retrieved, &[("by", &by), ("at", &date(retrieval.at))]));
    }
    let expiry = if credential.expired(now) { w.history_expired } else { w.history_works_until };
    let steps = [
        (w.history_signed_in, credential.signed_in_at),
        (w.history_changed, credential.changed_at),
        (w.history_handed_over, credential.handed_over_at),
        (w.history_ended, credential.ended_at),
        (expiry, credential.changed_at.is_none().then_some(credential.expires_at)),
    ];
    history.extend(steps.into_iter().filter_map(|(text, at)| Some(words::fill(text, &[("at", &date(at?))]))));
    history
}

/// The content of the welcome mail, for both of its bodies. It has no `Debug`, because it holds the password.
struct Welcome<'a> {
    w: &'static Words,
    language: &'static str,
    subject: &'a str,
    opening: &'a str,
    user_name: &'a str,
    /// The password; absent in a mail that leads to the portal.
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

/// The content of the reminder, for both of its bodies.
struct Reminder<'a> {
    w: &'static Words,
    language: &'static str,
    subject: &'a str,
    opening: &'a str,
    user_name: &'a str,
    works_until: &'a str,
    portal_url: &'a str,
    sign_in_url: &'a str,
    support_url: &'a str,
}

#[derive(Template)]
#[template(path = "reminder.txt", escape = "none")]
struct ReminderText<'a> {
    letter: &'a Reminder<'a>,
}

#[derive(Template)]
#[template(path = "reminder.html")]
struct ReminderHtml<'a> {
    letter: &'a Reminder<'a>,
}

/// The content of a support request, for both bodies of its mail. It has no `Debug`, because customers may write secrets into their
/// message.
struct Support<'a> {
    language: &'static str,
    direction: &'static str,
    subject: &'a str,
    title: &'a str,
    message_title: &'a str,
    /// The customer's words. The text mail quotes each of their lines, so that none of them passes for one of the lines below.
    message: &'a str,
    /// The lines that say who asks, and about which subscription.
    lines: [String; 4],
    history_title: &'a str,
    history: Vec<String>,
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
