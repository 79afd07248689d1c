//! The identity provider's keys: in the table, and in the functions that verify ID tokens.

use std::collections::BTreeSet;

use domain::IssuerDigest;
use provider::Provider;
use serde_json::{Value, json};

use crate::{
    Function, TestStack,
    table::{Table, read_number, read_text},
};

/// The time between two runs of `refresh-keys`, in seconds.
pub const SCHEDULE: i64 = 15 * 60;

/// Returns when the keys in an item of the table were fetched, in seconds since the epoch.
#[must_use]
pub fn fetched_at(item: &Value) -> i64 {
    item["fetched_at"]["N"].as_str().unwrap().parse().unwrap()
}

impl TestStack {
    /// Returns a token that no function accepts: it is for another client of the provider. A function that has refused it has the provider's
    /// keys, and has done nothing else.
    #[must_use]
    pub fn foreign_token(&self) -> String {
        self.token_with("robin@elsewhere.example", &json!({ "aud": "another client" }))
    }

    /// Sends each function that verifies tokens a request that it refuses, after which it has the provider's keys.
    pub async fn warm_up(&self) {
        let token = self.foreign_token();
        for function in Function::ALL {
            if let Some(call) = function.verifying_request(&token) {
                let answer = self.call(function.name(), call).await;
                // The portal shows its start page.
                let refusal = if *function == Function::Portal { &[200][..] } else { &[401, 404] };
                assert!(refusal.contains(&answer.status), "{function}: {answer:?}");
            }
        }
    }

    /// Runs `refresh-keys` once, as its schedule does. Returns whether it succeeded.
    pub async fn refresh_keys(&self) -> bool {
        let tick = serde_json::from_str(&Function::RefreshKeys.event()).unwrap();
        self.try_invoke(Function::RefreshKeys.name(), tick).await.is_ok()
    }

    /// Returns how often the provider was asked for its keys.
    #[must_use]
    pub fn requests_for_keys(&self) -> usize {
        self.provider.user_agents().iter().filter(|(path, _)| path == "/jwks").count()
    }

    /// Returns what the table has of the provider of an issuer; null if there is nothing.
    pub async fn provider_item(&self, issuer: &str) -> Value {
        let is_its = |item: &Value| item["PK"]["S"].as_str().is_some_and(|key| key.starts_with("PROVIDER#"));
        let found = self.items("KEYS").await.into_iter().find(|item| is_its(item) && item["issuer"]["S"] == issuer);
        found.unwrap_or_default()
    }
}

impl Table {
    /// Returns when the keys of a provider were fetched that the table has. The error says why they cannot be used, or that they are not those
    /// that the provider has now.
    pub async fn keys_fetched_at(&self, provider: &Provider) -> Result<u64, String> {
        let key = format!("PROVIDER#{}", IssuerDigest::new(provider.issuer()).as_str());
        let item = self.get(key, "KEYS").await.ok_or("the table has no keys")?;
        let key_set: Value = serde_json::from_str(read_text(&item, "key_set")).map_err(|error| error.to_string())?;
        let ids = |key_set: &Value| -> BTreeSet<String> {
            key_set["keys"].as_array().into_iter().flatten().map(|key| key["kid"].to_string()).collect()
        };
        let are_its = read_text(&item, "issuer") == provider.issuer() && ids(&key_set) == ids(&provider.jwks());
        if are_its { Ok(read_number(&item, "fetched_at")) } else { Err(format!("the table has other keys: {item:?}")) }
    }
}
