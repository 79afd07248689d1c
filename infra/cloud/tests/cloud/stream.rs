//! Tests of the event source mapping that feeds the table's stream to `publish-events`, with a fake function.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use cloud::{Cloud, CloudOptions, Invoke, Queue};
use serde_json::{Value, json};

use crate::delivery::{drained, success};
use crate::stack::{Functions, clients, started_with, text};

/// How often a record may fail until it becomes a dead letter.
const MOST_FAILURES: usize = 20;

async fn publishing(data: Option<PathBuf>, invoke: Invoke) -> Cloud {
    started_with(CloudOptions { data, publishes: true, ..CloudOptions::new(invoke) }).await
}

/// Writes these entries of a history in one transaction, so that they are in one batch.
async fn write(cloud: &Cloud, entries: &[u32]) {
    let put = |n: &u32| {
        let put = Put::builder().table_name("firstkey").item("PK", text("SUBSCRIPTION#a"));
        let put = put.item("SK", text(&format!("EVENT#{n:010}"))).build().expect("a put");
        TransactWriteItem::builder().put(put).build()
    };
    let write = clients(cloud, 1).dynamo.transact_write_items();
    write.set_transact_items(Some(entries.iter().map(put).collect())).send().await.expect("the transaction");
}

fn records(event: &Value) -> &[Value] {
    event["Records"].as_array().expect("records")
}

/// Returns the number of the history's entry in a record.
fn number(record: &Value) -> u32 {
    let key = record["dynamodb"]["Keys"]["SK"]["S"].as_str().expect("a key");
    key.strip_prefix("EVENT#").expect("an entry of a history").parse().expect("a number")
}

fn numbers(event: &Value) -> Vec<u32> {
    records(event).iter().map(number).collect()
}

/// Returns the response that reports these entries of a history as failed, in this order.
fn failing(event: &Value, entries: &[u32]) -> Value {
    let find = |n: &u32| records(event).iter().find(|record| number(record) == *n);
    let failed = entries.iter().filter_map(find).map(|record| record["dynamodb"]["SequenceNumber"].clone());
    let failed: Vec<_> = failed.map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": failed })
}

/// Returns the batches that `publish-events` has received.
fn batches(functions: &Functions) -> Vec<Vec<u32>> {
    let invocations = functions.invocations().into_iter().filter(|(function, _)| *function == "publish-events");
    invocations.map(|(_, event)| numbers(&event)).collect()
}

#[tokio::test]
async fn records_that_a_filter_matches_are_delivered_as_lambda_delivers_them() {
    let functions = Functions::default();
    let cloud = publishing(None, functions.answering(|_, _, _| Ok(success()))).await;
    let clients = clients(&cloud, 1);
    for (pk, sk) in [
        ("SUBSCRIPTION#a", "EVENT#0000000001"),
        ("SUBSCRIPTION#a", "CREDENTIAL"),
        ("SUBSCRIPTION#a", "MAIL"),
        ("SUBSCRIPTION#a", "MAIL#reminder#1"),
        ("ACCOUNT#a", "ACCOUNT"),
        ("SESSION#a", "SESSION"),
    ] {
        clients.put(pk, sk, "issued").await;
    }
    clients.put("SUBSCRIPTION#a", "CREDENTIAL", "retrieved").await;
    let delete = clients.dynamo.delete_item().table_name("firstkey").key("PK", text("SUBSCRIPTION#a"));
    delete.key("SK", text("CREDENTIAL")).send().await.expect("deleted");
    drained(&cloud).await;

    let invocations = functions.invocations();
    assert!(invocations.iter().all(|(function, _)| *function == "publish-events"));
    let delivered: Vec<_> = invocations.iter().flat_map(|(_, event)| records(event)).collect();
    let seen = delivered.iter().map(|record| {
        let key = record["dynamodb"]["Keys"]["SK"]["S"].as_str().expect("a key");
        (record["eventName"].as_str().expect("a name"), key)
    });
    let expected =
        [("INSERT", "EVENT#0000000001"), ("INSERT", "CREDENTIAL"), ("INSERT", "MAIL"), ("MODIFY", "CREDENTIAL")];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    let modified = delivered[3];
    assert_eq!((&modified["eventSource"], &modified["awsRegion"]), (&json!("aws:dynamodb"), &json!("us-east-1")));
    assert!(modified["eventSourceARN"].as_str().expect("an ARN").starts_with("arn:aws:dynamodb:us-east-1:"));
    assert!(modified["eventID"].is_string());
    let images = &modified["dynamodb"];
    assert_eq!(
        (&images["OldImage"]["status"]["S"], &images["NewImage"]["status"]["S"]),
        (&json!("issued"), &json!("retrieved"))
    );
    assert!(images["SequenceNumber"].is_string() && images["StreamViewType"] == "NEW_AND_OLD_IMAGES");
}

#[tokio::test]
async fn nothing_is_delivered_unless_the_cloud_publishes() {
    let functions = Functions::default();
    let invoke = functions.answering(|_, _, _| Ok(success()));
    let cloud = started_with(CloudOptions::new(invoke)).await;
    write(&cloud, &[1]).await;
    drained(&cloud).await;
    assert!(functions.invocations().is_empty());
}

#[tokio::test]
async fn a_batch_is_delivered_again_from_the_first_record_that_failed() {
    let functions = Functions::default();
    let invoke = functions.answering(|before, _, event| match before {
        0 => Ok(failing(event, &[4, 2])),
        1 => Ok(failing(event, &[4])),
        _ => Ok(success()),
    });
    let cloud = publishing(None, invoke).await;
    write(&cloud, &[1, 2, 3, 4, 5]).await;
    drained(&cloud).await;
    assert_eq!(batches(&functions), [vec![1, 2, 3, 4, 5], vec![2, 3, 4, 5], vec![4, 5]]);
    assert!(cloud.dead_letters().is_empty());
}

#[tokio::test]
async fn a_batch_is_halved_around_a_record_with_which_the_function_fails() {
    let functions = Functions::default();
    let invoke = functions.answering(|_, _, event| {
        if numbers(event).contains(&3) { Err("the process died".to_owned()) } else { Ok(success()) }
    });
    let cloud = publishing(None, invoke).await;
    write(&cloud, &[1, 2, 3, 4]).await;
    drained(&cloud).await;
    let mut expected = vec![vec![1, 2, 3, 4], vec![1, 2], vec![3, 4]];
    expected.extend(vec![vec![3]; MOST_FAILURES]);
    expected.push(vec![4]);
    assert_eq!(batches(&functions), expected);
    let [letter] = &cloud.dead_letters()[..] else { panic!("{:?}", cloud.dead_letters()) };
    assert_eq!((letter.queue, number(&letter.body)), (Queue::PublishEvents, 3));
    assert_eq!(letter.receives, 22, "two batches and twenty times alone");
    assert_eq!(letter.reason, "publish-events: the process died");
}

#[tokio::test]
async fn an_invalid_response_halves_the_batch() {
    let functions = Functions::default();
    let invoke = functions.answering(|before, _, _| match before {
        0 => Ok(json!({"batchItemFailures": [{"itemIdentifier": "of another batch"}]})),
        1 => Ok(json!("not a batch response")),
        _ => Ok(Value::Null),
    });
    let cloud = publishing(None, invoke).await;
    write(&cloud, &[1, 2, 3]).await;
    drained(&cloud).await;
    assert_eq!(batches(&functions), [vec![1, 2, 3], vec![1], vec![1], vec![2, 3]]);
}

#[tokio::test]
async fn a_record_that_is_always_reported_becomes_a_dead_letter_and_the_next_ones_are_delivered() {
    let functions = Functions::default();
    let cloud = publishing(None, functions.answering(|_, _, event| Ok(failing(event, &[2])))).await;
    write(&cloud, &[1, 2, 3]).await;
    drained(&cloud).await;
    let mut expected = vec![vec![1, 2, 3]];
    expected.extend(vec![vec![2, 3]; MOST_FAILURES - 1]);
    expected.push(vec![3]);
    assert_eq!(batches(&functions), expected);
    let [letter] = &cloud.dead_letters()[..] else { panic!("{:?}", cloud.dead_letters()) };
    assert_eq!((number(&letter.body), letter.receives), (2, 20));
    assert_eq!(letter.reason, "publish-events reported it failed");
}

#[tokio::test]
async fn a_panic_of_the_function_is_a_failure() {
    let functions = Functions::default();
    let answering = functions.answering(|_, _, _| Ok(success()));
    let watched = functions.clone();
    let panics_once: Invoke = Arc::new(move |function, event| {
        let is_first = watched.invocations().is_empty();
        let answer = answering(function, event);
        Box::pin(async move {
            assert!(!is_first, "on purpose");
            answer.await
        })
    });
    let cloud = publishing(None, panics_once).await;
    write(&cloud, &[1]).await;
    drained(&cloud).await;
    assert_eq!(batches(&functions), [[1], [1]]);
}

#[tokio::test]
async fn the_position_survives_a_restart_and_a_batch_that_was_in_flight_is_delivered_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = Some(directory.path().to_owned());
    let first = Functions::default();
    let invoke = first.answering(|_, _, event| Ok(failing(event, &[4])));
    let cloud = publishing(data.clone(), invoke).await;
    write(&cloud, &[1, 2]).await;
    drained(&cloud).await;
    write(&cloud, &[3, 4, 5]).await;
    let in_flight = async {
        while batches(&first).len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), in_flight).await.expect("in time");
    drop(cloud);
    assert_eq!(batches(&first)[..3], [vec![1, 2], vec![3, 4, 5], vec![4, 5]]);

    let second = Functions::default();
    let cloud = publishing(data.clone(), second.answering(|_, _, _| Ok(success()))).await;
    drained(&cloud).await;
    assert_eq!(batches(&second), [[4, 5]], "the records before it were handled");
    drop(cloud);
    let third = Functions::default();
    let cloud = publishing(data, third.answering(|_, _, _| Ok(success()))).await;
    drained(&cloud).await;
    assert!(third.invocations().is_empty());
}

#[tokio::test]
async fn a_cloud_that_begins_to_publish_reads_the_stream_from_its_beginning() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = Some(directory.path().to_owned());
    let functions = Functions::default();
    let invoke = functions.answering(|_, _, _| Ok(success()));
    let options = CloudOptions { data: data.clone(), ..CloudOptions::new(invoke) };
    let silent = started_with(options).await;
    write(&silent, &(1..=100).collect::<Vec<_>>()).await;
    write(&silent, &[101, 102]).await;
    drop(silent);
    let cloud = publishing(data, functions.answering(|_, _, _| Ok(success()))).await;
    drained(&cloud).await;
    let expected: [Vec<u32>; 2] = [(1..=100).collect(), vec![101, 102]];
    assert_eq!(batches(&functions), expected, "in batches of the template's size");
}

#[tokio::test]
async fn mails_that_the_function_orders_are_waited_for() {
    let functions = Functions::default();
    let answering = functions.answering(|_, _, _| Ok(success()));
    let client = Arc::new(OnceLock::<Client>::new());
    let later = Arc::clone(&client);
    let ordering: Invoke = Arc::new(move |function, event| {
        let (answer, client) = (answering(function, event), Arc::clone(&later));
        Box::pin(async move {
            if function == "publish-events" {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let put = client.get().expect("a client").put_item().table_name("firstkey");
                let put = put.item("PK", text("SUBSCRIPTION#a")).item("SK", text("MAIL#notice#a"));
                put.item("status", text("pending")).send().await.expect("ordered");
            }
            answer.await
        })
    });
    let cloud = publishing(None, ordering).await;
    client.set(clients(&cloud, 1).dynamo).expect("it is set once");
    write(&cloud, &[1]).await;
    drained(&cloud).await;
    let functions: Vec<_> = functions.invocations().into_iter().map(|(function, _)| function).collect();
    assert_eq!(functions, ["publish-events", "send-mail"]);
}
