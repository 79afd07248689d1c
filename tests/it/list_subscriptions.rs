//! Tests of the list of subscriptions.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use support::{Call, Deployment, TestStack, event, table::Table};

/// Returns the actions of the first subscription in an answer.
fn actions(body: &Value) -> Vec<&str> {
    body["subscriptions"][0]["actions"].as_array().unwrap().iter().map(|action| action.as_str().unwrap()).collect()
}

/// Sets an attribute of an item of the subscription `sub-1`.
async fn update(stack: &TestStack, sk: &str, name: &str, value: AttributeValue) {
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    let update = table.client().update_item().table_name("firstkey");
    let update = update.key("PK", AttributeValue::S("SUBSCRIPTION#sub-1".to_owned()));
    let update = update.key("SK", AttributeValue::S(sk.to_owned())).update_expression("SET #name = :value");
    let update = update.expression_attribute_names("#name", name).expression_attribute_values(":value", value);
    update.send().await.unwrap();
}

/// Returns the ids of the subscriptions in an answer.
fn ids(body: &Value) -> Vec<&str> {
    body["subscriptions"].as_array().unwrap().iter().map(|item| item["subscription_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_portal_user_sees_the_state_of_their_subscription_and_no_secret() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    let listed = stack.list(&dana).await;
    let expires_at = &listed.body["subscriptions"][0]["credentials"]["expires_at"];
    let sent_at = &listed.body["subscriptions"][0]["welcome_mail"]["at"];
    assert_eq!(
        listed.body,
        json!({
            "subscriptions": [{
                "subscription_id": "sub-1",
                "product": "Contoso Online Suite",
                "kind": "trial",
                "company": { "id": "fabrikam", "name": "Fabrikam, Inc." },
                "user_name": "admin@fabrikam",
                "started_at": "2026-11-10T09:00:00Z",
                "welcome_mail": { "status": "sent", "at": sent_at, "to": "i•@fabrikam.example" },
                "credentials": { "state": "issued", "expires_at": expires_at, "retrievals_remaining": 3, "last_retrieved": null },
                "actions": ["get-credentials", "resend-mail", "contact-support"],
            }],
            "next": null,
        })
    );
    stack.retrieve(&stack.token("kim@fabrikam.example"), "sub-1", "click").await;
    let credentials = &stack.list(&dana).await.body["subscriptions"][0]["credentials"];
    assert_eq!(credentials["retrievals_remaining"], 2);
    assert_eq!(credentials["last_retrieved"]["by"], "kim@fabrikam.example");
    assert_eq!(credentials["last_retrieved"]["you"], false);
}

#[tokio::test]
async fn a_stranger_sees_an_empty_list() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let listed = stack.list(&stack.token("mallory@elsewhere.example")).await;
    assert_eq!(listed.body, json!({ "subscriptions": [], "next": null }));
}

#[tokio::test]
async fn a_list_takes_two_round_trips_whatever_its_length() {
    let stack = TestStack::start().await;
    for n in 0..3 {
        stack.start_subscription(event(&format!("sub-{n}"), "trial")).await;
    }
    let dana = stack.token("dana@fabrikam.example");
    stack.warm_up().await;
    stack.cloud.clear_requests();
    assert_eq!(ids(&stack.list(&dana).await.body), ["sub-0", "sub-1", "sub-2"]);
    let operations: Vec<String> = stack.cloud.requests().into_iter().map(|request| request.operation).collect();
    assert_eq!(operations, ["Query", "Query", "BatchGetItem"], "one Query for each of two principals, concurrently");
}

#[tokio::test]
async fn a_long_list_comes_in_pages_of_25_without_gaps_or_repeats() {
    let stack = TestStack::start().await;
    for n in 0..30 {
        let mut started = event(&format!("sub-{n:02}"), "trial");
        if n % 2 == 0 {
            started["detail"]["portal_users"] = json!([{ "issuer": stack.provider.issuer(), "subject": "dana" }]);
        }
        assert_eq!(stack.publish(started).await, json!([]));
    }
    let dana = stack.token_with("dana@fabrikam.example", &json!({ "sub": "dana" }));
    let first = stack.list(&dana).await;
    let cursor = first.body["next"].as_str().unwrap();
    let call = Call::get("/subscriptions").query(&format!("cursor={cursor}")).bearer(&dana);
    let second = stack.call("list-subscriptions", call).await;
    assert_eq!((ids(&first.body).len(), &second.body["next"]), (25, &Value::Null));
    let all: Vec<String> = ids(&first.body).into_iter().chain(ids(&second.body)).map(str::to_owned).collect();
    assert_eq!(all, (0..30).map(|n| format!("sub-{n:02}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_malformed_cursor_and_a_query_that_does_not_fit_into_a_uri_are_invalid() {
    let stack = TestStack::start().await;
    let dana = stack.token("dana@fabrikam.example");
    for query in ["cursor=%25", "cursor=I2E", "cursor=\u{7f} \"<"] {
        let answer = stack.call("list-subscriptions", Call::get("/subscriptions").query(query).bearer(&dana)).await;
        assert_eq!((answer.status, answer.problem()), (400, Some("invalid-request")), "{query}");
    }
}

#[tokio::test]
async fn the_state_of_expired_credentials_is_shown() {
    let stack = Deployment::default().with("CREDENTIAL_LIFETIME_SECONDS", "60").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.advance_clock(60);
    let listed = stack.list(&stack.token("dana@fabrikam.example")).await;
    assert_eq!(listed.body["subscriptions"][0]["credentials"]["state"], "expired");
    assert_eq!(actions(&listed.body), ["get-credentials", "renew-credentials", "contact-support"]);
}

#[tokio::test]
async fn the_mail_can_be_sent_again_while_that_would_do_something() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    for (status, can_resend) in [
        ("pending", true),
        ("sent", true),
        ("delayed", true),
        ("undelivered", true),
        ("delivered", true),
        ("bounced", false),
        ("suppressed", false),
        ("complained", false),
        ("not-needed", false),
    ] {
        update(&stack, "MAIL", "status", AttributeValue::S(status.to_owned())).await;
        let listed = stack.list(&dana).await;
        assert_eq!(listed.body["subscriptions"][0]["welcome_mail"]["status"], status);
        assert_eq!(actions(&listed.body).contains(&"resend-mail"), can_resend, "{status}");
    }
    update(&stack, "MAIL", "status", AttributeValue::S("delivered".to_owned())).await;
    for (round, can_resend) in [("2", true), ("3", false)] {
        update(&stack, "MAIL", "round", AttributeValue::N(round.to_owned())).await;
        assert_eq!(actions(&stack.list(&dana).await.body).contains(&"resend-mail"), can_resend, "{round}");
    }
}

#[tokio::test]
async fn new_credentials_can_be_sent_while_renewals_and_retrievals_are_left() {
    let stack = Deployment::default().with("CREDENTIAL_LIFETIME_SECONDS", "60").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    assert!(!actions(&stack.list(&dana).await.body).contains(&"renew-credentials"), "the password still works");
    stack.advance_clock(60);
    for (name, value, can_renew) in [("renewals", "2", true), ("renewals", "3", false), ("renewals", "0", true)] {
        update(&stack, "CREDENTIAL", name, AttributeValue::N(value.to_owned())).await;
        let listed = stack.list(&dana).await;
        assert_eq!(actions(&listed.body).contains(&"renew-credentials"), can_renew, "{name} {value}");
    }
    update(&stack, "CREDENTIAL", "ended_at", AttributeValue::N("1".to_owned())).await;
    assert_eq!(actions(&stack.list(&dana).await.body), ["get-credentials", "contact-support"]);
}
