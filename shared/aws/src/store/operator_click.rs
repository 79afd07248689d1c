//! The mark of an operator's click: put in the transaction of the act, with the answer, so that a click that is retried acts once and gets
//! the same answer.

use std::time::Duration;

use domain::{OperatorClick, SubscriptionId, Timestamp};

use super::{
    condition::{self, ITEM_IS_NEW, Placeholders},
    item::{Attributes, Item, Reader, text, time},
    names::{AT, Key, TTL},
    transaction::{Change, Part, Transaction},
};
use crate::Failure;

/// The beginning of the sort key of every click.
pub(super) const PREFIX: &str = "CLICK#";

const ANSWER: &str = "answer";
const REQUEST: &str = "request";

const PLACEHOLDERS: Placeholders = &[("#ttl", TTL)];

/// The mark of the same click is no more than left over. Otherwise: the click has been answered.
const IS_OVER: &str = "#ttl <= :now";

/// How long a click that is retried gets the same answer.
const LIFETIME: Duration = Duration::from_hours(7 * 24);

/// A click that is carried out, with the answer that it gets.
#[derive(Clone, Copy)]
pub struct AnsweredClick<'a> {
    /// The click.
    pub click: &'a OperatorClick,
    /// The body of the answer. It holds no secret.
    pub answer: &'a str,
}

/// An earlier click with the same key.
pub(super) struct EarlierClick {
    /// The digest of what it asked for.
    pub(super) request: String,
    pub(super) answer: String,
}

/// Returns the key of the mark of `click`.
pub(super) fn key(subscription: &SubscriptionId, click: &OperatorClick) -> Key {
    Key::in_subscription(subscription, format!("{PREFIX}{}", click.id()))
}

/// Reads the mark of a click. `None` if it is no more than left over.
pub(super) fn from_item(item: &Attributes, now: Timestamp) -> Result<Option<EarlierClick>, Failure> {
    let item = Reader(item);
    let earlier = EarlierClick { request: item.text(REQUEST)?.to_owned(), answer: item.text(ANSWER)?.to_owned() };
    Ok((now < item.time(TTL)?).then_some(earlier))
}

/// Adds the mark of a click to the transaction of its act.
pub(super) fn put<'a>(
    transaction: Transaction<'a>,
    subscription: &SubscriptionId,
    answered: AnsweredClick,
    now: Timestamp,
) -> Result<Transaction<'a>, Failure> {
    let key = || key(subscription, answered.click);
    let item = Item::at(key())
        .with(REQUEST, text(answered.click.request()))
        .with(ANSWER, text(answered.answer))
        .with(AT, time(now))
        .with(TTL, time(now.plus(LIFETIME)))
        .into_map();
    let is_new =
        Change::check(key(), PLACEHOLDERS).only_if(&condition::any(&[ITEM_IS_NEW, IS_OVER])).value(":now", time(now));
    transaction.replace(Part::Click, item, is_new)
}
