//! The event `SubscriptionEnded`, which the vendor's billing system publishes, and its validation.
//!
//! Unknown fields are ignored, since vendors extend their events. So is the reason, which vendors may add: it is theirs, and no reader here
//! needs it.

use std::fmt;

use serde::Deserialize;

use crate::{
    SubscriptionId, Timestamp, text_enum,
    vendor_event::{Envelope, Id, InvalidEnvelope},
};

/// A valid `SubscriptionEnded`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionEnded {
    /// The time of the event by the vendor's clock. Absent if no event bus has stamped the event.
    pub time: Option<Timestamp>,
    /// The subscription that ended.
    pub subscription: SubscriptionId,
}

text_enum! {
    /// The defect of an invalid event. The text names the field and never repeats its value, so that it may be logged.
    pub enum InvalidEnd {
        /// The event is larger than [`LARGEST_EVENT`](crate::vendor_event::LARGEST_EVENT).
        TooLarge = "too-large",
        /// The text is not JSON, or not in the envelope of EventBridge.
        Envelope = "envelope",
        /// The detail type is not `SubscriptionEnded`.
        DetailType = "detail-type",
        /// The detail lacks the id, or the id has the wrong type.
        Detail = "detail",
        /// The time is not in RFC 3339.
        Time = "time",
        /// See [`SubscriptionId`].
        SubscriptionId = "subscription_id",
    }
}

impl fmt::Display for InvalidEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for InvalidEnd {}

#[derive(Deserialize)]
struct Detail {
    subscription_id: Id,
}

impl SubscriptionEnded {
    /// Parses an event in the envelope of EventBridge.
    pub fn parse(event: &str) -> Result<Self, InvalidEnd> {
        let envelope = Envelope::parse(event, "SubscriptionEnded")?;
        let detail: Detail = serde_json::from_str(envelope.detail.get()).map_err(|_| InvalidEnd::Detail)?;
        Ok(Self {
            time: envelope.time(InvalidEnd::Time)?,
            subscription: SubscriptionId::parse(&detail.subscription_id.into_text())
                .ok_or(InvalidEnd::SubscriptionId)?,
        })
    }

    /// Returns when the subscription ended: the time of the event, or that of its arrival if no event bus has stamped it.
    #[must_use]
    pub fn ended_at(&self, arrived_at: Timestamp) -> Timestamp {
        self.time.unwrap_or(arrived_at)
    }
}

impl From<InvalidEnvelope> for InvalidEnd {
    fn from(invalid: InvalidEnvelope) -> Self {
        match invalid {
            InvalidEnvelope::TooLarge => Self::TooLarge,
            InvalidEnvelope::Envelope => Self::Envelope,
            InvalidEnvelope::DetailType => Self::DetailType,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parsed(change: impl Fn(&mut Value)) -> Result<SubscriptionEnded, InvalidEnd> {
        let mut event = json!({
            "version": "0", "id": "e-9", "detail-type": "SubscriptionEnded", "source": "billing.contoso",
            "time": "2026-11-10T09:00:00Z",
            "detail": { "subscription_id": "sub-1001", "reason": "The contract was not renewed.", "more": [1] },
        });
        change(&mut event);
        SubscriptionEnded::parse(&event.to_string())
    }

    #[test]
    fn an_event_is_its_subscription_and_its_time_and_the_rest_is_ignored() {
        let at = Timestamp::parse_rfc3339("2026-11-10T09:00:00Z");
        let subscription = SubscriptionId::parse("sub-1001").unwrap();
        assert_eq!(parsed(|_| ()), Ok(SubscriptionEnded { time: at, subscription: subscription.clone() }));
        assert_eq!(
            parsed(|event| event["detail"]["reason"] = json!({})).ok().map(|end| end.subscription),
            Some(subscription)
        );
        let number = parsed(|event| event["detail"]["subscription_id"] = json!(1001));
        assert_eq!(number.unwrap().subscription.as_str(), "1001");
    }

    #[test]
    fn an_event_that_no_bus_has_stamped_is_dated_by_its_arrival() {
        let arrived_at = Timestamp::from_epoch_seconds(7);
        let unstamped = parsed(|event| drop(event.as_object_mut().unwrap().remove("time"))).unwrap();
        assert_eq!((unstamped.time, unstamped.ended_at(arrived_at)), (None, arrived_at));
        assert_ne!(parsed(|_| ()).unwrap().ended_at(arrived_at), arrived_at);
    }

    #[test]
    fn every_known_field_must_be_valid() {
        let invalid = |change: &dyn Fn(&mut Value)| parsed(change).err();
        assert_eq!(invalid(&|event| event["detail-type"] = json!("SubscriptionStarted")), Some(InvalidEnd::DetailType));
        assert_eq!(invalid(&|event| event["time"] = json!("yesterday")), Some(InvalidEnd::Time));
        assert_eq!(invalid(&|event| event["detail"] = json!({})), Some(InvalidEnd::Detail));
        assert_eq!(invalid(&|event| event["detail"]["subscription_id"] = json!([])), Some(InvalidEnd::Detail));
        assert_eq!(
            invalid(&|event| event["detail"]["subscription_id"] = json!("a#b")),
            Some(InvalidEnd::SubscriptionId)
        );
        assert_eq!(SubscriptionEnded::parse("{").err(), Some(InvalidEnd::Envelope));
        let large = "x".repeat(crate::vendor_event::LARGEST_EVENT);
        assert_eq!(invalid(&|event| event["detail"]["reason"] = json!(large)), Some(InvalidEnd::TooLarge));
    }
}
