//! The item that lists a subscription for its company, so that operators find it by the company's id. It is a hint: the credential decides.

use domain::{Company, CompanyId, SubscriptionId};

use super::{
    item::{Attributes, Item, Reader, text},
    names::{Key, subscription_key},
};
use crate::Failure;

const PREFIX: &str = "COMPANY#";

/// The name of the company, as the subscription has it.
const COMPANY_NAME: &str = "company_name";

/// Returns the partition key of a company's subscriptions.
pub(super) fn partition(company: &CompanyId) -> String {
    format!("{PREFIX}{company}")
}

/// Returns the key of the item that lists a subscription for its company.
pub(super) fn key(company: &CompanyId, subscription: &SubscriptionId) -> Key {
    Key { pk: partition(company), sk: subscription_key(subscription) }
}

/// Returns the item that lists a subscription for its company, including its key.
pub(super) fn to_item(company: &Company, subscription: &SubscriptionId) -> Attributes {
    Item::at(key(&company.id, subscription)).with(COMPANY_NAME, text(&company.name)).into_map()
}

/// Reads the name of the company.
pub(super) fn name(item: &Attributes) -> Result<String, Failure> {
    Reader(item).text(COMPANY_NAME).map(ToOwned::to_owned)
}
