//! The authorization endpoint and the sign-out endpoint, which show pages to people.

use std::sync::Arc;

use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;

use super::{Client, Issuer, codes::Grant, page, person::Person, redirect};

/// A request for a code (OpenID Connect Core 1.0, section 3.1.2.1). Unknown parameters are ignored, as the standard requires.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Request {
    response_type: String,
    response_mode: Option<String>,
    client_id: String,
    redirect_uri: String,
    scope: String,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: String,
    code_challenge_method: String,
    prompt: Option<String>,
    login_hint: Option<String>,
    claims: Option<String>,
}

/// The submitted sign-in form: the original request and the person's address.
#[derive(Debug, Deserialize)]
pub(super) struct SignIn {
    email: String,
    #[serde(flatten)]
    request: Request,
}

/// A request to sign out (OpenID Connect RP-Initiated Logout 1.0).
#[derive(Debug, Deserialize)]
pub(super) struct SignOut {
    id_token_hint: Option<String>,
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
}

/// Shows the sign-in page. The provider has no sessions, so it asks every time, whatever `prompt` and `max_age` say.
pub(super) async fn ask(State(issuer): State<Arc<Issuer>>, Query(request): Query<Request>) -> Response {
    let client = match request.check(&issuer) {
        Ok(client) => client,
        Err(refusal) => return refusal,
    };
    if request.prompt.as_deref() == Some("none") {
        return request.answer_error("login_required", "this provider has no sessions");
    }
    page::sign_in(&client.redirect_origin, &request.fields(), request.login_hint.as_deref().unwrap_or_default())
}

/// Handles the form of the sign-in page and redirects the browser back with a code.
pub(super) async fn grant(State(issuer): State<Arc<Issuer>>, Form(sign_in): Form<SignIn>) -> Response {
    let SignIn { email, request } = sign_in;
    if let Err(refusal) = request.check(&issuer) {
        return refusal;
    }
    if email.trim().is_empty() {
        return page::refusal(StatusCode::BAD_REQUEST, "Enter an email address; any address will do.");
    }
    let code = random();
    let grant = Grant {
        client_id: request.client_id.clone(),
        signed_in_at: issuer.seconds(),
        redirect_uri: request.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        nonce: request.nonce.clone(),
        wants_address: request.wants_address(),
        person: Person::with_email(email.trim()),
    };
    issuer.codes.lock().expect("no holder of this lock panics").insert(code.clone(), grant, issuer.instant());
    let named = (!issuer.oddities().omits_issuer).then_some(issuer.url.as_str());
    request.answer(&[("code", Some(&code)), ("iss", named)])
}

/// Redirects the browser if its target is allowed. There is no session to end.
pub(super) async fn sign_out(State(issuer): State<Arc<Issuer>>, Query(sign_out): Query<SignOut>) -> Response {
    if issuer.oddities().demands_logout_hint && sign_out.id_token_hint.is_none_or(|hint| hint.split('.').count() != 3) {
        return page::refusal(StatusCode::BAD_REQUEST, "The application that sent you here sent no id_token_hint.");
    }
    match sign_out.post_logout_redirect_uri {
        None => page::signed_out(),
        Some(uri)
            if issuer.options.clients.iter().any(|client| redirect::is_allowed(&uri, &client.redirect_origin)) =>
        {
            Redirect::to(&redirect::with_parameters(&uri, &[("state", sign_out.state.as_deref())])).into_response()
        }
        Some(_) => page::refusal(StatusCode::BAD_REQUEST, UNKNOWN_TARGET),
    }
}

const UNKNOWN_TARGET: &str = "The application that sent you here asked to redirect you to an address that this provider does \
                        not allow. It only allows the origin of the application.";

impl Request {
    /// Checks the request, and returns its client. The error page for an unknown client or address is shown to the person; every other error goes
    /// to the application (RFC 6749, section 4.1.2.1).
    #[expect(clippy::result_large_err, reason = "the error is the response, created at most once for each request")]
    fn check<'a>(&self, issuer: &'a Issuer) -> Result<&'a Client, Response> {
        let Some(client) = issuer.client(&self.client_id) else {
            return Err(page::refusal(StatusCode::BAD_REQUEST, "The application that sent you here is unknown."));
        };
        if !redirect::is_allowed(&self.redirect_uri, &client.redirect_origin) {
            return Err(page::refusal(StatusCode::BAD_REQUEST, UNKNOWN_TARGET));
        }
        let wrong = |error: &str, description: &str| Err(self.answer_error(error, description));
        let oddities = issuer.oddities();
        if let Some(error) = &oddities.authorize_error {
            return wrong(error, "this provider was told to answer so");
        }
        if self.prompt.as_ref().is_some_and(|prompt| oddities.refused_prompts.contains(prompt)) {
            return wrong("invalid_request", "prompt has an unsupported value");
        }
        if self.response_type != "code" {
            return wrong("unsupported_response_type", "response_type must be code");
        }
        if self.response_mode.as_deref().is_some_and(|mode| mode != "query") {
            return wrong("invalid_request", "response_mode must be query");
        }
        if !self.scope.split(' ').any(|scope| scope == "openid") {
            return wrong("invalid_scope", "scope must contain openid");
        }
        if self.code_challenge_method != "S256" {
            return wrong("invalid_request", "code_challenge_method must be S256");
        }
        if BASE64_URL_SAFE_NO_PAD.decode(&self.code_challenge).map_or(0, |digest| digest.len()) != 32 {
            return wrong("invalid_request", "code_challenge must be a SHA-256 in base64url");
        }
        Ok(client)
    }

    /// Returns whether the `claims` parameter asks for the address in the ID token (OpenID Connect Core 1.0, section 5.5).
    fn wants_address(&self) -> bool {
        let claims = self.claims.as_deref().and_then(|claims| serde_json::from_str::<Value>(claims).ok());
        claims.is_some_and(|claims| claims["id_token"].get("email").is_some())
    }

    fn answer_error(&self, error: &str, description: &str) -> Response {
        self.answer(&[("error", Some(error)), ("error_description", Some(description))])
    }

    fn answer(&self, parameters: &[(&str, Option<&str>)]) -> Response {
        let parameters = [parameters, &[("state", self.state.as_deref())]].concat();
        Redirect::to(&redirect::with_parameters(&self.redirect_uri, &parameters)).into_response()
    }

    /// Returns the parameters that the form must send again.
    fn fields(&self) -> Vec<(&'static str, &str)> {
        let optional = [
            ("state", &self.state),
            ("nonce", &self.nonce),
            ("response_mode", &self.response_mode),
            ("claims", &self.claims),
        ];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        [
            ("response_type", self.response_type.as_str()),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", &self.scope),
            ("code_challenge", &self.code_challenge),
            ("code_challenge_method", &self.code_challenge_method),
        ]
        .into_iter()
        .chain(optional)
        .collect()
    }
}

/// Returns 256 random bits in base64url.
pub(super) fn random() -> String {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system provides random numbers");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
