//! The effect of each injected fault on the SDK.

use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValue, TransactWriteItem};
use aws_sdk_ses::types::{Body, Content, Destination, Message};
use cloud::{Cloud, Fault, Mode, SEALING_KEY, Service};

use crate::stack::{Clients, clients, cloud, text};

const ALWAYS: u32 = 100_000;

/// Increments a counter without a condition, which counts a retried call twice.
async fn count(clients: &Clients) -> Result<UpdateItemOutput, SdkError<UpdateItemError>> {
    let update = clients.dynamo.update_item().table_name("firstkey").key("PK", text("counter")).key("SK", text("-"));
    let update = update.update_expression("ADD #n :one").expression_attribute_names("#n", "n");
    let update = update.expression_attribute_values(":one", AttributeValue::N("1".to_owned()));
    update.return_values(ReturnValue::AllNew).send().await
}

async fn counted(cloud: &Cloud) -> Option<String> {
    let items = cloud.dump_table().await.expect("a dump");
    items.iter().find_map(|item| item["n"]["N"].as_str().map(str::to_owned))
}

fn fault(mode: Mode, count: u32) -> Fault {
    Fault::new(Service::DynamoDb, "UpdateItem", mode, count)
}

async fn mail(clients: &Clients) -> Result<(), SdkError<aws_sdk_ses::operation::send_email::SendEmailError>> {
    let content = |data: &str| Content::builder().data(data).build().expect("content");
    let body = Body::builder().text(content("text")).build();
    let message = Message::builder().subject(content("subject")).body(body).build();
    let to = Destination::builder().to_addresses("it@fabrikam.example").build();
    clients.ses.send_email().source("a@firstkey.example").destination(to).message(message).send().await.map(drop)
}

#[tokio::test]
async fn a_call_whose_response_is_lost_was_executed() {
    let cloud = cloud().await;
    cloud.set_fault(fault(Mode::LostResponse, 1));
    let lost = count(&clients(&cloud, 1)).await.expect_err("no answer");
    assert!(matches!(lost, SdkError::DispatchFailure(_)), "{lost:?}");
    assert_eq!(counted(&cloud).await.as_deref(), Some("1"));
    assert_eq!(cloud.requests()[0].status, Some(200), "the record has the answer that the caller lost");
}

#[tokio::test]
async fn the_sdk_repeats_every_call_whose_first_response_is_lost() {
    let cloud = cloud().await;
    let clients = clients(&cloud, 3);
    cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::LostResponse, ALWAYS).on_attempt(1));
    count(&clients).await.expect("the second attempt is answered");
    count(&clients).await.expect("the second attempt is answered");
    assert_eq!(counted(&cloud).await.as_deref(), Some("4"), "this is why a counter needs a condition");
}

#[tokio::test]
async fn a_refused_call_has_no_effect_and_is_retried() {
    let cloud = cloud().await;
    cloud.set_fault(fault(Mode::Refused, 2));
    let refused = count(&clients(&cloud, 1)).await.expect_err("refused");
    assert_eq!(refused.raw_response().map(|response| response.status().as_u16()), Some(500));
    assert!(refused.into_service_error().is_internal_server_error());
    assert_eq!(counted(&cloud).await, None);
    count(&clients(&cloud, 2)).await.expect("the second attempt");
    assert_eq!(counted(&cloud).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn throttling_uses_the_error_of_each_service_and_is_retried() {
    let cloud = cloud().await;
    let (once, thrice) = (clients(&cloud, 1), clients(&cloud, 3));
    for service in [Service::DynamoDb, Service::Kms, Service::SecretsManager, Service::Ses] {
        cloud.set_fault(Fault::new(service, "*", Mode::Throttled, 3));
    }
    let dynamo = count(&once).await.expect_err("throttled").into_service_error();
    assert!(dynamo.is_provisioned_throughput_exceeded_exception());
    let describe = |clients: &Clients| clients.kms.describe_key().key_id(SEALING_KEY).send();
    let kms = describe(&once).await.expect_err("throttled").into_service_error();
    assert_eq!(kms.code(), Some("ThrottlingException"));
    let secret = once.secrets.get_secret_value().secret_id("a").send().await.expect_err("throttled");
    assert_eq!(secret.into_service_error().code(), Some("ThrottlingException"));
    let ses = mail(&once).await.expect_err("throttled").into_service_error();
    assert_eq!(ses.code(), Some("Throttling"));
    count(&thrice).await.expect("the third attempt");
    describe(&thrice).await.expect("the third attempt");
    mail(&thrice).await.expect("the third attempt");
    assert_eq!((counted(&cloud).await.as_deref(), cloud.inbox().len()), (Some("1"), 1));
}

#[tokio::test]
async fn a_refusal_uses_the_error_of_each_service() {
    let cloud = cloud().await;
    let clients = clients(&cloud, 1);
    cloud.set_fault(Fault::new(Service::Kms, "DescribeKey", Mode::Refused, 1));
    cloud.set_fault(Fault::new(Service::Ses, "SendEmail", Mode::Refused, 1));
    let kms = clients.kms.describe_key().key_id(SEALING_KEY).send().await.expect_err("refused").into_service_error();
    assert!(kms.is_kms_internal_exception());
    cloud.set_fault(Fault::new(Service::SecretsManager, "GetSecretValue", Mode::Refused, 1));
    let secret = clients.secrets.get_secret_value().secret_id("a").send().await.expect_err("refused");
    assert!(secret.into_service_error().is_internal_service_error());
    let ses = mail(&clients).await.expect_err("refused");
    assert_eq!(ses.raw_response().map(|response| response.status().as_u16()), Some(500));
    assert_eq!(ses.into_service_error().code(), Some("InternalFailure"));
    assert!(cloud.inbox().is_empty());
}

#[tokio::test]
async fn a_write_can_conflict_and_a_transaction_names_the_conflicting_item() {
    let cloud = cloud().await;
    let clients = clients(&cloud, 3);
    cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::Conflict, 2));
    let read = clients.dynamo.get_item().table_name("firstkey").key("PK", text("a")).key("SK", text("b"));
    read.send().await.expect("a read does not conflict");

    let write = clients.dynamo.put_item().table_name("firstkey").item("PK", text("a")).item("SK", text("b"));
    let conflict = write.send().await.expect_err("a conflict").into_service_error();
    assert!(matches!(conflict, PutItemError::TransactionConflictException(_)), "{:?}", conflict.code());

    let put = |sk: &str| {
        let put = Put::builder().table_name("firstkey").item("PK", text("a")).item("SK", text(sk)).build();
        TransactWriteItem::builder().put(put.expect("a put")).build()
    };
    let transaction = clients.dynamo.transact_write_items().transact_items(put("1")).transact_items(put("2"));
    let cancelled = transaction.send().await.expect_err("cancelled").into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = cancelled else {
        panic!("{:?}", cancelled.code())
    };
    let reasons: Vec<_> = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
    assert_eq!(reasons, ["TransactionConflict", "None"]);
    assert!(cloud.dump_table().await.expect("a dump").is_empty());
    let writes = cloud.requests().iter().filter(|request| request.operation != "GetItem").count();
    assert_eq!(writes, 2, "the SDK does not retry conflicts");
}

#[tokio::test]
async fn a_delayed_call_is_executed_after_its_caller_has_given_up() {
    let cloud = cloud().await;
    let clients = clients(&cloud, 1);
    count(&clients).await.expect("the connection is open");
    cloud.set_fault(fault(Mode::Delayed, 1).held_for(Duration::from_secs(1)));
    tokio::time::timeout(Duration::from_millis(100), count(&clients)).await.expect_err("the caller gives up");
    assert_eq!(counted(&cloud).await.as_deref(), Some("1"));
    tokio::time::timeout(Duration::from_secs(5), async {
        while counted(&cloud).await.as_deref() != Some("2") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the call is executed");
}

#[tokio::test]
async fn a_duplicated_call_is_executed_twice_and_answered_once() {
    let cloud = cloud().await;
    cloud.set_fault(fault(Mode::Duplicated, 1));
    let first = count(&clients(&cloud, 1)).await.expect("an answer").attributes.expect("the new item");
    assert_eq!(first.get("n"), Some(&AttributeValue::N("1".to_owned())));
    assert_eq!(counted(&cloud).await.as_deref(), Some("2"));
    assert_eq!(cloud.requests().len(), 2);
}

#[tokio::test]
async fn a_reset_call_has_no_effect() {
    let cloud = cloud().await;
    cloud.set_fault(fault(Mode::Reset, 1));
    cloud.set_fault(Fault::new(Service::Ses, "SendEmail", Mode::Reset, 1).on_attempt(1));
    let reset = count(&clients(&cloud, 1)).await.expect_err("no answer");
    assert!(matches!(reset, SdkError::DispatchFailure(_)), "{reset:?}");
    assert_eq!(counted(&cloud).await, None);
    assert_eq!(cloud.requests()[0].status, None);
    mail(&clients(&cloud, 2)).await.expect("the second attempt");
    assert_eq!(cloud.inbox().len(), 1);
}

#[tokio::test]
async fn an_unused_fault_can_be_cleared() {
    let cloud = cloud().await;
    cloud.set_fault(fault(Mode::Refused, ALWAYS));
    cloud.set_fault(fault(Mode::Refused, 0));
    count(&clients(&cloud, 1)).await.expect("no fault");
}
