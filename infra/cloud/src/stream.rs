//! The event source mapping from the table's stream to `publish-events`. It invokes the function with batches of records, in order, and one
//! at a time, and reads the response as Lambda does:
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>.
//!
//! - The function reports records as failed: the batch is delivered again, from the first of them in the stream's order.
//! - The invocation fails, or its response is invalid: both halves of the batch are delivered again.
//!
//! A record that fails often becomes a dead letter, and the mapping continues after it. Deployed, it is retried until it is 23 hours old.
//!
//! The position in the stream is saved together with the dead letters, so after a restart with `--data` the mapping resumes where it stopped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::dynamo::{Dynamo, sequence_number};
use super::pattern::Pattern;
use super::queue::{Queue, Queues};
use super::{Error, Invoke, delivery};
use template::Template;

/// The function that the mapping invokes, and the queue of its dead letters.
const TARGET: Queue = Queue::PublishEvents;

/// How often a record may fail until it becomes a dead letter: alone in its batch, or as the first record that the function reports.
const MOST_FAILURES: u32 = 20;

pub(super) struct StreamMapping {
    dynamo: Arc<Dynamo>,
    queues: Arc<Queues>,
    invoke: Invoke,
    settings: Settings,
}

/// The settings of the mapping in the template.
#[derive(Debug)]
struct Settings {
    batch_size: usize,
    /// A record is delivered if one of them matches it.
    filters: Vec<Pattern>,
}

/// A record that is being delivered.
struct Delivery {
    record: Value,
    receives: u32,
    failures: u32,
}

/// The result of an invocation with a batch.
enum Outcome {
    /// The function handled every record.
    Handled,
    /// The records before this index were handled; the one at this index failed for a reason.
    FailedFrom(usize, String),
    /// The whole invocation failed for a reason.
    Failed(String),
}

impl StreamMapping {
    /// Returns the mapping of the template, if it has one.
    pub(super) fn deployed(dynamo: &Arc<Dynamo>, queues: &Arc<Queues>, invoke: &Invoke) -> Result<Option<Self>, Error> {
        let wrong = |refusal: String| Error::caused("cannot use the event source mapping of the template", refusal);
        let template = Template::deployed().map_err(|error| wrong(error.to_string()))?;
        let settings = Settings::read(&template).map_err(wrong)?;
        let mapping = settings.map(|settings| Self {
            dynamo: Arc::clone(dynamo),
            queues: Arc::clone(queues),
            invoke: Arc::clone(invoke),
            settings,
        });
        Ok(mapping)
    }

    /// Delivers records until the future is dropped.
    pub(super) async fn run(self: Arc<Self>) {
        let mut written = self.dynamo.written.subscribe();
        loop {
            if let Err(error) = self.pump().await {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "the event source mapping failed and retries in a second");
                tokio::time::sleep(Duration::from_secs(1)).await;
            } else if written.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until every record that the stream holds has been handled or is a dead letter.
    pub(super) async fn caught_up(&self) -> Result<(), Error> {
        let mut changes = self.queues.changes();
        while self.dynamo.has_records_after(self.queues.stream_position().as_deref())? {
            if changes.changed().await.is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Delivers every record that the stream holds now.
    async fn pump(&self) -> Result<(), Error> {
        loop {
            let records = self.dynamo.records_after(self.queues.stream_position().as_deref())?;
            let Some(last) = records.last().map(sequence_number) else { return Ok(()) };
            let chosen: Vec<_> = records.into_iter().filter(|record| self.settings.choose(record)).collect();
            for batch in chosen.chunks(self.settings.batch_size) {
                self.deliver(batch).await;
            }
            self.queues.pass(last);
        }
    }

    /// Delivers records until each of them has been handled or is a dead letter.
    async fn deliver(&self, records: &[Value]) {
        let new = |record: &Value| Delivery { record: record.clone(), receives: 0, failures: 0 };
        let mut batches = VecDeque::from([records.iter().map(new).collect::<Vec<_>>()]);
        while let Some(mut batch) = batches.pop_front() {
            match self.invoke(&mut batch).await {
                Outcome::Handled => {
                    self.pass(&batch);
                    continue;
                }
                Outcome::FailedFrom(index, reason) => {
                    let mut rest = batch.split_off(index);
                    self.pass(&batch);
                    self.blame_first(&mut rest, reason);
                    batches.push_front(rest);
                }
                Outcome::Failed(_) => {
                    let second = batch.split_off(batch.len() / 2);
                    batches.push_front(second);
                    batches.push_front(batch);
                }
            }
            batches.retain(|batch| !batch.is_empty());
            if !batches.is_empty() {
                tokio::time::sleep(self.queues.redelivery()).await;
            }
        }
    }

    /// Invokes the function with a batch.
    async fn invoke(&self, batch: &mut [Delivery]) -> Outcome {
        for delivery in batch.iter_mut() {
            delivery.receives += 1;
        }
        let records: Vec<_> = batch.iter().map(|delivery| &delivery.record).collect();
        let event = json!({ "Records": records });
        let invoke = Arc::clone(&self.invoke);
        // In a task of its own, so that a panic of the function does not end the mapping.
        let mut flight = JoinSet::new();
        flight.spawn(async move { delivery::invoked(&invoke, TARGET.name(), event).await });
        let answer = flight.join_next().await.and_then(Result::ok);
        let answer = answer.unwrap_or_else(|| Err("the invocation was interrupted".to_owned()));
        let outcome = outcome(answer, batch);
        if let Outcome::Failed(reason) | Outcome::FailedFrom(_, reason) = &outcome {
            tracing::warn!(function = TARGET.name(), records = batch.len(), reason, "records of the stream failed");
        }
        outcome
    }

    /// Counts a failure of the first record, which becomes a dead letter if there were too many.
    fn blame_first(&self, batch: &mut Vec<Delivery>, reason: String) {
        let Some(first) = batch.first_mut() else { return };
        first.failures += 1;
        if first.failures >= MOST_FAILURES {
            let Delivery { record, receives, .. } = batch.remove(0);
            let position = sequence_number(&record);
            self.queues.give_up(TARGET, record, receives, reason, position);
        }
    }

    /// Moves the position behind records that were handled.
    fn pass(&self, batch: &[Delivery]) {
        if let Some(last) = batch.last() {
            self.queues.pass(sequence_number(&last.record));
        }
    }
}

/// Interprets the response to an invocation.
fn outcome(answer: Result<Value, String>, batch: &[Delivery]) -> Outcome {
    let place = |id: &String| batch.iter().position(|delivery| sequence_number(&delivery.record) == *id);
    let is_known = |id: &str| place(&id.to_owned()).is_some();
    let failed = answer.and_then(|answer| {
        let invalid = |problem| format!("{} returned an invalid response: {problem}", TARGET.name());
        delivery::failed_ids(&answer, is_known).map_err(invalid)
    });
    match failed {
        Ok(failed) => match failed.iter().filter_map(place).min() {
            None => Outcome::Handled,
            Some(lowest) => Outcome::FailedFrom(lowest, format!("{} reported it failed", TARGET.name())),
        },
        Err(reason) if batch.len() == 1 => Outcome::FailedFrom(0, reason),
        Err(reason) => Outcome::Failed(reason),
    }
}

impl Settings {
    /// Reads the settings of the mapping of `publish-events`, if the template has it. A setting that the local cloud would not heed is an error.
    fn read(template: &Template) -> Result<Option<Self>, String> {
        let mut found = None;
        for (id, function) in template.resources_of("AWS::Serverless::Function") {
            let events = function["Properties"]["Events"].as_object();
            for (_, event) in events.into_iter().flatten().filter(|(_, event)| event["Type"] == "DynamoDB") {
                let is_target = function["Metadata"]["BuildProperties"]["Binary"] == TARGET.name();
                if !is_target || found.is_some() {
                    let name = TARGET.name();
                    return Err(format!("{id}: the local cloud only feeds {name} from the stream, by one mapping"));
                }
                found = Some(Self::parse(&event["Properties"]).map_err(|error| format!("{id}: {error}"))?);
            }
        }
        Ok(found)
    }

    fn parse(properties: &Value) -> Result<Self, String> {
        for (name, required) in [
            ("StartingPosition", json!("TRIM_HORIZON")),
            ("BisectBatchOnFunctionError", json!(true)),
            ("FunctionResponseTypes", json!(["ReportBatchItemFailures"])),
        ] {
            if properties[name] != required {
                return Err(format!("{name} must be {required}"));
            }
        }
        let filters = properties["FilterCriteria"]["Filters"].as_array().filter(|filters| !filters.is_empty());
        let filters = filters.ok_or("FilterCriteria must have filters")?;
        let filters = filters.iter().map(|filter| Pattern::read(filter["Pattern"].as_str().unwrap_or_default()));
        let batch_size = properties["BatchSize"].as_u64().and_then(|size| usize::try_from(size).ok());
        let batch_size = batch_size.filter(|size| *size > 0).ok_or("BatchSize must be a positive number")?;
        Ok(Self { batch_size, filters: filters.collect::<Result<_, _>>()? })
    }

    /// Returns whether a record is delivered.
    fn choose(&self, record: &Value) -> bool {
        self.filters.iter().any(|filter| filter.matches(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the settings of a function with events, each of them with a setting that differs from those of the template.
    fn read(binary: &str, events: &[(&str, &str)]) -> Result<Option<Settings>, String> {
        let events = events.iter().enumerate().map(|(place, (setting, value))| {
            let mut properties = json!({
                "StartingPosition": "TRIM_HORIZON",
                "BatchSize": 100,
                "BisectBatchOnFunctionError": true,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "FilterCriteria": { "Filters": [{ "Pattern": r#"{"eventName": ["INSERT"]}"# }] },
            });
            properties[*setting] = serde_json::from_str(value).expect("JSON");
            (format!("Stream{place}"), json!({ "Type": "DynamoDB", "Properties": properties }))
        });
        let function = json!({
            "Type": "AWS::Serverless::Function",
            "Metadata": { "BuildProperties": { "Binary": binary } },
            "Properties": { "Events": events.collect::<serde_json::Map<_, _>>() },
        });
        let template = json!({ "Parameters": {}, "Resources": { "Function": function } });
        Settings::read(&Template::parse(&template.to_string()).expect("a template"))
    }

    #[test]
    fn a_setting_that_the_local_cloud_would_not_heed_is_an_error() {
        assert_eq!(read("publish-events", &[]).map(|settings| settings.is_some()), Ok(false));
        let settings = read("publish-events", &[("BatchSize", "7")]).expect("settings").expect("a mapping");
        assert_eq!(settings.batch_size, 7);
        assert!(settings.choose(&json!({"eventName": "INSERT"})) && !settings.choose(&json!({"eventName": "REMOVE"})));
        for (setting, value) in [
            ("StartingPosition", "\"LATEST\""),
            ("BisectBatchOnFunctionError", "false"),
            ("FunctionResponseTypes", "[]"),
            ("BatchSize", "0"),
            ("FilterCriteria", "null"),
            ("FilterCriteria", r#"{"Filters": []}"#),
            ("FilterCriteria", r#"{"Filters": [{"Pattern": "x"}]}"#),
        ] {
            assert!(read("publish-events", &[(setting, value)]).is_err(), "{setting}: {value}");
        }
        let size = ("BatchSize", "7");
        assert!(read("publish-events", &[size, size]).is_err_and(|error| error.contains("one mapping")));
        assert!(read("send-mail", &[size]).is_err_and(|error| error.contains("only feeds publish-events")));
    }
}
