//! The Pipe, which sends records of the table's stream to the queue of send-mail.
//!
//! The position in the stream is saved together with the messages that were sent, so after a restart with `--data` the Pipe
//! resumes where it stopped; the stream itself is part of the table's file. The emulator's stream has one shard and is
//! never trimmed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::Error;
use super::dynamo::{Dynamo, sequence_number};
use super::pattern::Pattern;
use super::queue::{Queue, Queues};
use template::Template;

pub(super) struct Pipe {
    dynamo: Arc<Dynamo>,
    queues: Arc<Queues>,
    filter: Pattern,
    /// Allows one reader at a time, because two would send records twice.
    reading: Mutex<()>,
}

impl Pipe {
    pub(super) fn new(dynamo: Arc<Dynamo>, queues: Arc<Queues>) -> Result<Self, Error> {
        Ok(Self { dynamo, queues, filter: deployed_filter()?, reading: Mutex::default() })
    }

    pub(super) async fn run(self: Arc<Self>) {
        let mut written = self.dynamo.written.subscribe();
        loop {
            if let Err(error) = self.pump().await {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "the Pipe failed and retries in a second");
                tokio::time::sleep(Duration::from_secs(1)).await;
            } else if written.changed().await.is_err() {
                return;
            }
        }
    }

    /// Sends every record that the stream holds now.
    pub(super) async fn pump(&self) -> Result<(), Error> {
        let _reading = self.reading.lock().await;
        loop {
            let records = self.dynamo.records_after(self.queues.position().as_deref())?;
            let Some(position) = records.last().map(sequence_number) else { return Ok(()) };
            let bodies = records.iter().filter(|record| self.filter.matches(record)).map(ToString::to_string);
            self.queues.feed(Queue::SendMail, bodies, position);
        }
    }
}

/// Returns the filter of the Pipe in the deployment template.
fn deployed_filter() -> Result<Pattern, Error> {
    let wrong =
        |refusal: String| Error::caused("cannot use the filter of the Pipe in the deployment template", refusal);
    let template = Template::deployed().map_err(|error| wrong(error.to_string()))?;
    let pipe = template.resource("MailPipe").map_err(|error| wrong(error.to_string()))?;
    let filters = &pipe["Properties"]["SourceParameters"]["FilterCriteria"]["Filters"];
    match filters.as_array().map(Vec::as_slice) {
        Some([filter]) => Pattern::read(filter["Pattern"].as_str().unwrap_or_default()).map_err(wrong),
        _ => Err(wrong("there must be one filter".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_filter_matches_pending_mails_that_were_never_tried() {
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
        assert!(
            !filter.matches(&record("MAIL", "pending", json!("1"))),
            "a mail that was tried is already in the queue"
        );
        assert!(!filter.matches(&record("MAIL", "sent", Value::Null)));
        assert!(!filter.matches(&record("CREDENTIAL", "pending", Value::Null)));
        let removed = json!({"eventName": "REMOVE", "dynamodb": {"Keys": {"SK": {"S": "MAIL"}}, "OldImage": {}}});
        assert!(!filter.matches(&removed));
    }
}
