//! `list-subscriptions`: lists the subscriptions that the signed-in customer may see, with the progress of each.
//!
//! **Route**: `GET /subscriptions?cursor=`, 25 a page by subscription id.
//!
//! A page takes two round trips, however many principals and subscriptions there are: one reads the memberships, the other the items that
//! they point to. A membership is only a hint; the credential decides whether the caller may see the subscription.

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use aws::{Listed, Listings, Providers, Table};
use domain::{
    Caller, Company, CredentialState, CustomerAction, Kind, MailStatus, PersonId, Retrieval, SubscriptionId, Timestamp,
};
use http::StatusCode;
use lambda::{Clock, Settings};
use serde::Serialize;
use web::{Identity, IdentitySettings, Problem, Reply, Request};
use words::Language;

/// The function's stores and settings: they let it verify callers and list subscriptions, and nothing else.
pub struct App {
    listings: Listings,
    identity: Identity,
    clock: Clock,
}

impl App {
    /// Reads the settings `TABLE_NAME` and those of the identity.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            listings: Listings::new(table.clone()),
            identity: Identity::new(
                IdentitySettings::read(|name| settings.optional(name)),
                Providers::new(table).reader(),
            )?,
            clock,
        })
    }

    /// Returns a future that reads the provider's keys before the first request needs them.
    pub fn read_ahead(&self) -> impl Future<Output = ()> + Send + use<> {
        let clock = self.clock.clone();
        self.identity.read_ahead(move || clock.now())
    }
}

/// Handles the request for one page of the list.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    lambda::in_time(answer(app, request)).await
}

async fn answer(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let now = app.clock.now();
    let caller = app.identity.caller(&request, now).await?;
    let after = web::request::cursor(&request)?;
    let page = app.listings.page(&caller, after.as_ref()).await?;
    let answer = Answer {
        subscriptions: page.listed.iter().map(|listed| Row::new(listed, &caller, now)).collect(),
        next: page.next.as_ref().map(web::cursor::encode),
    };
    Ok(web::json(StatusCode::OK, &answer))
}

#[derive(Serialize)]
struct Answer<'a> {
    subscriptions: Vec<Row<'a>>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    subscription_id: &'a SubscriptionId,
    product: &'a str,
    kind: Kind,
    company: &'a Company,
    user_name: &'a str,
    started_at: Timestamp,
    welcome_mail: Mail,
    credentials: Credentials,
    actions: Vec<CustomerAction>,
}

#[derive(Serialize)]
struct Mail {
    status: MailStatus,
    at: Timestamp,
    to: String,
}

#[derive(Serialize)]
struct Credentials {
    state: CredentialState,
    expires_at: Timestamp,
    retrievals_remaining: usize,
    last_retrieved: Option<LastRetrieved>,
}

#[derive(Serialize)]
struct LastRetrieved {
    at: Timestamp,
    by: String,
    /// The end of the subject of a person without a confirmed address.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_end: Option<String>,
    you: bool,
}

impl LastRetrieved {
    fn new(retrieval: &Retrieval, reader: PersonId) -> Self {
        Self {
            at: retrieval.at,
            by: words::person(Language::English.words(), &retrieval.by),
            subject_end: retrieval.by.subject_end(),
            you: retrieval.who == reader,
        }
    }
}

impl<'a> Row<'a> {
    fn new(Listed { credential, mail }: &'a Listed, caller: &Caller, now: Timestamp) -> Self {
        let you = caller.person();
        let last = credential.retrievals_in_order().into_iter().next_back();
        Self {
            subscription_id: &credential.subscription,
            product: &credential.product,
            kind: credential.kind,
            company: &credential.company,
            user_name: credential.user_name.as_str(),
            started_at: credential.started_at,
            welcome_mail: Mail { status: mail.status, at: mail.at, to: mail.to.masked() },
            credentials: Credentials {
                state: credential.state(now),
                expires_at: credential.expires_at,
                retrievals_remaining: credential.retrievals_remaining(),
                last_retrieved: last.map(|last| LastRetrieved::new(last, you)),
            },
            actions: CustomerAction::possible(credential, mail, now),
        }
    }
}
