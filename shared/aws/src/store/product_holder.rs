//! The attributes that a code and an access token for the product share: the account that they are for.

use domain::{Holder, SubscriptionId, UserName};

use super::{
    item::{Item, Reader, number, text, time},
    names::{ACCOUNT, ACCOUNT_ID, ACCOUNT_VERSION, SUBSCRIPTION_ID},
};
use crate::Failure;

const AUTHENTICATED_AT: &str = "authenticated_at";

/// Adds the attributes of `holder` to an item.
pub(super) fn with(item: Item, holder: &Holder) -> Item {
    item.with(ACCOUNT, text(&holder.user_name))
        .with(ACCOUNT_ID, text(&holder.account_id))
        .with(SUBSCRIPTION_ID, text(&holder.subscription))
        .with(ACCOUNT_VERSION, number(holder.account_version))
        .with(AUTHENTICATED_AT, time(holder.authenticated_at))
}

/// Reads the holder from an item.
pub(super) fn read(item: Reader) -> Result<Holder, Failure> {
    Ok(Holder {
        user_name: item.parsed(ACCOUNT, UserName::parse)?,
        account_id: item.text(ACCOUNT_ID)?.to_owned(),
        subscription: item.parsed(SUBSCRIPTION_ID, SubscriptionId::parse)?,
        account_version: item.number(ACCOUNT_VERSION)?,
        authenticated_at: item.time(AUTHENTICATED_AT)?,
    })
}
