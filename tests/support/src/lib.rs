//! Support for the tests: the whole product in one process, with the real handlers, the real SDK and the embedded cloud. Most tests use
//! [`TestStack`]; crash tests use [`Processes`], where each function is a process that can be killed.
//!
//! | test | what it shows |
//! |---|---|
//! | `it/<function>.rs` | the behavior of each function |
//! | `it/administrators.rs`, `it/team.rs` | what adding, resetting and removing administrators have in common, and what they do together |
//! | `it/attempts.rs` | the budgets that limit guesses, with concurrent guesses and from many networks |
//! | `it/client_secret.rs` | the client secret is read when it is needed, kept, read again, and shown nowhere |
//! | `it/condition.rs` | the condition of a retrieval matches its rules (property tests) |
//! | `it/contract.rs` | the HTTP contract: its routes, its examples, and the check of every answer against it |
//! | `it/everything.rs` | every function has a crate, an event, tests, resources and a role |
//! | `it/interleavings.rs` | sign-in, reset, creation, retirement, a new issue and acts of operators at the same time, with their calls in every order; in `team`, acts of administrators and ends beside each other at every call; in `product`, uses of a code for the product |
//! | `it/logs.rs` | one line for each request and message, and the metrics in it |
//! | `it/no_leaks.rs` | logs, the table and answers contain no secret where they must not |
//! | `it/notices.rs` | notices of what others did: sent once, with nothing in them that a person typed |
//! | `it/operators.rs` | operators sign in at their own provider, and neither they nor customers get anywhere on the other's origin |
//! | `it/permissions.rs` | each function uses all that its role grants, and needs each statement of it |
//! | `it/portal_sign_in.rs` | customers sign in at their provider, and no other site or person uses their sign-in |
//! | `it/product_clients.rs` | clients of other authors sign administrators in to the product |
//! | `it/provider_keys.rs` | the provider's keys in the table: while the provider is down, after a rotation, and never those of another issuer |
//! | `it/second_provider.rs` | the same with an independent implementation of a provider |
//! | `it/snapshots.rs` | every mail, page and problem document as in `it/snapshots/` |
//! | `it/template.rs` | the template has the functions, routes and settings that the code has |
//! | `it/upgrade.rs` | items of earlier releases, in `fixtures/`, are read and changed as by those releases |
//! | `it/whole.rs` | the whole story over HTTP, through cargo-lambda |
//! | `browser/` | the whole product in Chromium: the story by mouse and by keys, lost answers, no scripts, axe-core and pictures of every page |
//! | `faults/` | fault injection: every AWS call fails in every way in every state, and concurrent customers while AWS fails |
//! | `crashes/` | crash tests: processes of every function, killed at every AWS call and at random moments; `invariants.rs` lists what holds afterwards. In `egress.rs`, functions that connect to nothing but AWS |
//! | `model/` | the invariants over all interleavings, and mutants that break them |
//! | `contract/` | the HTTP contract, tested over HTTP by Schemathesis |
//! | `start/`, `timing/` | the time in which a function starts; refused sign-ins take the same time for every reason |
//! | `template/` | linters, our own rules, and deliberate mistakes in the deployment template that they must find |
//! | `mutants/` | mutants: wrong changes to the code, a file for each, and the tests that find it |
//! | `words/` | a check that comments, documents, messages and names are plain English |
//!
//! The tests of each invariant of the protocol follow. In addition, `faults/` and `crashes/` check all of them but the seventh while AWS
//! fails and processes die.
//!
//! | invariant | as a model | against the real code |
//! |---|---|---|
//! | 1, 2: three retrievals of an issue, each counted once, and the answer after one never denies it | `model/retrieve` | `it/condition.rs`, `it/get_credentials.rs`, `it/whole.rs` |
//! | 3: no retrieval after sign-in, change, expiry or the end of its issue | `model/retrieve`, `model/account` | `it/condition.rs`, `it/sign_in.rs` |
//! | 4: a stranger learns nothing | | `it/condition.rs`, `it/get_credentials.rs`, `it/list_subscriptions.rs` |
//! | 5: every issue is mailed, and no event starts two | `model/mail` | `it/send_mail.rs`, `it/subscription_start.rs` |
//! | 6: there is always a way to sign in | `model/account`, `model/attempts` | `it/interleavings.rs`, `it/attempts.rs`, `crashes/invariants.rs` |
//! | 7: no guesser has more than the budget | `model/attempts` | `it/attempts.rs` |
//! | 8: ended sessions, passwords and accounts have no effect | `model/account` | `it/interleavings.rs`, `it/reset_password.rs`, `it/sign_in.rs` |
//! | 9: no secret where it must not be | | `it/no_leaks.rs`, `it/whole.rs`, `crashes/invariants.rs` |
//! | 10, 13: what is sensitive takes two operators, and an approval is decided at most once | `model/desk` | `it/reissue_credentials.rs`, `it/change_access.rs`, `it/interleavings/desk.rs` |
//! | 11: every act of the desk is in the history and announced | `model/desk` | `it/desk_notices.rs`, `it/interleavings/desk.rs`, `crashes/invariants/desk.rs` |
//! | 12: nothing of an earlier issue works after a reissue | `model/desk` | `it/reissue_credentials.rs`, `it/interleavings/desk.rs`, `crashes/invariants/desk.rs` |
//! | 14: a subscription that has not ended has a way in | `model/team` | `it/team.rs`, `it/remove_admin.rs`, `it/interleavings/team.rs` |
//! | 15: no password that another person has seen signs in for good | `model/team` | `it/create_admin.rs`, `it/reset_admin.rs`, `it/sign_in.rs` |
//! | 16: nothing of an ended subscription works | `model/team`, `model/product` | `it/subscription_end.rs`, `it/interleavings/team.rs` |
//! | no number: a code for the product gives one token, void after its second use | `model/product` | `it/product_sign_in.rs`, `it/interleavings/product.rs` |
//!
//! `it/interleavings.rs` and `faults/` compare the product with [`specification`], which is written separately from the code and applies
//! operations to one subscription one after the other. [`history`] decides whether concurrent operations could have happened so.
//!
//! By default these tests try a random sample of the faults and print its seed; `FIRSTKEY_FULL=1` tries all of them. A failure, also of
//! `crashes/`, prints its seed, what happened before it, and the command that repeats it, such as:
//!
//! ```text
//! FIRSTKEY_SEED=17 cargo nextest run --workspace --test faults a_schedule_in_process
//! FIRSTKEY_FULL=1 FIRSTKEY_ONLY='sign-in (first), call 6' cargo nextest run --workspace --test faults every_call
//! cargo build && FIRSTKEY_SEED=17 cargo nextest run --workspace --test crashes -E 'test(every_call)' --no-capture
//! ```

#![expect(clippy::missing_panics_doc, reason = "a stack that does not start fails its test")]
#![expect(clippy::unwrap_used, reason = "a stack that does not start fails its test")]

mod administrators;
pub mod contract;
pub mod desk;
mod dev;
pub mod functions;
pub mod history;
mod http;
mod processes;
pub mod product;
mod relying_party;
pub mod secrets;
pub mod specification;
mod stack;
pub mod table;
pub mod verifiers;

pub use administrators::{at, ended};
pub use dev::{Dev, skip_unless_verifying};
pub use functions::{Api, Function, Route, Trigger};
pub use http::{Answer, Call};
pub use processes::{BusyProcess, Processes};
pub use relying_party::{CHALLENGE, RelyingParty, VERIFIER, address_in, answer_in, confirmed_account};
pub use stack::{
    DESK_CLIENT, DESK_ORIGIN, Deployment, Machine, PRODUCT_CLIENT, PRODUCT_REDIRECT_URI, PRODUCT_SECRET,
    PRODUCT_SECRET_DIGEST, TestStack, event,
};

/// Returns whether an environment variable, such as `FIRSTKEY_FULL`, is set.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "environment variables configure the tests")]
pub fn has_env(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

/// Returns the value of an environment variable, if it is set.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "environment variables configure the tests")]
pub fn env_text(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Returns the number in an environment variable, if it is set.
#[must_use]
pub fn env_number(name: &str) -> Option<u64> {
    Some(env_text(name)?.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}
