//! The history of a subscription: every transaction on the subscription adds what it did, under the next number.

use domain::{Credential, Issue, Label, Retrieval, SubscriptionId, Timestamp, UserName};

use super::{
    item::{Attributes, Item, boolean, number, text, time},
    names::{ACCOUNT, AT, BY, CONFIRMED, ISSUE, Key},
};

const WHAT: &str = "what";

/// Returns the key of the entry with this number.
fn key(subscription: &SubscriptionId, seq: u64) -> Key {
    Key::in_subscription(subscription, format!("EVENT#{seq:010}"))
}

/// The vendor's billing system, as the history names it.
pub(super) const VENDOR: &str = "vendor";

/// The author of what an entry of the history says.
#[derive(Clone, Copy)]
pub(super) enum Author<'a> {
    /// The vendor, or an account of the Administration Center, by its name.
    Name(&'a str),
    /// A customer of the portal. The entry keeps whether their address was confirmed.
    Customer(&'a Label),
}

/// One entry of a subscription's history.
pub(super) struct Entry<'a> {
    pub(super) what: &'static str,
    pub(super) by: Author<'a>,
    pub(super) at: Timestamp,
    pub(super) issue: Issue,
    /// The account that was changed, where another one made the change.
    pub(super) account: Option<&'a UserName>,
}

/// Entries that follow those of a subscription.
pub(super) struct Entries<'a> {
    subscription: &'a SubscriptionId,
    seq: u64,
    items: Vec<Attributes>,
}

impl<'a> Entries<'a> {
    pub(super) fn after(known: &'a Credential) -> Self {
        Self { subscription: &known.subscription, seq: known.seq, items: Vec::new() }
    }

    /// Returns the entries of the retrievals of `known`, for a transaction that ends retrieval for its issue. The transaction's condition
    /// asks for as many retrievals as `known` has, so that none is left out. After a sign-in they are in the history already.
    pub(super) fn with_retrievals_of(known: &'a Credential) -> Self {
        let mut entries = Self::after(known);
        if known.signed_in_at.is_none() {
            for retrieval in known.retrievals_in_order() {
                entries = entries.and(&Entry::retrieved(retrieval, known.issue));
            }
        }
        entries
    }

    pub(super) fn and(mut self, entry: &Entry) -> Self {
        self.seq += 1;
        self.items.push(entry.item(self.subscription, self.seq));
        self
    }

    /// Returns the number of the last entry.
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    pub(super) fn into_items(self) -> Vec<Attributes> {
        self.items
    }
}

impl<'a> Entry<'a> {
    fn retrieved(retrieval: &'a Retrieval, issue: Issue) -> Self {
        Self { what: "retrieved", by: Author::Customer(&retrieval.by), at: retrieval.at, issue, account: None }
    }

    pub(super) fn item(&self, subscription: &SubscriptionId, seq: u64) -> Attributes {
        let (by, confirmed) = match self.by {
            Author::Name(name) => (name, None),
            Author::Customer(label) => (label.as_stored(), Some(boolean(label.is_confirmed()))),
        };
        Item::at(key(subscription, seq))
            .with(WHAT, text(self.what))
            .with(BY, text(by))
            .with_if(CONFIRMED, confirmed)
            .with(AT, time(self.at))
            .with(ISSUE, number(self.issue.number()))
            .with_if(ACCOUNT, self.account.map(text))
            .into_map()
    }
}
