//! Explores the protocols with the model checker [stateright](https://docs.rs/stateright): every interleaving, within a scope, of
//! what DynamoDB, SES, the queue, the SDK, the clients and the clock may do.
//!
//! There is one module for each protocol: [`retrieve`] (get-credentials, and the renewals that race with it), [`mail`] (send-mail,
//! mail-feedback, resend-mail, and the transactions that start an issue), [`attempts`] (the attempts that are spent before a password
//! is verified), [`account`] (sign-in, reset-password, create-admin, the reissue, the renewal and the paid event), [`desk`] (the operators'
//! acts: reissues, approvals, portal users), [`team`] (administrators who add, reset and remove each other, the end, a later start, and the
//! purge), [`product`] (the codes and tokens of the sign-in to the product), [`keys`] (refresh-keys, and the processes that verify tokens with
//! what it puts) and [`publish`] (publish-events, which is small and in one file). Each has the same parts:
//!
//! - **The item** (`retrieve/credential.rs`, `mail/item.rs`): the state in the table and the conditional writes on it. Each
//!   write is one step, because DynamoDB carries it out atomically.
//! - **The processes** (`retrieve.rs`, `mail.rs`, `mail/worker.rs`): what a function does between its writes. An `Action` is
//!   one step of a process or of its environment: an answer is lost, a request arrives after its caller gave up, a process
//!   dies, a tick of the clock passes, a person signs in. A lost request is one that is delayed and never arrives.
//! - **The witness** (`witness.rs`): an observer that records what the protocol itself does not store, such as who saw
//!   which password, and the invariants over these records. Their numbers are those of the promises in `SECURITY.md`.
//! - **The tests** (`tests.rs`): the scopes and the expected results.
//!
//! A test of the **design** explores its scope completely. No state may violate an invariant, and the situations that the test
//! names must be reached, so that an invariant cannot hold merely because nothing happens. It prints states and seconds.
//!
//! A test of a **mutant** runs the same model with one branch changed, by a `Variant` or by another time-out, and names the
//! invariant that must catch it. It prints the counterexample, one action a line, with the index of the invocation, message or
//! late request in parentheses; `cargo nextest run --workspace --test model --no-capture` shows them. Every invariant has a
//! mutant that breaks it: one that cannot fail would prove nothing.
//!
//! The scopes are small, so that all tests together end within two minutes on one core. `FIRSTKEY_FULL=1` enlarges them. The package is
//! optimised in the dev profile too.
//!
//! The models leave out the retries of conflicts by `shared/aws` (to the protocol they are attempts whose request was lost),
//! clock skew between the table's writers (expiry, replay and the date of an issue follow one clock; [`attempts`] alone has
//! several) and eventual consistency (every read that decides something is strongly consistent).

#![expect(clippy::print_stdout, reason = "the report shows states, times and counterexamples")]

mod account;
mod attempts;
mod check;
mod desk;
mod keys;
mod mail;
mod product;
mod publish;
mod retrieve;
mod team;
