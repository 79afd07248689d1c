//! `sign-in`: begins and ends sessions of the Administration Center.
//!
//! **Route**: `POST /sign-in` and `POST /sign-out`, since this function sets the session cookie.
//!
//! An attempt is counted before anything is verified: from a browser that the account knows by its device cookie in a budget of its own, so
//! that neither neighbours nor strangers keep its owner out. Every failure (an unknown name, a wrong or expired password, a retired account) gets
//! the same answer after the same time. The first sign-in with a temporary password ends its retrieval in the portal; the first sign-in
//! of a permanent administrator retires the service administrator.

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use aws::{Attempts, BeginOutcome, SignIns, SpendOutcome, Table};
use domain::{
    Account, Admission, ClaimedName, DeviceToken, Next, Origin, Session, SessionToken, Timestamp, TypedPassword,
    UserName,
};
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
        Ok(Self {
            attempts: Attempts::new(table.clone(), settings.network_budget()?),
            sign_ins: SignIns::new(table, settings.service_administrator()?),
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

/// A session that has begun, and what is noted about it before the answer.
struct Begun {
    account: Account,
    session: Session,
    token: SessionToken,
    name: ClaimedName,
    origin: Origin,
    admission: Admission,
    /// The account that this sign-in has retired.
    retired: Option<UserName>,
}

impl App {
    async fn sign_in(&self, request: &Request) -> Result<Reply, Problem> {
        let now = self.clock.now();
        let begun = lambda::in_time(self.begin(request, now)).await?;
        let device = web::device::token(request).unwrap_or_else(lambda::device_token);
        self.note_success(&begun, &device, now).await;
        let Begun { account, session, token, .. } = &begun;
        let reply = web::json(StatusCode::OK, &Output { next: account.next(), user_name: &account.user_name });
        let reply = web::session::begin(reply, token, session.expires_at.since(now));
        Ok(Metric::count("SignedIn", web::device::remember(reply, &device)))
    }

    /// Verifies the password and begins a session. The session that the browser brings along ends before.
    async fn begin(&self, request: &Request, now: Timestamp) -> Result<Begun, Problem> {
        let input: Input = web::request::body(request)?;
        let origin = web::request::origin(request)?;
        let name = ClaimedName::from_typed(&input.user_name);
        let admission = match self.attempts.spend(&name, &origin, now).await? {
            SpendOutcome::Admitted(admission) => admission,
            SpendOutcome::Exhausted { retry_after } => return Err(Problem::too_many_attempts(retry_after)),
        };
        let account = self.sign_ins.account(&name).await?;
        let account = match self.verified(account, &input.password, admission, now).await? {
            Verdict::Right(account) => account,
            Verdict::Wrong { account, why } => {
                administration::note_failure(&self.attempts, account.as_ref(), &name, &origin, admission).await;
                return Err(invalid(why));
            }
        };

        if let Ok(old) = web::session::token(request, &self.public_origin) {
            self.sign_ins.end(&old.digest(), now).await?;
        }
        let (session, token) = (Session::begin(&account, now), lambda::session_token());
        match self.sign_ins.begin(&account, &session, &token.digest(), now).await? {
            BeginOutcome::Begun { retired } => Ok(Begun { account, session, token, name, origin, admission, retired }),
            BeginOutcome::AccountChanged => Err(invalid("the account changed while its password was verified")),
        }
    }

    /// Returns whether `password` signs in to the account. A text that can be no password is refused without a hash, whatever the account.
    /// For any other text one hash is computed in every case, before the answer reveals anything.
    async fn verified(
        &self,
        account: Option<Account>,
        password: &str,
        admission: Admission,
        now: Timestamp,
    ) -> Result<Verdict, Problem> {
        let Some(typed) = TypedPassword::parse(password) else {
            return Ok(Verdict::Wrong { account, why: "no account can have this password" });
        };
        let open = account.as_ref().filter(|account| account.is_open_to(admission));
        let comparable = typed.comparable_with(account.as_ref());
        let right = self.hasher.verify(comparable, open.map(|account| &account.password_hash)).await?;
        Ok(match (account, right) {
            (Some(account), true) if account.may_sign_in(now) => Verdict::Right(account),
            (account, true) => {
                Verdict::Wrong { account, why: "the account is retired or closed, or its password has expired" }
            }
            (account, false) => Verdict::Wrong { account, why: "unknown name, wrong password, or closed by failures" },
        })
    }

    /// Makes the browser and its network known to the account, and forgets what a retired account knew. The session has begun, so a failure
    /// here costs no more than the next attempt's budget.
    async fn note_success(&self, begun: &Begun, device: &DeviceToken, now: Timestamp) {
        let Begun { account, name, origin, admission, retired, .. } = begun;
        let device = device.digest();
        let known = administration::note_success(&self.attempts, name, origin, *admission, Some(&device), now);
        let forgotten = async {
            if let Some(retired) = retired {
                administration::forget_known_places(&self.attempts, retired).await;
            }
        };
        let ((), (), noted) = tokio::join!(known, forgotten, self.sign_ins.note(account, now));
        if let Err(failure) = noted {
            warn!(service = failure.service(), cause = %failure, "the last sign-in is not noted");
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

/// Whether a password signs in to an account.
enum Verdict {
    Right(Account),
    Wrong { account: Option<Account>, why: &'static str },
}

fn invalid(why: &'static str) -> Problem {
    Problem::new(ProblemCode::InvalidCredentials).because(why)
}
