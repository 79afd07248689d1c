//! A sign-in as the browser sees it: to the provider, and back with an answer.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    extract::{Query, State},
    response::Response,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use form_urlencoded::Serializer;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::{Application, SESSION, cookie, page, random, redirect};

/// The cookie that binds the answer to the browser that asked for it. It holds the `state` of the last sign-in.
const ATTEMPT: &str = "demo-product-attempt";

/// A sign-in that has begun.
pub(crate) struct Attempt {
    pub(crate) nonce: String,
    pub(crate) verifier: String,
    /// The earliest time at which the person may have signed in, in seconds since the epoch.
    pub(crate) not_before: Option<u64>,
}

/// The parameters of the link that begins a sign-in. Both are passed on.
#[derive(Deserialize)]
pub(crate) struct Wish {
    prompt: Option<String>,
    max_age: Option<u64>,
}

/// The answer of the provider: a code or an error (RFC 6749, 4.1.2).
#[derive(Deserialize)]
pub(crate) struct Answer {
    state: Option<String>,
    iss: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

/// Sends the browser to the provider.
pub(crate) async fn begin(State(application): State<Arc<Application>>, Query(wish): Query<Wish>) -> Response {
    let endpoint = match application.discover().await {
        Ok(discovered) => discovered.authorization_endpoint,
        Err(error) => return page::refusal(StatusCode::BAD_GATEWAY, &format!("{error:#}")),
    };
    let attempt = Attempt { nonce: random(), verifier: random(), not_before: wish.not_before(now()) };
    let (state, options) = (random(), &application.options);
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, attempt.verifier.as_bytes()));
    let mut query = Serializer::new(String::new());
    query.extend_pairs([
        ("response_type", "code"),
        ("client_id", &options.client_id),
        ("redirect_uri", &options.redirect_uri()),
        ("scope", "openid profile email"),
        ("state", &state),
        ("nonce", &attempt.nonce),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    if let Some(prompt) = &wish.prompt {
        query.append_pair("prompt", prompt);
    }
    if let Some(max_age) = wish.max_age {
        query.append_pair("max_age", &max_age.to_string());
    }
    application.attempts().insert(state.clone(), attempt);
    redirect(&format!("{endpoint}?{}", query.finish()), ATTEMPT, &state)
}

/// Takes the answer of the provider, and signs the person in.
pub(crate) async fn finish(
    State(application): State<Arc<Application>>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Response {
    let state = cookie(&headers, ATTEMPT).filter(|state| answer.state.as_deref() == Some(*state));
    let Some(attempt) = state.and_then(|state| application.attempts().remove(state)) else {
        return page::refusal(StatusCode::BAD_REQUEST, "This answer belongs to no sign-in of this browser.");
    };
    if answer.iss.as_deref() != Some(application.options.issuer.as_str()) {
        return page::refusal(StatusCode::BAD_REQUEST, "This answer is not from the provider that was asked.");
    }
    let Some(code) = answer.code.filter(|_| answer.error.is_none()) else {
        return page::not_signed_in(answer.error.as_deref().unwrap_or("no code"));
    };
    match application.redeem(&code, &attempt, now()).await {
        Ok(claims) => {
            let session = random();
            application.sessions().insert(session.clone(), claims);
            redirect("/", SESSION, &session)
        }
        Err(error) => page::refusal(StatusCode::BAD_GATEWAY, &format!("{error:#}")),
    }
}

impl Wish {
    /// Returns the earliest time at which the person may have signed in.
    fn not_before(&self, now: u64) -> Option<u64> {
        let is_new = self.prompt.as_deref() == Some("login");
        let max_age = if is_new { Some(0) } else { self.max_age };
        max_age.map(|max_age| now.saturating_sub(max_age))
    }
}

#[expect(clippy::disallowed_methods, reason = "the demo product stands for a system outside, which has its own clock")]
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("the system clock is later than 1970").as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_sign_in_begins_after_the_request_and_an_old_one_is_as_old_as_asked() {
        let not_before =
            |prompt: Option<&str>, max_age| Wish { prompt: prompt.map(ToOwned::to_owned), max_age }.not_before(1000);
        assert_eq!(not_before(None, None), None);
        assert_eq!(not_before(Some("none"), Some(60)), Some(940));
        assert_eq!(not_before(Some("login"), Some(60)), Some(1000));
        assert_eq!(not_before(None, Some(u64::MAX)), Some(0));
    }
}
