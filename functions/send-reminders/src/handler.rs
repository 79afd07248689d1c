//! `send-reminders`: orders the mails that remind people of credentials that are about to expire.
//!
//! **Source**: an hourly schedule.
//!
//! A run works through what was due in the last 48 hours, oldest first, so that a missed day is caught up. It decides by the credential, orders
//! the mail if it was not ordered before, and then takes the reminder off the list. Two runs at once, or one that dies, order no mail twice.

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use aws::{Due, OrderReminderOutcome, Reminders, Table};
use domain::{DuePartition, Reminder, Timestamp};
use futures_util::future::try_join_all;
use lambda::{Clock, Rejection, Settings, Tick};
use tracing::info;

/// The function's store and settings: they let it list reminders and order their mails, and nothing else.
pub struct App {
    reminders: Reminders,
    clock: Clock,
    most: usize,
}

/// The number of reminders that a run works on at once.
const AT_ONCE: usize = 10;

/// The mails a second of one instance of send-mail, and the number of instances, if the deployment does not set them.
const RATE: f64 = 7.0;
const CONCURRENCY: f64 = 2.0;

impl App {
    /// Reads the settings `TABLE_NAME`, `MAIL_RATE` and `MAIL_CONCURRENCY`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        let rate = settings.parsed("MAIL_RATE", RATE, above_zero)?;
        let instances = settings.parsed("MAIL_CONCURRENCY", CONCURRENCY, above_zero)?;
        Ok(Self {
            reminders: Reminders::new(Table::new(&aws, settings.required("TABLE_NAME")?)),
            clock,
            most: half_an_hour(rate * instances),
        })
    }
}

/// Handles one invocation by the schedule.
pub async fn handle(app: Arc<App>, tick: Tick) -> Result<(), Rejection> {
    let now = app.clock.now();
    let mut ordered = 0;
    for partition in DuePartition::all_at(now) {
        ordered += app.work_through(partition, app.most - ordered, now).await?;
        if ordered >= app.most {
            break;
        }
    }
    let late_seconds = tick.lateness(now).as_secs();
    info!(outcome = "reminded", ordered, late_seconds);
    Ok(())
}

impl App {
    /// Orders up to `most` reminders of a partition, and returns how many.
    async fn work_through(&self, partition: DuePartition, most: usize, now: Timestamp) -> Result<usize, Rejection> {
        let (mut ordered, mut next) = (0, None);
        loop {
            let page = self.reminders.due(partition, next, now).await?;
            for due in page.due.chunks(AT_ONCE) {
                let due = &due[..due.len().min(most - ordered)];
                let outcomes = try_join_all(due.iter().map(|due| self.remind(due, now))).await?;
                ordered += outcomes.iter().filter(|outcome| **outcome == Some(OrderReminderOutcome::Ordered)).count();
                if ordered == most {
                    return Ok(ordered);
                }
            }
            next = page.next;
            if next.is_none() {
                return Ok(ordered);
            }
        }
    }

    /// Orders a reminder if it is of use, and takes it off the list.
    async fn remind(&self, due: &Due, now: Timestamp) -> Result<Option<OrderReminderOutcome>, Rejection> {
        let found = self.reminders.find(due).await?;
        let reminder = found.and_then(|(credential, mail)| Reminder::new(&credential, &mail, due.issue, now));
        let outcome = match &reminder {
            Some(reminder) => Some(self.reminders.order(&due.subscription, reminder).await?),
            None => None,
        };
        self.reminders.remove(due).await?;
        if outcome == Some(OrderReminderOutcome::Ordered) {
            info!(outcome = "reminder-ordered", metric = "RemindersOrdered");
        }
        Ok(outcome)
    }
}

fn above_zero(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0)
}

/// Returns the number of mails that are sent in half an hour at this many a second, at least one. The other half of an hour is for the mails
/// that people wait for.
fn half_an_hour(per_second: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float is cut to the nearest number that fits"
    )]
    let mails = (per_second * 1800.0) as usize;
    mails.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_orders_what_is_sent_in_half_an_hour() {
        assert_eq!(half_an_hour(14.0), 25_200);
        assert_eq!(half_an_hour(0.0001), 1);
        assert_eq!(above_zero("0"), None);
        assert_eq!(above_zero("inf"), None);
        assert_eq!(above_zero("2.8"), Some(2.8));
    }
}
