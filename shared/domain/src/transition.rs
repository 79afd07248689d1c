//! Transitions: what has happened to a subscription, as the vendor's other systems learn it.
//!
//! The history says most of it. A retrieval and what becomes of the welcome mail are published before the history has them.

use std::fmt;

use crate::{
    Actor, HistoryCode, HistoryEntry, Issue, MailStatus, Retrieval, RetrievalId, SubscriptionId, WelcomeMail,
    digest::{digest, encode},
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
        /// An event of the vendor or the support desk has added portal users.
        PortalUserAdded = "PortalUserAdded",
        /// The support desk has removed a portal user.
        PortalUserRemoved = "PortalUserRemoved",
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
        /// An administrator has given another one a temporary password.
        AdministratorReset = "AdministratorReset",
        /// An administrator has closed the account of another one.
        AdministratorRemoved = "AdministratorRemoved",
        /// The service administrator's account is retired.
        ServiceAdministratorRetired = "ServiceAdministratorRetired",
        /// The support desk has unlocked an account that wrong passwords had closed.
        AccountUnlocked = "AccountUnlocked",
        /// An operator has asked for the approval of a sensitive act.
        ApprovalRequested = "ApprovalRequested",
        /// An approval is decided.
        ApprovalDecided = "ApprovalDecided",
        /// The vendor has ended the subscription.
        SubscriptionClosed = "SubscriptionClosed",
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

/// Whether an entry of the history is published when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// Published, as an event of this type.
    Published(EventType),
    /// Never published.
    Withheld,
    /// This release does not know the code.
    Unknown,
}

impl Publication {
    /// Returns what becomes of an entry with the code `what`.
    #[must_use]
    pub fn from_code(what: &str) -> Self {
        let Some(code) = HistoryCode::parse(what) else { return Self::Unknown };
        let event_type = match code {
            HistoryCode::Issued | HistoryCode::Renewed | HistoryCode::Reissued => EventType::CredentialsIssued,
            HistoryCode::Paid => EventType::SubscriptionBecamePaid,
            HistoryCode::PortalUsersAdded | HistoryCode::PortalUserAdded => EventType::PortalUserAdded,
            HistoryCode::PortalUserRemoved => EventType::PortalUserRemoved,
            HistoryCode::SignedIn => EventType::ServiceAdministratorSignedIn,
            HistoryCode::AdministratorSignedIn => EventType::AdministratorSignedIn,
            HistoryCode::PasswordChanged => EventType::PasswordChosen,
            HistoryCode::AdministratorCreated => EventType::AdministratorCreated,
            HistoryCode::AdministratorReset => EventType::AdministratorReset,
            HistoryCode::AdministratorRemoved => EventType::AdministratorRemoved,
            HistoryCode::ServiceAdministratorRetired => EventType::ServiceAdministratorRetired,
            HistoryCode::AccountUnlocked => EventType::AccountUnlocked,
            HistoryCode::ApprovalRequested => EventType::ApprovalRequested,
            HistoryCode::ApprovalDecided => EventType::ApprovalDecided,
            HistoryCode::SubscriptionEnded => EventType::SubscriptionClosed,
            // Requests and orders that change nothing, and what was published before the history had it.
            HistoryCode::Retrieved
            | HistoryCode::SupportRequested
            | HistoryCode::MailResent
            | HistoryCode::MailUndelivered
            | HistoryCode::MailBounced
            | HistoryCode::MailSuppressed
            | HistoryCode::MailComplained => return Self::Withheld,
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
        /// The support desk reissued the credentials.
        Reissued = "reissued",
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
    /// The type of its event.
    pub event_type: EventType,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The actor.
    pub who: Actor,
    /// The entry of the history, or the one that a later transaction will add.
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
    pub fn from_entry(subscription: &SubscriptionId, entry: HistoryEntry) -> Option<Self> {
        let Publication::Published(event_type) = Publication::from_code(&entry.what) else { return None };
        let (seq, at) = (entry.seq?.to_be_bytes(), entry.at.epoch_seconds().to_be_bytes());
        // A table that was restored gives the number again to another entry.
        let id = TransitionId::new(&[b"entry", subscription.as_str().as_bytes(), &seq, entry.what.as_bytes(), &at]);
        Self::new(id, event_type, subscription, entry)
    }

    /// Returns the transition of a retrieval that was counted.
    #[must_use]
    pub fn from_retrieval(
        subscription: &SubscriptionId,
        issue: Issue,
        click: &RetrievalId,
        retrieval: &Retrieval,
    ) -> Self {
        let (number, at) = (issue.number().to_be_bytes(), retrieval.at.epoch_seconds().to_be_bytes());
        let (subscription_id, click) = (subscription.as_str().as_bytes(), click.as_str().as_bytes());
        Self {
            id: TransitionId::new(&[b"retrieval", subscription_id, &number, click, &at]),
            event_type: EventType::CredentialsRetrieved,
            subscription: subscription.clone(),
            who: retrieval.into(),
            entry: HistoryEntry::retrieved(retrieval, issue),
            mail: None,
        }
    }

    /// Returns the transition of a welcome mail to its status. `None` for a status that is not published.
    #[must_use]
    pub fn from_mail(subscription: &SubscriptionId, mail: &WelcomeMail) -> Option<Self> {
        let event_type = match mail.status {
            MailStatus::Delivered => EventType::WelcomeMailDelivered,
            MailStatus::Undelivered | MailStatus::Bounced | MailStatus::Suppressed => EventType::WelcomeMailFailed,
            MailStatus::Complained => EventType::WelcomeMailComplained,
            MailStatus::Pending | MailStatus::Sent | MailStatus::Delayed | MailStatus::NotNeeded => return None,
        };
        let (issue, round) = (mail.issue.number().to_be_bytes(), mail.round.to_be_bytes());
        let (subscription_id, status) = (subscription.as_str().as_bytes(), mail.status.as_str().as_bytes());
        let id = TransitionId::new(&[b"mail", subscription_id, b"MAIL", &issue, &round, status]);
        let entry = HistoryEntry::failed_mail(mail).unwrap_or_else(|| HistoryEntry::from_mail(mail, MAIL_DELIVERED));
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
        if self.event_type != EventType::CredentialsIssued {
            return None;
        }
        Some(match self.entry.code() {
            Some(HistoryCode::Renewed) => IssueReason::Renewed,
            Some(HistoryCode::Reissued) => IssueReason::Reissued,
            _ if self.entry.issue == Issue::FIRST => IssueReason::Started,
            _ => IssueReason::Next,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{ActorRole, Caller, EmailAddress, Label, MailContent, MailDetail, Timestamp};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn subscription(id: &str) -> SubscriptionId {
        SubscriptionId::parse(id).unwrap()
    }

    fn entry(what: &str, seq: u64) -> HistoryEntry {
        let by = Label::from_stored("vendor".into(), Some(false));
        let (what, who, issue) = (what.to_owned(), Some(Actor::VENDOR), Issue::FIRST);
        HistoryEntry { seq: Some(seq), at: at(5), what, by, who, issue, detail: None, reason: None }
    }

    fn recorded(id: &str, what: &str, seq: u64) -> Option<Transition> {
        Transition::from_entry(&subscription(id), entry(what, seq))
    }

    fn retrieved(id: &str, issue: Issue, key: &str, seconds: i64) -> Transition {
        let kim = Caller::new("https://issuer.example".into(), "kim".into(), None, Vec::new());
        let click = RetrievalId::from_click(&kim, key);
        Transition::from_retrieval(&subscription(id), issue, &click, &Retrieval::new(&kim, at(seconds)))
    }

    fn mail(status: MailStatus, issue: Issue, round: u32) -> WelcomeMail {
        WelcomeMail {
            issue,
            to: EmailAddress::parse("it@fabrikam.example").unwrap(),
            locale: None,
            content: MailContent::Credentials,
            status,
            at: at(7),
            round,
            resent_at: None,
            detail: Some(MailDetail::MailboxFull),
        }
    }

    fn mailed(id: &str, status: MailStatus, issue: Issue, round: u32) -> Transition {
        Transition::from_mail(&subscription(id), &mail(status, issue, round)).unwrap()
    }

    #[test]
    fn every_code_of_the_history_is_published_or_withheld_and_any_other_is_unknown() {
        let published = |event_type| Publication::Published(event_type);
        for (what, publication) in [
            ("issued", published(EventType::CredentialsIssued)),
            ("renewed", published(EventType::CredentialsIssued)),
            ("paid", published(EventType::SubscriptionBecamePaid)),
            ("portal-users-added", published(EventType::PortalUserAdded)),
            ("signed-in", published(EventType::ServiceAdministratorSignedIn)),
            ("administrator-signed-in", published(EventType::AdministratorSignedIn)),
            ("password-changed", published(EventType::PasswordChosen)),
            ("administrator-created", published(EventType::AdministratorCreated)),
            ("administrator-reset", published(EventType::AdministratorReset)),
            ("administrator-removed", published(EventType::AdministratorRemoved)),
            ("subscription-ended", published(EventType::SubscriptionClosed)),
            ("service-administrator-retired", published(EventType::ServiceAdministratorRetired)),
            ("reissued", published(EventType::CredentialsIssued)),
            ("portal-user-added", published(EventType::PortalUserAdded)),
            ("portal-user-removed", published(EventType::PortalUserRemoved)),
            ("account-unlocked", published(EventType::AccountUnlocked)),
            ("approval-requested", published(EventType::ApprovalRequested)),
            ("approval-decided", published(EventType::ApprovalDecided)),
            ("retrieved", Publication::Withheld),
            ("support-requested", Publication::Withheld),
            ("mail-resent", Publication::Withheld),
            ("mail-undelivered", Publication::Withheld),
            ("mail-bounced", Publication::Withheld),
            ("mail-suppressed", Publication::Withheld),
            ("mail-complained", Publication::Withheld),
            ("mail-delivered", Publication::Unknown),
            ("closed", Publication::Unknown),
            ("", Publication::Unknown),
        ] {
            assert_eq!(Publication::from_code(what), publication, "{what}");
            let is_published = matches!(publication, Publication::Published(_));
            assert_eq!(recorded("sub-1", what, 1).is_some(), is_published, "{what}");
        }
    }

    /// Consumers deduplicate by the id, so no release may give a transition another one.
    #[test]
    fn the_id_of_a_transition_stays_the_same_from_release_to_release() {
        let next = Issue::FIRST.next();
        assert_eq!(recorded("sub-1", "issued", 7).unwrap().id.as_str(), "NyZonA35apuHUXmCwdf6-g");
        assert_eq!(retrieved("sub-1", next, "click", 5).id.as_str(), "aNnIZ9ur1YHIIloqrkQVog");
        assert_eq!(mailed("sub-1", MailStatus::Bounced, next, 1).id.as_str(), "xZ_8WRFZOaf-F2Vr-NCinA");
    }

    #[test]
    fn a_number_that_a_restored_table_gives_again_has_another_id() {
        let id = |entry| Transition::from_entry(&subscription("sub-1"), entry).unwrap().id;
        let mut later = entry("issued", 1);
        later.at = at(6);
        assert_ne!(id(later), id(entry("issued", 1)));
        assert_ne!(id(entry("renewed", 1)), id(entry("issued", 1)));
        let [one, other] = [5, 6].map(|seconds| retrieved("sub-1", Issue::FIRST, "click", seconds).id);
        assert_ne!(one, other);
    }

    #[test]
    fn the_ids_of_two_transitions_differ() {
        let (first, next) = (Issue::FIRST, Issue::FIRST.next());
        let all = [
            recorded("sub-1", "issued", 1).unwrap(),
            recorded("sub-1", "issued", 2).unwrap(),
            recorded("sub-2", "issued", 1).unwrap(),
            retrieved("sub-1", first, "click", 5),
            retrieved("sub-1", first, "other", 5),
            retrieved("sub-1", next, "click", 5),
            retrieved("sub-2", first, "click", 5),
            mailed("sub-1", MailStatus::Bounced, first, 0),
            mailed("sub-1", MailStatus::Suppressed, first, 0),
            mailed("sub-1", MailStatus::Bounced, first, 1),
            mailed("sub-1", MailStatus::Bounced, next, 0),
            mailed("sub-2", MailStatus::Bounced, first, 0),
        ];
        let ids: BTreeSet<_> = all.iter().map(|transition| transition.id.as_str()).collect();
        assert_eq!(ids.len(), all.len());
        assert!(ids.iter().all(|id| id.len() == TransitionId::CHARACTERS));
    }

    #[test]
    fn a_transition_has_one_id_whatever_else_is_known_of_it() {
        let id = |entry| Transition::from_entry(&subscription("sub-1"), entry).unwrap().id;
        let mut same = entry("issued", 1);
        (same.detail, same.issue) = (Some("detail".into()), Issue::FIRST.next());
        assert_eq!(id(same), id(entry("issued", 1)));
        let mut mail = mail(MailStatus::Bounced, Issue::FIRST, 0);
        (mail.at, mail.detail) = (at(99), None);
        let again = Transition::from_mail(&subscription("sub-1"), &mail).unwrap();
        assert_eq!(again.id, mailed("sub-1", MailStatus::Bounced, Issue::FIRST, 0).id);
    }

    #[test]
    fn an_entry_without_a_number_or_a_known_author_is_no_transition() {
        let transition = |entry| Transition::from_entry(&subscription("sub-1"), entry);
        assert_eq!(transition(HistoryEntry { seq: None, ..entry("issued", 1) }), None);
        let operator = Actor { role: ActorRole::Operator, id: None };
        let by_operator = HistoryEntry { who: Some(operator), ..entry("renewed", 1) };
        assert_eq!(transition(by_operator.clone()).map(|one| one.who), Some(operator));
        assert_eq!(transition(HistoryEntry { who: None, ..by_operator }), None, "of a later release");
        let old = HistoryEntry { who: None, ..entry("issued", 1) };
        assert_eq!(transition(old).map(|one| one.who), Some(Actor::VENDOR), "of release 0.1.0");
    }

    #[test]
    fn a_retrieval_is_by_the_customer_in_the_issue_that_it_counts_for() {
        let transition = retrieved("sub-1", Issue::FIRST.next(), "click", 5);
        assert_eq!(
            (transition.event_type, transition.who.role),
            (EventType::CredentialsRetrieved, ActorRole::Customer)
        );
        let entry = transition.entry;
        assert_eq!(
            (entry.issue, entry.at, entry.seq, entry.code()),
            (Issue::FIRST.next(), at(5), None, Some(HistoryCode::Retrieved))
        );
    }

    #[test]
    fn a_welcome_mail_that_arrived_or_failed_is_a_transition_with_its_reason() {
        for (status, event_type, what) in [
            (MailStatus::Delivered, EventType::WelcomeMailDelivered, "mail-delivered"),
            (MailStatus::Undelivered, EventType::WelcomeMailFailed, "mail-undelivered"),
            (MailStatus::Bounced, EventType::WelcomeMailFailed, "mail-bounced"),
            (MailStatus::Suppressed, EventType::WelcomeMailFailed, "mail-suppressed"),
            (MailStatus::Complained, EventType::WelcomeMailComplained, "mail-complained"),
        ] {
            let Transition { entry, mail, event_type: actual, who, .. } = mailed("sub-1", status, Issue::FIRST, 2);
            assert_eq!((actual, &*entry.what, who), (event_type, what, Actor::VENDOR));
            assert_eq!(mail, Some(MailProgress { round: 2, status }));
            assert_eq!((entry.at, entry.detail.as_deref()), (at(7), Some("mailbox-full")));
        }
        for status in [MailStatus::Pending, MailStatus::Sent, MailStatus::Delayed, MailStatus::NotNeeded] {
            assert_eq!(
                Transition::from_mail(&subscription("sub-1"), &mail(status, Issue::FIRST, 0)),
                None,
                "{status:?}"
            );
        }
    }

    #[test]
    fn an_issue_has_a_reason_and_nothing_else_has() {
        let reason = |what, issue| {
            let entry = HistoryEntry { issue, ..entry(what, 1) };
            Transition::from_entry(&subscription("sub-1"), entry).unwrap().issue_reason()
        };
        let (first, next) = (Issue::FIRST, Issue::FIRST.next());
        assert_eq!(reason("issued", first), Some(IssueReason::Started));
        assert_eq!(reason("issued", next), Some(IssueReason::Next));
        assert_eq!(reason("renewed", next), Some(IssueReason::Renewed));
        assert_eq!(reason("reissued", next), Some(IssueReason::Reissued));
        assert_eq!(reason("paid", first), None);
        assert_eq!(retrieved("sub-1", first, "click", 5).issue_reason(), None);
    }
}
