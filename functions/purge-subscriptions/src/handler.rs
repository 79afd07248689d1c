//! `purge-subscriptions`: deletes the items of subscriptions that ended long enough ago.
//!
//! **Source**: an hourly schedule.
//!
//! A run works through the days of the last month, oldest first, so that a missed day is caught up. It takes a lease on each subscription, if
//! it is still ended by the end that is due, and deletes its items: the credential last, so that a later run finds what this one leaves
//! undone, and then the entry of the list. A subscription that has started again keeps everything. A run stops before its time is over, and the
//! next hour continues.

#![warn(clippy::wildcard_enum_match_arm)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws::{DeleteOutcome, DuePurge, Failure, LeaseOutcome, Purges, Table};
use domain::{Credential, PurgeDay, PurgeDecision, Timestamp};
use lambda::{Clock, Rejection, Settings, Tick};
use tracing::{info, warn};

/// The function's store: it lets it delete the items of ended subscriptions. No other function can delete them.
pub struct App {
    purges: Purges,
    clock: Clock,
}

/// The number of failures after which a run is left to the next one: AWS does not answer.
const FAILURES: usize = 20;

/// The time that the deletion of some more items may take. With less, the rest is left to the next run.
const MARGIN: Duration = Duration::from_secs(20);

impl App {
    /// Reads the setting `TABLE_NAME`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        Ok(Self { purges: Purges::new(Table::new(&aws, settings.required("TABLE_NAME")?)), clock })
    }
}

/// Handles one invocation by the schedule. A subscription that cannot be deleted keeps no other one from it; a failure of AWS makes Lambda
/// repeat the run.
pub async fn handle(app: Arc<App>, tick: Tick) -> Result<(), Rejection> {
    let now = app.clock.now();
    let mut run = Run { deadline: tick.deadline, purged: 0, left: 0, failures: 0, unreadable: 0 };
    for day in PurgeDay::open_at(now) {
        if !run.goes_on() {
            break;
        }
        app.work_through(day, &mut run, now).await?;
    }
    let Run { purged, left, failures, unreadable, .. } = run;
    info!(outcome = "purged", purged, left, failures, unreadable);
    if failures == 0 { Ok(()) } else { Err(Rejection::temporary("some subscriptions could not be deleted")) }
}

/// The progress of a run.
struct Run {
    /// When the function ends.
    deadline: Instant,
    /// The number of subscriptions whose items are deleted.
    purged: usize,
    /// The number of subscriptions that are left to a later run.
    left: usize,
    /// The number of failures that another run may not have.
    failures: usize,
    /// The number of subscriptions with items that cannot be read.
    unreadable: usize,
}

/// The outcome of a subscription whose deletion is due.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purged {
    /// Its items are deleted.
    Deleted,
    /// The subscription has started again, or its items were deleted before.
    NotNeeded,
    /// Another run deletes its items, or the next one continues.
    Later,
}

impl App {
    /// Deletes the subscriptions of a day, until the time of the run is over.
    async fn work_through(&self, day: PurgeDay, run: &mut Run, now: Timestamp) -> Result<(), Rejection> {
        let mut page = None;
        loop {
            let listed = self.purges.due(day, page).await?;
            for due in &listed.due {
                if !run.goes_on() {
                    return Ok(());
                }
                run.count(self.purge(due, run.deadline, now).await);
            }
            page = listed.next;
            if page.is_none() {
                return Ok(());
            }
        }
    }

    /// Deletes a subscription if it is still ended by the end that is due, and takes the end off the list.
    async fn purge(&self, due: &DuePurge, deadline: Instant, now: Timestamp) -> Result<Purged, Failure> {
        let known = self.purges.find(due).await?;
        let outcome = match known.map(|known| known.judge_purge(due.ended_at, now)) {
            Some(PurgeDecision::Purge) => self.delete(due, deadline, now).await?,
            Some(PurgeDecision::Leased) => Purged::Later,
            Some(PurgeDecision::Overtaken) | None => Purged::NotNeeded,
        };
        if outcome != Purged::Later {
            self.purges.remove(due).await?;
        }
        Ok(outcome)
    }

    async fn delete(&self, due: &DuePurge, deadline: Instant, now: Timestamp) -> Result<Purged, Failure> {
        let known = match self.purges.lease(due, now).await? {
            LeaseOutcome::Leased(known) => known,
            LeaseOutcome::Refused => return Ok(Purged::Later),
        };
        if self.delete_all_but_last(&known, deadline).await? == DeleteOutcome::Deleted {
            return Ok(Purged::Later);
        }
        Ok(match self.purges.delete_last(&known, due, now).await? {
            DeleteOutcome::NoneLeft => Purged::Deleted,
            // A portal user has written to support in between.
            DeleteOutcome::Deleted => Purged::Later,
        })
    }

    /// Deletes items until none is left, or until the time of the run is over.
    async fn delete_all_but_last(&self, known: &Credential, deadline: Instant) -> Result<DeleteOutcome, Failure> {
        while !is_over(deadline) {
            if self.purges.delete_some(known).await? == DeleteOutcome::NoneLeft {
                return Ok(DeleteOutcome::NoneLeft);
            }
        }
        Ok(DeleteOutcome::Deleted)
    }
}

impl Run {
    fn goes_on(&self) -> bool {
        self.failures < FAILURES && !is_over(self.deadline)
    }

    /// Counts the result of one subscription. An item that cannot be read fails in each run until it is mended, so it makes no run fail.
    fn count(&mut self, purged: Result<Purged, Failure>) {
        match purged {
            Ok(Purged::Deleted) => {
                self.purged += 1;
                info!(outcome = "subscription-purged", metric = "Purged");
            }
            Ok(Purged::NotNeeded) => info!(outcome = "purge-not-needed"),
            Ok(Purged::Later) => self.left += 1,
            Err(failure) => {
                let count = if failure.is_unreadable() { &mut self.unreadable } else { &mut self.failures };
                *count += 1;
                let service = failure.service();
                warn!(outcome = "purge-failed", metric = "PurgesFailed", service, cause = %failure);
            }
        }
    }
}

/// Returns whether so little time is left that nothing more may begin.
fn is_over(deadline: Instant) -> bool {
    Instant::now() + MARGIN > deadline
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_stops_before_its_time_is_over_and_after_many_failures() {
        let run = |seconds, failures| {
            let deadline = Instant::now() + Duration::from_secs(seconds);
            Run { deadline, purged: 0, left: 0, failures, unreadable: 99 }.goes_on()
        };
        assert!(run(60, 0) && run(60, FAILURES - 1));
        assert!(!run(10, 0) && !run(60, FAILURES));
    }
}
