//! The results of a bench, and the tables in which they are printed.

use std::fmt::Write as _;

/// The results of one bench.
#[derive(Debug)]
pub(crate) struct Section {
    /// The heading.
    pub(crate) title: String,
    /// The tables and sentences, in Markdown. It ends with a newline.
    pub(crate) markdown: String,
    /// A sentence for each bar that was missed.
    pub(crate) missed: Vec<String>,
}

/// A bar: a ratio or number that was measured, and its limit.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    /// The two things that are compared.
    pub(crate) what: String,
    /// The limit.
    pub(crate) limit: Limit,
    /// The measured value.
    pub(crate) measured: f64,
}

/// The limit of a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    /// The measured value may not be larger.
    AtMost(f64),
    /// The measured value may not be smaller.
    AtLeast(f64),
}

impl Bar {
    /// Returns a bar.
    pub(crate) fn new(what: impl Into<String>, limit: Limit, measured: f64) -> Self {
        Self { what: what.into(), limit, measured }
    }

    /// Returns whether the bar is met. A value that could not be measured meets none.
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

    /// Returns the sentence for a bar that was missed.
    pub(crate) fn sentence(&self) -> String {
        format!("{}: {}, but the bar is {}.", self.what, number(self.measured), self.limit_text())
    }
}

/// Returns the sentence of each bar that was missed.
pub(crate) fn missed(bars: &[Bar]) -> Vec<String> {
    bars.iter().filter(|bar| !bar.is_met()).map(Bar::sentence).collect()
}

/// Returns the bars as a table that says which are met.
pub(crate) fn bars_table(bars: &[Bar]) -> String {
    let mut table = Table::new(&["what", "bar", "measured", "met"]);
    for bar in bars {
        let met = if bar.is_met() { "yes" } else { "**no**" };
        table.row([bar.what.clone(), bar.limit_text(), number(bar.measured), met.to_owned()]);
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

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Returns the table in Markdown.
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
