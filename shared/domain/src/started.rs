//! The event `SubscriptionStarted`, which the vendor's billing system publishes, and its validation.
//!
//! Unknown fields are ignored, since vendors extend their events. What would cost a customer their credentials for a cosmetic field is read
//! leniently: blanks around ids, addresses and names are cut, an id may be a number, and a locale that is no language tag is no wish. Ids,
//! kind, company and addresses must be valid.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::{
    Company, CompanyId, EmailAddress, EventId, Kind, PortalUser, SubscriptionId, Timestamp, UserName,
    mail::MailContent,
    name,
    portal_user::{InvalidPortalUser, PortalUserFields},
    text::without_blank_ends,
    text_enum,
    vendor_event::{Envelope, Id, InvalidEnvelope},
};

/// The maximum number of portal users in an event. A vendor that needs more names the organisation.
pub const MAX_PORTAL_USERS: usize = 100;

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
    /// The people who may see the subscription: at most 100, in the order of the event.
    pub portal_users: Vec<PortalUser>,
    /// The language of the mail, as a BCP 47 tag.
    pub locale: Option<String>,
    /// The content of the welcome mail, if the event overrides the deployment's setting.
    pub welcome_mail: Option<MailContent>,
}

text_enum! {
    /// The defect of an invalid event. The text names the field and never repeats its value, so that it may be logged.
    pub enum InvalidEvent {
        /// The event is larger than [`LARGEST_EVENT`](crate::vendor_event::LARGEST_EVENT).
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
        /// See [`name::parse`].
        Product = "product",
        /// See [`CompanyId`].
        CompanyId = "company.id",
        /// See [`name::parse`].
        CompanyName = "company.name",
        /// See [`EmailAddress`].
        AdministratorEmail = "service_administrator.email",
        /// SES cannot send to the address. See [`EmailAddress::has_ascii_local_part`].
        AdministratorEmailNotAscii = "service_administrator.email, not ASCII",
        /// The user name is not valid, or does not end in `@` and the id of the company.
        AdministratorUserName = "service_administrator.user_name",
        /// There are more portal users than [`MAX_PORTAL_USERS`].
        PortalUsers = "portal_users",
        /// A portal user is neither an e-mail address nor an issuer with a subject or an organization.
        PortalUser = "portal_users.*",
        /// The e-mail address of a portal user is not valid.
        PortalUserEmail = "portal_users.*.email",
        /// SES cannot send to the address of a portal user. See [`EmailAddress::has_ascii_local_part`].
        PortalUserEmailNotAscii = "portal_users.*.email, not ASCII",
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
        let envelope = Envelope::parse(event, "SubscriptionStarted")?;
        let detail: Detail = serde_json::from_str(envelope.detail.get()).map_err(|_| InvalidEvent::Detail)?;
        detail.check(&envelope, event)
    }

    /// Returns when the subscription started: the time of the event, or that of its arrival if no event bus has stamped it.
    #[must_use]
    pub fn started_at(&self, arrived_at: Timestamp) -> Timestamp {
        self.time.unwrap_or(arrived_at)
    }
}

#[derive(Deserialize)]
struct Detail {
    subscription_id: Id,
    kind: String,
    product: String,
    company: RawCompany,
    service_administrator: ServiceAdministrator,
    portal_users: Option<Vec<RawPortalUser>>,
    locale: Option<Value>,
    welcome_mail: Option<Id>,
}

#[derive(Deserialize)]
struct RawCompany {
    id: Id,
    name: String,
}

#[derive(Deserialize)]
struct ServiceAdministrator {
    email: String,
    user_name: Option<Id>,
}

#[derive(Deserialize)]
struct RawPortalUser {
    email: Option<Id>,
    issuer: Option<Id>,
    subject: Option<Id>,
    organization: Option<Id>,
}

/// Returns the text of a field that may be absent; an empty one is absent.
fn optional(field: Option<Id>) -> Option<String> {
    field.map(Id::into_text).filter(|text| !text.is_empty())
}

impl Detail {
    fn check(self, envelope: &Envelope, event: &str) -> Result<SubscriptionStarted, InvalidEvent> {
        let company = Company {
            id: CompanyId::parse(&self.company.id.into_text()).ok_or(InvalidEvent::CompanyId)?,
            name: name::parse(&self.company.name).ok_or(InvalidEvent::CompanyName)?,
        };
        let user_name = optional(self.service_administrator.user_name).map(|given| {
            let parsed = UserName::parse(&given).filter(|parsed| parsed.belongs_to(&company.id));
            parsed.ok_or(InvalidEvent::AdministratorUserName)
        });
        let email =
            EmailAddress::parse_leniently(&self.service_administrator.email).ok_or(InvalidEvent::AdministratorEmail)?;
        if !email.has_ascii_local_part() {
            return Err(InvalidEvent::AdministratorEmailNotAscii);
        }
        if !email.can_be_mailed() {
            return Err(InvalidEvent::AdministratorEmail);
        }
        let portal_users = self.portal_users.unwrap_or_default();
        if portal_users.len() > MAX_PORTAL_USERS {
            return Err(InvalidEvent::PortalUsers);
        }
        let content = optional(self.welcome_mail);
        let content = content.map(|wish| MailContent::parse(&wish).ok_or(InvalidEvent::WelcomeMail));
        Ok(SubscriptionStarted {
            event: envelope.identity(&self.kind, event),
            time: envelope.time(InvalidEvent::Time)?,
            subscription: SubscriptionId::parse(&self.subscription_id.into_text())
                .ok_or(InvalidEvent::SubscriptionId)?,
            kind: Kind::parse(&self.kind).ok_or(InvalidEvent::Kind)?,
            product: name::parse(&self.product).ok_or(InvalidEvent::Product)?,
            company,
            email,
            user_name: user_name.transpose()?,
            portal_users: portal_users.into_iter().map(RawPortalUser::check).collect::<Result<_, _>>()?,
            locale: self.locale.as_ref().and_then(Value::as_str).and_then(language_tag),
            welcome_mail: content.transpose()?,
        })
    }
}

impl RawPortalUser {
    fn check(self) -> Result<PortalUser, InvalidEvent> {
        let [email, issuer, subject, organization] =
            [self.email, self.issuer, self.subject, self.organization].map(|field| field.map(Id::into_text));
        Ok(PortalUserFields { email, issuer, subject, organization }.parse()?)
    }
}

impl From<InvalidEnvelope> for InvalidEvent {
    fn from(invalid: InvalidEnvelope) -> Self {
        match invalid {
            InvalidEnvelope::TooLarge => Self::TooLarge,
            InvalidEnvelope::Envelope => Self::Envelope,
            InvalidEnvelope::DetailType => Self::DetailType,
        }
    }
}

impl From<InvalidPortalUser> for InvalidEvent {
    fn from(invalid: InvalidPortalUser) -> Self {
        match invalid {
            InvalidPortalUser::Fields => Self::PortalUser,
            InvalidPortalUser::Address => Self::PortalUserEmail,
            InvalidPortalUser::AddressNotAscii => Self::PortalUserEmailNotAscii,
        }
    }
}

/// Returns the BCP 47 tag of a locale, which may be written as POSIX does: `de_DE.UTF-8@euro`. `None` if it is no tag. Whether the language
/// is supported is decided by `words`.
fn language_tag(locale: &str) -> Option<String> {
    let locale = without_blank_ends(locale);
    let tag = locale.split(['.', '@']).next().unwrap_or_default().replace('_', "-");
    let mut subtags = tag.split('-');
    let is_language =
        |language: &str| (2..=8).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_subtag =
        |subtag: &str| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (tag.len() <= 35 && subtags.next().is_some_and(is_language) && subtags.all(is_subtag)).then_some(tag)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Principal, vendor_event::LARGEST_EVENT};

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
        assert_eq!(started.portal_users[0].principal(), Principal::email(&dana));
    }

    #[test]
    fn every_known_field_must_be_valid() {
        let wrong = [
            ("/detail-type", json!("SubscriptionEnded")),
            ("/time", json!("yesterday")),
            ("/detail/subscription_id", json!("a#b")),
            ("/detail/kind", json!("free")),
            ("/detail/subscription_id", json!(-1)),
            ("/detail/subscription_id", json!(1.5)),
            ("/detail/product", json!(" ")),
            ("/detail/product", json!("x".repeat(101))),
            ("/detail/product", json!("Suite\u{ad}")),
            ("/detail/company/id", json!("-")),
            ("/detail/company/name", json!("a\nb")),
            ("/detail/company/name", json!("a\u{2028}b")),
            ("/detail/company/name", json!("\u{202e}nottoc")),
            ("/detail/company/name", json!("Locked, see https://evil.example")),
            ("/detail/company/name", json!("Your mailbox is full: www.evil.example/login")),
            ("/detail/service_administrator/email", json!("it@fabrikam.example\r\nBcc: x@y.example")),
            ("/detail/service_administrator/email", json!("jürgen@fabrikam.example")),
            ("/detail/service_administrator/user_name", json!("admin@contoso")),
            ("/detail/portal_users", json!({})),
            ("/detail/portal_users", json!(vec![json!({ "email": "a@b.example" }); 101])),
            ("/detail/portal_users", json!([{ "email": "nobody" }])),
            ("/detail/portal_users", json!([{ "email": "jürgen@fabrikam.example" }])),
            ("/detail/portal_users", json!([{ "email": "" }])),
            ("/detail/portal_users", json!([{ "issuer": "i" }])),
            ("/detail/portal_users", json!([{ "issuer": "i", "subject": "" }])),
            ("/detail/portal_users", json!([{ "email": "a@b.example", "issuer": "i", "subject": "s" }])),
            ("/detail/welcome_mail", json!("none")),
        ];
        for (pointer, value) in wrong {
            let invalid = with(pointer, value.clone()).err();
            let code = invalid.unwrap_or_else(|| panic!("{pointer} = {value} is accepted")).as_str();
            let field = pointer.trim_start_matches("/detail/").trim_start_matches('/').replace('/', ".");
            let names_the_field =
                code.starts_with(&field) || (code == "detail" && !value.is_string() && !value.is_array());
            assert!(names_the_field, "{pointer} = {value}: {code}");
        }
    }

    #[test]
    fn a_locale_is_a_language_tag_however_it_is_written_and_anything_else_is_no_wish() {
        let locale = |value: Value| with("/detail/locale", value).ok().unwrap().locale;
        for (written, tag) in [
            ("de_DE", "de-DE"),
            ("de-DE.UTF-8", "de-DE"),
            ("de_DE.utf8@euro", "de-DE"),
            (" DE ", "DE"),
            ("de-CH-1996", "de-CH-1996"),
            ("zh_Hans_CN", "zh-Hans-CN"),
        ] {
            assert_eq!(locale(json!(written)).as_deref(), Some(tag));
        }
        let none = ["", " ", "C", "en us", "d", "de-", "-de", "deutschland", "1", "de,en;q=0.5", "\u{e4}\u{e4}"]
            .map(|text| json!(text));
        for none in none.into_iter().chain([json!(null), json!(7), json!(["de"]), json!({}), json!("de-x".repeat(20))])
        {
            assert_eq!(locale(none.clone()), None, "{none}");
        }
    }

    #[test]
    fn what_is_cosmetic_costs_no_customer_their_credentials() {
        let parsed = |pointer: &str, value: Value| {
            let read = with(pointer, value.clone());
            read.unwrap_or_else(|invalid| panic!("{pointer} = {value}: {invalid}"))
        };
        for email in [" it@fabrikam.example ", "mailto:it@fabrikam.example", "MAILTO:it@fabrikam.example\n"] {
            let started = parsed("/detail/service_administrator/email", json!(email));
            assert_eq!(started.email.to_string(), "it@fabrikam.example", "{email:?}");
            let started = parsed("/detail/portal_users", json!([{ "email": email, "issuer": null, "subject": " " }]));
            assert_eq!(started.portal_users[0].principal(), Principal::email(&started.email), "{email:?}");
        }
        for none in [json!([]), json!(null)] {
            assert!(parsed("/detail/portal_users", none).portal_users.is_empty());
        }
        let mut without = event();
        without["detail"].as_object_mut().unwrap().remove("portal_users");
        assert!(SubscriptionStarted::parse(&without.to_string()).ok().unwrap().portal_users.is_empty());
        assert_eq!(parsed("/detail/subscription_id", json!(1001)).subscription.as_str(), "1001");
        assert_eq!(parsed("/detail/subscription_id", json!(" sub-1\t")).subscription.as_str(), "sub-1");
        assert_eq!(parsed("/detail/company/id", json!(4711)).company.id.as_str(), "4711");
        assert_eq!(parsed("/detail/company/id", json!(" Fabrikam ")).company.id.as_str(), "fabrikam");
        assert_eq!(parsed("/detail/company/name", json!(" Fabrikam\u{200e}")).company.name, "Fabrikam");
        assert_eq!(parsed("/detail/product", json!("نرم\u{200c}افزار ")).product, "نرم\u{200c}افزار");
        let user_name = |value| parsed("/detail/service_administrator/user_name", value).user_name;
        assert_eq!(user_name(json!(" Admin@fabrikam ")), UserName::parse("admin@fabrikam"));
        assert!([json!(""), json!(null)].into_iter().all(|none| user_name(none).is_none()));
        assert_eq!(parsed("/detail/welcome_mail", json!(" link ")).welcome_mail, Some(MailContent::Link));
        assert_eq!(parsed("/detail/welcome_mail", json!("")).welcome_mail, None);
        let people = json!([{ "issuer": " i", "subject": 4711 }, { "issuer": "i", "organization": " o " }]);
        let started = parsed("/detail/portal_users", people);
        assert_eq!(started.portal_users[0].principal(), Principal::subject("i", "4711"));
        assert_eq!(started.portal_users[1].principal(), Principal::organization("i", "o"));
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
