//! The budgets of password attempts: spent by plain conditional writes, before any password is verified.

use domain::{
    Budget, ClaimedName, Network, Timestamp,
    attempts::{ACCOUNT, ACCOUNT_FROM_NETWORK, Millis, REMEMBERED, Shape, Spend, millis},
};

use super::{
    Table,
    condition::{self, Placeholders},
    item::{Attributes, Reader, number, signed, time},
    names::{Key, TTL},
    transaction::{Change, Write},
};
use crate::Failure;

/// Counts attempts, and forgets failures after a success.
pub struct Attempts {
    table: Table,
    pub(super) network: Budget,
}

/// The result of [`Attempts::spend`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpendOutcome {
    /// The password may be verified.
    Admitted {
        /// Wrong passwords in a row from everywhere, including this attempt; `None` from a network that the account has signed in from,
        /// where they are not counted.
        failures: Option<u64>,
    },
    /// One of the budgets is exhausted.
    Exhausted {
        /// Seconds until it has room again.
        retry_after: u32,
    },
}

/// The result of one budget.
pub(super) enum Spent {
    /// One attempt is spent; the item after the write.
    Admitted(Attributes),
    Exhausted {
        retry_after: u32,
    },
}

const FAILURES: &str = "failures";
const KNOWN_UNTIL: &str = "known_until";
const TAT: &str = "tat";

const PLACEHOLDERS: Placeholders = &[("#failures", FAILURES), ("#known", KNOWN_UNTIL), ("#tat", TAT), ("#ttl", TTL)];

/// Nothing was ever spent of the budget.
const IS_UNUSED: &str = "attribute_not_exists(#tat)";
/// The budget is full again. Otherwise: `Shape::Busy`.
const IS_FULL: &str = "#tat <= :now";
/// The budget is not full. Otherwise: `Shape::Idle`.
const IS_NOT_FULL: &str = "#tat > :now";
/// The budget has room for one more attempt. Otherwise: `Spend::Exhausted`.
const HAS_ROOM: &str = "#tat <= :latest";

/// The number of writes after which an attempt is refused. The shape of a budget may change between the read and the write, since other
/// callers spend from it at the same time and clocks differ.
const TRIPS: u32 = 6;

const OPERATION: &str = "dynamodb UpdateItem (attempts)";

/// Returns the key of a network's attempts at all accounts.
fn network_key(network: &Network) -> Key {
    Key { pk: network_part(network), sk: "ATTEMPTS".to_owned() }
}

/// Returns the key of the attempts at an account from one network.
fn account_from_network_key(name: &ClaimedName, network: &Network) -> Key {
    Key { pk: account_part(name), sk: network_part(network) }
}

/// Returns the key of the attempts at an account from all networks that it has not signed in from.
fn account_key(name: &ClaimedName) -> Key {
    Key { pk: account_part(name), sk: "ACCOUNT".to_owned() }
}

fn account_part(name: &ClaimedName) -> String {
    format!("ATTEMPTS#{}", name.as_str())
}

pub(super) fn network_part(network: &Network) -> String {
    format!("NETWORK#{}", network.as_str())
}

impl Attempts {
    /// Returns the store over `table`; `network` is the budget of one network at all accounts.
    #[must_use]
    pub fn new(table: Table, network: Budget) -> Self {
        Self { table, network }
    }

    /// Spends one attempt of each budget that applies to `name` from `network`. The network's own comes first, so that one network
    /// takes no more of an account's budget than its share. The account's comes last, and does not apply to a network that the account
    /// has signed in from, so that strangers cannot keep its owner out.
    pub async fn spend(&self, name: &ClaimedName, network: &Network, now: Timestamp) -> Result<SpendOutcome, Failure> {
        let spend = Spending { budget: self.network, failures: Failures::Ignored, now };
        if let Spent::Exhausted { retry_after } = self.spend_one(|| network_key(network), spend).await? {
            return Ok(SpendOutcome::Exhausted { retry_after });
        }
        let spend = Spending { budget: ACCOUNT_FROM_NETWORK, failures: Failures::Counted, now };
        let from_here = match self.spend_one(|| account_from_network_key(name, network), spend).await? {
            Spent::Admitted(item) => item,
            Spent::Exhausted { retry_after } => return Ok(SpendOutcome::Exhausted { retry_after }),
        };
        if Reader(&from_here).optional_time(KNOWN_UNTIL)?.is_some_and(|until| now < until) {
            return Ok(SpendOutcome::Admitted { failures: None });
        }
        let spend = Spending { budget: ACCOUNT, failures: Failures::Counted, now };
        match self.spend_one(|| account_key(name), spend).await? {
            Spent::Admitted(item) => Ok(SpendOutcome::Admitted { failures: Some(Reader(&item).number(FAILURES)?) }),
            Spent::Exhausted { retry_after } => Ok(SpendOutcome::Exhausted { retry_after }),
        }
    }

    /// Records a right password: it resets the count of consecutive failures, and makes the network known.
    pub async fn succeeded(&self, name: &ClaimedName, network: &Network, now: Timestamp) -> Result<(), Failure> {
        let until = now.plus(REMEMBERED);
        let forget = |key: Key, update: &str| Change::new(key, PLACEHOLDERS, update).value(":until", time(until));
        let forgotten = forget(account_key(name), "SET #ttl = :until REMOVE #failures");
        let known =
            forget(account_from_network_key(name, network), "SET #ttl = :until, #known = :until REMOVE #failures");
        let (forgotten, known) =
            futures_util::join!(self.table.write_once(OPERATION, forgotten), self.table.write_once(OPERATION, known));
        forgotten.and(known).map(|_| ())
    }

    /// Spends one attempt of one budget. A write whose answer was lost is sent again and spends another attempt: it costs the caller
    /// one, and never admits one more.
    pub(super) async fn spend_one(&self, key: impl Fn() -> Key, spend: Spending) -> Result<Spent, Failure> {
        let mut shape = Shape::Idle;
        for _ in 0..TRIPS {
            let refused = match self.table.write_once(OPERATION, spend.change(key(), shape)).await? {
                Write::Done(item) => return Ok(Spent::Admitted(item)),
                Write::Refused(item) => item,
            };
            let tat: Option<Millis> = match &refused {
                Some(item) => Reader(item).optional_number(TAT)?,
                None => None,
            };
            match spend.budget.judge_refusal(tat, millis(spend.now)) {
                Spend::Again(other) => shape = other,
                Spend::Exhausted { retry_after } => return Ok(Spent::Exhausted { retry_after }),
            }
        }
        Ok(Spent::Exhausted { retry_after: 1 })
    }
}

/// Whether an item counts wrong passwords in a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Failures {
    Counted,
    Ignored,
}

/// One attempt that is to be spent of one budget.
#[derive(Clone, Copy)]
pub(super) struct Spending {
    pub(super) budget: Budget,
    pub(super) failures: Failures,
    pub(super) now: Timestamp,
}

impl Spending {
    /// Returns the write in one of its two shapes.
    fn change(self, key: Key, shape: Shape) -> Change {
        let now = millis(self.now);
        let change = match shape {
            Shape::Idle => Change::new(key, PLACEHOLDERS, "SET #tat = :next, #ttl = :ttl")
                .only_if(&condition::any(&[IS_UNUSED, IS_FULL]))
                .value(":next", signed(now.saturating_add(self.budget.interval_millis()))),
            Shape::Busy => Change::new(key, PLACEHOLDERS, "SET #tat = #tat + :interval, #ttl = :ttl")
                .only_if(&condition::all([IS_NOT_FULL, HAS_ROOM]))
                .value(":interval", signed(self.budget.interval_millis()))
                .value(":latest", signed(self.budget.latest(now))),
        };
        let change = change.returning_item().value(":now", signed(now)).value(":ttl", time(self.now.plus(REMEMBERED)));
        match self.failures {
            Failures::Counted => change
                .and(", #failures = if_not_exists(#failures, :zero) + :one")
                .value(":zero", number(0_u64))
                .value(":one", number(1_u64)),
            Failures::Ignored => change,
        }
    }
}
