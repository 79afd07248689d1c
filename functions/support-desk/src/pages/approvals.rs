//! `/desk/approvals`: what waits for a second operator.

use std::collections::BTreeSet;

use askama::Template;
use domain::{Approval, ApprovalId, Credential, DeskAct, SubscriptionId, Timestamp};
use http::StatusCode;
use page::{Policy, reply};
use web::{Problem, Reply, SignedInOperator, Site};

use super::{Frame, Tab, people};
use crate::Visit;

#[derive(Template)]
#[template(path = "approvals.html")]
struct ApprovalsPage<'a> {
    f: Frame<'a>,
    requests: Vec<Request>,
    person: String,
}

/// A request for approval, as its reader may decide it.
pub(super) struct Request {
    pub(super) id: ApprovalId,
    pub(super) subscription: SubscriptionId,
    pub(super) what: &'static str,
    /// The product and the company.
    pub(super) subject: String,
    /// The label of `whom`.
    pub(super) whom_label: &'static str,
    /// The address, the account or the organisation that the act is about.
    pub(super) whom: String,
    /// Whether the address on file keeps its access.
    pub(super) keeps: bool,
    pub(super) asked_by: String,
    pub(super) asked_at: Timestamp,
    pub(super) reason: String,
    pub(super) expires_at: Timestamp,
    pub(super) decision: Decision,
}

/// The choices of a reader of a request.
pub(super) enum Decision {
    /// Their own request: another operator must decide.
    Own,
    /// Their sign-in is too old. The address begins a new one.
    SignIn(String),
    /// Reject it; approve it only from this time on.
    NotBefore(Timestamp),
    /// Approve or reject it.
    Open,
}

impl Visit<'_> {
    /// Shows what waits for a second operator.
    pub(super) async fn approvals(&self, operator: &SignedInOperator) -> Result<Reply, Problem> {
        let all = self.app.desks.approvals(self.now).await?;
        let ids: BTreeSet<SubscriptionId> = all.iter().map(|approval| approval.subscription.clone()).collect();
        let ids: Vec<SubscriptionId> = ids.into_iter().collect();
        let credentials = self.app.desks.credentials(&ids).await?;
        let f = self.frame_for(operator).in_tab(Tab::Approvals);
        let pending = all.iter().filter(|approval| approval.is_pending(self.now));
        let requests: Vec<_> = pending
            .map(|approval| {
                let credential = credentials.iter().find(|known| known.subscription == approval.subscription);
                Request::new(approval, credential, operator, self.now, &f)
            })
            .collect();
        let title = f.w.desk_approvals;
        let page = ApprovalsPage { f: f.titled(title), requests, person: operator.operator.person.to_string() };
        reply(StatusCode::OK, Policy::Acts, &page, &page.f)
    }
}

impl Request {
    /// Returns a request as `reader` sees it. A subscription that does not exist any more has no credential.
    pub(super) fn new(
        approval: &Approval,
        credential: Option<&Credential>,
        reader: &SignedInOperator,
        now: Timestamp,
        f: &Frame,
    ) -> Self {
        let w = f.w;
        let (what, whom_label, whom, keeps) = match &approval.act {
            DeskAct::Reissue { email, keeps_old_address } => {
                let to = email.as_ref().unwrap_or(&approval.seen.email);
                (w.desk_reissue, w.desk_email_to, to.to_string(), *keeps_old_address)
            }
            DeskAct::AddPortalUser(user) => (w.desk_add, w.desk_portal_user, people::name(Some(user), f), false),
        };
        Self {
            id: approval.id.clone(),
            subscription: approval.subscription.clone(),
            what,
            subject: credential.map(|known| format!("{}, {}", known.product, known.company.name)).unwrap_or_default(),
            whom_label,
            whom,
            keeps,
            asked_by: approval.asked_by.label.as_stored().to_owned(),
            asked_at: approval.asked_at,
            reason: approval.reason.as_str().to_owned(),
            expires_at: approval.expires_at,
            decision: Decision::new(approval, reader, now),
        }
    }
}

impl Decision {
    fn new(approval: &Approval, reader: &SignedInOperator, now: Timestamp) -> Self {
        if approval.asked_by.person == reader.operator.person {
            return Self::Own;
        }
        if !reader.may_decide(now) {
            return Self::SignIn(Site::Desk.sign_in_path("/desk/approvals") + "&decision=true");
        }
        if now < approval.not_before { Self::NotBefore(approval.not_before) } else { Self::Open }
    }

    pub(super) fn sign_in(&self) -> Option<&str> {
        match self {
            Self::SignIn(path) => Some(path),
            Self::Own | Self::NotBefore(_) | Self::Open => None,
        }
    }

    pub(super) fn not_before(&self) -> Option<Timestamp> {
        match self {
            Self::NotBefore(at) => Some(*at),
            Self::Own | Self::SignIn(_) | Self::Open => None,
        }
    }

    pub(super) fn is_own(&self) -> bool {
        matches!(self, Self::Own)
    }

    pub(super) fn can_approve(&self) -> bool {
        matches!(self, Self::Open)
    }

    pub(super) fn can_reject(&self) -> bool {
        matches!(self, Self::Open | Self::NotBefore(_))
    }
}
