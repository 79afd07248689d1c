//! The JSON of the desk: what its pages show, for a vendor's own tools.

mod subscription;

use std::borrow::Cow;

use domain::{
    ActorRole, Approval, ApprovalId, Company, Credential, CredentialState, DeskAct, HistoryEntry, Kind, PersonId,
    PortalUser, Reason, SearchKeys, SubscriptionId, Timestamp,
};
use http::StatusCode;
use serde::Serialize;
use web::{Problem, ProblemCode, Reply, SignedInOperator, request::query_parameter};
use words::Language;

use crate::{Visit, log_look};

impl Visit<'_> {
    /// Answers a JSON route to an operator.
    pub(crate) async fn api(&self, path: &[&str]) -> Result<Reply, Problem> {
        let operator = self.operator().await?;
        lambda::in_time(async {
            match path {
                ["subscriptions"] => self.found().await,
                ["subscriptions", id] => self.subscription_json(id, &operator).await,
                ["subscriptions", id, "history"] => self.history_json(id, &operator).await,
                ["approvals"] => self.approvals_json(&operator).await,
                _ => Err(ProblemCode::NotFound.into()),
            }
        })
        .await
    }

    async fn found(&self) -> Result<Reply, Problem> {
        let query = query_parameter(self.request, "query").ok_or(ProblemCode::InvalidRequest)?;
        let after = web::request::cursor(self.request)?;
        let page = Box::pin(self.app.desks.search(&SearchKeys::parse(&query), after.as_ref(), self.now)).await?;
        let answer = Found {
            subscriptions: page.found.iter().map(|credential| FoundRow::new(credential, self.now)).collect(),
            next: page.next.as_ref().map(web::cursor::encode),
        };
        Ok(web::json(StatusCode::OK, &answer))
    }

    async fn subscription_json(&self, id: &str, operator: &SignedInOperator) -> Result<Reply, Problem> {
        let id = SubscriptionId::parse(id).ok_or(ProblemCode::NotFound)?;
        let found = Box::pin(self.app.desks.subscription(&id, self.now)).await?.ok_or(ProblemCode::NotFound)?;
        log_look(operator, &id, "subscription");
        let answer = subscription::Answer::new(&found, operator.operator.person, self.now);
        Ok(web::json(StatusCode::OK, &answer))
    }

    async fn history_json(&self, id: &str, operator: &SignedInOperator) -> Result<Reply, Problem> {
        let id = SubscriptionId::parse(id).ok_or(ProblemCode::NotFound)?;
        let after = web::request::history_cursor(self.request)?;
        let credential = self.app.desks.credential(&id).await?.ok_or(ProblemCode::NotFound)?;
        let page = self.app.histories.page(&credential, after).await?;
        log_look(operator, &id, "history");
        let reader = operator.operator.person;
        let answer = History {
            entries: page.entries.iter().map(|entry| HistoryRow::new(entry, reader)).collect(),
            next: page.next.map(web::cursor::encode_history),
        };
        Ok(web::json(StatusCode::OK, &answer))
    }

    async fn approvals_json(&self, operator: &SignedInOperator) -> Result<Reply, Problem> {
        let all = self.app.desks.approvals(self.now).await?;
        let reader = operator.operator.person;
        let answer = Approvals { approvals: all.iter().map(|one| ApprovalRow::new(one, reader)).collect() };
        Ok(web::json(StatusCode::OK, &answer))
    }
}

#[derive(Serialize)]
struct Found<'a> {
    subscriptions: Vec<FoundRow<'a>>,
    next: Option<String>,
}

/// A subscription that a search has found.
#[derive(Serialize)]
struct FoundRow<'a> {
    subscription_id: &'a SubscriptionId,
    product: &'a str,
    kind: Kind,
    company: &'a Company,
    user_name: &'a str,
    state: CredentialState,
}

impl<'a> FoundRow<'a> {
    fn new(credential: &'a Credential, now: Timestamp) -> Self {
        Self {
            subscription_id: &credential.subscription,
            product: &credential.product,
            kind: credential.kind,
            company: &credential.company,
            user_name: credential.user_name.as_str(),
            state: credential.state(now),
        }
    }
}

#[derive(Serialize)]
struct History<'a> {
    entries: Vec<HistoryRow<'a>>,
    next: Option<String>,
}

/// An entry of a history, with the whole address or the name of its author.
#[derive(Serialize)]
struct HistoryRow<'a> {
    seq: Option<u64>,
    at: Timestamp,
    what: &'a str,
    by: Cow<'a, str>,
    you: bool,
    issue: u32,
    detail: Option<&'a str>,
    /// Why an operator acted.
    reason: Option<&'a str>,
}

impl<'a> HistoryRow<'a> {
    fn new(entry: &'a HistoryEntry, reader: PersonId) -> Self {
        Self {
            seq: entry.seq,
            at: entry.at,
            what: &entry.what,
            by: author(entry),
            you: entry.who.is_some_and(|who| who.id == Some(reader)),
            issue: entry.issue.number(),
            detail: entry.detail.as_deref(),
            reason: entry.reason.as_deref(),
        }
    }
}

/// Returns the author of an entry: the whole address or user name, or the name of an operator.
fn author(entry: &HistoryEntry) -> Cow<'_, str> {
    match entry.actor().map(|actor| actor.role) {
        Some(ActorRole::Customer) => words::person(Language::English.words(), &entry.by).into(),
        Some(ActorRole::Vendor | ActorRole::ServiceAdministrator | ActorRole::Administrator | ActorRole::Operator)
        | None => entry.by.as_stored().into(),
    }
}

#[derive(Serialize)]
struct Approvals<'a> {
    approvals: Vec<ApprovalRow<'a>>,
}

/// An approval that is to be decided.
#[derive(Serialize)]
struct ApprovalRow<'a> {
    id: &'a ApprovalId,
    subscription_id: &'a SubscriptionId,
    what: &'static str,
    issue: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(flatten)]
    user: UserFields<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    keep_old_address: bool,
    asked_by: &'a str,
    yours: bool,
    reason: &'a str,
    at: Timestamp,
    not_before: Timestamp,
    expires_at: Timestamp,
}

impl<'a> ApprovalRow<'a> {
    fn new(approval: &'a Approval, reader: PersonId) -> Self {
        let (user, keep_old_address) = match &approval.act {
            DeskAct::Reissue { keeps_old_address, .. } => (UserFields::default(), *keeps_old_address),
            DeskAct::AddPortalUser(user) => (UserFields::without_address(user), false),
        };
        Self {
            id: &approval.id,
            subscription_id: &approval.subscription,
            what: approval.act.code(),
            issue: approval.seen.issue.number(),
            email: approval.act.email().map(ToString::to_string),
            user,
            keep_old_address,
            asked_by: approval.asked_by.label.as_stored(),
            yours: approval.asked_by.person == reader,
            reason: Reason::as_str(&approval.reason),
            at: approval.asked_at,
            not_before: approval.not_before,
            expires_at: approval.expires_at,
        }
    }
}

/// How a portal user without an address is known.
#[derive(Default, Serialize)]
struct UserFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<&'a str>,
}

impl<'a> UserFields<'a> {
    fn without_address(user: &'a PortalUser) -> Self {
        match user {
            PortalUser::Address(_) => Self::default(),
            PortalUser::Subject { issuer, subject } => {
                Self { issuer: Some(issuer), subject: Some(subject), organization: None }
            }
            PortalUser::Organization { issuer, organization } => {
                Self { issuer: Some(issuer), subject: None, organization: Some(organization) }
            }
        }
    }
}
