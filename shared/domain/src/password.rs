//! Passwords that people type and choose, and which of those are refused.
//!
//! By NIST SP 800-63B-4: long rather than complicated, no rule about kinds of characters, and nothing that guessers expect.
//! Whether a new password is the temporary one is found out with its hash, elsewhere.

mod common;
mod list;
mod pattern;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::{Company, UserName};

/// Code points of the shortest password that can be chosen, under NFC: NIST SP 800-63B-4, where it is the only factor.
pub const SHORTEST: usize = 15;

/// Code points of the longest password, under NFC. NIST SP 800-63B-4 wants this to be at least 64.
pub const LONGEST: usize = 128;

/// Code points that one can be taken apart into, at most (UAX #15, "Worst-Case Expansion Factors").
const MOST_PARTS: usize = 4;

/// A password as somebody typed it, to be verified; under NFC, since keyboards differ in how they write `é`. Neither shown
/// by `Debug` nor serialized; wiped when dropped.
pub struct TypedPassword(Zeroizing<String>);

/// A password that somebody chose, and that is good enough to be hashed. Neither shown by `Debug` nor serialized; wiped when
/// dropped.
///
/// It has 15 to 128 characters of any kind; spaces count. It is refused as too common where guessers would find it soon.
/// Capitals, spaces and punctuation count for nothing there, nor do digits beside letters. What is left is too common
///
/// - when it is a text of fewer than 15 characters, said again (`wolfgangwolfgang`), or
/// - when it consists of nothing but the names of the user, the company and the product and their words of three or more
///   characters; runs of three or more (`abcdef`, `123456`, rows of a keyboard); repetitions of up to five characters
///   (`aaaa`, `abab`); three or more characters that have stood in it before; and entries of the list of the 10,000 most
///   common passwords that are together no harder to guess than any two of them: their places on the list, multiplied, come
///   to at most 10,000 × 10,000. Two entries always do; three do among the first few hundred (`dragonmonkeyshadow`), four
///   among the first hundred. A sentence does not, nor do four words picked by chance.
///
/// Without letters, each digit counts as ten tries, and so does each punctuation mark; or each kind of them once, where the
/// digits make a pattern without them (`123-456-789-012`).
///
/// To tell people: "Choose at least 15 characters, such as a sentence, or four words that do not belong together. Common
/// passwords, your name, the company's and the product's, rows of keys and repetitions are not enough by themselves;
/// capitals, spaces, punctuation and digits do not change that."
pub struct NewPassword(Zeroizing<String>);

/// What a guesser who knows the account would try first.
#[derive(Clone, Copy)]
pub struct PasswordContext<'a> {
    /// The account's.
    pub user_name: &'a UserName,
    /// The customer.
    pub company: &'a Company,
    /// What the vendor calls what the account is for.
    pub product: &'a str,
}

/// Why a password cannot be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordRefusal {
    /// Under [`SHORTEST`].
    TooShort,
    /// Over [`LONGEST`].
    TooLong,
    /// Among the first that a guesser would try, see [`NewPassword`].
    TooCommon,
}

impl TypedPassword {
    /// `None` for what no account can have: it is wrong without hashing.
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.is_empty() {
            return None;
        }
        normalize(typed).map(Self)
    }

    /// What is hashed.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

impl NewPassword {
    /// Takes what was typed, or says why not.
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

    /// What is hashed.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.0
    }
}

/// Under NFC; `None` for more than [`LONGEST`] code points.
///
/// The work is bounded before it starts: composition puts at most [`MOST_PARTS`] code points into one, so more than that
/// many times [`LONGEST`] are too many however they compose.
fn normalize(typed: &str) -> Option<Zeroizing<String>> {
    if typed.chars().nth(MOST_PARTS * LONGEST).is_some() {
        return None;
    }
    // As large as it can get, since growing would leave a copy behind that nobody wipes.
    let mut normal = Zeroizing::new(String::with_capacity(char::MAX.len_utf8() * (LONGEST + 1)));
    normal.extend(typed.nfc().take(LONGEST + 1));
    (normal.chars().count() <= LONGEST).then_some(normal)
}

#[cfg(test)]
mod tests;
