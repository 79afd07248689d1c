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

use administration::{Act, Acts};
use aws::{Removals, RemoveOutcome, Table};
use http::StatusCode;
use lambda::{Clock, Settings};
use web::{Metric, Problem, ProblemCode, Reply, Request};

/// The function's stores and settings: they let it look up a session, count attempts, and remove administrators.
pub struct App {
    acts: Acts,
    removals: Removals,
    clock: Clock,
}

impl App {
    /// Reads the settings `TABLE_NAME`, `PUBLIC_ORIGIN` and `SIGN_IN_NETWORK_BURST`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self { acts: Acts::new(settings, &table)?, removals: Removals::new(table), clock })
    }
}

/// Handles one click on **Remove**.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    match lambda::in_time(remove(&app, &request)).await? {
        RemoveOutcome::Removed(user_name) => {
            // The account is closed already, so a failure here only leaves old budgets and known devices behind.
            administration::forget_known_places(app.acts.attempts(), &user_name).await;
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
    let Act { signed_in, account_id } = app.acts.verify(request, now).await?;
    Ok(app.removals.remove(&signed_in, &account_id, now).await?)
}
