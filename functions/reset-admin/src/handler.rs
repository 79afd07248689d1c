//! `reset-admin`: gives another administrator a temporary password, in the place of one that is forgotten.
//!
//! **Route**: `POST /administrators/{account_id}/password-resets`
//!
//! The caller is a proven administrator of the same subscription and types the current password, which spends the budget of a sign-in before
//! it is verified. One's own password is changed with `reset-password`, and the service administrator's is reissued by the support desk.
//!
//! The answer shows the password once. There is no idempotency key: a reset that is sent again makes another password, and the one from before
//! is void. The owner has to change it at the first sign-in. An administrator who was removed has access again.

#![warn(clippy::wildcard_enum_match_arm)]

use std::{sync::Arc, time::Duration};

use administration::{Act, Acts, Handout};
use aws::{PasswordReset, PasswordResets, ResetOutcome, Table};
use domain::{Timestamp, UserName};
use http::StatusCode;
use lambda::{Clock, Settings};
use serde::Serialize;
use web::{Metric, Problem, ProblemCode, Reply, Request};

/// The function's stores and settings: they let it look up a session, count attempts, and reset the passwords of administrators.
pub struct App {
    acts: Acts,
    resets: PasswordResets,
    clock: Clock,
    lifetime: Duration,
}

#[derive(Serialize)]
struct Output<'a> {
    user_name: &'a UserName,
    temporary_password: Option<&'a str>,
    expires_at: Timestamp,
}

impl App {
    /// Reads the settings `TABLE_NAME`, `PUBLIC_ORIGIN`, `SIGN_IN_NETWORK_BURST` and `CREDENTIAL_LIFETIME_SECONDS`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            acts: Acts::new(settings, &table)?,
            resets: PasswordResets::new(table),
            clock,
            lifetime: settings.credential_lifetime()?,
        })
    }
}

/// Handles one click on **Reset password**.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let done = lambda::in_time(answer(&app, &request)).await?;
    // The old password is void already, so a failure here only leaves old budgets and known devices behind.
    administration::forget_attempts(app.acts.attempts(), &done.user_name).await;
    Ok(done.reply)
}

/// A reset that was carried out.
struct Done {
    user_name: UserName,
    reply: Reply,
}

async fn answer(app: &App, request: &Request) -> Result<Done, Problem> {
    let now = app.clock.now();
    let Act { signed_in, account_id } = app.acts.verify(request, now).await?;
    let handout = Handout::generate(app.acts.hasher(), app.lifetime, now).await?;
    let reset = PasswordReset { account_id: &account_id, hash: handout.hash(), expires_at: handout.expires_at() };
    match app.resets.reset(&signed_in, &reset, now).await? {
        ResetOutcome::Reset(user_name) => Ok(Done { reply: shown(&user_name, &handout), user_name }),
        ResetOutcome::NotFound => Err(ProblemCode::NotFound.into()),
        ResetOutcome::OwnAccount => Err(ProblemCode::Forbidden.into()),
        ResetOutcome::SessionEnded => Err(ProblemCode::NotSignedIn.into()),
        ResetOutcome::Full => Err(ProblemCode::Conflict.into()),
        ResetOutcome::TooMany => Err(Problem::too_many_attempts(now.seconds_until_tomorrow())),
    }
}

/// Returns the answer that shows the password, whose hash the account has.
fn shown(user_name: &UserName, handout: &Handout) -> Reply {
    let temporary_password = handout.shown_for(handout.hash());
    let output = Output { user_name, temporary_password, expires_at: handout.expires_at() };
    Metric::count("AdministratorReset", web::json(StatusCode::OK, &output))
}
