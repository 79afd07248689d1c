//! The sender of mails: an address, and the name that mail programs show for it.

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    EmailAddress,
    text::{has_only_visible, without_blank_ends},
};

/// The sender of every mail.
#[derive(Clone)]
pub struct Sender {
    name: String,
    address: EmailAddress,
}

/// The most bytes of text in one encoded word: RFC 2047 allows 75 characters, and `=?UTF-8?B?` and `?=` take 12 of them.
const BYTES_OF_A_WORD: usize = (75 - 12) / 4 * 3;

impl Sender {
    /// Parses `a@b.example`, `Name <a@b.example>` or `"Name" <a@b.example>`. A backslash in a quoted name stands for the character after
    /// it. `None` if SES could not send from the address, or the name is not one visible line.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = without_blank_ends(text);
        let (name, address) = match text.strip_suffix('>') {
            Some(text) => text.rsplit_once('<')?,
            None => ("", text),
        };
        let name = without_blank_ends(name);
        let name = name.strip_prefix('"').map_or_else(|| unquoted(name), quoted)?;
        let address = EmailAddress::parse(without_blank_ends(address)).filter(EmailAddress::can_be_mailed)?;
        has_only_visible(&name).then_some(Self { name, address })
    }

    /// Returns the name, or an empty text.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the address.
    #[must_use]
    pub fn address(&self) -> &EmailAddress {
        &self.address
    }

    /// Returns the sender as a header writes it, in ASCII: a name outside ASCII becomes encoded words (RFC 2047).
    #[must_use]
    pub fn to_header(&self) -> String {
        match phrase(&self.name) {
            phrase if phrase.is_empty() => self.address.to_string(),
            phrase => format!("{phrase} <{}>", self.address),
        }
    }
}

/// Returns the name between quotes, after the first of them. `None` if it does not end with the text.
fn quoted(text: &str) -> Option<String> {
    let mut name = String::new();
    let mut rest = text.chars();
    loop {
        match rest.next()? {
            '"' => break,
            '\\' => name.push(rest.next()?),
            c => name.push(c),
        }
    }
    rest.as_str().is_empty().then(|| without_blank_ends(&name).to_owned())
}

/// Returns a name without quotes. `None` if it has characters that end a name.
fn unquoted(text: &str) -> Option<String> {
    (!text.contains(['"', '<', '>', '\\'])).then(|| text.to_owned())
}

/// Returns a name as a header writes it: as it is, quoted, or encoded.
fn phrase(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " !#$%&'*+-/=?^_`{|}~".contains(c);
    if name.chars().all(is_plain) {
        name.to_owned()
    } else if name.is_ascii() {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        encoded_words(name)
    }
}

/// Returns the text as encoded words, each of which has whole characters. A reader joins them without the spaces between them.
fn encoded_words(text: &str) -> String {
    let mut words = vec![String::new()];
    for c in text.chars() {
        match words.last_mut() {
            Some(word) if word.len() + c.len_utf8() <= BYTES_OF_A_WORD => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let encoded = words.iter().map(|word| format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(word)));
    encoded.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(text: &str) -> Option<String> {
        Sender::parse(text).map(|sender| sender.to_header())
    }

    #[test]
    fn a_name_in_ascii_is_written_as_it_is_or_quoted() {
        for (text, expected) in [
            ("no-reply@x.example", "no-reply@x.example"),
            (" <no-reply@x.example> ", "no-reply@x.example"),
            ("\"\" <no-reply@x.example>", "no-reply@x.example"),
            ("Contoso <a@x.example>", "Contoso <a@x.example>"),
            ("\"Contoso\" <a@x.example>", "Contoso <a@x.example>"),
            ("\"Contoso, Inc.\" <a@x.example>", "\"Contoso, Inc.\" <a@x.example>"),
            ("Contoso, Inc. <a@x.example>", "\"Contoso, Inc.\" <a@x.example>"),
            (r#""The \"A\" <b@c> \\ Team" <a@x.example>"#, r#""The \"A\" <b@c> \\ Team" <a@x.example>"#),
            ("=?UTF-8?Q?M=C3=BCller?= <a@x.example>", "=?UTF-8?Q?M=C3=BCller?= <a@x.example>"),
            ("Contoso <a@bücher.example>", "Contoso <a@xn--bcher-kva.example>"),
        ] {
            assert_eq!(header(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_name_outside_ascii_becomes_encoded_words() {
        assert_eq!(
            header("\"Müller AG\" <no-reply@x.example>").as_deref(),
            Some("=?UTF-8?B?TcO8bGxlciBBRw==?= <no-reply@x.example>")
        );
        assert_eq!(
            Sender::parse("Müller, \u{201e}AG\u{201c} <a@x.example>").unwrap().name(),
            "Müller, \u{201e}AG\u{201c}"
        );
    }

    #[test]
    fn a_sender_that_ses_would_refuse_or_that_holds_another_header_is_refused() {
        for text in [
            "",
            "Contoso",
            "Contoso <>",
            "Contoso <a@x.example",
            "a@x.example>",
            "Contoso <a@x.example> <b@x.example>",
            "\"Contoso <a@x.example>",
            "\"Contoso\" AG <a@x.example>",
            "Con\"toso\" <a@x.example>",
            "Contoso <jürgen@x.example>",
            "Con\r\nBcc: b@x.example <a@x.example>",
            "Con\u{202e}toso <a@x.example>",
        ] {
            assert_eq!(header(text), None, "{text:?}");
        }
    }

    /// Decodes a phrase as a mail program does: encoded words without the spaces between them, or a quoted string, or plain text.
    fn decoded(phrase: &str) -> String {
        if let Some(quoted) = phrase.strip_prefix('"') {
            return super::quoted(quoted).unwrap();
        }
        let word = |word: &str| {
            let encoded = word.strip_prefix("=?UTF-8?B?").and_then(|word| word.strip_suffix("?=")).unwrap();
            String::from_utf8(BASE64_STANDARD.decode(encoded).unwrap()).unwrap()
        };
        if phrase.starts_with("=?UTF-8?B?") { phrase.split(' ').map(word).collect() } else { phrase.to_owned() }
    }

    proptest! {
        #[test]
        fn every_name_comes_back_from_its_header_and_no_word_is_over_75_characters(name in "\\PC{0,200}") {
            let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
            if let Some(sender) = Sender::parse(&format!("\"{escaped}\" <a@x.example>")) {
                let header = sender.to_header();
                prop_assert!(header.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{}", header);
                let phrase = header.strip_suffix("<a@x.example>").map_or("", str::trim_end);
                if !name.starts_with("=?") {
                    prop_assert_eq!(decoded(phrase), sender.name());
                }
                prop_assert!(name.is_ascii() || phrase.split(' ').all(|word| word.len() <= 75));
                prop_assert_eq!(Sender::parse(&header).map(|again| again.to_header()), Some(header.clone()));
            }
        }
    }
}
