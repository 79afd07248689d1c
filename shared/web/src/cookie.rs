//! Cookies as a request brings them along, and as a reply sets them.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};

use crate::reply::Reply;

/// Which requests that other sites cause bring a cookie along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// None.
    Strict,
    /// Those that open a page.
    Lax,
}

/// The same reply, and the browser has the cookie for as long as `lifetime`. `name` begins with `__Host-`: browsers hold such a
/// cookie to this host, to TLS and to the whole site. Scripts do not see it. Nothing is set where `value` is none for a cookie.
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

/// The same reply, and the browser forgets the cookie.
#[must_use]
pub fn forget(reply: Reply, name: &str, same_site: SameSite) -> Reply {
    set(reply, name, "", Duration::ZERO, same_site)
}

/// The cookie of that name, if a request has exactly one that is not empty.
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

/// Several cookies of one name: a browser keeps one of a name that begins with `__Host-`, so this is not its doing.
pub(crate) struct Several;

/// The cookie of that name, if there is one.
pub(crate) fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Several> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(given, _)| *given == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(Several),
        (value, _) => Ok(value),
    }
}
