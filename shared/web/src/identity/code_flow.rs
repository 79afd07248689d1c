//! The code flow of OpenID Connect Core, 3.1, with PKCE (RFC 7636).
//!
//! It needs only two requests and one address, so it is implemented here over the TLS stack that the function already has. A library for
//! OAuth would add twenty crates and an HTTP client of its own.

use std::{
    sync::{Arc, RwLock},
    time::Duration,
};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use domain::Timestamp;
use form_urlencoded::{Serializer, byte_serialize};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::time::timeout_at;

use super::{
    Deadline, IdentitySettings, InvalidSetting,
    discovery::{self, Discovery, Failure, Form},
    known_providers,
};
use crate::problem::{Problem, ProblemCode};

/// How long the provider's addresses are used without refreshing.
const FRESH: Duration = Duration::from_hours(1);

/// The deadline for the discovery document, so that an unresponsive provider is reported before the customer gives up.
const DISCOVERY_TIME: Duration = Duration::from_secs(3);

/// The claims that the ID token should have (OpenID Connect Core, 5.5). Some providers keep them for the userinfo endpoint, which is not
/// asked: functions trust signatures, and its answer has none.
const CLAIMS: &str = r#"{"id_token":{"email":null,"email_verified":null}}"#;

/// The path that the provider redirects the browser to.
const CALLBACK: &str = "/auth/callback";

/// This application as a client of the provider. It has no `Debug`, because it may hold a secret.
pub struct CodeFlow {
    issuer: String,
    client_id: String,
    client_secret: Option<String>,
    public_origin: String,
    logout_hint: LogoutHint,
    endpoints: RwLock<Option<(Arc<Endpoints>, Timestamp)>>,
}

/// The values that tie an answer of the provider to the browser that was sent there. Each has 256 random bits in base64url that only that
/// browser knows. It has no `Debug`.
pub struct Ties {
    /// The value that returns beside the code.
    pub state: String,
    /// The value that returns in the ID token.
    pub nonce: String,
    /// The PKCE verifier, which redeems the code.
    pub verifier: String,
}

/// The account at the provider that a sign-in uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountChoice {
    /// The account that the customer is signed in to there.
    Current,
    /// The account that the customer chooses when the provider asks.
    Ask,
}

/// When the provider's sign-out gets the ID token as `id_token_hint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoutHint {
    /// Sign-outs carry the token if the issuer is known to demand it, as Okta's are.
    IfKnown,
    /// Sign-outs always carry the token.
    Always,
}

/// The provider's endpoints, and what it says about them.
struct Endpoints {
    authorization: String,
    token: String,
    end_session: Option<String>,
    /// Whether the client secret goes into the form. By default it goes into the header, where providers disagree on its encoding.
    secret_in_form: bool,
    /// The value of `prompt` that lets the customer choose another account.
    other_account: &'static str,
    takes_claims: bool,
    /// Whether every answer names its issuer (RFC 9207).
    names_issuer: bool,
}

impl CodeFlow {
    /// Checks the settings. `client_secret` is for providers that require one in addition to PKCE.
    pub fn new(
        settings: &IdentitySettings,
        client_secret: Option<String>,
        logout_hint: LogoutHint,
    ) -> Result<Self, InvalidSetting> {
        let rules = settings.clone().check()?;
        Ok(Self {
            issuer: rules.issuer,
            client_id: rules.client_id,
            client_secret,
            public_origin: rules.public_origin,
            logout_hint,
            endpoints: RwLock::default(),
        })
    }

    /// Checks the issuer that an answer names (RFC 9207). It must be ours, and may be missing only where the provider does not promise it.
    pub async fn check_issuer(&self, named: Option<&str>, deadline: Deadline, now: Timestamp) -> Result<(), Problem> {
        match named {
            Some(issuer) if issuer == self.issuer => Ok(()),
            Some(_) => Err(wrong_issuer("the answer names another issuer")),
            None if self.endpoints(deadline, now).await?.names_issuer => {
                Err(wrong_issuer("the answer names no issuer"))
            }
            None => Ok(()),
        }
    }

    /// Returns the address that starts a sign-in at the provider.
    pub async fn address(
        &self,
        ties: &Ties,
        account: AccountChoice,
        deadline: Deadline,
        now: Timestamp,
    ) -> Result<String, Problem> {
        let endpoints = self.endpoints(deadline, now).await?;
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(ties.verifier.as_bytes()));
        let mut query = Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.callback())
            .append_pair("scope", "openid email")
            .append_pair("state", &ties.state)
            .append_pair("nonce", &ties.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        if endpoints.takes_claims {
            query.append_pair("claims", CLAIMS);
        }
        if account == AccountChoice::Ask {
            query.append_pair("prompt", endpoints.other_account);
        }
        Ok(with_query(&endpoints.authorization, &query.finish()))
    }

    /// Exchanges a code for an ID token, which is not verified yet. There is no retry, since a code works once.
    ///
    /// Fails with `not-signed-in` if the provider does not know the code, with `unavailable` if it does not answer or asks to come back,
    /// and with `internal` for any other answer.
    pub async fn redeem(
        &self,
        code: &str,
        verifier: &str,
        deadline: Deadline,
        now: Timestamp,
    ) -> Result<String, Problem> {
        let endpoints = self.endpoints(deadline, now).await?;
        let form = self.form(&endpoints, code, verifier);
        let answer = timeout_at(deadline.0, discovery::post(form)).await.unwrap_or(Err(Failure::TimedOut));
        let (status, document) = answer?;
        match status {
            200 => parse_token(&document).ok_or_else(|| defect("the provider gave no ID token for a code")),
            408 | 425 | 429 => Err(Failure::Status(status).into()),
            400..500 => Err(refused(&document)),
            other => Err(Failure::Status(other).into()),
        }
    }

    /// Returns whether the provider's sign-out gets the ID token as `id_token_hint`, and refuses a request without it.
    #[must_use]
    pub fn sends_logout_hint(&self) -> bool {
        self.logout_hint == LogoutHint::Always || known_providers::is_okta(&self.issuer)
    }

    /// Returns the address that also signs the customer out at the provider and returns here. `None` if the provider has none, demands a
    /// hint that is missing, or is unavailable.
    pub async fn end_session_address(&self, hint: Option<&str>, now: Timestamp) -> Option<String> {
        if self.sends_logout_hint() && hint.is_none() {
            return None;
        }
        let endpoints = self.endpoints(Deadline::start(), now).await.ok()?;
        let back = format!("{}/", self.public_origin);
        let mut query = Serializer::new(String::new());
        query.append_pair("client_id", &self.client_id).append_pair("post_logout_redirect_uri", &back);
        // Cognito requires this parameter instead; others ignore it:
        // https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html
        query.append_pair("logout_uri", &back);
        if let Some(hint) = hint.filter(|_| self.sends_logout_hint()) {
            query.append_pair("id_token_hint", hint);
        }
        Some(with_query(endpoints.end_session.as_deref()?, &query.finish()))
    }

    fn form(&self, endpoints: &Endpoints, code: &str, verifier: &str) -> Form {
        let mut body = Serializer::new(String::new());
        body.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.callback())
            .append_pair("client_id", &self.client_id)
            .append_pair("code_verifier", verifier);
        let mut authorization = None;
        match &self.client_secret {
            Some(secret) if endpoints.secret_in_form => drop(body.append_pair("client_secret", secret)),
            // RFC 6749, 2.3.1: both halves are encoded as in a form before they are joined.
            Some(secret) => {
                let [id, secret] =
                    [&self.client_id, secret].map(|half| byte_serialize(half.as_bytes()).collect::<String>());
                authorization = Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}"))));
            }
            None => {}
        }
        Form { address: endpoints.token.clone(), authorization, body: body.finish() }
    }

    fn callback(&self) -> String {
        format!("{}{CALLBACK}", self.public_origin)
    }

    async fn endpoints(&self, deadline: Deadline, now: Timestamp) -> Result<Arc<Endpoints>, Problem> {
        let held = self.endpoints.read().ok().and_then(|held| held.clone());
        if let Some((endpoints, at)) = &held
            && now.since(*at) < FRESH
        {
            return Ok(Arc::clone(endpoints));
        }
        let discovered = timeout_at(deadline.within(DISCOVERY_TIME), discovery::discover(&self.issuer)).await;
        let endpoints = discovered
            .unwrap_or(Err(Failure::TimedOut))
            .and_then(|document| Endpoints::from_discovery(document, &self.issuer).ok_or(Failure::NoEndpoints));
        match (endpoints, held) {
            (Ok(endpoints), _) => {
                let endpoints = Arc::new(endpoints);
                if let Ok(mut held) = self.endpoints.write() {
                    *held = Some((Arc::clone(&endpoints), now));
                }
                Ok(endpoints)
            }
            (Err(Failure::OtherIssuer { configured, discovered }), _) => {
                Err(Failure::OtherIssuer { configured, discovered }.into())
            }
            (Err(_), Some((endpoints, _))) => Ok(endpoints),
            (Err(failure), None) => Err(failure.into()),
        }
    }
}

impl Endpoints {
    fn from_discovery(document: Discovery, issuer: &str) -> Option<Self> {
        let allowed = |address: &String| discovery::may_be_asked(address, issuer);
        let methods = &document.token_endpoint_auth_methods_supported;
        let offers = |method: &str| methods.iter().any(|offered| offered == method);
        let takes_select_account = document.prompt_values_supported.iter().any(|value| value == "select_account")
            || known_providers::takes_select_account(issuer);
        Some(Self {
            secret_in_form: offers("client_secret_post"),
            other_account: if takes_select_account { "select_account" } else { "login" },
            takes_claims: document.claims_parameter_supported,
            names_issuer: document.authorization_response_iss_parameter_supported,
            authorization: document.authorization_endpoint.filter(allowed)?,
            token: document.token_endpoint.filter(allowed)?,
            end_session: document.end_session_endpoint.filter(allowed),
        })
    }
}

fn with_query(address: &str, query: &str) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}{query}")
}

fn parse_token(document: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        id_token: String,
    }
    serde_json::from_slice::<Answer>(document).ok().map(|answer| answer.id_token)
}

/// Returns the problem for an error response (RFC 6749, 5.2). An error about the code concerns the customer, and so does one about the
/// request, since anyone can make up a code and send it to the callback; any other is a defect of the deployment. The provider's text is not
/// repeated.
fn refused(document: &[u8]) -> Problem {
    #[derive(Deserialize)]
    struct Answer {
        error: String,
    }
    let error = serde_json::from_slice::<Answer>(document).map(|answer| answer.error).unwrap_or_default();
    match error.as_str() {
        "invalid_grant" => Problem::new(ProblemCode::NotSignedIn).because("the provider does not know the code"),
        "invalid_request" => {
            Problem::new(ProblemCode::InvalidRequest).because("the provider does not accept the request")
        }
        "invalid_client" => defect("the provider does not accept OIDC_CLIENT_ID with this secret, or without one"),
        "unauthorized_client" => defect("the provider does not let OIDC_CLIENT_ID use codes"),
        _ => defect("the provider does not accept how a code is redeemed"),
    }
}

fn defect(why: &'static str) -> Problem {
    Problem::new(ProblemCode::Internal).because(why)
}

/// Returns the problem of an answer that does not come from our issuer.
fn wrong_issuer(cause: &'static str) -> Problem {
    Problem::new(ProblemCode::NotSignedIn).because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(secret: Option<&str>) -> CodeFlow {
        let settings = IdentitySettings {
            issuer: "https://issuer.example".into(),
            client_id: "first key".into(),
            public_origin: "https://portal.example".into(),
            ..IdentitySettings::default()
        };
        CodeFlow::new(&settings, secret.map(str::to_owned), LogoutHint::IfKnown).unwrap()
    }

    fn document(more: &serde_json::Value) -> Discovery {
        let mut all = serde_json::json!({
            "issuer": "https://issuer.example", "jwks_uri": "https://issuer.example/keys",
            "authorization_endpoint": "https://issuer.example/authorize?tenant=1",
            "token_endpoint": "https://issuer.example/token",
        });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn a_secret_goes_where_the_provider_wants_it() {
        let cases = [
            (serde_json::json!({}), Some("Basic Zmlyc3Qra2V5OmElMkJi"), false),
            (serde_json::json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] }), None, true),
            (
                serde_json::json!({ "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"] }),
                None,
                true,
            ),
            (
                serde_json::json!({ "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"] }),
                Some("Basic Zmlyc3Qra2V5OmElMkJi"),
                false,
            ),
            (
                serde_json::json!({ "token_endpoint_auth_methods_supported": null }),
                Some("Basic Zmlyc3Qra2V5OmElMkJi"),
                false,
            ),
        ];
        for (more, header, in_form) in cases {
            let endpoints = Endpoints::from_discovery(document(&more), "https://issuer.example").unwrap();
            let form = flow(Some("a+b")).form(&endpoints, "code", "verifier");
            assert_eq!(form.authorization.as_deref(), header);
            assert_eq!(form.body.contains("client_secret=a%2Bb"), in_form, "{}", form.body);
            let form = flow(None).form(&endpoints, "code", "verifier");
            assert_eq!(form.authorization, None);
            assert!(!form.body.contains("client_secret") && form.body.contains("client_id=first+key"));
        }
    }

    #[test]
    fn an_endpoint_without_tls_is_not_used() {
        for (name, address) in
            [("token_endpoint", "http://issuer.example/token"), ("authorization_endpoint", "nowhere")]
        {
            let document = document(&serde_json::json!({ name: address }));
            assert!(Endpoints::from_discovery(document, "https://issuer.example").is_none(), "{name}");
        }
        let end = serde_json::json!({ "end_session_endpoint": "http://issuer.example/end" });
        assert!(Endpoints::from_discovery(document(&end), "https://issuer.example").unwrap().end_session.is_none());
    }

    #[test]
    fn errors_about_the_code_and_about_the_client_are_distinguished() {
        let code = |body: &str| refused(body.as_bytes()).code();
        assert_eq!(code(r#"{"error":"invalid_grant"}"#), ProblemCode::NotSignedIn);
        assert_eq!(code(r#"{"error":"invalid_request"}"#), ProblemCode::InvalidRequest);
        for body in [r#"{"error":"invalid_client"}"#, r#"{"error":"canary"}"#, "", "canary"] {
            assert_eq!(code(body), ProblemCode::Internal, "{body}");
            assert!(!refused(body.as_bytes()).cause().unwrap().contains("canary"));
        }
    }
}
