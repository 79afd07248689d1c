//! Tests of the console's JSON API and its page, over HTTP.

use bytes::Bytes;
use cloud::{Cloud, CloudOptions};
use http::{Method, Request, StatusCode, response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::stack::{Functions, clients, cloud, delivered, started, started_with};

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

pub(crate) async fn answer(
    base: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (response::Parts, String) {
    let mut request = Request::builder().method(method).uri(format!("{base}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).expect("a request");
    let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (head, String::from_utf8(body.to_vec()).expect("text"))
}

pub(crate) async fn ask(
    base: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (StatusCode, String) {
    let (head, body) = answer(base, method, path, headers, body).await;
    (head.status, body)
}

pub(crate) async fn get(cloud: &Cloud, path: &str) -> Value {
    let (status, body) = ask(&cloud.console_url(), Method::GET, path, &[], "").await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_str(&body).expect("JSON")
}

pub(crate) async fn post(cloud: &Cloud, path: &str, headers: &[(&str, &str)], body: &Value) -> (StatusCode, Value) {
    let (status, body) = ask(&cloud.console_url(), Method::POST, path, headers, &body.to_string()).await;
    (status, serde_json::from_str(&body).unwrap_or_default())
}

fn event() -> Value {
    json!({"detail-type": "SubscriptionStarted", "detail": {"subscription_id": "sub-1"}})
}

#[tokio::test]
async fn publishing_an_event_returns_the_answer_of_the_function() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(json!({"batchItemFailures": []})))).await;
    let answer = post(&cloud, "/events", &[JSON], &event()).await;
    assert_eq!(answer, (StatusCode::OK, json!({"batchItemFailures": []})));
    let (status, problem) = post(&cloud, "/events", &[JSON], &json!({"detail-type": "Other"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(problem["detail"].as_str().expect("a detail").contains("SubscriptionStarted"));
}

#[tokio::test]
async fn the_error_names_a_missing_function() {
    let cloud = started(None, Functions::default().answering(|_, _, _| Err("there is no such function".into()))).await;
    let ended = json!({"detail-type": "SubscriptionEnded", "detail": {}});
    let (status, problem) = post(&cloud, "/events", &[JSON], &ended).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert_eq!(problem["detail"], "subscription-end: there is no such function");
    cloud.drained().await.expect("drained");
    let letters = get(&cloud, "/dead-letters").await;
    assert_eq!(letters[0]["queue"], "subscription-end");
    assert_eq!(letters[0]["body"], delivered(ended));
}

#[tokio::test]
async fn requests_and_faults_are_available_as_json() {
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

/// Sends a mail in the form that the SDK uses, with the unrestricted key `probe`.
async fn send_mail(cloud: &Cloud, html: &str) {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", "SendEmail")
        .append_pair("Source", "no-reply@firstkey.example")
        .append_pair("Destination.ToAddresses.member.1", "it@fabrikam.example")
        .append_pair("Message.Subject.Data", "<b>Hello</b>")
        .append_pair(
            "Message.Body.Text.Data",
            "</pre><script>alert(1)</script>\nhttps://portal.example/?a=1&b\njavascript:alert(4)",
        )
        .append_pair("Message.Body.Html.Data", html)
        .finish();
    let signed =
        "AWS4-HMAC-SHA256 Credential=probe/20261122/us-east-1/ses/aws4_request, SignedHeaders=host, Signature=0";
    let (status, answer) = ask(&cloud.aws_url(), Method::POST, "/", &[("authorization", signed)], &form).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test]
async fn the_inbox_has_the_documented_fields() {
    let cloud = cloud().await;
    send_mail(&cloud, "<p>").await;
    let inbox = get(&cloud, "/inbox").await;
    let mut names: Vec<_> = inbox[0].as_object().expect("a mail").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["html", "message_id", "reply_to", "sent_at", "subject", "tags", "text", "to"]);
    assert_eq!(inbox[0]["to"], "it@fabrikam.example");
}

pub(crate) fn header(head: &response::Parts, name: &str) -> String {
    head.headers.get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn the_page_shows_mails_without_running_their_scripts() {
    let cloud = cloud().await;
    send_mail(&cloud, "<head><script>alert(2)</script>").await;
    let (status, page) = ask(&cloud.console_url(), Method::GET, "/", &[], "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Hello") && page.contains("alert(1)") && page.contains("src=\"/mails/0\""));
    assert!(!page.contains("<script>") && !page.contains("<b>Hello"));
    assert!(
        page.contains("<a href=\"https://portal.example/?a=1&#38;b\" target=\"_blank\" rel=\"noopener\">"),
        "{page}"
    );
    assert!(page.contains("alert(4)") && !page.contains("href=\"javascript:"));
    assert!(page.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\""));

    let (head, mail) = answer(&cloud.console_url(), Method::GET, "/mails/0", &[], "").await;
    assert_eq!((head.status, header(&head, "content-type").as_str()), (StatusCode::OK, "text/html; charset=utf-8"));
    assert_eq!(mail, "<head><base target=\"_blank\"><script>alert(2)</script>");
    let policy = header(&head, "content-security-policy");
    assert!(policy.starts_with("sandbox allow-popups ") && policy.contains("default-src 'none'"), "{policy}");
    assert!(!policy.contains("allow-scripts") && !policy.contains("allow-same-origin"), "{policy}");
    assert_eq!(ask(&cloud.console_url(), Method::GET, "/mails/1", &[], "").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_page_loads_only_its_own_files_and_has_nothing_inline() {
    let cloud = cloud().await;
    let (head, page) = answer(&cloud.console_url(), Method::GET, "/", &[], "").await;
    let policy = header(&head, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.contains(" style=") && !page.contains("<style") && !page.contains(" onclick"));
    for (path, media_type) in [
        ("/console.css", "text/css; charset=utf-8"),
        ("/console.js", "text/javascript; charset=utf-8"),
        ("/console.svg", "image/svg+xml"),
    ] {
        assert!(page.contains(&format!("\"{path}\"")), "{path}");
        let (head, _) = answer(&cloud.console_url(), Method::GET, path, &[], "").await;
        assert_eq!((head.status, header(&head, "content-type").as_str()), (StatusCode::OK, media_type), "{path}");
        assert_eq!(header(&head, "x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn the_live_parts_are_sent_only_when_they_have_changed() {
    let cloud = cloud().await;
    let console = cloud.console_url();
    let seen = |page: &str| {
        let (_, rest) = page.split_once("data-seen=\"").expect("the version of the live parts");
        rest.split_once('"').expect("a value").0.to_owned()
    };
    let live = async |seen: &str| ask(&console, Method::GET, &format!("/live?seen={seen}"), &[], "").await;
    let first = seen(&ask(&console, Method::GET, "/", &[], "").await.1);
    assert_eq!(live(&first).await, (StatusCode::NO_CONTENT, String::new()));

    send_mail(&cloud, "<p>").await;
    let (status, parts) = live(&first).await;
    assert!(
        status == StatusCode::OK && parts.contains("it@fabrikam.example") && parts.contains("SendEmail"),
        "{parts}"
    );
    assert!(!parts.contains("action=\"/start\""), "the form keeps its input");
    let second = seen(&parts);
    assert_eq!(live(&second).await.0, StatusCode::NO_CONTENT);

    assert_eq!(ask(&console, Method::DELETE, "/requests", &[], "").await.0, StatusCode::NO_CONTENT);
    let (status, parts) = live(&second).await;
    assert!(status == StatusCode::OK && !parts.contains("SendEmail"), "{parts}");
    assert_eq!(live("").await.0, StatusCode::OK, "a client without a version gets everything");
}

const FORM: [(&str, &str); 10] = [
    ("subscription_id", "sub-7"),
    ("kind", "paid"),
    ("product", "Suite & more"),
    ("company_id", "fabrikam"),
    ("company_name", "Fabrikam, Inc."),
    ("email", "it@fabrikam.example"),
    ("portal_user", "kim@fabrikam.example"),
    ("second_portal_user", ""),
    ("locale", ""),
    ("welcome_mail", ""),
];

/// Submits the form with another value in one field.
async fn submit(cloud: &Cloud, field: &str, value: &str) -> (response::Parts, String) {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, usual) in FORM {
        form.append_pair(name, if name == field { value } else { usual });
    }
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    answer(&cloud.console_url(), Method::POST, "/start", &headers, &form.finish()).await
}

fn detail(invocation: &(&'static str, Value)) -> Value {
    let (function, event) = invocation;
    assert_eq!(*function, "subscription-start");
    let mut event: Value = serde_json::from_str(event["Records"][0]["body"].as_str().expect("a body")).expect("JSON");
    event["detail"].take()
}

#[tokio::test]
async fn submitting_the_form_publishes_an_event() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(json!({"batchItemFailures": []})))).await;
    let (head, _) = submit(&cloud, "", "").await;
    assert_eq!((head.status, header(&head, "location").as_str()), (StatusCode::SEE_OTHER, "/?started=sub-7#mail"));
    let expected = json!({
        "subscription_id": "sub-7",
        "kind": "paid",
        "product": "Suite & more",
        "company": { "id": "fabrikam", "name": "Fabrikam, Inc." },
        "service_administrator": { "email": "it@fabrikam.example" },
        "portal_users": [{ "email": "kim@fabrikam.example" }],
    });
    assert_eq!(detail(&functions.invocations()[0]), expected, "a field that may be empty is left out");

    submit(&cloud, "second_portal_user", "dana@fabrikam.example").await;
    submit(&cloud, "locale", "de").await;
    submit(&cloud, "welcome_mail", "link").await;
    let details: Vec<_> = functions.invocations()[1..].iter().map(detail).collect();
    assert_eq!(details[0]["portal_users"][1], json!({ "email": "dana@fabrikam.example" }));
    assert_eq!((&details[1]["locale"], &details[2]["welcome_mail"]), (&json!("de"), &json!("link")));
}

#[tokio::test]
async fn the_form_works_with_its_seven_required_fields() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(json!({"batchItemFailures": []})))).await;
    let form = "subscription_id=sub-7&kind=trial&product=Suite&company_id=fabrikam&company_name=Fabrikam%2C+Inc.\
                &email=it%40fabrikam.example&portal_user=kim%40fabrikam.example";
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let (status, _) = ask(&cloud.console_url(), Method::POST, "/start", &headers, form).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(functions.invocations().len(), 1);
}

#[tokio::test]
async fn after_a_start_the_page_confirms_it_and_offers_the_form_for_another() {
    let cloud = cloud().await;
    submit(&cloud, "", "").await;
    let (_, page) = ask(&cloud.console_url(), Method::GET, "/?started=sub-7", &[], "").await;
    assert!(page.contains("sub-7 has started"));
    assert!(page.contains("value=\"Suite &#38; more\"") && page.contains("<option value=\"paid\" selected>"), "{page}");
    assert!(page.contains("value=\"sub-") && !page.contains("value=\"sub-7\""), "an event needs an id of its own");
    let (_, page) = ask(&cloud.console_url(), Method::GET, "/?started=%3Cb%3E", &[], "").await;
    assert!(!page.contains("<b>"));
}

#[tokio::test]
async fn an_invalid_form_shows_the_error_at_its_field_keeps_the_input_and_publishes_nothing() {
    let functions = Functions::default();
    let cloud = started(None, functions.answering(|_, _, _| Ok(json!({"batchItemFailures": []})))).await;
    for (field, value, why) in [
        ("subscription_id", "sub 7", "The subscription id has"),
        ("kind", "free", "The customer starts a trial"),
        ("product", "", "The product name has"),
        ("company_id", "Fabrikam, Inc.", "The company id has"),
        ("company_name", " ", "The company name has"),
        ("email", "it", "The technical contact needs"),
        ("portal_user", "", "The portal user needs"),
        ("second_portal_user", "dana@", "The other portal user"),
        ("welcome_mail", "poem", "The mail contains"),
    ] {
        let (head, page) = submit(&cloud, field, value).await;
        assert_eq!(head.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert!(
            page.contains(&format!("role=\"alert\" id=\"refusal\">Nothing was published. {why}")),
            "{field}: {page}"
        );
        let text_fields = FORM.iter().filter(|(name, _)| !["kind", "locale", "welcome_mail"].contains(name));
        for (name, usual) in text_fields {
            let typed = if *name == field { value } else { usual }.replace('&', "&#38;");
            assert!(page.contains(&format!("value=\"{typed}\"")), "{field}: {name} is lost");
        }
        let (_, tag) = page.split_once(&format!("name=\"{field}\"")).expect("the field");
        assert!(tag.split_once('>').expect("its tag").0.contains("aria-invalid"), "{field}");
        assert_eq!(page.matches("aria-invalid").count(), 1, "{field}");
    }
    assert!(functions.invocations().is_empty());
}

#[tokio::test]
async fn an_event_that_the_function_rejects_is_reported_on_the_page_and_the_form_keeps_its_input() {
    for (answer, status, why) in [
        (Err("there is no such function".to_owned()), StatusCode::BAD_GATEWAY, "there is no such function"),
        (Ok(()), StatusCode::CONFLICT, "subscription-start did not take it"),
    ] {
        let functions = Functions::default().answering(move |_, _, event| {
            let id = event["Records"][0]["messageId"].clone();
            answer.clone().map(|()| json!({ "batchItemFailures": [{ "itemIdentifier": id }] }))
        });
        let cloud = started(None, functions).await;
        let (head, page) = submit(&cloud, "product", "Contoso Mail").await;
        assert_eq!(head.status, status);
        assert!(page.contains(why) && page.contains("value=\"Contoso Mail\""), "{page}");
    }
}

#[tokio::test]
async fn the_page_links_to_the_product_and_shows_the_newest_calls_and_the_dead_letters() {
    let functions = Functions::default().answering(|_, _, _| Err("there is no such function".into()));
    let demo = Some("http://127.0.0.1:9005".to_owned());
    let cloud = started_with(CloudOptions { demo, ..CloudOptions::new(functions) }).await;
    let clients = clients(&cloud, 1);
    for place in 0..51 {
        clients.put(&format!("SUBSCRIPTION#{place}"), "CREDENTIAL", "issued").await;
    }
    let ended = json!({"detail-type": "SubscriptionEnded", "detail": {}});
    post(&cloud, "/events", &[JSON], &ended).await;
    cloud.drained().await.expect("drained");
    let (_, page) = ask(&cloud.console_url(), Method::GET, "/", &[], "").await;
    assert!(
        page.contains("href=\"http://localhost:9000/\"")
            && page.contains("href=\"http://localhost:9000/administration\"")
            && page.contains("href=\"http://127.0.0.1:9005/\"")
    );
    assert!(page.contains("The newest 50 of 51 calls") && page.matches("<td>PutItem</td>").count() == 50, "{page}");
    assert!(page.contains("<strong>subscription-end</strong>") && page.contains("there is no such function"), "{page}");
}

#[tokio::test]
async fn other_websites_cannot_control_the_console() {
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
async fn an_unsigned_call_is_refused_with_the_reason() {
    let cloud = cloud().await;
    let (status, answer) = ask(&cloud.aws_url(), Method::POST, "/", &[], "{}").await;
    assert_eq!((status, answer.as_str()), (StatusCode::BAD_REQUEST, "not signed: no Authorization header"));
}
