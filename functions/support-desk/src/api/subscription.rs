//! One subscription in JSON: what the list of customers has of it, and what operators see besides.

use aws::{DeskAccount, DeskPortalUser, DeskSubscription, DeskSupportRequest};
use domain::{
    AccountStatus, Company, Credential, CredentialState, CustomerAction, Kind, MailStatus, PersonId, Principal,
    Reference, Retrieval, SubscriptionId, Timestamp, WelcomeMail, credential::RETRIEVALS_PER_ISSUE,
};
use serde::Serialize;
use words::Language;

use super::{ApprovalRow, UserFields};

#[derive(Serialize)]
pub(super) struct Answer<'a> {
    subscription_id: &'a SubscriptionId,
    product: &'a str,
    kind: Kind,
    company: &'a Company,
    user_name: &'a str,
    started_at: Timestamp,
    welcome_mail: Mail,
    credentials: Credentials,
    actions: Vec<CustomerAction>,
    issue: u32,
    /// The address of the current issue.
    email: String,
    portal_users: Vec<User<'a>>,
    service_administrator: AccountRow<'a>,
    administrators: Vec<Administrator<'a>>,
    retrievals: Retrievals,
    support_requests: Vec<Request<'a>>,
    approval: Option<ApprovalRow<'a>>,
}

#[derive(Serialize)]
struct Mail {
    status: MailStatus,
    at: Timestamp,
    to: String,
}

#[derive(Serialize)]
struct Credentials {
    state: CredentialState,
    expires_at: Timestamp,
    retrievals_remaining: usize,
    last_retrieved: Option<Retrieved>,
}

#[derive(Serialize)]
struct Retrievals {
    allowed: usize,
    used: usize,
    remaining: usize,
    history: Vec<Retrieved>,
}

#[derive(Serialize)]
struct Retrieved {
    at: Timestamp,
    by: String,
    /// The end of the subject of a person without a confirmed address.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_end: Option<String>,
    /// Always false: an operator retrieves nothing.
    you: bool,
}

/// A portal user. The principal names them in the path of a removal.
#[derive(Serialize)]
struct User<'a> {
    principal: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(flatten)]
    known_by: UserFields<'a>,
    added_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Administrator<'a> {
    #[serde(flatten)]
    account: AccountRow<'a>,
    display_name: &'a str,
}

#[derive(Serialize)]
struct AccountRow<'a> {
    account_id: &'a str,
    user_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    status: AccountStatus,
    last_signed_in_at: Option<Timestamp>,
    closed: bool,
}

#[derive(Serialize)]
struct Request<'a> {
    reference: &'a str,
    at: Timestamp,
    by: String,
}

impl<'a> Answer<'a> {
    pub(super) fn new(found: &'a DeskSubscription, reader: PersonId, now: Timestamp) -> Self {
        let DeskSubscription { credential, mail, .. } = found;
        Self {
            subscription_id: &credential.subscription,
            product: &credential.product,
            kind: credential.kind,
            company: &credential.company,
            user_name: credential.user_name.as_str(),
            started_at: credential.started_at,
            welcome_mail: Mail::new(mail),
            credentials: Credentials::new(credential, now),
            actions: CustomerAction::possible(credential, mail, now),
            issue: credential.issue.number(),
            email: mail.to.to_string(),
            portal_users: found.portal_users.iter().map(User::new).collect(),
            service_administrator: AccountRow::new(&found.service_administrator),
            administrators: found
                .administrators
                .iter()
                .map(|one| Administrator { account: AccountRow::new(&one.account), display_name: &one.display_name })
                .collect(),
            retrievals: Retrievals::new(credential),
            support_requests: found.support_requests.iter().map(Request::new).collect(),
            approval: found
                .approval
                .as_ref()
                .filter(|approval| approval.is_pending(now))
                .map(|approval| ApprovalRow::new(approval, reader)),
        }
    }
}

impl Mail {
    fn new(mail: &WelcomeMail) -> Self {
        Self { status: mail.status, at: mail.at, to: mail.to.to_string() }
    }
}

impl Credentials {
    fn new(credential: &Credential, now: Timestamp) -> Self {
        Self {
            state: credential.state(now),
            expires_at: credential.expires_at,
            retrievals_remaining: credential.retrievals_remaining(),
            last_retrieved: credential.retrievals_in_order().into_iter().next_back().map(Retrieved::new),
        }
    }
}

impl Retrievals {
    fn new(credential: &Credential) -> Self {
        Self {
            allowed: RETRIEVALS_PER_ISSUE,
            used: credential.retrievals.len(),
            remaining: credential.retrievals_remaining(),
            history: credential.retrievals_in_order().into_iter().map(Retrieved::new).collect(),
        }
    }
}

impl Retrieved {
    fn new(retrieval: &Retrieval) -> Self {
        Self {
            at: retrieval.at,
            by: words::person(Language::English.words(), &retrieval.by),
            subject_end: retrieval.by.subject_end(),
            you: false,
        }
    }
}

impl<'a> User<'a> {
    fn new(user: &'a DeskPortalUser) -> Self {
        let given = user.given.as_ref();
        Self {
            principal: Principal::to_string(&user.principal),
            email: given.and_then(|given| given.address()).map(ToString::to_string),
            known_by: given.map(UserFields::without_address).unwrap_or_default(),
            added_at: user.added_at,
        }
    }
}

impl<'a> AccountRow<'a> {
    fn new(account: &'a DeskAccount) -> Self {
        Self {
            account_id: &account.account_id,
            user_name: account.user_name.as_str(),
            email: account.email.as_ref().map(ToString::to_string),
            status: account.status,
            last_signed_in_at: account.last_signed_in_at,
            closed: account.closed,
        }
    }
}

impl<'a> Request<'a> {
    fn new(request: &'a DeskSupportRequest) -> Self {
        Self {
            reference: Reference::as_str(&request.reference),
            at: request.at,
            by: words::person(Language::English.words(), &request.by),
        }
    }
}
