//! Patterns that an attacker guesses without a list: runs, repetitions, and text that occurred earlier.

use std::ops::RangeInclusive;

/// The number of code points of the shortest pattern.
pub(super) const SHORTEST: usize = 3;

/// The number of code points of the shortest text that adds no guesses because it occurred earlier.
pub(super) const SHORTEST_RECURRENCE: usize = 3;

/// The number of code points of the longest text that adds no guesses because it is repeated immediately. Five random letters are 26⁵
/// guesses, which is within the limit; six are over it.
const LONGEST_REPEATED: usize = 5;

/// The rows of English, German, French and Russian keyboards, the digit row with shift, the columns of these keyboards, and those of a
/// keypad.
const ROWS: [&str; 29] = [
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiopü",
    "asdfghjklöä",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
    "йцукенгшщзхъ",
    "фывапролджэ",
    "ячсмитьбю",
    "!@#$%^&*()_+",
    "!\"§$%&/()=?",
    "qaz",
    "wsx",
    "edc",
    "rfv",
    "tgb",
    "yhn",
    "ujm",
    "qay",
    "zhn",
    "aqw",
    "zsx",
    "147",
    "258",
    "369",
    "159",
];

/// Returns the possible lengths of a run at the start of `text`, for each order that it follows: an alphabet of any script by code point
/// (`0` follows `9`) or a keyboard row, forwards or backwards. A run may repeat characters, as in `112233`.
pub(super) fn runs(text: &[char]) -> impl Iterator<Item = RangeInclusive<usize>> {
    let alphabet = [run(text, next_in_alphabet), run(text, |a, b| next_in_alphabet(b, a))];
    let rows = ROWS
        .iter()
        .flat_map(|row| [run(text, |a, b| next_in_row(row, a, b)), run(text, |a, b| next_in_row(row, b, a))]);
    alphabet.into_iter().chain(rows).flatten()
}

/// Returns the possible lengths of a repetition at the start of `text`, for each length of the repeated part. The last repetition may be
/// incomplete.
pub(super) fn repetitions(text: &[char]) -> impl Iterator<Item = RangeInclusive<usize>> {
    (1..=LONGEST_REPEATED.min(text.len())).map(move |repeated| {
        let more = text[repeated..].iter().zip(text).take_while(|(a, b)| a == b).count();
        SHORTEST.max(2 * repeated)..=repeated + more
    })
}

/// Returns for each position the length of the longest text there that also occurs before it. The time is quadratic in the length.
pub(super) fn recurrences(text: &[char]) -> Vec<usize> {
    let mut longest = vec![0; text.len()];
    // The common prefix of the texts at `at` and at each earlier position, computed from those one position later.
    let mut common = vec![0; text.len() + 1];
    for at in (0..text.len()).rev() {
        for earlier in 0..at {
            common[earlier] = if text[earlier] == text[at] { common[earlier + 1] + 1 } else { 0 };
            longest[at] = longest[at].max(common[earlier].min(at - earlier));
        }
    }
    longest
}

/// Returns the length of a year of this and the last century at the start of `text`.
pub(super) fn year(text: &[char]) -> Option<usize> {
    let is_year =
        matches!(text, ['1', '9', a, b, ..] | ['2', '0', a, b, ..] if a.is_ascii_digit() && b.is_ascii_digit());
    is_year.then_some(4)
}

fn run(text: &[char], next: impl Fn(char, char) -> bool) -> Option<RangeInclusive<usize>> {
    let (mut length, mut different, mut shortest) = (1, 1, None);
    for pair in text.windows(2) {
        if pair[0] != pair[1] {
            if !next(pair[0], pair[1]) {
                break;
            }
            different += 1;
        }
        length += 1;
        if different == SHORTEST && shortest.is_none() {
            shortest = Some(length);
        }
    }
    shortest.map(|shortest| shortest..=length)
}

fn next_in_alphabet(a: char, b: char) -> bool {
    u32::from(a) + 1 == u32::from(b) || (a, b) == ('9', '0')
}

fn next_in_row(row: &str, a: char, b: char) -> bool {
    row.chars().zip(row.chars().skip(1)).any(|pair| pair == (a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    fn longest_run(text: &str) -> Option<usize> {
        runs(&chars(text)).map(|lengths| *lengths.end()).max()
    }

    #[test]
    fn a_run_follows_one_order_in_one_direction() {
        for (text, length) in [
            ("abcdef", Some(6)),
            ("fedcba", Some(6)),
            ("abcba", Some(3)),
            ("abd", None),
            ("ab", None),
            ("aaa", None),
            ("", None),
            ("aabbcc", Some(6)),
            ("789012", Some(6)),
            ("210987", Some(6)),
            ("qwertz", Some(6)),
            ("qwerty", Some(6)),
            ("trewq", Some(5)),
            ("qazx", Some(3)),
            ("фыва", Some(4)),
        ] {
            assert_eq!(longest_run(text), length, "{text}");
        }
    }

    #[test]
    fn a_run_has_three_different_members() {
        let lengths: Vec<_> = runs(&chars("aabbccdd")).collect();
        assert_eq!(lengths, [5..=8]);
    }

    #[test]
    fn a_repetition_occurs_twice_and_has_three_characters() {
        let lengths = |text: &str| repetitions(&chars(text)).filter(|lengths| !lengths.is_empty()).collect::<Vec<_>>();
        assert_eq!(lengths("aa"), []);
        assert_eq!(lengths("aaa"), [3..=3]);
        assert_eq!(lengths("abab"), [4..=4]);
        assert_eq!(lengths("abcabca"), [6..=7]);
        assert_eq!(lengths("abcdeabcde"), [10..=10]);
        assert_eq!(lengths("abcdefabcdef"), []);
        assert_eq!(lengths(""), []);
    }

    #[test]
    fn a_year_is_of_this_or_the_last_century() {
        for (text, length) in [("1984", Some(4)), ("20267", Some(4)), ("1884", None), ("202", None), ("20a6", None)] {
            assert_eq!(year(&chars(text)), length, "{text}");
        }
    }

    #[test]
    fn a_recurrence_does_not_overlap_its_first_occurrence() {
        assert_eq!(recurrences(&chars("abcxabcx")), [0, 0, 0, 0, 4, 3, 2, 1]);
        assert_eq!(recurrences(&chars("aaaa")), [0, 1, 2, 1]);
        assert_eq!(recurrences(&[]), [0_usize; 0]);
    }
}
