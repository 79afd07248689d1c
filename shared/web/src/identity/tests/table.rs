//! Tests of a verifier beside a table with the provider's metadata.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::join;

use super::{
    EC, ISSUER, Identity, NOW, RSA, Signer, at, bearer, bearer_at, claims_of,
    fakes::{Stored, TestProvider, TestTable, unavailable},
    metadata, refusal, settings,
};
use crate::identity::{CodeFlow, Deadline, LogoutHint, provider::READ_INTERVAL};
use crate::problem::ProblemCode;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const UNKNOWN: Option<&str> = Some("the key is not the provider's");

/// Returns the seconds between two reads of the item.
fn interval() -> i64 {
    i64::try_from(READ_INTERVAL.as_secs()).unwrap()
}

/// Returns a provider that answers only with failures.
async fn provider_that_is_down() -> TestProvider {
    let provider = TestProvider::start().await;
    provider.change(|answers| answers.status = 500);
    provider
}

/// Returns the refusal of a new token of this key, which is issued `after` seconds after [`NOW`].
async fn later(verifier: &Identity, provider: &TestProvider, key: (&Signer, &str), after: i64) -> Option<String> {
    let token = key.0.token(key.1, &provider.claims_at(NOW + after));
    refusal(bearer_at(verifier, &token, NOW + after).await)
}

#[tokio::test]
async fn with_keys_in_the_table_the_provider_is_not_asked() {
    let provider = provider_that_is_down().await;
    let table = TestTable::with_keys(&provider, &[RSA.jwk("rsa")], 0);
    let (verifier, token) = (provider.verifier_with(&table), provider.token());
    assert_eq!(table.reads(), 0);
    for outcome in join_all((0..20).map(|_| bearer(&verifier, &token))).await {
        assert_eq!(refusal(outcome), None);
    }
    assert_eq!((table.reads(), provider.requests()), (1, 0), "one read for all");
}

#[tokio::test]
async fn a_prepared_verifier_reads_no_item_with_the_first_token() {
    let provider = provider_that_is_down().await;
    let table = TestTable::with_keys(&provider, &[RSA.jwk("rsa")], 0);
    let verifier = provider.verifier_with(&table);
    for (after, reads) in [(0, 1), (interval() - 1, 1), (interval(), 2)] {
        verifier.read_ahead(|| at(NOW)).await;
        assert_eq!(provider.later(&verifier, after).await, None);
        assert_eq!((table.reads(), provider.requests()), (reads, 0), "{after}");
    }
}

#[tokio::test]
async fn a_first_token_beside_the_preparation_waits_for_its_read() {
    let provider = provider_that_is_down().await;
    let table = TestTable::new(Stored::Slow(metadata(&provider.issuer, &[RSA.jwk("rsa")], NOW)));
    let verifier = provider.verifier_with(&table);
    let ((), refusal) = join!(verifier.read_ahead(|| at(NOW)), provider.later(&verifier, 0));
    assert_eq!((refusal, table.reads(), provider.requests()), (None, 1, 0));
}

#[tokio::test]
async fn a_rotated_key_beside_a_read_that_lacks_it_is_accepted() {
    let provider = TestProvider::start().await;
    provider.change(|answers| answers.keys = json!({ "keys": [RSA.jwk("rsa"), EC.jwk("new")] }));
    let table = TestTable::new(Stored::Slow(metadata(&provider.issuer, &[RSA.jwk("rsa")], NOW)));
    let verifier = provider.verifier_with(&table);
    let ((), new) = join!(verifier.read_ahead(|| at(NOW)), later(&verifier, &provider, (&EC, "new"), 0));
    assert_eq!((new, table.reads(), provider.fetches()), (None, 2, 1), "beside the preparation");
    let first = provider.verifier_with(&table);
    let (old, new) = join!(provider.later(&first, 0), later(&first, &provider, (&EC, "new"), 0));
    assert_eq!((old, new, table.reads(), provider.fetches()), (None, None, 4, 2), "beside another first token");
}

#[tokio::test]
async fn a_preparation_without_success_leaves_everything_to_the_first_token() {
    let provider = TestProvider::start().await;
    let item = |after| Stored::Item(metadata(&provider.issuer, &[RSA.jwk("rsa")], NOW + after));
    let all = [Stored::Nothing, Stored::Failure, Stored::Silence, item(-30 * MINUTE), item(-24 * HOUR), item(HOUR)];
    for (number, stored) in all.into_iter().enumerate() {
        let table = TestTable::new(stored);
        let (verifier, before) = (provider.verifier_with(&table), provider.requests());
        verifier.read_ahead(|| at(NOW)).await;
        assert_eq!((table.reads(), provider.requests()), (1, before), "only the table was asked, {number}");
        table.refresh(&provider, &[RSA.jwk("rsa")], 0);
        assert_eq!(provider.later(&verifier, 0).await, None, "{number}");
        assert_eq!((table.reads(), provider.requests()), (2, before), "{number}");
    }
}

#[tokio::test]
async fn a_first_token_waits_half_a_second_for_a_preparation_that_hangs() {
    let provider = TestProvider::start().await;
    let verifier = provider.verifier_with(&TestTable::new(Stored::Silence));
    let began = Instant::now();
    let ((), refusal) = join!(verifier.read_ahead(|| at(NOW)), provider.later(&verifier, 0));
    let took = began.elapsed();
    assert_eq!(refusal, None, "the provider answers");
    let expected = Duration::from_millis(1500)..Duration::from_millis(2300);
    assert!(expected.contains(&took), "half a second, and a second for the token's own read: {took:?}");
}

#[tokio::test]
async fn the_item_is_read_again_14_minutes_after_each_read() {
    let provider = provider_that_is_down().await;
    let table = TestTable::with_keys(&provider, &[RSA.jwk("rsa")], 0);
    let verifier = provider.verifier_with(&table);
    assert_eq!(interval(), 14 * MINUTE);
    for (after, reads) in [(0, 1), (interval() - 1, 1), (interval(), 2), (2 * interval() - 1, 2), (2 * interval(), 3)] {
        assert_eq!(provider.later(&verifier, after).await, None);
        assert_eq!((table.reads(), provider.requests()), (reads, 0), "{after}");
    }
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_with_the_next_read() {
    let provider = TestProvider::start().await;
    let table = TestTable::with_keys(&provider, &[RSA.jwk("rsa"), EC.jwk("ec")], 0);
    let verifier = provider.verifier_with(&table);
    assert_eq!(later(&verifier, &provider, (&EC, "ec"), 0).await, None);
    table.refresh(&provider, &[RSA.jwk("rsa")], MINUTE);
    assert_eq!(later(&verifier, &provider, (&EC, "ec"), interval()).await.as_deref(), UNKNOWN);
    assert_eq!(later(&verifier, &provider, (&RSA, "rsa"), interval()).await, None);
}

#[tokio::test]
async fn a_rotated_key_in_the_table_is_accepted_at_once() {
    let provider = provider_that_is_down().await;
    let table = TestTable::with_keys(&provider, &[RSA.jwk("rsa")], 0);
    let verifier = provider.verifier_with(&table);
    assert_eq!(later(&verifier, &provider, (&RSA, "rsa"), 0).await, None);
    table.refresh(&provider, &[RSA.jwk("rsa"), EC.jwk("new")], 5);
    assert_eq!(later(&verifier, &provider, (&EC, "new"), 10).await, None);
    assert_eq!((table.reads(), provider.requests()), (2, 0));
}

#[tokio::test]
async fn a_rotated_key_that_only_the_provider_has_is_accepted_at_once() {
    let provider = TestProvider::start().await;
    provider.change(|answers| answers.keys = json!({ "keys": [EC.jwk("new")] }));
    let table = TestTable::with_keys(&provider, &[RSA.jwk("rsa")], -5 * MINUTE);
    let verifier = provider.verifier_with(&table);
    assert_eq!(later(&verifier, &provider, (&RSA, "rsa"), 0).await, None);
    assert_eq!(later(&verifier, &provider, (&EC, "new"), 10).await, None);
    assert_eq!((table.reads(), provider.fetches()), (2, 1));
    let first = provider.verifier_with(&table);
    assert_eq!(later(&first, &provider, (&EC, "new"), 10).await, None, "also with the first token of a process");
    assert_eq!((table.reads(), provider.fetches()), (3, 2));
}

#[tokio::test]
async fn an_unknown_key_id_causes_one_read_and_one_fetch_a_minute() {
    let provider = TestProvider::start().await;
    let table = TestTable::with_keys(&provider, &[RSA.jwk("rsa")], 0);
    let verifier = provider.verifier_with(&table);
    assert_eq!(later(&verifier, &provider, (&RSA, "rsa"), 0).await, None);
    for (after, reads, fetches) in [(1, 2, 1), (2, 2, 1), (60, 2, 1), (61, 3, 2), (62, 3, 2)] {
        assert_eq!(later(&verifier, &provider, (&RSA, &format!("kid-{after}")), after).await.as_deref(), UNKNOWN);
        assert_eq!((table.reads(), provider.fetches()), (reads, fetches), "{after}");
    }
}

#[tokio::test]
async fn older_metadata_never_replaces_newer_keys() {
    let provider = TestProvider::start().await;
    provider.change(|answers| answers.keys = json!({ "keys": [EC.jwk("new")] }));
    let table = TestTable::with_keys(&provider, &[RSA.jwk("rsa")], -MINUTE);
    let verifier = provider.verifier_with(&table);
    assert_eq!(later(&verifier, &provider, (&EC, "new"), 0).await, None);
    for after in [interval(), 2 * interval()] {
        assert_eq!(later(&verifier, &provider, (&EC, "new"), after).await, None, "{after}");
        assert_eq!(later(&verifier, &provider, (&RSA, "rsa"), after).await.as_deref(), UNKNOWN, "{after}");
    }
    table.refresh(&provider, &[RSA.jwk("rsa")], 3 * interval());
    provider.change(|answers| answers.status = 500);
    assert_eq!(later(&verifier, &provider, (&RSA, "rsa"), 3 * interval()).await, None, "a newer item does");
}

#[tokio::test]
async fn metadata_is_good_for_a_day_while_the_provider_is_down() {
    let provider = provider_that_is_down().await;
    let table = TestTable::with_keys(&provider, &[RSA.jwk("rsa")], 0);
    let verifier = provider.verifier_with(&table);
    for after in [0, HOUR, 12 * HOUR, 24 * HOUR - 1] {
        assert_eq!(provider.later(&verifier, after).await, None, "{after}");
        assert_eq!(provider.later(&provider.verifier_with(&table), after).await, None, "a new process, {after}");
    }
    let token = RSA.token("rsa", &provider.claims_at(NOW + 24 * HOUR));
    for verifier in [verifier, provider.verifier_with(&table)] {
        let cause = unavailable(bearer_at(&verifier, &token, NOW + 24 * HOUR).await);
        assert_eq!(cause, "the identity provider answered with status 500");
    }
    provider.change(|answers| answers.status = 200);
    assert_eq!(provider.later(&provider.verifier_with(&table), 24 * HOUR).await, None, "an old item counts as missing");
}

#[tokio::test]
async fn a_late_item_makes_the_verifier_ask_the_provider_once_in_14_minutes() {
    let provider = TestProvider::start().await;
    let table = TestTable::with_keys(&provider, &[RSA.jwk("rsa"), EC.jwk("withdrawn")], -30 * MINUTE);
    let verifier = provider.verifier_with(&table);
    assert_eq!(later(&verifier, &provider, (&EC, "withdrawn"), 0).await.as_deref(), UNKNOWN);
    assert_eq!((table.reads(), provider.fetches()), (1, 1));
    provider.change(|answers| answers.status = 500);
    for (after, requests) in [
        (0, 2),
        (interval(), 2),
        (2 * interval(), 2),
        (3 * interval(), 3),
        (4 * interval() - 1, 3),
        (4 * interval(), 4),
    ] {
        assert_eq!(provider.later(&verifier, after).await, None);
        assert_eq!(provider.requests(), requests, "{after}");
    }
}

#[tokio::test]
async fn an_item_that_cannot_be_used_counts_as_missing() {
    let provider = TestProvider::start().await;
    let good = metadata(&provider.issuer, &[EC.jwk("ec")], NOW);
    let of_another = metadata(ISSUER, &[EC.jwk("ec")], NOW);
    let mut all = vec![good; 6];
    all[0].discovery = "{".into();
    all[1].discovery = of_another.discovery.clone();
    all[2].issuer = of_another.issuer.clone();
    all[3].key_set = "{".into();
    all[4].key_set = json!({ "keys": [] }).to_string();
    all[5].fetched_at = at(NOW - 24 * HOUR);
    for (number, item) in all.into_iter().chain([of_another]).enumerate() {
        let verifier = provider.verifier_with(&TestTable::new(Stored::Item(item)));
        let before = provider.fetches();
        assert_eq!(provider.later(&verifier, 0).await, None, "the provider's own key, {number}");
        assert_eq!(provider.fetches(), before + 1, "{number}");
        assert_eq!(later(&verifier, &provider, (&EC, "ec"), 0).await.as_deref(), UNKNOWN, "{number}");
    }
}

#[tokio::test]
async fn an_item_from_the_future_counts_as_missing_and_keys_of_the_future_are_replaced() {
    let provider = TestProvider::start().await;
    let table = TestTable::with_keys(&provider, &[EC.jwk("ec")], MINUTE);
    let verifier = provider.verifier_with(&table);
    assert_eq!(later(&verifier, &provider, (&EC, "ec"), 0).await, None, "clocks differ by a minute");
    table.refresh(&provider, &[EC.jwk("ec")], 2 * MINUTE);
    for verifier in [provider.verifier_with(&table), verifier] {
        assert_eq!(later(&verifier, &provider, (&EC, "ec"), -MINUTE).await.as_deref(), UNKNOWN);
        assert_eq!(provider.later(&verifier, -MINUTE).await, None, "the key that the provider has");
    }
}

#[tokio::test]
async fn the_keys_of_one_issuer_verify_no_token_of_another() {
    let [customers, operators] = [TestProvider::start().await, TestProvider::start().await];
    let table = TestTable::with_keys(&operators, &[EC.jwk("ec")], 0);
    let verifier = customers.verifier_with(&table);
    for issuer in [&customers.issuer, &operators.issuer] {
        let token = EC.token("ec", &claims_of(issuer, json!({})));
        assert!(refusal(bearer(&verifier, &token).await).is_some(), "{issuer}");
    }
}

#[tokio::test]
async fn held_keys_stay_while_the_table_fails() {
    let provider = TestProvider::start().await;
    for failing in [Stored::Failure, Stored::Nothing, Stored::Silence] {
        let before = provider.requests();
        let table = TestTable::with_keys(&provider, &[RSA.jwk("rsa")], 0);
        let verifier = provider.verifier_with(&table);
        assert_eq!(provider.later(&verifier, 0).await, None);
        table.store(failing);
        for (after, reads) in [(interval(), 2), (interval() + 59, 2), (interval() + 60, 3)] {
            let began = Instant::now();
            assert_eq!(provider.later(&verifier, after).await, None);
            assert_eq!(table.reads(), reads, "the next attempt is in a minute, {after}");
            assert!(began.elapsed() < Duration::from_millis(1300), "{:?}", began.elapsed());
        }
        assert_eq!(provider.requests(), before, "keys that are not late need no provider");
        table.refresh(&provider, &[RSA.jwk("rsa")], interval() + 2 * MINUTE);
        assert_eq!(provider.later(&verifier, interval() + 2 * MINUTE).await, None);
        assert_eq!(provider.later(&verifier, 2 * interval() + 2 * MINUTE - 1).await, None);
        assert_eq!(table.reads(), 4, "after a good read, the next is in 14 minutes");
    }
}

#[tokio::test]
async fn without_held_keys_a_failure_of_the_table_alone_refuses_no_customer() {
    let provider = TestProvider::start().await;
    for failing in [Stored::Failure, Stored::Nothing, Stored::Silence] {
        let (table, before) = (TestTable::new(failing), provider.fetches());
        let (verifier, token, began) = (provider.verifier_with(&table), provider.token(), Instant::now());
        for outcome in join_all((0..5).map(|_| bearer(&verifier, &token))).await {
            assert_eq!(refusal(outcome), None);
        }
        assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
        assert_eq!((table.reads(), provider.fetches()), (1, before + 1));
    }
}

#[tokio::test]
async fn a_failure_of_both_is_unavailable_and_is_tried_again_after_two_seconds() {
    let provider = provider_that_is_down().await;
    let table = TestTable::new(Stored::Failure);
    let verifier = provider.verifier_with(&table);
    for (after, attempts) in [(0, 1), (0, 1), (1, 1), (2, 2), (3, 2)] {
        let cause = unavailable(bearer_at(&verifier, &provider.token(), NOW + after).await);
        assert_eq!(cause, "the identity provider answered with status 500");
        assert_eq!((table.reads(), provider.requests()), (attempts, attempts), "{after}");
    }
    table.refresh(&provider, &[RSA.jwk("rsa")], 0);
    assert_eq!(provider.later(&verifier, 4).await, None);
}

#[tokio::test]
async fn after_an_attempt_that_took_seconds_the_next_is_also_two_seconds_later() {
    let provider = TestProvider::start().await;
    provider.change(|answers| answers.silent = true);
    let verifier = provider.verifier_with(&TestTable::new(Stored::Nothing));
    for (after, requests) in [(0, 1), (3, 1), (4, 2)] {
        unavailable(bearer_at(&verifier, &provider.token(), NOW + after).await);
        assert_eq!(provider.requests(), requests, "{after}");
    }
}

#[tokio::test]
async fn a_silent_table_and_a_silent_provider_are_reported_in_time_to_every_caller() {
    let provider = TestProvider::start().await;
    provider.change(|answers| answers.silent = true);
    let table = TestTable::new(Stored::Silence);
    let (verifier, token, began) = (provider.verifier_with(&table), provider.token(), Instant::now());
    for outcome in join_all((0..5).map(|_| bearer(&verifier, &token))).await {
        assert_eq!(unavailable(outcome), "the identity provider did not answer in time");
    }
    assert!(began.elapsed() < Duration::from_millis(3500), "{:?}", began.elapsed());
    assert_eq!((table.reads(), provider.requests()), (1, 1));
}

#[tokio::test]
async fn an_unknown_key_is_refused_and_a_known_one_accepted_while_the_provider_is_down() {
    let provider = provider_that_is_down().await;
    let verifier = provider.verifier_with(&TestTable::with_keys(&provider, &[RSA.jwk("rsa")], 0));
    assert_eq!(later(&verifier, &provider, (&EC, "forged"), 0).await.as_deref(), UNKNOWN);
    assert_eq!(provider.later(&verifier, 1).await, None);
    assert_eq!(later(&verifier, &provider, (&EC, "forged"), 1).await.as_deref(), UNKNOWN);
    assert_eq!(provider.requests(), 1, "one a minute");
}

#[tokio::test]
async fn an_unknown_key_is_unavailable_while_the_keys_are_late_and_the_provider_is_down() {
    let provider = provider_that_is_down().await;
    let table = TestTable::with_keys(&provider, &[RSA.jwk("rsa")], 0);
    let verifier = provider.verifier_with(&table);
    assert_eq!(later(&verifier, &provider, (&EC, "new"), 30 * MINUTE - 1).await.as_deref(), UNKNOWN);
    let token = EC.token("new", &provider.claims_at(NOW + 30 * MINUTE));
    for verifier in [verifier, provider.verifier_with(&table)] {
        let cause = unavailable(bearer_at(&verifier, &token, NOW + 30 * MINUTE).await);
        assert_eq!(cause, "the identity provider answered with status 500");
        assert_eq!(provider.later(&verifier, 30 * MINUTE).await, None);
    }
}

#[tokio::test]
async fn a_rotated_key_of_a_slow_provider_is_accepted() {
    let provider = TestProvider::start().await;
    provider.change(|answers| {
        answers.keys = json!({ "keys": [EC.jwk("new")] });
        answers.delay = Duration::from_millis(700);
    });
    let verifier = provider.verifier_with(&TestTable::with_keys(&provider, &[RSA.jwk("rsa")], 0));
    for outcome in join_all((0..3).map(|_| later(&verifier, &provider, (&EC, "new"), 0))).await {
        assert_eq!(outcome, None, "without the key the request fails anyway, so it waits longer");
    }
    assert_eq!(provider.fetches(), 1);
}

#[tokio::test]
async fn a_sign_in_with_a_new_key_that_cannot_be_fetched_is_unavailable_and_no_defect() {
    let provider = provider_that_is_down().await;
    let verifier = provider.verifier_with(&TestTable::with_keys(&provider, &[RSA.jwk("rsa")], 0));
    let token = EC.token("new", &provider.claims());
    let outcome = verifier.customer_for_nonce(&token, "nonce", Deadline::start(), at(NOW)).await;
    assert_eq!(outcome.err().unwrap().code(), ProblemCode::Unavailable);
    provider.change(|answers| answers.status = 200);
    let outcome = verifier.customer_for_nonce(&token, "nonce", Deadline::start(), at(NOW + MINUTE)).await;
    assert_eq!(outcome.err().unwrap().code(), ProblemCode::Internal, "the provider has no such key");
}

#[tokio::test]
async fn a_clock_that_is_set_back_delays_neither_a_read_nor_a_search() {
    let provider = provider_that_is_down().await;
    let table = TestTable::with_keys(&provider, &[RSA.jwk("rsa")], 0);
    let verifier = provider.verifier_with(&table);
    let token = EC.token("new", &provider.claims_at(NOW + 10 * HOUR));
    unavailable(bearer_at(&verifier, &token, NOW + 10 * HOUR).await);
    assert_eq!((provider.later(&verifier, 2 * MINUTE).await, table.reads()), (None, 2));
    table.refresh(&provider, &[RSA.jwk("rsa"), EC.jwk("new")], 2 * MINUTE);
    assert_eq!(later(&verifier, &provider, (&EC, "new"), 3 * MINUTE).await, None);
    assert_eq!((table.reads(), provider.requests()), (3, 1));
}

#[tokio::test]
async fn a_replaced_only_key_without_an_id_is_found_in_the_table() {
    let provider = provider_that_is_down().await;
    let without_id = |signer: &Signer| {
        let mut key = signer.jwk("only");
        key.as_object_mut().unwrap().remove("kid");
        key
    };
    let unnamed = |signer: &Signer, after: i64| {
        signer.sign(&json!({ "alg": signer.algorithm() }), &provider.claims_at(NOW + after))
    };
    let other = Signer::Rsa(aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap());
    let table = TestTable::with_keys(&provider, &[without_id(&RSA)], 0);
    let verifier = provider.verifier_with(&table);
    assert_eq!(refusal(bearer(&verifier, &unnamed(&RSA, 0)).await), None);
    table.refresh(&provider, &[without_id(&other)], 5);
    assert_eq!(refusal(bearer_at(&verifier, &unnamed(&other, 10), NOW + 10).await), None);
    assert_eq!((table.reads(), provider.requests()), (2, 0));
    for after in [11, 69] {
        let forged = bearer_at(&verifier, &unnamed(&RSA, after), NOW + after).await;
        assert_eq!(refusal(forged).as_deref(), Some("the signature is not valid"));
    }
    assert_eq!((table.reads(), provider.requests()), (2, 0), "a forged token cannot flood the table");
    assert!(bearer_at(&verifier, &unnamed(&RSA, 70), NOW + 70).await.is_err());
    assert_eq!((table.reads(), provider.requests()), (3, 1));
}

#[tokio::test]
async fn the_code_flow_uses_the_endpoints_that_the_verifier_has_read() {
    let provider = provider_that_is_down().await;
    let mut item = metadata(&provider.issuer, &[RSA.jwk("rsa")], NOW);
    let mut discovery: Value = serde_json::from_str(&item.discovery).unwrap();
    for name in ["authorization_endpoint", "token_endpoint", "end_session_endpoint"] {
        discovery[name] = json!(format!("{}/{name}", provider.issuer));
    }
    discovery["authorization_response_iss_parameter_supported"] = json!(true);
    item.discovery = discovery.to_string();
    let table = TestTable::new(Stored::Item(item));
    let identity = provider.verifier_with(&table);
    assert_eq!(provider.later(&identity, 0).await, None);
    let flow = CodeFlow::new(&identity, None, LogoutHint::IfKnown);
    let address = flow.end_session_address(None, at(NOW)).await.unwrap();
    assert!(address.starts_with(&format!("{}/end_session_endpoint?", provider.issuer)), "{address}");
    assert!(flow.check_issuer(None, Deadline::start(), at(NOW)).await.is_err(), "the answer must name its issuer");
    assert_eq!((table.reads(), provider.requests()), (1, 0));
}

#[tokio::test]
async fn a_provider_without_endpoints_for_codes_still_verifies_tokens() {
    let provider = provider_that_is_down().await;
    let identity = provider.verifier_with(&TestTable::with_keys(&provider, &[RSA.jwk("rsa")], 0));
    let flow = CodeFlow::new(&identity, None, LogoutHint::IfKnown);
    let problem = flow.check_issuer(None, Deadline::start(), at(NOW)).await.unwrap_err();
    assert_eq!(problem.cause().unwrap(), "the identity provider's discovery document has no endpoints for codes");
    assert_eq!(provider.later(&identity, 0).await, None);
}

#[tokio::test]
async fn the_verifier_reads_the_item_of_its_own_issuer() {
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&asked);
    let read = move |issuer: String| -> super::BoxFuture<'static, Result<_, super::Problem>> {
        let item = metadata(&issuer, &[RSA.jwk("rsa")], NOW);
        seen.lock().unwrap().push(issuer);
        Box::pin(async { Ok(Some(item)) })
    };
    let verifier = Identity::new(settings(ISSUER), read).unwrap();
    assert_eq!(refusal(bearer(&verifier, &RSA.token("rsa", &claims_of(ISSUER, json!({})))).await), None);
    assert_eq!(*asked.lock().unwrap(), [ISSUER]);
}
