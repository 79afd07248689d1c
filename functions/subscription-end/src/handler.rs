//! `subscription-end`: ends a subscription, closes its accounts, and plans the deletion of its items.
//!
//! **Source**: a queue of `EventBridge` events `SubscriptionEnded` from the vendor's bus, in batches.
//!
//! One transaction ends the subscription: no password of it is shown or signs in any more, no session is valid, and nothing else can change
//! it. Then the function closes the accounts of its administrators, a few at a time, and a delivery that is cut off is continued by the next
//! one. The message is acknowledged when none is left. An end is ordered by its time: it changes nothing where a start is later, and an
//! end that is delivered before its start is recorded for that start.

#![warn(clippy::wildcard_enum_match_arm)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws::{CLOSED_AT_ONCE, CloseOutcome, EndOutcome, KnownSubscription, RecordLifeOutcome, SubscriptionEnds, Table};
use domain::{
    Credential, EndDecision, LifeChange, PurgeDay, SubscriptionEnded, SubscriptionId, Timestamp, ended::InvalidEnd,
};
use lambda::{Clock, Message, Rejection, Settings};
use tracing::{info, warn};

/// The function's store and settings: they let it end subscriptions and close their accounts. It can neither start nor delete one.
pub struct App {
    ends: SubscriptionEnds,
    clock: Clock,
    retention: Duration,
}

/// How many days the items of an ended subscription are kept, unless the deployment sets it.
const RETENTION_DAYS: u64 = 400;

/// The maximum number of days that the deployment may set.
const MOST_RETENTION_DAYS: u64 = 3650;

/// The time that one more transaction and its acknowledgement may take. With less, the rest is left to the next delivery.
const MARGIN: Duration = Duration::from_secs(5);

/// The outcome of an end that is handled after a later start which only added to the life that this end was to end. People keep their access.
const OVERTAKEN_IN_ITS_LIFE: &str = "end-overtaken-in-its-life";

impl App {
    /// Reads the settings `TABLE_NAME` and `RETENTION_DAYS`.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        Ok(Self {
            ends: SubscriptionEnds::new(Table::new(&aws, settings.required("TABLE_NAME")?)),
            clock,
            retention: days(settings.parsed("RETENTION_DAYS", RETENTION_DAYS, retention_days)?),
        })
    }
}

/// Handles one event.
pub async fn handle(app: Arc<App>, message: Message) -> Result<(), Rejection> {
    let event = SubscriptionEnded::parse(&message.body).map_err(refuse)?;
    let ended_at = event.ended_at(app.clock.now());
    for _ in 0..aws::RACES {
        match app.end(&event.subscription, ended_at).await? {
            Progress::Handled => return Ok(()),
            Progress::Ended(known, ended_at) => return app.close(&known, ended_at, message.deadline).await,
            Progress::LostRace => {}
        }
    }
    Err(lost_races())
}

/// The result of one attempt to handle an event.
enum Progress {
    /// The table reflects the event.
    Handled,
    /// The subscription of this credential has ended at this time, and some of its accounts may still be open.
    Ended(Box<Credential>, Timestamp),
    /// Something changed in between.
    LostRace,
}

impl App {
    /// Ends the subscription, or finds that there is nothing to end.
    async fn end(&self, subscription: &SubscriptionId, ended_at: Timestamp) -> Result<Progress, Rejection> {
        let KnownSubscription { credential, life } = self.ends.find(subscription).await?;
        let change = life.with_end(ended_at);
        let (outcome, progress) = match (life.judge_end(credential.as_ref(), ended_at), credential) {
            (EndDecision::End, Some(known)) => return self.end_known(known, ended_at, &change).await,
            (EndDecision::Close(ended_at), Some(known)) => {
                if life.ended_at < Some(ended_at) {
                    // The credential was ended by hand.
                    self.ends.plan_purge(subscription, ended_at, self.purge_day(ended_at)).await?;
                }
                ("continued", Progress::Ended(Box::new(known), ended_at))
            }
            (EndDecision::AlreadyEnded, _) => ("ended-before", Progress::Handled),
            (EndDecision::Overtaken, Some(known)) if known.ended_at.is_none() && known.started_at <= ended_at => {
                (OVERTAKEN_IN_ITS_LIFE, Progress::Handled)
            }
            (EndDecision::Overtaken, _) => ("started-later", Progress::Handled),
            (EndDecision::Unknown | EndDecision::End | EndDecision::Close(_), _) => {
                ("not-known-yet", Progress::Handled)
            }
        };
        Ok(match self.ends.record(subscription, &change).await? {
            RecordLifeOutcome::Recorded => {
                if outcome == OVERTAKEN_IN_ITS_LIFE {
                    warn!(outcome, metric = "EndOvertaken", ended_at = ended_at.epoch_seconds());
                } else {
                    info!(outcome);
                }
                progress
            }
            RecordLifeOutcome::LostRace => Progress::LostRace,
        })
    }

    async fn end_known(
        &self,
        known: Credential,
        ended_at: Timestamp,
        life: &LifeChange,
    ) -> Result<Progress, Rejection> {
        let (purge_day, now) = (self.purge_day(ended_at), self.clock.now());
        Ok(match self.ends.end(&known, ended_at, life, purge_day, now).await? {
            EndOutcome::Ended => {
                info!(outcome = "ended", metric = "Ended");
                Progress::Ended(Box::new(known), ended_at)
            }
            EndOutcome::LostRace => Progress::LostRace,
        })
    }

    fn purge_day(&self, ended_at: Timestamp) -> PurgeDay {
        PurgeDay::after(ended_at, self.clock.now(), self.retention)
    }

    /// Closes every account of the subscription that is still open, and records that none is left.
    async fn close(&self, known: &Credential, ended_at: Timestamp, deadline: Instant) -> Result<(), Rejection> {
        for _ in 0..aws::RACES {
            match self.close_open(known, ended_at, deadline).await? {
                CloseOutcome::Closed => {
                    match self.ends.finish(&known.subscription, ended_at, self.clock.now()).await? {
                        CloseOutcome::Closed => info!(outcome = "closed"),
                        CloseOutcome::LostRace | CloseOutcome::Overtaken => info!(outcome = "closed-before"),
                    }
                    return Ok(());
                }
                CloseOutcome::Overtaken => return Ok(()),
                CloseOutcome::LostRace => {}
            }
        }
        Err(lost_races())
    }

    /// Closes the accounts that are open now.
    async fn close_open(
        &self,
        known: &Credential,
        ended_at: Timestamp,
        deadline: Instant,
    ) -> Result<CloseOutcome, Rejection> {
        for some in self.ends.open_accounts(known).await?.chunks(CLOSED_AT_ONCE) {
            if Instant::now() + MARGIN > deadline {
                return Err(Rejection::temporary("some accounts of the ended subscription are still open"));
            }
            match self.ends.close(&known.subscription, ended_at, some).await? {
                CloseOutcome::Closed => {}
                outcome @ (CloseOutcome::LostRace | CloseOutcome::Overtaken) => return Ok(outcome),
            }
        }
        Ok(CloseOutcome::Closed)
    }
}

fn lost_races() -> Rejection {
    Rejection::temporary("other changes of this subscription kept winning")
}

fn retention_days(text: &str) -> Option<u64> {
    text.parse().ok().filter(|days| (1..=MOST_RETENTION_DAYS).contains(days))
}

fn days(number: u64) -> Duration {
    Duration::from_hours(24 * number)
}

/// Returns the rejection of an event that can never be handled.
fn refuse(invalid: InvalidEnd) -> Rejection {
    Rejection::Permanent { reason: "invalid-event", detail: requirement(invalid) }
}

/// Returns what the event does not meet, in a sentence for the log: the vendor's engineer reads it beside the message id.
fn requirement(invalid: InvalidEnd) -> &'static str {
    match invalid {
        InvalidEnd::TooLarge => "the event is over 256 KB",
        InvalidEnd::Envelope => "the message is not an EventBridge event in JSON",
        InvalidEnd::DetailType => "detail-type is not SubscriptionEnded",
        InvalidEnd::Detail => "detail lacks subscription_id, or it has the wrong type",
        InvalidEnd::Time => "time is not in RFC 3339",
        InvalidEnd::SubscriptionId => "subscription_id is not 1 to 64 of A-Z a-z 0-9 _ -",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_retention_is_a_number_of_days_from_one_to_ten_years() {
        assert_eq!(["1", "400", "3650"].map(retention_days), [Some(1), Some(400), Some(3650)]);
        assert_eq!(["", "0", "-1", "1.5", "3651", "a year"].map(retention_days), [None; 6]);
        assert_eq!(days(1), Duration::from_hours(24));
    }

    #[test]
    fn a_refusal_names_its_field_and_repeats_nothing() {
        for invalid in InvalidEnd::ALL {
            assert!(!requirement(invalid).is_empty(), "{invalid}");
        }
    }
}
