//! Conditional writes of one item, and of several items together.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{
        delete_item::DeleteItemError,
        put_item::PutItemError,
        transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput},
        update_item::{UpdateItemError, UpdateItemOutput, builders::UpdateItemFluentBuilder},
    },
    types::{
        AttributeValue, ConditionCheck, Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure::AllOld,
        TransactWriteItem, Update,
    },
};
use domain::{SubscriptionId, WelcomeMail};

use super::{
    Table,
    condition::{self, ITEM_IS_NEW, Placeholders},
    history::Entries,
    item::{Attributes, Item},
    mail,
    names::Key,
};
use crate::{
    Failure,
    retry::{Try, through_conflicts},
};

/// An update of one item, or a check of it: its expressions, and what their placeholders stand for.
pub(super) struct Change {
    key: Key,
    placeholders: Placeholders,
    update: String,
    condition: Option<String>,
    names: HashMap<String, String>,
    values: Item,
    returns_item: bool,
}

impl Change {
    /// Returns a change without a condition. `placeholders` are those of the entity.
    pub(super) fn new(key: Key, placeholders: Placeholders, update: impl Into<String>) -> Self {
        let (condition, names, values) = (None, HashMap::new(), Item::new());
        Self { key, placeholders, update: update.into(), condition, names, values, returns_item: false }
    }

    /// Returns a change that writes nothing: its condition must hold for the other writes of its transaction.
    pub(super) fn check(key: Key, placeholders: Placeholders) -> Self {
        Self::new(key, placeholders, "")
    }

    /// Adds a clause to the condition.
    pub(super) fn only_if(mut self, clause: &str) -> Self {
        self.condition = Some(match self.condition {
            Some(condition) => condition::all([&condition, clause]),
            None => clause.to_owned(),
        });
        self
    }

    /// Adds a clause to the update expression.
    pub(super) fn and(mut self, clause: &str) -> Self {
        self.update.push_str(clause);
        self
    }

    /// Adds a placeholder whose name is not an attribute of the entity, such as a key of a map.
    pub(super) fn name(mut self, placeholder: &str, name: &str) -> Self {
        self.names.insert(placeholder.to_owned(), name.to_owned());
        self
    }

    pub(super) fn value(mut self, placeholder: impl Into<String>, value: AttributeValue) -> Self {
        self.values = self.values.with(placeholder, value);
        self
    }

    /// Asks for the item: as it is after the write, or as it was when the condition failed. A write of one item does not return it
    /// otherwise; a transaction returns it for every condition that fails.
    pub(super) fn returning_item(mut self) -> Self {
        self.returns_item = true;
        self
    }

    #[cfg(test)]
    pub(super) fn condition(&self) -> Option<&str> {
        self.condition.as_deref()
    }

    fn into_parts(self) -> Parts {
        let condition = self.condition.unwrap_or_default();
        let mut names = condition::names_in(self.placeholders, &[&self.update, &condition]);
        names.extend(self.names);
        Parts { key: self.key.into_map(), update: self.update, condition, names, values: self.values.into_map() }
    }
}

/// A change as a request takes it.
struct Parts {
    key: Attributes,
    update: String,
    condition: String,
    names: HashMap<String, String>,
    values: Attributes,
}

/// The result of a conditional write of one item.
pub(super) enum Write {
    /// The write was carried out; the item as it is now, if it was asked for.
    Done(Attributes),
    /// The condition failed, and nothing was written; the item as it was when the condition was checked, if it exists and was asked for.
    Refused(Option<Attributes>),
}

/// The result of putting an item that must not exist yet.
pub(super) enum PutNewOutcome {
    /// The item was put.
    Put,
    /// There is an item with this key, and it stays as it is.
    Exists,
}

impl Table {
    /// Writes `change` and retries it after a conflict with a transaction.
    pub(super) async fn write(&self, operation: &'static str, change: Change) -> Result<Write, Failure> {
        let request = self.request(change);
        through_conflicts(operation, || async { decide(operation, request.clone().send().await) }).await
    }

    /// Writes `change` once: a conflict with a transaction is a failure.
    pub(super) async fn write_once(&self, operation: &'static str, change: Change) -> Result<Write, Failure> {
        match decide(operation, self.request(change).send().await)? {
            Try::Done(write) => Ok(write),
            Try::Conflict(failure) => Err(failure),
        }
    }

    /// Puts an item, whatever was there before.
    pub(super) async fn put(&self, operation: &'static str, item: Attributes) -> Result<(), Failure> {
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item)).send().await;
        put.map(drop).map_err(|error| Failure::from_sdk(operation, &error))
    }

    /// Puts an item that must not exist yet, once: a conflict with a transaction is a failure.
    pub(super) async fn put_new(&self, operation: &'static str, item: Attributes) -> Result<PutNewOutcome, Failure> {
        let request = self.client.put_item().table_name(&self.name).condition_expression(ITEM_IS_NEW);
        match request.set_item(Some(item)).send().await {
            Ok(_) => Ok(PutNewOutcome::Put),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(PutNewOutcome::Exists),
                _ => Err(Failure::from_sdk(operation, &error)),
            },
        }
    }

    /// Deletes an item, if it is there.
    pub(super) async fn delete(&self, operation: &'static str, key: Key) -> Result<(), Failure> {
        let deleted = self.client.delete_item().table_name(&self.name).set_key(Some(key.into_map())).send().await;
        deleted.map(drop).map_err(|error| Failure::from_sdk(operation, &error))
    }

    /// Deletes the item of `change` if its condition holds. It is over, too, where the condition does not hold.
    pub(super) async fn delete_if(&self, operation: &'static str, change: Change) -> Result<(), Failure> {
        let Parts { key, condition, names, values, .. } = change.into_parts();
        let deleted = self
            .client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .condition_expression(condition)
            .set_expression_attribute_names((!names.is_empty()).then_some(names))
            .set_expression_attribute_values((!values.is_empty()).then_some(values))
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(Failure::from_sdk(operation, &error)),
            },
        }
    }

    fn request(&self, change: Change) -> UpdateItemFluentBuilder {
        let returns_item = change.returns_item;
        let Parts { key, update, condition, names, values } = change.into_parts();
        self.client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .update_expression(update)
            .set_condition_expression((!condition.is_empty()).then_some(condition))
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values((!values.is_empty()).then_some(values))
            .set_return_values(returns_item.then_some(ReturnValue::AllNew))
            .set_return_values_on_condition_check_failure(returns_item.then_some(AllOld))
    }
}

fn decide(
    operation: &'static str,
    result: Result<UpdateItemOutput, SdkError<UpdateItemError>>,
) -> Result<Try<Write>, Failure> {
    match result {
        Ok(output) => Ok(Try::Done(Write::Done(output.attributes.unwrap_or_default()))),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                Ok(Try::Done(Write::Refused(refused.item.clone())))
            }
            Some(UpdateItemError::TransactionConflictException(_)) => {
                Ok(Try::Conflict(Failure::from_sdk(operation, &error)))
            }
            _ => Err(Failure::from_sdk(operation, &error)),
        },
    }
}

/// The subject of one write of a transaction, by which a refusal is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Account,
    Actor,
    AddressedDay,
    Administrator,
    Approval,
    ApprovalCopy,
    Attempts,
    Click,
    Code,
    Credential,
    Event,
    History,
    Life,
    Mail,
    Membership,
    PortalUser,
    Purge,
    Reference,
    ServiceAdministrator,
    Session,
    SupportDay,
    Token,
    UnlockedDay,
}

/// Several writes that are carried out together or not at all.
pub(super) struct Transaction<'a> {
    table: &'a Table,
    operation: &'static str,
    parts: Vec<Part>,
    items: Vec<TransactWriteItem>,
}

/// The result of a transaction.
pub(super) enum Commit {
    Done,
    /// Some conditions failed, and nothing was written.
    Refused(Refused),
}

/// The parts whose conditions failed, each with its item as it was when the condition was checked.
pub(super) struct Refused(Vec<(Part, Option<Attributes>)>);

impl Refused {
    pub(super) fn failed(&self, part: Part) -> bool {
        self.0.iter().any(|(failed, _)| *failed == part)
    }

    /// Returns the item of `part` as it was when its condition was checked.
    pub(super) fn item(&self, part: Part) -> Option<&Attributes> {
        self.0.iter().find(|(failed, _)| *failed == part)?.1.as_ref()
    }
}

impl<'a> Transaction<'a> {
    pub(super) fn new(table: &'a Table, operation: &'static str) -> Self {
        Self { table, operation, parts: Vec::new(), items: Vec::new() }
    }

    /// Adds an item that must not exist yet.
    pub(super) fn put_new(self, part: Part, item: Attributes) -> Result<Self, Failure> {
        let put = Put::builder().set_item(Some(item)).condition_expression(ITEM_IS_NEW);
        let put = put.return_values_on_condition_check_failure(AllOld).table_name(&self.table.name).build();
        let put = put.map_err(|_| Failure::unreadable(self.operation, "put"))?;
        Ok(self.with(part, TransactWriteItem::builder().put(put).build()))
    }

    /// Adds an item, whatever was there before.
    pub(super) fn put(self, part: Part, item: Attributes) -> Result<Self, Failure> {
        let put = Put::builder().set_item(Some(item)).table_name(&self.table.name).build();
        let put = put.map_err(|_| Failure::unreadable(self.operation, "put"))?;
        Ok(self.with(part, TransactWriteItem::builder().put(put).build()))
    }

    /// Adds an item that replaces one, if the condition of `check` holds for that.
    pub(super) fn replace(self, part: Part, item: Attributes, check: Change) -> Result<Self, Failure> {
        let Parts { condition, names, values, .. } = check.into_parts();
        let put = Put::builder()
            .set_item(Some(item))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .table_name(&self.table.name)
            .build();
        let put = put.map_err(|_| Failure::unreadable(self.operation, "put"))?;
        Ok(self.with(part, TransactWriteItem::builder().put(put).build()))
    }

    /// Adds an update of an item.
    pub(super) fn update(self, part: Part, change: Change) -> Result<Self, Failure> {
        let Parts { key, update, condition, names, values } = change.into_parts();
        let update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(key))
            .update_expression(update)
            .set_condition_expression((!condition.is_empty()).then_some(condition))
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(AllOld)
            .build();
        let update = update.map_err(|_| Failure::unreadable(self.operation, "update"))?;
        Ok(self.with(part, TransactWriteItem::builder().update(update).build()))
    }

    /// Removes an item, if it is there.
    pub(super) fn delete(self, part: Part, key: Key) -> Result<Self, Failure> {
        let delete = Delete::builder().set_key(Some(key.into_map())).table_name(&self.table.name).build();
        let delete = delete.map_err(|_| Failure::unreadable(self.operation, "delete"))?;
        Ok(self.with(part, TransactWriteItem::builder().delete(delete).build()))
    }

    /// Replaces the welcome mail `last`, if it is as it was read.
    pub(super) fn replace_mail(
        self,
        subscription: &SubscriptionId,
        last: &WelcomeMail,
        next: &WelcomeMail,
    ) -> Result<Self, Failure> {
        self.replace(Part::Mail, mail::to_item(subscription, next), mail::as_read(subscription, last))
    }

    /// Adds a condition on an item that stays as it is.
    pub(super) fn check(self, part: Part, change: Change) -> Result<Self, Failure> {
        let Parts { key, condition, names, values, .. } = change.into_parts();
        let check = ConditionCheck::builder()
            .table_name(&self.table.name)
            .set_key(Some(key))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values((!values.is_empty()).then_some(values))
            .build();
        let check = check.map_err(|_| Failure::unreadable(self.operation, "check"))?;
        Ok(self.with(part, TransactWriteItem::builder().condition_check(check).build()))
    }

    /// Adds the history entries of what the transaction does.
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

    /// Sends the transaction until it is decided.
    pub(super) async fn commit(self) -> Result<Commit, Failure> {
        let attempt = || async {
            let request = self.table.client.transact_write_items().set_transact_items(Some(self.items.clone()));
            self.decide(request.send().await)
        };
        through_conflicts(self.operation, attempt).await
    }

    /// Reads the reasons of a cancellation by their position. While any of them is a conflict or a throttle, the others say nothing.
    fn decide(
        &self,
        result: Result<TransactWriteItemsOutput, SdkError<TransactWriteItemsError>>,
    ) -> Result<Try<Commit>, Failure> {
        let Err(error) = result else { return Ok(Try::Done(Commit::Done)) };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
            return Err(Failure::from_sdk(self.operation, &error));
        };
        let reasons = cancelled.cancellation_reasons();
        let later = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
        if reasons.iter().any(|reason| reason.code().is_some_and(|code| later.contains(&code))) {
            return Ok(Try::Conflict(Failure::from_sdk(self.operation, &error)));
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
