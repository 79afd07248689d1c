//! Tests of resetting the password of a colleague.

use cloud::{Fault, Mode, Service};
use domain::Timestamp;
use futures_util::{future::join_all, join};
use serde_json::{Value, json};
use support::{Answer, Call, Deployment, TestStack, table::Table};

use crate::administrators::{
    ADMIN, HOME, LEE, LEES, MO, MOS, REFILL, Team, is_signed_in, outcome, stored_items, with_retries,
};

/// The password that Mo chooses after a reset.
const NEXT: &str = "nine slow trains to the coast";

async fn reset(team: &Team) -> Answer {
    team.stack.call("reset-admin", Call::reset_admin(&team.lee, &team.mos_id, LEES)).await
}

/// Returns the history after the team has begun.
async fn history(team: &Team, known: usize) -> Vec<String> {
    team.stack.history("sub-1").await.split_off(known)
}

async fn known(team: &Team) -> usize {
    team.stack.history("sub-1").await.len()
}

/// Returns the credential without the number of the last entry of the history, which every transaction writes.
async fn credential(stack: &TestStack) -> Value {
    let mut credential = stack.items("CREDENTIAL").await.remove(0);
    credential.as_object_mut().unwrap().remove("seq");
    credential
}

#[tokio::test]
async fn a_reset_shows_a_temporary_password_that_must_be_changed_and_ends_everything_before_it() {
    let team = Team::start().await;
    let (stack, before) = (&team.stack, known(&team).await);
    let other = stack.sign_in(MO, MOS).await.session().unwrap();
    let credentials = credential(stack).await;
    let answer = reset(&team).await;
    assert_eq!((answer.status, answer.body.as_object().unwrap().len()), (200, 3), "{answer:?}");
    assert_eq!((&answer.body["user_name"], &answer.headers["cache-control"]), (&json!(MO), &"no-store".to_owned()));
    let temporary = answer.temporary_password().unwrap().to_owned();
    let groups: Vec<&str> = temporary.split('-').collect();
    assert!(groups.len() == 4 && groups.iter().all(|group| group.len() == 5), "{temporary}");
    assert!(temporary.chars().all(|c| "23456789abcdefghjkmnpqrstuvwxyz-".contains(c)), "{temporary}");

    for ended in [&team.mo, &other] {
        assert!(!is_signed_in(stack, ended).await);
    }
    assert!(is_signed_in(stack, &team.lee).await);
    stack.advance_clock(REFILL);
    assert_eq!(outcome(&stack.sign_in(MO, MOS).await), (401, Some("invalid-credentials")));
    let signed_in = stack.sign_in(MO, &temporary.to_uppercase().replace('-', " ")).await;
    assert_eq!((signed_in.status, signed_in.next()), (200, Some("reset-password")), "{signed_in:?}");
    let session = signed_in.session().unwrap();
    let kept = stack.call("reset-password", Call::reset_password(&session, &temporary.replace('-', ""))).await;
    assert_eq!(outcome(&kept), (422, Some("password-reused")));
    let chosen = stack.call("reset-password", Call::reset_password(&session, NEXT)).await;
    assert_eq!((chosen.status, chosen.next()), (200, Some("home")));
    stack.advance_clock(REFILL);
    assert_eq!(stack.sign_in(MO, &temporary).await.status, 401, "it is of no use any more");
    assert_eq!(stack.sign_in(MO, NEXT).await.next(), Some("home"));
    assert_eq!(credential(stack).await, credentials, "no credential of the subscription has to do with it");
    let expected = ["administrator-reset by lee@fabrikam", "password-changed by mo@fabrikam"];
    assert_eq!(history(&team, before).await, expected);
}

#[tokio::test]
async fn the_history_and_the_team_say_whom_it_happened_to() {
    let team = Team::start().await;
    let version = team.stack.account(MO).await["version"]["N"].as_str().unwrap().parse::<u64>().unwrap();
    team.reset_mo().await;
    let entry = team.stack.items("EVENT#").await.pop().unwrap();
    assert_eq!((&entry["what"]["S"], &entry["account"]["S"]), (&json!("administrator-reset"), &json!(MO)));
    assert_eq!(entry["who"]["M"]["role"]["S"], "administrator");
    let account = team.stack.account(MO).await;
    assert_eq!(account["version"]["N"], (version + 1).to_string());
    assert_eq!((&account["must_change"]["BOOL"], &account["issue"]), (&json!(true), &Value::Null));
    assert_eq!((&account["account_id"]["S"], &account["status"]["S"]), (&json!(team.mos_id), &json!("active")));
}

#[tokio::test]
async fn the_temporary_password_signs_in_until_its_last_second() {
    let team = Team::begin(Deployment::default().with("CREDENTIAL_LIFETIME_SECONDS", "3600").start().await).await;
    let answer = reset(&team).await;
    let temporary = answer.temporary_password().unwrap();
    let expires_at = Timestamp::parse_rfc3339(answer.body["expires_at"].as_str().unwrap()).unwrap();
    assert_eq!(team.stack.cloud.clock().epoch_seconds() + 3600, expires_at.epoch_seconds());
    team.stack.advance_clock(3599);
    let session = team.stack.sign_in(MO, temporary).await.session().unwrap();
    team.stack.advance_clock(1);
    assert_eq!(outcome(&team.stack.sign_in(MO, temporary).await), (401, Some("invalid-credentials")));
    let late = team.stack.call("reset-password", Call::reset_password(&session, NEXT)).await;
    assert_eq!(outcome(&late), (401, Some("not-signed-in")));
    let again = team.reset_mo().await;
    assert_eq!(team.stack.sign_in(MO, &again).await.next(), Some("reset-password"), "there is always another one");
}

#[tokio::test]
async fn an_administrator_does_not_reset_their_own_password_here() {
    let team = Team::start().await;
    let before = stored_items(&team.stack).await;
    let own = team.stack.call("reset-admin", Call::reset_admin(&team.lee, &team.lees_id, LEES)).await;
    assert_eq!(outcome(&own), (403, Some("forbidden")));
    assert_eq!(stored_items(&team.stack).await, before);
    assert!(is_signed_in(&team.stack, &team.lee).await);
}

#[tokio::test]
async fn a_service_administrator_is_reissued_by_support_and_never_reset_here() {
    let team = Team::start().await;
    let service = team.stack.account(ADMIN).await;
    let id = service["account_id"]["S"].as_str().unwrap();
    for status in ["retired", "active"] {
        crate::administrators::change(&team.stack, service.clone(), &[("status", json!({ "S": status }))]).await;
        let before = stored_items(&team.stack).await;
        let answer = team.stack.call("reset-admin", Call::reset_admin(&team.lee, id, LEES)).await;
        assert_eq!(outcome(&answer), (404, Some("not-found")), "{status}");
        assert_eq!(stored_items(&team.stack).await, before, "{status}");
    }
}

#[tokio::test]
async fn a_colleague_who_has_not_used_their_temporary_password_gets_another_one() {
    let team = Team::start().await;
    let first = team.stack.add_administrator(&team.lee, LEES, "noor@fabrikam").await;
    let id = team.stack.account_id("noor@fabrikam").await;
    let answer = team.stack.call("reset-admin", Call::reset_admin(&team.lee, &id, LEES)).await;
    let second = answer.temporary_password().unwrap();
    assert_ne!(first, second);
    assert_eq!(team.stack.sign_in("noor@fabrikam", &first).await.status, 401);
    let noor = team.stack.choose_password("noor@fabrikam", second, NEXT).await;
    assert!(is_signed_in(&team.stack, &noor).await);
}

#[tokio::test]
async fn a_reset_forgets_failures_devices_and_known_networks() {
    let team = Team::start().await;
    let stack = &team.stack;
    stack.sign_in(MO, MOS).await.device().expect("the account knows a device");
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    table.set_number(format!("ATTEMPTS#{MO}"), "ACCOUNT", "failures", 100).await;
    let stranger = |password: &str| Call::sign_in(MO, password).from("203.0.113.9");
    assert_eq!(stack.call("sign-in", stranger(MOS)).await.status, 401, "strangers have closed the account");
    let temporary = team.reset_mo().await;
    let own = async |sort_key: &str| {
        let mut items = stack.items(sort_key).await;
        items.retain(|item| item["PK"]["S"] == format!("ATTEMPTS#{MO}"));
        items
    };
    assert_eq!(own("DEVICE#").await, Vec::<Value>::new());
    assert!(own("NETWORK#").await.iter().all(|item| item["known_until"].is_null()));
    assert!(own("ACCOUNT").await.iter().all(|item| item["failures"].is_null() || item["failures"]["N"] == "0"));
    let mo = stack.call("sign-in", stranger(&temporary)).await;
    let chosen = Call::reset_password(&mo.session().unwrap(), NEXT).from("203.0.113.9");
    assert_eq!(stack.call("reset-password", chosen).await.status, 200);
    let elsewhere = Call::sign_in(MO, NEXT).from("203.0.113.10");
    assert_eq!(stack.call("sign-in", elsewhere).await.status, 200, "the account is open again");
}

#[tokio::test]
async fn a_reset_opens_the_account_of_a_colleague_who_was_removed() {
    let team = Team::start().await;
    let (stack, before) = (&team.stack, known(&team).await);
    let is_listed = async || {
        let home = stack.call("portal", Call::get("/administration").session(&team.lee)).await;
        home.body.as_str().unwrap().contains(&format!("/administration/remove/{}", team.mos_id))
    };
    team.remove_mo().await;
    assert!(!is_listed().await);
    stack.advance_clock(REFILL);
    let temporary = team.reset_mo().await;
    assert!(!is_signed_in(stack, &team.mo).await, "an old session stays ended");
    assert_eq!(stack.sign_in(MO, MOS).await.status, 401, "and so does the old password");
    stack.choose_password(MO, &temporary, NEXT).await;
    assert!(is_listed().await, "they are in the team again");
    assert_eq!(stack.account_id(MO).await, team.mos_id, "by the id that products know");
    let history = history(&team, before).await;
    assert_eq!(history[..2], ["administrator-removed by lee@fabrikam", "administrator-reset by lee@fabrikam"]);
}

/// Returns which of these passwords signs Mo in.
async fn working<'a>(stack: &TestStack, passwords: &[&'a str]) -> Vec<&'a str> {
    let mut working = Vec::new();
    for password in passwords {
        stack.advance_clock(60);
        if stack.sign_in(MO, password).await.status == 200 {
            working.push(*password);
        }
    }
    working
}

#[tokio::test]
async fn with_the_first_answer_of_every_call_lost_the_password_that_is_shown_is_the_one_that_is_stored() {
    for fault in [
        Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Duplicated, 100_000),
        Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Conflict, 2),
    ] {
        let team = Team::start().await;
        let before = known(&team).await;
        team.stack.cloud.set_fault(fault.clone());
        let answer = reset(&team).await;
        let temporary = answer.temporary_password().unwrap_or_else(|| panic!("{fault:?}: {answer:?}"));
        assert_eq!(history(&team, before).await, ["administrator-reset by lee@fabrikam"], "{fault:?}");
        team.stack.cloud.set_fault(Fault { count: 0, ..fault });
        assert_eq!(working(&team.stack, &[temporary]).await, [temporary]);
    }
}

#[tokio::test]
async fn a_lost_answer_is_made_up_for_by_another_reset_and_the_lost_password_is_void() {
    let team = Team::start().await;
    let before = known(&team).await;
    let fault = |count| Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::LostResponse, count);
    team.stack.cloud.set_fault(fault(100_000));
    let lost = reset(&team).await;
    assert_eq!(outcome(&lost), (503, Some("unavailable")), "the caller cannot know whether it is done: {lost:?}");
    team.stack.cloud.set_fault(fault(0));
    assert_eq!(history(&team, before).await, ["administrator-reset by lee@fabrikam"], "it is");
    assert!(!is_signed_in(&team.stack, &team.mo).await);
    let second = team.reset_mo().await;
    assert_eq!(working(&team.stack, &[MOS, &second]).await, [&*second]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_six_resets_at_once_shows_a_password_that_was_stored_and_the_last_one_signs_in() {
    let team = Team::begin(Deployment::default().with("SIGN_IN_NETWORK_BURST", "1000").start().await).await;
    let before = known(&team).await;
    let version = async || team.stack.account(MO).await["version"]["N"].as_str().unwrap().parse::<usize>().unwrap();
    let old = version().await;
    // Each budget of Lee's admits five at once, and Mo is helped from two networks.
    let resets = (0..6).map(|n| {
        let (team, from) = (&team, format!("192.0.2.{}", n % 2 + 1));
        with_retries(move || {
            let call = Call::reset_admin(&team.lee, &team.mos_id, LEES).from(&from);
            team.stack.call("reset-admin", call)
        })
    });
    let answers = join_all(resets).await;
    assert!(answers.iter().all(|answer| [200, 429].contains(&answer.status)), "{answers:?}");
    let shown: Vec<&str> = answers.iter().filter_map(Answer::temporary_password).collect();
    let done = history(&team, before).await;
    assert!(shown.len() <= done.len() && !shown.is_empty(), "{shown:?} {done:?}");
    assert_eq!(version().await - old, done.len(), "each of them is in the history");
    if shown.len() == done.len() {
        assert_eq!(working(&team.stack, &shown).await.len(), 1, "{answers:?}");
    }
}

#[tokio::test]
async fn a_reset_and_the_choice_of_a_password_beside_it_leave_one_password() {
    let team = Team::start().await;
    let body = json!({ "new_password": NEXT, "current_password": MOS });
    let choose = || Call::post("/reset-password").session(&team.mo).json(&body);
    let (reset, chosen) =
        join!(with_retries(|| reset(&team)), with_retries(|| team.stack.call("reset-password", choose())),);
    let temporary = reset.temporary_password().expect("the reset is done in either order");
    assert!([200, 401].contains(&chosen.status), "{chosen:?}");
    assert_eq!(working(&team.stack, &[MOS, NEXT, temporary]).await, [temporary]);
    if let Some(session) = chosen.session() {
        assert!(!is_signed_in(&team.stack, &session).await);
    }
}

/// When the clock of a test of one day starts: 10 November 2026, 09:30 UTC.
const MORNING: i64 = 1_794_303_000;

#[tokio::test]
async fn a_reset_of_an_account_with_an_address_counts_among_the_twenty_of_a_day() {
    let team = Team::begin(Deployment::default().with_start_time(MORNING).start().await).await;
    let stack = &team.stack;
    let body = json!({
        "user_name": "noor@fabrikam", "display_name": "Noor", "email": "noor@fabrikam.example", "current_password": LEES,
    });
    let add = Call::post("/administrators").session(&team.lee).json(&body);
    assert_eq!(stack.call("create-admin", add).await.status, 201);
    let noor = stack.account_id("noor@fabrikam").await;
    let counted = async || stack.items("ADDRESSED#2026-11-10").await[0]["accounts"]["N"].clone();
    assert_eq!(counted().await, "1");
    let reset = |id: &str| stack.call("reset-admin", Call::reset_admin(&team.lee, id, LEES));
    assert_eq!(reset(&noor).await.status, 200);
    assert_eq!(counted().await, "2");
    let full = json!({
        "PK": { "S": "SUBSCRIPTION#sub-1" }, "SK": { "S": "ADDRESSED#2026-11-10" }, "accounts": { "N": "20" },
    });
    Table::connect(&stack.cloud.aws_url(), "tests").put(&full).await;
    let before = stored_items(stack).await;
    let refused = reset(&noor).await;
    assert_eq!(outcome(&refused), (429, Some("too-many-attempts")));
    let wait: i64 = refused.headers["retry-after"].parse().unwrap();
    assert!((12 * 3600..=15 * 3600).contains(&wait), "until midnight: {wait}");
    assert_eq!(stored_items(stack).await, before);
    assert_eq!(reset(&team.mos_id).await.status, 200, "no mail goes to Mo");
    assert_eq!(counted().await, "20");
}

#[tokio::test]
async fn the_answer_is_the_one_place_that_shows_the_password() {
    let team = Team::begin(Deployment::default().with("NOTICES", "all").publishing().start().await).await;
    let temporary = team.reset_mo().await;
    team.stack.cloud.drained().await.unwrap();
    let home = team.stack.call("portal", Call::get("/administration").session(&team.lee).from(HOME)).await;
    let history = team.stack.call("show-history", Call::show_history("sub-1").session(&team.lee)).await;
    let mails: Vec<String> = team.stack.cloud.inbox().iter().map(|mail| mail.text.clone() + &mail.html).collect();
    let table = json!(team.stack.cloud.dump_table().await.unwrap()).to_string();
    let published = format!("{:?}", team.stack.cloud.published());
    for place in [home.body.to_string(), history.body.to_string(), mails.concat(), table, published] {
        assert!(!place.contains(&temporary) && !place.contains(&temporary.replace('-', "")), "{place}");
    }
    assert!(LEE != MO && history.body.to_string().contains("administrator-reset"));
}
