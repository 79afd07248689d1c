//! Tests of what an event does to a subscription.

use cloud::{Fault, Mode, Service};
use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Call, Deployment, TestStack, event};

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

#[tokio::test]
async fn a_requested_user_name_that_another_subscription_has_is_refused() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let mut second = event("sub-2", "trial");
    second["detail"]["service_administrator"]["user_name"] = "Admin@Fabrikam".into();
    stack.cloud.clear_requests();
    assert_ne!(stack.publish(second).await, json!([]));
    assert!(stack.cloud.requests().iter().all(|request| request.service == "dynamodb"), "KMS is not called");
    assert_eq!(stack.items("CREDENTIAL").await.len(), 1);
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
    let create = Call::create_admin(&service, "admin-sub-2@fabrikam", "a quiet lamp over the harbour");
    assert_eq!(stack.call("create-admin", create).await.status, 201);
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
