//! Tests of the local cloud through its interfaces: the AWS SDK, as functions use it, and HTTP, as people use it.

mod console;
mod delivery;
mod faults;
mod feedback;
mod put_events;
mod roles;
mod services;
mod stack;
mod stream;
mod time;
