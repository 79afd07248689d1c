//! The mark of a click that has created an administrator: put with the account, if absent, so that one idempotency key creates one account
//! from one form.

use domain::{CreatedBy, FormDigest, SubscriptionId, Timestamp};

use super::{
    item::{Attributes, Item, Reader, text, time},
    names::{AT, Key},
};
use crate::Failure;

const FORM: &str = "form";

/// Returns the key of the mark of `click`.
pub(super) fn key(subscription: &SubscriptionId, click: &CreatedBy) -> Key {
    Key::in_subscription(subscription, format!("CLICK#{}", click.as_str()))
}

/// Returns the mark of `click` as an item, including its key.
pub(super) fn to_item(
    subscription: &SubscriptionId,
    click: &CreatedBy,
    form: &FormDigest,
    now: Timestamp,
) -> Attributes {
    Item::at(key(subscription, click)).with(FORM, text(form.as_str())).with(AT, time(now)).into_map()
}

/// Reads the form that the click sent.
pub(super) fn form(item: &Attributes) -> Result<FormDigest, Failure> {
    Ok(FormDigest::from_stored(Reader(item).text(FORM)?.to_owned()))
}
