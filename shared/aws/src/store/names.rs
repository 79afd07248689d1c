//! Every key and attribute of the table, spelled once. A key stands beside the item that it is the key of.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Account, ClaimedName, EventId, Network, Principal, Reference, SessionDigest, SubscriptionId, Timestamp, UserName,
};

use super::item::Item;

pub(super) const PK: &str = "PK";
pub(super) const SK: &str = "SK";

pub(super) const CREDENTIAL: &str = "CREDENTIAL";
pub(super) const MAIL: &str = "MAIL";

pub(super) const ACCOUNT: &str = "account";
pub(super) const ACCOUNT_ID: &str = "account_id";
pub(super) const ACCOUNT_VERSION: &str = "account_version";
pub(super) const ADDRESS: &str = "address";
pub(super) const ADDED_AT: &str = "added_at";
pub(super) const AT: &str = "at";
pub(super) const BY: &str = "by";
pub(super) const CHANGED_AT: &str = "changed_at";
pub(super) const COMPANY: &str = "company";
pub(super) const CONTENT: &str = "content";
pub(super) const CREATED_AT: &str = "created_at";
pub(super) const CREATED_BY: &str = "created_by";
pub(super) const DISPLAY_NAME: &str = "display_name";
pub(super) const EMAIL: &str = "email";
pub(super) const ENDED_AT: &str = "ended_at";
pub(super) const EXPIRES_AT: &str = "expires_at";
pub(super) const FAILURES: &str = "failures";
pub(super) const FIRST_SIGNED_IN_AT: &str = "first_signed_in_at";
pub(super) const HANDED_OVER_AT: &str = "handed_over_at";
pub(super) const ID: &str = "id";
pub(super) const ISSUE: &str = "issue";
pub(super) const ISSUED_AT: &str = "issued_at";
pub(super) const KIND: &str = "kind";
pub(super) const KNOWN_UNTIL: &str = "known_until";
pub(super) const LEASE_ID: &str = "lease_id";
pub(super) const LEASE_UNTIL: &str = "lease_until";
pub(super) const LOCALE: &str = "locale";
pub(super) const MESSAGE: &str = "message";
pub(super) const MESSAGE_ID: &str = "message_id";
pub(super) const MUST_CHANGE: &str = "must_change";
pub(super) const NAME: &str = "name";
pub(super) const PASSWORD_HASH: &str = "password_hash";
pub(super) const PORTAL_USERS: &str = "portal_users";
pub(super) const PRODUCT: &str = "product";
pub(super) const RANK: &str = "rank";
pub(super) const REPLY_TO: &str = "reply_to";
pub(super) const REQUESTS: &str = "requests";
pub(super) const RETRIEVALS: &str = "retrievals";
pub(super) const ROLE: &str = "role";
pub(super) const SCOPE: &str = "scope";
pub(super) const SEALED_PASSWORD: &str = "sealed_password";
pub(super) const SEQ: &str = "seq";
pub(super) const SIGNED_IN_AT: &str = "signed_in_at";
pub(super) const STARTED_AT: &str = "started_at";
pub(super) const STATUS: &str = "status";
pub(super) const SUBSCRIPTION_ID: &str = "subscription_id";
pub(super) const TAT: &str = "tat";
pub(super) const TO: &str = "to";
pub(super) const TRIES: &str = "tries";
pub(super) const TTL: &str = "ttl";
pub(super) const USER_NAME: &str = "user_name";
pub(super) const VERSION: &str = "version";
pub(super) const WHAT: &str = "what";
pub(super) const WHO: &str = "who";

pub(super) const ADMINISTRATOR_PREFIX: &str = "ADMINISTRATOR#";
const ACCOUNT_PREFIX: &str = "ACCOUNT#";
const SUBSCRIPTION_PREFIX: &str = "SUBSCRIPTION#";
const SUPPORT_MAIL_PREFIX: &str = "MAIL#support#";

/// Partition and sort key of one item.
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

impl Key {
    pub(super) fn credential(subscription: &SubscriptionId) -> Self {
        Self { pk: subscription_key(subscription), sk: CREDENTIAL.to_owned() }
    }

    pub(super) fn welcome_mail(subscription: &SubscriptionId) -> Self {
        Self { pk: subscription_key(subscription), sk: MAIL.to_owned() }
    }

    pub(super) fn support_mail(subscription: &SubscriptionId, reference: &Reference) -> Self {
        Self { pk: subscription_key(subscription), sk: format!("{SUPPORT_MAIL_PREFIX}{reference}") }
    }

    /// How many requests to support there were on the day of a time, in UTC.
    pub(super) fn support_day(subscription: &SubscriptionId, at: Timestamp) -> Self {
        let text = at.to_string();
        let day = text.split('T').next().unwrap_or_default();
        Self { pk: subscription_key(subscription), sk: format!("SUPPORT#{day}") }
    }

    pub(super) fn portal_user(subscription: &SubscriptionId, principal: &Principal) -> Self {
        Self { pk: subscription_key(subscription), sk: portal_user_key(principal) }
    }

    pub(super) fn membership(subscription: &SubscriptionId, principal: &Principal) -> Self {
        Self { pk: portal_user_key(principal), sk: subscription_key(subscription) }
    }

    pub(super) fn history(subscription: &SubscriptionId, seq: u64) -> Self {
        Self { pk: subscription_key(subscription), sk: format!("EVENT#{seq:010}") }
    }

    pub(super) fn handled_event(subscription: &SubscriptionId, event: &EventId) -> Self {
        Self { pk: subscription_key(subscription), sk: format!("STARTED#{event}") }
    }

    pub(super) fn account(user_name: &UserName) -> Self {
        Self::claimed_account(&user_name.into())
    }

    /// Of a name that may be none: such a key has no item.
    pub(super) fn claimed_account(name: &ClaimedName) -> Self {
        Self { pk: format!("{ACCOUNT_PREFIX}{}", name.as_str()), sk: "ACCOUNT".to_owned() }
    }

    pub(super) fn administrator(account: &Account) -> Self {
        let sk = format!("{ADMINISTRATOR_PREFIX}{}", account.account_id);
        Self { pk: subscription_key(&account.subscription), sk }
    }

    pub(super) fn session(digest: &SessionDigest) -> Self {
        Self { pk: format!("SESSION#{}", digest.as_str()), sk: "SESSION".to_owned() }
    }

    /// Attempts of a network, whatever it tries.
    pub(super) fn attempts_of(network: &Network) -> Self {
        Self { pk: format!("NETWORK#{}", network.as_str()), sk: "ATTEMPTS".to_owned() }
    }

    /// Attempts at a name from one network.
    pub(super) fn attempts_from(name: &ClaimedName, network: &Network) -> Self {
        Self { pk: attempts_key(name), sk: format!("NETWORK#{}", network.as_str()) }
    }

    /// Attempts at a name from all networks that it has not signed in from.
    pub(super) fn attempts_at(name: &ClaimedName) -> Self {
        Self { pk: attempts_key(name), sk: "ACCOUNT".to_owned() }
    }

    /// As a request wants it.
    pub(super) fn into_map(self) -> HashMap<String, AttributeValue> {
        Item::at(self).into_map()
    }
}

/// Partition key of the items of a subscription, and sort key of a membership of it.
pub(super) fn subscription_key(subscription: &SubscriptionId) -> String {
    format!("{SUBSCRIPTION_PREFIX}{subscription}")
}

/// Sort key that the memberships of every subscription after `subscription` are greater than.
pub(super) fn after_subscription(subscription: Option<&SubscriptionId>) -> String {
    subscription.map_or_else(|| SUBSCRIPTION_PREFIX.to_owned(), subscription_key)
}

/// The subscription of a membership.
pub(super) fn subscription_of(key: &str) -> Option<SubscriptionId> {
    key.strip_prefix(SUBSCRIPTION_PREFIX).and_then(SubscriptionId::parse)
}

/// The reference of a request to support, in the key of its mail.
pub(super) fn reference_of(key: &str) -> Option<Reference> {
    key.strip_prefix(SUPPORT_MAIL_PREFIX).and_then(Reference::parse)
}

/// The user name of an account.
pub(super) fn user_name_of(key: &str) -> Option<UserName> {
    key.strip_prefix(ACCOUNT_PREFIX).and_then(UserName::parse)
}

fn attempts_key(name: &ClaimedName) -> String {
    format!("ATTEMPTS#{}", name.as_str())
}

/// Partition key of the memberships of a principal.
pub(super) fn portal_user_key(principal: &Principal) -> String {
    format!("PORTAL_USER#{principal}")
}
