//! Rules about the sign-in to the product: nothing of it exists unless the operator of the stack wants it, its function alone signs, only with
//! the one algorithm and only from its own code, and it uses no other key.

use serde_json::{Value, json};

use super::{
    access::{is_bound, places, roles, uses},
    desk::{allowed, asserts, implies},
    template::{Statement, Transformed, list, mentions, named, one_or_more},
};

/// The function that signs.
const FUNCTION: &str = "ProductSignIn";

/// Its role.
const ROLE: &str = "ProductSignInRole";

/// The two places for a signing key.
const KEYS: [&str; 2] = ["SigningKeyOne", "SigningKeyTwo"];

/// The actions that the role may do with them.
const SIGNS: [&str; 2] = ["kms:Sign", "kms:GetPublicKey"];

/// The conditions under which KMS signs: RS256, over a digest that the function has computed.
const BOUND: [(&str, &str); 2] = [("kms:SigningAlgorithm", "RSASSA_PKCS1_V1_5_SHA_256"), ("kms:MessageType", "DIGEST")];

/// Finds resources of the sign-in to the product that are created without a client.
pub(super) fn products_without_condition(template: &Transformed) -> Vec<String> {
    let resources = template.0["Resources"].as_object().into_iter().flatten();
    let product = resources.filter(|(id, _)| ["Product", "SigningKey"].iter().any(|start| id.starts_with(start)));
    let is_wanted = |resource: &Value| {
        resource["Condition"].as_str().is_some_and(|name| implies(template, name, "HasProduct", "ProductClientId"))
    };
    product.filter(|(_, resource)| !is_wanted(resource)).map(|(id, _)| id.clone()).collect()
}

/// Returns whether a statement is about a signing key: it belongs to the key's policy, or names the key as a resource.
fn is_about_signing(statement: &Statement) -> bool {
    KEYS.iter().any(|key| statement.owner == *key || mentions(&statement.value["Resource"], key))
}

/// Returns whether a statement names both keys, so that it holds while either signs.
fn is_about_both(statement: &Statement) -> bool {
    KEYS.iter().all(|key| mentions(&statement.value["Resource"], key))
}

/// Finds statements, in roles and in the keys' policies, that allow a use of a signing key to another role, or another use.
pub(super) fn signatures_of_others(template: &Transformed) -> Vec<String> {
    let others = |statement: &Statement| {
        uses(statement)
            .any(|action| !SIGNS.contains(&action) || roles(template, statement).iter().any(|one| *one != ROLE))
    };
    places(template, |statement| is_about_signing(statement) && others(statement))
}

/// Finds statements that allow a signature by another algorithm, or over what KMS itself would have to digest.
pub(super) fn unbound_signatures(template: &Transformed) -> Vec<String> {
    let unbound =
        |statement: &Statement| BOUND.iter().any(|(key, value)| statement.condition("StringEquals", key) != [*value]);
    places(template, |statement| statement.actions().contains(&"kms:Sign") && unbound(statement))
}

/// Finds the role if it may sign from any code: given to another function, it would sign in to the product as anyone.
pub(super) fn signatures_by_any_code(template: &Transformed) -> Vec<String> {
    let bound = is_bound(template, "kms:Sign", ROLE, is_about_both);
    if bound { Vec::new() } else { vec![format!("kms:Sign by {ROLE}")] }
}

/// Finds statements by which the function could use another key, or a signing key for something else.
pub(super) fn products_that_unseal(template: &Transformed) -> Vec<String> {
    let beyond = |statement: &Statement| {
        let mut keys = statement.actions().into_iter().filter(|action| action.starts_with("kms:")).peekable();
        let is_about_keys = keys.peek().is_some();
        let signing_alone = one_or_more(&statement.value["Resource"])
            .all(|resource| KEYS.iter().any(|key| mentions(resource, key)) && !mentions(resource, "SealingKey"));
        is_about_keys && (!signing_alone || !keys.all(|action| SIGNS.contains(&action)))
    };
    let all = allowed(template, &[FUNCTION]).into_iter().map(|(_, statement)| statement);
    all.filter(beyond).map(|statement| statement.place).collect()
}

/// Finds values of parameters with which no client could be authenticated, or a provider that was meant would not be there.
pub(super) fn products_of_everyone(template: &Transformed) -> Vec<String> {
    let required = ["ProductClientId", "ProductClientSecretDigests", "ProductRedirectUris"];
    let missing = required.into_iter().filter(|name| !asserts(template, &json!({ "Ref": name }), &json!("")));
    missing.map(|name| format!("{name} may be empty")).collect()
}

/// Finds functions that use a key and whose log is not searched for the uses that KMS denied.
pub(super) fn unheard_key_denials(template: &Transformed) -> Vec<String> {
    let heard = |function: &str, action: &str| {
        let log = named(&template.properties(function)["LoggingConfig"]["LogGroup"]);
        let denied = format!("\"{}: AccessDenied\"", action.trim_start_matches("kms:"));
        template.resources("AWS::Logs::MetricFilter").any(|(_, filter)| {
            let filter = &filter["Properties"];
            let pattern = filter["FilterPattern"].as_str().unwrap_or_default();
            named(&filter["LogGroupName"]) == log
                && list(&filter["MetricTransformations"]).any(|metric| metric["MetricName"] == "KeyDenied")
                && [denied.as_str(), "DisabledException", "KMSInvalidStateException"]
                    .iter()
                    .all(|one| pattern.contains(one))
        })
    };
    let functions: Vec<&str> = template.functions().map(|(id, _)| id).collect();
    let mut silent = Vec::new();
    for (function, statement) in allowed(template, &functions) {
        let unheard = uses(&statement).filter(|action| !heard(function, action));
        silent.extend(unheard.map(|action| format!("{action} by {function}")));
    }
    silent
}

/// Finds the function if a code that comes twice, as a stolen one does, begins no alarm.
pub(super) fn codes_without_alarm(template: &Transformed) -> Vec<String> {
    let watched = template.resources("AWS::CloudWatch::Alarm").any(|(_, alarm)| {
        let alarm = &alarm["Properties"];
        alarm["Namespace"] == "Firstkey"
            && alarm["MetricName"] == "ProductCodeReused"
            && mentions(&alarm["Dimensions"], FUNCTION)
            && alarm["Threshold"] == 0
    });
    if watched { Vec::new() } else { vec![format!("ProductCodeReused of {FUNCTION}")] }
}
