//! The userinfo endpoint (OpenID Connect Core 1.0, 5.3): the claims again, as long as the access token is good.

use domain::{AccessToken, Timestamp};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use web::{Problem, Reply, Request};

use crate::{Provider, client::authorization, id_token::claims};

/// The challenges of RFC 6750, 3: without an error for a request that has no token.
const NO_TOKEN: HeaderValue = HeaderValue::from_static("Bearer");
const INVALID_TOKEN: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");

impl Provider {
    /// Answers with the claims of the holder of an access token. A token is taken from the header alone.
    pub(crate) async fn userinfo(&self, request: &Request, now: Timestamp) -> Result<Reply, Problem> {
        if !request.headers().contains_key(header::AUTHORIZATION) {
            return Ok(unauthorized(NO_TOKEN));
        }
        let Some(token) = authorization(request, "Bearer").and_then(AccessToken::parse) else {
            return Ok(unauthorized(INVALID_TOKEN));
        };
        let Some(holder) = self.sign_ins.holder(&token.digest(), now).await? else {
            return Ok(unauthorized(INVALID_TOKEN));
        };
        let user = self.sign_ins.user(holder).await?;
        Ok(user.map_or_else(|| unauthorized(INVALID_TOKEN), |user| web::json(StatusCode::OK, &claims(&user))))
    }
}

fn unauthorized(asks_for: HeaderValue) -> Reply {
    let mut reply = web::json(StatusCode::UNAUTHORIZED, &json!({ "error": "invalid_token" }));
    reply.headers_mut().insert(header::WWW_AUTHENTICATE, asks_for);
    reply
}
