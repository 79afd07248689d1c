//! `/desk/subscriptions/{subscription_id}`: everything about a subscription, and what can be done.

use askama::Template;
use aws::DeskSubscription;
use domain::{
    ApprovalPolicy, Credential, CredentialState, DeskAct, Label, MailStatus, SubscriptionId, Timestamp, WelcomeMail,
};
use http::StatusCode;
use page::{Filled, Policy, reply};
use web::{Problem, ProblemCode, Reply, SignedInOperator};

use super::{
    Frame, Tab,
    advice::{Advice, Step as NextStep},
    approvals::Request,
    history::History,
    people::{self, Administrator, User},
    search,
};
use crate::{Visit, log_look};

#[derive(Template)]
#[template(path = "subscription.html")]
struct SubscriptionPage<'a> {
    f: Frame<'a>,
    credential: Credential,
    kind: &'static str,
    state: &'static str,
    advice: Advice,
    steps: [Step; 4],
    mail: Mail,
    /// The sentence about the expiry; absent where the password does not expire any more.
    expiry: Option<Filled>,
    /// How many retrievals are left, as a sentence, while the credentials can be retrieved.
    left: Option<String>,
    retrievals: Vec<(Timestamp, String)>,
    portal_users: Vec<User>,
    administrators: Vec<Administrator>,
    requests: Vec<SupportRequest>,
    approval: Option<Request>,
    reissue: Consent,
    addition: Consent,
    history: History,
    person: String,
}

/// A step of the progress.
struct Step {
    name: &'static str,
    at: Option<Timestamp>,
    /// Whether the step failed.
    is_trouble: bool,
}

/// The welcome mail, in words.
struct Mail {
    to: String,
    sentence: Filled,
    /// Why it failed.
    why: Option<&'static str>,
    is_trouble: bool,
}

/// A request to support.
struct SupportRequest {
    reference: String,
    at: Timestamp,
    by: String,
}

/// Whether an act takes a second operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consent {
    /// One operator is enough.
    NotNeeded,
    /// A second operator must approve it.
    Needed,
    /// A second operator would have to approve it, but approvals are turned off.
    TurnedOff,
}

impl Visit<'_> {
    /// Shows a subscription.
    pub(super) async fn subscription(&self, id: &str, operator: &SignedInOperator) -> Result<Reply, Problem> {
        let id = SubscriptionId::parse(id).ok_or(ProblemCode::NotFound)?;
        let found = Box::pin(self.app.desks.subscription(&id, self.now)).await?.ok_or(ProblemCode::NotFound)?;
        // An invalid cursor shows the first page instead of an error.
        let after = web::request::history_cursor(self.request).unwrap_or_default();
        let history = self.app.histories.page(&found.credential, after).await?;
        log_look(operator, &id, "subscription page");
        let f = self.frame_for(operator).in_tab(Tab::Find);
        let history = History::new(&history, after.is_some(), operator.operator.person, &f);
        let page = self.subscription_page(f, found, history, operator);
        reply(StatusCode::OK, Policy::Acts, &page, &page.f)
    }

    fn subscription_page<'f>(
        &self,
        f: Frame<'f>,
        found: DeskSubscription,
        history: History,
        operator: &SignedInOperator,
    ) -> SubscriptionPage<'f> {
        let (now, reader) = (self.now, operator.operator.person);
        let approval = found.approval.as_ref().filter(|approval| approval.is_pending(now));
        let step = NextStep::next(&found, approval, reader, now);
        let credential = &found.credential;
        let on_file = DeskAct::reissue(None, false, &found.mail.to);
        let title = format!("{} · {}", credential.product, credential.company.name);
        SubscriptionPage {
            kind: search::kind(credential.kind, f.w),
            state: search::state(credential.state(now), f.w),
            advice: Advice::new(&step, &f),
            steps: steps(credential, &found.mail, &f),
            mail: Mail::new(&found.mail, &f),
            expiry: expiry(credential, now, &f),
            left: (credential.state(now) == CredentialState::Issued).then(|| left(credential, &f)),
            retrievals: retrievals(credential, &f),
            portal_users: people::portal_users(&found, &f),
            administrators: people::administrators(&found, &f),
            requests: found.support_requests.iter().map(|one| SupportRequest::new(one, &f)).collect(),
            approval: approval.map(|approval| Request::new(approval, Some(credential), operator, now, &f)),
            reissue: self.consent(on_file.is_sensitive(credential)),
            addition: self.consent(true),
            history,
            person: reader.to_string(),
            f: f.titled(&title),
            credential: found.credential,
        }
    }

    fn consent(&self, is_sensitive: bool) -> Consent {
        match self.app.approvals {
            _ if !is_sensitive => Consent::NotNeeded,
            ApprovalPolicy::Required => Consent::Needed,
            ApprovalPolicy::Off => Consent::TurnedOff,
        }
    }
}

impl SubscriptionPage<'_> {
    /// Returns whether a reissue to another address takes a second operator, whatever the state.
    fn another_address(&self) -> Consent {
        self.addition
    }

    fn has_ended(&self) -> bool {
        self.credential.ended_at.is_some()
    }
}

impl Consent {
    fn is_needed(self) -> bool {
        self == Self::Needed
    }

    /// Returns the sentence that says so.
    fn sentence(self, f: &Frame) -> Option<&'static str> {
        match self {
            Self::NotNeeded => None,
            Self::Needed => Some(f.w.desk_sensitive),
            Self::TurnedOff => Some(f.w.desk_without_approval),
        }
    }
}

impl Mail {
    fn new(mail: &WelcomeMail, f: &Frame) -> Self {
        let w = f.w;
        let (text, is_trouble) = match mail.status {
            MailStatus::Pending => (w.desk_mail_pending, false),
            MailStatus::Sent => (w.desk_mail_sent, false),
            MailStatus::Delayed => (w.desk_mail_delayed, true),
            MailStatus::Undelivered => (w.desk_mail_undelivered, true),
            MailStatus::Delivered => (w.desk_mail_delivered, false),
            MailStatus::Bounced => (w.desk_mail_bounced, true),
            MailStatus::Suppressed => (w.desk_mail_suppressed, true),
            MailStatus::Complained => (w.desk_mail_complained, true),
            MailStatus::NotNeeded => (w.desk_mail_not_needed, false),
        };
        let why = mail.detail.filter(|_| is_trouble).and_then(|detail| words::mail_detail(w, detail));
        Self { to: mail.to.to_string(), sentence: f.at(text, &mail.at), why, is_trouble }
    }
}

impl SupportRequest {
    fn new(request: &aws::DeskSupportRequest, f: &Frame) -> Self {
        Self { reference: request.reference.to_string(), at: request.at, by: who(&request.by, f) }
    }
}

fn who(label: &Label, f: &Frame) -> String {
    words::person(f.w, label)
}

fn steps(credential: &Credential, mail: &WelcomeMail, f: &Frame) -> [Step; 4] {
    let w = f.w;
    let step = |name, at| Step { name, at, is_trouble: false };
    let failed = |name| Step { name, at: Some(mail.at), is_trouble: true };
    let mailed = match mail.status {
        MailStatus::Sent | MailStatus::Delivered => step(w.step_mailed, Some(mail.at)),
        MailStatus::Pending | MailStatus::NotNeeded => step(w.step_mailed, None),
        MailStatus::Delayed => Step { is_trouble: true, ..step(w.step_mailed, None) },
        MailStatus::Undelivered | MailStatus::Bounced | MailStatus::Suppressed => failed(w.step_not_delivered),
        MailStatus::Complained => failed(w.step_complained),
    };
    [
        mailed,
        step(w.step_signed_in, credential.signed_in_at),
        step(w.step_password, credential.changed_at),
        step(w.step_administrator, credential.handed_over_at),
    ]
}

/// Returns the sentence about the expiry of the temporary password. `None` after the service administrator has chosen another one.
fn expiry(credential: &Credential, now: Timestamp, f: &Frame) -> Option<Filled> {
    match credential.state(now) {
        CredentialState::Issued | CredentialState::SignedIn => {
            Some(f.at(f.w.works_until_sentence, &credential.expires_at))
        }
        CredentialState::Expired => Some(f.at(f.w.reason_expired, &credential.expires_at)),
        CredentialState::Ended => credential.ended_at.map(|at| f.at(f.w.reason_ended, &at)),
        CredentialState::Changed | CredentialState::HandedOver => None,
    }
}

fn left(credential: &Credential, f: &Frame) -> String {
    let (remaining, allowed) =
        (credential.retrievals_remaining().to_string(), domain::credential::RETRIEVALS_PER_ISSUE.to_string());
    words::fill(f.w.retrievals_left_sentence, &[("remaining", &remaining), ("allowed", &allowed)])
}

fn retrievals(credential: &Credential, f: &Frame) -> Vec<(Timestamp, String)> {
    credential.retrievals_in_order().into_iter().map(|one| (one.at, who(&one.by, f))).collect()
}
