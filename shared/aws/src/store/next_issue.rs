//! The writes that every start of a next issue makes beside the credential's: the account, the mail and the history.

use domain::{Credential, MailStatus, PasswordHash};

use super::{
    Table, account,
    history::{Entries, Entry},
    mail,
    transaction::{Part, Transaction},
};
use crate::Failure;

/// A transaction that starts a next issue, without its writes of the credential and the history.
pub(super) struct NextIssue<'a> {
    pub(super) transaction: Transaction<'a>,
    pub(super) entries: Entries<'a>,
    pub(super) mail: IssueMail,
}

/// Whether the mail of a next issue is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueMail {
    /// The mail is ordered.
    Ordered,
    /// The address is known to take no mail, so none is sent.
    AddressRuledOut,
}

impl Table {
    /// Begins the transaction that starts the issue of `next` after that of `known`: a new password with `hash`, which voids the sessions of
    /// the account, and a mail to the same address. The history gets what only the credential and the mail say about the last issue, and then
    /// `entry`, that of the start.
    pub(super) async fn next_issue<'a>(
        &'a self,
        operation: &'static str,
        known: &'a Credential,
        next: &Credential,
        hash: &PasswordHash,
        entry: &Entry<'_>,
    ) -> Result<NextIssue<'a>, Failure> {
        let id = &known.subscription;
        let (account, mail) = futures_util::try_join!(
            self.account(account::key(&known.user_name)),
            self.get("dynamodb GetItem (mail)", mail::key(id)),
        )?;
        let account = account.ok_or_else(|| Failure::unreadable("item", "ACCOUNT"))?;
        let next_account = account.next_issue(next, hash.clone());
        let last = mail::from_item(&mail.ok_or_else(|| Failure::unreadable("item", mail::SORT_KEY))?)?;
        let entries = Entries::with_retrievals_of(known).and_failure_of(&last).and(entry);
        let mail = last.clone().next_issue(next);
        let transaction = Transaction::new(self, operation)
            .update(Part::Account, account::next_issue(&account, &next_account, next.issue, next.expires_at))?
            .replace_mail(id, &last, &mail)?;
        let mail = if mail.status == MailStatus::Pending { IssueMail::Ordered } else { IssueMail::AddressRuledOut };
        Ok(NextIssue { transaction, entries, mail })
    }
}
