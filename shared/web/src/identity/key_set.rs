//! The keys of a provider, by id and algorithm. The token names both, and the key must match the algorithm.

use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::TokenRefusal;

const RSA: [Algorithm; 6] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];

/// The keys of a provider that can verify a signature, ready to do so.
pub(super) struct KeySet(Vec<Key>);

struct Key {
    id: Option<String>,
    /// The algorithms that the key is for.
    algorithms: &'static [Algorithm],
    decoding: Arc<DecodingKey>,
}

/// A public key as a provider publishes it (RFC 7517, 4), with the members that verification needs.
#[derive(Deserialize, Serialize)]
struct PublicKey {
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    used_for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_ops: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(flatten)]
    material: Material,
}

/// The numbers of a key (RFC 7518, 6, and RFC 8037, 2).
#[derive(Deserialize, Serialize)]
#[serde(tag = "kty")]
enum Material {
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
    #[serde(rename = "EC")]
    Ec { crv: Curve, x: String, y: String },
    #[serde(rename = "OKP")]
    Okp { crv: EdwardsCurve, x: String },
}

#[derive(Deserialize, Serialize)]
enum Curve {
    #[serde(rename = "P-256")]
    P256,
    #[serde(rename = "P-384")]
    P384,
}

#[derive(Deserialize, Serialize)]
enum EdwardsCurve {
    Ed25519,
}

impl KeySet {
    /// Parses a JWK set (RFC 7517, 5) without the keys that verify no token. `None` if no token can mean one that is left.
    pub(super) fn parse(document: &str) -> Option<Self> {
        let set = Self(public_keys(document.as_bytes()).filter_map(|key| Key::new(&key)).collect());
        let is_usable = set.0.iter().any(|key| set.contains(key.id.as_deref()));
        is_usable.then_some(set)
    }

    /// Returns whether there is a key for a token that names this key, or none.
    pub(super) fn contains(&self, id: Option<&str>) -> bool {
        self.named(id).next().is_some()
    }

    /// Returns the key for a token that names this key, or none, if the key is for that algorithm.
    pub(super) fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&Arc<DecodingKey>, TokenRefusal> {
        let key = self.named(id).find(|key| key.algorithms.contains(&algorithm));
        key.map(|key| &key.decoding).ok_or(TokenRefusal::KeyOfAnotherAlgorithm)
    }

    /// Returns the keys with that id. Without an id it is the only key, if there is only one (OpenID Connect Core, 10.1).
    fn named(&self, id: Option<&str>) -> impl Iterator<Item = &Key> {
        let is_only = self.0.len() == 1;
        self.0.iter().filter(move |key| match id {
            Some(id) => key.id.as_deref() == Some(id),
            None => is_only,
        })
    }
}

impl Key {
    /// Returns the key ready for use. `None` if it verifies no token.
    fn new(key: &PublicKey) -> Option<Self> {
        if !key.is_for_signatures() {
            return None;
        }
        let (algorithms, decoding): (&'static [Algorithm], _) = match &key.material {
            Material::Rsa { n, e } => (&RSA, rsa(n, e)?),
            Material::Ec { crv: Curve::P256, x, y } => {
                (&[Algorithm::ES256], point(&ECDSA_P256_SHA256_FIXED, DecodingKey::from_ec_components(x, y).ok()?)?)
            }
            Material::Ec { crv: Curve::P384, x, y } => {
                (&[Algorithm::ES384], point(&ECDSA_P384_SHA384_FIXED, DecodingKey::from_ec_components(x, y).ok()?)?)
            }
            Material::Okp { crv: EdwardsCurve::Ed25519, x } => {
                (&[Algorithm::EdDSA], point(&ED25519, DecodingKey::from_ed_components(x).ok()?)?)
            }
        };
        let algorithms = match key.alg.as_deref() {
            // Entra's keys have none.
            None => algorithms,
            Some(name) => only(algorithms, name)?,
        };
        Some(Self { id: key.kid.clone(), algorithms, decoding: Arc::new(decoding) })
    }
}

/// Returns an RSA key of 2048 to 8192 bits with odd numbers. With any other the library verifies nothing, and neither with leading zeros, which
/// some providers publish although RFC 7518, 6.3.1, forbids them.
fn rsa(n: &str, e: &str) -> Option<DecodingKey> {
    let (n, e) = (number(n)?, number(e)?);
    let bits = 8 * n.len() - usize::try_from(n.first()?.leading_zeros()).ok()?;
    let is_usable = (2048..=8192).contains(&bits) && is_odd(&n) && is_odd(&e) && e.len() <= 4 && e != [1];
    is_usable.then(|| DecodingKey::from_rsa_raw_components(&n, &e))
}

/// Decodes a number without its leading zeros.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|byte| byte % 2 == 1)
}

/// Returns the key if it is one for this algorithm: of the right size, and on its curve.
fn point(algorithm: &'static dyn VerificationAlgorithm, key: DecodingKey) -> Option<DecodingKey> {
    ParsedPublicKey::new(algorithm, key.try_get_as_bytes().ok()?).ok()?;
    Some(key)
}

impl PublicKey {
    fn is_for_signatures(&self) -> bool {
        self.used_for.as_ref().is_none_or(|used_for| used_for == "sig")
            && self.key_ops.as_ref().is_none_or(|allowed| allowed.iter().any(|operation| operation == "verify"))
    }
}

/// Returns the one of `algorithms` that a key names as its own. RFC 9864 calls `EdDSA` with the curve Ed25519 `Ed25519`.
fn only(algorithms: &'static [Algorithm], name: &str) -> Option<&'static [Algorithm]> {
    let name = if name == "Ed25519" { "EdDSA" } else { name };
    let own = name.parse().ok()?;
    algorithms.iter().position(|algorithm| *algorithm == own).map(|at| &algorithms[at..=at])
}

/// Returns the keys of a JWK set that have a supported type. A key that cannot be read is left out.
fn public_keys(document: &[u8]) -> impl Iterator<Item = PublicKey> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<Value>,
    }
    let keys = serde_json::from_slice::<Document>(document).map_or_else(|_| Vec::new(), |document| document.keys);
    keys.into_iter().filter_map(|key| serde_json::from_value(key).ok())
}

/// Returns a JWK set with the keys of `document` that verify tokens, and with nothing of them that verification does not need. `None` if
/// [`KeySet::parse`] would have none.
pub(super) fn reduced(document: &[u8]) -> Option<String> {
    let keys: Vec<PublicKey> = public_keys(document).filter(|key| Key::new(key).is_some()).collect();
    let reduced = json!({ "keys": keys }).to_string();
    KeySet::parse(&reduced).is_some().then_some(reduced)
}

/// Returns whether ID tokens may be signed with this algorithm: one of RFC 7518, 3.1, or RFC 8037, with a public key, as providers use them.
/// `none` and the algorithms with a shared secret are refused, since an attacker could use the public key as that secret.
pub(super) fn is_accepted(algorithm: Algorithm) -> bool {
    RSA.contains(&algorithm) || matches!(algorithm, Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA)
}
