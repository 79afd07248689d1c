//! Authorization by the roles of the deployment template: the local cloud denies what AWS would deny.
//!
//! | module | contents |
//! |---|---|
//! | `policy`, `condition` | roles, and the decision whether a role allows a request |
//! | `attached` | the policies of keys, table and event bus, which are evaluated beside the roles |
//! | `calls` | the authorization requests of a call |
//! | `names` | the values of the template's names in the local cloud |
//!
//! The access key identifies the caller. It is the name of a function, optionally followed by `@` and a suffix that
//! distinguishes instances of the function.

mod attached;
mod calls;
mod condition;
mod names;
mod policy;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;

use bytes::Bytes;
use serde_json::{Value, json};

use super::error::Cause;
use super::service::Caller;
use super::{Error, lock};
use attached::Attached;
pub(super) use names::Names;
pub(super) use names::{ACCOUNT, bus_name, key_arn, secret_arn};
use template::Template;

pub use attached::{AttachedPolicy, Verdict};
pub use policy::{Grant, NotUnderstood, Request, Role};

/// Callers that are not functions and may do everything: tests that read the table or write what no function writes yet, the
/// stages of `cargo verify`, and developers with the AWS command line, whose key is `local` or `test`.
const UNRESTRICTED: [&str; 7] = ["desk", "local", "probe", "reissue", "test", "tests", "verify"];

/// The condition key that holds the ARN of the function that the caller's credentials were issued to:
/// <https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html>.
const SOURCE: &str = "lambda:SourceFunctionArn";

/// The roles of all functions and the policies of resources, with the grants that were used and the requests that were denied.
pub struct Roles {
    by_function: Mutex<BTreeMap<String, Role>>,
    /// The ARN of each function's role.
    principals: BTreeMap<String, String>,
    attached: Vec<Attached>,
    bus: AttachedPolicy,
    used: Mutex<BTreeMap<String, BTreeSet<Grant>>>,
    denied: Mutex<Vec<Denied>>,
}

/// A request that the caller's role does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The access key of the caller.
    pub caller: String,
    /// The request that was denied.
    pub request: Request,
}

impl Roles {
    /// Reads the roles of the deployment template, for a local cloud with these names.
    pub(super) fn deployed(names: &Names) -> Result<Self, Error> {
        let failed = |source: Cause| Error::caused("cannot use the roles of infra/template.yaml", source);
        let template = Template::deployed().map_err(|error| failed(error.into()))?;
        let roles = read(&template, names).map_err(|error| failed(error.into()))?;
        let attached = attached::deployed(&template, names).map_err(|error| failed(error.into()))?;
        let bus = attached::bus(&template, names, &|_| None).map_err(|error| failed(error.into()))?;
        Ok(Self {
            by_function: Mutex::new(roles),
            principals: principals(&template, names),
            attached,
            bus,
            used: Mutex::default(),
            denied: Mutex::default(),
        })
    }

    /// Returns the role of a function.
    #[must_use]
    pub fn role(&self, function: &str) -> Option<Role> {
        lock(&self.by_function).get(function).cloned()
    }

    /// Replaces the role of a function.
    pub fn replace(&self, function: &str, role: Role) {
        lock(&self.by_function).insert(function.to_owned(), role);
    }

    /// Returns the functions that have a role.
    #[must_use]
    pub fn functions(&self) -> Vec<String> {
        lock(&self.by_function).keys().cloned().collect()
    }

    /// Returns the grants that a function has used so far.
    #[must_use]
    pub fn used(&self, function: &str) -> BTreeSet<Grant> {
        lock(&self.used).get(function).cloned().unwrap_or_default()
    }

    /// Returns the requests that were denied so far.
    #[must_use]
    pub fn denied(&self) -> Vec<Denied> {
        lock(&self.denied).clone()
    }

    /// Returns the grants of a function's role that allow a request, if no policy of the resource denies it. The call comes from the code of
    /// that function, unless the request names another.
    fn decide(&self, function: &str, request: &Request) -> Option<BTreeSet<Grant>> {
        let mut request = request.clone();
        request.context.entry(SOURCE.to_owned()).or_insert_with(|| vec![names::function_arn(function)]);
        let used = lock(&self.by_function).get(function)?.decide(&request)?;
        let principal = self.principals.get(function)?;
        self.attached.iter().all(|attached| attached.admits(principal, &request)).then_some(used)
    }

    /// Returns whether the caller with this access key may make the request. Records the grants that it uses, or the denial.
    pub fn allows(&self, caller: &str, request: &Request) -> bool {
        let function = caller.split('@').next().unwrap_or_default();
        if UNRESTRICTED.contains(&function) {
            return true;
        }
        let Some(used) = self.decide(function, request) else {
            tracing::warn!(
                caller,
                action = request.action,
                resource = request.resource,
                "the role does not allow this call"
            );
            lock(&self.denied).push(Denied { caller: caller.to_owned(), request: request.clone() });
            return false;
        };
        lock(&self.used).entry(function.to_owned()).or_default().extend(used);
        true
    }

    /// Returns whether a principal may put an event of this type on the bus. In the account of the bus, the principal's own policies allow it,
    /// and the policy of the bus may deny it; a principal of another account needs both.
    pub(super) fn admits_event(&self, principal: &str, detail_type: &str) -> bool {
        let request = Request {
            action: "events:PutEvents".to_owned(),
            resource: names::bus_arn("VendorBus"),
            context: [("events:detail-type".to_owned(), vec![detail_type.to_owned()])].into(),
        };
        match self.bus.decide(principal, &request) {
            Verdict::Denied => false,
            Verdict::Allowed => true,
            Verdict::Silent => names::account_of(principal) == ACCOUNT,
        }
    }

    /// Checks that every authorization request of a call is allowed.
    pub(super) fn admit(&self, caller: &Caller, operation: &str, body: &Bytes) -> Result<(), Denied> {
        for request in calls::requests(caller.service, operation, body) {
            if !self.allows(&caller.function, &request) {
                return Err(Denied { caller: caller.function.clone(), request });
            }
        }
        Ok(())
    }
}

/// Writes the message that AWS uses.
impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { action, resource, .. } = &self.request;
        let caller = &self.caller;
        write!(
            f,
            "User: arn:aws:sts::{ACCOUNT}:assumed-role/{caller} is not authorized to perform: {action} on resource: {resource} \
             because no identity-based policy allows the {action} action"
        )
    }
}

/// Returns the ARN of each function's role, by the function's name.
fn principals(template: &Template, names: &Names) -> BTreeMap<String, String> {
    let functions = template.resources_of("AWS::Serverless::Function");
    let principals = functions.filter_map(|(id, function)| {
        let role = names.value(template, &format!("{id}Role.Arn"))?;
        Some((program(function), role))
    });
    principals.collect()
}

/// Returns the role of each function, by the function's name.
fn read(template: &Template, names: &Names) -> Result<BTreeMap<String, Role>, NotUnderstood> {
    for kind in ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::UserPolicy", "AWS::Serverless::Connector"] {
        if let Some((id, _)) = template.resources_of(kind).next() {
            return Err(NotUnderstood(format!("{id}, which has the type {kind}")));
        }
    }
    let functions = template.resources_of("AWS::Serverless::Function");
    functions.map(|(id, function)| Ok((program(function), function_role(template, names, id, function)?))).collect()
}

fn function_role(template: &Template, names: &Names, id: &str, function: &Value) -> Result<Role, NotUnderstood> {
    let role = format!("{id}Role");
    let properties = &function["Properties"];
    let unsupported = ["Policies", "PermissionsBoundary"].into_iter().find(|name| !properties[*name].is_null());
    let connected = function.get("Connectors").map(|_| "Connectors");
    if let Some(name) = unsupported.or(connected) {
        return Err(NotUnderstood(format!("{name} of {id}: its policies must be in its role")));
    }
    if properties["Role"] != json!({ "Fn::GetAtt": [role, "Arn"] }) {
        return Err(NotUnderstood(format!("the role of {id}: it must be {role}")));
    }
    let documents: Result<Vec<_>, _> = documents(template, names, &role)?
        .iter()
        .map(|value| template.resolve(value, &|name| names.value(template, name)))
        .collect();
    Role::read(&documents.map_err(|error| NotUnderstood(format!("{role}: {error}")))?)
        .map_err(|NotUnderstood(what)| NotUnderstood(format!("{role}: {what}")))
}

/// Returns the policy documents of a role: those inside the role, and those of `RolePolicy` resources that name it.
fn documents<'a>(template: &'a Template, names: &Names, role: &str) -> Result<Vec<&'a Value>, NotUnderstood> {
    let resource = template.resource(role).map_err(|error| NotUnderstood(error.to_string()))?;
    let is_deployed = |id: &str, resource: &Value| is_deployed(template, names, id, &resource["Condition"]);
    if !is_deployed(role, resource)? {
        return Err(NotUnderstood(format!("{role}, which its condition leaves out")));
    }
    let properties =
        resource["Properties"].as_object().ok_or_else(|| NotUnderstood(format!("{role}: no properties")))?;
    let known =
        ["AssumeRolePolicyDocument", "Path", "PermissionsBoundary", "Policies", "RoleName", "Description", "Tags"];
    if let Some(name) = properties.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(NotUnderstood(format!("{name} of {role}")));
    }
    refuse_a_boundary(template, role, properties.get("PermissionsBoundary"))?;
    let own = properties.get("Policies").and_then(Value::as_array).into_iter().flatten();
    let mut documents: Vec<_> = own.map(|policy| &policy["PolicyDocument"]).collect();
    for (id, policy) in template.resources_of("AWS::IAM::RolePolicy") {
        let attached = policy["Properties"]["RoleName"]["Ref"].as_str();
        let attached = attached.ok_or_else(|| NotUnderstood(format!("{id}: a policy without a RoleName")))?;
        if attached == role && is_deployed(id, policy)? {
            documents.push(&policy["Properties"]["PolicyDocument"]);
        }
    }
    Ok(documents)
}

/// Returns whether a resource with this condition is deployed, with the parameters of the local cloud.
fn is_deployed(template: &Template, names: &Names, id: &str, condition: &Value) -> Result<bool, NotUnderstood> {
    if condition.is_null() {
        return Ok(true);
    }
    let decision = json!({ "Fn::If": [condition, true, false] });
    let decided = template.resolve(&decision, &|name| names.value(template, name));
    let decided = decided.map_err(|error| NotUnderstood(format!("the condition {condition} of {id}: {error}")))?;
    Ok(decided == json!(true))
}

/// Refuses a permissions boundary, which would deny more than the policies here, unless the defaults of the parameters leave it out.
fn refuse_a_boundary(template: &Template, role: &str, boundary: Option<&Value>) -> Result<(), NotUnderstood> {
    let property = json!({ "PermissionsBoundary": boundary });
    let resolved = template.resolve(&property, &|_| None);
    let resolved = resolved.map_err(|error| NotUnderstood(format!("{role}: {error}")))?;
    if resolved["PermissionsBoundary"].is_null() {
        Ok(())
    } else {
        Err(NotUnderstood(format!("PermissionsBoundary of {role}")))
    }
}

/// Returns the name of the function's program, such as `get-credentials`, which is also the function's name.
fn program(function: &Value) -> String {
    function["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap_or_default().to_owned()
}
