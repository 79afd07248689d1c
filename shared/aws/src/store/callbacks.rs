//! The budget of sign-ins that return from the customers' identity provider: spent before the provider is asked.

use domain::{Budget, Network, Timestamp};

use super::{
    Table,
    attempts::{Attempts, Failures, Spending, Spent, network_part},
    names::Key,
};
use crate::{Failure, retry::in_time_of_one};

/// Counts the callbacks of each network, so that no network can make the portal flood the provider.
pub struct Callbacks(Attempts);

/// The result of [`Callbacks::spend`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpendCallbackOutcome {
    /// The provider may be asked.
    Admitted,
    /// The budget is exhausted.
    Exhausted {
        /// Seconds until it has room again.
        retry_after: u32,
    },
}

/// Returns the key of a network's callbacks.
fn key(network: &Network) -> Key {
    Key { pk: network_part(network), sk: "CALLBACK".to_owned() }
}

impl Callbacks {
    /// Returns the store over `table`. `sign_in` is the budget of sign-in attempts of a network; callbacks have half of its burst.
    #[must_use]
    pub fn new(table: Table, sign_in: Budget) -> Self {
        Self(Attempts::new(table, Budget { burst: (sign_in.burst / 2).max(1), ..sign_in }))
    }

    /// Spends one callback of the network.
    pub async fn spend(&self, network: &Network, now: Timestamp) -> Result<SpendCallbackOutcome, Failure> {
        let spend = Spending { budget: self.0.network, failures: Failures::Ignored, now };
        let outcome = in_time_of_one("dynamodb UpdateItem (callback)", self.0.spend_one(|| key(network), spend));
        Ok(match outcome.await? {
            Spent::Admitted(_) => SpendCallbackOutcome::Admitted,
            Spent::Exhausted { retry_after } => SpendCallbackOutcome::Exhausted { retry_after },
        })
    }
}
