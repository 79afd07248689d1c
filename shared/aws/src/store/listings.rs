//! The list of subscriptions: two round trips for any number of principals and subscriptions.

use std::collections::{BTreeSet, HashMap};

use domain::{Caller, Credential, Principal, SubscriptionId, WelcomeMail};
use futures_util::future::try_join_all;

use super::{
    Table, credential,
    item::{Attributes, Reader, text},
    mail,
    names::{PK, SK, after_subscription, parse_subscription_key},
    portal_user,
};
use crate::Failure;

/// Lists subscriptions; writes nothing.
pub struct Listings(Table);

/// One page of the list.
pub struct Page {
    /// The subscriptions in the order of their ids. A page before the last can be short or empty, since memberships are hints.
    pub listed: Vec<Listed>,
    /// The last id of this page, where more pages follow.
    pub next: Option<SubscriptionId>,
}

/// One subscription that the caller may see.
pub struct Listed {
    /// The credential of the subscription.
    pub credential: Credential,
    /// The welcome mail of the current issue.
    pub mail: WelcomeMail,
}

/// The number of subscriptions on a page. Two items each stay under the 100 keys of one `BatchGetItem`.
const PAGE: usize = 25;

/// Returns the first page of `ids`, and the last id on it where more pages follow.
pub(super) fn first_page(ids: BTreeSet<SubscriptionId>) -> (Vec<SubscriptionId>, Option<SubscriptionId>) {
    let next = (ids.len() > PAGE).then(|| ids.iter().nth(PAGE - 1).cloned()).flatten();
    (ids.into_iter().take(PAGE).collect(), next)
}

impl Listings {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Returns one page of the subscriptions that `caller` may see, after the id `after`.
    pub async fn page(&self, caller: &Caller, after: Option<&SubscriptionId>) -> Result<Page, Failure> {
        let principals = caller.principals();
        let memberships = try_join_all(principals.iter().map(|principal| self.memberships(principal, after))).await?;
        let (ids, next) = first_page(memberships.into_iter().flatten().collect());
        let mut listed = self.read(&ids).await?;
        listed.retain(|one| one.credential.admits(&principals));
        Ok(Page { listed, next })
    }

    async fn memberships(
        &self,
        principal: &Principal,
        after: Option<&SubscriptionId>,
    ) -> Result<Vec<SubscriptionId>, Failure> {
        self.0.subscriptions_in("dynamodb Query (memberships)", &portal_user::principal_key(principal), after).await
    }

    async fn read(&self, ids: &[SubscriptionId]) -> Result<Vec<Listed>, Failure> {
        let keys: Vec<Attributes> =
            ids.iter().flat_map(|id| [credential::key(id).into_map(), mail::key(id).into_map()]).collect();
        let (credentials, mut mails): (Vec<_>, Vec<_>) = self
            .0
            .batch_get("dynamodb BatchGetItem (subscriptions)", keys, &[])
            .await?
            .into_iter()
            .partition(|item| Reader(item).optional_text(SK) == Some(credential::SORT_KEY));
        let mut by_id: HashMap<SubscriptionId, Attributes> = mails
            .drain(..)
            .map(|item| Ok((Reader(&item).parsed(PK, parse_subscription_key)?, item)))
            .collect::<Result<_, Failure>>()?;
        let mut listed = Vec::with_capacity(credentials.len());
        for item in credentials {
            let credential = credential::from_item(&item)?;
            // The mail was read before a transaction and the credential after it, or the mail is gone. A list is a hint: it leaves that out.
            let Some(mail) = by_id.remove(&credential.subscription) else { continue };
            listed.push(Listed { credential, mail: mail::from_item(&mail)? });
        }
        listed.sort_by(|one, other| one.credential.subscription.cmp(&other.credential.subscription));
        Ok(listed)
    }
}

impl Table {
    /// Returns the first ids of the subscriptions that a partition lists after `after`, one more than a page holds.
    pub(super) async fn subscriptions_in(
        &self,
        operation: &'static str,
        partition: &str,
        after: Option<&SubscriptionId>,
    ) -> Result<Vec<SubscriptionId>, Failure> {
        let one_more = i32::try_from(PAGE + 1).unwrap_or(i32::MAX);
        let request = self.client.query().table_name(&self.name).consistent_read(true).limit(one_more);
        let request = request
            .key_condition_expression("#pk = :partition AND #sk > :after")
            .projection_expression("#sk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":partition", text(partition))
            .expression_attribute_values(":after", text(&after_subscription(after)));
        let answer = request.send().await.map_err(|error| Failure::from_sdk(operation, &error))?;
        answer.items().iter().map(|item| Reader(item).parsed(SK, parse_subscription_key)).collect()
    }
}
