//! Published events and notices: each transition is published once or more, always with one id, and never with a secret.

use std::collections::{BTreeMap, BTreeSet};

use cloud::{Fault, Feedback, Mode, Published, Service};
use domain::EventType;
use serde_json::{Value, json};
use support::{Call, Deployment, TestStack, ended, event, functions::read, secrets::SecretScanner, table::Table};

use crate::no_leaks::log;

const DANA: &str = "dana@fabrikam.example";
const KIM: &str = "kim@fabrikam.example";
const IT: &str = "it@fabrikam.example";
const CHOSEN: &str = "seven green boats at noon";
const OTHER: &str = "a quiet lamp over the harbour";
const WEEK: i64 = 7 * 86_400;

/// Gives the whole stream to the function, in batches as Lambda makes them. Returns the records that failed.
pub(crate) async fn feed(stack: &TestStack) -> Vec<String> {
    let records = stack.cloud.stream_records().await.unwrap();
    let mut failed = Vec::new();
    for batch in records.chunks(100) {
        failed.extend(give(stack, batch).await);
    }
    stack.cloud.drained().await.unwrap();
    failed
}

/// Gives the function the records after the first `known` ones. Returns how many there are in all.
async fn feed_after(stack: &TestStack, known: usize) -> usize {
    let records = stack.cloud.stream_records().await.unwrap();
    assert_eq!(give(stack, &records[known..]).await, [""; 0]);
    stack.cloud.drained().await.unwrap();
    records.len()
}

async fn give(stack: &TestStack, records: &[Value]) -> Vec<String> {
    let answer = stack.invoke("publish-events", json!({ "Records": records })).await;
    let failures = answer["batchItemFailures"].as_array().unwrap().iter();
    failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

/// Returns the types of the published events, in their order.
fn types(published: &[Published]) -> Vec<&str> {
    published.iter().map(|event| event.detail_type.as_str()).collect()
}

/// Returns the recipients of the notices that have been mailed, sorted.
pub(crate) fn notified(stack: &TestStack) -> Vec<String> {
    let notices = stack.cloud.inbox().into_iter().filter(|mail| mail.tags["mail"].starts_with("notice-"));
    let mut all: Vec<_> = notices.map(|mail| mail.to).collect();
    all.sort();
    all
}

/// Returns the error of an event that its schema does not allow.
pub(crate) fn misfit(event: &Published) -> Option<String> {
    // Consumers tolerate fields that the schema lacks. We do not publish any.
    let open = read(&format!("infra/schemas/{}.json", event.detail_type));
    let closed = open.replace(r#""additionalProperties": true"#, r#""additionalProperties": false"#);
    let schema: Value = serde_json::from_str(&closed).unwrap();
    let options = jsonschema::options().offline().should_validate_formats(true);
    let schema = options.build(&schema).unwrap();
    schema.iter_errors(&event.detail).next().map(|error| format!("{}: {error}", event.detail_type))
}

fn with_notices(level: &str) -> Deployment {
    Deployment::default().with("NOTICES", level)
}

/// Tells the whole story of two issues. Returns what no event may have in it.
async fn whole_story(stack: &TestStack) -> Vec<String> {
    stack.start_subscription(event("sub-1", "trial")).await;
    let mut secrets = vec![stack.mailed_password()];
    stack.cloud.report(IT, Feedback::Delivered).await.unwrap();
    let mut more = event("sub-1", "trial");
    more["id"] = "more".into();
    more["detail"]["portal_users"] = json!([{ "email": "noor@fabrikam.example" }]);
    stack.start_subscription(more).await;
    let token = stack.token(DANA);
    assert_eq!(stack.retrieve(&token, "sub-1", "a").await.status, 200);
    stack.call("contact-support", Call::contact_support("sub-1", "Where is it?").bearer(&token)).await;
    stack.advance_clock(WEEK);
    let token = stack.token(DANA);
    let renewed = stack.call("renew-credentials", Call::renew_credentials("sub-1").bearer(&token)).await;
    assert_eq!(renewed.status, 202, "{renewed:?}");
    stack.cloud.drained().await.unwrap();
    secrets.push(stack.mailed_password());
    stack.cloud.report(IT, Feedback::Undelivered).await.unwrap();
    stack.call("resend-mail", Call::resend_mail("sub-1").bearer(&token)).await;
    stack.cloud.drained().await.unwrap();
    stack.cloud.report(IT, Feedback::Bounced).await.unwrap();
    stack.cloud.report(IT, Feedback::Complained).await.unwrap();
    let session = stack.sign_in("admin@fabrikam", &secrets[1]).await.session().unwrap();
    let reset = stack.call("reset-password", Call::reset_password(&session, CHOSEN)).await;
    let chosen = reset.session().unwrap();
    let created = stack.call("create-admin", Call::create_admin(&chosen, "lee@fabrikam", OTHER)).await;
    assert_eq!(created.status, 201, "{created:?}");
    let lees = stack.sign_in("lee@fabrikam", OTHER).await.session().unwrap();
    stack.start_subscription(event("sub-1", "paid")).await;
    secrets.push(stack.add_administrator(&lees, OTHER, "mo@fabrikam").await);
    let mo = stack.account_id("mo@fabrikam").await;
    let reset = stack.call("reset-admin", Call::reset_admin(&lees, &mo, OTHER)).await;
    secrets.push(reset.temporary_password().unwrap().to_owned());
    assert_eq!(stack.call("remove-admin", Call::remove_admin(&lees, &mo, OTHER)).await.status, 204);
    stack.end_subscription(ended("sub-1")).await;
    secrets.extend([session, chosen, lees, token, CHOSEN.to_owned(), OTHER.to_owned()]);
    secrets
}

#[tokio::test]
async fn the_whole_story_is_published_once_and_fits_its_schemas() {
    let stack = with_notices("none").start().await;
    whole_story(&stack).await;
    assert_eq!(feed(&stack).await, [""; 0]);
    let published = stack.cloud.published();
    let expected = [
        "CredentialsIssued",
        "WelcomeMailDelivered",
        "PortalUserAdded",
        "CredentialsRetrieved",
        "CredentialsIssued",
        "WelcomeMailFailed",
        "WelcomeMailFailed",
        "WelcomeMailComplained",
        "ServiceAdministratorSignedIn",
        "PasswordChosen",
        "AdministratorCreated",
        "AdministratorSignedIn",
        "ServiceAdministratorRetired",
        "SubscriptionBecamePaid",
        "AdministratorCreated",
        "AdministratorReset",
        "AdministratorRemoved",
        "SubscriptionClosed",
    ];
    let (mut told, mut wanted) = (types(&published), expected.to_vec());
    told.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(told, wanted);
    let misfits: Vec<_> = published.iter().filter_map(misfit).collect();
    assert_eq!(misfits, [""; 0]);
    assert!(published.iter().all(|event| event.source == "firstkey" && event.detail["subscription_id"] == "sub-1"));
    let ids: BTreeSet<_> = published.iter().map(|event| event.detail["event_id"].to_string()).collect();
    assert_eq!(ids.len(), published.len(), "each transition has an id of its own");
}

#[tokio::test]
async fn an_event_says_what_happened_and_who_did_it() {
    let stack = with_notices("none").start().await;
    whole_story(&stack).await;
    feed(&stack).await;
    let published = stack.cloud.published();
    let details = |name: &str| -> Vec<Value> {
        published.iter().filter(|event| event.detail_type == name).map(|event| event.detail.clone()).collect()
    };
    let issued = details("CredentialsIssued");
    let mut reasons: Vec<_> = issued.iter().map(|detail| (&detail["issue"], &detail["reason"])).collect();
    reasons.sort_by_key(|(issue, _)| issue.as_u64());
    assert_eq!(reasons, [(&json!(1), &json!("started")), (&json!(2), &json!("renewed"))]);
    let retrieved = details("CredentialsRetrieved").remove(0);
    assert_eq!(
        (&retrieved["company_id"], &retrieved["issue"], &retrieved["seq"]),
        (&json!("fabrikam"), &json!(1), &Value::Null)
    );
    assert_eq!(retrieved["who"]["role"], "customer");
    let id = retrieved["who"]["id"].as_str().unwrap();
    let renewed_by = issued.iter().find(|detail| detail["issue"] == 2).unwrap()["who"]["id"].as_str();
    assert_eq!((id.len(), Some(id)), (22, renewed_by), "the same person has the same id");
    let created = details("AdministratorCreated").remove(0);
    assert_eq!(
        (&created["account"], &created["who"]["role"]),
        (&json!("lee@fabrikam"), &json!("service-administrator"))
    );
    for name in ["AdministratorReset", "AdministratorRemoved"] {
        let detail = details(name).remove(0);
        assert_eq!(
            (&detail["account"], &detail["who"]["role"]),
            (&json!("mo@fabrikam"), &json!("administrator")),
            "{name}"
        );
    }
    let closed = details("SubscriptionClosed").remove(0);
    assert_eq!((&closed["who"], &closed["issue"]), (&json!({ "role": "vendor", "id": null }), &json!(2)));
    assert!(!closed.to_string().contains("contract"), "the vendor knows why: {closed}");
    let failed: BTreeSet<_> =
        details("WelcomeMailFailed").iter().map(|detail| format!("{} {}", detail["status"], detail["round"])).collect();
    assert_eq!(failed, BTreeSet::from(["\"undelivered\" 0".to_owned(), "\"bounced\" 1".to_owned()]));
    let numbered: BTreeSet<_> = published.iter().filter_map(|event| event.detail["seq"].as_u64()).collect();
    assert_eq!(numbered.len(), published.iter().filter(|event| event.detail["seq"].is_u64()).count());
}

#[test]
fn every_event_type_has_a_schema_with_an_example_that_fits() {
    let readme = read("infra/schemas/README.md");
    for event_type in EventType::ALL.map(EventType::as_str) {
        let schema: Value = serde_json::from_str(&read(&format!("infra/schemas/{event_type}.json"))).unwrap();
        assert!(jsonschema::meta::is_valid(&schema) && schema["title"] == event_type, "{event_type}");
        assert!(readme.contains(&format!("{event_type}.json")), "{event_type} is not in infra/schemas/README.md");
        let with = |detail: &Value| {
            let (detail_type, detail) = (event_type.to_owned(), detail.clone());
            Published { at: String::new(), detail_type, source: String::new(), detail }
        };
        let examples = schema["examples"].as_array().unwrap();
        assert!(!examples.is_empty(), "{event_type}");
        assert_eq!(examples.iter().filter_map(|detail| misfit(&with(detail))).collect::<Vec<_>>(), [""; 0]);
        assert!(misfit(&with(&json!({}))).is_some(), "{event_type} allows an empty detail");
    }
}

#[tokio::test]
async fn a_transition_that_is_published_again_has_the_same_id() {
    let stack = with_notices("all").start().await;
    whole_story(&stack).await;
    feed(&stack).await;
    let (once, mailed) = (stack.cloud.published(), notified(&stack));
    assert!(!mailed.is_empty());
    for record in stack.cloud.stream_records().await.unwrap() {
        give(&stack, &[record]).await;
    }
    stack.cloud.drained().await.unwrap();
    let mut count = BTreeMap::<String, usize>::new();
    for event in stack.cloud.published() {
        *count.entry(format!("{} {}", event.detail_type, event.detail)).or_default() += 1;
    }
    assert_eq!(count.len(), once.len());
    assert!(count.values().all(|&times| times == 2), "{count:?}");
    assert_eq!(notified(&stack), mailed, "no notice is mailed again");
}

#[tokio::test]
async fn no_item_of_the_table_puts_a_secret_or_an_address_on_the_bus() {
    let stack = with_notices("all").start().await;
    let secrets = whole_story(&stack).await;
    feed(&stack).await;
    let items = stack.cloud.dump_table().await.unwrap();
    for event_name in ["INSERT", "MODIFY", "REMOVE"] {
        for (n, item) in items.iter().enumerate() {
            let keys = json!({ "PK": item["PK"], "SK": item["SK"] });
            let change = json!({ "Keys": keys, "NewImage": item, "SequenceNumber": n.to_string() });
            assert_eq!(give(&stack, &[json!({ "eventName": event_name, "dynamodb": change })]).await, [""; 0]);
        }
    }
    let published = stack.cloud.published();
    let text = serde_json::to_string(&published.iter().map(|event| &event.detail).collect::<Vec<_>>()).unwrap();
    assert_eq!(SecretScanner::new(&secrets).find_in(&text), None);
    for canary in [".example", "$argon2", "Where is it?", "sealed", "Lee"] {
        assert!(!text.contains(canary), "{canary}");
    }
    for notice in stack.cloud.inbox().iter().filter(|mail| mail.tags["mail"].starts_with("notice-")) {
        assert_eq!(SecretScanner::new(&secrets).find_in(&(notice.text.clone() + &notice.html)), None);
    }
}

#[tokio::test]
async fn a_deployment_can_have_addresses_in_its_events() {
    let stack = with_notices("none").with("EVENTS_WITH_ADDRESSES", "true").start().await;
    whole_story(&stack).await;
    feed(&stack).await;
    let published = stack.cloud.published();
    let who = |name: &str| published.iter().find(|event| event.detail_type == name).unwrap().detail["who"].clone();
    assert_eq!(who("CredentialsRetrieved")["address"], DANA);
    assert_eq!(who("PasswordChosen")["user_name"], "admin@fabrikam");
    assert_eq!(published.iter().filter_map(misfit).collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_holds_up_none_of_the_others() {
    let (log, stack) = (log(), with_notices("none").start().await);
    stack.start_subscription(event("sub-1", "trial")).await;
    let records = stack.cloud.stream_records().await.unwrap();
    let entry = records.iter().find(|record| record["dynamodb"]["Keys"]["SK"]["S"] == "EVENT#0000000001").unwrap();
    let spoil = |path: &str, value: Value| {
        let mut spoilt = entry.clone();
        *spoilt.pointer_mut(path).unwrap() = value;
        spoilt
    };
    let spoilt = [
        spoil("/dynamodb/NewImage/what", json!({ "S": "of-a-later-release" })),
        spoil("/dynamodb/NewImage/at", json!({ "S": "yesterday" })),
        spoil("/dynamodb/NewImage/issue", json!({ "B": "!" })),
        spoil("/dynamodb/NewImage", json!([])),
        spoil("/dynamodb/Keys", Value::Null),
        spoil("/eventName", json!("REPLACE")),
        json!({}),
    ];
    for poison in spoilt {
        let before = stack.cloud.published().len();
        assert_eq!(give(&stack, &[poison.clone(), entry.clone(), poison]).await, [""; 0]);
        assert_eq!(stack.cloud.published().len(), before + 1);
    }
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    let counted: Vec<_> = log.lines().filter(|line| line.contains("\"RecordUnreadable\":1")).collect();
    assert_eq!(counted.len(), 14);
    let named = counted.iter().filter(|line| line.contains("\"key\":\"sub-1 EVENT#0000000001\"")).count();
    assert_eq!(named, 10, "all but those without a key");
}

#[tokio::test]
async fn an_item_beside_the_record_that_cannot_be_read_holds_up_nothing() {
    for (sort_key, attribute) in [("CREDENTIAL", "kind"), ("MAIL", "content"), ("PORTAL_USER#", "added_at")] {
        let stack = with_notices("all").start().await;
        stack.start_subscription(event("sub-1", "trial")).await;
        stack.retrieve(&stack.token(DANA), "sub-1", "a").await;
        let records = stack.cloud.stream_records().await.unwrap();
        let mut item = stack.items(sort_key).await.into_iter().find(|item| item[attribute].is_object()).unwrap();
        item[attribute] = json!({ "S": "of-a-later-release" });
        Table::connect(&stack.cloud.aws_url(), "test").put(&item).await;
        assert_eq!(give(&stack, &records).await, [""; 0], "{sort_key}");
        let published = stack.cloud.published();
        assert_eq!(types(&published).len(), 2, "{sort_key}: {:?}", types(&published));
    }
}

#[tokio::test]
async fn a_full_batch_of_one_subscription_reads_its_people_once() {
    let stack = with_notices("all").start().await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    for n in 0..25 {
        let fields = json!({ "user_name": format!("u{n}@fabrikam"), "display_name": "X", "password": OTHER });
        let create = Call::post("/administrators").session(&session).json(&fields);
        assert_eq!(stack.call("create-admin", create).await.status, 201);
    }
    let mut records = stack.cloud.stream_records().await.unwrap();
    records.retain(|record| record["dynamodb"]["Keys"]["SK"]["S"].as_str().unwrap().starts_with("EVENT#"));
    stack.cloud.clear_requests();
    assert_eq!(give(&stack, &records).await, [""; 0]);
    stack.cloud.drained().await.unwrap();
    let mut calls = stack.cloud.requests();
    calls.retain(|request| request.function == "publish-events");
    let count = |operation: &str| calls.iter().filter(|request| request.operation == operation).count();
    assert_eq!([count("GetItem"), count("Query"), count("BatchGetItem"), count("PutEvents")], [1, 2, 1, 3]);
    let to_it = notified(&stack).iter().filter(|to| *to == IT).count();
    assert_eq!(to_it, 22, "the sign-in, the password, and twenty of the new accounts");
}

#[tokio::test]
async fn an_event_that_the_bus_refuses_is_published_again_and_no_other() {
    let stack = with_notices("none").start().await;
    whole_story(&stack).await;
    stack.cloud.set_fault(Fault::new(Service::Events, "PutEvents", Mode::Partial, 1));
    assert_eq!(feed(&stack).await, [""; 0]);
    let ids: BTreeSet<_> = stack.cloud.published().iter().map(|event| event.detail["event_id"].to_string()).collect();
    assert_eq!((ids.len(), stack.cloud.published().len()), (18, 18), "each of them once");
}

#[tokio::test]
async fn only_the_records_that_aws_refuses_are_reported_as_failed() {
    let stack = with_notices("all").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.retrieve(&stack.token(DANA), "sub-1", "a").await;
    let records = stack.cloud.stream_records().await.unwrap();
    stack.cloud.set_fault(Fault::new(Service::Events, "PutEvents", Mode::Refused, 100));
    let failed = give(&stack, &records).await;
    let told: Vec<_> = records
        .iter()
        .filter(|record| {
            let key = record["dynamodb"]["Keys"]["SK"]["S"].as_str().unwrap();
            let is_retrieval = key == "CREDENTIAL" && record["eventName"] == "MODIFY";
            key.starts_with("EVENT#") || is_retrieval
        })
        .map(|record| record["dynamodb"]["SequenceNumber"].as_str().unwrap())
        .collect();
    assert_eq!(failed, told);
    assert_eq!(stack.cloud.published().len(), 0);
    stack.cloud.set_fault(Fault::new(Service::Events, "PutEvents", Mode::Refused, 0));
    assert_eq!(give(&stack, &records).await, [""; 0]);
    stack.cloud.drained().await.unwrap();
    assert_eq!((stack.cloud.published().len(), notified(&stack).len()), (2, 2), "notices are ordered once");
}

#[tokio::test]
async fn a_change_of_a_mail_that_keeps_its_status_is_not_published() {
    let stack = with_notices("none").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.cloud.report(IT, Feedback::Delivered).await.unwrap();
    let mut mail = stack.items("MAIL").await.remove(0);
    mail["at"]["N"] = "1".into();
    Table::connect(&stack.cloud.aws_url(), "test").put(&mail).await;
    feed(&stack).await;
    assert_eq!(types(&stack.cloud.published()), ["CredentialsIssued", "WelcomeMailDelivered"]);
}

#[tokio::test]
async fn an_event_is_not_published_before_its_notices_are_ordered() {
    let stack = with_notices("security").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    feed(&stack).await;
    stack.retrieve(&stack.token(DANA), "sub-1", "a").await;
    for operation in ["GetItem", "Query", "PutItem"] {
        stack
            .cloud
            .set_fault(Fault::new(Service::DynamoDb, operation, Mode::Refused, 100).on_function("publish-events"));
        assert!(!feed(&stack).await.is_empty(), "{operation}");
        assert!(stack.cloud.clear_faults_of("publish-events") > 0, "{operation}");
        assert!(!types(&stack.cloud.published()).contains(&"CredentialsRetrieved"), "{operation}");
    }
    assert_eq!(feed(&stack).await, [""; 0]);
    assert!(types(&stack.cloud.published()).contains(&"CredentialsRetrieved"));
    assert_eq!(notified(&stack), [IT, KIM]);
}

#[tokio::test]
async fn the_others_get_a_notice_of_a_retrieval_and_of_new_portal_users() {
    let stack = with_notices("security").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.retrieve(&stack.token(DANA), "sub-1", "a").await;
    let known = feed_after(&stack, 0).await;
    assert_eq!(notified(&stack), [IT, KIM]);
    let mut more = event("sub-1", "trial");
    more["id"] = "more".into();
    more["detail"]["portal_users"] = json!([{ "email": "noor@fabrikam.example" }]);
    stack.start_subscription(more).await;
    feed_after(&stack, known).await;
    assert_eq!(notified(&stack), [DANA, IT, IT, KIM, KIM, "noor@fabrikam.example"]);
}

#[tokio::test]
async fn no_notice_goes_to_an_address_that_takes_no_mail() {
    let stack = with_notices("security").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.retrieve(&stack.token(DANA), "sub-1", "a").await;
    feed(&stack).await;
    stack.cloud.report(KIM, Feedback::Bounced).await.unwrap();
    stack.retrieve(&stack.token(DANA), "sub-1", "b").await;
    feed(&stack).await;
    assert_eq!(notified(&stack), [IT, IT, KIM], "the notice to Kim bounced");
    let mut mail = stack.items("MAIL").await.remove(0);
    (mail["status"]["S"], mail["rank"]["N"]) = ("complained".into(), "50".into());
    Table::connect(&stack.cloud.aws_url(), "test").put(&mail).await;
    stack.retrieve(&stack.token(DANA), "sub-1", "c").await;
    feed(&stack).await;
    assert_eq!(notified(&stack), [IT, IT, KIM]);
}

#[tokio::test]
async fn the_level_of_the_deployment_decides_on_notices_of_first_sign_ins() {
    for (level, expected) in [("all", 1), ("security", 0), ("none", 0)] {
        let stack = with_notices(level).start().await;
        stack.start_subscription(event("sub-1", "trial")).await;
        stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().unwrap();
        feed(&stack).await;
        assert_eq!(notified(&stack).len(), expected, "{level}");
    }
}

#[tokio::test]
async fn administrators_get_a_notice_of_a_new_one_who_gets_one_too() {
    let stack = with_notices("security").start().await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let create = |session: &str, user_name: &str, email: &str| {
        let fields = json!({ "user_name": user_name, "display_name": "X", "password": OTHER, "email": email });
        Call::post("/administrators").session(session).json(&fields)
    };
    let lee = stack.call("create-admin", create(&session, "lee@fabrikam", "lee@fabrikam.example")).await;
    assert_eq!(lee.status, 201, "{lee:?}");
    let known = feed_after(&stack, 0).await;
    assert_eq!(notified(&stack), [DANA, IT, KIM, "lee@fabrikam.example"], "the first one of an issue");
    let lees = stack.sign_in("lee@fabrikam", OTHER).await.session().unwrap();
    assert_eq!(stack.call("create-admin", add(&lees, "mo@fabrikam", "mo@fabrikam.example")).await.status, 201);
    feed_after(&stack, known).await;
    let expected = [DANA, IT, IT, KIM, "lee@fabrikam.example", "mo@fabrikam.example"];
    assert_eq!(notified(&stack), expected, "Lee gets none, and is the only one who has signed in");
}

/// The call by which Lee adds a colleague with an address.
fn add(session: &str, user_name: &str, email: &str) -> Call {
    let fields = json!({ "user_name": user_name, "display_name": "X", "email": email, "current_password": OTHER });
    Call::post("/administrators").session(session).json(&fields)
}

/// Feeds the function with the records after the first `known` ones. Returns who gets a notice of them, and the number of records.
async fn feed_for_notices(stack: &TestStack, known: usize) -> (Vec<String>, usize) {
    let before = notified(stack);
    let records = feed_after(stack, known).await;
    let mut new = notified(stack);
    for earlier in before {
        new.remove(new.iter().position(|to| *to == earlier).unwrap());
    }
    (new, records)
}

#[tokio::test]
async fn a_reset_and_a_removal_have_notices_to_the_account_and_to_the_other_administrators() {
    let stack = with_notices("security").start().await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let lees = stack.first_administrator(&session, "lee@fabrikam", OTHER).await;
    for name in ["mo", "noor"] {
        let call = add(&lees, &format!("{name}@fabrikam"), &format!("{name}@fabrikam.example"));
        assert_eq!(stack.call("create-admin", call).await.status, 201);
    }
    let mo = stack.account_id("mo@fabrikam").await;
    let (_, known) = feed_for_notices(&stack, 0).await;
    assert_eq!(stack.call("reset-admin", Call::reset_admin(&lees, &mo, OTHER)).await.status, 200);
    let (reset, known) = feed_for_notices(&stack, known).await;
    let everyone = [IT, "mo@fabrikam.example", "noor@fabrikam.example"];
    assert_eq!(reset, everyone, "only Lee has signed in, who did it");
    assert_eq!(stack.call("remove-admin", Call::remove_admin(&lees, &mo, OTHER)).await.status, 204);
    let (removed, known) = feed_for_notices(&stack, known).await;
    assert_eq!(removed, everyone, "Mo gets the notice of the removal");
    let noor = stack.account_id("noor@fabrikam").await;
    stack.advance_clock(600);
    assert_eq!(stack.call("reset-admin", Call::reset_admin(&lees, &noor, OTHER)).await.status, 200);
    let (later, known) = feed_for_notices(&stack, known).await;
    assert_eq!(later, [IT, "noor@fabrikam.example"], "Mo gets no other");
    stack.end_subscription(ended("sub-1")).await;
    assert_eq!(feed_for_notices(&stack, known).await.0, [""; 0], "the vendor announces the end");
}

#[tokio::test]
async fn what_happened_long_ago_is_published_again_without_notices() {
    let stack = with_notices("all").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.retrieve(&stack.token(DANA), "sub-1", "a").await;
    stack.advance_clock(WEEK);
    assert_eq!(feed(&stack).await, [""; 0]);
    assert_eq!((stack.cloud.published().len(), notified(&stack).len()), (2, 0));
}

#[tokio::test]
async fn a_transition_of_a_subscription_that_is_gone_is_published_without_its_company() {
    let stack = with_notices("all").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let records = stack.cloud.stream_records().await.unwrap();
    let table = Table::connect(&stack.cloud.aws_url(), "test");
    for item in stack.items("").await {
        table.delete(&item).await;
    }
    assert_eq!(give(&stack, &records).await, [""; 0]);
    let published = stack.cloud.published();
    assert_eq!((types(&published), &published[0].detail["company_id"]), (vec!["CredentialsIssued"], &Value::Null));
    assert_eq!(misfit(&published[0]), None);
}

#[tokio::test]
async fn the_stream_feeds_the_function_by_itself() {
    let stack = with_notices("security").publishing().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.retrieve(&stack.token(DANA), "sub-1", "a").await;
    stack.cloud.drained().await.unwrap();
    let published = stack.cloud.published();
    let mut told = types(&published);
    told.sort_unstable();
    assert_eq!(told, ["CredentialsIssued", "CredentialsRetrieved"]);
    assert_eq!(notified(&stack), [IT, KIM]);
}
