//! Twenty people, two operators of the support desk for each subscription among them, use the product concurrently while AWS fails at
//! random. A seed determines who does what, when, and what fails.

mod product;
mod team;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cloud::{Fault, Mode, Service};
use futures_util::{future::join_all, join};
use lambda_http::http::Request;
use serde_json::{Value, json};
use support::{
    Answer, Call, DESK_CLIENT, Deployment, Dev, TestStack,
    history::{Event, find_order},
    specification::{
        ADMINISTRATOR_PASSWORD, DeskAct, Label, Op, Operator, Password, Person, Reply, State, UserName, reply,
    },
    table::Table,
};
use tokio::time::sleep;

use crate::{
    MODES,
    people::{Mails, Site, World, is_unavailable},
    report::Report,
};

/// The number of people.
const PEOPLE: usize = 20;

/// The number of schedules that run concurrently in this process, each with its own stack.
const STACKS: usize = 4;

/// The number of subscriptions that the people share.
const SUBSCRIPTIONS: usize = 2;

/// The delays of a held request in milliseconds. The longest ones exceed the time-out of an attempt.
const DELAYS: [u64; 3] = [100, 900, 1300];

/// The product under test, in this process or through cargo-lambda.
enum Product {
    InProcess(Box<TestStack>),
    CargoLambda(Box<Dev>),
}

impl Product {
    async fn in_process() -> Self {
        // As in the deployment, a message is delivered again after the lease of the worker that failed has ended.
        let deployment = Deployment::default().with("SIGN_IN_NETWORK_BURST", "1000000").with("MAIL_LEASE_SECONDS", "1");
        let stack = deployment.with_redelivery_delay(Duration::from_millis(2100)).start().await;
        assert!(stack.refresh_keys().await);
        Self::InProcess(Box::new(stack))
    }

    async fn token(&self, site: Site, email: String) -> String {
        match (self, site) {
            (Self::InProcess(stack), Site::Portal) => stack.token(&email),
            (Self::InProcess(stack), Site::Desk) => stack.operator_token(&email),
            (Self::CargoLambda(dev), Site::Portal) => dev.token(&email).await,
            (Self::CargoLambda(dev), Site::Desk) => {
                dev.token_for(&json!({ "email": email, "client": DESK_CLIENT })).await
            }
        }
    }

    fn aws_url(&self) -> String {
        match self {
            Self::InProcess(stack) => stack.cloud.aws_url(),
            Self::CargoLambda(dev) => dev.product.aws.clone(),
        }
    }

    async fn call(&self, function: &'static str, call: Call) -> Option<Answer> {
        match self {
            Self::InProcess(stack) => Some(stack.call(function, call).await),
            Self::CargoLambda(dev) => tokio::time::timeout(Duration::from_secs(20), dev.call(call)).await.ok()?,
        }
    }

    /// Publishes an event; returns whether it was handled at once. The queue delivers it again if not.
    async fn publish(&self, event: Value) -> bool {
        let done = json!({ "batchItemFailures": [] });
        match self {
            Self::InProcess(stack) => stack.cloud.deliver(event).await == Ok(done),
            Self::CargoLambda(dev) => {
                dev.send(Request::post(format!("{}/events", dev.product.console)), Some(&event)).await.1 == done
            }
        }
    }

    async fn mails(&self, world: &World) -> Mails {
        match self {
            Self::InProcess(stack) => Mails::for_subscription(
                world,
                stack.cloud.inbox_of(&world.subscription()).into_iter().map(|mail| (mail.tags, mail.text)),
            ),
            Self::CargoLambda(dev) => {
                let inbox = dev.inbox().await;
                let mail = |mail: &Value| {
                    let tags: BTreeMap<String, String> = serde_json::from_value(mail["tags"].clone()).unwrap();
                    (tags, mail["text"].as_str().unwrap().to_owned())
                };
                Mails::for_subscription(world, inbox.iter().map(mail))
            }
        }
    }

    /// Redrives the dead letters of a subscription, as an operator does after an outage: each goes to its function once more.
    async fn redrive(&self, subscription: &str) {
        match self {
            Self::InProcess(stack) => {
                let letters = stack.cloud.dead_letters().into_iter();
                for letter in letters.filter(|letter| letter.body.to_string().contains(subscription)) {
                    stack.invoke(letter.queue.name(), batch(&json!(letter.message_id), &letter.body)).await;
                }
            }
            Self::CargoLambda(dev) => {
                let letters = dev.send(Request::get(format!("{}/dead-letters", dev.product.console)), None).await.1;
                let letters = letters.as_array().unwrap().iter();
                for letter in letters.filter(|letter| letter["body"].to_string().contains(subscription)) {
                    let function = letter["queue"].as_str().unwrap();
                    let url = format!("{}/2015-03-31/functions/{function}/invocations", dev.product.functions);
                    dev.send(Request::post(url), Some(&batch(&letter["message_id"], &letter["body"]))).await;
                }
            }
        }
    }

    async fn set_fault(&self, kind: &Kind, count: u32, delay: u64) {
        match self {
            Self::InProcess(stack) => {
                let delay = Duration::from_millis(delay);
                stack.cloud.set_fault(Fault::new(kind.service, "*", kind.mode.1, count).held_for(delay));
            }
            Self::CargoLambda(dev) => {
                let fault = json!({
                    "service": kind.service.name(), "operation": "*", "mode": kind.mode.0, "count": count, "delay_ms": delay,
                });
                dev.set_fault(&fault).await;
            }
        }
    }
}

/// Returns a batch of one message, as a queue hands it to its function.
fn batch(message_id: &Value, body: &Value) -> Value {
    json!({ "Records": [{ "messageId": message_id, "body": body.to_string() }] })
}

/// A kind of fault that may happen at any time.
struct Kind {
    service: Service,
    mode: (&'static str, Mode),
}

fn kinds() -> Vec<Kind> {
    let faults = |service, modes: &'static [(&str, Mode)]| modes.iter().map(move |mode| Kind { service, mode: *mode });
    let kms =
        MODES.iter().filter(|mode| mode.1 != Mode::Conflict).map(|mode| Kind { service: Service::Kms, mode: *mode });
    faults(Service::DynamoDb, &MODES).chain(kms).chain(faults(Service::Ses, &MODES[..1])).collect()
}

/// An operation as its caller observed it.
struct Observation {
    op: Op,
    called: u64,
    answered: Option<(u64, Reply)>,
    /// The answer, whose password can be attributed to an issue only after all mails are sent.
    answer: Option<Answer>,
}

/// One subscription of a schedule, and everything that happened to it.
struct Scene {
    world: World,
    observations: Mutex<Vec<Observation>>,
    labels: AtomicUsize,
    wrong: Mutex<Option<String>>,
}

const LABELS: [Label; 48] = [
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W",
    "X", "Y", "Z", "AA", "BB", "CC", "DD", "EE", "FF", "GG", "HH", "II", "JJ", "KK", "LL", "MM", "NN", "OO", "PP",
    "QQ", "RR", "SS", "TT", "UU", "VV",
];

struct Schedule<'a> {
    product: &'a Product,
    scenes: Vec<Scene>,
    began: Instant,
}

/// The part that a person plays.
#[derive(Clone, Copy)]
enum Role {
    Retrieves(Person),
    /// Signs in with the temporary password, chooses a password and creates an administrator.
    SetsUp(usize),
    Administers,
    Pays,
    /// Reissues, and asks for what takes a second operator.
    Asks,
    /// Decides what the other operator has asked for, and removes a portal user.
    Decides,
}

const ROLES: [Role; PEOPLE / SUBSCRIPTIONS] = [
    Role::Retrieves(Person::Dana),
    Role::Retrieves(Person::Kim),
    Role::SetsUp(0),
    Role::Retrieves(Person::Stranger),
    Role::Administers,
    Role::Pays,
    Role::SetsUp(1),
    Role::Asks,
    Role::Decides,
    Role::Retrieves(Person::Sam),
];

impl Scene {
    /// Starts a subscription, and waits for its mail.
    async fn start(product: &Product, number: usize) -> Self {
        let world = World::new(number, async |site, address| product.token(site, address).await).await;
        while !product.publish(world.event("trial", false)).await {}
        while product.mails(&world).await.0.is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
        let (labels, wrong) = (AtomicUsize::default(), Mutex::default());
        Self { world, observations: Mutex::default(), labels, wrong }
    }

    fn label(&self) -> Label {
        LABELS[self.labels.fetch_add(1, Ordering::Relaxed)]
    }
}

impl Schedule<'_> {
    async fn new(product: &Product, seed: u64) -> Schedule<'_> {
        let mut scenes = Vec::new();
        for n in 0..SUBSCRIPTIONS {
            let number = usize::try_from(seed).unwrap() * SUBSCRIPTIONS + n;
            scenes.push(Scene::start(product, number).await);
        }
        Schedule { product, scenes, began: Instant::now() }
    }

    fn elapsed(&self) -> u64 {
        self.began.elapsed().as_micros().try_into().unwrap()
    }

    /// Carries out an operation; returns its result, if the answer is conclusive.
    async fn perform(&self, scene: &Scene, op: Op) -> Option<Reply> {
        let called = self.elapsed();
        let event = match op {
            Op::Start { event, paid } => Some(scene.world.event(event, paid)),
            Op::End { at } => Some(scene.world.end(at)),
            _ => None,
        };
        if let Some(event) = event {
            let done = self.product.publish(event).await;
            let answered = done.then(|| (self.elapsed(), reply(200, "done")));
            scene.observations.lock().unwrap().push(Observation {
                op,
                called,
                answered: answered.clone(),
                answer: None,
            });
            return answered.map(|(_, reply)| reply);
        }
        let mails = self.product.mails(&scene.world).await;
        let (function, call) = scene.world.request(op, &mails);
        let answer = self.product.call(function, call).await;
        let at = self.elapsed();
        if answer.as_ref().is_some_and(|answer| answer.status == 429) {
            // A rate limit changes nothing.
            return None;
        }
        let answer = answer.filter(|answer| self.is_conclusive(scene, op, answer));
        if let Some(answer) = &answer {
            scene.world.learn(op, answer);
        }
        let answered = answer.as_ref().map(|answer| (at, scene.world.describe(op, answer, &mails)));
        scene.observations.lock().unwrap().push(Observation { op, called, answered: answered.clone(), answer });
        answered.map(|(_, reply)| reply)
    }

    fn is_conclusive(&self, scene: &Scene, op: Op, answer: &Answer) -> bool {
        let is_error = answer.status == 500 && answer.problem() == Some("internal")
            || answer.status >= 500 && matches!(self.product, Product::InProcess(_)) && !is_unavailable(op, answer);
        if is_error {
            *scene.wrong.lock().unwrap() = Some(format!("{op} is answered {} {}", answer.status, answer.body));
        }
        answer.status < 500
    }

    /// Carries out an operation and retries it once if it has no conclusive answer.
    async fn insist(&self, scene: &Scene, op: Op) -> Option<Reply> {
        for _ in 0..2 {
            if let Some(reply) = self.perform(scene, op).await {
                return Some(reply);
            }
        }
        None
    }

    /// Plays the part of one person from beginning to end.
    async fn live(&self, person: usize, mut random: fastrand::Rng) {
        let (scene, role) = (&self.scenes[person % SUBSCRIPTIONS], ROLES[person / SUBSCRIPTIONS]);
        sleep(Duration::from_millis(random.u64(..600))).await;
        match role {
            Role::Retrieves(person) => {
                for _ in 0..3 {
                    let op = Op::Retrieve { person, key: random.choice(["a", "b", "c"]).unwrap() };
                    self.insist(scene, op).await;
                    sleep(Duration::from_millis(random.u64(..300))).await;
                }
            }
            Role::SetsUp(choice) => {
                sleep(Duration::from_millis(random.u64(..800))).await;
                self.set_up(scene, choice, &mut random).await;
            }
            Role::Administers => {
                sleep(Duration::from_millis(800 + random.u64(..800))).await;
                self.administer(scene).await;
            }
            Role::Pays => {
                sleep(Duration::from_millis(random.u64(..1000))).await;
                self.insist(scene, Op::Start { event: "paid", paid: true }).await;
            }
            Role::Asks => {
                sleep(Duration::from_millis(random.u64(..600))).await;
                self.ask(scene, &mut random).await;
            }
            Role::Decides => {
                sleep(Duration::from_millis(400 + random.u64(..600))).await;
                self.decide(scene, &mut random).await;
            }
        }
    }

    /// Plays the operator who reissues twice, and asks for another address or another portal user in between. What the state makes
    /// sensitive takes the other operator.
    async fn ask(&self, scene: &Scene, random: &mut fastrand::Rng) {
        let acts: [(Label, Option<Person>); 3] = [("first", None), ("sam", Some(Person::Sam)), ("last", None)];
        let adds = random.bool();
        for (key, to) in acts.into_iter().skip(random.usize(..2)) {
            let issue = self.latest_issue(scene).await;
            let act = match to {
                Some(person) if adds => DeskAct::AddPortalUser { person },
                _ => DeskAct::Reissue { issue, to, keeps_old_address: random.bool() },
            };
            self.insist(scene, Op::Desk { operator: Operator::Olga, key, act }).await;
            sleep(Duration::from_millis(200 + random.u64(..500))).await;
        }
    }

    /// Plays the operator who decides, most often with consent, and removes a portal user.
    async fn decide(&self, scene: &Scene, random: &mut fastrand::Rng) {
        let keys: [(Label, Label); 3] = [("first", "first-decided"), ("sam", "sam-decided"), ("last", "last-decided")];
        let (operator, mut decided) = (Operator::Omar, Vec::new());
        for turn in 0..5 {
            for approval in scene.world.known_approvals() {
                if !decided.contains(&approval) {
                    decided.push(approval);
                    let (_, key) = keys.into_iter().find(|(asked, _)| *asked == approval).unwrap();
                    let act = DeskAct::Decide { approval, approves: random.u8(..4) > 0 };
                    self.insist(scene, Op::Desk { operator, key, act }).await;
                }
            }
            if turn == 2 {
                let act = DeskAct::RemovePortalUser { person: Person::Kim };
                self.insist(scene, Op::Desk { operator, key: "removal", act }).await;
            }
            sleep(Duration::from_millis(150 + random.u64(..300))).await;
        }
    }

    async fn latest_issue(&self, scene: &Scene) -> u64 {
        self.product.mails(&scene.world).await.latest_issue().unwrap_or(1)
    }

    async fn set_up(&self, scene: &Scene, choice: usize, random: &mut fastrand::Rng) {
        let mails = self.product.mails(&scene.world).await;
        let issue = mails.0.iter().filter(|(_, password)| password.is_some()).map(|(issue, _)| *issue).max();
        let (temporary, to) = (Password::Temporary(issue.unwrap_or(1)), Password::Chosen(choice));
        let first = scene.label();
        self.perform(scene, Op::SignIn { who: UserName::Admin, password: temporary, begins: first }).await;
        if !scene.world.knows(first) {
            return;
        }
        let full = scene.label();
        self.perform(scene, Op::Reset { session: first, current: None, to, begins: full }).await;
        self.perform(scene, Op::CheckSession { session: first }).await;
        let full = if scene.world.knows(full) {
            full
        } else {
            let again = scene.label();
            self.perform(scene, Op::SignIn { who: UserName::Admin, password: to, begins: again }).await;
            again
        };
        if !scene.world.knows(full) {
            return;
        }
        let key = if choice == 0 { "one" } else { "other" };
        self.insist(scene, Op::Create { session: full, who: UserName::Lee, key }).await;
        if random.bool() {
            self.perform(scene, Op::SignOut { session: full }).await;
            self.perform(scene, Op::CheckSession { session: full }).await;
        }
    }

    async fn administer(&self, scene: &Scene) {
        for _ in 0..2 {
            let begins = scene.label();
            self.perform(scene, Op::SignIn { who: UserName::Lee, password: ADMINISTRATOR_PASSWORD, begins }).await;
            if scene.world.knows(begins) {
                self.insist(scene, Op::Create { session: begins, who: UserName::Mo, key: "mo" }).await;
                self.perform(scene, Op::CheckSession { session: begins }).await;
                return;
            }
            sleep(Duration::from_millis(400)).await;
        }
    }

    /// Injects faults of every kind until all people have finished.
    async fn fail(&self, mut random: fastrand::Rng, left: &AtomicUsize) {
        let kinds = kinds();
        while left.load(Ordering::SeqCst) > 0 {
            let kind = &kinds[random.usize(..kinds.len())];
            let count = random.u32(1..=3);
            self.product.set_fault(kind, count, random.choice(DELAYS).unwrap()).await;
            sleep(Duration::from_millis(20 + random.u64(..100))).await;
        }
        for kind in &kinds {
            self.product.set_fault(kind, 0, 0).await;
        }
    }

    /// Runs all people concurrently with the faults, then waits until delayed requests have been carried out.
    async fn run(&self, seed: u64) {
        let left = AtomicUsize::new(PEOPLE);
        let people = (0..PEOPLE).map(|person| {
            let left = &left;
            async move {
                self.live(person, fastrand::Rng::with_seed(seed * 100 + person as u64)).await;
                left.fetch_sub(1, Ordering::SeqCst);
            }
        });
        join!(join_all(people), self.fail(fastrand::Rng::with_seed(seed), &left));
        sleep(Duration::from_millis(DELAYS[2] + 200)).await;
    }

    /// Reads the final state without faults, then checks each history against the specification.
    async fn judge(&self) -> Result<(), String> {
        let table = Table::connect(&self.product.aws_url(), "desk");
        for scene in &self.scenes {
            self.await_mail(scene, &table).await?;
            self.try_everything_old(scene).await;
            for person in [Person::Dana, Person::Kim, Person::Sam, Person::It] {
                self.perform(scene, Op::Retrieve { person, key: "last" }).await;
            }
            for label in &LABELS[..scene.labels.load(Ordering::Relaxed)] {
                if scene.world.knows(label) {
                    self.perform(scene, Op::CheckSession { session: label }).await;
                }
            }
            if let Some(wrong) = scene.wrong.lock().unwrap().take() {
                return Err(wrong);
            }
            let company = &scene.world.company();
            let lines = table.lines_with_desk(&scene.world.subscription(), company, company).await;
            scene.judge(&self.product.mails(&scene.world).await, &lines)?;
        }
        Ok(())
    }

    /// Tries the passwords of all issues that were mailed but the last, and a click of each portal user that may have been counted.
    async fn try_everything_old(&self, scene: &Scene) {
        let mails = self.product.mails(&scene.world).await;
        let last = mails.latest_issue().unwrap_or(1);
        for issue in (1..last).filter(|issue| !mails.passwords(*issue).is_empty()) {
            let (who, password) = (UserName::Admin, Password::Temporary(issue));
            self.perform(scene, Op::SignIn { who, password, begins: scene.label() }).await;
        }
        for person in [Person::Dana, Person::Kim] {
            self.perform(scene, Op::Retrieve { person, key: "a" }).await;
        }
    }

    /// Waits until the events are handled and the mail of the current issue is sent, unless it is not needed.
    async fn await_mail(&self, scene: &Scene, table: &Table) -> Result<(), String> {
        let mut last = String::new();
        for turn in 0..300 {
            if let Product::InProcess(stack) = self.product {
                stack.cloud.drained().await.unwrap();
            }
            let (subscription, company) = (scene.world.subscription(), scene.world.company());
            let (items, _) = table.items(&subscription, &company).await;
            let credential = items.iter().find(|item| item["SK"].as_s().unwrap() == "CREDENTIAL").unwrap();
            let issue: u64 = credential["issue"].as_n().unwrap().parse().unwrap();
            let mail = table.get(format!("SUBSCRIPTION#{subscription}"), "MAIL").await.unwrap();
            let status = mail["status"].as_s().unwrap();
            let paid = credential["kind"].as_s().unwrap() == "paid";
            let sent = self.product.mails(&scene.world).await.count(issue);
            last = format!("issue {issue}, paid {paid}, its mail {status}, {sent} sent");
            let is_asked = scene.observations.lock().unwrap().iter().any(|seen| matches!(seen.op, Op::Start { .. }));
            let is_mailed = (status == "sent" && sent > 0) || status == "not-needed";
            if is_mailed && (paid || !is_asked) {
                return Ok(());
            }
            if turn % 20 == 19 {
                self.product.redrive(&scene.world.subscription()).await;
            }
            sleep(Duration::from_millis(100)).await;
        }
        Err(last)
    }
}

impl Scene {
    /// Checks the history against the specification. The portal shows the passwords of some issues that no mail has, and an answer does not
    /// say of which: one way to attribute them must explain everything.
    fn judge(&self, mails: &Mails, lines: &[String]) -> Result<(), String> {
        let shown: BTreeSet<_> = {
            let observations = self.observations.lock().unwrap();
            let passwords = observations.iter().filter_map(|seen| seen.answer.as_ref()?.password().map(str::to_owned));
            passwords.filter(|password| mails.0.iter().all(|(_, mailed)| mailed.as_ref() != Some(password))).collect()
        };
        let issues = 1..=mails.latest_issue().unwrap_or(1);
        let unmailed: Vec<_> = issues.filter(|issue| mails.passwords(*issue).is_empty()).collect();
        let mut wrong = Err(format!("{} passwords of {unmailed:?} were shown", shown.len()));
        for attributed in arrangements(&shown.into_iter().collect::<Vec<_>>(), &unmailed) {
            self.world.set_unmailed(attributed);
            let state = State::started().with_desk_lines();
            wrong = find_order(&state, &self.history(mails), lines).map(drop);
            if wrong.is_ok() {
                break;
            }
        }
        wrong
    }

    fn history(&self, mails: &Mails) -> Vec<Event> {
        let observations = self.observations.lock().unwrap();
        let mut events: Vec<_> = observations
            .iter()
            .map(|seen| {
                let answered = seen.answered.clone().map(|(at, reply)| {
                    (at, seen.answer.as_ref().map_or(reply, |answer| self.world.describe(seen.op, answer, mails)))
                });
                Event { op: seen.op, called: seen.called, answered }
            })
            .collect();
        // The queue delivers a failed event again, and each delivery may have an effect.
        let is_event = |op| matches!(op, Op::Start { .. } | Op::End { .. });
        let failed = |event: &&Event| is_event(event.op) && event.answered.is_none();
        let redelivered: Vec<_> = events.iter().filter(failed).cloned().collect();
        events.extend(redelivered);
        events
    }
}

/// Returns every way to give each password an issue of its own.
fn arrangements(passwords: &[String], issues: &[u64]) -> Vec<BTreeMap<String, u64>> {
    let Some((first, rest)) = passwords.split_first() else { return vec![BTreeMap::new()] };
    let with = |issue: u64| {
        let left: Vec<_> = issues.iter().copied().filter(|other| *other != issue).collect();
        let others = arrangements(rest, &left).into_iter();
        others.map(move |others| others.into_iter().chain([(first.clone(), issue)]).collect())
    };
    issues.iter().flat_map(|issue| with(*issue)).collect()
}

/// Advances the clock of a product in this process.
async fn tick(product: &Product) {
    loop {
        sleep(Duration::from_secs(1)).await;
        if let Product::InProcess(stack) = product {
            stack.advance_clock(1);
        }
    }
}

/// Runs schedules one after the other until no seed is left.
async fn work(product: &Product, seeds: &Mutex<Range<u64>>, test: &str, report: &Mutex<Report>) {
    let next = || seeds.lock().unwrap().next();
    while let Some(seed) = next() {
        let schedule = Schedule::new(product, seed).await;
        let judged = async {
            schedule.run(seed).await;
            schedule.judge().await
        };
        let wrong = tokio::select! {
            judged = judged => judged.err(),
            () = tick(product) => None,
        };
        let verify = match product {
            Product::InProcess(_) => "",
            Product::CargoLambda(_) => "FIRSTKEY_VERIFY=1 ",
        };
        let again =
            format!("to repeat: {verify}FIRSTKEY_SEED={seed} cargo nextest run --workspace --test faults {test}");
        let mut report = report.lock().unwrap();
        for scene in &schedule.scenes {
            let observations = scene.observations.lock().unwrap();
            report.note(test, "operations", observations.len());
            report.note(test, "answered", observations.iter().filter(|seen| seen.answered.is_some()).count());
        }
        report.add(test, "schedules", wrong.map(|wrong| format!("{wrong}\n{again}")));
    }
}

/// Returns the seeds to run: the one in `FIRSTKEY_SEED`, or those of the sample or of a full run.
fn seeds(sample: u64, full: u64) -> Range<u64> {
    match support::env_number("FIRSTKEY_SEED") {
        Some(seed) => seed..seed + 1,
        None if support::has_env("FIRSTKEY_FULL") => 1..full + 1,
        None => 1..sample + 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_in_process() {
    let (seeds, report) = (Mutex::new(seeds(20, 1000)), Mutex::default());
    // A schedule spends most of its time waiting.
    let products = join_all((0..STACKS).map(|_| Product::in_process())).await;
    join_all(products.iter().map(|product| work(product, &seeds, "a_schedule_in_process", &report))).await;
    report.into_inner().unwrap().finish("schedules of twenty people");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_through_cargo_lambda() {
    let Some(dev) = Dev::start().await else { return };
    let (product, report) = (Product::CargoLambda(Box::new(dev)), Mutex::default());
    work(&product, &Mutex::new(seeds(3, 50)), "a_schedule_through_cargo_lambda", &report).await;
    if let Product::CargoLambda(dev) = product {
        dev.stop().await;
    }
    report.into_inner().unwrap().finish("schedules of twenty people");
}
