//! What an invocation does between its writes.

use super::table::{Account, Click, CreatedBy, Credential, Outcome, SERVICE, Session, Status, Time, Write};
use super::{Accounts, Action, Person, Task, Variant, World};

/// One invocation. What is `None` is still to be read, or is not needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    task: Task,
    asked_at: Time,
    /// Of a sign-in the one to be written, of a reset or a creation the one that it happens in.
    session: Option<Session>,
    account: Option<Account>,
    credential: Option<Credential>,
    pub(crate) service: Option<Status>,
    attempt: u8,
    races: u8,
    /// The first of two writes is carried out, in the mutants that write twice.
    half_done: bool,
}

/// What is needed before a write can be made.
#[derive(Clone, Copy)]
struct Needs {
    account: bool,
    credential: bool,
    service: bool,
}

impl Run {
    fn new(task: Task, asked_at: Time) -> Self {
        let (session, account, credential, service) = (None, None, None, None);
        Self { task, asked_at, session, account, credential, service, attempt: 1, races: 0, half_done: false }
    }

    fn needs(&self) -> Needs {
        let (account, credential) = (self.account.is_none(), self.credential.is_none());
        let nothing_more = Needs { account, credential: false, service: false };
        match (self.task, &self.account) {
            (Task::SignIn(_), Some(of)) if of.temporary.is_some() => Needs { credential, ..nothing_more },
            (Task::SignIn(id), Some(of)) if id != SERVICE && !of.first_signed_in => {
                Needs { credential, service: !credential && self.service.is_none(), ..nothing_more }
            }
            (Task::SignIn(_), _) => nothing_more,
            (Task::Reset | Task::Create(_), _) => Needs { credential, ..nothing_more },
            (Task::Reissue(_), _) => Needs { account: account && !credential, credential, ..nothing_more },
        }
    }

    /// Both writes of a mutant that writes twice, or the one that there is.
    fn is_last_write(&self, variant: Variant, write: Write) -> bool {
        self.half_done
            || !match variant {
                Variant::SessionBeforeRetrievalEnds => {
                    matches!(write, Write::Session(Session { temporary: Some(_), .. }))
                        && self.credential.is_some_and(|credential| !credential.signed_in)
                }
                Variant::RetireThenSignIn => matches!(write, Write::HandOver { signs_in: false, .. }),
                Variant::SignInThenRetire => matches!(write, Write::HandOver { .. }) && self.retires(),
                _ => false,
            }
    }

    fn retires(&self) -> bool {
        self.service == Some(Status::Active)
    }
}

impl Accounts {
    pub(crate) fn actions_of(&self, world: &World, p: usize, actions: &mut Vec<Action>) {
        let person = &world.people[p];
        let Some(run) = &person.run else {
            let next = self.scope.people[p].get(person.done).filter(|task| world.may_begin(p, **task));
            actions.extend(next.map(|task| Action::Begin(p, *task)));
            return;
        };
        let needs = run.needs();
        let reads = [
            (needs.account, Action::ReadAccount(p)),
            (needs.credential, Action::ReadCredential(p)),
            (needs.service, Action::ReadServiceAdministrator(p)),
        ];
        let reads = reads.into_iter().filter_map(|(needed, read)| needed.then_some(read));
        let before = actions.len();
        actions.extend(reads);
        if actions.len() == before {
            actions.extend([Action::Committed(p), Action::AnswerLost(p), Action::Crash(p)]);
            if world.late.len() < self.scope.late_writes {
                actions.push(Action::Delayed(p));
            }
        }
    }

    /// A sign-in reads the account and verifies; whatever else comes of it than a verified password writes nothing. Within a session
    /// its item is read first, which never changes.
    pub(crate) fn begin(&self, world: &mut World, p: usize, task: Task) -> Option<()> {
        let mut run = Run::new(task, world.now);
        match task {
            Task::SignIn(id) => {
                run.account = world.table.accounts[id];
                run.session = Some(Session::begin(self.variant, world.click(p), id, &run.account?, world.now));
            }
            Task::Reset | Task::Create(_) => run.session = world.people[p].session_in(&world.table).copied(),
            Task::Reissue(_) => {}
        }
        world.people[p].run = Some(run);
        Some(())
    }

    pub(crate) fn read_account(&self, world: &mut World, p: usize) -> Option<()> {
        let run = world.people[p].run.as_ref()?;
        let account = world.table.accounts[run.session.map_or(SERVICE, |session| session.account)];
        if let (Task::SignIn(_), Some(session)) = (run.task, run.session) {
            let same = self.variant == Variant::RereadNotCompared || account?.version == session.version;
            if !same {
                world.people[p].give_up();
                return Some(());
            }
        }
        world.people[p].run.as_mut()?.account = account;
        self.look_at_session(world, p)
    }

    pub(crate) fn read_credential(&self, world: &mut World, p: usize) -> Option<()> {
        let credential = world.table.credential;
        let run = world.people[p].run.as_mut()?;
        run.credential = Some(credential);
        match run.task {
            Task::SignIn(_) => {
                let temporary = run.account?.temporary;
                if temporary.is_some_and(|temporary| temporary.issue != credential.issue) {
                    self.lost_race(world, p)?;
                }
            }
            Task::Reissue(issue) if credential.issue != issue => world.people[p].give_up(),
            Task::Reset | Task::Create(_) | Task::Reissue(_) => {}
        }
        self.look_at_session(world, p)
    }

    /// Who has no good session goes no further; seen when all of it has been read, and once.
    fn look_at_session(&self, world: &mut World, p: usize) -> Option<()> {
        let Some(Run { task: Task::Reset | Task::Create(_), asked_at, races: 0, session, account, credential, .. }) =
            &world.people[p].run
        else {
            return Some(());
        };
        let (Some(account), Some(_)) = (account, credential) else { return Some(()) };
        if !session.as_ref()?.is_good(self.variant, account, *asked_at) {
            let click = world.click(p);
            world.witness_refusal(click, false);
            world.people[p].give_up();
        }
        Some(())
    }

    pub(crate) fn committed(&self, world: &mut World, p: usize) -> Option<()> {
        let write = self.write_of(world, p)?;
        let click = world.click(p);
        let last = world.people[p].run.as_ref()?.is_last_write(self.variant, write);
        match world.carry_out(self.variant, write) {
            Outcome::Done if !last => {
                let run = world.people[p].run.as_mut()?;
                run.half_done = true;
                run.attempt = 1;
                // The count of the history has gone on.
                run.credential = Some(world.table.credential);
            }
            Outcome::Done => {
                let person = &mut world.people[p];
                if !matches!(write, Write::Create { .. } | Write::Reissue { .. }) {
                    person.token = Some(click);
                }
                person.give_up();
            }
            refused @ (Outcome::Ended | Outcome::NameTaken) => {
                world.witness.name_taken |= refused == Outcome::NameTaken;
                let done = world.was_done(write, click);
                world.witness_refusal(click, done);
                world.people[p].give_up();
            }
            Outcome::LostRace => self.lost_race(world, p)?,
        }
        Some(())
    }

    /// Look again: a sign-in at everything, a reissue too, what happens in a session at the credential alone.
    fn lost_race(&self, world: &mut World, p: usize) -> Option<()> {
        let run = world.people[p].run.as_mut()?;
        run.races += 1;
        if run.races == self.scope.races {
            world.people[p].give_up();
            return Some(());
        }
        run.attempt = 1;
        run.credential = None;
        if matches!(run.task, Task::SignIn(_) | Task::Reissue(_)) {
            run.account = None;
            run.service = None;
        }
        Some(())
    }

    /// No answer: the SDK sends the same request again, or gives up.
    pub(crate) fn send_again(&self, world: &mut World, p: usize) -> Option<()> {
        let run = world.people[p].run.as_mut()?;
        run.attempt += 1;
        if run.attempt > self.scope.attempts {
            world.people[p].give_up();
        }
        Some(())
    }

    /// The write that follows from what was read.
    pub(crate) fn write_of(&self, world: &World, p: usize) -> Option<Write> {
        let run = world.people[p].run.as_ref()?;
        Some(match run.task {
            Task::SignIn(id) => self.write_of_sign_in(run, id)?,
            Task::Reset => {
                let (session, next) = (run.session?, run.session?.after_reset(world.click(p)));
                Write::Reset { session, next, asked_at: run.asked_at, seq: run.credential?.seq }
            }
            Task::Create(account) => {
                let session = run.session?;
                let by = CreatedBy { creator: session.account, person: p };
                Write::Create { session, account, by, seq: run.credential?.seq }
            }
            Task::Reissue(issue) => {
                let Credential { seq, retrievals, .. } = run.credential?;
                Write::Reissue { issue, version: run.account?.version, seq, retrievals, asked_at: run.asked_at }
            }
        })
    }

    fn write_of_sign_in(&self, run: &Run, id: usize) -> Option<Write> {
        let (session, account) = (run.session?, run.account?);
        if let Some(temporary) = account.temporary {
            let Credential { seq, retrievals, signed_in, .. } = run.credential?;
            let session_first = self.variant == Variant::SessionBeforeRetrievalEnds && !run.half_done;
            if signed_in || session_first {
                return Some(Write::Session(session));
            }
            let (issue, version) = (temporary.issue, account.version);
            return Some(Write::EndRetrieval { session, issue, version, seq, retrievals });
        }
        if id == SERVICE || account.first_signed_in {
            return Some(Write::Session(session));
        }
        let (seq, retires) = (run.credential?.seq, run.retires());
        let (signs_in, retires) = match self.variant {
            Variant::RetireThenSignIn => (run.half_done || !retires, retires && !run.half_done),
            Variant::SignInThenRetire => (!run.half_done, run.half_done),
            _ => (true, retires),
        };
        Some(Write::HandOver { session, seq, signs_in, retires })
    }
}

impl Person {
    /// On to the next task; also after an answer.
    pub(crate) fn give_up(&mut self) {
        self.run = None;
        self.done += 1;
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        self.run.as_ref()?.session.as_ref()
    }

    pub(crate) fn session_in<'a>(&self, table: &'a super::Table) -> Option<&'a Session> {
        table.session(self.token?)
    }
}

impl World {
    pub(crate) fn click(&self, p: usize) -> Click {
        Click { person: p, task: self.people[p].done }
    }

    fn may_begin(&self, p: usize, task: Task) -> bool {
        let session = self.people[p].session_in(&self.table);
        match task {
            Task::SignIn(id) => self.table.accounts[id].is_some_and(|account| account.may_sign_in(self.now)),
            Task::Reset => session.is_some(),
            Task::Create(_) => session.is_some_and(|session| session.temporary.is_none()),
            Task::Reissue(_) => true,
        }
    }

    /// Whether the click has done what `write` was to do, by this attempt or by another.
    fn was_done(&self, write: Write, click: Click) -> bool {
        match write {
            Write::Create { account, by, .. } => {
                self.table.accounts[account].is_some_and(|account| account.created_by == Some(by))
            }
            _ => self.table.session(click).is_some(),
        }
    }

    pub(crate) fn has_good_session(&self, id: usize, variant: Variant) -> bool {
        let account = self.table.accounts[id].as_ref();
        self.table.sessions.iter().any(|session| {
            session.account == id && account.is_some_and(|account| session.is_good(variant, account, self.now))
        })
    }

    pub(crate) fn has_session_under_way_from_before(&self) -> bool {
        self.late.iter().any(|late| match late {
            Write::Session(session) => {
                self.table.accounts[session.account].is_some_and(|account| session.version < account.version)
            }
            _ => false,
        })
    }

    /// In the mutants that write twice: somebody is about to.
    pub(crate) fn retirement_is_under_way(&self) -> bool {
        let under_way = |late: &Write| matches!(late, Write::HandOver { retires: true, .. });
        let half_done = |person: &Person| person.run.as_ref().is_some_and(|run| run.half_done);
        self.late.iter().any(under_way) || self.people.iter().any(half_done)
    }
}
