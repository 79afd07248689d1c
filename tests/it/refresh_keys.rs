//! Tests of `refresh-keys`: what it puts into the table, and what it leaves there. What the functions do with it is in `provider_keys.rs`.

use std::{collections::BTreeSet, sync::Arc};

use provider::{Algorithm, Client, Oddities, Options, Provider, TokenOddities};
use serde_json::{Value, json};
use support::{
    DESK_CLIENT, DESK_ORIGIN, Deployment, Function, TestStack,
    verifiers::{SCHEDULE, fetched_at},
};
use tokio::net::TcpListener;

/// When the clock of these tests starts: 10 November 2026, 09:00 UTC.
const START: i64 = 1_794_301_200;

/// Starts a stack whose operators have a provider of their own.
async fn with_two_providers() -> (TestStack, Provider) {
    let client = Client { id: DESK_CLIENT.to_owned(), redirect_origin: DESK_ORIGIN.to_owned(), claims: Value::Null };
    let options = Options { clients: vec![client], data: None, seconds_ahead: Arc::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let operators = Provider::start(listener, options).await.unwrap();
    let deployment = Deployment::default().with("DESK_OIDC_ISSUER", operators.issuer()).with_start_time(START);
    (deployment.start().await, operators)
}

/// Returns the JSON text of an attribute.
fn document(item: &Value, attribute: &str) -> Value {
    serde_json::from_str(item[attribute]["S"].as_str().unwrap()).unwrap()
}

/// Returns the ids of the keys of a key set.
fn key_ids(key_set: &Value) -> BTreeSet<String> {
    key_set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_keys_and_endpoints_of_both_providers_are_put() {
    let (stack, operators) = with_two_providers().await;
    assert!(stack.refresh_keys().await);
    assert_eq!(stack.items("KEYS").await.len(), 2);
    let mut keys = BTreeSet::new();
    for provider in [&stack.provider, &operators] {
        let (issuer, item) = (provider.issuer(), stack.provider_item(provider.issuer()).await);
        keys.insert(item["PK"].to_string());
        assert_eq!(key_ids(&document(&item, "key_set")), key_ids(&provider.jwks()), "{issuer}");
        let discovery = document(&item, "discovery");
        for (field, path) in [("authorization_endpoint", "/authorize"), ("token_endpoint", "/token")] {
            assert_eq!(discovery[field], format!("{issuer}{path}"), "{issuer}");
        }
        assert_eq!(fetched_at(&item), START, "{issuer}");
    }
    assert_eq!(keys.len(), 2, "each issuer has an item of its own");
    let calls = stack.cloud.requests().into_iter().filter(|call| call.function == "refresh-keys");
    assert_eq!(calls.map(|call| call.operation).collect::<Vec<_>>(), ["UpdateItem", "UpdateItem"]);
}

#[tokio::test]
async fn a_provider_of_customers_and_operators_is_asked_once() {
    let stack = TestStack::start().await;
    assert!(stack.refresh_keys().await);
    assert_eq!((stack.items("KEYS").await.len(), stack.requests_for_keys()), (1, 1));
}

#[tokio::test]
async fn a_failure_of_one_provider_leaves_its_good_item_and_refreshes_the_other() {
    let (stack, operators) = with_two_providers().await;
    assert!(stack.refresh_keys().await);
    let good = stack.provider_item(operators.issuer()).await;
    let discovery = |fields| Oddities { discovery: fields, ..Oddities::default() };
    let failures = [
        ("nonsense", discovery(json!({ "jwks_uri": 7 }))),
        ("another issuer", discovery(json!({ "issuer": stack.provider.issuer() }))),
        ("an error", Oddities { metadata_status: Some(500), ..Oddities::default() }),
    ];
    let mut now = START;
    for (failure, odd) in failures {
        operators.set_oddities(odd);
        stack.advance_clock(SCHEDULE);
        now += SCHEDULE;
        assert!(!stack.refresh_keys().await, "{failure}: Lambda repeats the run");
        assert_eq!(stack.provider_item(operators.issuer()).await, good, "{failure}");
        assert_eq!(fetched_at(&stack.provider_item(stack.provider.issuer()).await), now, "{failure}");
    }
    operators.set_oddities(Oddities::default());
    operators.set_token_oddities(TokenOddities { published: Some(vec![]), ..TokenOddities::default() });
    assert!(!stack.refresh_keys().await, "no key can be used");
    drop(operators);
    assert!(!stack.refresh_keys().await, "the provider is down");
    let items = stack.items("KEYS").await;
    assert_eq!(items.iter().filter(|item| **item == good).count(), 1);
}

#[tokio::test]
async fn a_copy_that_arrives_late_replaces_no_newer_one_and_is_no_failure() {
    let stack = TestStack::start().await;
    let late = stack.separate_machine("@late");
    stack.advance_clock(SCHEDULE);
    assert!(stack.refresh_keys().await);
    let newer = stack.provider_item(stack.provider.issuer()).await;
    stack
        .provider
        .set_token_oddities(TokenOddities { published: Some(vec![Algorithm::Es256]), ..TokenOddities::default() });
    assert!(late.run_schedule("refresh-keys").await);
    assert_eq!(stack.provider_item(stack.provider.issuer()).await, newer);
    late.advance_clock(SCHEDULE);
    assert!(late.run_schedule("refresh-keys").await);
    assert_ne!(stack.provider_item(stack.provider.issuer()).await, newer, "the copy of the same time counts");
}

#[tokio::test]
async fn nothing_but_what_verifies_a_signature_is_put() {
    let stack = TestStack::start().await;
    let key = json!({ "d": "private", "p": "private", "x5c": ["certificate"], "comment": "superfluous" });
    stack.provider.set_token_oddities(TokenOddities { key, ..TokenOddities::default() });
    let discovery = json!({ "registration_access_token": "private", "service_documentation": "superfluous" });
    stack.provider.set_oddities(Oddities { discovery, ..Oddities::default() });
    assert!(stack.refresh_keys().await);
    let item = stack.provider_item(stack.provider.issuer()).await.to_string();
    for left_out in ["private", "certificate", "superfluous"] {
        assert!(!item.contains(left_out), "{item}");
    }
}

#[tokio::test]
async fn the_end_of_a_deployment_puts_the_keys() {
    let stack = TestStack::start().await;
    for (function, event) in stack.cloud.deployment_events() {
        assert_eq!(function, Function::RefreshKeys.name());
        stack.invoke(function, event).await;
    }
    assert_eq!(stack.items("KEYS").await.len(), 1);
}
