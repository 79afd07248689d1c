//! Tests of the clock and the schedules.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use cloud::{Clock, Cloud, CloudOptions, Invoke};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::console::{JSON, answer, ask, header, post};
use crate::stack::{Functions, started_with};

/// 2026-11-10T09:00:00Z.
const NINE: i64 = 1_794_301_200;

const HOUR: u64 = 3600;

const QUARTER: u64 = HOUR / 4;

async fn cloud_at(seconds: i64, invoke: Invoke) -> (Cloud, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(seconds));
    let options = CloudOptions { clock: Clock::manual(Arc::clone(&clock)), ..CloudOptions::new(invoke) };
    (started_with(options).await, clock)
}

/// The functions with an hourly schedule.
const HOURLY: [&str; 2] = ["purge-subscriptions", "send-reminders"];

/// The function that runs every 15 minutes.
const QUARTER_HOURLY: &str = "refresh-keys";

/// Returns the time for which each invocation of `send-reminders` was scheduled.
fn times(functions: &Functions) -> Vec<String> {
    times_of(functions, "send-reminders")
}

/// Returns the time for which each invocation of a function was scheduled.
fn times_of(functions: &Functions, name: &str) -> Vec<String> {
    let mut invocations = functions.invocations();
    let is_scheduled = |function: &&str| HOURLY.contains(function) || *function == QUARTER_HOURLY;
    assert!(invocations.iter().all(|(function, _)| is_scheduled(function)), "{invocations:?}");
    invocations.retain(|(function, _)| *function == name);
    invocations.iter().map(|(_, event)| event["time"].as_str().expect("a time").to_owned()).collect()
}

#[tokio::test]
async fn a_move_runs_the_schedule_at_each_hour_that_it_passes() {
    let (functions, seen) = (Functions::default(), Arc::new(AtomicI64::new(0)));
    let record = Arc::clone(&seen);
    let clock = Arc::new(AtomicI64::new(NINE + 1));
    let now = Arc::clone(&clock);
    let invoke = functions.answering(move |_, function, event| {
        let minutes = (now.load(Ordering::SeqCst) - NINE) / 60;
        assert_eq!(event["time"].as_str().expect("a time")[11..13].parse::<i64>(), Ok(9 + minutes / 60));
        record.fetch_add(if HOURLY.contains(&function) { minutes % 60 } else { minutes % 15 }, Ordering::SeqCst);
        Ok(Value::Null)
    });
    let options = CloudOptions { clock: Clock::manual(Arc::clone(&clock)), ..CloudOptions::new(invoke) };
    let cloud = started_with(options).await;
    assert!(cloud.advance_clock(HOUR - 2).await.is_empty());
    assert!(times(&functions).is_empty(), "it is 09:59:59");
    cloud.advance_clock(1).await;
    cloud.advance_clock(2 * HOUR + 60).await;
    cloud.advance_clock(0).await;
    assert_eq!(times(&functions), ["2026-11-10T10:00:00Z", "2026-11-10T11:00:00Z", "2026-11-10T12:00:00Z"]);
    assert_eq!(clock.load(Ordering::SeqCst), NINE + 3 * 3600 + 60);
    assert_eq!(seen.load(Ordering::SeqCst), 0, "the clock shows the hour while the schedule runs");
    let event = &functions.invocations()[0].1;
    assert_eq!((&event["detail-type"], &event["source"]), (&json!("Scheduled Event"), &json!("aws.events")));
    assert_ne!(event["id"], functions.invocations()[1].1["id"]);
}

#[tokio::test]
async fn a_move_runs_the_schedule_of_every_15_minutes_once_at_the_last_quarter_of_an_hour() {
    let functions = Functions::default();
    let (cloud, clock) = cloud_at(NINE, functions.answering(|_, _, _| Ok(Value::Null))).await;
    cloud.advance_clock(QUARTER - 1).await;
    assert_eq!(times_of(&functions, QUARTER_HOURLY), [""; 0], "it is 09:14:59");
    for seconds in [1, QUARTER - 1, 2 * HOUR, 24 * HOUR + QUARTER] {
        cloud.advance_clock(seconds).await;
    }
    assert_eq!(
        times_of(&functions, QUARTER_HOURLY),
        ["2026-11-10T09:15:00Z", "2026-11-10T11:15:00Z", "2026-11-11T11:30:00Z"],
    );
    assert_eq!(times(&functions).len(), 26, "once for each hour");
    assert_eq!(clock.load(Ordering::SeqCst), NINE + 26 * 3600 + 3 * 900 - 1);
}

#[tokio::test]
async fn a_long_move_runs_the_schedule_two_hundred_times_at_most() {
    let functions = Functions::default();
    let (cloud, clock) = cloud_at(NINE, functions.answering(|_, _, _| Ok(Value::Null))).await;
    cloud.advance_clock(1000 * HOUR).await;
    let times = times(&functions);
    assert_eq!((times.len(), clock.load(Ordering::SeqCst)), (200, NINE + 3_600_000));
    assert_eq!(times[199], "2026-12-22T01:00:00Z");
}

#[tokio::test]
async fn a_failed_schedule_does_not_end_the_move() {
    let functions = Functions::default();
    let (cloud, clock) = cloud_at(NINE, functions.answering(|_, _, _| Err("down".to_owned()))).await;
    let mut failures = cloud.advance_clock(2 * HOUR).await;
    failures.sort();
    let (twice, once) = (HOURLY.map(|function| [function, function]).concat(), [QUARTER_HOURLY]);
    let mut expected: Vec<_> = twice.iter().chain(&once).map(|function| format!("{function}: down")).collect();
    expected.sort();
    assert_eq!(failures, expected);
    assert_eq!(clock.load(Ordering::SeqCst), NINE + 7200);
}

#[tokio::test]
async fn the_clock_of_the_machine_is_moved_over_http_and_only_forward() {
    let functions = Functions::default();
    let cloud = started_with(CloudOptions::new(functions.answering(|_, _, _| Ok(Value::Null)))).await;
    let moved = async |seconds: Value| post(&cloud, "/clock", &[JSON], &json!({ "seconds": seconds })).await;
    let day = |answer: &Value| answer["now"].as_str().expect("a time")[..10].to_owned();
    let (before, read) = (cloud.clock().epoch_seconds(), moved(json!(0)).await);
    assert_eq!((read.0, functions.invocations().len()), (StatusCode::OK, 0), "0 only reads");
    let (status, later) = moved(json!(7 * 24 * HOUR)).await;
    assert_eq!((status, times(&functions).len()), (StatusCode::OK, 168));
    assert_ne!(day(&read.1), day(&later));
    assert!((604_800..604_900).contains(&(cloud.clock().epoch_seconds() - before)));
    for wrong in [json!(-1), json!("60"), json!(1.5), json!(null), json!(u64::MAX), json!(9_000_000_000_000_u64)] {
        assert_eq!(moved(wrong.clone()).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let (head, _) = answer(&cloud.console_url(), Method::POST, "/clock", &[JSON], "{}").await;
    assert_eq!(
        (head.status, header(&head, "content-type").as_str()),
        (StatusCode::BAD_REQUEST, "application/problem+json")
    );
    assert!((604_800..604_900).contains(&(cloud.clock().epoch_seconds() - before)), "a refused move moves nothing");
}

#[tokio::test]
async fn a_schedule_runs_on_request() {
    let functions = Functions::default();
    let invoke = functions.answering(|before, _, _| if before < 2 { Ok(Value::Null) } else { Err("down".to_owned()) });
    let (cloud, _) = cloud_at(NINE + 90, invoke).await;
    let run = async |body: Value| post(&cloud, "/schedule", &[JSON], &body).await;
    assert_eq!(run(json!({ "function": "send-reminders" })).await, (StatusCode::OK, json!({})));
    assert_eq!(cloud.run_schedule("send-reminders").await, Ok(()));
    assert_eq!(times(&functions), ["2026-11-10T09:01:30Z", "2026-11-10T09:01:30Z"]);
    assert_eq!(run(json!({ "function": "send-reminders" })).await.0, StatusCode::BAD_GATEWAY);
    assert_eq!(run(json!({ "function": "send-mail" })).await.0, StatusCode::NOT_FOUND);
    assert_eq!(run(json!({})).await.0, StatusCode::BAD_REQUEST);
    assert!(cloud.run_schedule("send-mail").await.is_err());
}

#[tokio::test]
async fn the_timer_runs_the_schedules_when_the_clock_reaches_their_time() {
    let (functions, clock) = (Functions::default(), Arc::new(AtomicI64::new(NINE + 3599)));
    let options = CloudOptions::new(functions.answering(|_, _, _| Ok(Value::Null)));
    let options = CloudOptions { clock: Clock::manual(Arc::clone(&clock)), has_timer: true, ..options };
    let cloud = started_with(options).await;
    clock.fetch_add(2, Ordering::SeqCst);
    let ran = async {
        while functions.invocations().is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ran).await.expect("the timer runs it");
    cloud.advance_clock(HOUR).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(times(&functions), ["2026-11-10T10:00:00Z", "2026-11-10T11:00:00Z"], "each hour runs once");
    clock.fetch_add(900, Ordering::SeqCst);
    let ran = async {
        while times_of(&functions, QUARTER_HOURLY).len() < 3 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ran).await.expect("the timer runs it");
    assert_eq!(times_of(&functions, QUARTER_HOURLY)[2], "2026-11-10T11:15:00Z");
    assert_eq!(times(&functions).len(), 2, "it is no full hour");
}

#[tokio::test]
async fn the_end_of_a_deployment_invokes_no_function_by_itself() {
    let functions = Functions::default();
    let (cloud, _) = cloud_at(NINE, functions.answering(|_, _, _| Ok(Value::Null))).await;
    let events = cloud.deployment_events();
    let [(function, event)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((*function, &event["source"]), (QUARTER_HOURLY, &json!("aws.cloudformation")));
    assert_eq!(event["time"], "2026-11-10T09:00:00Z");
    assert!(functions.invocations().is_empty());
}

#[tokio::test]
async fn messages_and_mails_have_the_time_of_the_clock() {
    let functions = Functions::default();
    let (cloud, _) = cloud_at(NINE, functions.answering(|_, _, _| Ok(json!({"batchItemFailures": []})))).await;
    cloud.advance_clock(60).await;
    let event = json!({"detail-type": "SubscriptionStarted", "detail": {}});
    cloud.deliver(event).await.expect("an answer");
    let sent = &functions.invocations()[0].1["Records"][0]["attributes"]["SentTimestamp"];
    assert_eq!(sent, &json!(((NINE + 60) * 1000).to_string()));
}

#[tokio::test]
async fn the_page_shows_the_time_and_moves_it_without_scripts() {
    let functions = Functions::default();
    let (cloud, clock) = cloud_at(NINE, functions.answering(|_, _, _| Ok(Value::Null))).await;
    let console = cloud.console_url();
    let (_, page) = ask(&console, Method::GET, "/", &[], "").await;
    assert!(
        page.contains("The local time is <time datetime=\"2026-11-10T09:00:00Z\">10 Nov, 09:00 UTC</time>."),
        "{page}"
    );
    let (_, rest) = page.split_once("data-seen=\"").expect("the version of the live parts");
    let seen = rest.split_once('"').expect("a value").0;
    for (seconds, label) in [(3600, "1 hour"), (86_400, "1 day"), (432_000, "5 days"), (604_800, "7 days")] {
        assert!(page.contains(&format!("name=\"seconds\" value=\"{seconds}\">{label}</button>")), "{label}");
    }
    let form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    let (head, _) = answer(&console, Method::POST, "/time", &form, "seconds=3600").await;
    assert_eq!((head.status, header(&head, "location").as_str()), (StatusCode::SEE_OTHER, "/#time"));
    assert_eq!((clock.load(Ordering::SeqCst), functions.invocations().len()), (NINE + 3600, HOURLY.len() + 1));
    let (status, parts) = ask(&console, Method::GET, &format!("/live?seen={seen}"), &[], "").await;
    assert!(status == StatusCode::OK && parts.contains("10 Nov, 10:00 UTC"), "{parts}");
    assert!(ask(&console, Method::POST, "/time", &form, "seconds=-1").await.0.is_client_error());
    assert_eq!(clock.load(Ordering::SeqCst), NINE + 3600);
}
