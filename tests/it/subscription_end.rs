//! Tests of the end of a subscription, and of a later start.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use cloud::{Fault, Mode, Service};
use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Call, Deployment, TestStack, at, ended, event, table::Table};

use crate::administrators::{
    ADMIN, CHOSEN, LEE, LEES, MO, MOS, REFILL, Team, change, is_signed_in, outcome, stored_items,
};

const DANA: &str = "dana@fabrikam.example";
const LEFT: &str = "left@fabrikam.example";

/// When the clock of these tests starts: 25 November 2026, 09:00 UTC, after the first start and the end.
const LATER: i64 = 1_795_597_200;

/// The times of events, in their order. The first is that of [`event`], the second that of [`ended`].
const TIMES: [&str; 4] =
    ["2026-11-10T09:00:00Z", "2026-11-20T09:00:00Z", "2026-11-21T09:00:00Z", "2026-11-22T09:00:00Z"];

fn deployment() -> Deployment {
    Deployment::default().with_start_time(LATER).with_redelivery_delay(Duration::from_millis(20))
}

/// Returns the credential of a subscription, or null.
async fn credential(stack: &TestStack, subscription: &str) -> Value {
    let mut all = stack.items("CREDENTIAL").await;
    all.retain(|item| item["PK"]["S"] == format!("SUBSCRIPTION#{subscription}"));
    all.pop().unwrap_or_default()
}

/// Returns the items that note what is to be purged.
pub(crate) async fn notes(stack: &TestStack) -> Vec<Value> {
    let mut all = stack.items("SUBSCRIPTION#").await;
    all.retain(|item| item["PK"]["S"].as_str().unwrap().starts_with("PURGE#"));
    all
}

/// Returns the status and the version of every account of a subscription.
async fn accounts(stack: &TestStack, subscription: &str) -> Vec<(String, String, u64)> {
    let mut all = stack.items("ACCOUNT").await;
    all.retain(|item| item["subscription_id"]["S"] == subscription);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let line = |item: &Value| {
        (text(&item["PK"]["S"]), text(&item["status"]["S"]), text(&item["version"]["N"]).parse().unwrap())
    };
    all.iter().map(line).collect()
}

/// Asserts that nothing of a subscription does anything any more: no session, no password, no retrieval, no mail and no act.
async fn assert_over(stack: &TestStack, sessions: &[String], passwords: &[(&str, &str)], story: &str) {
    stack.advance_clock(REFILL);
    let before = stored_items(stack).await;
    for session in sessions {
        assert!(!is_signed_in(stack, session).await, "{story}");
        for (function, call) in [
            ("create-admin", Call::add_admin(session, "noor@fabrikam", LEES)),
            ("create-admin", Call::create_admin(session, "noor@fabrikam", LEES)),
            ("show-history", Call::show_history("sub-1").session(session)),
        ] {
            let answer = stack.call(function, call).await;
            assert!([401, 404].contains(&answer.status), "{story}, {function}: {answer:?}");
        }
        let page = stack.call("portal", Call::get("/administration").session(session)).await;
        assert!(page.body.as_str().unwrap().contains("data-form=\"sign-in\""), "{story}");
    }
    for (name, password) in passwords {
        let answer = stack.sign_in(name, password).await;
        assert_eq!(outcome(&answer), (401, Some("invalid-credentials")), "{story}: {name}");
    }
    let dana = stack.token(DANA);
    let shown = stack.retrieve(&dana, "sub-1", "after").await;
    assert_eq!((shown.password(), shown.reasons().contains(&"subscription-ended")), (None, true), "{story}: {shown:?}");
    let renewed = stack.call("renew-credentials", Call::renew_credentials("sub-1").bearer(&dana)).await;
    assert_eq!(outcome(&renewed), (409, Some("conflict")), "{story}");
    let resent = stack.call("resend-mail", Call::resend_mail("sub-1").bearer(&dana)).await;
    assert_eq!(resent.status, 409, "{story}: {resent:?}");
    let issue = credential(stack, "sub-1").await["issue"]["N"].as_str().unwrap().parse::<u64>().unwrap();
    let body = json!({ "reason": "Ticket 4711", "if_issue": issue });
    let operator = stack.operator_token("olivia@contoso.example");
    let reissued = stack.desk_post("/desk/api/subscriptions/sub-1/reissues", &operator, story, &body).await;
    assert_eq!(outcome(&reissued), (409, Some("conflict")), "{story}");
    let listed = stack.list(&dana).await.body["subscriptions"][0].take();
    assert_eq!(listed["credentials"]["state"], "ended", "{story}");
    let mut after = stored_items(stack).await;
    after.retain(|item| !item["PK"]["S"].as_str().unwrap().starts_with("OPERATOR#"));
    let mut before = before;
    before.retain(|item| !item["PK"]["S"].as_str().unwrap().starts_with("OPERATOR#"));
    assert_eq!(after, before, "{story}: nothing is written");
}

#[tokio::test]
async fn an_end_in_the_first_days_ends_the_retrieval_and_the_temporary_password() {
    let stack = deployment().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let temporary = stack.mailed_password();
    assert_eq!(stack.retrieve(&stack.token(DANA), "sub-1", "after").await.password(), Some(&*temporary));
    let reset = stack.sign_in(ADMIN, &temporary).await.session().unwrap();
    stack.end_subscription(ended("sub-1")).await;
    assert_over(&stack, &[reset], &[(ADMIN, &temporary)], "signed-in").await;
    let credential = credential(&stack, "sub-1").await;
    assert!(credential["sealed_password"].is_null() && credential["closed_at"].is_object(), "{credential}");
    assert_eq!(stack.history("sub-1").await.last().unwrap(), "subscription-ended by vendor");
}

#[tokio::test]
async fn an_end_before_the_first_retrieval_leaves_nothing_to_retrieve_and_nothing_to_remind_of() {
    let stack = deployment().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let (temporary, mails) = (stack.mailed_password(), stack.cloud.inbox().len());
    stack.end_subscription(ended("sub-1")).await;
    assert_over(&stack, &[], &[(ADMIN, &temporary)], "issued").await;
    stack.advance_clock(5 * 24 * 3600);
    stack.pass_time(2 * 3600).await;
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), mails, "no reminder");
}

#[tokio::test]
async fn an_end_after_the_hand_over_closes_the_administrators_and_their_sessions() {
    let team = Team::begin(deployment().start().await).await;
    let stack = &team.stack;
    let temporary = stack.add_administrator(&team.lee, LEES, "noor@fabrikam").await;
    let noor = stack.sign_in("noor@fabrikam", &temporary).await.session().unwrap();
    let versions = accounts(stack, "sub-1").await;
    stack.end_subscription(ended("sub-1")).await;
    let sessions = [team.lee.clone(), team.mo.clone(), noor];
    let passwords = [(LEE, LEES), (MO, MOS), ("noor@fabrikam", &*temporary), (ADMIN, CHOSEN)];
    assert_over(stack, &sessions, &passwords, "handed-over").await;
    for ((name, _, before), (_, status, after)) in versions.iter().zip(accounts(stack, "sub-1").await) {
        assert_eq!(status, "closed", "{name}");
        assert!(after == before + 1, "{name}: {before} and then {after}");
    }
    assert!(stack.items("ADMINISTRATOR#").await.iter().all(|item| item["status"]["S"] == "closed"));
    let history = stack.history("sub-1").await;
    assert_eq!(history.last().unwrap(), "subscription-ended by vendor");
    assert_eq!(history.iter().filter(|line| line.starts_with("administrator-removed")).count(), 0);
}

#[tokio::test]
async fn an_end_closes_a_service_administrator_who_is_active_beside_the_administrators() {
    let team = Team::begin(deployment().start().await).await;
    let temporary = crate::remove_admin::reawaken(&team.stack, 1).await;
    let service = team.stack.choose_password(ADMIN, &temporary, CHOSEN).await;
    team.stack.end_subscription(ended("sub-1")).await;
    let sessions = [service, team.lee.clone()];
    assert_over(&team.stack, &sessions, &[(ADMIN, CHOSEN), (ADMIN, &temporary), (LEE, LEES)], "reawakened").await;
}

#[tokio::test]
async fn an_end_that_is_delivered_again_changes_nothing_more() {
    let team = Team::begin(deployment().start().await).await;
    team.stack.end_subscription(ended("sub-1")).await;
    let before = team.stack.items("").await;
    team.stack.advance_clock(3600);
    for event in [ended("sub-1"), ended("sub-1"), at(ended("sub-1"), "2026-11-19T09:00:00Z")] {
        team.stack.end_subscription(event).await;
    }
    let failures: Vec<_> = join_all((0..10).map(|_| team.stack.publish(ended("sub-1")))).await;
    assert!(failures.iter().all(|failed| *failed == json!([])), "{failures:?}");
    assert_eq!(team.stack.items("").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_delivered_many_times_at_once_is_one_end() {
    let team = Team::begin(deployment().start().await).await;
    let versions = accounts(&team.stack, "sub-1").await;
    join_all((0..10).map(|_| team.stack.publish(ended("sub-1")))).await;
    team.stack.cloud.drained().await.unwrap();
    assert_eq!(team.stack.cloud.dead_letters().len(), 0);
    let history = team.stack.history("sub-1").await;
    assert_eq!(history.iter().filter(|line| *line == "subscription-ended by vendor").count(), 1, "{history:#?}");
    for ((name, was, before), (_, status, after)) in versions.iter().zip(accounts(&team.stack, "sub-1").await) {
        assert_eq!((&*status, after), ("closed", before + 1), "{name} was {was}");
    }
    assert_eq!(notes(&team.stack).await.len(), 1, "one item for the purge");
}

#[tokio::test]
async fn a_purge_is_noted_for_the_day_that_the_retention_ends() {
    let stack = deployment().with("RETENTION_DAYS", "30").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.end_subscription(ended("sub-1")).await;
    let noted = notes(&stack).await;
    let ended_at = credential(&stack, "sub-1").await["ended_at"]["N"].as_str().unwrap().to_owned();
    assert_eq!((noted.len(), &noted[0]["SK"]["S"]), (1, &json!(format!("SUBSCRIPTION#sub-1#{ended_at}"))));
    let day = ["PURGE#2026-12-20", "PURGE#2026-12-25"];
    assert!(day.contains(&noted[0]["PK"]["S"].as_str().unwrap()), "thirty days after the end: {noted:?}");
    assert!(stack.items("").await.iter().filter(|item| item["PK"]["S"] == "SUBSCRIPTION#sub-1").all(|item| {
        item["ttl"].is_null()
            || !["CREDENTIAL", "EVENT", "LIFE"].iter().any(|key| item["SK"]["S"].as_str().unwrap().starts_with(key))
    }));
}

#[tokio::test]
async fn an_event_that_is_no_end_fails_alone_and_changes_nothing() {
    let stack = deployment().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let before = stack.items("").await;
    let with = |detail: Value| {
        let mut event = ended("sub-1");
        event["detail"] = detail;
        event
    };
    for (n, event) in [
        with(json!({})),
        with(json!({ "subscription_id": "sub 1" })),
        with(json!({ "subscription_id": null })),
        with(json!("sub-1")),
    ]
    .into_iter()
    .enumerate()
    {
        assert_ne!(stack.publish(event).await, json!([]), "{n}");
    }
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.dead_letters().len(), 4);
    assert_eq!(stack.items("").await, before);
    stack.end_subscription(with(json!({ "subscription_id": " sub-1 ", "of_a_later_release": 1 }))).await;
    assert!(credential(&stack, "sub-1").await["ended_at"].is_object(), "what is cosmetic is read leniently");
}

/// Returns every order of the numbers below `n`.
fn orders(n: usize) -> Vec<Vec<usize>> {
    let Some(last) = n.checked_sub(1) else { return vec![vec![]] };
    let with_last =
        |order: Vec<usize>| (0..=order.len()).map(move |place| [&order[..place], &[last], &order[place..]].concat());
    orders(last).into_iter().flat_map(with_last).collect()
}

/// Returns event number `n` of a life: starts and ends in turn, each later than the one before.
fn life(company: &str, n: usize) -> Value {
    let subscription = format!("sub-{company}");
    if n % 2 == 1 {
        return at(ended(&subscription), TIMES[n]);
    }
    let mut start = at(event(&subscription, if n == 0 { "trial" } else { "paid" }), TIMES[n]);
    start["detail"]["company"]["id"] = company.into();
    start
}

/// Delivers the events of a life in an order, each `times` times, and waits until all are done.
async fn live(stack: &TestStack, company: &str, order: &[usize], times: usize) {
    for n in order {
        for _ in 0..times {
            stack.publish(life(company, *n)).await;
        }
        stack.cloud.drained().await.unwrap();
    }
    assert_eq!(stack.cloud.dead_letters().len(), 0, "{order:?}");
}

/// Returns the temporary password that was mailed last to a company's subscription.
fn mailed_to(stack: &TestStack, company: &str) -> Option<String> {
    let subscription = format!("sub-{company}");
    let inbox = stack.cloud.inbox();
    let mails = inbox.iter().rev().filter(|mail| mail.tags["subscription"] == subscription);
    let is_password = |line: &&str| line.len() == 23 && line.split('-').all(|group| group.len() == 5);
    mails.filter_map(|mail| mail.text.lines().find(is_password)).map(str::to_owned).next()
}

async fn sign_in(stack: &TestStack, company: &str, password: &str, n: usize) -> u16 {
    let call = Call::sign_in(&format!("admin@{company}"), password).from(&format!("198.51.100.{}", n % 250));
    stack.call("sign-in", call).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn however_starts_and_ends_arrive_the_latest_of_them_holds() {
    let stack = deployment().start().await;
    let mut tried = 0;
    for (events, times) in [(2, 1), (2, 2), (3, 1), (3, 2), (4, 1)] {
        for order in orders(events) {
            tried += 1;
            let company = &format!("c{tried}");
            live(&stack, company, &order, times).await;
            let credential = credential(&stack, &format!("sub-{company}")).await;
            let story = format!("{order:?}, {times} times: {credential}");
            let password = mailed_to(&stack, company);
            if events % 2 == 0 {
                assert!(credential.is_null() || credential["ended_at"].is_object(), "{story}");
                if let Some(password) = password {
                    assert_eq!(sign_in(&stack, company, &password, tried).await, 401, "{story}");
                }
                assert!(credential["sealed_password"].is_null(), "{story}");
            } else {
                assert!(credential["ended_at"].is_null() && credential["closed_at"].is_null(), "{story}");
                let password = password.unwrap_or_else(|| panic!("{story}: no mail"));
                assert_eq!(sign_in(&stack, company, &password, tried).await, 200, "{story}");
                assert_eq!(credential["kind"]["S"], "paid", "{story}");
            }
        }
    }
}

#[tokio::test]
async fn an_end_older_than_the_start_changes_nothing_but_what_is_known_of_the_life() {
    let stack = deployment().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let without_life = async || {
        let mut all = stack.items("").await;
        all.retain(|item| item["SK"]["S"] != "LIFE");
        all
    };
    let before = without_life().await;
    stack.end_subscription(at(ended("sub-1"), "2026-11-10T08:59:59Z")).await;
    assert_eq!(without_life().await, before);
    assert_eq!(stack.sign_in(ADMIN, &stack.mailed_password()).await.status, 200);
}

#[tokio::test]
async fn at_the_same_second_the_end_holds() {
    for is_start_first in [true, false] {
        let stack = deployment().start().await;
        let mut events = vec![event("sub-1", "trial"), at(ended("sub-1"), TIMES[0])];
        if !is_start_first {
            events.reverse();
        }
        for event in events {
            assert_eq!(stack.publish(event).await, json!([]));
            stack.cloud.drained().await.unwrap();
        }
        let credential = credential(&stack, "sub-1").await;
        assert!(credential.is_null() || credential["ended_at"].is_object(), "{is_start_first}: {credential}");
        let accounts = accounts(&stack, "sub-1").await;
        assert!(accounts.iter().all(|(_, status, _)| status == "closed"), "{accounts:?}");
    }
}

#[tokio::test]
async fn a_start_after_an_end_of_an_unknown_subscription_starts_only_if_it_is_later() {
    let stack = deployment().start().await;
    stack.end_subscription(ended("sub-1")).await;
    assert_eq!(stack.publish(event("sub-1", "trial")).await, json!([]), "it is acknowledged");
    stack.cloud.drained().await.unwrap();
    assert!(stack.items("CREDENTIAL").await.is_empty() && stack.cloud.inbox().is_empty());
    stack.start_subscription(at(event("sub-1", "trial"), TIMES[2])).await;
    assert_eq!(stack.sign_in(ADMIN, &stack.mailed_password()).await.next(), Some("reset-password"));
}

#[tokio::test]
async fn a_start_without_a_time_is_dated_by_its_arrival() {
    let stack = deployment().start().await;
    stack.end_subscription(ended("sub-1")).await;
    let mut start = event("sub-1", "trial");
    start.as_object_mut().unwrap().remove("time");
    stack.start_subscription(start).await;
    assert_eq!(stack.cloud.inbox().len(), 1, "today is after the end");
    stack.end_subscription(at(ended("sub-1"), "2026-11-24T09:00:00Z")).await;
    assert!(credential(&stack, "sub-1").await["ended_at"].is_null(), "yesterday's end is older than the start");
}

/// A team whose further administrators, all proven, are in the table.
async fn large_team(count: usize) -> Team {
    let team = Team::begin(deployment().start().await).await;
    let (account, item) = (team.stack.account(MO).await, team.stack.items("ADMINISTRATOR#").await.remove(0));
    let mut more = Vec::new();
    for n in 2..count {
        let (mut account, mut item) = (account.clone(), item.clone());
        let id = format!("01ARYZ6RR0ZZZZZZZZZZZZZZ{n:02}");
        account["PK"]["S"] = format!("ACCOUNT#person-{n}@fabrikam").into();
        account["account_id"]["S"] = id.clone().into();
        item["SK"]["S"] = format!("ADMINISTRATOR#{id}").into();
        item["user_name"]["S"] = format!("person-{n}@fabrikam").into();
        more.extend([account, item]);
    }
    Table::connect(&team.stack.cloud.aws_url(), "tests").put_all(&more).await;
    team
}

/// Asserts that every account is closed and was written once.
async fn assert_closed_once(stack: &TestStack, before: &[(String, String, u64)], story: &str) {
    let after = accounts(stack, "sub-1").await;
    assert_eq!(after.len(), before.len(), "{story}");
    for ((name, _, before), (_, status, after)) in before.iter().zip(&after) {
        assert_eq!((&**status, *after), ("closed", before + 1), "{story}: {name}");
    }
    assert!(stack.items("ADMINISTRATOR#").await.iter().all(|item| item["status"]["S"] == "closed"), "{story}");
    let credential = credential(stack, "sub-1").await;
    assert!(credential["closed_at"].is_object(), "{story}: {credential}");
    let history = stack.history("sub-1").await;
    assert_eq!(history.iter().filter(|line| *line == "subscription-ended by vendor").count(), 1, "{story}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_administrators_are_closed_across_failures_and_redeliveries() {
    for calls in 0..4 {
        for (mode, count) in [(Mode::Refused, 6), (Mode::LostResponse, 6), (Mode::Reset, 6)] {
            let team = large_team(50).await;
            let before = accounts(&team.stack, "sub-1").await;
            assert_eq!(before.len(), 51);
            let fault = Fault::new(Service::DynamoDb, "TransactWriteItems", mode, count);
            team.stack.cloud.set_fault(fault.after(calls).on_function("subscription-end"));
            team.stack.publish(ended("sub-1")).await;
            team.stack.cloud.drained().await.unwrap();
            let story = format!("{mode:?} after {calls} calls");
            assert_eq!(team.stack.cloud.dead_letters().len(), 0, "{story}");
            assert_closed_once(&team.stack, &before, &story).await;
            if !support::has_env("FIRSTKEY_FULL") {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_whose_function_dies_between_its_transactions_goes_on_where_it_stopped() {
    let team = large_team(50).await;
    let before = accounts(&team.stack, "sub-1").await;
    let mut gate =
        team.stack.cloud.gate(|call| call.operation == "TransactWriteItems" && call.function == "subscription-end");
    let die = async {
        for _ in 0..2 {
            gate.next().await.unwrap().release().await;
        }
        let held = gate.next().await.unwrap();
        team.stack.kill("subscription-end");
        // The gate holds the next delivery too. From the first transaction on nothing works, also of those who are not closed yet.
        let half = accounts(&team.stack, "sub-1").await;
        let open = half.iter().filter(|(_, status, _)| status == "active").count();
        assert!((1..50).contains(&open), "{open} are still active");
        assert!(!is_signed_in(&team.stack, &team.lee).await && !is_signed_in(&team.stack, &team.mo).await);
        for (name, password) in [(LEE, LEES), (MO, MOS), ("person-49@fabrikam", MOS)] {
            assert_eq!(team.stack.sign_in(name, password).await.status, 401, "{name}");
        }
        let late = at(event("sub-1", "paid"), TIMES[2]);
        let failed = team.stack.invoke("subscription-start", queued(&late)).await;
        assert_ne!(failed["batchItemFailures"], json!([]), "a start waits until all are closed");
        drop((held, gate));
    };
    let (killed, ()) = tokio::join!(team.stack.cloud.deliver(ended("sub-1")), die);
    assert!(killed.is_err(), "{killed:?}");
    team.stack.cloud.drained().await.unwrap();
    assert_closed_once(&team.stack, &before, "killed").await;
}

/// Returns a batch with an event, as a queue delivers it.
fn queued(event: &Value) -> Value {
    json!({ "Records": [{ "messageId": "message", "body": event.to_string() }] })
}

// A later start.

/// Returns a start after the end, with other people and another language.
fn restart(subscription: &str) -> Value {
    let mut start = at(event(subscription, "paid"), TIMES[2]);
    start["detail"]["service_administrator"]["email"] = "new@fabrikam.example".into();
    start["detail"]["portal_users"] = json!([{ "email": "ned@fabrikam.example" }, { "email": DANA }]);
    start["detail"]["product"] = "Contoso Online Suite Plus".into();
    start["detail"]["locale"] = "de".into();
    start
}

/// Starts a team, whose portal users have used all their retrievals, and ends its subscription.
async fn over() -> Team {
    let stack = deployment().start().await;
    let mut start = event("sub-1", "trial");
    start["detail"]["portal_users"] = json!([{ "email": DANA }, { "email": LEFT }]);
    stack.start_subscription(start).await;
    let temporary = stack.mailed_password();
    stack.retrieve(&stack.token(LEFT), "sub-1", "left").await;
    let service = stack.choose_password(ADMIN, &temporary, CHOSEN).await;
    let lee = stack.first_administrator(&service, LEE, LEES).await;
    let mo = stack.proven_administrator(&lee, LEES, MO, MOS).await;
    stack.advance_clock(REFILL);
    let (lees_id, mos_id) = (stack.account_id(LEE).await, stack.account_id(MO).await);
    stack.end_subscription(ended("sub-1")).await;
    Team { stack, lee, mo, lees_id, mos_id }
}

#[tokio::test]
async fn a_start_after_the_end_is_a_first_one_under_the_next_issue() {
    let team = over().await;
    let stack = &team.stack;
    stack.start_subscription(restart("sub-1")).await;
    let mail = stack.cloud.inbox().pop().unwrap();
    assert_eq!((&*mail.to, &*mail.tags["issue"]), ("new@fabrikam.example", "2"));
    let temporary = stack.mailed_password();
    let credential = credential(stack, "sub-1").await;
    for gone in ["ended_at", "closed_at", "handed_over_at", "renewals", "signed_in_at", "changed_at"] {
        assert!(credential[gone].is_null(), "{gone}: {credential}");
    }
    assert_eq!(
        (&credential["issue"]["N"], &credential["kind"]["S"], &credential["product"]["S"]),
        (&json!("2"), &json!("paid"), &json!("Contoso Online Suite Plus"))
    );
    assert_eq!(credential["retrievals"]["M"], json!({}));
    let history = stack.history("sub-1").await;
    assert_eq!(history[history.len() - 2..], ["subscription-ended by vendor", "issued by vendor"]);

    for (address, sees) in [("ned@fabrikam.example", true), (DANA, true), ("new@fabrikam.example", true), (LEFT, false)]
    {
        let token = stack.token(address);
        let listed = stack.list(&token).await.body["subscriptions"].as_array().unwrap().len();
        assert_eq!(listed, usize::from(sees), "{address}");
        let answer = stack.call("show-history", Call::show_history("sub-1").bearer(&token)).await;
        assert_eq!(answer.status, if sees { 200 } else { 404 }, "{address}");
    }
    let left = stack.retrieve(&stack.token(LEFT), "sub-1", "left").await;
    assert_eq!(outcome(&left), (404, Some("not-found")), "not even by a replay");
    assert_eq!(stack.retrieve(&stack.token(DANA), "sub-1", "new").await.password(), Some(&*temporary));
    assert_eq!(credential["portal_users"]["BS"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn former_administrators_stay_closed_until_a_new_one_resets_their_password() {
    let team = over().await;
    let stack = &team.stack;
    stack.start_subscription(restart("sub-1")).await;
    stack.advance_clock(REFILL);
    for (name, password) in [(LEE, LEES), (MO, MOS), (ADMIN, CHOSEN)] {
        assert_eq!(stack.sign_in(name, password).await.status, 401, "{name}");
    }
    for session in [&team.lee, &team.mo] {
        assert!(!is_signed_in(stack, session).await);
    }
    let temporary = stack.mailed_password();
    let service = stack.choose_password(ADMIN, &temporary, CHOSEN).await;
    let taken = stack.call("create-admin", Call::create_admin(&service, LEE, LEES).key("lee")).await;
    assert_eq!(outcome(&taken), (409, Some("user-name-taken")), "the names stay taken");
    let noor = stack.first_administrator(&service, "noor@fabrikam", LEES).await;
    let home = stack.call("portal", Call::get("/administration").session(&noor)).await;
    assert!(!home.body.as_str().unwrap().contains(LEE));
    let reset = stack.call("reset-admin", Call::reset_admin(&noor, &team.lees_id, LEES)).await;
    let lee = stack.choose_password(LEE, reset.temporary_password().unwrap(), "a new morning for an old name").await;
    assert!(is_signed_in(stack, &lee).await);
    assert_eq!((stack.account_id(LEE).await, stack.sign_in(MO, MOS).await.status), (team.lees_id.clone(), 401));
}

#[tokio::test]
async fn a_start_that_is_delivered_again_starts_nothing_more_and_the_next_end_ends_it() {
    let team = over().await;
    let stack = &team.stack;
    for _ in 0..3 {
        stack.start_subscription(restart("sub-1")).await;
    }
    assert_eq!(credential(stack, "sub-1").await["issue"]["N"], "2");
    assert_eq!(notes(stack).await.len(), 1, "the purge of the first end finds another life");
    let temporary = stack.mailed_password();
    stack.end_subscription(ended("sub-1")).await;
    assert_eq!(stack.sign_in(ADMIN, &temporary).await.status, 200, "the first end is over");
    stack.end_subscription(at(ended("sub-1"), TIMES[3])).await;
    assert_over(stack, &[], &[(ADMIN, &temporary)], "ended-again").await;
}

#[tokio::test]
async fn a_start_after_the_end_for_another_company_is_refused() {
    let team = over().await;
    let stack = &team.stack;
    let mut other = restart("sub-1");
    other["detail"]["company"]["id"] = "northwind".into();
    let failed = stack.publish(other).await;
    stack.cloud.drained().await.unwrap();
    let credential = credential(stack, "sub-1").await;
    let is_refused = failed != json!([]) && credential["ended_at"].is_object();
    assert!(is_refused, "accounts of one company are never those of another: {credential}");
}

#[tokio::test]
async fn a_start_after_the_end_shows_its_customers_nothing_of_the_life_before() {
    let team = over().await;
    let stack = &team.stack;
    stack.start_subscription(restart("sub-1")).await;
    let dana = stack.token(DANA);
    let listed = stack.list(&dana).await.body["subscriptions"][0].take();
    assert_eq!(listed["credentials"]["state"], "issued");
    assert_eq!(listed["credentials"]["retrievals_remaining"], 3);
    assert_eq!(listed["kind"], "paid");
}

// Two subscriptions of one company.

/// Starts two subscriptions of Fabrikam, each with a proven administrator: Lee in `sub-1`, and Ann in `sub-2`. Returns their sessions.
async fn two_subscriptions() -> (TestStack, String, String) {
    let stack = deployment().start().await;
    let one = stack.service_administrator("sub-1", ADMIN, CHOSEN).await;
    let lee = stack.first_administrator(&one, LEE, LEES).await;
    let two = stack.service_administrator("sub-2", "admin-sub-2@fabrikam", CHOSEN).await;
    let ann = stack.first_administrator(&two, "ann@fabrikam", MOS).await;
    stack.advance_clock(REFILL);
    (stack, lee, ann)
}

/// Returns the items of a subscription, its accounts and their sessions.
async fn items_of_subscription(stack: &TestStack, subscription: &str) -> Vec<Value> {
    let mut all = stored_items(stack).await;
    all.retain(|item| {
        item["PK"]["S"] == format!("SUBSCRIPTION#{subscription}")
            || item["SK"]["S"] == format!("SUBSCRIPTION#{subscription}")
            || item["subscription_id"]["S"] == subscription
    });
    all
}

#[tokio::test]
async fn the_end_of_one_subscription_leaves_another_one_of_the_company_untouched() {
    let (stack, lee, ann) = two_subscriptions().await;
    let before = items_of_subscription(&stack, "sub-2").await;
    assert!(before.len() > 10, "{before:#?}");
    stack.end_subscription(ended("sub-1")).await;
    assert_eq!(items_of_subscription(&stack, "sub-2").await, before);
    assert!(!is_signed_in(&stack, &lee).await && is_signed_in(&stack, &ann).await);
    let noor = stack.proven_administrator(&ann, MOS, "noor@fabrikam", LEES).await;
    assert!(is_signed_in(&stack, &noor).await);
    stack.start_subscription(restart("sub-1")).await;
    assert!(is_signed_in(&stack, &ann).await && is_signed_in(&stack, &noor).await);
    let dana = stack.list(&stack.token(DANA)).await;
    let states: Vec<&Value> =
        dana.body["subscriptions"].as_array().unwrap().iter().map(|one| &one["credentials"]["state"]).collect();
    assert_eq!(states, ["issued", "handed-over"]);
}

#[tokio::test]
async fn no_right_crosses_from_one_subscription_of_a_company_to_another() {
    let (stack, lee, ann) = two_subscriptions().await;
    let (lees_id, anns_id) = (stack.account_id(LEE).await, stack.account_id("ann@fabrikam").await);
    let before = stored_items(&stack).await;
    for (session, id, password) in [(&lee, &anns_id, LEES), (&ann, &lees_id, MOS)] {
        for (function, call) in [
            ("reset-admin", Call::reset_admin(session, id, password)),
            ("remove-admin", Call::remove_admin(session, id, password)),
        ] {
            assert_eq!(outcome(&stack.call(function, call).await), (404, Some("not-found")), "{function}");
        }
    }
    for (session, subscription) in [(&lee, "sub-2"), (&ann, "sub-1")] {
        let history = stack.call("show-history", Call::show_history(subscription).session(session)).await;
        assert_eq!(outcome(&history), (404, Some("not-found")));
    }
    let home = async |session: &str| {
        stack.call("portal", Call::get("/administration").session(session)).await.body.to_string()
    };
    assert!(!home(&lee).await.contains("ann@fabrikam") && !home(&ann).await.contains(LEE));
    assert_eq!(stored_items(&stack).await, before);
    let taken = stack.call("create-admin", Call::add_admin(&lee, "ann@fabrikam", LEES)).await;
    assert_eq!(outcome(&taken), (409, Some("user-name-taken")), "they share the suffix of the names");
    let noor = stack.proven_administrator(&lee, LEES, "noor@fabrikam", MOS).await;
    let account = stack.account("noor@fabrikam").await;
    assert_eq!(account["subscription_id"]["S"], "sub-1", "of the subscription of the one who adds");
    let history = stack.call("show-history", Call::show_history("sub-2").session(&noor)).await;
    assert_eq!(history.status, 404);
}

#[tokio::test]
async fn an_end_is_published_and_the_portal_users_of_an_ended_subscription_stay_as_they_were() {
    let stack = deployment().publishing().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let users = credential(&stack, "sub-1").await["portal_users"].clone();
    stack.end_subscription(ended("sub-1")).await;
    stack.cloud.drained().await.unwrap();
    let published = stack.cloud.published();
    let closed: Vec<_> = published.iter().filter(|event| event.detail_type == "SubscriptionClosed").collect();
    assert_eq!((closed.len(), &closed[0].detail["subscription_id"]), (1, &json!("sub-1")));
    assert_eq!(closed.iter().filter_map(|event| crate::publish_events::misfit(event)).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(credential(&stack, "sub-1").await["portal_users"], users);
    let dana = BASE64_STANDARD.encode(domain::Principal::email(&domain::EmailAddress::parse(DANA).unwrap()).as_bytes());
    assert!(users["BS"].as_array().unwrap().contains(&json!(dana)));
    let support = Call::contact_support("sub-1", "Why has it ended?").bearer(&stack.token(DANA)).key("click");
    assert_eq!(stack.call("contact-support", support).await.status, 202, "a support request is still possible");
}

#[tokio::test]
async fn an_end_by_hand_of_an_earlier_release_is_completed_by_the_next_event() {
    let team = Team::begin(deployment().start().await).await;
    let credential_item = credential(&team.stack, "sub-1").await;
    change(&team.stack, credential_item, &[("ended_at", json!({ "N": "1795000000" }))]).await;
    assert!(!is_signed_in(&team.stack, &team.lee).await);
    team.stack.end_subscription(ended("sub-1")).await;
    let (accounts, credential) = (accounts(&team.stack, "sub-1").await, credential(&team.stack, "sub-1").await);
    assert!(accounts.iter().all(|(_, status, _)| status == "closed"), "{accounts:?}");
    assert!(credential["closed_at"].is_object(), "{credential}");
}
