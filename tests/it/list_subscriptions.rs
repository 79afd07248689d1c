//! Tests of the list of subscriptions.

use serde_json::{Value, json};
use support::{Call, Deployment, TestStack, event};

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
                "actions": ["get-credentials", "contact-support"],
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
}
