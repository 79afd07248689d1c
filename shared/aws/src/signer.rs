//! The signatures of ID tokens, by KMS. The private keys never leave it.

use aws_sdk_kms::{
    Client,
    config::Config,
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use aws_types::SdkConfig;

use crate::{Failure, connection::no_bucket};

/// Signs with the first of its keys, and gives the public parts of all.
pub struct Signer {
    client: Client,
    keys: SigningKeys,
}

/// The ids, ARNs or aliases of one or two RSA keys for signatures. The first one signs. What it signed before stays verifiable while it is the
/// second one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeys(Vec<String>);

/// The public part of a key: a `SubjectPublicKeyInfo` in DER.
pub type PublicKeyDer = Vec<u8>;

impl SigningKeys {
    /// Parses a list with commas. `None` unless it has one key or two.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let keys: Vec<String> = text.split(',').map(|key| key.trim().to_owned()).collect();
        ((1..=2).contains(&keys.len()) && keys.iter().all(|key| !key.is_empty())).then_some(Self(keys))
    }
}

impl Signer {
    /// Returns the signer with these keys.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "here the client is built, once, from the one configuration")]
    pub fn new(config: &SdkConfig, keys: SigningKeys) -> Self {
        let config = Config::from(config).to_builder().retry_partition(no_bucket()).build();
        Self { client: Client::from_conf(config), keys }
    }

    /// Reads the public parts of all keys at once, in the order of the setting.
    pub async fn public_keys(&self) -> Result<Vec<PublicKeyDer>, Failure> {
        futures_util::future::try_join_all(self.keys.0.iter().map(|key| self.public_key(key))).await
    }

    async fn public_key(&self, key: &str) -> Result<PublicKeyDer, Failure> {
        const OPERATION: &str = "kms GetPublicKey";
        let answer = self.client.get_public_key().key_id(key).send().await;
        let answer = answer.map_err(|error| Failure::from_sdk(OPERATION, &error))?;
        let key = answer.public_key.ok_or_else(|| Failure::unreadable(OPERATION, "public key"))?;
        Ok(key.into_inner())
    }

    /// Signs a SHA-256 with the first key: RSASSA-PKCS1-v1_5, which JSON Web Signatures call RS256.
    pub async fn sign(&self, digest: &[u8; 32]) -> Result<Vec<u8>, Failure> {
        const OPERATION: &str = "kms Sign";
        let first = self.keys.0.first().ok_or_else(|| Failure::unreadable(OPERATION, "keys"))?;
        let request = self
            .client
            .sign()
            .key_id(first)
            .message(Blob::new(*digest))
            // A message itself may have 4096 bytes, fewer than a token with long names.
            .message_type(MessageType::Digest)
            .signing_algorithm(SigningAlgorithmSpec::RsassaPkcs1V15Sha256);
        let answer = request.send().await.map_err(|error| Failure::from_sdk(OPERATION, &error))?;
        let signature = answer.signature.ok_or_else(|| Failure::unreadable(OPERATION, "signature"))?;
        Ok(signature.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_one_or_two_keys() {
        assert_eq!(SigningKeys::parse("a, b"), Some(SigningKeys(vec!["a".into(), "b".into()])));
        assert!(SigningKeys::parse("alias/one").is_some());
        for text in ["", ",", "a,", "a,b,c"] {
            assert_eq!(SigningKeys::parse(text), None, "{text}");
        }
    }
}
