//! Tests of `@name@`.

use serde_json::Value;
use support::{Function, TestStack};

#[tokio::test]
async fn an_invocation_by_the_schedule_is_done() {
    let stack = TestStack::start().await;
    let event = serde_json::from_str(&Function::@variant@.event()).unwrap();
    assert_eq!(stack.invoke("@name@", event).await, Value::Null);
}
