//! The transactions of administrators and of the support desk, and the conditions on them.

use super::table::{Account, AccountId, Credential, Outcome, Password, SERVICE, Session, Status, Write};
use super::witness::{Breach, Situation};
use super::{TeamModel, Variant, World};

impl TeamModel {
    pub(crate) fn carry_out(&self, world: &mut World, write: Write) -> Outcome {
        match write {
            Write::Session(session) => {
                world.table.put_session(session);
                Outcome::Done
            }
            Write::EndRetrieval { session, seq } => self.end_retrieval(world, session, seq),
            Write::HandOver { session, seq, retires } => self.hand_over(world, session, seq, retires),
            Write::Choose { session, next, password, seq, retires } => {
                self.choose(world, session, (next, password), seq, retires)
            }
            Write::Add { session, id, password, by, seq } => self.add(world, session, (id, password, by), seq),
            Write::Reset { session, id, version, password, seq } => {
                self.reset(world, session, (id, version, password), seq)
            }
            Write::Remove { session, id, version, seq } => self.remove(world, session, (id, version), seq),
            Write::Reissue { seq, issue, password } => self.reissue(world, seq, issue, password),
            event => self.carry_out_event(world, event),
        }
    }

    /// Evaluates what every transaction on the subscription compares: the number of the last entry, and that there was no end.
    fn is_open(&self, world: &World, seq: u8) -> bool {
        let open = |credential: Credential| credential.ended.is_none() || self.variant == Variant::EndNotInTransactions;
        world.table.credential.is_some_and(|credential| credential.seq == seq && open(credential))
    }

    /// Decides what a refused transaction of a session means.
    fn refusal(&self, world: &World, session: &Session) -> Outcome {
        let unchanged = world.table.accounts[session.account].is_some_and(|one| one.is_unchanged(session.version));
        let ended = world.table.credential.is_none_or(|credential| credential.ended.is_some());
        if !unchanged || (ended && self.variant != Variant::EndNotInTransactions) {
            Outcome::SessionEnded
        } else {
            Outcome::LostRace
        }
    }

    fn end_retrieval(&self, world: &mut World, session: Session, seq: u8) -> Outcome {
        if world.table.session(session.token).is_some() {
            return Outcome::Done;
        }
        let unchanged = world.is_unchanged(&session);
        let signed_in = world.table.credential.is_none_or(|credential| credential.signed_in);
        if !unchanged || signed_in || !self.is_open(world, seq) {
            return self.refusal(world, &session);
        }
        world.observe_act(&session);
        world.witness.check(session.account != SERVICE, Breach::CredentialTouched);
        world.update_credential(|credential| (credential.signed_in, credential.sealed) = (true, false));
        world.table.put_session(session);
        Outcome::Done
    }

    fn hand_over(&self, world: &mut World, session: Session, seq: u8, retires: bool) -> Outcome {
        if world.table.session(session.token).is_some() {
            return Outcome::Done;
        }
        if !world.is_unchanged(&session) || (retires && !world.table.may_retire()) || !self.is_open(world, seq) {
            return self.refusal(world, &session);
        }
        world.observe_act(&session);
        world.update_account(session.account, |account| account.signed_in = true);
        world.retire(retires);
        world.update_credential(|_| ());
        world.table.put_session(session);
        Outcome::Done
    }

    /// Replaces the password of the session's own account.
    fn choose(
        &self,
        world: &mut World,
        session: Session,
        (next, password): (Session, Password),
        seq: u8,
        retires: bool,
    ) -> Outcome {
        if world.table.session(next.token).is_some() {
            return Outcome::Done;
        }
        let Some(account) = world.table.accounts[session.account] else { return Outcome::SessionEnded };
        let still_temporary = session.full || account.password.temporary;
        let stale = !still_temporary || (retires && !world.table.may_retire());
        if !world.is_unchanged(&session) || stale || !self.is_open(world, seq) {
            return self.refusal(world, &session);
        }
        world.observe_act(&session);
        let id = session.account;
        if account.password.temporary && id != SERVICE {
            world.witness.record(Situation::Chosen);
        }
        world.update_account(id, |account| {
            // Who replaces a temporary password has signed in.
            account.signed_in |= id != SERVICE && account.password.temporary;
            account.password = password;
            account.record_change();
        });
        world.retire(retires);
        let marks = account.password.temporary && (id == SERVICE || self.variant == Variant::ChoiceMarksChanged);
        world.witness.check(marks && id != SERVICE, Breach::CredentialTouched);
        world.update_credential(|credential| credential.changed |= marks);
        world.table.put_session(next);
        Outcome::Done
    }

    fn add(
        &self,
        world: &mut World,
        session: Session,
        (id, password, by): (AccountId, Password, usize),
        seq: u8,
    ) -> Outcome {
        if let Some(account) = world.table.accounts[id] {
            return if account.by == Some(by) { Outcome::DoneBefore } else { Outcome::SessionEnded };
        }
        if !world.is_unchanged(&session) || !self.is_open(world, seq) {
            return self.refusal(world, &session);
        }
        world.observe_act(&session);
        world.witness.record_stored(password);
        let (status, version) = (Status::Active, 1);
        let own_id = world.witness.era();
        let account = Account { own_id, status, version, password, signed_in: false, by: Some(by), changes: 1 };
        world.table.accounts[id] = Some(account);
        world.update_credential(|_| ());
        Outcome::Done
    }

    fn reset(
        &self,
        world: &mut World,
        session: Session,
        (id, version, password): (AccountId, u8, Password),
        seq: u8,
    ) -> Outcome {
        let Some(account) = world.table.accounts[id] else { return Outcome::SessionEnded };
        if account.password.is_same(&password) {
            return Outcome::Done;
        }
        let checked = world.is_unchanged(&session) || self.variant == Variant::HelperNotChecked;
        if !checked || account.version != version || !self.is_open(world, seq) {
            return if checked { Outcome::LostRace } else { self.refusal(world, &session) };
        }
        world.observe_act(&session);
        world.witness.record_stored(password);
        if account.status == Status::Closed {
            world.witness.record(Situation::OpenedAgain);
        }
        world.witness.removed.retain(|removed| *removed != id);
        let keeps_version = self.variant == Variant::VersionNotAdded;
        world.update_account(id, |account| {
            (account.status, account.password) = (Status::Active, password);
            account.record_change();
            account.version -= u8::from(keeps_version);
        });
        world.update_credential(|_| ());
        Outcome::Done
    }

    fn remove(&self, world: &mut World, session: Session, (id, version): (AccountId, u8), seq: u8) -> Outcome {
        let Some(account) = world.table.accounts[id] else { return Outcome::SessionEnded };
        if account.status != Status::Active {
            return Outcome::Done;
        }
        let own = id == session.account;
        let checked = own || world.is_unchanged(&session) || self.variant == Variant::RemoverNotChecked;
        if !checked || account.version != version || !self.is_open(world, seq) {
            return if checked { Outcome::LostRace } else { self.refusal(world, &session) };
        }
        world.observe_act(&session);
        world.witness.removed.push(id);
        world.witness.removed.sort_unstable();
        if id == SERVICE {
            world.witness.record(Situation::ServiceRemoved);
        }
        let keeps_version = self.variant == Variant::VersionNotAdded;
        let stays = id == SERVICE && self.variant == Variant::ServiceNotRemoved;
        world.update_account(id, |account| {
            let closed = if id == SERVICE { Status::Retired } else { Status::Closed };
            account.status = if stays { Status::Active } else { closed };
            account.record_change();
            account.version -= u8::from(keeps_version);
        });
        world.update_credential(|credential| credential.sealed &= id != SERVICE || stays);
        Outcome::Done
    }

    fn reissue(&self, world: &mut World, seq: u8, issue: u8, password: Password) -> Outcome {
        let current = world.table.credential.is_some_and(|credential| credential.issue == issue);
        if !current || !self.is_open(world, seq) {
            return if self.is_open(world, seq) { Outcome::SessionEnded } else { Outcome::LostRace };
        }
        world.observe_desk();
        world.start_issue(password);
        Outcome::Done
    }
}

impl World {
    fn is_unchanged(&self, session: &Session) -> bool {
        self.table.accounts[session.account].is_some_and(|account| account.is_unchanged(session.version))
    }

    fn retire(&mut self, retires: bool) {
        if retires {
            self.update_account(SERVICE, |service| {
                service.status = Status::Retired;
                service.record_change();
            });
        }
    }

    pub(crate) fn update_account(&mut self, id: AccountId, change: impl FnOnce(&mut Account)) {
        if let Some(account) = &mut self.table.accounts[id] {
            change(account);
        }
    }

    /// Changes the credential and advances the number of the last entry.
    pub(crate) fn update_credential(&mut self, change: impl FnOnce(&mut Credential)) {
        if let Some(credential) = &mut self.table.credential {
            change(credential);
            credential.seq += 1;
        }
    }

    /// Starts the next issue: the service administrator gets a temporary password, and what was from before ends.
    pub(crate) fn start_issue(&mut self, password: Password) {
        self.witness.removed.retain(|removed| *removed != SERVICE);
        self.update_account(SERVICE, |service| {
            (service.status, service.password) = (Status::Active, password);
            service.record_change();
        });
        self.update_credential(|credential| {
            credential.issue += 1;
            (credential.sealed, credential.signed_in, credential.changed) = (true, false, false);
        });
    }
}
