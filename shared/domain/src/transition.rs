//! Transitions: what has happened to a subscription, as the vendor's other systems are told.
//!
//! The history says most of it. A retrieval and what becomes of the welcome mail are published before the history has them.

use std::fmt;

use crate::{
    Actor, HistoryEntry, Issue, MailStatus, Retrieval, RetrievalId, SubscriptionId, WelcomeMail,
    digest::{digest, encode},
    history::RETRIEVED,
    text_enum,
};

text_enum! {
    /// The type of a published event.
    #[derive(PartialOrd, Ord)]
    pub enum EventType {
        /// An issue of credentials has begun.
        CredentialsIssued = "CredentialsIssued",
        /// A trial has become a paid subscription.
        SubscriptionBecamePaid = "SubscriptionBecamePaid",
        /// An event of the vendor has added portal users.
        PortalUserAdded = "PortalUserAdded",
        /// A portal user has retrieved the credentials.
        CredentialsRetrieved = "CredentialsRetrieved",
        /// The service administrator has signed in with an issue for the first time.
        ServiceAdministratorSignedIn = "ServiceAdministratorSignedIn",
        /// An administrator has signed in for the first time.
        AdministratorSignedIn = "AdministratorSignedIn",
        /// An account has a new password, which its owner chose.
        PasswordChosen = "PasswordChosen",
        /// An administrator has been created.
        AdministratorCreated = "AdministratorCreated",
        /// The service administrator's account is retired.
        ServiceAdministratorRetired = "ServiceAdministratorRetired",
        /// The recipient's server has accepted the welcome mail.
        WelcomeMailDelivered = "WelcomeMailDelivered",
        /// The welcome mail could not be delivered, or its address takes none.
        WelcomeMailFailed = "WelcomeMailFailed",
        /// The recipient has reported the welcome mail as unwanted.
        WelcomeMailComplained = "WelcomeMailComplained",
    }
}

/// The code of a welcome mail that was delivered. Codes of failed ones are those of the history.
const MAIL_DELIVERED: &str = "mail-delivered";

/// The codes of the history that are not published: requests and orders that change nothing, and what was published before the history had
/// it.
const WITHHELD: [&str; 7] = [
    RETRIEVED,
    "support-requested",
    "mail-resent",
    "mail-undelivered",
    "mail-bounced",
    "mail-suppressed",
    "mail-complained",
];

/// Whether an entry of the history is published when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// It is published as an event of this type.
    Published(EventType),
    /// It is not published.
    Withheld,
    /// This release does not know the code.
    Unknown,
}

impl Publication {
    /// Returns what becomes of an entry with the code `what`.
    #[must_use]
    pub fn of(what: &str) -> Self {
        let event_type = match what {
            "issued" | "renewed" => EventType::CredentialsIssued,
            "paid" => EventType::SubscriptionBecamePaid,
            "portal-users-added" => EventType::PortalUserAdded,
            "signed-in" => EventType::ServiceAdministratorSignedIn,
            "administrator-signed-in" => EventType::AdministratorSignedIn,
            "password-changed" => EventType::PasswordChosen,
            "administrator-created" => EventType::AdministratorCreated,
            "service-administrator-retired" => EventType::ServiceAdministratorRetired,
            other if WITHHELD.contains(&other) => return Self::Withheld,
            _ => return Self::Unknown,
        };
        Self::Published(event_type)
    }
}

text_enum! {
    /// Why an issue began.
    pub enum IssueReason {
        /// The subscription started.
        Started = "started",
        /// An event of the vendor started the issue after the last one had expired.
        Next = "next",
        /// A portal user renewed the credentials.
        Renewed = "renewed",
    }
}

/// The id of a transition: the same however often it is published, so that consumers can tell repetitions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransitionId(String);

/// The progress of the welcome mail that a transition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailProgress {
    /// How often the mail had been ordered again.
    pub round: u32,
    /// The status that the mail got.
    pub status: MailStatus,
}

/// A transition of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The id.
    pub id: TransitionId,
    /// The type of the event that tells it.
    pub event_type: EventType,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The actor.
    pub who: Actor,
    /// What happened, as the history has it or would have it.
    pub entry: HistoryEntry,
    /// The progress of the welcome mail, where the transition is about it.
    pub mail: Option<MailProgress>,
}

impl TransitionId {
    /// The number of characters of an id.
    pub(crate) const CHARACTERS: usize = 22;

    fn new(fields: &[&[u8]]) -> Self {
        Self(encode(&digest(fields)))
    }

    /// Returns the text, in base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TransitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Transition {
    /// Returns the transition that a new entry of the history records. `None` for an entry without a number, one that is not published, and
    /// one whose author this release does not know.
    #[must_use]
    pub fn recorded(subscription: &SubscriptionId, entry: HistoryEntry) -> Option<Self> {
        let Publication::Published(event_type) = Publication::of(&entry.what) else { return None };
        let seq = entry.seq?.to_be_bytes();
        let id = TransitionId::new(&[b"entry", subscription.as_str().as_bytes(), &seq]);
        Self::new(id, event_type, subscription, entry)
    }

    /// Returns the transition of a retrieval that was counted.
    #[must_use]
    pub fn retrieved(subscription: &SubscriptionId, issue: Issue, click: &RetrievalId, retrieval: &Retrieval) -> Self {
        let number = issue.number().to_be_bytes();
        let (subscription_id, click) = (subscription.as_str().as_bytes(), click.as_str().as_bytes());
        Self {
            id: TransitionId::new(&[b"retrieval", subscription_id, &number, click]),
            event_type: EventType::CredentialsRetrieved,
            subscription: subscription.clone(),
            who: retrieval.into(),
            entry: HistoryEntry::retrieved(retrieval, issue),
            mail: None,
        }
    }

    /// Returns the transition of a welcome mail to its status. `None` for a status that is not published.
    #[must_use]
    pub fn mailed(subscription: &SubscriptionId, mail: &WelcomeMail) -> Option<Self> {
        let event_type = match mail.status {
            MailStatus::Delivered => EventType::WelcomeMailDelivered,
            MailStatus::Undelivered | MailStatus::Bounced | MailStatus::Suppressed => EventType::WelcomeMailFailed,
            MailStatus::Complained => EventType::WelcomeMailComplained,
            MailStatus::Pending | MailStatus::Sent | MailStatus::Delayed | MailStatus::NotNeeded => return None,
        };
        let (issue, round) = (mail.issue.number().to_be_bytes(), mail.round.to_be_bytes());
        let (subscription_id, status) = (subscription.as_str().as_bytes(), mail.status.as_str().as_bytes());
        let id = TransitionId::new(&[b"mail", subscription_id, b"MAIL", &issue, &round, status]);
        let entry = HistoryEntry::failed_mail(mail).unwrap_or_else(|| HistoryEntry::of_mail(mail, MAIL_DELIVERED));
        let progress = MailProgress { round: mail.round, status: mail.status };
        Some(Self { mail: Some(progress), ..Self::new(id, event_type, subscription, entry)? })
    }

    fn new(
        id: TransitionId,
        event_type: EventType,
        subscription: &SubscriptionId,
        entry: HistoryEntry,
    ) -> Option<Self> {
        let who = entry.actor()?;
        Some(Self { id, event_type, subscription: subscription.clone(), who, entry, mail: None })
    }

    /// Returns why an issue began, if the transition is the beginning of one.
    #[must_use]
    pub fn issue_reason(&self) -> Option<IssueReason> {
        match (self.event_type, self.entry.what.as_str()) {
            (EventType::CredentialsIssued, "renewed") => Some(IssueReason::Renewed),
            (EventType::CredentialsIssued, _) if self.entry.issue == Issue::FIRST => Some(IssueReason::Started),
            (EventType::CredentialsIssued, _) => Some(IssueReason::Next),
            (_, _) => None,
        }
    }
}
