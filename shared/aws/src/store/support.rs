//! Requests to support: each is an order to mail, and a subscription has few of them a day.

use std::time::Duration;

use domain::{
    Caller, Credential, EmailAddress, MailStatus, Reference, SubscriptionId, SupportMessage, SupportRequest, Timestamp,
    support::REQUESTS_PER_DAY,
};

use super::{
    Table, credential,
    history::{Entries, Entry},
    item::{Attributes, Item, Reader, found, number, text, time},
    names::{AT, BY, ISSUE, Key, MESSAGE, RANK, REPLY_TO, REQUESTS, SK, STATUS, TO, TTL, reference_of},
    transaction::{Change, Commit, Part, RACES, Transaction},
};
use crate::{Failure, retry::pause};

/// May order mails to support, for portal users.
pub struct SupportRequests(Table);

/// What somebody asks.
pub struct NewSupportRequest {
    /// Of this click.
    pub reference: Reference,
    /// The vendor's support.
    pub to: EmailAddress,
    /// What is asked.
    pub message: SupportMessage,
}

/// What became of it.
pub enum Order {
    /// It is ordered; by this click, or by the same one before.
    Ordered,
    /// There is no such subscription, or the caller is no portal user of it: the two are not told apart.
    NoSubscription,
    /// The day has had its requests.
    TooMany,
}

const OPERATION: &str = "dynamodb TransactWriteItems (support request)";

/// How long a request is kept after it was made: support has it in its own system by then.
const KEPT: Duration = Duration::from_hours(24 * 90);

/// How long the count of a day is kept.
const DAY_KEPT: Duration = Duration::from_hours(48);

impl SupportRequests {
    /// Over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Orders the mail of `new`, if `caller` is a portal user and the day has room.
    pub async fn order(
        &self,
        subscription: &SubscriptionId,
        new: &NewSupportRequest,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Order, Failure> {
        for _ in 0..RACES {
            let known = self.0.credential(subscription).await?;
            let Some(known) = known.filter(|known| known.admits(&caller.principals())) else {
                return Ok(Order::NoSubscription);
            };
            match self.transaction(&known, new, caller, now)?.commit().await? {
                Commit::Done => return Ok(Order::Ordered),
                Commit::Refused(refused) if refused.failed(Part::Mail) => return Ok(Order::Ordered),
                Commit::Refused(refused) if refused.failed(Part::SupportDay) => return Ok(Order::TooMany),
                Commit::Refused(_) => pause().await,
            }
        }
        Err(Failure::too_long(OPERATION))
    }

    fn transaction(
        &self,
        known: &Credential,
        new: &NewSupportRequest,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Transaction<'_>, Failure> {
        let by = caller.label();
        let entry = Entry { what: "support-requested", by: &by, at: now, issue: known.issue, account: None };
        let entries = Entries::after(known).and(&entry);
        let request = SupportRequest {
            reference: new.reference.clone(),
            issue: known.issue,
            to: new.to.clone(),
            reply_to: caller.email().cloned(),
            by: by.clone(),
            message: new.message.clone(),
            status: MailStatus::Pending,
            at: now,
        };
        Transaction::new(&self.0, OPERATION)
            .put_new(Part::Mail, to_item(&known.subscription, &request))?
            .update(Part::SupportDay, one_more(&known.subscription, now))?
            .update(Part::Credential, credential::advance(known, entries.seq()))?
            .put_history(entries)
    }
}

fn one_more(subscription: &SubscriptionId, now: Timestamp) -> Change {
    Change::of(
        Key::support_day(subscription, now),
        "SET #requests = if_not_exists(#requests, :zero) + :one, #ttl = :ttl",
        "attribute_not_exists(#requests) OR #requests < :most",
    )
    .names([("#requests", REQUESTS), ("#ttl", TTL)])
    .value(":zero", number(0_u64))
    .value(":one", number(1_u64))
    .value(":most", number(REQUESTS_PER_DAY))
    .value(":ttl", time(now.plus(DAY_KEPT)))
}

/// A request as an item, its key included.
fn to_item(subscription: &SubscriptionId, request: &SupportRequest) -> Attributes {
    Item::at(Key::support_mail(subscription, &request.reference))
        .with(ISSUE, number(request.issue.number()))
        .with(TO, text(&request.to))
        .with_if(REPLY_TO, request.reply_to.as_ref().map(text))
        .with(BY, text(&request.by))
        .with(MESSAGE, text(request.message.as_str()))
        .with(STATUS, text(request.status.as_str()))
        .with(RANK, number(request.status.rank()))
        .with(AT, time(request.at))
        .with(TTL, time(request.at.plus(KEPT)))
        .into_map()
}

/// The request in an item as DynamoDB returned it.
pub(super) fn support_request(item: &Attributes) -> Result<SupportRequest, Failure> {
    let item = Reader(item);
    Ok(SupportRequest {
        reference: item.parsed(SK, reference_of)?,
        issue: found(ISSUE, domain::Issue::new(item.number(ISSUE)?))?,
        to: item.parsed(TO, EmailAddress::parse)?,
        reply_to: item.optional_text(REPLY_TO).and_then(EmailAddress::parse),
        by: item.text(BY)?.to_owned(),
        message: item.parsed(MESSAGE, SupportMessage::parse)?,
        status: item.parsed(STATUS, MailStatus::parse)?,
        at: item.time(AT)?,
    })
}
