//! Reissues: issues of credentials that the support desk starts, and the portal users that operators add and remove.

use std::time::Duration;

use crate::{
    ApprovalOutcome, Credential, DeskAct, EmailAddress, MailContent, MailStatus, PortalUser, Principal, Role,
    SealedPassword, Timestamp, WelcomeMail, started::MAX_PORTAL_USERS,
};

/// The portal users that an act adds and removes.
#[derive(Clone, Default)]
pub struct PortalUserChange {
    /// The one who becomes a portal user.
    pub added: Option<PortalUser>,
    /// The one who stops being a portal user.
    pub removed: Option<Removal>,
}

/// The portal user whom an act removes.
#[derive(Clone)]
pub struct Removal {
    /// The principal, which is not one of the credential's afterwards.
    pub principal: Principal,
    /// How the portal user was named, if it is known.
    pub given: Option<PortalUser>,
}

impl PortalUserChange {
    /// Returns whether the set of portal users stays as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_none() && self.removed.is_none()
    }
}

impl DeskAct {
    /// Returns the portal users that the act adds and removes, where `on_file` is the address of the current issue.
    #[must_use]
    pub fn portal_user_change(&self, credential: &Credential, on_file: &EmailAddress) -> PortalUserChange {
        let is_listed = |principal: &Principal| credential.portal_users.contains(principal);
        let old = Removal { principal: Principal::email(on_file), given: Some(PortalUser::Address(on_file.clone())) };
        let (added, removed) = match self {
            Self::Reissue { email: Some(email), keeps_old_address } => {
                (Some(PortalUser::Address(email.clone())), (!keeps_old_address).then_some(old))
            }
            Self::Reissue { email: None, .. } => (None, None),
            Self::AddPortalUser(user) => (Some(user.clone()), None),
        };
        PortalUserChange {
            added: added.filter(|user| !is_listed(&user.principal())),
            removed: removed.filter(|old| is_listed(&old.principal)),
        }
    }
}

impl Credential {
    /// Returns this credential with the portal users of `change` added and removed. `None` if there would be more than before and more than
    /// [`MAX_PORTAL_USERS`], or none at all. Events can have added more than that, and support must be able to act all the same.
    #[must_use]
    pub fn with_portal_users(&self, change: &PortalUserChange) -> Option<Self> {
        let mut next = self.clone();
        next.portal_users.extend(change.added.iter().map(PortalUser::principal));
        if let Some(removed) = &change.removed {
            next.portal_users.remove(&removed.principal);
        }
        let (before, after) = (self.portal_users.len(), next.portal_users.len());
        (after > 0 && after <= before.max(MAX_PORTAL_USERS)).then_some(next)
    }

    /// Returns the credential of the next issue, which an operator starts at `now` in every state but ended. The portal users are those of
    /// [`Credential::with_portal_users`].
    #[must_use]
    pub fn reissued(&self, sealed: SealedPassword, now: Timestamp, lifetime: Duration) -> Self {
        self.next_issue(sealed, now, lifetime)
    }

    /// Returns when this issue was handed over: by the first administrator that its service administrator created. `None` for a hand-over in
    /// an earlier issue.
    #[must_use]
    pub fn issue_handed_over_at(&self) -> Option<Timestamp> {
        self.handed_over_at.filter(|at| *at >= self.issued_at)
    }

    /// Returns the time of the hand-over that the creation of an administrator at `now` is, where `creator` is the role of the account that
    /// creates it. `None` if the issue is handed over already, or another administrator is the creator.
    #[must_use]
    pub fn hands_over_at(&self, creator: Role, now: Timestamp) -> Option<Timestamp> {
        let is_first = creator == Role::ServiceAdministrator && self.issue_handed_over_at().is_none();
        is_first.then(|| now.max(self.issued_at))
    }
}

impl WelcomeMail {
    /// Returns the order of the mail of the issue that `credential` begins by a reissue: to `email`, if it is another address, or to the same
    /// one. It carries the password only if the deployment and the last mail do, the address is the same, and no administrator exists.
    #[must_use]
    pub fn reissued(self, credential: &Credential, email: Option<&EmailAddress>, content: MailContent) -> Self {
        let contents = [self.content, content];
        let is_link = email.is_some() || credential.handed_over_at.is_some() || contents.contains(&MailContent::Link);
        let content = if is_link { MailContent::Link } else { MailContent::Credentials };
        let mail = Self { content, ..self.next_issue(credential) };
        match email {
            Some(email) => Self { to: email.clone(), status: MailStatus::Pending, detail: None, ..mail },
            None => mail,
        }
    }
}

impl ApprovalOutcome {
    /// Returns whether the act is carried out with the decision.
    #[must_use]
    pub fn carries_out(self) -> bool {
        match self {
            Self::Approved => true,
            Self::Rejected | Self::Overtaken => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MailDetail, approval::tests::mail, credential::tests::credential};

    const WEEK: Duration = Duration::from_hours(7 * 24);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    fn listed(addresses: &[&str]) -> Credential {
        let portal_users = addresses.iter().map(|text| Principal::email(&address(text))).collect();
        Credential { portal_users, ..credential(&[]) }
    }

    fn change(credential: &Credential, email: &str, keeps_old_address: bool) -> PortalUserChange {
        let on_file = address("it@fabrikam.example");
        let act = DeskAct::reissue(Some(address(email)), keeps_old_address, &on_file);
        act.portal_user_change(credential, &on_file)
    }

    #[test]
    fn another_address_takes_the_place_of_the_old_one_unless_that_keeps_access() {
        let known = listed(&["it@fabrikam.example", "dana@fabrikam.example"]);
        let after = |keeps| known.with_portal_users(&change(&known, "lee@fabrikam.example", keeps)).unwrap();
        assert_eq!(after(false).portal_users, listed(&["lee@fabrikam.example", "dana@fabrikam.example"]).portal_users);
        assert_eq!(after(true).portal_users.len(), 3);
        let to_dana = change(&known, "dana@fabrikam.example", false);
        assert!(to_dana.added.is_none(), "a portal user already");
        assert_eq!(known.with_portal_users(&to_dana).unwrap(), listed(&["dana@fabrikam.example"]));
        assert!(change(&known, "IT@fabrikam.example", false).is_empty());
    }

    #[test]
    fn a_subscription_has_one_to_a_hundred_portal_users() {
        let last = listed(&["it@fabrikam.example"]);
        let removed = Some(Removal { principal: Principal::email(&address("it@fabrikam.example")), given: None });
        assert!(last.with_portal_users(&PortalUserChange { added: None, removed }).is_none());
        let names: Vec<String> = (0..99).map(|n| format!("p{n}@fabrikam.example")).collect();
        let many: Vec<&str> = names.iter().map(String::as_str).chain(["it@fabrikam.example"]).collect();
        let full = listed(&many);
        assert!(full.with_portal_users(&change(&full, "lee@fabrikam.example", false)).is_some());
        assert!(full.with_portal_users(&change(&full, "lee@fabrikam.example", true)).is_none());
    }

    #[test]
    fn a_subscription_to_which_events_have_added_more_is_reissued_and_loses_portal_users() {
        let names: Vec<String> = (0..102).map(|n| format!("p{n}@fabrikam.example")).collect();
        let many: Vec<&str> = names.iter().map(String::as_str).chain(["it@fabrikam.example"]).collect();
        let crowded = listed(&many);
        assert!(crowded.with_portal_users(&PortalUserChange::default()).is_some());
        let removed = Some(Removal { principal: Principal::email(&address("p1@fabrikam.example")), given: None });
        assert!(crowded.with_portal_users(&PortalUserChange { added: None, removed }).is_some());
        assert!(crowded.with_portal_users(&change(&crowded, "lee@fabrikam.example", false)).is_some());
        assert!(crowded.with_portal_users(&change(&crowded, "lee@fabrikam.example", true)).is_none());
    }

    #[test]
    fn an_issue_is_handed_over_by_its_own_service_administrator_alone() {
        let fresh = Credential { issued_at: at(100), ..credential(&[]) };
        assert_eq!(fresh.hands_over_at(Role::ServiceAdministrator, at(150)), Some(at(150)));
        assert_eq!(fresh.hands_over_at(Role::ServiceAdministrator, at(90)), Some(at(100)), "clocks differ");
        assert_eq!(fresh.hands_over_at(Role::Administrator, at(150)), None);
        let handed_over = Credential { handed_over_at: Some(at(150)), ..fresh };
        assert_eq!(handed_over.hands_over_at(Role::ServiceAdministrator, at(160)), None);
        let reissued = handed_over.reissued(SealedPassword::new(vec![2]), at(200), WEEK);
        assert_eq!((reissued.handed_over_at, reissued.issue_handed_over_at()), (Some(at(150)), None));
        assert_eq!(reissued.hands_over_at(Role::ServiceAdministrator, at(250)), Some(at(250)));
        assert_eq!(reissued.hands_over_at(Role::Administrator, at(250)), None);
    }

    #[test]
    fn the_mail_of_a_reissue_carries_the_password_only_where_nothing_speaks_against_it() {
        let fresh = credential(&[]);
        let next = fresh.reissued(SealedPassword::new(vec![2]), at(200), WEEK);
        let lee = address("lee@fabrikam.example");
        let content = |next: &Credential, email, last, deployment| {
            let mail = WelcomeMail { content: last, ..mail("it@fabrikam.example") };
            mail.reissued(next, email, deployment).content
        };
        let [plain, link] = [MailContent::Credentials, MailContent::Link];
        assert_eq!(content(&next, None, plain, plain), plain);
        assert_eq!(content(&next, Some(&lee), plain, plain), link);
        assert_eq!(content(&next, None, link, plain), link);
        assert_eq!(content(&next, None, plain, link), link);
        let handed_over = Credential { handed_over_at: Some(at(50)), ..next };
        assert_eq!(content(&handed_over, None, plain, plain), link);
    }

    #[test]
    fn another_address_does_not_inherit_a_bounce_and_the_same_one_does() {
        let next = credential(&[]).reissued(SealedPassword::new(vec![2]), at(200), WEEK);
        let (status, detail) = (MailStatus::Bounced, Some(MailDetail::NoSuchMailbox));
        let bounced = WelcomeMail { status, detail, round: 2, ..mail("it@fabrikam.example") };
        let same = bounced.clone().reissued(&next, None, MailContent::Credentials);
        assert_eq!((same.status, same.detail, same.round, same.issue), (status, detail, 0, next.issue));
        let lee = address("lee@fabrikam.example");
        let other = bounced.reissued(&next, Some(&lee), MailContent::Credentials);
        assert_eq!((other.to.to_string(), other.status), (lee.to_string(), MailStatus::Pending));
        assert_eq!((other.detail, other.at, other.round), (None, at(200), 0));
    }
}
