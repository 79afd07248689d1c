//! The log: JSON lines on standard output, as Lambda collects them.

use std::{io, panic};

use tracing::{Level, error, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, fmt::MakeWriter, layer::SubscriberExt, util::SubscriberInitExt};

/// Crates that print whole requests below WARN.
const TALKATIVE: [&str; 8] =
    ["aws_smithy", "aws_runtime", "aws_sdk", "aws_config", "hyper", "h2", "rustls", "lambda_http"];

/// Starts the log. A panic is logged by its place, without its message, since that may repeat what a caller sent.
pub fn log_as_json() {
    log_as_json_to(io::stdout);
}

/// The same log, elsewhere: for a test that reads all of it.
pub fn log_as_json_to<W>(writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let quiet =
        TALKATIVE.into_iter().map(|target| (target, LevelFilter::WARN)).chain([("lambda_runtime", LevelFilter::ERROR)]);
    let targets = Targets::new().with_default(Level::INFO).with_targets(quiet);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .with_writer(writer)
        .flatten_event(true)
        .with_target(false)
        .with_current_span(false)
        .with_span_list(false);
    // A second call, as in tests, keeps the first log.
    let _ = tracing_subscriber::registry().with(lines.with_filter(targets)).try_init();
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        error!(place, "panic");
    }));
}
