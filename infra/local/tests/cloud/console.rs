//! The console's JSON and page, over HTTP.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use local::cloud::Cloud;
use serde_json::{Value, json};

use crate::stack::{Functions, clients, cloud, started};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn ask(base: &str, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, String) {
    let mut request = Request::builder().method(method).uri(format!("{base}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).expect("a request");
    let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.expect("an answer");
    let status = response.status();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

async fn get(cloud: &Cloud, path: &str) -> Value {
    let (status, body) = ask(&cloud.console_url(), Method::GET, path, &[], "").await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_str(&body).expect("JSON")
}

async fn post(cloud: &Cloud, path: &str, headers: &[(&str, &str)], body: &Value) -> (StatusCode, Value) {
    let (status, body) = ask(&cloud.console_url(), Method::POST, path, headers, &body.to_string()).await;
    (status, serde_json::from_str(&body).unwrap_or_default())
}

fn event() -> Value {
    json!({"detail-type": "SubscriptionStarted", "detail": {"subscription_id": "sub-1"}})
}

#[tokio::test]
async fn an_event_is_answered_with_what_the_function_answered() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(json!({"batchItemFailures": []})))).await;
    let answer = post(&cloud, "/events", &[JSON], &event()).await;
    assert_eq!(answer, (StatusCode::OK, json!({"batchItemFailures": []})));
    let (status, problem) = post(&cloud, "/events", &[JSON], &json!({"detail-type": "Other"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(problem["detail"].as_str().expect("a detail").contains("SubscriptionStarted"));
}

#[tokio::test]
async fn a_function_that_is_missing_is_named() {
    let cloud = started(None, Functions::default().answering(|_, _, _| Err("there is no such function".into()))).await;
    let ended = json!({"detail-type": "SubscriptionEnded", "detail": {}});
    let (status, problem) = post(&cloud, "/events", &[JSON], &ended).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert_eq!(problem["detail"], "subscription-end: there is no such function");
    cloud.drained().await.expect("drained");
    let letters = get(&cloud, "/dead-letters").await;
    assert_eq!(letters[0]["queue"], "subscription-end");
    assert_eq!(letters[0]["body"], ended);
}

#[tokio::test]
async fn requests_and_faults_over_json() {
    let cloud = cloud().await;
    let fault = json!({"service": "dynamodb", "operation": "PutItem", "mode": "refused", "count": 1, "attempt": 1});
    assert_eq!(post(&cloud, "/faults", &[JSON], &fault).await.0, StatusCode::NO_CONTENT);
    clients(&cloud, 2).put("SUBSCRIPTION#1", "CREDENTIAL", "issued").await;
    let requests = get(&cloud, "/requests").await;
    assert_eq!(requests[0]["status"], 500);
    let last = requests[1].as_object().expect("an object");
    let mut names: Vec<_> = last.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["at", "consumed_capacity", "function", "operation", "service", "status"]);
    assert_eq!((&last["function"], &last["consumed_capacity"]), (&json!("probe"), &json!(1.0)));
    assert_eq!(ask(&cloud.console_url(), Method::DELETE, "/requests", &[], "").await.0, StatusCode::NO_CONTENT);
    assert_eq!(get(&cloud, "/requests").await, json!([]));
    let (status, problem) = post(&cloud, "/faults", &[JSON], &json!({"service": "dynamodb"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(problem["detail"].as_str().expect("a detail").contains("`operation`"));
}

/// As a function would send it: the SDK's form, signed by name.
async fn send_mail(cloud: &Cloud, html: &str) {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", "SendEmail")
        .append_pair("Source", "no-reply@firstkey.example")
        .append_pair("Destination.ToAddresses.member.1", "it@fabrikam.example")
        .append_pair("Message.Subject.Data", "<b>Hello</b>")
        .append_pair("Message.Body.Text.Data", "</pre><script>alert(1)</script>")
        .append_pair("Message.Body.Html.Data", html)
        .finish();
    let signed =
        "AWS4-HMAC-SHA256 Credential=send-mail/20261122/us-east-1/ses/aws4_request, SignedHeaders=host, Signature=0";
    let (status, answer) = ask(&cloud.aws_url(), Method::POST, "/", &[("authorization", signed)], &form).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test]
async fn the_inbox_has_the_fields_of_the_contract() {
    let cloud = cloud().await;
    send_mail(&cloud, "<p>").await;
    let inbox = get(&cloud, "/inbox").await;
    let mut names: Vec<_> = inbox[0].as_object().expect("a mail").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["html", "reply_to", "sent_at", "subject", "tags", "text", "to"]);
    assert_eq!(inbox[0]["to"], "it@fabrikam.example");
}

#[tokio::test]
async fn the_page_shows_mails_without_running_them() {
    let cloud = cloud().await;
    send_mail(&cloud, "<script>alert(2)</script>\" onload=\"alert(3)").await;
    let (status, page) = ask(&cloud.console_url(), Method::GET, "/", &[], "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Hello") && page.contains("alert(1)") && page.contains("alert(2)"));
    assert!(!page.contains("<script") && !page.contains("<b>Hello") && !page.contains("\" onload"));
    assert!(page.contains("sandbox=") && !page.contains("allow-scripts"));
}

#[tokio::test]
async fn the_form_of_the_page_publishes_an_event() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(json!({"batchItemFailures": []})))).await;
    let form = "subscription_id=sub-7&kind=trial&product=Suite&company_id=fabrikam&company_name=Fabrikam%2C+Inc.\
                &email=it%40fabrikam.example&portal_user=kim%40fabrikam.example";
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    let (status, _) = ask(&cloud.console_url(), Method::POST, "/start", &headers, form).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (function, event) = &functions.invocations()[0];
    assert_eq!(*function, "subscription-start");
    let event: Value = serde_json::from_str(event["Records"][0]["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(event["detail"]["company"], json!({"id": "fabrikam", "name": "Fabrikam, Inc."}));
    assert_eq!(event["detail"]["portal_users"], json!([{"email": "kim@fabrikam.example"}]));
}

#[tokio::test]
async fn other_web_pages_cannot_drive_it() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(json!(null)))).await;
    let console = cloud.console_url();
    for headers in [
        &[JSON, ("sec-fetch-site", "cross-site")][..],
        &[JSON, ("origin", "http://evil.example")],
        &[JSON, ("host", "evil.example")],
        &[("content-type", "text/plain"), ("origin", "http://evil.example")],
    ] {
        let (status, _) = ask(&console, Method::POST, "/events", headers, &event().to_string()).await;
        assert!(status.is_client_error(), "{headers:?}: {status}");
    }
    let (status, _) = ask(&console, Method::DELETE, "/requests", &[("origin", "null")], "").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = ask(&console, Method::GET, "/inbox", &[("host", "evil.example")], "").await;
    assert_eq!(status, StatusCode::FORBIDDEN, "a name that was rebound to this machine");
    let (status, _) = ask(&cloud.aws_url(), Method::POST, "/", &[("host", "evil.example")], "").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(functions.invocations().is_empty());
}

#[tokio::test]
async fn what_is_no_aws_call_is_told_so() {
    let cloud = cloud().await;
    let (status, answer) = ask(&cloud.aws_url(), Method::POST, "/", &[], "{}").await;
    assert_eq!((status, answer.as_str()), (StatusCode::BAD_REQUEST, "not signed: no Authorization header"));
}
