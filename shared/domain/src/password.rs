//! Passwords that people type and choose, and the policy for new ones.
//!
//! The policy follows NIST SP 800-63B-4: a minimum length, no rules about kinds of characters, and a blocklist. Reuse of the temporary
//! password is not checked here, since it needs the hash.

mod common;
mod list;
mod pattern;
mod usual;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::{Company, UserName};

/// The minimum length of a new password in code points of NFC: that of NIST SP 800-63B-4 for a password that is the only factor.
pub const SHORTEST: usize = 15;

/// The maximum length of a password in code points of NFC. NIST SP 800-63B-4 asks for at least 64.
pub const LONGEST: usize = 128;

/// The maximum number of code points that one code point decomposes into (UAX #15, "Worst-Case Expansion Factors").
const MAX_PARTS: usize = 4;

/// A password that a person typed to sign in, in NFC, since keyboards encode `é` differently. It has no `Debug` and no `Serialize`, and is
/// wiped when dropped.
pub struct TypedPassword(Zeroizing<String>);

/// A new password that satisfies the policy. It has no `Debug` and no `Serialize`, and is wiped when dropped.
///
/// It has 15 to 128 characters of any kind, including spaces. It is refused as too common if an attacker would guess it early.
/// The check ignores capitals, spaces and punctuation, and also digits if there are letters. Digits and punctuation also count as the
/// letters that they resemble (`P@ssw0rt`). The rest is too common in these cases:
///
/// - It is a text of fewer than 15 characters, repeated (`wolfgangwolfgang`), with at most one other character before or after it.
/// - It consists only of the pieces below, and of at most one other character (`aaaaaaaaaaaaaab`), and the product of their guesses is at
///   most 10,000 × 10,000:
///
/// | piece | guesses |
/// |---|--:|
/// | the names of the user, the company, the product and the vendor, and their words of three or more characters | 1 |
/// | runs of three or more (`abcdef`, `123456`, rows and columns of a keyboard), repetitions of up to five characters (`aaaa`, `abab`), three or more characters that occur earlier | 1 |
/// | usual words: roles (`administrator`, `Passwort`), months, seasons, days | 100 |
/// | entries of the list of the 10,000 most common passwords | their rank |
/// | phrases that people choose as long passwords (`correct horse battery staple`) | 10,000 |
/// | the other character | 100 |
///
/// So any two entries of the list are too common, three among the first few hundred (`dragonmonkeyshadow`), and four among the first
/// hundred. A sentence of one's own is not, nor are four words picked at random.
///
/// With at most one letter, each digit and each punctuation mark counts as ten guesses, and a year as 200. If the digits alone form a pattern, each
/// distinct punctuation mark counts only once (`123-456-789-012`).
pub struct NewPassword(Zeroizing<String>);

/// The names that an attacker who knows the account would try first.
#[derive(Clone, Copy)]
pub struct PasswordContext<'a> {
    /// The name of the account.
    pub user_name: &'a UserName,
    /// The customer organisation.
    pub company: &'a Company,
    /// The vendor's name for the product.
    pub product: &'a str,
    /// The vendor's own name.
    pub vendor: &'a str,
}

/// Why the policy refuses a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordRefusal {
    /// The password has fewer than [`SHORTEST`] code points.
    TooShort,
    /// The password has more than [`LONGEST`] code points.
    TooLong,
    /// An attacker would guess it early: see [`NewPassword`].
    TooCommon,
}

impl TypedPassword {
    /// Normalizes a typed password. `None` for one that no account can have, so that it need not be hashed.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.is_empty() {
            return None;
        }
        normalize(typed).map(Self)
    }

    /// Returns the text to hash.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl NewPassword {
    /// Checks a typed password against the policy.
    pub fn choose(typed: &str, context: &PasswordContext<'_>) -> Result<Self, PasswordRefusal> {
        let normal = normalize(typed).ok_or(PasswordRefusal::TooLong)?;
        if normal.chars().count() < SHORTEST {
            return Err(PasswordRefusal::TooShort);
        }
        if common::is_common(&normal, context) {
            return Err(PasswordRefusal::TooCommon);
        }
        Ok(Self(normal))
    }

    /// Returns the text to hash.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

/// Returns the text in NFC. `None` for more than [`LONGEST`] code points.
///
/// The work is bounded in advance: NFC composes at most [`MAX_PARTS`] code points into one, so a text of more than that many times
/// [`LONGEST`] is too long in any case.
fn normalize(typed: &str) -> Option<Zeroizing<String>> {
    if typed.chars().nth(MAX_PARTS * LONGEST).is_some() {
        return None;
    }
    // The full capacity, since growing would leave a copy behind that is not wiped.
    let mut normal = Zeroizing::new(String::with_capacity(char::MAX.len_utf8() * (LONGEST + 1)));
    normal.extend(typed.nfc().take(LONGEST + 1));
    (normal.chars().count() <= LONGEST).then_some(normal)
}

#[cfg(test)]
mod tests;
