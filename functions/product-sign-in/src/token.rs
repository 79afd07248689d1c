//! The token endpoint, where the product redeems a code (RFC 6749, 4.1.3; OpenID Connect Core 1.0, 3.1.3).
//!
//! The ID token is signed before the code is spent: when KMS is unavailable, the product can redeem the same code again.

use aws::RedeemOutcome;
use domain::{
    AccessToken, AccessTokenDigest, AuthorizationCode, CodeDigest, ProductClient, Timestamp, product::TOKEN_LIFETIME,
};
use http::StatusCode;
use serde_json::json;
use web::{Metric, Problem, Reply, Request};

use crate::{
    Provider, client,
    form::Form,
    id_token::Issuance,
    oauth::{self, TokenError},
};

/// The parameters that mean something here.
const KNOWN: [&str; 6] = ["client_id", "client_secret", "code", "code_verifier", "grant_type", "redirect_uri"];

/// The request of a client that has authenticated.
struct TokenRequest {
    code: CodeDigest,
    redirect_uri: String,
    verifier: Option<String>,
}

/// The result of a request to redeem a code.
enum Redemption {
    /// The code is redeemed, and this is the answer.
    Issued(Reply),
    /// The code cannot be redeemed.
    Refused,
    /// The code was redeemed before, and now the token of the first time is void too.
    Reused,
}

impl Provider {
    /// Redeems a code.
    pub(crate) async fn token(&self, request: &Request, now: Timestamp) -> Reply {
        let asked = match TokenRequest::parse(request, &self.client) {
            Ok(asked) => asked,
            Err(error) => return error.reply(),
        };
        match lambda::in_time(self.redeem(&asked, now)).await {
            Ok(Redemption::Issued(reply)) => Metric::count("ProductEntered", reply),
            Ok(Redemption::Refused) => TokenError::InvalidGrant.reply(),
            Ok(Redemption::Reused) => Metric::count("ProductCodeReused", TokenError::InvalidGrant.reply()),
            Err(problem) => oauth::failed(&problem),
        }
    }

    async fn redeem(&self, asked: &TokenRequest, now: Timestamp) -> Result<Redemption, Problem> {
        // It is fixed before the first write, so that every attempt of that write redeems the code for the same token.
        let token = lambda::access_token();
        let Some(known) = self.sign_ins.code(&asked.code).await? else { return Ok(Redemption::Refused) };
        if let Err(refusal) = known.judge(&asked.redirect_uri, asked.verifier.as_deref(), now) {
            tracing::info!(refusal = refusal.as_str(), "a code is not redeemed");
            return Ok(Redemption::Refused);
        }
        if let Some(first) = &known.spent_by {
            return self.withdraw(first).await;
        }
        let grant = known.grant;
        let Some(user) = self.sign_ins.user(grant.holder.clone()).await? else { return Ok(Redemption::Refused) };
        let issuance = Issuance { user: &user, nonce: grant.nonce.as_deref(), access_token: &token, now };
        let id_token = self.id_token(&issuance).await?;
        match self.sign_ins.redeem(&asked.code, &grant, &token.digest(), now).await? {
            RedeemOutcome::Issued => Ok(Redemption::Issued(issued(&token, &id_token))),
            RedeemOutcome::SpentBefore(first) => self.withdraw(&first).await,
            RedeemOutcome::Expired | RedeemOutcome::NotValid => Ok(Redemption::Refused),
        }
    }

    /// Voids the token of a code that is used a second time: one of its two users is a thief (RFC 6749, 4.1.2).
    async fn withdraw(&self, first: &AccessTokenDigest) -> Result<Redemption, Problem> {
        self.sign_ins.withdraw(first).await?;
        Ok(Redemption::Reused)
    }
}

impl TokenRequest {
    /// Parses a request and authenticates its client, before anything is read.
    fn parse(request: &Request, client: &ProductClient) -> Result<Self, TokenError> {
        let form = Form::parse(request, &KNOWN).ok_or(TokenError::InvalidRequest)?;
        client::authenticate(request, &form, client)?;
        match form.get("grant_type") {
            Some("authorization_code") => {}
            Some(_) => return Err(TokenError::UnsupportedGrantType),
            None => return Err(TokenError::InvalidRequest),
        }
        let (Some(code), Some(redirect_uri)) = (form.get("code"), form.get("redirect_uri")) else {
            return Err(TokenError::InvalidRequest);
        };
        let code = AuthorizationCode::parse(code).ok_or(TokenError::InvalidGrant)?.digest();
        let verifier = form.get("code_verifier").map(ToOwned::to_owned);
        Ok(Self { code, redirect_uri: redirect_uri.to_owned(), verifier })
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the answer to the product")]
fn issued(token: &AccessToken, id_token: &str) -> Reply {
    let body = json!({
        "access_token": token.expose_secret(),
        "token_type": "Bearer",
        "expires_in": TOKEN_LIFETIME.as_secs(),
        "id_token": id_token,
        "scope": "openid profile email",
    });
    oauth::document(StatusCode::OK, &body)
}

#[cfg(test)]
mod tests {
    use domain::PkcePolicy;

    use super::*;
    use crate::form::tests::{FORM, request};

    // printf s3cret | sha256sum
    const DIGEST: &str = "1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0";
    const CLIENT: &str = "client_id=product&client_secret=s3cret";

    fn judge(client: &str, rest: &str) -> Option<TokenError> {
        let known = ProductClient::new("product".into(), DIGEST, "https://product.example/", PkcePolicy::Optional);
        let request = request(&format!("{client}&{rest}"), &[FORM]);
        TokenRequest::parse(&request, &known.unwrap()).err()
    }

    #[test]
    fn a_request_has_a_code_and_the_address_that_it_went_to() {
        let good = format!("grant_type=authorization_code&code={}&redirect_uri=https%3A%2F%2Fa", "A".repeat(43));
        assert_eq!(judge(CLIENT, &good), None);
        assert_eq!(judge(CLIENT, &format!("{good}&code_verifier=v&resource=a&resource=b")), None);
        for (missing, error) in [
            ("grant_type=authorization_code", TokenError::InvalidRequest),
            ("redirect_uri=https%3A%2F%2Fa", TokenError::InvalidRequest),
        ] {
            assert_eq!(judge(CLIENT, &good.replace(missing, "")), Some(error), "{missing}");
        }
        assert_eq!(judge(CLIENT, &good.replace("code=A", "other=A")), Some(TokenError::InvalidRequest));
        assert_eq!(judge(CLIENT, &good.replace("code=A", "code=")), Some(TokenError::InvalidGrant));
        assert_eq!(judge(CLIENT, &format!("{good}&code=A")), Some(TokenError::InvalidRequest));
        for grant in ["refresh_token", "client_credentials", "password", "Authorization_Code"] {
            let other = good.replace("authorization_code", grant);
            assert_eq!(judge(CLIENT, &other), Some(TokenError::UnsupportedGrantType), "{grant}");
        }
    }

    #[test]
    fn a_client_that_does_not_authenticate_learns_nothing_of_the_request() {
        for rest in ["grant_type=password", "", "grant_type=authorization_code&code=A"] {
            assert_eq!(judge("client_id=product&client_secret=other", rest), Some(TokenError::InvalidClient), "{rest}");
        }
    }
}
