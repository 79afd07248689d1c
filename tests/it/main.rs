//! What the product does, in sentences. Each test starts a whole stack of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod get_credentials;
