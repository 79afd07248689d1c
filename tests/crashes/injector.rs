//! Kills processes: at an AWS call at which they are held, or at any moment.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use cloud::{Gate, HeldCall};
use serde_json::Value;
use support::Processes;
use tokio::time::{sleep, timeout};

use crate::customers::World;

/// The moment of a call at which its process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The call is never carried out.
    Before,
    /// The call is carried out, and its answer reaches no process.
    After,
    /// A random moment, within a call or not.
    Any,
}

/// The kill of one process.
#[derive(Clone)]
pub(crate) struct Crash {
    pub(crate) process: String,
    /// The call that the process had just made, or whether it was working or waiting.
    pub(crate) call: String,
    pub(crate) moment: Moment,
    /// Whether the client does not retry, so that the state that the process left remains.
    pub(crate) last: bool,
    pub(crate) at: Instant,
    /// The event that the process was handling.
    pub(crate) event: Arc<str>,
}

impl Crash {
    pub(crate) fn function(&self) -> &str {
        self.process.split('@').next().unwrap_or_default()
    }

    /// Returns whether the process was working for `customer`.
    pub(crate) fn concerns(&self, customer: &str) -> bool {
        self.event.contains(customer)
    }
}

/// The number of times that a message's process may be killed. The queue gives up after five receives, which would lose the message
/// by design.
const DEADLY_RECEIVES: u64 = 3;

/// The read of the provider's keys. Only new processes make it, so it may not occur again: a process may be killed at it, but no kill waits
/// for it.
const COLD_READ: &str = "GetItem PROVIDER/KEYS";

/// The longest wait for a call at which a process is still to be killed.
const PATIENCE: Duration = Duration::from_mins(1);

/// The function and the call, with the kills still to be made: the moment, and whether it is the last attempt of the client.
type Wanted = BTreeMap<(String, String), Vec<(Moment, bool)>>;

/// The number of ways that a sample uses of [`WAYS`], each call two of them by turns. A call that is neither carried out nor retried leaves
/// the same state as no call, so that way is last.
const SAMPLE: usize = 3;
const WAYS: [(Moment, bool); 4] =
    [(Moment::Before, true), (Moment::After, false), (Moment::After, true), (Moment::Before, false)];

/// A call at its arrival.
pub(crate) struct Called {
    pub(crate) process: String,
    pub(crate) call: String,
    /// The SDK's id of the call, which all of its attempts share.
    pub(crate) invocation: String,
    /// The event that the process was handling.
    pub(crate) event: Arc<str>,
}

/// Holds calls and kills the processes that made them.
pub(crate) struct Injector {
    plan: Arc<Mutex<Plan>>,
    gate: Gate,
    random: fastrand::Rng,
}

#[derive(Default)]
struct Plan {
    wanted: Wanted,
    /// The ways in which calls are to be hit.
    ways: Vec<(Moment, bool)>,
    /// Whether each call leaves out one of the ways.
    is_sample: bool,
    journal: Vec<Called>,
    /// The kill that is being carried out.
    held: Option<Crash>,
    /// The earliest time of the next kill.
    not_before: Option<Instant>,
}

impl Injector {
    /// Starts to record the calls, and lets them through.
    pub(crate) fn watch(processes: &Processes, full: bool, seed: u64) -> Self {
        let ways = if full { WAYS.repeat(2) } else { WAYS[..SAMPLE].to_vec() };
        let plan = Arc::new(Mutex::new(Plan { ways, is_sample: !full, ..Plan::default() }));
        let (planned, event_of) = (Arc::clone(&plan), processes.event_lookup());
        let gate = processes.cloud.gate(move |call| {
            event_of(&call.function).is_some_and(|event| planned.lock().unwrap().claims(call, event))
        });
        Self { plan, gate, random: fastrand::Rng::with_seed(seed) }
    }

    /// Returns the functions that have called AWS, sorted by name.
    pub(crate) fn functions(&self) -> Vec<String> {
        let mut functions: Vec<_> =
            self.plan.lock().unwrap().wanted.keys().map(|(function, _)| function.clone()).collect();
        functions.dedup();
        functions
    }

    /// Takes the calls that were recorded so far.
    pub(crate) fn journal(&self) -> Vec<Called> {
        std::mem::take(&mut self.plan.lock().unwrap().journal)
    }

    /// Kills a process at every call that was recorded so far, before and after it is carried out, and at new calls that occur
    /// meanwhile. Returns the kills, and the calls that did not occur again.
    pub(crate) async fn crash_at_every_call(&mut self, world: &World) -> (Vec<Crash>, Vec<String>) {
        let mut known: Vec<_> = self.plan.lock().unwrap().wanted.keys().cloned().collect();
        known.retain(|(_, call)| call != COLD_READ);
        let mut crashes = Vec::new();
        self.rest();
        loop {
            let left: Vec<_> = {
                let plan = self.plan.lock().unwrap();
                known.iter().filter(|call| !plan.wanted[*call].is_empty()).cloned().collect()
            };
            if left.is_empty() {
                self.stop();
                return (crashes, Vec::new());
            }
            let Ok(Some(call)) = timeout(PATIENCE, self.gate.next()).await else {
                self.stop();
                let name = |(function, call)| format!("{function}: {call}");
                return (crashes, left.into_iter().map(name).collect());
            };
            let crash = self.plan.lock().unwrap().held.clone().expect("only claimed calls are held");
            if crash.last {
                world.discourage(&crash.process);
            }
            world.processes.kill(&crash.process).await;
            if crash.moment == Moment::After {
                call.release().await;
            }
            crashes.push(crash);
            self.rest();
        }
    }

    /// Pauses the kills for a moment, so that the load makes progress in between.
    fn rest(&mut self) {
        let pause = Duration::from_millis(self.random.u64(50..=400));
        let mut plan = self.plan.lock().unwrap();
        (plan.held, plan.not_before) = (None, Some(Instant::now() + pause));
    }

    /// Lets every call through from now on.
    fn stop(&self) {
        let mut plan = self.plan.lock().unwrap();
        (plan.held, plan.not_before) = (None, None);
    }
}

impl Plan {
    fn claims(&mut self, call: &HeldCall, event: Arc<str>) -> bool {
        let function = call.function.split('@').next().unwrap_or_default().to_owned();
        let key = (function, name(call));
        self.journal.push(Called {
            process: call.function.clone(),
            call: key.1.clone(),
            invocation: call.invocation.clone(),
            event: Arc::clone(&event),
        });
        // A run that is not complete writes no mark, so that call may not happen again. A lost mark only makes the next run read more.
        if key.0 == "send-reminders" && key.1.starts_with("PutItem DUE") {
            return false;
        }
        if self.is_sample && is_left_out(&key) {
            self.wanted.entry(key).or_default();
            return false;
        }
        let left_out = self.is_sample.then(|| self.wanted.len() % self.ways.len());
        let ways = self.wanted.entry(key.clone()).or_insert_with(|| {
            let chosen = self.ways.iter().enumerate().rev().filter(|(n, _)| Some(*n) != left_out);
            chosen.map(|(_, way)| *way).collect()
        });
        let now = Instant::now();
        if self.held.is_some() || self.not_before.is_none_or(|at| now < at) || !is_mortal(&event) {
            return false;
        }
        let Some((moment, last)) = ways.pop() else { return false };
        self.held = Some(Crash { process: call.function.clone(), call: key.1, moment, last, at: now, event });
        true
    }
}

/// The functions of which a sample kills processes only where something is written that no other function writes.
const WRITES_ALONE: [&str; 4] = ["purge-subscriptions", "remove-admin", "reset-admin", "subscription-end"];

/// The items whose deletion stands for that of all others.
const PURGED: [&str; 3] = ["DeleteItem ACCOUNT", "DeleteItem CREDENTIAL", "DeleteItem PURGE/SUBSCRIPTION"];

/// Returns whether a sample kills no process at a call: a read, after which a process has done no more than before it, and the attempts of
/// the current password, which are those of a sign-in.
fn is_left_out((function, call): &(String, String)) -> bool {
    let has_password = WRITES_ALONE.contains(&function.as_str()) || function == "create-admin";
    let is_attempt = ["ATTEMPTS", "NETWORK"].iter().any(|item| call.contains(item));
    let is_read = ["GetItem", "Query", "BatchGetItem"].iter().any(|read| call.starts_with(read));
    let is_repeated = call.starts_with("DeleteItem") && !PURGED.contains(&call.as_str());
    (has_password && is_attempt) || (WRITES_ALONE.contains(&function.as_str()) && (is_read || is_repeated))
}

/// Kills `count` processes, most of them at work, at random moments that are at most `apart` milliseconds apart.
pub(crate) async fn crash_at_any_moment(processes: &Processes, count: usize, apart: u64, seed: u64) -> Vec<Crash> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut crashes = Vec::new();
    while crashes.len() < count {
        sleep(Duration::from_millis(random.u64(20..=apart))).await;
        let mut busy = processes.busy();
        busy.retain(|process| is_mortal(&process.event));
        let mut idle = processes.idle();
        let (process, call, event) = match random.u8(0..10) {
            0 if !idle.is_empty() => (idle.swap_remove(random.usize(0..idle.len())), "waiting", "".into()),
            _ if !busy.is_empty() => {
                let process = busy.swap_remove(random.usize(0..busy.len()));
                (process.name, "at work", process.event)
            }
            _ => continue,
        };
        let at = Instant::now();
        if processes.kill(&process).await {
            crashes.push(Crash { process, call: call.to_owned(), moment: Moment::Any, last: false, at, event });
        }
    }
    crashes
}

/// Returns whether every message of the event has receives left after a kill.
fn is_mortal(event: &str) -> bool {
    let event: Value = serde_json::from_str(event).unwrap_or_default();
    let received = |record: &Value| record["attributes"]["ApproximateReceiveCount"].as_str()?.parse::<u64>().ok();
    let records = event["Records"].as_array().into_iter().flatten();
    records.filter_map(received).all(|receives| receives <= DEADLY_RECEIVES)
}

/// The kinds of items whose number does not distinguish calls.
const MANY: [&str; 3] = ["EVENT", "PORTAL_USER", "PORTAL_USER/SUBSCRIPTION"];

/// Names a call independently of its customer: operation, kinds of items, and the first change of an update.
fn name(call: &HeldCall) -> String {
    let (operation, body) = (&call.operation, &call.body);
    let whole = |items: Vec<&Value>| {
        let mut kinds: Vec<String> = items.into_iter().map(kind).collect();
        kinds.dedup_by(|kind, before| kind == before && MANY.contains(&kind.as_str()));
        format!("{operation} {}", kinds.join(" "))
    };
    match operation.as_str() {
        "GetItem" | "DeleteItem" => whole(vec![&body["Key"]]),
        "PutItem" => whole(vec![&body["Item"]]),
        "UpdateItem" => format!("{} {}", whole(vec![&body["Key"]]), first_change(body)),
        "TransactWriteItems" => {
            let parts = body["TransactItems"].as_array().into_iter().flatten();
            whole(parts.filter_map(item).collect())
        }
        "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            let requests = tables.filter_map(|(_, requests)| requests.as_array()).flatten();
            let mut items: Vec<_> = requests.map(|request| &request["PutRequest"]["Item"]).collect();
            items.sort_by_key(|item| kind(item));
            whole(items)
        }
        _ => operation.clone(),
    }
}

/// Returns the item, or its key, of a part of a transaction.
fn item(part: &Value) -> Option<&Value> {
    let get = move |action: &str, what: &str| part.get(action)?.get(what);
    get("Put", "Item")
        .or_else(|| get("Update", "Key"))
        .or_else(|| get("ConditionCheck", "Key"))
        .or_else(|| get("Delete", "Key"))
}

/// Returns the kind of an item, by its key without the ids.
fn kind(item: &Value) -> String {
    let prefix = |name: &str| item[name]["S"].as_str().and_then(|key| key.split('#').next()).unwrap_or_default();
    match (prefix("PK"), prefix("SK")) {
        ("SUBSCRIPTION", kind) => kind.to_owned(),
        (owner, kind) if owner == kind => kind.to_owned(),
        // The sort key begins with the id of a subscription.
        ("DESK", _) => "DESK/APPROVAL".to_owned(),
        (owner, kind) => format!("{owner}/{kind}"),
    }
}

fn first_change(body: &Value) -> String {
    let mut words = body["UpdateExpression"].as_str().unwrap_or_default().split([' ', ',', '.']);
    let verb = words.next().unwrap_or_default();
    let attribute = words.next().map(|placeholder| body["ExpressionAttributeNames"][placeholder].as_str());
    format!("{verb} {}", attribute.flatten().unwrap_or_default())
}
