//! The public parts of the signing keys, as a JSON Web Key Set (RFC 7517).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use web::{Problem, ProblemCode, Reply};

use crate::{Provider, discovery::cached};

/// The public part of an RSA key, with its thumbprint (RFC 7638) as its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublishedKey {
    pub(crate) kid: String,
    /// The modulus, in base64url.
    pub(crate) n: String,
    /// The exponent, in base64url.
    pub(crate) e: String,
}

/// The tags of DER that a public key has.
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// The algorithm `rsaEncryption` with its parameter NULL (RFC 3279, 2.3.1), in DER.
const RSA_ENCRYPTION: [u8; 13] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

impl Provider {
    /// Answers with the keys, the one that signs first.
    pub(crate) async fn jwks(&self) -> Result<Reply, Problem> {
        let keys: Vec<Value> = self.keys().await?.iter().map(PublishedKey::to_jwk).collect();
        Ok(cached(web::json(StatusCode::OK, &json!({ "keys": keys }))))
    }

    /// Returns the keys in the order of the setting. They are read once, and after a failure again.
    pub(crate) async fn keys(&self) -> Result<&[PublishedKey], Problem> {
        self.keys.get_or_try_init(|| self.read_keys()).await.map(Vec::as_slice)
    }

    async fn read_keys(&self) -> Result<Vec<PublishedKey>, Problem> {
        let keys = self.signer.public_keys().await?;
        let keys = keys.iter().map(|key| PublishedKey::from_spki(key)).collect::<Option<_>>();
        keys.ok_or_else(|| Problem::new(ProblemCode::Internal).because("a signing key is not an RSA key"))
    }
}

impl PublishedKey {
    /// Parses a `SubjectPublicKeyInfo` in DER. `None` unless it is exactly that of an RSA key.
    pub(crate) fn from_spki(der: &[u8]) -> Option<Self> {
        let (algorithm, rest) = element(SEQUENCE, only_element(SEQUENCE, der)?)?;
        let (unused_bits, key) = only_element(BIT_STRING, rest)?.split_first()?;
        let (modulus, rest) = element(INTEGER, only_element(SEQUENCE, key)?)?;
        let exponent = only_element(INTEGER, rest)?;
        if algorithm != RSA_ENCRYPTION || *unused_bits != 0 {
            return None;
        }
        let [n, e] = [magnitude(modulus)?, magnitude(exponent)?].map(|bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes));
        Some(Self { kid: thumbprint(&n, &e), n, e })
    }

    fn to_jwk(&self) -> Value {
        json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": self.n, "e": self.e })
    }
}

/// Returns the thumbprint of an RSA key: a digest of its members in the order of the alphabet.
fn thumbprint(n: &str, e: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)))
}

/// Splits the first element off `bytes`, which must have this tag: its content, and what follows.
fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([given, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, shortest, rest) = match first {
        0..=0x7f => (usize::from(*first), 0, rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), 0x80, rest))?,
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), 0x100, rest)
        }
        _ => return None,
    };
    if *given != tag || length < shortest {
        return None;
    }
    rest.split_at_checked(length)
}

/// Returns the content of the only element.
fn only_element(tag: u8, bytes: &[u8]) -> Option<&[u8]> {
    element(tag, bytes).filter(|(_, rest)| rest.is_empty()).map(|(content, _)| content)
}

/// Returns the bytes of a positive integer, without the zero that keeps it positive.
fn magnitude(integer: &[u8]) -> Option<&[u8]> {
    match integer {
        [0, rest @ ..] => rest.first().is_some_and(|first| *first >= 0x80).then_some(rest),
        [first, ..] if *first < 0x80 => Some(integer),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_lc_rs::{
        encoding::{AsDer, PublicKeyX509Der},
        rsa::{KeyPair, KeySize},
        signature::KeyPair as _,
    };

    use super::*;

    /// Returns a new key and its public part, as KMS returns it.
    pub(crate) fn key(size: KeySize) -> (KeyPair, Vec<u8>) {
        let key = KeyPair::generate(size).unwrap();
        let der: PublicKeyX509Der = key.public_key().as_der().unwrap();
        let der = der.as_ref().to_vec();
        (key, der)
    }

    #[test]
    fn the_parts_of_a_public_key_are_read() {
        for (size, bytes) in [(KeySize::Rsa2048, 256), (KeySize::Rsa3072, 384)] {
            let (key, der) = key(size);
            let published = PublishedKey::from_spki(&der).unwrap();
            let modulus = key.public_key().modulus().big_endian_without_leading_zero();
            assert_eq!(published.n, BASE64_URL_SAFE_NO_PAD.encode(modulus));
            assert_eq!((modulus.len(), published.e.as_str()), (bytes, "AQAB"));
            assert_eq!(published.kid, thumbprint(&published.n, &published.e));
        }
    }

    #[test]
    fn a_key_that_is_cut_or_changed_or_has_more_behind_it_is_refused() {
        let (_, der) = key(KeySize::Rsa2048);
        for length in 0..der.len() {
            assert!(PublishedKey::from_spki(&der[..length]).is_none(), "{length}");
        }
        assert!(PublishedKey::from_spki(&[der.as_slice(), &[0]].concat()).is_none());
        // All that is before the modulus: its value begins at the byte 32.
        for at in 0..32 {
            let mut other = der.clone();
            other[at] ^= 1;
            assert!(PublishedKey::from_spki(&other).is_none(), "{at}");
        }
    }

    #[test]
    fn lengths_and_integers_are_in_their_shortest_form() {
        assert_eq!(element(INTEGER, &[2, 1, 7, 9]), Some((&[7][..], &[9][..])));
        for bytes in [&[2, 0x81, 1, 7][..], &[2, 0x82, 0, 1, 7], &[2, 0x80], &[2, 0x83, 0, 0, 1, 7], &[2, 2, 7], &[2]] {
            assert_eq!(element(INTEGER, bytes), None, "{bytes:?}");
        }
        assert_eq!((magnitude(&[0, 0x80]), magnitude(&[0x7f, 0])), (Some(&[0x80][..]), Some(&[0x7f, 0][..])));
        for bytes in [&[][..], &[0], &[0, 1], &[0x80]] {
            assert_eq!(magnitude(bytes), None, "{bytes:?}");
        }
    }

    /// The example of RFC 7638, 3.1.
    #[test]
    fn the_id_of_a_key_is_its_thumbprint() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs\
                 tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5ha\
                 jrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        assert_eq!(thumbprint(n, "AQAB"), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }
}
