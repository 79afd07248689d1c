//! What is said to people, in one file a language. A text that a language lacks fails the build.
//!
//! | file | holds |
//! |---|---|
//! | `en.rs` | English, from which the other languages are made |
//! | `de.rs` | German |
//! | `keys.rs` | which texts there are |
//! | `sentences.rs` | dates, lists and sentences that are made of the codes and times of `domain` |
//! | `pseudo.rs` | a language for tests: English from right to left, every word of ours in brackets |
//!
//! A text may have places, `{name}`, which [`parts`] finds: what goes in is never markup of the text's own. To add a language, copy `en.rs`,
//! translate it, and name it in [`Language`].

mod de;
mod en;
mod keys;
mod pseudo;
mod sentences;

pub use keys::Words;
pub use sentences::{blank_reason, date, retrieval_list};

/// A language that every text is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
    /// For tests: nobody prefers it, and no page offers it.
    Pseudo,
}

/// A piece of a text: as it stands, or the name of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// As it stands.
    Text(&'a str),
    /// Something goes here.
    Place(&'a str),
}

impl Language {
    /// Those that people choose from.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// Its code (BCP 47).
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Pseudo => "qps",
        }
    }

    /// Its texts.
    #[must_use]
    pub fn words(self) -> &'static Words {
        match self {
            Self::English => &en::WORDS,
            Self::German => &de::WORDS,
            Self::Pseudo => pseudo::words(),
        }
    }

    /// The language of this code, to the letter.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        [Self::English, Self::German, Self::Pseudo].into_iter().find(|language| language.code() == code)
    }

    /// The language that somebody prefers by their `Accept-Language` (RFC 9110, 12.5.4), or their event's `locale`; English where
    /// they know none of ours.
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

/// The pieces of a text in their order.
pub fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    text.split('{').enumerate().flat_map(|(n, piece)| {
        let (place, rest) =
            if n == 0 { (None, piece) } else { piece.split_once('}').map_or((None, piece), |(p, r)| (Some(p), r)) };
        place.map(Part::Place).into_iter().chain((!rest.is_empty()).then_some(Part::Text(rest)))
    })
}

/// The text with plain text in its places. What is to become markup is escaped afterwards, as any other text.
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
    fn every_text_has_the_places_of_the_english_one_and_is_not_empty() {
        for language in [Language::German, Language::Pseudo] {
            for ((key, english), (_, other)) in Language::English.words().all().into_iter().zip(language.words().all())
            {
                assert_eq!(places(other), places(english), "{key} in {}", language.code());
                assert!(!other.trim().is_empty(), "{key} in {}", language.code());
            }
        }
    }

    #[test]
    fn a_translation_is_one() {
        let same = |(english, german): &((&str, &str), (&str, &str))| english.1 == german.1;
        let all = Language::English.words().all().into_iter().zip(Language::German.words().all());
        let untranslated: Vec<_> = all.filter(same).map(|(english, _)| english.0).collect();
        assert_eq!(untranslated, ["direction"]);
    }

    #[test]
    fn the_language_is_the_one_that_somebody_prefers_among_ours() {
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
    fn a_text_is_filled_and_what_goes_in_is_left_alone() {
        assert_eq!(fill("{a} and {b}.", &[("a", "{b}"), ("b", "2")]), "{b} and 2.");
        assert_eq!(parts("{a}{b").collect::<Vec<_>>(), [Part::Place("a"), Part::Text("b")]);
        assert!(Language::of_code("qps").is_some_and(|language| language.words().direction == "rtl"));
        assert_eq!(Language::of_code("EN"), None);
        assert!(
            places(Language::English.words().all().iter().find(|(key, _)| *key == "works_until").unwrap().1)
                .contains("at")
        );
    }
}
