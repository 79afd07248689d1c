//! The log: JSON lines on standard output, as Lambda collects them.

use std::{fmt, io, panic};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber, error,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    fmt::{
        FmtContext, FormatEvent, FormatFields, MakeWriter,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::{Clock, Settings, metrics};

/// The crates that log whole requests below WARN.
const VERBOSE_CRATES: [&str; 8] =
    ["aws_smithy", "aws_runtime", "aws_sdk", "aws_config", "hyper", "h2", "rustls", "lambda_http"];

/// Starts the log. A panic is logged with its place and without its message, which may repeat what a caller sent.
pub fn log_as_json() {
    log_as_json_to(io::stdout);
}

/// Starts the log with another output, for a test that reads all of it.
pub fn log_as_json_to<W>(writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let quiet = VERBOSE_CRATES
        .into_iter()
        .map(|target| (target, LevelFilter::WARN))
        .chain([("lambda_runtime", LevelFilter::ERROR)]);
    let targets = Targets::new().with_default(Level::INFO).with_targets(quiet);
    let function = Settings::from_environment().optional("AWS_LAMBDA_FUNCTION_NAME");
    let lines = Lines { function: function.unwrap_or_else(|| "local".to_owned()) };
    let lines = tracing_subscriber::fmt::layer().event_format(lines).with_writer(writer);
    // A second call, as in tests, keeps the first log.
    let _ = tracing_subscriber::registry().with(lines.with_filter(targets)).try_init();
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        error!(place, "panic");
    }));
}

/// One line for each event: `timestamp`, `level`, `function`, `message`, and the event's own fields beside them. An event with the field
/// `metric` is also a metric. Spans are left out.
struct Lines {
    function: String,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut line = Line(Map::new());
        event.record(&mut line);
        line.set("timestamp", timestamp);
        line.set("level", event.metadata().level().as_str());
        line.set("function", self.function.as_str());
        metrics::embed(&mut line.0, Clock::System.now());
        writeln!(writer, "{}", Value::Object(line.0))
    }
}

/// The fields of one line.
struct Line(Map<String, Value>);

impl Line {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;
    use tracing::{info, subscriber::with_default, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the lines that `run` logs, each without its time.
    fn lines(run: impl FnOnce()) -> Vec<Value> {
        let log = Log::default();
        let writer = log.clone();
        let lines = Lines { function: "sign-in".into() };
        let layer = tracing_subscriber::fmt::layer().event_format(lines).with_writer(move || writer.clone());
        with_default(tracing_subscriber::registry().with(layer), run);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let read = |line: &str| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            let time = line.as_object_mut().unwrap().remove("timestamp").unwrap();
            assert!(time.as_str().unwrap().ends_with('Z') && time.as_str().unwrap().starts_with("20"), "{time}");
            line
        };
        text.lines().map(read).collect()
    }

    #[test]
    fn an_event_is_one_line_with_its_fields_beside_time_level_and_function() {
        let said = lines(|| {
            info!(request_id = "r-1", status = 200_u16, good = true, "answered");
            warn!(cause = %"a \"quoted\"\nline", left = -1, share = 0.5, absent = None::<&str>);
        });
        let answered = json!({
            "level": "INFO", "function": "sign-in", "message": "answered", "request_id": "r-1", "status": 200, "good": true,
        });
        let warned = json!({
            "level": "WARN", "function": "sign-in", "cause": "a \"quoted\"\nline", "left": -1, "share": 0.5,
        });
        assert_eq!(said, [answered, warned]);
    }

    #[test]
    fn spans_are_left_out() {
        let said = lines(|| tracing::info_span!("canary", canary = "canary").in_scope(|| info!("done")));
        assert_eq!(said, [json!({ "level": "INFO", "function": "sign-in", "message": "done" })]);
    }

    #[test]
    fn an_event_that_counts_is_a_metric_on_the_same_line() {
        let said = lines(|| info!(metric = "SignedIn", "answered"));
        assert_eq!((said.len(), &said[0]["SignedIn"], &said[0]["message"]), (1, &json!(1), &json!("answered")));
        assert_eq!(said[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"], metrics::NAMESPACE);
    }
}
