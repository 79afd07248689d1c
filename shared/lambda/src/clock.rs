//! The clock, read once at the start of an invocation.

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
            Self::System => machine_seconds(),
            Self::Manual(seconds) => seconds.load(Ordering::SeqCst),
        };
        Timestamp::from_epoch_seconds(seconds)
    }
}

/// Returns how long it is until a time of the machine's clock.
pub(crate) fn time_until(time: SystemTime) -> Duration {
    time.duration_since(machine_time()).unwrap_or_default()
}

fn machine_seconds() -> i64 {
    let since = machine_time().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where the machine's clock is read")]
fn machine_time() -> SystemTime {
    SystemTime::now()
}
