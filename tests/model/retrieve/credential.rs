//! The credential item and the conditional write that spends a retrieval.

use super::Variant;

/// Ticks of one clock. A tick represents minutes, so an invocation rarely spans more than one.
pub(crate) type Time = u8;

/// The replay window of ten minutes, in ticks.
pub(crate) const REPLAY_WINDOW: Time = 2;
/// The lifetime of a password: longer than the replay window, so that expiry can fall inside the window of a late click and outside
/// that of an early one.
pub(crate) const LIFETIME: Time = 3;
pub(crate) const ALLOWED: usize = 3;
pub(crate) const FIRST_ISSUE: u8 = 1;

/// A portal user. Ana and Ben match by the same organisation principal, Cleo by her address; the others retrieved before the model
/// begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Person {
    Ana,
    Ben,
    Cleo,
    Other(u8),
}

/// One press of **Go**: a person, and the Idempotency-Key that the client generates for it and keeps through its retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Click {
    pub(crate) person: Person,
    pub(crate) key: char,
}

/// The input of the digest: the person and the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum RetrievalId {
    Person(Click),
    Principal(char),
}

impl RetrievalId {
    pub(crate) fn new(variant: Variant, click: Click) -> Self {
        match click.person {
            Person::Ana | Person::Ben if variant == Variant::ReplayByPrincipal => Self::Principal(click.key),
            _ => Self::Person(click),
        }
    }
}

/// The serialised `UpdateItem`. Every attempt of the SDK, and every copy that is carried out late, is this same request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request {
    pub(crate) click: Click,
    /// The issue that the request is for.
    pub(crate) issue: u8,
    pub(crate) now: Time,
    /// The current issue when the request was made; only the witness knows it.
    pub(crate) made_in: u8,
    /// The result of the read, in the mutant that reads and then writes without a condition.
    pub(crate) decided: Option<bool>,
}

/// An entry of the item's `retrievals`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Retrieval {
    pub(crate) id: RetrievalId,
    pub(crate) at: Time,
    pub(crate) by: Click,
}

/// A password, identified by the issue that it was generated for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Password(pub(crate) u8);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Credential {
    pub(crate) issue: u8,
    pub(crate) issued_at: Time,
    pub(crate) expires_at: Time,
    pub(crate) sealed: Option<Password>,
    pub(crate) retrievals: Vec<Retrieval>,
    pub(crate) signed_in: bool,
    pub(crate) changed: bool,
    pub(crate) ended: bool,
}

impl Credential {
    /// Builds an issue that is dated `now`. The transaction leaves `ended_at` unchanged.
    pub(crate) fn begin(issue: u8, now: Time, ended: bool) -> Self {
        Self {
            issue,
            issued_at: now,
            expires_at: now + LIFETIME,
            sealed: Some(Password(issue)),
            retrievals: Vec::new(),
            signed_in: false,
            changed: false,
            ended,
        }
    }

    /// Evaluates the `ConditionExpression` for a portal user's request.
    pub(crate) fn admits(&self, variant: Variant, request: &Request) -> bool {
        self.is_retrievable(request.now)
            && self.find_retrieval(variant, request.click).is_none()
            && !self.is_exhausted()
            && match variant {
                Variant::IssueNotCompared => true,
                Variant::DateCompared => self.issued_at <= request.now,
                _ => self.issue == request.issue,
            }
    }

    /// Returns whether the password is sealed and not expired, and no sign-in, change or end of the subscription has happened.
    pub(crate) fn is_retrievable(&self, now: Time) -> bool {
        self.sealed.is_some() && self.expires_at > now && !self.signed_in && !self.changed && !self.ended
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.retrievals.len() >= ALLOWED
    }

    /// Returns the entry with the click's own retrieval id. A bare counter stores no ids.
    pub(crate) fn find_retrieval(&self, variant: Variant, click: Click) -> Option<&Retrieval> {
        let id = RetrievalId::new(variant, click);
        self.retrievals.iter().find(|entry| variant != Variant::BareCounter && entry.id == id)
    }
}

impl Retrieval {
    /// Returns whether the entry is within the replay window. An `at` in the future is, since clocks differ.
    pub(crate) fn is_young(&self, now: Time) -> bool {
        now.saturating_sub(self.at) < REPLAY_WINDOW
    }
}
