//! `remove-admin`: closes the account of another administrator, or that of a service administrator that a reissue has made active again.
//!
//! **Route**: `POST /administrators/{account_id}/removal`
//!
//! The caller is a proven administrator of the same subscription and types the current password, which spends the budget of a sign-in before
//! it is verified. Administrators cannot remove themselves. Of two who remove each other one fails, so that a proven one always remains.
//!
//! Every session of the account ends at once. Its name stays taken. A reset of the password opens an administrator's account again; only a
//! reissue opens the service administrator's. A removal that is sent again succeeds and changes nothing.

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use administration::{CurrentPassword, proven_session};
use aws::{Attempts, Removals, RemoveOutcome, Sessions, Table};
use http::StatusCode;
use lambda::{Clock, Hasher, Settings};
use serde::Deserialize;
use web::{Metric, Problem, ProblemCode, Reply, Request};

/// The function's stores and settings: they let it look up a session, count attempts, and remove administrators.
pub struct App {
    sessions: Sessions,
    attempts: Attempts,
    removals: Removals,
    hasher: Hasher,
    clock: Clock,
    public_origin: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    current_password: String,
}

impl App {
    /// Reads the settings `TABLE_NAME`, `PUBLIC_ORIGIN` and `SIGN_IN_NETWORK_BURST`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            sessions: Sessions::new(table.clone()),
            attempts: Attempts::new(table.clone(), settings.network_budget()?),
            removals: Removals::new(table),
            hasher: Hasher::default(),
            clock,
            public_origin: settings.required("PUBLIC_ORIGIN")?,
        })
    }
}

/// Handles one click on **Remove**.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    match lambda::in_time(remove(&app, &request)).await? {
        RemoveOutcome::Removed(user_name) => {
            // The account is closed already, so a failure here only leaves old budgets and known devices behind.
            administration::forget_known_places(&app.attempts, &user_name).await;
            Ok(Metric::count("AdministratorRemoved", web::reply::empty(StatusCode::NO_CONTENT)))
        }
        RemoveOutcome::RemovedBefore => Ok(web::reply::empty(StatusCode::NO_CONTENT)),
        RemoveOutcome::NotFound => Err(ProblemCode::NotFound.into()),
        RemoveOutcome::OwnAccount => Err(ProblemCode::Forbidden.into()),
        RemoveOutcome::LastAdministrator => Err(ProblemCode::LastAdministrator.into()),
        RemoveOutcome::SessionEnded => Err(ProblemCode::NotSignedIn.into()),
    }
}

async fn remove(app: &App, request: &Request) -> Result<RemoveOutcome, Problem> {
    let now = app.clock.now();
    let token = web::session::token(request, &app.public_origin)?;
    let input: Input = web::request::body(request)?;
    let origin = web::request::origin(request)?;
    let signed_in = proven_session(&app.sessions, &token, now).await?;
    let account_id = web::request::account_id(request)?;
    let current = CurrentPassword { typed: &input.current_password, origin: &origin };
    current.verify(&signed_in.account, &app.attempts, &app.hasher, now).await?;
    Ok(app.removals.remove(&signed_in, &account_id, now).await?)
}
