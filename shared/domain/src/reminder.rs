//! Reminders: the mail that says that credentials are about to expire, and the list of those that are due.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::{Credential, EmailAddress, Issue, MailStatus, SubscriptionId, Timestamp, WelcomeMail};

/// The reminder that the credentials of an issue are about to expire. It leads to the portal and holds no password.
#[derive(Clone, Debug)]
pub struct Reminder {
    /// The issue that is about to expire.
    pub issue: Issue,
    /// The recipient.
    pub to: EmailAddress,
    /// The language that the event asked for, as a BCP 47 tag.
    pub locale: Option<String>,
    /// The status of the mail.
    pub status: MailStatus,
    /// The time at which the mail got the status.
    pub at: Timestamp,
}

impl Reminder {
    /// Returns the reminder of the issue of `mail`, to the address and in the language of that mail. `None` if it would be of no use: the
    /// issue is over or has just begun, its password cannot be used any more or was used, or the address takes no mail. An issue has just
    /// begun if an earlier attempt to start it has left its reminder on the list.
    #[must_use]
    pub fn new(credential: &Credential, mail: &WelcomeMail, issue: Issue, now: Timestamp) -> Option<Self> {
        let is_current = credential.issue == issue && mail.issue == issue;
        let is_of_use = credential.disclosable(now) && !mail.status.rules_address_out();
        (is_current && is_of_use && now >= credential.half_time()).then(|| Self {
            issue,
            to: mail.to.clone(),
            locale: mail.locale.clone(),
            status: MailStatus::Pending,
            at: now,
        })
    }
}

impl Credential {
    /// Returns when the reminder of this issue is due that precedes the expiry by `before`, or by half of the lifetime if that is shorter.
    /// `None` if `before` is zero.
    #[must_use]
    pub fn reminder_due_at(&self, before: Duration) -> Option<Timestamp> {
        let lifetime = self.expires_at.since(self.issued_at);
        (!before.is_zero()).then(|| self.half_time().max(self.issued_at.plus(lifetime.saturating_sub(before))))
    }

    /// Returns when half of the lifetime of this issue is over: the earliest time of a reminder.
    fn half_time(&self) -> Timestamp {
        self.issued_at.plus(self.expires_at.since(self.issued_at) / 2)
    }
}

/// One hour of the list of reminders, counted from the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DueHour(i64);

/// A part of the list of reminders: those that are due in one hour, for a sixteenth of all subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DuePartition {
    hour: DueHour,
    shard: u8,
}

/// How far back a run looks: a day that the schedule missed, or that had too many reminders, is caught up.
const LOOK_BACK_HOURS: i64 = 48;

const SHARDS: u8 = 16;

const HOUR: i64 = 3600;

impl DueHour {
    /// Returns the hour of a time.
    #[must_use]
    pub fn from_time(at: Timestamp) -> Self {
        Self(at.epoch_seconds() / HOUR)
    }

    /// Restores the hour from its stored number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        i64::try_from(number).ok().map(Self)
    }

    /// Returns the number to store.
    #[must_use]
    pub fn number(self) -> u64 {
        u64::try_from(self.0).unwrap_or_default()
    }

    /// Returns the hours that a run at `now` works through, oldest first: those after `done`, of the last 48 hours, and this hour. A reminder is
    /// put on the list before it is due, so an hour that is over gets no more.
    pub fn open_at(now: Timestamp, done: Option<Self>) -> impl Iterator<Item = Self> {
        let Self(this) = Self::from_time(now);
        let first = done.map_or(0, |Self(done)| done + 1).clamp(this - LOOK_BACK_HOURS, this);
        (first..=this).map(Self)
    }

    /// Returns the partitions of the hour.
    pub fn partitions(self) -> impl Iterator<Item = DuePartition> {
        (0..SHARDS).map(move |shard| DuePartition { hour: self, shard })
    }
}

impl DuePartition {
    /// Returns the partition of a reminder that is due at `due_at`.
    #[must_use]
    pub fn new(due_at: Timestamp, subscription: &SubscriptionId) -> Self {
        let digest = Sha256::digest(subscription.as_str().as_bytes());
        Self { hour: DueHour::from_time(due_at), shard: digest[0] % SHARDS }
    }
}

/// Writes the partition as keys contain it, such as `2026-11-10T09#c`: the hour in UTC and the shard.
impl std::fmt::Display for DuePartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let begins = Timestamp::from_epoch_seconds(self.hour.0 * HOUR).to_string();
        let hour = begins.split(':').next().unwrap_or_default();
        write!(f, "{hour}#{:x}", self.shard)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{MailContent, SealedPassword, credential::tests::credential};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn id(text: &str) -> SubscriptionId {
        SubscriptionId::parse(text).unwrap()
    }

    fn mail(status: MailStatus) -> WelcomeMail {
        let to = EmailAddress::parse("it@fabrikam.example").unwrap();
        let (issue, at, content) = (Issue::FIRST, Timestamp::from_epoch_seconds(1), MailContent::Credentials);
        WelcomeMail { issue, to, locale: None, content, status, at, round: 0, resent_at: None, detail: None }
    }

    #[test]
    fn a_reminder_is_due_before_the_expiry_and_never_in_the_first_half() {
        let mut known = credential(&[]);
        (known.issued_at, known.expires_at) = (at("2026-11-10T09:00:00Z"), at("2026-11-17T09:00:00Z"));
        let due = |before| known.reminder_due_at(before);
        assert_eq!(due(Duration::from_hours(48)), Some(at("2026-11-15T09:00:00Z")));
        assert_eq!(due(Duration::from_hours(6 * 24)), Some(at("2026-11-13T21:00:00Z")));
        assert_eq!(due(Duration::ZERO), None);
    }

    #[test]
    fn a_reminder_is_written_only_while_it_helps() {
        let known = credential(&[("dana", 1), ("kim", 2), ("kim", 3)]);
        let now = known.half_time();
        let sent = mail(MailStatus::Sent);
        assert!(
            Reminder::new(&known, &sent, Issue::FIRST, now).is_some(),
            "the cap does not matter: the mail has the password"
        );
        assert!(Reminder::new(&known, &mail(MailStatus::Undelivered), Issue::FIRST, now).is_some());
        for status in [MailStatus::Bounced, MailStatus::Suppressed, MailStatus::Complained] {
            assert!(Reminder::new(&known, &mail(status), Issue::FIRST, now).is_none(), "{status:?}");
        }
        assert!(Reminder::new(&known, &sent, Issue::FIRST.next(), now).is_none(), "another issue");
        assert!(Reminder::new(&known, &sent, Issue::FIRST, known.expires_at).is_none(), "expired");
        let mut signed_in = known.clone();
        (signed_in.signed_in_at, signed_in.sealed_password) = (Some(now), None);
        assert!(Reminder::new(&signed_in, &sent, Issue::FIRST, now).is_none());
        let early = Timestamp::from_epoch_seconds(now.epoch_seconds() - 1);
        assert!(Reminder::new(&known, &sent, Issue::FIRST, early).is_none(), "left over from an earlier attempt");
        let next = known.next_issue(SealedPassword::new(vec![1]), now, Duration::from_mins(1));
        assert!(Reminder::new(&next, &sent, Issue::FIRST, now).is_none(), "the issue is over");
    }

    #[test]
    fn a_run_finds_what_is_due_up_to_two_days_before_it() {
        let now = at("2026-11-12T10:30:00Z");
        let all: Vec<_> = DueHour::open_at(now, None).flat_map(DueHour::partitions).collect();
        assert_eq!(all.len(), 49 * 16);
        assert!(all.is_sorted(), "oldest first");
        for (due_at, is_found) in [
            ("2026-11-10T09:59:59Z", false),
            ("2026-11-10T10:00:00Z", true),
            ("2026-11-12T10:59:59Z", true),
            ("2026-11-12T11:00:00Z", false),
        ] {
            assert_eq!(all.contains(&DuePartition::new(at(due_at), &id("sub-1"))), is_found, "{due_at}");
        }
    }

    #[test]
    fn a_run_begins_after_the_hours_that_are_done() {
        let now = at("2026-11-12T10:30:00Z");
        let hours = |done: &str| DueHour::open_at(now, Some(DueHour::from_time(at(done)))).count();
        assert_eq!(hours("2026-11-12T09:59:59Z"), 1);
        assert_eq!(hours("2026-11-12T08:00:00Z"), 2);
        assert_eq!(hours("2026-11-01T08:00:00Z"), 49, "at most two days");
        assert_eq!(hours("2026-11-12T23:00:00Z"), 1, "clocks differ: this hour in any case");
        let hour = DueHour::from_time(now);
        assert_eq!(DueHour::from_number(hour.number()), Some(hour));
    }

    #[test]
    fn a_partition_names_its_hour_and_one_of_sixteen_shards() {
        let due_at = at("2026-11-10T09:59:59Z");
        let of = |n: u32| DuePartition::new(due_at, &id(&format!("sub-{n}"))).to_string();
        let names: BTreeSet<_> = (0..500).map(of).collect();
        assert_eq!(names.len(), 16);
        assert!(names.iter().all(|name| name.starts_with("2026-11-10T09#") && name.len() == 15));
    }
}
