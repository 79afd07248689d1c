//! The steps of a worker, which is one receive of one message: take, unseal, send, record, acknowledge.

use super::item::{BOUNCED, Late, NOT_NEEDED, Owner, Place, Step, Take, TakeRequest, Worker};
use super::{Action, MailModel, Variant, World};

impl MailModel {
    pub(crate) fn worker_actions(&self, world: &World, m: usize, actions: &mut Vec<Action>) {
        let delays = world.late.len() < self.scope.late_requests;
        let step = match &world.messages[m].place {
            Place::Queue { hidden: 0 } => return actions.push(Action::Receive(m)),
            Place::Queue { .. } | Place::Acknowledged | Place::DeadLetters => return,
            Place::Worked { worker, .. } => worker.step,
        };
        actions.push(Action::Crash(m));
        match step {
            Step::Take { .. } => actions.extend([Action::Taken(m), Action::TakeAnswerLost(m)]),
            Step::Unseal => actions.extend([Action::Unsealed(m), Action::UnsealFailed(m)]),
            Step::Send { .. } => {
                actions.extend([Action::SesAccepts(m), Action::SesThrottles(m), Action::SesAnswerLost(m)]);
                if self.scope.quota_pause > 0 {
                    actions.push(Action::SesQuotaReached(m));
                }
                if self.scope.with_refusals {
                    actions.push(Action::SesRefusesAddress(m));
                }
            }
            Step::Release { .. } => actions.push(Action::Released(m)),
            Step::Record { .. } => actions.extend([Action::Recorded(m), Action::RecordAnswerLost(m)]),
            Step::Acknowledge => actions.push(Action::Acknowledged(m)),
        }
        match step {
            Step::Take { .. } if delays => actions.push(Action::TakeDelayed(m)),
            Step::Send { .. } if delays => actions.push(Action::SendDelayed(m)),
            Step::Release { .. } if delays => actions.push(Action::ReleaseDelayed(m)),
            Step::Record { .. } if delays => actions.push(Action::RecordDelayed(m)),
            _ => {}
        }
    }

    /// Hands the message out, or moves it to the dead letters after its last receive.
    pub(crate) fn receive(&self, world: &mut World, m: usize) {
        let message = &mut world.messages[m];
        if message.receives == self.scope.receives {
            message.place = Place::DeadLetters;
            return;
        }
        message.receives += 1;
        let worker = Worker { left: self.scope.function_time_out, step: Step::Take { attempt: 1, asked_ago: 0 } };
        message.place = Place::Worked { hidden: self.scope.visibility, worker };
    }

    /// Carries out a worker's action; returns `None` for an action that is not a worker's.
    pub(crate) fn worker_step(&self, world: &mut World, action: &Action) -> Option<()> {
        match *action {
            Action::Taken(m) | Action::TakeAnswerLost(m) | Action::TakeDelayed(m) => {
                self.take_step(world, action, m)?;
            }
            Action::Unsealed(m) => world.unseal(m)?,
            Action::SesAccepts(m)
            | Action::SesThrottles(m)
            | Action::SesQuotaReached(m)
            | Action::SesRefusesAddress(m)
            | Action::SesAnswerLost(m)
            | Action::SendDelayed(m) => self.send_step(world, action, m)?,
            Action::Released(m) => {
                self.release(world, world.owner(m));
                self.give_back(world, m)?;
            }
            Action::ReleaseDelayed(m) => {
                world.send_late(Late::Release(world.owner(m)));
                self.give_back(world, m)?;
            }
            Action::Recorded(m) => {
                self.record(world, world.owner(m));
                world.proceed_to(m, Step::Acknowledge);
            }
            Action::RecordAnswerLost(m) => {
                self.record(world, world.owner(m));
                self.retry_or_fail(world, m);
            }
            Action::RecordDelayed(m) => {
                world.send_late(Late::Record(world.owner(m)));
                self.retry_or_fail(world, m);
            }
            Action::Acknowledged(m) => world.messages[m].place = Place::Acknowledged,
            Action::UnsealFailed(m) | Action::Crash(m) => self.fail(world, m),
            _ => return None,
        }
        Some(())
    }

    fn take_step(&self, world: &mut World, action: &Action, m: usize) -> Option<()> {
        match action {
            Action::Taken(_) => {
                let request = self.take_request(world, m)?;
                match self.take(world, request) {
                    Take::Taken | Take::Own => world.proceed_to(m, Step::Unseal),
                    Take::Live if self.variant == Variant::LeaseAcknowledged => world.proceed_to(m, Step::Acknowledge),
                    Take::Live => world.report_failed(m),
                    Take::Done => world.proceed_to(m, Step::Acknowledge),
                }
            }
            Action::TakeAnswerLost(_) => {
                let request = self.take_request(world, m)?;
                self.take(world, request);
                self.retry_or_fail(world, m);
            }
            _ => {
                world.send_late(Late::Take(self.take_request(world, m)?));
                self.retry_or_fail(world, m);
            }
        }
        Some(())
    }

    fn send_step(&self, world: &mut World, action: &Action, m: usize) -> Option<()> {
        match action {
            Action::SesAccepts(_) => {
                world.record_sent(m)?;
                world.proceed_to(m, Step::Record { attempt: 1 });
            }
            Action::SesThrottles(_) => world.proceed_to(m, Step::Release { at_quota: false }),
            Action::SesQuotaReached(_) => world.proceed_to(m, Step::Release { at_quota: true }),
            Action::SesRefusesAddress(_) => {
                let order = world.messages[m].order;
                world.mail.as_mut()?.raise(order, BOUNCED);
                world.proceed_to(m, Step::Acknowledge);
            }
            Action::SesAnswerLost(_) => {
                world.record_sent(m)?;
                self.retry_or_fail(world, m);
            }
            _ => {
                let Step::Send { password, .. } = world.step(m)? else { return None };
                world.send_late(Late::Send { order: world.messages[m].order, password });
                self.retry_or_fail(world, m);
            }
        }
        Some(())
    }

    /// Carries out an abandoned request.
    pub(crate) fn carry_out_late(&self, world: &mut World, n: usize) {
        match world.late.remove(n) {
            Late::Take(request) => {
                let order = world.messages[request.by.message].order;
                if self.take(world, request) == Take::Taken {
                    world.witness.record_failure(order, self.scope.receives);
                }
            }
            Late::Send { order, password } => world.witness.record_mail(order, password),
            Late::Release(owner) => self.release(world, owner),
            Late::Record(owner) => self.record(world, owner),
            Late::Resend(request) => self.resend(world, request),
        }
    }

    fn take_request(&self, world: &World, m: usize) -> Option<TakeRequest> {
        let Step::Take { asked_ago, .. } = world.step(m)? else { return None };
        Some(TakeRequest { by: world.owner(m), asked_ago, lease: self.scope.lease })
    }

    fn take(&self, world: &mut World, request: TakeRequest) -> Take {
        let order = world.messages[request.by.message].order;
        let Some(mail) = &mut world.mail else { return Take::Done };
        let take = mail.take(self.variant, order, request);
        if take == Take::Taken {
            world.witness.record_lease(order, mail.order);
        }
        take
    }

    fn release(&self, world: &mut World, owner: Owner) {
        let order = world.messages[owner.message].order;
        if let Some(mail) = &mut world.mail {
            mail.release(self.variant, order, owner);
        }
    }

    fn record(&self, world: &mut World, owner: Owner) {
        let order = world.messages[owner.message].order;
        if let Some(mail) = &mut world.mail {
            mail.record(self.variant, order, owner);
            world.witness.issue_mut(order.issue).recorded |= mail.order == order;
        }
    }

    /// Counts a crash, a refusal or a missing answer, and returns the message to the queue.
    fn fail(&self, world: &mut World, m: usize) {
        let sent = matches!(world.step(m), Some(Step::Record { .. }));
        let order = world.messages[m].order;
        world.witness.record_failure(order, self.scope.receives);
        world.witness.issue_mut(order.issue).unknown += u8::from(sent);
        world.report_failed(m);
    }

    /// Returns the message to the queue after SES refused. At the quota of the day it stays hidden for longer.
    fn give_back(&self, world: &mut World, m: usize) -> Option<()> {
        let Step::Release { at_quota } = world.step(m)? else { return None };
        self.fail(world, m);
        if at_quota {
            world.messages[m].place = Place::Queue { hidden: self.scope.quota_pause };
            world.witness.paused = true;
        }
        Some(())
    }

    /// Handles a missing answer: the SDK sends the request again, or gives up and the message is reported failed. SES gets one attempt.
    fn retry_or_fail(&self, world: &mut World, m: usize) {
        let issue = world.messages[m].order.issue;
        match world.step(m) {
            Some(Step::Take { attempt, asked_ago }) if attempt < self.scope.attempts => {
                world.proceed_to(m, Step::Take { attempt: attempt + 1, asked_ago });
            }
            Some(Step::Record { attempt }) if attempt < self.scope.attempts => {
                world.proceed_to(m, Step::Record { attempt: attempt + 1 });
            }
            Some(Step::Send { attempt, password })
                if attempt < self.scope.attempts && self.variant == Variant::SesRetried =>
            {
                world.witness.issue_mut(issue).unknown += 1;
                world.proceed_to(m, Step::Send { attempt: attempt + 1, password });
            }
            Some(Step::Send { .. }) => {
                world.witness.issue_mut(issue).unknown += 1;
                self.fail(world, m);
            }
            _ => self.fail(world, m),
        }
    }
}

impl World {
    fn owner(&self, m: usize) -> Owner {
        Owner { message: m, receive: self.messages[m].receives }
    }

    fn step(&self, m: usize) -> Option<Step> {
        self.messages[m].worker().map(|worker| worker.step)
    }

    fn proceed_to(&mut self, m: usize, next: Step) {
        if let Place::Worked { worker, .. } = &mut self.messages[m].place {
            worker.step = next;
        }
    }

    /// Leaves the message in the queue, hidden until its visibility time-out is over.
    fn report_failed(&mut self, m: usize) {
        if let Place::Worked { hidden, .. } = self.messages[m].place {
            self.messages[m].place = Place::Queue { hidden };
        }
    }

    /// Reads the credential and unseals its password, unless the credential has another issue or the mail is no longer needed.
    fn unseal(&mut self, m: usize) -> Option<()> {
        let order = self.messages[m].order;
        let credential = self.credential.as_ref()?;
        let next = if credential.issue != order.issue {
            Step::Acknowledge
        } else if credential.needed {
            Step::Send { attempt: 1, password: credential.sealed }
        } else {
            self.mail.as_mut()?.raise(order, NOT_NEEDED);
            Step::Acknowledge
        };
        self.proceed_to(m, next);
        Some(())
    }

    fn record_sent(&mut self, m: usize) -> Option<()> {
        let Step::Send { password, .. } = self.step(m)? else { return None };
        self.witness.record_mail(self.messages[m].order, password);
        Some(())
    }
}
