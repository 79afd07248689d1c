//! The embedded DynamoDB: calls go to it over loopback, table set-up and its stream in process.

use std::path::Path;

use bytes::Bytes;
use dynoxide::Database;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::REGION;
use super::error::{Cause, Error};
use super::service::Service;
use super::wire::Answer;
use template::Template;

/// What the emulator takes of an `AWS::DynamoDB::Table`; the rest (keys of KMS, copies, protection) is about a real one.
const EMULATED: [&str; 4] = ["AttributeDefinitions", "BillingMode", "KeySchema", "StreamSpecification"];

/// Operations that report consumed capacity.
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

/// Operations of [`METERED`] after which the stream holds nothing new.
const READS: [&str; 5] = ["GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems"];

pub(super) struct Dynamo {
    database: Database,
    table: String,
    stream: String,
    client: Client<HttpConnector, Full<Bytes>>,
    uri: String,
    /// Told after every call that may have written.
    pub(super) written: Notify,
}

impl Dynamo {
    pub(super) async fn start(file: Option<&Path>, table: &str, tasks: &mut JoinSet<()>) -> Result<Self, Error> {
        let database = open(file)?;
        create_table(&database, table)?;
        let stream = stream_of(&database, table)?;
        let failed = |source| Error::caused("cannot listen for the embedded DynamoDB", source);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let uri = format!("http://{}/", listener.local_addr().map_err(failed)?);
        tasks.spawn(dynoxide::server::serve_on(listener, database.clone()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { database, table: table.to_owned(), stream, client, uri, written: Notify::new() })
    }

    /// Carries out a call, and learns what it consumed: asks for the number where the caller did not, and then keeps
    /// it from the answer.
    pub(super) async fn call(&self, operation: &str, headers: &HeaderMap, body: Bytes) -> Answer {
        let (body, asked) = if METERED.contains(&operation) { metered(body) } else { (body, true) };
        let answer = match self.forward(headers, body).await {
            Ok((status, body)) => counted(status, body, asked),
            Err(error) => {
                tracing::error!(%error, "the embedded DynamoDB does not answer");
                Answer::refused(Service::DynamoDb)
            }
        };
        if !READS.contains(&operation) {
            self.written.notify_one();
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

    /// All records of the table's stream, oldest first.
    pub(super) fn records(&self) -> Result<Vec<Value>, Error> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let position = all.last().and_then(|record| record["dynamodb"]["SequenceNumber"].as_str());
            let next = self.records_after(position)?;
            if next.is_empty() {
                return Ok(all);
            }
            all.extend(next);
        }
    }

    /// The next records of the table's stream, oldest first; from its beginning where no position is given.
    pub(super) fn records_after(&self, position: Option<&str>) -> Result<Vec<Value>, Error> {
        let failed = |source| Error::caused("cannot read the table's stream", source);
        let kind = if position.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" };
        let iterator = self.database.get_shard_iterator(typed(json!({
            "StreamArn": self.stream,
            "ShardId": dynoxide::streams::shard_id(&self.table),
            "ShardIteratorType": kind,
            "SequenceNumber": position,
        }))?);
        let iterator = iterator.map_err(failed)?.shard_iterator;
        let read = self.database.get_records(typed(json!({"ShardIterator": iterator}))?).map_err(failed)?;
        read.records.into_iter().map(|record| self.as_delivered(&record)).collect()
    }

    /// A record as an EventBridge Pipe puts it into its target. The emulator's own region is not of this world.
    fn as_delivered(&self, record: &dynoxide::actions::get_records::Record) -> Result<Value, Error> {
        let mut record = untyped(record)?;
        record["awsRegion"] = REGION.into();
        record["eventSourceARN"] = self.stream.replace(dynoxide::streams::LOCAL_REGION, REGION).into();
        Ok(record)
    }

    /// Every item, in DynamoDB's own JSON.
    pub(super) fn dump(&self) -> Result<Vec<Value>, Error> {
        let mut items = Vec::new();
        let mut start = Value::Null;
        loop {
            let page = self.database.scan(typed(json!({"TableName": self.table, "ExclusiveStartKey": start}))?);
            let page = untyped(&page.map_err(|source| Error::caused("cannot scan the table", source))?)?;
            items.extend(page["Items"].as_array().into_iter().flatten().cloned());
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                return Ok(items);
            }
        }
    }
}

/// Without a file, in memory under a name of its own, which a second connection can open.
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

/// The emulator looks for the last of a table's stream records at every write, and has no index for it: a thousand
/// writes make each of them slower by milliseconds.
fn index_stream(database: &str) -> rusqlite::Result<()> {
    rusqlite::Connection::open(database)?.execute_batch(
        "CREATE INDEX IF NOT EXISTS stream_order ON _stream_records (table_name, CAST(sequence_number AS INTEGER))",
    )
}

fn create_table(database: &Database, name: &str) -> Result<(), Error> {
    if database.get_table_metadata(name).is_ok_and(|table| table.is_some()) {
        return Ok(());
    }
    let failed = |source| Error::caused(format!("cannot create the table {name}"), source);
    let described = described_table()?;
    let mut table: Map<String, Value> =
        EMULATED.into_iter().map(|property| (property.to_owned(), described[property].clone())).collect();
    table.insert("TableName".to_owned(), name.into());
    let mut table = Value::Object(table);
    table["StreamSpecification"]["StreamEnabled"] = true.into();
    database.create_table(typed(table)?).map_err(failed)?;
    let specification = &described["TimeToLiveSpecification"];
    let request = json!({"TableName": name, "TimeToLiveSpecification": specification});
    database.update_time_to_live(typed(request)?).map_err(failed)?;
    Ok(())
}

/// The table as the template describes it.
fn described_table() -> Result<Value, Error> {
    let wrong = |source| Error::caused("the template's table cannot be used", source);
    let template = Template::deployed().map_err(wrong)?;
    Ok(template.resource("Table").map_err(wrong)?["Properties"].clone())
}

fn stream_of(database: &Database, table: &str) -> Result<String, Error> {
    let streams = database
        .list_streams(typed(json!({"TableName": table}))?)
        .map_err(|source| Error::caused("cannot find the table's stream", source))?;
    let stream = streams.streams.into_iter().next();
    stream.map(|stream| stream.stream_arn).ok_or_else(|| Error::new(format!("the table {table} has no stream")))
}

fn typed<T: serde::de::DeserializeOwned>(mut request: Value) -> Result<T, Error> {
    if let Some(fields) = request.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    serde_json::from_value(request)
        .map_err(|source| Error::caused("the embedded DynamoDB changed its requests", source))
}

fn untyped<T: serde::Serialize>(response: &T) -> Result<Value, Error> {
    serde_json::to_value(response).map_err(|source| Error::caused("the embedded DynamoDB changed its answers", source))
}

/// The call with `ReturnConsumedCapacity`, and whether the caller had asked for it. What is no JSON object is left for
/// DynamoDB to refuse.
fn metered(body: Bytes) -> (Bytes, bool) {
    let Ok(mut call) = serde_json::from_slice::<Map<String, Value>>(&body) else { return (body, true) };
    match call.get("ReturnConsumedCapacity").and_then(Value::as_str) {
        None | Some("NONE") => {}
        Some(_) => return (body, true),
    }
    call.insert("ReturnConsumedCapacity".to_owned(), "TOTAL".into());
    (Value::Object(call).to_string().into(), false)
}

fn counted(status: StatusCode, body: Bytes, asked: bool) -> Answer {
    let Ok(mut answer) = serde_json::from_slice::<Map<String, Value>>(&body) else {
        return Answer::json(status, body);
    };
    let consumed_capacity = answer.get("ConsumedCapacity").and_then(units);
    let body = if asked || answer.remove("ConsumedCapacity").is_none() {
        body
    } else {
        Value::Object(answer).to_string().into()
    };
    Answer::json(status, body).consuming(consumed_capacity)
}

/// Batches and transactions report each table: summed.
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
    fn capacity_is_asked_for_where_the_caller_did_not_and_summed_over_tables() {
        let (call, asked) = metered(r#"{"TableName":"t"}"#.into());
        assert!(!asked && String::from_utf8_lossy(&call).contains("TOTAL"));
        let own = Bytes::from(r#"{"ReturnConsumedCapacity":"INDEXES"}"#);
        assert_eq!(metered(own.clone()), (own, true));
        let batch = r#"{"Responses":{},"ConsumedCapacity":[{"CapacityUnits":0.5},{"CapacityUnits":2.0}]}"#;
        assert_eq!(counted(StatusCode::OK, batch.into(), false).consumed_capacity, Some(2.5));
        assert_eq!(counted(StatusCode::OK, "{}".into(), false).consumed_capacity, None);
    }
}
