//! The rule against requests that another site makes with the customer's cookie.

use http::{HeaderMap, Method, header};
use lambda_http::Request;

/// Whether this request changes state and does not come from `public_origin`, as far as the browser says. `Host` is never
/// asked: it is whatever the caller wrote. Who says nothing is no browser, or one that is older than `Origin` on POST.
#[must_use]
pub fn is_foreign_change(request: &Request, public_origin: &str) -> bool {
    let changes = ![Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(request.method());
    changes
        && !all_are(request.headers(), "sec-fetch-site", &["same-origin", "none"])
            .unwrap_or_else(|| all_are(request.headers(), header::ORIGIN.as_str(), &[public_origin]).unwrap_or(true))
}

/// Whether every header of that name has one of these values; nothing where there is none.
fn all_are(headers: &HeaderMap, name: &str, values: &[&str]) -> Option<bool> {
    let mut given = headers.get_all(name).iter().peekable();
    given.peek()?;
    Some(given.all(|header| values.iter().any(|value| header.as_bytes() == value.as_bytes())))
}
