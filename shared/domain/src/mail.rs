//! The welcome mail, and the status of a mail.

use crate::{EmailAddress, Issue, Timestamp, text_enum};

text_enum! {
    /// The status of a mail. A status only ever changes to one of a higher [`rank`](MailStatus::rank).
    pub enum MailStatus {
        /// The mail is ordered but not sent.
        Pending = "pending",
        /// SES has accepted the mail.
        Sent = "sent",
        /// SES is still trying to deliver the mail.
        Delayed = "delayed",
        /// The recipient's mail server has accepted the mail.
        Delivered = "delivered",
        /// The address was refused.
        Bounced = "bounced",
        /// The recipient reported the mail as unwanted.
        Complained = "complained",
        /// The mail was not sent, because the credentials had been used or had expired.
        NotNeeded = "not-needed",
    }
}

impl MailStatus {
    /// Returns the rank by which statuses are ordered. Feedback from SES arrives in any order, so a status is recorded only over one of a
    /// lower rank.
    #[must_use]
    pub fn rank(self) -> u32 {
        match self {
            Self::Pending => 10,
            Self::Sent => 20,
            Self::Delayed => 25,
            Self::Delivered => 30,
            Self::Bounced => 40,
            Self::Complained => 50,
            Self::NotNeeded => 60,
        }
    }
}

/// The welcome mail of an issue.
#[derive(Clone, Debug)]
pub struct WelcomeMail {
    /// The issue whose credentials it carries.
    pub issue: Issue,
    /// The recipient.
    pub to: EmailAddress,
    /// The language that the event asked for, as a BCP 47 tag.
    pub locale: Option<String>,
    /// Whether it carries the password, or only a link to the portal.
    pub content: MailContent,
    /// The status.
    pub status: MailStatus,
    /// When the status was recorded.
    pub at: Timestamp,
}

text_enum! {
    /// The content of a welcome mail.
    pub enum MailContent {
        /// The user name and the temporary password.
        Credentials = "credentials",
        /// A link to the Customer Portal and no password.
        Link = "link",
    }
}

#[cfg(test)]
mod tests {
    use super::MailStatus;

    #[test]
    fn ranks_rise_in_the_order_of_the_statuses() {
        assert!(MailStatus::ALL.is_sorted_by_key(|status| status.rank()));
    }
}
