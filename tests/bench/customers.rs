//! Customers for the benches that have many of them: their subscriptions, requests and answers.

use std::net::Ipv4Addr;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use support::{Answer, Call, TestStack, event};

use crate::names::{address, company, user_name};

/// The password that every service administrator chooses.
const CHOSEN: &str = "seven green boats at noon";

/// A customer with one subscription.
pub(crate) struct Customer {
    /// The id of the subscription.
    pub(crate) subscription: String,
    /// The customer's ID token.
    pub(crate) token: String,
}

impl Customer {
    /// Publishes the start of a subscription. Its mail is sent later.
    pub(crate) async fn order(stack: &TestStack, subscription: String) -> anyhow::Result<Self> {
        let failed = stack.publish(started(&subscription)).await;
        ensure!(failed == json!([]), "{subscription} does not start");
        let token = stack.token(&address(&subscription));
        Ok(Self { subscription, token })
    }

    /// Starts a subscription, and waits until its mail is sent.
    pub(crate) async fn start(stack: &TestStack, subscription: String) -> anyhow::Result<Self> {
        let customer = Self::order(stack, subscription).await?;
        stack.cloud.drained().await?;
        Ok(customer)
    }

    /// Signs in as the service administrator with the password that was mailed last, and chooses another one. Returns the session.
    pub(crate) async fn choose_password(&self, stack: &TestStack) -> String {
        stack.choose_password(&self.user_name(), &stack.mailed_password(), CHOSEN).await
    }

    pub(crate) fn company(&self) -> String {
        company(&self.subscription)
    }

    /// Returns the user name of the service administrator.
    pub(crate) fn user_name(&self) -> String {
        user_name(&self.subscription)
    }

    /// Returns one click on **Go**.
    pub(crate) fn retrieve(&self, key: &str) -> Call {
        Call::get_credentials(&self.subscription).bearer(&self.token).key(key)
    }

    /// Returns the request for the list of the customer's subscriptions.
    pub(crate) fn list(&self) -> Call {
        Call::get("/subscriptions").bearer(&self.token)
    }

    /// Returns the request for the history.
    pub(crate) fn history(&self) -> Call {
        Call::show_history(&self.subscription).bearer(&self.token)
    }

    /// Returns an attempt of the service administrator to sign in, with the right password and from this address.
    pub(crate) fn sign_in(&self, source_ip: &str) -> Call {
        Call::sign_in(&self.user_name(), CHOSEN).from(source_ip)
    }

    /// Checks that the password is shown, as the retrieval with this number. Returns the password.
    pub(crate) fn check_retrieved(&self, answer: &Answer, used: usize) -> anyhow::Result<String> {
        let password = answer.password().filter(|_| answer.status == 200 && answer.body["retrievals"]["used"] == used);
        let cause = || format!("retrieval {used} of {}: {} {:?}", self.subscription, answer.status, answer.reasons());
        Ok(password.with_context(cause)?.to_owned())
    }

    /// Checks that no password is shown, because it was retrieved three times.
    pub(crate) fn check_used_up(&self, answer: &Answer) -> anyhow::Result<()> {
        let is_blank = answer.status == 200 && answer.password().is_none();
        let says_why = answer.reasons().contains(&"retrieved-three-times");
        ensure!(is_blank && says_why, "not used up: {}, {} {:?}", self.subscription, answer.status, answer.reasons());
        Ok(())
    }

    /// Checks that a list, or what a search has found, is this subscription and no other one.
    pub(crate) fn check_listed(&self, answer: &Answer) -> anyhow::Result<()> {
        let listed = answer.body["subscriptions"].as_array().map(Vec::as_slice);
        let is_own = matches!(listed, Some([one]) if one["subscription_id"] == self.subscription);
        ensure!(answer.status == 200 && is_own, "wrong list: {answer:?}");
        Ok(())
    }

    /// Checks that the history has an entry of each kind.
    pub(crate) fn check_history(&self, answer: &Answer, kinds: &[&str]) -> anyhow::Result<()> {
        let entries = answer.body["entries"].as_array().into_iter().flatten();
        let all: Vec<_> = entries.filter_map(|entry| entry["what"].as_str()).collect();
        let has_all = kinds.iter().all(|kind| all.contains(kind));
        ensure!(answer.status == 200 && has_all, "wrong history of {}: {answer:?}", self.subscription);
        Ok(())
    }

    /// Checks that the service administrator is signed in.
    pub(crate) fn check_signed_in(&self, answer: &Answer) -> anyhow::Result<()> {
        let is_signed_in = answer.status == 200 && answer.session().is_some();
        ensure!(is_signed_in && answer.body["user_name"] == self.user_name(), "not signed in: {answer:?}");
        Ok(())
    }
}

/// Returns the event that starts a subscription.
pub(crate) fn started(subscription: &str) -> Value {
    let mut event = event(subscription, "trial");
    let company = company(subscription);
    let detail = &mut event["detail"];
    detail["company"] = json!({ "id": company, "name": "Fabrikam, Inc." });
    detail["service_administrator"] = json!({ "email": format!("it@{company}.example") });
    detail["portal_users"] = json!([{ "email": address(subscription) }]);
    event
}

/// Returns an address in 10.0.0.0/8 for each number below 2^24.
pub(crate) fn source_ip(number: u32) -> String {
    Ipv4Addr::from_bits((10 << 24) | (number & 0x00ff_ffff)).to_string()
}
