//! The credential item: its key, attributes, clauses and writes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Caller, Company, CompanyId, Credential, Issue, Kind, Label, PersonId, Principal, Retrieval, RetrievalId,
    SealedPassword, SubscriptionId, Timestamp, UserName, credential::RETRIEVALS_PER_ISSUE, issuing::RENEWALS,
};

use super::{
    condition::{self, ITEM_EXISTS, Placeholders},
    item::{Attributes, Item, Reader, binary, binary_set, boolean, number, required, text, time},
    names::{AT, BY, CONFIRMED, EXPIRES_AT, ISSUE, Key, PK, USER_NAME, WHO, parse_subscription_key},
    transaction::Change,
};
use crate::Failure;

/// The sort key.
pub(super) const SORT_KEY: &str = "CREDENTIAL";

pub(super) const CHANGED_AT: &str = "changed_at";
const CLOSED_AT: &str = "closed_at";
const COMPANY: &str = "company";
const ENDED_AT: &str = "ended_at";
pub(super) const HANDED_OVER_AT: &str = "handed_over_at";
const ID: &str = "id";
const ISSUED_AT: &str = "issued_at";
const KIND: &str = "kind";
const NAME: &str = "name";
const PORTAL_USERS: &str = "portal_users";
const PRODUCT: &str = "product";
const PURGING_UNTIL: &str = "purging_until";
const RENEWAL_COUNT: &str = "renewals";
const RENEWED_AT: &str = "renewed_at";
const RETRIEVALS: &str = "retrievals";
const SEALED_PASSWORD: &str = "sealed_password";
const SEQ: &str = "seq";
pub(super) const SIGNED_IN_AT: &str = "signed_in_at";
const STARTED_AT: &str = "started_at";

pub(super) const PLACEHOLDERS: Placeholders = &[
    ("#changed", CHANGED_AT),
    ("#closed", CLOSED_AT),
    ("#company", COMPANY),
    ("#ended", ENDED_AT),
    ("#exp", EXPIRES_AT),
    ("#handed_over", HANDED_OVER_AT),
    ("#issue", ISSUE),
    ("#issued", ISSUED_AT),
    ("#kind", KIND),
    ("#product", PRODUCT),
    ("#pu", PORTAL_USERS),
    ("#purging", PURGING_UNTIL),
    ("#renewals", RENEWAL_COUNT),
    ("#renewed", RENEWED_AT),
    ("#ret", RETRIEVALS),
    ("#sealed", SEALED_PASSWORD),
    ("#seq", SEQ),
    ("#signed_in", SIGNED_IN_AT),
    ("#started", STARTED_AT),
];

/// The item has the issue that the writer expects. Otherwise: `Refusal::Unexplained` for a retrieval, and a lost race for the others.
pub(super) const ISSUE_IS: &str = "#issue = :issue";
/// `Credential::disclosable`.
const PASSWORD_IS_SEALED: &str = "attribute_exists(#sealed)";
/// `ReasonCode::Expired`.
const NOT_EXPIRED: &str = "#exp > :now";
/// `ReasonCode::AdministratorSignedIn`.
const NOT_SIGNED_IN: &str = "attribute_not_exists(#signed_in)";
/// `ReasonCode::AdministratorChangedPassword`.
const NOT_CHANGED: &str = "attribute_not_exists(#changed)";
/// `ReasonCode::SubscriptionEnded` for a retrieval, and a lost race for every transaction on the subscription, which reads again and finds
/// the end.
pub(super) const NOT_ENDED: &str = "attribute_not_exists(#ended)";
/// `Refusal::SameClick` or `Refusal::ClickTooOld`.
const CLICK_IS_NEW: &str = "attribute_not_exists(#ret.#rid)";
/// `ReasonCode::RetrievedThreeTimes`.
const RETRIEVALS_ARE_LEFT: &str = "size(#ret) < :three";
/// No other transaction has added to the history since the writer read the item. Otherwise: a lost race.
pub(super) const SEQ_IS: &str = "#seq = :seq";
/// No retrieval was counted since the writer read the item. Otherwise: a lost race.
pub(super) const RETRIEVALS_ARE_AS_READ: &str = "size(#ret) = :retrievals";
/// The temporary password does not work any more. Otherwise: `RenewalDecision::Refused`, like the next three.
const EXPIRED: &str = "#exp <= :now";
/// No administrator was ever created.
const NOT_HANDED_OVER: &str = "attribute_not_exists(#handed_over)";
/// Portal users have started fewer issues than they may.
const NEVER_RENEWED: &str = "attribute_not_exists(#renewals)";
const RENEWALS_ARE_LEFT: &str = "#renewals < :most_renewals";

/// Returns the key of a subscription's credential.
pub(super) fn key(subscription: &SubscriptionId) -> Key {
    Key::in_subscription(subscription, SORT_KEY)
}

/// Returns a credential as an item, including its key.
pub(super) fn to_item(credential: &Credential) -> Attributes {
    let retrievals =
        credential.retrievals.iter().fold(Item::new(), |map, (id, entry)| map.with(id.as_str(), retrieval(entry)));
    Item::at(key(&credential.subscription))
        .with(PRODUCT, text(&credential.product))
        .with(COMPANY, company(&credential.company))
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
        .with_if(CLOSED_AT, credential.closed_at.map(time))
        .with_if(PURGING_UNTIL, credential.purging_until.map(time))
        .with_if(RENEWAL_COUNT, (credential.renewals > 0).then(|| number(credential.renewals)))
        .with_if(RENEWED_AT, credential.renewed_at.map(time))
        .with(SEQ, number(credential.seq))
        .into_map()
}

/// Returns a company as an attribute.
pub(super) fn company(company: &Company) -> AttributeValue {
    Item::new().with(ID, text(&company.id)).with(NAME, text(&company.name)).into_value()
}

/// Reads the credential from an item.
pub(super) fn from_item(item: &Attributes) -> Result<Credential, Failure> {
    let item = Reader(item);
    let company = item.map(COMPANY)?;
    let principals = item.binary_set(PORTAL_USERS)?.iter().map(|bytes| Principal::from_bytes(bytes.as_ref()));
    Ok(Credential {
        subscription: item.parsed(PK, parse_subscription_key)?,
        product: item.text(PRODUCT)?.to_owned(),
        company: Company { id: company.parsed(ID, CompanyId::parse)?, name: company.text(NAME)?.to_owned() },
        kind: item.parsed(KIND, Kind::parse)?,
        user_name: item.parsed(USER_NAME, UserName::parse)?,
        portal_users: required(PORTAL_USERS, principals.collect())?,
        issue: issue(item)?,
        sealed_password: item.optional_binary(SEALED_PASSWORD)?.map(|bytes| SealedPassword::new(bytes.to_vec())),
        retrievals: retrievals(item)?,
        started_at: item.time(STARTED_AT)?,
        issued_at: item.time(ISSUED_AT)?,
        expires_at: item.time(EXPIRES_AT)?,
        signed_in_at: item.optional_time(SIGNED_IN_AT)?,
        changed_at: item.optional_time(CHANGED_AT)?,
        handed_over_at: item.optional_time(HANDED_OVER_AT)?,
        ended_at: item.optional_time(ENDED_AT)?,
        closed_at: item.optional_time(CLOSED_AT)?,
        purging_until: item.optional_time(PURGING_UNTIL)?,
        renewals: item.optional_number(RENEWAL_COUNT)?.unwrap_or_default(),
        renewed_at: item.optional_time(RENEWED_AT)?,
        seq: item.number(SEQ)?,
    })
}

/// Reads the issue of a credential.
pub(super) fn issue(item: Reader) -> Result<Issue, Failure> {
    required(ISSUE, Issue::new(item.number(ISSUE)?))
}

/// Reads the retrievals of a credential.
pub(super) fn retrievals(item: Reader) -> Result<BTreeMap<RetrievalId, Retrieval>, Failure> {
    let entry = |(id, value): (&String, &AttributeValue)| {
        let entry = Reader(required(RETRIEVALS, value.as_m().ok())?);
        let who = required(WHO, PersonId::from_bytes(entry.binary(WHO)?))?;
        let by = Label::from_stored(entry.text(BY)?.to_owned(), entry.optional_boolean(CONFIRMED)?);
        let retrieval = Retrieval { at: entry.time(AT)?, by, who };
        Ok((RetrievalId::from_stored(id.clone()), retrieval))
    };
    item.map(RETRIEVALS)?.0.iter().map(entry).collect()
}

/// Returns the write that counts a retrieval of the issue `asked`, if the password may be shown to `caller` and `click` is new.
pub(super) fn count_retrieval(
    subscription: &SubscriptionId,
    asked: Issue,
    click: &RetrievalId,
    caller: &Caller,
    now: Timestamp,
) -> Change {
    let principals = caller.principals();
    let change = Change::new(key(subscription), PLACEHOLDERS, "SET #ret.#rid = :retrieval")
        .only_if(&may_be_retrieved(principals.len()))
        .returning_item()
        .name("#rid", click.as_str())
        .value(":retrieval", retrieval(&Retrieval::new(caller, now)))
        .value(":issue", number(asked.number()))
        .value(":now", time(now))
        .value(":three", number(RETRIEVALS_PER_ISSUE as u64));
    with_principals(change, &principals)
}

/// Returns the condition of a retrieval. `domain::Credential::judge_refusal` says what its refusal means.
fn may_be_retrieved(principals: usize) -> String {
    condition::all([
        ISSUE_IS,
        PASSWORD_IS_SEALED,
        NOT_EXPIRED,
        NOT_SIGNED_IN,
        NOT_CHANGED,
        NOT_ENDED,
        &is_portal_user(principals),
        CLICK_IS_NEW,
        RETRIEVALS_ARE_LEFT,
    ])
}

/// Returns the clause that holds for a portal user, who has this many principals. Otherwise: `Refusal::NotAPortalUser`.
fn is_portal_user(principals: usize) -> String {
    let principals: Vec<String> = (0..principals).map(|n| format!("contains(#pu, :p{n})")).collect();
    condition::any(&principals)
}

/// Adds the principals that [`is_portal_user`] names.
fn with_principals(change: Change, principals: &[Principal]) -> Change {
    let numbered = principals.iter().enumerate();
    numbered.fold(change, |change, (n, principal)| change.value(format!(":p{n}"), binary(principal.as_bytes())))
}

/// Returns the write that every transaction on a subscription makes to the credential: it moves the number of the last history entry to
/// `seq`, unless another transaction has moved it since `known` was read, or the subscription has ended.
pub(super) fn advance(known: &Credential, seq: u64) -> Change {
    advance_only_if(known, seq, "SET #seq = :next_seq", SEQ_IS)
}

/// Returns the check that a subscription has not ended, for a transaction that is not one on the subscription.
pub(super) fn not_ended(subscription: &SubscriptionId) -> Change {
    Change::check(key(subscription), PLACEHOLDERS).only_if(&condition::all([ITEM_EXISTS, NOT_ENDED]))
}

/// Returns the write of the transactions that an ended subscription takes too, since they give no access to anything: a support request, and
/// a decision with which nothing is carried out.
pub(super) fn note(known: &Credential, seq: u64) -> Change {
    advance_even_if_ended(known, seq, "SET #seq = :next_seq").only_if(SEQ_IS)
}

fn advance_only_if(known: &Credential, seq: u64, update: &str, condition: &str) -> Change {
    advance_even_if_ended(known, seq, update).only_if(condition).only_if(NOT_ENDED)
}

/// Returns the write of a transaction on a subscription that may have ended. Its condition has [`SEQ_IS`].
pub(super) fn advance_even_if_ended(known: &Credential, seq: u64, update: &str) -> Change {
    Change::new(key(&known.subscription), PLACEHOLDERS, update)
        .value(":seq", number(known.seq))
        .value(":next_seq", number(seq))
}

/// Returns the write that ends the disclosure of the password at the first sign-in with it.
pub(super) fn end_retrieval(known: &Credential, seq: u64, now: Timestamp) -> Change {
    let update = "SET #signed_in = :now, #seq = :next_seq REMOVE #sealed";
    let as_read = condition::all([ISSUE_IS, NOT_SIGNED_IN, SEQ_IS, RETRIEVALS_ARE_AS_READ]);
    advance_only_if(known, seq, update, &as_read)
        .value(":now", time(now))
        .value(":issue", number(known.issue.number()))
        .value(":retrievals", number(known.retrievals.len() as u64))
}

/// Returns the write that records the choice of a password in the place of the temporary one of `issue`.
pub(super) fn change_password(known: &Credential, seq: u64, issue: Issue, now: Timestamp) -> Change {
    advance(known, seq)
        .only_if(ISSUE_IS)
        .and(", #changed = :now REMOVE #sealed")
        .value(":now", time(now))
        .value(":issue", number(issue.number()))
}

/// Returns the write that records that the service administrator has created the first administrator of the issue.
pub(super) fn hand_over(known: &Credential, seq: u64, at: Timestamp) -> Change {
    advance(known, seq).and(", #handed_over = :at").value(":at", time(at))
}

/// Returns the write of an administrator who removes the service administrator: the password is not shown any more, and works until `at`. Its
/// retrievals stay in the map, so that the portal shows them, and the next issue copies them into the history.
pub(super) fn withdraw(known: &Credential, seq: u64, at: Timestamp) -> Change {
    advance(known, seq).and(", #exp = :at REMOVE #sealed").value(":at", time(at))
}

/// Returns the write of what `extended` adds to `known`: its kind and its portal users.
pub(super) fn extend(known: &Credential, extended: &Credential, seq: u64) -> Change {
    let change = advance(known, seq).and(", #kind = :kind").value(":kind", text(extended.kind.as_str()));
    add_portal_users(known, extended, change)
}

/// Returns the write of an order to send the welcome mail again, whose password must still be of use.
pub(super) fn resend(known: &Credential, seq: u64, now: Timestamp) -> Change {
    advance(known, seq)
        .only_if(&condition::all([ISSUE_IS, PASSWORD_IS_SEALED, NOT_EXPIRED, NOT_SIGNED_IN, NOT_CHANGED]))
        .value(":issue", number(known.issue.number()))
        .value(":now", time(now))
}

/// Returns the write that replaces the issue of `known` by that of `next`, if nothing has changed since `known` was read.
pub(super) fn next_issue(known: &Credential, next: &Credential, seq: u64) -> Result<Change, Failure> {
    let update = "REMOVE #signed_in, #changed, #renewed SET #issue = :next_issue, #sealed = :sealed, \
                  #ret = :no_retrievals, #issued = :issued, #exp = :expires, #kind = :kind, #seq = :next_seq";
    let change = replace_issue(known, next, seq, update)?.value(":kind", text(next.kind.as_str()));
    Ok(add_portal_users(known, next, change))
}

/// Returns the write of a renewal: it replaces the issue of `known`, which has expired, by that of `next`, for `caller`.
pub(super) fn renew(
    known: &Credential,
    next: &Credential,
    seq: u64,
    caller: &Caller,
    now: Timestamp,
) -> Result<Change, Failure> {
    let update = "REMOVE #signed_in, #changed SET #issue = :next_issue, #sealed = :sealed, #ret = :no_retrievals, \
                  #issued = :issued, #exp = :expires, #renewed = :now, #renewals = :renewals, #seq = :next_seq";
    let principals = caller.principals();
    let is_portal_user = is_portal_user(principals.len());
    let renewals_are_left = condition::any(&[NEVER_RENEWED, RENEWALS_ARE_LEFT]);
    let may_be_renewed = condition::all([
        EXPIRED,
        NOT_CHANGED,
        NOT_HANDED_OVER,
        RETRIEVALS_ARE_LEFT,
        &is_portal_user,
        &renewals_are_left,
    ]);
    let change = replace_issue(known, next, seq, update)?
        .only_if(&may_be_renewed)
        .value(":now", time(now))
        .value(":three", number(RETRIEVALS_PER_ISSUE as u64))
        .value(":renewals", number(next.renewals))
        .value(":most_renewals", number(RENEWALS));
    Ok(with_principals(change, &principals))
}

/// Returns the write of a reissue: it replaces the issue of `known` by that of `next`, and the portal users.
pub(super) fn reissue(known: &Credential, next: &Credential, seq: u64) -> Result<Change, Failure> {
    let update = "REMOVE #signed_in, #changed, #renewed SET #issue = :next_issue, #sealed = :sealed, \
                  #ret = :no_retrievals, #issued = :issued, #exp = :expires, #seq = :next_seq";
    Ok(replace_portal_users(known, next, replace_issue(known, next, seq, update)?))
}

/// Returns the write that gives the subscription the portal users of `next`.
pub(super) fn change_portal_users(known: &Credential, next: &Credential, seq: u64) -> Change {
    replace_portal_users(known, next, advance(known, seq))
}

/// Adds the portal users of `next`. An update cannot add to a set and delete from it, so the set is written whole; the number of the last
/// entry guards it.
fn replace_portal_users(known: &Credential, next: &Credential, change: Change) -> Change {
    if known.portal_users == next.portal_users {
        return change;
    }
    change.and(", #pu = :pu").value(":pu", binary_set(next.portal_users.iter().map(Principal::as_bytes)))
}

/// Returns a write that replaces the issue of `known` by that of `next`, if nothing has changed since `known` was read.
fn replace_issue(known: &Credential, next: &Credential, seq: u64, update: &str) -> Result<Change, Failure> {
    let as_read = condition::all([ISSUE_IS, SEQ_IS, RETRIEVALS_ARE_AS_READ]);
    with_next_issue(advance_only_if(known, seq, update, &as_read), known, next)
}

/// Adds the issue of `next`, and the values of a condition that names [`ISSUE_IS`] and [`RETRIEVALS_ARE_AS_READ`].
pub(super) fn with_next_issue(change: Change, known: &Credential, next: &Credential) -> Result<Change, Failure> {
    let sealed = required(SEALED_PASSWORD, next.sealed_password.as_ref())?;
    Ok(change
        .value(":issue", number(known.issue.number()))
        .value(":retrievals", number(known.retrievals.len() as u64))
        .value(":next_issue", number(next.issue.number()))
        .value(":sealed", binary(sealed.as_bytes()))
        .value(":no_retrievals", Item::new().into_value())
        .value(":issued", time(next.issued_at))
        .value(":expires", time(next.expires_at)))
}

/// Adds the portal users of `next` that `known` lacks. DynamoDB cannot add an empty set.
fn add_portal_users(known: &Credential, next: &Credential, change: Change) -> Change {
    let added: BTreeSet<&Principal> = next.portal_users.difference(&known.portal_users).collect();
    if added.is_empty() {
        return change;
    }
    change.and(" ADD #pu :pu").value(":pu", binary_set(added.into_iter().map(Principal::as_bytes)))
}

/// Returns one entry of the map of retrievals.
fn retrieval(retrieval: &Retrieval) -> AttributeValue {
    Item::new()
        .with(AT, time(retrieval.at))
        .with(BY, text(retrieval.by.as_stored()))
        .with(CONFIRMED, boolean(retrieval.by.is_confirmed()))
        .with(WHO, binary(retrieval.who.as_bytes()))
        .into_value()
}
