//! `show-history`: shows what has happened to a subscription, to its portal users and its administrators.
//!
//! **Route**: `GET /subscriptions/{subscription_id}/history?cursor=`, 50 a page, newest first; `?format=json-lines` or `csv` is the whole as
//! a file.
//!
//! A page reads two items at a time, however long the history is: the credential, and one stretch of the history. Operators are "support" to
//! every reader here, and the addresses of other people are masked.

#![warn(clippy::wildcard_enum_match_arm)]

mod file;
mod row;

use std::sync::Arc;

use aws::{Histories, Providers, Sessions, SignedIn, Table};
use domain::{Credential, HistoryCursor, PersonId, Timestamp};
use http::StatusCode;
use lambda::{Clock, Settings};
use serde::Serialize;
use web::{Identity, IdentitySettings, Problem, ProblemCode, Reply, Request};

use file::{File, Format};
use row::Row;

/// The function's stores and settings: they let it verify callers, read histories and look up a session, and nothing else.
pub struct App {
    histories: Histories,
    sessions: Sessions,
    identity: Identity,
    clock: Clock,
    public_origin: String,
}

impl App {
    /// Reads the settings `TABLE_NAME`, `PUBLIC_ORIGIN` and those of the identity.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            histories: Histories::new(table.clone()),
            sessions: Sessions::new(table.clone()),
            identity: Identity::new(
                IdentitySettings::read(|name| settings.optional(name)),
                Providers::new(table).reader(),
            )?,
            clock,
            public_origin: settings.required("PUBLIC_ORIGIN")?,
        })
    }

    /// Returns a future that reads the provider's keys before the first request needs them.
    pub fn read_ahead(&self) -> impl Future<Output = ()> + Send + use<> {
        let clock = self.clock.clone();
        self.identity.read_ahead(move || clock.now())
    }
}

/// A subscription whose history the caller may see.
struct Reading {
    credential: Credential,
    /// The caller: the customer, or the account of the session.
    reader: PersonId,
}

/// The page or the file that the caller asks for.
enum Wish {
    Page(Option<HistoryCursor>),
    File(Format),
}

/// Handles the request for one page of a history, or for the whole.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    lambda::in_time(answer(app, request)).await
}

async fn answer(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let reading = app.reading(&request, app.clock.now()).await?;
    match Wish::read(&request)? {
        Wish::Page(after) => app.page(&reading, after).await,
        Wish::File(format) => app.file(&reading, format).await,
    }
}

impl Wish {
    fn read(request: &Request) -> Result<Self, ProblemCode> {
        let after = web::request::history_cursor(request)?;
        match web::request::query_parameter(request, "format") {
            None => Ok(Self::Page(after)),
            Some(format) => Format::parse(&format).map(Self::File).ok_or(ProblemCode::InvalidRequest),
        }
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    entries: Vec<Row<'a>>,
    next: Option<String>,
}

impl App {
    /// Returns the subscription of the request, for a customer whom it admits, or for a full session of one of its accounts.
    ///
    /// Fails with `not-found` for everyone else who is signed in, and with `not-signed-in` for a caller with neither a valid token nor a
    /// valid session.
    async fn reading(&self, request: &Request, now: Timestamp) -> Result<Reading, Problem> {
        let customer = match self.identity.caller(request, now).await {
            Err(problem) if problem.code() != ProblemCode::NotSignedIn => return Err(problem),
            customer => customer,
        };
        let subscription = web::request::subscription_id(request);
        if let (Ok(caller), Ok(subscription)) = (&customer, &subscription)
            && let Some(credential) = self.histories.find(subscription, caller).await?
        {
            return Ok(Reading { credential, reader: caller.person() });
        }
        match self.session(request, now).await? {
            Some(signed_in) if subscription.is_ok_and(|subscription| signed_in.administers(&subscription)) => {
                let reader = PersonId::from_account(&signed_in.account.account_id);
                Ok(Reading { credential: signed_in.credential, reader })
            }
            Some(_) => Err(ProblemCode::NotFound.into()),
            None => Err(customer.err().unwrap_or_else(|| ProblemCode::NotFound.into())),
        }
    }

    async fn session(&self, request: &Request, now: Timestamp) -> Result<Option<SignedIn>, Problem> {
        match web::session::token(request, &self.public_origin) {
            Ok(token) => Ok(self.sessions.find(&token.digest(), now).await?),
            Err(problem) if problem.code() == ProblemCode::NotSignedIn => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    async fn page(&self, reading: &Reading, after: Option<HistoryCursor>) -> Result<Reply, Problem> {
        let page = self.histories.page(&reading.credential, after).await?;
        let answer = Answer {
            entries: page.entries.iter().map(|entry| Row::new(entry, reading.reader)).collect(),
            next: page.next.map(web::cursor::encode_history),
        };
        Ok(web::json(StatusCode::OK, &answer))
    }

    async fn file(&self, reading: &Reading, format: Format) -> Result<Reply, Problem> {
        let credential = &reading.credential;
        let (mut file, mut after) = (File::new(format), None);
        loop {
            let page = self.histories.large_page(credential, after).await?;
            let full = page.entries.iter().try_for_each(|entry| file.push(&Row::new(entry, reading.reader)));
            match page.next {
                Some(next) if full.is_continue() => after = Some(next),
                _ => return Ok(file.into_reply(&credential.subscription)),
            }
        }
    }
}
