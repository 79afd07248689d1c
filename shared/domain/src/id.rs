//! Validated ids: a value of one of these types is always a valid part of a table key.

use serde::{Serialize, Serializer};

/// The vendor's id of a subscription: 1 to 64 of `A-Z a-z 0-9 _ -`, case-sensitive. SES allows no other characters in a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(String);

/// The vendor's id of a customer company: `[a-z0-9][a-z0-9.-]{0,40}`, in lower case.
///
/// All subscriptions of a company share the suffix of its user names, so it must be the verified id of one customer, which no customer
/// can choose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompanyId(String);

/// The name of an account: 3 to 128 of `a-z 0-9 . _ + -`, ending in `@` and the id of its company, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

/// One generation of temporary credentials, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Issue(u32);

/// The customer organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Company {
    /// The id that every user name of the company ends in.
    pub id: CompanyId,
    /// The display name.
    pub name: String,
}

impl SubscriptionId {
    /// Parses an id. `None` for an invalid one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let valid = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        valid.then(|| Self(text.to_owned()))
    }

    /// Returns the id as the vendor spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CompanyId {
    /// Parses an id, converting ASCII letters to lower case. `None` for an invalid one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let valid = (1..=41).contains(&text.len())
            && text.as_bytes()[0].is_ascii_alphanumeric()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        valid.then_some(Self(text))
    }

    /// Returns whether a new subscription may have this id: it ends in a letter or digit and has no two separators in a row, so that no
    /// company can pass for another one. Version 0.1.0 accepted other ids, and their subscriptions continue to work.
    #[must_use]
    pub fn may_be_new(&self) -> bool {
        self.0.split(['.', '-']).all(|part| !part.is_empty())
    }

    /// Returns the text, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl UserName {
    /// Parses a user name, converting ASCII letters to lower case. `None` for an invalid one, which no account has.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (local, company) = text.split_once('@')?;
        let valid = (3..=128).contains(&text.len())
            && !local.is_empty()
            && local.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'+' | b'-'))
            && CompanyId::parse(company).is_some();
        valid.then_some(Self(text))
    }

    /// Returns the default name of the service administrator, `admin@<company>`, for an event that gives none.
    #[must_use]
    pub fn admin(company: &CompanyId) -> Self {
        Self(format!("admin@{}", company.0))
    }

    /// Returns the name of the service administrator if another subscription of the company has the default name:
    /// `admin-<subscription>@<company>`.
    #[must_use]
    pub fn admin_for_subscription(subscription: &SubscriptionId, company: &CompanyId) -> Self {
        Self(format!("admin-{}@{}", subscription.0.to_ascii_lowercase(), company.0))
    }

    /// Returns a random name for the service administrator if both other names are taken, by a subscription whose id differs only in
    /// case or by an administrator. It cannot be predicted, and so it cannot be taken in advance.
    #[must_use]
    pub fn admin_from_random(random: [u8; 4], company: &CompanyId) -> Self {
        Self(format!("admin-{:08x}@{}", u32::from_be_bytes(random), company.0))
    }

    /// Returns whether the name is one that service administrators get where their event gives none. No administrator may take it, since a
    /// subscription that starts later could not have it.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with("admin@") || self.0.starts_with("admin-")
    }

    /// Returns whether this account belongs to `company`.
    #[must_use]
    pub fn belongs_to(&self, company: &CompanyId) -> bool {
        self.0.split_once('@').is_some_and(|(_, suffix)| suffix == company.0)
    }

    /// Returns the text, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Issue {
    /// The first issue of a subscription.
    pub const FIRST: Self = Self(1);

    /// Creates an issue from its number. `None` for zero.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// Returns the number, which starts at 1.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// Returns the issue after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

macro_rules! impl_display_and_serialize {
    ($($name:ty),*) => {$(
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }
    )*};
}

impl_display_and_serialize!(SubscriptionId, CompanyId, UserName, Issue);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_case_of_a_subscription_id_counts() {
        assert_ne!(SubscriptionId::parse("Sub-1"), SubscriptionId::parse("sub-1"));
    }

    #[test]
    fn ids_that_could_break_a_key_are_refused() {
        for text in ["", "a#b", "a b", "ä", "a/b", "a\n", &"x".repeat(65)] {
            assert_eq!(SubscriptionId::parse(text), None, "{text:?}");
        }
        for text in ["", "-a", ".a", "a_b", "a@b", "ä", &"x".repeat(42)] {
            assert_eq!(CompanyId::parse(text), None, "{text:?}");
        }
        for text in
            ["a@", "@a", "a@b@c", "a b@c", "a#b@c", "a@-c", "ä@c", "\u{212a}im@c", &format!("{}@c", "x".repeat(127))]
        {
            assert_eq!(UserName::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_id_that_could_pass_for_another_may_not_be_new() {
        for text in ["acme.", "acme-", "acme..", "a.-b", "a--b"] {
            assert!(!CompanyId::parse(text).unwrap().may_be_new(), "{text}");
        }
        for text in ["acme", "a-b.c", "4711"] {
            assert!(CompanyId::parse(text).unwrap().may_be_new(), "{text}");
        }
    }

    #[test]
    fn names_are_converted_to_lower_case() {
        assert_eq!(UserName::parse("Admin@Fabrikam"), UserName::parse("admin@fabrikam"));
        assert!(UserName::parse("ADMIN@FABRIKAM").unwrap().belongs_to(&CompanyId::parse("Fabrikam").unwrap()));
    }

    #[test]
    fn the_longest_ids_still_make_a_user_name() {
        let subscription = SubscriptionId::parse(&"S".repeat(64)).unwrap();
        let company = CompanyId::parse(&"c".repeat(41)).unwrap();
        let name = UserName::admin_for_subscription(&subscription, &company);
        assert_eq!(UserName::parse(name.as_str()), Some(name));
    }

    #[test]
    fn the_default_names_of_service_administrators_are_reserved() {
        let (subscription, company) = (SubscriptionId::parse("Sub-1").unwrap(), CompanyId::parse("fabrikam").unwrap());
        let defaults = [
            UserName::admin(&company),
            UserName::admin_for_subscription(&subscription, &company),
            UserName::admin_from_random([0; 4], &company),
        ];
        assert!(defaults.iter().all(UserName::is_reserved));
        for name in ["administrator@fabrikam", "admin.lee@fabrikam", "lee@admin-fabrikam", "sys-admin@fabrikam"] {
            assert!(!UserName::parse(name).unwrap().is_reserved(), "{name}");
        }
    }

    #[test]
    fn a_name_belongs_to_its_own_company_only() {
        let name = UserName::parse("admin@fabrikam").unwrap();
        assert!(!name.belongs_to(&CompanyId::parse("kam").unwrap()));
        assert!(!name.belongs_to(&CompanyId::parse("fabrikam.example").unwrap()));
    }
}
