//! What the product does, in sentences. Each test starts a whole stack of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod condition;
mod everything;
mod get_credentials;
mod list_subscriptions;
mod no_leaks;
mod portal;
mod send_mail;
mod subscription_start;
mod whole;
