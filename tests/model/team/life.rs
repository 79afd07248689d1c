//! The end, a later start, and the purge: what an invocation decides on what it read, and its transactions.

use super::process::{Decision, Next, Run, View};
use super::table::{
    Account, AccountId, Credential, Date, Life, Outcome, PURGE_AFTER, PURGE_LEASE, Password, SERVICE, Status, Time,
    Write,
};
use super::witness::{Breach, Situation};
use super::{Task, TeamModel, Variant, World};

impl TeamModel {
    /// Decides what an event or a run of the schedule does next.
    pub(crate) fn decide_event(&self, run: &Run) -> Decision {
        if let Some((ended, listed)) = run.closing() {
            let (close, mark) = (|id: &AccountId| Write::Close { ended, id: *id }, Write::MarkClosed { ended });
            return match listed.first() {
                Some(id) => Decision::Write(close(id), Next::Close(ended)),
                None => Decision::Write(mark, Next::Acknowledge),
            };
        }
        match (run.task, &run.seen) {
            (Task::End(date), Some(seen)) => self.decide_end(run, seen, date),
            (Task::Start(date), Some(seen)) => self.decide_start(run, seen, date),
            (Task::Purge, Some(seen)) => self.decide_purge(run, seen),
            _ => Decision::GiveUp,
        }
    }

    fn decide_end(&self, run: &Run, seen: &View, date: Date) -> Decision {
        let life = seen.life;
        let record = |next| {
            if life.ended < date {
                Decision::Write(Write::Record { from: life, to: Life { ended: date, ..life } }, next)
            } else {
                Decision::Next(next)
            }
        };
        if life.started > date && self.variant != Variant::OlderEndEnds {
            return record(Next::Acknowledge);
        }
        match seen.credential {
            None if self.variant == Variant::UnknownEndForgotten => Decision::Next(Next::Acknowledge),
            Some(Credential { ended: None, seq, .. }) => {
                let purge_at = run.asked_at + PURGE_AFTER;
                Decision::Write(Write::End { date, life, seq, purge_at }, Next::Close(date))
            }
            None | Some(Credential { closed: true, .. }) => record(Next::Acknowledge),
            Some(Credential { ended: Some(ended), .. }) => record(Next::Close(ended)),
        }
    }

    fn decide_start(&self, run: &Run, seen: &View, date: Date) -> Decision {
        let life = seen.life;
        if life.ended >= date && self.variant != Variant::OlderStartStarts {
            return Decision::Next(Next::Acknowledge);
        }
        let password = run.password();
        let Some(credential) = seen.credential else {
            return Decision::Write(Write::First { date, life, password }, Next::Acknowledge);
        };
        if credential.ended.is_none() {
            let record = Write::Record { from: life, to: Life { started: date, ..life } };
            let known = life.started >= date;
            return if known { Decision::Next(Next::Acknowledge) } else { Decision::Write(record, Next::Acknowledge) };
        }
        let closing = !credential.closed && self.variant != Variant::StartBeforeClosed;
        let purging = credential.purging.is_some() && self.variant != Variant::StartBesidePurge;
        if closing || purging {
            return Decision::GiveUp;
        }
        Decision::Write(Write::Restart { date, life, seq: credential.seq, password }, Next::Acknowledge)
    }

    fn decide_purge(&self, run: &Run, seen: &View) -> Decision {
        let due = seen.purge.filter(|(_, due)| *due <= run.asked_at);
        let Some((ended, _)) = due else { return Decision::Next(Next::Acknowledge) };
        let take = Write::TakePurge { ended, now: run.asked_at };
        let [accounts, credential, forget] =
            [Write::PurgeAccounts { ended }, Write::PurgeCredential { ended }, Write::ForgetPurge { ended }];
        let steps = match self.variant {
            Variant::CredentialPurgedFirst => [take, credential, accounts, forget],
            Variant::PurgeForgottenFirst => [take, forget, accounts, credential],
            _ => [take, accounts, credential, forget],
        };
        let same = seen.credential.is_some_and(|credential| credential.ended == Some(ended));
        match run.step {
            // The subscription has started again, or an earlier run was interrupted before the last step.
            0 if !same && self.variant != Variant::PurgeEndNotCompared => Decision::Write(forget, Next::Acknowledge),
            step if step + 1 < steps.len() => Decision::Write(steps[step], Next::Purge),
            step => Decision::Write(steps[step], Next::Acknowledge),
        }
    }

    pub(crate) fn carry_out_event(&self, world: &mut World, write: Write) -> Outcome {
        let is_ended_by = |date: Date| world.table.credential.is_some_and(|one| one.ended == Some(date));
        match write {
            Write::End { date, life, seq, purge_at } => self.end(world, (date, purge_at), life, seq),
            Write::Record { from, to } => {
                if !self.is_as_read(world, from) {
                    return Outcome::LostRace;
                }
                world.table.life = to;
                Outcome::Done
            }
            Write::Close { ended, id } => {
                let is_ended = is_ended_by(ended);
                self.close(world, is_ended, id)
            }
            Write::MarkClosed { ended } => {
                if !is_ended_by(ended) {
                    return Outcome::LostRace;
                }
                if let Some(credential) = &mut world.table.credential {
                    credential.closed = true;
                }
                Outcome::Done
            }
            Write::First { date, life, password } => self.first(world, date, life, password),
            Write::Restart { date, life, seq, password } => self.restart(world, (date, seq), life, password),
            purge => self.purge(world, purge),
        }
    }

    /// Evaluates the condition of every write on the life: no other event was recorded since it was read.
    fn is_as_read(&self, world: &World, life: Life) -> bool {
        world.table.life == life || self.variant == Variant::LifeNotCompared
    }

    fn end(&self, world: &mut World, (date, purge_at): (Date, Time), life: Life, seq: u8) -> Outcome {
        let open = world.table.credential.is_some_and(|one| one.seq == seq && one.ended.is_none());
        if !open || !self.is_as_read(world, life) {
            return Outcome::LostRace;
        }
        world.witness.end();
        world.table.life.ended = life.ended.max(date);
        let keeps = self.variant == Variant::RetrievableAfterEnd;
        world.update_credential(|credential| {
            credential.ended = Some(date);
            credential.sealed &= keeps;
        });
        world.update_account(SERVICE, |service| {
            service.status = Status::Closed;
            service.record_change();
        });
        world.table.purges.push((date, purge_at));
        Outcome::Done
    }

    /// Closes an administrator's account.
    fn close(&self, world: &mut World, is_ended: bool, id: AccountId) -> Outcome {
        if !is_ended && self.variant != Variant::ClosingNotChecked {
            return Outcome::LostRace;
        }
        world.witness.check(!is_ended, Breach::ClosedByAnEndThatIsOver);
        world.update_account(id, |account| {
            account.status = Status::Closed;
            account.record_change();
        });
        Outcome::Done
    }

    fn first(&self, world: &mut World, date: Date, life: Life, password: Password) -> Outcome {
        if world.table.credential.is_some() || !self.is_as_read(world, life) {
            return Outcome::LostRace;
        }
        world.table.life.started = life.started.max(date);
        let (sealed, signed_in, changed) = (true, false, false);
        let (ended, closed, purging) = (None, false, None);
        let credential = Credential { issue: 1, seq: 1, sealed, signed_in, changed, ended, closed, purging };
        world.table.credential = Some(credential);
        let (status, version) = (Status::Active, 1);
        let own_id = world.witness.era();
        if world.witness.has_seen(Situation::Purged) {
            world.witness.record(Situation::StartedAfterPurge);
        }
        let service = Account { own_id, status, version, password, signed_in: false, by: None, changes: 1 };
        world.table.accounts[SERVICE] = Some(service);
        Outcome::Done
    }

    fn restart(&self, world: &mut World, (date, seq): (Date, u8), life: Life, password: Password) -> Outcome {
        let waits = |one: &Credential| {
            (one.closed || self.variant == Variant::StartBeforeClosed)
                && (one.purging.is_none() || self.variant == Variant::StartBesidePurge)
        };
        let ready = |one: &Credential| one.seq == seq && one.ended.is_some() && waits(one);
        if !world.table.credential.as_ref().is_some_and(ready) || !self.is_as_read(world, life) {
            return Outcome::LostRace;
        }
        let former = world.table.accounts.iter().skip(1).flatten();
        let open = former.filter(|account| account.status == Status::Active).count();
        world.witness.check(open > 0, Breach::FormerAdministratorOpen);
        world.witness.record(Situation::StartedAgain);
        world.table.life.started = life.started.max(date);
        world.start_issue(password);
        world.update_credential(|credential| (credential.ended, credential.closed) = (None, false));
        Outcome::Done
    }

    fn purge(&self, world: &mut World, write: Write) -> Outcome {
        let credential = world.table.credential;
        let is_ended_by = |date: Date| credential.is_some_and(|one| one.ended == Some(date));
        let unconditional = self.variant == Variant::PurgeEndNotCompared;
        match write {
            Write::TakePurge { ended, now } => {
                let free = credential.is_some_and(|one| one.purging.is_none_or(|until| until <= now));
                let free = free || self.variant == Variant::PurgeBesidePurge;
                if !(is_ended_by(ended) || unconditional) || !free {
                    return Outcome::LostRace;
                }
                if let Some(credential) = &mut world.table.credential {
                    credential.purging = Some(now + PURGE_LEASE);
                }
            }
            Write::PurgeAccounts { .. } => {
                let live = credential.is_some_and(|one| one.ended.is_none());
                world.witness.check(live, Breach::LiveItemPurged);
                world.table.accounts.fill(None);
            }
            Write::PurgeCredential { ended } => {
                if !(is_ended_by(ended) || unconditional) {
                    return Outcome::LostRace;
                }
                world.witness.check(!is_ended_by(ended), Breach::LiveItemPurged);
                world.table.credential = None;
                world.witness.record(Situation::Purged);
            }
            Write::ForgetPurge { ended } => {
                if !is_ended_by(ended) && credential.is_some() {
                    world.witness.record(Situation::PurgeOvertaken);
                }
                world.table.purges.retain(|(date, _)| *date != ended);
            }
            _ => {}
        }
        Outcome::Done
    }
}

impl Run {
    /// Returns the temporary password of an issue that this invocation starts, which its owner gets by mail.
    pub(crate) fn password(&self) -> Password {
        Password { made_by: self.click, race: self.races, temporary: true, seen_by: self.mailed_to }
    }
}
