//! The verifier of the ID tokens of one client.

use std::sync::Arc;

use domain::Timestamp;

use super::{
    Deadline, TokenRefusal,
    provider::{Provider, ReadMetadata},
    settings::RelyingParty,
    token::{Claims, Unverified},
};
use crate::problem::{Problem, ProblemCode};

/// The verifier of one client's ID tokens.
pub(super) struct Verifier {
    pub(super) party: RelyingParty,
    /// The provider's keys and endpoints, which the code flow shares.
    pub(super) provider: Arc<Provider>,
}

impl Verifier {
    /// Creates a verifier, which has not read the provider's metadata.
    pub(super) fn new(party: RelyingParty, read: ReadMetadata) -> Self {
        Self { provider: Arc::new(Provider::new(party.issuer.clone(), read)), party }
    }

    /// Returns a future that reads the provider's metadata from the table.
    pub(super) fn read_ahead<F>(&self, now: F) -> impl Future<Output = ()> + Send + use<F>
    where
        F: FnOnce() -> Timestamp + Send + 'static,
    {
        let provider = Arc::clone(&self.provider);
        async move { provider.read_ahead(now()).await }
    }

    /// Returns the claims of a valid token. Fails with `not-signed-in` for any other token, and with `unavailable` if the provider cannot be
    /// asked and there are no keys, or only late ones without that of the token.
    pub(super) async fn verify(&self, token: &str, deadline: Deadline, now: Timestamp) -> Result<Claims, Problem> {
        let token = Unverified::read(token)?;
        let key = self.provider.key(&token, deadline, now).await?;
        let mut outcome = token.verify(&key, &self.party, now);
        if outcome == Err(TokenRefusal::Signature)
            && token.key_id.is_none()
            && let Some(key) = self.provider.replaced_key(&token, deadline, now).await
        {
            outcome = token.verify(&key, &self.party, now);
        }
        Ok(outcome?)
    }

    /// Returns the claims of a token that the provider issued for the request with this `nonce`.
    ///
    /// The token comes straight from the provider, so whatever else is wrong with it is an error of the deployment or of the provider:
    /// `internal`. Fails with `not-signed-in` for a token of another request, and with `unavailable` if the keys cannot be fetched.
    pub(super) async fn verify_for_nonce(
        &self,
        token: &str,
        nonce: &str,
        deadline: Deadline,
        now: Timestamp,
    ) -> Result<Claims, Problem> {
        let claims = self.verify(token, deadline, now).await.map_err(|problem| match self.provider.failure() {
            // The provider has signed with a new key, which could not be fetched.
            Some(failure) if problem.token_refusal() == Some(TokenRefusal::UnknownKey) => failure.into(),
            _ => as_defect(problem),
        })?;
        match claims.get("nonce") {
            None => Err(as_defect(TokenRefusal::NonceMissing.into())),
            Some(given) if given != nonce => Err(TokenRefusal::NonceOfAnotherRequest.into()),
            Some(_) => Ok(claims),
        }
    }
}

/// Turns the refusal of a token that comes straight from the provider into an error of the deployment.
pub(super) fn as_defect(problem: Problem) -> Problem {
    match problem.code() {
        ProblemCode::NotSignedIn => problem.with_code(ProblemCode::Internal),
        _ => problem,
    }
}

impl From<TokenRefusal> for Problem {
    fn from(refusal: TokenRefusal) -> Self {
        Self::new(ProblemCode::NotSignedIn).because(refusal)
    }
}
