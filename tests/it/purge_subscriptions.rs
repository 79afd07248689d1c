//! Tests of the purge: after the retention everything of a subscription that has ended is deleted, and nothing else.

use cloud::{Fault, Mode, Service};
use serde_json::{Value, json};
use support::{Call, Deployment, Function, TestStack, at, ended, event, table::Table};

use crate::{
    administrators::{ADMIN, CHOSEN, LEE, LEES, MO, MOS, REFILL},
    subscription_end::notes,
};

const DAY: i64 = 86_400;
const RETENTION: i64 = 400 * DAY;
const DANA: &str = "dana@fabrikam.example";

/// When the clock of these tests starts: 20 November 2026, 09:00 UTC, the time of the end.
const START: i64 = 1_795_165_200;

/// The time of a start after the end.
const AFTER_THE_END: &str = "2026-11-21T09:00:00Z";

/// The time for which a run has a subscription to itself.
const LEASE: i64 = 15 * 60;

fn deployment() -> Deployment {
    Deployment::default().with_start_time(START).with("NOTICES", "all")
}

/// Runs the schedule once. Returns whether it succeeded.
async fn try_run(stack: &TestStack) -> bool {
    let tick: Value = serde_json::from_str(&Function::PurgeSubscriptions.event()).unwrap();
    stack.try_invoke("purge-subscriptions", tick).await.is_ok()
}

async fn run(stack: &TestStack) {
    assert!(try_run(stack).await, "the run succeeds");
}

/// Leaves an item of every kind that a subscription has: of its portal users, administrators, operators, mails and support requests.
async fn with_everything(stack: &TestStack) {
    let mut start = event("sub-1", "trial");
    start["detail"]["portal_users"] = json!([
        { "email": DANA }, { "email": "kim@fabrikam.example" }, { "issuer": "https://login.example", "subject": "4711" },
    ]);
    stack.start_subscription(start).await;
    let (dana, temporary) = (stack.token(DANA), stack.mailed_password());
    stack.retrieve(&dana, "sub-1", "click").await;
    let support = Call::contact_support("sub-1", "Please call.").bearer(&dana).key("click");
    assert_eq!(stack.call("contact-support", support).await.status, 202);
    let service = stack.choose_password(ADMIN, &temporary, CHOSEN).await;
    let lee = stack.first_administrator(&service, LEE, LEES).await;
    let body = json!({
        "user_name": MO, "display_name": "Mo", "email": "mo@fabrikam.example", "current_password": LEES,
    });
    let add = Call::post("/administrators").session(&lee).key("mo").json(&body);
    let added = stack.call("create-admin", add).await;
    stack.choose_password(MO, added.temporary_password().expect("a password"), MOS).await;
    stack.sign_in(LEE, "a wrong password of Lee's").await;
    let operator = stack.operator_token("olivia@contoso.example");
    let kim = domain::Principal::email(&domain::EmailAddress::parse("kim@fabrikam.example").unwrap());
    let removal = format!("/desk/api/subscriptions/sub-1/portal-users/{kim}/removal");
    assert_eq!(stack.desk_post(&removal, &operator, "kim", &json!({ "reason": "Kim has left" })).await.status, 202);
    let unlock = format!("/desk/api/accounts/{LEE}/unlock");
    stack.desk_post(&unlock, &operator, "lee", &json!({ "reason": "Ticket 4711" })).await;
    let reissue = json!({ "reason": "Ticket 4711", "if_issue": 1 });
    let asked = stack.desk_post("/desk/api/subscriptions/sub-1/reissues", &operator, "ask", &reissue).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    let records = json!({ "Records": stack.cloud.stream_records().await.unwrap() });
    stack.invoke("publish-events", records).await;
    stack.cloud.drained().await.unwrap();
    stack.advance_clock(REFILL);
}

/// Returns what is left that names the subscription, its accounts or its company, without what deletes itself in these days. The times of the
/// last start and the last end stay for a while, so that no old start brings the subscription back.
async fn left(stack: &TestStack, marks: &[&str]) -> Vec<String> {
    let now = stack.cloud.clock().epoch_seconds();
    let is_expiring = |item: &Value| {
        let ttl = item["ttl"]["N"].as_str().map(|ttl| ttl.parse::<i64>().unwrap());
        let is_short_lived = item["SK"]["S"] == "LIFE" || item["PK"]["S"].as_str().unwrap().starts_with("DUE#");
        ttl.is_some_and(|ttl| ttl <= now || is_short_lived)
    };
    let is_one = |item: &Value| {
        let text = item.to_string();
        marks.iter().any(|mark| text.contains(mark)) && !text.contains("sub-2")
    };
    let all = stack.items("").await;
    let left = all.iter().filter(|item| is_one(item) && !is_expiring(item));
    left.map(|item| format!("{} {}", item["PK"]["S"], item["SK"]["S"])).collect()
}

const MARKS: [&str; 4] = ["sub-1", "@fabrikam", "#fabrikam", "fabrikam.example"];

/// The kinds of items, by the beginnings of both keys, which the story must leave so that the test says something about all of them.
const KINDS: [(&str, &str); 19] = [
    ("SUBSCRIPTION#sub-1", "CREDENTIAL"),
    ("SUBSCRIPTION#sub-1", "LIFE"),
    ("SUBSCRIPTION#sub-1", "MAIL"),
    ("SUBSCRIPTION#sub-1", "MAIL#support#"),
    ("SUBSCRIPTION#sub-1", "MAIL#notice#"),
    ("SUBSCRIPTION#sub-1", "PORTAL_USER#"),
    ("SUBSCRIPTION#sub-1", "EVENT#"),
    ("SUBSCRIPTION#sub-1", "STARTED#"),
    ("SUBSCRIPTION#sub-1", "ADMINISTRATOR#"),
    ("SUBSCRIPTION#sub-1", "CLICK#"),
    ("SUBSCRIPTION#sub-1", "ADDRESSED#"),
    ("SUBSCRIPTION#sub-1", "SUPPORT#"),
    ("SUBSCRIPTION#sub-1", "APPROVAL"),
    ("PORTAL_USER#", "SUBSCRIPTION#sub-1"),
    ("ACCOUNT#", "ACCOUNT"),
    ("ATTEMPTS#", "NETWORK#"),
    ("ATTEMPTS#", "DEVICE#"),
    ("COMPANY#fabrikam", "SUBSCRIPTION#sub-1"),
    ("REFERENCE#", "REFERENCE"),
];

/// Asserts that an item of each kind is there.
async fn assert_everything(stack: &TestStack) {
    let all = stack.items("").await;
    for (pk, sk) in KINDS {
        let is_one = |item: &&Value| {
            item["PK"]["S"].as_str().unwrap().starts_with(pk) && item["SK"]["S"].as_str().unwrap().starts_with(sk)
        };
        assert!(all.iter().any(|item| is_one(&item)), "the story leaves no {pk} {sk}");
    }
}

/// Starts a subscription of another company, and returns everything that is stored of it.
async fn another_company(stack: &TestStack) -> Vec<Value> {
    let mut other = event("sub-2", "trial");
    other["detail"]["company"] = json!({ "id": "northwind", "name": "Northwind" });
    other["detail"]["service_administrator"]["email"] = "it@northwind.example".into();
    other["detail"]["portal_users"] = json!([{ "email": DANA }]);
    stack.start_subscription(other).await;
    let session = stack.sign_in("admin@northwind", &stack.mailed_password()).await.session().unwrap();
    stack.call("reset-password", Call::reset_password(&session, CHOSEN)).await;
    items_of_another_company(stack).await
}

async fn items_of_another_company(stack: &TestStack) -> Vec<Value> {
    let mut all = stack.items("").await;
    all.retain(|item| item.to_string().contains("sub-2") || item.to_string().contains("northwind"));
    all
}

#[tokio::test]
async fn after_the_retention_everything_of_an_ended_subscription_is_gone_and_nothing_of_another() {
    let stack = deployment().start().await;
    with_everything(&stack).await;
    let other = another_company(&stack).await;
    stack.end_subscription(ended("sub-1")).await;
    assert_everything(&stack).await;
    let ended = stack.items("").await;
    stack.advance_clock(RETENTION - DAY);
    run(&stack).await;
    assert_eq!(stack.items("").await, ended, "a day too early");
    stack.advance_clock(DAY);
    run(&stack).await;
    assert_eq!(left(&stack, &MARKS).await, [""; 0]);
    assert_eq!(notes(&stack).await, Vec::<Value>::new());
    assert_eq!(items_of_another_company(&stack).await, other);
    assert_eq!(stack.list(&stack.token(DANA)).await.body["subscriptions"].as_array().unwrap().len(), 1);
    let gone = stack.retrieve(&stack.token(DANA), "sub-1", "click").await;
    assert_eq!(gone.problem(), Some("not-found"));
    let again = stack.items("").await;
    run(&stack).await;
    assert_eq!(stack.items("").await, again);
}

/// A subscription that has ended, after its retention.
async fn due(deployment: Deployment) -> TestStack {
    let stack = deployment.start().await;
    with_everything(&stack).await;
    stack.end_subscription(ended("sub-1")).await;
    stack.advance_clock(RETENTION);
    stack
}

#[tokio::test]
async fn the_retention_is_a_setting_and_an_hour_of_the_schedule_is_enough() {
    let stack = deployment().with("RETENTION_DAYS", "2").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.end_subscription(ended("sub-1")).await;
    stack.advance_clock(DAY + 14 * 3600);
    run(&stack).await;
    assert!(!left(&stack, &["sub-1"]).await.is_empty(), "an hour before the day");
    stack.pass_time(2 * 3600).await;
    assert_eq!(left(&stack, &["sub-1"]).await, [""; 0]);
}

#[tokio::test]
async fn a_missed_month_is_caught_up() {
    let stack = due(deployment()).await;
    stack.advance_clock(30 * DAY);
    run(&stack).await;
    assert_eq!(left(&stack, &MARKS).await, [""; 0]);
}

#[tokio::test]
async fn nothing_of_a_subscription_that_started_again_is_deleted() {
    let stack = deployment().start().await;
    with_everything(&stack).await;
    stack.end_subscription(ended("sub-1")).await;
    stack.advance_clock(2 * DAY);
    stack.start_subscription(at(event("sub-1", "paid"), AFTER_THE_END)).await;
    let temporary = stack.mailed_password();
    let service = stack.choose_password(ADMIN, &temporary, CHOSEN).await;
    stack.first_administrator(&service, "noor@fabrikam", LEES).await;
    let without_purge = async || {
        let mut all = stack.items("").await;
        all.retain(|item| !item["PK"]["S"].as_str().unwrap().starts_with("PURGE#"));
        all
    };
    let before = without_purge().await;
    stack.advance_clock(RETENTION);
    for _ in 0..2 {
        run(&stack).await;
        assert_eq!(without_purge().await, before);
    }
    assert_eq!(notes(&stack).await, Vec::<Value>::new(), "the note of the first end is done");
    assert_eq!(stack.sign_in("noor@fabrikam", LEES).await.next(), Some("home"));
}

#[tokio::test]
async fn a_life_that_ended_again_is_deleted_after_its_own_end() {
    let stack = deployment().start().await;
    with_everything(&stack).await;
    stack.end_subscription(ended("sub-1")).await;
    stack.advance_clock(100 * DAY);
    stack.start_subscription(at(event("sub-1", "paid"), "2027-02-28T09:00:00Z")).await;
    stack.advance_clock(DAY);
    stack.end_subscription(at(ended("sub-1"), "2027-03-01T09:00:00Z")).await;
    stack.advance_clock(RETENTION - 101 * DAY);
    run(&stack).await;
    assert!(
        left(&stack, &["sub-1"]).await.iter().any(|key| key.contains("CREDENTIAL")),
        "the first end is another one"
    );
    stack.advance_clock(101 * DAY);
    run(&stack).await;
    assert_eq!(left(&stack, &MARKS).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cut_off_anywhere_is_completed_by_a_later_one() {
    for operation in ["DeleteItem", "GetItem", "Query", "UpdateItem"] {
        for calls in [0, 2] {
            let stack = due(deployment()).await;
            let fault = |count| {
                Fault::new(Service::DynamoDb, operation, Mode::Refused, count)
                    .after(calls)
                    .on_function("purge-subscriptions")
            };
            stack.cloud.set_fault(fault(100_000));
            let is_done = try_run(&stack).await;
            stack.cloud.set_fault(fault(0));
            let story = format!("{operation} fails after {calls} calls, done: {is_done}");
            let rest = left(&stack, &["sub-1"]).await;
            assert!(!is_done || rest.is_empty(), "{story}: {rest:#?}");
            let has = |key: &str| rest.iter().any(|one| one.contains(key));
            assert!(rest.is_empty() || has("PURGE#"), "{story}: a later run finds it");
            let is_behind = !has("\"SUBSCRIPTION#sub-1\"") || has("CREDENTIAL");
            assert!(is_behind, "{story}: the credential is deleted last: {rest:#?}");
            stack.advance_clock(LEASE + 60);
            run(&stack).await;
            assert_eq!(left(&stack, &MARKS).await, [""; 0], "{story}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_is_completed_after_its_lease_and_not_before() {
    let stack = due(deployment()).await;
    let mut gate = stack.cloud.gate(|call| {
        call.function == "purge-subscriptions" && ["DeleteItem", "BatchWriteItem"].contains(&&*call.operation)
    });
    let die = async {
        let held = gate.next().await.unwrap();
        drop(gate);
        stack.kill("purge-subscriptions");
        drop(held);
    };
    let (died, ()) = tokio::join!(try_run(&stack), die);
    assert!(!died);
    let before = left(&stack, &["sub-1"]).await;
    run(&stack).await;
    assert_eq!(left(&stack, &["sub-1"]).await, before, "the first run may still be at work");
    stack.advance_clock(LEASE + 60);
    run(&stack).await;
    assert_eq!(left(&stack, &MARKS).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_delete_everything_once() {
    let stack = due(deployment()).await;
    let (one, other) = tokio::join!(try_run(&stack), try_run(&stack));
    assert!(one || other);
    stack.advance_clock(LEASE + 60);
    run(&stack).await;
    assert_eq!(left(&stack, &MARKS).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_during_a_purge_waits_and_is_a_first_one_after_it() {
    let stack = due(deployment()).await;
    let mut gate = stack.cloud.gate(|call| {
        call.function == "purge-subscriptions" && ["DeleteItem", "BatchWriteItem"].contains(&&*call.operation)
    });
    let start = at(event("sub-1", "paid"), AFTER_THE_END);
    let queued = json!({ "Records": [{ "messageId": "message", "body": start.to_string() }] });
    let meanwhile = async {
        let held = gate.next().await.unwrap();
        drop(gate);
        let failed = stack.invoke("subscription-start", queued.clone()).await;
        assert_ne!(failed["batchItemFailures"], json!([]), "the queue delivers it again");
        held.release().await;
    };
    let (done, ()) = tokio::join!(try_run(&stack), meanwhile);
    assert!(done);
    assert_eq!(left(&stack, &MARKS).await, [""; 0]);
    stack.start_subscription(start).await;
    let mail = stack.cloud.inbox().pop().unwrap();
    assert_eq!((&*mail.to, &*mail.tags["issue"]), ("it@fabrikam.example", "1"));
    assert_eq!(stack.history("sub-1").await, ["issued by vendor"]);
    let account = stack.account(ADMIN).await;
    assert_eq!(account["version"]["N"], "1", "a new account: {account}");
    assert_eq!(stack.sign_in(ADMIN, &stack.mailed_password()).await.next(), Some("reset-password"));
}

#[tokio::test]
async fn a_session_from_before_an_early_purge_is_not_of_the_account_that_gets_its_name() {
    let stack = deployment().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let old = stack.choose_password(ADMIN, &stack.mailed_password(), CHOSEN).await;
    let version = stack.account(ADMIN).await["version"].clone();
    stack.end_subscription(ended("sub-1")).await;
    // The guide moves the deletion to today like this.
    let mut due = stack.items("").await;
    due.retain(|item| item["PK"]["S"].as_str().unwrap().starts_with("PURGE#"));
    for item in &mut due {
        item["PK"]["S"] = "PURGE#2026-11-20".into();
    }
    Table::connect(&stack.cloud.aws_url(), "tests").put_all(&due).await;
    run(&stack).await;
    stack.advance_clock(3600);
    stack.start_subscription(at(event("sub-1", "paid"), "2026-11-20T09:30:00Z")).await;
    let new = stack.choose_password(ADMIN, &stack.mailed_password(), CHOSEN).await;
    assert_eq!(stack.account(ADMIN).await["version"], version, "both sessions have it");
    let status =
        async |session: &str| stack.call("reset-password", Call::reset_password(session, "short")).await.status;
    assert_eq!(status(&new).await, 422);
    assert_eq!(status(&old).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_just_before_a_purge_keeps_everything() {
    let stack = due(deployment()).await;
    let mut gate = stack.cloud.gate(|call| {
        call.function == "purge-subscriptions" && !["Query", "GetItem", "BatchGetItem"].contains(&&*call.operation)
    });
    let meanwhile = async {
        let held = gate.next().await.unwrap();
        drop(gate);
        stack.start_subscription(at(event("sub-1", "paid"), AFTER_THE_END)).await;
        held.release().await;
    };
    let (done, ()) = tokio::join!(try_run(&stack), meanwhile);
    assert!(done);
    let mail = stack.cloud.inbox().pop().unwrap();
    assert_eq!(mail.tags["issue"], "2", "it goes on");
    assert!(stack.history("sub-1").await.len() > 10, "with its history");
    assert_eq!(stack.sign_in(ADMIN, &stack.mailed_password()).await.next(), Some("reset-password"));
    assert_eq!(stack.account(LEE).await["status"]["S"], "closed");
}

#[tokio::test]
async fn an_account_whose_name_another_subscription_has_taken_stays_with_its_attempts() {
    let stack = due(deployment()).await;
    // An earlier run deleted Lee's account and died. Another subscription of the company took the name before this run.
    let mut account = stack.account(LEE).await;
    account["subscription_id"]["S"] = "sub-2".into();
    let part = format!("ATTEMPTS#{LEE}");
    let attempts = json!({ "PK": { "S": part }, "SK": { "S": "ACCOUNT" }, "failures": { "N": "3" } });
    Table::connect(&stack.cloud.aws_url(), "tests").put_all(&[account, attempts]).await;
    let of_the_name = async || {
        let mut all = stack.items("").await;
        all.retain(|item| [format!("ACCOUNT#{LEE}"), part.clone()].contains(&item["PK"]["S"].as_str().unwrap().into()));
        all
    };
    let before = of_the_name().await;
    run(&stack).await;
    assert_eq!(of_the_name().await, before);
    let left = left(&stack, &MARKS).await;
    assert!(left.iter().all(|key| key.contains(&part)), "nothing else stays: {left:#?}");
}

#[tokio::test]
async fn an_item_that_cannot_be_read_keeps_no_other_subscription_from_its_purge() {
    let stack = due(deployment()).await;
    let note = notes(&stack).await.remove(0);
    let unknown = json!({ "PK": note["PK"], "SK": { "S": "OF_A_LATER_RELEASE#sub-0" } });
    Table::connect(&stack.cloud.aws_url(), "tests").put(&unknown).await;
    try_run(&stack).await;
    assert_eq!(left(&stack, &MARKS).await, [""; 0]);
}

#[tokio::test]
async fn a_large_history_and_many_accounts_are_deleted_in_one_run() {
    let stack = deployment().start().await;
    with_everything(&stack).await;
    let entry = stack.items("EVENT#").await.remove(0);
    let account = stack.account(MO).await;
    let mut more = Vec::new();
    for n in 0..300 {
        let mut entry = entry.clone();
        entry["SK"]["S"] = format!("EVENT#{:010}", 1000 + n).into();
        entry["padding"] = json!({ "S": "x".repeat(4000) });
        more.push(entry);
    }
    for n in 0..50 {
        let mut account = account.clone();
        let (name, id) = (format!("person-{n}@fabrikam"), format!("01ARYZ6RR0ZZZZZZZZZZZZZZ{n:02}"));
        account["PK"]["S"] = format!("ACCOUNT#{name}").into();
        account["account_id"]["S"] = id.clone().into();
        let mut item = stack.items("ADMINISTRATOR#").await.remove(0);
        item["SK"]["S"] = format!("ADMINISTRATOR#{id}").into();
        item["user_name"]["S"] = name.clone().into();
        let attempts =
            json!({ "PK": { "S": format!("ATTEMPTS#{name}") }, "SK": { "S": "ACCOUNT" }, "failures": { "N": "3" } });
        more.extend([account, item, attempts]);
    }
    Table::connect(&stack.cloud.aws_url(), "tests").put_all(&more).await;
    stack.end_subscription(ended("sub-1")).await;
    stack.advance_clock(RETENTION);
    run(&stack).await;
    assert_eq!(left(&stack, &MARKS).await, [""; 0]);
}
