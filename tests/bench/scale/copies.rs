//! Copies of the items of a subscription, under other ids.

use std::{collections::BTreeSet, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::{EmailAddress, Principal, Reference};
use serde_json::Value;

use crate::names::address;

/// The number of subscriptions in a batch. One transaction writes it.
const BATCH: usize = 4096;

/// Of so many copies, one is of the settled subscription.
const SETTLED: usize = 10;

/// The items of one subscription, which every copy has under its own names.
pub(crate) struct Pattern {
    /// The items in DynamoDB JSON.
    items: Vec<String>,
    names: Names,
}

/// The texts in the items of a subscription that follow from its id, and the reference of its support request.
type Names = [String; 4];

/// The two subscriptions that are copied: one has only been retrieved; the administrators of the other one have taken over.
pub(crate) struct Patterns {
    pub(crate) retrieved: Pattern,
    pub(crate) settled: Pattern,
}

impl Pattern {
    /// Returns the pattern of a subscription. It has those of `items` whose keys name the subscription: others, such as sessions, are not
    /// kept for long.
    pub(crate) fn new(subscription: &str, items: &[Value]) -> Self {
        let mut own = items.iter().filter(|item| item["subscription_id"]["S"] == subscription);
        let own = own.find_map(|item| item["PK"]["S"].as_str()?.strip_prefix("REFERENCE#"));
        // Without a support request, it is a reference that no item has.
        let names = names(subscription, &own.map_or_else(|| reference(usize::MAX), ToOwned::to_owned));
        let is_named = |key: &Value| key["S"].as_str().is_some_and(|key| names.iter().any(|name| key.contains(name)));
        let items = items.iter().filter(|item| is_named(&item["PK"]) || is_named(&item["SK"]));
        Self { items: items.map(ToString::to_string).collect(), names }
    }

    /// Returns the items of copy `n`.
    pub(crate) fn copy(&self, n: usize) -> Vec<String> {
        let names = names(&id(n), &reference(n));
        let renamed = |item: &String| {
            let both = self.names.iter().zip(&names);
            both.fold(item.clone(), |item, (old, new)| item.replace(old, new))
        };
        self.items.iter().map(renamed).collect()
    }
}

impl Patterns {
    /// Returns the items of `count` copies, in batches.
    pub(crate) fn batches(self: Arc<Self>, count: usize) -> impl Iterator<Item = Vec<String>> + Send + 'static {
        let batch = move |first: usize| {
            let numbers = first..count.min(first + BATCH);
            numbers.flat_map(|n| self.pattern(n).copy(n)).collect::<Vec<_>>()
        };
        (0..count).step_by(BATCH).map(batch)
    }

    fn pattern(&self, n: usize) -> &Pattern {
        if n.is_multiple_of(SETTLED) { &self.settled } else { &self.retrieved }
    }
}

/// Returns the id of copy `n`. All have the same length, in the order of their numbers.
pub(crate) fn id(n: usize) -> String {
    format!("c{n:07}")
}

/// Returns a reference for each number.
fn reference(n: usize) -> String {
    let symbols = std::array::from_fn(|place| {
        let shift = u32::try_from(5 * place).unwrap_or(u32::MAX);
        u8::try_from(n.checked_shr(shift).unwrap_or(0) % 32).unwrap_or(0)
    });
    Reference::from_random(symbols).to_string()
}

/// Returns the principal of the portal user as keys and as attributes have it, the reference, and the id.
fn names(subscription: &str, reference: &str) -> Names {
    let address = EmailAddress::parse(&address(subscription)).expect("every name makes a valid address");
    let principal = Principal::email(&address);
    let in_attributes = BASE64_STANDARD.encode(principal.as_bytes());
    [principal.to_string(), in_attributes, reference.to_owned(), subscription.to_owned()]
}

/// Returns the kinds of the items, and the names of their attributes. A table that was filled with items of other shapes is filled again.
pub(crate) fn shapes(items: &[Value]) -> String {
    let kind = |key: &Value| key["S"].as_str().and_then(|key| key.split('#').next()).unwrap_or_default().to_owned();
    let shape = |item: &Value| {
        let attributes: BTreeSet<_> = item.as_object().into_iter().flatten().map(|(name, _)| name).collect();
        format!("{} {}: {attributes:?}\n", kind(&item["PK"]), kind(&item["SK"]))
    };
    items.iter().map(shape).collect::<BTreeSet<_>>().into_iter().collect()
}
