//! `send-reminders`: orders the mails that remind people of credentials that are about to expire.
//!
//! **Source**: an hourly schedule.
//!
//! A run works through the hours since the last complete one, 48 at most, oldest first, so that a missed day is caught up. It decides by the
//! credential, orders the mail if it was not ordered before, and then takes the reminder off the list. Two runs at once, or one that dies,
//! order no mail twice.

#![warn(clippy::wildcard_enum_match_arm)]

use std::{collections::VecDeque, sync::Arc};

use aws::{Due, Failure, OrderReminderOutcome, Reminders, Table};
use domain::{DueHour, Reminder, Retryable, Timestamp};
use futures_util::future::{join_all, try_join_all};
use lambda::{Clock, Rejection, Settings, Tick};
use tracing::{info, warn};

/// The function's store and settings: they let it list reminders and order their mails, and nothing else.
pub struct App {
    reminders: Reminders,
    clock: Clock,
    most: usize,
}

/// The number of reminders that a run works on at once.
const AT_ONCE: usize = 10;

/// The number of pages of the list that a run reads at once.
const PAGES_AT_ONCE: usize = 4;

/// The number of failures after which a run is left to its repetition: AWS does not answer.
const FAILURES: usize = 20;

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

/// Handles one invocation by the schedule. A reminder that fails keeps no other from its mail; a failure that may pass makes Lambda repeat the
/// run.
pub async fn handle(app: Arc<App>, tick: Tick) -> Result<(), Rejection> {
    let now = app.clock.now();
    let mut run = Run { left: app.most, failures: 0, unreadable: 0 };
    let mut done = app.reminders.done().await?;
    for hour in DueHour::open_at(now, done) {
        app.work_through(hour, &mut run, now).await?;
        if !run.goes_on() {
            break;
        }
        if run.is_complete() && hour < DueHour::from_time(now) {
            done = Some(hour);
        }
    }
    if let Some(done) = done {
        app.reminders.mark_done(done).await?;
    }
    let (ordered, late_seconds) = (app.most - run.left, tick.lateness(now).as_secs());
    info!(outcome = "reminded", ordered, failures = run.failures, unreadable = run.unreadable, late_seconds);
    if run.failures == 0 { Ok(()) } else { Err(Rejection::temporary("some reminders could not be ordered")) }
}

/// The progress of a run.
struct Run {
    /// The number of reminders that the run may still order.
    left: usize,
    /// The number of failures that another run may not have.
    failures: usize,
    /// The number of reminders whose items cannot be read.
    unreadable: usize,
}

/// The outcome of a reminder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reminded {
    Ordered,
    OrderedBefore,
    NotNeeded,
}

impl App {
    /// Orders the reminders of an hour, as many as are left.
    async fn work_through(&self, hour: DueHour, run: &mut Run, now: Timestamp) -> Result<(), Rejection> {
        let mut pages: VecDeque<_> = hour.partitions().map(|partition| (partition, None)).collect();
        while !pages.is_empty() && run.goes_on() {
            let read = pages.drain(..pages.len().min(PAGES_AT_ONCE)).map(|(partition, page)| async move {
                self.reminders.due(partition, page, now).await.map(|page| (partition, page))
            });
            for (partition, page) in try_join_all(read).await? {
                self.remind_all(&page.due, run, now).await;
                pages.extend(page.next.map(|next| (partition, Some(next))));
            }
        }
        Ok(())
    }

    /// Orders the reminders of a page, some at once.
    async fn remind_all(&self, mut due: &[Due], run: &mut Run, now: Timestamp) {
        while !due.is_empty() && run.goes_on() {
            let (some, rest) = due.split_at(due.len().min(AT_ONCE).min(run.left));
            for reminded in join_all(some.iter().map(|due| self.remind(due, now))).await {
                run.count(reminded);
            }
            due = rest;
        }
    }

    /// Orders a reminder if it is of use, and takes it off the list.
    async fn remind(&self, due: &Due, now: Timestamp) -> Result<Reminded, Failure> {
        let found = self.reminders.find(due).await?;
        let reminder = found.and_then(|(credential, mail)| Reminder::new(&credential, &mail, due.issue, now));
        let outcome = match &reminder {
            Some(reminder) => match self.reminders.order(&due.subscription, reminder).await? {
                OrderReminderOutcome::Ordered => Reminded::Ordered,
                OrderReminderOutcome::OrderedBefore => Reminded::OrderedBefore,
            },
            None => Reminded::NotNeeded,
        };
        self.reminders.remove(due).await?;
        Ok(outcome)
    }
}

impl Run {
    fn goes_on(&self) -> bool {
        self.left > 0 && self.failures < FAILURES
    }

    /// Returns whether nothing is left behind that another run may order.
    fn is_complete(&self) -> bool {
        self.failures + self.unreadable == 0
    }

    /// Counts the result of one reminder. An item that cannot be read fails in each run until it is mended, so it makes no run fail.
    fn count(&mut self, reminded: Result<Reminded, Failure>) {
        match reminded {
            Ok(Reminded::Ordered) => {
                self.left -= 1;
                info!(outcome = "reminder-ordered", metric = "RemindersOrdered");
            }
            Ok(Reminded::OrderedBefore | Reminded::NotNeeded) => {}
            Err(failure) => {
                let count = if failure.is_transient() { &mut self.failures } else { &mut self.unreadable };
                *count += 1;
                let service = failure.service();
                warn!(outcome = "reminder-failed", metric = "RemindersFailed", service, cause = %failure);
            }
        }
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
