//! The signing keys, one for each algorithm, and JSON Web Signatures made with them.
//!
//! There are several keys so that tests catch a verifier that ignores `kid` or takes the first key that it finds.

use std::{fs, io, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsDer as _, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{TokenOddities, merge};

const FILE: &str = "oidc-keys.json";

/// A signature algorithm of RFC 7518 or RFC 8037 for which the provider has a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2048 bits.
    #[default]
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];
}

#[derive(Debug)]
pub(super) struct Keys {
    rsa: RsaKeyPair,
    ecdsa: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

/// The file of the private keys, in PKCS #8 and base64url.
#[derive(Serialize, Deserialize)]
struct File {
    rs256: String,
    es256: String,
    /// The key of Ed25519. Files of version 0.1.0 lack it.
    #[serde(default)]
    ed25519: Option<String>,
}

impl Keys {
    pub(super) fn generate() -> io::Result<Self> {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).map_err(io::Error::other)?;
        let ecdsa = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(io::Error::other)?;
        let ed25519 = Ed25519KeyPair::generate().map_err(io::Error::other)?;
        Ok(Self { rsa, ecdsa, ed25519 })
    }

    /// Reads the keys of an earlier start, or generates keys and writes them for the next start.
    pub(super) fn read_or_generate(directory: &Path) -> io::Result<Self> {
        let path = directory.join(FILE);
        let with_path = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        match fs::read(&path) {
            Ok(text) => Self::parse(&text)
                .and_then(|(keys, is_complete)| {
                    if !is_complete {
                        fs::write(&path, keys.to_file()?)?;
                    }
                    Ok(keys)
                })
                .map_err(with_path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let keys = Self::generate()?;
                fs::create_dir_all(directory).and_then(|()| keys.write(&path)).map_err(with_path)?;
                Ok(keys)
            }
            Err(error) => Err(with_path(error)),
        }
    }

    pub(super) fn jwks(&self, odd: &TokenOddities) -> Value {
        let published = odd.published.as_deref().unwrap_or(&Algorithm::ALL);
        let keys = published.iter().map(|algorithm| {
            let mut key = self.jwk(*algorithm);
            merge(&mut key, &odd.key);
            key
        });
        json!({ "keys": keys.collect::<Vec<_>>() })
    }

    pub(super) fn sign(&self, algorithm: Algorithm, headers: &[&Value], claims: &Value) -> String {
        let kid = self.jwk(algorithm)["kid"].clone();
        let mut full = json!({ "alg": algorithm, "typ": "JWT", "kid": kid });
        for header in headers {
            merge(&mut full, header);
        }
        let signed = format!("{}.{}", base64(full.to_string()), base64(claims.to_string()));
        let signature = self.signature(algorithm, signed.as_bytes());
        format!("{signed}.{}", base64(signature))
    }

    fn signature(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match algorithm {
            Algorithm::Rs256 => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa
                    .sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("the signature is as long as the modulus");
                signature
            }
            Algorithm::Es256 => {
                let signature = self.ecdsa.sign(&random, message);
                signature.expect("the key belongs to this algorithm").as_ref().to_vec()
            }
            Algorithm::EdDsa => self.ed25519.sign(message).as_ref().to_vec(),
        }
    }

    /// Returns the public key in the format of RFC 7517; its `kid` is the thumbprint of RFC 7638.
    fn jwk(&self, algorithm: Algorithm) -> Value {
        let (mut jwk, canonical) = match algorithm {
            Algorithm::Rs256 => {
                let key = self.rsa.public_key();
                let n = base64(key.modulus().big_endian_without_leading_zero());
                let e = base64(key.exponent().big_endian_without_leading_zero());
                let canonical = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
                (json!({ "kty": "RSA", "n": n, "e": e }), canonical)
            }
            Algorithm::Es256 => {
                // The uncompressed point: the byte 4, then both coordinates.
                let (x, y) = self.ecdsa.public_key().as_ref()[1..].split_at(32);
                let (x, y) = (base64(x), base64(y));
                let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
                (json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y }), canonical)
            }
            Algorithm::EdDsa => {
                let x = base64(self.ed25519.public_key());
                let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
                (json!({ "kty": "OKP", "crv": "Ed25519", "x": x }), canonical)
            }
        };
        let kid = base64(digest(&SHA256, canonical.as_bytes()));
        merge(&mut jwk, &json!({ "kid": kid, "alg": algorithm, "use": "sig" }));
        jwk
    }

    /// Parses the file. Returns the keys, and whether the file has all of them; a missing one is generated.
    fn parse(text: &[u8]) -> io::Result<(Self, bool)> {
        let file: File = serde_json::from_slice(text)?;
        let der = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(io::Error::other);
        let rsa = RsaKeyPair::from_pkcs8(&der(&file.rs256)?).map_err(io::Error::other)?;
        let ecdsa = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der(&file.es256)?);
        let ed25519 = match &file.ed25519 {
            Some(text) => Ed25519KeyPair::from_pkcs8(&der(text)?).map_err(io::Error::other)?,
            None => Ed25519KeyPair::generate().map_err(io::Error::other)?,
        };
        Ok((Self { rsa, ecdsa: ecdsa.map_err(io::Error::other)?, ed25519 }, file.ed25519.is_some()))
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let text = self.to_file()?;
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(&text)
    }

    fn to_file(&self) -> io::Result<Vec<u8>> {
        let rsa: Pkcs8V1Der<'static> = self.rsa.as_der().map_err(io::Error::other)?;
        let ecdsa = self.ecdsa.to_pkcs8v1().map_err(io::Error::other)?;
        let ed25519 = Some(base64(self.ed25519.to_pkcs8().map_err(io::Error::other)?));
        Ok(serde_json::to_vec(&File { rs256: base64(rsa.as_ref()), es256: base64(ecdsa), ed25519 })?)
    }
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
