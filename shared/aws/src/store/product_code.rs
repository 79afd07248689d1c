//! The item of an authorization code for the product: its key, attributes, clauses and writes.

use domain::{AccessTokenDigest, Challenge, CodeDigest, Grant, KnownCode, Timestamp, product::CODE_KEPT};

use super::{
    condition::{self, Placeholders},
    item::{Attributes, Item, Reader, text, time},
    names::{EXPIRES_AT, Key, TTL},
    product_holder,
    transaction::Change,
};
use crate::Failure;

const CHALLENGE: &str = "challenge";
const NONCE: &str = "nonce";
const REDIRECT_URI: &str = "redirect_uri";
const SPENT_BY: &str = "spent_by";

const PLACEHOLDERS: Placeholders = &[("#expires_at", EXPIRES_AT), ("#spent_by", SPENT_BY)];

/// The code was never redeemed. Otherwise: its second use, or an earlier attempt of the same one.
const IS_UNSPENT: &str = "attribute_not_exists(#spent_by)";
/// `CodeRefusal::Expired`.
const NOT_EXPIRED: &str = "#expires_at > :now";

/// Returns the key of the code with this digest.
pub(super) fn key(digest: &CodeDigest) -> Key {
    Key { pk: format!("CODE#{}", digest.as_str()), sk: "CODE".to_owned() }
}

/// Returns a new code as an item, including its key. The table's time to live deletes it some time after its end, so that its second use is
/// recognised until then.
pub(super) fn to_item(grant: &Grant, digest: &CodeDigest) -> Attributes {
    product_holder::with(Item::at(key(digest)), &grant.holder)
        .with(REDIRECT_URI, text(&grant.redirect_uri))
        .with_if(NONCE, grant.nonce.as_ref().map(text))
        .with_if(CHALLENGE, grant.challenge.as_ref().map(|challenge| text(challenge.as_str())))
        .with(EXPIRES_AT, time(grant.expires_at))
        .with(TTL, time(grant.expires_at.plus(CODE_KEPT)))
        .into_map()
}

/// Reads the code from an item.
pub(super) fn from_item(item: &Attributes) -> Result<KnownCode, Failure> {
    let holder = product_holder::read(Reader(item))?;
    let item = Reader(item);
    let grant = Grant {
        holder,
        redirect_uri: item.text(REDIRECT_URI)?.to_owned(),
        nonce: item.optional_text(NONCE).map(ToOwned::to_owned),
        challenge: item.optional_text(CHALLENGE).map(|_| item.parsed(CHALLENGE, Challenge::parse)).transpose()?,
        expires_at: item.time(EXPIRES_AT)?,
    };
    Ok(KnownCode { grant, spent_by: spent_by(item) })
}

/// Reads only the digest of the token that the code was redeemed for.
pub(super) fn spent_by(item: Reader) -> Option<AccessTokenDigest> {
    item.optional_text(SPENT_BY).map(|digest| AccessTokenDigest::from_stored(digest.to_owned()))
}

/// Returns the write that redeems the code for `token`.
pub(super) fn spend(digest: &CodeDigest, token: &AccessTokenDigest, now: Timestamp) -> Change {
    Change::new(key(digest), PLACEHOLDERS, "SET #spent_by = :token")
        .only_if(&condition::all([IS_UNSPENT, NOT_EXPIRED]))
        .value(":token", text(token.as_str()))
        .value(":now", time(now))
}
