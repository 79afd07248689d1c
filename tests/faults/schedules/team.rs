//! Two administrators act on each other, each in two browsers, while AWS fails at random: they reset each other's passwords, remove each
//! other, and come in again with what the other one hands over. At last the subscription ends.

use support::table::read_text;

use super::*;

/// The number of browsers.
const BROWSERS: usize = 4;

/// The number of times that each browser acts.
const TURNS: usize = 3;

/// The number of teams that act at the same time, each with its own stack.
pub(super) const AT_ONCE: usize = 4;

/// An administrator.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) who: UserName,
    /// The password that they choose, again after each reset.
    pub(super) own: Password,
}

pub(super) const LEE: Member = Member { who: UserName::Lee, own: ADMINISTRATOR_PASSWORD };
pub(super) const MO: Member = Member { who: UserName::Mo, own: Password::Chosen(2) };

/// A subscription that is handed over to Lee and Mo.
pub(super) struct Team<'a> {
    schedule: Schedule<'a>,
    /// The temporary passwords that were handed over, by their names, the latest last.
    given: Mutex<BTreeMap<UserName, Vec<Label>>>,
    /// The sessions that may have begun.
    sessions: Mutex<Vec<Label>>,
    names: AtomicUsize,
}

impl Team<'_> {
    /// Hands a new subscription over to Lee, who adds Mo. Nothing fails yet.
    async fn new(product: &Product, seed: u64) -> Team<'_> {
        let scene = Scene::start(product, usize::try_from(seed).unwrap()).await;
        let schedule = Schedule { product, scenes: vec![scene], began: Instant::now() };
        let (given, sessions, names) = (Mutex::default(), Mutex::default(), AtomicUsize::default());
        Team { schedule, given, sessions, names }
    }

    /// Returns the schedule, which has the one scene of the team.
    pub(super) fn schedule(&self) -> &Schedule<'_> {
        &self.schedule
    }

    pub(super) fn scene(&self) -> &Scene {
        &self.schedule.scenes[0]
    }

    /// Returns a new name, of a session or a password.
    pub(super) fn name(&self) -> Label {
        format!("{}", self.names.fetch_add(1, Ordering::Relaxed)).leak()
    }

    fn session(&self) -> Label {
        let name = self.name();
        self.sessions.lock().unwrap().push(name);
        name
    }

    pub(super) async fn perform(&self, op: Op) -> Option<Reply> {
        self.schedule.perform(self.scene(), op).await
    }

    /// Returns the sessions of Lee and Mo.
    pub(super) async fn prepare(&self) -> [Label; 2] {
        let [first, full, lee, mo_first, mo] = [(); 5].map(|()| self.session());
        let (gives, temporary) = (self.name(), Password::Temporary(1));
        let sign_in = |who, password, begins| Op::SignIn { who, password, begins };
        let choose = |session, to, begins| Op::Reset { session, current: None, to, begins };
        for op in [
            sign_in(UserName::Admin, temporary, first),
            choose(first, Password::Chosen(0), full),
            Op::Create { session: full, who: LEE.who, key: "lee" },
            sign_in(LEE.who, LEE.own, lee),
            Op::Add { session: lee, who: MO.who, current: LEE.own, key: "mo", gives },
            sign_in(MO.who, Password::HandedOut(gives), mo_first),
            choose(mo_first, MO.own, mo),
        ] {
            let reply = self.perform(op).await;
            assert!(reply.as_ref().is_some_and(|(status, _)| *status < 300), "{op} is answered {reply:?}");
        }
        let table = Table::connect(&self.schedule.product.aws_url(), "desk");
        for who in [LEE.who, MO.who] {
            let account = table.get(format!("ACCOUNT#{}", self.scene().world.user_name(who)), "ACCOUNT").await;
            self.scene().world.learn_account(who, read_text(&account.unwrap(), "account_id"));
        }
        [lee, mo]
    }

    /// Plays the part of one browser.
    async fn act(&self, browser: usize, session: Label, mut random: fastrand::Rng) {
        let (own, other) = if browser.is_multiple_of(2) { (LEE, MO) } else { (MO, LEE) };
        let mut session = Some(session);
        for _ in 0..TURNS {
            sleep(Duration::from_millis(random.u64(..400))).await;
            let Some(known) = session else {
                session = self.come_in(own).await;
                continue;
            };
            let (who, current, gives) = (other.who, own.own, self.name());
            let op = match random.u8(..5) {
                0 | 1 => Op::Help { session: known, who, current, gives },
                2 | 3 => Op::Remove { session: known, who, current },
                _ => Op::CheckSession { session: known },
            };
            match (op, self.perform(op).await) {
                (Op::Help { gives, .. }, Some((200, _))) => {
                    self.given.lock().unwrap().entry(who).or_default().push(gives);
                }
                (_, Some((401, _))) => session = None,
                _ => {}
            }
        }
    }

    /// Signs in with the own password or with the one that was handed over last, which is replaced. Returns the session.
    async fn come_in(&self, member: Member) -> Option<Label> {
        let handed = self.given.lock().unwrap().get(&member.who).and_then(|given| given.last().copied());
        for password in [member.own].into_iter().chain(handed.map(Password::HandedOut)) {
            let begins = self.session();
            match self.perform(Op::SignIn { who: member.who, password, begins }).await {
                Some((200, next)) if next == "home" => return Some(begins),
                Some((200, _)) => {
                    let full = self.session();
                    self.perform(Op::Reset { session: begins, current: None, to: member.own, begins: full }).await;
                    return Some(full).filter(|full| self.scene().world.knows(full));
                }
                _ => {}
            }
        }
        None
    }

    /// Runs all browsers while AWS fails; when they are done, the subscription ends.
    async fn run(&self, seed: u64) {
        let sessions = self.prepare().await;
        let left = AtomicUsize::new(1);
        let browsers = (0..BROWSERS).map(|browser| {
            let random = fastrand::Rng::with_seed(seed * 100 + browser as u64);
            self.act(browser, sessions[browser % sessions.len()], random)
        });
        let people = async {
            join_all(browsers).await;
            self.perform(Op::End { at: 1 }).await;
            left.store(0, Ordering::SeqCst);
        };
        join!(people, self.schedule.fail(fastrand::Rng::with_seed(seed), &left));
        sleep(Duration::from_millis(DELAYS[2] + 200)).await;
    }

    /// Waits until the end is complete, tries every session, and checks the history against the specification.
    pub(super) async fn judge(&self) -> Result<(), String> {
        let (scene, table) = (self.scene(), Table::connect(&self.schedule.product.aws_url(), "desk"));
        self.await_end().await?;
        let sessions = self.sessions.lock().unwrap().clone();
        for session in sessions {
            if scene.world.knows(session) {
                self.perform(Op::CheckSession { session }).await;
            }
        }
        if let Some(wrong) = scene.wrong.lock().unwrap().take() {
            return Err(wrong);
        }
        let lines = table.lines(&scene.world.subscription(), &scene.world.company()).await;
        let mails = self.schedule.product.mails(&scene.world).await;
        find_order(&State::started(), &scene.history(&mails), &lines).map(drop)
    }

    /// Waits until the end has closed all accounts.
    pub(super) async fn await_end(&self) -> Result<(), String> {
        let table = Table::connect(&self.schedule.product.aws_url(), "desk");
        let subscription = self.scene().world.subscription();
        for turn in 0..300 {
            if let Product::InProcess(stack) = self.schedule.product {
                stack.cloud.drained().await.unwrap();
            }
            let credential = table.get(format!("SUBSCRIPTION#{subscription}"), "CREDENTIAL").await.unwrap();
            if credential.contains_key("closed_at") {
                return Ok(());
            }
            if turn % 20 == 19 {
                self.schedule.product.redrive(&subscription).await;
            }
            sleep(Duration::from_millis(100)).await;
        }
        Err("the subscription does not end".to_owned())
    }
}

/// Runs a team and judges it.
async fn play(team: &Team<'_>, seed: u64) -> Result<(), String> {
    team.run(seed).await;
    team.judge().await
}

/// Plays the schedules of a test with teams, one after the other, until no seed is left.
pub(super) async fn work_teams(
    product: &Product,
    seeds: &Mutex<Range<u64>>,
    report: &Mutex<Report>,
    (test, play): (&str, impl AsyncFn(&Team<'_>, u64) -> Result<(), String>),
) {
    let next = || seeds.lock().unwrap().next();
    while let Some(seed) = next() {
        let team = Team::new(product, seed).await;
        let wrong = tokio::select! {
            judged = play(&team, seed) => judged.err(),
            () = tick(product) => None,
        };
        let again = format!("to repeat: FIRSTKEY_SEED={seed} cargo nextest run --workspace --test faults {test}");
        let mut report = report.lock().unwrap();
        let observations = team.scene().observations.lock().unwrap();
        report.note(test, "operations", observations.len());
        let answered = observations.iter().filter(|seen| seen.answered.is_some()).count();
        report.note(test, "answered", answered);
        report.add(test, "schedules", wrong.map(|wrong| format!("{wrong}\n{again}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_in_process() {
    let (seeds, report) = (Mutex::new(seeds(4, 200)), Mutex::default());
    let products = join_all((0..AT_ONCE).map(|_| Product::in_process())).await;
    join_all(products.iter().map(|product| work_teams(product, &seeds, &report, ("a_team_in_process", play)))).await;
    report.into_inner().unwrap().finish("schedules of a team");
}
