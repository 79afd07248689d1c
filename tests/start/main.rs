//! Start-up time: from the start of a function's process to its first request for an event, compared with a function that does nothing.

#![expect(clippy::print_stdout, reason = "the report shows what was measured")]

use std::{path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use cloud::runtime::Runtime;
use support::product::released;
use tokio::process::Command;

/// The function that does nothing.
const BASELINE: &str = "noop";

/// The functions that are measured: people wait for them. The first verifies tokens, and the second hashes passwords. `cargo bench` measures
/// all of them.
const MEASURED: [&str; 2] = ["get-credentials", "sign-in"];

/// The number of starts of each. They alternate, so that other load affects both, and the medians are compared, so that outliers do not
/// matter.
const RUNS: usize = 31;

/// The largest allowed ratio of the two medians.
const MAX_RATIO: f64 = 2.5;

#[tokio::test]
async fn a_function_requests_its_first_event_almost_as_soon_as_one_that_does_nothing() -> anyhow::Result<()> {
    let Some(baseline) = released(BASELINE) else { return Ok(()) };
    for function in MEASURED {
        let Some(measured) = released(function) else { return Ok(()) };
        if support::skip_unless_verifying("a machine that does nothing else") {
            return Ok(());
        }
        compare(&baseline, function, &measured).await?;
    }
    Ok(())
}

async fn compare(baseline: &Path, function: &str, measured: &Path) -> anyhow::Result<()> {
    let runtime = Runtime::start().await?;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        for ((name, path), times) in [(BASELINE, baseline), (function, measured)].into_iter().zip(&mut times) {
            let started = runtime.time_to_next(command(name, path)).await;
            times.push(started.with_context(|| name.to_owned())?);
        }
    }
    let [baseline, measured] = times.map(median);
    let ratio = measured.as_secs_f64() / baseline.as_secs_f64();
    let result = format!("{BASELINE} {baseline:.2?}, {function} {measured:.2?}: {ratio:.2} times, of {RUNS} runs each");
    ensure!(ratio <= MAX_RATIO, "{result}; at most {MAX_RATIO} times are allowed");
    println!("start: {result}");
    Ok(())
}

/// Returns the command of the release binary. It has every setting that the function requires, with addresses where no server listens.
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
async fn a_program_that_never_requests_an_event_is_not_a_function() -> anyhow::Result<()> {
    let started = Runtime::start().await?.time_to_next(Command::new("true")).await;
    let error = started.expect_err("`true` is not a function");
    assert!(error.to_string().starts_with("the function ended at once"), "{error}");
    Ok(())
}
