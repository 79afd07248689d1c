//! The metadata of identity providers: the endpoints and public keys of an issuer.

use sha2::{Digest, Sha256};

use crate::{Timestamp, digest::encode};

/// The OpenID Provider Metadata of an issuer with the keys that it publishes, both cut to what verifiers use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderMetadata {
    /// The issuer, as in its discovery document.
    pub issuer: String,
    /// The discovery document, as JSON.
    pub discovery: String,
    /// The JWK set (RFC 7517, 5), as JSON. It holds public keys that verify ID tokens, and nothing else.
    pub key_set: String,
    /// The time just before both were requested.
    pub fetched_at: Timestamp,
}

/// The SHA-256 of an issuer, which is in the key of its item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerDigest(String);

impl IssuerDigest {
    /// Returns the digest of an issuer.
    #[must_use]
    pub fn new(issuer: &str) -> Self {
        Self(encode(&Sha256::digest(issuer.as_bytes())))
    }

    /// Returns the digest in base64url, 43 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_that_differ_in_one_character_have_different_digests() {
        let digest = IssuerDigest::new("https://login.contoso.example");
        assert_eq!(digest.as_str().len(), 43);
        assert_ne!(digest, IssuerDigest::new("https://login.contoso.example/"));
        assert_eq!(IssuerDigest::new("").as_str(), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    }
}
