//! Tests that the alarms on the logs ring. Each scenario goes wrong in one way; the filters and expressions of the deployment template are
//! then evaluated over the lines that the functions have written, as `CloudWatch` would. All functions of a test run in one process and log
//! under one name, so what is counted is counted for each function.
//!
//! The alarms on metrics of AWS are held against AWS's lists of metrics, in `tests/template/rules/alarms.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cloud::{Fault, Limits, Mode, Queue, SIGNING_KEYS, Service};
use futures_util::future::BoxFuture;
use provider::Oddities;
use serde_json::{Value, json};
use support::{Call, Deployment, Function, RelyingParty, TestStack, at, ended, event, table::Table};
use template::Template;

use crate::{
    administrators::Team,
    no_leaks::log,
    real_providers::{sign_in_with, token_answer},
};

/// The sums of the metrics, by namespace, name and dimensions.
type Metrics = BTreeMap<(String, String, BTreeMap<String, String>), f64>;

/// The name under which the functions of a test log.
const FUNCTION: &str = "local";

/// An alarm that must ring, and the scenario that makes it ring.
type Scenario = (&'static str, fn() -> BoxFuture<'static, ()>);

const SCENARIOS: [Scenario; 19] = [
    ("AccountClosed", || Box::pin(strangers_close_an_account())),
    ("AttemptsExhausted", || Box::pin(attempts_are_refused())),
    ("EndsOvertaken", || Box::pin(a_later_start_is_handled_before_the_end())),
    ("KeysNotRefreshed", || Box::pin(the_keys_cannot_be_refreshed())),
    ("KeyDenied", || Box::pin(a_statement_is_missing("Unseal"))),
    ("DeskSignInMisconfigured", || Box::pin(the_client_secret_has_expired())),
    ("OperatorsLimited", || Box::pin(an_operator_acts_without_end())),
    ("ReissueStorm", || Box::pin(an_operator_reissues_without_end())),
    ("SignInMisconfigured", || Box::pin(the_client_secret_has_expired())),
    ("UserNameHeld", || Box::pin(a_user_name_is_held())),
    ("MailQuotaReached", || Box::pin(the_quota_is_reached())),
    ("MailsMissing", || Box::pin(no_mail_is_sent())),
    ("EventsNotPublished", || Box::pin(the_bus_refuses_events())),
    ("NoticesMissing", || Box::pin(no_notice_is_sent())),
    ("ProductCodesReused", || Box::pin(a_code_comes_twice())),
    ("PurgesFailed", || Box::pin(a_subscription_cannot_be_deleted())),
    ("RecordsUnreadable", || Box::pin(a_record_cannot_be_read())),
    ("WelcomeMailsNotDelivered", || Box::pin(a_welcome_mail_bounces())),
    ("TableDenied", || Box::pin(a_statement_is_missing("CountRetrievals"))),
];

async fn attempts_are_refused() {
    let stack = Deployment::default().with("SIGN_IN_NETWORK_BURST", "1").start().await;
    let mut refused = 0;
    while refused <= 100 {
        let answer = stack.sign_in("admin@fabrikam", "a quiet lamp over the harbour").await;
        refused += u32::from(answer.status == 429);
    }
}

async fn a_statement_is_missing(sid: &str) {
    let stack = Deployment::default().allowing_denials().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let role = stack.cloud.roles().role("get-credentials").unwrap();
    stack.cloud.roles().replace("get-credentials", role.without(sid));
    let answer = stack.retrieve(&stack.token("dana@fabrikam.example"), "sub-1", "click").await;
    assert!(answer.status >= 500, "{answer:?}");
}

/// Lets strangers fail at an account for the hundredth time. Its password is chosen, and a person has signed in with it.
async fn strangers_close_an_account() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let session = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().unwrap();
    stack.call("reset-password", Call::reset_password(&session, "a quiet lamp over the harbour")).await;
    let failures =
        json!({ "PK": { "S": "ATTEMPTS#admin@fabrikam" }, "SK": { "S": "ACCOUNT" }, "failures": { "N": "99" } });
    Table::connect(&stack.cloud.aws_url(), "desk").put(&failures).await;
    let guess = Call::sign_in("admin@fabrikam", "a quiet lamp over the city").from("198.51.100.7");
    assert_eq!(stack.call("sign-in", guess).await.status, 401);
}

async fn the_client_secret_has_expired() {
    let stack = Deployment::default().with("OIDC_CLIENT_SECRET", "secret").start().await;
    let refusal = token_answer(401, "application/json", r#"{"error":"invalid_client"}"#);
    assert_eq!(sign_in_with(&stack, refusal).await.status, 500);
}

/// Runs `refresh-keys` while the provider's discovery document names another issuer.
async fn the_keys_cannot_be_refreshed() {
    let stack = TestStack::start().await;
    let discovery = json!({ "issuer": "https://another.example" });
    stack.provider.set_oddities(Oddities { discovery, ..Oddities::default() });
    assert!(!stack.refresh_keys().await);
}

/// Sends acts on an account that does not exist until the operator's budget is exhausted.
async fn an_operator_acts_without_end() {
    let stack = TestStack::start().await;
    let olivia = stack.operator_token("olivia@contoso.example");
    let act = async |n: u32| {
        let call = Call::unlock("lee@fabrikam", "Ticket 4711").operator(&olivia).key(&n.to_string());
        stack.call("change-access", call).await.status
    };
    let mut last = 0;
    for n in 0..16 {
        last = act(n).await;
    }
    assert_eq!(last, 429);
}

/// Starts eleven issues within a few seconds.
async fn an_operator_reissues_without_end() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let olivia = stack.operator_token("olivia@contoso.example");
    for n in 0..11 {
        let body = json!({ "reason": "Ticket 4711", "if_issue": n + 1 });
        let answer = stack.desk_post("/desk/api/subscriptions/sub-1/reissues", &olivia, &n.to_string(), &body).await;
        assert_eq!(answer.status, 202);
        stack.cloud.drained().await.unwrap();
    }
}

/// Redeems a code for the product a second time.
async fn a_code_comes_twice() {
    let team = Team::start().await;
    let product = RelyingParty::default();
    let code = product.code(&team.stack, &team.lee).await;
    for status in [200, 400] {
        assert_eq!(product.redeem(&team.stack, &code).await.status, status);
    }
}

async fn a_later_start_is_handled_before_the_end() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.start_subscription(at(event("sub-1", "paid"), "2026-11-21T09:00:00Z")).await;
    stack.end_subscription(ended("sub-1")).await;
}

async fn a_user_name_is_held() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let mut second = event("sub-2", "trial");
    second["detail"]["service_administrator"]["user_name"] = "admin@fabrikam".into();
    stack.start_subscription(second).await;
}

async fn no_mail_is_sent() {
    let stack = TestStack::start().await;
    stack.cloud.set_fault(Fault::new(Service::Ses, "SendEmail", Mode::Refused, 100_000));
    stack.publish(event("sub-1", "trial")).await;
}

/// Gives every record of the stream to `publish-events`.
async fn feed(stack: &TestStack) {
    let records = stack.cloud.stream_records().await.unwrap();
    stack.invoke("publish-events", json!({ "Records": records })).await;
}

async fn the_bus_refuses_events() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.cloud.set_fault(Fault::new(Service::Events, "PutEvents", Mode::Refused, 100_000));
    feed(&stack).await;
}

async fn no_notice_is_sent() {
    let stack = Deployment::default().with("NOTICES", "security").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.cloud.set_fault(Fault::new(Service::Ses, "SendEmail", Mode::Refused, 100_000));
    stack.retrieve(&stack.token("dana@fabrikam.example"), "sub-1", "click").await;
    feed(&stack).await;
}

async fn a_record_cannot_be_read() {
    let stack = TestStack::start().await;
    stack.invoke("publish-events", json!({ "Records": [{ "eventName": "INSERT" }] })).await;
}

/// Lets the retention of an ended subscription pass, one item of which cannot be read.
async fn a_subscription_cannot_be_deleted() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.end_subscription(ended("sub-1")).await;
    let nameless =
        json!({ "PK": { "S": "SUBSCRIPTION#sub-1" }, "SK": { "S": "ADMINISTRATOR#01KB0H2T9RGQ8S0V3M5N7P9QRS" } });
    Table::connect(&stack.cloud.aws_url(), "desk").put(&nameless).await;
    stack.advance_clock(401 * 24 * 60 * 60);
    let tick = serde_json::from_str(&Function::PurgeSubscriptions.event()).unwrap();
    stack.invoke("purge-subscriptions", tick).await;
}

async fn a_welcome_mail_bounces() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let tags = json!({
        "ses:configuration-set": ["firstkey"], "subscription": ["sub-1"], "issue": ["1"], "mail": ["welcome"], "round": ["0"],
    });
    let time = "2026-11-10T09:00:05.000Z";
    let bounce =
        json!({ "bounceType": "Permanent", "bounceSubType": "General", "timestamp": time, "bouncedRecipients": [] });
    let bounced = json!({
        "source": "aws.ses", "detail-type": "Email Bounced", "time": "2026-11-10T09:00:05Z",
        "detail": { "eventType": "Bounce", "mail": { "timestamp": time, "tags": tags }, "bounce": bounce },
    });
    assert_eq!(stack.publish(bounced).await, json!([]));
}

/// Reaches the quota of the day with the second of two mails.
async fn the_quota_is_reached() {
    let stack = TestStack::start().await;
    stack.cloud.set_mail_limits(Limits { quota: Some(1), rate: None });
    stack.start_subscription(event("sub-1", "trial")).await;
    let ask = Call::contact_support("sub-1", "Help").bearer(&stack.token("dana@fabrikam.example")).key("key");
    assert_eq!(stack.call("contact-support", ask).await.status, 202);
    while stack.cloud.hidden(Queue::SendMail).is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs the scenario of an alarm, and asserts that the alarm rings and no other does.
async fn check(alarm: &str) {
    check_all([alarm]).await;
}

/// Runs the scenario of alarms on one metric of several functions, which all log under one name here.
async fn check_all<const N: usize>(alarms: [&str; N]) {
    log();
    let (_, scenario) = SCENARIOS.iter().find(|(name, _)| *name == alarms[0]).unwrap();
    scenario().await;
    assert_eq!(ringing(), alarms.map(ToOwned::to_owned).into());
}

#[tokio::test]
async fn many_refused_attempts_ring() {
    check("AttemptsExhausted").await;
}

#[tokio::test]
async fn a_denied_key_rings() {
    check("KeyDenied").await;
}

#[tokio::test]
async fn a_disabled_signing_key_rings() {
    log();
    let team = Team::start().await;
    team.stack.cloud.disable_signing_key(SIGNING_KEYS[0], true);
    let product = RelyingParty::default();
    let code = product.code(&team.stack, &team.lee).await;
    let answer = product.redeem(&team.stack, &code).await;
    assert_eq!(answer.oauth_error(), Some("server_error"), "{answer:?}");
    assert_eq!(ringing(), ["KeyDenied".to_owned()].into());
}

#[tokio::test]
async fn a_code_that_comes_twice_rings() {
    check("ProductCodesReused").await;
}

#[tokio::test]
async fn a_quota_that_is_reached_rings() {
    check("MailQuotaReached").await;
}

#[tokio::test]
async fn a_mail_that_was_not_sent_rings() {
    check("MailsMissing").await;
}

#[tokio::test]
async fn an_account_that_strangers_close_rings() {
    check("AccountClosed").await;
}

#[tokio::test]
async fn a_sign_in_that_is_set_up_wrongly_rings() {
    check_all(["SignInMisconfigured", "DeskSignInMisconfigured"]).await;
}

#[tokio::test]
async fn an_operator_without_end_rings() {
    check("OperatorsLimited").await;
}

#[tokio::test]
async fn many_reissues_ring() {
    check("ReissueStorm").await;
}

#[tokio::test]
async fn a_user_name_that_is_held_rings() {
    check("UserNameHeld").await;
}

#[tokio::test]
async fn events_that_are_not_published_ring() {
    check("EventsNotPublished").await;
}

#[tokio::test]
async fn a_notice_that_was_not_sent_rings() {
    check("NoticesMissing").await;
}

#[tokio::test]
async fn an_end_that_was_overtaken_rings() {
    check("EndsOvertaken").await;
}

#[tokio::test]
async fn a_subscription_that_cannot_be_deleted_rings() {
    check("PurgesFailed").await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_rings() {
    check("RecordsUnreadable").await;
}

#[tokio::test]
async fn a_welcome_mail_that_bounces_rings() {
    check("WelcomeMailsNotDelivered").await;
}

#[tokio::test]
async fn keys_that_cannot_be_refreshed_ring() {
    check("KeysNotRefreshed").await;
}

#[tokio::test]
async fn a_denied_table_rings() {
    check("TableDenied").await;
}

#[tokio::test]
async fn a_story_without_failures_rings_nothing() {
    log();
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.retrieve(&stack.token("dana@fabrikam.example"), "sub-1", "click").await;
    stack.sign_in("admin@fabrikam", "a wrong password").await;
    assert_eq!(ringing(), BTreeSet::new());
}

#[test]
fn every_alarm_on_the_logs_has_a_scenario() {
    let template = Template::deployed().unwrap();
    let tried: BTreeSet<_> = SCENARIOS.iter().map(|(alarm, _)| (*alarm).to_owned()).collect();
    assert_eq!(own_alarms(&template).into_iter().map(|(id, _)| id).collect::<BTreeSet<_>>(), tried);
}

/// Returns the alarms whose metrics come from the logs, with their resolved properties.
fn own_alarms(template: &Template) -> Vec<(String, Value)> {
    let names = |name: &str| match name {
        "AWS::StackName" => Some("firstkey".to_owned()),
        _ if Function::ALL.iter().any(|function| function.logical_id() == name) => Some(FUNCTION.to_owned()),
        _ => Some(name.to_owned()),
    };
    let alarms = template.resources_of("AWS::CloudWatch::Alarm").filter(|(_, alarm)| {
        let namespaces =
            metrics_of(&alarm["Properties"]).into_iter().map(|(_, metric)| metric["Namespace"].to_string());
        namespaces.into_iter().all(|namespace| namespace.contains("Firstkey"))
    });
    alarms.map(|(id, alarm)| (id.to_owned(), template.resolve(&alarm["Properties"], &names).unwrap())).collect()
}

/// Returns the metrics that an alarm watches, each with its id in the alarm's expression.
fn metrics_of(alarm: &Value) -> Vec<(&str, &Value)> {
    match alarm["Metrics"].as_array() {
        None => vec![("", alarm)],
        Some(metrics) => {
            let metrics = metrics.iter().filter(|metric| !metric["MetricStat"].is_null());
            metrics.map(|metric| (metric["Id"].as_str().unwrap(), &metric["MetricStat"]["Metric"])).collect()
        }
    }
}

/// Returns the alarms that ring after what the functions have logged.
fn ringing() -> BTreeSet<String> {
    let template = Template::deployed().unwrap();
    let text = String::from_utf8(log().lock().unwrap().clone()).unwrap();
    let mut metrics = Metrics::new();
    for line in text.lines() {
        let parsed: Value = serde_json::from_str(line).unwrap();
        count_embedded(&parsed, &mut metrics);
        for (_, filter) in template.resources_of("AWS::Logs::MetricFilter") {
            count_filtered(&template, &filter["Properties"], line, &parsed, &mut metrics);
        }
    }
    let rings = |alarm: &Value| {
        assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold");
        value(alarm, &metrics) > alarm["Threshold"].as_f64().unwrap()
    };
    let alarms = own_alarms(&template).into_iter().filter(|(_, alarm)| rings(alarm));
    alarms.map(|(id, _)| id).collect()
}

/// Counts what a line contains in the embedded metric format.
fn count_embedded(line: &Value, metrics: &mut Metrics) {
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
        for dimensions in directive["Dimensions"].as_array().unwrap() {
            let names = dimensions.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            let dimensions: BTreeMap<_, _> =
                names.map(|name| (name.to_owned(), line[name].as_str().unwrap().to_owned())).collect();
            let name = directive["Metrics"][0]["Name"].as_str().unwrap();
            let namespace = directive["Namespace"].as_str().unwrap().to_owned();
            *metrics.entry((namespace, name.to_owned(), dimensions)).or_default() += line[name].as_f64().unwrap();
        }
    }
}

/// Counts a line if a metric filter matches it.
fn count_filtered(template: &Template, filter: &Value, line: &str, parsed: &Value, metrics: &mut Metrics) {
    if matches(filter["FilterPattern"].as_str().unwrap(), line, parsed) {
        let stack = |name: &str| (name == "AWS::StackName").then(|| "firstkey".to_owned());
        let counted = template.resolve(&filter["MetricTransformations"][0], &stack).unwrap();
        let text = |name: &str| counted[name].as_str().unwrap().to_owned();
        let metric = (text("MetricNamespace"), text("MetricName"), BTreeMap::new());
        *metrics.entry(metric).or_default() += text("MetricValue").parse::<f64>().unwrap();
    }
}

/// Returns whether a filter pattern matches a line. Of the syntax it knows `?term`, of which one must occur, and `{ $.field = "text" && … }`,
/// where `*` is any text: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>.
fn matches(pattern: &str, line: &str, parsed: &Value) -> bool {
    if let Some(clauses) = pattern.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return clauses.split("&&").all(|clause| {
            let (field, wanted) = clause.trim().strip_prefix("$.").unwrap().split_once(" = ").unwrap();
            let given = parsed[field].as_str().unwrap_or_default();
            let wanted = wanted.trim().trim_matches('"');
            match wanted.strip_prefix('*').and_then(|wanted| wanted.strip_suffix('*')) {
                Some(part) => !part.contains('*') && given.contains(part),
                None => given == wanted,
            }
        });
    }
    assert!(pattern.starts_with('?'), "not supported: {pattern}");
    pattern.split('?').skip(1).any(|term| line.contains(term.trim().trim_matches('"')))
}

/// Returns the value of an alarm's metric or expression. Of metric math it knows `SUM(METRICS())`, and sums and differences of
/// `FILL(metric, 0)`. A metric that the alarm watches for several functions counts once, because they all log under one name here.
fn value(alarm: &Value, metrics: &Metrics) -> f64 {
    let sum = |metric: &Value| {
        let dimensions = metric["Dimensions"].as_array().into_iter().flatten().map(|dimension| {
            (dimension["Name"].as_str().unwrap().to_owned(), dimension["Value"].as_str().unwrap().to_owned())
        });
        let text = |name: &str| metric[name].as_str().unwrap().to_owned();
        metrics.get(&(text("Namespace"), text("MetricName"), dimensions.collect())).copied().unwrap_or_default()
    };
    let mut counted = Vec::new();
    let mut sum_once = |metric: &Value| {
        let is_new = !counted.contains(metric);
        counted.push(metric.clone());
        if is_new { sum(metric) } else { 0.0 }
    };
    let values: BTreeMap<_, _> = metrics_of(alarm).into_iter().map(|(id, metric)| (id, sum_once(metric))).collect();
    let Some(expressions) = alarm["Metrics"].as_array() else { return values[""] };
    let expression = expressions.iter().find_map(|metric| metric["Expression"].as_str()).unwrap();
    if expression == "SUM(METRICS())" {
        return values.values().sum();
    }
    let filled = |term: &str| {
        let id = term.trim().strip_prefix("FILL(").and_then(|rest| rest.strip_suffix(", 0)"));
        values[id.unwrap_or_else(|| panic!("not supported: {expression}"))]
    };
    let difference = |terms: &str| {
        let mut terms = terms.split(" - ").map(filled);
        terms.next().unwrap() - terms.sum::<f64>()
    };
    expression.split(" + ").map(difference).sum()
}
