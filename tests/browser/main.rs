//! Browser tests: Chromium uses the real pages of the product, which runs under `cargo dev` with everything that it starts.
//!
//! | chapter | what it tests |
//! |---|---|
//! | `story.rs` | the whole story by mouse, with two portal users and the service administrator |
//! | `keyboard.rs` | the same story by keyboard alone, and further keyboard behaviour |
//! | `lost.rs` | a lost answer, a double click and a reloaded page count as one retrieval |
//! | `secrets.rs` | the page holds no password after the window closes, hides it, or is left |
//! | `sessions.rs` | after a new sign-in, people return to the page that they came from |
//! | `no_scripts.rs` | without scripts, every page can be read, customers sign in, and forms say what they need |
//! | `support_requests.rs` | a message to support survives the end of the session, and an answer of the gateway is shown as a failure |
//! | `oldest.rs` | the whole story without what the oldest browsers lack, and with odd languages of the browser |
//! | `weight.rs` | the page with the credentials is small, and its assets are loaded once |
//! | `desk.rs` | the support desk: a reissue after three retrievals, and one to another address, which takes two operators |
//! | `team.rs` | administrators add, help and remove each other by keyboard alone, a lost answer among it |
//! | `product.rs` | an administrator arrives in the product, signed in: from the Administration Center, from the product, and without scripts |
//! | `mail_again.rs` | a mail that bounced, the mail again, and new credentials after the old ones have expired |
//! | `tour.rs`, `look.rs` | every page, window and mail in each language: axe-core, 320 and 1,280 pixels, day, night and paper (by turns, or all of them with `FIRSTKEY_FULL=1`), pictures |
//!
//! One product and one browser serve all chapters, each with its own customer. A failure names the chapter, the step and the page, and
//! leaves a picture under `target/browser/`. `FIRSTKEY_ONLY=story cargo verify --only browser` runs one chapter. A complaint of the
//! browser (about the policy, a script or an answer) fails a chapter that does not expect it.
//!
//! `page.rs` and `driver.js` drive a page, `browser.rs` has the browser and its visitors, `acts.rs` the steps that several chapters share.
//! `devtools.rs` sends the commands to Chromium.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![expect(clippy::print_stdout, reason = "the report shows what was inspected")]

mod acts;
mod browser;
mod desk;
mod devtools;
mod journal;
mod keyboard;
mod keys;
mod look;
mod lost;
mod mail_again;
mod no_scripts;
mod oldest;
mod page;
mod product;
mod secrets;
mod sessions;
mod story;
mod support_requests;
mod team;
mod tour;
mod traffic;
mod weight;

use std::{fmt::Write as _, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::{FutureExt, future::LocalBoxFuture};
use words::Language;

use crate::{
    browser::{Visitor, World},
    journal::Journal,
    page::Input,
};

/// A chapter, which has its own customer.
pub(crate) struct Chapter<'w> {
    pub(crate) world: &'w World,
    pub(crate) journal: Arc<Journal>,
    /// A script that runs before every page's own.
    pub(crate) before: Option<String>,
}

type RunChapter = for<'a> fn(&'a Chapter<'a>) -> LocalBoxFuture<'a, ()>;

const CHAPTERS: [(&str, RunChapter); 19] = [
    ("story", |chapter| Box::pin(story::run(chapter, &story::FABRIKAM, Input::Mouse))),
    ("keyboard", |chapter| Box::pin(keyboard::run(chapter))),
    ("lost", |chapter| Box::pin(lost::run(chapter))),
    ("secrets", |chapter| Box::pin(secrets::run(chapter))),
    ("sessions", |chapter| Box::pin(sessions::run(chapter))),
    ("no-scripts", |chapter| Box::pin(no_scripts::run(chapter))),
    ("support", |chapter| Box::pin(support_requests::run(chapter))),
    ("oldest", |chapter| Box::pin(oldest::run(chapter))),
    ("weight", |chapter| Box::pin(weight::run(chapter))),
    ("product", |chapter| Box::pin(product::run(chapter))),
    ("tour-en", |chapter| Box::pin(tour::in_english(chapter))),
    ("tour-de", |chapter| Box::pin(tour::in_german(chapter))),
    ("tour-qps", |chapter| Box::pin(tour::from_right_to_left(chapter))),
    ("desk-en", |chapter| Box::pin(desk::in_english(chapter))),
    ("desk-de", |chapter| Box::pin(desk::in_german(chapter))),
    ("team-en", |chapter| Box::pin(team::in_english(chapter))),
    ("team-de", |chapter| Box::pin(team::in_german(chapter))),
    ("mail-again-en", |chapter| Box::pin(mail_again::in_english(chapter))),
    ("mail-again-de", |chapter| Box::pin(mail_again::in_german(chapter))),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_product_works_in_a_browser() {
    let Some(world) = World::start().await else { return };
    let only = support::env_text("FIRSTKEY_ONLY");
    let (mut count, mut failures) = (0, Vec::new());
    println!("| chapter | seconds | |\n|---|--:|---|");
    for (name, chapter) in CHAPTERS
        .into_iter()
        .filter(|(name, _)| only.as_deref().is_none_or(|only| only.split(',').any(|only| only == *name)))
    {
        let begun = Instant::now();
        let failed = run(&world, name, chapter).await;
        world.close_all().await;
        let verdict = if failed.is_empty() { "passed" } else { "FAILED" };
        println!("| {name} | {} | {verdict} |", begun.elapsed().as_secs());
        count += 1;
        failures.extend(failed);
    }
    world.stop().await;
    println!("browser: {count} chapters, {} failures", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count > 0, "no chapter has this name");
}

/// Runs one chapter; returns its failures, with the last step, its page and the path of the picture.
async fn run(world: &World, name: &str, chapter: RunChapter) -> Vec<String> {
    let context = Chapter { world, journal: Arc::default(), before: None };
    let mut failures = Vec::new();
    if let Err(panic) = AssertUnwindSafe(chapter(&context)).catch_unwind().await {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default();
        let (step, page) = context.journal.last();
        let mut failure = format!("chapter {name}, step {step}");
        if let Some(page) = page {
            let picture = browser::target().join("browser").join(format!("{name}.png"));
            let look = AssertUnwindSafe(async {
                page.save_picture(&picture).await;
                page.url().await
            });
            match look.catch_unwind().await {
                Ok(url) => write!(failure, ", at {url}, picture {}", picture.display()).unwrap(),
                Err(_) => failure.push_str(", at a page that does not answer"),
            }
        }
        failures.push(format!("{failure}: {what}"));
    }
    failures
        .extend(context.journal.unexpected_complaints().iter().map(|complaint| format!("chapter {name}: {complaint}")));
    failures
}

impl Chapter<'_> {
    /// Returns a visitor with separate cookies, clipboard and history.
    pub(crate) async fn visitor(&self, language: Language) -> Visitor<'_> {
        let visitor = self.world.visitor(language, &self.journal).await;
        visitor.with_script(self.before.clone())
    }
}
