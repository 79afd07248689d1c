//! The later start of a subscription that has ended.

use domain::{Credential, EventId, HistoryCode, LifeChange, PasswordHash, Timestamp, WelcomeMail};

use super::{
    Table, account, ended_credential, handled_event,
    history::{Author, Entries, Entry},
    life, mail,
    transaction::{Commit, Part, Transaction},
};
use crate::Failure;

/// Starts ended subscriptions again, as the vendor's events say.
pub struct Restarts(Table);

/// The first issue of a later life. It has no `Debug`, because it holds personal data.
pub struct Restart<'a> {
    /// The credential of the issue.
    pub next: &'a Credential,
    /// The hash of the temporary password.
    pub hash: &'a PasswordHash,
    /// The mail of the issue.
    pub mail: &'a WelcomeMail,
    /// The event that starts the subscription.
    pub event: &'a EventId,
    /// The life with the event.
    pub life: &'a LifeChange,
}

/// The result of [`Restarts::restart`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartOutcome {
    /// The subscription has started again.
    Restarted,
    /// This event has started an issue before.
    AlreadyHandled,
    /// Something changed in between: read again and decide again.
    LostRace,
}

impl Restarts {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Starts the subscription of `known`, which ended at `ended_at`, again. The service administrator's account is active again, with the
    /// password and the address of `new`. The purge of the former life finds another life, and deletes nothing.
    pub async fn restart(
        &self,
        known: &Credential,
        ended_at: Timestamp,
        new: &Restart<'_>,
    ) -> Result<RestartOutcome, Failure> {
        let (id, next) = (&known.subscription, new.next);
        let (account, mail) = futures_util::try_join!(
            self.0.account(account::key(&known.user_name)),
            self.0.get("dynamodb GetItem (mail)", mail::key(id)),
        )?;
        let account = account.ok_or_else(|| Failure::unreadable("item", "ACCOUNT"))?;
        let next_account = account.next_issue(next, new.hash.clone());
        let account = account::next_issue(&account, &next_account, next.issue, next.expires_at);
        let last = mail::from_item(&mail.ok_or_else(|| Failure::unreadable("item", mail::SORT_KEY))?)?;
        let issued = Entry::new(HistoryCode::Issued, Author::vendor(), next.issued_at, next.issue);
        let entries = Entries::with_retrievals_of(known).and_failure_of(&last).and(&issued);
        let transaction = Transaction::new(&self.0, "dynamodb TransactWriteItems (start again)")
            .update(Part::Credential, ended_credential::restart(known, ended_at, next, entries.seq())?)?
            .update(Part::Account, account::with_address(account, &new.mail.to))?
            .update(Part::Life, life::record(id, new.life))?
            .put_new(Part::Event, handled_event::to_item(id, new.event, next.issued_at))?
            .replace_mail(id, &last, new.mail)?
            .put_history(entries)?;
        Ok(match transaction.commit().await? {
            Commit::Done => RestartOutcome::Restarted,
            Commit::Refused(refused) if refused.failed(Part::Event) => RestartOutcome::AlreadyHandled,
            Commit::Refused(_) => RestartOutcome::LostRace,
        })
    }
}
