//! The environment of the developer.

use std::ffi::OsString;

/// Returns the names of all variables.
pub fn names() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name)
}

/// Returns the value of a variable, if it is set and not empty.
#[expect(clippy::disallowed_methods, reason = "a development tool looks at its caller's environment")]
#[must_use]
pub fn get(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
