//! A bucket with its count of failures, and the plain writes on it.

use super::Variant;

/// Ticks; a process reads the clock of its own machine.
pub(crate) type Time = i8;

/// Networks are known by their place.
pub(crate) type NetworkId = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) burst: Time,
    pub(crate) interval: Time,
}

/// Which item a write is on: the account's, or the account's for one network.
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

/// A write that spends one attempt, as it was serialised: whatever the SDK sends again, and what is carried out late, is this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Spend {
    pub(crate) bucket: Bucket,
    pub(crate) shape: Shape,
    pub(crate) now: Time,
    /// What is written without a condition, in the mutant that decides by reading.
    pub(crate) decided: Option<Item>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Write {
    Spend(Spend),
    /// The right password: failures are not in a row any more.
    Forget(Bucket),
    /// One more, in the mutant that counts them after the verification.
    CountFailure,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Item {
    pub(crate) tat: Option<Time>,
    pub(crate) failures: u8,
    /// Of a network: the account has signed in from here.
    pub(crate) known: bool,
}

/// What a refused write means.
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
    /// The condition and the update of `spend`.
    pub(crate) fn spend(&mut self, variant: Variant, budget: Budget, spend: Spend) -> bool {
        if let Some(decided) = spend.decided {
            *self = decided;
            return true;
        }
        let admitted = match spend.shape {
            Shape::Idle => variant == Variant::IdleUnasked || self.tat.is_none_or(|tat| tat <= spend.now),
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

    /// As it would be after `spend`, decided by a read; `None` where nothing is left.
    pub(crate) fn decide(mut self, variant: Variant, budget: Budget, spend: Spend) -> Option<Self> {
        match budget.judge_refusal(self.tat, spend.now) {
            Refusal::Again(shape) => self.spend(variant, budget, Spend { shape, ..spend }).then_some(self),
            Refusal::Exhausted => None,
        }
    }
}
