//! The item of an access token for the product: its key and attributes.

use domain::{AccessTokenDigest, Holder, Timestamp, product::TOKEN_LIFETIME};

use super::{
    item::{Attributes, Item, Reader, time},
    names::{EXPIRES_AT, Key, TTL},
    product_holder,
};
use crate::Failure;

/// Returns the key of the token with this digest.
pub(super) fn key(digest: &AccessTokenDigest) -> Key {
    Key { pk: format!("TOKEN#{}", digest.as_str()), sk: "TOKEN".to_owned() }
}

/// Returns a token that is issued at `now` as an item, including its key. The table's time to live deletes it after its end.
pub(super) fn to_item(holder: &Holder, digest: &AccessTokenDigest, now: Timestamp) -> Attributes {
    let expires_at = now.plus(TOKEN_LIFETIME);
    product_holder::with(Item::at(key(digest)), holder)
        .with(EXPIRES_AT, time(expires_at))
        .with(TTL, time(expires_at))
        .into_map()
}

/// Reads the holder of the token and its end from an item.
pub(super) fn from_item(item: &Attributes) -> Result<(Holder, Timestamp), Failure> {
    let item = Reader(item);
    Ok((product_holder::read(item)?, item.time(EXPIRES_AT)?))
}
