//! `reset-password`: changes the password of an account that is signed in to the Administration Center.
//!
//! **Route**: `POST /reset-password`
//!
//! A session that began with a temporary password may do nothing else. The first choice wins, and every change ends all other sessions.
//! Later changes need the current password, and a wrong one counts against the same rate limits as a sign-in.

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use aws::{Attempts, ChangeOutcome, Passwords, Sessions, SignedIn, SpendOutcome, Table};
use domain::{Account, ClaimedName, NewPassword, Next, PasswordContext, PasswordHash, Scope, Timestamp, TypedPassword};
use http::StatusCode;
use lambda::{Clock, Hasher, Settings};
use serde::{Deserialize, Serialize};
use tracing::warn;
use web::{Problem, ProblemCode, Reply, Request};
use zeroize::Zeroizing;

/// The function's stores and settings: they let it look up a session, count attempts, and change the password of the session's account.
pub struct App {
    sessions: Sessions,
    attempts: Attempts,
    passwords: Passwords,
    hasher: Hasher,
    clock: Clock,
    public_origin: String,
    /// The vendor's name, which is too easy to guess as a password.
    vendor: String,
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
    /// Reads the settings `TABLE_NAME`, `PUBLIC_ORIGIN`, `SIGN_IN_NETWORK_BURST`, and `VENDOR_NAME` or else `SENDER`.
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
            vendor: settings.vendor_name()?,
        })
    }
}

/// Handles one change of a password.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let now = app.clock.now();
    let token = web::session::token(&request, &app.public_origin)?;
    let input: Input = web::request::body(&request)?;
    let signed_in = app.sessions.find(&token.digest(), now).await?;
    let signed_in = signed_in.ok_or(ProblemCode::NotSignedIn)?;

    let new = app.acceptable(&input.new_password, &signed_in)?;
    match signed_in.session.scope {
        Scope::ResetPassword => app.refuse_temporary(&input.new_password, &signed_in.account).await?,
        Scope::Full => app.check_current(&request, &input, &signed_in.account, now).await?,
    }
    let hash = app.hash(&new).await?;
    let (next, token) = (signed_in.session.after_change(now), lambda::session_token());
    match app.passwords.change(&signed_in, &hash, &next, &token.digest(), now).await? {
        ChangeOutcome::Changed => {
            let reply = web::json(StatusCode::OK, &Output { next: signed_in.account.role.next() });
            Ok(web::session::begin(reply, &token, next.expires_at.since(now)))
        }
        ChangeOutcome::SessionEnded => {
            Err(Problem::new(ProblemCode::NotSignedIn).because("the session ended meanwhile"))
        }
    }
}

impl App {
    /// Refuses the temporary password as the new one, in any spelling: it was in a mail and perhaps on paper.
    async fn refuse_temporary(&self, new: &str, account: &Account) -> Result<(), Problem> {
        let typed = TypedPassword::parse(new).ok_or(ProblemCode::PasswordTooLong)?;
        let is_temporary =
            self.hasher.verify(typed.comparable_with(Some(account)), Some(&account.password_hash)).await?;
        if is_temporary { Err(ProblemCode::PasswordReused.into()) } else { Ok(()) }
    }

    /// Checks the current password, which a stranger at a signed-in browser does not know. Only after that may the answer reveal that the
    /// new password is the same one.
    async fn check_current(
        &self,
        request: &Request,
        input: &Input,
        account: &Account,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let current = input.current_password.as_deref().ok_or(ProblemCode::InvalidRequest)?;
        let (name, network) = (ClaimedName::from(&account.user_name), web::request::network(request)?);
        let failures = match self.attempts.spend(&name, &network, now).await? {
            SpendOutcome::Admitted { failures } => failures,
            SpendOutcome::Exhausted { retry_after } => return Err(Problem::too_many_attempts(retry_after)),
        };
        let open = account.is_open_after(failures);
        let typed = TypedPassword::parse(current).ok_or(ProblemCode::InvalidCredentials)?;
        let comparable = typed.comparable_with(Some(account));
        let right = self.hasher.verify(comparable.clone(), open.then_some(&account.password_hash)).await?;
        if !right {
            return Err(ProblemCode::InvalidCredentials.into());
        }
        if let Err(failure) = self.attempts.succeeded(&name, &network, now).await {
            warn!(%failure, "failures are not forgotten, and the network is not known");
        }
        let same = TypedPassword::parse(&input.new_password)
            .is_some_and(|new| *new.comparable_with(Some(account)) == *comparable);
        if same { Err(ProblemCode::PasswordReused.into()) } else { Ok(()) }
    }

    /// Checks the password against the policy for new passwords.
    fn acceptable(&self, new: &str, signed_in: &SignedIn) -> Result<NewPassword, ProblemCode> {
        let SignedIn { account, credential, .. } = signed_in;
        let context = PasswordContext {
            user_name: &account.user_name,
            company: &credential.company,
            product: &credential.product,
            vendor: &self.vendor,
        };
        Ok(NewPassword::choose(new, &context)?)
    }

    async fn hash(&self, new: &NewPassword) -> Result<PasswordHash, Problem> {
        #[expect(clippy::disallowed_methods, reason = "here the password is hashed")]
        let secret = Zeroizing::new(new.expose_secret().to_owned());
        Ok(self.hasher.hash(secret).await?)
    }
}
