//! What goes out.

use http::{HeaderValue, StatusCode, header};
use lambda_http::Body;
use serde::Serialize;

/// The answer of an HTTP function.
pub type Reply = http::Response<Body>;

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
