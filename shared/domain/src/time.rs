//! Points in time, in whole seconds since 1970 in UTC, as the table stores them.

use std::time::Duration;

use serde::{Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A point in time, in whole seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The last second that RFC 3339 can express: 9999-12-31T23:59:59Z.
    const LAST: i64 = 253_402_300_799;

    /// Creates a timestamp from seconds since the epoch, clamped to the years 1970 to 9999, which RFC 3339 can express.
    #[must_use]
    pub fn from_epoch_seconds(seconds: i64) -> Self {
        Self(seconds.clamp(0, Self::LAST))
    }

    /// Returns the seconds since the epoch.
    #[must_use]
    pub fn epoch_seconds(self) -> i64 {
        self.0
    }

    /// Parses RFC 3339, dropping fractions of a second.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        Some(Self::from_epoch_seconds(parsed.unix_timestamp()))
    }

    /// Returns this time plus `duration`.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self::from_epoch_seconds(self.0.saturating_add(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)))
    }

    /// Returns the time that is `duration` earlier.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self::from_epoch_seconds(self.0.saturating_sub(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)))
    }

    /// Returns the time that has passed since `earlier`, or zero if `earlier` is in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// Returns the seconds until the next day begins, in UTC: at least one.
    #[must_use]
    pub fn seconds_until_tomorrow(self) -> u32 {
        const DAY: i64 = 24 * 60 * 60;
        u32::try_from(DAY - self.0.rem_euclid(DAY)).unwrap_or_default()
    }

    fn date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.0).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// Writes RFC 3339 in UTC, such as `2026-11-17T10:04:00Z`.
impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.date_time().format(&Rfc3339).map_err(|_| std::fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_and_whole_seconds() {
        let at = Timestamp::parse_rfc3339("2026-11-07T10:04:00.9+01:00").unwrap();
        assert_eq!(at.to_string(), "2026-11-07T09:04:00Z");
    }

    #[test]
    fn a_time_out_of_range_is_clamped() {
        assert_eq!(Timestamp::from_epoch_seconds(i64::MAX).to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(Timestamp::from_epoch_seconds(-1).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_epoch_seconds(5).plus(Duration::MAX).epoch_seconds(), Timestamp::LAST);
    }

    #[test]
    fn no_time_has_passed_since_a_future_time() {
        let (early, late) = (Timestamp::from_epoch_seconds(100), Timestamp::from_epoch_seconds(160));
        assert_eq!(late.since(early), Duration::from_mins(1));
        assert_eq!(early.since(late), Duration::ZERO);
    }

    #[test]
    fn tomorrow_is_at_most_a_day_away_and_never_now() {
        let wait = |text: &str| Timestamp::parse_rfc3339(text).unwrap().seconds_until_tomorrow();
        assert_eq!(wait("2026-11-10T00:00:00Z"), 86_400);
        assert_eq!(wait("2026-11-10T23:59:59Z"), 1);
    }
}
