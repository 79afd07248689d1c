//! Models the keys of the identity providers in the table: `refresh-keys` fetches them and puts them by one conditional `UpdateItem`. A process
//! that verifies tokens reads the item, keeps what it has read, and asks the provider itself where the item does not help.
//!
//! - **A provider** publishes a new key beside the old one and withdraws the old one later, each at any moment. It may be down from any moment
//!   on. One answer may lack keys that can be used, be that of another issuer, or get lost.
//! - **A [run](run::Run)** of `refresh-keys` begins by the schedule or at the end of a deployment. It asks each provider, and then sends one write
//!   for each. An attempt of a write ends in one of three actions: `Committed` (carried out and answered), `AnswerLost` (carried out, but the SDK
//!   retries or gives up) or `Delayed` (`LateWrite` carries it out later, or never, which is a lost request). The run may crash before or after
//!   each, and its event may be lost. Lambda retries a run that fails.
//! - **A [process](process::Process)** that verifies the customers' tokens starts at any moment, and may be frozen during its first read. Tokens
//!   arrive at any moment: of each key, of the other provider, and forged ones with an unknown key id. One process is enough, since no process
//!   writes what another one reads.
//!
//! A tick stands for five minutes; what happens in the same tick happens in any order. The times keep the sum of the design: three ticks for the
//! schedule, one for its delay and the run, and two for which a process keeps what it has read are 30 minutes, and late metadata, which is
//! six ticks old, is kept for two more at most: 44 minutes. A day is ten ticks, which is longer than those eight. The pause between two searches of a process, and after a failed attempt, lasts until the next tick. A request
//! takes no time.
//!
//! Metadata has the date before its fetch. Of two that were fetched in the same minute, the one with the later date, or with the same date and
//! the later write, may have been fetched first, and may bring back a key that was withdrawn between the two. No property forbids that: the
//! next run has a later date, and the half hour begins with the withdrawal.
//!
//! Left out are tokens without a key id, requests that wait for another one's read, and the minute by which clocks may differ.

mod process;
mod run;
mod table;
mod tests;
mod witness;

use stateright::{Model, Property};

use process::Process;
use run::Run;
use table::{CUSTOMERS, DELAY, INTERVAL, IssuerId, Item, Key, KeySet, OPERATORS, SIGNED, Time};
use witness::Witness;

/// The protocol, or a change of it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Design,
    /// The put has no condition.
    PutUnconditional,
    /// A run reads the item, and puts without a condition unless the item is newer.
    ReadThenPut,
    /// The put needs an item.
    FirstPutRefused,
    /// The put needs an item that is older: the same write is refused when it is sent again.
    StrictlyOlderReplaced,
    /// The put does not replace an item from the future.
    FutureNotReplaced,
    /// An item counts as from the future if it is dated more than 15 minutes after the run.
    FutureTooNear,
    /// An item is dated when it is put.
    DatedWhenPut,
    /// An answer without keys that can be used is put.
    AnswerWithoutKeysPut,
    /// The issuer of an answer is not compared.
    IssuerOfAnswerNotCompared,
    /// The issuer of an item is not compared.
    IssuerOfItemNotCompared,
    /// Both issuers have the same item.
    OneItem,
    /// The first provider that fails ends the run.
    FirstFailureEnds,
    /// A run that has failed is acknowledged.
    FailureAcknowledged,
    /// A process keeps what it has read for the 15 minutes of the schedule.
    KeptForTheSchedule,
    /// A process keeps what it has read at its start from the moment at which it is thawed.
    KeptFromTheThaw,
    /// Metadata is good at any age.
    GoodForever,
    /// A process uses an item that is dated ahead.
    AheadUsed,
    /// A process does not ask the provider because an item is late.
    LateNotAsked,
    /// A late item counts as missing.
    LateDropped,
    /// A process takes a late item at its start.
    LateHeldAtTheStart,
    /// A token of an unknown key is refused as forged, also if the metadata is late and the provider could not be asked.
    LateTakenForForged,
    /// A process takes an item that is older than what it holds.
    OlderTaken,
    /// A process drops what it holds when a read gives nothing.
    HeldDropped,
    /// A process that searches for a key asks the provider at once.
    ItemNotSearched,
    /// A process that searches for a key reads only the item.
    ProviderNotSearched,
    /// A process without a good item does not ask the provider.
    ProviderNotAskedWithoutItem,
    /// A process searches at each unknown key.
    SearchNotPaused,
    /// A process without good keys asks the provider for each request.
    AttemptNotPaused,
}

/// The bounds of the exploration.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The keys that the customers' provider publishes at first. The changes follow from it: a new key is added, and then the old one withdrawn.
    pub(crate) published: KeySet,
    /// The item of the customers' provider at first.
    pub(crate) item: Option<Item>,
    /// The number of providers: that of the customers, and that of the operators.
    pub(crate) issuers: usize,
    /// The ticks at which the schedule starts a run.
    pub(crate) schedule: Vec<Time>,
    /// The number of runs at the ends of deployments.
    pub(crate) deployments: usize,
    /// The number of times that Lambda repeats a run.
    pub(crate) repeats: u8,
    /// The number of times that the SDK sends a request.
    pub(crate) attempts: u8,
    /// The number of failures: lost events, crashes, bad answers, answers that are lost, requests that are delayed.
    pub(crate) failures: u8,
    /// Whether the customers' provider may be down, from any moment on.
    pub(crate) with_outage: bool,
    /// Whether the operators' item may be copied to the place of the customers', once.
    pub(crate) with_copy: bool,
    /// The keys of the tokens that arrive; empty if there is no process.
    pub(crate) tokens: Vec<Key>,
    /// The tick at which the clock stops.
    pub(crate) last_tick: Time,
}

#[derive(Clone, Debug)]
pub(crate) struct KeysModel {
    pub(crate) variant: Variant,
    pub(crate) scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    now: Time,
    provider: Provider,
    /// The items, by issuer.
    items: [Option<Item>; 2],
    /// The runs of the schedule, and those of deployments after them.
    runs: Vec<Run>,
    /// The writes that are still under way without their runs, sorted.
    late: Vec<Item>,
    process: Process,
    /// The number of failures so far.
    failures: u8,
    /// Whether the operators' item was copied.
    copied: bool,
    witness: Witness,
}

/// The provider of the customers. That of the operators never changes its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Provider {
    published: KeySet,
    /// The time at which the new key was added.
    added_at: Option<Time>,
    /// The time at which the old key was withdrawn.
    withdrawn_at: Option<Time>,
    is_down: bool,
}

/// The answer of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProviderAnswer {
    Good,
    /// An answer that cannot be parsed, or has no key that can be used.
    WithoutKeys,
    /// An answer of the other provider.
    OfAnotherIssuer,
    Missing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Begin(usize),
    EventLost(usize),
    Fetched(usize, IssuerId, ProviderAnswer),
    Committed(usize, IssuerId),
    AnswerLost(usize, IssuerId),
    Delayed(usize, IssuerId),
    Crash(usize),
    LateWrite(Item),
    ReadAhead,
    Thaw,
    Token(Key),
    ItemRead,
    ReadFailed,
    ProviderAnswered(ProviderAnswer),
    AddKey,
    WithdrawKey,
    GoDown,
    CopyItem,
    Tick,
}

impl Model for KeysModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let scheduled = self.scope.schedule.iter().map(|due| Run::new(Some(*due)));
        let runs = scheduled.chain(std::iter::repeat_n(Run::new(None), self.scope.deployments)).collect();
        let published = self.scope.published;
        vec![World {
            now: 0,
            provider: Provider { published, added_at: None, withdrawn_at: None, is_down: false },
            items: [self.scope.item, None],
            runs,
            late: Vec::new(),
            process: Process::default(),
            failures: 0,
            copied: false,
            witness: Witness::default(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for n in 0..world.runs.len() {
            self.run_actions(world, n, actions);
        }
        self.process_actions(world, actions);
        let mut late = world.late.clone();
        late.dedup();
        actions.extend(late.into_iter().map(Action::LateWrite));
        match world.provider.published {
            KeySet::Old => actions.push(Action::AddKey),
            KeySet::Both => actions.push(Action::WithdrawKey),
            KeySet::New | KeySet::Operators | KeySet::Empty => {}
        }
        if self.scope.with_outage && !world.provider.is_down {
            actions.push(Action::GoDown);
        }
        if self.scope.with_copy && !world.copied && world.items[OPERATORS].is_some() {
            actions.push(Action::CopyItem);
        }
        if world.now < self.scope.last_tick && self.can_tick(world) {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        world.witness.forget_last_action();
        match action {
            Action::Begin(n) => self.begin(&mut world, n),
            Action::EventLost(n) => world.lose_event(n),
            Action::Fetched(n, issuer, answer) => self.fetched(&mut world, n, issuer, answer)?,
            Action::Committed(n, issuer) => self.deliver_answer(&mut world, n, issuer)?,
            Action::AnswerLost(n, issuer) => self.lose_answer(&mut world, n, issuer, false)?,
            Action::Delayed(n, issuer) => self.lose_answer(&mut world, n, issuer, true)?,
            Action::Crash(n) => self.crash(&mut world, n),
            Action::LateWrite(item) => {
                let place = world.late.iter().position(|late| *late == item)?;
                world.late.remove(place);
                let _ = self.put(&mut world, item, true);
            }
            Action::ReadAhead => self.read_ahead(&mut world)?,
            Action::Thaw => self.thaw(&mut world)?,
            Action::Token(key) => self.verify(&mut world, key),
            Action::ItemRead => self.read_item(&mut world, true)?,
            Action::ReadFailed => self.read_item(&mut world, false)?,
            Action::ProviderAnswered(answer) => self.ask(&mut world, answer)?,
            Action::AddKey => world.provider.add_key(before.now),
            Action::WithdrawKey => world.provider.withdraw_key(before.now),
            Action::GoDown => world.provider.is_down = true,
            Action::CopyItem => world.copy_item(),
            Action::Tick => self.tick(&mut world),
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = witness::properties();
        properties.extend(witness::situations());
        properties
    }
}

impl KeysModel {
    /// Returns the answers that a provider may give now.
    fn answers(&self, world: &World, issuer: IssuerId) -> Vec<ProviderAnswer> {
        if issuer == CUSTOMERS && world.provider.is_down {
            return vec![ProviderAnswer::Missing];
        }
        let mut answers = vec![ProviderAnswer::Good];
        if self.may_fail(world) {
            answers.extend([ProviderAnswer::WithoutKeys, ProviderAnswer::Missing]);
            if self.scope.issuers > 1 {
                answers.push(ProviderAnswer::OfAnotherIssuer);
            }
        }
        answers
    }

    /// Returns the keys that a provider's answer brings, if it is taken, and counts a failure.
    fn accept_answer(&self, world: &mut World, issuer: IssuerId, answer: ProviderAnswer) -> Option<KeySet> {
        if answer != ProviderAnswer::Good && !(issuer == CUSTOMERS && world.provider.is_down) {
            world.failures += 1;
        }
        match answer {
            ProviderAnswer::Good => Some(world.provider.published_by(issuer)),
            ProviderAnswer::OfAnotherIssuer if self.variant == Variant::IssuerOfAnswerNotCompared => {
                Some(world.provider.published_by(1 - issuer))
            }
            ProviderAnswer::WithoutKeys | ProviderAnswer::OfAnotherIssuer | ProviderAnswer::Missing => None,
        }
    }

    fn may_fail(&self, world: &World) -> bool {
        world.failures < self.scope.failures
    }

    /// Returns whether no request is under way, and no run has to begin, end or fail first.
    fn can_tick(&self, world: &World) -> bool {
        !world.process.is_busy() && (0..world.runs.len()).all(|n| self.has_time_left(world, n))
    }

    fn tick(&self, world: &mut World) {
        world.now += 1;
        let now = world.now;
        world.late.retain(|write| write.fetched_at + DELAY + SIGNED >= now);
        for run in &mut world.runs {
            run.expire(now);
        }
        world.process.tick();
        let missed = self.has_missed_run(world);
        world.witness.tick(missed);
    }

    /// Returns whether the run of the schedule whose time is over now has not succeeded, although the key was withdrawn before it was due. A run
    /// that the scope leaves out counts as failed.
    fn has_missed_run(&self, world: &World) -> bool {
        let due = world.now.checked_sub(DELAY + 1).filter(|due| due.is_multiple_of(INTERVAL));
        due.is_some_and(|due| {
            let run = self.scope.schedule.iter().position(|scheduled| *scheduled == due);
            let is_done = run.is_some_and(|n| world.runs[n].is_done());
            !is_done && world.provider.has_withdrawn_before(due)
        })
    }
}

impl Provider {
    fn published_by(self, issuer: IssuerId) -> KeySet {
        if issuer == CUSTOMERS { self.published } else { KeySet::Operators }
    }

    fn add_key(&mut self, now: Time) {
        self.published = KeySet::Both;
        self.added_at = Some(now);
    }

    fn withdraw_key(&mut self, now: Time) {
        self.published = KeySet::New;
        self.withdrawn_at = Some(now);
    }

    fn has_withdrawn_before(self, time: Time) -> bool {
        self.withdrawn_at.is_some_and(|withdrawn_at| withdrawn_at < time)
    }

    /// Returns when the provider published another set in place of this one.
    fn replaced_at(self, keys: KeySet) -> Option<Time> {
        match keys {
            KeySet::Old => self.added_at,
            KeySet::Both => self.withdrawn_at,
            KeySet::New | KeySet::Operators | KeySet::Empty => None,
        }
    }
}

impl World {
    /// Copies the operators' item to the place of the customers'.
    fn copy_item(&mut self) {
        self.items[CUSTOMERS] = self.items[OPERATORS].map(|item| Item { by_run: false, ..item });
        self.copied = true;
        self.witness.observe_copy();
    }
}
