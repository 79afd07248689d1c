//! Daily limits of a subscription: an item for each day, in UTC, counts what is limited, in the transaction of each.

use std::{borrow::Cow, time::Duration};

use domain::{Account, SubscriptionId, Timestamp};

use super::{
    condition::{self, Placeholders},
    item::{number, time},
    names::{Key, TTL},
    transaction::Change,
};

/// A limit for each day of a subscription.
pub(super) struct DailyLimit {
    /// The beginning of the sort key of the count. The day follows.
    prefix: Cow<'static, str>,
    placeholders: Placeholders,
    most: u32,
}

/// This is the first one of the day.
const NONE_TODAY: &str = "attribute_not_exists(#count)";
/// The day has room for one more. Otherwise: the outcome of the operation says that there are too many.
const FEW_TODAY: &str = "#count < :most";

/// How long the table keeps the count of a day.
const LIFETIME: Duration = Duration::from_hours(48);

impl DailyLimit {
    /// The requests to support.
    pub(super) const SUPPORT: Self = Self {
        prefix: Cow::Borrowed("SUPPORT#"),
        placeholders: &[("#count", "requests"), ("#ttl", TTL)],
        most: domain::support::REQUESTS_PER_DAY,
    };
    /// The accounts with an address that an administrator typed, when they are created and when they are reset.
    pub(super) const ADDRESSED: Self = Self {
        prefix: Cow::Borrowed("ADDRESSED#"),
        placeholders: &[("#count", "accounts"), ("#ttl", TTL)],
        most: domain::account::ADDRESSED_PER_DAY,
    };

    /// Returns the limit of how often operators unlock an account.
    pub(super) fn unlocked(account: &Account) -> Self {
        Self {
            prefix: Cow::Owned(format!("UNLOCKED#{}#", account.account_id)),
            placeholders: &[("#count", "unlocked"), ("#ttl", TTL)],
            most: domain::account::UNLOCKS_PER_DAY,
        }
    }

    /// Returns the write that counts one more today, if the day has room.
    pub(super) fn count(&self, subscription: &SubscriptionId, now: Timestamp) -> Change {
        let update = "SET #count = if_not_exists(#count, :zero) + :one, #ttl = :ttl";
        Change::new(self.key(subscription, now), self.placeholders, update)
            .only_if(&condition::any(&[NONE_TODAY, FEW_TODAY]))
            .value(":zero", number(0_u64))
            .value(":one", number(1_u64))
            .value(":most", number(self.most))
            .value(":ttl", time(now.plus(LIFETIME)))
    }

    /// Returns the key of the count of the day of `at`.
    fn key(&self, subscription: &SubscriptionId, at: Timestamp) -> Key {
        let text = at.to_string();
        let day = text.split('T').next().unwrap_or_default();
        Key::in_subscription(subscription, format!("{}{day}", self.prefix))
    }
}
