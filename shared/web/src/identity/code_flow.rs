//! The code flow of OpenID Connect Core, 3.1, with PKCE (RFC 7636).
//!
//! It needs only two requests and one address, so it is implemented here over the TLS stack that the function already has. A library for
//! OAuth would add twenty crates and an HTTP client of its own.

use std::{sync::Arc, time::Duration};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use domain::{ClientSecret, Timestamp};
use form_urlencoded::{Serializer, byte_serialize};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::time::timeout_at;

use super::{
    ClientSecretSource, Deadline, Identity, OperatorIdentity, Site,
    discovery::{self, Failure, Form},
    endpoints::{Endpoints, SecretPlace},
    known_providers, operators,
    provider::Provider,
    settings::RelyingParty,
    verifier::Verifier,
};
use crate::problem::{Problem, ProblemCode};

/// The claims that the ID token of a customer should have (OpenID Connect Core, 5.5). Some providers keep them for the userinfo endpoint,
/// which is not asked: functions trust signatures, and its answer has none.
const CLAIMS: &str = r#"{"id_token":{"email":null,"email_verified":null}}"#;

/// This application as a client of the provider. It has no `Debug`, because it may hold a secret.
pub struct CodeFlow {
    party: RelyingParty,
    client_secret: Option<ClientSecretSource>,
    /// The claims that the ID token should have, as JSON.
    claims: String,
    logout_hint: LogoutHint,
    provider: Arc<Provider>,
}

/// The values that tie an answer of the provider to the browser that was sent there. Each has 256 random bits in base64url that only that
/// browser knows. It has no `Debug`.
pub(crate) struct Ties {
    /// The value that returns beside the code.
    pub(crate) state: String,
    /// The value that returns in the ID token.
    pub(crate) nonce: String,
    /// The PKCE verifier, which redeems the code.
    pub(crate) verifier: String,
}

/// The request that a sign-in makes of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) account: AccountChoice,
    /// Whether an operator is about to decide an approval, which needs a recent sign-in at the provider.
    pub(crate) is_for_decision: bool,
    /// Whether the operator signs in at the provider even if they are signed in there.
    pub(crate) asks_to_sign_in: bool,
}

impl Asked {
    /// Returns how long ago an operator may have signed in at the provider.
    pub(crate) fn longest_age(self) -> Duration {
        if self.is_for_decision { operators::LONGEST_DECISION } else { operators::LONGEST_SESSION }
    }
}

impl Ties {
    /// Creates the values of a sign-in from random bits.
    pub(crate) fn new(random: fn() -> [u8; 32]) -> Self {
        let [state, nonce, verifier] = [random(), random(), random()].map(|bits| BASE64_URL_SAFE_NO_PAD.encode(bits));
        Self { state, nonce, verifier }
    }
}

/// The account at the provider that a sign-in uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountChoice {
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

impl CodeFlow {
    /// Returns the code flow of the customers' client. `client_secret` is for providers that require one in addition to PKCE.
    #[must_use]
    pub fn new(identity: &Identity, client_secret: Option<ClientSecretSource>, logout_hint: LogoutHint) -> Self {
        Self::with(&identity.verifier, CLAIMS.to_owned(), client_secret, logout_hint)
    }

    /// Returns the code flow of the operators' client, as [`new`](Self::new) does that of the customers'.
    #[must_use]
    pub fn for_operators(
        operators: &OperatorIdentity,
        client_secret: Option<ClientSecretSource>,
        logout_hint: LogoutHint,
    ) -> Self {
        Self::with(&operators.verifier, operators_claims(operators), client_secret, logout_hint)
    }

    fn with(
        verifier: &Verifier,
        claims: String,
        client_secret: Option<ClientSecretSource>,
        logout_hint: LogoutHint,
    ) -> Self {
        let (party, provider) = (verifier.party.clone(), Arc::clone(&verifier.provider));
        Self { party, client_secret, claims, logout_hint, provider }
    }

    pub(crate) fn site(&self) -> Site {
        self.party.site
    }

    /// Returns the origin of the site.
    pub(crate) fn origin(&self) -> &str {
        &self.party.origin
    }

    /// Checks the issuer that an answer names (RFC 9207). It must be ours, and may be missing only where the provider does not promise it.
    pub(crate) async fn check_issuer(
        &self,
        named: Option<&str>,
        deadline: Deadline,
        now: Timestamp,
    ) -> Result<(), Problem> {
        match named {
            Some(issuer) if issuer == self.party.issuer => Ok(()),
            Some(_) => Err(wrong_issuer("the answer names another issuer")),
            None if self.endpoints(deadline, now).await?.names_issuer => {
                Err(wrong_issuer("the answer names no issuer"))
            }
            None => Ok(()),
        }
    }

    /// Returns the address that starts a sign-in at the provider.
    pub(crate) async fn address(
        &self,
        ties: &Ties,
        asked: Asked,
        deadline: Deadline,
        now: Timestamp,
    ) -> Result<String, Problem> {
        let endpoints = self.endpoints(deadline, now).await?;
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(ties.verifier.as_bytes()));
        let mut query = Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.party.client_id)
            .append_pair("redirect_uri", &self.callback())
            .append_pair("scope", self.site().scope())
            .append_pair("state", &ties.state)
            .append_pair("nonce", &ties.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        if endpoints.takes_claims {
            query.append_pair("claims", &self.claims);
        }
        if self.site() == Site::Desk {
            query.append_pair("max_age", &asked.longest_age().as_secs().to_string());
        }
        if asked.asks_to_sign_in {
            query.append_pair("prompt", "login");
        } else if asked.account == AccountChoice::Ask {
            query.append_pair("prompt", endpoints.other_account);
        }
        Ok(with_query(&endpoints.authorization, &query.finish()))
    }

    /// Gets what an exchange needs besides the code: the provider's addresses, and the client secret where the provider takes one. A failure
    /// leaves the code unused.
    pub(crate) async fn prepare(&self, deadline: Deadline, now: Timestamp) -> Result<(), Problem> {
        let endpoints = self.endpoints(deadline, now).await?;
        self.secret(&endpoints, deadline, now).await.map(drop)
    }

    /// Exchanges a code for an ID token, which is not verified yet. There is no retry, since a code works once, except with the client secret
    /// that has replaced a refused one: a provider authenticates the client before it looks at the code.
    ///
    /// Fails with `not-signed-in` if the provider does not know the code, with `unavailable` if it does not answer or asks to come back,
    /// and with `internal` for any other answer.
    pub(crate) async fn redeem(
        &self,
        code: &str,
        verifier: &str,
        deadline: Deadline,
        now: Timestamp,
    ) -> Result<String, Problem> {
        let endpoints = self.endpoints(deadline, now).await?;
        let secret = self.secret(&endpoints, deadline, now).await?;
        let answer = Answer::to(self.form(&endpoints, code, verifier, secret.as_deref()), deadline).await?;
        if answer.refuses_client()
            && let (Some(source), Some(refused)) = (&self.client_secret, &secret)
            && let Some(replacement) = source.replacement(refused, deadline, now).await?
        {
            return Answer::to(self.form(&endpoints, code, verifier, Some(&replacement)), deadline)
                .await?
                .into_token(self.site());
        }
        answer.into_token(self.site())
    }

    /// Returns the client secret if there is one and the provider takes it.
    async fn secret(
        &self,
        endpoints: &Endpoints,
        deadline: Deadline,
        now: Timestamp,
    ) -> Result<Option<Arc<ClientSecret>>, Problem> {
        match &self.client_secret {
            Some(source) if endpoints.secret_place.is_some() => source.current(deadline, now).await.map(Some),
            _ => Ok(None),
        }
    }

    /// Returns whether the provider's sign-out gets the ID token as `id_token_hint`, and refuses a request without it.
    pub(crate) fn sends_logout_hint(&self) -> bool {
        self.logout_hint == LogoutHint::Always || known_providers::is_okta(&self.party.issuer)
    }

    /// Returns the address that also signs the customer out at the provider and returns here. `None` if the provider has none, demands a
    /// hint that is missing, or is unavailable.
    pub(crate) async fn end_session_address(&self, hint: Option<&str>, now: Timestamp) -> Option<String> {
        if self.sends_logout_hint() && hint.is_none() {
            return None;
        }
        let endpoints = self.endpoints(Deadline::start(), now).await.ok()?;
        let back = format!("{}{}", self.party.origin, self.party.site.home());
        let mut query = Serializer::new(String::new());
        query.append_pair("client_id", &self.party.client_id).append_pair("post_logout_redirect_uri", &back);
        // Cognito requires this parameter instead; others ignore it:
        // https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html
        query.append_pair("logout_uri", &back);
        if let Some(hint) = hint.filter(|_| self.sends_logout_hint()) {
            query.append_pair("id_token_hint", hint);
        }
        Some(with_query(endpoints.end_session.as_deref()?, &query.finish()))
    }

    #[expect(clippy::disallowed_methods, reason = "here the secret is sent to the provider")]
    fn form(&self, endpoints: &Endpoints, code: &str, verifier: &str, secret: Option<&ClientSecret>) -> Form {
        let mut body = Serializer::new(String::new());
        body.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.callback())
            .append_pair("client_id", &self.party.client_id)
            .append_pair("code_verifier", verifier);
        let mut authorization = None;
        match secret.map(ClientSecret::expose_secret) {
            Some(secret) if endpoints.secret_place == Some(SecretPlace::Form) => {
                body.append_pair("client_secret", secret);
            }
            // RFC 6749, 2.3.1: both halves are encoded as in a form before they are joined.
            Some(secret) => {
                let [id, secret] = [self.party.client_id.as_str(), secret]
                    .map(|half| byte_serialize(half.as_bytes()).collect::<String>());
                authorization = Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}"))));
            }
            None => {}
        }
        Form { address: endpoints.token.clone(), authorization, body: body.finish() }
    }

    fn callback(&self) -> String {
        format!("{}{}", self.party.origin, self.party.site.callback())
    }

    async fn endpoints(&self, deadline: Deadline, now: Timestamp) -> Result<Arc<Endpoints>, Problem> {
        self.provider.endpoints(deadline, now).await
    }
}

/// Returns the claims that the ID token of an operator should have: when they signed in, the role, the subject, and what other operators
/// read.
fn operators_claims(operators: &OperatorIdentity) -> String {
    let mut claims = Map::from_iter(["email", "name"].map(|name| (name.to_owned(), Value::Null)));
    for name in [&operators.role.claim, &operators.verifier.party.subject_claim] {
        if name != "sub" {
            claims.insert(name.clone(), Value::Null);
        }
    }
    claims.insert("auth_time".to_owned(), json!({ "essential": true }));
    json!({ "id_token": claims }).to_string()
}

fn with_query(address: &str, query: &str) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}{query}")
}

/// The answer of the token endpoint. It has no `Debug`, because it may hold a token.
struct Answer {
    status: u16,
    document: Vec<u8>,
}

impl Answer {
    /// Sends a form, and returns the answer to it.
    async fn to(form: Form, deadline: Deadline) -> Result<Self, Problem> {
        let answer = timeout_at(deadline.0, discovery::post(form)).await.unwrap_or(Err(Failure::TimedOut));
        let (status, document) = answer?;
        Ok(Self { status, document })
    }

    /// Returns whether the provider does not accept how this client authenticates.
    fn refuses_client(&self) -> bool {
        matches!(self.status, 400 | 401) && parse_error(&self.document) == "invalid_client"
    }

    fn into_token(self, site: Site) -> Result<String, Problem> {
        match self.status {
            200 => parse_token(&self.document).ok_or_else(|| defect("the provider gave no ID token for a code")),
            status @ (408 | 425 | 429) => Err(Failure::Status(status).into()),
            400..500 => Err(refused(&self.document, site)),
            other => Err(Failure::Status(other).into()),
        }
    }
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
fn refused(document: &[u8], site: Site) -> Problem {
    let client_id = site.setting_names().client_id;
    match parse_error(document).as_str() {
        "invalid_grant" => Problem::new(ProblemCode::NotSignedIn).because("the provider does not know the code"),
        "invalid_request" => {
            Problem::new(ProblemCode::InvalidRequest).because("the provider does not accept the request")
        }
        "invalid_client" => {
            defect(format!("the provider does not accept {client_id} with this secret, or without one"))
        }
        "unauthorized_client" => defect(format!("the provider does not let {client_id} use codes")),
        _ => defect("the provider does not accept how a code is redeemed"),
    }
}

/// Returns the code of an error response, or an empty text.
fn parse_error(document: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Answer {
        error: String,
    }
    serde_json::from_slice::<Answer>(document).map(|answer| answer.error).unwrap_or_default()
}

fn defect(why: impl Into<String>) -> Problem {
    Problem::new(ProblemCode::Internal).because(why.into())
}

/// Returns the problem of an answer that does not come from our issuer.
fn wrong_issuer(cause: &'static str) -> Problem {
    Problem::new(ProblemCode::NotSignedIn).because(cause)
}

#[cfg(test)]
mod tests {
    use domain::ProviderMetadata;
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::identity::{IdentitySettings, OperatorSettings};

    fn nothing(_: String) -> BoxFuture<'static, Result<Option<ProviderMetadata>, Problem>> {
        Box::pin(async { Ok(None) })
    }

    fn flow() -> CodeFlow {
        let settings = IdentitySettings {
            issuer: "https://issuer.example".into(),
            client_id: "first key".into(),
            public_origin: "https://portal.example".into(),
            ..IdentitySettings::default()
        };
        CodeFlow::new(&Identity::new(settings, nothing).unwrap(), None, LogoutHint::IfKnown)
    }

    fn endpoints(more: &serde_json::Value) -> Endpoints {
        let mut all = serde_json::json!({
            "issuer": "https://issuer.example", "jwks_uri": "https://issuer.example/keys",
            "authorization_endpoint": "https://issuer.example/authorize?tenant=1",
            "token_endpoint": "https://issuer.example/token",
        });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Endpoints::from_discovery(serde_json::from_value(all).unwrap()).unwrap()
    }

    #[test]
    fn the_id_token_of_an_operator_should_say_what_the_desk_reads() {
        let settings = OperatorSettings {
            issuer: "https://issuer.example".into(),
            client_id: "desk".into(),
            desk_origin: "https://desk.example".into(),
            role: "groups=cn=support".into(),
            subject_claim: Some("oid".into()),
            customers: (None, None),
        };
        let operators = OperatorIdentity::new(settings, nothing).unwrap();
        let flow = CodeFlow::for_operators(&operators, None, LogoutHint::IfKnown);
        let expected =
            r#"{"id_token":{"auth_time":{"essential":true},"email":null,"groups":null,"name":null,"oid":null}}"#;
        assert_eq!(flow.claims, expected);
        assert_eq!(flow.callback(), "https://desk.example/desk/auth/callback");
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
            let endpoints = endpoints(&more);
            let secret = ClientSecret::parse("a+b").ok().unwrap();
            let form = flow().form(&endpoints, "code", "verifier", Some(&secret));
            assert_eq!(form.authorization.as_deref(), header);
            assert_eq!(form.body.contains("client_secret=a%2Bb"), in_form, "{}", form.body);
            let form = flow().form(&endpoints, "code", "verifier", None);
            assert_eq!(form.authorization, None);
            assert!(!form.body.contains("client_secret") && form.body.contains("client_id=first+key"));
        }
    }

    #[test]
    fn errors_about_the_code_and_about_the_client_are_distinguished() {
        let code = |body: &str| refused(body.as_bytes(), Site::Portal).code();
        assert_eq!(code(r#"{"error":"invalid_grant"}"#), ProblemCode::NotSignedIn);
        assert_eq!(code(r#"{"error":"invalid_request"}"#), ProblemCode::InvalidRequest);
        for body in [r#"{"error":"invalid_client"}"#, r#"{"error":"canary"}"#, "", "canary"] {
            assert_eq!(code(body), ProblemCode::Internal, "{body}");
            assert!(!refused(body.as_bytes(), Site::Portal).cause().unwrap().contains("canary"));
        }
    }
}
