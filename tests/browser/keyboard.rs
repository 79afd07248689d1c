//! No mouse: the whole story by Tab and Enter, and what else a keyboard must do.

use serde_json::json;
use words::Language;

use crate::{Chapter, acts::Customer, page::Hand, story};

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

pub(crate) async fn tell(chapter: &Chapter<'_>) {
    story::tell(chapter, &NORTHWIND, Hand::Keys).await;
    small_things(chapter).await;
}

async fn small_things(chapter: &Chapter<'_>) {
    chapter.start(&WOODGROVE).await;
    let kim = chapter.visitor(Language::English).await.working_with(Hand::Keys);
    let (page, w) = (kim.tab().await, Language::English.words());
    page.open("/").await;
    page.press("Tab").await;
    assert_eq!(page.ask("focus()").await["name"], w.skip, "the first Tab leads to the content");
    page.press("Enter").await;
    page.press("Tab").await;
    assert!(page.ask("focus()").await["name"].as_str().unwrap().starts_with("Sign in with"), "and past the head");
    page.press("Enter").await;
    page.at_the_provider(WOODGROVE.portal_user).await;

    // Arrows choose, Space presses, Escape closes, and the focus is where it was.
    page.tab_to(w.actions).await;
    page.press("ArrowDown").await;
    page.tab_to(w.go).await;
    page.press(" ").await;
    page.see(w.support_message).await;
    page.press("Escape").await;
    page.gone("dialog[open]").await;
    assert_eq!(page.ask(&format!("focused({})", json!(w.go))).await, json!(true), "the focus is back on Go");
    page.press("Tab").await;
    page.tab_to(w.actions).await;
    page.press("ArrowUp").await;
    page.tab_to(w.go).await;
    page.press(" ").await;
    page.shown_password().await;
    assert_eq!(
        page.evaluate("document.activeElement.id").await,
        "window-title",
        "whoever listens hears the title first"
    );
    page.press("Escape").await;
    page.gone("dialog[open]").await;
    assert_eq!(chapter.remaining(&WOODGROVE).await, 2);
}
