//! The time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use domain::Timestamp;

/// Where the time comes from.
#[derive(Clone)]
pub enum Clock {
    /// The machine's.
    System,
    /// Seconds since the epoch, moved by hand.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The time, to be read once an invocation.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let seconds = match self {
            Self::System => seconds_of_the_machine(),
            Self::Manual(seconds) => seconds.load(Ordering::SeqCst),
        };
        Timestamp::from_epoch_seconds(seconds)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place where the machine's clock is read")]
fn seconds_of_the_machine() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
