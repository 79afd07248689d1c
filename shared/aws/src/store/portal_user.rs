//! The two items of a portal user: the membership, a hint that lists a subscription for a principal, and the portal user itself, which
//! says whom notices go to.

use domain::{EmailAddress, PortalUser, Principal, SubscriptionId, Timestamp};

use super::{
    item::{Attributes, Item, Reader, text, time},
    names::{Key, subscription_key},
};
use crate::Failure;

/// How the sort keys of all portal users of a subscription begin.
pub(super) const PREFIX: &str = "PORTAL_USER#";

/// The first sort key after those of all portal users.
pub(super) const END: &str = "PORTAL_USER$";

const ADDED_AT: &str = "added_at";
const ADDRESS: &str = "address";

/// Returns the partition key of a principal's memberships, which is also the sort key of its portal users.
pub(super) fn principal_key(principal: &Principal) -> String {
    format!("{PREFIX}{principal}")
}

/// Returns the items of `user`: the membership and the portal user.
pub(super) fn to_items(subscription: &SubscriptionId, user: &PortalUser, now: Timestamp) -> [Attributes; 2] {
    let membership = Key { pk: principal_key(&user.principal), sk: subscription_key(subscription) };
    let portal_user = Item::at(Key::in_subscription(subscription, principal_key(&user.principal)))
        .with(ADDED_AT, time(now))
        .with_if(ADDRESS, user.address.as_ref().map(text));
    [Item::at(membership).into_map(), portal_user.into_map()]
}

/// Reads the address of a portal user, if there is one, and when they were added.
pub(super) fn from_item(item: &Attributes) -> Result<(Option<EmailAddress>, Timestamp), Failure> {
    let item = Reader(item);
    Ok((item.optional_text(ADDRESS).and_then(EmailAddress::parse), item.time(ADDED_AT)?))
}
