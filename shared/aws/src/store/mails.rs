//! The mail items as send-mail works on them: lease, record, settle.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::{UpdateItemError, UpdateItemOutput, builders::UpdateItemFluentBuilder},
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use domain::{
    Credential, EmailAddress, Issue, MailContent, MailStatus, Reference, SubscriptionId, SupportRequest, Timestamp,
    WelcomeMail,
};

use super::{
    Table,
    item::{Attributes, Item, Reader, found, number, text, time},
    names::{
        AT, CONTENT, ISSUE, Key, LEASE_ID, LEASE_UNTIL, LOCALE, MAIL, MESSAGE_ID, PK, RANK, SK, STATUS, TO, TRIES,
        reference_of, subscription_of,
    },
    support::support_request,
};
use crate::{
    Failure,
    retry::{Try, through_conflicts},
};

/// May lease and settle mails, and read the credential that they carry.
pub struct Mails(Table);

/// What the table's stream says is to be mailed.
pub struct MailOrder {
    /// Whose mail.
    pub subscription: SubscriptionId,
    /// The issue whose credentials it carries, or is about.
    pub issue: Issue,
    kind: OrderKind,
}

enum OrderKind {
    Welcome,
    Support(Reference),
}

/// A mail as it was ordered.
pub enum Mail {
    /// The welcome mail of an issue.
    Welcome(WelcomeMail),
    /// A request to the vendor's support.
    Support(SupportRequest),
}

impl MailOrder {
    /// Reads a stream record of a mail, as the pipe puts it into the queue.
    #[must_use]
    pub fn parse(record: &str) -> Option<Self> {
        let record: serde_json::Value = serde_json::from_str(record).ok()?;
        let change = &record["dynamodb"];
        let key = |name: &str| change["Keys"][name]["S"].as_str();
        let issue = change["NewImage"][ISSUE]["N"].as_str()?.parse().ok()?;
        let kind = match key(SK)? {
            MAIL => OrderKind::Welcome,
            other => OrderKind::Support(reference_of(other)?),
        };
        Some(Self { subscription: subscription_of(key(PK)?)?, issue: Issue::new(issue)?, kind })
    }

    fn key(&self) -> Key {
        match &self.kind {
            OrderKind::Welcome => Key::welcome_mail(&self.subscription),
            OrderKind::Support(reference) => Key::support_mail(&self.subscription, reference),
        }
    }

    /// The mail in its item.
    fn mail(&self, item: &Attributes) -> Result<Mail, Failure> {
        match &self.kind {
            OrderKind::Welcome => welcome_mail(item).map(Mail::Welcome),
            OrderKind::Support(_) => support_request(item).map(Mail::Support),
        }
    }
}

/// Whether this worker is the one to send.
pub enum Take {
    /// It is, until the lease ends.
    Taken(Box<TakenMail>),
    /// Somebody else is at it: to be tried again, never to be acknowledged.
    Leased,
    /// There is nothing to send: sent, settled, or of an issue that is over.
    Settled,
}

/// A mail and the lease on it.
pub struct TakenMail {
    /// What to send.
    pub mail: Mail,
    lease: Lease,
}

/// One worker's claim on one mail. It has a name, so that a claim whose answer was lost recognises itself.
#[derive(Clone)]
pub struct Lease {
    /// Unlike any other lease's.
    pub id: String,
    /// From when on another worker may take the mail.
    pub until: Timestamp,
}

impl Mail {
    /// Where it goes.
    #[must_use]
    pub fn to(&self) -> &EmailAddress {
        match self {
            Self::Welcome(mail) => &mail.to,
            Self::Support(request) => &request.to,
        }
    }

    /// Where answers go, if not to the sender.
    #[must_use]
    pub fn reply_to(&self) -> Option<&EmailAddress> {
        match self {
            Self::Welcome(_) => None,
            Self::Support(request) => request.reply_to.as_ref(),
        }
    }

    fn issue(&self) -> Issue {
        match self {
            Self::Welcome(mail) => mail.issue,
            Self::Support(request) => request.issue,
        }
    }

    fn status(&self) -> MailStatus {
        match self {
            Self::Welcome(mail) => mail.status,
            Self::Support(request) => request.status,
        }
    }
}

impl Mails {
    /// Over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Takes the mail of `order`, if it is pending and nobody else has it.
    pub async fn take(&self, order: &MailOrder, lease: Lease, now: Timestamp) -> Result<Take, Failure> {
        const OPERATION: &str = "dynamodb UpdateItem (take mail)";
        let values = Item::new()
            .with(":n", number(order.issue.number()))
            .with(":pending", text(MailStatus::Pending.as_str()))
            .with(":now", time(now))
            .with(":until", time(lease.until))
            .with(":id", text(&lease.id))
            .with(":one", number(1_u64));
        let request = self
            .update(order, values)
            .update_expression("SET #lease = :until, #lease_id = :id ADD #tries :one")
            .condition_expression(
                "#issue = :n AND #status = :pending AND (attribute_not_exists(#lease) OR #lease <= :now)",
            )
            .expression_attribute_names("#issue", ISSUE)
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_names("#lease", LEASE_UNTIL)
            .expression_attribute_names("#lease_id", LEASE_ID)
            .expression_attribute_names("#tries", TRIES)
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match write(OPERATION, &request).await? {
            Write::Done(item) => {
                let item = item.ok_or_else(|| Failure::unreadable(OPERATION, "attributes"))?;
                Ok(Take::Taken(Box::new(TakenMail { mail: order.mail(&item)?, lease })))
            }
            Write::Refused(None) => Ok(Take::Settled),
            Write::Refused(Some(item)) => {
                let mail = order.mail(&item)?;
                if mail.issue() != order.issue || mail.status() != MailStatus::Pending {
                    return Ok(Take::Settled);
                }
                let ours = Reader(&item).optional_text(LEASE_ID) == Some(&lease.id);
                Ok(if ours { Take::Taken(Box::new(TakenMail { mail, lease })) } else { Take::Leased })
            }
        }
    }

    /// The credential beside the mail, as it is now.
    pub async fn credential(&self, subscription: &SubscriptionId) -> Result<Option<Credential>, Failure> {
        self.0.credential(subscription).await
    }

    /// Records what became of the mail of `order`. Whoever knows it may record it, lease or not; a status never gives way to one of
    /// a lower rank, and the mail of another issue is left alone.
    pub async fn settle(
        &self,
        order: &MailOrder,
        status: MailStatus,
        message_id: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let values = Item::new()
            .with(":n", number(order.issue.number()))
            .with(":s", text(status.as_str()))
            .with(":r", number(status.rank()))
            .with(":now", time(now))
            .with_if(":m", message_id.map(text));
        let request = self
            .update(order, values)
            .condition_expression("#issue = :n AND #rank < :r")
            .expression_attribute_names("#issue", ISSUE)
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_names("#rank", RANK)
            .expression_attribute_names("#at", AT)
            .expression_attribute_names("#lease", LEASE_UNTIL)
            .expression_attribute_names("#lease_id", LEASE_ID);
        let request = match message_id {
            None => request.update_expression("SET #status = :s, #rank = :r, #at = :now REMOVE #lease, #lease_id"),
            Some(_) => request
                .update_expression("SET #status = :s, #rank = :r, #at = :now, #m = :m REMOVE #lease, #lease_id")
                .expression_attribute_names("#m", MESSAGE_ID),
        };
        write("dynamodb UpdateItem (settle mail)", &request).await.map(|_| ())
    }

    /// Gives the lease back, for the next delivery to take. Somebody else's lease is left alone.
    pub async fn release(&self, order: &MailOrder, taken: &TakenMail) -> Result<(), Failure> {
        let values = Item::new().with(":n", number(order.issue.number())).with(":mine", text(&taken.lease.id));
        let request = self
            .update(order, values)
            .update_expression("REMOVE #lease, #lease_id")
            .condition_expression("#issue = :n AND #lease_id = :mine")
            .expression_attribute_names("#issue", ISSUE)
            .expression_attribute_names("#lease", LEASE_UNTIL)
            .expression_attribute_names("#lease_id", LEASE_ID);
        write("dynamodb UpdateItem (release mail)", &request).await.map(|_| ())
    }

    fn update(&self, order: &MailOrder, values: Item) -> UpdateItemFluentBuilder {
        self.0
            .client
            .update_item()
            .table_name(&self.0.name)
            .set_key(Some(order.key().into_map()))
            .set_expression_attribute_values(Some(values.into_map()))
    }
}

/// A welcome mail as an item, its key included.
pub(super) fn to_item(subscription: &SubscriptionId, mail: &WelcomeMail) -> Attributes {
    Item::at(Key::welcome_mail(subscription))
        .with(ISSUE, number(mail.issue.number()))
        .with(TO, text(&mail.to))
        .with_if(LOCALE, mail.locale.as_ref().map(text))
        .with(CONTENT, text(mail.content.as_str()))
        .with(STATUS, text(mail.status.as_str()))
        .with(RANK, number(mail.status.rank()))
        .with(AT, time(mail.at))
        .into_map()
}

/// The welcome mail in an item as DynamoDB returned it.
pub(super) fn welcome_mail(item: &Attributes) -> Result<WelcomeMail, Failure> {
    let item = Reader(item);
    Ok(WelcomeMail {
        issue: found(ISSUE, Issue::new(item.number(ISSUE)?))?,
        to: item.parsed(TO, EmailAddress::parse)?,
        locale: item.optional_text(LOCALE).map(str::to_owned),
        content: item.parsed(CONTENT, MailContent::parse)?,
        status: item.parsed(STATUS, MailStatus::parse)?,
        at: item.time(AT)?,
    })
}

enum Write {
    Done(Option<Attributes>),
    Refused(Option<Attributes>),
}

async fn write(operation: &'static str, request: &UpdateItemFluentBuilder) -> Result<Write, Failure> {
    through_conflicts(operation, || async { decide(operation, request.clone().send().await) }).await
}

fn decide(
    operation: &'static str,
    result: Result<UpdateItemOutput, SdkError<UpdateItemError>>,
) -> Result<Try<Write>, Failure> {
    match result {
        Ok(output) => Ok(Try::Done(Write::Done(output.attributes))),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                Ok(Try::Done(Write::Refused(refused.item.clone())))
            }
            Some(UpdateItemError::TransactionConflictException(_)) => Ok(Try::Conflict(Failure::of(operation, &error))),
            _ => Err(Failure::of(operation, &error)),
        },
    }
}
