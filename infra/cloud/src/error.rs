//! The errors of the local cloud.

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

/// The reason why an event was not answered.
#[derive(Debug, PartialEq, Eq)]
pub enum DeliverError {
    /// No rule of an event bus matches the event.
    Event(String),
    /// The function did not answer. The event stays in its queue.
    Function(String),
    /// The policy of the bus refuses events of this principal.
    Denied(String),
}

impl fmt::Display for DeliverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(reason) | Self::Function(reason) => f.write_str(reason),
            Self::Denied(principal) => write!(f, "the policy of the bus does not let {principal} put events"),
        }
    }
}

impl std::error::Error for DeliverError {}

/// The reason why SES did not report anything about a mail, or why the report was not answered.
#[derive(Debug, PartialEq, Eq)]
pub enum ReportError {
    /// The inbox has no such mail.
    UnknownMail,
    /// The mail has no configuration set, so SES publishes nothing about it.
    Unreported,
    /// The event was not answered.
    Undelivered(DeliverError),
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownMail => f.write_str("the inbox has no such mail"),
            Self::Unreported => {
                f.write_str("SES reports nothing about a mail without a configuration set, and this mail has none")
            }
            Self::Undelivered(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReportError {}
