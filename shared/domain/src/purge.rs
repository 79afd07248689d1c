//! The deletion of ended subscriptions: the day from which on it is due, and when it may begin.

use std::time::Duration;

use crate::{Credential, Timestamp};

/// How long one run has a subscription for itself. A start of the same id waits as long as there is a lease, over or not.
pub const LEASE: Duration = Duration::from_mins(15);

/// The number of days that a run looks at, today included: a month in which no run succeeded is caught up.
const LOOK_BACK_DAYS: i64 = 31;

const DAY: i64 = 24 * 60 * 60;

/// A day in UTC, from which on subscriptions are to be deleted. It counts from the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PurgeDay(i64);

/// The decision on a subscription whose deletion is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeDecision {
    /// Its items are deleted.
    Purge,
    /// Another run deletes them, or has stopped less than [`LEASE`] ago.
    Leased,
    /// Its items stay: it has started again, and may have ended again, after the end that was due.
    Overtaken,
}

impl PurgeDay {
    /// Returns the day of a time.
    #[must_use]
    pub fn from_time(at: Timestamp) -> Self {
        Self(at.epoch_seconds() / DAY)
    }

    /// Returns the day from which on a subscription is deleted that ended at `ended_at`, where the end was handled at `now`. A run would not find
    /// a day of the past, so the retention of an end that was delivered late begins with its delivery.
    #[must_use]
    pub fn after(ended_at: Timestamp, now: Timestamp, retention: Duration) -> Self {
        Self::from_time(ended_at.max(now).plus(retention))
    }

    /// Returns the days that a run at `now` looks at, oldest first.
    pub fn open_at(now: Timestamp) -> impl Iterator<Item = Self> {
        let Self(today) = Self::from_time(now);
        (today - LOOK_BACK_DAYS + 1..=today).map(Self)
    }
}

/// Writes the day as keys contain it, such as `2026-11-10`.
impl std::fmt::Display for PurgeDay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let begins = Timestamp::from_epoch_seconds(self.0.saturating_mul(DAY)).to_string();
        f.write_str(begins.split('T').next().unwrap_or_default())
    }
}

impl Credential {
    /// Decides whether the items of this subscription are deleted at `now`, because of its end at `ended_at`.
    #[must_use]
    pub fn judge_purge(&self, ended_at: Timestamp, now: Timestamp) -> PurgeDecision {
        if self.ended_at != Some(ended_at) {
            return PurgeDecision::Overtaken;
        }
        match self.purging_until {
            Some(until) if until > now => PurgeDecision::Leased,
            Some(_) | None => PurgeDecision::Purge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::tests::credential;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn days(number: u64) -> Duration {
        Duration::from_hours(24 * number)
    }

    #[test]
    fn a_subscription_is_deleted_from_the_day_on_at_which_its_retention_is_over() {
        let after = |ended_at, now, retention| PurgeDay::after(at(ended_at), at(now), days(retention)).to_string();
        assert_eq!(after("2026-11-10T23:59:59Z", "2026-11-10T23:59:59Z", 400), "2027-12-15");
        assert_eq!(after("2026-11-10T00:00:00Z", "2026-11-10T00:00:05Z", 1), "2026-11-11");
        assert_eq!(after("2024-01-01T00:00:00Z", "2026-11-10T09:00:00Z", 400), "2027-12-15", "delivered late");
    }

    #[test]
    fn a_run_looks_at_the_last_31_days_and_at_no_later_one() {
        let now = at("2027-12-15T00:00:00Z");
        let open: Vec<String> = PurgeDay::open_at(now).map(|day| day.to_string()).collect();
        assert_eq!((open.len(), open.first().map(String::as_str)), (31, Some("2027-11-15")));
        assert_eq!(open.last().map(String::as_str), Some("2027-12-15"));
        assert!(open.is_sorted(), "oldest first");
        assert!(PurgeDay::open_at(now).all(|day| day <= PurgeDay::from_time(now)));
    }

    #[test]
    fn only_the_end_that_is_due_deletes_and_one_run_at_a_time() {
        let now = at("2027-12-15T09:00:00Z");
        let ended_at = at("2026-11-10T09:00:00Z");
        let judged = |own: Option<Timestamp>, purging_until: Option<Timestamp>| {
            Credential { ended_at: own, purging_until, ..credential(&[]) }.judge_purge(ended_at, now)
        };
        assert_eq!(judged(Some(ended_at), None), PurgeDecision::Purge);
        assert_eq!(judged(Some(ended_at), Some(now)), PurgeDecision::Purge, "the lease is over");
        assert_eq!(judged(Some(ended_at), Some(now.plus(Duration::from_secs(1)))), PurgeDecision::Leased);
        assert_eq!(judged(None, None), PurgeDecision::Overtaken, "it has started again");
        assert_eq!(judged(Some(at("2027-01-01T00:00:00Z")), None), PurgeDecision::Overtaken, "and has ended again");
    }
}
