//! Sign-ins to the demo product, by a provider that answers as each test says.

use std::{
    error::Error,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use bytes::Bytes;
use demo_product::{Options, Product};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use provider::{Algorithm, Provider};
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Outcome = Result<(), Box<dyn Error>>;

const CLIENT: &str = "contoso-online-suite";

/// A provider, which signs the claims that a test chooses.
struct Fake {
    keys: Provider,
    url: String,
    claims: Mutex<Value>,
    /// The header `Authorization` and the form of the last request for a token.
    asked: Mutex<(String, String)>,
}

/// The demo product and its provider.
struct Site {
    fake: Arc<Fake>,
    origin: String,
    _product: Product,
}

/// A sign-in that has begun: the parameters of the request, and the cookie of the browser.
struct Begun {
    query: Vec<(String, String)>,
    cookie: String,
}

impl Begun {
    fn get(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

impl Site {
    async fn start() -> Result<Self, Box<dyn Error>> {
        let client = provider::Client { id: CLIENT.into(), redirect_origin: String::new(), claims: Value::Null };
        let options = provider::Options { clients: vec![client], data: None, seconds_ahead: Arc::default() };
        let keys = Provider::start(TcpListener::bind("127.0.0.1:0").await?, options).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let fake = Arc::new(Fake { keys, url, claims: Mutex::default(), asked: Mutex::default() });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .with_state(Arc::clone(&fake));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let (issuer, secret) = (fake.url.clone(), "se:cret".to_owned());
        let options = Options { issuer, client_id: CLIENT.into(), secret, origin: origin.clone() };
        Ok(Self { fake, origin, _product: Product::start(listener, options) })
    }

    async fn get(&self, path: &str, cookie: &str) -> Result<Response<Bytes>, Box<dyn Error>> {
        let request = Request::get(format!("{}{path}", self.origin)).header(header::COOKIE, cookie);
        send(request.body(Full::default())?).await
    }

    /// Begins a sign-in, whose ID token will have the claims of an administrator, changed by this patch.
    async fn begin(&self, wish: &str, patch: &Value) -> Result<Begun, Box<dyn Error>> {
        let answer = self.get(&format!("/sign-in{wish}"), "").await?;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let location = header(&answer, header::LOCATION);
        let (endpoint, query) = location.split_once('?').ok_or("no query")?;
        assert_eq!(endpoint, format!("{}/authorize", self.fake.url));
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let begun = Begun { query, cookie: cookie(&answer) };
        let now = self.fake.keys.claims(&provider::Person::default())["iat"].as_u64().ok_or("no time")?;
        let mut claims = json!({
            "iss": self.fake.url, "aud": CLIENT, "sub": "account-1", "iat": now, "exp": now + 300, "auth_time": now - 30,
            "nonce": begun.get("nonce"), "name": "Lee <Ahmadi>", "company_name": "Fabrikam, Inc.",
            "product": "Contoso Online Suite", "roles": ["administrator"],
        });
        for (name, value) in patch.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        *self.fake.claims.lock().expect("no test panics here") = claims;
        Ok(begun)
    }

    /// Goes on with the answer of the provider.
    async fn answer(&self, begun: &Begun, patch: &[(&str, &str)]) -> Result<Response<Bytes>, Box<dyn Error>> {
        let mut answer = vec![("code", "the-code"), ("state", begun.get("state")), ("iss", self.fake.url.as_str())];
        for (name, value) in patch {
            answer.retain(|(key, _)| key != name);
            answer.push((*name, *value));
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(answer).finish();
        self.get(&format!("/callback?{query}"), &begun.cookie).await
    }
}

async fn discovery(State(fake): State<Arc<Fake>>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", fake.url);
    Json(json!({
        "issuer": fake.url, "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"), "jwks_uri": at("/jwks"),
    }))
}

async fn jwks(State(fake): State<Arc<Fake>>) -> Json<Value> {
    Json(fake.keys.jwks())
}

async fn token(State(fake): State<Arc<Fake>>, headers: HeaderMap, form: String) -> Json<Value> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    *fake.asked.lock().expect("no test panics here") = (authorization.to_owned(), form);
    let claims = fake.claims.lock().expect("no test panics here").clone();
    Json(json!({ "id_token": fake.keys.sign(Algorithm::Rs256, &Value::Null, &claims) }))
}

async fn send(request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Box<dyn Error>> {
    let (parts, body) = Client::builder(TokioExecutor::new()).build_http().request(request).await?.into_parts();
    Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
}

fn header(answer: &Response<Bytes>, name: header::HeaderName) -> String {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// Returns the cookie that an answer sets, as the browser sends it.
fn cookie(answer: &Response<Bytes>) -> String {
    header(answer, header::SET_COOKIE).split(';').next().unwrap_or_default().to_owned()
}

fn text(answer: &Response<Bytes>) -> String {
    String::from_utf8_lossy(answer.body()).into_owned()
}

#[tokio::test]
async fn an_administrator_signs_in_and_out() -> Outcome {
    let site = Site::start().await?;
    assert!(text(&site.get("/", "").await?).contains("href=\"/sign-in\""));
    let begun = site.begin("", &Value::Null).await?;
    assert_eq!(begun.get("scope"), "openid profile email");
    assert_eq!(begun.get("redirect_uri"), format!("{}/callback", site.origin));
    assert_eq!((begun.get("prompt"), begun.get("max_age")), ("", ""));
    let answer = site.answer(&begun, &[]).await?;
    assert_eq!((answer.status(), header(&answer, header::LOCATION)), (StatusCode::SEE_OTHER, "/".to_owned()));
    let set = header(&answer, header::SET_COOKIE);
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
    let (authorization, form) = site.fake.asked.lock().expect("no test panics here").clone();
    // Both halves are encoded as in a form, and then in base64: `contoso-online-suite:se%3Acret`.
    assert_eq!(authorization, "Basic Y29udG9zby1vbmxpbmUtc3VpdGU6c2UlM0FjcmV0");
    assert!(form.starts_with("grant_type=authorization_code&code=the-code&redirect_uri="), "{form}");

    let session = cookie(&answer);
    let home = text(&site.get("/", &session).await?);
    assert!(home.contains("Lee &lt;Ahmadi&gt;") && home.contains("Fabrikam, Inc."), "{home}");
    let sign_out = Request::post(format!("{}/sign-out", site.origin)).header(header::COOKIE, &session);
    assert_eq!(send(sign_out.body(Full::default())?).await?.status(), StatusCode::SEE_OTHER);
    assert!(!text(&site.get("/", &session).await?).contains("Ahmadi"));
    Ok(())
}

#[tokio::test]
async fn an_answer_counts_once_and_only_in_the_browser_and_from_the_provider_that_was_asked() -> Outcome {
    let site = Site::start().await?;
    let begun = site.begin("", &Value::Null).await?;
    let other = Begun { cookie: String::new(), query: begun.query.clone() };
    assert_eq!(site.answer(&other, &[]).await?.status(), StatusCode::BAD_REQUEST, "another browser");
    assert_eq!(site.answer(&begun, &[("state", "another")]).await?.status(), StatusCode::BAD_REQUEST);
    assert_eq!(site.answer(&begun, &[]).await?.status(), StatusCode::SEE_OTHER);
    assert_eq!(site.answer(&begun, &[]).await?.status(), StatusCode::BAD_REQUEST, "the second time");
    let begun = site.begin("", &Value::Null).await?;
    let foreign = site.answer(&begun, &[("iss", "https://evil.example")]).await?;
    assert_eq!(foreign.status(), StatusCode::BAD_REQUEST);
    Ok(())
}

#[tokio::test]
async fn an_error_of_the_provider_is_shown_and_starts_no_session() -> Outcome {
    let site = Site::start().await?;
    let begun = site.begin("?prompt=none", &Value::Null).await?;
    assert_eq!(begun.get("prompt"), "none");
    let answer = site.answer(&begun, &[("error", "login_required")]).await?;
    assert_eq!((answer.status(), header(&answer, header::SET_COOKIE)), (StatusCode::OK, String::new()));
    assert!(text(&answer).contains("login_required"));
    assert!(site.fake.asked.lock().expect("no test panics here").1.is_empty(), "no code is redeemed");
    Ok(())
}

#[tokio::test]
async fn an_id_token_that_is_not_for_this_sign_in_is_refused() -> Outcome {
    let site = Site::start().await?;
    for (wish, patch, accepted) in [
        ("?max_age=60", json!({}), true),
        ("?max_age=10", json!({}), false),
        ("?prompt=login", json!({}), false),
        ("", json!({ "nonce": "another" }), false),
        ("", json!({ "aud": "another" }), false),
        ("", json!({ "iss": "https://evil.example" }), false),
        ("", json!({ "exp": 1_000_000_000 }), false),
        ("", json!({ "iat": 1_000_000_000 }), false),
        ("", json!({ "auth_time": null }), false),
    ] {
        let begun = site.begin(wish, &patch).await?;
        let answer = site.answer(&begun, &[]).await?;
        let expected = if accepted { StatusCode::SEE_OTHER } else { StatusCode::BAD_GATEWAY };
        assert_eq!(answer.status(), expected, "{wish} {patch}: {}", text(&answer));
    }
    Ok(())
}
