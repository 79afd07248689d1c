//! A function behind a queue: each message on its own, and a failed one fails alone.

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::{FutureExt, future::join_all};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use crate::Error;

/// A batch as SQS hands it over.
#[derive(Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Message>,
}

/// One message. No `Debug`: nothing of it may reach a log but its id.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The queue's id of it.
    pub message_id: String,
    /// As it was sent.
    pub body: String,
}

/// Which messages of a batch are to come again: the partial batch response.
#[derive(Serialize, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BatchResponse {
    batch_item_failures: Vec<BatchItemFailure>,
}

#[derive(Serialize, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct BatchItemFailure {
    item_identifier: String,
}

/// Why a message was not done. Either way it comes again until the queue gives up, and then lies with the dead letters.
#[derive(Debug)]
pub enum Rejection {
    /// It will never be done: a stable code, and constant text for whoever mends the sender.
    Permanent {
        /// Stable, for alarms.
        reason: &'static str,
        /// Never repeats what was sent.
        detail: &'static str,
    },
    /// It may be done later. The error holds nothing that may not be logged.
    Temporary(Box<dyn std::error::Error + Send + Sync>),
}

impl Rejection {
    /// For an error that may pass.
    pub fn temporary(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Temporary(error.into())
    }
}

/// Runs `handle` for every message of every batch, until the environment ends.
pub async fn consume<A, F, Fut>(app: A, handle: F) -> Result<(), Error>
where
    F: Fn(Arc<A>, Message) -> Fut,
    Fut: Future<Output = Result<(), Rejection>>,
{
    let (app, handle) = (Arc::new(app), &handle);
    let batches = service_fn(move |event: LambdaEvent<Batch>| {
        let app = Arc::clone(&app);
        async move {
            let request_id = &event.context.request_id;
            Ok::<_, Infallible>(handle_batch(&app, handle, event.payload, request_id).await)
        }
    });
    lambda_runtime::run(batches).await
}

/// The messages of a batch, all at once; a panic is the failure of its message. One line is logged for each, with the id of the
/// invocation, what became of it and how long it took.
pub async fn handle_batch<A, F, Fut>(app: &Arc<A>, handle: &F, batch: Batch, request_id: &str) -> BatchResponse
where
    F: Fn(Arc<A>, Message) -> Fut,
    Fut: Future<Output = Result<(), Rejection>>,
{
    let one = async |message: Message| {
        let (id, began) = (message.message_id.clone(), Instant::now());
        let done = AssertUnwindSafe(handle(Arc::clone(app), message)).catch_unwind().await;
        report(request_id, &id, began, done.as_ref().ok()).then_some(BatchItemFailure { item_identifier: id })
    };
    let failures = join_all(batch.records.into_iter().map(one)).await;
    BatchResponse { batch_item_failures: failures.into_iter().flatten().collect() }
}

/// Logs what became of a message; whether it failed.
fn report(request_id: &str, message_id: &str, began: Instant, done: Option<&Result<(), Rejection>>) -> bool {
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match done {
        Some(Ok(())) => info!(request_id, message_id, duration_ms, outcome = "done"),
        Some(Err(Rejection::Permanent { reason, detail })) => {
            warn!(request_id, message_id, duration_ms, outcome = "refused", metric = "MessageRefused", reason, detail);
        }
        Some(Err(Rejection::Temporary(cause))) => {
            let service = domain::failed_service(&**cause);
            warn!(request_id, message_id, duration_ms, outcome = "failed", service, cause = %cause);
        }
        None => error!(request_id, message_id, duration_ms, outcome = "panicked"),
    }
    !matches!(done, Some(Ok(())))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(bodies: &[&str]) -> serde_json::Value {
        let records = bodies.iter().map(|body| Message { message_id: format!("id-{body}"), body: (*body).to_owned() });
        let handle = |_: Arc<()>, message: Message| async move {
            match message.body.as_str() {
                "good" => Ok(()),
                "bad" => Err(Rejection::Permanent { reason: "bad", detail: "bad" }),
                "late" => Err(Rejection::temporary("later")),
                _ => panic!("a handler's mistake"),
            }
        };
        serde_json::to_value(handle_batch(&Arc::new(()), &handle, Batch { records: records.collect() }, "r-1").await)
            .unwrap_or_default()
    }

    #[tokio::test]
    async fn every_message_fails_alone_even_by_a_panic() {
        let expected = ["id-bad", "id-panic", "id-late"].map(|id| serde_json::json!({ "itemIdentifier": id }));
        assert_eq!(run(&["good", "bad", "panic", "late"]).await, serde_json::json!({ "batchItemFailures": expected }));
    }

    #[tokio::test]
    async fn an_empty_batch_has_no_failures() {
        assert_eq!(run(&[]).await, serde_json::json!({ "batchItemFailures": [] }));
    }
}
