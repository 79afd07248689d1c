//! The whole story in a browser without what the oldest browsers of the README lack, and with the odd languages that browsers report.

use std::sync::Arc;

use serde_json::json;
use words::Language;

use crate::{Chapter, acts::Customer, page::Input, story};

const COHO: Customer = Customer {
    subscription: "sub-oldest",
    company: "coho",
    company_name: "Coho Winery",
    contact: "it@coho.example",
    portal_user: "kim@coho.example",
};

/// Removes what Chrome 87, Firefox 79 or Safari 14.1 lacks.
const OLDEST: &str = "
    const removed = [
      [AbortSignal, ['timeout', 'any']],
      [Crypto.prototype, ['randomUUID']],
      [HTMLDialogElement.prototype, ['show', 'showModal', 'close', 'requestClose']],
      [Array.prototype, ['at', 'findLast', 'findLastIndex', 'toSorted', 'toReversed', 'toSpliced', 'with']],
      [String.prototype, ['at', 'replaceAll', 'isWellFormed', 'toWellFormed']],
      [Object, ['hasOwn', 'groupBy']],
      [Promise, ['any', 'withResolvers', 'try']],
      [HTMLElement.prototype, ['inert', 'togglePopover', 'showPopover', 'hidePopover']],
      [URL, ['canParse', 'parse']],
      [Intl, ['Segmenter', 'supportedValuesOf']],
      [window, ['structuredClone', 'scheduler', 'queueMicrotask', 'reportError', 'AggregateError', 'WeakRef']],
    ];
    for (const [owner, names] of removed) for (const name of names) delete owner[name];";

/// The languages that browsers report: tags that are malformed, none, or no list at all.
const LANGUAGES: [&str; 7] =
    ["['en-US@posix']", "['en_US.UTF-8', 'en-US']", "['en-x', '', 'en-']", "[]", "undefined", "'C'", "['*', null]"];

pub(crate) async fn run(chapter: &Chapter<'_>) {
    let before = format!("{OLDEST} {}", languages(LANGUAGES[0]));
    let oldest = Chapter { world: chapter.world, journal: Arc::clone(&chapter.journal), before: Some(before) };
    story::run(&oldest, &COHO, Input::Mouse).await;
    what_was_removed_is_missing(&oldest).await;
    times_are_rewritten_whatever_the_languages(chapter).await;
}

/// Checks that the story ran without the features, and that Escape closes the window that takes the place of the page.
async fn what_was_removed_is_missing(chapter: &Chapter<'_>) {
    let kim = chapter.visitor(Language::English).await;
    let page = kim.tab().await;
    page.visit(COHO.portal_user).await;
    let missing = "[AbortSignal.timeout, crypto.randomUUID, [].at, document.createElement('dialog').showModal].every((one) => !one)";
    assert_eq!(page.evaluate(missing).await, json!(true));
    page.click(page.w.go).await;
    page.see_filled(page.w.reason_signed_in_and_changed, &[]).await;
    assert_eq!(page.evaluate("document.getElementById('main').checkVisibility()").await, json!(false));
    page.press("Escape").await;
    page.see_gone("dialog[open]").await;
    page.see(page.w.your_subscriptions).await;
    assert_eq!(page.query(&format!("focused({})", json!(page.w.go))).await, json!(true), "the focus returns to Go");
}

async fn times_are_rewritten_whatever_the_languages(chapter: &Chapter<'_>) {
    let token = chapter.world.dev.token(COHO.portal_user).await;
    for reported in LANGUAGES {
        let kim = chapter.visitor(Language::English).await;
        let page = kim.tab().await;
        page.run_before(&languages(reported)).await;
        page.set_cookie("__Host-customer", &token).await;
        page.open("/").await;
        page.see("(Berlin)").await;
    }
}

/// Returns a script that makes the browser report these languages.
fn languages(reported: &str) -> String {
    format!("Object.defineProperty(Navigator.prototype, 'languages', {{ get: () => ({reported}) }});")
}
