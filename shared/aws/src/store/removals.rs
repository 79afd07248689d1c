//! The removal of administrators by each other, and of a service administrator that a reissue has made active again.

use domain::{Account, AccountId, Credential, HistoryCode, Role, Timestamp, UserName};

use super::{
    Table, account, administrator, credential,
    history::{Entries, Entry},
    sessions::SignedIn,
    transaction::{Commit, Part, Transaction},
};
use crate::{
    Failure,
    retry::{Race, through_races},
};

/// Removes administrators, in a session of another one.
pub struct Removals(Table);

/// The result of [`Removals::remove`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoveOutcome {
    /// The account with this name is closed.
    Removed(UserName),
    /// The account was closed before. Nothing was written.
    RemovedBefore,
    /// The subscription has no such account.
    NotFound,
    /// The account is that of the session.
    OwnAccount,
    /// The account is that of the session, and no other proven administrator remains.
    LastAdministrator,
    /// The session that asked has ended.
    SessionEnded,
}

const OPERATION: &str = "dynamodb TransactWriteItems (remove administrator)";

/// The number of accounts that one request reads: the limit of DynamoDB.
const BATCH: usize = 100;

impl Removals {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Closes the account with this id on behalf of `signed_in`, who must be proven.
    ///
    /// The transaction asks for the account of `signed_in` as it was when the session began, and so does every other removal. Of two
    /// administrators who remove each other one fails, and the other one remains, who is proven: no counter is needed.
    pub async fn remove(
        &self,
        signed_in: &SignedIn,
        account_id: &AccountId,
        now: Timestamp,
    ) -> Result<RemoveOutcome, Failure> {
        if account_id.as_str() == signed_in.account.account_id {
            return self.refuse_own(signed_in).await;
        }
        through_races(OPERATION, Some(signed_in.credential.clone()), |first| {
            self.remove_once(signed_in, account_id, first, now)
        })
        .await
    }

    /// Reads and writes once. `first` is what the caller has read before the first attempt.
    async fn remove_once(
        &self,
        signed_in: &SignedIn,
        account_id: &AccountId,
        first: Option<Credential>,
        now: Timestamp,
    ) -> Result<Race<RemoveOutcome>, Failure> {
        let has_lost = first.is_none();
        let known = match first {
            Some(known) => known,
            None => self.0.existing_credential(&signed_in.session.subscription).await?,
        };
        if known.ended_at.is_some() {
            return Ok(Race::Decided(RemoveOutcome::SessionEnded));
        }
        let Some(account) = self.find(&known, account_id).await? else {
            return Ok(Race::Decided(RemoveOutcome::NotFound));
        };
        let Some(next) = account.removed() else {
            // After a lost race, an earlier attempt of this removal may have closed the account.
            let removed = || RemoveOutcome::Removed(account.user_name.clone());
            return Ok(Race::Decided(if has_lost { removed() } else { RemoveOutcome::RemovedBefore }));
        };
        Ok(match self.transaction(signed_in, &account, &next, &known, now)?.commit().await? {
            Commit::Done => Race::Decided(RemoveOutcome::Removed(next.user_name)),
            Commit::Refused(refused) if refused.failed(Part::Actor) => Race::Decided(RemoveOutcome::SessionEnded),
            Commit::Refused(_) => Race::Lost,
        })
    }

    /// Returns the account of the subscription that has this id: that of an administrator or of the service administrator.
    async fn find(&self, known: &Credential, account_id: &AccountId) -> Result<Option<Account>, Failure> {
        if let Some(found) = self.0.administrator(&known.subscription, account_id).await? {
            return Ok(Some(found.account));
        }
        let service = self.0.account(account::key(&known.user_name)).await?;
        Ok(service.filter(|service| service.account_id == account_id.as_str()))
    }

    fn transaction(
        &self,
        signed_in: &SignedIn,
        account: &Account,
        next: &Account,
        known: &Credential,
        now: Timestamp,
    ) -> Result<Transaction<'_>, Failure> {
        let SignedIn { session, account: actor, .. } = signed_in;
        let entry = Entry::new(HistoryCode::AdministratorRemoved, actor, now, known.issue);
        let entries = Entries::after(known).and(&entry.with_account(&account.user_name));
        let transaction = Transaction::new(&self.0, OPERATION)
            .check(Part::Actor, account::unchanged(&actor.user_name, session.account_version))?
            .update(Part::Account, account::remove(account, next))?;
        let transaction = match account.role {
            Role::Administrator => transaction
                .update(Part::Administrator, administrator::set_status(next))?
                .update(Part::Credential, credential::advance(known, entries.seq()))?,
            Role::ServiceAdministrator => {
                let withdraw = credential::withdraw(known, entries.seq(), known.withdrawn_at(now));
                transaction.update(Part::Credential, withdraw)?
            }
        };
        transaction.put_history(entries)
    }

    /// Returns why administrators cannot remove themselves: the last proven one must not leave, and the others ask each other.
    async fn refuse_own(&self, signed_in: &SignedIn) -> Result<RemoveOutcome, Failure> {
        let own = &signed_in.account.user_name;
        let active = self.0.active_administrators(&signed_in.credential.subscription).await?;
        let others: Vec<_> = active.iter().filter(|one| one.user_name != *own).collect();
        for some in others.chunks(BATCH) {
            let keys = some.iter().map(|one| account::key(&one.user_name).into_map()).collect();
            for item in self.0.batch_get("dynamodb BatchGetItem (accounts)", keys, &[]).await? {
                if account::from_item(&item)?.is_proven() {
                    return Ok(RemoveOutcome::OwnAccount);
                }
            }
        }
        Ok(RemoveOutcome::LastAdministrator)
    }
}
