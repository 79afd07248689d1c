//! Tests of customers signing in at an OpenID Provider by other authors, `oidc-provider` of npm, whose assumptions differ from
//! those of the provider for development. They need Node.js, which `cargo verify` finds or installs.

use std::{
    collections::{BTreeMap, VecDeque},
    process::Stdio,
};

use cloud::SecretContent;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lambda_http::http::{Request, StatusCode, Uri, response};
use serde_json::Value;
use support::{Answer, Call, Deployment, TestStack, event, skip_unless_verifying};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};
use words::Language;

use crate::portal_sign_in::PendingSignIn;

const ORIGIN: &str = "http://localhost:9000";

/// The process of the provider. It ends when this value is dropped, and also when its standard input closes, however this process
/// ends.
struct SecondProvider {
    issuer: String,
    _process: Child,
    /// The output of the process, kept open because the process keeps writing and ends when its output is closed.
    _output: Lines<BufReader<ChildStdout>>,
}

impl SecondProvider {
    /// Starts the provider for a client with this secret, or for a public client. Returns `None` where checks with outside tools
    /// are skipped.
    async fn start(secret: Option<&str>) -> Option<Self> {
        Self::start_with("in-id-token", secret).await
    }

    /// Starts such a provider, with the place of the address: `in-id-token` or `on-request`.
    async fn start_with(address: &str, secret: Option<&str>) -> Option<Self> {
        if skip_unless_verifying("Node.js and packages of npm") {
            return None;
        }
        let mut command = Command::new("node");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/it/provider.mjs"));
        command
            .arg(concat!(env!("CARGO_TARGET_TMPDIR"), "/../tools/node/node_modules"))
            .args([ORIGIN, address])
            .args(secret);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut process = command.spawn().expect("Node.js is on the PATH: `cargo verify --only tools` installs it");
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = output.next_line().await.unwrap().expect("`cargo verify --only tools` installs the npm packages");
        let first: Value = serde_json::from_str(&first).unwrap();
        Some(Self { issuer: first["issuer"].as_str().unwrap().to_owned(), _process: process, _output: output })
    }

    /// Starts the product with this provider for its customers, whose keys and addresses are in the table, and with one subscription.
    async fn deployed(&self, settings: &[(&str, &str)]) -> TestStack {
        let deployment = Deployment::default().with("OIDC_ISSUER", &self.issuer).with("PUBLIC_ORIGIN", ORIGIN);
        let deployment = settings.iter().fold(deployment, |deployment, (name, value)| deployment.with(name, value));
        let stack = deployment.start().await;
        assert!(stack.refresh_keys().await, "the documents of the provider can be used");
        stack.start_subscription(event("sub-1", "trial")).await;
        stack
    }
}

/// A browser, as far as the provider sees one: it keeps cookies, follows redirects, and sends the first form of a page.
struct Browser {
    client: Client<HttpConnector, Full<VecDeque<u8>>>,
    /// The cookies by name and path.
    cookies: BTreeMap<(String, String), String>,
}

/// The place that a browser has reached after following redirects.
enum Location {
    /// A page of the provider.
    Page { status: StatusCode, address: String, html: String },
    /// An address of the application.
    Application(String),
}

impl Browser {
    fn new() -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), cookies: BTreeMap::new() }
    }

    async fn open(&mut self, address: &str) -> Location {
        self.follow("GET", address.to_owned(), String::new()).await
    }

    /// Sends the first form of a page with its hidden fields and with `fields`.
    async fn send(&mut self, page: Location, fields: &[(&str, &str)]) -> Location {
        let Location::Page { address, html, .. } = page else { panic!("the browser has left the provider") };
        let (action, hidden) = form(&html);
        let hidden = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs = hidden.chain(fields.iter().copied()).map(|(name, value)| format!("{name}={}", escaped(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        self.follow("POST", absolute(&action, &address), body).await
    }

    /// Makes a request and follows its redirects, up to the application.
    async fn follow(&mut self, mut method: &str, mut address: String, mut body: String) -> Location {
        while !address.starts_with(ORIGIN) {
            let (head, html) = self.request(method, &address, &body).await;
            let Some(location) = head.headers.get("location") else {
                return Location::Page { status: head.status, address, html };
            };
            address = absolute(location.to_str().unwrap(), &address);
            (method, body) = ("GET", String::new());
        }
        Location::Application(address)
    }

    /// Makes a single request with the cookies for its path, and keeps the cookies of the answer.
    async fn request(&mut self, method: &str, address: &str, body: &str) -> (response::Parts, String) {
        let uri: Uri = address.parse().unwrap();
        let sent = self.cookies.iter().filter(|((_, path), _)| uri.path().starts_with(path.as_str()));
        let sent: Vec<_> = sent.map(|((name, _), value)| format!("{name}={value}")).collect();
        let request = Request::builder().method(method).uri(address).header("cookie", sent.join("; "));
        let request = request.header("content-type", "application/x-www-form-urlencoded").header("accept", "text/html");
        let body = Full::new(VecDeque::from(body.to_owned().into_bytes()));
        let (head, body) = self.client.request(request.body(body).unwrap()).await.unwrap().into_parts();
        for cookie in head.headers.get_all("set-cookie") {
            self.store_cookie(cookie.to_str().unwrap());
        }
        let body = body.collect().await.unwrap().to_bytes();
        (head, String::from_utf8(body.to_vec()).unwrap())
    }

    fn store_cookie(&mut self, cookie: &str) {
        let mut parts = cookie.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let path = parts.find_map(|part| part.strip_prefix("path=")).unwrap_or("/");
        let key = (name.to_owned(), path.to_owned());
        if value.is_empty() {
            self.cookies.remove(&key)
        } else {
            self.cookies.insert(key, value.to_owned())
        };
    }

    /// Signs in with the provider's forms: first the login, then the consent.
    async fn sign_in(&mut self, location: Location, login: &str) -> Location {
        assert!(location.shows("name=\"password\""), "the provider asks for a login");
        let location = self.send(location, &[("login", login), ("password", "any")]).await;
        assert!(location.shows("value=\"consent\""), "the provider asks for consent");
        self.send(location, &[]).await
    }
}

impl Location {
    fn shows(&self, text: &str) -> bool {
        matches!(self, Self::Page { html, .. } if html.contains(text))
    }

    /// Returns the query of the application's callback.
    fn callback(&self) -> &str {
        let Self::Application(address) = self else { panic!("the browser is still at the provider") };
        address.strip_prefix("http://localhost:9000/auth/callback?").unwrap_or_else(|| panic!("{address}"))
    }
}

/// Returns the action and the hidden fields of the first form of a page.
fn form(html: &str) -> (String, Vec<(String, String)>) {
    let form = html.split_once("<form").expect("a form").1.split_once("</form>").expect("the end of the form").0;
    let action = attribute(form, "action").expect("the form has an action");
    let hidden =
        form.split("<input").skip(1).filter(|input| attribute(input, "type").is_some_and(|kind| kind == "hidden"));
    let pairs = hidden.map(|input| (attribute(input, "name").unwrap(), attribute(input, "value").unwrap()));
    (action, pairs.collect())
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split('>').next()?.split_once(&format!("{name}=\""))?.1;
    Some(value.split_once('"')?.0.replace("&amp;", "&"))
}

fn escaped(value: &str) -> String {
    value.replace('%', "%25").replace('&', "%26").replace('+', "%2B").replace('@', "%40")
}

fn absolute(address: &str, page: &str) -> String {
    if address.starts_with('/') {
        let uri: Uri = page.parse().unwrap();
        return format!("http://{}{address}", uri.authority().unwrap());
    }
    address.to_owned()
}

/// Begins a sign-in at the portal. Returns the address that the browser is sent to, and the sign-in, which binds the answer to the browser.
async fn begin_sign_in(stack: &TestStack) -> (String, PendingSignIn) {
    let sign_in = PendingSignIn::start(stack, "").await;
    (sign_in.address.clone(), sign_in)
}

/// Opens the callback of the portal with the cookie of the sign-in.
async fn open_callback(stack: &TestStack, sign_in: &PendingSignIn, query: &str) -> Answer {
    stack.call("portal", sign_in.callback(query)).await
}

/// Returns the token in the cookie of the customer.
fn token(answer: &Answer) -> Option<&str> {
    let given = answer.cookies.iter().find_map(|cookie| cookie.strip_prefix("__Host-customer="))?;
    given.split(';').next().filter(|token| !token.is_empty())
}

/// Asserts that the portal has refused an answer of the provider, with the page that says so.
fn assert_refused(answer: &Answer) {
    assert_eq!((answer.status, token(answer)), (400, None), "{answer:?}");
    let page = answer.body.as_str().unwrap();
    assert!(page.contains(Language::English.words().sign_in_stale), "{page}");
}

async fn page(stack: &TestStack, path: &str, token: &str) -> String {
    let answer = stack.call("portal", Call::get(path).cookie("__Host-customer", token)).await;
    answer.body.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_customer_signs_in_at_another_provider_sees_the_list_and_signs_out_there() {
    for secret in [None, Some("a secret, with + and %")] {
        let Some(provider) = SecondProvider::start(secret).await else { return };
        let settings = secret.map(|secret| ("OIDC_CLIENT_SECRET", secret));
        let stack = provider.deployed(settings.as_slice()).await;
        let mut browser = Browser::new();

        let (address, cookie) = begin_sign_in(&stack).await;
        let location = browser.open(&address).await;
        let back = browser.sign_in(location, "dana@fabrikam.example").await;
        let answer = open_callback(&stack, &cookie, back.callback()).await;
        assert_eq!((answer.status, answer.headers["location"].as_str()), (303, "/"), "{answer:?}");
        let token = token(&answer).expect("a session");
        let list = page(&stack, "/", token).await;
        assert!(list.contains("Contoso Online Suite") && list.contains("dana@fabrikam.example"), "{list}");
        let call = Call::get_credentials("sub-1").cookie("__Host-customer", token);
        let retrieved = stack.call("get-credentials", call.header("sec-fetch-site", "same-origin")).await;
        assert!(retrieved.password().is_some(), "{retrieved:?}");

        let location = browser.open(&begin_sign_in(&stack).await.0).await;
        assert!(location.callback().contains("code="), "the provider does not ask a person who is signed in again");
        let address = sign_out_link(&page(&stack, "/auth/signed-out", "").await, &provider.issuer);
        let location = browser.open(&address).await;
        assert!(location.shows("Do you want to sign-out"));
        let Location::Application(back) = browser.send(location, &[("logout", "yes")]).await else {
            panic!("the provider leads back to the application")
        };
        assert_eq!(back, "http://localhost:9000/");
        let location = browser.open(&begin_sign_in(&stack).await.0).await;
        assert!(location.shows("name=\"password\""), "the provider asks again after the sign-out");
    }
}

/// Returns the link to sign out at the provider from the page that follows the sign-out.
fn sign_out_link(page: &str, issuer: &str) -> String {
    let (_, rest) = page.split_once(&format!("href=\"{issuer}")).unwrap_or_else(|| panic!("{page}"));
    format!("{issuer}{}", rest.split_once('"').unwrap().0.replace("&#38;", "&"))
}

#[tokio::test]
async fn a_provider_that_keeps_the_address_for_userinfo_is_asked_to_put_it_into_the_id_token() {
    let Some(provider) = SecondProvider::start_with("on-request", None).await else { return };
    let stack = provider.deployed(&[]).await;
    let mut browser = Browser::new();
    let (address, cookie) = begin_sign_in(&stack).await;
    let location = browser.open(&address).await;
    let back = browser.sign_in(location, "dana@fabrikam.example").await;
    let answer = open_callback(&stack, &cookie, back.callback()).await;
    let list = page(&stack, "/", token(&answer).expect("a session")).await;
    assert!(list.contains("Contoso Online Suite"), "{list}");
}

#[tokio::test]
async fn an_address_that_the_provider_has_not_confirmed_gives_no_access() {
    let Some(provider) = SecondProvider::start(None).await else { return };
    let stack = provider.deployed(&[]).await;
    let mut event = event("sub-2", "trial");
    event["detail"]["portal_users"][0]["email"] = "unconfirmed@fabrikam.example".into();
    stack.start_subscription(event).await;
    let mut browser = Browser::new();
    let (address, cookie) = begin_sign_in(&stack).await;
    let location = browser.open(&address).await;
    let back = browser.sign_in(location, "unconfirmed@fabrikam.example").await;
    let answer = open_callback(&stack, &cookie, back.callback()).await;
    let list = page(&stack, "/", token(&answer).expect("the customer has a session")).await;
    assert!(
        list.contains("has not verified the address unconfirmed@fabrikam.example")
            && !list.contains("Contoso Online Suite"),
        "{list}"
    );
}

#[tokio::test]
async fn a_code_that_was_used_does_not_sign_in_again() {
    let Some(provider) = SecondProvider::start(None).await else { return };
    let stack = provider.deployed(&[]).await;
    let mut browser = Browser::new();
    let (address, cookie) = begin_sign_in(&stack).await;
    let location = browser.open(&address).await;
    let back = browser.sign_in(location, "dana@fabrikam.example").await;
    assert_eq!(open_callback(&stack, &cookie, back.callback()).await.status, 303);
    assert_refused(&open_callback(&stack, &cookie, back.callback()).await);
}

#[tokio::test]
async fn a_code_for_another_address_does_not_sign_in() {
    let Some(provider) = SecondProvider::start(None).await else { return };
    let stack = provider.deployed(&[]).await;
    let elsewhere = provider.deployed(&[("PUBLIC_ORIGIN", "http://localhost:9009")]).await;
    let mut browser = Browser::new();
    let location = browser.open(&begin_sign_in(&elsewhere).await.0).await;
    let Location::Page { status, html, .. } = location else { panic!("the provider redirected to an unknown address") };
    assert!(status == StatusCode::BAD_REQUEST && html.contains("redirect_uri"), "{status}: {html}");

    let (address, cookie) = begin_sign_in(&stack).await;
    let location = browser.open(&address).await;
    let back = browser.sign_in(location, "dana@fabrikam.example").await;
    assert_refused(&open_callback(&elsewhere, &cookie, back.callback()).await);
}

#[tokio::test]
async fn a_wrong_client_secret_is_an_internal_error_that_does_not_mention_the_secret() {
    let Some(provider) = SecondProvider::start(Some("the secret")).await else { return };
    let stack = provider.deployed(&[("OIDC_CLIENT_SECRET", "another secret")]).await;
    let mut browser = Browser::new();
    let (address, cookie) = begin_sign_in(&stack).await;
    let location = browser.open(&address).await;
    let back = browser.sign_in(location, "dana@fabrikam.example").await;
    let answer = open_callback(&stack, &cookie, back.callback()).await;
    assert_eq!((answer.status, token(&answer)), (500, None), "{answer:?}");
    assert!(!answer.body.to_string().contains("secret"), "{answer:?}");
}

/// The provider authenticates the client before it uses up the code, so the same code works with the secret that is read again.
#[tokio::test]
async fn a_rotated_client_secret_signs_in_with_the_code_that_was_refused_with_the_earlier_one() {
    const NAME: &str = "firstkey/oidc";
    let Some(provider) = SecondProvider::start(Some("the next secret")).await else { return };
    let stack = provider.deployed(&[("OIDC_CLIENT_SECRET_NAME", NAME)]).await;
    let put = |secret: &str| stack.cloud.put_secret(NAME, SecretContent::Text(secret.to_owned()));
    put("the earlier secret");
    let mut browser = Browser::new();
    let (address, cookie) = begin_sign_in(&stack).await;
    let location = browser.open(&address).await;
    let back = browser.sign_in(location, "dana@fabrikam.example").await;
    let answer = open_callback(&stack, &cookie, back.callback()).await;
    assert_eq!((answer.status, token(&answer)), (500, None), "{answer:?}");

    put("the next secret");
    let (address, cookie) = begin_sign_in(&stack).await;
    let back = browser.open(&address).await;
    let answer = open_callback(&stack, &cookie, back.callback()).await;
    assert_eq!((answer.status, token(&answer).is_some()), (303, true), "{answer:?}");
}
