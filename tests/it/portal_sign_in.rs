//! The sign-in of customers at their identity provider.

use std::collections::VecDeque;

use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::json;
use support::{Answer, Call, Deployment, TestStack, event};
use words::{Language, Words};

/// A sign-in that has begun: the browser was redirected to the provider.
pub(crate) struct PendingSignIn {
    /// The address at the provider.
    pub(crate) address: String,
    /// The name of the cookie that ties the provider's response to this browser.
    pub(crate) cookie_name: String,
    /// The value of that cookie.
    pub(crate) cookie: String,
}

impl PendingSignIn {
    /// Starts a sign-in at the portal, with a query.
    pub(crate) async fn start(stack: &TestStack, query: &str) -> Self {
        Self::read(&stack.call("portal", Call::get("/auth/sign-in").query(query)).await)
    }

    /// Reads an answer that redirects the browser to the provider.
    pub(crate) fn read(answer: &Answer) -> Self {
        assert_eq!(answer.status, 303, "{answer:?}");
        let set = answer.cookies.iter().find(|cookie| cookie.contains("Max-Age=600;")).unwrap();
        let (name, cookie) = set.split_once('=').unwrap();
        assert!(cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax"));
        let begun = Self {
            address: answer.headers["location"].clone(),
            cookie_name: name.to_owned(),
            cookie: cookie.split(';').next().unwrap().to_owned(),
        };
        assert_eq!(name, format!("__Host-sign-in.{}", &begun.parameter("state")[..8]));
        begun
    }

    /// Returns the call with which the browser returns to the portal, with the cookie of this sign-in.
    pub(crate) fn callback(&self, query: &str) -> Call {
        Call::get("/auth/callback").cookie(&self.cookie_name, &self.cookie).query(query)
    }

    /// Returns a query parameter of the address at the provider.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        let query = self.address.split_once('?').unwrap().1;
        query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap_or_default()
    }

    /// Signs in at the provider, and returns the query with which the browser returns to the portal.
    pub(crate) async fn authenticate(&self, email: &str) -> String {
        let (address, query) = self.address.split_once('?').unwrap();
        let form = format!("{query}&email={}", email.replace('@', "%40"));
        let request =
            lambda_http::http::Request::post(address).header("content-type", "application/x-www-form-urlencoded");
        let client: Client<_, Full<VecDeque<u8>>> = Client::builder(TokioExecutor::new()).build_http();
        let answer = client.request(request.body(Full::new(form.into_bytes().into())).unwrap()).await.unwrap();
        let (answer, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let location = answer.headers.get("location").unwrap_or_else(|| panic!("{body:?}")).to_str().unwrap();
        let query = location.strip_prefix("http://localhost:9000/auth/callback?").unwrap();
        query.to_owned()
    }
}

/// Returns to the portal from the provider, with the cookie of the sign-in and the query.
pub(crate) async fn call_back(stack: &TestStack, sign_in: &PendingSignIn, query: &str) -> Answer {
    stack.call("portal", sign_in.callback(query)).await
}

/// Returns the cookies that the answer sets and does not delete.
pub(crate) fn cookies(answer: &Answer) -> Vec<(String, String)> {
    let set = answer.cookies.iter().filter(|cookie| !cookie.contains("Max-Age=0;"));
    let pairs = set.map(|cookie| cookie.split(';').next().unwrap().split_once('=').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Asserts that the sign-in failed for this reason.
pub(crate) fn assert_refused(answer: &Answer, why: &str) {
    assert!((400..=503).contains(&answer.status), "{answer:?}");
    assert!(answer.body.as_str().unwrap().contains(&why.replace('\'', "&#39;")), "{answer:?}");
    assert!(cookies(answer).is_empty(), "the browser has no session");
}

fn words() -> &'static Words {
    Language::English.words()
}

#[tokio::test]
async fn a_customer_signs_in_at_their_provider_and_returns_to_the_same_page() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let sign_in = PendingSignIn::start(&stack, "return=%2F%3Fcursor%3Dc3ViLTA").await;
    assert!(sign_in.address.starts_with(&format!("{}/authorize?", stack.provider.issuer())));
    for (name, value) in [
        ("response_type", "code"),
        ("scope", "openid+email"),
        ("code_challenge_method", "S256"),
        ("redirect_uri", "http%3A%2F%2Flocalhost%3A9000%2Fauth%2Fcallback"),
        ("prompt", ""),
    ] {
        assert_eq!(sign_in.parameter(name), value, "{name}");
    }
    for secret in ["state", "nonce", "code_challenge"] {
        assert_eq!(sign_in.parameter(secret).len(), 43, "{secret}");
    }
    let answer = call_back(&stack, &sign_in, &sign_in.authenticate("dana@fabrikam.example").await).await;
    assert_eq!((answer.status, answer.headers["location"].as_str()), (303, "/?cursor=c3ViLTA"));
    let cookies = cookies(&answer);
    assert_eq!(cookies.len(), 1);
    let (name, token) = &cookies[0];
    assert_eq!(name, "__Host-customer");
    let cleared = format!("{}=; ", sign_in.cookie_name);
    assert!(answer.cookies.iter().any(|cookie| cookie.starts_with(&cleared)), "it is cleared");
    let given = answer.cookies.iter().find(|cookie| cookie.starts_with("__Host-customer=e")).unwrap();
    assert!(given.ends_with("; HttpOnly; Secure; SameSite=Lax"));

    let page = stack.call("portal", Call::get("/").cookie(name, token)).await;
    assert!(page.body.as_str().unwrap().contains("Contoso Online Suite"));
    let retrieved = stack.call(
        "get-credentials",
        Call::get_credentials("sub-1").cookie(name, token).header("sec-fetch-site", "same-origin"),
    );
    assert!(retrieved.await.password().is_some(), "the other functions take the same cookie");
}

#[tokio::test]
async fn the_provider_offers_another_account_on_request() {
    let stack = TestStack::start().await;
    assert_eq!(PendingSignIn::start(&stack, "return=%2F&account=other").await.parameter("prompt"), "select_account");
}

#[tokio::test]
async fn two_sign_ins_have_nothing_in_common() {
    let stack = TestStack::start().await;
    let (one, two) = (PendingSignIn::start(&stack, "").await, PendingSignIn::start(&stack, "").await);
    for secret in ["state", "nonce", "code_challenge"] {
        assert_ne!(one.parameter(secret), two.parameter(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_response_to_another_browsers_sign_in_is_refused() {
    let stack = TestStack::start().await;
    let (mine, other) = (PendingSignIn::start(&stack, "").await, PendingSignIn::start(&stack, "").await);
    let query = other.authenticate("mallory@elsewhere.example").await;
    assert_refused(&call_back(&stack, &mine, &query).await, words().sign_in_stale);
    let renamed = PendingSignIn { cookie_name: other.cookie_name.clone(), ..mine };
    assert_refused(&call_back(&stack, &renamed, &query).await, words().sign_in_stale);
    let mine = PendingSignIn::start(&stack, "").await;
    let empty = PendingSignIn { cookie: String::new(), cookie_name: other.cookie_name.clone(), address: String::new() };
    assert_refused(&call_back(&stack, &empty, &query).await, words().sign_in_stale);
    assert_refused(&stack.call("portal", Call::get("/auth/callback").query(&query)).await, words().sign_in_stale);
    assert_eq!(call_back(&stack, &other, &query).await.status, 303, "its code was not even tried");
    // The state of this browser with the code of another one, whose verifier differs.
    let query = PendingSignIn::start(&stack, "").await.authenticate("mallory@elsewhere.example").await;
    let code = query.split('&').find(|pair| pair.starts_with("code=")).unwrap();
    let mixed = format!("{code}&state={}", mine.parameter("state"));
    assert_refused(&call_back(&stack, &mine, &mixed).await, words().sign_in_stale);
}

#[tokio::test]
async fn a_code_works_once_and_an_answer_of_another_issuer_never() {
    let stack = TestStack::start().await;
    let sign_in = PendingSignIn::start(&stack, "").await;
    let query = sign_in.authenticate("dana@fabrikam.example").await;
    assert!(query.contains("&iss="));
    let elsewhere = query.replace("&iss=", "&iss=https%3A%2F%2Fevil.example&x=");
    assert_refused(&call_back(&stack, &sign_in, &elsewhere).await, words().sign_in_not_accepted);
    assert_eq!(call_back(&stack, &sign_in, &query).await.status, 303);
    assert_refused(&call_back(&stack, &sign_in, &query).await, words().sign_in_stale);
}

#[tokio::test]
async fn a_token_for_another_request_or_application_is_refused() {
    let stack = TestStack::start().await;
    for (claims, status, why) in [
        (json!({ "nonce": "n" }), 400, words().sign_in_not_accepted),
        (json!({ "nonce": null }), 500, words().sign_in_misconfigured),
        (json!({ "aud": "another" }), 500, words().sign_in_misconfigured),
        (json!({ "exp": 1 }), 500, words().sign_in_misconfigured),
    ] {
        stack.provider.add_claims(claims.clone());
        let sign_in = PendingSignIn::start(&stack, "").await;
        let answer = call_back(&stack, &sign_in, &sign_in.authenticate("dana@fabrikam.example").await).await;
        assert_refused(&answer, why);
        assert_eq!(answer.status, status, "{claims}");
    }
}

#[tokio::test]
async fn a_cancelled_sign_in_can_be_started_again_with_the_same_return_path() {
    let stack = TestStack::start().await;
    let sign_in = PendingSignIn::start(&stack, "return=%2Fsupport").await;
    let query = format!("error=access_denied&error_description=%3Cb%3E&state={}", sign_in.parameter("state"));
    let answer = call_back(&stack, &sign_in, &query).await;
    assert_refused(&answer, words().sign_in_cancelled);
    let page = answer.body.as_str().unwrap();
    assert!(page.contains("href=\"/auth/sign-in?return=%2Fsupport\"") && !page.contains("access_denied"));
}

#[tokio::test]
async fn the_return_path_never_leads_to_another_site() {
    let stack = TestStack::start().await;
    for back in [
        "https%3A%2F%2Fevil.example",
        "%2F%2Fevil.example",
        "%2F%5Cevil.example",
        "%2Fauth%2Fsign-in",
        "%2F%0D%0AX%3A",
        "",
    ] {
        let sign_in = PendingSignIn::start(&stack, &format!("return={back}")).await;
        let answer = call_back(&stack, &sign_in, &sign_in.authenticate("dana@fabrikam.example").await).await;
        assert_eq!(answer.headers["location"], "/", "{back}");
    }
}

#[tokio::test]
async fn a_token_below_6_kb_is_stored_and_a_larger_one_is_refused() {
    let stack = TestStack::start().await;
    for (size, cookie_count) in [(5_700, 2), (6_900, 0), (14_000, 0)] {
        stack.provider.add_claims(json!({ "groups": "x".repeat(size * 3 / 4 - 600) }));
        let sign_in = PendingSignIn::start(&stack, "").await;
        let answer = call_back(&stack, &sign_in, &sign_in.authenticate("dana@fabrikam.example").await).await;
        assert_eq!(cookies(&answer).len(), cookie_count, "{size}");
        if cookie_count == 0 {
            assert_eq!(answer.status, 431);
            assert_refused(&answer, words().sign_in_too_large);
        }
    }
}

#[tokio::test]
async fn while_the_provider_is_unavailable_the_page_says_so() {
    let stack = Deployment::default().with("OIDC_ISSUER", "http://127.0.0.1:9").start().await;
    let answer = stack.call("portal", Call::get("/auth/sign-in")).await;
    assert_eq!(answer.status, 503);
    assert_refused(&answer, words().provider_unavailable);
}

#[tokio::test]
async fn signing_out_forgets_the_token_and_offers_to_sign_out_at_the_provider() {
    let stack = TestStack::start().await;
    let sign_out = || Call::post("/auth/sign-out").cookie("__Host-customer", "x");
    let answer = stack.call("portal", sign_out().header("sec-fetch-site", "same-origin")).await;
    assert_eq!((answer.status, answer.headers["location"].as_str()), (303, "/auth/signed-out"));
    assert_eq!(answer.cookies.len(), 3);
    assert!(cookies(&answer).is_empty());
    let page = stack.call("portal", Call::get("/auth/signed-out")).await;
    let page = page.body.as_str().unwrap();
    let back = "http%3A%2F%2Flocalhost%3A9000%2F";
    let there = format!(
        "{}/sign-out?client_id=firstkey&#38;post_logout_redirect_uri={back}&#38;logout_uri={back}",
        stack.provider.issuer()
    );
    assert!(page.contains(&there), "{page}");

    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("origin", "null")] {
        let answer = stack.call("portal", sign_out().header(name, value)).await;
        assert_eq!((answer.status, answer.problem(), answer.cookies.len()), (403, Some("forbidden"), 0), "{value}");
    }
    assert_eq!(stack.call("portal", Call::get("/auth/sign-out")).await.status, 404, "a link does not sign out");
}
