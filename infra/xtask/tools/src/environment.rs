//! The environment of the developer.

use std::ffi::OsString;

/// The names of all variables.
pub fn names() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name)
}

/// A variable that is set to something.
#[expect(clippy::disallowed_methods, reason = "a development tool looks at its caller's environment")]
#[must_use]
pub fn get(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
