//! Requests of operators at the support desk. [`Call::routed`] finds the function of each.

use domain::{EmailAddress, Principal};
use serde_json::{Value, json};

use crate::Call;

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
