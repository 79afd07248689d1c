//! Tests of choosing a password.

use std::{collections::HashMap, time::Duration};

use aws::{ChangeOutcome, Passwords, Sessions, Table};
use cloud::{Fault, Mode, Service};
use domain::{PasswordHash, ServiceAdministrator, SessionToken, Timestamp};
use futures_util::join;
use serde_json::{Value, json};
use support::{Answer, Call, Deployment, TestStack, event};

const CHOSEN: &str = "seven green boats at noon";
const OTHER: &str = "a quiet lamp over the harbour";

/// The history entry of a choice.
const CHANGED: &str = "password-changed by admin@fabrikam";

/// The seconds after which the budget of an account admits one more attempt.
const REFILL: i64 = 30;

/// Starts a stack with one subscription, `sub-1`, and returns its temporary password.
async fn with_a_temporary_password() -> (String, TestStack) {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    (stack.mailed_password(), stack)
}

/// Starts a stack with one subscription, `sub-1`, and returns a session from its temporary password.
async fn with_a_reset_session() -> (TestStack, String) {
    let (temporary, stack) = with_a_temporary_password().await;
    let session = stack.sign_in("admin@fabrikam", &temporary).await.session().unwrap();
    (stack, session)
}

/// Starts a stack whose service administrator has chosen [`CHOSEN`], and returns their session.
async fn with_a_chosen_password() -> (TestStack, String) {
    let stack = TestStack::start().await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    (stack, session)
}

/// Makes the first choice, which replaces a temporary password.
async fn reset(stack: &TestStack, session: &str, new: &str) -> Answer {
    stack.call("reset-password", Call::reset_password(session, new)).await
}

/// Makes a later choice, which needs the password that it replaces.
async fn change(stack: &TestStack, session: &str, current: &str, new: &str) -> Answer {
    let body = json!({ "new_password": new, "current_password": current });
    stack.call("reset-password", Call::post("/reset-password").session(session).json(&body)).await
}

/// Returns the status and the problem of an answer.
fn outcome(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.problem())
}

/// Returns all items except attempts. A refused choice does not change them.
async fn stored_items(stack: &TestStack) -> Vec<Value> {
    let mut all = stack.items("").await;
    all.retain(|item| {
        !["ATTEMPTS#", "NETWORK#"].iter().any(|prefix| item["PK"]["S"].as_str().unwrap().starts_with(prefix))
    });
    all
}

/// Returns whether the service administrator can sign in with a password.
async fn signs_in(stack: &TestStack, password: &str) -> bool {
    stack.advance_clock(REFILL);
    let answer = stack.sign_in("admin@fabrikam", password).await;
    assert!(matches!(outcome(&answer), (200, None) | (401, Some("invalid-credentials"))), "{answer:?}");
    answer.status == 200
}

#[tokio::test]
async fn the_first_choice_ends_the_other_session_from_the_same_temporary_password() {
    let (temporary, stack) = with_a_temporary_password().await;
    let one = stack.sign_in("admin@fabrikam", &temporary).await.session().unwrap();
    let two = stack.sign_in("admin@fabrikam", &temporary).await.session().unwrap();
    let new = reset(&stack, &two, CHOSEN).await;
    assert_eq!((new.status, new.next()), (200, Some("create-administrator")), "{new:?}");
    let before = stored_items(&stack).await;
    for ended in [&one, &two] {
        assert_eq!(outcome(&reset(&stack, ended, OTHER).await), (401, Some("not-signed-in")));
        let create = stack.call("create-admin", Call::create_admin(ended, "lee@fabrikam", OTHER)).await;
        assert_eq!(outcome(&create), (401, Some("not-signed-in")));
    }
    assert_eq!(stored_items(&stack).await, before);
    assert!(!signs_in(&stack, &temporary).await && signs_in(&stack, CHOSEN).await);
    let blank = stack.retrieve(&stack.token("dana@fabrikam.example"), "sub-1", "click").await;
    assert_eq!(blank.reasons(), ["administrator-signed-in", "administrator-changed-password"]);
}

#[tokio::test]
async fn one_of_two_choices_at_once_succeeds() {
    let (temporary, stack) = with_a_temporary_password().await;
    let one = stack.sign_in("admin@fabrikam", &temporary).await.session().unwrap();
    let two = stack.sign_in("admin@fabrikam", &temporary).await.session().unwrap();
    let answers = join!(reset(&stack, &one, CHOSEN), reset(&stack, &two, OTHER));
    let (won, lost) = if answers.0.status == 200 { (CHOSEN, &answers.1) } else { (OTHER, &answers.0) };
    assert_eq!(outcome(lost), (401, Some("not-signed-in")));
    assert!(signs_in(&stack, won).await);
    assert_eq!(stack.history("sub-1").await[1..], ["signed-in by admin@fabrikam", CHANGED]);
}

#[tokio::test]
async fn an_abandoned_choice_can_be_made_after_signing_in_again() {
    let (temporary, stack) = with_a_temporary_password().await;
    let abandoned = stack.sign_in("admin@fabrikam", &temporary).await.session().unwrap();
    stack.advance_clock(3600);
    assert_eq!(outcome(&reset(&stack, &abandoned, CHOSEN).await), (401, Some("not-signed-in")));
    let again = stack.sign_in("admin@fabrikam", &temporary).await;
    assert_eq!((again.status, again.next()), (200, Some("reset-password")));
    assert_eq!(reset(&stack, &again.session().unwrap(), CHOSEN).await.status, 200);
    assert!(signs_in(&stack, CHOSEN).await);
}

#[tokio::test]
async fn a_password_that_is_too_short_too_long_or_too_common_is_refused_with_its_code_and_changes_nothing() {
    let (stack, session) = with_a_reset_session().await;
    let (short, long) = ("x7#".repeat(4) + "ab", "kq".to_owned() + &"x".repeat(127));
    let decomposed = "e\u{301}f".repeat(7);
    let emoji = "😀🐢🌋🎻🧀🚲🪁🦔🌽🛶🧦🎲🪐🦉";
    assert_eq!((short.len(), long.len(), decomposed.chars().count(), emoji.chars().count()), (14, 129, 21, 14));
    let huge = "x".repeat(10_000);
    let common = [
        "passwordpassword",
        "Fabrikam2026Fabrikam",
        "Contoso Online Suite",
        "contoso-suite-online-1",
        "admin admin fabrikam",
    ];
    let before = stored_items(&stack).await;
    for (code, refused) in [
        ("password-too-short", &["", &*short, &decomposed, emoji][..]),
        ("password-too-long", &[&*long, &huge]),
        ("password-too-common", &common),
    ] {
        for new in refused {
            let answer = reset(&stack, &session, new).await;
            assert_eq!((outcome(&answer), answer.cookies.len()), ((422, Some(code)), 0), "{new}");
        }
    }
    assert_eq!(stored_items(&stack).await, before);
    assert_eq!(reset(&stack, &session, CHOSEN).await.status, 200, "the session is still good");
}

#[tokio::test]
async fn a_password_of_15_to_128_characters_of_any_kind_is_taken_and_signs_in() {
    let (stack, mut session) = with_a_chosen_password().await;
    let longest: String = (0..128).map(|n| char::from_u32(0x4e00 + n * 37).unwrap()).collect();
    let composed = "e\u{301}".repeat(14) + &longest.chars().take(114).collect::<String>();
    assert_eq!((longest.chars().count(), composed.chars().count()), (128, 142));
    let good = [
        "xkqvztmwprbnjdh",
        "😀🐢🌋🎻🧀🚲🪁🦔🌽🛶🧦🎲🪐🦉🍇",
        "83920174658291037465",
        &longest,
        &composed,
        " seven green boats ",
    ];
    let mut current = CHOSEN;
    for new in good {
        stack.advance_clock(REFILL);
        let answer = change(&stack, &session, current, new).await;
        assert_eq!(outcome(&answer), (200, None), "{new}");
        assert!(signs_in(&stack, new).await, "{new}");
        (session, current) = (answer.session().unwrap(), new);
    }
    assert!(!signs_in(&stack, "seven green boats").await, "spaces count");
}

#[tokio::test]
async fn however_a_keyboard_writes_an_accent_it_is_the_same_password() {
    let (composed, combining) =
        ("h\u{e9}l\u{e8}ne va \u{e0} la p\u{ea}che", "he\u{301}le\u{300}ne va a\u{300} la pe\u{302}che");
    for (set, typed) in [(composed, combining), (combining, composed)] {
        let (stack, session) = with_a_reset_session().await;
        let session = reset(&stack, &session, set).await.session().unwrap();
        assert!(signs_in(&stack, typed).await && signs_in(&stack, set).await);
        let same = change(&stack, &session, set, typed).await;
        assert_eq!(outcome(&same), (422, Some("password-reused")));
        assert_eq!(change(&stack, &session, typed, OTHER).await.status, 200);
    }
}

/// Returns the full-width form of a character, as East Asian keyboards type it.
fn full_width(c: char) -> char {
    char::from_u32(u32::from(c) + 0xfee0).unwrap()
}

#[tokio::test]
async fn the_temporary_password_cannot_be_kept_however_it_is_written() {
    let (temporary, stack) = with_a_temporary_password().await;
    let session = stack.sign_in("admin@fabrikam", &temporary).await.session().unwrap();
    let before = stored_items(&stack).await;
    for spelling in [
        temporary.clone(),
        temporary.to_uppercase(),
        temporary.replace('-', ""),
        temporary.replace('-', " "),
        format!("  {} ", temporary.replace('-', "\u{a0}").to_uppercase()),
        temporary.chars().flat_map(|c| [c, '-']).collect(),
        temporary.replace('-', "\u{2013}"),
        temporary.replace('-', "\u{ad}\u{200b}."),
        temporary.chars().map(full_width).collect(),
    ] {
        assert_eq!(outcome(&reset(&stack, &session, &spelling).await), (422, Some("password-reused")), "{spelling}");
    }
    assert_eq!(stored_items(&stack).await, before);
    let longer = reset(&stack, &session, &format!("{temporary}x")).await;
    assert_eq!(longer.status, 200, "{longer:?}");
}

#[tokio::test]
async fn a_choice_begun_before_the_temporary_password_expires_can_be_made_until_its_last_second() {
    for (seconds, made) in [(59, true), (60, false)] {
        let stack = Deployment::default().with("CREDENTIAL_LIFETIME_SECONDS", "60").start().await;
        stack.start_subscription(event("sub-1", "trial")).await;
        let temporary = stack.mailed_password();
        let session = stack.sign_in("admin@fabrikam", &temporary).await.session().unwrap();
        stack.advance_clock(seconds);
        let before = stored_items(&stack).await;
        let answer = reset(&stack, &session, CHOSEN).await;
        assert_eq!(outcome(&answer), if made { (200, None) } else { (401, Some("not-signed-in")) });
        assert_eq!(stored_items(&stack).await != before, made);
        stack.advance_clock(600);
        assert!(signs_in(&stack, CHOSEN).await == made && !signs_in(&stack, &temporary).await);
    }
}

/// This test calls the store directly, because there is no other way to delay an invocation between its read and its write.
#[tokio::test]
async fn a_choice_read_before_the_temporary_password_expires_is_not_written_after_it() {
    let (stack, session) = with_a_reset_session().await;
    let settings = HashMap::from([
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "reset-password".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AWS_ENDPOINT_URL", stack.cloud.aws_url()),
    ]);
    let table = Table::new(&aws::connect(|name| settings.get(name).cloned()).unwrap(), "firstkey".into());
    let digest = SessionToken::parse(&session).unwrap().digest();
    let expires_at = stack.items("CREDENTIAL").await[0]["expires_at"]["N"].as_str().unwrap().parse().unwrap();
    let [early, late] = [expires_at - 604_800, expires_at].map(Timestamp::from_epoch_seconds);
    let signed_in = Sessions::new(table.clone()).find(&digest, early).await.unwrap().unwrap();
    let hash = PasswordHash::from_phc("never stored".into());
    let next = signed_in.session.after_change(&signed_in.account, late);
    let before = stored_items(&stack).await;
    let digest = SessionToken::parse(&"A".repeat(43)).unwrap().digest();
    let outcome = Passwords::new(table, ServiceAdministrator::IsRetired)
        .change(&signed_in, &hash, &next, &digest, late)
        .await
        .unwrap();
    assert_eq!(outcome, ChangeOutcome::SessionEnded);
    assert_eq!(stored_items(&stack).await, before);
}

#[tokio::test]
async fn a_later_choice_needs_the_current_password_and_a_wrong_one_leaves_the_session() {
    let (stack, session) = with_a_chosen_password().await;
    let before = stored_items(&stack).await;
    assert_eq!(outcome(&reset(&stack, &session, OTHER).await), (400, Some("invalid-request")));
    for wrong in [OTHER, "", &"x".repeat(129), &CHOSEN.to_uppercase()] {
        let answer = change(&stack, &session, wrong, OTHER).await;
        assert_eq!(outcome(&answer), (401, Some("invalid-credentials")), "{wrong:?}");
        assert!(answer.cookies.is_empty());
        stack.advance_clock(REFILL);
    }
    let same = change(&stack, &session, CHOSEN, CHOSEN).await;
    assert_eq!(outcome(&same), (422, Some("password-reused")));
    assert_eq!(stored_items(&stack).await, before);
    assert_eq!(change(&stack, &session, CHOSEN, OTHER).await.status, 200);
}

#[tokio::test]
async fn after_a_choice_the_old_session_and_the_old_password_stop_working_and_the_new_cookie_works() {
    let (stack, old) = with_a_chosen_password().await;
    let other = stack.sign_in("admin@fabrikam", CHOSEN).await.session().unwrap();
    let answer = change(&stack, &old, CHOSEN, OTHER).await;
    let new = answer.session().unwrap();
    assert!(new != old && new.len() == 43);
    let cookie = format!("__Host-session={new}; Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Strict");
    let device = format!(
        "__Host-device={}; Path=/; Max-Age=34560000; HttpOnly; Secure; SameSite=Strict",
        answer.device().unwrap()
    );
    assert_eq!(answer.cookies, [cookie, device]);
    assert_eq!(answer.headers["cache-control"], "no-store");
    for ended in [&old, &other] {
        stack.advance_clock(REFILL);
        for current in [OTHER, CHOSEN] {
            let answer = change(&stack, ended, current, "eleven maps under the bridge").await;
            assert_eq!(
                outcome(&answer),
                (401, Some("not-signed-in")),
                "whether the current password is right or wrong"
            );
        }
    }
    assert!(!signs_in(&stack, CHOSEN).await && signs_in(&stack, OTHER).await);
    assert_eq!(change(&stack, &new, OTHER, CHOSEN).await.status, 200);
    assert_eq!(stack.history("sub-1").await[2..], [CHANGED; 3]);
}

#[tokio::test]
async fn bad_input_another_site_and_an_anonymous_caller_are_refused_before_anything_is_read() {
    let (stack, session) = with_a_reset_session().await;
    let good = Call::reset_password(&session, CHOSEN);
    let with = |body: Value| good.clone().json(&body);
    let anonymous = || Call::post("/reset-password").json(&json!({ "new_password": CHOSEN }));
    let bad = [
        Call::post("/reset-password").session(&session),
        with(json!({})),
        with(json!({ "new_password": CHOSEN, "current_password": 7 })),
        with(json!({ "new_password": CHOSEN, "user_name": "admin@fabrikam" })),
        good.clone().body(b"{\"new_password\":\"\xff\"}"),
    ];
    let large = [with(json!({ "new_password": "x".repeat(17_000) }))];
    let foreign = [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://e.example")];
    let foreign = foreign.map(|(name, value)| good.clone().header(name, value));
    let not_signed_in =
        [anonymous(), anonymous().session("no token"), anonymous().bearer(&session), good.clone().session(&session)];
    stack.cloud.clear_requests();
    for (calls, expected) in [
        (&bad[..], (400, Some("invalid-request"))),
        (&large, (413, Some("payload-too-large"))),
        (&foreign, (403, Some("forbidden"))),
        (&not_signed_in, (401, Some("not-signed-in"))),
    ] {
        for (n, call) in calls.iter().enumerate() {
            let answer = stack.call("reset-password", call.clone()).await;
            assert_eq!((outcome(&answer), answer.cookies.len()), (expected, 0), "case {n}");
        }
    }
    assert!(stack.cloud.requests().is_empty());
    let unknown = anonymous().session(&"A".repeat(43));
    assert_eq!(outcome(&stack.call("reset-password", unknown).await), (401, Some("not-signed-in")));
    let same_origin = good.header("sec-fetch-site", "same-origin").header("origin", "http://localhost:9000");
    assert_eq!(stack.call("reset-password", same_origin).await.status, 200);
}

#[tokio::test]
async fn with_every_first_answer_lost_or_in_conflict_a_choice_is_made_once() {
    for fault in [
        Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Duplicated, 100_000),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Conflict, 2),
    ] {
        let (stack, session) = with_a_reset_session().await;
        stack.cloud.set_fault(fault);
        let answer = reset(&stack, &session, CHOSEN).await;
        assert_eq!(outcome(&answer), (200, None));
        assert_eq!(stack.history("sub-1").await[2..], [CHANGED]);
        let next = change(&stack, &answer.session().unwrap(), CHOSEN, OTHER).await;
        assert_eq!(outcome(&next), (200, None), "the cookie in the answer is that of the stored session");
    }
}

#[tokio::test]
async fn while_the_table_refuses_writes_a_choice_is_unavailable_and_changes_nothing() {
    let (stack, session) = with_a_reset_session().await;
    let before = stored_items(&stack).await;
    for mode in [Mode::Refused, Mode::Throttled, Mode::Conflict] {
        let fault = |count| Fault::new(Service::DynamoDb, "TransactWriteItems", mode, count);
        stack.cloud.set_fault(fault(100_000));
        let answer = reset(&stack, &session, CHOSEN).await;
        assert_eq!(outcome(&answer), (503, Some("unavailable")), "{mode:?}");
        assert!(answer.headers.contains_key("retry-after") && answer.cookies.is_empty());
        stack.cloud.set_fault(fault(0));
        assert_eq!(stored_items(&stack).await, before);
    }
    assert_eq!(reset(&stack, &session, CHOSEN).await.status, 200);
    assert_eq!(stack.history("sub-1").await[2..], [CHANGED]);
}

#[tokio::test]
async fn a_choice_carried_out_after_it_was_given_up_is_made_once_and_signs_in() {
    let (stack, session) = with_a_reset_session().await;
    let held = Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Delayed, 3);
    stack.cloud.set_fault(held.held_for(Duration::from_millis(1200)));
    assert_eq!(outcome(&reset(&stack, &session, CHOSEN).await), (503, Some("unavailable")));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(outcome(&reset(&stack, &session, CHOSEN).await), (401, Some("not-signed-in")));
    assert!(signs_in(&stack, CHOSEN).await);
    assert_eq!(stack.history("sub-1").await[2..], [CHANGED]);
}
