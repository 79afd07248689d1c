//! Notices: the people of a subscription who may get one, and the order to mail it.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    AccountStatus, Credential, HistoryCode, Notice, PersonId, PortalUser, Principal, Recipients, SubscriptionId,
    Transition, WelcomeMail,
    notice::{AddressedAdministrator, AddressedPortalUser, Audience},
};

use super::{
    Table, account,
    item::{Attributes, Reader},
    mail,
    names::SK,
    notice, portal_user,
    transaction::PutNewOutcome,
};
use crate::Failure;

/// Reads who gets a notice, and orders its mail.
pub struct Notices(Table);

/// The result of [`Notices::order`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderNoticeOutcome {
    /// The mail is ordered.
    Ordered,
    /// An earlier delivery of the record has ordered the mail.
    OrderedBefore,
}

/// The number of accounts that one request reads: the limit of DynamoDB.
const BATCH: usize = 100;

impl Notices {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Returns the credential of a subscription, if the subscription still exists.
    pub async fn credential(&self, subscription: &SubscriptionId) -> Result<Option<Credential>, Failure> {
        self.0.credential(subscription).await
    }

    /// Returns the people of a subscription who may get notices of `transitions`. `None` for a subscription that has no welcome mail any
    /// more. The administrators are read only for an audience that has them: the active ones, and those whom a transition removed.
    pub async fn recipients<'t>(
        &self,
        subscription: &SubscriptionId,
        audience: Audience,
        transitions: impl Iterator<Item = &'t Transition>,
    ) -> Result<Option<Recipients>, Failure> {
        let removals = transitions.filter(|one| one.entry.code() == Some(HistoryCode::AdministratorRemoved));
        let removed: BTreeSet<&str> = removals.filter_map(|one| one.entry.detail.as_deref()).collect();
        let (items, administrators) = futures_util::try_join!(self.mails_and_portal_users(subscription), async {
            if audience.administrators { self.administrators(subscription, &removed).await } else { Ok(Vec::new()) }
        })?;
        let (mut mail, mut portal_users) = (None::<WelcomeMail>, Vec::new());
        let (mut ruled_out, mut notified) = (BTreeSet::new(), BTreeMap::<_, Vec<_>>::new());
        for item in &items {
            let sort_key = Reader(item).text(SK)?;
            if sort_key == mail::SORT_KEY {
                mail = Some(mail::from_item(item)?);
            } else if sort_key.starts_with(portal_user::PREFIX) {
                portal_users.extend(addressed_portal_user(item)?);
            } else {
                ruled_out.extend(mail::ruled_out_address(item).as_ref().map(Principal::email));
                if let Some((key, ordered_at)) = notice::recipient(item) {
                    notified.entry(key).or_default().push(ordered_at);
                }
            }
        }
        Ok(mail.map(|mail| Recipients { mail, portal_users, administrators, ruled_out, notified }))
    }

    /// Reads the mails of a subscription and its portal users, whose keys follow those of the mails.
    async fn mails_and_portal_users(&self, subscription: &SubscriptionId) -> Result<Vec<Attributes>, Failure> {
        const OPERATION: &str = "dynamodb Query (mails and portal users)";
        self.0.query(OPERATION, subscription, mail::SORT_KEY, portal_user::END).await
    }

    /// Returns the active administrators, and those with a name in `removed`.
    async fn administrators(
        &self,
        subscription: &SubscriptionId,
        removed: &BTreeSet<&str>,
    ) -> Result<Vec<AddressedAdministrator>, Failure> {
        let mut listed = self.0.administrators(subscription).await?;
        listed.retain(|one| one.status == AccountStatus::Active || removed.contains(one.user_name.as_str()));
        let mut all = Vec::with_capacity(listed.len());
        for some in listed.chunks(BATCH) {
            let keys = some.iter().map(|one| account::key(&one.user_name).into_map()).collect();
            let attributes = &account::NOTIFIED_ATTRIBUTES;
            for item in self.0.batch_get("dynamodb BatchGetItem (accounts)", keys, attributes).await? {
                let account = account::notified_from_item(&item)?;
                let Some(known) = some.iter().find(|one| one.user_name == account.user_name) else { continue };
                all.push(AddressedAdministrator {
                    person: PersonId::from_account(&account.account_id),
                    user_name: account.user_name,
                    address: account.address,
                    created_at: known.created_at,
                    has_signed_in: account.has_signed_in,
                    is_active: known.status == AccountStatus::Active,
                });
            }
        }
        Ok(all)
    }

    /// Orders the mail of `notice`. Where it was ordered before, nothing changes.
    pub async fn order(&self, subscription: &SubscriptionId, notice: &Notice) -> Result<OrderNoticeOutcome, Failure> {
        let item = notice::to_item(subscription, notice);
        Ok(match self.0.put_new("dynamodb PutItem (notice)", item).await? {
            PutNewOutcome::Put => OrderNoticeOutcome::Ordered,
            PutNewOutcome::Exists => OrderNoticeOutcome::OrderedBefore,
        })
    }
}

/// Reads a portal user who may get notices, also one who was removed. `None` for one without an address.
fn addressed_portal_user(item: &Attributes) -> Result<Option<AddressedPortalUser>, Failure> {
    let user = portal_user::from_item(item)?;
    let address = user.given.as_ref().and_then(PortalUser::address).cloned();
    let (added_at, removed_at) = (user.added_at, user.removed_at);
    Ok(address.map(|address| AddressedPortalUser { address, added_at, removed_at }))
}
