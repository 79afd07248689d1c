//! What a chapter has done and heard so far, for whoever reads of its failure.

use std::sync::Mutex;

use crate::page::Page;

/// One for a chapter.
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
    /// Somebody does something on a page.
    pub(crate) fn step(&self, page: &Page, what: String) {
        let mut entries = self.0.lock().unwrap();
        (entries.step, entries.page) = (what, Some(page.clone()));
    }

    /// A browser complains: of our policy, of a script, of an answer.
    pub(crate) fn complain(&self, what: String) {
        self.0.lock().unwrap().complaints.push(what);
    }

    /// From now on a complaint with this in it is what the chapter is about.
    pub(crate) fn expect(&self, what: &str) {
        self.0.lock().unwrap().expected.push(what.to_owned());
    }

    /// The last step, and the page of it.
    pub(crate) fn last(&self) -> (String, Option<Page>) {
        let entries = self.0.lock().unwrap();
        (entries.step.clone(), entries.page.clone())
    }

    /// What nobody had expected.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let entries = self.0.lock().unwrap();
        let expected = |complaint: &&String| entries.expected.iter().any(|expected| complaint.contains(expected));
        entries.complaints.iter().filter(|complaint| !expected(complaint)).cloned().collect()
    }
}
