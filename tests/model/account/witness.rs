//! Records what an observer of the table would see, and states the invariants over it. The protocol never reads any of this.

use stateright::Property;

use super::next_issue::Cause;
use super::table::{Account, Click, Credential, SERVICE, Session, Status, Time};
use super::{AccountModel, World};

pub(crate) const NO_SESSION_FROM_BEFORE: &str = "8: a reset, a reissue or a retirement ends every earlier session";
pub(crate) const NO_RESET_FROM_BEFORE: &str = "8: no session from before such a change resets the password";
pub(crate) const NO_CREATION_FROM_BEFORE: &str = "8: no session from before such a change creates an administrator";
pub(crate) const NO_RETRIEVAL_ENDED_FROM_BEFORE: &str =
    "8: no password from before such a change, or of an earlier issue, ends a retrieval";
pub(crate) const NOT_SHOWN_AFTER_SIGN_IN: &str = "3: no password is shown after a sign-in with it";
pub(crate) const NO_RESET_AFTER_EXPIRY: &str =
    "no reset that was requested after a temporary password expired succeeds";
pub(crate) const ONE_RESET: &str = "each temporary password is reset at most once, however many sessions it began";
pub(crate) const NOT_LOCKED_OUT: &str =
    "6: the service administrator is retired only when an administrator has signed in";
pub(crate) const UNUSED_REISSUE_GOOD: &str =
    "6: the first sign-in of an administrator does not void a reissue that waits to be used";
pub(crate) const RETIREMENT_NOT_LOST: &str =
    "once an administrator has signed in, the service administrator is retired until the next reissue";
pub(crate) const REFUSALS_ARE_TRUE: &str = "no click that was carried out is answered with a refusal";
pub(crate) const STARTED_ONCE: &str = "each next issue is started once, with one password";
pub(crate) const ONE_ISSUE_FOR_PAID: &str = "5: the paid event starts at most one issue, however often it is delivered";
pub(crate) const NONE_AFTER_HAND_OVER: &str = "after the hand-over neither a portal user nor an event starts an issue";
pub(crate) const RENEWED_WITH_REASON: &str =
    "a renewal replaces only an issue that is expired, unchanged and not used up";
pub(crate) const RENEWALS_BOUNDED: &str = "a subscription is renewed at most as often as allowed";
pub(crate) const ANSWERED_WITH_OWN_ISSUE: &str =
    "a renewal is answered with an issue that began since it was asked for, or that a recent renewal started";
pub(crate) const HISTORY_COMPLETE: &str = "the history has every entry, retrievals included, under consecutive numbers";

/// A violation that leaves no trace in the table, so the witness records it when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Breach {
    ResetFromBefore,
    CreatedFromBefore,
    RetrievalEndedFromBefore,
    ResetAfterExpiry,
    ResetTwice,
    FalseRefusal,
    LostFromHistory,
    StartedAfterHandOver,
    RenewedWithoutReason,
    AnsweredWithAnothersIssue,
    UnusedReissueVoided,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a situation that was seen or not")]
pub(crate) struct Witness {
    /// The number of history entries that were written.
    pub(crate) entries: u8,
    /// The issues whose temporary password was reset.
    reset: Vec<u8>,
    /// Whether a reissue made the service administrator's account active, or left it active, beside an administrator who has signed in.
    pub(crate) reopened: bool,
    /// Whether a reset in a session of a temporary password was refused because the session had ended.
    pub(crate) second_reset_refused: bool,
    pub(crate) name_taken: bool,
    pub(crate) renewal_refused: bool,
    /// The next issues in order: what started each, and when that was asked for.
    pub(crate) started: Vec<(Cause, Time)>,
    breaches: Vec<Breach>,
}

impl Witness {
    pub(crate) fn with_entries(entries: u8) -> Self {
        Self { entries, ..Self::default() }
    }

    pub(crate) fn count_started(&self, cause: Cause) -> usize {
        self.started.iter().filter(|(own, _)| *own == cause).count()
    }

    pub(crate) fn record_breach(&mut self, breach: Breach) {
        if let Err(place) = self.breaches.binary_search(&breach) {
            self.breaches.insert(place, breach);
        }
    }

    pub(crate) fn has_breach(&self, breach: Breach) -> bool {
        self.breaches.contains(&breach)
    }

    /// Records that a transaction ends the retrieval of `credential` and moves this many entries into the history.
    pub(crate) fn record_moved(&mut self, credential: Credential, retrievals: u8) {
        if !credential.signed_in && credential.retrievals != retrievals {
            self.record_breach(Breach::LostFromHistory);
        }
    }

    /// Records that `session` resets the password of `account`, given as it was before.
    pub(crate) fn record_reset(&mut self, session: &Session, account: &Account, asked_at: Time) {
        if is_from_before(session, account) {
            self.record_breach(Breach::ResetFromBefore);
        }
        if account.temporary.is_some_and(|temporary| temporary.expires_at <= asked_at) {
            self.record_breach(Breach::ResetAfterExpiry);
        }
        if let Some(issue) = session.temporary {
            if self.reset.contains(&issue) {
                self.record_breach(Breach::ResetTwice);
            } else {
                self.reset.push(issue);
            }
        }
    }

    /// Records that `session` ends the retrieval of `credential`: only a session of that issue, begun since its account's last
    /// change, may.
    pub(crate) fn record_end_of_retrieval(&mut self, session: &Session, account: &Account, credential: Credential) {
        if session.temporary != Some(credential.issue) || is_from_before(session, account) {
            self.record_breach(Breach::RetrievalEndedFromBefore);
        }
    }

    pub(crate) fn record_creation(&mut self, session: &Session, creator: &Account) {
        if is_from_before(session, creator) {
            self.record_breach(Breach::CreatedFromBefore);
        }
    }
}

fn is_from_before(session: &Session, account: &Account) -> bool {
    session.since != account.changes || account.status != Status::Active
}

impl World {
    /// Returns whether no good session is older than the last change of its account. A session counts from its write on, even if no
    /// person has its token.
    fn good_sessions_are_current(&self, model: &AccountModel) -> bool {
        self.table.sessions.iter().all(|session| {
            let account = self.table.accounts[session.account].as_ref();
            account.is_none_or(|account| {
                !session.is_good(model.variant, account, self.now) || !is_from_before(session, account)
            })
        })
    }

    fn is_shown_after_sign_in(&self) -> bool {
        let credential = &self.table.credential;
        let issue = Some(credential.issue);
        let begun = |session: &Session| session.account == SERVICE && session.temporary == issue;
        credential.sealed && self.table.sessions.iter().any(begun)
    }

    /// Returns whether the retirement is missing; between the two writes of the mutants that write twice, it is not yet.
    fn has_lost_retirement(&self) -> bool {
        let stays = self.table.service().status == Status::Active && !self.witness.reopened;
        stays && self.table.has_first_sign_in() && !self.has_retirement_under_way()
    }

    /// Records a refusal because the session has ended or the name is taken: a breach if this very click was carried out.
    pub(crate) fn observe_refusal(&mut self, click: Click, done: bool) {
        if done {
            self.witness.record_breach(Breach::FalseRefusal);
        }
        let temporary = self.people[click.person].session().is_some_and(|session| session.temporary.is_some());
        self.witness.second_reset_refused |= temporary && !self.witness.reset.is_empty();
    }
}

pub(crate) fn properties() -> Vec<Property<AccountModel>> {
    vec![
        Property::always(NO_SESSION_FROM_BEFORE, |model, world: &World| world.good_sessions_are_current(model)),
        Property::always(NO_RESET_FROM_BEFORE, |_, world: &World| !world.witness.has_breach(Breach::ResetFromBefore)),
        Property::always(NO_CREATION_FROM_BEFORE, |_, world: &World| {
            !world.witness.has_breach(Breach::CreatedFromBefore)
        }),
        Property::always(NO_RETRIEVAL_ENDED_FROM_BEFORE, |_, world: &World| {
            !world.witness.has_breach(Breach::RetrievalEndedFromBefore)
        }),
        Property::always(NOT_SHOWN_AFTER_SIGN_IN, |_, world: &World| !world.is_shown_after_sign_in()),
        Property::always(NO_RESET_AFTER_EXPIRY, |_, world: &World| !world.witness.has_breach(Breach::ResetAfterExpiry)),
        Property::always(ONE_RESET, |_, world: &World| !world.witness.has_breach(Breach::ResetTwice)),
        Property::always(NOT_LOCKED_OUT, |_, world: &World| {
            world.table.service().status == Status::Active || world.table.has_first_sign_in()
        }),
        Property::always(UNUSED_REISSUE_GOOD, |_, world: &World| {
            !world.witness.has_breach(Breach::UnusedReissueVoided)
        }),
        Property::always(RETIREMENT_NOT_LOST, |_, world: &World| !world.has_lost_retirement()),
        Property::always(REFUSALS_ARE_TRUE, |_, world: &World| !world.witness.has_breach(Breach::FalseRefusal)),
        Property::always(STARTED_ONCE, |_, world: &World| {
            world.witness.started.len() + 1 == usize::from(world.table.credential.issue)
        }),
        Property::always(ONE_ISSUE_FOR_PAID, |_, world: &World| world.witness.count_started(Cause::Paid) <= 1),
        Property::always(NONE_AFTER_HAND_OVER, |_, world: &World| {
            !world.witness.has_breach(Breach::StartedAfterHandOver)
        }),
        Property::always(RENEWED_WITH_REASON, |_, world: &World| {
            !world.witness.has_breach(Breach::RenewedWithoutReason)
        }),
        Property::always(RENEWALS_BOUNDED, |model: &AccountModel, world: &World| {
            world.witness.count_started(Cause::Renewal) <= usize::from(model.scope.renewals)
        }),
        Property::always(ANSWERED_WITH_OWN_ISSUE, |_, world: &World| {
            !world.witness.has_breach(Breach::AnsweredWithAnothersIssue)
        }),
        Property::always(HISTORY_COMPLETE, |_, world: &World| {
            world.table.history == world.witness.entries && !world.witness.has_breach(Breach::LostFromHistory)
        }),
    ]
}
