//! The items of the providers' metadata, and the conditional write on them.

use super::{KeysModel, Variant, World};

/// Ticks of one clock. A tick stands for five minutes.
pub(crate) type Time = u8;

/// The index of an issuer.
pub(crate) type IssuerId = usize;

pub(crate) const CUSTOMERS: IssuerId = 0;
pub(crate) const OPERATORS: IssuerId = 1;

/// The time between two runs of the schedule: 15 minutes.
pub(crate) const INTERVAL: Time = 3;
/// The time for the delay of the schedule and for a run: a minute.
pub(crate) const DELAY: Time = 1;
/// How long a process keeps what it has read: 14 minutes.
pub(crate) const KEPT: Time = 2;
/// The age from which a process asks the provider itself: 30 minutes.
pub(crate) const LATE: Time = 6;
/// How long metadata is good: 24 hours.
pub(crate) const GOOD: Time = 10;
/// How much later than a run an item can be dated that is not from the future: 30 minutes.
pub(crate) const LATEST: Time = 6;
/// How long after its signature AWS still carries out a request: 15 minutes.
pub(crate) const SIGNED: Time = 3;
/// How long after its event Lambda still begins a run: ten minutes.
pub(crate) const EVENT_AGE: Time = 2;

/// The key that has signed a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    /// The customers' provider withdraws it.
    Old,
    /// The customers' provider adds it.
    New,
    /// The operators' provider publishes it.
    Operators,
    /// A made-up key, which no provider publishes.
    Forged,
}

/// The keys of a provider at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum KeySet {
    Old,
    Both,
    New,
    Operators,
    /// No key that can be used.
    Empty,
}

/// An item, which is also the write that puts it. Every attempt, and every copy that is carried out late, is this same write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Item {
    /// The issuer that the item names.
    pub(crate) issuer: IssuerId,
    pub(crate) keys: KeySet,
    pub(crate) fetched_at: Time,
    /// Whether a run has put the item, and at its own place. Otherwise a person has, or a clock that was ahead.
    pub(crate) by_run: bool,
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Written {
    Done,
    /// The table has metadata that was fetched later.
    Refused,
}

impl KeySet {
    pub(crate) fn contains(self, key: Key) -> bool {
        match key {
            Key::Old => matches!(self, Self::Old | Self::Both),
            Key::New => matches!(self, Self::Both | Self::New),
            Key::Operators => self == Self::Operators,
            Key::Forged => false,
        }
    }

    /// Returns the issuer that has published the keys.
    pub(crate) fn issuer(self) -> Option<IssuerId> {
        match self {
            Self::Old | Self::Both | Self::New => Some(CUSTOMERS),
            Self::Operators => Some(OPERATORS),
            Self::Empty => None,
        }
    }
}

impl KeysModel {
    /// Returns the item at the key of `issuer`.
    pub(crate) fn item(&self, world: &World, issuer: IssuerId) -> Option<Item> {
        world.items[self.place(issuer)]
    }

    fn place(&self, issuer: IssuerId) -> usize {
        if self.variant == Variant::OneItem { CUSTOMERS } else { issuer }
    }

    /// Carries out a write, whether or not a run still waits for it.
    pub(crate) fn put(&self, world: &mut World, write: Item, is_late: bool) -> Written {
        let place = self.place(write.issuer);
        let found = world.items[place];
        let written = if self.is_condition_met(found, write) { Written::Done } else { Written::Refused };
        if written == Written::Done {
            world.items[place] = Some(write);
        }
        world.witness.observe_write(found, write, written, is_late);
        written
    }

    /// Evaluates the condition of the put.
    fn is_condition_met(&self, found: Option<Item>, write: Item) -> bool {
        let Some(found) = found else { return self.variant != Variant::FirstPutRefused };
        let latest = match self.variant {
            Variant::FutureNotReplaced => Time::MAX,
            Variant::FutureTooNear => write.fetched_at + SIGNED,
            _ => write.fetched_at + LATEST,
        };
        let is_no_newer = match self.variant {
            Variant::PutUnconditional | Variant::ReadThenPut => true,
            Variant::StrictlyOlderReplaced => found.fetched_at < write.fetched_at,
            _ => found.fetched_at <= write.fetched_at,
        };
        is_no_newer || found.fetched_at > latest
    }
}
