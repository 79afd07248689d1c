//! The clock, read once at the start of an invocation.
//!
//! In a build with debug assertions the clock of the machine can be moved forward, for the local cloud: the setting `FIRSTKEY_CLOCK` names a
//! file with the number of seconds. A release build does not know the setting.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use domain::Timestamp;

/// A source of the present time.
#[derive(Clone)]
pub enum Clock {
    /// The clock of the machine.
    System,
    /// A clock that tests set: seconds since the epoch.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Returns the present time. A handler reads it once for each invocation.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let seconds = match self {
            Self::System => machine_seconds().saturating_add(seconds_ahead()),
            Self::Manual(seconds) => seconds.load(Ordering::SeqCst),
        };
        Timestamp::from_epoch_seconds(seconds)
    }
}

/// The time of an invocation whose deadline does not lie ahead: cargo-lambda gives one of 1970, and a test gives none.
pub(crate) const WITHOUT_DEADLINE: Duration = Duration::from_mins(1);

/// Returns how long it is until the deadline of an invocation that begins now.
pub(crate) fn time_until(deadline: SystemTime) -> Duration {
    deadline.duration_since(machine_time()).unwrap_or(WITHOUT_DEADLINE)
}

fn machine_seconds() -> i64 {
    let since = machine_time().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Returns how far the clock is moved forward. The file is read each time, because the clock can be moved while the function runs.
#[cfg(debug_assertions)]
fn seconds_ahead() -> i64 {
    use std::sync::LazyLock;

    static FILE: LazyLock<Option<String>> =
        LazyLock::new(|| crate::Settings::from_environment().optional("FIRSTKEY_CLOCK"));
    FILE.as_deref().map_or(0, seconds_in)
}

#[cfg(not(debug_assertions))]
const fn seconds_ahead() -> i64 {
    0
}

/// Returns the whole number in a file, or 0 if it has no number.
#[cfg(debug_assertions)]
fn seconds_in(file: &str) -> i64 {
    std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where the machine's clock is read")]
fn machine_time() -> SystemTime {
    SystemTime::now()
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use std::{
        env, fs,
        process::{Command, id},
    };

    use super::*;

    /// Runs `test` with a file of its own.
    fn with_file(name: &str, test: impl Fn(&str)) {
        let path = env::temp_dir().join(format!("firstkey-clock-{name}-{}", id()));
        test(path.to_str().expect("a path in UTF-8"));
        drop(fs::remove_file(path));
    }

    #[test]
    fn a_missing_or_unreadable_file_does_not_move_the_clock() {
        with_file("file", |file| {
            assert_eq!(seconds_in(file), 0, "there is no file");
            for (text, seconds) in [("3600", 3600), ("3600\n", 3600), ("", 0), ("soon", 0)] {
                fs::write(file, text).expect("the file is written");
                assert_eq!(seconds_in(file), seconds, "{text:?}");
            }
        });
    }

    /// The setting in which the second process of the next test finds the time of the first.
    const CHILD: &str = "CLOCK_TEST_BEGAN";

    #[test]
    fn the_setting_moves_the_clock_of_the_machine() {
        if let Some(began) = crate::Settings::from_environment().optional(CHILD) {
            let began = Timestamp::from_epoch_seconds(began.parse().expect("seconds"));
            let moved = Clock::System.now().since(began);
            assert!(moved >= Duration::from_hours(167), "the clock is ahead by {moved:?}");
            return;
        }
        with_file("setting", |file| {
            fs::write(file, "604800").expect("the file is written");
            let mut child = Command::new(env::current_exe().expect("this program"));
            child.args(["--exact", "clock::tests::the_setting_moves_the_clock_of_the_machine"]);
            child.env("FIRSTKEY_CLOCK", file).env(CHILD, machine_seconds().to_string());
            assert!(child.status().expect("the child runs").success());
        });
    }

    #[test]
    fn an_invocation_whose_deadline_does_not_lie_ahead_has_a_minute() {
        let left = time_until(machine_time() + Duration::from_hours(1));
        assert!(left > WITHOUT_DEADLINE && left <= Duration::from_hours(1), "{left:?}");
        assert_eq!(time_until(UNIX_EPOCH + Duration::from_mins(10)), WITHOUT_DEADLINE);
    }
}
