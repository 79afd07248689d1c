//! Rules about operation: logs, traces, alarms, retained data, and the descriptions of parameters.

use serde_json::Value;

use super::{
    delivery::dead_letter_queues,
    template::{Transformed, list, mentions, named},
};

pub(super) fn logs_without_retention(template: &Transformed) -> Vec<String> {
    let groups = template.resources("AWS::Logs::LogGroup");
    groups.filter(|(_, group)| group["Properties"]["RetentionInDays"].is_null()).map(|(id, _)| id.to_owned()).collect()
}

/// Finds functions without a log group. Lambda would create one that keeps its logs forever.
pub(super) fn functions_without_log(template: &Transformed) -> Vec<String> {
    let has_log = |function: &Value| {
        let group = named(&function["LoggingConfig"]["LogGroup"]);
        group.is_some_and(|group| template.resources("AWS::Logs::LogGroup").any(|(id, _)| id == group))
    };
    template.functions().filter(|(_, function)| !has_log(function)).map(|(id, _)| id.to_owned()).collect()
}

pub(super) fn functions_without_trace(template: &Transformed) -> Vec<String> {
    let untraced = template.functions().filter(|(_, function)| function["TracingConfig"]["Mode"] != "Active");
    untraced.map(|(id, _)| id.to_owned()).collect()
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

pub(super) fn silent_alarms(template: &Transformed) -> Vec<String> {
    let notifies =
        |alarm: &Value| list(&alarm["Properties"]["AlarmActions"]).any(|action| named(action) == Some("Alarms"));
    template
        .resources("AWS::CloudWatch::Alarm")
        .filter(|(_, alarm)| !notifies(alarm))
        .map(|(id, _)| id.to_owned())
        .collect()
}

/// Finds access logs with the caller's address, which is personal data, or with a path or query, which may contain more of it.
pub(super) fn personal_access_logs(template: &Transformed) -> Vec<String> {
    const PERSONAL: [&str; 5] = ["identity", "authorizer", "userAgent", "$context.path", "requestOverride"];
    let mut broken = Vec::new();
    for (id, stage) in template.resources("AWS::ApiGatewayV2::Stage") {
        match stage["Properties"]["AccessLogSettings"]["Format"].as_str() {
            None => broken.push(format!("{id} has no access log")),
            Some(format) => broken
                .extend(PERSONAL.iter().filter(|word| format.contains(*word)).map(|word| format!("{id} logs {word}"))),
        }
    }
    broken
}

/// Finds tables and keys that could be deleted with the stack, because their data cannot be restored.
pub(super) fn unprotected_data(template: &Transformed) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, resource) in template.resources("AWS::DynamoDB::Table").chain(template.resources("AWS::KMS::Key")) {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            if resource[policy] != "Retain" {
                broken.push(format!("{id}: {policy} is not Retain"));
            }
        }
    }
    for (id, table) in template.resources("AWS::DynamoDB::Table") {
        let table = &table["Properties"];
        let protections = [
            ("deletion protection", table["DeletionProtectionEnabled"] == true),
            ("recovery", table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] == true),
            ("our own key", named(&table["SSESpecification"]["KMSMasterKeyId"]) == Some("TableKey")),
            ("on-demand capacity", table["BillingMode"] == "PAY_PER_REQUEST"),
        ];
        broken.extend(
            protections.iter().filter(|(_, present)| !present).map(|(what, _)| format!("{id} is without {what}")),
        );
    }
    broken
}

/// Finds parameters without a description, a group in the console, or a constraint on their values. The operator who deploys needs all three.
pub(super) fn bare_parameters(template: &Transformed) -> Vec<String> {
    const CONSTRAINTS: [&str; 4] = ["AllowedPattern", "AllowedValues", "MinLength", "MaxLength"];
    let groups = &template.0["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"];
    let grouped = |name: &str| list(groups).any(|group| list(&group["Parameters"]).any(|listed| listed == name));
    let constrained = |parameter: &Value| {
        let between = !parameter["MinValue"].is_null() && !parameter["MaxValue"].is_null();
        between || CONSTRAINTS.iter().any(|constraint| !parameter[constraint].is_null())
    };
    let parameters = template.0["Parameters"].as_object().into_iter().flatten();
    let bare = parameters
        .filter(|(name, parameter)| parameter["Description"].is_null() || !constrained(parameter) || !grouped(name));
    bare.map(|(name, _)| name.clone()).collect()
}
