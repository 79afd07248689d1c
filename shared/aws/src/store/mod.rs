//! The table: one file a subject, the condition of each write beside the write.

mod account;
mod administrators;
mod attempts;
mod credential;
mod history;
mod item;
mod listings;
mod mails;
mod names;
mod passwords;
mod retrievals;
mod session;
mod sessions;
mod sign_ins;
mod subscriptions;
mod support;
mod team;
mod transaction;

use aws_sdk_dynamodb::{Client, config::Config};
use aws_types::SdkConfig;
use domain::{Account, Credential, SubscriptionId};

use self::{item::Attributes, names::Key};
use crate::{Failure, connection::no_bucket};

pub use administrators::{Administrators, CreateAdministrator, NewAdministrator};
pub use attempts::{Admission, Attempts};
pub use listings::{Listed, Listings, Page};
pub use mails::{Lease, Mail, MailOrder, Mails, Take, TakenMail};
pub use passwords::Passwords;
pub use retrievals::{Retrievals, RetrieveOutcome};
pub use sessions::{Sessions, SignedIn};
pub use sign_ins::SignIns;
pub use subscriptions::{Create, NewCredentials, NextIssue, Subscriptions};
pub use support::{NewSupportRequest, Order, SupportRequests};
pub use team::{Administrator, Team};

/// The table, for the stores below to be made of.
#[derive(Clone)]
pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// `name` is the table's name or ARN.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "here the client is built, once, from the one configuration")]
    pub fn new(config: &SdkConfig, name: String) -> Self {
        let config = Config::from(config).to_builder().retry_partition(no_bucket()).build();
        Self { client: Client::from_conf(config), name }
    }
}

impl Table {
    /// The credential of a subscription, as of this moment.
    async fn credential(&self, subscription: &SubscriptionId) -> Result<Option<Credential>, Failure> {
        let item = self.get("dynamodb GetItem (credential)", Key::credential(subscription)).await?;
        item.map(|item| credential::from_item(&item)).transpose()
    }

    /// An account, as of this moment.
    async fn account(&self, key: Key) -> Result<Option<Account>, Failure> {
        let item = self.get("dynamodb GetItem (account)", key).await?;
        item.map(|item| account::from_item(&item)).transpose()
    }

    async fn get(&self, operation: &'static str, key: Key) -> Result<Option<Attributes>, Failure> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key.into_map())).consistent_read(true);
        Ok(request.send().await.map_err(|error| Failure::of(operation, &error))?.item)
    }
}
