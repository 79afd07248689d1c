//! The conditions of statements, with only those operators and keys that the roles of the template use.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>, and for set operators
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>

use std::collections::BTreeMap;

use serde_json::Value;

use super::policy::{NotUnderstood, not_understood, texts};

/// A condition: one operator on one key.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    key: String,
    test: Test,
    /// The values of the condition; one match is enough.
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    /// Tests whether the key is absent.
    Null,
    /// Compares the single value of the key.
    One(Compare),
    /// Requires that the single value of the key differs from every value, or is absent.
    Not(Compare),
    /// Compares each value of the key. It also holds if there is no value, so it must be combined with a `Null`.
    All(Compare),
    /// Compares the values of the key until one matches.
    Any(Compare),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Equals,
    Like,
}

impl Condition {
    pub(super) fn read_all(conditions: Option<&Value>) -> Result<Vec<Self>, NotUnderstood> {
        let Some(conditions) = conditions else { return Ok(Vec::new()) };
        let operators = conditions.as_object().ok_or_else(|| not_understood("Condition", conditions))?;
        let mut all = Vec::new();
        for (operator, keys) in operators {
            for (key, values) in keys.as_object().ok_or_else(|| not_understood(operator, conditions))? {
                all.push(Self::read(operator, key, values)?);
            }
        }
        Ok(all)
    }

    fn read(operator: &str, key: &str, values: &Value) -> Result<Self, NotUnderstood> {
        let unknown = || NotUnderstood(format!("{operator} of {key}"));
        let test = match operator {
            "Null" => Test::Null,
            _ => match operator.split_once(':') {
                // In an ARN, `*` and `?` are wildcards for both operators.
                None if operator == "ArnNotEquals" => Test::Not(Compare::Like),
                None => Test::One(compare(operator).ok_or_else(unknown)?),
                Some(("ForAllValues", operator)) => Test::All(compare(operator).ok_or_else(unknown)?),
                Some(("ForAnyValue", operator)) => Test::Any(compare(operator).ok_or_else(unknown)?),
                Some(_) => return Err(unknown()),
            },
        };
        let several = match key {
            "dynamodb:Attributes" | "dynamodb:LeadingKeys" | "kms:EncryptionContextKeys" => true,
            "aws:PrincipalArn"
            | "events:detail-type"
            | "events:source"
            | "kms:CallerAccount"
            | "kms:MessageType"
            | "kms:SigningAlgorithm"
            | "kms:ViaService"
            | "lambda:SourceFunctionArn"
            | "ses:FromAddress" => false,
            key if key.strip_prefix("kms:EncryptionContext:").is_some_and(|name| !name.is_empty()) => false,
            _ => return Err(NotUnderstood(format!("the condition key {key}"))),
        };
        // On a multivalued key, an operator without a quantifier is undefined; on a single-valued key, a quantifier is misleading.
        if matches!(test, Test::One(_) | Test::Not(_)) == several && test != Test::Null {
            return Err(unknown());
        }
        let values = if test == Test::Null { vec![boolean(values).ok_or_else(unknown)?] } else { texts(values)? };
        Ok(Self { key: key.to_owned(), test, values })
    }

    pub(super) fn holds(&self, context: &BTreeMap<String, Vec<String>>) -> bool {
        let given = context.get(&self.key).map_or(&[][..], Vec::as_slice);
        let matches = |compare, given: &String| match compare {
            Compare::Equals => self.values.contains(given),
            Compare::Like => self.values.iter().any(|pattern| like(pattern, given)),
        };
        match self.test {
            Test::Null => given.is_empty() == (self.values == ["true"]),
            Test::One(compare) => matches!(given, [one] if matches(compare, one)),
            Test::Not(compare) => !given.iter().any(|given| matches(compare, given)),
            Test::All(compare) => given.iter().all(|given| matches(compare, given)),
            Test::Any(compare) => given.iter().any(|given| matches(compare, given)),
        }
    }

    /// Returns the values that the condition requires of `key`, or nothing if it is a condition on another key.
    pub(super) fn values_for(&self, key: &str) -> &[String] {
        if self.key == key && self.test != Test::Null { &self.values } else { &[] }
    }
}

fn compare(operator: &str) -> Option<Compare> {
    match operator {
        "StringEquals" => Some(Compare::Equals),
        "StringLike" => Some(Compare::Like),
        _ => None,
    }
}

/// Parses the operand of `Null`, a Boolean or its text.
fn boolean(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::String(word) if word == "true" || word == "false" => Some(word.clone()),
        _ => None,
    }
}

/// Returns whether the text matches the pattern, in which `*` is any text and `?` any character.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // `star` is the position of the last `*` in the pattern, and the end of the text that it matches so far.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match (pattern.get(p), star) {
            (Some('*'), _) => {
                star = Some((p, t));
                p += 1;
            }
            (Some(wanted), _) if *wanted == '?' || *wanted == text[t] => (p, t) = (p + 1, t + 1),
            (_, Some((at, reach))) => {
                star = Some((at, reach + 1));
                (p, t) = (at + 1, reach + 1);
            }
            _ => return false,
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}
