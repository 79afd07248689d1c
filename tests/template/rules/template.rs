//! A transformed template, as the rules ask about it.

use serde_json::Value;

/// What CloudFormation gets: functions, mappings, permissions and the API's routes are resources here.
pub(in super::super) struct Transformed<'a>(pub(super) &'a Value);

/// One statement of a policy.
pub(super) struct Statement<'a> {
    /// The resource that it stands in, and its own name.
    pub(super) place: String,
    /// The resource that it stands in.
    pub(super) owner: &'a str,
    pub(super) kind: &'a str,
    pub(super) value: &'a Value,
}

impl<'a> Transformed<'a> {
    /// Resources of a type, whole, by their logical ids.
    pub(super) fn of(&self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let all = self.0["Resources"].as_object().into_iter().flatten();
        all.filter(move |(_, resource)| resource["Type"] == kind).map(|(id, resource)| (id.as_str(), resource))
    }

    pub(super) fn properties(&self, id: &str) -> &'a Value {
        &self.0["Resources"][id]["Properties"]
    }

    pub(super) fn functions(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.of("AWS::Lambda::Function").map(|(id, function)| (id, &function["Properties"]))
    }

    /// Every statement that allows something, wherever it stands.
    pub(super) fn allowed(&self) -> Vec<Statement<'a>> {
        let mut statements = Vec::new();
        for (owner, resource) in self.0["Resources"].as_object().into_iter().flatten() {
            let kind = resource["Type"].as_str().unwrap_or_default();
            let properties = &resource["Properties"];
            let inline = list(&properties["Policies"]).map(|policy| &policy["PolicyDocument"]["Statement"]);
            let own = [
                &properties["PolicyDocument"]["Statement"],
                &properties["KeyPolicy"]["Statement"],
                if kind == "AWS::Events::EventBusPolicy" { &properties["Statement"] } else { &Value::Null },
            ];
            for value in inline.chain(own).flat_map(one_or_more).filter(|value| value["Effect"] == "Allow") {
                let place = format!("{owner}/{}", value["Sid"].as_str().unwrap_or("?"));
                statements.push(Statement { place, owner, kind, value });
            }
        }
        statements
    }
}

impl Statement<'_> {
    /// What it allows, `service:Operation`.
    pub(super) fn actions(&self) -> Vec<&str> {
        one_or_more(&self.value["Action"]).filter_map(Value::as_str).collect()
    }

    /// The values of a condition's key under an operator.
    pub(super) fn condition(&self, operator: &str, key: &str) -> Vec<&str> {
        one_or_more(&self.value["Condition"][operator][key]).filter_map(Value::as_str).collect()
    }

    /// Whether the key has to be there for the statement to hold.
    pub(super) fn asks_for(&self, key: &str) -> bool {
        self.condition("Null", key) == ["false"]
    }
}

pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// CloudFormation and IAM take one value where a list of one is meant.
pub(super) fn one_or_more(value: &Value) -> impl Iterator<Item = &Value> {
    let values: &[Value] = match value {
        Value::Null => &[],
        Value::Array(values) => values,
        one => std::slice::from_ref(one),
    };
    values.iter()
}

/// The resource that a value names, by `Ref` or `Fn::GetAtt`.
pub(super) fn named(value: &Value) -> Option<&str> {
    value["Ref"].as_str().or_else(|| value["Fn::GetAtt"][0].as_str())
}

/// Whether a resource is named anywhere within a value, in a text with `${…}` as well.
pub(super) fn mentions(value: &Value, id: &str) -> bool {
    match value {
        Value::Object(fields) => named(value) == Some(id) || fields.values().any(|value| mentions(value, id)),
        Value::Array(values) => values.iter().any(|value| mentions(value, id)),
        Value::String(text) => [format!("${{{id}}}"), format!("${{{id}.")].iter().any(|name| text.contains(name)),
        _ => false,
    }
}
