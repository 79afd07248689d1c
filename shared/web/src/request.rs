//! Parsing of requests. An invalid request is refused with constant text before anything is read or written.

use domain::{
    AccountId, ApprovalId, ClaimedName, DeviceToken, HistoryCursor, Network, Origin, Principal, SubscriptionId,
};
use http::header;
use lambda_http::{Request, RequestExt, request::RequestContext};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    cursor, device,
    problem::{Problem, ProblemCode},
};

/// The maximum size of a body in bytes, after the gateway's base64 is decoded.
pub const LARGEST_BODY: usize = 16 * 1024;

/// The maximum number of characters of an idempotency key.
const LONGEST_KEY: usize = 64;

/// Parses the body, a JSON object declared as `application/json`. `T` must have `deny_unknown_fields`. A duplicate field and text after the
/// object are refused as well.
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

/// Checks that there is no body, for a route without one. Many clients send an empty object instead, so that is accepted.
pub fn no_body(request: &Request) -> Result<(), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    if request.body().is_empty() {
        return Ok(());
    }
    body::<Nothing>(request).map(|Nothing {}| ())
}

/// Returns a parameter of the path, which the gateway has decoded.
pub(crate) fn path_parameter(request: &Request, name: &str) -> Option<String> {
    request.path_parameters_ref()?.first(name).map(ToOwned::to_owned)
}

/// Returns the first parameter of the query with this name, decoded.
#[must_use]
pub fn query_parameter(request: &Request, name: &str) -> Option<String> {
    request.query_string_parameters_ref()?.first(name).map(ToOwned::to_owned)
}

/// Returns the subscription that the path names; an id that does not parse is `not-found`, as an unknown one is.
pub fn subscription_id(request: &Request) -> Result<SubscriptionId, ProblemCode> {
    let id = path_parameter(request, "subscription_id").and_then(|id| SubscriptionId::parse(&id));
    id.ok_or(ProblemCode::NotFound)
}

/// Returns the approval that the path names; `None` for a route without one. An id that does not parse is `not-found`, as an unknown one is.
pub fn approval_id(request: &Request) -> Result<Option<ApprovalId>, ProblemCode> {
    let id = path_parameter(request, "approval");
    id.map(|id| ApprovalId::parse(&id).ok_or(ProblemCode::NotFound)).transpose()
}

/// Returns the id of the account that the path names; one that does not parse is `not-found`, as an unknown one is.
pub fn account_id(request: &Request) -> Result<AccountId, ProblemCode> {
    path_parameter(request, "account_id").and_then(|id| AccountId::parse(&id)).ok_or(ProblemCode::NotFound)
}

/// Returns the account that the path names, by any text: one that is no user name is that of no account.
pub fn user_name(request: &Request) -> Option<ClaimedName> {
    path_parameter(request, "user_name").map(|name| ClaimedName::from_typed(&name))
}

/// Returns the principal that the path names, if the path has one; a text that does not parse is `not-found`, as an unknown one is.
pub fn principal(request: &Request) -> Result<Option<Principal>, ProblemCode> {
    let Some(text) = path_parameter(request, "principal") else { return Ok(None) };
    Principal::parse(&text).map(Some).ok_or(ProblemCode::NotFound)
}

/// Returns the subscription after which a page of the list begins; `None` for the first page.
pub fn cursor(request: &Request) -> Result<Option<SubscriptionId>, ProblemCode> {
    let cursor = query_parameter(request, "cursor").filter(|cursor| !cursor.is_empty());
    cursor.map(|cursor| cursor::decode(&cursor).ok_or(ProblemCode::InvalidRequest)).transpose()
}

/// Returns the cursor of a page of a history; `None` for the first page.
pub fn history_cursor(request: &Request) -> Result<Option<HistoryCursor>, ProblemCode> {
    let cursor = query_parameter(request, "cursor").filter(|cursor| !cursor.is_empty());
    cursor.map(|cursor| cursor::decode_history(&cursor).ok_or(ProblemCode::InvalidRequest)).transpose()
}

/// Returns where the caller comes from: their network, and the device of the cookie that they present.
pub fn origin(request: &Request) -> Result<Origin, Problem> {
    Ok(Origin { network: network(request)?, device: device::token(request).as_ref().map(DeviceToken::digest) })
}

/// Returns the caller's network, as the gateway saw it. Headers are not used, since the caller can forge them.
pub fn network(request: &Request) -> Result<Network, Problem> {
    let address = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
        _ => None,
    };
    let network = address.and_then(Network::parse);
    network.ok_or_else(|| Problem::new(ProblemCode::Internal).because("the gateway names no source address"))
}

/// Returns the idempotency key of a click, 1 to 64 visible ASCII characters. The gateway joins headers of the same name with a comma, so a
/// request through it has at most one.
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

/// Returns the idempotency key of a click that must have one.
pub fn required_idempotency_key(request: &Request) -> Result<String, Problem> {
    idempotency_key(request)?.ok_or_else(|| ProblemCode::InvalidRequest.into())
}

/// Returns whether there is one `Content-Type` and it is JSON in UTF-8, the only charset that JSON has (RFC 8259, 8.1).
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

/// Returns whether the body is an object. Serde would also accept an array with the fields of a struct in their order.
fn is_object(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'{')
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use lambda_http::Body;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Message {
        message: String,
    }

    fn request(body: impl Into<Body>, headers: &[(&str, &str)]) -> Request {
        let start = http::Request::builder().method("POST").uri("/");
        headers.iter().fold(start, |request, (name, value)| request.header(*name, *value)).body(body.into()).unwrap()
    }

    const JSON: (&str, &str) = ("content-type", "application/json");
    const GOOD: &str = r#"{"message":"help"}"#;

    fn refused(body: impl Into<Body>, headers: &[(&str, &str)]) -> Option<ProblemCode> {
        self::body::<Message>(&request(body, headers)).err().map(|problem| problem.code())
    }

    #[test]
    fn a_declared_object_with_its_fields_is_parsed() {
        let expected = Message { message: "help".into() };
        for good in [GOOD, " \n{ \"message\" : \"help\" } \r\n", r#"{"message":"\u0068elp"}"#] {
            assert_eq!(body::<Message>(&request(good, &[JSON])).ok().as_ref(), Some(&expected), "{good}");
        }
        assert_eq!(body::<Message>(&request(GOOD.as_bytes(), &[JSON])).ok(), Some(expected));
    }

    #[test]
    fn any_other_body_is_refused() {
        let bodies: [&[u8]; 14] = [
            b"",
            b"{}",
            b"null",
            b"help",
            b"\"help\"",
            br#"["help"]"#,
            br#"{"message":7}"#,
            br#"{"message":null}"#,
            br#"{"message":"help","more":1}"#,
            br#"{"message":"help","message":"help"}"#,
            br#"{"message":"help"}{}"#,
            br#"{"message":"help"},"#,
            b"{\"message\":\"\xff\"}",
            b"\xef\xbb\xbf{\"message\":\"help\"}",
        ];
        for body in bodies {
            assert_eq!(refused(body, &[JSON]), Some(ProblemCode::InvalidRequest), "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_body_must_be_declared_as_json_in_utf_8() {
        for declared in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json ; v=1",
            "application/json;",
        ] {
            assert_eq!(refused(GOOD, &[("content-type", declared)]), None, "{declared}");
        }
        for declared in [
            "",
            "text/plain",
            "application/json5",
            "application/problem+json",
            "application/jsonp; application/json",
            "application/json; charset=utf-16",
            "application/json; charset=iso-8859-1",
            "application/json, text/plain",
            "application/x-www-form-urlencoded",
        ] {
            assert_eq!(refused(GOOD, &[("content-type", declared)]), Some(ProblemCode::InvalidRequest), "{declared}");
        }
        assert_eq!(refused(GOOD, &[]), Some(ProblemCode::InvalidRequest));
        assert_eq!(refused(GOOD, &[JSON, JSON]), Some(ProblemCode::InvalidRequest));
    }

    #[test]
    fn a_body_of_16_kb_is_parsed_and_one_byte_more_is_too_large() {
        let of_length = |length: usize| format!("{{\"message\":\"{}\"}}", "x".repeat(length - 14));
        assert_eq!(refused(of_length(LARGEST_BODY), &[JSON]), None);
        let large = of_length(LARGEST_BODY + 1);
        assert_eq!(refused(large.clone(), &[JSON]), Some(ProblemCode::PayloadTooLarge));
        assert_eq!(refused(large.clone(), &[]), Some(ProblemCode::PayloadTooLarge));
        assert_eq!(
            no_body(&request(large, &[JSON])).err().map(|problem| problem.code()),
            Some(ProblemCode::PayloadTooLarge)
        );
    }

    #[test]
    fn an_empty_object_is_accepted_as_no_body() {
        assert!(no_body(&request(Body::Empty, &[])).is_ok());
        assert!(no_body(&request("", &[JSON])).is_ok());
        assert!(no_body(&request("{}", &[JSON])).is_ok());
        for (body, headers) in [("{}", &[][..]), ("[]", &[JSON]), (GOOD, &[JSON]), ("null", &[JSON]), (" ", &[JSON])] {
            let code = no_body(&request(body, headers)).err().map(|problem| problem.code());
            assert_eq!(code, Some(ProblemCode::InvalidRequest), "{body}");
        }
    }

    #[test]
    fn an_idempotency_key_has_1_to_64_visible_characters() {
        let key = |headers: &[(&str, &str)]| {
            idempotency_key(&request(Body::Empty, headers)).map_err(|problem| problem.code())
        };
        assert_eq!(key(&[]), Ok(None));
        for good in ["k", "!~", &"k".repeat(64)] {
            assert_eq!(key(&[("Idempotency-Key", good)]), Ok(Some(good.to_owned())));
        }
        for bad in ["", " ", "a b", "a\tb", "\u{e4}", &"k".repeat(65)] {
            assert_eq!(key(&[("idempotency-key", bad)]), Err(ProblemCode::InvalidRequest), "{bad:?}");
        }
        assert_eq!(key(&[("idempotency-key", "a"), ("idempotency-key", "a")]), Err(ProblemCode::InvalidRequest));
    }

    #[test]
    fn parameters_are_found_by_name() {
        let parameters = |name: &str| HashMap::from([(name.to_owned(), vec!["sub-1".to_owned(), "sub-2".to_owned()])]);
        let request = request(Body::Empty, &[])
            .with_path_parameters(parameters("subscription_id"))
            .with_query_string_parameters(parameters("cursor"));
        assert_eq!(path_parameter(&request, "subscription_id").as_deref(), Some("sub-1"));
        assert_eq!(path_parameter(&request, "cursor"), None);
        assert_eq!(query_parameter(&request, "cursor").as_deref(), Some("sub-1"));
        assert_eq!(query_parameter(&request, "subscription_id"), None);
    }
}
