//! The keys and attribute names that several entities share: the key of an item, the partition of a subscription, and common attributes.
//!
//! Every other key and attribute name is spelled beside its entity.

use domain::SubscriptionId;

use super::item::{Attributes, Item};

pub(super) const PK: &str = "PK";
pub(super) const SK: &str = "SK";

pub(super) const ACCOUNT: &str = "account";
pub(super) const ACCOUNT_ID: &str = "account_id";
/// The version that an account had when something began that lasts no longer than it.
pub(super) const ACCOUNT_VERSION: &str = "account_version";
pub(super) const AT: &str = "at";
pub(super) const BY: &str = "by";
/// Whether the address in [`BY`] was confirmed. Otherwise that is a subject.
pub(super) const CONFIRMED: &str = "confirmed";
/// Why a mail was delayed or not delivered.
pub(super) const DETAIL: &str = "detail";
pub(super) const EXPIRES_AT: &str = "expires_at";
pub(super) const ISSUE: &str = "issue";
pub(super) const STATUS: &str = "status";
pub(super) const SUBSCRIPTION_ID: &str = "subscription_id";
/// When DynamoDB may delete the item.
pub(super) const TTL: &str = "ttl";
pub(super) const USER_NAME: &str = "user_name";
/// The actor: the person of a retrieval, or the role and the person of an entry of the history.
pub(super) const WHO: &str = "who";

const SUBSCRIPTION_PREFIX: &str = "SUBSCRIPTION#";

/// The partition key and the sort key of one item.
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

impl Key {
    /// Returns the key of an item in the partition of a subscription.
    pub(super) fn in_subscription(subscription: &SubscriptionId, sk: impl Into<String>) -> Self {
        Self { pk: subscription_key(subscription), sk: sk.into() }
    }

    /// Returns the key as a request takes it.
    pub(super) fn into_map(self) -> Attributes {
        Item::at(self).into_map()
    }
}

/// Returns the partition key of a subscription's items, which is also the sort key of its memberships.
pub(super) fn subscription_key(subscription: &SubscriptionId) -> String {
    format!("{SUBSCRIPTION_PREFIX}{subscription}")
}

/// Returns a sort key that precedes the memberships of every subscription after `subscription`.
pub(super) fn after_subscription(subscription: Option<&SubscriptionId>) -> String {
    subscription.map_or_else(|| SUBSCRIPTION_PREFIX.to_owned(), subscription_key)
}

/// Parses the subscription in a key that [`subscription_key`] made.
pub(super) fn parse_subscription_key(key: &str) -> Option<SubscriptionId> {
    key.strip_prefix(SUBSCRIPTION_PREFIX).and_then(SubscriptionId::parse)
}
