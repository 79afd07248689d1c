//! The common parts of the events of the vendor's billing system: the envelope of `EventBridge`, the identity of an event, and how leniently
//! their fields are read.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Timestamp, digest::digest, text::without_blank_ends};

/// The maximum size of an event in bytes: EventBridge accepts no entry over 256 KB.
pub const LARGEST_EVENT: usize = 256 * 1024;

/// The identity of an event: 16 bytes of a hash over its source, id, time and kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EventId([u8; 16]);

/// Writes the id in base64url, as keys contain it.
impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// The defect of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidEnvelope {
    /// The event is larger than [`LARGEST_EVENT`].
    TooLarge,
    /// The text is not JSON, or not in the envelope of `EventBridge`.
    Envelope,
    /// The event has another type.
    DetailType,
}

/// The envelope of an event.
#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(default)]
    id: String,
    #[serde(default)]
    source: String,
    time: Option<String>,
    #[serde(rename = "detail-type")]
    detail_type: String,
    /// The part of the event that the vendor defines.
    #[serde(borrow)]
    pub(crate) detail: &'a RawValue,
}

impl<'a> Envelope<'a> {
    /// Parses the envelope of an event of one type.
    pub(crate) fn parse(event: &'a str, detail_type: &str) -> Result<Self, InvalidEnvelope> {
        if event.len() > LARGEST_EVENT {
            return Err(InvalidEnvelope::TooLarge);
        }
        let envelope: Self = serde_json::from_str(event).map_err(|_| InvalidEnvelope::Envelope)?;
        if envelope.detail_type == detail_type { Ok(envelope) } else { Err(InvalidEnvelope::DetailType) }
    }

    /// Returns the time of the event by the vendor's clock, or `invalid` for a time that is not in RFC 3339. `None` if no event bus has
    /// stamped the event.
    pub(crate) fn time<E>(&self, invalid: E) -> Result<Option<Timestamp>, E> {
        match &self.time {
            Some(time) => Timestamp::parse_rfc3339(time).map(Some).ok_or(invalid),
            None => Ok(None),
        }
    }

    /// Returns the identity of the event with the text `event`.
    pub(crate) fn identity(&self, kind: &str, event: &str) -> EventId {
        let time = self.time.as_deref().unwrap_or_default();
        // EventBridge gives every event an id. An event without one is identified by its whole text.
        let id = if self.id.is_empty() { event } else { &self.id };
        EventId(digest(&[self.source.as_bytes(), id.as_bytes(), time.as_bytes(), kind.as_bytes()]))
    }
}

/// An id, or another field in which blanks at the ends and an empty text mean nothing. Some billing systems write ids as numbers.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Id {
    Number(u64),
    Text(String),
}

impl Id {
    /// Returns the text without the blanks at its ends.
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => without_blank_ends(&text).to_owned(),
        }
    }
}
