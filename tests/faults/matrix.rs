//! Every AWS call of every function, failing in every way, in every state.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use local::cloud::{Fault, Mode, Service};
use serde_json::{Value, json};
use support::{
    Deployment, Machine, TestStack,
    history::{Event, explain},
    specification::{Op, State, Told, told},
    table::Table,
};

use crate::{
    MODES,
    people::{Mails, World, read},
    report::Report,
    scenarios::{self, Deed, Mail, Reading, Scenario},
};

/// How many cases run at once: most of them wait most of the time.
const LANES: usize = 10;

/// The longest that an answer may take; a machine that is busy gets half as much again.
const ANSWERED: Duration = Duration::from_millis(4500);

/// Past the time-out of an attempt.
const DELAY: Duration = Duration::from_secs(1);

/// SES gets eight seconds for its one attempt: it lands sooner after that than others after theirs.
const SES_DELAY: Duration = Duration::from_millis(8500);

/// Which attempts a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    First,
    All,
}

/// One call of a function: which of its calls it is, and how many of the same operation come before.
#[derive(Clone, Debug)]
struct Target {
    number: usize,
    service: Service,
    operation: String,
    after: u32,
}

#[derive(Clone, Debug)]
struct Case {
    scenario: Scenario,
    target: Target,
    mode: (&'static str, Mode),
    extent: Extent,
}

impl Case {
    fn fault(&self, function: &str) -> Fault {
        let Target { service, operation, after, .. } = &self.target;
        let delay = if *service == Service::Ses { SES_DELAY } else { DELAY };
        let fault = |count| {
            let fault = Fault::new(*service, operation, self.mode.1, count).of_function(function).after(*after);
            fault.held_for(delay)
        };
        match (self.extent, self.mode.1) {
            (Extent::First, _) => fault(1).on_attempt(1),
            // Tried again by ourselves, not by the SDK: each is a call of its own.
            (Extent::All, Mode::Conflict) => fault(3),
            (Extent::All, _) => fault(1).on_whole_calls(),
        }
    }

    fn name(&self) -> String {
        let Self { scenario: Scenario { function, state, .. }, target: Target { number, operation, .. }, .. } = self;
        let number = number + 1;
        format!("{function} ({state}), call {number} ({operation}) {}, {:?} attempts", self.mode.0, self.extent)
    }
}

/// One who works through cases, one after the other, on a machine of their own.
struct Lane {
    stack: Arc<TestStack>,
    machine: Machine,
    table: Table,
    numbers: Arc<AtomicUsize>,
}

/// One case in the making.
struct Run<'a> {
    lane: &'a Lane,
    world: World,
    mails: Mails,
    began: Instant,
    history: Vec<Event>,
}

/// Why a case did not end well.
enum Wrong {
    /// The machine may have been too busy: to be tried again by itself.
    Slow(String),
    Violation(String),
}

impl From<String> for Wrong {
    fn from(violation: String) -> Self {
        Self::Violation(violation)
    }
}

type Checked<T> = Result<T, Wrong>;

impl Lane {
    /// Runs a scenario, with a fault or none; the calls that the function made.
    async fn run(&self, scenario: &Scenario, case: Option<&Case>) -> Checked<Vec<(String, String)>> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let world = World::new(number, async |address| {
            // Clocks stand still here, and a token must not come from the future.
            self.stack.token_with(&address, &json!({ "iat": 1 }))
        })
        .await;
        let mut run = Run { lane: self, world, mails: Mails::default(), began: Instant::now(), history: Vec::new() };
        let (state, orders) = run.prepare(scenario).await?;
        let function = self.machine.name_of(scenario.function);
        let calls = || if case.is_none() { self.calls(&function) } else { Vec::new() };
        let before = calls().len();
        // A case that went wrong may have left its fault.
        let _ = self.stack.cloud.clear_faults_of(&function);
        if let Some(case) = case {
            self.stack.cloud.set_fault(case.fault(&function));
        }
        run.deed(scenario, case, &orders).await?;
        let calls = calls().split_off(before);
        run.end(scenario, state).await?;
        Ok(calls)
    }

    fn calls(&self, function: &str) -> Vec<(String, String)> {
        let all = self.stack.cloud.requests().into_iter();
        let all = all.filter(|request| request.function == function && request.attempt == 1);
        all.map(|request| (request.service.to_owned(), request.operation)).collect()
    }
}

impl Run<'_> {
    /// Comes to the state of a scenario, without faults; the orders to mail that there were.
    async fn prepare(&mut self, scenario: &Scenario) -> Checked<(State, Vec<Value>)> {
        let mut state = State::nothing();
        let mut orders = Vec::new();
        for op in &scenario.before {
            let issue = state.issue;
            let expected = state.apply(*op);
            let answer = self.perform(*op).await?;
            if answer.as_ref() != Some(&expected) {
                let wrong = format!("without a fault {op} is answered {answer:?} and not {expected:?}");
                return Err(if answer.is_none() { Wrong::Slow(wrong) } else { Wrong::Violation(wrong) });
            }
            if state.issue > issue {
                let new = self.ordered().await?;
                if scenario.mail == Mail::Out && !self.send(&new).await {
                    return Err(Wrong::Slow("a mail is not out, without a fault".to_owned()));
                }
                orders.extend(new);
            }
        }
        if scenario.mail == Mail::Leased {
            let function = self.lane.machine.name_of("send-mail");
            self.lane.stack.cloud.set_fault(Fault::new(Service::Ses, "*", Mode::Reset, 1).of_function(&function));
            let done = self.send(&orders).await;
            if done || self.lane.stack.cloud.clear_faults_of(&function) != 1 {
                return Err(Wrong::Slow("nobody died with a lease".to_owned()));
            }
        }
        self.history.clear();
        Ok((state, orders))
    }

    /// Waits for what the table's stream orders to be mailed.
    async fn ordered(&self) -> Checked<Vec<Value>> {
        for _ in 0..1000 {
            let orders = self.lane.stack.mail_orders(&self.world.subscription());
            if !orders.is_empty() {
                return Ok(orders);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err("an issue whose mail is not ordered".to_owned().into())
    }

    /// Delivers orders to mail; whether they are done.
    async fn send(&mut self, orders: &[Value]) -> bool {
        let done = self.lane.machine.consume("send-mail", orders).await;
        self.look_for_mails();
        done
    }

    fn look_for_mails(&mut self) {
        let inbox = self.lane.stack.cloud.inbox();
        self.mails = Mails::of(&self.world, inbox.into_iter().map(|mail| (mail.tags, mail.text)));
    }

    /// Carries out an operation and keeps what came of it; nothing for an answer that says nothing.
    async fn perform(&mut self, op: Op) -> Checked<Option<Told>> {
        let called = self.elapsed();
        let answer = match op {
            Op::Pass { seconds } => {
                self.lane.machine.pass(seconds.try_into().unwrap());
                Some(told(200, ""))
            }
            Op::Start { event, paid } => {
                let body = self.world.event(event, paid).to_string();
                let message = json!({ "messageId": "message", "body": body });
                self.lane.machine.consume("subscription-start", &[message]).await.then(|| told(200, "done"))
            }
            _ => self.call(op).await?,
        };
        let answered = answer.clone().map(|told| (self.elapsed(), told));
        self.history.push(Event { op, called, answered });
        Ok(answer)
    }

    fn elapsed(&self) -> u64 {
        self.began.elapsed().as_micros().try_into().unwrap()
    }

    async fn call(&self, op: Op) -> Checked<Option<Told>> {
        let (function, call) = self.world.asked(op, &self.mails);
        let asked = Instant::now();
        let answer = self.lane.machine.call(function, call).await;
        let took = asked.elapsed();
        if took > ANSWERED {
            return Err(Wrong::Slow(format!("{op} took {took:?}")));
        }
        match answer.status {
            503 if answer.problem() == Some("unavailable") => return Ok(None),
            500.. => return Err(format!("{op} is answered {} {}", answer.status, answer.body).into()),
            _ => self.world.learn(op, &answer),
        }
        Ok(Some(read(op, &answer, &self.mails)))
    }

    /// What the scenario is about, with the fault that is set, and again when all is well.
    async fn deed(&mut self, scenario: &Scenario, case: Option<&Case>, orders: &[Value]) -> Checked<()> {
        match scenario.deed {
            Deed::Do(op, again) => {
                self.perform(op).await?;
                if let Some(case) = case {
                    self.landed(case).await?;
                    self.perform(again).await?;
                }
            }
            Deed::Read(what) => self.read(what, case).await?,
            Deed::Mail { issue, mails } => self.mail(orders, issue, mails, case).await?,
        }
        Ok(())
    }

    /// The fault has hit, and what it holds back is carried out.
    async fn landed(&self, case: &Case) -> Checked<()> {
        let function = self.lane.machine.name_of(case.scenario.function);
        if self.lane.stack.cloud.clear_faults_of(&function) == 0 {
            return Err(Wrong::Slow("the fault has hit nothing".to_owned()));
        }
        if case.mode.1 == Mode::Delayed {
            tokio::time::sleep(DELAY + Duration::from_millis(150)).await;
        }
        Ok(())
    }

    /// What is looked at is shown, or cannot be had for the moment; and the same is shown when all is well.
    async fn read(&self, what: Reading, case: Option<&Case>) -> Checked<()> {
        let (function, call) = self.world.reads(what);
        let asked = Instant::now();
        let first = self.lane.machine.call(function, call.clone()).await;
        let took = asked.elapsed();
        if let Some(case) = case {
            self.landed(case).await?;
        }
        let second = match case {
            Some(_) => &self.lane.machine.call(function, call).await,
            None => &first,
        };
        let is_right = second.status == 200 && self.world.shows(what, &second.body);
        let is_first_right = (first.status == 503 && case.is_some()) || first.body == second.body;
        if !is_right || !is_first_right {
            return Err(format!("shows {first:?}, and then {second:?}").into());
        }
        if took > ANSWERED {
            return Err(Wrong::Slow(format!("{what:?} took {took:?}")));
        }
        Ok(())
    }

    /// Delivers the order to mail until it is done, each time after a lease would have ended, and once more.
    async fn mail(
        &mut self,
        orders: &[Value],
        issue: u64,
        (least, most): (usize, usize),
        case: Option<&Case>,
    ) -> Checked<()> {
        let order = &orders[usize::try_from(issue - 1).unwrap()..][..1];
        let mut done = false;
        for _ in 0..5 {
            done = self.send(order).await;
            if case.is_some_and(|case| case.mode.1 == Mode::Delayed) {
                tokio::time::sleep(DELAY + Duration::from_millis(150)).await;
            }
            if done {
                break;
            }
            self.lane.machine.pass(61);
        }
        if let Some(case) = case {
            self.landed(case).await?;
            if !self.send(order).await {
                return Err(Wrong::Slow("the mail is not done when all is well".to_owned()));
            }
        }
        let mails = self.mails.of_issue(issue);
        let (count, passwords) = (mails.len(), mails.into_iter().collect::<BTreeSet<_>>());
        let passwords = passwords.len();
        let kept = self.lane.table.get(format!("SUBSCRIPTION#{}", self.world.subscription()), "MAIL").await.unwrap();
        let status = kept["status"].as_s().unwrap();
        let is_recorded = status == if most == 0 { "not-needed" } else { "sent" };
        if !done || !is_recorded || !(least..=most).contains(&count) || passwords > 1 {
            let told = format!("done {done}, {count} mails with {passwords} passwords, recorded as {status}");
            return Err(told.into());
        }
        Ok(())
    }

    /// Whoever comes afterwards; then answers and table are held against the specification.
    async fn end(&mut self, scenario: &Scenario, state: State) -> Checked<()> {
        if scenario.function == "subscription-start" {
            self.until_started().await?;
        }
        for op in &scenario.afterwards {
            let is_possible = match op {
                Op::Look { session } | Op::Reset { session, .. } => self.world.knows(session),
                _ => true,
            };
            if is_possible && self.perform(*op).await?.is_none() {
                return Err(Wrong::Slow(format!("{op} has no answer when all is well")));
            }
        }
        let lines = self.lane.table.lines(&self.world.subscription(), &self.world.company()).await;
        explain(&state, &self.history, &lines)?;
        Ok(())
    }

    /// An event that failed is delivered again, and what it orders is mailed.
    async fn until_started(&mut self) -> Checked<()> {
        let Some(Event { op, answered, .. }) = self.history.last().cloned() else { return Ok(()) };
        if answered.is_none() && self.perform(op).await?.is_none() {
            return Err(Wrong::Slow("the event is not done when all is well".to_owned()));
        }
        let (subscription, company) = (self.world.subscription(), self.world.company());
        let (items, _) = self.lane.table.items(&subscription, &company).await;
        let credential = items.iter().find(|item| item["SK"].as_s().unwrap() == "CREDENTIAL");
        let issue = credential.map_or(0, |item| item["issue"].as_n().unwrap().parse().unwrap());
        if self.mails.of_issue(issue).is_empty() {
            let orders = self.ordered().await?;
            if !self.send(&orders).await {
                return Err(Wrong::Slow("the mail is not out when all is well".to_owned()));
            }
        }
        match self.mails.of_issue(issue).len() {
            1 => Ok(()),
            count => Err(format!("issue {issue} is mailed {count} times").into()),
        }
    }
}

/// Every fault of every call that a scenario was seen to make.
fn cases(scenario: &Scenario, calls: &[(String, String)]) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for (number, (service, operation)) in calls.iter().enumerate() {
        let after = seen.entry(operation).or_default();
        let service = [Service::DynamoDb, Service::Kms, Service::Ses].into_iter().find(|known| known.name() == service);
        let target = Target { number, service: service.unwrap(), operation: operation.clone(), after: *after };
        *after += 1;
        for mode in MODES {
            for extent in [Extent::First, Extent::All] {
                if happens(&target, mode.1, extent) {
                    cases.push(Case { scenario: scenario.clone(), target: target.clone(), mode, extent });
                }
            }
        }
    }
    cases
}

/// Whether there is such a fault, and no other that is the same.
fn happens(target: &Target, mode: Mode, extent: Extent) -> bool {
    let conflicts = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"];
    match (mode, extent) {
        (Mode::Conflict, _) if !conflicts.contains(&target.operation.as_str()) => false,
        // It is answered at the first attempt.
        (Mode::Duplicated, Extent::All) => false,
        // There is one attempt.
        (mode, Extent::All) if target.service == Service::Ses => mode == Mode::Conflict,
        _ => true,
    }
}

/// Of each call of each function each fault once, in a state and to an extent by chance.
fn sample(mut cases: Vec<Case>, random: &mut fastrand::Rng) -> Vec<Case> {
    random.shuffle(&mut cases);
    let mut seen = BTreeSet::new();
    let mut new = |case: &Case| {
        let Target { number, operation, .. } = &case.target;
        seen.insert((case.scenario.function, *number, operation.clone(), case.mode.0))
    };
    cases.retain(|case| new(case));
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_every_function_fails_in_every_way() {
    let seed = support::number_asked_for("FIRSTKEY_SEED").unwrap_or(1);
    println!("FIRSTKEY_SEED={seed}");
    let deployment = Deployment::default().with("SIGN_IN_NETWORK_BURST", "1000000").holding_mails();
    let stack = Arc::new(deployment.start().await);
    let numbers = Arc::new(AtomicUsize::new(1));
    let lane = |n| Lane {
        machine: stack.apart(&format!("@{n}")),
        table: Table::of(&stack.cloud.aws_url(), "desk"),
        stack: Arc::clone(&stack),
        numbers: Arc::clone(&numbers),
    };
    let lanes: Vec<_> = (0..LANES).map(lane).collect();

    let found = Mutex::new(Vec::new());
    work(&lanes[..4], scenarios::all(), async |lane, scenario| {
        let calls = lane.run(&scenario, None).await;
        let calls = calls.unwrap_or_else(|(Wrong::Slow(wrong) | Wrong::Violation(wrong))| {
            panic!("{} ({}): {wrong}", scenario.function, scenario.state)
        });
        found.lock().unwrap().extend(cases(&scenario, &calls));
    })
    .await;
    let mut cases = found.into_inner().unwrap();
    cases.sort_by_key(Case::name);
    let all = cases.len();
    if !support::asked_for("FIRSTKEY_FULL") {
        cases = sample(cases, &mut fastrand::Rng::with_seed(seed));
    }
    if let Some(only) = support::text_asked_for("FIRSTKEY_ONLY") {
        cases.retain(|case| case.name().contains(&only));
    }
    println!("{} of {all} cases", cases.len());
    // Those that take longest first.
    cases.sort_by_key(|case| (case.target.service != Service::Ses, case.mode.1 != Mode::Delayed));

    let (report, slow) = (Mutex::new(Report::default()), Mutex::new(Vec::new()));
    work(&lanes, cases, async |lane, case| match lane.run(&case.scenario, Some(&case)).await {
        Err(Wrong::Slow(_)) => slow.lock().unwrap().push(case),
        Err(Wrong::Violation(wrong)) => report.lock().unwrap().case(&case, Some(wrong)),
        Ok(_) => report.lock().unwrap().case(&case, None),
    })
    .await;
    let (mut report, slow) = (report.into_inner().unwrap(), slow.into_inner().unwrap());
    println!("{} of them again by themselves", slow.len());
    for case in slow {
        let wrong = lanes[0].run(&case.scenario, Some(&case)).await.err();
        report.case(&case, wrong.map(|(Wrong::Slow(wrong) | Wrong::Violation(wrong))| wrong));
    }
    report.end("AWS call by call");
}

impl Report {
    fn case(&mut self, case: &Case, wrong: Option<String>) {
        let name = case.name();
        let again =
            format!("FIRSTKEY_FULL=1 FIRSTKEY_ONLY='{name}' cargo nextest run -p tests --test faults every_call");
        let wrong = wrong.map(|wrong| format!("{name}: {wrong}\nthe same again: {again}"));
        self.add(case.scenario.function, case.mode.0, wrong);
    }
}

/// Everybody takes the next of `things` until there is none.
async fn work<T>(lanes: &[Lane], things: Vec<T>, run: impl AsyncFn(&Lane, T)) {
    let things = Mutex::new(things.into_iter());
    let next = || things.lock().unwrap().next();
    let (next, run) = (&next, &run);
    join_all(lanes.iter().map(|lane| async move {
        while let Some(thing) = next() {
            run(lane, thing).await;
        }
    }))
    .await;
}
