//! The mails of a subscription: which one a mail is, how far it has come, and when the welcome mail may be sent again.

use std::time::Duration;

use crate::{Credential, EmailAddress, Issue, NoticeId, Reference, Timestamp, text_enum};

/// How often the welcome mail of an issue may be sent again.
pub const RESENDS_PER_ISSUE: u32 = 3;

/// The time from one order to send a mail again to the next.
pub const RESEND_PAUSE: Duration = Duration::from_mins(10);

/// How long another order to send a mail again counts as the same one: a double click, or a retry after a lost answer.
pub const SAME_RESEND: Duration = Duration::from_mins(1);

/// One of the mails of a subscription. The welcome mail and the reminder exist once for each issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailKind {
    /// The mail that carries or announces the credentials of an issue.
    Welcome,
    /// The reminder that the credentials of an issue are about to expire.
    Reminder,
    /// The request with this reference to the vendor's support.
    Support(Reference),
    /// The notice with this id.
    Notice(NoticeId),
}

impl MailKind {
    const WELCOME: &str = "welcome";
    const REMINDER: &str = "reminder";
    const SUPPORT_PREFIX: &str = "support-";
    const NOTICE_PREFIX: &str = "notice-";

    /// Returns the value of the tag by which SES names the mail in its feedback.
    #[must_use]
    pub fn tag(&self) -> String {
        match self {
            Self::Welcome => Self::WELCOME.to_owned(),
            Self::Reminder => Self::REMINDER.to_owned(),
            Self::Support(reference) => format!("{}{reference}", Self::SUPPORT_PREFIX),
            Self::Notice(id) => format!("{}{id}", Self::NOTICE_PREFIX),
        }
    }

    /// Parses the value of a tag.
    #[must_use]
    pub fn parse_tag(tag: &str) -> Option<Self> {
        match tag {
            Self::WELCOME => Some(Self::Welcome),
            Self::REMINDER => Some(Self::Reminder),
            other => match other.strip_prefix(Self::NOTICE_PREFIX) {
                Some(id) => NoticeId::parse(id).map(Self::Notice),
                None => other.strip_prefix(Self::SUPPORT_PREFIX).and_then(Reference::parse).map(Self::Support),
            },
        }
    }
}

text_enum! {
    /// The status of a mail. A status only ever changes to one of a higher [`rank`](MailStatus::rank).
    pub enum MailStatus {
        /// The mail is ordered but not sent.
        Pending = "pending",
        /// SES has accepted the mail.
        Sent = "sent",
        /// SES is still trying to deliver the mail.
        Delayed = "delayed",
        /// SES has given up: the mailbox is full, or its server does not take this mail.
        Undelivered = "undelivered",
        /// The recipient's mail server has accepted the mail.
        Delivered = "delivered",
        /// The address was refused.
        Bounced = "bounced",
        /// SES never sent the mail, because the address is on its list of bad addresses.
        Suppressed = "suppressed",
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
            Self::Undelivered => 27,
            Self::Delivered => 30,
            Self::Bounced => 40,
            Self::Suppressed => 45,
            Self::Complained => 50,
            Self::NotNeeded => 60,
        }
    }

    /// Returns whether the address is of no use: it bounced for good, SES suppresses it, or its owner complained. Nothing is sent there.
    #[must_use]
    pub fn rules_address_out(self) -> bool {
        match self {
            Self::Bounced | Self::Suppressed | Self::Complained => true,
            Self::Pending | Self::Sent | Self::Delayed | Self::Undelivered | Self::Delivered | Self::NotNeeded => false,
        }
    }
}

text_enum! {
    /// Why a mail was delayed or not delivered, in our words: the text of the recipient's server goes nowhere.
    pub enum MailDetail {
        /// The mailbox is full.
        MailboxFull = "mailbox-full",
        /// The server has no such mailbox, or it is closed.
        NoSuchMailbox = "no-such-mailbox",
        /// The domain does not exist, or takes no mail.
        DomainUnknown = "domain-unknown",
        /// The server, or SES itself, does not take this mail.
        Blocked = "blocked",
        /// The address is on a list of bad addresses that SES keeps.
        Suppressed = "suppressed",
        /// Another reason, or none that SES gives.
        Other = "other",
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
    /// How far the mail has come.
    pub status: MailStatus,
    /// The time at which the mail got the status.
    pub at: Timestamp,
    /// How often it was ordered again. Feedback and orders of another round do not change the mail.
    pub round: u32,
    /// The time at which it was last ordered again.
    pub resent_at: Option<Timestamp>,
    /// Why it was delayed or not delivered.
    pub detail: Option<MailDetail>,
}

/// The decision on a request to send the welcome mail again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResendDecision {
    /// The mail is to be sent again.
    Send,
    /// The request repeats the one of this time, less than [`SAME_RESEND`] ago.
    AlreadyOrdered(Timestamp),
    /// The mail may be sent again after this time.
    TooEarly(Duration),
    /// The mail was sent again as often as it may be.
    UsedUp,
    /// The mail would be of no use: its password cannot be shown any more, or its address takes no mail.
    Impossible,
}

impl WelcomeMail {
    /// Decides whether the mail of `credential` is sent again. `leased_until` is the end of the lease on the mail, if it has one.
    #[must_use]
    pub fn judge_resend(
        &self,
        credential: &Credential,
        leased_until: Option<Timestamp>,
        now: Timestamp,
    ) -> ResendDecision {
        if !self.can_be_resent() || !credential.disclosable(now) {
            return ResendDecision::Impossible;
        }
        let last = self.resent_at.map(|at| (at, now.since(at)));
        if let Some((at, passed)) = last
            && passed < SAME_RESEND
        {
            return ResendDecision::AlreadyOrdered(at);
        }
        if self.round >= RESENDS_PER_ISSUE {
            return ResendDecision::UsedUp;
        }
        let passed = last.map(|(_, passed)| passed);
        let pending = (self.status == MailStatus::Pending).then(|| now.since(self.at));
        let leased = leased_until.filter(|until| *until > now).map(|until| until.since(now));
        let waits = [passed, pending].into_iter().flatten().map(|passed| RESEND_PAUSE.saturating_sub(passed));
        let wait = waits.chain(pending.and(leased)).max().unwrap_or_default();
        if wait.is_zero() { ResendDecision::Send } else { ResendDecision::TooEarly(wait) }
    }

    /// Returns whether people are offered to send the mail again: now, or a few minutes later.
    #[must_use]
    pub fn offers_resend(&self, credential: &Credential, now: Timestamp) -> bool {
        match self.judge_resend(credential, None, now) {
            ResendDecision::Send | ResendDecision::TooEarly(_) => true,
            ResendDecision::AlreadyOrdered(_) => self.round < RESENDS_PER_ISSUE,
            ResendDecision::UsedUp | ResendDecision::Impossible => false,
        }
    }

    /// Returns whether the mail is on its way or has arrived, or waits to be sent.
    fn can_be_resent(&self) -> bool {
        match self.status {
            MailStatus::Pending
            | MailStatus::Sent
            | MailStatus::Delayed
            | MailStatus::Undelivered
            | MailStatus::Delivered => true,
            MailStatus::Bounced | MailStatus::Suppressed | MailStatus::Complained | MailStatus::NotNeeded => false,
        }
    }
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
    use super::*;
    use crate::{credential::tests::credential, support::Reference};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn mail(status: MailStatus, round: u32, resent_at: Option<i64>) -> WelcomeMail {
        WelcomeMail {
            issue: Issue::FIRST,
            to: EmailAddress::parse("it@fabrikam.example").unwrap(),
            locale: None,
            content: MailContent::Credentials,
            status,
            at: at(1000),
            round,
            resent_at: resent_at.map(at),
            detail: None,
        }
    }

    #[test]
    fn ranks_rise_in_the_order_of_the_statuses() {
        assert!(MailStatus::ALL.is_sorted_by_key(|status| status.rank()));
    }

    #[test]
    fn a_tag_names_one_mail() {
        let support = MailKind::Support(Reference::from_random([7; 16]));
        let notice = MailKind::Notice(NoticeId::parse("notice-support-welcome-reminder-notice-suppor").unwrap());
        for kind in [MailKind::Welcome, MailKind::Reminder, support, notice] {
            assert_eq!(MailKind::parse_tag(&kind.tag()), Some(kind));
        }
        for unknown in ["", "Welcome", "support-", "support-x", "reminder-1", "notice", "notice-", "notice-x"] {
            assert_eq!(MailKind::parse_tag(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_mail_is_sent_again_three_times_ten_minutes_apart() {
        let credential = credential(&[]);
        let judged = |round, resent_at, now| {
            mail(MailStatus::Delivered, round, resent_at).judge_resend(&credential, None, at(now))
        };
        assert_eq!(judged(0, None, 1001), ResendDecision::Send, "the first time at once");
        assert_eq!(judged(1, Some(2000), 2059), ResendDecision::AlreadyOrdered(at(2000)));
        assert_eq!(judged(1, Some(2000), 1990), ResendDecision::AlreadyOrdered(at(2000)), "clocks differ");
        assert_eq!(judged(1, Some(2000), 2060), ResendDecision::TooEarly(Duration::from_mins(9)));
        assert_eq!(judged(1, Some(2000), 2600), ResendDecision::Send);
        assert_eq!(judged(3, Some(2000), 2059), ResendDecision::AlreadyOrdered(at(2000)));
        assert_eq!(judged(3, Some(2000), 2600), ResendDecision::UsedUp);
    }

    #[test]
    fn a_mail_that_waits_to_be_sent_is_ordered_again_only_where_its_order_was_lost() {
        let credential = credential(&[]);
        let judged = |lease: Option<i64>, now| {
            mail(MailStatus::Pending, 0, None).judge_resend(&credential, lease.map(at), at(now))
        };
        assert_eq!(judged(None, 1001), ResendDecision::TooEarly(Duration::from_secs(599)));
        assert_eq!(judged(None, 1600), ResendDecision::Send);
        assert_eq!(judged(Some(1630), 1600), ResendDecision::TooEarly(Duration::from_secs(30)));
        assert_eq!(judged(Some(1600), 1600), ResendDecision::Send, "the lease is over");
    }

    #[test]
    fn sending_again_is_offered_from_the_first_time_to_the_third_without_a_gap() {
        let credential = credential(&[]);
        let offered =
            |round, resent_at, now| mail(MailStatus::Delivered, round, resent_at).offers_resend(&credential, at(now));
        assert!(offered(0, None, 1001));
        for now in [2000, 2059, 2060, 2599, 2600] {
            assert!(offered(2, Some(2000), now), "{now}");
            assert!(!offered(3, Some(2000), now), "{now}");
        }
        assert!(mail(MailStatus::Pending, 0, None).offers_resend(&credential, at(1001)));
        assert!(!mail(MailStatus::Bounced, 0, None).offers_resend(&credential, at(2000)));
    }

    #[test]
    fn a_mail_is_not_sent_again_where_it_would_be_of_no_use() {
        let mut signed_in = credential(&[]);
        signed_in.signed_in_at = Some(at(5));
        let sent = mail(MailStatus::Sent, 0, None);
        assert_eq!(sent.judge_resend(&signed_in, None, at(2000)), ResendDecision::Impossible);
        let used_up = credential(&[("dana", 1), ("kim", 2), ("kim", 3)]);
        assert_eq!(sent.judge_resend(&used_up, None, at(2000)), ResendDecision::Send, "the cap does not matter");
        for status in MailStatus::ALL.iter().filter(|status| status.rank() > 30) {
            let judged = mail(*status, 0, None).judge_resend(&credential(&[]), None, at(2000));
            assert_eq!(judged, ResendDecision::Impossible, "{status:?}");
        }
    }
}
