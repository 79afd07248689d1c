//! Operators: the vendor's staff at the support desk.

use crate::{Actor, ActorRole, Label, PersonId, text::is_invisible};

/// An operator of the support desk, who is known by issuer and subject. The label is for people to read, and is never a reason for a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The person.
    pub person: PersonId,
    /// The name or the address of the operator, cut to [`Operator::LONGEST_LABEL`] bytes. The provider may not have confirmed it.
    pub label: Label,
}

impl Operator {
    /// The maximum length of a label in bytes, which is also that of a retrieval's label.
    pub const LONGEST_LABEL: usize = 64;

    const ELLIPSIS: char = '…';

    /// Creates an operator from verified claims. `name` is the name or the address that other operators read.
    #[must_use]
    pub fn new(issuer: &str, subject: &str, name: &str) -> Self {
        let mut text = name.trim().replace(is_invisible, "?");
        if text.len() > Self::LONGEST_LABEL {
            text.truncate(text.floor_char_boundary(Self::LONGEST_LABEL - Self::ELLIPSIS.len_utf8()));
            text.push(Self::ELLIPSIS);
        }
        Self { person: PersonId::from_operator(issuer, subject), label: Label::from_stored(text, Some(false)) }
    }
}

impl Actor {
    /// Returns an operator of the support desk, as an actor.
    #[must_use]
    pub fn operator(person: PersonId) -> Self {
        Self { role: ActorRole::Operator, id: Some(person) }
    }
}

impl From<&Operator> for Actor {
    fn from(operator: &Operator) -> Self {
        Self::operator(operator.person)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Caller;

    fn label(name: &str) -> String {
        Operator::new("https://issuer.example", "olivia", name).label.as_stored().to_owned()
    }

    #[test]
    fn an_operator_is_a_person_by_issuer_and_subject_and_never_by_name() {
        let person = |issuer, subject, name| Operator::new(issuer, subject, name).person;
        let olivia = person("https://issuer.example", "olivia", "Olivia");
        assert_eq!(olivia, person("https://issuer.example", "olivia", "Omar"));
        assert_ne!(olivia, person("https://issuer.example", "omar", "Olivia"));
        assert_ne!(olivia, person("https://other.example", "olivia", "Olivia"));
    }

    #[test]
    fn an_operator_is_no_customer_of_the_same_issuer_and_subject() {
        let customer = Caller::new("https://issuer.example".into(), "olivia".into(), None, Vec::new());
        let operator = Operator::new("https://issuer.example", "olivia", "Olivia");
        assert_ne!(operator.person, customer.person());
        assert_eq!(Actor::from(&operator), Actor { role: ActorRole::Operator, id: Some(operator.person) });
    }

    #[test]
    fn a_label_is_short_and_has_no_character_that_misleads() {
        assert_eq!(label(" Olivia Ortiz "), "Olivia Ortiz");
        assert_eq!(label("Olivia\u{202e}\nOrtiz"), "Olivia??Ortiz");
        assert_eq!(label(&"o".repeat(64)), "o".repeat(64));
        assert_eq!(label(&"o".repeat(65)), format!("{}…", "o".repeat(61)));
        assert_eq!(label(&"ü".repeat(40)), format!("{}…", "ü".repeat(30)));
    }
}
