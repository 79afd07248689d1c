//! Texts with markup for a value: a time, which a script rewrites to the reader's time zone, or a user name, which browsers must not
//! translate or correct.

use std::fmt::{self, Write};

use askama::filters::{Escaper, Html, HtmlSafe};
use domain::Timestamp;
use words::{Part, Words, parts};

/// A text with a time or a user name, as HTML: the rest of the text is escaped.
pub struct Filled(String);

impl Filled {
    /// Fills every placeholder of the text with the time.
    #[must_use]
    pub fn new(words: &Words, text: &str, at: Timestamp) -> Self {
        Self::with(text, |html| write!(html, "<time datetime=\"{at}\">{}</time>", words::date(words, at)))
    }

    /// Fills every placeholder of the text with a value that stays as it is.
    #[must_use]
    pub fn literally(text: &str, value: &str) -> Self {
        Self::with(text, |html| {
            html.write_str("<span translate=\"no\" spellcheck=\"false\" autocapitalize=\"none\" autocorrect=\"off\">")?;
            Html.write_escaped_str(&mut *html, value)?;
            html.write_str("</span>")
        })
    }

    fn with(text: &str, write_value: impl Fn(&mut String) -> fmt::Result) -> Self {
        let mut html = String::with_capacity(text.len() + 80);
        for part in parts(text) {
            // Writing to a string cannot fail.
            let _ = match part {
                Part::Text(text) => Html.write_escaped_str(&mut html, text),
                Part::Place(_) => write_value(&mut html),
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
    fn a_time_is_machine_readable_and_the_rest_of_the_text_is_escaped() {
        let at = Timestamp::parse_rfc3339("2026-11-07T09:04:00Z").unwrap();
        let html = |language: Language| Filled::new(language.words(), "<i>&\"' {at}", at).to_string();
        let before = "&#60;i&#62;&#38;&#34;&#39; <time datetime=\"2026-11-07T09:04:00Z\">";
        assert_eq!(html(Language::English), format!("{before}7 November 2026, 09:04 UTC</time>"));
        assert_eq!(html(Language::German), format!("{before}7. November 2026, 09:04 UTC</time>"));
    }

    #[test]
    fn a_user_name_stays_as_it_is() {
        let html = Filled::literally("<{name}>", "a&b@c").to_string();
        let attributes = "translate=\"no\" spellcheck=\"false\" autocapitalize=\"none\" autocorrect=\"off\"";
        assert_eq!(html, format!("&#60;<span {attributes}>a&#38;b@c</span>&#62;"));
    }
}
