//! Tests with the product as other authors build it: with `openid-client` of npm and with Authlib of `PyPI`, which check all that they know of
//! a provider. They talk to it over HTTP, and the browser between them is in this process.

use std::{process::Stdio, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    response::Response,
};
use http::{Method, request::Parts};
use serde_json::{Value, json};
use support::{
    Answer, Call, Deployment, PRODUCT_CLIENT, PRODUCT_REDIRECT_URI, PRODUCT_SECRET, TestStack, address_in,
    confirmed_account, product::installed, skip_unless_verifying,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
};

use crate::administrators::{ADMIN, CHOSEN, LEE, LEES};

const PROVIDER: &str = "product-sign-in";

/// The provider over HTTP, with one administrator.
struct Served {
    stack: TestStack,
    issuer: String,
    /// Lee's session.
    lee: String,
    server: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Served {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let stack = Deployment::default().with("PUBLIC_ORIGIN", &issuer).start().await;
        let service = stack.service_administrator("sub-1", ADMIN, CHOSEN).await;
        let lee = stack.first_administrator(&service, LEE, LEES).await;
        let machine = Arc::new(stack.machine(0));
        let router = Router::new().fallback(move |head: Parts, body: Bytes| {
            let machine = Arc::clone(&machine);
            async move { to_response(&machine(PROVIDER, to_call(&head, &body)).await) }
        });
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { stack, issuer, lee, server }
    }

    /// Lets Lee's browser follow the pages from the address that the product sent it to. Returns the address that it comes back to.
    async fn browse(&self, address: &str) -> String {
        let query = address.strip_prefix(&format!("{}/oidc/authorize?", self.issuer)).unwrap();
        let first = self.stack.call(PROVIDER, Call::get("/oidc/authorize").query(query)).await;
        let next = address_in(&first);
        let query = next.strip_prefix("/oidc/continue?").unwrap();
        let second = self.stack.call(PROVIDER, Call::continue_to_product(query, &self.lee)).await;
        let posted = Call::confirm_product(query, &self.lee, &confirmed_account(&second));
        address_in(&self.stack.call(PROVIDER, posted).await)
    }

    /// Signs Lee in to the product with a client, and asserts what the client learns.
    async fn signs_in_with(&self, mut client: Client) {
        let address = client.hear().await["address"].as_str().unwrap().to_owned();
        let back = self.browse(&address).await;
        client.say(&json!({ "back": back })).await;
        let learned = client.hear().await;
        let (claims, userinfo) = (&learned["claims"], &learned["userinfo"]);
        let id = self.stack.account_id(LEE).await;
        for (name, expected) in [
            ("sub", json!(id)),
            ("preferred_username", json!(LEE)),
            ("name", json!("Lee Ahmadi")),
            ("subscription_id", json!("sub-1")),
            ("company_id", json!("fabrikam")),
            ("roles", json!(["administrator"])),
        ] {
            assert_eq!((&claims[name], &userinfo[name]), (&expected, &expected), "{name}: {learned}");
        }
        assert_eq!(claims["iss"], self.issuer.as_str());
        assert_eq!(learned["again"], "invalid_grant", "a code is good once");
        assert_eq!(learned["voided"], 401, "its second use voids the token of the first");
    }
}

/// Converts a request as API Gateway does.
fn to_call(head: &Parts, body: &[u8]) -> Call {
    let path = head.uri.path();
    let call = if head.method == Method::POST { Call::post(path) } else { Call::get(path) };
    let call = call.query(head.uri.query().unwrap_or_default());
    let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let call = headers.fold(call, |call, (name, value)| call.header(name, value));
    if body.is_empty() { call } else { call.body(body) }
}

fn to_response(answer: &Answer) -> Response {
    let start = Response::builder().status(answer.status);
    let response = answer.headers.iter().fold(start, |response, (name, value)| response.header(name, value));
    let body = answer.body.as_str().map_or_else(|| answer.body.to_string(), ToOwned::to_owned);
    response.body(Body::from(body)).unwrap()
}

/// The process of a client. It ends when this value is dropped.
struct Client {
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Client {
    /// Starts `openid-client`, which authenticates by a method. Returns `None` where checks with outside tools are skipped.
    fn openid_client(issuer: &str, method: &str) -> Option<Self> {
        if skip_unless_verifying("Node.js and packages of npm") {
            return None;
        }
        let mut command = Command::new("node");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/it/openid_client.mjs"));
        command.arg(concat!(env!("CARGO_TARGET_TMPDIR"), "/../tools/node/node_modules"));
        Some(Self::start(command, issuer, method))
    }

    /// Starts Authlib in the same way.
    fn authlib(issuer: &str, method: &str) -> Option<Self> {
        let mut command = Command::new(installed("authlib", "python")?);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/it/authlib_client.py"));
        // The issuer of a test has no TLS.
        command.env("AUTHLIB_INSECURE_TRANSPORT", "1");
        Some(Self::start(command, issuer, method))
    }

    fn start(mut command: Command, issuer: &str, method: &str) -> Self {
        command.args([issuer, PRODUCT_CLIENT, PRODUCT_REDIRECT_URI, method]).env("CLIENT_SECRET", PRODUCT_SECRET);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut process = command.spawn().expect("`cargo verify --only tools` installs what the clients need");
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { _process: process, input, output: BufReader::new(output).lines() }
    }

    async fn hear(&mut self) -> Value {
        let line = self.output.next_line().await.unwrap().expect("the client found nothing wrong");
        serde_json::from_str(&line).unwrap()
    }

    async fn say(&mut self, line: &Value) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_arrives_in_a_product_that_uses_openid_client() {
    for method in ["basic", "post"] {
        let served = Served::start().await;
        let Some(client) = Client::openid_client(&served.issuer, method) else { return };
        served.signs_in_with(client).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_arrives_in_a_product_that_uses_authlib() {
    for method in ["basic", "post"] {
        let served = Served::start().await;
        let Some(client) = Client::authlib(&served.issuer, method) else { return };
        served.signs_in_with(client).await;
    }
}
