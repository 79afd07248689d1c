//! The items and the writes on them. Each [`Write`] is atomic: it is carried out as a whole, under its conditions, or not at all.

use super::Variant;

/// Ticks of one clock.
pub(crate) type Time = u8;

/// The date that the vendor gives an event; zero is before every event.
pub(crate) type Date = u8;

/// The time from the end to the purge.
pub(crate) const PURGE_AFTER: Time = 1;
/// The time for which a run of the purge has the subscription to itself.
pub(crate) const PURGE_LEASE: Time = 1;

/// The index of an account. [`SERVICE`] is the service administrator's.
pub(crate) type AccountId = usize;
pub(crate) const SERVICE: AccountId = 0;

/// The number of a task of a person. It identifies the invocation, and the token that it hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Click {
    pub(crate) person: usize,
    pub(crate) task: usize,
}

impl Click {
    /// Returns the click that a person has made before the exploration begins.
    pub(crate) fn before(person: usize) -> Self {
        Self { person, task: usize::MAX }
    }
}

/// A set of people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct People(u8);

impl People {
    pub(crate) fn with(self, person: usize) -> Self {
        Self(self.0 | 1 << person)
    }

    pub(crate) fn contains(self, person: usize) -> bool {
        self.0 & 1 << person != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns whether another person than `person` is in the set.
    pub(crate) fn has_others(self, person: usize) -> bool {
        self.0 & !(1 << person) != 0
    }
}

/// A password, known by the attempt that has generated or chosen it. The table stores its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Password {
    pub(crate) made_by: Click,
    /// The number of races that its invocation had lost.
    pub(crate) race: u8,
    /// Whether it must be changed.
    pub(crate) temporary: bool,
    /// The people who have seen it. The protocol does not know them.
    pub(crate) seen_by: People,
}

impl Password {
    /// Returns whether the stored hash is that of the other password.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.made_by, self.race) == (other.made_by, other.race)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Status {
    Active,
    Retired,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    /// The id of its own, which no other account of the name gets: the number of ends before, since a name is free again only after a purge.
    pub(crate) own_id: u8,
    pub(crate) status: Status,
    pub(crate) version: u8,
    pub(crate) password: Password,
    /// Whether the owner has signed in for good, `first_signed_in_at`.
    pub(crate) signed_in: bool,
    /// The person whose click has added the account.
    pub(crate) by: Option<usize>,
    /// The witness's count of the writes of password and status; the protocol's own count is `version`.
    pub(crate) changes: u8,
}

impl Account {
    pub(crate) fn may_sign_in(&self, variant: Variant) -> bool {
        self.status == Status::Active || (variant == Variant::StatusNotCompared && self.status == Status::Closed)
    }

    pub(crate) fn is_unchanged(&self, version: u8) -> bool {
        self.status == Status::Active && self.version == version
    }

    pub(crate) fn is_proven(&self) -> bool {
        self.status == Status::Active && self.signed_in && !self.password.temporary
    }

    pub(crate) fn record_change(&mut self) {
        self.version += 1;
        self.changes += 1;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute of the item, present or absent")]
pub(crate) struct Credential {
    pub(crate) issue: u8,
    pub(crate) seq: u8,
    pub(crate) sealed: bool,
    pub(crate) signed_in: bool,
    pub(crate) changed: bool,
    /// The date of the event that has ended the subscription.
    pub(crate) ended: Option<Date>,
    /// Whether all accounts are closed.
    pub(crate) closed: bool,
    /// The end of the lease of a purge.
    pub(crate) purging: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Session {
    pub(crate) token: Click,
    pub(crate) account: AccountId,
    /// The account's `own_id` when its password was verified.
    pub(crate) own_id: u8,
    pub(crate) version: u8,
    /// Whether it may do more than replace a temporary password.
    pub(crate) full: bool,
    /// The account's `changes` when its password was verified; only the witness reads it.
    pub(crate) since: u8,
    /// The number of ends before; only the witness reads it.
    pub(crate) era: u8,
}

impl Session {
    pub(crate) fn is_good(&self, variant: Variant, table: &Table) -> bool {
        let Some(credential) = table.credential else { return false };
        let Some(account) = table.accounts[self.account] else { return false };
        let open = credential.ended.is_none() || variant == Variant::EndNotInLookup;
        let same = account.own_id == self.own_id || variant == Variant::SessionByName;
        open && same && account.version == self.version && account.may_sign_in(variant)
    }
}

/// The latest start and the latest end, as the vendor dates them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Life {
    pub(crate) started: Date,
    pub(crate) ended: Date,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    pub(crate) credential: Option<Credential>,
    pub(crate) life: Life,
    pub(crate) accounts: Vec<Option<Account>>,
    /// The sessions, sorted.
    pub(crate) sessions: Vec<Session>,
    /// The purges that are due, by the date of the end, with their times.
    pub(crate) purges: Vec<(Date, Time)>,
}

impl Table {
    pub(crate) fn session(&self, token: Click) -> Option<&Session> {
        self.sessions.iter().find(|session| session.token == token)
    }

    /// Puts the session if it is absent. If it is present, it is the same session.
    pub(crate) fn put_session(&mut self, session: Session) {
        if self.session(session.token).is_none() {
            self.sessions.push(session);
            self.sessions.sort_unstable();
        }
    }

    /// Returns whether an administrator's first way in retires the service administrator. A reissue that waits to be used is not voided.
    pub(crate) fn may_retire(&self) -> bool {
        self.accounts[SERVICE].is_some_and(|service| service.status == Status::Active && !service.password.temporary)
    }
}

/// A serialised write. The SDK's retries and late copies are this same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Write {
    /// Puts the session alone.
    Session(Session),
    EndRetrieval {
        session: Session,
        seq: u8,
    },
    /// The first sign-in of an administrator.
    HandOver {
        session: Session,
        seq: u8,
        retires: bool,
    },
    Choose {
        session: Session,
        next: Session,
        password: Password,
        seq: u8,
        /// Whether an administrator who replaces the first password retires the service administrator.
        retires: bool,
    },
    Add {
        session: Session,
        id: AccountId,
        password: Password,
        by: usize,
        seq: u8,
    },
    Reset {
        session: Session,
        id: AccountId,
        version: u8,
        password: Password,
        seq: u8,
    },
    Remove {
        session: Session,
        id: AccountId,
        version: u8,
        seq: u8,
    },
    Reissue {
        seq: u8,
        issue: u8,
        password: Password,
    },
    /// Ends a subscription that has not ended.
    End {
        date: Date,
        life: Life,
        seq: u8,
        purge_at: Time,
    },
    /// Records an event that changes nothing else: the end of a subscription that is unknown or has ended already, or a start of one that has
    /// not ended.
    Record {
        from: Life,
        to: Life,
    },
    Close {
        ended: Date,
        id: AccountId,
    },
    MarkClosed {
        ended: Date,
    },
    /// Starts a subscription that is unknown.
    First {
        date: Date,
        life: Life,
        password: Password,
    },
    /// Starts a subscription that has ended.
    Restart {
        date: Date,
        life: Life,
        seq: u8,
        password: Password,
    },
    TakePurge {
        ended: Date,
        now: Time,
    },
    PurgeAccounts {
        ended: Date,
    },
    PurgeCredential {
        ended: Date,
    },
    ForgetPurge {
        ended: Date,
    },
}

/// The meaning of the answer to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// An earlier attempt of the same click has added the account, perhaps with another password.
    DoneBefore,
    /// The account of the session has changed, or the subscription has ended.
    SessionEnded,
    /// Another write came between: read and decide again.
    LostRace,
}
