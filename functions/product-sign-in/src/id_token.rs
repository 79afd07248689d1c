//! The claims of an administrator, and the ID token (OpenID Connect Core 1.0, 2).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{AccessToken, ProductUser, Timestamp, product::TOKEN_LIFETIME};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use web::{Problem, ProblemCode};

use crate::Provider;

/// The contents of one ID token.
pub(crate) struct Issuance<'a> {
    pub(crate) user: &'a ProductUser,
    pub(crate) nonce: Option<&'a str>,
    pub(crate) access_token: &'a AccessToken,
    pub(crate) now: Timestamp,
}

impl Provider {
    /// Returns a signed ID token.
    pub(crate) async fn id_token(&self, issuance: &Issuance<'_>) -> Result<String, Problem> {
        let key = self.keys().await?.first().ok_or(ProblemCode::Internal)?;
        let signing_input = signing_input(&key.kid, issuance.claims(&self.public_origin, &self.client.id));
        let signature = self.signer.sign(&Sha256::digest(signing_input.as_bytes()).into()).await?;
        Ok(signed(&signing_input, &signature))
    }
}

impl Issuance<'_> {
    fn claims(&self, issuer: &str, client_id: &str) -> Map<String, Value> {
        let mut claims = claims(self.user);
        let technical = [
            ("iss", json!(issuer)),
            ("aud", json!(client_id)),
            ("iat", json!(self.now.epoch_seconds())),
            ("exp", json!(self.now.plus(TOKEN_LIFETIME).epoch_seconds())),
            ("at_hash", json!(self.access_token.hash_claim())),
        ];
        let nonce = self.nonce.map(|nonce| ("nonce", json!(nonce)));
        claims.extend(technical.into_iter().chain(nonce).map(|(name, value)| (name.to_owned(), value)));
        claims
    }
}

/// Returns the claims that an ID token and userinfo have in common. An account without an address has no claim about one.
pub(crate) fn claims(user: &ProductUser) -> Map<String, Value> {
    let ProductUser { holder, display_name, email, company, product } = user;
    let claims = [
        ("sub", json!(holder.account_id)),
        ("preferred_username", json!(holder.user_name)),
        ("name", json!(display_name)),
        ("subscription_id", json!(holder.subscription)),
        ("company_id", json!(company.id)),
        ("company_name", json!(company.name)),
        ("product", json!(product)),
        ("roles", json!(["administrator"])),
        ("auth_time", json!(holder.authenticated_at.epoch_seconds())),
        ("amr", json!(["pwd"])),
    ];
    // Often another administrator typed the address, and nothing verifies it.
    let email = email.iter().flat_map(|email| [("email", json!(email.to_string())), ("email_verified", json!(false))]);
    claims.into_iter().chain(email).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns the text that is signed: header and claims.
fn signing_input(kid: &str, claims: Map<String, Value>) -> String {
    let encode = |part: Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": kid });
    format!("{}.{}", encode(header), encode(Value::Object(claims)))
}

fn signed(signing_input: &str, signature: &[u8]) -> String {
    format!("{signing_input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use aws_lc_rs::{
        digest::{Digest as Hash, SHA256},
        rsa::KeySize,
        signature::RSA_PKCS1_SHA256,
    };
    use domain::{Company, CompanyId, EmailAddress, Holder, SubscriptionId, UserName};
    use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation, decode};

    use super::*;
    use crate::{
        discovery::CLAIMS,
        keys::{PublishedKey, tests::key},
    };

    const ISSUER: &str = "https://portal.contoso.example";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_epoch_seconds(seconds)
    }

    fn user(email: Option<&str>) -> ProductUser {
        let holder = Holder {
            user_name: UserName::parse("dana@fabrikam").unwrap(),
            account_id: "01K".into(),
            subscription: SubscriptionId::parse("sub-1").unwrap(),
            account_version: 3,
            authenticated_at: at(4_000_000_000),
        };
        ProductUser {
            holder,
            display_name: "Dana \"D\" <Öz>".into(),
            email: email.and_then(EmailAddress::parse),
            company: Company { id: CompanyId::parse("fabrikam").unwrap(), name: "Fabrikam".into() },
            product: "Online Suite".into(),
        }
    }

    fn access_token() -> AccessToken {
        AccessToken::parse(&"A".repeat(43)).unwrap()
    }

    fn id_claims(user: &ProductUser, nonce: Option<&str>) -> Map<String, Value> {
        let issuance = Issuance { user, nonce, access_token: &access_token(), now: at(4_000_000_100) };
        issuance.claims(ISSUER, "product")
    }

    #[test]
    fn an_id_token_says_who_signed_in_when_and_for_whom() {
        let expected = json!({
            "iss": ISSUER, "sub": "01K", "aud": "product", "iat": 4_000_000_100_i64, "exp": 4_000_000_400_i64,
            "auth_time": 4_000_000_000_i64, "nonce": "n", "at_hash": access_token().hash_claim(), "amr": ["pwd"],
            "preferred_username": "dana@fabrikam", "name": "Dana \"D\" <Öz>", "email": "dana@fabrikam.example",
            "email_verified": false, "subscription_id": "sub-1", "company_id": "fabrikam", "company_name": "Fabrikam",
            "product": "Online Suite", "roles": ["administrator"],
        });
        assert_eq!(Value::Object(id_claims(&user(Some("dana@fabrikam.example")), Some("n"))), expected);
    }

    #[test]
    fn an_account_without_an_address_and_a_request_without_a_nonce_have_no_such_claim() {
        let claims = id_claims(&user(None), None);
        for name in ["email", "email_verified", "nonce"] {
            assert!(!claims.contains_key(name), "{name}");
        }
    }

    #[test]
    fn discovery_names_the_claims_of_userinfo() {
        let claims = claims(&user(Some("dana@fabrikam.example")));
        assert_eq!(claims.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(CLAIMS));
    }

    #[test]
    fn the_product_verifies_the_token_with_the_published_key() {
        let (key, der) = key(KeySize::Rsa2048);
        let published = PublishedKey::from_spki(&der).unwrap();
        let claims = id_claims(&user(None), Some("n"));
        let signing_input = signing_input(&published.kid, claims.clone());
        // KMS is given the digest too.
        let digest: [u8; 32] = Sha256::digest(signing_input.as_bytes()).into();
        let digest = Hash::import_less_safe(&digest, &SHA256).unwrap();
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign_digest(&RSA_PKCS1_SHA256, &digest, &mut signature).unwrap();

        let decoding = DecodingKey::from_rsa_components(&published.n, &published.e).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&["product"]);
        validation.set_issuer(&[ISSUER]);
        let verify = |signature: &[u8]| decode::<Value>(signed(&signing_input, signature), &decoding, &validation);
        let TokenData { header, claims: verified } = verify(&signature).unwrap();
        assert_eq!((header.kid, verified), (Some(published.kid.clone()), Value::Object(claims)));
        signature[0] ^= 1;
        assert!(verify(&signature).is_err());
    }
}
