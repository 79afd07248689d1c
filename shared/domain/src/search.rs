//! A text that an operator types into the search field of the support desk, as the keys that it may be.

use crate::{CompanyId, EmailAddress, Principal, Reference, SubscriptionId, UserName, text::without_blank_ends};

/// The keys that a searched text may be. The text of one key can be another one as well, so each that parses is looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchKeys {
    /// The id of a subscription.
    pub subscription: Option<SubscriptionId>,
    /// The user name of an account.
    pub user_name: Option<UserName>,
    /// The principals of an e-mail address: one, or two for Google's two addresses of one mailbox.
    pub principals: Vec<Principal>,
    /// The id of a company.
    pub company: Option<CompanyId>,
    /// The reference of a support request.
    pub reference: Option<Reference>,
}

impl SearchKeys {
    /// Parses a searched text. Blanks around it are cut.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = without_blank_ends(text);
        let address = EmailAddress::parse_leniently(text);
        let twin = address.as_ref().and_then(EmailAddress::gmail_twin);
        Self {
            subscription: SubscriptionId::parse(text),
            user_name: UserName::parse(text),
            principals: address.iter().chain(&twin).map(Principal::email).collect(),
            company: CompanyId::parse(text),
            reference: Reference::parse_typed(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_looked_up_as_every_key_that_it_may_be() {
        let keys = |text: &str| SearchKeys::parse(text);
        let fabrikam = keys(" fabrikam ");
        assert_eq!(fabrikam.subscription, SubscriptionId::parse("fabrikam"));
        assert_eq!(fabrikam.company, CompanyId::parse("fabrikam"));
        assert!(fabrikam.user_name.is_none() && fabrikam.principals.is_empty() && fabrikam.reference.is_none());
        let admin = keys("Admin@Fabrikam.example");
        assert_eq!(admin.user_name, UserName::parse("admin@fabrikam.example"));
        assert_eq!(admin.principals, [Principal::email(&EmailAddress::parse("admin@fabrikam.example").unwrap())]);
        assert!(admin.subscription.is_none() && admin.company.is_none());
        assert_eq!(keys("dana@googlemail.com").principals.len(), 2);
        for nothing in ["", " ", "a b", "%", &"x".repeat(300)] {
            assert_eq!(keys(nothing), SearchKeys::default(), "{nothing}");
        }
    }

    #[test]
    fn a_reference_is_found_as_people_type_it() {
        let reference = Reference::parse("7QKM-WX3H-RT9A");
        for text in ["7QKM-WX3H-RT9A", "7qkm-wx3h-rt9a", " 7QKM WX3H RT9A", "7qkmwx3hrt9a"] {
            assert_eq!(SearchKeys::parse(text).reference, reference, "{text}");
        }
    }
}
