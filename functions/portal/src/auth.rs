//! The sign-in of customers at their identity provider. `web::sign_in` has the flow; this spends the budget of callbacks and verifies the
//! customer's token.

use aws::SpendCallbackOutcome;
use domain::Network;
use web::{Customer, Deadline, Problem, Redeemed, Reply, SignIn, SignInOutcome};

use crate::Visit;

impl Visit<'_> {
    /// Redirects to the provider.
    pub(crate) async fn sign_in(&self) -> Result<Reply, Problem> {
        self.answer(self.app.sign_ins.begin(self.request, self.now).await)
    }

    /// Completes a sign-in when the provider redirects back.
    pub(crate) async fn callback(&self) -> Result<Reply, Problem> {
        let sign_ins = &self.app.sign_ins;
        let Some(sign_in) = sign_ins.pending(self.request, self.now) else {
            let is_signed_in = self.app.identity.customer(self.request, self.now).await.is_ok();
            return self.answer(sign_ins.unknown_callback(is_signed_in));
        };
        let deadline = Deadline::start();
        let network = web::request::network(self.request)?;
        let outcome = match self.spend_callback(&network).await {
            Ok(()) => match sign_ins.redeem(self.request, &sign_in, deadline, self.now).await {
                Redeemed::Token(token) => self.accept(&sign_in, &token, deadline).await,
                Redeemed::Ended(outcome) => outcome,
            },
            // The code is not used, so the sign-in can go on when the page is loaded again.
            Err(problem) => sign_in.postponed(problem),
        };
        self.answer(outcome)
    }

    /// Spends one callback of the caller's network, before the provider is asked.
    async fn spend_callback(&self, network: &Network) -> Result<(), Problem> {
        match self.app.callbacks.spend(network, self.now).await? {
            SpendCallbackOutcome::Admitted => Ok(()),
            SpendCallbackOutcome::Exhausted { retry_after } => Err(Problem::too_many_attempts(retry_after)),
        }
    }

    /// Verifies the token of a sign-in, and makes it the session.
    async fn accept(&self, sign_in: &SignIn, token: &str, deadline: Deadline) -> SignInOutcome {
        match self.app.identity.customer_for_nonce(token, sign_in.nonce(), deadline, self.now).await {
            Ok(customer) => {
                self.warn_without_address(&customer);
                self.app.sign_ins.finish(self.request, sign_in, token, customer.expires_at, self.now)
            }
            Err(problem) => sign_in.failed(problem),
        }
    }

    /// Names the remedy in the log, once, for a provider whose tokens have no address.
    fn warn_without_address(&self, customer: &Customer) {
        if customer.caller.email().is_none() && customer.unconfirmed_address.is_none() {
            self.app.without_address.call_once(|| {
                let remedy = "make the provider put the claims email and email_verified into the ID token; see the guide, step 2";
                tracing::warn!(remedy, "an ID token has no email address, so its customer has no subscriptions by address");
            });
        }
    }

    fn answer(&self, outcome: SignInOutcome) -> Result<Reply, Problem> {
        outcome.into_reply(|refusal, again| self.refusal_page(refusal, again))
    }
}
