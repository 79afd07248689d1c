//! Rules about the keys of the identity providers in the table: one function alone writes them, only from its own code, each function that
//! verifies tokens reads them and nothing else there, they are refreshed after a deployment, and an alarm begins when they are not refreshed.

use serde_json::{Value, json};

use super::{
    access::{is_bound, places, roles},
    template::{Statement, Transformed, list, mentions, named},
};

/// The function that writes the keys.
const FUNCTION: &str = "RefreshKeys";

/// Its role.
const ROLE: &str = "RefreshKeysRole";

/// The kind of items that hold the keys.
const ITEMS: &str = "PROVIDER#*";

/// The one action of the functions that verify tokens.
const READ: &str = "dynamodb:GetItem";

/// The one action of the function that writes the keys. Its condition keeps a newer copy.
const WRITE: &str = "dynamodb:UpdateItem";

/// The settings that name an issuer.
const ISSUERS: [&str; 2] = ["OIDC_ISSUER", "DESK_OIDC_ISSUER"];

/// The settings of a function that verifies tokens: the client that a token must be for.
const CLIENTS: [&str; 2] = ["OIDC_CLIENT_ID", "DESK_OIDC_CLIENT_ID"];

/// The longest time without a run after which an alarm must begin, in seconds.
const LATE: u64 = 3600;

/// Returns the functions that verify tokens, with their settings.
fn verifiers<'a>(template: &Transformed<'a>) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let all = template.functions().map(|(id, function)| (id, &function["Environment"]["Variables"]));
    all.filter(|(_, settings)| CLIENTS.iter().any(|client| !settings[client].is_null()))
}

/// Returns the kinds of items that a statement is limited to.
fn kinds<'a>(statement: &'a Statement) -> Vec<&'a str> {
    statement.condition("ForAllValues:StringLike", "dynamodb:LeadingKeys")
}

/// Returns whether a statement is also about the items that hold the keys.
fn is_about_keys(statement: &Statement) -> bool {
    let prefix = ITEMS.trim_end_matches('*');
    kinds(statement).iter().any(|kind| kind.starts_with(prefix) || prefix.starts_with(kind.trim_end_matches('*')))
}

/// Finds statements that allow more than reading the keys to another role than that of `refresh-keys`, or more than writing them to that role.
pub(super) fn keys_written_elsewhere(template: &Transformed) -> Vec<String> {
    let reads = |statement: &Statement| statement.actions().iter().all(|action| *action == READ);
    let is_refresh = |statement: &Statement| roles(template, statement) == [ROLE] && statement.actions() == [WRITE];
    places(template, |statement| is_about_keys(statement) && !reads(statement) && !is_refresh(statement))
}

/// Returns whether a statement is about the table, both that of the stack and an existing one.
fn is_about_both_tables(statement: &Statement) -> bool {
    ["Table", "ExistingTableName"].iter().all(|name| mentions(&statement.value["Resource"], name))
}

/// Finds the role of `refresh-keys` if it may write the keys from any code: given to another function, it would choose who signs in.
pub(super) fn keys_written_by_any_code(template: &Transformed) -> Vec<String> {
    let bound = is_bound(template, WRITE, ROLE, is_about_both_tables);
    if bound { Vec::new() } else { vec![format!("{WRITE} by {ROLE}")] }
}

/// Finds statements that allow a role to read the keys that belongs to no function that verifies tokens, or other items with them.
pub(super) fn keys_read_elsewhere(template: &Transformed) -> Vec<String> {
    let readers: Vec<String> = verifiers(template).map(|(id, _)| format!("{id}Role")).collect();
    let is_verifiers =
        |statement: &Statement| roles(template, statement).iter().all(|role| readers.iter().any(|one| one == role));
    places(template, |statement| {
        let reads = statement.actions().contains(&READ);
        is_about_keys(statement) && reads && !(is_verifiers(statement) && kinds(statement) == [ITEMS])
    })
}

/// Finds functions that verify tokens and may not read the keys, so that each of their instances would ask the provider.
pub(super) fn keys_out_of_reach(template: &Transformed) -> Vec<String> {
    let allowed = template.allowed();
    let reads = |function: &str| {
        let role = format!("{function}Role");
        allowed.iter().any(|statement| {
            roles(template, statement).contains(&role.as_str())
                && statement.actions() == [READ]
                && kinds(statement) == [ITEMS]
        })
    };
    verifiers(template).map(|(id, _)| id).filter(|id| !reads(id)).map(str::to_owned).collect()
}

/// Finds issuers whose tokens a function verifies and whose keys `refresh-keys` does not fetch.
pub(super) fn keys_never_refreshed(template: &Transformed) -> Vec<String> {
    let fetched = &template.properties(FUNCTION)["Environment"]["Variables"];
    let missing = verifiers(template).flat_map(|(id, settings)| {
        let unknown = move |issuer: &&str| !settings[issuer].is_null() && settings[issuer] != fetched[issuer];
        ISSUERS.into_iter().filter(unknown).map(move |issuer| format!("{issuer} of {id}"))
    });
    missing.collect()
}

/// Finds the function if no rule invokes it at the end of the stack's creation and of each update.
pub(super) fn keys_late_after_deployments(template: &Transformed) -> Vec<String> {
    let ends = json!(["CREATE_COMPLETE", "UPDATE_COMPLETE"]);
    let invoked = template.resources("AWS::Events::Rule").any(|(_, rule)| {
        let (rule, pattern) = (&rule["Properties"], &rule["Properties"]["EventPattern"]);
        rule["EventBusName"].is_null()
            && rule["State"] != "DISABLED"
            && pattern["source"] == json!(["aws.cloudformation"])
            && pattern["detail-type"] == json!(["CloudFormation Stack Status Change"])
            && pattern["detail"]["stack-id"] == json!([{ "Ref": "AWS::StackId" }])
            && pattern["detail"]["status-details"]["status"] == ends
            && list(&rule["Targets"]).any(|target| named(&target["Arn"]) == Some(FUNCTION))
    });
    if invoked { Vec::new() } else { vec![FUNCTION.to_owned()] }
}

/// Finds what could go wrong with the keys for long without an alarm: runs that do not happen, and failures of a provider.
pub(super) fn keys_without_alarm(template: &Transformed) -> Vec<String> {
    let alarms: Vec<_> = template.resources("AWS::CloudWatch::Alarm").map(|(_, alarm)| &alarm["Properties"]).collect();
    let rings = |alarm: &Value| {
        alarm["Namespace"] == "Firstkey"
            && alarm["MetricName"] == "KeysNotRefreshed"
            && mentions(&alarm["Dimensions"], FUNCTION)
            && alarm["ComparisonOperator"] == "GreaterThanThreshold"
            && alarm["Threshold"] == 0
    };
    let watches_runs = |alarm: &Value| {
        let periods = alarm["EvaluationPeriods"].as_u64().unwrap_or(u64::MAX);
        list(&alarm["Metrics"]).map(|metric| &metric["MetricStat"]).any(|metric| {
            let period = metric["Period"].as_u64().unwrap_or(u64::MAX);
            metric["Metric"]["MetricName"] == "Invocations"
                && mentions(&metric["Metric"]["Dimensions"], FUNCTION)
                && periods.saturating_mul(period) <= LATE
        })
    };
    let wanted: [(&str, bool); 2] = [
        ("failures", alarms.iter().any(|alarm| rings(alarm))),
        ("runs", alarms.iter().any(|alarm| watches_runs(alarm))),
    ];
    wanted.into_iter().filter(|(_, watched)| !watched).map(|(what, _)| format!("{what} of {FUNCTION}")).collect()
}
