//! Tests the Lambda emulator: a process handles one event at a time, and a process that dies is replaced.

use serde_json::json;
use support::{Call, Processes, event};
use tokio::join;

/// Kills the first process of a function at its first call.
async fn crash_at_first_call(processes: &Processes, process: &'static str) {
    let mut gate = processes.cloud.gate(move |call| call.function == process);
    let held = gate.next().await.unwrap();
    assert!(processes.kill(&held.function).await);
    assert!(!processes.kill(&held.function).await, "the process is already dead");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_is_an_error_to_its_caller_and_is_replaced() {
    let Some(processes) = super::started().await else { return };
    let guess = || processes.call("sign-in", Call::sign_in("admin@fabrikam", "nobody's password"));
    let (answer, ()) = join!(guess(), crash_at_first_call(&processes, "sign-in@1"));
    assert_eq!(answer.unwrap_err(), "sign-in@1: the function ended: signal: 9 (SIGKILL)");
    assert_eq!(guess().await.unwrap().problem(), Some("invalid-credentials"));
    assert_eq!(processes.idle(), ["sign-in@2"]);
    assert!(processes.kill("sign-in@2").await);
    assert_eq!(guess().await.unwrap().status, 401, "the death of an idle process is not an error");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_redelivers_the_messages_of_a_process_that_died() {
    let Some(processes) = super::started().await else { return };
    let cloud = &processes.cloud;
    let (answer, ()) =
        join!(cloud.deliver(event("sub-1", "trial")), crash_at_first_call(&processes, "subscription-start@1"));
    assert!(answer.unwrap_err().to_string().ends_with("signal: 9 (SIGKILL)"));
    cloud.drained().await.unwrap();
    assert_eq!((cloud.inbox().len(), cloud.dead_letters()), (1, Vec::new()));
    let output = processes.stop_and_read_output().await;
    assert!(output.contains("\"outcome\":\"started\""), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_events_get_a_process_each_and_sequential_events_share_one() {
    let Some(processes) = super::started().await else { return };
    let call = || processes.call("portal", Call::get("/nowhere"));
    let (first, second) = join!(call(), call());
    assert_eq!((first.unwrap().status, second.unwrap().status), (404, 404));
    assert_eq!(call().await.unwrap().status, 404);
    assert_eq!(processes.idle(), ["portal@1", "portal@2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_event_is_an_error_to_its_caller() {
    let Some(processes) = super::started().await else { return };
    let error = processes.invoke("portal", &json!("no request")).await.unwrap_err();
    assert!(error.starts_with("portal@1: the function called ") && error.contains("/error with "), "{error}");
}
