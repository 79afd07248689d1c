//! Issues of temporary credentials: what the first issue consists of, and what the next one changes.
//!
//! The stores of `aws` write the difference between two of these values and decide nothing themselves.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    Account, AccountStatus, Credential, Issue, Kind, MailContent, MailStatus, PasswordHash, PortalUser, Role,
    SealedPassword, SubscriptionStarted, Temporary, Timestamp, UserName, WelcomeMail,
};

/// How many issues portal users may start in the life of a subscription.
pub const RENEWALS: u32 = 3;

/// How long another request for new credentials is answered with the issue that the last one started: a double click, a retry after a lost
/// answer, or a colleague.
pub const RENEWAL_WINDOW: Duration = Duration::from_mins(10);

/// The decision on a portal user's request for new credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewalDecision {
    /// The next issue starts.
    Renew,
    /// The current issue is the answer: a portal user started it less than [`RENEWAL_WINDOW`] ago.
    AlreadyRenewed,
    /// The state of the credentials, or the number of renewals, does not allow it.
    Refused,
}

/// The two forms in which the temporary password of a new issue is stored. It has no `Debug`.
#[derive(Clone)]
pub struct NewCredentials {
    /// The password as the portal and the mail show it, sealed by KMS.
    pub sealed: SealedPassword,
    /// The hash that a sign-in is verified with.
    pub hash: PasswordHash,
}

impl Credential {
    /// Returns the credential of the first issue of the subscription that `event` starts.
    #[must_use]
    pub fn first_issue(
        event: &SubscriptionStarted,
        user_name: UserName,
        portal_users: &[PortalUser],
        sealed: SealedPassword,
        now: Timestamp,
        lifetime: Duration,
    ) -> Self {
        Self {
            subscription: event.subscription.clone(),
            product: event.product.clone(),
            company: event.company.clone(),
            kind: event.kind,
            user_name,
            portal_users: portal_users.iter().map(PortalUser::principal).collect(),
            issue: Issue::FIRST,
            sealed_password: Some(sealed),
            retrievals: BTreeMap::default(),
            started_at: event.started_at(now),
            issued_at: now,
            expires_at: now.plus(lifetime),
            signed_in_at: None,
            changed_at: None,
            handed_over_at: None,
            ended_at: None,
            closed_at: None,
            purging_until: None,
            renewals: 0,
            renewed_at: None,
            seq: 1,
        }
    }

    /// Returns whether `event` starts the next issue: a customer who pays must be able to get in. After a hand-over an administrator
    /// exists, so it does not.
    #[must_use]
    pub fn needs_next_issue(&self, event: &SubscriptionStarted, now: Timestamp) -> bool {
        event.kind == Kind::Paid && self.handed_over_at.is_none() && self.is_unusable(now)
    }

    /// Decides on a portal user's request for new credentials.
    #[must_use]
    pub fn judge_renewal(&self, now: Timestamp) -> RenewalDecision {
        if self.ended_at.is_none() && self.renewed_at.is_some_and(|at| now.since(at) < RENEWAL_WINDOW) {
            return RenewalDecision::AlreadyRenewed;
        }
        let is_dead_end = self.expired(now) && self.handed_over_at.is_none() && self.ended_at.is_none();
        let may_renew = self.retrievals_remaining() > 0 && self.renewals < RENEWALS;
        if is_dead_end && may_renew { RenewalDecision::Renew } else { RenewalDecision::Refused }
    }

    /// Returns the credential of the next issue, which a portal user starts at `now`.
    #[must_use]
    pub fn renewed(&self, sealed: SealedPassword, now: Timestamp, lifetime: Duration) -> Self {
        Self { renewals: self.renewals + 1, renewed_at: Some(now), ..self.next_issue(sealed, now, lifetime) }
    }

    /// Returns this credential with what a later event may add: a trial becomes paid and never goes back, and the portal users `added` join:
    /// those of the event whom no operator has removed. Everything else stays as the table has it.
    #[must_use]
    pub fn extended_by(&self, kind: Kind, added: &[PortalUser]) -> Self {
        let mut extended = self.clone();
        extended.portal_users.extend(added.iter().map(PortalUser::principal));
        if kind == Kind::Paid {
            extended.kind = Kind::Paid;
        }
        extended
    }

    /// Returns this credential as its next issue begins: a new password and no retrievals, sign-in or change. The history number
    /// stays; the store counts it up with the entries that it writes.
    #[must_use]
    pub fn next_issue(&self, sealed: SealedPassword, now: Timestamp, lifetime: Duration) -> Self {
        Self {
            issue: self.issue.next(),
            sealed_password: Some(sealed),
            retrievals: BTreeMap::default(),
            issued_at: now,
            expires_at: now.plus(lifetime),
            signed_in_at: None,
            changed_at: None,
            renewed_at: None,
            ..self.clone()
        }
    }

    /// Returns this credential, whose subscription has ended, as `event` starts it again: a first issue under the next number. The name of the
    /// service administrator stays, since it is taken for good, and so does the history number, as in [`Credential::next_issue`].
    #[must_use]
    pub fn restarted(
        &self,
        event: &SubscriptionStarted,
        portal_users: &[PortalUser],
        sealed: SealedPassword,
        now: Timestamp,
        lifetime: Duration,
    ) -> Self {
        let first = Self::first_issue(event, self.user_name.clone(), portal_users, sealed, now, lifetime);
        Self { issue: self.issue.next(), seq: self.seq, ..first }
    }

    /// Returns what makes a password of this issue temporary.
    #[must_use]
    fn temporary(&self) -> Temporary {
        Temporary { issue: Some(self.issue), expires_at: self.expires_at }
    }
}

impl Account {
    /// Returns the service administrator's account, which the first issue creates.
    #[must_use]
    pub fn service_administrator(credential: &Credential, account_id: String, password_hash: PasswordHash) -> Self {
        Self {
            user_name: credential.user_name.clone(),
            account_id,
            role: Role::ServiceAdministrator,
            password_hash,
            temporary: Some(credential.temporary()),
            status: AccountStatus::Active,
            version: 1,
            subscription: credential.subscription.clone(),
            created_by: None,
            first_signed_in_at: None,
        }
    }

    /// Returns this account with the temporary password of the issue that `credential` begins. The new version ends every session.
    #[must_use]
    pub fn next_issue(&self, credential: &Credential, password_hash: PasswordHash) -> Self {
        Self {
            password_hash,
            temporary: Some(credential.temporary()),
            status: AccountStatus::Active,
            version: self.version + 1,
            ..self.clone()
        }
    }
}

impl WelcomeMail {
    /// Returns the order of the first issue's mail. The event's wish for `content` comes before the deployment's.
    #[must_use]
    pub fn first_issue(event: &SubscriptionStarted, content: MailContent, now: Timestamp) -> Self {
        Self {
            issue: Issue::FIRST,
            to: event.email.clone(),
            locale: event.locale.clone(),
            content: event.welcome_mail.unwrap_or(content),
            status: MailStatus::Pending,
            at: now,
            round: 0,
            resent_at: None,
            detail: None,
        }
    }

    /// Returns the order of the mail of the issue with which `event` starts an ended subscription again, to the address of the event.
    #[must_use]
    pub fn restarted(event: &SubscriptionStarted, content: MailContent, credential: &Credential) -> Self {
        Self { issue: credential.issue, ..Self::first_issue(event, content, credential.issued_at) }
    }

    /// Returns the order of the mail of the issue that `credential` begins, to the same address. Where the address is known to take no
    /// mail, the mail has that status from the beginning, and is not sent.
    #[must_use]
    pub fn next_issue(self, credential: &Credential) -> Self {
        let (status, detail) =
            if self.status.rules_address_out() { (self.status, self.detail) } else { (MailStatus::Pending, None) };
        let (issue, at) = (credential.issue, credential.issued_at);
        Self { issue, status, detail, at, round: 0, resent_at: None, ..self }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{EmailAddress, MailDetail};

    const WEEK: Duration = Duration::from_hours(7 * 24);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn event(kind: &str, portal_user: &str) -> SubscriptionStarted {
        let event = json!({
            "id": "e", "detail-type": "SubscriptionStarted", "source": "billing.contoso", "time": "2026-11-10T09:00:00Z",
            "detail": {
                "subscription_id": "sub-1", "kind": kind, "product": "Suite",
                "company": { "id": "fabrikam", "name": "Fabrikam, Inc." },
                "service_administrator": { "email": "it@fabrikam.example" },
                "portal_users": [{ "email": portal_user }],
            },
        });
        SubscriptionStarted::parse(&event.to_string()).ok().unwrap()
    }

    fn sealed(byte: u8) -> SealedPassword {
        SealedPassword::new(vec![byte])
    }

    fn first() -> Credential {
        let event = event("trial", "dana@fabrikam.example");
        let user_name = UserName::parse("admin@fabrikam").unwrap();
        Credential::first_issue(&event, user_name, &event.portal_users, sealed(1), at(100), WEEK)
    }

    fn phc(text: &str) -> PasswordHash {
        PasswordHash::from_phc(text.to_owned())
    }

    #[test]
    fn the_next_issue_changes_the_password_and_what_happened_to_it_and_nothing_else() {
        let mut used = first();
        (used.signed_in_at, used.changed_at, used.sealed_password, used.seq) = (Some(at(1)), Some(at(2)), None, 7);
        (used.handed_over_at, used.kind) = (Some(at(3)), Kind::Paid);
        let next = used.next_issue(sealed(2), at(200), WEEK);
        let expected = Credential {
            issue: Issue::FIRST.next(),
            sealed_password: Some(sealed(2)),
            issued_at: at(200),
            expires_at: at(200).plus(WEEK),
            signed_in_at: None,
            changed_at: None,
            ..used
        };
        assert_eq!(next, expected);
    }

    #[test]
    fn a_later_start_is_a_first_one_under_the_next_number() {
        let mut ended = crate::credential::tests::credential(&[("dana", 1)]);
        (ended.signed_in_at, ended.changed_at, ended.handed_over_at) = (Some(at(1)), Some(at(2)), Some(at(3)));
        (ended.ended_at, ended.closed_at, ended.sealed_password) = (Some(at(4)), Some(at(5)), None);
        (ended.renewals, ended.renewed_at, ended.seq, ended.kind) = (2, Some(at(1)), 7, Kind::Paid);
        ended.user_name = UserName::parse("service@fabrikam").unwrap();
        let event = event("trial", "kim@fabrikam.example");
        let next = ended.restarted(&event, &event.portal_users, sealed(2), at(200), WEEK);
        let first = Credential::first_issue(&event, ended.user_name, &event.portal_users, sealed(2), at(200), WEEK);
        assert_eq!(next, Credential { issue: Issue::FIRST.next(), seq: 7, ..first });
        assert!(next.disclosable(at(200)) && next.ended_at.is_none() && next.kind == Kind::Trial);
        let mail = WelcomeMail::restarted(&event, MailContent::Credentials, &next);
        assert_eq!((mail.issue, mail.at, mail.to.to_string()), (next.issue, at(200), event.email.to_string()));
    }

    #[test]
    fn the_next_issue_opens_a_retired_account_with_a_temporary_password_and_ends_its_sessions() {
        let credential = first();
        let account = Account::service_administrator(&credential, "01K".into(), phc("a"));
        assert_eq!(account.temporary, Some(Temporary { issue: Some(Issue::FIRST), expires_at: credential.expires_at }));
        let retired = Account { temporary: None, status: AccountStatus::Retired, version: 4, ..account.clone() };
        let next = credential.next_issue(sealed(2), at(200), WEEK);
        let temporary = Some(Temporary { issue: Some(next.issue), expires_at: next.expires_at });
        let expected = Account { password_hash: phc("b"), temporary, version: 5, ..account };
        assert_eq!(retired.next_issue(&next, phc("b")), expected);
    }

    #[test]
    fn a_later_event_makes_a_trial_paid_and_adds_portal_users_and_takes_nothing_away() {
        let trial = first();
        let kim = PortalUser::Address(EmailAddress::parse("kim@fabrikam.example").unwrap());
        let paid = trial.extended_by(Kind::Paid, std::slice::from_ref(&kim));
        let has_kim = paid.portal_users.contains(&kim.principal());
        assert!(paid.kind == Kind::Paid && has_kim && paid.portal_users.len() == 2);
        assert_eq!(paid.extended_by(Kind::Trial, &[]), paid);
    }

    #[test]
    fn only_a_paid_event_starts_the_next_issue_and_only_of_unusable_credentials() {
        let credential = first();
        let (paid, trial) = (event("paid", "a@b.example"), event("trial", "a@b.example"));
        assert!(!credential.needs_next_issue(&paid, at(100)));
        assert!(credential.needs_next_issue(&paid, credential.expires_at));
        assert!(!credential.needs_next_issue(&trial, credential.expires_at));
    }

    #[test]
    fn the_mail_of_the_next_issue_is_pending_again_and_goes_to_the_same_address() {
        let mail = WelcomeMail::first_issue(&event("trial", "a@b.example"), MailContent::Link, at(100));
        assert_eq!((mail.content, mail.status, mail.issue), (MailContent::Link, MailStatus::Pending, Issue::FIRST));
        let sent = WelcomeMail { status: MailStatus::Sent, ..mail.clone() };
        let next = sent.next_issue(&first().next_issue(sealed(2), at(200), WEEK));
        assert_eq!(next.to.to_string(), mail.to.to_string());
        assert_eq!((next.issue, next.at), (Issue::FIRST.next(), at(200)));
        assert_eq!(next.status, MailStatus::Pending);
    }

    #[test]
    fn the_mail_of_the_next_issue_begins_at_the_first_round() {
        let mail = WelcomeMail::first_issue(&event("trial", "a@b.example"), MailContent::Link, at(100));
        let resent = WelcomeMail { status: MailStatus::Sent, round: 3, resent_at: Some(at(150)), ..mail };
        let next = resent.next_issue(&first().next_issue(sealed(2), at(200), WEEK));
        assert_eq!((next.round, next.resent_at), (0, None));
    }

    #[test]
    fn no_mail_of_a_later_issue_goes_to_an_address_that_takes_none() {
        let mail = WelcomeMail::first_issue(&event("trial", "a@b.example"), MailContent::Link, at(100));
        let next = first().next_issue(sealed(2), at(200), WEEK);
        for status in [MailStatus::Bounced, MailStatus::Suppressed, MailStatus::Complained] {
            let refused = WelcomeMail { status, detail: Some(MailDetail::NoSuchMailbox), ..mail.clone() };
            let next = refused.next_issue(&next);
            assert_eq!((next.status, next.detail), (status, Some(MailDetail::NoSuchMailbox)));
        }
        let full = WelcomeMail { status: MailStatus::Undelivered, detail: Some(MailDetail::MailboxFull), ..mail };
        let next = full.next_issue(&next);
        assert_eq!((next.status, next.detail), (MailStatus::Pending, None), "a full mailbox may be emptied");
    }

    #[test]
    fn a_portal_user_renews_what_has_expired_unchanged_and_nothing_else() {
        let expires = first().expires_at;
        let judged = |change: &dyn Fn(&mut Credential), now| {
            let mut credential = first();
            change(&mut credential);
            credential.judge_renewal(now)
        };
        assert_eq!(judged(&|_| (), expires), RenewalDecision::Renew);
        assert_eq!(judged(&|known| known.signed_in_at = Some(at(150)), expires), RenewalDecision::Renew);
        assert_eq!(judged(&|known| known.renewals = 2, expires), RenewalDecision::Renew);
        let refused: [&dyn Fn(&mut Credential); 5] = [
            &|known| known.changed_at = Some(at(150)),
            &|known| known.handed_over_at = Some(at(150)),
            &|known| known.ended_at = Some(at(150)),
            &|known| known.renewals = RENEWALS,
            &|known| known.expires_at = expires.plus(Duration::from_secs(1)),
        ];
        for (n, change) in refused.into_iter().enumerate() {
            assert_eq!(judged(change, expires), RenewalDecision::Refused, "{n}");
        }
        let used_up = crate::credential::tests::credential(&[("dana", 1), ("kim", 2), ("kim", 3)]);
        assert_eq!(used_up.judge_renewal(used_up.expires_at), RenewalDecision::Refused);
    }

    #[test]
    fn a_renewal_answers_for_ten_minutes_and_a_paid_event_ends_that() {
        let expires = first().expires_at;
        let renewed = first().renewed(sealed(2), expires, WEEK);
        assert_eq!((renewed.renewals, renewed.renewed_at), (1, Some(expires)));
        assert_eq!(renewed.judge_renewal(expires.plus(Duration::from_secs(599))), RenewalDecision::AlreadyRenewed);
        assert_eq!(renewed.judge_renewal(expires.plus(Duration::from_mins(10))), RenewalDecision::Refused);
        let paid = renewed.next_issue(sealed(3), expires, WEEK);
        assert_eq!((paid.renewals, paid.renewed_at), (1, None));
        let ended = Credential { ended_at: Some(expires), ..renewed };
        assert_eq!(ended.judge_renewal(expires), RenewalDecision::Refused);
    }

    #[test]
    fn a_paid_event_after_a_hand_over_starts_no_issue() {
        let handed_over = Credential { handed_over_at: Some(at(150)), ..first() };
        assert!(!handed_over.needs_next_issue(&event("paid", "a@b.example"), handed_over.expires_at));
    }
}
