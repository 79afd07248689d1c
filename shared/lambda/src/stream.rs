//! The loop of a function that the table's stream feeds.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures_util::FutureExt;
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Error as StartError,
    consume::{BatchResponse, Rejection, report},
};

/// The records that Lambda takes from the stream for one invocation, in their order.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>
#[derive(Deserialize)]
pub struct StreamBatch {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

/// Runs `handle` for the records of every batch, until the environment ends. It returns what became of each record, in their order.
pub async fn on_stream<A, F, Fut>(app: A, handle: F) -> Result<(), StartError>
where
    F: Fn(Arc<A>, Vec<Value>) -> Fut,
    Fut: Future<Output = Vec<Result<(), Rejection>>>,
{
    let (app, handle) = (Arc::new(app), &handle);
    let batches = service_fn(move |event: LambdaEvent<StreamBatch>| {
        let app = Arc::clone(&app);
        async move { handle_stream_batch(&app, handle, event.payload, &event.context.request_id).await }
    });
    lambda_runtime::run(batches).await
}

/// Handles a batch. Logs one line for each record, with its number in the stream. Lambda delivers a record that failed again, and everything
/// after it. A panic fails the invocation, so that Lambda divides the batch until the record that causes it is alone.
pub async fn handle_stream_batch<A, F, Fut>(
    app: &Arc<A>,
    handle: &F,
    batch: StreamBatch,
    request_id: &str,
) -> Result<BatchResponse, &'static str>
where
    F: Fn(Arc<A>, Vec<Value>) -> Fut,
    Fut: Future<Output = Vec<Result<(), Rejection>>>,
{
    let numbers: Vec<String> = batch.records.iter().map(sequence_number).collect();
    let began = Instant::now();
    let Ok(outcomes) = AssertUnwindSafe(handle(Arc::clone(app), batch.records)).catch_unwind().await else {
        report(request_id, numbers.first().map_or("", String::as_str), began, None);
        return Err("the invocation failed");
    };
    let outcomes = numbers.into_iter().zip(outcomes);
    let failed = outcomes.filter(|(number, outcome)| report(request_id, number, began, Some(outcome)));
    Ok(BatchResponse::failing(failed.map(|(number, _)| number)))
}

/// Returns the number of a record, by which Lambda knows it. Without a number, the whole batch is delivered again.
fn sequence_number(record: &Value) -> String {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn run(records: &[&str]) -> Result<Value, &'static str> {
        let records: Vec<_> =
            records.iter().map(|number| json!({ "dynamodb": { "SequenceNumber": number } })).collect();
        let batch = serde_json::from_value(json!({ "Records": records })).expect("a batch");
        let handle = |_: Arc<()>, records: Vec<Value>| async move {
            let outcome = |record: &Value| match record["dynamodb"]["SequenceNumber"].as_str() {
                Some("2") => Err(Rejection::temporary("later")),
                Some("panic") => panic!("a mistake in the handler"),
                _ => Ok(()),
            };
            records.iter().map(outcome).collect()
        };
        let response = handle_stream_batch(&Arc::new(()), &handle, batch, "r-1").await?;
        Ok(serde_json::to_value(response).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_record_fails_alone() {
        let failed = json!({ "batchItemFailures": [{ "itemIdentifier": "2" }] });
        assert_eq!(run(&["1", "2", "3"]).await, Ok(failed));
        assert_eq!(run(&[]).await, Ok(json!({ "batchItemFailures": [] })));
    }

    #[tokio::test]
    async fn a_panic_fails_the_invocation() {
        assert!(run(&["1", "panic"]).await.is_err());
    }
}
