//! The history of a subscription: every transaction on the subscription adds what it did, under the next number.

use domain::{
    Account, Actor, ActorRole, Caller, Credential, HistoryCode, HistoryEntry, Issue, Label, Operator, PersonId, Reason,
    Retrieval, SubscriptionId, Timestamp, UserName, WelcomeMail, history::mail_failure,
};

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    item::{Attributes, Item, Reader, binary, boolean, number, required, text, time},
    names::{ACCOUNT, AT, BY, CONFIRMED, DETAIL, ISSUE, Key, SK, WHO},
};
use crate::Failure;

/// The beginning of the sort key of every entry. The number follows.
pub(super) const PREFIX: &str = "EVENT#";

pub(super) const WHAT: &str = "what";

/// Returns the key of the entry with this number.
fn key(subscription: &SubscriptionId, seq: u64) -> Key {
    Key::in_subscription(subscription, sort_key(seq))
}

/// Returns the sort key of the entry with this number. Sort keys are in the order of the numbers.
pub(super) fn sort_key(seq: u64) -> String {
    format!("{PREFIX}{seq:010}")
}

/// Parses the number in the sort key of an entry.
fn parse_sort_key(key: &str) -> Option<u64> {
    key.strip_prefix(PREFIX)?.parse().ok()
}

const ID: &str = "id";
/// Why an operator acted.
pub(super) const REASON: &str = "reason";
const ROLE: &str = "role";

/// The author of what an entry of the history says: the name that people see, and who it is.
pub(super) struct Author {
    by: String,
    /// Whether the name is a confirmed address. Absent for accounts and for the vendor.
    confirmed: Option<bool>,
    who: Actor,
}

impl Author {
    /// Returns the vendor as the author.
    pub(super) fn vendor() -> Self {
        Self { by: ActorRole::Vendor.as_str().to_owned(), confirmed: None, who: Actor::VENDOR }
    }

    fn customer(label: &Label, who: Actor) -> Self {
        Self { by: label.as_stored().to_owned(), confirmed: Some(label.is_confirmed()), who }
    }
}

impl From<&Account> for Author {
    fn from(account: &Account) -> Self {
        Self { by: account.user_name.to_string(), confirmed: None, who: account.into() }
    }
}

impl From<&Caller> for Author {
    fn from(caller: &Caller) -> Self {
        Self::customer(&caller.label(), caller.into())
    }
}

impl From<&Operator> for Author {
    fn from(operator: &Operator) -> Self {
        Self {
            by: operator.label.as_stored().to_owned(),
            confirmed: Some(operator.label.is_confirmed()),
            who: operator.into(),
        }
    }
}

impl From<&Retrieval> for Author {
    fn from(retrieval: &Retrieval) -> Self {
        Self::customer(&retrieval.by, retrieval.into())
    }
}

/// One entry of a subscription's history.
pub(super) struct Entry<'a> {
    what: HistoryCode,
    by: Author,
    at: Timestamp,
    issue: Issue,
    account: Option<&'a UserName>,
    reason: Option<&'a Reason>,
    detail: Option<&'a str>,
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

    /// Adds the failure of the issue's welcome mail, for a transaction that replaces the mail.
    pub(super) fn and_failure_of(self, mail: &WelcomeMail) -> Self {
        let Some(what) = mail_failure(mail.status) else { return self };
        let entry = Entry::new(what, Author::vendor(), mail.at, mail.issue);
        self.and(&match mail.detail {
            Some(detail) => entry.with_detail(detail.as_str()),
            None => entry,
        })
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
    pub(super) fn new(what: HistoryCode, by: impl Into<Author>, at: Timestamp, issue: Issue) -> Self {
        Self { what, by: by.into(), at, issue, account: None, reason: None, detail: None }
    }

    fn retrieved(retrieval: &Retrieval, issue: Issue) -> Self {
        Self::new(HistoryCode::Retrieved, retrieval, retrieval.at, issue)
    }

    /// Adds the account that was changed, where another one made the change.
    pub(super) fn with_account(self, account: &'a UserName) -> Self {
        Self { account: Some(account), ..self }
    }

    /// Adds why an operator acted.
    pub(super) fn with_reason(self, reason: &'a Reason) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// Adds a code that says more about what happened.
    pub(super) fn with_detail(self, detail: &'a str) -> Self {
        Self { detail: Some(detail), ..self }
    }

    pub(super) fn item(&self, subscription: &SubscriptionId, seq: u64) -> Attributes {
        Item::at(key(subscription, seq))
            .with(WHAT, text(self.what.as_str()))
            .with(BY, text(&self.by.by))
            .with_if(CONFIRMED, self.by.confirmed.map(boolean))
            .with(WHO, who(self.by.who))
            .with(AT, time(self.at))
            .with(ISSUE, number(self.issue.number()))
            .with_if(ACCOUNT, self.account.map(text))
            .with_if(REASON, self.reason.map(|reason| text(reason.as_str())))
            .with_if(DETAIL, self.detail.map(text))
            .into_map()
    }
}

/// Returns an actor as an attribute.
fn who(actor: Actor) -> AttributeValue {
    Item::new()
        .with(ROLE, text(actor.role.as_str()))
        .with_if(ID, actor.id.map(|person| binary(person.as_bytes())))
        .into_value()
}

/// Reads an entry from an item.
pub(super) fn from_item(item: &Attributes) -> Result<HistoryEntry, Failure> {
    let seq = Reader(item).parsed(SK, parse_sort_key)?;
    entry(Reader(item), Some(seq), AT)
}

/// Reads what happened from an item that has it under the names of an entry. `at` is the name of its time.
pub(super) fn entry(item: Reader, seq: Option<u64>, at: &'static str) -> Result<HistoryEntry, Failure> {
    let detail = item.optional_text(ACCOUNT).or_else(|| item.optional_text(DETAIL));
    Ok(HistoryEntry {
        seq,
        at: item.time(at)?,
        what: item.text(WHAT)?.to_owned(),
        by: Label::from_stored(item.text(BY)?.to_owned(), item.optional_boolean(CONFIRMED)?),
        who: if item.0.contains_key(WHO) { actor(item.map(WHO)?)? } else { None },
        issue: required(ISSUE, Issue::new(item.number(ISSUE)?))?,
        detail: detail.map(ToOwned::to_owned),
        reason: item.optional_text(REASON).map(ToOwned::to_owned),
    })
}

/// Adds what happened to the item of another entity, so that [`entry`] reads it. The item's own time stays.
pub(super) fn with_entry(item: Item, entry: &HistoryEntry, at: &'static str) -> Item {
    item.with(WHAT, text(&entry.what))
        .with(BY, text(entry.by.as_stored()))
        .with(CONFIRMED, boolean(entry.by.is_confirmed()))
        .with_if(WHO, entry.who.map(who))
        .with_if(ACCOUNT, entry.detail.as_ref().map(text))
        .with(at, time(entry.at))
        .with(ISSUE, number(entry.issue.number()))
}

/// Reads the actor of an entry. `None` for a role of a later release.
fn actor(who: Reader) -> Result<Option<Actor>, Failure> {
    let id = who.optional_binary(ID)?.map(|bytes| required(ID, PersonId::from_bytes(bytes))).transpose()?;
    Ok(ActorRole::parse(who.text(ROLE)?).map(|role| Actor { role, id }))
}
