//! Accounts (sign-in, reset-password, create-admin, and the reissue of the desk): sessions that a version ends, and the
//! hand-over from the service administrator to administrators.
//!
//! A person does [`Task`]s one after the other, with the cookie that the last answer brought; people do so beside one another.
//! A task becomes one invocation ([`Run`]): it reads items, each read a step, in any order where the code reads them at once, and
//! makes a [`Write`](table::Write) of what it read, which is carried out as one. What happens to an attempt is one of three actions: it is
//! `Committed` (carried out and answered), its `AnswerLost` (carried out, the SDK goes on) or it is `Delayed` (`LateWrite` carries
//! it out at any later time, or never, which is a lost request). A lost race is read and decided again.
//!
//! People know every password: signing in is a matter of what the account was when it was read. Time is ticks of one clock;
//! an invocation keeps the `now` that it began with, as the handlers do.

mod process;
mod table;
mod tests;
mod witness;
mod writes;

use stateright::{Model, Property};

use process::Run;
use table::{
    Account, AccountId, Click, CreatedBy, Credential, PASSWORD_LIFETIME, SERVICE, Status, Table, Temporary, Time, Write,
};
use witness::Witness;

/// The protocol, or a mistake that differs from it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Design,
    /// Sessions are not compared with the version of their account, at any place.
    VersionNotKept,
    /// A session gets the version that its account has when it is written, not when its password was verified.
    VersionAtPut,
    /// A reissue does not add one to the version.
    ReissueKeepsVersion,
    /// A reset does not ask for the version of its session.
    ResetVersionNotAsked,
    /// Nor whether the password is still the temporary one.
    SecondReset,
    /// A new account does not ask what its creator's is.
    CreatorNotChecked,
    /// After a lost race, a sign-in goes on with the account as it has become.
    RereadNotCompared,
    /// The end of retrieval does not ask whether the account is still what it was when its password was verified.
    AccountNotAsked,
    /// A session from a temporary password does not end with it.
    SessionOutlivesPassword,
    /// The commit of a reset does not ask for the expiry.
    ResetExpiryNotAsked,
    /// Neither does.
    ExpiryNowhere,
    /// The first sign-in of an administrator retires the service administrator, and then writes the session.
    RetireThenSignIn,
    /// The other way around.
    SignInThenRetire,
    /// The service administrator is retired when an administrator is created.
    RetiredAtCreation,
    /// The session is put before retrieval is ended.
    SessionBeforeRetrievalEnds,
    /// What an earlier attempt of the same click wrote counts as another's.
    OwnWriteNotRecognised,
    /// Transactions do not ask for the number of the last entry, and overwrite.
    SeqNotAsked,
    /// Nor for the number of retrievals that they move into the history.
    SizeNotAsked,
}

/// What a person does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    SignIn(AccountId),
    Reset,
    /// With a key that stays the same when the person asks for the same account again.
    Create(AccountId),
    /// The desk's; it names the issue that it replaces.
    Reissue(u8),
}

/// What has happened before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The first issue was begun.
    Issued,
    /// The service administrator has chosen a password and created so many administrators, who have not signed in.
    Administrators(usize),
}

/// How much of the world is explored.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) start: Start,
    /// What each person does.
    pub(crate) people: Vec<Vec<Task>>,
    /// How often the SDK sends a request.
    pub(crate) attempts: u8,
    /// How often somebody else may win before an invocation gives up.
    pub(crate) races: u8,
    /// Most requests under way that nobody waits for.
    pub(crate) late_writes: usize,
    /// The clock stops here.
    pub(crate) last_tick: Time,
    /// Most retrievals of an issue.
    pub(crate) retrievals: u8,
}

#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    pub(crate) variant: Variant,
    pub(crate) scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    now: Time,
    table: Table,
    people: Vec<Person>,
    /// Requests under way that nobody waits for, sorted.
    late: Vec<Write>,
    witness: Witness,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Person {
    /// The cookie.
    token: Option<Click>,
    /// Tasks that are over, whatever came of them.
    done: usize,
    run: Option<Run>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Begin(usize, Task),
    ReadAccount(usize),
    ReadCredential(usize),
    ReadServiceAdministrator(usize),
    Committed(usize),
    AnswerLost(usize),
    Delayed(usize),
    Crash(usize),
    LateWrite(Write),
    Retrieval,
    Tick,
}

impl Model for Accounts {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let tasks = self.scope.people.iter().flatten();
        let last = tasks.map(|task| if let Task::Create(id) | Task::SignIn(id) = *task { id } else { SERVICE }).max();
        let mut credential = Credential::issued(1, 1, 0);
        let mut service = Account::new(Some(Temporary { issue: 1, expires_at: credential.expires_at }), None);
        let mut created = 0;
        if let Start::Administrators(count) = self.scope.start {
            credential = Credential { sealed: false, signed_in: true, changed: true, ..credential };
            service.temporary = None;
            created = count;
        }
        let by = CreatedBy { creator: SERVICE, person: usize::MAX };
        let mut accounts = vec![Some(service)];
        accounts.resize(1 + created, Some(Account::new(None, Some(by))));
        accounts.resize(1 + created.max(last.unwrap_or(SERVICE)), None);
        vec![World {
            now: 0,
            table: Table { credential, accounts, sessions: Vec::new(), history: credential.seq },
            people: vec![Person::default(); self.scope.people.len()],
            late: Vec::new(),
            witness: Witness::with_entries(credential.seq),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for p in 0..world.people.len() {
            self.actions_of(world, p, actions);
        }
        let mut late = world.late.clone();
        late.dedup();
        actions.extend(late.into_iter().map(Action::LateWrite));
        let Credential { sealed, retrievals, expires_at, .. } = world.table.credential;
        if sealed && retrievals < self.scope.retrievals && world.now < expires_at {
            actions.push(Action::Retrieval);
        }
        if world.now < self.scope.last_tick {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Begin(p, task) => self.begin(&mut world, p, task)?,
            Action::ReadAccount(p) => self.read_account(&mut world, p)?,
            Action::ReadCredential(p) => self.read_credential(&mut world, p)?,
            Action::ReadServiceAdministrator(p) => {
                let status = world.table.service().status;
                world.people[p].run.as_mut()?.service = Some(status);
            }
            Action::Committed(p) => self.committed(&mut world, p)?,
            Action::AnswerLost(p) => {
                let write = self.write_of(&world, p)?;
                world.carry_out(self.variant, write);
                self.send_again(&mut world, p)?;
            }
            Action::Delayed(p) => {
                let write = self.write_of(&world, p)?;
                world.late.push(write);
                world.late.sort_unstable();
                self.send_again(&mut world, p)?;
            }
            Action::Crash(p) => world.people[p].give_up(),
            Action::LateWrite(write) => {
                let place = world.late.iter().position(|late| *late == write)?;
                world.late.remove(place);
                world.carry_out(self.variant, write);
            }
            Action::Retrieval => world.table.credential.retrievals += 1,
            Action::Tick => world.now += 1,
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = witness::properties();
        properties.extend([
            Property::sometimes(PASSWORD_CHOSEN, |_, world: &World| {
                world.table.sessions.iter().any(|session| session.account == SERVICE && session.temporary.is_none())
            }),
            Property::sometimes(SECOND_RESET_REFUSED, |_, world: &World| world.witness.second_reset_refused),
            Property::sometimes(NAME_TAKEN, |_, world: &World| world.witness.name_taken),
            Property::sometimes(TWO_STAND, |_, world: &World| world.table.accounts.iter().flatten().count() == 3),
            Property::sometimes(RETIRED, |_, world: &World| world.table.service().status == Status::Retired),
            Property::sometimes(REOPENED, |_, world: &World| {
                world.witness.reopened && world.has_good_session(SERVICE, Variant::Design)
            }),
            Property::sometimes(LATE_SESSION, |_, world: &World| world.has_session_under_way_from_before()),
            Property::sometimes(BACK_AFTER_EXPIRY, |_, world: &World| {
                let first = PASSWORD_LIFETIME <= world.now && world.table.credential.issue == 2;
                first
                    && world.table.sessions.iter().all(|session| session.temporary == Some(2))
                    && world.has_good_session(SERVICE, Variant::Design)
            }),
        ]);
        properties
    }
}

pub(crate) const PASSWORD_CHOSEN: &str = "the service administrator has chosen a password";
pub(crate) const SECOND_RESET_REFUSED: &str =
    "of two who are signed in with a temporary password the second is refused";
pub(crate) const NAME_TAKEN: &str = "of two who create the same account the second is refused";
pub(crate) const TWO_STAND: &str = "two administrators are created";
pub(crate) const RETIRED: &str = "the service administrator is retired";
pub(crate) const REOPENED: &str = "a reissue lets the service administrator in again after the hand-over";
pub(crate) const LATE_SESSION: &str = "a session is under way that will be dead on arrival";
pub(crate) const BACK_AFTER_EXPIRY: &str = "a reissue lets in whom the first password never did";
