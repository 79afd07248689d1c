//! The protocol, explored: every interleaving of what DynamoDB, SES, the queue, the SDK, the clients and the clock may do,
//! within a scope, by the model checker [stateright](https://docs.rs/stateright).
//!
//! There is one module for each of the four protocols: [`retrieve`] (get-credentials), [`mail`] (send-mail, and the transactions
//! that start an issue), [`account`] (sign-in, reset-password, create-admin) and [`attempts`] (the rate limits before a password is
//! verified). Each has the same parts:
//!
//! - **The item** (`retrieve/credential.rs`, `mail/item.rs`): the state in the table and the conditional writes on it. Each
//!   write is one step, because DynamoDB carries it out as one.
//! - **The processes** (`retrieve.rs`, `mail.rs`, `mail/worker.rs`): what a function does between its writes. An `Action` is
//!   one step of one of them, or of the world: an answer is lost, a request arrives after its caller gave up, a process
//!   dies, a tick of the clock passes, somebody signs in. A lost request is one that is delayed and never arrives.
//! - **The witness** (`witness.rs`): an observer who writes down what the protocol itself does not keep, such as who saw
//!   which password, and the invariants over it. Their numbers are those of the protocol's list of invariants.
//! - **The tests** (`tests.rs`): scopes, and what is expected in them.
//!
//! A test of the **design** explores its scope completely. No invariant may be violated in any state, and the situations that
//! it names must be reached, so that an invariant cannot hold because nothing ever happens. It prints states and seconds.
//!
//! A test of a **mutant** runs the same model with one branch changed, by a `Variant` or by another time-out, and names the
//! invariant that must find it. It prints the way there, one action a line, with the index of the invocation, message or
//! late request in parentheses; `cargo test -p tests --test model -- --nocapture` shows them. An invariant that no mutant
//! breaks would be worth nothing.
//!
//! The scopes are small, since a state takes about 30 µs in the dev profile: all tests together end within a minute on one
//! core. `FIRSTKEY_FULL=1` enlarges them, for minutes in the release profile.
//!
//! What is not in here: retries of conflicts by `shared/aws` (to the protocol they are attempts whose request was lost),
//! clocks that differ (expiry, replay and the date of an issue are of one clock), eventual consistency (every read
//! that decides is strongly consistent).

#![expect(clippy::print_stdout, reason = "states, seconds and counter-examples are what a run is read for")]

mod account;
mod attempts;
mod check;
mod mail;
mod retrieve;
