//! The product as a relying party: what it asks of the provider, and how it verifies the ID token (OpenID Connect Core 1.0, 3.1.3.7).

use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use form_urlencoded::{Serializer, byte_serialize};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::timeout;

use crate::{Application, Options, sign_in::Attempt};

/// The longest wait for an answer of the provider.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The difference between the clocks of the two that is accepted, in seconds.
const LEEWAY: u64 = 60;

/// The part of the discovery document that the product needs.
#[derive(Deserialize)]
pub(crate) struct Discovered {
    issuer: String,
    pub(crate) authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

impl Options {
    /// Returns the address to which the provider sends the browser back.
    pub(crate) fn redirect_uri(&self) -> String {
        format!("{}/callback", self.origin)
    }

    /// Returns the value of `Authorization` for the token endpoint (RFC 6749, 2.3.1).
    fn basic(&self) -> String {
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", encoded(&self.client_id), encoded(&self.secret))))
    }
}

impl Application {
    /// Reads the discovery document.
    pub(crate) async fn discover(&self) -> anyhow::Result<Discovered> {
        let issuer = &self.options.issuer;
        let discovered: Discovered = self.get(&format!("{issuer}/.well-known/openid-configuration")).await?;
        ensure!(discovered.issuer == *issuer, "the discovery document is that of {}", discovered.issuer);
        Ok(discovered)
    }

    /// Redeems a code; returns the claims of the ID token.
    pub(crate) async fn redeem(&self, code: &str, attempt: &Attempt, now: u64) -> anyhow::Result<Value> {
        let discovered = self.discover().await?;
        let redirect_uri = self.options.redirect_uri();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", &attempt.verifier),
        ];
        let form = Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(&discovered.token_endpoint)
            .header(header::AUTHORIZATION, self.options.basic())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(form))?;
        let (status, answer) = self.exchange::<Value>(request).await?;
        ensure!(status.is_success(), "the code was refused: {}", answer["error"]);
        let token = answer["id_token"].as_str().context("the answer has no ID token")?;
        let keys: JwkSet = self.get(&discovered.jwks_uri).await?;
        self.verify(token, &keys, attempt, now).context("the ID token is not valid")
    }

    /// Verifies an ID token; returns its claims.
    fn verify(&self, token: &str, keys: &JwkSet, attempt: &Attempt, now: u64) -> anyhow::Result<Value> {
        let kid = jsonwebtoken::decode_header(token)?.kid.context("it names no key")?;
        let key = keys.find(&kid).context("it names a key that is not published")?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&self.options.issuer]);
        validation.set_audience(&[&self.options.client_id]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        validation.leeway = LEEWAY;
        let claims = jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(key)?, &validation)?.claims;
        ensure!(claims["nonce"] == attempt.nonce.as_str(), "it is for another sign-in");
        let issued_at = claims["iat"].as_u64().context("it does not say when it was issued")?;
        ensure!(issued_at.saturating_add(LEEWAY) >= now, "it was issued before the sign-in");
        let authenticated_at = claims["auth_time"].as_u64().context("it does not say when the person signed in")?;
        let is_recent = attempt.not_before.is_none_or(|earliest| authenticated_at >= earliest);
        ensure!(is_recent, "the person signed in too long ago");
        Ok(claims)
    }

    async fn get<T: DeserializeOwned>(&self, address: &str) -> anyhow::Result<T> {
        let (status, answer) = self.exchange(Request::get(address).body(Full::default())?).await?;
        ensure!(status.is_success(), "{address} answered {status}");
        Ok(answer)
    }

    async fn exchange<T: DeserializeOwned>(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, T)> {
        let address = request.uri().to_string();
        let exchange = async {
            let (head, body) = self.client.request(request).await?.into_parts();
            anyhow::Ok((head.status, body.collect().await?.to_bytes()))
        };
        let answered = timeout(TIMEOUT, exchange).await.with_context(|| format!("{address} did not answer"))?;
        let (status, body) = answered.with_context(|| format!("{address} could not be reached"))?;
        let answer = serde_json::from_slice(&body);
        Ok((status, answer.with_context(|| format!("{address} answered {status} without the expected JSON"))?))
    }
}
