//! The answers of the token endpoint, which OAuth prescribes (RFC 6749, 5), instead of problem documents.

use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use web::{Problem, ProblemCode, Reply};

domain::text_enum! {
    /// An error code of the token endpoint (RFC 6749, 5.2).
    pub(crate) enum TokenError {
        /// A parameter is missing or repeated, or the body is no form.
        InvalidRequest = "invalid_request",
        /// The client did not authenticate.
        InvalidClient = "invalid_client",
        /// The code cannot be redeemed.
        InvalidGrant = "invalid_grant",
        /// The grant is not a code.
        UnsupportedGrantType = "unsupported_grant_type",
        /// AWS is unavailable, or the function is misconfigured.
        ServerError = "server_error",
    }
}

/// The scheme that a client is asked for. The realm is required, and means nothing.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Basic realm=\"oidc\"");

/// The seconds after which a client may retry when AWS is unavailable.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

impl TokenError {
    /// Returns the answer with this error.
    pub(crate) fn reply(self) -> Reply {
        let status = match self {
            Self::InvalidRequest | Self::InvalidGrant | Self::UnsupportedGrantType => StatusCode::BAD_REQUEST,
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut reply = document(status, &json!({ "error": self }));
        if self == Self::InvalidClient {
            reply.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        reply
    }
}

/// Returns the answer to a client whose request failed, and logs why.
pub(crate) fn failed(problem: &Problem) -> Reply {
    log(problem);
    let mut reply = TokenError::ServerError.reply();
    if problem.code() == ProblemCode::Unavailable {
        *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        reply.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    reply
}

/// Logs a failure that the client learns without its cause.
pub(crate) fn log(problem: &Problem) {
    let (code, service) = (problem.code().as_str(), problem.service());
    tracing::error!(code, service, cause = problem.cause(), "a request of the product failed");
}

/// Returns an answer that no cache keeps, not even one of HTTP/1.0 (RFC 6749, 5.1).
pub(crate) fn document(status: StatusCode, body: &Value) -> Reply {
    let mut reply = web::json(status, body);
    reply.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(reply: &Reply) -> Value {
        serde_json::from_slice(reply.body()).unwrap()
    }

    #[test]
    fn every_error_has_the_status_of_oauth_and_is_not_cached() {
        for error in TokenError::ALL {
            let reply = error.reply();
            let status = match error {
                TokenError::InvalidClient => 401,
                TokenError::ServerError => 500,
                TokenError::InvalidRequest | TokenError::InvalidGrant | TokenError::UnsupportedGrantType => 400,
            };
            assert_eq!((reply.status().as_u16(), body(&reply)), (status, json!({ "error": error.as_str() })));
            assert_eq!(["cache-control", "pragma"].map(|name| &reply.headers()[name]), ["no-store", "no-cache"]);
            assert_eq!(reply.headers().contains_key("www-authenticate"), status == 401);
        }
    }

    #[test]
    fn a_client_may_retry_when_aws_is_unavailable_and_not_when_the_function_is_broken() {
        let reply = failed(&ProblemCode::Unavailable.into());
        assert_eq!((reply.status().as_u16(), body(&reply)), (503, json!({ "error": "server_error" })));
        assert_eq!(reply.headers()["retry-after"], "1");
        let reply = failed(&ProblemCode::Internal.into());
        assert_eq!((reply.status().as_u16(), reply.headers().get("retry-after")), (500, None));
    }
}
