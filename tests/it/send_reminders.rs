//! Tests of `send-reminders`.

use serde_json::Value;
use support::{Function, TestStack};

#[tokio::test]
async fn an_invocation_by_the_schedule_is_done() {
    let stack = TestStack::start().await;
    let event = serde_json::from_str(&Function::SendReminders.event()).unwrap();
    assert_eq!(stack.invoke("send-reminders", event).await, Value::Null);
}
