//! Records what an observer of the table would see, and states the invariants over it. The protocol never reads any of this.

use stateright::Property;

use super::table::{
    APPROVAL_LIFETIME, APPROVAL_WAIT, Address, Addresses, Approval, Change, Click, DeskWrite, Effect, Reading,
    SeenState, Session, Status, Time,
};
use super::{DeskModel, Variant, World};

pub(crate) const NO_WAY_IN_BY_ONE: &str =
    "10: no operator alone gives a way in to a person unknown to the customer's side";
pub(crate) const NO_PASSWORD_BY_ONE: &str =
    "10: no password is shown or mailed to a person whom one operator alone has let in";
pub(crate) const NOT_TAKEN_OVER_BY_ONE: &str =
    "10: no operator alone replaces a chosen password or reissues a handed-over subscription";
pub(crate) const HISTORY_COMPLETE: &str = "11: every act has its entries in the history, under consecutive numbers";
pub(crate) const ANNOUNCED: &str = "11: an act is announced to everyone it concerns, the replaced address included";
pub(crate) const NOT_ANNOUNCED_EARLY: &str = "a new address hears nothing before the approval";
pub(crate) const NO_SESSION_FROM_BEFORE: &str = "12: no session from before a reissue is good";
pub(crate) const NOTHING_SHOWN_FROM_BEFORE: &str = "12: no password of an earlier issue is shown";
pub(crate) const DECIDED_ONCE: &str = "13: an approval is decided at most once";
pub(crate) const DECIDED_BY_ANOTHER: &str = "13: an approval is decided by another person than the one who asked";
pub(crate) const DECIDED_IN_TIME: &str = "13: no decision that was sent after 24 hours counts";
pub(crate) const DECIDED_AFTER_WAIT: &str =
    "13: no consent on a handed-over subscription that was sent before the wait was over counts";
pub(crate) const DONE_AS_SEEN: &str = "13: an approved act is done on the state that was asked about, or not at all";
pub(crate) const ONE_APPROVAL: &str = "a pending approval is not replaced by another one";
pub(crate) const COPIES_PENDING: &str = "the list of approvals has those that are pending and no others";
pub(crate) const ACTED_ONCE: &str = "a click causes at most one act, however often it is sent";
pub(crate) const REFUSALS_ARE_TRUE: &str = "no click that was carried out is answered with a refusal";
pub(crate) const REPLACES_WHAT_WAS_SEEN: &str = "a reissue replaces the issue that it names and no other";
pub(crate) const RIGHTS_AS_DECIDED: &str = "the credential lists those whom desk and events let in and no others";
pub(crate) const NOTHING_FOR_REMOVED: &str = "no password is shown or mailed to a person who was removed";
pub(crate) const LAST_ONE_STAYS: &str = "a subscription has a portal user at every moment";
pub(crate) const ON_FILE_AS_DECIDED: &str = "the address on file is the one that the last decision named";
pub(crate) const WAY_IN: &str = "6: a temporary password that waits to be used belongs to an active account";
pub(crate) const NOTHING_AFTER_END: &str =
    "after the end of the subscription the desk settles an approval and does nothing else";

/// A violation that leaves no trace in the table, so the witness records it when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Breach {
    TakenOverByOne,
    ShownToStranger,
    ShownToRemoved,
    LostFromHistory,
    NotTold,
    ToldEarly,
    DecidedByAsker,
    DecidedLate,
    DecidedEarly,
    DoneOtherwise,
    ApprovalReplaced,
    FalseRefusal,
    ReplacedAnother,
    ActedAfterEnd,
}

/// A situation that a test of the design must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Situation {
    SameAnswer,
    DecisionRefused,
    RemovedRefused,
    Approved,
    Rejected,
    Overtaken,
    AskedAgain,
    NewShown,
    Reopened,
}

/// An approval as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Asked {
    id: Click,
    at: Time,
    state: SeenState,
}

/// An act that is not announced yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    concerns: Addresses,
    /// The person whom a request wants to let in.
    newcomer: Option<Address>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    /// The number of history entries that were due.
    pub(crate) entries: u8,
    /// The people whom the customer's side knew or two operators agreed on.
    consented: Addresses,
    /// The people who should be portal users.
    listed: Addresses,
    /// The people whom the desk has removed and not added again.
    pub(crate) removed: Addresses,
    /// The address that should be on file.
    on_file: Address,
    /// The clicks that were carried out, sorted.
    acts: Vec<Click>,
    asked: Vec<Asked>,
    /// The approvals that were decided, sorted.
    decided: Vec<Click>,
    situations: Vec<Situation>,
    breaches: Vec<Breach>,
}

fn insert<T: Ord>(sorted: &mut Vec<T>, one: T) {
    if let Err(place) = sorted.binary_search(&one) {
        sorted.insert(place, one);
    }
}

impl Witness {
    pub(crate) fn new(entries: u8) -> Self {
        Self {
            entries,
            consented: Addresses::OF_PAID_EVENT,
            listed: Addresses::OF_FIRST_EVENT,
            removed: Addresses::default(),
            on_file: Address::Old,
            acts: Vec::new(),
            asked: Vec::new(),
            decided: Vec::new(),
            situations: Vec::new(),
            breaches: Vec::new(),
        }
    }

    pub(crate) fn record_breach(&mut self, breach: Breach) {
        insert(&mut self.breaches, breach);
    }

    pub(crate) fn record(&mut self, situation: Situation) {
        insert(&mut self.situations, situation);
    }

    pub(crate) fn has_seen(&self, situation: Situation) -> bool {
        self.situations.binary_search(&situation).is_ok()
    }

    pub(crate) fn has_acted(&self, click: Click) -> bool {
        self.acts.binary_search(&click).is_ok()
    }

    fn check(&mut self, breached: bool, breach: Breach) {
        if breached {
            self.record_breach(breach);
        }
    }
}

impl World {
    /// Records a transaction of the desk that is about to be carried out.
    pub(crate) fn observe_desk(&mut self, write: &DeskWrite) {
        let credential = self.table.credential;
        let settles = matches!(write.effect, Effect::Settle { change: None, .. });
        self.witness.check(credential.ended && !settles, Breach::ActedAfterEnd);
        self.witness.acts.push(write.click);
        self.witness.acts.sort_unstable();
        match write.effect {
            Effect::Ask(approval) => self.observe_request(write, &approval),
            Effect::Do(change) => {
                let reissue = matches!(change, Change::Reissue { .. });
                let taken_over = reissue && (credential.changed || credential.handed_over);
                self.witness.check(taken_over, Breach::TakenOverByOne);
                let another = write.if_issue.is_some_and(|issue| issue != credential.issue);
                self.witness.check(reissue && another, Breach::ReplacedAnother);
                self.observe_change(change);
            }
            Effect::Settle { approval, change } => self.observe_decision(write, &approval, change),
        }
    }

    fn observe_request(&mut self, write: &DeskWrite, approval: &Approval) {
        let last = self.table.approval;
        self.witness.check(last.is_some_and(|last| last.is_pending(write.asked_at)), Breach::ApprovalReplaced);
        if last.is_some_and(|last| !last.is_decided) {
            self.witness.record(Situation::AskedAgain);
        }
        let state = SeenState::new(&self.table.credential, self.table.mail);
        self.witness.asked.push(Asked { id: approval.id, at: write.asked_at, state });
    }

    fn observe_decision(&mut self, write: &DeskWrite, approval: &Approval, change: Option<Change>) {
        self.witness.decided.push(approval.id);
        self.witness.decided.sort_unstable();
        let Some(asked) = self.witness.asked.iter().find(|asked| asked.id == approval.id).copied() else { return };
        let alone = asked.id.by.is_same_person(write.click.by);
        self.witness.check(alone, Breach::DecidedByAsker);
        self.witness.check(asked.at + APPROVAL_LIFETIME <= write.asked_at, Breach::DecidedLate);
        let state = SeenState::new(&self.table.credential, self.table.mail);
        let Some(change) = change else {
            let overtaken = asked.state != state || self.table.credential.ended;
            self.witness.record(if overtaken { Situation::Overtaken } else { Situation::Rejected });
            return;
        };
        self.witness.record(Situation::Approved);
        let early = asked.state.handed_over && write.asked_at < asked.at + APPROVAL_WAIT;
        self.witness.check(early, Breach::DecidedEarly);
        self.witness.check(asked.state != state, Breach::DoneOtherwise);
        if let Some(address) = change.added()
            && !alone
        {
            self.witness.consented = self.witness.consented.with(address);
        }
        self.observe_change(change);
    }

    fn observe_change(&mut self, change: Change) {
        if matches!(change, Change::Reissue { .. }) && self.table.service.status == Status::Retired {
            self.witness.record(Situation::Reopened);
        }
        let witness = &mut self.witness;
        // The old address is the one that should be on file, whatever the transaction read.
        let (added, removed) = match change {
            Change::Reissue { to: Some(to), keeps_old, .. } => {
                let old = witness.on_file;
                witness.on_file = to;
                (Some(to), (!keeps_old).then_some(old))
            }
            other => (other.added(), other.removed()),
        };
        if let Some(address) = added {
            (witness.listed, witness.removed) = (witness.listed.with(address), witness.removed.without(address));
        }
        if let Some(address) = removed {
            (witness.listed, witness.removed) = (witness.listed.without(address), witness.removed.with(address));
        }
    }

    /// Records that an event added its portal users, except those whom the desk has removed.
    pub(crate) fn observe_event(&mut self) {
        self.witness.listed = self.witness.listed.union(Addresses::OF_PAID_EVENT.minus(self.witness.removed));
    }

    /// Records that a next issue moves the retrievals that were read into the history.
    pub(crate) fn observe_moved(&mut self, reading: Reading) {
        let credential = self.table.credential;
        let lost = !credential.signed_in && credential.retrieved != reading.retrieved;
        self.witness.check(lost, Breach::LostFromHistory);
    }

    /// Records that a retrieval or a replay is admitted.
    pub(crate) fn observe_admission(&mut self, address: Address) {
        self.witness.check(self.witness.removed.contains(address), Breach::ShownToRemoved);
    }

    pub(crate) fn observe_disclosure(&mut self, address: Address, issue: u8) {
        self.witness.check(!self.witness.consented.contains(address), Breach::ShownToStranger);
        if address == Address::New && issue == 2 {
            self.witness.record(Situation::NewShown);
        }
    }

    fn has_breach(&self, breach: Breach) -> bool {
        self.witness.breaches.contains(&breach)
    }

    fn has_complete_history(&self) -> bool {
        self.table.history == self.witness.entries && !self.has_breach(Breach::LostFromHistory)
    }

    fn has_good_session_from_before(&self) -> bool {
        let before = |session: &Session| session.since != self.table.service.changes;
        self.table.sessions.iter().any(|session| session.is_good(&self.table) && before(session))
    }

    fn lists_pending_approvals_alone(&self) -> bool {
        let pending = self.table.approval.filter(|approval| approval.is_pending(self.now)).map(|approval| approval.id);
        let listed = self.table.copies.iter().filter(|(_, expires_at)| self.now < *expires_at).map(|(id, _)| *id);
        listed.eq(pending)
    }
}

impl DeskModel {
    /// Queues the announcement of an act, where the scope has announcements.
    pub(crate) fn announce_later(&self, world: &mut World, write: &DeskWrite) {
        if !self.scope.with_notices {
            return;
        }
        let newcomer = match write.effect {
            Effect::Ask(approval) => Change::new(approval.act, &world.table.credential, world.table.mail).added(),
            Effect::Do(_) | Effect::Settle { .. } => None,
        };
        let concerns = world.table.credential.portal_users.with(world.table.mail.to);
        world.unannounced.push(Entry { concerns, newcomer });
    }

    /// Announces the oldest act to those whom the table names now.
    pub(crate) fn announce(&self, world: &mut World) {
        let entry = world.unannounced.remove(0);
        let mut told = world.table.recipients();
        if let (Variant::NewAddressTold, Some(newcomer)) = (self.variant, entry.newcomer) {
            told = told.with(newcomer);
        }
        world.witness.check(!entry.concerns.is_within(told), Breach::NotTold);
        let early = self.scope.approval_required && !told.is_within(world.witness.consented);
        world.witness.check(early, Breach::ToldEarly);
    }

    fn lets_in_by_two(&self, world: &World) -> bool {
        !self.scope.approval_required || world.table.credential.portal_users.is_within(world.witness.consented)
    }

    fn shows_passwords_to_known(&self, world: &World) -> bool {
        let mailed = world.table.mails_password(self.variant);
        let stranger = mailed && !world.witness.consented.contains(world.table.mail.to);
        !self.scope.approval_required || !(stranger || world.has_breach(Breach::ShownToStranger))
    }

    fn shows_removed_nothing(&self, world: &World) -> bool {
        let mailed = world.table.mails_password(self.variant);
        let removed = mailed && world.witness.removed.contains(world.table.mail.to);
        !removed && !world.has_breach(Breach::ShownToRemoved)
    }
}

/// Returns the invariants that `desk.md` and `protocol.md` number.
pub(crate) fn numbered_properties() -> Vec<Property<DeskModel>> {
    vec![
        Property::always(NO_WAY_IN_BY_ONE, DeskModel::lets_in_by_two),
        Property::always(NO_PASSWORD_BY_ONE, DeskModel::shows_passwords_to_known),
        Property::always(NOT_TAKEN_OVER_BY_ONE, |model: &DeskModel, world: &World| {
            !model.scope.approval_required || !world.has_breach(Breach::TakenOverByOne)
        }),
        Property::always(HISTORY_COMPLETE, |_, world: &World| world.has_complete_history()),
        Property::always(ANNOUNCED, |_, world: &World| !world.has_breach(Breach::NotTold)),
        Property::always(NO_SESSION_FROM_BEFORE, |_, world: &World| !world.has_good_session_from_before()),
        Property::always(NOTHING_SHOWN_FROM_BEFORE, |_, world: &World| {
            world.table.credential.sealed.is_none_or(|issue| issue == world.table.credential.issue)
        }),
        Property::always(DECIDED_ONCE, |_, world: &World| {
            world.witness.decided.windows(2).all(|pair| pair[0] != pair[1])
        }),
        Property::always(DECIDED_BY_ANOTHER, |_, world: &World| !world.has_breach(Breach::DecidedByAsker)),
        Property::always(DECIDED_IN_TIME, |_, world: &World| !world.has_breach(Breach::DecidedLate)),
        Property::always(DECIDED_AFTER_WAIT, |_, world: &World| !world.has_breach(Breach::DecidedEarly)),
        Property::always(DONE_AS_SEEN, |_, world: &World| !world.has_breach(Breach::DoneOtherwise)),
        Property::always(WAY_IN, |_, world: &World| {
            !world.table.service.temporary || world.table.service.status == Status::Active
        }),
    ]
}

/// Returns the other properties, those of the approval, the click and the set of portal users.
pub(crate) fn further_properties() -> Vec<Property<DeskModel>> {
    vec![
        Property::always(NOT_ANNOUNCED_EARLY, |_, world: &World| !world.has_breach(Breach::ToldEarly)),
        Property::always(ONE_APPROVAL, |_, world: &World| !world.has_breach(Breach::ApprovalReplaced)),
        Property::always(COPIES_PENDING, |_, world: &World| world.lists_pending_approvals_alone()),
        Property::always(ACTED_ONCE, |_, world: &World| world.witness.acts.windows(2).all(|pair| pair[0] != pair[1])),
        Property::always(REFUSALS_ARE_TRUE, |_, world: &World| !world.has_breach(Breach::FalseRefusal)),
        Property::always(REPLACES_WHAT_WAS_SEEN, |_, world: &World| !world.has_breach(Breach::ReplacedAnother)),
        Property::always(RIGHTS_AS_DECIDED, |_, world: &World| {
            world.table.credential.portal_users == world.witness.listed
        }),
        Property::always(NOTHING_FOR_REMOVED, DeskModel::shows_removed_nothing),
        Property::always(LAST_ONE_STAYS, |_, world: &World| !world.table.credential.portal_users.is_empty()),
        Property::always(ON_FILE_AS_DECIDED, |_, world: &World| world.table.mail.to == world.witness.on_file),
        Property::always(NOTHING_AFTER_END, |_, world: &World| !world.has_breach(Breach::ActedAfterEnd)),
    ]
}
