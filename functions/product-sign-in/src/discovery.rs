//! The description of the provider, for the product (OpenID Connect Discovery 1.0, RFC 8414).

use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use web::Reply;

use crate::Provider;

/// How long discovery and keys may be cached.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The claims that an ID token and userinfo share; an ID token also has `iss`, `aud`, `iat`, `exp`, `at_hash` and `nonce`.
pub(crate) const CLAIMS: [&str; 12] = [
    "sub",
    "preferred_username",
    "name",
    "email",
    "email_verified",
    "subscription_id",
    "company_id",
    "company_name",
    "product",
    "roles",
    "auth_time",
    "amr",
];

impl Provider {
    /// Answers with the discovery document.
    pub(crate) fn discovery(&self) -> Reply {
        let at = |path: &str| format!("{}{path}", self.public_origin);
        let document = json!({
            "issuer": self.public_origin,
            "authorization_endpoint": at("/oidc/authorize"),
            "token_endpoint": at("/oidc/token"),
            "userinfo_endpoint": at("/oidc/userinfo"),
            "jwks_uri": at("/oidc/jwks"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email"],
            "claims_supported": CLAIMS,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "prompt_values_supported": ["none", "login"],
            "authorization_response_iss_parameter_supported": true,
            "claims_parameter_supported": false,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        });
        cached(web::json(StatusCode::OK, &document))
    }
}

/// Marks an answer that is the same for everyone as cacheable.
pub(crate) fn cached(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(header::CACHE_CONTROL, CACHED);
    reply
}
