//! The Pipe from the table's stream to the queue of send-mail.
//!
//! Its position in the stream and the messages that it fed are kept together, so a restart with `--data` goes on where
//! it was: the stream is part of the table's file. The emulator's stream is one shard and never trimmed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::Error;
use super::dynamo::Dynamo;
use super::pattern::Pattern;
use super::queue::{Queue, Queues};
use template::Template;

pub(super) struct Pipe {
    dynamo: Arc<Dynamo>,
    queues: Arc<Queues>,
    filter: Pattern,
    /// One reader at a time, or records would be fed twice.
    reading: Mutex<()>,
}

impl Pipe {
    pub(super) fn new(dynamo: Arc<Dynamo>, queues: Arc<Queues>) -> Result<Self, Error> {
        Ok(Self { dynamo, queues, filter: deployed_filter()?, reading: Mutex::default() })
    }

    pub(super) async fn run(self: Arc<Self>) {
        loop {
            if let Err(error) = self.pump().await {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "the Pipe cannot go on");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
            self.dynamo.written.notified().await;
        }
    }

    /// Feeds everything that the stream holds by now.
    pub(super) async fn pump(&self) -> Result<(), Error> {
        let _reading = self.reading.lock().await;
        loop {
            let records = self.dynamo.records_after(self.queues.position().as_deref())?;
            let Some(last) = records.last() else { return Ok(()) };
            let position = last["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned();
            let bodies = records.iter().filter(|record| self.filter.matches(record)).map(ToString::to_string);
            self.queues.feed(Queue::SendMail, bodies, position);
        }
    }
}

/// The filter of the template's Pipe.
fn deployed_filter() -> Result<Pattern, Error> {
    let wrong = |refusal: String| Error::caused("the filter of the template's Pipe cannot be used", refusal);
    let template = Template::deployed().map_err(|error| wrong(error.to_string()))?;
    let pipe = template.resource("MailPipe").map_err(|error| wrong(error.to_string()))?;
    let filters = &pipe["Properties"]["SourceParameters"]["FilterCriteria"]["Filters"];
    match filters.as_array().map(Vec::as_slice) {
        Some([filter]) => Pattern::read(filter["Pattern"].as_str().unwrap_or_default()).map_err(wrong),
        _ => Err(wrong("one filter is asked for".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_filter_takes_mails_that_nobody_has_tried() {
        let filter = deployed_filter().expect("the Pipe's filter");
        let record = |sk: &str, status: &str, tries: Value| {
            let mut image = json!({"status": {"S": status}});
            if !tries.is_null() {
                image["tries"] = json!({"N": tries});
            }
            json!({"eventName": "MODIFY", "dynamodb": {"Keys": {"SK": {"S": sk}}, "NewImage": image}})
        };
        assert!(filter.matches(&record("MAIL", "pending", Value::Null)));
        assert!(filter.matches(&record("MAIL#reminder#1", "pending", Value::Null)));
        assert!(!filter.matches(&record("MAIL", "pending", json!("1"))), "it was tried: the queue has it");
        assert!(!filter.matches(&record("MAIL", "sent", Value::Null)));
        assert!(!filter.matches(&record("CREDENTIAL", "pending", Value::Null)));
        let removed = json!({"eventName": "REMOVE", "dynamodb": {"Keys": {"SK": {"S": "MAIL"}}, "OldImage": {}}});
        assert!(!filter.matches(&removed));
    }
}
