//! The welcome mail, sent again: to the same address, three times for an issue, ten minutes apart.

use cloud::{Fault, Mode, Service};
use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Answer, Call, Deployment, TestStack, event, table::Table};

async fn resend(stack: &TestStack, who: &str) -> Answer {
    stack.call("resend-mail", Call::resend_mail("sub-1").bearer(&stack.token(who))).await
}

async fn with_a_mail() -> TestStack {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack
}

const DANA: &str = "dana@fabrikam.example";
const KIM: &str = "kim@fabrikam.example";

async fn mail(stack: &TestStack) -> Value {
    stack.items("MAIL").await.remove(0)
}

/// Changes the welcome mail by hand.
async fn set(stack: &TestStack, values: &[(&str, Value)]) {
    let mut item = mail(stack).await;
    for (name, value) in values {
        item[*name] = value.clone();
    }
    Table::connect(&stack.cloud.aws_url(), "test").put(&item).await;
}

/// Sends the mail again while the mail changes by hand between the decision and the write. Returns the answer.
async fn resend_beside(stack: &TestStack, values: &[(&str, Value)]) -> Answer {
    let mut gate = stack.cloud.gate(|call| call.operation == "TransactWriteItems" && call.function == "resend-mail");
    let meanwhile = async {
        let held = gate.next().await.unwrap();
        set(stack, values).await;
        held.release().await;
    };
    tokio::join!(resend(stack, DANA), meanwhile).0
}

/// Sets the status of the welcome mail.
async fn set_status(stack: &TestStack, status: &str, rank: u32) {
    let mut item = mail(stack).await;
    (item["status"]["S"], item["rank"]["N"]) = (status.into(), rank.to_string().into());
    Table::connect(&stack.cloud.aws_url(), "test").put(&item).await;
}

#[tokio::test]
async fn the_same_mail_goes_to_the_same_address_again() {
    let stack = with_a_mail().await;
    let first = stack.mailed_password();
    let answer = resend(&stack, DANA).await;
    assert_eq!((answer.status, &answer.body["to"]), (202, &json!("i•@fabrikam.example")), "{answer:?}");
    stack.cloud.drained().await.unwrap();
    let inbox = stack.cloud.inbox();
    assert_eq!(inbox.len(), 2);
    assert_eq!((&inbox[0].to, &inbox[0].text), (&inbox[1].to, &inbox[1].text));
    assert_eq!(stack.mailed_password(), first);
    let tags = |n: usize| ["subscription", "issue", "mail", "round"].map(|name| inbox[n].tags[name].clone());
    assert_eq!(
        (tags(0), tags(1)),
        (["sub-1", "1", "welcome", "0"].map(Into::into), ["sub-1", "1", "welcome", "1"].map(Into::into))
    );
    assert_eq!(stack.history("sub-1").await, ["issued by vendor", "mail-resent by dana@fabrikam.example"]);
    assert_eq!(mail(&stack).await["status"]["S"], "sent");
}

#[tokio::test]
async fn an_issue_has_three_of_them_ten_minutes_apart() {
    let stack = with_a_mail().await;
    let first = resend(&stack, DANA).await;
    assert_eq!(first.status, 202);
    stack.cloud.drained().await.unwrap();
    stack.advance_clock(59);
    let same = resend(&stack, KIM).await;
    assert_eq!((same.status, &same.body), (202, &first.body), "a double click");
    stack.advance_clock(1);
    let early = resend(&stack, KIM).await;
    assert_eq!((early.status, early.problem()), (429, Some("too-many-attempts")));
    assert_eq!(early.headers["retry-after"], "540");
    for _ in 1..3 {
        stack.advance_clock(600);
        assert_eq!(resend(&stack, KIM).await.status, 202);
        stack.cloud.drained().await.unwrap();
    }
    stack.advance_clock(6000);
    let used_up = resend(&stack, KIM).await;
    assert_eq!((used_up.status, used_up.problem()), (429, Some("too-many-attempts")));
    assert_eq!(stack.cloud.inbox().len(), 4);
}

#[tokio::test]
async fn twenty_at_once_are_one_mail() {
    let stack = with_a_mail().await;
    let answers = join_all((0..20).map(|n| resend(&stack, if n % 2 == 0 { DANA } else { KIM }))).await;
    assert!(answers.iter().all(|answer| answer.status == 202), "{answers:?}");
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 2);
    assert_eq!(mail(&stack).await["round"]["N"], "1");
}

#[tokio::test]
async fn with_every_first_answer_lost_it_is_one_mail() {
    let stack = with_a_mail().await;
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1));
    assert_eq!(resend(&stack, DANA).await.status, 202);
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 2);
    assert_eq!(stack.history("sub-1").await.len(), 2);
}

#[tokio::test]
async fn it_is_sent_after_a_delivery_and_not_to_an_address_that_takes_no_mail() {
    let stack = with_a_mail().await;
    for (status, rank, expected) in [
        ("bounced", 40, 409),
        ("suppressed", 45, 409),
        ("complained", 50, 409),
        ("not-needed", 60, 409),
        ("delivered", 30, 202),
    ] {
        set_status(&stack, status, rank).await;
        let answer = resend(&stack, DANA).await;
        assert_eq!(answer.status, expected, "{status}: {answer:?}");
    }
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 2);
}

#[tokio::test]
async fn nothing_of_the_first_sending_settles_the_second() {
    let stack = Deployment::default().with_held_mails().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let first = stack.take_mail_orders("sub-1");
    set_status(&stack, "delivered", 30).await;
    assert_eq!(resend(&stack, DANA).await.status, 202);
    // The first order is delivered again, and SES reports on the first sending, between the second order and its sending.
    assert_eq!(stack.invoke("send-mail", json!({ "Records": first })).await, json!({ "batchItemFailures": [] }));
    let tags = json!({ "subscription": ["sub-1"], "issue": ["1"], "mail": ["welcome"], "round": ["0"] });
    let at = "2026-11-10T09:00:00Z";
    let detail =
        json!({ "eventType": "Delivery", "mail": { "timestamp": at, "tags": tags }, "delivery": { "timestamp": at } });
    let body = json!({ "source": "aws.ses", "detail": detail }).to_string();
    let batch = json!({ "Records": [{ "messageId": "1", "body": body }] });
    assert_eq!(stack.invoke("mail-feedback", batch).await, json!({ "batchItemFailures": [] }));
    assert_eq!((stack.cloud.inbox().len(), &mail(&stack).await["status"]["S"]), (0, &json!("pending")));
    stack.cloud.drained().await.unwrap();
    let second = stack.take_mail_orders("sub-1");
    assert_eq!(stack.invoke("send-mail", json!({ "Records": second })).await, json!({ "batchItemFailures": [] }));
    assert_eq!((stack.cloud.inbox().len(), &mail(&stack).await["status"]["S"]), (1, &json!("sent")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_the_mail_beside_the_order_counts() {
    let stack = with_a_mail().await;
    let bounced = [("status", json!({ "S": "bounced" })), ("rank", json!({ "N": "40" }))];
    assert_eq!(resend_beside(&stack, &bounced).await.status, 409);
    assert_eq!(mail(&stack).await["status"]["S"], "bounced");

    let stack = Deployment::default().with_held_mails().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.advance_clock(600);
    let leased = [("lease_until", json!({ "N": "99999999999" })), ("lease_id", json!({ "S": "other" }))];
    assert_eq!(resend_beside(&stack, &leased).await.status, 429, "another worker sends it now");
    assert_eq!(mail(&stack).await["round"], Value::Null);

    let stack = with_a_mail().await;
    let another = [("round", json!({ "N": "1" })), ("resent_at", json!({ "N": "99999999999" }))];
    assert_eq!(resend_beside(&stack, &another).await.status, 202, "another person was faster");
    assert_eq!((&mail(&stack).await["round"]["N"], stack.history("sub-1").await.len()), (&json!("1"), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sending_that_ends_after_the_next_order_does_not_settle_it() {
    let stack = Deployment::default().with_held_mails().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let records = json!({ "Records": stack.take_mail_orders("sub-1") });
    let mut gate = stack.cloud.gate(|call| call.function == "send-mail" && call.operation == "SendEmail");
    let meanwhile = async {
        let held = gate.next().await.unwrap();
        set(&stack, &[("round", json!({ "N": "1" }))]).await;
        held.release().await;
    };
    tokio::join!(stack.invoke("send-mail", records), meanwhile);
    assert_eq!((stack.cloud.inbox().len(), &mail(&stack).await["status"]["S"]), (1, &json!("pending")));
}

#[tokio::test]
async fn it_is_sent_only_while_the_password_could_be_shown_the_cap_apart() {
    let stack = with_a_mail().await;
    for key in ["1", "2", "3"] {
        assert_eq!(stack.retrieve(&stack.token(KIM), "sub-1", key).await.status, 200);
    }
    assert_eq!(resend(&stack, DANA).await.status, 202, "the cap does not matter");
    stack.cloud.drained().await.unwrap();
    stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().expect("signs in");
    stack.advance_clock(600);
    let refused = resend(&stack, DANA).await;
    assert_eq!((refused.status, refused.problem()), (409, Some("conflict")));
}

#[tokio::test]
async fn an_expired_password_is_not_mailed_again() {
    let stack = with_a_mail().await;
    stack.advance_clock(604_800);
    assert_eq!(resend(&stack, DANA).await.status, 409);
}

#[tokio::test]
async fn an_order_that_was_lost_is_replaced_after_ten_minutes() {
    let stack = Deployment::default().with_held_mails().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    drop(stack.take_mail_orders("sub-1"));
    stack.advance_clock(599);
    assert_eq!(resend(&stack, DANA).await.headers["retry-after"], "1");
    stack.advance_clock(1);
    assert_eq!(resend(&stack, DANA).await.status, 202);
    stack.cloud.drained().await.unwrap();
    let orders = stack.take_mail_orders("sub-1");
    assert_eq!(stack.invoke("send-mail", json!({ "Records": orders })).await, json!({ "batchItemFailures": [] }));
    assert_eq!(stack.cloud.inbox().len(), 1);
}

#[tokio::test]
async fn a_caller_who_is_not_a_portal_user_learns_nothing() {
    let stack = with_a_mail().await;
    let stranger = resend(&stack, "mallory@other.example").await;
    let unknown = stack.call("resend-mail", Call::resend_mail("sub-9").bearer(&stack.token(DANA))).await;
    assert_eq!((stranger.status, unknown.status), (404, 404));
    assert_eq!(stranger.problem(), unknown.problem());
}

#[tokio::test]
async fn a_lease_that_is_left_over_keeps_no_sent_mail_from_being_sent_again() {
    let stack = with_a_mail().await;
    let mut item = mail(&stack).await;
    let until = domain::Timestamp::parse_rfc3339("2099-01-01T00:00:00Z").unwrap().epoch_seconds();
    item["lease_until"] = json!({ "N": until.to_string() });
    Table::connect(&stack.cloud.aws_url(), "test").put(&item).await;
    assert_eq!(resend(&stack, DANA).await.status, 202, "a report of SES was faster than the record");
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 2);
}

#[tokio::test]
async fn a_failure_that_the_next_sending_replaces_stays_in_the_history() {
    let stack = with_a_mail().await;
    stack.cloud.report("it@fabrikam.example", cloud::Feedback::Undelivered).await.unwrap();
    assert_eq!(resend(&stack, DANA).await.status, 202);
    let history = stack.history("sub-1").await;
    assert_eq!(history[1..], ["mail-undelivered by vendor", "mail-resent by dana@fabrikam.example"]);
}
