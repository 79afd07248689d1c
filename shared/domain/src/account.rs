//! Accounts of the Administration Center: who may sign in, with which password, and what comes next.

use serde::Serialize;
use zeroize::Zeroizing;

use crate::{
    Issue, PasswordHash, SubscriptionId, TemporaryPassword, Timestamp, TypedPassword, UserName,
    digest::{digest, encode},
    text::leaves_its_line,
};

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The bootstrap account, one for a subscription.
    ServiceAdministrator,
    /// A permanent account.
    Administrator,
}

/// Whether an account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// It may.
    Active,
    /// The service administrator's, once a permanent administrator has signed in.
    Retired,
    /// Its subscription has ended.
    Closed,
}

/// What makes a password temporary: the issue that it is of, and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Temporary {
    /// The issue.
    pub issue: Issue,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// An account as it is kept. Each change of password or status adds one to `version`, which ends every session from before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub user_name: UserName,
    /// Never reused: what products know it by.
    pub account_id: String,
    /// What it is for.
    pub role: Role,
    /// Of its password: a temporary one in lower case without hyphens and spaces, any other under NFC.
    pub password_hash: PasswordHash,
    /// While the password is one that must be changed.
    pub temporary: Option<Temporary>,
    /// Whether it may be used.
    pub status: AccountStatus,
    /// How often password or status have been written.
    pub version: u64,
    /// What it administers.
    pub subscription: SubscriptionId,
    /// The click that created it: see [`CreatedBy`].
    pub created_by: Option<CreatedBy>,
    /// When a permanent administrator first signed in.
    pub first_signed_in_at: Option<Timestamp>,
}

/// Where somebody who has signed in goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// The password is temporary.
    ResetPassword,
    /// The service administrator is there to create the permanent one.
    CreateAdministrator,
    /// Everything is set up.
    Home,
}

/// What people call an administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

/// One click on **Create account**: who clicked, and the key of the click. The same click again is told by it from a name that
/// is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedBy(String);

/// Wrong passwords in a row after which an account is closed to networks that it has not signed in from: the limit of
/// NIST SP 800-63B-4, 3.2.2.
pub const FAILURES_UNTIL_CLOSED: u64 = 100;

impl Role {
    /// As it is kept.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceAdministrator => "service-administrator",
            Self::Administrator => "administrator",
        }
    }

    /// Where somebody with a password of their own goes on.
    #[must_use]
    pub fn next(self) -> Next {
        match self {
            Self::ServiceAdministrator => Next::CreateAdministrator,
            Self::Administrator => Next::Home,
        }
    }

    /// As it was kept.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::ServiceAdministrator, Self::Administrator].into_iter().find(|role| role.as_str() == text)
    }
}

impl AccountStatus {
    /// As it is kept.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Closed => "closed",
        }
    }

    /// As it was kept.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Retired, Self::Closed].into_iter().find(|status| status.as_str() == text)
    }
}

impl Account {
    /// Whether the right password signs in at `now`.
    #[must_use]
    pub fn may_sign_in(&self, now: Timestamp) -> bool {
        self.status == AccountStatus::Active && self.temporary.is_none_or(|temporary| now < temporary.expires_at)
    }

    /// Where its owner goes on.
    #[must_use]
    pub fn next(&self) -> Next {
        if self.temporary.is_some() { Next::ResetPassword } else { self.role.next() }
    }

    /// Whether `failures` wrong passwords in a row close it to networks that it has not signed in from. A temporary password
    /// cannot be guessed, so nothing closes it; and nobody closes an account before its owner has a network that is known.
    #[must_use]
    pub fn closed_by(&self, failures: u64) -> bool {
        let has_signed_in = self.role == Role::ServiceAdministrator || self.first_signed_in_at.is_some();
        self.temporary.is_none() && has_signed_in && failures > FAILURES_UNTIL_CLOSED
    }
}

impl TypedPassword {
    /// What is hashed, to be compared with the password of `account`; of nobody, the same work.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "here a typed password becomes what is hashed")]
    pub fn comparable_with(&self, account: Option<&Account>) -> Zeroizing<String> {
        match account.and_then(|account| account.temporary) {
            Some(_) => TemporaryPassword::comparable(self.expose_secret()),
            None => Zeroizing::new(self.expose_secret().to_owned()),
        }
    }
}

impl DisplayName {
    /// 1 to 100 characters on one line, without the blanks around them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let valid = (1..=100).contains(&text.chars().count()) && !text.chars().any(leaves_its_line);
        valid.then(|| Self(text.to_owned()))
    }

    /// As people write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CreatedBy {
    /// The click of the person behind `account_id`.
    #[must_use]
    pub fn click(account_id: &str, idempotency_key: &str) -> Self {
        Self(encode(&digest(&[account_id.as_bytes(), idempotency_key.as_bytes()])))
    }

    /// A click without a key: once its answer is lost, it cannot be asked for again.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(encode(&bytes))
    }

    /// As it was kept.
    #[must_use]
    pub fn from_kept(text: String) -> Self {
        Self(text)
    }

    /// 22 characters of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn account(temporary: Option<i64>) -> Account {
        let until = |seconds| Temporary { issue: Issue::FIRST, expires_at: at(seconds) };
        Account {
            user_name: UserName::parse("admin@fabrikam").unwrap(),
            account_id: "01K".into(),
            role: Role::ServiceAdministrator,
            password_hash: PasswordHash::from_phc(String::new()),
            temporary: temporary.map(until),
            status: AccountStatus::Active,
            version: 1,
            subscription: SubscriptionId::parse("sub-1").unwrap(),
            created_by: None,
            first_signed_in_at: None,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    #[test]
    fn a_temporary_password_signs_in_until_its_very_second() {
        assert!(account(Some(60)).may_sign_in(at(59)));
        assert!(!account(Some(60)).may_sign_in(at(60)));
        assert!(account(None).may_sign_in(at(60)));
    }

    #[test]
    fn an_account_that_is_not_active_never_signs_in() {
        for status in [AccountStatus::Retired, AccountStatus::Closed] {
            assert!(!Account { status, ..account(None) }.may_sign_in(at(0)));
        }
    }

    #[test]
    fn who_signs_in_goes_on_to_what_is_left_to_do() {
        assert_eq!(account(Some(60)).next(), Next::ResetPassword);
        assert_eq!(account(None).next(), Next::CreateAdministrator);
        assert_eq!(Account { role: Role::Administrator, ..account(None) }.next(), Next::Home);
    }

    #[test]
    fn only_a_password_that_a_person_chose_is_closed_by_guesses() {
        assert!(!account(None).closed_by(100));
        assert!(account(None).closed_by(101));
        assert!(!account(Some(60)).closed_by(1_000));
        let administrator = Account { role: Role::Administrator, ..account(None) };
        assert!(!administrator.closed_by(1_000), "it has never signed in");
        assert!(Account { first_signed_in_at: Some(at(0)), ..administrator }.closed_by(101));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test looks at what is hashed")]
    fn only_a_temporary_password_may_be_typed_in_capitals_with_spaces() {
        let typed = TypedPassword::parse("K7WMP 3hxrt-22222 ABCDE").unwrap();
        assert_eq!(*typed.comparable_with(Some(&account(Some(60)))), "k7wmp3hxrt22222abcde");
        assert_eq!(*typed.comparable_with(Some(&account(None))), typed.expose_secret());
        assert_eq!(*typed.comparable_with(None), typed.expose_secret());
    }

    #[test]
    fn a_display_name_is_a_line() {
        let name = |text: &str| DisplayName::parse(text).map(|name| name.0);
        assert_eq!(name(" Lee Ahmadi ").as_deref(), Some("Lee Ahmadi"));
        assert!(name(&"\u{1F600}".repeat(100)).is_some());
        for bad in ["", "  ", "a\nb", "a\u{202e}b", &"x".repeat(101)] {
            assert_eq!(name(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_click_is_known_by_who_clicked_and_by_its_key() {
        assert_eq!(CreatedBy::click("a", "k"), CreatedBy::click("a", "k"));
        assert_ne!(CreatedBy::click("a", "k"), CreatedBy::click("b", "k"));
        assert_ne!(CreatedBy::click("a", "k"), CreatedBy::click("a", "l"));
        assert_ne!(CreatedBy::click("ab", "c"), CreatedBy::click("a", "bc"));
    }
}
