//! The checks of measured values, and the tables in which results are printed.

use std::fmt::Write as _;

/// A ratio or number that was measured, and its limit.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    /// The measured quantity.
    pub(crate) what: String,
    pub(crate) limit: Limit,
    pub(crate) measured: f64,
}

/// The limit of a measured value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    /// The measured value may not be larger.
    AtMost(f64),
    /// The measured value may not be smaller.
    AtLeast(f64),
}

impl Check {
    pub(crate) fn new(what: impl Into<String>, limit: Limit, measured: f64) -> Self {
        Self { what: what.into(), limit, measured }
    }

    /// Returns whether the value is within its limit. A value that could not be measured is within none.
    pub(crate) fn is_met(&self) -> bool {
        match self.limit {
            Limit::AtMost(most) => self.measured <= most,
            Limit::AtLeast(least) => self.measured >= least,
        }
    }

    fn limit_text(&self) -> String {
        match self.limit {
            Limit::AtMost(most) => format!("at most {}", number(most)),
            Limit::AtLeast(least) => format!("at least {}", number(least)),
        }
    }

    /// Returns the sentence for a limit that is missed.
    pub(crate) fn sentence(&self) -> String {
        format!("{}: {}, but the limit is {}.", self.what, number(self.measured), self.limit_text())
    }
}

/// Returns the sentence of each limit that is missed.
pub(crate) fn missed(checks: &[Check]) -> Vec<String> {
    checks.iter().filter(|check| !check.is_met()).map(Check::sentence).collect()
}

/// Returns the checks as a table that says which limits are met.
pub(crate) fn checks_table(checks: &[Check]) -> String {
    let mut table = Table::new(&["what", "limit", "measured", "met"]);
    for check in checks {
        let met = if check.is_met() { "yes" } else { "**no**" };
        table.row([check.what.clone(), check.limit_text(), number(check.measured), met.to_owned()]);
    }
    table.markdown()
}

/// A table. Its first column is text, and the others are numbers.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Returns a table with these headings and no rows.
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = line(&self.head);
        let rules = (0..self.head.len()).map(|column| if column == 0 { "---" } else { "--:" });
        _ = writeln!(text, "|{}|", rules.collect::<Vec<_>>().join("|"));
        text.extend(self.rows.iter().map(|row| line(row)));
        text
    }
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// Returns a number with the digits that a reader needs: two after the point below 10, one below 100, and none above; whole numbers have
/// none. What is not a number is a dash.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let digits = match value.abs() {
        below if below < 9.995 => 2,
        below if below < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    match text.split_once('.') {
        Some((whole, "0" | "00")) => whole.to_owned(),
        _ => text,
    }
}
