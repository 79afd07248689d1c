//! The budgets of password attempts: spent by plain conditional writes, before any password is verified.
//!
//! One [`Spending`] of one key is a budget: a burst, an interval, and what else its item keeps. [`Attempts::spend`] spends those of an
//! attempt to sign in.

use domain::{
    Admission, Budget, ClaimedName, DeviceDigest, Network, Origin, Timestamp, UserName,
    attempts::{
        ACCOUNT_FROM_NETWORK, DEVICE, FAILURES_IN_A_ROW, Millis, NETWORK_STORED, REMEMBERED, Shape, Spend, is_known,
        millis,
    },
    device,
};
use futures_util::{future::try_join_all, join};

use super::{
    Table,
    condition::{self, ITEM_EXISTS, Placeholders},
    item::{Attributes, Reader, number, signed, text, time},
    names::{Key, PK, SK, TTL},
    transaction::{Change, Write},
};
use crate::{Failure, retry::in_time_of_one};

/// Counts attempts, remembers the devices and networks of an account, and forgets them and its failures.
pub struct Attempts {
    table: Table,
    pub(super) network: Budget,
}

/// The result of [`Attempts::spend`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpendOutcome {
    /// The password may be verified, if the account is open to the attempt.
    Admitted(Admission),
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

/// How the partition keys of the attempts at all accounts begin.
const ACCOUNT_PREFIX: &str = "ATTEMPTS#";
const DEVICE_PREFIX: &str = "DEVICE#";
const NETWORK_PREFIX: &str = "NETWORK#";

const PLACEHOLDERS: Placeholders =
    &[("#failures", FAILURES), ("#known", KNOWN_UNTIL), ("#pk", PK), ("#sk", SK), ("#tat", TAT), ("#ttl", TTL)];

/// Nothing was ever spent of the budget.
const IS_UNUSED: &str = "attribute_not_exists(#tat)";
/// The budget is full again. Otherwise: `Shape::Busy`.
const IS_FULL: &str = "#tat <= :now";
/// The budget is not full. Otherwise: `Shape::Idle`.
const IS_NOT_FULL: &str = "#tat > :now";
/// The budget has room for one more attempt. Otherwise: `Spend::Exhausted`.
const HAS_ROOM: &str = "#tat <= :latest";
/// The account knows the device. Otherwise: a stranger, or a known network.
const IS_KNOWN: &str = "#known > :today";
/// There are no failures in a row.
const NO_FAILURES: &str = "attribute_not_exists(#failures)";
/// There are fewer failures in a row than the limit.
const FEW_FAILURES: &str = "#failures < :limit";
/// There are as many failures in a row as the limit.
const MANY_FAILURES: &str = "#failures >= :limit";

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

/// Returns the key of the attempts at an account from a device.
fn device_key(name: &ClaimedName, device: &DeviceDigest) -> Key {
    Key { pk: account_part(name), sk: format!("{DEVICE_PREFIX}{}", device.as_str()) }
}

/// Returns the key of the failures of strangers at an account.
fn account_key(name: &ClaimedName) -> Key {
    Key { pk: account_part(name), sk: "ACCOUNT".to_owned() }
}

/// Returns the partition key of the attempts at an account.
pub(super) fn account_part(name: &ClaimedName) -> String {
    format!("{ACCOUNT_PREFIX}{}", name.as_str())
}

pub(super) fn network_part(network: &Network) -> String {
    format!("{NETWORK_PREFIX}{}", network.as_str())
}

impl Attempts {
    /// Returns the store over `table`; `network` is the budget of one network at all accounts.
    #[must_use]
    pub fn new(table: Table, network: Budget) -> Self {
        Self { table, network }
    }

    /// Spends one attempt at `name` of each budget that applies to `origin`. A device that the account knows spends its own budget alone, so
    /// that neither neighbours nor strangers keep its owner out. A device that it does not know costs one write, for unknown names too.
    pub async fn spend(&self, name: &ClaimedName, origin: &Origin, now: Timestamp) -> Result<SpendOutcome, Failure> {
        if let Some(device) = &origin.device {
            let spend = Spending { budget: DEVICE, failures: Failures::OfKnownDevice, now };
            match self.spend_if(|| device_key(name, device), spend, |item| is_usable(item, now)).await? {
                Some(Spent::Admitted(item)) => {
                    let failures = Reader(&item).number(FAILURES)?;
                    return Ok(SpendOutcome::Admitted(Admission::Device { failures }));
                }
                Some(Spent::Exhausted { retry_after }) => return Ok(SpendOutcome::Exhausted { retry_after }),
                None => {}
            }
        }
        let spend = Spending { budget: self.network, failures: Failures::Ignored, now };
        if let Spent::Exhausted { retry_after } = self.spend_one(|| network_key(&origin.network), spend).await? {
            return Ok(SpendOutcome::Exhausted { retry_after });
        }
        let spend = Spending { budget: ACCOUNT_FROM_NETWORK, failures: Failures::Counted, now };
        let from_here = match self.spend_one(|| account_from_network_key(name, &origin.network), spend).await? {
            Spent::Admitted(item) => item,
            Spent::Exhausted { retry_after } => return Ok(SpendOutcome::Exhausted { retry_after }),
        };
        let known_until = Reader(&from_here).optional_time(KNOWN_UNTIL)?;
        if is_known(known_until, Reader(&from_here).number(FAILURES)?, now) {
            return Ok(SpendOutcome::Admitted(Admission::KnownNetwork));
        }
        let failures = self.count_stranger(name, now).await?;
        Ok(SpendOutcome::Admitted(Admission::Stranger { failures }))
    }

    /// Counts a failure of strangers at an account. Returns those in a row, or `None` if there are too many to count another.
    async fn count_stranger(&self, name: &ClaimedName, now: Timestamp) -> Result<Option<u64>, Failure> {
        let count = Change::new(account_key(name), PLACEHOLDERS, "SET #ttl = :ttl ADD #failures :one")
            .only_if(&condition::any(&[NO_FAILURES, FEW_FAILURES]))
            .returning_item()
            .value(":ttl", time(now.plus(REMEMBERED)))
            .value(":one", number(1_u64))
            .value(":limit", number(FAILURES_IN_A_ROW));
        match self.table.write_once(OPERATION, count).await? {
            Write::Done(item) => Reader(&item).number(FAILURES).map(Some),
            Write::Refused(_) => Ok(None),
        }
    }

    /// Records a right password: forgets the failures in a row of what the attempt came by, and makes network and device known. `device` is
    /// the one whose token the browser has after the answer.
    pub async fn succeeded(
        &self,
        name: &ClaimedName,
        origin: &Origin,
        admission: Admission,
        device: Option<&DeviceDigest>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let network = remember(account_from_network_key(name, &origin.network), REMEMBERED, now);
        let (network, strangers) = match admission {
            Admission::Device { .. } => (network, None),
            Admission::KnownNetwork => (network.and(FORGET_FAILURES), None),
            Admission::Stranger { .. } => {
                let until = now.plus(REMEMBERED);
                let strangers = Change::new(account_key(name), PLACEHOLDERS, "SET #ttl = :until REMOVE #failures");
                (network.and(FORGET_FAILURES), Some(strangers.value(":until", time(until))))
            }
        };
        let is_known = matches!(admission, Admission::Device { .. });
        let notes = async {
            let (network, strangers, device) = join!(
                self.table.write_once(OPERATION, network),
                self.write_if_any(strangers),
                self.remember_device(name, device, is_known, now)
            );
            network.and(strangers).and(device)
        };
        in_time_of_one(OPERATION, notes).await
    }

    /// Records a wrong password. It is counted already; the last one in a row makes the account forget the device.
    pub async fn failed(&self, name: &ClaimedName, origin: &Origin, admission: Admission) -> Result<(), Failure> {
        let Some(device) = origin.device.as_ref().filter(|_| admission.forgets_device()) else { return Ok(()) };
        let forget = Change::check(device_key(name, device), PLACEHOLDERS)
            .only_if(MANY_FAILURES)
            .value(":limit", number(FAILURES_IN_A_ROW));
        self.table.delete_if("dynamodb DeleteItem (device)", forget).await
    }

    /// Makes the account know `device` and the network of `origin`, and no other one: its owner has chosen a password there.
    pub async fn keep_only(
        &self,
        name: &ClaimedName,
        origin: &Origin,
        device: &DeviceDigest,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let network = account_from_network_key(name, &origin.network);
        let kept = [device_key(name, device).sk, network.sk.clone()];
        let network = remember(network, REMEMBERED, now);
        let notes = async {
            let (network, own, others) = join!(
                self.table.write_once(OPERATION, network),
                self.remember_device(name, Some(device), true, now),
                self.forget_all_but(name, &kept)
            );
            network.and(own).and(others)
        };
        in_time_of_one(OPERATION, notes).await
    }

    /// Clears the failures of strangers at an account, which opens it to them.
    pub async fn clear_failures(&self, name: &ClaimedName) -> Result<(), Failure> {
        let clear = Change::new(account_key(name), PLACEHOLDERS, "REMOVE #failures").only_if(ITEM_EXISTS);
        self.table.write(OPERATION, clear).await.map(|_| ())
    }

    /// Makes the account forget every device and network.
    pub async fn forget_all(&self, name: &ClaimedName) -> Result<(), Failure> {
        in_time_of_one(OPERATION, self.forget_all_but(name, &[])).await
    }

    async fn write_if_any(&self, change: Option<Change>) -> Result<(), Failure> {
        match change {
            Some(change) => self.table.write_once(OPERATION, change).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// Makes the account know a device. If it knows too many then, it forgets those that were not used for the longest time.
    async fn remember_device(
        &self,
        name: &ClaimedName,
        device: Option<&DeviceDigest>,
        is_known: bool,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let Some(device) = device else { return Ok(()) };
        let known = remember(device_key(name, device), device::REMEMBERED, now).and(FORGET_FAILURES);
        self.table.write_once(OPERATION, known).await?;
        if is_known {
            return Ok(());
        }
        let own = device_key(name, device).sk;
        let mut others = self.known_items(name, DEVICE_PREFIX).await?;
        others.retain(|(sk, _)| *sk != own);
        others.sort_by_key(|(_, known_until)| std::cmp::Reverse(*known_until));
        self.forget(name, others.into_iter().skip(device::MOST - 1).map(|(sk, _)| sk)).await
    }

    async fn forget_all_but(&self, name: &ClaimedName, kept: &[String]) -> Result<(), Failure> {
        // The few devices come first: strangers can add networks until reading them all takes longer than the call may.
        for prefix in [DEVICE_PREFIX, NETWORK_PREFIX] {
            let known = self.known_items(name, prefix).await?.into_iter().map(|(sk, _)| sk);
            self.forget(name, known.filter(|sk| !kept.contains(sk))).await?;
        }
        Ok(())
    }

    /// Forgets devices and networks. A network keeps its budget: forgetting must not refill it.
    async fn forget(&self, name: &ClaimedName, sort_keys: impl Iterator<Item = String>) -> Result<(), Failure> {
        try_join_all(sort_keys.map(|sk| async {
            let key = Key { pk: account_part(name), sk };
            if key.sk.starts_with(DEVICE_PREFIX) {
                let delete = Change::check(key, PLACEHOLDERS).only_if(ITEM_EXISTS);
                return self.table.delete_if("dynamodb DeleteItem (device)", delete).await;
            }
            let unknown = Change::new(key, PLACEHOLDERS, "REMOVE #known").only_if(ITEM_EXISTS);
            self.table.write_once(OPERATION, unknown).await.map(|_| ())
        }))
        .await
        .map(|_| ())
    }

    /// Returns the sort keys of an account's devices or networks that are or were known, with the end of that time.
    async fn known_items(&self, name: &ClaimedName, prefix: &str) -> Result<Vec<(String, Timestamp)>, Failure> {
        const KEYS: &str = "#pk = :account AND begins_with(#sk, :prefix)";
        const FILTER: &str = "attribute_exists(#known)";
        const PROJECTION: &str = "#sk, #known";
        let request = self.table.client.query().table_name(&self.table.name).consistent_read(true);
        let request = request
            .key_condition_expression(KEYS)
            .filter_expression(FILTER)
            .projection_expression(PROJECTION)
            .set_expression_attribute_names(Some(condition::names_in(PLACEHOLDERS, &[KEYS, FILTER, PROJECTION])))
            .expression_attribute_values(":account", text(&account_part(name)))
            .expression_attribute_values(":prefix", text(prefix));
        let (mut known, mut after) = (Vec::new(), None);
        loop {
            let page = request.clone().set_exclusive_start_key(after).send().await;
            let page = page.map_err(|error| Failure::from_sdk("dynamodb Query (devices and networks)", &error))?;
            for item in page.items() {
                known.push((Reader(item).text(SK)?.to_owned(), Reader(item).time(KNOWN_UNTIL)?));
            }
            after = page.last_evaluated_key;
            if after.is_none() {
                return Ok(known);
            }
        }
    }

    /// Spends one attempt of one budget. A write whose answer was lost is sent again and spends another attempt: it costs the caller
    /// one, and never admits one more.
    pub(super) async fn spend_one(&self, key: impl Fn() -> Key, spend: Spending) -> Result<Spent, Failure> {
        let result = self.spend_if(key, spend, |_| Ok(true)).await?;
        Ok(result.unwrap_or(Spent::Exhausted { retry_after: 1 }))
    }

    /// Spends one attempt of one budget, as [`Self::spend_one`]. Returns `None` if the write is refused for an item that is not `usable`.
    async fn spend_if(
        &self,
        key: impl Fn() -> Key,
        spend: Spending,
        usable: impl Fn(Option<&Attributes>) -> Result<bool, Failure>,
    ) -> Result<Option<Spent>, Failure> {
        let mut shape = Shape::Idle;
        for _ in 0..TRIPS {
            let refused = match self.table.write_once(OPERATION, spend.change(key(), shape)).await? {
                Write::Done(item) => return Ok(Some(Spent::Admitted(item))),
                Write::Refused(item) => item,
            };
            if !usable(refused.as_ref())? {
                return Ok(None);
            }
            let tat: Option<Millis> = match &refused {
                Some(item) => Reader(item).optional_number(TAT)?,
                None => None,
            };
            match spend.budget.judge_refusal(tat, millis(spend.now)) {
                Spend::Again(other) => shape = other,
                Spend::Exhausted { retry_after } => return Ok(Some(Spent::Exhausted { retry_after })),
            }
        }
        Ok(Some(Spent::Exhausted { retry_after: 1 }))
    }
}

/// Returns the write that opens an account that failures of strangers have closed.
pub(super) fn unlock(user_name: &UserName) -> Change {
    Change::new(account_key(&user_name.into()), PLACEHOLDERS, "REMOVE #failures")
        .only_if(MANY_FAILURES)
        .value(":limit", number(FAILURES_IN_A_ROW))
}

/// Returns the key of the failures of strangers at an account.
pub(super) fn failures_key(user_name: &UserName) -> Key {
    account_key(&user_name.into())
}

/// Reads the name of an account and the failures of strangers in a row there. `None` for an item of another kind.
pub(super) fn failures(item: &Attributes) -> Result<Option<(UserName, u64)>, Failure> {
    let item = Reader(item);
    let Some(user_name) = item.text(PK)?.strip_prefix(ACCOUNT_PREFIX).and_then(UserName::parse) else {
        return Ok(None);
    };
    Ok(Some((user_name, item.optional_number(FAILURES)?.unwrap_or_default())))
}

impl Table {
    /// Reads the failures of strangers in a row at an account.
    pub(super) async fn failures_at(&self, user_name: &UserName) -> Result<u64, Failure> {
        let item = self.get("dynamodb GetItem (attempts)", failures_key(user_name)).await?;
        let failures = item.map_or(Ok(None), |item| Reader(&item).optional_number(FAILURES))?;
        Ok(failures.unwrap_or_default())
    }
}

/// Returns whether the account knows the device of this item, which has refused an attempt, and would count one more failure.
fn is_usable(item: Option<&Attributes>, now: Timestamp) -> Result<bool, Failure> {
    let Some(item) = item.map(Reader) else { return Ok(false) };
    let failures: Option<u64> = item.optional_number(FAILURES)?;
    Ok(is_known(item.optional_time(KNOWN_UNTIL)?, failures.unwrap_or_default().saturating_add(1), now))
}

/// Returns the write that makes a device or network known for `lifetime`.
fn remember(key: Key, lifetime: std::time::Duration, now: Timestamp) -> Change {
    Change::new(key, PLACEHOLDERS, "SET #ttl = :until, #known = :until").value(":until", time(now.plus(lifetime)))
}

const FORGET_FAILURES: &str = " REMOVE #failures";

/// The failures that an item counts beside its budget.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Failures {
    Counted,
    /// Counted, if the account knows the device.
    OfKnownDevice,
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
        let change =
            change.returning_item().value(":now", signed(now)).value(":ttl", time(self.now.plus(self.stored())));
        match self.failures {
            Failures::Ignored => change,
            Failures::Counted => count_failure(change),
            Failures::OfKnownDevice => count_failure(change)
                .only_if(&condition::all([IS_KNOWN, &condition::any(&[NO_FAILURES, FEW_FAILURES])]))
                .value(":today", time(self.now))
                .value(":limit", number(FAILURES_IN_A_ROW)),
        }
    }

    /// Returns how long the item is stored after the write.
    fn stored(self) -> std::time::Duration {
        match self.failures {
            Failures::Ignored => NETWORK_STORED,
            Failures::Counted => REMEMBERED,
            Failures::OfKnownDevice => device::REMEMBERED,
        }
    }
}

fn count_failure(change: Change) -> Change {
    change
        .and(", #failures = if_not_exists(#failures, :zero) + :one")
        .value(":zero", number(0_u64))
        .value(":one", number(1_u64))
}
