//! A client of the product as `cargo dev` runs it: real cargo-lambda, over HTTP.

#![expect(clippy::print_stdout, reason = "a skip must be seen")]

use std::{collections::VecDeque, path::Path};

use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lambda_http::http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::{Answer, Api, Call, contract::RequestLine, product::Product};

/// The path of Lambda's own API, which is not part of the product.
const INVOCATIONS: &str = "/2015-03-31/";

/// A running `cargo dev` and an HTTP client for it.
pub struct Dev {
    /// The running product, with its addresses.
    pub product: Product,
    client: Client<HttpConnector, Full<VecDeque<u8>>>,
}

/// Returns whether the test is to be skipped because `cargo verify` did not start it, and prints what the test would need. `cargo verify`
/// skips nothing.
#[must_use]
pub fn skip_unless_verifying(needs: &str) -> bool {
    let skipped = !crate::has_env("FIRSTKEY_VERIFY");
    if skipped {
        println!("skipped: `cargo verify` runs it, with {needs}");
    }
    skipped
}

impl Dev {
    /// Starts the product. Returns `None`, and prints why, outside `cargo verify`, where cargo-lambda may be missing.
    pub async fn start() -> Option<Self> {
        if skip_unless_verifying("cargo-lambda") {
            return None;
        }
        let product = Product::start(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))).await.unwrap();
        Some(Self { product, client: Client::builder(TokioExecutor::new()).build_http() })
    }

    /// Sends a request with a JSON body. Returns the status and the body of the answer.
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

    /// Returns a token for a person with this verified e-mail address.
    pub async fn token(&self, email: &str) -> String {
        self.token_for(&json!({ "email": email })).await
    }

    /// Returns a token for a person, given as the body of `POST /dev/token`.
    pub async fn token_for(&self, person: &Value) -> String {
        let request = Request::post(format!("{}/dev/token", self.product.oidc));
        self.send(request, Some(person)).await.1["id_token"].as_str().unwrap().to_owned()
    }

    /// Clicks **Go** on **Get credentials** of `sub-1001`.
    pub async fn retrieve(&self, token: &str, key: &str) -> (StatusCode, Value) {
        let request = Request::post(format!("{}/subscriptions/sub-1001/credentials", self.product.functions));
        self.send(request.header("authorization", format!("Bearer {token}")).header("idempotency-key", key), None).await
    }

    /// Posts to the Administration Center. Returns the status, the body, and the session that the answer starts.
    pub async fn post(&self, path: &str, session: &str, body: Value) -> (StatusCode, Value, String) {
        let request =
            Request::post(format!("{}{path}", self.product.functions)).header("content-type", "application/json");
        let request = request.header("cookie", format!("__Host-session={session}"));
        let body = Full::new(VecDeque::from(body.to_string().into_bytes()));
        let answer = self.exchange(request.body(body).unwrap()).await.unwrap();
        let session = answer.session().unwrap_or_default();
        (StatusCode::from_u16(answer.status).unwrap(), answer.body, session)
    }

    /// Calls a function. Returns `None` if the connection was lost or there was no answer.
    pub async fn call(&self, call: Call) -> Option<Answer> {
        let origin = match call.api() {
            Api::Customers => &self.product.functions,
            Api::Desk => &self.product.desk,
        };
        self.exchange(call.into_request(origin)).await
    }

    /// Sends a request and returns the answer. Checks a function's answer against the contract.
    async fn exchange(&self, request: Request<Full<VecDeque<u8>>>) -> Option<Answer> {
        let api = self.api(&request.uri().to_string());
        let request_line = RequestLine::new(request.method().as_str(), request.uri().path());
        let request_line = api.map(|api| request_line.to_api(api));
        let (head, body) = self.client.request(request).await.ok()?.into_parts();
        let answer = Answer::from_parts(&head, &body.collect().await.ok()?.to_bytes());
        request_line.inspect(|line| line.assert_allows(&answer));
        Some(answer)
    }

    /// Returns the API that a request is sent to; `None` if it is sent to none.
    fn api(&self, uri: &str) -> Option<Api> {
        let path = |origin: &str| uri.strip_prefix(origin).filter(|path| path.starts_with('/'));
        if path(&self.product.desk).is_some() {
            return Some(Api::Desk);
        }
        path(&self.product.functions).filter(|path| !path.starts_with(INVOCATIONS)).map(|_| Api::Customers)
    }

    /// Injects a fault, given as the body of the console's `POST /faults`.
    pub async fn set_fault(&self, fault: &Value) {
        let (status, answer) = self.send(Request::post(format!("{}/faults", self.product.console)), Some(fault)).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{answer}");
    }

    /// Returns every mail in the local inbox, oldest first.
    pub async fn inbox(&self) -> Vec<Value> {
        let request = Request::get(format!("{}/inbox", self.product.console));
        self.send(request, None).await.1.as_array().unwrap().clone()
    }

    /// Stops the product and returns the lines of its output since it was ready.
    pub async fn stop(self) -> Vec<String> {
        self.product.stop().await.unwrap()
    }
}
