//! The temporary password: the plain text that is handed out, and the sealed and hashed forms that are stored.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The temporary password in plain text. It has no `Debug` and no `Serialize`, and is wiped when dropped.
pub struct TemporaryPassword(Zeroizing<String>);

/// The temporary password encrypted by KMS, bound to its subscription and issue.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPassword(Vec<u8>);

/// The hash of a password, as an argon2id PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl TemporaryPassword {
    /// Lower-case letters and digits without the look-alikes `0 o 1 l i`: 31 symbols of 4.95 bits each.
    const ALPHABET: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";
    /// The number of symbols: 20 of them have 99 bits.
    const SYMBOLS: usize = 20;
    const GROUP: usize = 5;

    /// Generates a password from the random bytes that `fill` writes. Every symbol is equally likely.
    pub fn generate(mut fill: impl FnMut(&mut [u8])) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(Self::SYMBOLS + Self::SYMBOLS / Self::GROUP));
        let mut random = Zeroizing::new([0_u8; 1]);
        let mut symbols = 0;
        while symbols < Self::SYMBOLS {
            fill(random.as_mut_slice());
            // A remainder of 256 values would favour the first symbols, so this takes the low five bits and discards 31.
            let Some(symbol) = Self::ALPHABET.get(usize::from(random[0] & 31)) else { continue };
            if symbols > 0 && symbols % Self::GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(*symbol));
            symbols += 1;
        }
        Self(text)
    }

    /// Restores the password that KMS decrypted. `None` if the bytes are not UTF-8.
    #[must_use]
    pub fn from_unsealed(bytes: Vec<u8>) -> Option<Self> {
        let bytes = Zeroizing::new(bytes);
        std::str::from_utf8(&bytes).ok().map(|text| Self(Zeroizing::new(text.to_owned())))
    }

    /// Returns the password in plain text: four groups of five symbols, joined by hyphens.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    /// Returns the form that is hashed and compared: nothing but letters and digits after NFKC, in lower case. People, phones and mail
    /// programs change the rest: hyphens become dashes or dots, and invisible characters come along.
    #[must_use]
    pub fn comparable(typed: &str) -> Zeroizing<String> {
        // The capacity is enough for any text, since growing would leave a copy behind that is not wiped.
        let mut plain = Zeroizing::new(String::with_capacity(typed.len() * Self::LARGEST_EXPANSION));
        plain.extend(typed.nfkc().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()));
        plain
    }

    /// How many times longer NFKC makes a text in UTF-8 at most (UAX #15, "Worst-Case Expansion Factors"), and lower case after it.
    const LARGEST_EXPANSION: usize = 11 * 3;
}

impl SealedPassword {
    /// Wraps bytes from KMS or from the table.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Returns the bytes for KMS and for the table.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PasswordHash {
    /// Wraps a PHC string, such as `$argon2id$v=19$…`.
    #[must_use]
    pub fn from_phc(phc: String) -> Self {
        Self(phc)
    }

    /// Returns the PHC string.
    #[must_use]
    pub fn as_phc(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash")
    }
}

impl std::fmt::Debug for SealedPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedPassword({} bytes)", self.0.len())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the passwords that they make")]
mod tests {
    use super::*;

    fn counting() -> impl FnMut(&mut [u8]) {
        let mut next = 0_u8;
        move |bytes| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(1);
            }
        }
    }

    #[test]
    fn a_password_is_four_groups_of_five_without_look_alikes() {
        let password = TemporaryPassword::generate(counting());
        let groups: Vec<&str> = password.expose_secret().split('-').collect();
        assert_eq!(groups.iter().map(|g| g.len()).collect::<Vec<_>>(), [5; 4]);
        assert!(!password.expose_secret().contains(['0', 'o', '1', 'l', 'i']));
    }

    #[test]
    fn every_symbol_is_equally_likely() {
        let mut seen = [0_u32; 256];
        let mut fill = counting();
        // 31 passwords of 20 symbols use each of the 31 symbols 20 times when the bytes run through all values evenly.
        for _ in 0..31 {
            for symbol in TemporaryPassword::generate(&mut fill).expose_secret().bytes().filter(|b| *b != b'-') {
                seen[usize::from(symbol)] += 1;
            }
        }
        assert!(TemporaryPassword::ALPHABET.iter().all(|symbol| seen[usize::from(*symbol)] == 20));
    }

    #[test]
    fn only_letters_and_digits_count_and_their_case_and_width_do_not() {
        for typed in [
            " K7WMP-3hxrt 22222\u{a0}- abcde ",
            "k7wmp\u{2013}3hxrt\u{2011}22222\u{2212}abcde",
            "k7wmp\u{ad}-\u{200b}3hxrt-\u{2060}22222-\u{feff}abcde",
            "\u{ff4b}\u{ff17}\u{ff37}\u{ff2d}\u{ff30}\u{ff0d}\u{ff13}hxrt\u{30fb}22222\u{3000}abcde",
            "k7wmp.3hxrt.22222.abcde.",
            "\u{201c}k7wmp_3hxrt/22222|abcde\u{201d}",
        ] {
            assert_eq!(*TemporaryPassword::comparable(typed), "k7wmp3hxrt22222abcde", "{typed:?}");
        }
        assert_ne!(*TemporaryPassword::comparable("k7wmp-3hxrt-22222-abcd\u{e9}"), "k7wmp3hxrt22222abcde");
    }

    proptest::proptest! {
        #[test]
        fn the_comparable_form_never_outgrows_its_first_allocation(typed in "\\PC{0,128}") {
            let room = typed.len() * TemporaryPassword::LARGEST_EXPANSION;
            proptest::prop_assert!(TemporaryPassword::comparable(&typed).len() <= room);
        }
    }
}
