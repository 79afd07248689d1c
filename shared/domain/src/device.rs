//! Devices: browsers that an account has signed in from. The browser has a token; the table has only its digest.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::opaque::OpaqueToken;

/// The token of a browser: 256 random bits in base64url. A browser has one for all accounts. It grants nothing: it only says which budget
/// an attempt to sign in spends. It has no `Debug` and no `Serialize`, and is wiped when dropped.
pub struct DeviceToken(OpaqueToken);

/// The SHA-256 of a token in base64url, which is what the table stores.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceDigest(String);

/// How long an account knows a device after the last sign-in from it, and how long the browser keeps the token. Browsers keep no cookie for
/// longer than 400 days (RFC 6265bis, 5.5).
pub const REMEMBERED: Duration = Duration::from_hours(400 * 24);

/// The largest number of devices that an account knows. The one that has not been used for the longest time is forgotten first.
pub const MOST: usize = 10;

impl DeviceToken {
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
    pub fn digest(&self) -> DeviceDigest {
        DeviceDigest(self.0.digest())
    }
}

impl DeviceDigest {
    /// Returns 43 characters of base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the tokens that they make")]
mod tests {
    use super::*;

    #[test]
    fn a_device_token_round_trips_and_its_digest_is_sha_256() {
        let token = DeviceToken::new(&Zeroizing::new([7; 32]));
        let back = DeviceToken::parse(token.expose_secret()).unwrap();
        assert_eq!(back.digest(), token.digest());
        // printf BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc | openssl dgst -sha256 -binary | basenc --base64url | tr -d =
        assert_eq!(token.digest().as_str(), "3Ev4DHdHPRMPoN6GukAY_pi7IUAF5qWJHRK6kURvnoE");
        assert!(DeviceToken::parse("not a token").is_none());
    }
}
