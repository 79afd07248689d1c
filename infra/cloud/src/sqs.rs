//! A fake of the part of SQS that functions call themselves: they hide a message that they have received.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;

use super::queue::{Queue, Queues};
use super::service::Service;
use super::wire::Answer;

/// The longest time for which a message is hidden after it was received.
pub(super) const LONGEST: Duration = Duration::from_hours(12);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ChangeMessageVisibility {
    queue_url: String,
    receipt_handle: String,
    visibility_timeout: u64,
}

pub(super) fn call(queues: &Queues, operation: &str, body: &Bytes) -> Answer {
    let refused = |code, message: &str| Answer::error(Service::Sqs, StatusCode::BAD_REQUEST, code, message);
    if operation != "ChangeMessageVisibility" {
        return refused("UnsupportedOperation", "The local SQS only supports ChangeMessageVisibility.");
    }
    let call: ChangeMessageVisibility = match serde_json::from_slice(body) {
        Ok(call) => call,
        Err(error) => return refused("InvalidParameterValue", &error.to_string()),
    };
    let Some(queue) = Queue::from_url(&call.queue_url) else {
        return refused("QueueDoesNotExist", "The specified queue does not exist.");
    };
    match queues.hide(queue, &call.receipt_handle, Duration::from_secs(call.visibility_timeout)) {
        Ok(()) => Answer::json(StatusCode::OK, "{}"),
        Err((code, message)) => refused(code, message),
    }
}

/// Returns the queue that a call is about.
pub(super) fn queue(body: &Bytes) -> Option<Queue> {
    let call: serde_json::Value = serde_json::from_slice(body).ok()?;
    Queue::from_url(call["QueueUrl"].as_str()?)
}
