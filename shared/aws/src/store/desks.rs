//! The reads of the support desk: the subscriptions that a search finds, and everything about one of them apart from its history.
//!
//! Every lookup is by key or a query on one partition, and each page takes two round trips.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Account, AccountStatus, Approval, CompanyId, Credential, EmailAddress, Label, PortalUser, Principal, Reference,
    SearchKeys, SubscriptionId, Timestamp, UserName, WelcomeMail,
};
use futures_util::{future::try_join_all, try_join};

use super::{
    Table, account,
    administrator::{self, KnownAdministrator},
    approval, attempts, company, credential,
    item::{Attributes, Reader, text},
    listings::first_page,
    mail,
    names::{Key, PK, SK},
    operator_acts::DeskState,
    portal_user::{self, KnownPortalUser},
    reference, support,
};
use crate::Failure;

/// Reads what operators look for and look at; writes nothing.
pub struct Desks(Table);

/// One page of what a search has found.
pub struct FoundPage {
    /// The credentials of the subscriptions, in the order of their ids: at most 25. A page before the last can be short or empty, since
    /// memberships are hints.
    pub found: Vec<Credential>,
    /// The last id of this page, where more pages follow.
    pub next: Option<SubscriptionId>,
}

/// Everything that the desk shows of one subscription, apart from its history. It has no `Debug`, because it holds personal data.
pub struct DeskSubscription {
    /// The credential of the subscription.
    pub credential: Credential,
    /// The welcome mail, with its whole address.
    pub mail: WelcomeMail,
    /// The portal users who have access, in the order in which they were added.
    pub portal_users: Vec<DeskPortalUser>,
    /// The service administrator's account.
    pub service_administrator: DeskAccount,
    /// The administrators, in the order in which they were created.
    pub administrators: Vec<DeskAdministrator>,
    /// The support requests of the last 90 days, newest first: at most 100.
    pub support_requests: Vec<DeskSupportRequest>,
    /// The approval that is to be decided, if there is one.
    pub approval: Option<Approval>,
}

/// A portal user who has access. It has no `Debug`, because it holds personal data.
pub struct DeskPortalUser {
    /// How tokens prove that their bearer is this portal user. Its text names the portal user in the desk's paths.
    pub principal: Principal,
    /// The portal user as the vendor's event or the operator gave it. Items of earlier releases have only addresses.
    pub given: Option<PortalUser>,
    /// When the portal user was added. Absent if only the right is known.
    pub added_at: Option<Timestamp>,
}

/// An account of the Administration Center. It has no `Debug`, because it holds personal data.
pub struct DeskAccount {
    /// The id by which products know the account.
    pub account_id: String,
    /// The name that signs in.
    pub user_name: UserName,
    /// The address that notices go to.
    pub email: Option<EmailAddress>,
    /// Whether the account may be used.
    pub status: AccountStatus,
    /// The last sign-in that is known. Of the service administrator it is the first one with the current issue.
    pub last_signed_in_at: Option<Timestamp>,
    /// Whether failures have closed the account to strangers. An operator can unlock it.
    pub closed: bool,
}

/// An administrator. It has no `Debug`, because it holds personal data.
pub struct DeskAdministrator {
    /// The account.
    pub account: DeskAccount,
    /// The name that people call them by.
    pub display_name: String,
    /// When the account was created.
    pub created_at: Timestamp,
}

/// A request to support. It has no `Debug`, because it holds personal data.
pub struct DeskSupportRequest {
    /// The reference that the customer was given.
    pub reference: Reference,
    /// When the customer sent it.
    pub at: Timestamp,
    /// The customer.
    pub by: Label,
}

/// The number of accounts that one request reads. Two items each are the limit of `DynamoDB`.
const BATCH: usize = 50;

/// The maximum number of approvals that are listed.
const APPROVALS: usize = 100;

/// The number of support requests that are read. They can be long.
const REQUESTS: i32 = 100;

impl Desks {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Returns one page of the subscriptions that one of `keys` finds, after the id `after`.
    pub async fn search(
        &self,
        keys: &SearchKeys,
        after: Option<&SubscriptionId>,
        now: Timestamp,
    ) -> Result<FoundPage, Failure> {
        let (own, by_user_name, by_company, by_reference, by_address) = try_join!(
            async { Ok(keys.subscription.clone()) },
            self.by_user_name(keys.user_name.as_ref()),
            self.by_company(keys.company.as_ref(), after),
            self.by_reference(keys.reference.as_ref(), now),
            try_join_all(keys.principals.iter().map(|principal| self.by_principal(principal, after))),
        )?;
        let is_after = |id: &SubscriptionId| after.is_none_or(|after| id > after);
        let named: BTreeSet<SubscriptionId> = by_company
            .into_iter()
            .chain([own, by_user_name, by_reference].into_iter().flatten().filter(is_after))
            .collect();
        let all = named.iter().cloned().chain(by_address.into_iter().flatten()).collect();
        let (ids, next) = first_page(all);
        let mut found = self.credentials(&ids).await?;
        // A membership can outlive the right.
        found.retain(|known| named.contains(&known.subscription) || known.admits(&keys.principals));
        Ok(FoundPage { found, next })
    }

    async fn by_user_name(&self, user_name: Option<&UserName>) -> Result<Option<SubscriptionId>, Failure> {
        let Some(user_name) = user_name else { return Ok(None) };
        let item = self.0.get("dynamodb GetItem (account)", account::key(user_name)).await?;
        item.map(|item| account::subscription(Reader(&item))).transpose()
    }

    async fn by_company(
        &self,
        company: Option<&CompanyId>,
        after: Option<&SubscriptionId>,
    ) -> Result<Vec<SubscriptionId>, Failure> {
        let Some(company) = company else { return Ok(Vec::new()) };
        self.0.subscriptions_in("dynamodb Query (company)", &company::partition(company), after).await
    }

    async fn by_reference(
        &self,
        reference: Option<&Reference>,
        now: Timestamp,
    ) -> Result<Option<SubscriptionId>, Failure> {
        let Some(reference) = reference else { return Ok(None) };
        let item = self.0.get("dynamodb GetItem (reference)", reference::key(reference)).await?;
        item.map_or(Ok(None), |item| reference::subscription(&item, now))
    }

    async fn by_principal(
        &self,
        principal: &Principal,
        after: Option<&SubscriptionId>,
    ) -> Result<Vec<SubscriptionId>, Failure> {
        self.0.subscriptions_in("dynamodb Query (memberships)", &portal_user::principal_key(principal), after).await
    }

    /// Returns those of the credentials that exist, in the order of their subscriptions. At most 100 can be asked for.
    pub async fn credentials(&self, ids: &[SubscriptionId]) -> Result<Vec<Credential>, Failure> {
        let keys = ids.iter().map(|id| credential::key(id).into_map()).collect();
        let items = self.0.batch_get("dynamodb BatchGetItem (credentials)", keys, &[]).await?;
        let mut all = items.iter().map(credential::from_item).collect::<Result<Vec<_>, Failure>>()?;
        all.sort_by(|one, other| one.subscription.cmp(&other.subscription));
        Ok(all)
    }

    /// Returns the credential of a subscription, for its history.
    pub async fn credential(&self, subscription: &SubscriptionId) -> Result<Option<Credential>, Failure> {
        self.0.credential(subscription).await
    }

    /// Returns the approvals that are to be decided, the oldest first: at most 100.
    pub async fn approvals(&self, now: Timestamp) -> Result<Vec<Approval>, Failure> {
        let request = self.0.client.query().table_name(&self.0.name).consistent_read(true);
        let request = request
            .key_condition_expression("#pk = :pk")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":pk", text(approval::LIST_KEY));
        let (mut pending, mut after) = (Vec::new(), None);
        loop {
            let page = request.clone().set_exclusive_start_key(after).send().await;
            let page = page.map_err(|error| Failure::from_sdk("dynamodb Query (approvals)", &error))?;
            let all = page.items().iter().map(approval::from_item).collect::<Result<Vec<_>, Failure>>()?;
            // The time to live deletes days late.
            pending.extend(all.into_iter().filter(|approval| approval.is_pending(now)));
            after = page.last_evaluated_key;
            if after.is_none() || pending.len() >= APPROVALS {
                pending.sort_by_key(|approval| approval.asked_at);
                pending.truncate(APPROVALS);
                return Ok(pending);
            }
        }
    }

    /// Returns everything that the desk shows of a subscription, apart from its history. `None` if there is no such subscription.
    pub async fn subscription(
        &self,
        subscription: &SubscriptionId,
        now: Timestamp,
    ) -> Result<Option<DeskSubscription>, Failure> {
        let (state, administrators, requests, portal_users) = try_join!(
            self.state(subscription),
            self.administrators(subscription),
            self.support_requests(subscription),
            self.portal_users(subscription),
        )?;
        let Some(DeskState { credential, mail, approval }) = state else { return Ok(None) };
        let mut accounts = self.accounts(&credential, &administrators).await?;
        let service_administrator = accounts.remove(&credential.user_name);
        Ok(Some(DeskSubscription {
            portal_users: with_access(&credential, portal_users),
            service_administrator: service_administrator.ok_or_else(|| Failure::unreadable("item", "ACCOUNT"))?,
            administrators: with_accounts(administrators, accounts),
            support_requests: requests,
            approval: approval.filter(|approval| approval.is_pending(now)),
            credential,
            mail,
        }))
    }

    async fn state(&self, subscription: &SubscriptionId) -> Result<Option<DeskState>, Failure> {
        let keys = [credential::key(subscription), mail::key(subscription), approval::key(subscription)];
        let keys = keys.map(Key::into_map).to_vec();
        let items = self.0.batch_get("dynamodb BatchGetItem (subscription)", keys, &[]).await?;
        let named = |name| items.iter().find(|item| Reader(item).optional_text(SK) == Some(name));
        let Some(known) = named(credential::SORT_KEY) else { return Ok(None) };
        let mail = named(mail::SORT_KEY).ok_or_else(|| Failure::unreadable("item", mail::SORT_KEY))?;
        Ok(Some(DeskState {
            credential: credential::from_item(known)?,
            mail: mail::from_item(mail)?,
            approval: named(approval::SORT_KEY).map(approval::from_item).transpose()?,
        }))
    }

    async fn administrators(&self, subscription: &SubscriptionId) -> Result<Vec<KnownAdministrator>, Failure> {
        const OPERATION: &str = "dynamodb Query (administrators)";
        let items = self.0.query(OPERATION, subscription, administrator::PREFIX, administrator::END).await?;
        items.iter().map(administrator::from_item).collect()
    }

    async fn portal_users(&self, subscription: &SubscriptionId) -> Result<Vec<KnownPortalUser>, Failure> {
        const OPERATION: &str = "dynamodb Query (portal users)";
        let items = self.0.query(OPERATION, subscription, portal_user::PREFIX, portal_user::END).await?;
        items.iter().map(portal_user::from_item).collect()
    }

    async fn support_requests(&self, subscription: &SubscriptionId) -> Result<Vec<DeskSupportRequest>, Failure> {
        let range = self.0.range(subscription, mail::SUPPORT_PREFIX, mail::SUPPORT_END).limit(REQUESTS);
        let page = support::without_messages(range).send().await;
        let page = page.map_err(|error| Failure::from_sdk("dynamodb Query (support requests)", &error))?;
        let mut all = page.items().iter().map(support::summary_from_item).collect::<Result<Vec<_>, Failure>>()?;
        all.sort_by_key(|request| std::cmp::Reverse(request.at));
        Ok(all)
    }

    /// Reads the accounts of the service administrator and the administrators, with the failures that may have closed them.
    async fn accounts(
        &self,
        credential: &Credential,
        administrators: &[KnownAdministrator],
    ) -> Result<BTreeMap<UserName, DeskAccount>, Failure> {
        let names = administrators.iter().map(|one| &one.user_name).chain([&credential.user_name]);
        let (mut failures, mut items) = (BTreeMap::new(), Vec::new());
        for item in self.account_items(&names.collect::<Vec<_>>()).await? {
            match attempts::failures(&item)? {
                Some((user_name, number)) => drop(failures.insert(user_name, number)),
                None => items.push(item),
            }
        }
        let mut accounts = BTreeMap::new();
        for item in items {
            let account = account::from_item(&item)?;
            let is_service = account.user_name == credential.user_name;
            let noted = administrators.iter().find(|one| one.user_name == account.user_name);
            let last = [noted.and_then(|one| one.last_signed_in_at), account.first_signed_in_at];
            let last = last.into_iter().chain([credential.signed_in_at.filter(|_| is_service)]).max().flatten();
            let failures = failures.get(&account.user_name).copied().unwrap_or_default();
            accounts
                .insert(account.user_name.clone(), DeskAccount::new(account, account::email(&item), last, failures));
        }
        Ok(accounts)
    }

    async fn account_items(&self, names: &[&UserName]) -> Result<Vec<Attributes>, Failure> {
        let batches = names.chunks(BATCH).map(|names| {
            let keys = names.iter().flat_map(|name| [account::key(name), attempts::failures_key(name)]);
            self.0.batch_get("dynamodb BatchGetItem (accounts)", keys.map(Key::into_map).collect(), &[])
        });
        Ok(try_join_all(batches).await?.into_iter().flatten().collect())
    }
}

impl DeskAccount {
    fn new(account: Account, email: Option<EmailAddress>, last_signed_in_at: Option<Timestamp>, failures: u64) -> Self {
        let closed = account.is_closed_by(failures);
        let Account { account_id, user_name, status, .. } = account;
        Self { account_id, user_name, email, status, last_signed_in_at, closed }
    }
}

/// Returns the portal users who have the right that `credential` holds, in the order in which they were added.
fn with_access(credential: &Credential, known: Vec<KnownPortalUser>) -> Vec<DeskPortalUser> {
    let mut known: BTreeMap<Principal, KnownPortalUser> =
        known.into_iter().map(|user| (user.principal, user)).collect();
    let mut all: Vec<DeskPortalUser> = credential
        .portal_users
        .iter()
        .map(|principal| {
            let (given, added_at) =
                known.remove(principal).map_or((None, None), |user| (user.given, Some(user.added_at)));
            DeskPortalUser { principal: *principal, given, added_at }
        })
        .collect();
    all.sort_by_key(|user| user.added_at);
    all
}

/// Returns the administrators with their accounts, in the order in which they were created.
fn with_accounts(
    known: Vec<KnownAdministrator>,
    mut accounts: BTreeMap<UserName, DeskAccount>,
) -> Vec<DeskAdministrator> {
    let with_account = |one: KnownAdministrator| {
        let account = accounts.remove(&one.user_name)?;
        Some(DeskAdministrator { account, display_name: one.display_name, created_at: one.created_at })
    };
    let mut all: Vec<DeskAdministrator> = known.into_iter().filter_map(with_account).collect();
    all.sort_by_key(|administrator| administrator.created_at);
    all
}
