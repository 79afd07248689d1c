//! Administrators who add, help and remove each other, the end of a subscription, and a later start, in the specification.

use std::fmt;

use super::{Account, LIFETIME, Label, Password, Person, Reply, Session, State, UserName, reply};

/// The latest start and the latest end, as the vendor dates them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Life {
    started: Option<u64>,
    ended: Option<u64>,
    /// Whether the subscription has ended.
    pub(super) has_ended: bool,
    /// Whether it has ended or had ended before a later start.
    pub(super) has_ended_before: bool,
}

/// Formats the line of an administrator in the list of administrators.
pub(crate) fn administrator_line(who: impl fmt::Display, active: bool) -> String {
    let closed = if active { "" } else { ", closed" };
    format!("administrator {who}{closed}")
}

/// Formats the line of a subscription that has ended.
pub(crate) fn ended_line(is_complete: bool) -> String {
    format!("ended, all accounts closed {is_complete}")
}

fn forbidden() -> Reply {
    reply(403, "forbidden")
}

impl State {
    /// Returns the administrator who acts on others in a session, with the current password, or the answer to who may not.
    fn actor(&self, session: Label, current: Password) -> Result<UserName, Reply> {
        let Some(Session { who, full, .. }) = self.valid_session(session) else {
            return Err(reply(401, "not-signed-in"));
        };
        let account = &self.accounts[&who];
        if !full || !self.is_proven(who) {
            return Err(forbidden());
        }
        if account.password != current || account.closed {
            return Err(reply(401, "invalid-credentials"));
        }
        Ok(who)
    }

    /// Returns whether an account is that of an administrator who has signed in and has a password of their own.
    pub(super) fn is_proven(&self, who: UserName) -> bool {
        let account = self.accounts.get(&who).filter(|_| who != UserName::Admin);
        account.is_some_and(|account| account.active && account.signed_in && !account.temporary)
    }

    pub(super) fn add(&mut self, session: Label, who: UserName, current: Password, click: (Label, Label)) -> Reply {
        let (key, gives) = click;
        if let Some(Session { who: UserName::Admin, full: true, .. }) = self.valid_session(session) {
            return reply(400, "invalid-request");
        }
        let by = match self.actor(session, current) {
            Ok(by) => by,
            Err(refusal) => return refusal,
        };
        let created_by = Some((by, key));
        if let Some(taken) = self.accounts.get(&who) {
            let is_same = taken.created_by == created_by;
            return if is_same { reply(201, "no password") } else { reply(409, "user-name-taken") };
        }
        let account = Account {
            password: Password::HandedOut(gives),
            temporary: true,
            active: true,
            version: 1,
            signed_in: false,
            closed: false,
            expires_at: self.now + LIFETIME,
            created_by,
        };
        self.accounts.insert(who, account);
        self.history.push(format!("administrator-created by {by}: {who}"));
        reply(201, "a password")
    }

    pub(super) fn help(&mut self, session: Label, who: UserName, current: Password, gives: Label) -> Reply {
        let by = match self.actor(session, current) {
            Ok(by) => by,
            Err(refusal) => return refusal,
        };
        if who == by {
            return forbidden();
        }
        let expires_at = self.now + LIFETIME;
        let account = self.accounts.get_mut(&who).filter(|_| who != UserName::Admin);
        let Some(account) = account else { return reply(404, "not-found") };
        (account.password, account.temporary, account.expires_at) = (Password::HandedOut(gives), true, expires_at);
        (account.active, account.closed) = (true, false);
        account.version += 1;
        self.history.push(format!("administrator-reset by {by}: {who}"));
        reply(200, "a password")
    }

    pub(super) fn remove(&mut self, session: Label, who: UserName, current: Password) -> Reply {
        let by = match self.actor(session, current) {
            Ok(by) => by,
            Err(refusal) => return refusal,
        };
        if who == by {
            let has_another = self.accounts.keys().any(|other| *other != by && self.is_proven(*other));
            return if has_another { forbidden() } else { reply(409, "last-administrator") };
        }
        let Some(account) = self.accounts.get_mut(&who) else { return reply(404, "not-found") };
        if account.active {
            account.active = false;
            account.version += 1;
            if who == UserName::Admin {
                self.withdraw();
            }
            self.history.push(format!("administrator-removed by {by}: {who}"));
        }
        reply(204, "")
    }

    /// Takes back the temporary password of the issue, if no reissue has replaced it.
    fn withdraw(&mut self) {
        self.withdrawn = true;
        if !self.changed {
            self.expires_at = self.expires_at.min(self.now);
        }
    }

    /// Ends the subscription, unless a start is later.
    pub(super) fn end(&mut self, at: u64) -> Reply {
        if self.life.started <= Some(at) {
            self.life.ended = self.life.ended.max(Some(at));
            if self.issue > 0 && !self.life.has_ended {
                (self.life.has_ended, self.life.has_ended_before) = (true, true);
                for account in self.accounts.values_mut().filter(|account| account.active) {
                    account.active = false;
                    account.version += 1;
                }
                self.history.push("subscription-ended by vendor".to_owned());
            }
        }
        reply(200, "done")
    }

    /// Handles a start, which changes nothing if an end is as late or later.
    pub(super) fn start_at(&mut self, event: Label, paid: bool, at: u64) -> Reply {
        if self.life.ended < Some(at) {
            self.life.started = self.life.started.max(Some(at));
            if self.life.has_ended && !self.handled.contains(&event) {
                self.start_again(event, paid);
            } else if !self.life.has_ended {
                self.start(event, paid);
            }
        }
        reply(200, "done")
    }

    /// Starts an ended subscription as for the first time, under the next issue. The administrators stay closed.
    fn start_again(&mut self, event: Label, paid: bool) {
        self.record_retrievals();
        self.record_failure();
        // The mail goes to the address of the event.
        self.report = None;
        self.history.push("issued by vendor".to_owned());
        self.handled.push(event);
        (self.paid, self.handed_over, self.renewals, self.life.has_ended) = (paid, false, 0, false);
        self.issue_next();
        self.desk.start_again([Person::Dana, Person::It, Person::Kim]);
    }

    /// Deletes everything of a subscription that has ended. Its retention is longer than its life stays.
    pub(super) fn purge(&mut self) -> Reply {
        if self.life.has_ended {
            let (now, holds_mails, mails) = (self.now, self.holds_mails, self.mails);
            *self = Self { mails, holds_mails, desk: self.desk.emptied(), now, ..Self::empty() };
        }
        reply(200, "done")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::{ADMINISTRATOR_PASSWORD, Op};

    const OWN: Password = Password::Chosen(1);

    /// Returns a subscription that is handed over to Lee, whose session is `L`.
    fn handed_over() -> State {
        let mut state = State::started();
        let sign_in = |who, password, begins| Op::SignIn { who, password, begins };
        for op in [
            sign_in(UserName::Admin, Password::Temporary(1), "A"),
            Op::Reset { session: "A", current: None, to: Password::Chosen(0), begins: "F" },
            Op::Create { session: "F", who: UserName::Lee, key: "lee" },
            sign_in(UserName::Lee, ADMINISTRATOR_PASSWORD, "L"),
        ] {
            assert!(state.apply(op).0 < 300, "{op}");
        }
        state
    }

    fn add(key: Label, gives: Label) -> Op {
        Op::Add { session: "L", who: UserName::Mo, current: ADMINISTRATOR_PASSWORD, key, gives }
    }

    /// Adds Mo, who chooses a password in the session `M`.
    fn with_mo() -> State {
        let mut state = handed_over();
        assert_eq!(state.apply(add("k", "first")), reply(201, "a password"));
        assert_eq!(state.apply(add("k", "second")), reply(201, "no password"));
        let sign_in = |password, begins| Op::SignIn { who: UserName::Mo, password, begins };
        assert_eq!(state.apply(sign_in(Password::HandedOut("second"), "m")).0, 401, "it was not stored");
        assert_eq!(state.apply(sign_in(Password::HandedOut("first"), "m")), reply(200, "reset-password"));
        let removal = Op::Remove { session: "m", who: UserName::Lee, current: Password::HandedOut("first") };
        assert_eq!(state.apply(removal), forbidden());
        let choice = Op::Reset { session: "m", current: None, to: OWN, begins: "M" };
        assert_eq!(state.apply(choice), reply(200, "home"));
        state
    }

    #[test]
    fn one_of_two_who_remove_each_other_fails() {
        let mut state = with_mo();
        let lee = Op::Remove { session: "L", who: UserName::Mo, current: ADMINISTRATOR_PASSWORD };
        let mo = Op::Remove { session: "M", who: UserName::Lee, current: OWN };
        assert_eq!((state.apply(lee), state.apply(mo)), (reply(204, ""), reply(401, "not-signed-in")));
        let own = Op::Remove { session: "L", who: UserName::Lee, current: ADMINISTRATOR_PASSWORD };
        assert_eq!(state.apply(own), reply(409, "last-administrator"));
        let help = Op::Help { session: "L", who: UserName::Mo, current: ADMINISTRATOR_PASSWORD, gives: "again" };
        assert_eq!(state.apply(help), reply(200, "a password"));
        let back = Op::SignIn { who: UserName::Mo, password: Password::HandedOut("again"), begins: "b" };
        assert_eq!(state.apply(back), reply(200, "reset-password"));
    }

    #[test]
    fn starts_and_ends_count_by_their_own_times() {
        let mut state = with_mo();
        state.apply(Op::Restart { event: "later", at: 4 });
        state.apply(Op::End { at: 3 });
        assert_eq!(state.apply(Op::CheckSession { session: "L" }).0, 422, "a start is later");
        state.apply(Op::End { at: 5 });
        assert_eq!(state.apply(Op::CheckSession { session: "L" }).0, 401);
        state.apply(Op::Restart { event: "old", at: 5 });
        assert_eq!((state.issue, state.life.has_ended), (1, true));
        state.apply(Op::Restart { event: "new", at: 6 });
        assert_eq!((state.issue, state.life.has_ended, state.handed_over), (2, false, false));
        assert!(!state.accounts[&UserName::Lee].active && state.accounts[&UserName::Admin].active);
        let mut unknown = State::empty();
        unknown.apply(Op::End { at: 1 });
        unknown.apply(Op::Start { event: "trial", paid: false });
        assert_eq!(unknown.issue, 0, "the end is later");
    }
}
