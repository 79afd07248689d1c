//! An OpenID Connect provider for development: the code flow of a public client with PKCE (RFC 6749, RFC 7636, OpenID
//! Connect Core 1.0), a sign-in page that accepts any e-mail address, and `POST /dev/token` for scripts.
//!
//! The provider does not verify identities; it accepts what a person claims. It listens on loopback, redirects only to the
//! origins of the clients in its [`Options`], and does not let scripts of other origins read its answers. A token of one client never has
//! another one's audience or claims.

mod authorize;
mod codes;
mod dev_token;
mod keys;
mod oddities;
mod page;
mod person;
mod redirect;
mod token;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

use self::{
    codes::{Codes, Grant},
    keys::Keys,
};
pub use self::{
    keys::Algorithm,
    oddities::{Oddities, TokenAnswer, TokenOddities},
    person::Person,
};

/// The lifetime of an ID token in seconds, the same as at Okta, Auth0 and Google.
const TOKEN_LIFETIME_SECONDS: u64 = 3600;

/// The options of a provider.
#[derive(Debug, Clone)]
pub struct Options {
    /// The only clients that may request codes, each the audience of its own ID tokens. The first one is that of tokens without a client.
    pub clients: Vec<Client>,
    /// The directory that preserves the signing keys. Without one, every start generates new keys.
    pub data: Option<PathBuf>,
    /// How many seconds the provider's clock is ahead of the machine's. The number can be shared with another clock.
    pub seconds_ahead: Arc<AtomicI64>,
}

/// An application that people sign in to.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client id.
    pub id: String,
    /// The only origin, such as `http://localhost:9000`, to which the provider redirects after sign-in and sign-out.
    pub redirect_origin: String,
    /// An object of claims that each of the client's tokens has, such as a role; null for none.
    pub claims: Value,
}

/// A running provider, which stops when it is dropped.
#[derive(Debug)]
pub struct Provider {
    issuer: Arc<Issuer>,
    server: JoinHandle<io::Result<()>>,
}

impl Provider {
    /// Generates signing keys in a directory, for providers that start there later.
    pub fn generate_keys(directory: &Path) -> io::Result<()> {
        Keys::read_or_generate(directory).map(drop)
    }

    /// Starts a provider on `listener`, whose address becomes the issuer's.
    pub async fn start(listener: TcpListener, options: Options) -> io::Result<Self> {
        let data = options.data.clone();
        let keys =
            spawn_blocking(move || data.map_or_else(Keys::generate, |directory| Keys::read_or_generate(&directory)));
        let keys = keys.await??;
        let url = format!("http://{}", listener.local_addr()?);
        let issuer = Arc::new(Issuer {
            url,
            keys,
            options,
            codes: Mutex::default(),
            token_oddities: Mutex::default(),
            oddities: Mutex::default(),
            user_agents: Mutex::default(),
        });
        let router = router(Arc::clone(&issuer));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { issuer, server })
    }

    /// Returns the issuer exactly as in the discovery document and the tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer.url
    }

    /// Stops the endpoints: every later connection is refused. Tokens can still be issued, as to a person who had signed in before.
    pub fn stop(&self) {
        self.server.abort();
    }

    /// Moves the clock forward, by which tokens and codes are issued and expire.
    pub fn advance_clock(&self, seconds: i64) {
        self.issuer.options.seconds_ahead.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Returns the key set that `jwks_uri` serves.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.issuer.keys.jwks(&self.issuer.token_oddities())
    }

    /// Returns the claims of a new ID token for `person`, which is valid for an hour.
    #[must_use]
    pub fn claims(&self, person: &Person) -> Value {
        self.issuer.claims(self.issuer.client_of(person), person, None)
    }

    /// Issues an ID token for `person`, as `POST /dev/token` does.
    #[must_use]
    pub fn token(&self, person: &Person) -> String {
        self.issuer.token(self.issuer.client_of(person), person, None)
    }

    /// Issues an ID token with exactly these claims.
    #[must_use]
    pub fn token_with_claims(&self, claims: &Value) -> String {
        self.issuer.sign(None, claims)
    }

    /// Sets claims that are merged into every token from now on. They override the token's own claims; null removes a claim.
    pub fn add_claims(&self, claims: Value) {
        self.set_token_oddities(TokenOddities { claims, ..self.issuer.token_oddities() });
    }

    /// Sets what is odd about the tokens and keys from now on.
    pub fn set_token_oddities(&self, oddities: TokenOddities) {
        if let Ok(mut held) = self.issuer.token_oddities.lock() {
            *held = oddities;
        }
    }

    /// Sets how the endpoints differ from those of other providers, from now on.
    pub fn set_oddities(&self, oddities: Oddities) {
        if let Ok(mut current) = self.issuer.oddities.lock() {
            *current = oddities;
        }
    }

    /// Returns the path of each request so far, with the name that the client gives itself in `User-Agent`.
    #[must_use]
    pub fn user_agents(&self) -> Vec<(String, String)> {
        self.issuer.user_agents.lock().map(|all| all.clone()).unwrap_or_default()
    }

    /// Signs any claims, to create tokens that a verifier must reject. `header` is merged into `alg`, `typ` and `kid`; null
    /// removes a field.
    #[must_use]
    pub fn sign(&self, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
        self.issuer.keys.sign(algorithm, &[header], claims)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Debug)]
struct Issuer {
    url: String,
    keys: Keys,
    options: Options,
    codes: Mutex<Codes>,
    oddities: Mutex<Oddities>,
    token_oddities: Mutex<TokenOddities>,
    user_agents: Mutex<Vec<(String, String)>>,
}

impl Issuer {
    fn oddities(&self) -> Oddities {
        self.oddities.lock().expect("no holder of this lock panics").clone()
    }

    fn client(&self, id: &str) -> Option<&Client> {
        self.options.clients.iter().find(|client| client.id == id)
    }

    /// Returns the client that a person names, else the first one.
    fn client_of(&self, person: &Person) -> &Client {
        let named = person.client.as_deref().and_then(|id| self.client(id));
        named.or(self.options.clients.first()).expect("the provider has a client")
    }

    fn token(&self, client: &Client, person: &Person, grant: Option<&Grant>) -> String {
        self.sign(person.alg, &self.claims(client, person, grant))
    }

    /// Returns the seconds since the epoch, by the provider's clock.
    fn seconds(&self) -> u64 {
        machine_seconds().saturating_add(self.seconds_ahead())
    }

    fn sign(&self, algorithm: Option<Algorithm>, claims: &Value) -> String {
        let odd = self.token_oddities();
        self.keys.sign(algorithm.or(odd.algorithm).unwrap_or_default(), &[&odd.header], claims)
    }

    fn token_oddities(&self) -> TokenOddities {
        self.token_oddities.lock().expect("no holder of this lock panics").clone()
    }

    fn seconds_ahead(&self) -> u64 {
        self.options.seconds_ahead.load(Ordering::SeqCst).try_into().unwrap_or(0)
    }

    /// Returns the present on the time line of codes.
    fn instant(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(Duration::from_secs(self.seconds_ahead())).unwrap_or(now)
    }

    /// Returns the claims of a token: for a code its grant says when the person signed in and for which request, and any other token says
    /// that they sign in now, and has a nonce as that of a browser has.
    fn claims(&self, client: &Client, person: &Person, grant: Option<&Grant>) -> Value {
        let now = self.seconds();
        let mut claims = json!({
            "iss": self.url,
            "aud": client.id,
            "sub": person.subject(),
            "auth_time": grant.map_or(now, |grant| grant.signed_in_at),
            "iat": now,
            "exp": now + TOKEN_LIFETIME_SECONDS,
            "email": person.email,
            "email_verified": person.email_verified.unwrap_or(true),
        });
        if let Some(nonce) = grant.map_or(Some("development"), |grant| grant.nonce.as_deref()) {
            claims["nonce"] = nonce.into();
        }
        merge(&mut claims, &client.claims);
        merge(&mut claims, &self.token_oddities().claims);
        merge(&mut claims, &person.claims);
        claims
    }
}

fn router(issuer: Arc<Issuer>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(jwks))
        .route("/authorize", get(authorize::ask).post(authorize::grant))
        .route("/token", post(token::redeem))
        .route("/sign-out", get(authorize::sign_out))
        .route("/dev/token", post(dev_token::mint))
        .layer(from_fn_with_state(Arc::clone(&issuer), note_user_agent))
        .with_state(issuer)
}

async fn note_user_agent(State(issuer): State<Arc<Issuer>>, request: Request, next: Next) -> Response {
    let name = request.headers().get(header::USER_AGENT).and_then(|name| name.to_str().ok()).unwrap_or_default();
    let noted = (request.uri().path().to_owned(), name.to_owned());
    issuer.user_agents.lock().expect("no holder of this lock panics").push(noted);
    next.run(request).await
}

async fn jwks(State(issuer): State<Arc<Issuer>>) -> Result<Json<Value>, StatusCode> {
    let oddities = issuer.oddities();
    sleep(oddities.keys_delay).await;
    oddities.refuse_metadata()?;
    Ok(Json(issuer.keys.jwks(&issuer.token_oddities())))
}

async fn discovery(State(issuer): State<Arc<Issuer>>) -> Result<Json<Value>, StatusCode> {
    let oddities = issuer.oddities();
    sleep(oddities.discovery_delay).await;
    oddities.refuse_metadata()?;
    let url = &issuer.url;
    let mut document = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"),
        "end_session_endpoint": format!("{url}/sign-out"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": Algorithm::ALL,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": ["openid", "email", "profile"],
        "claims_supported": ["iss", "aud", "sub", "iat", "exp", "auth_time", "nonce", "email", "email_verified", "roles"],
        "prompt_values_supported": ["none", "login", "select_account"],
    });
    merge(&mut document, &oddities.discovery);
    Ok(Json(document))
}

/// Returns the error response of RFC 6749, section 5.2.
fn refuse(error: &str, description: &str) -> Response {
    let body = Json(json!({ "error": error, "error_description": description }));
    (StatusCode::BAD_REQUEST, [(header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// Applies a JSON merge patch (RFC 7396) to the top level of an object: null removes a field.
fn merge(target: &mut Value, patch: &Value) {
    let (Some(target), Some(patch)) = (target.as_object_mut(), patch.as_object()) else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            target.insert(name.clone(), value.clone());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the provider emulates an external service, which has its own clock")]
fn machine_seconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("the system clock is later than 1970").as_secs()
}
