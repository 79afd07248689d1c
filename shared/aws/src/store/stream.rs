//! Records of the table's stream, as Lambda delivers them: what they tell of a subscription.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{Publication, Retrieval, RetrievalId, SubscriptionId, Transition};
use serde_json::Value;

use super::{
    credential, history,
    item::{Attributes, Reader},
    mail,
    names::{PK, SK, parse_subscription_key},
};
use crate::Failure;

/// A record that cannot be read.
#[derive(Debug)]
pub struct UnreadableRecord {
    /// The key of the item, for the log; nothing of an item that is not about a subscription.
    pub key: Option<String>,
    /// The failure, which names the part that is missing or invalid.
    pub cause: Failure,
}

/// The change of an item.
struct Change {
    subscription: SubscriptionId,
    sort_key: String,
    is_new: bool,
    old: Option<Attributes>,
    new: Attributes,
}

const OPERATION: &str = "stream record";

/// Returns the transitions that a record tells: of a new entry of the history, of new retrievals, or of the status of a welcome mail. Every other
/// record tells none.
pub fn transitions(record: &Value) -> Result<Vec<Transition>, UnreadableRecord> {
    let change = match Change::read(record) {
        Ok(Some(change)) => change,
        Ok(None) => return Ok(Vec::new()),
        Err(cause) => return Err(UnreadableRecord { key: None, cause }),
    };
    let unreadable = |cause| {
        let key = format!("{} {}", change.subscription, change.sort_key);
        UnreadableRecord { key: Some(key), cause }
    };
    change.transitions().map_err(unreadable)
}

impl Change {
    /// Reads a record. `None` for a deletion, and for an item that is no credential, welcome mail or entry of a history.
    fn read(record: &Value) -> Result<Option<Self>, Failure> {
        let change = &record["dynamodb"];
        let key = |name: &'static str| {
            let text = change["Keys"][name]["S"].as_str();
            text.ok_or_else(|| Failure::unreadable(OPERATION, name))
        };
        let (pk, sort_key) = (key(PK)?, key(SK)?);
        let is_told =
            [credential::SORT_KEY, mail::SORT_KEY].contains(&sort_key) || sort_key.starts_with(history::PREFIX);
        let Some(subscription) = parse_subscription_key(pk).filter(|_| is_told) else { return Ok(None) };
        let is_new = match record["eventName"].as_str() {
            Some("INSERT") => true,
            Some("MODIFY") => false,
            Some("REMOVE") => return Ok(None),
            _ => return Err(Failure::unreadable(OPERATION, "eventName")),
        };
        let old = Some(&change["OldImage"]).filter(|image| !image.is_null()).map(attributes).transpose()?;
        let new = attributes(&change["NewImage"])?;
        Ok(Some(Self { subscription, sort_key: sort_key.to_owned(), is_new, old, new }))
    }

    fn transitions(&self) -> Result<Vec<Transition>, Failure> {
        match self.sort_key.as_str() {
            credential::SORT_KEY => self.retrievals(),
            mail::SORT_KEY => Ok(self.mail()?.into_iter().collect()),
            _ if self.is_new => Ok(self.entry()?.into_iter().collect()),
            _ => Ok(Vec::new()),
        }
    }

    fn entry(&self) -> Result<Option<Transition>, Failure> {
        let entry = history::from_item(&self.new)?;
        match Publication::from_code(&entry.what) {
            Publication::Withheld => Ok(None),
            Publication::Unknown => Err(Failure::unreadable(OPERATION, "what")),
            Publication::Published(_) => {
                let transition = Transition::recorded(&self.subscription, entry);
                transition.map(Some).ok_or_else(|| Failure::unreadable(OPERATION, "who"))
            }
        }
    }

    /// Returns the retrievals that the credential did not have before.
    fn retrievals(&self) -> Result<Vec<Transition>, Failure> {
        let issue = credential::issue(Reader(&self.new))?;
        let read = |item: &Attributes| credential::retrievals(Reader(item));
        let before: BTreeMap<RetrievalId, Retrieval> = self.old.as_ref().map(read).transpose()?.unwrap_or_default();
        let now = read(&self.new)?;
        let added = now.iter().filter(|(id, _)| !before.contains_key(id));
        Ok(added.map(|(id, one)| Transition::retrieved(&self.subscription, issue, id, one)).collect())
    }

    /// Returns the transition to the status of the welcome mail, if it is another mail or another status than before.
    fn mail(&self) -> Result<Option<Transition>, Failure> {
        let mail = mail::from_item(&self.new)?;
        let before = self.old.as_ref().map(mail::from_item).transpose()?;
        let is_same = before
            .is_some_and(|before| (before.issue, before.round, before.status) == (mail.issue, mail.round, mail.status));
        Ok(if is_same { None } else { Transition::mailed(&self.subscription, &mail) })
    }
}

/// Reads an image of an item from DynamoDB JSON.
fn attributes(image: &Value) -> Result<Attributes, Failure> {
    let fields = image.as_object().ok_or_else(|| Failure::unreadable(OPERATION, "image"))?;
    fields.iter().map(|(name, value)| Ok((name.clone(), attribute(value)?))).collect()
}

fn attribute(typed: &Value) -> Result<AttributeValue, Failure> {
    let unreadable = || Failure::unreadable(OPERATION, "attribute");
    let (kind, value) = typed.as_object().and_then(|one| one.iter().next()).ok_or_else(unreadable)?;
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(unreadable);
    let bytes = |value: &Value| {
        let decoded = value.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
        decoded.map(Blob::new).ok_or_else(unreadable)
    };
    let list = || value.as_array().ok_or_else(unreadable);
    Ok(match kind.as_str() {
        "S" => AttributeValue::S(text(value)?),
        "N" => AttributeValue::N(text(value)?),
        "B" => AttributeValue::B(bytes(value)?),
        "BOOL" => AttributeValue::Bool(value.as_bool().ok_or_else(unreadable)?),
        "NULL" => AttributeValue::Null(true),
        "M" => AttributeValue::M(attributes(value)?),
        "L" => AttributeValue::L(list()?.iter().map(attribute).collect::<Result<_, _>>()?),
        "SS" => AttributeValue::Ss(list()?.iter().map(text).collect::<Result<_, _>>()?),
        "NS" => AttributeValue::Ns(list()?.iter().map(text).collect::<Result<_, _>>()?),
        "BS" => AttributeValue::Bs(list()?.iter().map(bytes).collect::<Result<_, _>>()?),
        _ => return Err(unreadable()),
    })
}
