//! A page in a tab, and the actions of a person on it. Clicks and keys are the browser's own events. A text or element that does not
//! appear in time is a failure.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use words::Words;

use crate::{
    devtools::{Tab, text},
    journal::Journal,
    keys,
};

/// The longest wait for anything, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The time between two checks while waiting.
const PAUSE: Duration = Duration::from_millis(40);

/// The largest number of characters in a placeholder: three retrievals, with time and person.
const LONGEST_VALUE: usize = 300;

const DRIVER: &str = include_str!("driver.js");

/// The widths of a desktop and of the narrowest phone, in CSS pixels: at 320 nothing may scroll sideways (WCAG 2.2, 1.4.10).
pub(crate) const WIDE: i64 = 1280;
pub(crate) const NARROW: i64 = 320;

/// The height of the window, in CSS pixels.
const HEIGHT: i64 = 900;

/// The medium that a page is rendered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    Light,
    Dark,
    Print,
}

/// The input device of a visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    Mouse,
    /// The keyboard alone: Tab, Enter, Space and arrows.
    Keys,
}

/// A page in the visitor's language.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) input: Input,
    pub(crate) tab: Tab,
    pub(crate) w: &'static Words,
    pub(crate) journal: Arc<Journal>,
    /// The origin of the product.
    pub(crate) origin: String,
}

/// The most presses of Tab to an element. The console has a stop for each of its mails.
const MOST_STOPS: usize = 120;

impl Page {
    /// Opens a path of the product, or an address.
    pub(crate) async fn open(&self, path: &str) {
        self.step(format!("open {path}"));
        let address = if path.starts_with('/') { format!("{}{path}", self.origin) } else { path.to_owned() };
        self.navigate("Page.navigate", json!({ "url": address })).await;
    }

    /// Reloads the page.
    pub(crate) async fn reload(&self) {
        self.step("reload".into());
        self.navigate("Page.reload", json!({})).await;
    }

    /// Sends a command that replaces the document, and waits until the new one is loaded.
    async fn navigate(&self, command: &str, params: Value) {
        let mut events = self.tab.events();
        let answer = self.tab.send(command, params).await.unwrap();
        assert!(answer["errorText"].is_null(), "{command}: {answer}");
        let replaced = async {
            while let Some(event) = events.next("Page.frameNavigated").await {
                let (frame, loader) = (&event["frame"], &answer["loaderId"]);
                if frame["id"] == self.tab.id.as_str() && (loader.is_null() || frame["loaderId"] == *loader) {
                    break;
                }
            }
        };
        tokio::time::timeout(PATIENCE, replaced).await.unwrap_or_else(|_| panic!("{command}: no new document"));
        self.wait_until_loaded().await;
    }

    /// Goes back or forward in the tab's history.
    pub(crate) async fn travel(&self, by: i32) {
        self.step(format!("travel {by} in the history"));
        let before = self.url().await;
        self.evaluate(&format!("history.go({by})")).await;
        self.wait_for("another page", async || (self.url().await != before).then_some(())).await;
        self.wait_until_loaded().await;
    }

    async fn wait_until_loaded(&self) {
        self.wait_for("the end of loading", async || {
            (self.evaluate("document.readyState").await == json!("complete")).then_some(())
        })
        .await;
    }

    /// Clicks the element with this name, or moves there by Tab and presses Enter.
    pub(crate) async fn click(&self, name: &str) {
        self.step(format!("click `{name}`"));
        let at = self.find_pressable(name).await;
        match self.input {
            Input::Mouse => self.click_at(at, 1).await,
            Input::Keys => {
                self.tab_to(name).await;
                self.press("Enter").await;
            }
        }
    }

    /// Clicks an element twice in quick succession.
    pub(crate) async fn double_click(&self, name: &str) {
        self.step(format!("double-click `{name}`"));
        let at = self.find_pressable(name).await;
        self.click_at(at, 1).await;
        self.click_at(at, 2).await;
    }

    async fn find_pressable(&self, name: &str) -> (f64, f64) {
        let call = format!("pressable({})", json!(name));
        let found = self.wait_until_uncovered(&call).await;
        found.unwrap_or_else(|| panic!("no link or button is named `{name}`"))
    }

    /// Waits until the element that the driver finds is not covered; returns its centre.
    async fn wait_until_uncovered(&self, call: &str) -> Option<(f64, f64)> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.query(call).await;
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

    async fn click_at(&self, (x, y): (f64, f64), count: i64) {
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": count });
            self.tab.send("Input.dispatchMouseEvent", event).await.unwrap();
        }
    }

    /// Replaces the text of a field by typing.
    pub(crate) async fn fill(&self, field: &str, text: &str) {
        self.step(format!("fill `{field}`"));
        self.focus(field).await;
        self.replace(text).await;
    }

    /// Focuses a field.
    async fn focus(&self, field: &str) {
        let at = self.wait_until_uncovered(&format!("field({})", json!(field))).await;
        let at = at.unwrap_or_else(|| panic!("no field is named `{field}`"));
        match self.input {
            Input::Mouse => self.click_at(at, 1).await,
            Input::Keys => self.tab_to(field).await,
        }
    }

    /// Replaces the text of the focused field by typing.
    pub(crate) async fn replace(&self, text: &str) {
        self.edit("selectAll").await;
        self.press("Backspace").await;
        self.type_text(text).await;
    }

    /// Replaces the text of a field from the clipboard.
    pub(crate) async fn paste(&self, field: &str) {
        self.step(format!("paste into `{field}`"));
        self.focus(field).await;
        self.edit("selectAll").await;
        self.edit("paste").await;
    }

    /// Sends an editing command, as the platform's shortcuts do.
    async fn edit(&self, command: &str) {
        let key = json!({ "type": "rawKeyDown", "key": "F24", "commands": [command] });
        self.tab.send("Input.dispatchKeyEvent", key).await.unwrap();
    }

    /// Types a text key by key.
    pub(crate) async fn type_text(&self, text: &str) {
        for letter in text.chars() {
            self.press(&letter.to_string()).await;
        }
    }

    /// Presses and releases a key.
    pub(crate) async fn press(&self, key: &str) {
        for event in keys::press(key).unwrap_or_else(|| panic!("{key:?} is not a key")) {
            self.tab.send("Input.dispatchKeyEvent", event).await.unwrap();
        }
    }

    /// Presses Tab until the element or field with this name has the focus. The focus must be visible at every stop.
    pub(crate) async fn tab_to(&self, name: &str) {
        self.step(format!("Tab to `{name}`"));
        self.wait_for("an element that Tab can reach", async || {
            let found = self.query("names()").await.as_array().is_some_and(|names| !names.is_empty());
            found.then_some(())
        })
        .await;
        let mut stops = Vec::new();
        if self.query(&format!("focused({})", json!(name))).await == json!(true) {
            return;
        }
        for _ in 0..MOST_STOPS {
            self.press("Tab").await;
            let focus = self.query("focus()").await;
            // A mail in a frame is a document of its own: the browser shows the focus on its links.
            if ["BODY", "HTML", "IFRAME"].iter().any(|tag| focus["tag"] == *tag) {
                continue;
            }
            assert!(focus["seen"] == true, "the focus is not visible on {focus}");
            assert!(focus["inside"] == true, "the focus leaves the window: {focus}");
            if self.query(&format!("focused({})", json!(name))).await == json!(true) {
                return;
            }
            stops.push(focus["name"].as_str().unwrap_or_default().to_owned());
        }
        panic!("Tab does not lead to `{name}`, but to {stops:?}");
    }

    /// Waits until the page, or the window on top of it, shows this text.
    pub(crate) async fn see(&self, text: &str) {
        self.see_filled(text, &[]).await;
    }

    /// Waits until the page shows one of our texts with these values for its placeholders. A placeholder without a value matches
    /// anything.
    pub(crate) async fn see_filled(&self, text: &str, places: &[(&str, &str)]) {
        self.step(format!("see `{text}`"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let visible = self.text().await;
            if is_shown(&visible, text, places) {
                return;
            }
            assert!(Instant::now() < deadline, "the page does not show `{text}` {places:?}, but: {visible}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Returns the visible text of the page, or of the window on top of it.
    pub(crate) async fn text(&self) -> String {
        text(&self.query("text()").await)
    }

    /// Returns the value of a field.
    pub(crate) async fn value(&self, field: &str) -> String {
        text(&self.query(&format!("value({})", json!(field))).await)
    }

    /// Waits until a field has this value.
    pub(crate) async fn see_value(&self, field: &str, value: &str) {
        self.step(format!("`{field}` has its value"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.value(field).await;
            if found == value {
                return;
            }
            assert!(Instant::now() < deadline, "`{field}` has the value {found:?}, not {value:?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits for the first element that matches the selector; returns its text.
    pub(crate) async fn read(&self, selector: &str) -> String {
        self.step(format!("read `{selector}`"));
        let expression = format!("document.querySelector({})?.textContent ?? null", json!(selector));
        self.wait_for(selector, async || self.evaluate(&expression).await.as_str().map(ToOwned::to_owned)).await
    }

    /// Waits until no element matches the selector.
    pub(crate) async fn see_gone(&self, selector: &str) {
        self.step(format!("wait until `{selector}` is gone"));
        let expression = format!("document.querySelector({}) === null", json!(selector));
        self.wait_for("the removal of the element", async || {
            (self.evaluate(&expression).await == json!(true)).then_some(())
        })
        .await;
    }

    /// Returns the address, with its fragment.
    pub(crate) async fn url(&self) -> String {
        text(&self.evaluate("location.href").await)
    }

    /// Waits until the address begins with `start` and the page is loaded.
    pub(crate) async fn arrive_at(&self, start: &str) {
        self.step(format!("arrive at {start}"));
        let start = if start.starts_with('/') { format!("{}{start}", self.origin) } else { start.to_owned() };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let url = self.url().await;
            if url.starts_with(&start) {
                return self.wait_until_loaded().await;
            }
            assert!(Instant::now() < deadline, "the page is at {url}, not at {start}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Evaluates an expression in the page; returns null during a navigation.
    pub(crate) async fn evaluate(&self, expression: &str) -> Value {
        self.evaluate_in(None, expression).await
    }

    /// Evaluates an expression in another world than that of the page's own scripts.
    pub(crate) async fn evaluate_in(&self, world: Option<u64>, expression: &str) -> Value {
        let mut evaluate = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        if let Some(world) = world {
            evaluate["contextId"] = json!(world);
        }
        let mut answer = match self.tab.send("Runtime.evaluate", evaluate).await {
            Ok(answer) => answer,
            Err(failure) => {
                assert!(failure.is_refusal, "{}", failure.message);
                return Value::Null;
            }
        };
        let thrown = &answer["exceptionDetails"];
        if !thrown.is_null() {
            let message = thrown["exception"]["description"].as_str().or(thrown["text"].as_str()).unwrap_or_default();
            // During a navigation the document has no body.
            assert!(message.contains("null"), "the driver failed: {message}");
            return Value::Null;
        }
        answer["result"]["value"].take()
    }

    /// Calls the driver; returns its answer.
    pub(crate) async fn query(&self, call: &str) -> Value {
        self.evaluate(&format!("{}.{call}", DRIVER.trim_end())).await
    }

    async fn wait_for<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(Instant::now() < deadline, "timed out waiting for {what}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Runs a script before the own scripts of every page that the tab loads from now on.
    pub(crate) async fn run_before(&self, script: &str) {
        let script = json!({ "source": script });
        self.tab.send("Page.addScriptToEvaluateOnNewDocument", script).await.unwrap();
    }

    /// Replaces the document by this HTML.
    pub(crate) async fn show_html(&self, html: &str) {
        self.evaluate(&format!("document.open(), document.write({}), document.close()", json!(html))).await;
        self.wait_until_loaded().await;
    }

    /// Sets the width of the window.
    pub(crate) async fn resize(&self, width: i64) {
        self.resize_to(width, HEIGHT).await;
    }

    async fn resize_to(&self, width: i64, height: i64) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tab.send("Emulation.setDeviceMetricsOverride", size).await.unwrap();
    }

    /// Renders the page in the light or dark scheme, or for print.
    pub(crate) async fn set_media(&self, media: Media) {
        let scheme = if media == Media::Dark { "dark" } else { "light" };
        let kind = if media == Media::Print { "print" } else { "screen" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        let media = json!({ "media": kind, "features": features });
        self.tab.send("Emulation.setEmulatedMedia", media).await.unwrap();
    }

    /// Sets a cookie of the product.
    pub(crate) async fn set_cookie(&self, name: &str, value: &str) {
        let cookie = json!({
            "name": name,
            "value": value,
            "url": self.cookie_url(),
            "path": "/",
            "secure": true,
            "httpOnly": true,
            "sameSite": "Lax",
        });
        self.tab.send("Network.setCookie", cookie).await.unwrap();
    }

    /// Deletes a cookie of the product.
    pub(crate) async fn delete_cookie(&self, name: &str) {
        self.step(format!("delete the cookie {name}"));
        let cookie = json!({ "name": name, "url": self.cookie_url() });
        self.tab.send("Network.deleteCookies", cookie).await.unwrap();
    }

    /// Returns the address that cookies require, which is one of https. Browsers treat this machine as if it used https.
    fn cookie_url(&self) -> String {
        self.origin.replace("http:", "https:")
    }

    /// Brings the tab to the front: a tab in the background is not painted.
    pub(crate) async fn bring_to_front(&self) {
        self.tab.send("Page.bringToFront", json!({})).await.unwrap();
    }

    /// Saves a picture of the whole page, or of the viewport where a window is open.
    pub(crate) async fn save_picture(&self, path: &Path) {
        let width = self.evaluate("innerWidth").await.as_i64().unwrap_or(WIDE);
        let open = self.evaluate("document.querySelector('dialog[open]') !== null").await == json!(true);
        let height = self.query("height()").await.as_i64().filter(|_| !open).unwrap_or(HEIGHT);
        self.bring_to_front().await;
        self.resize_to(width, height).await;
        let taken = self.tab.send("Page.captureScreenshot", json!({})).await.unwrap();
        self.resize(width).await;
        write(path, &taken);
    }

    /// Saves the page as a printer would print it.
    pub(crate) async fn save_pdf(&self, path: &Path) {
        write(path, &self.tab.send("Page.printToPDF", json!({})).await.unwrap());
    }

    pub(crate) fn step(&self, what: String) {
        self.journal.step(self, what);
    }
}

/// Writes the file that a command has returned.
fn write(path: &Path, result: &Value) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, BASE64_STANDARD.decode(text(&result["data"])).unwrap()).unwrap();
}

/// Returns whether one of our texts is visible with these values. A placeholder without a value matches anything that is not too
/// long.
fn is_shown(visible: &str, text: &str, places: &[(&str, &str)]) -> bool {
    let value_for = |name| places.iter().find(|(place, _)| *place == name).map(|(_, value)| *value);
    let pieces: Vec<Option<&str>> = words::parts(text)
        .map(|part| match part {
            words::Part::Text(text) => Some(text),
            words::Part::Place(name) => value_for(name),
        })
        .collect();
    visible.char_indices().any(|(at, _)| matches_pieces(&visible[at..], &pieces))
}

fn matches_pieces(visible: &str, pieces: &[Option<&str>]) -> bool {
    match pieces {
        [] => true,
        [Some(piece), rest @ ..] => visible.strip_prefix(*piece).is_some_and(|after| matches_pieces(after, rest)),
        [None, rest @ ..] => {
            visible.char_indices().take(LONGEST_VALUE).any(|(at, _)| at > 0 && matches_pieces(&visible[at..], rest))
        }
    }
}
