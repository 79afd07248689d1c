//! The item of a support request's reference, by which operators find the subscription.

use std::time::Duration;

use domain::{Reference, SubscriptionId, Timestamp};

use super::{
    item::{Attributes, Item, Reader, text, time},
    names::{Key, SUBSCRIPTION_ID, TTL},
};
use crate::Failure;

const PREFIX: &str = "REFERENCE#";
const SORT_KEY: &str = "REFERENCE";

/// How long the table keeps the reference of a request.
const LIFETIME: Duration = Duration::from_hours(24 * 400);

/// Returns the key of a reference.
pub(super) fn key(reference: &Reference) -> Key {
    Key { pk: format!("{PREFIX}{reference}"), sk: SORT_KEY.to_owned() }
}

/// Returns the reference of a request for `subscription` as an item, including its key.
pub(super) fn to_item(reference: &Reference, subscription: &SubscriptionId, now: Timestamp) -> Attributes {
    Item::at(key(reference)).with(SUBSCRIPTION_ID, text(subscription)).with(TTL, time(now.plus(LIFETIME))).into_map()
}

/// Reads the subscription of a reference. `None` after its time: the table deletes items late.
pub(super) fn subscription(item: &Attributes, now: Timestamp) -> Result<Option<SubscriptionId>, Failure> {
    let item = Reader(item);
    let subscription = item.parsed(SUBSCRIPTION_ID, SubscriptionId::parse)?;
    Ok((item.time(TTL)? > now).then_some(subscription))
}
