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

/// Finds functions whose tracing the operator cannot choose, or is on by default, which would cost as much as the requests.
pub(super) fn unchosen_traces(template: &Transformed) -> Vec<String> {
    let is_off = template.0["Parameters"]["Tracing"]["Default"] == "PassThrough";
    let chosen = |function: &Value| is_off && named(&function["TracingConfig"]["Mode"]) == Some("Tracing");
    template.functions().filter(|(_, function)| !chosen(function)).map(|(id, _)| id.to_owned()).collect()
}

/// Finds functions for which Lambda itself logs the start, the end and the cost of each request.
pub(super) fn loud_system_logs(template: &Transformed) -> Vec<String> {
    let loud = template.functions().filter(|(_, function)| function["LoggingConfig"]["SystemLogLevel"] != "WARN");
    loud.map(|(id, _)| id.to_owned()).collect()
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

/// Finds access logs without the request id that Lambda gives a request, which leads from a line to the log of the function.
pub(super) fn access_logs_without_request(template: &Transformed) -> Vec<String> {
    let stages = template.resources("AWS::ApiGatewayV2::Stage").filter(|(_, stage)| {
        let format = stage["Properties"]["AccessLogSettings"]["Format"].as_str();
        format.is_none_or(|format| !format.contains("$context.awsEndpointRequestId"))
    });
    stages.map(|(id, _)| id.to_owned()).collect()
}

/// Finds log groups that services other than Lambda write to, whose names do not begin with `/aws/vendedlogs/`. For each, the service would
/// add to a resource policy of 5,120 characters that all log groups of the account share:
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html>.
pub(super) fn logs_in_shared_policy(template: &Transformed) -> Vec<String> {
    let stages = template.resources("AWS::ApiGatewayV2::Stage");
    let stages = stages.map(|(_, stage)| &stage["Properties"]["AccessLogSettings"]["DestinationArn"]);
    let pipes = template.resources("AWS::Pipes::Pipe");
    let pipes =
        pipes.map(|(_, pipe)| &pipe["Properties"]["LogConfiguration"]["CloudwatchLogsLogDestination"]["LogGroupArn"]);
    let groups = stages.chain(pipes).filter_map(named);
    let shared = groups.filter(|id| {
        let name = template.properties(id)["LogGroupName"]["Fn::Sub"].as_str();
        !name.is_some_and(|name| name.starts_with("/aws/vendedlogs/"))
    });
    shared.map(str::to_owned).collect()
}

/// The length of the longest names of Regions, such as `ap-southeast-2`.
const REGION: usize = 14;

/// The length of the longest names that IAM, Lambda, Pipes and SES accept.
const NAME: usize = 64;

/// Finds names that could be longer than is allowed: those that do not begin with `NamePrefix`, so that a stack with a long name could not be
/// created, and those of roles and functions that are too long behind the longest prefix.
pub(super) fn long_names(template: &Transformed) -> Vec<String> {
    const NAMED: [(&str, &str); 4] = [
        ("AWS::IAM::Role", "RoleName"),
        ("AWS::Lambda::Function", "FunctionName"),
        ("AWS::Pipes::Pipe", "Name"),
        ("AWS::SES::ConfigurationSet", "Name"),
    ];
    let prefix = longest_prefix(template);
    let is_long = |name: &Value| {
        let text = name["Fn::Sub"][0].as_str().unwrap_or_default();
        let longest = text.replace("${AWS::Region}", &"r".repeat(REGION)).replace("${Prefix}", &"p".repeat(prefix));
        !mentions(name, "NamePrefix") || longest.len() > NAME
    };
    let long = NAMED.into_iter().flat_map(|(kind, field)| {
        let named = template.resources(kind).filter(move |(_, resource)| is_long(&resource["Properties"][field]));
        named.map(|(id, _)| id.to_owned())
    });
    long.collect()
}

/// Returns the length of the longest `NamePrefix`: one character, and those that its pattern allows behind it.
fn longest_prefix(template: &Transformed) -> usize {
    let pattern = template.0["Parameters"]["NamePrefix"]["AllowedPattern"].as_str().unwrap_or_default();
    let more = pattern.split_once("{0,").and_then(|(_, rest)| rest.split('}').next()?.parse::<usize>().ok());
    more.map_or(NAME, |more| more + 1)
}

/// Finds tables and keys that could be deleted with the stack, because their data cannot be restored, and dead-letter queues. Those of a
/// stack that could not be created hold nothing, so keys and queues are then deleted; a protected table is left to the operator.
pub(super) fn unprotected_data(template: &Transformed) -> Vec<String> {
    let mut broken = Vec::new();
    let dead_letters = dead_letter_queues(template);
    for (id, resource) in template.0["Resources"].as_object().into_iter().flatten() {
        let on_deletion = match resource["Type"].as_str() {
            Some("AWS::DynamoDB::Table") => "Retain",
            Some("AWS::KMS::Key" | "AWS::SES::EmailIdentity" | "AWS::SES::ConfigurationSet") => "RetainExceptOnCreate",
            _ if dead_letters.contains(&id.as_str()) => "RetainExceptOnCreate",
            _ => continue,
        };
        for (policy, wanted) in [("DeletionPolicy", on_deletion), ("UpdateReplacePolicy", "Retain")] {
            if resource[policy] != wanted {
                broken.push(format!("{id}: {policy} is not {wanted}"));
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

/// Finds the sealing key if it can never have a replica in another Region. A key is given this ability when it is created, or never:
/// <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html>.
pub(super) fn keys_that_cannot_move(template: &Transformed) -> Vec<String> {
    let keys = template.resources("AWS::KMS::Key").filter(|(id, _)| *id == "SealingKey");
    let is_multi_region = |key: &Value| match named(&key["Properties"]["MultiRegion"]) {
        Some(parameter) => template.0["Parameters"][parameter]["Default"] == "true",
        None => key["Properties"]["MultiRegion"] == true,
    };
    keys.filter(|(_, key)| !is_multi_region(key)).map(|(id, _)| id.to_owned()).collect()
}

/// The resources of version 0.1.0 whose names suit others, with their types.
const FIRST_TYPES: [(&str, &str); 1] = [("MailFeedback", "AWS::SES::ConfigurationSetEventDestination")];

/// Finds resources that have another type than in version 0.1.0. `CloudFormation` refuses to update a stack to such a template:
/// <https://github.com/aws/aws-sam-cli/issues/6786>.
pub(super) fn changed_types(template: &Transformed) -> Vec<String> {
    let changed = FIRST_TYPES.iter().filter(|(id, kind)| {
        let resource = &template.0["Resources"][id];
        !resource.is_null() && resource["Type"] != *kind
    });
    changed.map(|(id, _)| (*id).to_owned()).collect()
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
