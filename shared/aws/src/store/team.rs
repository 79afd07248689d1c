//! The list of a subscription's administrators.

use domain::SubscriptionId;

use super::{
    Table,
    administrator::{self, Administrator},
    item::text,
    names::{PK, SK, subscription_key},
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
        const OPERATION: &str = "dynamodb Query (administrators)";
        let request = self.0.client.query().table_name(&self.0.name).consistent_read(true);
        let request = request
            .key_condition_expression("#pk = :subscription AND begins_with(#sk, :prefix)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":subscription", text(&subscription_key(subscription)))
            .expression_attribute_values(":prefix", text(administrator::PREFIX));
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = request.clone().set_exclusive_start_key(after).send().await;
            let page = page.map_err(|error| Failure::from_sdk(OPERATION, &error))?;
            for item in page.items() {
                all.extend(administrator::active_from_item(item)?);
            }
            after = page.last_evaluated_key;
            if after.is_none() {
                break;
            }
        }
        all.sort_by_key(|administrator| administrator.created_at);
        Ok(all)
    }
}
