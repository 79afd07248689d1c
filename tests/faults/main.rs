//! Fault injection: every AWS call of every function fails in every way and in every state; and many calls fail while people use the
//! product concurrently.
//!
//! All answers, and the table's final contents, are checked against the sequential specification in `support::specification`.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]
#![expect(clippy::print_stdout, reason = "the report says how much was tried")]

mod keys;
mod matrix;
mod people;
mod report;
mod scenarios;
mod schedules;

use cloud::Mode;

/// The modes of failure, by their names in the console.
const MODES: [(&str, Mode); 7] = [
    ("refused", Mode::Refused),
    ("lost-response", Mode::LostResponse),
    ("delayed", Mode::Delayed),
    ("throttled", Mode::Throttled),
    ("conflict", Mode::Conflict),
    ("duplicated", Mode::Duplicated),
    ("reset", Mode::Reset),
];
