//! Compares the times of different cases with what random variation explains.

use std::{fmt, time::Duration};

use fastrand::Rng;

use super::CASES;

/// The number of attempts of each case in a round. The first belongs to the case's first series, the other to its second.
pub(crate) const SERIES: usize = 2;

/// The times of the attempts in one round, by case and series. The attempts were made in random order.
pub(crate) type Round = [[Duration; SERIES]; CASES.len()];

/// The largest allowed difference between the slowest and the fastest case.
const MAX_DIFFERENCE: f64 = 0.05;

/// The number of random permutations.
const PERMUTATIONS: usize = 2_000;

/// A comparison of the medians of the cases. Differences are shares of the smaller median.
pub(crate) struct Comparison {
    attempts: usize,
    medians: [Duration; CASES.len()],
    apart: f64,
    /// The 99th percentile of the differences between random permutations of the times.
    by_chance: f64,
    /// The largest difference between the two series of one case.
    one_case: f64,
}

impl Comparison {
    /// Compares the medians with the differences that random variation explains. Each permutation assigns the times within a round to the
    /// cases at random, so that its "cases" do not differ. A disturbance that affects a whole round, such as another process, stays in it.
    pub(crate) fn new(rounds: &[Round], random: &mut Rng) -> Self {
        let medians = medians(rounds);
        let mut drawn = rounds.to_vec();
        let differences = (0..PERMUTATIONS).map(|_| {
            for round in &mut drawn {
                random.shuffle(round.as_flattened_mut());
            }
            difference(&self::medians(&drawn))
        });
        let by_chance = percentile_99(differences.collect());
        let series = |case: usize, series: usize| median(rounds.iter().map(|round| round[case][series]).collect());
        let between = |case| difference(&[series(case, 0), series(case, 1)]);
        Self {
            attempts: rounds.len() * SERIES,
            medians,
            apart: difference(&medians),
            by_chance,
            one_case: (0..CASES.len()).map(between).fold(0.0, f64::max),
        }
    }

    /// Returns whether the times are precise enough: random variation alone explains no more than the allowed difference.
    pub(crate) fn is_conclusive(&self) -> bool {
        self.by_chance <= MAX_DIFFERENCE
    }

    /// Returns whether the times do not distinguish the cases.
    pub(crate) fn is_one_time(&self) -> bool {
        self.apart <= MAX_DIFFERENCE.min(self.by_chance)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (case, median) in CASES.iter().zip(self.medians) {
            write!(f, "{} {:.2} ms, ", case.name, median.as_secs_f64() * 1000.0)?;
        }
        let [apart, by_chance, one_case, most] =
            [self.apart, self.by_chance, self.one_case, MAX_DIFFERENCE].map(|share| share * 100.0);
        let attempts = self.attempts;
        write!(f, "medians of {attempts}: {apart:.2} % apart, of {most} % and of {by_chance:.2} % by chance; ")?;
        write!(f, "two series of one case {one_case:.2} %")
    }
}

fn medians(rounds: &[Round]) -> [Duration; CASES.len()] {
    std::array::from_fn(|case| median(rounds.iter().flat_map(|round| round[case]).collect()))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let middle = times.len() / 2;
    if times.len().is_multiple_of(2) { (times[middle - 1] + times[middle]) / 2 } else { times[middle] }
}

/// Returns the difference between the largest and the smallest median, as a share of the smallest.
fn difference(medians: &[Duration]) -> f64 {
    let seconds = || medians.iter().map(Duration::as_secs_f64);
    seconds().fold(0.0, f64::max) / seconds().fold(f64::INFINITY, f64::min) - 1.0
}

/// Returns the value that 99 of 100 differences do not exceed.
fn percentile_99(mut differences: Vec<f64>) -> f64 {
    differences.sort_unstable_by(f64::total_cmp);
    differences[differences.len() - differences.len() / 100 - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);

    /// Compares a hundred simulated rounds. Every attempt takes 20 ms and at random up to one more, and in addition the microseconds that
    /// `more` returns for its round and case.
    fn simulate(seed: u64, more: impl Fn(usize, usize) -> u32) -> Comparison {
        let mut random = Rng::with_seed(seed);
        let mut one = |round, case| {
            let by_chance = random.u32(..1_001);
            MICROSECOND * (20_000 + by_chance + more(round, case))
        };
        let round = |round| std::array::from_fn(|case| std::array::from_fn(|_| one(round, case)));
        let rounds: Vec<_> = (0..100).map(round).collect();
        Comparison::new(&rounds, &mut random)
    }

    #[test]
    fn the_median_is_the_middle_one_or_between_the_two_in_the_middle() {
        let median_of = |times: &[u32]| median(times.iter().map(|time| MICROSECOND * *time).collect());
        assert_eq!(median_of(&[900, 10, 50, 100, 30]), MICROSECOND * 50);
        assert_eq!(median_of(&[900, 10, 50, 100]), MICROSECOND * 75);
    }

    #[test]
    fn the_difference_is_a_share_of_the_smallest() {
        let share = difference(&[22, 20, 21, 20].map(|time| MICROSECOND * time));
        assert!((share - 0.1).abs() < 1e-9, "{share}");
    }

    #[test]
    fn random_variation_alone_passes() {
        for seed in 1..=3 {
            let comparison = simulate(seed, |_, _| 0);
            assert!(comparison.is_one_time(), "{comparison}");
        }
    }

    #[test]
    fn a_tenth_more_for_one_case_is_found() {
        for late in 0..CASES.len() {
            let comparison = simulate(1, |_, case| if case == late { 2_000 } else { 0 });
            assert!(!comparison.is_one_time(), "{comparison}");
            assert!(
                comparison.is_conclusive()
                    && comparison.apart > MAX_DIFFERENCE
                    && comparison.apart > comparison.by_chance,
                "{comparison}"
            );
        }
    }

    #[test]
    fn a_difference_below_5_percent_is_found_if_random_variation_does_not_explain_it() {
        let comparison = simulate(1, |_, case| if case == 2 { 400 } else { 0 });
        assert!(comparison.apart < MAX_DIFFERENCE && comparison.one_case < comparison.apart, "{comparison}");
        assert!(!comparison.is_one_time(), "{comparison}");
    }

    #[test]
    fn a_difference_above_5_percent_fails_even_if_random_variation_explains_it() {
        let comparison =
            Comparison { attempts: 200, medians: Default::default(), apart: 0.06, by_chance: 0.08, one_case: 0.08 };
        assert!(!comparison.is_one_time() && !comparison.is_conclusive());
    }

    #[test]
    fn a_machine_that_is_busy_for_some_rounds_hides_no_difference() {
        let busy = |round: usize| if round.is_multiple_of(2) { 30_000 } else { 0 };
        let comparison = simulate(1, |round, _| busy(round));
        assert!(comparison.is_one_time(), "{comparison}");
        let comparison = simulate(1, |round, case| busy(round) + if case == 3 { 2_000 } else { 0 });
        assert!(!comparison.is_one_time(), "{comparison}");
    }

    #[test]
    fn one_value_in_a_hundred_exceeds_the_99th_percentile() {
        let draws: Vec<_> = (0..2_000).map(f64::from).collect();
        let within = percentile_99(draws.iter().rev().copied().collect());
        assert_eq!(draws.iter().filter(|draw| **draw > within).count(), 20);
    }
}
