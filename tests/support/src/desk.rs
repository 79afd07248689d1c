//! Requests of operators at the support desk. [`Call::routed`] finds the function of each.

use domain::{EmailAddress, Principal};
use serde_json::{Value, json};

use crate::{
    Api, Call,
    specification::{DeskAct, Label, reason},
    table::address,
};

/// The names of what acts of operators are about.
pub struct Scope<'a> {
    /// The id of the subscription.
    pub subscription: &'a str,
    /// The id of the company, in which the user names end.
    pub company: &'a str,
    /// The id of the company in the addresses of [`address`].
    pub people: &'a str,
}

/// Returns the function that carries out an act of the specification, and its request without the operator. `approval_id` returns the id of
/// the approval that the click of a key has asked for.
#[must_use]
pub fn request(
    scope: &Scope<'_>,
    key: Label,
    act: DeskAct,
    approval_id: impl Fn(Label) -> String,
) -> (&'static str, Call) {
    let Scope { subscription, company, people } = scope;
    let reason = &reason(key);
    let call = match act {
        DeskAct::Reissue { issue, to: None, .. } => reissue(subscription, issue, reason),
        DeskAct::Reissue { issue, to: Some(person), keeps_old_address } => {
            reissue_to(subscription, issue, reason, &address(person, people), keeps_old_address)
        }
        DeskAct::Decide { approval, approves } => {
            let decision = if approves { "approve" } else { "reject" };
            decide(subscription, &approval_id(approval), decision, reason)
        }
        DeskAct::AddPortalUser { person } => add_portal_user(subscription, &address(person, people), reason),
        DeskAct::RemovePortalUser { person } => remove_portal_user(subscription, &address(person, people), reason),
        DeskAct::Unlock { who } => unlock(&format!("{who}@{company}"), reason),
    };
    let (function, call) = call.routed(Api::Desk);
    (function.name(), call.key(key))
}

/// Describes the body of an answer to an act that was carried out, in the specification's terms.
#[must_use]
pub fn describe(key: Label, act: DeskAct, body: &Value, approval_id: impl Fn(Label) -> String) -> String {
    let is_approval = |asked: Label| body["approval"] == approval_id(asked);
    match act {
        DeskAct::Reissue { .. } | DeskAct::AddPortalUser { .. } if is_approval(key) => format!("approval {key}"),
        DeskAct::Reissue { .. } if body["issue"].is_u64() => format!("issue {}", body["issue"]),
        DeskAct::Decide { approval, .. } if is_approval(approval) => {
            body["outcome"].as_str().unwrap_or("no outcome").to_owned()
        }
        _ if *body == json!({}) => String::new(),
        _ => format!("another answer: {body}"),
    }
}

/// `POST /desk/api/subscriptions/{subscription}/reissues`: the start of the issue after `issue`.
#[must_use]
pub fn reissue(subscription: &str, issue: u64, reason: &str) -> Call {
    reissue_with(subscription, &json!({ "if_issue": issue, "reason": reason }))
}

/// The same, whose mail goes to another address.
#[must_use]
pub fn reissue_to(subscription: &str, issue: u64, reason: &str, email: &str, keeps_old_address: bool) -> Call {
    let body = json!({ "if_issue": issue, "reason": reason, "email": email, "keep_old_address": keeps_old_address });
    reissue_with(subscription, &body)
}

fn reissue_with(subscription: &str, body: &Value) -> Call {
    post_to(subscription, "/reissues").json(body)
}

/// `POST /desk/api/subscriptions/{subscription}/approvals/{approval}`: the decision on an approval.
#[must_use]
pub fn decide(subscription: &str, approval: &str, decision: &str, reason: &str) -> Call {
    let call = post_to(subscription, &format!("/approvals/{approval}"));
    call.json(&json!({ "decision": decision, "reason": reason }))
}

/// `POST /desk/api/subscriptions/{subscription}/portal-users`: the addition of a portal user by their address.
#[must_use]
pub fn add_portal_user(subscription: &str, email: &str, reason: &str) -> Call {
    post_to(subscription, "/portal-users").json(&json!({ "email": email, "reason": reason }))
}

/// `POST /desk/api/subscriptions/{subscription}/portal-users/{principal}/removal`: the removal of a portal user by their address.
#[must_use]
pub fn remove_portal_user(subscription: &str, email: &str, reason: &str) -> Call {
    let principal = Principal::email(&EmailAddress::parse(email).unwrap()).to_string();
    let call = post_to(subscription, &format!("/portal-users/{principal}/removal"));
    call.json(&json!({ "reason": reason }))
}

/// `POST /desk/api/accounts/{user_name}/unlock`: the unlocking of an account.
#[must_use]
pub fn unlock(user_name: &str, reason: &str) -> Call {
    let call = change(Call::post(&format!("/desk/api/accounts/{user_name}/unlock")));
    call.json(&json!({ "reason": reason }))
}

fn post_to(subscription: &str, rest: &str) -> Call {
    change(Call::post(&format!("/desk/api/subscriptions/{subscription}{rest}")))
}

/// Adds what a browser says of a change that a page of the desk requests.
fn change(call: Call) -> Call {
    call.header("sec-fetch-site", "same-origin")
}
