//! What needs no list to be guessed: runs, repetitions, and what has been said before.

use std::ops::RangeInclusive;

/// Code points of the shortest pattern.
pub(super) const SHORTEST: usize = 3;

/// Code points of the shortest text that counts for nothing because it stood earlier.
pub(super) const SHORTEST_SAID_BEFORE: usize = 3;

/// Code points of the longest text that counts for nothing because it is repeated at once. Five letters at random are 26⁵ tries,
/// within the limit; six are over it.
const LONGEST_REPEATED: usize = 5;

/// Rows of keyboards: English, German, French, Russian; the digits with shift; and the columns of an English one.
const ROWS: [&str; 20] = [
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
];

/// The lengths that a run at the start of `text` can have, for each order that it follows: the alphabet's (any script's, by
/// code point; digits in a circle) or a row's, forwards or backwards. A run may dwell: `112233`.
pub(super) fn runs(text: &[char]) -> impl Iterator<Item = RangeInclusive<usize>> {
    let alphabet = [run(text, next_in_alphabet), run(text, |a, b| next_in_alphabet(b, a))];
    let rows = ROWS
        .iter()
        .flat_map(|row| [run(text, |a, b| next_in_row(row, a, b)), run(text, |a, b| next_in_row(row, b, a))]);
    alphabet.into_iter().chain(rows).flatten()
}

/// The lengths that a repetition at the start of `text` can have, for each length of what is repeated; the last time may
/// break off.
pub(super) fn repetitions(text: &[char]) -> impl Iterator<Item = RangeInclusive<usize>> {
    (1..=LONGEST_REPEATED.min(text.len())).map(move |repeated| {
        let more = text[repeated..].iter().zip(text).take_while(|(a, b)| a == b).count();
        SHORTEST.max(2 * repeated)..=repeated + more
    })
}

/// For each place, the length of the longest text there that has stood before it. In the square of the length.
pub(super) fn said_before(text: &[char]) -> Vec<usize> {
    let mut longest = vec![0; text.len()];
    // How far the texts at `at` and at each earlier place agree, from how far those one further on do.
    let mut agree = vec![0; text.len() + 1];
    for at in (0..text.len()).rev() {
        for earlier in 0..at {
            agree[earlier] = if text[earlier] == text[at] { agree[earlier + 1] + 1 } else { 0 };
            longest[at] = longest[at].max(agree[earlier].min(at - earlier));
        }
    }
    longest
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
    fn a_repetition_is_said_twice_and_makes_three() {
        let of = |text: &str| repetitions(&chars(text)).filter(|lengths| !lengths.is_empty()).collect::<Vec<_>>();
        assert_eq!(of("aa"), []);
        assert_eq!(of("aaa"), [3..=3]);
        assert_eq!(of("abab"), [4..=4]);
        assert_eq!(of("abcabca"), [6..=7]);
        assert_eq!(of("abcdeabcde"), [10..=10]);
        assert_eq!(of("abcdefabcdef"), []);
        assert_eq!(of(""), []);
    }

    #[test]
    fn what_was_said_before_ends_before_it_is_said_again() {
        assert_eq!(said_before(&chars("abcxabcx")), [0, 0, 0, 0, 4, 3, 2, 1]);
        assert_eq!(said_before(&chars("aaaa")), [0, 1, 2, 1]);
        assert_eq!(said_before(&[]), [0_usize; 0]);
    }
}
