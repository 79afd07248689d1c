//! The session item, read and written.

use domain::{Scope, Session, SessionDigest, SubscriptionId, UserName};

use super::{
    item::{Attributes, Item, Reader, number, text, time},
    names::{ACCOUNT, ACCOUNT_VERSION, EXPIRES_AT, Key, SCOPE, SUBSCRIPTION_ID, TTL},
};
use crate::Failure;

/// A session as an item, its key included. It outlives its end by no more than the table's time to live takes to delete it.
pub(super) fn to_item(session: &Session, digest: &SessionDigest) -> Attributes {
    Item::at(Key::session(digest))
        .with(ACCOUNT, text(&session.user_name))
        .with(SUBSCRIPTION_ID, text(&session.subscription))
        .with(ACCOUNT_VERSION, number(session.account_version))
        .with(SCOPE, text(session.scope.as_str()))
        .with(EXPIRES_AT, time(session.expires_at))
        .with(TTL, time(session.expires_at))
        .into_map()
}

/// The session in an item as DynamoDB returned it.
pub(super) fn from_item(item: &Attributes) -> Result<Session, Failure> {
    let item = Reader(item);
    Ok(Session {
        user_name: item.parsed(ACCOUNT, UserName::parse)?,
        subscription: item.parsed(SUBSCRIPTION_ID, SubscriptionId::parse)?,
        account_version: item.number(ACCOUNT_VERSION)?,
        scope: item.parsed(SCOPE, Scope::parse)?,
        expires_at: item.time(EXPIRES_AT)?,
    })
}
