//! What customers and vendors do: the mixed load. Whoever gets no answer does the same again, with the same key.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Answer, Call, Processes};
use tokio::{join, time::sleep};

use crate::seen::{Click, Creation, Reset, Seen, SignIn, Try};

/// So often the same is tried again.
const TRIES: u32 = 10;

/// How long somebody waits for a mail, or for their subscription to be there, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(25);

/// How many stories are told at once: five or six people each.
const AT_ONCE: usize = 4;

/// A subscription, and who has to do with it. No two have anything in common.
#[derive(Clone)]
pub(crate) struct Customer {
    pub(crate) id: String,
    company: String,
    /// Clicks twice. Not many do: who clicks once leaves what a crash has left.
    impatient: bool,
    story: Story,
}

/// How far it goes while processes are killed.
#[derive(Clone, Copy)]
enum Story {
    /// From the event to administrators who are home, several people at every step at once.
    Whole,
    /// Three have retrieved, nobody can sign in, and the company pays: there is another issue.
    UsedUp,
    /// So many steps of the Administration Center.
    Halfway(u32),
}

impl Customer {
    fn new(number: u32) -> Self {
        let story = match number % 3 {
            1 => Story::Whole,
            2 => Story::UsedUp,
            _ => Story::Halfway(number / 3 % 4),
        };
        Self { id: format!("sub-{number:04}"), company: format!("c{number:04}"), impatient: number % 5 == 1, story }
    }

    pub(crate) fn person(&self, who: &str) -> String {
        format!("{who}@{}.example", self.company)
    }

    pub(crate) fn account(&self, who: &str) -> String {
        format!("{who}@{}", self.company)
    }

    /// The service administrator's account.
    pub(crate) fn service(&self) -> String {
        self.account("admin")
    }

    /// What the owner of an account chooses, the first or a later time. Nobody else chooses it.
    fn choice(&self, user_name: &str, time: u32) -> String {
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

/// The product, everybody who uses it, and what they saw.
pub(crate) struct World {
    pub(crate) processes: Processes,
    pub(crate) seen: Seen,
    /// Who has begun.
    pub(crate) customers: Mutex<Vec<Customer>>,
    random: Mutex<fastrand::Rng>,
    addresses: AtomicU32,
    /// Processes whose death is too much for whoever waits for them.
    discouraging: Mutex<BTreeSet<String>>,
    closed: AtomicBool,
}

impl World {
    pub(crate) fn new(processes: Processes, seed: u64) -> Self {
        Self {
            processes,
            seen: Seen::default(),
            customers: Mutex::default(),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            addresses: AtomicU32::new(0),
            discouraging: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    /// One story of each kind, and everything that follows from them.
    pub(crate) async fn one_of_each(&self) {
        join_all((0..6).map(|_| Box::pin(self.story()))).await;
        self.processes.cloud.drained().await.unwrap();
    }

    /// Story after story, until there are to be no more.
    pub(crate) async fn go_on_until_closed(&self) {
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

    /// Whoever waits for the answer of this process does not try again when it dies.
    pub(crate) fn discourage(&self, process: &str) {
        self.discouraging.lock().unwrap().insert(process.to_owned());
    }

    fn gives_up(&self, error: &str) -> bool {
        let process = error.split(':').next().unwrap_or_default();
        self.discouraging.lock().unwrap().contains(process)
    }

    async fn story(&self) {
        let customer = {
            let mut customers = self.customers.lock().unwrap();
            let customer = Customer::new(u32::try_from(customers.len()).unwrap() + 1);
            customers.push(customer.clone());
            customer
        };
        let customer = &customer;
        match customer.story {
            Story::Whole => {
                let center = self.administration_center(customer, 1, u32::MAX);
                join!(self.starts(customer, "trial"), self.portal(customer, "1"), self.stranger(customer), center);
            }
            Story::UsedUp => {
                let first = self.mail(customer, 1);
                let ((), used_up, _) = join!(self.starts(customer, "trial"), self.use_up(customer), first);
                if used_up {
                    let center = self.administration_center(customer, 2, u32::MAX);
                    join!(self.starts(customer, "paid"), self.portal(customer, "2"), center);
                }
            }
            Story::Halfway(steps) => {
                let center = self.administration_center(customer, 1, steps);
                join!(self.starts(customer, "trial"), self.portal(customer, "1"), center);
                self.starts(customer, "paid").await;
            }
        }
    }

    /// The event bus delivers at least once: here twice, at once.
    async fn starts(&self, customer: &Customer, kind: &str) {
        // What has failed comes again by itself.
        let once = async || drop(self.processes.cloud.deliver(customer.event(kind)).await);
        join!(once(), once());
    }

    /// Everybody in the Customer Portal, at once: four clicks, two of them twice, two with the same key by two people.
    async fn portal(&self, customer: &Customer, round: &str) {
        let [a, b] = ["a", "b"].map(|key| format!("{key}-{round}"));
        let dana = async {
            let dana = customer.person("dana");
            self.lists(customer, &dana).await;
            self.click(customer, &dana, &a).await;
            join!(self.click(customer, &dana, &a), self.click(customer, &dana, &b));
        };
        let kim = async {
            let kim = customer.person("kim");
            self.click(customer, &kim, &a).await;
            self.click(customer, &kim, &a).await;
            self.asks_support(customer, &kim).await;
        };
        let it = customer.person("it");
        join!(dana, kim, self.click(customer, &it, &b), self.opens_portal(customer, &it));
    }

    async fn asks_support(&self, customer: &Customer, person: &str) {
        let call = Call::contact_support(&customer.id, "Please call.").bearer(&self.token(person)).key("support");
        self.again(customer, "contact-support", &call, |_| ()).await;
    }

    async fn opens_portal(&self, customer: &Customer, person: &str) {
        let call = Call::get("/").cookie("__Host-customer", &self.token(person));
        self.again(customer, "portal", &call, |_| ()).await;
    }

    /// Whether all three were shown the password.
    async fn use_up(&self, customer: &Customer) -> bool {
        let people = ["dana", "kim", "it"].map(|who| customer.person(who));
        let clicks = people.iter().map(|person| self.click(customer, person, "first"));
        let answers = join_all(clicks).await;
        answers.iter().all(|answer| answer.as_ref().is_some_and(|answer| answer.password().is_some()))
    }

    async fn stranger(&self, customer: &Customer) {
        for _ in 0..3 {
            self.try_to_retrieve(customer, "mallory@elsewhere.example", "a", true).await;
            self.pause(300).await;
        }
    }

    async fn lists(&self, customer: &Customer, person: &str) {
        let call = Call::get("/subscriptions").bearer(&self.token(person));
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let answer = self.again(customer, "list-subscriptions", &call, |_| ()).await;
            if answer.is_some_and(|answer| answer.body["subscriptions"] != json!([])) {
                return;
            }
            self.pause(200).await;
        }
    }

    /// One click, made again while the subscription is not there yet.
    async fn click(&self, customer: &Customer, person: &str, key: &str) -> Option<Answer> {
        let begun = Instant::now();
        loop {
            let answer = self.try_to_retrieve(customer, person, key, false).await;
            if answer.as_ref().is_none_or(|answer| answer.status != 404) || begun.elapsed() > PATIENCE {
                return answer;
            }
            self.pause(200).await;
        }
    }

    async fn try_to_retrieve(&self, customer: &Customer, person: &str, key: &str, stranger: bool) -> Option<Answer> {
        let call = Call::get_credentials(&customer.id).bearer(&self.token(person)).key(key);
        let tell = |one: Try| {
            let answered = |read: fn(&Answer) -> Vec<String>| one.answer.map(read).unwrap_or_default();
            self.seen.clicks.lock().unwrap().push(Click {
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
        self.again(customer, "get-credentials", &call, tell).await
    }

    /// The password in the mail of an issue, once it is there.
    async fn mail(&self, customer: &Customer, issue: u64) -> Option<String> {
        self.seen.expected.lock().unwrap().push((customer.id.clone(), issue));
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some((_, password)) = self.mails(customer).into_iter().find(|(mailed, _)| *mailed == issue) {
                return Some(password);
            }
            sleep(Duration::from_millis(100)).await;
        }
        None
    }

    /// Issue and password of every welcome mail to a customer.
    pub(crate) fn mails(&self, customer: &Customer) -> Vec<(u64, String)> {
        let is_password = |line: &&str| line.len() == 23 && line.split('-').all(|group| group.len() == 5);
        let mut mails = self.processes.cloud.inbox();
        mails.retain(|mail| mail.tags["subscription"] == customer.id);
        let read = |mail: local::cloud::Mail| {
            // A request to support is a mail without a password.
            let password = mail.text.lines().find(is_password)?;
            Some((mail.tags["issue"].parse().unwrap(), password.to_owned()))
        };
        mails.into_iter().filter_map(read).collect()
    }

    /// The service administrator, and then the administrators; so many steps. Nothing where somebody stops before the end.
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
        let [lee, mo] = ["lee", "mo"].map(|who| customer.account(who));
        let create = async |name: &str| self.create(customer, &session, name, &customer.choice(name, 1)).await;
        join!(create(&lee), create(&mo));
        create(&lee).await;
        step()?;
        self.administrators(customer, &lee, &mo).await
    }

    /// Two administrators come home for the first time while the service administrator comes back; one changes their password and
    /// leaves.
    async fn administrators(&self, customer: &Customer, lee: &str, mo: &str) -> Option<()> {
        let (service, [first, second]) = (customer.service(), [1, 2].map(|time| customer.choice(lee, time)));
        let (mos, chosen) = (customer.choice(mo, 1), customer.choice(&service, 1));
        let (home, ..) = join!(
            self.sign_in(customer, lee, &first),
            self.sign_in(customer, mo, &mos),
            self.sign_in(customer, &service, &chosen),
        );
        let home = self.choose(customer, lee, &home?, (&first, &second)).await?;
        self.sign_out(customer, &home).await;
        Some(())
    }

    /// Chooses a password; who does not know whether they have signs in with either.
    async fn choose(
        &self,
        customer: &Customer,
        user_name: &str,
        session: &str,
        (from, to): (&str, &str),
    ) -> Option<String> {
        match self.reset(customer, user_name, session, (from, to)).await {
            Some(session) => Some(session),
            None => self.enter(customer, user_name, &[to, from]).await,
        }
    }

    /// The first of these passwords that signs in.
    pub(crate) async fn enter(&self, customer: &Customer, user_name: &str, passwords: &[&str]) -> Option<String> {
        for password in passwords {
            if let Some(session) = self.sign_in(customer, user_name, password).await {
                return Some(session);
            }
        }
        None
    }

    pub(crate) async fn sign_in(&self, customer: &Customer, user_name: &str, password: &str) -> Option<String> {
        let tell = |one: Try| {
            let (session, answered) = (one.session(), one.answered);
            let (user_name, password) = (user_name.to_owned(), password.to_owned());
            self.seen.sign_ins.lock().unwrap().push(SignIn { user_name, password, answered, session });
        };
        self.again(customer, "sign-in", &Call::sign_in(user_name, password), tell).await?.session()
    }

    /// From one password to another.
    pub(crate) async fn reset(
        &self,
        customer: &Customer,
        user_name: &str,
        session: &str,
        (from, to): (&str, &str),
    ) -> Option<String> {
        let tell = |one: Try| {
            let (user_name, from, to) = (user_name.to_owned(), from.to_owned(), to.to_owned());
            self.seen.resets.lock().unwrap().push(Reset { user_name, from, to, session: one.session() });
        };
        let mut body = json!({ "new_password": to });
        if user_name != customer.service() {
            body["current_password"] = from.into();
        }
        let call = Call::post("/reset-password").session(session).json(&body);
        self.again(customer, "reset-password", &call, tell).await?.session()
    }

    pub(crate) async fn create(&self, customer: &Customer, session: &str, user_name: &str, password: &str) -> bool {
        let tell = |one: Try| {
            let created = one.answer.filter(|answer| answer.status == 201);
            let account_id = created.and_then(|answer| Some(answer.body["account_id"].as_str()?.to_owned()));
            let (user_name, password) = (user_name.to_owned(), password.to_owned());
            self.seen.creations.lock().unwrap().push(Creation { user_name, password, account_id });
        };
        let call = Call::create_admin(session, user_name, password).key(user_name);
        let answer = self.again(customer, "create-admin", &call, tell).await;
        answer.is_some_and(|answer| answer.status == 201)
    }

    async fn sign_out(&self, customer: &Customer, session: &str) {
        let call = Call::post("/sign-out").session(session);
        let answer = self.again(customer, "sign-in", &call, |_| ()).await;
        if answer.is_some_and(|answer| answer.status == 204) {
            self.seen.left.lock().unwrap().push(session.to_owned());
        }
    }

    /// Somebody comes back when nothing is killed any more, with all that they may still know, and goes to the end of the
    /// story. What they could not do.
    pub(crate) async fn gets_home(&self, customer: &Customer) -> Result<(), String> {
        for who in ["lee", "mo"] {
            let name = customer.account(who);
            let [first, second] = [1, 2].map(|time| customer.choice(&name, time));
            if self.enter(customer, &name, &[&second, &first]).await.is_some() {
                return Ok(());
            }
        }
        let (service, mut known) = (customer.service(), self.mails(customer));
        known.sort();
        let mailed = known.pop().map(|(_, password)| password).ok_or("nobody has a mail")?;
        let chosen = customer.choice(&service, 1);
        let mut session = self.enter(customer, &service, &[&chosen]).await;
        if session.is_none() {
            let reset = self.enter(customer, &service, &[&mailed]).await;
            let reset = reset.ok_or("neither the mailed nor the chosen password signs in")?;
            session = self.reset(customer, &service, &reset, (&mailed, &chosen)).await;
        }
        let session = session.ok_or("no password can be chosen")?;
        let (last, own) = (customer.account("last"), customer.choice("last", 1));
        if !self.create(customer, &session, &last, &own).await {
            return Err("no administrator can be created".to_owned());
        }
        self.enter(customer, &last, &[&own])
            .await
            .map(drop)
            .ok_or_else(|| "the administrator cannot sign in".to_owned())
    }

    /// The same call again while there is no answer, or one that asks for patience.
    pub(crate) async fn again(
        &self,
        customer: &Customer,
        function: &'static str,
        call: &Call,
        mut tell: impl FnMut(Try),
    ) -> Option<Answer> {
        for _ in 0..TRIES {
            // Each from a network of its own: people who try again are not to run out of attempts.
            let number = self.addresses.fetch_add(1, Ordering::SeqCst);
            let address = std::net::Ipv4Addr::from_bits((10 << 24) + number).to_string();
            // The header tells a crash whose call it hit.
            let call = call.clone().from(&address).header("x-customer", &customer.id);
            let asked = Instant::now();
            let answer = self.processes.call(function, call).await;
            tell(Try { asked, answered: Instant::now(), answer: answer.as_ref().ok() });
            match answer {
                Ok(answer) if answer.status < 400 => return Some(answer),
                Ok(answer) => {
                    self.seen.problems.lock().unwrap().push(format!("{} {function} {}", customer.id, answer.body));
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

    /// Everybody has one token for all that they do.
    fn token(&self, person: &str) -> String {
        let mut tokens = self.seen.tokens.lock().unwrap();
        tokens.entry(person.to_owned()).or_insert_with(|| self.processes.token(person)).clone()
    }

    /// So many milliseconds at most.
    pub(crate) async fn pause(&self, most: u64) {
        let drawn = self.random.lock().unwrap().u64(0..=most);
        sleep(Duration::from_millis(drawn)).await;
    }
}
