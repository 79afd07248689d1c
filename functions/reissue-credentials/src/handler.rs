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

use aws::{DeskState, OperatorActs, Operators, Providers, Reissues, Sealer, Table};
use domain::{ApprovalPolicy, MailContent, OperatorClick, SubscriptionId, Timestamp, UserName};
use lambda::{Clock, Hasher, Settings};
use serde::Serialize;
use tracing::warn;
use web::{
    OperatorIdentity, OperatorSettings, Problem, ProblemCode, Reply, Request, SignedInOperator,
    acts::{self, LookedUp},
};

/// The function's stores and settings: they let it verify operators, look up a subscription, reissue its credentials, ask for and decide
/// approvals, and seal passwords. It can neither unseal nor send mail.
pub struct App {
    identity: OperatorIdentity,
    operators: Operators,
    acts: OperatorActs,
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

impl App {
    /// Reads the settings `TABLE_NAME`, `SEALING_KEY`, `CREDENTIAL_LIFETIME_SECONDS`, `REMINDER_BEFORE_SECONDS`, `WELCOME_MAIL`,
    /// `DESK_APPROVAL`, `DESK_APPROVAL_WAIT_SECONDS` and those of the operators' identity.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            identity: OperatorIdentity::new(
                OperatorSettings::read(|name| settings.optional(name)),
                Providers::new(table.clone()).reader(),
            )?,
            operators: Operators::new(table.clone()),
            acts: OperatorActs::new(table.clone()),
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

    /// Returns a future that reads the provider's keys before the first request needs them.
    pub fn read_ahead(&self) -> impl Future<Output = ()> + Send + use<> {
        let clock = self.clock.clone();
        self.identity.read_ahead(move || clock.now())
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
    let key = web::request::required_idempotency_key(&request)?;
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
        acts::admit(&click.by.operator, self.operators.spend(&click.by.operator, click.at).await?)
    }

    /// Looks up the subscription of `click`, and whether the click was carried out before.
    async fn look_up(&self, click: &Click) -> Result<LookedUp<DeskState>, Problem> {
        Ok(acts::looked_up(self.acts.look_up(&click.subscription, &click.id, click.at).await?)?)
    }

    /// Clears the failures of an account, and makes it forget devices and networks. Its password is void already, so a failure here keeps no
    /// more than budgets.
    async fn forget_attempts(&self, user_name: &UserName) {
        if let Err(failure) = self.operators.forget_attempts(user_name).await {
            warn!(service = failure.service(), cause = %failure, "failures, devices and networks are not forgotten");
        }
    }
}

/// Returns the body of an answer, which the mark of the click keeps.
fn written(answer: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_string(answer).map_err(|error| Problem::new(ProblemCode::Internal).because(error))
}
