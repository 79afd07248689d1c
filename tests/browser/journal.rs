//! A chapter's last step and the browser's complaints so far, for the report of a failure.

use std::sync::Mutex;

use crate::page::Page;

/// The journal of a chapter.
#[derive(Default)]
pub(crate) struct Journal(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    step: String,
    page: Option<Page>,
    complaints: Vec<String>,
    expected: Vec<String>,
}

impl Journal {
    /// Records a step on a page.
    pub(crate) fn step(&self, page: &Page, what: String) {
        let mut entries = self.0.lock().unwrap();
        (entries.step, entries.page) = (what, Some(page.clone()));
    }

    /// Records a complaint of the browser about the policy, a script or an answer.
    pub(crate) fn complain(&self, what: String) {
        self.0.lock().unwrap().complaints.push(what);
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

    /// Returns the complaints that the chapter does not expect.
    pub(crate) fn unexpected_complaints(&self) -> Vec<String> {
        let entries = self.0.lock().unwrap();
        let expected = |complaint: &&String| entries.expected.iter().any(|expected| complaint.contains(expected));
        entries.complaints.iter().filter(|complaint| !expected(complaint)).cloned().collect()
    }
}
