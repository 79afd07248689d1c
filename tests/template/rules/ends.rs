//! Rules about the end of subscriptions, and about what deletes their items: the vendor's events all have a rule and an archive, one function
//! alone deletes, and it never runs twice at once.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    delivery::{is_queue, scheduled},
    template::{Statement, Transformed, cases, list, mentions, named, one_or_more},
};

/// The bus of the vendor's events.
const BUS: &str = "VendorBus";

/// The role that deletes what an ended subscription leaves behind.
const PURGE: &str = "PurgeSubscriptionsRole";

/// The kinds of items that this role alone deletes.
const KEPT: [&str; 5] = ["SUBSCRIPTION#*", "ACCOUNT#*", "COMPANY#*", "REFERENCE#*", "PURGE#*"];

/// The statements that allow a batch of writes, which IAM cannot tell from a batch of deletions, and the reason.
const BATCHES: [(&str, &str); 1] =
    [("SubscriptionStartRole/WelcomePortalUsers", "puts hints for lists, and deletes nothing")];

/// Finds statements by which another role than that of `purge-subscriptions` could delete a subscription, an account or what leads to them.
pub(super) fn deletions_elsewhere(template: &Transformed) -> Vec<String> {
    let deletes = |statement: &Statement| {
        let actions = statement.actions();
        let excepted = BATCHES.iter().any(|(place, _)| *place == statement.place);
        actions.contains(&"dynamodb:DeleteItem") || (actions.contains(&"dynamodb:BatchWriteItem") && !excepted)
    };
    let is_kept = |statement: &Statement| {
        let kinds = statement.condition("ForAllValues:StringLike", "dynamodb:LeadingKeys");
        kinds.is_empty() || kinds.iter().any(|kind| KEPT.contains(kind))
    };
    let of_table = template.allowed().into_iter().filter(|statement| deletes(statement) && is_kept(statement));
    of_table.filter(|statement| statement.owner != PURGE).map(|statement| statement.place).collect()
}

/// Finds functions that delete on a schedule, and of which two instances could run at once unless the operator wants it.
pub(super) fn deletions_at_once(template: &Transformed) -> Vec<String> {
    let deletes = |function: &str| format!("{function}Role") == PURGE;
    let is_single = |function: &str| {
        let reserved = &template.properties(function)["ReservedConcurrentExecutions"];
        cases(reserved).any(|value| *value == 1) && cases(reserved).all(|value| *value == 1 || is_left_out(value))
    };
    let of_schedule = scheduled(template).into_iter();
    of_schedule.filter(|function| deletes(function) && !is_single(function)).map(str::to_owned).collect()
}

fn is_left_out(value: &Value) -> bool {
    named(value) == Some("AWS::NoValue")
}

/// Finds types of events that other accounts may put on the vendor's bus and that no rule brings to a queue or no archive keeps, and types that
/// have a rule and that other accounts may not put.
pub(super) fn unheard_events(template: &Transformed) -> Vec<String> {
    let types = |value: &Value| -> BTreeSet<String> {
        one_or_more(value).filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    };
    let admitted = template.allowed().into_iter().filter(|statement| statement.kind == "AWS::Events::EventBusPolicy");
    let admitted = admitted.map(|statement| types(&statement.value["Condition"]["StringEquals"]["events:detail-type"]));
    let rules = template.resources("AWS::Events::Rule").map(|(_, rule)| &rule["Properties"]);
    let rules = rules.filter(|rule| {
        let has_queue = list(&rule["Targets"]).any(|target| is_queue(template, &target["Arn"]));
        named(&rule["EventBusName"]) == Some(BUS) && rule["State"] != "DISABLED" && has_queue
    });
    let heard: BTreeSet<String> = rules.flat_map(|rule| types(&rule["EventPattern"]["detail-type"])).collect();
    let archives = template.resources("AWS::Events::Archive").map(|(_, archive)| &archive["Properties"]);
    let archives = archives.filter(|archive| mentions(&archive["SourceArn"], BUS));
    let kept = archives.map(|archive| types(&archive["EventPattern"]["detail-type"]));
    let differ = |name: &'static str, given: BTreeSet<String>| {
        let missing: Vec<_> = given.symmetric_difference(&heard).cloned().collect();
        missing.into_iter().map(move |event| format!("{event}: its rule and the {name} differ"))
    };
    let of_policies = admitted.flat_map(|given| differ("policy of the bus", given));
    of_policies.chain(kept.flat_map(|given| differ("archive", given))).collect()
}

/// Finds functions that verify passwords, and whose refusals no alarm counts.
pub(super) fn attempts_without_alarm(template: &Transformed) -> Vec<String> {
    let watched = |metric: &str, function: &str| {
        template.resources("AWS::CloudWatch::Alarm").any(|(_, alarm)| {
            list(&alarm["Properties"]["Metrics"]).map(|one| &one["MetricStat"]["Metric"]).any(|one| {
                one["Namespace"] == "Firstkey" && one["MetricName"] == metric && mentions(&one["Dimensions"], function)
            })
        })
    };
    let mut missing = Vec::new();
    for (id, function) in template.functions() {
        let variables = &function["Environment"]["Variables"];
        let counts = !variables["SIGN_IN_NETWORK_BURST"].is_null();
        // The portal counts callbacks of the provider, and verifies no password.
        let verifies = counts && variables["OIDC_ISSUER"].is_null();
        let wanted = [("AttemptsExhausted", counts), ("AccountClosed", verifies)];
        missing.extend(
            wanted
                .into_iter()
                .filter(|(metric, applies)| *applies && !watched(metric, id))
                .map(|(metric, _)| format!("{metric} of {id}")),
        );
    }
    missing
}
