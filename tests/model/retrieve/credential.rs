//! The credential item and the one conditional write that spends a retrieval.

use super::Variant;

/// Ticks of one clock; a tick stands for minutes, so an invocation rarely sees more than one.
pub(crate) type Time = u8;

/// "Younger than ten minutes" is younger than this.
pub(crate) const REPLAY_WINDOW: Time = 2;
/// Longer than the window, so that expiry can fall inside the window of a late click and outside that of an early one.
pub(crate) const LIFETIME: Time = 3;
pub(crate) const ALLOWED: usize = 3;
pub(crate) const FIRST_ISSUE: u8 = 1;

/// Ana and Ben match by the same organisation principal, Cleo by her address. Others retrieved before the story begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Person {
    Ana,
    Ben,
    Cleo,
    Other(u8),
}

/// One press of Go: a person and the Idempotency-Key that the client made for it and keeps through its retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Click {
    pub(crate) person: Person,
    pub(crate) key: char,
}

/// What the digest is taken over: the person and the key.
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

/// The `UpdateItem` as it was serialised: every attempt of the SDK, and a copy that is carried out late, is this same request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Request {
    pub(crate) click: Click,
    /// The issue that it asks for.
    pub(crate) issue: u8,
    pub(crate) now: Time,
    /// The issue that was the current one when it was made, as an observer knows it.
    pub(crate) made_in: u8,
    /// The condition as a read before the write saw it, in the mutant that decides by reading.
    pub(crate) decided: Option<bool>,
}

/// An entry of `retrievals`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Retrieval {
    pub(crate) id: RetrievalId,
    pub(crate) at: Time,
    pub(crate) by: Click,
}

/// A password is known by the issue that it was made for.
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
    /// An issue that is dated `now`. The transaction keeps `ended_at` as it was.
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

    /// The `ConditionExpression`, for a portal user.
    pub(crate) fn admits(&self, variant: Variant, request: &Request) -> bool {
        self.retrievable(request.now)
            && self.recognise(variant, request.click).is_none()
            && !self.exhausted()
            && match variant {
                Variant::IssueNotAsked => true,
                Variant::BeginByClock => self.issued_at <= request.now,
                _ => self.issue == request.issue,
            }
    }

    /// Sealed, not expired, and nobody signed in, changed it or ended the subscription.
    pub(crate) fn retrievable(&self, now: Time) -> bool {
        self.sealed.is_some() && self.expires_at > now && !self.signed_in && !self.changed && !self.ended
    }

    pub(crate) fn exhausted(&self) -> bool {
        self.retrievals.len() >= ALLOWED
    }

    /// The entry under the click's own retrieval id. A bare counter keeps no ids.
    pub(crate) fn recognise(&self, variant: Variant, click: Click) -> Option<&Retrieval> {
        let id = RetrievalId::new(variant, click);
        self.retrievals.iter().find(|entry| variant != Variant::BareCounter && entry.id == id)
    }
}

impl Retrieval {
    /// An `at` in the future counts as young: clocks differ.
    pub(crate) fn young(&self, now: Time) -> bool {
        now.saturating_sub(self.at) < REPLAY_WINDOW
    }
}
