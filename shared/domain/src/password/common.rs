//! Whether a password is too common: the rule that [`NewPassword`](super::NewPassword) tells.

use std::{collections::BTreeSet, ops::RangeInclusive};

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::{PasswordContext, SHORTEST, list, pattern};

type Text = Zeroizing<Vec<char>>;

/// Any two entries of the list.
const TOO_FEW_TRIES: u64 = list::SIZE * list::SIZE;

/// The tries for a digit, or a punctuation mark, where there are no letters.
const TRIES_FOR_A_DIGIT: u64 = 10;

/// Code points of the shortest word of a name that is looked for by itself: initials would cover too much.
const SHORTEST_WORD: usize = 3;

/// Whether `normal`, under NFC, is among the first that a guesser would try.
pub(super) fn is_common(normal: &str, context: &PasswordContext<'_>) -> bool {
    let text = fold(normal);
    let words = words_of(context);
    let without_separators = without(&text, is_separator);
    if text.iter().any(|c| !is_separator(*c) && !c.is_numeric()) {
        // With the digits, for entries such as `passw0rd`; and without, for what they were put between.
        let letters = without(&without_separators, char::is_numeric);
        is_short_text_said_again(&letters)
            || tries(&without_separators, &words, 1) <= TOO_FEW_TRIES
            || (letters != without_separators && tries(&letters, &words, 1) <= TOO_FEW_TRIES)
    } else {
        let separators: BTreeSet<char> = text.iter().copied().filter(|c| is_separator(*c)).collect();
        let tries_for_separators = separators.iter().fold(1_u64, |tries, _| tries.saturating_mul(TRIES_FOR_A_DIGIT));
        is_short_text_said_again(&text)
            || tries(&text, &words, TRIES_FOR_A_DIGIT) <= TOO_FEW_TRIES
            || tries(&without_separators, &words, TRIES_FOR_A_DIGIT).saturating_mul(tries_for_separators)
                <= TOO_FEW_TRIES
    }
}

/// The fewest tries in which `text` is put together from known pieces, [`u64::MAX`] where it is not made of such pieces alone.
///
/// One pass from left to right, each place knowing the fewest tries that reach it: the work grows with the square of the
/// length, whatever the text.
fn tries(text: &[char], words: &BTreeSet<Vec<char>>, for_a_digit: u64) -> u64 {
    let entries = list::found_in(text);
    let said_before = pattern::said_before(text);
    let mut fewest = vec![u64::MAX; text.len() + 1];
    fewest[0] = 1;
    for at in 0..text.len() {
        let (so_far, rest) = (fewest[at], &text[at..]);
        if so_far > TOO_FEW_TRIES {
            continue;
        }
        let mut reach = |lengths: RangeInclusive<usize>, tries: u64| {
            for length in lengths {
                fewest[at + length] = fewest[at + length].min(so_far.saturating_mul(tries));
            }
        };
        if is_separator(rest[0]) || rest[0].is_numeric() {
            reach(1..=1, for_a_digit);
        }
        for word in words.iter().filter(|word| rest.starts_with(word)) {
            reach(word.len()..=word.len(), 1);
        }
        for entry in &entries[at] {
            reach(entry.length..=entry.length, entry.place);
        }
        pattern::runs(rest).chain(pattern::repetitions(rest)).for_each(|lengths| reach(lengths, 1));
        reach(pattern::SHORTEST_SAID_BEFORE..=said_before[at], 1);
    }
    fewest[text.len()]
}

/// Whether it is fewer than [`SHORTEST`] code points, over and over; the last time may break off.
fn is_short_text_said_again(text: &[char]) -> bool {
    let longest = (SHORTEST - 1).min(text.len() / 2);
    text.len() >= pattern::SHORTEST
        && (1..=longest).any(|length| text.iter().eq(text[..length].iter().cycle().take(text.len())))
}

/// The words of the names that a guesser knows, and each name as a whole.
fn words_of(context: &PasswordContext<'_>) -> BTreeSet<Vec<char>> {
    let user_name = context.user_name.as_str();
    let local = user_name.split_once('@').map_or(user_name, |(local, _)| local);
    let mut words = BTreeSet::new();
    for name in [local, context.company.id.as_str(), &context.company.name, context.product] {
        let name = fold(&name.nfc().collect::<String>());
        let spoken = name.split(|c| c.is_whitespace()).chain(name.split(|c| is_separator(*c)));
        for word in spoken.map(|word| without(word, is_separator)) {
            let letters = without(&word, char::is_numeric);
            words.extend([word, letters].iter().filter(|word| word.len() >= SHORTEST_WORD).map(|word| word.to_vec()));
        }
        let whole = without(&name, is_separator);
        let letters = without(&whole, char::is_numeric);
        words.extend([whole, letters].iter().filter(|name| name.len() > 1).map(|name| name.to_vec()));
    }
    words
}

/// In lower case, and as any keyboard types it: `Ｐａｓｓ` of a Japanese one is `pass`. One code point at a time, so that
/// what stands beside a text does not change how it is read, and so that it hardly grows.
fn fold(text: &str) -> Text {
    let folded = || text.chars().map(compatible).flat_map(char::to_lowercase);
    // Counted first, since growing would leave a copy behind that nobody wipes.
    let mut text = Zeroizing::new(Vec::with_capacity(folded().count()));
    text.extend(folded());
    text
}

/// The code point that stands for `c` under NFKC, where one does.
fn compatible(c: char) -> char {
    let mut parts = std::iter::once(c).nfkc();
    match (parts.next(), parts.next()) {
        (Some(compatible), None) => compatible,
        _ => c,
    }
}

fn without(text: &[char], left_out: impl Fn(char) -> bool) -> Text {
    let mut kept = Zeroizing::new(Vec::with_capacity(text.len()));
    kept.extend(text.iter().copied().filter(|c| !left_out(*c)));
    kept
}

/// Spaces, punctuation, and what is not seen.
pub(super) fn is_separator(c: char) -> bool {
    let punctuation = c.is_ascii_punctuation()
        || matches!(c, '\u{a1}'..='\u{bf}' | '×' | '÷')
        // The blocks General Punctuation, Currency Symbols, and CJK Symbols and Punctuation.
        || matches!(c, '\u{2000}'..='\u{206f}' | '\u{20a0}'..='\u{20cf}' | '\u{3000}'..='\u{303f}');
    (punctuation && !c.is_alphanumeric()) || c.is_whitespace() || c.is_control()
}
