//! The items and the writes on them. Each [`Write`] is atomic: it is carried out as a whole, under its conditions, or not at all.

use super::Variant;
use super::next_issue::NextIssue;

/// Ticks of one clock.
pub(crate) type Time = u8;

/// The index of an account. [`SERVICE`] is the service administrator's.
pub(crate) type AccountId = usize;
pub(crate) const SERVICE: AccountId = 0;

pub(crate) const PASSWORD_LIFETIME: Time = 1;
/// The lifetime of a reset session: longer than the password's, so that the session must be cut to end with the password.
const RESET_LIFETIME: Time = 2;

/// The number of a task of a person. It identifies the invocation, and the token that the invocation hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Click {
    pub(crate) person: usize,
    pub(crate) task: usize,
}

/// The attribute `created_by`: the account of the session, and the click's idempotency key, which a person keeps when repeating the
/// request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CreatedBy {
    pub(crate) creator: AccountId,
    pub(crate) person: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute of the item, present or absent")]
pub(crate) struct Credential {
    pub(crate) issue: u8,
    pub(crate) seq: u8,
    pub(crate) sealed: bool,
    pub(crate) retrievals: u8,
    pub(crate) signed_in: bool,
    pub(crate) changed: bool,
    pub(crate) expires_at: Time,
    /// Whether the service administrator has created an administrator, in whichever issue.
    pub(crate) handed_over: bool,
    /// The number of renewals in the life of the subscription.
    pub(crate) renewals: u8,
    /// The time of the renewal that started this issue.
    pub(crate) renewed_at: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    Active,
    Retired,
}

/// The issue and expiry of a temporary password.
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
    /// The witness's count of the writes of password and status; the protocol's own count is `version`.
    pub(crate) changes: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Session {
    pub(crate) token: Click,
    pub(crate) account: AccountId,
    pub(crate) version: u8,
    /// The issue of the temporary password that began the session; such a session may only reset that password.
    pub(crate) temporary: Option<u8>,
    pub(crate) expires_at: Time,
    /// The account's `changes` when its password was verified; only the witness reads it.
    pub(crate) since: u8,
}

/// A serialised write. The SDK's retries and late copies are this same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Write {
    /// Puts the session alone.
    Session(Session),
    EndRetrieval {
        session: Session,
        issue: u8,
        /// The version of the account as it was last read.
        version: u8,
        seq: u8,
        retrievals: u8,
    },
    HandOver {
        session: Session,
        seq: u8,
        /// Whether the write includes the session and the mark on its account; only the mutants that write twice split them off.
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
    NextIssue(NextIssue),
    Close {
        version: u8,
        seq: u8,
    },
}

/// The meaning of the answer to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The account has changed since the session began.
    Ended,
    NameTaken,
    /// Another write came between: read and decide again.
    LostRace,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Table {
    pub(crate) credential: Credential,
    pub(crate) accounts: Vec<Option<Account>>,
    /// The sessions, sorted.
    pub(crate) sessions: Vec<Session>,
    /// Whether the item exists that marks the paid event as handled.
    pub(crate) paid: bool,
    /// The number of history entries.
    pub(crate) history: u8,
}

impl Credential {
    pub(crate) fn issued(issue: u8, seq: u8, now: Time) -> Self {
        let expires_at = now + PASSWORD_LIFETIME;
        let (signed_in, changed, handed_over) = (false, false, false);
        let (retrievals, renewals, renewed_at) = (0, 0, None);
        Self { issue, seq, sealed: true, retrievals, signed_in, changed, expires_at, handed_over, renewals, renewed_at }
    }
}

impl Account {
    pub(crate) fn new(temporary: Option<Temporary>, created_by: Option<CreatedBy>) -> Self {
        Self { status: Status::Active, version: 1, temporary, created_by, first_signed_in: false, changes: 1 }
    }

    pub(crate) fn may_sign_in(&self, now: Time) -> bool {
        self.status == Status::Active && self.temporary.is_none_or(|temporary| now < temporary.expires_at)
    }

    /// Returns whether the first sign-in of an administrator retires this account. A reissue that waits to be used is not voided by it.
    pub(crate) fn may_retire(&self, variant: Variant) -> bool {
        let used = self.temporary.is_none() || variant == Variant::UnusedReissueRetired;
        self.status == Status::Active && used
    }

    pub(crate) fn is_unchanged(&self, version: u8) -> bool {
        self.status == Status::Active && self.version == version
    }

    pub(crate) fn record_change(&mut self) {
        self.version += 1;
        self.changes += 1;
    }
}

impl Session {
    pub(crate) fn begin(variant: Variant, token: Click, id: AccountId, account: &Account, now: Time) -> Self {
        let expires_at = account.temporary.map_or(Time::MAX, |temporary| {
            let own = now + RESET_LIFETIME;
            if variant.cuts_sessions() { own.min(temporary.expires_at) } else { own }
        });
        let temporary = account.temporary.map(|temporary| temporary.issue);
        Self { token, account: id, version: account.version, temporary, expires_at, since: account.changes }
    }

    pub(crate) fn after_reset(&self, token: Click) -> Self {
        let (version, since) = (self.version + 1, self.since + 1);
        Self { token, version, temporary: None, expires_at: Time::MAX, since, ..*self }
    }

    pub(crate) fn is_good(&self, variant: Variant, account: &Account, now: Time) -> bool {
        let same = variant == Variant::VersionNotCompared || self.version == account.version;
        now < self.expires_at && same && account.status == Status::Active
    }
}

impl Table {
    pub(crate) fn session(&self, token: Click) -> Option<&Session> {
        self.sessions.iter().find(|session| session.token == token)
    }

    pub(crate) fn has_first_sign_in(&self) -> bool {
        self.accounts.iter().flatten().any(|account| account.first_signed_in)
    }

    pub(crate) fn service(&self) -> Account {
        self.accounts[SERVICE].unwrap_or(Account::new(None, None))
    }

    /// Puts the session if it is absent. If it is present, it is the same session.
    pub(crate) fn put_session(&mut self, session: Session) {
        if self.session(session.token).is_none() {
            self.sessions.push(session);
            self.sessions.sort_unstable();
        }
    }

    /// Evaluates the condition of all transactions: `#seq = :q`, and the numbers of their history entries are free.
    pub(crate) fn is_next_in_history(&self, variant: Variant, seq: u8) -> bool {
        variant == Variant::SeqNotCompared || (self.credential.seq == seq && self.history == seq)
    }
}

impl Variant {
    fn cuts_sessions(self) -> bool {
        !matches!(self, Self::SessionOutlivesPassword | Self::ExpiryNotChecked)
    }

    pub(crate) fn checks_expiry(self) -> bool {
        !matches!(self, Self::ResetExpiryNotChecked | Self::ExpiryNotChecked)
    }

    pub(crate) fn compares_reset_version(self) -> bool {
        !matches!(self, Self::VersionNotCompared | Self::ResetVersionNotCompared | Self::SecondReset)
    }
}
