//! The pace of sending. SES limits an account twice: mails a second, and mails in 24 hours. It drops what exceeds a limit, so the function
//! waits instead of trying.

use std::time::{Duration, Instant};

/// The time that an invocation needs after a mail's turn at most: 2.5 s each for the credential and for unsealing, 8 s for SES, and 8.1 s to
/// record what was sent.
const AFTER_THE_TURN: Duration = Duration::from_millis(21_100);

/// The longest time in which an invocation waits for turns.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// How long a mail is hidden at its first delivery when the quota of the day is reached.
const FIRST_REST: Duration = Duration::from_mins(75);

/// The longest time for which a queue hides a message, 12 hours after it was received, with five minutes for what came before.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>
const LONGEST_REST: Duration = Duration::from_mins(12 * 60 - 5);

/// The turns of the mails of one instance, one after the other at its share of the account's rate.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    next: Option<Instant>,
}

/// Half of SES's usual first rate in production, 14 mails a second, since two instances send.
impl Default for Pace {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1) / 7, next: None }
    }
}

impl Pace {
    /// Returns the pace of this many mails a second; `None` unless it is a number above zero.
    pub(crate) fn parse(per_second: &str) -> Option<Self> {
        let per_second: f64 = per_second.parse().ok()?;
        let interval = Duration::try_from_secs_f64(per_second.recip()).ok()?;
        (per_second > 0.0 && per_second.is_finite()).then_some(Self { interval, next: None })
    }

    /// Reserves the next turn, `wait` from now or later. A turn after `latest` is reserved only if it is due now.
    pub(crate) fn turn(&mut self, now: Instant, wait: Duration, latest: Instant) -> Option<Instant> {
        let turn = self.next.map_or(now + wait, |next| next.max(now + wait));
        if turn > latest.max(now) {
            return None;
        }
        self.next = Some(turn + self.interval);
        Some(turn)
    }

    /// Returns how long a mail waits that was sent too fast `refusals` times: 2 to 4 turns at first, then twice as long each time, up to 32
    /// turns. `jitter` is between 0 and 1, so that instances that were refused together do not come back together.
    pub(crate) fn back_off(&self, refusals: u32, jitter: f64) -> Duration {
        let turns = 2_u32.saturating_pow(refusals).min(16);
        (self.interval * turns).mul_f64(1.0 + jitter.clamp(0.0, 1.0))
    }
}

/// Returns the last moment for which a mail may wait in an invocation that ends at `deadline`. An invocation that is too short to wait at all,
/// as in the local cloud, waits for half of its time.
pub(crate) fn latest_turn(now: Instant, deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(now);
    now + left.saturating_sub(AFTER_THE_TURN).max(left / 2).min(LONGEST_WAIT)
}

/// Returns how long a mail is hidden at its delivery number `receives` while the quota of the day is reached: 75 minutes, doubled each time,
/// up to 12 hours. Twenty deliveries last for a week.
pub(crate) fn rest(receives: u32) -> Duration {
    FIRST_REST.saturating_mul(2_u32.saturating_pow(receives.saturating_sub(1))).min(LONGEST_REST)
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_above_zero() {
        for refused in ["", "0", "-1", "NaN", "inf", "-inf", "fast", "0.0", "1e-300"] {
            assert!(Pace::parse(refused).is_none(), "{refused}");
        }
        for (rate, milliseconds) in [("14", 71), ("0.5", 2000), ("2.8", 357)] {
            assert_eq!(Pace::parse(rate).map(|pace| pace.interval.as_millis()), Some(milliseconds), "{rate}");
        }
    }

    #[test]
    fn turns_are_an_interval_apart_and_none_is_reserved_too_late() {
        let mut pace = Pace::parse("2").expect("a rate");
        let (now, half) = (Instant::now(), Duration::from_millis(500));
        let latest = now + half * 2;
        let turns = [(); 4].map(|()| pace.turn(now, Duration::ZERO, latest));
        assert_eq!(turns, [Some(now), Some(now + half), Some(now + half * 2), None]);
        let later = now + half * 10;
        assert_eq!(pace.turn(later, Duration::ZERO, latest), Some(later), "the refusal has reserved nothing");
        assert_eq!(pace.turn(later + half, half, latest), None, "there is no time to wait");
    }

    #[test]
    fn a_refused_mail_waits_longer_each_time_and_with_jitter() {
        let pace = Pace::parse("10").expect("a rate");
        let waits = |jitter| [1, 2, 3, 4, 5, 90].map(|refusals| pace.back_off(refusals, jitter).as_millis());
        assert_eq!(waits(0.0), [200, 400, 800, 1600, 1600, 1600]);
        assert_eq!(waits(1.0), [400, 800, 1600, 3200, 3200, 3200]);
    }

    #[test]
    fn an_invocation_keeps_the_time_that_it_needs_after_a_turn() {
        let now = Instant::now();
        let wait = |seconds| latest_turn(now, now + Duration::from_secs(seconds)) - now;
        assert_eq!([wait(10), wait(30), wait(45), wait(900)].map(|wait| wait.as_secs()), [5, 15, 15, 15]);
        let time_out = Duration::from_secs(45);
        let longest = aws::OPERATION_TIMEOUT + wait(45) + AFTER_THE_TURN;
        assert!(longest <= crate::LONGEST && crate::LONGEST < time_out, "{longest:?}");
        assert_eq!(latest_turn(now, now), now);
    }

    #[test]
    fn twenty_rests_last_for_a_week_and_none_is_longer_than_a_queue_allows() {
        let minutes = [0, 1, 2, 3, 4, 5, 20, u32::MAX].map(|receives| rest(receives).as_secs() / 60);
        assert_eq!(minutes, [75, 75, 150, 300, 600, 715, 715, 715]);
        assert!((1..20).map(rest).sum::<Duration>() > Duration::from_hours(7 * 24));
    }
}
