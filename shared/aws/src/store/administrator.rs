//! The administrator item: its key, attributes and conversion. A list of a subscription's administrators shows it.

use domain::{Account, AccountStatus, DisplayName, SubscriptionId, Timestamp, UserName};

use super::{
    condition::{ITEM_EXISTS, Placeholders},
    item::{Attributes, Item, Reader, text, time},
    names::{Key, SK, STATUS, USER_NAME},
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
const RESET_AT: &str = "reset_at";

const PLACEHOLDERS: Placeholders = &[("#last", LAST_SIGNED_IN_AT), ("#reset", RESET_AT), ("#status", STATUS)];

/// Returns the key of the administrator with this account.
pub(super) fn key(subscription: &SubscriptionId, account_id: &str) -> Key {
    Key::in_subscription(subscription, format!("{PREFIX}{account_id}"))
}

fn parse_sort_key(key: &str) -> Option<String> {
    key.strip_prefix(PREFIX).map(ToOwned::to_owned)
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
    change(account, "SET #last = :now").value(":now", time(now))
}

/// Returns the write that gives the item the status of `account`.
pub(super) fn set_status(account: &Account) -> Change {
    change(account, "SET #status = :status").value(":status", text(account.status.as_str()))
}

/// Returns the write of a temporary password that another administrator has given to the owner of `account`.
pub(super) fn reset(account: &Account, now: Timestamp) -> Change {
    set_status(account).and(", #reset = :now").value(":now", time(now))
}

/// Returns the write that says that the account is closed, because its subscription has ended.
pub(super) fn close(subscription: &SubscriptionId, account_id: &str) -> Change {
    Change::new(key(subscription, account_id), PLACEHOLDERS, "SET #status = :status")
        .only_if(ITEM_EXISTS)
        .value(":status", text(AccountStatus::Closed.as_str()))
}

fn change(account: &Account, update: &str) -> Change {
    Change::new(key(&account.subscription, &account.account_id), PLACEHOLDERS, update).only_if(ITEM_EXISTS)
}

/// An administrator as the table has them.
pub(super) struct KnownAdministrator {
    pub(super) account_id: String,
    pub(super) user_name: UserName,
    pub(super) display_name: String,
    pub(super) created_at: Timestamp,
    pub(super) status: AccountStatus,
    pub(super) last_signed_in_at: Option<Timestamp>,
    /// When another administrator last reset the password.
    pub(super) reset_at: Option<Timestamp>,
}

impl KnownAdministrator {
    /// Returns whether the first password, or the one of the last reset, was never used. Sign-ins are noted without a guarantee.
    pub(super) fn is_waiting(&self) -> bool {
        self.last_signed_in_at.is_none_or(|last| self.reset_at.is_some_and(|reset_at| last < reset_at))
    }
}

/// Reads the administrator from an item.
pub(super) fn from_item(item: &Attributes) -> Result<KnownAdministrator, Failure> {
    let item = Reader(item);
    Ok(KnownAdministrator {
        account_id: item.parsed(SK, parse_sort_key)?,
        user_name: user_name(item)?,
        display_name: item.text(DISPLAY_NAME)?.to_owned(),
        created_at: item.time(CREATED_AT)?,
        status: item.parsed(STATUS, AccountStatus::parse)?,
        last_signed_in_at: item.optional_time(LAST_SIGNED_IN_AT)?,
        reset_at: item.optional_time(RESET_AT)?,
    })
}

/// Reads only the name of the account.
pub(super) fn user_name(item: Reader) -> Result<UserName, Failure> {
    item.parsed(USER_NAME, UserName::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_administrator_waits_until_the_first_sign_in_and_from_a_reset_until_the_next() {
        let waits = |last: Option<i64>, reset: Option<i64>| {
            let at = |seconds: Option<i64>| seconds.map(Timestamp::from_epoch_seconds);
            KnownAdministrator {
                account_id: "01K".into(),
                user_name: UserName::parse("lee@fabrikam").unwrap(),
                display_name: "Lee".into(),
                created_at: Timestamp::from_epoch_seconds(0),
                status: AccountStatus::Active,
                last_signed_in_at: at(last),
                reset_at: at(reset),
            }
            .is_waiting()
        };
        assert!(waits(None, None) && waits(None, Some(5)) && waits(Some(4), Some(5)));
        assert!(!waits(Some(4), None) && !waits(Some(5), Some(5)) && !waits(Some(6), Some(5)));
    }
}
