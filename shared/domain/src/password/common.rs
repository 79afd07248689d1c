//! The check whether a password is too common, as [`NewPassword`](super::NewPassword) describes it.

use std::{collections::BTreeSet, ops::RangeInclusive};

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::{PasswordContext, SHORTEST, list, pattern};

type Text = Zeroizing<Vec<char>>;

/// The number of guesses for any two entries of the list.
const TOO_FEW_GUESSES: u64 = list::SIZE * list::SIZE;

/// The number of guesses for a digit or a punctuation mark, if there are no letters.
const GUESSES_FOR_A_DIGIT: u64 = 10;

/// The number of code points of the shortest word of a name that is looked for on its own. Initials would match too much.
const SHORTEST_WORD: usize = 3;

/// Returns whether an attacker would guess `normal`, which is in NFC, early.
pub(super) fn is_common(normal: &str, context: &PasswordContext<'_>) -> bool {
    let text = fold(normal);
    let words = known_words(context);
    let without_separators = without(&text, is_separator);
    if text.iter().any(|c| !is_separator(*c) && !c.is_numeric()) {
        // With digits, for entries such as `passw0rd`, and without them, for entries that digits were inserted into.
        let letters = without(&without_separators, char::is_numeric);
        repeats_a_short_text(&letters)
            || guesses(&without_separators, &words, 1) <= TOO_FEW_GUESSES
            || (letters != without_separators && guesses(&letters, &words, 1) <= TOO_FEW_GUESSES)
    } else {
        let separators: BTreeSet<char> = text.iter().copied().filter(|c| is_separator(*c)).collect();
        let guesses_for_separators =
            separators.iter().fold(1_u64, |guesses, _| guesses.saturating_mul(GUESSES_FOR_A_DIGIT));
        repeats_a_short_text(&text)
            || guesses(&text, &words, GUESSES_FOR_A_DIGIT) <= TOO_FEW_GUESSES
            || guesses(&without_separators, &words, GUESSES_FOR_A_DIGIT).saturating_mul(guesses_for_separators)
                <= TOO_FEW_GUESSES
    }
}

/// Returns the fewest guesses that compose `text` of known pieces, or [`u64::MAX`] if it has other pieces.
///
/// It makes one pass from left to right and keeps the fewest guesses that reach each position, so that the time is quadratic in the length
/// for any text.
fn guesses(text: &[char], words: &BTreeSet<Vec<char>>, for_a_digit: u64) -> u64 {
    let entries = list::found_in(text);
    let recurrences = pattern::recurrences(text);
    let mut fewest = vec![u64::MAX; text.len() + 1];
    fewest[0] = 1;
    for at in 0..text.len() {
        let (so_far, rest) = (fewest[at], &text[at..]);
        if so_far > TOO_FEW_GUESSES {
            continue;
        }
        let mut reach = |lengths: RangeInclusive<usize>, guesses: u64| {
            for length in lengths {
                fewest[at + length] = fewest[at + length].min(so_far.saturating_mul(guesses));
            }
        };
        if is_separator(rest[0]) || rest[0].is_numeric() {
            reach(1..=1, for_a_digit);
        }
        for word in words.iter().filter(|word| rest.starts_with(word)) {
            reach(word.len()..=word.len(), 1);
        }
        for entry in &entries[at] {
            reach(entry.length..=entry.length, entry.rank);
        }
        pattern::runs(rest).chain(pattern::repetitions(rest)).for_each(|lengths| reach(lengths, 1));
        reach(pattern::SHORTEST_RECURRENCE..=recurrences[at], 1);
    }
    fewest[text.len()]
}

/// Returns whether the text repeats fewer than [`SHORTEST`] code points. The last repetition may be incomplete.
fn repeats_a_short_text(text: &[char]) -> bool {
    let longest = (SHORTEST - 1).min(text.len() / 2);
    text.len() >= pattern::SHORTEST
        && (1..=longest).any(|length| text.iter().eq(text[..length].iter().cycle().take(text.len())))
}

/// Returns the words of the names that an attacker knows, and each name as a whole.
fn known_words(context: &PasswordContext<'_>) -> BTreeSet<Vec<char>> {
    let user_name = context.user_name.as_str();
    let local = user_name.split_once('@').map_or(user_name, |(local, _)| local);
    let mut words = BTreeSet::new();
    for name in [local, context.company.id.as_str(), &context.company.name, context.product] {
        let name = fold(&name.nfc().collect::<String>());
        let parts = name.split(|c| c.is_whitespace()).chain(name.split(|c| is_separator(*c)));
        for word in parts.map(|word| without(word, is_separator)) {
            let letters = without(&word, char::is_numeric);
            words.extend([word, letters].iter().filter(|word| word.len() >= SHORTEST_WORD).map(|word| word.to_vec()));
        }
        let whole = without(&name, is_separator);
        let letters = without(&whole, char::is_numeric);
        words.extend([whole, letters].iter().filter(|name| name.len() > 1).map(|name| name.to_vec()));
    }
    words
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
