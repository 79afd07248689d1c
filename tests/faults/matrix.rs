//! Makes every AWS call of every function fail, in every way and in every state.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cloud::{Fault, Mode, Service};
use domain::{DuePartition, SubscriptionId, Timestamp};
use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{
    Answer, Deployment, Function, Machine, TestStack,
    history::{Event, find_order},
    specification::{Op, Reply, State, reply},
    table::{Item, Table, read_number, read_text},
};

use crate::{
    MODES,
    keys::Keys,
    people::{Mails, Site, World, is_unavailable},
    report::Report,
    scenarios::{self, Action, Consent, Mail, Reading, Scenario},
};

/// The number of cases that run concurrently: a case spends most of its time waiting.
const LANES: usize = 10;

/// The longest time that an answer may take. It includes half as much again for a busy machine.
const ANSWER_DEADLINE: Duration = Duration::from_millis(4500);

/// The delay of a request that arrives after the time-out of its attempt.
const DELAY: Duration = Duration::from_secs(1);

/// The same delay for SES, whose only attempt times out after eight seconds. It arrives sooner after the time-out than the others.
const SES_DELAY: Duration = Duration::from_millis(8500);

/// The number of the first era in which something is purged. No other run reaches it.
const FIRST_ERA_OF_PURGES: i64 = 5000;

/// The number of days whose lists a purge asks for.
const DAYS_OF_PURGE: u32 = 31;

/// The time for which a run of the purge has a subscription to itself, in seconds.
const PURGE_LEASE: i64 = 15 * 60;

/// The attempts that a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    First,
    All,
}

/// One call of a function: its number among the function's calls, and the number of earlier calls of the same operation.
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
            let fault = Fault::new(*service, operation, self.mode.1, count).on_function(function).after(*after);
            fault.held_for(delay)
        };
        match (self.extent, self.mode.1) {
            (Extent::First, _) => fault(1).on_attempt(1),
            // Our own code retries a conflict, not the SDK: each retry is a call of its own.
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

/// A worker that runs cases one after the other on its own machine.
struct Lane {
    /// When the test began, by the clock of every machine.
    began: i64,
    stack: Arc<TestStack>,
    machine: Machine,
    /// The machine of a deployment without approvals.
    lone_machine: Machine,
    /// The keys that `refresh-keys` puts.
    keys: Keys,
    table: Table,
    numbers: Arc<AtomicUsize>,
}

/// One run of a scenario.
struct Run<'a> {
    lane: &'a Lane,
    machine: &'a Machine,
    world: World,
    mails: Mails,
    began: Instant,
    history: Vec<Event>,
}

/// The reason why a case failed.
enum Failure {
    /// The machine may have been too busy: the case runs again alone.
    Slow(String),
    Violation(String),
}

impl From<String> for Failure {
    fn from(violation: String) -> Self {
        Self::Violation(violation)
    }
}

type Checked<T> = Result<T, Failure>;

impl Lane {
    /// Returns a token that is issued at the time of a machine. The clock of the stack does not advance.
    fn token(&self, machine: &Machine, site: Site, address: &str) -> String {
        let claims = json!({ "iat": machine.now() });
        match site {
            Site::Portal => self.stack.token_with(address, &claims),
            Site::Desk => self.stack.operator_token_with(address, &claims),
        }
    }

    /// Runs a scenario, with or without a fault; returns the AWS calls of the function when there is no fault.
    async fn run(&self, scenario: &Scenario, case: Option<&Case>) -> Checked<Vec<(String, String)>> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let machine = match (scenario.action, scenario.consent) {
            (Action::Refresh, _) => &self.keys.machine,
            (_, Consent::Required) => &self.machine,
            (_, Consent::Off) => &self.lone_machine,
        };
        let world = World::new(number, async |site, address| self.token(machine, site, &address)).await;
        let (mails, began, history) = (Mails::default(), Instant::now(), Vec::new());
        let mut run = Run { lane: self, machine, world, mails, began, history };
        let time = machine.now();
        let calls = run.complete(scenario, case).await;
        if matches!(scenario.action, Action::Purge) {
            machine.advance_clock(time - machine.now());
        }
        calls
    }

    fn calls(&self, function: &str) -> Vec<(String, String)> {
        let all = self.stack.cloud.requests().into_iter();
        let all = all.filter(|request| request.function == function && request.attempt == 1);
        all.map(|request| (request.service.to_owned(), request.operation)).collect()
    }
}

impl Run<'_> {
    /// Runs a scenario from its beginning to its end.
    async fn complete(&mut self, scenario: &Scenario, case: Option<&Case>) -> Checked<Vec<(String, String)>> {
        let (state, orders) = self.prepare(scenario).await?;
        self.warm_up(scenario.function).await;
        let (lane, function) = (self.lane, self.machine.caller_name(scenario.function));
        let calls = || if case.is_none() { lane.calls(&function) } else { Vec::new() };
        let before = calls().len();
        // A case that failed may have left its fault.
        let _ = lane.stack.cloud.clear_faults_of(&function);
        if let Some(case) = case {
            lane.stack.cloud.set_fault(case.fault(&function));
        }
        self.act(scenario, case, &orders).await?;
        let calls = calls().split_off(before);
        self.conclude(scenario, state).await?;
        Ok(calls)
    }

    /// Lets a function that verifies tokens get the provider's keys. Whether it reads them would depend on the runs before this one.
    async fn warm_up(&self, function: &'static str) {
        let claims = json!({ "iat": self.machine.now(), "aud": "another client" });
        let token = self.lane.stack.token_with("robin@elsewhere.example", &claims);
        if let Some(call) = Function::from_name(function).verifying_request(&token) {
            self.machine.call(function, call).await;
        }
    }

    /// Brings about the state of a scenario without faults; returns that state and the orders to mail.
    async fn prepare(&mut self, scenario: &Scenario) -> Checked<(State, Vec<Value>)> {
        let mut state = State::empty().with_desk_lines();
        if scenario.consent == Consent::Off {
            state = state.without_approvals();
        }
        let mut orders = Vec::new();
        match scenario.action {
            Action::Remind { .. } => self.begin_era(0).await,
            Action::Purge => self.begin_era(FIRST_ERA_OF_PURGES).await,
            Action::Refresh => self.lane.keys.put().await.map_err(Failure::Slow)?,
            _ => {}
        }
        for op in &scenario.before {
            let mails = state.mails;
            let expected = state.apply(*op);
            let answer = self.perform(*op).await?;
            if answer.as_ref() != Some(&expected) {
                let wrong = format!("without a fault, {op} is answered {answer:?} instead of {expected:?}");
                return Err(if answer.is_none() { Failure::Slow(wrong) } else { Failure::Violation(wrong) });
            }
            if state.mails > mails {
                let new = self.await_orders().await?;
                if scenario.mail == Mail::Sent && !self.send(&new).await {
                    return Err(Failure::Slow("a mail is not sent, without a fault".to_owned()));
                }
                orders.extend(new);
            }
        }
        if scenario.mail == Mail::Leased {
            let function = self.machine.caller_name("send-mail");
            self.lane.stack.cloud.set_fault(Fault::new(Service::Ses, "*", Mode::Reset, 1).on_function(&function));
            let done = self.send(&orders).await;
            if done || self.lane.stack.cloud.clear_faults_of(&function) != 1 {
                return Err(Failure::Slow("no worker died while it held a lease".to_owned()));
            }
        }
        self.history.clear();
        Ok((state, orders))
    }

    /// Advances the clock of this lane to a time that no other run reaches: a run over the reminders works through those of all
    /// subscriptions, and so does the schedule that deletes what has ended.
    async fn begin_era(&mut self, first: i64) {
        const ERA: i64 = 60 * 24 * 60 * 60;
        let (lane, number) = (self.lane, first + i64::try_from(self.world.number()).unwrap());
        self.machine.advance_clock(lane.began + ERA * number - self.machine.now());
        self.sign_everyone_in().await;
    }

    /// Signs everyone in again, since sessions end as time passes.
    async fn sign_everyone_in(&mut self) {
        let (lane, machine) = (self.lane, self.machine);
        self.world.sign_everyone_in(async |site, address| lane.token(machine, site, &address)).await;
    }

    /// Waits for the table's stream to order mails.
    async fn await_orders(&self) -> Checked<Vec<Value>> {
        for _ in 0..1000 {
            let orders = self.lane.stack.take_mail_orders(&self.world.subscription());
            if !orders.is_empty() {
                return Ok(orders);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err("an issue's mail is not ordered".to_owned().into())
    }

    /// Delivers orders to mail; returns whether all were carried out.
    async fn send(&mut self, orders: &[Value]) -> bool {
        let done = self.machine.consume("send-mail", orders).await;
        self.refresh_mails();
        done
    }

    fn refresh_mails(&mut self) {
        let inbox = self.lane.stack.cloud.inbox_of(&self.world.subscription());
        self.mails = Mails::for_subscription(&self.world, inbox.into_iter().map(|mail| (mail.tags, mail.text)));
    }

    /// Sends the mails that the current issue and round still lack, and checks that there is one then.
    async fn finish_mails(&mut self) -> Checked<()> {
        let subscription = self.world.subscription();
        let Some(item) = self.mail_item().await else { return Ok(()) };
        let (status, issue) = (read_text(&item, "status"), read_number(&item, "issue").to_string());
        if status == "pending" {
            let orders = self.await_orders().await?;
            if !self.send(&orders).await {
                return Err(Failure::Slow("the mail is not sent without a fault".to_owned()));
            }
        }
        let round = item.get("round").map_or("0", |round| round.as_n().unwrap());
        let is_it = |tags: &BTreeMap<String, String>| tags["issue"] == issue && tags["round"] == round;
        let mails = self.lane.stack.cloud.inbox_of(&subscription);
        let count = mails.iter().filter(|mail| is_it(&mail.tags)).count();
        if count == 1 || (count == 0 && ["bounced", "complained"].contains(&status)) {
            return Ok(());
        }
        Err(format!("the mail of issue {issue}, round {round}, is {status} and sent {count} times").into())
    }

    /// Carries out an operation and adds it to the history; returns `None` for an answer that leaves the result open.
    async fn perform(&mut self, op: Op) -> Checked<Option<Reply>> {
        let called = self.elapsed();
        let answer = match op {
            Op::Wait { seconds } => {
                self.machine.advance_clock(seconds.try_into().unwrap());
                self.sign_everyone_in().await;
                Some(reply(200, ""))
            }
            Op::LockOut { who } => {
                let attempts = format!("ATTEMPTS#{}", self.world.user_name(who));
                self.lane.table.set_number(attempts, "ACCOUNT", "failures", 100).await;
                Some(reply(200, ""))
            }
            Op::Start { event, paid } => {
                let body = self.world.event(event, paid).to_string();
                let message = json!({ "messageId": "message", "body": body });
                self.machine.consume("subscription-start", &[message]).await.then(|| reply(200, "done"))
            }
            Op::Restart { event, at } => {
                let body = self.world.later_event(event, at).to_string();
                let message = json!({ "messageId": "message", "body": body });
                self.machine.consume("subscription-start", &[message]).await.then(|| reply(200, "done"))
            }
            Op::End { at } => {
                let message = json!({ "messageId": "message", "body": self.world.end(at).to_string() });
                self.machine.consume("subscription-end", &[message]).await.then(|| reply(200, "done"))
            }
            Op::Report { issue, round, what, at } => {
                let message = self.world.report((issue, round), what, at);
                self.machine.consume("mail-feedback", &[message]).await.then(|| reply(200, "done"))
            }
            _ => self.call(op).await?,
        };
        let answered = answer.clone().map(|reply| (self.elapsed(), reply));
        self.history.push(Event { op, called, answered });
        Ok(answer)
    }

    fn elapsed(&self) -> u64 {
        self.began.elapsed().as_micros().try_into().unwrap()
    }

    async fn call(&self, op: Op) -> Checked<Option<Reply>> {
        if let Op::Help { who, .. } | Op::Remove { who, .. } | Op::Enter { who, .. } = op {
            let account = self.lane.table.get(format!("ACCOUNT#{}", self.world.user_name(who)), "ACCOUNT").await;
            account.inspect(|account| self.world.learn_account(who, read_text(account, "account_id")));
        }
        let (function, call) = self.world.request(op, &self.mails);
        let asked = Instant::now();
        let answer = self.machine.call(function, call).await;
        let took = asked.elapsed();
        if took > ANSWER_DEADLINE {
            return Err(Failure::Slow(format!("{op} took {took:?}")));
        }
        match answer.status {
            503 if is_unavailable(op, &answer) => return Ok(None),
            500.. => return Err(format!("{op} is answered {} {}", answer.status, answer.body).into()),
            _ => self.world.learn(op, &answer),
        }
        self.world.attribute_password(&answer, &self.mails);
        Ok(Some(self.world.describe(op, &answer, &self.mails)))
    }

    /// Carries out the scenario's action while the fault is set, and again without it.
    async fn act(&mut self, scenario: &Scenario, case: Option<&Case>, orders: &[Value]) -> Checked<()> {
        match scenario.action {
            Action::Do(op, again) => {
                self.perform(op).await?;
                if let Some(case) = case {
                    self.finish_fault(case).await?;
                    self.perform(again).await?;
                }
            }
            Action::Read(what) => self.check_reading(what, case).await?,
            Action::Mail { order, issue, mails, status } => {
                self.deliver_mail(&orders[order..][..1], issue, mails, case).await?;
                let item = self.mail_item().await.unwrap();
                let recorded = read_text(&item, "status");
                if recorded != status {
                    return Err(format!("the mail is recorded as {recorded}").into());
                }
            }
            Action::Remind { reminders } => self.remind(reminders, case).await?,
            Action::Publish { events, notices } => self.publish(events, notices, case).await?,
            Action::Purge => self.purge(case).await?,
            Action::Refresh => self.refresh_keys(case).await?,
        }
        Ok(())
    }

    /// Runs `refresh-keys`, and checks that the table has usable keys after it, and new ones after another run without the fault.
    async fn refresh_keys(&self, case: Option<&Case>) -> Checked<()> {
        let keys = &self.lane.keys;
        let Some(case) = case else {
            keys.put_now().await.map_err(Failure::Slow)?;
            return Ok(keys.check(false).await?);
        };
        let is_done = keys.run().await;
        self.finish_fault(case).await?;
        keys.check(!is_done).await?;
        keys.put_now().await.map_err(Failure::Slow)?;
        Ok(keys.check(false).await?)
    }

    /// Clears the fault, checks that it was hit, and waits until a delayed request has been carried out.
    async fn finish_fault(&self, case: &Case) -> Checked<()> {
        let function = self.machine.caller_name(case.scenario.function);
        if self.lane.stack.cloud.clear_faults_of(&function) == 0 {
            return Err(Failure::Slow("the fault was not hit".to_owned()));
        }
        if case.mode.1 == Mode::Delayed {
            tokio::time::sleep(DELAY + Duration::from_millis(150)).await;
        }
        Ok(())
    }

    /// Checks that a reading shows the state or is unavailable during the fault, and that it shows the same without the fault.
    async fn check_reading(&self, what: Reading, case: Option<&Case>) -> Checked<()> {
        let (function, call) = self.world.reading_request(what);
        let asked = Instant::now();
        let first = self.machine.call(function, call.clone()).await;
        let took = asked.elapsed();
        if let Some(case) = case {
            self.finish_fault(case).await?;
        }
        let second = match case {
            Some(_) => &self.machine.call(function, call).await,
            None => &first,
        };
        let is_right = second.status == 200 && self.world.shows(what, &self.world.own_part(what, second.body.clone()));
        let own_part = |answer: &Answer| self.world.own_part(what, answer.body.clone());
        let is_first_right = (first.status == 503 && case.is_some()) || own_part(&first) == own_part(second);
        if !is_right || !is_first_right {
            return Err(format!("{what:?} shows {first:?}, and then {second:?}").into());
        }
        if took > ANSWER_DEADLINE {
            return Err(Failure::Slow(format!("{what:?} took {took:?}")));
        }
        Ok(())
    }

    /// Runs over the reminders that are due until a run succeeds, and twice more. Sends what they order.
    async fn remind(&mut self, reminders: usize, case: Option<&Case>) -> Checked<()> {
        let mut runs = 0;
        while !self.machine.run_schedule("send-reminders").await {
            runs += 1;
            // A conflict is repeated three times, and a run does not retry a deletion.
            if runs == 4 {
                return Err(Failure::Slow("no run succeeds".to_owned()));
            }
        }
        if let Some(case) = case {
            self.finish_fault(case).await?;
            if !self.machine.run_schedule("send-reminders").await {
                return Err(Failure::Slow("a run fails without a fault".to_owned()));
            }
        }
        if reminders > 0 {
            let orders = self.await_orders().await?;
            if !self.send(&orders).await {
                return Err(Failure::Slow("the reminder is not sent without a fault".to_owned()));
            }
        }
        let subscription = self.world.subscription();
        let mails = self.lane.stack.cloud.inbox_of(&subscription);
        let sent = mails.iter().filter(|mail| mail.tags["mail"] == "reminder").count();
        if sent != reminders || self.is_reminder_due().await {
            return Err(format!("{sent} reminders are sent, or one is due still").into());
        }
        Ok(())
    }

    /// Delivers the subscription's records of the stream until none of them fails, and once more after a fault. Each transition then has one id,
    /// and each notice was ordered once.
    async fn publish(&self, events: usize, notices: usize, case: Option<&Case>) -> Checked<()> {
        let subscription = self.world.subscription();
        let key = format!("SUBSCRIPTION#{subscription}");
        let mut records = self.lane.stack.cloud.stream_records().await.unwrap();
        records.retain(|record| record["dynamodb"]["Keys"]["PK"]["S"] == key.as_str());
        let deliver = || self.machine.consume("publish-events", &records);
        for turn in 0..4 {
            if deliver().await {
                break;
            }
            if turn == 3 {
                return Err(Failure::Slow("no delivery succeeds".to_owned()));
            }
        }
        if let Some(case) = case {
            self.finish_fault(case).await?;
            if !deliver().await {
                return Err(Failure::Slow("a delivery fails without a fault".to_owned()));
            }
        }
        let published = self.lane.stack.cloud.published();
        let own = published.iter().filter(|event| event.detail["subscription_id"] == subscription.as_str());
        let contents: BTreeSet<_> = own.clone().map(|event| event.detail.to_string()).collect();
        let ids: BTreeSet<_> = own.map(|event| event.detail["event_id"].to_string()).collect();
        let of_notices = |item: &&Value| {
            item["PK"]["S"] == key.as_str() && item["SK"]["S"].as_str().is_some_and(|sk| sk.starts_with("MAIL#notice#"))
        };
        let ordered = self.lane.stack.cloud.dump_table().await.unwrap().iter().filter(of_notices).count();
        if (contents.len(), ids.len(), ordered) != (events, events, notices) {
            let found = format!("{} contents, {} ids and {ordered} notices", contents.len(), ids.len());
            return Err(format!("{found} instead of {events} events and {notices} notices").into());
        }
        Ok(())
    }

    /// Runs the schedule that deletes what has ended, and again after the lease of a run that was interrupted.
    async fn purge(&mut self, case: Option<&Case>) -> Checked<()> {
        let called = self.elapsed();
        let first = self.machine.run_schedule("purge-subscriptions").await;
        if !first && case.is_none() {
            return Err(Failure::Slow("a purge fails without a fault".to_owned()));
        }
        if let Some(case) = case {
            self.finish_fault(case).await?;
            self.machine.advance_clock(PURGE_LEASE);
            if !self.machine.run_schedule("purge-subscriptions").await {
                return Err(Failure::Slow("a purge fails without a fault".to_owned()));
            }
        }
        self.history.push(Event { op: Op::Purge, called, answered: Some((self.elapsed(), reply(200, "done"))) });
        let left = self.left_of_purge().await;
        if !left.is_empty() {
            return Err(format!("the purge has left {left:?}").into());
        }
        Ok(())
    }

    /// Returns the keys of what a purge should have deleted, if there is no credential any more.
    async fn left_of_purge(&self) -> Vec<String> {
        let (subscription, company) = (self.world.subscription(), self.world.company());
        let own = [format!("SUBSCRIPTION#{subscription}"), format!("COMPANY#{company}")];
        let is_own = |key: &str| own.iter().any(|own| key == own || key.starts_with(&format!("{own}#")));
        let of_account = |key: &str| {
            (key.starts_with("ACCOUNT#") || key.starts_with("ATTEMPTS#")) && key.ends_with(&format!("@{company}"))
        };
        let keys = self.lane.stack.cloud.dump_table().await.unwrap().into_iter().map(|item| {
            let key = |name: &str| item[name]["S"].as_str().unwrap().to_owned();
            (key("PK"), key("SK"))
        });
        let found: Vec<_> = keys.filter(|(pk, sk)| is_own(pk) || is_own(sk) || of_account(pk)).collect();
        let is_live = found.iter().any(|(_, sk)| sk == "CREDENTIAL");
        // The life stays, so that an old start does not bring the subscription back. A reminder is taken off its list by the run that would send it.
        let stays = |pk: &str, sk: &str| sk == "LIFE" || pk.starts_with("DUE#");
        let left = found.into_iter().filter(|(pk, sk)| !is_live && !stays(pk, sk));
        left.map(|(pk, sk)| format!("{pk} {sk}")).collect()
    }

    /// Returns whether the reminder of the current issue is on the list of those that are due.
    async fn is_reminder_due(&self) -> bool {
        let subscription = self.world.subscription();
        let credential = self.lane.table.get(format!("SUBSCRIPTION#{subscription}"), "CREDENTIAL").await.unwrap();
        let expires_at = i64::try_from(read_number(&credential, "expires_at")).unwrap();
        let due_at = Timestamp::from_epoch_seconds(expires_at - 2 * 24 * 60 * 60);
        let partition = DuePartition::new(due_at, &SubscriptionId::parse(&subscription).unwrap());
        let sort_key = format!("SUBSCRIPTION#{subscription}#{}", read_number(&credential, "issue"));
        self.lane.table.get(format!("DUE#{partition}"), &sort_key).await.is_some()
    }

    async fn mail_item(&self) -> Option<Item> {
        self.lane.table.get(format!("SUBSCRIPTION#{}", self.world.subscription()), "MAIL").await
    }

    /// Delivers the order to mail until it is carried out, each time after a lease would have ended, and once more at the end.
    async fn deliver_mail(
        &mut self,
        order: &[Value],
        issue: u64,
        (least, most): (usize, usize),
        case: Option<&Case>,
    ) -> Checked<()> {
        let mut done = false;
        for _ in 0..5 {
            done = self.send(order).await;
            if case.is_some_and(|case| case.mode.1 == Mode::Delayed) {
                tokio::time::sleep(DELAY + Duration::from_millis(150)).await;
            }
            if done {
                break;
            }
            self.machine.advance_clock(61);
        }
        if let Some(case) = case {
            self.finish_fault(case).await?;
            if !self.send(order).await {
                return Err(Failure::Slow("the mail is not sent without a fault".to_owned()));
            }
        }
        let mails = self.mails.passwords(issue);
        let (count, passwords) = (mails.len(), mails.into_iter().collect::<BTreeSet<_>>());
        let passwords = passwords.len();
        if !done || !(least..=most).contains(&count) || passwords > 1 {
            let found = format!("done {done}, {count} mails with {passwords} passwords");
            return Err(found.into());
        }
        Ok(())
    }

    /// Carries out the operations afterwards, then checks answers and table against the specification.
    async fn conclude(&mut self, scenario: &Scenario, state: State) -> Checked<()> {
        match scenario.function {
            "subscription-start" => self.finish_start().await?,
            "reissue-credentials" | "renew-credentials" | "resend-mail" => self.finish_mails().await?,
            _ => {}
        }
        for op in &scenario.afterwards {
            let is_possible = match op {
                Op::CheckSession { session }
                | Op::Reset { session, .. }
                | Op::Add { session, .. }
                | Op::Help { session, .. }
                | Op::Remove { session, .. }
                | Op::Enter { session, .. } => self.world.knows(session),
                Op::Redeem { code, .. } => self.world.knows_code(code),
                Op::ReadUser { token } => self.world.knows_access_token(token),
                Op::SignIn { password, .. } => self.world.knows_password(*password),
                _ => true,
            };
            if is_possible && self.perform(*op).await?.is_none() {
                return Err(Failure::Slow(format!("{op} has no answer without a fault")));
            }
            if matches!(op, Op::Desk { .. } | Op::Restart { .. }) {
                self.finish_mails().await?;
            }
        }
        let company = &self.world.company();
        let lines = self.lane.table.lines_with_desk(&self.world.subscription(), company, company).await;
        find_order(&state, &self.history, &lines)?;
        Ok(())
    }

    /// Delivers an event that failed again, and sends the mail that it orders.
    async fn finish_start(&mut self) -> Checked<()> {
        let Some(Event { op, answered, .. }) = self.history.last().cloned() else { return Ok(()) };
        if answered.is_none() && self.perform(op).await?.is_none() {
            return Err(Failure::Slow("the event is not handled without a fault".to_owned()));
        }
        let (subscription, company) = (self.world.subscription(), self.world.company());
        let (items, _) = self.lane.table.items(&subscription, &company).await;
        let credential = items.iter().find(|item| item["SK"].as_s().unwrap() == "CREDENTIAL");
        let issue = credential.map_or(0, |item| item["issue"].as_n().unwrap().parse().unwrap());
        if self.mails.count(issue) == 0 {
            let orders = self.await_orders().await?;
            if !self.send(&orders).await {
                return Err(Failure::Slow("the mail is not sent without a fault".to_owned()));
            }
        }
        match self.mails.count(issue) {
            1 => Ok(()),
            count => Err(format!("issue {issue} is mailed {count} times").into()),
        }
    }
}

/// Returns a case for every fault of every call that a scenario made.
fn cases(scenario: &Scenario, calls: &[(String, String)]) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for (number, (service, operation)) in calls.iter().enumerate() {
        let after = counts.entry(operation).or_default();
        let is_purge = matches!(scenario.action, Action::Purge);
        let is_alike = match operation.as_str() {
            // A run over the reminders asks for 784 parts of the list, one as the other, and a purge for 31 days.
            "Query" => *after > 0 && !(is_purge && *after >= DAYS_OF_PURGE),
            "DeleteItem" if is_purge => !(*after).is_multiple_of(6),
            // A process reads the public keys of the product once, so that another run does not make the call.
            "GetPublicKey" => true,
            _ => false,
        };
        if is_alike {
            *after += 1;
            continue;
        }
        let service = [Service::DynamoDb, Service::Events, Service::Kms, Service::SecretsManager, Service::Ses]
            .into_iter()
            .find(|known| known.name() == service);
        let target = Target { number, service: service.unwrap(), operation: operation.clone(), after: *after };
        *after += 1;
        for mode in MODES {
            for extent in [Extent::First, Extent::All] {
                if is_distinct(&target, mode.1, extent) {
                    cases.push(Case { scenario: scenario.clone(), target: target.clone(), mode, extent });
                }
            }
        }
    }
    cases
}

/// Returns whether the fault is possible and differs from every other one.
fn is_distinct(target: &Target, mode: Mode, extent: Extent) -> bool {
    let conflicts = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"];
    match (mode, extent) {
        (Mode::Conflict, _) if !conflicts.contains(&target.operation.as_str()) => false,
        // The first attempt is answered, so there are no others.
        (Mode::Duplicated, Extent::All) => false,
        // SES gets only one attempt.
        (mode, Extent::All) if target.service == Service::Ses => mode == Mode::Conflict,
        _ => true,
    }
}

/// The share of the sampled cases that run, in percent: every function fails in every way, but not every call in each.
const SHARE: usize = 45;

/// Samples the cases: each fault of each call of each function once, in a random state and with a random extent, and then a share of them.
fn sample(mut cases: Vec<Case>, random: &mut fastrand::Rng) -> Vec<Case> {
    random.shuffle(&mut cases);
    let mut seen = BTreeSet::new();
    let mut new = |case: &Case| {
        let Target { number, operation, .. } = &case.target;
        // A run over the reminders or the records takes a second, so that each of its calls fails in one way only.
        let mode = if is_run(case) { "any" } else { case.mode.0 };
        seen.insert((case.scenario.function, *number, operation.clone(), mode))
    };
    cases.retain(|case| new(case));
    let share = cases.len() * SHARE / 100;
    let mut left = cases.split_off(share);
    left.retain(is_run);
    cases.append(&mut left);
    cases
}

/// Returns whether a case runs over the reminders, the records of the stream, or what has ended.
fn is_run(case: &Case) -> bool {
    matches!(case.scenario.action, Action::Remind { .. } | Action::Publish { .. } | Action::Purge)
}

/// Runs every scenario without a fault, and returns the cases that its calls give.
async fn find_cases(lanes: &[Lane], stack: &TestStack) -> Vec<Case> {
    let (found, wrong) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    work_through(lanes, scenarios::all(), async |lane, scenario| match lane.run(&scenario, None).await {
        Ok(calls) => found.lock().unwrap().extend(cases(&scenario, &calls)),
        Err(Failure::Slow(what) | Failure::Violation(what)) => {
            wrong.lock().unwrap().push(format!("{} ({}): {what}", scenario.function, scenario.state));
        }
    })
    .await;
    let (wrong, denied) = (wrong.into_inner().unwrap(), stack.cloud.roles().denied());
    assert!(wrong.is_empty(), "without a fault:\n{}\nroles deny {denied:?}", wrong.join("\n"));
    let mut cases = found.into_inner().unwrap();
    cases.sort_by_key(Case::name);
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_every_function_fails_in_every_way() {
    let seed = support::env_number("FIRSTKEY_SEED").unwrap_or(1);
    println!("FIRSTKEY_SEED={seed}");
    let deployment = Deployment::default().with("SIGN_IN_NETWORK_BURST", "1000000");
    let deployment = deployment.with("NOTICES", "all").with_held_mails();
    let stack = Arc::new(deployment.start().await);
    assert!(stack.refresh_keys().await);
    let numbers = Arc::new(AtomicUsize::new(1));
    let began = stack.separate_machine("@0").now();
    let lane = async |n: usize| Lane {
        began,
        keys: Keys::start(&stack, &format!("@{n}-keys")).await,
        machine: stack.separate_machine(&format!("@{n}")),
        lone_machine: stack.separate_machine_with(&format!("@{n}-alone"), &[("DESK_APPROVAL", "off")]),
        table: Table::connect(&stack.cloud.aws_url(), "desk"),
        stack: Arc::clone(&stack),
        numbers: Arc::clone(&numbers),
    };
    let lanes = join_all((0..LANES).map(lane)).await;

    let mut cases = find_cases(&lanes[..4], &stack).await;
    let all = cases.len();
    if !support::has_env("FIRSTKEY_FULL") {
        cases = sample(cases, &mut fastrand::Rng::with_seed(seed));
    }
    if let Some(only) = support::env_text("FIRSTKEY_ONLY") {
        cases.retain(|case| case.name().contains(&only));
    }
    println!("{} of {all} cases", cases.len());
    // The slowest cases go first.
    cases.sort_by_key(|case| (case.target.service != Service::Ses, case.mode.1 != Mode::Delayed));

    let (report, slow) = (Mutex::new(Report::default()), Mutex::new(Vec::new()));
    work_through(&lanes, cases, async |lane, case| match lane.run(&case.scenario, Some(&case)).await {
        Err(Failure::Slow(_)) => slow.lock().unwrap().push(case),
        Err(Failure::Violation(wrong)) => report.lock().unwrap().add_case(&case, Some(wrong)),
        Ok(_) => report.lock().unwrap().add_case(&case, None),
    })
    .await;
    let (mut report, slow) = (report.into_inner().unwrap(), slow.into_inner().unwrap());
    println!("{} slow cases run again, one at a time", slow.len());
    for case in slow {
        let wrong = lanes[0].run(&case.scenario, Some(&case)).await.err();
        report.add_case(&case, wrong.map(|(Failure::Slow(wrong) | Failure::Violation(wrong))| wrong));
    }
    report.finish("AWS call by call");
}

impl Report {
    fn add_case(&mut self, case: &Case, wrong: Option<String>) {
        let name = case.name();
        let again =
            format!("FIRSTKEY_FULL=1 FIRSTKEY_ONLY='{name}' cargo nextest run --workspace --test faults every_call");
        let wrong = wrong.map(|wrong| format!("{name}: {wrong}\nto repeat: {again}"));
        self.add(case.scenario.function, case.mode.0, wrong);
    }
}

/// Works through `items` concurrently: each lane takes the next one until none is left.
async fn work_through<T>(lanes: &[Lane], items: Vec<T>, run: impl AsyncFn(&Lane, T)) {
    let items = Mutex::new(items.into_iter());
    let next = || items.lock().unwrap().next();
    let (next, run) = (&next, &run);
    join_all(lanes.iter().map(|lane| async move {
        while let Some(item) = next() {
            run(lane, item).await;
        }
    }))
    .await;
}
