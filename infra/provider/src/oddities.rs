//! The oddities of the provider: tests set them to play the providers of public bug reports. The next oddity is a field here, and a line
//! where it takes effect.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;

use super::keys::Algorithm;

/// The oddities of the endpoints. The default is a provider without any.
#[derive(Debug, Clone, Default)]
pub struct Oddities {
    /// Fields that are merged into the discovery document; null removes a field.
    pub discovery: Value,
    /// The status that answers requests for the discovery document and the key set, instead of these. Every other endpoint works.
    pub metadata_status: Option<u16>,
    /// How long the discovery document takes.
    pub discovery_delay: Duration,
    /// How long the key set takes.
    pub keys_delay: Duration,
    /// How long the token endpoint takes.
    pub token_delay: Duration,
    /// The answer of the token endpoint, instead of a token.
    pub token_answer: Option<TokenAnswer>,
    /// The only client secret that the token endpoint accepts, and only in the form.
    pub secret_in_form: Option<String>,
    /// The error that the authorization endpoint answers with, instead of its page (RFC 6749, section 4.1.2.1).
    pub authorize_error: Option<String>,
    /// The values of `prompt` that the authorization endpoint refuses.
    pub refused_prompts: Vec<String>,
    /// Leaves `iss` out of the answers (RFC 9207).
    pub omits_issuer: bool,
    /// Leaves the address out of an ID token for which the `claims` parameter does not ask for it.
    pub address_on_request: bool,
    /// Refuses a sign-out without `id_token_hint`.
    pub demands_logout_hint: bool,
}

impl Oddities {
    /// Fails with the status that the discovery document and the key set are refused with, if they are.
    pub(super) fn refuse_metadata(&self) -> Result<(), StatusCode> {
        let refused = |status| StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.metadata_status.map_or(Ok(()), |status| Err(refused(status)))
    }
}

/// An answer of the token endpoint.
#[derive(Debug, Clone)]
pub struct TokenAnswer {
    /// The status code.
    pub status: u16,
    /// The media type.
    pub media_type: &'static str,
    /// The body.
    pub body: String,
}

/// The oddities of the tokens and keys. The default is a provider without any.
#[derive(Debug, Clone, Default)]
pub struct TokenOddities {
    /// Claims that are merged into those of every token; null removes a claim.
    pub claims: Value,
    /// Fields that are merged into the header of every token; null removes a field.
    pub header: Value,
    /// The algorithm, and so the key, of tokens whose person names none.
    pub algorithm: Option<Algorithm>,
    /// The algorithms whose keys are in the key set; all of them by default.
    pub published: Option<Vec<Algorithm>>,
    /// Fields that are merged into every key of the key set; null removes a field.
    pub key: Value,
}
