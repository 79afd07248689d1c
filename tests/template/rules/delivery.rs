//! Rules about delivery: every event, message and mail is handled, or it is kept where an alarm reports it.

use std::time::Duration;

use serde_json::Value;

use super::template::{Transformed, list, mentions, named};

/// The longest time that API Gateway waits for an answer, in seconds: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>.
const API_SECONDS: u64 = 30;

/// Finds targets of rules whose events would be lost.
pub(super) fn targets_without_dead_letters(template: &Transformed) -> Vec<String> {
    let mut broken = Vec::new();
    let rules = template.resources("AWS::Events::Rule");
    for (id, rule) in rules.filter(|(_, rule)| !is_made_up_for(template, rule)) {
        for target in list(&rule["Properties"]["Targets"]) {
            if !is_queue(template, &target["DeadLetterConfig"]["Arn"]) {
                broken.push(format!("{id}, target {}", target["Id"]));
            }
        }
    }
    broken
}

/// Returns whether a schedule invokes every target of a rule. Its next tick does what a lost event would have done, whether that was another
/// tick or an event that invokes the same function.
pub(super) fn is_made_up_for(template: &Transformed, rule: &Value) -> bool {
    let scheduled = scheduled(template);
    let mut targets = list(&rule["Properties"]["Targets"]).map(|target| named(&target["Arn"]));
    targets.all(|target| target.is_some_and(|function| scheduled.contains(&function)))
}

pub(super) fn pipes_without_dead_letters(template: &Transformed) -> Vec<String> {
    let pipes = template.resources("AWS::Pipes::Pipe");
    let without = pipes.filter(|(_, pipe)| {
        let source = &pipe["Properties"]["SourceParameters"]["DynamoDBStreamParameters"];
        !is_queue(template, &source["DeadLetterConfig"]["Arn"])
    });
    without.map(|(id, _)| id.to_owned()).collect()
}

/// Finds queues that forget a message before the longest time that SQS allows, 14 days.
pub(super) fn short_retentions(template: &Transformed) -> Vec<String> {
    let queues = template.resources("AWS::SQS::Queue");
    let short = queues.filter(|(_, queue)| queue["Properties"]["MessageRetentionPeriod"] != 1_209_600);
    short.map(|(id, _)| id.to_owned()).collect()
}

/// Finds buses whose events cannot be replayed.
pub(super) fn buses_without_archive(template: &Transformed) -> Vec<String> {
    let archived = |bus: &str| {
        template
            .resources("AWS::Events::Archive")
            .any(|(_, archive)| named(&archive["Properties"]["SourceArn"]) == Some(bus))
    };
    template
        .resources("AWS::Events::EventBus")
        .map(|(id, _)| id)
        .filter(|id| !archived(id))
        .map(str::to_owned)
        .collect()
}

/// Finds pipes that do not log their errors, or log the records, which are personal data.
pub(super) fn pipes_without_log(template: &Transformed) -> Vec<String> {
    let without = template.resources("AWS::Pipes::Pipe").filter(|(_, pipe)| {
        let log = &pipe["Properties"]["LogConfiguration"];
        log["Level"] != "ERROR" || !log["IncludeExecutionData"].is_null()
    });
    without.map(|(id, _)| id.to_owned()).collect()
}

/// Finds queues that neither have a dead-letter queue nor are one.
pub(super) fn queues_without_dead_letters(template: &Transformed) -> Vec<String> {
    let taken = dead_letter_queues(template);
    let without = template.resources("AWS::SQS::Queue").filter(|(id, queue)| {
        let gives_up = is_queue(template, &queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]);
        !gives_up && !taken.contains(id)
    });
    without.map(|(id, _)| id.to_owned()).collect()
}

/// Returns the dead-letter queues of queues, rules, pipes and streams.
pub(super) fn dead_letter_queues<'a>(template: &Transformed<'a>) -> Vec<&'a str> {
    let redriven = template.resources("AWS::SQS::Queue").map(|(_, queue)| &queue["Properties"]["RedrivePolicy"]);
    let rules = template.resources("AWS::Events::Rule").flat_map(|(_, rule)| list(&rule["Properties"]["Targets"]));
    let pipes = template.resources("AWS::Pipes::Pipe").map(|(_, pipe)| &pipe["Properties"]["SourceParameters"]);
    let configured = rules.map(|target| &target["DeadLetterConfig"]);
    let streams = template.resources("AWS::Lambda::EventSourceMapping");
    let streams = streams.map(|(_, mapping)| &mapping["Properties"]["DestinationConfig"]);
    let giving_up: Vec<&Value> = redriven.chain(configured).chain(pipes).chain(streams).collect();
    let is_named = |id: &&str| giving_up.iter().any(|value| mentions(value, id));
    template.resources("AWS::SQS::Queue").map(|(id, _)| id).filter(is_named).collect()
}

pub(super) fn is_queue(template: &Transformed, arn: &Value) -> bool {
    named(arn).is_some_and(|id| template.resources("AWS::SQS::Queue").any(|(queue, _)| queue == id))
}

/// Returns the id of each event source mapping of a queue, its properties, and those of its queue and its function.
fn mappings<'a>(template: &Transformed<'a>) -> Vec<(&'a str, &'a Value, &'a Value, &'a Value)> {
    let all = template.resources("AWS::Lambda::EventSourceMapping");
    let of_queues = all.filter(|(_, mapping)| !is_of_stream(&mapping["Properties"])).map(|(id, mapping)| {
        let mapping = &mapping["Properties"];
        let [queue, function] =
            ["EventSourceArn", "FunctionName"].map(|name| named(&mapping[name]).unwrap_or_default());
        (id, mapping, template.properties(queue), template.properties(function))
    });
    of_queues.collect()
}

/// Returns whether a function reads a stream by an event source mapping. A mapping of a queue has no position.
pub(super) fn is_of_stream(mapping: &Value) -> bool {
    !mapping["StartingPosition"].is_null()
}

/// Finds queues whose visibility time-out is shorter than AWS recommends:
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>.
pub(super) fn short_visibility(template: &Transformed) -> Vec<String> {
    let short = mappings(template).into_iter().filter(|(_, _, queue, function)| {
        queue["VisibilityTimeout"].as_u64().unwrap_or(30) < 6 * function["Timeout"].as_u64().unwrap_or(u64::MAX / 6)
    });
    short.map(|(id, ..)| format!("{id}: its queue hides a message for less than six time-outs")).collect()
}

/// Finds leases that break time-out < lease or lease + time-out ≤ visibility for some allowed value of the parameter.
pub(super) fn leases_outside_visibility(template: &Transformed) -> Vec<String> {
    let leased = mappings(template).into_iter().filter_map(|(id, _, queue, function)| {
        let lease = named(&function["Environment"]["Variables"]["MAIL_LEASE_SECONDS"])?;
        let lease = &template.0["Parameters"][lease];
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let (shortest, longest) = (number(&lease["MinValue"]), number(&lease["MaxValue"]));
        let (time_out, hidden) = (number(&function["Timeout"]), number(&queue["VisibilityTimeout"]));
        (shortest <= time_out || longest == 0 || longest + time_out > hidden).then(|| {
            format!("{id}: a lease of {shortest} to {longest} s, a time-out of {time_out} s, {hidden} s hidden")
        })
    });
    leased.collect()
}

pub(super) fn whole_batches(template: &Transformed) -> Vec<String> {
    let whole = template.resources("AWS::Lambda::EventSourceMapping").filter(|(_, mapping)| {
        list(&mapping["Properties"]["FunctionResponseTypes"]).all(|kind| kind != "ReportBatchItemFailures")
    });
    whole.map(|(id, _)| format!("{id}: one failure fails all of its batch")).collect()
}

pub(super) fn unlimited_mappings(template: &Transformed) -> Vec<String> {
    let unlimited = mappings(template)
        .into_iter()
        .filter(|(_, mapping, ..)| mapping["ScalingConfig"]["MaximumConcurrency"].is_null());
    unlimited.map(|(id, ..)| id.to_owned()).collect()
}

/// Finds functions that may run for longer than the API waits, so that the caller would not learn the outcome.
pub(super) fn time_outs_above_api(template: &Transformed) -> Vec<String> {
    let apis: Vec<&Value> =
        template.resources("AWS::ApiGatewayV2::Api").map(|(_, api)| &api["Properties"]["Body"]).collect();
    let above = template.functions().filter(|(id, function)| {
        let answers = apis.iter().any(|api| mentions(api, id));
        answers && function["Timeout"].as_u64().is_none_or(|seconds| seconds >= API_SECONDS)
    });
    above.map(|(id, function)| format!("{id} may run for {} s", function["Timeout"])).collect()
}

/// The number of calls that `subscription-start` makes one after the other, at most.
const CALLS_OF_A_START: u32 = 8;

/// The number of calls that `subscription-end` makes one after the other, at most, for a subscription with fifty administrators.
const CALLS_OF_AN_END: u32 = 9;

/// Finds functions that Lambda may stop before their own budgets end, so that the caller would get the gateway's error, or work would be
/// done twice. Functions that redeem codes have the time of the provider and a call of AWS before it; the others behind the API have a limit
/// for all calls that the answer depends on, and a call for the notes after it. Both include the read of the provider's keys.
pub(super) fn time_outs_below_budgets(template: &Transformed) -> Vec<String> {
    let budget = |function: &Value| {
        let has = |variable: &str| !function["Environment"]["Variables"][variable].is_null();
        if has("MAIL_QUEUE_URL") {
            send_mail::LONGEST
        } else if has("OIDC_CLIENT_SECRET_NAME") || has("DESK_OIDC_CLIENT_SECRET_NAME") {
            web::identity::PROVIDER_TIME + aws::OPERATION_TIMEOUT
        } else if has("SEALING_KEY") && has("CREDENTIAL_LIFETIME_SECONDS") && !has("OIDC_ISSUER") {
            aws::OPERATION_TIMEOUT * CALLS_OF_A_START
        } else if has("RETENTION_DAYS") {
            aws::OPERATION_TIMEOUT * CALLS_OF_AN_END
        } else if has("OIDC_ISSUER") && !has("OIDC_CLIENT_ID") {
            refresh_keys::LONGEST
        } else {
            lambda::TIME_LIMIT + aws::OPERATION_TIMEOUT
        }
    };
    let all = template.functions().map(|(id, function)| (id, budget(function), &function["Timeout"]));
    let below = all
        .filter(|(_, needs, time_out)| time_out.as_u64().is_none_or(|seconds| Duration::from_secs(seconds) <= *needs));
    below.map(|(id, needs, time_out)| format!("{id} may run for {time_out} s, and needs {needs:?}")).collect()
}

/// Finds configuration sets that do not require TLS, and functions that send mail and name no configuration set.
pub(super) fn mail_without_tls(template: &Transformed) -> Vec<String> {
    let sets = template.resources("AWS::SES::ConfigurationSet");
    let open = sets.filter(|(_, set)| set["Properties"]["DeliveryOptions"]["TlsPolicy"] != "REQUIRE");
    let senders = template.functions().filter(|(_, function)| {
        let variables = &function["Environment"]["Variables"];
        !variables["SENDER"].is_null() && named(&variables["MAIL_CONFIGURATION_SET"]).is_none()
    });
    open.chain(senders).map(|(id, _)| id.to_owned()).collect()
}

/// Finds mail identities with which SES sends each bounce, and so the customer's address, to the mailbox of the sender.
pub(super) fn forwarded_bounces(template: &Transformed) -> Vec<String> {
    let identities = template
        .resources("AWS::SES::EmailIdentity")
        .filter(|(_, identity)| identity["Properties"]["FeedbackAttributes"]["EmailForwardingEnabled"] != false);
    identities.map(|(id, _)| id.to_owned()).collect()
}

/// The reports of SES on a mail: the type of each in a configuration set, and its name on the bus:
/// <https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html>.
const REPORTS: [(&str, &str); 6] = [
    ("send", "Email Sent"),
    ("delivery", "Email Delivered"),
    ("deliveryDelay", "Email Delivery Delayed"),
    ("bounce", "Email Bounced"),
    ("complaint", "Email Complaint Received"),
    ("reject", "Email Rejected"),
];

/// Finds configuration sets for which SES does not publish every report to the default bus, which is the only one that it can publish to.
pub(super) fn mail_without_feedback(template: &Transformed) -> Vec<String> {
    let reports_all = |set: &str| {
        template.resources("AWS::SES::ConfigurationSetEventDestination").any(|(_, destination)| {
            let event = &destination["Properties"]["EventDestination"];
            let has = |wanted: &str| list(&event["MatchingEventTypes"]).any(|kind| kind == wanted);
            let bus = event["EventBridgeDestination"]["EventBusArn"]["Fn::Sub"].as_str();
            named(&destination["Properties"]["ConfigurationSetName"]) == Some(set)
                && event["Enabled"] == true
                && REPORTS.iter().all(|(kind, _)| has(kind))
                && bus.is_some_and(|bus| bus.ends_with(":event-bus/default"))
        })
    };
    let sets = template.resources("AWS::SES::ConfigurationSet").map(|(id, _)| id);
    sets.filter(|id| !reports_all(id)).map(str::to_owned).collect()
}

/// Finds configuration sets whose reports reach no queue, and rules that take reports of other sets or accounts from the bus.
pub(super) fn feedback_of_others(template: &Transformed) -> Vec<String> {
    let rules = template.resources("AWS::Events::Rule").map(|(id, rule)| (id, &rule["Properties"]));
    let rules: Vec<_> =
        rules.filter(|(_, rule)| list(&rule["EventPattern"]["source"]).any(|one| one == "aws.ses")).collect();
    let takes_all = |rule: &Value| {
        let kinds = &rule["EventPattern"]["detail-type"];
        let has = |wanted: &str| list(kinds).any(|kind| kind == wanted);
        rule["EventBusName"].is_null()
            && REPORTS.iter().all(|(_, kind)| has(kind))
            && list(&rule["Targets"]).any(|target| is_queue(template, &target["Arn"]))
    };
    let sets = template.resources("AWS::SES::ConfigurationSet").map(|(id, _)| id);
    let unheard = sets.filter(|id| !rules.iter().any(|(_, rule)| set_of(rule) == Some(id) && takes_all(rule)));
    let open = rules
        .iter()
        .filter(|(_, rule)| set_of(rule).is_none() || !mentions(&rule["EventPattern"]["account"], "AWS::AccountId"));
    unheard.chain(open.map(|(id, _)| *id)).map(str::to_owned).collect()
}

/// Returns the configuration set whose reports a rule takes.
fn set_of(rule: &Value) -> Option<&str> {
    named(&rule["EventPattern"]["detail"]["mail"]["tags"]["ses:configuration-set"][0])
}

/// The schedule of the functions that have none of their own below, and its period in seconds. `send-reminders` reads the reminders of the
/// hours before it, and orders what half an hour can send.
const HOURLY: (&str, u64) = ("rate(1 hour)", 3600);

/// The functions with another schedule. A key that a provider withdraws is refused half an hour later at the latest: `refresh-keys` fetches the
/// keys after a quarter of an hour, and the others read them again after less than that.
const SCHEDULES: [(&str, (&str, u64)); 1] = [("RefreshKeys", ("rate(15 minutes)", 900))];

/// Returns the schedule that a function is written for, and its period in seconds.
fn schedule_for(function: &str) -> (&'static str, u64) {
    SCHEDULES.into_iter().find(|(one, _)| *one == function).map_or(HOURLY, |(_, schedule)| schedule)
}

/// Finds schedules with another period than the function is written for, and schedules that are off.
pub(super) fn schedules_of_another_period(template: &Transformed) -> Vec<String> {
    let rules = template.resources("AWS::Events::Rule");
    let others = rules.filter(|(_, rule)| {
        let schedule = &rule["Properties"]["ScheduleExpression"];
        let mut functions = list(&rule["Properties"]["Targets"]).filter_map(|target| named(&target["Arn"]));
        let fits = functions.all(|function| *schedule == schedule_for(function).0);
        !schedule.is_null() && (!fits || rule["Properties"]["State"] == "DISABLED")
    });
    others.map(|(id, _)| id.to_owned()).collect()
}

/// Finds functions on a schedule that Lambda still retries when the next run begins.
pub(super) fn retries_beyond_the_period(template: &Transformed) -> Vec<String> {
    let late = scheduled(template).into_iter().filter(|function| {
        let configurations = template.resources("AWS::Lambda::EventInvokeConfig");
        let mut own =
            configurations.filter(|(_, config)| named(&config["Properties"]["FunctionName"]) == Some(function));
        let (_, period) = schedule_for(function);
        let time_out = template.properties(function)["Timeout"].as_u64().unwrap_or(period);
        !own.any(|(_, config)| {
            let age = config["Properties"]["MaximumEventAgeInSeconds"].as_u64();
            age.is_some_and(|age| age + time_out < period)
        })
    });
    late.map(str::to_owned).collect()
}

/// Returns the functions that a schedule invokes.
pub(super) fn scheduled<'a>(template: &Transformed<'a>) -> Vec<&'a str> {
    let rules = template.resources("AWS::Events::Rule").map(|(_, rule)| &rule["Properties"]);
    let schedules = rules.filter(|rule| !rule["ScheduleExpression"].is_null());
    schedules.flat_map(|rule| list(&rule["Targets"])).filter_map(|target| named(&target["Arn"])).collect()
}
