//! Signing in: a session, and what the first one of an issue or of an administrator means for everybody else.

use aws_sdk_dynamodb::operation::{put_item::PutItemError, update_item::UpdateItemError};
use domain::{Account, AccountStatus, ClaimedName, Credential, Issue, Role, Session, SessionDigest, Timestamp};

use super::{
    Table, account, credential,
    history::{Entries, Entry},
    item::{number, text, time},
    names::{
        EXPIRES_AT, FIRST_SIGNED_IN_AT, ISSUE, Key, RETRIEVALS, SEALED_PASSWORD, SEQ, SIGNED_IN_AT, STATUS, VERSION,
    },
    session,
    transaction::{Change, Commit, Part, RACES, Transaction},
};
use crate::{Failure, retry::pause};

/// May read accounts, begin and end sessions, end retrieval, and retire the service administrator.
pub struct SignIns {
    table: Table,
    retire: bool,
}

/// What one try came to.
enum Turn {
    Done,
    /// Something changed in between: look again.
    LostRace,
}

impl SignIns {
    /// Over `table`. With `retire`, the first sign-in of an administrator retires the service administrator.
    #[must_use]
    pub fn new(table: Table, retire: bool) -> Self {
        Self { table, retire }
    }

    /// The account of a name, if there is one.
    pub async fn account(&self, name: &ClaimedName) -> Result<Option<Account>, Failure> {
        self.table.account(Key::claimed_account(name)).await
    }

    /// Begins `session` of `account`, whose password was verified. `false`: it has another password by now, or is not active any more.
    pub async fn begin(
        &self,
        account: &Account,
        session: &Session,
        digest: &SessionDigest,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let mut account = account.clone();
        for _ in 0..RACES {
            let turn = match (account.temporary, account.role) {
                (Some(temporary), _) => self.end_retrieval(&account, temporary.issue, session, digest, now).await?,
                (None, Role::Administrator) if account.first_signed_in_at.is_none() => {
                    self.hand_over(&account, session, digest, now).await?
                }
                (None, _) => self.put(session, digest).await?,
            };
            match turn {
                Turn::Done => return Ok(true),
                Turn::LostRace => pause().await,
            }
            match self.table.account(Key::account(&account.user_name)).await? {
                Some(current) if current.version == account.version => account = current,
                _ => return Ok(false),
            }
        }
        Err(Failure::too_long("dynamodb TransactWriteItems (sign in)"))
    }

    /// Ends a session at `now`, if it is one. Its item stays until its time to live: a put of it that is still under way finds it there.
    pub async fn end(&self, digest: &SessionDigest, now: Timestamp) -> Result<(), Failure> {
        let request = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .set_key(Some(Key::session(digest).into_map()))
            .update_expression("SET #expires_at = :now")
            .condition_expression("attribute_exists(PK)")
            .expression_attribute_names("#expires_at", EXPIRES_AT)
            .expression_attribute_values(":now", time(now));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(Failure::of("dynamodb UpdateItem (end session)", &error)),
            },
        }
    }

    /// The first sign-in of an issue: the password is not shown any more. Later ones, until it is changed, are sessions and nothing else.
    /// Whoever was retired while their password was verified has not signed in, and their history does not say so.
    async fn end_retrieval(
        &self,
        account: &Account,
        issue: Issue,
        session: &Session,
        digest: &SessionDigest,
        now: Timestamp,
    ) -> Result<Turn, Failure> {
        let credential = self.credential(account).await?;
        if credential.issue != issue {
            return Ok(Turn::LostRace);
        }
        if credential.signed_in_at.is_some() {
            return self.put(session, digest).await;
        }
        let entry = Entry { what: "signed-in", by: account.user_name.as_str(), at: now, issue, account: None };
        let entries = Entries::with_retrievals_of(&credential).and(&entry);
        let change = Change::of(
            Key::credential(&credential.subscription),
            "SET #signed_in = :now, #seq = :q2 REMOVE #sealed",
            "#issue = :n AND attribute_not_exists(#signed_in) AND #seq = :q AND size(#ret) = :k",
        )
        .names([
            ("#signed_in", SIGNED_IN_AT),
            ("#seq", SEQ),
            ("#sealed", SEALED_PASSWORD),
            ("#issue", ISSUE),
            ("#ret", RETRIEVALS),
        ])
        .value(":now", time(now))
        .value(":n", number(issue.number()))
        .value(":q", number(credential.seq))
        .value(":q2", number(entries.seq()))
        .value(":k", number(credential.retrievals.len() as u64));
        let transaction = Transaction::new(&self.table, "dynamodb TransactWriteItems (sign in)")
            .put_new(Part::Session, session::to_item(session, digest))?
            .check(Part::Account, account::unchanged(Key::account(&account.user_name), account.version))?
            .update(Part::Credential, change)?;
        finish(transaction, entries).await
    }

    /// The first sign-in of an administrator: they have a way in, so the service administrator needs none any more.
    async fn hand_over(
        &self,
        account: &Account,
        session: &Session,
        digest: &SessionDigest,
        now: Timestamp,
    ) -> Result<Turn, Failure> {
        let credential = self.credential(account).await?;
        let service = self.table.account(Key::account(&credential.user_name)).await?;
        let retires = self.retire && service.is_some_and(|service| service.status == AccountStatus::Active);
        let by = account.user_name.as_str();
        let entry = |what| Entry { what, by, at: now, issue: credential.issue, account: None };
        let mut entries = Entries::after(&credential).and(&entry("administrator-signed-in"));
        let own = account::as_it_was(
            Key::account(&account.user_name),
            "SET #first = :now",
            "attribute_not_exists(#first) AND #version = :v AND #status = :active",
            account.version,
        )
        .names([("#first", FIRST_SIGNED_IN_AT)])
        .value(":now", time(now));
        let mut transaction = Transaction::new(&self.table, "dynamodb TransactWriteItems (hand over)")
            .put_new(Part::Session, session::to_item(session, digest))?
            .update(Part::Account, own)?;
        if retires {
            let entry = Entry { account: Some(&credential.user_name), ..entry("service-administrator-retired") };
            entries = entries.and(&entry);
            transaction = transaction.update(Part::ServiceAdministrator, retire(&credential))?;
        }
        let transaction = transaction.update(Part::Credential, credential::advance(&credential, entries.seq()))?;
        finish(transaction, entries).await
    }

    async fn credential(&self, account: &Account) -> Result<Credential, Failure> {
        let credential = self.table.credential(&account.subscription).await?;
        credential.ok_or_else(|| Failure::unreadable("item", "CREDENTIAL"))
    }

    /// A session that says nothing to anybody else. Written late, after a change of the account, it is none; where it is there, an
    /// earlier attempt put it, and by this one it does not begin again after it has ended.
    async fn put(&self, session: &Session, digest: &SessionDigest) -> Result<Turn, Failure> {
        let request = self.table.client.put_item().table_name(&self.table.name);
        let request = request.condition_expression("attribute_not_exists(PK)");
        match request.set_item(Some(session::to_item(session, digest))).send().await {
            Ok(_) => Ok(Turn::Done),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(Turn::Done),
                _ => Err(Failure::of("dynamodb PutItem (session)", &error)),
            },
        }
    }
}

fn retire(credential: &Credential) -> Change {
    Change::of(
        Key::account(&credential.user_name),
        "SET #status = :retired, #version = #version + :one",
        "#status = :active",
    )
    .names([("#status", STATUS), ("#version", VERSION)])
    .value(":retired", text(AccountStatus::Retired.as_str()))
    .value(":active", text(AccountStatus::Active.as_str()))
    .value(":one", number(1_u64))
}

/// A session is put by the transaction that begins it alone: where it is there, an earlier attempt was carried out.
async fn finish(transaction: Transaction<'_>, entries: Entries<'_>) -> Result<Turn, Failure> {
    Ok(match transaction.put_history(entries)?.commit().await? {
        Commit::Done => Turn::Done,
        Commit::Refused(refused) if refused.failed(Part::Session) => Turn::Done,
        Commit::Refused(_) => Turn::LostRace,
    })
}
