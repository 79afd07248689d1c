//! Notices: mails that tell the people of a customer what another one of them did, or the vendor's support desk.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    Actor, ActorRole, Credential, EmailAddress, HistoryCode, HistoryEntry, Issue, MailStatus, PersonId, Principal,
    Timestamp, Transition, TransitionId, UserName, WelcomeMail, text_enum,
};

/// The most notices of one transition.
pub const MOST_RECIPIENTS: usize = 10;

/// The most notices of one kind to one address in a day. Accounts can be created without end, and each has notices. Those of the support desk
/// have no such limit: after many harmless acts, the one that matters would go unannounced. An operator's budget limits them.
pub const MOST_A_DAY: usize = 20;

/// The time in which notices of one kind to one address are counted.
const DAY: Duration = Duration::from_hours(24);

/// The age from which a transition is not worth a notice: it is published again by hand, long after.
pub const MAX_AGE: Duration = Duration::from_hours(7 * 24);

/// How long a portal user who was removed still gets notices of what the support desk does.
pub const REMOVED_FOR: Duration = Duration::from_hours(30 * 24);

text_enum! {
    /// Which notices a deployment sends.
    pub enum NoticeLevel {
        /// All notices.
        All = "all",
        /// All that help against theft, and none on first sign-ins and chosen passwords.
        Security = "security",
        /// Only those on what the support desk does.
        None = "none",
    }
}

/// The id of a notice: that of the transition, and the principal of the recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeId(String);

/// A notice that is ordered to be mailed.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The id.
    pub id: NoticeId,
    /// The issue that was current.
    pub issue: Issue,
    /// The recipient.
    pub to: EmailAddress,
    /// The language of the issue's mails, as a BCP 47 tag.
    pub locale: Option<String>,
    /// The event that the notice is about, as the history has it.
    pub entry: HistoryEntry,
    /// The status of the mail.
    pub status: MailStatus,
    /// When the status was recorded.
    pub at: Timestamp,
}

/// The people of a customer that a notice is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audience {
    /// The address of the issue and the portal users.
    pub portal: bool,
    /// The portal users who were removed not long ago.
    pub removed: bool,
    /// The administrators, and the address of the issue while none of them has signed in.
    pub administrators: bool,
    need: Need,
}

/// How much people need a notice. The order is from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    /// The progress of the set-up.
    Progress,
    /// Help against theft.
    Security,
    /// An act of the support desk, which is announced whatever else the deployment sends.
    Desk,
}

impl Audience {
    const PORTAL: Self = Self { portal: true, removed: false, administrators: false, need: Need::Security };
    const ADMINISTRATORS: Self = Self { portal: false, administrators: true, ..Self::PORTAL };
    const EVERYONE: Self = Self { administrators: true, ..Self::PORTAL };
    const PROGRESS: Self = Self { need: Need::Progress, ..Self::ADMINISTRATORS };
    const DESK: Self = Self { removed: true, need: Need::Desk, ..Self::EVERYONE };
    const DESK_TO_ADMINISTRATORS: Self = Self { need: Need::Desk, ..Self::ADMINISTRATORS };

    /// Returns the people who get a notice of a transition at `level`. `None` for a transition without notices, and for one of long ago.
    #[must_use]
    pub fn new(transition: &Transition, level: NoticeLevel, now: Timestamp) -> Option<Self> {
        let is_recent = now < transition.entry.at.plus(MAX_AGE);
        Self::from_transition(transition).filter(|audience| is_recent && audience.is_wanted(level))
    }

    /// Returns the audience that has the people of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            portal: self.portal || other.portal,
            removed: self.removed || other.removed,
            administrators: self.administrators || other.administrators,
            need: self.need.max(other.need),
        }
    }

    fn is_wanted(self, level: NoticeLevel) -> bool {
        let least = match level {
            NoticeLevel::All => Need::Progress,
            NoticeLevel::Security => Need::Security,
            NoticeLevel::None => Need::Desk,
        };
        self.need >= least
    }

    fn from_transition(transition: &Transition) -> Option<Self> {
        match transition.entry.code()? {
            HistoryCode::Retrieved | HistoryCode::PortalUsersAdded => Some(Self::PORTAL),
            HistoryCode::SignedIn | HistoryCode::PasswordChanged => Some(Self::PROGRESS),
            // The service administrator creates the first administrators of an issue.
            HistoryCode::AdministratorCreated if transition.who.role == ActorRole::ServiceAdministrator => {
                Some(Self::EVERYONE)
            }
            HistoryCode::AdministratorCreated | HistoryCode::AdministratorReset | HistoryCode::AdministratorRemoved => {
                Some(Self::ADMINISTRATORS)
            }
            HistoryCode::Reissued
            | HistoryCode::PortalUserAdded
            | HistoryCode::PortalUserRemoved
            | HistoryCode::ApprovalRequested
            | HistoryCode::ApprovalDecided => Some(Self::DESK),
            HistoryCode::AccountUnlocked => Some(Self::DESK_TO_ADMINISTRATORS),
            HistoryCode::Issued
            | HistoryCode::Renewed
            | HistoryCode::Paid
            | HistoryCode::AdministratorSignedIn
            | HistoryCode::ServiceAdministratorRetired
            | HistoryCode::SubscriptionEnded
            | HistoryCode::SupportRequested
            | HistoryCode::MailResent
            | HistoryCode::MailUndelivered
            | HistoryCode::MailBounced
            | HistoryCode::MailSuppressed
            | HistoryCode::MailComplained => None,
        }
    }
}

/// A portal user who is known by an address.
#[derive(Clone, Debug)]
pub struct AddressedPortalUser {
    /// The address.
    pub address: EmailAddress,
    /// When the portal user was added.
    pub added_at: Timestamp,
    /// When the support desk removed the portal user.
    pub removed_at: Option<Timestamp>,
}

/// An administrator who is active, or whom a transition has removed.
#[derive(Clone, Debug)]
pub struct AddressedAdministrator {
    /// The person.
    pub person: PersonId,
    /// The name that they sign in with.
    pub user_name: UserName,
    /// The address, if one was typed when the account was created. It is not verified.
    pub address: Option<EmailAddress>,
    /// When the account was created.
    pub created_at: Timestamp,
    /// Whether the administrator has signed in.
    pub has_signed_in: bool,
    /// Whether the account is active. A removed administrator gets the notice of the removal, and no other.
    pub is_active: bool,
}

/// The people of a subscription who may get notices.
#[derive(Clone, Debug)]
pub struct Recipients {
    /// The welcome mail of the issue: its address, its language and what became of it.
    pub mail: WelcomeMail,
    /// The portal users with an address, also those who were removed.
    pub portal_users: Vec<AddressedPortalUser>,
    /// The administrators who are active or removed by a transition, where the audience has them.
    pub administrators: Vec<AddressedAdministrator>,
    /// The addresses that take no mail, as reports on the subscription's mails say.
    pub ruled_out: BTreeSet<Principal>,
    /// When each address got notices, by the code of what they are about.
    pub notified: BTreeMap<(String, Principal), Vec<Timestamp>>,
}

impl Recipients {
    /// Returns the addresses that get a notice of a transition at `now`, at most ten: the address of the issue, the people whom it affected,
    /// then the others by turns, so that many portal users leave room for administrators. The actor gets none, and neither does an address
    /// that takes no mail or had too many today.
    #[must_use]
    pub fn addresses(
        &self,
        audience: Audience,
        transition: &Transition,
        credential: &Credential,
        now: Timestamp,
    ) -> Vec<EmailAddress> {
        let mut left_out: BTreeSet<Principal> = self.ruled_out.clone();
        left_out.extend(actor_address(transition).as_ref().map(Principal::email));
        if self.mail.status.rules_address_out() {
            left_out.insert(Principal::email(&self.mail.to));
        }
        let issue = self.issue_address(audience, transition, credential, &left_out).into_iter();
        let affected = self.affected(audience, transition, now);
        let everyone = issue.chain(affected).chain(self.by_turns(audience, transition, credential, now));
        let mut seen = left_out;
        let is_new = |address: &&EmailAddress| {
            let principal = Principal::email(address);
            !self.had_enough(audience, &transition.entry.what, principal, now) && seen.insert(principal)
        };
        everyone.filter(is_new).take(MOST_RECIPIENTS).cloned().collect()
    }

    /// Counts a notice that is ordered now.
    pub fn add(&mut self, notice: &Notice) {
        let key = (notice.entry.what.clone(), Principal::email(&notice.to));
        self.notified.entry(key).or_default().push(notice.at);
    }

    fn had_enough(&self, audience: Audience, what: &str, principal: Principal, now: Timestamp) -> bool {
        if audience.need == Need::Desk {
            return false;
        }
        let notified = self.notified.get(&(what.to_owned(), principal)).into_iter().flatten();
        notified.filter(|at| now < at.plus(DAY)).count() >= MOST_A_DAY
    }

    /// Returns the address of the issue, if the audience has it. An audience of administrators has it until one of them, other than the
    /// actor, can be reached and has signed in: a stolen session of the only administrator is not to go unnoticed. It is also the address
    /// of the service administrator, whom an administrator can remove.
    fn issue_address(
        &self,
        audience: Audience,
        transition: &Transition,
        credential: &Credential,
        left_out: &BTreeSet<Principal>,
    ) -> Option<&EmailAddress> {
        let can_be_reached = |administrator: &&AddressedAdministrator| {
            administrator.address.as_ref().is_some_and(|address| !left_out.contains(&Principal::email(address)))
        };
        let mut others =
            self.administrators.iter().filter(|one| one.is_active && !is_actor(transition.who, one.person));
        let is_handed_over = others.any(|one| one.has_signed_in && can_be_reached(&one));
        let is_removed = transition.entry.code() == Some(HistoryCode::AdministratorRemoved)
            && transition.entry.detail.as_deref() == Some(credential.user_name.as_str());
        (audience.portal || !is_handed_over || is_removed).then_some(&self.mail.to)
    }

    /// Returns the people whom the transition affected: the account that was created, reset, removed or unlocked, and portal users who lost
    /// their access by it, such as the old address after a reissue to another one.
    fn affected(&self, audience: Audience, transition: &Transition, now: Timestamp) -> Vec<&EmailAddress> {
        let detail = transition.entry.detail.as_deref();
        let is_account = |one: &&AddressedAdministrator| detail == Some(one.user_name.as_str());
        let accounts = self.other_administrators(audience, transition).filter(is_account);
        let mut removed: Vec<_> = self.removed(audience, now).collect();
        removed.retain(|(removed_at, _)| *removed_at >= transition.entry.at);
        removed.sort_by_key(|(removed_at, _)| *removed_at);
        let removed = removed.into_iter().map(|(_, user)| &user.address);
        accounts.filter_map(|one| one.address.as_ref()).chain(removed).collect()
    }

    /// Returns the people of the audience: removed portal users, portal users and administrators take turns, and the longest known of each
    /// come first.
    fn by_turns(
        &self,
        audience: Audience,
        transition: &Transition,
        credential: &Credential,
        now: Timestamp,
    ) -> impl Iterator<Item = &EmailAddress> {
        let removed = self.removed(audience, now).map(|(_, user)| (user.added_at, &user.address));
        let administrators = self.other_administrators(audience, transition).filter(|one| one.is_active);
        let administrators = administrators.filter_map(|one| Some((one.created_at, one.address.as_ref()?)));
        let listed =
            |user: &&AddressedPortalUser| audience.portal && credential.admits(&[Principal::email(&user.address)]);
        let portal_users = self.portal_users.iter().filter(listed).map(|user| (user.added_at, &user.address));
        let mut turns = Vec::new();
        for mut group in [removed.collect(), portal_users.collect(), administrators.collect::<Vec<_>>()] {
            group.sort_by_key(|(since, _)| *since);
            turns.extend(group.into_iter().map(|(_, address)| address).enumerate());
        }
        turns.sort_by_key(|(turn, _)| *turn);
        turns.into_iter().map(|(_, address)| address)
    }

    /// Returns the portal users who were removed not long ago, and when.
    fn removed(&self, audience: Audience, now: Timestamp) -> impl Iterator<Item = (Timestamp, &AddressedPortalUser)> {
        let removed = self.portal_users.iter().filter_map(|user| Some((user.removed_at?, user)));
        removed.filter(move |(removed_at, _)| audience.removed && now < removed_at.plus(REMOVED_FOR))
    }

    /// Returns the administrators other than the actor, where the audience has them, also those who were removed.
    fn other_administrators(
        &self,
        audience: Audience,
        transition: &Transition,
    ) -> impl Iterator<Item = &AddressedAdministrator> {
        let who = transition.who;
        self.administrators.iter().filter(move |one| audience.administrators && !is_actor(who, one.person))
    }
}

/// Returns the confirmed address of the customer who did it.
fn actor_address(transition: &Transition) -> Option<EmailAddress> {
    let is_customer = transition.who.role == ActorRole::Customer;
    transition.entry.by.address().filter(|_| is_customer).and_then(EmailAddress::parse)
}

fn is_actor(who: Actor, person: PersonId) -> bool {
    matches!(who.role, ActorRole::Administrator | ActorRole::ServiceAdministrator) && who.id == Some(person)
}

impl NoticeId {
    /// The number of characters of a principal. A part of it would be the same for addresses that people can look for.
    const RECIPIENT: usize = 22;

    /// Returns the id of the notice about `transition` to `recipient`.
    #[must_use]
    pub fn new(transition: &TransitionId, recipient: &EmailAddress) -> Self {
        Self(format!("{transition}-{}", Principal::email(recipient)))
    }

    /// Parses an id from its text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_symbol = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_whole = text.len() == TransitionId::CHARACTERS + 1 + Self::RECIPIENT;
        let is_divided = text.as_bytes().get(TransitionId::CHARACTERS) == Some(&b'-');
        (is_whole && is_divided && text.bytes().all(is_symbol)).then(|| Self(text.to_owned()))
    }

    /// Returns the text, which a key and a tag of SES can have.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for NoticeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Notice {
    /// Returns the notice about `transition` to `to`, to be ordered at `now`.
    #[must_use]
    pub fn new(transition: &Transition, to: &EmailAddress, locale: Option<String>, now: Timestamp) -> Self {
        Self {
            id: NoticeId::new(&transition.id, to),
            issue: transition.entry.issue,
            to: to.clone(),
            locale,
            entry: transition.entry.clone().without_operator(),
            status: MailStatus::Pending,
            at: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Caller, EventType, Label, MailContent, Retrieval, RetrievalId, SubscriptionId, credential::tests::credential,
    };

    const HAPPENED: i64 = 10_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn address(name: &str) -> EmailAddress {
        EmailAddress::parse(&format!("{name}@fabrikam.example")).unwrap()
    }

    fn subscription() -> SubscriptionId {
        SubscriptionId::parse("sub-1").unwrap()
    }

    fn account(role: ActorRole, name: &str) -> Actor {
        Actor { role, id: Some(PersonId::from_account(name)) }
    }

    /// Returns the transition of an entry with this code and author.
    fn recorded(what: &str, who: Actor) -> Transition {
        let (what, by) = (what.to_owned(), Label::from_stored("admin@fabrikam".into(), Some(false)));
        let (who, at, issue) = (Some(who), at(HAPPENED), Issue::FIRST);
        let entry = HistoryEntry { seq: Some(2), at, what, by, who, issue, detail: None, reason: None };
        Transition::from_entry(&subscription(), entry).unwrap()
    }

    /// Returns the transition of an act of an operator whose label is an address of the customer's.
    fn by_operator(what: &str, detail: &str) -> Transition {
        let mut transition = recorded(what, account(ActorRole::Operator, "olivia"));
        transition.entry.by = Label::from_stored("kim@fabrikam.example".into(), Some(true));
        transition.entry.detail = Some(detail.to_owned());
        transition
    }

    /// The acts of the support desk that are announced to everyone.
    const ANNOUNCED: [(&str, &str); 5] = [
        ("reissued", "without-approval"),
        ("portal-user-added", ""),
        ("portal-user-removed", ""),
        ("approval-requested", "reissue"),
        ("approval-decided", "approved"),
    ];

    /// Adds portal users who were removed, by when they were added and removed.
    fn remove(people: &mut Recipients, removed: &[(&str, i64, i64)]) {
        people.portal_users.extend(removed.iter().map(|(name, added_at, removed_at)| AddressedPortalUser {
            address: address(name),
            added_at: at(*added_at),
            removed_at: Some(at(*removed_at)),
        }));
    }

    fn by_service_administrator(what: &str) -> Transition {
        recorded(what, account(ActorRole::ServiceAdministrator, "service"))
    }

    /// Returns the transition of a retrieval by a person with this subject and perhaps a confirmed address.
    fn retrieved(subject: &str, email: Option<&str>) -> Transition {
        let email = email.and_then(EmailAddress::parse);
        let caller = Caller::new("https://issuer.example".into(), subject.into(), email, Vec::new());
        let click = RetrievalId::from_click(&caller, "click");
        Transition::from_retrieval(&subscription(), Issue::FIRST, &click, &Retrieval::new(&caller, at(HAPPENED)))
    }

    /// Returns the people of a subscription: portal users by when they were added, and administrators by when they were created and whether
    /// they have signed in. The address of the issue is that of `it`.
    fn people(portal_users: &[(&str, i64)], administrators: &[(&str, i64, bool)]) -> Recipients {
        let portal_user = |(name, since): &(&str, i64)| AddressedPortalUser {
            address: address(name),
            added_at: at(*since),
            removed_at: None,
        };
        let administrator = |(name, since, has_signed_in): &(&str, i64, bool)| AddressedAdministrator {
            person: PersonId::from_account(name),
            user_name: UserName::parse(&format!("{name}@fabrikam")).unwrap(),
            address: Some(address(name)),
            created_at: at(*since),
            has_signed_in: *has_signed_in,
            is_active: true,
        };
        let mail = WelcomeMail {
            issue: Issue::FIRST,
            to: address("it"),
            locale: None,
            content: MailContent::Credentials,
            status: MailStatus::Delivered,
            at: at(1),
            round: 0,
            resent_at: None,
            detail: None,
        };
        Recipients {
            mail,
            portal_users: portal_users.iter().map(portal_user).collect(),
            administrators: administrators.iter().map(administrator).collect(),
            ruled_out: BTreeSet::new(),
            notified: BTreeMap::new(),
        }
    }

    /// Returns the names of those who get a notice, where the credential lists `listed`.
    fn names_if_listed(people: &Recipients, transition: &Transition, listed: &[&str]) -> Vec<String> {
        let mut credential = credential(&[]);
        credential.portal_users = listed.iter().map(|name| Principal::email(&address(name))).collect();
        let Some(audience) = Audience::new(transition, NoticeLevel::All, at(HAPPENED)) else { return Vec::new() };
        let all = people.addresses(audience, transition, &credential, at(HAPPENED));
        all.iter().map(|address| address.to_string().split('@').next().unwrap().to_owned()).collect()
    }

    /// Returns the names of those who get a notice, where the credential lists every portal user.
    fn names(people: &Recipients, transition: &Transition) -> Vec<String> {
        let listed: Vec<String> = people
            .portal_users
            .iter()
            .map(|user| user.address.to_string().split('@').next().unwrap().to_owned())
            .collect();
        names_if_listed(people, transition, &listed.iter().map(|name| &**name).collect::<Vec<_>>())
    }

    #[test]
    fn a_retrieval_has_notices_to_the_issue_and_to_portal_users_the_longest_known_first() {
        let people = people(&[("dana", 30), ("kim", 10), ("mo", 20)], &[("lee", 5, true)]);
        assert_eq!(names(&people, &retrieved("x", None)), ["it", "kim", "mo", "dana"]);
        assert_eq!(names(&people, &recorded("portal-users-added", Actor::VENDOR)), ["it", "kim", "mo", "dana"]);
    }

    #[test]
    fn a_transition_has_ten_notices_at_most() {
        let all: Vec<String> = (0..12).map(|n| format!("user-{n}")).collect();
        let users: Vec<(&str, i64)> = all
            .iter()
            .zip([90, 80, 70, 60, 50, 40, 30, 20, 10, 5, 4, 3])
            .map(|(name, since)| (&**name, since))
            .collect();
        let expected =
            ["it", "user-11", "user-10", "user-9", "user-8", "user-7", "user-6", "user-5", "user-4", "user-3"];
        assert_eq!(names(&people(&users, &[]), &retrieved("x", None)), expected);
        let with_its_actor = retrieved("x", Some("user-11@fabrikam.example"));
        assert_eq!(names(&people(&users, &[]), &with_its_actor).last().unwrap(), "user-2", "the actor takes no place");
    }

    #[test]
    fn the_actor_gets_no_notice_and_a_subject_that_looks_like_an_address_is_not_the_actor() {
        let people = people(&[("kim", 10), ("dana", 20)], &[]);
        assert_eq!(names(&people, &retrieved("kim", Some("KIM@fabrikam.example"))), ["it", "dana"]);
        assert_eq!(names(&people, &retrieved("it", Some("it@fabrikam.example"))), ["kim", "dana"]);
        assert_eq!(names(&people, &retrieved("kim@fabrikam.example", None)), ["it", "kim", "dana"]);
    }

    #[test]
    fn an_address_that_takes_no_mail_gets_no_notice() {
        let mut people = people(&[("kim", 10), ("dana", 20), ("it", 30)], &[("lee", 5, false)]);
        people.ruled_out = [Principal::email(&address("kim")), Principal::email(&address("lee"))].into();
        assert_eq!(names(&people, &retrieved("x", None)), ["it", "dana"]);
        assert_eq!(names(&people, &by_service_administrator("signed-in")), ["it"]);
        for status in MailStatus::ALL {
            people.mail.status = status;
            let expected: &[&str] = if status.rules_address_out() { &["dana"] } else { &["it", "dana"] };
            assert_eq!(names(&people, &retrieved("x", None)), expected, "{status:?}");
        }
    }

    #[test]
    fn a_portal_user_whom_the_credential_no_longer_lists_gets_no_notice() {
        let people = people(&[("kim", 10), ("dana", 20)], &[]);
        assert_eq!(names_if_listed(&people, &retrieved("x", None), &["dana"]), ["it", "dana"]);
        assert_eq!(names_if_listed(&people, &retrieved("x", None), &[]), ["it"]);
    }

    #[test]
    fn one_address_gets_one_notice() {
        let mut people = people(&[("it", 10), ("kim", 20)], &[("kim", 30, false), ("lee", 5, false)]);
        people.administrators[0].address = EmailAddress::parse("Kim@FABRIKAM.example");
        let created = by_service_administrator("administrator-created");
        assert_eq!(names(&people, &created), ["it", "lee", "kim"]);
    }

    #[test]
    fn administrators_learn_of_accounts_and_the_issue_until_one_of_them_has_signed_in() {
        let mut people = people(&[("dana", 1)], &[("lee", 20, false), ("mo", 10, false)]);
        let (signed_in, chosen) = (by_service_administrator("signed-in"), by_service_administrator("password-changed"));
        for transition in [&signed_in, &chosen] {
            assert_eq!(names(&people, transition), ["it", "mo", "lee"]);
        }
        people.administrators[1].has_signed_in = true;
        assert_eq!(names(&people, &signed_in), ["mo", "lee"]);
        people.administrators[0].address = None;
        assert_eq!(names(&people, &signed_in), ["mo"]);
        let own = recorded("password-changed", account(ActorRole::Administrator, "mo"));
        assert_eq!(names(&people, &own), ["it"], "the actor gets none, and no other administrator has signed in");
        people.ruled_out = [Principal::email(&address("mo"))].into();
        assert_eq!(names(&people, &signed_in), ["it"], "the only one who has signed in takes no mail");
        people.ruled_out.clear();
        let of_another_role = recorded("password-changed", account(ActorRole::Operator, "mo"));
        assert_eq!(names(&people, &of_another_role), ["mo"]);
    }

    #[test]
    fn the_first_administrators_of_an_issue_have_notices_to_everyone_and_later_ones_to_administrators() {
        let people = people(&[("dana", 15)], &[("lee", 20, true), ("mo", 10, true)]);
        let first = by_service_administrator("administrator-created");
        assert_eq!(names(&people, &first), ["it", "dana", "mo", "lee"]);
        let later = recorded("administrator-created", account(ActorRole::Administrator, "mo"));
        assert_eq!(names(&people, &later), ["lee"]);
    }

    #[test]
    fn the_account_that_was_created_keeps_its_place_and_the_issue_too() {
        let names_of: Vec<String> = (0..12).map(|n| format!("user-{n}")).collect();
        let mut all: Vec<(&str, i64, bool)> = names_of.iter().map(|name| (&**name, 1, false)).collect();
        all.push(("lee", 99, false));
        let mut created = by_service_administrator("administrator-created");
        created.entry.detail = Some("lee@fabrikam".into());
        let people = people(&[], &all);
        assert_eq!(names(&people, &created)[..2], ["it", "lee"]);
        assert_eq!(names(&people, &created).len(), MOST_RECIPIENTS);
    }

    /// Returns the transition of an act of the administrator `by` on another account.
    fn by_administrator(what: &str, by: &str, account_name: &str) -> Transition {
        let mut transition = recorded(what, account(ActorRole::Administrator, by));
        transition.entry.detail = Some(account_name.to_owned());
        transition
    }

    #[test]
    fn a_reset_has_notices_to_the_account_and_to_the_other_administrators() {
        let people = people(&[("dana", 1)], &[("lee", 10, true), ("mo", 20, true), ("noor", 30, false)]);
        let reset = by_administrator("administrator-reset", "lee", "noor@fabrikam");
        assert_eq!(names(&people, &reset), ["noor", "mo"]);
        let own = by_administrator("administrator-reset", "mo", "lee@fabrikam");
        assert_eq!(names(&people, &own), ["lee", "noor"]);
    }

    #[test]
    fn a_removed_administrator_has_the_notice_of_the_removal_and_no_other() {
        let mut people = people(&[("dana", 1)], &[("lee", 10, true), ("mo", 20, true), ("noor", 30, false)]);
        people.administrators[1].is_active = false;
        let removed = by_administrator("administrator-removed", "lee", "mo@fabrikam");
        assert_eq!(names(&people, &removed), ["it", "mo", "noor"], "of the others, none has signed in");
        people.administrators[2].has_signed_in = true;
        assert_eq!(names(&people, &removed), ["mo", "noor"]);
        let other = by_administrator("administrator-removed", "lee", "noor@fabrikam");
        assert_eq!(names(&people, &other), ["noor"]);
        assert_eq!(names(&people, &by_operator("reissued", "")), ["it", "dana", "lee", "noor"]);
    }

    #[test]
    fn a_service_administrator_who_was_removed_has_the_address_of_the_issue() {
        let people = people(&[("dana", 1)], &[("lee", 10, true), ("mo", 20, true)]);
        let service = credential(&[]).user_name;
        assert_eq!(names(&people, &by_administrator("administrator-removed", "lee", service.as_str())), ["it", "mo"]);
        assert_eq!(names(&people, &by_administrator("administrator-reset", "lee", service.as_str())), ["mo"]);
    }

    #[test]
    fn an_address_gets_twenty_notices_of_one_kind_in_a_day() {
        const DAY: i64 = 24 * 60 * 60;
        let mut people = people(&[("kim", 10)], &[]);
        for n in 0..20 {
            let mut notice = Notice::new(&retrieved("x", None), &address("kim"), None, at(HAPPENED - DAY + 1 + n));
            notice.entry.what = if n == 0 { "portal-users-added".into() } else { notice.entry.what };
            people.add(&notice);
        }
        assert_eq!(names(&people, &retrieved("x", None)), ["it", "kim"], "19 of this kind");
        people.add(&Notice::new(&retrieved("x", None), &address("kim"), None, at(HAPPENED)));
        assert_eq!(names(&people, &retrieved("x", None)), ["it"]);
        assert_eq!(names(&people, &recorded("portal-users-added", Actor::VENDOR)), ["it", "kim"], "another kind");
        people.notified.values_mut().for_each(|times| times[0] = at(HAPPENED - DAY));
        assert_eq!(names(&people, &retrieved("x", None)), ["it", "kim"], "one of them was a day ago");
    }

    #[test]
    fn administrators_are_asked_for_only_where_they_get_notices() {
        for what in
            ["signed-in", "password-changed", "administrator-created", "administrator-reset", "administrator-removed"]
        {
            let audience = Audience::new(&by_service_administrator(what), NoticeLevel::All, at(HAPPENED)).unwrap();
            assert!(audience.administrators, "{what}");
        }
        for transition in [retrieved("x", None), recorded("portal-users-added", Actor::VENDOR)] {
            let audience = Audience::new(&transition, NoticeLevel::All, at(HAPPENED)).unwrap();
            assert!(!audience.administrators, "{}", transition.entry.what);
        }
    }

    #[test]
    fn a_level_decides_which_transitions_have_notices() {
        let wants = |transition: &Transition| {
            let wants = |level| Audience::new(transition, level, at(HAPPENED)).is_some();
            [NoticeLevel::All, NoticeLevel::Security, NoticeLevel::None].map(wants)
        };
        assert_eq!(wants(&retrieved("x", None)), [true, true, false]);
        assert_eq!(wants(&recorded("portal-users-added", Actor::VENDOR)), [true, true, false]);
        assert_eq!(wants(&by_service_administrator("administrator-created")), [true, true, false]);
        let later = recorded("administrator-created", account(ActorRole::Administrator, "mo"));
        assert_eq!(wants(&later), [true, true, false]);
        for what in ["administrator-reset", "administrator-removed"] {
            assert_eq!(wants(&by_administrator(what, "mo", "lee@fabrikam")), [true, true, false], "{what}");
        }
        assert_eq!(wants(&recorded("subscription-ended", Actor::VENDOR)), [false; 3]);
        for what in ["signed-in", "password-changed"] {
            assert_eq!(wants(&by_service_administrator(what)), [true, false, false], "{what}");
        }
        let people = people(&[("dana", 1)], &[("lee", 1, false)]);
        for what in ["issued", "renewed", "paid", "administrator-signed-in", "service-administrator-retired"] {
            let transition = by_service_administrator(what);
            assert_eq!((wants(&transition), names(&people, &transition)), ([false; 3], Vec::new()), "{what}");
        }
    }

    #[test]
    fn acts_of_the_desk_are_announced_to_everyone_at_every_level() {
        let mut people = people(&[("dana", 10)], &[("lee", 20, true), ("mo", 30, false)]);
        remove(&mut people, &[("noor", 5, HAPPENED - 60)]);
        for (what, detail) in ANNOUNCED {
            let transition = by_operator(what, detail);
            for level in NoticeLevel::ALL {
                assert!(Audience::new(&transition, level, at(HAPPENED)).is_some(), "{what} {level:?}");
            }
            assert_eq!(names_if_listed(&people, &transition, &["dana"]), ["it", "noor", "dana", "lee", "mo"], "{what}");
        }
        assert_eq!(names_if_listed(&people, &retrieved("x", None), &["dana"]), ["it", "dana"], "not of the desk");
    }

    #[test]
    fn an_unlocked_account_is_announced_to_administrators_and_the_issue_until_one_has_signed_in() {
        let mut people = people(&[("dana", 10)], &[("lee", 20, false), ("mo", 30, false)]);
        remove(&mut people, &[("noor", 5, HAPPENED - 60)]);
        let unlocked = by_operator("account-unlocked", "mo@fabrikam");
        assert_eq!(names_if_listed(&people, &unlocked, &["dana"]), ["it", "mo", "lee"]);
        people.administrators[0].has_signed_in = true;
        assert_eq!(names_if_listed(&people, &unlocked, &["dana"]), ["mo", "lee"]);
        for level in NoticeLevel::ALL {
            assert!(Audience::new(&unlocked, level, at(HAPPENED)).is_some(), "{level:?}");
        }
    }

    #[test]
    fn an_operator_is_no_customer_whatever_address_they_have() {
        let people = people(&[("kim", 10)], &[]);
        assert_eq!(names(&people, &by_operator("reissued", "")), ["it", "kim"]);
    }

    #[test]
    fn a_portal_user_who_was_removed_hears_of_the_desk_for_thirty_days() {
        const MONTH: i64 = 30 * 24 * 60 * 60;
        let mut people = people(&[], &[]);
        remove(&mut people, &[("dana", 1, HAPPENED - MONTH + 1), ("kim", 1, HAPPENED - MONTH)]);
        assert_eq!(names_if_listed(&people, &by_operator("reissued", ""), &[]), ["it", "dana"]);
    }

    #[test]
    fn who_loses_access_by_an_act_comes_first_and_every_group_has_its_turn() {
        let users: Vec<String> = (0..12).map(|n| format!("user-{n}")).collect();
        let users: Vec<(&str, i64)> = users.iter().map(|name| (&**name, 1)).collect();
        let mut people = people(&users, &[("lee", 90, true), ("mo", 80, true)]);
        remove(&mut people, &[("noor", 1, HAPPENED - 60), ("old", 70, HAPPENED)]);
        let expected = ["it", "old", "noor", "user-0", "mo", "user-1", "lee", "user-2", "user-3", "user-4"];
        let listed: Vec<&str> = users.iter().map(|(name, _)| *name).collect();
        assert_eq!(names_if_listed(&people, &by_operator("reissued", ""), &listed), expected);
    }

    #[test]
    fn no_number_of_acts_of_the_desk_leaves_one_unannounced() {
        let mut people = people(&[("kim", 10)], &[]);
        for (what, detail) in ANNOUNCED.into_iter().chain([("account-unlocked", "")]) {
            let transition = by_operator(what, detail);
            let before = names(&people, &transition);
            for name in ["it", "kim"].repeat(MOST_A_DAY) {
                people.add(&Notice::new(&transition, &address(name), None, at(HAPPENED)));
            }
            assert_eq!((names(&people, &transition), before[0].as_str()), (before.clone(), "it"), "{what}");
        }
    }

    #[test]
    fn what_is_published_again_after_seven_days_has_no_notices() {
        const WEEK: i64 = 7 * 24 * 60 * 60;
        let wants = |now| Audience::new(&retrieved("x", None), NoticeLevel::Security, at(now)).is_some();
        assert!(wants(HAPPENED - 60), "clocks differ");
        assert_eq!([HAPPENED + WEEK - 1, HAPPENED + WEEK].map(wants), [true, false]);
    }

    #[test]
    fn an_id_is_made_for_one_transition_and_one_address_and_parses_to_itself() {
        let (one, other) = (retrieved("x", None), by_service_administrator("signed-in"));
        let ids = [&one, &other].map(|transition| {
            ["it", "kim"].map(|name| NoticeId::new(&transition.id, &address(name)).as_str().to_owned())
        });
        let all = ids.concat();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 4);
        for id in &all {
            assert_eq!(NoticeId::parse(id).map(|parsed| parsed.to_string()).as_deref(), Some(&**id));
            assert!(id.starts_with(one.id.as_str()) || id.starts_with(other.id.as_str()));
        }
        let again = NoticeId::new(&one.id, &EmailAddress::parse("IT@Fabrikam.example").unwrap());
        assert_eq!(again.as_str(), all[0], "another spelling of the address");
    }

    #[test]
    fn only_a_text_of_this_form_is_an_id() {
        let good = format!("{}-{}", "a-_9".repeat(6).split_at(22).0, "Zz-_".repeat(6).split_at(22).0);
        assert!(NoticeId::parse(&good).is_some());
        let replaced = |place: usize, by: &str| format!("{}{by}{}", &good[..place], &good[place + 1..]);
        let mut bad =
            vec![String::new(), good[1..].to_owned(), format!("{good}a"), replaced(22, "_"), replaced(22, "a")];
        bad.extend(
            [0, 21, 23, 44].into_iter().flat_map(|place| ["#", "=", " ", "+", "/"].map(|by| replaced(place, by))),
        );
        bad.push(format!("\u{e4}{}", &good[2..]));
        for text in bad {
            assert_eq!(NoticeId::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn a_notice_has_what_its_transition_has() {
        let transition = by_service_administrator("signed-in");
        let notice = Notice::new(&transition, &address("it"), Some("de".into()), at(HAPPENED + 5));
        assert_eq!(transition.event_type, EventType::ServiceAdministratorSignedIn);
        assert_eq!(
            (notice.issue, notice.entry.clone(), notice.status),
            (Issue::FIRST, transition.entry, MailStatus::Pending)
        );
        assert_eq!((notice.id, notice.at), (NoticeId::new(&transition.id, &address("it")), at(HAPPENED + 5)));
    }

    #[test]
    fn a_notice_holds_neither_the_name_nor_the_reason_of_an_operator() {
        let mut transition = by_operator("reissued", "");
        transition.entry.reason = Some("The customer called.".into());
        let entry = Notice::new(&transition, &address("it"), None, at(HAPPENED)).entry;
        assert_eq!((entry.by.as_stored(), entry.who), ("operator", transition.entry.who));
        assert_eq!(entry.reason, None);
    }
}
