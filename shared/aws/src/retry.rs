//! Retries that the SDK does not make: after a conflict with a transaction, and after a lost race.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::Failure;

/// How long one operation may take, including all its attempts.
pub const OPERATION_TIMEOUT: Duration = Duration::from_millis(2500);

/// The number of attempts of one write that conflicts with transactions of other callers.
const ATTEMPTS: u32 = 3;

/// The number of attempts of one decision that loses races against other writers.
pub const RACES: u32 = 5;

/// The result of one attempt.
pub(crate) enum Try<T> {
    /// The write is decided, either way.
    Done(T),
    /// The write conflicted with a transaction of another caller: nothing is decided.
    Conflict(Failure),
}

/// The result of one attempt to decide and to write the decision.
pub(crate) enum Race<T> {
    /// The operation is over.
    Decided(T),
    /// Another writer changed an item between the read and the write: read again and decide again.
    Lost,
}

/// Waits for 20 to 100 ms, so that two callers whose writes conflicted do not conflict again.
pub(crate) async fn pause() {
    sleep(Duration::from_millis(fastrand::u64(20..=100))).await;
}

/// Carries out several calls that count as one operation, in the time of one.
pub(crate) fn in_time_of_one<T>(
    operation: &'static str,
    calls: impl Future<Output = Result<T, Failure>>,
) -> impl Future<Output = Result<T, Failure>> {
    // On the heap, since the calls of the SDK are large.
    let calls = Box::pin(calls);
    async move { timeout(OPERATION_TIMEOUT, calls).await.unwrap_or_else(|_| Err(Failure::timed_out(operation))) }
}

/// Retries `attempt` after a conflict, up to three times with a pause between, within the time of one operation.
pub(crate) async fn through_conflicts<T, F, Fut>(operation: &'static str, attempt: F) -> Result<T, Failure>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<Try<T>, Failure>>,
{
    let attempts = async {
        let mut left = ATTEMPTS;
        loop {
            left -= 1;
            match attempt().await? {
                Try::Done(done) => return Ok(done),
                Try::Conflict(failure) if left == 0 => return Err(failure),
                Try::Conflict(_) => pause().await,
            }
        }
    };
    timeout(OPERATION_TIMEOUT, attempts).await.unwrap_or_else(|_| Err(Failure::timed_out(operation)))
}

/// Repeats `attempt` after a lost race, up to five times with a pause between. `first` is what the caller has read already, if anything;
/// every later attempt gets `None` and reads for itself.
pub(crate) async fn through_races<S, T, F, Fut>(
    operation: &'static str,
    first: Option<S>,
    attempt: F,
) -> Result<T, Failure>
where
    F: Fn(Option<S>) -> Fut,
    Fut: Future<Output = Result<Race<T>, Failure>>,
{
    let mut known = first;
    for race in 0..RACES {
        if race > 0 {
            pause().await;
        }
        if let Race::Decided(decided) = attempt(known.take()).await? {
            return Ok(decided);
        }
    }
    Err(Failure::timed_out(operation))
}
