//! The Pipe and the queues, with functions of the test's own.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use aws_sdk_kms::primitives::Blob;
use cloud::{Cloud, DeliverError, Queue, SEALING_KEY};
use serde_json::{Value, json};

use crate::stack::{Functions, clients, content, started, text};

fn started_event(id: &str) -> Value {
    json!({"detail-type": "SubscriptionStarted", "source": "billing.contoso", "detail": {"subscription_id": id}})
}

fn all_well() -> Value {
    json!({"batchItemFailures": []})
}

fn failing(event: &Value, fails: impl Fn(&Value) -> bool) -> Value {
    let failed = event["Records"].as_array().into_iter().flatten().filter(|record| fails(record));
    let failed: Vec<_> = failed.map(|record| json!({"itemIdentifier": record["messageId"]})).collect();
    json!({ "batchItemFailures": failed })
}

/// The bodies that a function was given, one for each delivery of each message, with the receive count.
fn deliveries(functions: &Functions) -> Vec<(Value, String)> {
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

/// Part of a transaction: an item that is pending.
fn order(pk: &str, sk: &str) -> TransactWriteItem {
    let put = Put::builder().table_name("firstkey").item("PK", text(pk)).item("SK", text(sk));
    let put = put.item("status", text("pending")).build().expect("a put");
    TransactWriteItem::builder().put(put).build()
}

async fn drained(cloud: &Cloud) {
    tokio::time::timeout(Duration::from_secs(10), cloud.drained()).await.expect("in time").expect("drained");
}

#[tokio::test]
async fn the_pipe_feeds_mails_that_nobody_has_tried_in_order_and_nothing_else() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(all_well()))).await;
    let clients = clients(&cloud, 1);
    clients.put("SUBSCRIPTION#0", "CREDENTIAL", "pending").await;
    clients.put("SUBSCRIPTION#0", "MAIL", "sent").await;
    for id in 1..=12 {
        clients.put(&format!("SUBSCRIPTION#{id}"), "MAIL", "pending").await;
    }
    let both = clients.dynamo.transact_write_items().transact_items(order("SUBSCRIPTION#13", "CREDENTIAL"));
    both.transact_items(order("SUBSCRIPTION#13", "MAIL")).send().await.expect("the transaction");
    drained(&cloud).await;

    let fed = deliveries(&functions);
    let ids: Vec<_> =
        fed.iter().map(|(body, _)| body["dynamodb"]["Keys"]["PK"]["S"].as_str().expect("a key")).collect();
    let expected: Vec<_> = (1..=13).map(|id| format!("SUBSCRIPTION#{id}")).collect();
    assert_eq!(ids, expected);
    let record = &fed[0].0;
    assert_eq!(record["eventName"], "INSERT");
    assert_eq!(record["eventSource"], "aws:dynamodb");
    assert_eq!(record["awsRegion"], "us-east-1");
    assert_eq!(record["dynamodb"]["NewImage"]["status"]["S"], "pending");
    assert!(record["eventSourceARN"].as_str().expect("an ARN").starts_with("arn:aws:dynamodb:us-east-1:"));
    assert!(functions.invocations().iter().all(|(function, _)| *function == "send-mail"));
}

#[tokio::test]
async fn a_mail_that_is_ordered_again_is_fed_again() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(all_well()))).await;
    let clients = clients(&cloud, 1);
    clients.put("SUBSCRIPTION#1", "MAIL", "pending").await;
    clients.put("SUBSCRIPTION#1", "MAIL", "sent").await;
    clients.put("SUBSCRIPTION#1", "MAIL", "pending").await;
    drained(&cloud).await;
    let names: Vec<_> = deliveries(&functions).iter().map(|(body, _)| body["eventName"].clone()).collect();
    assert_eq!(names, ["INSERT", "MODIFY"]);
}

#[tokio::test]
async fn only_what_failed_comes_back() {
    let functions = Functions::default();
    let invoke = functions.answering(|_, _, event| {
        let second_try = |record: &Value| record["attributes"]["ApproximateReceiveCount"] != "1";
        let unlucky = |record: &Value| record["body"].as_str().is_some_and(|body| body.contains("SUBSCRIPTION#2"));
        Ok(failing(event, |record| unlucky(record) && !second_try(record)))
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
        1 => Ok(json!("nonsense")),
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
    assert_eq!(letter.body, started_event("sub-1"));
    assert_eq!(letter.reason, "subscription-start reported it failed");
}

#[tokio::test]
async fn an_event_is_answered_by_its_first_delivery_and_goes_on_in_its_queue() {
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
async fn events_go_to_their_own_functions() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(all_well()))).await;
    let ended = json!({"detail-type": "SubscriptionEnded", "source": "billing.contoso", "detail": {}});
    let bounce = json!({"detail-type": "Email Bounced", "source": "aws.ses", "detail": {}});
    cloud.deliver(ended.clone()).await.expect("an answer");
    cloud.deliver(bounce.clone()).await.expect("an answer");
    let invocations = functions.invocations();
    assert_eq!(invocations[0].0, "subscription-end");
    assert_eq!(deliveries(&functions)[0].0, ended);
    assert_eq!(invocations[1], ("mail-feedback", bounce));
    let unknown = cloud.deliver(json!({"detail-type": "SubscriptionStarte"})).await.expect_err("no rule");
    assert!(matches!(unknown, DeliverError::Event(_)));
}

#[tokio::test]
async fn a_message_is_never_in_flight_twice() {
    let flying = Arc::new(Mutex::new(HashSet::<String>::new()));
    let twice = Arc::new(Mutex::new(Vec::<String>::new()));
    let most = Arc::new(Mutex::new(0));
    let (seen, doubled, widest) = (Arc::clone(&flying), Arc::clone(&twice), Arc::clone(&most));
    let invoke: cloud::Invoke = Arc::new(move |_, event| {
        let records = event["Records"].as_array().cloned().unwrap_or_default();
        let ids: Vec<String> =
            records.iter().map(|record| record["messageId"].as_str().unwrap_or_default().to_owned()).collect();
        let mut flying = seen.lock().expect("no test panics here");
        doubled
            .lock()
            .expect("no test panics here")
            .extend(ids.iter().filter(|id| !flying.insert((*id).clone())).cloned());
        let mut widest = widest.lock().expect("no test panics here");
        *widest = flying.len().max(*widest);
        let seen = Arc::clone(&seen);
        Box::pin(async move {
            // Longer than the redelivery time, which must not start before the batch has ended.
            tokio::time::sleep(Duration::from_millis(120)).await;
            let mut flying = seen.lock().expect("no test panics here");
            flying.retain(|id| !ids.contains(id));
            Ok(failing(&event, |record| record["attributes"]["ApproximateReceiveCount"] == "1"))
        })
    });
    let cloud = started(None, invoke).await;
    let orders = (1..=60).map(|id| order(&format!("SUBSCRIPTION#{id}"), "MAIL")).collect();
    let orders = clients(&cloud, 1).dynamo.transact_write_items().set_transact_items(Some(orders));
    orders.send().await.expect("the transaction");
    drained(&cloud).await;
    assert!(twice.lock().expect("no test panics here").is_empty());
    assert!(*most.lock().expect("no test panics here") > 10, "several batches were in flight");
    assert!(cloud.dead_letters().is_empty());
}

#[tokio::test]
async fn a_function_that_hangs_is_given_up_and_the_message_comes_back() {
    let functions = Functions::default();
    let answering = functions.answering(|_, _, _| Ok(all_well()));
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
async fn a_function_that_panics_has_failed() {
    let functions = Functions::default();
    let answering = functions.answering(|_, _, _| Ok(all_well()));
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
async fn what_is_kept_survives_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("state");
    let sealed = first_life(&data).await;

    let functions = Functions::default();
    let cloud = started(Some(data), functions.answering(|_, _, _| Ok(all_well()))).await;
    let clients = clients(&cloud, 1);
    let opened = clients.kms.decrypt().key_id(SEALING_KEY).ciphertext_blob(Blob::new(sealed)).send().await;
    assert_eq!(opened.expect("opened").plaintext.expect("plaintext").as_ref(), b"k7wmp");
    assert_eq!(cloud.dump_table().await.expect("a dump").len(), 1);
    assert_eq!(cloud.dead_letters().len(), 1, "that of the first life");
    drained(&cloud).await;
    let ids: Vec<_> =
        deliveries(&functions).into_iter().map(|(body, received)| (body["eventName"].clone(), received)).collect();
    assert_eq!(ids, [(json!("INSERT"), "2".to_owned())], "the mail that was in flight, and not the dead letter");
}

/// Ends with one dead letter and one message in flight; gives what KMS sealed.
async fn first_life(data: &Path) -> Vec<u8> {
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
async fn records_that_the_pipe_had_not_read_are_read_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().to_owned();
    let cloud = started(Some(data.clone()), content()).await;
    clients(&cloud, 1).put("SUBSCRIPTION#1", "MAIL", "pending").await;
    drained(&cloud).await;
    drop(cloud);
    // As if the process had been killed before the Pipe came to it.
    std::fs::remove_file(data.join("queues.json")).expect("the queues were kept");
    let functions = Functions::default();
    let cloud = started(Some(data), functions.answering(|_, _, _| Ok(all_well()))).await;
    drained(&cloud).await;
    assert_eq!(functions.invocations().len(), 1);
}

#[tokio::test]
async fn a_dropped_cloud_is_gone() {
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
