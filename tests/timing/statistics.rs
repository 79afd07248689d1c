//! Whether times that belong to different cases differ by more than chance makes them.

use std::{fmt, time::Duration};

use ::tests::Chance;

use super::CASES;

/// Each case is tried twice a round: the one try belongs to its first series, the other to its second.
pub(crate) const SERIES: usize = 2;

/// What the tries of one round took: by case, then by series. They were made in an order that was drawn for this round.
pub(crate) type Round = [[Duration; SERIES]; CASES.len()];

/// The slowest case may take so much more than the quickest.
const MOST_APART: f64 = 0.05;

/// How often chance is asked.
const DRAWS: usize = 2_000;

/// The four medians, and what they are to be judged by. Differences are shares of the smaller median.
pub(crate) struct Comparison {
    tries: usize,
    medians: [Duration; CASES.len()],
    apart: f64,
    /// What 99 of 100 draws stay within.
    by_chance: f64,
    /// The largest difference between the two series of one case.
    one_case: f64,
}

impl Comparison {
    /// Of the medians, with what chance alone makes of the same times. The tries of a round are shared out among the cases
    /// anew, as the order of their trying was, so every "case" of a draw is one more run of the same thing; what a round
    /// has in common, a machine that is busy with something else, stays in its round.
    pub(crate) fn of(rounds: &[Round], chance: &mut Chance) -> Self {
        let medians = medians(rounds);
        let mut drawn = rounds.to_vec();
        let differences = (0..DRAWS).map(|_| {
            for round in &mut drawn {
                chance.shuffle(round.as_flattened_mut());
            }
            difference(&self::medians(&drawn))
        });
        let by_chance = what_99_of_100_stay_within(differences.collect());
        let series = |case: usize, series: usize| median(rounds.iter().map(|round| round[case][series]).collect());
        let between = |case| difference(&[series(case, 0), series(case, 1)]);
        Self {
            tries: rounds.len() * SERIES,
            medians,
            apart: difference(&medians),
            by_chance,
            one_case: (0..CASES.len()).map(between).fold(0.0, f64::max),
        }
    }

    /// Whether these times can show what is asked: where chance alone makes more, no difference says anything.
    pub(crate) fn tells(&self) -> bool {
        self.by_chance <= MOST_APART
    }

    /// Whether nobody can tell the cases apart by these times.
    pub(crate) fn is_one_time(&self) -> bool {
        self.apart <= MOST_APART.min(self.by_chance)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (case, median) in CASES.iter().zip(self.medians) {
            write!(f, "{} {:.2} ms, ", case.name, median.as_secs_f64() * 1000.0)?;
        }
        let [apart, by_chance, one_case, most] =
            [self.apart, self.by_chance, self.one_case, MOST_APART].map(|share| share * 100.0);
        let tries = self.tries;
        write!(f, "medians of {tries}: {apart:.2} % apart, of {most} % and of {by_chance:.2} % by chance; ")?;
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

/// Of the largest from the smallest, as a share of the smallest.
fn difference(medians: &[Duration]) -> f64 {
    let seconds = || medians.iter().map(Duration::as_secs_f64);
    seconds().fold(0.0, f64::max) / seconds().fold(f64::INFINITY, f64::min) - 1.0
}

fn what_99_of_100_stay_within(mut differences: Vec<f64>) -> f64 {
    differences.sort_unstable_by(f64::total_cmp);
    differences[differences.len() - differences.len() / 100 - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);

    /// A hundred rounds in which every try takes 20 ms and up to one more, by chance; and whatever `more` adds for its
    /// round and its case, in microseconds.
    fn tried(seed: u64, more: impl Fn(usize, usize) -> u32) -> Comparison {
        let mut chance = Chance::of(seed);
        let mut one = |round, case| {
            let by_chance = u32::try_from(chance.below(1_001)).expect("at most a thousand");
            MICROSECOND * (20_000 + by_chance + more(round, case))
        };
        let round = |round| std::array::from_fn(|case| std::array::from_fn(|_| one(round, case)));
        let rounds: Vec<_> = (0..100).map(round).collect();
        Comparison::of(&rounds, &mut chance)
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
    fn what_differs_by_chance_alone_is_one_time() {
        for seed in 1..=3 {
            let comparison = tried(seed, |_, _| 0);
            assert!(comparison.is_one_time(), "{comparison}");
        }
    }

    #[test]
    fn a_tenth_more_for_one_case_is_found() {
        for late in 0..CASES.len() {
            let comparison = tried(1, |_, case| if case == late { 2_000 } else { 0 });
            assert!(!comparison.is_one_time(), "{comparison}");
            assert!(
                comparison.tells() && comparison.apart > MOST_APART && comparison.apart > comparison.by_chance,
                "{comparison}"
            );
        }
    }

    #[test]
    fn less_than_5_percent_is_found_where_chance_does_not_make_it() {
        let comparison = tried(1, |_, case| if case == 2 { 400 } else { 0 });
        assert!(comparison.apart < MOST_APART && comparison.one_case < comparison.apart, "{comparison}");
        assert!(!comparison.is_one_time(), "{comparison}");
    }

    #[test]
    fn more_than_5_percent_is_too_much_even_where_chance_makes_it() {
        let comparison =
            Comparison { tries: 200, medians: Default::default(), apart: 0.06, by_chance: 0.08, one_case: 0.08 };
        assert!(!comparison.is_one_time() && !comparison.tells());
    }

    #[test]
    fn a_machine_that_is_busy_for_some_rounds_hides_no_difference() {
        let busy = |round: usize| if round.is_multiple_of(2) { 30_000 } else { 0 };
        let comparison = tried(1, |round, _| busy(round));
        assert!(comparison.is_one_time(), "{comparison}");
        let comparison = tried(1, |round, case| busy(round) + if case == 3 { 2_000 } else { 0 });
        assert!(!comparison.is_one_time(), "{comparison}");
    }

    #[test]
    fn one_draw_in_a_hundred_is_beyond_what_the_others_stay_within() {
        let draws: Vec<_> = (0..2_000).map(f64::from).collect();
        let within = what_99_of_100_stay_within(draws.iter().rev().copied().collect());
        assert_eq!(draws.iter().filter(|draw| **draw > within).count(), 20);
    }
}
