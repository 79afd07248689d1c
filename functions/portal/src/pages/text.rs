//! Texts with markup in their places: times, which a script rewrites to the reader's zone.

use std::fmt::{self, Write};

use askama::filters::{Escaper, Html, HtmlSafe};
use domain::Timestamp;
use words::{Part, Words, parts};

/// A text with a time. It is markup: everything else in it is escaped.
pub(super) struct Filled(String);

impl Filled {
    /// Every place of the text is the time.
    pub(super) fn of(words: &Words, text: &str, at: Timestamp) -> Self {
        let mut html = String::with_capacity(text.len() + 80);
        for part in parts(text) {
            // A string takes everything.
            let _ = match part {
                Part::Text(text) => Html.write_escaped_str(&mut html, text),
                Part::Place(_) => {
                    write!(html, "<time datetime=\"{at}\">{}</time>", words::date(words, at))
                }
            };
        }
        Self(html)
    }
}

impl fmt::Display for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Filled {}

#[cfg(test)]
mod tests {
    use words::Language;

    use super::*;

    #[test]
    fn a_time_is_for_machines_and_for_people_and_all_else_is_escaped() {
        let at = Timestamp::parse_rfc3339("2026-11-07T09:04:00Z").unwrap();
        let html = |language: Language| Filled::of(language.words(), "<i>&\"' {at}", at).to_string();
        let before = "&#60;i&#62;&#38;&#34;&#39; <time datetime=\"2026-11-07T09:04:00Z\">";
        assert_eq!(html(Language::English), format!("{before}7 November 2026, 09:04 UTC</time>"));
        assert_eq!(html(Language::German), format!("{before}7. November 2026, 09:04 UTC</time>"));
    }
}
