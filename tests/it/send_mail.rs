//! The welcome mail is never lost, and it is sent once unless a call fails.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws::{Lease, MailOrder, Mails, Table, TakeOutcome};
use cloud::{Fault, Limits, Mode, Queue, Service};
use domain::{MailStatus, Timestamp};
use serde_json::json;
use support::{Call, Deployment, TestStack, event, table};

const LEASE: i64 = 60;

/// Waits until a condition holds.
async fn until(what: impl AsyncFn() -> bool) {
    for _ in 0..1000 {
        if what().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the condition never held");
}

async fn called(stack: &TestStack, operation: &'static str, function: &'static str) {
    until(async || {
        stack.cloud.requests().iter().any(|request| request.operation == operation && request.function == function)
    })
    .await;
}

/// Returns the statuses of the welcome mails in the table.
async fn statuses(stack: &TestStack) -> Vec<String> {
    let all = stack.cloud.dump_table().await.unwrap();
    let mails = all.iter().filter(|item| item["SK"]["S"] == "MAIL");
    mails.map(|mail| mail["status"]["S"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_welcome_mail_has_the_password_on_its_own_line_and_every_address() {
    let stack = Deployment::default().with("SUPPORT_URL", "https://help.contoso.example").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let mail = &stack.cloud.inbox()[0];
    let password = stack.retrieve(&stack.token("dana@fabrikam.example"), "sub-1", "click").await;
    let expires = domain::Timestamp::parse_rfc3339(password.body["expires_at"].as_str().unwrap()).unwrap();
    let expires = words::date(words::Language::English.words(), expires);
    assert_eq!((&*mail.to, &*mail.subject), ("it@fabrikam.example", "Your credentials for Contoso Online Suite"));
    assert_eq!(mail.text.lines().filter(|line| Some(*line) == password.password()).count(), 1, "on its own line");
    for text in [&mail.text, &mail.html] {
        for needed in [
            password.password().unwrap(),
            "admin@fabrikam",
            "http://localhost:9000/administration",
            "http://localhost:9000",
            "https://help.contoso.example",
            &expires,
        ] {
            assert!(text.contains(needed), "{needed} in {text}");
        }
    }
    assert_eq!((&*mail.tags["subscription"], &*mail.tags["issue"]), ("sub-1", "1"));
}

#[tokio::test]
async fn the_mail_is_in_the_language_that_the_event_asks_for() {
    let stack = TestStack::start().await;
    let mut german = event("sub-1", "paid");
    german["detail"]["locale"] = "de-CH".into();
    stack.start_subscription(german).await;
    let mail = &stack.cloud.inbox()[0];
    assert_eq!(mail.subject, "Ihre Zugangsdaten für Contoso Online Suite");
    for text in [&mail.text, &mail.html] {
        assert!(
            text.contains("Fabrikam, Inc. hat Contoso Online Suite abonniert.")
                && text.contains(&stack.mailed_password())
        );
        assert!(!text.contains("administrator account") && !text.contains("service administrator"));
    }
    assert!(mail.html.contains("<html lang=\"de\" dir=\"ltr\">"));
}

#[tokio::test]
async fn names_are_escaped_in_the_html_and_not_in_the_text() {
    let stack = TestStack::start().await;
    let mut started = event("sub-1", "trial");
    started["detail"]["company"]["name"] = "<b>Fish & Chips</b>".into();
    stack.start_subscription(started).await;
    let mail = &stack.cloud.inbox()[0];
    assert!(mail.text.contains("<b>Fish & Chips</b>"));
    assert!(!mail.html.contains("<b>Fish") && mail.html.contains("Fish &"));
}

#[tokio::test]
async fn a_locale_is_german_however_a_billing_system_writes_it_and_english_without_a_wish() {
    let stack = TestStack::start().await;
    for (n, (locale, subject)) in [
        (json!("de_DE"), "Ihre Zugangsdaten"),
        (json!("de-DE.UTF-8"), "Ihre Zugangsdaten"),
        (json!("de-CH-1996"), "Ihre Zugangsdaten"),
        (json!("DE"), "Ihre Zugangsdaten"),
        (json!("en_GB"), "Your credentials"),
        (json!("xx-unknown"), "Your credentials"),
        (json!(""), "Your credentials"),
        (json!(null), "Your credentials"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut started = event(&format!("sub-{n}"), "trial");
        started["detail"]["locale"] = locale.clone();
        stack.start_subscription(started).await;
        assert!(stack.cloud.inbox()[n].subject.starts_with(subject), "{locale}");
    }
}

#[tokio::test]
async fn a_sender_with_letters_outside_ascii_is_an_encoded_word() {
    let stack = Deployment::default().with("SENDER", "\"Müller AG\" <no-reply@x.example>").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    assert_eq!(stack.cloud.inbox()[0].from, "=?UTF-8?B?TcO8bGxlciBBRw==?= <no-reply@x.example>");
    let long = format!("\"{}, \\\"Süd\\\"\" <no-reply@x.example>", "Bücher und Größen ".repeat(8));
    let stack = Deployment::default().with("SENDER", &long).start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let from = stack.cloud.inbox()[0].from.clone();
    let words: Vec<&str> = from.split(' ').collect();
    assert!(words.len() > 3 && words.iter().all(|word| word.len() <= 75 && word.is_ascii()), "{from}");
}

/// The same text without the characters that mails put into names.
fn without_word_joiners(text: &str) -> String {
    text.replace('\u{2060}', "")
}

#[tokio::test]
async fn no_name_of_an_event_is_a_link_in_a_mail() {
    let stack = TestStack::start().await;
    let mut started = event("sub-1", "trial");
    started["detail"]["company"]["name"] = "Your mailbox is full: www.evil.example".into();
    started["detail"]["product"] = "evil.example 2.0, Inc.".into();
    stack.start_subscription(started).await;
    let dana = stack.token("dana@fabrikam.example");
    let ask = Call::contact_support("sub-1", "Help").bearer(&dana).key("key");
    assert_eq!(stack.call("contact-support", ask).await.status, 202);
    stack.cloud.drained().await.unwrap();
    let inbox = stack.cloud.inbox();
    assert_eq!(inbox.len(), 2);
    for mail in &inbox {
        for text in [&mail.subject, &mail.text, &mail.html] {
            assert!(!text.contains("evil.example") && !text.contains("www.evil"), "{text}");
            let shown = without_word_joiners(text);
            assert!(shown.contains("evil.example 2.0, Inc.") && text.contains(" 2.0, Inc."), "{text}");
        }
        let shown = without_word_joiners(&mail.text);
        assert!(shown.contains("Your mailbox is full: www.evil.example"), "{shown}");
    }
}

#[tokio::test]
async fn names_of_an_earlier_release_make_no_line_and_no_link_in_a_mail() {
    let stack = TestStack::start().await;
    stack.cloud.set_fault(Fault::new(Service::Ses, "SendEmail", Mode::Refused, 100));
    stack.start_subscription(event("sub-1", "trial")).await;
    let mut credential = stack.items("CREDENTIAL").await.pop().unwrap();
    credential["company"]["M"]["name"]["S"] = "Fabrikam\u{2028}User name:\u{85}evil.example/x\u{202e}".into();
    table::Table::connect(&stack.cloud.aws_url(), "tests").put(&credential).await;
    stack.cloud.set_fault(Fault::new(Service::Ses, "SendEmail", Mode::Refused, 0));
    stack.start_subscription(event("sub-2", "trial")).await;
    let order = json!({ "dynamodb": {
        "Keys": { "PK": { "S": "SUBSCRIPTION#sub-1" }, "SK": { "S": "MAIL" } },
        "NewImage": { "issue": { "N": "1" } },
    } });
    stack.invoke("send-mail", json!({ "Records": [{ "messageId": "1", "body": order.to_string() }] })).await;
    let mail = stack.cloud.inbox().into_iter().find(|mail| mail.tags["subscription"] == "sub-1").unwrap();
    assert!(mail.text.contains("Fabrikam?User name:?evil.\u{2060}example/x? has started"), "{}", mail.text);
}

#[tokio::test]
async fn a_link_mail_has_no_password_and_decrypts_none() {
    let stack = Deployment::default().with("WELCOME_MAIL", "link").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let mail = &stack.cloud.inbox()[0];
    let answer = stack.retrieve(&stack.token("dana@fabrikam.example"), "sub-1", "click").await;
    assert!(!mail.text.contains(answer.password().unwrap()) && !mail.html.contains(answer.password().unwrap()));
    assert!(mail.text.contains("http://localhost:9000\n"));
    let unsealed_by = stack.cloud.requests().into_iter().filter(|request| request.operation == "Decrypt");
    assert_eq!(unsealed_by.map(|request| request.function).collect::<Vec<_>>(), ["get-credentials"]);
}

#[tokio::test]
async fn the_content_that_the_event_asks_for_overrides_the_deployments() {
    let stack = Deployment::default().with("WELCOME_MAIL", "link").start().await;
    let mut started = event("sub-1", "trial");
    started["detail"]["welcome_mail"] = "credentials".into();
    stack.start_subscription(started).await;
    assert!(stack.cloud.inbox()[0].text.contains("Temporary password:"));
}

#[tokio::test]
async fn after_three_refusals_of_ses_the_mail_goes_out_once_and_others_are_not_sent_again() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.cloud.set_fault(Fault::new(Service::Ses, "SendEmail", Mode::Refused, 3));
    stack.start_subscription(event("sub-2", "trial")).await;
    let to: Vec<String> = stack.cloud.inbox().into_iter().map(|mail| mail.tags["subscription"].clone()).collect();
    assert_eq!(to, ["sub-1", "sub-2"]);
    assert_eq!(statuses(&stack).await, ["sent", "sent"]);
    assert_eq!(stack.cloud.dead_letters().len(), 0);
    let answer = stack.retrieve(&stack.token("dana@fabrikam.example"), "sub-2", "click").await;
    assert!(stack.cloud.inbox()[1].text.contains(answer.password().unwrap()));
}

/// Returns how often SES was asked to send a mail, and how often send-mail unsealed a password for it.
fn sendings(stack: &TestStack) -> (usize, usize) {
    let requests = stack.cloud.requests();
    let by_send_mail = |operation| {
        requests.iter().filter(|request| request.function == "send-mail" && request.operation == operation).count()
    };
    (by_send_mail("SendEmail"), by_send_mail("Decrypt"))
}

#[tokio::test]
async fn a_refused_mail_is_redelivered_and_not_tried_again_by_the_sdk() {
    let stack = TestStack::start().await;
    stack.cloud.set_fault(Fault::new(Service::Ses, "SendEmail", Mode::Refused, 2));
    stack.start_subscription(event("sub-1", "trial")).await;
    assert_eq!((stack.cloud.inbox().len(), sendings(&stack)), (1, (3, 3)));
}

#[tokio::test]
async fn a_mail_that_is_sent_too_fast_waits_in_the_function() {
    let stack = TestStack::start().await;
    stack.cloud.set_fault(Fault::new(Service::Ses, "SendEmail", Mode::Throttled, 3));
    stack.start_subscription(event("sub-1", "trial")).await;
    assert_eq!((stack.cloud.inbox().len(), sendings(&stack)), (1, (4, 1)));
    assert_eq!(statuses(&stack).await, ["sent"]);
}

#[tokio::test]
async fn a_mail_without_a_turn_in_time_is_given_back() {
    let stack = Deployment::default().with("MAIL_RATE", "0.001").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    assert_eq!(stack.publish(event("sub-2", "trial")).await, json!([]));
    until(async || stack.cloud.dead_letters().len() == 1).await;
    assert_eq!(sendings(&stack), (1, 1));
    let mails = stack.items("MAIL").await;
    let second = mails.iter().find(|mail| mail["PK"]["S"] == "SUBSCRIPTION#sub-2").unwrap();
    assert_eq!((&second["status"]["S"], &second["lease_until"]), (&json!("pending"), &json!(null)));
}

#[tokio::test]
async fn a_mail_over_the_quota_is_hidden_for_longer_each_time_and_keeps_no_lease() {
    let stack = TestStack::start().await;
    stack.cloud.set_mail_limits(Limits { quota: Some(0), rate: None });
    assert_eq!(stack.publish(event("sub-1", "trial")).await, json!([]));
    until(async || !stack.cloud.hidden(Queue::SendMail).is_empty()).await;
    let hidden = stack.cloud.hidden(Queue::SendMail)[0].as_secs();
    assert!((4400..=4500).contains(&hidden), "{hidden}");
    let mail = &stack.items("MAIL").await[0];
    assert_eq!((&mail["status"]["S"], &mail["lease_until"]), (&json!("pending"), &json!(null)));
    assert_eq!((stack.cloud.inbox().len(), stack.cloud.dead_letters().len()), (0, 0));
}

/// Lets many mails wait at once, and asserts that each is sent once. Returns how often SES refused one of them.
async fn send_many(mails: usize, rate: usize, deployment: Deployment) -> usize {
    let stack = deployment.with("WELCOME_MAIL", "link").start().await;
    stack.start_subscription(event("sub-0", "trial")).await;
    let (credential, mut mail) = (stack.items("CREDENTIAL").await.remove(0), stack.items("MAIL").await.remove(0));
    (mail["status"]["S"], mail["rank"]["N"]) = ("pending".into(), MailStatus::Pending.rank().to_string().into());
    mail.as_object_mut().unwrap().remove("tries");
    let items = (1..=mails).flat_map(|n| {
        [&credential, &mail].map(|item| {
            let mut item = item.clone();
            item["PK"]["S"] = format!("SUBSCRIPTION#many-{n}").into();
            item
        })
    });
    stack.cloud.set_mail_limits(Limits { rate: Some(rate), quota: None });
    table::Table::connect(&stack.cloud.aws_url(), "tests").put_all(&items.collect::<Vec<_>>()).await;
    stack.cloud.drained().await.unwrap();
    let to: BTreeSet<String> = stack.cloud.inbox().iter().map(|mail| mail.tags["subscription"].clone()).collect();
    assert_eq!((to.len(), stack.cloud.inbox().len()), (mails + 1, mails + 1), "each is sent once");
    assert_eq!(stack.cloud.dead_letters(), []);
    assert!(statuses(&stack).await.iter().all(|status| status == "sent"));
    sendings(&stack).0 - mails - 1
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_that_wait_at_once_are_sent_once_each_at_the_rate_of_the_account() {
    // The instance is faster than SES, so that it is refused and has to wait.
    let deployment = Deployment::default().with("MAIL_RATE", "10").with_redelivery_delay(Duration::from_secs(2));
    assert!(send_many(40, 5, deployment).await > 0, "SES has refused some of them");
}

/// 5,000 mails, with a tenth of a deployment's lease and visibility, and ten times its rate at SES. It takes minutes in an unoptimised build.
#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_mails_that_wait_at_once_are_sent_once_each() {
    if !support::has_env("FIRSTKEY_FULL") {
        return println!("left out without FIRSTKEY_FULL=1");
    }
    let deployment = Deployment::default().with("MAIL_LEASE_SECONDS", "6").with("MAIL_RATE", "140");
    let began = std::time::Instant::now();
    let refusals = send_many(5000, 140, deployment.with_redelivery_delay(Duration::from_secs(18))).await;
    println!("5,000 mails in {:?}, {refusals} refusals of SES", began.elapsed());
}

#[tokio::test]
async fn killed_before_it_is_sent_no_mail_is_lost() {
    let stack = TestStack::start().await;
    stack.cloud.set_fault(Fault::new(Service::Kms, "Decrypt", Mode::Delayed, 1));
    assert_eq!(stack.publish(event("sub-1", "trial")).await, json!([]));
    called(&stack, "GetItem", "send-mail").await;
    stack.kill("send-mail");
    assert_eq!(stack.cloud.inbox().len(), 0);
    stack.advance_clock(LEASE);
    stack.cloud.drained().await.unwrap();
    assert_eq!((stack.cloud.inbox().len(), statuses(&stack).await), (1, vec!["sent".to_owned()]));
}

#[tokio::test]
async fn killed_between_sending_and_recording_at_most_one_more_mail_goes_out_with_the_same_password() {
    let stack = TestStack::start().await;
    let hold = Fault::new(Service::Ses, "SendEmail", Mode::Delayed, 1).held_for(Duration::from_millis(300));
    stack.cloud.set_fault(hold);
    assert_eq!(stack.publish(event("sub-1", "trial")).await, json!([]));
    called(&stack, "Decrypt", "send-mail").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    stack.kill("send-mail");
    until(async || stack.cloud.inbox().len() == 1).await;
    assert_eq!(statuses(&stack).await, ["pending"]);
    stack.advance_clock(LEASE);
    stack.cloud.drained().await.unwrap();
    let inbox = stack.cloud.inbox();
    assert_eq!((inbox.len(), &inbox[0].text), (2, &inbox[1].text));
    assert_eq!(statuses(&stack).await, ["sent"]);
}

#[tokio::test]
async fn while_another_worker_has_the_mail_a_delivery_fails_and_is_never_acknowledged() {
    let stack = TestStack::start().await;
    stack.cloud.set_fault(Fault::new(Service::Ses, "SendEmail", Mode::LostResponse, 1));
    assert_eq!(stack.publish(event("sub-1", "trial")).await, json!([]));
    until(async || stack.cloud.dead_letters().len() == 1).await;
    assert_eq!(stack.cloud.inbox().len(), 1, "its lease outlived the redeliveries, so it was not sent twice");
    assert_eq!(statuses(&stack).await, ["pending"]);
}

/// Returns the store that send-mail uses.
fn mails(stack: &TestStack) -> Mails {
    let settings = BTreeMap::from([
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "tests".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AWS_ENDPOINT_URL", stack.cloud.aws_url()),
    ]);
    Mails::new(Table::new(&aws::connect(|name| settings.get(name).cloned()).unwrap(), "firstkey".into()))
}

#[tokio::test]
async fn a_sent_mail_is_recorded_without_the_lease_and_stays_recorded() {
    let stack = TestStack::start().await;
    stack.cloud.set_fault(Fault::new(Service::Ses, "SendEmail", Mode::Refused, 100));
    stack.start_subscription(event("sub-1", "trial")).await;
    let mails = mails(&stack);
    let keys = json!({ "PK": { "S": "SUBSCRIPTION#sub-1" }, "SK": { "S": "MAIL" } });
    let record = json!({ "dynamodb": { "Keys": keys, "NewImage": { "issue": { "N": "1" } } } });
    let order = MailOrder::parse(&record.to_string()).unwrap();
    let at = |seconds| Timestamp::from_epoch_seconds(4_000_000_000 + seconds);
    let take = async |id: &str, seconds| {
        let lease = Lease { id: id.into(), until: at(seconds + LEASE) };
        mails.take(&order, lease, at(seconds)).await.unwrap()
    };
    let TakeOutcome::Taken(first) = take("first", 0).await else { panic!("no worker has the mail") };
    assert!(matches!(take("second", LEASE - 1).await, TakeOutcome::Leased));
    let TakeOutcome::Taken(second) = take("second", LEASE).await else { panic!("the first lease is over") };
    mails.release(&order, &first).await.unwrap();
    assert!(matches!(take("third", LEASE).await, TakeOutcome::Leased), "a worker cannot give back another lease");
    mails.release(&order, &second).await.unwrap();

    mails.settle(&order, MailStatus::Sent, Some("id"), at(LEASE)).await.unwrap();
    assert!(matches!(take("third", LEASE).await, TakeOutcome::Settled), "sent, although no worker has a lease");
    for status in [MailStatus::Bounced, MailStatus::Sent, MailStatus::Delivered] {
        mails.settle(&order, status, None, at(LEASE)).await.unwrap();
        assert_eq!(statuses(&stack).await, ["bounced"]);
    }
}

#[tokio::test]
async fn a_mail_that_is_no_longer_needed_is_not_sent() {
    let stack = Deployment::default().with("CREDENTIAL_LIFETIME_SECONDS", "60").start().await;
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "GetItem", Mode::Refused, 6));
    let body = event("sub-1", "trial").to_string();
    let started = stack.invoke("subscription-start", json!({ "Records": [{ "messageId": "1", "body": body }] })).await;
    assert_ne!(started["batchItemFailures"], json!([]));
    let started = stack.invoke("subscription-start", json!({ "Records": [{ "messageId": "1", "body": body }] })).await;
    assert_ne!(started["batchItemFailures"], json!([]));
    stack.cloud.set_fault(Fault::new(Service::Ses, "SendEmail", Mode::Refused, 1));
    assert_eq!(stack.publish(event("sub-1", "trial")).await, json!([]));
    called(&stack, "SendEmail", "send-mail").await;
    stack.advance_clock(60);
    stack.cloud.drained().await.unwrap();
    assert_eq!((stack.cloud.inbox().len(), statuses(&stack).await), (0, vec!["not-needed".to_owned()]));
}

#[tokio::test]
async fn an_order_for_an_earlier_issue_sends_nothing() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    for issue in ["1", "2"] {
        let record = json!({ "dynamodb": {
            "Keys": { "PK": { "S": "SUBSCRIPTION#sub-1" }, "SK": { "S": "MAIL" } },
            "NewImage": { "issue": { "N": issue } },
        } });
        let batch = json!({ "Records": [{ "messageId": "1", "body": record.to_string() }] });
        assert_eq!(stack.invoke("send-mail", batch).await, json!({ "batchItemFailures": [] }));
    }
    assert_eq!(stack.cloud.inbox().len(), 1);
}

#[tokio::test]
async fn a_message_that_is_not_an_order_fails_alone() {
    let stack = TestStack::start().await;
    let batch = json!({ "Records": [{ "messageId": "1", "body": "{}" }, { "messageId": "2", "body": "" }] });
    let failures = stack.invoke("send-mail", batch).await;
    assert_eq!(failures["batchItemFailures"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn when_recording_fails_for_a_moment_the_mail_is_not_sent_again() {
    let stack = TestStack::start().await;
    let hold = Fault::new(Service::Ses, "SendEmail", Mode::Delayed, 1).held_for(Duration::from_millis(300));
    stack.cloud.set_fault(hold);
    assert_eq!(stack.publish(event("sub-1", "trial")).await, json!([]));
    called(&stack, "Decrypt", "send-mail").await;
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "UpdateItem", Mode::Refused, 3));
    stack.cloud.drained().await.unwrap();
    assert_eq!((stack.cloud.inbox().len(), statuses(&stack).await), (1, vec!["sent".to_owned()]));
}
