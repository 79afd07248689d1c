//! Rules about alarms: nothing is lost in silence, and every alarm watches a metric that exists.

use serde_json::Value;

use super::{
    delivery::{dead_letter_queues, is_made_up_for, scheduled},
    template::{Transformed, list, mentions, named},
};

/// The metrics of AWS that alarms may watch: namespace, names, the names of the dimensions, and the page that lists them.
const AWS_METRICS: [(&str, &[&str], &[&str], &str); 8] = [
    (
        "AWS/ApiGateway",
        &["4xx", "5xx", "Count", "Latency"],
        &["ApiId"],
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html",
    ),
    (
        "AWS/DynamoDB",
        &["ReadThrottleEvents", "WriteThrottleEvents"],
        &["TableName"],
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html",
    ),
    (
        "AWS/EventBridge/Pipes",
        &["ExecutionFailed"],
        &["PipeName"],
        "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-monitoring.html",
    ),
    // The default bus, and any other.
    (
        "AWS/Events",
        &["FailedInvocations", "InvocationsFailedToBeSentToDlq"],
        &["RuleName"],
        "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html",
    ),
    (
        "AWS/Events",
        &["FailedInvocations", "InvocationsFailedToBeSentToDlq"],
        &["EventBusName", "RuleName"],
        "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html",
    ),
    (
        "AWS/Lambda",
        &["Errors", "Invocations", "IteratorAge", "Throttles"],
        &["FunctionName"],
        "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html",
    ),
    (
        "AWS/SES",
        &["Reputation.BounceRate"],
        &["ses:configuration-set"],
        "https://docs.aws.amazon.com/ses/latest/dg/configuration-sets-export-metrics.html",
    ),
    (
        "AWS/SQS",
        &["ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"],
        &["QueueName"],
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html",
    ),
];

/// Finds metrics in the namespaces of AWS that AWS does not list. An alarm on such a metric never has data, and so never rings.
pub(super) fn unknown_metrics(template: &Transformed) -> Vec<String> {
    let of_aws = alarm_metrics(template).into_iter().filter(|metric| text(&metric["Namespace"]).starts_with("AWS/"));
    let unknown = of_aws.filter(|metric| {
        let given: Vec<_> = list(&metric["Dimensions"]).map(|dimension| text(&dimension["Name"])).collect();
        !AWS_METRICS.iter().any(|(namespace, names, dimensions, _)| {
            metric["Namespace"] == *namespace && names.contains(&text(&metric["MetricName"])) && given == *dimensions
        })
    });
    unknown
        .map(|metric| format!("{} {} by {}", metric["Namespace"], metric["MetricName"], metric["Dimensions"]))
        .collect()
}

/// Finds functions without an alarm on their errors or on their throttles.
pub(super) fn functions_without_alarm(template: &Transformed) -> Vec<String> {
    let watched = |function: &str, name: &str| {
        alarm_metrics(template)
            .iter()
            .any(|metric| metric["MetricName"] == name && mentions(&metric["Dimensions"], function))
    };
    let missing = template.functions().flat_map(|(id, _)| {
        ["Errors", "Throttles"]
            .into_iter()
            .filter(move |name| !watched(id, name))
            .map(move |name| format!("{id}: {name}"))
    });
    missing.collect()
}

pub(super) fn dead_letters_without_alarm(template: &Transformed) -> Vec<String> {
    let metrics = alarm_metrics(template);
    let watched = |queue: &&str| {
        metrics.iter().any(|metric| {
            metric["MetricName"] == "ApproximateNumberOfMessagesVisible" && mentions(&metric["Dimensions"], queue)
        })
    };
    dead_letter_queues(template).into_iter().filter(|queue| !watched(queue)).map(str::to_owned).collect()
}

/// Returns the metrics of the alarms: the one of the alarm itself, and those of its expression.
fn alarm_metrics<'a>(template: &Transformed<'a>) -> Vec<&'a Value> {
    let alarms = template.resources("AWS::CloudWatch::Alarm").map(|(_, alarm)| &alarm["Properties"]);
    alarms
        .flat_map(|alarm| list(&alarm["Metrics"]).map(|metric| &metric["MetricStat"]["Metric"]).chain([alarm]))
        .collect()
}

/// Finds alarms that do not notify the topic when they begin and when they end, or do not say how urgent they are.
pub(super) fn silent_alarms(template: &Transformed) -> Vec<String> {
    let notifies = |actions: &Value| list(actions).any(|action| named(action) == Some("Alarms"));
    let has_severity = |description: &str| {
        description
            .strip_prefix("Severity ")
            .is_some_and(|rest| ["1: ", "2: ", "3: "].iter().any(|one| rest.starts_with(one)))
    };
    let silent = template.resources("AWS::CloudWatch::Alarm").filter(|(_, alarm)| {
        let alarm = &alarm["Properties"];
        !(notifies(&alarm["AlarmActions"])
            && notifies(&alarm["OKActions"])
            && has_severity(text(&alarm["AlarmDescription"])))
    });
    silent.map(|(id, _)| id.to_owned()).collect()
}

/// Finds queues that a function works on, without an alarm on the age of their messages.
pub(super) fn queues_without_age_alarm(template: &Transformed) -> Vec<String> {
    let metrics = alarm_metrics(template);
    let mappings = template.resources("AWS::Lambda::EventSourceMapping");
    let queues = mappings.filter_map(|(_, mapping)| named(&mapping["Properties"]["EventSourceArn"]));
    let unwatched = queues.filter(|queue| {
        !metrics.iter().any(|metric| {
            metric["MetricName"] == "ApproximateAgeOfOldestMessage" && mentions(&metric["Dimensions"], queue)
        })
    });
    unwatched.map(str::to_owned).collect()
}

/// Finds functions on a schedule without an alarm that begins when they do not run.
pub(super) fn schedules_without_watch(template: &Transformed) -> Vec<String> {
    let watched = |function: &str| {
        template.resources("AWS::CloudWatch::Alarm").any(|(_, alarm)| {
            let alarm = &alarm["Properties"];
            let runs = list(&alarm["Metrics"])
                .map(|metric| &metric["MetricStat"]["Metric"])
                .any(|metric| metric["MetricName"] == "Invocations" && mentions(&metric["Dimensions"], function));
            runs && alarm["ComparisonOperator"] == "LessThanThreshold" && alarm["TreatMissingData"] == "breaching"
        })
    };
    scheduled(template).into_iter().filter(|function| !watched(function)).map(str::to_owned).collect()
}

/// Finds alarms with more metrics than `CloudWatch` allows:
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create-alarm-on-metric-math-expression.html>.
pub(super) fn crowded_alarms(template: &Transformed) -> Vec<String> {
    let crowded = template.resources("AWS::CloudWatch::Alarm").filter(|(_, alarm)| {
        list(&alarm["Properties"]["Metrics"]).filter(|metric| !metric["MetricStat"].is_null()).count() > 10
    });
    crowded.map(|(id, _)| id.to_owned()).collect()
}

/// Finds rules without an alarm on events that were not delivered. EventBridge counts by bus and rule, except on the default bus. For what a
/// schedule invokes, there is an alarm on the function's runs instead.
pub(super) fn rules_without_alarm(template: &Transformed) -> Vec<String> {
    let metrics = alarm_metrics(template);
    let watched = |id: &str, rule: &Value, name: &str| {
        let on_another_bus = !rule["Properties"]["EventBusName"].is_null();
        metrics.iter().any(|metric| {
            let by_bus = list(&metric["Dimensions"]).any(|dimension| dimension["Name"] == "EventBusName");
            metric["MetricName"] == name && mentions(&metric["Dimensions"], id) && by_bus == on_another_bus
        })
    };
    let rules = template.resources("AWS::Events::Rule");
    let rules = rules.filter(|(_, rule)| !is_made_up_for(template, rule));
    let missing = rules.flat_map(|(id, rule)| {
        ["FailedInvocations", "InvocationsFailedToBeSentToDlq"]
            .into_iter()
            .filter(move |name| !watched(id, rule, name))
            .map(move |name| format!("{id}: {name}"))
    });
    missing.collect()
}

/// Finds functions whose log is not searched for calls that `DynamoDB` denied.
pub(super) fn unheard_denials(template: &Transformed) -> Vec<String> {
    let heard = |function: &Value| {
        let log = named(&function["LoggingConfig"]["LogGroup"]);
        template.resources("AWS::Logs::MetricFilter").any(|(_, filter)| {
            let filter = &filter["Properties"];
            named(&filter["LogGroupName"]) == log
                && list(&filter["MetricTransformations"]).any(|metric| metric["MetricName"] == "TableDenied")
        })
    };
    template.functions().filter(|(_, function)| !heard(function)).map(|(id, _)| id.to_owned()).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
