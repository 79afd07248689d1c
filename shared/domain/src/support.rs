//! Requests to the vendor's support, and how many there may be.

use std::fmt;

use crate::{Caller, EmailAddress, Issue, MailStatus, Timestamp, digest::digest, text::leaves_its_line};

/// Requests of a subscription in one day (UTC), whoever of the company makes them.
pub const REQUESTS_PER_DAY: u32 = 3;

/// What a request is known by: twelve letters and digits in threes of four, to be read out on the telephone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(String);

/// What somebody writes to support. No `Debug`: people write what they should not.
#[derive(Clone, PartialEq, Eq)]
pub struct SupportMessage(String);

/// A request as it is ordered to be mailed. What happened to the credentials is added when it is sent. No `Debug`.
#[derive(Clone)]
pub struct SupportRequest {
    /// What it is known by.
    pub reference: Reference,
    /// The issue whose credentials it is about.
    pub issue: Issue,
    /// The vendor's support.
    pub to: EmailAddress,
    /// Where the answer goes, if the caller's address counts.
    pub reply_to: Option<EmailAddress>,
    /// Who asks, as others of the company see them.
    pub by: String,
    /// What they wrote.
    pub message: SupportMessage,
    /// How far it is.
    pub status: MailStatus,
    /// Since when.
    pub at: Timestamp,
}

/// Neither 0 and O nor 1 and I: what is read out has no look-alikes.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

impl Reference {
    /// The same for every attempt of the same click, and of nobody else's.
    #[must_use]
    pub fn of_click(caller: &Caller, idempotency_key: &str) -> Self {
        let (issuer, subject) = (caller.issuer().as_bytes(), caller.subject().as_bytes());
        Self::of(digest(&[b"support", issuer, subject, idempotency_key.as_bytes()]))
    }

    /// For a click without a key.
    #[must_use]
    pub fn of(bytes: [u8; 16]) -> Self {
        let symbols = bytes.iter().take(12).map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        let mut text = String::with_capacity(14);
        for (n, symbol) in symbols.enumerate() {
            if n > 0 && n % 4 == 0 {
                text.push('-');
            }
            text.push(symbol);
        }
        Self(text)
    }

    /// As it was kept.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let groups: Vec<&str> = text.split('-').collect();
        let good = |group: &&str| group.len() == 4 && group.bytes().all(|byte| ALPHABET.contains(&byte));
        (groups.len() == 3 && groups.iter().all(good)).then(|| Self(text.to_owned()))
    }

    /// `7QKM-WX3H-RT9A`
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SupportMessage {
    /// Characters of the longest message.
    pub const LONGEST: usize = 4000;

    /// Text of one to 4,000 characters, its ends trimmed. Lines are kept; nothing in them leaves its line or is not seen.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().replace("\r\n", "\n");
        let plain = |c: char| matches!(c, '\n' | '\t' | '\u{200c}' | '\u{200d}') || !leaves_its_line(c);
        let good = !text.is_empty() && text.chars().count() <= Self::LONGEST && text.chars().all(plain);
        good.then_some(Self(text))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(subject: &str) -> Caller {
        Caller::new("https://issuer.example".into(), subject.into(), None, vec![])
    }

    #[test]
    fn a_reference_is_that_of_one_click_of_one_person() {
        let reference = Reference::of_click(&caller("dana"), "key");
        assert_eq!(reference, Reference::of_click(&caller("dana"), "key"));
        assert_ne!(reference, Reference::of_click(&caller("kim"), "key"));
        assert_ne!(reference, Reference::of_click(&caller("dana"), "other"));
        assert_eq!(Reference::parse(reference.as_str()), Some(reference));
        for bad in ["", "7QKM-WX3H", "7QKM-WX3H-RT9", "7QKM-WX3H-RT90", "7QKM-WX3H-RT9A-RT9A", "7qkm-wx3h-rt9a"] {
            assert_eq!(Reference::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_message_is_text_of_one_to_4000_characters() {
        let parsed = |text: &str| SupportMessage::parse(text).map(|message| message.0);
        assert_eq!(parsed(" It fails.\r\nHelp! \n").as_deref(), Some("It fails.\nHelp!"));
        assert!(parsed(&"ä".repeat(4000)).is_some() && parsed(&"ä".repeat(4001)).is_none());
        for bad in ["", " \n", "a\u{0}b", "a\rb", "a\u{202e}b", "a\u{1b}[2J"] {
            assert_eq!(parsed(bad), None, "{bad:?}");
        }
    }
}
