//! Who dies, and when: processes that are held at a call of AWS, and processes at any moment.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use local::cloud::{Gate, HeldCall};
use serde_json::Value;
use support::Processes;
use tokio::time::{sleep, timeout};

use crate::customers::World;

/// Where in a call its process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It is never carried out.
    Before,
    /// It has been carried out, and nobody hears of it.
    After,
    /// Wherever it just is.
    Any,
}

/// One process that was killed.
#[derive(Clone)]
pub(crate) struct Crash {
    pub(crate) process: String,
    /// The call that it had just made, or whether it worked or waited.
    pub(crate) call: String,
    pub(crate) moment: Moment,
    /// Whoever waited for its answer does not try again: what it leaves is what stays.
    pub(crate) last: bool,
    pub(crate) at: Instant,
    /// What it worked on.
    pub(crate) event: Arc<str>,
}

impl Crash {
    pub(crate) fn function(&self) -> &str {
        self.process.split('@').next().unwrap_or_default()
    }

    /// Whether it hit something that was done for `customer`.
    pub(crate) fn concerns(&self, customer: &str) -> bool {
        self.event.contains(customer)
    }
}

/// How often a queue may give a message to a process that is killed. It gives up after five times, and then nothing is left to show.
const DEADLY_RECEIVES: u64 = 3;

/// How long nothing that is still to be killed may come along.
const PATIENCE: Duration = Duration::from_mins(1);

/// Function and call, and how it is still to be hit: when, and whether somebody tries again.
type Wanted = BTreeMap<(String, String), Vec<(Moment, bool)>>;

/// A sample of the ways to be hit, and all of them. What is not carried out and done again is like what never was, so that comes last.
const SAMPLE: usize = 3;
const WAYS: [(Moment, bool); 4] =
    [(Moment::Before, true), (Moment::After, false), (Moment::After, true), (Moment::Before, false)];

/// A call as it arrived.
pub(crate) struct Called {
    pub(crate) process: String,
    pub(crate) call: String,
    /// All attempts of one call have the same.
    pub(crate) invocation: String,
    /// What the process worked on.
    pub(crate) event: Arc<str>,
}

/// Holds calls, and kills those who made them.
pub(crate) struct Injector {
    plan: Arc<Mutex<Plan>>,
    gate: Gate,
    random: fastrand::Rng,
}

#[derive(Default)]
struct Plan {
    wanted: Wanted,
    /// How each call is to be hit.
    ways: Vec<(Moment, bool)>,
    journal: Vec<Called>,
    /// The one that is being killed.
    held: Option<Crash>,
    /// Nobody dies before.
    not_before: Option<Instant>,
}

impl Injector {
    /// From here on it writes down what is called, and lets it through.
    pub(crate) fn watch(processes: &Processes, full: bool, seed: u64) -> Self {
        let ways = if full { WAYS.repeat(2) } else { WAYS[..SAMPLE].to_vec() };
        let plan = Arc::new(Mutex::new(Plan { ways, ..Plan::default() }));
        let (planned, at_work) = (Arc::clone(&plan), processes.at_work());
        let gate = processes
            .cloud
            .gate(move |call| at_work(&call.function).is_some_and(|event| planned.lock().unwrap().claims(call, event)));
        Self { plan, gate, random: fastrand::Rng::with_seed(seed) }
    }

    /// Returns the functions that have called AWS, sorted by name.
    pub(crate) fn functions(&self) -> Vec<String> {
        let mut functions: Vec<_> =
            self.plan.lock().unwrap().wanted.keys().map(|(function, _)| function.clone()).collect();
        functions.dedup();
        functions
    }

    /// Everything that has been called.
    pub(crate) fn journal(&self) -> Vec<Called> {
        std::mem::take(&mut self.plan.lock().unwrap().journal)
    }

    /// Kills a process at every call that was seen while it watched, before and after; and at others that come along. The crashes, and
    /// what never came again.
    pub(crate) async fn crash_at_every_call(&mut self, world: &World) -> (Vec<Crash>, Vec<String>) {
        let known: Vec<_> = self.plan.lock().unwrap().wanted.keys().cloned().collect();
        let mut crashes = Vec::new();
        self.rest();
        loop {
            let left: Vec<_> = {
                let plan = self.plan.lock().unwrap();
                known.iter().filter(|call| !plan.wanted[*call].is_empty()).cloned().collect()
            };
            if left.is_empty() {
                return (crashes, Vec::new());
            }
            let Ok(Some(call)) = timeout(PATIENCE, self.gate.next()).await else {
                let name = |(function, call)| format!("{function}: {call}");
                return (crashes, left.into_iter().map(name).collect());
            };
            let crash = self.plan.lock().unwrap().held.clone().expect("only such calls are held");
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

    /// Nobody dies for a moment: the load goes on in between.
    fn rest(&mut self) {
        let pause = Duration::from_millis(self.random.u64(50..=400));
        let mut plan = self.plan.lock().unwrap();
        (plan.held, plan.not_before) = (None, Some(Instant::now() + pause));
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
        let ways = self.wanted.entry(key.clone()).or_insert_with(|| self.ways.iter().rev().copied().collect());
        let now = Instant::now();
        if self.held.is_some() || self.not_before.is_none_or(|at| now < at) || !is_mortal(&event) {
            return false;
        }
        let Some((moment, last)) = ways.pop() else { return false };
        self.held = Some(Crash { process: call.function.clone(), call: key.1, moment, last, at: now, event });
        true
    }
}

/// Kills so many processes at moments that are drawn, so many milliseconds apart at most; most of them at work.
pub(crate) async fn crash_at_any_moment(processes: &Processes, count: usize, apart: u64, seed: u64) -> Vec<Crash> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut crashes = Vec::new();
    while crashes.len() < count {
        sleep(Duration::from_millis(random.u64(20..=apart))).await;
        let mut working = processes.working();
        working.retain(|work| is_mortal(&work.event));
        let mut waiting = processes.waiting();
        let (process, call, event) = match random.u8(0..10) {
            0 if !waiting.is_empty() => (waiting.swap_remove(random.usize(0..waiting.len())), "waiting", "".into()),
            _ if !working.is_empty() => {
                let work = working.swap_remove(random.usize(0..working.len()));
                (work.process, "at work", work.event)
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

/// Whether no message of the event has come so often that its next failure might be its last.
fn is_mortal(event: &str) -> bool {
    let event: Value = serde_json::from_str(event).unwrap_or_default();
    let received = |record: &Value| record["attributes"]["ApproximateReceiveCount"].as_str()?.parse::<u64>().ok();
    let records = event["Records"].as_array().into_iter().flatten();
    records.filter_map(received).all(|receives| receives <= DEADLY_RECEIVES)
}

/// Items of which it does not matter how many there are.
const MANY: [&str; 3] = ["EVENT", "PORTAL_USER", "PORTAL_USER/SUBSCRIPTION"];

/// A call by what it does, whoever it is about: operation, items, and the first thing that an update changes.
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

/// The item of a part of a transaction.
fn item(part: &Value) -> Option<&Value> {
    let of = move |action: &str, what: &str| part.get(action)?.get(what);
    of("Put", "Item").or_else(|| of("Update", "Key")).or_else(|| of("ConditionCheck", "Key"))
}

/// What is an item, by its key without whoever it belongs to.
fn kind(item: &Value) -> String {
    let prefix = |name: &str| item[name]["S"].as_str().and_then(|key| key.split('#').next()).unwrap_or_default();
    match (prefix("PK"), prefix("SK")) {
        ("SUBSCRIPTION", kind) => kind.to_owned(),
        (owner, kind) if owner == kind => kind.to_owned(),
        (owner, kind) => format!("{owner}/{kind}"),
    }
}

fn first_change(body: &Value) -> String {
    let mut words = body["UpdateExpression"].as_str().unwrap_or_default().split([' ', ',', '.']);
    let verb = words.next().unwrap_or_default();
    let attribute = words.next().map(|placeholder| body["ExpressionAttributeNames"][placeholder].as_str());
    format!("{verb} {}", attribute.flatten().unwrap_or_default())
}
