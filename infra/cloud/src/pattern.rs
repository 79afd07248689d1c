//! EventBridge event patterns, so that tests use the filter that is deployed.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>. An unsupported operator,
//! such as `cidr`, is an error when the pattern is read, so that no filter ever matches wrong events.

use serde_json::{Map, Value};

/// The fields that an event must have: all fields of `all`, and one alternative of each `$or`.
#[derive(Debug)]
pub(super) struct Pattern {
    all: Vec<(String, Rule)>,
    either: Vec<Vec<Pattern>>,
}

#[derive(Debug)]
enum Rule {
    Nested(Pattern),
    AnyOf(Vec<Matcher>),
}

#[derive(Debug)]
enum Matcher {
    Exactly(Value),
    Exists(bool),
    Text(TextTest),
    Numeric(Vec<(Comparison, f64)>),
    AnythingBut(Vec<Matcher>),
}

#[derive(Debug)]
enum TextTest {
    Prefix(String),
    PrefixIgnoreCase(String),
    Suffix(String),
    SuffixIgnoreCase(String),
    EqualsIgnoreCase(String),
    /// The parts between the asterisks.
    Wildcard(Vec<String>),
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    Greater,
}

impl Pattern {
    /// Parses a pattern in JSON. An error names the place in the pattern.
    pub(super) fn read(json: &str) -> Result<Self, String> {
        let pattern: Value = serde_json::from_str(json).map_err(|error| format!("not JSON: {error}"))?;
        Self::parse("", &pattern)
    }

    fn parse(path: &str, pattern: &Value) -> Result<Self, String> {
        let fields = pattern.as_object().filter(|fields| !fields.is_empty());
        let fields = fields.ok_or_else(|| format!("{}: a pattern is an object with fields", place(path)))?;
        let mut read = Self { all: Vec::new(), either: Vec::new() };
        for (name, rule) in fields {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if name == "$or" {
                read.either.push(alternatives(&path, rule)?);
            } else {
                read.all.push((name.clone(), Rule::parse(&path, rule)?));
            }
        }
        Ok(read)
    }

    pub(super) fn matches(&self, event: &Value) -> bool {
        match event {
            Value::Object(fields) => self.matches_fields(fields),
            // One element must satisfy the whole pattern; different elements for different fields are not enough.
            Value::Array(elements) if !elements.is_empty() => elements.iter().any(|element| self.matches(element)),
            _ => self.matches_fields(&Map::new()),
        }
    }

    fn matches_fields(&self, fields: &Map<String, Value>) -> bool {
        self.all.iter().all(|(name, rule)| rule.matches(fields.get(name)))
            && self.either.iter().all(|group| group.iter().any(|alternative| alternative.matches_fields(fields)))
    }
}

impl Rule {
    fn parse(path: &str, rule: &Value) -> Result<Self, String> {
        match rule {
            Value::Object(_) => Pattern::parse(path, rule).map(Self::Nested),
            Value::Array(matchers) if !matchers.is_empty() => {
                matchers.iter().map(|matcher| Matcher::parse(path, matcher)).collect::<Result<_, _>>().map(Self::AnyOf)
            }
            _ => Err(format!("{path}: values must be in a non-empty array")),
        }
    }

    fn matches(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Nested(pattern) => pattern.matches(value.unwrap_or(&Value::Null)),
            Self::AnyOf(matchers) => {
                let mut leaves = Vec::new();
                gather_leaves(value, &mut leaves);
                matchers.iter().any(|matcher| matcher.matches_any(&leaves))
            }
        }
    }
}

/// Collects the values to match: of an array, all values at any depth. An object is not a value.
fn gather_leaves<'a>(value: Option<&'a Value>, leaves: &mut Vec<&'a Value>) {
    match value {
        None | Some(Value::Object(_)) => {}
        Some(Value::Array(elements)) => elements.iter().for_each(|element| gather_leaves(Some(element), leaves)),
        Some(leaf) => leaves.push(leaf),
    }
}

impl Matcher {
    fn parse(path: &str, matcher: &Value) -> Result<Self, String> {
        let Value::Object(operator) = matcher else {
            return if matcher.is_array() {
                Err(format!("{path}: an array must not contain an array"))
            } else {
                Ok(Self::Exactly(matcher.clone()))
            };
        };
        let mut entries = operator.iter();
        let (Some((name, operand)), None) = (entries.next(), entries.next()) else {
            return Err(format!("{path}: an operator is an object with one field"));
        };
        match name.as_str() {
            "exists" => {
                operand.as_bool().map(Self::Exists).ok_or_else(|| format!("{path}: `exists` takes true or false"))
            }
            "numeric" => numeric(path, operand).map(Self::Numeric),
            "anything-but" => anything_but(path, operand).map(Self::AnythingBut),
            _ => TextTest::parse(path, name, operand).map(Self::Text),
        }
    }

    fn matches_any(&self, leaves: &[&Value]) -> bool {
        match self {
            Self::Exists(wanted) => *wanted != leaves.is_empty(),
            _ => leaves.iter().any(|leaf| self.matches(leaf)),
        }
    }

    fn matches(&self, leaf: &Value) -> bool {
        match self {
            Self::Exactly(value) => value == leaf,
            Self::Exists(wanted) => *wanted,
            Self::Text(test) => leaf.as_str().is_some_and(|text| test.matches(text)),
            Self::Numeric(ranges) => leaf
                .as_f64()
                .is_some_and(|number| ranges.iter().all(|(comparison, bound)| comparison.holds(number, *bound))),
            Self::AnythingBut(unwanted) => !unwanted.iter().any(|matcher| matcher.matches(leaf)),
        }
    }
}

impl TextTest {
    fn parse(path: &str, operator: &str, operand: &Value) -> Result<Self, String> {
        let folded = operand.get("equals-ignore-case").and_then(Value::as_str).map(str::to_lowercase);
        let text = operand.as_str().map(str::to_owned);
        let read = match (operator, text, folded) {
            ("prefix", Some(text), _) => Self::Prefix(text),
            ("prefix", _, Some(folded)) => Self::PrefixIgnoreCase(folded),
            ("suffix", Some(text), _) => Self::Suffix(text),
            ("suffix", _, Some(folded)) => Self::SuffixIgnoreCase(folded),
            ("equals-ignore-case", Some(text), _) => Self::EqualsIgnoreCase(text.to_lowercase()),
            ("wildcard", Some(text), _) => Self::Wildcard(wildcard(path, &text)?),
            ("prefix" | "suffix" | "equals-ignore-case" | "wildcard", ..) => {
                return Err(format!("{path}: `{operator}` takes a string"));
            }
            _ => return Err(format!("{path}: the operator `{operator}` is not supported by the local cloud")),
        };
        Ok(read)
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::PrefixIgnoreCase(prefix) => text.to_lowercase().starts_with(prefix),
            Self::Suffix(suffix) => text.ends_with(suffix),
            Self::SuffixIgnoreCase(suffix) => text.to_lowercase().ends_with(suffix),
            Self::EqualsIgnoreCase(other) => text.to_lowercase() == *other,
            Self::Wildcard(parts) => matches_wildcard(parts, text),
        }
    }
}

impl Comparison {
    fn parse(sign: &str) -> Option<Self> {
        Some(match sign {
            "<" => Self::Less,
            "<=" => Self::AtMost,
            "=" => Self::Equal,
            ">=" => Self::AtLeast,
            ">" => Self::Greater,
            _ => return None,
        })
    }

    #[expect(clippy::float_cmp, reason = "`=` in a pattern requires the exact number")]
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Less => number < bound,
            Self::AtMost => number <= bound,
            Self::Equal => number == bound,
            Self::AtLeast => number >= bound,
            Self::Greater => number > bound,
        }
    }
}

fn place(path: &str) -> &str {
    if path.is_empty() { "the pattern" } else { path }
}

fn alternatives(path: &str, rule: &Value) -> Result<Vec<Pattern>, String> {
    let group = rule.as_array().filter(|group| !group.is_empty());
    let group = group.ok_or_else(|| format!("{path}: `$or` takes an array of patterns"))?;
    group.iter().map(|alternative| Pattern::parse(path, alternative)).collect()
}

/// Parses one comparison, or two for a range, such as `[">", 0, "<=", 5]`.
fn numeric(path: &str, operand: &Value) -> Result<Vec<(Comparison, f64)>, String> {
    let wrong = || format!("{path}: `numeric` takes one or two comparisons, such as [\">\", 0, \"<=\", 5]");
    let terms = operand.as_array().filter(|terms| matches!(terms.len(), 2 | 4)).ok_or_else(wrong)?;
    let pair = |pair: &[Value]| Some((Comparison::parse(pair[0].as_str()?)?, pair[1].as_f64()?));
    terms.chunks_exact(2).map(pair).collect::<Option<_>>().ok_or_else(wrong)
}

/// Parses the operand of `anything-but`: a value, a list of values, or a text operator with a value or a list.
fn anything_but(path: &str, operand: &Value) -> Result<Vec<Matcher>, String> {
    let to_list = |operand: &Value| match operand {
        Value::Array(values) => values.clone(),
        value => vec![value.clone()],
    };
    let unwanted = match operand {
        Value::Object(operator) if operator.len() == 1 => {
            let (name, operands) = operator.iter().next().ok_or_else(|| format!("{path}: `anything-but` is empty"))?;
            let tests = to_list(operands);
            tests
                .iter()
                .map(|test| TextTest::parse(path, name, test).map(Matcher::Text))
                .collect::<Result<Vec<_>, _>>()?
        }
        operand => to_list(operand).into_iter().map(Matcher::Exactly).collect(),
    };
    let scalar = |matcher: &Matcher| !matches!(matcher, Matcher::Exactly(Value::Object(_) | Value::Array(_)));
    if unwanted.is_empty() || !unwanted.iter().all(scalar) {
        return Err(format!("{path}: `anything-but` takes values or one text operator"));
    }
    Ok(unwanted)
}

/// Splits a wildcard pattern at its asterisks; `\*` and `\\` are literals.
fn wildcard(path: &str, text: &str) -> Result<Vec<String>, String> {
    let mut parts = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '*' if letters.peek() == Some(&'*') => return Err(format!("{path}: `wildcard` must not contain **")),
            '*' => parts.push(String::new()),
            _ => {
                let literal = if letter == '\\' { letters.next() } else { Some(letter) };
                let literal = literal.ok_or_else(|| format!("{path}: `wildcard` ends in a lone \\"))?;
                if let Some(part) = parts.last_mut() {
                    part.push(literal);
                }
            }
        }
    }
    Ok(parts)
}

fn matches_wildcard(parts: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = parts else { return parts.first().is_some_and(|only| only == text) };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for part in middle {
        let Some((_, after)) = rest.split_once(part.as_str()) else { return false };
        rest = after;
    }
    rest.ends_with(last.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(pattern: &Value, event: &Value) -> bool {
        Pattern::read(&pattern.to_string()).expect("a pattern").matches(event)
    }

    fn leaf(matcher: &Value, value: &Value) -> bool {
        matches(&json!({"f": [matcher]}), &json!({"f": value}))
    }

    #[test]
    fn values_match_exactly_by_type_and_case() {
        assert!(leaf(&json!("a"), &json!("a")));
        assert!(!leaf(&json!("a"), &json!("A")));
        assert!(leaf(&json!(3), &json!(3)));
        assert!(!leaf(&json!(3), &json!("3")));
        assert!(leaf(&json!(true), &json!(true)));
        assert!(leaf(&json!(null), &json!(null)));
        assert!(!matches(&json!({"f": [null]}), &json!({})));
        assert!(!leaf(&json!(""), &json!(null)));
    }

    #[test]
    fn all_fields_and_any_value_must_match_and_other_fields_are_ignored() {
        let pattern = json!({"a": {"b": ["x", "y"]}, "c": [1]});
        assert!(matches(&pattern, &json!({"a": {"b": "y", "more": 0}, "c": 1, "d": 2})));
        assert!(!matches(&pattern, &json!({"a": {"b": "z"}, "c": 1})));
        assert!(!matches(&pattern, &json!({"a": {"b": "x"}})));
        assert!(!matches(&pattern, &json!({"a": "x", "c": 1})));
    }

    #[test]
    fn an_array_matches_if_any_value_matches_and_an_object_in_it_only_as_a_whole() {
        assert!(leaf(&json!("b"), &json!(["a", ["b"]])));
        assert!(!leaf(&json!("c"), &json!(["a", "b"])));
        let pattern = json!({"list": {"a": [1], "b": [2]}});
        assert!(matches(&pattern, &json!({"list": [{"a": 0, "b": 2}, {"a": 1, "b": 2}]})));
        assert!(!matches(&pattern, &json!({"list": [{"a": 1, "b": 0}, {"a": 0, "b": 2}]})));
    }

    #[test]
    fn exists_looks_for_values_and_not_for_objects() {
        let (present, absent) = (json!({"f": [{"exists": true}]}), json!({"f": [{"exists": false}]}));
        for (event, has) in [
            (json!({"f": 1}), true),
            (json!({"f": null}), true),
            (json!({"f": ""}), true),
            (json!({"f": {"g": 1}}), false),
            (json!({"f": []}), false),
            (json!({}), false),
        ] {
            assert_eq!(matches(&present, &event), has, "{event}");
            assert_eq!(matches(&absent, &event), !has, "{event}");
        }
        let nested = json!({"tries": {"N": [{"exists": false}]}});
        assert!(matches(&nested, &json!({})));
        assert!(!matches(&nested, &json!({"tries": {"N": "1"}})));
    }

    #[test]
    fn text_operators_match_as_documented() {
        for (matcher, good, bad) in [
            (json!({"prefix": "MA"}), "MAIL", "mail"),
            (json!({"prefix": {"equals-ignore-case": "ma"}}), "MAIL", "xMA"),
            (json!({"suffix": ".png"}), "a.png", "a.PNG"),
            (json!({"suffix": {"equals-ignore-case": ".png"}}), "a.PNG", "a.png2"),
            (json!({"equals-ignore-case": "Alice"}), "aLICE", "Alices"),
            (json!({"wildcard": "a*c*"}), "abbcd", "bac"),
            (json!({"wildcard": "*.png"}), "x.png", "x.pngs"),
            (json!({"wildcard": "a\\*b"}), "a*b", "axb"),
            (json!({"wildcard": "ab*ba"}), "abba", "aba"),
        ] {
            assert!(leaf(&matcher, &json!(good)), "{matcher} {good}");
            assert!(!leaf(&matcher, &json!(bad)), "{matcher} {bad}");
            assert!(!leaf(&matcher, &json!(1)), "{matcher} and a number");
        }
    }

    #[test]
    fn anything_but_needs_a_value() {
        assert!(leaf(&json!({"anything-but": "a"}), &json!("b")));
        assert!(!leaf(&json!({"anything-but": ["a", 5]}), &json!(5)));
        assert!(!leaf(&json!({"anything-but": {"prefix": "in"}}), &json!("init")));
        assert!(leaf(&json!({"anything-but": {"suffix": [".a", ".b"]}}), &json!("x.c")));
        assert!(!leaf(&json!({"anything-but": {"wildcard": "*/lib/*"}}), &json!("src/lib/x")));
        assert!(!leaf(&json!({"anything-but": {"equals-ignore-case": ["A"]}}), &json!("a")));
        assert!(!matches(&json!({"f": [{"anything-but": "a"}]}), &json!({})));
    }

    #[test]
    fn numbers_are_compared_with_bounds() {
        let range = json!({"numeric": [">", 0, "<=", 5]});
        for (number, within) in [(json!(0), false), (json!(0.1), true), (json!(5), true), (json!(5.1), false)] {
            assert_eq!(leaf(&range, &number), within, "{number}");
        }
        assert!(leaf(&json!({"numeric": ["=", 300]}), &json!(3.0e2)));
        assert!(leaf(&json!({"numeric": ["<", 1]}), &json!(0)));
        assert!(leaf(&json!({"numeric": [">=", 1]}), &json!(1)));
        assert!(!leaf(&range, &json!("3")));
    }

    #[test]
    fn or_requires_one_alternative_in_addition_to_the_other_fields() {
        let pattern = json!({"a": [1], "$or": [{"b": [2]}, {"c": {"d": [3]}}]});
        assert!(matches(&pattern, &json!({"a": 1, "b": 2})));
        assert!(matches(&pattern, &json!({"a": 1, "c": {"d": 3}})));
        assert!(!matches(&pattern, &json!({"a": 1})));
        assert!(!matches(&pattern, &json!({"b": 2})));
    }

    #[test]
    fn an_unsupported_or_invalid_pattern_is_refused_when_it_is_read() {
        for (pattern, word) in [
            (json!({"a": {"b": [{"cidr": "10.0.0.0/8"}]}}), "a.b: the operator `cidr`"),
            (json!({"a": [{"Prefix": "x"}]}), "`Prefix`"),
            (json!({"a": [{"anything-but": {"numeric": [">", 1]}}]}), "`numeric`"),
            (json!({"a": [{"prefix": "x", "suffix": "y"}]}), "one field"),
            (json!({"a": [{"numeric": [">"]}]}), "numeric"),
            (json!({"a": [{"exists": "yes"}]}), "exists"),
            (json!({"a": [{"wildcard": "a**"}]}), "**"),
            (json!({"a": "x"}), "array"),
            (json!({"a": []}), "array"),
            (json!({"$or": {"a": [1]}}), "$or"),
            (json!({}), "fields"),
        ] {
            let refusal = Pattern::read(&pattern.to_string()).expect_err("refused");
            assert!(refusal.contains(word), "{pattern}: {refusal}");
        }
    }
}
