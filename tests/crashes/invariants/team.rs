//! The invariants of administrators, of the end, and of what is deleted.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Aftermath, text};
use crate::customers::Customer;

fn user_name(account: &Value) -> &str {
    text(account, "PK").trim_start_matches("ACCOUNT#")
}

fn is_service(account: &Value) -> bool {
    text(account, "role") == "service-administrator"
}

fn is_active(account: &Value) -> bool {
    text(account, "status") == "active"
}

pub(super) fn there_is_a_way_in(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let is_proven = |account: &Value| {
        is_active(account) && account.get("first_signed_in_at").is_some() && account["must_change"]["BOOL"] == false
    };
    let accounts = after.accounts(customer);
    let has_way_in = accounts.iter().any(|one| if is_service(one) { is_active(one) } else { is_proven(one) });
    let wrong = !has_way_in && !after.has_ended(customer);
    wrong.then(|| "no account can sign in for good".to_owned()).into_iter().collect()
}

/// Checks that a password must be changed exactly if a colleague was shown it: the history says who has set the last one.
pub(super) fn a_shared_password_must_be_changed(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let (history, service) = (after.history(customer), customer.service());
    let mut wrong = Vec::new();
    for account in after.accounts(customer).into_iter().filter(|account| !is_service(account)) {
        let name = user_name(account);
        let is_shared = history.iter().rev().find_map(|(what, _, by, of)| match *what {
            "administrator-created" if *of == name => Some(*by != service),
            "administrator-reset" if *of == name => Some(true),
            "password-changed" if *by == name => Some(false),
            _ => None,
        });
        let must_change = account["must_change"]["BOOL"].as_bool();
        if is_shared != must_change {
            wrong.push(format!("{name}: shared {is_shared:?}, must be changed {must_change:?}"));
        }
    }
    wrong
}

/// Checks that no more temporary passwords of an administrator were shown than were stored.
pub(super) fn only_stored_passwords_are_shown(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let handouts = after.world.observed.handouts.lock().unwrap();
    let (history, service) = (after.history(customer), customer.service());
    let mut wrong = Vec::new();
    for account in after.accounts(customer) {
        let name = user_name(account);
        let own = handouts.iter().filter(|handout| handout.user_name == name);
        let shown: BTreeSet<_> = own.filter_map(|handout| handout.password.as_ref()).collect();
        let is_stored = |(what, _, by, of): &&(&str, u64, &str, &str)| {
            *of == name && (*what == "administrator-reset" || (*what == "administrator-created" && *by != service))
        };
        let stored = history.iter().filter(is_stored).count();
        if shown.len() > stored {
            wrong.push(format!("{name}: {} passwords were shown, and {stored} stored", shown.len()));
        }
    }
    wrong
}

pub(super) fn a_removal_holds(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let history = after.history(customer);
    let dismissed = after.world.observed.dismissed.lock().unwrap();
    let mut wrong = Vec::new();
    for account in after.accounts(customer) {
        let name = user_name(account);
        let entered = history.iter().filter(|(what, _, _, of)| *what == "administrator-removed" && *of == name).count();
        let told = dismissed.iter().any(|(who, _)| who == name);
        if entered > 1 || (told && entered == 0) || (entered > 0 && is_active(account)) {
            let status = text(account, "status");
            wrong.push(format!("{name} is {status}, removed {entered} times, acknowledged {told}"));
        }
    }
    wrong
}

pub(super) fn an_end_closes_everything(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let is_ended = after.has_ended(customer);
    let told = after.world.observed.ended.lock().unwrap().iter().any(|(id, _)| *id == customer.id);
    let mut wrong = Vec::new();
    if !is_ended && !told {
        return wrong;
    }
    let former = ["lee", "mo"].map(|who| customer.account(who));
    for account in after.accounts(customer) {
        let is_former = former.iter().any(|former| former == user_name(account));
        if is_active(account) && (is_ended || is_former) {
            wrong.push(format!("{} is open after the end", user_name(account)));
        }
    }
    let credential = after.credential(customer);
    let is_complete = credential.get("closed_at").is_some() && credential.get("sealed_password").is_none();
    if is_ended && !is_complete {
        wrong.push("the end is not complete".to_owned());
    }
    let ends = after.history(customer).iter().filter(|(what, ..)| *what == "subscription-ended").count();
    if ends != 1 {
        wrong.push(format!("the history has {ends} ends"));
    }
    wrong
}

/// Checks a subscription that was deleted: only its life is left, so that an old start does not bring it back, and attempts at names that
/// never were its accounts. Those belong to no subscription, and expire.
pub(crate) fn nothing_is_left(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let own = format!("SUBSCRIPTION#{}", customer.id);
    let (suffix, part) = (customer.account(""), format!("{own}#"));
    let created = created_accounts(after, customer);
    let is_own = |key: &str| key == own || key.starts_with(&part);
    let is_account = |key: &str| key.strip_prefix("ACCOUNT#").is_some_and(|name| name.ends_with(suffix.as_str()));
    let has_attempts = |key: &str| key.strip_prefix("ATTEMPTS#").is_some_and(|name| created.contains(name));
    let keys = after.table.iter().map(|item| (text(item, "PK"), text(item, "SK")));
    let found = keys.filter(|(pk, sk)| is_own(pk) || is_own(sk) || is_account(pk) || has_attempts(pk));
    // The purge is 400 days early: a notice of the end may be ordered meanwhile, and the reminder is still due.
    let may_stay = |pk: &str, sk: &str| sk == "LIFE" || sk.starts_with("MAIL#notice#") || pk.starts_with("DUE#");
    let left = found.filter(|(pk, sk)| !may_stay(pk, sk));
    left.map(|(pk, sk)| format!("{pk} {sk} is left")).collect()
}

/// Returns the names of the customer's accounts: that of the service administrator, and those that a published event names. A person may have
/// given up before an account was created, and tried to sign in to it all the same.
fn created_accounts(after: &Aftermath, customer: &Customer) -> BTreeSet<String> {
    let published = after.published(customer).into_iter();
    let created = published.filter_map(|detail| detail["account"].as_str().map(str::to_owned));
    created.chain([customer.service()]).collect()
}
