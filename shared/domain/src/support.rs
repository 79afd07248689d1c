//! Requests to the vendor's support.

use std::fmt;

use crate::{
    Caller, EmailAddress, Issue, Label, MailStatus, SubscriptionId, Timestamp,
    digest::digest,
    text::{JOINER, NON_JOINER, is_invisible, is_line_break},
};

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

impl SupportRequest {
    /// Returns the address for the answer as a header may have it. SES refuses a mail as a whole if it cannot send to one of its
    /// addresses; the request then names the customer's address in its body alone.
    #[must_use]
    pub fn mailable_reply_to(&self) -> Option<&EmailAddress> {
        self.reply_to.as_ref().filter(|address| address.can_be_mailed())
    }
}

/// Letters and digits without the look-alikes 0 and O, 1 and I.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

impl Reference {
    /// Derives the reference from a click. Every attempt of one click has the same reference, and no other click has it.
    #[must_use]
    pub fn from_click(subscription: &SubscriptionId, caller: &Caller, idempotency_key: &str) -> Self {
        let (issuer, subject) = (caller.issuer().as_bytes(), caller.subject().as_bytes());
        let subscription = subscription.as_str().as_bytes();
        Self::from_random(digest(&[b"support", subscription, issuer, subject, idempotency_key.as_bytes()]))
    }

    /// Derives the reference that version 0.1.0 gave a click. It did not depend on the subscription.
    #[must_use]
    pub fn from_click_in_0_1_0(caller: &Caller, idempotency_key: &str) -> Self {
        let (issuer, subject) = (caller.issuer().as_bytes(), caller.subject().as_bytes());
        Self::from_random(digest(&[b"support", issuer, subject, idempotency_key.as_bytes()]))
    }

    /// Creates a reference from random bytes, for a click without a key.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self::grouped(bytes.iter().take(12).map(|byte| char::from(ALPHABET[usize::from(byte % 32)])))
    }

    fn grouped(symbols: impl Iterator<Item = char>) -> Self {
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

    /// Parses a reference that a person types, perhaps as they heard it: case, hyphens and blanks do not count.
    #[must_use]
    pub fn parse_typed(text: &str) -> Option<Self> {
        let is_symbol = |c: &char| !c.is_whitespace() && *c != '-';
        Self::parse(Self::grouped(text.chars().filter(is_symbol).map(|c| c.to_ascii_uppercase())).as_str())
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

    /// Parses 1 to 4,000 characters of a message that a customer wrote or pasted, and cleans it:
    ///
    /// - Every line break of Unicode (CR, CR LF, VT, FF, U+0085, U+2028, U+2029) becomes a line feed.
    /// - Marks that copied text brings along are removed: U+FEFF, direction marks, embeddings and isolates, and every other character that
    ///   programs show as nothing. Joiners and variation selectors stay, since they change what a reader sees.
    /// - White space around the message is cut.
    ///
    /// So are all other control characters, and overrides of the text's direction (U+202D, U+202E), which address books put around
    /// telephone numbers: a removed one deceives no reader. `None` if nothing is left.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = cleaned(text);
        let is_visible = |c: char| !c.is_whitespace() && !is_invisible(c);
        let good = text.chars().count() <= Self::LONGEST && text.chars().any(is_visible);
        good.then_some(Self(text))
    }

    /// Restores a stored message, which an earlier release may have accepted by other rules.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(cleaned(text))
    }

    /// Returns the message.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn cleaned(text: &str) -> String {
    let shows_nothing = |c: char| is_invisible(c) && !is_kept(c);
    let lines = text.replace("\r\n", "\n").replace(is_line_break, "\n");
    lines.replace(shows_nothing, "").trim().to_owned()
}

/// Returns whether an invisible character stays in a message.
fn is_kept(c: char) -> bool {
    matches!(c, '\n' | '\t' | NON_JOINER | JOINER | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(subject: &str) -> Caller {
        Caller::new("https://issuer.example".into(), subject.into(), None, vec![])
    }

    #[test]
    fn a_reference_belongs_to_one_click_of_one_person_in_one_subscription() {
        let [first, second] = ["sub-1", "sub-2"].map(|id| SubscriptionId::parse(id).unwrap());
        let reference = Reference::from_click(&first, &caller("dana"), "key");
        assert_eq!(reference, Reference::from_click(&first, &caller("dana"), "key"));
        assert_ne!(reference, Reference::from_click(&second, &caller("dana"), "key"));
        assert_ne!(reference, Reference::from_click(&first, &caller("kim"), "key"));
        assert_ne!(reference, Reference::from_click(&first, &caller("dana"), "other"));
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
        for bad in ["", " \n", "\u{0}", "\u{202e}", "\u{3164}\u{2800}", "\u{200d}"] {
            assert_eq!(parsed(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_pasted_text_brings_along_is_cleaned() {
        for (pasted, clean) in [
            ("Call \u{202a}+49 89 555 01\u{202c}", "Call +49 89 555 01"),
            ("Call \u{202d}+49 89 555 01\u{202c}", "Call +49 89 555 01"),
            ("a\u{202e}b\u{0}c\u{1b}[2Jd\u{92}e\u{1f}f", "abc[2Jdef"),
            ("a\u{2028}b\u{2029}c\u{b}d\u{c}e\u{85}f\rg\r\nh", "a\nb\nc\nd\ne\nf\ng\nh"),
            ("\u{feff}Hello\u{200e}", "Hello"),
            ("\u{2068}Dana\u{2069}, soft\u{ad}ware\u{e0041}", "Dana, software"),
            ("نرم\u{200c}افزار \u{2764}\u{fe0f}\tok", "نرم\u{200c}افزار \u{2764}\u{fe0f}\tok"),
        ] {
            assert_eq!(SupportMessage::parse(pasted).unwrap().as_str(), clean, "{pasted:?}");
        }
        assert_eq!(SupportMessage::from_stored("a\u{202e}b\u{2028}\u{3164}").as_str(), "ab");
    }
}
