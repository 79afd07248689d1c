//! The budgets of whoever tries passwords: spent by plain conditional writes, before anything is verified.

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use domain::{
    Budget, ClaimedName, Network, Timestamp,
    attempts::{ACCOUNT, ACCOUNT_FROM_NETWORK, Millis, REMEMBERED, Shape, Spend, millis},
};

use super::{
    Table,
    item::{Attributes, Item, Reader, number, signed, time},
    names::{FAILURES, KNOWN_UNTIL, Key, TAT, TTL},
};
use crate::Failure;

/// May count attempts, and forget them after a success.
pub struct Attempts {
    table: Table,
    network: Budget,
}

/// Whether a password may be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may. How many wrong passwords in a row there were from everywhere, this attempt included; none are counted where the
    /// account has signed in from this network before.
    Admitted {
        /// In a row.
        failures: Option<u64>,
    },
    /// One of the budgets is spent.
    Exhausted {
        /// Seconds until it is not.
        retry_after: u32,
    },
}

/// How often the shape may change under a write, as others spend beside it and clocks differ.
const TRIPS: u32 = 6;

const OPERATION: &str = "dynamodb UpdateItem (attempts)";

impl Attempts {
    /// Over `table`; `network` is the budget of one network for whatever it tries.
    #[must_use]
    pub fn new(table: Table, network: Budget) -> Self {
        Self { table, network }
    }

    /// Spends one attempt of each budget that there is for `name` from `network`: the network's own first, so that one network
    /// can take no more of an account's than its share; the account's last, and not from where it has signed in before, so that
    /// strangers cannot keep its owner out.
    pub async fn spend(&self, name: &ClaimedName, network: &Network, now: Timestamp) -> Result<Admission, Failure> {
        if let Err(retry_after) = self.spend_one(Key::attempts_of(network), self.network, false, now).await? {
            return Ok(Admission::Exhausted { retry_after });
        }
        let from_here = self.spend_one(Key::attempts_from(name, network), ACCOUNT_FROM_NETWORK, true, now).await?;
        let from_here = match from_here {
            Ok(item) => item,
            Err(retry_after) => return Ok(Admission::Exhausted { retry_after }),
        };
        if Reader(&from_here).optional_time(KNOWN_UNTIL)?.is_some_and(|until| now < until) {
            return Ok(Admission::Admitted { failures: None });
        }
        match self.spend_one(Key::attempts_at(name), ACCOUNT, true, now).await? {
            Ok(item) => Ok(Admission::Admitted { failures: Some(Reader(&item).number(FAILURES)?) }),
            Err(retry_after) => Ok(Admission::Exhausted { retry_after }),
        }
    }

    /// The right password: failures are not in a row any more, and the network is known.
    pub async fn succeeded(&self, name: &ClaimedName, network: &Network, now: Timestamp) -> Result<(), Failure> {
        let until = now.plus(REMEMBERED);
        let forgotten = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .set_key(Some(Key::attempts_at(name).into_map()))
            .update_expression("SET #ttl = :until REMOVE #failures")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_names("#failures", FAILURES)
            .expression_attribute_values(":until", time(until));
        let known = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .set_key(Some(Key::attempts_from(name, network).into_map()))
            .update_expression("SET #ttl = :until, #known = :until REMOVE #failures")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_names("#known", KNOWN_UNTIL)
            .expression_attribute_names("#failures", FAILURES)
            .expression_attribute_values(":until", time(until));
        let (forgotten, known) = futures_util::join!(forgotten.send(), known.send());
        forgotten.and(known).map(|_| ()).map_err(|error| Failure::of(OPERATION, &error))
    }

    /// The item after the write, or the seconds to wait. A write whose answer was lost is sent again and spends another attempt:
    /// it costs the caller one, and never admits one more.
    async fn spend_one(
        &self,
        key: Key,
        budget: Budget,
        counts_failures: bool,
        now: Timestamp,
    ) -> Result<Result<Attributes, u32>, Failure> {
        let key = key.into_map();
        let mut shape = Shape::Idle;
        for _ in 0..TRIPS {
            let write = Write { shape, budget, counts_failures, now };
            let request = self.table.client.update_item().table_name(&self.table.name).set_key(Some(key.clone()));
            let result = request
                .update_expression(write.update())
                .condition_expression(write.condition())
                .set_expression_attribute_names(Some(write.names()))
                .set_expression_attribute_values(Some(write.values()))
                .return_values(ReturnValue::AllNew)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .send()
                .await;
            let error = match result {
                Ok(output) => return Ok(Ok(output.attributes.unwrap_or_default())),
                Err(error) => error,
            };
            let Some(UpdateItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() else {
                return Err(Failure::of(OPERATION, &error));
            };
            let tat: Option<Millis> = match &refused.item {
                Some(item) => Reader(item).optional_number(TAT)?,
                None => None,
            };
            match budget.judge_refusal(tat, millis(now)) {
                Spend::Again(other) => shape = other,
                Spend::Exhausted { retry_after } => return Ok(Err(retry_after)),
            }
        }
        Ok(Err(1))
    }
}

/// One spending of one attempt, in one of the two shapes.
#[derive(Clone, Copy)]
struct Write {
    shape: Shape,
    budget: Budget,
    counts_failures: bool,
    now: Timestamp,
}

impl Write {
    fn update(self) -> String {
        let tat = match self.shape {
            Shape::Idle => "SET #tat = :next, #ttl = :ttl",
            Shape::Busy => "SET #tat = #tat + :interval, #ttl = :ttl",
        };
        let failures = if self.counts_failures { ", #failures = if_not_exists(#failures, :zero) + :one" } else { "" };
        format!("{tat}{failures}")
    }

    fn condition(self) -> &'static str {
        match self.shape {
            Shape::Idle => "attribute_not_exists(#tat) OR #tat <= :now",
            Shape::Busy => "#tat > :now AND #tat <= :latest",
        }
    }

    fn names(self) -> std::collections::HashMap<String, String> {
        let failures = self.counts_failures.then_some(("#failures", FAILURES));
        let names = [("#tat", TAT), ("#ttl", TTL)].into_iter().chain(failures);
        names.map(|(placeholder, name)| (placeholder.to_owned(), name.to_owned())).collect()
    }

    fn values(self) -> Attributes {
        let now = millis(self.now);
        let values = Item::new().with(":now", signed(now)).with(":ttl", time(self.now.plus(REMEMBERED)));
        let values = match self.shape {
            Shape::Idle => values.with(":next", signed(now.saturating_add(self.budget.interval_millis()))),
            Shape::Busy => values
                .with(":interval", signed(self.budget.interval_millis()))
                .with(":latest", signed(self.budget.latest(now))),
        };
        let counted = |value: u64| self.counts_failures.then(|| number(value));
        values.with_if(":zero", counted(0)).with_if(":one", counted(1)).into_map()
    }
}
