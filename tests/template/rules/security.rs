//! Rules about tampering: each change that could open a password, or let one be lost, is reported to the security topic.

use serde_json::Value;

use super::template::{Transformed, list, mentions, named};

/// The topic that gets the reports.
const TOPIC: &str = "SecurityAlarms";

/// The calls that must be reported, by the type of the resource that they change:
/// <https://docs.aws.amazon.com/kms/latest/developerguide/ct-kms-api-calls.html>, and the same pages of Lambda, IAM, DynamoDB and EventBridge.
const CALLS: [(&str, &[&str]); 5] = [
    ("AWS::KMS::Key", &["PutKeyPolicy", "CreateGrant", "DisableKey", "ScheduleKeyDeletion", "ReplicateKey"]),
    (
        "AWS::Lambda::Function",
        &["UpdateFunctionCode", "UpdateFunctionConfiguration", "AddPermission", "CreateFunction", "DeleteFunction"],
    ),
    ("AWS::IAM::Role", &["PutRolePolicy", "AttachRolePolicy", "UpdateAssumeRolePolicy", "DeleteRolePolicy"]),
    ("AWS::DynamoDB::Table", &["PutResourcePolicy", "DeleteResourcePolicy"]),
    ("AWS::Events::EventBus", &["PutPermission", "RemovePermission"]),
];

pub(super) fn unreported_tampering(template: &Transformed) -> Vec<String> {
    let details: Vec<&Value> = template.resources("AWS::Events::Rule").filter_map(reported).collect();
    let missing = CALLS.into_iter().flat_map(|(kind, calls)| {
        let details = &details;
        template.resources(kind).flat_map(move |(id, _)| {
            // Functions are found by the prefix that all their names have.
            let id = if kind == "AWS::Lambda::Function" { "NamePrefix" } else { id };
            let unreported = calls
                .iter()
                .filter(move |call| !details.iter().any(|detail| hears(detail, call) && mentions(detail, id)));
            unreported.map(move |call| format!("{call} on {id}"))
        })
    });
    missing.collect()
}

/// Returns the `detail` of a rule's pattern, if the rule sends to the security topic what `CloudTrail` reports.
fn reported<'a>((_, rule): (&'a str, &'a Value)) -> Option<&'a Value> {
    let rule = &rule["Properties"];
    let trail = rule["EventPattern"]["detail-type"] == serde_json::json!(["AWS API Call via CloudTrail"]);
    let sends = list(&rule["Targets"]).any(|target| named(&target["Arn"]) == Some(TOPIC));
    (trail && sends && rule["State"] != "DISABLED").then(|| &rule["EventPattern"]["detail"])
}

fn hears(detail: &Value, call: &str) -> bool {
    list(&detail["eventName"]).any(|name| name == call || name["prefix"] == call)
}
