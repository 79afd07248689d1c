//! Validation of a token: an ID token of the configured issuer, for this client, that is valid now (OpenID Connect Core, 3.1.3.7).

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use super::{key_set, settings::RelyingParty};

/// The claims of a verified token.
pub(super) type Claims = Map<String, Value>;

/// The maximum number of bytes of a token: the gateway's limit for all headers.
pub(super) const LONGEST_TOKEN: usize = 10_240;

/// The seconds that the provider's clock may be ahead. There is no leeway for the expiry.
pub(super) const LEEWAY: i64 = 60;

/// The seconds after its issue for which a token is a session at most, whatever its expiry.
pub(super) const LONGEST_SESSION: i64 = 12 * 60 * 60;

/// Why a token is not accepted. The text is constant and only logged; `Problem::token_refusal` returns the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// The request has neither a bearer token nor the cookie.
    NoToken,
    /// The header `Authorization` has no bearer token.
    NotBearer,
    /// There are several headers `Authorization`.
    SeveralAuthorizations,
    /// There are several cookies of one name.
    SeveralCookies,
    /// One of the two cookies of a long token is missing.
    HalfACookie,
    /// The token is over the gateway's limit for headers.
    TooLong,
    /// The text has no header of a token.
    NoHeader,
    /// The token is signed with an algorithm that is not accepted: none, one with a shared secret, or an unknown one.
    Algorithm,
    /// The header demands an extension of JSON Web Signature.
    Extension,
    /// The type in the header is another one, such as that of an access token.
    Type,
    /// The token names no key, and the provider has several.
    NoKeyId,
    /// The provider has no such key.
    UnknownKey,
    /// The provider's key is for another algorithm.
    KeyOfAnotherAlgorithm,
    /// The signature is not valid.
    Signature,
    /// The claims are no JSON object.
    UnreadableClaims,
    /// A time is not a number.
    InvalidTime,
    /// The token is of another issuer.
    Issuer,
    /// The token is for another client.
    Audience,
    /// The token says no time of issue.
    NoIssueTime,
    /// The time of issue is ahead of our clock by more than the leeway.
    IssuedInTheFuture,
    /// The token has expired, or never expires.
    Expired,
    /// The token was issued over 12 hours ago.
    TooOld,
    /// The token is not valid yet.
    NotValidYet,
    /// The token is an access token.
    AccessToken,
    /// The token names no person.
    NoPerson,
    /// The token has no nonce, although the request for it had one, or although it is that of a browser.
    NonceMissing,
    /// The token is for another request: its nonce is another one.
    NonceOfAnotherRequest,
    /// The token does not have the role that makes a person an operator.
    NoRole,
    /// The time of the sign-in at the provider is ahead of our clock by more than the leeway.
    SignedInInTheFuture,
    /// The operator signed in at the provider over eight hours ago.
    SignInTooOld,
    /// The operator's bearer token was issued over an hour ago.
    BearerTooOld,
}

impl TokenRefusal {
    /// Returns the text for the log.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::NoToken => "there is no token",
            Self::NotBearer => "the authorization is not a bearer token",
            Self::SeveralAuthorizations => "there are several authorizations",
            Self::SeveralCookies => "there are several cookies of one name",
            Self::HalfACookie => "half of the cookie is missing",
            Self::TooLong => "the token is too long",
            Self::NoHeader => "the token has no valid header",
            Self::Algorithm => "the algorithm is not accepted",
            Self::Extension => "the header demands an extension",
            Self::Type => "the token is of another type",
            Self::NoKeyId => "the token names no key",
            Self::UnknownKey => "the key is not the provider's",
            Self::KeyOfAnotherAlgorithm => "the key is of another algorithm",
            Self::Signature => "the signature is not valid",
            Self::UnreadableClaims => "the claims are not readable",
            Self::InvalidTime => "a time is not a number",
            Self::Issuer => "another issuer",
            Self::Audience => "another audience",
            Self::NoIssueTime => "the token does not say when it was issued",
            Self::IssuedInTheFuture => "issued in the future",
            Self::Expired => "expired",
            Self::TooOld => "issued over 12 hours ago",
            Self::NotValidYet => "not valid yet",
            Self::AccessToken => "an access token",
            Self::NoPerson => "the token names no person",
            Self::NonceMissing => "the token has no nonce",
            Self::NonceOfAnotherRequest => "the token is for another request",
            Self::NoRole => "the token does not have the role of operators",
            Self::SignedInInTheFuture => "signed in in the future",
            Self::SignInTooOld => "signed in over eight hours ago",
            Self::BearerTooOld => "a bearer token that was issued over an hour ago",
        }
    }
}

impl fmt::Display for TokenRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for TokenRefusal {}

/// A token whose header has been parsed, and whose signature has not been verified.
pub(super) struct Unverified<'a> {
    /// The header and the claims, which are signed.
    message: &'a str,
    claims: &'a str,
    signature: &'a str,
    pub(super) algorithm: Algorithm,
    /// The id of the key. A token of a provider with only one key may lack it.
    pub(super) key_id: Option<String>,
}

impl<'a> Unverified<'a> {
    /// Parses the header. It can only choose among the accepted algorithms and the provider's keys.
    pub(super) fn read(token: &'a str) -> Result<Self, TokenRefusal> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenRefusal::TooLong);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| unreadable_header(token))?;
        if !key_set::is_accepted(header.alg) {
            return Err(TokenRefusal::Algorithm);
        }
        if header.crit.is_some() {
            return Err(TokenRefusal::Extension);
        }
        if !header.typ.as_deref().is_none_or(is_jwt) {
            return Err(TokenRefusal::Type);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenRefusal::NoHeader)?;
        let (_, claims) = message.split_once('.').ok_or(TokenRefusal::NoHeader)?;
        Ok(Self { message, claims, signature, algorithm: header.alg, key_id: header.kid })
    }

    /// Verifies the signature, and that the claims are those of an ID token for this client that is valid at `now`.
    pub(super) fn verify(
        &self,
        key: &DecodingKey,
        party: &RelyingParty,
        now: Timestamp,
    ) -> Result<Claims, TokenRefusal> {
        if !self.has_signature_of(key) {
            return Err(TokenRefusal::Signature);
        }
        let claims = BASE64_URL_SAFE_NO_PAD.decode(self.claims).map_err(|_| TokenRefusal::UnreadableClaims)?;
        let claims = serde_json::from_slice(&claims).map_err(|_| TokenRefusal::UnreadableClaims)?;
        check(&claims, party, now)?;
        Ok(claims)
    }

    /// Returns whether the signature is that of the provider's key, which must be for the algorithm. Nothing else is checked.
    pub(super) fn has_signature_of(&self, key: &DecodingKey) -> bool {
        jsonwebtoken::crypto::verify(self.signature, self.message.as_bytes(), key, self.algorithm)
            .is_ok_and(|valid| valid)
    }
}

/// Returns why a header cannot be read. The library knows neither `none` nor algorithms that it cannot verify.
fn unreadable_header(token: &str) -> TokenRefusal {
    let header = token.split('.').next().and_then(|header| BASE64_URL_SAFE_NO_PAD.decode(header).ok());
    let header = header.and_then(|header| serde_json::from_slice::<Claims>(&header).ok());
    match header.as_ref().and_then(|header| text(header, "alg")) {
        Some(algorithm) if Algorithm::from_str(algorithm).is_err() => TokenRefusal::Algorithm,
        _ => TokenRefusal::NoHeader,
    }
}

/// Returns whether the type is JWT. It may have the prefix `application/`, and case does not count (RFC 7515, 4.1.9). `at+jwt` is an access
/// token.
fn is_jwt(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == "jwt"
}

/// Checks the claims of an ID token against the settings and the time.
fn check(claims: &Claims, party: &RelyingParty, now: Timestamp) -> Result<(), TokenRefusal> {
    let now = now.epoch_seconds();
    let demand = |holds: bool, otherwise| if holds { Ok(()) } else { Err(otherwise) };
    demand(text(claims, "iss") == Some(&party.issuer), TokenRefusal::Issuer)?;
    demand(is_for(claims, &party.client_id), TokenRefusal::Audience)?;
    demand(issued_at(claims)? <= now + LEEWAY, TokenRefusal::IssuedInTheFuture)?;
    demand(now < expires_at(claims)?, TokenRefusal::Expired)?;
    demand(now < age_limit(claims)?, TokenRefusal::TooOld)?;
    demand(seconds(claims, "nbf")?.is_none_or(|from| from <= now + LEEWAY), TokenRefusal::NotValidYet)?;
    demand(!is_access_token(claims), TokenRefusal::AccessToken)
}

/// Returns whether this client is an audience of the token and its authorized party, `azp`, which a token with several audiences must name.
fn is_for(claims: &Claims, client_id: &str) -> bool {
    let (ours, several) = match claims.get("aud") {
        Some(Value::String(audience)) => (audience == client_id, false),
        Some(Value::Array(all)) => (all.iter().any(|audience| audience == client_id), all.len() > 1),
        _ => (false, false),
    };
    let party = claims.get("azp");
    ours && party.is_none_or(|party| party == client_id) && (party.is_some() || !several)
}

/// Returns whether the claims are those of an access token. Most access tokens already fail on type or audience; the others are marked by
/// Cognito's `token_use`, by the claims `typ` of Keycloak and `tty`, by the scope of Entra and Okta, or by Entra's `idtyp`.
fn is_access_token(claims: &Claims) -> bool {
    let is_other = |name: &str| claims.get(name).is_some_and(|kind| !is_id(kind));
    claims.get("token_use").is_some_and(|used| used != "id")
        || ["typ", "tty"].into_iter().any(is_other)
        || ["scp", "idtyp"].into_iter().any(|name| claims.contains_key(name))
}

/// Returns whether a claim about the type says ID token. Keycloak writes `ID`, Rauthy `Id`.
fn is_id(kind: &Value) -> bool {
    kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("id"))
}

fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a String> {
    match claims.get(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// Returns when the token was issued, which an ID token must say (OpenID Connect Core, 2).
pub(super) fn issued_at(claims: &Claims) -> Result<i64, TokenRefusal> {
    seconds(claims, "iat")?.ok_or(TokenRefusal::NoIssueTime)
}

fn expires_at(claims: &Claims) -> Result<i64, TokenRefusal> {
    seconds(claims, "exp")?.ok_or(TokenRefusal::Expired)
}

/// Returns when the token is too old to be a session.
fn age_limit(claims: &Claims) -> Result<i64, TokenRefusal> {
    Ok(issued_at(claims)?.saturating_add(LONGEST_SESSION))
}

/// Returns when the token stops being a session.
pub(super) fn session_end(claims: &Claims) -> Result<i64, TokenRefusal> {
    Ok(expires_at(claims)?.min(age_limit(claims)?))
}

/// Returns a time of the token, without the fraction of a second that it may have (RFC 7519, 2).
pub(super) fn seconds(claims: &Claims, name: &str) -> Result<Option<i64>, TokenRefusal> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, at times that no clock reaches")]
    let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
    seconds.map(Some).ok_or(TokenRefusal::InvalidTime)
}
