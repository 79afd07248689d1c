//! Renewal: a portal user starts the next issue after the last one expired unchanged.

use std::sync::atomic::{AtomicBool, Ordering};

use cloud::{Fault, Mode, Service};
use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Answer, Call, TestStack, event, table::Table};

const WEEK: i64 = 604_800;
const DANA: &str = "dana@fabrikam.example";
const KIM: &str = "kim@fabrikam.example";

async fn renew(stack: &TestStack, who: &str) -> Answer {
    stack.call("renew-credentials", Call::renew_credentials("sub-1").bearer(&stack.token(who))).await
}

/// Starts a stack with a subscription whose password has expired.
async fn expired() -> TestStack {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.advance_clock(WEEK);
    stack
}

async fn credential(stack: &TestStack) -> Value {
    stack.items("CREDENTIAL").await.remove(0)
}

/// Changes the credential by hand.
async fn set(stack: &TestStack, name: &str, value: Value) {
    let mut item = credential(stack).await;
    item[name] = value;
    Table::connect(&stack.cloud.aws_url(), "test").put(&item).await;
}

#[tokio::test]
async fn new_credentials_are_mailed_and_work_and_the_old_ones_do_not() {
    let stack = expired().await;
    let old = stack.mailed_password();
    let answer = renew(&stack, DANA).await;
    assert_eq!((answer.status, &answer.body["issue"]), (202, &json!(2)), "{answer:?}");
    let expires = domain::Timestamp::parse_rfc3339(answer.body["expires_at"].as_str().unwrap()).unwrap();
    assert_eq!(credential(&stack).await["expires_at"]["N"], expires.epoch_seconds().to_string());
    stack.cloud.drained().await.unwrap();
    let new = stack.mailed_password();
    assert_ne!(new, old);
    assert_eq!(stack.cloud.inbox().len(), 2);
    let shown = stack.retrieve(&stack.token(KIM), "sub-1", "click").await;
    assert_eq!((shown.password(), &shown.body["retrievals"]["used"]), (Some(&*new), &json!(1)));
    assert_eq!(stack.sign_in("admin@fabrikam", &old).await.status, 401);
    assert_eq!(stack.sign_in("admin@fabrikam", &new).await.next(), Some("reset-password"));
    let history = stack.history("sub-1").await;
    let [dana, kim] = [DANA, KIM];
    assert_eq!(history[..2], ["issued by vendor".to_owned(), format!("renewed by {dana}")]);
    assert_eq!(history[2..], [format!("retrieved by {kim}"), "signed-in by admin@fabrikam".to_owned()]);
}

#[tokio::test]
async fn two_people_at_once_and_everyone_for_ten_minutes_get_one_issue() {
    let stack = expired().await;
    let answers = join_all((0..8).map(|n| renew(&stack, if n % 2 == 0 { DANA } else { KIM }))).await;
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.body == answers[0].body), "{answers:?}");
    stack.advance_clock(599);
    assert_eq!(renew(&stack, KIM).await.body, answers[0].body);
    stack.advance_clock(1);
    let late = renew(&stack, KIM).await;
    assert_eq!((late.status, late.problem()), (409, Some("conflict")));
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 2);
    assert_eq!(stack.history("sub-1").await.len(), 2);
}

#[tokio::test]
async fn with_every_first_answer_lost_it_is_one_issue() {
    let stack = expired().await;
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1));
    let answer = renew(&stack, DANA).await;
    assert_eq!((answer.status, &answer.body["issue"]), (202, &json!(2)));
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 2);
}

#[tokio::test]
async fn a_subscription_has_three_renewals_in_its_life() {
    let stack = expired().await;
    for issue in 2..=4 {
        assert_eq!(renew(&stack, DANA).await.body["issue"], issue);
        stack.advance_clock(WEEK);
    }
    assert_eq!(renew(&stack, DANA).await.status, 409);
    assert_eq!(credential(&stack).await["issue"]["N"], "4");
}

#[tokio::test]
async fn only_what_expired_unchanged_is_renewed() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    assert_eq!(renew(&stack, DANA).await.status, 409, "it works still");
    stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().expect("signs in");
    stack.advance_clock(WEEK);
    assert_eq!(renew(&stack, DANA).await.status, 202, "signed in, but never chose a password");
    stack.cloud.drained().await.unwrap();
    let session = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().expect("signs in");
    let chosen = "seven green boats at noon";
    stack.call("reset-password", Call::reset_password(&session, chosen)).await.session().expect("resets");
    stack.advance_clock(WEEK);
    assert_eq!(renew(&stack, DANA).await.status, 409, "a chosen password does not expire");
}

#[tokio::test]
async fn neither_three_retrievals_nor_a_hand_over_nor_the_end_are_followed_by_a_renewal() {
    for (name, value) in [("handed_over_at", json!({ "N": "1" })), ("ended_at", json!({ "N": "1" }))] {
        let stack = expired().await;
        set(&stack, name, value).await;
        assert_eq!(renew(&stack, DANA).await.status, 409, "{name}");
    }
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    for key in ["1", "2", "3"] {
        stack.retrieve(&stack.token(KIM), "sub-1", key).await;
    }
    stack.advance_clock(WEEK);
    assert_eq!(renew(&stack, DANA).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_over_beside_a_renewal_wins() {
    let stack = expired().await;
    let mut gate =
        stack.cloud.gate(|call| call.operation == "TransactWriteItems" && call.function == "renew-credentials");
    let meanwhile = async {
        let held = gate.next().await.unwrap();
        // By hand, without the number that every transaction counts up, so that the condition itself is tried.
        set(&stack, "handed_over_at", json!({ "N": "1" })).await;
        held.release().await;
    };
    let (answer, ()) = tokio::join!(renew(&stack, DANA), meanwhile);
    assert_eq!(answer.status, 409);
    assert_eq!(credential(&stack).await["issue"]["N"], "1");
}

/// Renews while the item of the credential changes by hand between the decision and the write, without the number that every transaction
/// counts up, so that the other conditions are tried. Returns the answer.
async fn renew_beside(stack: &TestStack, name: &str, value: Value) -> Answer {
    let is_first = AtomicBool::new(true);
    let mut gate = stack.cloud.gate(move |call| {
        let renews = call.operation == "TransactWriteItems" && call.function == "renew-credentials";
        renews && is_first.swap(false, Ordering::SeqCst)
    });
    let meanwhile = async {
        let held = gate.next().await.unwrap();
        set(stack, name, value).await;
        held.release().await;
    };
    tokio::join!(renew(stack, DANA), meanwhile).0
}

#[tokio::test(flavor = "multi_thread")]
async fn every_condition_of_a_renewal_holds_when_it_is_written() {
    let at = |seconds: i64| json!({ "N": seconds.to_string() });
    let retrieval = json!({
        "at": at(1), "by": { "S": KIM }, "confirmed": { "BOOL": true }, "who": { "B": "AAAAAAAAAAAAAAAAAAAAAA==" },
    });
    for (name, value, status) in [
        ("ended_at", at(1), 409),
        ("changed_at", at(1), 409),
        ("expires_at", at(99_999_999_999), 409),
        ("renewals", at(3), 409),
        ("portal_users", json!({ "BS": ["AAAAAAAAAAAAAAAAAAAAAA=="] }), 404),
    ] {
        let stack = expired().await;
        assert_eq!(renew_beside(&stack, name, value).await.status, status, "{name}");
        assert_eq!(credential(&stack).await["issue"]["N"], "1", "{name}");
    }
    let stack = expired().await;
    let answer = renew_beside(&stack, "retrievals", json!({ "M": { "click": { "M": retrieval } } })).await;
    assert_eq!((answer.status, &answer.body["issue"]), (202, &json!(2)));
    let history = stack.history("sub-1").await;
    assert_eq!(history[1..], [format!("retrieved by {KIM}"), format!("renewed by {DANA}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_event_beside_a_renewal_gives_both_one_issue() {
    let stack = expired().await;
    let mut gate =
        stack.cloud.gate(|call| call.operation == "TransactWriteItems" && call.function == "renew-credentials");
    let meanwhile = async {
        let held = gate.next().await.unwrap();
        assert_eq!(stack.publish(event("sub-1", "paid")).await, json!([]));
        held.release().await;
    };
    let (answer, ()) = tokio::join!(renew(&stack, DANA), meanwhile);
    assert_eq!((answer.status, &answer.body["issue"]), (202, &json!(2)), "{answer:?}");
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 2);
    assert_eq!(renew(&stack, DANA).await.status, 409, "the paid event has started the issue");
}

#[tokio::test]
async fn the_mail_of_a_renewal_is_not_sent_to_an_address_that_bounced() {
    let stack = expired().await;
    let mut mail = stack.items("MAIL").await.remove(0);
    (mail["status"]["S"], mail["rank"]["N"]) = ("bounced".into(), "40".into());
    Table::connect(&stack.cloud.aws_url(), "test").put(&mail).await;
    assert_eq!(renew(&stack, DANA).await.status, 202);
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 1);
    let listed = stack.list(&stack.token(DANA)).await;
    assert_eq!(listed.body["subscriptions"][0]["welcome_mail"]["status"], "bounced");
    assert!(stack.retrieve(&stack.token(DANA), "sub-1", "click").await.password().is_some());
}

#[tokio::test]
async fn a_caller_who_is_not_a_portal_user_learns_nothing() {
    let stack = expired().await;
    let stranger = renew(&stack, "mallory@other.example").await;
    let unknown = stack.call("renew-credentials", Call::renew_credentials("sub-9").bearer(&stack.token(DANA))).await;
    assert_eq!((stranger.status, unknown.status, stranger.problem()), (404, 404, unknown.problem()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounce_beside_a_renewal_is_not_lost() {
    let stack = expired().await;
    let mut gate =
        stack.cloud.gate(|call| call.operation == "TransactWriteItems" && call.function == "renew-credentials");
    let meanwhile = async {
        let held = gate.next().await.unwrap();
        stack.cloud.report("it@fabrikam.example", cloud::Feedback::Bounced).await.unwrap();
        held.release().await;
        while let Some(held) = gate.next().await {
            held.release().await;
        }
    };
    // Without the condition there is no second transaction to wait for.
    let answer = tokio::select! {
        answer = renew(&stack, DANA) => answer,
        () = meanwhile => panic!("the cloud has ended"),
    };
    assert_eq!(answer.status, 202);
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.items("MAIL").await[0]["status"]["S"], "bounced");
    assert_eq!(stack.cloud.inbox().len(), 1, "nothing more goes to that address");
}
