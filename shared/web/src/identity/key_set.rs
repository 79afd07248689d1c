//! The keys of a provider, by id and algorithm. The token names both, and the key must match the algorithm.

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use super::TokenRefusal;

const RSA: [Algorithm; 6] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];

/// The keys of a provider that can verify a signature.
pub(super) struct KeySet(Vec<Jwk>);

impl KeySet {
    /// Parses a JWK set (RFC 7517, 5) without the keys that verify no token. `None` if no key is left.
    pub(super) fn parse(document: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(document).ok()?;
        let keys = document.keys.into_iter().map(with_known_algorithm);
        let keys = keys.filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let usable: Vec<Jwk> = keys.filter(|key| is_supported(key) && is_for_signatures(key)).collect();
        (!usable.is_empty()).then_some(Self(usable))
    }

    /// Returns whether there is a key for a token that names this key, or none.
    pub(super) fn contains(&self, id: Option<&str>) -> bool {
        self.named(id).next().is_some()
    }

    /// Returns the key for a token that names this key, or none, if the key is for that algorithm.
    pub(super) fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, TokenRefusal> {
        let key = self.named(id).find(|key| is_for(key, algorithm)).ok_or(TokenRefusal::KeyOfAnotherAlgorithm)?;
        DecodingKey::from_jwk(key).map_err(|_| TokenRefusal::UnreadableKey)
    }

    /// Returns the keys with that id. Without an id it is the only key, if there is only one (OpenID Connect Core, 10.1).
    fn named(&self, id: Option<&str>) -> impl Iterator<Item = &Jwk> {
        let is_only = self.0.len() == 1;
        self.0.iter().filter(move |key| match id {
            Some(id) => key.common.key_id.as_deref() == Some(id),
            None => is_only,
        })
    }
}

/// Returns whether ID tokens may be signed with this algorithm: one of RFC 7518, 3.1, or RFC 8037, with a public key, as providers use them.
/// `none` and the algorithms with a shared secret are refused, since an attacker could use the public key as that secret.
pub(super) fn is_accepted(algorithm: Algorithm) -> bool {
    RSA.contains(&algorithm) || matches!(algorithm, Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA)
}

/// Returns the key with the name that its algorithm had before RFC 9864, which calls `EdDSA` with the curve Ed25519 `Ed25519`.
fn with_known_algorithm(mut key: Value) -> Value {
    if key["alg"] == "Ed25519" && key["crv"] == "Ed25519" {
        key["alg"] = "EdDSA".into();
    }
    key
}

fn is_supported(key: &Jwk) -> bool {
    let others = [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];
    RSA.into_iter().chain(others).any(|algorithm| fits(key, algorithm))
}

fn is_for_signatures(key: &Jwk) -> bool {
    let common = &key.common;
    common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|allowed| allowed.contains(&KeyOperations::Verify))
}

/// Returns whether type, curve and `alg` of the key match the algorithm. Entra's keys have no `alg`.
fn is_for(key: &Jwk, algorithm: Algorithm) -> bool {
    fits(key, algorithm) && key.common.key_algorithm.is_none_or(|given| given == KeyAlgorithm::from(algorithm))
}

/// Returns whether type and curve of the key match the algorithm.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    match &key.algorithm {
        AlgorithmParameters::RSA(_) => RSA.contains(&algorithm),
        AlgorithmParameters::EllipticCurve(key) => matches!(
            (&key.curve, algorithm),
            (EllipticCurve::P256, Algorithm::ES256) | (EllipticCurve::P384, Algorithm::ES384)
        ),
        AlgorithmParameters::OctetKeyPair(key) => {
            (&key.curve, algorithm) == (&EllipticCurve::Ed25519, Algorithm::EdDSA)
        }
        _ => false,
    }
}
