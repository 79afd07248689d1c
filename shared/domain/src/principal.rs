//! Who may see a subscription in the Customer Portal.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{EmailAddress, digest::digest, text::leaves_its_line};

/// One way of being known: a subject of an issuer, an e-mail address, or an organisation of an issuer; 16 bytes of a hash,
/// so that the table's set of them is small and says nothing. Equal ones are one; different kinds are never equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal([u8; 16]);

/// One person: issuer and subject. It tells whose retrieval an entry is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(Principal);

impl Principal {
    /// A person as their issuer names them.
    #[must_use]
    pub fn subject(issuer: &str, subject: &str) -> Self {
        Self(digest(&[b"subject", issuer.as_bytes(), subject.as_bytes()]))
    }

    /// Whoever an issuer has verified to hold this address; which issuer does not count.
    #[must_use]
    pub fn email(address: &EmailAddress) -> Self {
        Self(digest(&[b"email", b"", address.comparable().as_bytes()]))
    }

    /// Everybody of an organisation, as their issuer names it.
    #[must_use]
    pub fn organization(issuer: &str, organization: &str) -> Self {
        Self(digest(&[b"organization", issuer.as_bytes(), organization.as_bytes()]))
    }

    /// As it was kept.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// As it is kept.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PersonId {
    /// As it was kept.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Principal::from_bytes(bytes).map(Self)
    }

    /// As it is kept.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Base64url, as it stands in a key.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
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

/// The signed-in customer who asks. No `Debug`: it holds personal data.
#[derive(Clone)]
pub struct Caller {
    issuer: String,
    subject: String,
    email: Option<EmailAddress>,
    organizations: Vec<String>,
}

impl Caller {
    /// How many organisations of a token count. A condition has room for 300 operators; a token that names more
    /// organisations than this belongs to nobody who buys subscriptions for all of them.
    pub const MOST_ORGANIZATIONS: usize = 50;

    /// `email` is an address whose word counts by the deployment's rule; `organizations` those of a token that has the role.
    /// Organisations past [`MOST_ORGANIZATIONS`](Self::MOST_ORGANIZATIONS), in the order of the token, do not count.
    #[must_use]
    pub fn new(issuer: String, subject: String, email: Option<EmailAddress>, mut organizations: Vec<String>) -> Self {
        organizations.truncate(Self::MOST_ORGANIZATIONS);
        Self { issuer, subject, email, organizations }
    }

    /// Every way in which the caller is known, the person first, none twice.
    #[must_use]
    pub fn principals(&self) -> Vec<Principal> {
        let mut all = vec![Principal::subject(&self.issuer, &self.subject)];
        all.extend(self.email.as_ref().map(Principal::email));
        for organization in &self.organizations {
            let principal = Principal::organization(&self.issuer, organization);
            if !all.contains(&principal) {
                all.push(principal);
            }
        }
        all
    }

    /// The person, whichever principal matched.
    #[must_use]
    pub fn person(&self) -> PersonId {
        PersonId(Principal::subject(&self.issuer, &self.subject))
    }

    /// How others of the company see the caller: the verified address, otherwise the subject. Never an unverified claim.
    #[must_use]
    pub fn label(&self) -> String {
        self.email.as_ref().map_or_else(|| self.subject.replace(leaves_its_line, "?"), ToString::to_string)
    }

    /// The address, where it counts.
    #[must_use]
    pub fn email(&self) -> Option<&EmailAddress> {
        self.email.as_ref()
    }

    /// The issuer of the caller's token.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The caller's name at that issuer.
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
    fn one_address_is_one_principal_however_it_is_written() {
        let [given, typed] =
            ["Dana@Fabrikam.example", "dana@fabrikam.example"].map(|a| EmailAddress::parse(a).unwrap());
        assert_eq!(Principal::email(&given), Principal::email(&typed));
    }

    #[test]
    fn a_caller_is_known_in_every_way_once() {
        let caller =
            Caller::new("i".into(), "s".into(), EmailAddress::parse("a@b.example"), vec!["o".into(), "o".into()]);
        assert_eq!(caller.principals().len(), 3);
        assert_eq!(caller.label(), "a@b.example");
    }

    #[test]
    fn the_organisations_of_a_token_are_bounded() {
        let many = (0..1000).map(|n| n.to_string()).collect();
        assert_eq!(Caller::new("i".into(), "s".into(), None, many).principals().len(), 1 + Caller::MOST_ORGANIZATIONS);
    }
}
