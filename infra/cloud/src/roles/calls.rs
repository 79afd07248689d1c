//! The authorization requests of a call: for each service the action, the resource and the condition keys, as defined in the
//! service authorization reference. <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html>
//!
//! A transaction is authorized item by item, with the action of each item. A batch is authorized as a whole, with all keys
//! that it names.

use std::collections::BTreeMap;
use std::iter;

use bytes::Bytes;
use serde_json::Value;

use super::names;
use super::policy::{ATTRIBUTES, LEADING_KEYS, Request};
use crate::queue::Queue;
use crate::service::Service;
use crate::{ses, sqs};

/// Returns the authorization requests of a call, which must all be allowed. An unreadable call becomes a request that no
/// role allows.
pub(super) fn requests(service: Service, operation: &str, body: &Bytes) -> Vec<Request> {
    match service {
        Service::DynamoDb => dynamodb(operation, &json(body)),
        Service::Events => each_item(&json(body)["Entries"], |entry| Some(event(operation, entry))),
        Service::Kms => vec![kms(operation, &json(body))],
        Service::SecretsManager => vec![secret(operation, &json(body))],
        Service::Ses => ses(operation, body),
        Service::Sqs => vec![sqs(operation, body)],
    }
}

fn json(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

fn dynamodb(operation: &str, call: &Value) -> Vec<Request> {
    let table = |call: &Value| names::table_arn(call["TableName"].as_str().unwrap_or_default());
    match operation {
        "TransactWriteItems" => each_item(&call["TransactItems"], |item| {
            let (kind, item) = item.as_object()?.iter().next()?;
            let action = match kind.as_str() {
                "Put" => "PutItem",
                "Update" => "UpdateItem",
                "Delete" => "DeleteItem",
                "ConditionCheck" => "ConditionCheckItem",
                _ => return None,
            };
            Some(with_attributes(on_keys(action, table(item), vec![leading_key(item)?]), item))
        }),
        "TransactGetItems" => each_item(&call["TransactItems"], |item| {
            Some(on_keys("GetItem", table(&item["Get"]), vec![leading_key(&item["Get"])?]))
        }),
        "BatchGetItem" => {
            each_table(call, operation, |asked| asked["Keys"].as_array()?.iter().map(partition).collect())
        }
        "BatchWriteItem" => each_table(call, operation, |asked| {
            let item = |one: &Value| leading_key(&one["PutRequest"]).or_else(|| leading_key(&one["DeleteRequest"]));
            asked.as_array()?.iter().map(item).collect()
        }),
        "Query" if call["IndexName"].is_null() => {
            vec![on_keys(operation, table(call), queried_key(call).into_iter().collect())]
        }
        "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" => {
            vec![with_attributes(on_keys(operation, table(call), leading_key(call).into_iter().collect()), call)]
        }
        // No role allows any other action, nor an action on the table without keys, so these requests are always denied.
        _ => vec![on_keys(operation, table(call), Vec::new())],
    }
}

/// Returns one request for each item; an unreadable item becomes a request that no role allows.
fn each_item(items: &Value, read: impl Fn(&Value) -> Option<Request>) -> Vec<Request> {
    let items = items.as_array().map_or(&[][..], Vec::as_slice);
    let mut requests: Vec<_> = items.iter().map(|item| read(item).unwrap_or_else(unreadable)).collect();
    if requests.is_empty() {
        requests.push(unreadable());
    }
    requests
}

fn each_table(call: &Value, operation: &str, keys: impl Fn(&Value) -> Option<Vec<String>>) -> Vec<Request> {
    let tables = call["RequestItems"].as_object().into_iter().flatten();
    let requests = tables.map(|(table, asked)| {
        keys(asked).map_or_else(unreadable, |keys| on_keys(operation, names::table_arn(table), keys))
    });
    let requests: Vec<_> = requests.collect();
    if requests.is_empty() { vec![unreadable()] } else { requests }
}

fn unreadable() -> Request {
    Request { action: "unreadable".to_owned(), resource: "unreadable".to_owned(), context: BTreeMap::new() }
}

fn on_keys(operation: &str, resource: String, keys: Vec<String>) -> Request {
    let context = if keys.is_empty() { BTreeMap::new() } else { [(LEADING_KEYS.to_owned(), keys)].into() };
    Request { action: format!("dynamodb:{operation}"), resource, context }
}

/// Adds the names of the attributes of an item that a call puts.
fn with_attributes(mut request: Request, call: &Value) -> Request {
    if let Some(item) = call["Item"].as_object() {
        request.context.insert(ATTRIBUTES.to_owned(), item.keys().cloned().collect());
    }
    request
}

/// Returns the partition key of the `Item` or the `Key` of a call.
fn leading_key(call: &Value) -> Option<String> {
    partition(call.get("Item").or_else(|| call.get("Key"))?)
}

fn partition(item: &Value) -> Option<String> {
    item["PK"]["S"].as_str().map(str::to_owned)
}

/// Returns the partition key of a query, the value that its key condition compares `PK` with.
fn queried_key(call: &Value) -> Option<String> {
    let condition = call["KeyConditionExpression"].as_str()?;
    let named = |name: &str| call["ExpressionAttributeNames"][name].as_str().unwrap_or(name) == "PK";
    let (_, value) = condition
        .split(" AND ")
        .filter_map(|part| part.trim().split_once('='))
        .map(|(name, value)| (name.trim(), value.trim()))
        .find(|(name, _)| named(name))?;
    call["ExpressionAttributeValues"][value]["S"].as_str().map(str::to_owned)
}

/// Returns the request of an entry of `PutEvents`.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html>
fn event(operation: &str, entry: &Value) -> Request {
    let keys = [("events:detail-type", "DetailType"), ("events:source", "Source")];
    let context =
        keys.into_iter().filter_map(|(key, field)| Some((key.to_owned(), vec![entry[field].as_str()?.to_owned()])));
    let resource = names::called_bus_arn(entry["EventBusName"].as_str().unwrap_or("default"));
    Request { action: format!("events:{operation}"), resource, context: context.collect() }
}

fn kms(operation: &str, call: &Value) -> Request {
    let context = call["EncryptionContext"].as_object();
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in context.into_iter().flatten() {
        keys.entry("kms:EncryptionContextKeys".to_owned()).or_default().push(name.clone());
        keys.insert(format!("kms:EncryptionContext:{name}"), value.as_str().into_iter().map(str::to_owned).collect());
    }
    for (name, field) in [("kms:MessageType", "MessageType"), ("kms:SigningAlgorithm", "SigningAlgorithm")] {
        if let Some(value) = call[field].as_str() {
            keys.insert(name.to_owned(), vec![value.to_owned()]);
        }
    }
    let resource = names::key_arn(call["KeyId"].as_str().unwrap_or_default());
    Request { action: format!("kms:{operation}"), resource, context: keys }
}

fn secret(operation: &str, call: &Value) -> Request {
    let id = call["SecretId"].as_str().unwrap_or_default();
    let resource = if id.starts_with("arn:") { id.to_owned() } else { names::secret_arn(id) };
    Request { action: format!("secretsmanager:{operation}"), resource, context: BTreeMap::new() }
}

/// Returns the requests of sending a mail: one for the sender's identity, and one for the configuration set that the call names.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonses.html>
fn ses(operation: &str, form: &Bytes) -> Vec<Request> {
    let source = ses::field(form, "Source").unwrap_or_default();
    let address = address(&source);
    let set = ses::field(form, "ConfigurationSetName");
    let set = set.as_deref().map(names::configuration_set_arn);
    let resources = iter::once(names::identity_arn(domain(address))).chain(set);
    let context = BTreeMap::from([("ses:FromAddress".to_owned(), vec![address.to_owned()])]);
    let request = |resource| Request { action: format!("ses:{operation}"), resource, context: context.clone() };
    resources.map(request).collect()
}

fn sqs(operation: &str, body: &Bytes) -> Request {
    let queue = sqs::queue(body).map_or("unknown", Queue::logical_id);
    Request { action: format!("sqs:{operation}"), resource: names::queue_arn(queue), context: BTreeMap::new() }
}

/// Returns the address of a sender, such as `a@b.example` in `Name <a@b.example>`.
pub(super) fn address(sender: &str) -> &str {
    sender.rsplit_once('<').map_or(sender, |(_, rest)| rest.trim_end_matches('>')).trim()
}

pub(super) fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(_, domain)| domain)
}
