//! What goes out.

use http::{HeaderValue, StatusCode, header};
use lambda_http::Body;
use serde::Serialize;

/// The answer of an HTTP function.
pub type Reply = http::Response<Body>;

/// What an answer counts as in the log, and so in the metrics: the name of what happened, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Such as `SignedIn`; the list is in `lambda::metrics`.
    pub name: &'static str,
    /// A code, where there are several.
    pub reason: Option<&'static str>,
}

impl Metric {
    /// The same reply, and it counts.
    #[must_use]
    pub fn count(name: &'static str, mut reply: Reply) -> Reply {
        reply.extensions_mut().insert(Self { name, reason: None });
        reply
    }

    /// The same reply, and it counts for a reason.
    #[must_use]
    pub fn count_for(name: &'static str, reason: &'static str, mut reply: Reply) -> Reply {
        reply.extensions_mut().insert(Self { name, reason: Some(reason) });
        reply
    }
}

/// An answer in JSON, which nobody on the way may keep.
///
/// # Panics
///
/// Where `body` cannot be JSON: a map whose keys are no strings. The boundary turns that into `internal`.
#[must_use]
pub fn json(status: StatusCode, body: &impl Serialize) -> Reply {
    document(status, "application/json", body)
}

/// An answer without a body, which nobody on the way may keep.
#[must_use]
pub fn empty(status: StatusCode) -> Reply {
    let mut reply = Reply::new(Body::Empty);
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// A page, which nobody on the way may keep, and about which no other page hears. Its policy is the page's own matter.
#[must_use]
pub fn html(status: StatusCode, page: String) -> Reply {
    let mut reply = empty(status);
    *reply.body_mut() = Body::Text(page);
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

/// Sends the browser to an address, by GET.
///
/// # Panics
///
/// Where `address` cannot stand in a header: whoever makes one encodes it. The boundary turns that into `internal`.
#[must_use]
pub fn see_other(address: &str) -> Reply {
    let mut reply = empty(StatusCode::SEE_OTHER);
    let location = HeaderValue::try_from(address).expect("an address is encoded");
    reply.headers_mut().insert(header::LOCATION, location);
    reply.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply
}

/// A document in JSON of any media type.
pub(crate) fn document(status: StatusCode, media_type: &'static str, body: &impl Serialize) -> Reply {
    let text = serde_json::to_string(body).expect("an answer has no map whose keys are no strings");
    let mut reply = Reply::new(Body::Text(text));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}
