//! Validation of a token: an ID token of the configured issuer, for this client, that is valid now (OpenID Connect Core, 3.1.3.7).

use domain::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use serde_json::{Map, Value};

use super::{Refused, key_set, settings::Rules};

/// The claims of a verified token.
pub(super) type Claims = Map<String, Value>;

/// The maximum number of bytes of a token: the gateway's limit for all headers.
pub(super) const LONGEST_TOKEN: usize = 10_240;

/// The seconds that the provider's clock may be ahead. There is no leeway for the expiry.
pub(super) const LEEWAY: i64 = 60;

/// A token whose header has been parsed, and whose signature has not been verified.
pub(super) struct Unverified<'a> {
    token: &'a str,
    pub(super) algorithm: Algorithm,
    pub(super) key_id: String,
}

impl<'a> Unverified<'a> {
    /// Parses the header. It can only choose among the accepted algorithms and the provider's keys.
    pub(super) fn read(token: &'a str) -> Result<Self, Refused> {
        if token.len() > LONGEST_TOKEN {
            return Err(Refused("the token is too long"));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refused("the token has no valid header"))?;
        if !key_set::is_accepted(header.alg) {
            return Err(Refused("the algorithm is not accepted"));
        }
        if header.crit.is_some() {
            return Err(Refused("the header demands an extension"));
        }
        if !header.typ.as_deref().is_none_or(is_jwt) {
            return Err(Refused("the token is of another type"));
        }
        let key_id = header.kid.ok_or(Refused("the token names no key"))?;
        Ok(Self { token, algorithm: header.alg, key_id })
    }

    /// Verifies the signature, and that the claims are those of an ID token for this client that is valid at `now`.
    pub(super) fn verify(&self, key: &DecodingKey, rules: &Rules, now: Timestamp) -> Result<Claims, Refused> {
        let claims = jsonwebtoken::decode::<Claims>(self.token, key, &signature_only(self.algorithm))
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidSignature => Refused("the signature is not valid"),
                _ => Refused("the claims are not readable"),
            })?
            .claims;
        check(&claims, rules, now)?;
        Ok(claims)
    }
}

/// Returns a validation of the signature only. Everything else is checked here, against a time that is an argument.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// Returns whether the type is JWT. It may have the prefix `application/`, and case does not count (RFC 7515, 4.1.9). `at+jwt` is an access
/// token.
fn is_jwt(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == "jwt"
}

/// Checks the claims of an ID token against the settings and the time.
fn check(claims: &Claims, rules: &Rules, now: Timestamp) -> Result<(), Refused> {
    let now = now.epoch_seconds();
    let demand = |holds: bool, otherwise| if holds { Ok(()) } else { Err(Refused(otherwise)) };
    demand(text(claims, "iss") == Some(&rules.issuer), "another issuer")?;
    demand(is_for(claims, &rules.client_id), "another audience")?;
    demand(now < expires_at(claims)?, "expired")?;
    demand(seconds(claims, "nbf")?.is_none_or(|from| from <= now + LEEWAY), "not valid yet")?;
    demand(seconds(claims, "iat")?.is_none_or(|issued| issued <= now + LEEWAY), "issued in the future")?;
    demand(!is_access_token(claims), "an access token")
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
/// Cognito's `token_use`, by Keycloak's claim `typ`, or by the scope of Entra and Okta.
fn is_access_token(claims: &Claims) -> bool {
    claims.get("token_use").is_some_and(|used| used != "id")
        || claims.get("typ").is_some_and(|typ| typ != "ID")
        || claims.contains_key("scp")
}

fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a String> {
    match claims.get(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// Returns when the token expires.
pub(super) fn expires_at(claims: &Claims) -> Result<i64, Refused> {
    seconds(claims, "exp")?.ok_or(Refused("expired"))
}

/// Returns a time of the token, without the fraction of a second that it may have (RFC 7519, 2).
fn seconds(claims: &Claims, name: &str) -> Result<Option<i64>, Refused> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, at times that no clock reaches")]
    let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64));
    seconds.map(Some).ok_or(Refused("a time is not a number"))
}
