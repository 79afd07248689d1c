//! The items and the writes on them. Each [`Write`] is atomic: it is carried out as a whole, under its conditions, or not at all.

use super::Variant;

/// Ticks of one clock, about twelve hours each.
pub(crate) type Time = u8;

/// The time in which an approval can be decided, 24 hours, in ticks.
pub(crate) const APPROVAL_LIFETIME: Time = 2;
/// The time before which an approval on a handed-over subscription cannot be given, in ticks.
pub(crate) const APPROVAL_WAIT: Time = 1;
/// The number of retrievals of an issue.
const RETRIEVALS: u8 = 1;

/// A person, known by an e-mail address. The first event brought `Old`, the address on file, and `Ana`; the paid event names `Kim` too.
/// `New` and `Eve` are unknown to the customer's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Address {
    Old,
    Ana,
    Kim,
    New,
    Eve,
}

/// A set of addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Addresses(u8);

impl Addresses {
    /// The address on file and the portal users that the first event gives.
    pub(crate) const OF_FIRST_EVENT: Self = Self(1 << Address::Old as u8 | 1 << Address::Ana as u8);
    /// The portal users that the paid event gives.
    pub(crate) const OF_PAID_EVENT: Self = Self(Self::OF_FIRST_EVENT.0 | 1 << Address::Kim as u8);

    pub(crate) fn contains(self, address: Address) -> bool {
        self.0 & 1 << address as u8 != 0
    }

    pub(crate) fn with(self, address: Address) -> Self {
        Self(self.0 | 1 << address as u8)
    }

    pub(crate) fn without(self, address: Address) -> Self {
        Self(self.0 & !(1 << address as u8))
    }

    pub(crate) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) fn is_within(self, other: Self) -> bool {
        self.minus(other).is_empty()
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn len(self) -> u8 {
        let addresses = [Address::Old, Address::Ana, Address::Kim, Address::New, Address::Eve];
        addresses.into_iter().map(|address| u8::from(self.contains(address))).sum()
    }
}

/// An operator as the identity provider names them. Olga also speaks through a ticket system, whose bearer token has another subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Operator {
    Olga,
    Otto,
    OlgasTicketSystem,
}

impl Operator {
    pub(crate) fn is_bearer(self) -> bool {
        self == Self::OlgasTicketSystem
    }

    /// Returns whether two names are of the same person. Only the witness knows it.
    pub(crate) fn is_same_person(self, other: Self) -> bool {
        (self == Self::Otto) == (other == Self::Otto)
    }
}

/// A click of an operator: the same operator and Idempotency-Key are the same click.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Click {
    pub(crate) by: Operator,
    pub(crate) key: char,
}

/// An operator's act on a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Act {
    Reissue { to: Option<Address>, keeps_old: bool },
    Add(Address),
    Remove(Address),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute of the item, present or absent")]
pub(crate) struct Credential {
    pub(crate) issue: u8,
    pub(crate) seq: u8,
    /// The issue whose password is sealed here.
    pub(crate) sealed: Option<u8>,
    /// The portal users who have retrieved the password of this issue, each with one click.
    pub(crate) retrieved: Addresses,
    pub(crate) portal_users: Addresses,
    pub(crate) signed_in: bool,
    pub(crate) changed: bool,
    pub(crate) handed_over: bool,
    pub(crate) ended: bool,
}

/// The welcome mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mail {
    /// The address on file.
    pub(crate) to: Address,
    pub(crate) issue: u8,
    /// Whether the mail has a link to the portal instead of the password.
    pub(crate) link: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    Active,
    Retired,
}

/// The service administrator's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    pub(crate) status: Status,
    pub(crate) version: u8,
    /// Whether the password is the temporary one of the current issue.
    pub(crate) temporary: bool,
    /// The witness's count of the writes of password and status; the protocol's own count is `version`.
    pub(crate) changes: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Session {
    /// The person and the number of the task that the token was handed out to.
    pub(crate) token: (usize, usize),
    pub(crate) version: u8,
    pub(crate) temporary: bool,
    /// The account's `changes` when its password was verified; only the witness reads it.
    pub(crate) since: u8,
}

/// The state that the asker of an approval saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SeenState {
    pub(crate) issue: u8,
    pub(crate) on_file: Address,
    pub(crate) signed_in: bool,
    pub(crate) changed: bool,
    pub(crate) handed_over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Approval {
    /// The click of the request stands for the id.
    pub(crate) id: Click,
    pub(crate) act: Act,
    pub(crate) seen: SeenState,
    pub(crate) asked_by: Operator,
    pub(crate) not_before: Time,
    pub(crate) expires_at: Time,
    pub(crate) is_decided: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    pub(crate) credential: Credential,
    pub(crate) mail: Mail,
    pub(crate) service: Account,
    /// The one administrator, if created, and whether they have signed in.
    pub(crate) administrator: Option<bool>,
    /// The sessions of the service administrator, sorted.
    pub(crate) sessions: Vec<Session>,
    /// The portal users with an item of their own; those of an earlier release have none.
    pub(crate) known: Addresses,
    /// The portal users whose item has `removed_at`.
    pub(crate) removed: Addresses,
    pub(crate) approval: Option<Approval>,
    /// The copies in the list of pending approvals: id and expiry.
    pub(crate) copies: Vec<(Click, Time)>,
    /// The clicks whose answer is stored, sorted.
    pub(crate) clicks: Vec<Click>,
    /// Whether the paid event has started an issue.
    pub(crate) paid: bool,
    /// The number of history entries.
    pub(crate) history: u8,
}

/// The attributes that a transaction compares, as they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Reading {
    pub(crate) seq: u8,
    pub(crate) issue: u8,
    pub(crate) retrieved: Addresses,
    pub(crate) version: u8,
    pub(crate) mail_issue: u8,
}

/// A serialised write. The SDK's retries and late copies are this same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Write {
    Retrieve {
        address: Address,
        issue: u8,
    },
    /// Puts the session alone.
    Session(Session),
    EndRetrieval {
        session: Session,
        seq: u8,
        retrieved: Addresses,
    },
    Reset {
        session: Session,
        next: Session,
        seq: u8,
    },
    CreateAdministrator {
        session: Session,
        seq: u8,
    },
    AdministratorSignsIn {
        seq: u8,
        retires: bool,
    },
    Paid {
        reading: Reading,
        adds: Addresses,
        starts: bool,
    },
    End {
        seq: u8,
    },
    Desk(DeskWrite),
}

/// The transaction of a desk's function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DeskWrite {
    pub(crate) click: Click,
    pub(crate) asked_at: Time,
    /// The issue that the request names, `if_issue`.
    pub(crate) if_issue: Option<u8>,
    pub(crate) reading: Reading,
    /// The set of portal users as it is written: whole.
    pub(crate) portal_users: Addresses,
    pub(crate) effect: Effect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Effect {
    Ask(Approval),
    Do(Change),
    /// Decides the approval; without a change it is rejected or overtaken.
    Settle {
        approval: Approval,
        change: Option<Change>,
    },
}

/// An act with what it means for the items as they were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Change {
    Reissue {
        /// The address, if it is another one than that on file.
        to: Option<Address>,
        /// The address on file, as it was read.
        on_file: Address,
        keeps_old: bool,
        link: bool,
    },
    Add(Address),
    Remove(Address),
}

/// The meaning of the answer to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// Another write came between, or the retrieval was refused.
    Refused,
}

impl Credential {
    pub(crate) fn is_retrievable(&self) -> bool {
        self.sealed.is_some() && !self.signed_in && !self.changed && !self.ended
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.retrieved.len() >= RETRIEVALS
    }
}

impl Account {
    pub(crate) fn is_unchanged(self, version: u8) -> bool {
        self.status == Status::Active && self.version == version
    }

    pub(crate) fn record_change(&mut self) {
        self.version += 1;
        self.changes += 1;
    }
}

impl Session {
    pub(crate) fn is_good(&self, table: &Table) -> bool {
        table.service.is_unchanged(self.version) && !table.credential.ended
    }
}

impl SeenState {
    pub(crate) fn new(credential: &Credential, mail: Mail) -> Self {
        let Credential { issue, signed_in, changed, handed_over, .. } = *credential;
        Self { issue, on_file: mail.to, signed_in, changed, handed_over }
    }
}

impl Approval {
    pub(crate) fn is_pending(&self, now: Time) -> bool {
        !self.is_decided && now < self.expires_at
    }

    /// Returns whether something that the asker saw has changed.
    pub(crate) fn is_overtaken(&self, variant: Variant, seen: SeenState) -> bool {
        let state = |seen: SeenState| (seen.signed_in, seen.changed, seen.handed_over);
        (self.seen.issue != seen.issue && variant != Variant::SeenIssueNotCompared)
            || (self.seen.on_file != seen.on_file && variant != Variant::SeenAddressNotCompared)
            || (state(self.seen) != state(seen) && variant != Variant::SeenStateNotCompared)
    }
}

impl Change {
    pub(crate) fn new(act: Act, credential: &Credential, mail: Mail) -> Self {
        match act {
            Act::Reissue { to, keeps_old } => {
                let to = to.filter(|to| *to != mail.to);
                let link = to.is_some() || credential.handed_over;
                Self::Reissue { to, on_file: mail.to, keeps_old, link }
            }
            Act::Add(address) => Self::Add(address),
            Act::Remove(address) => Self::Remove(address),
        }
    }

    pub(crate) fn added(self) -> Option<Address> {
        match self {
            Self::Reissue { to, .. } => to,
            Self::Add(address) => Some(address),
            Self::Remove(_) => None,
        }
    }

    pub(crate) fn removed(self) -> Option<Address> {
        match self {
            Self::Reissue { to: Some(_), on_file, keeps_old: false, .. } => Some(on_file),
            Self::Remove(address) => Some(address),
            Self::Reissue { .. } | Self::Add(_) => None,
        }
    }

    /// Returns the set of portal users after the change.
    pub(crate) fn applied_to(self, set: Addresses) -> Addresses {
        let set = self.added().map_or(set, |address| set.with(address));
        self.removed().map_or(set, |address| set.without(address))
    }
}

impl Effect {
    pub(crate) fn change(self) -> Option<Change> {
        match self {
            Self::Ask(_) => None,
            Self::Do(change) => Some(change),
            Self::Settle { change, .. } => change,
        }
    }
}

impl Table {
    pub(crate) fn session(&self, token: (usize, usize)) -> Option<&Session> {
        self.sessions.iter().find(|session| session.token == token)
    }

    /// Puts the session if it is absent. If it is present, it is the same session.
    pub(crate) fn put_session(&mut self, session: Session) {
        if self.session(session.token).is_none() {
            self.sessions.push(session);
            self.sessions.sort_unstable();
        }
    }

    /// Evaluates the condition of all transactions: `#seq = :q`, and the numbers of their history entries are free.
    pub(crate) fn is_next_in_history(&self, seq: u8) -> bool {
        self.credential.seq == seq && self.history == seq
    }

    /// Returns the recipients of an entry that is announced now.
    pub(crate) fn recipients(&self) -> Addresses {
        self.credential.portal_users.union(self.removed).with(self.mail.to)
    }

    /// Returns whether the welcome mail, sent now, has a password in it. Only an address that is a portal user's gets one.
    pub(crate) fn mails_password(&self, variant: Variant) -> bool {
        let listed = self.credential.portal_users.contains(self.mail.to) || variant == Variant::PasswordMailedToRemoved;
        let current = self.mail.issue == self.credential.issue && self.credential.is_retrievable();
        current && listed && !self.mail.link
    }

    pub(crate) fn has_answer(&self, click: Click) -> bool {
        self.clicks.binary_search(&click).is_ok()
    }

    pub(crate) fn store_answer(&mut self, click: Click) {
        if let Err(place) = self.clicks.binary_search(&click) {
            self.clicks.insert(place, click);
        }
    }
}
