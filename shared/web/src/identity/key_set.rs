//! The keys of a provider, by id and algorithm. The token names both, and the key must match the algorithm.

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use super::Refused;

const RSA: [Algorithm; 6] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];

/// The keys of a provider that can verify a signature.
pub(super) struct KeySet(Vec<Jwk>);

impl KeySet {
    /// Parses a JWK set (RFC 7517, 5) without its unsupported keys and those without an id. `None` if no key is left.
    pub(super) fn parse(document: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(document).ok()?;
        let keys = document.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let usable: Vec<Jwk> = keys.filter(|key| key.common.key_id.is_some() && is_for_signatures(key)).collect();
        (!usable.is_empty()).then_some(Self(usable))
    }

    /// Returns whether there is a key with that id.
    pub(super) fn contains(&self, id: &str) -> bool {
        self.with_id(id).next().is_some()
    }

    /// Returns the key with that id, if it is for that algorithm.
    pub(super) fn key(&self, id: &str, algorithm: Algorithm) -> Result<DecodingKey, Refused> {
        let key =
            self.with_id(id).find(|key| is_for(key, algorithm)).ok_or(Refused("the key is of another algorithm"))?;
        DecodingKey::from_jwk(key).map_err(|_| Refused("the key is not readable"))
    }

    fn with_id(&self, id: &str) -> impl Iterator<Item = &Jwk> {
        self.0.iter().filter(move |key| key.common.key_id.as_deref() == Some(id))
    }
}

/// Returns whether ID tokens may be signed with this algorithm: one of RFC 7518, 3.1, with a public key, as providers use them. `none` and
/// the algorithms with a shared secret are refused, since an attacker could use the public key as that secret.
pub(super) fn is_accepted(algorithm: Algorithm) -> bool {
    RSA.contains(&algorithm) || matches!(algorithm, Algorithm::ES256 | Algorithm::ES384)
}

fn is_for_signatures(key: &Jwk) -> bool {
    let common = &key.common;
    common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|allowed| allowed.contains(&KeyOperations::Verify))
}

/// Returns whether type, curve and `alg` of the key match the algorithm. Entra's keys have no `alg`.
fn is_for(key: &Jwk, algorithm: Algorithm) -> bool {
    let fits = match &key.algorithm {
        AlgorithmParameters::RSA(_) => RSA.contains(&algorithm),
        AlgorithmParameters::EllipticCurve(key) => matches!(
            (&key.curve, algorithm),
            (EllipticCurve::P256, Algorithm::ES256) | (EllipticCurve::P384, Algorithm::ES384)
        ),
        _ => false,
    };
    fits && key.common.key_algorithm.is_none_or(|given| given == KeyAlgorithm::from(algorithm))
}
