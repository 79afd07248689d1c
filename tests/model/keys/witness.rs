//! Records what an observer of the table, the runs and the answers would see, and states the invariants over it. The protocol never reads any of
//! this.

use stateright::Property;

use super::process::{AskOutcome, Request};
use super::table::{CUSTOMERS, DELAY, GOOD, INTERVAL, IssuerId, Item, KEPT, Key, LATE, LATEST, Time, Written};
use super::{KeysModel, World};

pub(crate) const OWN_GOOD_ANSWER: &str = "20: a run puts only a good answer of the item's own provider";
pub(crate) const OWN_KEY: &str = "20: no token is verified with a key that its own issuer has not published";
pub(crate) const REFUSED_IN_TIME: &str = "20: while the runs succeed, a withdrawn key is refused within 30 minutes";
pub(crate) const REFUSED_IF_RUNS_FAIL: &str =
    "20: while the provider answers the process, a withdrawn key is refused within 44 minutes";
pub(crate) const REFUSED_ANYWAY: &str = "20: a withdrawn key is refused within 24 hours, whatever fails";
pub(crate) const NEVER_BACK: &str = "no write replaces newer metadata by older, unless it is from the future";
pub(crate) const NEWER_IS_NEWER: &str = "a run finds a newer item only if there is one";
pub(crate) const FUTURE_REPLACED: &str = "a run leaves no item from the future";
pub(crate) const DATED_BEFORE: &str = "no item is dated after its keys were replaced";
pub(crate) const USABLE: &str = "once a run has succeeded, the table has an item that a process can use";
pub(crate) const BOTH_TRIED: &str = "a failure at one provider does not stop the work for the other";
pub(crate) const NOT_AHEAD: &str = "no token is verified with metadata that is dated ahead";
pub(crate) const HELD_NEVER_BACK: &str = "no process replaces good metadata by older";
pub(crate) const HELD_COUNTS: &str = "a key that was always published is accepted while it is held, whatever fails";
pub(crate) const AT_ONCE: &str =
    "a token of a published key is accepted at once, unless the provider fails or a search was just made";
pub(crate) const ITEM_SUFFICES: &str =
    "a token whose key the item has needs no provider, unless a search was just made";
pub(crate) const LATE_IS_UNAVAILABLE: &str = "while the metadata is late, no token of a published key counts as forged";
pub(crate) const ATTEMPTED_ONCE: &str = "a process without good keys asks the provider at most once in a pause";
pub(crate) const ASKED_ONCE: &str = "a process with good keys asks the provider at most once in a pause";

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    failed: Failures,
    /// Whether a run has succeeded for an issuer since a person last replaced its item.
    refreshed: [bool; 2],
    /// Whether the process has searched for a key, or asked the provider, in this tick.
    tried: bool,
    /// The number of questions of the process in this tick, while it had good keys.
    questions: u8,
    /// The number of questions of the process in this tick, while it had none.
    attempts: u8,
    pub(crate) last: LastAction,
}

/// The failures so far that make the shorter bounds not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Failures {
    /// Whether a run of the schedule after the withdrawal has not succeeded in time.
    missed: bool,
    /// Whether a process could not read the item for a request.
    read: bool,
    /// Whether the provider did not answer a process well.
    question: bool,
}

/// The effects of the last action. The properties look at each state, so nothing of it needs to be remembered for longer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct LastAction {
    write: Option<ObservedWrite>,
    /// The write whose answer a run has received, with that answer.
    pub(crate) answered_write: Option<(Item, Written)>,
    /// Whether a run ended with work that had not failed.
    pub(crate) was_cut_short: bool,
    /// Whether a process took older metadata for good metadata that it held.
    pub(crate) went_back: bool,
    pub(crate) answered: Option<TokenAnswer>,
}

/// A write that was just carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ObservedWrite {
    found: Option<Item>,
    write: Item,
    is_done: bool,
    is_late: bool,
}

/// An answer to a request with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TokenAnswer {
    pub(crate) request: Request,
    pub(crate) asked: AskOutcome,
    pub(crate) verdict: Verdict,
    /// Whether good metadata is held that is late.
    pub(crate) is_late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    Accepted,
    /// The answer is 401: the token counts as forged.
    UnknownKey,
    /// The answer is 503.
    Unavailable,
}

impl Item {
    /// Returns whether the item is that of `issuer`, with its keys, and not dated ahead.
    pub(crate) fn is_usable(&self, issuer: IssuerId, now: Time) -> bool {
        self.belongs_to(issuer) && self.fetched_at <= now
    }

    fn belongs_to(&self, issuer: IssuerId) -> bool {
        self.issuer == issuer && self.keys.issuer() == Some(issuer)
    }
}

impl TokenAnswer {
    fn accepts(self, key: Key) -> bool {
        self.request.key == key && self.verdict == Verdict::Accepted
    }

    /// Returns whether the key is refused although the process had no reason to leave out a search.
    fn is_refused_after_search(self) -> bool {
        self.verdict != Verdict::Accepted && !(self.asked == AskOutcome::NotAsked && self.request.was_paused)
    }
}

impl Witness {
    pub(crate) fn forget_last_action(&mut self) {
        self.last = LastAction::default();
    }

    pub(crate) fn tick(&mut self, missed: bool) {
        self.failed.missed |= missed;
        self.tried = false;
        self.questions = 0;
        self.attempts = 0;
    }

    pub(crate) fn has_tried(&self) -> bool {
        self.tried
    }

    pub(crate) fn observe_write(&mut self, found: Option<Item>, write: Item, written: Written, is_late: bool) {
        self.last.write = Some(ObservedWrite { found, write, is_done: written == Written::Done, is_late });
    }

    /// Records that a run was acknowledged with this item of `issuer`. One that a person has dated ahead stays: the run says `keys-newer`.
    pub(crate) fn observe_success(&mut self, issuer: IssuerId, item: Option<Item>) {
        self.refreshed[issuer] |= item.is_none_or(|item| item.by_run);
    }

    pub(crate) fn observe_copy(&mut self) {
        self.refreshed[CUSTOMERS] = false;
    }

    pub(crate) fn observe_failed_read(&mut self) {
        self.failed.read = true;
    }

    pub(crate) fn observe_search(&mut self) {
        self.tried = true;
    }

    pub(crate) fn observe_question(&mut self, holds_good_keys: bool, is_answered: bool) {
        self.tried = true;
        *if holds_good_keys { &mut self.questions } else { &mut self.attempts } += 1;
        self.failed.question |= !is_answered;
    }
}

impl World {
    fn holds_for_answer(&self, holds: impl Fn(&TokenAnswer) -> bool) -> bool {
        self.witness.last.answered.as_ref().is_none_or(holds)
    }

    fn has_answered(&self, is_so: impl Fn(&TokenAnswer) -> bool) -> bool {
        self.witness.last.answered.as_ref().is_some_and(is_so)
    }

    fn has_written(&self, is_so: impl Fn(&ObservedWrite) -> bool) -> bool {
        self.witness.last.write.as_ref().is_some_and(is_so)
    }

    /// Returns whether a key was just accepted that was withdrawn this long ago, or longer.
    fn accepts_withdrawn(&self, age: Time) -> bool {
        let is_withdrawn = self.provider.withdrawn_at.is_some_and(|withdrawn_at| self.now >= withdrawn_at + age);
        is_withdrawn && self.has_answered(|answered| answered.accepts(Key::Old))
    }

    fn has_missed_or_failed_read(&self) -> bool {
        self.witness.failed.missed || self.witness.failed.read
    }

    /// Returns the write that was just answered by `PutProviderOutcome::Newer`.
    fn find_refused(&self) -> Option<Item> {
        let answered = self.witness.last.answered_write.filter(|(_, written)| *written == Written::Refused);
        answered.map(|(write, _)| write)
    }

    fn is_published(&self, key: Key) -> bool {
        self.provider.published.contains(key)
    }
}

impl KeysModel {
    /// Returns whether `holds` is true of every item that a run has put.
    fn holds_for_items(&self, world: &World, holds: impl Fn(IssuerId, Item) -> bool) -> bool {
        (0..self.scope.issuers)
            .all(|issuer| self.item(world, issuer).is_none_or(|item| !item.by_run || holds(issuer, item)))
    }
}

/// Returns the invariants.
pub(crate) fn properties() -> Vec<Property<KeysModel>> {
    let mut properties = properties_of_items();
    properties.extend(properties_of_answers());
    properties
}

fn properties_of_items() -> Vec<Property<KeysModel>> {
    vec![
        Property::always(OWN_GOOD_ANSWER, |model: &KeysModel, world: &World| {
            model.holds_for_items(world, |issuer, item| item.belongs_to(issuer))
        }),
        Property::always(NEVER_BACK, |_, world: &World| {
            let went_back = |found: &Item, write: &Item| (write.fetched_at + 1..=world.now).contains(&found.fetched_at);
            !world.has_written(|one| one.is_done && one.found.is_some_and(|found| went_back(&found, &one.write)))
        }),
        Property::always(NEWER_IS_NEWER, |_, world: &World| {
            let found = world.witness.last.write.and_then(|one| one.found);
            let is_newer = |write: Item| found.is_some_and(|found| found.fetched_at > write.fetched_at);
            world.find_refused().is_none_or(is_newer)
        }),
        Property::always(FUTURE_REPLACED, |model: &KeysModel, world: &World| {
            world.witness.last.answered_write.is_none_or(|(write, _)| {
                let item = model.item(world, write.issuer);
                item.is_none_or(|item| item.fetched_at <= write.fetched_at + LATEST)
            })
        }),
        Property::always(DATED_BEFORE, |model: &KeysModel, world: &World| {
            let replaced_at = |item: Item| world.provider.replaced_at(item.keys);
            model.holds_for_items(world, |_, item| replaced_at(item).is_none_or(|at| item.fetched_at <= at))
        }),
        Property::always(USABLE, |model: &KeysModel, world: &World| {
            (0..model.scope.issuers).all(|issuer| {
                let item = model.item(world, issuer);
                !world.witness.refreshed[issuer] || item.is_some_and(|item| item.is_usable(issuer, world.now))
            })
        }),
        Property::always(BOTH_TRIED, |_, world: &World| !world.witness.last.was_cut_short),
    ]
}

fn properties_of_answers() -> Vec<Property<KeysModel>> {
    vec![
        Property::always(OWN_KEY, |_, world: &World| {
            world.holds_for_answer(|answered| {
                answered.verdict != Verdict::Accepted || matches!(answered.request.key, Key::Old | Key::New)
            })
        }),
        Property::always(REFUSED_IN_TIME, |_, world: &World| {
            world.has_missed_or_failed_read() || !world.accepts_withdrawn(INTERVAL + DELAY + KEPT)
        }),
        Property::always(REFUSED_IF_RUNS_FAIL, |_, world: &World| {
            world.witness.failed.question || !world.accepts_withdrawn(LATE + KEPT)
        }),
        Property::always(REFUSED_ANYWAY, |_, world: &World| !world.accepts_withdrawn(GOOD)),
        Property::always(NOT_AHEAD, |_, world: &World| {
            let is_ahead = world.process.held.is_some_and(|held| held.fetched_at > world.now);
            !is_ahead || world.holds_for_answer(|answered| answered.verdict != Verdict::Accepted)
        }),
        Property::always(HELD_NEVER_BACK, |_, world: &World| !world.witness.last.went_back),
        Property::always(HELD_COUNTS, |_, world: &World| {
            world.holds_for_answer(|answered| {
                let is_held = answered.request.key == Key::Old && answered.request.was_held;
                !(is_held && world.is_published(Key::Old)) || answered.verdict == Verdict::Accepted
            })
        }),
        Property::always(AT_ONCE, |_, world: &World| {
            world.holds_for_answer(|answered| {
                let is_excused = answered.asked == AskOutcome::Failed || !world.is_published(answered.request.key);
                is_excused || !answered.is_refused_after_search()
            })
        }),
        Property::always(ITEM_SUFFICES, |_, world: &World| {
            world.holds_for_answer(|answered| {
                let is_at_hand = answered.request.is_in_item && world.is_published(answered.request.key);
                !is_at_hand || !answered.is_refused_after_search()
            })
        }),
        Property::always(LATE_IS_UNAVAILABLE, |_, world: &World| {
            world.holds_for_answer(|answered| {
                let is_new = answered.is_late && world.is_published(answered.request.key);
                !is_new || answered.verdict != Verdict::UnknownKey
            })
        }),
        Property::always(ATTEMPTED_ONCE, |_, world: &World| world.witness.attempts <= 1),
        Property::always(ASKED_ONCE, |_, world: &World| world.witness.questions <= 1),
    ]
}

pub(crate) const NEW_KEY_IN_ITEM: &str = "a process finds a new key in the item";
pub(crate) const NEW_KEY_AT_PROVIDER: &str = "a process finds a new key at the provider";
pub(crate) const WITHDRAWN_REFUSED: &str = "a withdrawn key is refused";
pub(crate) const WITHDRAWN_ACCEPTED: &str = "a withdrawn key is accepted a tick before the bound";
pub(crate) const OVERTAKEN: &str = "a late write finds a newer item";
pub(crate) const WRITTEN_TWICE: &str = "a write is carried out twice";
pub(crate) const NEWER_FOUND: &str = "a run finds a newer item";
pub(crate) const FUTURE_FOUND: &str = "an item from the future is replaced";
pub(crate) const REPEATED: &str = "a run succeeds when it is repeated";
pub(crate) const FROZEN: &str = "a process is frozen during its read at the start";
pub(crate) const LATE_USED: &str = "late keys count while the provider is down";
pub(crate) const LATE_REPLACED: &str = "the provider's answer counts in place of a late item";
pub(crate) const TOO_OLD: &str = "what a process holds is too old to use";
pub(crate) const COPY_PASSED_OVER: &str = "a process passes over an item that names another issuer";

/// Returns the situations that a test of the design may have to reach.
pub(crate) fn situations() -> Vec<Property<KeysModel>> {
    let mut situations = situations_of_runs();
    situations.extend(situations_of_answers());
    situations
}

fn situations_of_runs() -> Vec<Property<KeysModel>> {
    vec![
        Property::sometimes(OVERTAKEN, |_, world: &World| world.has_written(|one| one.is_late && !one.is_done)),
        Property::sometimes(WRITTEN_TWICE, |_, world: &World| world.has_written(|one| one.found == Some(one.write))),
        Property::sometimes(NEWER_FOUND, |_, world: &World| world.find_refused().is_some()),
        Property::sometimes(FUTURE_FOUND, |_, world: &World| {
            world.has_written(|one| one.is_done && one.found.is_some_and(|found| found.fetched_at > world.now))
        }),
        Property::sometimes(REPEATED, |_, world: &World| world.runs.iter().any(super::run::Run::is_done_again)),
    ]
}

fn situations_of_answers() -> Vec<Property<KeysModel>> {
    vec![
        Property::sometimes(NEW_KEY_IN_ITEM, |_, world: &World| {
            world.has_answered(|answered| {
                answered.accepts(Key::New) && !answered.request.was_held && answered.asked == AskOutcome::NotAsked
            })
        }),
        Property::sometimes(NEW_KEY_AT_PROVIDER, |_, world: &World| {
            world.has_answered(|answered| {
                answered.accepts(Key::New) && !answered.request.is_in_item && answered.asked == AskOutcome::Answered
            })
        }),
        Property::sometimes(WITHDRAWN_REFUSED, |_, world: &World| {
            let is_withdrawn = world.provider.withdrawn_at.is_some();
            is_withdrawn
                && world.has_answered(|answered| {
                    answered.request.key == Key::Old && answered.verdict == Verdict::UnknownKey
                })
        }),
        Property::sometimes(WITHDRAWN_ACCEPTED, |_, world: &World| {
            !world.has_missed_or_failed_read() && world.accepts_withdrawn(INTERVAL + DELAY + KEPT - 1)
        }),
        Property::sometimes(FROZEN, |_, world: &World| world.process.is_frozen(world.now)),
        Property::sometimes(LATE_USED, |_, world: &World| {
            let is_down = world.provider.is_down;
            is_down && world.has_answered(|answered| answered.is_late && answered.verdict == Verdict::Accepted)
        }),
        Property::sometimes(LATE_REPLACED, |model: &KeysModel, world: &World| {
            let item = model.item(world, CUSTOMERS);
            let is_late = item.is_some_and(|item| world.now.saturating_sub(item.fetched_at) >= LATE);
            is_late && world.has_answered(|answered| answered.asked == AskOutcome::Answered)
        }),
        Property::sometimes(TOO_OLD, |_, world: &World| {
            let is_old = world.process.held.is_some_and(|held| world.now.saturating_sub(held.fetched_at) >= GOOD);
            is_old && world.has_answered(|answered| answered.verdict == Verdict::Unavailable)
        }),
        Property::sometimes(COPY_PASSED_OVER, |model: &KeysModel, world: &World| {
            let is_copy = model.item(world, CUSTOMERS).is_some_and(|item| item.issuer != CUSTOMERS);
            is_copy
                && world.has_answered(|answered| !answered.request.was_held && answered.verdict == Verdict::Accepted)
        }),
    ]
}
