//! A pseudo-language for tests: English from right to left, every text in brackets. Text on a page without brackets is not translated, and
//! a layout that does not mirror has fixed sides.

use std::sync::LazyLock;

use crate::{Part, Words, en, parts};

static WORDS: LazyLock<Words> = LazyLock::new(|| Words { direction: "rtl", ..en::WORDS.map(bracketed) });

/// Returns the texts, built on first use.
pub(crate) fn words() -> &'static Words {
    &WORDS
}

fn bracketed(english: &'static str) -> &'static str {
    let inside: String = parts(english)
        .map(|part| match part {
            Part::Text(text) => accented(text),
            Part::Place(name) => format!("{{{name}}}"),
        })
        .collect();
    format!("[{inside}]").leak()
}

/// Lengthens a text, because translations of English are usually longer.
fn accented(text: &str) -> String {
    let vowel = |c: char| match c {
        'a' => "áa".to_owned(),
        'e' => "ée".to_owned(),
        'o' => "ö".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(vowel).collect()
}
