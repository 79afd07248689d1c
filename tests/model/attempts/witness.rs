//! What an observer with a clock of their own writes down, and the invariants over it. The protocol never reads any of this.

use stateright::Property;

use super::item::{Bucket, Time};
use super::{Attempts, World};

pub(crate) const WITHIN_BUDGET: &str =
    "7: in any time t no bucket admits more than B + (t + 2\u{3b4} + the age of a request) / T";
pub(crate) const PAID_FOR: &str = "7: whoever is admitted has spent an attempt; an answer that is lost costs one more";
pub(crate) const FEW_IN_A_ROW: &str =
    "7: no more wrong passwords in a row are verified than it takes to close the account";
pub(crate) const OWNER_NOT_KEPT_OUT: &str =
    "6: nobody else can close the account, or spend its budget, for a network that it signs in from";

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    /// The bucket and the tick of each admission, in order.
    admitted: Vec<(Bucket, Time)>,
    /// Attempts spent, answered or not.
    pub(crate) spent: u8,
    /// Wrong passwords from networks that are not known, compared while the account was open.
    pub(crate) guesses: u8,
    /// Writes that forget the failures.
    pub(crate) forgotten: u8,
    pub(crate) owner_kept_out: bool,
    pub(crate) got_in_while_closed: bool,
    pub(crate) exhausted: bool,
}

impl Witness {
    pub(crate) fn admitted(&mut self, bucket: Bucket, now: Time) {
        self.admitted.push((bucket, now));
    }

    pub(crate) fn admissions_of(&self, bucket: Bucket) -> usize {
        self.times_of(bucket).count()
    }

    fn times_of(&self, bucket: Bucket) -> impl Iterator<Item = Time> + Clone {
        self.admitted.iter().filter(move |(of, _)| *of == bucket).map(|(_, at)| *at)
    }

    /// From each admission on, the bucket has admitted no more than its burst and what has been refilled.
    fn within_budget(&self, model: &Attempts, bucket: Bucket) -> bool {
        let Some(budget) = model.budget(bucket) else { return true };
        let off = 2 * model.scope.clocks_differ + model.scope.patience;
        let mut times = self.times_of(bucket);
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

pub(crate) fn properties() -> Vec<Property<Attempts>> {
    vec![
        Property::always(WITHIN_BUDGET, |model: &Attempts, world: &World| {
            world.buckets().all(|bucket| world.witness.within_budget(model, bucket))
        }),
        Property::always(PAID_FOR, |_, world: &World| world.witness.admitted.len() <= usize::from(world.witness.spent)),
        Property::always(FEW_IN_A_ROW, |model: &Attempts, world: &World| {
            world.witness.guesses <= model.scope.closes_after * (1 + world.witness.forgotten)
        }),
        Property::always(OWNER_NOT_KEPT_OUT, |_, world: &World| !world.witness.owner_kept_out),
    ]
}
