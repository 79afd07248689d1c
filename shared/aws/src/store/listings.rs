//! The list of subscriptions: two round trips, whatever the number of principals and subscriptions.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::KeysAndAttributes;
use domain::{Caller, Credential, Principal, SubscriptionId, WelcomeMail};
use futures_util::future::try_join_all;

use super::{
    Table,
    credential::{from_item, subscription},
    item::{Attributes, Reader, text},
    mails::welcome_mail,
    names::{CREDENTIAL, Key, PK, SK, after_subscription, portal_user_key, subscription_of},
};
use crate::{Failure, retry::pause};

/// May list, and no more.
pub struct Listings(Table);

/// One page of the list.
pub struct Page {
    /// In the order of their ids. A page can be short, even empty, before the last: memberships are hints.
    pub listed: Vec<Listed>,
    /// The id to go on after, where there is more.
    pub next: Option<SubscriptionId>,
}

/// One subscription that the caller may see.
pub struct Listed {
    /// Its credential.
    pub credential: Credential,
    /// Its welcome mail.
    pub mail: WelcomeMail,
}

/// Subscriptions a page. Two items each stay under the 100 keys of one `BatchGetItem`.
const PAGE: usize = 25;

/// How often DynamoDB may leave keys out of an answer before the list is unavailable.
const BATCH_TRIES: u32 = 4;

impl Listings {
    /// Over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// The subscriptions that `caller` may see, after the id `after`.
    pub async fn page(&self, caller: &Caller, after: Option<&SubscriptionId>) -> Result<Page, Failure> {
        let principals = caller.principals();
        let memberships = try_join_all(principals.iter().map(|principal| self.memberships(principal, after))).await?;
        let ids: BTreeSet<SubscriptionId> = memberships.into_iter().flatten().collect();
        let next = (ids.len() > PAGE).then(|| ids.iter().nth(PAGE - 1).cloned()).flatten();
        let mut listed = self.read(ids.iter().take(PAGE)).await?;
        listed.retain(|one| one.credential.admits(&principals));
        Ok(Page { listed, next })
    }

    /// The first ids of a principal after `after`, one more than a page.
    async fn memberships(
        &self,
        principal: &Principal,
        after: Option<&SubscriptionId>,
    ) -> Result<Vec<SubscriptionId>, Failure> {
        const OPERATION: &str = "dynamodb Query (memberships)";
        let one_more = i32::try_from(PAGE + 1).unwrap_or(i32::MAX);
        let request = self.0.client.query().table_name(&self.0.name).consistent_read(true).limit(one_more);
        let request = request
            .key_condition_expression("#pk = :principal AND #sk > :after")
            .projection_expression("#sk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":principal", text(&portal_user_key(principal)))
            .expression_attribute_values(":after", text(&after_subscription(after)));
        let answer = request.send().await.map_err(|error| Failure::of(OPERATION, &error))?;
        answer.items().iter().map(|item| Reader(item).parsed(SK, subscription_of)).collect()
    }

    async fn read(&self, ids: impl Iterator<Item = &SubscriptionId>) -> Result<Vec<Listed>, Failure> {
        let keys: Vec<Attributes> =
            ids.flat_map(|id| [Key::credential(id).into_map(), Key::welcome_mail(id).into_map()]).collect();
        let (credentials, mut mails): (Vec<_>, Vec<_>) = self
            .batch_get(keys)
            .await?
            .into_iter()
            .partition(|item| Reader(item).optional_text(SK) == Some(CREDENTIAL));
        let mut by_id: HashMap<SubscriptionId, Attributes> =
            mails.drain(..).map(|item| Ok((subscription(&item)?, item))).collect::<Result<_, Failure>>()?;
        let mut listed = Vec::with_capacity(credentials.len());
        for item in credentials {
            let credential = from_item(&item)?;
            // Read in the moment between two items of a transaction, or outlived by the credential: a list is a hint, and goes on.
            let Some(mail) = by_id.remove(&credential.subscription) else { continue };
            listed.push(Listed { credential, mail: welcome_mail(&mail)? });
        }
        listed.sort_by(|one, other| one.credential.subscription.cmp(&other.credential.subscription));
        Ok(listed)
    }

    async fn batch_get(&self, mut keys: Vec<Attributes>) -> Result<Vec<Attributes>, Failure> {
        const OPERATION: &str = "dynamodb BatchGetItem (subscriptions)";
        let mut items = Vec::with_capacity(keys.len());
        for turn in 0..BATCH_TRIES {
            if keys.is_empty() {
                return Ok(items);
            }
            if turn > 0 {
                pause().await;
            }
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let wanted = wanted.map_err(|_| Failure::unreadable(OPERATION, "keys"))?;
            let request = self.0.client.batch_get_item().request_items(&self.0.name, wanted);
            let answer = request.send().await.map_err(|error| Failure::of(OPERATION, &error))?;
            items.extend(answer.responses.into_iter().flat_map(HashMap::into_values).flatten());
            keys =
                answer.unprocessed_keys.into_iter().flat_map(HashMap::into_values).flat_map(|left| left.keys).collect();
        }
        if keys.is_empty() { Ok(items) } else { Err(Failure::too_long(OPERATION)) }
    }
}
