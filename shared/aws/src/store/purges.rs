//! The deletion of the items of ended subscriptions. Every step can be repeated: a run that dies leaves the rest to a later one.

use domain::{Credential, MailKind, PurgeDay, SubscriptionId, Timestamp, UserName};
use futures_util::future::try_join_all;

use super::{
    Table, account, administrator, attempts, company, credential, ended_credential,
    item::{Attributes, Reader, text},
    life::{self, Forgetting},
    mail,
    names::{Key, PK, SK, SUBSCRIPTION_ID, USER_NAME, subscription_key},
    portal_user, purge, reference,
    transaction::Write,
};
use crate::Failure;

/// Lists the subscriptions whose deletion is due, and deletes their items.
pub struct Purges(Table);

/// A subscription whose deletion is due.
#[derive(Clone, Debug)]
pub struct DuePurge {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The end because of which its items are deleted.
    pub ended_at: Timestamp,
    day: PurgeDay,
}

/// One page of the subscriptions whose deletion is due.
pub struct DuePurgePage {
    /// The subscriptions.
    pub due: Vec<DuePurge>,
    /// The place where the next page begins, if there is one.
    pub next: Option<PurgeCursor>,
}

/// The place in a day at which a page begins.
pub struct PurgeCursor(Attributes);

/// The result of [`Purges::lease`].
pub enum LeaseOutcome {
    /// This run has the subscription for itself: the credential as it is leased.
    Leased(Box<Credential>),
    /// Another run has the subscription, or the subscription has started again.
    Refused,
}

/// The result of deleting a part of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// Some items are deleted, and there may be more.
    Deleted,
    /// No items are left of this part.
    NoneLeft,
}

/// The number of subscriptions on a page, and of items that are deleted between two looks at the clock.
const PAGE: i32 = 100;

/// The number of items that are deleted at the same time.
const AT_ONCE: usize = 10;

impl Purges {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Returns a page of the subscriptions whose deletion is due from `day` on.
    pub async fn due(&self, day: PurgeDay, page: Option<PurgeCursor>) -> Result<DuePurgePage, Failure> {
        let request = self.0.client.query().table_name(&self.0.name).consistent_read(true).limit(PAGE);
        let request = request
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", text(&purge::partition(day)))
            .set_exclusive_start_key(page.map(|PurgeCursor(key)| key));
        let answer = request.send().await.map_err(|error| Failure::from_sdk("dynamodb Query (purges)", &error))?;
        // An item with another key was not written by this code, so it is skipped.
        let read = |item: &Attributes| {
            let (subscription, ended_at) = purge::from_item(item).ok()?;
            Some(DuePurge { subscription, ended_at, day })
        };
        let due = answer.items().iter().filter_map(read).collect();
        Ok(DuePurgePage { due, next: answer.last_evaluated_key.map(PurgeCursor) })
    }

    /// Returns the credential of a subscription. `None` if its last item is deleted.
    pub async fn find(&self, due: &DuePurge) -> Result<Option<Credential>, Failure> {
        self.0.credential(&due.subscription).await
    }

    /// Takes the lease on a subscription, if it is still ended by the end that is due. A later start of it waits from then on.
    pub async fn lease(&self, due: &DuePurge, now: Timestamp) -> Result<LeaseOutcome, Failure> {
        let lease = ended_credential::lease_to_purge(&due.subscription, due.ended_at, now);
        Ok(match self.0.write("dynamodb UpdateItem (lease)", lease).await? {
            Write::Done(item) => LeaseOutcome::Leased(Box::new(credential::from_item(&item)?)),
            Write::Refused(_) => LeaseOutcome::Refused,
        })
    }

    /// Deletes some items of a subscription and what they lead to, apart from the credential and the life.
    pub async fn delete_some(&self, known: &Credential) -> Result<DeleteOutcome, Failure> {
        let id = &known.subscription;
        let items = self.page(&subscription_key(id), &[PK, SK, USER_NAME]).await?;
        let stays = |item: &&Attributes| {
            let sort_key = Reader(item).optional_text(SK);
            [credential::SORT_KEY, life::SORT_KEY].map(Some).contains(&sort_key)
        };
        let items: Vec<&Attributes> = items.iter().filter(|item| !stays(item)).collect();
        for some in items.chunks(AT_ONCE) {
            try_join_all(some.iter().map(|item| self.delete_item(id, item))).await?;
        }
        Ok(if items.is_empty() { DeleteOutcome::NoneLeft } else { DeleteOutcome::Deleted })
    }

    /// Deletes what the credential leads to and the life, which stays for a while if the retention is short, and then the credential itself, if
    /// it has not changed since it was leased.
    pub async fn delete_last(
        &self,
        known: &Credential,
        due: &DuePurge,
        now: Timestamp,
    ) -> Result<DeleteOutcome, Failure> {
        let id = &known.subscription;
        self.delete_account(id, &known.user_name).await?;
        let principals: Vec<_> = known.portal_users.iter().collect();
        for some in principals.chunks(AT_ONCE) {
            let keys = some.iter().map(|principal| portal_user::membership_key(id, principal));
            try_join_all(keys.map(|key| self.delete(key.into_map()))).await?;
        }
        self.delete(company::key(&known.company.id, id).into_map()).await?;
        match life::forget(id, due.ended_at, known.closed_at, now) {
            Forgetting::Now(check) => self.0.delete_if("dynamodb DeleteItem (life)", check).await?,
            Forgetting::Later(write) => self.0.write("dynamodb UpdateItem (life)", write).await.map(|_| ())?,
        }
        let last = ended_credential::as_leased(known, due.ended_at);
        self.0.delete_if("dynamodb DeleteItem (credential)", last).await?;
        let left = self.0.credential(id).await?;
        Ok(if left.is_none() { DeleteOutcome::NoneLeft } else { DeleteOutcome::Deleted })
    }

    /// Takes an end off the list.
    pub async fn remove(&self, due: &DuePurge) -> Result<(), Failure> {
        self.delete(purge::key(due.day, &due.subscription, due.ended_at).into_map()).await
    }

    /// Deletes an item of a subscription, and before it what only this item leads to.
    async fn delete_item(&self, subscription: &SubscriptionId, item: &Attributes) -> Result<(), Failure> {
        let (pk, sort_key) = (Reader(item).text(PK)?, Reader(item).text(SK)?);
        if sort_key.starts_with(administrator::PREFIX) {
            self.delete_account(subscription, &administrator::user_name(Reader(item))?).await?;
        } else if let Some(principal) = portal_user::parse_principal_key(sort_key) {
            self.delete(portal_user::membership_key(subscription, &principal).into_map()).await?;
        } else if let Some(MailKind::Support(reference)) = mail::parse_sort_key(sort_key) {
            self.delete(reference::key(&reference).into_map()).await?;
        }
        self.delete(Key { pk: pk.to_owned(), sk: sort_key.to_owned() }.into_map()).await
    }

    /// Deletes an account and the attempts at it. If another subscription has taken the name since an earlier run deleted the account, nothing
    /// is deleted.
    async fn delete_account(&self, subscription: &SubscriptionId, user_name: &UserName) -> Result<(), Failure> {
        if self.owner(user_name).await?.is_some_and(|owner| owner != *subscription) {
            return Ok(());
        }
        let partition = attempts::account_part(&user_name.into());
        loop {
            let attempts = self.page(&partition, &[PK, SK]).await?;
            if attempts.is_empty() {
                break;
            }
            for some in attempts.chunks(AT_ONCE) {
                try_join_all(some.iter().map(|key| self.delete(key.clone()))).await?;
            }
        }
        self.0.delete_if("dynamodb DeleteItem (account)", account::belongs_to(user_name, subscription)).await
    }

    /// Returns the subscription of the account with this name, if there is one.
    async fn owner(&self, user_name: &UserName) -> Result<Option<SubscriptionId>, Failure> {
        let request = self.0.client.get_item().table_name(&self.0.name).consistent_read(true);
        let request = request
            .set_key(Some(account::key(user_name).into_map()))
            .projection_expression("#subscription")
            .expression_attribute_names("#subscription", SUBSCRIPTION_ID);
        let answer = request.send().await;
        let item = answer.map_err(|error| Failure::from_sdk("dynamodb GetItem (owner of an account)", &error))?.item;
        item.map(|item| account::subscription(Reader(&item))).transpose()
    }

    /// Returns these attributes of the first items of a partition.
    async fn page(&self, partition: &str, attributes: &[&str]) -> Result<Vec<Attributes>, Failure> {
        let request = self.0.client.query().table_name(&self.0.name).consistent_read(true).limit(PAGE);
        let names = attributes.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect();
        let projection: Vec<String> = attributes.iter().map(|name| format!("#{name}")).collect();
        let request = request
            .key_condition_expression("#PK = :pk")
            .projection_expression(projection.join(", "))
            .set_expression_attribute_names(Some(names))
            .expression_attribute_values(":pk", text(partition));
        let answer = request.send().await;
        Ok(answer
            .map_err(|error| Failure::from_sdk("dynamodb Query (items to delete)", &error))?
            .items
            .unwrap_or_default())
    }

    /// Deletes an item, if it is there.
    async fn delete(&self, key: Attributes) -> Result<(), Failure> {
        let request = self.0.client.delete_item().table_name(&self.0.name).set_key(Some(key));
        let deleted = request.send().await;
        deleted.map(drop).map_err(|error| Failure::from_sdk("dynamodb DeleteItem", &error))
    }
}
