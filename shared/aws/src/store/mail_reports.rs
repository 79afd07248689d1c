//! The reports of SES on mails.

use domain::MailFeedback;

use super::{Table, mail, transaction::Write};
use crate::Failure;

/// Records what SES reports of a mail, and does nothing else.
pub struct MailReports(Table);

/// The result of [`MailReports::record`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordOutcome {
    /// The mail has the status of the report.
    Recorded,
    /// Nothing has changed: the mail is gone, or belongs to another issue or round by now, or more is known of it already.
    Ignored,
}

impl MailReports {
    /// Returns the store over `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    /// Records `feedback`.
    pub async fn record(&self, feedback: &MailFeedback) -> Result<RecordOutcome, Failure> {
        Ok(match self.0.write("dynamodb UpdateItem (mail feedback)", mail::report(feedback)).await? {
            Write::Done(_) => RecordOutcome::Recorded,
            Write::Refused(_) => RecordOutcome::Ignored,
        })
    }
}
