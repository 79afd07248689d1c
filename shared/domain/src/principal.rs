//! The people and organisations that may see a subscription in the Customer Portal.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{EmailAddress, digest::digest, email::masked, text::is_invisible};

/// How a person or organisation is known: a subject of an issuer, an e-mail address, or an organisation of an issuer.
///
/// It is 16 bytes of a hash, so that the set in the table is small and reveals no personal data. Principals of different kinds are
/// never equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal([u8; 16]);

/// A person, identified by issuer and subject. It marks each retrieval with the person who made it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(Principal);

impl Principal {
    /// Returns the principal of a person, by the subject that the issuer assigns.
    #[must_use]
    pub fn subject(issuer: &str, subject: &str) -> Self {
        Self(digest(&[b"subject", issuer.as_bytes(), subject.as_bytes()]))
    }

    /// Returns the principal of a person with this verified e-mail address, whatever the issuer.
    #[must_use]
    pub fn email(address: &EmailAddress) -> Self {
        Self(digest(&[b"email", b"", address.comparable().as_bytes()]))
    }

    /// Returns the principal of all members of an organisation, by the id that the issuer assigns.
    #[must_use]
    pub fn organization(issuer: &str, organization: &str) -> Self {
        Self(digest(&[b"organization", issuer.as_bytes(), organization.as_bytes()]))
    }

    /// Restores the value from its stored bytes. `None` if there are not 16 of them.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Parses the text of a principal, as keys and answers contain it. `None` for text that is no principal's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_bytes(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?)
    }

    /// Returns the bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PersonId {
    /// Returns the id of an account of the Administration Center, as the person who uses it.
    #[must_use]
    pub fn from_account(account_id: &str) -> Self {
        Self(Principal(digest(&[b"account", b"", account_id.as_bytes()])))
    }

    /// Returns the id of an operator of the support desk. It differs from that of a customer with the same issuer and subject.
    #[must_use]
    pub fn from_operator(issuer: &str, subject: &str) -> Self {
        Self(Principal(digest(&[b"operator", issuer.as_bytes(), subject.as_bytes()])))
    }

    /// Restores the value from its stored bytes. `None` if there are not 16 of them.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Principal::from_bytes(bytes).map(Self)
    }

    /// Returns the bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Writes the principal in base64url, as keys contain it.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Writes the person in base64url.
impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({self})")
    }
}

impl fmt::Debug for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonId({})", self.0)
    }
}

/// A customer as other people of the company see them: the confirmed address, or, without one, the end of the subject.
///
/// A subject may look like an address, and at some providers people choose it. So it is never shown as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    text: String,
    is_confirmed: bool,
}

impl Label {
    /// The number of characters of a subject that are shown.
    const SHOWN: usize = 6;

    /// The mark of an address that was cut. No address has it.
    const ELLIPSIS: &str = "… ";

    /// Restores a label from its stored parts. Release 0.1.0 did not store whether the address was confirmed: there it is what parses as an
    /// address.
    #[must_use]
    pub fn from_stored(text: String, is_confirmed: Option<bool>) -> Self {
        let is_confirmed = is_confirmed.unwrap_or_else(|| EmailAddress::parse(&text).is_some());
        Self { text, is_confirmed }
    }

    /// Returns the text to store: the address or the subject.
    #[must_use]
    pub fn as_stored(&self) -> &str {
        &self.text
    }

    /// Returns whether the label is an address that the provider has confirmed.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.is_confirmed
    }

    /// Returns the confirmed address. `None` for an address that was cut, also by an earlier release, which left no mark.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.shown_address().filter(|text| EmailAddress::parse(text).is_some())
    }

    /// Returns the confirmed address as people see it, which may be cut.
    #[must_use]
    pub fn shown_address(&self) -> Option<&str> {
        self.is_confirmed.then_some(&self.text)
    }

    /// Returns the confirmed address with most of its local part hidden, such as `k•@fabrikam.example`. The label of a retrieval may be cut.
    #[must_use]
    pub fn masked_address(&self) -> Option<String> {
        self.shown_address().map(masked)
    }

    /// Returns the last six characters of the subject of a person without a confirmed address. Characters that an address or its
    /// surroundings may have are replaced.
    #[must_use]
    pub fn subject_end(&self) -> Option<String> {
        if self.is_confirmed {
            return None;
        }
        let hidden = self.text.chars().count().saturating_sub(Self::SHOWN);
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '?' };
        Some(self.text.chars().skip(hidden).map(plain).collect())
    }

    /// Returns the label with at most `longest` bytes: of a subject the end, and of an address the beginning of its local part with an
    /// ellipsis, and its domain. The result is the address of no other person: a part of an address never counts as one.
    #[must_use]
    pub(crate) fn cut(mut self, longest: usize) -> Self {
        if self.text.len() <= longest {
            return self;
        }
        if self.is_confirmed {
            let domain = self.text.rfind('@').map_or("", |at| &self.text[at..]);
            let room = longest.saturating_sub(Self::ELLIPSIS.len() + domain.len());
            let local = &self.text[..self.text.floor_char_boundary(room)];
            self.text = format!("{local}{}{domain}", Self::ELLIPSIS);
            self.text.truncate(self.text.floor_char_boundary(longest));
        } else {
            let start = self.text.len() - longest;
            self.text.drain(..self.text.ceil_char_boundary(start));
        }
        self
    }
}

/// The signed-in customer who makes a request. It has no `Debug`, because it holds personal data.
#[derive(Clone)]
pub struct Caller {
    issuer: String,
    subject: String,
    email: Option<EmailAddress>,
    organizations: Vec<String>,
}

impl Caller {
    /// The number of organisations of a token that count. A DynamoDB condition has room for 300 operators, and no buyer acts for this
    /// many organisations.
    pub const MAX_ORGANIZATIONS: usize = 50;

    /// Creates a caller from verified claims. `email` is an address that the deployment trusts, and `organizations` are those that the
    /// person may act for; all but the first [`MAX_ORGANIZATIONS`](Self::MAX_ORGANIZATIONS) are ignored.
    #[must_use]
    pub fn new(issuer: String, subject: String, email: Option<EmailAddress>, mut organizations: Vec<String>) -> Self {
        organizations.truncate(Self::MAX_ORGANIZATIONS);
        Self { issuer, subject, email, organizations }
    }

    /// Returns the caller's principals without duplicates, the person first. A person with one of Google's two addresses of a mailbox is
    /// known by both.
    #[must_use]
    pub fn principals(&self) -> Vec<Principal> {
        let mut all = vec![Principal::subject(&self.issuer, &self.subject)];
        let twin = self.email.as_ref().and_then(EmailAddress::gmail_twin);
        all.extend(self.email.iter().chain(&twin).map(Principal::email));
        for organization in &self.organizations {
            let principal = Principal::organization(&self.issuer, organization);
            if !all.contains(&principal) {
                all.push(principal);
            }
        }
        all
    }

    /// Returns the person, whichever principal gives access.
    #[must_use]
    pub fn person(&self) -> PersonId {
        PersonId(Principal::subject(&self.issuer, &self.subject))
    }

    /// Returns the caller as other people of the company see them. Never an unverified claim.
    #[must_use]
    pub fn label(&self) -> Label {
        match &self.email {
            Some(address) => Label { text: address.to_string(), is_confirmed: true },
            None => Label { text: self.subject.replace(is_invisible, "?"), is_confirmed: false },
        }
    }

    /// Returns the e-mail address, if it is trusted.
    #[must_use]
    pub fn email(&self) -> Option<&EmailAddress> {
        self.email.as_ref()
    }

    /// Returns the issuer of the caller's token.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the subject that the issuer assigns to the caller.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_of_different_kinds_are_never_equal() {
        let address = EmailAddress::parse("a@b.example").unwrap();
        assert_ne!(Principal::subject("", "a@b.example"), Principal::email(&address));
        assert_ne!(Principal::subject("i", "x"), Principal::organization("i", "x"));
        assert_ne!(Principal::subject("i", "x"), Principal::subject("ix", ""));
    }

    #[test]
    fn a_principal_is_parsed_from_its_own_text_alone() {
        let principal = Principal::subject("i", "s");
        assert_eq!(Principal::parse(&principal.to_string()), Some(principal));
        for text in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAAA==", "////////////////////AA"] {
            assert_eq!(Principal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn one_address_is_one_principal_however_it_is_written() {
        let [given, typed] =
            ["Dana@Fabrikam.example", "dana@fabrikam.example"].map(|a| EmailAddress::parse(a).unwrap());
        assert_eq!(Principal::email(&given), Principal::email(&typed));
    }

    #[test]
    fn the_principals_of_a_caller_have_no_duplicates() {
        let caller =
            Caller::new("i".into(), "s".into(), EmailAddress::parse("a@b.example"), vec!["o".into(), "o".into()]);
        assert_eq!(caller.principals().len(), 3);
        assert_eq!(caller.label().address(), Some("a@b.example"));
    }

    #[test]
    fn a_mailbox_of_google_is_known_by_both_addresses() {
        let principals = |address: &str| {
            let mut all = Caller::new("i".into(), "s".into(), EmailAddress::parse(address), vec![]).principals();
            all.sort();
            all
        };
        assert_eq!(principals("dana@googlemail.com").len(), 3);
        assert_eq!(principals("dana@googlemail.com"), principals("Dana@gmail.com"));
        assert_eq!(principals("dana@fabrikam.example").len(), 2);
    }

    #[test]
    fn without_a_confirmed_address_only_the_end_of_the_subject_is_shown() {
        let label = |subject: &str| Caller::new("i".into(), subject.into(), None, vec![]).label();
        let cases = [
            ("ceo@fabrikam.example", "xample"),
            ("auth0|5f7c8ec7-abcdef", "abcdef"),
            ("x@a.io", "x?a?io"),
            ("dana", "dana"),
            ("\u{202e}moc.liam", "c?liam"),
            ("\u{fc}b\u{fc}", "?b?"),
        ];
        for (subject, end) in cases {
            assert_eq!((label(subject).address(), label(subject).subject_end()), (None, Some(end.into())), "{subject}");
        }
    }

    #[test]
    fn a_label_of_the_first_release_is_confirmed_if_it_is_an_address() {
        let label = |text: &str, is_confirmed| Label::from_stored(text.into(), is_confirmed);
        assert_eq!(label("dana@fabrikam.example", None).address(), Some("dana@fabrikam.example"));
        assert_eq!(label("0123456789", None).subject_end().as_deref(), Some("456789"));
        assert_eq!(label("dana@fabrikam.example", Some(false)).address(), None);
    }

    #[test]
    fn a_masked_address_shows_one_character_and_the_domain() {
        let masked = |text: &str, is_confirmed| Label::from_stored(text.into(), Some(is_confirmed)).masked_address();
        assert_eq!(masked("dana@fabrikam.example", true).as_deref(), Some("d•@fabrikam.example"));
        assert_eq!(masked("\u{fc}dana@fabri", true).as_deref(), Some("\u{fc}•@fabri"), "cut in the domain");
        assert_eq!(masked("a-long-local-part-that-was-cut", true).as_deref(), Some("a•"));
        assert_eq!(masked("dana@fabrikam.example", false), None);
    }

    #[test]
    fn the_number_of_organisations_is_bounded() {
        let many = (0..1000).map(|n| n.to_string()).collect();
        assert_eq!(Caller::new("i".into(), "s".into(), None, many).principals().len(), 1 + Caller::MAX_ORGANIZATIONS);
    }
}
