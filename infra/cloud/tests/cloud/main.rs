//! The local cloud, as functions and people meet it: through the AWS SDK and through HTTP.

mod console;
mod delivery;
mod faults;
mod roles;
mod services;
mod stack;
