//! The event `SubscriptionStarted`: what the vendor's billing system publishes, validated.
//!
//! Fields that are not known are ignored, since vendors extend their events; fields that are known must be right.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Company, CompanyId, EmailAddress, Kind, Principal, SubscriptionId, Timestamp, UserName, digest::digest,
    mail::MailContent, text::leaves_its_line,
};

/// Bytes of the largest event: EventBridge takes no entry over 256 KB.
pub const LARGEST_EVENT: usize = 256 * 1024;

/// People, addresses and organisations in an event; who needs more names the organisation.
pub const MOST_PORTAL_USERS: usize = 100;

/// Characters of the longest product or company name: the credential has to stay within one write unit.
pub const LONGEST_NAME: usize = 100;

/// A valid `SubscriptionStarted`. No `Debug`: it holds personal data.
#[derive(Clone)]
pub struct SubscriptionStarted {
    /// Tells this event from every other one, and is the same each time that this one is delivered.
    pub event: EventId,
    /// When it happened, by the vendor's clock; absent in an event that no event bus has stamped.
    pub time: Option<Timestamp>,
    /// What started.
    pub subscription: SubscriptionId,
    /// Tried or bought.
    pub kind: Kind,
    /// What the vendor calls it.
    pub product: String,
    /// The customer.
    pub company: Company,
    /// The technical contact: the welcome mail goes here.
    pub email: EmailAddress,
    /// The service administrator's account, where the vendor has named it.
    pub user_name: Option<UserName>,
    /// Who may see the subscription: one to a hundred, in the order of the event.
    pub portal_users: Vec<PortalUser>,
    /// The language of the mail.
    pub locale: Option<String>,
    /// This company's wish, before the deployment's.
    pub welcome_mail: Option<MailContent>,
}

/// The identity of an event: 16 bytes of a hash over its source, id, time and kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EventId([u8; 16]);

/// One of an event's portal users.
#[derive(Clone)]
pub struct PortalUser {
    /// How they are known.
    pub principal: Principal,
    /// The address, where the event gave one: who is told, and what the desk lists.
    pub address: Option<EmailAddress>,
}

impl PortalUser {
    /// Whoever holds this address.
    #[must_use]
    pub fn of_address(address: &EmailAddress) -> Self {
        Self { principal: Principal::email(address), address: Some(address.clone()) }
    }
}

/// Base64url, as it stands in a key.
impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// What is wrong with an event: constant text that names the field and never repeats its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidEvent(pub &'static str);

impl fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidEvent {}

impl SubscriptionStarted {
    /// Reads an event as EventBridge wraps it.
    pub fn parse(event: &str) -> Result<Self, InvalidEvent> {
        if event.len() > LARGEST_EVENT {
            return Err(InvalidEvent("the event is over 256 KB"));
        }
        let envelope: Envelope =
            serde_json::from_str(event).map_err(|_| InvalidEvent("no EventBridge event in JSON"))?;
        if envelope.detail_type != "SubscriptionStarted" {
            return Err(InvalidEvent("detail-type is not SubscriptionStarted"));
        }
        let detail: Detail = serde_json::from_str(envelope.detail.get())
            .map_err(|_| InvalidEvent("detail lacks a field, or one has the wrong type"))?;
        detail.check(&envelope, event)
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    id: String,
    #[serde(default)]
    source: String,
    time: Option<String>,
    #[serde(rename = "detail-type")]
    detail_type: String,
    #[serde(borrow)]
    detail: &'a RawValue,
}

#[derive(Deserialize)]
struct Detail {
    subscription_id: String,
    kind: String,
    product: String,
    company: RawCompany,
    service_administrator: ServiceAdministrator,
    portal_users: Vec<RawPortalUser>,
    locale: Option<String>,
    welcome_mail: Option<String>,
}

#[derive(Deserialize)]
struct RawCompany {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct ServiceAdministrator {
    email: String,
    user_name: Option<String>,
}

#[derive(Deserialize)]
struct RawPortalUser {
    email: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    organization: Option<String>,
}

impl Detail {
    fn check(self, envelope: &Envelope, event: &str) -> Result<SubscriptionStarted, InvalidEvent> {
        let time = envelope
            .time
            .as_deref()
            .map(|time| Timestamp::parse_rfc3339(time).ok_or(InvalidEvent("time is not RFC 3339")));
        let company = Company {
            id: CompanyId::parse(&self.company.id).ok_or(InvalidEvent("company.id"))?,
            name: name(self.company.name).ok_or(InvalidEvent("company.name"))?,
        };
        let user_name = self.service_administrator.user_name.map(|given| {
            let parsed = UserName::parse(&given).filter(|parsed| parsed.belongs_to(&company.id));
            parsed.ok_or(InvalidEvent("service_administrator.user_name does not end in @ and the company id"))
        });
        if !(1..=MOST_PORTAL_USERS).contains(&self.portal_users.len()) {
            return Err(InvalidEvent("portal_users are one to a hundred"));
        }
        let content = self.welcome_mail.map(|wish| MailContent::parse(&wish).ok_or(InvalidEvent("welcome_mail")));
        let locale = self.locale.map(|locale| language_tag(locale).ok_or(InvalidEvent("locale")));
        Ok(SubscriptionStarted {
            event: envelope.identity(&self.kind, event),
            time: time.transpose()?,
            subscription: SubscriptionId::parse(&self.subscription_id).ok_or(InvalidEvent("subscription_id"))?,
            kind: Kind::parse(&self.kind).ok_or(InvalidEvent("kind is neither trial nor paid"))?,
            product: name(self.product).ok_or(InvalidEvent("product"))?,
            company,
            email: EmailAddress::parse(&self.service_administrator.email)
                .ok_or(InvalidEvent("service_administrator.email"))?,
            user_name: user_name.transpose()?,
            portal_users: self.portal_users.into_iter().map(RawPortalUser::check).collect::<Result<_, _>>()?,
            locale: locale.transpose()?,
            welcome_mail: content.transpose()?,
        })
    }
}

impl Envelope<'_> {
    fn identity(&self, kind: &str, event: &str) -> EventId {
        let time = self.time.as_deref().unwrap_or_default();
        // EventBridge gives every event an id; one without is known by all of it.
        let id = if self.id.is_empty() { event } else { &self.id };
        EventId(digest(&[self.source.as_bytes(), id.as_bytes(), time.as_bytes(), kind.as_bytes()]))
    }
}

impl RawPortalUser {
    fn check(self) -> Result<PortalUser, InvalidEvent> {
        match (self.email, self.issuer, self.subject, self.organization) {
            (Some(address), None, None, None) => EmailAddress::parse(&address)
                .map(|address| PortalUser::of_address(&address))
                .ok_or(InvalidEvent("portal_users: an email is no address")),
            (None, Some(issuer), Some(subject), None) if !issuer.is_empty() && !subject.is_empty() => {
                Ok(PortalUser { principal: Principal::subject(&issuer, &subject), address: None })
            }
            (None, Some(issuer), None, Some(organization)) if !issuer.is_empty() && !organization.is_empty() => {
                Ok(PortalUser { principal: Principal::organization(&issuer, &organization), address: None })
            }
            _ => Err(InvalidEvent("portal_users: each is an email, or an issuer with a subject or an organization")),
        }
    }
}

/// A name as people write it: not empty, of bounded length, on one line, and no address of a page, since it goes into mails.
fn name(text: String) -> Option<String> {
    let valid = !text.trim().is_empty()
        && text.chars().count() <= LONGEST_NAME
        && !text.chars().any(leaves_its_line)
        && !text.contains("://");
    valid.then_some(text)
}

/// The letters, digits and hyphens of a BCP 47 tag; which languages there are is the templates' matter.
fn language_tag(text: String) -> Option<String> {
    let valid = (2..=35).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    valid.then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event() -> Value {
        json!({
            "version": "0", "id": "e-1", "detail-type": "SubscriptionStarted", "source": "billing.contoso",
            "time": "2026-11-10T09:00:00Z",
            "detail": {
                "subscription_id": "sub-1001", "kind": "trial", "product": "Contoso Online Suite",
                "company": { "id": "Fabrikam", "name": "Fabrikam, Inc." },
                "service_administrator": { "email": "it@fabrikam.example" },
                "portal_users": [{ "email": "Dana@Fabrikam.example" }],
                "something_of_the_vendor": [1, 2, 3],
            },
        })
    }

    fn with(pointer: &str, value: Value) -> Result<SubscriptionStarted, InvalidEvent> {
        let mut event = event();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[key] = value;
        SubscriptionStarted::parse(&event.to_string())
    }

    #[test]
    fn an_event_is_read_and_what_is_not_known_is_ignored() {
        let started = SubscriptionStarted::parse(&event().to_string()).ok().unwrap();
        assert_eq!(started.company.id.as_str(), "fabrikam");
        assert_eq!(started.time, Timestamp::parse_rfc3339("2026-11-10T09:00:00Z"));
        let dana = EmailAddress::parse("dana@fabrikam.example").unwrap();
        assert_eq!(started.portal_users[0].principal, Principal::email(&dana));
    }

    #[test]
    fn every_known_field_has_to_be_right() {
        let wrong = [
            ("/detail-type", json!("SubscriptionEnded")),
            ("/time", json!("yesterday")),
            ("/detail/subscription_id", json!("a#b")),
            ("/detail/kind", json!("free")),
            ("/detail/product", json!(" ")),
            ("/detail/product", json!("x".repeat(101))),
            ("/detail/company/id", json!("-")),
            ("/detail/company/name", json!("a\nb")),
            ("/detail/company/name", json!("a\u{2028}b")),
            ("/detail/company/name", json!("\u{202e}nottoc")),
            ("/detail/company/name", json!("Locked, see https://evil.example")),
            ("/detail/service_administrator/email", json!("it@fabrikam.example\r\nBcc: x@y.example")),
            ("/detail/service_administrator/user_name", json!("admin@contoso")),
            ("/detail/portal_users", json!([])),
            ("/detail/portal_users", json!(null)),
            ("/detail/portal_users", json!(vec![json!({ "email": "a@b.example" }); 101])),
            ("/detail/portal_users", json!([{ "email": "nobody" }])),
            ("/detail/portal_users", json!([{ "issuer": "i" }])),
            ("/detail/portal_users", json!([{ "issuer": "i", "subject": "" }])),
            ("/detail/portal_users", json!([{ "email": "a@b.example", "issuer": "i", "subject": "s" }])),
            ("/detail/locale", json!("en us")),
            ("/detail/welcome_mail", json!("none")),
        ];
        for (pointer, value) in wrong {
            assert!(with(pointer, value.clone()).is_err(), "{pointer} = {value}");
        }
    }

    #[test]
    fn an_event_of_256_kb_is_refused_unread() {
        let large = with("/detail/something_of_the_vendor", json!("x".repeat(LARGEST_EVENT)));
        assert_eq!(large.err(), Some(InvalidEvent("the event is over 256 KB")));
    }

    #[test]
    fn an_event_delivered_again_is_the_same_and_another_is_not() {
        let first = SubscriptionStarted::parse(&event().to_string()).ok().unwrap().event;
        assert!(first == SubscriptionStarted::parse(&event().to_string()).ok().unwrap().event);
        assert!(first != with("/id", json!("e-2")).ok().unwrap().event);
    }
}
