//! Support requests to the vendor.

use cloud::{Fault, Mode, Service};
use serde_json::json;
use support::{Answer, Call, TestStack, event};

async fn ask(stack: &TestStack, token: &str, subscription: &str, key: &str) -> Answer {
    let call = Call::contact_support(subscription, "It does not work.\nPlease call.").bearer(token).key(key);
    stack.call("contact-support", call).await
}

#[tokio::test]
async fn support_gets_the_message_the_history_and_the_reply_address_but_no_password() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let password = stack.mailed_password();
    let (dana, kim) = (stack.token("dana@fabrikam.example"), stack.token("kim@fabrikam.example"));
    stack.retrieve(&kim, "sub-1", "click").await;
    let answer = ask(&stack, &dana, "sub-1", "key").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let reference = answer.body["reference"].as_str().unwrap();
    stack.cloud.drained().await.unwrap();
    let inbox = stack.cloud.inbox();
    assert_eq!(inbox.len(), 2);
    let mail = &inbox[1];
    assert_eq!(mail.to, "support@contoso.example");
    assert_eq!(mail.reply_to.as_deref(), Some("dana@fabrikam.example"));
    assert_eq!(mail.subject, format!("Support request {reference}: Contoso Online Suite, Fabrikam, Inc."));
    for text in [&mail.text, &mail.html] {
        for needed in [
            reference,
            "It does not work.\nPlease call.",
            "From: dana@fabrikam.example",
            "sub-1, Contoso Online Suite, trial",
            "admin@fabrikam",
            "by kim@fabrikam.example",
            "The temporary password works until",
        ] {
            assert!(text.contains(needed), "{needed} in {text}");
        }
        assert!(!text.contains(&password) && !text.contains(&password.replace('-', "")));
    }
    assert_eq!(stack.history("sub-1").await, ["issued by vendor", "support-requested by dana@fabrikam.example"]);
    assert!(stack.retrieve(&dana, "sub-1", "other").await.password().is_some(), "asking ends nothing");
}

#[tokio::test]
async fn a_company_has_three_requests_to_support_a_day() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let (dana, kim) = (stack.token("dana@fabrikam.example"), stack.token("kim@fabrikam.example"));
    for (who, key) in [(&dana, "1"), (&kim, "1"), (&kim, "2")] {
        assert_eq!(ask(&stack, who, "sub-1", key).await.status, 202);
    }
    let refused = ask(&stack, &dana, "sub-1", "2").await;
    assert_eq!((refused.status, refused.problem()), (429, Some("too-many-attempts")));
    let wait: i64 = refused.headers["retry-after"].parse().unwrap();
    assert!((1..=86_400).contains(&wait));
    assert_eq!(ask(&stack, &kim, "sub-1", "2").await.status, 202, "the same click is no other request");
    stack.advance_clock(wait);
    let dana = stack.token("dana@fabrikam.example");
    assert_eq!(ask(&stack, &dana, "sub-1", "2").await.status, 202);
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 1 + 4);
}

#[tokio::test]
async fn three_of_many_concurrent_requests_to_support_are_mailed() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    let keys: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    let asked = futures_util::future::join_all(keys.iter().map(|key| ask(&stack, &dana, "sub-1", key))).await;
    let accepted = asked.iter().filter(|answer| answer.status == 202).count();
    // A request that loses every race gets 503.
    assert!(asked.iter().all(|answer| [202, 429, 503].contains(&answer.status)), "{asked:?}");
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 1 + accepted);
    assert!((1..=3).contains(&accepted), "{accepted}");
}

#[tokio::test]
async fn the_same_click_after_a_lost_answer_is_one_mail_with_one_reference() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::LostResponse, 1));
    let first = ask(&stack, &dana, "sub-1", "key").await;
    assert_eq!(first.status, 202, "the repeated transaction recognises its own: {first:?}");
    let second = ask(&stack, &dana, "sub-1", "key").await;
    assert_eq!((second.status, &second.body), (202, &first.body));
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 2);
    assert_eq!(stack.items("SUPPORT#").await[0]["requests"]["N"], "1");
}

#[tokio::test]
async fn a_stranger_gets_the_same_answer_as_for_a_subscription_that_does_not_exist() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let mallory = stack.token("mallory@elsewhere.example");
    let (known, unknown) = (ask(&stack, &mallory, "sub-1", "k").await, ask(&stack, &mallory, "sub-2", "k").await);
    assert_eq!((known.status, known.problem()), (404, Some("not-found")));
    assert_eq!((known.body["detail"].clone(), known.status), (unknown.body["detail"].clone(), unknown.status));
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 1);
}

#[tokio::test]
async fn an_unverified_address_is_not_a_reply_address() {
    let stack = TestStack::start().await;
    let mut started = event("sub-1", "trial");
    started["detail"]["portal_users"] = json!([{ "issuer": stack.provider.issuer(), "subject": "dana" }]);
    stack.start_subscription(started).await;
    let dana = stack.token_with("ceo@fabrikam.example", &json!({ "sub": "dana", "email_verified": false }));
    assert_eq!(ask(&stack, &dana, "sub-1", "k").await.status, 202);
    stack.cloud.drained().await.unwrap();
    let mail = &stack.cloud.inbox()[1];
    assert_eq!(mail.reply_to, None);
    assert!(mail.text.contains("has not verified an address") && !mail.text.contains("ceo@"));
}

#[tokio::test]
async fn an_invalid_message_is_refused_and_not_counted() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    for message in ["", " \n ", "a\u{202e}b", &"x".repeat(4001)] {
        let call = Call::contact_support("sub-1", message).bearer(&dana);
        assert_eq!(stack.call("contact-support", call).await.problem(), Some("invalid-request"), "{message:?}");
    }
    let cookie = Call::contact_support("sub-1", "Help").cookie("__Host-customer", &dana);
    let foreign = cookie.header("origin", "https://evil.example");
    assert_eq!(stack.call("contact-support", foreign).await.problem(), Some("forbidden"));
    assert!(stack.items("SUPPORT#").await.is_empty());
}

#[tokio::test]
async fn markup_in_a_message_is_text() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let call = Call::contact_support("sub-1", "<script>alert(1)</script> & more");
    stack.call("contact-support", call.bearer(&stack.token("dana@fabrikam.example"))).await;
    stack.cloud.drained().await.unwrap();
    let mail = &stack.cloud.inbox()[1];
    assert!(mail.text.contains("<script>alert(1)</script> & more") && !mail.html.contains("<script>"));
}
