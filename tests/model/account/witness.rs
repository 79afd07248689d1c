//! What an observer beside the table writes down, and the invariants over it. The protocol never reads any of this.

use stateright::Property;

use super::table::{Account, Click, Credential, SERVICE, Session, Status, Time};
use super::{Accounts, World};

pub(crate) const NO_SESSION_FROM_BEFORE: &str =
    "8: after reset, reissue or retirement no session from before it is good";
pub(crate) const NO_RESET_FROM_BEFORE: &str = "8: no session from before such a change resets the password";
pub(crate) const NOBODY_CREATED_FROM_BEFORE: &str = "8: no session from before such a change creates an administrator";
pub(crate) const NO_RETRIEVAL_ENDED_FROM_BEFORE: &str =
    "8: no password from before such a change ends a retrieval, nor that of an issue after its own";
pub(crate) const NOT_SHOWN_AFTER_SIGN_IN: &str = "3: no password is shown that somebody has signed in with";
pub(crate) const NO_RESET_AFTER_EXPIRY: &str = "no temporary password is reset by who asked after its expiry";
pub(crate) const ONE_RESET: &str = "each temporary password is reset once, however many are signed in with it";
pub(crate) const SOMEBODY_HAS_A_WAY_IN: &str =
    "6: the service administrator is retired only when an administrator has signed in";
pub(crate) const RETIREMENT_NOT_LOST: &str =
    "once an administrator has signed in, the service administrator is retired until the next reissue";
pub(crate) const TOLD_THE_TRUTH: &str = "nobody is told that nothing was done by a click that was carried out";
pub(crate) const HISTORY_COMPLETE: &str = "the history has every entry, retrievals included, under consecutive numbers";

/// Something that must not happen at one moment, and leaves no trace in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Breach {
    ResetFromBefore,
    CreatedFromBefore,
    RetrievalEndedFromBefore,
    ResetAfterExpiry,
    ResetTwice,
    ToldOtherwise,
    LostFromHistory,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    /// History entries that were written.
    pub(crate) entries: u8,
    /// Issues whose temporary password was reset.
    reset: Vec<u8>,
    /// A reissue made the service administrator's account active again, or kept it so, after the hand-over.
    pub(crate) reopened: bool,
    /// Somebody with a session of a temporary password was told that it had ended.
    pub(crate) second_reset_refused: bool,
    pub(crate) name_taken: bool,
    breaches: Vec<Breach>,
}

impl Witness {
    pub(crate) fn with_entries(entries: u8) -> Self {
        Self { entries, ..Self::default() }
    }

    pub(crate) fn breach(&mut self, breach: Breach) {
        if let Err(place) = self.breaches.binary_search(&breach) {
            self.breaches.insert(place, breach);
        }
    }

    pub(crate) fn breached(&self, breach: Breach) -> bool {
        self.breaches.contains(&breach)
    }

    /// A transaction ends the retrieval of `credential` and moves so many entries into the history.
    pub(crate) fn moved(&mut self, credential: Credential, retrievals: u8) {
        if !credential.signed_in && credential.retrievals != retrievals {
            self.breach(Breach::LostFromHistory);
        }
    }

    /// `session` resets the password of `account`, which is as it was before.
    pub(crate) fn reset(&mut self, session: &Session, account: &Account, asked_at: Time) {
        if is_from_before(session, account) {
            self.breach(Breach::ResetFromBefore);
        }
        if account.temporary.is_some_and(|temporary| temporary.expires_at <= asked_at) {
            self.breach(Breach::ResetAfterExpiry);
        }
        if let Some(issue) = session.temporary {
            if self.reset.contains(&issue) {
                self.breach(Breach::ResetTwice);
            } else {
                self.reset.push(issue);
            }
        }
    }

    /// `session` ends the retrieval of `credential`, and of nothing that came before it or after its account's last change.
    pub(crate) fn retrieval_ended(&mut self, session: &Session, account: &Account, credential: Credential) {
        if session.temporary != Some(credential.issue) || is_from_before(session, account) {
            self.breach(Breach::RetrievalEndedFromBefore);
        }
    }

    pub(crate) fn created(&mut self, session: &Session, creator: &Account) {
        if is_from_before(session, creator) {
            self.breach(Breach::CreatedFromBefore);
        }
    }
}

fn is_from_before(session: &Session, account: &Account) -> bool {
    session.since != account.changes || account.status != Status::Active
}

impl World {
    /// A session begins when it is written, whether or not anybody has its token.
    fn good_sessions_are_of_today(&self, model: &Accounts) -> bool {
        self.table.sessions.iter().all(|session| {
            let account = self.table.accounts[session.account].as_ref();
            account.is_none_or(|account| {
                !session.is_good(model.variant, account, self.now) || !is_from_before(session, account)
            })
        })
    }

    fn shown_after_sign_in(&self) -> bool {
        let credential = &self.table.credential;
        let issue = Some(credential.issue);
        let begun = |session: &Session| session.account == SERVICE && session.temporary == issue;
        credential.sealed && self.table.sessions.iter().any(begun)
    }

    /// Apart from the moment between two writes, in the mutants that write twice.
    fn retirement_is_lost(&self) -> bool {
        let stays = self.table.service().status == Status::Active && !self.witness.reopened;
        stays && self.table.signed_in_for_the_first_time() && !self.retirement_is_under_way()
    }

    /// Whoever is told that a session has ended, or that a name is taken, has not done it by this click.
    pub(crate) fn witness_refusal(&mut self, click: Click, done: bool) {
        if done {
            self.witness.breach(Breach::ToldOtherwise);
        }
        let temporary = self.people[click.person].session().is_some_and(|session| session.temporary.is_some());
        self.witness.second_reset_refused |= temporary && !self.witness.reset.is_empty();
    }
}

pub(crate) fn properties() -> Vec<Property<Accounts>> {
    vec![
        Property::always(NO_SESSION_FROM_BEFORE, |model, world: &World| world.good_sessions_are_of_today(model)),
        Property::always(NO_RESET_FROM_BEFORE, |_, world: &World| !world.witness.breached(Breach::ResetFromBefore)),
        Property::always(NOBODY_CREATED_FROM_BEFORE, |_, world: &World| {
            !world.witness.breached(Breach::CreatedFromBefore)
        }),
        Property::always(NO_RETRIEVAL_ENDED_FROM_BEFORE, |_, world: &World| {
            !world.witness.breached(Breach::RetrievalEndedFromBefore)
        }),
        Property::always(NOT_SHOWN_AFTER_SIGN_IN, |_, world: &World| !world.shown_after_sign_in()),
        Property::always(NO_RESET_AFTER_EXPIRY, |_, world: &World| !world.witness.breached(Breach::ResetAfterExpiry)),
        Property::always(ONE_RESET, |_, world: &World| !world.witness.breached(Breach::ResetTwice)),
        Property::always(SOMEBODY_HAS_A_WAY_IN, |_, world: &World| {
            world.table.service().status == Status::Active || world.table.signed_in_for_the_first_time()
        }),
        Property::always(RETIREMENT_NOT_LOST, |_, world: &World| !world.retirement_is_lost()),
        Property::always(TOLD_THE_TRUTH, |_, world: &World| !world.witness.breached(Breach::ToldOtherwise)),
        Property::always(HISTORY_COMPLETE, |_, world: &World| {
            world.table.history == world.witness.entries && !world.witness.breached(Breach::LostFromHistory)
        }),
    ]
}
