//! A process that verifies the tokens of customers: what it holds, and how it refreshes that.

use super::table::{CUSTOMERS, GOOD, INTERVAL, Item, KEPT, Key, KeySet, LATE, Time};
use super::witness::{TokenAnswer, Verdict};
use super::{Action, KeysModel, ProviderAnswer, Variant, World};

/// The time until the item is read again where a read gave nothing.
const PAUSE: Time = 1;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Process {
    pub(crate) held: Option<Held>,
    /// The time at which what is held is read again.
    read_again: Time,
    /// Whether a key was searched for in this tick.
    searched: bool,
    /// Whether the provider was asked in this tick, which counts while there are no good keys.
    attempted: bool,
    /// Whether the last request to the provider failed.
    failed: bool,
    step: Step,
}

/// The metadata that a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Held {
    pub(crate) keys: KeySet,
    pub(crate) fetched_at: Time,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Step {
    /// The process has not started, or its read at the start gave nothing.
    #[default]
    New,
    /// The process has the answer to its read at the start, and may be frozen before it takes it.
    Frozen {
        began: Time,
        item: Held,
    },
    Idle,
    /// The process is about to read the item for a request.
    Reading(Request),
    /// The process is about to ask the provider for a request.
    Asking(Request),
}

/// A request with a token. The last three fields are for the witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Request {
    pub(crate) key: Key,
    /// Whether the process had searched for a key, or asked the provider, in this tick before.
    pub(crate) was_paused: bool,
    /// Whether the process held good metadata with the key.
    pub(crate) was_held: bool,
    /// Whether the item that was read, or could have been, has the key.
    pub(crate) is_in_item: bool,
}

/// The result of the question to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AskOutcome {
    NotAsked,
    Answered,
    Failed,
}

impl Held {
    pub(crate) fn is_late(self, now: Time) -> bool {
        now.saturating_sub(self.fetched_at) >= LATE
    }
}

impl Process {
    /// Returns whether a request is under way, which takes no time.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.step, Step::Reading(_) | Step::Asking(_))
    }

    /// Returns whether the process took longer than a tick to take what it has read at its start.
    pub(crate) fn is_frozen(&self, now: Time) -> bool {
        matches!(self.step, Step::Frozen { began, .. } if began < now)
    }

    /// Ends the pauses.
    pub(crate) fn tick(&mut self) {
        self.searched = false;
        self.attempted = false;
    }
}

impl KeysModel {
    pub(crate) fn process_actions(&self, world: &World, actions: &mut Vec<Action>) {
        if self.scope.tokens.is_empty() {
            return;
        }
        match world.process.step {
            Step::New | Step::Idle => {
                actions.extend(self.scope.tokens.iter().copied().map(Action::Token));
                if world.process.step == Step::New && self.readable_ahead(world).is_some() {
                    actions.push(Action::ReadAhead);
                }
            }
            Step::Frozen { .. } => actions.push(Action::Thaw),
            Step::Reading(_) => {
                actions.push(Action::ItemRead);
                if self.may_fail(world) {
                    actions.push(Action::ReadFailed);
                }
            }
            Step::Asking(_) => actions.extend(self.answers(world, CUSTOMERS).into_iter().map(Action::ProviderAnswered)),
        }
    }

    /// Reads the item at the start.
    pub(crate) fn read_ahead(&self, world: &mut World) -> Option<()> {
        world.process.step = Step::Frozen { began: world.now, item: self.readable_ahead(world)? };
        Some(())
    }

    /// Takes what was read at the start. It is kept from the moment at which the read began.
    pub(crate) fn thaw(&self, world: &mut World) -> Option<()> {
        let Step::Frozen { began, item } = world.process.step else { return None };
        let from = if self.variant == Variant::KeptFromTheThaw { world.now } else { began };
        self.take(world, Some(item), from);
        world.process.step = Step::Idle;
        Some(())
    }

    /// Begins a request with a token that this key has signed.
    pub(crate) fn verify(&self, world: &mut World, key: Key) {
        let was_paused = world.witness.has_tried();
        let was_held = self.good(world).is_some_and(|held| held.keys.contains(key));
        let request = Request { key, was_paused, was_held, is_in_item: false };
        if !self.needs_refresh(world, key) {
            self.answer(world, request, AskOutcome::NotAsked);
        } else if self.variant == Variant::ItemNotSearched && !self.is_due(world) {
            self.observe_search(world, key);
            let is_in_item = self.has_in_item(world, key);
            world.process.step = Step::Asking(Request { is_in_item, ..request });
        } else {
            world.process.step = Step::Reading(request);
        }
    }

    /// Reads the item for a request, and asks the provider next if that is not enough.
    pub(crate) fn read_item(&self, world: &mut World, is_answered: bool) -> Option<()> {
        let Step::Reading(request) = world.process.step else { return None };
        let is_in_item = is_answered && self.has_in_item(world, request.key);
        let request = Request { is_in_item, ..request };
        if !is_answered {
            world.failures += 1;
            world.witness.observe_failed_read();
        }
        self.observe_search(world, request.key);
        let item = self.readable(world).filter(|_| is_answered);
        self.take(world, item, world.now);
        if self.is_enough(world, request.key) {
            world.process.failed = false;
            self.answer(world, request, AskOutcome::NotAsked);
        } else {
            world.process.step = Step::Asking(request);
        }
        Some(())
    }

    /// Asks the provider for a request.
    pub(crate) fn ask(&self, world: &mut World, answer: ProviderAnswer) -> Option<()> {
        let Step::Asking(request) = world.process.step else { return None };
        let holds_good_keys = self.good(world).is_some();
        world.process.searched |= holds_good_keys;
        world.process.attempted = true;
        let keys = self.accept_answer(world, CUSTOMERS, answer);
        world.witness.observe_question(holds_good_keys, keys.is_some());
        world.process.failed = keys.is_none();
        if let Some(keys) = keys {
            self.take(world, Some(Held { keys, fetched_at: world.now }), world.now);
        }
        self.answer(world, request, if keys.is_some() { AskOutcome::Answered } else { AskOutcome::Failed });
        Some(())
    }

    fn answer(&self, world: &mut World, request: Request, asked: AskOutcome) {
        let held = self.good(world);
        let is_late = held.is_some_and(|held| held.is_late(world.now));
        let may_be_new = is_late && world.process.failed && self.variant != Variant::LateTakenForForged;
        let verdict = match held {
            Some(held) if held.keys.contains(request.key) => Verdict::Accepted,
            Some(_) if !may_be_new => Verdict::UnknownKey,
            Some(_) | None => Verdict::Unavailable,
        };
        world.process.step = Step::Idle;
        world.witness.last.answered = Some(TokenAnswer { request, asked, verdict, is_late });
    }

    /// Returns what is held, unless it is too old or dated ahead.
    fn good(&self, world: &World) -> Option<Held> {
        world.process.held.filter(|held| self.is_good(*held, world.now))
    }

    fn is_good(&self, metadata: Held, now: Time) -> bool {
        let is_dated = metadata.fetched_at <= now || self.variant == Variant::AheadUsed;
        is_dated && (now.saturating_sub(metadata.fetched_at) < GOOD || self.variant == Variant::GoodForever)
    }

    /// Returns the metadata of the item, if it is good and the customers' provider's.
    fn readable(&self, world: &World) -> Option<Held> {
        let item = self.item(world, CUSTOMERS)?;
        let is_own = item.issuer == CUSTOMERS || self.variant == Variant::IssuerOfItemNotCompared;
        let metadata = Held { keys: item.keys, fetched_at: item.fetched_at };
        let is_dropped = metadata.is_late(world.now) && self.variant == Variant::LateDropped;
        let is_readable = is_own && item.keys != KeySet::Empty && !is_dropped;
        (is_readable && self.is_good(metadata, world.now)).then_some(metadata)
    }

    /// Returns the metadata that the read at the start takes.
    fn readable_ahead(&self, world: &World) -> Option<Held> {
        let takes_late = self.variant == Variant::LateHeldAtTheStart;
        self.readable(world).filter(|metadata| takes_late || !metadata.is_late(world.now))
    }

    fn needs_refresh(&self, world: &World, key: Key) -> bool {
        let may_search = !world.process.searched || self.variant == Variant::SearchNotPaused;
        match self.good(world) {
            Some(held) => self.is_due(world) || !held.keys.contains(key) && may_search,
            None => !world.process.attempted || self.variant == Variant::AttemptNotPaused,
        }
    }

    /// Returns whether the item is to be read whatever key is needed.
    fn is_due(&self, world: &World) -> bool {
        self.good(world).is_none() || world.now >= world.process.read_again
    }

    /// Begins the pause of a search, if this is one.
    fn observe_search(&self, world: &mut World, key: Key) {
        if self.good(world).is_some_and(|held| !held.keys.contains(key)) {
            world.process.searched = true;
            world.witness.observe_search();
        }
    }

    /// Returns whether what is held suffices without a question to the provider.
    fn is_enough(&self, world: &World, key: Key) -> bool {
        let Some(held) = self.good(world) else { return self.variant == Variant::ProviderNotAskedWithoutItem };
        let is_fresh = !held.is_late(world.now) || self.variant == Variant::LateNotAsked;
        is_fresh && (held.keys.contains(key) || self.variant == Variant::ProviderNotSearched)
    }

    /// Takes metadata that was read or fetched, unless what is held is good and was fetched later.
    fn take(&self, world: &mut World, metadata: Option<Held>, from: Time) {
        let kept = if self.variant == Variant::KeptForTheSchedule { INTERVAL } else { KEPT };
        world.process.read_again = from + if metadata.is_some() { kept } else { PAUSE };
        let Some(metadata) = metadata else {
            if self.variant == Variant::HeldDropped {
                world.process.held = None;
            }
            return;
        };
        let before = self.good(world);
        let is_older = before.is_some_and(|held| held.fetched_at > metadata.fetched_at);
        if !is_older || self.variant == Variant::OlderTaken {
            world.process.held = Some(metadata);
        }
        let replaced = before.zip(world.process.held);
        world.witness.last.went_back = replaced.is_some_and(|(before, after)| after.fetched_at < before.fetched_at);
    }

    /// Returns whether the item is one that the process should find this key in, whatever the protocol compares.
    fn has_in_item(&self, world: &World, key: Key) -> bool {
        let is_usable = |item: &Item| item.is_usable(CUSTOMERS, world.now) && world.now - item.fetched_at < GOOD;
        let held = self.good(world).map(|held| held.fetched_at);
        let item = self.item(world, CUSTOMERS).filter(is_usable);
        item.is_some_and(|item| item.keys.contains(key) && held.is_none_or(|held| held <= item.fetched_at))
    }
}
