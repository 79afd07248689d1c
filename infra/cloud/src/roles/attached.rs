//! Policies that are attached to a resource: of the keys, the table and the event buses. They are evaluated beside the role of the caller.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use serde_json::{Value, json};

use super::names::{Names, PUBLISHED_EVENTS, account_of};
use super::policy::{NotUnderstood, Request, Statement, list, not_understood, texts};
use template::Template;

/// The condition key that holds the ARN of the caller's role.
pub(super) const PRINCIPAL: &str = "aws:PrincipalArn";

/// The version of the policy language.
const VERSION: &str = "2012-10-17";

/// A policy of a resource, whose statements say for which principals they are.
#[derive(Clone, Debug)]
pub struct AttachedPolicy(Vec<(Principals, Statement)>);

/// The answer of a resource's policy to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A statement denies it, which overrides everything that allows it.
    Denied,
    /// A statement allows it, and none denies it.
    Allowed,
    /// No statement is about it.
    Silent,
}

#[derive(Clone, Debug)]
enum Principals {
    Everyone,
    /// Roles and users by their ARNs, or whole accounts by their id or the ARN of their root.
    These(Vec<String>),
}

impl AttachedPolicy {
    /// Reads the statements of a policy, which must not contain intrinsic functions.
    pub fn read(statements: &Value) -> Result<Self, NotUnderstood> {
        let statements = list(statements).iter().map(|statement| {
            let mut fields = statement.as_object().cloned().ok_or_else(|| not_understood("Statement", statement))?;
            let principals = Principals::read(&fields.remove("Principal").unwrap_or_default())?;
            Ok((principals, Statement::read(&Value::Object(fields))?))
        });
        statements.collect::<Result<_, _>>().map(Self)
    }

    /// Decides on a request of a principal, whose ARN is a condition key as well.
    #[must_use]
    pub fn decide(&self, principal: &str, request: &Request) -> Verdict {
        let mut request = request.clone();
        request.context.insert(PRINCIPAL.to_owned(), vec![principal.to_owned()]);
        let about = self.0.iter().filter(|(who, statement)| who.include(principal) && statement.matches(&request));
        about.fold(Verdict::Silent, |verdict, (_, statement)| match (verdict, statement.allows()) {
            (Verdict::Denied, _) | (_, false) => Verdict::Denied,
            (_, true) => Verdict::Allowed,
        })
    }
}

impl Principals {
    fn read(value: &Value) -> Result<Self, NotUnderstood> {
        if value == "*" || *value == json!({ "AWS": "*" }) {
            return Ok(Self::Everyone);
        }
        match value.as_object().map(|kinds| (kinds.len(), kinds.get("AWS"))) {
            Some((1, Some(principals))) => Ok(Self::These(texts(principals)?)),
            _ => Err(not_understood("Principal", value)),
        }
    }

    fn include(&self, principal: &str) -> bool {
        let account = account_of(principal);
        let is_account = |one: &str| one == account || (account_of(one) == account && one.ends_with(":root"));
        match self {
            Self::Everyone => true,
            Self::These(these) => these.iter().any(|one| one == principal || is_account(one)),
        }
    }
}

/// A policy, the ARN of its resource, and whether a call needs its permission beside that of the caller's role.
#[derive(Clone, Debug)]
pub(super) struct Attached {
    resource: String,
    must_allow: bool,
    policy: AttachedPolicy,
}

impl Attached {
    /// Returns whether the policy leaves a request to the role that makes it.
    pub(super) fn admits(&self, principal: &str, request: &Request) -> bool {
        self.resource != request.resource
            || match self.policy.decide(principal, request) {
                Verdict::Denied => false,
                Verdict::Allowed => true,
                Verdict::Silent => !self.must_allow,
            }
    }
}

/// Returns the policies of the template's keys and table, and of the bus for published events.
///
/// A key must allow a call beside the role. This is stricter than AWS, where a key that names the role needs no statement of the role; but a
/// role that says what its function does can be read.
pub(super) fn deployed(template: &Template, names: &Names) -> Result<Vec<Attached>, NotUnderstood> {
    let keys = template.resources_of("AWS::KMS::Key").map(|(id, key)| (id, &key["Properties"]["KeyPolicy"], true));
    let tables = template.resources_of("AWS::DynamoDB::Table");
    let tables = tables.map(|(id, table)| (id, &table["Properties"]["ResourcePolicy"]["PolicyDocument"], false));
    let policies = keys.chain(tables).filter(|(_, document, _)| !document.is_null());
    let attached = policies.map(|(id, document, must_allow)| attach(template, names, id, document, must_allow));
    let mut attached = attached.collect::<Result<Vec<_>, _>>()?;
    for (id, policy) in policies_of_bus(template, PUBLISHED_EVENTS) {
        if !policy["Condition"].is_null() {
            return Err(NotUnderstood(format!("{id}: a policy with a condition")));
        }
        let mut statement = policy["Properties"]["Statement"].clone();
        statement["Sid"] = policy["Properties"]["StatementId"].clone();
        let document = json!({ "Version": VERSION, "Statement": [statement] });
        attached.push(attach(template, names, PUBLISHED_EVENTS, &document, false)?);
    }
    Ok(attached)
}

/// Returns the policy of a resource of the template.
fn attach(
    template: &Template,
    names: &Names,
    id: &str,
    document: &Value,
    must_allow: bool,
) -> Result<Attached, NotUnderstood> {
    let wrong = |error: &dyn std::fmt::Display| NotUnderstood(format!("the policy of {id}: {error}"));
    let document = template.resolve(document, &|name| names.value(template, name)).map_err(|error| wrong(&error))?;
    if document["Version"] != VERSION {
        return Err(wrong(&"Version"));
    }
    let resource = names.value(template, &format!("{id}.Arn")).ok_or_else(|| wrong(&"its resource has no ARN"))?;
    let policy = AttachedPolicy::read(&document["Statement"]).map_err(|error| wrong(&error))?;
    Ok(Attached { resource, must_allow, policy })
}

/// Returns the policies of an event bus of the template, with their logical ids.
fn policies_of_bus<'a>(template: &'a Template, bus: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let policies = template.resources_of("AWS::Events::EventBusPolicy");
    policies.filter(move |(_, policy)| policy["Properties"]["EventBusName"]["Ref"] == bus)
}

/// Returns the policy of the vendor's bus, with values of parameters that differ from their defaults.
pub(super) fn bus(
    template: &Template,
    names: &Names,
    parameters: &dyn Fn(&str) -> Option<String>,
) -> Result<AttachedPolicy, NotUnderstood> {
    let mut statements = Vec::new();
    for (id, policy) in policies_of_bus(template, "VendorBus") {
        let wrong = |error: &dyn std::fmt::Display| NotUnderstood(format!("{id}: {error}"));
        let values = |name: &str| parameters(name).or_else(|| names.value(template, name));
        let properties = &policy["Properties"];
        // A statement that the conditions leave out may name what they leave out, so it is not resolved.
        let condition = policy["Condition"].as_str().ok_or_else(|| wrong(&"a policy without a condition"))?;
        let statement = json!({ "Fn::If": [condition, properties["Statement"], { "Ref": "AWS::NoValue" }] });
        let resolved = template.resolve(&json!([statement]), &values).map_err(|error| wrong(&error))?;
        for statement in list(&resolved) {
            let mut statement = statement.clone();
            statement["Sid"] = properties["StatementId"].clone();
            statements.push(statement);
        }
    }
    AttachedPolicy::read(&Value::Array(statements))
}
