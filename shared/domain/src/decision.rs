//! Decisions about a refused write or a sign-in that a store and a function would otherwise both make.

use crate::{
    Account, AccountStatus, Issue, MailStatus, Role, Temporary,
    attempts::{Admission, FAILURES_IN_A_ROW},
};

/// The change that a sign-in makes beside the session that it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInEffect {
    /// The temporary password of this issue is in use, so the portal no longer shows it.
    EndsRetrieval(Issue),
    /// A permanent administrator has a way in for the first time, so the service administrator can retire.
    HandsOver,
    /// Only the session begins.
    SessionOnly,
}

/// The change that the choice of a password makes beside the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoiceEffect {
    /// The temporary password of this issue is replaced, so the portal no longer shows it.
    ReplacesIssue(Issue),
    /// An administrator whom a colleague has added has a way in for the first time, so the service administrator can retire.
    ///
    /// The sign-in before it, with the temporary password, is no way in: the colleague knows that password, it expires, and it opens nothing
    /// but the choice. The choice begins a full session, and the next sign-in may be days away or never happen. So the choice does all that
    /// the first sign-in with a permanent password does. A service administrator that retires with it leaves a proven administrator behind.
    HandsOver,
    /// Only the password changes.
    PasswordOnly,
}

/// The consequence of an administrator's first sign-in for the service administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceAdministrator {
    /// The account is retired.
    IsRetired,
    /// The account stays: the deployment asks for it.
    Stays,
}

impl Account {
    /// Returns what a sign-in to this account changes. Only the service administrator's temporary password is that of an issue.
    #[must_use]
    pub fn sign_in_effect(&self) -> SignInEffect {
        match (self.temporary, self.role) {
            (Some(Temporary { issue: Some(issue), .. }), _) => SignInEffect::EndsRetrieval(issue),
            (None, Role::Administrator) if self.first_signed_in_at.is_none() => SignInEffect::HandsOver,
            (Some(_), _) | (None, Role::Administrator | Role::ServiceAdministrator) => SignInEffect::SessionOnly,
        }
    }

    /// Returns what the choice of a password for this account changes. Only the service administrator's temporary password is that of an issue.
    #[must_use]
    pub fn choice_effect(&self) -> ChoiceEffect {
        match (self.temporary, self.role) {
            (Some(Temporary { issue: Some(issue), .. }), _) => ChoiceEffect::ReplacesIssue(issue),
            (Some(_), Role::Administrator) if self.first_signed_in_at.is_none() => ChoiceEffect::HandsOver,
            (Some(_) | None, Role::Administrator | Role::ServiceAdministrator) => ChoiceEffect::PasswordOnly,
        }
    }

    /// Returns whether the password may be verified for an attempt: the account is not closed to strangers, or a stranger does not make it.
    #[must_use]
    pub fn is_open_to(&self, admission: Admission) -> bool {
        !(matches!(admission, Admission::Stranger { failures: None }) && self.can_be_closed())
    }

    /// Returns whether the account is closed to strangers after this attempt has failed.
    #[must_use]
    pub fn is_closed_after(&self, admission: Admission) -> bool {
        let Admission::Stranger { failures } = admission else { return false };
        failures.is_none_or(|failures| failures >= FAILURES_IN_A_ROW) && self.can_be_closed()
    }

    /// Returns whether this many failures of strangers in a row have closed the account to strangers.
    #[must_use]
    pub fn is_closed_by(&self, failures: u64) -> bool {
        self.status == AccountStatus::Active && failures >= FAILURES_IN_A_ROW && self.can_be_closed()
    }
}

/// A mail as a worker found it when it could not take the lease.
pub struct MailClaim<'a> {
    /// The issue that the mail belongs to now.
    pub issue: Issue,
    /// How often it was ordered again.
    pub round: u32,
    /// The status of the mail.
    pub status: MailStatus,
    /// The id of the lease on it.
    pub lease_id: Option<&'a str>,
}

/// Why a worker could not take the lease on a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeRefusal {
    /// The mail is sent or settled, or its issue or its round is over.
    Settled,
    /// The worker took the lease before, and the answer was lost.
    OwnLease,
    /// Another worker has the lease.
    Leased,
}

impl MailClaim<'_> {
    /// Returns why the lease `lease_id` on the mail of `issue` in `round` was refused.
    #[must_use]
    pub fn judge_refusal(&self, issue: Issue, round: u32, lease_id: &str) -> TakeRefusal {
        if (self.issue, self.round) != (issue, round) || self.status != MailStatus::Pending {
            TakeRefusal::Settled
        } else if self.lease_id == Some(lease_id) {
            TakeRefusal::OwnLease
        } else {
            TakeRefusal::Leased
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Timestamp, account::tests::account};

    #[test]
    fn a_temporary_password_ends_retrieval_and_an_administrators_first_sign_in_hands_over() {
        assert_eq!(account(Some(60)).sign_in_effect(), SignInEffect::EndsRetrieval(Issue::FIRST));
        assert_eq!(account(None).sign_in_effect(), SignInEffect::SessionOnly);
        let administrator = Account { role: Role::Administrator, ..account(None) };
        assert_eq!(administrator.sign_in_effect(), SignInEffect::HandsOver);
        let known = Account { first_signed_in_at: Some(Timestamp::from_epoch_seconds(1)), ..administrator };
        assert_eq!(known.sign_in_effect(), SignInEffect::SessionOnly);
    }

    #[test]
    fn an_administrators_temporary_password_changes_nothing_beside_the_session() {
        let temporary = Temporary { issue: None, expires_at: Timestamp::from_epoch_seconds(60) };
        let administrator = Account { role: Role::Administrator, temporary: Some(temporary), ..account(None) };
        assert_eq!(administrator.sign_in_effect(), SignInEffect::SessionOnly);
    }

    #[test]
    fn an_administrators_first_choice_in_the_place_of_a_temporary_password_hands_over() {
        let temporary = Some(Temporary { issue: None, expires_at: Timestamp::from_epoch_seconds(60) });
        let added = Account { role: Role::Administrator, temporary, ..account(None) };
        assert_eq!(added.choice_effect(), ChoiceEffect::HandsOver);
        let reset = Account { first_signed_in_at: Some(Timestamp::from_epoch_seconds(1)), ..added };
        assert_eq!(reset.choice_effect(), ChoiceEffect::PasswordOnly, "they have had a way in before");
        assert_eq!(Account { temporary: None, ..reset }.choice_effect(), ChoiceEffect::PasswordOnly);
        assert_eq!(account(Some(60)).choice_effect(), ChoiceEffect::ReplacesIssue(Issue::FIRST));
        assert_eq!(account(None).choice_effect(), ChoiceEffect::PasswordOnly);
    }

    #[test]
    fn an_account_is_closed_to_strangers_alone() {
        let (last, after) = (Admission::Stranger { failures: Some(100) }, Admission::Stranger { failures: None });
        assert!(account(None).is_open_to(last) && !account(None).is_open_to(after));
        assert!(account(Some(60)).is_open_to(after), "a temporary password cannot be guessed");
        for known in [Admission::Device { failures: 100 }, Admission::KnownNetwork] {
            assert!(account(None).is_open_to(known) && !account(None).is_closed_after(known));
        }
    }

    #[test]
    fn the_hundredth_failure_of_strangers_closes_an_account() {
        let stranger = |failures| Admission::Stranger { failures };
        assert!(!account(None).is_closed_after(stranger(Some(99))));
        assert!(account(None).is_closed_after(stranger(Some(100))) && account(None).is_closed_after(stranger(None)));
        assert!(!account(Some(60)).is_closed_after(stranger(None)));
    }

    #[test]
    fn only_an_active_account_whose_password_is_chosen_is_closed_by_failures() {
        assert!(account(None).is_closed_by(100) && !account(None).is_closed_by(99));
        assert!(!account(Some(60)).is_closed_by(100));
        assert!(!Account { status: AccountStatus::Retired, ..account(None) }.is_closed_by(100));
    }

    #[test]
    fn a_refused_lease_is_settled_before_it_is_anyones() {
        let claim = |issue, status| MailClaim { issue, round: 1, status, lease_id: Some("mine") };
        let pending = claim(Issue::FIRST, MailStatus::Pending);
        assert_eq!(pending.judge_refusal(Issue::FIRST, 1, "mine"), TakeRefusal::OwnLease);
        assert_eq!(pending.judge_refusal(Issue::FIRST, 1, "other"), TakeRefusal::Leased);
        let sent = claim(Issue::FIRST, MailStatus::Sent);
        assert_eq!(sent.judge_refusal(Issue::FIRST, 1, "mine"), TakeRefusal::Settled);
        assert_eq!(pending.judge_refusal(Issue::FIRST, 0, "mine"), TakeRefusal::Settled);
        let later = claim(Issue::FIRST.next(), MailStatus::Pending);
        assert_eq!(later.judge_refusal(Issue::FIRST, 1, "mine"), TakeRefusal::Settled);
    }
}
