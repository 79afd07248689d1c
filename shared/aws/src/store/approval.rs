//! The approval item, of which a subscription has one, and its copy, which lists it while it is pending: their keys, attributes, clauses and
//! writes.

use domain::{
    Approval, ApprovalId, ApprovalOutcome, Decision, DeskAct, EmailAddress, Issue, Label, Operator, PersonId, Reason,
    SeenState, SubscriptionId, Timestamp,
};

use super::{
    condition::{self, ITEM_IS_NEW, Placeholders},
    credential::{CHANGED_AT, HANDED_OVER_AT, SIGNED_IN_AT},
    history::{REASON, WHAT},
    item::{Attributes, Item, Reader, binary, boolean, number, required, text, time},
    names::{AT, EXPIRES_AT, ISSUE, Key, SUBSCRIPTION_ID, TTL},
    portal_user,
    transaction::Change,
};
use crate::Failure;

/// The sort key of a subscription's approval.
pub(super) const SORT_KEY: &str = "APPROVAL";

/// The partition of the copies of all pending approvals. Those that have expired may still be there.
pub(super) const LIST_KEY: &str = "DESK#APPROVALS";

const ASKED_BY: &str = "asked_by";
const ASKER: &str = "asker";
const DECIDED_AT: &str = "decided_at";
const DECIDED_BY: &str = "decided_by";
const DECIDER: &str = "decider";
const ID: &str = "id";
const KEEPS_OLD_ADDRESS: &str = "keeps_old_address";
const NOT_BEFORE: &str = "not_before";
const ON_FILE: &str = "on_file";
const OUTCOME: &str = "outcome";
const TO: &str = "to";

const PLACEHOLDERS: Placeholders = &[
    ("#asker", ASKER),
    ("#decided_at", DECIDED_AT),
    ("#decided_by", DECIDED_BY),
    ("#decider", DECIDER),
    ("#expires", EXPIRES_AT),
    ("#id", ID),
    ("#not_before", NOT_BEFORE),
    ("#outcome", OUTCOME),
];

/// The approval is the one that the operator decides on. Otherwise: a lost race, and then `not-found`.
const ID_IS: &str = "#id = :id";
/// The approval has no decision. Otherwise: `DecisionRefusal::AlreadyDecided`.
const NOT_DECIDED: &str = "attribute_not_exists(#outcome)";
/// The approval can still be decided. Otherwise: `DecisionRefusal::Expired`.
const NOT_EXPIRED: &str = "#expires > :now";
/// Another operator asked for the approval. Otherwise: `DecisionRefusal::OwnRequest`.
const ASKED_BY_ANOTHER: &str = "#asker <> :decider";
/// The approval can be given. Otherwise: `DecisionRefusal::TooEarly`.
const MAY_BE_GIVEN: &str = "#not_before <= :now";
/// The approval is decided, so that another one may be asked for.
const DECIDED: &str = "attribute_exists(#outcome)";
/// The approval was not decided in its time, so that another one may be asked for.
const EXPIRED: &str = "#expires <= :now";

/// Returns the key of a subscription's approval.
pub(super) fn key(subscription: &SubscriptionId) -> Key {
    Key::in_subscription(subscription, SORT_KEY)
}

/// Returns the key of the copy of an approval. No subscription id has a dot.
pub(super) fn copy_key(subscription: &SubscriptionId, id: &ApprovalId) -> Key {
    Key { pk: LIST_KEY.to_owned(), sk: format!("{subscription}.{id}") }
}

/// Returns an approval as an item, including its key.
pub(super) fn to_item(approval: &Approval) -> Attributes {
    with_approval(Item::at(key(&approval.subscription)), approval).into_map()
}

/// Returns the copy of an approval as an item, including its key.
pub(super) fn copy_to_item(approval: &Approval) -> Attributes {
    let copy = Item::at(copy_key(&approval.subscription, &approval.id));
    with_approval(copy, approval).with(TTL, time(approval.expires_at)).into_map()
}

fn with_approval(item: Item, approval: &Approval) -> Item {
    let (seen, decision) = (&approval.seen, approval.decision.as_ref());
    with_act(item, &approval.act)
        .with(SUBSCRIPTION_ID, text(&approval.subscription))
        .with(ID, text(&approval.id))
        .with(ISSUE, number(seen.issue.number()))
        .with(ON_FILE, text(&seen.email))
        .with_if(SIGNED_IN_AT, seen.signed_in_at.map(time))
        .with_if(CHANGED_AT, seen.changed_at.map(time))
        .with_if(HANDED_OVER_AT, seen.handed_over_at.map(time))
        .with(ASKED_BY, text(approval.asked_by.label.as_stored()))
        .with(ASKER, binary(approval.asked_by.person.as_bytes()))
        .with(REASON, text(approval.reason.as_str()))
        .with(AT, time(approval.asked_at))
        .with(NOT_BEFORE, time(approval.not_before))
        .with(EXPIRES_AT, time(approval.expires_at))
        .with_if(OUTCOME, decision.map(|decision| text(decision.outcome.as_str())))
        .with_if(DECIDED_BY, decision.map(|decision| text(decision.by.label.as_stored())))
        .with_if(DECIDER, decision.map(|decision| binary(decision.by.person.as_bytes())))
        .with_if(DECIDED_AT, decision.map(|decision| time(decision.at)))
}

fn with_act(item: Item, act: &DeskAct) -> Item {
    let item = item.with(WHAT, text(act.code()));
    match act {
        DeskAct::Reissue { email, keeps_old_address } => {
            item.with_if(TO, email.as_ref().map(text)).with(KEEPS_OLD_ADDRESS, boolean(*keeps_old_address))
        }
        DeskAct::AddPortalUser(user) => portal_user::with_given(item, user),
    }
}

/// Reads an approval from its item or from its copy.
pub(super) fn from_item(item: &Attributes) -> Result<Approval, Failure> {
    let item = Reader(item);
    Ok(Approval {
        id: item.parsed(ID, ApprovalId::parse)?,
        subscription: item.parsed(SUBSCRIPTION_ID, SubscriptionId::parse)?,
        act: act(item)?,
        seen: SeenState {
            issue: required(ISSUE, Issue::new(item.number(ISSUE)?))?,
            email: item.parsed(ON_FILE, EmailAddress::parse)?,
            signed_in_at: item.optional_time(SIGNED_IN_AT)?,
            changed_at: item.optional_time(CHANGED_AT)?,
            handed_over_at: item.optional_time(HANDED_OVER_AT)?,
        },
        asked_by: operator(item, ASKED_BY, ASKER)?,
        reason: Reason::from_stored(item.text(REASON)?.to_owned()),
        asked_at: item.time(AT)?,
        not_before: item.time(NOT_BEFORE)?,
        expires_at: item.time(EXPIRES_AT)?,
        decision: decision(item)?,
    })
}

fn act(item: Reader) -> Result<DeskAct, Failure> {
    match item.text(WHAT)? {
        DeskAct::REISSUE => {
            let email = item.optional_text(TO).map(|text| required(TO, EmailAddress::parse(text))).transpose()?;
            Ok(DeskAct::Reissue { email, keeps_old_address: item.boolean(KEEPS_OLD_ADDRESS)? })
        }
        DeskAct::ADD_PORTAL_USER => required(WHAT, portal_user::given(item)).map(DeskAct::AddPortalUser),
        _ => Err(Failure::unreadable("item", WHAT)),
    }
}

fn decision(item: Reader) -> Result<Option<Decision>, Failure> {
    if item.optional_text(OUTCOME).is_none() {
        return Ok(None);
    }
    let outcome = item.parsed(OUTCOME, ApprovalOutcome::parse)?;
    Ok(Some(Decision { outcome, by: operator(item, DECIDED_BY, DECIDER)?, at: item.time(DECIDED_AT)? }))
}

fn operator(item: Reader, label: &'static str, person: &'static str) -> Result<Operator, Failure> {
    Ok(Operator {
        person: required(person, PersonId::from_bytes(item.binary(person)?))?,
        label: Label::from_stored(item.text(label)?.to_owned(), Some(false)),
    })
}

/// Returns the check that an approval may be asked for at `now`: there is no other one that is pending.
pub(super) fn none_is_pending(subscription: &SubscriptionId, now: Timestamp) -> Change {
    Change::check(key(subscription), PLACEHOLDERS)
        .only_if(&condition::any(&[ITEM_IS_NEW, DECIDED, EXPIRED]))
        .value(":now", time(now))
}

/// Returns the write of the decision on `approval`. `domain::Approval::judge` says what its refusal means.
pub(super) fn decide(approval: &Approval, decision: &Decision) -> Change {
    let update = "SET #outcome = :outcome, #decided_by = :decided_by, #decider = :decider, #decided_at = :now";
    let change = Change::new(key(&approval.subscription), PLACEHOLDERS, update)
        .only_if(&condition::all([ID_IS, NOT_DECIDED, NOT_EXPIRED, ASKED_BY_ANOTHER]))
        .value(":id", text(&approval.id))
        .value(":outcome", text(decision.outcome.as_str()))
        .value(":decided_by", text(decision.by.label.as_stored()))
        .value(":decider", binary(decision.by.person.as_bytes()))
        .value(":now", time(decision.at));
    if decision.outcome.carries_out() { change.only_if(MAY_BE_GIVEN) } else { change }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::{PortalUser, Verdict};

    use super::*;

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    fn approval(act: DeskAct) -> Approval {
        let at = Timestamp::from_epoch_seconds(100);
        Approval {
            id: ApprovalId::new(at, [7; 10]),
            subscription: SubscriptionId::parse("sub-1").unwrap(),
            act,
            seen: SeenState {
                issue: Issue::FIRST,
                email: address("it@fabrikam.example"),
                signed_in_at: Some(at),
                changed_at: None,
                handed_over_at: Some(at),
            },
            asked_by: Operator::new("https://staff.example", "olivia", "Olivia"),
            reason: Reason::parse("The mail bounced").unwrap(),
            asked_at: at,
            not_before: at.plus(Duration::from_hours(1)),
            expires_at: at.plus(Duration::from_hours(24)),
            decision: None,
        }
    }

    #[test]
    fn an_approval_is_read_as_it_was_written() {
        let to_lee = DeskAct::Reissue { email: Some(address("lee@fabrikam.example")), keeps_old_address: true };
        let subject = PortalUser::Subject { issuer: "i".into(), subject: "s".into() };
        for act in [
            to_lee,
            DeskAct::Reissue { email: None, keeps_old_address: false },
            DeskAct::AddPortalUser(PortalUser::Address(address("kim@fabrikam.example"))),
            DeskAct::AddPortalUser(subject),
        ] {
            let pending = approval(act);
            let omar = Operator::new("https://staff.example", "omar", "Omar");
            let decided = pending.decided(ApprovalOutcome::Approved, &omar, pending.asked_at);
            for written in [pending, decided] {
                let item = to_item(&written);
                let read = from_item(&item).ok().unwrap();
                assert_eq!(to_item(&read), item);
                assert_eq!((&read.asked_by, &read.decision), (&written.asked_by, &written.decision));
                let copy = copy_to_item(&written);
                assert_eq!(to_item(&from_item(&copy).ok().unwrap()), item, "the copy says the same");
                assert_eq!(copy["SK"], text(&format!("sub-1.{}", written.id)));
            }
        }
    }

    #[test]
    fn an_approval_may_be_asked_for_where_none_is_pending() {
        let pending = approval(DeskAct::Reissue { email: None, keeps_old_address: false });
        let check = none_is_pending(&pending.subscription, pending.asked_at);
        let expected = "(attribute_not_exists(PK) OR attribute_exists(#outcome) OR #expires <= :now)";
        assert_eq!(check.condition(), Some(expected));
    }

    #[test]
    fn only_the_consent_waits_for_its_time() {
        let pending = approval(DeskAct::Reissue { email: None, keeps_old_address: false });
        let condition = |outcome| {
            let omar = Operator::new("https://staff.example", "omar", "Omar");
            let decided = pending.decided(outcome, &omar, pending.asked_at);
            decide(&pending, &decided.decision.unwrap()).condition().unwrap().to_owned()
        };
        let always = "#id = :id AND attribute_not_exists(#outcome) AND #expires > :now AND #asker <> :decider";
        assert_eq!(condition(ApprovalOutcome::Approved), format!("{always} AND #not_before <= :now"));
        assert_eq!(condition(ApprovalOutcome::Rejected), always);
        assert_eq!(condition(ApprovalOutcome::Overtaken), always);
        assert_eq!(Verdict::ALL.len(), 2, "an operator can neither ask for nor decide an overtaken approval");
    }
}
