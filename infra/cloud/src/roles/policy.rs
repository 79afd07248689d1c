//! The evaluation of a role as in IAM, limited to what the template's roles use. An unsupported field, operator, key or wildcard
//! in an action is an error when the role is read, so that it never allows a call.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::{collections::BTreeMap, collections::BTreeSet, fmt};

use serde_json::{Map, Value};

use super::condition::{Condition, like};

/// An authorization request: the action, the resource, and the condition keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The action, such as `dynamodb:UpdateItem`.
    pub action: String,
    /// The ARN of the resource, or `*` for an action without a resource.
    pub resource: String,
    /// The condition keys of the request, each with its values.
    pub context: BTreeMap<String, Vec<String>>,
}

/// A role: the statements of its policies.
#[derive(Clone, Debug)]
pub struct Role {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
pub(super) struct Statement {
    sid: String,
    allows: bool,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

/// The smallest unit that a role grants, so that granted and used permissions can be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The `Sid` of the statement.
    pub sid: String,
    /// An action of the statement.
    pub action: String,
    /// A resource of the statement.
    pub resource: String,
    /// A pattern of leading keys, if the statement has such a condition.
    pub keys: Option<String>,
}

/// The part of a role that is not supported, so that the role cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUnderstood(pub(super) String);

impl Role {
    /// Reads the policy documents of a role, which must not contain intrinsic functions.
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
            return Err(NotUnderstood("two statements have the same Sid".to_owned()));
        }
        Ok(Self { statements })
    }

    /// Returns the grants that allow a request, or `None` if it is denied. An explicit denial overrides every grant.
    #[must_use]
    pub fn decide(&self, request: &Request) -> Option<BTreeSet<Grant>> {
        let matching = || self.statements.iter().filter(|statement| statement.matches(request));
        if matching().any(|statement| !statement.allows) {
            return None;
        }
        matching().next()?;
        Some(matching().flat_map(|statement| statement.used_by(request)).collect())
    }

    /// Returns everything that the role grants.
    #[must_use]
    pub fn grants(&self) -> BTreeSet<Grant> {
        self.statements.iter().filter(|statement| statement.allows).flat_map(Statement::grants).collect()
    }

    /// Returns the `Sid` of every statement that allows something.
    pub fn sids(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().filter(|statement| statement.allows).map(|statement| statement.sid.as_str())
    }

    /// Returns the role without the statement with this `Sid`.
    #[must_use]
    pub fn without(&self, sid: &str) -> Self {
        let mut role = self.clone();
        role.statements.retain(|statement| statement.sid != sid);
        role
    }

    /// Returns the role with another action in the statement with this `Sid`.
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
    pub(super) fn allows(&self) -> bool {
        self.allows
    }

    pub(super) fn read(statement: &Value) -> Result<Self, NotUnderstood> {
        let fields = object(statement, &["Sid", "Effect", "Action", "Resource", "Condition"])?;
        let actions = texts(&fields["Action"])?;
        if let Some(action) = actions.iter().find(|action| !action.contains(':') || action.contains(['*', '?'])) {
            return Err(NotUnderstood(format!("the action {action}: wildcards are not supported")));
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

    pub(super) fn matches(&self, request: &Request) -> bool {
        self.actions.contains(&request.action)
            && self.resources.iter().any(|resource| like(resource, &request.resource))
            && self.conditions.iter().all(|condition| condition.holds(&request.context))
    }

    /// Returns the grants that a matching request uses.
    fn used_by(&self, request: &Request) -> impl Iterator<Item = Grant> {
        let keys = request.context.get(LEADING_KEYS);
        self.grants().filter(move |grant| {
            let matches_a_key = |pattern: &String| keys.is_some_and(|keys| keys.iter().any(|key| like(pattern, key)));
            grant.action == request.action
                && like(&grant.resource, &request.resource)
                && grant.keys.as_ref().is_none_or(matches_a_key)
        })
    }

    fn grants(&self) -> impl Iterator<Item = Grant> {
        let patterns = self.conditions.iter().flat_map(|condition| condition.values_for(LEADING_KEYS));
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

/// The condition key that holds the names of the attributes of an item that is put.
pub(super) const ATTRIBUTES: &str = "dynamodb:Attributes";

/// The condition key that holds the partition keys of a call.
pub(super) const LEADING_KEYS: &str = "dynamodb:LeadingKeys";

/// Returns the fields of an object that may only have the `known` fields. A missing field reads as null.
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

/// Returns the elements of a policy value that is either a list or a single element.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// Returns one or more strings. Policy variables are not supported.
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
        write!(f, "not supported by the local cloud: {}", self.0)
    }
}

impl std::error::Error for NotUnderstood {}
