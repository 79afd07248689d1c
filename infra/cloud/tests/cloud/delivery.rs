//! Tests of the Pipe and the queues, with fake functions.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use aws_sdk_kms::primitives::Blob;
use cloud::{Cloud, DeliverError, Queue, SEALING_KEY};
use serde_json::{Value, json};

use crate::stack::{Functions, clients, delivered, started, succeeding, text};

fn started_event(id: &str) -> Value {
    json!({"detail-type": "SubscriptionStarted", "source": "billing.contoso", "detail": {"subscription_id": id}})
}

pub(crate) fn success() -> Value {
    json!({"batchItemFailures": []})
}

/// Returns the response that reports the selected messages of a batch as failed.
fn failing(event: &Value, fails: impl Fn(&Value) -> bool) -> Value {
    let failed = event["Records"].as_array().into_iter().flatten().filter(|record| fails(record));
    let failed: Vec<_> = failed.map(|record| json!({"itemIdentifier": record["messageId"]})).collect();
    json!({ "batchItemFailures": failed })
}

/// Returns the body and the receive count of every delivered message, in order.
pub(crate) fn deliveries(functions: &Functions) -> Vec<(Value, String)> {
    let invocations = functions.invocations();
    let records = invocations.iter().flat_map(|(_, event)| event["Records"].as_array().into_iter().flatten());
    records
        .map(|record| {
            let body = serde_json::from_str(record["body"].as_str().expect("a body")).expect("JSON");
            let received = record["attributes"]["ApproximateReceiveCount"].as_str().expect("a count");
            (body, received.to_owned())
        })
        .collect()
}

/// Returns the write of a pending item, as part of a transaction.
fn order(pk: &str, sk: &str) -> TransactWriteItem {
    let put = Put::builder().table_name("firstkey").item("PK", text(pk)).item("SK", text(sk));
    let put = put.item("status", text("pending")).build().expect("a put");
    TransactWriteItem::builder().put(put).build()
}

pub(crate) async fn drained(cloud: &Cloud) {
    tokio::time::timeout(Duration::from_secs(10), cloud.drained()).await.expect("in time").expect("drained");
}

#[tokio::test]
async fn the_pipe_sends_only_untried_mails_and_keeps_their_order() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(success()))).await;
    let clients = clients(&cloud, 1);
    clients.put("SUBSCRIPTION#0", "CREDENTIAL", "pending").await;
    clients.put("SUBSCRIPTION#0", "MAIL", "sent").await;
    for id in 1..=12 {
        clients.put(&format!("SUBSCRIPTION#{id}"), "MAIL", "pending").await;
    }
    let both = clients.dynamo.transact_write_items().transact_items(order("SUBSCRIPTION#13", "CREDENTIAL"));
    both.transact_items(order("SUBSCRIPTION#13", "MAIL")).send().await.expect("the transaction");
    drained(&cloud).await;

    let sent = deliveries(&functions);
    let ids: Vec<_> =
        sent.iter().map(|(body, _)| body["dynamodb"]["Keys"]["PK"]["S"].as_str().expect("a key")).collect();
    let expected: Vec<_> = (1..=13).map(|id| format!("SUBSCRIPTION#{id}")).collect();
    assert_eq!(ids, expected);
    let record = &sent[0].0;
    assert_eq!(record["eventName"], "INSERT");
    assert_eq!(record["eventSource"], "aws:dynamodb");
    assert_eq!(record["awsRegion"], "us-east-1");
    assert_eq!(record["dynamodb"]["NewImage"]["status"]["S"], "pending");
    assert!(record["eventSourceARN"].as_str().expect("an ARN").starts_with("arn:aws:dynamodb:us-east-1:"));
    assert!(functions.invocations().iter().all(|(function, _)| *function == "send-mail"));
}

#[tokio::test]
async fn a_mail_that_is_ordered_again_is_sent_to_the_queue_again() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(success()))).await;
    let clients = clients(&cloud, 1);
    clients.put("SUBSCRIPTION#1", "MAIL", "pending").await;
    clients.put("SUBSCRIPTION#1", "MAIL", "sent").await;
    clients.put("SUBSCRIPTION#1", "MAIL", "pending").await;
    drained(&cloud).await;
    let names: Vec<_> = deliveries(&functions).iter().map(|(body, _)| body["eventName"].clone()).collect();
    assert_eq!(names, ["INSERT", "MODIFY"]);
}

#[tokio::test]
async fn only_failed_messages_are_redelivered() {
    let functions = Functions::default();
    let invoke = functions.answering(|_, _, event| {
        let second_try = |record: &Value| record["attributes"]["ApproximateReceiveCount"] != "1";
        let selected = |record: &Value| record["body"].as_str().is_some_and(|body| body.contains("SUBSCRIPTION#2"));
        Ok(failing(event, |record| selected(record) && !second_try(record)))
    });
    let cloud = started(None, invoke).await;
    let clients = clients(&cloud, 1);
    for id in 1..=3 {
        clients.put(&format!("SUBSCRIPTION#{id}"), "MAIL", "pending").await;
    }
    drained(&cloud).await;
    let mut count = BTreeMap::<String, Vec<String>>::new();
    for (body, received) in deliveries(&functions) {
        let id = body["dynamodb"]["Keys"]["PK"]["S"].as_str().expect("a key").to_owned();
        count.entry(id).or_default().push(received);
    }
    assert_eq!(count["SUBSCRIPTION#1"], ["1"]);
    assert_eq!(count["SUBSCRIPTION#2"], ["1", "2"]);
    assert_eq!(count["SUBSCRIPTION#3"], ["1"]);
    assert!(cloud.dead_letters().is_empty());
}

#[tokio::test]
async fn the_fifth_failure_makes_a_dead_letter() {
    let functions = Functions::default();
    let invoke = functions.answering(|before, _, event| match before {
        0 => Err("the process died".to_owned()),
        1 => Ok(json!("not a batch response")),
        2 => Ok(json!({"batchItemFailures": [{"itemIdentifier": "of another batch"}]})),
        _ => Ok(failing(event, |_| true)),
    });
    let cloud = started(None, invoke).await;
    let failed = cloud.deliver(started_event("sub-1")).await.expect_err("the process died");
    assert_eq!(failed, DeliverError::Function("subscription-start: the process died".to_owned()));
    drained(&cloud).await;
    assert_eq!(functions.invocations().len(), 5);
    let [letter] = &cloud.dead_letters()[..] else { panic!("{:?}", cloud.dead_letters()) };
    assert_eq!((letter.queue, letter.receives), (Queue::SubscriptionStart, 5));
    assert_eq!(letter.body, delivered(started_event("sub-1")));
    assert_eq!(letter.reason, "subscription-start reported it failed");
}

#[tokio::test]
async fn publishing_returns_the_first_response_and_the_queue_redelivers_the_event() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|before, _, event| Ok(failing(event, |_| before == 0)))).await;
    let answer = cloud.deliver(started_event("sub-1")).await.expect("an answer");
    assert_eq!(answer["batchItemFailures"].as_array().map(Vec::len), Some(1));
    assert_eq!(functions.invocations().len(), 1);
    drained(&cloud).await;
    let counts: Vec<_> = deliveries(&functions).into_iter().map(|(_, received)| received).collect();
    assert_eq!(counts, ["1", "2"]);
}

#[tokio::test]
async fn each_event_is_routed_to_its_function() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(success()))).await;
    let ended = json!({"detail-type": "SubscriptionEnded", "source": "billing.contoso", "detail": {}});
    let tags = json!({"ses:configuration-set": [cloud::CONFIGURATION_SET]});
    let bounce = json!({"detail-type": "Email Bounced", "source": "aws.ses", "detail": {"mail": {"tags": tags}}});
    cloud.deliver(ended.clone()).await.expect("an answer");
    cloud.deliver(bounce.clone()).await.expect("an answer");
    let invocations = functions.invocations();
    assert_eq!((invocations[0].0, invocations[1].0), ("subscription-end", "mail-feedback"));
    assert_eq!(deliveries(&functions)[0].0, delivered(ended));
    assert_eq!(deliveries(&functions)[1].0, delivered(bounce));
    let unknown = cloud.deliver(json!({"detail-type": "SubscriptionStarte"})).await.expect_err("no rule");
    assert!(matches!(unknown, DeliverError::Event(_)));
}

#[tokio::test]
async fn a_message_is_never_in_flight_twice() {
    let in_flight = Arc::new(Mutex::new(HashSet::<String>::new()));
    let duplicates = Arc::new(Mutex::new(Vec::<String>::new()));
    let maximum = Arc::new(Mutex::new(0));
    let (shared, found, largest) = (Arc::clone(&in_flight), Arc::clone(&duplicates), Arc::clone(&maximum));
    let invoke: cloud::Invoke = Arc::new(move |_, event| {
        let records = event["Records"].as_array().cloned().unwrap_or_default();
        let ids: Vec<String> =
            records.iter().map(|record| record["messageId"].as_str().unwrap_or_default().to_owned()).collect();
        let mut in_flight = shared.lock().expect("no test panics here");
        found
            .lock()
            .expect("no test panics here")
            .extend(ids.iter().filter(|id| !in_flight.insert((*id).clone())).cloned());
        let mut largest = largest.lock().expect("no test panics here");
        *largest = in_flight.len().max(*largest);
        let shared = Arc::clone(&shared);
        Box::pin(async move {
            // Longer than the redelivery time, which must not start before the function has answered.
            tokio::time::sleep(Duration::from_millis(120)).await;
            let mut in_flight = shared.lock().expect("no test panics here");
            in_flight.retain(|id| !ids.contains(id));
            Ok(failing(&event, |record| record["attributes"]["ApproximateReceiveCount"] == "1"))
        })
    });
    let cloud = started(None, invoke).await;
    let orders = (1..=60).map(|id| order(&format!("SUBSCRIPTION#{id}"), "MAIL")).collect();
    let orders = clients(&cloud, 1).dynamo.transact_write_items().set_transact_items(Some(orders));
    orders.send().await.expect("the transaction");
    drained(&cloud).await;
    assert!(duplicates.lock().expect("no test panics here").is_empty());
    assert!(*maximum.lock().expect("no test panics here") > 10, "several batches were in flight");
    assert!(cloud.dead_letters().is_empty());
}

#[tokio::test]
async fn a_hanging_function_times_out_and_the_message_is_redelivered() {
    let functions = Functions::default();
    let answering = functions.answering(|_, _, _| Ok(success()));
    let hangs_once: cloud::Invoke = {
        let functions = functions.clone();
        Arc::new(move |function, event| {
            let first = functions.invocations().is_empty();
            let answer = answering(function, event);
            if first { Box::pin(std::future::pending()) } else { answer }
        })
    };
    let cloud = started(None, hangs_once).await;
    tokio::time::pause();
    let failed = cloud.deliver(started_event("sub-1")).await.expect_err("it hangs");
    assert_eq!(failed.to_string(), "subscription-start did not answer within 10 seconds");
    cloud.drained().await.expect("drained");
    assert_eq!(functions.invocations().len(), 2);
}

#[tokio::test]
async fn a_panic_of_a_function_is_a_failure() {
    let functions = Functions::default();
    let answering = functions.answering(|_, _, _| Ok(success()));
    let panics_once: cloud::Invoke = {
        let functions = functions.clone();
        Arc::new(move |function, event| {
            let first = functions.invocations().is_empty();
            let answer = answering(function, event);
            Box::pin(async move {
                assert!(!first, "on purpose");
                answer.await
            })
        })
    };
    let cloud = started(None, panics_once).await;
    clients(&cloud, 1).put("SUBSCRIPTION#1", "MAIL", "pending").await;
    drained(&cloud).await;
    assert_eq!(functions.invocations().len(), 2);
}

#[tokio::test]
async fn state_survives_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("state");
    let sealed = first_run(&data).await;

    let functions = Functions::default();
    let cloud = started(Some(data), functions.answering(|_, _, _| Ok(success()))).await;
    let clients = clients(&cloud, 1);
    let opened = clients.kms.decrypt().key_id(SEALING_KEY).ciphertext_blob(Blob::new(sealed)).send().await;
    assert_eq!(opened.expect("opened").plaintext.expect("plaintext").as_ref(), b"k7wmp");
    assert_eq!(cloud.dump_table().await.expect("a dump").len(), 1);
    assert_eq!(cloud.dead_letters().len(), 1, "the dead letter of the first run");
    drained(&cloud).await;
    let ids: Vec<_> =
        deliveries(&functions).into_iter().map(|(body, received)| (body["eventName"].clone(), received)).collect();
    assert_eq!(
        ids,
        [(json!("INSERT"), "2".to_owned())],
        "only the mail that was in flight is redelivered, not the dead letter"
    );
}

/// Runs a cloud until it has one dead letter and one message in flight, and returns a password that its KMS has sealed.
async fn first_run(data: &Path) -> Vec<u8> {
    let invoke: cloud::Invoke = Arc::new(|function, event| match function {
        "send-mail" => Box::pin(std::future::pending()),
        _ => Box::pin(async move { Ok(failing(&event, |_| true)) }),
    });
    let cloud = started(Some(data.to_owned()), invoke).await;
    let clients = clients(&cloud, 1);
    let sealed = clients.kms.encrypt().key_id(SEALING_KEY).plaintext(Blob::new("k7wmp")).send().await.expect("sealed");
    cloud.deliver(started_event("sub-1")).await.expect("an answer");
    drained(&cloud).await;
    clients.put("SUBSCRIPTION#1", "MAIL", "pending").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    sealed.ciphertext_blob.expect("a blob").into_inner()
}

#[tokio::test]
async fn the_pipe_reads_unread_records_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().to_owned();
    let cloud = started(Some(data.clone()), succeeding()).await;
    clients(&cloud, 1).put("SUBSCRIPTION#1", "MAIL", "pending").await;
    drained(&cloud).await;
    drop(cloud);
    // Simulates a crash before the Pipe has read the record.
    std::fs::remove_file(data.join("queues.json")).expect("the queues were saved");
    let functions = Functions::default();
    let cloud = started(Some(data), functions.answering(|_, _, _| Ok(success()))).await;
    drained(&cloud).await;
    assert_eq!(functions.invocations().len(), 1);
}

#[tokio::test]
async fn a_dropped_cloud_stops_deliveries_and_closes_connections() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, event| Ok(failing(event, |_| true)))).await;
    let clients = clients(&cloud, 1);
    cloud.deliver(started_event("sub-1")).await.expect("an answer");
    drop(cloud);
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(functions.invocations().len(), 1, "no redelivery");
    let refused = clients.dynamo.describe_table().table_name("firstkey").send().await;
    assert!(refused.is_err(), "its connections are closed");
}
