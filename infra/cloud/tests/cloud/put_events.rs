//! Tests of the events that functions publish: what EventBridge refuses, and where the local cloud shows the others.

use cloud::{Cloud, EVENT_BUS, Fault, Mode, Service};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::console::{JSON, ask, get, post};
use crate::stack::{cloud, started, succeeding};

/// Returns an entry that EventBridge accepts.
pub(crate) fn entry(detail: &Value) -> Value {
    let detail = detail.to_string();
    json!({"Source": "firstkey", "DetailType": "PasswordChosen", "Detail": detail, "EventBusName": EVENT_BUS})
}

/// Calls `PutEvents` as a function with this key does.
async fn put_as(cloud: &Cloud, key: &str, entries: &Value) -> (StatusCode, Value) {
    let signed = format!(
        "AWS4-HMAC-SHA256 Credential={key}/20261122/us-east-1/events/aws4_request, SignedHeaders=host, Signature=0"
    );
    let headers = [("authorization", &*signed), ("x-amz-target", "AWSEvents.PutEvents")];
    let body = json!({ "Entries": entries }).to_string();
    let (status, answer) = ask(&cloud.aws_url(), Method::POST, "/", &headers, &body).await;
    (status, serde_json::from_str(&answer).expect("JSON"))
}

async fn put(cloud: &Cloud, entries: &Value) -> (StatusCode, Value) {
    put_as(cloud, "probe", entries).await
}

/// Returns the error code of each entry, which is null if the entry was accepted.
fn codes(answer: &Value) -> Vec<Value> {
    let entries = answer["Entries"].as_array().expect("entries");
    for entry in entries {
        assert_ne!(entry["ErrorCode"].is_null(), entry["EventId"].is_null(), "{entry}");
    }
    entries.iter().map(|entry| entry["ErrorCode"].clone()).collect()
}

fn numbers(cloud: &Cloud) -> Vec<i64> {
    cloud.published().iter().map(|event| event.detail["n"].as_i64().expect("a number")).collect()
}

#[tokio::test]
async fn an_entry_that_event_bridge_refuses_does_not_refuse_the_others() {
    let cloud = cloud().await;
    let with = |field: &str, value: Value| {
        let mut entry = entry(&json!({}));
        entry[field] = value;
        entry
    };
    let mut entries: Vec<Value> =
        ["Source", "DetailType", "Detail"].into_iter().map(|field| with(field, json!(""))).collect();
    entries.extend(["[]", "1", "\"x\"", "{"].map(|detail| with("Detail", json!(detail))));
    entries.extend([with("Source", json!("aws.ses")), with("Source", json!("aws2")), entry(&json!({"n": 1}))]);
    let (status, answer) = put(&cloud, &json!(entries)).await;
    assert_eq!((status, &answer["FailedEntryCount"]), (StatusCode::OK, &json!(8)));
    let mut expected = vec![json!("InvalidArgument"); 3];
    expected.extend(vec![json!("MalformedDetail"); 4]);
    expected.extend([json!("NotAuthorizedForSourceException"), Value::Null, Value::Null]);
    assert_eq!(codes(&answer), expected);
    let source = "Parameter Source is not valid. Reason: Source is a required argument.";
    assert_eq!(answer["Entries"][0]["ErrorMessage"], source);
    let missing = json!([{"DetailType": "x", "Detail": "{}"}]);
    assert_eq!(put(&cloud, &missing).await.1["Entries"][0]["ErrorMessage"], source);
    let published = cloud.published();
    assert_eq!(published.iter().map(|event| event.source.as_str()).collect::<Vec<_>>(), ["aws2", "firstkey"]);
}

#[tokio::test]
async fn a_request_with_too_many_or_too_large_entries_is_refused_as_a_whole() {
    let cloud = cloud().await;
    let many = |count: usize| vec![entry(&json!({})); count];
    let sized = |bytes: usize| {
        let (mut large, empty) =
            (entry(&json!({"x": ""})), "firstkey".len() + "PasswordChosen".len() + "{\"x\":\"\"}".len());
        large["Detail"] = json!({"x": "x".repeat(bytes - empty)}).to_string().into();
        large
    };
    for (entries, word) in [
        (json!(many(11)), "less than or equal to 10"),
        (json!([]), "greater than or equal to 1"),
        (json!([sized(1_048_577)]), "over the limit"),
        (json!([sized(600_000), sized(600_000)]), "over the limit"),
    ] {
        let (status, answer) = put(&cloud, &entries).await;
        assert_eq!((status, &answer["__type"]), (StatusCode::BAD_REQUEST, &json!("ValidationException")));
        assert!(answer["message"].as_str().expect("a message").contains(word), "{answer}");
    }
    assert!(cloud.published().is_empty());
    assert_eq!(put(&cloud, &json!(many(10))).await.0, StatusCode::OK);
    assert_eq!(put(&cloud, &json!([sized(1_048_576)])).await.0, StatusCode::OK);
    assert_eq!(cloud.published().len(), 11);
    assert_eq!(put(&cloud, &json!([{"Sauce": "x"}])).await.1["__type"], "SerializationException");
}

#[tokio::test]
async fn an_event_for_another_bus_goes_nowhere() {
    let cloud = cloud().await;
    let arn = |account: &str, name: &str| format!("arn:aws:events:us-east-1:{account}:event-bus/{name}");
    let ours = arn("123456789012", EVENT_BUS);
    for (n, bus) in [&*ours, "default", "firstkey-event", &arn("111122223333", EVENT_BUS)].into_iter().enumerate() {
        let mut entry = entry(&json!({ "n": n }));
        entry["EventBusName"] = bus.into();
        assert_eq!(codes(&put(&cloud, &json!([entry])).await.1), [Value::Null], "{bus}");
    }
    assert_eq!(numbers(&cloud), [0]);
}

#[tokio::test]
async fn every_second_entry_of_a_request_fails_partly() {
    let cloud = cloud().await;
    let entries = json!([1, 2, 3, 4, 5].map(|n| entry(&json!({ "n": n }))));
    let fault = json!({"service": "events", "operation": "PutEvents", "mode": "partial", "count": 1});
    assert_eq!(post(&cloud, "/faults", &[JSON], &fault).await.0, StatusCode::NO_CONTENT);
    let (status, answer) = put(&cloud, &entries).await;
    assert_eq!((status, &answer["FailedEntryCount"]), (StatusCode::OK, &json!(2)));
    let throttled = json!("ThrottlingException");
    assert_eq!(codes(&answer), [Value::Null, throttled.clone(), Value::Null, throttled, Value::Null]);
    assert_eq!(numbers(&cloud), [1, 3, 5]);
    assert_eq!(put(&cloud, &entries).await.1["FailedEntryCount"], 0, "the fault counts requests");
    for (field, value) in [("service", "dynamodb"), ("operation", "DescribeEventBus")] {
        let mut fault = fault.clone();
        fault[field] = value.into();
        let (status, problem) = post(&cloud, "/faults", &[JSON], &fault).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(problem["detail"].as_str().expect("a detail").contains("`mode`"), "{problem}");
    }
}

#[tokio::test]
async fn the_other_faults_hit_event_bridge_as_they_hit_other_services() {
    let cloud = cloud().await;
    for (mode, code, count) in [
        (Mode::Refused, (StatusCode::INTERNAL_SERVER_ERROR, "InternalException"), 0),
        (Mode::Throttled, (StatusCode::BAD_REQUEST, "ThrottlingException"), 0),
    ] {
        cloud.set_fault(Fault::new(Service::Events, "PutEvents", mode, 1));
        let (status, answer) = put(&cloud, &json!([entry(&json!({}))])).await;
        assert_eq!((status, answer["__type"].as_str(), cloud.published().len()), (code.0, Some(code.1), count));
    }
    cloud.set_fault(Fault::new(Service::Events, "*", Mode::Duplicated, 1));
    put(&cloud, &json!([entry(&json!({}))])).await;
    assert_eq!(cloud.published().len(), 2);
    let requests = cloud.requests();
    assert!(requests.iter().all(|request| (request.service, &*request.operation) == ("events", "PutEvents")));
    assert_eq!(requests.len(), 4);
}

#[tokio::test]
async fn only_publish_events_puts_events_and_only_on_its_bus() {
    let cloud = cloud().await;
    let on = |bus: &str, source: &str| {
        let mut entry = entry(&json!({}));
        (entry["EventBusName"], entry["Source"]) = (bus.into(), source.into());
        json!([entry])
    };
    for (function, bus, source) in [
        ("publish-events", "VendorBus", "firstkey"),
        ("publish-events", "default", "firstkey"),
        ("publish-events", "arn:aws:events:us-east-1:111122223333:event-bus/firstkey-events", "firstkey"),
        ("publish-events", EVENT_BUS, "billing.contoso"),
        ("send-mail", EVENT_BUS, "firstkey"),
    ] {
        let (status, answer) = put_as(&cloud, function, &on(bus, source)).await;
        assert_eq!((status, &answer["__type"]), (StatusCode::BAD_REQUEST, &json!("AccessDeniedException")));
    }
    let ours = on(EVENT_BUS, "firstkey");
    let mixed = json!([ours[0], on("VendorBus", "firstkey")[0]]);
    assert_eq!(put_as(&cloud, "publish-events", &mixed).await.1["__type"], "AccessDeniedException");
    assert!(cloud.published().is_empty());
    assert_eq!(put_as(&cloud, "publish-events@2", &ours).await.0, StatusCode::OK);
    assert_eq!(cloud.published().len(), 1);
}

#[tokio::test]
async fn published_events_are_listed_and_shown_in_order_and_survive_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = Some(directory.path().to_owned());
    let cloud = started(data.clone(), succeeding()).await;
    let empty = ask(&cloud.console_url(), Method::GET, "/", &[], "").await.1;
    assert!(empty.contains("No events yet."), "{empty}");
    let seen = empty.split_once("data-seen=\"").expect("a version").1.split_once('"').expect("a value").0;
    cloud.clear_requests();
    for n in 1..=3 {
        put(&cloud, &json!([entry(&json!({"n": n, "text": "<b>"}))])).await;
    }
    let listed = get(&cloud, "/published").await;
    let listed = listed.as_array().expect("a list");
    let mut names: Vec<_> = listed[0].as_object().expect("an event").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["at", "detail", "detail_type"]);
    assert_eq!((&listed[1]["detail_type"], &listed[1]["detail"]["n"]), (&json!("PasswordChosen"), &json!(2)));

    let live = ask(&cloud.console_url(), Method::GET, &format!("/live?seen={seen}"), &[], "").await.1;
    let page = ask(&cloud.console_url(), Method::GET, "/", &[], "").await.1;
    for page in [&live, &page] {
        assert_eq!(page.matches("<td>PasswordChosen</td>").count(), 3, "{page}");
        let place = |n: i64| page.find(&format!("&#34;n&#34;:{n}")).expect("the detail");
        assert!(place(3) < place(2) && !page.contains("<b>"), "the newest first: {page}");
    }
    drop(cloud);
    let cloud = started(data, succeeding()).await;
    put(&cloud, &json!([entry(&json!({"n": 4}))])).await;
    assert_eq!(numbers(&cloud), [1, 2, 3, 4]);
}
