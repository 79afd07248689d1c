//! Random tokens that a browser keeps in a cookie, and of which the table has only a digest.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::digest::encode;

/// 256 random bits in base64url. It has no `Debug` and no `Serialize`, and is wiped when dropped.
pub(crate) struct OpaqueToken(Zeroizing<String>);

impl OpaqueToken {
    /// The length of 32 bytes in base64url.
    const CHARACTERS: usize = 43;

    pub(crate) fn new(random: &Zeroizing<[u8; 32]>) -> Self {
        Self(Zeroizing::new(encode(random.as_slice())))
    }

    /// Parses the value of a cookie. `None` if it cannot be a token.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let valid = text.len() == Self::CHARACTERS
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        valid.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns its SHA-256 in base64url, 43 characters.
    pub(crate) fn digest(&self) -> String {
        encode(&Sha256::digest(self.0.as_bytes()))
    }
}
