//! Portal users, as the vendor's events and operators name them.

use crate::{
    EmailAddress, Principal,
    text::{has_only_visible, without_blank_ends},
    text_enum,
};

/// A portal user, as an event or an operator names them. It has no `Debug`, because it holds personal data.
#[derive(Clone)]
pub enum PortalUser {
    /// The person with this e-mail address. Notices go there.
    Address(EmailAddress),
    /// The person with this subject of an issuer.
    Subject {
        /// The issuer of the person's tokens.
        issuer: String,
        /// The subject that the issuer assigns.
        subject: String,
    },
    /// All members of this organisation of an issuer.
    Organization {
        /// The issuer of the members' tokens.
        issuer: String,
        /// The id that the issuer assigns.
        organization: String,
    },
}

text_enum! {
    /// The defect of an invalid portal user.
    pub enum InvalidPortalUser {
        /// The fields are neither an e-mail address alone nor an issuer with a subject or an organisation.
        Fields = "fields",
        /// The e-mail address is not valid.
        Address = "address",
        /// SES cannot send to the e-mail address. See [`EmailAddress::has_ascii_local_part`].
        AddressNotAscii = "address, not ASCII",
    }
}

/// The fields that name a portal user: an e-mail address alone, or an issuer with a subject or an organisation.
#[derive(Clone, Default)]
pub struct PortalUserFields {
    /// The e-mail address.
    pub email: Option<String>,
    /// The issuer of tokens.
    pub issuer: Option<String>,
    /// The subject that the issuer assigns to a person.
    pub subject: Option<String>,
    /// The id that the issuer assigns to an organisation.
    pub organization: Option<String>,
}

impl PortalUserFields {
    /// The maximum number of characters of an issuer, a subject or an organisation that an operator types. `OpenID` Connect Core 1.0,
    /// section 2, allows no longer subject.
    const LONGEST_TYPED: usize = 255;

    /// Parses the portal user of an event. Blanks around a value are cut, and an empty one is absent.
    pub fn parse(self) -> Result<PortalUser, InvalidPortalUser> {
        let given = |field: Option<String>| {
            field.map(|text| without_blank_ends(&text).to_owned()).filter(|text| !text.is_empty())
        };
        match [self.email, self.issuer, self.subject, self.organization].map(given) {
            [Some(address), None, None, None] => {
                let address = EmailAddress::parse_leniently(&address).ok_or(InvalidPortalUser::Address)?;
                if !address.has_ascii_local_part() {
                    return Err(InvalidPortalUser::AddressNotAscii);
                }
                Ok(PortalUser::Address(address))
            }
            [None, Some(issuer), Some(subject), None] => Ok(PortalUser::Subject { issuer, subject }),
            [None, Some(issuer), None, Some(organization)] => Ok(PortalUser::Organization { issuer, organization }),
            _ => Err(InvalidPortalUser::Fields),
        }
    }

    /// Parses the portal user that an operator types. An address must be one that notices can go to, and the other values are visible text
    /// of at most 255 characters.
    #[must_use]
    pub fn parse_typed(self) -> Option<PortalUser> {
        let is_short = |text: &&String| text.chars().count() <= Self::LONGEST_TYPED && has_only_visible(text);
        match self.parse().ok()? {
            PortalUser::Address(address) => address.can_be_mailed().then_some(PortalUser::Address(address)),
            PortalUser::Subject { issuer, subject } => {
                [&issuer, &subject].iter().all(is_short).then_some(PortalUser::Subject { issuer, subject })
            }
            PortalUser::Organization { issuer, organization } => [&issuer, &organization]
                .iter()
                .all(is_short)
                .then_some(PortalUser::Organization { issuer, organization }),
        }
    }
}

impl PortalUser {
    /// Returns the principal: how a token proves that its bearer is this portal user.
    #[must_use]
    pub fn principal(&self) -> Principal {
        match self {
            Self::Address(address) => Principal::email(address),
            Self::Subject { issuer, subject } => Principal::subject(issuer, subject),
            Self::Organization { issuer, organization } => Principal::organization(issuer, organization),
        }
    }

    /// Returns the e-mail address, if the portal user is known by one.
    #[must_use]
    pub fn address(&self) -> Option<&EmailAddress> {
        match self {
            Self::Address(address) => Some(address),
            Self::Subject { .. } | Self::Organization { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(email: &str, issuer: &str, subject: &str, organization: &str) -> PortalUserFields {
        let [email, issuer, subject, organization] =
            [email, issuer, subject, organization].map(|text| Some(text.into()));
        PortalUserFields { email, issuer, subject, organization }
    }

    #[test]
    fn a_portal_user_is_an_address_or_an_issuer_with_a_subject_or_an_organization() {
        let address = EmailAddress::parse("dana@fabrikam.example").unwrap();
        let principal = |fields: PortalUserFields| fields.parse_typed().map(|user| user.principal());
        assert_eq!(principal(fields(" mailto:Dana@fabrikam.example ", "", "", "")), Some(Principal::email(&address)));
        assert_eq!(principal(fields("", "i", " s ", "")), Some(Principal::subject("i", "s")));
        assert_eq!(principal(fields("", "i", "", "o")), Some(Principal::organization("i", "o")));
        for (email, issuer, subject, organization) in [
            ("", "", "", ""),
            ("a@b.example", "i", "", ""),
            ("", "i", "", ""),
            ("", "", "s", ""),
            ("", "i", "s", "o"),
            ("a", "", "", ""),
        ] {
            assert_eq!(principal(fields(email, issuer, subject, organization)), None, "{email} {issuer} {subject}");
        }
    }

    #[test]
    fn what_an_operator_types_is_short_and_visible_and_can_be_mailed() {
        let accepts = |fields: PortalUserFields| fields.parse_typed().is_some();
        assert!(accepts(fields("", "https://issuer.example", &"s".repeat(255), "")));
        assert!(!accepts(fields("", "https://issuer.example", &"s".repeat(256), "")));
        assert!(!accepts(fields("", &"i".repeat(256), "", "o")));
        assert!(!accepts(fields("", "i", "a\u{202e}b", "")) && !accepts(fields("", "i", "", "a\nb")));
        assert!(!accepts(fields(".dana@fabrikam.example", "", "", "")), "SES cannot send to it");
        assert!(!accepts(fields("j\u{fc}rgen@fabrikam.example", "", "", "")), "SES cannot send to it");
    }
}
