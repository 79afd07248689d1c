//! Requests to support: each one orders a mail, and a subscription has few of them a day.

use std::time::Duration;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::{
    Caller, Credential, EmailAddress, HistoryCode, Issue, Label, MailKind, MailStatus, Reference, SubscriptionId,
    SupportMessage, SupportRequest, Timestamp,
};

use super::{
    Table, credential,
    day::DailyLimit,
    desks::DeskSupportRequest,
    history::{Entries, Entry},
    item::{Attributes, Item, Reader, boolean, number, required, text, time},
    mail::{self, RANK, TO},
    names::{AT, BY, CONFIRMED, ISSUE, Key, SK, STATUS, TTL},
    reference,
    transaction::{Commit, Part, Transaction},
};
use crate::{
    Failure,
    retry::{Race, through_races},
};

/// Orders mails to support, for portal users.
pub struct SupportRequests(Table);

/// A request to support that is to be ordered.
pub struct NewSupportRequest {
    /// The reference, which identifies the click.
    pub reference: Reference,
    /// The reference that version 0.1.0 gave the click, if the click has a key.
    pub reference_in_0_1_0: Option<Reference>,
    /// The address of the vendor's support.
    pub to: EmailAddress,
    /// The text that the caller wrote.
    pub message: SupportMessage,
}

/// The result of [`SupportRequests::order`].
pub enum OrderOutcome {
    /// The mail is ordered under this reference: by this click, now or at an earlier attempt.
    Ordered(Reference),
    /// The click's key was used for another message.
    AnotherMessage,
    /// There is no such subscription, or the caller is not a portal user of it: the answer is the same.
    NoSubscription,
    /// The subscription has had its requests of this day.
    TooMany,
}

const MESSAGE: &str = "message";
const REPLY_TO: &str = "reply_to";

const OPERATION: &str = "dynamodb TransactWriteItems (support request)";

/// How long the table keeps a request: support has it in its own system by then.
const REQUEST_LIFETIME: Duration = Duration::from_hours(24 * 90);

impl SupportRequests {
    /// Returns the store over `table`.
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
    ) -> Result<OrderOutcome, Failure> {
        through_races(OPERATION, None::<Credential>, |_| async move {
            let (known, earlier) = futures_util::try_join!(
                self.0.credential_for(subscription, caller),
                self.ordered_by_0_1_0(subscription, new),
            )?;
            let Some(known) = known else {
                return Ok(Race::Decided(OrderOutcome::NoSubscription));
            };
            if let Some(earlier) = earlier {
                return Ok(Race::Decided(new.ordered_before(earlier)));
            }
            Ok(match self.transaction(&known, new, caller, now)?.commit().await? {
                Commit::Done => Race::Decided(OrderOutcome::Ordered(new.reference.clone())),
                Commit::Refused(refused) if refused.failed(Part::Mail) => {
                    let earlier =
                        refused.item(Part::Mail).ok_or_else(|| Failure::unreadable("item", "MAIL#support"))?;
                    Race::Decided(new.ordered_before(from_item(earlier)?))
                }
                Commit::Refused(refused) if refused.failed(Part::SupportDay) => Race::Decided(OrderOutcome::TooMany),
                Commit::Refused(_) => Race::Lost,
            })
        })
        .await
    }

    /// Returns the request that this click ordered while version 0.1.0 ran, which had other references. It matters only to a click that
    /// is retried across the deployment of a new version.
    async fn ordered_by_0_1_0(
        &self,
        subscription: &SubscriptionId,
        new: &NewSupportRequest,
    ) -> Result<Option<SupportRequest>, Failure> {
        let Some(reference) = &new.reference_in_0_1_0 else { return Ok(None) };
        let item = self.0.get("dynamodb GetItem (support request)", key(subscription, reference)).await?;
        item.as_ref().map(from_item).transpose()
    }

    fn transaction(
        &self,
        known: &Credential,
        new: &NewSupportRequest,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<Transaction<'_>, Failure> {
        let by = caller.label();
        let entry = Entry::new(HistoryCode::SupportRequested, caller, now, known.issue);
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
            .put(Part::Reference, reference::to_item(&request.reference, &known.subscription, now))?
            .update(Part::SupportDay, DailyLimit::SUPPORT.count(&known.subscription, now))?
            .update(Part::Credential, credential::note(known, entries.seq()))?
            .put_history(entries)
    }
}

impl NewSupportRequest {
    /// Returns the outcome for a click that has ordered `earlier`.
    fn ordered_before(&self, earlier: SupportRequest) -> OrderOutcome {
        if earlier.message == self.message {
            OrderOutcome::Ordered(earlier.reference)
        } else {
            OrderOutcome::AnotherMessage
        }
    }
}

/// Returns the key of the mail of a request, which is one for all issues.
fn key(subscription: &SubscriptionId, reference: &Reference) -> Key {
    mail::key_for(subscription, &MailKind::Support(reference.clone()), Issue::FIRST)
}

/// Parses the reference in the sort key of a request's mail.
fn parse_sort_key(key: &str) -> Option<Reference> {
    match mail::parse_sort_key(key)? {
        MailKind::Support(reference) => Some(reference),
        MailKind::Welcome | MailKind::Reminder | MailKind::Notice(_) => None,
    }
}

/// Returns a request as an item, including its key.
fn to_item(subscription: &SubscriptionId, request: &SupportRequest) -> Attributes {
    Item::at(key(subscription, &request.reference))
        .with(ISSUE, number(request.issue.number()))
        .with(TO, text(&request.to))
        .with_if(REPLY_TO, request.reply_to.as_ref().map(text))
        .with(BY, text(request.by.as_stored()))
        .with(CONFIRMED, boolean(request.by.is_confirmed()))
        .with(MESSAGE, text(request.message.as_str()))
        .with(STATUS, text(request.status.as_str()))
        .with(RANK, number(request.status.rank()))
        .with(AT, time(request.at))
        .with(TTL, time(request.at.plus(REQUEST_LIFETIME)))
        .into_map()
}

/// Reads the request from an item.
pub(super) fn from_item(item: &Attributes) -> Result<SupportRequest, Failure> {
    let item = Reader(item);
    let reply_to = item.optional_text(REPLY_TO).and_then(EmailAddress::parse);
    // Release 0.1.0 stored an address for the answer exactly where it was confirmed.
    let confirmed = item.optional_boolean(CONFIRMED)?.or(Some(reply_to.is_some()));
    Ok(SupportRequest {
        reference: item.parsed(SK, parse_sort_key)?,
        issue: required(ISSUE, Issue::new(item.number(ISSUE)?))?,
        to: item.parsed(TO, EmailAddress::parse)?,
        reply_to,
        by: Label::from_stored(item.text(BY)?.to_owned(), confirmed),
        message: SupportMessage::from_stored(item.text(MESSAGE)?),
        status: item.parsed(STATUS, MailStatus::parse)?,
        at: item.time(AT)?,
    })
}

/// Limits a query for requests to what [`summary_from_item`] reads.
pub(super) fn without_messages(query: QueryFluentBuilder) -> QueryFluentBuilder {
    query
        .projection_expression("#sk, #by, #confirmed, #ttl")
        .expression_attribute_names("#by", BY)
        .expression_attribute_names("#confirmed", CONFIRMED)
        .expression_attribute_names("#ttl", TTL)
}

/// Reads a request without its message.
pub(super) fn summary_from_item(item: &Attributes) -> Result<DeskSupportRequest, Failure> {
    let item = Reader(item);
    // The status and its time may have changed since, but the time to live has not.
    Ok(DeskSupportRequest {
        reference: item.parsed(SK, parse_sort_key)?,
        at: item.time(TTL)?.minus(REQUEST_LIFETIME),
        by: Label::from_stored(item.text(BY)?.to_owned(), item.optional_boolean(CONFIRMED)?),
    })
}
