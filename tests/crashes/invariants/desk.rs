//! The invariants of the support desk.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Aftermath, number, text};
use crate::customers::Customer;

/// Returns the entries of the history that an operator made.
fn entries<'a>(after: &'a Aftermath, customer: &Customer) -> Vec<&'a Value> {
    after.items(customer, "EVENT#").into_iter().filter(|entry| entry.get("reason").is_some()).collect()
}

/// Returns the reason of a click that decides what another one asked for: their keys differ by the end.
fn asked_with(reason: &str) -> Option<&str> {
    reason.strip_suffix("-decided")
}

pub(super) fn an_act_is_in_the_history_once(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let (mut wrong, all) = (Vec::new(), entries(after, customer));
    let acts = after.world.observed.acts.lock().unwrap();
    let count = |what: &str, by: &str, reason: &str| {
        let is_it =
            |entry: &&&Value| (text(entry, "what"), text(entry, "by"), text(entry, "reason")) == (what, by, reason);
        all.iter().filter(is_it).count()
    };
    for act in acts.iter().filter(|act| act.subscription == customer.id) {
        let made = count(act.what, &act.operator, &act.reason);
        // The act that was approved has the reason of the operator who asked.
        let approved = asked_with(&act.reason).map(|reason| {
            ["reissued", "portal-user-added"].map(|what| count(what, &act.operator, reason)).iter().sum::<usize>()
        });
        let is_done = act.answer.is_some();
        if made > 1 || (is_done && made == 0) || approved.is_some_and(|approved| approved != made) {
            let entries = format!("{made} entries, and {approved:?} of what was approved");
            wrong.push(format!("{}, {}, acknowledged {is_done}: {entries}", act.what, act.reason));
        }
    }
    let clicks: BTreeSet<_> = acts.iter().map(|act| (act.subscription.as_str(), act.reason.as_str())).collect();
    let is_strange = |entry: &&&Value| !clicks.contains(&(customer.id.as_str(), text(entry, "reason")));
    wrong.extend(all.iter().filter(is_strange).map(|entry| format!("no operator has asked for {entry}")));
    wrong
}

pub(super) fn every_act_is_announced(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let (published, notices) = (after.published(customer), after.items(customer, "MAIL#notice#"));
    let is_announced = |entry: &&&Value| {
        let seq: u64 = text(entry, "SK")["EVENT#".len()..].parse().unwrap();
        let ids =
            published.iter().filter(|detail| detail["seq"] == seq).filter_map(|detail| detail["event_id"].as_str());
        ids.into_iter().any(|id| notices.iter().any(|notice| text(notice, "SK").contains(id)))
    };
    let silent = entries(after, customer);
    let silent = silent.iter().filter(|entry| !is_announced(entry));
    silent.map(|entry| format!("no notice is ordered of {}, {}", text(entry, "what"), text(entry, "reason"))).collect()
}

pub(super) fn nothing_is_shown_after_a_reissue(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let clicks = after.world.observed.clicks.lock().unwrap();
    let sign_ins = after.world.observed.sign_ins.lock().unwrap();
    let reissued = after.world.observed.reissued.lock().unwrap();
    let mut wrong = Vec::new();
    for (_, issue, at) in reissued.iter().filter(|(id, ..)| *id == customer.id) {
        if *issue > after.issue(customer) {
            wrong.push(format!("issue {issue} was acknowledged, and the last one is {}", after.issue(customer)));
        }
        let is_old = |password: &String| after.issue_with_password(customer, password).is_some_and(|old| old < *issue);
        let later = clicks.iter().filter(|click| click.subscription == customer.id && click.asked > *at);
        let shown = later.filter(|click| click.shown.as_ref().is_some_and(is_old));
        wrong.extend(shown.map(|click| format!("{} was shown an issue before {issue}", click.person)));
        let later = sign_ins.iter().filter(|one| one.user_name == customer.service() && one.asked > *at);
        let admitted = later.filter(|one| one.session.is_some() && is_old(&one.password));
        wrong.extend(admitted.map(|one| format!("{} signed in with an issue before {issue}", one.user_name)));
    }
    wrong
}

pub(super) fn an_approval_is_decided_once(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let (mut wrong, all) = (Vec::new(), entries(after, customer));
    let count = |what: &str| all.iter().filter(|entry| text(entry, "what") == what).count();
    let (asked, decided) = (count("approval-requested"), count("approval-decided"));
    if decided > asked {
        wrong.push(format!("{asked} approvals were asked for, and {decided} decided"));
    }
    for approval in after.items(customer, "APPROVAL") {
        let (asked_by, decided_by) = (text(approval, "asked_by"), text(approval, "decided_by"));
        let copy = format!("{}.{}", customer.id, text(approval, "id"));
        let is_listed = after.table.iter().any(|item| item["SK"]["S"] == copy.as_str());
        let is_decided = approval.get("outcome").is_some();
        if asked_by == decided_by || is_listed == is_decided || (decided == asked) != is_decided {
            wrong.push(format!("asked for by {asked_by}, decided by {decided_by}, listed as pending: {is_listed}"));
        }
    }
    wrong
}

pub(super) fn a_removed_portal_user_is_refused(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let clicks = after.world.observed.clicks.lock().unwrap();
    let removed = after.world.observed.removed.lock().unwrap();
    let mut wrong = Vec::new();
    for (_, person, at) in removed.iter().filter(|(id, ..)| *id == customer.id) {
        let later = clicks.iter().filter(|click| {
            (&click.subscription, &click.person) == (&customer.id, person)
                && click.asked > *at
                && click.status.is_some()
        });
        let admitted = later.filter(|click| ![Some(404), Some(503)].contains(&click.status));
        wrong.extend(admitted.map(|click| format!("{person} was answered {:?} after their removal", click.status)));
        let users = after.credential(customer)["portal_users"]["BS"].as_array().map_or(0, Vec::len);
        let listed =
            after.items(customer, "PORTAL_USER#").iter().filter(|user| user.get("removed_at").is_none()).count();
        if users != listed || number(&after.credential(customer)["seq"]) == 0 {
            wrong.push(format!("the credential has {users} portal users, and {listed} are not removed"));
        }
    }
    wrong
}
