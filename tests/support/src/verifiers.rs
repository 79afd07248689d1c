//! The functions that verify ID tokens, and what they know of the identity provider.

use std::collections::BTreeSet;

use domain::IssuerDigest;
use provider::Provider;
use serde_json::{Value, json};

use crate::{
    Call, Function, TestStack,
    table::{Table, read_number, read_text},
};

impl Function {
    /// Returns a request that makes the function verify `token` before anything else. `None` for a function that verifies no ID tokens.
    #[must_use]
    pub fn verifying_request(self, token: &str) -> Option<Call> {
        const SUBSCRIPTION: &str = "sub-1";
        let customer = |call: Call| Some(call.bearer(token));
        let operator = |call: Call| Some(call.operator(token));
        match self {
            Self::ChangeAccess => operator(Call::unlock("admin@fabrikam", "Ticket 4711")),
            Self::ContactSupport => customer(Call::contact_support(SUBSCRIPTION, "Help")),
            Self::GetCredentials => customer(Call::get_credentials(SUBSCRIPTION)),
            Self::ListSubscriptions => customer(Call::get("/subscriptions")),
            Self::Portal => Some(Call::get("/").cookie("__Host-customer", token)),
            Self::ReissueCredentials => operator(
                Call::post("/desk/api/subscriptions/sub-1/reissues").parameter("subscription_id", SUBSCRIPTION),
            ),
            Self::RenewCredentials => customer(Call::renew_credentials(SUBSCRIPTION)),
            Self::ResendMail => customer(Call::resend_mail(SUBSCRIPTION)),
            Self::ShowHistory => customer(Call::show_history(SUBSCRIPTION)),
            Self::SupportDesk => operator(Call::get("/desk/api/approvals")),
            _ => None,
        }
    }
}

impl TestStack {
    /// Returns a token that no function accepts: it is for another client of the provider. A function that has refused it has the provider's
    /// keys, and has done nothing else.
    #[must_use]
    pub fn foreign_token(&self) -> String {
        self.token_with("robin@elsewhere.example", &json!({ "aud": "another client" }))
    }

    /// Lets every function that verifies tokens get the provider's keys, as one has them that has handled a request before.
    pub async fn warm_up(&self) {
        let token = self.foreign_token();
        for function in Function::ALL {
            if let Some(call) = function.verifying_request(&token) {
                self.call(function.name(), call).await;
            }
        }
    }

    /// Runs `refresh-keys` once, as its schedule does. Returns whether it succeeded.
    pub async fn refresh_keys(&self) -> bool {
        let tick = serde_json::from_str(&Function::RefreshKeys.event()).unwrap();
        self.try_invoke(Function::RefreshKeys.name(), tick).await.is_ok()
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
