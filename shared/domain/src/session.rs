//! Sessions of the Administration Center: a token that is handed out, a digest that is kept.

use std::time::Duration;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{Account, AccountStatus, SubscriptionId, Timestamp, UserName, digest::encode};

/// 256 random bits, in base64url. Neither shown by `Debug` nor serialized; wiped when dropped.
pub struct SessionToken(Zeroizing<String>);

/// What is kept of a token: its SHA-256, in base64url.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDigest(String);

/// What a session may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Choose a password, and nothing else: it was begun with a temporary one.
    ResetPassword,
    /// Everything that its account may.
    Full,
}

/// A session as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub user_name: UserName,
    /// What that account administers; an account never changes it.
    pub subscription: SubscriptionId,
    /// The account's version when it signed in.
    pub account_version: u64,
    /// What it may do.
    pub scope: Scope,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// A working day. NIST SP 800-63B-4, 2.2.3, asks for 24 hours at most where more than a password protects.
pub const LIFETIME: Duration = Duration::from_hours(12);

/// Long enough to choose a password; who takes longer signs in again with the temporary one.
pub const RESET_LIFETIME: Duration = Duration::from_hours(1);

impl SessionToken {
    /// A new one.
    #[must_use]
    pub fn new(random: &Zeroizing<[u8; 32]>) -> Self {
        Self(Zeroizing::new(encode(random.as_slice())))
    }

    /// As a cookie brought it back; `None` for what was never one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let valid = text.len() == Self::CHARACTERS
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        valid.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// 32 bytes in base64url.
    const CHARACTERS: usize = 43;

    /// For the cookie.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    /// What is kept.
    #[must_use]
    pub fn digest(&self) -> SessionDigest {
        SessionDigest(encode(&Sha256::digest(self.0.as_bytes())))
    }
}

impl SessionDigest {
    /// 43 characters of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scope {
    /// As it is kept.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset-password",
            Self::Full => "full",
        }
    }

    /// As it was kept.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::ResetPassword, Self::Full].into_iter().find(|scope| scope.as_str() == text)
    }
}

impl Session {
    /// A session of `account` as it is. One from a temporary password ends with that password.
    #[must_use]
    pub fn begin(account: &Account, now: Timestamp) -> Self {
        let (scope, expires_at) = match account.temporary {
            Some(temporary) => (Scope::ResetPassword, now.plus(RESET_LIFETIME).min(temporary.expires_at)),
            None => (Scope::Full, now.plus(LIFETIME)),
        };
        Self {
            user_name: account.user_name.clone(),
            subscription: account.subscription.clone(),
            account_version: account.version,
            scope,
            expires_at,
        }
    }

    /// The session that follows this one's choice of a password.
    #[must_use]
    pub fn after_change(&self, now: Timestamp) -> Self {
        let account_version = self.account_version + 1;
        Self { account_version, scope: Scope::Full, expires_at: now.plus(LIFETIME), ..self.clone() }
    }

    /// Whether it still is one, `account` being its account as of this moment.
    #[must_use]
    pub fn is_good(&self, account: &Account, now: Timestamp) -> bool {
        now < self.expires_at
            && self.user_name == account.user_name
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
    fn a_token_comes_back_as_it_went_and_its_digest_is_sha_256() {
        let token = SessionToken::new(&Zeroizing::new([7; 32]));
        let text = token.expose_secret().to_owned();
        let back = SessionToken::parse(&text).unwrap();
        assert_eq!(back.digest(), token.digest());
        assert!(!token.digest().as_str().contains(&text) && token.digest().as_str().len() == 43);
        // printf BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc | openssl dgst -sha256 -binary | basenc --base64url | tr -d =
        assert_eq!(token.digest().as_str(), "3Ev4DHdHPRMPoN6GukAY_pi7IUAF5qWJHRK6kURvnoE");
    }

    #[test]
    fn what_is_no_token_is_not_looked_up() {
        let good = "B".repeat(43);
        assert!(SessionToken::parse(&good).is_some());
        for bad in ["", &"B".repeat(42), &"B".repeat(44), &good.replace('B', "="), &format!("{}#", &good[1..])] {
            assert!(SessionToken::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_session_is_good_for_its_time_its_version_and_an_active_account() {
        let account = account(None);
        let session = Session::begin(&account, at(0));
        let end = i64::try_from(LIFETIME.as_secs()).unwrap();
        assert!(session.is_good(&account, at(end - 1)));
        assert!(!session.is_good(&account, at(end)));
        assert!(!session.is_good(&Account { version: 2, ..account.clone() }, at(0)));
        assert!(!session.is_good(&Account { status: AccountStatus::Retired, ..account.clone() }, at(0)));
        let other = UserName::parse("other@fabrikam").unwrap();
        assert!(!session.is_good(&Account { user_name: other, ..account }, at(0)));
    }

    #[test]
    fn a_session_from_a_temporary_password_only_resets_it_and_ends_with_it() {
        let session = Session::begin(&account(Some(60)), at(0));
        assert_eq!((session.scope, session.expires_at), (Scope::ResetPassword, at(60)));
        let hour = i64::try_from(RESET_LIFETIME.as_secs()).unwrap();
        assert_eq!(Session::begin(&account(Some(1_000_000)), at(0)).expires_at, at(hour));
        let after = session.after_change(at(50));
        assert_eq!((after.scope, after.account_version), (Scope::Full, session.account_version + 1));
    }
}
