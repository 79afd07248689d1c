//! An entry as the answers show it.

use std::borrow::Cow;

use domain::{HistoryEntry, PersonId, ShownAuthor, Timestamp};
use serde::Serialize;
use words::Language;

/// One entry, in JSON or as a line of a file.
#[derive(Serialize)]
pub(crate) struct Row<'a> {
    seq: Option<u64>,
    at: Timestamp,
    what: &'a str,
    by: Cow<'a, str>,
    you: bool,
    issue: u32,
    detail: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// The names of the fields.
    pub(crate) const FIELDS: [&'static str; 7] = ["seq", "at", "what", "by", "you", "issue", "detail"];

    /// Returns `entry` as `reader` sees it.
    pub(crate) fn new(entry: &'a HistoryEntry, reader: PersonId) -> Self {
        let shown = entry.shown_to(reader);
        let by = match shown.by {
            ShownAuthor::Vendor => "vendor".into(),
            ShownAuthor::Support => "support".into(),
            ShownAuthor::Account(name) => name.into(),
            ShownAuthor::Address(address) => address.into(),
            ShownAuthor::Unconfirmed(label) => words::person(Language::English.words(), label).into(),
        };
        let HistoryEntry { seq, at, what, issue, .. } = entry;
        Self { seq: *seq, at: *at, what, by, you: shown.you, issue: issue.number(), detail: shown.detail }
    }

    /// Returns the fields as text, in the order of [`FIELDS`](Self::FIELDS).
    pub(crate) fn cells(&self) -> [String; 7] {
        [
            self.seq.map(|seq| seq.to_string()).unwrap_or_default(),
            self.at.to_string(),
            self.what.to_owned(),
            self.by.to_string(),
            self.you.to_string(),
            self.issue.to_string(),
            self.detail.unwrap_or_default().to_owned(),
        ]
    }
}
