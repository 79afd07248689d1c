//! Models the sign-in to the product: a code is issued, put by one `PutItem`, and used by the product; each use reads the code and the
//! account, and redeems it by one `TransactWriteItems`, or withdraws the token of an earlier use by one `DeleteItem`.
//!
//! Several [uses](process::Use) of one code run concurrently: the product retries a request whose answer it lost, and a thief of code and
//! secret comes second, or first. An attempt of a write ends in one of three actions: `Committed` (carried out and answered),
//! `AnswerLost` (carried out, but the SDK retries or gives up) or `Delayed` (`LateWrite` carries it out later, or never, which is a lost
//! request). An invocation may also crash before each write.
//!
//! Meanwhile the account is reset, the subscription ends, and its accounts are closed after that. A reset and a removal are alike here, since
//! both move the account's version on.
//!
//! All processes share one clock. A code lives for one tick and its token for two; the table may delete both later. An invocation, and each
//! request that it abandons, ends within a tick after the one in which it began: a tick stands for a minute.

mod process;
mod table;
mod tests;
mod witness;

use stateright::{Model, Property};

use process::{Issuer, Step, Use};
use table::{Table, Time, Write};
use witness::{Situation, Witness};

/// The protocol, or a mutant that differs from it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Design,
    /// The put of the code does not ask whether it is there.
    BarePut,
    /// Each attempt redeems the code for another token.
    TokenOfEachAttempt,
    /// A use does not recognise its own earlier attempt.
    OwnAttemptUnknown,
    /// The second use does not withdraw the token of the first.
    NotWithdrawn,
    /// The transaction does not ask whether the code is unspent.
    SpendingNotCompared,
    /// Nothing compares the end of the code.
    EndOfCodeNotCompared,
    /// The transaction does not check the account's version.
    VersionNotChecked,
    /// The transaction does not check the credential.
    CredentialNotChecked,
    /// The token is looked up without the account's version.
    VersionNotInLookup,
    /// The token is looked up without the credential.
    CredentialNotInLookup,
    /// The table deletes a code at its end.
    ForgottenAtItsEnd,
}

/// What happens to the account meanwhile, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Change {
    /// A reset or a removal.
    Reset,
    /// The end of the subscription. It closes the account in a later transaction.
    End,
}

/// The bounds of the exploration.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The number of uses of the code.
    pub(crate) uses: usize,
    pub(crate) changes: Vec<Change>,
    /// The number of times that the SDK sends a request.
    pub(crate) attempts: u8,
    /// The largest number of abandoned requests under way.
    pub(crate) late_writes: usize,
    /// The tick at which the clock stops.
    pub(crate) last_tick: Time,
}

#[derive(Clone, Debug)]
pub(crate) struct ProductModel {
    pub(crate) variant: Variant,
    pub(crate) scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    now: Time,
    table: Table,
    issuer: Issuer,
    uses: Vec<Use>,
    /// The changes that have not happened yet.
    ahead: Vec<Change>,
    /// Abandoned requests that are still under way, sorted.
    late: Vec<Write>,
    witness: Witness,
}

/// The process that an action is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Process {
    Issuer,
    Use(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    CheckSession,
    Call(usize),
    ReadCode(usize),
    ReadUser(usize),
    Committed(Process),
    AnswerLost(Process),
    Delayed(Process),
    Crash(Process),
    LateWrite(Write),
    Happen(Change),
    CloseAccount,
    ForgetCode,
    Tick,
}

impl Model for ProductModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            now: 0,
            table: Table::default(),
            issuer: Issuer::NotAsked,
            uses: vec![Use::default(); self.scope.uses],
            ahead: self.scope.changes.clone(),
            late: Vec::new(),
            witness: Witness::default(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        match world.issuer {
            Issuer::NotAsked if world.table.is_account_good(0) => actions.push(Action::CheckSession),
            Issuer::Putting { .. } => self.write_actions(world, Process::Issuer, actions),
            Issuer::NotAsked | Issuer::Answered | Issuer::Failed => {}
        }
        for (n, one) in world.uses.iter().enumerate() {
            match one.step {
                // The uses are alike, so they begin in order.
                Step::NotCalled if world.issuer == Issuer::Answered && world.is_next(n) => {
                    actions.push(Action::Call(n));
                }
                Step::Called => actions.push(Action::ReadCode(n)),
                Step::Known(_) => actions.push(Action::ReadUser(n)),
                Step::Writing { .. } => self.write_actions(world, Process::Use(n), actions),
                Step::NotCalled | Step::Answered(_) | Step::Failed => {}
            }
        }
        let mut late = world.late.clone();
        late.dedup();
        actions.extend(late.into_iter().map(Action::LateWrite));
        actions.extend(world.ahead.iter().copied().map(Action::Happen));
        if world.table.ended && !world.table.closed {
            actions.push(Action::CloseAccount);
        }
        if world.table.may_forget_code(self.variant, world.now) {
            actions.push(Action::ForgetCode);
        }
        if world.now < self.scope.last_tick {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::CheckSession => world.check_session(),
            Action::Call(n) => world.uses[n].call(world.now),
            Action::ReadCode(n) => self.read_code(&mut world, n),
            Action::ReadUser(n) => Self::read_user(&mut world, n),
            Action::Committed(process) => self.deliver_answer(&mut world, process)?,
            Action::AnswerLost(process) => self.lose_answer(&mut world, process, false)?,
            Action::Delayed(process) => self.lose_answer(&mut world, process, true)?,
            Action::Crash(process) => world.give_up(process),
            Action::LateWrite(write) => {
                let place = world.late.iter().position(|late| *late == write)?;
                world.late.remove(place);
                let _ = self.carry_out(&mut world, write);
            }
            Action::Happen(change) => world.happen(change),
            Action::CloseAccount => {
                world.table.closed = true;
                world.table.version += 1;
            }
            Action::ForgetCode => world.table.code = None,
            Action::Tick => world.tick(),
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = witness::properties();
        properties.extend([
            Property::sometimes(REDEEMED, |_, world: &World| world.witness.has_seen(Situation::Redeemed)),
            Property::sometimes(AFTER_A_LOST_ANSWER, |_, world: &World| {
                world.witness.has_seen(Situation::OwnRecognised)
            }),
            Property::sometimes(SECOND_USE, |_, world: &World| world.witness.has_seen(Situation::SecondUse)),
            Property::sometimes(OVERTAKEN, |_, world: &World| world.witness.has_seen(Situation::Overtaken)),
            Property::sometimes(EXPIRED, |_, world: &World| world.witness.has_seen(Situation::Expired)),
        ]);
        properties
    }
}

pub(crate) const REDEEMED: &str = "a use is answered with a token";
pub(crate) const AFTER_A_LOST_ANSWER: &str = "a use is answered with the token that its earlier attempt has issued";
pub(crate) const SECOND_USE: &str = "a second use is refused";
pub(crate) const OVERTAKEN: &str = "a reset or an end overtakes a use";
pub(crate) const EXPIRED: &str = "a use comes too late";

impl ProductModel {
    fn write_actions(&self, world: &World, process: Process, actions: &mut Vec<Action>) {
        actions.extend([Action::Committed(process), Action::AnswerLost(process), Action::Crash(process)]);
        if world.late.len() < self.scope.late_writes {
            actions.push(Action::Delayed(process));
        }
    }
}

impl World {
    fn is_next(&self, n: usize) -> bool {
        n == 0 || self.uses[n - 1].step != Step::NotCalled
    }

    fn happen(&mut self, change: Change) {
        self.ahead.retain(|ahead| *ahead != change);
        match change {
            Change::Reset => self.table.version += 1,
            Change::End => self.table.ended = true,
        }
    }

    /// Lets a minute pass, after which no invocation and no request of the last minute but one is left.
    fn tick(&mut self) {
        self.now += 1;
        let now = self.now;
        self.late.retain(|write| write.made_at() + 1 >= now);
        if matches!(self.issuer, Issuer::Putting { code, .. } if code.issued_at + 1 < now) {
            self.issuer = Issuer::Failed;
        }
        for one in &mut self.uses {
            one.time_out(now);
        }
    }
}
