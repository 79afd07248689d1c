//! The detail of a published event. `infra/schemas/` describes it for consumers.

use domain::{
    Actor, ActorRole, ApprovalOutcome, CompanyId, EventType, HistoryCode, IssueReason, MailStatus, Transition,
};
use serde::Serialize;

/// Whether events have the addresses and user names of actors.
#[derive(Clone, Copy)]
pub(crate) enum ActorNames {
    Hidden,
    Shown,
}

/// The content of an event.
#[derive(Serialize)]
pub(crate) struct Detail<'a> {
    event_id: &'a str,
    subscription_id: &'a str,
    /// Null where the subscription has been deleted in the meantime.
    company_id: Option<&'a str>,
    issue: u32,
    /// Null for what the history does not number yet.
    seq: Option<u64>,
    at: String,
    who: Who<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    /// The act that an approval was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'a str>,
    /// The outcome of an approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<ApprovalOutcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<MailStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason<'a>>,
}

/// Why an issue began, or why a mail failed.
#[derive(Serialize)]
#[serde(untagged)]
enum Reason<'a> {
    Issue(IssueReason),
    /// Null where SES gave no reason that we know.
    Mail(Option<&'a str>),
}

/// The actor.
#[derive(Serialize)]
struct Who<'a> {
    role: ActorRole,
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'a str>,
}

impl<'a> Detail<'a> {
    /// Returns the content of the event of `transition`.
    pub(crate) fn new(transition: &'a Transition, company: Option<&'a CompanyId>, names: ActorNames) -> Self {
        let entry = &transition.entry;
        let mail = transition.mail;
        Self {
            event_id: transition.id.as_str(),
            subscription_id: transition.subscription.as_str(),
            company_id: company.map(CompanyId::as_str),
            issue: entry.issue.number(),
            seq: entry.seq,
            at: entry.at.to_string(),
            who: Who::new(transition, names),
            account: detail_of(transition, HistoryCode::names_account),
            what: detail_of(transition, |code| code == HistoryCode::ApprovalRequested),
            outcome: detail_of(transition, |code| code == HistoryCode::ApprovalDecided)
                .and_then(ApprovalOutcome::parse),
            round: mail.map(|mail| mail.round),
            status: mail.map(|mail| mail.status),
            reason: reason(transition),
        }
    }
}

/// Returns the detail of the entry, if its code is one of those that `is_meant` names. No other detail is published.
fn detail_of(transition: &Transition, is_meant: impl Fn(HistoryCode) -> bool) -> Option<&str> {
    let is_published = transition.entry.code().is_some_and(is_meant);
    transition.entry.detail.as_deref().filter(|_| is_published)
}

/// Returns why an issue began, or why a mail failed.
fn reason(transition: &Transition) -> Option<Reason<'_>> {
    if transition.event_type == EventType::WelcomeMailFailed {
        return Some(Reason::Mail(transition.entry.detail.as_deref()));
    }
    transition.issue_reason().map(Reason::Issue)
}

impl<'a> Who<'a> {
    fn new(transition: &'a Transition, names: ActorNames) -> Self {
        let Actor { role, id } = transition.who;
        let by = &transition.entry.by;
        let (address, user_name) = match role {
            ActorRole::Customer => (by.address(), None),
            ActorRole::ServiceAdministrator | ActorRole::Administrator => (None, Some(by.as_stored())),
            ActorRole::Vendor | ActorRole::Operator => (None, None),
        };
        let shown = |name: Option<&'a str>| name.filter(|_| matches!(names, ActorNames::Shown));
        Self { role, id: id.map(|person| person.to_string()), address: shown(address), user_name: shown(user_name) }
    }
}
