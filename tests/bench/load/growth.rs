//! The growth of a process's memory in a run.

use crate::statistics::Samples;

/// The number of parts into which a run is cut.
const PARTS: usize = 10;

/// The resident memory of a process, in KiB: the medians of the second tenth of a run and of the last one.
///
/// In the first tenth, a process opens its connections, and its allocator gets what the largest requests need. After that, memory that is
/// never freed shows as a difference of the two medians, and a single reading does not matter. What is allowed is more than an allocator
/// varies without a leak: the heap grows in steps of 128 KiB, and which pages of it are free depends on the order of the requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    early: f64,
    /// The median of the last tenth.
    pub(crate) late: f64,
}

impl Growth {
    /// Compares readings that were taken at equal distances. `None` for fewer than ten of them.
    pub(crate) fn new(readings: &[u32]) -> Option<Self> {
        let part = readings.len() / PARTS;
        if part == 0 {
            return None;
        }
        Some(Self { early: median(&readings[part..2 * part]), late: median(&readings[readings.len() - part..]) })
    }

    /// Returns the growth, in KiB. It is negative where the memory has shrunk.
    pub(crate) fn grown(self) -> f64 {
        self.late - self.early
    }

    /// Returns the growth that is allowed, in KiB: 5 % and half a MiB.
    pub(crate) fn allowed(self) -> f64 {
        self.early * 0.05 + 512.0
    }

    /// Returns how much more the memory grew than is allowed, in KiB.
    pub(crate) fn excess(self) -> f64 {
        self.grown() - self.allowed()
    }

    /// Returns the smallest leak that is found, in bytes for each of the answers of the run.
    pub(crate) fn smallest_leak(self, answers: f64) -> f64 {
        // The middles of the two tenths are eight tenths of the run apart.
        self.allowed() * 1024.0 / (answers * 0.8)
    }
}

fn median(readings: &[u32]) -> f64 {
    let mut values = Samples::default();
    for reading in readings {
        values.push(f64::from(*reading));
    }
    values.median()
}
