//! The embedded DynamoDB emulator. API calls reach it over loopback; the table is created and its stream read in process.

use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use bytes::Bytes;
use dynoxide::{Database, ImportOptions, types};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::REGION;
use super::error::{Cause, Error};
use super::service::Service;
use super::wire::Answer;
use template::Template;

/// The properties of `AWS::DynamoDB::Table` that the emulator supports. The others (KMS keys, backups, deletion
/// protection) have no meaning here.
const EMULATED: [&str; 4] = ["AttributeDefinitions", "BillingMode", "KeySchema", "StreamSpecification"];

/// The operations that report consumed capacity.
const METERED: [&str; 10] = [
    "GetItem",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "Query",
    "Scan",
    "BatchGetItem",
    "BatchWriteItem",
    "TransactGetItems",
    "TransactWriteItems",
];

/// The attributes of the table's key.
const KEY: [&str; 2] = ["PK", "SK"];

/// The operations that cannot add records to the stream.
const READS: [&str; 5] = ["GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems"];

pub(super) struct Dynamo {
    database: Database,
    table: String,
    stream: String,
    client: Client<HttpConnector, Full<Bytes>>,
    uri: String,
    /// Changes after every call that may have written.
    pub(super) written: watch::Sender<()>,
}

impl Dynamo {
    pub(super) async fn start(file: Option<&Path>, table: &str, tasks: &mut JoinSet<()>) -> Result<Self, Error> {
        let database = open(file)?;
        create_table(&database, table)?;
        let stream = find_stream(&database, table)?;
        let failed = |source| Error::caused("cannot listen for the embedded DynamoDB", source);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let uri = format!("http://{}/", listener.local_addr().map_err(failed)?);
        tasks.spawn(dynoxide::server::serve_on(listener, database.clone()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { database, table: table.to_owned(), stream, client, uri, written: watch::Sender::new(()) })
    }

    /// Executes a call and records the capacity that it consumed. If the caller did not request the consumed capacity,
    /// this method requests it and removes it from the response.
    pub(super) async fn call(&self, operation: &str, headers: &HeaderMap, body: Bytes) -> Answer {
        let (body, requested) = if METERED.contains(&operation) { metered(body) } else { (body, true) };
        let answer = match self.forward(headers, body.clone()).await {
            Ok((status, answer)) if is_failed_condition(status, &answer) => {
                Answer::json(status, answer).consuming(self.refused_units(&body))
            }
            Ok((status, answer)) => counted(status, answer, requested),
            Err(error) => {
                tracing::error!(%error, "the embedded DynamoDB does not respond");
                Answer::refused(Service::DynamoDb)
            }
        };
        if !READS.contains(&operation) {
            self.written.send_replace(());
        }
        answer
    }

    async fn forward(&self, headers: &HeaderMap, body: Bytes) -> Result<(StatusCode, Bytes), Cause> {
        let mut request = Request::builder().method(Method::POST).uri(&self.uri).body(Full::new(body))?;
        for name in [header::AUTHORIZATION.as_str(), header::CONTENT_TYPE.as_str(), "x-amz-date", "x-amz-target"] {
            if let Some(value) = headers.get(name) {
                request.headers_mut().insert(http::HeaderName::try_from(name)?, value.clone());
            }
        }
        let (head, body) = self.client.request(request).await?.into_parts();
        Ok((head.status, body.collect().await?.to_bytes()))
    }

    /// Returns the write units of a single write whose condition failed, which the embedded DynamoDB does not report. DynamoDB charges the
    /// larger of the stored item and the new one of a `PutItem`, at least one unit:
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>.
    fn refused_units(&self, body: &[u8]) -> Option<f64> {
        let call: Value = serde_json::from_slice(body).ok()?;
        let new: Option<types::Item> = serde_json::from_value(call["Item"].clone()).ok();
        let key: Value = match &call["Key"] {
            Value::Null => KEY.map(|name| (name.to_owned(), call["Item"][name].clone())).into_iter().collect(),
            key => key.clone(),
        };
        let get = request(json!({"TableName": self.table, "Key": key, "ConsistentRead": true})).ok()?;
        let stored = self.database.get_item(get).ok()?.item;
        let [stored, new] = [stored, new].map(|item| item.as_ref().map(types::item_size));
        Some(types::table_write_capacity_units(stored, new))
    }

    /// Returns all records of the table's stream, oldest first.
    pub(super) fn records(&self) -> Result<Vec<Value>, Error> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let position = all.last().map(sequence_number);
            let next = self.records_after(position.as_deref())?;
            if next.is_empty() {
                return Ok(all);
            }
            all.extend(next);
        }
    }

    /// Returns the stream records after a position, oldest first. Without a position it starts at the beginning.
    pub(super) fn records_after(&self, position: Option<&str>) -> Result<Vec<Value>, Error> {
        self.read_stream(position, None)
    }

    /// Returns whether the stream has records after a position.
    pub(super) fn has_records_after(&self, position: Option<&str>) -> Result<bool, Error> {
        Ok(!self.read_stream(position, Some(1))?.is_empty())
    }

    fn read_stream(&self, position: Option<&str>, limit: Option<usize>) -> Result<Vec<Value>, Error> {
        let failed = |source| Error::caused("cannot read the table's stream", source);
        let kind = if position.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" };
        let iterator = self.database.get_shard_iterator(request(json!({
            "StreamArn": self.stream,
            "ShardId": dynoxide::streams::shard_id(&self.table),
            "ShardIteratorType": kind,
            "SequenceNumber": position,
        }))?);
        let iterator = iterator.map_err(failed)?.shard_iterator;
        let read =
            self.database.get_records(request(json!({"ShardIterator": iterator, "Limit": limit}))?).map_err(failed)?;
        read.records.into_iter().map(|record| self.as_delivered(&record)).collect()
    }

    /// Returns a record in the form in which an EventBridge Pipe delivers it. The emulator uses a made-up region, which is
    /// replaced with the region of the local cloud.
    fn as_delivered(&self, record: &dynoxide::actions::get_records::Record) -> Result<Value, Error> {
        let mut record = to_json(record)?;
        record["awsRegion"] = REGION.into();
        record["eventSourceARN"] = self.stream.replace(dynoxide::streams::LOCAL_REGION, REGION).into();
        Ok(record)
    }

    /// Adds items, each in DynamoDB JSON, with one transaction for each batch and without stream records. A second thread parses the next
    /// batch meanwhile.
    pub(super) fn import(&self, batches: impl Iterator<Item = Vec<String>> + Send) -> Result<(), Error> {
        let failed = |source| Error::caused("cannot import items", source);
        self.database.enable_bulk_loading().map_err(failed)?;
        let imported: Result<(), Error> = thread::scope(|scope| {
            let (sender, parsed) = sync_channel(1);
            scope.spawn(move || batches.map(|batch| parse(&batch)).try_for_each(|batch| sender.send(batch)));
            for batch in parsed {
                self.database.import_items(&self.table, batch?, ImportOptions::default()).map_err(failed)?;
            }
            Ok(())
        });
        self.database.disable_bulk_loading().map_err(failed)?;
        imported
    }

    /// Returns every item of the table in DynamoDB JSON.
    pub(super) fn dump(&self) -> Result<Vec<Value>, Error> {
        let mut items = Vec::new();
        let mut start = Value::Null;
        loop {
            let page = self.database.scan(request(json!({"TableName": self.table, "ExclusiveStartKey": start}))?);
            let page = to_json(&page.map_err(|source| Error::caused("cannot scan the table", source))?)?;
            items.extend(page["Items"].as_array().into_iter().flatten().cloned());
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                return Ok(items);
            }
        }
    }
}

/// Returns the sequence number of a stream record.
pub(super) fn sequence_number(record: &Value) -> String {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned()
}

/// Opens the database: in the file, or else in memory under a unique name, which a second connection can open.
fn open(file: Option<&Path>) -> Result<Database, Error> {
    let failed = |source: Cause| Error::caused("cannot open the embedded DynamoDB", source);
    let name = match file {
        None => format!("file:/{}?vfs=memdb", Uuid::new_v4()),
        Some(path) => path.to_str().ok_or_else(|| Error::new("the table's path is not UTF-8"))?.to_owned(),
    };
    let database = Database::new(&name).map_err(|error| failed(error.into()))?;
    index_stream(&name).map_err(|error| failed(error.into()))?;
    Ok(database)
}

/// Adds an index that the emulator lacks. It looks up the table's latest stream record at every write; without the index,
/// a thousand earlier writes slow each further one by milliseconds.
fn index_stream(database: &str) -> rusqlite::Result<()> {
    rusqlite::Connection::open(database)?.execute_batch(
        "CREATE INDEX IF NOT EXISTS stream_order ON _stream_records (table_name, CAST(sequence_number AS INTEGER))",
    )
}

/// Parses items in DynamoDB JSON.
fn parse(items: &[String]) -> Result<Vec<types::Item>, Error> {
    let items = items.iter().map(|item| serde_json::from_str(item)).collect::<Result<_, _>>();
    items.map_err(|source| Error::caused("cannot parse the items to import", source))
}

fn create_table(database: &Database, name: &str) -> Result<(), Error> {
    if database.get_table_metadata(name).is_ok_and(|table| table.is_some()) {
        return Ok(());
    }
    let failed = |source| Error::caused(format!("cannot create the table {name}"), source);
    let properties = deployed_table()?;
    let mut table: Map<String, Value> =
        EMULATED.into_iter().map(|property| (property.to_owned(), properties[property].clone())).collect();
    table.insert("TableName".to_owned(), name.into());
    let mut table = Value::Object(table);
    table["StreamSpecification"]["StreamEnabled"] = true.into();
    database.create_table(request(table)?).map_err(failed)?;
    let specification = &properties["TimeToLiveSpecification"];
    let time_to_live = json!({"TableName": name, "TimeToLiveSpecification": specification});
    database.update_time_to_live(request(time_to_live)?).map_err(failed)?;
    Ok(())
}

/// Returns the properties of the table in the deployment template.
fn deployed_table() -> Result<Value, Error> {
    let wrong = |source| Error::caused("cannot use the table of the deployment template", source);
    let template = Template::deployed().map_err(wrong)?;
    Ok(template.resource("Table").map_err(wrong)?["Properties"].clone())
}

fn find_stream(database: &Database, table: &str) -> Result<String, Error> {
    let streams = database
        .list_streams(request(json!({"TableName": table}))?)
        .map_err(|source| Error::caused("cannot find the table's stream", source))?;
    let stream = streams.streams.into_iter().next();
    stream.map(|stream| stream.stream_arn).ok_or_else(|| Error::new(format!("the table {table} has no stream")))
}

/// Converts JSON to one of the emulator's request types; null fields count as absent.
fn request<T: serde::de::DeserializeOwned>(mut json: Value) -> Result<T, Error> {
    if let Some(fields) = json.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    serde_json::from_value(json)
        .map_err(|source| Error::caused("the embedded DynamoDB does not accept the request", source))
}

fn to_json<T: serde::Serialize>(response: &T) -> Result<Value, Error> {
    serde_json::to_value(response)
        .map_err(|source| Error::caused("cannot convert a response of the embedded DynamoDB", source))
}

/// Returns the call with `ReturnConsumedCapacity`, and whether the caller had requested it already. A body that is not a
/// JSON object is left unchanged, for DynamoDB to refuse.
fn metered(body: Bytes) -> (Bytes, bool) {
    let Ok(mut call) = serde_json::from_slice::<Map<String, Value>>(&body) else { return (body, true) };
    match call.get("ReturnConsumedCapacity").and_then(Value::as_str) {
        None | Some("NONE") => {}
        Some(_) => return (body, true),
    }
    call.insert("ReturnConsumedCapacity".to_owned(), "TOTAL".into());
    (Value::Object(call).to_string().into(), false)
}

/// Returns whether this is the answer to a single write whose condition failed.
fn is_failed_condition(status: StatusCode, body: &[u8]) -> bool {
    status == StatusCode::BAD_REQUEST
        && serde_json::from_slice::<Value>(body).is_ok_and(|answer| {
            answer["__type"].as_str().is_some_and(|code| code.ends_with("#ConditionalCheckFailedException"))
        })
}

/// Returns the answer with the capacity that it consumed. The capacity stays in the body only if the caller requested it.
fn counted(status: StatusCode, body: Bytes, requested: bool) -> Answer {
    let Ok(mut answer) = serde_json::from_slice::<Map<String, Value>>(&body) else {
        return Answer::json(status, body);
    };
    let consumed_capacity = answer.get("ConsumedCapacity").and_then(units);
    let body = if requested || answer.remove("ConsumedCapacity").is_none() {
        body
    } else {
        Value::Object(answer).to_string().into()
    };
    Answer::json(status, body).consuming(consumed_capacity)
}

/// Returns the consumed capacity units. Batches and transactions report them for each table; this is the sum.
fn units(consumed: &Value) -> Option<f64> {
    match consumed {
        Value::Array(tables) => tables.iter().map(units).sum(),
        table => table["CapacityUnits"].as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_is_requested_if_the_caller_did_not_and_summed_over_tables() {
        let (call, requested) = metered(r#"{"TableName":"t"}"#.into());
        assert!(!requested && String::from_utf8_lossy(&call).contains("TOTAL"));
        let own = Bytes::from(r#"{"ReturnConsumedCapacity":"INDEXES"}"#);
        assert_eq!(metered(own.clone()), (own, true));
        let batch = r#"{"Responses":{},"ConsumedCapacity":[{"CapacityUnits":0.5},{"CapacityUnits":2.0}]}"#;
        assert_eq!(counted(StatusCode::OK, batch.into(), false).consumed_capacity, Some(2.5));
        assert_eq!(counted(StatusCode::OK, "{}".into(), false).consumed_capacity, None);
    }
}
