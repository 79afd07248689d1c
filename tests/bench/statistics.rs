//! Medians and percentiles.

use std::time::Duration;

/// The values of one measured quantity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Adds a time, in milliseconds.
    pub(crate) fn push_time(&mut self, time: Duration) {
        self.push(milliseconds(time));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the median: the middle value, or the mean of the two in the middle. NaN without values.
    pub(crate) fn median(&self) -> f64 {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        match (sorted.len() % 2, sorted.get(middle)) {
            (_, None) => f64::NAN,
            (1, Some(value)) => *value,
            (_, Some(value)) => f64::midpoint(sorted[middle - 1], *value),
        }
    }

    /// Returns the smallest value that at least `percent` of the values do not exceed (nearest rank). NaN without values.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let sorted = self.sorted();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
