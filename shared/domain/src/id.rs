//! Ids, parsed at the door: once one of these types exists, it is a valid part of a key.

use serde::{Serialize, Serializer};

/// The vendor's id of a subscription: 1 to 64 of `A-Z a-z 0-9 _ -`; case counts. SES allows no more in a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(String);

/// The id of a customer company: `[a-z0-9][a-z0-9.-]{0,40}`, ASCII letters lowered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CompanyId(String);

/// The name of an account: 3 to 128 of `a-z 0-9 . _ + -` with one `@`, before the id of its company; ASCII letters lowered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

/// One generation of temporary credentials, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Issue(u32);

/// The customer organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Company {
    /// Part of every user name of the company.
    pub id: CompanyId,
    /// As people write it.
    pub name: String,
}

impl SubscriptionId {
    /// Exactly as given, or nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let valid = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        valid.then(|| Self(text.to_owned()))
    }

    /// As given by the vendor.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CompanyId {
    /// ASCII letters are lowered; anything else that is not allowed is refused.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let valid = (1..=41).contains(&text.len())
            && text.as_bytes()[0].is_ascii_alphanumeric()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        valid.then_some(Self(text))
    }

    /// In lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl UserName {
    /// ASCII letters are lowered; a name that is not one is an unknown name.
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

    /// The name of the service administrator where the event gives none: `admin@<company>`.
    #[must_use]
    pub fn admin_of(company: &CompanyId) -> Self {
        Self(format!("admin@{}", company.0))
    }

    /// The same where another subscription of the company holds that name: `admin-<subscription>@<company>`.
    #[must_use]
    pub fn admin_of_subscription(subscription: &SubscriptionId, company: &CompanyId) -> Self {
        Self(format!("admin-{}@{}", subscription.0.to_ascii_lowercase(), company.0))
    }

    /// The same where that is held too: ids whose case alone differs, or a name that an administrator has taken. Nobody can tell this
    /// one beforehand, and take it as well.
    #[must_use]
    pub fn admin_by_chance(random: [u8; 4], company: &CompanyId) -> Self {
        Self(format!("admin-{:08x}@{}", u32::from_be_bytes(random), company.0))
    }

    /// Whether this is a name within `company`.
    #[must_use]
    pub fn belongs_to(&self, company: &CompanyId) -> bool {
        self.0.split_once('@').is_some_and(|(_, of)| of == company.0)
    }

    /// In lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Issue {
    /// The issue that a subscription starts with.
    pub const FIRST: Self = Self(1);

    /// From the table or a message; zero is no issue.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// Counted from 1.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }

    /// The issue after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

macro_rules! text {
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

text!(SubscriptionId, CompanyId, UserName, Issue);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_case_of_a_subscription_id_counts() {
        assert_ne!(SubscriptionId::parse("Sub-1"), SubscriptionId::parse("sub-1"));
    }

    #[test]
    fn ids_that_could_leave_their_key_are_refused() {
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
    fn letters_of_names_are_lowered() {
        assert_eq!(UserName::parse("Admin@Fabrikam"), UserName::parse("admin@fabrikam"));
        assert!(UserName::parse("ADMIN@FABRIKAM").unwrap().belongs_to(&CompanyId::parse("Fabrikam").unwrap()));
    }

    #[test]
    fn the_longest_ids_still_make_a_user_name() {
        let subscription = SubscriptionId::parse(&"S".repeat(64)).unwrap();
        let company = CompanyId::parse(&"c".repeat(41)).unwrap();
        let name = UserName::admin_of_subscription(&subscription, &company);
        assert_eq!(UserName::parse(name.as_str()), Some(name));
    }

    #[test]
    fn a_name_belongs_to_its_own_company_only() {
        let name = UserName::parse("admin@fabrikam").unwrap();
        assert!(!name.belongs_to(&CompanyId::parse("kam").unwrap()));
        assert!(!name.belongs_to(&CompanyId::parse("fabrikam.example").unwrap()));
    }
}
