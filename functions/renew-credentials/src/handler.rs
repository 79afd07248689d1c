//! `renew-credentials`: starts the next issue of credentials that expired before their password was changed.
//!
//! **Route**: `POST /subscriptions/{subscription_id}/renewals`.
//!
//! One transaction replaces the temporary password, voids the sessions of the service administrator's account and orders a new welcome mail.
//! A subscription has three renewals in its life, and none after a hand-over or after three retrievals. Two people who ask at once, and
//! everyone who asks in the ten minutes after a renewal, get the issue that it started.

#![warn(clippy::wildcard_enum_match_arm)]

use std::{sync::Arc, time::Duration};

use aws::{IssueMail, Providers, RenewOutcome, Renewals, Sealer, Table};
use domain::{
    Caller, Credential, Issue, NewCredentials, RenewalDecision, SubscriptionId, TemporaryPassword, Timestamp,
};
use http::StatusCode;
use lambda::{Clock, Hasher, Settings};
use serde::Serialize;
use web::{Identity, IdentitySettings, Metric, Problem, ProblemCode, Reply, Request};

/// The function's stores and settings: they let it verify callers, renew credentials and seal passwords. It can neither unseal nor
/// send mail.
pub struct App {
    renewals: Renewals,
    sealer: Sealer,
    hasher: Hasher,
    identity: Identity,
    clock: Clock,
    lifetime: Duration,
    reminder_before: Duration,
}

#[derive(Serialize)]
struct Output {
    issue: u32,
    expires_at: Timestamp,
}

impl App {
    /// Reads the settings `TABLE_NAME`, `SEALING_KEY`, `CREDENTIAL_LIFETIME_SECONDS`, `REMINDER_BEFORE_SECONDS` and those of the identity.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            renewals: Renewals::new(table.clone()),
            sealer: Sealer::new(&aws, settings.required("SEALING_KEY")?),
            hasher: Hasher::default(),
            identity: Identity::new(
                IdentitySettings::read(|name| settings.optional(name)),
                Providers::new(table).reader(),
            )?,
            clock,
            lifetime: settings.credential_lifetime()?,
            reminder_before: settings.reminder_before()?,
        })
    }

    /// Returns a future that reads the provider's keys before the first request needs them.
    pub fn read_ahead(&self) -> impl Future<Output = ()> + Send + use<> {
        let clock = self.clock.clone();
        self.identity.read_ahead(move || clock.now())
    }
}

/// Handles one request.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    lambda::in_time(answer(app, request)).await
}

async fn answer(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let now = app.clock.now();
    let caller = app.identity.caller(&request, now).await?;
    web::request::no_body(&request)?;
    let subscription = web::request::subscription_id(&request)?;
    let mut expired = None;
    for _ in 0..aws::RACES {
        let known = app.renewals.find(&subscription, &caller).await?.ok_or(ProblemCode::NotFound)?;
        match known.judge_renewal(now) {
            RenewalDecision::Renew => {}
            RenewalDecision::AlreadyRenewed => return Ok(accepted(&known)),
            RenewalDecision::Refused if expired.is_some_and(|issue| known.issue > issue) && known.disclosable(now) => {
                return Ok(accepted(&known));
            }
            RenewalDecision::Refused => return Err(ProblemCode::Conflict.into()),
        }
        expired = Some(known.issue);
        if let Some(reply) = app.renew(&known, &caller, now).await? {
            return Ok(reply);
        }
    }
    Err(Problem::lost_races())
}

impl App {
    /// Starts the issue after that of `known`. Returns `None` if another writer was faster.
    async fn renew(&self, known: &Credential, caller: &Caller, now: Timestamp) -> Result<Option<Reply>, Problem> {
        let new = self.new_credentials(&known.subscription, known.issue.next()).await?;
        let next = known.renewed(new.sealed, now, self.lifetime);
        let reminder_at = next.reminder_due_at(self.reminder_before);
        Ok(match self.renewals.renew(known, &next, &new.hash, caller, reminder_at, now).await? {
            RenewOutcome::Started(IssueMail::Ordered) => Some(Metric::count("Issued", accepted(&next))),
            RenewOutcome::Started(IssueMail::AddressRuledOut) => Some(Metric::count("IssuedUnmailed", accepted(&next))),
            RenewOutcome::LostRace => None,
        })
    }

    /// Generates a temporary password, and returns it sealed for the portal and the mail and hashed for the sign-in.
    async fn new_credentials(&self, subscription: &SubscriptionId, issue: Issue) -> Result<NewCredentials, Problem> {
        let password = TemporaryPassword::generate(lambda::random);
        let (sealed, hash) =
            tokio::join!(self.sealer.seal(&password, subscription, issue), self.hasher.hash_temporary(&password));
        Ok(NewCredentials { sealed: sealed?, hash: hash? })
    }
}

fn accepted(credential: &Credential) -> Reply {
    let output = Output { issue: credential.issue.number(), expires_at: credential.expires_at };
    web::json(StatusCode::ACCEPTED, &output)
}
