//! The error of the local cloud.

use std::fmt;

/// An underlying error of any type.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An operation that the local cloud could not complete. The message is for the developer; the source is the cause.
#[derive(Debug)]
pub struct Error {
    what: String,
    source: Option<Cause>,
}

impl Error {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    pub(super) fn caused(what: impl Into<String>, source: impl Into<Cause>) -> Self {
        Self { what: what.into(), source: Some(source.into()) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}
