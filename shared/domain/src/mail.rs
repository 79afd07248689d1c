//! What is mailed, and how far it is.

use serde::Serialize;

use crate::{EmailAddress, Issue, Timestamp};

/// How far a mail is. A later one never gives way to an earlier one: see [`MailStatus::rank`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailStatus {
    /// Ordered, not sent.
    Pending,
    /// SES has taken it.
    Sent,
    /// SES is still trying to hand it over.
    Delayed,
    /// The recipient's mail server has taken it.
    Delivered,
    /// The address is refused.
    Bounced,
    /// The recipient reported it as unwanted.
    Complained,
    /// Nobody needs it any more: the credentials were used or have expired.
    NotNeeded,
}

impl MailStatus {
    const ALL: [Self; 7] =
        [Self::Pending, Self::Sent, Self::Delayed, Self::Delivered, Self::Bounced, Self::Complained, Self::NotNeeded];

    /// Feedback comes in any order: a status is recorded only over a lower rank.
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

    /// As it is kept and spoken.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::NotNeeded => "not-needed",
        }
    }

    /// As it was kept.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// The welcome mail of an issue, as it is ordered and followed.
#[derive(Clone, Debug)]
pub struct WelcomeMail {
    /// The issue whose credentials it carries.
    pub issue: Issue,
    /// Where it goes.
    pub to: EmailAddress,
    /// The language that the event asked for.
    pub locale: Option<String>,
    /// With the password, or with a link to the portal only.
    pub content: MailContent,
    /// How far it is.
    pub status: MailStatus,
    /// Since when.
    pub at: Timestamp,
}

/// What a welcome mail carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailContent {
    /// User name and temporary password.
    Credentials,
    /// The way to the Customer Portal, and no password.
    Link,
}

impl MailContent {
    /// As it is kept and spoken.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Link => "link",
        }
    }

    /// As it was kept or spoken.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Credentials, Self::Link].into_iter().find(|content| content.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::MailStatus;

    #[test]
    fn every_status_is_read_as_it_is_written_and_ranks_rise() {
        for status in MailStatus::ALL {
            assert_eq!(MailStatus::parse(status.as_str()), Some(status));
        }
        assert!(MailStatus::ALL.is_sorted_by_key(|status| status.rank()));
    }
}
