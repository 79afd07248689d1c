//! The identity of the customer: the verifier of ID tokens, and the principals that a token gives.
//!
//! | module | holds |
//! |---|---|
//! | `settings` | the deployment's settings for its provider, checked at the start |
//! | `presented` | the token of a request: its header or cookie |
//! | `provider` | the provider's keys: fetched, cached and refreshed |
//! | `discovery` | requests to the provider |
//! | `code_flow` | the code flow: a browser is sent to the provider, and its code is exchanged for an ID token |
//! | `key_set` | which key verifies which algorithm |
//! | `token` | validation of a token |
//! | `principals` | the person and organisations of a token |

mod code_flow;
mod discovery;
mod key_set;
mod presented;
mod principals;
mod provider;
mod settings;
#[cfg(test)]
mod tests;
mod token;

use domain::{Caller, EmailAddress, Timestamp};
use lambda_http::Request;

pub use code_flow::{AccountChoice, CodeFlow, Ties};
pub use presented::{COOKIE, TooLarge, clear_token, fits, set_token};
pub use settings::{IdentitySettings, InvalidSetting};
pub use token::TokenRefusal;

use crate::{
    problem::{Problem, ProblemCode},
    same_origin,
};
use presented::Presented;
use provider::Provider;
use settings::Rules;
use token::{Claims, Unverified};

/// The verifier of one issuer's ID tokens. A process has only one, since it caches the provider's keys.
pub struct Identity {
    rules: Rules,
    provider: Provider,
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

impl Identity {
    /// Checks the settings. Keys are fetched with the first token.
    pub fn new(settings: IdentitySettings) -> Result<Self, InvalidSetting> {
        let rules = settings.check()?;
        Ok(Self { provider: Provider::new(rules.issuer.clone()), rules })
    }

    /// Returns the signed-in customer who makes the request.
    ///
    /// Fails with `forbidden` for a change that another site requests with the customer's cookie, with `unavailable` if the provider's keys
    /// cannot be fetched, and with `not-signed-in` if there is no valid ID token.
    pub async fn caller(&self, request: &Request, now: Timestamp) -> Result<Caller, Problem> {
        Ok(self.customer(request, now).await?.caller)
    }

    /// Returns the signed-in customer, with what their own pages show. Fails as [`caller`](Self::caller) does.
    pub async fn customer(&self, request: &Request, now: Timestamp) -> Result<Customer, Problem> {
        let presented = Presented::in_request(request.headers())?;
        if presented.is_sent_automatically() && same_origin::is_foreign_change(request, &self.rules.public_origin) {
            return Err(ProblemCode::Forbidden.into());
        }
        let claims = self.verify(&presented.token()?, now).await?;
        Ok(principals::customer(&claims, &self.rules)?)
    }

    /// Returns the customer of a token that the provider issued for the request with this `nonce`. The problem of a token that is not accepted
    /// has its [`TokenRefusal`].
    pub async fn customer_for_nonce(&self, token: &str, nonce: &str, now: Timestamp) -> Result<Customer, Problem> {
        let claims = self.verify(token, now).await?;
        match claims.get("nonce") {
            None => return Err(TokenRefusal::NonceMissing.into()),
            Some(given) if given != nonce => return Err(TokenRefusal::NonceOfAnotherRequest.into()),
            Some(_) => {}
        }
        Ok(principals::customer(&claims, &self.rules)?)
    }

    async fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Problem> {
        let token = Unverified::read(token)?;
        let key = self.provider.key(&token, now).await?;
        let mut outcome = token.verify(&key, &self.rules, now);
        if outcome == Err(TokenRefusal::Signature)
            && token.key_id.is_none()
            && let Some(key) = self.provider.replaced_key(&token, now).await
        {
            outcome = token.verify(&key, &self.rules, now);
        }
        Ok(outcome?)
    }
}

impl From<TokenRefusal> for Problem {
    fn from(refusal: TokenRefusal) -> Self {
        Self::new(ProblemCode::NotSignedIn).because(refusal)
    }
}
