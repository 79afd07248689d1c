//! The pages of the Administration Center on which administrators see, help and remove each other.

use support::Call;

use crate::{
    administrators::{LEES, MO, REFILL, Team},
    portal::{escaped, html, words},
    remove_admin::reawaken,
};

/// Returns the part of the home page about an account.
fn row<'h>(home: &'h str, account_id: &str) -> &'h str {
    let start = home.find(&format!("data-account=\"{account_id}\"")).unwrap_or_else(|| panic!("{account_id}: {home}"));
    home[start..].split("</li>").next().unwrap()
}

#[tokio::test]
async fn the_team_page_shows_sign_ins_and_who_waits_and_offers_what_each_account_allows() {
    let team = Team::start().await;
    let stack = &team.stack;
    let at = async |path: &str| html(&stack.call("portal", Call::get(path).session(&team.lee)).await);
    let (reset, remove) =
        (|id: &str| format!("/administration/reset/{id}"), |id: &str| format!("/administration/remove/{id}"));
    let home = at("/administration").await;
    let (own, mo) = (row(&home, &team.lees_id), row(&home, &team.mos_id));
    assert!(
        own.contains("data-own") && own.contains("/administration/password") && own.contains("Last sign-in: <time")
    );
    assert!(!own.contains(&reset(&team.lees_id)) && !own.contains(&remove(&team.lees_id)), "{own}");
    assert!(
        mo.contains(&reset(&team.mos_id)) && mo.contains(&remove(&team.mos_id)) && !mo.contains("data-own"),
        "{mo}"
    );
    assert!(mo.contains("Last sign-in: <time") && !mo.contains("class=\"hint waiting\""), "{mo}");

    stack.add_administrator(&team.lee, LEES, "noor@fabrikam").await;
    let noors = stack.account_id("noor@fabrikam").await;
    assert!(row(&at("/administration").await, &noors).contains(words().team_waiting));
    team.reset_mo().await;
    let home = at("/administration").await;
    assert!(row(&home, &team.mos_id).contains(words().team_waiting_again), "{home}");
}

#[tokio::test]
async fn the_questions_before_a_reset_and_a_removal_are_about_a_colleague() {
    let team = Team::start().await;
    let stack = &team.stack;
    let at = async |path: &str, session: &str| {
        stack.call("portal", Call::get(path).session(session).header("accept", "text/html")).await
    };
    let reset = html(&at(&format!("/administration/reset/{}", team.mos_id), &team.lee).await);
    let marks =
        [format!("data-form=\"reset\" data-account=\"{}\"", team.mos_id), escaped("Reset Mo Rahimi's password?")];
    assert!(marks.iter().all(|mark| reset.contains(mark)), "{reset}");
    let remove = html(&at(&format!("/administration/remove/{}", team.mos_id), &team.lee).await);
    assert!(remove.contains("data-form=\"remove\"") && remove.contains("Remove Mo Rahimi?"), "{remove}");

    let own = at(&format!("/administration/reset/{}", team.lees_id), &team.lee).await;
    assert_eq!((own.status, own.headers["location"].as_str()), (303, "/administration/password"));
    let own = html(&at(&format!("/administration/remove/{}", team.lees_id), &team.lee).await);
    assert!(own.contains(&escaped(words().remove_self_title)) && own.contains(words().remove_self_lead), "{own}");
    assert!(!own.contains("data-form=\"remove\""));
    let temporary = team.reset_mo().await;
    let waiting = html(&at(&format!("/administration/remove/{}", team.lees_id), &team.lee).await);
    assert!(waiting.contains(&escaped(words().last_administrator)), "Mo cannot remove Lee: {waiting}");
    let mo = stack.sign_in(MO, &temporary).await.session().unwrap();
    for path in ["reset", "remove"].map(|act| format!("/administration/{act}/01JUNKNOWN")) {
        assert_eq!(at(&path, &team.lee).await.status, 404, "{path}");
        for session in [&mo, &"A".repeat(43)] {
            let answer = at(&path, session).await;
            assert_eq!((answer.status, answer.headers["location"].as_str()), (303, "/administration"), "{path}");
        }
    }
    stack.advance_clock(REFILL);

    team.remove_mo().await;
    assert_eq!(at(&format!("/administration/remove/{}", team.mos_id), &team.lee).await.status, 404);
    let alone = html(&at(&format!("/administration/remove/{}", team.lees_id), &team.lee).await);
    assert!(alone.contains(&escaped(words().last_administrator)), "{alone}");
    let removed = html(&at("/administration/removed", &team.lee).await);
    assert!(row(&removed, &team.mos_id).contains(&format!("/administration/reset/{}", team.mos_id)), "{removed}");
    let again = html(&at(&format!("/administration/reset/{}", team.mos_id), &team.lee).await);
    assert!(again.contains(&escaped(words().reset_former_lead)) && again.contains("data-form=\"reset\""), "{again}");
}

#[tokio::test]
async fn a_service_administrator_who_is_active_again_can_be_removed_and_not_reset() {
    let team = Team::start().await;
    let stack = &team.stack;
    reawaken(stack, 1).await;
    let service = stack.account_id("admin@fabrikam").await;
    let at = async |path: &str| stack.call("portal", Call::get(path).session(&team.lee)).await;
    let home = html(&at("/administration").await);
    let row = row(&home, &service);
    assert!(row.contains(words().service_administrator) && row.contains(words().team_waiting), "{row}");
    assert!(
        row.contains(&format!("/administration/remove/{service}")) && !row.contains("/administration/reset/"),
        "{row}"
    );
    assert!(home.contains("Administrators: 2"), "it is no permanent account");
    assert_eq!(at(&format!("/administration/reset/{service}")).await.status, 404, "only the support desk helps it");
    let remove = html(&at(&format!("/administration/remove/{service}")).await);
    let marks = [
        &*escaped(words().remove_service_title),
        ">admin@fabrikam</span> will be closed right away",
        "data-form=\"remove\"",
    ];
    assert!(marks.iter().all(|mark| remove.contains(mark)), "{remove}");
}

#[tokio::test]
async fn no_page_shows_an_account_of_another_subscription_of_the_company() {
    let team = Team::start().await;
    let stack = &team.stack;
    let other = stack.service_administrator("sub-2", "admin-sub-2@fabrikam", "seven green boats at noon").await;
    let noor = stack.first_administrator(&other, "noor@fabrikam", LEES).await;
    let noors = stack.account_id("noor@fabrikam").await;
    for (session, foreign) in [(&team.lee, &noors), (&noor, &team.mos_id)] {
        for act in ["reset", "remove"] {
            let path = format!("/administration/{act}/{foreign}");
            assert_eq!(stack.call("portal", Call::get(&path).session(session)).await.status, 404, "{path}");
        }
        let home = html(&stack.call("portal", Call::get("/administration").session(session)).await);
        assert!(!home.contains(foreign.as_str()));
    }
}
