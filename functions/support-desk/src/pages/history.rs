//! The history of a subscription, as operators see it.

use aws::HistoryPage;
use domain::{ActorRole, HistoryEntry, PersonId, Timestamp};
use page::Filled;

use super::Frame;

/// One page of a history.
pub(super) struct History {
    pub(super) entries: Vec<Entry>,
    /// Whether this is not the first page.
    pub(super) is_later: bool,
    pub(super) next: Option<String>,
}

/// An entry of the history.
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) what: Filled,
    /// A sentence about the detail: why a mail failed, or how an approval ended.
    pub(super) detail: Option<&'static str>,
    pub(super) by: String,
    /// Whether the author has a name, which browsers must not translate.
    pub(super) is_name: bool,
    /// Why an operator acted.
    pub(super) reason: Option<String>,
    pub(super) issue: u32,
}

impl History {
    pub(super) fn new(found: &HistoryPage, is_later: bool, reader: PersonId, f: &Frame) -> Self {
        Self {
            entries: found.entries.iter().map(|entry| Entry::new(entry, reader, f)).collect(),
            is_later,
            next: found.next.map(web::cursor::encode_history),
        }
    }
}

impl Entry {
    fn new(entry: &HistoryEntry, reader: PersonId, f: &Frame) -> Self {
        let detail = entry.detail.as_deref();
        let by = words::unmasked_author(f.w, entry, f.vendor());
        let is_name = entry.actor().is_none_or(|actor| actor.role != ActorRole::Vendor);
        let is_own = entry.who.is_some_and(|who| who.id == Some(reader));
        Self {
            at: entry.at,
            what: f.literally(words::history_entry(f.w, &entry.what), detail.unwrap_or_default()),
            detail: detail.and_then(|detail| words::history_detail(f.w, &entry.what, detail)),
            by: if is_own { f.with(f.w.history_author, "by", &by) } else { by },
            is_name,
            reason: entry.reason.clone(),
            issue: entry.issue.number(),
        }
    }
}
