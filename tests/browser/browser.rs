//! Chromium and its visitors. Each visitor has separate cookies, clipboard and history.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use chromiumoxide::{
    Browser, BrowserConfig,
    cdp::{
        browser_protocol::{
            audits,
            browser::{BrowserContextId, PermissionDescriptor, PermissionSetting, SetPermissionParams},
            emulation::{SetFocusEmulationEnabledParams, SetTimezoneOverrideParams, SetUserAgentOverrideParams},
            log::{EventEntryAdded, LogEntryLevel},
            page::AddScriptToEvaluateOnNewDocumentParams,
            target::{CreateBrowserContextParams, CreateTargetParams, GetTargetsParams, TargetId},
        },
        js_protocol::runtime::{ConsoleApiCalledType, EventConsoleApiCalled, EventExceptionThrown},
    },
};
use futures_util::StreamExt;
use support::Dev;
use tokio::task::JoinHandle;
use words::Language;

use crate::{
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

/// Issues that the browser reports only because the test navigates faster than a person.
const CAUSED_BY_THE_TEST: [&str; 2] = ["NavigationEntryMarkedSkippable", "BounceTrackingIssue"];

/// The browser and the product.
pub(crate) struct World {
    pub(crate) dev: Dev,
    browser: Browser,
    user_agent: String,
    handler: JoinHandle<()>,
    profile: PathBuf,
    contexts: Mutex<Vec<BrowserContextId>>,
}

/// A person with a separate browser context.
pub(crate) struct Visitor<'w> {
    world: &'w World,
    context: BrowserContextId,
    language: Language,
    input: Input,
    journal: Arc<Journal>,
    tabs: Mutex<Vec<TargetId>>,
    /// A script that runs before a page's own.
    before: Option<String>,
}

impl World {
    /// Starts the product and the browser. Returns `None` where the product is skipped, which prints the reason.
    pub(crate) async fn start() -> Option<Self> {
        let dev = Dev::start().await?;
        let profile = target().join("browser").join(format!("profile-{}", std::process::id()));
        let config = BrowserConfig::builder().chrome_executable(chromium()).user_data_dir(&profile).viewport(None);
        // The sandbox does not work as root, and the pages are our own.
        let config = config.no_sandbox().args(["disable-gpu", "disable-quic", "disable-component-update"]);
        let (browser, mut events) = Browser::launch(config.build().unwrap()).await.expect("chromium starts");
        let handler = tokio::spawn(async move { while events.next().await.is_some() {} });
        let user_agent = browser.user_agent().await.unwrap();
        Some(Self { dev, browser, user_agent, handler, profile, contexts: Mutex::default() })
    }

    /// Creates a visitor who reads this language.
    pub(crate) async fn visitor(&self, language: Language, journal: &Arc<Journal>) -> Visitor<'_> {
        let context = self.browser.create_browser_context(CreateBrowserContextParams::default()).await.unwrap();
        self.contexts.lock().unwrap().push(context.clone());
        for name in ["clipboard-write", "clipboard-read"] {
            let mut permission = SetPermissionParams::new(PermissionDescriptor::new(name), PermissionSetting::Granted);
            (permission.origin, permission.browser_context_id) =
                (Some(self.dev.product.functions.clone()), Some(context.clone()));
            self.browser.execute(permission).await.unwrap();
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
            let _ = self.browser.dispose_browser_context(context).await;
        }
    }

    /// Ends the browser and the product.
    pub(crate) async fn stop(mut self) {
        let _ = self.browser.close().await;
        let _ = self.browser.wait().await;
        self.handler.abort();
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
        let mut target = CreateTargetParams::new("about:blank");
        target.browser_context_id = Some(self.context.clone());
        let tab = self.world.browser.new_page(target).await.unwrap();
        self.page(tab).await
    }

    /// Waits for the tab that a link opens.
    pub(crate) async fn opened_tab(&self) -> Page {
        for _ in 0..500 {
            let targets = self.world.browser.execute(GetTargetsParams::default()).await.unwrap().result.target_infos;
            let new = targets.into_iter().find(|target| {
                let known = self.tabs.lock().unwrap().contains(&target.target_id);
                let own = target.browser_context_id.as_ref() == Some(&self.context);
                own && !known && target.r#type == "page" && target.url.starts_with("http")
            });
            if let Some(new) = new
                && let Ok(tab) = self.world.browser.get_page(new.target_id).await
            {
                return self.page(tab).await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(40)).await;
        }
        panic!("no tab was opened");
    }

    async fn page(&self, tab: chromiumoxide::Page) -> Page {
        self.tabs.lock().unwrap().push(tab.target_id().clone());
        listen(&tab, &self.journal).await;
        let mut user_agent = SetUserAgentOverrideParams::new(&self.world.user_agent);
        user_agent.accept_language =
            Some(if self.language == Language::German { "de-DE,de" } else { "en-GB,en" }.to_owned());
        tab.execute(user_agent).await.unwrap();
        tab.execute(SetTimezoneOverrideParams::new("Europe/Berlin")).await.unwrap();
        tab.execute(SetFocusEmulationEnabledParams::new(true)).await.unwrap();
        tab.execute(AddScriptToEvaluateOnNewDocumentParams::new(RECORD_SHIFTS)).await.unwrap();
        if let Some(script) = &self.before {
            tab.evaluate_on_new_document(script.as_str()).await.unwrap();
        }
        let (language, journal) = (self.language, Arc::clone(&self.journal));
        let origin = self.world.dev.product.functions.clone();
        let page = Page { input: self.input, tab, w: language.words(), journal, origin };
        page.set_cookie("__Host-language", language.code()).await;
        page.resize(WIDE).await;
        page.set_media(Media::Light).await;
        page.evaluate(RECORD_SHIFTS).await;
        page
    }
}

/// Adds the browser's complaints about a tab to the journal.
async fn listen(tab: &chromiumoxide::Page, journal: &Arc<Journal>) {
    let mut entries = tab.event_listener::<EventEntryAdded>().await.unwrap();
    let mut thrown = tab.event_listener::<EventExceptionThrown>().await.unwrap();
    let mut console = tab.event_listener::<EventConsoleApiCalled>().await.unwrap();
    let mut issues = tab.event_listener::<audits::EventIssueAdded>().await.unwrap();
    tab.execute(audits::EnableParams::default()).await.unwrap();
    let journal = Arc::clone(journal);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(entry) = entries.next() => {
                    let entry = &entry.entry;
                    if matches!(entry.level, LogEntryLevel::Error | LogEntryLevel::Warning) {
                        journal.complain(format!("log: {} ({})", entry.text, entry.url.as_deref().unwrap_or_default()));
                    }
                }
                Some(thrown) = thrown.next() => {
                    let details = &thrown.exception_details;
                    let what = details.exception.as_ref().and_then(|thrown| thrown.description.as_deref());
                    journal.complain(format!("thrown: {}", what.unwrap_or(&details.text)));
                }
                Some(message) = console.next() => {
                    if matches!(message.r#type, ConsoleApiCalledType::Error | ConsoleApiCalledType::Warning | ConsoleApiCalledType::Assert) {
                        journal.complain(format!("console: {:?}", message.args));
                    }
                }
                Some(issue) = issues.next() => {
                    let issue = serde_json::to_string(&issue.issue).unwrap();
                    if !CAUSED_BY_THE_TEST.iter().any(|code| issue.contains(code)) {
                        journal.complain(format!("issue: {issue}"));
                    }
                }
                else => break,
            }
        }
    });
}

/// Returns Cargo's target directory, which also holds the pictures.
pub(crate) fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // <target>/<profile>/deps/<test>
    test.ancestors().nth(3).unwrap().to_owned()
}

fn chromium() -> PathBuf {
    let path = support::env_text("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join("chromium")).find(|path| path.is_file());
    found.expect("chromium is on the PATH (Debian: apt install chromium)")
}

/// Reads a file of an installed npm package.
pub(crate) fn installed(path: &str) -> String {
    let path = target().join("tools/node/node_modules").join(Path::new(path));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
