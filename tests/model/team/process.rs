//! The steps of an invocation: it reads, decides, and sends its writes.

use super::table::{
    Account, AccountId, Click, Credential, Date, Life, Outcome, Password, People, SERVICE, Session, Status, Table,
    Time, Write,
};
use super::witness::{Breach, Situation};
use super::{Action, Task, TeamModel, Variant, World};

/// One invocation. What is `None` has not been read yet, or is not needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) task: Task,
    pub(crate) click: Click,
    pub(crate) asked_at: Time,
    /// The people to whom a temporary password of the service administrator is mailed.
    pub(crate) mailed_to: People,
    /// The session to write, for a sign-in; the session of the request otherwise.
    session: Option<Session>,
    /// The changes that a sign-in makes apart from the session.
    effect: Effect,
    /// The credential's number of the last entry, and its issue.
    credential: Option<(u8, u8)>,
    /// Whether it is the administrator's first way in, and whether that retires the service administrator.
    hands_over: bool,
    retires: bool,
    /// The version of the account that the act is about.
    target: Option<u8>,
    /// The life, which an event reads first.
    life: Option<Life>,
    /// The credential, where a change of the protocol reads it first.
    early: Option<Credential>,
    /// The state that an event or the schedule reads.
    pub(crate) seen: Option<View>,
    /// The date of the end whose accounts are being closed.
    ended: Option<Date>,
    /// The administrators who are to be closed.
    listed: Option<Vec<AccountId>>,
    /// The number of writes of a purge.
    pub(crate) step: usize,
    attempt: u8,
    pub(crate) races: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Effect {
    None,
    EndsRetrieval,
    HandsOver,
}

/// The items that an event or the schedule reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct View {
    pub(crate) credential: Option<Credential>,
    pub(crate) life: Life,
    pub(crate) purge: Option<(Date, Time)>,
}

/// The deed of an event or the schedule after it has read.
pub(crate) enum Decision {
    /// Sends a write, and goes on so if it is carried out.
    Write(Write, Next),
    Next(Next),
    /// A temporary failure: the queue delivers the event again, which is another task.
    GiveUp,
}

/// How an event or the schedule goes on.
#[derive(Clone, Copy)]
pub(crate) enum Next {
    Acknowledge,
    /// Closes the accounts of the subscription that ended at a date.
    Close(Date),
    /// Takes the next step of a purge.
    Purge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Person {
    /// The session token in the person's cookie.
    token: Option<Click>,
    /// The number of tasks that are over, successful or not.
    done: usize,
    pub(crate) run: Option<Run>,
}

impl Person {
    pub(crate) fn new(token: Option<Click>) -> Self {
        Self { token, done: 0, run: None }
    }

    /// Ends the invocation, with or without an answer, and moves on to the next task.
    pub(crate) fn give_up(&mut self) {
        self.run = None;
        self.done += 1;
    }
}

impl Run {
    fn new(task: Task, click: Click, asked_at: Time, mailed_to: People) -> Self {
        Self {
            task,
            click,
            asked_at,
            mailed_to,
            session: None,
            effect: Effect::None,
            credential: None,
            hands_over: false,
            retires: false,
            target: None,
            life: None,
            early: None,
            seen: None,
            ended: None,
            listed: None,
            step: 0,
            attempt: 1,
            races: 0,
        }
    }

    pub(crate) fn is_sign_in(&self) -> bool {
        matches!(self.task, Task::SignIn(_) | Task::Choose)
    }

    /// Returns whether the invocation has found a session that it may act in.
    pub(crate) fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// Returns the end whose accounts are being closed, and those that are left.
    pub(crate) fn closing(&self) -> Option<(Date, &[AccountId])> {
        Some((self.ended?, self.listed.as_deref()?))
    }

    fn is_event(&self) -> bool {
        matches!(self.task, Task::End(_) | Task::Start(_) | Task::Purge)
    }

    /// Returns the reads that are due, in any order.
    fn reads(&self, p: usize) -> Vec<Action> {
        if self.is_event() {
            return match (&self.seen, self.life) {
                _ if self.ended.is_some() && self.listed.is_none() => vec![Action::ReadEverything(p)],
                _ if self.ended.is_some() => Vec::new(),
                (Some(_), _) => Vec::new(),
                (None, None) => vec![Action::ReadLife(p)],
                (None, Some(_)) => vec![Action::ReadEverything(p)],
            };
        }
        if self.session.is_none() && self.task != Task::Reissue {
            return vec![Action::ReadSession(p)];
        }
        let alone = matches!(self.task, Task::SignIn(_)) && self.effect == Effect::None;
        let about = matches!(self.task, Task::Reset(_) | Task::Remove(_));
        let credential = self.credential.is_none() && !alone;
        let target = about && self.target.is_none();
        let reads = [credential.then_some(Action::ReadCredential(p)), target.then_some(Action::ReadTarget(p))];
        reads.into_iter().flatten().collect()
    }

    /// Returns a password that this attempt generates or chooses.
    fn new_password(&self, temporary: bool, seen_by: People) -> Password {
        Password { made_by: self.click, race: self.races, temporary, seen_by }
    }
}

impl TeamModel {
    pub(crate) fn person_actions(&self, world: &World, p: usize, actions: &mut Vec<Action>) {
        let person = &world.people[p];
        let Some(run) = &person.run else {
            let next = self.scope.people[p].script.get(person.done);
            actions.extend(next.filter(|task| self.may_begin(world, p, **task)).map(|task| Action::Begin(p, *task)));
            return;
        };
        let reads = run.reads(p);
        if !reads.is_empty() {
            actions.extend(reads);
            return;
        }
        actions.extend([Action::Committed(p), Action::AnswerLost(p), Action::Crash(p)]);
        if world.late.len() < self.scope.late_writes && run.task != Task::Purge {
            actions.push(Action::Delayed(p));
        }
    }

    /// Returns the session that the person's browser sends.
    fn token(&self, world: &World, p: usize) -> Option<Click> {
        world.people[self.scope.people[p].steals_from.unwrap_or(p)].token
    }

    /// Returns whether the person can type the password of an account. A temporary one that was shown was handed over.
    fn knows(&self, p: usize, id: AccountId, password: &Password) -> bool {
        let is_owner = self.scope.people[p].owns == Some(id);
        password.seen_by.contains(p) || (is_owner && password.temporary && !password.seen_by.is_empty())
    }

    fn may_begin(&self, world: &World, p: usize, task: Task) -> bool {
        match task {
            Task::SignIn(id) => world.table.accounts[id]
                .as_ref()
                .is_some_and(|account| account.may_sign_in(self.variant) && self.knows(p, id, &account.password)),
            Task::Choose | Task::Add(_) | Task::Reset(_) | Task::Remove(_) => self.token(world, p).is_some(),
            Task::Reissue => world.table.credential.is_some(),
            Task::End(_) | Task::Start(_) | Task::Purge => true,
        }
    }

    pub(crate) fn begin(&self, world: &mut World, p: usize, task: Task) -> Option<()> {
        let click = Click { person: p, task: world.people[p].done };
        let mut run = Run::new(task, click, world.now, self.scope.owner(SERVICE));
        match task {
            Task::SignIn(id) => {
                let account = world.table.accounts[id]?;
                let full = !account.password.temporary || (id != SERVICE && self.variant == Variant::TemporaryIsFull);
                let (version, since, era) = (account.version, account.changes, world.witness.era());
                run.session =
                    Some(Session { token: click, account: id, own_id: account.own_id, version, full, since, era });
                run.effect = self.effect(id, &account);
                run.hands_over = run.effect == Effect::HandsOver;
                let shared = full && account.password.seen_by.has_others(p);
                world.witness.check(shared, Breach::SharedForGood);
            }
            Task::End(date) => world.witness.begin_end(date),
            Task::Start(date) => world.witness.begin_start(date),
            _ => {}
        }
        world.people[p].run = Some(run);
        Some(())
    }

    fn effect(&self, id: AccountId, account: &Account) -> Effect {
        let touches = id == SERVICE || self.variant == Variant::TemporaryEndsRetrieval;
        match account.password.temporary {
            true if touches => Effect::EndsRetrieval,
            false if id != SERVICE && !account.signed_in => Effect::HandsOver,
            _ => Effect::None,
        }
    }

    /// Reads the session with its account and the credential, and checks the current password.
    pub(crate) fn read_session(&self, world: &mut World, p: usize) -> Option<()> {
        let task = world.people[p].run.as_ref()?.task;
        let session = self.token(world, p).and_then(|token| world.table.session(token)).copied();
        let session = session.filter(|session| session.is_good(self.variant, &world.table));
        let Some(session) = session else {
            world.witness.record(Situation::RefusedAsRemoved);
            world.people[p].give_up();
            return Some(());
        };
        let account = world.table.accounts[session.account]?;
        let asked = session.full && self.variant != Variant::CurrentPasswordNotAsked;
        let wrong = asked && !self.knows(p, session.account, &account.password);
        let acts = task != Task::Choose;
        let may_act = session.account != SERVICE && (account.is_proven() && session.full);
        let allowed = !acts || may_act || (self.variant == Variant::TemporaryActs && session.account != SERVICE);
        let own = matches!(task, Task::Reset(id) | Task::Remove(id) if id == session.account);
        if wrong || !allowed || (own && self.variant != Variant::OwnAccountRemoved) {
            world.people[p].give_up();
            return Some(());
        }
        let credential = world.table.credential.map(|credential| (credential.seq, credential.issue));
        let hands_over = task == Task::Choose && session.account != SERVICE && !account.signed_in;
        let retires = hands_over && world.table.may_retire();
        let run = world.people[p].run.as_mut()?;
        (run.session, run.credential) = (Some(session), credential);
        (run.hands_over, run.retires) = (hands_over, retires);
        Some(())
    }

    pub(crate) fn read_credential(&self, world: &mut World, p: usize) -> Option<()> {
        let Some(credential) = world.table.credential else {
            world.people[p].give_up();
            return Some(());
        };
        let may_retire = world.table.may_retire();
        let run = world.people[p].run.as_mut()?;
        run.credential = Some((credential.seq, credential.issue));
        run.retires = may_retire && run.hands_over;
        // Only the first sign-in of an issue ends its retrievals.
        if run.effect == Effect::EndsRetrieval && credential.signed_in {
            run.effect = Effect::None;
        }
        let ended = credential.ended.is_some() && self.variant != Variant::EndNotInTransactions;
        if ended && !matches!(run.task, Task::SignIn(_)) {
            world.people[p].give_up();
        }
        Some(())
    }

    pub(crate) fn read_target(world: &mut World, p: usize) -> Option<()> {
        let run = world.people[p].run.as_mut()?;
        let (Task::Reset(id) | Task::Remove(id)) = run.task else { return None };
        let account = world.table.accounts[id];
        let closed = account.is_some_and(|account| account.status != Status::Active);
        let nothing = closed && matches!(run.task, Task::Remove(_));
        match account.filter(|_| !nothing) {
            Some(account) => run.target = Some(account.version),
            None => world.people[p].give_up(),
        }
        Some(())
    }

    pub(crate) fn read_life(&self, world: &mut World, p: usize) -> Option<()> {
        let run = world.people[p].run.as_mut()?;
        run.life = Some(world.table.life);
        run.early = world.table.credential.filter(|_| self.variant == Variant::LifeReadLast);
        Some(())
    }

    /// Reads what an event or the schedule decides on, and goes on where nothing is to be written.
    pub(crate) fn read_everything(&self, world: &mut World, p: usize) -> Option<()> {
        let Table { credential, life, ref accounts, ref purges, .. } = world.table;
        let is_active = |id: &AccountId| accounts[*id].is_some_and(|account| account.status == Status::Active);
        let open = || (0..accounts.len()).filter(is_active).collect();
        let purge = purges.first().copied();
        let run = world.people[p].run.as_mut()?;
        if run.ended.is_some() {
            run.listed = Some(open());
            return Some(());
        }
        if self.variant == Variant::ListedBeforeEnd {
            // A lost race does not make it list them again.
            run.listed.get_or_insert_with(|| (1..accounts.len()).filter(is_active).collect());
        }
        let (life, credential) = match self.variant {
            Variant::LifeReadLast => (life, run.early),
            _ => (run.life?, credential),
        };
        run.seen = Some(View { credential, life, purge });
        let decision = self.decide_event(&run.clone());
        match decision {
            Decision::Write(..) => {}
            Decision::Next(next) => self.continue_run(world, p, next)?,
            Decision::GiveUp => {
                world.witness.record(Situation::StartWaited);
                world.people[p].give_up();
            }
        }
        Some(())
    }

    /// Goes on with an event or the schedule.
    fn continue_run(&self, world: &mut World, p: usize, next: Next) -> Option<()> {
        let run = world.people[p].run.as_mut()?;
        run.attempt = 1;
        match next {
            Next::Close(_) if self.variant == Variant::AcknowledgedEarly => return world.acknowledge(p),
            Next::Acknowledge => return world.acknowledge(p),
            Next::Close(ended) if run.ended == Some(ended) => {
                run.listed.as_mut()?.remove(0);
            }
            Next::Close(ended) => (run.life, run.seen, run.ended) = (None, None, Some(ended)),
            Next::Purge => (run.life, run.seen, run.step) = (None, None, run.step + 1),
        }
        Some(())
    }

    /// Derives the write from what the invocation read.
    fn derive_write(&self, run: &Run, p: usize) -> Option<Write> {
        if run.is_event() {
            let Decision::Write(write, _) = self.decide_event(run) else { return None };
            return Some(write);
        }
        let unseen = People::default();
        Some(match run.task {
            Task::SignIn(_) => match (run.effect, run.credential) {
                (Effect::EndsRetrieval, Some((seq, _))) => Write::EndRetrieval { session: run.session?, seq },
                (Effect::HandsOver, Some((seq, _))) => {
                    Write::HandOver { session: run.session?, seq, retires: run.retires }
                }
                _ => Write::Session(run.session?),
            },
            Task::Choose => {
                let session = run.session?;
                let (version, since) = (session.version + 1, session.since + 1);
                let next = Session { token: run.click, version, full: true, since, ..session };
                let password = run.new_password(false, unseen.with(p));
                Write::Choose { session, next, password, seq: run.credential?.0, retires: run.retires }
            }
            Task::Add(id) => {
                let chosen = self.variant == Variant::AddedWithPassword;
                let seen_by = if chosen { self.scope.owner(id).with(p) } else { unseen };
                let password = run.new_password(!chosen, seen_by);
                Write::Add { session: run.session?, id, password, by: p, seq: run.credential?.0 }
            }
            Task::Reset(id) => {
                let password = run.new_password(true, unseen);
                Write::Reset { session: run.session?, id, version: run.target?, password, seq: run.credential?.0 }
            }
            Task::Remove(id) => {
                Write::Remove { session: run.session?, id, version: run.target?, seq: run.credential?.0 }
            }
            Task::Reissue => {
                let (seq, issue) = run.credential?;
                Write::Reissue { seq, issue, password: run.password() }
            }
            Task::End(_) | Task::Start(_) | Task::Purge => return None,
        })
    }

    /// Carries the write out and delivers its answer.
    pub(crate) fn deliver_answer(&self, world: &mut World, p: usize) -> Option<()> {
        let run = world.people[p].run.clone()?;
        let write = self.derive_write(&run, p)?;
        let outcome = self.carry_out(world, write);
        match outcome {
            // The accounts are closed by another delivery, and the subscription has started again.
            Outcome::LostRace if run.ended.is_some() => return world.acknowledge(p),
            Outcome::LostRace => return self.retry_lost_race(world, p),
            _ if run.is_event() => {
                let Decision::Write(_, next) = self.decide_event(&run) else { return None };
                return self.continue_run(world, p, next);
            }
            _ => {}
        }
        match (write, outcome) {
            (_, Outcome::SessionEnded) => world.witness.record(Situation::RefusedAsRemoved),
            (Write::Add { id, password, .. } | Write::Reset { id, password, .. }, Outcome::Done) => {
                world.show(p, id, &password);
            }
            (Write::Add { id, password, .. }, Outcome::DoneBefore) => {
                let own = world.table.accounts[id].is_some_and(|stored| stored.password.is_same(&password));
                if own || self.variant == Variant::ShownUnstored {
                    world.show(p, id, &password);
                } else {
                    world.witness.record(Situation::NotShown);
                }
            }
            (
                Write::Session(session)
                | Write::EndRetrieval { session, .. }
                | Write::HandOver { session, .. }
                | Write::Choose { next: session, .. },
                _,
            ) => world.people[p].token = Some(session.token),
            _ => {}
        }
        world.people[p].give_up();
        Some(())
    }

    /// Loses the answer: the request was carried out, or is still under way. The SDK sends it again, or gives up.
    pub(crate) fn lose_answer(&self, world: &mut World, p: usize, under_way: bool) -> Option<()> {
        let write = self.derive_write(world.people[p].run.as_ref()?, p)?;
        if under_way {
            world.late.push(write);
            world.late.sort_unstable();
        } else {
            self.carry_out(world, write);
        }
        let run = world.people[p].run.as_mut()?;
        run.attempt += 1;
        if run.attempt > self.scope.attempts {
            world.people[p].give_up();
        }
        Some(())
    }

    /// Reads and decides again after a lost race; the session stays as it was found. A sign-in goes on only with the account that it
    /// verified.
    fn retry_lost_race(&self, world: &mut World, p: usize) -> Option<()> {
        let run = world.people[p].run.as_mut()?;
        run.races += 1;
        run.attempt = 1;
        (run.credential, run.target, run.life, run.seen) = (None, None, None, None);
        if run.races >= self.scope.races {
            world.people[p].give_up();
        }
        Some(())
    }
}

impl World {
    /// Shows a temporary password to the person who asked for it.
    fn show(&mut self, p: usize, id: AccountId, password: &Password) {
        self.witness.observe_shown(password);
        self.update_account(id, |account| {
            if account.password.is_same(password) {
                account.password.seen_by = account.password.seen_by.with(p);
            }
        });
    }

    /// Ends an event that is handled.
    fn acknowledge(&mut self, p: usize) -> Option<()> {
        match self.people[p].run.as_ref()?.task {
            Task::End(date) => self.witness.acknowledge_end(date),
            Task::Start(date) => self.witness.acknowledge_start(date),
            _ => {}
        }
        self.people[p].give_up();
        Some(())
    }
}
