//! A test of what processes do as they start.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use support::{Function, Processes};
use tokio::time::sleep;

/// How long a process may take to read the keys after its first answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn every_function_that_verifies_tokens_reads_the_keys_before_it_gets_one() {
    let Some(processes) = super::started().await else { return };
    assert!(processes.refresh_keys().await);
    processes.cloud.clear_requests();
    let requests =
        Function::ALL.iter().filter_map(|function| Some((function.name(), function.verifying_request("?")?)));
    let requests: Vec<_> = requests.collect();
    let mut verifiers: Vec<_> = requests.iter().map(|(function, _)| *function).collect();
    verifiers.sort_unstable();
    let answers = requests.into_iter().map(|(function, request)| processes.call(function, request));
    for answer in join_all(answers).await {
        assert!(answer.unwrap().status < 500);
    }
    let begun = Instant::now();
    while readers(&processes).len() < verifiers.len() && begun.elapsed() < PATIENCE {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(readers(&processes), verifiers, "one read each");
}

/// Returns, for each item that was read, the function that has read it. Without a valid token functions read no item but that of the keys.
fn readers(processes: &Processes) -> Vec<&'static str> {
    let requests = processes.cloud.requests();
    let reads = requests.iter().filter(|call| call.operation == "GetItem");
    let names = reads.filter_map(|call| Function::find(call.function.split('@').next()?));
    let mut names: Vec<_> = names.map(Function::name).collect();
    names.sort_unstable();
    names
}
