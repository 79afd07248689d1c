//! Start-up: from the start of the process to its first call for an event, against a function that does nothing.

#![expect(clippy::print_stdout, reason = "what was measured is to be seen")]

use std::{path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use cloud::runtime::Runtime;
use support::product::released;
use tokio::process::Command;

const YARDSTICK: &str = "noop";

/// The function that people wait for, and the one with every client that there is.
const MEASURED: &str = "get-credentials";

/// Interleaved, so that whatever else the machine does hits both; the median, so that it does not matter.
const RUNS: usize = 31;

const MOST_TIMES: f64 = 2.5;

#[tokio::test]
async fn a_function_asks_for_its_first_event_almost_as_soon_as_one_that_does_nothing() -> anyhow::Result<()> {
    let (Some(yardstick), Some(measured)) = (released(YARDSTICK), released(MEASURED)) else { return Ok(()) };
    if support::skip_unless_verifying("a machine that does nothing else") {
        return Ok(());
    }
    compare(&yardstick, &measured).await
}

async fn compare(yardstick: &Path, measured: &Path) -> anyhow::Result<()> {
    let runtime = Runtime::start().await?;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        for ((function, path), times) in [(YARDSTICK, yardstick), (MEASURED, measured)].into_iter().zip(&mut times) {
            let started = runtime.time_to_next(command(function, path)).await;
            times.push(started.with_context(|| function.to_owned())?);
        }
    }
    let [yardstick, measured] = times.map(median);
    let ratio = measured.as_secs_f64() / yardstick.as_secs_f64();
    let said = format!("{YARDSTICK} {yardstick:.2?}, {MEASURED} {measured:.2?}: {ratio:.2} times, of {RUNS} runs each");
    ensure!(ratio <= MOST_TIMES, "{said}; at most {MOST_TIMES} times are allowed");
    println!("start: {said}");
    Ok(())
}

/// The release binary, with every setting that it asks for, each pointing nowhere.
fn command(function: &str, path: &Path) -> Command {
    let nowhere = "http://127.0.0.1:9";
    let mut command = Command::new(path);
    command.kill_on_drop(true).env_clear().envs([
        ("AWS_LAMBDA_FUNCTION_NAME", function),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "none"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "none"),
        ("AWS_ENDPOINT_URL", nowhere),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", function),
        ("AWS_SECRET_ACCESS_KEY", "none"),
        ("TABLE_NAME", "firstkey"),
        ("SEALING_KEY", "alias/firstkey-sealing"),
        ("SENDER", "nobody@contoso.example"),
        ("PUBLIC_ORIGIN", nowhere),
        ("OIDC_ISSUER", nowhere),
        ("OIDC_CLIENT_ID", "firstkey"),
        ("SUPPORT_EMAIL", "support@contoso.example"),
        ("CREDENTIAL_LIFETIME_SECONDS", "604800"),
    ]);
    command
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
fn the_median_is_the_middle_one() {
    let times = [9, 1, 5, 100, 3].map(Duration::from_millis).to_vec();
    assert_eq!(median(times), Duration::from_millis(5));
}

#[tokio::test]
async fn what_never_asks_for_an_event_is_no_function() -> anyhow::Result<()> {
    let started = Runtime::start().await?.time_to_next(Command::new("true")).await;
    let error = started.expect_err("`true` is no function");
    assert!(error.to_string().starts_with("the function ended at once"), "{error}");
    Ok(())
}
