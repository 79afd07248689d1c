//! Reissues: issues that operators start.

use domain::{Credential, HistoryCode, PasswordHash, PortalUserChange, Timestamp, WelcomeMail};

use super::{
    Table, account, credential,
    history::Entries,
    operator_acts::{ActOutcome, DeskState, OperatorAct, commit},
    portal_user,
    transaction::{Part, Transaction},
};
use crate::Failure;

/// Starts issues for operators.
pub struct Reissues(Table);

/// An issue that an operator starts. It has no `Debug`, because it holds personal data.
pub struct Reissue<'a> {
    /// The credential of the new issue, with its portal users.
    pub next: &'a Credential,
    /// The hash of the temporary password.
    pub hash: &'a PasswordHash,
    /// The mail of the new issue.
    pub mail: &'a WelcomeMail,
    /// The portal users that come and go with the address.
    pub change: &'a PortalUserChange,
    /// When the reminder of the new issue is due.
    pub reminder_at: Option<Timestamp>,
}

impl Reissues {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Starts the issue of `new` in the place of that of `known`, whatever its state but ended. Everything of the issue before is void.
    pub async fn reissue(
        &self,
        known: &DeskState,
        new: &Reissue<'_>,
        act: &OperatorAct<'_>,
    ) -> Result<ActOutcome, Failure> {
        let (id, next) = (&known.credential.subscription, new.next);
        let account = self.0.account(account::key(&known.credential.user_name)).await?;
        let account = account.ok_or_else(|| Failure::unreadable("item", "ACCOUNT"))?;
        let next_account = account.next_issue(next, new.hash.clone());
        let entries = Entries::with_retrievals_of(&known.credential).and_failure_of(&known.mail);
        let entries = act.add_entries(entries, &known.credential, HistoryCode::Reissued, next);
        let write = credential::reissue(&known.credential, next, entries.seq())?;
        if let Some(due_at) = new.reminder_at {
            self.0.expect_reminder(id, next.issue, due_at).await?;
        }
        let account = account::next_issue(&account, &next_account, next.issue, next.expires_at);
        let transaction = Transaction::new(&self.0, "dynamodb TransactWriteItems (reissue)")
            .update(Part::Credential, write)?
            .update(Part::Account, account::with_address(account, &new.mail.to))?
            .replace_mail(id, &known.mail, new.mail)?
            .put_history(entries)?;
        let transaction = portal_user::write_change(transaction, id, new.change, act.at)?;
        commit(act.add_to(transaction, id)?).await
    }
}
