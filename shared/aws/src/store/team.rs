//! The administrators of a subscription.

use domain::{AccountStatus, SubscriptionId, Timestamp, UserName};

use super::{
    Table,
    item::{Attributes, Reader, text},
    names::{ADMINISTRATOR_PREFIX, CREATED_AT, DISPLAY_NAME, PK, SK, STATUS, USER_NAME, subscription_key},
};
use crate::Failure;

/// May list the administrators of a subscription.
pub struct Team(Table);

/// An administrator, as others of the company see them. No `Debug`: it holds personal data.
pub struct Administrator {
    /// With which they sign in.
    pub user_name: UserName,
    /// As people call them.
    pub display_name: String,
    /// Since when they have the account.
    pub created_at: Timestamp,
}

impl Team {
    /// Over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// The active administrators, in the order in which they were created.
    pub async fn of(&self, subscription: &SubscriptionId) -> Result<Vec<Administrator>, Failure> {
        const OPERATION: &str = "dynamodb Query (administrators)";
        let request = self.0.client.query().table_name(&self.0.name).consistent_read(true);
        let request = request
            .key_condition_expression("#pk = :subscription AND begins_with(#sk, :prefix)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":subscription", text(&subscription_key(subscription)))
            .expression_attribute_values(":prefix", text(ADMINISTRATOR_PREFIX));
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = request.clone().set_exclusive_start_key(after).send().await;
            let page = page.map_err(|error| Failure::of(OPERATION, &error))?;
            for item in page.items() {
                all.extend(administrator(item)?);
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

fn administrator(item: &Attributes) -> Result<Option<Administrator>, Failure> {
    let item = Reader(item);
    let administrator = Administrator {
        user_name: item.parsed(USER_NAME, UserName::parse)?,
        display_name: item.text(DISPLAY_NAME)?.to_owned(),
        created_at: item.time(CREATED_AT)?,
    };
    let active = item.parsed(STATUS, AccountStatus::parse)? == AccountStatus::Active;
    Ok(active.then_some(administrator))
}
