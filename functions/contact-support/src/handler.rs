//! `contact-support`: sends a portal user's question about a subscription to the vendor's support desk.
//!
//! **Route**: `POST /subscriptions/{subscription_id}/support-requests`, with an `Idempotency-Key` for each click.
//!
//! The function sends nothing itself. One transaction counts the request and orders the mail; `send-mail` adds the history of the
//! credentials and sends it. A subscription has three requests a day, shared by everyone in the company. A retry of the same click gets the
//! reference of its first attempt; the same key with another message is a conflict.

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use aws::{NewSupportRequest, OrderOutcome, Providers, SupportRequests, Table};
use domain::{EmailAddress, Reference, SupportMessage};
use http::StatusCode;
use lambda::{Clock, Settings};
use serde::{Deserialize, Serialize};
use web::{Identity, IdentitySettings, Problem, ProblemCode, Reply, Request};

/// The function's stores and settings: they let it verify callers, read a credential and order mails to support, and nothing
/// else.
pub struct App {
    requests: SupportRequests,
    identity: Identity,
    clock: Clock,
    support: EmailAddress,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    message: String,
}

#[derive(Serialize)]
struct Output<'a> {
    reference: &'a str,
}

impl App {
    /// Reads the settings `TABLE_NAME`, `SUPPORT_EMAIL` and those of the identity.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let table = Table::new(&aws, settings.required("TABLE_NAME")?);
        Ok(Self {
            requests: SupportRequests::new(table.clone()),
            identity: Identity::new(
                IdentitySettings::read(|name| settings.optional(name)),
                Providers::new(table).reader(),
            )?,
            clock,
            support: settings.required_as("SUPPORT_EMAIL", mailable)?,
        })
    }

    /// Returns a future that reads the provider's keys before the first request needs them.
    pub fn read_ahead(&self) -> impl Future<Output = ()> + Send + use<> {
        let clock = self.clock.clone();
        self.identity.read_ahead(move || clock.now())
    }
}

/// Handles one request to support.
pub async fn handle(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    lambda::in_time(answer(app, request)).await
}

async fn answer(app: Arc<App>, request: Request) -> Result<Reply, Problem> {
    let now = app.clock.now();
    let caller = app.identity.caller(&request, now).await?;
    let Input { message } = web::request::body(&request)?;
    let message = SupportMessage::parse(&message).ok_or(ProblemCode::InvalidRequest)?;
    let key = web::request::idempotency_key(&request)?;
    let subscription = web::request::subscription_id(&request)?;
    let reference = key.as_deref().map_or_else(
        || Reference::from_random(lambda::random_bytes()),
        |key| Reference::from_click(&subscription, &caller, key),
    );
    let reference_in_0_1_0 = key.map(|key| Reference::from_click_in_0_1_0(&caller, &key));

    let new = NewSupportRequest { reference, reference_in_0_1_0, to: app.support.clone(), message };
    match app.requests.order(&subscription, &new, &caller, now).await? {
        OrderOutcome::Ordered(reference) => {
            Ok(web::json(StatusCode::ACCEPTED, &Output { reference: reference.as_str() }))
        }
        OrderOutcome::AnotherMessage => Err(ProblemCode::Conflict.into()),
        OrderOutcome::NoSubscription => Err(ProblemCode::NotFound.into()),
        OrderOutcome::TooMany => Err(Problem::too_many_attempts(now.seconds_until_tomorrow())),
    }
}

/// Parses an address that SES can send to.
fn mailable(text: &str) -> Option<EmailAddress> {
    EmailAddress::parse(text).filter(EmailAddress::can_be_mailed)
}
