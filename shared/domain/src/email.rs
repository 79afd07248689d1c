//! E-mail addresses.

use crate::text::leaves_its_line;

/// An address that mail can be sent to: the local part as it was given, the domain in lower case and A-labels.
///
/// Two spellings of one address are compared by their [`comparable`](Self::comparable) form, never by this one.
#[derive(Clone)]
pub struct EmailAddress {
    local: String,
    domain: String,
}

impl EmailAddress {
    /// Length in bytes of the longest address (RFC 5321, 4.5.3.1.3, less the angle brackets).
    const LONGEST: usize = 254;

    /// Refuses what is no address of the plain form `local@domain`: quoted local parts, comments, address literals.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        let plain = |c: char| !c.is_whitespace() && !leaves_its_line(c) && !"()<>[]:;@\\,\"".contains(c);
        if !(1..=64).contains(&local.len()) || !local.chars().all(plain) || !domain.chars().all(plain) {
            return None;
        }
        let domain = idna::domain_to_ascii_strict(domain).ok()?;
        let address = Self { local: local.to_owned(), domain };
        (!address.domain.is_empty() && address.to_string().len() <= Self::LONGEST).then_some(address)
    }

    /// What makes two addresses one: ASCII letters lowered, the domain in A-labels; no other folding.
    #[must_use]
    pub fn comparable(&self) -> String {
        format!("{}@{}", self.local.to_ascii_lowercase(), self.domain)
    }

    /// For people who may know that mail was sent, but not to whom: `i•@fabrikam.example`.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("{}•@{}", self.local.chars().next().unwrap_or('•'), self.domain)
    }

    /// The domain, in lower case and A-labels.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

/// Masked: an address has no place in a log.
impl std::fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EmailAddress({})", self.masked())
    }
}

impl std::fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::EmailAddress;

    #[test]
    fn spellings_of_one_address_compare_equal_and_mail_goes_as_given() {
        let given = EmailAddress::parse("Dana@Fabrikam.example").unwrap();
        assert_eq!(given.comparable(), EmailAddress::parse("dana@fabrikam.EXAMPLE").unwrap().comparable());
        assert_eq!(given.to_string(), "Dana@fabrikam.example");
    }

    #[test]
    fn only_ascii_letters_are_folded_in_the_local_part() {
        let kelvin = EmailAddress::parse("\u{212a}im@fabrikam.example").unwrap();
        assert_ne!(kelvin.comparable(), EmailAddress::parse("kim@fabrikam.example").unwrap().comparable());
    }

    #[test]
    fn a_domain_is_compared_in_a_labels() {
        let unicode = EmailAddress::parse("it@bücher.example").unwrap();
        assert_eq!(unicode.comparable(), "it@xn--bcher-kva.example");
    }

    #[test]
    fn what_could_leave_a_header_or_name_two_recipients_is_refused() {
        for text in
            ["", "@", "a@", "@b", "a b@c", "a@b,c@d", "a@b\r\nBcc: x@y", "<a@b>", "\"a@b\"@c", "a@[127.0.0.1]", "a@b c"]
        {
            assert!(EmailAddress::parse(text).is_none(), "{text:?}");
        }
        assert!(EmailAddress::parse(&format!("{}@fabrikam.example", "x".repeat(65))).is_none());
    }

    #[test]
    fn a_masked_address_shows_one_letter() {
        assert_eq!(EmailAddress::parse("it@fabrikam.example").unwrap().masked(), "i•@fabrikam.example");
    }
}
