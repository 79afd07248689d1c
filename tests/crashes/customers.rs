//! The mixed load of customers and the vendor. A client that gets no answer retries with the same idempotency key.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use cloud::Feedback;
use domain::{DuePartition, SubscriptionId, Timestamp};
use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Answer, Call, Function, Processes, table::Table};
use tokio::{join, time::sleep};

use crate::observations::{Attempt, Click, Creation, Observations, Reset, SignIn};

mod ends;
mod operators;
mod product;
mod team;

/// The number of attempts of a request.
const TRIES: u32 = 10;

/// The longest wait for a mail, or for a subscription to exist, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(25);

/// The number of kinds of stories.
const KINDS: u32 = 8;

/// The number of stories that find the calls: each function is called in one of them.
const STORIES: u32 = 12;

/// The number of stories that run concurrently, with five or six people each.
const AT_ONCE: usize = 4;

/// A subscription and its people. Two customers share nothing.
#[derive(Clone)]
pub(crate) struct Customer {
    number: u32,
    pub(crate) id: String,
    company: String,
    /// Whether the people click twice. Most do not: a single click leaves the state that a crash has left.
    impatient: bool,
    story: Story,
}

/// The part of the product's story that a customer goes through while processes are killed.
#[derive(Clone, Copy)]
enum Story {
    /// The whole story from the event to administrators who are signed in, with several concurrent people at every step.
    Whole,
    /// Three people retrieve, nothing else happens, and the company pays: the next issue begins.
    UsedUp,
    /// The mail is ordered again, the reminder is due, the password expires, and two people renew it: the next issue begins.
    Expired,
    /// An operator starts the second issue, and, after its password was changed, two of them the third.
    Reissued,
    /// Two operators add a portal user, and one of them removes another one and unlocks an account.
    AccessChanged,
    /// Administrators enter the product, and add, help and remove each other.
    Team,
    /// The subscription ends, and starts again or is deleted.
    Ended,
    /// This number of steps in the Administration Center.
    Halfway(u32),
}

impl Customer {
    fn new(number: u32) -> Self {
        let story = match number % KINDS {
            1 => Story::Whole,
            2 => Story::UsedUp,
            3 => Story::Expired,
            4 => Story::Reissued,
            5 => Story::AccessChanged,
            6 => Story::Team,
            7 => Story::Ended,
            _ if number % (2 * KINDS) == KINDS => Story::Ended,
            _ => Story::Halfway(number / (2 * KINDS) % 4),
        };
        let (id, company) = (format!("sub-{number:04}"), format!("c{number:04}"));
        Self { number, id, company, impatient: number % 5 == 1, story }
    }

    /// Returns whether the subscription ends in the customer's story.
    pub(crate) fn ends(&self) -> bool {
        matches!(self.story, Story::Ended)
    }

    pub(crate) fn person(&self, who: &str) -> String {
        format!("{who}@{}.example", self.company)
    }

    pub(crate) fn account(&self, who: &str) -> String {
        format!("{who}@{}", self.company)
    }

    /// Returns the user name of the service administrator.
    pub(crate) fn service(&self) -> String {
        self.account("admin")
    }

    /// Returns the password that the owner of an account chooses for the nth time. Every choice is unique.
    pub(crate) fn choice(&self, user_name: &str, time: u32) -> String {
        let who = user_name.split('@').next().unwrap_or_default();
        format!("seven green boats {} at noon {who} {time}", self.company)
    }

    fn event(&self, kind: &str) -> Value {
        let mut event = support::event(&self.id, kind);
        let detail = &mut event["detail"];
        detail["company"] = json!({ "id": self.company, "name": "Fabrikam, Inc." });
        detail["service_administrator"] = json!({ "email": self.person("it") });
        detail["portal_users"] = json!([{ "email": self.person("dana") }, { "email": self.person("kim") }]);
        event
    }
}

/// The product, the people who use it, and what they observed.
pub(crate) struct World {
    pub(crate) processes: Processes,
    pub(crate) observed: Observations,
    /// When the provider's keys were fetched that the table had before the load.
    pub(crate) first_keys_fetched_at: u64,
    /// The customers whose story has begun.
    pub(crate) customers: Mutex<Vec<Customer>>,
    random: Mutex<fastrand::Rng>,
    addresses: AtomicU32,
    /// Processes whose client does not retry when they die.
    discouraging: Mutex<BTreeSet<String>>,
    closed: AtomicBool,
}

impl World {
    pub(crate) fn new(processes: Processes, seed: u64, first_keys_fetched_at: u64) -> Self {
        Self {
            processes,
            observed: Observations::default(),
            first_keys_fetched_at,
            customers: Mutex::default(),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            addresses: AtomicU32::new(0),
            discouraging: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// Runs stories of every kind until all queues are empty.
    pub(crate) async fn run_one_of_each(&self) {
        join_all((0..STORIES).map(|_| Box::pin(self.story()))).await;
        self.processes.cloud.drained().await.unwrap();
    }

    /// Runs story after story until [`close`](Self::close) is called.
    pub(crate) async fn run_until_closed(&self) {
        let lane = async || {
            while !self.closed.load(Ordering::SeqCst) {
                Box::pin(self.story()).await;
            }
        };
        join_all((0..AT_ONCE).map(|_| lane())).await;
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Keeps the client that waits for this process from retrying when the process dies.
    pub(crate) fn discourage(&self, process: &str) {
        self.discouraging.lock().unwrap().insert(process.to_owned());
    }

    fn gives_up(&self, error: &str) -> bool {
        let process = error.split(':').next().unwrap_or_default();
        self.discouraging.lock().unwrap().contains(process)
    }

    fn new_customer(&self) -> Customer {
        let mut customers = self.customers.lock().unwrap();
        let customer = Customer::new(u32::try_from(customers.len()).unwrap() + 1);
        customers.push(customer.clone());
        customer
    }

    /// Runs the story of a new customer, with a run of `refresh-keys` beside it.
    async fn story(&self) {
        let customer = self.new_customer();
        join!(self.refresh_keys(), self.play(&customer));
    }

    /// Runs `refresh-keys` until a run succeeds, as Lambda repeats it.
    async fn refresh_keys(&self) {
        let tick: Value = serde_json::from_str(&Function::RefreshKeys.event()).unwrap();
        for _ in 0..TRIES {
            match self.processes.invoke("refresh-keys", &tick).await {
                Err(error) if !self.gives_up(&error) => {}
                _ => return,
            }
        }
    }

    /// Plays the story of a customer.
    async fn play(&self, customer: &Customer) {
        match customer.story {
            Story::Whole => {
                let center = self.administration_center(customer, 1, u32::MAX);
                join!(
                    self.deliver_start(customer, "trial"),
                    self.portal(customer, "1"),
                    self.stranger(customer),
                    center
                );
            }
            Story::UsedUp => {
                let first = self.mail(customer, 1);
                let ((), used_up, _) = join!(self.deliver_start(customer, "trial"), self.use_up(customer), first);
                if used_up {
                    let center = self.administration_center(customer, 2, u32::MAX);
                    join!(self.deliver_start(customer, "paid"), self.portal(customer, "2"), center);
                }
            }
            Story::Expired => {
                let first = self.mail(customer, 1);
                let ((), mailed) = join!(self.deliver_start(customer, "trial"), first);
                if mailed.is_some() {
                    self.expire(customer).await;
                }
            }
            Story::Reissued => {
                join!(self.deliver_start(customer, "trial"), self.be_reissued(customer));
            }
            Story::AccessChanged => {
                join!(self.deliver_start(customer, "trial"), self.have_access_changed(customer));
            }
            Story::Team => {
                join!(self.deliver_start(customer, "trial"), self.be_a_team(customer));
            }
            Story::Ended => {
                join!(self.deliver_start(customer, "trial"), self.end(customer));
            }
            Story::Halfway(steps) => {
                let center = self.administration_center(customer, 1, steps);
                join!(self.deliver_start(customer, "trial"), self.portal(customer, "1"), center);
                self.deliver_start(customer, "paid").await;
            }
        }
    }

    /// Delivers an event twice concurrently, since the event bus delivers at least once.
    async fn deliver_start(&self, customer: &Customer, kind: &str) {
        // The queue redelivers a failed event.
        let once = async || drop(self.processes.cloud.deliver(customer.event(kind)).await);
        join!(once(), once());
    }

    /// Runs the people in the Customer Portal concurrently: four clicks, two of them repeated, two people with the same key.
    async fn portal(&self, customer: &Customer, round: &str) {
        let [a, b] = ["a", "b"].map(|key| format!("{key}-{round}"));
        let dana = async {
            let dana = customer.person("dana");
            self.list_subscriptions(customer, &dana).await;
            self.click(customer, &dana, &a).await;
            join!(self.click(customer, &dana, &a), self.click(customer, &dana, &b));
        };
        let kim = async {
            let kim = customer.person("kim");
            self.click(customer, &kim, &a).await;
            self.click(customer, &kim, &a).await;
            self.ask_support(customer, &kim).await;
        };
        let it = customer.person("it");
        let reads = async { join!(self.open_portal(customer, &it), self.read_history(customer, &it)) };
        join!(dana, kim, self.click(customer, &it, &b), reads);
    }

    /// Orders the mail again by two people while SES reports on the first one, runs over the reminders, and renews the credentials by two
    /// people, once they have expired.
    async fn expire(&self, customer: &Customer) {
        let [dana, kim] = ["dana", "kim"].map(|who| customer.person(who));
        join!(self.resend(customer, &dana), self.resend(customer, &kim), self.report(customer));
        let table = Table::connect(&self.processes.cloud.aws_url(), "test");
        self.make_reminder_due(customer, &table).await;
        join!(self.run_reminders(customer), self.click(customer, &dana, "first"));
        self.make_expired(customer, &table).await;
        join!(self.renew(customer, &dana), self.renew(customer, &kim));
        // Where both gave up after a crash, one of them asks again later.
        for _ in 0..TRIES {
            if self.observed.renewed.lock().unwrap().iter().any(|(id, _)| *id == customer.id) {
                break;
            }
            self.renew(customer, &dana).await;
        }
        self.report(customer).await;
        let center = self.administration_center(customer, 2, u32::MAX);
        join!(self.portal(customer, "2"), center);
    }

    async fn resend(&self, customer: &Customer, person: &str) {
        let call = Call::resend_mail(&customer.id).bearer(&self.token(person));
        let answer = self.call_until_answered(customer, "resend-mail", &call, |_| ()).await;
        if answer.is_some_and(|answer| answer.status == 202) {
            self.observed.resent.lock().unwrap().push(customer.id.clone());
        }
    }

    async fn renew(&self, customer: &Customer, person: &str) {
        let call = Call::renew_credentials(&customer.id).bearer(&self.token(person));
        let answer = self.call_until_answered(customer, "renew-credentials", &call, |_| ()).await;
        if let Some(answer) = answer.filter(|answer| answer.status == 202) {
            let issue = answer.body["issue"].as_u64().unwrap();
            self.observed.renewed.lock().unwrap().push((customer.id.clone(), issue));
        }
    }

    /// Reports the latest welcome mail to the customer as delivered. The queue delivers a report again that failed.
    async fn report(&self, customer: &Customer) {
        let mails = self.processes.cloud.inbox_of(&customer.id);
        let Some(mail) = mails.iter().rfind(|mail| mail.tags["mail"] == "welcome") else { return };
        drop(self.processes.cloud.report(&mail.message_id, Feedback::Delivered).await);
        let number = |tag: &str| mail.tags[tag].parse().unwrap();
        self.observed.delivered.lock().unwrap().push((customer.id.clone(), number("issue"), number("round")));
    }

    /// Puts the reminder of the first issue on the list of those that are due now, and makes the issue old enough for it.
    async fn make_reminder_due(&self, customer: &Customer, table: &Table) {
        let now = self.processes.cloud.clock().epoch_seconds();
        let subscription = SubscriptionId::parse(&customer.id).unwrap();
        let partition = DuePartition::new(Timestamp::from_epoch_seconds(now), &subscription);
        let (pk, sk) = (format!("DUE#{partition}"), format!("SUBSCRIPTION#{subscription}#1"));
        let now = json!({ "N": now.to_string() });
        table.put(&json!({ "PK": { "S": pk }, "SK": { "S": sk }, "due_at": now, "ttl": now })).await;
        table.set_number(format!("SUBSCRIPTION#{}", customer.id), "CREDENTIAL", "issued_at", 0).await;
    }

    /// Makes the password expire.
    async fn make_expired(&self, customer: &Customer, table: &Table) {
        let keys = [
            (format!("SUBSCRIPTION#{}", customer.id), "CREDENTIAL"),
            (format!("ACCOUNT#{}", customer.service()), "ACCOUNT"),
        ];
        for (pk, sk) in keys {
            table.set_number(pk, sk, "expires_at", 1).await;
        }
    }

    /// Runs over the reminders until a run succeeds, as Lambda repeats it.
    async fn run_reminders(&self, customer: &Customer) {
        let tick: Value = serde_json::from_str(&Function::SendReminders.event()).unwrap();
        for _ in 0..TRIES {
            if self.processes.invoke("send-reminders", &tick).await.is_ok() {
                self.observed.reminded.lock().unwrap().push(customer.id.clone());
                return;
            }
        }
    }

    async fn ask_support(&self, customer: &Customer, person: &str) {
        let call = Call::contact_support(&customer.id, "Please call.").bearer(&self.token(person)).key("support");
        self.call_until_answered(customer, "contact-support", &call, |_| ()).await;
    }

    async fn open_portal(&self, customer: &Customer, person: &str) {
        let call = Call::get("/").cookie("__Host-customer", &self.token(person));
        self.call_until_answered(customer, "portal", &call, |_| ()).await;
    }

    async fn read_history(&self, customer: &Customer, person: &str) {
        let call = Call::show_history(&customer.id).bearer(&self.token(person));
        self.call_until_answered(customer, "show-history", &call, |_| ()).await;
    }

    /// Uses all three retrievals; returns whether every click showed the password.
    async fn use_up(&self, customer: &Customer) -> bool {
        let people = ["dana", "kim", "it"].map(|who| customer.person(who));
        let clicks = people.iter().map(|person| self.click(customer, person, "first"));
        let answers = join_all(clicks).await;
        answers.iter().all(|answer| answer.as_ref().is_some_and(|answer| answer.password().is_some()))
    }

    async fn stranger(&self, customer: &Customer) {
        for _ in 0..3 {
            self.retrieve(customer, "mallory@elsewhere.example", "a", true).await;
            self.pause(300).await;
        }
    }

    async fn list_subscriptions(&self, customer: &Customer, person: &str) {
        let call = Call::get("/subscriptions").bearer(&self.token(person));
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let answer = self.call_until_answered(customer, "list-subscriptions", &call, |_| ()).await;
            if answer.is_some_and(|answer| answer.body["subscriptions"] != json!([])) {
                return;
            }
            self.pause(200).await;
        }
    }

    /// Carries out a click, and repeats it while the subscription does not exist yet.
    async fn click(&self, customer: &Customer, person: &str, key: &str) -> Option<Answer> {
        let begun = Instant::now();
        loop {
            let answer = self.retrieve(customer, person, key, false).await;
            if answer.as_ref().is_none_or(|answer| answer.status != 404) || begun.elapsed() > PATIENCE {
                return answer;
            }
            self.pause(200).await;
        }
    }

    async fn retrieve(&self, customer: &Customer, person: &str, key: &str, stranger: bool) -> Option<Answer> {
        let call = Call::get_credentials(&customer.id).bearer(&self.token(person)).key(key);
        let record = |one: Attempt| {
            let answered = |read: fn(&Answer) -> Vec<String>| one.answer.map(read).unwrap_or_default();
            self.observed.clicks.lock().unwrap().push(Click {
                subscription: customer.id.clone(),
                person: person.into(),
                key: key.into(),
                asked: one.asked,
                shown: answered(|answer| answer.password().map(Into::into).into_iter().collect()).pop(),
                answered: one.answered,
                reasons: answered(|answer| answer.reasons().into_iter().map(Into::into).collect()),
                stranger,
                status: one.answer.map(|answer| answer.status),
            });
        };
        self.call_until_answered(customer, "get-credentials", &call, record).await
    }

    /// Waits for the mail of an issue; returns its password.
    async fn mail(&self, customer: &Customer, issue: u64) -> Option<String> {
        self.observed.expected.lock().unwrap().push((customer.id.clone(), issue));
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some((_, password)) = self.mails(customer).into_iter().find(|(mailed, _)| *mailed == issue) {
                return Some(password);
            }
            sleep(Duration::from_millis(100)).await;
        }
        None
    }

    /// Returns issue and password of every welcome mail to a customer.
    pub(crate) fn mails(&self, customer: &Customer) -> Vec<(u64, String)> {
        let is_password = |line: &&str| line.len() == 23 && line.split('-').all(|group| group.len() == 5);
        let mails = self.processes.cloud.inbox_of(&customer.id);
        let read = |mail: cloud::Mail| {
            // A request to support and a reminder are mails without a password.
            let password = mail.text.lines().find(is_password)?;
            Some((mail.tags["issue"].parse().unwrap(), password.to_owned()))
        };
        mails.into_iter().filter_map(read).collect()
    }

    /// Returns the issues and rounds of the welcome mails that were sent to a customer.
    pub(crate) fn rounds(&self, customer: &Customer) -> BTreeSet<(u64, u64)> {
        let mut mails = self.processes.cloud.inbox_of(&customer.id);
        mails.retain(|mail| mail.tags["mail"] == "welcome");
        let number = |text: &String| text.parse().unwrap();
        mails.iter().map(|mail| (number(&mail.tags["issue"]), number(&mail.tags["round"]))).collect()
    }

    /// Runs this number of steps as the service administrator and then as the administrators. Returns `None` if it stops before the end.
    async fn administration_center(&self, customer: &Customer, issue: u64, steps: u32) -> Option<()> {
        let (mailed, service) = (self.mail(customer, issue).await?, customer.service());
        let mut left = steps;
        let mut step = || {
            left = left.checked_sub(1)?;
            Some(())
        };
        step()?;
        self.pause(600).await;
        let click = || self.sign_in(customer, &service, &mailed);
        let session = if customer.impatient {
            let (first, second) = join!(click(), click());
            first.or(second)?
        } else {
            click().await?
        };
        step()?;
        let session = self.choose(customer, &service, &session, (&mailed, &customer.choice(&service, 1))).await?;
        step()?;
        self.create_administrators(customer, &session).await;
        step()?;
        self.administrators(customer).await
    }

    /// Creates two administrators at once, one of them twice.
    async fn create_administrators(&self, customer: &Customer, session: &str) {
        let [lee, mo] = ["lee", "mo"].map(|who| customer.account(who));
        let create = async |name: &str| self.create(customer, session, name, &customer.choice(name, 1)).await;
        join!(create(&lee), create(&mo));
        create(&lee).await;
    }

    /// Signs two administrators in for the first time while the service administrator signs in again; one of the two changes the
    /// password and signs out.
    async fn administrators(&self, customer: &Customer) -> Option<()> {
        let [lee, mo] = &["lee", "mo"].map(|who| customer.account(who));
        let (service, [first, second]) = (customer.service(), [1, 2].map(|time| customer.choice(lee, time)));
        let (mos, chosen) = (customer.choice(mo, 1), customer.choice(&service, 1));
        let (session, ..) = join!(
            self.sign_in(customer, lee, &first),
            self.sign_in(customer, mo, &mos),
            self.sign_in(customer, &service, &chosen),
        );
        let session = self.choose(customer, lee, &session?, (&first, &second)).await?;
        self.sign_out(customer, &session).await;
        Some(())
    }

    /// Chooses a password. Without a conclusive answer, signs in with the new or the old one.
    async fn choose(
        &self,
        customer: &Customer,
        user_name: &str,
        session: &str,
        (from, to): (&str, &str),
    ) -> Option<String> {
        match self.reset(customer, user_name, session, (from, to)).await {
            Some(session) => Some(session),
            None => self.sign_in_with_any(customer, user_name, &[to, from]).await,
        }
    }

    /// Signs in with the first of these passwords that works.
    pub(crate) async fn sign_in_with_any(
        &self,
        customer: &Customer,
        user_name: &str,
        passwords: &[&str],
    ) -> Option<String> {
        for password in passwords {
            if let Some(session) = self.sign_in(customer, user_name, password).await {
                return Some(session);
            }
        }
        None
    }

    pub(crate) async fn sign_in(&self, customer: &Customer, user_name: &str, password: &str) -> Option<String> {
        let record = |one: Attempt| {
            let (session, asked, answered) = (one.session(), one.asked, one.answered);
            let (user_name, password) = (user_name.to_owned(), password.to_owned());
            self.observed.sign_ins.lock().unwrap().push(SignIn { user_name, password, asked, answered, session });
        };
        self.call_until_answered(customer, "sign-in", &Call::sign_in(user_name, password), record).await?.session()
    }

    /// Changes one password to another; returns the new session.
    pub(crate) async fn reset(
        &self,
        customer: &Customer,
        user_name: &str,
        session: &str,
        (from, to): (&str, &str),
    ) -> Option<String> {
        let record = |one: Attempt| {
            let (user_name, from, to) = (user_name.to_owned(), from.to_owned(), to.to_owned());
            self.observed.resets.lock().unwrap().push(Reset { user_name, from, to, session: one.session() });
        };
        let mut body = json!({ "new_password": to });
        if user_name != customer.service() {
            body["current_password"] = from.into();
        }
        let call = Call::post("/reset-password").session(session).json(&body);
        self.call_until_answered(customer, "reset-password", &call, record).await?.session()
    }

    pub(crate) async fn create(&self, customer: &Customer, session: &str, user_name: &str, password: &str) -> bool {
        let record = |one: Attempt| {
            let created = one.answer.filter(|answer| answer.status == 201);
            let account_id = created.and_then(|answer| Some(answer.body["account_id"].as_str()?.to_owned()));
            let (user_name, password) = (user_name.to_owned(), password.to_owned());
            self.observed.creations.lock().unwrap().push(Creation { user_name, password, account_id });
        };
        let call = Call::create_admin(session, user_name, password).key(user_name);
        let answer = self.call_until_answered(customer, "create-admin", &call, record).await;
        answer.is_some_and(|answer| answer.status == 201)
    }

    async fn sign_out(&self, customer: &Customer, session: &str) {
        let call = Call::post("/sign-out").session(session);
        let answer = self.call_until_answered(customer, "sign-in", &call, |_| ()).await;
        if answer.is_some_and(|answer| answer.status == 204) {
            self.observed.signed_out.lock().unwrap().push(session.to_owned());
        }
    }

    /// Finishes the story after the kills, with every password that the customer still knows. Returns the step that failed as an
    /// error.
    pub(crate) async fn finish_story(&self, customer: &Customer) -> Result<(), String> {
        for who in ["lee", "mo", "noor"] {
            let name = customer.account(who);
            let [first, second] = [1, 2].map(|time| customer.choice(&name, time));
            if self.sign_in_with_any(customer, &name, &[&second, &first]).await.is_some() {
                return Ok(());
            }
        }
        let (service, mut known) = (customer.service(), self.mails(customer));
        known.sort();
        let mailed = known.pop().map(|(_, password)| password).ok_or("no mail was sent")?;
        let [earlier, chosen, latest] = [0, 1, 2].map(|time| customer.choice(&service, time));
        let mut session = self.sign_in_with_any(customer, &service, &[&latest, &chosen, &earlier]).await;
        if session.is_none() {
            let reset = self.sign_in_with_any(customer, &service, &[&mailed]).await;
            let reset = reset.ok_or("neither the mailed nor the chosen password signs in")?;
            session = self.reset(customer, &service, &reset, (&mailed, &chosen)).await;
        }
        let session = session.ok_or("no password can be chosen")?;
        let (last, own) = (customer.account("last"), customer.choice("last", 1));
        if !self.create(customer, &session, &last, &own).await {
            return Err("no administrator can be created".to_owned());
        }
        self.sign_in_with_any(customer, &last, &[&own])
            .await
            .map(drop)
            .ok_or_else(|| "the administrator cannot sign in".to_owned())
    }

    /// Repeats a call until there is an answer other than a rate limit or a server error.
    pub(crate) async fn call_until_answered(
        &self,
        customer: &Customer,
        function: &'static str,
        call: &Call,
        mut record: impl FnMut(Attempt),
    ) -> Option<Answer> {
        for _ in 0..TRIES {
            // Each attempt comes from another network, so that retries do not spend the budget of attempts.
            let number = self.addresses.fetch_add(1, Ordering::SeqCst);
            let address = std::net::Ipv4Addr::from_bits((10 << 24) + number).to_string();
            // The header tells a crash whose call it hit.
            let call = call.clone().from(&address).header("x-customer", &customer.id);
            let asked = Instant::now();
            let answer = self.processes.call(function, call).await;
            record(Attempt { asked, answered: Instant::now(), answer: answer.as_ref().ok() });
            match answer {
                Ok(answer) if answer.status < 400 => return Some(answer),
                Ok(answer) => {
                    self.observed.problems.lock().unwrap().push(format!("{} {function} {}", customer.id, answer.body));
                    if answer.status < 500 && answer.status != 429 {
                        return Some(answer);
                    }
                }
                Err(error) if self.gives_up(&error) => return None,
                Err(_) => {}
            }
            self.pause(300).await;
        }
        None
    }

    /// Returns a person's token, which is the same for every request.
    fn token(&self, person: &str) -> String {
        let mut tokens = self.observed.tokens.lock().unwrap();
        tokens.entry(person.to_owned()).or_insert_with(|| self.processes.token(person)).clone()
    }

    /// Waits for a random time of at most `most` milliseconds.
    pub(crate) async fn pause(&self, most: u64) {
        let time = self.random.lock().unwrap().u64(0..=most);
        sleep(Duration::from_millis(time)).await;
    }
}
