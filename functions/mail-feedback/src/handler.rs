//! `mail-feedback`: records what SES reports of a mail, so that people see the truth about it.
//!
//! **Source**: a queue of `EventBridge` events that SES publishes for our configuration set, in batches.
//!
//! Events arrive in any order, more than once, and late. One conditional write keeps the status of the highest rank. An event about another
//! system's mail, or about an issue or a sending that is over, is acknowledged and changes nothing: another delivery would not change that.

#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use aws::{MailReports, RecordOutcome, Table};
use domain::{MailFeedback, MailKind, MailStatus};
use lambda::{Clock, Message, Rejection, Settings};
use tracing::{info, warn};

/// The function's store: it lets it record the status of mails, and nothing else.
pub struct App {
    reports: MailReports,
}

impl App {
    /// Reads the setting `TABLE_NAME`.
    pub fn new(settings: &Settings, _clock: Clock) -> Result<Self, lambda::Error> {
        let aws = aws::connect(|name| settings.optional(name))?;
        Ok(Self { reports: MailReports::new(Table::new(&aws, settings.required("TABLE_NAME")?)) })
    }
}

/// Handles one event.
pub async fn handle(app: Arc<App>, message: Message) -> Result<(), Rejection> {
    let Some(feedback) = MailFeedback::parse(&message.body) else {
        warn!(outcome = "not-ours", metric = "FeedbackIgnored");
        return Ok(());
    };
    let (status, metric) = (feedback.status.as_str(), metric(&feedback));
    match app.reports.record(&feedback).await? {
        RecordOutcome::Recorded => info!(outcome = "recorded", status, metric),
        RecordOutcome::Ignored => info!(outcome = "ignored", status),
    }
    Ok(())
}

/// Returns the metric of a welcome mail that did not arrive as it should.
fn metric(feedback: &MailFeedback) -> Option<&'static str> {
    match (&feedback.mail, feedback.status) {
        (MailKind::Welcome, MailStatus::Undelivered) => Some("MailUndelivered"),
        (MailKind::Welcome, MailStatus::Bounced) => Some("MailBounced"),
        (MailKind::Welcome, MailStatus::Suppressed) => Some("MailSuppressed"),
        (MailKind::Welcome, MailStatus::Complained) => Some("MailComplained"),
        (
            MailKind::Welcome,
            MailStatus::Pending
            | MailStatus::Sent
            | MailStatus::Delayed
            | MailStatus::Delivered
            | MailStatus::NotNeeded,
        )
        | (MailKind::Reminder | MailKind::Support(_) | MailKind::Notice(_), _) => None,
    }
}
