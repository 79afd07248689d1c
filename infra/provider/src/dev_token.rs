//! `POST /dev/token`: issues an ID token for any person, without a browser. It does not require a JSON content type, so
//! `curl -d` is enough.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use super::{Issuer, person::Person, refuse};

pub(super) async fn mint(State(issuer): State<Arc<Issuer>>, person: Bytes) -> Response {
    let person = match Json::<Person>::from_bytes(&person) {
        Ok(Json(person)) => person,
        Err(rejection) => return refuse("invalid_request", &rejection.body_text()),
    };
    if !(person.claims.is_null() || person.claims.is_object()) {
        return refuse("invalid_request", "claims must be an object");
    }
    if person.client.as_deref().is_some_and(|id| issuer.client(id).is_none()) {
        return refuse("invalid_request", "the client is unknown");
    }
    let body = json!({ "id_token": issuer.token(issuer.client_of(&person), &person, None) });
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
