//! The whole product in one process: the real handlers, the real SDK, and the embedded cloud. What a test needs of it is
//! [`TestStack`]; where processes are to die, [`Processes`].
//!
//! | where | what is shown |
//! |---|---|
//! | `it/<function>.rs` | each function, in sentences |
//! | `it/attempts.rs` | the budgets of whoever guesses, however many at once and wherever from |
//! | `it/condition.rs` | the condition of a retrieval against its rules, by property |
//! | `it/contract.rs` | the HTTP contract: its routes, its examples, and that every answer is held against it |
//! | `it/everything.rs` | every function has what every function must have |
//! | `it/interleavings.rs` | sign-in, reset, creation, retirement and a new issue beside each other, step by step in every order |
//! | `it/logs.rs` | one line for each request and message, and the metrics in it |
//! | `it/no_leaks.rs` | no secret in anything that is logged, kept or answered where it must not be |
//! | `it/permissions.rs` | each function uses all that its role grants, and needs each statement of it |
//! | `it/portal_sign_in.rs` | customers go to their provider and back, and nobody else comes with them |
//! | `it/second_provider.rs` | the same at a provider that others wrote |
//! | `it/template.rs` | the template has the functions, routes and settings that the code has |
//! | `it/whole.rs` | the same from outside, through cargo-lambda |
//! | `browser/` | the whole product in Chromium: the story by mouse and by keys, lost answers, no scripts, axe-core and pictures of every page |
//! | `faults/` | every AWS call failing in every way in every state, and everything at once while AWS fails |
//! | `crashes/` | real processes of every function, killed at every call of AWS and at any moment: `invariants.rs` has what holds afterwards |
//! | `model/` | the invariants over all interleavings, and mutants that break them |
//! | `contract/` | the HTTP contract, asked from outside by Schemathesis |
//! | `start/`, `timing/` | how soon a function starts, and that signing in takes one time, whatever is wrong |
//! | `template/` | linters, our own rules and planted faults for the deployment template |
//! | `mutants/` | wrong changes to the code, a file for each, and which of these tests finds it |
//!
//! Where each invariant of the protocol is looked at, beside `faults/` and `crashes/`, which look at all of them but the seventh while AWS
//! fails and processes die:
//!
//! | invariant | as a model | against the real code |
//! |---|---|---|
//! | 1, 2: three retrievals of an issue, each counted once, and nobody who took one is told otherwise | `model/retrieve` | `it/condition.rs`, `it/get_credentials.rs`, `it/whole.rs` |
//! | 3: none after sign-in, change, expiry or the end of its issue | `model/retrieve`, `model/account` | `it/condition.rs`, `it/sign_in.rs` |
//! | 4: a stranger learns nothing | | `it/condition.rs`, `it/get_credentials.rs`, `it/list_subscriptions.rs` |
//! | 5: every issue is mailed, and no event gives two | `model/mail` | `it/send_mail.rs`, `it/subscription_start.rs` |
//! | 6: there is always a way in | `model/account`, `model/attempts` | `it/interleavings.rs`, `it/attempts.rs`, `crashes/invariants.rs` |
//! | 7: no guesser has more than the budget | `model/attempts` | `it/attempts.rs` |
//! | 8: what is over does nothing | `model/account` | `it/interleavings.rs`, `it/reset_password.rs`, `it/sign_in.rs` |
//! | 9: no secret where it must not be | | `it/no_leaks.rs`, `it/whole.rs`, `crashes/invariants.rs` |
//!
//! `it/interleavings.rs` and `faults/` know what is right from [`specification`], which is written apart from the code: one subscription
//! as operations leave it that are carried out one after the other. [`history`] finds out whether what happened at once could have
//! happened so.
//!
//! The faults that are tried are a sample, by a seed that is printed; `FIRSTKEY_FULL=1` tries all of them. Whatever fails, in `crashes/`
//! too, prints its seed, what happened on the way there, and the command that runs it again, such as
//!
//! ```text
//! FIRSTKEY_SEED=17 cargo nextest run -p tests --test faults a_schedule_in_process
//! FIRSTKEY_FULL=1 FIRSTKEY_ONLY='sign-in (first), call 6' cargo nextest run -p tests --test faults every_call
//! cargo build && FIRSTKEY_SEED=17 cargo nextest run -p tests --test crashes -E 'test(every_call)' --no-capture
//! ```

#![expect(clippy::missing_panics_doc, reason = "a stack that does not come up fails its test")]
#![expect(clippy::unwrap_used, reason = "the same")]

pub mod canary;
pub mod contract;
mod dev;
pub mod functions;
pub mod history;
mod http;
mod processes;
pub mod product;
pub mod specification;
mod stack;
pub mod table;

pub use dev::{Dev, skipped};
pub use functions::{Function, Route, Trigger};
pub use http::{Answer, Call};
pub use processes::{Processes, Work};
pub use stack::{Deployment, Machine, TestStack, event};

/// Whether the environment asks for more than the sample that a check runs by itself.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "checks are told by the environment how much to do")]
pub fn asked_for(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

/// What the environment gives for `name`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "checks are told by the environment how much to do")]
pub fn text_asked_for(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The number that the environment gives for `name`.
#[must_use]
pub fn number_asked_for(name: &str) -> Option<u64> {
    Some(text_asked_for(name)?.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}
