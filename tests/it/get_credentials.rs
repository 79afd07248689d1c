//! Tests of retrieving the temporary password.

use std::{collections::HashSet, time::Duration};

use cloud::{Fault, Mode, Service};
use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Answer, Call, Deployment, TestStack, event};

/// Starts a stack with one subscription, `sub-1`, whose welcome mail has been sent.
async fn with_a_subscription() -> TestStack {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack
}

/// Starts a stack with one subscription, `sub-1`, and returns the token of Dana, who has used all three retrievals.
async fn with_used_up_retrievals() -> (TestStack, String) {
    let stack = with_a_subscription().await;
    let dana = stack.token("dana@fabrikam.example");
    for key in ["1", "2", "3"] {
        stack.retrieve(&dana, "sub-1", key).await;
    }
    (stack, dana)
}

/// Sends many clicks at once. One machine does the work of as many function instances, so it answers some of them with 503; they
/// are sent again with the same key, as a browser would.
async fn clicks(stack: &TestStack, token: &str, keys: impl Iterator<Item = String>) -> Vec<Answer> {
    join_all(keys.map(|key| async move { retrieve_with_retries(stack, token, &key).await })).await
}

/// Sends a click, and repeats it with the same key until the answer is not 503.
async fn retrieve_with_retries(stack: &TestStack, token: &str, key: &str) -> Answer {
    for attempt in 0..60 {
        let answer = stack.retrieve(token, "sub-1", key).await;
        if answer.status != 503 {
            return answer;
        }
        let spread = u64::from(key.bytes().map(u32::from).sum::<u32>() % 40);
        tokio::time::sleep(Duration::from_millis(100 + 50 * (spread + attempt))).await;
    }
    panic!("the function was never available");
}

/// Returns how many answers show a password.
fn count_shown(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.password().is_some()).count()
}

/// Makes DynamoDB carry out the first attempt of every call without answering it.
fn lose_every_first_answer(stack: &TestStack) {
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1));
}

#[tokio::test]
async fn three_retrievals_show_the_mailed_password_and_the_fourth_is_blank_and_says_why() {
    let stack = with_a_subscription().await;
    let dana = stack.token("dana@fabrikam.example");
    let mail = &stack.cloud.inbox()[0];
    for n in 1..=3 {
        let answer = stack.retrieve(&dana, "sub-1", &format!("click-{n}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(mail.text.lines().any(|line| Some(line) == answer.password()));
        assert_eq!(answer.body["retrievals"]["used"], n);
        assert_eq!(answer.body["retrievals"]["remaining"], 3 - n);
        assert_eq!(answer.body["blank"], Value::Null);
        assert_eq!(answer.body["user_name"], "admin@fabrikam");
        assert_eq!(answer.body["sign_in_url"], "http://localhost:9000/administration");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    let answer = stack.retrieve(&dana, "sub-1", "click-4").await;
    assert_eq!((answer.status, answer.password(), answer.reasons()), (200, None, vec!["retrieved-three-times"]));
    assert_eq!(answer.body["retrievals"]["history"].as_array().unwrap().len(), 3);
    assert_eq!(answer.body["blank"]["support_url"], "http://localhost:9000/support");
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_three_of_200_clicks_at_once_are_shown_the_password_and_197_get_the_reason() {
    let stack = with_a_subscription().await;
    let dana = stack.token("dana@fabrikam.example");
    let answers = clicks(&stack, &dana, (0..200).map(|n| format!("click-{n}"))).await;
    assert_eq!(count_shown(&answers), 3);
    assert_eq!(answers.iter().filter(|answer| answer.reasons() == ["retrieved-three-times"]).count(), 197);
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_three_of_200_clicks_at_once_are_shown_the_password_with_every_first_answer_lost() {
    let stack = with_a_subscription().await;
    lose_every_first_answer(&stack);
    let dana = stack.token("dana@fabrikam.example");
    let answers = clicks(&stack, &dana, (0..200).map(|n| format!("click-{n}"))).await;
    assert_eq!(count_shown(&answers), 3);
    assert_eq!(answers.iter().filter(|answer| answer.reasons() == ["retrieved-three-times"]).count(), 197);
}

#[tokio::test]
async fn the_same_click_minutes_later_keeps_the_time_of_its_retrieval() {
    let stack = with_a_subscription().await;
    let dana = stack.token("dana@fabrikam.example");
    let first = stack.retrieve(&dana, "sub-1", "click").await;
    stack.advance_clock(300);
    let again = stack.retrieve(&dana, "sub-1", "click").await;
    assert!(again.password().is_some());
    assert_eq!(again.body["retrievals"], first.body["retrievals"]);
}

#[tokio::test]
async fn the_same_click_twice_is_counted_once_and_shows_the_same() {
    let stack = with_a_subscription().await;
    let dana = stack.token("dana@fabrikam.example");
    let once = stack.retrieve(&dana, "sub-1", "click").await;
    let again = stack.retrieve(&dana, "sub-1", "click").await;
    assert!(once.password().is_some());
    assert_eq!(once.body, again.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_click_16_times_at_once_is_counted_once_and_shown_to_all() {
    let stack = with_a_subscription().await;
    lose_every_first_answer(&stack);
    let dana = stack.token("dana@fabrikam.example");
    let answers = clicks(&stack, &dana, (0..16).map(|_| "click".to_owned())).await;
    assert_eq!(count_shown(&answers), 16);
    assert!(answers.iter().all(|answer| answer.body["retrievals"]["used"] == 1));
}

#[tokio::test]
async fn the_same_key_from_another_person_is_another_retrieval() {
    let stack = with_a_subscription().await;
    let [dana, kim] = ["dana@fabrikam.example", "kim@fabrikam.example"].map(|email| stack.token(email));
    stack.retrieve(&dana, "sub-1", "click").await;
    stack.advance_clock(1);
    let answer = stack.retrieve(&kim, "sub-1", "click").await;
    assert_eq!(answer.body["retrievals"]["used"], 2);
    let history = answer.body["retrievals"]["history"].as_array().unwrap();
    assert_eq!((&history[0]["by"], &history[0]["you"]), (&json!("dana@fabrikam.example"), &json!(false)));
    assert_eq!((&history[1]["by"], &history[1]["you"]), (&json!("kim@fabrikam.example"), &json!(true)));
}

#[tokio::test]
async fn two_people_of_one_organisation_with_the_same_key_are_counted_apart() {
    let role = [("OIDC_ORGANIZATION_CLAIM", "tenant"), ("OIDC_ORGANIZATION_ROLE", "roles=billing")];
    let deployment =
        role.into_iter().fold(Deployment::default(), |deployment, (name, value)| deployment.with(name, value));
    let stack = deployment.start().await;
    let mut started = event("sub-1", "trial");
    started["detail"]["portal_users"] = json!([{ "issuer": stack.provider.issuer(), "organization": "t-1" }]);
    stack.start_subscription(started).await;
    let owner = json!({ "tenant": "t-1", "roles": ["billing"], "email_verified": false });
    for (n, name) in [(1, "lee@fabrikam.example"), (2, "mo@fabrikam.example")] {
        let answer = stack.retrieve(&stack.token_with(name, &owner), "sub-1", "click").await;
        assert_eq!(answer.body["retrievals"]["used"], n, "{answer:?}");
        let by = answer.body["retrievals"]["history"][n - 1]["by"].as_str().unwrap();
        assert!(!by.contains('@'), "an address that is not verified is never shown");
    }
    let without = json!({ "tenant": "t-1", "email_verified": false });
    let answer = stack.retrieve(&stack.token_with("no@fabrikam.example", &without), "sub-1", "click").await;
    assert_eq!(answer.problem(), Some("not-found"), "an organisation without the required role is not a principal");
}

#[tokio::test]
async fn a_blank_answer_names_the_other_person_who_took_the_last_retrieval() {
    let stack = with_a_subscription().await;
    let [dana, kim] = ["dana@fabrikam.example", "kim@fabrikam.example"].map(|email| stack.token(email));
    for (token, key) in [(&dana, "1"), (&kim, "2"), (&kim, "3")] {
        stack.retrieve(token, "sub-1", key).await;
    }
    let answer = stack.retrieve(&dana, "sub-1", "4").await;
    assert_eq!(answer.reasons(), ["retrieved-three-times", "retrieved-by-someone-else"]);
    let detail = answer.body["blank"]["reasons"][1]["detail"].as_str().unwrap();
    assert!(detail.contains("kim@fabrikam.example") && !detail.contains("dana"));
}

#[tokio::test]
async fn a_click_is_repeated_for_ten_minutes_and_is_then_a_conflict() {
    let stack = with_a_subscription().await;
    let dana = stack.token("dana@fabrikam.example");
    stack.retrieve(&dana, "sub-1", "click").await;
    stack.advance_clock(599);
    assert!(stack.retrieve(&dana, "sub-1", "click").await.password().is_some());
    stack.advance_clock(1);
    let late = stack.retrieve(&dana, "sub-1", "click").await;
    assert_eq!((late.status, late.problem()), (409, Some("conflict")));
    assert_eq!(stack.retrieve(&dana, "sub-1", "another").await.body["retrievals"]["used"], 2);
}

#[tokio::test]
async fn expired_credentials_are_blank_even_for_a_click_that_was_answered() {
    let stack = Deployment::default().with("CREDENTIAL_LIFETIME_SECONDS", "60").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    stack.advance_clock(59);
    assert!(stack.retrieve(&dana, "sub-1", "click").await.password().is_some());
    stack.advance_clock(1);
    for key in ["click", "another"] {
        assert_eq!(stack.retrieve(&dana, "sub-1", key).await.reasons(), ["expired"]);
    }
}

#[tokio::test]
async fn a_click_without_a_key_is_counted_each_time() {
    let stack = with_a_subscription().await;
    let dana = stack.token("dana@fabrikam.example");
    for used in 1..=3 {
        let answer = stack.call("get-credentials", Call::get_credentials("sub-1").bearer(&dana)).await;
        assert_eq!(answer.body["retrievals"]["used"], used);
    }
}

#[tokio::test]
async fn a_retrieval_is_one_write_unit_and_one_decrypt_and_a_refused_one_does_not_decrypt() {
    let stack = with_a_subscription().await;
    let dana = stack.token("dana@fabrikam.example");
    stack.warm_up().await;
    for (n, decrypts) in [(1, 1), (2, 1), (3, 1), (4, 0)] {
        stack.cloud.clear_requests();
        stack.retrieve(&dana, "sub-1", &n.to_string()).await;
        let requests = stack.cloud.requests();
        let count = |service| requests.iter().filter(|request| request.service == service).count();
        assert_eq!((count("dynamodb"), count("kms")), (1, decrypts), "{requests:?}");
        let units: Vec<f64> = requests.iter().filter_map(|request| request.consumed_capacity).collect();
        assert_eq!(units, [1.0], "a refused write is charged as well");
        assert!(requests.iter().all(|request| request.function == "get-credentials"));
    }
}

#[tokio::test]
async fn twenty_portal_users_and_three_retrievals_still_fit_one_write_unit() {
    let stack = TestStack::start().await;
    let mut started = event("sub-1001", "trial");
    let users: Vec<Value> = (0..19).map(|n| json!({ "email": format!("person-{n}@fabrikam.example") })).collect();
    started["detail"]["portal_users"] = users.into();
    stack.start_subscription(started).await;
    stack.warm_up().await;
    for n in 0..3 {
        stack.cloud.clear_requests();
        let token = stack.token(&format!("person-{n}@fabrikam.example"));
        assert!(stack.retrieve(&token, "sub-1001", "click").await.password().is_some());
        let units = stack.cloud.requests()[0].consumed_capacity.unwrap();
        assert!((units - 1.0).abs() < f64::EPSILON, "{units} write units");
    }
}

#[tokio::test]
async fn the_recipient_of_the_mail_can_retrieve_the_credentials_though_the_event_lists_other_people() {
    let stack = with_a_subscription().await;
    let it = stack.token("IT@fabrikam.example");
    assert!(stack.retrieve(&it, "sub-1", "click").await.password().is_some());
}

#[tokio::test]
async fn one_address_is_one_person_however_it_is_capitalised() {
    let stack = TestStack::start().await;
    let mut started = event("sub-1", "trial");
    started["detail"]["portal_users"] = json!([{ "email": "Dana@Fabrikam.example" }]);
    stack.start_subscription(started).await;
    assert!(stack.retrieve(&stack.token("dana@fabrikam.example"), "sub-1", "click").await.password().is_some());
}

#[tokio::test]
async fn an_unknown_a_foreign_and_a_malformed_subscription_id_get_the_same_not_found() {
    let stack = with_a_subscription().await;
    let mallory = stack.token("mallory@elsewhere.example");
    let foreign = stack.retrieve(&mallory, "sub-1", "click").await;
    let unknown = stack.retrieve(&mallory, "sub-2", "click").await;
    let malformed = stack.retrieve(&mallory, "SUBSCRIPTION#sub-1", "click").await;
    assert_eq!((foreign.status, foreign.problem()), (404, Some("not-found")));
    assert_eq!((&foreign.body, &foreign.headers), (&unknown.body, &unknown.headers));
    assert_eq!((&foreign.body, &foreign.headers), (&malformed.body, &malformed.headers));
}

#[tokio::test]
async fn an_invalid_token_is_refused_before_anything_is_read_or_written() {
    let stack = with_a_subscription().await;
    let person = provider::Person::with_email("dana@fabrikam.example");
    let claims = stack.provider.claims(&person);
    let sign = |header: &Value, change: Value| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        stack.provider.sign(provider::Algorithm::Rs256, header, &claims)
    };
    let bad = [
        sign(&json!({}), json!({ "exp": 1 })),
        sign(&json!({}), json!({ "aud": "another" })),
        sign(&json!({}), json!({ "iss": "https://another.example" })),
        sign(&json!({ "kid": null }), json!({})),
        sign(&json!({ "alg": "none" }), json!({})),
        sign(&json!({ "alg": "HS256" }), json!({})),
        sign(&json!({ "typ": "at+jwt" }), json!({})),
        "no token".to_owned(),
    ];
    stack.warm_up().await;
    stack.cloud.clear_requests();
    for token in bad {
        let answer = stack.retrieve(&token, "sub-1", "click").await;
        assert_eq!((answer.status, answer.problem()), (401, Some("not-signed-in")), "{token}");
    }
    let unsigned = stack.call("get-credentials", Call::get_credentials("sub-1").key("click")).await;
    assert_eq!(unsigned.status, 401);
    assert!(stack.cloud.requests().is_empty());
    let unknown = sign(&json!({ "kid": "unknown" }), json!({}));
    assert_eq!(stack.retrieve(&unknown, "sub-1", "click").await.problem(), Some("not-signed-in"));
    let operations: Vec<String> = stack.cloud.requests().into_iter().map(|request| request.operation).collect();
    assert_eq!(operations, ["GetItem"], "the provider's keys are read again");
}

#[tokio::test]
async fn a_token_of_6_kb_works_in_two_cookies_and_another_site_cannot_use_them() {
    let stack = with_a_subscription().await;
    let token = stack.token_with("dana@fabrikam.example", &json!({ "padding": "x".repeat(4200) }));
    assert!(token.len() > 6000);
    let (one, two) = token.split_at(3800);
    let call = || {
        Call::get_credentials("sub-1").cookie("__Host-customer.1", one).cookie("__Host-customer.2", two).key("click")
    };
    let from_elsewhere = stack.call("get-credentials", call().header("sec-fetch-site", "cross-site")).await;
    assert_eq!(from_elsewhere.problem(), Some("forbidden"));
    let from_here = stack.call("get-credentials", call().header("sec-fetch-site", "same-origin")).await;
    assert_eq!(from_here.body["retrievals"]["used"], 1, "{from_here:?}");
}

#[tokio::test]
async fn bad_input_is_answered_with_a_problem_and_changes_nothing() {
    let stack = with_a_subscription().await;
    let dana = stack.token("dana@fabrikam.example");
    let call = || Call::get_credentials("sub-1").bearer(&dana).key("click");
    let bad = [
        (call().header("content-type", "application/json").body(b"{"), 400),
        (call().json(&json!({ "unknown": true })), 400),
        (call().json(&json!([])), 400),
        (call().body(b"{}"), 400),
        (call().header("content-type", "application/json").body(&vec![b' '; 1 << 20]), 413),
        (call().header("content-type", "application/json").body(&[0xff, 0xfe]), 400),
        (call().key(&"x".repeat(65)), 400),
        (call().key("a b"), 400),
        (call().key(""), 400),
        (call().query("a b\u{7f}\"<>"), 400),
    ];
    stack.warm_up().await;
    stack.cloud.clear_requests();
    for (n, (call, status)) in bad.into_iter().enumerate() {
        let answer = stack.call("get-credentials", call).await;
        assert_eq!(answer.status, status, "case {n}: {answer:?}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    assert!(stack.cloud.requests().is_empty());
    let good = stack.call("get-credentials", call().json(&json!({}))).await;
    assert!(good.password().is_some(), "an empty object is accepted");
}

#[tokio::test]
async fn with_a_black_holed_table_a_click_is_unavailable_in_under_three_seconds_and_costs_at_most_one_retrieval() {
    let stack = with_a_subscription().await;
    let dana = stack.token("dana@fabrikam.example");
    stack
        .cloud
        .set_fault(Fault::new(Service::DynamoDb, "UpdateItem", Mode::Delayed, 3).held_for(Duration::from_secs(4)));
    let start = std::time::Instant::now();
    let answer = stack.retrieve(&dana, "sub-1", "click").await;
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!((answer.status, answer.problem()), (503, Some("unavailable")));
    assert!(answer.headers.contains_key("retry-after"));
    tokio::time::sleep(Duration::from_secs(4)).await;
    let again = stack.retrieve(&dana, "sub-1", "click").await;
    assert!(again.password().is_some());
    assert_eq!(
        again.body["retrievals"]["used"], 1,
        "three attempts were carried out after the answer, and the click was counted once"
    );
}

#[tokio::test]
async fn a_click_repeated_after_a_failed_decrypt_is_not_counted_again() {
    let stack = with_a_subscription().await;
    let dana = stack.token("dana@fabrikam.example");
    stack.cloud.set_fault(Fault::new(Service::Kms, "Decrypt", Mode::Refused, 3));
    assert_eq!(stack.retrieve(&dana, "sub-1", "click").await.problem(), Some("unavailable"));
    let again = stack.retrieve(&dana, "sub-1", "click").await;
    assert!(again.password().is_some());
    assert_eq!(again.body["retrievals"]["used"], 1);
}

#[tokio::test]
async fn a_conflict_is_retried_and_never_reported_as_a_reason() {
    let stack = with_a_subscription().await;
    let dana = stack.token("dana@fabrikam.example");
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "UpdateItem", Mode::Conflict, 2));
    assert!(stack.retrieve(&dana, "sub-1", "click").await.password().is_some());
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "UpdateItem", Mode::Conflict, 3));
    assert_eq!(stack.retrieve(&dana, "sub-1", "another").await.problem(), Some("unavailable"));
}

#[tokio::test]
async fn an_attempt_carried_out_after_a_new_issue_spends_none_of_its_retrievals() {
    let stack = Deployment::default().with("CREDENTIAL_LIFETIME_SECONDS", "60").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    stack
        .cloud
        .set_fault(Fault::new(Service::DynamoDb, "UpdateItem", Mode::Delayed, 3).held_for(Duration::from_secs(4)));
    assert_eq!(stack.retrieve(&dana, "sub-1", "old").await.problem(), Some("unavailable"));
    stack.advance_clock(60);
    stack.start_subscription(event("sub-1", "paid")).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let answer = stack.retrieve(&dana, "sub-1", "new").await;
    assert_eq!(answer.body["retrievals"]["used"], 1, "{answer:?}");
}

/// Returns the answers to a click whose first attempt is carried out late, in the next issue, and to a new click after that. The
/// first attempt is held back, the second one is answered, and the next issue begins before the first is carried out: all within
/// one second by every clock.
async fn click_carried_out_in_the_next_issue(taken_before: u32) -> (Answer, Answer) {
    let stack = with_a_subscription().await;
    let (dana, kim) = (stack.token("dana@fabrikam.example"), stack.token("kim@fabrikam.example"));
    for n in 0..taken_before {
        stack.retrieve(&kim, "sub-1", &n.to_string()).await;
    }
    stack
        .cloud
        .set_fault(Fault::new(Service::DynamoDb, "UpdateItem", Mode::Delayed, 1).held_for(Duration::from_secs(4)));
    let answered = stack.retrieve(&dana, "sub-1", "late").await;
    stack.start_subscription(event("sub-1", "paid")).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    (answered, stack.retrieve(&dana, "sub-1", "new").await)
}

#[tokio::test]
async fn a_click_that_was_shown_the_password_is_not_counted_in_the_next_issue_too() {
    let (answered, new) = click_carried_out_in_the_next_issue(2).await;
    assert!(answered.password().is_some(), "{answered:?}");
    assert!(new.password().is_some_and(|password| Some(password) != answered.password()), "{new:?}");
    assert_eq!(new.body["retrievals"]["used"], 1, "{new:?}");
}

#[tokio::test]
async fn a_click_that_was_answered_with_a_reason_is_not_counted_in_the_next_issue() {
    let (answered, new) = click_carried_out_in_the_next_issue(3).await;
    assert_eq!(answered.reasons(), ["retrieved-three-times", "retrieved-by-someone-else"]);
    assert!(new.password().is_some(), "{new:?}");
    assert_eq!(new.body["retrievals"]["used"], 1, "{new:?}");
}

#[tokio::test]
async fn a_retrieval_in_a_later_issue_is_two_writes_and_a_blank_there_is_one() {
    let (stack, dana) = with_used_up_retrievals().await;
    stack.start_subscription(event("sub-1", "paid")).await;
    let mut calls = Vec::new();
    for key in ["4", "4", "5", "6", "7"] {
        stack.cloud.clear_requests();
        let answer = stack.retrieve(&dana, "sub-1", key).await;
        let operations: Vec<String> = stack.cloud.requests().into_iter().map(|request| request.operation).collect();
        calls.push((answer.password().is_some(), operations.join(", ")));
    }
    let counted = || (true, "UpdateItem, UpdateItem, Decrypt".to_owned());
    let repeated = (true, "UpdateItem, Decrypt".to_owned());
    assert_eq!(calls, [counted(), repeated, counted(), counted(), (false, "UpdateItem".to_owned())]);
}

#[tokio::test]
async fn a_table_that_hangs_in_the_second_write_of_a_later_issue_is_unavailable_in_under_three_seconds() {
    let (stack, dana) = with_used_up_retrievals().await;
    stack.start_subscription(event("sub-1", "paid")).await;
    let mut gate = stack.cloud.gate(|call| call.operation == "UpdateItem" && call.function == "get-credentials");
    // Only the third attempt of the first write is answered.
    let hangs = async {
        let mut held = Vec::new();
        while let Some(call) = gate.next().await {
            held.push(call);
            if held.len() == 3 {
                held.pop().unwrap().release().await;
                held.extend(gate.next().await);
            }
        }
    };
    let start = std::time::Instant::now();
    let answer = tokio::select! {
        answer = stack.retrieve(&dana, "sub-1", "4") => answer,
        () = hangs => panic!("the local cloud has stopped"),
    };
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!((answer.status, answer.problem()), (503, Some("unavailable")));
    drop(gate);
    assert!(stack.retrieve(&dana, "sub-1", "4").await.password().is_some());
}

#[tokio::test]
async fn a_call_from_before_the_issue_is_unavailable_and_is_not_counted_in_it() {
    let (stack, dana) = with_used_up_retrievals().await;
    let mut gate = stack.cloud.gate(|call| call.operation == "UpdateItem" && call.function == "get-credentials");
    let start_the_next_issue = async {
        let held = gate.next().await.unwrap();
        drop(gate);
        stack.advance_clock(1);
        stack.start_subscription(event("sub-1", "paid")).await;
        held.release().await;
    };
    let (answer, ()) = tokio::join!(stack.retrieve(&dana, "sub-1", "4"), start_the_next_issue);
    assert_eq!((answer.status, answer.problem()), (503, Some("unavailable")));
    assert_eq!(stack.retrieve(&dana, "sub-1", "5").await.body["retrievals"]["used"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_of_many_people_at_once_disclose_the_password_to_three_clicks_and_no_more() {
    let stack = with_a_subscription().await;
    let tokens =
        ["dana@fabrikam.example", "kim@fabrikam.example", "it@fabrikam.example"].map(|email| stack.token(email));
    let every = (0..60).map(|n| {
        let (stack, token) = (&stack, &tokens[n % 3]);
        async move { (n % 15, retrieve_with_retries(stack, token, &format!("click-{}", n % 5)).await) }
    });
    let answers = join_all(every).await;
    let shown: HashSet<usize> =
        answers.iter().filter(|(_, answer)| answer.password().is_some()).map(|(click, _)| *click).collect();
    assert_eq!(shown.len(), 3, "of 15 clicks of three people, each sent four times, three are shown the password");
    for (click, answer) in &answers {
        assert_eq!(answer.password().is_some(), shown.contains(click), "all requests of a click get the same answer");
    }
}
