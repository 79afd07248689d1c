//! The mails that `send-mail` works on: it takes a lease, sends, and settles.

use domain::{
    Credential, EmailAddress, Issue, MailClaim, MailKind, MailStatus, Notice, Reminder, SubscriptionId, SupportRequest,
    TakeRefusal, Timestamp, WelcomeMail,
};

use super::{
    Table,
    item::Attributes,
    mail,
    names::{ISSUE, Key, PK, SK, parse_subscription_key},
    notice, support,
    transaction::Write,
};
use crate::Failure;

/// Leases and settles mails, and reads the credential beside them.
pub struct Mails(Table);

/// An order to mail, as a record of the table's stream has it.
pub struct MailOrder {
    /// The subscription that the mail is about.
    pub subscription: SubscriptionId,
    /// The issue whose credentials the mail carries or is about.
    pub issue: Issue,
    /// The kind of the mail.
    pub kind: MailKind,
    /// The round: the number of times that the mail was ordered again.
    pub round: u32,
}

/// A mail that was ordered.
pub enum Mail {
    /// The welcome mail of an issue.
    Welcome(WelcomeMail),
    /// The reminder of an issue.
    Reminder(Reminder),
    /// A request to the vendor's support.
    Support(SupportRequest),
    /// A notice.
    Notice(Notice),
}

impl MailOrder {
    /// Parses a stream record of a mail item, as the pipe puts it into the queue.
    #[must_use]
    pub fn parse(record: &str) -> Option<Self> {
        let record: serde_json::Value = serde_json::from_str(record).ok()?;
        let change = &record["dynamodb"];
        let key = |name: &str| change["Keys"][name]["S"].as_str();
        let number = |name: &str| change["NewImage"][name]["N"].as_str();
        Some(Self {
            subscription: parse_subscription_key(key(PK)?)?,
            issue: Issue::new(number(ISSUE)?.parse().ok()?)?,
            kind: mail::parse_sort_key(key(SK)?)?,
            round: number(mail::ROUND).map_or(Some(0), |round| round.parse().ok())?,
        })
    }

    pub(super) fn key(&self) -> Key {
        mail::key_for(&self.subscription, &self.kind, self.issue)
    }

    /// Reads the mail from its item.
    fn mail(&self, item: &Attributes) -> Result<Mail, Failure> {
        match &self.kind {
            MailKind::Welcome => mail::from_item(item).map(Mail::Welcome),
            MailKind::Reminder => mail::reminder_from_item(item).map(Mail::Reminder),
            MailKind::Support(_) => support::from_item(item).map(Mail::Support),
            MailKind::Notice(_) => notice::from_item(item).map(Mail::Notice),
        }
    }
}

/// The result of [`Mails::take`].
pub enum TakeOutcome {
    /// This worker has the mail until its lease ends.
    Taken(Box<TakenMail>),
    /// Another worker has the mail: the delivery has to be tried again and never acknowledged.
    Leased,
    /// There is nothing to send: the mail is sent or settled, or its issue is over.
    Settled,
}

/// A mail and the lease on it.
pub struct TakenMail {
    /// The mail to send.
    pub mail: Mail,
    lease: Lease,
}

/// One worker's lease on one mail. It has an id, so that a worker whose answer was lost recognises its own lease.
#[derive(Clone)]
pub struct Lease {
    /// Random bytes in text form, different for every lease.
    pub id: String,
    /// When another worker may take the mail.
    pub until: Timestamp,
}

impl Mail {
    /// Returns the recipient.
    #[must_use]
    pub fn to(&self) -> &EmailAddress {
        match self {
            Self::Welcome(mail) => &mail.to,
            Self::Reminder(mail) => &mail.to,
            Self::Support(request) => &request.to,
            Self::Notice(notice) => &notice.to,
        }
    }

    /// Returns the address that answers go to, if it is not the sender's.
    #[must_use]
    pub fn reply_to(&self) -> Option<&EmailAddress> {
        match self {
            Self::Welcome(_) | Self::Reminder(_) | Self::Notice(_) => None,
            Self::Support(request) => request.mailable_reply_to(),
        }
    }

    fn claim<'a>(&self, lease_id: Option<&'a str>) -> MailClaim<'a> {
        let (issue, round, status) = match self {
            Self::Welcome(mail) => (mail.issue, mail.round, mail.status),
            Self::Reminder(mail) => (mail.issue, 0, mail.status),
            Self::Support(request) => (request.issue, 0, request.status),
            Self::Notice(notice) => (notice.issue, 0, notice.status),
        };
        MailClaim { issue, round, status, lease_id }
    }
}

impl Mails {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Takes the lease on the mail of `order`, if the mail is pending and no other worker has it.
    pub async fn take(&self, order: &MailOrder, lease: Lease, now: Timestamp) -> Result<TakeOutcome, Failure> {
        const OPERATION: &str = "dynamodb UpdateItem (take mail)";
        let item = match self.0.write(OPERATION, mail::take(order, &lease, now)).await? {
            Write::Done(item) => {
                return Ok(TakeOutcome::Taken(Box::new(TakenMail { mail: order.mail(&item)?, lease })));
            }
            Write::Refused(Some(item)) => item,
            Write::Refused(None) => return Ok(TakeOutcome::Settled),
        };
        let mail = order.mail(&item)?;
        Ok(match mail.claim(mail::lease_id(&item)).judge_refusal(order.issue, order.round, &lease.id) {
            TakeRefusal::OwnLease => TakeOutcome::Taken(Box::new(TakenMail { mail, lease })),
            TakeRefusal::Leased => TakeOutcome::Leased,
            TakeRefusal::Settled => TakeOutcome::Settled,
        })
    }

    /// Returns the credential beside the mail.
    pub async fn credential(&self, subscription: &SubscriptionId) -> Result<Option<Credential>, Failure> {
        self.0.credential(subscription).await
    }

    /// Records the status of the mail of `order`. Every worker that knows it may record it, with or without the lease. A status never
    /// gives way to one of a lower rank, and the mail of another issue or round stays as it is.
    pub async fn settle(
        &self,
        order: &MailOrder,
        status: MailStatus,
        message_id: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let change = mail::settle(order, status, message_id, now);
        match self.0.write("dynamodb UpdateItem (settle mail)", change).await? {
            Write::Done(_) | Write::Refused(_) => Ok(()),
        }
    }

    /// Gives the lease back for the next delivery. Another worker's lease stays as it is.
    pub async fn release(&self, order: &MailOrder, taken: &TakenMail) -> Result<(), Failure> {
        let change = mail::release(order, &taken.lease);
        match self.0.write("dynamodb UpdateItem (release mail)", change).await? {
            Write::Done(_) | Write::Refused(_) => Ok(()),
        }
    }
}
