//! Tests of rules that no function of today can break, and a later one could. The items are put into the table, or changed there, by hand.

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use support::{
    Answer, Call, Deployment, TestStack, event,
    table::{Table, text},
};

const CHOSEN: &str = "seven green boats at noon";
const OWN: &str = "a quiet lamp over the harbour";

async fn with_a_subscription() -> TestStack {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack
}

fn table(stack: &TestStack) -> Table {
    Table::connect(&stack.cloud.aws_url(), "tests")
}

/// Sets an attribute of an item, and changes nothing else.
async fn set(stack: &TestStack, pk: &str, sk: &str, name: &str, value: AttributeValue) {
    let table = table(stack);
    let update = table.client().update_item().table_name("firstkey").key("PK", text(pk)).key("SK", text(sk));
    let update = update.update_expression("SET #name = :value").expression_attribute_names("#name", name);
    update.expression_attribute_values(":value", value).send().await.unwrap();
}

async fn end(stack: &TestStack) {
    set(stack, "SUBSCRIPTION#sub-1", "CREDENTIAL", "ended_at", AttributeValue::N("1800000000".into())).await;
}

async fn set_status(stack: &TestStack, user_name: &str, status: &str) {
    set(stack, &format!("ACCOUNT#{user_name}"), "ACCOUNT", "status", text(status)).await;
}

/// Calls a function, and changes the table after the function has read it and before its transaction is carried out.
fn call_and_change<'a, T: 'a>(
    stack: &TestStack,
    function: &'static str,
    call: impl Future<Output = T> + 'a,
    change: impl Future<Output = ()> + 'a,
) -> LocalBoxFuture<'a, T> {
    let mut gate = stack.cloud.gate(move |call| call.operation == "TransactWriteItems" && call.function == function);
    Box::pin(async move {
        let interfere = async {
            let held = gate.next().await.unwrap();
            drop(gate);
            change.await;
            held.release().await;
        };
        tokio::join!(call, interfere).0
    })
}

#[tokio::test]
async fn a_membership_without_the_right_lists_nothing() {
    let stack = with_a_subscription().await;
    let [dana, mallory] = ["dana@fabrikam.example", "mallory@elsewhere.example"].map(|email| stack.token(email));
    let mut memberships = stack.items("SUBSCRIPTION#sub-1").await;
    memberships.retain(|item| item["PK"]["S"].as_str().unwrap().starts_with("PORTAL_USER#"));
    let principal = domain::Principal::email(&domain::EmailAddress::parse("mallory@elsewhere.example").unwrap());
    let mut membership = memberships[0].clone();
    membership["PK"]["S"] = format!("PORTAL_USER#{principal}").into();
    table(&stack).put(&membership).await;
    let listed = async |token: &str| stack.list(token).await.body["subscriptions"].as_array().unwrap().len();
    assert_eq!((listed(&dana).await, listed(&mallory).await), (1, 0));
    let page = stack.call("portal", Call::get("/").cookie("__Host-customer", &mallory)).await;
    assert!(!page.body.as_str().unwrap().contains("Contoso Online Suite"), "the page asks for the right, too");
    for answer in [
        stack.retrieve(&mallory, "sub-1", "click").await,
        stack.call("contact-support", Call::contact_support("sub-1", "Please call.").bearer(&mallory)).await,
    ] {
        assert_eq!(answer.problem(), Some("not-found"));
    }
    let right = AttributeValue::Bs(vec![Blob::new(principal.as_bytes())]);
    set(&stack, "SUBSCRIPTION#sub-1", "CREDENTIAL", "portal_users", right).await;
    assert_eq!((listed(&dana).await, listed(&mallory).await), (0, 1), "the right decides, not the membership");
}

/// Starts a stack whose subscription has a permanent administrator, Lee, who has signed in. Returns Lee's session.
async fn with_an_administrator() -> (TestStack, String) {
    let stack = TestStack::start().await;
    let service = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let created = stack.call("create-admin", Call::create_admin(&service, "lee@fabrikam", OWN)).await;
    assert_eq!(created.status, 201, "{created:?}");
    let lee = stack.sign_in("lee@fabrikam", OWN).await.session().unwrap();
    (stack, lee)
}

async fn home(stack: &TestStack, session: &str) -> Answer {
    stack.call("portal", Call::get("/administration").session(session)).await
}

#[tokio::test]
async fn an_administrator_who_is_no_longer_active_is_not_listed() {
    let (stack, lee) = with_an_administrator().await;
    let page = home(&stack, &lee).await;
    assert!(page.body.as_str().unwrap().contains("lee@fabrikam"), "{page:?}");
    stack.add_administrator(&lee, OWN, "mo@fabrikam").await;
    let team = stack.items("ADMINISTRATOR#").await;
    let mo = team.iter().find(|one| one["user_name"]["S"] == "mo@fabrikam").unwrap();
    for status in ["retired", "closed"] {
        set(&stack, "SUBSCRIPTION#sub-1", mo["SK"]["S"].as_str().unwrap(), "status", text(status)).await;
        let page = home(&stack, &lee).await;
        let page = page.body.as_str().unwrap();
        assert!(page.contains("lee@fabrikam") && !page.contains("mo@fabrikam"), "{status}: {page}");
    }
}

#[tokio::test]
async fn an_account_that_is_no_longer_active_neither_signs_in_nor_keeps_its_session() {
    for status in ["retired", "closed"] {
        let (stack, lee) = with_an_administrator().await;
        set_status(&stack, "lee@fabrikam", status).await;
        assert_eq!(stack.sign_in("lee@fabrikam", OWN).await.problem(), Some("invalid-credentials"), "{status}");
        let create = stack.call("create-admin", Call::add_admin(&lee, "mo@fabrikam", OWN)).await;
        assert_eq!(create.problem(), Some("not-signed-in"), "{status}");
        let reset = stack.call("reset-password", Call::reset_password(&lee, CHOSEN)).await;
        assert_eq!(reset.problem(), Some("not-signed-in"), "{status}");
    }
}

#[tokio::test]
async fn an_account_that_is_closed_during_a_request_changes_nothing_more() {
    let (stack, lee) = with_an_administrator().await;
    let create = stack.call("create-admin", Call::add_admin(&lee, "mo@fabrikam", OWN));
    let created = call_and_change(&stack, "create-admin", create, set_status(&stack, "lee@fabrikam", "closed")).await;
    assert_eq!(created.problem(), Some("not-signed-in"), "{created:?}");
    let accounts = stack.items("ACCOUNT").await;
    assert!(accounts.iter().all(|item| item["PK"]["S"] != "ACCOUNT#mo@fabrikam"), "{accounts:#?}");

    set_status(&stack, "lee@fabrikam", "active").await;
    let change = Call::post("/reset-password").session(&lee);
    let change = change.json(&json!({ "current_password": OWN, "new_password": "eleven maps under the bridge" }));
    let change = stack.call("reset-password", change);
    let changed = call_and_change(&stack, "reset-password", change, set_status(&stack, "lee@fabrikam", "closed")).await;
    assert_eq!(changed.problem(), Some("not-signed-in"), "{changed:?}");
    set_status(&stack, "lee@fabrikam", "active").await;
    assert_eq!(stack.sign_in("lee@fabrikam", OWN).await.status, 200, "the password is the one from before");
}

#[tokio::test]
async fn an_account_that_is_closed_during_its_first_sign_in_begins_no_session() {
    let stack = TestStack::start().await;
    let service = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    stack.call("create-admin", Call::create_admin(&service, "lee@fabrikam", OWN)).await;
    let first = stack.sign_in("lee@fabrikam", OWN);
    let answer = call_and_change(&stack, "sign-in", first, set_status(&stack, "lee@fabrikam", "closed")).await;
    if let Some(session) = answer.session() {
        let page = home(&stack, &session).await;
        assert!(!page.body.as_str().unwrap_or_default().contains("lee@fabrikam"), "{page:?}");
    }
    let service = stack.items("ACCOUNT").await.into_iter().find(|item| item["PK"]["S"] == "ACCOUNT#admin@fabrikam");
    assert_eq!(service.unwrap()["status"]["S"], "active", "the service administrator is not replaced");
}

#[tokio::test]
async fn a_subscription_that_ends_during_an_event_gets_no_next_issue() {
    let stack = Deployment::default().with("CREDENTIAL_LIFETIME_SECONDS", "60").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.advance_clock(60);
    let paid = stack.publish(event("sub-1", "paid"));
    call_and_change(&stack, "subscription-start", paid, end(&stack)).await;
    stack.cloud.drained().await.unwrap();
    let credential = &stack.items("CREDENTIAL").await[0];
    assert_eq!((&credential["issue"]["N"], stack.cloud.inbox().len()), (&json!("1"), 1), "{credential}");
}

#[tokio::test]
async fn a_welcome_mail_is_not_sent_once_its_password_is_of_no_use() {
    for mark in ["ended_at", "signed_in_at", "changed_at"] {
        let stack = Deployment::default().with_held_mails().start().await;
        assert_eq!(stack.publish(event("sub-1", "trial")).await, json!([]));
        let orders = orders(&stack).await;
        set(&stack, "SUBSCRIPTION#sub-1", "CREDENTIAL", mark, AttributeValue::N("1800000000".into())).await;
        let done = stack.invoke("send-mail", json!({ "Records": orders })).await;
        assert_eq!((done, stack.cloud.inbox().len()), (json!({ "batchItemFailures": [] }), 0), "{mark}");
        assert_eq!(stack.items("MAIL").await[0]["status"]["S"], "not-needed", "{mark}");
    }
}

/// Waits for the table's stream to order the welcome mail.
async fn orders(stack: &TestStack) -> Vec<Value> {
    for _ in 0..500 {
        let orders = stack.take_mail_orders("sub-1");
        if !orders.is_empty() {
            return orders;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no mail is ordered")
}

#[tokio::test]
async fn an_event_does_not_replace_items_of_a_subscription_without_its_credential() {
    let source = with_a_subscription().await;
    for sort_key in ["MAIL", "EVENT#0000000001", "STARTED#"] {
        let stack = Deployment::default().with_redelivery_delay(std::time::Duration::from_millis(1)).start().await;
        let item = source.items(sort_key).await[0].clone();
        table(&stack).put(&item).await;
        let failed = stack.publish(event("sub-1", "trial")).await;
        let left = stack.items("CREDENTIAL").await;
        assert!(left.is_empty(), "{sort_key}: {failed}");
        assert_eq!(stack.items(sort_key).await[0], item, "{sort_key}");
    }
}
