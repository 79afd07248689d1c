//! The record of every call of an AWS service.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde::Serialize;

use super::lock;

/// A long-lived `cargo dev` forgets its oldest calls beyond this many.
const KEPT: usize = 200_000;

/// One call that reached the AWS endpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request {
    /// When it was answered, RFC 3339.
    pub at: String,
    /// The access key id that signed it: locally the name of the function.
    pub function: String,
    /// `dynamodb`, `kms` or `ses`.
    pub service: &'static str,
    /// The API's own name of it, such as `UpdateItem`.
    pub operation: String,
    /// Which attempt of its call this was, as the SDK counts them from 1.
    #[serde(skip)]
    pub attempt: u32,
    /// What the service answered, also where the answer was then withheld; nothing for a call closed before it was read.
    pub status: Option<u16>,
    /// DynamoDB's own number, summed over the tables of a batch or transaction; it gives none for a failed call.
    pub consumed_capacity: Option<f64>,
}

#[derive(Default)]
pub(super) struct Requests(Mutex<Log>);

#[derive(Default)]
struct Log {
    requests: VecDeque<Request>,
    /// How often it changed.
    changes: u64,
}

impl Requests {
    pub(super) fn record(&self, request: Request) {
        let mut log = lock(&self.0);
        if log.requests.len() == KEPT {
            log.requests.pop_front();
        }
        log.requests.push_back(request);
        log.changes += 1;
    }

    pub(super) fn all(&self) -> Vec<Request> {
        lock(&self.0).requests.iter().cloned().collect()
    }

    /// The newest, newest first, and how many there are of all.
    pub(super) fn newest(&self, most: usize) -> (Vec<Request>, usize) {
        let log = lock(&self.0);
        (log.requests.iter().rev().take(most).cloned().collect(), log.requests.len())
    }

    /// How often it changed so far.
    pub(super) fn changes(&self) -> u64 {
        lock(&self.0).changes
    }

    pub(super) fn clear(&self) {
        let mut log = lock(&self.0);
        log.requests.clear();
        log.changes += 1;
    }
}
