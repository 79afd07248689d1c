//! The support desk: the reasons that operators give, their clicks, and what is decided before an act.

use crate::{
    Operator,
    digest::{digest, encode},
    text::is_invisible,
};

/// Why an operator acts: 1 to 200 characters on one line. Only the vendor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// The maximum number of characters.
    pub const LONGEST: usize = 200;

    /// Parses a reason. Blanks at its ends are cut. `None` if nothing is left, or for a text that is too long or has a line break, a control
    /// character or another character that readers cannot see.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_good = (1..=Self::LONGEST).contains(&text.chars().count()) && !text.contains(is_invisible);
        is_good.then(|| Self(text.to_owned()))
    }

    /// Restores a stored reason, which a later release may have accepted by other rules.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One click of an operator, identified by the operator and the idempotency key, with what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorClick {
    id: String,
    request: String,
}

impl OperatorClick {
    /// Derives the click from its idempotency key. `request` is what the key stands for: the route, its parameters and the body. Another
    /// request with the same key is a conflict.
    #[must_use]
    pub fn new(operator: &Operator, idempotency_key: &str, request: &[&[u8]]) -> Self {
        let id = digest(&[b"operator", operator.person.as_bytes(), idempotency_key.as_bytes()]);
        Self { id: encode(&id), request: encode(&digest(request)) }
    }

    /// Returns the id: 22 characters of base64url, the same for every attempt of the click.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the digest of what the click asked for: 22 characters of base64url.
    #[must_use]
    pub fn request(&self) -> &str {
        &self.request
    }
}

/// The result of spending one act of an operator's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpendActOutcome {
    /// The operator may act.
    Admitted,
    /// The budget is exhausted.
    Exhausted {
        /// Seconds until it has room again.
        retry_after: u32,
    },
}

/// The result of looking up `T`, the state that an act begins with, and the click that asks for the act.
pub enum LookUpActOutcome<T> {
    /// The click is new.
    New(Box<T>),
    /// An earlier attempt of the click was carried out and had this answer.
    Answered(String),
    /// The click's key was used for another request.
    AnotherRequest,
    /// No subscription has this id, or no account has this name.
    NotFound,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_of_visible_text() {
        let parsed = |text: &str| Reason::parse(text).map(|reason| reason.0);
        assert_eq!(parsed(" Ticket 4711: lost the mail ").as_deref(), Some("Ticket 4711: lost the mail"));
        assert!(parsed(&"ä".repeat(200)).is_some() && parsed(&"ä".repeat(201)).is_none());
        for bad in ["", "  ", "a\nb", "a\u{2028}b", "a\u{0}b", "a\u{202e}b", "a\tb"] {
            assert_eq!(parsed(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_click_belongs_to_one_operator_and_one_key_whatever_it_asks_for() {
        let operator = |subject| Operator::new("https://issuer.example", subject, "Olivia");
        let click = |subject, key, request: &[u8]| OperatorClick::new(&operator(subject), key, &[request]);
        let first = click("olivia", "key", b"a");
        assert_eq!(first, click("olivia", "key", b"a"));
        assert_eq!(first.id(), click("olivia", "key", b"b").id());
        assert_ne!(first.request(), click("olivia", "key", b"b").request());
        assert_ne!(first.id(), click("omar", "key", b"a").id());
        assert_ne!(first.id(), click("olivia", "other", b"a").id());
    }
}
