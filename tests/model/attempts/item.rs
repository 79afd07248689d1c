//! An item with a budget and a count of failures, and the writes on it.

use super::Variant;

/// Ticks. A process reads the clock of its own machine.
pub(crate) type Time = i8;

/// The index of a network.
pub(crate) type NetworkId = usize;

/// The index of a device cookie.
pub(crate) type DeviceId = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) burst: Time,
    pub(crate) interval: Time,
}

/// The item that a write is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Bucket {
    /// The account's item for one device.
    Device(DeviceId),
    /// The account's item for one network.
    From(NetworkId),
    /// The account's failures of strangers, which has no budget but in a mutant.
    Strangers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Shape {
    Idle,
    Busy,
}

/// How an account knows the origin of an admitted attempt, with the failures in a row there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Admission {
    Device {
        failures: u8,
    },
    KnownNetwork,
    /// `None` if there were as many failures as the limit before.
    Stranger {
        failures: Option<u8>,
    },
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
    /// Adds one failure of strangers, if there are fewer than the limit.
    CountStranger {
        now: Time,
    },
    /// Makes a device or a network known after a right password, and may reset its failures.
    Remember {
        bucket: Bucket,
        forgives: bool,
        by: Admission,
    },
    /// Resets the failures of strangers after a right password.
    Open {
        by: Admission,
    },
    /// Deletes a device that has failed too often.
    Delete(DeviceId),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Item {
    pub(crate) tat: Option<Time>,
    pub(crate) failures: u8,
    /// Whether the account has signed in from this device or network.
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
    /// Returns whether the account knows this device, and counts one more failure of it.
    pub(crate) fn is_usable_device(self, variant: Variant, limit: u8) -> bool {
        let is_known = self.known || variant == Variant::AnyDeviceKnown;
        is_known && (self.failures < limit || variant == Variant::DeviceNeverForgotten)
    }

    /// Returns whether the account knows this network, after the failure of the attempt that asks is counted.
    pub(crate) fn is_known_network(self, variant: Variant, limit: u8) -> bool {
        self.known && (self.failures <= limit || variant == Variant::NetworkNeverForgotten)
    }

    /// Evaluates the condition of `spend` on its budget and applies its update; returns whether the condition held.
    pub(crate) fn spend(&mut self, variant: Variant, budget: Budget, spend: Spend) -> bool {
        if let Some(decided) = spend.decided {
            *self = decided;
            return true;
        }
        let is_unlimited = variant == Variant::DeviceWithoutBudget && matches!(spend.bucket, Bucket::Device(_));
        let admitted = match spend.shape {
            Shape::Idle => variant == Variant::IdleUnconditional || self.tat.is_none_or(|tat| tat <= spend.now),
            Shape::Busy => {
                let begun = self.tat.is_none_or(|tat| tat > spend.now) || variant == Variant::BusyOnly;
                begun && self.tat.is_none_or(|tat| tat <= budget.latest(spend.now))
            }
        };
        if admitted || is_unlimited {
            let from = match (spend.shape, self.tat) {
                (Shape::Busy, Some(tat)) => tat,
                (Shape::Idle, _) | (Shape::Busy, None) => spend.now,
            };
            self.tat = Some(from + budget.interval);
            self.failures = self.failures.saturating_add(1);
        }
        admitted || is_unlimited
    }

    /// Returns the item after `spend`, decided by a read, or `None` when no attempt is left.
    pub(crate) fn decide(mut self, variant: Variant, budget: Budget, spend: Spend) -> Option<Self> {
        match budget.judge_refusal(self.tat, spend.now) {
            Refusal::Again(shape) => self.spend(variant, budget, Spend { shape, ..spend }).then_some(self),
            Refusal::Exhausted => None,
        }
    }
}
