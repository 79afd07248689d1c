//! Tests of the changes that operators make to access: portal users who come and go, and accounts that are unlocked.

use cloud::{Fault, Mode, Service};
use domain::{EmailAddress, Principal};
use futures_util::{future::join_all, join};
use serde_json::{Value, json};
use support::{Answer, Call, Deployment, TestStack, event, table::Table};

const OLIVIA: &str = "olivia@contoso.example";
const OMAR: &str = "omar@contoso.example";
const REASON: &str = "Ticket 4711: Dana has left the company";
const CHOSEN: &str = "seven green boats at noon";
const STRANGER: &str = "198.51.100.7";
const DAY: i64 = 24 * 3600;

/// Sends an act in the browser session of an operator.
async fn act_as(stack: &TestStack, email: &str, key: &str, call: Call) -> Answer {
    stack.call("change-access", call.operator(&stack.operator_token(email)).key(key)).await
}

async fn act(stack: &TestStack, key: &str, call: Call) -> Answer {
    act_as(stack, OLIVIA, key, call).await
}

/// Starts `sub-1` with the portal users it, dana and kim.
async fn started() -> TestStack {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack
}

/// Starts `sub-1` in a deployment that asks for no approvals.
async fn without_approvals() -> TestStack {
    let stack = Deployment::default().with("DESK_APPROVAL", "off").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack
}

fn address(name: &str) -> String {
    format!("{name}@fabrikam.example")
}

fn principal(name: &str) -> String {
    Principal::email(&EmailAddress::parse(&address(name)).unwrap()).to_string()
}

fn removal(name: &str) -> Call {
    Call::remove_portal_user("sub-1", &principal(name), REASON)
}

fn addition(name: &str) -> Call {
    Call::add_portal_user("sub-1", &json!({ "reason": REASON, "email": address(name) }))
}

fn outcome(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.problem())
}

const CONFLICT: (u16, Option<&str>) = (409, Some("conflict"));
const NOT_FOUND: (u16, Option<&str>) = (404, Some("not-found"));

/// Repeats an act until the answer is not 503: one machine does the work of as many function instances.
async fn with_retries(stack: &TestStack, email: &str, key: &str, call: impl Fn() -> Call) -> Answer {
    for _ in 0..40 {
        let answer = act_as(stack, email, key, call()).await;
        if answer.status != 503 {
            return answer;
        }
    }
    panic!("the function was never available");
}

/// Returns whether a customer is shown the password, and how many subscriptions and entries of the history they see.
async fn sees(stack: &TestStack, name: &str, key: &str) -> (bool, usize, usize) {
    let token = stack.token(&address(name));
    let count = |answer: &Answer, name: &str| answer.body[name].as_array().map_or(0, Vec::len);
    let history = stack.call("show-history", Call::show_history("sub-1").bearer(&token)).await;
    let shown = stack.retrieve(&token, "sub-1", key).await.password().is_some();
    (shown, count(&stack.list(&token).await, "subscriptions"), count(&history, "entries"))
}

async fn portal_users(stack: &TestStack) -> usize {
    stack.items("CREDENTIAL").await[0]["portal_users"]["BS"].as_array().unwrap().len()
}

/// Returns the item of a portal user of `sub-1`.
async fn item(stack: &TestStack, name: &str) -> Option<Value> {
    stack.items(&format!("PORTAL_USER#{}", principal(name))).await.pop()
}

async fn has_membership(stack: &TestStack, name: &str) -> bool {
    let partition = format!("PORTAL_USER#{}", principal(name));
    stack.items("SUBSCRIPTION#sub-1").await.iter().any(|item| item["PK"]["S"] == partition)
}

/// Marks `sub-1` as ended, which no function does yet.
async fn end(stack: &TestStack) {
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    table.set_number("SUBSCRIPTION#sub-1".into(), "CREDENTIAL", "ended_at", 1_800_000_000).await;
}

/// Lets strangers fail at an account so often that it is closed to them.
async fn close(stack: &TestStack, user_name: &str) {
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    table.set_number(format!("ATTEMPTS#{user_name}"), "ACCOUNT", "failures", 100).await;
}

#[tokio::test]
async fn a_removed_portal_user_loses_right_listing_and_running_replay_at_once() {
    let stack = started().await;
    assert_eq!(sees(&stack, "dana", "click").await, (true, 1, 1));
    let removed = act(&stack, "key", removal("dana")).await;
    assert_eq!((removed.status, &removed.body), (202, &json!({})));
    assert_eq!(sees(&stack, "dana", "click").await, (false, 0, 0), "the same click within its ten minutes");
    assert_eq!(sees(&stack, "kim", "other").await, (true, 1, 3), "the others stay");
    assert_eq!(stack.history("sub-1").await, ["issued by vendor", "portal-user-removed by olivia@contoso.example"]);
    let entry = stack.items("EVENT#0000000002").await.pop().unwrap();
    assert_eq!((&entry["reason"]["S"], &entry["who"]["M"]["role"]["S"]), (&json!(REASON), &json!("operator")));
    let dana = item(&stack, "dana").await.unwrap();
    assert_eq!((&dana["address"]["S"], &dana["removed_at"]), (&json!(address("dana")), &entry["at"]));
    assert!(!has_membership(&stack, "dana").await);
    let history = stack.call("show-history", Call::show_history("sub-1").bearer(&stack.token(&address("kim")))).await;
    assert!(!history.body.to_string().contains("olivia") && !history.body.to_string().contains("4711"));
}

#[tokio::test]
async fn an_address_on_file_that_an_operator_has_removed_gets_mails_without_the_password() {
    let stack = started().await;
    assert!(stack.cloud.inbox()[0].text.contains("Temporary password:"));
    assert_eq!(act(&stack, "key", removal("it")).await.status, 202);
    let path = "/desk/api/subscriptions/sub-1/reissues";
    let reissued =
        stack.desk_post(path, &stack.operator_token(OLIVIA), "next", &json!({ "reason": REASON, "if_issue": 1 })).await;
    assert_eq!(reissued.status, 202);
    stack.cloud.drained().await.unwrap();
    let inbox = stack.cloud.inbox();
    let mails: Vec<_> =
        inbox.iter().filter(|mail| mail.tags["issue"] == "2" && mail.tags["mail"] == "welcome").collect();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].to == address("it") && !mails[0].text.contains("Temporary password:"), "{}", mails[0].text);
}

#[tokio::test]
async fn who_is_no_portal_user_cannot_be_removed() {
    let stack = started().await;
    assert_eq!(act(&stack, "1", removal("dana")).await.status, 202);
    let unknown = Call::remove_portal_user("sub-2", &principal("dana"), REASON);
    let malformed =
        ["", "dana", "AAAAAAAAAAAAAAAAAAAAAB", "%00"].map(|text| Call::remove_portal_user("sub-1", text, REASON));
    for (n, call) in [removal("dana"), removal("mallory"), unknown].into_iter().chain(malformed).enumerate() {
        assert_eq!(outcome(&act(&stack, &format!("again-{n}"), call).await), NOT_FOUND, "{n}");
    }
    assert_eq!(stack.history("sub-1").await.len(), 2);
}

#[tokio::test]
async fn the_last_portal_user_stays() {
    let stack = started().await;
    for name in ["it", "dana"] {
        assert_eq!(act(&stack, name, removal(name)).await.status, 202);
    }
    assert_eq!(outcome(&act(&stack, "kim", removal("kim")).await), CONFLICT);
    assert_eq!(sees(&stack, "kim", "click").await.1, 1);
}

#[tokio::test]
async fn one_of_the_last_two_portal_users_stays_when_both_are_removed_at_once() {
    for _ in 0..4 {
        let stack = started().await;
        assert_eq!(act(&stack, "it", removal("it")).await.status, 202);
        let (one, other) = join!(
            with_retries(&stack, OLIVIA, "dana", || removal("dana")),
            with_retries(&stack, OMAR, "kim", || removal("kim")),
        );
        let mut outcomes = [outcome(&one), outcome(&other)];
        outcomes.sort();
        assert_eq!(outcomes, [(202, None), CONFLICT]);
        assert_eq!((portal_users(&stack).await, stack.history("sub-1").await.len()), (1, 3));
    }
}

#[tokio::test]
async fn a_key_acts_once_and_means_one_request() {
    let stack = started().await;
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::LostResponse, 1));
    let first = act(&stack, "key", removal("dana")).await;
    let again = act(&stack, "key", removal("dana")).await;
    assert_eq!((first.status, again.status, &first.body), (202, 202, &again.body));
    assert_eq!(outcome(&act(&stack, "key", removal("kim")).await), CONFLICT, "another principal");
    let other_reason = Call::remove_portal_user("sub-1", &principal("dana"), "Another reason");
    assert_eq!(outcome(&act(&stack, "key", other_reason).await), CONFLICT, "another body");
    assert_eq!(outcome(&act(&stack, "key", addition("lee")).await), CONFLICT, "another route");
    assert_eq!(outcome(&act_as(&stack, OMAR, "key", removal("dana")).await), NOT_FOUND, "another operator's click");
    assert_eq!(stack.history("sub-1").await.len(), 2);
    stack.advance_clock(7 * DAY + 1);
    assert_eq!(outcome(&act(&stack, "key", removal("dana")).await), NOT_FOUND, "a new click, after a week");
    assert_eq!(act(&stack, "key", removal("kim")).await.status, 202, "although the mark is still in the table");
}

#[tokio::test]
async fn many_attempts_of_one_click_at_once_act_once() {
    let stack = without_approvals().await;
    let attempts = (0..6).map(|_| with_retries(&stack, OLIVIA, "key", || addition("lee")));
    for answer in join_all(attempts).await {
        assert_eq!((answer.status, &answer.body), (202, &json!({})));
    }
    assert_eq!((portal_users(&stack).await, stack.history("sub-1").await.len()), (4, 2));
}

#[tokio::test]
async fn an_act_needs_a_key_and_a_reason_and_nothing_more() {
    let stack = started().await;
    let invalid = (400, Some("invalid-request"));
    let without_key = stack.call("change-access", removal("dana").operator(&stack.operator_token(OLIVIA))).await;
    assert_eq!(outcome(&without_key), invalid);
    let reasoned = |body: Value| removal("dana").json(&body);
    let named = |mut body: Value| {
        body["reason"] = REASON.into();
        Call::add_portal_user("sub-1", &body)
    };
    for (n, call) in [
        reasoned(json!({})),
        reasoned(json!({ "reason": "" })),
        reasoned(json!({ "reason": "two\nlines" })),
        reasoned(json!({ "reason": "x".repeat(201) })),
        reasoned(json!({ "reason": REASON, "more": 1 })),
        Call::unlock("admin@fabrikam", " "),
        Call::add_portal_user("sub-1", &json!({ "email": address("lee") })),
        named(json!({})),
        named(json!({ "email": "lee" })),
        named(json!({ "email": "jürgen@fabrikam.example" })),
        named(json!({ "issuer": "https://issuer.example" })),
        named(json!({ "issuer": "https://issuer.example", "subject": "1", "organization": "2" })),
        named(json!({ "email": address("lee"), "issuer": "https://issuer.example" })),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(outcome(&act_as(&stack, &format!("{n}@contoso.example"), "key", call).await), invalid, "{n}");
    }
    assert_eq!((portal_users(&stack).await, stack.history("sub-1").await.len()), (3, 1));
}

#[tokio::test]
async fn no_event_brings_back_whom_an_operator_removed_not_even_one_that_is_under_way() {
    let stack = started().await;
    let users = json!(["dana", "it", "lee"].map(|name| json!({ "email": address(name) })));
    let events: Vec<Value> = (0..4)
        .map(|n| {
            let mut later = event("sub-1", if n == 0 { "paid" } else { "trial" });
            (later["id"], later["detail"]["portal_users"]) = (n.into(), users.clone());
            later["id"] = format!("later-{n}").into();
            later
        })
        .collect();
    let (removed, other, _) = join!(
        with_retries(&stack, OLIVIA, "dana", || removal("dana")),
        with_retries(&stack, OMAR, "it", || removal("it")),
        join_all(events.iter().map(|event| stack.publish(event.clone()))),
    );
    assert_eq!((removed.status, other.status), (202, 202));
    stack.cloud.drained().await.unwrap();
    for event in &events {
        assert_eq!(stack.publish(event.clone()).await, json!([]));
    }
    for (name, subscriptions) in [("dana", 0), ("it", 0), ("kim", 1), ("lee", 1)] {
        assert_eq!(sees(&stack, name, name).await.1, subscriptions, "{name}");
        let is_removed = item(&stack, name).await.unwrap()["removed_at"].is_object();
        assert_eq!(is_removed, subscriptions == 0, "{name}");
    }
}

#[tokio::test]
async fn the_addition_of_a_portal_user_waits_for_a_second_operator() {
    let stack = started().await;
    let asked = act(&stack, "key", addition("lee")).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    let approval = asked.body["approval"].as_str().unwrap().to_owned();
    assert_eq!(act(&stack, "key", addition("lee")).await.body["approval"], json!(approval), "the same click");
    assert_eq!(outcome(&act(&stack, "other", addition("max")).await), CONFLICT, "one is pending");
    assert_eq!((sees(&stack, "lee", "click").await, item(&stack, "lee").await), ((false, 0, 0), None));
    assert_eq!(stack.history("sub-1").await, ["issued by vendor", "approval-requested by olivia@contoso.example"]);
    let waiting = stack.items("APPROVAL").await.pop().unwrap();
    assert_eq!((&waiting["id"]["S"], &waiting["address"]["S"]), (&json!(approval), &json!(address("lee"))));
    assert_eq!(stack.items(&format!("sub-1.{approval}")).await.len(), 1, "it is in the list");
    stack.advance_clock(DAY);
    assert_eq!(act(&stack, "third", addition("max")).await.status, 202, "the first one has expired");
}

#[tokio::test]
async fn without_approvals_a_portal_user_is_added_at_once_and_the_history_says_so() {
    let stack = without_approvals().await;
    let added = act(&stack, "key", addition("lee")).await;
    assert_eq!((added.status, &added.body), (202, &json!({})));
    assert_eq!(sees(&stack, "lee", "click").await, (true, 1, 2));
    let entry = stack.items("EVENT#0000000002").await.pop().unwrap();
    let texts = ["what", "detail", "reason"].map(|name| entry[name]["S"].as_str().unwrap());
    assert_eq!(texts, ["portal-user-added", "without-approval", REASON]);
    assert_eq!(outcome(&act(&stack, "again", addition("lee")).await), CONFLICT, "a portal user already");
    let upper_case = Call::add_portal_user("sub-1", &json!({ "reason": REASON, "email": "LEE@fabrikam.example" }));
    assert_eq!(outcome(&act(&stack, "upper", upper_case).await), CONFLICT, "the same address");
    assert_eq!(
        outcome(
            &act(&stack, "2", Call::add_portal_user("sub-2", &json!({ "reason": REASON, "email": address("lee") })))
                .await
        ),
        NOT_FOUND
    );
}

#[tokio::test]
async fn people_and_organizations_of_an_issuer_can_be_added() {
    let stack = without_approvals().await;
    let issuer = stack.provider.issuer().to_owned();
    let subject = json!({ "reason": REASON, "issuer": issuer, "subject": "lee" });
    let organization = json!({ "reason": REASON, "issuer": issuer, "organization": "fabrikam" });
    for (key, body) in [("subject", subject), ("organization", organization)] {
        assert_eq!(act(&stack, key, Call::add_portal_user("sub-1", &body)).await.status, 202);
    }
    let lee = stack.token_with("lee@elsewhere.example", &json!({ "sub": "lee", "email_verified": false }));
    assert!(stack.retrieve(&lee, "sub-1", "click").await.password().is_some());
    let principal = Principal::organization(&issuer, "fabrikam").to_string();
    let item = stack.items(&format!("PORTAL_USER#{principal}")).await.pop().unwrap();
    assert_eq!((&item["issuer"]["S"], &item["organization"]["S"]), (&json!(issuer), &json!("fabrikam")));
    assert_eq!(act(&stack, "remove", Call::remove_portal_user("sub-1", &principal, REASON)).await.status, 202);
    assert_eq!(portal_users(&stack).await, 4);
}

#[tokio::test]
async fn an_operator_can_add_again_whom_one_has_removed() {
    let stack = without_approvals().await;
    assert_eq!(act(&stack, "remove", removal("dana")).await.status, 202);
    assert_eq!(act(&stack, "add", addition("dana")).await.status, 202);
    assert_eq!(sees(&stack, "dana", "click").await, (true, 1, 3));
    assert!(item(&stack, "dana").await.unwrap()["removed_at"].is_null());
    let mut paid = event("sub-1", "paid");
    paid["detail"]["portal_users"] = json!([{ "email": address("dana") }]);
    stack.start_subscription(paid).await;
    assert_eq!(sees(&stack, "dana", "click").await.1, 1);
}

#[tokio::test]
async fn a_subscription_has_at_most_a_hundred_portal_users() {
    let stack = Deployment::default().with("DESK_APPROVAL", "off").start().await;
    let mut started = event("sub-1", "trial");
    let users: Vec<Value> = (0..98).map(|n| json!({ "email": address(&format!("user-{n}")) })).collect();
    started["detail"]["portal_users"] = users.into();
    stack.start_subscription(started).await;
    assert_eq!(act(&stack, "100", addition("lee")).await.status, 202);
    assert_eq!(outcome(&act(&stack, "101", addition("max")).await), CONFLICT);
    assert_eq!(act(&stack, "remove", removal("user-1")).await.status, 202);
    assert_eq!(act(&stack, "again", addition("max")).await.status, 202);
}

#[tokio::test]
async fn an_act_on_a_subscription_that_has_ended_is_a_conflict() {
    let stack = without_approvals().await;
    let session = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().unwrap();
    stack.call("reset-password", Call::reset_password(&session, CHOSEN)).await;
    close(&stack, "admin@fabrikam").await;
    end(&stack).await;
    let before = stack.items("").await;
    for (key, call) in [("1", addition("lee")), ("2", removal("dana")), ("3", Call::unlock("admin@fabrikam", REASON))] {
        assert_eq!(outcome(&act(&stack, key, call).await), CONFLICT, "{key}");
    }
    let mut after = stack.items("").await;
    after.retain(|item| !item["PK"]["S"].as_str().unwrap().starts_with("OPERATOR#"));
    assert_eq!(after, before);
}

/// Starts a stack whose service administrator has chosen a password and signs in as a stranger, from an unknown network.
async fn chosen() -> TestStack {
    let stack = TestStack::start().await;
    stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    stack
}

async fn signs_in(stack: &TestStack) -> u16 {
    stack.call("sign-in", Call::sign_in("admin@fabrikam", CHOSEN).from(STRANGER)).await.status
}

#[tokio::test]
async fn an_unlocked_account_is_open_again_with_its_password() {
    let stack = chosen().await;
    close(&stack, "admin@fabrikam").await;
    assert_eq!(signs_in(&stack).await, 401, "closed to strangers");
    let unlocked = act(&stack, "key", Call::unlock("Admin@Fabrikam", REASON)).await;
    assert_eq!((unlocked.status, &unlocked.body), (202, &json!({})));
    assert_eq!(signs_in(&stack).await, 200);
    let entry = stack.items("EVENT#").await.pop().unwrap();
    let texts = ["what", "account", "reason", "by"].map(|name| entry[name]["S"].as_str().unwrap());
    assert_eq!(texts, ["account-unlocked", "admin@fabrikam", REASON, OLIVIA]);
    assert_eq!(act(&stack, "key", Call::unlock("Admin@Fabrikam", REASON)).await.status, 202, "the same click");
    assert_eq!(stack.history("sub-1").await.iter().filter(|entry| entry.starts_with("account-unlocked")).count(), 1);
}

#[tokio::test]
async fn only_an_account_that_failures_have_closed_can_be_unlocked() {
    let stack = started().await;
    close(&stack, "admin@fabrikam").await;
    assert_eq!(outcome(&act(&stack, "1", Call::unlock("admin@fabrikam", REASON)).await), CONFLICT, "temporary");
    let session = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().unwrap();
    stack.call("reset-password", Call::reset_password(&session, CHOSEN)).await;
    assert_eq!(outcome(&act(&stack, "2", Call::unlock("admin@fabrikam", REASON)).await), CONFLICT, "not closed");
    for (n, name) in ["lee@fabrikam", "no user name", ""].into_iter().enumerate() {
        assert_eq!(outcome(&act(&stack, &format!("name-{n}"), Call::unlock(name, REASON)).await), NOT_FOUND, "{name}");
    }
}

#[tokio::test]
async fn an_account_is_unlocked_three_times_a_day() {
    let stack = chosen().await;
    for n in 0..3 {
        close(&stack, "admin@fabrikam").await;
        assert_eq!(act(&stack, &format!("{n}"), Call::unlock("admin@fabrikam", REASON)).await.status, 202, "{n}");
    }
    close(&stack, "admin@fabrikam").await;
    let refused = act(&stack, "3", Call::unlock("admin@fabrikam", REASON)).await;
    assert_eq!(outcome(&refused), (429, Some("too-many-attempts")));
    let wait: i64 = refused.headers["retry-after"].parse().unwrap();
    assert!((1..=DAY).contains(&wait));
    assert_eq!((signs_in(&stack).await, stack.items("EVENT#").await.len()), (401, 6));
    stack.advance_clock(wait);
    assert_eq!(act(&stack, "3", Call::unlock("admin@fabrikam", REASON)).await.status, 202);
}

#[tokio::test]
async fn everyone_but_an_operator_in_a_browser_is_refused_before_anything_is_read() {
    let stack = started().await;
    let without_role = stack.operator_token_with(OLIVIA, &json!({ "roles": ["sales"] }));
    let with_role = stack.token_with(OLIVIA, &json!({ "roles": ["support"] }));
    let cookie = |token: &str| removal("dana").operator(token).key("key");
    let unknown = stack.call("portal", Call::get("/nowhere")).await;
    stack.warm_up().await;
    stack.cloud.clear_requests();
    for (who, call) in [
        ("a stranger", removal("dana").key("key")),
        ("an operator without the role", cookie(&without_role)),
        ("a customer", cookie(&stack.token(OLIVIA))),
        ("a customer with the role", cookie(&with_role)),
        ("a customer's bearer token", removal("dana").bearer(&stack.token(OLIVIA)).key("key")),
    ] {
        let answer = stack.call("change-access", call).await;
        assert_eq!((outcome(&answer), &answer.body["detail"]), (NOT_FOUND, &unknown.body["detail"]), "{who}");
    }
    let foreign = cookie(&stack.operator_token(OLIVIA)).header("sec-fetch-site", "cross-site");
    assert_eq!(stack.call("change-access", foreign).await.problem(), Some("forbidden"));
    assert_eq!(stack.cloud.requests().len(), 0, "no call of AWS");
    for call in [removal("dana"), addition("lee"), Call::unlock("admin@fabrikam", REASON)] {
        let bearer = call.bearer(&stack.operator_token(OLIVIA)).key("key");
        assert_eq!(outcome(&stack.call("change-access", bearer).await), (403, Some("forbidden")));
    }
    assert_eq!((portal_users(&stack).await, stack.history("sub-1").await.len()), (3, 1));
}

#[tokio::test]
async fn an_operator_has_fifteen_acts_at_once_and_one_more_every_forty_seconds() {
    let stack = started().await;
    for n in 0..15 {
        assert_eq!(act(&stack, &n.to_string(), removal("mallory")).await.status, 404, "{n}");
    }
    let limited = act(&stack, "key", removal("dana")).await;
    assert_eq!(outcome(&limited), (429, Some("too-many-attempts")));
    let wait: i64 = limited.headers["retry-after"].parse().unwrap();
    assert!((1..=40).contains(&wait), "{wait}");
    assert_eq!(
        act_as(&stack, OMAR, "key", removal("mallory")).await.status,
        404,
        "another operator has a budget of their own"
    );
    stack.advance_clock(wait);
    assert_eq!(act(&stack, "key", removal("dana")).await.status, 202);
}
