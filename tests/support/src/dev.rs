//! The product from outside: `cargo dev`, real cargo-lambda, HTTP.

#![expect(clippy::print_stdout, reason = "a skip must be seen")]

use std::{collections::VecDeque, path::Path};

use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lambda_http::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::{Answer, Call, contract::Asked, product::Product};

/// Lambda's own interface, which is none of the product's.
const INVOCATIONS: &str = "/2015-03-31/";

/// The running product, and whoever asks it.
pub struct Dev {
    /// Where it is.
    pub product: Product,
    client: Client<HttpConnector, Full<VecDeque<u8>>>,
}

/// `cargo test` alone says what it leaves out, for want of what; `cargo verify` leaves out nothing.
#[must_use]
pub fn skipped(want: &str) -> bool {
    let skipped = !crate::asked_for("FIRSTKEY_VERIFY");
    if skipped {
        println!("skipped: `cargo verify` runs it, with {want}");
    }
    skipped
}

impl Dev {
    /// Starts it; nothing where cargo-lambda may be missing, which is said.
    pub async fn start() -> Option<Self> {
        if skipped("cargo-lambda") {
            return None;
        }
        let product = Product::start(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))).await.unwrap();
        Some(Self { product, client: Client::builder(TokioExecutor::new()).build_http() })
    }

    /// Sends a request with a body of JSON; status and body.
    pub async fn send(
        &self,
        request: lambda_http::http::request::Builder,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let request = request.header("content-type", "application/json");
        let body = body.map(Value::to_string).unwrap_or_default().into_bytes();
        let answer = self.exchange(request.body(Full::new(VecDeque::from(body))).unwrap()).await.unwrap();
        (StatusCode::from_u16(answer.status).unwrap(), answer.body)
    }

    /// A token of somebody with a verified address.
    pub async fn token(&self, email: &str) -> String {
        self.token_of(&json!({ "email": email })).await
    }

    /// A token of somebody, as `POST /dev/token` is asked for it.
    pub async fn token_of(&self, person: &Value) -> String {
        let request = Request::post(format!("{}/dev/token", self.product.oidc));
        self.send(request, Some(person)).await.1["id_token"].as_str().unwrap().to_owned()
    }

    /// Clicks **Go** on **Get credentials** of `sub-1001`.
    pub async fn retrieve(&self, token: &str, key: &str) -> (StatusCode, Value) {
        let request = Request::post(format!("{}/subscriptions/sub-1001/credentials", self.product.functions));
        self.send(request.header("authorization", format!("Bearer {token}")).header("idempotency-key", key), None).await
    }

    /// Posts to the Administration Center; the body, and the session that the answer begins.
    pub async fn post(&self, path: &str, session: &str, body: Value) -> (StatusCode, Value, String) {
        let request =
            Request::post(format!("{}{path}", self.product.functions)).header("content-type", "application/json");
        let request = request.header("cookie", format!("__Host-session={session}"));
        let body = Full::new(VecDeque::from(body.to_string().into_bytes()));
        let answer = self.exchange(request.body(body).unwrap()).await.unwrap();
        let session = answer.session().unwrap_or_default();
        (StatusCode::from_u16(answer.status).unwrap(), answer.body, session)
    }

    /// Calls a function; nothing where the connection was lost or nobody answered.
    pub async fn call(&self, call: Call) -> Option<Answer> {
        self.exchange(call.into_request(&self.product.functions)).await
    }

    /// What is answered; an answer of a function is held against the contract.
    async fn exchange(&self, request: Request<Full<VecDeque<u8>>>) -> Option<Answer> {
        let uri = request.uri().to_string();
        let path = uri.strip_prefix(&self.product.functions).filter(|path| path.starts_with('/'));
        let path = path.filter(|path| !path.starts_with(INVOCATIONS));
        let asked = path.map(|_| Asked::new(request.method().as_str(), request.uri().path()));
        let (head, body) = self.client.request(request).await.ok()?.into_parts();
        let answer = Answer::of(&head, &body.collect().await.ok()?.to_bytes());
        asked.inspect(|asked| asked.hold(&answer));
        Some(answer)
    }

    /// Sets a fault.
    pub async fn set_fault(&self, fault: &Value) {
        let (status, answer) = self.send(Request::post(format!("{}/faults", self.product.console)), Some(fault)).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
    }

    /// Every mail, oldest first.
    pub async fn inbox(&self) -> Vec<Value> {
        let request = Request::get(format!("{}/inbox", self.product.console));
        self.send(request, None).await.1.as_array().unwrap().clone()
    }

    /// Ends it, and returns all that it said since it was ready.
    pub async fn stop(self) -> Vec<String> {
        self.product.stop().await.unwrap()
    }
}
