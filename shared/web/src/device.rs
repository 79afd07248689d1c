//! The device cookie of the Administration Center, by which an account knows a browser again. It says which budget an attempt to sign in
//! spends, and grants nothing.

use domain::{DeviceToken, device};
use lambda_http::Request;

use crate::{cookie, reply::Reply};

/// The name of the cookie. Its prefix makes browsers restrict it to this host, to TLS and to the path `/`.
pub const COOKIE: &str = "__Host-device";

/// Returns the device token of a request. Text that cannot be a token counts as none.
#[must_use]
pub fn token(request: &Request) -> Option<DeviceToken> {
    cookie::get(request.headers(), COOKIE).and_then(DeviceToken::parse)
}

/// Sets the device cookie on a reply.
#[must_use]
pub fn remember(reply: Reply, token: &DeviceToken) -> Reply {
    #[expect(clippy::disallowed_methods, reason = "this sets the token in the cookie")]
    let value = token.expose_secret();
    cookie::set(reply, COOKIE, value, device::REMEMBERED, cookie::SameSite::Strict)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at the tokens that they make")]
mod tests {
    use lambda_http::Body;

    use super::*;

    fn request(cookies: &str) -> Request {
        http::Request::builder().header("cookie", cookies).body(Body::Empty).unwrap()
    }

    #[test]
    fn the_cookie_is_set_for_400_days_and_read_back() {
        let text = "B".repeat(43);
        let reply = remember(Reply::new(Body::Empty), &DeviceToken::parse(&text).unwrap());
        let cookie = reply.headers()["set-cookie"].to_str().unwrap();
        assert_eq!(
            cookie,
            format!("__Host-device={text}; Path=/; Max-Age=34560000; HttpOnly; Secure; SameSite=Strict")
        );
        assert!(!format!("{reply:?}").contains(&text));
        let (pair, _) = cookie.split_once(';').unwrap();
        assert_eq!(token(&request(&format!("other=1; {pair}"))).unwrap().expose_secret(), text);
    }

    #[test]
    fn what_cannot_be_a_token_is_no_device() {
        let good = format!("__Host-device={}", "B".repeat(43));
        let bad = [
            String::new(),
            "__Host-device=".into(),
            good.replace("__Host-", ""),
            format!("{good}B"),
            format!("{good}; {good}"),
        ];
        for cookies in bad {
            assert!(token(&request(&cookies)).is_none(), "{cookies}");
        }
    }
}
