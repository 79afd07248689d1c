//! The item of a subscription's life: the latest start and the latest end. It exists also for a subscription that is not known yet, whose
//! events arrive in another order than they happened, and it outlives the other items of a subscription that are deleted early.

use std::time::Duration;

use domain::{Credential, Life, LifeChange, SubscriptionId, Timestamp};

use super::{
    Table,
    condition::{self, ITEM_EXISTS, Placeholders},
    item::{Attributes, Reader, time},
    names::{Key, TTL},
    transaction::{Change, Write},
};
use crate::Failure;

/// The sort key. It lies between those of the history and of the mails.
pub(super) const SORT_KEY: &str = "LIFE";

const ENDED_AT: &str = "ended_at";
const STARTED_AT: &str = "started_at";

const PLACEHOLDERS: Placeholders = &[("#ended", ENDED_AT), ("#started", STARTED_AT), ("#ttl", TTL)];

/// The latest start is the one that the writer read. Otherwise: a lost race, like the next three.
const STARTED_IS: &str = "#started = :started_before";
const NEVER_STARTED: &str = "attribute_not_exists(#started)";
/// The latest end is the one that the writer read.
const ENDED_IS: &str = "#ended = :ended_before";
const NEVER_ENDED: &str = "attribute_not_exists(#ended)";
/// No start, with [`NEVER_STARTED`], is later than the end because of which the subscription's items are deleted.
const NOT_STARTED_LATER: &str = "#started <= :ended";

/// How long the table keeps the life of an ended subscription at least, also where its items are deleted earlier. An old start that is
/// delivered again must not bring the subscription back: the archive of the vendor's events keeps them for a month, and the queues of dead
/// letters for two weeks more.
const LIFETIME: Duration = Duration::from_hours(24 * 90);

/// The state of the subscription that an event is about.
pub struct KnownSubscription {
    /// The credential, if the subscription exists.
    pub credential: Option<Credential>,
    /// The latest start and the latest end.
    pub life: Life,
}

/// The result of recording an event in the life of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordLifeOutcome {
    /// The life has the event.
    Recorded,
    /// Another event was recorded in between: read again and decide again.
    LostRace,
}

fn key(subscription: &SubscriptionId) -> Key {
    Key::in_subscription(subscription, SORT_KEY)
}

fn from_item(item: &Attributes) -> Result<Life, Failure> {
    let item = Reader(item);
    Ok(Life { started_at: item.optional_time(STARTED_AT)?, ended_at: item.optional_time(ENDED_AT)? })
}

/// Returns the write of an event, if the life is as it was read. The life of a subscription that was deleted is kept for good again.
pub(super) fn record(subscription: &SubscriptionId, change: &LifeChange) -> Change {
    let LifeChange { from, to } = change;
    let sets = match (to.started_at, to.ended_at) {
        (Some(_), Some(_)) => "SET #started = :started, #ended = :ended REMOVE #ttl",
        (Some(_), None) => "SET #started = :started REMOVE #ttl",
        (None, _) => "SET #ended = :ended REMOVE #ttl",
    };
    let write = Change::new(key(subscription), PLACEHOLDERS, sets);
    let write = match from.started_at {
        Some(before) => write.only_if(STARTED_IS).value(":started_before", time(before)),
        None => write.only_if(NEVER_STARTED),
    };
    let write = match from.ended_at {
        Some(before) => write.only_if(ENDED_IS).value(":ended_before", time(before)),
        None => write.only_if(NEVER_ENDED),
    };
    let times = [(":started", to.started_at), (":ended", to.ended_at)];
    times.into_iter().fold(write, |write, (name, at)| match at {
        Some(at) => write.value(name, time(at)),
        None => write,
    })
}

/// Returns the deletion of the life of a subscription that has ended at `ended_at`, or, if that would be too early, the write with which the
/// table deletes it later. `closed_at` is the time by the clock here. A later start keeps its life.
pub(super) fn forget(
    subscription: &SubscriptionId,
    ended_at: Timestamp,
    closed_at: Option<Timestamp>,
    now: Timestamp,
) -> Forgetting {
    let kept_until = closed_at.map_or(ended_at, |closed_at| closed_at.max(ended_at)).plus(LIFETIME);
    let only_if_not_started = |change: Change| {
        change.only_if(&condition::any(&[NEVER_STARTED, NOT_STARTED_LATER])).value(":ended", time(ended_at))
    };
    if kept_until <= now {
        return Forgetting::Now(only_if_not_started(Change::check(key(subscription), PLACEHOLDERS)));
    }
    let later = Change::new(key(subscription), PLACEHOLDERS, "SET #ttl = :ttl").only_if(ITEM_EXISTS);
    Forgetting::Later(only_if_not_started(later).value(":ttl", time(kept_until)))
}

/// How the purge removes the life of a subscription: at once, or later by TTL.
pub(super) enum Forgetting {
    /// The condition of its deletion.
    Now(Change),
    /// The write of its time to live.
    Later(Change),
}

impl Table {
    /// Reads what an event is judged by: first the life, then the credential. Every transaction that starts or ends a subscription writes both,
    /// so the credential is at least as new, and a write that asks for the life as it was read asks for the credential too.
    pub(super) async fn known_subscription(&self, subscription: &SubscriptionId) -> Result<KnownSubscription, Failure> {
        let life = self.get("dynamodb GetItem (life)", key(subscription)).await?;
        let life = life.map_or(Ok(Life::default()), |item| from_item(&item))?;
        Ok(KnownSubscription { credential: self.credential(subscription).await?, life })
    }

    /// Records an event that changes nothing else.
    pub(super) async fn record_life(
        &self,
        subscription: &SubscriptionId,
        change: &LifeChange,
    ) -> Result<RecordLifeOutcome, Failure> {
        if change.is_empty() {
            return Ok(RecordLifeOutcome::Recorded);
        }
        Ok(match self.write("dynamodb UpdateItem (life)", record(subscription, change)).await? {
            Write::Done(_) => RecordLifeOutcome::Recorded,
            Write::Refused(_) => RecordLifeOutcome::LostRace,
        })
    }
}
