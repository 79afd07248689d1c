//! The people of a subscription: portal users and administrators.

use aws::{DeskAccount, DeskPortalUser, DeskSubscription};
use domain::{AccountStatus, EmailAddress, PortalUser, Timestamp, UserName};
use page::Filled;

use super::Frame;

/// A portal user.
pub(super) struct User {
    /// The name in the path of a removal.
    pub(super) principal: String,
    pub(super) name: String,
    /// Whether the name is an address, which browsers must not translate.
    pub(super) is_address: bool,
    pub(super) added_at: Option<Timestamp>,
    /// The other ways in that the same person may still have after a removal.
    pub(super) others: Vec<String>,
}

/// An account of the Administration Center.
pub(super) struct Administrator {
    pub(super) user_name: UserName,
    pub(super) display_name: String,
    pub(super) email: Option<String>,
    /// The sentence about the last sign-in.
    pub(super) last: Filled,
    /// Why the account cannot be used.
    pub(super) shut: Option<&'static str>,
    /// Whether failures have closed the account, so that it can be unlocked.
    pub(super) closed: bool,
}

/// Returns the portal users, in the order in which they were added.
pub(super) fn portal_users(found: &DeskSubscription, f: &Frame) -> Vec<User> {
    let user = |(n, user): (usize, &DeskPortalUser)| User {
        principal: user.principal.to_string(),
        name: name(user.given.as_ref(), f),
        is_address: user.given.as_ref().is_some_and(|given| given.address().is_some()),
        added_at: user.added_at,
        others: others(found, n, f),
    };
    found.portal_users.iter().enumerate().map(user).collect()
}

/// Returns the name of a portal user as operators see it.
pub(super) fn name(user: Option<&PortalUser>, f: &Frame) -> String {
    match user {
        Some(PortalUser::Address(address)) => address.to_string(),
        Some(PortalUser::Subject { issuer, subject }) => {
            words::fill(f.w.desk_user_subject, &[("subject", subject), ("issuer", issuer)])
        }
        Some(PortalUser::Organization { issuer, organization }) => {
            words::fill(f.w.desk_user_organization, &[("organization", organization), ("issuer", issuer)])
        }
        None => f.w.desk_user_unknown.to_owned(),
    }
}

/// Returns the other ways in that the `n`th portal user may have. An account at a provider may belong to any person, and an organisation may
/// have any member; an address may be the same mailbox, or that of an administrator.
fn others(found: &DeskSubscription, n: usize, f: &Frame) -> Vec<String> {
    let removed = found.portal_users.get(n).and_then(|user| user.given.as_ref());
    let address = removed.and_then(PortalUser::address);
    // Whose account at a provider it is, and who belongs to an organisation, only the provider knows.
    let is_other_way = |given: Option<&PortalUser>| match (address, given) {
        (Some(own), Some(PortalUser::Address(other))) => is_same_mailbox(own, other),
        (_, _) => true,
    };
    let users = found.portal_users.iter().enumerate().filter(|(other, _)| *other != n);
    let users = users.map(|(_, user)| user.given.as_ref()).filter(|given| is_other_way(*given));
    let mut all: Vec<String> = users.map(|given| name(given, f)).collect();
    let administrators = accounts(found).filter(|account| account.status == AccountStatus::Active);
    let same = administrators.filter(|account| match (address, &account.email) {
        (Some(own), Some(email)) => is_same_mailbox(own, email),
        _ => false,
    });
    all.extend(same.map(|account| account.user_name.to_string()));
    all
}

/// Returns whether two addresses are one mailbox.
fn is_same_mailbox(one: &EmailAddress, other: &EmailAddress) -> bool {
    let twin = one.gmail_twin();
    std::iter::once(one).chain(&twin).any(|one| one.comparable() == other.comparable())
}

/// Returns the accounts of a subscription, the service administrator's first.
fn accounts(found: &DeskSubscription) -> impl Iterator<Item = &DeskAccount> {
    std::iter::once(&found.service_administrator).chain(found.administrators.iter().map(|one| &one.account))
}

/// Returns the service administrator and the administrators, in the order in which they were created.
pub(super) fn administrators(found: &DeskSubscription, f: &Frame) -> Vec<Administrator> {
    let service = Administrator::new(&found.service_administrator, f.w.desk_service_administrator, f);
    let others = found.administrators.iter().map(|one| Administrator::new(&one.account, &one.display_name, f));
    std::iter::once(service).chain(others).collect()
}

impl Administrator {
    /// Returns the user name as a path has it.
    pub(super) fn path_name(&self) -> String {
        super::encoded(self.user_name.as_str())
    }

    fn new(account: &DeskAccount, display_name: &str, f: &Frame) -> Self {
        let w = f.w;
        let last = account.last_signed_in_at;
        Self {
            user_name: account.user_name.clone(),
            display_name: display_name.to_owned(),
            email: account.email.as_ref().map(ToString::to_string),
            last: last.map_or_else(|| f.literally(w.desk_never_signed_in, ""), |at| f.at(w.desk_last_signed_in, &at)),
            shut: match account.status {
                AccountStatus::Active => account.closed.then_some(w.desk_account_locked),
                AccountStatus::Retired => Some(w.desk_account_retired),
                AccountStatus::Closed => Some(w.desk_account_closed),
            },
            closed: account.closed && account.status == AccountStatus::Active,
        }
    }
}
