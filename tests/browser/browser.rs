//! Chromium and its visitors. Each visitor has separate cookies, clipboard and history.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use serde_json::json;
use support::Dev;
use words::Language;

use crate::{
    devtools::{Browser, Tab, text},
    journal::Journal,
    page::{Input, Media, Page, WIDE},
};

/// A script that runs before a page's own and records layout shifts.
const RECORD_SHIFTS: &str = "
    window.shifts ??= [];
    new PerformanceObserver((list) => {
      for (const { hadRecentInput, value, sources } of list.getEntries()) {
        if (!hadRecentInput) shifts.push(`${value}: ${sources.map(({ node }) => node?.outerHTML?.slice(0, 80)).join(' ')}`);
      }
    }).observe({ type: 'layout-shift', buffered: true });";

/// The browser and the product.
pub(crate) struct World {
    pub(crate) dev: Dev,
    browser: Browser,
    user_agent: String,
    profile: PathBuf,
    contexts: Mutex<Vec<String>>,
}

/// A person with a separate browser context.
pub(crate) struct Visitor<'w> {
    world: &'w World,
    context: String,
    language: Language,
    input: Input,
    journal: Arc<Journal>,
    tabs: Mutex<Vec<String>>,
    /// A script that runs before a page's own.
    before: Option<String>,
}

impl World {
    /// Starts the product and the browser. Returns `None` where the product is skipped, which prints the reason.
    pub(crate) async fn start() -> Option<Self> {
        let dev = Dev::start().await?;
        let profile = target().join("browser").join(format!("profile-{}", std::process::id()));
        let browser = Browser::start(&profile);
        let version = browser.send("Browser.getVersion", json!({})).await;
        let version = version.unwrap_or_else(|failure| panic!("{} has a log: {}", profile.display(), failure.message));
        let user_agent = text(&version["userAgent"]);
        Some(Self { dev, browser, user_agent, profile, contexts: Mutex::default() })
    }

    /// Creates a visitor who reads this language.
    pub(crate) async fn visitor(&self, language: Language, journal: &Arc<Journal>) -> Visitor<'_> {
        let created = self.browser.send("Target.createBrowserContext", json!({})).await.unwrap();
        let context = text(&created["browserContextId"]);
        self.contexts.lock().unwrap().push(context.clone());
        for name in ["clipboard-write", "clipboard-read"] {
            let permission = json!({
                "permission": { "name": name },
                "setting": "granted",
                "origin": self.dev.product.functions,
                "browserContextId": context,
            });
            self.browser.send("Browser.setPermission", permission).await.unwrap();
        }
        Visitor {
            world: self,
            context,
            language,
            input: Input::Mouse,
            journal: Arc::clone(journal),
            tabs: Mutex::default(),
            before: None,
        }
    }

    /// Closes the tabs of all visitors.
    pub(crate) async fn close_all(&self) {
        let contexts = std::mem::take(&mut *self.contexts.lock().unwrap());
        for context in contexts {
            let context = json!({ "browserContextId": context });
            let _ = self.browser.send("Target.disposeBrowserContext", context).await;
        }
    }

    /// Ends the browser and the product.
    pub(crate) async fn stop(self) {
        self.browser.close().await;
        let _ = std::fs::remove_dir_all(&self.profile);
        self.dev.stop().await;
    }
}

impl Visitor<'_> {
    /// Uses the keyboard alone, or the mouse.
    pub(crate) fn with_input(self, input: Input) -> Self {
        Self { input, ..self }
    }

    /// Runs a script before every page's own.
    pub(crate) fn with_script(self, before: Option<String>) -> Self {
        Self { before, ..self }
    }

    /// Opens a new tab.
    pub(crate) async fn tab(&self) -> Page {
        let target = json!({ "url": "about:blank", "browserContextId": self.context });
        let created = self.world.browser.send("Target.createTarget", target).await.unwrap();
        let tab = self.world.browser.attach(&text(&created["targetId"])).await.unwrap();
        self.page(tab).await
    }

    /// Waits for the tab that a link opens.
    pub(crate) async fn opened_tab(&self) -> Page {
        for _ in 0..500 {
            let targets = self.world.browser.send("Target.getTargets", json!({})).await.unwrap();
            let new = targets["targetInfos"].as_array().into_iter().flatten().find(|target| {
                let known = self.tabs.lock().unwrap().contains(&text(&target["targetId"]));
                let own = target["browserContextId"] == self.context.as_str();
                own && !known && target["type"] == "page" && text(&target["url"]).starts_with("http")
            });
            if let Some(new) = new
                && let Ok(tab) = self.world.browser.attach(&text(&new["targetId"])).await
            {
                return self.page(tab).await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(40)).await;
        }
        panic!("no tab was opened");
    }

    async fn page(&self, tab: Tab) -> Page {
        self.tabs.lock().unwrap().push(tab.id.clone());
        self.journal.watch(tab.events());
        let languages = if self.language == Language::German { "de-DE,de" } else { "en-GB,en" };
        let user_agent = json!({ "userAgent": self.world.user_agent, "acceptLanguage": languages });
        for (method, params) in [
            ("Page.enable", json!({})),
            ("Runtime.enable", json!({})),
            ("Network.enable", json!({})),
            ("Log.enable", json!({})),
            ("Audits.enable", json!({})),
            ("Emulation.setUserAgentOverride", user_agent),
            ("Emulation.setTimezoneOverride", json!({ "timezoneId": "Europe/Berlin" })),
            ("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })),
        ] {
            tab.send(method, params).await.unwrap();
        }
        let (language, journal) = (self.language, Arc::clone(&self.journal));
        let origin = self.world.dev.product.functions.clone();
        let page = Page { input: self.input, tab, w: language.words(), journal, origin };
        page.run_before(RECORD_SHIFTS).await;
        if let Some(script) = &self.before {
            page.run_before(script).await;
        }
        page.set_cookie("__Host-language", language.code()).await;
        page.resize(WIDE).await;
        page.set_media(Media::Light).await;
        page.evaluate(RECORD_SHIFTS).await;
        page
    }
}

/// Returns Cargo's target directory, which also holds the pictures.
pub(crate) fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // <target>/<profile>/deps/<test>
    test.ancestors().nth(3).unwrap().to_owned()
}

/// Reads a file of an installed npm package.
pub(crate) fn installed(path: &str) -> String {
    let path = target().join("tools/node/node_modules").join(Path::new(path));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
