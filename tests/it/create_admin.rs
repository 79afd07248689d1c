//! Tests of creating administrators.

use std::{collections::BTreeSet, time::Duration};

use cloud::{Fault, Mode, Service};
use futures_util::{future::join_all, join};
use serde_json::{Value, json};
use support::{
    Answer, Call, Deployment, TestStack, event,
    table::{Table, text},
};

use crate::administrators::stored_items;

const CHOSEN: &str = "seven green boats at noon";
const OWN: &str = "a quiet lamp over the harbour";

/// Starts a stack whose service administrator has chosen a password, and returns their session.
async fn with_a_full_session() -> (TestStack, String) {
    let stack = TestStack::start().await;
    let service = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    (stack, service)
}

async fn create(stack: &TestStack, session: &str, user_name: &str, key: &str) -> Answer {
    stack.call("create-admin", Call::create_admin(session, user_name, OWN).key(key)).await
}

/// Creates an administrator with one field replaced or added.
async fn create_with(stack: &TestStack, session: &str, field: &str, value: Value) -> Answer {
    let mut body = json!({ "user_name": "lee@fabrikam", "display_name": "Lee Ahmadi", "password": OWN });
    body[field] = value;
    stack.call("create-admin", Call::post("/administrators").session(session).json(&body)).await
}

/// Adds an administrator in the session of one whose password is [`OWN`].
async fn add(stack: &TestStack, session: &str, user_name: &str, key: &str) -> Answer {
    stack.call("create-admin", Call::add_admin(session, user_name, OWN).key(key)).await
}

/// Starts a stack with an administrator, Lee, whose password is [`OWN`], and returns Lee's session.
async fn with_lee() -> (TestStack, String) {
    let (stack, service) = with_a_full_session().await;
    let lee = stack.first_administrator(&service, "lee@fabrikam", OWN).await;
    (stack, lee)
}

/// The seconds after which the budget of an account is full.
const REFILL: i64 = 600;

/// Repeats a call until the answer is not 503: one machine does the work of as many function instances.
async fn with_retries<F: Future<Output = Answer>>(call: impl Fn() -> F) -> Answer {
    for attempt in 0..40 {
        let answer = call().await;
        if answer.status != 503 {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50 + 20 * attempt)).await;
    }
    panic!("the function was never available");
}

/// Returns the status and the problem of an answer.
fn outcome(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.problem())
}

/// Returns the number of administrators, and asserts that each of them is in the list of administrators.
async fn administrators(stack: &TestStack) -> usize {
    let accounts = stack.items("ACCOUNT").await.into_iter().filter(|item| item["role"]["S"] == "administrator").count();
    assert_eq!(stack.items("ADMINISTRATOR#").await.len(), accounts, "each account is in the list");
    accounts
}

/// Returns the state of the credentials in the list of subscriptions.
async fn state(stack: &TestStack) -> Value {
    let dana = stack.token("dana@fabrikam.example");
    stack.list(&dana).await.body["subscriptions"][0]["credentials"]["state"].take()
}

#[tokio::test]
async fn the_service_administrator_and_then_an_administrator_create_administrators() {
    let (stack, service) = with_a_full_session().await;
    assert_eq!(state(&stack).await, "changed");
    let answer = create(&stack, &service, "Lee@FABRIKAM", "click").await;
    assert_eq!((answer.status, &answer.body["user_name"]), (201, &json!("lee@fabrikam")), "{answer:?}");
    assert_eq!(answer.body.as_object().unwrap().len(), 2);
    assert_eq!(answer.body["account_id"].as_str().unwrap().len(), 26);
    assert!(answer.cookies.is_empty());
    assert_eq!(state(&stack).await, "handed-over");
    let handed_over_at = stack.items("CREDENTIAL").await[0]["handed_over_at"].take();

    stack.advance_clock(60);
    let lee = stack.sign_in("lee@fabrikam", OWN).await;
    assert_eq!(lee.next(), Some("home"));
    let added = add(&stack, &lee.session().unwrap(), "mo@fabrikam", "click").await;
    assert_eq!(added.status, 201, "{added:?}");
    stack.choose_password("mo@fabrikam", added.temporary_password().unwrap(), CHOSEN).await;
    assert_eq!(
        stack.items("CREDENTIAL").await[0]["handed_over_at"],
        handed_over_at,
        "the time of the first creation does not change"
    );
    assert_eq!(state(&stack).await, "handed-over");
    let expected = [
        "administrator-created by admin@fabrikam",
        "administrator-signed-in by lee@fabrikam",
        "service-administrator-retired by lee@fabrikam",
        "administrator-created by lee@fabrikam",
    ];
    let history = stack.history("sub-1").await;
    assert_eq!(history[3..7], expected);
    assert!(history[7..].contains(&"password-changed by mo@fabrikam".to_owned()), "{history:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_creations_at_once_and_a_choice_of_a_password_beside_them_all_succeed() {
    let stack = Deployment::default().with("KEEP_SERVICE_ADMINISTRATOR", "true").start().await;
    let service = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let mo = stack.first_administrator(&service, "mo@fabrikam", OWN).await;
    let body = json!({ "new_password": CHOSEN, "current_password": OWN });
    let choose = || stack.call("reset-password", Call::post("/reset-password").session(&mo).json(&body));
    let names: Vec<String> = (0..10).map(|n| format!("person-{n}@fabrikam")).collect();
    let (stack, service) = (&stack, &service);
    let creations = names.iter().map(|name| with_retries(move || create(stack, service, name, name)));
    let (answers, chosen) = join!(join_all(creations), with_retries(choose));
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    assert_eq!(chosen.status, 200, "{chosen:?}");
    let ids: BTreeSet<_> = answers.iter().map(|answer| answer.body["account_id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), administrators(stack).await), (10, 11));
    let history = stack.history("sub-1").await;
    let count = |entry: &str| history[5..].iter().filter(|line| **line == entry).count();
    assert_eq!(count("administrator-created by admin@fabrikam"), 10);
    assert_eq!(count("password-changed by mo@fabrikam"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_click_again_and_eight_times_at_once_is_one_account() {
    let (stack, service) = with_a_full_session().await;
    let clicks = || (0..8).map(|_| with_retries(|| create(&stack, &service, "lee@fabrikam", "click")));
    let mut answers = join_all(clicks()).await;
    stack.advance_clock(3600);
    answers.push(create(&stack, &service, "lee@fabrikam", "click").await);
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    assert_eq!(administrators(&stack).await, 1);
    assert_eq!(stack.history("sub-1").await[3..], ["administrator-created by admin@fabrikam"]);
}

#[tokio::test]
async fn any_other_click_for_a_taken_name_is_refused_and_changes_nothing() {
    let (stack, lee) = with_lee().await;
    stack.start_subscription(event("sub-2", "trial")).await;
    let mo = stack.proven_administrator(&lee, OWN, "mo@fabrikam", CHOSEN).await;
    stack.advance_clock(REFILL);
    assert_eq!(add(&stack, &lee, "kim@fabrikam", "click").await.status, 201);
    let before = stored_items(&stack).await;
    for (session, current, name, key) in [
        (&lee, OWN, "kim@fabrikam", "another"),
        (&lee, OWN, "KIM@fabrikam", "another"),
        (&lee, OWN, "lee@fabrikam", "another"),
        (&mo, CHOSEN, "kim@fabrikam", "click"),
    ] {
        let answer = stack.call("create-admin", Call::add_admin(session, name, current).key(key)).await;
        assert_eq!(outcome(&answer), (409, Some("user-name-taken")), "{name} {key}");
    }
    assert_eq!(stored_items(&stack).await, before);
    let without_key = Call::add_admin(&mo, "jo@fabrikam", CHOSEN);
    assert_eq!(stack.call("create-admin", without_key.clone()).await.status, 201);
    assert_eq!(outcome(&stack.call("create-admin", without_key).await), (409, Some("user-name-taken")));
}

#[tokio::test]
async fn a_key_that_is_used_again_with_another_body_is_a_conflict_and_changes_nothing() {
    let (stack, service) = with_a_full_session().await;
    let body = json!({
        "user_name": "lee@fabrikam", "display_name": "Lee Ahmadi", "password": OWN, "email": "lee@fabrikam.example",
    });
    let send = async |session: &str, body: &Value| {
        stack.call("create-admin", Call::post("/administrators").session(session).key("click").json(body)).await
    };
    let first = send(&service, &body).await;
    assert_eq!(first.status, 201, "{first:?}");
    let before = stack.items("").await;
    for (field, value) in [
        ("user_name", json!("mo@fabrikam")),
        ("display_name", json!("Mo")),
        ("password", json!("eleven maps under the bridge")),
        ("email", json!("mo@fabrikam.example")),
        ("email", json!(null)),
    ] {
        let mut other = body.clone();
        other[field] = value;
        assert_eq!(outcome(&send(&service, &other).await), (409, Some("conflict")), "{field}");
    }
    assert_eq!(stack.items("").await, before);
    let mut same = body.clone();
    (same["user_name"], same["display_name"]) = ("LEE@fabrikam".into(), " Lee Ahmadi\u{200e}".into());
    let again = send(&service, &same).await;
    assert_eq!((again.status, &again.body), (201, &first.body), "the same form, once it is read");
    let lee = stack.sign_in("lee@fabrikam", OWN).await.session().unwrap();
    assert_eq!(
        add(&stack, &lee, "mo@fabrikam", "click").await.status,
        201,
        "the key of another account is another click"
    );
}

#[tokio::test]
async fn an_account_that_0_1_0_has_created_is_found_by_its_click() {
    let (stack, service) = with_a_full_session().await;
    let first = create(&stack, &service, "lee@fabrikam", "click").await;
    // That release put no mark of the click.
    let mark = stack.items("CLICK#").await.pop().unwrap();
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    let (pk, sk) = (mark["PK"]["S"].as_str().unwrap(), mark["SK"]["S"].as_str().unwrap());
    let delete = table.client().delete_item().table_name("firstkey").key("PK", text(pk)).key("SK", text(sk));
    delete.send().await.unwrap();
    let again = create(&stack, &service, "lee@fabrikam", "click").await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    let other = Call::create_admin(&service, "lee@fabrikam", "eleven maps under the bridge").key("click");
    assert_eq!(outcome(&stack.call("create-admin", other).await), (409, Some("conflict")));
    assert_eq!(administrators(&stack).await, 1);
}

#[tokio::test]
async fn a_display_name_is_what_a_reader_can_see() {
    let (stack, service) = with_a_full_session().await;
    let mut bad = vec!["\u{3164}".to_owned(), "\u{2800}".to_owned(), "\u{e0041}".to_owned(), "…".to_owned()];
    bad.push("www.evil.example/login".to_owned());
    let invisible =
        [0xad, 0x34f, 0x61c, 0x115f, 0x180b, 0x200b, 0x200c, 0x200d, 0x2066, 0xfe00, 0xfe0f, 0xfff9, 0xe0000];
    bad.extend(invisible.map(|code| format!("L{}ee", char::from_u32(code).unwrap())));
    for name in bad {
        let answer = create_with(&stack, &service, "display_name", json!(name)).await;
        assert_eq!(outcome(&answer), (400, Some("invalid-request")), "{name:?}");
    }
    let answer = create_with(&stack, &service, "email", json!("jürgen@fabrikam.example")).await;
    assert_eq!(outcome(&answer), (400, Some("invalid-request")), "SES cannot send to it");
    assert_eq!(administrators(&stack).await, 0);
    let persian = create_with(&stack, &service, "display_name", json!("\u{200f}علی\u{200c}رضا\u{200e} ")).await;
    assert_eq!(outcome(&persian), (201, None));
    assert_eq!(stack.items("ADMINISTRATOR#").await[0]["display_name"]["S"], "علی\u{200c}رضا");
}

#[tokio::test]
async fn the_name_of_the_caller_is_taken_like_any_other() {
    let (stack, lee) = with_lee().await;
    let before = stored_items(&stack).await;
    for name in ["lee@fabrikam", "Lee@Fabrikam"] {
        assert_eq!(outcome(&add(&stack, &lee, name, name).await), (409, Some("user-name-taken")), "{name}");
    }
    assert_eq!(stored_items(&stack).await, before);
}

#[tokio::test]
async fn an_administrator_gets_no_name_of_a_service_administrator_whether_it_exists_or_not() {
    let (stack, service) = with_a_full_session().await;
    let names = ["admin@fabrikam", "Admin@Fabrikam", "admin-sub-2@fabrikam", "ADMIN-lee@fabrikam", "admin-@fabrikam"];
    let before = stored_items(&stack).await;
    for name in names {
        assert_eq!(outcome(&create(&stack, &service, name, "click").await), (400, Some("invalid-request")), "{name}");
    }
    assert_eq!(stored_items(&stack).await, before);
    let lee = stack.first_administrator(&service, "lee@fabrikam", OWN).await;
    let before = stored_items(&stack).await;
    for name in names {
        stack.advance_clock(60);
        assert_eq!(outcome(&add(&stack, &lee, name, "click").await), (400, Some("invalid-request")), "{name}");
    }
    assert_eq!(stored_items(&stack).await, before);
    for name in ["administrator@fabrikam", "admins@fabrikam", "lee-admin@fabrikam", "admin.lee@fabrikam"] {
        stack.advance_clock(60);
        assert_eq!(add(&stack, &lee, name, name).await.status, 201, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_concurrent_creations_of_one_name_succeeds() {
    let (stack, service) = with_a_full_session().await;
    let click = |key: &'static str| {
        with_retries({
            let (stack, service) = (&stack, &service);
            move || create(stack, service, "lee@fabrikam", key)
        })
    };
    let (one, other) = join!(click("one"), click("other"));
    let mut both = [outcome(&one), outcome(&other)];
    both.sort_unstable();
    assert_eq!(both, [(201, None), (409, Some("user-name-taken"))]);
    assert_eq!(administrators(&stack).await, 1);
}

#[tokio::test]
async fn a_name_of_another_company_or_a_malformed_one_is_refused_alike_whether_it_exists_or_not() {
    let (stack, service) = with_a_full_session().await;
    let mut other = event("sub-2", "trial");
    other["detail"]["company"] = json!({ "id": "northwind", "name": "Northwind" });
    stack.start_subscription(other).await;
    let before = stack.items("").await;
    for name in [
        "admin@northwind",
        "lee@northwind",
        "lee@fabrikam.example",
        "lee@xfabrikam",
        "lee@",
        "@fabrikam",
        "lee",
        "",
        "lee@fabrikam@fabrikam",
        "lee#mo@fabrikam",
        "lee mo@fabrikam",
        "l\u{e9}e@fabrikam",
        &format!("{}@fabrikam", "x".repeat(120)),
    ] {
        assert_eq!(outcome(&create(&stack, &service, name, "click").await), (400, Some("invalid-request")), "{name}");
    }
    assert_eq!(stack.items("").await, before);
}

#[tokio::test]
async fn only_a_full_session_that_has_not_ended_creates_an_administrator() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let temporary = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().unwrap();
    assert_eq!(outcome(&create(&stack, &temporary, "lee@fabrikam", "click").await), (403, Some("forbidden")));
    let reset = stack.call("reset-password", Call::reset_password(&temporary, CHOSEN)).await;
    let service = reset.session().unwrap();
    for bad in [&*temporary, "", "no token", &"A".repeat(43)] {
        let answer = create(&stack, bad, "lee@fabrikam", "click").await;
        assert_eq!(outcome(&answer), (401, Some("not-signed-in")), "{bad}");
    }
    let foreign = Call::create_admin(&service, "lee@fabrikam", OWN).header("sec-fetch-site", "cross-site");
    assert_eq!(outcome(&stack.call("create-admin", foreign).await), (403, Some("forbidden")));
    assert_eq!(administrators(&stack).await, 0);
    stack.advance_clock(12 * 3600);
    assert_eq!(outcome(&create(&stack, &service, "lee@fabrikam", "click").await), (401, Some("not-signed-in")));
    assert_eq!(administrators(&stack).await, 0);
}

#[tokio::test]
async fn a_retired_service_administrator_creates_no_administrator_and_chooses_no_password() {
    let (stack, service) = with_a_full_session().await;
    stack.first_administrator(&service, "lee@fabrikam", OWN).await;
    for (name, key) in [("mo@fabrikam", "click"), ("lee@fabrikam", "lee@fabrikam")] {
        assert_eq!(outcome(&create(&stack, &service, name, key).await), (401, Some("not-signed-in")));
    }
    let body = json!({ "new_password": OWN, "current_password": CHOSEN });
    let choice = stack.call("reset-password", Call::post("/reset-password").session(&service).json(&body)).await;
    assert_eq!(outcome(&choice), (401, Some("not-signed-in")));
    assert_eq!(administrators(&stack).await, 1);
}

#[tokio::test]
async fn a_display_name_must_be_one_line_and_an_address_must_be_an_email_address() {
    let (stack, service) = with_a_full_session().await;
    let long = "x".repeat(101);
    let names = ["", "   ", "Lee\nAhmadi", "Lee\u{202e}", &long].map(|name| ("display_name", name));
    let emails = ["", "lee", "lee@", "@fabrikam.example", "a b@fabrikam.example", "a@b, c@d", "<a@fabrikam.example>"];
    for (field, bad) in names.into_iter().chain(emails.map(|email| ("email", email))) {
        let answer = create_with(&stack, &service, field, json!(bad)).await;
        assert_eq!(outcome(&answer), (400, Some("invalid-request")), "{field} {bad:?}");
    }
    assert_eq!(administrators(&stack).await, 0);
    assert_eq!(create_with(&stack, &service, "email", json!("Lee@Fabrikam.Example")).await.status, 201);
    let stored = async |sort_key: &str, name: &str| {
        let mut items = stack.items(sort_key).await;
        items.retain(|item| item.to_string().contains("lee@fabrikam\""));
        items[0][name]["S"].as_str().map(ToOwned::to_owned)
    };
    assert_eq!(stored("ACCOUNT", "email").await.as_deref(), Some("Lee@fabrikam.example"));
    assert_eq!(stored("ADMINISTRATOR#", "display_name").await.as_deref(), Some("Lee Ahmadi"));
}

#[tokio::test]
async fn a_password_is_compared_with_the_user_name_that_it_is_for() {
    let (stack, service) = with_a_full_session().await;
    let with =
        |name: &'static str, password: &str| stack.call("create-admin", Call::create_admin(&service, name, password));
    for (password, code) in [
        ("ahmadi fabrikam 2026", "password-too-common"),
        ("Contoso Ahmadi Suite", "password-too-common"),
        ("passwordpassword", "password-too-common"),
        ("14 code points", "password-too-short"),
        (&"kq".repeat(65), "password-too-long"),
    ] {
        let answer = with("lee.ahmadi@fabrikam", password).await;
        assert_eq!(outcome(&answer), (422, Some(code)), "{password}");
    }
    assert_eq!(administrators(&stack).await, 0);
    assert_eq!(
        with("mo@fabrikam", "ahmadi fabrikam 2026").await.status,
        201,
        "for another user name the same password is allowed"
    );
}

#[tokio::test]
async fn with_every_first_answer_lost_or_in_conflict_a_creation_is_one_account() {
    for fault in [
        Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Duplicated, 100_000),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Conflict, 2),
    ] {
        let (stack, service) = with_a_full_session().await;
        stack.cloud.set_fault(fault);
        let answer = create(&stack, &service, "lee@fabrikam", "click").await;
        assert_eq!(outcome(&answer), (201, None));
        let without_key = stack.call("create-admin", Call::create_admin(&service, "mo@fabrikam", OWN)).await;
        assert_eq!(outcome(&without_key), (201, None));
        let accounts = stack.items("ACCOUNT").await;
        assert!(accounts.iter().any(|account| account["account_id"]["S"] == answer.body["account_id"]));
        assert_eq!(administrators(&stack).await, 2);
        assert_eq!(stack.history("sub-1").await[3..], ["administrator-created by admin@fabrikam"; 2]);
    }
}

#[tokio::test]
async fn while_the_table_refuses_writes_a_creation_is_unavailable_and_the_same_click_works_later() {
    let (stack, service) = with_a_full_session().await;
    let before = stack.items("").await;
    for mode in [Mode::Refused, Mode::Throttled, Mode::Conflict] {
        let fault = |count| Fault::new(Service::DynamoDb, "TransactWriteItems", mode, count);
        stack.cloud.set_fault(fault(100_000));
        let answer = create(&stack, &service, "lee@fabrikam", "click").await;
        assert_eq!(outcome(&answer), (503, Some("unavailable")), "{mode:?}");
        assert!(answer.headers.contains_key("retry-after"));
        stack.cloud.set_fault(fault(0));
        assert_eq!(stack.items("").await, before);
    }
    assert_eq!(create(&stack, &service, "lee@fabrikam", "click").await.status, 201);
    assert_eq!(administrators(&stack).await, 1);
}

#[tokio::test]
async fn bad_input_is_refused_before_anything_is_read() {
    let (stack, service) = with_a_full_session().await;
    let good = Call::create_admin(&service, "lee@fabrikam", OWN);
    let full = json!({ "user_name": "lee@fabrikam", "display_name": "Lee", "password": OWN });
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = full.clone();
        change(&mut body);
        good.clone().json(&body)
    };
    let without = |field: &'static str| with(&|body| drop(body.as_object_mut().unwrap().remove(field)));
    let mut bad = vec![
        Call::post("/administrators").session(&service),
        with(&|body| body["role"] = "service-administrator".into()),
        with(&|body| body["user_name"] = json!(["lee@fabrikam"])),
        with(&|body| body["email"] = json!(7)),
        with(&|body| *body = json!([body.clone()])),
        good.clone().body(b"{"),
        good.clone().header("content-type", "text/plain"),
        good.clone().key(""),
        good.clone().key("a b"),
        good.clone().key(&"k".repeat(65)),
    ];
    bad.extend(["user_name", "display_name", "password"].map(without));
    stack.cloud.clear_requests();
    for (n, call) in bad.into_iter().enumerate() {
        let answer = stack.call("create-admin", call).await;
        assert_eq!(outcome(&answer), (400, Some("invalid-request")), "case {n}");
    }
    let large = with(&|body| body["display_name"] = "x".repeat(17_000).into());
    assert_eq!(outcome(&stack.call("create-admin", large).await), (413, Some("payload-too-large")));
    assert!(stack.cloud.requests().is_empty());
    assert_eq!(stack.call("create-admin", with(&|body| body["email"] = Value::Null)).await.status, 201);
}

/// When the clock of a test of one day starts: 10 November 2026, 09:30 UTC.
const MORNING: i64 = 1_794_303_000;

/// Starts a stack in the morning, whose service administrator has chosen a password, and returns their session.
async fn in_the_morning() -> (TestStack, String) {
    let stack = Deployment::default().with_start_time(MORNING).start().await;
    let service = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    (stack, service)
}

/// Creates the administrator number `n`, with an address.
async fn create_addressed(stack: &TestStack, session: &str, n: usize) -> Answer {
    let body = json!({
        "user_name": format!("person-{n}@fabrikam"), "display_name": "Lee Ahmadi", "password": OWN,
        "email": format!("person-{n}@fabrikam.example"),
    });
    let call = Call::post("/administrators").session(session).key(&format!("click-{n}")).json(&body);
    stack.call("create-admin", call).await
}

/// Adds the administrator number `n`, with an address, in the session of one whose password is [`OWN`].
async fn add_addressed(stack: &TestStack, session: &str, n: usize) -> Answer {
    let body = json!({
        "user_name": format!("person-{n}@fabrikam"), "display_name": "Lee Ahmadi", "current_password": OWN,
        "email": format!("person-{n}@fabrikam.example"),
    });
    let call = Call::post("/administrators").session(session).key(&format!("click-{n}")).json(&body);
    stack.call("create-admin", call).await
}

/// Returns the counts of accounts with an address, by day.
async fn addressed(stack: &TestStack) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let days = stack.items("ADDRESSED#").await;
    days.iter().map(|day| (text(&day["SK"]["S"]), text(&day["accounts"]["N"]))).collect()
}

/// Returns the count of one day.
fn day(day: &str, count: &str) -> (String, String) {
    (format!("ADDRESSED#{day}"), count.to_owned())
}

#[tokio::test]
async fn a_subscription_has_twenty_accounts_with_an_address_a_day() {
    let (stack, service) = in_the_morning().await;
    for n in 0..20 {
        assert_eq!(create_addressed(&stack, &service, n).await.status, 201, "{n}");
    }
    assert_eq!(addressed(&stack).await, [day("2026-11-10", "20")]);
    let before = stack.items("").await;
    let refused = create_addressed(&stack, &service, 20).await;
    assert_eq!(outcome(&refused), (429, Some("too-many-attempts")));
    let wait: i64 = refused.headers["retry-after"].parse().unwrap();
    assert!((14 * 3600..=15 * 3600).contains(&wait), "until midnight: {wait}");
    assert_eq!(stack.items("").await, before);

    assert_eq!(create_addressed(&stack, &service, 3).await.status, 201, "the same click as before");
    let other = Call::create_admin(&service, "person-3@fabrikam", OWN).key("click-3");
    assert_eq!(outcome(&stack.call("create-admin", other).await), (409, Some("conflict")));
    assert_eq!(create(&stack, &service, "lee@fabrikam", "lee").await.status, 201, "without an address");
    assert_eq!(addressed(&stack).await, [day("2026-11-10", "20")]);

    stack.advance_clock(wait);
    let lee = stack.sign_in("lee@fabrikam", OWN).await.session().unwrap();
    assert_eq!(add_addressed(&stack, &lee, 20).await.status, 201, "on the next day");
    assert_eq!(addressed(&stack).await, [day("2026-11-10", "20"), day("2026-11-11", "1")]);
    assert_eq!(administrators(&stack).await, 22);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_of_many_accounts_with_an_address_at_once_are_created() {
    let (stack, service) = in_the_morning().await;
    let (stack, service) = (&stack, &service);
    let creations = (0..25).map(|n| with_retries(move || create_addressed(stack, service, n)));
    let answers = join_all(creations).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(429)), (20, 5), "{answers:?}");
    assert_eq!((administrators(stack).await, addressed(stack).await), (20, vec![day("2026-11-10", "20")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_an_address_is_counted_once_however_often_its_click_is_sent() {
    for fault in [
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::LostResponse, 1),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Duplicated, 1),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Conflict, 2),
    ] {
        let (stack, service) = in_the_morning().await;
        stack.cloud.set_fault(fault);
        let answers = join_all((0..3).map(|_| with_retries(|| create_addressed(&stack, &service, 1)))).await;
        assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
        assert_eq!(create_addressed(&stack, &service, 1).await.body, answers[0].body);
        assert_eq!((administrators(&stack).await, addressed(&stack).await), (1, vec![day("2026-11-10", "1")]));
    }
}

#[tokio::test]
async fn on_a_day_that_is_used_up_every_other_refusal_stays_the_same() {
    let (stack, service) = in_the_morning().await;
    assert_eq!(create(&stack, &service, "lee@fabrikam", "lee").await.status, 201);
    let full = json!({
        "PK": { "S": "SUBSCRIPTION#sub-1" }, "SK": { "S": "ADDRESSED#2026-11-10" }, "accounts": { "N": "20" },
    });
    Table::connect(&stack.cloud.aws_url(), "tests").put(&full).await;
    let taken = create_with(&stack, &service, "email", json!("lee@fabrikam.example")).await;
    assert_eq!(outcome(&taken), (409, Some("user-name-taken")));
    assert_eq!(outcome(&create_addressed(&stack, &service, 1).await), (429, Some("too-many-attempts")));
    stack.start_subscription(event("sub-2", "trial")).await;
    let session = stack.sign_in("admin-sub-2@fabrikam", &stack.mailed_password()).await.session().unwrap();
    let reset = stack.call("reset-password", Call::reset_password(&session, CHOSEN)).await;
    let other = create_addressed(&stack, &reset.session().unwrap(), 1).await;
    assert_eq!(outcome(&other), (201, None), "each subscription has its own count");
    assert_eq!(stack.sign_in("lee@fabrikam", OWN).await.next(), Some("home"));
    let retired = create_addressed(&stack, &service, 1).await;
    assert_eq!(outcome(&retired), (401, Some("not-signed-in")));
}

#[tokio::test]
async fn an_administrator_who_adds_another_is_shown_a_temporary_password_and_touches_no_credential() {
    let (stack, lee) = with_lee().await;
    let credential = async || {
        let mut credential = stack.items("CREDENTIAL").await.remove(0);
        credential.as_object_mut().unwrap().remove("seq");
        credential
    };
    let (before, known) = (credential().await, stack.history("sub-1").await.len());
    let answer = add(&stack, &lee, "Mo@FABRIKAM", "click").await;
    assert_eq!((answer.status, answer.body.as_object().unwrap().len()), (201, 4), "{answer:?}");
    assert_eq!(answer.body["user_name"], "mo@fabrikam");
    assert_eq!((&answer.headers["cache-control"], answer.cookies.len()), (&"no-store".to_owned(), 0));
    let temporary = answer.temporary_password().unwrap();
    assert!(temporary.len() == 23 && temporary.split('-').all(|group| group.len() == 5), "{temporary}");
    let expires_at = domain::Timestamp::parse_rfc3339(answer.body["expires_at"].as_str().unwrap()).unwrap();
    assert_eq!(expires_at.epoch_seconds(), stack.cloud.clock().epoch_seconds() + 604_800);
    let account = stack.account("mo@fabrikam").await;
    assert_eq!((&account["must_change"]["BOOL"], &account["issue"]), (&json!(true), &Value::Null));
    assert_eq!(account["expires_at"]["N"], expires_at.epoch_seconds().to_string());
    assert_eq!(account["account_id"]["S"], answer.body["account_id"]);

    let signed_in = stack.sign_in("mo@fabrikam", &temporary.to_uppercase().replace('-', "")).await;
    assert_eq!(signed_in.next(), Some("reset-password"), "it does not sign in for good");
    let chosen = stack.call("reset-password", Call::reset_password(&signed_in.session().unwrap(), CHOSEN)).await;
    assert_eq!((chosen.status, chosen.next()), (200, Some("home")));
    assert_eq!(stack.sign_in("mo@fabrikam", temporary).await.status, 401);
    assert_eq!(credential().await, before);
    let history = stack.history("sub-1").await;
    assert_eq!(history[known], "administrator-created by lee@fabrikam");
    assert!(!history[known..].iter().any(|line| line.contains("admin@fabrikam")), "{history:#?}");
}

#[tokio::test]
async fn a_form_of_the_wrong_kind_for_the_session_is_refused() {
    let (stack, service) = with_a_full_session().await;
    let both = json!({
        "user_name": "mo@fabrikam", "display_name": "Mo", "password": OWN, "current_password": CHOSEN,
    });
    let neither = json!({ "user_name": "mo@fabrikam", "display_name": "Mo" });
    let send = |session: &str, body: &Value| {
        stack.call("create-admin", Call::post("/administrators").session(session).json(body))
    };
    for (n, answer) in [
        stack.call("create-admin", Call::add_admin(&service, "mo@fabrikam", CHOSEN)).await,
        send(&service, &both).await,
        send(&service, &neither).await,
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(outcome(answer), (400, Some("invalid-request")), "the service administrator, {n}");
    }
    let lee = stack.first_administrator(&service, "lee@fabrikam", OWN).await;
    for (n, answer) in [
        stack.call("create-admin", Call::create_admin(&lee, "mo@fabrikam", OWN)).await,
        send(&lee, &both).await,
        send(&lee, &neither).await,
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(outcome(answer), (400, Some("invalid-request")), "an administrator, {n}");
    }
    assert_eq!(administrators(&stack).await, 1, "no administrator chooses the password of a colleague");
}

#[tokio::test]
async fn the_same_click_again_shows_no_password_and_never_another_one() {
    let (stack, lee) = with_lee().await;
    let first = add(&stack, &lee, "mo@fabrikam", "click").await;
    let temporary = first.temporary_password().unwrap();
    let account = stack.account("mo@fabrikam").await;
    for seconds in [0, 60, 3600] {
        stack.advance_clock(seconds);
        let again = add(&stack, &lee, "mo@fabrikam", "click").await;
        let mut expected = first.body.clone();
        expected["temporary_password"] = Value::Null;
        assert_eq!((again.status, &again.body), (201, &expected), "after {seconds} s");
        assert!(again.body.as_object().unwrap().contains_key("temporary_password"));
    }
    assert_eq!(stack.account("mo@fabrikam").await, account);
    stack.choose_password("mo@fabrikam", temporary, CHOSEN).await;
    let late = add(&stack, &lee, "mo@fabrikam", "click").await;
    assert_eq!((late.status, &late.body["temporary_password"]), (201, &Value::Null), "{late:?}");
    assert_eq!(late.body["account_id"], first.body["account_id"]);
    assert_eq!(administrators(&stack).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_eight_attempts_of_a_click_at_once_shows_the_password_that_is_stored() {
    let (stack, lee) = with_lee().await;
    stack.advance_clock(REFILL);
    // Budgets of a network admit five at once.
    let attempts = (0..8).map(|n| {
        let (stack, lee) = (&stack, &lee);
        with_retries(move || {
            let call = Call::add_admin(lee, "mo@fabrikam", OWN).key("click").from(&format!("192.0.2.{}", 1 + n % 2));
            stack.call("create-admin", call)
        })
    });
    let answers = join_all(attempts).await;
    // On a busy machine an attempt is sent again, and spends twice.
    assert!(answers.iter().all(|answer| [201, 429].contains(&answer.status)), "{answers:?}");
    let shown: Vec<&str> = answers.iter().filter_map(Answer::temporary_password).collect();
    assert!(shown.len() <= 1, "{shown:?}");
    for temporary in shown {
        assert_eq!(stack.sign_in("mo@fabrikam", temporary).await.next(), Some("reset-password"));
    }
    assert_eq!(administrators(&stack).await, 2);
}

#[tokio::test]
async fn the_attempt_whose_answer_from_the_table_was_lost_still_shows_the_password_that_it_has_stored() {
    for fault in [
        Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Duplicated, 100_000),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Conflict, 2),
    ] {
        let (stack, lee) = with_lee().await;
        stack.cloud.set_fault(fault.clone());
        let answer = add(&stack, &lee, "mo@fabrikam", "click").await;
        let temporary = answer.temporary_password().unwrap_or_else(|| panic!("{fault:?}: {answer:?}"));
        stack.cloud.set_fault(Fault { count: 0, ..fault });
        assert_eq!(stack.sign_in("mo@fabrikam", temporary).await.next(), Some("reset-password"));
        assert_eq!(administrators(&stack).await, 2);
    }
}

#[tokio::test]
async fn where_the_answer_was_lost_the_same_click_says_so_and_a_reset_gives_another_password() {
    let (stack, lee) = with_lee().await;
    let fault = |count| Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::LostResponse, count);
    stack.cloud.set_fault(fault(100_000));
    let lost = add(&stack, &lee, "mo@fabrikam", "click").await;
    assert_eq!(outcome(&lost), (503, Some("unavailable")), "{lost:?}");
    stack.cloud.set_fault(fault(0));
    let again = add(&stack, &lee, "mo@fabrikam", "click").await;
    assert_eq!((again.status, again.temporary_password()), (201, None), "{again:?}");
    let id = again.body["account_id"].as_str().unwrap();
    let reset = stack.call("reset-admin", Call::reset_admin(&lee, id, OWN)).await;
    stack.choose_password("mo@fabrikam", reset.temporary_password().unwrap(), CHOSEN).await;
    assert_eq!(administrators(&stack).await, 2);
}

#[tokio::test]
async fn the_key_of_an_addition_with_another_form_is_a_conflict_and_changes_nothing() {
    let (stack, lee) = with_lee().await;
    let body = json!({
        "user_name": "mo@fabrikam", "display_name": "Mo Rahimi", "email": "mo@fabrikam.example", "current_password": OWN,
    });
    let send = async |body: &Value| {
        stack.advance_clock(60);
        stack.call("create-admin", Call::post("/administrators").session(&lee).key("click").json(body)).await
    };
    assert_eq!(send(&body).await.status, 201);
    let before = stored_items(&stack).await;
    for (field, value) in [
        ("user_name", json!("noor@fabrikam")),
        ("display_name", json!("Mo")),
        ("email", json!("another@fabrikam.example")),
        ("email", json!(null)),
    ] {
        let mut other = body.clone();
        other[field] = value;
        assert_eq!(outcome(&send(&other).await), (409, Some("conflict")), "{field}");
    }
    let mut guess = body.clone();
    guess["current_password"] = "six blue kites at midnight".into();
    assert_eq!(
        outcome(&send(&guess).await),
        (401, Some("invalid-credentials")),
        "a guess is told nothing of the click"
    );
    assert_eq!(stored_items(&stack).await, before);
    let mut same = body;
    (same["user_name"], same["display_name"]) = ("MO@fabrikam".into(), " Mo Rahimi ".into());
    assert_eq!(send(&same).await.status, 201, "the same form, once it is read");
}

/// Puts administrators into the table until the subscription has `count` of them, all active.
async fn fill_up(stack: &TestStack, count: usize) {
    let (account, item) = (stack.account("lee@fabrikam").await, stack.items("ADMINISTRATOR#").await.remove(0));
    let mut more = Vec::new();
    for n in administrators(stack).await..count {
        let (mut account, mut item) = (account.clone(), item.clone());
        let (name, id) = (format!("extra-{n}@fabrikam"), format!("01ARYZ6RR0ZZZZZZZZZZZZZZ{n:02}"));
        account["PK"]["S"] = format!("ACCOUNT#{name}").into();
        account["account_id"]["S"] = id.clone().into();
        item["SK"]["S"] = format!("ADMINISTRATOR#{id}").into();
        item["user_name"]["S"] = name.into();
        more.extend([account, item]);
    }
    Table::connect(&stack.cloud.aws_url(), "tests").put_all(&more).await;
}

#[tokio::test]
async fn a_subscription_has_fifty_active_administrators_at_most() {
    let (stack, lee) = with_lee().await;
    fill_up(&stack, 49).await;
    assert_eq!(add(&stack, &lee, "mo@fabrikam", "mo").await.status, 201, "the fiftieth");
    let before = stored_items(&stack).await;
    assert_eq!(outcome(&add(&stack, &lee, "noor@fabrikam", "noor").await), (409, Some("conflict")));
    assert_eq!(stored_items(&stack).await, before);
    assert_eq!(add(&stack, &lee, "mo@fabrikam", "mo").await.status, 201, "the same click as before");
    stack.advance_clock(REFILL);
    let mo = stack.account_id("mo@fabrikam").await;
    assert_eq!(stack.call("remove-admin", Call::remove_admin(&lee, &mo, OWN)).await.status, 204);
    assert_eq!(add(&stack, &lee, "noor@fabrikam", "noor").await.status, 201, "a removed administrator makes room");
    let back = stack.call("reset-admin", Call::reset_admin(&lee, &mo, OWN)).await;
    assert_eq!(outcome(&back), (409, Some("conflict")), "and is no way around it");
}

#[tokio::test]
async fn the_fifty_first_administrator_of_the_service_administrator_is_refused_too() {
    let (stack, service) = with_a_full_session().await;
    assert_eq!(create(&stack, &service, "lee@fabrikam", "lee").await.status, 201);
    fill_up(&stack, 50).await;
    assert_eq!(outcome(&create(&stack, &service, "mo@fabrikam", "mo").await), (409, Some("conflict")));
    assert_eq!(administrators(&stack).await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_who_are_added_at_once_is_the_fiftieth() {
    let (stack, lee) = with_lee().await;
    fill_up(&stack, 49).await;
    let one = |name: &'static str| {
        let (stack, lee) = (&stack, &lee);
        with_retries(move || add(stack, lee, name, name))
    };
    let (one, other) = join!(one("mo@fabrikam"), one("noor@fabrikam"));
    let mut both = [outcome(&one), outcome(&other)];
    both.sort_unstable();
    assert_eq!(both, [(201, None), (409, Some("conflict"))]);
    assert_eq!(administrators(&stack).await, 50);
}

#[tokio::test]
async fn the_twenty_first_address_of_a_day_is_refused_in_both_forms() {
    let (stack, service) = in_the_morning().await;
    assert_eq!(create_addressed(&stack, &service, 1).await.status, 201);
    let lee = stack.first_administrator(&service, "lee@fabrikam", OWN).await;
    assert_eq!(add_addressed(&stack, &lee, 2).await.status, 201);
    assert_eq!(addressed(&stack).await, [day("2026-11-10", "2")], "both count together");
    let full = json!({
        "PK": { "S": "SUBSCRIPTION#sub-1" }, "SK": { "S": "ADDRESSED#2026-11-10" }, "accounts": { "N": "20" },
    });
    Table::connect(&stack.cloud.aws_url(), "tests").put(&full).await;
    let before = stored_items(&stack).await;
    let refused = add_addressed(&stack, &lee, 3).await;
    assert_eq!((outcome(&refused), refused.temporary_password()), ((429, Some("too-many-attempts")), None));
    assert!(refused.headers["retry-after"].parse::<i64>().unwrap() > 12 * 3600, "until midnight");
    assert_eq!(stored_items(&stack).await, before);
    assert_eq!(add(&stack, &lee, "mo@fabrikam", "mo").await.status, 201, "without an address");
}
