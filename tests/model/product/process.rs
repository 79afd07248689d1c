//! The function between its writes: it issues a code, and redeems it for the product.

use super::table::{Code, Time, TokenId, Write, Written};
use super::witness::Situation;
use super::{Process, ProductModel, Variant, World};

/// The steps that issue the code: check the session, put the code, answer with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Issuer {
    NotAsked,
    Putting { code: Code, attempt: u8 },
    Answered,
    Failed,
}

/// One request of the product to redeem the code. The client is authenticated, and address and verifier are right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Use {
    pub(crate) now: Time,
    pub(crate) step: Step,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    #[default]
    NotCalled,
    Called,
    /// The code is known, unspent.
    Known(Code),
    Writing {
        write: Write,
        attempt: u8,
    },
    Answered(Answer),
    /// The invocation crashed or answered 503: the product has no result.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Token(TokenId),
    InvalidGrant,
}

impl Use {
    pub(crate) fn call(&mut self, now: Time) {
        *self = Self { now, step: Step::Called };
    }

    /// Ends the invocation if it began before the last tick.
    pub(crate) fn time_out(&mut self, now: Time) {
        let is_running = matches!(self.step, Step::Called | Step::Known(_) | Step::Writing { .. });
        if is_running && self.now + 1 < now {
            self.step = Step::Failed;
        }
    }
}

impl World {
    /// Reads the session and its account, and decides on the code.
    pub(crate) fn check_session(&mut self) {
        let code = Code { version: self.table.version, issued_at: self.now, spent_by: None };
        self.issuer = Issuer::Putting { code, attempt: 1 };
    }

    pub(crate) fn give_up(&mut self, process: Process) {
        match process {
            Process::Issuer => self.issuer = Issuer::Failed,
            Process::Use(n) => self.uses[n].step = Step::Failed,
        }
    }

    fn answer(&mut self, n: usize, answer: Answer) {
        self.observe_answer(n, answer);
        self.uses[n].step = Step::Answered(answer);
    }
}

impl ProductModel {
    pub(crate) fn read_code(&self, world: &mut World, n: usize) {
        let now = world.uses[n].now;
        match world.table.code {
            Some(Code { spent_by: Some(token), .. }) => self.refuse_second_use(world, n, token),
            Some(code) if !code.has_expired(self.variant, now) => world.uses[n].step = Step::Known(code),
            Some(_) | None => {
                world.witness.record(Situation::Expired);
                world.answer(n, Answer::InvalidGrant);
            }
        }
    }

    /// Withdraws the token of the first use, and answers after that.
    fn refuse_second_use(&self, world: &mut World, n: usize, token: TokenId) {
        if self.variant == Variant::NotWithdrawn {
            world.answer(n, Answer::InvalidGrant);
            return;
        }
        let write = Write::Withdraw { token, by: n, now: world.uses[n].now };
        world.uses[n].step = Step::Writing { write, attempt: 1 };
    }

    /// Reads account and credential, and signs the ID token.
    pub(crate) fn read_user(world: &mut World, n: usize) {
        let Use { now, step: Step::Known(code) } = world.uses[n] else { return };
        if !world.table.is_account_good(code.version) {
            world.witness.record(Situation::Overtaken);
            world.answer(n, Answer::InvalidGrant);
            return;
        }
        let token = TokenId { by: n, attempt: 1 };
        let write = Write::Redeem { token, version: code.version, now };
        world.uses[n].step = Step::Writing { write, attempt: 1 };
    }

    /// Carries out the write that the process waits for, and gives it the answer.
    pub(crate) fn deliver_answer(&self, world: &mut World, process: Process) -> Option<()> {
        let (write, _) = world.under_way(process)?;
        let written = self.carry_out(world, write);
        match (process, write) {
            (Process::Issuer, _) => world.issuer = Issuer::Answered,
            (Process::Use(n), Write::Redeem { token, .. }) => self.conclude(world, n, token, written),
            (Process::Use(n), _) => world.answer(n, Answer::InvalidGrant),
        }
        Some(())
    }

    /// Decides what the result of the transaction means.
    fn conclude(&self, world: &mut World, n: usize, token: TokenId, written: Written) {
        match written {
            Written::Done => world.answer(n, Answer::Token(token)),
            Written::Spent(own) if own == token && self.variant != Variant::OwnAttemptUnknown => {
                world.witness.record(Situation::OwnRecognised);
                world.answer(n, Answer::Token(token));
            }
            Written::Spent(other) => self.refuse_second_use(world, n, other),
            Written::NotValid => {
                world.witness.record(Situation::Overtaken);
                world.answer(n, Answer::InvalidGrant);
            }
            Written::Expired => world.answer(n, Answer::InvalidGrant),
        }
    }

    /// Loses the answer: the attempt was carried out or is still under way. The SDK sends the same request again, or gives up.
    pub(crate) fn lose_answer(&self, world: &mut World, process: Process, under_way: bool) -> Option<()> {
        let (write, attempt) = world.under_way(process)?;
        if under_way {
            world.late.push(write);
            world.late.sort_unstable();
        } else {
            let _ = self.carry_out(world, write);
        }
        if attempt >= self.scope.attempts {
            world.give_up(process);
            return Some(());
        }
        let attempt = attempt + 1;
        match process {
            Process::Issuer => {
                let Write::PutCode(code) = write else { return None };
                world.issuer = Issuer::Putting { code, attempt };
            }
            Process::Use(n) => {
                let write = self.next_attempt(write, attempt);
                world.uses[n].step = Step::Writing { write, attempt };
            }
        }
        Some(())
    }

    fn next_attempt(&self, write: Write, attempt: u8) -> Write {
        match write {
            Write::Redeem { token, version, now } if self.variant == Variant::TokenOfEachAttempt => {
                Write::Redeem { token: TokenId { attempt, ..token }, version, now }
            }
            same => same,
        }
    }
}

impl World {
    /// Returns the write that a process waits for, and the number of its attempt.
    fn under_way(&self, process: Process) -> Option<(Write, u8)> {
        match process {
            Process::Issuer => match self.issuer {
                Issuer::Putting { code, attempt } => Some((Write::PutCode(code), attempt)),
                Issuer::NotAsked | Issuer::Answered | Issuer::Failed => None,
            },
            Process::Use(n) => match self.uses[n].step {
                Step::Writing { write, attempt } => Some((write, attempt)),
                Step::NotCalled | Step::Called | Step::Known(_) | Step::Answered(_) | Step::Failed => None,
            },
        }
    }
}
