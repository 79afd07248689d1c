//! A search for secrets in text that must not contain any.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};

/// Returns the forms in which a secret may appear: as it is, without separators, URL-encoded, in hexadecimal, and in Base64 by itself or
/// within a longer text.
#[must_use]
pub fn forms(secret: &str) -> Vec<String> {
    let hex = secret.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let plain = [secret.to_owned(), secret.replace('-', ""), secret.replace(' ', "+"), secret.replace(' ', "%20")];
    let mut forms = Vec::from(plain);
    for before in 0..3 {
        // Only the Base64 symbols whose bits all belong to the secret. They differ with the byte offset modulo 3.
        let bytes = [&vec![0; before], secret.as_bytes()].concat();
        let text = &BASE64_STANDARD_NO_PAD.encode(&bytes)[(before * 8).div_ceil(6)..bytes.len() * 8 / 6];
        forms.extend([text.to_owned(), text.replace('+', "-").replace('/', "_")]);
    }
    forms.extend([hex.to_uppercase(), hex]);
    forms
}

/// A scanner that searches a text for many secrets in one pass: their forms, by the first bytes of each.
pub struct SecretScanner(HashMap<[u8; PREFIX], Vec<String>>);

/// The number of bytes by which forms are indexed. No secret is shorter.
const PREFIX: usize = 8;

impl SecretScanner {
    /// Prepares a search for every form of every secret.
    #[must_use]
    pub fn new(secrets: &[String]) -> Self {
        let mut all = HashMap::<_, Vec<String>>::new();
        for form in secrets.iter().flat_map(|secret| forms(secret)) {
            let prefix = *form.as_bytes().first_chunk().expect("a secret is longer");
            all.entry(prefix).or_default().push(form);
        }
        Self(all)
    }

    /// Returns the first form that `text` contains.
    #[must_use]
    pub fn find_in(&self, text: &str) -> Option<&str> {
        let text = text.as_bytes();
        text.windows(PREFIX).enumerate().find_map(|(at, window)| {
            let forms = self.0.get(window)?;
            forms.iter().find(|form| text[at..].starts_with(form.as_bytes())).map(String::as_str)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_secret_is_found() {
        let secret = "seven green boats at noon";
        let scanner = SecretScanner::new(&[secret.to_owned(), "another one of them".to_owned()]);
        let found = |text: &str| {
            let found = forms(secret).iter().any(|form| text.contains(form.as_str()));
            assert_eq!(scanner.find_in(text).is_some(), found, "one pass finds what a search for each form finds");
            found
        };
        for around in ["", "a", "ab", "abc"] {
            let text = format!("{around}{secret}{around}");
            let hex = text.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
            assert!(found(&text) && found(&BASE64_STANDARD_NO_PAD.encode(&text)) && found(&hex), "{around}");
        }
        assert!(!found("seven green boats at midnight"));
    }
}
