//! Starting a subscription, and what later events make of it. Every transaction writes the history with it.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput},
    types::{
        Put, PutRequest, TransactWriteItem, Update, WriteRequest,
        builders::{PutBuilder, UpdateBuilder},
    },
};
use domain::{
    Credential, EventId, Issue, Kind, MailStatus, PasswordHash, PortalUser, Principal, Retrieval, SealedPassword,
    SubscriptionId, Timestamp, UserName, WelcomeMail,
};

use super::{
    Table, credential,
    item::{Attributes, Item, Reader, binary, binary_set, boolean, number, text, time},
    mails::{self, welcome_mail},
    names::{
        ACCOUNT_ID, ADDED_AT, ADDRESS, AT, BY, CHANGED_AT, EMAIL, ENDED_AT, EXPIRES_AT, ISSUE, ISSUED_AT, KIND, Key,
        MUST_CHANGE, PASSWORD_HASH, PORTAL_USERS, RETRIEVALS, ROLE, SEALED_PASSWORD, SEQ, SIGNED_IN_AT, STATUS,
        SUBSCRIPTION_ID, VERSION, WHAT,
    },
};
use crate::{
    Failure,
    retry::{Try, pause, through_conflicts},
};

/// May start subscriptions and change them as events say.
pub struct Subscriptions(Table);

/// What a new issue is made of. No `Debug`.
#[derive(Clone)]
pub struct NewCredentials {
    /// Of this issue's temporary password.
    pub sealed: SealedPassword,
    /// Of the same.
    pub hash: PasswordHash,
}

/// What became of a new subscription.
pub enum Create {
    /// It stands, with account, mail and history.
    Created,
    /// It was there already.
    Known,
    /// Another subscription has an account of this name.
    UserNameHeld,
}

/// What became of the next issue.
pub enum NextIssue {
    /// It stands, and its mail is ordered.
    Started,
    /// This event has started an issue before.
    AlreadyHandled,
    /// Something changed in between: read again and decide again.
    LostRace,
}

/// The vendor's billing system, in the history.
const VENDOR: &str = "vendor";

const BATCH: usize = 25;
const BATCH_TRIES: u32 = 4;

impl Subscriptions {
    /// Over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// The credential of a subscription, as of this moment.
    pub async fn find(&self, subscription: &SubscriptionId) -> Result<Option<Credential>, Failure> {
        self.0.credential(subscription).await
    }

    /// The subscription that the account `user_name` belongs to, if there is such an account.
    pub async fn holder(&self, user_name: &UserName) -> Result<Option<SubscriptionId>, Failure> {
        let account = self.0.get("dynamodb GetItem (account)", Key::account(user_name)).await?;
        account.map(|account| Reader(&account).parsed(SUBSCRIPTION_ID, SubscriptionId::parse)).transpose()
    }

    /// Whether an event has started an issue before: a cheap look, the transaction asks again.
    pub async fn has_handled(&self, subscription: &SubscriptionId, event: &EventId) -> Result<bool, Failure> {
        let mark = self.0.get("dynamodb GetItem (handled event)", Key::handled_event(subscription, event)).await?;
        Ok(mark.is_some())
    }

    /// Writes memberships and portal users: hints for the list and for those who are told, so they come before the right itself.
    pub async fn welcome(
        &self,
        subscription: &SubscriptionId,
        portal_users: &[PortalUser],
        now: Timestamp,
    ) -> Result<(), Failure> {
        let mut requests = Vec::with_capacity(portal_users.len() * 2);
        let mut seen = BTreeSet::new();
        for user in portal_users.iter().filter(|user| seen.insert(user.principal)) {
            let membership = Item::at(Key::membership(subscription, &user.principal));
            let known = Item::at(Key::portal_user(subscription, &user.principal))
                .with(ADDED_AT, time(now))
                .with_if(ADDRESS, user.address.as_ref().map(text));
            for item in [membership, known] {
                let put = PutRequest::builder().set_item(Some(item.into_map())).build();
                let put = put.map_err(|_| Failure::unreadable("dynamodb BatchWriteItem", "item"))?;
                requests.push(WriteRequest::builder().put_request(put).build());
            }
        }
        for batch in requests.chunks(BATCH) {
            self.batch_write(batch.to_vec()).await?;
        }
        Ok(())
    }

    /// Starts a subscription: credential, account, mail, history, all or none.
    pub async fn create(
        &self,
        credential: &Credential,
        new: &NewCredentials,
        account_id: &str,
        mail: &WelcomeMail,
        event: &EventId,
    ) -> Result<Create, Failure> {
        let id = &credential.subscription;
        let account = Item::at(Key::account(&credential.user_name))
            .with(ACCOUNT_ID, text(account_id))
            .with(ROLE, text("service-administrator"))
            .with(EMAIL, text(&mail.to))
            .with(PASSWORD_HASH, text(new.hash.as_phc()))
            .with(MUST_CHANGE, boolean(true))
            .with(STATUS, text("active"))
            .with(VERSION, number(1_u64))
            .with(SUBSCRIPTION_ID, text(id))
            .with(ISSUE, number(credential.issue.number()))
            .with(EXPIRES_AT, time(credential.expires_at));
        let issued = Entry { what: "issued", by: VENDOR, at: credential.issued_at, issue: credential.issue };
        let items = vec![
            self.put_new(credential::to_item(credential))?,
            self.put_new(account.into_map())?,
            self.put_new(mails::to_item(id, mail))?,
            self.put_new(issued.item(id, credential.seq))?,
            self.put_new(handled(id, event, credential.issued_at))?,
        ];
        match self.transact("dynamodb TransactWriteItems (start)", items).await? {
            Transaction::Done => Ok(Create::Created),
            Transaction::Cancelled(failed) if failed.contains(&0) => Ok(Create::Known),
            Transaction::Cancelled(failed) if failed.contains(&1) => Ok(Create::UserNameHeld),
            // Mail, history or event without a credential: left by hand or by a restore; nobody may start over them.
            Transaction::Cancelled(_) => {
                Err(Failure::unreadable("dynamodb TransactWriteItems (start)", "items without a credential"))
            }
        }
    }

    /// A trial becomes paid, portal users are added, or both. `false`: something changed in between.
    pub async fn extend(
        &self,
        known: &Credential,
        paid: bool,
        portal_users: &BTreeSet<Principal>,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let (what, kind) = if paid { ("paid", Kind::Paid) } else { ("portal-users-added", known.kind) };
        let seq = known.seq + 1;
        let values = Item::new()
            .with(":kind", text(kind.as_str()))
            .with(":q", number(known.seq))
            .with(":q2", number(seq))
            .with_if(":pu", set_of(portal_users));
        let add = if portal_users.is_empty() { "" } else { " ADD #pu :pu" };
        let update = Update::builder()
            .update_expression(format!("SET #kind = :kind, #seq = :q2{add}"))
            .condition_expression("#seq = :q")
            .expression_attribute_names("#kind", KIND)
            .expression_attribute_names("#seq", SEQ);
        let update =
            if portal_users.is_empty() { update } else { update.expression_attribute_names("#pu", PORTAL_USERS) };
        let entry = Entry { what, by: VENDOR, at: now, issue: known.issue };
        let items = vec![
            self.update(Key::credential(&known.subscription), update, values)?,
            self.put_new(entry.item(&known.subscription, seq))?,
        ];
        let outcome = self.transact("dynamodb TransactWriteItems (extend)", items).await?;
        Ok(matches!(outcome, Transaction::Done))
    }

    /// Starts the issue after `known`'s: new password, new retrievals, new mail to the same address; everything old is void.
    pub async fn start_next_issue(
        &self,
        known: &Credential,
        new: &NewCredentials,
        portal_users: &BTreeSet<Principal>,
        event: &EventId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<NextIssue, Failure> {
        let id = &known.subscription;
        let (account, mail) = futures_util::try_join!(
            self.0.get("dynamodb GetItem (account)", Key::account(&known.user_name)),
            self.0.get("dynamodb GetItem (mail)", Key::welcome_mail(id)),
        )?;
        let account = account.ok_or_else(|| Failure::unreadable("item", "ACCOUNT"))?;
        let mut mail = welcome_mail(&mail.ok_or_else(|| Failure::unreadable("item", "MAIL"))?)?;
        let issue = known.issue.next();
        (mail.issue, mail.status, mail.at) = (issue, MailStatus::Pending, now);

        let mut entries: Vec<Attributes> = Vec::new();
        let mut seq = known.seq;
        let retrieved =
            known.retrievals_in_order().into_iter().map(|retrieval| Entry::retrieved(retrieval, known.issue));
        for entry in retrieved.chain([Entry { what: "issued", by: VENDOR, at: now, issue }]) {
            seq += 1;
            entries.push(entry.item(id, seq));
        }
        let mut items = vec![
            self.next_credential(known, new, portal_users, now, expires_at, seq)?,
            self.next_account(known, new, Reader(&account).number(VERSION)?, expires_at)?,
            self.put_new(handled(id, event, now))?,
            self.put(mails::to_item(id, &mail))?,
        ];
        for entry in entries {
            items.push(self.put_new(entry)?);
        }
        match self.transact("dynamodb TransactWriteItems (next issue)", items).await? {
            Transaction::Done => Ok(NextIssue::Started),
            Transaction::Cancelled(failed) if failed.contains(&2) => Ok(NextIssue::AlreadyHandled),
            Transaction::Cancelled(_) => Ok(NextIssue::LostRace),
        }
    }

    fn next_credential(
        &self,
        known: &Credential,
        new: &NewCredentials,
        portal_users: &BTreeSet<Principal>,
        now: Timestamp,
        expires_at: Timestamp,
        seq: u64,
    ) -> Result<TransactWriteItem, Failure> {
        let add = if portal_users.is_empty() { "" } else { " ADD #pu :pu" };
        let update = Update::builder()
            .update_expression(format!(
                "SET #issue = :n1, #sealed = :s, #ret = :empty, #issued = :now, #exp = :e, #kind = :paid, #seq = :q2 \
                 REMOVE #signed_in, #changed{add}"
            ))
            .condition_expression("#issue = :n AND #seq = :q AND size(#ret) = :k AND attribute_not_exists(#ended)")
            .expression_attribute_names("#issue", ISSUE)
            .expression_attribute_names("#sealed", SEALED_PASSWORD)
            .expression_attribute_names("#ret", RETRIEVALS)
            .expression_attribute_names("#issued", ISSUED_AT)
            .expression_attribute_names("#exp", EXPIRES_AT)
            .expression_attribute_names("#kind", KIND)
            .expression_attribute_names("#seq", SEQ)
            .expression_attribute_names("#signed_in", SIGNED_IN_AT)
            .expression_attribute_names("#changed", CHANGED_AT)
            .expression_attribute_names("#ended", ENDED_AT);
        let update =
            if portal_users.is_empty() { update } else { update.expression_attribute_names("#pu", PORTAL_USERS) };
        let values = Item::new()
            .with(":n", number(known.issue.number()))
            .with(":n1", number(known.issue.next().number()))
            .with(":s", binary(new.sealed.as_bytes()))
            .with(":empty", Item::new().into_value())
            .with(":now", time(now))
            .with(":e", time(expires_at))
            .with(":paid", text(Kind::Paid.as_str()))
            .with(":q", number(known.seq))
            .with(":q2", number(seq))
            .with(":k", number(known.retrievals.len() as u64))
            .with_if(":pu", set_of(portal_users));
        self.update(Key::credential(&known.subscription), update, values)
    }

    fn next_account(
        &self,
        known: &Credential,
        new: &NewCredentials,
        version: u64,
        expires_at: Timestamp,
    ) -> Result<TransactWriteItem, Failure> {
        let update = Update::builder()
            .update_expression(
                "SET #hash = :h, #must_change = :true, #status = :active, #issue = :n1, #exp = :e, #version = #version + :one",
            )
            .condition_expression("#version = :v")
            .expression_attribute_names("#hash", PASSWORD_HASH)
            .expression_attribute_names("#must_change", MUST_CHANGE)
            .expression_attribute_names("#status", STATUS)
            .expression_attribute_names("#issue", ISSUE)
            .expression_attribute_names("#exp", EXPIRES_AT)
            .expression_attribute_names("#version", VERSION);
        let values = Item::new()
            .with(":h", text(new.hash.as_phc()))
            .with(":true", boolean(true))
            .with(":active", text("active"))
            .with(":n1", number(known.issue.next().number()))
            .with(":e", time(expires_at))
            .with(":one", number(1_u64))
            .with(":v", number(version));
        self.update(Key::account(&known.user_name), update, values)
    }

    fn update(&self, key: Key, update: UpdateBuilder, values: Item) -> Result<TransactWriteItem, Failure> {
        let update = update
            .table_name(&self.0.name)
            .set_key(Some(key.into_map()))
            .set_expression_attribute_values(Some(values.into_map()))
            .build();
        let update = update.map_err(|_| Failure::unreadable("dynamodb TransactWriteItems", "update"))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// An item that must not exist.
    fn put_new(&self, item: Attributes) -> Result<TransactWriteItem, Failure> {
        self.finish(Put::builder().set_item(Some(item)).condition_expression("attribute_not_exists(PK)"))
    }

    /// An item whose condition is another item's of the same transaction.
    fn put(&self, item: Attributes) -> Result<TransactWriteItem, Failure> {
        self.finish(Put::builder().set_item(Some(item)))
    }

    fn finish(&self, put: PutBuilder) -> Result<TransactWriteItem, Failure> {
        let put = put.table_name(&self.0.name).build();
        let put = put.map_err(|_| Failure::unreadable("dynamodb TransactWriteItems", "put"))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    async fn transact(&self, operation: &'static str, items: Vec<TransactWriteItem>) -> Result<Transaction, Failure> {
        let attempt = || async {
            let request = self.0.client.transact_write_items().set_transact_items(Some(items.clone()));
            decide(operation, request.send().await)
        };
        through_conflicts(operation, attempt).await
    }

    async fn batch_write(&self, mut requests: Vec<WriteRequest>) -> Result<(), Failure> {
        const OPERATION: &str = "dynamodb BatchWriteItem (portal users)";
        for turn in 0..BATCH_TRIES {
            if turn > 0 {
                pause().await;
            }
            let request = self.0.client.batch_write_item().request_items(&self.0.name, requests);
            let answer = request.send().await.map_err(|error| Failure::of(OPERATION, &error))?;
            requests = answer.unprocessed_items.and_then(|mut left| left.remove(&self.0.name)).unwrap_or_default();
            if requests.is_empty() {
                return Ok(());
            }
        }
        Err(Failure::too_long(OPERATION))
    }
}

/// What a transaction came to.
enum Transaction {
    Done,
    /// The positions of the items whose conditions failed; nothing was written.
    Cancelled(Vec<usize>),
}

/// Reasons come by position. While any of them is a conflict or a throttle, nothing is known of the others: try again.
fn decide(
    operation: &'static str,
    result: Result<TransactWriteItemsOutput, SdkError<TransactWriteItemsError>>,
) -> Result<Try<Transaction>, Failure> {
    let Err(error) = result else { return Ok(Try::Done(Transaction::Done)) };
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return Err(Failure::of(operation, &error));
    };
    let codes: Vec<&str> =
        cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None")).collect();
    if codes
        .iter()
        .any(|code| matches!(*code, "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded"))
    {
        return Ok(Try::Conflict(Failure::of(operation, &error)));
    }
    let failed: Vec<usize> = (0..codes.len()).filter(|n| codes[*n] == "ConditionalCheckFailed").collect();
    if failed.is_empty() {
        return Err(Failure::unreadable(operation, "reasons of a cancellation"));
    }
    Ok(Try::Done(Transaction::Cancelled(failed)))
}

/// One line of a subscription's history.
struct Entry<'a> {
    what: &'static str,
    by: &'a str,
    at: Timestamp,
    issue: Issue,
}

impl<'a> Entry<'a> {
    fn retrieved(retrieval: &'a Retrieval, issue: Issue) -> Self {
        Self { what: "retrieved", by: &retrieval.by, at: retrieval.at, issue }
    }

    fn item(&self, subscription: &SubscriptionId, seq: u64) -> Attributes {
        Item::at(Key::history(subscription, seq))
            .with(WHAT, text(self.what))
            .with(BY, text(self.by))
            .with(AT, time(self.at))
            .with(ISSUE, number(self.issue.number()))
            .into_map()
    }
}

/// The mark that an event has started an issue.
fn handled(subscription: &SubscriptionId, event: &EventId, now: Timestamp) -> Attributes {
    Item::at(Key::handled_event(subscription, event)).with(AT, time(now)).into_map()
}

fn set_of(principals: &BTreeSet<Principal>) -> Option<aws_sdk_dynamodb::types::AttributeValue> {
    (!principals.is_empty()).then(|| binary_set(principals.iter().map(Principal::as_bytes)))
}
