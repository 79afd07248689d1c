//! What is seen, what is kept, and what whoever deploys is told.

use serde_json::Value;

use super::{
    delivery::dead_letter_queues,
    template::{Transformed, list, mentions, named},
};

pub(super) fn logs_without_retention(template: &Transformed) -> Vec<String> {
    let groups = template.of("AWS::Logs::LogGroup");
    groups.filter(|(_, group)| group["Properties"]["RetentionInDays"].is_null()).map(|(id, _)| id.to_owned()).collect()
}

/// Lambda makes a group of its own where it is given none, and keeps that for ever.
pub(super) fn functions_without_log(template: &Transformed) -> Vec<String> {
    let has_log = |function: &Value| {
        let group = named(&function["LoggingConfig"]["LogGroup"]);
        group.is_some_and(|group| template.of("AWS::Logs::LogGroup").any(|(id, _)| id == group))
    };
    template.functions().filter(|(_, function)| !has_log(function)).map(|(id, _)| id.to_owned()).collect()
}

pub(super) fn functions_without_trace(template: &Transformed) -> Vec<String> {
    let untraced = template.functions().filter(|(_, function)| function["TracingConfig"]["Mode"] != "Active");
    untraced.map(|(id, _)| id.to_owned()).collect()
}

/// Of its errors, and of its throttles.
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

/// What the alarms look at: a metric of their own, or those of their expression.
fn alarm_metrics<'a>(template: &Transformed<'a>) -> Vec<&'a Value> {
    let alarms = template.of("AWS::CloudWatch::Alarm").map(|(_, alarm)| &alarm["Properties"]);
    alarms
        .flat_map(|alarm| list(&alarm["Metrics"]).map(|metric| &metric["MetricStat"]["Metric"]).chain([alarm]))
        .collect()
}

pub(super) fn silent_alarms(template: &Transformed) -> Vec<String> {
    let told = |alarm: &Value| list(&alarm["Properties"]["AlarmActions"]).any(|action| named(action) == Some("Alarms"));
    template.of("AWS::CloudWatch::Alarm").filter(|(_, alarm)| !told(alarm)).map(|(id, _)| id.to_owned()).collect()
}

/// Neither who called nor with what: an address is personal data, a path and a query may hold more.
pub(super) fn personal_access_logs(template: &Transformed) -> Vec<String> {
    const PERSONAL: [&str; 5] = ["identity", "authorizer", "userAgent", "$context.path", "requestOverride"];
    let mut broken = Vec::new();
    for (id, stage) in template.of("AWS::ApiGatewayV2::Stage") {
        match stage["Properties"]["AccessLogSettings"]["Format"].as_str() {
            None => broken.push(format!("{id} has no access log")),
            Some(format) => broken
                .extend(PERSONAL.iter().filter(|word| format.contains(*word)).map(|word| format!("{id} logs {word}"))),
        }
    }
    broken
}

/// What is lost with these is lost for good.
pub(super) fn unprotected_data(template: &Transformed) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, resource) in template.of("AWS::DynamoDB::Table").chain(template.of("AWS::KMS::Key")) {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            if resource[policy] != "Retain" {
                broken.push(format!("{id}: {policy} is not Retain"));
            }
        }
    }
    for (id, table) in template.of("AWS::DynamoDB::Table") {
        let table = &table["Properties"];
        let kept = [
            ("deletion protection", table["DeletionProtectionEnabled"] == true),
            ("recovery", table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] == true),
            ("a key of ours", named(&table["SSESpecification"]["KMSMasterKeyId"]) == Some("TableKey")),
            ("on-demand capacity", table["BillingMode"] == "PAY_PER_REQUEST"),
        ];
        broken.extend(kept.iter().filter(|(_, kept)| !kept).map(|(what, _)| format!("{id} is without {what}")));
    }
    broken
}

/// Whoever deploys reads what each is for, finds it in a group, and cannot give what no function starts with.
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
