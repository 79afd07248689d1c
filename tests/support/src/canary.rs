//! Secrets that are looked for where they must not be.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};

/// A secret as it is, and as it may be written by itself or within something longer.
#[must_use]
pub fn forms(secret: &str) -> Vec<String> {
    let hex = secret.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let plain = [secret.to_owned(), secret.replace('-', ""), secret.replace(' ', "+"), secret.replace(' ', "%20")];
    let mut forms = Vec::from(plain);
    for before in 0..3 {
        // The symbols that hold nothing but bits of the secret, wherever it begins.
        let bytes = [&vec![0; before], secret.as_bytes()].concat();
        let text = &BASE64_STANDARD_NO_PAD.encode(&bytes)[(before * 8).div_ceil(6)..bytes.len() * 8 / 6];
        forms.extend([text.to_owned(), text.replace('+', "-").replace('/', "_")]);
    }
    forms.extend([hex.to_uppercase(), hex]);
    forms
}

/// Many secrets, looked for in one pass.
pub struct Canaries(HashMap<[u8; BEGINNING], Vec<String>>);

/// By so many bytes a form is found first. No secret is shorter.
const BEGINNING: usize = 8;

impl Canaries {
    /// Every form of every secret.
    #[must_use]
    pub fn of(secrets: &[String]) -> Self {
        let mut all = HashMap::<_, Vec<String>>::new();
        for form in secrets.iter().flat_map(|secret| forms(secret)) {
            let beginning = *form.as_bytes().first_chunk().expect("a secret is longer");
            all.entry(beginning).or_default().push(form);
        }
        Self(all)
    }

    /// The first form that is in `text`.
    #[must_use]
    pub fn found_in(&self, text: &str) -> Option<&str> {
        let text = text.as_bytes();
        text.windows(BEGINNING).enumerate().find_map(|(at, window)| {
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
        let canaries = Canaries::of(&[secret.to_owned(), "another one of them".to_owned()]);
        let found = |text: &str| {
            let found = forms(secret).iter().any(|form| text.contains(form.as_str()));
            assert_eq!(canaries.found_in(text).is_some(), found, "in one pass as one after the other");
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
