//! A report of the faults that were tried and the violations that they caused.

use std::collections::{BTreeMap, BTreeSet};

/// A table of the cases that were tried, by row and column.
#[derive(Default)]
pub(crate) struct Report {
    /// The number of cases that were tried, and of those that failed.
    tried: BTreeMap<(String, String), (u32, u32)>,
    /// Further counts, shown in columns of their own.
    notes: BTreeMap<(String, String), u32>,
    violations: u32,
}

impl Report {
    pub(crate) fn add(&mut self, row: &str, column: &str, violation: Option<String>) {
        let counts = self.tried.entry((row.to_owned(), column.to_owned())).or_default();
        counts.0 += 1;
        if let Some(violation) = violation {
            println!("{violation}");
            counts.1 += 1;
            self.violations += 1;
        }
    }

    pub(crate) fn note(&mut self, row: &str, column: &str, count: usize) {
        *self.notes.entry((row.to_owned(), column.to_owned())).or_default() += u32::try_from(count).unwrap_or(u32::MAX);
    }

    /// Prints the report and fails if there was any violation.
    pub(crate) fn finish(self, title: &str) {
        let rows: BTreeSet<_> = self.tried.keys().map(|(row, _)| row).collect();
        let columns: BTreeSet<_> = self.tried.keys().chain(self.notes.keys()).map(|(_, column)| column).collect();
        let titles: Vec<_> = columns.iter().map(|column| column.as_str()).collect();
        println!("| {title} | {} |\n|---|{}", titles.join(" | "), "---|".repeat(columns.len()));
        for row in rows {
            let cells: Vec<_> = columns.iter().map(|column| self.cell(row, column)).collect();
            println!("| {row} | {} |", cells.join(" | "));
        }
        let tried: u32 = self.tried.values().map(|(tried, _)| tried).sum();
        println!("faults: {tried} tried, {} violations", self.violations);
        assert!(self.violations == 0, "the violations are printed above");
    }

    fn cell(&self, row: &str, column: &str) -> String {
        let cell = &(row.to_owned(), column.to_owned());
        match self.tried.get(cell) {
            None => self.notes.get(cell).map_or_else(|| "–".to_owned(), u32::to_string),
            Some((tried, 0)) => tried.to_string(),
            Some((tried, failed)) => format!("{tried}, **{failed} failed**"),
        }
    }
}
