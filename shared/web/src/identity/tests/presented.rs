use std::time::Duration;

use lambda_http::Body;
use serde_json::json;

use super::{NOW, ORIGIN, RSA, at, claims, code, request, verifier};
use crate::{
    identity::{Deadline, Site, TooLarge, clear_hint, clear_token, fits, hint, keep_hint, set_token},
    problem::ProblemCode::{Forbidden, Internal, NotSignedIn},
    reply::Reply,
};

fn token() -> String {
    RSA.token("rsa", &claims(json!({})))
}

async fn outcome(method: &str, headers: &[(&str, &str)]) -> Option<crate::ProblemCode> {
    code(verifier().caller(&request(method, headers), at(NOW)).await)
}

#[tokio::test]
async fn a_token_comes_as_bearer_or_in_the_cookie() {
    let token = token();
    let cookie = format!("theme=dark; __Host-customer={token}; __Host-session=x");
    for header in
        [("authorization", format!("Bearer {token}")), ("authorization", format!("bEARER {token}")), ("cookie", cookie)]
    {
        assert_eq!(outcome("GET", &[(header.0, &header.1)]).await, None, "{}", header.0);
    }
    assert_eq!(outcome("GET", &[]).await, Some(NotSignedIn));
    assert_eq!(outcome("GET", &[("cookie", &format!("customer={token}"))]).await, Some(NotSignedIn));
}

#[tokio::test]
async fn an_authorization_header_takes_precedence_even_if_invalid() {
    let (bearer, cookie) = (format!("Bearer {}", token()), format!("__Host-customer={}", token()));
    assert_eq!(outcome("GET", &[("authorization", &bearer), ("cookie", "__Host-customer=x")]).await, None);
    for other in ["Bearer x", "Bearer", "Bearer ", "Basic ZGFuYTp4", "", &token(), &format!("{bearer},{bearer}")] {
        assert_eq!(
            outcome("GET", &[("authorization", other), ("cookie", &cookie)]).await,
            Some(NotSignedIn),
            "{other}"
        );
    }
    assert_eq!(outcome("GET", &[("authorization", &bearer), ("authorization", &bearer)]).await, Some(NotSignedIn));
}

#[tokio::test]
async fn a_token_of_6_kb_is_read_from_two_cookies() {
    let token = RSA.token("rsa", &claims(json!({ "picture": "x".repeat(4200) })));
    assert!(token.len() > 6000, "{}", token.len());
    let (first, second) = token.split_at(3800);
    let both = format!("__Host-customer.2={second}; __Host-customer.1={first}");
    assert_eq!(outcome("GET", &[("cookie", &both)]).await, None);
    let (one, two) = (format!("__Host-customer.1={first}"), format!("__Host-customer.2={second}"));
    assert_eq!(outcome("GET", &[("cookie", &one), ("cookie", &two)]).await, None);
    for half in [one, two] {
        assert_eq!(outcome("GET", &[("cookie", &half)]).await, Some(NotSignedIn));
    }
}

#[tokio::test]
async fn several_cookies_of_one_name_are_refused() {
    let cookie = format!("__Host-customer={}", token());
    assert_eq!(outcome("GET", &[("cookie", &format!("{cookie}; {cookie}"))]).await, Some(NotSignedIn));
    assert_eq!(outcome("GET", &[("cookie", &cookie), ("cookie", &cookie)]).await, Some(NotSignedIn));
}

#[tokio::test]
async fn another_site_cannot_change_anything_with_the_cookie() {
    let cookie = format!("__Host-customer={}", token());
    let matrix: [(&[(&str, &str)], bool); 13] = [
        (&[], true),
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "none")], true),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("sec-fetch-site", "")], false),
        (&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], false),
        (&[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")], true),
        (&[("sec-fetch-site", "cross-site"), ("origin", ORIGIN)], false),
        (&[("origin", ORIGIN)], true),
        (&[("origin", "https://evil.example"), ("host", "evil.example")], false),
        (&[("origin", "null")], false),
        (&[("origin", ORIGIN), ("origin", "https://evil.example")], false),
    ];
    for (headers, allowed) in matrix {
        let with_cookie = [headers, &[("cookie", cookie.as_str())]].concat();
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            assert_eq!(outcome(method, &with_cookie).await, (!allowed).then_some(Forbidden), "{method} {headers:?}");
        }
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert_eq!(outcome(method, &with_cookie).await, None, "{method} {headers:?}");
        }
        let bearer = format!("Bearer {}", token());
        let with_bearer = [headers, &[("authorization", bearer.as_str())]].concat();
        assert_eq!(outcome("POST", &with_bearer).await, None, "bearer {headers:?}");
        let expected = if allowed { NotSignedIn } else { Forbidden };
        assert_eq!(outcome("POST", headers).await, Some(expected), "no token {headers:?}");
    }
    let invalid = [("sec-fetch-site", "cross-site"), ("authorization", "Basic x"), ("cookie", &cookie)];
    assert_eq!(outcome("POST", &invalid).await, Some(NotSignedIn));
}

#[tokio::test]
async fn no_part_of_a_token_is_in_a_problem() {
    let token = RSA.token("rsa", &claims(json!({ "aud": "other", "sub": "canary", "email": "dana@canary.example" })));
    let request = request("GET", &[("authorization", &format!("Bearer {token}"))]);
    let problem = verifier().caller(&request, at(NOW)).await.err().unwrap();
    let shown = format!("{problem} {problem:?} {:?} {:?}", problem.cause(), problem.reply("id"));
    for part in token.split('.').chain(["canary"]) {
        assert!(!shown.contains(part), "{part}");
    }
}

/// Returns the cookie header that a browser sends after this reply.
fn jar(reply: &crate::Reply) -> String {
    let cookies = reply.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
    let kept = cookies.filter(|cookie| !cookie.contains("Max-Age=0;"));
    kept.map(|cookie| cookie.split_once(';').unwrap().0).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn a_token_that_is_set_in_a_browser_is_read_back_whole() {
    for (padding, cookies) in [(0, 1), (3500, 2)] {
        let token = RSA.token("rsa", &claims(json!({ "picture": "x".repeat(padding) })));
        let reply = set_token(Site::Portal, Reply::new(Body::Empty), &token, Duration::from_mins(1)).unwrap();
        let jar = jar(&reply);
        assert_eq!(jar.split("; ").count(), cookies);
        assert_eq!(outcome("GET", &[("cookie", &jar)]).await, None);
        let set: Vec<_> = reply.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
        assert_eq!(set.len(), 3, "what an earlier token has left is forgotten");
        for cookie in set {
            assert!(cookie.ends_with("; HttpOnly; Secure; SameSite=Lax") && cookie.contains("; Path=/; Max-Age="));
            assert!(cookie.len() < 4096);
        }
        assert!(!format!("{reply:?}").contains(&token));
        assert_eq!(self::jar(&clear_token(Site::Portal, Reply::new(Body::Empty))), "");
    }
}

#[test]
fn a_token_has_at_most_two_cookies() {
    let keep = |length| set_token(Site::Portal, Reply::new(Body::Empty), &"x".repeat(length), Duration::from_mins(1));
    assert_eq!(jar(&keep(3800).unwrap()).split("; ").count(), 1);
    assert_eq!(jar(&keep(3801).unwrap()).split("; ").count(), 2);
    assert_eq!(jar(&keep(6000).unwrap()).split("; ").count(), 2);
    assert_eq!(keep(6001).err(), Some(TooLarge));
}

#[test]
fn a_token_fits_beside_the_other_headers_of_its_browser_and_in_place_of_an_earlier_token() {
    let fits = |token: usize, cookies: &str| {
        fits(
            Site::Portal,
            &"x".repeat(token),
            request("GET", &[("user-agent", &"u".repeat(200)), ("cookie", cookies)]).headers(),
        )
    };
    let foreign = |length: usize| format!("f={}", "x".repeat(length));
    assert!(fits(6000, "") && !fits(6001, ""));
    assert!(fits(6000, &foreign(2700)) && !fits(6000, &foreign(2800)));
    assert!(fits(4000, &foreign(4700)) && !fits(4000, &foreign(4800)));
    assert!(!fits(6000, &format!("{}; Zürich", foreign(2780))), "bytes that are no cookie count as well");
    for ours in ["__Host-customer", "__Host-customer.1", "__Host-signed-out", "__Host-signed-out.2"] {
        assert!(fits(6000, &format!("{}; {ours}={}", foreign(2500), "x".repeat(3800))), "{ours} is replaced");
    }
    assert!(!fits(6000, &format!("__Host-customer-of-others={}", "x".repeat(2800))));
}

#[test]
fn the_token_of_an_ended_session_is_a_hint_and_no_session() {
    let session =
        jar(&set_token(Site::Portal, Reply::new(Body::Empty), &"x".repeat(5000), Duration::from_mins(1)).unwrap());
    let ended = request("POST", &[("cookie", &session)]);
    let kept = jar(&keep_hint(Site::Portal, Reply::new(Body::Empty), ended.headers()));
    let after = request("GET", &[("cookie", &kept)]);
    assert_eq!(hint(Site::Portal, after.headers()).as_deref(), Some(&*"x".repeat(5000)));
    assert!(!kept.contains("__Host-customer") && hint(Site::Portal, ended.headers()).is_none());
    let cleared = clear_hint(Site::Portal, Reply::new(Body::Empty), after.headers());
    assert_eq!(cleared.headers().get_all("set-cookie").iter().count(), 3);
    let untouched = clear_hint(Site::Portal, Reply::new(Body::Empty), ended.headers());
    assert!(untouched.headers().is_empty(), "a browser without a hint has nothing to clear");
}

#[tokio::test]
async fn a_token_must_have_the_nonce_of_its_request() {
    let outcome = async |token: &str| {
        code(
            verifier().customer_for_nonce(token, "n", Deadline::start(), at(NOW)).await.map(|customer| customer.caller),
        )
    };
    for (nonce, refused) in [
        (json!("n"), None),
        (json!("m"), Some(NotSignedIn)),
        (json!(""), Some(NotSignedIn)),
        (json!(["n"]), Some(NotSignedIn)),
    ] {
        let token = RSA.token("rsa", &claims(json!({ "nonce": nonce })));
        assert_eq!(outcome(&token).await, refused, "{nonce}");
    }
    assert_eq!(outcome(&token()).await, Some(Internal), "without a nonce, the provider is not set up right");
}

#[tokio::test]
async fn a_token_from_the_provider_that_is_refused_is_an_error_of_the_deployment() {
    for wrong in [json!({ "aud": "another" }), json!({ "iat": NOW + 120 }), json!({ "exp": NOW }), json!({ "sub": 7 })]
    {
        let mut with_nonce = claims(wrong.clone());
        with_nonce["nonce"] = "n".into();
        let arrived =
            verifier().customer_for_nonce(&RSA.token("rsa", &with_nonce), "n", Deadline::start(), at(NOW)).await;
        assert_eq!(code(arrived.map(|customer| customer.caller)), Some(Internal), "{wrong}");
    }
}

#[tokio::test]
async fn an_untrusted_address_is_shown_to_its_owner() {
    let customer = |verified| async move {
        let token = RSA.token("rsa", &claims(json!({ "email_verified": verified })));
        let request = request("GET", &[("authorization", &format!("Bearer {token}"))]);
        verifier().customer(&request, at(NOW)).await.ok().unwrap()
    };
    let unconfirmed = customer(false).await.unconfirmed_address.map(|address| address.to_string());
    assert_eq!(unconfirmed.as_deref(), Some("dana@fabrikam.example"));
    let confirmed = customer(true).await;
    assert!(confirmed.unconfirmed_address.is_none());
    assert_eq!(confirmed.expires_at, at(NOW + 3600));
}
