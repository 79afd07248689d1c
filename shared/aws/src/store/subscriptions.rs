//! Starting a subscription, and what later events make of it. Every transaction writes the history with it.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use domain::{
    Account, AccountStatus, Credential, EventId, Kind, MailStatus, PasswordHash, PortalUser, Principal, SealedPassword,
    SubscriptionId, Timestamp, UserName, WelcomeMail,
};

use super::{
    Table, account, credential,
    history::{Entries, Entry, VENDOR},
    item::{Attributes, Item, Reader, binary, binary_set, boolean, number, text, time},
    mails::{self, welcome_mail},
    names::{
        ADDED_AT, ADDRESS, AT, CHANGED_AT, ENDED_AT, EXPIRES_AT, ISSUE, ISSUED_AT, KIND, Key, MUST_CHANGE,
        PASSWORD_HASH, PORTAL_USERS, RETRIEVALS, SEALED_PASSWORD, SEQ, SIGNED_IN_AT, STATUS, SUBSCRIPTION_ID, VERSION,
    },
    transaction::{Change, Commit, Part, Transaction},
};
use crate::{Failure, retry::pause};

/// May start subscriptions and change them as events say.
pub struct Subscriptions(Table);

/// What a new issue is made of. No `Debug`.
#[derive(Clone)]
pub struct NewCredentials {
    /// Of this issue's temporary password.
    pub sealed: SealedPassword,
    /// Of the same.
    pub hash: PasswordHash,
}

/// What became of a new subscription.
pub enum Create {
    /// It stands, with account, mail and history.
    Created,
    /// It was there already.
    Known,
    /// Another subscription has an account of this name.
    UserNameHeld,
}

/// What became of the next issue.
pub enum NextIssue {
    /// It stands, and its mail is ordered.
    Started,
    /// This event has started an issue before.
    AlreadyHandled,
    /// Something changed in between: read again and decide again.
    LostRace,
}

const BATCH: usize = 25;
const BATCH_TRIES: u32 = 4;

impl Subscriptions {
    /// Over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// The credential of a subscription, as of this moment.
    pub async fn find(&self, subscription: &SubscriptionId) -> Result<Option<Credential>, Failure> {
        self.0.credential(subscription).await
    }

    /// The subscription that the account `user_name` belongs to, if there is such an account.
    pub async fn holder(&self, user_name: &UserName) -> Result<Option<SubscriptionId>, Failure> {
        let account = self.0.get("dynamodb GetItem (account)", Key::account(user_name)).await?;
        account.map(|account| Reader(&account).parsed(SUBSCRIPTION_ID, SubscriptionId::parse)).transpose()
    }

    /// Whether an event has started an issue before: a cheap look, the transaction asks again.
    pub async fn has_handled(&self, subscription: &SubscriptionId, event: &EventId) -> Result<bool, Failure> {
        let mark = self.0.get("dynamodb GetItem (handled event)", Key::handled_event(subscription, event)).await?;
        Ok(mark.is_some())
    }

    /// Writes memberships and portal users: hints for the list and for those who are told, so they come before the right itself.
    pub async fn welcome(
        &self,
        subscription: &SubscriptionId,
        portal_users: &[PortalUser],
        now: Timestamp,
    ) -> Result<(), Failure> {
        let mut requests = Vec::with_capacity(portal_users.len() * 2);
        let mut seen = BTreeSet::new();
        for user in portal_users.iter().filter(|user| seen.insert(user.principal)) {
            let membership = Item::at(Key::membership(subscription, &user.principal));
            let known = Item::at(Key::portal_user(subscription, &user.principal))
                .with(ADDED_AT, time(now))
                .with_if(ADDRESS, user.address.as_ref().map(text));
            for item in [membership, known] {
                let put = PutRequest::builder().set_item(Some(item.into_map())).build();
                let put = put.map_err(|_| Failure::unreadable("dynamodb BatchWriteItem", "item"))?;
                requests.push(WriteRequest::builder().put_request(put).build());
            }
        }
        for batch in requests.chunks(BATCH) {
            self.batch_write(batch.to_vec()).await?;
        }
        Ok(())
    }

    /// Starts a subscription: credential, account, mail, history, all or none.
    pub async fn create(
        &self,
        credential: &Credential,
        account: &Account,
        mail: &WelcomeMail,
        event: &EventId,
    ) -> Result<Create, Failure> {
        let id = &credential.subscription;
        let issued =
            Entry { what: "issued", by: VENDOR, at: credential.issued_at, issue: credential.issue, account: None };
        let transaction = Transaction::new(&self.0, "dynamodb TransactWriteItems (start)")
            .put_new(Part::Credential, credential::to_item(credential))?
            .put_new(Part::Account, account::to_item(account, Some(&mail.to)))?
            .put_new(Part::Mail, mails::to_item(id, mail))?
            .put_new(Part::History, issued.item(id, credential.seq))?
            .put_new(Part::Event, handled(id, event, credential.issued_at))?;
        match transaction.commit().await? {
            Commit::Done => Ok(Create::Created),
            Commit::Refused(refused) if refused.failed(Part::Credential) => Ok(Create::Known),
            Commit::Refused(refused) if refused.failed(Part::Account) => Ok(Create::UserNameHeld),
            // Mail, history or event without a credential: left by hand or by a restore; nobody may start over them.
            Commit::Refused(_) => {
                Err(Failure::unreadable("dynamodb TransactWriteItems (start)", "items without a credential"))
            }
        }
    }

    /// A trial becomes paid, portal users are added, or both. `false`: something changed in between.
    pub async fn extend(
        &self,
        known: &Credential,
        paid: bool,
        portal_users: &BTreeSet<Principal>,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let (what, kind) = if paid { ("paid", Kind::Paid) } else { ("portal-users-added", known.kind) };
        let entry = Entry { what, by: VENDOR, at: now, issue: known.issue, account: None };
        let entries = Entries::after(known).and(&entry);
        let change = credential::advance(known, entries.seq())
            .and(", #kind = :kind")
            .names([("#kind", KIND)])
            .value(":kind", text(kind.as_str()));
        let transaction = Transaction::new(&self.0, "dynamodb TransactWriteItems (extend)")
            .update(Part::Credential, add(portal_users, change))?
            .put_history(entries)?;
        Ok(matches!(transaction.commit().await?, Commit::Done))
    }

    /// Starts the issue after `known`'s: new password, new retrievals, new mail to the same address; everything old is void.
    pub async fn start_next_issue(
        &self,
        known: &Credential,
        new: &NewCredentials,
        portal_users: &BTreeSet<Principal>,
        event: &EventId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<NextIssue, Failure> {
        let id = &known.subscription;
        let (account, mail) = futures_util::try_join!(
            self.0.account(Key::account(&known.user_name)),
            self.0.get("dynamodb GetItem (mail)", Key::welcome_mail(id)),
        )?;
        let account = account.ok_or_else(|| Failure::unreadable("item", "ACCOUNT"))?;
        let mut mail = welcome_mail(&mail.ok_or_else(|| Failure::unreadable("item", "MAIL"))?)?;
        let issue = known.issue.next();
        (mail.issue, mail.status, mail.at) = (issue, MailStatus::Pending, now);

        let issued = Entry { what: "issued", by: VENDOR, at: now, issue, account: None };
        let entries = Entries::with_retrievals_of(known).and(&issued);
        let credential = next_credential(known, new, now, expires_at, entries.seq());
        let transaction = Transaction::new(&self.0, "dynamodb TransactWriteItems (next issue)")
            .update(Part::Credential, add(portal_users, credential))?
            .update(Part::Account, next_account(known, new, account.version, expires_at))?
            .put_new(Part::Event, handled(id, event, now))?
            .put(Part::Mail, mails::to_item(id, &mail))?
            .put_history(entries)?;
        match transaction.commit().await? {
            Commit::Done => Ok(NextIssue::Started),
            Commit::Refused(refused) if refused.failed(Part::Event) => Ok(NextIssue::AlreadyHandled),
            Commit::Refused(_) => Ok(NextIssue::LostRace),
        }
    }

    async fn batch_write(&self, mut requests: Vec<WriteRequest>) -> Result<(), Failure> {
        const OPERATION: &str = "dynamodb BatchWriteItem (portal users)";
        for turn in 0..BATCH_TRIES {
            if turn > 0 {
                pause().await;
            }
            let request = self.0.client.batch_write_item().request_items(&self.0.name, requests);
            let answer = request.send().await.map_err(|error| Failure::of(OPERATION, &error))?;
            requests = answer.unprocessed_items.and_then(|mut left| left.remove(&self.0.name)).unwrap_or_default();
            if requests.is_empty() {
                return Ok(());
            }
        }
        Err(Failure::too_long(OPERATION))
    }
}

fn next_credential(
    known: &Credential,
    new: &NewCredentials,
    now: Timestamp,
    expires_at: Timestamp,
    seq: u64,
) -> Change {
    Change::of(
        Key::credential(&known.subscription),
        "REMOVE #signed_in, #changed SET #issue = :n1, #sealed = :s, #ret = :empty, #issued = :now, #exp = :e, #kind = :paid, #seq = :q2",
        "#issue = :n AND #seq = :q AND size(#ret) = :k AND attribute_not_exists(#ended)",
    )
    .names([
        ("#issue", ISSUE),
        ("#sealed", SEALED_PASSWORD),
        ("#ret", RETRIEVALS),
        ("#issued", ISSUED_AT),
        ("#exp", EXPIRES_AT),
        ("#kind", KIND),
        ("#seq", SEQ),
        ("#signed_in", SIGNED_IN_AT),
        ("#changed", CHANGED_AT),
        ("#ended", ENDED_AT),
    ])
    .value(":n", number(known.issue.number()))
    .value(":n1", number(known.issue.next().number()))
    .value(":s", binary(new.sealed.as_bytes()))
    .value(":empty", Item::new().into_value())
    .value(":now", time(now))
    .value(":e", time(expires_at))
    .value(":paid", text(Kind::Paid.as_str()))
    .value(":q", number(known.seq))
    .value(":q2", number(seq))
    .value(":k", number(known.retrievals.len() as u64))
}

fn next_account(known: &Credential, new: &NewCredentials, version: u64, expires_at: Timestamp) -> Change {
    Change::of(
        Key::account(&known.user_name),
        "SET #hash = :h, #must_change = :true, #status = :active, #issue = :n1, #exp = :e, #version = #version + :one",
        "#version = :v",
    )
    .names([
        ("#hash", PASSWORD_HASH),
        ("#must_change", MUST_CHANGE),
        ("#status", STATUS),
        ("#issue", ISSUE),
        ("#exp", EXPIRES_AT),
        ("#version", VERSION),
    ])
    .value(":h", text(new.hash.as_phc()))
    .value(":true", boolean(true))
    .value(":active", text(AccountStatus::Active.as_str()))
    .value(":n1", number(known.issue.next().number()))
    .value(":e", time(expires_at))
    .value(":one", number(1_u64))
    .value(":v", number(version))
}

/// The same change with more portal users. An empty set is none that the table could add.
fn add(portal_users: &BTreeSet<Principal>, change: Change) -> Change {
    if portal_users.is_empty() {
        return change;
    }
    let principals = binary_set(portal_users.iter().map(Principal::as_bytes));
    change.and(" ADD #pu :pu").names([("#pu", PORTAL_USERS)]).value(":pu", principals)
}

/// The mark that an event has started an issue.
fn handled(subscription: &SubscriptionId, event: &EventId, now: Timestamp) -> Attributes {
    Item::at(Key::handled_event(subscription, event)).with(AT, time(now)).into_map()
}
