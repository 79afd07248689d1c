//! What every page must be, however it is looked at: without a violation that axe-core knows, nothing out at the side, nothing that moves
//! under the eyes, and in one language.

use std::{
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use chromiumoxide::cdp::{browser_protocol::page::CreateIsolatedWorldParams, js_protocol::runtime::ExecutionContextId};
use serde_json::{Value, json};
use words::Language;

use crate::{
    browser::{installed, target},
    page::{Media, NARROW, Page, WIDE},
};

/// Each page is looked at in all of these.
const LOOKS: [(i64, Media); 6] = [
    (WIDE, Media::Light),
    (WIDE, Media::Dark),
    (WIDE, Media::Print),
    (NARROW, Media::Light),
    (NARROW, Media::Dark),
    (NARROW, Media::Print),
];

/// What may move in all while a page is loaded: a shift of this size is not seen. Web Vitals call up to 0.1 good.
const STEADY: f64 = 0.02;

/// Somebody who looks at pages, one after the other.
pub(crate) struct Looker {
    language: Language,
    axe: String,
    /// What of the page is not ours to translate: names, addresses, numbers.
    names: Vec<String>,
    pictures: AtomicUsize,
    found: Mutex<Vec<String>>,
    looks: AtomicUsize,
}

impl Looker {
    pub(crate) fn new(language: Language, names: &[&str]) -> Self {
        let names = names.iter().map(ToString::to_string).collect();
        let axe = installed("axe-core/axe.min.js");
        let (pictures, looks) = (AtomicUsize::new(1), AtomicUsize::new(0));
        Self { language, axe, names, pictures, found: Mutex::default(), looks }
    }

    /// Looks at a page as it stands, in every way, and takes pictures of it.
    pub(crate) async fn look(&self, page: &Page, name: &str) {
        page.step(format!("look at `{name}` in {}", self.language.code()));
        page.to_front().await;
        self.steady(page, name).await;
        let number = self.pictures.fetch_add(1, Ordering::Relaxed);
        for (width, media) in LOOKS {
            page.resize(width).await;
            page.show(media).await;
            let world = self.world(page).await;
            for violation in self.violations(page, name, world).await {
                self.find(&format!("{name}, {width}, {media:?}: {violation}"));
            }
            if media != Media::Print {
                for wide in page.ask("wide()").await.as_array().into_iter().flatten() {
                    self.find(&format!("{name}, {width}: it scrolls sideways: {wide}"));
                }
            }
            if let Some(path) = self.picture(number, name, width, media) {
                page.picture(&path).await;
            }
            self.looks.fetch_add(1, Ordering::Relaxed);
        }
        page.resize(WIDE).await;
        page.show(Media::Light).await;
        if self.language == Language::Pseudo {
            self.translated(page, name).await;
        }
        page.evaluate("shifts.length = 0").await;
    }

    /// Looks at a page as it is loaded on a narrow screen.
    pub(crate) async fn load_narrow(&self, page: &Page, name: &str) {
        page.resize(NARROW).await;
        page.reload().await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        self.steady(page, name).await;
        page.resize(WIDE).await;
    }

    async fn steady(&self, page: &Page, name: &str) {
        let shifts = page.evaluate("shifts").await;
        let shifts: Vec<_> = shifts.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let size = |shift: &str| shift.split(':').next().and_then(|size| size.parse::<f64>().ok()).unwrap_or(1.0);
        if shifts.iter().map(|shift| size(shift)).sum::<f64>() > STEADY {
            self.find(&format!("{name}: it moves while one reads: {shifts:?}"));
        }
    }

    /// What axe-core finds. It runs in a world of its own, which the page's policy does not reach.
    async fn violations(&self, page: &Page, name: &str, world: ExecutionContextId) -> Vec<String> {
        let rules: Value =
            self.excepted(name).into_iter().map(|rule| (rule.to_owned(), json!({ "enabled": false }))).collect();
        let run = "axe.run(document, { resultTypes: ['violations'], rules: RULES }).then(({ violations, passes }) => ({
            passes: passes.length,
            violations: violations.map(({ id, help, nodes }) =>
              `${id}: ${help}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`).join(' | ')}`),
        }))";
        let result = page.evaluate_in(Some(world), &run.replace("RULES", &rules.to_string())).await;
        assert!(result["passes"].as_u64() > Some(5), "axe-core has not run: {result}");
        result["violations"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    }

    /// Rules that are not for this page.
    fn excepted(&self, name: &str) -> Vec<&'static str> {
        // A mail is shown inside a page of the mail program, which has the landmarks.
        let mail = if name.starts_with("mail") { &["landmark-one-main", "region"][..] } else { &[] };
        // qaa to qtz are for private use (BCP 47, 2.2.1), which axe-core does not know.
        let pseudo = if self.language == Language::Pseudo { &["html-lang-valid"][..] } else { &[] };
        [mail, pseudo].concat()
    }

    async fn world(&self, page: &Page) -> ExecutionContextId {
        let frame = page.tab.mainframe().await.unwrap().unwrap();
        let mut world = CreateIsolatedWorldParams::new(frame);
        world.world_name = Some("axe".into());
        let world = page.tab.execute(world).await.unwrap().result.execution_context_id;
        if page.evaluate_in(Some(world), "typeof axe").await != json!("object") {
            page.evaluate_in(Some(world), &format!("{}; 0", self.axe)).await;
        }
        world
    }

    /// Every text of ours has the marks of the made-up language.
    async fn translated(&self, page: &Page, name: &str) {
        for text in page.ask("texts()").await.as_array().unwrap() {
            let text = text.as_str().unwrap();
            let rest = self.names.iter().fold(text.to_owned(), |rest, name| rest.replace(name, ""));
            // Brackets may be on either side of an element in the text; a letter between them has none of its own.
            let ours = rest.chars().any(char::is_alphabetic) && !rest.contains(['[', ']', 'á', 'é', 'ö']);
            if ours {
                self.find(&format!("{name}: not translated: {text}"));
            }
        }
    }

    /// Where the picture goes, if one is wanted.
    fn picture(&self, number: usize, name: &str, width: i64, media: Media) -> Option<PathBuf> {
        let kind = match (width, media) {
            (WIDE, Media::Light) => "",
            (WIDE, Media::Dark) if self.language == Language::English => "-dark",
            (NARROW, Media::Light) if self.language != Language::Pseudo => "-narrow",
            (WIDE, Media::Print) if name.starts_with("window") && self.language != Language::Pseudo => "-print",
            _ => return None,
        };
        let directory = target().join("pictures").join(self.language.code());
        Some(directory.join(format!("{number:02}-{name}{kind}.png")))
    }

    fn find(&self, what: &str) {
        self.found.lock().unwrap().push(format!("{}: {what}", self.language.code()));
    }

    /// How often something was looked at; what was found fails the chapter.
    pub(crate) fn conclude(self) -> usize {
        let found = self.found.into_inner().unwrap();
        assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
        self.looks.into_inner()
    }
}
