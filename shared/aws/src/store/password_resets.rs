//! Temporary passwords that administrators give to each other, in the place of one that is forgotten.

use domain::{
    Account, AccountId, AccountStatus, Credential, HistoryCode, PasswordHash, Timestamp, UserName,
    account::MOST_ADMINISTRATORS,
};

use super::{
    Table, account, administrator, credential,
    day::DailyLimit,
    history::{Entries, Entry},
    sessions::SignedIn,
    team::FoundAdministrator,
    transaction::{Commit, Part, Refused, Transaction},
};
use crate::{
    Failure,
    retry::{Race, through_races},
};

/// Resets the passwords of administrators, in a session of another one.
pub struct PasswordResets(Table);

/// A temporary password that is to replace a password.
pub struct PasswordReset<'a> {
    /// The account.
    pub account_id: &'a AccountId,
    /// The hash of the temporary password.
    pub hash: &'a PasswordHash,
    /// When the temporary password stops working.
    pub expires_at: Timestamp,
}

/// The result of [`PasswordResets::reset`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResetOutcome {
    /// The account with this name has the temporary password.
    Reset(UserName),
    /// The subscription has no such administrator.
    NotFound,
    /// The account is that of the session.
    OwnAccount,
    /// The session that asked has ended.
    SessionEnded,
    /// The account is closed, and the subscription has as many active administrators as it may.
    Full,
    /// The subscription has had its accounts with an address of this day.
    TooMany,
}

const OPERATION: &str = "dynamodb TransactWriteItems (reset administrator)";

impl PasswordResets {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Carries out `reset` on behalf of `signed_in`, who must be proven. Where another reset is faster, this one replaces its password: the
    /// caller may show a password whose reset has succeeded, and no other.
    pub async fn reset(
        &self,
        signed_in: &SignedIn,
        reset: &PasswordReset<'_>,
        now: Timestamp,
    ) -> Result<ResetOutcome, Failure> {
        // No transaction may name one item twice.
        if reset.account_id.as_str() == signed_in.account.account_id {
            return Ok(ResetOutcome::OwnAccount);
        }
        through_races(OPERATION, Some(signed_in.credential.clone()), |known| async move {
            let known = match known {
                Some(known) => known,
                None => self.0.existing_credential(&signed_in.session.subscription).await?,
            };
            self.reset_once(signed_in, reset, &known, now).await
        })
        .await
    }

    async fn reset_once(
        &self,
        signed_in: &SignedIn,
        reset: &PasswordReset<'_>,
        known: &Credential,
        now: Timestamp,
    ) -> Result<Race<ResetOutcome>, Failure> {
        if known.ended_at.is_some() {
            return Ok(Race::Decided(ResetOutcome::SessionEnded));
        }
        let Some(found) = self.0.administrator(&known.subscription, reset.account_id).await? else {
            return Ok(Race::Decided(ResetOutcome::NotFound));
        };
        let account = &found.account;
        let done = || Race::Decided(ResetOutcome::Reset(account.user_name.clone()));
        if account.password_hash == *reset.hash {
            return Ok(done());
        }
        if self.would_be_too_many(account).await? {
            return Ok(Race::Decided(ResetOutcome::Full));
        }
        let refused = match self.transaction(signed_in, &found, reset, known, now)?.commit().await? {
            Commit::Done => return Ok(done()),
            Commit::Refused(refused) => refused,
        };
        Ok(if is_own_write(&refused, reset.hash)? { done() } else { judge(&refused) })
    }

    /// Returns whether the account cannot be opened, because there are too many open ones. The transaction names the number of the last entry
    /// in the history, which was read before: the number of administrators is the same until then.
    async fn would_be_too_many(&self, account: &Account) -> Result<bool, Failure> {
        if account.status == AccountStatus::Active {
            return Ok(false);
        }
        Ok(self.0.active_administrators(&account.subscription).await?.len() >= MOST_ADMINISTRATORS)
    }

    fn transaction(
        &self,
        signed_in: &SignedIn,
        found: &FoundAdministrator,
        reset: &PasswordReset<'_>,
        known: &Credential,
        now: Timestamp,
    ) -> Result<Transaction<'_>, Failure> {
        let (SignedIn { session, account: actor, .. }, account) = (signed_in, &found.account);
        let next = account.reset(reset.hash.clone(), reset.expires_at);
        let entry = Entry::new(HistoryCode::AdministratorReset, actor, now, known.issue);
        let entries = Entries::after(known).and(&entry.with_account(&account.user_name));
        let transaction = Transaction::new(&self.0, OPERATION)
            .check(Part::Actor, account::unchanged(&actor.user_name, session.account_version))?
            .update(Part::Account, account::reset(account, &next, reset.expires_at))?
            .update(Part::Administrator, administrator::reset(&next, now))?
            .update(Part::Credential, credential::advance(known, entries.seq()))?
            .put_history(entries)?;
        match found.email {
            Some(_) => transaction.update(Part::AddressedDay, DailyLimit::ADDRESSED.count(&known.subscription, now)),
            None => Ok(transaction),
        }
    }
}

/// Returns whether an earlier attempt of this transaction was carried out: the account has the hash, which no other reset has.
fn is_own_write(refused: &Refused, hash: &PasswordHash) -> Result<bool, Failure> {
    let stored = refused.item(Part::Account).map(account::from_item).transpose()?;
    Ok(stored.is_some_and(|stored| stored.password_hash == *hash))
}

fn judge(refused: &Refused) -> Race<ResetOutcome> {
    if refused.failed(Part::Actor) {
        Race::Decided(ResetOutcome::SessionEnded)
    } else if refused.failed(Part::AddressedDay) && !refused.failed(Part::Account) {
        Race::Decided(ResetOutcome::TooMany)
    } else {
        Race::Lost
    }
}
