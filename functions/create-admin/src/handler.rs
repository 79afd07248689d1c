//! `create-admin`: creates a permanent administrator account for the service administrator or for another administrator.
//!
//! **Route**: `POST /administrators`
//!
//! Two accounts can be created at the same time. A retry of the same click, identified by its account and its idempotency key, returns
//! the account that the click has created; the same key with another form is a conflict. Any other click for a name that exists gets
//! `user-name-taken`.
//!
//! An address is not verified, and notices go there. So a subscription has at most 20 accounts with an address a day.

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use aws::{Administrators, CreateOutcome, NewAdministrator, Sessions, SignedIn, Table};
use domain::{
    Account, AccountStatus, CreatedBy, DisplayName, EmailAddress, NewPassword, PasswordContext, PasswordHash, Role,
    Scope, Timestamp, UserName,
};
use http::StatusCode;
use lambda::{Clock, Hasher, Settings};
use serde::{Deserialize, Serialize};
use web::{Metric, Problem, ProblemCode, Reply, Request};
use zeroize::Zeroizing;

/// The function's stores and settings: they let it look up a session and create administrators, and nothing else.
pub struct App {
    sessions: Sessions,
    administrators: Administrators,
    hasher: Hasher,
    clock: Clock,
    public_origin: String,
    /// The vendor's name, which is too easy to guess as a password.
    vendor: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    user_name: String,
    display_name: String,
    password: String,
    email: Option<String>,
}

#[derive(Serialize)]
struct Output<'a> {
    user_name: &'a UserName,
    account_id: &'a str,
}

impl App {
    /// Reads the settings `TABLE_NAME`, `PUBLIC_ORIGIN`, and `VENDOR_NAME` or else `SENDER`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            sessions: Sessions::new(table.clone()),
            administrators: Administrators::new(table),
            hasher: Hasher::default(),
            clock,
            public_origin: settings.required("PUBLIC_ORIGIN")?,
            vendor: settings.vendor_name()?,
        })
    }
}

/// Handles one click on **Create account**.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    lambda::in_time(answer(app, request)).await
}

async fn answer(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let now = app.clock.now();
    let token = web::session::token(&request, &app.public_origin)?;
    let key = web::request::idempotency_key(&request)?;
    let input: Input = web::request::body(&request)?;
    let signed_in = app.sessions.find(&token.digest(), now).await?;
    let signed_in = signed_in.ok_or(ProblemCode::NotSignedIn)?;
    if signed_in.session.scope != Scope::Full {
        return Err(ProblemCode::Forbidden.into());
    }

    let form = Form::parse(&input, &signed_in).ok_or(ProblemCode::InvalidRequest)?;
    let password = app.acceptable(&input.password, &form.user_name, &signed_in)?;
    let click = key.map(|key| CreatedBy::from_click(&signed_in.account.account_id, &key));
    let new = form.into_administrator(&signed_in, app.hash(&password).await?, click, now);
    match app.administrators.create(&signed_in, &new, now).await? {
        CreateOutcome::Created => Ok(created(&new.account)),
        CreateOutcome::CreatedBefore(account) if app.has_password(&account, &password).await? => Ok(created(&account)),
        CreateOutcome::CreatedBefore(_) | CreateOutcome::AnotherForm => Err(ProblemCode::Conflict.into()),
        CreateOutcome::NameTaken => Err(ProblemCode::UserNameTaken.into()),
        CreateOutcome::SessionEnded => Err(ProblemCode::NotSignedIn.into()),
        CreateOutcome::TooMany => Err(Problem::too_many_attempts(now.seconds_until_tomorrow())),
    }
}

fn created(account: &Account) -> Reply {
    let output = Output { user_name: &account.user_name, account_id: &account.account_id };
    Metric::count("Created", web::json(StatusCode::CREATED, &output))
}

impl App {
    /// Checks the password against the policy for new passwords.
    fn acceptable(
        &self,
        password: &str,
        user_name: &UserName,
        signed_in: &SignedIn,
    ) -> Result<NewPassword, ProblemCode> {
        let credential = &signed_in.credential;
        let context = PasswordContext {
            user_name,
            company: &credential.company,
            product: &credential.product,
            vendor: &self.vendor,
        };
        Ok(NewPassword::choose(password, &context)?)
    }

    async fn hash(&self, password: &NewPassword) -> Result<PasswordHash, Problem> {
        #[expect(clippy::disallowed_methods, reason = "here the password is hashed")]
        let secret = Zeroizing::new(password.expose_secret().to_owned());
        Ok(self.hasher.hash(secret).await?)
    }

    /// Returns whether an earlier attempt of the click has created `account` with this password. A password that has been changed since
    /// tells nothing.
    async fn has_password(&self, account: &Account, password: &NewPassword) -> Result<bool, Problem> {
        if account.version > 1 {
            return Ok(true);
        }
        #[expect(clippy::disallowed_methods, reason = "here the password is verified")]
        let secret = Zeroizing::new(password.expose_secret().to_owned());
        Ok(self.hasher.verify(secret, Some(&account.password_hash)).await?)
    }
}

/// The validated fields of the form, without the password.
struct Form {
    user_name: UserName,
    display_name: DisplayName,
    email: Option<EmailAddress>,
}

impl Form {
    /// Validates the fields. The user name must belong to the company of the account that creates it, and SES must be able to send to the
    /// address.
    fn parse(input: &Input, signed_in: &SignedIn) -> Option<Self> {
        let user_name = UserName::parse(&input.user_name)?;
        let email = match &input.email {
            Some(email) => Some(EmailAddress::parse(email).filter(EmailAddress::can_be_mailed)?),
            None => None,
        };
        let own = user_name.belongs_to(&signed_in.credential.company.id);
        own.then_some(Self { user_name, display_name: DisplayName::parse(&input.display_name)?, email })
    }

    fn into_administrator(
        self,
        signed_in: &SignedIn,
        password_hash: PasswordHash,
        click: Option<CreatedBy>,
        now: Timestamp,
    ) -> NewAdministrator {
        let created_by = click.clone().unwrap_or_else(|| CreatedBy::from_random(lambda::random_bytes()));
        let account = Account {
            user_name: self.user_name,
            account_id: lambda::account_id(now),
            role: Role::Administrator,
            password_hash,
            temporary: None,
            status: AccountStatus::Active,
            version: 1,
            subscription: signed_in.account.subscription.clone(),
            created_by: Some(created_by),
            first_signed_in_at: None,
        };
        NewAdministrator { account, click, display_name: self.display_name, email: self.email }
    }
}
