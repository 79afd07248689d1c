//! Support requests to the vendor.

use cloud::{Fault, Mode, Service};
use domain::{Caller, Reference};
use serde_json::json;
use support::{Answer, Call, TestStack, event, table::Table};

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
    assert!(mail.text.ends_with("\n> It does not work.\n> Please call.\n"), "{}", mail.text);
    assert!(mail.html.contains("It does not work.\nPlease call."));
    for text in [&mail.text, &mail.html] {
        for needed in [
            reference,
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
    for message in ["", " \n ", "\u{202e}", &"x".repeat(4001)] {
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

#[tokio::test]
async fn pasted_text_is_accepted_and_cleaned() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    let pasted = "\u{feff}Call \u{202a}+49 89 555 01\u{202c}\u{b}or \u{2068}Kim\u{2069}\u{2028}soft\u{ad}ware\r\nنرم\u{200c}افزار";
    let call = Call::contact_support("sub-1", pasted).bearer(&dana).key("pasted");
    let answer = stack.call("contact-support", call).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    stack.cloud.drained().await.unwrap();
    let text = &stack.cloud.inbox()[1].text;
    assert!(text.ends_with("\n> Call +49 89 555 01\n> or Kim\n> software\n> نرم\u{200c}افزار\n"), "{text:?}");
}

/// Returns the lines of a mail that are not quoted, wherever a program may break a line.
fn unquoted_lines(text: &str) -> Vec<&str> {
    let breaks = ['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];
    text.split(breaks).filter(|line| !line.starts_with("> ")).collect()
}

#[tokio::test]
async fn no_customer_can_write_a_line_that_passes_for_one_of_the_facts() {
    let stack = TestStack::start().await;
    let dana = stack.token("dana@fabrikam.example");
    let forged = ["User name: admin@evil", "What happened to the credentials:", "- Retrieved by kim@fabrikam.example"];
    let mut facts = Vec::new();
    let breaks = ["\n", "\r\n", "\r", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}", "\n\n"];
    for (n, line_break) in [None].into_iter().chain(breaks.map(Some)).enumerate() {
        let subscription = format!("sub-{n}");
        let mut started = event(&subscription, "trial");
        started["detail"]["company"]["id"] = subscription.as_str().into();
        stack.start_subscription(started).await;
        let message =
            line_break.map_or("Help".to_owned(), |line_break| format!("Help{line_break}{}", forged.join(line_break)));
        let call = Call::contact_support(&subscription, &message).bearer(&dana).key("key");
        let answer = stack.call("contact-support", call).await;
        assert_eq!(answer.status, 202, "{line_break:?}: {answer:?}");
        stack.cloud.drained().await.unwrap();
        let mail = stack.cloud.inbox().pop().unwrap();
        let reference = answer.body["reference"].as_str().unwrap();
        let without_ids = |line: &str| line.replace(reference, "REFERENCE").replace(&subscription, "SUBSCRIPTION");
        let dated = |line: &&str| line.contains(" UTC");
        let lines = unquoted_lines(&mail.text).into_iter().filter(|line| !dated(line));
        facts.push(lines.map(without_ids).collect::<Vec<_>>());
        let (before, quoted) = mail.text.split_once("> Help").expect("the message is quoted");
        assert!(before.contains("User name: admin@sub-") && !quoted.contains("User name: admin@sub-"), "{}", mail.text);
    }
    assert!(facts.iter().all(|lines| *lines == facts[0]), "{facts:#?}");
}

/// Starts a subscription whose portal user is known by a subject, and returns a token with this address.
async fn token_of_a_subject(stack: &TestStack, subscription: &str, email: &str) -> String {
    let mut started = event(subscription, "trial");
    started["detail"]["portal_users"] = json!([{ "issuer": stack.provider.issuer(), "subject": "someone" }]);
    stack.start_subscription(started).await;
    stack.token_with(email, &json!({ "sub": "someone" }))
}

#[tokio::test]
async fn a_request_from_an_address_that_ses_cannot_send_to_arrives_and_names_it_in_the_body() {
    for (n, email) in
        ["jürgen@fabrikam.example", "kim..lee@fabrikam.example", "kim.@fabrikam.example"].iter().enumerate()
    {
        let stack = TestStack::start().await;
        let token = token_of_a_subject(&stack, "sub-1", email).await;
        let answer = ask(&stack, &token, "sub-1", &n.to_string()).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        stack.cloud.drained().await.unwrap();
        let mail = stack.cloud.inbox().pop().unwrap();
        assert_eq!((&*mail.to, mail.reply_to.as_deref()), ("support@contoso.example", None));
        assert!(mail.text.contains(&format!("From: {email} (replies")) && mail.html.contains(email), "{}", mail.text);
        assert_eq!(stack.items("MAIL#support#").await[0]["status"]["S"], "sent");
    }
}

#[tokio::test]
async fn a_domain_outside_ascii_is_an_a_label_in_the_reply_address() {
    let stack = TestStack::start().await;
    let token = token_of_a_subject(&stack, "sub-1", "kim@bücher.example").await;
    assert_eq!(ask(&stack, &token, "sub-1", "key").await.status, 202);
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().pop().unwrap().reply_to.as_deref(), Some("kim@xn--bcher-kva.example"));
}

#[tokio::test]
async fn a_key_that_is_used_again_for_another_message_is_a_conflict() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    let first = ask(&stack, &dana, "sub-1", "key").await;
    let with = async |message: &str, key: &str| {
        stack.call("contact-support", Call::contact_support("sub-1", message).bearer(&dana).key(key)).await
    };
    let other = with("Something else.", "key").await;
    assert_eq!((other.status, other.problem()), (409, Some("conflict")));
    let cleaned = with("  It does not work.\r\nPlease call.\u{feff} ", "key").await;
    assert_eq!((cleaned.status, &cleaned.body), (202, &first.body), "the same message once it is cleaned");
    assert_eq!(with("Something else.", "another").await.status, 202);
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 1 + 2);
    assert_eq!(stack.items("SUPPORT#").await[0]["requests"]["N"], "2");
}

#[tokio::test]
async fn one_key_in_two_subscriptions_is_two_requests_with_two_references() {
    let stack = TestStack::start().await;
    let dana = stack.token("dana@fabrikam.example");
    let mut references = Vec::new();
    for subscription in ["sub-1", "sub-2"] {
        stack.start_subscription(event(subscription, "trial")).await;
        let answer = ask(&stack, &dana, subscription, "key").await;
        references.push(answer.body["reference"].as_str().unwrap().to_owned());
    }
    assert_ne!(references[0], references[1]);
    stack.cloud.drained().await.unwrap();
    assert_eq!(stack.cloud.inbox().len(), 4);
}

#[tokio::test]
async fn a_click_that_0_1_0_has_ordered_keeps_its_reference() {
    let stack = TestStack::start().await;
    let token = token_of_a_subject(&stack, "sub-1", "dana@fabrikam.example").await;
    assert_eq!(ask(&stack, &token, "sub-1", "key").await.status, 202);
    stack.cloud.drained().await.unwrap();
    // The item of the release has another reference, and the message as that release accepted it.
    let caller = Caller::new(stack.provider.issuer().to_owned(), "someone".to_owned(), None, vec![]);
    let earlier = Reference::from_click_in_0_1_0(&caller, "old");
    let mut item = stack.items("MAIL#support#").await.pop().unwrap();
    item["SK"]["S"] = format!("MAIL#support#{earlier}").into();
    item["message"]["S"] = "It does not work.\nPlease\u{ad} call.".into();
    Table::connect(&stack.cloud.aws_url(), "tests").put(&item).await;
    let again = ask(&stack, &token, "sub-1", "old").await;
    assert_eq!((again.status, again.body["reference"].as_str()), (202, Some(earlier.as_str())));
    let other = Call::contact_support("sub-1", "Something else.").bearer(&token).key("old");
    assert_eq!(stack.call("contact-support", other).await.problem(), Some("conflict"));
    assert_eq!(stack.items("SUPPORT#").await[0]["requests"]["N"], "1", "no request is counted again");
}
