//! Rules about access: routes, roles, and the policies of keys, queues, topics and buses.

use serde_json::Value;

use super::template::{Statement, Transformed, cases, included, list, mentions, named, one_or_more};

/// The routes without an authorizer in API Gateway. Their functions authenticate the caller, as `infra/openapi.yaml` says.
const OPEN: [&str; 26] = [
    "GET /subscriptions",
    "GET /subscriptions/{subscription_id}/history",
    "POST /subscriptions/{subscription_id}/credentials",
    "POST /subscriptions/{subscription_id}/support-requests",
    "POST /subscriptions/{subscription_id}/mails",
    "POST /subscriptions/{subscription_id}/renewals",
    "POST /sign-in",
    "POST /sign-out",
    "POST /reset-password",
    "POST /administrators",
    "POST /administrators/{account_id}/password-resets",
    "POST /administrators/{account_id}/removal",
    "GET /.well-known/openid-configuration",
    "GET /oidc/jwks",
    "GET /oidc/authorize",
    "GET /oidc/continue",
    "POST /oidc/continue",
    "POST /oidc/token",
    "GET /oidc/userinfo",
    "POST /oidc/userinfo",
    "POST /desk/api/subscriptions/{subscription_id}/reissues",
    "POST /desk/api/subscriptions/{subscription_id}/approvals/{approval}",
    "POST /desk/api/subscriptions/{subscription_id}/portal-users",
    "POST /desk/api/subscriptions/{subscription_id}/portal-users/{principal}/removal",
    "POST /desk/api/accounts/{user_name}/unlock",
    "ANY $default",
];

/// The actions that do not support a resource: <https://docs.aws.amazon.com/service-authorization/latest/reference/>.
const WITHOUT_RESOURCE: [&str; 3] = ["dynamodb:ListStreams", "xray:PutTelemetryRecords", "xray:PutTraceSegments"];

/// The uses of the sealing key, and the roles that are allowed each.
const SEALS: [(&str, &[&str]); 2] = [
    ("kms:Encrypt", &["SubscriptionStartRole", "RenewCredentialsRole", "ReissueCredentialsRole"]),
    ("kms:Decrypt", &["GetCredentialsRole", "SendMailRole"]),
];

const CONTEXT: [&str; 2] = ["subscription", "issue"];

/// The actions that use a key. The others manage it.
const USES: [&str; 9] = [
    "Encrypt",
    "Decrypt",
    "ReEncrypt",
    "GenerateDataKey",
    "CreateGrant",
    "GenerateMac",
    "Sign",
    "Verify",
    "GetPublicKey",
];

pub(super) fn open_routes(template: &Transformed) -> Vec<String> {
    let apis = template.resources("AWS::ApiGatewayV2::Api").map(|(_, api)| &api["Properties"]["Body"]["paths"]);
    let paths = apis.flat_map(|paths| paths.as_object().into_iter().flatten());
    let routes = paths.flat_map(|(path, methods)| {
        let methods = included(methods).as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (route(method, path), included(operation)))
    });
    let open = |operation: &Value| operation["security"].as_array().is_none_or(Vec::is_empty);
    let unlisted = routes.filter(|(route, operation)| open(operation) && !OPEN.contains(&route.as_str()));
    unlisted.map(|(route, _)| format!("{route} has no authorizer")).collect()
}

fn route(method: &str, path: &str) -> String {
    let method = if method == "x-amazon-apigateway-any-method" { "any" } else { method };
    format!("{} {path}", method.to_uppercase())
}

pub(super) fn wildcard_actions(template: &Transformed) -> Vec<String> {
    let wild = |statement: &Statement| {
        !statement.value["NotAction"].is_null() || statement.actions().iter().any(|action| action.contains('*'))
    };
    places(template, wild)
}

/// Finds statements for every resource. In the policy of a key `*` means that key, so it is allowed.
pub(super) fn wildcard_resources(template: &Transformed) -> Vec<String> {
    let wild = |statement: &Statement| {
        let everything = one_or_more(&statement.value["Resource"]).flat_map(cases).any(|resource| resource == "*");
        let nameless = statement.actions().iter().all(|action| WITHOUT_RESOURCE.contains(action));
        let excepted = !statement.value["NotResource"].is_null();
        excepted || (everything && !nameless && statement.kind != "AWS::KMS::Key")
    };
    places(template, wild)
}

/// Finds `ForAllValues` conditions that do not require their key, because such a condition is true if the key is absent: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>.
pub(super) fn unguarded_sets(template: &Transformed) -> Vec<String> {
    let unguarded = |statement: &Statement| {
        let conditions = statement.value["Condition"].as_object().into_iter().flatten();
        let sets = conditions.filter(|(operator, _)| operator.starts_with("ForAllValues:"));
        sets.flat_map(|(_, keys)| keys.as_object().into_iter().flatten()).any(|(key, _)| {
            !(statement.requires_key(key) || key == "kms:EncryptionContextKeys" && requires_context(statement))
        })
    };
    places(template, unguarded)
}

/// Finds statements on the table that are not limited to kinds of items, such as `SUBSCRIPTION#*`, or to single keys.
pub(super) fn whole_tables(template: &Transformed) -> Vec<String> {
    let whole = |statement: &Statement| {
        let kinds = statement.condition("ForAllValues:StringLike", "dynamodb:LeadingKeys");
        let is_limited = |kind: &&str| kind.ends_with("#*") || !kind.contains(['*', '?']);
        kinds.is_empty() || !kinds.iter().all(is_limited)
    };
    places(template, |statement| is_about_items(statement) && whole(statement))
}

fn is_about_items(statement: &Statement) -> bool {
    let table = |resource: &Value| resource["Fn::GetAtt"] == serde_json::json!(["Table", "Arn"]);
    one_or_more(&statement.value["Resource"]).flat_map(cases).any(table)
}

fn requires_context(statement: &Statement) -> bool {
    CONTEXT.iter().all(|key| statement.requires_key(&format!("kms:EncryptionContext:{key}")))
}

/// Returns whether a statement is about the sealing key: it belongs to the key's policy, or names the key as a resource.
fn is_about_sealing(statement: &Statement) -> bool {
    statement.owner == "SealingKey" || mentions(&statement.value["Resource"], "SealingKey")
}

/// Finds environments into which CloudFormation writes a secret, which everyone who may see the function's configuration could read.
pub(super) fn secrets_in_environments(template: &Transformed) -> Vec<String> {
    let resolves = |function: &Value| function["Environment"].to_string().contains("{{resolve:");
    template.functions().filter(|(_, function)| resolves(function)).map(|(id, _)| id.to_owned()).collect()
}

pub(super) fn unbound_seals(template: &Transformed) -> Vec<String> {
    let unbound = |statement: &Statement| {
        let used = statement.actions().iter().any(|action| SEALS.iter().any(|(seal, _)| seal == action));
        let keys = statement.condition("ForAllValues:StringEquals", "kms:EncryptionContextKeys");
        used && is_about_sealing(statement) && !(requires_context(statement) && keys == CONTEXT)
    };
    places(template, unbound)
}

/// Finds statements, in roles and in the key's policy, that allow a use of the sealing key to a role that must not have it.
pub(super) fn seals_of_others(template: &Transformed) -> Vec<String> {
    let others = |statement: &Statement| {
        let roles = roles(template, statement);
        uses(statement).any(|action| {
            let owners = SEALS.iter().find(|(seal, _)| *seal == action).map_or(&[] as &[&str], |(_, roles)| *roles);
            roles.iter().any(|role| !owners.contains(role))
        })
    };
    places(template, |statement| is_about_sealing(statement) && others(statement))
}

/// Returns the roles that a statement is for.
pub(super) fn roles<'a>(template: &Transformed<'a>, statement: &Statement<'a>) -> Vec<&'a str> {
    match statement.kind {
        "AWS::KMS::Key" => {
            one_or_more(&statement.value["Principal"]["AWS"]).map(included).map(role_or_stranger).collect()
        }
        "AWS::IAM::RolePolicy" => vec![role_or_stranger(&template.properties(statement.owner)["RoleName"])],
        _ => vec![statement.owner],
    }
}

fn role_or_stranger(value: &Value) -> &str {
    named(value).unwrap_or("a stranger")
}

/// Returns the actions of a statement that use a key.
pub(super) fn uses<'a>(statement: &'a Statement) -> impl Iterator<Item = &'a str> {
    let is_use = |action: &&str| USES.iter().any(|using| action.starts_with(&format!("kms:{using}")));
    statement.actions().into_iter().filter(is_use)
}

/// Finds statements that allow a use of the table's key other than through DynamoDB in this account.
pub(super) fn table_key_elsewhere(template: &Transformed) -> Vec<String> {
    let through_dynamodb = |statement: &Statement| {
        let equal = &statement.value["Condition"]["StringEquals"];
        let service = equal["kms:ViaService"]["Fn::Sub"].as_str().unwrap_or_default();
        service.starts_with("dynamodb.") && named(&equal["kms:CallerAccount"]) == Some("AWS::AccountId")
    };
    let is_about_table =
        |statement: &Statement| statement.owner == "TableKey" || mentions(&statement.value["Resource"], "TableKey");
    places(template, |statement| {
        is_about_table(statement) && uses(statement).next().is_some() && !through_dynamodb(statement)
    })
}

/// Finds policies of queues, topics and buses that let every principal in: with the principal `*`, or with a service and no condition on
/// its source, because a service also acts for other accounts.
pub(super) fn open_policies(template: &Transformed) -> Vec<String> {
    const RESOURCES: [&str; 3] = ["AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::Events::EventBusPolicy"];
    let open = |statement: &Statement| {
        let principal = &statement.value["Principal"];
        let everyone = principal == "*" || one_or_more(&principal["AWS"]).any(|who| who == "*");
        let has_source = ["ArnEquals", "ArnLike", "StringEquals"].iter().any(|operator| {
            let keys = &statement.value["Condition"][operator];
            ["aws:SourceArn", "aws:SourceAccount"].iter().any(|key| !keys[key].is_null())
        });
        everyone || (!principal["Service"].is_null() && !has_source)
    };
    places(template, |statement| RESOURCES.contains(&statement.kind) && open(statement))
}

pub(super) fn shared_roles(template: &Transformed) -> Vec<String> {
    let shared = |(id, function): (&str, &Value)| {
        let role = named(&function["Role"]).unwrap_or("?").to_owned();
        (role != format!("{id}Role")).then(|| format!("{id} has the role {role}"))
    };
    let managed =
        template.resources("AWS::IAM::Role").filter(|(_, role)| !role["Properties"]["ManagedPolicyArns"].is_null());
    template
        .functions()
        .filter_map(shared)
        .chain(managed.map(|(id, _)| format!("{id} has policies that AWS writes")))
        .collect()
}

/// Finds keys whose administrators cannot rotate the key at once, or see that it was rotated. KMS rotates no key that signs.
pub(super) fn unrotatable_keys(template: &Transformed) -> Vec<String> {
    let allows = |key: &Value, action: &str| {
        list(&key["Properties"]["KeyPolicy"]["Statement"]).any(|statement| {
            statement["Sid"] == "Administration" && one_or_more(&statement["Action"]).any(|one| one == action)
        })
    };
    let keys = template.resources("AWS::KMS::Key").filter(|(_, key)| key["Properties"]["KeyUsage"] != "SIGN_VERIFY");
    let missing = keys.flat_map(|(id, key)| {
        ["kms:RotateKeyOnDemand", "kms:ListKeyRotations"]
            .into_iter()
            .filter(move |action| !allows(key, action))
            .map(move |action| format!("{id}: {action}"))
    });
    missing.collect()
}

/// Finds roles that an account which requires a path or a permissions boundary would refuse.
pub(super) fn roles_without_boundary(template: &Transformed) -> Vec<String> {
    let roles = template.resources("AWS::IAM::Role").filter(|(_, role)| {
        let role = &role["Properties"];
        named(&role["Path"]) != Some("RolePath") || !mentions(&role["PermissionsBoundary"], "PermissionsBoundaryArn")
    });
    roles.map(|(id, _)| id.to_owned()).collect()
}

/// Finds roles that may use the sealing key from any code: given to another function, they would open passwords.
pub(super) fn seals_by_any_code(template: &Transformed) -> Vec<String> {
    let pairs = SEALS.into_iter().flat_map(|(action, roles)| roles.iter().map(move |role| (action, *role)));
    let unbound = pairs.filter(|(action, role)| !is_bound(template, action, role, is_about_sealing));
    unbound.map(|(action, role)| format!("{action} by {role}")).collect()
}

/// Returns whether a role is denied an action from any code but that of its function, under no other condition.
pub(super) fn is_bound(template: &Transformed, action: &str, role: &str, is_about: fn(&Statement) -> bool) -> bool {
    let function = role.strip_suffix("Role").unwrap_or_default();
    let name = &template.properties(function)["FunctionName"]["Fn::Sub"][0];
    let has_one_field = |value: &Value| value.as_object().is_some_and(|fields| fields.len() == 1);
    template.denied().iter().any(|statement| {
        let condition = &statement.value["Condition"];
        let source = &condition["ArnNotEquals"]["lambda:SourceFunctionArn"]["Fn::Sub"][0];
        let ends = |name: &str| source.as_str().is_some_and(|source| source.ends_with(&format!(":function:{name}")));
        roles(template, statement) == [role]
            && statement.actions() == [action]
            && is_about(statement)
            && has_one_field(condition)
            && has_one_field(&condition["ArnNotEquals"])
            && name.as_str().is_some_and(ends)
    })
}

/// The actions that read or write items, which the table's policy denies to strangers.
const ITEM_ACTIONS: [&str; 13] = [
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PartiQLDelete",
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLSelect",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
];

/// Finds tables whose policy does not deny every action on items to all but the roles of this template and the break-glass role.
pub(super) fn open_tables(template: &Transformed) -> Vec<String> {
    const ARN: &str = "arn:${AWS::Partition}:iam::${AWS::AccountId}:role${RolePath}";
    let roles = template.resources("AWS::IAM::Role");
    let roles = roles.filter_map(|(_, role)| role["Properties"]["RoleName"]["Fn::Sub"][0].as_str());
    let mut wanted: Vec<String> = roles.map(|name| format!("{ARN}{name}")).collect();
    wanted.sort();
    let denied = template.denied();
    let open = template.resources("AWS::DynamoDB::Table").filter(|(id, _)| {
        !denied.iter().any(|statement| {
            let excepted = &statement.value["Condition"]["ArnNotEquals"]["aws:PrincipalArn"];
            let (named, others): (Vec<_>, Vec<_>) =
                list(excepted).map(included).partition(|arn| arn["Fn::Sub"].is_array());
            let mut named: Vec<_> = named.iter().filter_map(|arn| arn["Fn::Sub"][0].as_str()).collect();
            named.sort_unstable();
            statement.owner == *id
                && statement.value["Principal"] == "*"
                && statement.actions() == ITEM_ACTIONS
                && named == wanted
                && others.iter().all(|arn| mentions(arn, "BreakGlassRoleArn"))
        })
    });
    open.map(|(id, _)| id.to_owned()).collect()
}

/// Finds buses that are closed neither to all but billing, if the operator wants it, nor to all but one role; and rules for events of any source
/// or account.
pub(super) fn open_buses(template: &Transformed) -> Vec<String> {
    let denied = template.denied();
    let roles: Vec<_> = template.resources("AWS::IAM::Role").map(|(id, _)| id).collect();
    let closed = |bus: &str| {
        denied.iter().any(|statement| {
            let excepted = &statement.value["Condition"]["ArnNotEquals"]["aws:PrincipalArn"];
            named(&template.properties(statement.owner)["EventBusName"]) == Some(bus)
                && statement.value["Principal"] == "*"
                && statement.actions() == ["events:PutEvents"]
                && named(excepted).is_some_and(|who| who == "BillingPrincipals" || roles.contains(&who))
        })
    };
    let buses = template.resources("AWS::Events::EventBus").map(|(id, _)| id).filter(|id| !closed(id));
    let event_rules = template.resources("AWS::Events::Rule").filter(|(_, rule)| {
        let pattern = &rule["Properties"]["EventPattern"];
        let limited = mentions(&pattern["source"], "EventSource") && mentions(&pattern["account"], "AWS::AccountId");
        !rule["Properties"]["EventBusName"].is_null() && !limited
    });
    buses.chain(event_rules.map(|(id, _)| id)).map(str::to_owned).collect()
}

/// Returns the places of the statements that allow something and that `broken` finds.
pub(super) fn places(template: &Transformed, broken: impl Fn(&Statement) -> bool) -> Vec<String> {
    template.allowed().into_iter().filter(broken).map(|statement| statement.place).collect()
}
