//! Tests of the copies of subscriptions, and of the growth of memory.

use std::{collections::BTreeSet, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::{CompanyId, EmailAddress, Principal, Reference, SubscriptionId, UserName};
use serde_json::{Value, json};

use crate::{
    copies::{Pattern, Patterns, id, shapes},
    growth::Growth,
    names::{address, company, user_name},
};

fn principal(subscription: &str) -> Principal {
    Principal::email(&EmailAddress::parse(&address(subscription)).expect("an address"))
}

/// Returns an item with a key and one more attribute.
fn item(pk: &str, sk: &str, name: &str, value: &Value) -> Value {
    json!({ "PK": { "S": pk }, "SK": { "S": sk }, name: value })
}

fn items() -> [Value; 5] {
    let principal = principal("t0000001");
    let users = json!({ "BS": [BASE64_STANDARD.encode(principal.as_bytes())] });
    let id = json!({ "S": "t0000001" });
    [
        item("SUBSCRIPTION#t0000001", "CREDENTIAL", "portal_users", &users),
        item(&format!("PORTAL_USER#{principal}"), "SUBSCRIPTION#t0000001", "n", &json!({ "N": "1" })),
        item("ACCOUNT#admin@co-t0000001", "ACCOUNT", "subscription_id", &id),
        item("REFERENCE#7QKM-WX3H-RT9A", "REFERENCE", "subscription_id", &id),
        item("SESSION#eIZ_", "SESSION", "user_name", &json!({ "S": "admin@co-t0000001" })),
    ]
}

fn read(copy: &[String]) -> Vec<Value> {
    copy.iter().map(|item| serde_json::from_str(item).expect("JSON")).collect()
}

#[test]
fn the_names_of_a_subscription_are_valid() {
    for subscription in [id(0), id(9_999_999), format!("{}-6929e3b0c", id(7))] {
        assert!(SubscriptionId::parse(&subscription).is_some());
        assert!(CompanyId::parse(&company(&subscription)).is_some_and(|company| company.may_be_new()));
        assert!(UserName::parse(&user_name(&subscription)).is_some());
        assert!(EmailAddress::parse(&address(&subscription)).is_some());
    }
}

#[test]
fn a_copy_has_the_items_whose_keys_name_the_subscription_under_its_own_names() {
    let copy = read(&Pattern::new("t0000001", &items()).copy(33));
    let [credential, membership, account, reference] = &copy[..] else { panic!("{copy:?}") };
    let principal = principal("c0000033");
    assert_eq!(credential["PK"]["S"], "SUBSCRIPTION#c0000033");
    assert_eq!(credential["portal_users"]["BS"][0], BASE64_STANDARD.encode(principal.as_bytes()));
    assert_eq!(membership["PK"]["S"], format!("PORTAL_USER#{principal}"));
    assert_eq!(membership["SK"]["S"], "SUBSCRIPTION#c0000033");
    assert_eq!(account["PK"]["S"], "ACCOUNT#admin@co-c0000033");
    assert_eq!(reference["subscription_id"]["S"], "c0000033");
    let reference = reference["PK"]["S"].as_str().unwrap().strip_prefix("REFERENCE#").unwrap();
    assert!(reference != "7QKM-WX3H-RT9A" && Reference::parse(reference).is_some(), "{reference}");
}

#[test]
fn copies_share_no_key() {
    let [retrieved, settled] = [(); 2].map(|()| Pattern::new("t0000001", &items()));
    let batches = Arc::new(Patterns { retrieved, settled }).batches(5000);
    let copies: Vec<_> = batches.map(|batch| read(&batch)).collect();
    assert_eq!(copies.iter().map(Vec::len).collect::<Vec<_>>(), [4 * 4096, 4 * 904]);
    let keys: BTreeSet<_> = copies.iter().flatten().map(|item| format!("{} {}", item["PK"], item["SK"])).collect();
    assert_eq!(keys.len(), 4 * 5000);
}

#[test]
fn shapes_are_the_kinds_and_attributes_of_the_items() {
    let [credential, ..] = items();
    let other = item("SUBSCRIPTION#t0000002", "CREDENTIAL", "portal_users", &json!({ "BS": [] }));
    assert_eq!(shapes(&[credential.clone(), other]), shapes(std::slice::from_ref(&credential)));
    let more = item("SUBSCRIPTION#t0000002", "CREDENTIAL", "more", &json!({ "N": "1" }));
    assert_ne!(shapes(&[credential.clone(), more]), shapes(&[credential]));
}

/// Compares 60 readings, which a function makes of their numbers.
fn growth(reading: impl Fn(u32) -> u32) -> Growth {
    Growth::new(&(0..60).map(reading).collect::<Vec<_>>()).expect("enough readings")
}

#[test]
fn memory_that_grows_all_the_time_is_found() {
    let leaking = growth(|n| 10_000 + 25 * n);
    assert!((leaking.grown() - 25.0 * 48.0).abs() < 1.0 && leaking.excess() > 0.0, "{leaking:?}");
    // 60 readings are those of 60,000 answers, so 25 KiB between two of them are 25.6 bytes an answer.
    let smallest = leaking.smallest_leak(60_000.0);
    assert!(smallest < 25.6 && smallest > 20.0, "{smallest}");
    assert!(growth(|n| 10_000 + 20 * n).excess() < 0.0);
}

#[test]
fn memory_that_grows_at_first_or_at_moments_is_no_leak() {
    for steady in [growth(|n| 9_000 + 300 * n.min(6)), growth(|n| if n.is_multiple_of(7) { 30_000 } else { 10_000 })] {
        assert!(steady.grown().abs() < f64::EPSILON && steady.excess() < 0.0, "{steady:?}");
    }
    let shrinking = growth(|n| 10_000 - 50 * n);
    assert!(shrinking.grown() < 0.0 && shrinking.late < 8_000.0);
}

#[test]
fn fewer_than_ten_readings_do_not_tell() {
    assert!(Growth::new(&[1; 9]).is_none() && Growth::new(&[1; 10]).is_some());
}
