//! Renewals: issues that portal users start after the last one expired.

use domain::{Caller, Credential, HistoryCode, PasswordHash, SubscriptionId, Timestamp};

use super::{
    Table, credential,
    history::Entry,
    next_issue::IssueMail,
    transaction::{Commit, Part},
};
use crate::Failure;

/// Starts issues for portal users.
pub struct Renewals(Table);

/// The result of [`Renewals::renew`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewOutcome {
    /// The issue has started.
    Started(IssueMail),
    /// Something changed in between: read again and decide again.
    LostRace,
}

impl Renewals {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Returns the credential of a subscription that `caller` may see.
    pub async fn find(&self, subscription: &SubscriptionId, caller: &Caller) -> Result<Option<Credential>, Failure> {
        self.0.credential_for(subscription, caller).await
    }

    /// Starts the issue of `next` in the place of that of `known`, if it has expired at `now` and may be renewed by `caller`. The reminder of
    /// the new issue is due at `reminder_at`.
    pub async fn renew(
        &self,
        known: &Credential,
        next: &Credential,
        hash: &PasswordHash,
        caller: &Caller,
        reminder_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<RenewOutcome, Failure> {
        let entry = Entry::new(HistoryCode::Renewed, caller, now, next.issue);
        let new = self.0.next_issue("dynamodb TransactWriteItems (renew)", known, next, hash, &entry).await?;
        let (mail, entries) = (new.mail, new.entries);
        let write = credential::renew(known, next, entries.seq(), caller, now)?;
        if let Some(due_at) = reminder_at {
            self.0.expect_reminder(&known.subscription, next.issue, due_at).await?;
        }
        let transaction = new.transaction.update(Part::Credential, write)?.put_history(entries)?;
        Ok(match transaction.commit().await? {
            Commit::Done => RenewOutcome::Started(mail),
            Commit::Refused(_) => RenewOutcome::LostRace,
        })
    }
}
