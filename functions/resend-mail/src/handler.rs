//! `resend-mail`: orders the welcome mail of a subscription again, to the address that it went to.
//!
//! **Route**: `POST /subscriptions/{subscription_id}/mails`.
//!
//! The function sends nothing itself. One transaction puts the mail into its next round and orders it; `send-mail` sends it. An issue has three
//! of these, ten minutes apart, by all people of the company together, and only while the password could still be shown.

#![warn(clippy::wildcard_enum_match_arm)]

use std::{sync::Arc, time::Duration};

use aws::{Providers, ResendOutcome, Resends, Table};
use domain::{EmailAddress, Timestamp};
use http::StatusCode;
use lambda::{Clock, Settings};
use serde::Serialize;
use web::{Identity, IdentitySettings, Metric, Problem, ProblemCode, Reply, Request};

/// The function's stores and settings: they let it verify callers and order welcome mails again, and nothing else.
pub struct App {
    resends: Resends,
    identity: Identity,
    clock: Clock,
}

#[derive(Serialize)]
struct Output {
    /// The recipient, masked.
    to: String,
    at: Timestamp,
}

impl App {
    /// Reads the settings `TABLE_NAME` and those of the identity.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            resends: Resends::new(table.clone()),
            identity: Identity::new(
                IdentitySettings::read(|name| settings.optional(name)),
                Providers::new(table).reader(),
            )?,
            clock,
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
    match app.resends.order(&subscription, &caller, now).await? {
        ResendOutcome::Ordered(to) => Ok(Metric::count("Resent", accepted(&to, now))),
        ResendOutcome::OrderedBefore(to, at) => Ok(accepted(&to, at)),
        ResendOutcome::TooEarly(wait) | ResendOutcome::UsedUp(wait) => Err(Problem::too_many_attempts(seconds(wait))),
        ResendOutcome::Impossible => Err(ProblemCode::Conflict.into()),
        ResendOutcome::NoSubscription => Err(ProblemCode::NotFound.into()),
    }
}

fn accepted(to: &EmailAddress, at: Timestamp) -> Reply {
    web::json(StatusCode::ACCEPTED, &Output { to: to.masked(), at })
}

fn seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_secs()).unwrap_or(u32::MAX)
}
