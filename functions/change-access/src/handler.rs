//! `change-access`: lets an operator add and remove portal users, and unlock accounts that failures have closed.
//!
//! **Route**: on the desk's own origin `POST /desk/api/subscriptions/{subscription_id}/portal-users`,
//! `POST /desk/api/subscriptions/{subscription_id}/portal-users/{principal}/removal` and `POST /desk/api/accounts/{user_name}/unlock`, each with
//! an `Idempotency-Key`.
//!
//! Each act is one transaction with its entry in the history and the mark of its click. An addition is a way to the password of this issue or
//! of the next, so a second operator has to approve it: the function only asks, unless the deployment does without approvals. It can neither
//! read nor write a password.

#![warn(clippy::wildcard_enum_match_arm)]

use std::{sync::Arc, time::Duration};

use aws::{
    Accesses, ActOutcome, AnsweredClick, Consent, DeskState, OperatorAct, OperatorActs, Operators, Providers, Table,
    UnlockOutcome,
};
use domain::{
    Approval, ApprovalId, ApprovalPolicy, ClaimedName, DeskAct, Operator, OperatorClick, PortalUserChange,
    PortalUserFields, Principal, Reason, Removal, SubscriptionId, Timestamp,
};
use lambda::{Clock, Settings};
use serde::Deserialize;
use serde_json::json;
use web::{
    Metric, OperatorIdentity, OperatorSettings, Problem, ProblemCode, Reply, Request,
    acts::{self, LookedUp, accepted},
};

/// The function's stores and settings: they let it verify operators, change portal users, ask for approvals of that, and open accounts. It
/// has no key of KMS.
pub struct App {
    acts: OperatorActs,
    accesses: Accesses,
    operators: Operators,
    identity: OperatorIdentity,
    clock: Clock,
    approvals: ApprovalPolicy,
    approval_wait: Duration,
}

impl App {
    /// Reads the settings `TABLE_NAME`, `DESK_APPROVAL`, `DESK_APPROVAL_WAIT_SECONDS` and those of the operators' identity.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            acts: OperatorActs::new(table.clone()),
            accesses: Accesses::new(table.clone()),
            operators: Operators::new(table.clone()),
            identity: OperatorIdentity::new(
                OperatorSettings::read(|name| settings.optional(name)),
                Providers::new(table).reader(),
            )?,
            clock,
            approvals: settings.approval_policy()?,
            approval_wait: settings.approval_wait()?,
        })
    }

    /// Returns a future that reads the provider's keys before the first request needs them.
    pub fn read_ahead(&self) -> impl Future<Output = ()> + Send + use<> {
        let clock = self.clock.clone();
        self.identity.read_ahead(move || clock.now())
    }
}

/// Handles one act of an operator.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    lambda::in_time(answer(app, request)).await
}

async fn answer(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let now = app.clock.now();
    let signed_in = app.identity.operator(&request, now).await?;
    acts::admit(&signed_in.operator, app.operators.spend(&signed_in.operator, now).await?)?;
    signed_in.refuse_bearer()?;
    let key = web::request::required_idempotency_key(&request)?;
    let visit = Visit { app: &app, request: &request, operator: &signed_in.operator, key: &key, now };
    match (web::request::user_name(&request), web::request::principal(&request)?) {
        (Some(name), _) => visit.unlock(&name).await,
        (None, Some(principal)) => visit.remove(principal).await,
        (None, None) => visit.add().await,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Addition {
    reason: String,
    email: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    organization: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reasoned {
    reason: String,
}

/// The answer of an act that has nothing else to say.
const DONE: &str = "{}";

/// A request of an operator, and what every act needs.
struct Visit<'a> {
    app: &'a App,
    request: &'a Request,
    operator: &'a Operator,
    key: &'a str,
    now: Timestamp,
}

impl Visit<'_> {
    /// Adds a portal user, or asks a second operator for that.
    async fn add(&self) -> Result<Reply, Problem> {
        let subscription = web::request::subscription_id(self.request)?;
        let Addition { reason, email, issuer, subject, organization } = web::request::body(self.request)?;
        let fields = PortalUserFields { email, issuer, subject, organization };
        let act = DeskAct::AddPortalUser(fields.parse_typed().ok_or(ProblemCode::InvalidRequest)?);
        let reason = parse(&reason)?;
        let click = self.click(&[b"add-portal-user", subscription.as_str().as_bytes()]);
        let id = ApprovalId::new(self.now, lambda::random_bytes());
        for _ in 0..aws::RACES {
            let known = match self.look_up(&subscription, &click).await? {
                LookedUp::New(known) => known,
                LookedUp::Answered(reply) => return Ok(reply),
            };
            let change = act.portal_user_change(&known.credential, &known.mail.to);
            let next = known.credential.with_portal_users(&change).filter(|_| !change.is_empty());
            let next = next.filter(|next| next.ended_at.is_none()).ok_or(ProblemCode::Conflict)?;
            let outcome = match self.app.approvals {
                ApprovalPolicy::Required => self.ask(&known, &act, &reason, &click, &id).await?,
                ApprovalPolicy::Off => {
                    let act = self.act(&reason, Consent::Waived, &click);
                    let added = self.app.acts.change_portal_users(&known, &next, &change, &act).await?;
                    (added == ActOutcome::Done).then(|| Metric::count("PortalUserChanged", accepted(DONE.to_owned())))
                }
            };
            if let Some(reply) = outcome {
                return Ok(reply);
            }
        }
        Err(Problem::lost_races())
    }

    /// Asks for the approval `id` of `act`. Returns `None` if another writer was faster.
    async fn ask(
        &self,
        known: &DeskState,
        act: &DeskAct,
        reason: &Reason,
        click: &OperatorClick,
        id: &ApprovalId,
    ) -> Result<Option<Reply>, Problem> {
        if known.approval.as_ref().is_some_and(|approval| approval.is_pending(self.now)) {
            return Err(ProblemCode::Conflict.into());
        }
        let state = (&known.credential, &known.mail);
        let asker = (self.operator, reason);
        let approval = Approval::new(id.clone(), act.clone(), state, asker, self.app.approval_wait, self.now);
        let answer = json!({ "approval": id }).to_string();
        let outcome = self.app.acts.ask(known, &approval, AnsweredClick { click, answer: &answer }).await?;
        Ok((outcome == ActOutcome::Done).then(|| Metric::count("ApprovalRequested", accepted(answer))))
    }

    /// Removes a portal user.
    async fn remove(&self, principal: Principal) -> Result<Reply, Problem> {
        let subscription = web::request::subscription_id(self.request)?;
        let reason = self.reason()?;
        let click = self.click(&[b"remove-portal-user", subscription.as_str().as_bytes(), principal.as_bytes()]);
        let change = PortalUserChange { added: None, removed: Some(Removal { principal, given: None }) };
        for _ in 0..aws::RACES {
            let known = match self.look_up(&subscription, &click).await? {
                LookedUp::New(known) => known,
                LookedUp::Answered(reply) => return Ok(reply),
            };
            if !known.credential.portal_users.contains(&principal) {
                return Err(ProblemCode::NotFound.into());
            }
            let next = known.credential.with_portal_users(&change).filter(|next| next.ended_at.is_none());
            let next = next.ok_or(ProblemCode::Conflict)?;
            let act = self.act(&reason, Consent::Unneeded, &click);
            match self.app.acts.change_portal_users(&known, &next, &change, &act).await? {
                ActOutcome::Done => return Ok(Metric::count("PortalUserChanged", accepted(DONE.to_owned()))),
                ActOutcome::LostRace => {}
            }
        }
        Err(Problem::lost_races())
    }

    /// Unlocks an account that failures have closed.
    async fn unlock(&self, name: &ClaimedName) -> Result<Reply, Problem> {
        let reason = self.reason()?;
        let click = self.click(&[b"unlock", name.as_str().as_bytes()]);
        for _ in 0..aws::RACES {
            let outcome = self.app.accesses.look_up_account(name, &click, self.now).await?;
            let known = match acts::looked_up(outcome)? {
                LookedUp::New(known) => known,
                LookedUp::Answered(reply) => return Ok(reply),
            };
            if !known.can_be_unlocked() {
                return Err(ProblemCode::Conflict.into());
            }
            let act = self.act(&reason, Consent::Unneeded, &click);
            match self.app.accesses.unlock(&known, &act).await? {
                UnlockOutcome::Done => return Ok(Metric::count("AccountUnlocked", accepted(DONE.to_owned()))),
                UnlockOutcome::TooMany => return Err(Problem::too_many_attempts(self.now.seconds_until_tomorrow())),
                UnlockOutcome::LostRace => {}
            }
        }
        Err(Problem::lost_races())
    }

    /// Parses the body of an act that has nothing but a reason.
    fn reason(&self) -> Result<Reason, Problem> {
        let Reasoned { reason } = web::request::body(self.request)?;
        parse(&reason)
    }

    /// Returns the click: its key stands for the route, its parameters and the body.
    fn click(&self, route: &[&[u8]]) -> OperatorClick {
        let request = [route, &[self.request.body().as_ref()]].concat();
        OperatorClick::new(self.operator, self.key, &request)
    }

    /// Returns the act of this request, which is answered with nothing else than that it is done.
    fn act<'a>(&'a self, reason: &'a Reason, consent: Consent<'a>, click: &'a OperatorClick) -> OperatorAct<'a> {
        let answered = AnsweredClick { click, answer: DONE };
        OperatorAct { operator: self.operator, reason, consent, answered, at: self.now }
    }

    /// Looks up the subscription of an act, and whether the click was answered before.
    async fn look_up(
        &self,
        subscription: &SubscriptionId,
        click: &OperatorClick,
    ) -> Result<LookedUp<DeskState>, Problem> {
        Ok(acts::looked_up(self.app.acts.look_up(subscription, click, self.now).await?)?)
    }
}

fn parse(reason: &str) -> Result<Reason, Problem> {
    Reason::parse(reason).ok_or_else(|| ProblemCode::InvalidRequest.into())
}
