//! The console's page: a form that publishes an event, the mails and what becomes of them, the time, the published events, and the calls.

use askama::Template;
use askama::filters::HtmlSafeOutput;
use domain::started::InvalidEvent;
use domain::{EmailAddress, SubscriptionStarted};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use uuid::Uuid;

use super::feedback::Feedback;
use super::inbox::Mail;
use super::requests::Request;
use super::{Clock, DeadLetter, Inner, Published, REGION, lock};

/// The number of calls on the page, newest first. `GET /requests` returns all of them.
const CALLS: usize = 50;

/// The number of published events on the page, newest first. `GET /published` returns all of them.
const EVENTS: usize = 50;

/// The mail languages that the form offers: the BCP 47 tag and the label.
const LANGUAGES: [(&str, &str); 3] = [("en", "English"), ("de", "German"), ("", "not specified")];

/// The kinds of welcome mail that the form offers: the value and the label.
const CONTENTS: [(&str, &str); 3] = [("", "default"), ("credentials", "credentials"), ("link", "a link")];

/// The feedback that the form below a mail offers, with the words on its buttons.
const OUTCOMES: [(Feedback, &str); 6] = [
    (Feedback::Delivered, "Delivered"),
    (Feedback::Delayed, "Delayed"),
    (Feedback::Undelivered, "Mailbox full"),
    (Feedback::Bounced, "Bounced"),
    (Feedback::Suppressed, "Suppressed"),
    (Feedback::Complained, "Complained"),
];

/// How far the buttons move the clock: the seconds and the label.
const MOVES: [(u64, &str); 4] = [(3600, "1 hour"), (86_400, "1 day"), (432_000, "5 days"), (604_800, "7 days")];

/// The whole page.
#[derive(Template)]
#[template(path = "console.html")]
pub(super) struct Page {
    form: StartForm,
    refusal: Option<Refusal>,
    /// The subscription that the form has just started.
    started: Option<String>,
    /// The feedback that has just been reported about a mail.
    reported: Option<Feedback>,
    product: String,
    demo: Option<String>,
    live: Live,
}

/// The live parts of the page, which the browser refreshes.
#[derive(Template)]
#[template(path = "console_live.html")]
pub(super) struct LiveParts {
    live: Live,
}

struct Live {
    /// The version of these parts, which the browser sends back to ask for changes.
    seen: String,
    mails: Vec<Letter>,
    calls: Vec<Call>,
    /// The number of all recorded calls.
    total_calls: usize,
    events: Vec<Published>,
    /// The number of all published events.
    total_events: usize,
    dead_letters: Vec<DeadLetter>,
    /// The time of the local cloud, in RFC 3339.
    now: String,
}

/// A mail and its index in the inbox.
struct Letter {
    number: usize,
    mail: Mail,
}

struct Call(Request);

/// A line of a mail's text.
struct Line<'a>(&'a str);

/// The reason why an event was not published, or was rejected by its function.
pub(super) struct Refusal {
    pub(super) why: String,
    /// The field of the form that is invalid, if it is a single field.
    pub(super) field: Option<&'static str>,
}

impl Page {
    /// Creates a page with the values of the last submitted form and a new subscription id.
    fn new(inner: &Inner) -> Self {
        let form = StartForm { subscription_id: suggested_id(), ..lock(&inner.form).clone() };
        let (product, demo, live) = (inner.product.clone(), inner.demo.clone(), Live::new(inner));
        Self { form, refusal: None, started: None, reported: None, product, demo, live }
    }

    /// Creates the page that confirms that a subscription was started, or that SES has reported what became of a mail.
    pub(super) fn after(inner: &Inner, started: Option<String>, reported: Option<Feedback>) -> Self {
        Self { started, reported, ..Self::new(inner) }
    }

    /// Creates the page that shows a submitted form again, with the reason why it was refused.
    pub(super) fn refusing(inner: &Inner, form: StartForm, refusal: Refusal) -> Self {
        Self { form, refusal: Some(refusal), ..Self::new(inner) }
    }

    /// Returns the ARIA attributes that mark a field as invalid, or nothing if the field is valid.
    fn about(&self, field: &str) -> HtmlSafeOutput<&'static str> {
        let wrong = self.refusal.as_ref().is_some_and(|refusal| refusal.field == Some(field));
        HtmlSafeOutput(if wrong { " aria-invalid=\"true\" aria-describedby=\"refusal\"" } else { "" })
    }
}

impl LiveParts {
    /// Returns the live parts, or `None` if nothing has changed since the version in `seen`.
    pub(super) fn after(inner: &Inner, seen: &str) -> Option<Self> {
        (seen != Live::seen(inner)).then(|| Self { live: Live::new(inner) })
    }
}

impl Live {
    fn new(inner: &Inner) -> Self {
        // The version is taken first: a change in between is shown now and once more, but never missed.
        let seen = Self::seen(inner);
        let mails = inner.inbox.all().into_iter().enumerate().map(|(number, mail)| Letter { number, mail });
        let (calls, total_calls) = inner.requests.newest(CALLS);
        let (events, total_events) = inner.published.newest(EVENTS);
        Self {
            seen,
            mails: mails.rev().collect(),
            calls: calls.into_iter().map(Call).collect(),
            total_calls,
            events,
            total_events,
            dead_letters: inner.queues.dead_letters(),
            now: inner.clock.rfc3339(),
        }
    }

    fn seen(inner: &Inner) -> String {
        let (mails, calls, events) = (inner.inbox.count(), inner.requests.changes(), inner.published.count());
        let (letters, moves) = (inner.queues.dead_letters().len(), inner.clock.moves());
        format!("{mails}-{calls}-{events}-{letters}-{moves}")
    }
}

impl Letter {
    /// Returns the display name of the sender, such as `Contoso` in `Contoso <credentials@contoso.example>`.
    fn sender(&self) -> &str {
        let from = self.mail.from.as_str();
        from.split_once(" <").map_or(from, |(name, _)| name.trim_matches('"'))
    }

    fn initial(&self) -> String {
        self.sender().chars().take(1).flat_map(char::to_uppercase).collect()
    }

    fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.mail.text.lines().map(Line)
    }
}

impl Line<'_> {
    /// Returns whether the line is a URL, which mail programs turn into a link.
    fn is_address(&self) -> bool {
        let begins = self.0.starts_with("http://") || self.0.starts_with("https://");
        begins && !self.0.contains(char::is_whitespace)
    }
}

impl Call {
    fn service(&self) -> &'static str {
        match self.0.service {
            "dynamodb" => "DynamoDB",
            "events" => "EventBridge",
            "kms" => "KMS",
            "ses" => "SES",
            other => other,
        }
    }

    /// Returns whether the call failed, which includes a failed condition.
    fn has_failed(&self) -> bool {
        self.0.status.is_none_or(|status| status >= 400)
    }
}

/// The form of the page. A field that is not sent is empty, so that validation reports it.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct StartForm {
    pub(super) subscription_id: String,
    pub(super) kind: String,
    pub(super) product: String,
    pub(super) company_id: String,
    pub(super) company_name: String,
    pub(super) email: String,
    pub(super) portal_user: String,
    /// The second portal user; this field and the next two may be empty.
    pub(super) second_portal_user: String,
    pub(super) locale: String,
    pub(super) welcome_mail: String,
}

impl StartForm {
    /// Returns the form with suggested values.
    pub(super) fn suggested() -> Self {
        Self {
            subscription_id: String::new(),
            kind: "trial".to_owned(),
            product: "Contoso Online Suite".to_owned(),
            company_id: "fabrikam".to_owned(),
            company_name: "Fabrikam, Inc.".to_owned(),
            email: "it@fabrikam.example".to_owned(),
            portal_user: "dana@fabrikam.example".to_owned(),
            second_portal_user: "kim@fabrikam.example".to_owned(),
            locale: "en".to_owned(),
            welcome_mail: String::new(),
        }
    }

    /// Returns the event that a vendor's billing system would publish, if the form is valid.
    pub(super) fn event(&self, clock: &Clock) -> Result<Value, Refusal> {
        let people = [&self.portal_user, &self.second_portal_user].into_iter().enumerate();
        // The first portal user is required, so an empty one is kept for validation to report.
        let people = people.filter(|(place, email)| *place == 0 || !email.is_empty());
        let mut detail = json!({
            "subscription_id": self.subscription_id,
            "kind": self.kind,
            "product": self.product,
            "company": { "id": self.company_id, "name": self.company_name },
            "service_administrator": { "email": self.email },
            "portal_users": people.map(|(_, email)| json!({ "email": email })).collect::<Vec<_>>(),
        });
        for (name, value) in [("locale", &self.locale), ("welcome_mail", &self.welcome_mail)] {
            if !value.is_empty() {
                detail[name] = value.as_str().into();
            }
        }
        let event = json!({
            "version": "0",
            "id": Uuid::new_v4().to_string(),
            "detail-type": "SubscriptionStarted",
            "source": "billing.contoso",
            "account": "000000000000",
            "time": clock.rfc3339(),
            "region": REGION,
            "resources": [],
            "detail": detail,
        });
        match SubscriptionStarted::parse(&event.to_string()) {
            Ok(_) => Ok(event),
            Err(invalid) => Err(self.refusal(invalid)),
        }
    }

    /// Translates an invalid event field to a message about the form's field.
    fn refusal(&self, invalid: InvalidEvent) -> Refusal {
        let second = EmailAddress::parse_leniently(&self.portal_user).is_some_and(|first| first.has_ascii_local_part());
        let (field, rule) = match invalid {
            InvalidEvent::SubscriptionId => {
                ("subscription_id", "The subscription id has 1 to 64 letters, digits, hyphens and underscores.")
            }
            InvalidEvent::Kind => ("kind", "The customer starts a trial or activates a paid subscription."),
            InvalidEvent::Product => {
                ("product", "The product name has 1 to 100 visible characters, on one line, and no link.")
            }
            InvalidEvent::CompanyId => (
                "company_id",
                "The company id has 1 to 41 letters, digits, dots and hyphens, and begins and ends with a letter or digit.",
            ),
            InvalidEvent::CompanyName => {
                ("company_name", "The company name has 1 to 100 visible characters, on one line, and no link.")
            }
            InvalidEvent::AdministratorEmail | InvalidEvent::AdministratorEmailNotAscii => {
                ("email", "The technical contact needs an email address that SES can send to.")
            }
            InvalidEvent::PortalUser | InvalidEvent::PortalUserEmail | InvalidEvent::PortalUserEmailNotAscii
                if second =>
            {
                ("second_portal_user", "The other portal user needs an email address, or leave the field empty.")
            }
            InvalidEvent::PortalUser | InvalidEvent::PortalUserEmail | InvalidEvent::PortalUserEmailNotAscii => {
                ("portal_user", "The portal user needs an email address.")
            }
            InvalidEvent::WelcomeMail => ("welcome_mail", "The mail contains the credentials or a link."),
            InvalidEvent::TooLarge
            | InvalidEvent::Envelope
            | InvalidEvent::DetailType
            | InvalidEvent::Detail
            | InvalidEvent::Time
            | InvalidEvent::PortalUsers
            | InvalidEvent::AdministratorUserName => {
                return Refusal {
                    why: format!("Nothing was published: the event is invalid ({invalid})."),
                    field: None,
                };
            }
        };
        Refusal { why: format!("Nothing was published. {rule}"), field: Some(field) }
    }
}

fn suggested_id() -> String {
    let random = Uuid::new_v4().simple().to_string();
    format!("sub-{}", &random[..6])
}

/// Formats a time for people, such as `26 Nov, 16:20 UTC`.
fn in_words(at: &str) -> String {
    format_time(at, format_description!("[day padding:none] [month repr:short], [hour]:[minute] UTC"))
}

/// Formats a time of day with seconds, such as `16:20:31 UTC`.
fn exactly(at: &str) -> String {
    format_time(at, format_description!("[hour]:[minute]:[second] UTC"))
}

/// Formats an RFC 3339 time; other text is returned unchanged.
fn format_time(at: &str, format: &[BorrowedFormatItem<'_>]) -> String {
    let parsed = OffsetDateTime::parse(at, &Rfc3339).ok().and_then(|at| at.format(format).ok());
    parsed.unwrap_or_else(|| at.to_owned())
}
