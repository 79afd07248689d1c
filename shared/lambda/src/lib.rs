//! The runtime of a function: its loop, and what it gets from the machine (settings, clock, random bytes, hasher, log).
//!
//! | piece | for |
//! |---|---|
//! | [`Settings`] | the environment, read once at start; a function asks only for what it uses |
//! | [`Clock`] | the time, read once at the start of an invocation and passed on as an argument |
//! | [`random`], [`session_token`], [`device_token`], [`authorization_code`], [`access_token`], [`account_id`] | bytes from the operating system, and the tokens and ids that are made of them |
//! | [`in_time`] | the time limit of a request that makes many calls |
//! | [`Hasher`] | argon2id, off the async thread |
//! | [`serve`], [`serve_prepared`] | a function behind the HTTP API |
//! | [`consume`] | a function behind a queue: messages are handled separately, with a partial batch response |
//! | [`on_stream`] | a function behind the table's stream: with a partial batch response |
//! | [`on_schedule`] | a function that a schedule invokes |
//! | [`log_as_json`] | one structured line for each event, which is also a metric if it counts something; SDK and HTTP crates only from WARN, since below that they print requests |

mod clock;
mod consume;
mod deadline;
mod hasher;
mod log;
mod metrics;
mod random;
mod schedule;
mod serve;
mod settings;
mod stream;

pub use clock::Clock;
pub use consume::{Batch, BatchResponse, Message, Rejection, consume, handle_batch};
pub use deadline::{OutOfTime, TIME_LIMIT, in_time};
pub use hasher::{Hasher, HashingFailed};
pub use log::{log_as_json, log_as_json_to};
pub use random::{access_token, account_id, authorization_code, device_token, random, random_bytes, session_token};
pub use schedule::{Tick, handle_tick, on_schedule};
pub use serve::{Answer, HttpService, Transport, serve, serve_prepared};
pub use settings::{MissingSetting, Settings};
pub use stream::{StreamBatch, handle_stream_batch, on_stream};

/// An error that keeps a function from starting.
pub type Error = lambda_runtime::Error;
