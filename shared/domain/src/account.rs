//! Accounts of the Administration Center: who may sign in, with which password, and what the next step is.

use zeroize::Zeroizing;

use crate::{
    EmailAddress, Issue, PasswordHash, SubscriptionId, TemporaryPassword, Timestamp, TypedPassword, UserName,
    digest::{digest, encode},
    name, text_enum,
};

/// The maximum number of accounts with an address that administrators create or reset for a subscription in one day (UTC). The addresses
/// are not verified, and notices go there.
pub const ADDRESSED_PER_DAY: u32 = 20;

/// The maximum number of active administrators of a subscription.
pub const MOST_ADMINISTRATORS: usize = 50;

/// The maximum number of times that operators unlock an account in one day (UTC): each time lets strangers guess a hundred times more.
pub const UNLOCKS_PER_DAY: u32 = 3;

text_enum! {
    /// The purpose of an account.
    pub enum Role {
        /// The bootstrap account, of which each subscription has one.
        ServiceAdministrator = "service-administrator",
        /// A permanent account.
        Administrator = "administrator",
    }
}

text_enum! {
    /// Whether an account may be used.
    pub enum AccountStatus {
        /// The account may be used.
        Active = "active",
        /// The service administrator's account, after a permanent administrator has signed in or has removed it.
        Retired = "retired",
        /// An administrator has removed the account, or its subscription has ended.
        Closed = "closed",
    }
}

/// The issue and the expiry of a temporary password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Temporary {
    /// The issue that the password belongs to: that of the credential for the service administrator, and `None` for an administrator, whose
    /// password no credential has.
    pub issue: Option<Issue>,
    /// When the password stops working.
    pub expires_at: Timestamp,
}

/// An account. Each change of its password or status increments `version`, which ends all earlier sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The name that signs in.
    pub user_name: UserName,
    /// The id by which products know the account. It is never reused.
    pub account_id: String,
    /// The purpose of the account.
    pub role: Role,
    /// The hash of the password: of a temporary one in the form of [`TemporaryPassword::comparable`], of any other one in NFC.
    pub password_hash: PasswordHash,
    /// Present while the password is temporary.
    pub temporary: Option<Temporary>,
    /// Whether the account may be used.
    pub status: AccountStatus,
    /// How often password or status have been written.
    pub version: u64,
    /// The subscription that the account administers.
    pub subscription: SubscriptionId,
    /// The click that created the account.
    pub created_by: Option<CreatedBy>,
    /// When a permanent administrator first signed in.
    pub first_signed_in_at: Option<Timestamp>,
}

text_enum! {
    /// The next step after signing in.
    pub enum Next {
        /// Choose a password, because the current one is temporary.
        ResetPassword = "reset-password",
        /// Create the permanent administrator, which is all that the service administrator is for.
        CreateAdministrator = "create-administrator",
        /// Use the Administration Center: everything is set up.
        Home = "home",
    }
}

/// The display name of an administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

/// The id of an account as a path names it: a ULID, which may be that of no account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountId(String);

/// One click on **Create account**, identified by the person and the idempotency key. It distinguishes a retry of the click from a name
/// that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedBy(String);

/// A digest of the fields of the form that created an account, without the password. It distinguishes a retry of a click from another form
/// that was sent with the same idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormDigest(String);

impl Role {
    /// Returns the next step for an account whose password is permanent.
    #[must_use]
    pub fn next(self) -> Next {
        match self {
            Self::ServiceAdministrator => Next::CreateAdministrator,
            Self::Administrator => Next::Home,
        }
    }
}

impl Account {
    /// Returns whether the right password signs in at `now`.
    #[must_use]
    pub fn may_sign_in(&self, now: Timestamp) -> bool {
        self.status == AccountStatus::Active && self.temporary.is_none_or(|temporary| now < temporary.expires_at)
    }

    /// Returns the next step after signing in.
    #[must_use]
    pub fn next(&self) -> Next {
        if self.temporary.is_some() { Next::ResetPassword } else { self.role.next() }
    }

    /// Returns whether the account is a permanent administrator's, who has signed in and has a password that no other person has seen. Only
    /// such an administrator adds, helps and removes others.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        let is_owners = self.temporary.is_none() && self.first_signed_in_at.is_some();
        is_owners && self.role == Role::Administrator && self.status == AccountStatus::Active
    }

    /// Returns the account after another administrator has given it a temporary password. An account that was closed is opened by it.
    #[must_use]
    pub fn reset(&self, password_hash: PasswordHash, expires_at: Timestamp) -> Self {
        Self {
            password_hash,
            temporary: Some(Temporary { issue: None, expires_at }),
            status: AccountStatus::Active,
            version: self.version + 1,
            ..self.clone()
        }
    }

    /// Returns the account after an administrator has removed it. `None` for one that is not active: nothing is left to remove.
    #[must_use]
    pub fn removed(&self) -> Option<Self> {
        let status = match self.role {
            Role::ServiceAdministrator => AccountStatus::Retired,
            Role::Administrator => AccountStatus::Closed,
        };
        let is_active = self.status == AccountStatus::Active;
        is_active.then(|| Self { status, version: self.version + 1, ..self.clone() })
    }

    /// Returns whether failures can close the account to strangers.
    ///
    /// A temporary password cannot be guessed, so failures do not close its account. They do not close an account that has never signed
    /// in either: it knows no device and no network of its owner, so an attacker could lock the owner out.
    #[must_use]
    pub fn can_be_closed(&self) -> bool {
        let has_signed_in = self.role == Role::ServiceAdministrator || self.first_signed_in_at.is_some();
        self.temporary.is_none() && has_signed_in
    }
}

impl TypedPassword {
    /// Returns the text to hash and compare with the password of `account`. Without an account, the hash takes the same work.
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
    /// Parses a name by the rules of [`name::parse`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        name::parse(text).map(Self)
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AccountId {
    /// The number of characters of a ULID.
    const CHARACTERS: usize = 26;

    /// Parses an id. `None` for text that no account has as its id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_symbol = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
        (text.len() == Self::CHARACTERS && text.bytes().all(is_symbol)).then(|| Self(text.to_owned()))
    }

    /// Returns the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CreatedBy {
    /// Derives the value from a click of the account `account_id`.
    #[must_use]
    pub fn from_click(account_id: &str, idempotency_key: &str) -> Self {
        Self(encode(&digest(&[account_id.as_bytes(), idempotency_key.as_bytes()])))
    }

    /// Creates a value for a click without a key. If the answer to such a click is lost, a retry is another click.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(encode(&bytes))
    }

    /// Restores a stored value.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Returns 22 characters of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FormDigest {
    /// Returns the digest of a form.
    #[must_use]
    pub fn new(user_name: &UserName, display_name: &DisplayName, email: Option<&EmailAddress>) -> Self {
        let email = email.map(ToString::to_string).unwrap_or_default();
        Self(encode(&digest(&[user_name.as_str().as_bytes(), display_name.as_str().as_bytes(), email.as_bytes()])))
    }

    /// Restores a stored value.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Returns 22 characters of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn account(temporary: Option<i64>) -> Account {
        let until = |seconds| Temporary { issue: Some(Issue::FIRST), expires_at: at(seconds) };
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
    fn a_temporary_password_signs_in_until_the_second_of_its_expiry() {
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
    fn the_next_step_is_what_is_left_to_do() {
        assert_eq!(account(Some(60)).next(), Next::ResetPassword);
        assert_eq!(account(None).next(), Next::CreateAdministrator);
        assert_eq!(Account { role: Role::Administrator, ..account(None) }.next(), Next::Home);
    }

    /// Returns an administrator who has signed in.
    fn administrator(temporary: Option<i64>) -> Account {
        let until = |seconds| Temporary { issue: None, expires_at: at(seconds) };
        Account {
            role: Role::Administrator,
            temporary: temporary.map(until),
            first_signed_in_at: Some(at(0)),
            ..account(None)
        }
    }

    #[test]
    fn only_an_active_administrator_who_has_signed_in_and_has_a_password_of_their_own_is_proven() {
        assert!(administrator(None).is_proven());
        assert!(!administrator(Some(60)).is_proven(), "another person knows the password");
        assert!(!Account { first_signed_in_at: None, ..administrator(None) }.is_proven());
        assert!(!Account { role: Role::ServiceAdministrator, ..administrator(None) }.is_proven());
        for status in [AccountStatus::Retired, AccountStatus::Closed] {
            assert!(!Account { status, ..administrator(None) }.is_proven());
        }
    }

    #[test]
    fn a_reset_password_is_temporary_ends_sessions_and_opens_a_closed_account() {
        let hash = PasswordHash::from_phc("next".into());
        for status in [AccountStatus::Active, AccountStatus::Closed] {
            let known = Account { status, ..administrator(None) };
            let reset = known.reset(hash.clone(), at(60));
            assert_eq!((reset.status, reset.version), (AccountStatus::Active, known.version + 1));
            assert_eq!((&reset.password_hash, reset.next()), (&hash, Next::ResetPassword));
            assert_eq!(reset.temporary, Some(Temporary { issue: None, expires_at: at(60) }));
            assert_eq!((reset.first_signed_in_at, reset.is_proven()), (Some(at(0)), false));
        }
    }

    #[test]
    fn a_removed_account_is_closed_or_that_of_the_service_administrator_retired_and_its_sessions_end() {
        let removed = |account: Account| account.removed().map(|next| (next.status, next.version));
        assert_eq!(removed(administrator(Some(60))), Some((AccountStatus::Closed, 2)));
        assert_eq!(removed(account(Some(60))), Some((AccountStatus::Retired, 2)));
        for status in [AccountStatus::Retired, AccountStatus::Closed] {
            assert_eq!(removed(Account { status, ..account(None) }), None);
        }
    }

    #[test]
    fn an_account_id_is_a_ulid() {
        let id = "01KB7Z0M4Q8X2V5T6R9W3YHJDN";
        assert_eq!(AccountId::parse(id).as_ref().map(AccountId::as_str), Some(id));
        for bad in ["", "01K", &id[1..], &format!("{id}0"), &id.to_lowercase(), &id.replace('Z', "#")] {
            assert_eq!(AccountId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_an_account_that_has_signed_in_with_a_chosen_password_can_be_closed() {
        assert!(account(None).can_be_closed() && !account(Some(60)).can_be_closed());
        let administrator = |temporary| Account { role: Role::Administrator, ..account(temporary) };
        assert!(!administrator(None).can_be_closed(), "it has never signed in");
        let signed_in = |temporary| Account { first_signed_in_at: Some(at(0)), ..administrator(temporary) };
        assert!(signed_in(None).can_be_closed() && !signed_in(Some(60)).can_be_closed());
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
    fn a_display_name_is_one_line() {
        let name = |text: &str| DisplayName::parse(text).map(|name| name.0);
        assert_eq!(name(" Lee Ahmadi ").as_deref(), Some("Lee Ahmadi"));
        assert_eq!(name("\u{646}\u{200c}\u{627}\u{200e}").as_deref(), Some("\u{646}\u{200c}\u{627}"));
        assert!(name(&format!("Lee{}", "\u{1F600}".repeat(97))).is_some());
        for bad in ["", "  ", "a\nb", "a\u{202e}b", "\u{3164}", "www.evil.example/x", &"x".repeat(101)] {
            assert_eq!(name(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_click_is_identified_by_its_account_and_its_key() {
        assert_eq!(CreatedBy::from_click("a", "k"), CreatedBy::from_click("a", "k"));
        assert_ne!(CreatedBy::from_click("a", "k"), CreatedBy::from_click("b", "k"));
        assert_ne!(CreatedBy::from_click("a", "k"), CreatedBy::from_click("a", "l"));
        assert_ne!(CreatedBy::from_click("ab", "c"), CreatedBy::from_click("a", "bc"));
    }
}
