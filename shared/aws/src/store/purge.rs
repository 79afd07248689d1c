//! The item that says that the items of an ended subscription are to be deleted. It names the end, so that it deletes nothing of a later life.

use domain::{PurgeDay, SubscriptionId, Timestamp};

use super::{
    item::{Attributes, Item, Reader},
    names::{Key, SK, parse_subscription_key, subscription_key},
};
use crate::Failure;

const PREFIX: &str = "PURGE#";

/// Returns the partition key of the items of a day.
pub(super) fn partition(day: PurgeDay) -> String {
    format!("{PREFIX}{day}")
}

/// Returns the key of the item of an end.
pub(super) fn key(day: PurgeDay, subscription: &SubscriptionId, ended_at: Timestamp) -> Key {
    Key { pk: partition(day), sk: format!("{}#{}", subscription_key(subscription), ended_at.epoch_seconds()) }
}

/// Returns the item of an end, including its key.
pub(super) fn to_item(day: PurgeDay, subscription: &SubscriptionId, ended_at: Timestamp) -> Attributes {
    Item::at(key(day, subscription, ended_at)).into_map()
}

/// Reads the subscription and the time of its end.
pub(super) fn from_item(item: &Attributes) -> Result<(SubscriptionId, Timestamp), Failure> {
    Reader(item).parsed(SK, parse_sort_key)
}

fn parse_sort_key(key: &str) -> Option<(SubscriptionId, Timestamp)> {
    let (subscription, ended_at) = key.rsplit_once('#')?;
    Some((parse_subscription_key(subscription)?, Timestamp::from_epoch_seconds(ended_at.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_is_read_as_it_was_written() {
        let (at, id) = (Timestamp::from_epoch_seconds(1_794_301_200), SubscriptionId::parse("sub_1-A").unwrap());
        let item = to_item(PurgeDay::from_time(at), &id, at);
        assert_eq!(Reader(&item).text(SK).ok(), Some("SUBSCRIPTION#sub_1-A#1794301200"));
        assert_eq!(from_item(&item).ok(), Some((id, at)));
    }
}
