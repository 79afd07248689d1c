//! Notices: mails that tell the people of a customer what another one of them did.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    Actor, ActorRole, Credential, EmailAddress, HistoryEntry, Issue, MailStatus, PersonId, Principal, Timestamp,
    Transition, TransitionId, WelcomeMail, history::RETRIEVED, text_enum,
};

/// The most notices of one transition.
pub const MOST_RECIPIENTS: usize = 10;

/// The age from which a transition is not worth a notice: it is published again by hand, long after.
pub const LATEST: Duration = Duration::from_hours(7 * 24);

text_enum! {
    /// Which notices a deployment sends.
    pub enum NoticeLevel {
        /// All notices.
        All = "all",
        /// Those that help against theft: all but those on first sign-ins and chosen passwords.
        Security = "security",
        /// None.
        None = "none",
    }
}

/// The id of a notice: that of the transition, and eight characters for the recipient.
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
    /// What happened.
    pub entry: HistoryEntry,
    /// The status of the mail.
    pub status: MailStatus,
    /// When the status was recorded.
    pub at: Timestamp,
}

/// Which people of a customer a notice is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Audience {
    /// The address of the issue and the portal users.
    portal: bool,
    /// The administrators, and the address of the issue while none of them has signed in.
    administrators: bool,
    /// Whether it helps against theft.
    is_security: bool,
}

impl Audience {
    const PORTAL: Self = Self { portal: true, administrators: false, is_security: true };
    const ADMINISTRATORS: Self = Self { portal: false, administrators: true, is_security: true };
    const EVERYONE: Self = Self { portal: true, administrators: true, is_security: true };
    const PROGRESS: Self = Self { is_security: false, ..Self::ADMINISTRATORS };

    /// Returns whom a transition is told to. `None` for one that no mail tells.
    fn of(transition: &Transition) -> Option<Self> {
        match transition.entry.what.as_str() {
            RETRIEVED | "portal-users-added" => Some(Self::PORTAL),
            "signed-in" | "password-changed" => Some(Self::PROGRESS),
            // The service administrator creates the first administrators of an issue.
            "administrator-created" if transition.who.role == ActorRole::ServiceAdministrator => Some(Self::EVERYONE),
            "administrator-created" => Some(Self::ADMINISTRATORS),
            _ => None,
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
}

/// An active administrator.
#[derive(Clone, Debug)]
pub struct AddressedAdministrator {
    /// The person.
    pub person: PersonId,
    /// The address, if one was typed when the account was created. It is not verified.
    pub address: Option<EmailAddress>,
    /// When the account was created.
    pub created_at: Timestamp,
    /// Whether the administrator has signed in.
    pub has_signed_in: bool,
}

/// The people of a subscription who may get notices.
#[derive(Clone, Debug)]
pub struct Recipients {
    /// The welcome mail of the issue: its address, its language and what became of it.
    pub mail: WelcomeMail,
    /// The portal users with an address.
    pub portal_users: Vec<AddressedPortalUser>,
    /// The active administrators. They are read only for a transition that [`wants_administrators`].
    pub administrators: Vec<AddressedAdministrator>,
    /// The addresses that take no mail, as reports on the subscription's mails say.
    pub ruled_out: BTreeSet<Principal>,
}

/// Returns whether a transition is worth notices at `level`.
#[must_use]
pub fn wants_notices(transition: &Transition, level: NoticeLevel, now: Timestamp) -> bool {
    let is_recent = now < transition.entry.at.plus(LATEST);
    is_recent
        && Audience::of(transition).is_some_and(|audience| match level {
            NoticeLevel::All => true,
            NoticeLevel::Security => audience.is_security,
            NoticeLevel::None => false,
        })
}

/// Returns whether the notices of a transition go to administrators too.
#[must_use]
pub fn wants_administrators(transition: &Transition) -> bool {
    Audience::of(transition).is_some_and(|audience| audience.administrators)
}

impl Recipients {
    /// Returns the addresses that are told about a transition: the address of the issue, then those that are longest known, at most ten. The
    /// actor is not told, and no address that takes no mail.
    #[must_use]
    pub fn of(&self, transition: &Transition, credential: &Credential) -> Vec<EmailAddress> {
        let Some(audience) = Audience::of(transition) else { return Vec::new() };
        let mut seen: BTreeSet<Principal> = self.ruled_out.clone();
        seen.extend(actor_address(transition).as_ref().map(Principal::email));
        if self.mail.status.rules_address_out() {
            seen.insert(Principal::email(&self.mail.to));
        }
        let everyone =
            self.issue_address(audience).into_iter().chain(self.longest_known(audience, transition, credential));
        everyone.filter(|address| seen.insert(Principal::email(address))).take(MOST_RECIPIENTS).cloned().collect()
    }

    fn issue_address(&self, audience: Audience) -> Option<&EmailAddress> {
        let is_handed_over = self.administrators.iter().any(|administrator| administrator.has_signed_in);
        (audience.portal || !is_handed_over).then_some(&self.mail.to)
    }

    fn longest_known(
        &self,
        audience: Audience,
        transition: &Transition,
        credential: &Credential,
    ) -> impl Iterator<Item = &EmailAddress> {
        let mut known = Vec::new();
        if audience.portal {
            let listed = |user: &&AddressedPortalUser| credential.admits(&[Principal::email(&user.address)]);
            known.extend(self.portal_users.iter().filter(listed).map(|user| (user.added_at, &user.address)));
        }
        if audience.administrators {
            let others = self.administrators.iter().filter(|one| !is_actor(transition.who, one.person));
            known.extend(others.filter_map(|one| Some((one.created_at, one.address.as_ref()?))));
        }
        known.sort_by_key(|(since, _)| *since);
        known.into_iter().map(|(_, address)| address)
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
    /// The number of characters that stand for the recipient.
    const RECIPIENT: usize = 8;

    /// Returns the id of the notice about `transition` to `recipient`.
    #[must_use]
    pub fn new(transition: &TransitionId, recipient: &EmailAddress) -> Self {
        let recipient: String = Principal::email(recipient).to_string().chars().take(Self::RECIPIENT).collect();
        Self(format!("{transition}-{recipient}"))
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
            entry: transition.entry.clone(),
            status: MailStatus::Pending,
            at: now,
        }
    }
}
