//! The end of a subscription: first the transaction after which nothing of it works any more, then the accounts, a few at a time.

use domain::{Account, AccountStatus, Credential, HistoryCode, LifeChange, PurgeDay, SubscriptionId, Timestamp};

use super::{
    Table, account,
    administrator::{self, KnownAdministrator},
    ended_credential,
    history::{Author, Entries, Entry},
    life::{self, KnownSubscription, RecordLifeOutcome},
    purge,
    transaction::{Commit, Part, Transaction, Write},
};
use crate::Failure;

/// Ends subscriptions as the vendor's events say, and closes their accounts.
pub struct SubscriptionEnds(Table);

/// The result of [`SubscriptionEnds::end`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOutcome {
    /// The subscription has ended.
    Ended,
    /// Something changed in between: read again and decide again.
    LostRace,
}

/// The result of closing accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseOutcome {
    /// The accounts are closed.
    Closed,
    /// Another delivery has closed some of the accounts in between: read again which are open.
    LostRace,
    /// The subscription has not ended by this end any more: every account was closed by another delivery, and it has started again.
    Overtaken,
}

/// The number of accounts that one transaction closes. Each is two writes, and the limit of DynamoDB is a hundred.
pub const CLOSED_AT_ONCE: usize = 25;

impl SubscriptionEnds {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Returns what the table has of a subscription that an event is about.
    pub async fn find(&self, subscription: &SubscriptionId) -> Result<KnownSubscription, Failure> {
        self.0.known_subscription(subscription).await
    }

    /// Records an end that changes nothing else.
    pub async fn record(
        &self,
        subscription: &SubscriptionId,
        change: &LifeChange,
    ) -> Result<RecordLifeOutcome, Failure> {
        self.0.record_life(subscription, change).await
    }

    /// Ends the subscription of `known` at `ended_at`, as `life` records it, and plans the deletion of its items for `purge_day`. From then on no
    /// session is valid and no transaction on the subscription is carried out. The service administrator's account is closed at once.
    pub async fn end(
        &self,
        known: &Credential,
        ended_at: Timestamp,
        life: &LifeChange,
        purge_day: PurgeDay,
        now: Timestamp,
    ) -> Result<EndOutcome, Failure> {
        let id = &known.subscription;
        // Every transaction that changes the account changes the credential too, so it is as it was with `known`, or the end loses the race.
        let service = self.0.account(account::key(&known.user_name)).await?;
        let entry = Entry::new(HistoryCode::SubscriptionEnded, Author::vendor(), now, known.issue);
        let entries = Entries::after(known).and(&entry);
        let mut transaction = Transaction::new(&self.0, "dynamodb TransactWriteItems (end)")
            .update(Part::Credential, ended_credential::end(known, ended_at, entries.seq()))?
            .update(Part::Life, life::record(id, life))?
            .put(Part::Purge, purge::to_item(purge_day, id, ended_at))?
            .put_history(entries)?;
        if let Some(service) = service.filter(is_open) {
            transaction = transaction.update(Part::ServiceAdministrator, account::close(&service))?;
        }
        Ok(match transaction.commit().await? {
            Commit::Done => EndOutcome::Ended,
            Commit::Refused(_) => EndOutcome::LostRace,
        })
    }

    /// Plans the deletion of the items of a subscription that has ended at `ended_at` by another hand than [`Self::end`].
    pub async fn plan_purge(
        &self,
        subscription: &SubscriptionId,
        ended_at: Timestamp,
        purge_day: PurgeDay,
    ) -> Result<(), Failure> {
        self.0.put("dynamodb PutItem (purge)", purge::to_item(purge_day, subscription, ended_at)).await
    }

    /// Returns the accounts of the ended subscription of `known` that are still open. None is opened or created after the end.
    pub async fn open_accounts(&self, known: &Credential) -> Result<Vec<OpenAccount>, Failure> {
        let (service, administrators) = futures_util::try_join!(
            self.0.account(account::key(&known.user_name)),
            self.0.active_administrators(&known.subscription),
        )?;
        let service = service.filter(is_open).map(Owner::ServiceAdministrator);
        let owners = service.into_iter().chain(administrators.into_iter().map(Owner::Administrator));
        Ok(owners.map(OpenAccount).collect())
    }

    /// Closes some accounts of the subscription that ended at `ended_at`: at most [`CLOSED_AT_ONCE`].
    pub async fn close(
        &self,
        subscription: &SubscriptionId,
        ended_at: Timestamp,
        accounts: &[OpenAccount],
    ) -> Result<CloseOutcome, Failure> {
        let check = ended_credential::has_ended_then(subscription, ended_at);
        let mut transaction =
            Transaction::new(&self.0, "dynamodb TransactWriteItems (close accounts)").check(Part::Credential, check)?;
        for OpenAccount(owner) in accounts {
            transaction = match owner {
                Owner::ServiceAdministrator(account) => {
                    transaction.update(Part::ServiceAdministrator, account::close(account))?
                }
                Owner::Administrator(KnownAdministrator { user_name, account_id, .. }) => transaction
                    .update(Part::Account, account::close_active(user_name))?
                    .update(Part::Administrator, administrator::close(subscription, account_id))?,
            };
        }
        Ok(match transaction.commit().await? {
            Commit::Done => CloseOutcome::Closed,
            Commit::Refused(refused) if refused.failed(Part::Credential) => CloseOutcome::Overtaken,
            Commit::Refused(_) => CloseOutcome::LostRace,
        })
    }

    /// Records that every account of the subscription that ended at `ended_at` is closed, so that it can start again.
    pub async fn finish(
        &self,
        subscription: &SubscriptionId,
        ended_at: Timestamp,
        now: Timestamp,
    ) -> Result<CloseOutcome, Failure> {
        let change = ended_credential::close(subscription, ended_at, now);
        Ok(match self.0.write("dynamodb UpdateItem (closed)", change).await? {
            Write::Done(_) => CloseOutcome::Closed,
            Write::Refused(_) => CloseOutcome::Overtaken,
        })
    }
}

/// An account of an ended subscription that is still open. It has no `Debug`, because it holds personal data.
pub struct OpenAccount(Owner);

enum Owner {
    /// The service administrator, whose account the transaction of an end closes.
    ServiceAdministrator(Account),
    Administrator(KnownAdministrator),
}

fn is_open(account: &Account) -> bool {
    account.status != AccountStatus::Closed
}
