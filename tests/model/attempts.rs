//! Attempts (before a password is verified): buckets that are spent by one of two conditional writes, and the count of failures
//! that closes an account.
//!
//! A try is one invocation: it spends an attempt at the account from its network, then one at the account unless the network is
//! known, and only then verifies. (The bucket of the network alone is one more of the same.) A write is of the idle shape first, and of
//! the shape that the refusal tells after that. What happens to an attempt is one of three actions: it is `Committed` (carried out and
//! answered), its `AnswerLost` (carried out, the SDK sends it again) or it is `Delayed` (`LateWrite` carries it out at any later
//! time, or never).
//!
//! Each caller is a machine whose clock may be off; an invocation reads it once, at its beginning. No tick passes an invocation
//! whose time is up before it is admitted: it must go on, or be killed (`Crash`).

mod item;
mod tests;
mod witness;

use stateright::{Model, Property};

use item::{Bucket, Budget, Item, NetworkId, Refusal, Shape, Spend, Time, Write};
use witness::Witness;

/// The protocol, or a mistake that differs from it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Design,
    /// The password is verified before an attempt is spent.
    VerifyFirst,
    /// When the table does not answer, the password is verified all the same.
    FailOpen,
    /// The bucket is read, and what it becomes is written without a condition.
    ReadThenWrite,
    /// The idle shape without its condition: `tat` is now and one interval, whatever it was.
    IdleUnasked,
    /// The busy shape alone: what was not spent while nobody came is saved up.
    BusyOnly,
    /// A known network spends the account's budget too.
    BudgetForKnown,
    /// A known network is asked whether the account is closed.
    ClosedForKnown,
    /// A failure is counted when the password was wrong, after it was verified.
    CountedAfterwards,
}

/// Who tries, how often, and how far the clock of the machine that they meet is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Who {
    pub(crate) network: NetworkId,
    pub(crate) right: bool,
    pub(crate) off: Time,
    pub(crate) tries: u8,
}

/// How much of the world is explored.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) account: Budget,
    /// Without, only the account has a bucket.
    pub(crate) from_network: Option<Budget>,
    pub(crate) callers: Vec<Who>,
    /// Networks that the account has signed in from.
    pub(crate) known: Vec<NetworkId>,
    /// Failures in a row beyond which the account is closed.
    pub(crate) closes_after: u8,
    /// δ, as it is allowed for.
    pub(crate) clocks_differ: Time,
    /// The longest that an invocation takes until it is admitted.
    pub(crate) patience: Time,
    /// How often the SDK sends a request.
    pub(crate) attempts: u8,
    /// How often the shape may change under a write.
    pub(crate) trips: u8,
    /// Most requests under way that nobody waits for.
    pub(crate) late_writes: usize,
    pub(crate) last_tick: Time,
}

#[derive(Clone, Debug)]
pub(crate) struct Attempts {
    pub(crate) variant: Variant,
    pub(crate) scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    now: Time,
    account: Item,
    networks: Vec<Item>,
    callers: Vec<Caller>,
    /// Requests under way that nobody waits for, sorted.
    late: Vec<Write>,
    witness: Witness,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Caller {
    who: Who,
    /// Tries that are over.
    tried: u8,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Waiting,
    Spending {
        spend: Spend,
        asked_at: Time,
        trip: u8,
        attempt: u8,
    },
    /// With the number of failures, where it is asked for.
    Verifying {
        failures: Option<u8>,
    },
    /// Best effort: what fails is not tried again, but by the SDK.
    Noting {
        write: Write,
        attempt: u8,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Begin(usize),
    Committed(usize),
    AnswerLost(usize),
    Delayed(usize),
    Verified(usize),
    Crash(usize),
    LateWrite(Write),
    Tick,
}

impl Model for Attempts {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let networks = self.scope.callers.iter().map(|who| who.network + 1).max().unwrap_or_default();
        let item = |network| Item { known: self.scope.known.contains(&network), ..Item::default() };
        let caller = |&who: &Who| Caller { who, tried: 0, step: Step::Waiting };
        vec![World {
            now: 0,
            account: Item::default(),
            networks: (0..networks).map(item).collect(),
            callers: self.scope.callers.iter().map(caller).collect(),
            late: Vec::new(),
            witness: Witness::default(),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (i, caller) in world.callers.iter().enumerate() {
            match caller.step {
                Step::Waiting if caller.tried < caller.who.tries && world.is_next_of_its_kind(i) => {
                    actions.push(Action::Begin(i));
                }
                Step::Waiting => {}
                Step::Spending { .. } | Step::Noting { .. } => {
                    actions.extend([Action::Committed(i), Action::AnswerLost(i), Action::Crash(i)]);
                    if world.late.len() < self.scope.late_writes {
                        actions.push(Action::Delayed(i));
                    }
                }
                Step::Verifying { .. } => actions.push(Action::Verified(i)),
            }
        }
        let mut late = world.late.clone();
        late.dedup();
        actions.extend(late.into_iter().map(Action::LateWrite));
        if world.now < self.scope.last_tick && self.time_can_pass(world) {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Begin(i) => self.begin(&mut world, i),
            Action::Committed(i) => self.committed(&mut world, i)?,
            Action::AnswerLost(i) => {
                let write = world.callers[i].write()?;
                let _ = self.carry_out(&mut world, write);
                self.send_again(&mut world, i);
            }
            Action::Delayed(i) => {
                let write = world.callers[i].write()?;
                world.late.push(write);
                world.late.sort_unstable();
                self.send_again(&mut world, i);
            }
            Action::Verified(i) => self.verified(&mut world, i)?,
            Action::Crash(i) => world.callers[i].end(),
            Action::LateWrite(write) => {
                let place = world.late.iter().position(|late| *late == write)?;
                world.late.remove(place);
                let _ = self.carry_out(&mut world, write);
            }
            Action::Tick => world.now += 1,
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = witness::properties();
        properties.extend([
            Property::sometimes(BURST_SPENT, |model: &Self, world: &World| {
                world.now == 0 && world.admits(model.scope.account.burst)
            }),
            Property::sometimes(REFILLED, |model: &Self, world: &World| world.admits(model.scope.account.burst + 1)),
            Property::sometimes(EXHAUSTED, |_, world: &World| world.witness.exhausted),
            Property::sometimes(MORE_BY_CLOCKS, |model: &Self, world: &World| {
                world.now == 0 && world.admits(model.scope.account.burst + 1)
            }),
            Property::sometimes(CLOSED, |model: &Self, world: &World| {
                world.account.failures > model.scope.closes_after
            }),
            Property::sometimes(OPENED, |model: &Self, world: &World| {
                world.witness.got_in_while_closed && world.account.failures <= model.scope.closes_after
            }),
        ]);
        properties
    }
}

pub(crate) const BURST_SPENT: &str = "the burst is admitted at one instant";
pub(crate) const REFILLED: &str = "the bucket refills";
pub(crate) const EXHAUSTED: &str = "a caller is told to wait";
pub(crate) const MORE_BY_CLOCKS: &str = "clocks that differ admit one more at one instant";
pub(crate) const CLOSED: &str = "an account is closed by failures";
pub(crate) const OPENED: &str = "its owner signs in to a closed account, which opens it";

impl Attempts {
    fn budget(&self, bucket: Bucket) -> Option<Budget> {
        match bucket {
            Bucket::Account => Some(self.scope.account),
            Bucket::From(_) => self.scope.from_network,
        }
    }

    fn begin(&self, world: &mut World, i: usize) {
        if self.variant == Variant::VerifyFirst {
            world.witness.admitted(Bucket::Account, world.now);
        }
        let first = self.scope.from_network.map_or(Bucket::Account, |_| Bucket::From(world.callers[i].who.network));
        self.spend(world, i, first, world.now);
    }

    fn spend(&self, world: &mut World, i: usize, bucket: Bucket, asked_at: Time) {
        let shape = if self.variant == Variant::BusyOnly { Shape::Busy } else { Shape::Idle };
        let now = asked_at + world.callers[i].who.off;
        let mut spend = Spend { bucket, shape, now, decided: None };
        if self.variant == Variant::ReadThenWrite {
            let budget = self.budget(bucket);
            spend.decided = budget.and_then(|budget| world.item(bucket).decide(self.variant, budget, spend));
            if spend.decided.is_none() {
                return world.refused(i);
            }
        }
        world.callers[i].step = Step::Spending { spend, asked_at, trip: 1, attempt: 1 };
    }

    /// The item as it is afterwards, or as it was if the write was refused.
    fn carry_out(&self, world: &mut World, write: Write) -> Result<Item, Item> {
        match write {
            Write::Spend(spend) => {
                let budget = self.budget(spend.bucket).unwrap_or(self.scope.account);
                let item = world.item(spend.bucket);
                if !item.spend(self.variant, budget, spend) {
                    return Err(*item);
                }
                let item = *item;
                world.witness.spent += 1;
                Ok(item)
            }
            Write::Forget(bucket) => {
                let item = world.item(bucket);
                item.failures = 0;
                item.known |= matches!(bucket, Bucket::From(_));
                let item = *item;
                world.witness.forgotten += u8::from(bucket == Bucket::Account);
                Ok(item)
            }
            Write::CountFailure => {
                world.account.failures += 1;
                Ok(world.account)
            }
        }
    }

    fn committed(&self, world: &mut World, i: usize) -> Option<()> {
        let write = world.callers[i].write()?;
        match (world.callers[i].step, self.carry_out(world, write)) {
            (Step::Spending { spend, asked_at, .. }, Ok(item)) => self.admitted(world, i, spend.bucket, item, asked_at),
            (Step::Spending { spend, asked_at, trip, .. }, Err(item)) => {
                let refusal = self.budget(spend.bucket)?.judge_refusal(item.tat, spend.now);
                match refusal {
                    Refusal::Again(shape) if trip < self.scope.trips => {
                        let spend = Spend { shape, ..spend };
                        world.callers[i].step = Step::Spending { spend, asked_at, trip: trip + 1, attempt: 1 };
                    }
                    Refusal::Again(_) => world.refused(i),
                    Refusal::Exhausted => {
                        world.witness.exhausted = true;
                        self.turned_away(world, i, spend.bucket);
                    }
                }
            }
            (Step::Noting { .. }, _) => self.noted(world, i, write),
            (Step::Waiting | Step::Verifying { .. }, _) => return None,
        }
        Some(())
    }

    fn admitted(&self, world: &mut World, i: usize, bucket: Bucket, item: Item, asked_at: Time) {
        if self.variant != Variant::VerifyFirst {
            world.witness.admitted(bucket, world.now);
        }
        let failures = match bucket {
            Bucket::From(_) if !item.known || self.variant == Variant::BudgetForKnown => {
                return self.spend(world, i, Bucket::Account, asked_at);
            }
            Bucket::From(_) if self.variant == Variant::ClosedForKnown => Some(world.account.failures),
            Bucket::From(_) => None,
            Bucket::Account => Some(item.failures),
        };
        world.callers[i].step = Step::Verifying { failures };
    }

    fn turned_away(&self, world: &mut World, i: usize, bucket: Bucket) {
        if bucket == Bucket::Account {
            self.kept_out(world, i);
        }
        world.refused(i);
    }

    /// By what others have done, with the right password.
    fn kept_out(&self, world: &mut World, i: usize) {
        let Who { network, right, .. } = world.callers[i].who;
        world.witness.owner_kept_out |= right && self.scope.known.contains(&network);
    }

    fn verified(&self, world: &mut World, i: usize) -> Option<()> {
        let Step::Verifying { failures } = world.callers[i].step else { return None };
        let closed = failures.is_some_and(|failures| failures > self.scope.closes_after);
        match (world.callers[i].who.right, closed) {
            (true, true) => self.turned_away(world, i, Bucket::Account),
            (true, false) => {
                world.witness.got_in_while_closed |= world.account.failures > self.scope.closes_after;
                world.callers[i].step = Step::Noting { write: Write::Forget(Bucket::Account), attempt: 1 };
            }
            (false, true) => world.refused(i),
            (false, false) => {
                world.witness.guesses += u8::from(failures.is_some());
                if self.variant == Variant::CountedAfterwards {
                    world.callers[i].step = Step::Noting { write: Write::CountFailure, attempt: 1 };
                } else {
                    world.refused(i);
                }
            }
        }
        Some(())
    }

    /// Both are written at once; here one after the other, and a late one still comes at any time.
    fn noted(&self, world: &mut World, i: usize, write: Write) {
        let network = Bucket::From(world.callers[i].who.network);
        if write == Write::Forget(Bucket::Account) && self.scope.from_network.is_some() {
            world.callers[i].step = Step::Noting { write: Write::Forget(network), attempt: 1 };
        } else {
            world.callers[i].end();
        }
    }

    /// No answer: the SDK sends the same request again, or gives up.
    fn send_again(&self, world: &mut World, i: usize) {
        match &mut world.callers[i].step {
            Step::Spending { attempt, .. } | Step::Noting { attempt, .. } if *attempt < self.scope.attempts => {
                *attempt += 1;
            }
            Step::Spending { spend, asked_at, .. } if self.variant == Variant::FailOpen => {
                let (bucket, asked_at) = (spend.bucket, *asked_at);
                self.admitted(world, i, bucket, Item::default(), asked_at);
            }
            _ => world.callers[i].end(),
        }
    }

    fn time_can_pass(&self, world: &World) -> bool {
        world.callers.iter().all(|caller| match caller.step {
            Step::Spending { asked_at, .. } => world.now - asked_at < self.scope.patience,
            _ => true,
        })
    }
}

impl World {
    fn item(&mut self, bucket: Bucket) -> &mut Item {
        match bucket {
            Bucket::Account => &mut self.account,
            Bucket::From(network) => &mut self.networks[network],
        }
    }

    fn buckets(&self) -> impl Iterator<Item = Bucket> {
        std::iter::once(Bucket::Account).chain((0..self.networks.len()).map(Bucket::From))
    }

    /// Callers of one kind are alike, so they begin in order.
    fn is_next_of_its_kind(&self, i: usize) -> bool {
        let alike = |other: &Caller| other.who == self.callers[i].who && other.tried <= self.callers[i].tried;
        !self.callers[..i].iter().any(|other| alike(other) && other.step == Step::Waiting)
    }

    fn refused(&mut self, i: usize) {
        self.callers[i].end();
    }

    fn admits(&self, count: Time) -> bool {
        self.witness.admissions_of(Bucket::Account) == usize::try_from(count).unwrap_or_default()
    }
}

impl Caller {
    fn end(&mut self) {
        self.step = Step::Waiting;
        self.tried += 1;
    }

    fn write(&self) -> Option<Write> {
        match self.step {
            Step::Spending { spend, .. } => Some(Write::Spend(spend)),
            Step::Noting { write, .. } => Some(write),
            Step::Waiting | Step::Verifying { .. } => None,
        }
    }
}
