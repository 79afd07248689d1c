//! The invariants of the protocol, by their numbers, which hold at the end however processes died. Each has its own function, which
//! returns the violations of one customer.
//!
//! Invariant 7, the budgets of attempts, is tested in `it/attempts.rs`: one write spends an attempt, and a process that dies after it has
//! spent the attempt.

mod desk;
mod product;
pub(crate) mod team;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use cloud::{DeadLetter, Mail, Published};
use domain::{Caller, EmailAddress, Publication, RetrievalId};
use provider::Person;
use serde_json::Value;
use support::{Call, secrets::SecretScanner, table::Table};

use crate::{
    customers::{Customer, World},
    injector::Called,
    observations::{Click, SignIn},
};

/// The state at the end: the answers that people got, and the stored items.
pub(crate) struct Aftermath<'a> {
    pub(crate) world: &'a World,
    table: Vec<Value>,
    /// The places in the table of the items of each partition, in the order of their sort keys.
    partitions: BTreeMap<String, Vec<usize>>,
    /// The places in the table of the accounts of each subscription.
    accounts: BTreeMap<String, Vec<usize>>,
    journal: &'a [Called],
    dead_letters: Vec<DeadLetter>,
    published: Vec<Published>,
    inbox: Vec<Mail>,
}

/// Pairs of a person or account and a secret or key that belongs to it.
type Pairs = BTreeSet<(String, String)>;

/// The number and name of an invariant, and the function that returns its violations.
type Check = (&'static str, fn(&Aftermath, &Customer) -> Vec<String>);

/// The invariants that are checked without further requests.
pub(crate) const ALL: [Check; 31] = [
    ("1 at most three clicks of an issue see its password", at_most_three_clicks_see_a_password),
    ("1 a retrieval is counted before it is unsealed", counting_precedes_unsealing),
    ("2 a click that was answered is counted once", a_click_is_counted_once),
    ("2 a retrieval is in the history once", a_retrieval_is_in_the_history_once),
    ("2 a click that was counted is not refused as exhausted", no_counted_click_is_refused_as_exhausted),
    ("3 nothing is shown after a sign-in was acknowledged", nothing_is_shown_after_a_sign_in),
    ("3 a sign-in ends the disclosure", a_sign_in_ends_the_disclosure),
    ("4 no stranger learns that a subscription exists", no_stranger_learns_anything),
    ("5 every issue is mailed, with one password", every_issue_is_mailed),
    ("5 no event and no renewal starts two issues", no_event_starts_two_issues),
    ("5 every round of a mail is sent", every_round_is_sent),
    ("5 a report on a mail is recorded", a_report_is_recorded),
    ("5 a reminder is ordered once", a_reminder_is_ordered_once),
    (
        "6 the service administrator is retired if and only if an administrator has signed in",
        a_sign_in_retires_the_service_administrator,
    ),
    ("11 an act of the desk is in the history once, with operator and reason", desk::an_act_is_in_the_history_once),
    ("11 every act of the desk is announced", desk::every_act_is_announced),
    ("12 after a reissue nothing of an earlier issue is shown", desk::nothing_is_shown_after_a_reissue),
    ("13 an approval is decided at most once, by another operator", desk::an_approval_is_decided_once),
    ("a portal user who was removed is refused", desk::a_removed_portal_user_is_refused),
    ("14 there is a way in, unless the subscription has ended", team::there_is_a_way_in),
    ("15 a password must be changed if and only if a colleague was shown it", team::a_shared_password_must_be_changed),
    ("15 a temporary password is shown only if it is stored", team::only_stored_passwords_are_shown),
    ("16 an end closes everything", team::an_end_closes_everything),
    ("a code for the product gives one token", product::a_code_gives_one_token),
    ("a second use of a code voids the token of the first", product::a_second_use_voids_the_token),
    ("a removal happens once and holds", team::a_removal_holds),
    ("one click creates one administrator", one_click_creates_one_administrator),
    ("the history has no gap and no duplicate", the_history_is_whole),
    ("every transition is published, always with one id", every_transition_is_published),
    ("every notice is mailed, and no retrieval is published without one", every_notice_is_mailed),
    ("no answer is an internal error", no_answer_is_internal),
];

impl<'a> Aftermath<'a> {
    pub(crate) async fn new(world: &'a World, journal: &'a [Called]) -> Self {
        let cloud = &world.processes.cloud;
        let table = cloud.dump_table().await.unwrap();
        let (dead_letters, published, inbox) = (cloud.dead_letters(), cloud.published(), cloud.inbox());
        let (mut partitions, mut accounts) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for (n, item) in table.iter().enumerate() {
            partitions.entry(text(item, "PK").to_owned()).or_default().push(n);
            if text(item, "SK") == "ACCOUNT" {
                accounts.entry(text(item, "subscription_id").to_owned()).or_default().push(n);
            }
        }
        for places in partitions.values_mut() {
            places.sort_by_key(|n| text(&table[*n], "SK"));
        }
        Self { world, table, partitions, accounts, journal, dead_letters, published, inbox }
    }

    /// Returns the items of a subscription whose sort key begins with `sort_key`, in order.
    fn items(&self, customer: &Customer, sort_key: &str) -> Vec<&Value> {
        let own = self.partitions.get(&format!("SUBSCRIPTION#{}", customer.id));
        let items = own.into_iter().flatten().map(|n| &self.table[*n]);
        items.filter(|item| text(item, "SK").starts_with(sort_key)).collect()
    }

    /// Returns the contents of the events that were published about a customer.
    fn published(&self, customer: &Customer) -> Vec<&Value> {
        let own = |detail: &&Value| detail["subscription_id"] == customer.id.as_str();
        self.published.iter().map(|event| &event.detail).filter(own).collect()
    }

    fn accounts(&self, customer: &Customer) -> Vec<&Value> {
        let own = self.accounts.get(&customer.id);
        own.into_iter().flatten().map(|n| &self.table[*n]).collect()
    }

    /// Returns whether the customer's event was handled; otherwise there is nothing to check.
    pub(crate) fn has_begun(&self, customer: &Customer) -> bool {
        !self.items(customer, "CREDENTIAL").is_empty()
    }

    /// Returns whether the subscription has ended and not started again.
    fn has_ended(&self, customer: &Customer) -> bool {
        self.credential(customer).get("ended_at").is_some()
    }

    /// Returns whether everything of the customer was to be deleted.
    pub(crate) fn is_purged(&self, customer: &Customer) -> bool {
        self.world.observed.purged.lock().unwrap().contains(&customer.id)
    }

    fn credential(&self, customer: &Customer) -> &Value {
        self.items(customer, "CREDENTIAL")[0]
    }

    fn issue(&self, customer: &Customer) -> u64 {
        number(&self.credential(customer)["issue"])
    }

    /// Returns the issue whose mail has this password.
    fn issue_with_password(&self, customer: &Customer, password: &str) -> Option<u64> {
        let mails = self.world.mails(customer);
        mails.into_iter().find(|(_, mailed)| mailed == password).map(|(issue, _)| issue)
    }

    /// Returns the history: for each entry the kind, the issue, the actor and the account.
    fn history(&self, customer: &Customer) -> Vec<(&str, u64, &str, &str)> {
        let entries = self.items(customer, "EVENT#").into_iter();
        entries
            .map(|entry| (text(entry, "what"), number(&entry["issue"]), text(entry, "by"), text(entry, "account")))
            .collect()
    }

    /// Returns the portal users' clicks, as pairs of person and key.
    fn clicks(&self, customer: &Customer) -> Pairs {
        let clicks = self.world.observed.clicks.lock().unwrap();
        let own = clicks.iter().filter(|click| click.subscription == customer.id && !click.stranger);
        own.map(|click| (click.person.clone(), click.key.clone())).collect()
    }

    /// Returns the clicks that were shown the password of `issue`.
    fn shown(&self, customer: &Customer, issue: u64) -> Pairs {
        let clicks = self.world.observed.clicks.lock().unwrap();
        let own = clicks.iter().filter(|click| click.subscription == customer.id);
        let shown = own.filter(|click| {
            click.shown.as_ref().is_some_and(|password| self.issue_with_password(customer, password) == Some(issue))
        });
        shown.map(|click| (click.person.clone(), click.key.clone())).collect()
    }

    /// Returns the retrieval id of a click, by the protocol's rule.
    fn retrieval_id(&self, person: &str, key: &str) -> String {
        let claims = self.world.processes.provider.claims(&Person::with_email(person));
        let text = |name: &str| claims[name].as_str().unwrap().to_owned();
        let caller = Caller::new(text("iss"), text("sub"), EmailAddress::parse(person), Vec::new());
        RetrievalId::from_click(&caller, key).as_str().to_owned()
    }

    /// Returns the retrieval ids that are counted in the current issue.
    fn counted(&self, customer: &Customer) -> BTreeSet<String> {
        let retrievals = self.credential(customer)["retrievals"]["M"].as_object().unwrap();
        retrievals.keys().cloned().collect()
    }

    /// Returns the time of the first acknowledged sign-in with the password of `issue`.
    fn signed_in_at(&self, customer: &Customer, issue: u64) -> Option<Instant> {
        let service = customer.service();
        let sign_ins = self.world.observed.sign_ins.lock().unwrap();
        let acknowledged = sign_ins.iter().filter(|one| one.user_name == service && one.session.is_some());
        let own = acknowledged.filter(|one| self.issue_with_password(customer, &one.password) == Some(issue));
        own.map(|one| one.answered).min()
    }
}

fn text<'v>(item: &'v Value, name: &str) -> &'v str {
    item[name]["S"].as_str().unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    value["N"].as_str().unwrap().parse().unwrap()
}

fn at_most_three_clicks_see_a_password(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let mut wrong = Vec::new();
    for issue in 1..=after.issue(customer) {
        let shown = after.shown(customer, issue);
        if shown.len() > 3 {
            wrong.push(format!("issue {issue} was shown to {shown:?}"));
        }
    }
    wrong
}

fn counting_precedes_unsealing(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let own = |call: &&Called| call.process.starts_with("get-credentials@") && call.event.contains(&customer.id);
    let mut calls: Vec<_> = after.journal.iter().filter(own).collect();
    // The sort is stable: the calls of one process stay in order.
    calls.sort_by_key(|call| &call.process);
    calls.dedup_by_key(|call| &call.invocation);
    let counted = |call: &Called| call.call.starts_with("UpdateItem CREDENTIAL");
    let unsealed = calls.iter().enumerate().filter(|(_, call)| call.call == "Decrypt");
    let wrong = unsealed.filter(|(n, call)| {
        let before = n.checked_sub(1).map(|before| calls[before]);
        before.is_none_or(|before| before.process != call.process || !counted(before))
    });
    wrong.map(|(_, call)| format!("{} unsealed a password without counting the retrieval", call.process)).collect()
}

fn a_click_is_counted_once(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let (mut wrong, clicks) = (Vec::new(), after.clicks(customer));
    let ids = |clicks: &Pairs| clicks.iter().map(|(who, key)| after.retrieval_id(who, key)).collect::<BTreeSet<_>>();
    let (known, counted) = (ids(&clicks), after.counted(customer));
    if !counted.is_subset(&known) || counted.len() > 3 {
        wrong.push(format!("the counted ids are {counted:?}, but the clicks were {known:?}"));
    }
    let shown = ids(&after.shown(customer, after.issue(customer)));
    if !shown.is_subset(&counted) {
        wrong.push(format!("the password was shown to {shown:?}, but the counted ids are {counted:?}"));
    }
    wrong
}

/// Checks the issues whose retrieval has ended: their entries have moved into the history.
fn a_retrieval_is_in_the_history_once(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let (mut wrong, clicks, history) = (Vec::new(), after.clicks(customer), after.history(customer));
    let current = after.issue(customer);
    let ended =
        |issue: u64| issue < current || history.iter().any(|(what, at, ..)| *what == "signed-in" && *at == issue);
    for issue in (1..=current).filter(|issue| ended(*issue)) {
        let entries: Vec<_> = history.iter().filter(|(what, at, ..)| *what == "retrieved" && *at == issue).collect();
        let shown = after.shown(customer, issue);
        for person in clicks.iter().map(|(person, _)| person).collect::<BTreeSet<_>>() {
            let count = |clicks: &Pairs| clicks.iter().filter(|(who, _)| who == person).count();
            let entered = entries.iter().filter(|(_, _, by, _)| by == person).count();
            if entered < count(&shown) || entered > count(&clicks) {
                wrong.push(format!(
                    "{person} was shown issue {issue} {} times, but has {entered} entries",
                    count(&shown)
                ));
            }
        }
        if entries.len() > 3 || (issue == current && entries.len() != after.counted(customer).len()) {
            wrong.push(format!("issue {issue} has {} entries: {:?}", entries.len(), after.counted(customer)));
        }
    }
    wrong
}

fn no_counted_click_is_refused_as_exhausted(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let counted = after.counted(customer);
    let clicks = after.world.observed.clicks.lock().unwrap();
    let own: Vec<_> = clicks.iter().filter(|click| click.subscription == customer.id).collect();
    let current = Some(after.issue(customer));
    let shown = |click: &&&Click| {
        click.shown.as_ref().is_some_and(|password| after.issue_with_password(customer, password) == current)
    };
    // A click before the first disclosure may have been answered about the previous issue.
    let Some(begun) = own.iter().filter(shown).map(|click| click.answered).min() else { return Vec::new() };
    let refused = own.iter().filter(|click| !click.reasons.is_empty() && click.asked > begun);
    let exhausted = refused.filter(|click| click.reasons.iter().all(|reason| reason.starts_with("retrieved-")));
    let wrong = exhausted.filter(|click| counted.contains(&after.retrieval_id(&click.person, &click.key)));
    wrong
        .map(|click| {
            format!(
                "{}'s click with the key {} was counted, but refused with {:?}",
                click.person, click.key, click.reasons
            )
        })
        .collect()
}

fn nothing_is_shown_after_a_sign_in(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let clicks = after.world.observed.clicks.lock().unwrap();
    let shown = clicks.iter().filter(|click| click.subscription == customer.id);
    let mut wrong = Vec::new();
    for click in shown {
        let Some(password) = &click.shown else { continue };
        let Some(issue) = after.issue_with_password(customer, password) else {
            wrong.push(format!("{} was shown a password that is in no mail", click.person));
            continue;
        };
        let next = (issue + 1..=after.issue(customer)).next().and_then(|next| after.signed_in_at(customer, next));
        let ended = after.signed_in_at(customer, issue).into_iter().chain(next).min();
        if ended.is_some_and(|ended| ended < click.asked) {
            wrong.push(format!("{} was shown the password of issue {issue} after a sign-in with it", click.person));
        }
    }
    wrong
}

fn a_sign_in_ends_the_disclosure(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let accounts = after.accounts(customer);
    let service = accounts.iter().find(|account| account["role"]["S"] == "service-administrator");
    let version = service.map(|service| &service["version"]);
    let own = |item: &&Value| {
        item["SK"]["S"] == "SESSION"
            && text(item, "account") == customer.service()
            && text(item, "scope") == "reset-password"
            && Some(&item["account_version"]) == version
    };
    let sessions = after.table.iter().filter(own).count();
    let disclosed = after.credential(customer).get("signed_in_at").is_none();
    let wrong = disclosed && sessions > 0;
    wrong.then(|| format!("{sessions} sessions have begun, but the password is still shown")).into_iter().collect()
}

fn no_stranger_learns_anything(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let clicks = after.world.observed.clicks.lock().unwrap();
    let strange = clicks.iter().filter(|click| click.subscription == customer.id && click.stranger);
    let statuses = strange.filter_map(|click| click.status).filter(|status| ![404, 503].contains(status));
    statuses.map(|status| format!("a stranger was answered {status}")).collect()
}

fn every_issue_is_mailed(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let (mails, mut wrong) = (after.world.mails(customer), Vec::new());
    let current = after.issue(customer);
    let item = after.items(customer, "MAIL")[0];
    let status = text(item, "status");
    let needed = after.credential(customer).get("signed_in_at").is_none() && !after.has_ended(customer);
    let is_sent = ["sent", "delivered"].contains(&status);
    if number(&item["issue"]) != current || !(is_sent || status == "not-needed" && !needed) {
        wrong.push(format!("the mail of issue {current} is {status}"));
    }
    let expected = after.world.observed.expected.lock().unwrap();
    let waited = expected.iter().filter(|(who, _)| *who == customer.id).map(|(_, issue)| *issue).max();
    for issue in 1..=current {
        let passwords: BTreeSet<_> =
            mails.iter().filter(|(mailed, _)| *mailed == issue).map(|(_, password)| password).collect();
        let superfluous = issue == current && status == "not-needed";
        if passwords.len() > 1 || passwords.is_empty() && !superfluous {
            wrong.push(format!("issue {issue} was mailed with {} passwords", passwords.len()));
        }
    }
    if waited > Some(current) {
        wrong.push(format!("people waited for issue {waited:?}, but the current one is {current}"));
    }
    let lost = after.dead_letters.iter().filter(|letter| letter.body.to_string().contains(&customer.id));
    wrong.extend(lost.map(|letter| format!("{} gave up: {}", letter.queue.name(), letter.reason)));
    wrong
}

fn every_transition_is_published(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let published = after.published(customer);
    let (mut contents, mut by_seq, mut wrong) = (BTreeMap::new(), BTreeMap::<u64, BTreeSet<&str>>::new(), Vec::new());
    for detail in &published {
        let id = detail["event_id"].as_str().unwrap();
        if contents.insert(id, *detail).is_some_and(|before| before != *detail) {
            wrong.push(format!("two contents have the id {id}"));
        }
        if let Some(seq) = detail["seq"].as_u64() {
            by_seq.entry(seq).or_default().insert(id);
        }
    }
    for (entry, seq) in after.items(customer, "EVENT#").into_iter().zip(1..) {
        let expected = usize::from(matches!(Publication::from_code(text(entry, "what")), Publication::Published(_)));
        let ids = by_seq.get(&seq).map_or(0, BTreeSet::len);
        if ids != expected {
            wrong.push(format!("entry {seq}, {}, has {ids} ids", text(entry, "what")));
        }
    }
    let recorded = after.history(customer).iter().filter(|(what, ..)| *what == "retrieved").count();
    let is_recorded = after.credential(customer).get("signed_in_at").is_some();
    let retrieved = recorded + if is_recorded { 0 } else { after.counted(customer).len() };
    let told = contents.values().filter(|detail| detail["seq"].is_null() && detail["status"].is_null()).count();
    if told != retrieved {
        wrong.push(format!("{retrieved} retrievals were counted, and {told} published"));
    }
    wrong
}

fn every_notice_is_mailed(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let mut wrong = Vec::new();
    let notices = after.items(customer, "MAIL#notice#");
    for notice in &notices {
        let id = text(notice, "SK").trim_start_matches("MAIL#notice#");
        let tag = format!("notice-{id}");
        let mails = after.inbox.iter().filter(|mail| mail.tags["mail"] == tag);
        if text(notice, "status") != "sent" || mails.clone().count() == 0 {
            wrong.push(format!("the notice {id} is {} and was mailed {} times", text(notice, "status"), mails.count()));
        }
    }
    for detail in after.published(customer).into_iter().filter(|detail| detail["who"]["role"] == "customer") {
        let id = detail["event_id"].as_str().unwrap();
        let is_ordered = notices.iter().any(|notice| text(notice, "SK").contains(id));
        // A renewal has a mail of its own.
        if detail["seq"].is_null() && !is_ordered {
            wrong.push(format!("the retrieval {id} is published, and no notice of it ordered"));
        }
    }
    wrong
}

fn no_event_starts_two_issues(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let mut wrong = Vec::new();
    let (issue, handled) = (after.issue(customer), after.items(customer, "STARTED#").len() as u64);
    let count = |kind: &str| after.history(customer).iter().filter(|(what, ..)| *what == kind).count() as u64;
    let (issued, renewed, reissued) = (count("issued"), count("renewed"), count("reissued"));
    if issue != handled + renewed + reissued || handled != issued || handled + renewed > 2 || reissued > 2 {
        let numbers = format!("the history has {issued} of them, {renewed} renewals and {reissued} reissues");
        wrong.push(format!("issue {issue}, {handled} events have started one, {numbers}"));
    }
    let renewals = after.credential(customer).get("renewals").map_or(0, number);
    let told = after.world.observed.renewed.lock().unwrap();
    let told: BTreeSet<_> = told.iter().filter(|(who, _)| *who == customer.id).map(|(_, issue)| *issue).collect();
    if renewals != renewed || told.iter().any(|issue| *issue != 2) || (!told.is_empty() && renewed != 1) {
        wrong.push(format!("{renewals} renewals, the history has {renewed}, people were told of issues {told:?}"));
    }
    let services = after.accounts(customer).iter().filter(|item| item["role"]["S"] == "service-administrator").count();
    if services != 1 {
        wrong.push(format!("{services} service administrators"));
    }
    wrong
}

/// Checks that the history has each order of a mail, and that the mails of an issue that is not over carry every round.
fn every_round_is_sent(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let mut wrong = Vec::new();
    let item = after.items(customer, "MAIL")[0];
    let (current, round) = (after.issue(customer), item.get("round").map_or(0, number));
    let history = after.history(customer);
    let ordered =
        |issue: u64| history.iter().filter(|(what, at, ..)| *what == "mail-resent" && *at == issue).count() as u64;
    if ordered(current) != round {
        wrong.push(format!("the mail is in round {round}, but was ordered again {} times", ordered(current)));
    }
    let told = after.world.observed.resent.lock().unwrap().contains(&customer.id);
    let all: u64 = (1..=current).map(ordered).sum();
    if all > 1 || (told && all == 0) {
        wrong.push(format!("the mail was ordered again {all} times by clicks within a minute, acknowledged: {told}"));
    }
    let rounds = after.world.rounds(customer);
    for issue in 1..=current {
        // An order that is overtaken by the next issue is not carried out.
        let needed = issue == current && text(item, "status") != "not-needed";
        let missing: Vec<_> = (0..=ordered(issue)).filter(|round| !rounds.contains(&(issue, *round))).collect();
        if needed && !missing.is_empty() {
            wrong.push(format!("rounds {missing:?} of issue {issue} were not sent"));
        }
    }
    wrong
}

fn a_report_is_recorded(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let item = after.items(customer, "MAIL")[0];
    let mail = (customer.id.clone(), number(&item["issue"]), item.get("round").map_or(0, number));
    let is_reported = after.world.observed.delivered.lock().unwrap().contains(&mail);
    let wrong = is_reported && !["delivered", "not-needed"].contains(&text(item, "status"));
    wrong.then(|| format!("{mail:?} was delivered, but is {}", text(item, "status"))).into_iter().collect()
}

fn a_reminder_is_ordered_once(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let ran = after.world.observed.reminded.lock().unwrap().contains(&customer.id);
    let reminders = after.items(customer, "MAIL#reminder#");
    let key = format!("SUBSCRIPTION#{}#1", customer.id);
    let now = after.world.processes.cloud.clock().epoch_seconds();
    let is_due = |item: &&Value| item["SK"]["S"] == key.as_str() && number(&item["due_at"]) <= now.unsigned_abs();
    let left = after.table.iter().filter(is_due).count();
    let settled = reminders.iter().all(|mail| ["sent", "not-needed"].contains(&text(mail, "status")));
    let wrong = reminders.len() > 1 || !settled || (ran && (left > 0 || reminders.is_empty()));
    let what = format!("a run has ended: {ran}; reminders: {}, settled: {settled}, due: {left}", reminders.len());
    wrong.then_some(what).into_iter().collect()
}

fn the_history_is_whole(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let (entries, mut wrong) = (after.items(customer, "EVENT#"), Vec::new());
    for (n, entry) in entries.iter().enumerate() {
        if entry["SK"]["S"] != format!("EVENT#{:010}", n + 1) {
            wrong.push(format!("entry {} is missing", n + 1));
        }
    }
    if number(&after.credential(customer)["seq"]) != entries.len() as u64 {
        wrong.push(format!(
            "the credential has seq {}, but there are {} entries",
            after.credential(customer)["seq"],
            entries.len()
        ));
    }
    let history = after.history(customer);
    let often = ["retrieved", "password-changed", "administrator-reset"];
    let once: Vec<_> = history.iter().filter(|(what, ..)| !often.contains(what)).collect();
    let different: BTreeSet<_> = once.iter().collect();
    if once.len() != different.len() {
        wrong.push(format!("the history has duplicates: {once:?}"));
    }
    let made = history.iter().filter(|(what, ..)| *what == "administrator-created").count();
    let listed = after.items(customer, "ADMINISTRATOR#").len();
    if made != listed {
        wrong.push(format!("{made} administrators were created, but {listed} are listed"));
    }
    wrong
}

fn a_sign_in_retires_the_service_administrator(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let accounts = after.accounts(customer);
    let signed_in = accounts.iter().any(|account| account.get("first_signed_in_at").is_some());
    let service = accounts.iter().find(|account| account["role"]["S"] == "service-administrator");
    let retired = service.is_some_and(|service| text(service, "status") == "retired");
    let sign_ins = after.world.observed.sign_ins.lock().unwrap();
    let own = sign_ins.iter().filter(|one| one.user_name.ends_with(customer.account("").as_str()));
    let acknowledged = own.filter(|one| one.user_name != customer.service()).any(|one| one.session.is_some());
    // A later start makes the account active again, and an end closes it.
    let wrong = !customer.ends() && (retired != signed_in || acknowledged && !signed_in);
    let what = format!("retired: {retired}; an administrator has signed in: {signed_in}, acknowledged: {acknowledged}");
    wrong.then_some(what).into_iter().collect()
}

fn one_click_creates_one_administrator(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let creations = after.world.observed.creations.lock().unwrap();
    let problems = after.world.observed.problems.lock().unwrap();
    let own = problems.iter().filter(|problem| problem.starts_with(&customer.id));
    // No other customer uses these names.
    let mut wrong: Vec<_> = own.filter(|problem| problem.contains("user-name-taken")).cloned().collect();
    for creation in creations.iter().filter(|one| one.user_name.ends_with(customer.account("").as_str())) {
        let Some(id) = &creation.account_id else { continue };
        let key = format!("ACCOUNT#{}", creation.user_name);
        let account = after.accounts(customer).into_iter().find(|account| text(account, "PK") == key);
        if account.is_none_or(|account| text(account, "account_id") != id) {
            wrong.push(format!("{} was created as {id}, but has another id", creation.user_name));
        }
    }
    wrong
}

fn no_answer_is_internal(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let problems = after.world.observed.problems.lock().unwrap();
    let own = problems.iter().filter(|problem| problem.starts_with(&customer.id));
    own.filter(|problem| problem.contains("\"internal\"")).cloned().collect()
}

/// Checks invariant 6: an administrator can sign in, or the service administrator can and creates one, unless the subscription has ended.
pub(crate) async fn an_administrator_can_sign_in(world: &World, customer: &Customer) -> Vec<String> {
    if world.is_over(customer).await {
        return Vec::new();
    }
    world.finish_story(customer).await.err().into_iter().collect()
}

/// Checks invariant 8: passwords and sessions from before a change of the password or before another issue have no effect; once an
/// administrator has signed in, neither do those of the service administrator.
pub(crate) async fn void_secrets_have_no_effect(world: &World, customer: &Customer, over: &VoidSecrets) -> Vec<String> {
    let mut wrong = Vec::new();
    for (user_name, password) in &over.passwords {
        if world.sign_in(customer, user_name, password).await.is_some() {
            wrong.push(format!("{user_name} signs in with a void password"));
        }
    }
    for (user_name, session) in &over.sessions {
        // A valid session may not create another company's account either, but that answer has another status.
        let probe = Call::create_admin(session, "nobody@elsewhere", "a password for nobody at all");
        let answer = world.call_until_answered(customer, "create-admin", &probe, |_| ()).await;
        if answer.as_ref().is_none_or(|answer| answer.status != 401) {
            let status = answer.map(|answer| answer.status);
            wrong.push(format!("a void session of {user_name} is answered {status:?}"));
        }
    }
    wrong
}

/// Void passwords and sessions, each with its user name.
pub(crate) struct VoidSecrets {
    passwords: Pairs,
    sessions: Pairs,
}

impl VoidSecrets {
    /// Removes the secrets that `other` has.
    pub(crate) fn without(mut self, other: &Self) -> Self {
        self.passwords.retain(|pair| !other.passwords.contains(pair));
        self.sessions.retain(|pair| !other.sessions.contains(pair));
        self
    }
}

/// The reasons why more than what was replaced is void.
#[derive(Clone, Copy)]
pub(crate) struct Void {
    /// An administrator has signed in, so that the service administrator is retired.
    pub(crate) signed_in: bool,
    /// The subscription has ended, and everything is void.
    pub(crate) is_over: bool,
}

/// Returns a customer's void passwords and sessions; if an administrator has signed in, also all of the service administrator's.
pub(crate) fn void_secrets(world: &World, customer: &Customer, void: Void) -> VoidSecrets {
    let (service, own) = (customer.service(), |name: &str| name.ends_with(customer.account("").as_str()));
    let mails = world.mails(customer);
    let last = mails.iter().map(|(issue, _)| *issue).max();
    let (sign_ins, resets) = (world.observed.sign_ins.lock().unwrap(), world.observed.resets.lock().unwrap());
    let signed_out: BTreeSet<_> = world.observed.signed_out.lock().unwrap().iter().cloned().collect();
    let mut passwords: Pairs = resets
        .iter()
        .filter(|reset| own(&reset.user_name) && reset.session.is_some())
        .map(|reset| (reset.user_name.clone(), reset.from.clone()))
        .collect();
    let superseded = mails.iter().filter(|(issue, _)| Some(*issue) < last || void.is_over);
    passwords.extend(superseded.map(|(_, password)| (service.clone(), password.clone())));
    if last == Some(3) {
        // The third issue replaces the password that was chosen with the second one.
        passwords.insert((service.clone(), customer.choice(&service, 0)));
    }
    let is_void = |one: &SignIn| {
        own(&one.user_name)
            && (void.is_over
                || (void.signed_in && one.user_name == service)
                || world.void_since(customer, &one.user_name).is_some_and(|since| one.answered < since))
    };
    passwords
        .extend(sign_ins.iter().filter(|one| is_void(one)).map(|one| (one.user_name.clone(), one.password.clone())));
    let begun = sign_ins.iter().map(|one| (&one.user_name, &one.password, &one.session));
    let begun = begun.chain(resets.iter().map(|one| (&one.user_name, &one.to, &one.session)));
    let is_void = |name: &String, password: &String, session: &String| {
        void.is_over || passwords.contains(&(name.clone(), password.clone())) || signed_out.contains(session)
    };
    let sessions = begun.filter(|(name, ..)| own(name)).filter_map(|(name, password, session)| {
        let session = session.as_ref()?;
        is_void(name, password, session).then(|| (name.clone(), session.clone()))
    });
    let sessions = sessions.collect();
    VoidSecrets { passwords, sessions }
}

impl World {
    /// Returns the time of what made everything of an account void: a colleague has reset the password or removed the account, or
    /// the subscription has ended.
    fn void_since(&self, customer: &Customer, user_name: &str) -> Option<Instant> {
        let handouts = self.observed.handouts.lock().unwrap();
        let handouts = handouts.iter().filter(|one| one.user_name == user_name && one.password.is_some());
        let ended = self.observed.ended.lock().unwrap();
        let ended = ended.iter().filter(|(id, _)| *id == customer.id).map(|(_, at)| *at);
        let dismissed = self.observed.dismissed.lock().unwrap();
        let dismissed = dismissed.iter().filter(|(who, _)| who == user_name).map(|(_, at)| *at);
        handouts.map(|one| one.asked).chain(ended).chain(dismissed).max()
    }
}

/// Checks that the table has the provider's keys of a run during the load, however often `refresh-keys` died, and that a new process of another
/// function verifies a token with them alone. It stops the provider.
pub(crate) async fn the_keys_are_usable(world: &World) -> Vec<String> {
    let processes = &world.processes;
    let table = Table::connect(&processes.cloud.aws_url(), "test");
    let stored = match table.keys_fetched_at(&processes.provider).await {
        Ok(at) if at <= world.first_keys_fetched_at => Some("no run of refresh-keys has succeeded".to_owned()),
        stored => stored.err(),
    };
    processes.provider.stop();
    processes.end_idle();
    let call = Call::get("/subscriptions").bearer(&processes.token("dana@elsewhere.example"));
    let answer = processes.call("list-subscriptions", call).await;
    let is_listed = answer.as_ref().is_ok_and(|answer| answer.status == 200);
    let refused = (!is_listed).then(|| format!("with the provider down, a list is answered {answer:?}"));
    stored.into_iter().chain(refused).collect()
}

/// Checks invariant 9: no log line, problem document, dead letter or item of the table has a secret.
pub(crate) fn nothing_leaks(after: &Aftermath, output: &str) -> Vec<String> {
    let observed = &after.world.observed;
    let problems = observed.problems.lock().unwrap().join("\n");
    let letters = format!("{:?}", after.dead_letters);
    let table = serde_json::to_string(&after.table).unwrap();
    let bus = after.published.iter().map(|event| event.detail.to_string()).collect::<Vec<_>>().join("\n");
    let places = [
        ("the logs", output),
        ("a problem", &problems),
        ("a dead letter", &letters),
        ("the table", &table),
        ("the bus for published events", &bus),
    ];
    let scanner = SecretScanner::new(&observed.secrets());
    let found = places.iter().filter_map(|(place, text)| Some((place, scanner.find_in(text)?)));
    // The message shows only enough of the secret to recognise it.
    found.map(|(place, form)| format!("a secret in {place}: {}…", &form[..4])).collect()
}
