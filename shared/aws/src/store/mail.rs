//! The mail items: their attributes, clauses and writes, and the key and conversion of the welcome mail. `support` has those of a
//! support request.

use domain::{EmailAddress, Issue, MailContent, MailStatus, SubscriptionId, Timestamp, WelcomeMail};

use super::{
    condition::{self, Placeholders},
    item::{Attributes, Item, Reader, number, required, text, time},
    mails::Lease,
    names::{AT, ISSUE, Key, STATUS},
    transaction::Change,
};
use crate::Failure;

/// The sort key of the welcome mail.
pub(super) const SORT_KEY: &str = "MAIL";

const CONTENT: &str = "content";
const LEASE_ID: &str = "lease_id";
const LEASE_UNTIL: &str = "lease_until";
const LOCALE: &str = "locale";
const MESSAGE_ID: &str = "message_id";
pub(super) const RANK: &str = "rank";
pub(super) const TO: &str = "to";
const TRIES: &str = "tries";

const PLACEHOLDERS: Placeholders = &[
    ("#at", AT),
    ("#issue", ISSUE),
    ("#lease", LEASE_UNTIL),
    ("#lease_id", LEASE_ID),
    ("#message_id", MESSAGE_ID),
    ("#rank", RANK),
    ("#status", STATUS),
    ("#tries", TRIES),
];

/// The mail belongs to the issue that the order names. Otherwise: `TakeRefusal::Settled`.
const ISSUE_IS: &str = "#issue = :issue";
/// The mail is neither sent nor settled. Otherwise: `TakeRefusal::Settled`.
const IS_PENDING: &str = "#status = :pending";
/// No worker has taken the mail. Otherwise, with [`LEASE_IS_OVER`]: `TakeRefusal::Leased` or `TakeRefusal::OwnLease`.
const HAS_NO_LEASE: &str = "attribute_not_exists(#lease)";
/// The last worker's lease has ended.
const LEASE_IS_OVER: &str = "#lease <= :now";
/// The worker still has the lease.
const LEASE_IS_OWN: &str = "#lease_id = :own";
/// Nothing later is known of the mail.
const RANK_IS_LOWER: &str = "#rank < :rank";

/// Returns the key of a subscription's welcome mail.
pub(super) fn key(subscription: &SubscriptionId) -> Key {
    Key::in_subscription(subscription, SORT_KEY)
}

/// Returns a welcome mail as an item, including its key.
pub(super) fn to_item(subscription: &SubscriptionId, mail: &WelcomeMail) -> Attributes {
    Item::at(key(subscription))
        .with(ISSUE, number(mail.issue.number()))
        .with(TO, text(&mail.to))
        .with_if(LOCALE, mail.locale.as_ref().map(text))
        .with(CONTENT, text(mail.content.as_str()))
        .with(STATUS, text(mail.status.as_str()))
        .with(RANK, number(mail.status.rank()))
        .with(AT, time(mail.at))
        .into_map()
}

/// Reads the welcome mail from an item.
pub(super) fn from_item(item: &Attributes) -> Result<WelcomeMail, Failure> {
    let item = Reader(item);
    Ok(WelcomeMail {
        issue: required(ISSUE, Issue::new(item.number(ISSUE)?))?,
        to: item.parsed(TO, EmailAddress::parse)?,
        locale: item.optional_text(LOCALE).map(str::to_owned),
        content: item.parsed(CONTENT, MailContent::parse)?,
        status: item.parsed(STATUS, MailStatus::parse)?,
        at: item.time(AT)?,
    })
}

/// Reads the id of the lease on a mail, if there is one.
pub(super) fn lease_id(item: &Attributes) -> Option<&str> {
    Reader(item).optional_text(LEASE_ID)
}

/// Returns the write that takes the lease on a mail that is pending and that no other worker has.
pub(super) fn take(key: Key, issue: Issue, lease: &Lease, now: Timestamp) -> Change {
    let is_free = condition::any(&[HAS_NO_LEASE, LEASE_IS_OVER]);
    Change::new(key, PLACEHOLDERS, "SET #lease = :until, #lease_id = :id ADD #tries :one")
        .only_if(&condition::all([ISSUE_IS, IS_PENDING, &is_free]))
        .returning_item()
        .value(":issue", number(issue.number()))
        .value(":pending", text(MailStatus::Pending.as_str()))
        .value(":now", time(now))
        .value(":until", time(lease.until))
        .value(":id", text(&lease.id))
        .value(":one", number(1_u64))
}

/// Returns the write that records `status`, with or without a lease; a status never gives way to one of a lower rank.
pub(super) fn settle(key: Key, issue: Issue, status: MailStatus, message_id: Option<&str>, now: Timestamp) -> Change {
    let (with_id, without_id) = (
        "SET #status = :status, #rank = :rank, #at = :now, #message_id = :message_id REMOVE #lease, #lease_id",
        "SET #status = :status, #rank = :rank, #at = :now REMOVE #lease, #lease_id",
    );
    let change = Change::new(key, PLACEHOLDERS, if message_id.is_some() { with_id } else { without_id })
        .only_if(&condition::all([ISSUE_IS, RANK_IS_LOWER]))
        .value(":issue", number(issue.number()))
        .value(":status", text(status.as_str()))
        .value(":rank", number(status.rank()))
        .value(":now", time(now));
    match message_id {
        Some(id) => change.value(":message_id", text(id)),
        None => change,
    }
}

/// Returns the write that gives the lease back, if the worker still has it.
pub(super) fn release(key: Key, issue: Issue, lease: &Lease) -> Change {
    Change::new(key, PLACEHOLDERS, "REMOVE #lease, #lease_id")
        .only_if(&condition::all([ISSUE_IS, LEASE_IS_OWN]))
        .value(":issue", number(issue.number()))
        .value(":own", text(&lease.id))
}
