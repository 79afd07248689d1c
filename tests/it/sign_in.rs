//! Tests of signing in to the Administration Center, and of signing out.

use std::{collections::BTreeSet, time::Duration};

use cloud::{Fault, Mode, Service};
use futures_util::{future::join_all, join};
use serde_json::json;
use support::{Answer, Call, Deployment, TestStack, event, table::Table};

const CHOSEN: &str = "seven green boats at noon";
const OWN: &str = "a quiet lamp over the harbour";

/// Starts a stack with one subscription, `sub-1`, and returns its temporary password.
async fn with_a_subscription() -> (TestStack, String) {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let temporary = stack.mailed_password();
    (stack, temporary)
}

/// Starts a subscription whose administrator, `lee@fabrikam`, has not signed in yet, and returns the session of the service
/// administrator.
async fn with_an_administrator(stack: &TestStack) -> String {
    let service = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let created = stack.call("create-admin", Call::create_admin(&service, "lee@fabrikam", OWN)).await;
    assert_eq!(created.status, 201, "{created:?}");
    service
}

/// Returns what a caller can see of an answer, without the request id, which is always different.
fn without_request_id(answer: Answer) -> String {
    let mut body = answer.body;
    body.as_object_mut().unwrap().remove("request_id");
    format!("{} {:?} {:?} {body}", answer.status, answer.headers, answer.cookies)
}

/// Returns the calls of AWS that a function has made, in their order.
fn calls(stack: &TestStack, function: &str) -> Vec<String> {
    let all = stack.cloud.requests();
    all.into_iter().filter(|call| call.function == function).map(|call| call.operation).collect()
}

/// Returns whether a session is valid. The call is invalid in itself, which only a caller who is signed in learns.
async fn is_signed_in(stack: &TestStack, session: &str) -> bool {
    let answer = stack.call("create-admin", Call::create_admin(session, "-", "-")).await;
    match answer.problem() {
        Some("not-signed-in") => false,
        Some("invalid-request" | "forbidden") => true,
        other => panic!("{other:?}"),
    }
}

/// The history from the first issue to the retirement of the service administrator.
const STORY: [&str; 7] = [
    "issued by vendor",
    "retrieved by dana@fabrikam.example",
    "signed-in by admin@fabrikam",
    "password-changed by admin@fabrikam",
    "administrator-created by admin@fabrikam",
    "administrator-signed-in by lee@fabrikam",
    "service-administrator-retired by lee@fabrikam",
];

#[tokio::test]
async fn the_story_goes_on_to_the_permanent_administrator() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let temporary = stack.mailed_password();
    let dana = stack.token("dana@fabrikam.example");
    assert_eq!(stack.retrieve(&dana, "sub-1", "click").await.password(), Some(&*temporary));

    let signed_in = stack.sign_in("Admin@Fabrikam", &temporary.to_uppercase().replace('-', " ")).await;
    assert_eq!((signed_in.status, signed_in.next()), (200, Some("reset-password")), "{signed_in:?}");
    assert_eq!(signed_in.body["user_name"], "admin@fabrikam");
    let session = signed_in.session().unwrap();
    let blank = stack.retrieve(&dana, "sub-1", "click").await;
    assert_eq!(blank.reasons(), ["administrator-signed-in"]);

    let reset = stack.call("reset-password", Call::reset_password(&session, CHOSEN)).await;
    assert_eq!((reset.status, reset.next()), (200, Some("create-administrator")), "{reset:?}");
    let service = reset.session().unwrap();
    let created = stack.call("create-admin", Call::create_admin(&service, "lee@fabrikam", OWN).key("click")).await;
    assert_eq!((created.status, &created.body["user_name"]), (201, &"lee@fabrikam".into()), "{created:?}");

    let lee = stack.sign_in("lee@fabrikam", OWN).await;
    assert_eq!((lee.status, lee.next()), (200, Some("home")), "{lee:?}");
    let retired = stack.sign_in("admin@fabrikam", CHOSEN).await;
    assert_eq!((retired.status, retired.problem()), (401, Some("invalid-credentials")));
    let ended = stack.call("create-admin", Call::create_admin(&service, "mo@fabrikam", OWN)).await;
    assert_eq!(ended.problem(), Some("not-signed-in"));
    stack.add_administrator(&lee.session().unwrap(), OWN, "mo@fabrikam").await;
    let history = stack.history("sub-1").await;
    assert_eq!(history[..7], STORY);
    assert_eq!(history[7..], ["administrator-created by lee@fabrikam"]);
}

#[tokio::test]
async fn every_failed_sign_in_gets_the_same_answer_and_costs_the_same_calls() {
    let stack = Deployment::default().with("CREDENTIAL_LIFETIME_SECONDS", "60").start().await;
    with_an_administrator(&stack).await;
    assert_eq!(stack.sign_in("lee@fabrikam", OWN).await.status, 200);
    stack.start_subscription(event("sub-2", "trial")).await;
    let expired = stack.mailed_password();
    stack.advance_clock(60);
    let long = "x".repeat(129);
    let cases = [
        ("unknown@fabrikam", CHOSEN),
        ("no user name", CHOSEN),
        ("", ""),
        ("lee@fabrikam", CHOSEN),
        ("lee@fabrikam", ""),
        ("lee@fabrikam", &long),
        ("admin-sub-2@fabrikam", &expired),
        ("admin-sub-2@fabrikam", CHOSEN),
        ("admin@fabrikam", CHOSEN),
    ];
    let mut answers = BTreeSet::new();
    for (n, (name, password)) in cases.into_iter().enumerate() {
        stack.advance_clock(30);
        stack.cloud.clear_requests();
        let from = format!("198.51.100.{n}");
        answers.insert(without_request_id(stack.call("sign-in", Call::sign_in(name, password).from(&from)).await));
        assert_eq!(calls(&stack, "sign-in"), ["UpdateItem", "UpdateItem", "UpdateItem", "GetItem"], "{name:?}");
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
    let only = answers.pop_first().unwrap();
    assert!(only.starts_with("401 ") && only.contains("invalid-credentials"), "{only}");
}

#[tokio::test]
async fn the_cookie_is_for_this_host_alone_and_lives_as_long_as_the_session() {
    let stack = Deployment::default().with("CREDENTIAL_LIFETIME_SECONDS", "600").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let temporary = stack.mailed_password();
    stack.advance_clock(10);
    let lifetime = |answer: &Answer| {
        let [cookie, device] = &*answer.cookies else { panic!("{:?}", answer.cookies) };
        assert!(device.starts_with("__Host-device="), "{device}");
        let (token, attributes) = cookie.split_once(';').unwrap();
        assert_eq!(token.len(), "__Host-session=".len() + 43);
        let attributes: Vec<_> = attributes.split(';').map(str::trim).collect();
        assert!(["Path=/", "HttpOnly", "Secure", "SameSite=Strict"].iter().all(|must| attributes.contains(must)));
        assert!(!cookie.to_lowercase().contains("domain"));
        let age = attributes.iter().find_map(|attribute| attribute.strip_prefix("Max-Age="));
        age.unwrap().parse::<u64>().unwrap()
    };
    let signed_in = stack.sign_in("admin@fabrikam", &temporary).await;
    assert_eq!(lifetime(&signed_in), 590, "the session ends with the temporary password");
    let reset = stack.call("reset-password", Call::reset_password(&signed_in.session().unwrap(), CHOSEN)).await;
    assert_eq!(lifetime(&reset), 12 * 3600);
    let again = stack.sign_in("admin@fabrikam", CHOSEN).await;
    assert_eq!((lifetime(&again), again.next()), (12 * 3600, Some("create-administrator")));
    assert_ne!(again.session(), reset.session());
    assert!(is_signed_in(&stack, &again.session().unwrap()).await);
    stack.advance_clock(12 * 3600);
    assert!(!is_signed_in(&stack, &again.session().unwrap()).await);
}

#[tokio::test]
async fn a_sign_in_ends_the_session_that_the_browser_brings_along_and_no_other() {
    let stack = TestStack::start().await;
    let old = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let other = stack.sign_in("admin@fabrikam", CHOSEN).await.session().unwrap();
    let wrong = stack.call("sign-in", Call::sign_in("admin@fabrikam", OWN).session(&old)).await;
    assert_eq!(wrong.status, 401);
    assert!(is_signed_in(&stack, &old).await, "a failed sign-in ends nothing");
    let new = stack.call("sign-in", Call::sign_in("admin@fabrikam", CHOSEN).session(&old)).await.session().unwrap();
    assert!(!is_signed_in(&stack, &old).await);
    assert!(is_signed_in(&stack, &new).await && is_signed_in(&stack, &other).await);
    for foreign in ["B".repeat(43), "x".to_owned()] {
        stack.advance_clock(60);
        let call = Call::sign_in("admin@fabrikam", CHOSEN).session(&foreign);
        assert_eq!(stack.call("sign-in", call).await.status, 200, "{foreign}");
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_ended_is_not_left_behind_by_a_sign_in() {
    let stack = TestStack::start().await;
    let old = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    stack.advance_clock(600);
    let failing = Fault::new(Service::DynamoDb, "UpdateItem", Mode::Refused, 3).after(2).on_function("sign-in");
    stack.cloud.set_fault(failing);
    let answer = stack.call("sign-in", Call::sign_in("admin@fabrikam", CHOSEN).session(&old)).await;
    assert_eq!((answer.status, answer.session()), (503, None));
}

#[tokio::test]
async fn a_temporary_password_signs_in_however_a_keyboard_or_a_mail_program_writes_it() {
    let (stack, temporary) = with_a_subscription().await;
    let joined = |by: &str| temporary.replace('-', by);
    let full_width: String = temporary.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect();
    let spellings = [
        joined("\u{2013}"),
        joined("\u{2011}"),
        joined("\u{2212}"),
        joined("\u{ad}-"),
        joined("-\u{200b}"),
        joined("."),
        joined("\u{2060}\u{3000}"),
        joined(""),
        format!("\u{feff}\u{201e}{temporary}\u{201c}."),
        full_width.clone(),
        full_width.to_uppercase(),
    ];
    for (n, spelling) in spellings.iter().enumerate() {
        let call = Call::sign_in("admin@fabrikam", spelling).from(&format!("198.51.100.{n}"));
        let answer = stack.call("sign-in", call).await;
        assert_eq!((answer.status, answer.next()), (200, Some("reset-password")), "{spelling:?}");
    }
    for (n, wrong) in [format!("{temporary}x"), temporary.replacen(|c: char| c != '-', "", 1)].iter().enumerate() {
        let call = Call::sign_in("admin@fabrikam", wrong).from(&format!("203.0.113.{n}"));
        assert_eq!(stack.call("sign-in", call).await.status, 401, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_chosen_password_is_compared_as_it_is() {
    let stack = TestStack::start().await;
    stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    for (n, wrong) in [CHOSEN.replace(' ', "-"), CHOSEN.replace(' ', ""), CHOSEN.to_uppercase()].iter().enumerate() {
        let call = Call::sign_in("admin@fabrikam", wrong).from(&format!("203.0.113.{n}"));
        assert_eq!(stack.call("sign-in", call).await.status, 401, "{wrong:?}");
    }
}

/// Starts a stack with an administrator, Lee, who has added Mo. Returns Lee's session and Mo's temporary password.
async fn with_one_added(stack: &TestStack) -> (String, String) {
    let service = with_an_administrator(stack).await;
    let lee = stack.sign_in("lee@fabrikam", OWN).await.session().unwrap();
    assert!(!is_signed_in(stack, &service).await);
    let temporary = stack.add_administrator(&lee, OWN, "mo@fabrikam").await;
    (lee, temporary)
}

/// Lets the credential look as if its own temporary password had not been used.
async fn forget_the_sign_in(stack: &TestStack) {
    let mut credential = stack.items("CREDENTIAL").await.remove(0);
    for attribute in ["signed_in_at", "changed_at"] {
        credential.as_object_mut().unwrap().remove(attribute);
    }
    Table::connect(&stack.cloud.aws_url(), "desk").put(&credential).await;
}

#[tokio::test]
async fn an_administrators_temporary_password_has_no_issue_and_leaves_the_credential_alone() {
    let stack = TestStack::start().await;
    let (_, temporary) = with_one_added(&stack).await;
    forget_the_sign_in(&stack).await;
    let (history, before) = (stack.history("sub-1").await, stack.items("CREDENTIAL").await);
    stack.cloud.clear_requests();
    let answer = stack.sign_in("mo@fabrikam", &temporary.to_uppercase().replace('-', " ")).await;
    assert_eq!((answer.status, answer.next()), (200, Some("reset-password")), "{answer:?}");
    assert!(!calls(&stack, "sign-in").contains(&"TransactWriteItems".to_owned()), "it writes only the session");
    assert_eq!((stack.history("sub-1").await, stack.items("CREDENTIAL").await), (history, before));

    let session = answer.session().unwrap();
    let create = stack.call("create-admin", Call::add_admin(&session, "noor@fabrikam", &temporary)).await;
    assert_eq!(create.problem(), Some("forbidden"), "the session may only choose a password");
    let reused = Call::reset_password(&session, &temporary.replace('-', "\u{2013}"));
    assert_eq!(stack.call("reset-password", reused).await.problem(), Some("password-reused"));
    let reset = stack.call("reset-password", Call::reset_password(&session, CHOSEN)).await;
    assert_eq!((reset.status, reset.next()), (200, Some("home")), "{reset:?}");
    let credential = stack.items("CREDENTIAL").await.remove(0);
    assert!(credential["signed_in_at"].is_null() && credential["changed_at"].is_null(), "{credential}");
    assert_eq!(stack.account("mo@fabrikam").await["must_change"]["BOOL"], false);
    assert!(stack.history("sub-1").await.contains(&"password-changed by mo@fabrikam".to_owned()));
    assert_eq!(stack.sign_in("mo@fabrikam", CHOSEN).await.next(), Some("home"));
}

#[tokio::test]
async fn a_temporary_password_that_is_not_replaced_yet_retires_no_service_administrator() {
    let stack = Deployment::default().with("KEEP_SERVICE_ADMINISTRATOR", "true").start().await;
    let service = with_an_administrator(&stack).await;
    let lee = stack.sign_in("lee@fabrikam", OWN).await.session().unwrap();
    let temporary = stack.add_administrator(&lee, OWN, "mo@fabrikam").await;
    let machine = stack.separate_machine_with("@retiring", &[("KEEP_SERVICE_ADMINISTRATOR", "false")]);
    let signed_in = machine.call("sign-in", Call::sign_in("mo@fabrikam", &temporary)).await;
    assert_eq!(signed_in.next(), Some("reset-password"), "{signed_in:?}");
    assert!(is_signed_in(&stack, &service).await, "Mo cannot sign in for good yet");
}

#[tokio::test]
async fn an_administrators_temporary_password_ends_at_its_expiry() {
    let stack = Deployment::default().with("CREDENTIAL_LIFETIME_SECONDS", "60").start().await;
    let (_, temporary) = with_one_added(&stack).await;
    stack.advance_clock(59);
    let session = stack.sign_in("mo@fabrikam", &temporary).await.session().unwrap();
    stack.advance_clock(1);
    assert_eq!(stack.sign_in("mo@fabrikam", &temporary).await.status, 401);
    let reset = stack.call("reset-password", Call::reset_password(&session, CHOSEN)).await;
    assert_eq!(reset.problem(), Some("not-signed-in"));
}

#[tokio::test]
async fn signing_out_ends_that_session_and_no_other() {
    let stack = TestStack::start().await;
    let service = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let other = stack.sign_in("admin@fabrikam", CHOSEN).await.session().unwrap();
    for _ in 0..2 {
        let answer = stack.call("sign-in", Call::post("/sign-out").session(&service)).await;
        assert_eq!((answer.status, answer.body.as_str()), (204, Some("")));
        assert!(answer.cookies[0].starts_with("__Host-session=; Path=/; Max-Age=0;"), "{:?}", answer.cookies);
        assert!(!is_signed_in(&stack, &service).await);
    }
    assert!(is_signed_in(&stack, &other).await);
    let without_session = stack.call("sign-in", Call::post("/sign-out")).await;
    assert_eq!(without_session.status, 204);
    let foreign = Call::post("/sign-out").session(&other).header("sec-fetch-site", "cross-site");
    assert_eq!(stack.call("sign-in", foreign).await.problem(), Some("forbidden"));
    assert!(is_signed_in(&stack, &other).await);
}

#[tokio::test]
async fn a_session_that_was_signed_out_stays_ended_when_its_write_arrives_late() {
    let stack = TestStack::start().await;
    stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let late = Fault::new(Service::DynamoDb, "PutItem", Mode::Delayed, 1).held_for(Duration::from_secs(2));
    stack.cloud.set_fault(late);
    let session = stack.sign_in("admin@fabrikam", CHOSEN).await.session().unwrap();
    assert_eq!(stack.call("sign-in", Call::post("/sign-out").session(&session)).await.status, 204);
    let puts = || calls(&stack, "sign-in").iter().filter(|call| *call == "PutItem").count();
    assert_eq!(puts(), 1, "the delayed write has not arrived yet");
    for _ in 0..100 {
        if puts() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(puts(), 2);
    assert!(!is_signed_in(&stack, &session).await);
}

#[tokio::test]
async fn another_site_and_a_bad_body_are_refused_before_anything_is_spent() {
    let (stack, temporary) = with_a_subscription().await;
    stack.cloud.clear_requests();
    let good = Call::sign_in("admin@fabrikam", &temporary);
    for (name, value) in
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://e.example")]
    {
        let answer = stack.call("sign-in", good.clone().header(name, value)).await;
        assert_eq!((answer.status, answer.problem()), (403, Some("forbidden")));
    }
    let body = json!({ "user_name": "admin@fabrikam", "password": temporary });
    let text = body.to_string();
    let mut more = body.clone();
    more["remember"] = true.into();
    let bad = [
        Call::post("/sign-in"),
        Call::post("/sign-in").body(text.as_bytes()),
        Call::post("/sign-in").json(&json!([text])),
        Call::post("/sign-in").json(&json!({ "user_name": "admin@fabrikam" })),
        Call::post("/sign-in").json(&json!({ "user_name": "admin@fabrikam", "password": null })),
        Call::post("/sign-in").json(&more),
        Call::post("/sign-in").json(&body).body(b"{\"user_name\":"),
        Call::post("/sign-in").json(&body).body(b"\xff\xfe"),
        Call::post("/sign-in").json(&body).from("nowhere"),
    ];
    for (n, call) in bad.into_iter().enumerate() {
        let answer = stack.call("sign-in", call).await;
        let expected = if n == 8 { (500, Some("internal")) } else { (400, Some("invalid-request")) };
        assert_eq!((answer.status, answer.problem()), expected, "{n}");
    }
    let large = json!({ "user_name": "admin@fabrikam", "password": "x".repeat(17_000) });
    let answer = stack.call("sign-in", Call::post("/sign-in").json(&large)).await;
    assert_eq!((answer.status, answer.problem()), (413, Some("payload-too-large")));
    assert!(calls(&stack, "sign-in").is_empty());
    assert_eq!(stack.call("sign-in", good.header("sec-fetch-site", "same-origin")).await.status, 200);
}

#[tokio::test]
async fn an_abandoned_reset_goes_on_after_the_next_sign_in_and_retrieval_stays_ended() {
    let (stack, temporary) = with_a_subscription().await;
    let first = stack.sign_in("admin@fabrikam", &temporary).await;
    stack.advance_clock(3600);
    assert!(!is_signed_in(&stack, &first.session().unwrap()).await, "a session for a reset ends after an hour");
    let second = stack.sign_in("admin@fabrikam", &temporary).await;
    assert_eq!((second.status, second.next()), (200, Some("reset-password")));
    let blank = stack.retrieve(&stack.token("dana@fabrikam.example"), "sub-1", "click").await;
    assert_eq!((blank.password(), blank.reasons()), (None, vec!["administrator-signed-in"]));
    let reset = stack.call("reset-password", Call::reset_password(&second.session().unwrap(), CHOSEN)).await;
    assert_eq!((reset.status, reset.next()), (200, Some("create-administrator")));
    let history = stack.history("sub-1").await;
    assert_eq!(history, ["issued by vendor", "signed-in by admin@fabrikam", "password-changed by admin@fabrikam"]);
}

#[tokio::test]
async fn a_temporary_password_signs_in_until_it_expires_and_not_after() {
    let stack = Deployment::default().with("CREDENTIAL_LIFETIME_SECONDS", "60").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let temporary = stack.mailed_password();
    stack.advance_clock(59);
    assert_eq!(stack.sign_in("admin@fabrikam", &temporary).await.status, 200);
    for later in [1, 1, 3_600] {
        stack.advance_clock(later);
        assert_eq!(stack.sign_in("admin@fabrikam", &temporary).await.problem(), Some("invalid-credentials"));
    }
}

#[tokio::test]
async fn every_retrieval_concurrent_with_the_first_sign_in_is_in_the_history() {
    let stack = TestStack::start().await;
    let dana = stack.token("dana@fabrikam.example");
    for n in 1..=12 {
        let subscription = format!("sub-{n}");
        stack.start_subscription(event(&subscription, "trial")).await;
        let name = if n == 1 { "admin@fabrikam".to_owned() } else { format!("admin-{subscription}@fabrikam") };
        let (temporary, from) = (stack.mailed_password(), format!("198.51.100.{n}"));
        let clicks = join_all(["1", "2", "3"].map(|key| stack.retrieve(&dana, &subscription, key)));
        let call = Call::sign_in(&name, &temporary).from(&from);
        let (answers, signed_in) = join!(clicks, stack.call("sign-in", call));
        assert_eq!(signed_in.status, 200, "{signed_in:?}");
        let shown = answers.iter().filter(|answer| answer.password().is_some()).count();
        let history = stack.history(&subscription).await;
        let recorded = history.iter().filter(|entry| entry.starts_with("retrieved by dana")).count();
        assert_eq!(recorded, shown, "{history:?}");
        assert_eq!(history.last().map(String::as_str), Some(&*format!("signed-in by {name}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retrieval_beside_the_first_sign_in_is_not_left_out_of_the_history() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    let mut gate = stack.cloud.gate(|call| call.operation == "TransactWriteItems" && call.function == "sign-in");
    let password = stack.mailed_password();
    let retrieve_meanwhile = async {
        let held = gate.next().await.unwrap();
        drop(gate);
        assert!(stack.retrieve(&dana, "sub-1", "click").await.password().is_some());
        held.release().await;
    };
    let (signed_in, ()) = join!(stack.sign_in("admin@fabrikam", &password), retrieve_meanwhile);
    assert_eq!(signed_in.status, 200, "{signed_in:?}");
    assert_eq!(
        stack.history("sub-1").await,
        ["issued by vendor", "retrieved by dana@fabrikam.example", "signed-in by admin@fabrikam"]
    );
}

/// Asserts what must be true after the first sign-in of an administrator, whatever happened in it: the service administrator is
/// retired, the history says so, and the administrator can sign in.
async fn assert_handed_over(stack: &TestStack, service: &str) {
    assert_eq!(
        stack.history("sub-1").await[3..],
        [
            "administrator-created by admin@fabrikam",
            "administrator-signed-in by lee@fabrikam",
            "service-administrator-retired by lee@fabrikam",
        ]
    );
    assert!(!is_signed_in(stack, service).await);
    assert_eq!(stack.sign_in("admin@fabrikam", CHOSEN).await.status, 401);
    assert_eq!(stack.sign_in("lee@fabrikam", OWN).await.next(), Some("home"));
}

#[tokio::test(flavor = "multi_thread")]
async fn four_first_sign_ins_at_once_retire_the_service_administrator_once() {
    let stack = TestStack::start().await;
    let service = with_an_administrator(&stack).await;
    let answers = join_all((0..4).map(|_| stack.sign_in("lee@fabrikam", OWN))).await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(is_signed_in(&stack, &answer.session().unwrap()).await);
    }
    assert_handed_over(&stack, &service).await;
}

#[tokio::test]
async fn with_every_first_answer_lost_the_first_sign_ins_happen_once() {
    let stack = TestStack::start().await;
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1));
    let service = with_an_administrator(&stack).await;
    let answer = stack.sign_in("lee@fabrikam", OWN).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(is_signed_in(&stack, &answer.session().unwrap()).await);
    assert_handed_over(&stack, &service).await;
    assert_eq!(stack.items("SESSION").await.iter().filter(|item| item["account"]["S"] == "lee@fabrikam").count(), 2);
}

#[tokio::test]
async fn a_first_sign_in_that_dynamodb_refuses_changes_nothing_and_the_next_one_succeeds() {
    for (operation, mode) in [("TransactWriteItems", Mode::Refused), ("TransactWriteItems", Mode::Conflict)] {
        let stack = TestStack::start().await;
        let service = with_an_administrator(&stack).await;
        stack.cloud.set_fault(Fault::new(Service::DynamoDb, operation, mode, 100_000));
        let answer = stack.sign_in("lee@fabrikam", OWN).await;
        assert_eq!((answer.status, answer.problem()), (503, Some("unavailable")), "{answer:?}");
        assert_eq!((&*answer.headers["retry-after"], answer.session()), ("1", None));
        assert!(is_signed_in(&stack, &service).await, "at least one account can always sign in");
        stack.cloud.set_fault(Fault::new(Service::DynamoDb, operation, mode, 0));
        assert_eq!(stack.sign_in("lee@fabrikam", OWN).await.status, 200);
        assert_handed_over(&stack, &service).await;
    }
}

#[tokio::test]
async fn a_vendor_may_keep_the_service_administrator() {
    let stack = Deployment::default().with("KEEP_SERVICE_ADMINISTRATOR", "true").start().await;
    let service = with_an_administrator(&stack).await;
    assert_eq!(stack.sign_in("lee@fabrikam", OWN).await.status, 200);
    assert_eq!(stack.history("sub-1").await.last().unwrap(), "administrator-signed-in by lee@fabrikam");
    assert!(is_signed_in(&stack, &service).await);
    assert_eq!(stack.sign_in("admin@fabrikam", CHOSEN).await.next(), Some("create-administrator"));
}
