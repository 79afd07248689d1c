//! Models the administrators of a subscription who add, help and remove each other, its end, a later start, and the purge.
//!
//! Administrators, the support desk, the vendor's events and the schedule do [`Task`]s, each person one after the other and all of them
//! concurrently. A task becomes one invocation ([`Run`](process::Run)): it reads, decides, and sends one atomic [`Write`] after the
//! other. An attempt ends in one of three actions: `Committed` (carried out and answered), `AnswerLost` (carried out, but the SDK
//! retries or gives up) or `Delayed` (`LateWrite` carries it out at any later time, or never, which is a lost request). The invocation
//! may also crash before each write. After a lost race it reads credential and target again, and goes on with the session as it found it.
//!
//! - **People** sign in with passwords that they know: those that they have chosen, and temporary ones that a colleague was shown and handed
//!   over. A thief uses another person's session and knows no password.
//! - **Events** have a date, which the vendor gives, and arrive in any order and again. An event is acknowledged when nothing is left to do.
//! - **Time** passes in ticks: the purge of an ended subscription is due after one, and its lease ends after one. Sessions do not outlive a
//!   tick, since the purge is due after 400 days, except where [`Scope::sessions_last`] makes it early.
//!
//! The model has what invariants 14 to 16 of the design are about. The budgets of the current password are those of a sign-in
//! (`attempts.rs`), expiry is that of the service administrator's temporary password (`account.rs`), and the history's number is the lock of
//! every transaction here, as its entries are checked elsewhere (`account.rs`, `desk.rs`). A late copy of a deletion is left out: it would
//! need a start within seconds of the purge.

mod act;
mod life;
mod process;
mod table;
mod tests;
mod witness;

use stateright::{Model, Property};

use process::{Person, Run};
use table::{
    Account, AccountId, Click, Credential, Date, Life, Password, People, SERVICE, Session, Status, Table, Time, Write,
};
use witness::{Situation, Witness};

/// The protocol, or a change of it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Design,
    /// A removal does not check the account of the one who removes.
    RemoverNotChecked,
    /// A reset does not check the account of the one who resets.
    HelperNotChecked,
    /// An administrator may remove their own account.
    OwnAccountRemoved,
    /// A session that began with a temporary password may do everything.
    TemporaryActs,
    /// The current password is not asked for.
    CurrentPasswordNotAsked,
    /// Neither a removal nor a reset increments the version.
    VersionNotAdded,
    /// A sign-in does not check the status of the account, nor does the lookup of a session.
    StatusNotCompared,
    /// A temporary password of an administrator need not be changed.
    TemporaryIsFull,
    /// The one who adds an administrator chooses the password.
    AddedWithPassword,
    /// The sign-in with an administrator's temporary password ends the retrievals of the issue.
    TemporaryEndsRetrieval,
    /// The choice of an administrator's password is recorded on the credential.
    ChoiceMarksChanged,
    /// A click that was carried out before shows the password that it has just generated.
    ShownUnstored,
    /// The removal of the service administrator leaves the account active.
    ServiceNotRemoved,
    /// The lookup of a session does not ask whether the subscription has ended.
    EndNotInLookup,
    /// Transactions do not check that the subscription has not ended.
    EndNotInTransactions,
    /// The end leaves the sealed password, and a retrieval does not ask for the end.
    RetrievableAfterEnd,
    /// The end is acknowledged after its first transaction.
    AcknowledgedEarly,
    /// The accounts to close are listed before the end is written, and not again after a lost race.
    ListedBeforeEnd,
    /// The transactions that close accounts do not check that the subscription is still ended by the same event.
    ClosingNotChecked,
    /// An end that is older than the start ends the subscription.
    OlderEndEnds,
    /// A start that is as old as the end, or older, starts the subscription again.
    OlderStartStarts,
    /// The writes of an event do not compare the life of the subscription with what they read.
    LifeNotCompared,
    /// An event reads the life after the credential.
    LifeReadLast,
    /// The end of a subscription that is not known yet is not recorded.
    UnknownEndForgotten,
    /// A start does not wait until all accounts are closed.
    StartBeforeClosed,
    /// A purge does not check that the subscription is still ended by the same event.
    PurgeEndNotCompared,
    /// A start does not wait for a purge that has begun.
    StartBesidePurge,
    /// A purge begins beside another one.
    PurgeBesidePurge,
    /// A purge deletes the credential before the rest.
    CredentialPurgedFirst,
    /// A purge deletes its own item before the rest.
    PurgeForgottenFirst,
    /// The lookup of a session compares the name of its account alone, and not its id.
    SessionByName,
}

/// A step of a person's script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    SignIn(AccountId),
    /// Chooses a password in the session that the person has.
    Choose,
    /// Adds an administrator. A person keeps the idempotency key for an account.
    Add(AccountId),
    Reset(AccountId),
    Remove(AccountId),
    /// The support desk starts the next issue.
    Reissue,
    End(Date),
    Start(Date),
    /// The schedule runs.
    Purge,
}

/// The state in which the exploration begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// No event has arrived.
    Unknown,
    /// The service administrator is retired, and this many administrators have chosen passwords and are signed in.
    Proven(usize),
    /// The same, after a reissue whose password waits to be used.
    Reissued(usize),
    /// The same, after an end of this date that has closed all accounts.
    Ended(usize, Date),
}

/// A person of the scope.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    /// The account that is the person's own. The vendor, the support desk and the schedule have none.
    pub(crate) owns: Option<AccountId>,
    /// The person whose session a thief uses.
    pub(crate) steals_from: Option<usize>,
    pub(crate) script: Vec<Task>,
}

/// The bounds of the exploration.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) start: Start,
    pub(crate) people: Vec<Actor>,
    /// The number of accounts, with that of the service administrator.
    pub(crate) accounts: usize,
    /// The number of times that the SDK sends a request.
    pub(crate) attempts: u8,
    /// The number of races that an invocation may lose before it gives up.
    pub(crate) races: u8,
    /// The largest number of abandoned requests under way.
    pub(crate) late_writes: usize,
    /// The tick at which the clock stops.
    pub(crate) last_tick: Time,
    /// Whether sessions outlive a tick, because an operator has moved the purge to the day of the end.
    pub(crate) sessions_last: bool,
}

impl Scope {
    /// Returns the person who owns an account, if the scope has them.
    pub(crate) fn owner(&self, id: AccountId) -> People {
        let owner = self.people.iter().position(|person| person.owns == Some(id));
        owner.map_or(People::default(), |owner| People::default().with(owner))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct TeamModel {
    pub(crate) variant: Variant,
    pub(crate) scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    now: Time,
    table: Table,
    people: Vec<Person>,
    /// Abandoned requests that are still under way, sorted.
    late: Vec<Write>,
    witness: Witness,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Begin(usize, Task),
    ReadSession(usize),
    ReadCredential(usize),
    ReadTarget(usize),
    ReadLife(usize),
    ReadEverything(usize),
    Committed(usize),
    AnswerLost(usize),
    Delayed(usize),
    Crash(usize),
    LateWrite(Write),
    Tick,
}

/// The date of the first start.
const FIRST: Date = 2;

impl Start {
    fn table(self, scope: &Scope) -> Table {
        let mut accounts = vec![None; scope.accounts];
        let (count, ended, reissued) = match self {
            Self::Unknown => {
                let (life, sessions, purges) = (Life::default(), Vec::new(), Vec::new());
                return Table { credential: None, life, accounts, sessions, purges };
            }
            Self::Proven(count) => (count, None, false),
            Self::Reissued(count) => (count, None, true),
            Self::Ended(count, date) => (count, Some(date), false),
        };
        let status = if ended.is_some() { Status::Closed } else { Status::Active };
        for (id, account) in accounts.iter_mut().enumerate().take(count + 1) {
            let seen_by = scope.owner(id);
            let temporary = id == SERVICE && reissued;
            let password = Password { made_by: Click::before(id), race: 0, temporary, seen_by };
            let status = if id == SERVICE && !reissued && ended.is_none() { Status::Retired } else { status };
            let (version, by) = (1 + u8::from(ended.is_some()), None);
            let signed_in = id != SERVICE;
            *account = Some(Account { own_id: 0, status, version, password, signed_in, by, changes: version });
        }
        let credential = Credential {
            issue: 1,
            seq: 1,
            sealed: reissued,
            signed_in: !reissued,
            changed: !reissued,
            ended,
            closed: ended.is_some(),
            purging: None,
        };
        let mut table = Table {
            credential: Some(credential),
            life: Life { started: FIRST, ended: ended.unwrap_or_default() },
            accounts,
            sessions: Vec::new(),
            purges: ended.map(|date| (date, table::PURGE_AFTER)).into_iter().collect(),
        };
        for (person, actor) in scope.people.iter().enumerate() {
            let own = actor.owns.filter(|id| *id != SERVICE && table.accounts[*id].is_some());
            if let Some(account) = own {
                let token = Click::before(person);
                table.put_session(Session { token, account, own_id: 0, version: 1, full: true, since: 1, era: 0 });
            }
        }
        table
    }
}

impl Model for TeamModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let table = self.scope.start.table(&self.scope);
        let person = |p| Person::new(table.session(Click::before(p)).map(|session| session.token));
        let witness = Witness::new(&table);
        let people = (0..self.scope.people.len()).map(person).collect();
        vec![World { now: 0, table, people, late: Vec::new(), witness }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for p in 0..world.people.len() {
            self.person_actions(world, p, actions);
        }
        let mut late = world.late.clone();
        late.dedup();
        actions.extend(late.into_iter().map(Action::LateWrite));
        if world.now < self.scope.last_tick {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Begin(p, task) => self.begin(&mut world, p, task)?,
            Action::ReadSession(p) => self.read_session(&mut world, p)?,
            Action::ReadCredential(p) => self.read_credential(&mut world, p)?,
            Action::ReadTarget(p) => Self::read_target(&mut world, p)?,
            Action::ReadLife(p) => self.read_life(&mut world, p)?,
            Action::ReadEverything(p) => self.read_everything(&mut world, p)?,
            Action::Committed(p) => self.deliver_answer(&mut world, p)?,
            Action::AnswerLost(p) => self.lose_answer(&mut world, p, false)?,
            Action::Delayed(p) => self.lose_answer(&mut world, p, true)?,
            Action::Crash(p) => world.people[p].give_up(),
            Action::LateWrite(write) => {
                let place = world.late.iter().position(|late| *late == write)?;
                world.late.remove(place);
                self.carry_out(&mut world, write);
            }
            Action::Tick => world.tick(self.scope.sessions_last),
        }
        self.observe(&mut world);
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = witness::properties();
        properties.extend([
            Property::sometimes(REFUSED_AS_REMOVED, |_, world: &World| {
                world.witness.has_seen(Situation::RefusedAsRemoved)
            }),
            Property::sometimes(SHOWN, |_, world: &World| world.witness.has_seen(Situation::Shown)),
            Property::sometimes(NOT_SHOWN, |_, world: &World| world.witness.has_seen(Situation::NotShown)),
            Property::sometimes(CHOSEN, |_, world: &World| world.witness.has_seen(Situation::Chosen)),
            Property::sometimes(OPENED_AGAIN, |_, world: &World| world.witness.has_seen(Situation::OpenedAgain)),
            Property::sometimes(SERVICE_REMOVED, |_, world: &World| world.witness.has_seen(Situation::ServiceRemoved)),
            Property::sometimes(ENDED, |_, world: &World| world.witness.is_end_acknowledged()),
            Property::sometimes(STARTED_AGAIN, |_, world: &World| world.witness.has_seen(Situation::StartedAgain)),
            Property::sometimes(START_WAITED, |_, world: &World| world.witness.has_seen(Situation::StartWaited)),
            Property::sometimes(PURGED, |_, world: &World| world.witness.has_seen(Situation::Purged)),
            Property::sometimes(STARTED_AFTER_PURGE, |_, world: &World| {
                world.witness.has_seen(Situation::StartedAfterPurge)
            }),
            Property::sometimes(PURGE_OVERTAKEN, |_, world: &World| world.witness.has_seen(Situation::PurgeOvertaken)),
        ]);
        properties
    }
}

pub(crate) const REFUSED_AS_REMOVED: &str = "an administrator who was removed or reset is refused";
pub(crate) const SHOWN: &str = "a temporary password is shown";
pub(crate) const NOT_SHOWN: &str = "a click that was carried out before shows no password";
pub(crate) const CHOSEN: &str = "an administrator replaces a temporary password";
pub(crate) const OPENED_AGAIN: &str = "a reset opens a closed account again";
pub(crate) const SERVICE_REMOVED: &str = "the service administrator whom a reissue has made active is removed";
pub(crate) const ENDED: &str = "an end is acknowledged";
pub(crate) const STARTED_AGAIN: &str = "the subscription starts again";
pub(crate) const START_WAITED: &str = "a start waits until the end is complete";
pub(crate) const PURGED: &str = "everything is purged";
pub(crate) const STARTED_AFTER_PURGE: &str = "the subscription starts again after it was purged";
pub(crate) const PURGE_OVERTAKEN: &str = "a purge finds that the subscription has started again";

impl World {
    /// Lets time pass that ends leases and, unless they last, sessions. A run of the purge is shorter than its lease.
    fn tick(&mut self, sessions_last: bool) {
        self.now += 1;
        if !sessions_last {
            self.table.sessions.clear();
        }
        self.late.retain(|late| !matches!(late, Write::Session(_)));
        for person in &mut self.people {
            if person.run.as_ref().is_some_and(|run: &Run| run.task == Task::Purge || run.is_sign_in()) {
                person.give_up();
            }
        }
    }
}
