//! The bus for published events, from which the vendor's other systems take them.

use aws_sdk_eventbridge::{
    Client,
    config::Config,
    types::{PutEventsRequestEntry, PutEventsResultEntry},
};
use aws_types::SdkConfig;

use crate::{Failure, connection::no_bucket};

/// The most events of one call.
pub const EVENTS_PER_CALL: usize = 10;

/// The source of every event.
const SOURCE: &str = "firstkey";

const OPERATION: &str = "events PutEvents";

/// Publishes events.
pub struct EventBus {
    client: Client,
    name: String,
}

/// An event for the vendor's other systems.
pub struct PublishedEvent {
    /// The type, by which rules select events.
    pub detail_type: &'static str,
    /// The content, a JSON object.
    pub detail: String,
}

impl EventBus {
    /// Returns the bus with this name or ARN.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "here the client is built, once, from the one configuration")]
    pub fn new(config: &SdkConfig, name: String) -> Self {
        let config = Config::from(config).to_builder().retry_partition(no_bucket()).build();
        Self { client: Client::from_conf(config), name }
    }

    /// Publishes at most ten events in one call. Returns what became of each of them, in their order: the bus takes and refuses them separately.
    pub async fn publish(&self, events: &[&PublishedEvent]) -> Vec<Result<(), Failure>> {
        let entry = |event: &&PublishedEvent| {
            let entry = PutEventsRequestEntry::builder().event_bus_name(&self.name).source(SOURCE);
            entry.detail_type(event.detail_type).detail(&event.detail).build()
        };
        let request = self.client.put_events().set_entries(Some(events.iter().map(entry).collect()));
        let failure = match request.send().await {
            Ok(answer) => match answer.entries {
                Some(outcomes) if outcomes.len() == events.len() => return outcomes.iter().map(outcome).collect(),
                _ => Failure::unreadable(OPERATION, "entries"),
            },
            Err(error) => Failure::from_sdk(OPERATION, &error),
        };
        events.iter().map(|_| Err(failure.clone())).collect()
    }
}

fn outcome(entry: &PutEventsResultEntry) -> Result<(), Failure> {
    match entry.error_code() {
        None => Ok(()),
        Some(code) => Err(Failure::from_code(OPERATION, code)),
    }
}
