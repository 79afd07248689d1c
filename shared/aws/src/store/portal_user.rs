//! The two items of a portal user: the membership, a hint that lists a subscription for a principal, and the portal user itself, which
//! says whom notices go to.

use domain::{EmailAddress, PortalUser, Principal, SubscriptionId, Timestamp};

use super::{
    item::{Attributes, Item, Reader, text, time},
    names::{Key, SK, subscription_key},
};
use crate::Failure;

/// How the sort keys of all portal users of a subscription begin.
pub(super) const PREFIX: &str = "PORTAL_USER#";

/// The first sort key after those of all portal users.
pub(super) const END: &str = "PORTAL_USER$";

const ADDED_AT: &str = "added_at";
const ADDRESS: &str = "address";
const ISSUER: &str = "issuer";
const ORGANIZATION: &str = "organization";
const REMOVED_AT: &str = "removed_at";
const SUBJECT: &str = "subject";

/// Returns the partition key of a principal's memberships, which is also the sort key of its portal users.
pub(super) fn principal_key(principal: &Principal) -> String {
    format!("{PREFIX}{principal}")
}

/// Parses the principal in a key that [`principal_key`] made.
fn parse_principal_key(key: &str) -> Option<Principal> {
    key.strip_prefix(PREFIX).and_then(Principal::parse)
}

/// Returns the key of a principal's membership in a subscription.
pub(super) fn membership_key(subscription: &SubscriptionId, principal: &Principal) -> Key {
    Key { pk: principal_key(principal), sk: subscription_key(subscription) }
}

/// Returns the key of the portal user with this principal.
pub(super) fn key(subscription: &SubscriptionId, principal: &Principal) -> Key {
    Key::in_subscription(subscription, principal_key(principal))
}

/// Returns the items of `user`: the membership and the portal user.
pub(super) fn to_items(subscription: &SubscriptionId, user: &PortalUser, now: Timestamp) -> [Attributes; 2] {
    let principal = user.principal();
    let portal_user = with_given(Item::at(key(subscription, &principal)), user).with(ADDED_AT, time(now));
    [Item::at(membership_key(subscription, &principal)).into_map(), portal_user.into_map()]
}

/// Adds what was given of a portal user to an item.
pub(super) fn with_given(item: Item, user: &PortalUser) -> Item {
    match user {
        PortalUser::Address(address) => item.with(ADDRESS, text(address)),
        PortalUser::Subject { issuer, subject } => item.with(ISSUER, text(issuer)).with(SUBJECT, text(subject)),
        PortalUser::Organization { issuer, organization } => {
            item.with(ISSUER, text(issuer)).with(ORGANIZATION, text(organization))
        }
    }
}

/// Reads what was given of a portal user. Items of earlier releases have only addresses.
pub(super) fn given(item: Reader) -> Option<PortalUser> {
    let field = |name| item.optional_text(name).map(ToOwned::to_owned);
    match (field(ADDRESS), field(ISSUER), field(SUBJECT), field(ORGANIZATION)) {
        (Some(address), ..) => EmailAddress::parse(&address).map(PortalUser::Address),
        (None, Some(issuer), Some(subject), _) => Some(PortalUser::Subject { issuer, subject }),
        (None, Some(issuer), None, Some(organization)) => Some(PortalUser::Organization { issuer, organization }),
        (None, ..) => None,
    }
}

/// A portal user as the table has it. It has no `Debug`, because it holds personal data.
pub(super) struct KnownPortalUser {
    pub(super) principal: Principal,
    pub(super) given: Option<PortalUser>,
    pub(super) added_at: Timestamp,
    pub(super) removed_at: Option<Timestamp>,
}

/// Reads a portal user.
pub(super) fn from_item(item: &Attributes) -> Result<KnownPortalUser, Failure> {
    let item = Reader(item);
    Ok(KnownPortalUser {
        principal: item.parsed(SK, parse_principal_key)?,
        given: given(item),
        added_at: item.time(ADDED_AT)?,
        removed_at: item.optional_time(REMOVED_AT)?,
    })
}
