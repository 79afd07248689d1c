//! The loop of a function behind a queue. Each message is handled separately, and a failed message fails alone.

use std::{
    convert::Infallible,
    error::Error,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::Retryable;
use futures_util::{FutureExt, future::join_all};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use crate::{Error as StartError, clock::time_until};

/// A batch of messages from SQS.
#[derive(Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Message>,
}

/// One message. It has no `Debug`, because only its id may reach a log.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The id that the queue gave the message.
    pub message_id: String,
    /// The message as it was sent.
    pub body: String,
    /// The handle of this delivery.
    #[serde(default)]
    pub receipt_handle: String,
    #[serde(default)]
    attributes: Attributes,
    /// When the function ends, whether or not it is done.
    #[serde(skip, default = "Instant::now")]
    pub deadline: Instant,
}

/// The part of the attributes of a message that a function reads.
#[derive(Deserialize, Default)]
struct Attributes {
    #[serde(rename = "ApproximateReceiveCount", default)]
    receive_count: String,
}

impl Message {
    /// Returns how often the queue has delivered the message, this time included.
    #[must_use]
    pub fn receives(&self) -> u32 {
        self.attributes.receive_count.parse().unwrap_or(1)
    }
}

/// The partial batch response: the messages of a queue, or records of a stream, that have to be delivered again.
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

impl BatchResponse {
    /// Returns the response in which the messages with these ids failed.
    pub(crate) fn failing(ids: impl IntoIterator<Item = String>) -> Self {
        let failure = |item_identifier| BatchItemFailure { item_identifier };
        Self { batch_item_failures: ids.into_iter().map(failure).collect() }
    }
}

/// Why a message was not handled. In both cases it is delivered again until the queue gives up and moves it to the dead-letter queue.
#[derive(Debug)]
pub enum Rejection {
    /// The message can never be handled.
    Permanent {
        /// A stable code, for alarms.
        reason: &'static str,
        /// Constant text for the operator of the system that sent the message. It never repeats the message.
        detail: &'static str,
    },
    /// A later delivery may be handled. The error holds nothing that must not be logged.
    Temporary(Box<dyn Error + Send + Sync>),
}

impl Rejection {
    /// Returns the rejection of a message that another worker or event keeps from being handled.
    #[must_use]
    pub fn temporary(cause: &'static str) -> Self {
        Self::Temporary(cause.into())
    }
}

/// A failure of a service never makes a rejection permanent: the queue decides when to give up.
impl<E: Retryable + Error + Send + Sync + 'static> From<E> for Rejection {
    fn from(failure: E) -> Self {
        Self::Temporary(Box::new(failure))
    }
}

/// Runs `handle` for every message of every batch, until the environment ends.
pub async fn consume<A, F, Fut>(app: A, handle: F) -> Result<(), StartError>
where
    F: Fn(Arc<A>, Message) -> Fut,
    Fut: Future<Output = Result<(), Rejection>>,
{
    let (app, handle) = (Arc::new(app), &handle);
    let batches = service_fn(move |event: LambdaEvent<Batch>| {
        let app = Arc::clone(&app);
        async move {
            let LambdaEvent { payload, context, .. } = event;
            let time_left = time_until(context.deadline());
            Ok::<_, Infallible>(handle_batch(&app, handle, payload, &context.request_id, time_left).await)
        }
    });
    lambda_runtime::run(batches).await
}

/// Handles the messages of a batch at the same time; a panic fails its own message. Logs one line for each message, with the id of the
/// invocation, the outcome and the duration.
pub async fn handle_batch<A, F, Fut>(
    app: &Arc<A>,
    handle: &F,
    batch: Batch,
    request_id: &str,
    time_left: Duration,
) -> BatchResponse
where
    F: Fn(Arc<A>, Message) -> Fut,
    Fut: Future<Output = Result<(), Rejection>>,
{
    let deadline = Instant::now() + time_left;
    let one = async |message: Message| {
        let (id, began) = (message.message_id.clone(), Instant::now());
        let done = AssertUnwindSafe(handle(Arc::clone(app), Message { deadline, ..message })).catch_unwind().await;
        report(request_id, &id, began, done.as_ref().ok()).then_some(id)
    };
    let failures = join_all(batch.records.into_iter().map(one)).await;
    BatchResponse::failing(failures.into_iter().flatten())
}

/// Logs the outcome of a message, and returns whether it failed.
pub(crate) fn report(request_id: &str, message_id: &str, began: Instant, done: Option<&Result<(), Rejection>>) -> bool {
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
    use serde_json::json;

    use super::*;

    async fn run(bodies: &[&str]) -> serde_json::Value {
        let records: Vec<_> =
            bodies.iter().map(|body| json!({ "messageId": format!("id-{body}"), "body": body })).collect();
        let batch = serde_json::from_value(json!({ "Records": records })).unwrap_or_else(|_| Batch { records: vec![] });
        let handle = |_: Arc<()>, message: Message| async move {
            match message.body.as_str() {
                "good" => Ok(()),
                "bad" => Err(Rejection::Permanent { reason: "bad", detail: "bad" }),
                "late" => Err(Rejection::temporary("later")),
                _ => panic!("a handler's mistake"),
            }
        };
        let response = handle_batch(&Arc::new(()), &handle, batch, "r-1", Duration::from_secs(1)).await;
        serde_json::to_value(response).unwrap_or_default()
    }

    #[tokio::test]
    async fn every_message_fails_alone_even_by_a_panic() {
        let expected = ["id-bad", "id-panic", "id-late"].map(|id| json!({ "itemIdentifier": id }));
        assert_eq!(run(&["good", "bad", "panic", "late"]).await, json!({ "batchItemFailures": expected }));
    }

    #[tokio::test]
    async fn an_empty_batch_has_no_failures() {
        assert_eq!(run(&[]).await, json!({ "batchItemFailures": [] }));
    }

    #[test]
    fn a_message_says_how_often_it_was_delivered() {
        let read = |message| serde_json::from_value::<Message>(message).map(|message| message.receives()).ok();
        let attributes = json!({ "ApproximateReceiveCount": "3", "SentTimestamp": "1" });
        assert_eq!(read(json!({ "messageId": "1", "body": "", "attributes": attributes })), Some(3));
        assert_eq!(read(json!({ "messageId": "1", "body": "" })), Some(1));
    }
}
