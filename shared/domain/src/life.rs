//! The life of a subscription: the latest start and the latest end that the vendor's events date, and what an event means by them.
//!
//! Events are delivered late, twice and in any order, so their own times decide. A subscription lives while its latest start is later than
//! its latest end; where both have the same time, it has ended.

use crate::{Credential, Timestamp};

/// The latest start and the latest end of a subscription, by the times of the vendor's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// The time of the latest start.
    pub started_at: Option<Timestamp>,
    /// The time of the latest end.
    pub ended_at: Option<Timestamp>,
}

/// The change of a life by an event. A write of it asks for the life as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifeChange {
    /// The life as the table has it.
    pub from: Life,
    /// The life with the event.
    pub to: Life,
}

/// The decision on an event that starts a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartDecision {
    /// The subscription starts.
    Start,
    /// The subscription lives, and the event may add to it.
    Update,
    /// The subscription has ended before the start, and starts again.
    Restart,
    /// The subscription will start again, after the accounts of its former life are closed or its items are deleted.
    Wait,
    /// An end is as late or later: the event changes nothing.
    Overtaken,
}

/// The decision on an event that ends a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndDecision {
    /// The subscription ends.
    End,
    /// The subscription has ended at this time, and some of its accounts may still be open.
    Close(Timestamp),
    /// The subscription has ended, and all of its accounts are closed.
    AlreadyEnded,
    /// The subscription is not known, so only the end itself is recorded, for a start that is delivered later.
    Unknown,
    /// A start is later: the end changes nothing.
    Overtaken,
}

impl Life {
    /// Returns this life with a start at `at`, as a change.
    #[must_use]
    pub fn with_start(self, at: Timestamp) -> LifeChange {
        LifeChange { from: self, to: Self { started_at: self.started_at.max(Some(at)), ..self } }
    }

    /// Returns this life with an end at `at`, as a change.
    #[must_use]
    pub fn with_end(self, at: Timestamp) -> LifeChange {
        LifeChange { from: self, to: Self { ended_at: self.ended_at.max(Some(at)), ..self } }
    }

    /// Decides on an event that starts the subscription at `at`. `known` is the credential, if there is one.
    #[must_use]
    pub fn judge_start(self, known: Option<&Credential>, at: Timestamp) -> StartDecision {
        if self.including(known).ended_at >= Some(at) {
            return StartDecision::Overtaken;
        }
        match known {
            None => StartDecision::Start,
            Some(Credential { ended_at: None, .. }) => StartDecision::Update,
            Some(Credential { closed_at: Some(_), purging_until: None, .. }) => StartDecision::Restart,
            Some(_) => StartDecision::Wait,
        }
    }

    /// Decides on an event that ends the subscription at `at`. `known` is the credential, if there is one.
    #[must_use]
    pub fn judge_end(self, known: Option<&Credential>, at: Timestamp) -> EndDecision {
        if self.including(known).started_at > Some(at) {
            return EndDecision::Overtaken;
        }
        match known {
            None => EndDecision::Unknown,
            Some(Credential { ended_at: None, .. }) => EndDecision::End,
            Some(Credential { ended_at: Some(ended_at), closed_at: None, .. }) => EndDecision::Close(*ended_at),
            Some(Credential { ended_at: Some(_), closed_at: Some(_), .. }) => EndDecision::AlreadyEnded,
        }
    }

    /// Returns this life with what the credential says of it: earlier releases wrote no life.
    fn including(self, known: Option<&Credential>) -> Self {
        Self {
            started_at: self.started_at.max(known.map(|known| known.started_at)),
            ended_at: self.ended_at.max(known.and_then(|known| known.ended_at)),
        }
    }
}

impl LifeChange {
    /// Returns whether the event changes nothing of the life.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.from == self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::tests::credential;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn life(started_at: Option<i64>, ended_at: Option<i64>) -> Life {
        Life { started_at: started_at.map(at), ended_at: ended_at.map(at) }
    }

    /// Returns the credential of a subscription that has started at 1 and ended, and whose accounts are closed or not.
    fn ended(ended_at: i64, closed_at: Option<i64>) -> Credential {
        Credential { ended_at: Some(at(ended_at)), closed_at: closed_at.map(at), ..credential(&[]) }
    }

    #[test]
    fn a_start_counts_only_after_every_end() {
        let judged = |ended_at, start| life(None, ended_at).judge_start(None, at(start));
        assert_eq!(judged(None, 5), StartDecision::Start);
        assert_eq!(judged(Some(4), 5), StartDecision::Start);
        assert_eq!(judged(Some(5), 5), StartDecision::Overtaken, "as late");
        assert_eq!(judged(Some(6), 5), StartDecision::Overtaken, "delivered after its end");
        let known = credential(&[]);
        assert_eq!(life(Some(9), None).judge_start(Some(&known), at(5)), StartDecision::Update, "an earlier start");
        assert_eq!(life(Some(9), Some(5)).judge_start(Some(&known), at(5)), StartDecision::Overtaken);
    }

    #[test]
    fn a_subscription_starts_again_once_its_accounts_are_closed_and_never_while_it_is_deleted() {
        let judged = |known: &Credential, start| life(Some(1), Some(10)).judge_start(Some(known), at(start));
        assert_eq!(judged(&ended(10, None), 11), StartDecision::Wait);
        assert_eq!(judged(&ended(10, Some(12)), 11), StartDecision::Restart);
        assert_eq!(judged(&ended(10, Some(12)), 10), StartDecision::Overtaken);
        let purging = Credential { purging_until: Some(at(3)), ..ended(10, Some(12)) };
        assert_eq!(judged(&purging, 11), StartDecision::Wait, "a purge that stopped has deleted some items already");
    }

    #[test]
    fn an_end_counts_unless_a_start_is_later() {
        let known = credential(&[]);
        let judged = |started_at, end| life(started_at, None).judge_end(Some(&known), at(end));
        assert_eq!(judged(Some(5), 4), EndDecision::Overtaken);
        assert_eq!(judged(Some(5), 5), EndDecision::End, "as late");
        assert_eq!(judged(Some(5), 6), EndDecision::End);
        assert_eq!(life(None, None).judge_end(None, at(5)), EndDecision::Unknown);
        assert_eq!(life(Some(6), None).judge_end(None, at(5)), EndDecision::Overtaken);
    }

    #[test]
    fn a_repeated_end_closes_what_is_left() {
        let judged = |known: &Credential, end| life(Some(1), Some(10)).judge_end(Some(known), at(end));
        assert_eq!(judged(&ended(10, None), 10), EndDecision::Close(at(10)));
        assert_eq!(judged(&ended(10, None), 12), EndDecision::Close(at(10)), "another end of the same life");
        assert_eq!(judged(&ended(10, Some(11)), 10), EndDecision::AlreadyEnded);
    }

    #[test]
    fn a_credential_of_an_earlier_release_dates_the_start_itself() {
        let known = Credential { started_at: at(5), ..credential(&[]) };
        assert_eq!(Life::default().judge_end(Some(&known), at(4)), EndDecision::Overtaken);
        assert_eq!(Life::default().judge_end(Some(&known), at(5)), EndDecision::End);
        assert_eq!(Life::default().judge_start(Some(&ended(10, Some(10))), at(10)), StartDecision::Overtaken);
    }

    #[test]
    fn a_life_keeps_the_latest_of_each_whatever_the_order() {
        let changes: [fn(Life) -> LifeChange; 4] = [
            |life| life.with_start(at(1)),
            |life| life.with_end(at(2)),
            |life| life.with_start(at(3)),
            |life| life.with_end(at(4)),
        ];
        for first in 0..changes.len() {
            let order = (0..changes.len()).map(|n| changes[(first + n) % changes.len()]);
            let last = order.fold(Life::default(), |life, change| change(life).to);
            assert_eq!(last, life(Some(3), Some(4)));
            assert!(changes.iter().all(|again| again(last).is_empty()), "delivered again");
        }
    }
}
