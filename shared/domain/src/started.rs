//! The event `SubscriptionStarted`, which the vendor's billing system publishes, and its validation.
//!
//! Unknown fields are ignored, since vendors extend their events. Known fields must be valid.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Company, CompanyId, EmailAddress, Kind, Principal, SubscriptionId, Timestamp, UserName, digest::digest,
    mail::MailContent, text::is_control_or_invisible, text_enum,
};

/// The maximum size of an event in bytes: EventBridge accepts no entry over 256 KB.
pub const LARGEST_EVENT: usize = 256 * 1024;

/// The maximum number of portal users in an event. A vendor that needs more names the organisation.
pub const MAX_PORTAL_USERS: usize = 100;

/// The maximum number of characters of a product or company name, so that the credential stays within one write unit.
pub const LONGEST_NAME: usize = 100;

/// A valid `SubscriptionStarted`. It has no `Debug`, because it holds personal data.
#[derive(Clone)]
pub struct SubscriptionStarted {
    /// The identity of the event, which is the same in each of its deliveries.
    pub event: EventId,
    /// The time of the event by the vendor's clock. Absent if no event bus has stamped the event.
    pub time: Option<Timestamp>,
    /// The subscription that started.
    pub subscription: SubscriptionId,
    /// Whether it is a trial or paid.
    pub kind: Kind,
    /// The vendor's name for the product.
    pub product: String,
    /// The customer.
    pub company: Company,
    /// The technical contact, who gets the welcome mail.
    pub email: EmailAddress,
    /// The name of the service administrator's account, if the vendor chose it.
    pub user_name: Option<UserName>,
    /// The people who may see the subscription: 1 to 100, in the order of the event.
    pub portal_users: Vec<PortalUser>,
    /// The language of the mail, as a BCP 47 tag.
    pub locale: Option<String>,
    /// The content of the welcome mail, if the event overrides the deployment's setting.
    pub welcome_mail: Option<MailContent>,
}

/// The identity of an event: 16 bytes of a hash over its source, id, time and kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EventId([u8; 16]);

/// One of an event's portal users.
#[derive(Clone)]
pub struct PortalUser {
    /// The principal.
    pub principal: Principal,
    /// The e-mail address, if the event gave one. Notices go there, and the support desk lists it.
    pub address: Option<EmailAddress>,
}

impl PortalUser {
    /// Returns the portal user with this address.
    #[must_use]
    pub fn from_address(address: &EmailAddress) -> Self {
        Self { principal: Principal::email(address), address: Some(address.clone()) }
    }
}

/// Writes the id in base64url, as keys contain it.
impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

text_enum! {
    /// The defect of an invalid event. The text names the field and never repeats its value, so that it may be logged.
    pub enum InvalidEvent {
        /// The event is larger than [`LARGEST_EVENT`].
        TooLarge = "too-large",
        /// The text is not JSON, or not in the envelope of EventBridge.
        Envelope = "envelope",
        /// The detail type is not `SubscriptionStarted`.
        DetailType = "detail-type",
        /// The detail lacks a field, or a field has the wrong type.
        Detail = "detail",
        /// The time is not in RFC 3339.
        Time = "time",
        /// See [`SubscriptionId`].
        SubscriptionId = "subscription_id",
        /// See [`Kind`].
        Kind = "kind",
        /// The product is empty, longer than [`LONGEST_NAME`], not on one line, or a URL.
        Product = "product",
        /// See [`CompanyId`].
        CompanyId = "company.id",
        /// The company name is empty, longer than [`LONGEST_NAME`], not on one line, or a URL.
        CompanyName = "company.name",
        /// See [`EmailAddress`].
        AdministratorEmail = "service_administrator.email",
        /// The user name is not valid, or does not end in `@` and the id of the company.
        AdministratorUserName = "service_administrator.user_name",
        /// There are no portal users, or more than [`MAX_PORTAL_USERS`].
        PortalUsers = "portal_users",
        /// A portal user is neither an e-mail address nor an issuer with a subject or an organization.
        PortalUser = "portal_users.*",
        /// The e-mail address of a portal user is not valid.
        PortalUserEmail = "portal_users.*.email",
        /// The locale is not a language tag.
        Locale = "locale",
        /// See [`MailContent`].
        WelcomeMail = "welcome_mail",
    }
}

impl fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for InvalidEvent {}

impl SubscriptionStarted {
    /// Parses an event in the envelope of EventBridge.
    pub fn parse(event: &str) -> Result<Self, InvalidEvent> {
        if event.len() > LARGEST_EVENT {
            return Err(InvalidEvent::TooLarge);
        }
        let envelope: Envelope = serde_json::from_str(event).map_err(|_| InvalidEvent::Envelope)?;
        if envelope.detail_type != "SubscriptionStarted" {
            return Err(InvalidEvent::DetailType);
        }
        let detail: Detail = serde_json::from_str(envelope.detail.get()).map_err(|_| InvalidEvent::Detail)?;
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
        let time = envelope.time.as_deref().map(|time| Timestamp::parse_rfc3339(time).ok_or(InvalidEvent::Time));
        let company = Company {
            id: CompanyId::parse(&self.company.id).ok_or(InvalidEvent::CompanyId)?,
            name: name(self.company.name).ok_or(InvalidEvent::CompanyName)?,
        };
        let user_name = self.service_administrator.user_name.map(|given| {
            let parsed = UserName::parse(&given).filter(|parsed| parsed.belongs_to(&company.id));
            parsed.ok_or(InvalidEvent::AdministratorUserName)
        });
        if !(1..=MAX_PORTAL_USERS).contains(&self.portal_users.len()) {
            return Err(InvalidEvent::PortalUsers);
        }
        let content = self.welcome_mail.map(|wish| MailContent::parse(&wish).ok_or(InvalidEvent::WelcomeMail));
        let locale = self.locale.map(|locale| language_tag(locale).ok_or(InvalidEvent::Locale));
        Ok(SubscriptionStarted {
            event: envelope.identity(&self.kind, event),
            time: time.transpose()?,
            subscription: SubscriptionId::parse(&self.subscription_id).ok_or(InvalidEvent::SubscriptionId)?,
            kind: Kind::parse(&self.kind).ok_or(InvalidEvent::Kind)?,
            product: name(self.product).ok_or(InvalidEvent::Product)?,
            company,
            email: EmailAddress::parse(&self.service_administrator.email).ok_or(InvalidEvent::AdministratorEmail)?,
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
        // EventBridge gives every event an id. An event without one is identified by its whole text.
        let id = if self.id.is_empty() { event } else { &self.id };
        EventId(digest(&[self.source.as_bytes(), id.as_bytes(), time.as_bytes(), kind.as_bytes()]))
    }
}

impl RawPortalUser {
    fn check(self) -> Result<PortalUser, InvalidEvent> {
        match (self.email, self.issuer, self.subject, self.organization) {
            (Some(address), None, None, None) => EmailAddress::parse(&address)
                .map(|address| PortalUser::from_address(&address))
                .ok_or(InvalidEvent::PortalUserEmail),
            (None, Some(issuer), Some(subject), None) if !issuer.is_empty() && !subject.is_empty() => {
                Ok(PortalUser { principal: Principal::subject(&issuer, &subject), address: None })
            }
            (None, Some(issuer), None, Some(organization)) if !issuer.is_empty() && !organization.is_empty() => {
                Ok(PortalUser { principal: Principal::organization(&issuer, &organization), address: None })
            }
            _ => Err(InvalidEvent::PortalUser),
        }
    }
}

/// Returns the text if it is a name: not empty, of bounded length, on one line, and without a URL, since it goes into mails.
fn name(text: String) -> Option<String> {
    let valid = !text.trim().is_empty()
        && text.chars().count() <= LONGEST_NAME
        && !text.chars().any(is_control_or_invisible)
        && !text.contains("://");
    valid.then_some(text)
}

/// Returns the text if it consists of the characters of a BCP 47 tag. Whether the language is supported is decided by `words`.
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
    fn an_event_is_parsed_and_unknown_fields_are_ignored() {
        let started = SubscriptionStarted::parse(&event().to_string()).ok().unwrap();
        assert_eq!(started.company.id.as_str(), "fabrikam");
        assert_eq!(started.time, Timestamp::parse_rfc3339("2026-11-10T09:00:00Z"));
        let dana = EmailAddress::parse("dana@fabrikam.example").unwrap();
        assert_eq!(started.portal_users[0].principal, Principal::email(&dana));
    }

    #[test]
    fn every_known_field_must_be_valid() {
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
            let invalid = with(pointer, value.clone()).err();
            let code = invalid.unwrap_or_else(|| panic!("{pointer} = {value} is accepted")).as_str();
            let field = pointer.trim_start_matches("/detail/").trim_start_matches('/').replace('/', ".");
            let names_the_field = if value.is_null() { code == "detail" } else { code.starts_with(&field) };
            assert!(names_the_field, "{pointer} = {value}: {code}");
        }
    }

    #[test]
    fn an_event_over_256_kb_is_refused_before_it_is_parsed() {
        let large = with("/detail/something_of_the_vendor", json!("x".repeat(LARGEST_EVENT)));
        assert_eq!(large.err(), Some(InvalidEvent::TooLarge));
    }

    #[test]
    fn only_a_repeated_delivery_has_the_same_identity() {
        let first = SubscriptionStarted::parse(&event().to_string()).ok().unwrap().event;
        assert!(first == SubscriptionStarted::parse(&event().to_string()).ok().unwrap().event);
        assert!(first != with("/id", json!("e-2")).ok().unwrap().event);
    }
}
