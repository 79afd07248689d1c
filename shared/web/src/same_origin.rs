//! Protection against cross-site request forgery: requests that another site makes with the customer's cookie.

use http::{HeaderMap, Method, header};
use lambda_http::Request;

/// Returns whether this request changes state and, by the browser's headers, does not come from `public_origin`.
///
/// `Host` is not used, since the caller can forge it. A client without these headers is not a browser, or one so old that it sends no
/// `Origin` with POST.
#[must_use]
pub fn is_foreign_change(request: &Request, public_origin: &str) -> bool {
    let changes = ![Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(request.method());
    changes
        && !all_are(request.headers(), "sec-fetch-site", &["same-origin", "none"])
            .unwrap_or_else(|| all_are(request.headers(), header::ORIGIN.as_str(), &[public_origin]).unwrap_or(true))
}

/// Returns whether every header of that name has one of these values. `None` if there is no such header.
fn all_are(headers: &HeaderMap, name: &str, values: &[&str]) -> Option<bool> {
    let mut given = headers.get_all(name).iter().peekable();
    given.peek()?;
    Some(given.all(|header| values.iter().any(|value| header.as_bytes() == value.as_bytes())))
}
