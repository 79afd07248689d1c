//! The tests of what the product does; their names are sentences. Each test starts its own complete stack.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod alarms;
mod attempts;
mod change_access;
mod client_secret;
mod condition;
mod contact_support;
mod contract;
mod create_admin;
mod desk_notices;
mod desks;
mod everything;
mod get_credentials;
mod guards;
mod interleavings;
mod list_subscriptions;
mod logs;
mod mail_feedback;
mod no_leaks;
mod notices;
mod operators;
mod permissions;
mod portal;
mod portal_sign_in;
mod publish_events;
mod real_providers;
mod real_tokens;
mod reissue_credentials;
mod renew_credentials;
mod resend_mail;
mod reset_password;
mod second_provider;
mod send_mail;
mod send_reminders;
mod show_history;
mod sign_in;
mod snapshots;
mod subscription_start;
mod support_desk;
mod support_desk_pages;
mod template;
mod upgrade;
mod whole;
