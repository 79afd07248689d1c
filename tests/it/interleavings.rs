//! Runs two or three operations at a time in every order of their steps: signing in, choosing a password, creating
//! administrators, retiring the service administrator and reissuing; in `renewals`, renewing beside whatever else customers and the
//! vendor do; in `desk`, what operators do beside all of that; and, by other means, in `team` administrators who act on each other, the end
//! and the purge, and in `product` uses of a code for the product. The handlers and the SDK are the real ones; each call of the table is held
//! at a gate until it is its turn.
//!
//! A step ends where the operation next asks the table for something. Writes of attempt budgets and of the list of due reminders pass the
//! gate freely, because no budget runs out and no reminder is due here. Two orders that differ only in neighbouring reads count as one,
//! because the table cannot tell them apart.
//!
//! After each order, some serial order of the operations must give the same answers and leave the same table, including its
//! history. In that serial order no operation may come before one that had ended when it began. Sessions and passwords that have
//! ended must have no effect: the test tries every session and every password, with `FIRSTKEY_FULL` after each order.

#![expect(clippy::print_stdout, reason = "the test prints how many orders it has run")]

mod desk;
mod product;
mod renewals;
mod team;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::{sync::LazyLock, time::Duration};

use aws::{Sealer, Unsealer};
use aws_sdk_dynamodb::{
    primitives::Blob,
    types::{AttributeValue, PutRequest, WriteRequest},
};
use cloud::{Gate, HeldCall};
use domain::SessionToken;
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use serde_json::json;
use support::{
    Answer, Call, Deployment, Machine, TestStack, event,
    specification::{
        ADMINISTRATOR_PASSWORD, DeskAct, Label,
        Op::{self, Add, Create, Desk, LockOut, Renew, Resend, Reset, Retrieve, SignIn, Start},
        Operator,
        Password::{self, Chosen, HandedOut, Temporary},
        Person, Reply, Session, State,
        UserName::{self, Admin, Lee, Mo},
        reply,
    },
    table::{Item, Table, read_number, text},
};
use tokio::time::timeout;

const CHOICES: [&str; 4] = [
    "seven green boats at noon",
    "nine slow trains to the coast",
    "an old clock behind the stairs",
    "a quiet lamp over the harbour",
];

// Subscriptions, and the operations on them.

/// A subscription in the table, with the state that the specification expects of it.
#[derive(Clone)]
struct World {
    number: usize,
    state: State,
    /// The session tokens of sessions that were valid at the start or have begun since.
    tokens: BTreeMap<Label, String>,
    /// The service administrator's passwords: the one at the start, and every later one.
    passwords: BTreeSet<Password>,
    /// The temporary passwords, by issue.
    temporary: BTreeMap<u64, String>,
    /// The temporary passwords of administrators, by the names that operations give them.
    handed_out: BTreeMap<Label, String>,
    /// The ids of approvals, by the keys of the clicks that have asked for them.
    approvals: BTreeMap<Label, String>,
}

/// A saved subscription, from which each order starts with its own copy.
struct Snapshot {
    world: World,
    items: Vec<Item>,
    sessions: BTreeMap<Label, Item>,
}

/// The stack, and what the tests need to run operations on it.
struct Bench {
    stack: TestStack,
    table: Table,
    /// The machines that carry out operations at the same time.
    machines: [Machine; 3],
    /// The number of seconds that the clock of each machine is behind.
    behind: [u64; 3],
    gate: tokio::sync::Mutex<Gate>,
    /// The customers' tokens, where customers take part.
    tokens: BTreeMap<Person, String>,
    /// Whether the specification also says what the table holds of the desk.
    has_desk: bool,
    sealer: Sealer,
    unsealer: Unsealer,
    /// How many copies of subscriptions there are.
    worlds: usize,
    addresses: std::cell::Cell<u32>,
    orders_run: usize,
}

/// The company of everyone's address. Copies of a subscription have other companies and the same people.
const PEOPLE: &str = "fabrikam";

/// The suffix that each machine adds to the names of functions.
const SUFFIXES: [&str; 3] = ["@1", "@2", "@3"];

fn connect(stack: &TestStack) -> aws::SdkConfig {
    let settings = BTreeMap::from([
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "desk".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AWS_ENDPOINT_URL", stack.cloud.aws_url()),
    ]);
    aws::connect(|name| settings.get(name).cloned()).unwrap()
}

impl World {
    fn subscription(&self) -> String {
        subscription(self.number)
    }

    fn user_name(&self, who: UserName) -> String {
        format!("{who}@{}", company(self.number))
    }
}

fn subscription(world: usize) -> String {
    format!("subscription-{world}-x")
}

fn company(world: usize) -> String {
    format!("company-{world}-x")
}

impl Bench {
    /// Starts a stack with one subscription that has just started, in a deployment where one operator does alone what else takes two.
    async fn start() -> (Self, World) {
        Self::start_with(&[("DESK_APPROVAL", "off")], State::started().without_approvals(), is_step).await
    }

    /// Starts a stack with a subscription whose mail is sent. Later mails wait, so that they change nothing beside an order.
    async fn start_with(settings: &[(&str, &str)], state: State, is_step: fn(&HeldCall) -> bool) -> (Self, World) {
        let deployment = Deployment::default().with("SIGN_IN_NETWORK_BURST", "1000000").with_held_mails();
        let deployment = settings.iter().fold(deployment, |all, (name, value)| all.with(name, value));
        let stack = deployment.start().await;
        let mut world = World {
            number: 0,
            state,
            tokens: BTreeMap::new(),
            passwords: BTreeSet::new(),
            temporary: BTreeMap::new(),
            handed_out: BTreeMap::new(),
            approvals: BTreeMap::new(),
        };
        let mut started = event(&world.subscription(), "trial");
        started["detail"]["company"]["id"] = company(0).into();
        stack.start_subscription(started).await;
        let orders = stack.take_mail_orders(&world.subscription());
        stack.invoke("send-mail", json!({ "Records": orders })).await;
        world.temporary.insert(1, stack.mailed_password());
        world.state.holds_mails = true;
        let gate = stack.cloud.gate(move |call| call.function.contains('@') && is_step(call));
        let aws = connect(&stack);
        let bench = Self {
            sealer: Sealer::new(&aws, cloud::SEALING_KEY.to_owned()),
            unsealer: Unsealer::new(&aws, cloud::SEALING_KEY.to_owned()),
            table: Table::connect(&stack.cloud.aws_url(), "desk"),
            machines: SUFFIXES.map(|suffix| stack.separate_machine(suffix)),
            behind: [0; 3],
            gate: tokio::sync::Mutex::new(gate),
            tokens: BTreeMap::new(),
            has_desk: false,
            worlds: 0,
            addresses: std::cell::Cell::default(),
            orders_run: 0,
            stack,
        };
        (bench, world)
    }

    /// Gives a call an address of its own, so that no result depends on the number of attempts.
    fn with_new_address(&self, call: Call) -> Call {
        self.addresses.set(self.addresses.get() + 1);
        call.from(&std::net::Ipv4Addr::from(0x0a00_0000 + self.addresses.get()).to_string())
    }

    async fn call(&self, worker: Option<usize>, function: &'static str, call: Call) -> Answer {
        let call = self.with_new_address(call);
        match worker {
            Some(worker) => self.machines[worker].call(function, call).await,
            None => self.stack.call(function, call).await,
        }
    }

    /// Carries out an operation. Returns the answer, and the token of the session that it begins, the temporary password that it shows, or the
    /// id of the approval that it asks for.
    async fn perform(&self, world: &World, op: Op, worker: Option<usize>) -> (Reply, Option<String>) {
        let answer = match op {
            SignIn { who, password, .. } => {
                let call = Call::sign_in(&world.user_name(who), &world.text(password));
                self.call(worker, "sign-in", call).await
            }
            Reset { session, current, to, .. } => {
                let call = world.reset(&world.tokens[session], current, to);
                self.call(worker, "reset-password", call).await
            }
            Create { session, who, key } => {
                let call = Call::create_admin(
                    &world.tokens[session],
                    &world.user_name(who),
                    &world.text(ADMINISTRATOR_PASSWORD),
                );
                self.call(worker, "create-admin", call.key(key)).await
            }
            Add { session, who, current, key, .. } => {
                let current = world.text(current);
                let call = Call::add_admin(&world.tokens[session], &world.user_name(who), &current);
                let answer = self.call(worker, "create-admin", call.key(key)).await;
                let shown = answer.temporary_password().map(str::to_owned);
                let what = answer.problem().unwrap_or(if shown.is_some() { "a password" } else { "no password" });
                return (reply(answer.status, what), shown);
            }
            Desk { operator, key, act } => return self.act(world, (operator, key, act), worker).await,
            LockOut { who } => return (self.lock_out(world, who, worker).await, None),
            other => return (self.perform_for_customer(world, other, worker).await, None),
        };
        let what = answer.problem().or_else(|| answer.next()).unwrap_or_default();
        (reply(answer.status, what), answer.session())
    }

    /// Carries out an operation alone, and compares the answer and the table with the specification.
    async fn perform_alone(&self, world: &mut World, op: Op) {
        let answer = self.perform(world, op, None).await;
        assert_eq!(answer.0, world.state.apply(op), "{op}");
        world.record(op, answer);
        self.learn_temporary_password(world).await;
        assert_eq!(self.lines(world).await, world.state.lines(), "{op}");
    }
}

impl World {
    fn text(&self, password: Password) -> String {
        match password {
            Temporary(issue) => self.temporary[&issue].clone(),
            Chosen(choice) => CHOICES[choice].to_owned(),
            HandedOut(name) => self.handed_out[name].clone(),
        }
    }

    fn reset(&self, token: &str, current: Option<Password>, to: Password) -> Call {
        let body = match current {
            Some(current) => json!({ "new_password": self.text(to), "current_password": self.text(current) }),
            None => json!({ "new_password": self.text(to) }),
        };
        Call::reset_password(token, "").json(&body)
    }

    /// Remembers the session and the password that an operation has made, to be tried later.
    fn record(&mut self, op: Op, (answer, made): (Reply, Option<String>)) {
        match (op, made) {
            (SignIn { begins, .. } | Reset { begins, .. }, Some(token)) => drop(self.tokens.insert(begins, token)),
            (Add { gives, .. }, Some(password)) => drop(self.handed_out.insert(gives, password)),
            (Desk { key, act: DeskAct::Reissue { .. } | DeskAct::AddPortalUser { .. }, .. }, Some(approval)) => {
                let known = self.approvals.entry(key).or_insert_with(|| approval.clone());
                assert_eq!(*known, approval, "{op}: one click asks once");
            }
            _ => {}
        }
        if let (Reset { to, .. }, 200) = (op, answer.0) {
            self.passwords.insert(to);
        }
    }
}

/// Returns whether a call is a step: a call of the table other than a write that every order allows.
fn is_step(call: &HeldCall) -> bool {
    let is_of_kms = matches!(call.operation.as_str(), "Encrypt" | "Decrypt");
    let is_reminder = call.body["Item"]["PK"]["S"].as_str().is_some_and(|key| key.starts_with("DUE#"));
    // A function reads the provider's keys beside its own calls, and not for each request.
    let is_of_provider = key(call).is_some_and(|key| key.starts_with("PROVIDER#"));
    !is_of_kms && !is_reminder && !is_of_provider && !is_attempt(call)
}

/// Returns whether a call counts an attempt.
fn is_attempt(call: &HeldCall) -> bool {
    let key = call.body["Key"]["PK"]["S"].as_str().or(call.body["ExpressionAttributeValues"][":account"]["S"].as_str());
    key.is_some_and(|key| ["ATTEMPTS#", "NETWORK#", "OPERATOR#"].iter().any(|prefix| key.starts_with(prefix)))
}

fn key(call: &HeldCall) -> Option<&str> {
    call.body["Key"]["PK"]["S"].as_str()
}

fn sort_key(call: &HeldCall) -> Option<&str> {
    call.body["Key"]["SK"]["S"].as_str()
}

/// Returns how many calls an operation makes at once after `call`, if it makes any.
fn next_calls(op: Op, call: &HeldCall) -> usize {
    let reads = |what: &str| call.operation == "GetItem" && sort_key(call).is_some_and(|key| key.starts_with(what));
    match op {
        // The account and the mail.
        Renew { .. } if reads("CREDENTIAL") => 2,
        Start { .. } if reads("STARTED#") => 2,
        // The account and the credential.
        _ if reads("SESSION") => 2,
        _ => 1,
    }
}

// The table.

/// Rewrites a value of one subscription for a copy of it.
fn renamed(value: &AttributeValue, from: usize, to: usize) -> AttributeValue {
    match value {
        AttributeValue::S(old) => {
            text(old.replace(&subscription(from), &subscription(to)).replace(&company(from), &company(to)))
        }
        AttributeValue::M(map) => {
            AttributeValue::M(map.iter().map(|(name, value)| (name.clone(), renamed(value, from, to))).collect())
        }
        other => other.clone(),
    }
}

fn session_key(token: &str) -> String {
    format!("SESSION#{}", SessionToken::parse(token).unwrap().digest().as_str())
}

impl Bench {
    /// Returns what the table holds, in the format of [`State::lines`].
    async fn lines(&self, world: &World) -> Vec<String> {
        let (subscription, company) = (world.subscription(), company(world.number));
        if self.has_desk {
            return self.table.lines_with_desk(&subscription, &company, PEOPLE).await;
        }
        self.table.lines(&subscription, &company).await
    }

    async fn snapshot(&self, world: &World) -> Snapshot {
        let mut items = self.table.everything(&world.subscription(), PEOPLE).await;
        for who in UserName::ALL {
            for kind in ["ACCOUNT", "ATTEMPTS"] {
                items.extend(self.table.get(format!("{kind}#{}", world.user_name(who)), "ACCOUNT").await);
            }
        }
        let mut sessions = BTreeMap::new();
        for (label, token) in world.tokens.iter().filter(|(label, _)| world.state.valid_session(label).is_some()) {
            let session = self.table.get(session_key(token), "SESSION").await;
            sessions.insert(*label, session.unwrap());
        }
        Snapshot { world: world.clone(), items, sessions }
    }

    /// Writes a copy of a subscription, with another company and other session tokens.
    async fn copy(&mut self, snapshot: &Snapshot) -> World {
        self.worlds += 1;
        let (from, to) = (snapshot.world.number, self.worlds);
        let rename = |item: &Item| -> Item {
            item.iter().map(|(name, value)| (name.clone(), renamed(value, from, to))).collect()
        };
        let mut items: Vec<_> = snapshot.items.iter().map(rename).collect();
        for item in items.iter_mut().filter(|item| !self.tokens.is_empty() && item.contains_key("sealed_password")) {
            self.seal(&snapshot.world, to, item).await;
        }
        let mut tokens = BTreeMap::new();
        for (label, session) in &snapshot.sessions {
            let token = format!("{:-<43}", format!("{label}-{to}"));
            let mut session = rename(session);
            session.insert("PK".to_owned(), text(session_key(&token)));
            items.push(session);
            tokens.insert(*label, token);
        }
        for items in items.chunks(25) {
            let put = |item: &Item| PutRequest::builder().set_item(Some(item.clone())).build().unwrap();
            let write = |item| WriteRequest::builder().put_request(put(item)).build();
            let batch =
                self.table.client().batch_write_item().request_items("firstkey", items.iter().map(write).collect());
            assert!(batch.send().await.unwrap().unprocessed_items.unwrap_or_default().is_empty());
        }
        let passwords = BTreeSet::from([snapshot.world.state.accounts[&Admin].password]);
        World { number: to, tokens, passwords, ..snapshot.world.clone() }
    }
}

// One order of the steps.

/// Decides the next step wherever there are several: by the script first, and after its end at random or always by the first one.
#[derive(Default)]
struct Choices {
    script: Vec<usize>,
    random: Option<fastrand::Rng>,
    /// The choices so far: the index of each, and the number of ways there were.
    taken: Vec<(usize, usize)>,
}

impl Choices {
    fn choose(&mut self, ways: usize) -> usize {
        if ways == 1 {
            return 0;
        }
        let way = match (self.script.get(self.taken.len()), &mut self.random) {
            (Some(way), _) => *way,
            (None, Some(random)) => random.usize(..ways),
            (None, None) => 0,
        };
        assert!(way < ways, "the same choices led to other steps before");
        self.taken.push((way, ways));
        way
    }
}

/// Returns the script that follows these choices, if there is one.
fn next_script(mut taken: Vec<(usize, usize)>) -> Option<Vec<usize>> {
    while let Some((way, ways)) = taken.pop() {
        if way + 1 < ways {
            return Some(taken.into_iter().map(|(way, _)| way).chain([way + 1]).collect());
        }
    }
    None
}

/// The number of orders of three operations that are tried.
static SAMPLE: LazyLock<u64> = LazyLock::new(|| if support::has_env("FIRSTKEY_FULL") { 40 } else { 4 });

/// After one of this many orders, every session and every password is tried. The table, which the versions of the sessions and accounts are
/// a part of, is compared after each.
static TRIED: LazyLock<usize> = LazyLock::new(|| if support::has_env("FIRSTKEY_FULL") { 1 } else { 4 });

/// A worker that carries out one operation.
#[derive(Default)]
struct Worker {
    waiting: Vec<Waiting>,
    /// The number of waiting calls at which it can make no further ones.
    expects: usize,
    /// The calls that were released, by the SDK's invocation ids.
    released: HashSet<String>,
    /// The number of steps of all workers before its first step and up to its last.
    span: (Option<usize>, usize),
    answer: Option<(Reply, Option<String>)>,
}

/// A call that waits at the gate.
struct Waiting {
    call: HeldCall,
    /// Whether the read waits until the next write of another worker.
    held_back: bool,
}

impl Waiting {
    fn reads(&self) -> bool {
        matches!(self.call.operation.as_str(), "GetItem" | "BatchGetItem")
    }
}

impl Worker {
    fn is_settled(&self) -> bool {
        self.answer.is_some() || self.waiting.len() >= self.expects
    }

    /// Returns whether it may still write before another worker does.
    fn may_write(&self) -> bool {
        self.answer.is_none() && self.waiting.iter().any(|waiting| !waiting.held_back)
    }

    /// Accepts a call of `op` that has arrived at the gate. Returns it if it is only another attempt of a call that was already released.
    fn receive(&mut self, call: HeldCall, op: Op) -> Option<HeldCall> {
        if self.released.contains(&call.invocation) {
            return Some(call);
        }
        let same = self.waiting.iter_mut().find(|waiting| waiting.call.invocation == call.invocation);
        if let Some(same) = same {
            same.call = call;
            return None;
        }
        if matches!(op, Resend { .. }) && call.operation == "GetItem" {
            // The operation reads the credential and the mail concurrently, at its beginning and after each lost race.
            self.expects = 2;
        }
        assert!(!self.is_settled(), "{call:?} was not expected: the number of concurrent calls has changed");
        self.waiting.push(Waiting { call, held_back: false });
        let place = |waiting: &Waiting| [key(&waiting.call), sort_key(&waiting.call)].map(|key| key.map(str::to_owned));
        self.waiting.sort_by_key(place);
        None
    }

    /// Takes a waiting call of `op` out, to be released as the given step.
    fn take(&mut self, n: usize, step: usize, op: Op) -> HeldCall {
        let Waiting { call, .. } = self.waiting.remove(n);
        self.released.insert(call.invocation.clone());
        self.expects = if self.waiting.is_empty() { next_calls(op, &call) } else { self.waiting.len() };
        self.span.0.get_or_insert(step);
        call
    }
}

/// Returns whose turn it is, and which of the worker's calls. A read happens either now or after the next write of another
/// worker; when no read is left to decide about, one of the waiting writes is next.
fn next_turn(workers: &mut [Worker], choices: &mut Choices) -> Option<(usize, usize)> {
    let all: Vec<_> = (0..workers.len()).flat_map(|n| (0..workers[n].waiting.len()).map(move |m| (n, m))).collect();
    for &(n, m) in &all {
        let waiting = &workers[n].waiting[m];
        if !waiting.reads() || waiting.held_back {
            continue;
        }
        let others_may_write = workers.iter().enumerate().any(|(other, worker)| other != n && worker.may_write());
        if !others_may_write || choices.choose(2) == 0 {
            return Some((n, m));
        }
        workers[n].waiting[m].held_back = true;
    }
    let writes: Vec<_> = all.iter().copied().filter(|&(n, m)| !workers[n].waiting[m].reads()).collect();
    if writes.is_empty() {
        // No worker is about to write, so that a read which was held back is next.
        return all.first().copied();
    }
    workers.iter_mut().flat_map(|worker| &mut worker.waiting).for_each(|waiting| waiting.held_back = false);
    Some(writes[choices.choose(writes.len())])
}

/// The result of one order.
struct Outcome {
    steps: Vec<String>,
    answers: Vec<(Reply, Option<String>)>,
    /// For each operation, the number of steps before its first one and up to its end.
    spans: Vec<(usize, usize)>,
}

impl Bench {
    /// Carries out operations concurrently, each step when it is chosen.
    async fn run_concurrently(&self, world: &World, ops: &[Op], choices: &mut Choices) -> Outcome {
        let mut gate = self.gate.lock().await;
        while gate.next().now_or_never().is_some() {}
        let mut workers: Vec<_> = ops.iter().map(|_| Worker { expects: 1, ..Worker::default() }).collect();
        let begin = |(n, op): (usize, &Op)| {
            let op = *op;
            async move { (n, self.perform(world, op, Some(n)).await) }
        };
        let mut running: FuturesUnordered<_> = ops.iter().enumerate().map(begin).collect();
        let mut steps = Vec::new();
        loop {
            while !workers.iter().all(Worker::is_settled) {
                let event = async {
                    tokio::select! {
                        Some((n, answer)) = running.next() => {
                            workers[n].span.1 = steps.len();
                            workers[n].answer = Some(answer);
                        }
                        Some(call) = gate.next() => {
                            let n = SUFFIXES.iter().position(|suffix| call.function.ends_with(suffix)).unwrap();
                            if let Some(attempt) = workers[n].receive(call, ops[n]) {
                                attempt.release().await;
                            }
                        }
                    }
                };
                let settled = timeout(Duration::from_secs(20), event).await;
                assert!(settled.is_ok(), "nothing happens after {steps:#?}");
            }
            let Some((n, m)) = next_turn(&mut workers, choices) else { break };
            let call = workers[n].take(m, steps.len(), ops[n]);
            let keys = [key(&call), sort_key(&call)].map(Option::unwrap_or_default);
            steps.push(format!("{}: {} {}", ops[n], call.operation, keys.join(" ")));
            call.release().await;
        }
        let spans = workers.iter().map(|worker| (worker.span.0.unwrap_or_default(), worker.span.1)).collect();
        let answers = workers.into_iter().map(|worker| worker.answer.unwrap()).collect();
        Outcome { steps, answers, spans }
    }
}

// What must be true after each order.

/// Returns every order of the numbers below `n`.
fn permutations(n: usize) -> Vec<Vec<usize>> {
    let Some(last) = n.checked_sub(1) else { return vec![vec![]] };
    let with_last =
        |order: Vec<usize>| (0..=order.len()).map(move |place| [&order[..place], &[last], &order[place..]].concat());
    permutations(last).into_iter().flat_map(with_last).collect()
}

impl Outcome {
    /// Returns whether no operation in `order` comes before one that had ended when it began.
    fn allows(&self, order: &[usize]) -> bool {
        order
            .iter()
            .enumerate()
            .all(|(place, first)| order[place + 1..].iter().all(|second| self.spans[*second].1 > self.spans[*first].0))
    }

    /// Returns whether the operation at `place` of a serial order, which the specification answers with `reply` in `state`, may have got the
    /// answer that it got. A renewal that has lost the race against another start of an issue is answered with that issue.
    fn is_right(&self, order: &[usize], place: usize, op: Op, reply: &Reply, state: &State) -> bool {
        let (n, earlier) = (order[place], &order[..place]);
        let raced = earlier.iter().any(|other| self.spans[n].0 < self.spans[*other].1);
        let lost_race = matches!(op, Renew { .. }) && raced && *reply == support::specification::reply(409, "conflict");
        let given = &self.answers[n].0;
        given == reply || (lost_race && *given == (202, format!("issue {}", state.issue)))
    }

    /// Returns the serial orders of the operations that give the same answers and leave `lines`, with the state after each. The clock of the
    /// machine of each operation may be behind.
    fn explanations(&self, before: &State, ops: &[Op], behind: &[u64], lines: &[String]) -> Vec<(Vec<usize>, State)> {
        let explained = |order: Vec<usize>| {
            let mut state = before.clone();
            let right = order.iter().enumerate().all(|(place, n)| {
                let reply = state.apply_behind(ops[*n], behind[*n]);
                self.is_right(&order, place, ops[*n], &reply, &state)
            });
            (right && state.lines() == lines).then_some((order, state))
        };
        permutations(ops.len()).into_iter().filter(|order| self.allows(order)).filter_map(explained).collect()
    }
}

impl Bench {
    /// Carries out one order in a copy of `start`. Returns the serial orders of the operations that explain it.
    async fn run_order(&mut self, start: &Snapshot, ops: &[Op], choices: &mut Choices) -> Vec<Vec<usize>> {
        let (script, random) = (choices.script.clone(), choices.random.clone());
        for _ in 0..3 {
            let mut world = self.copy(start).await;
            *choices = Choices { script: script.clone(), random: random.clone(), taken: Vec::new() };
            let outcome = self.run_concurrently(&world, ops, choices).await;
            let lines = self.lines(&world).await;
            let mut explanations = outcome.explanations(&world.state, ops, &self.behind, &lines);
            if explanations.is_empty() && outcome.answers.iter().any(|((status, _), _)| *status == 503) {
                // The machine was so busy that a call waited longer than the time limit of a function.
                continue;
            }
            self.orders_run += 1;
            let answers: Vec<_> = outcome.answers.iter().map(|(answer, _)| answer).collect();
            let story = format!("after {:#?}, answered {answers:?}", outcome.steps);
            let orders = explanations.iter().map(|(order, _)| order.clone()).collect();
            let Some((_, state)) = explanations.pop() else {
                panic!("{story}: no serial order of the operations turns {:#?} into {lines:#?}", world.state.lines());
            };
            for (op, answer) in ops.iter().zip(outcome.answers) {
                world.record(*op, answer);
            }
            self.learn_temporary_password(&mut world).await;
            let mails_before = world.state.mails;
            world.state = state;
            match self.orders_run.is_multiple_of(*TRIED) {
                true if self.has_desk => self.try_at_both_sites(world, mails_before, &story).await,
                true if self.tokens.is_empty() => self.try_everything(world, &story).await,
                true => self.try_current_issue(&world, mails_before, &story).await,
                false => {}
            }
            return orders;
        }
        panic!("{ops:?} were unavailable three times");
    }

    /// Tries every session and every password that was valid at the start or was made since. Those that have ended have no effect,
    /// and with one of the others it is possible to sign in. What had ended before the start is not tried: versions only grow,
    /// and those in the table have been compared.
    async fn try_everything(&self, mut world: World, story: &str) {
        for label in world.tokens.keys() {
            self.try_session(&world, label, story).await;
        }
        let passwords = world.passwords.iter().map(|password| (Admin, *password));
        let own = world.state.accounts.iter().filter(|(who, _)| **who != Admin);
        let own = own.map(|(who, account)| (*who, account.password));
        let mut is_open = false;
        for (who, password) in passwords.chain(own).collect::<Vec<_>>() {
            if who != Admin && is_open {
                break;
            }
            let op = SignIn { who, password, begins: "try" };
            let (answer, _) = self.perform(&world, op, None).await;
            assert_eq!(answer, world.state.apply(op), "{op} with {password:?} {story}");
            is_open |= answer.0 == 200;
        }
        let is_closed = world.state.accounts.values().any(|account| account.closed);
        assert!(is_open || is_closed, "no password signs in {story}");
    }

    /// Sends two invalid requests in a session. Only a caller who is signed in learns that they are invalid.
    async fn try_session(&self, world: &World, label: Label, story: &str) {
        let token = &world.tokens[label];
        let (reset, create) = match world.state.valid_session(label) {
            Some(Session { full: true, .. }) => ("password-too-short", "invalid-request"),
            Some(Session { full: false, .. }) => ("password-too-short", "forbidden"),
            None => ("not-signed-in", "not-signed-in"),
        };
        let tries = [
            ("reset-password", Call::reset_password(token, "short"), reset),
            ("create-admin", Call::create_admin(token, "lee@elsewhere", CHOICES[0]), create),
        ];
        for (function, call, problem) in tries {
            let answer = self.call(None, function, call).await;
            assert_eq!(answer.problem(), Some(problem), "{function} in session {label} {story}");
        }
    }

    /// Runs two operations in every order of their steps. Each of them must come first in some orders and second in others.
    async fn every_order(&mut self, start: &Snapshot, ops: [Op; 2]) {
        let mut explained = BTreeSet::new();
        let mut script = Some(Vec::new());
        while let Some(next) = script {
            let mut choices = Choices { script: next, ..Choices::default() };
            explained.extend(self.run_order(start, &ops, &mut choices).await);
            script = next_script(choices.taken);
        }
        assert_eq!(explained.len(), 2, "{} and {} always take effect in the same order", ops[0], ops[1]);
    }

    /// Runs three operations in some orders of their steps.
    async fn some_orders(&mut self, start: &Snapshot, ops: &[Op; 3]) {
        for seed in 0..*SAMPLE {
            self.run_order(
                start,
                ops,
                &mut Choices { random: Some(fastrand::Rng::with_seed(seed)), ..Choices::default() },
            )
            .await;
        }
    }
}

// Which operations run together.

/// A sign-in of the service administrator with the temporary password of an issue.
fn with_temporary(issue: u64, begins: Label) -> Op {
    SignIn { who: Admin, password: Temporary(issue), begins }
}

/// A reset, which replaces a temporary password.
fn reset(session: Label, to: usize, begins: Label) -> Op {
    Reset { session, current: None, to: Chosen(to), begins }
}

/// A change, which replaces the first password that the service administrator chose.
fn change(session: Label, to: usize, begins: Label) -> Op {
    Reset { session, current: Some(Chosen(0)), to: Chosen(to), begins }
}

fn sign_in(who: UserName, begins: Label) -> Op {
    SignIn { who, password: if who == Admin { Chosen(0) } else { ADMINISTRATOR_PASSWORD }, begins }
}

fn create(session: Label, who: UserName, key: &'static str) -> Op {
    Create { session, who, key }
}

/// The addition of an administrator by Lee.
fn add(session: Label, who: UserName, key: &'static str) -> Op {
    Add { session, who, current: ADMINISTRATOR_PASSWORD, key, gives: "handed out" }
}

/// A reissue to the address on file by one operator.
fn reissue(issue: u64) -> Op {
    let key = if issue == 1 { "first" } else { "second" };
    Desk { operator: Operator::Olga, key, act: DeskAct::Reissue { issue, to: None, keeps_old_address: false } }
}

impl Bench {
    /// Carries out operations one after the other, and saves the result.
    async fn perform_all<const N: usize>(&self, world: &mut World, ops: [Op; N]) -> Snapshot {
        for op in ops {
            self.perform_alone(world, op).await;
        }
        self.snapshot(world).await
    }

    /// Runs the pairs in every order of their steps, and the triples in some.
    async fn run_together<const M: usize, const N: usize>(
        &mut self,
        start: &Snapshot,
        pairs: [[Op; 2]; M],
        triples: [[Op; 3]; N],
    ) {
        for ops in pairs {
            self.every_order(start, ops).await;
        }
        for ops in triples {
            self.some_orders(start, &ops).await;
        }
        println!("{} orders so far", self.orders_run);
    }
}

/// The operations that lead to two full sessions of the service administrator, `F` and `S`.
fn until_chosen() -> [Op; 3] {
    [with_temporary(1, "A"), reset("A", 0, "F"), sign_in(Admin, "S")]
}

/// The operations that lead to an administrator who has not signed in, created in the full session `F`.
fn until_created() -> [Op; 3] {
    [with_temporary(1, "A"), reset("A", 0, "F"), create("F", Lee, "lee")]
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_all_sessions_of_a_temporary_password_resets_it_and_a_new_issue_ends_them() {
    let (mut bench, mut world) = Bench::start().await;
    let start = bench.snapshot(&world).await;
    let (one, other, reissue) = (with_temporary(1, "C"), with_temporary(1, "D"), reissue(1));
    bench.run_together(&start, [[one, other], [one, reissue]], [[one, other, reissue]]).await;

    let start = bench.perform_all(&mut world, [with_temporary(1, "A"), with_temporary(1, "B")]).await;
    let (a, b) = (reset("A", 1, "F"), reset("B", 2, "G"));
    let pairs = [[a, b], [one, a], [one, reissue], [a, reissue]];
    bench.run_together(&start, pairs, [[a, b, one], [a, b, reissue], [one, a, reissue]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_is_created_before_the_session_ends_or_not_at_all() {
    let (mut bench, mut world) = Bench::start().await;
    let start = bench.perform_all(&mut world, until_chosen()).await;
    let (lee, mo, same_name) = (create("F", Lee, "lee"), create("F", Mo, "mo"), create("S", Lee, "another"));
    let (change_own, change_other, reissue) = (change("F", 1, "G"), change("S", 2, "T"), reissue(1));
    let pairs = [[lee, mo], [lee, lee], [lee, same_name], [lee, change_own], [lee, change_other], [lee, reissue]];
    let triples = [[lee, mo, change_other], [lee, change_own, reissue], [lee, same_name, reissue]];
    bench.run_together(&start, pairs, triples).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_changes_of_one_password_succeeds_and_a_new_issue_voids_it() {
    let (mut bench, mut world) = Bench::start().await;
    let start = bench.perform_all(&mut world, until_chosen()).await;
    let (one, other, reissue) = (change("F", 1, "G"), change("S", 2, "T"), reissue(1));
    let pairs = [[one, other], [one, reissue], [one, sign_in(Admin, "N")]];
    bench.run_together(&start, pairs, [[one, other, reissue], [one, other, create("F", Lee, "lee")]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_administrator_creates_no_administrator_after_being_retired() {
    let (mut bench, mut world) = Bench::start().await;
    let start = bench.perform_all(&mut world, until_created()).await;
    let (retire, again, reissue) = (sign_in(Lee, "L"), sign_in(Lee, "M"), reissue(1));
    let (mo, change) = (create("F", Mo, "mo"), change("F", 1, "G"));
    let pairs = [[retire, mo], [retire, change], [retire, reissue], [retire, again], [retire, sign_in(Admin, "N")]];
    let triples = [[retire, mo, reissue], [retire, mo, change], [retire, again, mo], [retire, change, reissue]];
    bench.run_together(&start, pairs, triples).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_administrator_retired_with_a_new_temporary_password_cannot_use_it_afterwards() {
    let (mut bench, mut world) = Bench::start().await;
    bench.perform_all(&mut world, until_created()).await;
    let start = bench.perform_all(&mut world, [reissue(1)]).await;
    let (first, retire, reissue) = (with_temporary(2, "C"), sign_in(Lee, "L"), reissue(2));
    bench.run_together(&start, [[first, retire]], [[first, retire, reissue]]).await;

    let start = bench.perform_all(&mut world, [with_temporary(2, "P"), with_temporary(2, "Q")]).await;
    let (p, q) = (reset("P", 1, "R"), reset("Q", 2, "S"));
    bench.run_together(&start, [[first, retire], [p, retire]], [[p, retire, reissue], [p, q, retire]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_can_work_while_the_service_administrator_returns() {
    let (mut bench, mut world) = Bench::start().await;
    bench.perform_all(&mut world, until_created()).await;
    let start = bench.perform_all(&mut world, [sign_in(Lee, "L"), reissue(1)]).await;
    let (mo, first, reissue) = (add("L", Mo, "mo"), with_temporary(2, "C"), reissue(2));
    bench.run_together(&start, [[mo, first], [mo, reissue]], [[mo, first, reissue]]).await;

    let start = bench.perform_all(&mut world, [with_temporary(2, "P"), with_temporary(2, "Q")]).await;
    let (p, q) = (reset("P", 1, "R"), reset("Q", 2, "S"));
    bench.run_together(&start, [[mo, p]], [[mo, p, reissue], [mo, p, q]]).await;
}
