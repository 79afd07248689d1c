//! Rules about the support desk: nothing of it exists unless the operator of the stack wants it, it shares no host, function or setting with
//! customers, and it cannot open a password.

use serde_json::{Value, json};

use super::template::{Statement, Transformed, list, mentions, named};

/// The functions of the desk.
const FUNCTIONS: [&str; 3] = ["SupportDesk", "ReissueCredentials", "ChangeAccess"];

/// The functions that count an operator's acts, because they change something.
const ACTING: [&str; 2] = ["ReissueCredentials", "ChangeAccess"];

/// The API of the desk, and the one of customers.
const APIS: [&str; 2] = ["DeskApi", "Api"];

/// The condition under which there is a desk.
const CONDITION: &str = "HasDesk";

/// The settings without which a function of the desk could not tell an operator from a customer.
const IDENTITY: [&str; 6] =
    ["DESK_ORIGIN", "DESK_OIDC_ISSUER", "DESK_OIDC_CLIENT_ID", "DESK_OIDC_ROLE", "OIDC_ISSUER", "OIDC_CLIENT_ID"];

/// The setting of the desk that a function outside it has, with that function: `refresh-keys` asks the operators' provider, too.
const SHARED: (&str, &str) = ("RefreshKeys", "DESK_OIDC_ISSUER");

/// The actions that `support-desk` may take: it reads, and Lambda writes its log and traces.
const READS: [&str; 8] = [
    "dynamodb:BatchGetItem",
    "dynamodb:GetItem",
    "dynamodb:Query",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "secretsmanager:GetSecretValue",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
];

/// The number of acts that one operator can do at once. An alarm above it would not ring for the first burst of a stolen session.
const BURST: u64 = 15;

/// Returns whether a resource is one of the desk, by its name.
fn is_of_desk(id: &str) -> bool {
    id.starts_with("Desk") || FUNCTIONS.iter().any(|function| id.starts_with(function))
}

/// Finds resources of the desk that are created without one, and conditions of the desk that hold without one.
pub(super) fn desks_without_condition(template: &Transformed) -> Vec<String> {
    let resources = template.0["Resources"].as_object().into_iter().flatten();
    let desk: Vec<&str> = resources.clone().map(|(id, _)| id.as_str()).filter(|id| is_of_desk(id)).collect();
    let belongs = |id: &str, resource: &Value| is_of_desk(id) || desk.iter().any(|one| needs(resource, one));
    let unconditional = resources.filter(|(id, resource)| {
        belongs(id, resource)
            && !resource["Condition"].as_str().is_some_and(|name| implies(template, name, CONDITION, "DeskOidcIssuer"))
    });
    unconditional.map(|(id, _)| id.clone()).collect()
}

/// Returns whether a value names a resource where it is not left out without a desk.
fn needs(value: &Value, id: &str) -> bool {
    match value {
        Value::Object(_) if value["Fn::If"][0] == CONDITION => needs(&value["Fn::If"][2], id),
        Value::Object(fields) => named(value) == Some(id) || fields.values().any(|value| needs(value, id)),
        Value::Array(values) => values.iter().any(|value| needs(value, id)),
        text => mentions(text, id),
    }
}

/// Returns whether the condition `name` holds only if the condition `root` does, which is that `parameter` is not empty.
pub(super) fn implies(template: &Transformed, name: &str, root: &str, parameter: &str) -> bool {
    let condition = &template.0["Conditions"][name];
    let wanted = json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, ""] }] });
    let mut parts = list(&condition["Fn::And"]).filter_map(|part| part["Condition"].as_str());
    (name == root && *condition == wanted) || parts.any(|part| implies(template, part, root, parameter))
}

/// Finds routes of the desk's functions at the customers' API, and of other functions at the desk's.
pub(super) fn desk_routes_elsewhere(template: &Transformed) -> Vec<String> {
    let mut broken = Vec::new();
    for (function, _) in template.functions() {
        let [own, other] = if FUNCTIONS.contains(&function) { APIS } else { [APIS[1], APIS[0]] };
        let routed = |api: &str| mentions(&template.properties(api)["Body"], function);
        if routed(other) || (FUNCTIONS.contains(&function) && !routed(own)) {
            broken.push(format!("{function} has a route at {other}, or none at {own}"));
        }
    }
    let paths = template.properties(APIS[1])["Body"]["paths"].as_object().into_iter().flatten();
    broken.extend(paths.map(|(path, _)| path.clone()).filter(|path| path.starts_with("/desk")));
    broken
}

/// Finds host names that the desk's API shares with the customers', and values of parameters that would make it so.
pub(super) fn desks_beside_customers(template: &Transformed) -> Vec<String> {
    let mappings = template.resources("AWS::ApiGatewayV2::ApiMapping").map(|(_, mapping)| &mapping["Properties"]);
    let mappings: Vec<&Value> = mappings.collect();
    let hosts = |api: &str| -> Vec<_> {
        let own = mappings.iter().filter(|mapping| named(&mapping["ApiId"]) == Some(api));
        own.filter_map(|mapping| named(&mapping["DomainName"])).collect()
    };
    let [desk, customers] = APIS.map(hosts);
    let shared = desk.iter().filter(|host| customers.contains(host)).map(|host| (*host).to_owned());
    let allowed = [("DeskDomainName", "DomainName"), ("DeskOrigin", "PublicOrigin")]
        .into_iter()
        .filter(|(one, other)| !asserts(template, &json!({ "Ref": one }), &json!({ "Ref": other })));
    shared.chain(allowed.map(|(one, other)| format!("{one} may be {other}"))).collect()
}

/// Finds values of parameters with which everyone at the provider would be an operator, or a customer's token an operator's.
pub(super) fn desks_of_everyone(template: &Transformed) -> Vec<String> {
    let empty = json!("");
    let missing = ["DeskOidcRole", "DeskOidcClientId"]
        .into_iter()
        .filter(|name| !asserts(template, &json!({ "Ref": name }), &empty))
        .map(|name| format!("{name} may be empty"));
    let [one, other] = ["DeskOidcClientId", "OidcClientId"].map(|name| json!({ "Ref": name }));
    let shared = (!asserts(template, &one, &other)).then(|| "the client may be the portal's".to_owned());
    missing.chain(shared).collect()
}

/// Returns whether a rule of the template refuses that two values are equal.
pub(super) fn asserts(template: &Transformed, one: &Value, other: &Value) -> bool {
    let rules = template.0["Rules"].as_object().into_iter().flatten();
    let wanted = json!({ "Fn::Not": [{ "Fn::Equals": [one, other] }] });
    rules.flat_map(|(_, rule)| list(&rule["Assertions"])).any(|assertion| assertion["Assert"] == wanted)
}

/// Returns what the roles of some functions allow, each statement with its function.
pub(super) fn allowed<'a>(template: &Transformed<'a>, functions: &'a [&'a str]) -> Vec<(&'a str, Statement<'a>)> {
    let role = |statement: &Statement<'a>| match statement.kind {
        "AWS::IAM::RolePolicy" => named(&template.properties(statement.owner)["RoleName"]),
        _ => Some(statement.owner),
    };
    let all = template.allowed().into_iter().filter_map(|statement| {
        let function = role(&statement)?.strip_suffix("Role")?;
        Some((*functions.iter().find(|one| **one == function)?, statement))
    });
    all.collect()
}

/// Finds roles of the desk that may use a key, apart from sealing the password of a new issue.
pub(super) fn desks_that_unseal(template: &Transformed) -> Vec<String> {
    let uses = |function: &str, action: &str| {
        action.starts_with("kms:") && !(function == "ReissueCredentials" && action == "kms:Encrypt")
    };
    let all = allowed(template, &FUNCTIONS).into_iter();
    let wrong = all.filter(|(function, statement)| statement.actions().into_iter().any(|one| uses(function, one)));
    wrong.map(|(_, statement)| statement.place).collect()
}

/// Finds statements by which the function that shows pages could change something.
pub(super) fn desks_that_write(template: &Transformed) -> Vec<String> {
    let all = allowed(template, &["SupportDesk"]).into_iter();
    let wrong = all.filter(|(_, statement)| !statement.actions().iter().all(|action| READS.contains(action)));
    wrong.map(|(_, statement)| statement.place).collect()
}

/// Finds functions of customers that know a setting of the desk, and functions of the desk that lack one.
pub(super) fn desk_settings_elsewhere(template: &Transformed) -> Vec<String> {
    let mut broken = Vec::new();
    for (id, function) in template.functions() {
        let variables = function["Environment"]["Variables"].as_object().into_iter().flatten();
        let names: Vec<&String> = variables.clone().map(|(name, _)| name).collect();
        if FUNCTIONS.contains(&id) {
            let missing = IDENTITY.iter().filter(|name| !names.iter().any(|given| given == *name));
            broken.extend(missing.map(|name| format!("{id} lacks {name}")));
        } else {
            let knows = |(name, value): &(&String, &Value)| {
                (id, name.as_str()) != SHARED && (name.starts_with("DESK_") || names_desk(value))
            };
            broken.extend(variables.filter(knows).map(|(name, _)| format!("{id} has {name}")));
        }
    }
    broken
}

/// Returns whether a value names a parameter or a resource of the desk.
fn names_desk(value: &Value) -> bool {
    let text = value.to_string();
    ["\"Desk", "${Desk", "\"HasDesk"].iter().any(|name| text.contains(name))
}

/// Finds what an operator's stolen session could do without an alarm: reissue as often as a budget allows at once, and exceed it.
pub(super) fn acts_without_alarm(template: &Transformed) -> Vec<String> {
    let watched = |metric: &str, function: &str, at_most: u64| {
        template.resources("AWS::CloudWatch::Alarm").any(|(_, alarm)| {
            let alarm = &alarm["Properties"];
            let several = list(&alarm["Metrics"]).map(|one| &one["MetricStat"]["Metric"]);
            let counts = several.chain([alarm]).any(|one| {
                one["Namespace"] == "Firstkey" && one["MetricName"] == metric && mentions(&one["Dimensions"], function)
            });
            counts
                && alarm["ComparisonOperator"] == "GreaterThanThreshold"
                && alarm["Threshold"].as_u64().is_some_and(|threshold| threshold < at_most)
        })
    };
    let limits = ACTING.map(|function| ("OperatorLimited", function, 1));
    let wanted = [("Reissued", "ReissueCredentials", BURST)].into_iter().chain(limits);
    let missing = wanted.filter(|(metric, function, at_most)| !watched(metric, function, *at_most));
    missing.map(|(metric, function, _)| format!("{metric} of {function}")).collect()
}

/// Finds functions that redeem codes at a provider, without an alarm that begins when the provider refuses the deployment.
pub(super) fn sign_ins_without_alarm(template: &Transformed) -> Vec<String> {
    let redeems = |function: &Value| {
        let mut variables = function["Environment"]["Variables"].as_object().into_iter().flatten();
        variables.any(|(name, _)| name.ends_with("OIDC_CLIENT_SECRET_NAME"))
    };
    let watched = |function: &str| {
        template.resources("AWS::CloudWatch::Alarm").any(|(_, alarm)| {
            let alarm = &alarm["Properties"];
            alarm["MetricName"] == "SignInMisconfigured" && mentions(&alarm["Dimensions"], function)
        })
    };
    let silent = template.functions().filter(|(id, function)| redeems(function) && !watched(id));
    silent.map(|(id, _)| id.to_owned()).collect()
}

/// Finds APIs without a limit on requests.
pub(super) fn unthrottled_apis(template: &Transformed) -> Vec<String> {
    let limited = |stage: &Value| {
        let limits = &stage["Properties"]["DefaultRouteSettings"];
        ["ThrottlingRateLimit", "ThrottlingBurstLimit"].iter().all(|name| !limits[name].is_null())
    };
    let stages = template.resources("AWS::ApiGatewayV2::Stage").filter(|(_, stage)| !limited(stage));
    stages.map(|(id, _)| id.to_owned()).collect()
}
