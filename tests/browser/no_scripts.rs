//! Without scripts, every page can be read, customers can sign in, and each form says that it needs scripts and who helps.

use std::time::Duration;

use serde_json::json;
use support::Call;
use words::Language;

use crate::{Chapter, acts::Customer, page::Page};

const LUCERNE: Customer = Customer {
    subscription: "sub-plain",
    company: "lucerne",
    company_name: "Lucerne Publishing",
    contact: "it@lucerne.example",
    portal_user: "kim@lucerne.example",
};

pub(crate) async fn run(chapter: &Chapter<'_>) {
    let mailed = chapter.start(&LUCERNE).await;
    let kim = chapter.visitor(Language::English).await;
    let (page, w) = (kim.tab().await, Language::English.words());
    page.tab.send("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await.unwrap();
    page.journal.expect("the server responded with a status of 400");
    for (path, text) in [
        ("/", w.start_lead),
        ("/help", w.help_lead),
        ("/support", w.support_never),
        ("/auth/signed-out", w.signed_out),
        ("/auth/callback", w.sign_in_stale),
        ("/administration", w.lost_it_link),
    ] {
        page.open(path).await;
        page.see(text).await;
        assert_forms_explain_scripts(&page).await;
    }

    page.open("/").await;
    page.sign_in(LUCERNE.portal_user).await;
    page.see(w.your_subscriptions).await;
    for text in [LUCERNE.company_name, &LUCERNE.user_name(), " UTC", w.step_open] {
        page.see(text).await;
    }
    page.see_filled(w.retrievals_left, &[("remaining", "3"), ("allowed", "3")]).await;
    assert_forms_explain_scripts(&page).await;
    page.click(w.go).await;
    page.arrive_at("/support").await;
    page.open("/").await;
    page.click(w.sign_out).await;
    page.see(w.signed_out).await;

    let (_, _, first) = sign_in(chapter, &LUCERNE.user_name(), &mailed).await;
    page.set_cookie("__Host-session", &first).await;
    page.open("/administration").await;
    page.see(w.reset_title).await;
    assert_forms_explain_scripts(&page).await;
    let chosen = json!({ "new_password": "seven green boats at noon" });
    let (_, _, second) = chapter.world.dev.post("/reset-password", &first, chosen).await;
    page.set_cookie("__Host-session", &second).await;
    page.open("/administration").await;
    page.see(w.create_title).await;
    assert_forms_explain_scripts(&page).await;
    page.set_cookie("__Host-session", &session_of_an_administrator(chapter, &second).await).await;
    the_pages_of_a_team_can_be_read(&page).await;
    page.click(w.sign_out).await;
    see_signed_out(&kim.tab().await).await;
}

async fn the_pages_of_a_team_can_be_read(page: &Page) {
    let w = page.w;
    page.open("/administration").await;
    page.see(w.change_password).await;
    page.click(&format!("{}: Mo Saeed", w.reset_other)).await;
    page.see(w.reset_other_lead).await;
    assert_forms_explain_scripts(page).await;
    page.click(w.cancel).await;
    page.click(&format!("{}: Mo Saeed", w.remove_other)).await;
    page.see(w.remove_lead).await;
    assert_forms_explain_scripts(page).await;
    for (path, text) in [
        ("/administration/create", w.create_another_lead),
        ("/administration/password", w.change_lead),
        ("/administration/removed", w.former_none),
    ] {
        page.open(path).await;
        page.see(text).await;
        assert_forms_explain_scripts(page).await;
    }
}

/// Waits until a tab shows that the session has ended. The answer to the form that signs out has no page, so nothing says when it has arrived.
async fn see_signed_out(after: &Page) {
    for _ in 0..50 {
        after.open("/administration").await;
        if after.text().await.contains(after.w.lost_it_link) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the session has not ended: {}", after.text().await);
}

/// Creates an administrator, who adds another one. Returns the session of the first.
async fn session_of_an_administrator(chapter: &Chapter<'_>, service: &str) -> String {
    let (dev, password) = (&chapter.world.dev, "a quiet lamp over the harbour");
    let create = Call::create_admin(service, &LUCERNE.administrator(), password).key("lee");
    assert_eq!(dev.call(create).await.unwrap().status, 201);
    let (_, _, session) = sign_in(chapter, &LUCERNE.administrator(), password).await;
    let fields = json!({ "user_name": "mo@lucerne", "display_name": "Mo Saeed", "current_password": password });
    let add = Call::post("/administrators").session(&session).key("mo").json(&fields);
    assert_eq!(dev.call(add).await.unwrap().status, 201);
    session
}

async fn sign_in(
    chapter: &Chapter<'_>,
    name: &str,
    password: &str,
) -> (lambda_http::http::StatusCode, serde_json::Value, String) {
    chapter.world.dev.post("/sign-in", "", json!({ "user_name": name, "password": password })).await
}

/// Asserts that every form on the page says that it needs scripts, except the forms that sign out, which work without.
async fn assert_forms_explain_scripts(page: &Page) {
    let forms = page.query(&format!("formsWithoutHint({})", json!(page.w.needs_scripts))).await;
    let without_hint: Vec<_> = forms.as_array().unwrap().iter().filter_map(|form| form.as_str()).collect();
    let without_hint: Vec<_> = without_hint.into_iter().filter(|form| !form.contains("sign-out\"")).collect();
    assert!(without_hint.is_empty(), "forms without a hint about scripts: {without_hint:?}");
}
