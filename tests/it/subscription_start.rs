//! Tests of what an event does to a subscription.

use base64::{Engine, prelude::BASE64_STANDARD};
use cloud::{Fault, Mode, Service};
use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Call, Deployment, TestStack, event, table::Table};

/// Delivers an event `times` times at once, and returns how many deliveries failed.
async fn deliver_at_once(stack: &TestStack, event: &Value, times: usize) -> usize {
    let answers = join_all((0..times).map(|_| stack.publish(event.clone()))).await;
    answers.iter().filter(|failures| **failures != json!([])).count()
}

/// Starts a stack whose credentials expire after a minute.
async fn with_short_lived_credentials() -> TestStack {
    Deployment::default().with("CREDENTIAL_LIFETIME_SECONDS", "60").start().await
}

#[tokio::test]
async fn one_event_delivered_50_times_at_once_is_one_issue_one_account_one_mail() {
    let stack = TestStack::start().await;
    assert_eq!(deliver_at_once(&stack, &event("sub-1", "trial"), 50).await, 0);
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 1);
    assert_eq!(stack.items("ACCOUNT").await.len(), 1);
    let credential = &stack.items("CREDENTIAL").await[0];
    assert_eq!((&credential["issue"]["N"], &credential["seq"]["N"]), (&json!("1"), &json!("1")));
    assert_eq!(stack.items("EVENT#").await.len(), 1);
}

#[tokio::test]
async fn with_every_first_answer_lost_it_is_still_one_issue_and_one_mail() {
    let stack = TestStack::start().await;
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1));
    assert_eq!(deliver_at_once(&stack, &event("sub-1", "trial"), 10).await, 0);
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 1);
    assert_eq!(stack.cloud.dead_letters().len(), 0);
    assert_eq!(stack.items("CREDENTIAL").await[0]["issue"]["N"], "1");
}

#[tokio::test]
async fn a_trial_that_expired_and_is_paid_gets_one_new_issue_by_one_mail_and_it_works() {
    let stack = with_short_lived_credentials().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.advance_clock(60);
    deliver_at_once(&stack, &event("sub-1", "paid"), 50).await;
    stack.cloud.drained().await.unwrap();
    let inbox = stack.cloud.inbox();
    assert_eq!(inbox.len(), 2);
    assert_eq!((&*inbox[0].tags["issue"], &*inbox[1].tags["issue"]), ("1", "2"));
    let answer = stack.retrieve(&stack.token("dana@fabrikam.example"), "sub-1", "click").await;
    assert!(inbox[1].text.lines().any(|line| Some(line) == answer.password()));
    assert!(!inbox[0].text.contains(answer.password().unwrap()));
    assert_eq!(answer.body["retrievals"]["used"], 1);
    let account = &stack.items("ACCOUNT").await[0];
    assert_eq!((&account["issue"]["N"], &account["version"]["N"]), (&json!("2"), &json!("2")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retrieval_beside_the_next_issue_is_not_left_out_of_the_history() {
    let stack = with_short_lived_credentials().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.advance_clock(60);
    let dana = stack.token("dana@fabrikam.example");
    // On this machine the clock is behind, so that the password has not expired.
    let behind = stack.machine(-1);
    let mut gate = stack.cloud.gate(|call| call.operation == "TransactWriteItems");
    let retrieve_meanwhile = async {
        let held = gate.next().await.unwrap();
        drop(gate);
        let click = Call::get_credentials("sub-1").bearer(&dana).key("click");
        assert!(behind("get-credentials", click).await.password().is_some());
        held.release().await;
    };
    tokio::join!(stack.start_subscription(event("sub-1", "paid")), retrieve_meanwhile);
    assert_eq!(
        stack.history("sub-1").await,
        ["issued by vendor", "retrieved by dana@fabrikam.example", "issued by vendor"]
    );
}

#[tokio::test]
async fn a_paid_event_delivered_again_after_its_issue_expired_starts_no_second_one() {
    let stack = with_short_lived_credentials().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.advance_clock(60);
    stack.start_subscription(event("sub-1", "paid")).await;
    stack.advance_clock(60);
    stack.start_subscription(event("sub-1", "paid")).await;
    assert_eq!(stack.cloud.inbox().len(), 2);
    let mut another = event("sub-1", "paid");
    another["id"] = "another".into();
    stack.start_subscription(another).await;
    assert_eq!(stack.cloud.inbox().len(), 3, "another event is another purchase");
}

#[tokio::test]
async fn a_trial_used_up_and_never_signed_in_is_given_new_credentials_when_paid() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    for key in ["1", "2", "3"] {
        stack.retrieve(&dana, "sub-1", key).await;
    }
    stack.start_subscription(event("sub-1", "paid")).await;
    assert!(stack.retrieve(&dana, "sub-1", "4").await.password().is_some());
    let history = stack.items("EVENT#").await;
    let what: Vec<&str> = history.iter().map(|entry| entry["what"]["S"].as_str().unwrap()).collect();
    assert_eq!(what, ["issued", "retrieved", "retrieved", "retrieved", "issued"]);
    let credential = &stack.items("CREDENTIAL").await[0];
    assert_eq!((&credential["seq"]["N"], &credential["kind"]["S"]), (&json!("5"), &json!("paid")));
}

#[tokio::test]
async fn a_trial_that_becomes_paid_in_time_keeps_its_credentials() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    let before = stack.retrieve(&dana, "sub-1", "1").await;
    assert_eq!(deliver_at_once(&stack, &event("sub-1", "paid"), 20).await, 0);
    let after = stack.retrieve(&dana, "sub-1", "2").await;
    assert_eq!(before.password(), after.password());
    assert_eq!((stack.cloud.inbox().len(), after.body["retrievals"]["used"].as_u64()), (1, Some(2)));
    assert_eq!(stack.list(&dana).await.body["subscriptions"][0]["kind"], "paid");
}

#[tokio::test]
async fn paid_stays_paid() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "paid")).await;
    stack.start_subscription(event("sub-1", "trial")).await;
    assert_eq!(stack.items("CREDENTIAL").await[0]["kind"]["S"], "paid");
}

#[tokio::test]
async fn a_second_subscription_of_a_company_has_its_own_account_and_mail() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.start_subscription(event("Sub-2", "trial")).await;
    let inbox = stack.cloud.inbox();
    assert!(inbox[0].text.lines().any(|line| line == "admin@fabrikam"));
    assert!(inbox[1].text.lines().any(|line| line == "admin-sub-2@fabrikam"));
    assert_eq!(stack.items("ACCOUNT").await.len(), 2);
}

#[tokio::test]
async fn later_portal_users_are_added_and_see_the_subscription() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let lee = stack.token("lee@fabrikam.example");
    let mut again = event("sub-1", "trial");
    again["detail"]["portal_users"] = json!([{ "email": "lee@fabrikam.example" }]);
    again["detail"]["service_administrator"]["email"] = "mallory@elsewhere.example".into();
    assert_eq!(deliver_at_once(&stack, &again, 10).await, 0);
    assert_eq!(stack.list(&lee).await.body["subscriptions"][0]["subscription_id"], "sub-1");
    assert!(stack.retrieve(&lee, "sub-1", "click").await.password().is_some());
    let mallory = stack.retrieve(&stack.token("mallory@elsewhere.example"), "sub-1", "click").await;
    assert_eq!(
        mallory.problem(),
        Some("not-found"),
        "the address of the service administrator in a later event gives no access"
    );
    assert_eq!(stack.items("CREDENTIAL").await[0]["seq"]["N"], "2", "ten deliveries, one change");
}

#[tokio::test]
async fn a_company_lists_its_subscriptions_and_a_later_event_lists_those_of_an_earlier_release() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.start_subscription(event("sub-2", "trial")).await;
    let listed = async || {
        let mut all = stack.cloud.dump_table().await.unwrap();
        all.retain(|item| item["PK"]["S"] == "COMPANY#fabrikam");
        all.sort_by_key(|item| item["SK"]["S"].to_string());
        all
    };
    let before = listed().await;
    assert_eq!(
        before.iter().map(|item| &item["SK"]["S"]).collect::<Vec<_>>(),
        ["SUBSCRIPTION#sub-1", "SUBSCRIPTION#sub-2"]
    );
    assert!(before.iter().all(|item| item["company_name"]["S"] == "Fabrikam, Inc."));
    Table::connect(&stack.cloud.aws_url(), "tests").delete(&before[0]).await;
    let mut renamed = event("sub-1", "trial");
    renamed["detail"]["company"]["name"] = "Fabrikam Holding".into();
    stack.start_subscription(renamed).await;
    assert_eq!(listed().await, before, "with the name that the subscription has");
}

#[tokio::test]
async fn a_portal_user_whom_an_operator_has_removed_is_not_brought_back_by_any_event() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    let principal = |address: &str| domain::Principal::email(&domain::EmailAddress::parse(address).unwrap());
    let removed = ["dana@fabrikam.example", "it@fabrikam.example"].map(principal);
    for principal in &removed {
        let sort_key = format!("PORTAL_USER#{principal}");
        table.set_number("SUBSCRIPTION#sub-1".into(), &sort_key, "removed_at", 1_800_000_000).await;
        table.delete(&json!({ "PK": { "S": sort_key }, "SK": { "S": "SUBSCRIPTION#sub-1" } })).await;
    }
    let mut credential = stack.items("CREDENTIAL").await.pop().unwrap();
    let kim = BASE64_STANDARD.encode(principal("kim@fabrikam.example").as_bytes());
    credential["portal_users"] = json!({ "BS": [kim] });
    table.put(&credential).await;
    let portal_users = stack.items("PORTAL_USER#").await;

    stack.advance_clock(8 * 24 * 3600);
    let mut paid = event("sub-1", "paid");
    let users = json!(["dana", "it", "lee"].map(|name| json!({ "email": format!("{name}@fabrikam.example") })));
    paid["detail"]["portal_users"] = users;
    stack.start_subscription(paid.clone()).await;
    paid["id"] = "again".into();
    stack.start_subscription(paid).await;
    let known = stack.items("CREDENTIAL").await.pop().unwrap();
    assert_eq!((&known["issue"]["N"], known["portal_users"]["BS"].as_array().unwrap().len()), (&json!("2"), 2));
    for (name, sees) in [("dana", false), ("it", false), ("kim", true), ("lee", true)] {
        let token = stack.token(&format!("{name}@fabrikam.example"));
        assert_eq!(stack.retrieve(&token, "sub-1", "click").await.password().is_some(), sees, "{name}");
        assert_eq!(
            stack.list(&token).await.body["subscriptions"].as_array().unwrap().len(),
            usize::from(sees),
            "{name}"
        );
    }
    let unchanged = stack.items("PORTAL_USER#").await;
    assert!(portal_users.iter().all(|item| unchanged.contains(item)), "the items keep the mark");
    let memberships = stack.items("SUBSCRIPTION#sub-1").await;
    let of_removed = |item: &&Value| removed.iter().any(|one| item["PK"]["S"] == format!("PORTAL_USER#{one}"));
    assert_eq!(memberships.iter().filter(of_removed).count(), 0);
}

#[tokio::test]
async fn portal_users_are_stored_as_the_event_gives_them() {
    let stack = TestStack::start().await;
    let mut started = event("sub-1", "trial");
    started["detail"]["portal_users"] = json!([
        { "issuer": "https://issuer.example", "subject": "4711" },
        { "issuer": "https://issuer.example", "organization": "fabrikam" },
    ]);
    stack.start_subscription(started).await;
    let mut given: Vec<[Option<String>; 4]> = stack
        .items("PORTAL_USER#")
        .await
        .iter()
        .map(|item| {
            ["address", "issuer", "subject", "organization"].map(|name| item[name]["S"].as_str().map(str::to_owned))
        })
        .collect();
    given.sort();
    let text = |text: &str| Some(text.to_owned());
    let issuer = text("https://issuer.example");
    assert_eq!(
        given,
        [
            [None, issuer.clone(), None, text("fabrikam")],
            [None, issuer, text("4711"), None],
            [text("it@fabrikam.example"), None, None, None],
        ]
    );
}

#[tokio::test]
async fn events_that_contradict_the_first_fail_alone_and_change_nothing() {
    let stack = TestStack::start().await;
    let mut named = event("sub-1", "trial");
    named["detail"]["service_administrator"]["user_name"] = "root@fabrikam".into();
    stack.start_subscription(named).await;
    let before = stack.cloud.dump_table().await.unwrap();
    let contradictions = [
        ("/detail/company/id", json!("contoso")),
        ("/detail/product", json!("Another Product")),
        ("/detail/service_administrator/user_name", json!("admin@fabrikam")),
    ];
    stack.cloud.clear_requests();
    for (pointer, value) in contradictions {
        let mut contradicting = event("sub-1", "paid");
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        contradicting.pointer_mut(parent).unwrap()[key] = value;
        assert_ne!(stack.publish(contradicting).await, json!([]), "{pointer}");
    }
    let requests = stack.cloud.requests();
    assert!(
        requests.iter().all(|request| request.operation == "GetItem"),
        "a single cheap read finds the contradiction: {requests:?}"
    );
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.dead_letters().len(), 3);
    assert_eq!(stack.cloud.dump_table().await.unwrap(), before);
}

/// An event with one field of its detail replaced.
fn event_with(subscription: &str, pointer: &str, value: Value) -> Value {
    let mut event = event(subscription, "trial");
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    event["detail"].pointer_mut(parent).unwrap()[key] = value;
    event
}

/// An event that gives its service administrator a user name.
fn named(subscription: &str, kind: &str, user_name: &str) -> Value {
    let mut event = event(subscription, kind);
    event["detail"]["service_administrator"]["user_name"] = user_name.into();
    event
}

#[tokio::test]
async fn a_requested_user_name_that_another_subscription_has_gives_way_to_the_default_one() {
    let stack = TestStack::start().await;
    let service = stack.service_administrator("sub-1", "admin@fabrikam", "seven green boats at noon").await;
    let create = Call::create_admin(&service, "root@fabrikam", "a quiet lamp over the harbour");
    assert_eq!(stack.call("create-admin", create).await.status, 201);
    for (subscription, wish, given) in [
        ("sub-2", "Root@Fabrikam", "admin-sub-2@fabrikam"),
        ("sub-3", "admin@fabrikam", "admin-sub-3@fabrikam"),
        ("sub-4", "boss@fabrikam", "boss@fabrikam"),
    ] {
        for kind in ["trial", "trial", "paid"] {
            stack.start_subscription(named(subscription, kind, wish)).await;
        }
        assert!(stack.cloud.inbox().last().unwrap().text.lines().any(|line| line == given), "{subscription}");
    }
    assert_eq!(stack.cloud.dead_letters().len(), 0, "an event that is delivered again is no contradiction");
    assert_eq!(stack.items("CREDENTIAL").await.len(), 4);
    assert_ne!(
        stack.publish(named("sub-2", "paid", "free@fabrikam")).await,
        json!([]),
        "no subscription has this name"
    );
}

#[tokio::test]
async fn what_is_cosmetic_in_an_event_costs_no_customer_their_credentials() {
    let stack = TestStack::start().await;
    let dana = stack.token("dana@fabrikam.example");
    let it = stack.token("it@fabrikam.example");
    for (n, (pointer, value)) in [
        ("/locale", json!("de_DE")),
        ("/locale", json!("")),
        ("/locale", json!("no language at all")),
        ("/locale", json!(["de"])),
        ("/service_administrator/email", json!(" it@fabrikam.example\n")),
        ("/service_administrator/email", json!("MailTo:it@fabrikam.example")),
        ("/service_administrator/user_name", json!("")),
        ("/company/id", json!("\tFabrikam ")),
        ("/company/name", json!("فابری\u{200c}کام\u{200e}")),
        ("/product", json!("Suite\u{200f} ")),
        ("/portal_users", json!([])),
        ("/portal_users", json!(null)),
        ("/portal_users", json!([{ "email": "mailto:dana@fabrikam.example " }])),
    ]
    .into_iter()
    .enumerate()
    {
        let subscription = format!("sub-{n}");
        let reader = if value.as_array().is_none_or(Vec::is_empty) { &it } else { &dana };
        stack.start_subscription(event_with(&subscription, pointer, value.clone())).await;
        let mail = stack.cloud.inbox().pop().unwrap();
        assert_eq!(
            (&*mail.to, &mail.tags["subscription"]),
            ("it@fabrikam.example", &subscription),
            "{pointer} {value}"
        );
        assert!(stack.retrieve(reader, &subscription, "click").await.password().is_some(), "{pointer} {value}");
    }
    let mut numeric = event("sub", "trial");
    numeric["detail"]["subscription_id"] = 4711.into();
    numeric["detail"].as_object_mut().unwrap().remove("portal_users");
    stack.start_subscription(numeric).await;
    assert!(stack.retrieve(&it, "4711", "click").await.password().is_some());
    assert_eq!(stack.cloud.dead_letters().len(), 0);
}

#[tokio::test]
async fn what_matters_in_an_event_is_strict() {
    let stack = TestStack::start().await;
    for (pointer, value) in [
        ("/service_administrator/email", json!("jürgen@fabrikam.example")),
        ("/service_administrator/email", json!("it@fabrikam.example, dana@fabrikam.example")),
        ("/portal_users", json!([{ "email": "jürgen@fabrikam.example" }])),
        ("/company/name", json!("Your mailbox is full: www.evil.example/login")),
        ("/company/name", json!("Fabri\u{200b}kam")),
        ("/company/name", json!("\u{3164}")),
        ("/product", json!("Suite\u{e0041}")),
        ("/company/id", json!("acme.")),
        ("/company/id", json!("acme-")),
        ("/company/id", json!("acme..")),
        ("/company/id", json!("a.-b")),
        ("/subscription_id", json!("sub 1")),
        ("/subscription_id", json!(1.5)),
        ("/kind", json!("Trial")),
    ] {
        assert_ne!(stack.publish(event_with("sub-1", pointer, value.clone())).await, json!([]), "{pointer} {value}");
    }
    stack.cloud.drained().await.unwrap();
    assert_eq!((stack.items("").await.len(), stack.cloud.dead_letters().len()), (0, 14));
}

#[tokio::test]
async fn a_subscription_that_an_earlier_release_started_continues_with_its_company_id_and_its_name() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    let mut credential = stack.items("CREDENTIAL").await.pop().unwrap();
    credential["company"]["M"]["id"]["S"] = "fabrikam.".into();
    credential["product"]["S"] = "Contoso\u{ad} Online Suite ".into();
    table.put(&credential).await;
    let mut paid = event("sub-1", "paid");
    paid["detail"]["company"]["id"] = "Fabrikam.".into();
    stack.start_subscription(paid).await;
    assert_eq!(stack.items("CREDENTIAL").await[0]["kind"]["S"], "paid");
}

#[tokio::test]
async fn a_malformed_message_fails_alone_and_the_rest_of_the_batch_is_processed() {
    let stack = TestStack::start().await;
    let message = |id: &str, body: String| json!({ "messageId": id, "body": body });
    let mut oversized = event("sub-3", "trial");
    oversized["detail"]["padding"] = "x".repeat(300_000).into();
    let batch = json!({ "Records": [
        message("not-json", "{".into()),
        message("good", event("sub-1", "trial").to_string()),
        message("no-event", "{}".into()),
        message("oversized", oversized.to_string()),
        message("also-good", event("sub-2", "trial").to_string()),
    ] });
    let failures = stack.invoke("subscription-start", batch).await["batchItemFailures"].take();
    let expected = ["not-json", "no-event", "oversized"].map(|id| json!({ "itemIdentifier": id }));
    assert_eq!(failures, json!(expected));
    assert_eq!(stack.items("CREDENTIAL").await.len(), 2);
}

#[tokio::test]
async fn an_empty_batch_succeeds() {
    let stack = TestStack::start().await;
    let answer = stack.invoke("subscription-start", json!({ "Records": [] })).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
}

#[tokio::test]
async fn when_sealing_fails_nothing_is_written_and_the_next_delivery_starts_the_subscription() {
    let stack = TestStack::start().await;
    stack.cloud.set_fault(Fault::new(Service::Kms, "Encrypt", Mode::Refused, 3));
    assert_ne!(stack.publish(event("sub-1", "trial")).await, json!([]));
    stack.cloud.drained().await.unwrap();
    assert_eq!((stack.cloud.inbox().len(), stack.cloud.dead_letters().len()), (1, 0));
}

#[tokio::test]
async fn ids_that_differ_only_in_case_have_separate_accounts() {
    let stack = TestStack::start().await;
    for id in ["first", "Prod", "prod"] {
        stack.start_subscription(event(id, "trial")).await;
    }
    let accounts = stack.items("ACCOUNT").await;
    let mut names: Vec<&str> = accounts.iter().map(|account| account["PK"]["S"].as_str().unwrap()).collect();
    names.sort_by_key(|name| name.len());
    assert_eq!(names[..2], ["ACCOUNT#admin@fabrikam", "ACCOUNT#admin-prod@fabrikam"]);
    assert_eq!((names.len(), stack.cloud.inbox().len()), (3, 3));
}

#[tokio::test]
async fn an_administrator_who_takes_the_predictable_names_cannot_keep_a_subscription_from_starting() {
    let stack = TestStack::start().await;
    let service = stack.service_administrator("sub-1", "admin@fabrikam", "seven green boats at noon").await;
    stack.first_administrator(&service, "lee@fabrikam", "a quiet lamp over the harbour").await;
    // Earlier releases let administrators have such names.
    let mut predictable = stack.account("lee@fabrikam").await;
    predictable["PK"]["S"] = "ACCOUNT#admin-sub-2@fabrikam".into();
    Table::connect(&stack.cloud.aws_url(), "tests").put(&predictable).await;
    stack.start_subscription(event("sub-2", "paid")).await;
    let accounts = stack.items("ACCOUNT").await;
    let belongs_to_sub_2 = |account: &&Value| account["subscription_id"]["S"] == "sub-2";
    let name = accounts.iter().find(belongs_to_sub_2).unwrap()["PK"]["S"].as_str().unwrap();
    let (name, company) = name.split_once('@').unwrap();
    assert_eq!((name.strip_prefix("ACCOUNT#admin-").unwrap().len(), company), (8, "fabrikam"));
}

#[tokio::test]
async fn two_events_without_an_id_are_distinct_unless_they_are_equal() {
    let stack = with_short_lived_credentials().await;
    let without_id = |product_line: &str| {
        let mut event = event("sub-1", "paid");
        event["id"].take();
        event["id"] = "".into();
        event["detail"]["line"] = product_line.into();
        event
    };
    stack.start_subscription(without_id("first")).await;
    stack.advance_clock(60);
    stack.start_subscription(without_id("first")).await;
    assert_eq!(stack.cloud.inbox().len(), 1);
    stack.start_subscription(without_id("second")).await;
    assert_eq!(stack.cloud.inbox().len(), 2);
}
