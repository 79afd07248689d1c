//! The schedules of the template, and the moves of the clock, which run them.
//!
//! An hourly schedule runs once for each hour that the clock passes. A move stops at each of these hours, so that a function sees the time for
//! which it is invoked, and the mails that it orders are sent at that time. A schedule of every 15 minutes runs once in a move, for the last
//! quarter of an hour that the clock passes: its runs replace what the ones before have done, and a move of days would take minutes.
//!
//! The local cloud has no deployments. It knows which functions the end of one invokes, and with which event, so that `cargo dev` can invoke
//! them.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use template::Template;

use super::pattern::Pattern;
use super::roles::ACCOUNT;
use super::{Clock, Error, Inner, REGION, clock};

const HOUR: i64 = 3600;

const QUARTER: i64 = HOUR / 4;

/// The most hours of one move whose schedules run: the last ones.
const MOST_HOURS: i64 = 200;

/// The time-out of an invocation. A deployed function with a schedule has up to 15 minutes.
const LONGEST: Duration = Duration::from_mins(2);

/// How often the timer looks at the clock.
const LOOK: Duration = Duration::from_secs(1);

/// The longest time that a move waits at an hour until the queues are empty. If they are not, the move does not wait for them again.
const SETTLING: Duration = Duration::from_secs(3);

/// The id of the stack.
const STACK: &str = "arn:aws:cloudformation:us-east-1:123456789012:stack/firstkey/00000000-0000-0000-0000-000000000000";

/// The period of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    Hour,
    QuarterHour,
}

/// The functions that a schedule or the end of a deployment invokes, by the template.
#[derive(Debug, Default)]
struct Invoked {
    scheduled: Vec<(String, Period)>,
    /// The functions that the end of a deployment invokes.
    deployed: Vec<String>,
}

/// The functions with a schedule, and how far the schedules have run.
pub(super) struct Schedules {
    invoked: &'static Invoked,
    /// Whether the schedules also run when the clock reaches their time by itself.
    is_timed: bool,
    /// The last quarter of an hour for which the schedules have run. It is locked while they run.
    done: Mutex<i64>,
}

impl Schedules {
    pub(super) fn deployed(clock: &Clock, is_timed: bool) -> Result<Self, Error> {
        static DEPLOYED: LazyLock<Result<Invoked, String>> = LazyLock::new(|| {
            Template::deployed().map_err(|error| error.to_string()).and_then(|template| invoked(&template))
        });
        let invoked = DEPLOYED.as_ref();
        let invoked = invoked
            .map_err(|error| Error::caused("cannot use the schedules in the deployment template", error.as_str()))?;
        Ok(Self { invoked, is_timed, done: Mutex::new(quarter_of(clock.epoch_seconds())) })
    }

    /// Returns the function of a name, if it has a schedule.
    pub(super) fn find(&self, function: &str) -> Option<&'static str> {
        self.invoked.scheduled.iter().map(|(scheduled, _)| scheduled.as_str()).find(|scheduled| *scheduled == function)
    }

    /// Returns the functions with a schedule of this period.
    fn with_period(&self, period: Period) -> impl Iterator<Item = &'static str> {
        let scheduled = self.invoked.scheduled.iter();
        scheduled.filter(move |(_, other)| *other == period).map(|(function, _)| function.as_str())
    }

    /// Returns the functions that the end of a deployment invokes, each with its event.
    pub(super) fn deployment_events(&self, at: i64) -> Vec<(&'static str, Value)> {
        self.invoked.deployed.iter().map(|function| (function.as_str(), deployment_event(at))).collect()
    }
}

/// Returns the functions that a schedule or the end of a deployment invokes.
fn invoked(template: &Template) -> Result<Invoked, String> {
    let mut invoked = Invoked::default();
    for (id, function) in template.resources_of("AWS::Serverless::Function") {
        let name = || {
            let name = function["Metadata"]["BuildProperties"]["Binary"].as_str();
            name.map(str::to_owned).ok_or_else(|| format!("{id} has no Binary"))
        };
        for event in function["Properties"]["Events"].as_object().into_iter().flatten().map(|(_, event)| event) {
            match event["Type"].as_str() {
                Some("Schedule") => {
                    let period = period(&event["Properties"]["Schedule"]).ok_or_else(|| unknown(id))?;
                    invoked.scheduled.push((name()?, period));
                }
                Some("ScheduleV2") => return Err(unknown(id)),
                Some("EventBridgeRule") => {
                    ends_deployments(template, &event["Properties"]["Pattern"])
                        .map_err(|refusal| format!("{id}: {refusal}"))?;
                    invoked.deployed.push(name()?);
                }
                _ => {}
            }
        }
    }
    Ok(invoked)
}

fn unknown(id: &str) -> String {
    format!("{id}: the local cloud only runs schedules of the type Schedule with rate(1 hour) or rate(15 minutes)")
}

fn period(schedule: &Value) -> Option<Period> {
    match schedule.as_str()? {
        "rate(1 hour)" => Some(Period::Hour),
        "rate(15 minutes)" => Some(Period::QuarterHour),
        _ => None,
    }
}

/// Checks that a function's rule is for the end of a deployment of this stack: the local cloud invokes functions by no other rule.
fn ends_deployments(template: &Template, pattern: &Value) -> Result<(), String> {
    let names = |name: &str| match name {
        "AWS::AccountId" => Some(ACCOUNT.to_owned()),
        "AWS::StackId" => Some(STACK.to_owned()),
        _ => None,
    };
    let pattern = template.resolve(pattern, &names).map_err(|error| error.to_string())?;
    let matches = Pattern::read(&pattern.to_string())?.matches(&deployment_event(0));
    matches.then_some(()).ok_or_else(|| "the only rule of a function is for the end of a deployment".to_owned())
}

impl Inner {
    /// Moves the clock forward and runs the schedules whose times it passes. Returns why invocations failed.
    pub(super) async fn advance_clock(&self, seconds: u64) -> Vec<String> {
        let mut done = self.schedules.done.lock().await;
        let began = self.clock.epoch_seconds();
        let end = began.saturating_add_unsigned(seconds);
        let from = if self.schedules.is_timed { *done } else { quarter_of(began) };
        let (mut left, mut failures, mut settles) = (seconds, Vec::new(), true);
        for stop in stops(from, end) {
            let step = u64::try_from(stop - self.clock.epoch_seconds()).unwrap_or(0).min(left);
            self.shift(step);
            left -= step;
            if stop == hour_of(stop) {
                failures.extend(self.run_schedules(Period::Hour, stop).await);
            }
            if stop == quarter_of(end) {
                failures.extend(self.run_schedules(Period::QuarterHour, stop).await);
            }
            settles = settles && timeout(SETTLING, self.drained()).await.is_ok();
        }
        self.shift(left);
        *done = quarter_of(end);
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

    /// Runs the schedules whenever the clock reaches their time, until the future is dropped.
    pub(super) async fn run_timer(self: Arc<Self>) {
        loop {
            sleep(LOOK).await;
            let mut done = self.schedules.done.lock().await;
            let quarter = quarter_of(self.clock.epoch_seconds());
            if quarter > *done {
                if hour_of(quarter) > hour_of(*done) {
                    self.run_schedules(Period::Hour, hour_of(quarter)).await;
                }
                self.run_schedules(Period::QuarterHour, quarter).await;
                *done = quarter;
            }
        }
    }

    /// Invokes every function with a schedule of this period once. Returns why invocations failed.
    async fn run_schedules(&self, period: Period, at: i64) -> Vec<String> {
        let mut failures = Vec::new();
        for function in self.schedules.with_period(period) {
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

/// Returns the start of the quarter of an hour of a time.
fn quarter_of(epoch_seconds: i64) -> i64 {
    epoch_seconds - epoch_seconds.rem_euclid(QUARTER)
}

/// Returns the times after the quarter `from`, up to `end`, at which schedules run: each hour, of more than `MOST_HOURS` the last ones, and the
/// last quarter.
fn stops(from: i64, end: i64) -> impl Iterator<Item = i64> {
    let (last_hour, last_quarter) = (hour_of(end), quarter_of(end));
    let first = (hour_of(from) + HOUR).max(last_hour - (MOST_HOURS - 1) * HOUR);
    let hours = (0..).map(move |place| first + place * HOUR).take_while(move |hour| *hour <= last_hour);
    hours.chain((last_quarter > from.max(last_hour)).then_some(last_quarter))
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

/// Returns the event of `CloudFormation` at the end of an update of the stack:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/event-detail-stack-status-change.html>.
fn deployment_event(at: i64) -> Value {
    json!({
        "version": "0",
        "id": Uuid::new_v4().to_string(),
        "detail-type": "CloudFormation Stack Status Change",
        "source": "aws.cloudformation",
        "account": ACCOUNT,
        "time": clock::whole_seconds(at),
        "region": REGION,
        "resources": [STACK],
        "detail": {
            "stack-id": STACK,
            "status-details": { "status": "UPDATE_COMPLETE", "status-reason": "" },
            "client-request-token": "",
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NINE: i64 = 1_794_301_200;

    #[test]
    fn each_hour_that_a_move_passes_or_reaches_counts_once_and_so_does_the_last_quarter() {
        let passed = |began: i64, seconds: i64| stops(quarter_of(began), began + seconds).collect::<Vec<_>>();
        assert_eq!(passed(NINE, 0), [0_i64; 0]);
        assert_eq!(passed(NINE, QUARTER - 1), [0_i64; 0]);
        assert_eq!(passed(NINE, QUARTER), [NINE + QUARTER]);
        assert_eq!(passed(NINE + QUARTER, QUARTER - 1), [0_i64; 0]);
        assert_eq!(passed(NINE, HOUR - 1), [NINE + 3 * QUARTER]);
        assert_eq!(passed(NINE, HOUR), [NINE + HOUR]);
        assert_eq!(passed(NINE + HOUR - 1, 1), [NINE + HOUR]);
        assert_eq!(passed(NINE + HOUR - 1, QUARTER + 1), [NINE + HOUR, NINE + HOUR + QUARTER]);
        assert_eq!(passed(NINE + 1, 3 * HOUR), [NINE + HOUR, NINE + 2 * HOUR, NINE + 3 * HOUR]);
    }

    #[test]
    fn the_last_two_hundred_of_too_many_hours_count() {
        let passed: Vec<_> = stops(NINE, NINE + 300 * HOUR).collect();
        assert_eq!(
            (passed.len(), passed.first(), passed.last()),
            (200, Some(&(NINE + 101 * HOUR)), Some(&(NINE + 300 * HOUR)))
        );
        assert_eq!(stops(NINE, NINE + 200 * HOUR).count(), 200);
    }

    #[test]
    fn an_event_has_the_fields_of_the_example() {
        let example = include_str!("../../../events/send-reminders.json");
        let example: Value = serde_json::from_str(example).expect("JSON");
        let mut event = event("send-reminders", NINE);
        event["id"] = example["id"].clone();
        assert_eq!(event, example);
    }

    fn template(event: &str) -> Template {
        let function = "{Type: AWS::Serverless::Function, Metadata: {BuildProperties: {Binary: tidy-up}}";
        let events = format!("Properties: {{Events: {{Sometimes: {event}}}}}}}");
        Template::parse(&format!("Parameters: {{}}\nResources: {{TidyUp: {function}, {events}}}")).expect("a template")
    }

    #[test]
    fn the_template_chooses_the_functions() {
        let scheduled = |event: &str| invoked(&template(event)).map(|invoked| invoked.scheduled);
        let tidy_up = |period| Ok(vec![("tidy-up".to_owned(), period)]);
        assert_eq!(scheduled("{Type: Schedule, Properties: {Schedule: rate(1 hour)}}"), tidy_up(Period::Hour));
        assert_eq!(
            scheduled("{Type: Schedule, Properties: {Schedule: rate(15 minutes)}}"),
            tidy_up(Period::QuarterHour)
        );
        assert_eq!(scheduled("{Type: HttpApi}"), Ok(vec![]));
        for other in ["{Type: Schedule, Properties: {Schedule: rate(1 day)}}", "{Type: ScheduleV2, Properties: {}}"] {
            assert!(scheduled(other).is_err_and(|error| error.starts_with("TidyUp:")), "{other}");
        }
        let deployed = Schedules::deployed(&Clock::system(), false).expect("schedules");
        let functions = |period| deployed.with_period(period).collect::<BTreeSet<_>>();
        assert_eq!(functions(Period::Hour), BTreeSet::from(["purge-subscriptions", "send-reminders"]));
        assert_eq!(functions(Period::QuarterHour), BTreeSet::from(["refresh-keys"]));
        assert_eq!((deployed.find("send-reminders"), deployed.find("send-mail")), (Some("send-reminders"), None));
    }

    #[test]
    fn the_end_of_a_deployment_invokes_the_functions_with_a_rule_for_it() {
        let deployed = |pattern: &str| {
            invoked(&template(&format!("{{Type: EventBridgeRule, Properties: {{Pattern: {pattern}}}}}")))
                .map(|invoked| invoked.deployed)
        };
        let ended = "detail: {status-details: {status: [UPDATE_COMPLETE]}}";
        assert_eq!(deployed(&format!("{{source: [aws.cloudformation], {ended}}}")), Ok(vec!["tidy-up".to_owned()]));
        for other in ["{source: [aws.ec2]}", "{detail: {stack-id: [another]}}", "{}"] {
            assert!(deployed(other).is_err_and(|error| error.starts_with("TidyUp:")), "{other}");
        }
        let events = Schedules::deployed(&Clock::system(), false).expect("schedules").deployment_events(NINE);
        let [(function, event)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((*function, &event["time"]), ("refresh-keys", &json!("2026-11-10T09:00:00Z")));
    }
}
