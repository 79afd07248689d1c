//! Tests of a verifier beside a table that does not help, so that it asks the provider.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::{
    EC, Identity, NOW, RSA, Signer, at, bearer, bearer_at, claims_of, empty_table,
    fakes::{Answers, TestProvider, unavailable},
    refusal, settings,
};
use crate::identity::fetch_metadata;

#[tokio::test]
async fn the_keys_are_fetched_with_the_first_token_and_shared() {
    let provider = TestProvider::start().await;
    let (verifier, token) = (provider.verifier(), provider.token());
    assert_eq!(provider.fetches(), 0);
    assert!(bearer(&verifier, &RSA.sign(&json!({ "alg": "HS256" }), &provider.claims())).await.is_err());
    assert_eq!(provider.fetches(), 0, "a header that cannot be accepted causes no fetch");
    for outcome in join_all((0..20).map(|_| bearer(&verifier, &token))).await {
        assert_eq!(refusal(outcome), None);
    }
    assert_eq!(refusal(bearer_at(&verifier, &token, NOW + 1799).await), None);
    assert_eq!(provider.fetches(), 1);
}

#[tokio::test]
async fn keys_are_fetched_again_after_half_an_hour() {
    let provider = TestProvider::start().await;
    let (verifier, token) = (provider.verifier(), provider.token());
    assert_eq!(refusal(bearer(&verifier, &token).await), None);
    provider.change(|answers| answers.keys = json!({ "keys": [EC.jwk("ec")] }));
    assert_eq!(provider.later(&verifier, 1799).await, None);
    assert_eq!(provider.fetches(), 1);
    let refusal = provider.later(&verifier, 1859).await;
    assert_eq!(refusal.as_deref(), Some("the key is not the provider's"), "a withdrawn key is gone");
    assert_eq!(provider.fetches(), 2);
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_a_failure_that_names_both() {
    let provider = TestProvider::start().await;
    let other = format!("{}/", provider.issuer);
    provider.change(|answers| answers.discovery["issuer"] = json!(other));
    let cause = unavailable(bearer(&provider.verifier(), &provider.token()).await);
    assert!(cause.contains(&format!("{:?}", provider.issuer)) && cause.contains(&format!("{other:?}")), "{cause}");
}

#[tokio::test]
async fn an_unknown_key_id_causes_one_fetch_a_minute() {
    let provider = TestProvider::start().await;
    let verifier = provider.verifier();
    let unknown = |kid: &str| RSA.token(kid, &provider.claims());
    for kid in ["a", "b", "c", "d"] {
        assert!(refusal(bearer(&verifier, &unknown(kid)).await).is_some());
    }
    assert_eq!(provider.fetches(), 2, "the first fetch, and one again");
    assert!(refusal(bearer_at(&verifier, &unknown("e"), NOW + 59).await).is_some());
    assert_eq!(provider.fetches(), 2);
    assert!(refusal(bearer_at(&verifier, &unknown("f"), NOW + 60).await).is_some());
    assert_eq!(provider.fetches(), 3);
}

#[tokio::test]
async fn a_new_key_of_the_provider_is_found() {
    let provider = TestProvider::start().await;
    let verifier = provider.verifier();
    assert_eq!(refusal(bearer(&verifier, &provider.token()).await), None);
    provider.change(|answers| answers.keys = json!({ "keys": [RSA.jwk("rsa"), EC.jwk("new")] }));
    assert_eq!(refusal(bearer(&verifier, &EC.token("new", &provider.claims())).await), None);
    assert_eq!(refusal(bearer(&verifier, &provider.token()).await), None);
    assert_eq!(provider.fetches(), 2);
}

#[tokio::test]
async fn cached_keys_are_used_for_a_day_while_the_provider_fails() {
    let provider = TestProvider::start().await;
    let (verifier, token) = (provider.verifier(), provider.token());
    assert_eq!(refusal(bearer(&verifier, &token).await), None);
    provider.change(|answers| answers.status = 500);
    for (after, requests) in [(3600, 3), (3601, 3), (3659, 3), (3660, 4), (86399, 5)] {
        assert_eq!(provider.later(&verifier, after).await, None, "{after}");
        assert_eq!(provider.requests(), requests, "{after}");
    }
    let token = RSA.token("rsa", &provider.claims_at(NOW + 86399));
    let unknown = EC.token("ec", &provider.claims_at(NOW + 86399));
    unavailable(bearer_at(&verifier, &unknown, NOW + 86399).await);
    unavailable(bearer_at(&verifier, &token, NOW + 86400).await);
    provider.change(|answers| answers.status = 200);
    assert_eq!(refusal(bearer_at(&verifier, &token, NOW + 86402).await), None);
}

#[tokio::test]
async fn a_failed_first_fetch_is_repeated_after_two_seconds() {
    let provider = TestProvider::start().await;
    let verifier = provider.verifier();
    provider.change(|answers| answers.status = 503);
    let failure = "the identity provider answered with status 503";
    assert_eq!(unavailable(bearer(&verifier, &provider.token()).await), failure);
    provider.change(|answers| answers.status = 200);
    assert_eq!(unavailable(bearer_at(&verifier, &provider.token(), NOW + 1).await), failure);
    assert_eq!(provider.requests(), 1);
    assert_eq!(provider.later(&verifier, 2).await, None);
}

#[tokio::test]
async fn an_unresponsive_provider_is_reported_in_time_to_every_caller() {
    let provider = TestProvider::start().await;
    let verifier = provider.verifier();
    provider.change(|answers| answers.silent = true);
    let (token, began) = (provider.token(), Instant::now());
    for outcome in join_all((0..5).map(|_| bearer(&verifier, &token))).await {
        assert_eq!(unavailable(outcome), "the identity provider did not answer in time");
    }
    assert!(began.elapsed() < Duration::from_millis(2500), "{:?}", began.elapsed());
    assert_eq!(provider.requests(), 1);
}

#[tokio::test]
async fn an_unresponsive_provider_leaves_time_for_the_request_if_the_key_is_cached() {
    let provider = TestProvider::start().await;
    let (verifier, token) = (provider.verifier(), provider.token());
    assert_eq!(refusal(bearer(&verifier, &token).await), None);
    provider.change(|answers| answers.silent = true);
    let began = Instant::now();
    assert_eq!(provider.later(&verifier, 3600).await, None);
    assert!(began.elapsed() < Duration::from_millis(1300), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_unreachable_provider_is_unavailable() {
    let verifier = Identity::new(settings("http://127.0.0.1:1"), empty_table).unwrap();
    let token = RSA.token("rsa", &claims_of("http://127.0.0.1:1", json!({})));
    let cause = unavailable(bearer(&verifier, &token).await);
    assert!(cause.starts_with("the identity provider could not be reached: "), "{cause}");
}

#[tokio::test]
async fn an_https_issuer_is_never_contacted_without_tls() {
    let provider = TestProvider::start().await;
    let issuer = provider.issuer.replace("http:", "https:");
    provider.change(|answers| answers.discovery["issuer"] = json!(issuer));
    let verifier = Identity::new(settings(&issuer), empty_table).unwrap();
    let cause = unavailable(bearer(&verifier, &RSA.token("rsa", &claims_of(&issuer, json!({})))).await);
    assert!(cause.starts_with("the identity provider could not be reached: "), "{cause}");
}

#[tokio::test]
async fn invalid_documents_are_failures_with_a_message() {
    type Change = fn(&mut Answers);
    let wrong: [(Change, &str); 8] = [
        (|answers| answers.status = 302, "the identity provider answered with status 302"),
        (|answers| answers.status = 404, "the identity provider answered with status 404"),
        (|answers| answers.endless = Some(256 * 1024 + 1), "the identity provider's answer is over 262144 bytes"),
        (
            |answers| answers.discovery = json!([]),
            "the identity provider's discovery document names no issuer and keys",
        ),
        (
            |answers| answers.discovery["jwks_uri"] = json!("http://keys.example/keys"),
            "the identity provider's keys have no https address",
        ),
        (
            |answers| answers.discovery["jwks_uri"] = json!("file:///etc/passwd"),
            "the identity provider's keys have no https address",
        ),
        (|answers| answers.keys = json!({ "keys": [] }), "the identity provider has no keys that can be used"),
        (|answers| answers.keys = json!("keys"), "the identity provider has no keys that can be used"),
    ];
    for (change, cause) in wrong {
        let provider = TestProvider::start().await;
        provider.change(change);
        assert_eq!(unavailable(bearer(&provider.verifier(), &provider.token()).await), cause);
    }
}

#[tokio::test]
async fn metadata_without_endpoints_for_codes_verifies_tokens_and_is_not_for_the_table() {
    for (name, address) in [
        ("authorization_endpoint", json!(null)),
        ("token_endpoint", json!(null)),
        ("authorization_endpoint", json!("http://login.example/authorize")),
        ("token_endpoint", json!("http://login.example/token")),
    ] {
        let provider = TestProvider::start().await;
        assert!(fetch_metadata(&provider.issuer, at(NOW)).await.is_ok());
        provider.change(|answers| answers.discovery[name] = address.clone());
        let failure = fetch_metadata(&provider.issuer, at(NOW)).await.unwrap_err().to_string();
        assert_eq!(
            failure, "the identity provider's discovery document has no endpoints for codes",
            "{name} {address}"
        );
        assert_eq!(provider.later(&provider.verifier(), 0).await, None, "{name} {address}");
    }
}

#[tokio::test]
async fn a_caller_who_gives_up_does_not_block_the_next() {
    let provider = TestProvider::start().await;
    let (verifier, token) = (provider.verifier(), provider.token());
    provider.change(|answers| answers.silent = true);
    assert!(tokio::time::timeout(Duration::from_millis(100), bearer(&verifier, &token)).await.is_err());
    provider.change(|answers| answers.silent = false);
    assert_eq!(refusal(bearer(&verifier, &token).await), None);
}

#[tokio::test]
async fn a_replaced_only_key_is_found_once_a_minute_by_a_token_that_names_none() {
    let provider = TestProvider::start().await;
    let verifier = provider.verifier();
    let unnamed = |signer: &Signer| signer.sign(&json!({ "alg": signer.algorithm() }), &provider.claims());
    let other = Signer::Rsa(aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap());
    assert_eq!(refusal(bearer(&verifier, &unnamed(&RSA)).await), None);
    assert_eq!(provider.fetches(), 1);
    provider.change(|answers| answers.keys = json!({ "keys": [other.jwk("other")] }));
    assert_eq!(refusal(bearer(&verifier, &unnamed(&other)).await), None);
    assert_eq!(provider.fetches(), 2);
    for seconds in [0, 1, 59] {
        let forged = bearer_at(&verifier, &unnamed(&RSA), NOW + seconds).await;
        assert_eq!(refusal(forged).as_deref(), Some("the signature is not valid"));
    }
    assert_eq!(provider.fetches(), 2, "a forged token cannot flood the provider");
    assert!(bearer_at(&verifier, &unnamed(&RSA), NOW + 60).await.is_err());
    assert_eq!(provider.fetches(), 3);
    let named = RSA.token("other", &provider.claims());
    assert!(bearer_at(&verifier, &named, NOW + 180).await.is_err());
    assert_eq!(provider.fetches(), 3, "the key of a token that names it is known");
}
