//! The oddities of the provider's endpoints: tests set them to play the providers of public bug reports. The next oddity is a field here, and a line where it takes effect. Oddities of the tokens themselves are claims and headers: see
//! [`Provider::add_claims`](crate::Provider::add_claims).

use std::time::Duration;

use serde_json::Value;

/// The oddities of the endpoints. The default is a provider without any.
#[derive(Debug, Clone, Default)]
pub struct Oddities {
    /// Fields that are merged into the discovery document; null removes a field.
    pub discovery: Value,
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
