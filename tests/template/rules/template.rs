//! Queries on a transformed template.

use serde_json::Value;

/// A template after SAM's transformation, as CloudFormation gets it: functions, mappings, permissions and routes are resources.
pub(in super::super) struct Transformed<'a>(pub(super) &'a Value);

/// A statement of a policy.
pub(super) struct Statement<'a> {
    /// The resource that contains it, and its own name.
    pub(super) place: String,
    /// The resource that contains it.
    pub(super) owner: &'a str,
    pub(super) kind: &'a str,
    pub(super) value: &'a Value,
}

impl<'a> Transformed<'a> {
    /// Returns the resources of a type, with their logical ids.
    pub(super) fn resources(&self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let all = self.0["Resources"].as_object().into_iter().flatten();
        all.filter(move |(_, resource)| resource["Type"] == kind).map(|(id, resource)| (id.as_str(), resource))
    }

    pub(super) fn properties(&self, id: &str) -> &'a Value {
        &self.0["Resources"][id]["Properties"]
    }

    pub(super) fn functions(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.resources("AWS::Lambda::Function").map(|(id, function)| (id, &function["Properties"]))
    }

    /// Returns every statement that allows something, from every kind of policy.
    pub(super) fn allowed(&self) -> Vec<Statement<'a>> {
        self.statements("Allow")
    }

    /// Returns every statement that denies something, from every kind of policy.
    pub(super) fn denied(&self) -> Vec<Statement<'a>> {
        self.statements("Deny")
    }

    fn statements(&self, effect: &str) -> Vec<Statement<'a>> {
        let mut statements = Vec::new();
        for (owner, resource) in self.0["Resources"].as_object().into_iter().flatten() {
            let kind = resource["Type"].as_str().unwrap_or_default();
            let properties = &resource["Properties"];
            let inline = list(&properties["Policies"]).map(|policy| &policy["PolicyDocument"]["Statement"]);
            let own = [
                &properties["PolicyDocument"]["Statement"],
                &properties["KeyPolicy"]["Statement"],
                &properties["ResourcePolicy"]["PolicyDocument"]["Statement"],
                if kind == "AWS::Events::EventBusPolicy" { &properties["Statement"] } else { &Value::Null },
            ];
            for value in
                inline.chain(own).flat_map(one_or_more).flat_map(cases).filter(|value| value["Effect"] == effect)
            {
                let place = format!("{owner}/{}", value["Sid"].as_str().unwrap_or("?"));
                statements.push(Statement { place, owner, kind, value });
            }
        }
        statements
    }
}

impl Statement<'_> {
    /// Returns the actions, such as `service:Operation`.
    pub(super) fn actions(&self) -> Vec<&str> {
        one_or_more(&self.value["Action"]).filter_map(Value::as_str).collect()
    }

    /// Returns the values of a condition's key under an operator.
    pub(super) fn condition(&self, operator: &str, key: &str) -> Vec<&str> {
        one_or_more(&self.value["Condition"][operator][key]).filter_map(Value::as_str).collect()
    }

    /// Returns whether the statement applies only if the key is present.
    pub(super) fn requires_key(&self, key: &str) -> bool {
        self.condition("Null", key) == ["false"]
    }
}

pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Returns the values of a list, or a single value, which CloudFormation and IAM accept in place of a list of one.
pub(super) fn one_or_more(value: &Value) -> impl Iterator<Item = &Value> {
    let values: &[Value] = match value {
        Value::Null => &[],
        Value::Array(values) => values,
        one => std::slice::from_ref(one),
    };
    values.iter()
}

/// Returns the two values that an `Fn::If` chooses from, or the value itself.
pub(super) fn cases(value: &Value) -> impl Iterator<Item = &Value> {
    value["Fn::If"].as_array().map_or(std::slice::from_ref(value), |choice| &choice[1..]).iter()
}

/// Returns what an `Fn::If` chooses from, if its other case leaves the value out, or the value itself.
pub(super) fn included(value: &Value) -> &Value {
    match value["Fn::If"].as_array().map(Vec::as_slice) {
        Some([_, one, other]) if other["Ref"] == "AWS::NoValue" => included(one),
        _ => value,
    }
}

/// Returns the resource that a value names by `Ref` or `Fn::GetAtt`.
pub(super) fn named(value: &Value) -> Option<&str> {
    value["Ref"].as_str().or_else(|| value["Fn::GetAtt"][0].as_str())
}

/// Returns whether a value names a resource anywhere within it, also in a text by `${…}`.
pub(super) fn mentions(value: &Value, id: &str) -> bool {
    match value {
        Value::Object(fields) => named(value) == Some(id) || fields.values().any(|value| mentions(value, id)),
        Value::Array(values) => values.iter().any(|value| mentions(value, id)),
        Value::String(text) => [format!("${{{id}}}"), format!("${{{id}.")].iter().any(|name| text.contains(name)),
        _ => false,
    }
}
