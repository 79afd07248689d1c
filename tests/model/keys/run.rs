//! A run of `refresh-keys`: it asks each provider, and puts what it has fetched.

use super::table::{DELAY, EVENT_AGE, IssuerId, Item, KeySet, OPERATORS, Time};
use super::{Action, KeysModel, ProviderAnswer, Variant, World};

/// An event that makes Lambda run the function, once or again after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    /// The time of the event. A deployment ends at any moment.
    event_at: Option<Time>,
    /// The number of invocations that have begun.
    tries: u8,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Waiting,
    /// The invocation began at `date`, and does its work for each provider, in any order.
    Running {
        date: Time,
        jobs: [Job; 2],
    },
    /// The invocation succeeded, and the event is acknowledged.
    Done,
    /// The event was lost, or Lambda has given up.
    Failed,
}

/// The work for one provider. A provider that the scope leaves out counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Job {
    Fetching,
    Putting { write: Item, attempt: u8 },
    Done,
    Failed,
}

impl Run {
    pub(crate) fn new(event_at: Option<Time>) -> Self {
        Self { event_at, tries: 0, step: Step::Waiting }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    /// Returns whether a repetition succeeded.
    pub(crate) fn is_done_again(&self) -> bool {
        self.is_done() && self.tries > 1
    }

    /// Drops an event that has waited too long.
    pub(crate) fn expire(&mut self, now: Time) {
        if self.step == Step::Waiting && self.event_at.is_some_and(|event_at| event_at + EVENT_AGE < now) {
            self.step = Step::Failed;
        }
    }

    fn date(&self) -> Option<Time> {
        match self.step {
            Step::Running { date, .. } => Some(date),
            Step::Waiting | Step::Done | Step::Failed => None,
        }
    }

    fn job(&self, issuer: IssuerId) -> Option<Job> {
        match self.step {
            Step::Running { jobs, .. } => Some(jobs[issuer]),
            Step::Waiting | Step::Done | Step::Failed => None,
        }
    }

    fn set_job(&mut self, issuer: IssuerId, job: Job) {
        if let Step::Running { jobs, .. } = &mut self.step {
            jobs[issuer] = job;
        }
    }
}

impl Job {
    fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

impl KeysModel {
    pub(crate) fn run_actions(&self, world: &World, n: usize, actions: &mut Vec<Action>) {
        let run = &world.runs[n];
        let may_fail = self.may_fail(world);
        match run.step {
            Step::Waiting => {
                let is_first = run.tries == 0;
                if run.event_at.is_some_and(|event_at| event_at <= world.now) {
                    actions.push(Action::Begin(n));
                    if is_first && may_fail {
                        actions.push(Action::EventLost(n));
                    }
                } else if run.event_at.is_none() && self.is_next_deployment(world, n) {
                    actions.push(Action::Begin(n));
                }
            }
            Step::Running { jobs, .. } => {
                for (issuer, job) in jobs.into_iter().enumerate() {
                    match job {
                        Job::Fetching => {
                            let answers = self.answers(world, issuer).into_iter();
                            actions.extend(answers.map(|answer| Action::Fetched(n, issuer, answer)));
                        }
                        Job::Putting { .. } => {
                            actions.push(Action::Committed(n, issuer));
                            if may_fail {
                                actions.extend([Action::AnswerLost(n, issuer), Action::Delayed(n, issuer)]);
                            }
                        }
                        Job::Done | Job::Failed => {}
                    }
                }
                if may_fail {
                    actions.push(Action::Crash(n));
                }
            }
            Step::Done | Step::Failed => {}
        }
    }

    /// Returns whether the deployments before this one have ended. They are alike, so they end in order.
    fn is_next_deployment(&self, world: &World, n: usize) -> bool {
        n == self.scope.schedule.len() || world.runs[n - 1].event_at.is_some()
    }

    /// Returns whether the clock may tick without breaking the time limit of run `n`: [`DELAY`] from its due time for the first invocation of a
    /// scheduled run, and from its own date for a retry or a deployment.
    pub(crate) fn has_time_left(&self, world: &World, n: usize) -> bool {
        let run = &world.runs[n];
        let due = self.scope.schedule.get(n).copied();
        match run.step {
            Step::Waiting if run.tries == 0 => due.is_none_or(|due| world.now < due + DELAY),
            Step::Running { date, .. } => {
                let began = due.filter(|due| date <= due + DELAY).unwrap_or(date);
                world.now < began + DELAY
            }
            Step::Waiting | Step::Done | Step::Failed => true,
        }
    }

    pub(crate) fn begin(&self, world: &mut World, n: usize) {
        let date = world.now;
        let run = &mut world.runs[n];
        run.event_at.get_or_insert(date);
        run.tries += 1;
        let operators = if self.scope.issuers > OPERATORS { Job::Fetching } else { Job::Done };
        run.step = Step::Running { date, jobs: [Job::Fetching, operators] };
    }

    /// Receives the answer of a provider, and decides whether it is put.
    pub(crate) fn fetched(&self, world: &mut World, n: usize, issuer: IssuerId, answer: ProviderAnswer) -> Option<()> {
        let date = world.runs[n].date()?;
        let keys = match (self.accept_answer(world, issuer, answer), answer) {
            (None, ProviderAnswer::WithoutKeys) if self.variant == Variant::AnswerWithoutKeysPut => Some(KeySet::Empty),
            (keys, _) => keys,
        };
        let is_newer = self.item(world, issuer).is_some_and(|item| item.fetched_at > date);
        let job = match keys {
            Some(_) if is_newer && self.variant == Variant::ReadThenPut => Job::Done,
            Some(keys) => Job::Putting { write: Item { issuer, keys, fetched_at: date, by_run: true }, attempt: 1 },
            None => Job::Failed,
        };
        world.runs[n].set_job(issuer, job);
        self.conclude(world, n);
        Some(())
    }

    /// Carries out the write that a run waits for, and gives it the answer.
    pub(crate) fn deliver_answer(&self, world: &mut World, n: usize, issuer: IssuerId) -> Option<()> {
        let (write, _) = self.under_way(world, n, issuer)?;
        let written = self.put(world, write, false);
        world.witness.last.answered_write = Some((write, written));
        world.runs[n].set_job(issuer, Job::Done);
        self.conclude(world, n);
        Some(())
    }

    /// Loses the answer: the attempt was carried out or is still under way. The SDK sends the same write again, or gives up.
    pub(crate) fn lose_answer(&self, world: &mut World, n: usize, issuer: IssuerId, is_under_way: bool) -> Option<()> {
        let (write, attempt) = self.under_way(world, n, issuer)?;
        world.failures += 1;
        if is_under_way {
            world.late.push(write);
            world.late.sort_unstable();
        } else {
            let _ = self.put(world, write, false);
        }
        let is_last = attempt >= self.scope.attempts;
        let job = if is_last { Job::Failed } else { Job::Putting { write, attempt: attempt + 1 } };
        world.runs[n].set_job(issuer, job);
        self.conclude(world, n);
        Some(())
    }

    /// Returns the write that a run is about to send, and the number of its attempt.
    fn under_way(&self, world: &World, n: usize, issuer: IssuerId) -> Option<(Item, u8)> {
        let Job::Putting { write, attempt } = world.runs[n].job(issuer)? else { return None };
        let fetched_at = if self.variant == Variant::DatedWhenPut { world.now } else { write.fetched_at };
        Some((Item { fetched_at, ..write }, attempt))
    }

    /// Ends an invocation whose work is over. One that has failed is repeated.
    fn conclude(&self, world: &mut World, n: usize) {
        let Step::Running { jobs, .. } = world.runs[n].step else { return };
        let has_failed = jobs.contains(&Job::Failed);
        let is_over = jobs.iter().all(|job| job.is_over());
        let ends_early = has_failed && self.variant == Variant::FirstFailureEnds;
        if !is_over && !ends_early {
            return;
        }
        world.witness.last.was_cut_short = !is_over;
        if has_failed && self.variant != Variant::FailureAcknowledged {
            self.fail(world, n);
        } else {
            world.runs[n].step = Step::Done;
            for issuer in 0..self.scope.issuers {
                let item = self.item(world, issuer);
                world.witness.observe_success(issuer, item);
            }
        }
    }

    pub(crate) fn crash(&self, world: &mut World, n: usize) {
        world.failures += 1;
        self.fail(world, n);
    }

    fn fail(&self, world: &mut World, n: usize) {
        let run = &mut world.runs[n];
        run.step = if run.tries > self.scope.repeats { Step::Failed } else { Step::Waiting };
        run.expire(world.now);
    }
}

impl World {
    pub(crate) fn lose_event(&mut self, n: usize) {
        self.failures += 1;
        self.runs[n].step = Step::Failed;
    }
}
