//! The local cloud's clock, the only place in the local cloud that reads the time of day. It can be moved forward.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Error, file};

/// The end of the year 9999, the latest time in RFC 3339.
const LATEST: i64 = 253_402_300_799;

/// The name of the file in which a clock keeps how far it is ahead.
const FILE: &str = "clock";

/// The clock of a local cloud, which only moves forward. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock {
    seconds: Arc<AtomicI64>,
    /// Whether `seconds` is the time itself. Otherwise it is how far the clock is ahead of the machine's.
    is_manual: bool,
    file: Option<PathBuf>,
}

impl Clock {
    /// Returns a clock that shows the machine's time until it is moved.
    #[must_use]
    pub fn system() -> Self {
        Self { seconds: Arc::default(), is_manual: false, file: None }
    }

    /// Returns a clock that shows `seconds` since the Unix epoch, and stands still between moves.
    #[must_use]
    pub fn manual(seconds: Arc<AtomicI64>) -> Self {
        Self { seconds, is_manual: true, file: None }
    }

    /// Returns a clock that keeps how far it is ahead of the machine's in a file in `directory`, which other processes can read.
    /// It continues where the last clock of this directory ended.
    pub fn kept_in(directory: &Path) -> Result<Self, Error> {
        file::create_directory(directory)?;
        let unwritable = |source| Error::caused(format!("cannot write a clock to {}", directory.display()), source);
        let path = std::path::absolute(directory.join(FILE)).map_err(unwritable)?;
        let ahead: i64 = file::read(&path)?.unwrap_or_default();
        let clock = Self { seconds: Arc::new(AtomicI64::new(ahead)), is_manual: false, file: Some(path) };
        clock.write().map_err(unwritable)?;
        Ok(clock)
    }

    /// Returns the file that says, as a whole number, how many seconds the clock is ahead of the machine's.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Returns the number that moves with the clock, for another clock that must agree with it: how many seconds the clock is ahead of
    /// the machine's, or the time of a manual clock.
    #[must_use]
    pub fn shared_seconds(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.seconds)
    }

    /// Returns a number that is another one after each move.
    pub(super) fn moves(&self) -> i64 {
        self.seconds.load(Ordering::SeqCst)
    }

    /// Returns the time in seconds since the Unix epoch.
    #[must_use]
    pub fn epoch_seconds(&self) -> i64 {
        self.now().unix_timestamp()
    }

    /// Returns the time in milliseconds since the Unix epoch, the form of SQS timestamps.
    pub(super) fn epoch_millis(&self) -> u64 {
        u64::try_from(self.now().unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
    }

    /// Returns the time in RFC 3339 and UTC, with milliseconds.
    #[must_use]
    pub fn rfc3339(&self) -> String {
        let now = self.now();
        now.replace_millisecond(now.millisecond()).unwrap_or(now).format(&Rfc3339).unwrap_or_default()
    }

    /// Returns whether the clock can move forward by `seconds`: it ends with the year 9999.
    pub(super) fn can_advance(&self, seconds: u64) -> bool {
        i64::try_from(seconds).is_ok_and(|seconds| seconds <= LATEST - self.epoch_seconds())
    }

    /// Moves the clock forward.
    pub(super) fn advance(&self, seconds: u64) {
        self.seconds.fetch_add(i64::try_from(seconds).unwrap_or(0), Ordering::SeqCst);
        if let Err(error) = self.write() {
            tracing::error!(%error, "cannot write the clock");
        }
    }

    fn write(&self) -> std::io::Result<()> {
        match &self.file {
            Some(path) => file::write(path, &self.seconds.load(Ordering::SeqCst)),
            None => Ok(()),
        }
    }

    fn now(&self) -> OffsetDateTime {
        let seconds = self.seconds.load(Ordering::SeqCst);
        if self.is_manual {
            return OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        }
        let now = machine_time();
        now.checked_add(time::Duration::seconds(seconds)).unwrap_or(now)
    }
}

/// Formats seconds since the Unix epoch in RFC 3339 and UTC, such as `2026-11-10T09:00:00Z`.
pub(super) fn whole_seconds(epoch_seconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(epoch_seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339).unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "the local cloud emulates AWS, which has its own clock")]
fn machine_time() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_shows_and_moves_the_seconds_that_it_shares() {
        let seconds = Arc::new(AtomicI64::new(1_794_301_200));
        let clock = Clock::manual(Arc::clone(&seconds));
        assert_eq!(clock.rfc3339(), "2026-11-10T09:00:00Z");
        clock.advance(90);
        assert_eq!((seconds.load(Ordering::SeqCst), clock.epoch_millis()), (1_794_301_290, 1_794_301_290_000));
        assert_eq!(whole_seconds(clock.epoch_seconds()), "2026-11-10T09:01:30Z");
    }

    #[test]
    fn a_clock_ends_with_the_year_9999() {
        let clock = Clock::manual(Arc::new(AtomicI64::new(LATEST - 10)));
        assert!(clock.can_advance(10) && !clock.can_advance(11) && !clock.can_advance(u64::MAX));
    }

    #[test]
    fn a_clock_in_a_directory_continues_after_a_restart_and_others_can_read_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let inside = directory.path().join("data");
        let clock = Clock::kept_in(&inside).expect("a clock");
        let path = clock.file().expect("a file").to_owned();
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "0");
        clock.advance(3600);
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), "3600");
        drop(clock);
        let (again, machine) = (Clock::kept_in(&inside).expect("a clock"), Clock::system());
        let ahead = again.epoch_seconds() - machine.epoch_seconds();
        assert!((3599..=3600).contains(&ahead), "{ahead}");
    }
}
