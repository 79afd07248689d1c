//! `/desk` and `/desk/subscriptions`: the search, and what it has found.

use askama::Template;
use domain::{Credential, CredentialState, Kind, SearchKeys, SubscriptionId, Timestamp};
use http::StatusCode;
use page::{Policy, reply};
use web::{Problem, Reply, SignedInOperator, request::query_parameter};
use words::Words;

use super::{Frame, Tab, encoded};
use crate::Visit;

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage<'a> {
    f: Frame<'a>,
    query: String,
    /// The result. Absent where nothing was searched for.
    found: Option<Found>,
}

/// One page of what was found.
struct Found {
    rows: Vec<Row>,
    is_later: bool,
    next: Option<String>,
}

/// A subscription that was found.
struct Row {
    id: SubscriptionId,
    product: String,
    company: String,
    user_name: String,
    kind: &'static str,
    state: &'static str,
}

impl Visit<'_> {
    /// Shows the search.
    pub(super) fn search(&self, operator: &SignedInOperator) -> Result<Reply, Problem> {
        let f = self.frame_for(operator).in_tab(Tab::Find);
        let title = f.w.desk_find;
        let page = SearchPage { f: f.titled(title), query: String::new(), found: None };
        reply(StatusCode::OK, Policy::Acts, &page, &page.f)
    }

    /// Shows what a search has found.
    pub(super) async fn found_page(&self, operator: &SignedInOperator) -> Result<Reply, Problem> {
        let query = query_parameter(self.request, "query").unwrap_or_default();
        let query = query.trim();
        if query.is_empty() {
            return Ok(web::see_other("/desk"));
        }
        // An invalid cursor shows the first page instead of an error.
        let after = web::request::cursor(self.request).unwrap_or_default();
        let found = Box::pin(self.app.desks.search(&SearchKeys::parse(query), after.as_ref(), self.now)).await?;
        let f = self.frame_for(operator).in_tab(Tab::Find);
        let is_later = after.is_some();
        let is_empty = found.found.is_empty() && found.next.is_none() && !is_later;
        let title = f.with(if is_empty { f.w.desk_nothing } else { f.w.desk_found }, "query", query);
        let found = Found {
            rows: found.found.iter().map(|credential| Row::new(credential, f.w, self.now)).collect(),
            is_later,
            next: found.next.as_ref().map(web::cursor::encode),
        };
        let page = SearchPage { f: f.titled(&title), query: query.to_owned(), found: Some(found) };
        reply(StatusCode::OK, Policy::Acts, &page, &page.f)
    }
}

impl SearchPage<'_> {
    fn encoded_query(&self) -> String {
        encoded(&self.query)
    }
}

impl Row {
    fn new(credential: &Credential, w: &'static Words, now: Timestamp) -> Self {
        Self {
            id: credential.subscription.clone(),
            product: credential.product.clone(),
            company: credential.company.name.clone(),
            user_name: credential.user_name.to_string(),
            kind: kind(credential.kind, w),
            state: state(credential.state(now), w),
        }
    }
}

/// Returns the word for the kind of a subscription.
pub(super) fn kind(kind: Kind, w: &'static Words) -> &'static str {
    match kind {
        Kind::Trial => w.trial,
        Kind::Paid => w.paid,
    }
}

/// Returns the words for the state of credentials.
pub(super) fn state(state: CredentialState, w: &'static Words) -> &'static str {
    match state {
        CredentialState::Issued => w.desk_state_issued,
        CredentialState::SignedIn => w.step_signed_in,
        CredentialState::Changed => w.step_password,
        CredentialState::HandedOver => w.step_administrator,
        CredentialState::Expired => w.desk_state_expired,
        CredentialState::Ended => w.desk_state_ended,
    }
}
