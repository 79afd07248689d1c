//! Tests of `product-sign-in`.

use serde_json::Value;
use support::{Answer, Deployment, Function, TestStack};

fn discovery() -> Value {
    serde_json::from_str(&Function::ProductSignIn.event()).unwrap()
}

#[tokio::test]
async fn the_discovery_document_names_every_endpoint_and_may_be_cached() {
    let stack = TestStack::start().await;
    let answer = Answer::read(&stack.invoke("product-sign-in", discovery()).await);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["issuer"], "http://localhost:9000");
    assert_eq!(answer.body["token_endpoint"], "http://localhost:9000/oidc/token");
    assert_eq!(answer.headers["cache-control"], "public, max-age=300");
}

#[tokio::test]
async fn without_a_client_there_is_no_provider() {
    let stack = Deployment::default().with("PRODUCT_CLIENT_ID", "").start().await;
    let answer = Answer::read(&stack.invoke("product-sign-in", discovery()).await);
    assert_eq!((answer.status, answer.problem()), (404, Some("not-found")));
}
