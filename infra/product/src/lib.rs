//! A demo of the vendor's product for `cargo dev`: a web application to which administrators sign in by Firstkey's OpenID Provider.
//!
//! It is a confidential client of the authorization code flow with PKCE, `state` and `nonce` (OpenID Connect Core 1.0, RFC 7636), and takes
//! only answers that name the issuer (RFC 9207). It keeps its sessions in memory, with the claims of the ID token. A real
//! product has accounts, and keys them on `iss` and `sub`.
//!
//! | module | holds |
//! |---|---|
//! | `sign_in` | the beginning of a sign-in and its end in the browser |
//! | `relying_party` | what the product asks of the provider, and the verification of the ID token |
//! | `page` | the pages |

mod page;
mod relying_party;
mod sign_in;

use std::{
    collections::HashMap,
    fmt::Write as _,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::fill,
};
use axum::{
    Router,
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use self::sign_in::Attempt;

/// The cookie of a session. Ports do not separate cookies, so its name is one that no other server on this machine uses.
const SESSION: &str = "demo-product-session";

/// The options of a demo product.
pub struct Options {
    /// The issuer, which is the origin of Firstkey, such as `http://localhost:9000`.
    pub issuer: String,
    /// The client id.
    pub client_id: String,
    /// The client secret.
    pub secret: String,
    /// The origin of the product in browsers, such as `http://127.0.0.1:9005`.
    pub origin: String,
}

/// A running demo product, which stops when it is dropped.
#[derive(Debug)]
pub struct Product(JoinHandle<io::Result<()>>);

impl Product {
    /// Starts the product on `listener`. It asks the provider for nothing before the first sign-in.
    #[must_use]
    pub fn start(listener: TcpListener, options: Options) -> Self {
        let application = Application {
            options,
            client: Client::builder(TokioExecutor::new()).build_http(),
            attempts: Mutex::default(),
            sessions: Mutex::default(),
        };
        let router = Router::new()
            .route("/", get(home))
            .route("/sign-in", get(sign_in::begin))
            .route("/callback", get(sign_in::finish))
            .route("/sign-out", post(sign_out))
            .with_state(Arc::new(application));
        Self(tokio::spawn(async move { axum::serve(listener, router).await }))
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Returns a new client secret: 256 random bits in base64url.
#[must_use]
pub fn new_secret() -> String {
    random()
}

/// Returns the SHA-256 of a secret in hexadecimal, which is all that Firstkey keeps of it.
#[must_use]
pub fn secret_digest(secret: &str) -> String {
    digest(&SHA256, secret.as_bytes()).as_ref().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string never fails.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The application: its settings, its client for the provider, and its state.
struct Application {
    options: Options,
    client: Client<HttpConnector, Full<Bytes>>,
    /// The sign-ins that have begun, by their `state`.
    attempts: Mutex<HashMap<String, Attempt>>,
    /// The claims of those who are signed in, by the value of their cookie.
    sessions: Mutex<HashMap<String, Value>>,
}

impl Application {
    fn attempts(&self) -> MutexGuard<'_, HashMap<String, Attempt>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Value>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows who is signed in, or the way there.
async fn home(State(application): State<Arc<Application>>, headers: HeaderMap) -> Response {
    let session = cookie(&headers, SESSION).and_then(|id| application.sessions().get(id).cloned());
    session.map_or_else(page::start, |claims| page::home(&claims))
}

/// Ends the session here. The one at Firstkey goes on, as with every identity provider.
async fn sign_out(State(application): State<Arc<Application>>, headers: HeaderMap) -> Response {
    if let Some(id) = cookie(&headers, SESSION) {
        application.sessions().remove(id);
    }
    Redirect::to("/").into_response()
}

/// Redirects to an address and sets a cookie. A link or a redirect from another site carries it, a form of another site does not.
fn redirect(address: &str, name: &str, value: &str) -> Response {
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax");
    ([(header::SET_COOKIE, cookie)], Redirect::to(address)).into_response()
}

/// Returns the value of a cookie.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
}

/// Returns 256 random bits in base64url.
fn random() -> String {
    let mut bytes = [0; 32];
    fill(&mut bytes).expect("the operating system provides random numbers");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_digest_of_a_secret_is_a_sha_256_in_hexadecimal() {
        assert_eq!(secret_digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_ne!(new_secret(), new_secret());
    }

    #[test]
    fn a_cookie_is_found_among_those_of_other_servers() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; demo-product-session=x=y"));
        headers.append(header::COOKIE, HeaderValue::from_static("b=2"));
        assert_eq!(cookie(&headers, SESSION), Some("x=y"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        assert_eq!(cookie(&headers, "session"), None);
    }
}
