//! Event source mappings: they turn queue messages into Lambda events, and a function's response into acknowledgements.

use std::sync::Arc;
use std::time::Duration;

use md5::{Digest, Md5};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::queue::{Batch, Message, Queue, Queues};
use super::{Invoke, REGION};

/// The time-out of an invocation. Deployed functions behind a queue have three times as long; a developer should not have
/// to wait that long.
pub(super) const FUNCTION_TIMEOUT: Duration = Duration::from_secs(10);

/// The `BatchSize` of every mapping.
const BATCH_SIZE: usize = 10;

/// The `MaximumConcurrency` of every mapping.
const IN_FLIGHT: usize = 4;

/// How long a mapping waits for more messages after the first one.
const WINDOW: Duration = Duration::from_millis(5);

/// Runs the event source mapping of a queue until the future is dropped.
pub(super) async fn run(queues: Arc<Queues>, queue: Queue, invoke: Invoke) {
    let mut flights = JoinSet::new();
    loop {
        queues.ready(queue).await;
        tokio::time::sleep(WINDOW).await;
        while flights.len() >= IN_FLIGHT {
            flights.join_next().await;
        }
        let batch = queues.receive(queue, BATCH_SIZE);
        if batch.messages.is_empty() {
            continue;
        }
        let invoke = Arc::clone(&invoke);
        flights.spawn(async move {
            if let Err(error) = deliver(batch, &invoke).await {
                tracing::warn!(
                    queue = queue.name(),
                    error,
                    "the invocation failed, and so did every message of the batch"
                );
            }
        });
        while flights.try_join_next().is_some() {}
    }
}

/// Delivers a batch and returns the function's response. An error means that the invocation failed, and with it the whole
/// batch.
pub(super) async fn deliver(batch: Batch, invoke: &Invoke) -> Result<Value, String> {
    let function = batch.queue.name();
    let records: Vec<_> = batch.messages.iter().map(|message| record(batch.queue, message)).collect();
    match invoked(invoke, function, json!({"Records": records})).await {
        Ok(answer) => {
            let is_known = |id: &str| batch.messages.iter().any(|message| message.id == id);
            match failed_ids(&answer, is_known) {
                Ok(failed) => batch.settle(|id| {
                    failed.iter().any(|failed| failed == id).then(|| format!("{function} reported it failed"))
                }),
                Err(problem) => batch.settle(|_| Some(format!("{function} returned an invalid response: {problem}"))),
            }
            Ok(answer)
        }
        Err(error) => {
            batch.settle(|_| Some(error.clone()));
            Err(error)
        }
    }
}

/// Invokes a function and limits it to its time-out.
pub(super) async fn invoked(invoke: &Invoke, function: &'static str, event: Value) -> Result<Value, String> {
    match tokio::time::timeout(FUNCTION_TIMEOUT, invoke(function, event)).await {
        Ok(answer) => answer.map_err(|error| format!("{function}: {error}")),
        Err(_) => Err(format!("{function} did not answer within {} seconds", FUNCTION_TIMEOUT.as_secs())),
    }
}

/// Returns the ids of the messages or records that failed. As in AWS, some empty responses count as success, and an invalid one fails
/// the whole batch:
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>.
pub(super) fn failed_ids(answer: &Value, is_known: impl Fn(&str) -> bool) -> Result<Vec<String>, &'static str> {
    let failures = match answer {
        Value::Null => return Ok(Vec::new()),
        Value::Object(fields) => match fields.get("batchItemFailures") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(failures)) => failures,
            Some(_) => return Err("batchItemFailures is not a list"),
        },
        _ => return Err("the response is not an object"),
    };
    let id = |failure: &Value| failure["itemIdentifier"].as_str().map(str::to_owned);
    let failed: Vec<_> = failures.iter().map(id).collect::<Option<_>>().ok_or("a failure has no itemIdentifier")?;
    failed.iter().all(|id| is_known(id)).then_some(failed).ok_or("an itemIdentifier does not belong to the batch")
}

/// Returns the record of a message in a Lambda event.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>
fn record(queue: Queue, message: &Message) -> Value {
    json!({
        "messageId": message.id,
        "receiptHandle": message.receipt_handle(),
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": message.receives.to_string(),
            "SentTimestamp": message.sent_at.to_string(),
            "SenderId": "local-cloud",
            "ApproximateFirstReceiveTimestamp": message.first_received_at.unwrap_or(message.sent_at).to_string(),
        },
        "messageAttributes": {},
        "md5OfBody": md5(&message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:{REGION}:000000000000:{}", queue.name()),
        "awsRegion": REGION,
    })
}

fn md5(text: &str) -> String {
    format!("{:032x}", u128::from_be_bytes(Md5::digest(text).into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;
    use template::Template;

    #[test]
    fn mappings_have_the_settings_of_the_template() {
        let template = Template::deployed().expect("the template");
        let properties = |id: &str| template.resource(id).expect(id)["Properties"].clone();
        for function in ["SubscriptionStart", "SendMail"] {
            let mapping = &properties(function)["Events"]["Messages"]["Properties"];
            assert_eq!(mapping["BatchSize"], BATCH_SIZE, "{function}");
            assert_eq!(mapping["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{function}");
        }
    }

    #[test]
    fn a_response_is_interpreted_as_lambda_does() {
        let queues = Arc::new(Queues::open(None, Duration::ZERO, Clock::system()).expect("queues in memory"));
        let batch = queues.send_and_receive(Queue::SendMail, "{}".to_owned());
        let id = batch.messages[0].id.clone();
        let failed = |answer: Value| failed_ids(&answer, |known| known == id);
        for success in [json!(null), json!({}), json!({"batchItemFailures": null}), json!({"batchItemFailures": []})] {
            assert_eq!(failed(success), Ok(vec![]));
        }
        assert_eq!(failed(json!({"batchItemFailures": [{"itemIdentifier": id}]})), Ok(vec![id.clone()]));
        for invalid in [
            json!("ok"),
            json!([]),
            json!({"batchItemFailures": {}}),
            json!({"batchItemFailures": [{"itemIdentifier": null}]}),
            json!({"batchItemFailures": [{"itemIdentifier": ""}]}),
            json!({"batchItemFailures": [{"id": "x"}]}),
            json!({"batchItemFailures": [{"itemIdentifier": "another"}]}),
        ] {
            let shown = invalid.to_string();
            assert!(failed(invalid).is_err(), "{shown}");
        }
    }

    #[test]
    fn the_md5_of_an_empty_body_is_right() {
        assert_eq!(md5(""), "d41d8cd98f00b204e9800998ecf8427e");
    }
}
