//! Translations of every text that people read, one file for each language. A text that a language lacks fails the build.
//!
//! | file | holds |
//! |---|---|
//! | `en.rs` | English, from which the other languages are translated |
//! | `de.rs` | German |
//! | `keys.rs` | the keys of the texts |
//! | `sentences.rs` | dates, lists and sentences that are made of the codes and times of `domain` |
//! | `history.rs` | the words for the entries of a history, also in notices |
//! | `pseudo.rs` | a pseudo-language for tests: English from right to left, every text in brackets |
//!
//! A text may have placeholders, `{name}`, which [`parts`] finds. A value that fills a placeholder is plain text, never markup. To add a
//! language, copy `en.rs`, translate it, and add it to [`Language`].

mod de;
mod en;
mod history;
mod keys;
mod pseudo;
mod sentences;

pub use history::{NoticeWords, history_author, history_detail, history_entry, masked_author, notice, unmasked_author};
pub use keys::Words;
pub use sentences::{blank_reason, date, mail_detail, person, person_first};

/// A language into which every text is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
    /// The pseudo-language for tests. No page offers it, and no `Accept-Language` selects it: see [`Languages`].
    Pseudo,
}

/// The languages that a function knows by their codes: those that people can choose, and the pseudo-language only where a setting asks
/// for it, so that no visitor can make a deployed page show it.
#[derive(Clone, Copy, Debug)]
pub struct Languages {
    pseudo: bool,
}

/// A piece of a text: literal text, or the name of a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Literal text.
    Text(&'a str),
    /// The name of a placeholder.
    Place(&'a str),
}

impl Language {
    /// The languages that people can choose.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// Returns the language's code (BCP 47).
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Pseudo => "qps",
        }
    }

    /// Returns the language's texts.
    #[must_use]
    pub fn words(self) -> &'static Words {
        match self {
            Self::English => &en::WORDS,
            Self::German => &de::WORDS,
            Self::Pseudo => pseudo::words(),
        }
    }

    /// Returns the preferred language of an `Accept-Language` header (RFC 9110, 12.5.4) or of an event's `locale`, and English if none of
    /// our languages is accepted.
    #[must_use]
    pub fn preferred(accepted: &str) -> Self {
        let mut best = (Self::English, 0.0);
        for range in accepted.split(',') {
            let mut parameters = range.split(';').map(str::trim);
            let tag = parameters.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parameters.find_map(|parameter| parameter.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            let language = tag.split(['-', '_']).next().unwrap_or_default();
            let known = Self::ALL.into_iter().find(|known| known.code() == language);
            if let Some(known) = known.filter(|_| quality > best.1) {
                best = (known, quality);
            }
        }
        best.0
    }
}

impl Languages {
    /// Creates the languages, with the pseudo-language or without it.
    #[must_use]
    pub fn new(pseudo: bool) -> Self {
        Self { pseudo }
    }

    /// Returns the language with exactly this code.
    #[must_use]
    pub fn find(self, code: &str) -> Option<Language> {
        let pseudo = self.pseudo.then_some(Language::Pseudo);
        Language::ALL.into_iter().chain(pseudo).find(|language| language.code() == code)
    }
}

/// Splits a text into its pieces, in order.
pub fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    text.split('{').enumerate().flat_map(|(n, piece)| {
        let (place, rest) =
            if n == 0 { (None, piece) } else { piece.split_once('}').map_or((None, piece), |(p, r)| (Some(p), r)) };
        place.map(Part::Place).into_iter().chain((!rest.is_empty()).then_some(Part::Text(rest)))
    })
}

/// Fills the placeholders of a text with plain text. For use as markup, escape the result like any other text.
#[must_use]
pub fn fill(text: &str, places: &[(&str, &str)]) -> String {
    let given = |name| places.iter().find(|(given, _)| *given == name).map_or("", |(_, value)| value);
    parts(text)
        .map(|part| match part {
            Part::Text(text) => text,
            Part::Place(name) => given(name),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn places(text: &str) -> BTreeSet<&str> {
        parts(text).filter_map(|part| if let Part::Place(name) = part { Some(name) } else { None }).collect()
    }

    #[test]
    fn every_translation_has_the_placeholders_of_the_english_text_and_is_not_empty() {
        for language in [Language::German, Language::Pseudo] {
            for ((key, english), (_, other)) in Language::English.words().all().into_iter().zip(language.words().all())
            {
                assert_eq!(places(other), places(english), "{key} in {}", language.code());
                assert!(!other.trim().is_empty(), "{key} in {}", language.code());
            }
        }
    }

    #[test]
    fn no_german_text_is_left_in_english() {
        let same = |(english, german): &((&str, &str), (&str, &str))| english.1 == german.1;
        let all = Language::English.words().all().into_iter().zip(Language::German.words().all());
        let untranslated: Vec<_> = all.filter(same).map(|(english, _)| english.0).collect();
        assert_eq!(untranslated, ["direction"]);
    }

    #[test]
    fn the_preferred_language_is_the_accepted_one_with_the_highest_quality() {
        let cases = [
            ("", Language::English),
            ("de", Language::German),
            ("de-AT,de;q=0.9,en;q=0.8", Language::German),
            ("fr, en;q=0.7, de;q=0.8", Language::German),
            ("en;q=0.9, de;q=0.9", Language::English),
            ("de;q=0, en", Language::English),
            ("de;q=x", Language::German),
            ("de_DE", Language::German),
            ("qps", Language::English),
            ("fr", Language::English),
        ];
        for (accepted, language) in cases {
            assert_eq!(Language::preferred(accepted), language, "{accepted}");
        }
    }

    #[test]
    fn the_pseudo_language_is_known_only_where_it_is_asked_for() {
        assert!(Languages::new(true).find("qps").is_some_and(|language| language.words().direction == "rtl"));
        assert_eq!(Languages::new(false).find("qps"), None);
        for pseudo in [true, false] {
            let find = |code| Languages::new(pseudo).find(code);
            assert_eq!(["en", "de", "EN", ""].map(find), [Some(Language::English), Some(Language::German), None, None]);
        }
    }

    #[test]
    fn placeholders_are_filled_and_values_are_not_filled_again() {
        assert_eq!(fill("{a} and {b}.", &[("a", "{b}"), ("b", "2")]), "{b} and 2.");
        assert_eq!(parts("{a}{b").collect::<Vec<_>>(), [Part::Place("a"), Part::Text("b")]);
        assert!(
            places(Language::English.words().all().iter().find(|(key, _)| *key == "works_until").unwrap().1)
                .contains("at")
        );
    }
}
