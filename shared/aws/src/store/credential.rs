//! The credential item, read and written.

use domain::{
    Company, CompanyId, Credential, Issue, Kind, PersonId, Principal, Retrieval, RetrievalId, SealedPassword,
    SubscriptionId, UserName,
};

use super::{
    item::{Attributes, Item, Reader, binary, binary_set, found, number, text, time},
    names::{
        AT, BY, CHANGED_AT, COMPANY, ENDED_AT, EXPIRES_AT, HANDED_OVER_AT, ID, ISSUE, ISSUED_AT, KIND, Key, NAME, PK,
        PORTAL_USERS, PRODUCT, RETRIEVALS, SEALED_PASSWORD, SEQ, SIGNED_IN_AT, STARTED_AT, USER_NAME, WHO,
        subscription_of,
    },
    transaction::Change,
};
use crate::Failure;

/// A credential as an item, its key included.
pub(super) fn to_item(credential: &Credential) -> Attributes {
    let retrievals =
        credential.retrievals.iter().fold(Item::new(), |map, (id, entry)| map.with(id.as_str(), retrieval(entry)));
    let company = Item::new().with(ID, text(&credential.company.id)).with(NAME, text(&credential.company.name));
    Item::at(Key::credential(&credential.subscription))
        .with(PRODUCT, text(&credential.product))
        .with(COMPANY, company.into_value())
        .with(KIND, text(credential.kind.as_str()))
        .with(USER_NAME, text(&credential.user_name))
        .with(PORTAL_USERS, binary_set(credential.portal_users.iter().map(Principal::as_bytes)))
        .with(ISSUE, number(credential.issue.number()))
        .with_if(SEALED_PASSWORD, credential.sealed_password.as_ref().map(|sealed| binary(sealed.as_bytes())))
        .with(RETRIEVALS, retrievals.into_value())
        .with(STARTED_AT, time(credential.started_at))
        .with(ISSUED_AT, time(credential.issued_at))
        .with(EXPIRES_AT, time(credential.expires_at))
        .with_if(SIGNED_IN_AT, credential.signed_in_at.map(time))
        .with_if(CHANGED_AT, credential.changed_at.map(time))
        .with_if(HANDED_OVER_AT, credential.handed_over_at.map(time))
        .with_if(ENDED_AT, credential.ended_at.map(time))
        .with(SEQ, number(credential.seq))
        .into_map()
}

/// The credential in an item as DynamoDB returned it.
pub(super) fn from_item(item: &Attributes) -> Result<Credential, Failure> {
    let item = Reader(item);
    let company = item.map(COMPANY)?;
    let principals = item.binary_set(PORTAL_USERS)?.iter().map(|bytes| Principal::from_bytes(bytes.as_ref()));
    Ok(Credential {
        subscription: item.parsed(PK, subscription_of)?,
        product: item.text(PRODUCT)?.to_owned(),
        company: Company { id: company.parsed(ID, CompanyId::parse)?, name: company.text(NAME)?.to_owned() },
        kind: item.parsed(KIND, Kind::parse)?,
        user_name: item.parsed(USER_NAME, UserName::parse)?,
        portal_users: found(PORTAL_USERS, principals.collect())?,
        issue: found(ISSUE, Issue::new(item.number(ISSUE)?))?,
        sealed_password: item.optional_binary(SEALED_PASSWORD)?.map(|bytes| SealedPassword::new(bytes.to_vec())),
        retrievals: retrievals(item.map(RETRIEVALS)?)?,
        started_at: item.time(STARTED_AT)?,
        issued_at: item.time(ISSUED_AT)?,
        expires_at: item.time(EXPIRES_AT)?,
        signed_in_at: item.optional_time(SIGNED_IN_AT)?,
        changed_at: item.optional_time(CHANGED_AT)?,
        handed_over_at: item.optional_time(HANDED_OVER_AT)?,
        ended_at: item.optional_time(ENDED_AT)?,
        seq: item.number(SEQ)?,
    })
}

/// What every transaction on a subscription does to its credential: it counts the history on, if nobody else has in between.
pub(super) fn advance(known: &Credential, seq: u64) -> Change {
    Change::of(Key::credential(&known.subscription), "SET #seq = :q2", "#seq = :q")
        .names([("#seq", SEQ)])
        .value(":q", number(known.seq))
        .value(":q2", number(seq))
}

/// One entry of the map of retrievals.
pub(super) fn retrieval(retrieval: &Retrieval) -> aws_sdk_dynamodb::types::AttributeValue {
    let entry = Item::new().with(AT, time(retrieval.at)).with(BY, text(&retrieval.by));
    entry.with(WHO, binary(retrieval.who.as_bytes())).into_value()
}

fn retrievals(map: Reader) -> Result<std::collections::BTreeMap<RetrievalId, Retrieval>, Failure> {
    let entry = |(id, value): (&String, &aws_sdk_dynamodb::types::AttributeValue)| {
        let entry = Reader(found(RETRIEVALS, value.as_m().ok())?);
        let who = found(WHO, PersonId::from_bytes(entry.binary(WHO)?))?;
        let retrieval = Retrieval { at: entry.time(AT)?, by: entry.text(BY)?.to_owned(), who };
        Ok((RetrievalId::from_stored(id.clone()), retrieval))
    };
    map.0.iter().map(entry).collect()
}

/// The id of a subscription in the key of one of its items.
pub(super) fn subscription(item: &Attributes) -> Result<SubscriptionId, Failure> {
    Reader(item).parsed(PK, subscription_of)
}
