//! The ID token of a request, and the cookie that holds it in a browser.

use std::time::Duration;

use http::{HeaderMap, header};

use super::TokenRefusal;
use crate::{
    cookie::{self, SameSite},
    reply::Reply,
};

/// The cookie of the ID token. A token over 3,800 bytes is split into two cookies, with the suffixes `.1` and `.2`.
pub const COOKIE: &str = "__Host-customer";

const SUFFIXES: [&str; 3] = ["", ".1", ".2"];

/// The maximum number of bytes of a token in one cookie. Browsers accept 4,096 with name and attributes (RFC 6265, 6.1).
const LONGEST_PART: usize = 3_800;

/// The error for a token that is too large for two cookies, and so for the gateway's limit on headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Returns whether a browser can store the token.
#[must_use]
pub fn fits(token: &str) -> bool {
    token.len() <= 2 * LONGEST_PART && token.is_ascii()
}

/// Sets the token's cookies on a reply for `lifetime`, and removes those of an earlier token.
pub fn set_token(reply: Reply, token: &str, lifetime: Duration) -> Result<Reply, TooLarge> {
    if !fits(token) {
        return Err(TooLarge);
    }
    let parts = match token.split_at_checked(LONGEST_PART) {
        Some((first, second)) if !second.is_empty() => [None, Some(first), Some(second)],
        _ => [Some(token), None, None],
    };
    Ok(SUFFIXES.iter().zip(parts).fold(reply, |reply, (suffix, part)| {
        let lifetime = if part.is_some() { lifetime } else { Duration::ZERO };
        cookie::set(reply, &format!("{COOKIE}{suffix}"), part.unwrap_or_default(), lifetime, SameSite::Lax)
    }))
}

/// Removes the token's cookies from the browser.
#[must_use]
pub fn clear_token(reply: Reply) -> Reply {
    let name = |suffix: &&str| format!("{COOKIE}{suffix}");
    SUFFIXES.iter().fold(reply, |reply, suffix| cookie::clear(reply, &name(suffix), SameSite::Lax))
}

/// The token of a request, by how it was sent.
pub(super) enum Presented {
    /// The token is in the header `Authorization: Bearer`.
    Bearer(String),
    /// The token is in the cookie, or the cookie is missing, which is an error.
    Cookie(Result<String, TokenRefusal>),
}

impl Presented {
    /// Finds the token. If there is an `Authorization` header, valid or not, the cookie is ignored.
    pub(super) fn in_request(headers: &HeaderMap) -> Result<Self, TokenRefusal> {
        let mut authorization = headers.get_all(header::AUTHORIZATION).iter();
        match (authorization.next(), authorization.next()) {
            (None, _) => Ok(Self::Cookie(in_cookie(headers))),
            (Some(one), None) => {
                let text = one.to_str().map_err(|_| TokenRefusal::NotBearer)?;
                let (scheme, token) = text.split_once(' ').ok_or(TokenRefusal::NotBearer)?;
                if !scheme.eq_ignore_ascii_case("bearer") {
                    return Err(TokenRefusal::NotBearer);
                }
                Ok(Self::Bearer(token.trim_matches(' ').to_owned()))
            }
            (Some(_), Some(_)) => Err(TokenRefusal::SeveralAuthorizations),
        }
    }

    /// Returns whether the browser sends the token automatically, even with a request that another site makes.
    pub(super) fn is_sent_automatically(&self) -> bool {
        matches!(self, Self::Cookie(_))
    }

    pub(super) fn token(self) -> Result<String, TokenRefusal> {
        match self {
            Self::Bearer(token) => Ok(token),
            Self::Cookie(token) => token,
        }
    }
}

fn in_cookie(headers: &HeaderMap) -> Result<String, TokenRefusal> {
    let value = |suffix: &str| {
        cookie::one(headers, &format!("{COOKIE}{suffix}"))
            .map(|value| value.filter(|value| !value.is_empty()))
            .map_err(|cookie::Several| TokenRefusal::SeveralCookies)
    };
    match (value("")?, value(".1")?, value(".2")?) {
        (Some(whole), _, _) => Ok(whole.to_owned()),
        (None, Some(first), Some(second)) => Ok(format!("{first}{second}")),
        (None, None, None) => Err(TokenRefusal::NoToken),
        (None, _, _) => Err(TokenRefusal::HalfACookie),
    }
}
