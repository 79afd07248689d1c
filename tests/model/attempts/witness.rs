//! Records what an observer with a correct clock would see, and states the invariants over it. The protocol never reads any of this.

use std::collections::BTreeMap;

use stateright::Property;

use super::item::{Admission, Bucket, Time};
use super::{AttemptModel, World};

pub(crate) const WITHIN_BUDGET: &str =
    "7: in any time t no device and no network gets more than B + (t + 2\u{3b4} + the age of a request) / T";
pub(crate) const PAID_FOR: &str = "7: every admitted caller has spent an attempt; a lost answer costs one more";
pub(crate) const FEW_FROM_STRANGERS: &str =
    "7: no more wrong passwords in a row are verified from places that the account does not know than the limit";
pub(crate) const FEW_FROM_KNOWN: &str =
    "7: no more wrong passwords in a row are verified from one known device or network than the limit";
pub(crate) const OWNER_NOT_KEPT_OUT: &str = "6, 7: no stranger keeps out an owner with a known device, on a known network that no attacker shares, or \
                                             with a temporary password on any such network";

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    /// The budget and the tick of each admission, in order.
    admitted: Vec<(Bucket, Time)>,
    /// The number of attempts spent, answered or not.
    pub(crate) spent: u8,
    /// The number of attempts that each owner has spent of each budget, answered or not.
    pub(crate) spent_by: BTreeMap<(usize, Bucket), u8>,
    /// The number of wrong passwords that were compared, by the place that they truly come from.
    guesses: BTreeMap<Bucket, u8>,
    /// The number of writes that may reset the failures of a place.
    resets: BTreeMap<Bucket, u8>,
    /// The devices and networks from which the account has truly signed in.
    known: Vec<Bucket>,
    pub(crate) owner_kept_out: bool,
    pub(crate) got_in_while_closed: bool,
    pub(crate) exhausted: bool,
}

impl Witness {
    /// Returns a witness of an account that has signed in from these devices and networks.
    pub(crate) fn knowing(known: &[Bucket]) -> Self {
        Self { known: known.to_vec(), ..Self::default() }
    }

    pub(crate) fn record_admission(&mut self, bucket: Bucket, now: Time) {
        self.admitted.push((bucket, now));
    }

    /// Records that a wrong password was compared. A place that the account does not truly know is a stranger's.
    pub(crate) fn record_guess(&mut self, device: Option<Bucket>, network: Bucket, admission: Admission) {
        let claimed = match admission {
            Admission::Device { .. } => device,
            Admission::KnownNetwork => Some(network),
            Admission::Stranger { .. } => None,
        };
        let place = claimed.filter(|place| self.known.contains(place)).unwrap_or(Bucket::Strangers);
        *self.guesses.entry(place).or_default() += 1;
    }

    /// Records that the account has signed in from a device or a network.
    pub(crate) fn record_known(&mut self, bucket: Bucket) {
        if !self.known.contains(&bucket) {
            self.known.push(bucket);
            self.known.sort_unstable();
        }
    }

    /// Records that the failures of a place were reset by an attempt that came by `by`.
    pub(crate) fn record_reset(&mut self, bucket: Bucket, by: Admission) {
        let is_due = match bucket {
            Bucket::Device(_) => true,
            Bucket::From(_) => !matches!(by, Admission::Device { .. }),
            Bucket::Strangers => matches!(by, Admission::Stranger { .. }),
        };
        *self.resets.entry(bucket).or_default() += u8::from(is_due);
    }

    pub(crate) fn spent_by(&self, caller: usize, bucket: Bucket) -> u8 {
        self.spent_by.get(&(caller, bucket)).copied().unwrap_or_default()
    }

    pub(crate) fn most_admissions(&self) -> usize {
        self.admitted.iter().map(|(bucket, _)| self.admission_times(*bucket).count()).max().unwrap_or_default()
    }

    fn admission_times(&self, bucket: Bucket) -> impl Iterator<Item = Time> + Clone {
        self.admitted.iter().filter(move |(spent, _)| *spent == bucket).map(|(_, at)| *at)
    }

    /// Returns whether, from each admission on, no more were admitted than the burst and the refill since.
    fn is_within_budget(&self, model: &AttemptModel, bucket: Bucket) -> bool {
        let budget = model.scope.budget;
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

    fn guesses_few(&self, limit: u8, bucket: Bucket) -> bool {
        let of = |counts: &BTreeMap<Bucket, u8>| counts.get(&bucket).copied().unwrap_or_default();
        of(&self.guesses) <= limit.saturating_mul(1 + of(&self.resets))
    }
}

pub(crate) fn properties() -> Vec<Property<AttemptModel>> {
    vec![
        Property::always(WITHIN_BUDGET, |model: &AttemptModel, world: &World| {
            world.places().all(|bucket| world.witness.is_within_budget(model, bucket))
        }),
        Property::always(PAID_FOR, |_, world: &World| world.witness.admitted.len() <= usize::from(world.witness.spent)),
        Property::always(FEW_FROM_STRANGERS, |model: &AttemptModel, world: &World| {
            model.scope.temporary || world.witness.guesses_few(model.scope.limit, Bucket::Strangers)
        }),
        Property::always(FEW_FROM_KNOWN, |model: &AttemptModel, world: &World| {
            world.places().all(|bucket| world.witness.guesses_few(model.scope.limit, bucket))
        }),
        Property::always(OWNER_NOT_KEPT_OUT, |_, world: &World| !world.witness.owner_kept_out),
    ]
}
