//! `reissue-credentials`: an operator of the support desk starts the next issue of credentials, asks for the approval of a sensitive one, or
//! decides on an approval.
//!
//! **Route**: `POST /desk/api/subscriptions/{subscription_id}/reissues`,
//! `POST /desk/api/subscriptions/{subscription_id}/approvals/{approval}`.
//!
//! A reissue voids everything of the issue before: sealed password, password, sessions, failures and known devices. It is sensitive where it
//! brings a password to another address, or where it voids a password that the service administrator chose; then a second operator decides,
//! and the decision and the act are one transaction. So is the decision on a new portal user, which `change-access` asks for.

#![warn(clippy::wildcard_enum_match_arm)]

mod carry_out;
mod decision;
mod reissue;

use std::{sync::Arc, time::Duration};

use aws::{DeskState, LookUpActOutcome, Operators, Reissues, Sealer, SpendActOutcome, Table};
use domain::{ApprovalPolicy, MailContent, OperatorClick, SubscriptionId, Timestamp, UserName};
use http::StatusCode;
use lambda::{Clock, Hasher, Settings};
use serde::Serialize;
use serde_json::value::RawValue;
use tracing::warn;
use web::{OperatorIdentity, OperatorSettings, Presentation, Problem, ProblemCode, Reply, Request, SignedInOperator};

/// The function's stores and settings: they let it look up a subscription, reissue its credentials, ask for and decide approvals, and seal
/// passwords. It can neither unseal nor send mail.
pub struct App {
    identity: OperatorIdentity,
    operators: Operators,
    reissues: Reissues,
    sealer: Sealer,
    hasher: Hasher,
    clock: Clock,
    lifetime: Duration,
    reminder_before: Duration,
    welcome_mail: MailContent,
    approval_policy: ApprovalPolicy,
    approval_wait: Duration,
}

/// A click of an operator, authenticated and within the operator's budget.
struct Click {
    by: SignedInOperator,
    subscription: SubscriptionId,
    id: OperatorClick,
    at: Timestamp,
}

/// The answer to a click.
struct Done {
    reply: Reply,
    /// The account whose password is void.
    voided: Option<UserName>,
}

/// The result of looking up the subscription of a click.
enum LookedUp {
    Found(Box<DeskState>),
    /// An earlier attempt of the click was carried out, with this answer.
    Answered(Reply),
}

impl App {
    /// Reads the settings `TABLE_NAME`, `SEALING_KEY`, `CREDENTIAL_LIFETIME_SECONDS`, `REMINDER_BEFORE_SECONDS`, `WELCOME_MAIL`,
    /// `DESK_APPROVAL`, `DESK_APPROVAL_WAIT_SECONDS` and those of the operators' identity.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            identity: OperatorIdentity::new(OperatorSettings::read(|name| settings.optional(name)))?,
            operators: Operators::new(table.clone()),
            reissues: Reissues::new(table),
            sealer: Sealer::new(&aws, settings.required("SEALING_KEY")?),
            hasher: Hasher::default(),
            clock,
            lifetime: settings.credential_lifetime()?,
            reminder_before: settings.reminder_before()?,
            welcome_mail: settings.parsed("WELCOME_MAIL", MailContent::Credentials, MailContent::parse)?,
            approval_policy: settings.approval_policy()?,
            approval_wait: settings.approval_wait()?,
        })
    }
}

/// Handles one click of an operator.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let done = lambda::in_time(answer(Arc::clone(&app), request)).await?;
    if let Some(user_name) = &done.voided {
        app.forget_attempts(user_name).await;
    }
    Ok(done.reply)
}

async fn answer(app: Arc<App>, request: Request) -> Result<Done, Problem> {
    let now = app.clock.now();
    let by = app.identity.operator(&request, now).await?;
    let subscription = web::request::subscription_id(&request)?;
    let approval = web::request::approval_id(&request)?;
    let key = web::request::idempotency_key(&request)?.ok_or(ProblemCode::InvalidRequest)?;
    let body: &[u8] = request.body().as_ref();
    let click = |route: &[u8]| OperatorClick::new(&by.operator, &key, &[route, body]);
    match approval {
        None => {
            let wish = reissue::Wish::parse(&request)?;
            let click = Click { id: click(b"reissues"), by, subscription, at: now };
            app.spend(&click).await?;
            app.reissue(&click, &wish).await
        }
        Some(approval) => {
            let verdict = decision::GivenVerdict::parse(&request)?;
            let click = Click { id: click(approval.as_str().as_bytes()), by, subscription, at: now };
            app.spend(&click).await?;
            app.decide(&click, &approval, &verdict).await
        }
    }
}

impl App {
    /// Spends one act of the operator's budget.
    async fn spend(&self, click: &Click) -> Result<(), Problem> {
        match self.operators.spend(&click.by.operator, click.at).await? {
            SpendActOutcome::Admitted => Ok(()),
            SpendActOutcome::Exhausted { retry_after } => {
                warn!(metric = "OperatorLimited", "an operator has used up the budget of acts");
                Err(Problem::too_many_attempts(retry_after))
            }
        }
    }

    /// Looks up the subscription of `click`, and whether the click was carried out before.
    async fn look_up(&self, click: &Click) -> Result<LookedUp, Problem> {
        Ok(match self.reissues.look_up(&click.subscription, &click.id, click.at).await? {
            LookUpActOutcome::New(state) => LookedUp::Found(state),
            LookUpActOutcome::Answered(answer) => LookedUp::Answered(accepted(&answer)?),
            LookUpActOutcome::AnotherRequest => return Err(ProblemCode::Conflict.into()),
            LookUpActOutcome::NoSubscription => return Err(ProblemCode::NotFound.into()),
        })
    }

    /// Clears the failures of an account, and makes it forget devices and networks. Its password is void already, so a failure here keeps no
    /// more than budgets.
    async fn forget_attempts(&self, user_name: &UserName) {
        if let Err(failure) = self.operators.forget_attempts(user_name).await {
            warn!(service = failure.service(), cause = %failure, "failures, devices and networks are not forgotten");
        }
    }
}

impl Click {
    /// Refuses a click that a ticket system makes: who speaks through one could have two names.
    fn refuse_bearer(&self) -> Result<(), ProblemCode> {
        match self.by.presentation {
            Presentation::Session => Ok(()),
            Presentation::Bearer => Err(ProblemCode::Forbidden),
        }
    }
}

/// Returns the body of an answer, which the mark of the click keeps.
fn written(answer: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_string(answer).map_err(|error| Problem::new(ProblemCode::Internal).because(error))
}

/// Returns the answer to a click that is carried out, from its body.
fn accepted(answer: &str) -> Result<Reply, Problem> {
    let body: &RawValue =
        serde_json::from_str(answer).map_err(|error| Problem::new(ProblemCode::Internal).because(error))?;
    Ok(web::json(StatusCode::ACCEPTED, &body))
}

fn lost_races() -> Problem {
    Problem::new(ProblemCode::Unavailable).because("other writes to this subscription kept winning")
}
