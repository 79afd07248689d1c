//! Reports of SES on a mail, in whatever order they arrive.

use serde_json::{Value, json};
use support::{TestStack, event};

/// A report of SES on the welcome mail of `sub-1`, issue 1, round 0.
fn report(event_type: &str, part: &str, second: u32, more: &Value) -> Value {
    let at = format!("2026-11-10T09:00:{second:02}.500Z");
    let mut detail = json!({
        "eventType": event_type,
        "mail": {
            "timestamp": at, "messageId": "m-1",
            "tags": { "subscription": ["sub-1"], "issue": ["1"], "mail": ["welcome"], "round": ["0"] },
        },
        part: { "timestamp": at },
    });
    detail[part].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    detail
}

fn bounce(kind: &str, subtype: &str, second: u32) -> Value {
    let recipients = json!([{ "emailAddress": "it@fabrikam.example", "status": "5.1.1" }]);
    let more = json!({ "bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": recipients });
    report("Bounce", "bounce", second, &more)
}

fn delivery(second: u32) -> Value {
    report("Delivery", "delivery", second, &json!({}))
}

/// Delivers reports one after the other, each of which must be acknowledged.
async fn deliver(stack: &TestStack, details: &[Value]) {
    let record = |(n, detail): (usize, &Value)| {
        let body = json!({ "detail-type": "Email", "source": "aws.ses", "detail": detail }).to_string();
        json!({ "messageId": n.to_string(), "body": body })
    };
    for one in details.iter().enumerate().map(record) {
        let answer = stack.invoke("mail-feedback", json!({ "Records": [one] })).await;
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
    }
}

/// Returns status, time and detail of the welcome mail.
async fn state(stack: &TestStack) -> Value {
    let mail = stack.items("MAIL").await.remove(0);
    json!([mail["status"]["S"], mail["at"]["N"], mail["detail"]["S"]])
}

async fn with_a_mail() -> TestStack {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack
}

/// Returns every order of some things.
fn orders<T: Clone>(all: &[T]) -> Vec<Vec<T>> {
    if all.is_empty() {
        return vec![vec![]];
    }
    let mut found = Vec::new();
    for first in 0..all.len() {
        let mut rest = all.to_vec();
        let first = rest.remove(first);
        for mut order in orders(&rest) {
            order.insert(0, first.clone());
            found.push(order);
        }
    }
    found
}

#[tokio::test]
async fn reports_in_every_order_and_twice_lead_to_the_same_state() {
    let all = [
        report("Send", "send", 1, &json!({})),
        report("DeliveryDelay", "deliveryDelay", 2, &json!({ "delayType": "General" })),
        delivery(3),
        bounce("Permanent", "General", 4),
        bounce("Permanent", "NoEmail", 5),
    ];
    let stack = with_a_mail().await;
    let table = support::table::Table::connect(&stack.cloud.aws_url(), "test");
    let sent = stack.items("MAIL").await.remove(0);
    let mut states = std::collections::BTreeSet::new();
    for order in orders(&all) {
        table.put(&sent).await;
        deliver(&stack, &order).await;
        deliver(&stack, &order[..2]).await;
        states.insert(state(&stack).await.to_string());
    }
    let at = domain::Timestamp::parse_rfc3339("2026-11-10T09:00:04Z").unwrap().epoch_seconds().to_string();
    let expected = json!(["bounced", at, "no-such-mailbox"]).to_string();
    assert_eq!(states.into_iter().collect::<Vec<_>>(), [expected], "the earlier bounce stays");
}

#[tokio::test]
async fn a_transient_bounce_after_a_delivery_changes_nothing() {
    let stack = with_a_mail().await;
    deliver(&stack, &[delivery(3)]).await;
    let delivered = state(&stack).await;
    deliver(&stack, &[bounce("Transient", "General", 9), bounce("Transient", "MailboxFull", 9)]).await;
    assert_eq!((state(&stack).await, &delivered[0]), (delivered.clone(), &json!("delivered")));
}

#[tokio::test]
async fn each_outcome_has_its_status_in_the_table_and_in_the_list() {
    let complaint = report("Complaint", "complaint", 9, &json!({}));
    for (report, status, detail) in [
        (bounce("Transient", "MailboxFull", 9), "undelivered", json!("mailbox-full")),
        (bounce("Transient", "General", 9), "delayed", json!("no-such-mailbox")),
        (bounce("Permanent", "General", 9), "bounced", json!("no-such-mailbox")),
        (bounce("Permanent", "OnAccountSuppressionList", 9), "suppressed", json!("suppressed")),
        (complaint, "complained", Value::Null),
    ] {
        let stack = with_a_mail().await;
        deliver(&stack, &[report]).await;
        let state = state(&stack).await;
        assert_eq!((&state[0], &state[2]), (&json!(status), &detail));
        let listed = stack.list(&stack.token("dana@fabrikam.example")).await;
        assert_eq!(listed.body["subscriptions"][0]["welcome_mail"]["status"], status);
    }
}

#[tokio::test]
async fn a_report_on_another_mail_or_without_its_tags_is_acknowledged_and_changes_nothing() {
    let stack = with_a_mail().await;
    let before = stack.cloud.dump_table().await.unwrap();
    let tagged = |tag: &str, value: Value| {
        let mut report = bounce("Permanent", "General", 9);
        report["mail"]["tags"][tag] = value;
        report
    };
    let reports = [
        tagged("issue", json!(["2"])),
        tagged("round", json!(["1"])),
        tagged("subscription", json!(["sub-2"])),
        tagged("mail", json!(["reminder"])),
        tagged("mail", json!(["support-ABCD-EFGH-2345"])),
        tagged("issue", Value::Null),
        tagged("round", Value::Null),
        tagged("mail", json!([])),
        tagged("subscription", json!(["a/b"])),
        json!({ "eventType": "Open" }),
        json!("text"),
    ];
    deliver(&stack, &reports).await;
    assert_eq!(stack.cloud.dump_table().await.unwrap(), before);
}

#[tokio::test]
async fn a_delivery_settles_a_mail_whose_sending_was_never_recorded() {
    let stack = support::Deployment::default().with_held_mails().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    deliver(&stack, &[delivery(3)]).await;
    assert_eq!(state(&stack).await[0], "delivered");
    let orders = stack.take_mail_orders("sub-1");
    assert_eq!(stack.invoke("send-mail", json!({ "Records": orders })).await, json!({ "batchItemFailures": [] }));
    assert_eq!(stack.cloud.inbox().len(), 0, "it is not sent again");
}
