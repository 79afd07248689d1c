//! Evaluates intrinsic functions. An unsupported function is an error, never a guess.

use serde_json::{Map, Value};

use super::Error;

pub(super) struct Resolver<'a> {
    pub(super) template: &'a Value,
    pub(super) names: &'a dyn Fn(&str) -> Option<String>,
}

impl Resolver<'_> {
    pub(super) fn resolve(&self, value: &Value) -> Result<Value, Error> {
        self.value(value)?.ok_or_else(|| Error::new("AWS::NoValue is not allowed where a value is required"))
    }

    /// Returns `None` for `AWS::NoValue`, which removes the field or element.
    fn value(&self, value: &Value) -> Result<Option<Value>, Error> {
        match value {
            Value::Array(values) => Ok(Some(Value::Array(self.list(values)?))),
            Value::Object(fields) => match intrinsic(fields) {
                Some((function, argument)) => self.call(function, argument),
                None => self.object(fields).map(Some),
            },
            plain => Ok(Some(plain.clone())),
        }
    }

    fn list(&self, values: &[Value]) -> Result<Vec<Value>, Error> {
        values.iter().filter_map(|value| self.value(value).transpose()).collect()
    }

    fn object(&self, fields: &Map<String, Value>) -> Result<Value, Error> {
        let mut resolved = Map::new();
        for (name, value) in fields {
            if let Some(value) = self.value(value)? {
                resolved.insert(name.clone(), value);
            }
        }
        Ok(Value::Object(resolved))
    }

    fn call(&self, function: &str, argument: &Value) -> Result<Option<Value>, Error> {
        match (function, argument) {
            ("Ref", Value::String(name)) if name == "AWS::NoValue" => Ok(None),
            ("Ref", Value::String(name)) => self.named(name).map(Some),
            ("Fn::GetAtt", Value::Array(path)) => self.named(&texts(path)?.join(".")).map(Some),
            ("Fn::Sub", Value::String(text)) => self.substitute(text, &Map::new()).map(Some),
            ("Fn::Sub", Value::Array(arguments)) => match arguments.as_slice() {
                [Value::String(text), Value::Object(own)] => self.substitute(text, own).map(Some),
                _ => Err(wrong(function, argument)),
            },
            ("Fn::Join", Value::Array(arguments)) => match arguments.as_slice() {
                [Value::String(between), parts] => match self.resolve(parts)? {
                    Value::Array(parts) => Ok(Some(texts(&parts)?.join(between).into())),
                    _ => Err(wrong(function, argument)),
                },
                _ => Err(wrong(function, argument)),
            },
            ("Fn::Split", Value::Array(arguments)) => match arguments.as_slice() {
                [Value::String(between), text] => {
                    let text = to_text(&self.resolve(text)?)?;
                    Ok(Some(text.split(between.as_str()).collect()))
                }
                _ => Err(wrong(function, argument)),
            },
            ("Fn::If", Value::Array(arguments)) => match arguments.as_slice() {
                [Value::String(condition), one, other] => {
                    self.value(if self.condition(condition)? { one } else { other })
                }
                _ => Err(wrong(function, argument)),
            },
            _ => Err(wrong(function, argument)),
        }
    }

    fn named(&self, name: &str) -> Result<Value, Error> {
        let parameter = &self.template["Parameters"][name];
        let value = (self.names)(name).map_or_else(|| parameter["Default"].clone(), Value::from);
        match (&value, parameter["Type"].as_str()) {
            (Value::Null, _) => Err(Error::new(format!("{name} is unknown"))),
            (Value::String(list), Some("CommaDelimitedList")) => Ok(list.split(',').collect()),
            _ => Ok(value),
        }
    }

    /// Replaces `${Name}` and `${Name.Attribute}` with their values, and `${!Name}` with the literal `${Name}`.
    fn substitute(&self, text: &str, own: &Map<String, Value>) -> Result<Value, Error> {
        let mut parts = text.split("${");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let unclosed = || Error::new(format!("Fn::Sub: a brace is not closed in {text}"));
            let (name, rest) = part.split_once('}').ok_or_else(unclosed)?;
            match (name.strip_prefix('!'), own.get(name)) {
                (Some(literal), _) => whole.extend(["${", literal, "}"]),
                (None, Some(value)) => whole.push_str(&to_text(&self.resolve(value)?)?),
                (None, None) => whole.push_str(&to_text(&self.named(name)?)?),
            }
            whole.push_str(rest);
        }
        Ok(whole.into())
    }

    fn condition(&self, name: &str) -> Result<bool, Error> {
        let condition = self.template["Conditions"].get(name);
        self.holds(condition.ok_or_else(|| Error::new(format!("Conditions: {name} is missing")))?)
    }

    fn holds(&self, condition: &Value) -> Result<bool, Error> {
        let unknown = || Error::new(format!("the condition is not supported: {condition}"));
        let (function, argument) = condition.as_object().and_then(intrinsic).ok_or_else(unknown)?;
        match (function, argument, argument.as_array().map(Vec::as_slice)) {
            ("Condition", Value::String(name), _) => self.condition(name),
            ("Fn::Equals", _, Some([one, other])) => {
                Ok(to_text(&self.resolve(one)?)? == to_text(&self.resolve(other)?)?)
            }
            ("Fn::Not", _, Some([condition])) => Ok(!self.holds(condition)?),
            ("Fn::And", _, Some(conditions)) => self.all(conditions).map(|all| !all.contains(&false)),
            ("Fn::Or", _, Some(conditions)) => self.all(conditions).map(|all| all.contains(&true)),
            _ => Err(unknown()),
        }
    }

    fn all(&self, conditions: &[Value]) -> Result<Vec<bool>, Error> {
        conditions.iter().map(|condition| self.holds(condition)).collect()
    }
}

/// Returns the name and the argument of an intrinsic function, which is an object with one field. `Condition` is a function only
/// if its value is a string; in a policy statement its value is an object.
fn intrinsic(fields: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = fields.iter();
    let (Some((name, argument)), None) = (entries.next(), entries.next()) else { return None };
    let is_function = name.starts_with("Fn::") || name == "Ref" || (name == "Condition" && argument.is_string());
    is_function.then_some((name.as_str(), argument))
}

fn texts(values: &[Value]) -> Result<Vec<String>, Error> {
    values.iter().map(to_text).collect()
}

fn to_text(value: &Value) -> Result<String, Error> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(Error::new(format!("text is required, not {value}"))),
    }
}

fn wrong(function: &str, argument: &Value) -> Error {
    Error::new(format!("{function} is not supported: {argument}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Template;

    const TEXT: &str = "
Parameters: {Stage: {Type: String, Default: dev}, Lease: {Type: Number, Default: 60}, Domain: {Type: String, Default: ''},
  Accounts: {Type: CommaDelimitedList, Default: '1,2'}}
Conditions:
  HasDomain: !Not [!Equals [!Ref Domain, '']]
  IsDev: !Equals [!Ref Stage, dev]
  Both: !And [!Condition HasDomain, !Condition IsDev]
  Either: !Or [!Condition HasDomain, !Condition IsDev]
Resources: {Table: {Type: 'AWS::DynamoDB::Table'}}
";

    fn resolved(value: &serde_json::Value, domain: &str) -> Result<serde_json::Value, String> {
        let template = Template::parse(TEXT).map_err(|error| error.to_string())?;
        let names = |name: &str| match name {
            "Table" => Some("firstkey".to_owned()),
            "Table.Arn" => Some("arn:table".to_owned()),
            "Domain" if !domain.is_empty() => Some(domain.to_owned()),
            _ => None,
        };
        template.resolve(value, &names).map_err(|error| error.to_string())
    }

    #[test]
    fn functions_are_replaced_by_their_values() {
        for (value, expected) in [
            (json!({"Ref": "Table"}), json!("firstkey")),
            (json!({"Ref": "Lease"}), json!(60)),
            (json!({"Fn::GetAtt": ["Table", "Arn"]}), json!("arn:table")),
            (json!({"Fn::Sub": "${Table.Arn}/index/${!x}-${Stage}"}), json!("arn:table/index/${x}-dev")),
            (json!({"Fn::Sub": ["${a}.${Lease}", {"a": {"Ref": "Table"}}]}), json!("firstkey.60")),
            (json!({"Fn::Join": [":", ["a", {"Ref": "Stage"}]]}), json!("a:dev")),
            (json!({"Ref": "Accounts"}), json!(["1", "2"])),
            (json!({"Fn::Join": ["", {"Ref": "Accounts"}]}), json!("12")),
            (json!({"Fn::Split": ["-", {"Fn::Sub": "${Stage}-1"}]}), json!(["dev", "1"])),
            (json!([{"Fn::If": ["HasDomain", 1, {"Ref": "AWS::NoValue"}]}, 2]), json!([2])),
            (json!({"a": {"Fn::If": ["HasDomain", 1, {"Ref": "AWS::NoValue"}]}}), json!({})),
            (json!({"Condition": {"Null": {"k": "false"}}}), json!({"Condition": {"Null": {"k": "false"}}})),
        ] {
            assert_eq!(resolved(&value, ""), Ok(expected), "{value}");
        }
    }

    #[test]
    fn conditions_depend_on_parameters() {
        for (condition, without, with) in [("HasDomain", 0, 1), ("IsDev", 1, 1), ("Both", 0, 1), ("Either", 1, 1)] {
            let value = json!({"Fn::If": [condition, 1, 0]});
            assert_eq!(resolved(&value, ""), Ok(json!(without)), "{condition}");
            assert_eq!(resolved(&value, "contoso.example"), Ok(json!(with)), "{condition}");
        }
    }

    #[test]
    fn the_error_names_what_is_not_supported() {
        for (value, word) in [
            (json!({"Ref": "Unknown"}), "Unknown"),
            (json!({"Fn::GetAtt": ["Table", "StreamArn"]}), "Table.StreamArn"),
            (json!({"Fn::Select": [0, ["a"]]}), "Fn::Select"),
            (json!({"Fn::Sub": "${Table"}), "brace"),
            (json!({"Fn::If": ["Unknown", 1, 2]}), "Unknown"),
            (json!({"Fn::Join": [":", [["a"]]]}), "text"),
            (json!({"Ref": "AWS::NoValue"}), "NoValue"),
        ] {
            assert!(resolved(&value, "").is_err_and(|error| error.contains(word)), "{value}");
        }
    }
}
