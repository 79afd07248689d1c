//! The token endpoint: exchanges a code and its PKCE verifier for an ID token.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Form, Json,
    extract::{State, rejection::FormRejection},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::json;

use tokio::time::sleep;

use super::{Issuer, TOKEN_LIFETIME_SECONDS, TokenAnswer, authorize::random, refuse};

#[derive(Debug, Deserialize)]
pub(super) struct Request {
    grant_type: String,
    client_id: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
    client_secret: Option<String>,
}

pub(super) async fn redeem(
    State(issuer): State<Arc<Issuer>>,
    request: Result<Form<Request>, FormRejection>,
) -> Response {
    let oddities = issuer.oddities();
    sleep(oddities.token_delay).await;
    if let Some(TokenAnswer { status, media_type, body }) = oddities.token_answer {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return (status, [(header::CONTENT_TYPE, media_type)], body).into_response();
    }
    let request = match request {
        Ok(Form(request)) => request,
        Err(rejection) => return refuse("invalid_request", &rejection.body_text()),
    };
    if request.grant_type != "authorization_code" {
        return refuse("unsupported_grant_type", "grant_type must be authorization_code");
    }
    let Some(client) = issuer.client(&request.client_id) else {
        return refuse("invalid_client", "the client is unknown");
    };
    if oddities.secret_in_form.is_some() && request.client_secret != oddities.secret_in_form {
        return refuse("invalid_client", "the form has no client_secret, or another one");
    }
    let grant = issuer.codes.lock().expect("no holder of this lock panics").take(&request.code, issuer.instant());
    let Some(grant) = grant else {
        return refuse("invalid_grant", "the code is unknown, used or older than a minute");
    };
    if grant.client_id != client.id {
        return refuse("invalid_grant", "the code was issued to another client");
    }
    if grant.redirect_uri != request.redirect_uri {
        return refuse("invalid_grant", "redirect_uri differs from the one in the authorization request");
    }
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, request.code_verifier.as_bytes()));
    if challenge != grant.code_challenge {
        return refuse("invalid_grant", "code_verifier does not match the code_challenge");
    }
    let mut person = grant.person.clone();
    if oddities.address_on_request && !grant.wants_address {
        person.claims = json!({ "email": null, "email_verified": null });
    }
    let body = json!({
        "token_type": "Bearer",
        "access_token": random(),
        "expires_in": TOKEN_LIFETIME_SECONDS,
        "id_token": issuer.token(client, &person, Some(&grant)),
    });
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
