//! Tests of `reissue-credentials`.

use serde_json::Value;
use support::{Answer, Function, TestStack};

/// Returns the function's own event, with a token.
fn request(token: &str) -> Value {
    serde_json::from_str(&Function::ReissueCredentials.event().replace("{{id_token}}", token)).unwrap()
}

#[tokio::test]
async fn a_signed_in_customer_gets_an_answer_without_content() {
    let stack = TestStack::start().await;
    let answer = stack.invoke("reissue-credentials", request(&stack.token("dana@fabrikam.example"))).await;
    assert_eq!(Answer::read(&answer).status, 204);
}

#[tokio::test]
async fn a_caller_who_is_not_signed_in_is_refused() {
    let stack = TestStack::start().await;
    let answer = Answer::read(&stack.invoke("reissue-credentials", request("no-token")).await);
    assert_eq!((answer.status, answer.problem()), (401, Some("not-signed-in")));
}
