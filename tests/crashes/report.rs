//! The report of a run: a table by function and call, and for each violation the kills that preceded it.

use std::{collections::BTreeMap, fmt::Write as _, time::Instant};

use crate::injector::{Crash, Moment};

/// A violated invariant.
pub(crate) struct Violation {
    pub(crate) invariant: &'static str,
    pub(crate) customer: String,
    pub(crate) what: String,
}

/// The result of a run.
pub(crate) struct Report {
    pub(crate) test: &'static str,
    pub(crate) seed: u64,
    pub(crate) begun: Instant,
    pub(crate) crashes: Vec<Crash>,
    pub(crate) violations: Vec<Violation>,
    /// The calls at which the run was to kill a process and did not.
    pub(crate) missed: Vec<String>,
}

impl Report {
    /// Returns a table with a row for each function and call. A violation counts in the row of every kill that hit its customer.
    pub(crate) fn table(&self) -> String {
        let mut rows: BTreeMap<(&str, &str), [usize; 4]> = BTreeMap::new();
        for crash in &self.crashes {
            let row = rows.entry((crash.function(), crash.call.as_str())).or_default();
            row[crash.moment as usize] += 1;
            row[3] += self.violations.iter().filter(|violation| crash.concerns(&violation.customer)).count();
        }
        let mut table = String::from(
            "| function | call | killed before | after | any moment | violations |\n|---|---|--:|--:|--:|--:|\n",
        );
        for ((function, call), [before, after, any, violations]) in rows {
            writeln!(table, "| {function} | {call} | {before} | {after} | {any} | {violations} |").unwrap();
        }
        table
    }

    pub(crate) fn line(&self) -> String {
        format!("crashes: {} crashes, {} violations", self.crashes.len(), self.violations.len())
    }

    /// Describes the violations, the kills before them, and the command that repeats the run; returns `None` if nothing is wrong.
    pub(crate) fn complaint(&self) -> Option<String> {
        if self.violations.is_empty() && self.missed.is_empty() {
            return None;
        }
        let mut text = String::new();
        for Violation { invariant, customer, what } in &self.violations {
            writeln!(text, "{customer}: violated: {invariant}: {what}").unwrap();
            for crash in self.crashes.iter().filter(|crash| crash.concerns(customer)) {
                let at = crash.at.duration_since(self.begun).as_millis();
                let moment = match crash.moment {
                    Moment::Before => "before it was carried out",
                    Moment::After => "after it was carried out",
                    Moment::Any => "at any moment",
                };
                writeln!(text, "    {at:>6} ms: {} died at {}, {moment}", crash.process, crash.call).unwrap();
            }
        }
        for missed in &self.missed {
            writeln!(text, "no process was killed at {missed}: the call did not happen again").unwrap();
        }
        let again = format!(
            "FIRSTKEY_SEED={} cargo nextest run --workspace --test crashes -E 'test({})'",
            self.seed, self.test
        );
        writeln!(text, "to repeat: cargo build && {again} --no-capture").unwrap();
        Some(text)
    }
}
