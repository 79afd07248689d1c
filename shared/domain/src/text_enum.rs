//! A macro for enums whose values have a stable text.

/// Declares an enum and the text of each of its values, in one place.
///
/// The table, the HTTP contract, the log and the metrics hold these texts, so a text never changes once it is released. The
/// enum gets `ALL`, `as_str` and `parse`, and serializes as its text.
#[macro_export]
macro_rules! text_enum {
    ($(#[$attribute:meta])* $visibility:vis enum $name:ident {
        $($(#[$variant_attribute:meta])* $variant:ident = $text:literal,)+
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $name {
            $($(#[$variant_attribute])* $variant,)+
        }

        impl $name {
            /// Every value, in the order of the declaration.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// Returns the stable text of this value.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Parses the text that [`as_str`](Self::as_str) returns. `None` for any other text.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fmt::Debug};

    use crate::{AccountStatus, CredentialState, Kind, MailContent, MailStatus, Next, ReasonCode, Role, Scope};

    fn assert_round_trip<T: Copy + Debug + PartialEq>(
        all: &[T],
        as_str: fn(T) -> &'static str,
        parse: fn(&str) -> Option<T>,
    ) {
        for value in all {
            assert_eq!(parse(as_str(*value)), Some(*value));
        }
        assert_eq!(all.iter().map(|value| as_str(*value)).collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(parse(""), None);
        assert_eq!(parse(&as_str(all[0]).to_uppercase()), None, "the case of a text counts");
    }

    #[test]
    fn every_text_is_unique_and_parses_to_its_value() {
        assert_round_trip(&AccountStatus::ALL, AccountStatus::as_str, AccountStatus::parse);
        assert_round_trip(&CredentialState::ALL, CredentialState::as_str, CredentialState::parse);
        assert_round_trip(&Kind::ALL, Kind::as_str, Kind::parse);
        assert_round_trip(&MailContent::ALL, MailContent::as_str, MailContent::parse);
        assert_round_trip(&MailStatus::ALL, MailStatus::as_str, MailStatus::parse);
        assert_round_trip(&Next::ALL, Next::as_str, Next::parse);
        assert_round_trip(&ReasonCode::ALL, ReasonCode::as_str, ReasonCode::parse);
        assert_round_trip(&Role::ALL, Role::as_str, Role::parse);
        assert_round_trip(&Scope::ALL, Scope::as_str, Scope::parse);
    }

    /// Pins the texts, which items, answers and sessions of every release hold.
    #[test]
    fn the_texts_are_those_that_are_stored_and_answered() {
        assert_eq!(AccountStatus::ALL.map(AccountStatus::as_str), ["active", "retired", "closed"]);
        assert_eq!(
            CredentialState::ALL.map(CredentialState::as_str),
            ["issued", "signed-in", "changed", "handed-over", "expired", "ended"]
        );
        assert_eq!(Kind::ALL.map(Kind::as_str), ["trial", "paid"]);
        assert_eq!(MailContent::ALL.map(MailContent::as_str), ["credentials", "link"]);
        assert_eq!(
            MailStatus::ALL.map(MailStatus::as_str),
            [
                "pending",
                "sent",
                "delayed",
                "undelivered",
                "delivered",
                "bounced",
                "suppressed",
                "complained",
                "not-needed",
            ]
        );
        assert_eq!(Next::ALL.map(Next::as_str), ["reset-password", "create-administrator", "home"]);
        assert_eq!(
            ReasonCode::ALL.map(ReasonCode::as_str),
            [
                "administrator-signed-in",
                "administrator-changed-password",
                "retrieved-three-times",
                "retrieved-by-someone-else",
                "expired",
                "subscription-ended"
            ]
        );
        assert_eq!(Role::ALL.map(Role::as_str), ["service-administrator", "administrator"]);
        assert_eq!(Scope::ALL.map(Scope::as_str), ["reset-password", "full"]);
    }
}
