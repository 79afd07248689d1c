//! Models sign-in, reset-password, create-admin, the support desk's reissue, the renewal and the paid event: sessions that end when their account's version
//! changes, and the hand-over from the service administrator to administrators.
//!
//! A person does [`Task`]s one after the other, with the cookie from the last answer; several people do so concurrently.
//! A task becomes one invocation ([`Run`]). It reads items, one step for each read and in any order where the code reads
//! concurrently, and derives one atomic [`Write`](table::Write) from them. An attempt ends in one of three actions: `Committed`
//! (carried out and answered), `AnswerLost` (carried out, but the SDK retries) or `Delayed` (`LateWrite` carries it out at any
//! later time, or never, which is a lost request). After a lost race the invocation reads and decides again.
//!
//! Every person knows every password, so whether a sign-in succeeds depends on the account as it was read. Time is counted in ticks of
//! one clock; an invocation keeps the `now` of its beginning, as the handlers do.

mod next_issue;
mod process;
mod table;
mod tests;
mod witness;
mod writes;

use stateright::{Model, Property};

use next_issue::Cause;
use process::Run;
use table::{
    Account, AccountId, Click, CreatedBy, Credential, PASSWORD_LIFETIME, SERVICE, Status, Table, Temporary, Time, Write,
};
use witness::Witness;

/// The protocol, or a mutant that differs from it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Design,
    /// No code compares a session with the version of its account.
    VersionNotCompared,
    /// A session gets the account's version at the time of its write, not at the verification of the password.
    VersionAtWrite,
    /// A reissue does not increment the version.
    ReissueKeepsVersion,
    /// A reset does not compare the account's version with that of its session.
    ResetVersionNotCompared,
    /// A reset compares neither the version nor whether the password is still the temporary one.
    SecondReset,
    /// The creation of an account does not check its creator's account.
    CreatorNotChecked,
    /// After a lost race, a sign-in proceeds with the account as it is then.
    RereadNotCompared,
    /// The end of retrieval does not check that the account is unchanged since its password was verified.
    AccountNotCompared,
    /// A session that began with a temporary password does not end when that expires.
    SessionOutlivesPassword,
    /// The commit of a reset does not check the expiry.
    ResetExpiryNotChecked,
    /// Neither the session nor the commit of a reset checks the expiry.
    ExpiryNotChecked,
    /// The first sign-in of an administrator retires the service administrator in one write, then writes the session in another.
    RetireThenSignIn,
    /// The first sign-in writes the session, then retires the service administrator in another write.
    SignInThenRetire,
    /// The creation of an administrator retires the service administrator.
    RetiredAtCreation,
    /// The first sign-in retires a service administrator whose reissued password waits to be used.
    UnusedReissueRetired,
    /// The session is written before retrieval ends.
    SessionBeforeRetrievalEnds,
    /// The result of an earlier attempt of the same click counts as another click's.
    OwnWriteNotRecognised,
    /// Transactions do not compare the number of the last history entry, and overwrite entries.
    SeqNotCompared,
    /// Transactions do not compare the number of retrievals that they move into the history.
    SizeNotCompared,
    /// A renewal does not check whether the subscription was handed over.
    RenewalAfterHandOver,
    /// A renewal does not check whether the password was changed.
    RenewalAfterChange,
    /// A renewal does not check whether the issue is used up.
    RenewalAfterThreeRetrievals,
    /// A renewal does not compare the number of renewals with those allowed.
    RenewalsNotCounted,
    /// A renewal does not recognise an issue that a renewal has just started.
    RenewalNotRecognised,
    /// A renewal does not compare the issue.
    RenewalIssueNotCompared,
    /// A renewal does not compare the account's version.
    RenewalVersionNotCompared,
    /// A renewal does not compare the number of the last history entry.
    RenewalSeqNotCompared,
    /// A renewal compares neither issue nor version nor the number of the last history entry.
    RenewalComparesNothing,
    /// The next issue of a paid event keeps `renewed_at`.
    PaidKeepsRenewedAt,
    /// The paid event is not marked as handled.
    PaidNotMarked,
}

/// A step of a person's script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    SignIn(AccountId),
    Reset,
    /// Creates an account, with an idempotency key that stays the same when the person repeats the request.
    Create(AccountId),
    /// The support desk replaces the named issue.
    Reissue(u8),
    /// A portal user renews the expired issue.
    Renew,
    /// The vendor's paid event is delivered.
    Paid,
    /// An administrator who has signed in closes the service administrator's account, which a reissue has made active again.
    Close,
}

/// The state in which the exploration begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The first issue has just begun.
    Issued,
    /// The service administrator has chosen a password and created this many administrators, who have not signed in.
    Administrators(usize),
}

/// The bounds of the exploration.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) start: Start,
    /// The script of each person.
    pub(crate) people: Vec<Vec<Task>>,
    /// The number of times that the SDK sends a request.
    pub(crate) attempts: u8,
    /// The number of races that an invocation may lose before it gives up.
    pub(crate) races: u8,
    /// The largest number of abandoned requests under way.
    pub(crate) late_writes: usize,
    /// The tick at which the clock stops.
    pub(crate) last_tick: Time,
    /// The largest number of retrievals of an issue.
    pub(crate) retrievals: u8,
    /// The largest number of renewals.
    pub(crate) renewals: u8,
}

#[derive(Clone, Debug)]
pub(crate) struct AccountModel {
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

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Person {
    /// The session token in the person's cookie.
    token: Option<Click>,
    /// The number of tasks that are over, successful or not.
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

impl Model for AccountModel {
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
            credential.handed_over = count > 0;
            service.temporary = None;
            created = count;
        }
        let by = CreatedBy { creator: SERVICE, person: usize::MAX };
        let mut accounts = vec![Some(service)];
        accounts.resize(1 + created, Some(Account::new(None, Some(by))));
        accounts.resize(1 + created.max(last.unwrap_or(SERVICE)), None);
        vec![World {
            now: 0,
            table: Table { credential, accounts, sessions: Vec::new(), paid: false, history: credential.seq },
            people: vec![Person::default(); self.scope.people.len()],
            late: Vec::new(),
            witness: Witness::with_entries(credential.seq),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for p in 0..world.people.len() {
            self.person_actions(world, p, actions);
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
                let may_retire = world.table.service().may_retire(self.variant);
                world.people[p].run.as_mut()?.service = Some(may_retire);
            }
            Action::Committed(p) => self.deliver_answer(&mut world, p)?,
            Action::AnswerLost(p) => {
                let write = self.derive_write(&world, p)?;
                world.carry_out(self.variant, write);
                self.send_again(&mut world, p)?;
            }
            Action::Delayed(p) => {
                let write = self.derive_write(&world, p)?;
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
            Property::sometimes(TWO_CREATED, |_, world: &World| world.table.accounts.iter().flatten().count() == 3),
            Property::sometimes(RETIRED, |_, world: &World| world.table.service().status == Status::Retired),
            Property::sometimes(REOPENED, |_, world: &World| {
                world.witness.reopened && world.has_good_session(SERVICE, Variant::Design)
            }),
            Property::sometimes(VOID_SESSION_UNDER_WAY, |_, world: &World| world.has_void_session_under_way()),
            Property::sometimes(RENEWED, |_, world: &World| {
                world.witness.count_started(Cause::Renewal) > 0 && world.has_good_session(SERVICE, Variant::Design)
            }),
            Property::sometimes(RENEWAL_REFUSED, |_, world: &World| world.witness.renewal_refused),
            Property::sometimes(RENEWED_AND_PAID, |_, world: &World| {
                world.witness.count_started(Cause::Renewal) > 0 && world.table.paid
            }),
            Property::sometimes(RENEWED_THREE_TIMES, |_, world: &World| {
                world.witness.count_started(Cause::Renewal) == 3
            }),
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
pub(crate) const SECOND_RESET_REFUSED: &str = "the second of two resets of a temporary password is refused";
pub(crate) const NAME_TAKEN: &str = "the second of two creations of an account is refused";
pub(crate) const TWO_CREATED: &str = "two administrators are created";
pub(crate) const RETIRED: &str = "the service administrator is retired";
pub(crate) const REOPENED: &str = "a reissue lets the service administrator in again after the hand-over";
pub(crate) const VOID_SESSION_UNDER_WAY: &str = "the write of a session that is already void is under way";
pub(crate) const RENEWED: &str = "a renewal lets the service administrator in";
pub(crate) const RENEWAL_REFUSED: &str = "a renewal is refused";
pub(crate) const RENEWED_AND_PAID: &str = "a renewal and the paid event each start an issue";
pub(crate) const RENEWED_THREE_TIMES: &str = "a subscription is renewed three times";
pub(crate) const BACK_AFTER_EXPIRY: &str =
    "a reissue lets the service administrator in after the first password expired unused";
