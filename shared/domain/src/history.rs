//! The history of a subscription: its actors, its entries, and what each reader sees of an entry.

use crate::{
    Account, ApprovalOutcome, Caller, Credential, HistoryCode, Issue, Label, MailStatus, PersonId, Retrieval, Role,
    Timestamp, WelcomeMail, email::masked, text_enum,
};

text_enum! {
    /// The relation of an actor to the subscription.
    pub enum ActorRole {
        /// The vendor's billing system.
        Vendor = "vendor",
        /// A portal user.
        Customer = "customer",
        /// The service administrator.
        ServiceAdministrator = "service-administrator",
        /// An administrator.
        Administrator = "administrator",
        /// An operator of the vendor's support desk.
        Operator = "operator",
    }
}

/// The actor of an entry: a role and, for a person, an id that no two people and no two accounts share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The role.
    pub role: ActorRole,
    /// The person or account.
    pub id: Option<PersonId>,
}

impl Actor {
    /// The vendor's billing system.
    pub const VENDOR: Self = Self { role: ActorRole::Vendor, id: None };

    /// Returns a person who is signed in to the portal, as an actor.
    #[must_use]
    pub fn customer(person: PersonId) -> Self {
        Self { role: ActorRole::Customer, id: Some(person) }
    }
}

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self::customer(caller.person())
    }
}

impl From<&Retrieval> for Actor {
    fn from(retrieval: &Retrieval) -> Self {
        Self::customer(retrieval.who)
    }
}

impl From<&Account> for Actor {
    fn from(account: &Account) -> Self {
        let role = match account.role {
            Role::ServiceAdministrator => ActorRole::ServiceAdministrator,
            Role::Administrator => ActorRole::Administrator,
        };
        Self { role, id: Some(PersonId::from_account(&account.account_id)) }
    }
}

/// The detail of an act that took no approval, because the deployment asks for none.
pub const WITHOUT_APPROVAL: &str = "without-approval";

/// Returns what the history says about a welcome mail with this status. `None` for a mail that is on its way or has arrived.
#[must_use]
pub fn mail_failure(status: MailStatus) -> Option<HistoryCode> {
    match status {
        MailStatus::Undelivered => Some(HistoryCode::MailUndelivered),
        MailStatus::Bounced => Some(HistoryCode::MailBounced),
        MailStatus::Suppressed => Some(HistoryCode::MailSuppressed),
        MailStatus::Complained => Some(HistoryCode::MailComplained),
        MailStatus::Pending
        | MailStatus::Sent
        | MailStatus::Delayed
        | MailStatus::Delivered
        | MailStatus::NotNeeded => None,
    }
}

/// One entry of a subscription's history, or a fact that a later transaction adds to the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The number of the entry. Absent for a fact that is not in the history yet.
    pub seq: Option<u64>,
    /// The time at which it happened.
    pub at: Timestamp,
    /// A code for what happened. A later release has more codes than this one.
    pub what: String,
    /// The name of the author.
    pub by: Label,
    /// The author. Entries of release 0.1.0 have none.
    pub who: Option<Actor>,
    /// The issue that was current.
    pub issue: Issue,
    /// The account that was created, reset, removed, retired or unlocked; a code for why a mail failed; or a code of an approval.
    pub detail: Option<String>,
    /// Why an operator acted. Only the vendor sees it.
    pub reason: Option<String>,
}

/// The author of an entry, as its reader sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShownAuthor<'a> {
    /// The vendor's billing system.
    Vendor,
    /// An operator of the support desk, whose name only the vendor knows.
    Support,
    /// The account with this user name.
    Account(&'a str),
    /// A portal user with this address, which is masked unless it is the reader's own.
    Address(String),
    /// A portal user without a confirmed address.
    Unconfirmed(&'a Label),
}

/// An entry as a customer or an administrator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownEntry<'a> {
    /// The entry. Its other fields are for every reader.
    pub entry: &'a HistoryEntry,
    /// The author.
    pub by: ShownAuthor<'a>,
    /// Whether the author is the reader.
    pub you: bool,
    /// The detail. Of what an operator did it is only a code or the name of an account.
    pub detail: Option<&'a str>,
}

/// An entry as a mail shows it. Mails are forwarded, so nothing in it is a text that a person typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedEntry {
    /// The author.
    pub by: MaskedAuthor,
    /// The user name of the account that was created, reset, removed, retired or unlocked, masked.
    pub account: Option<String>,
}

/// The author of an entry, as a mail names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MaskedAuthor {
    /// The vendor's billing system.
    Vendor,
    /// An operator of the support desk.
    Support,
    /// The account with this user name, or the portal user with this address: masked, such as `k•@fabrikam.example`.
    Masked(String),
    /// A portal user without a confirmed address. Not even the end of the subject is shown, since some people choose theirs.
    Unconfirmed,
}

impl HistoryEntry {
    /// Returns what a later transaction adds to the history, newest first: the retrievals of an issue without a sign-in, and the
    /// failure of its welcome mail. `mail` is the subscription's, which another issue may have replaced.
    #[must_use]
    pub fn unrecorded(credential: &Credential, mail: Option<&WelcomeMail>) -> Vec<Self> {
        let mut all = Vec::new();
        if credential.signed_in_at.is_none() {
            all.extend(credential.retrievals_in_order().into_iter().map(|one| Self::retrieved(one, credential.issue)));
        }
        let mail = mail.filter(|mail| mail.issue == credential.issue);
        all.extend(mail.and_then(Self::failed_mail));
        all.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        all
    }

    pub(crate) fn retrieved(retrieval: &Retrieval, issue: Issue) -> Self {
        let (by, who) = (retrieval.by.clone(), Some(retrieval.into()));
        Self {
            seq: None,
            at: retrieval.at,
            what: HistoryCode::Retrieved.as_str().to_owned(),
            by,
            who,
            issue,
            detail: None,
            reason: None,
        }
    }

    pub(crate) fn failed_mail(mail: &WelcomeMail) -> Option<Self> {
        mail_failure(mail.status).map(|what| Self::from_mail(mail, what.as_str()))
    }

    pub(crate) fn from_mail(mail: &WelcomeMail, what: &str) -> Self {
        Self {
            seq: None,
            at: mail.at,
            what: what.to_owned(),
            by: Label::from_stored(ActorRole::Vendor.as_str().to_owned(), Some(false)),
            who: Some(Actor::VENDOR),
            issue: mail.issue,
            detail: mail.detail.map(|detail| detail.as_str().to_owned()),
            reason: None,
        }
    }

    /// Returns what happened. `None` for a code of a later release.
    #[must_use]
    pub fn code(&self) -> Option<HistoryCode> {
        HistoryCode::parse(&self.what)
    }

    /// Returns the author. Release 0.1.0 stored none, so there it has only a role. `None` for an author whom this release does not know.
    #[must_use]
    pub fn actor(&self) -> Option<Actor> {
        self.who.or_else(|| self.role().map(|role| Actor { role, id: None }))
    }

    /// Returns the entry as `reader` sees it, who is a portal user or an account of the subscription.
    #[must_use]
    pub fn shown_to(&self, reader: PersonId) -> ShownEntry<'_> {
        let you = self.who.is_some_and(|who| who.role != ActorRole::Operator && who.id == Some(reader));
        let (by, detail) = match self.role() {
            Some(ActorRole::Vendor) => (ShownAuthor::Vendor, self.detail.as_deref()),
            Some(ActorRole::Customer) => (self.customer(you), self.detail.as_deref()),
            Some(ActorRole::ServiceAdministrator | ActorRole::Administrator) => {
                (ShownAuthor::Account(self.by.as_stored()), self.detail.as_deref())
            }
            Some(ActorRole::Operator) => (ShownAuthor::Support, self.detail_from_support()),
            None => (ShownAuthor::Support, None),
        };
        ShownEntry { entry: self, by, you, detail }
    }

    /// Returns the entry without the name of an operator and their reason. The queues of mails have no use for them.
    #[must_use]
    pub(crate) fn without_operator(mut self) -> Self {
        self.reason = None;
        if self.who.is_some_and(|who| who.role == ActorRole::Operator) {
            self.by = Label::from_stored(ActorRole::Operator.as_str().to_owned(), Some(false));
        }
        self
    }

    /// Returns the entry as a mail shows it.
    #[must_use]
    pub fn masked(&self) -> MaskedEntry {
        let by = match self.role() {
            Some(ActorRole::Vendor) => MaskedAuthor::Vendor,
            Some(ActorRole::Customer) => {
                self.by.masked_address().map_or(MaskedAuthor::Unconfirmed, MaskedAuthor::Masked)
            }
            Some(ActorRole::ServiceAdministrator | ActorRole::Administrator) => {
                MaskedAuthor::Masked(masked(self.by.as_stored()))
            }
            Some(ActorRole::Operator) | None => MaskedAuthor::Support,
        };
        let names_account = self.code().is_some_and(HistoryCode::names_account);
        MaskedEntry { by, account: self.detail.as_deref().filter(|_| names_account).map(masked) }
    }

    fn customer(&self, you: bool) -> ShownAuthor<'_> {
        match (self.by.address(), self.by.masked_address()) {
            (Some(own), _) if you => ShownAuthor::Address(own.to_owned()),
            (_, Some(masked)) => ShownAuthor::Address(masked),
            (_, None) => ShownAuthor::Unconfirmed(&self.by),
        }
    }

    /// Returns what customers may know of an act of the support desk: the account that was unlocked, the outcome of an approval, and that there
    /// was none. Everything else may be a text that an operator typed.
    fn detail_from_support(&self) -> Option<&str> {
        let is_shown = |detail: &&str| {
            let is_outcome =
                self.code() == Some(HistoryCode::ApprovalDecided) && ApprovalOutcome::parse(detail).is_some();
            self.code().is_some_and(HistoryCode::names_account) || is_outcome || *detail == WITHOUT_APPROVAL
        };
        self.detail.as_deref().filter(is_shown)
    }

    /// Returns the role of the author. Release 0.1.0 did not store it, so it follows from what happened there. `None` for what that release
    /// did not know: such an author is shown to no customer.
    fn role(&self) -> Option<ActorRole> {
        if let Some(who) = self.who {
            return Some(who.role);
        }
        match self.code()? {
            HistoryCode::Issued | HistoryCode::Paid | HistoryCode::PortalUsersAdded => Some(ActorRole::Vendor),
            HistoryCode::Retrieved | HistoryCode::SupportRequested => Some(ActorRole::Customer),
            HistoryCode::SignedIn | HistoryCode::PasswordChanged | HistoryCode::AdministratorCreated => {
                Some(ActorRole::ServiceAdministrator)
            }
            HistoryCode::AdministratorSignedIn | HistoryCode::ServiceAdministratorRetired => {
                Some(ActorRole::Administrator)
            }
            HistoryCode::Renewed
            | HistoryCode::Reissued
            | HistoryCode::PortalUserAdded
            | HistoryCode::PortalUserRemoved
            | HistoryCode::AdministratorReset
            | HistoryCode::AdministratorRemoved
            | HistoryCode::SubscriptionEnded
            | HistoryCode::AccountUnlocked
            | HistoryCode::ApprovalRequested
            | HistoryCode::ApprovalDecided
            | HistoryCode::MailResent
            | HistoryCode::MailUndelivered
            | HistoryCode::MailBounced
            | HistoryCode::MailSuppressed
            | HistoryCode::MailComplained => None,
        }
    }
}

/// The place in a history at which a page begins: after the entry with this number, on the way to the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryCursor(u64);

impl HistoryCursor {
    /// The highest number that the key of an entry has room for: ten digits.
    const HIGHEST: u64 = 9_999_999_999;

    /// Returns the cursor after the entry `seq`. `None` if no entry follows, or the history cannot have such an entry.
    #[must_use]
    pub fn after(seq: u64) -> Option<Self> {
        (2..=Self::HIGHEST).contains(&seq).then_some(Self(seq))
    }

    /// Returns the number of the last entry before the page.
    #[must_use]
    pub fn seq(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EmailAddress, MailContent, MailDetail, credential::tests::credential};

    const ISSUER: &str = "https://issuer.example";

    fn customer(name: &str) -> Caller {
        let email = EmailAddress::parse(&format!("{name}@fabrikam.example"));
        Caller::new(ISSUER.into(), name.into(), email, Vec::new())
    }

    fn entry(what: &str, by: &str, who: Option<Actor>) -> HistoryEntry {
        let (by, at) = (Label::from_stored(by.into(), None), Timestamp::from_epoch_seconds(1));
        let detail = Some("detail".to_owned());
        HistoryEntry { seq: Some(1), at, what: what.into(), by, who, issue: Issue::FIRST, detail, reason: None }
    }

    fn address(text: &str) -> ShownAuthor<'static> {
        ShownAuthor::Address(text.into())
    }

    #[test]
    fn customers_see_their_own_address_and_others_masked() {
        let kim = customer("kim");
        let entry = entry("renewed", "kim@fabrikam.example", Some((&kim).into()));
        let (own, others) = (entry.shown_to(kim.person()), entry.shown_to(customer("dana").person()));
        assert_eq!((own.by, own.you), (address("kim@fabrikam.example"), true));
        assert_eq!((others.by, others.you), (address("k•@fabrikam.example"), false));
    }

    #[test]
    fn an_account_without_a_confirmed_address_is_never_shown_as_one() {
        let mallory = Caller::new(ISSUER.into(), "ceo@fabrikam.example".into(), None, Vec::new());
        let mut entry = entry("renewed", "", Some((&mallory).into()));
        entry.by = mallory.label();
        for reader in [mallory.person(), customer("dana").person()] {
            assert_eq!(entry.shown_to(reader).by, ShownAuthor::Unconfirmed(&mallory.label()));
        }
    }

    #[test]
    fn an_operator_is_support_without_name_or_reason() {
        let id = Some(customer("olivia").person());
        let entry = entry("reissued", "olivia@contoso.example", Some(Actor { role: ActorRole::Operator, id }));
        let shown = entry.shown_to(customer("olivia").person());
        assert_eq!((shown.by, shown.you, shown.detail), (ShownAuthor::Support, false, None));
    }

    #[test]
    fn customers_see_only_codes_and_the_account_that_was_unlocked_of_an_act_of_the_desk() {
        let reader = customer("dana").person();
        let shown = |what, detail: &str| {
            let mut entry = entry(what, "olivia@contoso.example", Some(Actor { role: ActorRole::Operator, id: None }));
            entry.detail = Some(detail.to_owned());
            entry.shown_to(reader).detail.map(str::to_owned)
        };
        for (what, detail) in [
            ("account-unlocked", "lee@fabrikam"),
            ("approval-decided", "approved"),
            ("approval-decided", "rejected"),
            ("approval-decided", "overtaken"),
            ("reissued", WITHOUT_APPROVAL),
            ("portal-user-added", WITHOUT_APPROVAL),
        ] {
            assert_eq!(shown(what, detail).as_deref(), Some(detail), "{what}");
        }
        for (what, detail) in [
            ("approval-requested", "reissue"),
            ("approval-decided", "lee@fabrikam.example"),
            ("reissued", "lee@fabrikam.example"),
            ("portal-user-added", "lee@fabrikam.example"),
            ("portal-user-removed", "lee@fabrikam.example"),
            ("of-a-later-release", "lee@fabrikam.example"),
        ] {
            assert_eq!(shown(what, detail), None, "{what}");
        }
    }

    #[test]
    fn a_mail_names_people_and_accounts_masked_and_the_vendors_staff_as_support() {
        let masked = |text: &str| MaskedAuthor::Masked(text.to_owned());
        let kim = Some((&customer("kim")).into());
        let role = |role| Some(Actor { role, id: Some(customer("olivia").person()) });
        let author = |by, who| entry("renewed", by, who).masked().by;
        assert_eq!(author("kim@fabrikam.example", kim), masked("k•@fabrikam.example"));
        assert_eq!(author("lee.ahmadi@fabrikam", role(ActorRole::Administrator)), masked("l•@fabrikam"));
        assert_eq!(author("admin@fabrikam", role(ActorRole::ServiceAdministrator)), masked("a•@fabrikam"));
        assert_eq!(author("vendor", Some(Actor::VENDOR)), MaskedAuthor::Vendor);
        assert_eq!(author("olivia@contoso.example", role(ActorRole::Operator)), MaskedAuthor::Support);
        assert_eq!(author("olivia@contoso.example", None), MaskedAuthor::Support, "an author of a later release");
        let mut subject = entry("retrieved", "", kim);
        subject.by = Label::from_stored("ceo@fabrikam.example".into(), Some(false));
        assert_eq!(subject.masked().by, MaskedAuthor::Unconfirmed);
    }

    #[test]
    fn a_mail_names_an_account_masked_and_shows_no_other_detail() {
        let account = |what, detail: &str| {
            let mut entry = entry(what, "admin@fabrikam", None);
            entry.detail = Some(detail.to_owned());
            entry.masked().account
        };
        assert_eq!(account("administrator-created", "mo.saeed@fabrikam").as_deref(), Some("m•@fabrikam"));
        for what in ["administrator-reset", "administrator-removed"] {
            assert_eq!(account(what, "mo.saeed@fabrikam").as_deref(), Some("m•@fabrikam"));
        }
        assert_eq!(account("administrator-created", "no user name").as_deref(), Some("n•"));
        assert_eq!(account("subscription-ended", "a reason that was typed"), None);
        assert_eq!(account("mail-bounced", "no-such-mailbox"), None);
        assert_eq!(account("reissued", "a reason that was typed"), None);
    }

    #[test]
    fn an_entry_of_the_first_release_has_the_author_that_its_code_implies() {
        let dana = customer("dana").person();
        let shown = |what, by| {
            let entry = entry(what, by, None);
            let shown = entry.shown_to(dana);
            assert!(!shown.you, "{what}");
            (format!("{:?}", shown.by), shown.detail.is_some())
        };
        let cases = [
            ("issued", "vendor", "Vendor", true),
            ("retrieved", "dana@fabrikam.example", "Address(\"d•@fabrikam.example\")", true),
            ("signed-in", "admin@fabrikam.example", "Account(\"admin@fabrikam.example\")", true),
            ("administrator-signed-in", "lee@fabrikam", "Account(\"lee@fabrikam\")", true),
            ("reissued", "olivia@contoso.example", "Support", false),
        ];
        for (what, by, author, has_detail) in cases {
            assert_eq!(shown(what, by), (author.to_owned(), has_detail), "{what}");
        }
    }

    #[test]
    fn what_is_not_in_the_history_yet_comes_newest_first() {
        let at = Timestamp::from_epoch_seconds;
        let mut credential = credential(&[("dana", 20), ("kim", 40)]);
        let mut mail = WelcomeMail {
            issue: Issue::FIRST,
            to: EmailAddress::parse("it@fabrikam.example").unwrap(),
            locale: None,
            content: MailContent::Credentials,
            status: MailStatus::Bounced,
            at: at(30),
            round: 0,
            resent_at: None,
            detail: Some(MailDetail::NoSuchMailbox),
        };
        let codes = |credential: &Credential, mail: &WelcomeMail| {
            let all = HistoryEntry::unrecorded(credential, Some(mail));
            assert!(all.iter().all(|entry| entry.seq.is_none()));
            all.into_iter().map(|entry| (entry.what, entry.at.epoch_seconds())).collect::<Vec<_>>()
        };
        let retrieved = |seconds| ("retrieved".to_owned(), seconds);
        let bounced = || ("mail-bounced".to_owned(), 30);
        assert_eq!(codes(&credential, &mail), [retrieved(40), bounced(), retrieved(20)]);
        credential.signed_in_at = Some(at(50));
        assert_eq!(codes(&credential, &mail), [bounced()], "the sign-in has moved the retrievals");
        mail.status = MailStatus::Delivered;
        assert_eq!(codes(&credential, &mail), []);
        (mail.status, mail.issue) = (MailStatus::Bounced, Issue::FIRST.next());
        assert_eq!(codes(&credential, &mail), [], "the mail of another issue");
    }

    #[test]
    fn a_cursor_is_after_an_entry_that_others_follow() {
        let seq = |seq| HistoryCursor::after(seq).map(HistoryCursor::seq);
        assert_eq!([0, 1, 2, 9_999_999_999, 10_000_000_000].map(seq), [None, None, Some(2), Some(9_999_999_999), None]);
    }
}
