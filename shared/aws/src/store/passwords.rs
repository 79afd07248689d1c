//! Choosing a password: the first choice wins, and ends every other session of the account.

use domain::{PasswordHash, Session, SessionDigest, Timestamp};

use super::{
    Table, account, credential,
    history::{Entries, Entry},
    item::{number, time},
    names::{CHANGED_AT, ISSUE, Key, SEALED_PASSWORD},
    session,
    sessions::SignedIn,
    transaction::{Commit, Part, RACES, Transaction},
};
use crate::{Failure, retry::pause};

/// May change the password of an account, in a session of it.
pub struct Passwords(Table);

const OPERATION: &str = "dynamodb TransactWriteItems (change password)";

impl Passwords {
    /// Over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Gives the account of `signed_in` the password of `hash`, and begins `next`, its first session with it. `false`: the session
    /// has ended, by another choice, a new issue, a retirement or its time; nothing was written.
    pub async fn change(
        &self,
        signed_in: &SignedIn,
        hash: &PasswordHash,
        next: &Session,
        digest: &SessionDigest,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let SignedIn { session, account, .. } = signed_in;
        let mut known = signed_in.credential.clone();
        for _ in 0..RACES {
            let by = account.user_name.as_str();
            let entry = Entry { what: "password-changed", by, at: now, issue: known.issue, account: None };
            let entries = Entries::after(&known).and(&entry);
            let mut change = credential::advance(&known, entries.seq());
            if let Some(temporary) = account.temporary {
                change = change
                    .only_if("#seq = :q AND #issue = :n")
                    .and(", #changed = :now REMOVE #sealed")
                    .names([("#changed", CHANGED_AT), ("#sealed", SEALED_PASSWORD), ("#issue", ISSUE)])
                    .value(":now", time(now))
                    .value(":n", number(temporary.issue.number()));
            }
            let key = Key::account(&account.user_name);
            let temporary_at = account.temporary.map(|_| now);
            let transaction = Transaction::new(&self.0, OPERATION)
                .put_new(Part::Session, session::to_item(next, digest))?
                .update(Part::Account, account::change_password(key, hash, session.account_version, temporary_at))?
                .update(Part::Credential, change)?
                .put_history(entries)?;
            match transaction.commit().await? {
                Commit::Done => return Ok(true),
                // Only this transaction puts this session: an earlier attempt was carried out.
                Commit::Refused(refused) if refused.failed(Part::Session) => return Ok(true),
                Commit::Refused(refused) if refused.failed(Part::Account) => return Ok(false),
                Commit::Refused(_) => pause().await,
            }
            let current = self.0.credential(&session.subscription).await?;
            known = current.ok_or_else(|| Failure::unreadable("item", "CREDENTIAL"))?;
        }
        Err(Failure::too_long(OPERATION))
    }
}
