//! Secrets that are looked for where they must not be.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_secret_is_found() {
        let secret = "seven green boats at noon";
        let found = |text: &str| forms(secret).iter().any(|form| text.contains(form.as_str()));
        for around in ["", "a", "ab", "abc"] {
            let text = format!("{around}{secret}{around}");
            let hex = text.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
            assert!(found(&text) && found(&BASE64_STANDARD_NO_PAD.encode(&text)) && found(&hex), "{around}");
        }
        assert!(!found("seven green boats at midnight"));
    }
}
