//! The writes of the credential that an end, a later start and a purge make: those of an ended subscription. Every other write asks for a
//! subscription that has not ended.

use domain::{Credential, Principal, SubscriptionId, Timestamp, purge};

use super::{
    condition,
    credential::{self, ISSUE_IS, PLACEHOLDERS, RETRIEVALS_ARE_AS_READ, SEQ_IS, key},
    item::{binary_set, number, text, time},
    transaction::Change,
};
use crate::Failure;

/// The subscription has ended by this end and no other one. Otherwise: it has started again.
const ENDED_THEN: &str = "#ended = :ended";
/// Every account of the ended subscription is closed. Otherwise: `StartDecision::Wait`, like the next one.
const CLOSED: &str = "attribute_exists(#closed)";
/// No run has begun to delete the items of the subscription.
const NEVER_PURGED: &str = "attribute_not_exists(#purging)";
/// No run has the subscription for itself. Otherwise, with [`NEVER_PURGED`]: `PurgeDecision::Leased`.
const LEASE_IS_OVER: &str = "#purging <= :now";

/// Returns the write that ends the subscription of `known` at `ended_at`.
pub(super) fn end(known: &Credential, ended_at: Timestamp, seq: u64) -> Change {
    credential::advance(known, seq).and(", #ended = :ended REMOVE #sealed").value(":ended", time(ended_at))
}

/// Returns the check that a subscription has ended by the end at `ended_at`, and has not started again.
pub(super) fn has_ended_then(subscription: &SubscriptionId, ended_at: Timestamp) -> Change {
    only_if_ended_then(Change::check(key(subscription), PLACEHOLDERS), ended_at)
}

/// Returns the write that says that every account of the subscription, which ended at `ended_at`, is closed.
pub(super) fn close(subscription: &SubscriptionId, ended_at: Timestamp, now: Timestamp) -> Change {
    let update = "SET #closed = if_not_exists(#closed, :now)";
    only_if_ended_then(Change::new(key(subscription), PLACEHOLDERS, update), ended_at).value(":now", time(now))
}

/// Returns the write that starts the subscription of `known`, which ended at `ended_at`, again as `next`.
pub(super) fn restart(known: &Credential, ended_at: Timestamp, next: &Credential, seq: u64) -> Result<Change, Failure> {
    let update = "REMOVE #ended, #closed, #handed_over, #renewals, #renewed, #signed_in, #changed \
                  SET #issue = :next_issue, #sealed = :sealed, #ret = :no_retrievals, #started = :started, \
                  #issued = :issued, #exp = :expires, #kind = :kind, #product = :product, #company = :company, \
                  #pu = :pu, #seq = :next_seq";
    let may_restart = condition::all([ISSUE_IS, SEQ_IS, RETRIEVALS_ARE_AS_READ, ENDED_THEN, CLOSED, NEVER_PURGED]);
    let change = credential::advance_even_if_ended(known, seq, update).only_if(&may_restart);
    Ok(credential::with_next_issue(change, known, next)?
        .value(":ended", time(ended_at))
        .value(":started", time(next.started_at))
        .value(":kind", text(next.kind.as_str()))
        .value(":product", text(&next.product))
        .value(":company", credential::company(&next.company))
        .value(":pu", binary_set(next.portal_users.iter().map(Principal::as_bytes))))
}

/// Returns the write that leases the subscription, which ended at `ended_at`, to a run that deletes its items.
pub(super) fn lease_to_purge(subscription: &SubscriptionId, ended_at: Timestamp, now: Timestamp) -> Change {
    only_if_ended_then(Change::new(key(subscription), PLACEHOLDERS, "SET #purging = :until"), ended_at)
        .only_if(&condition::any(&[NEVER_PURGED, LEASE_IS_OVER]))
        .returning_item()
        .value(":now", time(now))
        .value(":until", time(now.plus(purge::LEASE)))
}

/// Returns the check that the last item to be deleted of an ended subscription is as `known` was leased: no support request has added an item
/// to the others since.
pub(super) fn as_leased(known: &Credential, ended_at: Timestamp) -> Change {
    only_if_ended_then(Change::check(key(&known.subscription), PLACEHOLDERS), ended_at)
        .only_if(SEQ_IS)
        .value(":seq", number(known.seq))
}

fn only_if_ended_then(change: Change, ended_at: Timestamp) -> Change {
    change.only_if(ENDED_THEN).value(":ended", time(ended_at))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::{Caller, Issue, SealedPassword, SubscriptionStarted, UserName};
    use serde_json::json;

    use super::{super::credential::NOT_ENDED, *};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn known() -> Credential {
        let event = json!({
            "id": "e", "detail-type": "SubscriptionStarted", "source": "billing.contoso",
            "detail": {
                "subscription_id": "sub-1", "kind": "trial", "product": "Suite",
                "company": { "id": "fabrikam", "name": "Fabrikam, Inc." },
                "service_administrator": { "email": "it@fabrikam.example" },
            },
        });
        let event = SubscriptionStarted::parse(&event.to_string()).ok().unwrap();
        let user_name = UserName::admin(&event.company.id);
        let sealed = SealedPassword::new(vec![1]);
        Credential::first_issue(&event, user_name, &[], sealed, at(1), Duration::from_hours(1))
    }

    #[test]
    fn every_write_asks_for_a_subscription_that_has_not_ended_apart_from_those_that_may_follow_the_end() {
        let (known, now, id) = (known(), at(5), known().subscription);
        let next = known.next_issue(SealedPassword::new(vec![2]), now, Duration::from_hours(1));
        let caller = Caller::new("https://issuer.example".into(), "dana".into(), None, Vec::new());
        let writes = [
            credential::advance(&known, 2),
            credential::end_retrieval(&known, 2, now),
            credential::change_password(&known, 2, Issue::FIRST, now),
            credential::hand_over(&known, 2, now),
            credential::withdraw(&known, 2, now),
            credential::extend(&known, &next, 2),
            credential::resend(&known, 2, now),
            credential::next_issue(&known, &next, 2).unwrap(),
            credential::renew(&known, &next, 2, &caller, now).unwrap(),
            credential::reissue(&known, &next, 2).unwrap(),
            credential::change_portal_users(&known, &next, 2),
            end(&known, now, 2),
        ];
        for (n, write) in writes.iter().enumerate() {
            let clauses: Vec<_> = write.condition().unwrap_or_default().split(" AND ").collect();
            assert!(clauses.contains(&NOT_ENDED), "{n}: {clauses:?}");
        }
        assert_eq!(credential::note(&known, 2).condition(), Some(SEQ_IS));
        for write in [
            has_ended_then(&id, now),
            close(&id, now, now),
            restart(&known, now, &next, 2).unwrap(),
            lease_to_purge(&id, now, now),
            as_leased(&known, now),
        ] {
            let clauses: Vec<_> = write.condition().unwrap_or_default().split(" AND ").collect();
            assert!(clauses.contains(&ENDED_THEN), "{clauses:?}");
        }
    }
}
