//! Sessions of the Administration Center. The browser has a token; the table has only its digest.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::{Account, AccountStatus, SubscriptionId, Timestamp, UserName, opaque::OpaqueToken, text_enum};

/// The opaque token of a session: 256 random bits in base64url. It has no `Debug` and no `Serialize`, and is wiped when dropped.
pub struct SessionToken(OpaqueToken);

/// The SHA-256 of a token in base64url, which is what the table stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDigest(String);

text_enum! {
    /// The permissions of a session.
    pub enum Scope {
        /// The session may only choose a password, since it began with a temporary one.
        ResetPassword = "reset-password",
        /// The session may do everything that the account may do.
        Full = "full",
    }
}

/// A session of the Administration Center, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The name that signed in.
    pub user_name: UserName,
    /// The id of the account that signed in: the name can be given to another one after a purge. `None` for a session that began in
    /// version 0.1.0, which did not record it.
    pub account_id: Option<String>,
    /// The subscription that the account administers, which never changes.
    pub subscription: SubscriptionId,
    /// The account's version when it signed in.
    pub account_version: u64,
    /// The permissions of the session.
    pub scope: Scope,
    /// When the session expires.
    pub expires_at: Timestamp,
}

/// The lifetime of a full session: a working day. NIST SP 800-63B-4, 2.2.3, allows at most 24 hours at AAL2.
///
/// [`Session::authenticated_at`] follows from it. A release with a shorter one would make sessions of the release before look younger.
pub const LIFETIME: Duration = Duration::from_hours(12);

/// The lifetime of a session that only resets the password. After it, the user signs in again with the temporary password.
pub const RESET_LIFETIME: Duration = Duration::from_hours(1);

impl SessionToken {
    /// Creates a token from random bytes.
    #[must_use]
    pub fn new(random: &Zeroizing<[u8; 32]>) -> Self {
        Self(OpaqueToken::new(random))
    }

    /// Parses the value of a cookie. `None` if it cannot be a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        OpaqueToken::parse(text).map(Self)
    }

    /// Returns the token in plain text, for the cookie.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the digest to store.
    #[must_use]
    pub fn digest(&self) -> SessionDigest {
        SessionDigest(self.0.digest())
    }
}

impl SessionDigest {
    /// Returns 43 characters of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Session {
    /// Begins a session of `account` at its current version. A session from a temporary password expires no later than the password.
    #[must_use]
    pub fn begin(account: &Account, now: Timestamp) -> Self {
        let (scope, expires_at) = match account.temporary {
            Some(temporary) => (Scope::ResetPassword, now.plus(RESET_LIFETIME).min(temporary.expires_at)),
            None => (Scope::Full, now.plus(LIFETIME)),
        };
        Self {
            user_name: account.user_name.clone(),
            account_id: Some(account.account_id.clone()),
            subscription: account.subscription.clone(),
            account_version: account.version,
            scope,
            expires_at,
        }
    }

    /// Returns the session that replaces this one after `account`, which is its own, has chosen a password.
    #[must_use]
    pub fn after_change(&self, account: &Account, now: Timestamp) -> Self {
        Self {
            account_id: Some(account.account_id.clone()),
            account_version: self.account_version + 1,
            scope: Scope::Full,
            expires_at: now.plus(LIFETIME),
            ..self.clone()
        }
    }

    /// Returns when the owner signed in, or chose the password that the session goes on with. `None` for a session from a temporary password.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        (self.scope == Scope::Full).then(|| self.expires_at.minus(LIFETIME))
    }

    /// Returns whether the session is still valid, given the current state of its account.
    #[must_use]
    pub fn is_valid(&self, account: &Account, now: Timestamp) -> bool {
        now < self.expires_at
            && self.user_name == account.user_name
            && self.account_id.as_ref().is_none_or(|id| *id == account.account_id)
            && self.subscription == account.subscription
            && self.account_version == account.version
            && account.status == AccountStatus::Active
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the tokens that they make")]
mod tests {
    use super::*;
    use crate::account::tests::account;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    #[test]
    fn a_token_round_trips_and_its_digest_is_sha_256() {
        let token = SessionToken::new(&Zeroizing::new([7; 32]));
        let text = token.expose_secret().to_owned();
        let back = SessionToken::parse(&text).unwrap();
        assert_eq!(back.digest(), token.digest());
        assert!(!token.digest().as_str().contains(&text) && token.digest().as_str().len() == 43);
        // printf BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc | openssl dgst -sha256 -binary | basenc --base64url | tr -d =
        assert_eq!(token.digest().as_str(), "3Ev4DHdHPRMPoN6GukAY_pi7IUAF5qWJHRK6kURvnoE");
    }

    #[test]
    fn text_that_cannot_be_a_token_does_not_parse() {
        let good = "B".repeat(43);
        assert!(SessionToken::parse(&good).is_some());
        for bad in ["", &"B".repeat(42), &"B".repeat(44), &good.replace('B', "="), &format!("{}#", &good[1..])] {
            assert!(SessionToken::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_session_is_valid_for_its_time_its_version_and_an_active_account() {
        let account = account(None);
        let session = Session::begin(&account, at(0));
        let end = i64::try_from(LIFETIME.as_secs()).unwrap();
        assert!(session.is_valid(&account, at(end - 1)));
        assert!(!session.is_valid(&account, at(end)));
        assert!(!session.is_valid(&Account { version: 2, ..account.clone() }, at(0)));
        assert!(!session.is_valid(&Account { status: AccountStatus::Retired, ..account.clone() }, at(0)));
        let namesake = Account { account_id: "another".into(), ..account.clone() };
        assert!(!session.is_valid(&namesake, at(0)));
        assert!(Session { account_id: None, ..session.clone() }.is_valid(&account, at(0)), "of an earlier release");
        let other = UserName::parse("other@fabrikam").unwrap();
        assert!(!session.is_valid(&Account { user_name: other, ..account }, at(0)));
    }

    #[test]
    fn a_session_from_a_temporary_password_only_resets_it_and_ends_with_it() {
        let account_of_it = account(Some(60));
        let session = Session::begin(&account_of_it, at(0));
        assert_eq!((session.scope, session.expires_at), (Scope::ResetPassword, at(60)));
        let hour = i64::try_from(RESET_LIFETIME.as_secs()).unwrap();
        assert_eq!(Session::begin(&account(Some(1_000_000)), at(0)).expires_at, at(hour));
        assert_eq!(session.authenticated_at(), None);
        let after = Session { account_id: None, ..session.clone() }.after_change(&account_of_it, at(50));
        assert_eq!(after.account_id, session.account_id);
        assert_eq!(after.authenticated_at(), Some(at(50)));
        assert_eq!((after.scope, after.account_version), (Scope::Full, session.account_version + 1));
    }
}
