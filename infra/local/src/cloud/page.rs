//! The console's page: a form that publishes an event, the mails, and the calls.

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

use super::inbox::Mail;
use super::requests::Request;
use super::{DeadLetter, Inner, REGION, clock, lock};

/// The page shows the newest calls only; `GET /requests` has them all.
const CALLS: usize = 50;

/// What the form offers as languages of the mail: BCP 47, and what it is called.
const LANGUAGES: [(&str, &str); 3] = [("en", "English"), ("de", "German"), ("", "not specified")];

/// What it offers as the mail's content.
const CONTENTS: [(&str, &str); 3] = [("", "the default"), ("credentials", "credentials"), ("link", "a link")];

/// The page.
#[derive(Template)]
#[template(path = "console.html")]
pub(super) struct Page {
    form: StartForm,
    refusal: Option<Refusal>,
    /// The subscription that was started just before.
    started: Option<String>,
    product: String,
    live: Live,
}

/// The parts of the page that change by themselves.
#[derive(Template)]
#[template(path = "console_live.html")]
pub(super) struct LiveParts {
    live: Live,
}

struct Live {
    /// What these parts show, for whoever wants to know whether there is more.
    seen: String,
    mails: Vec<Letter>,
    calls: Vec<Call>,
    /// How many calls there are.
    of: usize,
    dead_letters: Vec<DeadLetter>,
}

/// A mail and its place in the inbox, from 0.
struct Letter {
    number: usize,
    mail: Mail,
}

struct Call(Request);

/// A line of a mail's text.
struct Line<'a>(&'a str);

/// Why an event was not published, or not taken.
pub(super) struct Refusal {
    pub(super) why: String,
    /// The field of the form, where it is one.
    pub(super) field: Option<&'static str>,
}

impl Page {
    /// With the form as it was filled in last, under a new id.
    fn of(inner: &Inner) -> Self {
        let form = StartForm { subscription_id: suggested_id(), ..lock(&inner.form).clone() };
        Self { form, refusal: None, started: None, product: inner.product.clone(), live: Live::of(inner) }
    }

    /// After a subscription was started.
    pub(super) fn after(inner: &Inner, started: Option<String>) -> Self {
        Self { started, ..Self::of(inner) }
    }

    /// With the form as somebody filled it in, and what is wrong with it.
    pub(super) fn refusing(inner: &Inner, form: StartForm, refusal: Refusal) -> Self {
        Self { form, refusal: Some(refusal), ..Self::of(inner) }
    }

    /// That a field is not right, for its tag.
    fn about(&self, field: &str) -> HtmlSafeOutput<&'static str> {
        let wrong = self.refusal.as_ref().is_some_and(|refusal| refusal.field == Some(field));
        HtmlSafeOutput(if wrong { " aria-invalid=\"true\" aria-describedby=\"refusal\"" } else { "" })
    }
}

impl LiveParts {
    /// Nothing where there is no more than what was `seen`.
    pub(super) fn after(inner: &Inner, seen: &str) -> Option<Self> {
        (seen != Live::seen(inner)).then(|| Self { live: Live::of(inner) })
    }
}

impl Live {
    fn of(inner: &Inner) -> Self {
        // First: what comes in between is shown, and shown again.
        let seen = Self::seen(inner);
        let mails = inner.inbox.all().into_iter().enumerate().map(|(number, mail)| Letter { number, mail });
        let (calls, of) = inner.requests.newest(CALLS);
        Self {
            seen,
            mails: mails.rev().collect(),
            calls: calls.into_iter().map(Call).collect(),
            of,
            dead_letters: inner.queues.dead_letters(),
        }
    }

    fn seen(inner: &Inner) -> String {
        let (mails, calls) = (inner.inbox.count(), inner.requests.changes());
        format!("{mails}-{calls}-{}", inner.queues.dead_letters().len())
    }
}

impl Letter {
    /// `Contoso`, from `Contoso <credentials@contoso.example>`.
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
    /// Mail programs make a link of an address.
    fn is_address(&self) -> bool {
        let begins = self.0.starts_with("http://") || self.0.starts_with("https://");
        begins && !self.0.contains(char::is_whitespace)
    }
}

impl Call {
    fn service(&self) -> &'static str {
        match self.0.service {
            "dynamodb" => "DynamoDB",
            "kms" => "KMS",
            "ses" => "SES",
            other => other,
        }
    }

    /// Also where a condition did not hold.
    fn has_failed(&self) -> bool {
        self.0.status.is_none_or(|status| status >= 400)
    }
}

/// The form of the page. What is not sent is empty, so that it can be asked for.
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
    /// Empty for none, as the next two.
    pub(super) second_portal_user: String,
    pub(super) locale: String,
    pub(super) welcome_mail: String,
}

impl StartForm {
    /// What it suggests.
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

    /// The event that a vendor's billing system would publish, where it is one.
    pub(super) fn event(&self) -> Result<Value, Refusal> {
        let people = [&self.portal_user, &self.second_portal_user].into_iter().enumerate();
        // The first has to be there, even if it is empty: it is then what is wrong.
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
            "time": clock::rfc3339(),
            "region": REGION,
            "resources": [],
            "detail": detail,
        });
        match SubscriptionStarted::parse(&event.to_string()) {
            Ok(_) => Ok(event),
            Err(invalid) => Err(self.refusal(invalid)),
        }
    }

    /// In words of the form, for what is wrong with a field of the event.
    fn refusal(&self, InvalidEvent(what): InvalidEvent) -> Refusal {
        let second = EmailAddress::parse(&self.portal_user).is_some();
        let (field, rule) = match what.split([' ', ':']).next().unwrap_or_default() {
            "subscription_id" => {
                ("subscription_id", "The subscription id has 1 to 64 letters, digits, hyphens and underscores.")
            }
            "kind" => ("kind", "The customer starts a trial or activates a paid subscription."),
            "product" => ("product", "The product name has at most 100 characters, on one line."),
            "company.id" => (
                "company_id",
                "The company id has 1 to 41 letters, digits, dots and hyphens, and starts with a letter or digit.",
            ),
            "company.name" => ("company_name", "The company name has at most 100 characters, on one line."),
            "service_administrator.email" => ("email", "The technical contact needs an email address."),
            "portal_users" if second => {
                ("second_portal_user", "The other portal user needs an email address, or leave the field empty.")
            }
            "portal_users" => ("portal_user", "The portal user needs an email address."),
            "locale" => ("locale", "The language is a language tag, such as en or de."),
            "welcome_mail" => ("welcome_mail", "The mail contains the credentials or a link."),
            _ => return Refusal { why: format!("Nothing was published: {what}."), field: None },
        };
        Refusal { why: format!("Nothing was published. {rule}"), field: Some(field) }
    }
}

fn suggested_id() -> String {
    let chance = Uuid::new_v4().simple().to_string();
    format!("sub-{}", &chance[..6])
}

/// `26 Nov, 16:20 UTC`
fn in_words(at: &str) -> String {
    written(at, format_description!("[day padding:none] [month repr:short], [hour]:[minute] UTC"))
}

/// `16:20:31 UTC`
fn exactly(at: &str) -> String {
    written(at, format_description!("[hour]:[minute]:[second] UTC"))
}

/// What is no RFC 3339 stays as it is.
fn written(at: &str, format: &[BorrowedFormatItem<'_>]) -> String {
    let parsed = OffsetDateTime::parse(at, &Rfc3339).ok().and_then(|at| at.format(format).ok());
    parsed.unwrap_or_else(|| at.to_owned())
}
