//! The checks of every page: axe-core reports no violation, nothing scrolls sideways, the layout does not shift, every text is in one
//! language, and the browser leaves credentials alone.
//!
//! Each page is inspected in one look, by turns, so that a tour has every look. `FIRSTKEY_FULL=1` inspects each page in all of them.

use std::{
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};
use words::Language;

use crate::{
    browser::{installed, target},
    page::{Media, NARROW, Page, WIDE},
};

/// A width and a medium.
type Look = (i64, Media);

/// The looks that a page can have.
const LOOKS: [Look; 6] = [
    (WIDE, Media::Light),
    (WIDE, Media::Dark),
    (WIDE, Media::Print),
    (NARROW, Media::Light),
    (NARROW, Media::Dark),
    (NARROW, Media::Print),
];

/// The largest total layout shift while a page loads, which is too small to notice. Web Vitals rate up to 0.1 as good.
const LARGEST_SHIFT: f64 = 0.02;

/// Inspects pages, one after the other, and collects the findings.
pub(crate) struct Inspector {
    language: Language,
    axe: String,
    /// The parts of a page that are not translated: names, addresses, numbers.
    names: Vec<String>,
    /// The user names and the password, which browsers must not translate or correct.
    credentials: Vec<String>,
    pages: AtomicUsize,
    found: Mutex<Vec<String>>,
    looks: Mutex<Vec<Look>>,
}

impl Inspector {
    pub(crate) fn new(language: Language, names: &[&str], credentials: &[&str]) -> Self {
        let [names, credentials] = [names, credentials].map(|texts| texts.iter().map(ToString::to_string).collect());
        let axe = installed("axe-core/axe.min.js");
        let (pages, found, looks) = (AtomicUsize::new(0), Mutex::default(), Mutex::default());
        Self { language, axe, names, credentials, pages, found, looks }
    }

    /// Inspects the current state of a page in the look whose turn it is, or in every look, and takes a picture of each.
    pub(crate) async fn inspect(&self, page: &Page, name: &str) {
        page.step(format!("look at `{name}` in {}", self.language.code()));
        page.bring_to_front().await;
        self.check_shifts(page, name).await;
        let number = self.pages.fetch_add(1, Ordering::Relaxed);
        for (width, media) in self.looks_of(number) {
            page.resize(width).await;
            page.set_media(media).await;
            let world = self.isolated_world(page).await;
            for violation in self.violations(page, name, world).await {
                self.add_finding(&format!("{name}, {width}, {media:?}: {violation}"));
            }
            if media != Media::Print {
                for wide in page.query("wide()").await.as_array().into_iter().flatten() {
                    self.add_finding(&format!("{name}, {width}: the page scrolls sideways: {wide}"));
                }
            }
            page.save_picture(&self.picture_path(number, name, width, media)).await;
            self.looks.lock().unwrap().push((width, media));
        }
        page.resize(WIDE).await;
        page.set_media(Media::Light).await;
        if self.language == Language::Pseudo {
            self.check_translation(page, name).await;
        }
        self.check_credentials(page, name).await;
        page.evaluate("shifts.length = 0").await;
    }

    /// Inspects a page, which must not scroll sideways at 320 pixels whatever look has its turn.
    pub(crate) async fn inspect_also_narrow(&self, page: &Page, name: &str) {
        self.inspect(page, name).await;
        page.resize(NARROW).await;
        let wide = page.query("wide()").await;
        page.resize(WIDE).await;
        assert_eq!(wide, json!([]), "{name} scrolls sideways at {NARROW} pixels");
    }

    /// Returns the looks in which the page with this number is inspected. The languages begin with different looks.
    fn looks_of(&self, number: usize) -> Vec<Look> {
        if support::has_env("FIRSTKEY_FULL") {
            return LOOKS.to_vec();
        }
        let first = match self.language {
            Language::English => 0,
            Language::German => 2,
            Language::Pseudo => 4,
        };
        vec![LOOKS[(first + number) % LOOKS.len()]]
    }

    /// Checks that a page does not shift while it loads on a narrow screen.
    pub(crate) async fn load_narrow(&self, page: &Page, name: &str) {
        page.resize(NARROW).await;
        page.reload().await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        self.check_shifts(page, name).await;
        page.evaluate("shifts.length = 0").await;
        page.resize(WIDE).await;
    }

    async fn check_shifts(&self, page: &Page, name: &str) {
        let shifts = page.evaluate("shifts").await;
        let shifts: Vec<_> = shifts.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let size = |shift: &str| shift.split(':').next().and_then(|size| size.parse::<f64>().ok()).unwrap_or(1.0);
        if shifts.iter().map(|shift| size(shift)).sum::<f64>() > LARGEST_SHIFT {
            self.add_finding(&format!("{name}: the layout shifts: {shifts:?}"));
        }
    }

    /// Returns the violations that axe-core finds. It runs in an isolated world, to which the page's policy does not apply.
    async fn violations(&self, page: &Page, name: &str, world: u64) -> Vec<String> {
        let rules: Value =
            self.disabled_rules(name).into_iter().map(|rule| (rule.to_owned(), json!({ "enabled": false }))).collect();
        let run = "axe.run(document, { resultTypes: ['violations'], rules: RULES }).then(({ violations, passes }) => ({
            passes: passes.length,
            violations: violations.map(({ id, help, nodes }) =>
              `${id}: ${help}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`).join(' | ')}`),
        }))";
        let result = page.evaluate_in(Some(world), &run.replace("RULES", &rules.to_string())).await;
        assert!(result["passes"].as_u64() > Some(5), "axe-core did not run: {result}");
        result["violations"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    }

    /// Returns the rules that do not apply to this page.
    fn disabled_rules(&self, name: &str) -> Vec<&'static str> {
        // A mail program shows a mail inside its own page, which has the landmarks.
        let mail = if name.starts_with("mail") { &["landmark-one-main", "region"][..] } else { &[] };
        // qaa to qtz are for private use (BCP 47, 2.2.1), which axe-core does not know.
        let pseudo = if self.language == Language::Pseudo { &["html-lang-valid"][..] } else { &[] };
        [mail, pseudo].concat()
    }

    async fn isolated_world(&self, page: &Page) -> u64 {
        let world = json!({ "frameId": page.tab.id, "worldName": "axe" });
        let world = page.tab.send("Page.createIsolatedWorld", world).await.unwrap();
        let world = world["executionContextId"].as_u64().unwrap();
        if page.evaluate_in(Some(world), "typeof axe").await != json!("object") {
            page.evaluate_in(Some(world), &format!("{}; 0", self.axe)).await;
        }
        world
    }

    /// Checks that every text of the product has the marks of the pseudo-language.
    async fn check_translation(&self, page: &Page, name: &str) {
        for text in page.query("texts()").await.as_array().unwrap() {
            let text = text.as_str().unwrap();
            let rest = self.names.iter().fold(text.to_owned(), |rest, name| rest.replace(name, ""));
            // Brackets may enclose an element within the text; a letter between them then has no mark of its own.
            let untranslated = rest.chars().any(char::is_alphabetic) && !rest.contains(['[', ']', 'á', 'é', 'ö']);
            if untranslated {
                self.add_finding(&format!("{name}: not translated: {text}"));
            }
        }
    }

    /// Checks that browsers neither translate nor correct a user name or a password. The mail to support is made of sentences.
    async fn check_credentials(&self, page: &Page, name: &str) {
        if ["console", "provider", "mail-support"].contains(&name) {
            return;
        }
        let exposed = page.query(&format!("exposed({})", json!(self.credentials))).await;
        for element in exposed.as_array().unwrap() {
            self.add_finding(&format!("{name}: the browser may change {element}"));
        }
    }

    fn picture_path(&self, number: usize, name: &str, width: i64, media: Media) -> PathBuf {
        let narrow = if width == NARROW { "-narrow" } else { "" };
        let kind = match media {
            Media::Light => "",
            Media::Dark => "-dark",
            Media::Print => "-print",
        };
        let directory = target().join("pictures").join(self.language.code());
        directory.join(format!("{:02}-{name}{narrow}{kind}.png", number + 1))
    }

    fn add_finding(&self, what: &str) {
        self.found.lock().unwrap().push(format!("{}: {what}", self.language.code()));
    }

    /// Returns how many combinations of a page and a look were inspected, and how many there are; panics with the findings if there are
    /// any.
    pub(crate) fn conclude(self) -> (usize, usize) {
        let (found, looks) = (self.found.into_inner().unwrap(), self.looks.into_inner().unwrap());
        assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
        assert!(LOOKS.iter().all(|look| looks.contains(look)), "a look is missing: {looks:?}");
        (looks.len(), self.pages.into_inner() * LOOKS.len())
    }
}
