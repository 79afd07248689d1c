//! Tests of removing a colleague, and of closing a service administrator that a reissue has made active again.

use cloud::{Fault, Mode, Service};
use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Answer, Call, TestStack, event};

use crate::administrators::{
    ADMIN, CHOSEN, LEE, LEES, MO, MOS, REFILL, Team, change, is_signed_in, outcome, stored_items, with_retries,
};

const DANA: &str = "dana@fabrikam.example";
const NEXT: &str = "nine slow trains to the coast";

async fn remove(team: &Team, account_id: &str) -> Answer {
    team.stack.call("remove-admin", Call::remove_admin(&team.lee, account_id, LEES)).await
}

async fn home(stack: &TestStack, session: &str) -> String {
    stack
        .call("portal", Call::get("/administration").session(session))
        .await
        .body
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn a_removed_administrator_is_out_at_once_and_for_good() {
    let team = Team::start().await;
    let stack = &team.stack;
    let other = stack.sign_in(MO, MOS).await.session().unwrap();
    assert!(home(stack, &team.lee).await.contains(MO));
    let known = stack.history("sub-1").await.len();
    let version: u64 = stack.account(MO).await["version"]["N"].as_str().unwrap().parse().unwrap();
    let answer = remove(&team, &team.mos_id).await;
    assert_eq!((answer.status, &answer.body, answer.cookies.len()), (204, &json!(""), 0), "{answer:?}");
    for ended in [&team.mo, &other] {
        assert!(!is_signed_in(stack, ended).await);
        assert!(home(stack, ended).await.contains("data-form=\"sign-in\""), "the next request leads to the sign-in");
        let add = stack.call("create-admin", Call::add_admin(ended, "noor@fabrikam", MOS)).await;
        assert_eq!(outcome(&add), (401, Some("not-signed-in")));
    }
    assert_eq!(outcome(&stack.sign_in(MO, MOS).await), (401, Some("invalid-credentials")));
    assert!(!home(stack, &team.lee).await.contains(MO));
    assert_eq!(stack.history("sub-1").await[known..], ["administrator-removed by lee@fabrikam"]);
    let entry = stack.items("EVENT#").await.pop().unwrap();
    assert_eq!(entry["account"]["S"], MO);
    let account = stack.account(MO).await;
    assert_eq!(
        (&account["status"]["S"], &account["version"]["N"]),
        (&json!("closed"), &json!((version + 1).to_string()))
    );
    let team_item = &stack.items(&format!("ADMINISTRATOR#{}", team.mos_id)).await[0];
    assert_eq!(team_item["status"]["S"], "closed");
    assert!(is_signed_in(stack, &team.lee).await);
}

#[tokio::test]
async fn the_name_of_a_removed_administrator_stays_taken() {
    let team = Team::start().await;
    team.remove_mo().await;
    let before = stored_items(&team.stack).await;
    let add = team.stack.call("create-admin", Call::add_admin(&team.lee, MO, LEES).key("again")).await;
    assert_eq!(outcome(&add), (409, Some("user-name-taken")));
    assert_eq!(stored_items(&team.stack).await, before);
}

#[tokio::test]
async fn an_administrator_who_is_closed_already_is_removed_again_without_a_change() {
    let team = Team::start().await;
    team.remove_mo().await;
    let service = team.stack.account_id(ADMIN).await;
    let before = stored_items(&team.stack).await;
    for id in [&team.mos_id, &team.mos_id, &service] {
        team.stack.advance_clock(60);
        assert_eq!(remove(&team, id).await.status, 204, "{id}");
        assert_eq!(stored_items(&team.stack).await, before, "{id}");
    }
}

#[tokio::test]
async fn a_colleague_who_has_not_signed_in_yet_is_removed_too() {
    let team = Team::start().await;
    let temporary = team.stack.add_administrator(&team.lee, LEES, "noor@fabrikam").await;
    let noor = team.stack.sign_in("noor@fabrikam", &temporary).await.session().unwrap();
    let id = team.stack.account_id("noor@fabrikam").await;
    assert_eq!(remove(&team, &id).await.status, 204);
    assert_eq!(team.stack.sign_in("noor@fabrikam", &temporary).await.status, 401);
    let late = team.stack.call("reset-password", Call::reset_password(&noor, NEXT)).await;
    assert_eq!(outcome(&late), (401, Some("not-signed-in")));
}

#[tokio::test]
async fn an_administrator_does_not_remove_themselves() {
    let team = Team::start().await;
    let before = stored_items(&team.stack).await;
    assert_eq!(outcome(&remove(&team, &team.lees_id).await), (403, Some("forbidden")));
    assert_eq!(stored_items(&team.stack).await, before);
    team.remove_mo().await;
    let before = stored_items(&team.stack).await;
    let last = remove(&team, &team.lees_id).await;
    assert_eq!(outcome(&last), (409, Some("last-administrator")), "{last:?}");
    assert_eq!(stored_items(&team.stack).await, before);
    assert_eq!(team.stack.sign_in(LEE, LEES).await.next(), Some("home"));
}

#[tokio::test]
async fn a_colleague_who_cannot_sign_in_for_good_yet_leaves_the_other_one_the_last() {
    let team = Team::start().await;
    let temporary = team.reset_mo().await;
    let last = remove(&team, &team.lees_id).await;
    assert_eq!(outcome(&last), (409, Some("last-administrator")), "Mo has not chosen a password");
    let mo = team.stack.sign_in(MO, &temporary).await.session().unwrap();
    team.stack.advance_clock(REFILL);
    assert_eq!(remove(&team, &team.lees_id).await.problem(), Some("last-administrator"), "and still has not");
    team.stack.call("reset-password", Call::reset_password(&mo, NEXT)).await.session().unwrap();
    assert_eq!(remove(&team, &team.lees_id).await.problem(), Some("forbidden"), "now there is another one");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_lost_duplicated_and_conflicting_calls_a_removal_happens_once() {
    for fault in [
        Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Duplicated, 100_000),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Conflict, 2),
    ] {
        let team = Team::start().await;
        let known = team.stack.history("sub-1").await.len();
        let version: u64 = team.stack.account(MO).await["version"]["N"].as_str().unwrap().parse().unwrap();
        team.stack.cloud.set_fault(fault.clone());
        let answers = join_all((0..3).map(|_| with_retries(|| remove(&team, &team.mos_id)))).await;
        assert!(answers.iter().all(|answer| [204, 429].contains(&answer.status)), "{fault:?}: {answers:?}");
        assert!(answers.iter().any(|answer| answer.status == 204), "{fault:?}: {answers:?}");
        team.stack.cloud.set_fault(Fault { count: 0, ..fault });
        assert_eq!(team.stack.history("sub-1").await[known..], ["administrator-removed by lee@fabrikam"]);
        assert_eq!(team.stack.account(MO).await["version"]["N"], (version + 1).to_string());
    }
}

// A service administrator whom the support desk has made active again.

const REISSUES: &str = "/desk/api/subscriptions/sub-1/reissues";

/// Lets two operators reissue the credentials of a subscription that is handed over. Returns the temporary password. An hour passes.
pub(crate) async fn reawaken(stack: &TestStack, if_issue: u32) -> String {
    let desk = async |who: &str, path: &str, body: &Value| {
        let (token, key) = (stack.operator_token(&format!("{who}@contoso.example")), format!("{who}-{if_issue}"));
        let answer = stack.desk_post(path, &token, &key, body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.body
    };
    let asked = desk("olivia", REISSUES, &json!({ "reason": "Ticket 4711", "if_issue": if_issue })).await;
    stack.advance_clock(3600);
    let approval = asked["approval"].as_str().unwrap();
    let path = format!("/desk/api/subscriptions/sub-1/approvals/{approval}");
    desk("omar", &path, &json!({ "decision": "approve" })).await;
    stack.cloud.drained().await.unwrap();
    let shown = stack.retrieve(&stack.token(DANA), "sub-1", &format!("reawakened-{if_issue}")).await;
    shown.password().unwrap_or_else(|| panic!("{shown:?}")).to_owned()
}

/// How far the owner of a reawakened service administrator has come, until a colleague closes it.
#[derive(Clone, Copy, Debug)]
enum Progress {
    Mailed,
    SignedIn,
    Chosen,
}

#[tokio::test]
async fn a_service_administrator_that_is_active_again_is_listed_and_nothing_of_it_is_left_after_its_removal() {
    for progress in [Progress::Mailed, Progress::SignedIn, Progress::Chosen] {
        let team = Team::start().await;
        let stack = &team.stack;
        assert!(!home(stack, &team.lee).await.contains(ADMIN), "a retired one is not in the list");
        let temporary = reawaken(stack, 1).await;
        assert!(home(stack, &team.lee).await.contains(ADMIN), "{progress:?}");
        let mut sessions = Vec::new();
        if !matches!(progress, Progress::Mailed) {
            sessions.extend(stack.sign_in(ADMIN, &temporary).await.session());
        }
        if matches!(progress, Progress::Chosen) {
            let chosen = stack.call("reset-password", Call::reset_password(&sessions[0], CHOSEN)).await;
            sessions.extend(chosen.session());
        }
        let known = stack.history("sub-1").await.len();
        let id = stack.account_id(ADMIN).await;
        assert_eq!(remove(&team, &id).await.status, 204, "{progress:?}");
        assert_eq!(stack.history("sub-1").await[known..], ["administrator-removed by lee@fabrikam"], "{progress:?}");
        nothing_of_the_service_administrator_works(stack, &temporary, &sessions).await;
        assert!(!home(stack, &team.lee).await.contains(ADMIN), "{progress:?}");
        assert_eq!(stack.account(ADMIN).await["status"]["S"], "retired", "{progress:?}");

        stack.advance_clock(REFILL);
        let again = reawaken(stack, 2).await;
        assert_eq!(stack.sign_in(ADMIN, &again).await.next(), Some("reset-password"), "support can always reissue");
    }
}

async fn nothing_of_the_service_administrator_works(stack: &TestStack, temporary: &str, sessions: &[String]) {
    for session in sessions {
        assert!(!is_signed_in(stack, session).await);
    }
    for password in [temporary, CHOSEN] {
        assert_eq!(outcome(&stack.sign_in(ADMIN, password).await), (401, Some("invalid-credentials")));
    }
    let dana = stack.token(DANA);
    for key in ["reawakened-1", "another"] {
        let shown = stack.retrieve(&dana, "sub-1", key).await;
        assert!(shown.status == 200 && shown.password().is_none() && !shown.reasons().is_empty(), "{shown:?}");
    }
    let renewed = stack.call("renew-credentials", Call::renew_credentials("sub-1").bearer(&dana)).await;
    assert_eq!(outcome(&renewed), (409, Some("conflict")));
    let resent = stack.call("resend-mail", Call::resend_mail("sub-1").bearer(&dana)).await;
    assert_eq!(resent.status, 409, "{resent:?}");
    assert!(stack.items("CREDENTIAL").await[0]["sealed_password"].is_null());
    let listed = stack.list(&dana).await.body["subscriptions"][0].take();
    // Credentials can be asked for in every state: the answer says why there is no password.
    for action in ["renew-credentials", "resend-mail"] {
        assert!(!listed["actions"].as_array().unwrap().contains(&json!(action)), "{listed}");
    }
}

#[tokio::test]
async fn a_welcome_mail_on_its_way_is_not_sent_for_a_service_administrator_that_was_closed() {
    let stack = support::Deployment::default().with_held_mails().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let orders = stack.take_mail_orders("sub-1");
    stack.invoke("send-mail", json!({ "Records": orders })).await;
    let temporary = stack.mailed_password();
    let service = stack.choose_password(ADMIN, &temporary, CHOSEN).await;
    let lee = stack.first_administrator(&service, LEE, LEES).await;
    reawaken(&stack, 1).await;
    let (orders, mailed) = (stack.take_mail_orders("sub-1"), stack.cloud.inbox().len());
    assert!(!orders.is_empty());
    let id = stack.account_id(ADMIN).await;
    let removed = stack.call("remove-admin", Call::remove_admin(&lee, &id, LEES)).await;
    assert_eq!(removed.status, 204, "{removed:?}");
    stack.invoke("send-mail", json!({ "Records": orders })).await;
    let mails = stack.cloud.inbox().split_off(mailed);
    assert!(mails.iter().all(|mail| mail.tags["mail"] != "welcome"), "{mails:?}");
}

#[tokio::test]
async fn the_only_administrator_closes_an_active_service_administrator() {
    let team = Team::start().await;
    team.remove_mo().await;
    let temporary = reawaken(&team.stack, 1).await;
    let id = team.stack.account_id(ADMIN).await;
    assert_eq!(remove(&team, &id).await.status, 204);
    assert_eq!(team.stack.sign_in(ADMIN, &temporary).await.status, 401);
    assert_eq!(remove(&team, &team.lees_id).await.problem(), Some("last-administrator"));
}

#[tokio::test]
async fn an_active_service_administrator_makes_no_administrator_dispensable() {
    let team = Team::start().await;
    team.remove_mo().await;
    let temporary = reawaken(&team.stack, 1).await;
    team.stack.choose_password(ADMIN, &temporary, CHOSEN).await;
    assert_eq!(remove(&team, &team.lees_id).await.problem(), Some("last-administrator"));
}

#[tokio::test]
async fn a_removal_keeps_what_it_does_not_know_of_an_item() {
    let team = Team::start().await;
    let item = team.stack.items(&format!("ADMINISTRATOR#{}", team.mos_id)).await.remove(0);
    change(&team.stack, item, &[("of_a_later_release", json!({ "S": "kept" }))]).await;
    team.remove_mo().await;
    let item = team.stack.items(&format!("ADMINISTRATOR#{}", team.mos_id)).await.remove(0);
    assert_eq!((&item["of_a_later_release"]["S"], &item["status"]["S"]), (&json!("kept"), &json!("closed")));
}
