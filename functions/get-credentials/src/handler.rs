//! `get-credentials`: shows a portal user the temporary password, at most three times for the whole company.
//!
//! **Route**: `POST /subscriptions/{subscription_id}/credentials`, with an `Idempotency-Key` for each click.
//!
//! One conditional write decides whether the password may be shown, and counts the retrieval. Only then is the password unsealed: the
//! other order could disclose it without counting. After a failure, a retry with the same key is not counted again.

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use aws::{Providers, Retrievals, RetrieveOutcome, Table, Unsealer};
use domain::{
    BlankReason, Caller, Credential, PersonId, ReasonCode, Refusal, Retrieval, RetrievalId, SubscriptionId,
    TemporaryPassword, Timestamp, credential::RETRIEVALS_PER_ISSUE,
};
use http::StatusCode;
use lambda::{Clock, Settings};
use serde::Serialize;
use web::{Identity, IdentitySettings, Metric, Problem, ProblemCode, Reply, Request};
use words::Language;

/// The function's stores and settings: they let it verify callers, count retrievals and unseal passwords. It can neither seal nor
/// read anything else.
pub struct App {
    retrievals: Retrievals,
    unsealer: Unsealer,
    identity: Identity,
    clock: Clock,
    sign_in_url: String,
    support_url: String,
}

impl App {
    /// Reads the settings `TABLE_NAME`, `SEALING_KEY`, `PUBLIC_ORIGIN`, `SUPPORT_URL` and those of the identity.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        let origin = settings.required("PUBLIC_ORIGIN")?;
        Ok(Self {
            retrievals: Retrievals::new(table.clone()),
            unsealer: Unsealer::new(&aws, settings.required("SEALING_KEY")?),
            identity: Identity::new(
                IdentitySettings::read(|name| settings.optional(name)),
                Providers::new(table).reader(),
            )?,
            clock,
            sign_in_url: format!("{origin}/administration"),
            support_url: settings.optional("SUPPORT_URL").unwrap_or_else(|| format!("{origin}/support")),
        })
    }

    /// Returns a future that reads the provider's keys before the first request needs them.
    pub fn read_ahead(&self) -> impl Future<Output = ()> + Send + use<> {
        let clock = self.clock.clone();
        self.identity.read_ahead(move || clock.now())
    }
}

/// Handles one click on **Go**.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    lambda::in_time(answer(app, request)).await
}

async fn answer(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let now = app.clock.now();
    let caller = app.identity.caller(&request, now).await?;
    web::request::no_body(&request)?;
    let key = web::request::idempotency_key(&request)?;
    let click = key
        .map_or_else(|| RetrievalId::from_random(lambda::random_bytes()), |key| RetrievalId::from_click(&caller, &key));
    let subscription = web::request::subscription_id(&request)?;

    match app.retrievals.retrieve(&subscription, &click, &caller, now).await? {
        RetrieveOutcome::NoSubscription => Err(ProblemCode::NotFound.into()),
        RetrieveOutcome::Counted(credential) => {
            app.disclose(&credential, &caller).await.map(|reply| Metric::count("Retrieved", reply))
        }
        RetrieveOutcome::Refused { credential, refusal } => match refusal {
            Refusal::NotAPortalUser => Err(ProblemCode::NotFound.into()),
            Refusal::SameClick => app.disclose(&credential, &caller).await,
            Refusal::Blank(reasons) => Ok(app.blank(&credential, &caller, &reasons)),
            Refusal::ClickTooOld => Err(ProblemCode::Conflict.into()),
            Refusal::NotYet => Err(ProblemCode::Unavailable.into()),
            Refusal::Unexplained => Err(Problem::new(ProblemCode::Internal).because("a refusal without a reason")),
        },
    }
}

impl App {
    /// Unseals the password and answers with it.
    async fn disclose(&self, credential: &Credential, caller: &Caller) -> Result<Reply, Problem> {
        let sealed = credential.sealed_password.as_ref().ok_or_else(|| Problem::new(ProblemCode::Internal))?;
        let password = self.unsealer.unseal(sealed, &credential.subscription, credential.issue).await?;
        Ok(web::json(StatusCode::OK, &self.answer(credential, caller, Some(&password), None)))
    }

    /// Answers without a password, and says why.
    fn blank(&self, credential: &Credential, caller: &Caller, reasons: &[BlankReason]) -> Reply {
        let words = Language::English.words();
        let sentence = |reason: &BlankReason| words::blank_reason(words, reason, caller.person());
        let explained = |reason: &BlankReason| Reason { code: reason.code, at: reason.at, detail: sentence(reason) };
        let blank = Blank { reasons: reasons.iter().map(explained).collect(), support_url: &self.support_url };
        let reply = web::json(StatusCode::OK, &self.answer(credential, caller, None, Some(blank)));
        match reasons.first() {
            Some(reason) => Metric::count_for("Blank", reason.code.as_str(), reply),
            None => reply,
        }
    }

    fn answer<'a>(
        &'a self,
        credential: &'a Credential,
        caller: &Caller,
        password: Option<&'a TemporaryPassword>,
        blank: Option<Blank<'a>>,
    ) -> Answer<'a> {
        let you = caller.person();
        let history = credential.retrievals_in_order().into_iter();
        let remaining = credential.retrievals_remaining();
        #[expect(clippy::disallowed_methods, reason = "here the password is answered")]
        let password = password.map(TemporaryPassword::expose_secret);
        Answer {
            subscription_id: &credential.subscription,
            user_name: credential.user_name.as_str(),
            password,
            expires_at: credential.expires_at,
            sign_in_url: &self.sign_in_url,
            retrievals: Counted {
                allowed: RETRIEVALS_PER_ISSUE,
                used: credential.retrievals.len(),
                remaining,
                history: history.map(|entry| Entry::new(entry, you)).collect(),
            },
            blank,
        }
    }
}

/// The body of the answer. It has no `Debug`, because it may hold the password.
#[derive(Serialize)]
struct Answer<'a> {
    subscription_id: &'a SubscriptionId,
    user_name: &'a str,
    password: Option<&'a str>,
    expires_at: Timestamp,
    sign_in_url: &'a str,
    retrievals: Counted,
    blank: Option<Blank<'a>>,
}

#[derive(Serialize)]
struct Counted {
    allowed: usize,
    used: usize,
    remaining: usize,
    history: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    at: Timestamp,
    by: String,
    /// The end of the subject of a person without a confirmed address.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_end: Option<String>,
    you: bool,
}

impl Entry {
    fn new(retrieval: &Retrieval, reader: PersonId) -> Self {
        Self {
            at: retrieval.at,
            by: words::person(Language::English.words(), &retrieval.by),
            subject_end: retrieval.by.subject_end(),
            you: retrieval.who == reader,
        }
    }
}

#[derive(Serialize)]
struct Blank<'a> {
    reasons: Vec<Reason>,
    support_url: &'a str,
}

#[derive(Serialize)]
struct Reason {
    code: ReasonCode,
    at: Timestamp,
    detail: String,
}
