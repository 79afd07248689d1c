//! Where the token of a request stands.

use http::{HeaderMap, header};

use super::Refused;
use crate::cookie;

/// The cookie of the ID token; a token over 3,800 bytes stands in two, each the name and `.1` or `.2`.
pub const COOKIE: &str = "__Host-customer";

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
            .map_err(|cookie::Several| Refused("there are several cookies of one name"))
    };
    match (value("")?, value(".1")?, value(".2")?) {
        (Some(whole), _, _) => Ok(whole.to_owned()),
        (None, Some(first), Some(second)) => Ok(format!("{first}{second}")),
        (None, None, None) => Err(Refused("there is no token")),
        (None, _, _) => Err(Refused("half of the cookie is missing")),
    }
}
