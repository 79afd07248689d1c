//! What may come in. Whatever does not fit is refused whole, in constant words, before anything is read or written.

use http::header;
use lambda_http::{Request, RequestExt};
use serde::{Deserialize, de::DeserializeOwned};

use crate::problem::{Problem, ProblemCode};

/// Bytes of the largest body, after the gateway's base64.
pub const LARGEST_BODY: usize = 16 * 1024;

/// Characters of the longest key of a click.
const LONGEST_KEY: usize = 64;

/// The body, a JSON object declared as `application/json`. `T` has `deny_unknown_fields`; a field that comes twice, or
/// anything after the object, is refused as well.
pub fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let bytes: &[u8] = request.body().as_ref();
    if bytes.len() > LARGEST_BODY {
        return Err(ProblemCode::PayloadTooLarge.into());
    }
    if !declared_json(request) || !is_object(bytes) {
        return Err(ProblemCode::InvalidRequest.into());
    }
    serde_json::from_slice(bytes).map_err(|_| ProblemCode::InvalidRequest.into())
}

/// For a route without a body: nothing, or the empty object that many clients send instead.
pub fn no_body(request: &Request) -> Result<(), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    if request.body().is_empty() {
        return Ok(());
    }
    body::<Nothing>(request).map(|Nothing {}| ())
}

/// A part of the path, decoded by the gateway.
#[must_use]
pub fn path_parameter(request: &Request, name: &str) -> Option<String> {
    request.path_parameters_ref()?.first(name).map(ToOwned::to_owned)
}

/// A part of the query, decoded; the first where there are several.
#[must_use]
pub fn query_parameter(request: &Request, name: &str) -> Option<String> {
    request.query_string_parameters_ref()?.first(name).map(ToOwned::to_owned)
}

/// The key of a click, 1 to 64 visible ASCII characters. The gateway joins headers of the same name with a comma, so what
/// comes through it is always one.
pub fn idempotency_key(request: &Request) -> Result<Option<String>, Problem> {
    let mut given = request.headers().get_all("idempotency-key").iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(key), None) => {
            let visible =
                |key: &&str| (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
            let key = key.to_str().ok().filter(visible).ok_or(ProblemCode::InvalidRequest)?;
            Ok(Some(key.to_owned()))
        }
        (Some(_), Some(_)) => Err(ProblemCode::InvalidRequest.into()),
    }
}

/// Whether the one `Content-Type` says JSON in UTF-8, which is the only charset that JSON has (RFC 8259, 8.1).
fn declared_json(request: &Request) -> bool {
    let mut declared = request.headers().get_all(header::CONTENT_TYPE).iter();
    let (Some(declared), None) = (declared.next(), declared.next()) else { return false };
    let Ok(declared) = declared.to_str() else { return false };
    let mut parts = declared.split(';').map(str::trim);
    parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json"))
        && parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
            !name.trim().eq_ignore_ascii_case("charset") || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

/// A list would otherwise do for a structure, its fields in their order.
fn is_object(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'{')
}
