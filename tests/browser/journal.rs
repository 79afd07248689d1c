//! A chapter's last step and the browser's complaints so far, for the report of a failure.

use std::sync::Mutex;

use serde_json::Value;

use crate::{
    devtools::{Event, Events, text},
    page::Page,
};

/// Issues that the browser reports only because the test navigates faster than a person.
const CAUSED_BY_THE_TEST: [&str; 2] = ["NavigationEntryMarkedSkippable", "BounceTrackingIssue"];

/// The journal of a chapter.
#[derive(Default)]
pub(crate) struct Journal(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    step: String,
    page: Option<Page>,
    tabs: Vec<Events>,
    expected: Vec<String>,
}

impl Journal {
    /// Records a step on a page.
    pub(crate) fn step(&self, page: &Page, what: String) {
        let mut entries = self.0.lock().unwrap();
        (entries.step, entries.page) = (what, Some(page.clone()));
    }

    /// Records what the browser complains about in a tab from now on: the policy, a script or an answer.
    pub(crate) fn watch(&self, tab: Events) {
        self.0.lock().unwrap().tabs.push(tab);
    }

    /// Expects complaints that contain this text from now on.
    pub(crate) fn expect(&self, what: &str) {
        self.0.lock().unwrap().expected.push(what.to_owned());
    }

    /// Returns the last step and its page.
    pub(crate) fn last(&self) -> (String, Option<Page>) {
        let entries = self.0.lock().unwrap();
        (entries.step.clone(), entries.page.clone())
    }

    /// Returns the complaints since the last call that the chapter does not expect.
    pub(crate) fn unexpected_complaints(&self) -> Vec<String> {
        let Entries { tabs, expected, .. } = &mut *self.0.lock().unwrap();
        let complaints = tabs.iter_mut().flat_map(Events::arrived).filter_map(|event| complaint(&event));
        complaints.filter(|complaint| !expected.iter().any(|expected| complaint.contains(expected))).collect()
    }
}

/// Returns the complaint that an event reports.
fn complaint(event: &Event) -> Option<String> {
    let is_one_of = |kind: &Value, kinds: &[&str]| kinds.iter().any(|one| kind == one);
    match event.method.as_str() {
        "Log.entryAdded" => {
            let entry = &event.params["entry"];
            let bad = is_one_of(&entry["level"], &["error", "warning"]);
            bad.then(|| format!("log: {} ({})", text(&entry["text"]), text(&entry["url"])))
        }
        "Runtime.exceptionThrown" => {
            let details = &event.params["exceptionDetails"];
            let description = details["exception"]["description"].as_str();
            Some(format!("thrown: {}", description.map_or_else(|| text(&details["text"]), ToOwned::to_owned)))
        }
        "Runtime.consoleAPICalled" => {
            let bad = is_one_of(&event.params["type"], &["error", "warning", "assert"]);
            bad.then(|| format!("console: {}", event.params["args"]))
        }
        "Audits.issueAdded" => {
            let issue = event.params["issue"].to_string();
            (!CAUSED_BY_THE_TEST.iter().any(|code| issue.contains(code))).then(|| format!("issue: {issue}"))
        }
        _ => None,
    }
}
