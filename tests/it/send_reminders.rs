//! Reminders: one for an issue, two days before its password expires, where it still helps.

use cloud::{Fault, Mode, Service};
use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Call, Deployment, Function, TestStack, event};

const DAY: i64 = 86_400;

/// Runs the schedule once, and waits until what it ordered is sent. Returns the reminders that have been mailed so far.
async fn run(stack: &TestStack) -> usize {
    let tick: Value = serde_json::from_str(&Function::SendReminders.event()).unwrap();
    assert_eq!(stack.invoke("send-reminders", tick).await, Value::Null);
    stack.cloud.drained().await.unwrap();
    mailed(stack)
}

fn mailed(stack: &TestStack) -> usize {
    stack.cloud.inbox().iter().filter(|mail| mail.tags["mail"] == "reminder").count()
}

/// Returns how many reminders are on the list.
async fn due(stack: &TestStack) -> usize {
    stack
        .items("SUBSCRIPTION#")
        .await
        .iter()
        .filter(|item| item["PK"]["S"].as_str().unwrap().starts_with("DUE#"))
        .count()
}

async fn started() -> TestStack {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack
}

#[tokio::test]
async fn two_days_before_the_expiry_one_reminder_without_a_password_is_mailed() {
    let stack = started().await;
    let password = stack.mailed_password();
    stack.advance_clock(5 * DAY - 1);
    assert_eq!(run(&stack).await, 0);
    stack.advance_clock(1);
    assert_eq!(run(&stack).await, 1);
    let mail = stack.cloud.inbox().pop().unwrap();
    assert_eq!((&*mail.to, &*mail.tags["issue"], &*mail.tags["round"]), ("it@fabrikam.example", "1", "0"));
    for text in [&mail.text, &mail.html] {
        assert!(text.contains("http://localhost:9000") && !text.contains(&password), "{text}");
    }
    assert_eq!(due(&stack).await, 0, "it is off the list");
    stack.advance_clock(3600);
    assert_eq!(run(&stack).await, 1, "once");
}

#[tokio::test]
async fn instances_at_once_order_one_reminder() {
    let stack = started().await;
    stack.advance_clock(5 * DAY);
    let tick: Value = serde_json::from_str(&Function::SendReminders.event()).unwrap();
    join_all((0..5).map(|_| stack.invoke("send-reminders", tick.clone()))).await;
    stack.cloud.drained().await.unwrap();
    assert_eq!(mailed(&stack), 1);
}

#[tokio::test]
async fn a_missed_day_is_caught_up_and_a_run_after_the_expiry_mails_nothing() {
    let stack = started().await;
    stack.advance_clock(6 * DAY + 23 * 3600);
    assert_eq!(run(&stack).await, 1);
    let stack = started().await;
    stack.advance_clock(7 * DAY);
    assert_eq!(run(&stack).await, 0);
}

#[tokio::test]
async fn none_is_mailed_after_a_sign_in_or_to_an_address_that_bounced() {
    let stack = started().await;
    stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().expect("signs in");
    stack.advance_clock(5 * DAY);
    assert_eq!(run(&stack).await, 0);
    let stack = started().await;
    let mut mail = stack.items("MAIL").await.remove(0);
    (mail["status"]["S"], mail["rank"]["N"]) = ("bounced".into(), "40".into());
    support::table::Table::connect(&stack.cloud.aws_url(), "test").put(&mail).await;
    stack.advance_clock(5 * DAY);
    assert_eq!(run(&stack).await, 0);
}

#[tokio::test]
async fn none_is_mailed_for_an_issue_that_is_over_and_one_for_the_next() {
    let stack = Deployment::default().with("CREDENTIAL_LIFETIME_SECONDS", "86400").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.advance_clock(DAY);
    let dana = stack.token("dana@fabrikam.example");
    let renewed = stack.call("renew-credentials", Call::renew_credentials("sub-1").bearer(&dana)).await;
    assert_eq!(renewed.status, 202);
    stack.cloud.drained().await.unwrap();
    assert_eq!(run(&stack).await, 0, "the first issue's was due half a day ago");
    stack.advance_clock(DAY / 2);
    assert_eq!(run(&stack).await, 1);
    assert_eq!(stack.cloud.inbox().pop().unwrap().tags["issue"], "2");
}

#[tokio::test]
async fn a_deployment_can_do_without_reminders() {
    let stack = Deployment::default().with("REMINDER_BEFORE_SECONDS", "0").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    assert_eq!(due(&stack).await, 0);
    stack.advance_clock(6 * DAY);
    assert_eq!(run(&stack).await, 0);
}

#[tokio::test]
async fn a_run_orders_half_of_what_an_hour_can_send_and_the_next_run_the_rest() {
    let stack = Deployment::default().with("MAIL_RATE", "0.001").with("MAIL_CONCURRENCY", "2").start().await;
    for n in 0..5 {
        let mut started = event(&format!("sub-{n}"), "trial");
        started["detail"]["company"]["id"] = format!("company-{n}").into();
        started["detail"]["service_administrator"].as_object_mut().unwrap().remove("user_name");
        assert_eq!(stack.publish(started).await, json!([]));
    }
    stack.advance_clock(5 * DAY);
    let tick: Value = serde_json::from_str(&Function::SendReminders.event()).unwrap();
    for expected in [3, 5] {
        assert_eq!(stack.invoke("send-reminders", tick.clone()).await, Value::Null);
        assert_eq!(stack.items("MAIL#reminder#").await.len(), expected);
    }
}

#[tokio::test]
async fn a_run_that_fails_is_repeated_and_mails_one_and_not_two() {
    for operation in ["PutItem", "DeleteItem"] {
        let stack = started().await;
        stack.advance_clock(5 * DAY);
        let fault = Fault::new(Service::DynamoDb, operation, Mode::Refused, 3).on_function("send-reminders");
        stack.cloud.set_fault(fault);
        let tick: Value = serde_json::from_str(&Function::SendReminders.event()).unwrap();
        assert!(stack.try_invoke("send-reminders", tick).await.is_err(), "Lambda repeats it");
        stack.cloud.drained().await.unwrap();
        assert_eq!(run(&stack).await, 1, "{operation}");
    }
}

#[tokio::test]
async fn the_next_issue_of_a_paid_event_has_its_own() {
    let stack = started().await;
    stack.advance_clock(7 * DAY);
    stack.start_subscription(event("sub-1", "paid")).await;
    stack.advance_clock(5 * DAY);
    assert_eq!(run(&stack).await, 1);
    assert_eq!(stack.cloud.inbox().pop().unwrap().tags["issue"], "2");
}

#[tokio::test]
async fn an_item_that_cannot_be_read_keeps_no_other_reminder_from_its_mail() {
    let stack = started().await;
    let mut other = event("sub-2", "trial");
    other["detail"]["company"]["id"] = "other".into();
    other["detail"]["service_administrator"].as_object_mut().unwrap().remove("user_name");
    stack.start_subscription(other).await;
    let table = support::table::Table::connect(&stack.cloud.aws_url(), "test");
    let mut mail = stack.items("MAIL").await.remove(0);
    mail["status"]["S"] = "of-a-later-release".into();
    table.put(&mail).await;
    stack.advance_clock(5 * DAY);
    assert_eq!(run(&stack).await, 1, "the run is done, and the other one is mailed");
    assert_eq!(due(&stack).await, 1, "the item is left for a release that can read it");
}

#[tokio::test]
async fn days_pass_in_the_local_cloud_within_a_minute_and_the_reminder_comes_in_its_hour() {
    let stack = started().await;
    stack.advance_clock(3 * DAY);
    let began = std::time::Instant::now();
    stack.pass_time(2 * 86_400 + 3600).await;
    assert!(began.elapsed() < std::time::Duration::from_mins(2), "{:?}", began.elapsed());
    assert_eq!(mailed(&stack), 1);
    assert_eq!(due(&stack).await, 0);
}

#[tokio::test]
async fn a_run_reads_the_hours_that_are_not_done() {
    let stack = started().await;
    assert_eq!(run(&stack).await, 0);
    stack.cloud.clear_requests();
    stack.advance_clock(3600);
    assert_eq!(run(&stack).await, 0);
    let queries = stack.cloud.requests().iter().filter(|request| request.operation == "Query").count();
    assert_eq!(queries, 2 * 16, "the hour that has ended, and this one");
}
