//! The keyboard alone: the whole story by Tab and Enter, and further keyboard behaviour.

use serde_json::json;
use words::Language;

use crate::{Chapter, acts::Customer, page::Input, story};

const NORTHWIND: Customer = Customer {
    subscription: "sub-keyboard",
    company: "northwind",
    company_name: "Northwind Traders",
    contact: "it@northwind.example",
    portal_user: "kim@northwind.example",
};

const WOODGROVE: Customer = Customer {
    subscription: "sub-keys",
    company: "woodgrove",
    company_name: "Woodgrove Bank",
    contact: "it@woodgrove.example",
    portal_user: "kim@woodgrove.example",
};

pub(crate) async fn run(chapter: &Chapter<'_>) {
    story::run(chapter, &NORTHWIND, Input::Keys).await;
    further_keys_work(chapter).await;
}

async fn further_keys_work(chapter: &Chapter<'_>) {
    chapter.start(&WOODGROVE).await;
    let kim = chapter.visitor(Language::English).await.with_input(Input::Keys);
    let (page, w) = (kim.tab().await, Language::English.words());
    page.open("/").await;
    page.press("Tab").await;
    assert_eq!(page.query("focus()").await["name"], w.skip, "the first Tab reaches the link to the content");
    page.press("Enter").await;
    page.press("Tab").await;
    assert!(
        page.query("focus()").await["name"].as_str().unwrap().starts_with("Sign in with"),
        "the link skips the page header"
    );
    page.press("Enter").await;
    page.sign_in_at_provider(WOODGROVE.portal_user).await;

    // Arrows choose, Space presses, Escape closes, and the focus returns.
    page.tab_to(w.actions).await;
    // Between the first action and the last one is the mail again.
    page.press("ArrowDown").await;
    page.press("ArrowDown").await;
    page.tab_to(w.go).await;
    page.press(" ").await;
    page.see(w.support_message).await;
    page.press("Escape").await;
    page.see_gone("dialog[open]").await;
    assert_eq!(page.query(&format!("focused({})", json!(w.go))).await, json!(true), "the focus returns to Go");
    page.press("Tab").await;
    page.tab_to(w.actions).await;
    page.press("ArrowUp").await;
    page.press("ArrowUp").await;
    page.tab_to(w.go).await;
    page.press(" ").await;
    page.shown_password().await;
    assert_eq!(
        page.evaluate("document.activeElement.id").await,
        "window-title",
        "a screen reader reads the title first"
    );
    page.press("Escape").await;
    page.see_gone("dialog[open]").await;
    assert_eq!(chapter.remaining_retrievals(&WOODGROVE).await, 2);
}
