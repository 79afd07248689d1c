//! Who a token is about.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use super::keys::Algorithm;

/// Somebody as they describe themselves to `POST /dev/token`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The claim `email`.
    pub email: String,
    /// The claim `email_verified`; true unless given.
    #[serde(default)]
    pub email_verified: Option<bool>,
    /// The claim `sub`; made from the address unless given, the same one every time.
    #[serde(default)]
    pub subject: Option<String>,
    /// More claims, an object; they win over the ones above, and null takes one away.
    #[serde(default)]
    pub claims: Value,
    /// Which of the two keys signs; RS256 unless given.
    #[serde(default)]
    pub alg: Option<Algorithm>,
}

impl Person {
    /// Somebody with a verified address.
    #[must_use]
    pub fn with_email(email: &str) -> Self {
        Self { email: email.to_owned(), ..Self::default() }
    }

    /// Spellings of one address that differ in case alone are one account.
    pub(super) fn subject(&self) -> String {
        self.subject.clone().unwrap_or_else(|| {
            let digest = digest(&SHA256, self.email.to_ascii_lowercase().as_bytes());
            BASE64_URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16])
        })
    }
}
