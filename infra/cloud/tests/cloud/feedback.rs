//! Tests of what SES reports about mails.

use aws_sdk_ses::types::{Body, Content, Destination, Message, MessageTag};
use cloud::{Cloud, DeliverError, Feedback, ReportError};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::console::{JSON, answer, ask, header, post};
use crate::delivery::{deliveries, drained, success};
use crate::stack::{Functions, clients, cloud, started};

/// Sends a mail with a configuration set, or without one. Returns its id.
async fn send(cloud: &Cloud, to: &str, configuration_set: Option<&str>) -> String {
    let content = |data: &str| Content::builder().data(data).build().expect("content");
    let body = Body::builder().text(content("k7wmp")).build();
    let message = Message::builder().subject(content("Your credentials")).body(body).build();
    let tag = MessageTag::builder().name("subscription").value("sub-1").build().expect("a tag");
    let mail = clients(cloud, 1).ses.send_email().source("no-reply@firstkey.example").message(message).tags(tag);
    let mail = mail.destination(Destination::builder().to_addresses(to).build());
    mail.set_configuration_set_name(configuration_set.map(str::to_owned)).send().await.expect("sent").message_id
}

async fn send_reported(cloud: &Cloud, to: &str) -> String {
    send(cloud, to, Some(cloud::CONFIGURATION_SET)).await
}

/// Returns the mail's id and the type of each event that mail-feedback received, sorted by their times of arrival.
fn reported(functions: &Functions) -> Vec<(Value, Value)> {
    assert!(functions.invocations().iter().all(|(function, _)| *function == "mail-feedback"));
    let events = deliveries(functions).into_iter().map(|(event, _)| event["detail"].clone());
    events.map(|detail| (detail["mail"]["messageId"].clone(), detail["eventType"].clone())).collect()
}

#[tokio::test]
async fn mails_to_the_mailbox_simulator_are_reported_by_themselves_and_others_are_not() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(success()))).await;
    let mut expected = Vec::new();
    for (to, types) in [
        ("success@simulator.amazonses.com", &["Send", "Delivery"][..]),
        ("bounce+label@simulator.amazonses.com", &["Send", "Bounce"]),
        ("ooto@simulator.amazonses.com", &["Send", "Delivery", "Bounce"]),
        ("complaint@simulator.amazonses.com", &["Send", "Delivery", "Complaint"]),
        ("suppressionlist@simulator.amazonses.com", &["Send", "Bounce"]),
        ("it@fabrikam.example", &[]),
    ] {
        let id = send_reported(&cloud, to).await;
        drained(&cloud).await;
        expected.extend(types.iter().map(|name| (json!(id), json!(name))));
    }
    send(&cloud, "success@simulator.amazonses.com", None).await;
    drained(&cloud).await;
    assert_eq!(reported(&functions), expected);
}

#[tokio::test]
async fn feedback_on_request_is_answered_by_the_function() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(success()))).await;
    let first = send_reported(&cloud, "it@fabrikam.example").await;
    let latest = send_reported(&cloud, "it@fabrikam.example").await;
    send_reported(&cloud, "kim@fabrikam.example").await;
    for (mail, event, id, event_type) in [
        (("to", "it@fabrikam.example"), "sent", &latest, "Send"),
        (("to", "IT@fabrikam.example"), "delivered", &latest, "Delivery"),
        (("message_id", first.as_str()), "delayed", &first, "DeliveryDelay"),
        (("message_id", first.as_str()), "undelivered", &first, "Bounce"),
        (("message_id", first.as_str()), "bounced", &first, "Bounce"),
        (("message_id", first.as_str()), "suppressed", &first, "Bounce"),
        (("message_id", first.as_str()), "complained", &first, "Complaint"),
        (("message_id", first.as_str()), "rejected", &first, "Reject"),
    ] {
        let answer = post(&cloud, "/feedback", &[JSON], &json!({ mail.0: mail.1, "event": event })).await;
        assert_eq!(answer, (StatusCode::OK, success()), "{event}");
        assert_eq!(reported(&functions).last(), Some(&(json!(id), json!(event_type))), "{event}");
    }
    let events = deliveries(&functions);
    assert_eq!(events[0].0["detail"]["mail"]["tags"]["subscription"], json!(["sub-1"]));
    assert_eq!(events[3].0["detail"]["bounce"]["bounceSubType"], "MailboxFull");
}

#[tokio::test]
async fn feedback_is_refused_where_the_request_or_the_mail_is_wrong() {
    let cloud = cloud().await;
    send(&cloud, "it@fabrikam.example", None).await;
    for (body, status) in [
        (json!({ "event": "bounced" }), StatusCode::BAD_REQUEST),
        (json!({ "to": "it@fabrikam.example" }), StatusCode::BAD_REQUEST),
        (json!({ "to": "it@fabrikam.example", "event": "eaten" }), StatusCode::BAD_REQUEST),
        (json!([]), StatusCode::BAD_REQUEST),
        (json!({ "to": "kim@fabrikam.example", "event": "bounced" }), StatusCode::NOT_FOUND),
        (json!({ "message_id": "m-1", "event": "bounced" }), StatusCode::NOT_FOUND),
        (json!({ "to": "it@fabrikam.example", "event": "bounced" }), StatusCode::CONFLICT),
    ] {
        let text = body.to_string();
        let (head, problem) = answer(&cloud.console_url(), Method::POST, "/feedback", &[JSON], &text).await;
        let media_type = header(&head, "content-type");
        assert_eq!((head.status, media_type.as_str()), (status, "application/problem+json"), "{text}: {problem}");
    }
    let (status, _) = ask(&cloud.console_url(), Method::POST, "/feedback", &[JSON], "{").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_test_reports_without_http_and_can_change_the_event() {
    let functions = Functions::default();
    let cloud =
        started(None, functions.answering(|before, _, _| if before == 0 { Err("down".into()) } else { Ok(success()) }))
            .await;
    let id = send_reported(&cloud, "it@fabrikam.example").await;
    let failed = cloud.report(&id, Feedback::Bounced).await.expect_err("the function is down");
    assert_eq!(failed, ReportError::Undelivered(DeliverError::Function("mail-feedback: down".to_owned())));
    drained(&cloud).await;
    assert_eq!(reported(&functions).len(), 2, "the queue delivers the event again");
    assert_eq!(cloud.report("it@fabrikam.example", Feedback::Delivered).await, Ok(success()));
    assert_eq!(cloud.report("m-1", Feedback::Delivered).await, Err(ReportError::UnknownMail));

    let mut event = cloud.feedback_event(&id, Feedback::Delivered).expect("an event");
    event["detail"]["mail"]["tags"]["subscription"] = json!(["sub-2"]);
    cloud.deliver(event).await.expect("an answer");
    let (last, _) = deliveries(&functions).pop().expect("an event");
    assert_eq!(last["detail"]["mail"]["tags"]["subscription"], json!(["sub-2"]));
    let silent = send(&cloud, "it@fabrikam.example", None).await;
    assert_eq!(cloud.report(&silent, Feedback::Delivered).await, Err(ReportError::Unreported));
    assert_eq!(cloud.feedback_event(&silent, Feedback::Delivered), None);
}

#[tokio::test]
async fn the_form_below_a_mail_reports_what_became_of_it() {
    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(success()))).await;
    send(&cloud, "kim@fabrikam.example", None).await;
    let id = send_reported(&cloud, "it@fabrikam.example").await;
    let console = cloud.console_url();
    let page = async |path: &str| ask(&console, Method::GET, path, &[], "").await.1;
    let start = page("/").await;
    assert!(start.contains("action=\"/mails/1/feedback\"") && start.contains("value=\"undelivered\">Mailbox full<"));
    assert!(!start.contains("action=\"/mails/0/feedback\""), "SES reports nothing without a configuration set");

    let (head, _) = answer(&console, Method::POST, "/mails/1/feedback", &[FORM], "event=bounced").await;
    assert_eq!((head.status, header(&head, "location").as_str()), (StatusCode::SEE_OTHER, "/?reported=bounced#mail"));
    assert_eq!(reported(&functions), [(json!(id), json!("Bounce"))]);
    assert!(page("/?reported=bounced").await.contains("SES has reported the mail as bounced."));
    assert!(!page("/?reported=%3Cb%3E").await.contains("SES has reported"));
    for (path, form, status) in [
        ("/mails/1/feedback", "event=eaten", StatusCode::BAD_REQUEST),
        ("/mails/1/feedback", "", StatusCode::UNPROCESSABLE_ENTITY),
        ("/mails/2/feedback", "event=bounced", StatusCode::NOT_FOUND),
        ("/mails/0/feedback", "event=bounced", StatusCode::CONFLICT),
    ] {
        assert_eq!(ask(&console, Method::POST, path, &[FORM], form).await.0, status, "{path} {form}");
    }
    let foreign = [FORM, ("origin", "http://evil.example")];
    let (status, _) = ask(&console, Method::POST, "/mails/1/feedback", &foreign, "event=bounced").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}
