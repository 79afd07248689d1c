//! Compares the conditional write of a retrieval with its rules: the condition and the reasons describe the same thing, and must
//! agree on items at every boundary. The test fails when a clause of the condition or of a reason is changed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::LazyLock,
};

use aws::{Retrievals, RetrieveOutcome, Table};
use aws_sdk_dynamodb::{Client, primitives::Blob, types::AttributeValue};
use domain::{
    Caller, Company, CompanyId, Credential, EmailAddress, Issue, Kind, Principal, Refusal, Retrieval, RetrievalId,
    SealedPassword, SubscriptionId, Timestamp, UserName,
};
use proptest::{collection::vec, option, prelude::*, sample::select, test_runner::TestRunner};
use support::TestStack;

const NOW: i64 = 1_800_000_000;
const WEEK: i64 = 604_800;
const PEOPLE: [&str; 3] = ["dana", "kim", "lee"];
const KEYS: [&str; 3] = ["one", "two", "three"];

/// A stored item, with the caller of a retrieval and the caller's idempotency key.
#[derive(Clone, Debug)]
struct Case {
    credential: Credential,
    caller: &'static str,
    key: &'static str,
}

fn at(offset: i64) -> Timestamp {
    Timestamp::from_epoch_seconds(NOW + offset)
}

fn person(name: &str) -> Caller {
    let email = (name == "kim").then(|| EmailAddress::parse("kim@fabrikam.example")).flatten();
    let organizations = if name == "lee" { vec!["fabrikam".to_owned()] } else { vec![] };
    Caller::new("https://issuer.example".into(), name.into(), email, organizations)
}

/// Returns the principals that the set of portal users may contain: one for each person, each of a different kind, and a
/// stranger.
fn principals() -> Vec<Principal> {
    let kim = EmailAddress::parse("Kim@Fabrikam.example").unwrap();
    vec![
        Principal::subject("https://issuer.example", "dana"),
        Principal::email(&kim),
        Principal::organization("https://issuer.example", "fabrikam"),
        Principal::subject("https://other.example", "dana"),
    ]
}

fn moment() -> impl Strategy<Value = Option<Timestamp>> {
    option::weighted(0.15, select(vec![at(-5), at(0)]))
}

prop_compose! {
    fn cases()(
        portal_users in proptest::sample::subsequence(principals(), 1..=4),
        sealed in prop::bool::weighted(0.9),
        issue in select(vec![1, 2, 3]),
        issued in select(vec![-WEEK, -1, 0, 1]),
        expires in select(vec![-WEEK, -1, 0, 1, WEEK]),
        (signed_in_at, changed_at, ended_at) in (moment(), moment(), moment()),
        taken in vec((select(&PEOPLE[..]), select(&KEYS[..]), select(vec![-WEEK, -601, -600, -599, 0, 5])), 0..4),
        caller in select(&PEOPLE[..]),
        key in select(&KEYS[..]),
    ) -> Case {
        let entry = |(name, key, age): (&str, &str, i64)| {
            let caller = person(name);
            (RetrievalId::from_click(&caller, key), Retrieval::new(&caller, at(age)))
        };
        let credential = Credential {
            subscription: SubscriptionId::parse("sub-1").unwrap(),
            product: "Suite".into(),
            company: Company { id: CompanyId::parse("fabrikam").unwrap(), name: "Fabrikam, Inc.".into() },
            kind: Kind::Trial,
            user_name: UserName::parse("admin@fabrikam").unwrap(),
            portal_users: BTreeSet::from_iter(portal_users),
            issue: Issue::new(issue).unwrap(),
            sealed_password: sealed.then(|| SealedPassword::new(vec![1, 2, 3])),
            retrievals: taken.into_iter().map(entry).collect(),
            started_at: at(-WEEK),
            issued_at: at(issued),
            expires_at: at(expires),
            signed_in_at,
            changed_at,
            handed_over_at: None,
            ended_at,
            closed_at: None,
            purging_until: None,
            renewals: 0,
            renewed_at: None,
            seq: 1,
        };
        Case { credential, caller, key }
    }
}

/// Builds the item independently of the store, so that the test fails when only the store changes an attribute name.
fn item(credential: &Credential) -> HashMap<String, AttributeValue> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: i64| AttributeValue::N(number.to_string());
    let binary = |bytes: &[u8]| AttributeValue::B(Blob::new(bytes));
    let map = |entries: &[(&str, AttributeValue)]| {
        AttributeValue::M(entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    };
    let retrieval = |entry: &Retrieval| {
        map(&[
            ("at", number(entry.at.epoch_seconds())),
            ("by", text(entry.by.as_stored())),
            ("confirmed", AttributeValue::Bool(entry.by.is_confirmed())),
            ("who", binary(entry.who.as_bytes())),
        ])
    };
    let retrievals: HashMap<String, AttributeValue> =
        credential.retrievals.iter().map(|(id, entry)| (id.as_str().to_owned(), retrieval(entry))).collect();
    let mut item = HashMap::from([
        ("PK", text("SUBSCRIPTION#sub-1")),
        ("SK", text("CREDENTIAL")),
        ("product", text("Suite")),
        ("company", map(&[("id", text("fabrikam")), ("name", text("Fabrikam, Inc."))])),
        ("kind", text("trial")),
        ("user_name", text("admin@fabrikam")),
        ("portal_users", AttributeValue::Bs(credential.portal_users.iter().map(|p| Blob::new(p.as_bytes())).collect())),
        ("issue", number(credential.issue.number().into())),
        ("retrievals", AttributeValue::M(retrievals)),
        ("started_at", number(credential.started_at.epoch_seconds())),
        ("issued_at", number(credential.issued_at.epoch_seconds())),
        ("expires_at", number(credential.expires_at.epoch_seconds())),
        ("seq", number(1)),
    ]);
    let moments = [
        ("signed_in_at", credential.signed_in_at),
        ("changed_at", credential.changed_at),
        ("ended_at", credential.ended_at),
    ];
    item.extend(moments.into_iter().filter_map(|(name, moment)| Some((name, number(moment?.epoch_seconds())))));
    item.extend(credential.sealed_password.as_ref().map(|sealed| ("sealed_password", binary(sealed.as_bytes()))));
    item.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns the expected outcome of a case: a third, independent description, in the terms of the product.
fn expected(case: &Case) -> Expected {
    let (credential, caller) = (&case.credential, person(case.caller));
    let click = RetrievalId::from_click(&caller, case.key);
    let counted = credential.retrievals.get(&click);
    let retrievable = credential.sealed_password.is_some()
        && credential.expires_at > at(0)
        && [credential.signed_in_at, credential.changed_at, credential.ended_at] == [None; 3];
    if !caller.principals().iter().any(|principal| credential.portal_users.contains(principal)) {
        Expected::NotFound
    } else if counted.is_none() && retrievable && credential.retrievals.len() < 3 {
        let begun = credential.issued_at <= at(0);
        if begun || credential.issue == Issue::FIRST { Expected::Counted } else { Expected::Refused }
    } else if counted.is_some_and(|counted| counted.at > at(-600)) && retrievable {
        Expected::SameClick
    } else {
        Expected::Refused
    }
}

/// The outcome of a case.
#[derive(Debug, PartialEq)]
enum Expected {
    NotFound,
    Counted,
    SameClick,
    Refused,
}

static PROBES: LazyLock<u32> = LazyLock::new(|| if support::has_env("FIRSTKEY_FULL") { 20_000 } else { 600 });

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "this test writes items that no function would write")]
async fn the_write_succeeds_exactly_when_no_reason_holds_and_the_caller_may_and_the_click_is_new() {
    let stack = TestStack::start().await;
    let settings = BTreeMap::from([
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "tests".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AWS_ENDPOINT_URL", stack.cloud.aws_url()),
    ]);
    let config = aws::connect(|name| settings.get(name).cloned()).unwrap();
    let client = Client::new(&config);
    let retrievals = Retrievals::new(Table::new(&config, "firstkey".into()));
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        let mut runner = TestRunner::new(ProptestConfig { cases: *PROBES, ..ProptestConfig::default() });
        let outcome = runner.run(&cases(), |case| runtime.block_on(probe(&client, &retrievals, case)));
        outcome.unwrap();
    });
}

/// Writes the item of a case, retrieves, and compares the outcome with the expected one.
async fn probe(client: &Client, retrievals: &Retrievals, case: Case) -> Result<(), TestCaseError> {
    client.put_item().table_name("firstkey").set_item(Some(item(&case.credential))).send().await.unwrap();
    let (credential, caller) = (&case.credential, person(case.caller));
    let click = RetrievalId::from_click(&caller, case.key);
    let outcome = retrievals.retrieve(&credential.subscription, &click, &caller, at(0)).await.unwrap();
    let reasons = credential.blank_reasons(caller.person(), at(0));
    let found = match outcome {
        RetrieveOutcome::NoSubscription => unreachable!("the item was written"),
        RetrieveOutcome::Counted(after) => {
            prop_assert!(reasons.is_empty(), "counted although {:?}", reasons);
            let mut with_it = credential.clone();
            with_it.retrievals.insert(click, Retrieval::new(&caller, at(0)));
            prop_assert_eq!(*after, with_it);
            Expected::Counted
        }
        RetrieveOutcome::Refused { credential: met, refusal } => {
            prop_assert_eq!(&*met, credential, "the old image is the item");
            match refusal {
                Refusal::NotAPortalUser => Expected::NotFound,
                Refusal::SameClick => Expected::SameClick,
                Refusal::Blank(shown) => {
                    prop_assert_eq!(shown, reasons);
                    Expected::Refused
                }
                Refusal::ClickTooOld => {
                    prop_assert!(reasons.is_empty() && credential.retrievals.contains_key(&click));
                    Expected::Refused
                }
                Refusal::NotYet => {
                    prop_assert!(reasons.is_empty() && !credential.retrievals.contains_key(&click));
                    // The write asks for the first issue, whenever it began: only an item whose password was withdrawn keeps it from being
                    // counted.
                    prop_assert!(credential.issued_at > at(0) || credential.sealed_password.is_none());
                    prop_assert!(credential.issue != Issue::FIRST || credential.sealed_password.is_none());
                    Expected::Refused
                }
                Refusal::Unexplained => unreachable!("the write asks for the issue of the item"),
            }
        }
    };
    prop_assert_eq!(found, expected(&case));
    Ok(())
}
