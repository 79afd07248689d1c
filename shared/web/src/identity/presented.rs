//! The ID token of a request, and the cookie that holds it in a browser.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Site, TokenRefusal};
use crate::{
    cookie::{self, SameSite},
    reply::Reply,
};

const SUFFIXES: [&str; 3] = ["", ".1", ".2"];

/// The maximum number of bytes of a token in one cookie. Browsers accept 4,096 with name and attributes (RFC 6265, 6.1).
const LONGEST_PART: usize = 3_800;

/// How long the hint for the provider's sign-out is kept: the time to select the link.
const ENDED_LIFETIME: Duration = Duration::from_mins(5);

/// The maximum number of bytes of a token that becomes a session.
const LARGEST_TOKEN: usize = 6_000;

/// The maximum number of bytes of all headers of a browser with a session. The gateway refuses requests with more than 10,240, without our
/// page, so this leaves room for what a browser adds later.
const LARGEST_HEADERS: usize = 9_000;

/// The error for a token that is too large for cookies, and so for the gateway's limit on headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Returns whether the browser that sends `headers` can keep the token as its session.
pub(crate) fn fits(site: Site, token: &str, headers: &HeaderMap) -> bool {
    is_storable(token) && others(site, headers) + token.len() <= LARGEST_HEADERS
}

fn is_storable(token: &str) -> bool {
    token.len() <= LARGEST_TOKEN && token.is_ascii()
}

/// Returns the bytes of all headers that a browser will send beside the session's cookies.
fn others(site: Site, headers: &HeaderMap) -> usize {
    let length = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    let names = [site.token_cookie(), site.hint_cookie()];
    let ours = |name: &str| names.iter().any(|ours| SUFFIXES.iter().any(|end| name.strip_prefix(ours) == Some(end)));
    let replaced =
        cookie::all(headers).filter(|(name, _)| ours(name)).map(|(name, value)| name.len() + value.len() + 3);
    headers.iter().map(length).sum::<usize>().saturating_sub(replaced.sum())
}

/// Sets the token's cookies on a reply for `lifetime`, and removes those of an earlier token.
pub(crate) fn set_token(site: Site, reply: Reply, token: &str, lifetime: Duration) -> Result<Reply, TooLarge> {
    if !is_storable(token) {
        return Err(TooLarge);
    }
    Ok(set_parts(reply, site.token_cookie(), token, lifetime))
}

fn set_parts(reply: Reply, name: &str, token: &str, lifetime: Duration) -> Reply {
    let parts = match token.split_at_checked(LONGEST_PART) {
        Some((first, second)) if !second.is_empty() => [None, Some(first), Some(second)],
        _ => [Some(token), None, None],
    };
    SUFFIXES.iter().zip(parts).fold(reply, |reply, (suffix, part)| {
        let lifetime = if part.is_some() { lifetime } else { Duration::ZERO };
        cookie::set(reply, &format!("{name}{suffix}"), part.unwrap_or_default(), lifetime, SameSite::Lax)
    })
}

/// Removes the token's cookies from the browser.
pub(crate) fn clear_token(site: Site, reply: Reply) -> Reply {
    clear_parts(reply, site.token_cookie())
}

fn clear_parts(reply: Reply, name: &str) -> Reply {
    SUFFIXES.iter().fold(reply, |reply, suffix| cookie::clear(reply, &format!("{name}{suffix}"), SameSite::Lax))
}

/// Keeps the token of a session that ends as the hint for the provider's own sign-out, where the request has one.
pub(crate) fn keep_hint(site: Site, reply: Reply, headers: &HeaderMap) -> Reply {
    match in_cookie(headers, site.token_cookie()) {
        Ok(token) if is_storable(&token) => set_parts(reply, site.hint_cookie(), &token, ENDED_LIFETIME),
        _ => reply,
    }
}

/// Returns the hint that [`keep_hint`] has kept in this browser.
pub(crate) fn hint(site: Site, headers: &HeaderMap) -> Option<String> {
    in_cookie(headers, site.hint_cookie()).ok().map(Cow::into_owned)
}

/// Removes the hint from a browser that has one.
pub(crate) fn clear_hint(site: Site, reply: Reply, headers: &HeaderMap) -> Reply {
    let cookie = site.hint_cookie();
    let has_hint = cookie::all(headers).any(|(name, _)| name.starts_with(cookie));
    if has_hint { clear_parts(reply, cookie) } else { reply }
}

/// The token of a request, by how it was sent.
pub(super) enum Presented<'a> {
    /// The token is in the header `Authorization: Bearer`.
    Bearer(&'a str),
    /// The token is in the cookie, or the cookie is missing, which is an error.
    Cookie(Result<Cow<'a, str>, TokenRefusal>),
}

impl<'a> Presented<'a> {
    /// Finds the token for a site. If there is an `Authorization` header, valid or not, the cookie is ignored.
    pub(super) fn in_request(site: Site, headers: &'a HeaderMap) -> Result<Self, TokenRefusal> {
        let mut authorization = headers.get_all(header::AUTHORIZATION).iter();
        match (authorization.next(), authorization.next()) {
            (None, _) => Ok(Self::Cookie(in_cookie(headers, site.token_cookie()))),
            (Some(one), None) => {
                let text = one.to_str().map_err(|_| TokenRefusal::NotBearer)?;
                let (scheme, token) = text.split_once(' ').ok_or(TokenRefusal::NotBearer)?;
                if !scheme.eq_ignore_ascii_case("bearer") {
                    return Err(TokenRefusal::NotBearer);
                }
                Ok(Self::Bearer(token.trim_matches(' ')))
            }
            (Some(_), Some(_)) => Err(TokenRefusal::SeveralAuthorizations),
        }
    }

    /// Returns whether the browser sends the token automatically, even with a request that another site makes.
    pub(super) fn is_sent_automatically(&self) -> bool {
        matches!(self, Self::Cookie(_))
    }

    pub(super) fn token(self) -> Result<Cow<'a, str>, TokenRefusal> {
        match self {
            Self::Bearer(token) => Ok(Cow::Borrowed(token)),
            Self::Cookie(token) => token,
        }
    }
}

/// Returns the token in the cookie `name`, which may be split.
fn in_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Cow<'a, str>, TokenRefusal> {
    let value = |suffix: &str| {
        cookie::one(headers, &format!("{name}{suffix}"))
            .map(|value| value.filter(|value| !value.is_empty()))
            .map_err(|cookie::Several| TokenRefusal::SeveralCookies)
    };
    match (value("")?, value(".1")?, value(".2")?) {
        (Some(whole), _, _) => Ok(Cow::Borrowed(whole)),
        (None, Some(first), Some(second)) => Ok(Cow::Owned(format!("{first}{second}"))),
        (None, None, None) => Err(TokenRefusal::NoToken),
        (None, _, _) => Err(TokenRefusal::HalfACookie),
    }
}
