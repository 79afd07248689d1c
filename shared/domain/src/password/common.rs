//! The check whether a password is too common, as [`NewPassword`](super::NewPassword) describes it.

use std::{collections::BTreeSet, ops::RangeInclusive};

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::{PasswordContext, SHORTEST, list, pattern, usual};

type Text = Zeroizing<Vec<char>>;

/// The number of guesses for any two entries of the list.
const TOO_FEW_GUESSES: u64 = list::SIZE * list::SIZE;

/// The number of guesses for a digit or a punctuation mark, if there are no words.
const GUESSES_FOR_A_DIGIT: u64 = 10;

/// The number of guesses for one character that fits no other piece, such as the last of `aaaaaaaaaaaaaab`.
const GUESSES_FOR_AN_ODD_CHARACTER: u64 = 100;

/// The number of guesses for a year, if there are no words: those of this and the last century.
const GUESSES_FOR_A_YEAR: u64 = 200;

/// The number of code points of the shortest word of a name that is looked for on its own. Initials would match too much.
const SHORTEST_WORD: usize = 3;

/// Returns whether an attacker would guess `normal`, which is in NFC, early.
pub(super) fn is_common(normal: &str, context: &PasswordContext<'_>) -> bool {
    let text = fold(normal);
    let words = known_words(context);
    let without_separators = without(&text, is_separator);
    // One letter beside digits is odd, and makes no word.
    if text.iter().filter(|c| !is_separator(**c) && !c.is_numeric()).count() > 1 {
        // With digits, for entries such as `passw0rd`, without them, for entries that digits were inserted into, and with the punctuation
        // that may replace a letter, for `p@$$word`.
        let letters = without(&without_separators, char::is_numeric);
        let spelled = without(&text, |c| is_separator(c) && letter(c) == c);
        let mut texts = vec![letters, without_separators, spelled];
        texts.dedup();
        repeats_a_short_text(&texts[0]) || texts.iter().any(|text| guesses(text, &words, letter, 1) <= TOO_FEW_GUESSES)
    } else {
        let separators: BTreeSet<char> = text.iter().copied().filter(|c| is_separator(*c)).collect();
        let guesses_for_separators =
            separators.iter().fold(1_u64, |guesses, _| guesses.saturating_mul(GUESSES_FOR_A_DIGIT));
        let guesses = |text: &[char]| guesses(text, &words, |c| c, GUESSES_FOR_A_DIGIT);
        repeats_a_short_text(&text)
            || guesses(&text) <= TOO_FEW_GUESSES
            || guesses(&without_separators).saturating_mul(guesses_for_separators) <= TOO_FEW_GUESSES
    }
}

/// Returns the fewest guesses that compose `text` of known pieces, or [`u64::MAX`] if it has other pieces. Words and entries are compared
/// by the representative that `letter` gives each character. One character may be odd: it fits no piece.
///
/// It makes one pass from left to right and keeps the fewest guesses that reach each position, with and without an odd character before it,
/// so that the time is quadratic in the length for any text.
fn guesses(text: &[char], words: &[(Vec<char>, u64)], letter: fn(char) -> char, for_a_digit: u64) -> u64 {
    let mut spelled = Zeroizing::new(Vec::with_capacity(text.len()));
    spelled.extend(text.iter().map(|c| letter(*c)));
    let words: Vec<(Vec<char>, u64)> =
        words.iter().map(|(word, guesses)| (word.iter().map(|c| letter(*c)).collect(), *guesses)).collect();
    let entries = list::found_in(&spelled, letter);
    let recurrences = pattern::recurrences(text);
    let mut fewest = vec![[u64::MAX; 2]; text.len() + 1];
    fewest[0][0] = 1;
    for at in 0..text.len() {
        if fewest[at].iter().all(|so_far| *so_far > TOO_FEW_GUESSES) {
            continue;
        }
        let (rest, so_far) = (&text[at..], fewest[at]);
        let mut reach = |lengths: RangeInclusive<usize>, guesses: u64| {
            for length in lengths {
                for (fewest, so_far) in fewest[at + length].iter_mut().zip(so_far) {
                    *fewest = (*fewest).min(so_far.saturating_mul(guesses));
                }
            }
        };
        if is_separator(rest[0]) || rest[0].is_numeric() {
            reach(1..=1, for_a_digit);
        }
        for (word, guesses) in words.iter().filter(|(word, _)| spelled[at..].starts_with(word)) {
            reach(word.len()..=word.len(), *guesses);
        }
        for entry in &entries[at] {
            reach(entry.length..=entry.length, entry.rank);
        }
        if let Some(length) = pattern::year(rest) {
            reach(length..=length, GUESSES_FOR_A_YEAR);
        }
        pattern::runs(rest).chain(pattern::repetitions(rest)).for_each(|lengths| reach(lengths, 1));
        reach(pattern::SHORTEST_RECURRENCE..=recurrences[at], 1);
        let odd = so_far[0].saturating_mul(GUESSES_FOR_AN_ODD_CHARACTER);
        fewest[at + 1][1] = fewest[at + 1][1].min(odd);
    }
    fewest[text.len()].into_iter().min().unwrap_or(u64::MAX)
}

/// Returns whether the text repeats fewer than [`SHORTEST`] code points. The last repetition may be incomplete, and one character may be
/// odd, in the place of another one or before or after the repetitions.
fn repeats_a_short_text(text: &[char]) -> bool {
    let longest = (SHORTEST - 1).min(text.len() / 2);
    text.len() >= pattern::SHORTEST && (1..=longest).any(|period| repeats_but_for_one(text, period))
}

/// Returns whether each character equals the one a period later, but for one odd character at most.
fn repeats_but_for_one(text: &[char], period: usize) -> bool {
    let unequal: Vec<usize> = (0..text.len() - period).filter(|at| text[*at] != text[at + period]).collect();
    let Some(first) = unequal.first() else { return true };
    // Every unequal pair has the odd character, whose neighbours a period away are equal.
    let explains = |odd: usize| {
        let neighbours = (odd.checked_sub(period).map(|before| text[before]), text.get(odd + period).copied());
        let fits = !matches!(neighbours, (Some(before), Some(after)) if before != after);
        fits && unequal.iter().all(|at| *at == odd || at + period == odd)
    };
    explains(*first) || explains(first + period)
}

/// Returns the words that an attacker knows, each with its guesses: each name as a whole, the words of the names, and the usual words.
fn known_words(context: &PasswordContext<'_>) -> Vec<(Vec<char>, u64)> {
    let user_name = context.user_name.as_str();
    let local = user_name.split_once('@').map_or(user_name, |(local, _)| local);
    let mut words = BTreeSet::new();
    for name in [local, context.company.id.as_str(), &context.company.name, context.product, context.vendor] {
        for name in spellings(&name.nfc().collect::<String>()) {
            let name = fold(&name);
            let parts = name.split(|c| c.is_whitespace()).chain(name.split(|c| is_separator(*c)));
            for word in parts.map(|word| without(word, is_separator)) {
                let letters = without(&word, char::is_numeric);
                words.extend(
                    [word, letters].iter().filter(|word| word.len() >= SHORTEST_WORD).map(|word| word.to_vec()),
                );
            }
            let whole = without(&name, is_separator);
            let letters = without(&whole, char::is_numeric);
            words.extend([whole, letters].iter().filter(|name| name.len() > 1).map(|name| name.to_vec()));
        }
    }
    let usual =
        usual::WORDS.split_whitespace().flat_map(spellings).map(|word| (word.chars().collect(), usual::GUESSES));
    words.into_iter().map(|word| (word, 1)).chain(usual).collect()
}

/// Returns a name as it is, and with the letters that a keyboard without umlauts has, if it has any.
fn spellings(name: &str) -> impl Iterator<Item = String> + use<> {
    let ascii = [("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("Ä", "Ae"), ("Ö", "Oe"), ("Ü", "Ue"), ("ß", "ss")]
        .iter()
        .fold(name.to_owned(), |name, (umlaut, letters)| name.replace(umlaut, letters));
    let differs = ascii != name;
    [Some(name.to_owned()), differs.then_some(ascii)].into_iter().flatten()
}

/// Returns the letter that `c` stands for in a password such as `p@ssw0rd`: the same for every character that people exchange for each
/// other, so `i`, `l` and `1` are one letter, and so are `e` and `é`.
fn letter(c: char) -> char {
    match c {
        '0' => 'o',
        'l' | '1' | '!' | '|' => 'i',
        '2' => 'z',
        '3' | '€' => 'e',
        '4' | '@' => 'a',
        '5' | '$' | '§' => 's',
        '6' | '9' => 'g',
        '7' | '+' => 't',
        '8' => 'b',
        '(' => 'c',
        c if c.is_ascii() => c,
        c => std::iter::once(c).nfd().next().filter(char::is_ascii_alphabetic).unwrap_or(c),
    }
}

/// Returns the text in lower case and in the compatible characters that any keyboard has: the full-width `Ｐａｓｓ` becomes `pass`. Each code
/// point is converted separately, so that its neighbours do not change the result and the text hardly grows.
fn fold(text: &str) -> Text {
    let folded = || text.chars().map(compatible).flat_map(char::to_lowercase);
    // Counted first, since growing would leave a copy behind that is not wiped.
    let mut text = Zeroizing::new(Vec::with_capacity(folded().count()));
    text.extend(folded());
    text
}

/// Returns the code point that NFKC replaces `c` with, or `c` if it is replaced with several.
fn compatible(c: char) -> char {
    let mut parts = std::iter::once(c).nfkc();
    match (parts.next(), parts.next()) {
        (Some(compatible), None) => compatible,
        _ => c,
    }
}

fn without(text: &[char], is_removed: impl Fn(char) -> bool) -> Text {
    let mut rest = Zeroizing::new(Vec::with_capacity(text.len()));
    rest.extend(text.iter().copied().filter(|c| !is_removed(*c)));
    rest
}

/// Returns whether `c` is a space, punctuation or invisible.
pub(super) fn is_separator(c: char) -> bool {
    let punctuation = c.is_ascii_punctuation()
        || matches!(c, '\u{a1}'..='\u{bf}' | '×' | '÷')
        // The blocks General Punctuation, Currency Symbols, and CJK Symbols and Punctuation.
        || matches!(c, '\u{2000}'..='\u{206f}' | '\u{20a0}'..='\u{20cf}' | '\u{3000}'..='\u{303f}');
    (punctuation && !c.is_alphanumeric()) || c.is_whitespace() || c.is_control()
}
