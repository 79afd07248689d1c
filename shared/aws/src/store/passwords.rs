//! The choice of a password: the first choice wins, and it ends every other session of the account.

use domain::{
    Account, ChoiceEffect, Credential, HistoryCode, PasswordHash, ServiceAdministrator, Session, SessionDigest,
    Timestamp, UserName,
};

use super::{
    Table, account, credential,
    history::{Entries, Entry},
    session,
    sessions::SignedIn,
    sign_ins::HandOver,
    transaction::{Commit, Part, Transaction},
};
use crate::{
    Failure,
    retry::{Race, through_races},
};

/// Changes the password of an account, in a session of that account.
pub struct Passwords {
    table: Table,
    first: ServiceAdministrator,
}

/// A chosen password, with the session that follows it.
struct Choice<'a> {
    hash: &'a PasswordHash,
    next: &'a Session,
    digest: &'a SessionDigest,
}

/// The result of [`Passwords::change`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// The account has the password, and the next session has begun.
    Changed {
        /// The service administrator's account, if this choice has retired it.
        retired: Option<UserName>,
    },
    /// The session has ended, by another choice, a new issue, a reset, a retirement, a removal or its time. Nothing was written.
    SessionEnded,
}

const OPERATION: &str = "dynamodb TransactWriteItems (change password)";

impl Passwords {
    /// Returns the store over `table`. `first` is what the first way in of an administrator means for the service administrator.
    #[must_use]
    pub fn new(table: Table, first: ServiceAdministrator) -> Self {
        Self { table, first }
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
                None => self.table.existing_credential(&signed_in.session.subscription).await?,
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
        if known.ended_at.is_some() {
            return Ok(Race::Decided(ChangeOutcome::SessionEnded));
        }
        let SignedIn { session, account, .. } = signed_in;
        let effect = account.choice_effect();
        let HandOver { entries, retired } = self.entries(account, effect, known, now).await?;
        let temporary_at = account.temporary.map(|_| now);
        let password = account::change_password(&account.user_name, choice.hash, session.account_version, temporary_at);
        let (password, change) = match effect {
            ChoiceEffect::ReplacesIssue(issue) => {
                (password, credential::change_password(known, entries.seq(), issue, now))
            }
            ChoiceEffect::HandsOver => {
                (account::with_first_sign_in(password, now), credential::advance(known, entries.seq()))
            }
            ChoiceEffect::PasswordOnly => (password, credential::advance(known, entries.seq())),
        };
        let mut transaction = Transaction::new(&self.table, OPERATION)
            .put_new(Part::Session, session::to_item(choice.next, choice.digest))?
            .update(Part::Account, password)?
            .update(Part::Credential, change)?;
        if let Some(retired) = retired {
            transaction = transaction.update(Part::ServiceAdministrator, account::retire(retired))?;
        }
        let changed = || Race::Decided(ChangeOutcome::Changed { retired: retired.cloned() });
        Ok(match transaction.put_history(entries)?.commit().await? {
            Commit::Done => changed(),
            // Only this transaction puts this session: an earlier attempt was carried out.
            Commit::Refused(refused) if refused.failed(Part::Session) => changed(),
            Commit::Refused(refused) if refused.failed(Part::Account) => Race::Decided(ChangeOutcome::SessionEnded),
            Commit::Refused(_) => Race::Lost,
        })
    }

    /// Returns the entries of the history, and the service administrator's account where it retires.
    async fn entries<'a>(
        &self,
        account: &Account,
        effect: ChoiceEffect,
        known: &'a Credential,
        now: Timestamp,
    ) -> Result<HandOver<'a>, Failure> {
        let entry = Entry::new(HistoryCode::PasswordChanged, account, now, known.issue);
        let entries = Entries::after(known).and(&entry);
        match effect {
            ChoiceEffect::HandsOver => self.table.hand_over(self.first, account, known, entries, now).await,
            ChoiceEffect::ReplacesIssue(_) | ChoiceEffect::PasswordOnly => Ok(HandOver { entries, retired: None }),
        }
    }
}
