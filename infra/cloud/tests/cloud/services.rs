//! Tests of DynamoDB, KMS, Secrets Manager and SES through the SDK.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
    TimeToLiveStatus, TransactWriteItem,
};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeySpec, KeyUsageType, MessageType, SigningAlgorithmSpec};
use aws_sdk_ses::types::{Body, Content, Destination, Message, MessageTag};
use cloud::{SEALING_KEY, SIGNING_KEYS, SecretContent};

use crate::stack::{Clients, clients, cloud, started, succeeding, text};

#[tokio::test]
async fn the_table_has_the_deployed_schema() {
    let cloud = cloud().await;
    let dynamo = clients(&cloud, 1).dynamo;
    let table = dynamo.describe_table().table_name("firstkey").send().await.expect("the table");
    let table = table.table.expect("a description");
    let keys: Vec<_> = table.key_schema().iter().map(|key| key.attribute_name.as_str()).collect();
    assert_eq!(keys, ["PK", "SK"]);
    let stream = table.stream_specification.expect("a stream");
    assert!(stream.stream_enabled);
    assert_eq!(stream.stream_view_type.expect("a view").as_str(), "NEW_AND_OLD_IMAGES");
    assert_eq!(
        table.billing_mode_summary.and_then(|mode| mode.billing_mode).expect("a mode").as_str(),
        "PAY_PER_REQUEST"
    );
    let ttl = dynamo.describe_time_to_live().table_name("firstkey").send().await.expect("a time to live");
    let ttl = ttl.time_to_live_description.expect("a description");
    assert_eq!(ttl.attribute_name.as_deref(), Some("ttl"));
    assert_eq!(ttl.time_to_live_status, Some(TimeToLiveStatus::Enabled));
}

#[tokio::test]
async fn a_failed_condition_returns_the_old_item_and_every_call_is_recorded() {
    let cloud = cloud().await;
    let clients = clients(&cloud, 1);
    clients.put("SUBSCRIPTION#a", "CREDENTIAL", "issued").await;
    let update = |condition: &str| {
        let update = clients.dynamo.update_item().table_name("firstkey");
        let update = update.key("PK", text("SUBSCRIPTION#a")).key("SK", text("CREDENTIAL"));
        let update = update.update_expression("SET #n = :n").condition_expression(condition);
        let update = update.expression_attribute_names("#n", "n").expression_attribute_values(":n", text("1"));
        update.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld).send()
    };
    let updated = update("attribute_not_exists(#n)").await.expect("the first update");
    assert!(updated.consumed_capacity.is_none(), "the caller did not request it");
    let failed = update("attribute_not_exists(#n)").await.expect_err("the condition fails").into_service_error();
    let UpdateItemError::ConditionalCheckFailedException(failed) = failed else { panic!("{:?}", failed.code()) };
    assert_eq!(failed.item.expect("the old item").get("status"), Some(&text("issued")));

    let seen: Vec<_> = cloud
        .requests()
        .into_iter()
        .map(|request| (request.operation, request.status, request.consumed_capacity))
        .collect();
    assert_eq!(
        seen,
        [
            ("PutItem".to_owned(), Some(200), Some(1.0)),
            ("UpdateItem".to_owned(), Some(200), Some(1.0)),
            ("UpdateItem".to_owned(), Some(400), Some(1.0)),
        ]
    );
    assert!(cloud.requests().iter().all(|request| request.function == "probe" && request.service == "dynamodb"));
    cloud.clear_requests();
    assert!(cloud.requests().is_empty());
}

#[tokio::test]
async fn a_refused_conditional_write_is_charged_by_the_size_of_the_item() {
    let cloud = cloud().await;
    let clients = clients(&cloud, 1);
    let put = |sk: &str, bytes: usize| {
        let put = clients.dynamo.put_item().table_name("firstkey").item("PK", text("a")).item("SK", text(sk));
        put.item("filler", text(&"x".repeat(bytes)))
    };
    put("1", 2_500).send().await.expect("the item");
    cloud.clear_requests();
    let delete = |sk: &str| {
        let delete = clients.dynamo.delete_item().table_name("firstkey").key("PK", text("a")).key("SK", text(sk));
        delete.condition_expression("attribute_exists(other_attribute)").send()
    };
    delete("1").await.expect_err("the condition fails");
    delete("2").await.expect_err("there is no item");
    let put = |bytes| put("1", bytes).condition_expression("attribute_not_exists(PK)").send();
    put(1).await.expect_err("the stored item is larger");
    put(3_500).await.expect_err("the new item is larger");
    let missing = clients.dynamo.delete_item().table_name("firstkey").key("PK", text("a")).send();
    missing.await.expect_err("an invalid call");
    let units: Vec<_> = cloud.requests().iter().map(|request| request.consumed_capacity).collect();
    assert_eq!(units, [Some(3.0), Some(1.0), Some(3.0), Some(4.0), None]);
}

#[tokio::test]
async fn the_record_of_a_batch_or_transaction_has_the_sum_of_consumed_capacity() {
    let cloud = cloud().await;
    let clients = clients(&cloud, 1);
    let put = |sk: &str| {
        let put = Put::builder().table_name("firstkey").item("PK", text("a")).item("SK", text(sk)).build();
        TransactWriteItem::builder().put(put.expect("a put")).build()
    };
    let transaction = clients.dynamo.transact_write_items().transact_items(put("1")).transact_items(put("2"));
    transaction.send().await.expect("the transaction");
    let key = |sk: &str| [("PK".to_owned(), text("a")), ("SK".to_owned(), text(sk))].into();
    let keys = KeysAndAttributes::builder().keys(key("1")).keys(key("2")).consistent_read(true).build();
    let batch = clients.dynamo.batch_get_item().request_items("firstkey", keys.expect("keys"));
    let batch = batch.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await.expect("the batch");
    assert_eq!(batch.consumed_capacity().len(), 1, "the caller requested it");
    let units: Vec<_> = cloud.requests().iter().map(|request| request.consumed_capacity).collect();
    assert_eq!(units, [Some(4.0), Some(2.0)]);
}

#[tokio::test]
async fn a_ciphertext_is_decrypted_only_with_its_encryption_context() {
    let cloud = cloud().await;
    let kms = clients(&cloud, 1).kms;
    let sealed = kms.encrypt().key_id(SEALING_KEY).plaintext(Blob::new("k7wmp")).encryption_context("issue", "1");
    let sealed = sealed.send().await.expect("sealed").ciphertext_blob.expect("a blob");
    let open = |issue: &str| {
        kms.decrypt().key_id(SEALING_KEY).ciphertext_blob(sealed.clone()).encryption_context("issue", issue).send()
    };
    assert_eq!(open("1").await.expect("opened").plaintext.expect("plaintext").as_ref(), b"k7wmp");
    let refused = open("2").await.expect_err("another context").into_service_error();
    assert!(refused.is_invalid_ciphertext_exception());
}

/// Returns the public part of a signing key, in DER.
async fn public_key(kms: &aws_sdk_kms::Client, key: &str) -> Vec<u8> {
    let key = kms.get_public_key().key_id(key).send().await.expect("the public key");
    assert_eq!((key.key_spec(), key.key_usage()), (Some(&KeySpec::Rsa2048), Some(&KeyUsageType::SignVerify)));
    assert_eq!(key.signing_algorithms(), [SigningAlgorithmSpec::RsassaPkcs1V15Sha256]);
    key.public_key.expect("a blob").into_inner()
}

#[tokio::test]
async fn a_signature_is_verified_by_the_public_key_of_its_own_key() {
    let cloud = cloud().await;
    let kms = clients(&cloud, 1).kms;
    let message = b"header.claims";
    let sign = |content: &[u8], kind: MessageType| {
        let sign = kms.sign().key_id(SIGNING_KEYS[0]).message(Blob::new(content)).message_type(kind);
        sign.signing_algorithm(SigningAlgorithmSpec::RsassaPkcs1V15Sha256).send()
    };
    let of_digest = sign(digest(&SHA256, message).as_ref(), MessageType::Digest).await.expect("signed");
    let of_message = sign(message, MessageType::Raw).await.expect("signed");
    let signature = of_digest.signature.expect("a signature").into_inner();
    assert_eq!(of_message.signature.expect("a signature").as_ref(), signature, "the padding is deterministic");
    let [own, other] = SIGNING_KEYS.map(|key| public_key(&kms, key));
    let verifies =
        |key: &[u8]| UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(message, &signature).is_ok();
    let (own, other) = (own.await, other.await);
    assert!(verifies(&own) && !verifies(&other));
    assert!(sign(message, MessageType::Digest).await.is_err(), "this is no SHA-256");
    let pss = kms.sign().key_id(SIGNING_KEYS[0]).message(Blob::new(message));
    let pss = pss.signing_algorithm(SigningAlgorithmSpec::RsassaPssSha256).send().await.expect_err("another algorithm");
    assert!(pss.into_service_error().is_invalid_key_usage_exception());
}

#[tokio::test]
async fn signing_keys_are_kept_between_starts_in_a_file_of_their_owner() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = || Some(directory.path().to_owned());
    let cloud = started(data(), succeeding()).await;
    let first = public_key(&clients(&cloud, 1).kms, SIGNING_KEYS[0]).await;
    drop(cloud);
    let cloud = started(data(), succeeding()).await;
    let kms = clients(&cloud, 1).kms;
    assert_eq!(public_key(&kms, SIGNING_KEYS[0]).await, first);
    assert_ne!(public_key(&kms, SIGNING_KEYS[1]).await, first);
    let kept = std::fs::metadata(directory.path().join("kms-signing.json")).expect("the file");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&kept.permissions()) & 0o777, 0o600);
}

#[tokio::test]
async fn a_disabled_signing_key_neither_signs_nor_gives_its_public_part() {
    let cloud = cloud().await;
    let kms = clients(&cloud, 1).kms;
    let sign = || {
        let sign = kms.sign().key_id(SIGNING_KEYS[0]).message(Blob::new([0_u8; 32])).message_type(MessageType::Digest);
        sign.signing_algorithm(SigningAlgorithmSpec::RsassaPkcs1V15Sha256).send()
    };
    cloud.disable_signing_key(SIGNING_KEYS[0], true);
    assert!(sign().await.expect_err("disabled").into_service_error().is_disabled_exception());
    let read = kms.get_public_key().key_id(SIGNING_KEYS[0]).send().await.expect_err("disabled");
    assert!(read.into_service_error().is_disabled_exception());
    assert!(!public_key(&kms, SIGNING_KEYS[1]).await.is_empty(), "the other one is not disabled");
    cloud.disable_signing_key(SIGNING_KEYS[0], false);
    assert!(sign().await.is_ok());
}

#[tokio::test]
async fn a_secret_is_read_by_name_or_arn_and_replaced() {
    let cloud = cloud().await;
    let secrets = clients(&cloud, 1).secrets;
    let read = |id: &str| secrets.get_secret_value().secret_id(id).send();
    let missing = read("firstkey/oidc").await.expect_err("not stored").into_service_error();
    assert!(missing.is_resource_not_found_exception());
    cloud.put_secret("firstkey/oidc", SecretContent::Text("first".to_owned()));
    let first = read("firstkey/oidc").await.expect("the secret");
    assert_eq!(
        (first.secret_string(), first.name(), first.version_stages()),
        (Some("first"), Some("firstkey/oidc"), &["AWSCURRENT".to_owned()][..])
    );
    let arn = first.arn().expect("an ARN");
    let suffix = arn.strip_prefix("arn:aws:secretsmanager:us-east-1:123456789012:secret:firstkey/oidc-");
    assert_eq!(suffix.map(str::len), Some(6), "{arn}");
    cloud.put_secret("firstkey/oidc", SecretContent::Binary("AAEC".to_owned()));
    let second = read(arn).await.expect("the secret");
    assert_eq!(second.secret_string(), None);
    assert_eq!(second.secret_binary().map(AsRef::as_ref), Some(&[0_u8, 1, 2][..]));
    assert_ne!(second.version_id(), first.version_id());
}

#[tokio::test]
async fn secrets_manager_names_what_it_does_not_support() {
    let cloud = cloud().await;
    cloud.put_secret("a", SecretContent::Text("text".to_owned()));
    let secrets = clients(&cloud, 1).secrets;
    let earlier = secrets.get_secret_value().secret_id("a").version_stage("AWSPREVIOUS").send().await;
    let earlier = earlier.expect_err("an earlier version").into_service_error();
    assert!(
        earlier.is_invalid_parameter_exception() && earlier.message().is_some_and(|it| it.contains("VersionStage"))
    );
    let list = secrets.list_secrets().send().await.expect_err("another operation").into_service_error();
    assert!(list.message().is_some_and(|it| it.contains("ListSecrets")));
}

async fn send(clients: &Clients, tag: &str) -> Result<String, aws_sdk_ses::operation::send_email::SendEmailError> {
    let content = |data: &str| Content::builder().data(data).charset("UTF-8").build().expect("content");
    let body = Body::builder().text(content("Grüße & more")).html(content("<p>Grüße</p>")).build();
    let message = Message::builder().subject(content("Your credentials")).body(body).build();
    let tag = MessageTag::builder().name("subscription").value(tag).build().expect("a tag");
    let mail = clients.ses.send_email().source("Firstkey <no-reply@firstkey.example>").message(message);
    let mail = mail.destination(Destination::builder().to_addresses("it@fabrikam.example").build());
    let mail =
        mail.reply_to_addresses("support@contoso.example").tags(tag).configuration_set_name(cloud::CONFIGURATION_SET);
    let sent = mail.send().await.map_err(aws_sdk_ses::error::SdkError::into_service_error)?;
    Ok(sent.message_id)
}

#[tokio::test]
async fn the_inbox_has_every_field_of_a_sent_mail() {
    let cloud = cloud().await;
    let id = send(&clients(&cloud, 1), "sub-1001").await.expect("sent");
    let [mail] = &cloud.inbox()[..] else { panic!("{} mails", cloud.inbox().len()) };
    assert_eq!(mail.message_id, id);
    assert_eq!(mail.from, "Firstkey <no-reply@firstkey.example>");
    assert_eq!(mail.to, "it@fabrikam.example");
    assert_eq!(mail.subject, "Your credentials");
    assert_eq!(mail.text, "Grüße & more");
    assert_eq!(mail.html, "<p>Grüße</p>");
    assert_eq!(mail.reply_to.as_deref(), Some("support@contoso.example"));
    assert_eq!(mail.tags.get("subscription").map(String::as_str), Some("sub-1001"));
    assert_eq!(mail.configuration_set.as_deref(), Some(cloud::CONFIGURATION_SET));
}

#[tokio::test]
async fn ses_names_the_operation_or_tag_that_it_refuses() {
    let cloud = cloud().await;
    let clients = clients(&cloud, 1);
    let refused = clients.ses.get_send_quota().send().await.expect_err("not emulated").into_service_error();
    assert_eq!(refused.code(), Some("InvalidAction"));
    assert!(refused.message().expect("a message").contains("GetSendQuota"));
    let refused = send(&clients, "a@b").await.expect_err("no tag");
    assert!(refused.message().expect("a message").contains("a@b"));
    assert!(cloud.inbox().is_empty());
}

#[tokio::test]
async fn the_whole_table_can_be_dumped() {
    let cloud = cloud().await;
    let clients = clients(&cloud, 1);
    let large = "x".repeat(300_000);
    for sk in ["1", "2", "3", "4", "5"] {
        let put = clients.dynamo.put_item().table_name("firstkey").item("PK", text("a")).item("SK", text(sk));
        put.item("large", AttributeValue::S(large.clone())).send().await.expect("written");
    }
    assert_eq!(cloud.dump_table().await.expect("a dump").len(), 5, "more than one page of a scan");
}

#[tokio::test]
async fn imported_items_are_in_the_table_and_not_in_the_stream() {
    let cloud = cloud().await;
    let item = |pk: usize| format!(r#"{{"PK":{{"S":"{pk}"}},"SK":{{"S":"x"}},"n":{{"N":"7"}},"b":{{"B":"AQI="}}}}"#);
    let batches = (0..3).map(move |batch| (0..100).map(|n| item(batch * 100 + n)).collect());
    cloud.import(batches).await.expect("imported");
    assert_eq!(cloud.dump_table().await.expect("a dump").len(), 300);
    let dynamo = clients(&cloud, 1).dynamo;
    let get = dynamo.get_item().table_name("firstkey").key("PK", text("299")).key("SK", text("x")).send().await;
    let item = get.expect("an answer").item.expect("an item");
    assert_eq!(item["b"], AttributeValue::B(Blob::new([1, 2])));
    assert!(cloud.stream_records().await.expect("the stream").is_empty());
    let broken = vec![vec!["{".to_owned()]];
    assert!(cloud.import(broken.into_iter()).await.is_err());
}
