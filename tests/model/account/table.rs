//! The items and what is written to them: each [`Write`] is carried out as one, under its conditions, or not at all.

use super::Variant;

/// Ticks of one clock.
pub(crate) type Time = u8;

/// Accounts are known by their place; this one is the service administrator's.
pub(crate) type AccountId = usize;
pub(crate) const SERVICE: AccountId = 0;

pub(crate) const PASSWORD_LIFETIME: Time = 1;
/// Longer than what is left of the password, whose end the session must then have.
const RESET_LIFETIME: Time = 2;

/// Who does what for the how-manieth time: an invocation, and the token that it hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Click {
    pub(crate) person: usize,
    pub(crate) task: usize,
}

/// `created_by`: the account of the session, and the key of the click, which a person keeps when the same is asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CreatedBy {
    pub(crate) creator: AccountId,
    pub(crate) person: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Credential {
    pub(crate) issue: u8,
    pub(crate) seq: u8,
    pub(crate) sealed: bool,
    pub(crate) retrievals: u8,
    pub(crate) signed_in: bool,
    pub(crate) changed: bool,
    pub(crate) expires_at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    Active,
    Retired,
}

/// Of a password that must be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Temporary {
    pub(crate) issue: u8,
    pub(crate) expires_at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    pub(crate) status: Status,
    pub(crate) version: u8,
    pub(crate) temporary: Option<Temporary>,
    pub(crate) created_by: Option<CreatedBy>,
    pub(crate) first_signed_in: bool,
    /// How often password or status were written, as the observer counts; the protocol's own count is `version`.
    pub(crate) changes: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Session {
    pub(crate) token: Click,
    pub(crate) account: AccountId,
    pub(crate) version: u8,
    /// The issue of the password that it was begun with; such a session may do nothing but reset it.
    pub(crate) temporary: Option<u8>,
    pub(crate) expires_at: Time,
    /// The observer's: `changes` of the account when its password was verified.
    pub(crate) since: u8,
}

/// As it was serialised: every attempt of the SDK, and a copy that is carried out late, is this same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Write {
    /// The plain put.
    Session(Session),
    EndRetrieval {
        session: Session,
        issue: u8,
        /// Of the account as it was last read.
        version: u8,
        seq: u8,
        retrievals: u8,
    },
    HandOver {
        session: Session,
        seq: u8,
        /// The session and the mark on the own account; always, but in the mutants that write twice.
        signs_in: bool,
        retires: bool,
    },
    Reset {
        session: Session,
        next: Session,
        asked_at: Time,
        seq: u8,
    },
    Create {
        session: Session,
        account: AccountId,
        by: CreatedBy,
        seq: u8,
    },
    Reissue {
        issue: u8,
        version: u8,
        seq: u8,
        retrievals: u8,
        asked_at: Time,
    },
}

/// What the process makes of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The account is not what it was when the session began.
    Ended,
    NameTaken,
    /// Something changed in between: look again.
    LostRace,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    pub(crate) credential: Credential,
    pub(crate) accounts: Vec<Option<Account>>,
    /// Sorted.
    pub(crate) sessions: Vec<Session>,
    /// How many history entries there are.
    pub(crate) history: u8,
}

impl Credential {
    pub(crate) fn issued(issue: u8, seq: u8, now: Time) -> Self {
        let expires_at = now + PASSWORD_LIFETIME;
        Self { issue, seq, sealed: true, retrievals: 0, signed_in: false, changed: false, expires_at }
    }
}

impl Account {
    pub(crate) fn new(temporary: Option<Temporary>, created_by: Option<CreatedBy>) -> Self {
        Self { status: Status::Active, version: 1, temporary, created_by, first_signed_in: false, changes: 1 }
    }

    pub(crate) fn may_sign_in(&self, now: Time) -> bool {
        self.status == Status::Active && self.temporary.is_none_or(|temporary| now < temporary.expires_at)
    }

    pub(crate) fn as_it_was(&self, version: u8) -> bool {
        self.status == Status::Active && self.version == version
    }

    pub(crate) fn changed(&mut self) {
        self.version += 1;
        self.changes += 1;
    }
}

impl Session {
    pub(crate) fn begin(variant: Variant, token: Click, of: AccountId, account: &Account, now: Time) -> Self {
        let expires_at = account.temporary.map_or(Time::MAX, |temporary| {
            let own = now + RESET_LIFETIME;
            if variant.cuts_sessions() { own.min(temporary.expires_at) } else { own }
        });
        let temporary = account.temporary.map(|temporary| temporary.issue);
        Self { token, account: of, version: account.version, temporary, expires_at, since: account.changes }
    }

    pub(crate) fn after_reset(&self, token: Click) -> Self {
        let (version, since) = (self.version + 1, self.since + 1);
        Self { token, version, temporary: None, expires_at: Time::MAX, since, ..*self }
    }

    pub(crate) fn is_good(&self, variant: Variant, account: &Account, now: Time) -> bool {
        let same = variant == Variant::VersionNotKept || self.version == account.version;
        now < self.expires_at && same && account.status == Status::Active
    }
}

impl Table {
    pub(crate) fn session(&self, token: Click) -> Option<&Session> {
        self.sessions.iter().find(|session| session.token == token)
    }

    pub(crate) fn signed_in_for_the_first_time(&self) -> bool {
        self.accounts.iter().flatten().any(|account| account.first_signed_in)
    }

    pub(crate) fn service(&self) -> Account {
        self.accounts[SERVICE].unwrap_or(Account::new(None, None))
    }

    /// Where it is there, it is the same one.
    pub(crate) fn put_session(&mut self, session: Session) {
        if self.session(session.token).is_none() {
            self.sessions.push(session);
            self.sessions.sort_unstable();
        }
    }

    /// What all transactions ask: `#seq = :q`, and that nobody has the numbers of their entries.
    pub(crate) fn next_in_history(&self, variant: Variant, seq: u8) -> bool {
        variant == Variant::SeqNotAsked || (self.credential.seq == seq && self.history == seq)
    }
}

impl Variant {
    fn cuts_sessions(self) -> bool {
        !matches!(self, Self::SessionOutlivesPassword | Self::ExpiryNowhere)
    }

    pub(crate) fn asks_expiry(self) -> bool {
        !matches!(self, Self::ResetExpiryNotAsked | Self::ExpiryNowhere)
    }

    pub(crate) fn asks_reset_version(self) -> bool {
        !matches!(self, Self::VersionNotKept | Self::ResetVersionNotAsked | Self::SecondReset)
    }
}
