//! The accounts that operators unlock.

use domain::{Account, ClaimedName, Credential, HistoryCode, LookUpActOutcome, OperatorClick, Timestamp};

use super::{
    Table, account, attempts, credential,
    day::DailyLimit,
    history::{Entries, Entry},
    operator_acts::{OperatorAct, OperatorActs},
    transaction::{Commit, Part, Transaction},
};
use crate::Failure;

/// Unlocks accounts, for operators.
pub struct Accesses {
    table: Table,
    acts: OperatorActs,
}

/// The state of an account and of its subscription at the beginning of an act.
pub struct AccountState {
    /// The account.
    pub account: Account,
    /// The credential of its subscription.
    pub credential: Credential,
    /// The failures of strangers in a row.
    pub failures: u64,
}

/// The result of [`Accesses::unlock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnlockOutcome {
    /// The account is unlocked.
    Done,
    /// The account was unlocked as often as it may be in a day.
    TooMany,
    /// Something changed in between: look up again and decide again.
    LostRace,
}

impl AccountState {
    /// Returns whether the account can be unlocked: failures have closed it, and its subscription has not ended.
    #[must_use]
    pub fn can_be_unlocked(&self) -> bool {
        self.credential.ended_at.is_none() && self.account.is_closed_by(self.failures)
    }
}

impl Accesses {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { acts: OperatorActs::new(table.clone()), table }
    }

    /// Looks up an account that is to be unlocked, and whether the click was carried out before.
    pub async fn look_up_account(
        &self,
        name: &ClaimedName,
        click: &OperatorClick,
        now: Timestamp,
    ) -> Result<LookUpActOutcome<AccountState>, Failure> {
        let Some(account) = self.table.account(account::claimed_key(name)).await? else {
            return Ok(LookUpActOutcome::NotFound);
        };
        // In this order: who reads that another attempt of the click has cleared the failures finds the mark of the click.
        let failures = self.table.failures_at(&account.user_name).await?;
        let looked_up = self.acts.look_up(&account.subscription, click, now).await?;
        Ok(match looked_up {
            LookUpActOutcome::New(state) => {
                let credential = state.credential;
                LookUpActOutcome::New(Box::new(AccountState { account, credential, failures }))
            }
            LookUpActOutcome::Answered(answer) => LookUpActOutcome::Answered(answer),
            LookUpActOutcome::AnotherRequest => LookUpActOutcome::AnotherRequest,
            LookUpActOutcome::NotFound => return Err(Failure::unreadable("item", credential::SORT_KEY)),
        })
    }

    /// Unlocks an account that failures of strangers have closed: they are forgotten, and the password stays.
    pub async fn unlock(&self, known: &AccountState, act: &OperatorAct<'_>) -> Result<UnlockOutcome, Failure> {
        let AccountState { account, credential, .. } = known;
        let id = &credential.subscription;
        let entry = Entry::new(HistoryCode::AccountUnlocked, act.operator, act.at, credential.issue);
        let entries = Entries::after(credential).and(&entry.with_account(&account.user_name).with_reason(act.reason));
        let transaction = Transaction::new(&self.table, "dynamodb TransactWriteItems (unlock)")
            .update(Part::Credential, credential::advance(credential, entries.seq()))?
            .update(Part::Attempts, attempts::unlock(&account.user_name))?
            .update(Part::UnlockedDay, DailyLimit::unlocked(account).count(id, act.at))?
            .put_history(entries)?;
        Ok(match act.add_to(transaction, id)?.commit().await? {
            Commit::Done => UnlockOutcome::Done,
            // An earlier attempt of the click may have been the last of the day.
            Commit::Refused(refused) if refused.failed(Part::Click) => UnlockOutcome::LostRace,
            Commit::Refused(refused) if refused.failed(Part::UnlockedDay) => UnlockOutcome::TooMany,
            Commit::Refused(_) => UnlockOutcome::LostRace,
        })
    }
}
