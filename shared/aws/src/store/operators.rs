//! The budget of each operator, and what their acts make an account forget.

use std::time::Duration;

use domain::{Budget, ClaimedName, Operator, SpendActOutcome, Timestamp, UserName};
use futures_util::join;

use super::{
    Table,
    attempts::{Attempts, Failures, Spending, Spent},
    names::Key,
};
use crate::{Failure, retry::in_time_of_one};

/// Counts the acts of each operator, so that a stolen session cannot reissue the credentials of all customers.
pub struct Operators(Attempts);

/// The budget of an operator: 30 acts in ten minutes, 15 of them at once.
const BUDGET: Budget = Budget { burst: 15, interval: Duration::from_secs(40) };

/// Returns the key of the acts of an operator.
fn key(operator: &Operator) -> Key {
    Key { pk: format!("OPERATOR#{}", operator.person), sk: "ATTEMPTS".to_owned() }
}

impl Operators {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(Attempts::new(table, BUDGET))
    }

    /// Spends one act of the operator.
    pub async fn spend(&self, operator: &Operator, now: Timestamp) -> Result<SpendActOutcome, Failure> {
        let spend = Spending { budget: self.0.network, failures: Failures::Ignored, now };
        let outcome = in_time_of_one("dynamodb UpdateItem (operator)", self.0.spend_one(|| key(operator), spend));
        Ok(match outcome.await? {
            Spent::Admitted(_) => SpendActOutcome::Admitted,
            Spent::Exhausted { retry_after } => SpendActOutcome::Exhausted { retry_after },
        })
    }

    /// Clears the failures of an account whose password is void, and makes the account forget every device and network.
    pub async fn forget_attempts(&self, user_name: &UserName) -> Result<(), Failure> {
        let name = ClaimedName::from(user_name);
        let (failures, known) = join!(self.0.clear_failures(&name), self.0.forget_all(&name));
        failures.and(known)
    }
}
