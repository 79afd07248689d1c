//! Cookies of requests and replies.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};

use crate::reply::Reply;

/// The `SameSite` attribute: which requests that other sites initiate carry the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// No request carries the cookie.
    Strict,
    /// Only top-level navigation carries the cookie.
    Lax,
}

/// Sets a cookie on a reply for `lifetime`. `name` begins with `__Host-`, so that browsers restrict the cookie to this host, to TLS and to
/// the path `/`. Scripts cannot read it. An invalid `value` sets nothing.
#[must_use]
pub fn set(mut reply: Reply, name: &str, value: &str, lifetime: Duration, same_site: SameSite) -> Reply {
    let (seconds, same_site) = (lifetime.as_secs(), same_site.name());
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite={same_site}");
    if let Ok(mut cookie) = HeaderValue::try_from(text) {
        cookie.set_sensitive(true);
        reply.headers_mut().append(header::SET_COOKIE, cookie);
    }
    reply
}

/// Removes a cookie from the browser.
#[must_use]
pub fn clear(reply: Reply, name: &str, same_site: SameSite) -> Reply {
    set(reply, name, "", Duration::ZERO, same_site)
}

/// Returns the cookie of that name, if a request has exactly one and it is not empty.
#[must_use]
pub fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    one(headers, name).ok().flatten().filter(|value| !value.is_empty())
}

impl SameSite {
    fn name(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
        }
    }
}

/// The error for several cookies of one name. Browsers keep only one with the prefix `__Host-`, so a browser did not send this.
pub(crate) struct Several;

/// Returns the cookie of that name, if there is one.
pub(crate) fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Several> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(given, _)| *given == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(Several),
        (value, _) => Ok(value),
    }
}
