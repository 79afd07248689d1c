//! The choice of a password: the first choice wins, and it ends every other session of the account.

use domain::{Credential, HistoryCode, PasswordHash, Session, SessionDigest, Timestamp};

use super::{
    Table, account, credential,
    history::{Entries, Entry},
    session,
    sessions::SignedIn,
    transaction::{Commit, Part, Transaction},
};
use crate::{
    Failure,
    retry::{Race, through_races},
};

/// Changes the password of an account, in a session of that account.
pub struct Passwords(Table);

/// A chosen password, with the session that follows it.
struct Choice<'a> {
    hash: &'a PasswordHash,
    next: &'a Session,
    digest: &'a SessionDigest,
}

/// The result of [`Passwords::change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// The account has the password, and the next session has begun.
    Changed,
    /// The session has ended, by another choice, a new issue, a retirement or its time. Nothing was written.
    SessionEnded,
}

const OPERATION: &str = "dynamodb TransactWriteItems (change password)";

impl Passwords {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Gives the account of `signed_in` the password of `hash`, and begins `next`, the first session with that password.
    pub async fn change(
        &self,
        signed_in: &SignedIn,
        hash: &PasswordHash,
        next: &Session,
        digest: &SessionDigest,
        now: Timestamp,
    ) -> Result<ChangeOutcome, Failure> {
        let choice = &Choice { hash, next, digest };
        through_races(OPERATION, Some(signed_in.credential.clone()), |known| async move {
            let known = match known {
                Some(known) => known,
                None => self.0.existing_credential(&signed_in.session.subscription).await?,
            };
            self.change_once(signed_in, choice, &known, now).await
        })
        .await
    }

    async fn change_once(
        &self,
        signed_in: &SignedIn,
        choice: &Choice<'_>,
        known: &Credential,
        now: Timestamp,
    ) -> Result<Race<ChangeOutcome>, Failure> {
        let SignedIn { session, account, .. } = signed_in;
        let entry = Entry::new(HistoryCode::PasswordChanged, account, now, known.issue);
        let entries = Entries::after(known).and(&entry);
        let change = match account.temporary.and_then(|temporary| temporary.issue) {
            Some(issue) => credential::change_password(known, entries.seq(), issue, now),
            None => credential::advance(known, entries.seq()),
        };
        let temporary_at = account.temporary.map(|_| now);
        let password = account::change_password(&account.user_name, choice.hash, session.account_version, temporary_at);
        let transaction = Transaction::new(&self.0, OPERATION)
            .put_new(Part::Session, session::to_item(choice.next, choice.digest))?
            .update(Part::Account, password)?
            .update(Part::Credential, change)?
            .put_history(entries)?;
        Ok(match transaction.commit().await? {
            Commit::Done => Race::Decided(ChangeOutcome::Changed),
            // Only this transaction puts this session: an earlier attempt was carried out.
            Commit::Refused(refused) if refused.failed(Part::Session) => Race::Decided(ChangeOutcome::Changed),
            Commit::Refused(refused) if refused.failed(Part::Account) => Race::Decided(ChangeOutcome::SessionEnded),
            Commit::Refused(_) => Race::Lost,
        })
    }
}
