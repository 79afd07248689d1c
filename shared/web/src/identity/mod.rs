//! The identity of the customer and of the operator: the verifier of ID tokens, and what a token gives.
//!
//! | module | holds |
//! |---|---|
//! | `settings` | the deployment's settings for its provider, checked at the start |
//! | `site` | the two sites with a sign-in, and the names that differ between them |
//! | `verifier` | the verifier of the tokens of one client |
//! | `operators` | the operators of the support desk |
//! | `presented` | the token of a request: its header or cookie |
//! | `provider` | the provider's keys and endpoints: read from the table, kept and read again |
//! | `metadata` | the provider's metadata, parsed |
//! | `endpoints` | the provider's endpoints for the code flow |
//! | `discovery` | requests to the provider |
//! | `roots` | the authorities that the certificate of a provider may come from |
//! | `known_providers` | facts about well-known providers that their discovery documents leave out |
//! | `code_flow` | the code flow: a browser is sent to the provider, and its code is exchanged for an ID token |
//! | `client_secret` | the secret with which a code is exchanged, where the provider demands one |
//! | `key_set` | which key verifies which algorithm |
//! | `token` | validation of a token |
//! | `principals` | the person and organisations of a token |

mod client_secret;
mod code_flow;
mod discovery;
mod endpoints;
mod key_set;
mod known_providers;
mod metadata;
mod operators;
mod presented;
mod principals;
mod provider;
mod roots;
mod settings;
mod site;
#[cfg(test)]
mod tests;
mod token;
mod verifier;

use std::time::Duration;

use domain::{Caller, EmailAddress, ProviderMetadata, Timestamp};
use futures_util::future::BoxFuture;
use lambda_http::Request;
use tokio::time::Instant;

pub use client_secret::{ClientSecretSource, ReadClientSecret};
pub(crate) use code_flow::{AccountChoice, Asked, Ties};
pub use code_flow::{CodeFlow, LogoutHint};
pub use discovery::{FetchFailure, fetch_metadata};
pub use operators::{OperatorIdentity, Presentation, SignedInOperator};
pub(crate) use presented::{TooLarge, clear_hint, clear_token, fits, hint, keep_hint, set_token};
pub use settings::{IdentitySettings, InvalidSetting, OperatorSettings, is_issuer};
pub use site::Site;
pub use token::TokenRefusal;

use crate::{
    problem::{Problem, ProblemCode},
    same_origin,
};
use presented::Presented;
use settings::Rules;
use verifier::{Verifier, as_defect};

/// The verifier of one issuer's ID tokens. A process has only one, since it holds the provider's keys.
pub struct Identity {
    rules: Rules,
    verifier: Verifier,
}

/// The signed-in customer, with what their own pages show. It has no `Debug`, because it holds personal data.
#[derive(Clone)]
pub struct Customer {
    /// The customer as a caller.
    pub caller: Caller,
    /// The address in the token, if it is not trusted. Only its owner may see it.
    pub unconfirmed_address: Option<EmailAddress>,
    /// When the session ends: at the token's expiry, and at most 12 hours after its issue.
    pub expires_at: Timestamp,
}

/// The time that one request may spend on the provider: for its discovery document, the client secret, an ID token and its keys together. The
/// function adds its own work, and the browser gets a page within eight seconds.
pub const PROVIDER_TIME: Duration = Duration::from_millis(7500);

/// The end of the time that one request may spend on the provider.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// Starts the [`PROVIDER_TIME`] of a request.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now() + PROVIDER_TIME)
    }

    /// Returns the end of a part of the time: after `time`, or earlier at the deadline.
    fn within(self, time: Duration) -> Instant {
        self.0.min(Instant::now() + time)
    }
}

impl Identity {
    /// Checks the settings. `read` is called later, to read the provider's metadata.
    pub fn new<E: 'static>(
        settings: IdentitySettings,
        read: impl Fn(String) -> BoxFuture<'static, Result<Option<ProviderMetadata>, E>> + Send + Sync + 'static,
    ) -> Result<Self, InvalidSetting>
    where
        Problem: From<E>,
    {
        let rules = settings.check()?;
        Ok(Self { verifier: Verifier::new(rules.party.clone(), provider::reader(read)), rules })
    }

    /// Returns a future that reads the provider's metadata before the first request needs it; `now` is called when the read begins. It gives up after half
    /// a second, and the first request that needs the metadata then reads it.
    pub fn read_ahead<F>(&self, now: F) -> impl Future<Output = ()> + Send + use<F>
    where
        F: FnOnce() -> Timestamp + Send + 'static,
    {
        self.verifier.read_ahead(now)
    }

    /// Returns the signed-in customer who makes the request.
    ///
    /// Fails with `forbidden` for a change that another site requests with the customer's cookie, with `unavailable` if there are no keys of
    /// the provider, and with `not-signed-in` if there is no valid ID token.
    pub async fn caller(&self, request: &Request, now: Timestamp) -> Result<Caller, Problem> {
        Ok(self.customer(request, now).await?.caller)
    }

    /// Returns the signed-in customer, with what their own pages show. Fails as [`caller`](Self::caller) does.
    pub async fn customer(&self, request: &Request, now: Timestamp) -> Result<Customer, Problem> {
        let presented = Presented::in_request(Site::Portal, request.headers())?;
        if presented.is_sent_automatically() && same_origin::is_foreign_change(request, &self.verifier.party.origin) {
            return Err(ProblemCode::Forbidden.into());
        }
        let claims = self.verifier.verify(&presented.token()?, Deadline::start(), now).await?;
        Ok(principals::customer(&claims, &self.rules)?)
    }

    /// Returns the customer of a token that the provider issued for the request with this `nonce`.
    ///
    /// The token comes straight from the provider, so whatever else is wrong with it is an error of the deployment or of the provider:
    /// `internal`. Fails with `not-signed-in` for a token of another request, and with `unavailable` if the keys cannot be fetched.
    pub async fn customer_for_nonce(
        &self,
        token: &str,
        nonce: &str,
        deadline: Deadline,
        now: Timestamp,
    ) -> Result<Customer, Problem> {
        let claims = self.verifier.verify_for_nonce(token, nonce, deadline, now).await?;
        principals::customer(&claims, &self.rules).map_err(|refused| as_defect(refused.into()))
    }
}
