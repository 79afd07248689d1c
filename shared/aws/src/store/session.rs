//! The session item: its key, attributes and writes.

use domain::{Scope, Session, SessionDigest, SubscriptionId, Timestamp, UserName};

use super::{
    condition::{ITEM_EXISTS, Placeholders},
    item::{Attributes, Item, Reader, number, text, time},
    names::{ACCOUNT, ACCOUNT_ID, ACCOUNT_VERSION, EXPIRES_AT, Key, SUBSCRIPTION_ID, TTL},
    transaction::Change,
};
use crate::Failure;

const SCOPE: &str = "scope";

const PLACEHOLDERS: Placeholders = &[("#expires_at", EXPIRES_AT)];

/// Returns the key of the session whose token has this digest.
pub(super) fn key(digest: &SessionDigest) -> Key {
    Key { pk: format!("SESSION#{}", digest.as_str()), sk: "SESSION".to_owned() }
}

/// Returns a session as an item, including its key. The table's time to live deletes it after its end.
pub(super) fn to_item(session: &Session, digest: &SessionDigest) -> Attributes {
    Item::at(key(digest))
        .with(ACCOUNT, text(&session.user_name))
        .with_if(ACCOUNT_ID, session.account_id.as_deref().map(text))
        .with(SUBSCRIPTION_ID, text(&session.subscription))
        .with(ACCOUNT_VERSION, number(session.account_version))
        .with(SCOPE, text(session.scope.as_str()))
        .with(EXPIRES_AT, time(session.expires_at))
        .with(TTL, time(session.expires_at))
        .into_map()
}

/// Reads the session from an item.
pub(super) fn from_item(item: &Attributes) -> Result<Session, Failure> {
    let item = Reader(item);
    Ok(Session {
        user_name: item.parsed(ACCOUNT, UserName::parse)?,
        account_id: item.optional_text(ACCOUNT_ID).map(ToOwned::to_owned),
        subscription: item.parsed(SUBSCRIPTION_ID, SubscriptionId::parse)?,
        account_version: item.number(ACCOUNT_VERSION)?,
        scope: item.parsed(SCOPE, Scope::parse)?,
        expires_at: item.time(EXPIRES_AT)?,
    })
}

/// Returns the write that ends a session at `now`, if there is one. The item stays until its time to live, so that a late put of it
/// finds it there.
pub(super) fn end(digest: &SessionDigest, now: Timestamp) -> Change {
    Change::new(key(digest), PLACEHOLDERS, "SET #expires_at = :now").only_if(ITEM_EXISTS).value(":now", time(now))
}
