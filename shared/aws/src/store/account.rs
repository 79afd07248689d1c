//! The account item, read and written.

use domain::{
    Account, AccountStatus, CreatedBy, EmailAddress, Issue, PasswordHash, Role, SubscriptionId, Temporary, Timestamp,
};

use super::{
    item::{Attributes, Item, Reader, boolean, found, number, text, time},
    names::{
        ACCOUNT_ID, CREATED_BY, EMAIL, EXPIRES_AT, FIRST_SIGNED_IN_AT, ISSUE, Key, MUST_CHANGE, PASSWORD_HASH, PK,
        ROLE, STATUS, SUBSCRIPTION_ID, VERSION, user_name_of,
    },
    transaction::Change,
};
use crate::Failure;

/// An account as an item, its key included.
pub(super) fn to_item(account: &Account, email: Option<&EmailAddress>) -> Attributes {
    Item::at(Key::account(&account.user_name))
        .with(ACCOUNT_ID, text(&account.account_id))
        .with(ROLE, text(account.role.as_str()))
        .with_if(EMAIL, email.map(text))
        .with(PASSWORD_HASH, text(account.password_hash.as_phc()))
        .with(MUST_CHANGE, boolean(account.temporary.is_some()))
        .with(STATUS, text(account.status.as_str()))
        .with(VERSION, number(account.version))
        .with(SUBSCRIPTION_ID, text(&account.subscription))
        .with_if(ISSUE, account.temporary.map(|temporary| number(temporary.issue.number())))
        .with_if(EXPIRES_AT, account.temporary.map(|temporary| time(temporary.expires_at)))
        .with_if(CREATED_BY, account.created_by.as_ref().map(|click| text(click.as_str())))
        .with_if(FIRST_SIGNED_IN_AT, account.first_signed_in_at.map(time))
        .into_map()
}

/// The account in an item as DynamoDB returned it.
pub(super) fn from_item(item: &Attributes) -> Result<Account, Failure> {
    let item = Reader(item);
    let temporary = if item.boolean(MUST_CHANGE)? {
        let issue = found(ISSUE, Issue::new(item.number(ISSUE)?))?;
        Some(Temporary { issue, expires_at: item.time(EXPIRES_AT)? })
    } else {
        None
    };
    Ok(Account {
        user_name: item.parsed(PK, user_name_of)?,
        account_id: item.text(ACCOUNT_ID)?.to_owned(),
        role: item.parsed(ROLE, Role::parse)?,
        password_hash: PasswordHash::from_phc(item.text(PASSWORD_HASH)?.to_owned()),
        temporary,
        status: item.parsed(STATUS, AccountStatus::parse)?,
        version: item.number(VERSION)?,
        subscription: item.parsed(SUBSCRIPTION_ID, SubscriptionId::parse)?,
        created_by: item.optional_text(CREATED_BY).map(|text| CreatedBy::from_stored(text.to_owned())),
        first_signed_in_at: item.optional_time(FIRST_SIGNED_IN_AT)?,
    })
}

/// What every transaction in a session asks of its account: it is what it was when the session began.
pub(super) fn unchanged(key: Key, version: u64) -> Change {
    as_it_was(key, "", "#version = :v AND #status = :active", version)
}

/// An update of an account that is active and has `version`; `condition` names both.
pub(super) fn as_it_was(key: Key, update: &str, condition: &'static str, version: u64) -> Change {
    Change::of(key, update, condition)
        .names([("#version", VERSION), ("#status", STATUS)])
        .value(":v", number(version))
        .value(":active", text(AccountStatus::Active.as_str()))
}

/// A new password: whatever was signed in before is not any more.
pub(super) fn change_password(key: Key, hash: &PasswordHash, version: u64, temporary_at: Option<Timestamp>) -> Change {
    const UPDATE: &str = "SET #hash = :h, #must_change = :false, #version = #version + :one REMOVE #issue, #expires_at";
    let condition = match temporary_at {
        Some(_) => "#version = :v AND #status = :active AND #must_change = :true AND #expires_at > :now",
        None => "#version = :v AND #status = :active",
    };
    let change = as_it_was(key, UPDATE, condition, version)
        .names([
            ("#hash", PASSWORD_HASH),
            ("#must_change", MUST_CHANGE),
            ("#issue", ISSUE),
            ("#expires_at", EXPIRES_AT),
        ])
        .value(":h", text(hash.as_phc()))
        .value(":false", boolean(false))
        .value(":one", number(1_u64));
    match temporary_at {
        Some(now) => change.value(":true", boolean(true)).value(":now", time(now)),
        None => change,
    }
}
