//! The retrieval: one conditional write that is authorisation, cap, expiry and state check at once.

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::update_item::{UpdateItemError, UpdateItemOutput},
    types::{ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use domain::{
    Caller, Credential, Issue, Refusal, Retrieval, RetrievalId, SubscriptionId, Timestamp,
    credential::RETRIEVALS_PER_ISSUE,
};
use tokio::time::timeout;

use super::{
    Table,
    credential::{from_item, retrieval},
    item::{Item, binary, number, time},
    names::{CHANGED_AT, ENDED_AT, EXPIRES_AT, ISSUE, Key, PORTAL_USERS, RETRIEVALS, SEALED_PASSWORD, SIGNED_IN_AT},
};
use crate::{
    Failure,
    retry::{OPERATION_TIMEOUT, Try, through_conflicts},
};

/// May count a retrieval, and no more.
pub struct Retrievals(Table);

/// What the write came to.
pub enum RetrieveOutcome {
    /// Counted; the credential with this retrieval in it.
    Counted(Box<Credential>),
    /// Refused; the credential as the condition met it.
    Refused(Box<Credential>),
    /// There is no such subscription.
    NoSubscription,
}

const OPERATION: &str = "dynamodb UpdateItem (retrieve)";

impl Retrievals {
    /// Over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Counts `click` of `caller`, if a password may be shown to them at `now` and the click is new.
    ///
    /// Whatever is tried again, here or by the SDK, is tried with the same click, which recognises itself in the item of a refusal, and
    /// for the same issue: an attempt that is carried out late, when the next issue has begun, counts nothing there. Nothing is read
    /// before, so the write asks for the first issue, which most subscriptions never leave; where it is refused for that alone, the
    /// item of the refusal has the right one, and the write is sent again for that. All of it has the time of one operation.
    pub async fn retrieve(
        &self,
        subscription: &SubscriptionId,
        click: &RetrievalId,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<RetrieveOutcome, Failure> {
        let until_decided = async {
            let mut issue = Issue::FIRST;
            loop {
                let write = || async { decide(self.write(issue, subscription, click, caller, now).await) };
                let outcome = through_conflicts(OPERATION, write).await?;
                match outcome.issue_to_ask_for(issue, click, caller, now) {
                    Some(right) => issue = right,
                    None => return Ok(outcome),
                }
            }
        };
        timeout(OPERATION_TIMEOUT, until_decided).await.unwrap_or_else(|_| Err(Failure::too_long(OPERATION)))
    }

    async fn write(
        &self,
        issue: Issue,
        subscription: &SubscriptionId,
        click: &RetrievalId,
        caller: &Caller,
        now: Timestamp,
    ) -> Result<UpdateItemOutput, SdkError<UpdateItemError>> {
        let principals = caller.principals();
        let mut values = Item::new()
            .with(":r", retrieval(&Retrieval::new(caller, now)))
            .with(":issue", number(issue.number()))
            .with(":now", time(now))
            .with(":three", number(RETRIEVALS_PER_ISSUE as u64));
        for (n, principal) in principals.iter().enumerate() {
            values = values.with(format!(":p{n}"), binary(principal.as_bytes()));
        }
        let names = [
            ("#ret", RETRIEVALS),
            ("#rid", click.as_str()),
            ("#sealed", SEALED_PASSWORD),
            ("#issue", ISSUE),
            ("#exp", EXPIRES_AT),
            ("#signed_in", SIGNED_IN_AT),
            ("#changed", CHANGED_AT),
            ("#ended", ENDED_AT),
            ("#pu", PORTAL_USERS),
        ];
        let request = self
            .0
            .client
            .update_item()
            .table_name(&self.0.name)
            .set_key(Some(Key::credential(subscription).into_map()));
        request
            .update_expression("SET #ret.#rid = :r")
            .condition_expression(condition(principals.len()))
            .set_expression_attribute_names(Some(names.map(|(name, is)| (name.to_owned(), is.to_owned())).into()))
            .set_expression_attribute_values(Some(values.into_map()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await
    }
}

impl RetrieveOutcome {
    /// The issue of the item, where nothing but another issue, `asked`, explains the refusal.
    fn issue_to_ask_for(&self, asked: Issue, click: &RetrievalId, caller: &Caller, now: Timestamp) -> Option<Issue> {
        let Self::Refused(met) = self else { return None };
        let unexplained = met.issue != asked && met.judge_refusal(caller, click, now) == Refusal::Unexplained;
        unexplained.then_some(met.issue)
    }
}

/// Each clause has its refusal in `domain::Credential::judge_refusal`.
fn condition(principals: usize) -> String {
    let one_of_them = (0..principals).map(|n| format!("contains(#pu, :p{n})")).collect::<Vec<_>>().join(" OR ");
    format!(
        "#issue = :issue AND attribute_exists(#sealed) AND #exp > :now AND attribute_not_exists(#signed_in) \
         AND attribute_not_exists(#changed) AND attribute_not_exists(#ended) AND ({one_of_them}) \
         AND attribute_not_exists(#ret.#rid) AND size(#ret) < :three"
    )
}

fn decide(result: Result<UpdateItemOutput, SdkError<UpdateItemError>>) -> Result<Try<RetrieveOutcome>, Failure> {
    let outcome = match result {
        Ok(output) => {
            let item = output.attributes.ok_or_else(|| Failure::unreadable(OPERATION, "attributes"))?;
            RetrieveOutcome::Counted(Box::new(from_item(&item)?))
        }
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => match &refused.item {
                Some(item) => RetrieveOutcome::Refused(Box::new(from_item(item)?)),
                None => RetrieveOutcome::NoSubscription,
            },
            Some(UpdateItemError::TransactionConflictException(_)) => {
                return Ok(Try::Conflict(Failure::of(OPERATION, &error)));
            }
            _ => return Err(Failure::of(OPERATION, &error)),
        },
    };
    Ok(Try::Done(outcome))
}
