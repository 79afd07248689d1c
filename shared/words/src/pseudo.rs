//! English from right to left, every word of ours in brackets: what is not in brackets on a page is not translated, and what does not
//! mirror is laid out by hand.

use std::sync::LazyLock;

use crate::{Part, Words, en, parts};

static WORDS: LazyLock<Words> = LazyLock::new(|| Words { direction: "rtl", ..en::WORDS.map(bracketed) });

/// Made when first asked for, and kept.
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

/// Longer, as translations of English are.
fn accented(text: &str) -> String {
    let vowel = |c: char| match c {
        'a' => "áa".to_owned(),
        'e' => "ée".to_owned(),
        'o' => "ö".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(vowel).collect()
}
