//! What an observer beside the table writes down, and the invariants over it. The protocol never reads any of this.

use stateright::Property;

use super::credential::{Click, Credential, REPLAY_WINDOW, Request};
use super::{Retrieve, World};

pub(crate) const AT_MOST_THREE: &str = "1: at most three retrieval ids of an issue ever see a password";
pub(crate) const COUNTED_ONCE: &str = "2: a click that is answered is counted exactly once, none costs two";
pub(crate) const NOT_TOLD_EXHAUSTED: &str = "2: nobody who took one is told that it is exhausted";
pub(crate) const SPENT_SINCE_BEGIN: &str = "2: an issue is spent only by requests made since it began";
pub(crate) const NONE_AFTER_CLOSING: &str = "3: none is admitted after sign-in, change or end was acknowledged";
pub(crate) const NONE_AFTER_EXPIRY: &str = "3: none that was asked for after expiry is admitted";
pub(crate) const OWN_PASSWORD: &str = "3: the password shown is the one of the issue beside it";
pub(crate) const TEN_MINUTES: &str = "a click shows the password for ten minutes and no longer";
pub(crate) const HISTORY_COMPLETE: &str = "every retrieval of a former issue is in the history";

/// Something that must not happen at one moment, and leaves no trace in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Breach {
    ToldExhausted,
    SpentFromBefore,
    AdmittedAfterClosing,
    AdmittedAfterExpiry,
    PasswordOfAnotherIssue,
    ShownAfterTenMinutes,
    LostFromHistory,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    /// Each success of the conditional write, by issue and click, sorted.
    counted: Vec<(u8, Click)>,
    /// Who could read the password of which issue, sorted, each once.
    seen: Vec<(u8, Click)>,
    /// Sign-in, change or end of the current issue was acknowledged.
    pub(crate) closed: bool,
    breaches: Vec<Breach>,
}

impl Witness {
    pub(crate) fn counted(&mut self, issue: u8, click: Click) {
        self.counted.push((issue, click));
        self.counted.sort_unstable();
    }

    pub(crate) fn seen(&mut self, issue: u8, click: Click) {
        if let Err(place) = self.seen.binary_search(&(issue, click)) {
            self.seen.insert(place, (issue, click));
        }
    }

    pub(crate) fn breach(&mut self, breach: Breach) {
        if let Err(place) = self.breaches.binary_search(&breach) {
            self.breaches.insert(place, breach);
        }
    }

    pub(crate) fn next_issue(&mut self, last: u8, moved: usize) {
        self.closed = false;
        if self.counted.iter().filter(|(issue, _)| *issue == last).count() != moved {
            self.breach(Breach::LostFromHistory);
        }
    }

    pub(crate) fn see_issue(&self, issue: u8) -> usize {
        self.seen.iter().filter(|(of, _)| *of == issue).count()
    }

    fn none_costs_two_and_all_seen_are_counted(&self) -> bool {
        self.counted.windows(2).all(|pair| pair[0] != pair[1])
            && self.seen.iter().all(|seen| self.counted.binary_search(seen).is_ok())
    }
}

impl World {
    fn breached(&self, breach: Breach) -> bool {
        self.witness.breaches.contains(&breach)
    }

    /// The conditional write succeeds, whether or not anybody waits for it.
    pub(crate) fn witness_count(&mut self, request: &Request) {
        self.witness.counted(self.credential.issue, request.click);
        if self.credential.issue != request.made_in {
            self.witness.breach(Breach::SpentFromBefore);
        }
        if self.witness.closed {
            self.witness.breach(Breach::AdmittedAfterClosing);
        }
    }

    /// An invocation may go on to unseal, by its own count or by replay.
    pub(crate) fn witness_admission(&mut self, request: &Request, image: &Credential) {
        if self.witness.closed {
            self.witness.breach(Breach::AdmittedAfterClosing);
        }
        if image.expires_at <= request.now {
            self.witness.breach(Breach::AdmittedAfterExpiry);
        }
        let own = image.retrievals.iter().filter(|entry| entry.by == request.click);
        if own.map(|entry| entry.at).max().is_some_and(|at| request.now >= at + REPLAY_WINDOW) {
            self.witness.breach(Breach::ShownAfterTenMinutes);
        }
    }

    /// An invocation is answered without a password.
    pub(crate) fn witness_no_password(&mut self, request: &Request, image: &Credential) {
        let mut own = image.retrievals.iter().filter(|entry| entry.by == request.click);
        if own.any(|entry| entry.young(request.now)) && image.retrievable(request.now) {
            self.witness.breach(Breach::ToldExhausted);
        }
    }
}

pub(crate) fn properties() -> Vec<Property<Retrieve>> {
    vec![
        Property::always(AT_MOST_THREE, |_, world: &World| [1, 2].iter().all(|&n| world.witness.see_issue(n) <= 3)),
        Property::always(COUNTED_ONCE, |_, world: &World| world.witness.none_costs_two_and_all_seen_are_counted()),
        Property::always(NOT_TOLD_EXHAUSTED, |_, world: &World| !world.breached(Breach::ToldExhausted)),
        Property::always(SPENT_SINCE_BEGIN, |_, world: &World| !world.breached(Breach::SpentFromBefore)),
        Property::always(NONE_AFTER_CLOSING, |_, world: &World| !world.breached(Breach::AdmittedAfterClosing)),
        Property::always(NONE_AFTER_EXPIRY, |_, world: &World| !world.breached(Breach::AdmittedAfterExpiry)),
        Property::always(OWN_PASSWORD, |_, world: &World| !world.breached(Breach::PasswordOfAnotherIssue)),
        Property::always(TEN_MINUTES, |_, world: &World| !world.breached(Breach::ShownAfterTenMinutes)),
        Property::always(HISTORY_COMPLETE, |_, world: &World| !world.breached(Breach::LostFromHistory)),
    ]
}
