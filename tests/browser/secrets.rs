//! When the window is closed, has hidden the password, or is left, the password is nowhere in the page.

use std::time::Duration;

use serde_json::json;
use words::Language;

use crate::{Chapter, acts::Customer, page::Page, traffic::Traffic};

const TAILSPIN: Customer = Customer {
    subscription: "sub-secret",
    company: "tailspin",
    company_name: "Tailspin Toys",
    contact: "it@tailspin.example",
    portal_user: "kim@tailspin.example",
};

/// A clock that the test moves: timers of a minute and longer wait for it, and the time of day goes with it.
const CLOCK: &str = "
    const timers = new Map();
    const [set, clear, now] = [setTimeout, clearTimeout, Date.now];
    let passed = 0;
    window.setTimeout = (run, after, ...rest) => {
      if (!(after >= 60000)) return set(run, after, ...rest);
      const id = -1 - timers.size;
      timers.set(id, { run, at: Date.now() + after });
      return id;
    };
    window.clearTimeout = (id) => (id < 0 ? timers.delete(id) : clear(id));
    Date.now = () => now() + passed;
    window.pass = (time) => {
      passed += time;
      for (const [id, { run, at }] of timers) if (at <= Date.now() && timers.delete(id)) run();
    };";

pub(crate) async fn tell(chapter: &Chapter<'_>) {
    let mailed = chapter.start(&TAILSPIN).await;
    let kim = chapter.visitor(Language::English).await;
    let page = kim.tab().await;
    page.tab.evaluate_on_new_document(CLOCK).await.unwrap();
    page.visit(TAILSPIN.portal_user).await;
    let (w, traffic) = (page.w, Traffic::of(&page).await);

    // It is found while it is shown; so it would be found later.
    page.click(w.go).await;
    assert_eq!(page.shown_password().await, mailed);
    assert!(is_anywhere(&page, &mailed).await, "the test finds what is there");
    page.click(w.close).await;
    page.gone("dialog[open]").await;
    is_nowhere(&page, &mailed, "the window is closed").await;
    page.click(w.go).await;
    page.shown_password().await;
    page.press("Escape").await;
    page.gone("dialog[open]").await;
    is_nowhere(&page, &mailed, "the window is closed by Escape").await;

    // After two minutes it is hidden, and comes back by the same click.
    page.click(w.go).await;
    page.shown_password().await;
    page.evaluate("pass(119000)").await;
    assert_eq!(page.shown_password().await, mailed);
    page.evaluate("pass(1001)").await;
    page.see(w.hidden).await;
    is_nowhere(&page, &mailed, "it is hidden").await;
    page.see(w.make_sure).await;
    page.click(w.show_again).await;
    assert_eq!(page.shown_password().await, mailed);
    assert_eq!(chapter.remaining(&TAILSPIN).await, 2, "to show it again costs nothing");

    // A click that is too old is no click: whoever wants another retrieval presses Go.
    page.evaluate("pass(600000)").await;
    page.see(w.hidden).await;
    let clicks = traffic.clicks();
    page.click(w.show_again).await;
    page.see(w.too_old).await;
    assert_eq!((traffic.clicks(), chapter.remaining(&TAILSPIN).await), (clicks, 2), "nothing is asked for");
    is_nowhere(&page, &mailed, "the window says that it is over").await;
    page.click(w.try_again).await;
    assert_eq!(page.shown_password().await, mailed);
    assert_eq!(chapter.remaining(&TAILSPIN).await, 1, "this was Go, once more");

    // Whoever leaves with the window open and comes back finds it closed.
    page.open("/help").await;
    page.travel(-1).await;
    page.see(w.your_subscriptions).await;
    is_nowhere(&page, &mailed, "back").await;
    page.click(w.go).await;
    page.shown_password().await;
    page.travel(1).await;
    is_nowhere(&page, &mailed, "forward").await;
    page.travel(-1).await;
    page.see(w.your_subscriptions).await;
    is_nowhere(&page, &mailed, "and back").await;
    assert_eq!(page.evaluate("document.cookie").await, json!(""), "no script reads a session");
}

/// A moment after something has happened.
async fn is_nowhere(page: &Page, password: &str, when: &str) {
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!is_anywhere(page, password).await, "the password is still there: {when}");
}

async fn is_anywhere(page: &Page, password: &str) -> bool {
    let everything = page.ask("everything()").await.as_str().unwrap().to_owned();
    assert!(everything.len() > 1000, "all of it is read");
    [password, &password.replace('-', "")].iter().any(|form| everything.contains(*form))
}
