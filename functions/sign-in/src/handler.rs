//! `sign-in`: begins and ends sessions of the Administration Center.
//!
//! **Route**: `POST /sign-in` and `POST /sign-out`, since this function sets the session cookie.
//!
//! An attempt is counted before anything is verified. Every failure (an unknown name, a wrong or expired password, a retired account) gets
//! the same answer after the same time. The first sign-in with a temporary password ends its retrieval in the portal; the first sign-in
//! of a permanent administrator retires the service administrator.

use std::sync::Arc;

use aws::{Attempts, BeginOutcome, SignIns, SpendOutcome, Table};
use domain::{Account, ClaimedName, Next, Session, Timestamp, TypedPassword, UserName};
use http::StatusCode;
use lambda::{Clock, Hasher, Settings};
use serde::{Deserialize, Serialize};
use tracing::warn;
use web::{Metric, Problem, ProblemCode, Reply, Request};

/// The function's stores and settings: they let it count attempts, read accounts, begin and end sessions, and record on the subscription
/// what a sign-in changes.
pub struct App {
    attempts: Attempts,
    sign_ins: SignIns,
    hasher: Hasher,
    clock: Clock,
    public_origin: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    user_name: String,
    password: String,
}

#[derive(Serialize)]
struct Output<'a> {
    next: Next,
    user_name: &'a UserName,
}

impl App {
    /// Reads the settings `TABLE_NAME`, `PUBLIC_ORIGIN`, `SIGN_IN_NETWORK_BURST` and `KEEP_SERVICE_ADMINISTRATOR`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        let keep = settings.parsed("KEEP_SERVICE_ADMINISTRATOR", false, |text| text.parse().ok())?;
        Ok(Self {
            attempts: Attempts::new(table.clone(), settings.network_budget()?),
            sign_ins: SignIns::new(table, !keep),
            hasher: Hasher::default(),
            clock,
            public_origin: settings.required("PUBLIC_ORIGIN")?,
        })
    }
}

/// Handles one attempt to sign in, or the end of a session.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    if web::same_origin::is_foreign_change(&request, &app.public_origin) {
        return Err(ProblemCode::Forbidden.into());
    }
    match request.uri().path() {
        "/sign-out" => app.sign_out(&request).await,
        _ => app.sign_in(&request).await,
    }
}

impl App {
    async fn sign_in(&self, request: &Request) -> Result<Reply, Problem> {
        let now = self.clock.now();
        let input: Input = web::request::body(request)?;
        let network = web::request::network(request)?;
        let name = ClaimedName::from_typed(&input.user_name);
        let failures = match self.attempts.spend(&name, &network, now).await? {
            SpendOutcome::Admitted { failures } => failures,
            SpendOutcome::Exhausted { retry_after } => return Err(Problem::too_many_attempts(retry_after)),
        };
        let account = self.sign_ins.account(&name).await?;
        let account = self.verified(account, &input.password, failures, now).await?;

        let (session, token) = (Session::begin(&account, now), lambda::session_token());
        match self.sign_ins.begin(&account, &session, &token.digest(), now).await? {
            BeginOutcome::Begun => {}
            BeginOutcome::AccountChanged => {
                return Err(invalid("the account changed while its password was verified"));
            }
        }
        if let Err(failure) = self.attempts.succeeded(&name, &network, now).await {
            warn!(%failure, "failures are not forgotten, and the network is not known");
        }
        let reply = web::json(StatusCode::OK, &Output { next: account.next(), user_name: &account.user_name });
        Ok(Metric::count("SignedIn", web::session::begin(reply, &token, session.expires_at.since(now))))
    }

    /// Returns the account if `password` signs in to it. A text that can be no password is refused without a hash, whatever the account.
    /// For any other text one hash is computed in every case, before the answer reveals anything.
    async fn verified(
        &self,
        account: Option<Account>,
        password: &str,
        failures: Option<u64>,
        now: Timestamp,
    ) -> Result<Account, Problem> {
        let Some(typed) = TypedPassword::parse(password) else {
            return Err(invalid("no account can have this password"));
        };
        let open = account.as_ref().filter(|account| account.is_open_after(failures));
        let comparable = typed.comparable_with(account.as_ref());
        let right = self.hasher.verify(comparable, open.map(|account| &account.password_hash)).await?;
        match (account, right) {
            (Some(account), true) if account.may_sign_in(now) => Ok(account),
            (Some(_), true) => Err(invalid("the account is retired or closed, or its password has expired")),
            (_, false) | (None, true) => Err(invalid("unknown name, wrong password, or closed by failures")),
        }
    }

    /// Ends the session of the request. Without a session it succeeds too, so that a repeated click does not fail.
    async fn sign_out(&self, request: &Request) -> Result<Reply, Problem> {
        web::request::no_body(request)?;
        if let Ok(token) = web::session::token(request, &self.public_origin) {
            self.sign_ins.end(&token.digest(), self.clock.now()).await?;
        }
        Ok(web::session::end(web::reply::empty(StatusCode::NO_CONTENT)))
    }
}

fn invalid(why: &'static str) -> Problem {
    Problem::new(ProblemCode::InvalidCredentials).because(why)
}
