//! Retrieve (get-credentials): one `UpdateItem`, or one more in a later issue, then one `Decrypt`, then the answer.
//!
//! A click becomes one or more invocations (the client retries it with the same Idempotency-Key, also while the first
//! still runs); an invocation makes a request, or two, and the SDK sends each up to [`Scope::attempts`] times. What happens to an
//! attempt is one of four actions: it is `Counted` (carried out and answered), its `AnswerLost` (carried out, the SDK goes
//! on), `Delayed` (still under way when the SDK goes on; `LateWrite` carries it out at any later time, or never, which is
//! a lost request) or `Duplicated` (carried out and answered, and carried out once more as a late write).
//!
//! A request names the issue that it asks for: the first, since nothing is read before, and then the one that a refusal shows.
//! The clock is one for all; a request keeps the `:now` that it was made with, and an issue is dated when its transaction is
//! prepared, so nothing that holds here depends on the order of two moments within a tick.

mod credential;
mod tests;
mod witness;

use stateright::{Model, Property};

use credential::{Click, Credential, FIRST_ISSUE, Password, Person, Request, Retrieval, RetrievalId, Time};
use witness::{Breach, Witness};

/// The protocol, or a mistake that differs from it in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Design,
    /// Retrievals are a number: an attempt cannot be recognised.
    BareCounter,
    /// The condition is checked by a read, the write has none.
    ReadThenWrite,
    /// The password is unsealed before it is counted.
    DecryptFirst,
    /// A known id is answered for ever, not for ten minutes.
    UnlimitedReplay,
    /// The id is made of the principal that matched, which may be a whole company.
    ReplayByPrincipal,
    /// The failed write does not ask for `ALL_OLD`.
    NoOldImage,
    /// A known id is answered without looking whether the password may still be shown.
    ReplayUnchecked,
    /// The condition does not ask for the issue.
    IssueNotAsked,
    /// The condition asks whether the issue had begun when the request was made, by its date, and not for the issue.
    BeginByClock,
    /// The next issue does not ask for the number of retrievals that it moves into the history.
    SizeNotAsked,
}

/// How much of the world is explored.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// Each with the number of invocations that the client may make of it.
    pub(crate) clicks: Vec<(Click, u8)>,
    /// Retrievals that others have taken before.
    pub(crate) taken_before: u8,
    /// How often the SDK sends a request.
    pub(crate) attempts: u8,
    /// Most requests under way that nobody waits for.
    pub(crate) late_writes: usize,
    /// The clock stops here.
    pub(crate) last_tick: Time,
    /// Sign-in, change and end happen.
    pub(crate) closing: bool,
    /// The next issue happens (reissue, renewal, `paid`).
    pub(crate) next_issue: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Retrieve {
    pub(crate) variant: Variant,
    pub(crate) scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    now: Time,
    credential: Credential,
    invocations: Vec<Invocation>,
    /// Requests under way that nobody waits for, sorted.
    late: Vec<Request>,
    next_issue: NextIssue,
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
    /// Crashed, or 503: the client knows nothing and may retry the click.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Attempt {
    number: u8,
    request: Request,
    /// What was unsealed before, in the mutant that decrypts first.
    held: Option<Password>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    Password { issue: u8, password: Password, replay: bool },
    Blank,
    Conflict,
}

/// The transaction that starts the next issue: read, make and seal a password, commit.
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
    ReadForNextIssue,
    CommitNextIssue,
}

impl Model for Retrieve {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let mut credential = Credential::begin(FIRST_ISSUE, 0, false);
        let mut witness = Witness::default();
        for n in 0..self.scope.taken_before {
            let by = Click { person: Person::Other(n), key: 'x' };
            credential.retrievals.push(Retrieval { id: RetrievalId::new(self.variant, by), at: 0, by });
            witness.counted(FIRST_ISSUE, by);
            witness.seen(FIRST_ISSUE, by);
        }
        let invocations = self.scope.clicks.iter().flat_map(|&(click, times)| {
            std::iter::repeat_n(Invocation { click, step: Step::NotCalled }, usize::from(times))
        });
        vec![World {
            now: 0,
            credential,
            invocations: invocations.collect(),
            late: Vec::new(),
            next_issue: NextIssue::NotAsked,
            witness,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for (i, invocation) in world.invocations.iter().enumerate() {
            match invocation.step {
                Step::NotCalled if world.is_next_of_its_click(i) => actions.push(Action::Call(i)),
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
        if self.scope.closing {
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
        match world.next_issue {
            NextIssue::NotAsked if self.scope.next_issue => actions.push(Action::ReadForNextIssue),
            NextIssue::Read { .. } => actions.push(Action::CommitNextIssue),
            NextIssue::NotAsked | NextIssue::Acknowledged => {}
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        match action {
            Action::Call(i) => self.call(&mut world, i),
            Action::Counted(i) => self.counted(&mut world, i, false),
            Action::Duplicated(i) => self.counted(&mut world, i, true),
            Action::AnswerLost(i) => self.unanswered(&mut world, i, false),
            Action::Delayed(i) => self.unanswered(&mut world, i, true),
            Action::LateWrite(n) => {
                let request = world.late.remove(n);
                let _ = self.update_item(&mut world, &request);
            }
            Action::Unsealed(i) => world.unsealed(i),
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
            Action::ReadForNextIssue => {
                let Credential { issue, ref retrievals, .. } = world.credential;
                world.next_issue = NextIssue::Read { issue, retrievals: retrievals.len(), at: world.now };
            }
            Action::CommitNextIssue => self.commit_next_issue(&mut world),
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = witness::properties();
        properties.extend([
            Property::sometimes(THREE_SEE_IT, |_, world: &World| world.witness.see_issue(1) == 3),
            Property::sometimes(A_BLANK, |_, world: &World| world.answered(Answer::Blank)),
            Property::sometimes(A_CONFLICT, |_, world: &World| world.answered(Answer::Conflict)),
            Property::sometimes(A_REPLAY, |_, world: &World| {
                world.answered(Answer::Password { issue: 1, password: Password(1), replay: true })
            }),
            Property::sometimes(THE_NEXT_ISSUE, |_, world: &World| {
                world.answered(Answer::Password { issue: 2, password: Password(2), replay: false })
            }),
        ]);
        properties
    }
}

pub(crate) const THREE_SEE_IT: &str = "three retrievals show the password";
pub(crate) const A_BLANK: &str = "a retrieval is answered with a blank";
pub(crate) const A_CONFLICT: &str = "a click older than ten minutes is answered 409";
pub(crate) const A_REPLAY: &str = "a click made again shows the same password";
pub(crate) const THE_NEXT_ISSUE: &str = "a retrieval shows the password of the next issue";

impl Retrieve {
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
            world.witness.seen(world.credential.issue, click);
        }
        world.invocations[i].step = Step::Counting(Attempt { number: 1, request, held });
    }

    /// The attempt is carried out and its answer arrives; `twice` leaves a copy of the request under way.
    fn counted(&self, world: &mut World, i: usize, twice: bool) {
        let Step::Counting(attempt) = world.invocations[i].step.clone() else { return };
        let result = self.update_item(world, &attempt.request);
        if twice {
            world.send_late(attempt.request.clone());
        }
        world.invocations[i].step = match result {
            Ok(new) => world.admitted(&attempt, &new, false),
            Err(old) => self.refused(world, &attempt, &old),
        };
    }

    /// The attempt has no answer: it was carried out, or it is still under way. The SDK sends the same request again.
    fn unanswered(&self, world: &mut World, i: usize, under_way: bool) {
        let Step::Counting(attempt) = world.invocations[i].step.clone() else { return };
        if under_way {
            world.send_late(attempt.request.clone());
        } else {
            let _ = self.update_item(world, &attempt.request);
        }
        world.invocations[i].step = self.again(attempt);
    }

    fn again(&self, attempt: Attempt) -> Step {
        if attempt.number < self.scope.attempts {
            Step::Counting(Attempt { number: attempt.number + 1, ..attempt })
        } else {
            Step::Failed
        }
    }

    /// The conditional write, with `ALL_NEW`, and `ALL_OLD` on failure.
    fn update_item(&self, world: &mut World, request: &Request) -> Result<Credential, Credential> {
        let holds = request.decided.unwrap_or_else(|| world.credential.admits(self.variant, request));
        if !holds {
            return Err(world.credential.clone());
        }
        world.witness_count(request);
        let id = RetrievalId::new(self.variant, request.click);
        world.credential.retrievals.push(Retrieval { id, at: request.now, by: request.click });
        Ok(world.credential.clone())
    }

    /// What the old image of a failed write tells, in the order of the protocol.
    fn refused(&self, world: &mut World, attempt: &Attempt, old: &Credential) -> Step {
        let request = &attempt.request;
        if self.variant == Variant::NoOldImage {
            return world.no_password(Answer::Blank, request, old);
        }
        let known = old.recognise(self.variant, request.click);
        let young = known.is_some_and(|entry| self.variant == Variant::UnlimitedReplay || entry.young(request.now));
        let retrievable = old.retrievable(request.now);
        if young && (retrievable || self.variant == Variant::ReplayUnchecked) {
            return world.admitted(attempt, old, true);
        }
        if !retrievable || old.exhausted() {
            return world.no_password(Answer::Blank, request, old);
        }
        if known.is_some() {
            return world.no_password(Answer::Conflict, request, old);
        }
        if old.issued_at > request.now {
            return Step::Failed;
        }
        // The request asked for another issue: it is made again, for the one in the image.
        let request = self.request(world, request.click, old.issue, request.now);
        Step::Counting(Attempt { number: 1, request, held: attempt.held })
    }

    fn commit_next_issue(&self, world: &mut World) {
        let NextIssue::Read { issue, retrievals, at } = world.next_issue else { return };
        let same_size = self.variant == Variant::SizeNotAsked || world.credential.retrievals.len() == retrievals;
        if world.credential.issue != issue || !same_size {
            world.next_issue = NextIssue::NotAsked;
            return;
        }
        world.witness.next_issue(issue, retrievals);
        world.credential = Credential::begin(issue + 1, at, world.credential.ended);
        world.next_issue = NextIssue::Acknowledged;
    }
}

impl World {
    /// Invocations of one click are alike, so they are called in order.
    fn is_next_of_its_click(&self, i: usize) -> bool {
        let click = self.invocations[i].click;
        i == 0 || self.invocations[i - 1].click != click || self.invocations[i - 1].step != Step::NotCalled
    }

    fn send_late(&mut self, request: Request) {
        self.late.push(request);
        self.late.sort();
    }

    fn admitted(&mut self, attempt: &Attempt, image: &Credential, replay: bool) -> Step {
        self.witness_admission(&attempt.request, image);
        match attempt.held.or(image.sealed) {
            Some(password) => Step::Unsealing { issue: image.issue, password, replay },
            None => Step::Failed,
        }
    }

    fn no_password(&mut self, answer: Answer, request: &Request, old: &Credential) -> Step {
        self.witness_no_password(request, old);
        Step::Answered(answer)
    }

    /// From here on the caller may see the password: what crashes later may have answered.
    fn unsealed(&mut self, i: usize) {
        let Step::Unsealing { issue, password, replay } = self.invocations[i].step else { return };
        self.witness.seen(issue, self.invocations[i].click);
        if password != Password(issue) {
            self.witness.breach(Breach::PasswordOfAnotherIssue);
        }
        self.invocations[i].step = Step::Answered(Answer::Password { issue, password, replay });
    }

    /// The part that sign-in, change and end have in common.
    fn close(&mut self) {
        self.credential.sealed = None;
        self.witness.closed = true;
    }

    fn answered(&self, answer: Answer) -> bool {
        self.invocations.iter().any(|invocation| invocation.step == Step::Answered(answer))
    }
}
