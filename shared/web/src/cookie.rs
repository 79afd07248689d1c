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

/// Returns the cookies of a request, as names and values. Each cookie is read on its own: one with bytes that are not UTF-8 is left out, and
/// hides no other.
pub fn all(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
    let cookies = lines.flat_map(|line| line.split(|byte| *byte == b';')).map(<[u8]>::trim_ascii);
    cookies.filter_map(|cookie| std::str::from_utf8(cookie).ok()?.split_once('='))
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
    let mut values = all(headers).filter(|(given, _)| *given == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(Several),
        (value, _) => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &[u8]) -> HeaderMap {
        [(header::COOKIE, HeaderValue::from_bytes(cookies).unwrap())].into_iter().collect()
    }

    #[test]
    fn a_foreign_cookie_with_any_bytes_hides_no_other() {
        for foreign in ["city=Zürich".as_bytes(), b"city=Z\xfcrich", b"\xff", b"\xff=\xfe", b"a\tb=\t", b"=", b""] {
            let cookies = [foreign, b"; __Host-session=x;", foreign, b";b=y"].concat();
            assert_eq!(get(&headers(&cookies), "__Host-session"), Some("x"), "{foreign:?}");
            assert_eq!(get(&headers(&cookies), "b"), Some("y"), "{foreign:?}");
        }
    }

    #[test]
    fn two_cookies_of_one_name_are_none() {
        assert_eq!(get(&headers(b"a=x; a=y"), "a"), None);
        assert_eq!(get(&headers(b"a="), "a"), None);
    }
}
