//! Notices: mails that say what another person did, from their order to what SES reports of them.

use domain::{EmailAddress, MailKind, Principal};
use serde_json::{Value, json};
use support::{Call, TestStack, event, table::Table};

use crate::no_leaks::log;

const CHOSEN: &str = "seven green boats at noon";
const OWN: &str = "a quiet lamp over the harbour";

/// Returns the order of a notice about an entry of a history, as an item of the table.
pub(crate) fn order(entry: &Value, to: &str, locale: &str) -> Value {
    let recipient = Principal::email(&EmailAddress::parse(to).unwrap()).to_string();
    let seq = entry["SK"]["S"].as_str().unwrap().trim_start_matches("EVENT#");
    let mut item = entry.clone();
    item["SK"]["S"] = format!("MAIL#notice#{seq:A>22}-{recipient}").into();
    item["happened_at"] = item["at"].clone();
    for (name, value) in [
        ("confirmed", entry.get("confirmed").cloned().unwrap_or_else(|| json!({ "BOOL": false }))),
        ("to", json!({ "S": to })),
        ("locale", json!({ "S": locale })),
        ("status", json!({ "S": "pending" })),
        ("rank", json!({ "N": "10" })),
        ("ttl", json!({ "N": "4000000000" })),
    ] {
        item[name] = value;
    }
    item
}

/// Puts orders, and waits until they are carried out.
async fn put(stack: &TestStack, orders: &[Value]) {
    Table::connect(&stack.cloud.aws_url(), "tests").put_all(orders).await;
    stack.cloud.drained().await.unwrap();
}

/// Returns the last entry of the history.
async fn last_entry(stack: &TestStack) -> Value {
    stack.items("EVENT#").await.pop().unwrap()
}

/// Starts a stack whose service administrator has signed in, and orders a notice of that.
async fn with_an_order() -> (TestStack, Value) {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().expect("signs in");
    let order = order(&last_entry(&stack).await, "kim@fabrikam.example", "de");
    (stack, order)
}

/// Returns the status of the only notice.
async fn status(stack: &TestStack) -> Value {
    let [notice] = stack.items("MAIL#notice#").await.try_into().unwrap();
    notice["status"]["S"].clone()
}

#[tokio::test]
async fn a_notice_is_sent_once_to_its_address_and_with_its_tags() {
    let (stack, order) = with_an_order().await;
    let before = stack.cloud.inbox().len();
    put(&stack, std::slice::from_ref(&order)).await;
    let record = json!({ "dynamodb": { "Keys": { "PK": order["PK"], "SK": order["SK"] }, "NewImage": order } });
    let batch = json!({ "Records": [{ "messageId": "1", "body": record.to_string() }] });
    assert_eq!(stack.invoke("send-mail", batch).await, json!({ "batchItemFailures": [] }));
    let inbox = stack.cloud.inbox();
    assert_eq!(inbox.len(), before + 1);
    let mail = &inbox[before];
    assert_eq!((&*mail.to, mail.reply_to.as_deref()), ("kim@fabrikam.example", None));
    assert!(mail.subject.starts_with("Ihr Dienstadministrator"), "{}", mail.subject);
    let id = order["SK"]["S"].as_str().unwrap().strip_prefix("MAIL#notice#").unwrap();
    let tag = |name: &str| &*mail.tags[name];
    assert_eq!(
        (tag("subscription"), tag("issue"), tag("round"), tag("mail")),
        ("sub-1", "1", "0", &*format!("notice-{id}"))
    );
    assert!(matches!(MailKind::parse_tag(tag("mail")), Some(MailKind::Notice(parsed)) if parsed.as_str() == id));
    assert_eq!(status(&stack).await, "sent");
}

#[tokio::test]
async fn a_notice_counts_as_a_notice_and_its_bounce_as_nothing() {
    log();
    let (stack, order) = with_an_order().await;
    put(&stack, std::slice::from_ref(&order)).await;
    let tags = stack.cloud.inbox().pop().unwrap().tags;
    let tags: Value = tags.into_iter().map(|(name, value)| (name, json!([value]))).collect();
    let at = "2026-11-10T09:00:05Z";
    let detail = json!({
        "eventType": "Bounce",
        "mail": { "timestamp": at, "messageId": "m-1", "tags": tags },
        "bounce": { "timestamp": at, "bounceType": "Permanent", "bounceSubType": "General",
            "bouncedRecipients": [{ "emailAddress": "kim@fabrikam.example", "status": "5.1.1" }] },
    });
    let body = json!({ "detail-type": "Email", "source": "aws.ses", "detail": detail }).to_string();
    let answer = stack.invoke("mail-feedback", json!({ "Records": [{ "messageId": "1", "body": body }] })).await;
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    let [notice] = stack.items("MAIL#notice#").await.try_into().unwrap();
    assert_eq!((&notice["status"]["S"], &notice["detail"]["S"]), (&json!("bounced"), &json!("no-such-mailbox")));
    assert_eq!(stack.items("MAIL").await[0]["status"]["S"], "sent", "the welcome mail stays as it is");
    let log = String::from_utf8(log().lock().unwrap().clone()).unwrap();
    assert!(log.contains("\"NoticeMailed\":1") && !log.contains("MailBounced"), "{log}");
}

#[tokio::test]
async fn a_notice_is_sent_after_the_issue_that_it_is_about() {
    let (stack, order) = with_an_order().await;
    let welcome = stack.cloud.inbox().len();
    stack.advance_clock(8 * 86_400);
    stack.start_subscription(event("sub-1", "paid")).await;
    assert_eq!(stack.items("CREDENTIAL").await[0]["issue"]["N"], "2");
    put(&stack, &[order]).await;
    let inbox = stack.cloud.inbox();
    assert_eq!(inbox.len(), welcome + 2, "the next issue's welcome mail and the notice");
    assert_eq!(inbox[welcome + 1].tags["issue"], "1");
}

#[tokio::test]
async fn without_the_subscription_a_notice_is_not_needed() {
    log();
    let (stack, order) = with_an_order().await;
    let before = stack.cloud.inbox().len();
    let table = Table::connect(&stack.cloud.aws_url(), "tests");
    let key = |text: &str| support::table::text(text);
    let delete = table.client().delete_item().table_name("firstkey");
    delete.key("PK", key("SUBSCRIPTION#sub-1")).key("SK", key("CREDENTIAL")).send().await.unwrap();
    put(&stack, &[order]).await;
    assert_eq!((stack.cloud.inbox().len(), status(&stack).await), (before, json!("not-needed")));
    let log = String::from_utf8(log().lock().unwrap().clone()).unwrap();
    assert!(log.contains("\"NoticeMailNotNeeded\":1"), "{log}");
}

/// Plays a hand-over in which every text that a person can type has the word "canary", and returns the passwords.
async fn story_with_canaries(stack: &TestStack) -> Vec<String> {
    let mut started = event("sub-1", "trial");
    let subject = "canary-555-0100";
    started["detail"]["portal_users"] = json!([{ "issuer": stack.provider.issuer(), "subject": subject }]);
    stack.start_subscription(started).await;
    let temporary = stack.mailed_password();
    let claims = json!({ "sub": subject, "email_verified": false });
    let mallory = stack.token_with("canary@fabrikam.example", &claims);
    assert!(stack.retrieve(&mallory, "sub-1", "click").await.password().is_some());
    let session = stack.sign_in("admin@fabrikam", &temporary).await.session().unwrap();
    let reset = stack.call("reset-password", Call::reset_password(&session, CHOSEN)).await;
    let service = reset.session().unwrap();
    let form = |user_name: &str, (kind, password): (&str, &str)| {
        let mut body = json!({
            "user_name": user_name, "display_name": "Canary 555 0100", "email": "canary@fabrikam.example",
        });
        body[kind] = password.into();
        body
    };
    let first = form("canary.555-0100@fabrikam", ("password", OWN));
    let create = Call::post("/administrators").session(&service).json(&first);
    assert_eq!(stack.call("create-admin", create).await.status, 201);
    let first = stack.sign_in("canary.555-0100@fabrikam", OWN).await.session().unwrap();
    let second = form("call-canary@fabrikam", ("current_password", OWN));
    let add = stack.call("create-admin", Call::post("/administrators").session(&first).json(&second)).await;
    let id = add.body["account_id"].as_str().unwrap();
    let reset = stack.call("reset-admin", Call::reset_admin(&first, id, OWN)).await;
    let removed = stack.call("remove-admin", Call::remove_admin(&first, id, OWN)).await;
    assert_eq!((add.status, reset.status, removed.status), (201, 200, 204));
    let shown = [add, reset].map(|answer| answer.temporary_password().unwrap().to_owned());
    [[temporary, CHOSEN.to_owned(), OWN.to_owned()].to_vec(), shown.to_vec()].concat()
}

#[tokio::test]
async fn no_text_that_a_person_typed_and_no_password_is_in_a_notice() {
    let stack = TestStack::start().await;
    let passwords = story_with_canaries(&stack).await;
    let entries = stack.items("EVENT#").await;
    assert!(entries.iter().filter(|entry| entry.to_string().contains("canary")).count() > 3);
    let before = stack.cloud.inbox().len();
    let locales = ["en", "de"];
    let orders = locales.map(|locale| {
        let to = format!("{locale}@fabrikam.example");
        entries.iter().map(|entry| order(entry, &to, locale)).collect::<Vec<_>>()
    });
    put(&stack, &orders.concat()).await;
    let notices = &stack.cloud.inbox()[before..];
    assert_eq!(notices.len(), locales.len() * entries.len());
    for mail in notices {
        for text in [&mail.subject, &mail.text, &mail.html] {
            assert!(!text.to_lowercase().contains("canary") && !text.contains("0100"), "{text}");
            assert!(passwords.iter().all(|password| !text.contains(password)), "{text}");
            assert!(!text.contains("/administration"), "no link leads to a form: {text}");
        }
    }
    assert!(notices.iter().any(|mail| mail.text.contains("User name: c•@fabrikam\nBy: a•@fabrikam\n")));
}

#[tokio::test]
async fn no_domain_of_a_person_is_a_link_in_a_notice() {
    let (stack, mut order) = with_an_order().await;
    order["what"]["S"] = "retrieved".into();
    order["by"]["S"] = "kim@evil.example".into();
    order["confirmed"]["BOOL"] = true.into();
    order["who"]["M"]["role"]["S"] = "customer".into();
    put(&stack, &[order]).await;
    let mail = stack.cloud.inbox().pop().unwrap();
    for text in [&mail.text, &mail.html] {
        assert!(!text.contains("evil.example") && text.contains("k•@evil.\u{2060}example"), "{text}");
    }
}
