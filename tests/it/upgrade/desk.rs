//! Tests that operators of the support desk, which 0.1.0 did not have, see its items and act on them.

use serde_json::{Value, json};
use support::{Answer, Api, Call, desk};

use super::{
    Company, fixtures,
    later_functions::{Release, changed_by, company},
    states::{CHOSEN, OWN},
    states_of,
};

const REASON: &str = "Ticket 4711";
const STRANGER: &str = "198.51.100.7";

/// The time that the approval of an act on a subscription waits that is handed over.
const WAIT: i64 = 3600;

/// Sends a request to the desk in the browser session of an operator who has just signed in.
async fn ask(company: &Company<'_>, release: &Release, operator: &str, call: Call) -> Answer {
    let address = format!("{operator}@contoso.example");
    let token = release.stack.operator_token_with(&address, &json!({ "iat": company.now() }));
    let (function, call) = call.routed(Api::Desk);
    company.call(function.name(), call.operator(&token)).await
}

/// Carries out an act, which must be accepted. Returns the answer and what it changes, apart from what it counts and marks.
async fn accepted(company: &Company<'_>, release: &Release, operator: &str, call: Call) -> (Value, Vec<String>) {
    let mut body = Value::Null;
    let changes = changed_by(&release.stack, async {
        let answer = ask(company, release, operator, call.key("click")).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        body = answer.body;
    });
    let mut changes = changes.await;
    changes.retain(|change| !change.contains("OPERATOR ATTEMPTS") && !change.starts_with("+ CLICK#"));
    // The key of a pending approval ends in its id.
    let changes = changes.iter().map(|change| change.split('.').next().unwrap().to_owned());
    (body, changes.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_find_and_see_every_subscription_of_the_first_release() {
    let release = Release::start("desk").await;
    for (name, fixture) in states_of(&fixtures().join("v0.1.0")) {
        let company = company(&release.stack, &name, "none").await;
        let (id, get) = (company.subscription(), |path: &str| ask(&company, &release, "olga", Call::get(path)));
        let looked = changed_by(&release.stack, async {
            for query in [id.clone(), format!("admin@{name}"), format!("kim@{name}.example")] {
                let call = Call::get("/desk/api/subscriptions").query(&format!("query={query}"));
                let found = ask(&company, &release, "olga", call).await;
                assert_eq!(found.body["subscriptions"][0]["subscription_id"], id, "{name}, {query}: {found:?}");
            }
            let seen = get(&format!("/desk/api/subscriptions/{id}")).await;
            assert_eq!((seen.status, &seen.body["subscription_id"]), (200, &json!(id)), "{name}: {seen:?}");
            assert_eq!(seen.body["email"], format!("it@{name}.example"));
            let users = seen.body["portal_users"].as_array().unwrap().iter();
            let known = users.filter(|user| !user["email"].is_null() && !user["added_at"].is_null()).count();
            assert_eq!(known, 3, "{name}: {seen:?}");
            let used = fixture["items"].as_array().unwrap().iter().find_map(|item| item["retrievals"]["M"].as_object());
            assert_eq!(seen.body["retrievals"]["used"], used.unwrap().len(), "{name}");
            assert_eq!(get(&format!("/desk/subscriptions/{id}")).await.status, 200, "{name}");
            let history = get(&format!("/desk/api/subscriptions/{id}/history")).await;
            let first = history.body["entries"].as_array().and_then(|entries| entries.last()).unwrap();
            assert_eq!((&first["what"], &first["reason"]), (&json!("issued"), &Value::Null), "{name}");
        });
        assert_eq!(looked.await, [""; 0], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_by_company_or_reference_finds_what_a_later_release_has_written_alone() {
    let release = Release::start("desk-search").await;
    let company = company(&release.stack, "support-sent", "none").await;
    let request = release.stack.items("MAIL#support#").await.remove(0)["SK"]["S"].as_str().unwrap().to_owned();
    for query in ["support-sent", request.strip_prefix("MAIL#support#").unwrap()] {
        let call = Call::get("/desk/api/subscriptions").query(&format!("query={query}"));
        let found = ask(&company, &release, "olga", call).await;
        assert_eq!((found.status, &found.body["subscriptions"]), (200, &json!([])), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_the_first_release_are_reissued_and_nothing_of_them_works() {
    let release = Release::start("reissue").await;
    let mut company = company(&release.stack, "retrieved-twice", "none").await;
    let id = company.subscription();
    let (body, changes) = accepted(&company, &release, "olga", desk::reissue(&id, 1, REASON)).await;
    assert_eq!(body["issue"], 2);
    let expected = [
        "+ DUE SUBSCRIPTION",
        "+ EVENT#0000000002",
        "+ EVENT#0000000003",
        "+ EVENT#0000000004",
        "ACCOUNT: expires_at issue password_hash version",
        "CREDENTIAL: expires_at issue issued_at retrievals sealed_password seq",
        // The next issue has a mail of its own in the place of the last one, also of what this release does not know of that.
        "MAIL: at issue message_id of_a_later_release rank status tries",
    ];
    assert_eq!(changes, expected);
    let (dana, kim) = ("retrieved by dana@retrieved-twice.example", "retrieved by kim@retrieved-twice.example");
    let history = release.stack.history(&id).await;
    assert_eq!(history, ["issued by vendor", dana, kim, "reissued by olga@contoso.example"]);
    let orders = company.orders().await;
    assert!(company.machine.consume("send-mail", &orders).await);
    let old = company.temporary_password.take().unwrap();
    company.read_password_from_mails();
    let new = company.temporary_password.clone().unwrap();
    let replay = Call::get_credentials(&id).bearer(&company.token("kim")).key("a");
    assert_eq!(company.call("get-credentials", replay).await.password(), Some(&*new));
    assert_eq!(company.call("sign-in", Call::sign_in("admin@retrieved-twice", &old)).await.status, 401);
    let signed_in = company.call("sign-in", Call::sign_in("admin@retrieved-twice", &new)).await;
    assert_eq!(signed_in.next(), Some("reset-password"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_was_handed_over_in_the_first_release_takes_two_operators_and_the_wait() {
    let release = Release::start("desk-approval").await;
    let company = company(&release.stack, "handed-over", "none").await;
    let id = company.subscription();
    let (body, changes) = accepted(&company, &release, "olga", desk::reissue(&id, 1, REASON)).await;
    let approval = body["approval"].as_str().unwrap();
    assert_eq!(changes, ["+ APPROVAL", "+ DESK sub-handed-over", "+ EVENT#0000000007", "CREDENTIAL: seq"]);
    let decide = || desk::decide(&id, approval, "approve", REASON);
    assert_eq!(ask(&company, &release, "omar", decide().key("early")).await.problem(), Some("conflict"));
    company.advance_clock(WAIT);
    let (body, changes) = accepted(&company, &release, "omar", decide()).await;
    assert_eq!(body["outcome"], "approved");
    let expected = [
        "+ DUE SUBSCRIPTION",
        "+ EVENT#0000000008",
        "+ EVENT#0000000009",
        "- DESK sub-handed-over",
        "ACCOUNT: expires_at issue must_change password_hash status version",
        "APPROVAL: decided_at decided_by decider outcome",
        "ATTEMPTS NETWORK: known_until",
        "CREDENTIAL: changed_at expires_at issue issued_at sealed_password seq signed_in_at",
        "MAIL: at content issue message_id of_a_later_release rank status tries",
    ];
    assert_eq!(changes, expected);
    let history = Call::show_history(&id);
    assert_eq!(company.call("show-history", history.session(&company.sessions["lee"])).await.status, 200);
    assert_eq!(company.call("sign-in", Call::sign_in("lee@handed-over", OWN)).await.next(), Some("home"));
    assert_eq!(company.call("sign-in", Call::sign_in("admin@handed-over", CHOSEN)).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_user_of_the_first_release_is_removed_for_good() {
    let release = Release::start("desk-removal").await;
    let company = company(&release.stack, "retrieved-twice", "none").await;
    let id = company.subscription();
    let removal = desk::remove_portal_user(&id, "kim@retrieved-twice.example", REASON);
    let (_, changes) = accepted(&company, &release, "olga", removal).await;
    let expected = ["+ EVENT#0000000002", "- PORTAL_USER SUBSCRIPTION", "CREDENTIAL: portal_users seq"];
    assert_eq!(changes[..3], expected);
    assert!(changes[3].starts_with("PORTAL_USER#") && changes[3].ends_with(": removed_at"), "{changes:?}");
    let replay = |person: &str| Call::get_credentials(&id).bearer(&company.token(person)).key("a");
    assert_eq!(company.call("get-credentials", replay("kim")).await.status, 404);
    company.pay().await;
    assert_eq!(company.call("get-credentials", replay("kim")).await.status, 404);
    assert!(company.call("get-credentials", replay("dana")).await.password().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_failures_have_closed_in_the_first_release_is_unlocked() {
    let release = Release::start("desk-unlock").await;
    let company = company(&release.stack, "closed-by-failures", "none").await;
    let name = "admin@closed-by-failures";
    let sign_in = || company.machine.call("sign-in", Call::sign_in(name, CHOSEN).from(STRANGER));
    assert_eq!(sign_in().await.status, 401);
    let (_, changes) = accepted(&company, &release, "olga", desk::unlock(name, REASON)).await;
    let unlocked = changes.iter().filter(|change| change.starts_with("+ UNLOCKED#")).count();
    assert_eq!((unlocked, changes.len()), (1, 4), "{changes:?}");
    assert!(
        ["+ EVENT#0000000004", "ATTEMPTS ACCOUNT: failures", "CREDENTIAL: seq"]
            .iter()
            .all(|one| changes.contains(&(*one).to_owned())),
        "{changes:?}"
    );
    assert_eq!(sign_in().await.next(), Some("create-administrator"));
}
