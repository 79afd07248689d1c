//! Models get-credentials: one `UpdateItem` (one more in a later issue), then one `Decrypt`, then the answer.
//!
//! A click becomes one or more invocations: the client retries it with the same Idempotency-Key, also while the first
//! still runs. An invocation makes one or two requests, and the SDK sends each up to [`Scope::attempts`] times. An attempt
//! ends in one of four actions: `Counted` (carried out and answered), `AnswerLost` (carried out, but the SDK retries),
//! `Delayed` (still under way when the SDK retries; `LateWrite` carries it out at any later time, or never, which is
//! a lost request) or `Duplicated` (carried out and answered, and carried out once more as a late write).
//!
//! A request names the issue that it is for: first issue 1, since nothing has been read yet, then the issue in the refusal's
//! image. All processes share one clock. A request keeps the `:now` of its creation, and an issue is dated when its transaction
//! is prepared, so nothing that holds here depends on the order of two moments within a tick.

mod credential;
mod tests;
mod witness;

use stateright::{Model, Property};

use credential::{Click, Credential, FIRST_ISSUE, Password, Person, Request, Retrieval, RetrievalId, Time};
use witness::{Breach, Witness};

/// The protocol, or a mutant that differs from it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Design,
    /// The item stores the number of retrievals without ids, so an attempt cannot be recognised.
    BareCounter,
    /// A read checks the condition; the write has none.
    ReadThenWrite,
    /// The password is unsealed before it is counted.
    DecryptFirst,
    /// A known id is answered with the password for ever, not for ten minutes.
    UnlimitedReplay,
    /// The id is made from the principal that matched, which may be a whole company.
    ReplayByPrincipal,
    /// The write does not request `ALL_OLD` on failure.
    NoOldImage,
    /// A known id is answered without a check that the password may still be shown.
    ReplayUnchecked,
    /// The condition does not compare the issue.
    IssueNotCompared,
    /// The condition compares the issue's date with the request's time, not the issue itself.
    DateCompared,
    /// The next issue's condition does not compare the number of retrievals that it moves into the history.
    SizeNotCompared,
    /// A renewal compares neither the number of retrievals that it read nor the number allowed.
    RenewalSizeNotCompared,
    /// A renewal keeps the retrievals of the expired issue.
    RenewalKeepsRetrievals,
}

/// The bounds of the exploration.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// The clicks, each with the number of invocations that the client may make of it.
    pub(crate) clicks: Vec<(Click, u8)>,
    /// The number of retrievals that other people took before.
    pub(crate) retrieved_before: u8,
    /// The number of times that the SDK sends a request.
    pub(crate) attempts: u8,
    /// The largest number of abandoned requests under way.
    pub(crate) late_writes: usize,
    /// The tick at which the clock stops.
    pub(crate) last_tick: Time,
    /// Whether sign-in, change of the password and end of the subscription happen.
    pub(crate) with_closing: bool,
    /// The invocations that start a next issue.
    pub(crate) next_issues: Vec<Cause>,
}

/// The cause of a next issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A reissue or a paid event, at any time.
    Any,
    /// A portal user's renewal of an issue that is expired, unchanged and not used up.
    Renewal,
}

#[derive(Clone, Debug)]
pub(crate) struct RetrieveModel {
    pub(crate) variant: Variant,
    pub(crate) scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    now: Time,
    credential: Credential,
    invocations: Vec<Invocation>,
    /// Abandoned requests that are still under way, sorted.
    late: Vec<Request>,
    next_issues: Vec<NextIssue>,
    witness: Witness,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Invocation {
    click: Click,
    step: Step,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step {
    NotCalled,
    Counting(Attempt),
    Unsealing {
        issue: u8,
        password: Password,
        replay: bool,
    },
    Answered(Answer),
    /// The invocation crashed or answered 503: the client has no result and may retry the click.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Attempt {
    number: u8,
    request: Request,
    /// The password that the mutant `DecryptFirst` unsealed before it counted.
    held: Option<Password>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    Password { issue: u8, password: Password, replay: bool },
    Blank,
    Conflict,
}

/// The steps that start the next issue: read, generate and seal a password, commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum NextIssue {
    NotAsked,
    Read { issue: u8, retrievals: usize, at: Time },
    Acknowledged,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Call(usize),
    Counted(usize),
    Duplicated(usize),
    AnswerLost(usize),
    Delayed(usize),
    LateWrite(usize),
    Unsealed(usize),
    UnsealFailed(usize),
    Crash(usize),
    Tick,
    SignIn,
    Change,
    End,
    ReadForNextIssue(usize),
    CommitNextIssue(usize),
    NextIssueAnswerLost(usize),
}

impl Model for RetrieveModel {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let mut credential = Credential::begin(FIRST_ISSUE, 0, false);
        let mut witness = Witness::default();
        for n in 0..self.scope.retrieved_before {
            let by = Click { person: Person::Other(n), key: 'x' };
            credential.retrievals.push(Retrieval { id: RetrievalId::new(self.variant, by), at: 0, by });
            witness.record_count(FIRST_ISSUE, by);
            witness.record_disclosure(FIRST_ISSUE, by);
        }
        let invocations = self.scope.clicks.iter().flat_map(|&(click, times)| {
            std::iter::repeat_n(Invocation { click, step: Step::NotCalled }, usize::from(times))
        });
        vec![World {
            now: 0,
            credential,
            invocations: invocations.collect(),
            late: Vec::new(),
            next_issues: vec![NextIssue::NotAsked; self.scope.next_issues.len()],
            witness,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (i, invocation) in world.invocations.iter().enumerate() {
            match invocation.step {
                Step::NotCalled if world.is_next_for_its_click(i) => actions.push(Action::Call(i)),
                Step::Counting(_) => {
                    actions.extend([Action::Counted(i), Action::AnswerLost(i), Action::Crash(i)]);
                    if world.late.len() < self.scope.late_writes {
                        actions.extend([Action::Delayed(i), Action::Duplicated(i)]);
                    }
                }
                Step::Unsealing { .. } => {
                    actions.extend([Action::Unsealed(i), Action::UnsealFailed(i)]);
                }
                Step::NotCalled | Step::Answered(_) | Step::Failed => {}
            }
        }
        actions.extend((0..world.late.len()).map(Action::LateWrite));
        if world.now < self.scope.last_tick {
            actions.push(Action::Tick);
        }
        if self.scope.with_closing {
            let credential = &world.credential;
            if credential.sealed.is_some() && !credential.signed_in {
                actions.push(Action::SignIn);
            }
            if credential.signed_in && !credential.changed {
                actions.push(Action::Change);
            }
            if !credential.ended {
                actions.push(Action::End);
            }
        }
        for (n, next) in world.next_issues.iter().enumerate() {
            match next {
                NextIssue::NotAsked if self.may_start(world, n, world.now) => actions.push(Action::ReadForNextIssue(n)),
                NextIssue::Read { .. } => {
                    actions.push(Action::CommitNextIssue(n));
                    if self.scope.next_issues[n] == Cause::Renewal {
                        actions.push(Action::NextIssueAnswerLost(n));
                    }
                }
                NextIssue::NotAsked | NextIssue::Acknowledged => {}
            }
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Call(i) => self.call(&mut world, i),
            Action::Counted(i) => self.carry_out_and_answer(&mut world, i, false),
            Action::Duplicated(i) => self.carry_out_and_answer(&mut world, i, true),
            Action::AnswerLost(i) => self.lose_answer(&mut world, i, false),
            Action::Delayed(i) => self.lose_answer(&mut world, i, true),
            Action::LateWrite(n) => {
                let request = world.late.remove(n);
                let _ = self.update_item(&mut world, &request);
            }
            Action::Unsealed(i) => world.unseal(i),
            Action::UnsealFailed(i) | Action::Crash(i) => world.invocations[i].step = Step::Failed,
            Action::Tick => world.now += 1,
            Action::SignIn => {
                world.credential.signed_in = true;
                world.close();
            }
            Action::Change => world.credential.changed = true,
            Action::End => {
                world.credential.ended = true;
                world.close();
            }
            Action::ReadForNextIssue(n) => {
                let Credential { issue, ref retrievals, .. } = world.credential;
                world.next_issues[n] = NextIssue::Read { issue, retrievals: retrievals.len(), at: world.now };
            }
            Action::CommitNextIssue(n) => {
                let done = self.commit_next_issue(&mut world, n);
                world.next_issues[n] = if done { NextIssue::Acknowledged } else { NextIssue::NotAsked };
            }
            // The SDK sends the same transaction again.
            Action::NextIssueAnswerLost(n) => {
                self.commit_next_issue(&mut world, n).then_some(())?;
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = witness::properties();
        properties.extend([
            Property::sometimes(THREE_DISCLOSED, |_, world: &World| world.witness.disclosures(1) == 3),
            Property::sometimes(BLANK_ANSWERED, |_, world: &World| world.has_answered(Answer::Blank)),
            Property::sometimes(CONFLICT_ANSWERED, |_, world: &World| world.has_answered(Answer::Conflict)),
            Property::sometimes(REPLAYED, |_, world: &World| {
                world.has_answered(Answer::Password { issue: 1, password: Password(1), replay: true })
            }),
            Property::sometimes(RENEWAL_SPENT, |_, world: &World| world.witness.disclosures(2) == 3),
            Property::sometimes(NEXT_ISSUE_SHOWN, |_, world: &World| {
                world.has_answered(Answer::Password { issue: 2, password: Password(2), replay: false })
            }),
        ]);
        properties
    }
}

pub(crate) const THREE_DISCLOSED: &str = "three retrievals show the password";
pub(crate) const BLANK_ANSWERED: &str = "a retrieval is answered with a blank";
pub(crate) const CONFLICT_ANSWERED: &str = "a click older than ten minutes is answered with 409";
pub(crate) const REPLAYED: &str = "a repeated click shows the same password";
pub(crate) const RENEWAL_SPENT: &str = "every retrieval of a renewed issue is spent";
pub(crate) const NEXT_ISSUE_SHOWN: &str = "a retrieval shows the password of the next issue";

impl RetrieveModel {
    fn request(&self, world: &World, click: Click, issue: u8, now: Time) -> Request {
        let mut request = Request { click, issue, now, made_in: world.credential.issue, decided: None };
        if self.variant == Variant::ReadThenWrite {
            request.decided = Some(world.credential.admits(self.variant, &request));
        }
        request
    }

    fn call(&self, world: &mut World, i: usize) {
        let click = world.invocations[i].click;
        let request = self.request(world, click, FIRST_ISSUE, world.now);
        let mut held = None;
        if self.variant == Variant::DecryptFirst && world.credential.admits(self.variant, &request) {
            held = world.credential.sealed;
            world.witness.record_disclosure(world.credential.issue, click);
        }
        world.invocations[i].step = Step::Counting(Attempt { number: 1, request, held });
    }

    /// Carries the attempt out and delivers its answer; `twice` leaves a copy of the request under way.
    fn carry_out_and_answer(&self, world: &mut World, i: usize, twice: bool) {
        let Step::Counting(attempt) = world.invocations[i].step.clone() else { return };
        let result = self.update_item(world, &attempt.request);
        if twice {
            world.send_late(attempt.request.clone());
        }
        world.invocations[i].step = match result {
            Ok(new) => world.admit(&attempt, &new, false),
            Err(old) => self.handle_refusal(world, &attempt, &old),
        };
    }

    /// Loses the answer: the attempt was carried out or is still under way. The SDK sends the same request again.
    fn lose_answer(&self, world: &mut World, i: usize, under_way: bool) {
        let Step::Counting(attempt) = world.invocations[i].step.clone() else { return };
        if under_way {
            world.send_late(attempt.request.clone());
        } else {
            let _ = self.update_item(world, &attempt.request);
        }
        world.invocations[i].step = self.retry_or_fail(attempt);
    }

    fn retry_or_fail(&self, attempt: Attempt) -> Step {
        if attempt.number < self.scope.attempts {
            Step::Counting(Attempt { number: attempt.number + 1, ..attempt })
        } else {
            Step::Failed
        }
    }

    /// Carries out the conditional write; returns the new image, or the old one when the condition fails.
    fn update_item(&self, world: &mut World, request: &Request) -> Result<Credential, Credential> {
        let holds = request.decided.unwrap_or_else(|| world.credential.admits(self.variant, request));
        if !holds {
            return Err(world.credential.clone());
        }
        world.observe_count(request);
        let id = RetrievalId::new(self.variant, request.click);
        world.credential.retrievals.push(Retrieval { id, at: request.now, by: request.click });
        Ok(world.credential.clone())
    }

    /// Decides what the old image of a refused write means, in the protocol's order of checks.
    fn handle_refusal(&self, world: &mut World, attempt: &Attempt, old: &Credential) -> Step {
        let request = &attempt.request;
        if self.variant == Variant::NoOldImage {
            return world.answer_without_password(Answer::Blank, request, old);
        }
        let known = old.find_retrieval(self.variant, request.click);
        let young = known.is_some_and(|entry| self.variant == Variant::UnlimitedReplay || entry.is_young(request.now));
        let retrievable = old.is_retrievable(request.now);
        if young && (retrievable || self.variant == Variant::ReplayUnchecked) {
            return world.admit(attempt, old, true);
        }
        if !retrievable || old.is_exhausted() {
            return world.answer_without_password(Answer::Blank, request, old);
        }
        if known.is_some() {
            return world.answer_without_password(Answer::Conflict, request, old);
        }
        if old.issued_at > request.now {
            return Step::Failed;
        }
        // The request was for another issue: make a new one for the issue in the image.
        let request = self.request(world, request.click, old.issue, request.now);
        Step::Counting(Attempt { number: 1, request, held: attempt.held })
    }

    /// Returns whether the cause lets a next issue begin. A reissue works in every state.
    fn may_start(&self, world: &World, n: usize, at: Time) -> bool {
        let credential = &world.credential;
        let counted =
            self.variant != Variant::RenewalSizeNotCompared || matches!(world.next_issues[n], NextIssue::NotAsked);
        match self.scope.next_issues[n] {
            Cause::Any => true,
            Cause::Renewal => {
                let used_up = counted && credential.is_exhausted();
                let over = credential.expires_at <= at;
                over && !credential.changed && !credential.ended && !used_up
            }
        }
    }

    /// Carries out the transaction that starts the next issue; returns whether its condition held.
    fn commit_next_issue(&self, world: &mut World, n: usize) -> bool {
        let NextIssue::Read { issue, retrievals, at } = world.next_issues[n] else { return false };
        let size_not_compared = matches!(self.variant, Variant::SizeNotCompared | Variant::RenewalSizeNotCompared);
        let same_size = size_not_compared || world.credential.retrievals.len() == retrievals;
        if world.credential.issue != issue || !same_size || !self.may_start(world, n, at) {
            return false;
        }
        let renewal = self.scope.next_issues[n] == Cause::Renewal;
        if renewal {
            world.observe_renewal(issue);
        }
        world.witness.record_next_issue(issue, retrievals);
        let mut next = Credential::begin(issue + 1, at, world.credential.ended);
        if renewal && self.variant == Variant::RenewalKeepsRetrievals {
            next.retrievals.clone_from(&world.credential.retrievals);
        }
        world.credential = next;
        true
    }
}

impl World {
    /// Invocations of one click are interchangeable, so they start in order.
    fn is_next_for_its_click(&self, i: usize) -> bool {
        let click = self.invocations[i].click;
        i == 0 || self.invocations[i - 1].click != click || self.invocations[i - 1].step != Step::NotCalled
    }

    fn send_late(&mut self, request: Request) {
        self.late.push(request);
        self.late.sort();
    }

    fn admit(&mut self, attempt: &Attempt, image: &Credential, replay: bool) -> Step {
        self.observe_admission(&attempt.request, image);
        match attempt.held.or(image.sealed) {
            Some(password) => Step::Unsealing { issue: image.issue, password, replay },
            None => Step::Failed,
        }
    }

    fn answer_without_password(&mut self, answer: Answer, request: &Request, old: &Credential) -> Step {
        self.observe_refusal(request, old);
        Step::Answered(answer)
    }

    /// Counts as a disclosure from here on: an invocation that crashes later may already have answered.
    fn unseal(&mut self, i: usize) {
        let Step::Unsealing { issue, password, replay } = self.invocations[i].step else { return };
        self.witness.record_disclosure(issue, self.invocations[i].click);
        if password != Password(issue) {
            self.witness.record_breach(Breach::PasswordOfAnotherIssue);
        }
        self.invocations[i].step = Step::Answered(Answer::Password { issue, password, replay });
    }

    /// Removes the sealed copy, as sign-in and the end of the subscription both do.
    fn close(&mut self) {
        self.credential.sealed = None;
        self.witness.closed = true;
    }

    fn has_answered(&self, answer: Answer) -> bool {
        self.invocations.iter().any(|invocation| invocation.step == Step::Answered(answer))
    }
}
