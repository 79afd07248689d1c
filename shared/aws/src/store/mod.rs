//! The table. A file named after an entity holds its key, attributes, clauses, conversion and writes; a file named after a store
//! composes them into the operations of a function.

mod accesses;
mod account;
mod administrator;
mod administrators;
mod approval;
mod attempts;
mod callbacks;
mod click;
mod company;
mod condition;
mod credential;
mod day;
mod desks;
mod due;
mod ended_credential;
mod handled_event;
mod histories;
mod history;
mod item;
mod life;
mod listings;
mod mail;
mod mail_reports;
mod mails;
mod names;
mod next_issue;
mod notice;
mod notices;
mod operator_acts;
mod operator_click;
mod operators;
mod password_resets;
mod passwords;
mod portal_user;
mod product_code;
mod product_holder;
mod product_sign_ins;
mod product_token;
mod provider_metadata;
mod providers;
mod purge;
mod purges;
mod reference;
mod reissues;
mod reminders;
mod removals;
mod renewals;
mod resends;
mod restarts;
mod retrievals;
mod session;
mod sessions;
mod sign_ins;
mod stream;
mod subscription_ends;
mod subscriptions;
mod support;
mod team;
mod transaction;

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client, config::Config, operation::query::builders::QueryFluentBuilder, types::KeysAndAttributes,
};
use aws_types::SdkConfig;
use domain::{Account, Caller, Credential, SubscriptionId};

use self::{
    item::{Attributes, text},
    names::{Key, PK, SK, subscription_key},
};
use crate::{Failure, connection::no_bucket, retry::pause};

pub use accesses::{Accesses, AccountState, UnlockOutcome};
pub use administrators::{Administrators, CreateOutcome, NewAdministrator};
pub use attempts::{Attempts, SpendOutcome};
pub use callbacks::{Callbacks, SpendCallbackOutcome};
pub use desks::{
    DeskAccount, DeskAdministrator, DeskPortalUser, DeskSubscription, DeskSupportRequest, Desks, FoundPage,
};
pub use histories::{Histories, HistoryPage};
pub use life::{KnownSubscription, RecordLifeOutcome};
pub use listings::{Listed, Listings, Page};
pub use mail_reports::{MailReports, RecordOutcome};
pub use mails::{Lease, Mail, MailOrder, Mails, TakeOutcome, TakenMail};
pub use next_issue::IssueMail;
pub use notices::{Notices, OrderNoticeOutcome};
pub use operator_acts::{ActOutcome, Consent, DeskState, OperatorAct, OperatorActs};
pub use operator_click::AnsweredClick;
pub use operators::Operators;
pub use password_resets::{PasswordReset, PasswordResets, ResetOutcome};
pub use passwords::{ChangeOutcome, Passwords};
pub use product_sign_ins::{ProductSignIns, RedeemOutcome};
pub use providers::{ProviderRefreshes, Providers, PutProviderOutcome};
pub use purges::{DeleteOutcome, DuePurge, DuePurgePage, LeaseOutcome, PurgeCursor, Purges};
pub use reissues::{Reissue, Reissues};
pub use reminders::{Due, DueCursor, DuePage, OrderReminderOutcome, Reminders};
pub use removals::{Removals, RemoveOutcome};
pub use renewals::{RenewOutcome, Renewals};
pub use resends::{ResendOutcome, Resends};
pub use restarts::{Restart, RestartOutcome, Restarts};
pub use retrievals::{Retrievals, RetrieveOutcome};
pub use sessions::{Sessions, SignedIn};
pub use sign_ins::{BeginOutcome, SignIns};
pub use stream::{UnreadableRecord, read_transitions};
pub use subscription_ends::{CLOSED_AT_ONCE, CloseOutcome, EndOutcome, OpenAccount, SubscriptionEnds};
pub use subscriptions::{ExtendOutcome, LookUpEventOutcome, StartNextIssueOutcome, StartOutcome, Subscriptions};
pub use support::{NewSupportRequest, OrderOutcome, SupportRequests};
pub use team::{Team, TeamMember};

/// The number of requests for one batch of keys, because DynamoDB may leave keys out of its answer.
const BATCH_TRIES: u32 = 4;

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

    /// Returns the query for the items of a subscription with the sort keys from `first` to `last`.
    fn range(&self, subscription: &SubscriptionId, first: &str, last: &str) -> QueryFluentBuilder {
        let request = self.client.query().table_name(&self.name).consistent_read(true);
        request
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", text(&subscription_key(subscription)))
            .expression_attribute_values(":first", text(first))
            .expression_attribute_values(":last", text(last))
    }

    /// Reads the items of a subscription with the sort keys from `first` to `last`.
    async fn query(
        &self,
        operation: &'static str,
        subscription: &SubscriptionId,
        first: &str,
        last: &str,
    ) -> Result<Vec<Attributes>, Failure> {
        let request = self.range(subscription, first, last);
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = request.clone().set_exclusive_start_key(after).send().await;
            let page = page.map_err(|error| Failure::from_sdk(operation, &error))?;
            all.extend(page.items.unwrap_or_default());
            after = page.last_evaluated_key;
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    /// Reads items by their keys: at most 100, the limit of DynamoDB. With `attributes` it reads these alone.
    async fn batch_get(
        &self,
        operation: &'static str,
        mut keys: Vec<Attributes>,
        attributes: &[&str],
    ) -> Result<Vec<Attributes>, Failure> {
        let placeholders: Vec<String> = (0..attributes.len()).map(|n| format!("#a{n}")).collect();
        let names: HashMap<_, _> =
            placeholders.iter().cloned().zip(attributes.iter().map(|&name| name.to_owned())).collect();
        let mut items = Vec::with_capacity(keys.len());
        for turn in 0..BATCH_TRIES {
            if keys.is_empty() {
                return Ok(items);
            }
            if turn > 0 {
                pause().await;
            }
            let mut wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true);
            if !attributes.is_empty() {
                wanted = wanted
                    .projection_expression(placeholders.join(", "))
                    .set_expression_attribute_names(Some(names.clone()));
            }
            let wanted = wanted.build().map_err(|_| Failure::unreadable(operation, "keys"))?;
            let request = self.client.batch_get_item().request_items(&self.name, wanted);
            let answer = request.send().await.map_err(|error| Failure::from_sdk(operation, &error))?;
            items.extend(answer.responses.into_iter().flat_map(HashMap::into_values).flatten());
            keys =
                answer.unprocessed_keys.into_iter().flat_map(HashMap::into_values).flat_map(|left| left.keys).collect();
        }
        if keys.is_empty() { Ok(items) } else { Err(Failure::timed_out(operation)) }
    }
}
