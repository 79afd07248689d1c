//! The whole history as a file.

use std::ops::ControlFlow;

use domain::SubscriptionId;
use serde_json::json;
use web::Reply;

use crate::row::Row;

/// The maximum number of entries in a file.
const MOST_ENTRIES: usize = 10_000;

/// The maximum size of a file in bytes, as Lambda counts them. An answer of Lambda can have 6 MB.
const LARGEST: usize = 5 * 1024 * 1024;

/// The text of the last line where the history has more entries than the file.
const MORE: &str = "There are older entries, which this file has no room for.";

domain::text_enum! {
    /// The format of a file.
    pub(crate) enum Format {
        /// One JSON object in each line.
        JsonLines = "json-lines",
        /// Comma-separated values (RFC 4180), with a line of names.
        Csv = "csv",
    }
}

/// A file that grows line by line.
pub(crate) struct File {
    format: Format,
    text: String,
    size: usize,
    entries: usize,
}

impl File {
    /// Returns a file without entries.
    pub(crate) fn new(format: Format) -> Self {
        let text = match format {
            Format::JsonLines => String::new(),
            Format::Csv => csv_line(Row::FIELDS),
        };
        Self { format, size: escaped_size(&text), text, entries: 0 }
    }

    /// Adds an entry. Where there is no room for it, the last line says that there are more, and the file is full.
    pub(crate) fn push(&mut self, row: &Row) -> ControlFlow<()> {
        let line = match self.format {
            Format::JsonLines => serde_json::to_string(row).expect("a row has no map") + "\n",
            Format::Csv => csv_line(row.cells()),
        };
        let size = self.size + escaped_size(&line);
        if self.entries == MOST_ENTRIES || size > LARGEST {
            self.text += &self.last_line();
            return ControlFlow::Break(());
        }
        self.text += &line;
        (self.size, self.entries) = (size, self.entries + 1);
        ControlFlow::Continue(())
    }

    fn last_line(&self) -> String {
        match self.format {
            Format::JsonLines => json!({ "truncated": true, "message": MORE }).to_string() + "\n",
            Format::Csv => csv_line(["", "", "truncated", "", "", "", MORE]),
        }
    }

    /// Returns the answer with the file.
    pub(crate) fn into_reply(self, subscription: &SubscriptionId) -> Reply {
        let (extension, media_type) = match self.format {
            Format::JsonLines => ("jsonl", "application/jsonl"),
            Format::Csv => ("csv", "text/csv; charset=utf-8; header=present"),
        };
        web::reply::file(&format!("history-{subscription}.{extension}"), media_type, self.text)
    }
}

/// Returns how many bytes a text has in the answer of Lambda, which holds it as a JSON string.
fn escaped_size(text: &str) -> usize {
    text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'\r')).count()
}

fn csv_line<T: AsRef<str>>(cells: [T; 7]) -> String {
    cells.map(|cell| csv_cell(cell.as_ref())).join(",") + "\r\n"
}

/// Returns the text of a cell. A spreadsheet would run a text that begins like a formula, so an apostrophe precedes it.
fn csv_cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { "'" } else { "" };
    if text.contains([',', '"', '\r', '\n']) {
        return format!("\"{guard}{}\"", text.replace('"', "\"\""));
    }
    format!("{guard}{text}")
}

#[cfg(test)]
mod tests {
    use domain::{Actor, HistoryEntry, Issue, Label, PersonId, Timestamp};

    use super::*;

    fn entry(detail: &str) -> HistoryEntry {
        HistoryEntry {
            seq: Some(7),
            at: Timestamp::from_epoch_seconds(0),
            what: "issued".into(),
            by: Label::from_stored("vendor".into(), None),
            who: Some(Actor::VENDOR),
            issue: Issue::FIRST,
            detail: Some(detail.to_owned()),
            reason: None,
        }
    }

    fn file(format: Format, detail: &str, entries: usize) -> File {
        let (mut file, entry) = (File::new(format), entry(detail));
        let row = Row::new(&entry, PersonId::from_account("a"));
        let _ = (0..entries).try_for_each(|_| file.push(&row));
        file
    }

    #[test]
    fn a_cell_that_looks_like_a_formula_gets_an_apostrophe() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert_eq!(csv_cell(formula), format!("'{formula}"));
        }
        assert_eq!(csv_cell("=HYPERLINK(\"x\",\"y\")"), "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\"");
        assert_eq!(csv_cell("\r=1"), "\"'\r=1\"");
        assert_eq!(["a=1", "", "k•@b.example"].map(csv_cell), ["a=1", "", "k•@b.example"]);
        assert_eq!(csv_cell("a,b"), "\"a,b\"");
    }

    #[test]
    fn both_formats_have_every_field() {
        let json = file(Format::JsonLines, "=1", 1).text;
        let expected = r#"{"seq":7,"at":"1970-01-01T00:00:00Z","what":"issued","by":"vendor","you":false,"issue":1,"detail":"=1"}"#;
        assert_eq!(json, expected.to_owned() + "\n");
        let csv = file(Format::Csv, "=1", 1).text;
        assert_eq!(csv, "seq,at,what,by,you,issue,detail\r\n7,1970-01-01T00:00:00Z,issued,vendor,false,1,'=1\r\n");
    }

    #[test]
    fn a_file_has_at_most_ten_thousand_entries_and_says_that_there_are_more() {
        for format in Format::ALL {
            let header = usize::from(format == Format::Csv);
            let whole = file(format, "", MOST_ENTRIES).text;
            assert_eq!((whole.lines().count(), whole.contains("truncated")), (MOST_ENTRIES + header, false));
            let cut = file(format, "", MOST_ENTRIES + 1).text;
            assert_eq!(cut.lines().count(), MOST_ENTRIES + header + 1);
            assert!(cut.lines().last().unwrap().contains("truncated") && cut.contains(MORE));
        }
    }

    #[test]
    fn a_file_fits_into_an_answer_of_lambda_however_its_text_is_escaped() {
        for format in Format::ALL {
            let text = file(format, &"\"".repeat(600), MOST_ENTRIES).text;
            let answer = serde_json::to_string(&text).unwrap();
            assert!((LARGEST - 10_000..LARGEST + 1000).contains(&answer.len()), "{}", answer.len());
            assert!(text.lines().last().unwrap().contains("truncated"));
        }
    }
}
