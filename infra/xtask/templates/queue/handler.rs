//! `@name@`: logs the state of the credentials of the subscription that an event names, and changes nothing.
//!
//! **Source**: a queue of `EventBridge` events from the vendor's bus, in batches.

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use aws::{Subscriptions, Table};
use domain::SubscriptionId;
use lambda::{Clock, Message, Rejection, Settings};
use serde::Deserialize;
use tracing::info;

/// The permissions of the function: it may read subscriptions.
pub struct App {
    subscriptions: Subscriptions,
    clock: Clock,
}

/// The part of the event that the function reads.
#[derive(Deserialize)]
struct Input {
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    subscription_id: String,
}

impl App {
    /// Reads the setting `TABLE_NAME`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        Ok(Self { subscriptions: Subscriptions::new(Table::new(&aws, settings.required("TABLE_NAME")?)), clock })
    }
}

/// Handles one event.
pub async fn handle(app: Arc<App>, message: Message) -> Result<(), Rejection> {
    let now = app.clock.now();
    let subscription = subscription(&message.body)
        .ok_or(Rejection::Permanent { reason: "invalid-event", detail: "no event with a subscription id" })?;
    let known = app.subscriptions.find(&subscription).await?;
    let credential = known
        .credential
        .ok_or(Rejection::Permanent { reason: "unknown-subscription", detail: "no subscription has this id" })?;
    info!(outcome = "read", state = credential.state(now).as_str());
    Ok(())
}

/// Returns the subscription that an event names.
fn subscription(event: &str) -> Option<SubscriptionId> {
    let input: Input = serde_json::from_str(event).ok()?;
    SubscriptionId::parse(&input.detail.subscription_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_one_subscription() {
        let named = |event: &str| subscription(event).map(|id| id.as_str().to_owned());
        assert_eq!(named(r#"{"detail":{"subscription_id":"sub-1"}}"#).as_deref(), Some("sub-1"));
        for invalid in ["", "{}", r#"{"detail":{}}"#, r#"{"detail":{"subscription_id":""}}"#] {
            assert_eq!(named(invalid), None, "{invalid}");
        }
    }
}
