//! The administrator item: its key, attributes and conversion. A list of a subscription's administrators shows it.

use domain::{Account, AccountStatus, DisplayName, SubscriptionId, Timestamp, UserName};

use super::{
    condition::{ITEM_EXISTS, Placeholders},
    item::{Attributes, Item, Reader, text, time},
    names::{Key, STATUS, USER_NAME},
    transaction::Change,
};
use crate::Failure;

/// How the sort keys of all administrators of a subscription begin.
pub(super) const PREFIX: &str = "ADMINISTRATOR#";

/// The first sort key after those of all administrators.
pub(super) const END: &str = "ADMINISTRATOR$";

const CREATED_AT: &str = "created_at";
const DISPLAY_NAME: &str = "display_name";
const LAST_SIGNED_IN_AT: &str = "last_signed_in_at";

const PLACEHOLDERS: Placeholders = &[("#last", LAST_SIGNED_IN_AT)];

/// An administrator as the others of the company see them. It has no `Debug`, because it holds personal data.
pub struct Administrator {
    /// The name that they sign in with.
    pub user_name: UserName,
    /// The name that people call them by.
    pub display_name: String,
    /// When the account was created.
    pub created_at: Timestamp,
}

fn key(subscription: &SubscriptionId, account_id: &str) -> Key {
    Key::in_subscription(subscription, format!("{PREFIX}{account_id}"))
}

/// Returns the item of the administrator who owns `account`, including its key.
pub(super) fn to_item(account: &Account, display_name: &DisplayName, now: Timestamp) -> Attributes {
    Item::at(key(&account.subscription, &account.account_id))
        .with(USER_NAME, text(&account.user_name))
        .with(DISPLAY_NAME, text(display_name.as_str()))
        .with(CREATED_AT, time(now))
        .with(STATUS, text(account.status.as_str()))
        .into_map()
}

/// Returns the write of an administrator's last sign-in, for lists.
pub(super) fn sign_in(account: &Account, now: Timestamp) -> Change {
    Change::new(key(&account.subscription, &account.account_id), PLACEHOLDERS, "SET #last = :now")
        .only_if(ITEM_EXISTS)
        .value(":now", time(now))
}

/// An administrator as the table has them.
pub(super) struct KnownAdministrator {
    pub(super) user_name: UserName,
    pub(super) display_name: String,
    pub(super) created_at: Timestamp,
    pub(super) status: AccountStatus,
    pub(super) last_signed_in_at: Option<Timestamp>,
}

/// Reads the administrator from an item.
pub(super) fn from_item(item: &Attributes) -> Result<KnownAdministrator, Failure> {
    let item = Reader(item);
    Ok(KnownAdministrator {
        user_name: item.parsed(USER_NAME, UserName::parse)?,
        display_name: item.text(DISPLAY_NAME)?.to_owned(),
        created_at: item.time(CREATED_AT)?,
        status: item.parsed(STATUS, AccountStatus::parse)?,
        last_signed_in_at: item.optional_time(LAST_SIGNED_IN_AT)?,
    })
}

/// Reads the administrator from an item. Returns `None` if the account is not active any more.
pub(super) fn active_from_item(item: &Attributes) -> Result<Option<Administrator>, Failure> {
    let KnownAdministrator { user_name, display_name, created_at, status, .. } = from_item(item)?;
    let active = status == AccountStatus::Active;
    let administrator = Administrator { user_name, display_name, created_at };
    Ok(active.then_some(administrator))
}
