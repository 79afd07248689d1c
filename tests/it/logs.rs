//! Tests of the log: one line for each request and message, with its outcome, and the metrics that the lines contain.

use std::collections::BTreeSet;

use cloud::{Fault, Mode, Service};
use provider::Oddities;
use serde_json::{Value, json};
use support::{Call, Deployment, Function, RelyingParty, TestStack, at, ended, event, table::Table};
use template::Template;

use crate::no_leaks::log;

const CHOSEN: &str = "seven green boats at noon";
const OWN: &str = "a quiet lamp over the harbour";

/// Returns the lines of the log so far.
fn lines() -> Vec<Value> {
    let log = String::from_utf8(log().lock().unwrap().clone()).unwrap();
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// Returns the metrics that the lines count, with their reasons.
fn find_metrics(lines: &[Value]) -> BTreeSet<(String, String)> {
    let counting = lines.iter().filter(|line| !line["_aws"].is_null());
    let metric = |line: &Value| {
        let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
        let [directive] = directives.as_slice() else { panic!("one directive: {line}") };
        assert_eq!(directive["Namespace"], "Firstkey");
        assert!(line["_aws"]["Timestamp"].as_i64().is_some_and(|time| time > 1_700_000_000_000), "{line}");
        let dimensions = directive["Dimensions"].as_array().unwrap().iter().flat_map(|set| set.as_array().unwrap());
        dimensions.for_each(|name| assert!(line[name.as_str().unwrap()].is_string(), "{name} in {line}"));
        let name = directive["Metrics"][0]["Name"].as_str().unwrap();
        assert_eq!(line[name], 1, "{line}");
        (name.to_owned(), line["reason"].as_str().unwrap_or_default().to_owned())
    };
    counting.map(metric).collect()
}

#[tokio::test]
async fn every_outcome_is_counted_and_every_line_has_its_fields() {
    log();
    let stack = Deployment::default().with("SIGN_IN_NETWORK_BURST", "9").start().await;
    let dana = stack.token("dana@fabrikam.example");
    stack.publish(json!({ "detail-type": "SubscriptionStarted", "detail": {} })).await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.retrieve(&dana, "sub-1", "click").await;
    stack.retrieve(&dana, "sub-2", "click").await;
    let session = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await.session().unwrap();
    stack.retrieve(&dana, "sub-1", "other").await;
    let session = stack.call("reset-password", Call::reset_password(&session, CHOSEN)).await.session().unwrap();
    stack.call("create-admin", Call::create_admin(&session, "lee@fabrikam", OWN)).await;
    let mut named = event("sub-3", "trial");
    named["detail"]["service_administrator"]["user_name"] = "admin@fabrikam".into();
    named["detail"]["company"]["name"] = "Fabrikam Holding".into();
    stack.publish(named).await;
    while stack.sign_in("nobody@fabrikam", OWN).await.status != 429 {}
    the_hundredth_failure_is_counted_as_closing(&stack).await;

    let lines = lines();
    let expected = [
        ("Issued", ""),
        ("Mailed", ""),
        ("Retrieved", ""),
        ("Blank", "administrator-signed-in"),
        ("SignedIn", ""),
        ("Created", ""),
        ("AttemptsExhausted", ""),
        ("UserNameHeld", ""),
        ("CompanyNamedDifferently", ""),
        ("AccountClosed", ""),
        ("MessageRefused", "invalid-event"),
    ];
    let counted = find_metrics(&lines);
    for (metric, reason) in expected {
        assert!(counted.contains(&(metric.to_owned(), reason.to_owned())), "{metric} {reason}: {counted:?}");
    }
    let requirement = "detail lacks a field, or a field has the wrong type";
    assert!(lines.iter().any(|line| line["detail"] == requirement), "a refused event says what it does not meet");
    assert!(lines.iter().all(|line| !line.to_string().contains("Fabrikam Holding")), "no name is logged");
    for line in &lines {
        assert!(["timestamp", "level", "function"].iter().all(|name| line[*name].is_string()), "{line}");
        let is_request = line["status"].is_u64();
        if is_request || line["message_id"].is_string() {
            assert!(line["request_id"].is_string() && line["duration_ms"].is_u64(), "{line}");
        }
    }
    let requests = |message: &str| lines.iter().filter(|line| line["message"] == message).count();
    assert!(requests("answered") >= 5 && requests("refused") >= 2, "{lines:?}");
}

/// Lets strangers fail at the account `admin@fabrikam` for the 99th and the 100th time.
async fn the_hundredth_failure_is_counted_as_closing(stack: &TestStack) {
    let strangers =
        json!({ "PK": { "S": "ATTEMPTS#admin@fabrikam" }, "SK": { "S": "ACCOUNT" }, "failures": { "N": "98" } });
    Table::connect(&stack.cloud.aws_url(), "desk").put(&strangers).await;
    for (n, closed) in [(99, false), (100, true)] {
        let guess = Call::sign_in("admin@fabrikam", OWN).from(&format!("198.51.100.{n}"));
        assert_eq!(stack.call("sign-in", guess).await.status, 401);
        assert_eq!(find_metrics(&lines()).iter().any(|(metric, _)| metric == "AccountClosed"), closed, "{n}");
    }
}

#[tokio::test]
async fn acts_of_administrators_guesses_at_their_passwords_ends_and_purges_are_counted() {
    log();
    let stack = TestStack::start().await;
    let service = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let lee = stack.first_administrator(&service, "lee@fabrikam", OWN).await;
    stack.add_administrator(&lee, OWN, "mo@fabrikam").await;
    let id = stack.account_id("mo@fabrikam").await;
    stack.call("reset-admin", Call::reset_admin(&lee, &id, OWN)).await;
    stack.call("remove-admin", Call::remove_admin(&lee, &id, OWN)).await;
    let strangers =
        json!({ "PK": { "S": "ATTEMPTS#lee@fabrikam" }, "SK": { "S": "ACCOUNT" }, "failures": { "N": "99" } });
    Table::connect(&stack.cloud.aws_url(), "desk").put(&strangers).await;
    let closing = Call::remove_admin(&lee, &id, CHOSEN).from("198.51.100.1");
    assert_eq!(stack.call("remove-admin", closing).await.status, 401);
    while stack.call("reset-admin", Call::reset_admin(&lee, &id, CHOSEN)).await.status != 429 {}
    stack.publish(json!({ "detail-type": "SubscriptionEnded", "detail": {} })).await;
    stack.end_subscription(ended("sub-1")).await;
    stack.advance_clock(400 * 86_400);
    stack.invoke("purge-subscriptions", serde_json::from_str(&Function::PurgeSubscriptions.event()).unwrap()).await;

    let lines = lines();
    let counted = find_metrics(&lines);
    for (metric, reason) in [
        ("Created", ""),
        ("AdministratorReset", ""),
        ("AdministratorRemoved", ""),
        ("AccountClosed", ""),
        ("AttemptsExhausted", ""),
        ("MessageRefused", "invalid-event"),
        ("Ended", ""),
        ("Purged", ""),
    ] {
        assert!(counted.contains(&(metric.to_owned(), reason.to_owned())), "{metric} {reason}: {counted:?}");
    }
    for personal in ["fabrikam", "Rahimi", &id, OWN, CHOSEN] {
        assert!(lines.iter().all(|line| !line.to_string().contains(personal)), "{personal} is in the log");
    }
}

#[tokio::test]
async fn an_end_is_logged_that_comes_after_a_later_start_of_the_same_life() {
    log();
    let stack = TestStack::start().await;
    let is_warned = || {
        let lines = lines();
        lines.iter().any(|line| line["outcome"] == "end-overtaken-in-its-life" && line["level"] == "WARN")
    };
    stack.start_subscription(event("sub-1", "trial")).await;
    stack.end_subscription(at(ended("sub-1"), "2026-11-10T08:59:59Z")).await;
    assert!(!is_warned(), "the end is that of a former life");
    stack.start_subscription(at(event("sub-1", "paid"), "2026-11-21T09:00:00Z")).await;
    stack.end_subscription(ended("sub-1")).await;
    assert!(is_warned(), "the start was to begin a new life, and people keep their access");
}

#[tokio::test]
async fn runs_of_refresh_keys_are_counted_and_a_failure_says_why() {
    log();
    let stack = TestStack::start().await;
    let counted = |name: &str| lines().iter().filter(|line| line[name] == 1).count();
    assert!(stack.refresh_keys().await);
    assert_eq!((counted("KeysRefreshed"), counted("KeysNotRefreshed")), (1, 0));
    stack.provider.set_oddities(Oddities { metadata_status: Some(502), ..Oddities::default() });
    assert!(!stack.refresh_keys().await);
    stack.provider.set_oddities(Oddities::default());
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "UpdateItem", Mode::Refused, 100_000));
    assert!(!stack.refresh_keys().await);
    assert_eq!((counted("KeysRefreshed"), counted("KeysNotRefreshed")), (1, 2));

    let lines = lines();
    let failed: Vec<_> = lines.iter().filter(|line| line["outcome"] == "keys-not-refreshed").collect();
    let [of_provider, of_table] = failed.as_slice() else { panic!("{lines:?}") };
    assert_eq!(of_provider["cause"], "the identity provider answered with status 502");
    assert_eq!((&of_table["service"], &of_table["level"]), (&json!("dynamodb"), &json!("WARN")));
    assert_eq!(failed.iter().filter(|line| line["people"] == "customers").count(), 2);
}

#[tokio::test]
async fn a_run_of_refresh_keys_that_finds_newer_keys_is_counted_as_one_that_put_none() {
    log();
    let stack = TestStack::start().await;
    let late = stack.separate_machine("");
    stack.advance_clock(15 * 60);
    assert!(stack.refresh_keys().await);
    assert!(late.run_schedule("refresh-keys").await, "Lambda does not repeat it");
    let lines = lines();
    let newer: Vec<_> = lines.iter().filter(|line| line["outcome"] == "keys-newer").collect();
    let [newer] = newer.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&newer["level"], &newer["people"]), (&json!("WARN"), &json!("customers")));
    assert_eq!(newer["KeysNotRefreshed"], 1);
}

#[tokio::test]
async fn a_failing_call_of_aws_is_logged_with_its_service() {
    log();
    let stack = Deployment::default().start().await;
    let dana = stack.token("dana@fabrikam.example");
    stack.cloud.set_fault(Fault::new(Service::Ses, "SendEmail", Mode::Refused, 1));
    stack.start_subscription(event("sub-1", "trial")).await;
    for (service, operation) in [(Service::DynamoDb, "UpdateItem"), (Service::Kms, "Decrypt")] {
        stack.cloud.set_fault(Fault::new(service, operation, Mode::Refused, 100_000));
        assert_eq!(stack.retrieve(&dana, "sub-1", operation).await.status, 503);
        stack.cloud.set_fault(Fault::new(service, operation, Mode::Refused, 0));
    }

    let lines = lines();
    let services: BTreeSet<_> = lines.iter().filter_map(|line| line["service"].as_str()).collect();
    assert!(["dynamodb", "kms", "ses"].iter().all(|service| services.contains(service)), "{services:?}");
    for line in lines.iter().filter(|line| line["cause"].as_str().is_some_and(|cause| cause.contains("(AWS request ")))
    {
        let service = line["service"].as_str().unwrap_or_default();
        assert!(!service.is_empty() && line["cause"].as_str().unwrap().starts_with(service), "{line}");
    }
}

#[tokio::test]
async fn arrivals_in_the_product_and_second_uses_of_a_code_are_counted_without_a_name() {
    log();
    let stack = TestStack::start().await;
    let service = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let lee = stack.first_administrator(&service, "lee@fabrikam", OWN).await;
    let party = RelyingParty::default();
    let code = party.code(&stack, &lee).await;
    let counted = |name: &str| find_metrics(&lines()).iter().any(|(metric, _)| metric == name);
    assert!(!counted("ProductEntered"), "a code is no arrival");
    let token = party.redeem(&stack, &code).await.access_token().unwrap().to_owned();
    assert!(counted("ProductEntered") && !counted("ProductCodeReused"));
    assert_eq!(party.redeem(&stack, &code).await.oauth_error(), Some("invalid_grant"));
    assert!(counted("ProductCodeReused"));
    stack.cloud.set_fault(Fault::new(Service::Kms, "Sign", Mode::Refused, 100_000));
    let next = party.code(&stack, &lee).await;
    assert_eq!(party.redeem(&stack, &next).await.status, 503);

    let lines = lines();
    let failed = lines.iter().find(|line| line["message"] == "a request of the product failed").unwrap();
    assert_eq!(failed["service"], "kms", "{failed}");
    assert!(failed["cause"].as_str().unwrap().starts_with("kms Sign"), "{failed}");
    let id = stack.account_id("lee@fabrikam").await;
    for personal in ["fabrikam", "Ahmadi", &id, &code, &next, &token, "the state of a browser"] {
        assert!(lines.iter().all(|line| !line.to_string().contains(personal)), "{personal} is in the log");
    }
}

/// The guide's answer to the alarm `OperatorsLimited` is to look for what the same operator did at the desk.
#[tokio::test]
async fn a_warning_that_an_operator_acts_too_often_names_the_operator_as_their_other_lines_do() {
    log();
    let stack = Deployment::default().start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let token = stack.operator_token("olivia@contoso.example");
    stack.desk_get("/desk/api/subscriptions/sub-1", &token).await;
    let stranger = "/desk/api/subscriptions/sub-1/portal-users/AAAAAAAAAAAAAAAAAAAAAA/removal";
    let body = json!({ "reason": "Ticket 4711" });
    let remove = async |key: &str| stack.desk_post(stranger, &token, key, &body).await.status;
    for n in 0..15 {
        assert_eq!(remove(&n.to_string()).await, 404);
    }
    assert_eq!(remove("limited").await, 429);
    let body = json!({ "reason": "Ticket 4711", "if_issue": 1 });
    let reissued = stack.desk_post("/desk/api/subscriptions/sub-1/reissues", &token, "limited", &body).await;
    assert_eq!(reissued.status, 429);

    let lines = lines();
    let operators = |is_one: fn(&&Value) -> bool| -> Vec<_> {
        lines.iter().filter(is_one).map(|line| line["operator"].as_str().unwrap_or_default()).collect()
    };
    let looked = operators(|line| line["message"] == "an operator looked");
    let limited = operators(|line| line["OperatorLimited"] == 1);
    assert_eq!((looked.len(), looked[0].len()), (1, 22), "{lines:?}");
    assert_eq!(limited, [looked[0]; 2], "one line of each function: {lines:?}");
}

#[test]
fn the_alarms_on_the_log_watch_a_metric_that_is_counted() {
    let template = Template::deployed().unwrap();
    let alarms: Vec<_> = template.resources_of("AWS::CloudWatch::Alarm").collect();
    let metric = |id: &str| {
        let (_, alarm) = alarms.iter().find(|(name, _)| *name == id).unwrap_or_else(|| panic!("no alarm {id}"));
        let properties = &alarm["Properties"];
        // An alarm watches one metric by its own properties, or an expression of several.
        let stats: Vec<_> = properties["Metrics"].as_array().map_or_else(
            || vec![properties],
            |all| all.iter().map(|one| &one["MetricStat"]["Metric"]).filter(|metric| !metric.is_null()).collect(),
        );
        stats
            .into_iter()
            .map(|metric| (metric["Namespace"].clone(), metric["MetricName"].clone(), metric["Dimensions"].clone()))
            .collect::<Vec<_>>()
    };
    let counted = |name: &str, function: &str| {
        (json!("Firstkey"), json!(name), json!([{ "Name": "function", "Value": { "Ref": function } }]))
    };
    for (name, functions) in [
        ("AttemptsExhausted", &["SignIn", "ResetPassword", "Portal", "CreateAdmin", "ResetAdmin", "RemoveAdmin"][..]),
        ("AccountClosed", &["SignIn", "ResetPassword", "CreateAdmin", "ResetAdmin", "RemoveAdmin"]),
        ("UserNameHeld", &["SubscriptionStart"]),
        ("SignInMisconfigured", &["Portal"]),
    ] {
        assert_eq!(metric(name), functions.iter().map(|function| counted(name, function)).collect::<Vec<_>>());
    }
}
