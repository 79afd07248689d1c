//! The list of a subscription's administrators, and the lookup of one of them.

use domain::{Account, AccountId, AccountStatus, Credential, EmailAddress, Role, SubscriptionId, Timestamp, UserName};
use futures_util::try_join;

use super::{
    Table, account,
    administrator::{self, KnownAdministrator},
    item::Reader,
};
use crate::Failure;

/// Lists the administrators of a subscription; writes nothing.
pub struct Team(Table);

/// An account of a subscription as its administrators see it. It has no `Debug`, because it holds personal data.
pub struct TeamMember {
    /// The id of the account, which names it in paths.
    pub account_id: String,
    /// The name that signs in.
    pub user_name: UserName,
    /// The name that people call them by. The service administrator has none, so it is the user name.
    pub display_name: String,
    /// When the account was created; the service administrator's is as old as its issue.
    pub created_at: Timestamp,
    /// The last sign-in that is known. Of the service administrator it is the first one with the current issue.
    pub last_signed_in_at: Option<Timestamp>,
    /// Whether the owner has never signed in with the password that the account was created with, or with the one of the last reset.
    pub is_waiting: bool,
    /// The purpose of the account.
    pub role: Role,
}

impl Team {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Returns the active accounts of the subscription of `credential` in the order in which they were created: the administrators, and the
    /// service administrator while its account is active beside them.
    pub async fn list(&self, credential: &Credential) -> Result<Vec<TeamMember>, Failure> {
        let (administrators, service) = try_join!(
            self.0.active_administrators(&credential.subscription),
            self.0.account(account::key(&credential.user_name))
        )?;
        let service = service.filter(|service| service.status == AccountStatus::Active);
        let service = service.map(|service| TeamMember::service_administrator(service, credential));
        let mut all: Vec<_> = administrators.into_iter().map(TeamMember::from).chain(service).collect();
        all.sort_by_key(|member| member.created_at);
        Ok(all)
    }

    /// Returns the administrators who were removed, in the order in which they were created. A reset opens the account of one again.
    pub async fn removed(&self, credential: &Credential) -> Result<Vec<TeamMember>, Failure> {
        let mut all = self.0.administrators(&credential.subscription).await?;
        all.retain(|one| one.status == AccountStatus::Closed);
        let mut all: Vec<_> = all.into_iter().map(TeamMember::from).collect();
        all.sort_by_key(|member| member.created_at);
        Ok(all)
    }
}

impl TeamMember {
    fn service_administrator(account: Account, credential: &Credential) -> Self {
        Self {
            account_id: account.account_id,
            display_name: account.user_name.to_string(),
            user_name: account.user_name,
            created_at: credential.issued_at,
            last_signed_in_at: credential.signed_in_at,
            is_waiting: credential.signed_in_at.is_none(),
            role: account.role,
        }
    }
}

impl From<KnownAdministrator> for TeamMember {
    fn from(known: KnownAdministrator) -> Self {
        Self {
            is_waiting: known.is_waiting(),
            account_id: known.account_id,
            user_name: known.user_name,
            display_name: known.display_name,
            created_at: known.created_at,
            last_signed_in_at: known.last_signed_in_at,
            role: Role::Administrator,
        }
    }
}

/// The account of an administrator, with the address that notices go to.
pub(super) struct FoundAdministrator {
    pub(super) account: Account,
    pub(super) email: Option<EmailAddress>,
}

impl Table {
    /// Returns the active administrators in the order of their keys.
    pub(super) async fn active_administrators(
        &self,
        subscription: &SubscriptionId,
    ) -> Result<Vec<KnownAdministrator>, Failure> {
        let mut all = self.administrators(subscription).await?;
        all.retain(|one| one.status == AccountStatus::Active);
        Ok(all)
    }

    /// Returns all administrators in the order of their keys, also those whose accounts are closed.
    pub(super) async fn administrators(
        &self,
        subscription: &SubscriptionId,
    ) -> Result<Vec<KnownAdministrator>, Failure> {
        const OPERATION: &str = "dynamodb Query (administrators)";
        let items = self.query(OPERATION, subscription, administrator::PREFIX, administrator::END).await?;
        items.iter().map(administrator::from_item).collect()
    }

    /// Returns the administrator of a subscription whose account has this id, whatever its status.
    pub(super) async fn administrator(
        &self,
        subscription: &SubscriptionId,
        account_id: &AccountId,
    ) -> Result<Option<FoundAdministrator>, Failure> {
        let key = administrator::key(subscription, account_id.as_str());
        let Some(item) = self.get("dynamodb GetItem (administrator)", key).await? else { return Ok(None) };
        let user_name = administrator::user_name(Reader(&item))?;
        let Some(item) = self.get("dynamodb GetItem (account)", account::key(&user_name)).await? else {
            return Ok(None);
        };
        Ok(Some(FoundAdministrator { account: account::from_item(&item)?, email: account::email(&item) }))
    }
}
