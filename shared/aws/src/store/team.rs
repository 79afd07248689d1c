//! The list of a subscription's administrators.

use domain::SubscriptionId;

use super::{
    Table,
    administrator::{self, Administrator},
};
use crate::Failure;

/// Lists the administrators of a subscription; writes nothing.
pub struct Team(Table);

impl Team {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Returns the active administrators in the order in which they were created.
    pub async fn list(&self, subscription: &SubscriptionId) -> Result<Vec<Administrator>, Failure> {
        let mut all = self.0.active_administrators(subscription).await?;
        all.sort_by_key(|administrator| administrator.created_at);
        Ok(all)
    }
}

impl Table {
    /// Returns the active administrators in the order of their keys.
    pub(super) async fn active_administrators(
        &self,
        subscription: &SubscriptionId,
    ) -> Result<Vec<Administrator>, Failure> {
        const OPERATION: &str = "dynamodb Query (administrators)";
        let items = self.query(OPERATION, subscription, administrator::PREFIX, administrator::END).await?;
        let mut active = Vec::new();
        for item in &items {
            active.extend(administrator::active_from_item(item)?);
        }
        Ok(active)
    }
}
