//! Tests of what the support desk reads: what a search finds, what a page shows, and by how many calls.

#![expect(clippy::large_futures, reason = "each test awaits them on a stack of its own")]

use std::collections::{BTreeMap, BTreeSet};

use aws::{DeskSubscription, Desks};
use domain::{AccountStatus, PortalUser, SearchKeys, SubscriptionId, Timestamp};
use serde_json::{Value, json};
use support::{Call, TestStack, event, table::Table};

const CHOSEN: &str = "seven green boats at noon";
const OWN: &str = "a quiet lamp over the harbour";
const CALLER: &str = "support-desk";

fn desks(stack: &TestStack) -> Desks {
    let endpoint = stack.cloud.aws_url();
    let settings = BTreeMap::from([
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", CALLER),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL", &*endpoint),
    ]);
    let connection = aws::connect(|name| settings.get(name).map(|&value| value.to_owned())).unwrap();
    Desks::new(aws::Table::new(&connection, "firstkey".into()))
}

fn now() -> Timestamp {
    Timestamp::from_epoch_seconds(i64::try_from(unix_seconds()).unwrap())
}

#[expect(clippy::disallowed_methods, reason = "the stack starts at the system's time")]
fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn id(text: &str) -> SubscriptionId {
    SubscriptionId::parse(text).unwrap()
}

/// Returns the ids on the first page of what a text finds.
async fn found(stack: &TestStack, text: &str) -> Vec<String> {
    let page = desks(stack).search(&SearchKeys::parse(text), None, now()).await.unwrap();
    page.found.iter().map(|known| known.subscription.to_string()).collect()
}

async fn subscription(stack: &TestStack, subscription: &str) -> DeskSubscription {
    desks(stack).subscription(&id(subscription), now()).await.unwrap().unwrap()
}

/// Returns the calls of the desk since the last time, sorted, and the units that they consumed.
fn calls(stack: &TestStack) -> (Vec<String>, f64) {
    let own: Vec<_> = stack.cloud.requests().into_iter().filter(|request| request.function == CALLER).collect();
    stack.cloud.clear_requests();
    let mut operations: Vec<String> = own.iter().map(|request| request.operation.clone()).collect();
    operations.sort();
    (operations, own.iter().filter_map(|request| request.consumed_capacity).sum())
}

/// Starts `sub-1` and `sub-2` of Fabrikam and `sub-3` of Tailspin, and asks for support. Returns the reference of the request for `sub-2`.
async fn with_three_subscriptions() -> (TestStack, String) {
    let stack = TestStack::start().await;
    for subscription in ["sub-1", "sub-2"] {
        stack.start_subscription(event(subscription, "trial")).await;
    }
    let mut other = event("sub-3", "paid");
    other["detail"]["company"] = json!({ "id": "tailspin", "name": "Tailspin Toys" });
    other["detail"]["service_administrator"]["email"] = "it@tailspin.example".into();
    other["detail"]["portal_users"] = json!([{ "email": "Lee.B@googlemail.com" }, { "email": "kim@fabrikam.example" }]);
    stack.start_subscription(other).await;
    let ask = Call::contact_support("sub-2", "Please call.").bearer(&stack.token("dana@fabrikam.example")).key("key");
    let reference = stack.call("contact-support", ask).await.body["reference"].as_str().unwrap().to_owned();
    (stack, reference)
}

#[tokio::test]
async fn a_subscription_is_found_by_each_of_the_five_keys_and_by_nothing_else() {
    let (stack, reference) = with_three_subscriptions().await;
    for (text, expected) in [
        ("sub-3", &["sub-3"][..]),
        (" sub-3\n", &["sub-3"]),
        ("admin@fabrikam", &["sub-1"]),
        ("Admin-sub-2@Fabrikam", &["sub-2"]),
        ("it@fabrikam.example", &["sub-1", "sub-2"]),
        ("mailto:Kim@fabrikam.example", &["sub-1", "sub-2", "sub-3"]),
        ("lee.b@gmail.com", &["sub-3"]),
        ("FABRIKAM", &["sub-1", "sub-2"]),
        ("tailspin", &["sub-3"]),
        (&reference, &["sub-2"]),
        (&reference.to_ascii_lowercase().replace('-', " "), &["sub-2"]),
        ("SUB-3", &[]),
        ("sub", &[]),
        ("fab", &[]),
        ("Fabrikam, Inc.", &[]),
        ("mallory@elsewhere.example", &[]),
        ("7QKM-WX3H-RT9A", &[]),
        ("", &[]),
    ] {
        assert_eq!(found(&stack, text).await, expected, "{text}");
    }
}

#[tokio::test]
async fn a_reference_finds_its_subscription_for_400_days() {
    let (stack, reference) = with_three_subscriptions().await;
    let keys = SearchKeys::parse(&reference);
    for (days, expected) in [(399, 1), (401, 0)] {
        let later = now().plus(std::time::Duration::from_hours(24 * days));
        assert_eq!(desks(&stack).search(&keys, None, later).await.unwrap().found.len(), expected, "{days} days");
    }
}

#[tokio::test]
async fn a_search_takes_one_call_for_each_key_and_one_for_what_they_find() {
    let (stack, reference) = with_three_subscriptions().await;
    calls(&stack);
    for (text, expected) in [
        ("sub-1", &["BatchGetItem", "Query"][..]),
        ("fabrikam", &["BatchGetItem", "Query"]),
        ("admin@fabrikam", &["BatchGetItem", "GetItem", "Query"]),
        ("kim@fabrikam.example", &["BatchGetItem", "GetItem", "Query"]),
        ("lee.b@gmail.com", &["BatchGetItem", "GetItem", "Query", "Query"]),
        (&reference, &["BatchGetItem", "GetItem", "Query"]),
        ("mallory@elsewhere.example", &["GetItem", "Query"]),
        ("no key at all", &[]),
    ] {
        found(&stack, text).await;
        assert_eq!(calls(&stack).0, expected, "{text}");
    }
}

#[tokio::test]
async fn a_membership_that_outlives_the_right_finds_nothing() {
    let (stack, _) = with_three_subscriptions().await;
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    let PortalUser::Address(address) = portal_user("mallory@elsewhere.example") else { unreachable!() };
    let partition = format!("PORTAL_USER#{}", PortalUser::Address(address).principal());
    table.put(&json!({ "PK": { "S": partition }, "SK": { "S": "SUBSCRIPTION#sub-1" } })).await;
    assert_eq!(found(&stack, "mallory@elsewhere.example").await, [""; 0]);
}

fn portal_user(address: &str) -> PortalUser {
    PortalUser::Address(domain::EmailAddress::parse(address).unwrap())
}

/// Puts as many more subscriptions of Fabrikam into the table, as copies of `sub-1`.
async fn put_more(stack: &TestStack, number: usize) {
    let all = stack.cloud.dump_table().await.unwrap();
    let is_copied = |item: &&Value| {
        item["PK"]["S"] == "SUBSCRIPTION#sub-1" && item["SK"]["S"] == "CREDENTIAL"
            || item["PK"]["S"] == "COMPANY#fabrikam"
    };
    let copies: Vec<Value> = (0..number)
        .flat_map(|n| {
            let key = json!(format!("SUBSCRIPTION#copy-{n:03}"));
            all.iter().filter(is_copied).cloned().map(move |mut item| {
                let name = if item["SK"]["S"] == "CREDENTIAL" { "PK" } else { "SK" };
                item[name]["S"] = key.clone();
                item
            })
        })
        .collect();
    Table::connect(&stack.cloud.aws_url(), "tests").put_all(&copies).await;
}

#[tokio::test]
async fn a_page_has_25_subscriptions_and_the_next_one_begins_after_the_last_id() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    put_more(&stack, 60).await;
    let (desks, keys) = (desks(&stack), SearchKeys::parse("fabrikam"));
    let (mut after, mut sizes, mut all) = (None, Vec::new(), BTreeSet::new());
    loop {
        let page = desks.search(&keys, after.as_ref(), now()).await.unwrap();
        sizes.push(page.found.len());
        assert!(page.found.is_sorted_by_key(|known| known.subscription.clone()));
        all.extend(page.found.iter().map(|known| known.subscription.clone()));
        assert!(page.next.is_none() || page.next.as_ref() == page.found.last().map(|known| &known.subscription));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((sizes, all.len()), (vec![25, 25, 11], 61));
    let own = SearchKeys::parse("sub-1");
    assert_eq!(desks.search(&own, Some(&id("sub-1")), now()).await.unwrap().found.len(), 0, "after its own id");
}

#[tokio::test]
async fn the_page_has_the_portal_users_as_they_were_given_and_the_requests_to_support() {
    let stack = TestStack::start().await;
    let mut started = event("sub-1", "trial");
    started["detail"]["portal_users"] = json!([
        { "email": "Dana@fabrikam.example" },
        { "issuer": "https://issuer.example", "subject": "4711" },
        { "issuer": "https://issuer.example", "organization": "fabrikam" },
    ]);
    stack.start_subscription(started).await;
    let dana = stack.token("dana@fabrikam.example");
    let mut references = Vec::new();
    for key in ["1", "2"] {
        let ask = Call::contact_support("sub-1", "Please call.").bearer(&dana).key(key);
        references.insert(0, stack.call("contact-support", ask).await.body["reference"].as_str().unwrap().to_owned());
        stack.advance_clock(60);
    }
    let page = subscription(&stack, "sub-1").await;
    let given: BTreeSet<String> = page.portal_users.iter().map(|user| text(user.given.as_ref().unwrap())).collect();
    let expected = [
        "Dana@fabrikam.example",
        "it@fabrikam.example",
        "organization fabrikam of https://issuer.example",
        "subject 4711 of https://issuer.example",
    ];
    assert_eq!(given.into_iter().collect::<Vec<_>>(), expected);
    assert!(page.portal_users.iter().all(|user| user.added_at == Some(page.credential.issued_at)));
    let requests: Vec<String> = page.support_requests.iter().map(|request| request.reference.to_string()).collect();
    assert_eq!(requests, references, "the newest one first");
    assert_eq!(page.support_requests[0].at.since(page.support_requests[1].at).as_secs(), 60);
    assert_eq!(page.support_requests[0].by.address(), Some("dana@fabrikam.example"));
    assert_eq!((page.mail.to.to_string(), page.mail.issue), ("it@fabrikam.example".into(), page.credential.issue));
    assert!(desks(&stack).subscription(&id("sub-2"), now()).await.unwrap().is_none());
}

fn text(user: &PortalUser) -> String {
    match user {
        PortalUser::Address(address) => address.to_string(),
        PortalUser::Subject { issuer, subject } => format!("subject {subject} of {issuer}"),
        PortalUser::Organization { issuer, organization } => format!("organization {organization} of {issuer}"),
    }
}

#[tokio::test]
async fn the_page_has_the_administrators_with_their_last_sign_in_and_who_is_closed() {
    let stack = TestStack::start().await;
    let service = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    for name in ["lee@fabrikam", "max@fabrikam"] {
        let create = Call::create_admin(&service, name, OWN).key(name);
        assert_eq!(stack.call("create-admin", create).await.status, 201);
        stack.advance_clock(1);
    }
    let before = subscription(&stack, "sub-1").await;
    let names: Vec<&str> = before.administrators.iter().map(|one| one.account.user_name.as_str()).collect();
    assert_eq!(names, ["lee@fabrikam", "max@fabrikam"], "in the order in which they were created");
    assert_eq!(before.service_administrator.status, AccountStatus::Active);
    assert!(before.service_administrator.last_signed_in_at.is_some());
    assert!(before.administrators.iter().all(|one| one.account.last_signed_in_at.is_none() && !one.account.closed));

    let mut last = None;
    for wait in [60, 3600] {
        stack.advance_clock(wait);
        assert_eq!(stack.sign_in("lee@fabrikam", OWN).await.status, 200);
        let page = subscription(&stack, "sub-1").await;
        let lee = page.administrators[0].account.last_signed_in_at;
        assert!(lee > last, "{wait}: {lee:?} after {last:?}");
        last = lee;
    }
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    for (name, failures) in [("lee@fabrikam", 100), ("max@fabrikam", 100), ("admin@fabrikam", 99)] {
        table.set_number(format!("ATTEMPTS#{name}"), "ACCOUNT", "failures", failures).await;
    }
    let after = subscription(&stack, "sub-1").await;
    assert_eq!(after.service_administrator.status, AccountStatus::Retired);
    let closed: Vec<bool> = after.administrators.iter().map(|one| one.account.closed).collect();
    assert_eq!(closed, [true, false], "an administrator who has never signed in cannot be closed");
    assert!(!after.service_administrator.closed);
}

#[tokio::test]
async fn a_page_reads_neither_the_history_nor_notices_nor_networks() {
    let stack = TestStack::start().await;
    stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    calls(&stack);
    subscription(&stack, "sub-1").await;
    let (operations, units) = calls(&stack);
    let expected = ["BatchGetItem", "BatchGetItem", "Query", "Query", "Query"];
    assert_eq!(operations, expected, "two round trips");
    let padding = "x".repeat(3000);
    let item = |pk: &str, sk: String| json!({ "PK": { "S": pk }, "SK": { "S": sk }, "padding": { "S": padding } });
    let more: Vec<Value> = (0..40)
        .flat_map(|n| {
            [
                item("SUBSCRIPTION#sub-1", format!("EVENT#{:010}", 1000 + n)),
                item("SUBSCRIPTION#sub-1", format!("MAIL#notice#{n}")),
                item("SUBSCRIPTION#sub-1", format!("STARTED#{n}")),
                item("SUBSCRIPTION#sub-1", format!("CLICK#{n}")),
                item("ATTEMPTS#admin@fabrikam", format!("NETWORK#10.0.0.{n}/32")),
            ]
        })
        .collect();
    Table::connect(&stack.cloud.aws_url(), "tests").put_all(&more).await;
    calls(&stack);
    subscription(&stack, "sub-1").await;
    assert_eq!(calls(&stack), (operations, units), "the same calls and units");
}
