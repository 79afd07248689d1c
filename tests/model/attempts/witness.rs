//! Records what an observer with a correct clock would see, and states the invariants over it. The protocol never reads any of this.

use stateright::Property;

use super::item::{Bucket, Time};
use super::{AttemptModel, World};

pub(crate) const WITHIN_BUDGET: &str =
    "7: in any time t no budget admits more than B + (t + 2\u{3b4} + the age of a request) / T";
pub(crate) const PAID_FOR: &str = "7: every admitted caller has spent an attempt; a lost answer costs one more";
pub(crate) const FEW_IN_A_ROW: &str =
    "7: no more consecutive wrong passwords are verified than it takes to close the account";
pub(crate) const OWNER_NOT_KEPT_OUT: &str =
    "6: strangers cannot close the account to a known network, or spend that network's budget";

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    /// The budget and the tick of each admission, in order.
    admitted: Vec<(Bucket, Time)>,
    /// The number of attempts spent, answered or not.
    pub(crate) spent: u8,
    /// The number of wrong passwords from unknown networks that were compared while the account was open.
    pub(crate) guesses: u8,
    /// The number of writes that reset the failures.
    pub(crate) forgotten: u8,
    pub(crate) owner_kept_out: bool,
    pub(crate) got_in_while_closed: bool,
    pub(crate) exhausted: bool,
}

impl Witness {
    pub(crate) fn record_admission(&mut self, bucket: Bucket, now: Time) {
        self.admitted.push((bucket, now));
    }

    pub(crate) fn admission_count(&self, bucket: Bucket) -> usize {
        self.admission_times(bucket).count()
    }

    fn admission_times(&self, bucket: Bucket) -> impl Iterator<Item = Time> + Clone {
        self.admitted.iter().filter(move |(spent, _)| *spent == bucket).map(|(_, at)| *at)
    }

    /// Returns whether, from each admission on, no more were admitted than the burst and the refill since.
    fn is_within_budget(&self, model: &AttemptModel, bucket: Bucket) -> bool {
        let Some(budget) = model.budget(bucket) else { return true };
        let off = 2 * model.scope.clock_skew + model.scope.patience;
        let mut times = self.admission_times(bucket);
        while let Some(first) = times.clone().next() {
            let mut within = (1..).zip(times.clone());
            let fits = |(count, last): (Time, Time)| (count - budget.burst) * budget.interval <= last - first + off;
            if !within.all(fits) {
                return false;
            }
            times.next();
        }
        true
    }
}

pub(crate) fn properties() -> Vec<Property<AttemptModel>> {
    vec![
        Property::always(WITHIN_BUDGET, |model: &AttemptModel, world: &World| {
            world.buckets().all(|bucket| world.witness.is_within_budget(model, bucket))
        }),
        Property::always(PAID_FOR, |_, world: &World| world.witness.admitted.len() <= usize::from(world.witness.spent)),
        Property::always(FEW_IN_A_ROW, |model: &AttemptModel, world: &World| {
            world.witness.guesses <= model.scope.closes_after * (1 + world.witness.forgotten)
        }),
        Property::always(OWNER_NOT_KEPT_OUT, |_, world: &World| !world.witness.owner_kept_out),
    ]
}
