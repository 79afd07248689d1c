//! The transactions of the customer's side and of the vendor's events, as far as the desk's acts meet them.

use super::table::{Addresses, Outcome, Session, Status, Write};
use super::{DeskModel, Variant, World};

impl DeskModel {
    pub(crate) fn carry_out(&self, world: &mut World, write: Write) -> Outcome {
        match write {
            Write::Retrieve { address, issue } => {
                let credential = world.table.credential;
                let listed = credential.portal_users.contains(address);
                let open = credential.is_retrievable() && !credential.is_used_up() && credential.issue == issue;
                if !listed || !open || credential.retrieved.contains(address) {
                    return Outcome::Refused;
                }
                world.table.credential.retrieved = credential.retrieved.with(address);
                world.observe_admission(address);
            }
            Write::Session(session) => world.table.put_session(session),
            Write::EndRetrieval { session, seq, retrieved } => return world.end_retrieval(session, seq, retrieved),
            Write::Reset { session, next, seq } => return world.reset(session, next, seq),
            Write::CreateAdministrator { session, seq } => return world.create_administrator(session, seq),
            Write::AdministratorSignsIn { seq, retires } => return self.sign_administrator_in(world, seq, retires),
            Write::Paid { reading, adds, starts } => {
                let compared = world.is_open(reading.seq) && (!starts || self.is_replaceable(world, reading));
                let admitted = !starts || (!world.table.paid && !world.table.credential.handed_over);
                if !compared || !admitted {
                    return Outcome::Refused;
                }
                let moved = if starts { self.start_next_issue(world, reading) } else { 0 };
                world.table.paid |= starts;
                world.table.credential.portal_users = world.table.credential.portal_users.union(adds);
                world.observe_event();
                world.write_history(reading.seq, moved + 1, 0);
            }
            Write::End { seq } => {
                if !world.is_open(seq) {
                    return Outcome::Refused;
                }
                (world.table.credential.ended, world.table.credential.sealed) = (true, None);
                world.write_history(seq, 1, 0);
            }
            Write::Desk(write) => return self.carry_out_desk(world, &write),
        }
        Outcome::Done
    }

    /// Carries out the first sign-in of the administrator, which retires the service administrator unless a reissue has given them a
    /// password that waits to be used.
    fn sign_administrator_in(&self, world: &mut World, seq: u8, retires: bool) -> Outcome {
        let service = world.table.service;
        let unused = service.temporary && self.variant != Variant::RetiredUnused;
        let stale = retires && (service.status != Status::Active || unused);
        if world.table.administrator != Some(false) || stale || !world.is_open(seq) {
            return Outcome::Refused;
        }
        world.table.administrator = Some(true);
        if retires {
            world.table.service.status = Status::Retired;
            world.table.service.record_change();
        }
        world.write_history(seq, 1 + u8::from(retires), 0);
        Outcome::Done
    }

    /// Puts the items of the portal users that an event brings, if they are absent. They precede the right itself.
    pub(crate) fn put_portal_users(&self, world: &mut World, adds: Addresses) {
        world.table.known = world.table.known.union(adds);
        if self.variant == Variant::EventReplacesItem {
            world.table.removed = world.table.removed.minus(adds);
        }
    }
}

impl World {
    fn is_open(&self, seq: u8) -> bool {
        self.table.is_next_in_history(seq) && !self.table.credential.ended
    }

    fn end_retrieval(&mut self, session: Session, seq: u8, retrieved: Addresses) -> Outcome {
        if self.table.session(session.token).is_some() {
            return Outcome::Done;
        }
        let credential = self.table.credential;
        let unchanged = self.table.service.is_unchanged(session.version);
        if !unchanged || credential.signed_in || credential.retrieved != retrieved || !self.is_open(seq) {
            return Outcome::Refused;
        }
        (self.table.credential.signed_in, self.table.credential.sealed) = (true, None);
        self.table.put_session(session);
        self.write_history(seq, retrieved.len() + 1, 0);
        Outcome::Done
    }

    fn reset(&mut self, session: Session, next: Session, seq: u8) -> Outcome {
        if self.table.session(next.token).is_some() {
            return Outcome::Done;
        }
        let still_temporary = !session.temporary || self.table.service.temporary;
        if !self.table.service.is_unchanged(session.version) || !still_temporary || !self.is_open(seq) {
            return Outcome::Refused;
        }
        self.table.service.temporary = false;
        self.table.service.record_change();
        self.table.credential.changed |= session.temporary;
        self.table.put_session(next);
        self.write_history(seq, 1, 0);
        Outcome::Done
    }

    fn create_administrator(&mut self, session: Session, seq: u8) -> Outcome {
        let unchanged = self.table.service.is_unchanged(session.version);
        if !unchanged || self.table.administrator.is_some() || !self.is_open(seq) {
            return Outcome::Refused;
        }
        self.table.administrator = Some(false);
        self.table.credential.handed_over = true;
        self.write_history(seq, 1, 0);
        Outcome::Done
    }

    /// Advances the history's count and writes entries under the numbers that follow it. A mutant leaves some of them unwritten.
    pub(crate) fn write_history(&mut self, seq: u8, entries: u8, unwritten: u8) {
        let last = seq + entries - unwritten;
        self.table.credential.seq = last;
        self.table.history = self.table.history.max(last);
        self.witness.entries += entries;
    }
}
