//! `POST /dev/token`: an ID token for anybody, without a browser.

use std::sync::Arc;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::header,
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use super::{Issuer, person::Person, refuse};

pub(super) async fn mint(State(issuer): State<Arc<Issuer>>, person: Result<Json<Person>, JsonRejection>) -> Response {
    let person = match person {
        Ok(Json(person)) => person,
        Err(rejection) => return refuse("invalid_request", &rejection.body_text()),
    };
    if !(person.claims.is_null() || person.claims.is_object()) {
        return refuse("invalid_request", "claims must be an object");
    }
    let body = json!({ "id_token": issuer.token(&person, None) });
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
