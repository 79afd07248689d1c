//! Twenty people at once, while AWS fails at random: a seed gives who does what, when, and what fails.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{future::join_all, join};
use lambda_http::http::Request;
use local::cloud::{Fault, Mode, Service};
use serde_json::{Value, json};
use support::{
    Answer, Call, Deployment, Dev, TestStack,
    history::{Event, explain},
    specification::{Label, OWN, Op, Password, Person, State, Told, Who, told},
    table::Table,
};
use tokio::time::sleep;

use crate::{
    MODES,
    people::{Mails, World, read},
    report::Report,
};

/// How many people there are.
const PEOPLE: usize = 20;

/// How many schedules run at once in this process, each with a stack of its own.
const STACKS: usize = 4;

/// How many subscriptions they share.
const SUBSCRIPTIONS: usize = 3;

/// Past the time-out of an attempt, and the longest that anything is held back.
const DELAYS: [u64; 3] = [100, 900, 1300];

/// The product, in this process or outside.
enum Product {
    Here(Box<TestStack>),
    Outside(Box<Dev>),
}

impl Product {
    async fn here() -> Self {
        // As deployed, a message comes back when the lease of whoever failed it has ended.
        let deployment = Deployment::default().with("SIGN_IN_NETWORK_BURST", "1000000").with("MAIL_LEASE_SECONDS", "1");
        Self::Here(Box::new(deployment.redelivering_after(Duration::from_millis(2100)).start().await))
    }

    async fn token(&self, email: String) -> String {
        match self {
            Self::Here(stack) => stack.token_with(&email, &json!({ "iat": 1 })),
            Self::Outside(dev) => dev.token(&email).await,
        }
    }

    fn aws_url(&self) -> String {
        match self {
            Self::Here(stack) => stack.cloud.aws_url(),
            Self::Outside(dev) => dev.product.aws.clone(),
        }
    }

    async fn call(&self, function: &'static str, call: Call) -> Option<Answer> {
        match self {
            Self::Here(stack) => Some(stack.call(function, call).await),
            Self::Outside(dev) => tokio::time::timeout(Duration::from_secs(20), dev.call(call)).await.ok()?,
        }
    }

    /// Whether the event is done at once. What is not comes back by itself.
    async fn publish(&self, event: Value) -> bool {
        let done = json!({ "batchItemFailures": [] });
        match self {
            Self::Here(stack) => stack.cloud.deliver(event).await == Ok(done),
            Self::Outside(dev) => {
                dev.send(Request::post(format!("{}/events", dev.product.console)), Some(&event)).await.1 == done
            }
        }
    }

    async fn mails(&self, world: &World) -> Mails {
        match self {
            Self::Here(stack) => Mails::of(world, stack.cloud.inbox().into_iter().map(|mail| (mail.tags, mail.text))),
            Self::Outside(dev) => {
                let inbox = dev.inbox().await;
                let mail = |mail: &Value| {
                    let tags: BTreeMap<String, String> = serde_json::from_value(mail["tags"].clone()).unwrap();
                    (tags, mail["text"].as_str().unwrap().to_owned())
                };
                Mails::of(world, inbox.iter().map(mail))
            }
        }
    }

    /// As an operator does when all is well again: whatever was given up is handed to its function once more.
    async fn redrive(&self, subscription: &str) {
        match self {
            Self::Here(stack) => {
                let letters = stack.cloud.dead_letters().into_iter();
                for letter in letters.filter(|letter| letter.body.to_string().contains(subscription)) {
                    stack.invoke(letter.queue.name(), batch(&json!(letter.message_id), &letter.body)).await;
                }
            }
            Self::Outside(dev) => {
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
            Self::Here(stack) => {
                let delay = Duration::from_millis(delay);
                stack.cloud.set_fault(Fault::new(kind.service, "*", kind.mode.1, count).held_for(delay));
            }
            Self::Outside(dev) => {
                let fault = json!({
                    "service": kind.service.name(), "operation": "*", "mode": kind.mode.0, "count": count, "delay_ms": delay,
                });
                dev.set_fault(&fault).await;
            }
        }
    }
}

/// One message, as a function gets it from its queue.
fn batch(message_id: &Value, body: &Value) -> Value {
    json!({ "Records": [{ "messageId": message_id, "body": body.to_string() }] })
}

/// What may go wrong at any time.
struct Kind {
    service: Service,
    mode: (&'static str, Mode),
}

fn kinds() -> Vec<Kind> {
    let of = |service, modes: &'static [(&str, Mode)]| modes.iter().map(move |mode| Kind { service, mode: *mode });
    let kms =
        MODES.iter().filter(|mode| mode.1 != Mode::Conflict).map(|mode| Kind { service: Service::Kms, mode: *mode });
    of(Service::DynamoDb, &MODES).chain(kms).chain(of(Service::Ses, &MODES[..1])).collect()
}

/// An operation as somebody saw it.
struct Seen {
    op: Op,
    called: u64,
    answered: Option<(u64, Told)>,
    /// Where there is a password to be told apart when all mails are out.
    answer: Option<Answer>,
}

/// One subscription of a schedule, and all that happened to it.
struct Scene {
    world: World,
    seen: Mutex<Vec<Seen>>,
    labels: AtomicUsize,
    wrong: Mutex<Option<String>>,
}

const LABELS: [Label; 32] = [
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W",
    "X", "Y", "Z", "AA", "BB", "CC", "DD", "EE", "FF",
];

struct Schedule<'a> {
    product: &'a Product,
    scenes: Vec<Scene>,
    began: Instant,
}

/// What somebody is there for.
#[derive(Clone, Copy)]
enum Role {
    Retrieves(Person),
    /// Signs in with the temporary password and goes on from there.
    SetsUp(usize),
    Administers,
    Pays,
}

const ROLES: [Role; 7] = [
    Role::Retrieves(Person::Dana),
    Role::Retrieves(Person::Kim),
    Role::SetsUp(0),
    Role::Retrieves(Person::Stranger),
    Role::Administers,
    Role::Pays,
    Role::SetsUp(1),
];

impl Scene {
    fn label(&self) -> Label {
        LABELS[self.labels.fetch_add(1, Ordering::Relaxed)]
    }
}

impl Schedule<'_> {
    async fn of(product: &Product, seed: u64) -> Schedule<'_> {
        let mut scenes = Vec::new();
        for n in 0..SUBSCRIPTIONS {
            let number = usize::try_from(seed).unwrap() * SUBSCRIPTIONS + n;
            let world = World::new(number, async |address| product.token(address).await).await;
            while !product.publish(world.event("trial", false)).await {}
            while product.mails(&world).await.0.is_empty() {
                sleep(Duration::from_millis(20)).await;
            }
            let (labels, wrong) = (AtomicUsize::default(), Mutex::default());
            scenes.push(Scene { world, seen: Mutex::default(), labels, wrong });
        }
        Schedule { product, scenes, began: Instant::now() }
    }

    fn elapsed(&self) -> u64 {
        self.began.elapsed().as_micros().try_into().unwrap()
    }

    /// Carries out an operation; its answer, if there is one.
    async fn perform(&self, scene: &Scene, op: Op) -> Option<Told> {
        let called = self.elapsed();
        if let Op::Start { event, paid } = op {
            let done = self.product.publish(scene.world.event(event, paid)).await;
            let answered = done.then(|| (self.elapsed(), told(200, "done")));
            scene.seen.lock().unwrap().push(Seen { op, called, answered: answered.clone(), answer: None });
            return answered.map(|(_, told)| told);
        }
        let mails = self.product.mails(&scene.world).await;
        let (function, call) = scene.world.asked(op, &mails);
        let answer = self.product.call(function, call).await;
        let at = self.elapsed();
        if answer.as_ref().is_some_and(|answer| answer.status == 429) {
            // Nothing has happened.
            return None;
        }
        let answer = answer.filter(|answer| self.says_something(scene, op, answer));
        if let Some(answer) = &answer {
            scene.world.learn(op, answer);
        }
        let answered = answer.as_ref().map(|answer| (at, read(op, answer, &mails)));
        scene.seen.lock().unwrap().push(Seen { op, called, answered: answered.clone(), answer });
        answered.map(|(_, told)| told)
    }

    fn says_something(&self, scene: &Scene, op: Op, answer: &Answer) -> bool {
        let is_mistake = answer.status == 500 && answer.problem() == Some("internal")
            || answer.status >= 500
                && matches!(self.product, Product::Here(_))
                && answer.problem() != Some("unavailable");
        if is_mistake {
            *scene.wrong.lock().unwrap() = Some(format!("{op} is answered {} {}", answer.status, answer.body));
        }
        answer.status < 500
    }

    /// The same click until it is answered, for as long as anybody has patience.
    async fn insist(&self, scene: &Scene, op: Op) -> Option<Told> {
        for _ in 0..2 {
            if let Some(told) = self.perform(scene, op).await {
                return Some(told);
            }
        }
        None
    }

    /// One of the people, from beginning to end.
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
        }
    }

    async fn set_up(&self, scene: &Scene, choice: usize, random: &mut fastrand::Rng) {
        let issue = self.product.mails(&scene.world).await.0.iter().map(|(issue, _)| *issue).max().unwrap_or(1);
        let (temporary, to) = (Password::Temporary(issue), Password::Chosen(choice));
        let first = scene.label();
        self.perform(scene, Op::SignIn { who: Who::Admin, password: temporary, begins: first }).await;
        if !scene.world.knows(first) {
            return;
        }
        let full = scene.label();
        self.perform(scene, Op::Reset { session: first, current: None, to, begins: full }).await;
        self.perform(scene, Op::Look { session: first }).await;
        let full = if scene.world.knows(full) {
            full
        } else {
            let again = scene.label();
            self.perform(scene, Op::SignIn { who: Who::Admin, password: to, begins: again }).await;
            again
        };
        if !scene.world.knows(full) {
            return;
        }
        let key = if choice == 0 { "one" } else { "other" };
        self.insist(scene, Op::Create { session: full, who: Who::Lee, key }).await;
        if random.bool() {
            self.perform(scene, Op::SignOut { session: full }).await;
            self.perform(scene, Op::Look { session: full }).await;
        }
    }

    async fn administer(&self, scene: &Scene) {
        for _ in 0..2 {
            let begins = scene.label();
            self.perform(scene, Op::SignIn { who: Who::Lee, password: OWN, begins }).await;
            if scene.world.knows(begins) {
                self.insist(scene, Op::Create { session: begins, who: Who::Mo, key: "mo" }).await;
                self.perform(scene, Op::Look { session: begins }).await;
                return;
            }
            sleep(Duration::from_millis(400)).await;
        }
    }

    /// Faults of every kind, until everybody has gone.
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

    /// Everybody at once; then what is held back lands, and everything that was ordered is done.
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

    /// What comes to light when all is well again; then each history is held against the specification.
    async fn judge(&self) -> Result<(), String> {
        let table = Table::of(&self.product.aws_url(), "desk");
        for scene in &self.scenes {
            self.mailed(scene, &table).await?;
            for person in [Person::Dana, Person::Kim] {
                self.perform(scene, Op::Retrieve { person, key: "last" }).await;
            }
            for label in &LABELS[..scene.labels.load(Ordering::Relaxed)] {
                if scene.world.knows(label) {
                    self.perform(scene, Op::Look { session: label }).await;
                }
            }
            if let Some(wrong) = scene.wrong.lock().unwrap().take() {
                return Err(wrong);
            }
            let lines = table.lines(&scene.world.subscription(), &scene.world.company()).await;
            let mails = self.product.mails(&scene.world).await;
            explain(&State::started(), &scene.history(&mails), &lines)?;
        }
        Ok(())
    }

    /// Waits until the events are done and the mail of the issue is out, if anybody needs it.
    async fn mailed(&self, scene: &Scene, table: &Table) -> Result<(), String> {
        let mut last = String::new();
        for turn in 0..300 {
            if let Product::Here(stack) = self.product {
                stack.cloud.drained().await.unwrap();
            }
            let (subscription, company) = (scene.world.subscription(), scene.world.company());
            let (items, _) = table.items(&subscription, &company).await;
            let credential = items.iter().find(|item| item["SK"].as_s().unwrap() == "CREDENTIAL").unwrap();
            let issue: u64 = credential["issue"].as_n().unwrap().parse().unwrap();
            let mail = table.get(format!("SUBSCRIPTION#{subscription}"), "MAIL").await.unwrap();
            let status = mail["status"].as_s().unwrap();
            let paid = credential["kind"].as_s().unwrap() == "paid";
            let sent = self.product.mails(&scene.world).await.of_issue(issue).len();
            last = format!("issue {issue}, paid {paid}, its mail {status}, {sent} sent");
            let is_asked = scene.seen.lock().unwrap().iter().any(|seen| matches!(seen.op, Op::Start { .. }));
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
    fn history(&self, mails: &Mails) -> Vec<Event> {
        let seen = self.seen.lock().unwrap();
        let mut events: Vec<_> =
            seen.iter()
                .map(|seen| {
                    let answered = seen.answered.clone().map(|(at, told)| {
                        (at, seen.answer.as_ref().map_or(told, |answer| read(seen.op, answer, mails)))
                    });
                    Event { op: seen.op, called: seen.called, answered }
                })
                .collect();
        // The queue delivers again what was not done: each delivery may do something.
        let failed = |event: &&Event| matches!(event.op, Op::Start { .. }) && event.answered.is_none();
        let redelivered: Vec<_> = events.iter().filter(failed).cloned().collect();
        events.extend(redelivered);
        events
    }
}

/// Time goes on in this process, too.
async fn tick(product: &Product) {
    loop {
        sleep(Duration::from_secs(1)).await;
        if let Product::Here(stack) = product {
            stack.pass(1);
        }
    }
}

/// Runs schedules one after the other, as long as there are any.
async fn work(product: &Product, seeds: &Mutex<Range<u64>>, test: &str, report: &Mutex<Report>) {
    let next = || seeds.lock().unwrap().next();
    while let Some(seed) = next() {
        let schedule = Schedule::of(product, seed).await;
        let judged = async {
            schedule.run(seed).await;
            schedule.judge().await
        };
        let wrong = tokio::select! {
            judged = judged => judged.err(),
            () = tick(product) => None,
        };
        let again = format!("the same again: FIRSTKEY_SEED={seed} cargo nextest run -p tests --test faults {test}");
        let mut report = report.lock().unwrap();
        for scene in &schedule.scenes {
            let seen = scene.seen.lock().unwrap();
            report.note(test, "operations", seen.len());
            report.note(test, "answered", seen.iter().filter(|seen| seen.answered.is_some()).count());
        }
        report.add(test, "schedules", wrong.map(|wrong| format!("{wrong}\n{again}")));
    }
}

/// Those that are asked for: one, or the first.
fn seeds(sample: u64, full: u64) -> Range<u64> {
    match support::number_asked_for("FIRSTKEY_SEED") {
        Some(seed) => seed..seed + 1,
        None if support::asked_for("FIRSTKEY_FULL") => 1..full + 1,
        None => 1..sample + 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_in_process() {
    let (seeds, report) = (Mutex::new(seeds(20, 1000)), Mutex::default());
    // Most of a schedule is waiting.
    let products = join_all((0..STACKS).map(|_| Product::here())).await;
    join_all(products.iter().map(|product| work(product, &seeds, "a_schedule_in_process", &report))).await;
    report.into_inner().unwrap().end("twenty people at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_through_cargo_lambda() {
    let Some(dev) = Dev::start().await else { return };
    let (product, report) = (Product::Outside(Box::new(dev)), Mutex::default());
    work(&product, &Mutex::new(seeds(3, 50)), "a_schedule_through_cargo_lambda", &report).await;
    if let Product::Outside(dev) = product {
        dev.stop().await;
    }
    report.into_inner().unwrap().end("twenty people at once");
}
