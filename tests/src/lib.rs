//! The whole product in one process: the real handlers, the real SDK, and the embedded cloud. What a test needs of it is
//! [`TestStack`]; where processes are to die, [`Processes`].
//!
//! | where | what is shown |
//! |---|---|
//! | `it/<function>.rs` | each function, in sentences |
//! | `it/attempts.rs` | the budgets of whoever guesses, however many at once and wherever from |
//! | `it/condition.rs` | the condition of a retrieval against its rules, by property |
//! | `it/everything.rs` | every function has what every function must have |
//! | `it/interleavings.rs` | sign-in, reset, creation, retirement and a new issue beside each other, step by step in every order |
//! | `it/no_leaks.rs` | no secret in anything that is logged, kept or answered where it must not be |
//! | `it/whole.rs` | the same from outside, through cargo-lambda |
//! | `kills/` | real processes of every function, killed at every call of AWS and at any moment: `invariants.rs` has what holds afterwards |
//! | `model/` | the invariants over all interleavings, and mutants that break them |
//! | `mutants.md` | which of these tests finds which wrong change to the code |
//!
//! A run of `kills/` prints its seed; where something does not hold, it prints what was killed on the way there and the command that
//! runs it again:
//!
//! ```sh
//! cargo build && FIRSTKEY_SEED=17 cargo nextest run -p tests --test kills -E 'test(every_call)' --no-capture
//! ```

#![expect(clippy::missing_panics_doc, reason = "a stack that does not come up fails its test")]
#![expect(clippy::unwrap_used, reason = "the same")]

pub mod canary;
mod http;
mod processes;
mod stack;

pub use http::{Answer, Call};
pub use processes::{Processes, Work};
pub use stack::{Deployment, TestStack, event};

/// Whether the environment asks for more than the sample that a check runs by itself.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "checks are told by the environment how much to do")]
pub fn asked_for(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

/// A number that the environment gives, such as the seed of a run that is to be seen again.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the same")]
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
