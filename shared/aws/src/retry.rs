//! Trying again where the SDK does not: on a conflict with a transaction.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::Failure;

/// How long one operation may take, all its attempts together.
pub(crate) const OPERATION_TIMEOUT: Duration = Duration::from_millis(2500);

const TRIES: u32 = 3;

/// What one try came to.
pub(crate) enum Try<T> {
    /// Decided, for good or ill.
    Done(T),
    /// It met somebody's transaction: nothing is decided.
    Conflict(Failure),
}

/// 20 to 100 ms, so that two who met do not meet again.
pub(crate) async fn pause() {
    sleep(Duration::from_millis(fastrand::u64(20..=100))).await;
}

/// Tries up to three times, with a pause between, within the time of one operation.
pub(crate) async fn through_conflicts<T, F, Fut>(operation: &'static str, attempt: F) -> Result<T, Failure>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<Try<T>, Failure>>,
{
    let tries = async {
        let mut left = TRIES;
        loop {
            left -= 1;
            match attempt().await? {
                Try::Done(done) => return Ok(done),
                Try::Conflict(failure) if left == 0 => return Err(failure),
                Try::Conflict(_) => pause().await,
            }
        }
    };
    timeout(OPERATION_TIMEOUT, tries).await.unwrap_or_else(|_| Err(Failure::too_long(operation)))
}
