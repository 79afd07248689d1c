//! What holds afterwards, however processes died: the invariants of the protocol, by their numbers, each in a function of its own that
//! tells what is wrong with one customer.
//!
//! 7, the budgets of whoever guesses, is counted by `it/attempts.rs`: an attempt is spent by one write, and who dies after it has
//! spent it.

use std::{collections::BTreeSet, time::Instant};

use domain::{Caller, EmailAddress, RetrievalId};
use local::{cloud::DeadLetter, oidc::Person};
use serde_json::Value;
use support::{Call, canary::Canaries};

use crate::{
    customers::{Customer, World},
    injector::Called,
    seen::Click,
};

/// What is there when all is done: what people saw, and what is kept.
pub(crate) struct Aftermath<'a> {
    pub(crate) world: &'a World,
    table: Vec<Value>,
    journal: &'a [Called],
    dead_letters: Vec<DeadLetter>,
}

/// Of somebody and something that is theirs.
type Pairs = BTreeSet<(String, String)>;

/// Number, name, and what it finds.
type Check = (&'static str, fn(&Aftermath, &Customer) -> Vec<String>);

/// Those that are seen without asking anybody.
pub(crate) const ALL: [Check; 14] = [
    ("1 at most three clicks of an issue see its password", at_most_three_clicks_see_a_password),
    ("1 it is counted first, and unsealed second", it_is_counted_before_it_is_unsealed),
    ("2 a click that was answered is counted once", a_click_is_counted_once),
    ("2 a retrieval is in the history once", a_retrieval_is_told_once),
    ("2 nobody who took one is told that it is exhausted", nobody_is_told_that_their_own_is_too_many),
    ("3 nothing is shown after a sign-in was acknowledged", nothing_is_shown_after_a_sign_in),
    ("3 who has signed in has ended the disclosure", a_session_ends_the_disclosure),
    ("4 no stranger learns that a subscription exists", no_stranger_learns_anything),
    ("5 every issue is mailed, with one password", every_issue_is_mailed),
    ("5 no event makes two issues", no_event_makes_two_issues),
    ("6 who is retired has been replaced, and who is replaced is retired", who_is_replaced_is_retired),
    ("one click creates one administrator", one_click_creates_one_administrator),
    ("history has no gap and nothing twice", the_history_is_whole),
    ("no answer is an internal error", no_answer_is_internal),
];

impl<'a> Aftermath<'a> {
    pub(crate) async fn of(world: &'a World, journal: &'a [Called]) -> Self {
        let cloud = &world.processes.cloud;
        let table = cloud.dump_table().await.unwrap();
        Self { world, table, journal, dead_letters: cloud.dead_letters() }
    }

    /// The items of a subscription whose sort key begins so, in its order.
    fn items(&self, customer: &Customer, sort_key: &str) -> Vec<&Value> {
        let own = format!("SUBSCRIPTION#{}", customer.id);
        let key = |item: &Value| item["SK"]["S"].as_str().unwrap().to_owned();
        let mut items: Vec<_> =
            self.table.iter().filter(|item| item["PK"]["S"] == own && key(item).starts_with(sort_key)).collect();
        items.sort_by_key(|item| key(item));
        items
    }

    fn accounts(&self, customer: &Customer) -> Vec<&Value> {
        let own = |item: &&Value| item["SK"]["S"] == "ACCOUNT" && item["subscription_id"]["S"] == customer.id.as_str();
        self.table.iter().filter(own).collect()
    }

    /// Whether its event has been handled: without that there is nothing to look at.
    pub(crate) fn has_begun(&self, customer: &Customer) -> bool {
        !self.items(customer, "CREDENTIAL").is_empty()
    }

    fn credential(&self, customer: &Customer) -> &Value {
        self.items(customer, "CREDENTIAL")[0]
    }

    fn issue(&self, customer: &Customer) -> u64 {
        number(&self.credential(customer)["issue"])
    }

    /// The issue whose password this is, by its mail.
    fn issue_of(&self, customer: &Customer, password: &str) -> Option<u64> {
        let mails = self.world.mails(customer);
        mails.into_iter().find(|(_, mailed)| mailed == password).map(|(issue, _)| issue)
    }

    /// The history, each entry as what happened, in which issue, by whom and to whom.
    fn history(&self, customer: &Customer) -> Vec<(&str, u64, &str, &str)> {
        let entries = self.items(customer, "EVENT#").into_iter();
        entries
            .map(|entry| (text(entry, "what"), number(&entry["issue"]), text(entry, "by"), text(entry, "account")))
            .collect()
    }

    /// Who clicked with which key.
    fn clicks(&self, customer: &Customer) -> Pairs {
        let clicks = self.world.seen.clicks.lock().unwrap();
        let own = clicks.iter().filter(|click| click.subscription == customer.id && !click.stranger);
        own.map(|click| (click.person.clone(), click.key.clone())).collect()
    }

    /// Who clicked with which key, and was shown the password of `issue`.
    fn shown(&self, customer: &Customer, issue: u64) -> Pairs {
        let clicks = self.world.seen.clicks.lock().unwrap();
        let own = clicks.iter().filter(|click| click.subscription == customer.id);
        let shown = own.filter(|click| {
            click.shown.as_ref().is_some_and(|password| self.issue_of(customer, password) == Some(issue))
        });
        shown.map(|click| (click.person.clone(), click.key.clone())).collect()
    }

    /// The id of a click, as the protocol makes it.
    fn retrieval_id(&self, person: &str, key: &str) -> String {
        let claims = self.world.processes.provider.claims(&Person::with_email(person));
        let text = |name: &str| claims[name].as_str().unwrap().to_owned();
        let caller = Caller::new(text("iss"), text("sub"), EmailAddress::parse(person), Vec::new());
        RetrievalId::of_click(&caller, key).as_str().to_owned()
    }

    /// The ids that are counted for the current issue.
    fn counted(&self, customer: &Customer) -> BTreeSet<String> {
        let retrievals = self.credential(customer)["retrievals"]["M"].as_object().unwrap();
        retrievals.keys().cloned().collect()
    }

    /// When the service administrator knew that they had signed in with the password of `issue`.
    fn signed_in_at(&self, customer: &Customer, issue: u64) -> Option<Instant> {
        let service = customer.service();
        let sign_ins = self.world.seen.sign_ins.lock().unwrap();
        let acknowledged = sign_ins.iter().filter(|one| one.user_name == service && one.session.is_some());
        let own = acknowledged.filter(|one| self.issue_of(customer, &one.password) == Some(issue));
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

fn it_is_counted_before_it_is_unsealed(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let own = |call: &&Called| call.process.starts_with("get-credentials@") && call.event.contains(&customer.id);
    let mut calls: Vec<_> = after.journal.iter().filter(own).collect();
    // A stable order: the calls of one process stay in theirs.
    calls.sort_by_key(|call| &call.process);
    calls.dedup_by_key(|call| &call.invocation);
    let counted = |call: &Called| call.call.starts_with("UpdateItem CREDENTIAL");
    let unsealed = calls.iter().enumerate().filter(|(_, call)| call.call == "Decrypt");
    let wrong = unsealed.filter(|(n, call)| {
        let before = n.checked_sub(1).map(|before| calls[before]);
        before.is_none_or(|before| before.process != call.process || !counted(before))
    });
    wrong.map(|(_, call)| format!("{} unsealed what it had not counted", call.process)).collect()
}

fn a_click_is_counted_once(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let (mut wrong, clicks) = (Vec::new(), after.clicks(customer));
    let ids = |clicks: &Pairs| clicks.iter().map(|(who, key)| after.retrieval_id(who, key)).collect::<BTreeSet<_>>();
    let (known, counted) = (ids(&clicks), after.counted(customer));
    if !counted.is_subset(&known) || counted.len() > 3 {
        wrong.push(format!("counted are {counted:?}, and the clicks were {known:?}"));
    }
    let shown = ids(&after.shown(customer, after.issue(customer)));
    if !shown.is_subset(&counted) {
        wrong.push(format!("shown were {shown:?}, and counted are {counted:?}"));
    }
    wrong
}

/// Where retrieval has ended, its entries have moved into the history.
fn a_retrieval_is_told_once(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let (mut wrong, clicks, history) = (Vec::new(), after.clicks(customer), after.history(customer));
    let current = after.issue(customer);
    let ended =
        |issue: u64| issue < current || history.iter().any(|(what, of, ..)| *what == "signed-in" && *of == issue);
    for issue in (1..=current).filter(|issue| ended(*issue)) {
        let entries: Vec<_> = history.iter().filter(|(what, of, ..)| *what == "retrieved" && *of == issue).collect();
        let shown = after.shown(customer, issue);
        for person in clicks.iter().map(|(person, _)| person).collect::<BTreeSet<_>>() {
            let of = |clicks: &Pairs| clicks.iter().filter(|(who, _)| who == person).count();
            let entered = entries.iter().filter(|(_, _, by, _)| by == person).count();
            if entered < of(&shown) || entered > of(&clicks) {
                wrong.push(format!("{person} was shown issue {issue} {} times, and has {entered} entries", of(&shown)));
            }
        }
        if entries.len() > 3 || (issue == current && entries.len() != after.counted(customer).len()) {
            wrong.push(format!("issue {issue} has {} entries: {:?}", entries.len(), after.counted(customer)));
        }
    }
    wrong
}

fn nobody_is_told_that_their_own_is_too_many(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let counted = after.counted(customer);
    let clicks = after.world.seen.clicks.lock().unwrap();
    let own: Vec<_> = clicks.iter().filter(|click| click.subscription == customer.id).collect();
    let current = Some(after.issue(customer));
    let shown =
        |click: &&&Click| click.shown.as_ref().is_some_and(|password| after.issue_of(customer, password) == current);
    // What was asked before somebody was shown it may be about the issue before.
    let Some(begun) = own.iter().filter(shown).map(|click| click.answered).min() else { return Vec::new() };
    let told = own.iter().filter(|click| !click.reasons.is_empty() && click.asked > begun);
    let exhausted = told.filter(|click| click.reasons.iter().all(|reason| reason.starts_with("retrieved-")));
    let wrong = exhausted.filter(|click| counted.contains(&after.retrieval_id(&click.person, &click.key)));
    wrong
        .map(|click| format!("{} has one by the key {}, and was told {:?}", click.person, click.key, click.reasons))
        .collect()
}

fn nothing_is_shown_after_a_sign_in(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let clicks = after.world.seen.clicks.lock().unwrap();
    let shown = clicks.iter().filter(|click| click.subscription == customer.id);
    let mut wrong = Vec::new();
    for click in shown {
        let Some(password) = &click.shown else { continue };
        let Some(issue) = after.issue_of(customer, password) else {
            wrong.push(format!("{} was shown a password that no mail has", click.person));
            continue;
        };
        let next = (issue + 1..=after.issue(customer)).next().and_then(|next| after.signed_in_at(customer, next));
        let ended = after.signed_in_at(customer, issue).into_iter().chain(next).min();
        if ended.is_some_and(|ended| ended < click.asked) {
            wrong.push(format!("{} was shown issue {issue} after it was signed in with", click.person));
        }
    }
    wrong
}

fn a_session_ends_the_disclosure(after: &Aftermath, customer: &Customer) -> Vec<String> {
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
    wrong.then(|| format!("{sessions} sessions, and the password is still shown")).into_iter().collect()
}

fn no_stranger_learns_anything(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let clicks = after.world.seen.clicks.lock().unwrap();
    let strange = clicks.iter().filter(|click| click.subscription == customer.id && click.stranger);
    let told = strange.filter_map(|click| click.status).filter(|status| ![404, 503].contains(status));
    told.map(|status| format!("a stranger was answered {status}")).collect()
}

fn every_issue_is_mailed(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let (mails, mut wrong) = (after.world.mails(customer), Vec::new());
    let current = after.issue(customer);
    let item = after.items(customer, "MAIL")[0];
    let status = text(item, "status");
    let needed = after.credential(customer).get("signed_in_at").is_none();
    if number(&item["issue"]) != current || !(status == "sent" || status == "not-needed" && !needed) {
        wrong.push(format!("the mail of issue {current} is {status}"));
    }
    let expected = after.world.seen.expected.lock().unwrap();
    let waited = expected.iter().filter(|(who, _)| *who == customer.id).map(|(_, issue)| *issue).max();
    for issue in 1..=current {
        let passwords: BTreeSet<_> =
            mails.iter().filter(|(of, _)| *of == issue).map(|(_, password)| password).collect();
        let superfluous = issue == current && status == "not-needed";
        if passwords.len() > 1 || passwords.is_empty() && !superfluous {
            wrong.push(format!("issue {issue} was mailed with {} passwords", passwords.len()));
        }
    }
    if waited > Some(current) {
        wrong.push(format!("people waited for issue {waited:?}, and there is {current}"));
    }
    let lost = after.dead_letters.iter().filter(|letter| letter.body.to_string().contains(&customer.id));
    wrong.extend(lost.map(|letter| format!("{} gave up: {}", letter.queue.name(), letter.reason)));
    wrong
}

fn no_event_makes_two_issues(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let mut wrong = Vec::new();
    let (issue, handled) = (after.issue(customer), after.items(customer, "STARTED#").len() as u64);
    let issued = after.history(customer).iter().filter(|(what, ..)| *what == "issued").count() as u64;
    if issue != handled || issue != issued || issue > 2 {
        wrong.push(format!("issue {issue}, {handled} events have begun one, the history has {issued}"));
    }
    let services = after.accounts(customer).iter().filter(|item| item["role"]["S"] == "service-administrator").count();
    if services != 1 {
        wrong.push(format!("{services} service administrators"));
    }
    wrong
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
            "the credential has seq {}, of {} entries",
            after.credential(customer)["seq"],
            entries.len()
        ));
    }
    let history = after.history(customer);
    let once: Vec<_> = history.iter().filter(|(what, ..)| !["retrieved", "password-changed"].contains(what)).collect();
    let different: BTreeSet<_> = once.iter().collect();
    if once.len() != different.len() {
        wrong.push(format!("something happened twice: {once:?}"));
    }
    let made = history.iter().filter(|(what, ..)| *what == "administrator-created").count();
    let listed = after.items(customer, "ADMINISTRATOR#").len();
    if made != listed {
        wrong.push(format!("{made} administrators were created, and {listed} are listed"));
    }
    wrong
}

fn who_is_replaced_is_retired(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let accounts = after.accounts(customer);
    let signed_in = accounts.iter().any(|account| account.get("first_signed_in_at").is_some());
    let service = accounts.iter().find(|account| account["role"]["S"] == "service-administrator");
    let retired = service.is_some_and(|service| text(service, "status") == "retired");
    let sign_ins = after.world.seen.sign_ins.lock().unwrap();
    let own = sign_ins.iter().filter(|one| one.user_name.ends_with(customer.account("").as_str()));
    let told = own.filter(|one| one.user_name != customer.service()).any(|one| one.session.is_some());
    let wrong = retired != signed_in || told && !signed_in;
    let what = format!("retired: {retired}; an administrator has signed in: {signed_in}, and was told so: {told}");
    wrong.then_some(what).into_iter().collect()
}

fn one_click_creates_one_administrator(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let creations = after.world.seen.creations.lock().unwrap();
    let problems = after.world.seen.problems.lock().unwrap();
    let own = problems.iter().filter(|problem| problem.starts_with(&customer.id));
    // Nobody else wants these names.
    let mut wrong: Vec<_> = own.filter(|problem| problem.contains("user-name-taken")).cloned().collect();
    for creation in creations.iter().filter(|one| one.user_name.ends_with(customer.account("").as_str())) {
        let Some(id) = &creation.account_id else { continue };
        let key = format!("ACCOUNT#{}", creation.user_name);
        let account = after.accounts(customer).into_iter().find(|account| text(account, "PK") == key);
        if account.is_none_or(|account| text(account, "account_id") != id) {
            wrong.push(format!("{} was created as {id}, and is not it", creation.user_name));
        }
    }
    wrong
}

fn no_answer_is_internal(after: &Aftermath, customer: &Customer) -> Vec<String> {
    let problems = after.world.seen.problems.lock().unwrap();
    let own = problems.iter().filter(|problem| problem.starts_with(&customer.id));
    own.filter(|problem| problem.contains("\"internal\"")).cloned().collect()
}

/// 6: somebody can sign in, and go on to the end of the story; and only then is the service administrator retired.
pub(crate) async fn there_is_a_way_in(world: &World, customer: &Customer) -> Vec<String> {
    world.gets_home(customer).await.err().into_iter().collect()
}

/// 8: what was before a choice of a password, or before another issue, does nothing; once somebody is home, neither does anything of
/// the service administrator.
pub(crate) async fn what_is_over_does_nothing(world: &World, customer: &Customer, over: &Over) -> Vec<String> {
    let mut wrong = Vec::new();
    for (user_name, password) in &over.passwords {
        if world.sign_in(customer, user_name, password).await.is_some() {
            wrong.push(format!("{user_name} signs in with a password that is over"));
        }
    }
    for (user_name, session) in &over.sessions {
        // Nobody may create an account of another company: with a session it is another problem.
        let probe = Call::create_admin(session, "nobody@elsewhere", "a password for nobody at all");
        let answer = world.again(customer, "create-admin", &probe, |_| ()).await;
        if answer.as_ref().is_none_or(|answer| answer.status != 401) {
            let status = answer.map(|answer| answer.status);
            wrong.push(format!("a session of {user_name} that is over is answered {status:?}"));
        }
    }
    wrong
}

/// Passwords and sessions that are over, each with its user name.
pub(crate) struct Over {
    passwords: Pairs,
    sessions: Pairs,
}

impl Over {
    /// Those that this one has and `other` has not.
    pub(crate) fn but(mut self, other: &Self) -> Self {
        self.passwords.retain(|pair| !other.passwords.contains(pair));
        self.sessions.retain(|pair| !other.sessions.contains(pair));
        self
    }
}

/// What is over for a customer; once somebody is `home`, all that the service administrator ever had.
pub(crate) fn what_is_over(world: &World, customer: &Customer, home: bool) -> Over {
    let (service, own) = (customer.service(), |name: &str| name.ends_with(customer.account("").as_str()));
    let mails = world.mails(customer);
    let last = mails.iter().map(|(issue, _)| *issue).max();
    let (sign_ins, resets) = (world.seen.sign_ins.lock().unwrap(), world.seen.resets.lock().unwrap());
    let left: BTreeSet<_> = world.seen.left.lock().unwrap().iter().cloned().collect();
    let mut passwords: Pairs = resets
        .iter()
        .filter(|reset| own(&reset.user_name) && reset.session.is_some())
        .map(|reset| (reset.user_name.clone(), reset.from.clone()))
        .collect();
    let superseded = mails.iter().filter(|(issue, _)| Some(*issue) < last);
    passwords.extend(superseded.map(|(_, password)| (service.clone(), password.clone())));
    if home {
        let tried = sign_ins.iter().filter(|one| one.user_name == service);
        passwords.extend(tried.map(|one| (service.clone(), one.password.clone())));
    }
    let begun = sign_ins.iter().map(|one| (&one.user_name, &one.password, &one.session));
    let begun = begun.chain(resets.iter().map(|one| (&one.user_name, &one.to, &one.session)));
    let is_over = |name: &String, password: &String, session: &String| {
        passwords.contains(&(name.clone(), password.clone())) || left.contains(session)
    };
    let sessions = begun.filter(|(name, ..)| own(name)).filter_map(|(name, password, session)| {
        let session = session.as_ref()?;
        is_over(name, password, session).then(|| (name.clone(), session.clone()))
    });
    let sessions = sessions.collect();
    Over { passwords, sessions }
}

/// 9: no secret is in anything that a process has said, in a problem, in a dead letter, or in the table.
pub(crate) fn nothing_leaks(after: &Aftermath, said: &str) -> Vec<String> {
    let seen = &after.world.seen;
    let problems = seen.problems.lock().unwrap().join("\n");
    let letters = format!("{:?}", after.dead_letters);
    let table = serde_json::to_string(&after.table).unwrap();
    let places =
        [("what processes said", said), ("a problem", &problems), ("a dead letter", &letters), ("the table", &table)];
    let canaries = Canaries::of(&seen.secrets());
    let found = places.iter().filter_map(|(place, text)| Some((place, canaries.found_in(text)?)));
    // No more of it than tells that it is one.
    found.map(|(place, form)| format!("a secret in {place}: {}…", &form[..4])).collect()
}
