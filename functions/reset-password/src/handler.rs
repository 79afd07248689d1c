//! `reset-password`: changes the password of an account that is signed in to the Administration Center.
//!
//! **Route**: `POST /reset-password`
//!
//! A session that began with a temporary password may do nothing else. The first choice wins, and every change ends all other sessions and
//! makes the account forget every other device and network. Later changes need the current password, and a wrong one counts against the
//! same rate limits as a sign-in.
//!
//! An administrator whom a colleague has added has a way in with their first choice, so that the service administrator can retire.

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use administration::CurrentPassword;
use aws::{Attempts, ChangeOutcome, Passwords, Sessions, SignedIn, Table};
use domain::{
    Account, ClaimedName, DeviceToken, NewPassword, Next, Origin, PasswordContext, PasswordHash, Scope, Session,
    SessionDigest, SessionToken, Timestamp, TypedPassword, UserName,
};
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
    /// Reads the settings `TABLE_NAME`, `PUBLIC_ORIGIN`, `SIGN_IN_NETWORK_BURST`, `KEEP_SERVICE_ADMINISTRATOR`, and `VENDOR_NAME` or else
    /// `SENDER`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            sessions: Sessions::new(table.clone()),
            attempts: Attempts::new(table.clone(), settings.network_budget()?),
            passwords: Passwords::new(table, settings.service_administrator()?),
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
    let origin = web::request::origin(&request)?;
    let changed = lambda::in_time(app.change(&token.digest(), &input, &origin, now)).await?;

    let device = web::device::token(&request).unwrap_or_else(lambda::device_token);
    app.note_change(&changed, &origin, &device, now).await;
    let Changed { account, next, token, .. } = changed;
    let reply = web::json(StatusCode::OK, &Output { next: account.role.next() });
    let reply = web::session::begin(reply, &token, next.expires_at.since(now));
    Ok(web::device::remember(reply, &device))
}

/// A changed password: the account as it was before, and the session that follows.
struct Changed {
    account: Account,
    next: Session,
    token: SessionToken,
    /// The account that this choice has retired.
    retired: Option<UserName>,
}

impl App {
    /// Checks the session and both passwords, and changes the password.
    async fn change(
        &self,
        session: &SessionDigest,
        input: &Input,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<Changed, Problem> {
        let signed_in = self.sessions.find(session, now).await?;
        let signed_in = signed_in.ok_or(ProblemCode::NotSignedIn)?;
        let new = self.acceptable(&input.new_password, &signed_in)?;
        match signed_in.session.scope {
            Scope::ResetPassword => self.refuse_temporary(&input.new_password, &signed_in.account).await?,
            Scope::Full => self.check_current(origin, input, &signed_in.account, now).await?,
        }
        let hash = self.hash(&new).await?;
        let (next, token) = (signed_in.session.after_change(&signed_in.account, now), lambda::session_token());
        match self.passwords.change(&signed_in, &hash, &next, &token.digest(), now).await? {
            ChangeOutcome::Changed { retired } => Ok(Changed { account: signed_in.account, next, token, retired }),
            ChangeOutcome::SessionEnded => {
                Err(Problem::new(ProblemCode::NotSignedIn).because("the session ended meanwhile"))
            }
        }
    }

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
        origin: &Origin,
        input: &Input,
        account: &Account,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let current = input.current_password.as_deref().ok_or(ProblemCode::InvalidRequest)?;
        let password = CurrentPassword { typed: current, origin };
        password.verify(account, &self.attempts, &self.hasher, now).await?;
        let comparable = |text: &str| TypedPassword::parse(text).map(|typed| typed.comparable_with(Some(account)));
        let same = comparable(current) == comparable(&input.new_password);
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

    /// Makes the account forget every device and network but those of this request, and a retired account all of them. The password is changed,
    /// so a failure here only leaves old budgets and known devices behind.
    async fn note_change(&self, changed: &Changed, origin: &Origin, device: &DeviceToken, now: Timestamp) {
        let (name, device) = (ClaimedName::from(&changed.account.user_name), device.digest());
        let forgotten = async {
            if let Some(retired) = &changed.retired {
                administration::forget_known_places(&self.attempts, retired).await;
            }
        };
        let (kept, ()) = tokio::join!(self.attempts.keep_only(&name, origin, &device, now), forgotten);
        if let Err(failure) = kept {
            warn!(service = failure.service(), cause = %failure, "other devices and networks are not forgotten");
        }
    }

    async fn hash(&self, new: &NewPassword) -> Result<PasswordHash, Problem> {
        #[expect(clippy::disallowed_methods, reason = "here the password is hashed")]
        let secret = Zeroizing::new(new.expose_secret().to_owned());
        Ok(self.hasher.hash(secret).await?)
    }
}
