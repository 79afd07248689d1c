//! Records what an observer of the table would see, and states the invariants over it. The protocol never reads any of this.

use stateright::Property;

use super::credential::{Click, Credential, REPLAY_WINDOW, Request};
use super::{RetrieveModel, World};

pub(crate) const AT_MOST_THREE: &str = "1: at most three retrieval ids of an issue ever see a password";
pub(crate) const COUNTED_ONCE: &str =
    "2: a click that shows the password is counted exactly once, and no click is counted twice";
pub(crate) const NOT_REFUSED_AS_EXHAUSTED: &str = "2: a click that was counted is not refused as exhausted";
pub(crate) const SPENT_BY_OWN_REQUESTS: &str = "2: only requests made since an issue began spend its retrievals";
pub(crate) const NONE_AFTER_CLOSING: &str = "3: no retrieval is admitted after sign-in, change or end was acknowledged";
pub(crate) const NONE_AFTER_EXPIRY: &str = "3: no retrieval that was requested after expiry is admitted";
pub(crate) const OWN_PASSWORD: &str = "3: the password in an answer belongs to the issue in that answer";
pub(crate) const TEN_MINUTES: &str = "a click shows the password for ten minutes and no longer";
pub(crate) const NOT_RENEWED_WHEN_USED_UP: &str = "no renewal replaces an issue that was retrieved three times";
pub(crate) const HISTORY_COMPLETE: &str = "every retrieval of an earlier issue is in the history";

/// A violation that leaves no trace in the table, so the witness records it when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Breach {
    RefusedAsExhausted,
    SpentByEarlierRequest,
    AdmittedAfterClosing,
    AdmittedAfterExpiry,
    PasswordOfAnotherIssue,
    ShownAfterTenMinutes,
    LostFromHistory,
    RenewedWhenUsedUp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    /// The successes of the conditional write, by issue and click, sorted.
    counted: Vec<(u8, Click)>,
    /// The clicks that could read a password, by issue, sorted and without duplicates.
    disclosed: Vec<(u8, Click)>,
    /// Whether a sign-in, a change or the end was acknowledged in the current issue.
    pub(crate) closed: bool,
    breaches: Vec<Breach>,
}

impl Witness {
    pub(crate) fn record_count(&mut self, issue: u8, click: Click) {
        self.counted.push((issue, click));
        self.counted.sort_unstable();
    }

    pub(crate) fn record_disclosure(&mut self, issue: u8, click: Click) {
        if let Err(place) = self.disclosed.binary_search(&(issue, click)) {
            self.disclosed.insert(place, (issue, click));
        }
    }

    pub(crate) fn record_breach(&mut self, breach: Breach) {
        if let Err(place) = self.breaches.binary_search(&breach) {
            self.breaches.insert(place, breach);
        }
    }

    pub(crate) fn record_next_issue(&mut self, last: u8, moved: usize) {
        self.closed = false;
        if self.counted.iter().filter(|(issue, _)| *issue == last).count() != moved {
            self.record_breach(Breach::LostFromHistory);
        }
    }

    pub(crate) fn disclosures(&self, issue: u8) -> usize {
        self.disclosed.iter().filter(|(shown, _)| *shown == issue).count()
    }

    fn counts_every_click_once(&self) -> bool {
        self.counted.windows(2).all(|pair| pair[0] != pair[1])
            && self.disclosed.iter().all(|click| self.counted.binary_search(click).is_ok())
    }
}

impl World {
    fn has_breach(&self, breach: Breach) -> bool {
        self.witness.breaches.contains(&breach)
    }

    /// Records that the conditional write succeeded, whether or not an invocation still waits for it.
    pub(crate) fn observe_count(&mut self, request: &Request) {
        self.witness.record_count(self.credential.issue, request.click);
        if self.credential.issue != request.made_in {
            self.witness.record_breach(Breach::SpentByEarlierRequest);
        }
        if self.witness.closed {
            self.witness.record_breach(Breach::AdmittedAfterClosing);
        }
    }

    /// Records that an invocation may unseal, either because its write was counted or as a replay.
    pub(crate) fn observe_admission(&mut self, request: &Request, image: &Credential) {
        if self.witness.closed {
            self.witness.record_breach(Breach::AdmittedAfterClosing);
        }
        if image.expires_at <= request.now {
            self.witness.record_breach(Breach::AdmittedAfterExpiry);
        }
        let own = image.retrievals.iter().filter(|entry| entry.by == request.click);
        if own.map(|entry| entry.at).max().is_some_and(|at| request.now >= at + REPLAY_WINDOW) {
            self.witness.record_breach(Breach::ShownAfterTenMinutes);
        }
    }

    /// Records that a renewal replaces `issue`.
    pub(crate) fn observe_renewal(&mut self, issue: u8) {
        if self.witness.counted.iter().filter(|(counted, _)| *counted == issue).count() >= 3 {
            self.witness.record_breach(Breach::RenewedWhenUsedUp);
        }
    }

    /// Records that an invocation was answered without a password.
    pub(crate) fn observe_refusal(&mut self, request: &Request, image: &Credential) {
        let mut own = image.retrievals.iter().filter(|entry| entry.by == request.click);
        if own.any(|entry| entry.is_young(request.now)) && image.is_retrievable(request.now) {
            self.witness.record_breach(Breach::RefusedAsExhausted);
        }
    }
}

pub(crate) fn properties() -> Vec<Property<RetrieveModel>> {
    vec![
        Property::always(AT_MOST_THREE, |_, world: &World| [1, 2].iter().all(|&n| world.witness.disclosures(n) <= 3)),
        Property::always(COUNTED_ONCE, |_, world: &World| world.witness.counts_every_click_once()),
        Property::always(NOT_REFUSED_AS_EXHAUSTED, |_, world: &World| !world.has_breach(Breach::RefusedAsExhausted)),
        Property::always(SPENT_BY_OWN_REQUESTS, |_, world: &World| !world.has_breach(Breach::SpentByEarlierRequest)),
        Property::always(NONE_AFTER_CLOSING, |_, world: &World| !world.has_breach(Breach::AdmittedAfterClosing)),
        Property::always(NONE_AFTER_EXPIRY, |_, world: &World| !world.has_breach(Breach::AdmittedAfterExpiry)),
        Property::always(OWN_PASSWORD, |_, world: &World| !world.has_breach(Breach::PasswordOfAnotherIssue)),
        Property::always(TEN_MINUTES, |_, world: &World| !world.has_breach(Breach::ShownAfterTenMinutes)),
        Property::always(NOT_RENEWED_WHEN_USED_UP, |_, world: &World| !world.has_breach(Breach::RenewedWhenUsedUp)),
        Property::always(HISTORY_COMPLETE, |_, world: &World| !world.has_breach(Breach::LostFromHistory)),
    ]
}
