//! The name of a function.

use std::fmt;

use anyhow::ensure;

/// A name in kebab-case, such as `get-credentials`. It is the name of the crate, the program and the Lambda function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FunctionName(String);

/// The resources of a function are named by the stack and the function, in at most 64 characters.
const LONGEST: usize = 32;

/// Names that are one word and cannot be the name of a Rust crate or module here.
const RESERVED: [&str; 12] =
    ["alloc", "core", "crate", "main", "match", "mod", "move", "proc-macro", "self", "static", "std", "test"];

impl FunctionName {
    /// Parses a name: words of lower-case letters and digits that begin with a letter, joined by hyphens.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let is_word = |word: &str| {
            word.starts_with(|first: char| first.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        };
        ensure!(text.split('-').all(is_word), "{text:?} is not in kebab-case, such as get-credentials");
        ensure!(text.len() <= LONGEST, "{text} has more than {LONGEST} characters");
        ensure!(!RESERVED.contains(&text), "{text} cannot be the name of a crate");
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name in Rust: `renew_credentials`.
    pub(super) fn crate_name(&self) -> String {
        self.0.replace('-', "_")
    }

    /// Returns the name in the registry and the template: `RenewCredentials`.
    pub(super) fn variant(&self) -> String {
        let capitalized = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        self.0.split('-').map(capitalized).collect()
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
