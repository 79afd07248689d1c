//! What comes of it when AWS fails: every call of every function, in every way, in every state; and everything at once.
//!
//! Whatever was answered and whatever the table holds afterwards is held against the specification of `support::specification`.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![expect(clippy::print_stdout, reason = "how much was tried is to be seen")]

mod matrix;
mod people;
mod report;
mod scenarios;
mod schedules;

use local::cloud::Mode;

/// What can go wrong, by the names of the console.
const MODES: [(&str, Mode); 7] = [
    ("refused", Mode::Refused),
    ("lost-response", Mode::LostResponse),
    ("delayed", Mode::Delayed),
    ("throttled", Mode::Throttled),
    ("conflict", Mode::Conflict),
    ("duplicated", Mode::Duplicated),
    ("reset", Mode::Reset),
];
