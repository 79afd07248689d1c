//! `create-admin`: creates a permanent administrator account for the service administrator or for another administrator.
//!
//! **Route**: `POST /administrators`
//!
//! The service administrator chooses the password of the account, which becomes their own. An administrator who adds a colleague types their
//! current password instead, which spends the budget of a sign-in before it is verified. The answer then shows a temporary password once,
//! and the colleague has to change it at the first sign-in.
//!
//! Two accounts can be created at the same time. A retry of the same click, identified by its account and its idempotency key, returns
//! the account that the click has created; the same key with another form is a conflict. Any other click for a name that exists gets
//! `user-name-taken`. A temporary password is shown by the attempt whose hash is stored, and by no other: a retry shows none, and
//! `reset-admin` makes another one.
//!
//! An address is not verified, and notices go there. So a subscription has at most 20 accounts with an address a day. It has at most 50
//! active administrators.

#![warn(clippy::wildcard_enum_match_arm)]

mod secret;

use std::{sync::Arc, time::Duration};

use aws::{Administrators, Attempts, CreateOutcome, NewAdministrator, Sessions, SignedIn, Table};
use domain::{Account, AccountStatus, CreatedBy, DisplayName, EmailAddress, Role, Scope, Timestamp, UserName};
use http::StatusCode;
use lambda::{Clock, Hasher, Settings};
use serde::{Deserialize, Serialize};
use web::{Metric, Problem, ProblemCode, Reply, Request};

use secret::{Given, Secret};

/// The function's stores and settings: they let it look up a session, count attempts, and create administrators.
pub struct App {
    sessions: Sessions,
    attempts: Attempts,
    administrators: Administrators,
    hasher: Hasher,
    clock: Clock,
    public_origin: String,
    /// The vendor's name, which is too easy to guess as a password.
    vendor: String,
    lifetime: Duration,
}

/// The form of either kind. The service administrator's has `password`, and an administrator's `current_password`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    user_name: String,
    display_name: String,
    email: Option<String>,
    password: Option<String>,
    current_password: Option<String>,
}

#[derive(Serialize)]
struct Output<'a> {
    user_name: &'a UserName,
    account_id: &'a str,
    #[serde(flatten)]
    handout: Option<HandoutOutput<'a>>,
}

#[derive(Serialize)]
struct HandoutOutput<'a> {
    /// `None` in the answer to a retry.
    temporary_password: Option<&'a str>,
    /// `None` if the owner of the account has chosen a password since.
    expires_at: Option<Timestamp>,
}

impl App {
    /// Reads the settings `TABLE_NAME`, `PUBLIC_ORIGIN`, `SIGN_IN_NETWORK_BURST`, `CREDENTIAL_LIFETIME_SECONDS`, and `VENDOR_NAME` or else
    /// `SENDER`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            sessions: Sessions::new(table.clone()),
            attempts: Attempts::new(table.clone(), settings.network_budget()?),
            administrators: Administrators::new(table),
            hasher: Hasher::default(),
            clock,
            public_origin: settings.required("PUBLIC_ORIGIN")?,
            vendor: settings.vendor_name()?,
            lifetime: settings.credential_lifetime()?,
        })
    }
}

/// Handles one click on **Create account** or **Add administrator**.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    lambda::in_time(answer(app, request)).await
}

async fn answer(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let now = app.clock.now();
    let token = web::session::token(&request, &app.public_origin)?;
    let key = web::request::idempotency_key(&request)?;
    let input: Input = web::request::body(&request)?;
    let given = input.given().ok_or(ProblemCode::InvalidRequest)?;
    let signed_in = app.sessions.find(&token.digest(), now).await?;
    let signed_in = signed_in.ok_or(ProblemCode::NotSignedIn)?;
    if signed_in.session.scope != Scope::Full {
        return Err(ProblemCode::Forbidden.into());
    }

    let form = Form::parse(&input, &signed_in).ok_or(ProblemCode::InvalidRequest)?;
    let secret = app.secret(given, &form.user_name, &signed_in, &request, now).await?;
    let click = key.map(|key| CreatedBy::from_click(&signed_in.account.account_id, &key));
    let new = form.into_administrator(&signed_in, &secret, click, now);
    match app.administrators.create(&signed_in, &new, now).await? {
        CreateOutcome::Created => Ok(created(&new.account, &secret)),
        CreateOutcome::CreatedBefore(account) if app.has_password(&account, &secret).await? => {
            Ok(created(&account, &secret))
        }
        CreateOutcome::CreatedBefore(_) | CreateOutcome::AnotherForm | CreateOutcome::Full => {
            Err(ProblemCode::Conflict.into())
        }
        CreateOutcome::NameTaken => Err(ProblemCode::UserNameTaken.into()),
        CreateOutcome::SessionEnded => Err(ProblemCode::NotSignedIn.into()),
        CreateOutcome::TooMany => Err(Problem::too_many_attempts(now.seconds_until_tomorrow())),
    }
}

/// Returns the answer about `account` as it is stored, which may be that of an earlier attempt of the click.
fn created(account: &Account, secret: &Secret) -> Reply {
    let handout = match secret {
        Secret::Chosen { .. } => None,
        Secret::HandedOut(handout) => Some(HandoutOutput {
            temporary_password: handout.shown_for(&account.password_hash),
            expires_at: account.temporary.map(|temporary| temporary.expires_at),
        }),
    };
    let output = Output { user_name: &account.user_name, account_id: &account.account_id, handout };
    Metric::count("Created", web::json(StatusCode::CREATED, &output))
}

impl Input {
    /// Returns the password of the form, which has one of the two.
    fn given(&self) -> Option<Given<'_>> {
        match (&self.password, &self.current_password) {
            (Some(password), None) => Some(Given::Chosen(password)),
            (None, Some(current)) => Some(Given::Current(current)),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }
}

/// The validated fields of a form, without the password.
struct Form {
    user_name: UserName,
    display_name: DisplayName,
    email: Option<EmailAddress>,
}

impl Form {
    /// Validates the fields. The user name must belong to the company of the account that creates it and be none of those that service
    /// administrators get, and SES must be able to send to the address.
    fn parse(input: &Input, signed_in: &SignedIn) -> Option<Self> {
        let user_name = UserName::parse(&input.user_name)?;
        let email = match &input.email {
            Some(email) => Some(EmailAddress::parse(email).filter(EmailAddress::can_be_mailed)?),
            None => None,
        };
        let own = user_name.belongs_to(&signed_in.credential.company.id) && !user_name.is_reserved();
        own.then_some(Self { user_name, display_name: DisplayName::parse(&input.display_name)?, email })
    }

    fn into_administrator(
        self,
        signed_in: &SignedIn,
        secret: &Secret,
        click: Option<CreatedBy>,
        now: Timestamp,
    ) -> NewAdministrator {
        let created_by = click.clone().unwrap_or_else(|| CreatedBy::from_random(lambda::random_bytes()));
        let account = Account {
            user_name: self.user_name,
            account_id: lambda::account_id(now),
            role: Role::Administrator,
            password_hash: secret.hash().clone(),
            temporary: secret.temporary(),
            status: AccountStatus::Active,
            version: 1,
            subscription: signed_in.account.subscription.clone(),
            created_by: Some(created_by),
            first_signed_in_at: None,
        };
        NewAdministrator { account, click, display_name: self.display_name, email: self.email }
    }
}
