//! The pages of a subscription's history.

use domain::{Caller, Credential, HistoryCursor, HistoryEntry, SubscriptionId};

use super::{
    Table, history,
    item::{Attributes, Reader},
    life, mail,
    names::SK,
};
use crate::Failure;

/// Reads histories; writes nothing.
pub struct Histories(Table);

/// One page of a history.
pub struct HistoryPage {
    /// The entries, newest first. The first page begins with what is not in the history yet.
    pub entries: Vec<HistoryEntry>,
    /// The place where the next page begins, if there is one.
    pub next: Option<HistoryCursor>,
}

/// The number of items that one page reads.
const PAGE: i32 = 50;

/// The number of items that a large page reads: a quarter of a megabyte, which a function with little memory reads within the time of one
/// attempt.
const LARGE_PAGE: i32 = 1000;

impl Histories {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Returns the credential of a subscription that `caller` may see.
    pub async fn find(&self, subscription: &SubscriptionId, caller: &Caller) -> Result<Option<Credential>, Failure> {
        self.0.credential_for(subscription, caller).await
    }

    /// Returns a page of the history of `known` for people to read.
    pub async fn page(&self, known: &Credential, after: Option<HistoryCursor>) -> Result<HistoryPage, Failure> {
        self.read(known, after, PAGE).await
    }

    /// Returns a large page of the history of `known`, for a file.
    pub async fn large_page(&self, known: &Credential, after: Option<HistoryCursor>) -> Result<HistoryPage, Failure> {
        self.read(known, after, LARGE_PAGE).await
    }

    /// Reads items from the highest key to the lowest. The key of the welcome mail follows those of the entries, so the first page has both. The
    /// life lies between them, and is no entry.
    async fn read(&self, known: &Credential, after: Option<HistoryCursor>, limit: i32) -> Result<HistoryPage, Failure> {
        let last = after.map_or_else(|| mail::SORT_KEY.to_owned(), |cursor| history::sort_key(cursor.seq() - 1));
        let limit = if after.is_none() { limit + 1 } else { limit };
        let request = self.0.range(&known.subscription, history::PREFIX, &last).scan_index_forward(false).limit(limit);
        let answer = request.send().await.map_err(|error| Failure::from_sdk("dynamodb Query (history)", &error))?;
        page(known, after, &answer.items.unwrap_or_default())
    }
}

/// Makes a page of the items that a query has read. `known` was read before them: entries that it does not count are left out, so that each
/// retrieval is shown once.
fn page(known: &Credential, after: Option<HistoryCursor>, items: &[Attributes]) -> Result<HistoryPage, Failure> {
    let (mails, items): (Vec<_>, Vec<_>) = items.iter().partition(|item| is_at(item, mail::SORT_KEY));
    let items = items.into_iter().filter(|item| !is_at(item, life::SORT_KEY));
    let recorded = items.map(history::from_item).collect::<Result<Vec<_>, Failure>>()?;
    let lowest = recorded.last().and_then(|entry| entry.seq);
    let mail = mails.first().map(|item| mail::from_item(item)).transpose()?;
    let mut entries = match after {
        None => HistoryEntry::unrecorded(known, mail.as_ref()),
        Some(_) => Vec::new(),
    };
    entries.extend(recorded.into_iter().filter(|entry| entry.seq <= Some(known.seq)));
    Ok(HistoryPage { entries, next: lowest.and_then(HistoryCursor::after) })
}

fn is_at(item: &Attributes, sort_key: &str) -> bool {
    Reader(item).optional_text(SK) == Some(sort_key)
}
