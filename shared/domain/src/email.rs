//! E-mail addresses.

use crate::text::{is_invisible, without_blank_ends};

/// An address that mail can be sent to: the local part as given, and the domain in lower case and A-labels.
///
/// Addresses are compared by their [`comparable`](Self::comparable) form, since one address has several spellings.
#[derive(Clone)]
pub struct EmailAddress {
    local: String,
    domain: String,
}

/// Google's domains for mailboxes. An address at one of them also receives the mail of the other.
const GMAIL: [&str; 2] = ["gmail.com", "googlemail.com"];

impl EmailAddress {
    /// The maximum length in bytes (RFC 5321, 4.5.3.1.3, without the angle brackets).
    const LONGEST: usize = 254;

    /// Parses an address of the plain form `local@domain`. `None` for quoted local parts, comments, address literals and anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        let plain = |c: char| !c.is_whitespace() && !is_invisible(c) && !"()<>[]:;@\\,\"".contains(c);
        if !(1..=64).contains(&local.len()) || !local.chars().all(plain) || !domain.chars().all(plain) {
            return None;
        }
        let domain = idna::domain_to_ascii_strict(domain).ok()?;
        let address = Self { local: local.to_owned(), domain };
        (!address.domain.is_empty() && address.to_string().len() <= Self::LONGEST).then_some(address)
    }

    /// Parses an address as billing systems write it: blanks around it are cut, and so is `mailto:` before it.
    #[must_use]
    pub fn parse_leniently(text: &str) -> Option<Self> {
        const SCHEME: &str = "mailto:";
        let text = without_blank_ends(text);
        match text.get(..SCHEME.len()) {
            Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => {
                Self::parse(without_blank_ends(&text[SCHEME.len()..]))
            }
            _ => Self::parse(text),
        }
    }

    /// Returns whether SES can send to this address. SES has no SMTPUTF8 (RFC 6531), so the local part must be ASCII. A dot is allowed
    /// only between two other characters. The domain is in A-labels already.
    ///
    /// <https://docs.aws.amazon.com/ses/latest/APIReference/API_Destination.html>
    #[must_use]
    pub fn can_be_mailed(&self) -> bool {
        self.local.is_ascii() && self.local.split('.').all(|atom| !atom.is_empty())
    }

    /// Returns whether the local part is ASCII. SES cannot send to any other address.
    #[must_use]
    pub fn has_ascii_local_part(&self) -> bool {
        self.local.is_ascii()
    }

    /// Returns the form in which two spellings of one address are equal: ASCII letters in lower case, the domain in A-labels, and no
    /// other folding.
    #[must_use]
    pub fn comparable(&self) -> String {
        format!("{}@{}", self.local.to_ascii_lowercase(), self.domain)
    }

    /// Returns the address with most of its local part hidden, such as `i•@fabrikam.example`.
    #[must_use]
    pub fn masked(&self) -> String {
        format!("{}•@{}", self.local.chars().next().unwrap_or('•'), self.domain)
    }

    /// Returns whether the address is Google's: at one of the two domains that name the same mailboxes.
    #[must_use]
    pub fn is_gmail(&self) -> bool {
        GMAIL.contains(&self.domain.as_str())
    }

    /// Returns the address of the same mailbox at Google's other domain. `None` for an address elsewhere.
    #[must_use]
    pub fn gmail_twin(&self) -> Option<Self> {
        let other = GMAIL.into_iter().find(|domain| *domain != self.domain)?;
        self.is_gmail().then(|| Self { local: self.local.clone(), domain: other.to_owned() })
    }

    /// Returns the domain, in lower case and A-labels.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

/// Returns a text that is written like an address, such as a user name, with all but its first character and its domain hidden.
pub(crate) fn masked(text: &str) -> String {
    let domain = text.rfind('@').map_or("", |at| &text[at..]);
    format!("{}•{domain}", text.chars().next().unwrap_or('•'))
}

/// Writes the masked address, since logs must not contain addresses.
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
    use proptest::prelude::*;

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
    fn text_that_could_break_a_header_or_name_two_recipients_is_refused() {
        for text in
            ["", "@", "a@", "@b", "a b@c", "a@b,c@d", "a@b\r\nBcc: x@y", "<a@b>", "\"a@b\"@c", "a@[127.0.0.1]", "a@b c"]
        {
            assert!(EmailAddress::parse(text).is_none(), "{text:?}");
        }
        assert!(EmailAddress::parse(&format!("{}@fabrikam.example", "x".repeat(65))).is_none());
    }

    #[test]
    fn a_mailbox_of_google_has_two_addresses() {
        let twin = |text: &str| EmailAddress::parse(text).unwrap().gmail_twin().map(|twin| twin.to_string());
        assert_eq!(twin("Dana.B@GoogleMail.com").as_deref(), Some("Dana.B@gmail.com"));
        assert_eq!(twin("dana@gmail.com").as_deref(), Some("dana@googlemail.com"));
        for other in ["dana@fabrikam.example", "dana@gmail.com.example", "dana@notgmail.com", "dana@mail.gmail.com"] {
            assert_eq!(twin(other), None, "{other}");
        }
    }

    #[test]
    fn a_masked_address_shows_one_letter() {
        assert_eq!(EmailAddress::parse("it@fabrikam.example").unwrap().masked(), "i•@fabrikam.example");
    }
    #[test]
    fn blanks_around_an_address_and_the_scheme_before_it_are_cut() {
        for text in [
            " it@fabrikam.example ",
            "mailto:it@fabrikam.example",
            "\u{feff}MailTo: it@fabrikam.example\n",
            "it@fabrikam.example\u{a0}",
        ] {
            let parsed = EmailAddress::parse_leniently(text).map(|address| address.to_string());
            assert_eq!(parsed.as_deref(), Some("it@fabrikam.example"), "{text:?}");
        }
        for text in [
            "mailto:",
            "mailto:mailto:a@b.example",
            "http:a@b.example",
            "a @b.example",
            "mailto:a@b.example?cc=c@d.example",
            "mäilto:a@b",
        ] {
            assert!(EmailAddress::parse_leniently(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn only_an_ascii_local_part_without_stray_dots_can_be_mailed() {
        let can_be_mailed = |text: &str| EmailAddress::parse(text).unwrap().can_be_mailed();
        for text in ["it@fabrikam.example", "a.b+c@bücher.example", "o'neil@fabrikam.example"] {
            assert!(can_be_mailed(text), "{text}");
        }
        for text in ["jürgen@fabrikam.example", ".a@b.example", "a.@b.example", "a..b@b.example"] {
            assert!(!can_be_mailed(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_one_visible_word_and_parses_to_itself(
            text in prop_oneof![
                any::<String>(),
                "[ \u{feff}]?(mailto:)?[a-zäß.+\u{ad}\u{200b}\u{202e}\u{3164},<\"]{1,8}@[a-zäß\u{200d}.-]{1,8}[.][a-z]{2,3}[ \n]?",
            ],
        ) {
            if let Some(address) = EmailAddress::parse_leniently(&text) {
                let written = address.to_string();
                let again = EmailAddress::parse(&written);
                prop_assert_eq!(again.map(|again| again.to_string()), Some(written.clone()));
                prop_assert!(address.domain().is_ascii() && !written.contains(char::is_whitespace));
                prop_assert!(!written.chars().any(super::is_invisible), "{:?}", written);
                prop_assert!(!written.contains(|c| "()<>[]:;\\,\"".contains(c)) && written.matches('@').count() == 1);
                let comparable = EmailAddress::parse(&address.comparable()).map(|address| address.comparable());
                prop_assert_eq!(comparable, Some(address.comparable()));
                prop_assert!(!address.can_be_mailed() || written.is_ascii());
            }
        }
    }
}
