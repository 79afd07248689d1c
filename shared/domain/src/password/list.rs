//! The 10,000 most common passwords, the most common first: from the npm package `@zxcvbn-ts/language-common` 4.1.3,
//! copyright (c) 2012-2016 Dan Wheeler and Dropbox, Inc., copyright (c) 2021 @zxcvbn-ts, under the MIT licence that stands
//! in `common.txt.license`. Plain sequences and repetitions are not on it: [`pattern`](super::pattern) finds those.

use super::common::is_separator;

/// Entries on the list.
pub(super) const SIZE: u64 = 10_000;

const LIST: &str = include_str!("common.txt");

/// An entry of the list, somewhere in a text.
pub(super) struct Entry {
    /// In code points.
    pub(super) length: usize,
    /// On the list, from 1.
    pub(super) place: u64,
}

/// The list itself.
pub(super) fn entries() -> impl Iterator<Item = &'static str> {
    LIST.lines()
}

/// The entries that stand in `text`, by where they start. Without an index, which would cost memory and each start of the
/// process: passwords are seldom chosen, and reading the whole list takes a fiftieth of the time of the hash that follows.
pub(super) fn found_in(text: &[char]) -> Vec<Vec<Entry>> {
    let mut starts = [const { Vec::new() }; 128];
    for (start, c) in text.iter().enumerate() {
        if let Some(starts) = starts.get_mut(*c as usize) {
            starts.push(start);
        }
    }
    let mut found: Vec<Vec<Entry>> = text.iter().map(|_| Vec::new()).collect();
    for (place, entry) in (1..).zip(entries()) {
        for start in &starts[usize::from(entry.as_bytes()[0])] {
            let mut rest = text[*start..].iter();
            // As the text, without punctuation: `p@ssw0rd` is on the list.
            let mut letters = entry.chars().filter(|c| !is_separator(*c));
            if letters.all(|c| rest.next() == Some(&c)) {
                found[*start].push(Entry { length: text.len() - start - rest.len(), place });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn places_in(text: &str) -> Vec<(usize, u64)> {
        let text: Vec<char> = text.chars().collect();
        found_in(&text).iter().flatten().map(|entry| (entry.length, entry.place)).collect()
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
    fn the_most_common_come_first() {
        let first: Vec<&str> = entries().take(5).collect();
        assert_eq!(first, ["123456", "password", "12345678", "qwerty", "123456789"]);
    }

    #[test]
    fn the_licence_stands_beside_the_list() {
        let licence = include_str!("common.txt.license");
        assert!(licence.contains("Copyright (c) 2012-2016 Dan Wheeler and Dropbox, Inc."));
        assert!(licence.contains("THE SOFTWARE IS PROVIDED \"AS IS\""));
    }

    #[test]
    fn every_entry_is_found_in_its_place() {
        for (place, entry) in (1_u64..).zip(entries()).step_by(97) {
            let length = entry.len();
            assert!(places_in(&format!("ä{entry}ä")).contains(&(length, place)), "{entry}");
        }
    }

    #[test]
    fn an_entry_is_found_without_its_punctuation() {
        assert!(places_in("pssw0rd").iter().any(|(length, _)| *length == 7));
    }

    #[test]
    fn an_entry_that_breaks_off_is_not_found() {
        assert!(places_in("qazwsxedcrf").iter().all(|(length, _)| *length < 11));
    }
}
