//! The time limit of a request whose calls together could take longer than its function may run.

use std::{fmt, time::Duration};

use domain::Retryable;

/// The time limit of everything that an answer depends on. It leaves time for notes after it, within the 10 seconds of a function.
pub const TIME_LIMIT: Duration = Duration::from_secs(7);

/// A request used up its time. What it has begun may have been carried out.
#[derive(Debug)]
pub struct OutOfTime;

/// Runs `work` within [`TIME_LIMIT`]: the caller gets an answer, and not the time-out of the function. `E` is what `work` fails with.
pub fn in_time<T, E: From<OutOfTime>>(work: impl Future<Output = Result<T, E>>) -> impl Future<Output = Result<T, E>> {
    within(TIME_LIMIT, work)
}

fn within<T, E: From<OutOfTime>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    // On the heap, since the work of a whole request is large.
    let work = Box::pin(work);
    async move { tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(OutOfTime.into())) }
}

impl Retryable for OutOfTime {
    fn is_transient(&self) -> bool {
        true
    }
}

impl fmt::Display for OutOfTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request used up its time")
    }
}

impl std::error::Error for OutOfTime {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_takes_too_long_is_cut_off_and_may_be_tried_again() {
        assert_eq!(in_time(async { Ok::<_, OutOfTime>("done") }).await.ok(), Some("done"));
        let forever = std::future::pending::<Result<(), OutOfTime>>();
        assert!(within(Duration::from_millis(1), forever).await.is_err_and(|error| error.is_transient()));
    }
}
