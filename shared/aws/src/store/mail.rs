//! The mail items: their keys, attributes, clauses and writes, and the conversion of the welcome mail and the reminder. `support` has that
//! of a support request.

use std::time::Duration;

use domain::{
    EmailAddress, Issue, MailContent, MailDetail, MailFeedback, MailKind, MailStatus, NoticeId, Reference, Reminder,
    SubscriptionId, Timestamp, WelcomeMail,
};

use super::{
    condition::{self, ITEM_EXISTS, Placeholders},
    item::{Attributes, Item, Reader, number, required, text, time},
    mails::{Lease, MailOrder},
    names::{AT, DETAIL, ISSUE, Key, STATUS, TTL},
    transaction::Change,
};
use crate::Failure;

/// The sort key of the welcome mail.
pub(super) const SORT_KEY: &str = "MAIL";
const REMINDER_PREFIX: &str = "MAIL#reminder#";
/// How the sort keys of all support requests of a subscription begin.
pub(super) const SUPPORT_PREFIX: &str = "MAIL#support#";
/// The first sort key after those of all support requests.
pub(super) const SUPPORT_END: &str = "MAIL#support$";
const NOTICE_PREFIX: &str = "MAIL#notice#";

const CONTENT: &str = "content";
const LEASE_ID: &str = "lease_id";
const LEASE_UNTIL: &str = "lease_until";
pub(super) const LOCALE: &str = "locale";
const MESSAGE_ID: &str = "message_id";
pub(super) const RANK: &str = "rank";
const RESENT_AT: &str = "resent_at";
pub(super) const ROUND: &str = "round";
pub(super) const TO: &str = "to";
const TRIES: &str = "tries";

const PLACEHOLDERS: Placeholders = &[
    ("#at", AT),
    ("#detail", DETAIL),
    ("#issue", ISSUE),
    ("#lease", LEASE_UNTIL),
    ("#lease_id", LEASE_ID),
    ("#message_id", MESSAGE_ID),
    ("#rank", RANK),
    ("#resent_at", RESENT_AT),
    ("#round", ROUND),
    ("#status", STATUS),
    ("#tries", TRIES),
];

/// The mail belongs to the issue that the order names. Otherwise: `TakeRefusal::Settled`.
const ISSUE_IS: &str = "#issue = :issue";
/// The mail belongs to the round that the order or report names. A mail that was never ordered again has no round.
const ROUND_IS: &str = "#round = :round";
const HAS_NO_ROUND: &str = "attribute_not_exists(#round)";
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
/// The mail has the status of the report already, with [`IS_LATER`]: of two reports on one status, the earlier one stays, in
/// whatever order they arrive.
const RANK_IS_SAME: &str = "#rank = :rank";
const IS_LATER: &str = "#at > :at";
/// The mail has the status that the writer read. Otherwise: a lost race.
const RANK_IS_AS_READ: &str = "#rank = :read_rank";

/// How long the table keeps a reminder after it was ordered: the history of its delivery is of no use after that.
const REMINDER_LIFETIME: Duration = Duration::from_hours(24 * 90);

/// Returns the key of a subscription's welcome mail.
pub(super) fn key(subscription: &SubscriptionId) -> Key {
    Key::in_subscription(subscription, SORT_KEY)
}

/// Returns the key of a mail. The reminder exists once for each issue.
pub(super) fn key_for(subscription: &SubscriptionId, kind: &MailKind, issue: Issue) -> Key {
    let sort_key = match kind {
        MailKind::Welcome => SORT_KEY.to_owned(),
        MailKind::Reminder => format!("{REMINDER_PREFIX}{issue}"),
        MailKind::Support(reference) => format!("{SUPPORT_PREFIX}{reference}"),
        MailKind::Notice(id) => format!("{NOTICE_PREFIX}{id}"),
    };
    Key::in_subscription(subscription, sort_key)
}

/// Parses the kind of the mail with this sort key.
pub(super) fn parse_sort_key(key: &str) -> Option<MailKind> {
    if key == SORT_KEY {
        return Some(MailKind::Welcome);
    }
    if let Some(issue) = key.strip_prefix(REMINDER_PREFIX) {
        return Issue::new(issue.parse().ok()?).map(|_| MailKind::Reminder);
    }
    if let Some(id) = key.strip_prefix(NOTICE_PREFIX) {
        return NoticeId::parse(id).map(MailKind::Notice);
    }
    key.strip_prefix(SUPPORT_PREFIX).and_then(Reference::parse).map(MailKind::Support)
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
        .with_if(ROUND, (mail.round > 0).then(|| number(mail.round)))
        .with_if(RESENT_AT, mail.resent_at.map(time))
        .with_if(DETAIL, mail.detail.map(|detail| text(detail.as_str())))
        .into_map()
}

/// Returns a reminder as an item, including its key.
pub(super) fn reminder_to_item(subscription: &SubscriptionId, mail: &Reminder) -> Attributes {
    Item::at(key_for(subscription, &MailKind::Reminder, mail.issue))
        .with(ISSUE, number(mail.issue.number()))
        .with(TO, text(&mail.to))
        .with_if(LOCALE, mail.locale.as_ref().map(text))
        .with(STATUS, text(mail.status.as_str()))
        .with(RANK, number(mail.status.rank()))
        .with(AT, time(mail.at))
        .with(TTL, time(mail.at.plus(REMINDER_LIFETIME)))
        .into_map()
}

/// Reads a reminder from an item.
pub(super) fn reminder_from_item(item: &Attributes) -> Result<Reminder, Failure> {
    let item = Reader(item);
    Ok(Reminder {
        issue: required(ISSUE, Issue::new(item.number(ISSUE)?))?,
        to: item.parsed(TO, EmailAddress::parse)?,
        locale: item.optional_text(LOCALE).map(str::to_owned),
        status: item.parsed(STATUS, MailStatus::parse)?,
        at: item.time(AT)?,
    })
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
        round: round(item)?,
        resent_at: item.optional_time(RESENT_AT)?,
        detail: item.optional_text(DETAIL).map(|text| MailDetail::parse(text).unwrap_or(MailDetail::Other)),
    })
}

/// Reads the address of any mail, if a report says that the address takes no mail.
pub(super) fn ruled_out_address(item: &Attributes) -> Option<EmailAddress> {
    let item = Reader(item);
    let status = item.optional_text(STATUS).and_then(MailStatus::parse)?;
    item.optional_text(TO).filter(|_| status.rules_address_out()).and_then(EmailAddress::parse)
}

/// Reads the round of a mail.
pub(super) fn round(item: Reader) -> Result<u32, Failure> {
    Ok(item.optional_number(ROUND)?.unwrap_or_default())
}

/// Reads the id of the lease on a mail, if there is one.
pub(super) fn lease_id(item: &Attributes) -> Option<&str> {
    Reader(item).optional_text(LEASE_ID)
}

/// Reads when the lease on a mail ends, if there is one.
pub(super) fn leased_until(item: &Attributes) -> Result<Option<Timestamp>, Failure> {
    Reader(item).optional_time(LEASE_UNTIL)
}

/// Returns the clause that holds in this round.
fn round_is(round: u32) -> String {
    if round == 0 { condition::any(&[HAS_NO_ROUND, ROUND_IS]) } else { ROUND_IS.to_owned() }
}

/// Returns the write that takes the lease on a mail that is pending and that no other worker has.
pub(super) fn take(order: &MailOrder, lease: &Lease, now: Timestamp) -> Change {
    let is_free = condition::any(&[HAS_NO_LEASE, LEASE_IS_OVER]);
    let update = "SET #lease = :until, #lease_id = :id ADD #tries :one";
    limit_to_order(order, Change::new(order.key(), PLACEHOLDERS, update))
        .only_if(&condition::all([IS_PENDING, &is_free]))
        .returning_item()
        .value(":pending", text(MailStatus::Pending.as_str()))
        .value(":now", time(now))
        .value(":until", time(lease.until))
        .value(":id", text(&lease.id))
        .value(":one", number(1_u64))
}

/// Returns the write that records `status`, with or without a lease; a status never gives way to one of a lower rank.
pub(super) fn settle(order: &MailOrder, status: MailStatus, message_id: Option<&str>, now: Timestamp) -> Change {
    let (with_id, without_id) = (
        "SET #status = :status, #rank = :rank, #at = :now, #message_id = :message_id REMOVE #lease, #lease_id",
        "SET #status = :status, #rank = :rank, #at = :now REMOVE #lease, #lease_id",
    );
    let update = if message_id.is_some() { with_id } else { without_id };
    let change = limit_to_order(order, Change::new(order.key(), PLACEHOLDERS, update))
        .only_if(RANK_IS_LOWER)
        .value(":status", text(status.as_str()))
        .value(":rank", number(status.rank()))
        .value(":now", time(now));
    match message_id {
        Some(id) => change.value(":message_id", text(id)),
        None => change,
    }
}

/// Returns the write that gives the lease back, if the worker still has it.
pub(super) fn release(order: &MailOrder, lease: &Lease) -> Change {
    limit_to_order(order, Change::new(order.key(), PLACEHOLDERS, "REMOVE #lease, #lease_id"))
        .only_if(LEASE_IS_OWN)
        .value(":own", text(&lease.id))
}

/// Limits a write to the issue and the round of an order, so that nothing of one sending settles the next.
fn limit_to_order(order: &MailOrder, change: Change) -> Change {
    only_in(order.issue, order.round, change)
}

fn only_in(issue: Issue, round: u32, change: Change) -> Change {
    change
        .only_if(&condition::all([ISSUE_IS, &round_is(round)]))
        .value(":issue", number(issue.number()))
        .value(":round", number(round))
}

/// Returns the write of what SES reports. Reports arrive in any order and more than once, and the last status does not depend on it. A
/// mail that SES reports was sent, so a lease on it is over.
pub(super) fn report(feedback: &MailFeedback) -> Change {
    let update = match feedback.detail {
        Some(_) => "SET #status = :status, #rank = :rank, #at = :at, #detail = :detail REMOVE #lease, #lease_id",
        None => "SET #status = :status, #rank = :rank, #at = :at REMOVE #lease, #lease_id, #detail",
    };
    let is_news =
        condition::any(&[RANK_IS_LOWER.to_owned(), format!("({})", condition::all([RANK_IS_SAME, IS_LATER]))]);
    let key = key_for(&feedback.subscription, &feedback.mail, feedback.issue);
    let change = only_in(feedback.issue, feedback.round, Change::new(key, PLACEHOLDERS, update).only_if(ITEM_EXISTS))
        .only_if(&is_news)
        .value(":status", text(feedback.status.as_str()))
        .value(":rank", number(feedback.status.rank()))
        .value(":at", time(feedback.at));
    match feedback.detail {
        Some(detail) => change.value(":detail", text(detail.as_str())),
        None => change,
    }
}

/// Returns the check that the mail is as `known` was read, so that no report on it is lost when a next issue replaces it.
pub(super) fn as_read(subscription: &SubscriptionId, known: &WelcomeMail) -> Change {
    only_in(known.issue, known.round, Change::check(key(subscription), PLACEHOLDERS))
        .only_if(RANK_IS_AS_READ)
        .value(":read_rank", number(known.status.rank()))
}

/// Returns the write that orders the mail `known` again, in the next round. The Pipe takes mails that were never tried.
pub(super) fn order_again(subscription: &SubscriptionId, known: &WelcomeMail, now: Timestamp) -> Change {
    let update = "SET #status = :pending, #rank = :rank, #round = :next_round, #resent_at = :now, #at = :now \
                  REMOVE #tries, #lease, #lease_id, #message_id, #detail";
    let change = only_in(known.issue, known.round, Change::new(key(subscription), PLACEHOLDERS, update))
        .only_if(RANK_IS_AS_READ)
        .value(":read_rank", number(known.status.rank()))
        .value(":pending", text(MailStatus::Pending.as_str()))
        .value(":rank", number(MailStatus::Pending.rank()))
        .value(":next_round", number(known.round + 1))
        .value(":now", time(now));
    // A lease on a mail that is sent is only left over: a report of SES was faster than the record.
    let is_free = condition::any(&[HAS_NO_LEASE, LEASE_IS_OVER]);
    if known.status == MailStatus::Pending { change.only_if(&is_free) } else { change }
}
