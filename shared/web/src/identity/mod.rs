//! Who the customer is: the one verifier of ID tokens, and the principals that a token gives.
//!
//! | module | holds |
//! |---|---|
//! | `settings` | what the deployment says about its provider, checked at the start |
//! | `presented` | where the token of a request stands |
//! | `provider` | the provider's keys: fetched, kept, and fetched again |
//! | `discovery` | the two documents of the provider |
//! | `key_set` | which key verifies which algorithm |
//! | `token` | what a token has to be |
//! | `principals` | whom a token names |

mod discovery;
mod key_set;
mod presented;
mod principals;
mod provider;
mod settings;
#[cfg(test)]
mod tests;
mod token;

use domain::{Caller, Timestamp};
use lambda_http::Request;

pub use presented::COOKIE;
pub use settings::{IdentitySettings, InvalidSetting};

use crate::{
    problem::{Problem, ProblemCode},
    same_origin,
};
use presented::Presented;
use provider::Provider;
use settings::Rules;
use token::Unverified;

/// The verifier of one issuer's ID tokens. One for a process: it keeps the provider's keys.
pub struct Identity {
    rules: Rules,
    provider: Provider,
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
        let presented = Presented::in_request(request.headers())?;
        if presented.is_sent_unasked() && same_origin::is_foreign_change(request, &self.rules.public_origin) {
            return Err(ProblemCode::Forbidden.into());
        }
        let token = presented.token()?;
        let token = Unverified::read(&token)?;
        let key = self.provider.key(&token, now).await?;
        let claims = token.verify(&key, &self.rules, now)?;
        Ok(principals::caller(&claims, &self.rules)?)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::new(ProblemCode::NotSignedIn).because(refused.0)
    }
}
