//! The part of the load that an administrator plays who opens the vendor's product, and the product that uses the code.

use futures_util::future::join_all;
use support::{Answer, Call, RelyingParty, address_in, answer_in, confirmed_account};

use super::{Customer, World};
use crate::observations::{Attempt, CodeUse};

impl World {
    /// Enters the product in a session of an administrator. The product of an impatient customer uses the code twice at once.
    pub(super) async fn enter_product(&self, customer: &Customer, session: &str) -> Option<()> {
        let product = RelyingParty::default();
        let query = product.query();
        self.visit_provider(customer, &product.authorize()).await?;
        let page = self.visit_provider(customer, &Call::continue_to_product(&query, session)).await?;
        let click = Call::confirm_product(&query, session, &confirmed_account(&page));
        let page = self.visit_provider(customer, &click).await?;
        let code = answer_in(&address_in(&page), "code")?;
        let uses = if customer.impatient { 2 } else { 1 };
        join_all((0..uses).map(|_| self.use_code(customer, &product, &code))).await;
        Some(())
    }

    /// Returns the page that answers a visit, unless it leads elsewhere.
    async fn visit_provider(&self, customer: &Customer, call: &Call) -> Option<Answer> {
        let answer = self.call_until_answered(customer, "product-sign-in", call, |_| ()).await?;
        (answer.status == 200).then_some(answer)
    }

    /// Redeems a code, and asks for the claims with the token.
    async fn use_code(&self, customer: &Customer, product: &RelyingParty, code: &str) -> Option<()> {
        let record = |one: Attempt| {
            let token = one.answer.and_then(Answer::access_token).map(str::to_owned);
            let is_refused = one.answer.is_some_and(|answer| answer.oauth_error() == Some("invalid_grant"));
            let (subscription, code) = (customer.id.clone(), code.to_owned());
            self.observed.uses.lock().unwrap().push(CodeUse { subscription, code, token, is_refused });
        };
        let answer = self.call_until_answered(customer, "product-sign-in", &product.redemption(code), record).await?;
        let call = Call::userinfo(answer.access_token()?);
        self.call_until_answered(customer, "product-sign-in", &call, |_| ()).await.map(drop)
    }
}
