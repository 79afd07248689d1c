//! Who the customer is: the one verifier of ID tokens, and the principals that a token gives.
//!
//! | module | holds |
//! |---|---|
//! | `settings` | what the deployment says about its provider, checked at the start |
//! | `presented` | where the token of a request stands |
//! | `provider` | the provider's keys: fetched, kept, and fetched again |
//! | `discovery` | what is asked of the provider |
//! | `code_flow` | the way there and back: a browser is sent to the provider, and its code redeemed for an ID token |
//! | `key_set` | which key verifies which algorithm |
//! | `token` | what a token has to be |
//! | `principals` | whom a token names |

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

pub use code_flow::{CodeFlow, Ties};
pub use presented::{COOKIE, TooLarge, fits, forget, keep};
pub use settings::{IdentitySettings, InvalidSetting};

use crate::{
    problem::{Problem, ProblemCode},
    same_origin,
};
use presented::Presented;
use provider::Provider;
use settings::Rules;
use token::{Claims, Unverified};

/// The verifier of one issuer's ID tokens. One for a process: it keeps the provider's keys.
pub struct Identity {
    rules: Rules,
    provider: Provider,
}

/// The signed-in customer, as their pages know them. No `Debug`: it holds personal data.
#[derive(Clone)]
pub struct Customer {
    /// Who asks.
    pub caller: Caller,
    /// The address in the token, where it does not count: for its owner's eyes only.
    pub unconfirmed_address: Option<EmailAddress>,
    /// When the token ends.
    pub expires_at: Timestamp,
}

/// Why a token is not accepted: constant text, for the log at its finest and for nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) &'static str);

impl Identity {
    /// Checks the settings. Nothing is fetched before the first token comes.
    pub fn new(settings: IdentitySettings) -> Result<Self, InvalidSetting> {
        let rules = settings.check()?;
        Ok(Self { provider: Provider::new(rules.issuer.clone()), rules })
    }

    /// The signed-in customer who asks.
    ///
    /// `forbidden` for a change that another site asks for with the customer's cookie, `unavailable` while the provider's keys
    /// cannot be had, `not-signed-in` for anything else that is no valid ID token.
    pub async fn caller(&self, request: &Request, now: Timestamp) -> Result<Caller, Problem> {
        Ok(self.customer(request, now).await?.caller)
    }

    /// The same with what their own pages show of the token.
    pub async fn customer(&self, request: &Request, now: Timestamp) -> Result<Customer, Problem> {
        let presented = Presented::in_request(request.headers())?;
        if presented.is_sent_unasked() && same_origin::is_foreign_change(request, &self.rules.public_origin) {
            return Err(ProblemCode::Forbidden.into());
        }
        let claims = self.verify(&presented.token()?, now).await?;
        Ok(principals::customer(&claims, &self.rules)?)
    }

    /// Whom a token names that has come for the request which had this `nonce`, and for no other.
    pub async fn arrived(&self, token: &str, nonce: &str, now: Timestamp) -> Result<Customer, Problem> {
        let claims = self.verify(token, now).await?;
        if claims.get("nonce").and_then(serde_json::Value::as_str) != Some(nonce) {
            return Err(Refused("the token is for another request").into());
        }
        Ok(principals::customer(&claims, &self.rules)?)
    }

    async fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Problem> {
        let token = Unverified::read(token)?;
        let key = self.provider.key(&token, now).await?;
        Ok(token.verify(&key, &self.rules, now)?)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::new(ProblemCode::NotSignedIn).because(refused.0)
    }
}
