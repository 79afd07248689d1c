//! Random bytes.

/// Fills `bytes` from the operating system's generator.
///
/// # Panics
///
/// When the operating system has none to give: nothing may go on with bytes that can be guessed. The invocation fails.
pub fn random(bytes: &mut [u8]) {
    #[expect(clippy::expect_used, reason = "a password made of anything else must not exist")]
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}

/// An array of them.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    random(&mut bytes);
    bytes
}
