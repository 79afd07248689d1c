//! `/history/{subscription_id}`: what has happened to a subscription, for its portal users.

use std::ops::ControlFlow;

use askama::Template;
use aws::HistoryPage as Found;
use domain::{Credential, HistoryEntry, PersonId, ShownAuthor, SubscriptionId, Timestamp};
use http::StatusCode;
use web::{Problem, Reply};

use super::{Filled, Frame, Policy, reply};
use crate::Visit;

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage<'a> {
    f: Frame<'a>,
    credential: Credential,
    rows: Vec<Row>,
    /// Whether this is not the first page.
    is_later: bool,
    next: Option<String>,
}

/// An entry of the history.
struct Row {
    at: Timestamp,
    what: Filled,
    /// Why a mail failed, or how an approval ended.
    why: Option<&'static str>,
    by: String,
    /// Whether the author has a name, which browsers must not translate.
    is_name: bool,
}

impl Visit<'_> {
    /// Shows a page of the history to a portal user of the subscription; to everyone else who is signed in, it does not exist.
    pub(crate) async fn history(&self, subscription: &str) -> Result<Reply, Problem> {
        let Some(subscription) = SubscriptionId::parse(subscription) else { return self.not_found() };
        let customer = match self.customer().await? {
            ControlFlow::Continue(customer) => customer,
            ControlFlow::Break(page) => return Ok(page),
        };
        let f = self.frame_for(&customer);
        // An invalid cursor shows the first page instead of an error.
        let after = web::request::history_cursor(self.request).unwrap_or_default();
        let found = async {
            let Some(credential) = self.app.histories.find(&subscription, &customer.caller).await? else {
                return Ok(None);
            };
            let found = self.app.histories.page(&credential, after).await?;
            Ok::<_, Problem>(Some((credential, found)))
        };
        match found.await {
            Ok(Some((credential, found))) => {
                let page = HistoryPage::new(f, credential, &found, after.is_some(), customer.caller.person());
                reply(StatusCode::OK, Policy::Reads, &page, &page.f)
            }
            Ok(None) => self.not_found(),
            Err(problem) => {
                let (why, lead) = (f.w.history_unavailable, f.w.nothing_is_lost);
                self.trouble(f, why, lead, problem)
            }
        }
    }
}

impl<'a> HistoryPage<'a> {
    fn new(f: Frame<'a>, credential: Credential, found: &Found, is_later: bool, reader: PersonId) -> Self {
        let rows = found.entries.iter().map(|entry| Row::new(entry, reader, &f)).collect();
        let next = found.next.map(web::cursor::encode_history);
        let title = f.w.history;
        Self { f: f.titled(title), credential, rows, is_later, next }
    }
}

impl Row {
    fn new(entry: &HistoryEntry, reader: PersonId, f: &Frame) -> Self {
        let shown = entry.shown_to(reader);
        Self {
            at: entry.at,
            what: f.literally(words::history_entry(f.w, &entry.what), shown.detail.unwrap_or_default()),
            why: shown.detail.and_then(|detail| words::history_detail(f.w, &entry.what, detail)),
            by: words::history_author(f.w, &shown, f.vendor()),
            is_name: matches!(shown.by, ShownAuthor::Account(_) | ShownAuthor::Address(_)),
        }
    }
}
