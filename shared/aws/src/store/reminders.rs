//! Reminders: the list of those that are due, and the order to mail one.

use domain::{Credential, DueHour, DuePartition, Issue, Reminder, SubscriptionId, Timestamp, WelcomeMail};

use super::{
    Table, due,
    item::{Attributes, text, time},
    mail,
    names::PK,
    transaction::PutNewOutcome,
};
use crate::Failure;

/// Lists the reminders that are due, orders their mails, and takes them off the list.
pub struct Reminders(Table);

/// A reminder that is due.
#[derive(Clone, Debug)]
pub struct Due {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The issue that is about to expire.
    pub issue: Issue,
    partition: DuePartition,
}

/// One page of the reminders that are due.
pub struct DuePage {
    /// The reminders.
    pub due: Vec<Due>,
    /// The place where the next page begins, if there is one.
    pub next: Option<DueCursor>,
}

/// The place in a partition at which a page begins.
pub struct DueCursor(Attributes);

/// The result of [`Reminders::order`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderReminderOutcome {
    /// The mail is ordered.
    Ordered,
    /// An earlier run, or another instance, has ordered the mail.
    OrderedBefore,
}

/// The number of reminders on a page.
const PAGE: i32 = 100;

impl Reminders {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Returns the last hour of which a run has worked through every reminder, if there is one.
    pub async fn done(&self) -> Result<Option<DueHour>, Failure> {
        let mark = self.0.get("dynamodb GetItem (reminders done)", due::mark_key()).await?;
        Ok(mark.as_ref().and_then(due::mark_from_item))
    }

    /// Marks the hours up to `hour` as done. Runs at once may set the mark back: the next one then reads more than it has to.
    pub async fn mark_done(&self, hour: DueHour) -> Result<(), Failure> {
        self.0.put("dynamodb PutItem (reminders done)", due::mark_to_item(hour)).await
    }

    /// Returns a page of the reminders of `partition` that are due at `now`.
    pub async fn due(
        &self,
        partition: DuePartition,
        page: Option<DueCursor>,
        now: Timestamp,
    ) -> Result<DuePage, Failure> {
        let request = self.0.client.query().table_name(&self.0.name).consistent_read(true).limit(PAGE);
        let request = request
            .key_condition_expression("#pk = :pk")
            .filter_expression("#due_at <= :now")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#due_at", due::DUE_AT)
            .expression_attribute_values(":pk", text(&due::partition_key(partition)))
            .expression_attribute_values(":now", time(now))
            .set_exclusive_start_key(page.map(|DueCursor(key)| key));
        let answer = request.send().await.map_err(|error| Failure::from_sdk("dynamodb Query (due)", &error))?;
        // An item that was not written here is left to its time to live.
        let read = |item: &Attributes| {
            let (subscription, issue) = due::from_item(item).ok()?;
            Some(Due { subscription, issue, partition })
        };
        let due = answer.items.unwrap_or_default().iter().filter_map(read).collect();
        Ok(DuePage { due, next: answer.last_evaluated_key.map(DueCursor) })
    }

    /// Returns the credential and the welcome mail that a reminder is about. `None` if the subscription does not exist: the item was put
    /// before a transaction that was not carried out.
    pub async fn find(&self, due: &Due) -> Result<Option<(Credential, WelcomeMail)>, Failure> {
        let (credential, mail) = futures_util::try_join!(
            self.0.credential(&due.subscription),
            self.0.get("dynamodb GetItem (mail)", mail::key(&due.subscription)),
        )?;
        let Some((credential, mail)) = credential.zip(mail) else { return Ok(None) };
        Ok(Some((credential, mail::from_item(&mail)?)))
    }

    /// Orders the mail of `reminder`. Where it was ordered before, nothing changes.
    pub async fn order(
        &self,
        subscription: &SubscriptionId,
        reminder: &Reminder,
    ) -> Result<OrderReminderOutcome, Failure> {
        let item = mail::reminder_to_item(subscription, reminder);
        Ok(match self.0.put_new("dynamodb PutItem (reminder)", item).await? {
            PutNewOutcome::Put => OrderReminderOutcome::Ordered,
            PutNewOutcome::Exists => OrderReminderOutcome::OrderedBefore,
        })
    }

    /// Takes a reminder off the list.
    pub async fn remove(&self, due: &Due) -> Result<(), Failure> {
        let key = due::key(due.partition, &due.subscription, due.issue);
        let request = self.0.client.delete_item().table_name(&self.0.name).set_key(Some(key.into_map()));
        let deleted = request.send().await;
        deleted.map(drop).map_err(|error| Failure::from_sdk("dynamodb DeleteItem (due)", &error))
    }
}

impl Table {
    /// Puts the reminder of an issue on the list, before the issue starts.
    pub(super) async fn expect_reminder(
        &self,
        subscription: &SubscriptionId,
        issue: Issue,
        due_at: Timestamp,
    ) -> Result<(), Failure> {
        self.put("dynamodb PutItem (due)", due::to_item(subscription, issue, due_at)).await
    }
}
