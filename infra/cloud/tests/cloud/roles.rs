//! A call that a role does not allow is denied with the service's own error and not executed.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_ses::types::{Body, Content, Destination, Message};
use cloud::{SEALING_KEY, roles::Role};

use crate::stack::{clients, clients_with_key, cloud, text};

#[tokio::test]
async fn a_call_that_the_role_does_not_allow_is_denied_and_not_executed() {
    let cloud = cloud().await;
    let portal = clients_with_key(&cloud, "portal@1", 1);
    let put = portal.dynamo.put_item().table_name("firstkey").item("PK", text("SUBSCRIPTION#a")).item("SK", text("x"));
    let refused = put.send().await.expect_err("the portal writes nothing").into_service_error();
    assert_eq!(refused.code(), Some("AccessDeniedException"));
    assert!(refused.message().is_some_and(|message| message.contains("not authorized to perform: dynamodb:PutItem")));
    let unseal = portal.kms.decrypt().key_id(SEALING_KEY).ciphertext_blob(Blob::new("x")).send();
    assert_eq!(unseal.await.expect_err("it unseals nothing").code(), Some("AccessDeniedException"));
    let secret = portal.secrets.get_secret_value().secret_id("firstkey/oidc").send();
    assert_eq!(secret.await.expect_err("it reads no secret").code(), Some("AccessDeniedException"));
    let content = |text: &str| Content::builder().data(text).build().expect("content");
    let message = Message::builder().subject(content("s")).body(Body::builder().text(content("t")).build()).build();
    let mail = portal.ses.send_email().source("credentials@contoso.example").message(message);
    let mail = mail.destination(Destination::builder().to_addresses("a@b.example").build()).send();
    assert_eq!(mail.await.expect_err("it mails nothing").code(), Some("AccessDenied"));

    assert!(cloud.dump_table().await.expect("the table").is_empty() && cloud.inbox().is_empty());
    let statuses: Vec<_> = cloud.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(400), Some(400), Some(400), Some(403)]);
    let denied: Vec<_> = cloud.roles().denied().into_iter().map(|denied| denied.request.action).collect();
    assert_eq!(denied, ["dynamodb:PutItem", "kms:Decrypt", "secretsmanager:GetSecretValue", "ses:SendEmail"]);
}

#[tokio::test]
async fn an_unknown_function_may_do_nothing_and_tests_and_developers_everything() {
    let cloud = cloud().await;
    let get = |key: &'static str| {
        let get = clients_with_key(&cloud, key, 1).dynamo.get_item().table_name("firstkey");
        get.key("PK", text("SUBSCRIPTION#a")).key("SK", text("CREDENTIAL")).send()
    };
    for key in ["mail-feedback", "get-credentials2", "", "@1", "AKIAIOSFODNN7EXAMPLE"] {
        assert_eq!(get(key).await.expect_err(key).code(), Some("AccessDeniedException"), "{key}");
    }
    for key in ["desk", "tests", "reissue@2", "local"] {
        get(key).await.expect(key);
    }
    clients(&cloud, 1).put("ACCOUNT#a", "ACCOUNT", "x").await;
}

#[tokio::test]
async fn used_grants_are_recorded_in_the_smallest_unit() {
    let cloud = cloud().await;
    let get = clients_with_key(&cloud, "contact-support", 1).dynamo.get_item().table_name("firstkey");
    get.key("PK", text("SUBSCRIPTION#a")).key("SK", text("CREDENTIAL")).send().await.expect("it reads credentials");
    let used: Vec<_> = cloud.roles().used("contact-support").into_iter().collect();
    let [grant] = used.as_slice() else { panic!("one grant: {used:?}") };
    assert_eq!((&*grant.action, grant.keys.as_deref()), ("dynamodb:GetItem", Some("SUBSCRIPTION#*")));
    cloud.roles().replace("contact-support", Role::read(&[]).expect("an empty role"));
    let get = clients_with_key(&cloud, "contact-support", 1).dynamo.get_item().table_name("firstkey");
    let get = get.key("PK", text("SUBSCRIPTION#a")).key("SK", text("CREDENTIAL")).send().await;
    assert_eq!(get.expect_err("another role").code(), Some("AccessDeniedException"));
}
