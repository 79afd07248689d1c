//! The sign-in of customers at a provider that others wrote, npm's `oidc-provider`: what it takes for granted is not what ours does.
//! It needs Node.js, which `cargo verify` finds or installs.

use std::{
    collections::{BTreeMap, VecDeque},
    process::Stdio,
};

use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lambda_http::http::{Request, StatusCode, Uri, response};
use serde_json::Value;
use support::{Answer, Call, Deployment, TestStack, event, skipped};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

const ORIGIN: &str = "http://localhost:9000";

/// The provider's process. It ends when it is dropped, and with its standard input, however this process ends.
struct Elsewhere {
    issuer: String,
    _process: Child,
    /// It goes on talking, and ends where nobody listens.
    _said: Lines<BufReader<ChildStdout>>,
}

impl Elsewhere {
    /// For a client that has this secret, or none.
    async fn start(secret: Option<&str>) -> Option<Self> {
        if skipped("Node.js and packages of npm") {
            return None;
        }
        let mut command = Command::new("node");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/it/provider.mjs"));
        command.arg(concat!(env!("CARGO_TARGET_TMPDIR"), "/../tools/node/node_modules")).arg(ORIGIN).args(secret);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut process = command.spawn().expect("Node.js is on the PATH: `cargo verify --only tools` installs it");
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = said.next_line().await.unwrap().expect("what it needs is installed by `cargo verify --only tools`");
        let first: Value = serde_json::from_str(&first).unwrap();
        Some(Self { issuer: first["issuer"].as_str().unwrap().to_owned(), _process: process, _said: said })
    }

    /// The product, with the customers of this provider and one subscription.
    async fn deployed(&self, settings: &[(&str, &str)]) -> TestStack {
        let deployment = Deployment::default().with("OIDC_ISSUER", &self.issuer).with("PUBLIC_ORIGIN", ORIGIN);
        let deployment = settings.iter().fold(deployment, |deployment, (name, value)| deployment.with(name, value));
        let stack = deployment.start().await;
        stack.started(event("sub-1", "trial")).await;
        stack
    }
}

/// A browser, as far as the provider sees one: it keeps cookies, follows redirects, and sends the first form of a page.
struct Browser {
    client: Client<HttpConnector, Full<VecDeque<u8>>>,
    /// By name and path.
    cookies: BTreeMap<(String, String), String>,
}

/// Where a browser has come to.
enum At {
    /// A page of the provider.
    Page { status: StatusCode, address: String, html: String },
    /// An address of the application.
    Application(String),
}

impl Browser {
    fn new() -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), cookies: BTreeMap::new() }
    }

    async fn open(&mut self, address: &str) -> At {
        self.follow("GET", address.to_owned(), String::new()).await
    }

    /// Sends the first form of a page: what is hidden in it, and these fields.
    async fn send(&mut self, page: At, fields: &[(&str, &str)]) -> At {
        let At::Page { address, html, .. } = page else { panic!("the browser has left the provider") };
        let (action, hidden) = form(&html);
        let hidden = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs = hidden.chain(fields.iter().copied()).map(|(name, value)| format!("{name}={}", escaped(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        self.follow("POST", absolute(&action, &address), body).await
    }

    async fn follow(&mut self, mut method: &str, mut address: String, mut body: String) -> At {
        while !address.starts_with(ORIGIN) {
            let (head, html) = self.ask(method, &address, &body).await;
            let Some(location) = head.headers.get("location") else {
                return At::Page { status: head.status, address, html };
            };
            address = absolute(location.to_str().unwrap(), &address);
            (method, body) = ("GET", String::new());
        }
        At::Application(address)
    }

    async fn ask(&mut self, method: &str, address: &str, body: &str) -> (response::Parts, String) {
        let uri: Uri = address.parse().unwrap();
        let sent = self.cookies.iter().filter(|((_, path), _)| uri.path().starts_with(path.as_str()));
        let sent: Vec<_> = sent.map(|((name, _), value)| format!("{name}={value}")).collect();
        let request = Request::builder().method(method).uri(address).header("cookie", sent.join("; "));
        let request = request.header("content-type", "application/x-www-form-urlencoded").header("accept", "text/html");
        let body = Full::new(VecDeque::from(body.to_owned().into_bytes()));
        let (head, body) = self.client.request(request.body(body).unwrap()).await.unwrap().into_parts();
        for cookie in head.headers.get_all("set-cookie") {
            self.keep(cookie.to_str().unwrap());
        }
        let body = body.collect().await.unwrap().to_bytes();
        (head, String::from_utf8(body.to_vec()).unwrap())
    }

    fn keep(&mut self, cookie: &str) {
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

    /// Signs in with the provider's own forms: who it is, then that the application may know.
    async fn sign_in(&mut self, at: At, login: &str) -> At {
        assert!(at.shows("name=\"password\""), "it asks who it is");
        let at = self.send(at, &[("login", login), ("password", "any")]).await;
        assert!(at.shows("value=\"consent\""), "it asks whether the application may know");
        self.send(at, &[]).await
    }
}

impl At {
    fn shows(&self, text: &str) -> bool {
        matches!(self, Self::Page { html, .. } if html.contains(text))
    }

    /// What comes after `?` at the application's callback.
    fn callback(&self) -> &str {
        let Self::Application(address) = self else { panic!("the browser is still at the provider") };
        address.strip_prefix("http://localhost:9000/auth/callback?").unwrap_or_else(|| panic!("{address}"))
    }
}

/// Where the first form of a page goes, and what is hidden in it.
fn form(html: &str) -> (String, Vec<(String, String)>) {
    let form = html.split_once("<form").expect("a form").1.split_once("</form>").expect("all of it").0;
    let action = attribute(form, "action").expect("a form goes somewhere");
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

/// Where the portal sends a browser that signs in, and the cookie that ties the answer to it.
async fn sent(stack: &TestStack) -> (String, String) {
    let answer = stack.call("portal", Call::get("/auth/sign-in")).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let cookie = answer.cookies[0].strip_prefix("__Host-sign-in=").unwrap();
    (answer.headers["location"].clone(), cookie.split(';').next().unwrap().to_owned())
}

async fn come_back(stack: &TestStack, cookie: &str, query: &str) -> Answer {
    stack.call("portal", Call::get("/auth/callback").cookie("__Host-sign-in", cookie).query(query)).await
}

fn token(answer: &Answer) -> Option<&str> {
    let given = answer.cookies.iter().find_map(|cookie| cookie.strip_prefix("__Host-customer="))?;
    given.split(';').next().filter(|token| !token.is_empty())
}

/// The page that says that an answer of the provider is worth nothing.
fn refused(answer: &Answer) {
    assert_eq!((answer.status, token(answer)), (400, None), "{answer:?}");
    let page = answer.body.as_str().unwrap();
    assert!(page.contains("has been used before, has taken longer than ten minutes"), "{page}");
}

async fn page(stack: &TestStack, path: &str, token: &str) -> String {
    let answer = stack.call("portal", Call::get(path).cookie("__Host-customer", token)).await;
    answer.body.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_customer_signs_in_elsewhere_sees_the_list_and_signs_out_there() {
    for secret in [None, Some("a secret, with + and %")] {
        let Some(provider) = Elsewhere::start(secret).await else { return };
        let settings = secret.map(|secret| ("OIDC_CLIENT_SECRET", secret));
        let stack = provider.deployed(settings.as_slice()).await;
        let mut browser = Browser::new();

        let (there, tie) = sent(&stack).await;
        let at = browser.open(&there).await;
        let back = browser.sign_in(at, "dana@fabrikam.example").await;
        let answer = come_back(&stack, &tie, back.callback()).await;
        assert_eq!((answer.status, answer.headers["location"].as_str()), (303, "/"), "{answer:?}");
        let token = token(&answer).expect("a session");
        let list = page(&stack, "/", token).await;
        assert!(list.contains("Contoso Online Suite") && list.contains("dana@fabrikam.example"), "{list}");
        let call = Call::get_credentials("sub-1").cookie("__Host-customer", token);
        let retrieved = stack.call("get-credentials", call.header("sec-fetch-site", "same-origin")).await;
        assert!(retrieved.password().is_some(), "{retrieved:?}");

        let at = browser.open(&sent(&stack).await.0).await;
        assert!(at.callback().contains("code="), "whoever is signed in there is not asked again");
        let there = sign_out_link(&page(&stack, "/auth/signed-out", "").await, &provider.issuer);
        let at = browser.open(&there).await;
        assert!(at.shows("Do you want to sign-out"));
        let At::Application(back) = browser.send(at, &[("logout", "yes")]).await else { panic!("it leads back") };
        assert_eq!(back, "http://localhost:9000/");
        let at = browser.open(&sent(&stack).await.0).await;
        assert!(at.shows("name=\"password\""), "signed out there, and asked again");
    }
}

/// The link of the page after signing out.
fn sign_out_link(page: &str, issuer: &str) -> String {
    let (_, rest) = page.split_once(&format!("href=\"{issuer}")).unwrap_or_else(|| panic!("{page}"));
    format!("{issuer}{}", rest.split_once('"').unwrap().0.replace("&#38;", "&"))
}

#[tokio::test]
async fn an_address_that_is_not_confirmed_elsewhere_opens_nothing() {
    let Some(provider) = Elsewhere::start(None).await else { return };
    let stack = provider.deployed(&[]).await;
    let mut event = event("sub-2", "trial");
    event["detail"]["portal_users"][0]["email"] = "unconfirmed@fabrikam.example".into();
    stack.started(event).await;
    let mut browser = Browser::new();
    let (there, tie) = sent(&stack).await;
    let at = browser.open(&there).await;
    let back = browser.sign_in(at, "unconfirmed@fabrikam.example").await;
    let answer = come_back(&stack, &tie, back.callback()).await;
    let list = page(&stack, "/", token(&answer).expect("it is somebody")).await;
    assert!(list.contains("has not confirmed") && !list.contains("Contoso Online Suite"), "{list}");
}

#[tokio::test]
async fn a_code_that_was_used_elsewhere_signs_nobody_in_again() {
    let Some(provider) = Elsewhere::start(None).await else { return };
    let stack = provider.deployed(&[]).await;
    let mut browser = Browser::new();
    let (there, tie) = sent(&stack).await;
    let at = browser.open(&there).await;
    let back = browser.sign_in(at, "dana@fabrikam.example").await;
    assert_eq!(come_back(&stack, &tie, back.callback()).await.status, 303);
    refused(&come_back(&stack, &tie, back.callback()).await);
}

#[tokio::test]
async fn a_code_for_another_address_signs_nobody_in() {
    let Some(provider) = Elsewhere::start(None).await else { return };
    let stack = provider.deployed(&[]).await;
    let elsewhere = provider.deployed(&[("PUBLIC_ORIGIN", "http://localhost:9009")]).await;
    let mut browser = Browser::new();
    let at = browser.open(&sent(&elsewhere).await.0).await;
    let At::Page { status, html, .. } = at else { panic!("an address that it does not know is not gone to") };
    assert!(status == StatusCode::BAD_REQUEST && html.contains("redirect_uri"), "{status}: {html}");

    let (there, tie) = sent(&stack).await;
    let at = browser.open(&there).await;
    let back = browser.sign_in(at, "dana@fabrikam.example").await;
    refused(&come_back(&elsewhere, &tie, back.callback()).await);
}

#[tokio::test]
async fn whoever_has_another_secret_than_the_provider_is_told_no_more_than_that_it_is_our_fault() {
    let Some(provider) = Elsewhere::start(Some("the secret")).await else { return };
    let stack = provider.deployed(&[("OIDC_CLIENT_SECRET", "another secret")]).await;
    let mut browser = Browser::new();
    let (there, tie) = sent(&stack).await;
    let at = browser.open(&there).await;
    let back = browser.sign_in(at, "dana@fabrikam.example").await;
    let answer = come_back(&stack, &tie, back.callback()).await;
    assert_eq!((answer.status, token(&answer)), (500, None), "{answer:?}");
    assert!(!answer.body.to_string().contains("secret"), "{answer:?}");
}
