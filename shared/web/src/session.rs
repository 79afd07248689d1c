//! The session cookie of the Administration Center.

use std::time::Duration;

use domain::SessionToken;
use lambda_http::Request;

use crate::{
    cookie,
    problem::{Problem, ProblemCode},
    reply::Reply,
    same_origin,
};

/// The name of the cookie. Its prefix makes browsers restrict it to this host, to TLS and to the path `/`.
pub const COOKIE: &str = "__Host-session";

/// Returns the session token of a request. Fails with `not-signed-in` if it has no session token, and with `forbidden` if another
/// site makes the request.
pub fn token(request: &Request, public_origin: &str) -> Result<SessionToken, Problem> {
    if same_origin::is_foreign_change(request, public_origin) {
        return Err(ProblemCode::Forbidden.into());
    }
    let cookie = cookie::one(request.headers(), COOKIE);
    let cookie = cookie.map_err(|cookie::Several| not_signed_in("there are several session cookies"))?;
    let text = cookie.ok_or_else(|| not_signed_in("there is no session cookie"))?;
    SessionToken::parse(text).ok_or_else(|| not_signed_in("the session cookie is not a session token"))
}

/// Sets the session cookie on a reply for `lifetime`.
#[must_use]
pub fn begin(reply: Reply, token: &SessionToken, lifetime: Duration) -> Reply {
    #[expect(clippy::disallowed_methods, reason = "this sets the token in the cookie")]
    with_cookie(reply, token.expose_secret(), lifetime)
}

/// Removes the session cookie from the browser.
#[must_use]
pub fn end(reply: Reply) -> Reply {
    with_cookie(reply, "", Duration::ZERO)
}

fn with_cookie(reply: Reply, value: &str, max_age: Duration) -> Reply {
    cookie::set(reply, COOKIE, value, max_age, cookie::SameSite::Strict)
}

fn not_signed_in(why: &'static str) -> Problem {
    Problem::new(ProblemCode::NotSignedIn).because(why)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the tokens that they make")]
mod tests {
    use lambda_http::Body;

    use super::*;

    const ORIGIN: &str = "https://portal.contoso.example";

    fn request(headers: &[(&str, &str)]) -> Request {
        let start = http::Request::builder().method("POST").uri("/");
        headers.iter().fold(start, |request, (name, value)| request.header(*name, *value)).body(Body::Empty).unwrap()
    }

    fn refused(headers: &[(&str, &str)]) -> Option<ProblemCode> {
        token(&request(headers), ORIGIN).err().map(|problem| problem.code())
    }

    fn a_token() -> String {
        "A".repeat(43)
    }

    #[test]
    fn the_cookie_is_set_and_read_back() {
        let session = SessionToken::parse(&a_token()).unwrap();
        let reply = begin(Reply::new(Body::Empty), &session, Duration::from_mins(1));
        let cookie = reply.headers()["set-cookie"].to_str().unwrap();
        assert_eq!(
            cookie,
            format!("__Host-session={}; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Strict", a_token())
        );
        assert!(!format!("{reply:?}").contains(&a_token()));
        let (pair, _) = cookie.split_once(';').unwrap();
        let back = token(&request(&[("cookie", &format!("other=1; {pair}"))]), ORIGIN).ok().unwrap();
        assert_eq!(back.expose_secret(), a_token());
    }

    #[test]
    fn the_end_of_a_session_clears_the_cookie() {
        let reply = end(Reply::new(Body::Empty));
        let cookie = reply.headers()["set-cookie"].to_str().unwrap();
        assert_eq!(cookie, "__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict");
    }

    #[test]
    fn a_request_without_a_session_is_not_signed_in() {
        let cookie = format!("__Host-session={}", a_token());
        for cookies in [
            String::new(),
            "__Host-session=".to_owned(),
            format!("session={}", a_token()),
            format!("{cookie}A"),
            format!("{cookie}; {cookie}"),
        ] {
            assert_eq!(refused(&[("cookie", &cookies)]), Some(ProblemCode::NotSignedIn), "{cookies}");
        }
        assert_eq!(refused(&[("authorization", &format!("Bearer {}", a_token()))]), Some(ProblemCode::NotSignedIn));
    }

    #[test]
    fn another_site_cannot_use_the_session() {
        let cookie = format!("__Host-session={}", a_token());
        for (name, value) in
            [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://e")]
        {
            assert_eq!(refused(&[("cookie", &cookie), (name, value)]), Some(ProblemCode::Forbidden), "{value}");
        }
        for (name, value) in [("sec-fetch-site", "same-origin"), ("origin", ORIGIN)] {
            assert_eq!(refused(&[("cookie", &cookie), (name, value)]), None, "{value}");
        }
    }
}
