//! Sign-ins: the session that begins, and what the first one of an issue or of an administrator changes for everyone else.

use domain::{
    Account, AccountStatus, ClaimedName, Credential, HistoryCode, Issue, Role, ServiceAdministrator, Session,
    SessionDigest, SignInEffect, Timestamp, UserName,
};

use super::{
    Table, account, administrator, credential,
    history::{Entries, Entry},
    session,
    transaction::{Commit, Part, PutNewOutcome, Transaction, Write},
};
use crate::{
    Failure,
    retry::{Race, through_races},
};

/// Reads accounts, begins and ends sessions, ends retrieval, and retires the service administrator.
pub struct SignIns {
    table: Table,
    first: ServiceAdministrator,
}

/// The result of [`SignIns::begin`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BeginOutcome {
    /// The session has begun.
    Begun {
        /// The service administrator's account, if this sign-in has retired it.
        retired: Option<UserName>,
    },
    /// The account has another password by now, or is not active any more.
    AccountChanged,
}

/// A session that is to begin.
struct NewSession<'a> {
    session: &'a Session,
    digest: &'a SessionDigest,
}

impl SignIns {
    /// Returns the store over `table`. `first` is what the first sign-in of an administrator means for the service administrator.
    #[must_use]
    pub fn new(table: Table, first: ServiceAdministrator) -> Self {
        Self { table, first }
    }

    /// Returns the account of a name, if there is one.
    pub async fn account(&self, name: &ClaimedName) -> Result<Option<Account>, Failure> {
        self.table.account(account::claimed_key(name)).await
    }

    /// Begins `session` of `account`, whose password was verified.
    pub async fn begin(
        &self,
        account: &Account,
        session: &Session,
        digest: &SessionDigest,
        now: Timestamp,
    ) -> Result<BeginOutcome, Failure> {
        let new = &NewSession { session, digest };
        through_races("dynamodb TransactWriteItems (sign in)", Some(account.clone()), |known| async move {
            let current = match known {
                Some(known) => known,
                None => match self.table.account(account::key(&account.user_name)).await? {
                    Some(current) if current.version == account.version => current,
                    Some(_) | None => return Ok(Race::Decided(BeginOutcome::AccountChanged)),
                },
            };
            match current.sign_in_effect() {
                SignInEffect::EndsRetrieval(issue) => self.end_retrieval(&current, issue, new, now).await,
                SignInEffect::HandsOver => self.hand_over(&current, new, now).await,
                SignInEffect::SessionOnly => self.begin_alone(&current, new).await,
            }
        })
        .await
    }

    /// Notes an administrator's last sign-in, for lists. The service administrator is in no list.
    pub async fn note(&self, account: &Account, now: Timestamp) -> Result<(), Failure> {
        match account.role {
            Role::Administrator => {
                let note = administrator::sign_in(account, now);
                self.table.write_once("dynamodb UpdateItem (last sign-in)", note).await.map(|_| ())
            }
            Role::ServiceAdministrator => Ok(()),
        }
    }

    /// Ends a session at `now`, if there is one.
    pub async fn end(&self, digest: &SessionDigest, now: Timestamp) -> Result<(), Failure> {
        match self.table.write_once("dynamodb UpdateItem (end session)", session::end(digest, now)).await? {
            Write::Done(_) | Write::Refused(_) => Ok(()),
        }
    }

    /// Begins the first session of an issue: the portal does not show the password any more. Until the password is changed, later
    /// sessions change nothing else. The account must not have changed since its password was verified, so that the history has no sign-in
    /// of an account that was retired meanwhile.
    async fn end_retrieval(
        &self,
        account: &Account,
        issue: Issue,
        new: &NewSession<'_>,
        now: Timestamp,
    ) -> Result<Race<BeginOutcome>, Failure> {
        let credential = self.table.existing_credential(&account.subscription).await?;
        if credential.ended_at.is_some() {
            return Ok(Race::Decided(BeginOutcome::AccountChanged));
        }
        if credential.issue != issue {
            return Ok(Race::Lost);
        }
        if credential.signed_in_at.is_some() {
            return self.put(new).await;
        }
        let entry = Entry::new(HistoryCode::SignedIn, account, now, issue);
        let entries = Entries::with_retrievals_of(&credential).and(&entry);
        let transaction = Transaction::new(&self.table, "dynamodb TransactWriteItems (sign in)")
            .put_new(Part::Session, session::to_item(new.session, new.digest))?
            .check(Part::Account, account::unchanged(&account.user_name, account.version))?
            .update(Part::Credential, credential::end_retrieval(&credential, entries.seq(), now))?;
        finish(transaction, entries, None).await
    }

    /// Begins the first session of an administrator, who has a way in from now on.
    async fn hand_over(
        &self,
        account: &Account,
        new: &NewSession<'_>,
        now: Timestamp,
    ) -> Result<Race<BeginOutcome>, Failure> {
        let credential = self.table.existing_credential(&account.subscription).await?;
        if credential.ended_at.is_some() {
            return Ok(Race::Decided(BeginOutcome::AccountChanged));
        }
        let entries = Entries::after(&credential);
        let HandOver { entries, retired } =
            self.table.hand_over(self.first, account, &credential, entries, now).await?;
        let mut transaction = Transaction::new(&self.table, "dynamodb TransactWriteItems (hand over)")
            .put_new(Part::Session, session::to_item(new.session, new.digest))?
            .update(Part::Account, account::sign_in_first(account, now))?;
        if let Some(retired) = retired {
            transaction = transaction.update(Part::ServiceAdministrator, account::retire(retired))?;
        }
        let transaction = transaction.update(Part::Credential, credential::advance(&credential, entries.seq()))?;
        finish(transaction, entries, retired).await
    }

    /// Begins a session that changes nothing for others, unless the subscription has ended: its accounts are still open for a moment then.
    async fn begin_alone(&self, account: &Account, new: &NewSession<'_>) -> Result<Race<BeginOutcome>, Failure> {
        let credential = self.table.existing_credential(&account.subscription).await?;
        if credential.ended_at.is_some() {
            return Ok(Race::Decided(BeginOutcome::AccountChanged));
        }
        self.put(new).await
    }

    /// Begins a session that changes nothing for others. Put late, after a change of the account, it is void. Where it exists already,
    /// an earlier attempt put it, and a session that has ended must not begin again.
    async fn put(&self, new: &NewSession<'_>) -> Result<Race<BeginOutcome>, Failure> {
        let item = session::to_item(new.session, new.digest);
        match self.table.put_new("dynamodb PutItem (session)", item).await? {
            PutNewOutcome::Put | PutNewOutcome::Exists => Ok(Race::Decided(BeginOutcome::Begun { retired: None })),
        }
    }
}

/// The change of a subscription with an administrator's first way in.
pub(super) struct HandOver<'a> {
    /// The entries of the history.
    pub(super) entries: Entries<'a>,
    /// The service administrator's account, if it retires.
    pub(super) retired: Option<&'a UserName>,
}

impl Table {
    /// Adds to `entries` that the owner of `account` has a way in from now on, so that the service administrator can retire: an active one
    /// whose password is chosen. One with a temporary password stays, because support has reissued it and its owner has not used it yet.
    pub(super) async fn hand_over<'a>(
        &self,
        first: ServiceAdministrator,
        account: &Account,
        credential: &'a Credential,
        entries: Entries<'a>,
        now: Timestamp,
    ) -> Result<HandOver<'a>, Failure> {
        let service = self.account(account::key(&credential.user_name)).await?;
        let retires = first == ServiceAdministrator::IsRetired
            && service.is_some_and(|service| service.status == AccountStatus::Active && service.temporary.is_none());
        let signed_in = Entry::new(HistoryCode::AdministratorSignedIn, account, now, credential.issue);
        let mut hand_over = HandOver { entries: entries.and(&signed_in), retired: None };
        if retires {
            let entry = Entry::new(HistoryCode::ServiceAdministratorRetired, account, now, credential.issue);
            hand_over.entries = hand_over.entries.and(&entry.with_account(&credential.user_name));
            hand_over.retired = Some(&credential.user_name);
        }
        Ok(hand_over)
    }
}

/// Commits a transaction that begins a session. Only that transaction puts the session: if it exists, an earlier attempt was
/// carried out. `retired` is the account that the transaction retires.
async fn finish(
    transaction: Transaction<'_>,
    entries: Entries<'_>,
    retired: Option<&UserName>,
) -> Result<Race<BeginOutcome>, Failure> {
    let begun = || Race::Decided(BeginOutcome::Begun { retired: retired.cloned() });
    Ok(match transaction.put_history(entries)?.commit().await? {
        Commit::Done => begun(),
        Commit::Refused(refused) if refused.failed(Part::Session) => begun(),
        Commit::Refused(_) => Race::Lost,
    })
}
