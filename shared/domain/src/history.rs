//! The actors of a subscription's history.

use crate::{Account, Caller, PersonId, Retrieval, Role, text_enum};

text_enum! {
    /// The relation of an actor to the subscription.
    pub enum ActorRole {
        /// The vendor's billing system.
        Vendor = "vendor",
        /// A portal user.
        Customer = "customer",
        /// The service administrator.
        ServiceAdministrator = "service-administrator",
        /// An administrator.
        Administrator = "administrator",
        /// An operator of the vendor's support desk.
        Operator = "operator",
    }
}

/// The actor of an entry: a role and, for a person, an id that no two people and no two accounts share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The role.
    pub role: ActorRole,
    /// The person or account.
    pub id: Option<PersonId>,
}

impl Actor {
    /// The vendor's billing system.
    pub const VENDOR: Self = Self { role: ActorRole::Vendor, id: None };

    /// Returns a person who is signed in to the portal, as an actor.
    #[must_use]
    pub fn customer(person: PersonId) -> Self {
        Self { role: ActorRole::Customer, id: Some(person) }
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self::customer(caller.person())
    }
}

impl From<&Retrieval> for Actor {
    fn from(retrieval: &Retrieval) -> Self {
        Self::customer(retrieval.who)
    }
}

impl From<&Account> for Actor {
    fn from(account: &Account) -> Self {
        let role = match account.role {
            Role::ServiceAdministrator => ActorRole::ServiceAdministrator,
            Role::Administrator => ActorRole::Administrator,
        };
        Self { role, id: Some(PersonId::from_account(&account.account_id)) }
    }
}
