//! Random bytes from the operating system, and the ids and tokens that are made of them.

use domain::{AccessToken, AuthorizationCode, DeviceToken, SessionToken, Timestamp};
use ulid::Ulid;
use zeroize::Zeroizing;

/// Fills `bytes` from the operating system's generator.
///
/// # Panics
///
/// When the operating system gives no random bytes: the invocation fails, since bytes that can be guessed must not be used.
pub fn random(bytes: &mut [u8]) {
    #[expect(clippy::expect_used, reason = "a password made of anything else must not exist")]
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

/// Returns an array of random bytes.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    random(&mut bytes);
    bytes
}

/// Returns the id of a new account, a ULID: it is never reused, and products know the account by it.
#[must_use]
pub fn account_id(now: Timestamp) -> String {
    let milliseconds = u64::try_from(now.epoch_seconds()).unwrap_or_default() * 1000;
    Ulid::from_parts(milliseconds, u128::from_be_bytes(random_bytes())).to_string()
}

/// Returns the token of a new session.
#[must_use]
pub fn session_token() -> SessionToken {
    SessionToken::new(&secret_bytes())
}

/// Returns the token of a browser that has none yet.
#[must_use]
pub fn device_token() -> DeviceToken {
    DeviceToken::new(&secret_bytes())
}

/// Returns a new authorization code for the product.
#[must_use]
pub fn authorization_code() -> AuthorizationCode {
    AuthorizationCode::new(&secret_bytes())
}

/// Returns a new access token for the product.
#[must_use]
pub fn access_token() -> AccessToken {
    AccessToken::new(&secret_bytes())
}

fn secret_bytes() -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    random(bytes.as_mut_slice());
    bytes
}
