//! The answers of HTTP functions.

use http::{HeaderValue, StatusCode, header};
use lambda_http::Body;
use serde::Serialize;

/// The answer of an HTTP function.
pub type Reply = http::Response<Body>;

/// The referrer policy of pages and redirects. Other sites learn nothing. With `no-referrer`, a browser would send `Origin: null` with our
/// own forms, and one that sends no `Sec-Fetch-Site` could not sign out.
const REFERRER: HeaderValue = HeaderValue::from_static("same-origin");

/// The metric that an answer increments, which the log line of its request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name, such as `SignedIn`. `lambda::metrics` has the list.
    pub name: &'static str,
    /// The reason code, for a metric that distinguishes reasons.
    pub reason: Option<&'static str>,
}

impl Metric {
    /// Marks a reply with a metric.
    #[must_use]
    pub fn count(name: &'static str, mut reply: Reply) -> Reply {
        reply.extensions_mut().insert(Self { name, reason: None });
        reply
    }

    /// Marks a reply with a metric and its reason.
    #[must_use]
    pub fn count_for(name: &'static str, reason: &'static str, mut reply: Reply) -> Reply {
        reply.extensions_mut().insert(Self { name, reason: Some(reason) });
        reply
    }
}

/// Returns an answer in JSON that must not be cached.
///
/// # Panics
///
/// Panics if `body` cannot be JSON, such as a map whose keys are not strings. The boundary turns that into `internal`.
#[must_use]
pub fn json(status: StatusCode, body: &impl Serialize) -> Reply {
    document(status, "application/json", body)
}

/// Returns an answer in JSON that is a text already and must not be cached.
#[must_use]
pub fn json_text(status: StatusCode, body: String) -> Reply {
    document_text(status, "application/json", body)
}

/// Returns an answer without a body that must not be cached.
#[must_use]
pub fn empty(status: StatusCode) -> Reply {
    let mut reply = Reply::new(Body::Empty);
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// Returns a page that must not be cached and sends no referrer to other sites. The caller adds the content security policy.
#[must_use]
pub fn html(status: StatusCode, page: String) -> Reply {
    let mut reply = empty(status);
    *reply.body_mut() = Body::Text(page);
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::REFERRER_POLICY, REFERRER);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

/// Returns a text that the browser saves as a file with this name, and that must not be cached. `media_type` begins with `text` or
/// `application/json`: what the runtime takes for another type, it encodes in base64, which is a third longer.
///
/// # Panics
///
/// Panics if `name` is not a valid header value. The boundary turns that into `internal`.
#[must_use]
pub fn file(name: &str, media_type: &'static str, text: String) -> Reply {
    let mut reply = empty(StatusCode::OK);
    *reply.body_mut() = Body::Text(text);
    let disposition = format!("attachment; filename=\"{name}\"");
    let disposition = HeaderValue::try_from(disposition).expect("a file name is printable");
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

/// Redirects the browser to an address with GET.
///
/// # Panics
///
/// Panics if `address` is not a valid header value; the caller encodes it. The boundary turns that into `internal`.
#[must_use]
pub fn see_other(address: &str) -> Reply {
    let mut reply = empty(StatusCode::SEE_OTHER);
    let location = HeaderValue::try_from(address).expect("an address is encoded");
    reply.headers_mut().insert(header::LOCATION, location);
    reply.headers_mut().insert(header::REFERRER_POLICY, REFERRER);
    reply
}

/// Returns a JSON document of any media type.
pub(crate) fn document(status: StatusCode, media_type: &'static str, body: &impl Serialize) -> Reply {
    let text = serde_json::to_string(body).expect("an answer has no map whose keys are no strings");
    document_text(status, media_type, text)
}

fn document_text(status: StatusCode, media_type: &'static str, text: String) -> Reply {
    let mut reply = Reply::new(Body::Text(text));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}
