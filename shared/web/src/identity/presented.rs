//! Where the token of a request stands, and how a browser is given one.

use std::time::Duration;

use http::{HeaderMap, header};

use super::Refused;
use crate::{
    cookie::{self, SameSite},
    reply::Reply,
};

/// The cookie of the ID token; a token over 3,800 bytes stands in two, each the name and `.1` or `.2`.
pub const COOKIE: &str = "__Host-customer";

const SUFFIXES: [&str; 3] = ["", ".1", ".2"];

/// Bytes of a token in one cookie: browsers keep 4,096 with name and attributes (RFC 6265, 6.1).
const LONGEST_PART: usize = 3_800;

/// The token is too large for two cookies, and with them for what the gateway takes as headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Whether a browser can keep the token.
#[must_use]
pub fn fits(token: &str) -> bool {
    token.len() <= 2 * LONGEST_PART && token.is_ascii()
}

/// The same reply, and the browser has the token, alone, for as long as `lifetime`.
pub fn keep(reply: Reply, token: &str, lifetime: Duration) -> Result<Reply, TooLarge> {
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

/// The same reply, and the browser forgets the token.
#[must_use]
pub fn forget(reply: Reply) -> Reply {
    let name = |suffix: &&str| format!("{COOKIE}{suffix}");
    SUFFIXES.iter().fold(reply, |reply, suffix| cookie::forget(reply, &name(suffix), SameSite::Lax))
}

/// The token that a request brings along.
pub(super) enum Presented {
    /// As `Authorization: Bearer`.
    Bearer(String),
    /// In the cookie, or missing there.
    Cookie(Result<String, Refused>),
}

impl Presented {
    /// `Authorization` wins: where it is present, nothing else counts, whatever it says.
    pub(super) fn in_request(headers: &HeaderMap) -> Result<Self, Refused> {
        let mut authorization = headers.get_all(header::AUTHORIZATION).iter();
        match (authorization.next(), authorization.next()) {
            (None, _) => Ok(Self::Cookie(in_cookie(headers))),
            (Some(one), None) => {
                let text = one.to_str().map_err(|_| Refused("the authorization is not ASCII"))?;
                let (scheme, token) = text.split_once(' ').ok_or(Refused("the authorization is no bearer token"))?;
                if !scheme.eq_ignore_ascii_case("bearer") {
                    return Err(Refused("the authorization is no bearer token"));
                }
                Ok(Self::Bearer(token.trim_matches(' ').to_owned()))
            }
            (Some(_), Some(_)) => Err(Refused("there are several authorizations")),
        }
    }

    /// Whether a browser sends it by itself, whoever asks it to.
    pub(super) fn is_sent_unasked(&self) -> bool {
        matches!(self, Self::Cookie(_))
    }

    pub(super) fn token(self) -> Result<String, Refused> {
        match self {
            Self::Bearer(token) => Ok(token),
            Self::Cookie(token) => token,
        }
    }
}

fn in_cookie(headers: &HeaderMap) -> Result<String, Refused> {
    let value = |suffix: &str| {
        cookie::one(headers, &format!("{COOKIE}{suffix}"))
            .map(|value| value.filter(|value| !value.is_empty()))
            .map_err(|cookie::Several| Refused("there are several cookies of one name"))
    };
    match (value("")?, value(".1")?, value(".2")?) {
        (Some(whole), _, _) => Ok(whole.to_owned()),
        (None, Some(first), Some(second)) => Ok(format!("{first}{second}")),
        (None, None, None) => Err(Refused("there is no token")),
        (None, _, _) => Err(Refused("half of the cookie is missing")),
    }
}
