//! Reissues by the support desk: what one operator does alone, and what takes two.

use cloud::{Fault, Mode, Service};
use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Answer, Call, Deployment, TestStack, event, table::Table};

const REISSUES: &str = "/desk/api/subscriptions/sub-1/reissues";
const OLIVIA: &str = "olivia@contoso.example";
const OMAR: &str = "omar@contoso.example";
const DANA: &str = "dana@fabrikam.example";
const IT: &str = "it@fabrikam.example";
const LEE: &str = "lee@fabrikam.example";
const ADMIN: &str = "admin@fabrikam";
const CHOSEN: &str = "seven green boats at noon";
const DAY: i64 = 24 * 60 * 60;

/// Starts a stack with a subscription.
async fn started() -> TestStack {
    with_subscription(Deployment::default()).await
}

async fn with_subscription(deployment: Deployment) -> TestStack {
    let stack = deployment.start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack
}

/// Starts a stack whose service administrator has chosen a password, and returns their session.
async fn with_chosen_password() -> (TestStack, String) {
    let stack = TestStack::start().await;
    let session = stack.service_administrator("sub-1", ADMIN, CHOSEN).await;
    (stack, session)
}

/// Starts a stack with a subscription that is handed over to Mo, and returns Mo's session.
async fn handed_over() -> (TestStack, String) {
    let (stack, service) = with_chosen_password().await;
    let created = stack.call("create-admin", Call::create_admin(&service, "mo@fabrikam", CHOSEN)).await;
    assert_eq!(created.status, 201);
    let session = stack.sign_in("mo@fabrikam", CHOSEN).await.session().expect("signs in");
    (stack, session)
}

fn wish(if_issue: u32) -> Value {
    json!({ "reason": "Ticket 4711", "if_issue": if_issue })
}

fn to_lee() -> Value {
    json!({ "reason": "The mail bounced", "email": LEE, "if_issue": 1 })
}

/// Reissues in the browser session of an operator who has just signed in.
async fn reissue(stack: &TestStack, who: &str, key: &str, body: &Value) -> Answer {
    stack.desk_post(REISSUES, &stack.operator_token(who), key, body).await
}

/// Asks for an approval, and returns its id.
async fn ask(stack: &TestStack, body: &Value) -> String {
    let answer = reissue(stack, OLIVIA, "ask", body).await;
    assert_eq!((answer.status, answer.body.as_object().unwrap().len()), (202, 1), "{answer:?}");
    answer.body["approval"].as_str().expect("the answer has an approval").to_owned()
}

fn approvals(id: &str) -> String {
    format!("/desk/api/subscriptions/sub-1/approvals/{id}")
}

/// Decides in the browser session of an operator who has just signed in.
async fn decide(stack: &TestStack, who: &str, id: &str, decision: &str) -> Answer {
    let (token, key) = (stack.operator_token(who), format!("{decision} {id}").replace(' ', "-"));
    stack.desk_post(&approvals(id), &token, &key, &json!({ "decision": decision })).await
}

fn outcome(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.problem())
}

/// Returns the items of the subscription with this sort key.
async fn item(stack: &TestStack, sort_key: &str) -> Value {
    let mut items = stack.items(sort_key).await;
    items.retain(|item| item["PK"]["S"] == "SUBSCRIPTION#sub-1" && item["SK"]["S"] == sort_key);
    items.pop().unwrap_or_default()
}

/// Changes an item by hand.
async fn set(stack: &TestStack, sort_key: &str, values: &[(&str, Value)]) {
    let mut changed = item(stack, sort_key).await;
    for (name, value) in values {
        changed[name] = value.clone();
    }
    Table::connect(&stack.cloud.aws_url(), "test").put(&changed).await;
}

async fn issue(stack: &TestStack) -> String {
    item(stack, "CREDENTIAL").await["issue"]["N"].as_str().unwrap().to_owned()
}

/// Returns the attributes of a person's item as a portal user of the subscription, and whether the person has a membership.
async fn portal_user(stack: &TestStack, address: &str) -> (Value, bool) {
    let own = |item: &&Value| item["address"]["S"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(address));
    let users = stack.items("PORTAL_USER#").await;
    let user = users.iter().find(own).cloned().unwrap_or_default();
    let memberships = stack.items("SUBSCRIPTION#sub-1").await;
    let is_listed = memberships.iter().any(|membership| membership["PK"] == user["SK"]);
    (user, is_listed)
}

async fn is_shown(stack: &TestStack, who: &str, key: &str) -> bool {
    stack.retrieve(&stack.token(who), "sub-1", key).await.password().is_some()
}

#[tokio::test]
async fn a_reissue_voids_everything_of_the_issue_before_and_mails_new_credentials() {
    let stack = started().await;
    let old = stack.mailed_password();
    for key in ["1", "2", "3"] {
        stack.retrieve(&stack.token(DANA), "sub-1", key).await;
    }
    let session = stack.sign_in(ADMIN, &old).await.session().expect("signs in");
    let answer = reissue(&stack, OLIVIA, "click", &wish(1)).await;
    assert_eq!((answer.status, &answer.body["issue"]), (202, &json!(2)), "{answer:?}");
    let mail = &answer.body["welcome_mail"];
    assert_eq!((&mail["status"], &mail["to"], mail.as_object().unwrap().len()), (&json!("pending"), &json!(IT), 3));
    let expires = domain::Timestamp::parse_rfc3339(answer.body["expires_at"].as_str().unwrap()).unwrap();
    let credential = item(&stack, "CREDENTIAL").await;
    assert_eq!(credential["expires_at"]["N"], expires.epoch_seconds().to_string());
    assert_eq!((&credential["signed_in_at"], &credential["retrievals"]["M"]), (&Value::Null, &json!({})));
    stack.cloud.drained().await.unwrap();
    let new = stack.mailed_password();
    assert_ne!(new, old);
    assert!(!answer.body.to_string().contains(&new) && !credential.to_string().contains(&new));

    assert_eq!(stack.sign_in(ADMIN, &old).await.status, 401);
    let late = stack.call("reset-password", Call::reset_password(&session, CHOSEN)).await;
    assert_eq!(outcome(&late), (401, Some("not-signed-in")));
    let shown = stack.retrieve(&stack.token(DANA), "sub-1", "1").await;
    assert_eq!((shown.password(), &shown.body["retrievals"]["used"]), (Some(&*new), &json!(1)));
    assert_eq!(stack.sign_in(ADMIN, &new).await.next(), Some("reset-password"));
    let history = stack.history("sub-1").await;
    assert_eq!(history[4..6], [format!("signed-in by {ADMIN}"), format!("reissued by {OLIVIA}")]);
}

#[tokio::test]
async fn the_history_has_the_operator_and_the_reason_and_what_the_issue_before_left() {
    let stack = started().await;
    stack.retrieve(&stack.token(DANA), "sub-1", "1").await;
    set(&stack, "MAIL", &[("status", json!({ "S": "undelivered" })), ("rank", json!({ "N": "27" }))]).await;
    assert_eq!(reissue(&stack, OLIVIA, "click", &wish(1)).await.status, 202);
    let expected = ["issued by vendor", &format!("retrieved by {DANA}"), "mail-undelivered by vendor"];
    let history = stack.history("sub-1").await;
    assert_eq!(history[..3], expected);
    assert_eq!(history[3..], [format!("reissued by {OLIVIA}")]);
    let entry = &stack.items("EVENT#0000000004").await[0];
    assert_eq!((&entry["reason"]["S"], &entry["issue"]["N"]), (&json!("Ticket 4711"), &json!("2")));
    assert_eq!((&entry["who"]["M"]["role"]["S"], &entry["detail"]), (&json!("operator"), &Value::Null));
}

#[tokio::test]
async fn a_password_brought_to_another_address_takes_two_and_the_old_address_is_out() {
    let stack = started().await;
    assert!(is_shown(&stack, IT, "it").await);
    let id = ask(&stack, &to_lee()).await;
    assert_eq!(issue(&stack).await, "1", "nothing is done at the request");
    assert!(is_shown(&stack, IT, "it").await && !is_shown(&stack, LEE, "lee").await);
    let copy = &stack.items(&format!("sub-1.{id}")).await[0];
    assert_eq!((&copy["PK"]["S"], &copy["ttl"]["N"]), (&json!("DESK#APPROVALS"), &copy["expires_at"]["N"]));

    let answer = decide(&stack, OMAR, &id, "approve").await;
    assert_eq!((answer.status, &answer.body), (202, &json!({ "approval": id, "outcome": "approved" })));
    assert_eq!(stack.items("sub-1.").await, Vec::<Value>::new());
    stack.cloud.drained().await.unwrap();
    let mail = stack.cloud.inbox().pop().unwrap();
    assert_eq!(mail.to, LEE);
    let shown = stack.retrieve(&stack.token(LEE), "sub-1", "lee").await;
    let password = shown.password().expect("the new address retrieves");
    assert!(!mail.text.contains(password), "the mail is a link");
    assert!(stack.retrieve(&stack.token(IT), "sub-1", "it").await.status == 404, "a replay shows nothing");
    assert!(stack.list(&stack.token(IT)).await.body["subscriptions"].as_array().unwrap().is_empty());
    assert!(is_shown(&stack, DANA, "dana").await, "the others stay");
    let (it, lee) = (portal_user(&stack, IT).await, portal_user(&stack, LEE).await);
    assert!(it.0["removed_at"]["N"].is_string() && !it.1, "{it:?}");
    assert!(lee.0["removed_at"].is_null() && lee.1, "{lee:?}");
    assert_eq!(stack.items("ACCOUNT").await[0]["email"]["S"], LEE, "notices of the account go to the new address");
    let expected = [
        format!("approval-requested by {OLIVIA}"),
        format!("retrieved by {IT}"),
        format!("approval-decided by {OMAR}"),
        format!("reissued by {OMAR}"),
    ];
    assert_eq!(stack.history("sub-1").await[1..], expected);
    let [asked, decided, reissued] = ["2", "4", "5"].map(|n| format!("EVENT#000000000{n}"));
    let text = async |entry: String, name: &str| stack.items(&entry).await[0][name]["S"].clone();
    assert_eq!(text(asked.clone(), "detail").await, "reissue");
    assert_eq!(text(decided, "detail").await, "approved");
    assert_eq!([text(asked, "reason").await, text(reissued, "reason").await], ["The mail bounced"; 2]);
}

#[tokio::test]
async fn an_old_address_that_keeps_access_still_retrieves() {
    let stack = started().await;
    let mut body = to_lee();
    body["keep_old_address"] = true.into();
    let id = ask(&stack, &body).await;
    assert_eq!(decide(&stack, OMAR, &id, "approve").await.status, 202);
    assert!(is_shown(&stack, LEE, "lee").await && is_shown(&stack, IT, "it").await);
}

#[tokio::test]
async fn an_address_that_is_removed_and_asked_for_again_is_a_portal_user_again() {
    let stack = started().await;
    let id = ask(&stack, &to_lee()).await;
    assert_eq!(decide(&stack, OMAR, &id, "approve").await.status, 202);
    let back = json!({ "reason": "Back", "email": IT, "if_issue": 2 });
    let again = reissue(&stack, OLIVIA, "back", &back).await.body["approval"].as_str().unwrap().to_owned();
    assert_eq!(decide(&stack, OMAR, &again, "approve").await.status, 202);
    assert!(is_shown(&stack, IT, "it").await && !is_shown(&stack, LEE, "lee").await);
    let (it, lee) = (portal_user(&stack, IT).await, portal_user(&stack, LEE).await);
    assert!(it.0["removed_at"].is_null() && it.1 && lee.0["removed_at"]["N"].is_string() && !lee.1);
}

#[tokio::test]
async fn the_address_on_file_in_another_spelling_is_not_another_address() {
    let stack = started().await;
    let body = json!({ "reason": "Lost", "email": "mailto:IT@Fabrikam.example", "if_issue": 1 });
    let answer = reissue(&stack, OLIVIA, "click", &body).await;
    assert_eq!((answer.status, &answer.body["welcome_mail"]["to"]), (202, &json!(IT)), "{answer:?}");
}

#[tokio::test]
async fn a_chosen_password_is_not_voided_by_one_operator_alone() {
    let (stack, session) = with_chosen_password().await;
    let id = ask(&stack, &wish(1)).await;
    assert!(stack.sign_in(ADMIN, CHOSEN).await.session().is_some());
    assert_eq!(outcome(&decide(&stack, OLIVIA, &id, "approve").await), (403, Some("forbidden")));
    assert_eq!(decide(&stack, OMAR, &id, "approve").await.status, 202);
    assert_eq!(stack.sign_in(ADMIN, CHOSEN).await.status, 401);
    let created = stack.call("create-admin", Call::create_admin(&session, "mo@fabrikam", CHOSEN)).await;
    assert_eq!(outcome(&created), (401, Some("not-signed-in")));
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.sign_in(ADMIN, &stack.mailed_password()).await.next(), Some("reset-password"));
}

#[tokio::test]
async fn a_subscription_that_is_handed_over_waits_an_hour_and_keeps_its_administrators() {
    let (stack, mo) = handed_over().await;
    let before = item(&stack, "CREDENTIAL").await["handed_over_at"].clone();
    stack.advance_clock(60);
    let id = ask(&stack, &wish(1)).await;
    stack.advance_clock(3599);
    assert_eq!(outcome(&decide(&stack, OMAR, &id, "approve").await), (409, Some("conflict")), "too early");
    stack.advance_clock(1);
    assert_eq!(decide(&stack, OMAR, &id, "approve").await.status, 202);
    stack.cloud.drained().await.unwrap();
    let password = stack.retrieve(&stack.token(DANA), "sub-1", "dana").await.password().unwrap().to_owned();
    assert!(!stack.cloud.inbox().pop().unwrap().text.contains(&password), "the mail is a link");
    let state = async || stack.list(&stack.token(DANA)).await.body["subscriptions"][0]["credentials"]["state"].clone();
    assert_eq!(state().await, "issued");

    // An administrator goes on, and their first sign-in and their creations belong to the hand-over before.
    stack.proven_administrator(&mo, CHOSEN, "kim@fabrikam", "eleven maps under the bridge").await;
    assert_eq!((state().await, &item(&stack, "CREDENTIAL").await["handed_over_at"]), (json!("issued"), &before));
    let service = stack.sign_in(ADMIN, &password).await;
    assert_eq!(service.next(), Some("reset-password"), "an unused reissue is not retired by others");
    let reset = stack.call("reset-password", Call::reset_password(&service.session().unwrap(), CHOSEN)).await;
    assert_eq!(state().await, "changed");
    let create = Call::create_admin(&reset.session().unwrap(), "ann@fabrikam", CHOSEN);
    assert_eq!(stack.call("create-admin", create).await.status, 201);
    assert_eq!(state().await, "handed-over");
    assert!(item(&stack, "CREDENTIAL").await["handed_over_at"]["N"].as_str() > before["N"].as_str());
}

#[tokio::test]
async fn only_a_second_operator_who_has_just_signed_in_to_a_browser_decides() {
    let stack = started().await;
    let id = ask(&stack, &to_lee()).await;
    for decision in ["approve", "reject"] {
        assert_eq!(outcome(&decide(&stack, OLIVIA, &id, decision).await), (403, Some("forbidden")), "the asker");
        let bearer = Call::post(&approvals(&id)).bearer(&stack.operator_token(OMAR)).key("bearer");
        let answer = stack.desk(bearer.json(&json!({ "decision": decision }))).await;
        assert_eq!(outcome(&answer), (403, Some("forbidden")), "a ticket system");
    }
    let signed_in = stack.operator_token(OMAR);
    stack.advance_clock(900);
    let late = async |key| stack.desk_post(&approvals(&id), &signed_in, key, &json!({ "decision": "approve" })).await;
    assert_eq!(outcome(&late("late").await), (403, Some("forbidden")), "fifteen minutes after the sign-in");
    assert_eq!(outcome(&decide(&stack, OMAR, "01ARYZ6RR0ZZZZZZZZZZZZZZZZ", "approve").await), (404, Some("not-found")));
    assert_eq!(outcome(&decide(&stack, OMAR, "latest", "approve").await), (404, Some("not-found")));
    assert_eq!(issue(&stack).await, "1");
    assert_eq!(decide(&stack, OMAR, &id, "approve").await.status, 202);
}

#[tokio::test]
async fn an_approval_is_decided_once_and_its_click_is_answered_again() {
    let stack = started().await;
    let id = ask(&stack, &to_lee()).await;
    let first = decide(&stack, OMAR, &id, "approve").await;
    let again = decide(&stack, OMAR, &id, "approve").await;
    assert_eq!((again.status, &again.body), (202, &first.body));
    assert_eq!(issue(&stack).await, "2");
    for (who, decision) in [(OMAR, "reject"), ("ona@contoso.example", "approve")] {
        assert_eq!(outcome(&decide(&stack, who, &id, decision).await), (409, Some("conflict")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_decisions_at_once_counts() {
    let stack = started().await;
    let id = ask(&stack, &to_lee()).await;
    let people: Vec<String> = (0..4).map(|n| format!("operator-{n}@contoso.example")).collect();
    let decisions = people.iter().zip(["approve", "reject"].into_iter().cycle());
    let answers = join_all(decisions.map(|(who, decision)| decide(&stack, who, &id, decision))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 202).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| outcome(answer) == (409, Some("conflict"))).count(), 3, "{answers:?}");
    let history = stack.history("sub-1").await;
    assert_eq!(history.iter().filter(|entry| entry.starts_with("approval-decided")).count(), 1);
}

#[tokio::test]
async fn a_rejection_does_nothing_but_end_the_approval() {
    let stack = started().await;
    let id = ask(&stack, &to_lee()).await;
    let token = stack.operator_token(OMAR);
    let body = json!({ "decision": "reject", "reason": "The caller is unknown there" });
    let answer = stack.desk_post(&approvals(&id), &token, "reject", &body).await;
    assert_eq!((answer.status, &answer.body), (202, &json!({ "approval": id, "outcome": "rejected" })));
    assert_eq!((issue(&stack).await, stack.items("sub-1.").await.len()), ("1".to_owned(), 0));
    let entry = &stack.items("EVENT#0000000003").await[0];
    assert_eq!((&entry["detail"]["S"], &entry["reason"]["S"]), (&json!("rejected"), &body["reason"]));
    assert_eq!(outcome(&decide(&stack, OMAR, &id, "approve").await), (409, Some("conflict")));
    let again = reissue(&stack, OLIVIA, "again", &to_lee()).await;
    assert!(again.status == 202 && again.body["approval"] != id, "{again:?}");
}

#[tokio::test]
async fn a_subscription_has_one_pending_approval_for_a_day() {
    let stack = started().await;
    let id = ask(&stack, &to_lee()).await;
    let other = async |key: &'static str| reissue(&stack, OMAR, key, &to_lee()).await;
    assert_eq!(outcome(&other("1").await), (409, Some("conflict")));
    stack.advance_clock(DAY - 1);
    assert_eq!(outcome(&other("2").await), (409, Some("conflict")));
    stack.advance_clock(1);
    assert_eq!(outcome(&decide(&stack, OMAR, &id, "approve").await), (409, Some("conflict")), "expired");
    assert_eq!(issue(&stack).await, "1");
    let next = other("3").await.body["approval"].as_str().unwrap().to_owned();
    assert_eq!(outcome(&decide(&stack, OMAR, &id, "approve").await), (404, Some("not-found")), "another one by now");
    assert_eq!(decide(&stack, OLIVIA, &next, "approve").await.status, 202);
}

#[tokio::test]
async fn what_happens_after_the_request_overtakes_it() {
    let signs_in =
        async |stack: &TestStack| drop(stack.sign_in(ADMIN, &stack.mailed_password()).await.session().unwrap());
    let reissues = async |stack: &TestStack| assert_eq!(reissue(stack, OMAR, "other", &wish(1)).await.status, 202);
    let ends = async |stack: &TestStack| set(stack, "CREDENTIAL", &[("ended_at", json!({ "N": "1" }))]).await;
    for n in 0..3 {
        let stack = started().await;
        let id = ask(&stack, &to_lee()).await;
        match n {
            0 => signs_in(&stack).await,
            1 => reissues(&stack).await,
            _ => ends(&stack).await,
        }
        let before = issue(&stack).await;
        let answer = decide(&stack, OMAR, &id, "approve").await;
        assert_eq!(outcome(&answer), (409, Some("conflict")), "case {n}");
        assert_eq!((issue(&stack).await, stack.items("sub-1.").await.len()), (before, 0), "case {n}");
        assert_eq!(item(&stack, "APPROVAL").await["outcome"]["S"], "overtaken", "case {n}");
        assert_eq!(stack.history("sub-1").await.last().unwrap(), &format!("approval-decided by {OMAR}"));
        assert_eq!(outcome(&decide(&stack, OMAR, &id, "approve").await), (409, Some("conflict")), "case {n}, again");
        assert!(!is_shown(&stack, LEE, "lee").await);
    }
}

#[tokio::test]
async fn a_hand_over_overtakes_an_approval_even_before_its_time() {
    let (stack, service) = with_chosen_password().await;
    let id = ask(&stack, &wish(1)).await;
    stack.call("create-admin", Call::create_admin(&service, "mo@fabrikam", CHOSEN)).await;
    assert_eq!(outcome(&decide(&stack, OMAR, &id, "approve").await), (409, Some("conflict")));
    assert_eq!(item(&stack, "APPROVAL").await["outcome"]["S"], "overtaken");
    assert!(stack.sign_in(ADMIN, CHOSEN).await.session().is_some());
}

#[tokio::test]
async fn a_portal_user_is_added_with_the_decision() {
    let stack = started().await;
    let id = ask(&stack, &to_lee()).await;
    let (what, address) = (json!({ "S": "add-portal-user" }), json!({ "S": LEE }));
    set(&stack, "APPROVAL", &[("what", what), ("address", address)]).await;
    let answer = decide(&stack, OMAR, &id, "approve").await;
    assert_eq!((answer.status, &answer.body["outcome"]), (202, &json!("approved")), "{answer:?}");
    assert_eq!(issue(&stack).await, "1");
    assert!(is_shown(&stack, LEE, "lee").await && is_shown(&stack, IT, "it").await);
    assert!(portal_user(&stack, LEE).await.1);
    let expected = [format!("approval-decided by {OMAR}"), format!("portal-user-added by {OMAR}")];
    assert_eq!(stack.history("sub-1").await[2..], expected);
}

#[tokio::test]
async fn the_hundred_and_first_portal_user_is_refused() {
    let stack = started().await;
    let id = ask(&stack, &json!({ "reason": "r", "email": LEE, "keep_old_address": true, "if_issue": 1 })).await;
    let full: Vec<String> = (10_u8..108).map(base64_of).collect();
    let mut all = item(&stack, "CREDENTIAL").await["portal_users"]["BS"].as_array().unwrap().clone();
    all.extend(full.into_iter().map(Value::from));
    all.truncate(100);
    set(&stack, "CREDENTIAL", &[("portal_users", json!({ "BS": all }))]).await;
    assert_eq!(outcome(&decide(&stack, OMAR, &id, "approve").await), (409, Some("conflict")));
    assert_eq!(item(&stack, "APPROVAL").await["outcome"]["S"], "overtaken");
    let keeping = json!({ "reason": "r", "email": LEE, "keep_old_address": true, "if_issue": 1 });
    assert_eq!(outcome(&reissue(&stack, OLIVIA, "keeping", &keeping).await), (409, Some("conflict")));
    assert_eq!(reissue(&stack, OLIVIA, "replacing", &to_lee()).await.status, 202);
}

fn base64_of(n: u8) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode([n; 16])
}

#[tokio::test]
async fn a_key_belongs_to_one_request_which_is_carried_out_once() {
    let stack = started().await;
    let first = reissue(&stack, OLIVIA, "click", &wish(1)).await;
    let again = reissue(&stack, OLIVIA, "click", &wish(1)).await;
    assert_eq!((again.status, &again.body), (202, &first.body));
    assert_eq!(outcome(&reissue(&stack, OLIVIA, "click", &wish(2)).await), (409, Some("conflict")), "another body");
    assert_eq!(outcome(&reissue(&stack, OMAR, "click", &wish(1)).await), (409, Some("conflict")), "another operator");
    assert_eq!(issue(&stack).await, "2");
    stack.advance_clock(7 * DAY);
    assert_eq!(outcome(&reissue(&stack, OLIVIA, "click", &wish(1)).await), (409, Some("conflict")), "a week later");
    assert_eq!(reissue(&stack, OLIVIA, "click", &wish(2)).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_reissues_at_once_starts_an_issue() {
    let stack = started().await;
    let (first, second) = (wish(1), wish(2));
    let same = join_all((0..4).map(|_| reissue(&stack, OLIVIA, "click", &first))).await;
    assert!(same.iter().all(|answer| answer.status == 202 && answer.body == same[0].body), "{same:?}");
    let keys: Vec<String> = (0..4).map(|n| format!("click-{n}")).collect();
    let others = join_all(keys.iter().map(|key| reissue(&stack, OMAR, key, &second))).await;
    assert_eq!(others.iter().filter(|answer| answer.status == 202).count(), 1, "{others:?}");
    assert_eq!(others.iter().filter(|answer| outcome(answer) == (409, Some("conflict"))).count(), 3, "{others:?}");
    assert_eq!((issue(&stack).await, stack.history("sub-1").await.len()), ("3".to_owned(), 3));
}

#[tokio::test]
async fn with_every_first_answer_lost_it_is_one_issue() {
    let stack = started().await;
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1));
    let answer = reissue(&stack, OLIVIA, "click", &wish(1)).await;
    assert_eq!((answer.status, &answer.body["issue"]), (202, &json!(2)), "{answer:?}");
    assert_eq!(stack.history("sub-1").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retrieval_beside_a_reissue_is_in_the_history_and_costs_no_second_password() {
    let stack = started().await;
    let mut gate =
        stack.cloud.gate(|call| call.operation == "TransactWriteItems" && call.function == "reissue-credentials");
    stack.cloud.clear_requests();
    let meanwhile = async {
        let held = gate.next().await.unwrap();
        assert!(is_shown(&stack, DANA, "dana").await);
        held.release().await;
        gate.next().await.unwrap().release().await;
    };
    let wish = wish(1);
    let (answer, ()) = tokio::join!(reissue(&stack, OLIVIA, "click", &wish), meanwhile);
    assert_eq!(answer.status, 202, "{answer:?}");
    let history = stack.history("sub-1").await;
    assert_eq!(history[1..], [format!("retrieved by {DANA}"), format!("reissued by {OLIVIA}")]);
    let encrypts = stack.cloud.requests().iter().filter(|request| request.operation == "Encrypt").count();
    assert_eq!(encrypts, 1);
}

#[tokio::test]
async fn cheap_reads_refuse_before_a_password_is_made() {
    let stack = started().await;
    stack.warm_up().await;
    stack.cloud.clear_requests();
    let token = stack.operator_token(OLIVIA);
    let unknown = "/desk/api/subscriptions/sub-2/reissues";
    assert_eq!(outcome(&stack.desk_post(unknown, &token, "1", &wish(1)).await), (404, Some("not-found")));
    assert_eq!(outcome(&reissue(&stack, OLIVIA, "2", &wish(2)).await), (409, Some("conflict")), "another issue");
    set(&stack, "CREDENTIAL", &[("ended_at", json!({ "N": "1" }))]).await;
    assert_eq!(outcome(&reissue(&stack, OLIVIA, "3", &wish(1)).await), (409, Some("conflict")), "ended");
    assert_eq!(outcome(&reissue(&stack, OLIVIA, "4", &to_lee()).await), (409, Some("conflict")), "ended");
    let own = stack.cloud.requests().into_iter().filter(|request| request.function == "reissue-credentials");
    let operations: Vec<String> = own.map(|request| request.operation).collect();
    assert!(
        operations.iter().all(|operation| ["UpdateItem", "BatchGetItem"].contains(&&**operation)),
        "{operations:?}"
    );
    assert_eq!(operations.iter().filter(|operation| *operation == "BatchGetItem").count(), 4);
}

#[tokio::test]
async fn bad_input_is_refused_before_anything_is_read() {
    let stack = started().await;
    let token = stack.operator_token(OLIVIA);
    let long = "x".repeat(201);
    let bodies = [
        json!({}),
        json!({ "if_issue": 1 }),
        json!({ "reason": "r" }),
        json!({ "reason": " ", "if_issue": 1 }),
        json!({ "reason": "two\nlines", "if_issue": 1 }),
        json!({ "reason": long, "if_issue": 1 }),
        json!({ "reason": "r", "if_issue": 0 }),
        json!({ "reason": "r", "if_issue": "1" }),
        json!({ "reason": "r", "if_issue": 1, "email": "it" }),
        json!({ "reason": "r", "if_issue": 1, "email": "jürgen@fabrikam.example" }),
        json!({ "reason": "r", "if_issue": 1, "keep_old_address": "yes" }),
        json!({ "reason": "r", "if_issue": 1, "force": true }),
    ];
    stack.warm_up().await;
    stack.cloud.clear_requests();
    for body in &bodies {
        let answer = stack.desk_post(REISSUES, &token, "click", body).await;
        assert_eq!(outcome(&answer), (400, Some("invalid-request")), "{body}");
    }
    let path = approvals("01ARYZ6RR0ZZZZZZZZZZZZZZZZ");
    for body in [json!({}), json!({ "decision": "yes" }), json!({ "decision": "reject", "reason": "a\nb" })] {
        assert_eq!(
            outcome(&stack.desk_post(&path, &token, "click", &body).await),
            (400, Some("invalid-request")),
            "{body}"
        );
    }
    let call = || Call::post(REISSUES).operator(&token).header("sec-fetch-site", "same-origin").json(&wish(1));
    for call in [call(), call().key("a b"), call().key(&"k".repeat(65))] {
        assert_eq!(outcome(&stack.desk(call).await), (400, Some("invalid-request")), "the key is required");
    }
    let foreign = call().key("click").header("sec-fetch-site", "cross-site");
    assert_eq!(outcome(&stack.desk(foreign).await), (403, Some("forbidden")));
    let customer = Call::post(REISSUES).bearer(&stack.token(DANA)).key("click").json(&wish(1));
    assert_eq!(outcome(&stack.desk(customer).await), (404, Some("not-found")));
    let own = stack.cloud.requests();
    assert_eq!(own.len(), 0, "{own:?}");
}

#[tokio::test]
async fn a_ticket_system_reissues_what_is_not_sensitive_and_asks_for_nothing() {
    let stack = started().await;
    let by_bearer = async |key: &str, body: &Value| {
        stack.desk(Call::post(REISSUES).bearer(&stack.operator_token(OLIVIA)).key(key).json(body)).await
    };
    assert_eq!(outcome(&by_bearer("lee", &to_lee()).await), (403, Some("forbidden")));
    assert_eq!(by_bearer("same", &wish(1)).await.status, 202);
    set(&stack, "CREDENTIAL", &[("changed_at", json!({ "N": "1" }))]).await;
    assert_eq!(outcome(&by_bearer("chosen", &wish(2)).await), (403, Some("forbidden")));
    assert_eq!((issue(&stack).await, item(&stack, "APPROVAL").await), ("2".to_owned(), Value::Null));
}

#[tokio::test]
async fn an_operator_has_fifteen_acts_at_once_and_the_others_their_own() {
    let stack = started().await;
    let spend = async |who: &str, n: usize| reissue(&stack, who, &format!("click-{n}"), &wish(9)).await;
    for n in 0..15 {
        assert_eq!(spend(OLIVIA, n).await.status, 409, "{n}");
    }
    let limited = spend(OLIVIA, 15).await;
    assert_eq!(outcome(&limited), (429, Some("too-many-attempts")));
    assert!(limited.headers["retry-after"].parse::<u32>().unwrap() >= 40, "{limited:?}");
    assert_eq!(spend(OMAR, 0).await.status, 409);
    stack.advance_clock(40);
    assert_eq!(spend(OLIVIA, 16).await.status, 409);
    assert_eq!(spend(OLIVIA, 17).await.status, 429);
}

#[tokio::test]
async fn without_approvals_one_operator_suffices_and_the_history_says_so() {
    let stack = with_subscription(Deployment::default().with("DESK_APPROVAL", "off")).await;
    let answer = reissue(&stack, OLIVIA, "click", &to_lee()).await;
    assert_eq!((answer.status, &answer.body["welcome_mail"]["to"]), (202, &json!(LEE)), "{answer:?}");
    let entry = &stack.items("EVENT#0000000002").await[0];
    let said = (&entry["what"]["S"], &entry["detail"]["S"]);
    assert_eq!(said, (&json!("reissued"), &json!("without-approval")));
    let bearer = Call::post(REISSUES).bearer(&stack.operator_token(OLIVIA)).key("bearer");
    let body = json!({ "reason": "r", "email": DANA, "if_issue": 2 });
    assert_eq!(outcome(&stack.desk(bearer.json(&body)).await), (403, Some("forbidden")));
    assert_eq!(reissue(&stack, OLIVIA, "same", &wish(2)).await.status, 202);
    assert_eq!(stack.items("EVENT#0000000003").await[0]["detail"], Value::Null, "not sensitive");
}

#[tokio::test]
async fn the_answer_says_that_an_address_takes_no_mail_and_another_one_starts_afresh() {
    let stack = started().await;
    set(&stack, "MAIL", &[("status", json!({ "S": "bounced" })), ("rank", json!({ "N": "40" }))]).await;
    let same = reissue(&stack, OLIVIA, "same", &wish(1)).await;
    assert_eq!((same.status, &same.body["welcome_mail"]["status"]), (202, &json!("bounced")), "{same:?}");
    let mut body = to_lee();
    body["if_issue"] = 2.into();
    let id = ask(&stack, &body).await;
    assert_eq!(decide(&stack, OMAR, &id, "approve").await.status, 202);
    stack.cloud.drained().await.unwrap();
    let inbox = stack.cloud.inbox();
    assert_eq!(inbox.iter().map(|mail| mail.to.clone()).collect::<Vec<_>>(), [IT, LEE]);
}

#[tokio::test]
async fn failures_devices_and_networks_of_the_account_are_forgotten() {
    let (stack, _) = with_chosen_password().await;
    assert!(stack.sign_in(ADMIN, CHOSEN).await.device().is_some());
    for n in 1..4 {
        let call = Call::sign_in(ADMIN, "wrong").from(&format!("198.51.100.{n}"));
        assert_eq!(stack.call("sign-in", call).await.status, 401);
    }
    let own = async || {
        let mut items = stack.cloud.dump_table().await.unwrap();
        items.retain(|item| item["PK"]["S"] == "ATTEMPTS#admin@fabrikam");
        let known = items.iter().filter(|item| item["known_until"]["N"].is_string()).count();
        let failures = items.iter().find(|item| item["SK"]["S"] == "ACCOUNT").map(|item| item["failures"].clone());
        (known, failures.unwrap_or_default())
    };
    assert!(own().await.0 > 1 && own().await.1["N"] == "3", "{:?}", own().await);
    let id = ask(&stack, &wish(1)).await;
    assert_eq!(decide(&stack, OMAR, &id, "approve").await.status, 202);
    assert_eq!(own().await, (0, Value::Null));
}

#[tokio::test]
async fn the_companys_other_subscription_stays_as_it_is() {
    let stack = started().await;
    stack.start_subscription(event("sub-2", "trial")).await;
    let other = async || {
        let mut items = stack.cloud.dump_table().await.unwrap();
        let name = "admin-sub-2@fabrikam";
        items.retain(|item| {
            let [pk, sk] = ["PK", "SK"].map(|key| item[key]["S"].as_str().unwrap().to_owned());
            [pk, sk].iter().any(|key| key.contains("sub-2") || key.contains(name))
        });
        items.sort_by_key(ToString::to_string);
        items
    };
    let before = other().await;
    assert!(before.len() > 5);
    let id = ask(&stack, &to_lee()).await;
    assert_eq!(decide(&stack, OMAR, &id, "approve").await.status, 202);
    assert_eq!(other().await, before);
    let listed = stack.list(&stack.token(IT)).await.body["subscriptions"].take();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["subscription_id"]), (1, &json!("sub-2")));
}

#[tokio::test]
async fn reminders_and_the_next_mails_go_to_the_new_address() {
    let stack = started().await;
    let id = ask(&stack, &to_lee()).await;
    assert_eq!(decide(&stack, OMAR, &id, "approve").await.status, 202);
    stack.cloud.drained().await.unwrap();
    stack.advance_clock(5 * DAY);
    stack.pass_time(2 * 3600).await;
    stack.cloud.drained().await.unwrap();
    let to: Vec<_> = stack.cloud.inbox().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, [IT, LEE, LEE], "the reminder is that of the new issue");
}
