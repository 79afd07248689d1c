//! The item that says when the reminder of an issue is due. It is a hint, put plainly before the issue starts: the credential decides
//! whether there is something to remind of.

use std::time::Duration;

use domain::{DueHour, DuePartition, Issue, SubscriptionId, Timestamp};

use super::{
    item::{Attributes, Item, Reader, number, time},
    names::{Key, SK, TTL, parse_subscription_key, subscription_key},
};
use crate::Failure;

pub(super) const DUE_AT: &str = "due_at";

/// The last hour that a run has worked through, in the item of the mark.
const HOUR: &str = "hour";

const MARK: &str = "DUE#DONE";

/// How long the table keeps an item after its time: longer than a run looks back.
const LIFETIME: Duration = Duration::from_hours(72);

/// Returns the partition key of the items of `partition`.
pub(super) fn partition_key(partition: DuePartition) -> String {
    format!("DUE#{partition}")
}

/// Returns the key of the item of an issue.
pub(super) fn key(partition: DuePartition, subscription: &SubscriptionId, issue: Issue) -> Key {
    Key { pk: partition_key(partition), sk: format!("{}#{issue}", subscription_key(subscription)) }
}

/// Returns the item of an issue whose reminder is due at `due_at`, including its key.
pub(super) fn to_item(subscription: &SubscriptionId, issue: Issue, due_at: Timestamp) -> Attributes {
    Item::at(key(DuePartition::new(due_at, subscription), subscription, issue))
        .with(DUE_AT, time(due_at))
        .with(TTL, time(due_at.plus(LIFETIME)))
        .into_map()
}

/// Returns the key of the mark: the last hour of which every reminder was worked through.
pub(super) fn mark_key() -> Key {
    Key { pk: MARK.to_owned(), sk: MARK.to_owned() }
}

/// Returns the mark of `hour` as an item, including its key.
pub(super) fn mark_to_item(hour: DueHour) -> Attributes {
    Item::at(mark_key()).with(HOUR, number(hour.number())).into_map()
}

/// Reads the hour from the mark. A mark that cannot be read is none: the run then looks as far back as it may.
pub(super) fn mark_from_item(item: &Attributes) -> Option<DueHour> {
    DueHour::from_number(Reader(item).number(HOUR).ok()?)
}

/// Reads the subscription and the issue from an item.
pub(super) fn from_item(item: &Attributes) -> Result<(SubscriptionId, Issue), Failure> {
    Reader(item).parsed(SK, parse_sort_key)
}

fn parse_sort_key(key: &str) -> Option<(SubscriptionId, Issue)> {
    let (subscription, issue) = key.rsplit_once('#')?;
    Some((parse_subscription_key(subscription)?, Issue::new(issue.parse().ok()?)?))
}
