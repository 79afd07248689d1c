//! The record of every call to an AWS service.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde::Serialize;

use super::lock;

/// The maximum length of the record, so that a long-lived `cargo dev` does not grow without bound.
const CAPACITY: usize = 200_000;

/// One call that reached the AWS endpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request {
    /// When the call was answered, in RFC 3339.
    pub at: String,
    /// The access key id that signed the call, which locally is the name of the function.
    pub function: String,
    /// The service, by the name in its signatures, such as `dynamodb`.
    pub service: &'static str,
    /// The operation, such as `UpdateItem`.
    pub operation: String,
    /// The attempt of the call, counted from 1 by the SDK.
    #[serde(skip)]
    pub attempt: u32,
    /// The status that the service answered with, even if a fault then withheld the answer. `None` if the connection was
    /// closed before the call was read.
    pub status: Option<u16>,
    /// The capacity units that DynamoDB reports, summed over the tables of a batch or transaction. A single write whose condition failed has
    /// the units that DynamoDB charges for it; any other failed call has none.
    pub consumed_capacity: Option<f64>,
}

#[derive(Default)]
pub(super) struct Requests(Mutex<Log>);

#[derive(Default)]
struct Log {
    requests: VecDeque<Request>,
    /// The number of changes so far.
    changes: u64,
}

impl Requests {
    pub(super) fn record(&self, request: Request) {
        let mut log = lock(&self.0);
        if log.requests.len() == CAPACITY {
            log.requests.pop_front();
        }
        log.requests.push_back(request);
        log.changes += 1;
    }

    pub(super) fn all(&self) -> Vec<Request> {
        lock(&self.0).requests.iter().cloned().collect()
    }

    /// Returns up to `limit` of the newest calls, newest first, and the number of all calls.
    pub(super) fn newest(&self, limit: usize) -> (Vec<Request>, usize) {
        let log = lock(&self.0);
        (log.requests.iter().rev().take(limit).cloned().collect(), log.requests.len())
    }

    /// Returns how often the record has changed.
    pub(super) fn changes(&self) -> u64 {
        lock(&self.0).changes
    }

    pub(super) fn clear(&self) {
        let mut log = lock(&self.0);
        log.requests.clear();
        log.changes += 1;
    }
}
