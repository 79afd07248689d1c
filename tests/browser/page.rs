//! A page in a tab, and what people do with it. Clicks and keys are the browser's own events; whatever is not there in time is a failure.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use chromiumoxide::{
    cdp::{
        browser_protocol::{
            emulation::{MediaFeature, SetDeviceMetricsOverrideParams, SetEmulatedMediaParams},
            input::{
                DispatchKeyEventParams, DispatchKeyEventType, DispatchMouseEventParams, DispatchMouseEventType,
                MouseButton,
            },
            network::{CookieSameSite, DeleteCookiesParams, SetCookieParams},
            page::{CaptureScreenshotParams, PrintToPdfParams},
        },
        js_protocol::runtime::{EvaluateParams, ExecutionContextId},
    },
    keys,
};
use serde_json::{Value, json};
use words::Words;

use crate::journal::Journal;

/// How long whatever is waited for may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(40);

/// Characters of the longest text in a place: three retrievals, with time and person.
const LONGEST_PLACE: usize = 300;

const DRIVER: &str = include_str!("driver.js");

/// Widths of a desk and of the narrowest telephone, in CSS pixels: at 320 nothing may scroll sideways (WCAG 2.2, 1.4.10).
pub(crate) const WIDE: i64 = 1280;
pub(crate) const NARROW: i64 = 320;

/// The height of the window, in CSS pixels.
const HEIGHT: i64 = 900;

/// How a page is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Light,
    Dark,
    Print,
}

/// What somebody works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    Mouse,
    /// Tab, Enter, Space and arrows, and nothing else.
    Keys,
}

/// A page, in the language of whoever reads it.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) hand: Hand,
    pub(crate) tab: chromiumoxide::Page,
    pub(crate) w: &'static Words,
    pub(crate) journal: Arc<Journal>,
    /// Where the product is.
    pub(crate) origin: String,
}

impl Page {
    /// Goes to a path of the product, or to an address.
    pub(crate) async fn open(&self, path: &str) {
        self.step(format!("open {path}"));
        if path.starts_with('/') {
            self.tab.goto(format!("{}{path}", self.origin)).await.unwrap();
        } else {
            // To wait for the frames of the console's mails, as `goto` does, is in vain: their sandbox says nothing.
            self.evaluate(&format!("window.left = true, location.assign({})", json!(path))).await;
            self.until("another page", async || {
                (self.evaluate("window.left ?? 'new'").await == json!("new")).then_some(())
            })
            .await;
        }
        self.loaded().await;
    }

    /// Loads it again.
    pub(crate) async fn reload(&self) {
        self.step("reload".into());
        self.tab.reload().await.unwrap();
        self.loaded().await;
    }

    /// Goes back, or forward, in the tab's history.
    pub(crate) async fn travel(&self, by: i32) {
        self.step(format!("travel {by} in the history"));
        let before = self.url().await;
        self.evaluate(&format!("history.go({by})")).await;
        self.until("another page", async || (self.url().await != before).then_some(())).await;
        self.loaded().await;
    }

    async fn loaded(&self) {
        self.until("all is loaded", async || {
            (self.evaluate("document.readyState").await == json!("complete")).then_some(())
        })
        .await;
    }

    /// Clicks what has this name, or goes there by Tab and presses Enter.
    pub(crate) async fn click(&self, name: &str) {
        self.step(format!("click `{name}`"));
        let at = self.pressable(name).await;
        match self.hand {
            Hand::Mouse => self.mouse(at, 1).await,
            Hand::Keys => {
                self.tab_to(name).await;
                self.press("Enter").await;
            }
        }
    }

    /// Clicks it twice, as fast as a nervous finger does.
    pub(crate) async fn double_click(&self, name: &str) {
        self.step(format!("double-click `{name}`"));
        let at = self.pressable(name).await;
        self.mouse(at, 1).await;
        self.mouse(at, 2).await;
    }

    async fn pressable(&self, name: &str) -> (f64, f64) {
        let call = format!("pressable({})", json!(name));
        let found = self.until_free(&call).await;
        found.unwrap_or_else(|| panic!("there is no `{name}` to press"))
    }

    /// The middle of what the driver finds, once nothing lies over it.
    async fn until_free(&self, call: &str) -> Option<(f64, f64)> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.ask(call).await;
            if let (Some(x), Some(y)) = (found["x"].as_f64(), found["y"].as_f64()) {
                return Some((x, y));
            }
            if Instant::now() > deadline {
                assert!(found["covered"].is_null(), "{call} is covered by {}", found["covered"]);
                return None;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn mouse(&self, (x, y): (f64, f64), count: i64) {
        let kinds = [
            DispatchMouseEventType::MouseMoved,
            DispatchMouseEventType::MousePressed,
            DispatchMouseEventType::MouseReleased,
        ];
        for kind in kinds {
            let event = DispatchMouseEventParams::builder().r#type(kind).x(x).y(y);
            let event = event.button(MouseButton::Left).click_count(count).build().unwrap();
            self.tab.execute(event).await.unwrap();
        }
    }

    /// Types into a field, in the place of what stands there.
    pub(crate) async fn fill(&self, field: &str, text: &str) {
        self.step(format!("fill `{field}`"));
        self.enter(field).await;
        self.replace(text).await;
    }

    /// Puts the focus into a field.
    async fn enter(&self, field: &str) {
        let at = self.until_free(&format!("field({})", json!(field))).await;
        let at = at.unwrap_or_else(|| panic!("there is no field `{field}`"));
        match self.hand {
            Hand::Mouse => self.mouse(at, 1).await,
            Hand::Keys => self.tab_to(field).await,
        }
    }

    /// Types in the place of what stands where the focus is.
    pub(crate) async fn replace(&self, text: &str) {
        self.edit("selectAll").await;
        self.press("Backspace").await;
        self.type_text(text).await;
    }

    /// Puts what was copied where the focus is.
    pub(crate) async fn paste(&self, field: &str) {
        self.step(format!("paste into `{field}`"));
        self.enter(field).await;
        self.edit("selectAll").await;
        self.edit("paste").await;
    }

    /// A command of the editor, as the platform's own keys give it.
    async fn edit(&self, command: &str) {
        let key = DispatchKeyEventParams::builder()
            .r#type(DispatchKeyEventType::RawKeyDown)
            .key("F24")
            .commands(vec![command.to_owned()]);
        self.tab.execute(key.build().unwrap()).await.unwrap();
    }

    /// Key by key.
    pub(crate) async fn type_text(&self, text: &str) {
        for letter in text.chars() {
            self.press(&letter.to_string()).await;
        }
    }

    /// One key down and up again.
    pub(crate) async fn press(&self, key: &str) {
        self.key(key, 0).await;
    }

    async fn key(&self, key: &str, modifiers: i64) {
        let definition = keys::get_key_definition(key).unwrap_or_else(|| panic!("there is no key {key:?}"));
        let text = definition.text.or_else(|| (definition.key.len() == 1).then_some(definition.key));
        let event = DispatchKeyEventParams::builder().key(definition.key).code(definition.code).modifiers(modifiers);
        let event = event.windows_virtual_key_code(definition.key_code);
        let down = match text {
            Some(text) => event.clone().text(text).r#type(DispatchKeyEventType::KeyDown),
            None => event.clone().r#type(DispatchKeyEventType::RawKeyDown),
        };
        self.tab.execute(down.build().unwrap()).await.unwrap();
        self.tab.execute(event.r#type(DispatchKeyEventType::KeyUp).build().unwrap()).await.unwrap();
    }

    /// Presses Tab until the focus is on what has this name, or on the field of it. Wherever it rests on the way, it is seen.
    pub(crate) async fn tab_to(&self, name: &str) {
        self.step(format!("Tab to `{name}`"));
        self.until("what Tab leads to is there", async || {
            let there = self.ask("names()").await.as_array().is_some_and(|names| !names.is_empty());
            there.then_some(())
        })
        .await;
        let mut passed = Vec::new();
        if self.ask(&format!("focused({})", json!(name))).await == json!(true) {
            return;
        }
        for _ in 0..60 {
            self.press("Tab").await;
            let focus = self.ask("focus()").await;
            if focus["tag"] == "BODY" || focus["tag"] == "HTML" {
                continue;
            }
            assert!(focus["seen"] == true, "nobody sees that the focus is on {focus}");
            assert!(focus["inside"] == true, "the focus leaves the window: {focus}");
            if self.ask(&format!("focused({})", json!(name))).await == json!(true) {
                return;
            }
            passed.push(focus["name"].as_str().unwrap_or_default().to_owned());
        }
        panic!("Tab does not lead to `{name}`, but to {passed:?}");
    }

    /// Waits until the page, or the window on top of it, says this.
    pub(crate) async fn see(&self, text: &str) {
        self.says(text, &[]).await;
    }

    /// The same, of a text of ours with places. What goes into those that are not given is left open.
    pub(crate) async fn says(&self, text: &str, places: &[(&str, &str)]) {
        self.step(format!("see `{text}`"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let visible = self.text().await;
            if is_said(&visible, text, places) {
                return;
            }
            assert!(Instant::now() < deadline, "it does not say `{text}` {places:?}, but: {visible}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What is said on the page, or in the window on top of it.
    pub(crate) async fn text(&self) -> String {
        self.ask("text()").await.as_str().unwrap_or_default().to_owned()
    }

    /// What stands in a field.
    pub(crate) async fn value(&self, field: &str) -> String {
        self.ask(&format!("value({})", json!(field))).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until this stands in a field.
    pub(crate) async fn has(&self, field: &str, value: &str) {
        self.step(format!("`{field}` has its value"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.value(field).await;
            if found == value {
                return;
            }
            assert!(Instant::now() < deadline, "in `{field}` stands {found:?}, not {value:?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The text of the element that the selector finds first.
    pub(crate) async fn text_of(&self, selector: &str) -> String {
        self.step(format!("read `{selector}`"));
        let expression = format!("document.querySelector({})?.textContent ?? null", json!(selector));
        self.until(selector, async || self.evaluate(&expression).await.as_str().map(ToOwned::to_owned)).await
    }

    /// Waits until no element is found by the selector.
    pub(crate) async fn gone(&self, selector: &str) {
        self.step(format!("no `{selector}` any more"));
        let expression = format!("document.querySelector({}) === null", json!(selector));
        self.until("it is gone", async || (self.evaluate(&expression).await == json!(true)).then_some(())).await;
    }

    /// The address, with its fragment.
    pub(crate) async fn url(&self) -> String {
        self.evaluate("location.href").await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the address begins so.
    pub(crate) async fn at(&self, start: &str) {
        self.step(format!("arrive at {start}"));
        let start = if start.starts_with('/') { format!("{}{start}", self.origin) } else { start.to_owned() };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let url = self.url().await;
            if url.starts_with(&start) {
                return self.loaded().await;
            }
            assert!(Instant::now() < deadline, "it is at {url}, not at {start}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The value of an expression in the page; null while the page is on its way to another.
    pub(crate) async fn evaluate(&self, expression: &str) -> Value {
        self.evaluate_in(None, expression).await
    }

    /// The same in another world than the page's own scripts.
    pub(crate) async fn evaluate_in(&self, world: Option<ExecutionContextId>, expression: &str) -> Value {
        let mut evaluate = EvaluateParams::new(expression);
        (evaluate.return_by_value, evaluate.await_promise, evaluate.context_id) = (Some(true), Some(true), world);
        let Ok(answer) = self.tab.execute(evaluate).await else { return Value::Null };
        let answer = answer.result;
        if let Some(thrown) = answer.exception_details {
            let said = thrown.exception.and_then(|exception| exception.description).unwrap_or(thrown.text);
            // Between two pages there is no body.
            assert!(said.contains("null"), "the driver: {said}");
            return Value::Null;
        }
        answer.result.value.unwrap_or_default()
    }

    /// What the driver answers.
    pub(crate) async fn ask(&self, call: &str) -> Value {
        self.evaluate(&format!("{}.{call}", DRIVER.trim_end())).await
    }

    async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(Instant::now() < deadline, "not in time: {what}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Shows it as wide as this.
    pub(crate) async fn resize(&self, width: i64) {
        self.tab.execute(SetDeviceMetricsOverrideParams::new(width, HEIGHT, 1.0, false)).await.unwrap();
    }

    /// Shows it by day, by night, or as it is printed.
    pub(crate) async fn show(&self, media: Media) {
        let scheme = if media == Media::Dark { "dark" } else { "light" };
        let features = vec![
            MediaFeature::new("prefers-color-scheme", scheme),
            MediaFeature::new("prefers-reduced-motion", "reduce"),
        ];
        let kind = if media == Media::Print { "print" } else { "screen" };
        let media = SetEmulatedMediaParams::builder().media(kind).features(features).build();
        self.tab.execute(media).await.unwrap();
    }

    /// Gives the browser a cookie of the product.
    pub(crate) async fn keep(&self, name: &str, value: &str) {
        let mut cookie = SetCookieParams::new(name, value);
        // Browsers trust this machine as they trust https, for which the cookie is.
        cookie.url = Some(self.origin.replace("http:", "https:"));
        (cookie.path, cookie.secure, cookie.http_only) = (Some("/".into()), Some(true), Some(true));
        cookie.same_site = Some(CookieSameSite::Lax);
        self.tab.execute(cookie).await.unwrap();
    }

    /// Takes it away.
    pub(crate) async fn forget(&self, name: &str) {
        self.step(format!("the cookie {name} has ended"));
        let mut cookie = DeleteCookiesParams::new(name);
        cookie.url = Some(self.origin.replace("http:", "https:"));
        self.tab.execute(cookie).await.unwrap();
    }

    /// Brings its tab to the front: what is behind is not painted.
    pub(crate) async fn to_front(&self) {
        self.tab.bring_to_front().await.unwrap();
    }

    /// A picture of all of it; of the screen alone where a window is open.
    pub(crate) async fn picture(&self, path: &Path) {
        let width = self.evaluate("innerWidth").await.as_i64().unwrap_or(WIDE);
        let open = self.evaluate("document.querySelector('dialog[open]') !== null").await == json!(true);
        let height = self.ask("height()").await.as_i64().filter(|_| !open).unwrap_or(HEIGHT);
        self.to_front().await;
        self.tab.execute(SetDeviceMetricsOverrideParams::new(width, height, 1.0, false)).await.unwrap();
        let taken = self.tab.execute(CaptureScreenshotParams::default()).await.unwrap();
        self.resize(width).await;
        write(path, &BASE64_STANDARD.decode(taken.result.data).unwrap());
    }

    /// As it comes out of a printer.
    pub(crate) async fn print_to(&self, path: &Path) {
        let printed = self.tab.execute(PrintToPdfParams::default()).await.unwrap();
        write(path, &BASE64_STANDARD.decode(printed.result.data).unwrap());
    }

    pub(crate) fn step(&self, what: String) {
        self.journal.step(self, what);
    }
}

fn write(path: &Path, content: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Whether a text of ours is said, with its places filled. A place that is not given takes anything that is not too long.
fn is_said(visible: &str, text: &str, places: &[(&str, &str)]) -> bool {
    let given = |name| places.iter().find(|(given, _)| *given == name).map(|(_, value)| *value);
    let pieces: Vec<Option<&str>> = words::parts(text)
        .map(|part| match part {
            words::Part::Text(text) => Some(text),
            words::Part::Place(name) => given(name),
        })
        .collect();
    visible.char_indices().any(|(at, _)| fits(&visible[at..], &pieces))
}

fn fits(visible: &str, pieces: &[Option<&str>]) -> bool {
    match pieces {
        [] => true,
        [Some(piece), rest @ ..] => visible.strip_prefix(*piece).is_some_and(|after| fits(after, rest)),
        [None, rest @ ..] => {
            visible.char_indices().take(LONGEST_PLACE).any(|(at, _)| at > 0 && fits(&visible[at..], rest))
        }
    }
}
