//! Several writes that are carried out together or not at all.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput},
    types::{
        AttributeValue, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure::AllOld, TransactWriteItem, Update,
    },
};

use super::{
    Table,
    history::Entries,
    item::{Attributes, Item},
    names::Key,
};
use crate::{
    Failure,
    retry::{Try, through_conflicts},
};

/// How often somebody else's transaction may win before this one gives up.
pub(super) const RACES: u32 = 5;

/// What one write of a transaction is about: a refusal is told by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Account,
    Administrator,
    Creator,
    Credential,
    Event,
    History,
    Mail,
    ServiceAdministrator,
    Session,
    SupportDay,
}

/// A transaction in the making.
pub(super) struct Transaction<'a> {
    table: &'a Table,
    operation: &'static str,
    parts: Vec<Part>,
    items: Vec<TransactWriteItem>,
}

/// What it came to.
pub(super) enum Commit {
    Done,
    /// Some conditions failed; nothing was written.
    Refused(Refused),
}

/// The parts whose conditions failed, each with its item as it was.
pub(super) struct Refused(Vec<(Part, Option<Attributes>)>);

/// An update of one item, or a look at it: the expressions, and what their placeholders stand for.
pub(super) struct Change {
    key: Key,
    update: String,
    condition: &'static str,
    names: Vec<(&'static str, &'static str)>,
    values: Item,
}

impl Change {
    /// `update` if `condition`, which may be any but an empty one.
    pub(super) fn of(key: Key, update: &str, condition: &'static str) -> Self {
        Self { key, update: update.to_owned(), condition, names: Vec::new(), values: Item::new() }
    }

    pub(super) fn names<const N: usize>(mut self, names: [(&'static str, &'static str); N]) -> Self {
        self.names.extend(names);
        self
    }

    pub(super) fn value(mut self, placeholder: &'static str, value: AttributeValue) -> Self {
        self.values = self.values.with(placeholder, value);
        self
    }

    /// Instead of the condition that it has.
    pub(super) fn only_if(mut self, condition: &'static str) -> Self {
        self.condition = condition;
        self
    }

    /// One more clause of the update.
    pub(super) fn and(mut self, clause: &str) -> Self {
        self.update.push_str(clause);
        self
    }
}

impl Refused {
    pub(super) fn failed(&self, part: Part) -> bool {
        self.0.iter().any(|(failed, _)| *failed == part)
    }

    /// The item of `part` as its condition met it.
    pub(super) fn item(&self, part: Part) -> Option<&Attributes> {
        self.0.iter().find(|(failed, _)| *failed == part)?.1.as_ref()
    }
}

impl<'a> Transaction<'a> {
    pub(super) fn new(table: &'a Table, operation: &'static str) -> Self {
        Self { table, operation, parts: Vec::new(), items: Vec::new() }
    }

    /// An item that must not exist.
    pub(super) fn put_new(self, part: Part, item: Attributes) -> Result<Self, Failure> {
        let put = Put::builder().set_item(Some(item)).condition_expression("attribute_not_exists(PK)");
        let put = put.return_values_on_condition_check_failure(AllOld).table_name(&self.table.name).build();
        let put = put.map_err(|_| Failure::unreadable(self.operation, "put"))?;
        Ok(self.with(part, TransactWriteItem::builder().put(put).build()))
    }

    /// An item whose condition is another item's of the same transaction.
    pub(super) fn put(self, part: Part, item: Attributes) -> Result<Self, Failure> {
        let put = Put::builder().set_item(Some(item)).table_name(&self.table.name).build();
        let put = put.map_err(|_| Failure::unreadable(self.operation, "put"))?;
        Ok(self.with(part, TransactWriteItem::builder().put(put).build()))
    }

    pub(super) fn update(self, part: Part, change: Change) -> Result<Self, Failure> {
        let mut update = Update::builder()
            .update_expression(change.update)
            .condition_expression(change.condition)
            .set_expression_attribute_values(Some(change.values.into_map()));
        for (placeholder, name) in change.names {
            update = update.expression_attribute_names(placeholder, name);
        }
        let update = update.table_name(&self.table.name).set_key(Some(change.key.into_map()));
        let update = update.return_values_on_condition_check_failure(AllOld).build();
        let update = update.map_err(|_| Failure::unreadable(self.operation, "update"))?;
        Ok(self.with(part, TransactWriteItem::builder().update(update).build()))
    }

    /// A condition on an item that is left as it is: a change without an update.
    pub(super) fn check(self, part: Part, change: Change) -> Result<Self, Failure> {
        let mut check = ConditionCheck::builder()
            .condition_expression(change.condition)
            .set_expression_attribute_values(Some(change.values.into_map()));
        for (placeholder, name) in change.names {
            check = check.expression_attribute_names(placeholder, name);
        }
        let check = check.table_name(&self.table.name).set_key(Some(change.key.into_map())).build();
        let check = check.map_err(|_| Failure::unreadable(self.operation, "check"))?;
        Ok(self.with(part, TransactWriteItem::builder().condition_check(check).build()))
    }

    /// What it does, for the history.
    pub(super) fn put_history(mut self, entries: Entries) -> Result<Self, Failure> {
        for item in entries.into_items() {
            self = self.put_new(Part::History, item)?;
        }
        Ok(self)
    }

    fn with(mut self, part: Part, item: TransactWriteItem) -> Self {
        self.parts.push(part);
        self.items.push(item);
        self
    }

    /// Tries until it is decided.
    pub(super) async fn commit(self) -> Result<Commit, Failure> {
        let attempt = || async {
            let request = self.table.client.transact_write_items().set_transact_items(Some(self.items.clone()));
            self.decide(request.send().await)
        };
        through_conflicts(self.operation, attempt).await
    }

    /// Reasons come by position. While any of them is a conflict or a throttle, nothing is known of the others: try again.
    fn decide(
        &self,
        result: Result<TransactWriteItemsOutput, SdkError<TransactWriteItemsError>>,
    ) -> Result<Try<Commit>, Failure> {
        let Err(error) = result else { return Ok(Try::Done(Commit::Done)) };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
            return Err(Failure::of(self.operation, &error));
        };
        let reasons = cancelled.cancellation_reasons();
        let later = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
        if reasons.iter().any(|reason| reason.code().is_some_and(|code| later.contains(&code))) {
            return Ok(Try::Conflict(Failure::of(self.operation, &error)));
        }
        let failed: Vec<_> = self
            .parts
            .iter()
            .zip(reasons)
            .filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"))
            .map(|(part, reason)| (*part, reason.item.clone()))
            .collect();
        if failed.is_empty() {
            return Err(Failure::unreadable(self.operation, "reasons of a cancellation"));
        }
        Ok(Try::Done(Commit::Refused(Refused(failed))))
    }
}
