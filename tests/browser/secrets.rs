//! The page does not hold the password after its window closes, hides the password, or is left. The same holds for the temporary password of
//! a new administrator.

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

const ADVENTURE: Customer = Customer {
    subscription: "sub-handout",
    company: "adventure",
    company_name: "Adventure Works",
    contact: "it@adventure.example",
    portal_user: "kim@adventure.example",
};

/// A clock that the test advances. It drives timers of a minute and longer, and the time of day.
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

pub(crate) async fn run(chapter: &Chapter<'_>) {
    the_window_holds_no_password_for_long(chapter).await;
    the_handout_holds_no_password_for_long(chapter).await;
}

#[expect(clippy::too_many_lines, reason = "a chapter is one story, which reads from top to bottom")]
async fn the_window_holds_no_password_for_long(chapter: &Chapter<'_>) {
    let mailed = chapter.start(&TAILSPIN).await;
    let kim = chapter.visitor(Language::English).await;
    let page = kim.tab().await;
    page.run_before(CLOCK).await;
    page.visit(TAILSPIN.portal_user).await;
    let (w, traffic) = (page.w, Traffic::record(&page));

    // The test finds the password while it is shown, so it would find it later as well.
    page.click(w.go).await;
    assert_eq!(page.shown_password().await, mailed);
    assert!(page.holds(&mailed).await, "the test finds a password that is shown");
    page.click(w.close).await;
    page.see_gone("dialog[open]").await;
    assert_absent(&page, &mailed, "the window is closed").await;
    page.click(w.go).await;
    page.shown_password().await;
    page.press("Escape").await;
    page.see_gone("dialog[open]").await;
    assert_absent(&page, &mailed, "the window is closed by Escape").await;

    // After two minutes the password is hidden, and the same click shows it again.
    page.click(w.go).await;
    page.shown_password().await;
    page.evaluate("pass(119000)").await;
    assert_eq!(page.shown_password().await, mailed);
    page.evaluate("pass(1001)").await;
    page.see(w.hidden).await;
    assert_absent(&page, &mailed, "the password is hidden").await;
    page.see(w.make_sure).await;
    page.click(w.show_again).await;
    assert_eq!(page.shown_password().await, mailed);
    assert_eq!(chapter.remaining_retrievals(&TAILSPIN).await, 2, "showing the password again spends no retrieval");

    // A click that is too old cannot be repeated: another retrieval needs another press of Go.
    page.evaluate("pass(600000)").await;
    page.see(w.hidden).await;
    let clicks = traffic.clicks();
    page.click(w.show_again).await;
    page.see(w.too_old).await;
    assert_eq!((traffic.clicks(), chapter.remaining_retrievals(&TAILSPIN).await), (clicks, 2), "no request is sent");
    assert_absent(&page, &mailed, "the window says that the click is too old").await;
    page.click(w.try_again).await;
    assert_eq!(page.shown_password().await, mailed);
    assert_eq!(chapter.remaining_retrievals(&TAILSPIN).await, 1, "this was another press of Go");

    // A person who leaves with the window open and comes back finds it closed.
    page.open("/help").await;
    page.travel(-1).await;
    page.see(w.your_subscriptions).await;
    assert_absent(&page, &mailed, "after going back").await;
    page.click(w.go).await;
    page.shown_password().await;
    page.travel(1).await;
    assert_absent(&page, &mailed, "after going forward").await;
    page.travel(-1).await;
    page.see(w.your_subscriptions).await;
    assert_absent(&page, &mailed, "after going back again").await;
    // The browser advises against the way in which this test reads cookies.
    page.journal.expect("DocumentCookie");
    assert_eq!(page.evaluate("document.cookie").await, json!(""), "no script can read a session");
}

async fn the_handout_holds_no_password_for_long(chapter: &Chapter<'_>) {
    let password = "a quiet lamp over the harbour";
    chapter.first_administrator(&ADVENTURE, "Lee Ahmadi", password, Language::English).await;
    let lee = chapter.visitor(Language::English).await;
    let page = lee.tab().await;
    page.run_before(CLOCK).await;
    let w = page.w;
    page.sign_in_to_the_center(&ADVENTURE.administrator(), password).await;
    page.click(w.add_administrator).await;
    for (field, value) in [("user_name", "mo"), ("display_name", "Mo Saeed"), ("current_password", password)] {
        page.fill(field, value).await;
    }
    page.click(w.add_administrator).await;
    let shown = page.read("[data-handout=shown] .password").await;
    assert!(page.holds(&shown).await, "the test finds a password that is shown");
    assert!(!page.holds(password).await, "the form's password is gone");

    // After two minutes the password is hidden, and the page shows it again for two more.
    page.evaluate("pass(119000)").await;
    page.see(&shown).await;
    page.evaluate("pass(1001)").await;
    page.see(w.hidden).await;
    assert_absent(&page, &shown, "the password is hidden").await;
    page.click(w.show_again).await;
    page.see(&shown).await;
    page.evaluate("pass(120001)").await;
    page.see(w.hidden).await;

    // Ten minutes after the answer, nothing shows it any more, however late it was shown again.
    page.evaluate("pass(330000)").await;
    page.click(w.show_again).await;
    page.see(&shown).await;
    page.evaluate("pass(30000)").await;
    page.see(w.handout_gone).await;
    assert_absent(&page, &shown, "the time of the handout is over").await;
    let names = page.query("names()").await;
    assert!(names.as_array().unwrap().iter().all(|name| name != w.show_again), "nothing shows it again: {names}");
}

/// Asserts, after a moment, that the page does not hold the password.
async fn assert_absent(page: &Page, password: &str, when: &str) {
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!page.holds(password).await, "the page still holds the password: {when}");
}
