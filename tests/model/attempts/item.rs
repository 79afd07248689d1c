//! An item with a budget and a count of failures, and the writes on it.

use super::Variant;

/// Ticks. A process reads the clock of its own machine.
pub(crate) type Time = i8;

/// The index of a network.
pub(crate) type NetworkId = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) burst: Time,
    pub(crate) interval: Time,
}

/// The item that a write is on: the account's own, or the account's item for one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Bucket {
    Account,
    From(NetworkId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Shape {
    Idle,
    Busy,
}

/// The serialised write that spends one attempt. The SDK's retries and late copies are this same write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Spend {
    pub(crate) bucket: Bucket,
    pub(crate) shape: Shape,
    pub(crate) now: Time,
    /// The item to write without a condition, in the mutant that reads and then writes.
    pub(crate) decided: Option<Item>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Write {
    Spend(Spend),
    /// Resets the count of failures after a right password.
    Forget(Bucket),
    /// Adds one failure, in the mutant that counts them after the verification.
    CountFailure,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Item {
    pub(crate) tat: Option<Time>,
    pub(crate) failures: u8,
    /// Whether the account has signed in from this network; unused in the account's own item.
    pub(crate) known: bool,
}

/// The meaning of a refused write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Again(Shape),
    Exhausted,
}

impl Budget {
    pub(crate) fn latest(self, now: Time) -> Time {
        now + (self.burst - 1) * self.interval
    }

    pub(crate) fn judge_refusal(self, tat: Option<Time>, now: Time) -> Refusal {
        match tat {
            Some(tat) if tat > self.latest(now) => Refusal::Exhausted,
            Some(tat) if tat > now => Refusal::Again(Shape::Busy),
            _ => Refusal::Again(Shape::Idle),
        }
    }
}

impl Item {
    /// Evaluates the condition of `spend` and applies its update; returns whether the condition held.
    pub(crate) fn spend(&mut self, variant: Variant, budget: Budget, spend: Spend) -> bool {
        if let Some(decided) = spend.decided {
            *self = decided;
            return true;
        }
        let admitted = match spend.shape {
            Shape::Idle => variant == Variant::IdleUnconditional || self.tat.is_none_or(|tat| tat <= spend.now),
            Shape::Busy => {
                let begun = self.tat.is_none_or(|tat| tat > spend.now) || variant == Variant::BusyOnly;
                begun && self.tat.is_none_or(|tat| tat <= budget.latest(spend.now))
            }
        };
        if admitted {
            let from = match (spend.shape, self.tat) {
                (Shape::Busy, Some(tat)) => tat,
                (Shape::Idle, _) | (Shape::Busy, None) => spend.now,
            };
            self.tat = Some(from + budget.interval);
            self.failures += u8::from(variant != Variant::CountedAfterwards);
        }
        admitted
    }

    /// Returns the item after `spend`, decided by a read, or `None` when no attempt is left.
    pub(crate) fn decide(mut self, variant: Variant, budget: Budget, spend: Spend) -> Option<Self> {
        match budget.judge_refusal(self.tat, spend.now) {
            Refusal::Again(shape) => self.spend(variant, budget, Spend { shape, ..spend }).then_some(self),
            Refusal::Exhausted => None,
        }
    }
}
