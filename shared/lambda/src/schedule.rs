//! The loop of a function that a schedule invokes.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::Timestamp;
use futures_util::FutureExt;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Deserialize;

use crate::{
    Error as StartError,
    clock::{WITHOUT_DEADLINE, time_until},
    consume::{Rejection, report},
};

/// One invocation by a schedule. `EventBridge` can deliver it late, and more than once with the same id.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Event")]
pub struct Tick {
    /// The id of the event.
    pub id: String,
    /// The time for which the invocation is scheduled.
    pub time: Timestamp,
    /// When the function ends, whether or not it is done.
    pub deadline: Instant,
}

/// The part of an `EventBridge` event that a tick has.
#[derive(Deserialize)]
struct Event {
    id: String,
    time: String,
}

impl TryFrom<Event> for Tick {
    type Error = &'static str;

    fn try_from(Event { id, time }: Event) -> Result<Self, Self::Error> {
        let time = Timestamp::parse_rfc3339(&time).ok_or("the time of the event is not in RFC 3339")?;
        Ok(Self { id, time, deadline: Instant::now() + WITHOUT_DEADLINE })
    }
}

impl Tick {
    /// Returns how much later than scheduled it is; zero if it is earlier.
    #[must_use]
    pub fn lateness(&self, now: Timestamp) -> Duration {
        now.since(self.time)
    }
}

/// Runs `handle` for every invocation by the schedule, until the environment ends.
pub async fn on_schedule<A, F, Fut>(app: A, handle: F) -> Result<(), StartError>
where
    F: Fn(Arc<A>, Tick) -> Fut,
    Fut: Future<Output = Result<(), Rejection>>,
{
    let (app, handle) = (Arc::new(app), &handle);
    let ticks = service_fn(move |event: LambdaEvent<Tick>| {
        let app = Arc::clone(&app);
        async move {
            let LambdaEvent { payload, context, .. } = event;
            let deadline = Instant::now() + time_until(context.deadline());
            handle_tick(&app, handle, Tick { deadline, ..payload }, &context.request_id).await
        }
    });
    lambda_runtime::run(ticks).await
}

/// Handles one invocation, and logs one line with its outcome and duration. An invocation that fails, or panics, is an error, so that Lambda
/// repeats it.
pub async fn handle_tick<A, F, Fut>(app: &Arc<A>, handle: &F, tick: Tick, request_id: &str) -> Result<(), &'static str>
where
    F: Fn(Arc<A>, Tick) -> Fut,
    Fut: Future<Output = Result<(), Rejection>>,
{
    let (id, began) = (tick.id.clone(), Instant::now());
    let done = AssertUnwindSafe(handle(Arc::clone(app), tick)).catch_unwind().await;
    if report(request_id, &id, began, done.as_ref().ok()) { Err("the invocation failed") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(time: &str) -> Result<Tick, serde_json::Error> {
        serde_json::from_value(serde_json::json!({ "id": "1", "time": time, "detail": {} }))
    }

    #[test]
    fn a_tick_knows_how_late_it_is() {
        let tick = tick("2026-11-10T09:00:00Z").expect("a tick");
        assert_eq!(tick.lateness(tick.time.plus(Duration::from_secs(7))), Duration::from_secs(7));
        assert_eq!(tick.lateness(Timestamp::from_epoch_seconds(0)), Duration::ZERO);
    }

    #[test]
    fn an_event_without_a_time_is_refused() {
        assert!(tick("at nine").is_err());
    }

    #[tokio::test]
    async fn a_failure_and_a_panic_are_errors_so_that_lambda_repeats_the_invocation() {
        let handle = |outcome: Arc<&'static str>, _: Tick| async move {
            match *outcome {
                "good" => Ok(()),
                "late" => Err(Rejection::temporary("later")),
                _ => panic!("a mistake in the handler"),
            }
        };
        for (outcome, expected) in [("good", true), ("late", false), ("panic", false)] {
            let tick = tick("2026-11-10T09:00:00Z").expect("a tick");
            assert_eq!(handle_tick(&Arc::new(outcome), &handle, tick, "r-1").await.is_ok(), expected, "{outcome}");
        }
    }
}
