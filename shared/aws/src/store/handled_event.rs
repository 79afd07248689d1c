//! The mark of an event that has started an issue: put with that issue, if absent, so that no event starts two.

use domain::{EventId, SubscriptionId, Timestamp};

use super::{
    item::{Attributes, Item, time},
    names::{AT, Key},
};
/// Returns the key of the mark of `event`.
pub(super) fn key(subscription: &SubscriptionId, event: &EventId) -> Key {
    Key::in_subscription(subscription, format!("STARTED#{event}"))
}

/// Returns the mark of `event` as an item.
pub(super) fn to_item(subscription: &SubscriptionId, event: &EventId, now: Timestamp) -> Attributes {
    Item::at(key(subscription, event)).with(AT, time(now)).into_map()
}
