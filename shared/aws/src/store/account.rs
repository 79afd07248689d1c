//! The account item: its key, attributes, clauses and writes.

use domain::{
    Account, AccountStatus, ClaimedName, CreatedBy, EmailAddress, Issue, PasswordHash, Role, SubscriptionId, Temporary,
    Timestamp, UserName,
};

use super::{
    condition::{self, Placeholders},
    item::{Attributes, Item, Reader, boolean, number, required, text, time},
    names::{ACCOUNT_ID, EXPIRES_AT, ISSUE, Key, PK, STATUS, SUBSCRIPTION_ID},
    transaction::Change,
};
use crate::Failure;

const PREFIX: &str = "ACCOUNT#";
/// The sort key.
pub(super) const SORT_KEY: &str = "ACCOUNT";

const CREATED_BY: &str = "created_by";
const EMAIL: &str = "email";
const FIRST_SIGNED_IN_AT: &str = "first_signed_in_at";
const MUST_CHANGE: &str = "must_change";
const PASSWORD_HASH: &str = "password_hash";
const ROLE: &str = "role";
const VERSION: &str = "version";

const PLACEHOLDERS: Placeholders = &[
    ("#email", EMAIL),
    ("#expires_at", EXPIRES_AT),
    ("#first", FIRST_SIGNED_IN_AT),
    ("#hash", PASSWORD_HASH),
    ("#issue", ISSUE),
    ("#must_change", MUST_CHANGE),
    ("#status", STATUS),
    ("#subscription", SUBSCRIPTION_ID),
    ("#version", VERSION),
];

/// Neither the password nor the status has changed since the writer read the account.
const VERSION_IS: &str = "#version = :version";
/// The account is neither retired nor closed.
const IS_ACTIVE: &str = "#status = :active";
/// The password is a temporary one.
const IS_TEMPORARY: &str = "#must_change = :true";
/// The password is a chosen one.
const IS_CHOSEN: &str = "#must_change = :false";
/// The temporary password still works.
const NOT_EXPIRED: &str = "#expires_at > :now";
/// The account is one of the subscription.
const BELONGS_TO: &str = "#subscription = :subscription";
/// The administrator has never signed in.
const NEVER_SIGNED_IN: &str = "attribute_not_exists(#first)";

/// Returns the key of the account with this name.
pub(super) fn key(user_name: &UserName) -> Key {
    claimed_key(&user_name.into())
}

/// Returns the key of the account with this name. No item has the key of a name that is not a user name.
pub(super) fn claimed_key(name: &ClaimedName) -> Key {
    Key { pk: format!("{PREFIX}{}", name.as_str()), sk: SORT_KEY.to_owned() }
}

fn parse_key(key: &str) -> Option<UserName> {
    key.strip_prefix(PREFIX).and_then(UserName::parse)
}

/// Returns an account as an item, including its key.
pub(super) fn to_item(account: &Account, email: Option<&EmailAddress>) -> Attributes {
    Item::at(key(&account.user_name))
        .with(ACCOUNT_ID, text(&account.account_id))
        .with(ROLE, text(account.role.as_str()))
        .with_if(EMAIL, email.map(text))
        .with(PASSWORD_HASH, text(account.password_hash.as_phc()))
        .with(MUST_CHANGE, boolean(account.temporary.is_some()))
        .with(STATUS, text(account.status.as_str()))
        .with(VERSION, number(account.version))
        .with(SUBSCRIPTION_ID, text(&account.subscription))
        .with_if(ISSUE, account.temporary.and_then(|temporary| temporary.issue).map(|issue| number(issue.number())))
        .with_if(EXPIRES_AT, account.temporary.map(|temporary| time(temporary.expires_at)))
        .with_if(CREATED_BY, account.created_by.as_ref().map(|click| text(click.as_str())))
        .with_if(FIRST_SIGNED_IN_AT, account.first_signed_in_at.map(time))
        .into_map()
}

/// Reads the account from an item.
pub(super) fn from_item(item: &Attributes) -> Result<Account, Failure> {
    let item = Reader(item);
    let role = item.parsed(ROLE, Role::parse)?;
    let temporary = if item.boolean(MUST_CHANGE)? { Some(temporary(item, role)?) } else { None };
    Ok(Account {
        user_name: item.parsed(PK, parse_key)?,
        account_id: item.text(ACCOUNT_ID)?.to_owned(),
        role,
        password_hash: PasswordHash::from_phc(item.text(PASSWORD_HASH)?.to_owned()),
        temporary,
        status: item.parsed(STATUS, AccountStatus::parse)?,
        version: item.number(VERSION)?,
        subscription: subscription(item)?,
        created_by: item.optional_text(CREATED_BY).map(|text| CreatedBy::from_stored(text.to_owned())),
        first_signed_in_at: item.optional_time(FIRST_SIGNED_IN_AT)?,
    })
}

/// Reads only the address that notices go to, if there is one.
pub(super) fn email(item: &Attributes) -> Option<EmailAddress> {
    Reader(item).optional_text(EMAIL).and_then(EmailAddress::parse)
}

/// The part of an account that notices need.
pub(super) struct NotifiedAccount {
    pub(super) user_name: UserName,
    pub(super) account_id: String,
    pub(super) address: Option<EmailAddress>,
    pub(super) has_signed_in: bool,
}

/// The attributes that [`notified_from_item`] reads.
pub(super) const NOTIFIED_ATTRIBUTES: [&str; 4] = [PK, ACCOUNT_ID, EMAIL, FIRST_SIGNED_IN_AT];

/// Reads the part of an account that notices need.
pub(super) fn notified_from_item(item: &Attributes) -> Result<NotifiedAccount, Failure> {
    let item = Reader(item);
    Ok(NotifiedAccount {
        user_name: item.parsed(PK, parse_key)?,
        account_id: item.text(ACCOUNT_ID)?.to_owned(),
        address: item.optional_text(EMAIL).and_then(EmailAddress::parse),
        has_signed_in: item.optional_time(FIRST_SIGNED_IN_AT)?.is_some(),
    })
}

/// Reads the issue and the expiry of a temporary password. Only the service administrator's is that of an issue.
fn temporary(item: Reader, role: Role) -> Result<Temporary, Failure> {
    let issue = match role {
        Role::ServiceAdministrator => Some(required(ISSUE, Issue::new(item.number(ISSUE)?))?),
        Role::Administrator => None,
    };
    Ok(Temporary { issue, expires_at: item.time(EXPIRES_AT)? })
}

/// Reads only the subscription that the account administers.
pub(super) fn subscription(item: Reader) -> Result<SubscriptionId, Failure> {
    item.parsed(SUBSCRIPTION_ID, SubscriptionId::parse)
}

/// Returns the check that every transaction in a session makes: the session's account must be as it was when the session began.
pub(super) fn unchanged(user_name: &UserName, version: u64) -> Change {
    let change = Change::check(key(user_name), PLACEHOLDERS);
    as_it_was(change, &condition::all([VERSION_IS, IS_ACTIVE]), version)
}

/// Returns the write that records an administrator's first sign-in.
pub(super) fn sign_in_first(account: &Account, now: Timestamp) -> Change {
    let change = Change::new(key(&account.user_name), PLACEHOLDERS, "SET #first = :now").value(":now", time(now));
    as_it_was(change, &condition::all([NEVER_SIGNED_IN, VERSION_IS, IS_ACTIVE]), account.version)
}

/// Returns the write of a chosen password, which ends every session from before. `temporary_at` is the present time where the password
/// so far is a temporary one, which must not have expired.
pub(super) fn change_password(
    user_name: &UserName,
    hash: &PasswordHash,
    version: u64,
    temporary_at: Option<Timestamp>,
) -> Change {
    let update = "REMOVE #issue, #expires_at SET #hash = :hash, #must_change = :false, #version = #version + :one";
    let condition = match temporary_at {
        Some(_) => condition::all([VERSION_IS, IS_ACTIVE, IS_TEMPORARY, NOT_EXPIRED]),
        None => condition::all([VERSION_IS, IS_ACTIVE]),
    };
    let change = Change::new(key(user_name), PLACEHOLDERS, update)
        .value(":hash", text(hash.as_phc()))
        .value(":false", boolean(false))
        .value(":one", number(1_u64));
    let change = as_it_was(change, &condition, version);
    match temporary_at {
        Some(now) => change.value(":true", boolean(true)).value(":now", time(now)),
        None => change,
    }
}

/// Adds an administrator's first sign-in to the write of the password that they choose. Nothing asks whether there was one before: each
/// would need a chosen password, and the version says that the password is still the temporary one.
pub(super) fn with_first_sign_in(change: Change, now: Timestamp) -> Change {
    change.and(", #first = :first").value(":first", time(now))
}

/// Returns the write that gives an administrator the temporary password of `next`, which works until `expires_at`, and opens an account that
/// was closed.
pub(super) fn reset(known: &Account, next: &Account, expires_at: Timestamp) -> Change {
    let update = "SET #hash = :hash, #must_change = :true, #status = :status, #expires_at = :expires, \
                  #version = #version + :one";
    Change::new(key(&known.user_name), PLACEHOLDERS, update)
        .only_if(VERSION_IS)
        .value(":version", number(known.version))
        .value(":hash", text(next.password_hash.as_phc()))
        .value(":true", boolean(true))
        .value(":status", text(next.status.as_str()))
        .value(":expires", time(expires_at))
        .value(":one", number(1_u64))
}

/// Returns the write that closes an account: it gives it the status of `next`, and ends its sessions.
pub(super) fn remove(known: &Account, next: &Account) -> Change {
    let change = Change::new(key(&known.user_name), PLACEHOLDERS, "SET #status = :status, #version = #version + :one")
        .value(":status", text(next.status.as_str()))
        .value(":one", number(1_u64));
    as_it_was(change, &condition::all([VERSION_IS, IS_ACTIVE]), known.version)
}

/// Adds a condition that names [`VERSION_IS`] and [`IS_ACTIVE`].
fn as_it_was(change: Change, condition: &str, version: u64) -> Change {
    change.only_if(condition).value(":version", number(version)).value(":active", text(AccountStatus::Active.as_str()))
}

/// Returns the write that retires the service administrator, if the password is a chosen one, and ends its sessions.
pub(super) fn retire(user_name: &UserName) -> Change {
    Change::new(key(user_name), PLACEHOLDERS, "SET #status = :retired, #version = #version + :one")
        .only_if(&condition::all([IS_ACTIVE, IS_CHOSEN]))
        .value(":false", boolean(false))
        .value(":retired", text(AccountStatus::Retired.as_str()))
        .value(":active", text(AccountStatus::Active.as_str()))
        .value(":one", number(1_u64))
}

/// Returns the write that replaces the password of `known` by the temporary password of `next`, which is that of `issue`.
pub(super) fn next_issue(known: &Account, next: &Account, issue: Issue, expires_at: Timestamp) -> Change {
    let update = "SET #hash = :hash, #must_change = :true, #status = :status, #issue = :issue, #expires_at = :expires, \
                  #version = :next_version";
    Change::new(key(&known.user_name), PLACEHOLDERS, update)
        .only_if(VERSION_IS)
        .value(":version", number(known.version))
        .value(":next_version", number(next.version))
        .value(":hash", text(next.password_hash.as_phc()))
        .value(":true", boolean(true))
        .value(":status", text(next.status.as_str()))
        .value(":issue", number(issue.number()))
        .value(":expires", time(expires_at))
}

/// Returns the write that closes the service administrator's account `known`, whatever its status, because its subscription has ended.
pub(super) fn close(known: &Account) -> Change {
    closing(&known.user_name).only_if(VERSION_IS).value(":version", number(known.version))
}

/// Returns the write that closes an active account, because its subscription has ended.
pub(super) fn close_active(user_name: &UserName) -> Change {
    closing(user_name).only_if(IS_ACTIVE).value(":active", text(AccountStatus::Active.as_str()))
}

fn closing(user_name: &UserName) -> Change {
    Change::new(key(user_name), PLACEHOLDERS, "SET #status = :closed, #version = #version + :one")
        .value(":closed", text(AccountStatus::Closed.as_str()))
        .value(":one", number(1_u64))
}

/// Returns the check that an account is one of `subscription`.
pub(super) fn belongs_to(user_name: &UserName, subscription: &SubscriptionId) -> Change {
    Change::check(key(user_name), PLACEHOLDERS).only_if(BELONGS_TO).value(":subscription", text(subscription))
}

/// Adds the address that notices go to.
pub(super) fn with_address(change: Change, address: &EmailAddress) -> Change {
    change.and(", #email = :email").value(":email", text(address))
}
