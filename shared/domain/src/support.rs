//! Requests to the vendor's support.

use std::fmt;

use crate::{Caller, EmailAddress, Issue, Label, MailStatus, Timestamp, digest::digest, text::is_control_or_invisible};

/// The maximum number of requests for a subscription in one day (UTC), by all people of the company together.
pub const REQUESTS_PER_DAY: u32 = 3;

/// The reference of a request: three groups of four letters and digits, easy to read out on the telephone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(String);

/// The message of a customer to support. It has no `Debug`, because customers may write secrets into it.
#[derive(Clone, PartialEq, Eq)]
pub struct SupportMessage(String);

/// A support request that is ordered to be mailed. The history of the credentials is added when it is sent. It has no `Debug`, like
/// its [`SupportMessage`].
#[derive(Clone)]
pub struct SupportRequest {
    /// The reference that the customer was given.
    pub reference: Reference,
    /// The issue that was current when the request was made.
    pub issue: Issue,
    /// The address of the vendor's support.
    pub to: EmailAddress,
    /// The customer's address for the answer, if it is trusted.
    pub reply_to: Option<EmailAddress>,
    /// The customer as other people of the company see them.
    pub by: Label,
    /// The customer's message.
    pub message: SupportMessage,
    /// The status of the mail.
    pub status: MailStatus,
    /// When the status was recorded.
    pub at: Timestamp,
}

/// Letters and digits without the look-alikes 0 and O, 1 and I.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

impl Reference {
    /// Derives the reference from a click. Every attempt of one click has the same reference, and no other click has it.
    #[must_use]
    pub fn from_click(caller: &Caller, idempotency_key: &str) -> Self {
        let (issuer, subject) = (caller.issuer().as_bytes(), caller.subject().as_bytes());
        Self::from_random(digest(&[b"support", issuer, subject, idempotency_key.as_bytes()]))
    }

    /// Creates a reference from random bytes, for a click without a key.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
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

    /// Parses a stored reference.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let groups: Vec<&str> = text.split('-').collect();
        let good = |group: &&str| group.len() == 4 && group.bytes().all(|byte| ALPHABET.contains(&byte));
        (groups.len() == 3 && groups.iter().all(good)).then(|| Self(text.to_owned()))
    }

    /// Returns the text, such as `7QKM-WX3H-RT9A`.
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
    /// The maximum number of characters.
    pub const LONGEST: usize = 4000;

    /// Parses 1 to 4,000 characters, without the white space around them. Line breaks are allowed; other control characters and invisible
    /// characters are not.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().replace("\r\n", "\n");
        let plain = |c: char| matches!(c, '\n' | '\t' | '\u{200c}' | '\u{200d}') || !is_control_or_invisible(c);
        let good = !text.is_empty() && text.chars().count() <= Self::LONGEST && text.chars().all(plain);
        good.then_some(Self(text))
    }

    /// Returns the message.
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
    fn a_reference_belongs_to_one_click_of_one_person() {
        let reference = Reference::from_click(&caller("dana"), "key");
        assert_eq!(reference, Reference::from_click(&caller("dana"), "key"));
        assert_ne!(reference, Reference::from_click(&caller("kim"), "key"));
        assert_ne!(reference, Reference::from_click(&caller("dana"), "other"));
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
