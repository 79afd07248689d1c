//! Models the attempts that are spent before a password is verified: budgets that one of two conditional writes spends, devices and
//! networks that an account knows, and the failures in a row by which it forgets them and is closed to strangers.
//!
//! A try is one invocation. With a device that the account knows, it spends an attempt of the device's budget. Otherwise it spends one of the
//! budget of its network and, unless the account knows the network, counts a failure of strangers. Only then is the password verified.
//! (The budget of the network at all accounts works the same way and is left out.) The first write of a budget has the idle shape, the next
//! the shape that the refusal calls for. A write ends in one of three actions: `Committed` (carried out and answered), `AnswerLost` (carried
//! out, and the SDK sends it again) or `Delayed` (`LateWrite` carries it out at any later time, or never).
//!
//! Each caller meets a machine whose clock may be off; an invocation reads it once, when it begins. The model's clock does not tick
//! while an invocation that is not admitted yet has no time left: it must proceed or be killed (`Crash`).

mod item;
mod tests;
mod witness;

use stateright::{Model, Property};

use item::{Admission, Bucket, Budget, DeviceId, Item, NetworkId, Refusal, Shape, Spend, Time, Write};
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
    /// A known device spends no budget.
    DeviceWithoutBudget,
    /// A known device also spends the budget of its network.
    DeviceSpendsNetwork,
    /// Every device cookie counts as known.
    AnyDeviceKnown,
    /// A device stays known however often it fails.
    DeviceNeverForgotten,
    /// A network stays known however often it fails.
    NetworkNeverForgotten,
    /// Strangers spend a budget of the account as a whole.
    AccountBudget,
    /// Failures of strangers never close the account.
    NeverClosed,
    /// A closed account is closed to known devices, too.
    ClosedToDevices,
    /// A closed account is closed to known networks, too.
    ClosedToKnown,
    /// Failures close an account with a temporary password.
    TemporaryClosed,
    /// A success from a known place opens the account to strangers.
    KnownOpens,
    /// A success from a known device forgives the failures of its network.
    DeviceForgivesNetwork,
    /// A failure of strangers is counted after the password was verified and found wrong.
    CountedAfterwards,
}

/// A person who tries passwords: from which network, with which device cookie, whether with the right password, how often, and how far the
/// clock of the machine that answers is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Person {
    pub(crate) network: NetworkId,
    pub(crate) device: Option<DeviceId>,
    pub(crate) right: bool,
    pub(crate) off: Time,
    pub(crate) tries: u8,
}

/// The bounds of the exploration.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The budget of each device and of each network.
    pub(crate) budget: Budget,
    pub(crate) callers: Vec<Person>,
    /// The devices and networks from which the account has signed in.
    pub(crate) known: Vec<Bucket>,
    /// Whether the password is temporary, so that failures do not close the account.
    pub(crate) temporary: bool,
    /// The number of failures in a row that are verified.
    pub(crate) limit: u8,
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
    strangers: Item,
    networks: Vec<Item>,
    devices: Vec<Item>,
    callers: Vec<Caller>,
    /// Abandoned requests that are still under way, each with its caller if that is an owner, sorted.
    late: Vec<(Write, Option<usize>)>,
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
    /// A stranger's failure is counted.
    Counting {
        asked_at: Time,
        now: Time,
        attempt: u8,
    },
    Verifying {
        admission: Admission,
    },
    /// The writes after the verification, one after the other: best effort, so only the SDK retries them.
    Noting {
        admission: Admission,
        right: bool,
        next: usize,
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
    LateWrite(Write, Option<usize>),
    Tick,
}

impl Model for AttemptModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let people = &self.scope.callers;
        let networks = people.iter().map(|person| person.network + 1).max().unwrap_or_default();
        let devices = people.iter().filter_map(|person| person.device).map(|device| device + 1).max();
        let item = |bucket| Item { known: self.scope.known.contains(&bucket), ..Item::default() };
        let caller = |&person: &Person| Caller { person, tried: 0, step: Step::Waiting };
        vec![World {
            now: 0,
            strangers: Item::default(),
            networks: (0..networks).map(|network| item(Bucket::From(network))).collect(),
            devices: (0..devices.unwrap_or_default()).map(|device| item(Bucket::Device(device))).collect(),
            callers: people.iter().map(caller).collect(),
            late: Vec::new(),
            witness: Witness::knowing(&self.scope.known),
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (i, caller) in world.callers.iter().enumerate() {
            match caller.step {
                Step::Waiting if caller.tried < caller.person.tries && world.is_next_among_equals(i) => {
                    actions.push(Action::Begin(i));
                }
                Step::Waiting => {}
                Step::Spending { .. } | Step::Counting { .. } | Step::Noting { .. } => {
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
        actions.extend(late.into_iter().map(|(write, i)| Action::LateWrite(write, i)));
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
                let write = self.write(&world, i)?;
                let _ = self.carry_out(&mut world, write, self.payer(i));
                self.send_again(&mut world, i);
            }
            Action::Delayed(i) => {
                let write = self.write(&world, i)?;
                world.late.push((write, self.payer(i)));
                world.late.sort_unstable();
                self.send_again(&mut world, i);
            }
            Action::Verified(i) => self.verify(&mut world, i)?,
            Action::Crash(i) => world.callers[i].end(),
            Action::LateWrite(write, i) => {
                let place = world.late.iter().position(|late| *late == (write, i))?;
                world.late.remove(place);
                let _ = self.carry_out(&mut world, write, i);
            }
            Action::Tick => world.now += 1,
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = witness::properties();
        properties.extend([
            Property::sometimes(BURST_SPENT, |model: &Self, world: &World| {
                world.now == 0 && world.has_admitted(model.scope.budget.burst)
            }),
            Property::sometimes(REFILLED, |model: &Self, world: &World| {
                world.has_admitted(model.scope.budget.burst + 1)
            }),
            Property::sometimes(EXHAUSTED, |_, world: &World| world.witness.exhausted),
            Property::sometimes(MORE_BY_SKEW, |model: &Self, world: &World| {
                world.now == 0 && world.has_admitted(model.scope.budget.burst + 1)
            }),
            Property::sometimes(CLOSED, |model: &Self, world: &World| model.is_closed(world)),
            Property::sometimes(IN_WHILE_CLOSED, |_, world: &World| world.witness.got_in_while_closed),
            Property::sometimes(DEVICE_FORGOTTEN, |model: &Self, world: &World| {
                let was_known = |device| model.scope.known.contains(&Bucket::Device(device));
                world.devices.iter().enumerate().any(|(device, item)| was_known(device) && !item.known)
            }),
            Property::sometimes(NETWORK_FORGOTTEN, |model: &Self, world: &World| {
                world.networks.iter().any(|network| network.known && network.failures > model.scope.limit)
            }),
        ]);
        properties
    }
}

pub(crate) const BURST_SPENT: &str = "the burst is admitted at one instant";
pub(crate) const REFILLED: &str = "the bucket refills";
pub(crate) const EXHAUSTED: &str = "a caller has to wait";
pub(crate) const MORE_BY_SKEW: &str = "clocks that differ admit one more attempt at one instant";
pub(crate) const CLOSED: &str = "failures close an account to strangers";
pub(crate) const IN_WHILE_CLOSED: &str = "the owner signs in to a closed account";
pub(crate) const DEVICE_FORGOTTEN: &str = "a device is forgotten";
pub(crate) const NETWORK_FORGOTTEN: &str = "a network is not known any more";

impl AttemptModel {
    fn begin(&self, world: &mut World, i: usize) {
        let Person { network, device, .. } = world.callers[i].person;
        let first = device.map_or(Bucket::From(network), Bucket::Device);
        if self.variant == Variant::VerifyFirst {
            world.witness.record_admission(first, world.now);
        }
        self.spend(world, i, first, world.now);
    }

    fn spend(&self, world: &mut World, i: usize, bucket: Bucket, asked_at: Time) {
        let shape = if self.variant == Variant::BusyOnly { Shape::Busy } else { Shape::Idle };
        let now = asked_at + world.callers[i].person.off;
        let mut spend = Spend { bucket, shape, now, decided: None };
        if self.variant == Variant::ReadThenWrite {
            spend.decided = world.item(bucket).decide(self.variant, self.scope.budget, spend);
            if spend.decided.is_none() {
                return world.callers[i].end();
            }
        }
        world.callers[i].step = Step::Spending { spend, asked_at, trip: 1, attempt: 1 };
    }

    /// Returns the write that an invocation is about to send.
    fn write(&self, world: &World, i: usize) -> Option<Write> {
        match world.callers[i].step {
            Step::Spending { spend, .. } => Some(Write::Spend(spend)),
            Step::Counting { now, .. } => Some(Write::CountStranger { now }),
            Step::Noting { admission, right, next, .. } => {
                self.notes(world.callers[i].person, admission, right).get(next).copied()
            }
            Step::Waiting | Step::Verifying { .. } => None,
        }
    }

    /// Returns the writes after the verification of a password.
    fn notes(&self, person: Person, by: Admission, right: bool) -> Vec<Write> {
        let mut notes = Vec::new();
        match (right, by) {
            (false, Admission::Device { failures }) if failures >= self.scope.limit => {
                if self.variant != Variant::DeviceNeverForgotten {
                    notes.extend(person.device.map(Write::Delete));
                }
            }
            (false, Admission::Stranger { .. }) if self.variant == Variant::CountedAfterwards => {
                notes.push(Write::CountStranger { now: 0 });
            }
            (false, _) => {}
            (true, _) => {
                let forgives =
                    !matches!(by, Admission::Device { .. }) || self.variant == Variant::DeviceForgivesNetwork;
                notes.push(Write::Remember { bucket: Bucket::From(person.network), forgives, by });
                let device = person.device.map(Bucket::Device);
                notes.extend(device.map(|bucket| Write::Remember { bucket, forgives: true, by }));
                if matches!(by, Admission::Stranger { .. }) || self.variant == Variant::KnownOpens {
                    notes.push(Write::Open { by });
                }
            }
        }
        notes
    }

    /// Returns the caller if it is an owner, whose own attempts are told apart from those of others.
    fn payer(&self, i: usize) -> Option<usize> {
        Some(i).filter(|i| self.scope.callers[*i].right)
    }

    /// Carries a write of a caller out: returns the new item, or the unchanged item when the condition fails.
    fn carry_out(&self, world: &mut World, write: Write, payer: Option<usize>) -> Result<Item, Item> {
        let limit = self.scope.limit;
        match write {
            Write::Spend(spend) => {
                let item = world.item(spend.bucket);
                let is_usable =
                    !matches!(spend.bucket, Bucket::Device(_)) || item.is_usable_device(self.variant, limit);
                if !is_usable || !item.spend(self.variant, self.scope.budget, spend) {
                    return Err(*item);
                }
                let item = *item;
                world.witness.spent += 1;
                if let Some(payer) = payer {
                    *world.witness.spent_by.entry((payer, spend.bucket)).or_default() += 1;
                }
                Ok(item)
            }
            Write::CountStranger { now } => self.count_stranger(&mut world.strangers, now),
            Write::Remember { bucket, forgives, by } => {
                let item = world.item(bucket);
                item.known = true;
                if forgives {
                    item.failures = 0;
                    world.witness.record_reset(bucket, by);
                }
                world.witness.record_known(bucket);
                Ok(*world.item(bucket))
            }
            Write::Open { by } => {
                world.strangers.failures = 0;
                world.witness.record_reset(Bucket::Strangers, by);
                Ok(world.strangers)
            }
            Write::Delete(device) => {
                let item = &mut world.devices[device];
                if item.failures >= limit {
                    *item = Item::default();
                }
                Ok(world.devices[device])
            }
        }
    }

    fn count_stranger(&self, item: &mut Item, now: Time) -> Result<Item, Item> {
        if self.variant == Variant::AccountBudget {
            let spend = Spend { bucket: Bucket::Strangers, shape: Shape::Idle, now, decided: None };
            *item = item.decide(self.variant, self.scope.budget, spend).ok_or(*item)?;
        } else if item.failures < self.scope.limit {
            item.failures += 1;
        } else {
            return Err(*item);
        }
        Ok(*item)
    }

    fn deliver_answer(&self, world: &mut World, i: usize) -> Option<()> {
        let write = self.write(world, i)?;
        match (world.callers[i].step, self.carry_out(world, write, self.payer(i))) {
            (Step::Spending { spend, asked_at, .. }, Ok(item)) => self.admit(world, i, spend.bucket, item, asked_at),
            (Step::Spending { spend, asked_at, trip, .. }, Err(item)) => {
                self.try_again(world, i, (spend, asked_at, trip), item);
            }
            (Step::Counting { .. }, Err(_)) if self.variant == Variant::AccountBudget => {
                self.turn_away(world, i, Bucket::Strangers);
            }
            (Step::Counting { .. }, counted) => {
                let failures = counted.ok().map(|item| item.failures);
                world.callers[i].step = Step::Verifying { admission: Admission::Stranger { failures } };
            }
            (Step::Noting { .. }, _) => self.continue_noting(world, i),
            (Step::Waiting | Step::Verifying { .. }, _) => return None,
        }
        Some(())
    }

    /// Continues after a budget has refused an attempt: with another shape, with the network of a device that is not known, or not at all.
    fn try_again(&self, world: &mut World, i: usize, (spend, asked_at, trip): (Spend, Time, u8), item: Item) {
        if matches!(spend.bucket, Bucket::Device(_)) && !item.is_usable_device(self.variant, self.scope.limit) {
            let network = Bucket::From(world.callers[i].person.network);
            return self.spend(world, i, network, asked_at);
        }
        match self.scope.budget.judge_refusal(item.tat, spend.now) {
            Refusal::Again(shape) if trip < self.scope.trips => {
                let spend = Spend { shape, ..spend };
                world.callers[i].step = Step::Spending { spend, asked_at, trip: trip + 1, attempt: 1 };
            }
            Refusal::Again(_) => world.callers[i].end(),
            Refusal::Exhausted => {
                world.witness.exhausted = true;
                self.turn_away(world, i, spend.bucket);
            }
        }
    }

    fn admit(&self, world: &mut World, i: usize, bucket: Bucket, item: Item, asked_at: Time) {
        let Person { network, device, off, .. } = world.callers[i].person;
        if self.variant != Variant::VerifyFirst {
            world.witness.record_admission(bucket, world.now);
        }
        let admission = match bucket {
            Bucket::Device(_) if self.variant == Variant::DeviceSpendsNetwork => {
                return self.spend(world, i, Bucket::From(network), asked_at);
            }
            Bucket::Device(_) => Admission::Device { failures: item.failures },
            Bucket::From(_) if self.variant == Variant::DeviceSpendsNetwork && device.is_some() => {
                Admission::Device { failures: 0 }
            }
            Bucket::From(_) if item.is_known_network(self.variant, self.scope.limit) => Admission::KnownNetwork,
            Bucket::From(_) if self.variant == Variant::CountedAfterwards => {
                let open = world.strangers.failures < self.scope.limit;
                Admission::Stranger { failures: open.then_some(world.strangers.failures) }
            }
            Bucket::From(_) | Bucket::Strangers => {
                world.callers[i].step = Step::Counting { asked_at, now: asked_at + off, attempt: 1 };
                return;
            }
        };
        world.callers[i].step = Step::Verifying { admission };
    }

    /// Refuses an attempt. `at` is the budget that is exhausted, or the failures that have closed the account.
    fn turn_away(&self, world: &mut World, i: usize, at: Bucket) {
        let Person { network, device, right, .. } = world.callers[i].person;
        let attackers = || self.scope.callers.iter().filter(|person| !person.right);
        let shares_network = attackers().any(|person| person.network == network);
        let shares_device = attackers().any(|person| device.is_some() && person.device == device);
        let (device, network) = (device.map(Bucket::Device), Bucket::From(network));
        // An owner whose answers were lost may have spent a budget or failed too often alone.
        let spent = |bucket: Bucket| world.witness.spent_by(i, bucket);
        let burst = u8::try_from(self.scope.budget.burst).unwrap_or_default();
        let knows = |bucket: Bucket| self.scope.known.contains(&bucket) && spent(bucket) <= self.scope.limit;
        let by_device = device.is_some_and(knows) && !shares_device;
        let by_network = knows(network) && !shares_network;
        let by_temporary = self.scope.temporary && !shares_network;
        let is_own_fault = at != Bucket::Strangers && spent(at) >= burst;
        world.witness.owner_kept_out |= right && !is_own_fault && (by_device || by_network || by_temporary);
        world.callers[i].end();
    }

    fn is_closed(&self, world: &World) -> bool {
        !self.scope.temporary && world.strangers.failures >= self.scope.limit
    }

    /// Returns whether the password is verified for an attempt that was admitted.
    fn is_open_to(&self, world: &World, admission: Admission) -> bool {
        let can_be_closed = !self.scope.temporary || self.variant == Variant::TemporaryClosed;
        let is_closed = match admission {
            Admission::Device { .. } => self.variant == Variant::ClosedToDevices && self.is_closed(world),
            Admission::KnownNetwork => self.variant == Variant::ClosedToKnown && self.is_closed(world),
            Admission::Stranger { failures } => failures.is_none() && self.variant != Variant::NeverClosed,
        };
        !(is_closed && can_be_closed)
    }

    fn verify(&self, world: &mut World, i: usize) -> Option<()> {
        let Step::Verifying { admission } = world.callers[i].step else { return None };
        let Person { network, device, right, .. } = world.callers[i].person;
        if !self.is_open_to(world, admission) {
            self.turn_away(world, i, Bucket::Strangers);
            return Some(());
        }
        if right {
            world.witness.got_in_while_closed |= self.is_closed(world);
        } else {
            world.witness.record_guess(device.map(Bucket::Device), Bucket::From(network), admission);
        }
        if self.notes(world.callers[i].person, admission, right).is_empty() {
            world.callers[i].end();
        } else {
            world.callers[i].step = Step::Noting { admission, right, next: 0, attempt: 1 };
        }
        Some(())
    }

    /// Continues after a best-effort write. The function sends these writes in parallel; here one follows the other, and a late one still
    /// arrives at any time.
    fn continue_noting(&self, world: &mut World, i: usize) {
        let Step::Noting { admission, right, next, .. } = world.callers[i].step else { return };
        if next + 1 < self.notes(world.callers[i].person, admission, right).len() {
            world.callers[i].step = Step::Noting { admission, right, next: next + 1, attempt: 1 };
        } else {
            world.callers[i].end();
        }
    }

    /// Handles a missing answer: the SDK sends the same request again, or gives up.
    fn send_again(&self, world: &mut World, i: usize) {
        match &mut world.callers[i].step {
            Step::Spending { attempt, .. } | Step::Counting { attempt, .. } | Step::Noting { attempt, .. }
                if *attempt < self.scope.attempts =>
            {
                *attempt += 1;
            }
            Step::Spending { spend, .. } if self.variant == Variant::FailOpen => {
                let bucket = spend.bucket;
                world.witness.record_admission(bucket, world.now);
                world.callers[i].step = Step::Verifying { admission: Admission::KnownNetwork };
            }
            Step::Noting { .. } => self.continue_noting(world, i),
            _ => world.callers[i].end(),
        }
    }

    fn can_tick(&self, world: &World) -> bool {
        world.callers.iter().all(|caller| match caller.step {
            Step::Spending { asked_at, .. } | Step::Counting { asked_at, .. } => {
                world.now - asked_at < self.scope.patience
            }
            Step::Waiting | Step::Verifying { .. } | Step::Noting { .. } => true,
        })
    }
}

impl World {
    fn item(&mut self, bucket: Bucket) -> &mut Item {
        match bucket {
            Bucket::Device(device) => &mut self.devices[device],
            Bucket::From(network) => &mut self.networks[network],
            Bucket::Strangers => &mut self.strangers,
        }
    }

    /// Returns the items that have a budget.
    fn places(&self) -> impl Iterator<Item = Bucket> {
        (0..self.devices.len()).map(Bucket::Device).chain((0..self.networks.len()).map(Bucket::From))
    }

    /// Callers of one kind are interchangeable, so they begin in order.
    fn is_next_among_equals(&self, i: usize) -> bool {
        let alike = |other: &Caller| other.person == self.callers[i].person && other.tried <= self.callers[i].tried;
        !self.callers[..i].iter().any(|other| alike(other) && other.step == Step::Waiting)
    }

    fn has_admitted(&self, count: Time) -> bool {
        self.witness.most_admissions() == usize::try_from(count).unwrap_or_default()
    }
}

impl Caller {
    fn end(&mut self) {
        self.step = Step::Waiting;
        self.tried += 1;
    }
}
