//! Models the attempts that are spent before a password is verified: budgets that one of two conditional writes spends, and the
//! count of failures that closes an account.
//!
//! A try is one invocation. It spends an attempt of the account's budget for its network, then, unless the network is known, one of
//! the account's own budget, and only then verifies the password. (The budget of the network alone works the same way and is left
//! out.) The first write has the idle shape, the next the shape that the refusal calls for. A write ends in one of three actions:
//! `Committed` (carried out and answered), `AnswerLost` (carried out, and the SDK sends it again) or `Delayed` (`LateWrite` carries
//! it out at any later time, or never).
//!
//! Each caller meets a machine whose clock may be off; an invocation reads it once, when it begins. The model's clock does not tick
//! while an invocation that is not admitted yet has no time left: it must proceed or be killed (`Crash`).

mod item;
mod tests;
mod witness;

use stateright::{Model, Property};

use item::{Bucket, Budget, Item, NetworkId, Refusal, Shape, Spend, Time, Write};
use witness::Witness;

/// The protocol, or a mutant that differs from it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Design,
    /// The password is verified before an attempt is spent.
    VerifyFirst,
    /// The password is verified even when the table does not answer.
    FailOpen,
    /// The budget is read, and its next state is written without a condition.
    ReadThenWrite,
    /// The idle shape has no condition: `tat` becomes now plus one interval, whatever it was.
    IdleUnconditional,
    /// The busy shape is the only one: attempts that were not spent while idle accumulate.
    BusyOnly,
    /// A known network also spends the account's budget.
    BudgetForKnown,
    /// A closed account is closed to known networks, too.
    ClosedToKnown,
    /// A failure is counted after the password was verified and found wrong.
    CountedAfterwards,
}

/// A person who tries passwords: from which network, whether with the right password, how often, and how far the clock of the
/// machine that answers is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Person {
    pub(crate) network: NetworkId,
    pub(crate) right: bool,
    pub(crate) off: Time,
    pub(crate) tries: u8,
}

/// The bounds of the exploration.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) account: Budget,
    /// The account's budget for one network. Without it, only the account has a budget.
    pub(crate) from_network: Option<Budget>,
    pub(crate) callers: Vec<Person>,
    /// Networks from which the account has signed in.
    pub(crate) known: Vec<NetworkId>,
    /// The number of consecutive failures beyond which the account is closed.
    pub(crate) closes_after: u8,
    /// The clock skew δ that the budget allows for.
    pub(crate) clock_skew: Time,
    /// The longest time that an invocation takes to be admitted.
    pub(crate) patience: Time,
    /// The number of times that the SDK sends a request.
    pub(crate) attempts: u8,
    /// The number of times that the shape may change while an invocation tries to write.
    pub(crate) trips: u8,
    /// The largest number of abandoned requests under way.
    pub(crate) late_writes: usize,
    pub(crate) last_tick: Time,
}

#[derive(Clone, Debug)]
pub(crate) struct AttemptModel {
    pub(crate) variant: Variant,
    pub(crate) scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    now: Time,
    account: Item,
    networks: Vec<Item>,
    callers: Vec<Caller>,
    /// Abandoned requests that are still under way, sorted.
    late: Vec<Write>,
    witness: Witness,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Caller {
    person: Person,
    /// The number of tries that are over.
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
    /// `failures` is the account's count where it decides whether the account is closed.
    Verifying {
        failures: Option<u8>,
    },
    /// The write after the verification: best effort, so only the SDK retries it.
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

impl Model for AttemptModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let networks = self.scope.callers.iter().map(|person| person.network + 1).max().unwrap_or_default();
        let item = |network| Item { known: self.scope.known.contains(&network), ..Item::default() };
        let caller = |&person: &Person| Caller { person, tried: 0, step: Step::Waiting };
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
                Step::Waiting if caller.tried < caller.person.tries && world.is_next_among_equals(i) => {
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
        if world.now < self.scope.last_tick && self.can_tick(world) {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Begin(i) => self.begin(&mut world, i),
            Action::Committed(i) => self.deliver_answer(&mut world, i)?,
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
            Action::Verified(i) => self.verify(&mut world, i)?,
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
                world.now == 0 && world.has_admitted(model.scope.account.burst)
            }),
            Property::sometimes(REFILLED, |model: &Self, world: &World| {
                world.has_admitted(model.scope.account.burst + 1)
            }),
            Property::sometimes(EXHAUSTED, |_, world: &World| world.witness.exhausted),
            Property::sometimes(MORE_BY_SKEW, |model: &Self, world: &World| {
                world.now == 0 && world.has_admitted(model.scope.account.burst + 1)
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
pub(crate) const EXHAUSTED: &str = "a caller has to wait";
pub(crate) const MORE_BY_SKEW: &str = "clocks that differ admit one more attempt at one instant";
pub(crate) const CLOSED: &str = "failures close an account";
pub(crate) const OPENED: &str = "the owner signs in to a closed account, which opens it";

impl AttemptModel {
    fn budget(&self, bucket: Bucket) -> Option<Budget> {
        match bucket {
            Bucket::Account => Some(self.scope.account),
            Bucket::From(_) => self.scope.from_network,
        }
    }

    fn begin(&self, world: &mut World, i: usize) {
        if self.variant == Variant::VerifyFirst {
            world.witness.record_admission(Bucket::Account, world.now);
        }
        let first = self.scope.from_network.map_or(Bucket::Account, |_| Bucket::From(world.callers[i].person.network));
        self.spend(world, i, first, world.now);
    }

    fn spend(&self, world: &mut World, i: usize, bucket: Bucket, asked_at: Time) {
        let shape = if self.variant == Variant::BusyOnly { Shape::Busy } else { Shape::Idle };
        let now = asked_at + world.callers[i].person.off;
        let mut spend = Spend { bucket, shape, now, decided: None };
        if self.variant == Variant::ReadThenWrite {
            let budget = self.budget(bucket);
            spend.decided = budget.and_then(|budget| world.item(bucket).decide(self.variant, budget, spend));
            if spend.decided.is_none() {
                return world.refuse(i);
            }
        }
        world.callers[i].step = Step::Spending { spend, asked_at, trip: 1, attempt: 1 };
    }

    /// Carries a write out: returns the new item, or the unchanged item when the condition fails.
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

    fn deliver_answer(&self, world: &mut World, i: usize) -> Option<()> {
        let write = world.callers[i].write()?;
        match (world.callers[i].step, self.carry_out(world, write)) {
            (Step::Spending { spend, asked_at, .. }, Ok(item)) => self.admit(world, i, spend.bucket, item, asked_at),
            (Step::Spending { spend, asked_at, trip, .. }, Err(item)) => {
                let refusal = self.budget(spend.bucket)?.judge_refusal(item.tat, spend.now);
                match refusal {
                    Refusal::Again(shape) if trip < self.scope.trips => {
                        let spend = Spend { shape, ..spend };
                        world.callers[i].step = Step::Spending { spend, asked_at, trip: trip + 1, attempt: 1 };
                    }
                    Refusal::Again(_) => world.refuse(i),
                    Refusal::Exhausted => {
                        world.witness.exhausted = true;
                        self.turn_away(world, i, spend.bucket);
                    }
                }
            }
            (Step::Noting { .. }, _) => self.continue_noting(world, i, write),
            (Step::Waiting | Step::Verifying { .. }, _) => return None,
        }
        Some(())
    }

    fn admit(&self, world: &mut World, i: usize, bucket: Bucket, item: Item, asked_at: Time) {
        if self.variant != Variant::VerifyFirst {
            world.witness.record_admission(bucket, world.now);
        }
        let failures = match bucket {
            Bucket::From(_) if !item.known || self.variant == Variant::BudgetForKnown => {
                return self.spend(world, i, Bucket::Account, asked_at);
            }
            Bucket::From(_) if self.variant == Variant::ClosedToKnown => Some(world.account.failures),
            Bucket::From(_) => None,
            Bucket::Account => Some(item.failures),
        };
        world.callers[i].step = Step::Verifying { failures };
    }

    fn turn_away(&self, world: &mut World, i: usize, bucket: Bucket) {
        if bucket == Bucket::Account {
            self.record_kept_out(world, i);
        }
        world.refuse(i);
    }

    /// Records a person who is kept out with the right password because of what others have done.
    fn record_kept_out(&self, world: &mut World, i: usize) {
        let Person { network, right, .. } = world.callers[i].person;
        world.witness.owner_kept_out |= right && self.scope.known.contains(&network);
    }

    fn verify(&self, world: &mut World, i: usize) -> Option<()> {
        let Step::Verifying { failures } = world.callers[i].step else { return None };
        let closed = failures.is_some_and(|failures| failures > self.scope.closes_after);
        match (world.callers[i].person.right, closed) {
            (true, true) => self.turn_away(world, i, Bucket::Account),
            (true, false) => {
                world.witness.got_in_while_closed |= world.account.failures > self.scope.closes_after;
                world.callers[i].step = Step::Noting { write: Write::Forget(Bucket::Account), attempt: 1 };
            }
            (false, true) => world.refuse(i),
            (false, false) => {
                world.witness.guesses += u8::from(failures.is_some());
                if self.variant == Variant::CountedAfterwards {
                    world.callers[i].step = Step::Noting { write: Write::CountFailure, attempt: 1 };
                } else {
                    world.refuse(i);
                }
            }
        }
        Some(())
    }

    /// Continues after a best-effort write. The function sends both such writes in parallel; here one follows the other, and a late
    /// one still arrives at any time.
    fn continue_noting(&self, world: &mut World, i: usize, write: Write) {
        let network = Bucket::From(world.callers[i].person.network);
        if write == Write::Forget(Bucket::Account) && self.scope.from_network.is_some() {
            world.callers[i].step = Step::Noting { write: Write::Forget(network), attempt: 1 };
        } else {
            world.callers[i].end();
        }
    }

    /// Handles a missing answer: the SDK sends the same request again, or gives up.
    fn send_again(&self, world: &mut World, i: usize) {
        match &mut world.callers[i].step {
            Step::Spending { attempt, .. } | Step::Noting { attempt, .. } if *attempt < self.scope.attempts => {
                *attempt += 1;
            }
            Step::Spending { spend, asked_at, .. } if self.variant == Variant::FailOpen => {
                let (bucket, asked_at) = (spend.bucket, *asked_at);
                self.admit(world, i, bucket, Item::default(), asked_at);
            }
            _ => world.callers[i].end(),
        }
    }

    fn can_tick(&self, world: &World) -> bool {
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

    /// Callers of one kind are interchangeable, so they begin in order.
    fn is_next_among_equals(&self, i: usize) -> bool {
        let alike = |other: &Caller| other.person == self.callers[i].person && other.tried <= self.callers[i].tried;
        !self.callers[..i].iter().any(|other| alike(other) && other.step == Step::Waiting)
    }

    fn refuse(&mut self, i: usize) {
        self.callers[i].end();
    }

    fn has_admitted(&self, count: Time) -> bool {
        self.witness.admission_count(Bucket::Account) == usize::try_from(count).unwrap_or_default()
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
