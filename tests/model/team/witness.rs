//! Records what an observer of the table would see, and states the invariants over it. The protocol never reads any of this.

use stateright::Property;

use super::table::{AccountId, Date, Password, SERVICE, Session, Status, Table};
use super::{TeamModel, Variant, World};

pub(crate) const WAY_IN: &str =
    "14: a subscription that has not ended has an active service administrator or a proven administrator";
pub(crate) const NOT_SHARED: &str = "15: no password that another person has seen signs anybody in for good";
pub(crate) const NOTHING_AFTER_END: &str = "16: after an end was acknowledged, no session is good and no act happens";
pub(crate) const NOT_SHOWN_AFTER_END: &str = "16: after the end no password is retrieved";
pub(crate) const NO_SESSION_FROM_EARLIER_LIFE: &str = "16: no session from before an end is good after a later start";
pub(crate) const ALL_CLOSED: &str = "16: once an end is acknowledged, all accounts are closed";
pub(crate) const NO_ACT_FROM_BEFORE: &str = "8: no session from before a reset, a removal or an end acts";
pub(crate) const NO_SESSION_FROM_BEFORE: &str = "8: a reset, a removal and an end make every earlier session void";
pub(crate) const REMOVED_STAY_OUT: &str = "an administrator who was removed has no good session";
pub(crate) const OWN_PASSWORD_ASKED: &str = "an act needs the password of its session";
pub(crate) const SHOWN_IS_STORED: &str = "a temporary password is shown only by the attempt that has stored it";
pub(crate) const CREDENTIAL_UNTOUCHED: &str = "no sign-in or choice of an administrator touches the credential";
pub(crate) const LATEST_HOLDS: &str = "the latest of starts and ends holds, by the dates of the events";
pub(crate) const CLOSED_IN_ITS_END: &str = "no account is closed by an end that is over";
pub(crate) const FORMER_CLOSED: &str = "a later start finds the former administrators closed";
pub(crate) const LIVE_STAYS: &str = "no purge deletes an item of a subscription that has started again";
pub(crate) const NOTHING_FORGOTTEN: &str = "what has ended is listed for the purge until nothing of it is left";

/// A violation that leaves no trace in the table, so the witness records it when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Breach {
    SharedForGood,
    ActedAfterEnd,
    ActedFromBefore,
    ActedWithoutPassword,
    ShownUnstored,
    CredentialTouched,
    ClosedByAnEndThatIsOver,
    FormerAdministratorOpen,
    LiveItemPurged,
}

/// A situation that a test of the design must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Situation {
    RefusedAsRemoved,
    Shown,
    NotShown,
    Chosen,
    OpenedAgain,
    ServiceRemoved,
    StartedAgain,
    StartWaited,
    Purged,
    StartedAfterPurge,
    PurgeOvertaken,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    /// The accounts that were removed and not opened again, sorted.
    pub(crate) removed: Vec<AccountId>,
    /// The passwords that were stored by an act on another's account.
    stored: Vec<Password>,
    /// The number of ends.
    era: u8,
    /// The latest start and end that were delivered, and those that were acknowledged.
    delivered: (Date, Date),
    acknowledged: (Date, Date),
    situations: Vec<Situation>,
    breaches: Vec<Breach>,
}

fn insert<T: Ord>(sorted: &mut Vec<T>, one: T) {
    if let Err(place) = sorted.binary_search(&one) {
        sorted.insert(place, one);
    }
}

impl Witness {
    pub(crate) fn new(table: &Table) -> Self {
        let dates = (table.life.started, table.life.ended);
        let (removed, stored, situations, breaches) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let era = u8::from(table.life.ended > 0);
        Self { removed, stored, era, delivered: dates, acknowledged: dates, situations, breaches }
    }

    pub(crate) fn record(&mut self, situation: Situation) {
        insert(&mut self.situations, situation);
    }

    pub(crate) fn has_seen(&self, situation: Situation) -> bool {
        self.situations.binary_search(&situation).is_ok()
    }

    pub(crate) fn check(&mut self, breached: bool, breach: Breach) {
        if breached {
            insert(&mut self.breaches, breach);
        }
    }

    fn has_breach(&self, breach: Breach) -> bool {
        self.breaches.contains(&breach)
    }

    pub(crate) fn era(&self) -> u8 {
        self.era
    }

    pub(crate) fn record_stored(&mut self, password: Password) {
        insert(&mut self.stored, password);
    }

    pub(crate) fn observe_shown(&mut self, password: &Password) {
        self.record(Situation::Shown);
        let stored = self.stored.iter().any(|stored| stored.is_same(password));
        self.check(!stored, Breach::ShownUnstored);
    }

    pub(crate) fn begin_end(&mut self, date: Date) {
        self.delivered.1 = self.delivered.1.max(date);
    }

    pub(crate) fn begin_start(&mut self, date: Date) {
        self.delivered.0 = self.delivered.0.max(date);
    }

    pub(crate) fn acknowledge_end(&mut self, date: Date) {
        self.acknowledged.1 = self.acknowledged.1.max(date);
    }

    pub(crate) fn acknowledge_start(&mut self, date: Date) {
        self.acknowledged.0 = self.acknowledged.0.max(date);
    }

    pub(crate) fn end(&mut self) {
        self.era += 1;
    }

    /// Returns whether an end is acknowledged, and every start that was delivered is as old or older.
    pub(crate) fn is_end_acknowledged(&self) -> bool {
        self.acknowledged.1 > 0 && self.acknowledged.1 >= self.delivered.0
    }

    /// Returns whether a start is acknowledged, and every end that was delivered is older.
    fn is_start_acknowledged(&self) -> bool {
        self.acknowledged.0 > self.delivered.1
    }
}

impl World {
    /// Records an act in a session that is about to be carried out.
    pub(crate) fn observe_act(&mut self, session: &Session) {
        let account = self.table.accounts[session.account];
        let before = account.is_none_or(|account| account.changes != session.since);
        self.witness.check(before, Breach::ActedFromBefore);
        self.observe_desk();
    }

    /// Records a transaction that is about to be carried out.
    pub(crate) fn observe_desk(&mut self) {
        let ended = self.table.credential.is_none_or(|credential| credential.ended.is_some());
        self.witness.check(ended, Breach::ActedAfterEnd);
    }

    fn has_way_in(&self) -> bool {
        let open = self.table.credential.is_some_and(|credential| credential.ended.is_none());
        let is_active = |id: AccountId| self.table.accounts[id].is_some_and(|one| one.status == Status::Active);
        let mut administrators = self.table.accounts.iter().skip(1).flatten();
        !open || is_active(SERVICE) || administrators.any(super::table::Account::is_proven)
    }

    fn is_ended(&self) -> bool {
        self.table.credential.is_none_or(|credential| credential.ended.is_some())
    }

    fn good_sessions(&self, variant: Variant) -> impl Iterator<Item = &Session> {
        self.table.sessions.iter().filter(move |session| session.is_good(variant, &self.table))
    }

    fn has_latest(&self) -> bool {
        let ended = !self.witness.is_end_acknowledged() || self.is_ended();
        let started = !self.witness.is_start_acknowledged() || !self.is_ended();
        ended && started
    }

    fn is_closed_when_acknowledged(&self) -> bool {
        let acknowledged = self.witness.is_end_acknowledged() && self.is_ended();
        !acknowledged || self.table.accounts.iter().flatten().all(|account| account.status != Status::Active)
    }

    fn forgets_nothing(&self) -> bool {
        let listed = |date: Date| self.table.purges.iter().any(|(listed, _)| *listed == date);
        match self.table.credential.map(|credential| credential.ended) {
            Some(Some(date)) => listed(date),
            Some(None) => true,
            None => !self.table.purges.is_empty() || self.table.accounts.iter().all(Option::is_none),
        }
    }

    /// Returns whether a portal user could retrieve the password now.
    fn is_retrievable(&self, variant: Variant) -> bool {
        self.table.credential.is_some_and(|credential| {
            let open = credential.ended.is_none() || variant == Variant::RetrievableAfterEnd;
            credential.sealed && !credential.signed_in && !credential.changed && open
        })
    }
}

impl TeamModel {
    /// Observes the world after a step.
    pub(crate) fn observe(&self, world: &mut World) {
        for person in 0..world.people.len() {
            let acts = self.is_act_without_password(world, person);
            world.witness.check(acts, Breach::ActedWithoutPassword);
        }
    }

    /// Returns whether a thief is about to act in another person's session.
    fn is_act_without_password(&self, world: &World, person: usize) -> bool {
        let steals = self.scope.people[person].steals_from.is_some();
        steals && world.people[person].run.as_ref().is_some_and(super::process::Run::has_session)
    }
}

/// Returns the invariants.
pub(crate) fn properties() -> Vec<Property<TeamModel>> {
    vec![
        Property::always(WAY_IN, |_, world: &World| world.has_way_in()),
        Property::always(NOT_SHARED, |_, world: &World| !world.witness.has_breach(Breach::SharedForGood)),
        Property::always(NOTHING_AFTER_END, |model: &TeamModel, world: &World| {
            let quiet = !world.is_ended() || world.good_sessions(model.variant).next().is_none();
            quiet && !world.witness.has_breach(Breach::ActedAfterEnd)
        }),
        Property::always(NOT_SHOWN_AFTER_END, |model: &TeamModel, world: &World| {
            !world.is_ended() || !world.is_retrievable(model.variant)
        }),
        Property::always(NO_SESSION_FROM_EARLIER_LIFE, |model: &TeamModel, world: &World| {
            world.is_ended() || world.good_sessions(model.variant).all(|session| session.era == world.witness.era)
        }),
        Property::always(ALL_CLOSED, |_, world: &World| world.is_closed_when_acknowledged()),
        Property::always(NO_ACT_FROM_BEFORE, |_, world: &World| !world.witness.has_breach(Breach::ActedFromBefore)),
        Property::always(NO_SESSION_FROM_BEFORE, |model: &TeamModel, world: &World| {
            let changes = |session: &Session| world.table.accounts[session.account].map(|account| account.changes);
            world.good_sessions(model.variant).all(|session| changes(session) == Some(session.since))
        }),
        Property::always(REMOVED_STAY_OUT, |model: &TeamModel, world: &World| {
            let mut good = world.good_sessions(model.variant);
            good.all(|session| !world.witness.removed.contains(&session.account))
        }),
        Property::always(OWN_PASSWORD_ASKED, |_, world: &World| {
            !world.witness.has_breach(Breach::ActedWithoutPassword)
        }),
        Property::always(SHOWN_IS_STORED, |_, world: &World| !world.witness.has_breach(Breach::ShownUnstored)),
        Property::always(CREDENTIAL_UNTOUCHED, |_, world: &World| !world.witness.has_breach(Breach::CredentialTouched)),
        Property::always(LATEST_HOLDS, |_, world: &World| world.has_latest()),
        Property::always(CLOSED_IN_ITS_END, |_, world: &World| {
            !world.witness.has_breach(Breach::ClosedByAnEndThatIsOver)
        }),
        Property::always(FORMER_CLOSED, |_, world: &World| !world.witness.has_breach(Breach::FormerAdministratorOpen)),
        Property::always(LIVE_STAYS, |_, world: &World| !world.witness.has_breach(Breach::LiveItemPurged)),
        Property::always(NOTHING_FORGOTTEN, |_, world: &World| world.forgets_nothing()),
    ]
}
