//! The steps of an invocation between its writes.

use super::next_issue::Cause;
use super::table::{Account, Click, CreatedBy, Credential, Outcome, SERVICE, Session, Status, Time, Write};
use super::{AccountModel, Action, Person, Task, Variant, World};

/// One invocation. An item that is `None` has not been read yet, or is not needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    task: Task,
    pub(crate) asked_at: Time,
    /// The current issue when the invocation began; only the witness reads it.
    pub(crate) began_in: u8,
    /// The issue that a renewal read first.
    pub(crate) first_read: Option<u8>,
    /// The session to write, for a sign-in; the session of the request, for a reset or a creation.
    session: Option<Session>,
    pub(crate) account: Option<Account>,
    pub(crate) credential: Option<Credential>,
    /// Whether the service administrator may be retired.
    pub(crate) service: Option<bool>,
    attempt: u8,
    races: u8,
    /// Whether the first of two writes was carried out, in the mutants that write twice.
    half_done: bool,
}

/// The items that must be read before the write can be derived.
#[derive(Clone, Copy)]
struct Needs {
    account: bool,
    credential: bool,
    service: bool,
}

impl Run {
    fn new(task: Task, asked_at: Time, began_in: u8) -> Self {
        let (session, account, credential, service, first_read) = (None, None, None, None, None);
        let (attempt, races, half_done) = (1, 0, false);
        Self { task, asked_at, began_in, first_read, session, account, credential, service, attempt, races, half_done }
    }

    fn needs(&self) -> Needs {
        let (no_account, credential) = (self.account.is_none(), self.credential.is_none());
        let nothing_more = Needs { account: no_account, credential: false, service: false };
        match (self.task, &self.account) {
            (Task::SignIn(_), Some(account)) if account.temporary.is_some() => Needs { credential, ..nothing_more },
            (Task::SignIn(id), Some(account)) if id != SERVICE && !account.first_signed_in => {
                Needs { credential, service: !credential && self.service.is_none(), ..nothing_more }
            }
            (Task::SignIn(_), _) => nothing_more,
            (Task::Reset | Task::Create(_), _) => Needs { credential, ..nothing_more },
            (Task::Reissue(_) | Task::Renew | Task::Paid | Task::Close, _) => {
                Needs { account: no_account && !credential, credential, ..nothing_more }
            }
        }
    }

    /// Returns whether no write follows this one; only the mutants that write twice have a second.
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
        self.service == Some(true)
    }
}

impl AccountModel {
    pub(crate) fn person_actions(&self, world: &World, p: usize, actions: &mut Vec<Action>) {
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

    /// Begins a task. A sign-in reads the account and verifies the password; without a verified password it would write nothing. Any
    /// other task reads its session's item first, which never changes.
    pub(crate) fn begin(&self, world: &mut World, p: usize, task: Task) -> Option<()> {
        let began_in = if task == Task::Renew { world.table.credential.issue } else { 0 };
        let mut run = Run::new(task, world.now, began_in);
        match task {
            Task::SignIn(id) => {
                run.account = world.table.accounts[id];
                run.session = Some(Session::begin(self.variant, world.click(p), id, &run.account?, world.now));
            }
            Task::Reset | Task::Create(_) => run.session = world.people[p].current_session(&world.table).copied(),
            Task::Reissue(_) | Task::Renew | Task::Paid | Task::Close => {}
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
        self.check_session(world, p)
    }

    pub(crate) fn read_credential(&self, world: &mut World, p: usize) -> Option<()> {
        let credential = world.table.credential;
        let run = world.people[p].run.as_mut()?;
        run.credential = Some(credential);
        match run.task {
            Task::SignIn(_) => {
                let temporary = run.account?.temporary;
                if temporary.is_some_and(|temporary| temporary.issue != credential.issue) {
                    self.retry_lost_race(world, p)?;
                }
            }
            Task::Reissue(issue) if credential.issue != issue => world.people[p].give_up(),
            Task::Renew => self.decide_renewal(world, p)?,
            Task::Paid => self.decide_paid(world, p)?,
            Task::Reset | Task::Create(_) | Task::Reissue(_) | Task::Close => {}
        }
        self.check_session(world, p)
    }

    /// Refuses a request without a good session. It is checked once, when account and credential have been read.
    fn check_session(&self, world: &mut World, p: usize) -> Option<()> {
        let Some(Run { task: Task::Reset | Task::Create(_), asked_at, races: 0, session, account, credential, .. }) =
            &world.people[p].run
        else {
            return Some(());
        };
        let (Some(account), Some(_)) = (account, credential) else { return Some(()) };
        if !session.as_ref()?.is_good(self.variant, account, *asked_at) {
            let click = world.click(p);
            world.observe_refusal(click, false);
            world.people[p].give_up();
        }
        Some(())
    }

    pub(crate) fn deliver_answer(&self, world: &mut World, p: usize) -> Option<()> {
        let write = self.derive_write(world, p)?;
        let click = world.click(p);
        let last = world.people[p].run.as_ref()?.is_last_write(self.variant, write);
        match world.carry_out(self.variant, write) {
            Outcome::Done if !last => {
                let run = world.people[p].run.as_mut()?;
                run.half_done = true;
                run.attempt = 1;
                // The history's count has moved on.
                run.credential = Some(world.table.credential);
            }
            Outcome::Done if matches!(write, Write::NextIssue(_)) => {
                if world.people[p].run.as_ref()?.task == Task::Renew {
                    world.answer_renewal(p)?;
                } else {
                    world.people[p].give_up();
                }
            }
            Outcome::Done => {
                let person = &mut world.people[p];
                if !matches!(write, Write::Create { .. } | Write::Close { .. }) {
                    person.token = Some(click);
                }
                person.give_up();
            }
            refused @ (Outcome::Ended | Outcome::NameTaken) => {
                world.witness.name_taken |= refused == Outcome::NameTaken;
                let done = world.was_done(write, click);
                world.observe_refusal(click, done);
                world.people[p].give_up();
            }
            Outcome::LostRace => self.retry_lost_race(world, p)?,
        }
        Some(())
    }

    /// Starts over after a lost race: a task within a session reads the credential again, any other task everything.
    fn retry_lost_race(&self, world: &mut World, p: usize) -> Option<()> {
        let run = world.people[p].run.as_mut()?;
        run.races += 1;
        if run.races == self.scope.races {
            world.people[p].give_up();
            return Some(());
        }
        run.attempt = 1;
        run.credential = None;
        if !matches!(run.task, Task::Reset | Task::Create(_)) {
            run.account = None;
            run.service = None;
        }
        Some(())
    }

    /// Handles a missing answer: the SDK sends the same request again, or gives up.
    pub(crate) fn send_again(&self, world: &mut World, p: usize) -> Option<()> {
        let run = world.people[p].run.as_mut()?;
        run.attempt += 1;
        if run.attempt > self.scope.attempts {
            world.people[p].give_up();
        }
        Some(())
    }

    /// Derives the write from the items that were read.
    pub(crate) fn derive_write(&self, world: &World, p: usize) -> Option<Write> {
        let run = world.people[p].run.as_ref()?;
        Some(match run.task {
            Task::SignIn(id) => self.derive_sign_in_write(run, id)?,
            Task::Reset => {
                let (session, next) = (run.session?, run.session?.after_reset(world.click(p)));
                Write::Reset { session, next, asked_at: run.asked_at, seq: run.credential?.seq }
            }
            Task::Create(account) => {
                let session = run.session?;
                let by = CreatedBy { creator: session.account, person: p };
                Write::Create { session, account, by, seq: run.credential?.seq }
            }
            Task::Reissue(_) => self.derive_next_issue(run, Cause::Reissue)?,
            Task::Renew => self.derive_next_issue(run, Cause::Renewal)?,
            Task::Paid => self.derive_next_issue(run, Cause::Paid)?,
            Task::Close => Write::Close { version: run.account?.version, seq: run.credential?.seq },
        })
    }

    fn derive_sign_in_write(&self, run: &Run, id: usize) -> Option<Write> {
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
    /// Ends the invocation, with or without an answer, and moves on to the next task.
    pub(crate) fn give_up(&mut self) {
        self.run = None;
        self.done += 1;
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        self.run.as_ref()?.session.as_ref()
    }

    pub(crate) fn current_session<'a>(&self, table: &'a super::Table) -> Option<&'a Session> {
        table.session(self.token?)
    }
}

impl World {
    pub(crate) fn click(&self, p: usize) -> Click {
        Click { person: p, task: self.people[p].done }
    }

    fn may_begin(&self, p: usize, task: Task) -> bool {
        let session = self.people[p].current_session(&self.table);
        match task {
            Task::SignIn(id) => self.table.accounts[id].is_some_and(|account| account.may_sign_in(self.now)),
            Task::Reset => session.is_some(),
            Task::Create(_) => session.is_some_and(|session| session.temporary.is_none()),
            Task::Reissue(_) | Task::Renew | Task::Paid => true,
            Task::Close => self.table.has_first_sign_in() && self.table.service().status == Status::Active,
        }
    }

    /// Returns whether this attempt of the click, or another one, has done what `write` was to do.
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

    pub(crate) fn has_void_session_under_way(&self) -> bool {
        self.late.iter().any(|late| match late {
            Write::Session(session) => {
                self.table.accounts[session.account].is_some_and(|account| session.version < account.version)
            }
            _ => false,
        })
    }

    /// Returns whether the retirement is about to be written, in the mutants that write twice.
    pub(crate) fn has_retirement_under_way(&self) -> bool {
        let under_way = |late: &Write| matches!(late, Write::HandOver { retires: true, .. });
        let half_done = |person: &Person| person.run.as_ref().is_some_and(|run| run.half_done);
        self.late.iter().any(under_way) || self.people.iter().any(half_done)
    }
}
