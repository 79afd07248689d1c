//! Scripting off: every page reads, customers sign in, and each form says what it needs and who helps.

use chromiumoxide::cdp::browser_protocol::emulation::SetScriptExecutionDisabledParams;
use serde_json::json;
use words::Language;

use crate::{Chapter, acts::Customer, page::Page};

const LUCERNE: Customer = Customer {
    subscription: "sub-plain",
    company: "lucerne",
    company_name: "Lucerne Publishing",
    contact: "it@lucerne.example",
    portal_user: "kim@lucerne.example",
};

pub(crate) async fn tell(chapter: &Chapter<'_>) {
    let mailed = chapter.start(&LUCERNE).await;
    let kim = chapter.visitor(Language::English).await;
    let (page, w) = (kim.tab().await, Language::English.words());
    page.tab.execute(SetScriptExecutionDisabledParams::new(true)).await.unwrap();
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
        says_what_it_needs(&page).await;
    }

    page.open("/").await;
    page.sign_in(LUCERNE.portal_user).await;
    page.see(w.your_subscriptions).await;
    for text in [LUCERNE.company_name, &LUCERNE.user_name(), " UTC", w.step_open] {
        page.see(text).await;
    }
    page.says(w.retrievals_left, &[("remaining", "3"), ("allowed", "3")]).await;
    says_what_it_needs(&page).await;
    page.click(w.go).await;
    page.at("/support").await;
    page.open("/").await;
    page.click(w.sign_out).await;
    page.see(w.signed_out).await;

    let (_, _, first) = sign_in(chapter, &LUCERNE.user_name(), &mailed).await;
    page.keep("__Host-session", &first).await;
    page.open("/administration").await;
    page.see(w.reset_title).await;
    says_what_it_needs(&page).await;
    let chosen = json!({ "new_password": "seven green boats at noon" });
    let (_, _, second) = chapter.world.dev.post("/reset-password", &first, chosen).await;
    page.keep("__Host-session", &second).await;
    page.open("/administration").await;
    page.see(w.create_title).await;
    says_what_it_needs(&page).await;
    page.click(w.sign_out).await;
    // The answer has no page. Another tab shows that nobody is signed in.
    let after = kim.tab().await;
    after.open("/administration").await;
    after.see(w.lost_it_link).await;
}

async fn sign_in(
    chapter: &Chapter<'_>,
    name: &str,
    password: &str,
) -> (lambda_http::http::StatusCode, serde_json::Value, String) {
    chapter.world.dev.post("/sign-in", "", json!({ "user_name": name, "password": password })).await
}

/// Every form on the page, but those that sign out, which work.
async fn says_what_it_needs(page: &Page) {
    let silent = page.ask(&format!("silent({})", json!(page.w.needs_scripts))).await;
    let silent: Vec<_> = silent.as_array().unwrap().iter().filter_map(|form| form.as_str()).collect();
    let silent: Vec<_> = silent.into_iter().filter(|form| !form.contains("sign-out\"")).collect();
    assert!(silent.is_empty(), "says nothing to whoever has no scripts: {silent:?}");
}
