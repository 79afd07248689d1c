//! Models the support desk: reissues, approvals, portal users that operators add and remove, and the people whom these acts concern.
//!
//! Operators, customers and the vendor's events do [`Task`]s, each person one after the other and all of them concurrently. A task
//! becomes one invocation ([`Run`](process::Run)). It reads credential and account, and the other items, in two steps and in any order,
//! decides from both, and sends one atomic [`Write`]. An attempt ends in one of three actions: `Committed` (carried out and answered), `AnswerLost`
//! (carried out, but the SDK retries or gives up) or `Delayed` (`LateWrite` carries it out at any later time, or never, which is a lost
//! request). The invocation may also crash before its write, and a script repeats a click with the same Idempotency-Key. After a lost
//! race the invocation reads and decides again.
//!
//! An entry in the history is the order to announce it: `Announce` tells those whom the table names at that time, in the order of the
//! entries. `publish.rs` shows that publish-events announces each entry.
//!
//! The model has what invariants 10 to 13 of the desk are about. Retrievals have no expiry and no replay window (`retrieve.rs`), an issue
//! has one retrieval, sign-in and creation of administrators are as short as the desk's races allow (`account.rs`), and the welcome mail
//! is judged in every state as if it were sent or sent again then (`mail.rs`). Memberships, which are hints, the operators' budgets and
//! sign-ins, the number of portal users, and unlocking, which touches no password and no right, are left out.

mod act;
mod customer;
mod process;
mod table;
mod tests;
mod witness;

use stateright::{Model, Property};

use process::Person;
use table::{Account, Act, Address, Addresses, Click, Credential, Mail, Status, Table, Time, Write};
use witness::{Entry, Situation, Witness};

/// The protocol, or a mutant that differs from it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Design,
    /// An operator may decide the approval that they asked for.
    AskerDecides,
    /// A bearer token may decide an approval.
    BearerDecides,
    /// A bearer token may ask for an approval.
    BearerAsks,
    /// A decision does not check whether there is one already.
    DecidedTwice,
    /// A decision does not compare the issue with the one that the asker saw.
    SeenIssueNotCompared,
    /// A decision does not compare the address on file with the one that the asker saw.
    SeenAddressNotCompared,
    /// A decision does not compare whether a sign-in, a change or a hand-over has happened since the request.
    SeenStateNotCompared,
    /// A decision does not check the 24 hours.
    ExpiryNotCompared,
    /// A decision does not wait on a handed-over subscription.
    WaitNotCompared,
    /// A request replaces an approval that is pending.
    SecondRequestReplaces,
    /// A decision leaves the approval in the list of those that are pending.
    CopyStays,
    /// A reissue does not compare the issue that it names.
    IfIssueNotCompared,
    /// A reissue to another address writes no entry of its own.
    AddressChangedWithoutEntry,
    /// The replaced address gets no item with `removed_at` where it had no item.
    RemovedItemNotCreated,
    /// The new address receives a notice of the request.
    NewAddressTold,
    /// The transaction adds to the set of portal users instead of writing it whole.
    OldAddressStays,
    /// A replay does not check that the person is a portal user.
    ReplayUnlisted,
    /// One operator adds a portal user.
    AddedAlone,
    /// One operator reissues to another address.
    AnotherAddressAlone,
    /// One operator reissues although the service administrator has chosen a password, or the subscription is handed over.
    ChosenPasswordReplacedAlone,
    /// The click's answer is stored after the transaction.
    ClickNotInTransaction,
    /// A refusal does not look for the click's answer after what it rests on was read.
    ClickReadFirst,
    /// A removal writes the set as it read it, without comparing the number of the last history entry.
    RemovalNotGuarded,
    /// A removal does not check that another portal user stays.
    LastOneRemoved,
    /// A later event adds portal users whom the desk has removed.
    EventBringsBack,
    /// An event reads whom the desk has removed before it reads the credential.
    RemovalsReadFirst,
    /// An event replaces the item of a portal user, and with it `removed_at`.
    EventReplacesItem,
    /// A reissue keeps the account's version.
    ReissueKeepsVersion,
    /// A reissue keeps the password that is sealed.
    ReissueKeepsSealed,
    /// A reissue leaves a retired account retired.
    ReissueLeavesRetired,
    /// The first sign-in of an administrator retires a service administrator whose temporary password waits to be used.
    RetiredUnused,
    /// A reissue does not compare the mail with the one that it read.
    MailNotCompared,
    /// A reissue does not compare the retrievals that it moves into the history.
    SizeNotCompared,
    /// The welcome mail has the password although the address on file was removed from the portal users.
    PasswordMailedToRemoved,
    /// The desk does not check that the subscription has not ended.
    EndNotCompared,
}

/// A request of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Request {
    /// Acts, or asks for it; a reissue names the issue on the page.
    Act(Act),
    /// Reissues without `if_issue`.
    ActOnAnyIssue(Act),
    /// Decides the approval on the page.
    Decide { approves: bool },
}

/// A step of a person's script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    Desk(Click, Request),
    /// A person presses **Go**; repeated, it is the same click.
    Retrieve(Address),
    /// The service administrator signs in.
    SignIn,
    /// The service administrator chooses a password.
    Reset,
    CreateAdministrator,
    AdministratorSignsIn,
    /// The vendor's paid event is delivered. It names the portal users of the first event and another one.
    Paid,
    End,
}

/// The content of an operator's page when the request is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Page {
    issue: u8,
    approval: Option<Click>,
}

/// The state in which the exploration begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// The first issue has just begun.
    Issued,
    /// The portal user Ana has retrieved the password, and no retrieval is left.
    UsedUp,
    /// The service administrator has chosen a password and created an administrator, who has not signed in.
    Created,
    /// The administrator has signed in, and the service administrator is retired.
    HandedOver,
}

/// The bounds of the exploration.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) start: Start,
    /// The script of each person.
    pub(crate) people: Vec<Vec<Task>>,
    /// Whether sensitive acts take two operators.
    pub(crate) approval_required: bool,
    /// The number of times that the SDK sends a request.
    pub(crate) attempts: u8,
    /// The number of races that an invocation may lose before it gives up.
    pub(crate) races: u8,
    /// The largest number of abandoned requests under way.
    pub(crate) late_writes: usize,
    /// The tick at which the clock stops.
    pub(crate) last_tick: Time,
    /// Whether acts are announced.
    pub(crate) with_notices: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct DeskModel {
    pub(crate) variant: Variant,
    pub(crate) scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    now: Time,
    table: Table,
    people: Vec<Person>,
    /// The page of each click.
    pages: Vec<(Click, Page)>,
    /// Abandoned requests that are still under way, sorted.
    late: Vec<Write>,
    /// The acts that are not announced yet, in the order of their entries.
    unannounced: Vec<Entry>,
    witness: Witness,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Begin(usize, Task),
    ReadCredential(usize),
    ReadOthers(usize),
    PutPortalUsers(usize),
    Committed(usize),
    AnswerLost(usize),
    Delayed(usize),
    Crash(usize),
    LateWrite(Write),
    Unsealed(usize),
    Announce,
    Tick,
}

impl Start {
    fn table(self) -> Table {
        let created = matches!(self, Self::Created | Self::HandedOver);
        let retired = self == Self::HandedOver;
        let none = Addresses::default();
        Table {
            credential: Credential {
                issue: 1,
                seq: 1,
                sealed: (!created).then_some(1),
                retrieved: if self == Self::UsedUp { none.with(Address::Ana) } else { none },
                portal_users: Addresses::OF_FIRST_EVENT,
                signed_in: created,
                changed: created,
                handed_over: created,
                ended: false,
            },
            mail: Mail { to: Address::Old, issue: 1, link: false },
            service: Account {
                status: if retired { Status::Retired } else { Status::Active },
                version: 1,
                temporary: !created,
                changes: 1,
            },
            administrator: created.then_some(retired),
            sessions: Vec::new(),
            known: none.with(Address::Ana),
            removed: none,
            approval: None,
            copies: Vec::new(),
            clicks: Vec::new(),
            paid: false,
            history: 1,
        }
    }
}

impl Model for DeskModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let table = self.scope.start.table();
        let witness = Witness::new(table.history);
        vec![World {
            now: 0,
            table,
            people: vec![Person::default(); self.scope.people.len()],
            pages: Vec::new(),
            late: Vec::new(),
            unannounced: Vec::new(),
            witness,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for p in 0..world.people.len() {
            self.person_actions(world, p, actions);
        }
        let mut late = world.late.clone();
        late.dedup();
        actions.extend(late.into_iter().map(Action::LateWrite));
        if !world.unannounced.is_empty() {
            actions.push(Action::Announce);
        }
        if world.now < self.scope.last_tick {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Begin(p, task) => Self::begin(&mut world, p, task),
            Action::ReadCredential(p) => self.read_credential(&mut world, p)?,
            Action::ReadOthers(p) => self.read_others(&mut world, p)?,
            Action::PutPortalUsers(p) => self.put_event_users(&mut world, p)?,
            Action::Committed(p) => self.deliver_answer(&mut world, p)?,
            Action::AnswerLost(p) => self.lose_answer(&mut world, p, false)?,
            Action::Delayed(p) => self.lose_answer(&mut world, p, true)?,
            Action::Crash(p) => world.people[p].give_up(),
            Action::LateWrite(write) => {
                let place = world.late.iter().position(|late| *late == write)?;
                world.late.remove(place);
                self.carry_out(&mut world, write);
            }
            Action::Unsealed(p) => Self::unseal(&mut world, p)?,
            Action::Announce => self.announce(&mut world),
            Action::Tick => world.now += 1,
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = witness::numbered_properties();
        properties.extend(witness::further_properties());
        properties.extend([
            Property::sometimes(SAME_ANSWER, |_, world: &World| world.witness.has_seen(Situation::SameAnswer)),
            Property::sometimes(DECISION_REFUSED, |_, world: &World| {
                world.witness.has_seen(Situation::DecisionRefused)
            }),
            Property::sometimes(REMOVED_REFUSED, |_, world: &World| world.witness.has_seen(Situation::RemovedRefused)),
            Property::sometimes(APPROVED, |_, world: &World| world.witness.has_seen(Situation::Approved)),
            Property::sometimes(REJECTED, |_, world: &World| world.witness.has_seen(Situation::Rejected)),
            Property::sometimes(OVERTAKEN, |_, world: &World| world.witness.has_seen(Situation::Overtaken)),
            Property::sometimes(ASKED_AGAIN, |_, world: &World| world.witness.has_seen(Situation::AskedAgain)),
            Property::sometimes(NEW_SHOWN, |_, world: &World| world.witness.has_seen(Situation::NewShown)),
            Property::sometimes(REOPENED, |_, world: &World| {
                world.witness.has_seen(Situation::Reopened) && world.has_good_session()
            }),
            Property::sometimes(VOID_SESSION_UNDER_WAY, |_, world: &World| world.has_void_session_under_way()),
            Property::sometimes(REISSUED_AND_PAID, |_, world: &World| {
                world.table.paid && world.table.credential.issue == 3
            }),
        ]);
        properties
    }
}

pub(crate) const SAME_ANSWER: &str = "a repeated click gets the same answer";
pub(crate) const DECISION_REFUSED: &str = "a decision is refused";
pub(crate) const REMOVED_REFUSED: &str = "a person who was removed is refused";
pub(crate) const APPROVED: &str = "an approval is given";
pub(crate) const REJECTED: &str = "an approval is rejected";
pub(crate) const OVERTAKEN: &str = "an approval is overtaken";
pub(crate) const ASKED_AGAIN: &str = "an operator asks again after an approval expired";
pub(crate) const NEW_SHOWN: &str = "a new person retrieves the reissued password";
pub(crate) const REOPENED: &str = "a reissue lets the retired service administrator in again";
pub(crate) const VOID_SESSION_UNDER_WAY: &str = "the write of a session that is already void is under way";
pub(crate) const REISSUED_AND_PAID: &str = "a reissue and the paid event each start an issue";

impl World {
    fn has_good_session(&self) -> bool {
        self.table.sessions.iter().any(|session| session.is_good(&self.table))
    }

    fn has_void_session_under_way(&self) -> bool {
        let version = self.table.service.version;
        let is_void = |late: &Write| match late {
            Write::Session(session) | Write::EndRetrieval { session, .. } => session.version < version,
            _ => false,
        };
        self.late.iter().any(is_void)
    }
}
