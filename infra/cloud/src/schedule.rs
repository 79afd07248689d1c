//! The schedules of the template, all of them hourly, and the moves of the clock, which run them.
//!
//! A schedule runs once for each hour that the clock passes. A move stops at each of these hours, so that a function sees the time for
//! which it is invoked, and the mails that it orders are sent at that time.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use template::Template;

use super::roles::ACCOUNT;
use super::{Clock, Error, Inner, REGION, clock};

const HOUR: i64 = 3600;

/// The most hours of one move whose schedules run: the last ones.
const MOST_HOURS: i64 = 200;

/// The time-out of an invocation. A deployed function with a schedule has up to 15 minutes.
const LONGEST: Duration = Duration::from_mins(2);

/// How often the timer looks at the clock.
const LOOK: Duration = Duration::from_secs(1);

/// The longest time that a move waits at an hour until the queues are empty. If they are not, the move does not wait for them again.
const SETTLING: Duration = Duration::from_secs(3);

/// The functions with a schedule, and how far it has run.
pub(super) struct Schedules {
    functions: Vec<&'static str>,
    /// Whether the schedules also run when the clock reaches an hour by itself.
    is_timed: bool,
    /// The last hour for which the schedules have run. It is locked while they run.
    done: Mutex<i64>,
}

impl Schedules {
    pub(super) fn deployed(clock: &Clock, is_timed: bool) -> Result<Self, Error> {
        static DEPLOYED: LazyLock<Result<Vec<String>, String>> = LazyLock::new(|| {
            Template::deployed().map_err(|error| error.to_string()).and_then(|template| scheduled(&template))
        });
        let deployed = DEPLOYED.as_ref();
        let deployed = deployed
            .map_err(|error| Error::caused("cannot use the schedules in the deployment template", error.as_str()))?;
        let functions: Vec<_> = deployed.iter().map(String::as_str).collect();
        Ok(Self { functions, is_timed, done: Mutex::new(hour_of(clock.epoch_seconds())) })
    }

    /// Returns the function of a name, if it has a schedule.
    pub(super) fn find(&self, function: &str) -> Option<&'static str> {
        self.functions.iter().copied().find(|scheduled| *scheduled == function)
    }
}

/// Returns the names of the functions with an hourly schedule.
fn scheduled(template: &Template) -> Result<Vec<String>, String> {
    let mut functions = Vec::new();
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        for event in function["Properties"]["Events"].as_object().into_iter().flatten().map(|(_, event)| event) {
            match event["Type"].as_str() {
                Some("Schedule") if event["Properties"]["Schedule"] == "rate(1 hour)" => {
                    let name = function["Metadata"]["BuildProperties"]["Binary"].as_str();
                    functions.push(name.ok_or_else(|| format!("{id} has no Binary"))?.to_owned());
                }
                Some("Schedule" | "ScheduleV2") => {
                    return Err(format!(
                        "{id}: the local cloud only runs schedules of the type Schedule with rate(1 hour)"
                    ));
                }
                _ => {}
            }
        }
    }
    Ok(functions)
}

impl Inner {
    /// Moves the clock forward and runs the schedules of the hours that it passes. Returns why invocations failed.
    pub(super) async fn advance_clock(&self, seconds: u64) -> Vec<String> {
        let mut done = self.schedules.done.lock().await;
        let began = self.clock.epoch_seconds();
        let end = began.saturating_add_unsigned(seconds);
        let from = if self.schedules.is_timed { *done } else { hour_of(began) };
        let (mut left, mut failures, mut settles) = (seconds, Vec::new(), true);
        for hour in hours_passed(from, end) {
            let step = u64::try_from(hour - self.clock.epoch_seconds()).unwrap_or(0).min(left);
            self.shift(step);
            left -= step;
            failures.extend(self.run_schedules(hour).await);
            settles = settles && timeout(SETTLING, self.drained()).await.is_ok();
        }
        self.shift(left);
        *done = hour_of(end);
        failures
    }

    /// Moves everything that depends on the clock.
    fn shift(&self, seconds: u64) {
        if seconds > 0 {
            self.clock.advance(seconds);
            let moved = Duration::from_secs(seconds);
            self.queues.advance(moved);
            self.ses.advance(moved);
        }
    }

    /// Runs the schedules whenever the clock reaches an hour, until the future is dropped.
    pub(super) async fn run_timer(self: Arc<Self>) {
        loop {
            sleep(LOOK).await;
            let mut done = self.schedules.done.lock().await;
            let hour = hour_of(self.clock.epoch_seconds());
            if hour > *done {
                self.run_schedules(hour).await;
                *done = hour;
            }
        }
    }

    /// Invokes every function with a schedule once. Returns why invocations failed.
    async fn run_schedules(&self, at: i64) -> Vec<String> {
        let mut failures = Vec::new();
        for function in &self.schedules.functions {
            if let Err(error) = self.run_schedule(function, at).await {
                tracing::warn!(function, error, "an invocation by the schedule failed");
                failures.push(error);
            }
        }
        failures
    }

    /// Invokes a function as its schedule does at a time.
    pub(super) async fn run_schedule(&self, function: &'static str, at: i64) -> Result<(), String> {
        let invoked = timeout(LONGEST, (self.invoke)(function, event(function, at))).await;
        let answer = invoked.unwrap_or_else(|_| Err(format!("it did not answer within {} seconds", LONGEST.as_secs())));
        answer.map(drop).map_err(|error| format!("{function}: {error}"))
    }
}

/// Returns the start of the hour of a time.
fn hour_of(epoch_seconds: i64) -> i64 {
    epoch_seconds - epoch_seconds.rem_euclid(HOUR)
}

/// Returns the hours after the hour `from`, up to `end`; of more than `MOST_HOURS`, the last ones.
fn hours_passed(from: i64, end: i64) -> impl Iterator<Item = i64> {
    let last = hour_of(end);
    let first = (from + HOUR).max(last - (MOST_HOURS - 1) * HOUR);
    (0..).map(move |place| first + place * HOUR).take_while(move |hour| *hour <= last)
}

/// Returns the event of a schedule:
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html>.
fn event(function: &str, at: i64) -> Value {
    json!({
        "version": "0",
        "id": Uuid::new_v4().to_string(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": clock::whole_seconds(at),
        "region": REGION,
        "resources": [format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/firstkey-{function}")],
        "detail": {},
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NINE: i64 = 1_794_301_200;

    #[test]
    fn each_hour_that_a_move_passes_or_reaches_counts_once() {
        let passed = |began: i64, seconds: i64| hours_passed(hour_of(began), began + seconds).collect::<Vec<_>>();
        assert_eq!(passed(NINE, 0), [0_i64; 0]);
        assert_eq!(passed(NINE, HOUR - 1), [0_i64; 0]);
        assert_eq!(passed(NINE, HOUR), [NINE + HOUR]);
        assert_eq!(passed(NINE + HOUR - 1, 1), [NINE + HOUR]);
        assert_eq!(passed(NINE + 1, 3 * HOUR), [NINE + HOUR, NINE + 2 * HOUR, NINE + 3 * HOUR]);
    }

    #[test]
    fn the_last_two_hundred_of_too_many_hours_count() {
        let passed: Vec<_> = hours_passed(NINE, NINE + 300 * HOUR).collect();
        assert_eq!(
            (passed.len(), passed.first(), passed.last()),
            (200, Some(&(NINE + 101 * HOUR)), Some(&(NINE + 300 * HOUR)))
        );
        assert_eq!(hours_passed(NINE, NINE + 200 * HOUR).count(), 200);
    }

    #[test]
    fn an_event_has_the_fields_of_the_example() {
        let example = include_str!("../../../events/send-reminders.json");
        let example: Value = serde_json::from_str(example).expect("JSON");
        let mut event = event("send-reminders", NINE);
        event["id"] = example["id"].clone();
        assert_eq!(event, example);
    }

    #[test]
    fn the_template_chooses_the_functions() {
        let template = |event: &str| {
            let function = "{Type: AWS::Serverless::Function, Metadata: {BuildProperties: {Binary: tidy-up}}";
            let events = format!("Properties: {{Events: {{Hourly: {event}}}}}}}");
            Template::parse(&format!("Parameters: {{}}\nResources: {{TidyUp: {function}, {events}}}"))
                .expect("a template")
        };
        let hourly = template("{Type: Schedule, Properties: {Schedule: rate(1 hour)}}");
        assert_eq!(scheduled(&hourly), Ok(vec!["tidy-up".to_owned()]));
        assert_eq!(scheduled(&template("{Type: HttpApi}")), Ok(vec![]));
        for other in ["{Type: Schedule, Properties: {Schedule: rate(1 day)}}", "{Type: ScheduleV2, Properties: {}}"] {
            assert!(scheduled(&template(other)).is_err_and(|error| error.starts_with("TidyUp:")), "{other}");
        }
        let deployed = Schedules::deployed(&Clock::system(), false).expect("schedules");
        let functions: BTreeSet<_> = deployed.functions.iter().copied().collect();
        assert_eq!(functions, BTreeSet::from(["purge-subscriptions", "send-reminders"]));
        assert_eq!((deployed.find("send-reminders"), deployed.find("send-mail")), (Some("send-reminders"), None));
    }
}
