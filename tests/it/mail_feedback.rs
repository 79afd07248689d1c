//! Tests of `mail-feedback`.

use serde_json::{Value, json};
use support::{Function, TestStack, event};

/// Returns the function's own event, for `sub-1001`.
fn batch() -> Value {
    serde_json::from_str(&Function::MailFeedback.event()).unwrap()
}

#[tokio::test]
async fn an_event_of_a_known_subscription_is_done() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1001", "trial")).await;
    assert_eq!(stack.invoke("mail-feedback", batch()).await, json!({ "batchItemFailures": [] }));
}

#[tokio::test]
async fn an_event_of_an_unknown_subscription_fails() {
    let stack = TestStack::start().await;
    let answer = stack.invoke("mail-feedback", batch()).await;
    let id = &batch()["Records"][0]["messageId"];
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": id }] }));
}
