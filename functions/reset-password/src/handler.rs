//! `reset-password`: somebody who is signed in to the Administration Center chooses a password.
//!
//! **Route**: `POST /reset-password`
//!
//! With a temporary password that is all that the session may do; the first choice wins and ends every other session. Later choices
//! need the current password, and a wrong one spends the same attempts as at sign-in.

use std::sync::Arc;

use aws::{Admission, Attempts, Failure, Passwords, Sessions, SignedIn, Table};
use domain::{Account, ClaimedName, NewPassword, Next, PasswordContext, PasswordHash, Scope, Timestamp, TypedPassword};
use http::StatusCode;
use lambda::{Clock, Hasher, HashingFailed, Settings};
use serde::{Deserialize, Serialize};
use tracing::warn;
use web::{Problem, ProblemCode, Reply, Request};
use zeroize::Zeroizing;

/// May tell who is signed in, count attempts, and change the password of whoever is.
pub struct App {
    sessions: Sessions,
    attempts: Attempts,
    passwords: Passwords,
    hasher: Hasher,
    clock: Clock,
    public_origin: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    new_password: String,
    current_password: Option<String>,
}

#[derive(Serialize)]
struct Output {
    next: Next,
}

impl App {
    /// With the settings `TABLE_NAME`, `PUBLIC_ORIGIN`, `SIGN_IN_NETWORK_BURST`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            sessions: Sessions::new(table.clone()),
            attempts: Attempts::new(table.clone(), settings.network_budget()?),
            passwords: Passwords::new(table),
            hasher: Hasher::default(),
            clock,
            public_origin: settings.required("PUBLIC_ORIGIN")?,
        })
    }
}

/// Handles one choice of a password.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let now = app.clock.now();
    let token = web::session::token(&request, &app.public_origin)?;
    let input: Input = web::request::body(&request)?;
    let signed_in = app.sessions.find(&token.digest(), now).await.map_err(problem)?;
    let signed_in = signed_in.ok_or(ProblemCode::NotSignedIn)?;

    let new = acceptable(&input.new_password, &signed_in)?;
    match signed_in.session.scope {
        Scope::ResetPassword => app.refuse_temporary(&input.new_password, &signed_in.account).await?,
        Scope::Full => app.check_current(&request, &input, &signed_in.account, now).await?,
    }
    let hash = app.hash(&new).await?;
    let (next, token) = (signed_in.session.after_change(now), lambda::session_token());
    if !app.passwords.change(&signed_in, &hash, &next, &token.digest(), now).await.map_err(problem)? {
        return Err(Problem::new(ProblemCode::NotSignedIn).because("the session ended meanwhile"));
    }
    let reply = web::json(StatusCode::OK, &Output { next: signed_in.account.role.next() });
    Ok(web::session::begin(reply, &token, next.expires_at.since(now)))
}

impl App {
    /// The temporary password, however it is written, was on paper and in a mail.
    async fn refuse_temporary(&self, new: &str, account: &Account) -> Result<(), Problem> {
        let typed = TypedPassword::parse(new).ok_or(ProblemCode::PasswordTooLong)?;
        let same = self.hasher.verify(typed.comparable_with(Some(account)), Some(&account.password_hash)).await;
        if same.map_err(hashing)? { Err(ProblemCode::PasswordReused.into()) } else { Ok(()) }
    }

    /// Who found a signed-in browser does not know it. Only when it is right is it told whether the new one is the same.
    async fn check_current(
        &self,
        request: &Request,
        input: &Input,
        account: &Account,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let current = input.current_password.as_deref().ok_or(ProblemCode::InvalidRequest)?;
        let (name, network) = (ClaimedName::from(&account.user_name), web::request::network(request)?);
        let failures = match self.attempts.spend(&name, &network, now).await.map_err(problem)? {
            Admission::Admitted { failures } => failures,
            Admission::Exhausted { retry_after } => {
                return Err(Problem::new(ProblemCode::TooManyAttempts).retry_after(retry_after));
            }
        };
        let open = !failures.is_some_and(|failures| account.is_closed_by(failures));
        let typed = TypedPassword::parse(current).ok_or(ProblemCode::InvalidCredentials)?;
        let comparable = typed.comparable_with(Some(account));
        let right = self.hasher.verify(comparable.clone(), open.then_some(&account.password_hash)).await;
        if !right.map_err(hashing)? {
            return Err(ProblemCode::InvalidCredentials.into());
        }
        if let Err(failure) = self.attempts.succeeded(&name, &network, now).await {
            warn!(%failure, "failures are not forgotten, and the network is not known");
        }
        let same = TypedPassword::parse(&input.new_password)
            .is_some_and(|new| *new.comparable_with(Some(account)) == *comparable);
        if same { Err(ProblemCode::PasswordReused.into()) } else { Ok(()) }
    }

    async fn hash(&self, new: &NewPassword) -> Result<PasswordHash, Problem> {
        #[expect(clippy::disallowed_methods, reason = "here the password is hashed")]
        let secret = Zeroizing::new(new.expose_secret().to_owned());
        self.hasher.hash(secret).await.map_err(hashing)
    }
}

fn acceptable(new: &str, signed_in: &SignedIn) -> Result<NewPassword, Problem> {
    let SignedIn { account, credential, .. } = signed_in;
    let context =
        PasswordContext { user_name: &account.user_name, company: &credential.company, product: &credential.product };
    NewPassword::choose(new, &context).map_err(|refusal| ProblemCode::from(refusal).into())
}

fn problem(failure: Failure) -> Problem {
    Problem::failed(failure.may_pass(), failure)
}

fn hashing(failed: HashingFailed) -> Problem {
    Problem::failed(failed.may_pass(), failed)
}
