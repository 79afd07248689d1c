//! The condition, the effect, and the meaning of a refusal of each write.

use super::table::{Account, AccountId, CreatedBy, Outcome, SERVICE, Session, Status, Time, Write};
use super::witness::Breach;
use super::{Variant, World};

impl World {
    pub(crate) fn carry_out(&mut self, variant: Variant, write: Write) -> Outcome {
        match write {
            Write::Session(session) => self.put_session_alone(variant, session),
            Write::EndRetrieval { session, issue, version, seq, retrievals } => {
                self.end_retrieval(variant, session, (issue, version), (seq, retrievals))
            }
            Write::HandOver { session, seq, signs_in, retires } => {
                self.hand_over(variant, session, seq, (signs_in, retires))
            }
            Write::Reset { session, next, asked_at, seq } => self.reset(variant, (session, next), asked_at, seq),
            Write::Create { session, account, by, seq } => self.create(variant, session, account, by, seq),
            Write::NextIssue(request) => self.start_next_issue(variant, request),
            Write::Close { version, seq } => self.close(variant, version, seq),
        }
    }

    fn put_session_alone(&mut self, variant: Variant, session: Session) -> Outcome {
        let version = match self.table.accounts[session.account] {
            Some(account) if variant == Variant::VersionAtWrite => account.version,
            _ => session.version,
        };
        self.table.put_session(Session { version, ..session });
        Outcome::Done
    }

    fn end_retrieval(
        &mut self,
        variant: Variant,
        session: Session,
        (issue, version): (u8, u8),
        (seq, retrievals): (u8, u8),
    ) -> Outcome {
        if variant != Variant::SessionBeforeRetrievalEnds && self.was_carried_out(variant, session) {
            return Outcome::Done;
        }
        let credential = self.table.credential;
        let all_moved = variant == Variant::SizeNotCompared || credential.retrievals == retrievals;
        let service = self.table.service();
        let unchanged = variant == Variant::AccountNotCompared || service.is_unchanged(version);
        let open = credential.issue == issue && !credential.signed_in;
        if !unchanged || !open || !self.table.is_next_in_history(variant, seq) || !all_moved {
            return Outcome::LostRace;
        }
        self.witness.record_end_of_retrieval(&session, &service, credential);
        self.witness.record_moved(credential, retrievals);
        self.table.credential.signed_in = true;
        self.table.credential.sealed = false;
        self.write_history(seq, retrievals + 1);
        self.table.put_session(session);
        Outcome::Done
    }

    fn hand_over(&mut self, variant: Variant, session: Session, seq: u8, (signs_in, retires): (bool, bool)) -> Outcome {
        if signs_in && self.was_carried_out(variant, session) {
            return Outcome::Done;
        }
        let Some(mut own) = self.table.accounts[session.account] else { return Outcome::LostRace };
        let service = self.table.service();
        let first = !own.first_signed_in && own.is_unchanged(session.version);
        let may_retire = service.may_retire(variant);
        if (signs_in && !first) || (retires && !may_retire) || !self.table.is_next_in_history(variant, seq) {
            return Outcome::LostRace;
        }
        if signs_in {
            own.first_signed_in = true;
            self.table.accounts[session.account] = Some(own);
            self.table.put_session(session);
            self.witness.reopened |= !retires && service.temporary.is_some() && service.status == Status::Active;
        }
        if retires {
            if service.temporary.is_some() {
                self.witness.record_breach(Breach::UnusedReissueVoided);
            }
            self.retire();
        }
        self.write_history(seq, u8::from(signs_in) + u8::from(retires));
        Outcome::Done
    }

    fn reset(&mut self, variant: Variant, (session, next): (Session, Session), asked_at: Time, seq: u8) -> Outcome {
        if self.was_carried_out(variant, next) {
            return Outcome::Done;
        }
        let Some(mut account) = self.table.accounts[session.account] else { return Outcome::Ended };
        let same = !variant.compares_reset_version() || account.version == session.version;
        let still_temporary = session.temporary.is_none()
            || variant == Variant::SecondReset
            || account.temporary.is_some_and(|own| asked_at < own.expires_at || !variant.checks_expiry());
        if !same || account.status != Status::Active || !still_temporary {
            return Outcome::Ended;
        }
        let same_issue = session.temporary.is_none_or(|issue| self.table.credential.issue == issue);
        if !same_issue || !self.table.is_next_in_history(variant, seq) {
            return Outcome::LostRace;
        }
        self.witness.record_reset(&session, &account, asked_at);
        account.temporary = None;
        account.record_change();
        self.table.accounts[session.account] = Some(account);
        if session.temporary.is_some() {
            self.table.credential.changed = true;
            self.table.credential.sealed = false;
        }
        self.write_history(seq, 1);
        self.table.put_session(next);
        Outcome::Done
    }

    fn create(&mut self, variant: Variant, session: Session, account: AccountId, by: CreatedBy, seq: u8) -> Outcome {
        let taken_by = self.table.accounts[account].map(|account| account.created_by);
        if taken_by == Some(Some(by)) && variant != Variant::OwnWriteNotRecognised {
            return Outcome::Done;
        }
        let Some(creator) = self.table.accounts[session.account] else { return Outcome::Ended };
        let version_not_asked = matches!(variant, Variant::VersionNotCompared | Variant::CreatorNotChecked);
        let unchanged = version_not_asked || creator.version == session.version;
        let active = creator.status == Status::Active || variant == Variant::CreatorNotChecked;
        if !unchanged || !active {
            return Outcome::Ended;
        }
        if taken_by.is_some() {
            return Outcome::NameTaken;
        }
        if !self.table.is_next_in_history(variant, seq) {
            return Outcome::LostRace;
        }
        self.witness.record_creation(&session, &creator);
        self.table.accounts[account] = Some(Account::new(None, Some(by)));
        self.table.credential.handed_over |= by.creator == SERVICE;
        if variant == Variant::RetiredAtCreation && self.table.service().status == Status::Active {
            self.retire();
        }
        self.write_history(seq, 1);
        Outcome::Done
    }

    /// Closes the service administrator's account and takes the password that is sealed for it away.
    fn close(&mut self, variant: Variant, version: u8, seq: u8) -> Outcome {
        if !self.table.service().is_unchanged(version) || !self.table.is_next_in_history(variant, seq) {
            return Outcome::LostRace;
        }
        self.retire();
        self.table.credential.sealed = false;
        self.write_history(seq, 1);
        Outcome::Done
    }

    fn retire(&mut self) {
        let mut service = self.table.service();
        service.status = Status::Retired;
        service.record_change();
        self.table.accounts[SERVICE] = Some(service);
        self.witness.reopened = false;
    }

    /// Advances the history's count and writes entries under the numbers that follow it.
    pub(crate) fn write_history(&mut self, seq: u8, entries: u8) {
        self.table.credential.seq = seq + entries;
        self.table.history = self.table.history.max(seq + entries);
        self.witness.entries += entries;
    }

    /// Returns whether an earlier attempt was carried out: no other transaction puts this session.
    fn was_carried_out(&self, variant: Variant, session: Session) -> bool {
        variant != Variant::OwnWriteNotRecognised && self.table.session(session.token).is_some()
    }
}
