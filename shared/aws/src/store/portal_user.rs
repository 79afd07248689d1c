//! The two items of a portal user: the membership, a hint that lists a subscription for a principal, and the portal user itself, which
//! says whom notices go to.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{EmailAddress, PortalUser, PortalUserChange, Principal, Removal, SubscriptionId, Timestamp};

use super::{
    condition::{self, Placeholders},
    item::{Attributes, Item, Reader, text, time},
    names::{Key, SK, subscription_key},
    transaction::{Change, Part, Transaction},
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

/// Each placeholder is the name of its attribute.
const PLACEHOLDERS: Placeholders = &[
    ("#added_at", ADDED_AT),
    ("#address", ADDRESS),
    ("#issuer", ISSUER),
    ("#organization", ORGANIZATION),
    ("#removed_at", REMOVED_AT),
    ("#subject", SUBJECT),
];

/// No operator has removed the portal user.
const NOT_REMOVED: &str = "attribute_not_exists(#removed_at)";
/// An operator has removed the portal user in a former life of the subscription.
const REMOVED_BEFORE: &str = "#removed_at <= :closed_at";

/// Returns the partition key of a principal's memberships, which is also the sort key of its portal users.
pub(super) fn principal_key(principal: &Principal) -> String {
    format!("{PREFIX}{principal}")
}

/// Parses the principal in a key that [`principal_key`] made.
pub(super) fn parse_principal_key(key: &str) -> Option<Principal> {
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

/// Returns the membership of `user` as an item, including its key.
pub(super) fn membership(subscription: &SubscriptionId, user: &PortalUser) -> Attributes {
    Item::at(membership_key(subscription, &user.principal())).into_map()
}

/// Returns the write of a portal user whom an event names. It is refused for one whom an operator has removed, so that neither an event nor a
/// late attempt of one brings them back. What operators did in a former life of the subscription, whose accounts were closed at `closed_at`,
/// does not count any more.
pub(super) fn welcome(
    subscription: &SubscriptionId,
    user: &PortalUser,
    closed_at: Option<Timestamp>,
    now: Timestamp,
) -> Change {
    let change = Change::new(key(subscription, &user.principal()), PLACEHOLDERS, "SET #added_at = :now");
    let given = given_attributes(user).into_iter();
    let change = given.fold(change, |change, (name, value)| {
        change.and(&format!(", #{name} = :{name}")).value(format!(":{name}"), value)
    });
    let change = match closed_at {
        Some(closed_at) => change
            .and(" REMOVE #removed_at")
            .only_if(&condition::any(&[NOT_REMOVED, REMOVED_BEFORE]))
            .value(":closed_at", time(closed_at)),
        None => change.only_if(NOT_REMOVED),
    };
    change.value(":now", time(now))
}

/// Adds the writes of the portal users that an operator adds and removes. The credential's set, which is their right, is not among them.
pub(super) fn write_change<'a>(
    mut transaction: Transaction<'a>,
    subscription: &SubscriptionId,
    change: &PortalUserChange,
    now: Timestamp,
) -> Result<Transaction<'a>, Failure> {
    if let Some(user) = &change.added {
        // Nothing of an earlier removal stays.
        let added = Item::at(key(subscription, &user.principal())).with(ADDED_AT, time(now));
        transaction = transaction
            .put(Part::PortalUser, with_given(added, user).into_map())?
            .put(Part::Membership, membership(subscription, user))?;
    }
    if let Some(removal) = &change.removed {
        transaction = transaction
            .update(Part::PortalUser, remove(subscription, removal, now))?
            .delete(Part::Membership, membership_key(subscription, &removal.principal))?;
    }
    Ok(transaction)
}

/// Returns the write that says that an operator has removed a portal user, so that no later event brings them back. Earlier releases wrote no
/// item for some of them.
fn remove(subscription: &SubscriptionId, removal: &Removal, now: Timestamp) -> Change {
    let update = "SET #removed_at = :now, #added_at = if_not_exists(#added_at, :now)";
    let change = Change::new(key(subscription, &removal.principal), PLACEHOLDERS, update).value(":now", time(now));
    removal.given.iter().flat_map(given_attributes).fold(change, |change, (name, value)| {
        change.and(&format!(", #{name} = if_not_exists(#{name}, :{name})")).value(format!(":{name}"), value)
    })
}

/// Adds what was given of a portal user to an item.
pub(super) fn with_given(item: Item, user: &PortalUser) -> Item {
    given_attributes(user).into_iter().fold(item, |item, (name, value)| item.with(name, value))
}

/// Returns what was given of a portal user, as attributes.
fn given_attributes(user: &PortalUser) -> Vec<(&'static str, AttributeValue)> {
    match user {
        PortalUser::Address(address) => vec![(ADDRESS, text(address))],
        PortalUser::Subject { issuer, subject } => vec![(ISSUER, text(issuer)), (SUBJECT, text(subject))],
        PortalUser::Organization { issuer, organization } => {
            vec![(ISSUER, text(issuer)), (ORGANIZATION, text(organization))]
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
