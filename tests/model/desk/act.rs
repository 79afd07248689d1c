//! The decisions of the desk's functions on what they read, and the transactions that follow.

use super::process::{Others, Run};
use super::table::{
    APPROVAL_LIFETIME, APPROVAL_WAIT, Account, Act, Addresses, Approval, Change, Click, Credential, DeskWrite, Effect,
    Mail, Outcome, Reading, SeenState, Status,
};
use super::{DeskModel, Request, Task, Variant, World};

/// The decision on an operator's request.
pub(crate) enum Judgement {
    /// The click has its answer already.
    Answered,
    Refused,
    Commit(DeskWrite),
}

/// A request of an operator with everything that was read for it.
struct Case<'a> {
    run: &'a Run,
    click: Click,
    credential: Credential,
    service: Account,
    others: Others,
}

impl Case<'_> {
    fn commit(&self, if_issue: Option<u8>, effect: Effect) -> Judgement {
        let set = self.credential.portal_users;
        let portal_users = effect.change().map_or(set, |change| change.applied_to(set));
        let (click, asked_at) = (self.click, self.run.asked_at);
        let reading = Reading::new(&self.credential, self.service, self.others.mail);
        Judgement::Commit(DeskWrite { click, asked_at, if_issue, reading, portal_users, effect })
    }

    /// Returns the approval that an operator asks for. On a handed-over subscription it can be given after a wait.
    fn approval(&self, act: Act) -> Approval {
        let now = self.run.asked_at;
        Approval {
            id: self.click,
            act,
            seen: SeenState::new(&self.credential, self.others.mail),
            asked_by: self.click.by,
            not_before: if self.credential.handed_over { now + APPROVAL_WAIT } else { now },
            expires_at: now + APPROVAL_LIFETIME,
            is_decided: false,
        }
    }
}

impl Reading {
    pub(crate) fn new(credential: &Credential, service: Account, mail: Mail) -> Self {
        let Credential { seq, issue, retrieved, .. } = *credential;
        Self { seq, issue, retrieved, version: service.version, mail_issue: mail.issue }
    }
}

impl Variant {
    /// Returns whether the change takes two operators.
    fn is_sensitive(self, change: Change, credential: &Credential) -> bool {
        match change {
            Change::Reissue { to: Some(_), .. } if self != Self::AnotherAddressAlone => true,
            Change::Reissue { .. } => {
                (credential.changed || credential.handed_over) && self != Self::ChosenPasswordReplacedAlone
            }
            Change::Add(_) => self != Self::AddedAlone,
            Change::Remove(_) => false,
        }
    }
}

impl DeskModel {
    /// Decides on an operator's request once everything was read.
    pub(crate) fn judge(&self, run: &Run) -> Option<Judgement> {
        let Task::Desk(click, request) = run.task else { return None };
        let case = Case { run, click, credential: run.credential?, service: run.service?, others: run.others? };
        if case.others.is_answered {
            return Some(Judgement::Answered);
        }
        let ended = case.credential.ended && self.variant != Variant::EndNotCompared;
        Some(match request {
            Request::Decide { approves } => self.judge_decision(&case, approves, ended),
            Request::Act(_) | Request::ActOnAnyIssue(_) if ended => Judgement::Refused,
            Request::Act(act) => self.judge_act(&case, act, matches!(act, Act::Reissue { .. })),
            Request::ActOnAnyIssue(act) => self.judge_act(&case, act, false),
        })
    }

    fn judge_act(&self, case: &Case<'_>, act: Act, names_issue: bool) -> Judgement {
        let Case { run, credential, others, .. } = case;
        let if_issue = names_issue.then_some(run.page.issue);
        let replaced = if_issue.is_some_and(|issue| issue != credential.issue);
        if replaced && self.variant != Variant::IfIssueNotCompared {
            return Judgement::Refused;
        }
        let change = Change::new(act, credential, others.mail);
        let bearer = case.click.by.is_bearer();
        if let Change::Remove(address) = change {
            let listed = credential.portal_users.contains(address);
            let last = credential.portal_users.without(address).is_empty() && self.variant != Variant::LastOneRemoved;
            if bearer || !listed || last {
                return Judgement::Refused;
            }
        }
        if !self.variant.is_sensitive(change, credential) {
            return case.commit(if_issue, Effect::Do(change));
        }
        if bearer && self.variant != Variant::BearerAsks {
            return Judgement::Refused;
        }
        if !self.scope.approval_required {
            return case.commit(if_issue, Effect::Do(change));
        }
        let pending = others.approval.is_some_and(|approval| approval.is_pending(run.asked_at));
        if pending && self.variant != Variant::SecondRequestReplaces {
            return Judgement::Refused;
        }
        case.commit(if_issue, Effect::Ask(case.approval(act)))
    }

    fn judge_decision(&self, case: &Case<'_>, approves: bool, ended: bool) -> Judgement {
        let (run, by) = (case.run, case.click.by);
        let approval = case.others.approval.filter(|approval| Some(approval.id) == run.page.approval);
        let Some(approval) = approval else { return Judgement::Refused };
        let decided = approval.is_decided && self.variant != Variant::DecidedTwice;
        let own = approval.asked_by == by && self.variant != Variant::AskerDecides;
        let bearer = by.is_bearer() && self.variant != Variant::BearerDecides;
        let late = approval.expires_at <= run.asked_at && self.variant != Variant::ExpiryNotCompared;
        let early = approves && run.asked_at < approval.not_before && self.variant != Variant::WaitNotCompared;
        if decided || own || bearer || late || early {
            return Judgement::Refused;
        }
        let overtaken = approval.is_overtaken(self.variant, SeenState::new(&case.credential, case.others.mail));
        let acts = approves && !overtaken && !ended;
        let change = acts.then(|| Change::new(approval.act, &case.credential, case.others.mail));
        case.commit(None, Effect::Settle { approval, change })
    }

    pub(crate) fn carry_out_desk(&self, world: &mut World, write: &DeskWrite) -> Outcome {
        if world.table.has_answer(write.click) {
            return Outcome::Done;
        }
        if !self.admits(world, write) {
            return Outcome::Refused;
        }
        world.observe_desk(write);
        self.announce_later(world, write);
        let change = write.effect.change();
        self.write_approval(world, write.effect);
        let (mut entries, mut unwritten) = (1, 0);
        if let (Effect::Settle { .. }, Some(_)) = (write.effect, change) {
            entries += 1;
        }
        if let Some(Change::Reissue { to, on_file, link, .. }) = change {
            entries += self.start_next_issue(world, write.reading);
            world.table.mail.to = to.unwrap_or(on_file);
            world.table.mail.link = link;
            unwritten = u8::from(to.is_some() && self.variant == Variant::AddressChangedWithoutEntry);
        }
        if let Some(change) = change {
            self.write_portal_users(world, change, write);
        }
        world.write_history(write.reading.seq, entries, unwritten);
        if self.variant != Variant::ClickNotInTransaction {
            world.table.store_answer(write.click);
        }
        Outcome::Done
    }

    /// Evaluates the conditions of the transaction.
    fn admits(&self, world: &World, write: &DeskWrite) -> bool {
        let table = &world.table;
        let reading = write.reading;
        let removal = matches!(write.effect, Effect::Do(Change::Remove(_)));
        let next = table.is_next_in_history(reading.seq) || (removal && self.variant == Variant::RemovalNotGuarded);
        // The end overtakes an approval, which is settled then.
        let settles = matches!(write.effect, Effect::Settle { change: None, .. });
        let open = !table.credential.ended || settles || self.variant == Variant::EndNotCompared;
        let approval = match write.effect {
            Effect::Ask(_) => {
                let pending = table.approval.is_some_and(|approval| approval.is_pending(write.asked_at));
                !pending || self.variant == Variant::SecondRequestReplaces
            }
            Effect::Do(_) => true,
            Effect::Settle { approval, .. } => table.approval.is_some_and(|current| {
                current.id == approval.id && (!current.is_decided || self.variant == Variant::DecidedTwice)
            }),
        };
        let reissue = matches!(write.effect.change(), Some(Change::Reissue { .. }));
        next && open && approval && (!reissue || self.is_replaceable(world, reading))
    }

    /// Evaluates what the transaction of a next issue compares beside the history's number.
    pub(crate) fn is_replaceable(&self, world: &World, reading: Reading) -> bool {
        let table = &world.table;
        let all_moved = table.credential.retrieved == reading.retrieved || self.variant == Variant::SizeNotCompared;
        let same_mail = table.mail.issue == reading.mail_issue || self.variant == Variant::MailNotCompared;
        all_moved && same_mail && table.service.version == reading.version
    }

    fn write_approval(&self, world: &mut World, effect: Effect) {
        let table = &mut world.table;
        match effect {
            Effect::Ask(approval) => {
                table.approval = Some(approval);
                table.copies.push((approval.id, approval.expires_at));
            }
            Effect::Do(_) => {}
            Effect::Settle { approval, .. } => {
                table.approval = Some(Approval { is_decided: true, ..approval });
                if self.variant != Variant::CopyStays {
                    table.copies.retain(|(id, _)| *id != approval.id);
                }
            }
        }
    }

    /// Writes credential, account and mail of the next issue. Returns the number of retrievals that it moves into the history.
    pub(crate) fn start_next_issue(&self, world: &mut World, reading: Reading) -> u8 {
        world.observe_moved(reading);
        let table = &mut world.table;
        let moved = if table.credential.signed_in { 0 } else { reading.retrieved.len() };
        let issue = reading.issue + 1;
        table.credential.issue = issue;
        if self.variant != Variant::ReissueKeepsSealed || table.credential.sealed.is_none() {
            table.credential.sealed = Some(issue);
        }
        table.credential.retrieved = Addresses::default();
        (table.credential.signed_in, table.credential.changed) = (false, false);
        table.mail.issue = issue;
        table.service.temporary = true;
        if self.variant != Variant::ReissueLeavesRetired {
            table.service.status = Status::Active;
        }
        table.service.record_change();
        if self.variant == Variant::ReissueKeepsVersion {
            table.service.version = reading.version;
        }
        moved
    }

    /// Writes the set of portal users whole, and the items of those who are added or removed.
    fn write_portal_users(&self, world: &mut World, change: Change, write: &DeskWrite) {
        let table = &mut world.table;
        let before = table.credential.portal_users;
        table.credential.portal_users = match self.variant {
            Variant::OldAddressStays => write.portal_users.union(before),
            _ => write.portal_users,
        };
        if let Some(address) = change.added() {
            (table.known, table.removed) = (table.known.with(address), table.removed.without(address));
        }
        if let Some(address) = change.removed()
            && (table.known.contains(address) || self.variant != Variant::RemovedItemNotCreated)
        {
            (table.known, table.removed) = (table.known.with(address), table.removed.with(address));
        }
    }
}
