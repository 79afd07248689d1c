//! The secret with which the product authenticates at an identity provider.

use serde::de::IgnoredAny;
use zeroize::Zeroizing;

/// A client secret in plain text. It has no `Debug` and no `Serialize`, and is wiped when dropped.
#[derive(PartialEq, Eq)]
pub struct ClientSecret(Zeroizing<String>);

/// Why a text is no client secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientSecretRefusal {
    /// The text is empty or blank.
    Empty,
    /// The text is a JSON object, as the console of Secrets Manager stores key-value pairs.
    JsonObject,
}

impl ClientSecret {
    /// Parses the text that an operator stored. A text that was stored from a file may end with a newline, so its ends are trimmed.
    pub fn parse(text: &str) -> Result<Self, ClientSecretRefusal> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ClientSecretRefusal::Empty);
        }
        if text.starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok() {
            return Err(ClientSecretRefusal::JsonObject);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// Returns the secret in plain text.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl ClientSecretRefusal {
    /// Returns the reason for the log.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Empty => "the client secret is empty",
            Self::JsonObject => "the client secret is a JSON object instead of plain text",
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the secrets that they make")]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_trimmed_and_everything_else_is_the_secret() {
        for text in ["s~e-c_r.e t+%", "{not json", "{\"a\":1", "[\"a\"]", "\"quoted\"", "null"] {
            for stored in [text.to_owned(), format!(" {text}\r\n")] {
                assert_eq!(ClientSecret::parse(&stored).ok().unwrap().expose_secret(), text);
            }
        }
    }

    #[test]
    fn an_empty_text_and_a_json_object_are_refused() {
        for (text, refusal) in [
            ("", ClientSecretRefusal::Empty),
            (" \n", ClientSecretRefusal::Empty),
            ("{}", ClientSecretRefusal::JsonObject),
            ("{\"client_secret\":\"x\"}\n", ClientSecretRefusal::JsonObject),
        ] {
            assert_eq!(ClientSecret::parse(text).err(), Some(refusal), "{text:?}");
        }
    }
}
