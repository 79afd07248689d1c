//! A fake of the part of EventBridge that functions call themselves: they put events on the bus for published events.
//! <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
//!
//! As in EventBridge, an entry that is refused does not refuse the others, and an event for a bus that does not exist is accepted and goes
//! nowhere. The latter is logged.

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Clock;
use super::published::{Published, PublishedEvents};
use super::roles::bus_name;
use super::service::Service;
use super::wire::Answer;

/// The name of the bus for published events.
pub const EVENT_BUS: &str = "firstkey-events";

/// The operation that this service supports.
pub(super) const PUT_EVENTS: &str = "PutEvents";

/// The most entries of a request.
const MOST_ENTRIES: usize = 10;

/// The largest total size of the entries of a request, in bytes.
const LARGEST: usize = 1024 * 1024;

/// The size of the field `Time` of an entry, in bytes.
const TIME_SIZE: usize = 14;

/// The start of the sources that only AWS itself may use.
const RESERVED: &str = "aws.";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Call {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    source: String,
    #[serde(default)]
    detail_type: String,
    #[serde(default)]
    detail: String,
    event_bus_name: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    time: Option<f64>,
}

/// The code and the message of a refusal, of a whole request or of an entry.
type Refusal = (&'static str, String);

/// Answers a call. If it `fails_partly`, every second entry is refused as if EventBridge throttled it.
pub(super) fn call(
    events: &PublishedEvents,
    clock: &Clock,
    operation: &str,
    body: &Bytes,
    fails_partly: bool,
) -> Answer {
    let entries = match read(operation, body) {
        Ok(entries) => entries,
        Err((code, message)) => return Answer::error(Service::Events, StatusCode::BAD_REQUEST, code, &message),
    };
    let (mut results, mut published, mut failed) = (Vec::new(), Vec::new(), 0);
    for (place, entry) in entries.into_iter().enumerate() {
        let taken = if fails_partly && place % 2 == 1 { Err(throttled()) } else { entry.detail() };
        match taken {
            Ok(detail) => {
                results.push(json!({ "EventId": Uuid::new_v4().to_string() }));
                published.extend(entry.publish(detail, clock));
            }
            Err((code, message)) => {
                results.push(json!({ "ErrorCode": code, "ErrorMessage": message }));
                failed += 1;
            }
        }
    }
    if let Err(error) = events.add(published) {
        tracing::error!(%error, "cannot write the published events");
        return Answer::refused(Service::Events);
    }
    Answer::json(StatusCode::OK, json!({ "FailedEntryCount": failed, "Entries": results }).to_string())
}

/// Reads the entries of a request, or returns why EventBridge refuses all of them.
fn read(operation: &str, body: &Bytes) -> Result<Vec<Entry>, Refusal> {
    if operation != PUT_EVENTS {
        return Err(("UnknownOperationException", "The local EventBridge only supports PutEvents.".to_owned()));
    }
    let Call { entries } =
        serde_json::from_slice(body).map_err(|error| ("SerializationException", error.to_string()))?;
    let limit = match entries.len() {
        0 => Some("greater than or equal to 1"),
        1..=MOST_ENTRIES => None,
        _ => Some("less than or equal to 10"),
    };
    if let Some(limit) = limit {
        let constraint = format!("at 'entries' failed to satisfy constraint: Member must have length {limit}");
        return Err(("ValidationException", format!("1 validation error detected: Value {constraint}")));
    }
    if entries.iter().map(Entry::size).sum::<usize>() > LARGEST {
        let message = "Total size of the entries in the request is over the limit.";
        return Err(("ValidationException", message.to_owned()));
    }
    Ok(entries)
}

fn throttled() -> Refusal {
    ("ThrottlingException", "Rate exceeded".to_owned())
}

impl Entry {
    /// Returns the size in bytes:
    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>.
    fn size(&self) -> usize {
        let texts = [&self.source, &self.detail_type, &self.detail].into_iter().chain(&self.resources);
        texts.map(String::len).sum::<usize>() + self.time.map_or(0, |_| TIME_SIZE)
    }

    /// Returns the detail, or why EventBridge refuses the entry.
    fn detail(&self) -> Result<Map<String, Value>, Refusal> {
        for (name, value) in [("Source", &self.source), ("DetailType", &self.detail_type), ("Detail", &self.detail)] {
            if value.is_empty() {
                let message = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
                return Err(("InvalidArgument", message));
            }
        }
        if self.source.starts_with(RESERVED) {
            return Err(("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned()));
        }
        serde_json::from_str(&self.detail).map_err(|_| ("MalformedDetail", "Detail is malformed.".to_owned()))
    }

    /// Returns the event as it is published, or nothing if it is for another bus.
    fn publish(self, detail: Map<String, Value>, clock: &Clock) -> Option<Published> {
        let bus = self.event_bus_name.as_deref().map_or("default", bus_name);
        if bus != EVENT_BUS {
            tracing::warn!(bus, detail_type = self.detail_type, "an event for another bus goes nowhere");
            return None;
        }
        let Self { source, detail_type, .. } = self;
        Some(Published { at: clock.rfc3339(), detail_type, source, detail: Value::Object(detail) })
    }
}
