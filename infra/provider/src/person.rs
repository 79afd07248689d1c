//! The person that a token identifies.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use super::keys::Algorithm;

/// A person, in the format of the body of `POST /dev/token`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The client that the token is for; by default the first one, which is that of customers.
    #[serde(default)]
    pub client: Option<String>,
    /// The claim `email`.
    pub email: String,
    /// The claim `email_verified`; true by default.
    #[serde(default)]
    pub email_verified: Option<bool>,
    /// The claim `sub`; by default it is derived from the address, so that it is the same every time.
    #[serde(default)]
    pub subject: Option<String>,
    /// An object of additional claims. They override the claims above; null removes a claim.
    #[serde(default)]
    pub claims: Value,
    /// The signature algorithm, which selects the key; RS256 by default.
    #[serde(default)]
    pub alg: Option<Algorithm>,
}

impl Person {
    /// Creates a person with a verified address.
    #[must_use]
    pub fn with_email(email: &str) -> Self {
        Self { email: email.to_owned(), ..Self::default() }
    }

    /// Creates a person with a verified address, whose token is for a client.
    #[must_use]
    pub fn at_client(client: &str, email: &str) -> Self {
        Self { client: Some(client.to_owned()), ..Self::with_email(email) }
    }

    /// Returns the subject. Addresses that differ only in case have the same subject.
    pub(super) fn subject(&self) -> String {
        self.subject.clone().unwrap_or_else(|| {
            let digest = digest(&SHA256, self.email.to_ascii_lowercase().as_bytes());
            BASE64_URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16])
        })
    }
}
