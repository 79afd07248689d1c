//! A role as IAM judges it, as far as the template's roles go. What is not understood (a field, an operator, a key, a wildcard in an
//! action) is an error when the role is read, never a call that passes.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::{collections::BTreeMap, collections::BTreeSet, fmt};

use serde_json::{Map, Value};

use super::condition::{Condition, like};

/// What a caller wants to do, to what, and what else conditions may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `dynamodb:UpdateItem`
    pub action: String,
    /// An ARN, or `*` for an action that has none.
    pub resource: String,
    /// The condition keys that the request has, each with its values.
    pub context: BTreeMap<String, Vec<String>>,
}

/// What a role may do.
#[derive(Clone, Debug)]
pub struct Role {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
struct Statement {
    sid: String,
    allows: bool,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

/// The smallest part of what a role is given, to be compared with what is used of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The statement.
    pub sid: String,
    /// One action of it.
    pub action: String,
    /// One resource of it.
    pub resource: String,
    /// One pattern of leading keys, where it has them.
    pub keys: Option<String>,
}

/// A role that cannot be judged, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUnderstood(pub(super) String);

impl Role {
    /// Reads the documents of a role's policies, without intrinsic functions.
    pub fn read(documents: &[Value]) -> Result<Self, NotUnderstood> {
        let mut statements = Vec::new();
        for document in documents {
            let fields = object(document, &["Version", "Statement"])?;
            if fields.get("Version") != Some(&"2012-10-17".into()) {
                return Err(not_understood("Version", document));
            }
            for statement in list(&fields["Statement"]) {
                statements.push(Statement::read(statement)?);
            }
        }
        let sids: BTreeSet<_> = statements.iter().map(|statement| &statement.sid).collect();
        if sids.len() < statements.len() {
            return Err(NotUnderstood("two statements have one Sid".to_owned()));
        }
        Ok(Self { statements })
    }

    /// What allows a request; nothing where it is refused. An explicit denial wins.
    #[must_use]
    pub fn decide(&self, request: &Request) -> Option<BTreeSet<Grant>> {
        let matching = || self.statements.iter().filter(|statement| statement.matches(request));
        if matching().any(|statement| !statement.allows) {
            return None;
        }
        matching().next()?;
        Some(matching().flat_map(|statement| statement.used_by(request)).collect())
    }

    /// Everything that it allows.
    #[must_use]
    pub fn grants(&self) -> BTreeSet<Grant> {
        self.statements.iter().filter(|statement| statement.allows).flat_map(Statement::grants).collect()
    }

    /// Its statements, by name.
    pub fn sids(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().map(|statement| statement.sid.as_str())
    }

    /// The same role without a statement.
    #[must_use]
    pub fn without(&self, sid: &str) -> Self {
        let mut role = self.clone();
        role.statements.retain(|statement| statement.sid != sid);
        role
    }

    /// The same role with one more action in a statement.
    #[must_use]
    pub fn with_action(&self, sid: &str, action: &str) -> Self {
        let mut role = self.clone();
        for statement in role.statements.iter_mut().filter(|statement| statement.sid == sid) {
            statement.actions.push(action.to_owned());
        }
        role
    }
}

impl Statement {
    fn read(statement: &Value) -> Result<Self, NotUnderstood> {
        let fields = object(statement, &["Sid", "Effect", "Action", "Resource", "Condition"])?;
        let actions = texts(&fields["Action"])?;
        if let Some(action) = actions.iter().find(|action| !action.contains(':') || action.contains(['*', '?'])) {
            return Err(NotUnderstood(format!("the action {action}: every action is named")));
        }
        Ok(Self {
            sid: fields["Sid"].as_str().ok_or_else(|| not_understood("Sid", statement))?.to_owned(),
            allows: match fields["Effect"].as_str() {
                Some("Allow") => true,
                Some("Deny") => false,
                _ => return Err(not_understood("Effect", statement)),
            },
            actions,
            resources: texts(&fields["Resource"])?,
            conditions: Condition::read_all(fields.get("Condition"))?,
        })
    }

    fn matches(&self, request: &Request) -> bool {
        self.actions.contains(&request.action)
            && self.resources.iter().any(|resource| like(resource, &request.resource))
            && self.conditions.iter().all(|condition| condition.holds(&request.context))
    }

    /// The grants that a request which matches makes use of.
    fn used_by(&self, request: &Request) -> impl Iterator<Item = Grant> {
        let keys = request.context.get(LEADING_KEYS);
        self.grants().filter(move |grant| {
            let of_keys = |pattern: &String| keys.is_some_and(|keys| keys.iter().any(|key| like(pattern, key)));
            grant.action == request.action
                && like(&grant.resource, &request.resource)
                && grant.keys.as_ref().is_none_or(of_keys)
        })
    }

    fn grants(&self) -> impl Iterator<Item = Grant> {
        let patterns = self.conditions.iter().flat_map(|condition| condition.values_of(LEADING_KEYS));
        let mut keys: Vec<Option<String>> = patterns.cloned().map(Some).collect();
        if keys.is_empty() {
            keys.push(None);
        }
        self.actions.iter().flat_map(move |action| {
            let keys = keys.clone();
            self.resources.iter().flat_map(move |resource| {
                keys.clone().into_iter().map(move |keys| Grant {
                    sid: self.sid.clone(),
                    action: action.clone(),
                    resource: resource.clone(),
                    keys,
                })
            })
        })
    }
}

/// The partition keys that a call names.
pub(super) const LEADING_KEYS: &str = "dynamodb:LeadingKeys";

/// The fields of an object that has those and no others; what is missing reads as null.
fn object<'a>(value: &'a Value, known: &[&str]) -> Result<Fields<'a>, NotUnderstood> {
    let fields = value.as_object().ok_or_else(|| not_understood("an object", value))?;
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(not_understood(name, value)),
        None => Ok(Fields(fields)),
    }
}

struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }
}

impl std::ops::Index<&str> for Fields<'_> {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }
}

/// One or several, as policies have it.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// One text or several, at least one, without the variables of policies.
pub(super) fn texts(value: &Value) -> Result<Vec<String>, NotUnderstood> {
    let texts = list(value).iter().map(|text| text.as_str().filter(|text| !text.contains("${")).map(str::to_owned));
    let texts: Option<Vec<_>> = texts.collect();
    texts.filter(|texts| !texts.is_empty()).ok_or_else(|| not_understood("text", value))
}

pub(super) fn not_understood(what: &str, at: &Value) -> NotUnderstood {
    NotUnderstood(format!("{what} in {at}"))
}

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what is not understood here: {}", self.0)
    }
}

impl std::error::Error for NotUnderstood {}
