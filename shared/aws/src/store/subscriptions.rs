//! The start of a subscription, and what later events change. Every transaction writes the history with its changes.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use domain::{
    Account, Company, CompanyId, Credential, EventId, HistoryCode, Issue, Kind, LifeChange, PasswordHash, PortalUser,
    SubscriptionId, Timestamp, UserName, WelcomeMail,
};
use futures_util::future::try_join_all;

use super::{
    Table, account, company, credential, handled_event,
    history::{Author, Entries, Entry},
    item::{Reader, text},
    life::{self, KnownSubscription, RecordLifeOutcome},
    mail,
    names::PK,
    next_issue::IssueMail,
    portal_user,
    transaction::{Commit, Part, Transaction, Write},
};
use crate::{Failure, retry::pause};

/// Starts subscriptions and changes them as the vendor's events say.
pub struct Subscriptions(Table);

/// The result of [`Subscriptions::start`].
pub enum StartOutcome {
    /// The subscription has started, with account, mail and history.
    Started,
    /// The subscription exists already, or another event about it was recorded in between: read again and decide again.
    Known,
    /// Another subscription has an account of this name.
    UserNameHeld,
}

/// The result of [`Subscriptions::look_up_event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookUpEventOutcome {
    /// The event has not started an issue.
    New,
    /// The event has started an issue before.
    Handled,
}

/// The result of [`Subscriptions::start_next_issue`].
pub enum StartNextIssueOutcome {
    /// The issue has started.
    Started(IssueMail),
    /// This event has started an issue before.
    AlreadyHandled,
    /// Something changed in between: read again and decide again.
    LostRace,
}

/// The result of [`Subscriptions::extend`].
pub enum ExtendOutcome {
    /// The subscription is extended.
    Extended,
    /// Something changed in between: read again and decide again.
    LostRace,
}

/// The number of items in one `BatchWriteItem`: the limit of DynamoDB.
const BATCH: usize = 25;

/// The number of portal users that are written at the same time.
const AT_ONCE: usize = 10;

/// The number of requests for one batch, because DynamoDB may leave some of its items unwritten.
const BATCH_TRIES: u32 = 4;

impl Subscriptions {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Returns what the table has of a subscription that an event is about.
    pub async fn find(&self, subscription: &SubscriptionId) -> Result<KnownSubscription, Failure> {
        self.0.known_subscription(subscription).await
    }

    /// Records a start that changes nothing else.
    pub async fn record(
        &self,
        subscription: &SubscriptionId,
        change: &LifeChange,
    ) -> Result<RecordLifeOutcome, Failure> {
        self.0.record_life(subscription, change).await
    }

    /// Returns the subscription that the account `user_name` belongs to, if there is such an account.
    pub async fn holder(&self, user_name: &UserName) -> Result<Option<SubscriptionId>, Failure> {
        let account = self.0.get("dynamodb GetItem (account)", account::key(user_name)).await?;
        account.map(|account| account::subscription(Reader(&account))).transpose()
    }

    /// Looks up whether an event has started an issue. This is a cheap check; the transaction checks again.
    pub async fn look_up_event(
        &self,
        subscription: &SubscriptionId,
        event: &EventId,
    ) -> Result<LookUpEventOutcome, Failure> {
        let mark = self.0.get("dynamodb GetItem (handled event)", handled_event::key(subscription, event)).await?;
        Ok(if mark.is_some() { LookUpEventOutcome::Handled } else { LookUpEventOutcome::New })
    }

    /// Writes portal users and memberships, and lists the subscription for its company. They are hints for lists and for notices, so they
    /// precede the right itself. Returns the portal users who may have the right: those whom no operator has removed, each once. `closed_at` is
    /// the time at which the accounts of a former life were closed, where the subscription starts again.
    pub async fn welcome(
        &self,
        subscription: &SubscriptionId,
        company: &Company,
        portal_users: &[PortalUser],
        closed_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<PortalUser>, Failure> {
        let mut seen = BTreeSet::new();
        let distinct: Vec<&PortalUser> = portal_users.iter().filter(|user| seen.insert(user.principal())).collect();
        let mut welcomed = Vec::with_capacity(distinct.len());
        for some in distinct.chunks(AT_ONCE) {
            let writes = some.iter().map(|user| self.welcome_one(subscription, user, closed_at, now));
            welcomed.extend(try_join_all(writes).await?.into_iter().flatten());
        }
        let memberships = welcomed.iter().map(|user| portal_user::membership(subscription, user));
        let mut requests = Vec::with_capacity(welcomed.len() + 1);
        for item in memberships.chain([company::to_item(company, subscription)]) {
            let put = PutRequest::builder().set_item(Some(item)).build();
            let put = put.map_err(|_| Failure::unreadable("dynamodb BatchWriteItem", "item"))?;
            requests.push(WriteRequest::builder().put_request(put).build());
        }
        for batch in requests.chunks(BATCH) {
            self.batch_write(batch.to_vec()).await?;
        }
        Ok(welcomed)
    }

    /// Writes one portal user. `None` for one whom an operator has removed.
    async fn welcome_one(
        &self,
        subscription: &SubscriptionId,
        user: &PortalUser,
        closed_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<PortalUser>, Failure> {
        let welcome = portal_user::welcome(subscription, user, closed_at, now);
        Ok(match self.0.write("dynamodb UpdateItem (portal user)", welcome).await? {
            Write::Done(_) => Some(user.clone()),
            Write::Refused(_) => None,
        })
    }

    /// Returns the name that another subscription of the company has for it, if there is one. It is a hint for the log, so the read is not
    /// consistent.
    pub async fn company_name(&self, company: &CompanyId) -> Result<Option<String>, Failure> {
        let request = self.0.client.query().table_name(&self.0.name).limit(1);
        let request = request
            .key_condition_expression("#pk = :company")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":company", text(&company::partition(company)));
        let answer = request.send().await;
        let answer = answer.map_err(|error| Failure::from_sdk("dynamodb Query (company)", &error))?;
        answer.items().first().map(company::name).transpose()
    }

    /// Puts the reminder of an issue on the list of those that are due at `due_at`. It is a hint, so it precedes the issue.
    pub async fn expect_reminder(
        &self,
        subscription: &SubscriptionId,
        issue: Issue,
        due_at: Timestamp,
    ) -> Result<(), Failure> {
        self.0.expect_reminder(subscription, issue, due_at).await
    }

    /// Starts a subscription: credential, account, mail, history and life, all or none.
    pub async fn start(
        &self,
        credential: &Credential,
        account: &Account,
        mail: &WelcomeMail,
        event: &EventId,
        life: &LifeChange,
    ) -> Result<StartOutcome, Failure> {
        const OPERATION: &str = "dynamodb TransactWriteItems (start)";
        let id = &credential.subscription;
        let issued = issued(credential);
        let transaction = Transaction::new(&self.0, OPERATION)
            .put_new(Part::Credential, credential::to_item(credential))?
            .put_new(Part::Account, account::to_item(account, Some(&mail.to)))?
            .put_new(Part::Mail, mail::to_item(id, mail))?
            .put_new(Part::History, issued.item(id, credential.seq))?
            .put_new(Part::Event, handled_event::to_item(id, event, credential.issued_at))?
            .update(Part::Life, life::record(id, life))?;
        match transaction.commit().await? {
            Commit::Done => Ok(StartOutcome::Started),
            Commit::Refused(refused) if refused.failed(Part::Credential) || refused.failed(Part::Life) => {
                Ok(StartOutcome::Known)
            }
            Commit::Refused(refused) if refused.failed(Part::Account) => Ok(StartOutcome::UserNameHeld),
            // A mail, history or event without a credential was written by hand or by a restore, and must not be overwritten.
            Commit::Refused(_) => Err(Failure::unreadable(OPERATION, "items without a credential")),
        }
    }

    /// Writes what `extended` adds to `known`: a paid kind, portal users, or both.
    pub async fn extend(
        &self,
        known: &Credential,
        extended: &Credential,
        life: &LifeChange,
        now: Timestamp,
    ) -> Result<ExtendOutcome, Failure> {
        let is_paid_now = (known.kind, extended.kind) == (Kind::Trial, Kind::Paid);
        let what = if is_paid_now { HistoryCode::Paid } else { HistoryCode::PortalUsersAdded };
        let entry = Entry::new(what, Author::vendor(), now, known.issue);
        let entries = Entries::after(known).and(&entry);
        let transaction = Transaction::new(&self.0, "dynamodb TransactWriteItems (extend)")
            .update(Part::Credential, credential::extend(known, extended, entries.seq()))?
            .update(Part::Life, life::record(&known.subscription, life))?
            .put_history(entries)?;
        Ok(match transaction.commit().await? {
            Commit::Done => ExtendOutcome::Extended,
            Commit::Refused(_) => ExtendOutcome::LostRace,
        })
    }

    /// Starts the issue of `next`, which follows that of `known`: a new password with `hash`, and a new mail to the same address. The
    /// password, the sessions and the mail of the issue before are void.
    pub async fn start_next_issue(
        &self,
        known: &Credential,
        next: &Credential,
        hash: &PasswordHash,
        event: &EventId,
        life: &LifeChange,
    ) -> Result<StartNextIssueOutcome, Failure> {
        let new =
            self.0.next_issue("dynamodb TransactWriteItems (next issue)", known, next, hash, &issued(next)).await?;
        let (mail, entries) = (new.mail, new.entries);
        let mark = handled_event::to_item(&known.subscription, event, next.issued_at);
        let transaction = new
            .transaction
            .update(Part::Credential, credential::next_issue(known, next, entries.seq())?)?
            .put_new(Part::Event, mark)?
            .update(Part::Life, life::record(&known.subscription, life))?
            .put_history(entries)?;
        Ok(match transaction.commit().await? {
            Commit::Done => StartNextIssueOutcome::Started(mail),
            Commit::Refused(refused) if refused.failed(Part::Event) => StartNextIssueOutcome::AlreadyHandled,
            Commit::Refused(_) => StartNextIssueOutcome::LostRace,
        })
    }

    /// Writes one batch, repeating what DynamoDB leaves unwritten.
    async fn batch_write(&self, mut requests: Vec<WriteRequest>) -> Result<(), Failure> {
        const OPERATION: &str = "dynamodb BatchWriteItem (memberships)";
        for turn in 0..BATCH_TRIES {
            if turn > 0 {
                pause().await;
            }
            let request = self.0.client.batch_write_item().request_items(&self.0.name, requests);
            let answer = request.send().await.map_err(|error| Failure::from_sdk(OPERATION, &error))?;
            requests = answer.unprocessed_items.and_then(|mut left| left.remove(&self.0.name)).unwrap_or_default();
            if requests.is_empty() {
                return Ok(());
            }
        }
        Err(Failure::timed_out(OPERATION))
    }
}

/// Returns the history entry of the issue that `credential` begins.
fn issued(credential: &Credential) -> Entry<'static> {
    Entry::new(HistoryCode::Issued, Author::vendor(), credential.issued_at, credential.issue)
}
