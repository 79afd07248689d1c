//! The steps of an invocation: it reads, decides, and sends one write.

use super::act::Judgement;
use super::table::{
    Account, Address, Addresses, Approval, Click, Credential, Mail, Outcome, Reading, Session, Status, Table, Time,
    Write,
};
use super::witness::{Breach, Situation};
use super::{Action, DeskModel, Page, Request, Task, Variant, World};

/// One invocation. An item that is `None` has not been read yet, or is not needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) task: Task,
    pub(crate) asked_at: Time,
    pub(crate) page: Page,
    /// The session to write, for a sign-in; the session of the request, for a reset or a creation.
    session: Option<Session>,
    pub(crate) credential: Option<Credential>,
    /// The service administrator's account, which is read with the credential.
    pub(crate) service: Option<Account>,
    pub(crate) others: Option<Others>,
    /// Whether the event's portal users have their items.
    has_put: bool,
    /// The issue that a retrieval is for.
    issue: u8,
    /// The issue whose password an admitted retrieval is about to unseal.
    unsealing: Option<u8>,
    attempt: u8,
    races: u8,
}

/// The items that are read apart from the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Others {
    pub(crate) mail: Mail,
    pub(crate) approval: Option<Approval>,
    pub(crate) removed: Addresses,
    /// Whether the click's answer is stored.
    pub(crate) is_answered: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Person {
    /// The session token in the person's cookie.
    token: Option<(usize, usize)>,
    /// The number of tasks that are over, successful or not.
    done: usize,
    run: Option<Run>,
}

impl Person {
    /// Ends the invocation, with or without an answer, and moves on to the next task.
    pub(crate) fn give_up(&mut self) {
        self.run = None;
        self.done += 1;
    }

    fn session<'a>(&self, table: &'a Table) -> Option<&'a Session> {
        table.session(self.token?)
    }
}

impl Run {
    fn new(task: Task, asked_at: Time, page: Page, session: Option<Session>) -> Self {
        let (credential, service, others, has_put) = (None, None, None, false);
        let (issue, unsealing, attempt, races) = (1, None, 1, 0);
        Self { task, asked_at, page, session, credential, service, others, has_put, issue, unsealing, attempt, races }
    }

    /// Returns whether the credential and the other items must be read next; where both are due, in any order. An event reads whom the
    /// desk has removed after the credential, so that the credential's number guards it.
    fn needs(&self, variant: Variant) -> (bool, bool) {
        let (credential, others) = (self.credential.is_none(), self.others.is_none());
        match self.task {
            Task::Desk(..) => (credential, others),
            Task::Paid if variant == Variant::RemovalsReadFirst => (credential && !others, others),
            Task::Paid => (credential, others && !credential),
            Task::SignIn => (credential && self.session.is_some_and(|session| session.temporary), false),
            Task::Reset | Task::CreateAdministrator | Task::AdministratorSignsIn | Task::End => (credential, false),
            Task::Retrieve(_) => (false, false),
        }
    }

    /// Returns the portal users that an event adds.
    fn added_by_event(&self, variant: Variant) -> Option<Addresses> {
        let known = self.credential?.portal_users;
        let removed = self.others?.removed;
        let kept_out = if variant == Variant::EventBringsBack { known } else { known.union(removed) };
        Some(Addresses::OF_PAID_EVENT.minus(kept_out))
    }

    /// Returns whether the paid event starts the next issue: nothing else gets the customer in.
    fn starts_when_paid(&self) -> Option<bool> {
        let credential = self.credential?;
        let used_up = credential.is_used_up() && !credential.signed_in && !credential.changed;
        Some(used_up && !credential.handed_over && !credential.ended)
    }
}

impl DeskModel {
    pub(crate) fn person_actions(&self, world: &World, p: usize, actions: &mut Vec<Action>) {
        let person = &world.people[p];
        let Some(run) = &person.run else {
            let next = self.scope.people[p].get(person.done).filter(|task| world.may_begin(p, **task));
            actions.extend(next.map(|task| Action::Begin(p, *task)));
            return;
        };
        if run.unsealing.is_some() {
            actions.extend([Action::Unsealed(p), Action::Crash(p)]);
            return;
        }
        let (credential, others) = run.needs(self.variant);
        if credential || others {
            actions.extend(credential.then_some(Action::ReadCredential(p)));
            actions.extend(others.then_some(Action::ReadOthers(p)));
            return;
        }
        let puts = run.task == Task::Paid && !run.has_put;
        if puts && run.added_by_event(self.variant).is_some_and(|adds| !adds.is_empty()) {
            actions.extend([Action::PutPortalUsers(p), Action::Crash(p)]);
            return;
        }
        actions.extend([Action::Committed(p), Action::AnswerLost(p), Action::Crash(p)]);
        if world.late.len() < self.scope.late_writes {
            actions.push(Action::Delayed(p));
        }
    }

    pub(crate) fn begin(world: &mut World, p: usize, task: Task) {
        let page = if let Task::Desk(click, _) = task { world.page(click) } else { Page::default() };
        let session = match task {
            Task::SignIn => {
                let Account { version, temporary, changes: since, .. } = world.table.service;
                Some(Session { token: world.next_token(p), version, temporary, since })
            }
            Task::Reset | Task::CreateAdministrator => world.people[p].session(&world.table).copied(),
            _ => None,
        };
        world.people[p].run = Some(Run::new(task, world.now, page, session));
    }

    pub(crate) fn read_credential(&self, world: &mut World, p: usize) -> Option<()> {
        let Table { credential, service, .. } = world.table;
        let run = world.people[p].run.as_mut()?;
        (run.credential, run.service) = (Some(credential), Some(service));
        self.decide(world, p)
    }

    pub(crate) fn read_others(&self, world: &mut World, p: usize) -> Option<()> {
        let Table { mail, approval, removed, .. } = world.table;
        let run = world.people[p].run.as_mut()?;
        let is_answered = matches!(run.task, Task::Desk(click, _) if world.table.has_answer(click));
        run.others = Some(Others { mail, approval, removed, is_answered });
        self.decide(world, p)
    }

    /// Ends the invocation without a write where what it read says so.
    fn decide(&self, world: &mut World, p: usize) -> Option<()> {
        let run = world.people[p].run.clone()?;
        if run.needs(self.variant) != (false, false) {
            return Some(());
        }
        let is_over = match run.task {
            Task::Desk(click, request) => match self.judge(&run)? {
                Judgement::Commit(_) => false,
                // The click is looked up last: an earlier attempt may have been carried out between the reads.
                Judgement::Refused if !world.table.has_answer(click) || self.variant == Variant::ClickReadFirst => {
                    world.observe_refusal(click, request);
                    true
                }
                Judgement::Answered | Judgement::Refused => {
                    world.witness.record(Situation::SameAnswer);
                    true
                }
            },
            Task::SignIn | Task::Reset | Task::CreateAdministrator => !run.session?.is_good(&world.table),
            Task::AdministratorSignsIn => world.table.administrator != Some(false),
            Task::Paid => {
                let starts = run.starts_when_paid()? && !world.table.paid;
                !starts && run.added_by_event(self.variant)?.is_empty()
            }
            Task::End => world.table.credential.ended,
            Task::Retrieve(_) => false,
        };
        if is_over {
            world.people[p].give_up();
        }
        Some(())
    }

    /// Derives the write from what the invocation read.
    fn derive_write(&self, world: &World, p: usize) -> Option<Write> {
        let run = world.people[p].run.as_ref()?;
        Some(match run.task {
            Task::Desk(..) => match self.judge(run)? {
                Judgement::Commit(write) => Write::Desk(write),
                Judgement::Answered | Judgement::Refused => return None,
            },
            Task::Retrieve(address) => Write::Retrieve { address, issue: run.issue },
            Task::SignIn => match run.credential {
                Some(Credential { signed_in: false, seq, retrieved, .. }) => {
                    Write::EndRetrieval { session: run.session?, seq, retrieved }
                }
                _ => Write::Session(run.session?),
            },
            Task::Reset => {
                let session = run.session?;
                let (version, since) = (session.version + 1, session.since + 1);
                let next = Session { token: world.next_token(p), version, temporary: false, since };
                Write::Reset { session, next, seq: run.credential?.seq }
            }
            Task::CreateAdministrator => Write::CreateAdministrator { session: run.session?, seq: run.credential?.seq },
            Task::AdministratorSignsIn => {
                let service = run.service?;
                let used = !service.temporary || self.variant == Variant::RetiredUnused;
                let retires = service.status == Status::Active && used;
                Write::AdministratorSignsIn { seq: run.credential?.seq, retires }
            }
            Task::Paid => {
                let reading = Reading::new(&run.credential?, run.service?, run.others?.mail);
                let starts = run.starts_when_paid()? && !world.table.paid;
                Write::Paid { reading, adds: run.added_by_event(self.variant)?, starts }
            }
            Task::End => Write::End { seq: run.credential?.seq },
        })
    }

    pub(crate) fn put_event_users(&self, world: &mut World, p: usize) -> Option<()> {
        let adds = world.people[p].run.as_ref()?.added_by_event(self.variant)?;
        self.put_portal_users(world, adds);
        world.people[p].run.as_mut()?.has_put = true;
        Some(())
    }

    /// Carries the write out and delivers its answer.
    pub(crate) fn deliver_answer(&self, world: &mut World, p: usize) -> Option<()> {
        let write = self.derive_write(world, p)?;
        let outcome = self.carry_out(world, write);
        match (write, outcome) {
            (Write::Retrieve { issue, .. }, Outcome::Done) => {
                world.people[p].run.as_mut()?.unsealing = Some(issue);
                return Some(());
            }
            (Write::Retrieve { address, .. }, Outcome::Refused) => return self.handle_refusal(world, p, address),
            (_, Outcome::Refused) => return self.retry_lost_race(world, p),
            (Write::Desk(write), Outcome::Done) if self.variant == Variant::ClickNotInTransaction => {
                world.table.store_answer(write.click);
            }
            (
                Write::Session(session) | Write::EndRetrieval { session, .. } | Write::Reset { next: session, .. },
                Outcome::Done,
            ) => world.people[p].token = Some(session.token),
            (_, Outcome::Done) => {}
        }
        world.people[p].give_up();
        Some(())
    }

    /// Decides what the old image of a refused retrieval means: a replay of the same click, another issue, or no password.
    fn handle_refusal(&self, world: &mut World, p: usize, address: Address) -> Option<()> {
        let image = world.table.credential;
        let listed = image.portal_users.contains(address) || self.variant == Variant::ReplayUnlisted;
        let shown = listed && image.is_retrievable();
        let run = world.people[p].run.as_mut()?;
        if shown && image.retrieved.contains(address) {
            run.unsealing = image.sealed;
            world.observe_admission(address);
        } else if shown && !image.is_used_up() && run.issue != image.issue {
            run.issue = image.issue;
            run.attempt = 1;
        } else {
            if world.witness.removed.contains(address) {
                world.witness.record(Situation::RemovedRefused);
            }
            world.people[p].give_up();
        }
        Some(())
    }

    /// Loses the answer: the request was carried out, or is still under way. The SDK sends it again, or gives up.
    pub(crate) fn lose_answer(&self, world: &mut World, p: usize, under_way: bool) -> Option<()> {
        let write = self.derive_write(world, p)?;
        if under_way {
            world.late.push(write);
            world.late.sort_unstable();
        } else {
            self.carry_out(world, write);
        }
        let run = world.people[p].run.as_mut()?;
        run.attempt += 1;
        if run.attempt > self.scope.attempts {
            world.people[p].give_up();
        }
        Some(())
    }

    /// Reads and decides again after a lost race. A sign-in goes on only with the account that it verified.
    fn retry_lost_race(&self, world: &mut World, p: usize) -> Option<()> {
        let run = world.people[p].run.as_mut()?;
        run.races += 1;
        (run.attempt, run.has_put) = (1, false);
        (run.credential, run.service, run.others) = (None, None, None);
        if run.races >= self.scope.races {
            world.people[p].give_up();
        }
        Some(())
    }

    pub(crate) fn unseal(world: &mut World, p: usize) -> Option<()> {
        let run = world.people[p].run.as_ref()?;
        let (Task::Retrieve(address), Some(issue)) = (run.task, run.unsealing) else { return None };
        world.observe_disclosure(address, issue);
        world.people[p].give_up();
        Some(())
    }
}

impl World {
    fn next_token(&self, p: usize) -> (usize, usize) {
        (p, self.people[p].done)
    }

    /// Returns what the operator sees when the page is loaded. A repeated click sends the same body again.
    fn page(&mut self, click: Click) -> Page {
        if let Some((_, page)) = self.pages.iter().find(|(known, _)| *known == click) {
            return *page;
        }
        let approval = self.table.approval.filter(|approval| !approval.is_decided).map(|approval| approval.id);
        let page = Page { issue: self.table.credential.issue, approval };
        self.pages.push((click, page));
        self.pages.sort_unstable_by_key(|(click, _)| *click);
        page
    }

    fn may_begin(&self, p: usize, task: Task) -> bool {
        let session = self.people[p].session(&self.table);
        match task {
            Task::Desk(click, Request::Decide { .. }) => {
                let pending = self.table.approval.is_some_and(|approval| !approval.is_decided);
                pending || self.pages.iter().any(|(known, _)| *known == click)
            }
            Task::SignIn => self.table.service.status == Status::Active && !self.table.credential.ended,
            Task::Reset => session.is_some(),
            Task::CreateAdministrator => session.is_some_and(|session| !session.temporary),
            Task::AdministratorSignsIn => self.table.administrator == Some(false),
            Task::Desk(..) | Task::Retrieve(_) | Task::Paid | Task::End => true,
        }
    }

    /// Records that an operator was refused: a breach if this very click was carried out.
    fn observe_refusal(&mut self, click: Click, request: Request) {
        if self.witness.has_acted(click) {
            self.witness.record_breach(Breach::FalseRefusal);
        }
        if matches!(request, Request::Decide { .. }) {
            self.witness.record(Situation::DecisionRefused);
        }
    }
}
