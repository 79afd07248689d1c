//! The table. A file named after an entity holds its key, attributes, clauses, conversion and writes; a file named after a store
//! composes them into the operations of a function.

mod account;
mod administrator;
mod administrators;
mod attempts;
mod callbacks;
mod click;
mod condition;
mod credential;
mod day;
mod due;
mod handled_event;
mod histories;
mod history;
mod item;
mod listings;
mod mail;
mod mail_reports;
mod mails;
mod names;
mod next_issue;
mod notice;
mod passwords;
mod portal_user;
mod reminders;
mod renewals;
mod resends;
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
use domain::{Account, Caller, Credential, SubscriptionId};

use self::{item::Attributes, names::Key};
use crate::{Failure, connection::no_bucket};

pub use administrator::Administrator;
pub use administrators::{Administrators, CreateOutcome, NewAdministrator};
pub use attempts::{Attempts, SpendOutcome};
pub use callbacks::{Callbacks, SpendCallbackOutcome};
pub use histories::{Histories, HistoryPage};
pub use listings::{Listed, Listings, Page};
pub use mail_reports::{MailReports, RecordOutcome};
pub use mails::{Lease, Mail, MailOrder, Mails, TakeOutcome, TakenMail};
pub use next_issue::IssueMail;
pub use passwords::{ChangeOutcome, Passwords};
pub use reminders::{Due, DueCursor, DuePage, OrderReminderOutcome, Reminders};
pub use renewals::{RenewOutcome, Renewals};
pub use resends::{ResendOutcome, Resends};
pub use retrievals::{Retrievals, RetrieveOutcome};
pub use sessions::{Sessions, SignedIn};
pub use sign_ins::{BeginOutcome, SignIns};
pub use subscriptions::{ExtendOutcome, LookUpEventOutcome, StartNextIssueOutcome, StartOutcome, Subscriptions};
pub use support::{NewSupportRequest, OrderOutcome, SupportRequests};
pub use team::Team;

/// The table that the stores work on.
#[derive(Clone)]
pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// Returns the table with this name or ARN.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "here the client is built, once, from the one configuration")]
    pub fn new(config: &SdkConfig, name: String) -> Self {
        let config = Config::from(config).to_builder().retry_partition(no_bucket()).build();
        Self { client: Client::from_conf(config), name }
    }
}

impl Table {
    /// Returns the credential of a subscription, if the subscription exists.
    async fn credential(&self, subscription: &SubscriptionId) -> Result<Option<Credential>, Failure> {
        let item = self.get("dynamodb GetItem (credential)", credential::key(subscription)).await?;
        item.map(|item| credential::from_item(&item)).transpose()
    }

    /// Returns the credential of a subscription that `caller` may see as a portal user. To everyone else the subscription does not exist.
    async fn credential_for(
        &self,
        subscription: &SubscriptionId,
        caller: &Caller,
    ) -> Result<Option<Credential>, Failure> {
        let found = self.credential(subscription).await?;
        Ok(found.filter(|known| known.admits(&caller.principals())))
    }

    /// Returns the credential of a subscription that is known to exist.
    async fn existing_credential(&self, subscription: &SubscriptionId) -> Result<Credential, Failure> {
        self.credential(subscription).await?.ok_or_else(|| Failure::unreadable("item", credential::SORT_KEY))
    }

    /// Returns the account with this key, if it exists.
    async fn account(&self, key: Key) -> Result<Option<Account>, Failure> {
        let item = self.get("dynamodb GetItem (account)", key).await?;
        item.map(|item| account::from_item(&item)).transpose()
    }

    async fn get(&self, operation: &'static str, key: Key) -> Result<Option<Attributes>, Failure> {
        let request = self.client.get_item().table_name(&self.name).set_key(Some(key.into_map())).consistent_read(true);
        Ok(request.send().await.map_err(|error| Failure::from_sdk(operation, &error))?.item)
    }
}
