//! Tests of the whole verifier with signed tokens, and with a provider on this machine.

mod fakes;
mod fixtures;
mod operators;
mod presented;
mod provider;
mod roots;
mod settings;
mod table;
mod token;

use std::sync::{Arc, LazyLock};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512,
        RsaEncoding, RsaKeyPair,
    },
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{Caller, ProviderMetadata, Timestamp};
use futures_util::future::BoxFuture;
use lambda_http::{Body, Request};
use serde_json::{Value, json};

use super::{
    Identity, IdentitySettings, OperatorIdentity, OperatorSettings, key_set, metadata::Metadata, provider::Provider,
};
use crate::problem::{Problem, ProblemCode};

/// The time of tests that do not choose their own.
pub(super) const NOW: i64 = 1_795_000_000;

const CLIENT: &str = "firstkey";
const ORIGIN: &str = "https://portal.example";

/// An issuer whose keys are in the table, so that no request is sent to it.
const ISSUER: &str = "https://issuer.example";

/// A provider's signing key.
pub(super) enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

pub(super) static RSA: LazyLock<Signer> =
    LazyLock::new(|| Signer::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));

pub(super) static EC: LazyLock<Signer> =
    LazyLock::new(|| Signer::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()));

pub(super) static ED: LazyLock<Signer> = LazyLock::new(|| Signer::Ed(Ed25519KeyPair::generate().unwrap()));

impl Signer {
    /// Returns the public key without `alg` and `use`, as Entra publishes its keys.
    fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(key) => {
                let (modulus, exponent) = (key.public_key().modulus(), key.public_key().exponent());
                let [n, e] = [modulus, exponent].map(|number| encode(number.big_endian_without_leading_zero()));
                json!({ "kty": "RSA", "kid": kid, "n": n, "e": e })
            }
            Self::Ec(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": encode(x), "y": encode(y) })
            }
            Self::Ed(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encode(key.public_key().as_ref()) })
            }
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
            Self::Ed(_) => "EdDSA",
        }
    }

    fn signature(&self, message: &[u8], encoding: &'static dyn RsaEncoding) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Ec(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// Returns a token with exactly this header.
    pub(super) fn sign(&self, header: &Value, claims: &Value) -> String {
        let encoding = if header["alg"] == "RS512" { &RSA_PKCS1_SHA512 } else { &RSA_PKCS1_SHA256 };
        let message = message(header, claims);
        format!("{message}.{}", encode(&self.signature(message.as_bytes(), encoding)))
    }

    /// Returns a token with the usual header.
    pub(super) fn token(&self, kid: &str, claims: &Value) -> String {
        self.sign(&json!({ "alg": self.algorithm(), "kid": kid, "typ": "JWT" }), claims)
    }
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_epoch_seconds(seconds)
}

fn settings(issuer: &str) -> IdentitySettings {
    IdentitySettings {
        issuer: issuer.to_owned(),
        client_id: CLIENT.to_owned(),
        public_origin: ORIGIN.to_owned(),
        ..IdentitySettings::default()
    }
}

/// Returns the metadata of `issuer` with these keys.
fn metadata(issuer: &str, keys: &[Value], fetched_at: i64) -> ProviderMetadata {
    ProviderMetadata {
        issuer: issuer.to_owned(),
        discovery: json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") }).to_string(),
        key_set: key_set::reduced(json!({ "keys": keys }).to_string().as_bytes()).unwrap(),
        fetched_at: at(fetched_at),
    }
}

/// Reads from a table without metadata.
fn empty_table(_: String) -> BoxFuture<'static, Result<Option<ProviderMetadata>, Problem>> {
    Box::pin(async { Ok(None) })
}

/// Returns a verifier with these keys since [`NOW`].
fn holding(settings: IdentitySettings, keys: &[Value]) -> Identity {
    let mut identity = Identity::new(settings, empty_table).unwrap();
    identity.verifier.provider = provider_with(&identity.verifier.party.issuer, keys);
    identity
}

fn provider_with(issuer: &str, keys: &[Value]) -> Arc<Provider> {
    let metadata = Metadata::parse(&metadata(issuer, keys, NOW), issuer).unwrap();
    Arc::new(Provider::holding(issuer.to_owned(), metadata))
}

/// Returns a verifier of [`ISSUER`] that has the keys `rsa`, `ec` and `ed`.
fn verifier() -> Identity {
    holding(settings(ISSUER), &[RSA.jwk("rsa"), EC.jwk("ec"), ED.jwk("ed")])
}

/// Returns the claims of an ID token of [`ISSUER`] that is valid at [`NOW`], with these changes. Null removes a claim.
fn claims(changes: Value) -> Value {
    claims_of(ISSUER, changes)
}

fn claims_of(issuer: &str, changes: Value) -> Value {
    let mut claims = json!({
        "iss": issuer, "sub": "dana", "aud": CLIENT, "iat": NOW - 10, "exp": NOW + 3600,
        "email": "dana@fabrikam.example", "email_verified": true,
    });
    let Value::Object(changes) = changes else { panic!("claims are an object") };
    for (name, value) in changes {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(&name)),
            value => claims[name] = value,
        }
    }
    claims
}

fn request(method: &str, headers: &[(&str, &str)]) -> Request {
    let start = http::Request::builder().method(method).uri("/subscriptions");
    headers.iter().fold(start, |request, (name, value)| request.header(*name, *value)).body(Body::Empty).unwrap()
}

async fn bearer_at(identity: &Identity, token: &str, seconds: i64) -> Result<Caller, Problem> {
    identity.caller(&request("GET", &[("authorization", &format!("Bearer {token}"))]), at(seconds)).await
}

async fn bearer(identity: &Identity, token: &str) -> Result<Caller, Problem> {
    bearer_at(identity, token, NOW).await
}

fn code(outcome: Result<Caller, Problem>) -> Option<ProblemCode> {
    outcome.err().map(|problem| problem.code())
}

/// Returns the reason of a refusal, which must be `not-signed-in`. `None` if the token was accepted.
fn refusal(outcome: Result<Caller, Problem>) -> Option<String> {
    let problem = outcome.err()?;
    assert_eq!(problem.code(), ProblemCode::NotSignedIn, "{:?}", problem.cause());
    problem.cause()
}
