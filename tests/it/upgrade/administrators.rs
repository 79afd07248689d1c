//! Tests that administrators of 0.1.0, which knew neither resets nor removals nor ends nor the sign-in to the product, help and remove each
//! other and arrive in the product, and that its subscriptions end, start again and are purged.

use domain::Timestamp;
use serde_json::{Value, json};
use support::{Call, RelyingParty, address_in, at, ended};

use super::{
    Company, fixtures,
    later_functions::{Release, changed_by, company},
    states::OWN,
    states_of,
};

const MOS: &str = "eleven maps under the bridge";
const DAY: i64 = 86_400;

/// Returns the changes without attempts and sessions, and without ids in keys.
async fn changes(release: &Release, work: impl Future<Output = ()>) -> Vec<String> {
    let mut all = changed_by(&release.stack, work).await;
    all.retain(|change| !["ATTEMPTS", "NETWORK", "SESSION"].iter().any(|kind| change.contains(kind)));
    let without_id = |change: &String| {
        let (sign, rest) = change.split_at(change.find(|c: char| c.is_ascii_uppercase()).unwrap());
        let (key, attributes) = rest.split_once(": ").map_or((rest, None), |(key, names)| (key, Some(names)));
        let key = if key.starts_with("EVENT#") { key } else { key.split('#').next().unwrap() };
        sign.to_owned() + key + &attributes.map(|names| format!(": {names}")).unwrap_or_default()
    };
    let mut all: Vec<_> = all.iter().map(without_id).collect();
    all.sort();
    all
}

/// Returns the time of a company's machine after some seconds, as events have it.
fn time(company: &Company<'_>, seconds: i64) -> String {
    json!(Timestamp::from_epoch_seconds(company.now() + seconds)).as_str().unwrap().to_owned()
}

async fn consume(company: &Company<'_>, function: &'static str, event: &Value) -> bool {
    company.machine.consume(function, &[json!({ "messageId": "message", "body": event.to_string() })]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_of_the_first_release_adds_is_reset_and_is_removed() {
    let release = Release::start("team").await;
    let company = company(&release.stack, "handed-over", "none").await;
    let lee = &company.sessions["lee"];
    let mut temporary = String::new();
    let add = async {
        let call = Call::add_admin(lee, &company.account("mo"), OWN).key("mo");
        let answer = company.call("create-admin", call).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        temporary = answer.temporary_password().unwrap().to_owned();
    };
    let expected = ["+ ACCOUNT", "+ ADMINISTRATOR", "+ CLICK", "+ EVENT#0000000007", "CREDENTIAL: seq"];
    assert_eq!(changes(&release, add).await, expected);

    let signed_in = company.call("sign-in", Call::sign_in(&company.account("mo"), &temporary)).await;
    let chosen = company.call("reset-password", Call::reset_password(&signed_in.session().unwrap(), MOS)).await;
    let mo = chosen.session().unwrap();
    company.advance_clock(600);
    let lees_id = release.stack.account_id(&company.account("lee")).await;
    let reset = async {
        let answer = company.call("reset-admin", Call::reset_admin(&mo, &lees_id, MOS)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        temporary = answer.temporary_password().unwrap().to_owned();
    };
    let changed = changes(&release, reset).await;
    // The release before did not count the accounts with an address.
    assert_eq!(changed.iter().filter(|change| change.starts_with("+ ")).count(), 2, "{changed:?}");
    assert!(changed.contains(&"+ ADDRESSED".to_owned()), "{changed:?}");
    assert!(changed.contains(&"ACCOUNT: expires_at must_change password_hash version".to_owned()), "{changed:?}");
    assert!(changed.contains(&"CREDENTIAL: seq".to_owned()), "{changed:?}");
    let old = company.call("sign-in", Call::sign_in(&company.account("lee"), OWN)).await;
    let new = company.call("sign-in", Call::sign_in(&company.account("lee"), &temporary)).await;
    assert_eq!((old.status, new.next()), (401, Some("reset-password")));

    let remove = async {
        let answer = company.call("remove-admin", Call::remove_admin(&mo, &lees_id, MOS)).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    };
    let changed = changes(&release, remove).await;
    let expected = ["ACCOUNT: status version", "ADMINISTRATOR: status", "CREDENTIAL: seq"];
    assert!(expected.iter().all(|one| changed.contains(&(*one).to_owned())), "{changed:?}");
    assert_eq!(company.call("sign-in", Call::sign_in(&company.account("lee"), &temporary)).await.status, 401);
    assert_eq!(release.stack.account(&company.account("lee")).await["of_a_later_release"]["S"], "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_administrator_of_the_first_release_creates_and_neither_resets_nor_removes() {
    let release = Release::start("team-service").await;
    let company = company(&release.stack, "administrator-new", "none").await;
    let service = &company.sessions["full"];
    let lees_id = release.stack.account_id(&company.account("lee")).await;
    for (function, call) in [
        ("reset-admin", Call::reset_admin(service, &lees_id, super::states::CHOSEN)),
        ("remove-admin", Call::remove_admin(service, &lees_id, super::states::CHOSEN)),
    ] {
        assert_eq!(company.call(function, call).await.problem(), Some("forbidden"), "{function}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_of_the_first_release_arrives_in_the_product_in_a_session_of_that_release() {
    const PROVIDER: &str = "product-sign-in";
    let release = Release::start("product").await;
    let company = company(&release.stack, "handed-over", "none").await;
    let (lee, party) = (&company.sessions["lee"], RelyingParty::default());
    let lees_id = release.stack.account_id(&company.account("lee")).await;
    let address = address_in(&company.call(PROVIDER, party.authorize()).await);
    let query = address.strip_prefix("/oidc/continue?").unwrap();
    let mut code = String::new();
    let issue = async {
        let page = company.call(PROVIDER, Call::confirm_product(query, lee, &lees_id)).await;
        code = page.product_code().unwrap();
    };
    assert_eq!(changes(&release, issue).await, ["+ CODE CODE"]);
    let mut token = String::new();
    let redeem = async {
        let answer = company.call(PROVIDER, party.redemption(&code)).await;
        token = answer.access_token().unwrap().to_owned();
    };
    assert_eq!(changes(&release, redeem).await, ["+ TOKEN TOKEN", "CODE CODE: spent_by"]);
    let userinfo = company.call(PROVIDER, Call::userinfo(&token)).await;
    for (name, expected) in [
        ("sub", json!(lees_id)),
        ("preferred_username", json!("lee@handed-over")),
        ("name", json!("Lee Ahmadi")),
        ("email", json!("lee@handed-over.example")),
        ("company_id", json!("handed-over")),
        ("subscription_id", json!(company.subscription())),
        // The session has only its end, from which the time of the sign-in follows.
        ("auth_time", json!(company.now())),
    ] {
        assert_eq!(userinfo.body[name], expected, "{name}");
    }
}

/// Signs in with every password that the states of the first release have. Returns whether any of them works.
async fn signs_in(company: &mut Company<'_>) -> bool {
    let temporary = company.temporary_password.clone().unwrap_or_else(|| "not known".to_owned());
    for (n, who) in ["admin", "lee"].into_iter().enumerate() {
        for (m, password) in [&*temporary, super::states::CHOSEN, OWN, super::states::LATER].into_iter().enumerate() {
            // Each company has addresses of its own, since their clocks differ by years.
            let from = company.address.replace("192.0.2", "203.0") + &format!(".{}", 10 * n + m);
            let call = Call::sign_in(&company.account(who), password).from(&from);
            let answer = company.machine.call("sign-in", call).await;
            assert!([200, 401].contains(&answer.status), "{answer:?}");
            if answer.status == 200 {
                return true;
            }
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn every_subscription_of_the_first_release_ends_starts_again_and_is_purged() {
    let release = Release::start("ends").await;
    let stack = &release.stack;
    let states = states_of(&fixtures().join("v0.1.0"));
    // A subscription takes seconds, since the time of each is its own.
    let step = if support::has_env("FIRSTKEY_FULL") { 1 } else { 3 };
    for (name, _) in states.into_iter().step_by(step) {
        let mut company = company(stack, &name, "none").await;
        let id = company.subscription();
        company.advance_clock(3600);
        let end = at(ended(&id), &time(&company, 0));
        assert!(consume(&company, "subscription-end", &end).await, "{name}");
        let again = changes(&release, async {
            assert!(consume(&company, "subscription-end", &end).await, "{name}, again");
        });
        assert_eq!(again.await, [""; 0], "{name}");
        assert!(!signs_in(&mut company).await, "{name}");
        for (session, token) in &company.sessions {
            let answer = company.call("reset-password", Call::reset_password(token, "short")).await;
            assert_eq!(answer.problem(), Some("not-signed-in"), "{name}, {session}");
        }
        let shown = Call::get_credentials(&id).bearer(&company.token("dana")).key("after");
        let shown = company.call("get-credentials", shown).await;
        assert!(shown.reasons().contains(&"subscription-ended"), "{name}: {shown:?}");
        let late = company.pay().await;
        assert_eq!(late[0].1["then"]["credential"][0]["is_sealed"], false, "{name}: a start before the end");

        company.advance_clock(DAY);
        let start = at(company.event("after the end", "paid"), &time(&company, 0));
        assert!(consume(&company, "subscription-start", &start).await, "{name}");
        company.temporary_password = None;
        // An order for the issue that has ended may come first.
        while company.temporary_password.is_none() {
            let orders = company.orders().await;
            assert!(company.machine.consume("send-mail", &orders).await, "{name}");
            company.read_password_from_mails();
        }
        assert!(signs_in(&mut company).await, "{name}: the next issue works");

        company.advance_clock(DAY);
        let end = at(ended(&id), &time(&company, 0));
        assert!(consume(&company, "subscription-end", &end).await, "{name}, the second time");
        company.advance_clock(400 * DAY);
        assert!(company.machine.run_schedule("purge-subscriptions").await, "{name}");
        let now = company.now();
        let mut left = company.items().await;
        left.retain(|item| {
            let ttl = item["ttl"]["N"].as_str().map(|ttl| ttl.parse::<i64>().unwrap());
            ttl.is_none_or(|ttl| ttl > now && item["SK"]["S"] != "LIFE")
        });
        let keys: Vec<_> = left.iter().map(|item| format!("{} {}", item["PK"]["S"], item["SK"]["S"])).collect();
        assert_eq!(keys, [""; 0], "{name}");
    }
}
