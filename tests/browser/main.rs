//! The product as people see it: Chromium, the real pages, and behind them `cargo dev` with all that it starts.
//!
//! | chapter | what is shown |
//! |---|---|
//! | `story.rs` | the whole story clicked through, by two people of the customer and the service administrator |
//! | `keyboard.rs` | the same by keys alone, and what else a keyboard must do |
//! | `lost.rs` | an answer lost on the network, a double click, a page loaded again: one retrieval |
//! | `secrets.rs` | the password is nowhere once its window is closed, has hidden it, or is left |
//! | `sessions.rs` | who is not signed in any more, or as somebody else, gets back to where they were |
//! | `no_scripts.rs` | scripting off: every page reads, customers sign in, forms say what they need |
//! | `weight.rs` | the page with the credentials is small, and what it loads is loaded once |
//! | `tour.rs`, `look.rs` | every page, window and mail in each language: axe-core, 320 and 1,280 pixels, day, night and paper, pictures |
//!
//! One product and one browser serve all chapters, each with a customer of its own. A failure names the chapter, the step and the page, and
//! leaves a picture under `target/browser/`. `FIRSTKEY_ONLY=story` runs one chapter. What a browser complains of (its policy, a script, an
//! answer) fails a chapter that has not said that it expects it.
//!
//! `page.rs` and `driver.js` have the verbs, `browser.rs` the browser and who sits before it, `acts.rs` what more than one chapter does.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![expect(clippy::print_stdout, reason = "what was looked at is what a run is read for")]

mod acts;
mod browser;
mod journal;
mod keyboard;
mod look;
mod lost;
mod no_scripts;
mod page;
mod secrets;
mod sessions;
mod story;
mod tour;
mod traffic;
mod weight;

use std::{fmt::Write as _, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::{FutureExt, future::LocalBoxFuture};
use words::Language;

use crate::{
    browser::{Visitor, World},
    journal::Journal,
    page::Hand,
};

/// A part of what is shown, with a customer of its own.
pub(crate) struct Chapter<'w> {
    pub(crate) world: &'w World,
    pub(crate) journal: Arc<Journal>,
}

type Tell = for<'a> fn(&'a Chapter<'a>) -> LocalBoxFuture<'a, ()>;

const CHAPTERS: [(&str, Tell); 10] = [
    ("story", |chapter| Box::pin(story::tell(chapter, &story::FABRIKAM, Hand::Mouse))),
    ("keyboard", |chapter| Box::pin(keyboard::tell(chapter))),
    ("lost", |chapter| Box::pin(lost::tell(chapter))),
    ("secrets", |chapter| Box::pin(secrets::tell(chapter))),
    ("sessions", |chapter| Box::pin(sessions::tell(chapter))),
    ("no-scripts", |chapter| Box::pin(no_scripts::tell(chapter))),
    ("weight", |chapter| Box::pin(weight::tell(chapter))),
    ("tour-en", |chapter| Box::pin(tour::in_english(chapter))),
    ("tour-de", |chapter| Box::pin(tour::in_german(chapter))),
    ("tour-qps", |chapter| Box::pin(tour::from_right_to_left(chapter))),
];

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_that_people_do_in_a_browser() {
    let Some(world) = World::start().await else { return };
    let only = support::text_asked_for("FIRSTKEY_ONLY");
    let (mut told, mut failures) = (0, Vec::new());
    println!("| chapter | seconds | |\n|---|--:|---|");
    for (name, tell) in CHAPTERS
        .into_iter()
        .filter(|(name, _)| only.as_deref().is_none_or(|only| only.split(',').any(|only| only == *name)))
    {
        let begun = Instant::now();
        let failed = run(&world, name, tell).await;
        world.empty().await;
        let verdict = if failed.is_empty() { "passed" } else { "FAILED" };
        println!("| {name} | {} | {verdict} |", begun.elapsed().as_secs());
        told += 1;
        failures.extend(failed);
    }
    world.stop().await;
    println!("browser: {told} chapters, {} failures", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(told > 0, "there is no such chapter");
}

/// Tells one chapter; what went wrong, with the last step, its page, and where the picture is.
async fn run(world: &World, name: &str, tell: Tell) -> Vec<String> {
    let chapter = Chapter { world, journal: Arc::default() };
    let mut failures = Vec::new();
    if let Err(panic) = AssertUnwindSafe(tell(&chapter)).catch_unwind().await {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
        let (step, page) = chapter.journal.last();
        let mut failure = format!("chapter {name}, step {step}");
        if let Some(page) = page {
            let picture = browser::target().join("browser").join(format!("{name}.png"));
            write!(failure, ", at {}, picture {}", page.url().await, picture.display()).unwrap();
            page.picture(&picture).await;
        }
        failures.push(format!("{failure}: {what}"));
    }
    failures.extend(chapter.journal.complaints().iter().map(|complaint| format!("chapter {name}: {complaint}")));
    failures
}

impl Chapter<'_> {
    /// Somebody with a browser of their own.
    pub(crate) async fn visitor(&self, language: Language) -> Visitor<'_> {
        self.world.visitor(language, &self.journal).await
    }
}
