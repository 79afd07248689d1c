//! The sign-in of customers at providers as public reports describe them, each with one oddity of its endpoints, and in browsers that hold
//! more than our cookies.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use provider::{Algorithm, Oddities, TokenAnswer, TokenOddities};
use serde_json::{Value, json};
use support::{Answer, Call, Deployment, Function, Route, TestStack, contract::document, event};
use words::{Language, Words};

use crate::{
    no_leaks::log,
    portal_sign_in::{PendingSignIn, assert_refused, call_back, cookies},
};

const DANA: &str = "dana@fabrikam.example";

/// A browser, as far as its cookies go.
#[derive(Default)]
struct Browser(BTreeMap<String, String>);

impl Browser {
    /// Opens an address of the portal, and stores the cookies of the answer.
    async fn open(&mut self, stack: &TestStack, path: &str, query: &str) -> Answer {
        self.call(stack, Call::get(path).query(query).header("accept", "text/html,*/*;q=0.8")).await
    }

    async fn call(&mut self, stack: &TestStack, call: Call) -> Answer {
        let call = self.0.iter().fold(call, |call, (name, value)| call.cookie(name, value));
        let answer = stack.call("portal", call).await;
        for cookie in &answer.cookies {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0;") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Begins a sign-in, and signs in at the provider. Returns the query with which the browser returns to the portal.
    async fn authenticated(&mut self, stack: &TestStack, query: &str) -> String {
        PendingSignIn::read(&self.open(stack, "/auth/sign-in", query).await).authenticate(DANA).await
    }

    /// Signs in from the beginning to the end.
    async fn sign_in(&mut self, stack: &TestStack) -> Answer {
        let query = self.authenticated(stack, "").await;
        self.open(stack, "/auth/callback", &query).await
    }

    fn sign_ins(&self) -> Vec<&String> {
        self.0.keys().filter(|name| name.starts_with("__Host-sign-in.")).collect()
    }
}

fn words() -> &'static Words {
    Language::English.words()
}

fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{answer:?}");
    &answer.headers["location"]
}

/// Returns the page of an answer, as text without the entities of an apostrophe.
fn page(answer: &Answer) -> String {
    assert!(answer.headers["content-type"].starts_with("text/html"), "{answer:?}");
    answer.body.as_str().unwrap().replace("&#39;", "'").replace("&#38;", "&")
}

/// Returns the lines of the log so far.
fn lines() -> Vec<Value> {
    let log = String::from_utf8(log().lock().unwrap().clone()).unwrap();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns how many lines of the log have this level and cause.
pub(crate) fn logged(level: &str, cause: &str) -> usize {
    let of_it = |line: &&Value| line["level"] == level && line["cause"].as_str().is_some_and(|it| it.contains(cause));
    lines().iter().filter(of_it).count()
}

/// Returns how often a metric was counted.
pub(crate) fn counted(metric: &str) -> usize {
    lines().iter().filter(|line| line[metric] == 1).count()
}

/// Signs in at a provider with these oddities.
pub(crate) async fn sign_in_with(stack: &TestStack, oddities: Oddities) -> Answer {
    stack.provider.set_oddities(oddities);
    let sign_in = PendingSignIn::start(stack, "").await;
    call_back(stack, &sign_in, &sign_in.authenticate(DANA).await).await
}

pub(crate) fn token_answer(status: u16, media_type: &'static str, body: &str) -> Oddities {
    let answer = TokenAnswer { status, media_type, body: body.to_owned() };
    Oddities { token_answer: Some(answer), ..Oddities::default() }
}

fn discovery(fields: Value) -> Oddities {
    Oddities { discovery: fields, ..Oddities::default() }
}

#[tokio::test]
async fn two_tabs_of_one_browser_both_arrive() {
    let stack = TestStack::start().await;
    let mut browser = Browser::default();
    let first = browser.authenticated(&stack, "return=%2Fsupport").await;
    let second = browser.authenticated(&stack, "return=%2Fhelp").await;
    assert_eq!(browser.sign_ins().len(), 2);
    assert_eq!(location(&browser.open(&stack, "/auth/callback", &first).await), "/support");
    assert_eq!(location(&browser.open(&stack, "/auth/callback", &second).await), "/help");
    assert!(browser.sign_ins().is_empty(), "each callback has cleared its own");
}

#[tokio::test]
async fn a_fourth_sign_in_takes_the_place_of_the_oldest() {
    let stack = TestStack::start().await;
    let (mut browser, mut queries) = (Browser::default(), Vec::new());
    // A cookie that is not readable goes before any sign-in.
    browser.0.insert("__Host-sign-in.zzzzzzzz".to_owned(), "x".to_owned());
    for _ in 0..4 {
        stack.advance_clock(1);
        queries.push(browser.authenticated(&stack, "").await);
        assert!(browser.sign_ins().len() <= 3, "{:?}", browser.sign_ins());
    }
    let oldest = browser.open(&stack, "/auth/callback", &queries[0]).await;
    assert_refused(&oldest, words().sign_in_stale);
    assert_eq!(browser.sign_ins().len(), 3, "a callback whose state no cookie has clears none");
    for query in &queries[1..] {
        assert_eq!(location(&browser.open(&stack, "/auth/callback", query).await), "/");
    }
}

#[tokio::test]
async fn a_cookie_of_a_sign_in_is_small_and_a_long_return_path_is_the_start_page() {
    let stack = TestStack::start().await;
    for (length, back) in [(80, format!("/{}", "x".repeat(79))), (400, "/".to_owned())] {
        let mut browser = Browser::default();
        let query = browser.authenticated(&stack, &format!("return=%2F{}", "x".repeat(length - 1))).await;
        let (name, value) = browser.0.iter().next().unwrap();
        assert!(name.len() + 1 + value.len() <= 300, "{name}={value}");
        assert_eq!(location(&browser.open(&stack, "/auth/callback", &query).await), back);
    }
}

#[tokio::test]
async fn a_sign_in_that_took_longer_than_ten_minutes_is_refused() {
    let stack = TestStack::start().await;
    let mut browser = Browser::default();
    let query = browser.authenticated(&stack, "").await;
    stack.advance_clock(600);
    assert_refused(&browser.open(&stack, "/auth/callback", &query).await, words().sign_in_stale);
}

#[tokio::test]
async fn an_old_callback_address_leads_a_signed_in_customer_to_the_start_page() {
    let stack = TestStack::start().await;
    let mut browser = Browser::default();
    let query = browser.authenticated(&stack, "").await;
    assert_eq!(location(&browser.open(&stack, "/auth/callback", &query).await), "/");
    let again = browser.open(&stack, "/auth/callback", &query).await;
    assert_eq!((location(&again), again.cookies.len()), ("/", 0));
    assert_eq!(location(&browser.open(&stack, "/auth/callback", "").await), "/");
    browser.0.insert("__Host-customer".to_owned(), "no-token".to_owned());
    assert_refused(&browser.open(&stack, "/auth/callback", &query).await, words().sign_in_stale);
}

#[tokio::test]
async fn foreign_cookies_with_any_bytes_leave_ours_visible() {
    let stack = TestStack::start().await;
    let administrator = stack.service_administrator("sub-1", "admin@fabrikam", "seven green boats at noon").await;
    for foreign in ["Zürich", "\u{1}", "a\u{7f}b", "\u{0}", "a\tb", "東京; x=\u{1b}[0m", "\u{fffd}"] {
        let mut browser = Browser::default();
        browser.0.insert("city".to_owned(), foreign.to_owned());
        assert_eq!(location(&browser.sign_in(&stack).await), "/", "{foreign:?}");
        let list = page(&browser.open(&stack, "/", "").await);
        assert!(list.contains("Contoso Online Suite"), "{foreign:?}");
        let home = Call::get("/administration").cookie("city", foreign).session(&administrator);
        assert_eq!(location(&stack.call("portal", home).await), "/administration/create", "{foreign:?}");
    }
}

/// The event of a request whose cookies came as one header instead of the list of the gateway.
#[tokio::test]
async fn foreign_cookies_in_one_header_leave_ours_visible() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let header = format!("city=Zürich; __Host-customer={}; b=c", stack.token(DANA));
    let answer = stack.call("portal", Call::get("/").header("cookie", &header)).await;
    assert!(page(&answer).contains("Contoso Online Suite"));
}

#[tokio::test]
async fn the_address_is_asked_for_in_the_id_token_where_the_provider_can_be_asked() {
    for (supported, shown) in [(json!(true), true), (json!(false), false), (json!("yes"), false)] {
        let stack = TestStack::start().await;
        stack.start_subscription(event("sub-1", "trial")).await;
        stack.provider.set_oddities(Oddities {
            address_on_request: true,
            ..discovery(json!({ "claims_parameter_supported": supported }))
        });
        let mut browser = Browser::default();
        assert_eq!(location(&browser.sign_in(&stack).await), "/");
        let list = page(&browser.open(&stack, "/", "").await);
        assert_eq!(list.contains("Contoso Online Suite"), shown, "{supported}");
        assert_eq!(list.contains(words().no_address_title), !shown, "{supported}");
    }
}

#[tokio::test]
async fn a_page_says_that_there_is_no_address_and_the_log_names_the_remedy_once() {
    log();
    let stack = TestStack::start().await;
    for email in [json!(null), json!([DANA]), json!(""), json!(7), json!("dana")] {
        stack.provider.add_claims(json!({ "email": email, "sub": "8f3c2a-subject" }));
        let mut browser = Browser::default();
        assert_eq!(location(&browser.sign_in(&stack).await), "/");
        let list = page(&browser.open(&stack, "/", "").await);
        assert!(list.contains(words().no_address_title) && list.contains(words().no_address_lead), "{email}: {list}");
        assert!(!list.contains("8f3c2a"), "a subject means nothing to its owner");
    }
    let remedies =
        lines().iter().filter(|line| line["remedy"].as_str().is_some_and(|it| it.contains("ID token"))).count();
    assert_eq!(remedies, 1);
}

#[tokio::test]
async fn another_account_is_asked_for_in_the_way_that_the_provider_takes() {
    for (values, prompt) in [
        (json!(["none", "login", "select_account"]), "select_account"),
        (json!(["none", "login"]), "login"),
        (json!([]), "login"),
        (json!(null), "login"),
    ] {
        let stack = TestStack::start().await;
        let refused = if prompt == "login" { vec!["select_account".to_owned()] } else { vec![] };
        stack.provider.set_oddities(Oddities {
            refused_prompts: refused,
            ..discovery(json!({ "prompt_values_supported": values }))
        });
        let sign_in = PendingSignIn::start(&stack, "account=other").await;
        assert_eq!(sign_in.parameter("prompt"), prompt, "{values}");
        let answer = call_back(&stack, &sign_in, &sign_in.authenticate(DANA).await).await;
        assert_eq!(location(&answer), "/", "{values}");
    }
}

#[tokio::test]
async fn a_refused_token_has_words_of_its_own_and_is_an_error_in_the_log() {
    log();
    let stack = TestStack::start().await;
    let now = stack.provider.claims(&provider::Person::with_email(DANA))["iat"].as_i64().unwrap();
    for (claims, cause) in [
        (json!({ "aud": "another" }), "another audience"),
        (json!({ "nonce": null }), "the token has no nonce"),
        (json!({ "iat": now + 120 }), "issued in the future"),
        (json!({ "iss": "https://evil.example" }), "another issuer"),
    ] {
        stack.provider.add_claims(claims.clone());
        let mut browser = Browser::default();
        let answer = browser.sign_in(&stack).await;
        assert_refused(&answer, words().sign_in_misconfigured);
        assert_eq!(answer.status, 500, "{claims}");
        assert!(page(&answer).contains("/auth/sign-in?return=%2F") && page(&answer).contains("href=\"/support\""));
        assert_eq!(logged("ERROR", cause), 1, "{claims}");
        assert!(browser.0.is_empty(), "the sign-in is over");
    }
    let symmetric = [json!({ "alg": "HS256", "typ": "JWT" }), json!({ "sub": "x" })]
        .map(|part| base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, part.to_string()));
    let body = json!({ "token_type": "Bearer", "id_token": format!("{}.AAAA", symmetric.join(".")) }).to_string();
    let answer = sign_in_with(&stack, token_answer(200, "application/json", &body)).await;
    assert_refused(&answer, words().sign_in_misconfigured);
    assert_eq!((answer.status, logged("ERROR", "algorithm")), (500, 1));
    assert_eq!(counted("SignInMisconfigured"), 5);
}

#[tokio::test]
async fn a_token_for_another_sign_in_is_not_accepted_and_not_taken_for_an_expired_link() {
    log();
    let stack = TestStack::start().await;
    stack.provider.add_claims(json!({ "nonce": "another" }));
    let answer = sign_in_with(&stack, Oddities::default()).await;
    assert_refused(&answer, words().sign_in_not_accepted);
    assert_eq!((answer.status, logged("ERROR", "another request"), counted("SignInMisconfigured")), (400, 1, 0));
}

#[tokio::test]
async fn an_error_of_the_deployment_is_a_page_with_a_way_on_and_a_metric() {
    log();
    let stack = TestStack::start().await;
    let html = "<!doctype html><title>Bad Request</title>canary";
    let answers = [
        (401, "application/json", r#"{"error":"invalid_client","error_description":"canary"}"#),
        (400, "application/json", r#"{"error":"invalid_client"}"#),
        (400, "text/html", html),
        (400, "application/json", r#"{"error":"unauthorized_client"}"#),
        (403, "text/html", html),
        (404, "text/html", html),
        (200, "text/html", html),
        (200, "application/json", r#"{"access_token":"canary"}"#),
    ];
    for (status, media_type, body) in answers {
        let answer = sign_in_with(&stack, token_answer(status, media_type, body)).await;
        assert_refused(&answer, words().sign_in_misconfigured);
        assert_eq!(answer.status, 500, "{status} {body}");
        let page = page(&answer);
        assert!(page.contains("/auth/sign-in?return=%2F") && page.contains("href=\"/support\""), "{page}");
    }
    assert_eq!(counted("SignInMisconfigured"), answers.len());
    assert!(!lines().iter().any(|line| line.to_string().contains("canary")));
    for status in [429, 500, 502, 503] {
        let answer = sign_in_with(&stack, token_answer(status, "text/html", html)).await;
        assert_refused(&answer, words().provider_unavailable);
        assert_eq!(answer.status, 503);
    }
    let answer = sign_in_with(&stack, token_answer(400, "application/json", r#"{"error":"invalid_grant"}"#)).await;
    assert_refused(&answer, words().sign_in_stale);
    // Anyone can make up a code, so this raises no alarm.
    let answer = sign_in_with(&stack, token_answer(400, "application/json", r#"{"error":"invalid_request"}"#)).await;
    assert_refused(&answer, words().sign_in_not_accepted);
    assert_eq!(counted("SignInMisconfigured"), answers.len());
}

#[tokio::test]
async fn an_error_that_passes_begins_the_sign_in_again_once() {
    for (error, status, why) in [
        ("temporarily_unavailable", 503, words().provider_unavailable),
        ("login_required", 400, words().sign_in_incomplete),
        ("interaction_required", 400, words().sign_in_incomplete),
    ] {
        let stack = TestStack::start().await;
        let mut browser = Browser::default();
        let first = PendingSignIn::read(&browser.open(&stack, "/auth/sign-in", "return=%2Fsupport").await);
        let refusal = |sign_in: &PendingSignIn| format!("error={error}&state={}", sign_in.parameter("state"));
        let second = PendingSignIn::read(&browser.open(&stack, "/auth/callback", &refusal(&first)).await);
        assert_ne!(first.parameter("state"), second.parameter("state"));
        assert_eq!(browser.sign_ins(), [&second.cookie_name], "the first sign-in is over");
        let answer = browser.open(&stack, "/auth/callback", &refusal(&second)).await;
        assert_refused(&answer, why);
        assert_eq!(answer.status, status, "{error}");
        assert!(page(&answer).contains("/auth/sign-in?return=%2Fsupport"));

        let first = PendingSignIn::read(&browser.open(&stack, "/auth/sign-in", "return=%2Fsupport").await);
        let second = PendingSignIn::read(&browser.open(&stack, "/auth/callback", &refusal(&first)).await);
        let arrived = browser.open(&stack, "/auth/callback", &second.authenticate(DANA).await).await;
        assert_eq!(location(&arrived), "/support", "the second time it works");

        let first = PendingSignIn::read(&browser.open(&stack, "/auth/sign-in", "account=other").await);
        let second = PendingSignIn::read(&browser.open(&stack, "/auth/callback", &refusal(&first)).await);
        assert_eq!(second.parameter("prompt"), first.parameter("prompt"), "another account is asked for again");
        let answer = browser.open(&stack, "/auth/callback", &refusal(&second)).await;
        assert!(page(&answer).contains("account=other"));
    }
}

#[tokio::test]
async fn a_page_about_a_failed_sign_in_offers_no_language_that_would_ask_for_the_answer_again() {
    let stack = TestStack::start().await;
    let answer = Browser::default().open(&stack, "/auth/callback", "code=a&state=b").await;
    assert!(answer.status == 400 && !page(&answer).contains("?language="), "{answer:?}");
}

#[tokio::test]
async fn any_other_error_is_not_told_as_cancelled_and_the_log_has_its_code() {
    log();
    let stack = TestStack::start().await;
    for (error, cause) in [
        ("server_error", "server_error"),
        ("invalid_request", "invalid_request"),
        ("unauthorized_client", "unauthorized_client"),
        ("consent_required", "consent_required"),
        ("%3Cb%3Edana%40x.example", "?b?dana?x?example"),
        ("", "the error "),
    ] {
        let sign_in = PendingSignIn::start(&stack, "").await;
        let query = format!("error={error}&error_description=canary&state={}", sign_in.parameter("state"));
        let answer = call_back(&stack, &sign_in, &query).await;
        assert_refused(&answer, words().sign_in_not_accepted);
        assert!(!page(&answer).contains("canary") && page(&answer).contains("href=\"/support\""));
        assert!(logged("ERROR", cause) >= 1, "{error}");
    }
    assert!(!lines().iter().any(|line| line.to_string().contains("canary")));
    let sign_in = PendingSignIn::start(&stack, "").await;
    let neither = format!("state={}", sign_in.parameter("state"));
    assert_refused(&call_back(&stack, &sign_in, &neither).await, words().sign_in_not_accepted);
}

#[tokio::test]
async fn a_slow_provider_gets_a_page_within_eight_seconds() {
    let stack = TestStack::start().await;
    let sign_in = PendingSignIn::start(&stack, "").await;
    let query = sign_in.authenticate(DANA).await;
    stack.provider.set_oddities(Oddities {
        discovery_delay: Duration::from_secs(1),
        keys_delay: Duration::from_secs(1),
        token_delay: Duration::from_millis(6500),
        ..Oddities::default()
    });
    // Another process, which knows nothing of the provider yet; neither does the table.
    let other = stack.separate_machine("");
    let began = Instant::now();
    let answer = other.call("portal", sign_in.callback(&query)).await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_refused(&answer, words().provider_unavailable);
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn a_new_key_that_is_slow_after_a_slow_token_gets_a_page_within_eight_seconds() {
    let stack = TestStack::start().await;
    let only = |algorithm| TokenOddities {
        algorithm: Some(algorithm),
        published: Some(vec![algorithm]),
        ..TokenOddities::default()
    };
    stack.provider.set_token_oddities(only(Algorithm::Rs256));
    let sign_in = PendingSignIn::start(&stack, "").await;
    let query = sign_in.authenticate(DANA).await;
    stack.provider.set_token_oddities(only(Algorithm::Es256));
    stack.provider.set_oddities(Oddities {
        token_delay: Duration::from_millis(6500),
        keys_delay: Duration::from_millis(2100),
        ..Oddities::default()
    });
    let began = Instant::now();
    let answer = call_back(&stack, &sign_in, &query).await;
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_refused(&answer, words().provider_unavailable);
}

#[tokio::test]
async fn every_request_to_the_provider_names_the_product() {
    let stack = TestStack::start().await;
    let mut browser = Browser::default();
    let query = browser.authenticated(&stack, "").await;
    browser.open(&stack, "/auth/callback", &query).await;
    let asked = stack.provider.user_agents();
    // The browser itself opened the page of the provider.
    let ours: Vec<_> = asked.iter().filter(|(path, _)| path != "/authorize").collect();
    for path in ["/.well-known/openid-configuration", "/token", "/jwks"] {
        assert!(ours.iter().any(|(asked, _)| asked == path), "{path}");
    }
    let name = concat!("firstkey/", env!("CARGO_PKG_VERSION"));
    assert!(ours.iter().all(|(_, given)| given == name), "{ours:?}");
}

#[tokio::test]
async fn a_provider_that_demands_the_hint_at_sign_out_gets_it() {
    for (setting, demanded) in [("true", true), ("false", false)] {
        let stack = Deployment::default().with("OIDC_LOGOUT_HINT", setting).start().await;
        stack.provider.set_oddities(Oddities { demands_logout_hint: demanded, ..Oddities::default() });
        let mut browser = Browser::default();
        browser.sign_in(&stack).await;
        let token = browser.0["__Host-customer"].clone();
        let out = Call::post("/auth/sign-out").header("sec-fetch-site", "same-origin");
        assert_eq!(location(&browser.call(&stack, out).await), "/auth/signed-out");
        assert!(!browser.0.contains_key("__Host-customer"), "the session is over");
        let signed_out = page(&browser.open(&stack, "/auth/signed-out", "").await);
        let link = signed_out.split_once(&format!("href=\"{}/sign-out?", stack.provider.issuer()));
        let link = link.unwrap_or_else(|| panic!("{signed_out}")).1.split('"').next().unwrap();
        assert_eq!(link.contains(&format!("id_token_hint={token}")), demanded, "{link}");
        let list = browser.open(&stack, "/", "").await;
        assert!(page(&list).contains(words().start_lead), "the hint is no session");

        browser.sign_in(&stack).await;
        assert!(!browser.0.keys().any(|name| name.starts_with("__Host-signed-out")), "a session leaves no room for it");
        let without = page(&Browser::default().open(&stack, "/auth/signed-out", "").await);
        assert_eq!(without.contains("/sign-out?"), !demanded, "a link that the provider refuses is not shown");
    }
}

#[tokio::test]
async fn a_token_that_leaves_no_room_for_the_browsers_other_cookies_gets_the_page_that_says_so() {
    let stack = TestStack::start().await;
    for (groups, foreign, fits) in
        [(5200, 3000, false), (3600, 3000, true), (3600, 4000, false), (100, 7000, true), (100, 8900, false)]
    {
        stack.provider.add_claims(json!({ "groups": "x".repeat(groups) }));
        let mut browser = Browser::default();
        browser.0.insert("foreign".to_owned(), "x".repeat(foreign));
        let answer = browser.sign_in(&stack).await;
        if fits {
            assert_eq!(location(&answer), "/", "{groups} {foreign}");
        } else {
            assert_refused(&answer, words().sign_in_too_large);
            assert_eq!((answer.status, cookies(&answer).len()), (431, 0), "{groups} {foreign}");
        }
    }
}

#[tokio::test]
async fn a_client_secret_goes_into_the_form_where_the_provider_takes_it_there() {
    let stack = Deployment::default().with("OIDC_CLIENT_SECRET", "s~e-c_r.e t+%").start().await;
    let offers = |secret: &str| Oddities {
        secret_in_form: Some(secret.to_owned()),
        ..discovery(json!({ "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"] }))
    };
    assert_eq!(location(&sign_in_with(&stack, offers("s~e-c_r.e t+%")).await), "/");
    assert_refused(&sign_in_with(&stack, offers("another")).await, words().sign_in_misconfigured);
}

#[tokio::test]
async fn our_forms_carry_their_origin_in_a_browser_without_fetch_metadata() {
    let stack = TestStack::start().await;
    let mut browser = Browser::default();
    let signed_in = browser.sign_in(&stack).await;
    let list = browser.open(&stack, "/", "").await;
    for answer in [&signed_in, &list] {
        assert_eq!(answer.headers["referrer-policy"], "same-origin");
    }
    let out = |origin: &str| Call::post("/auth/sign-out").header("origin", origin);
    assert_eq!(browser.call(&stack, out("null")).await.status, 403);
    assert_eq!(location(&browser.call(&stack, out("http://localhost:9000")).await), "/auth/signed-out");
}

#[tokio::test]
async fn every_answer_of_every_function_demands_tls_where_the_deployment_has_it() {
    for (origin, expected) in
        [("https://portal.contoso.example", Some("max-age=63072000")), ("http://localhost:9000", None)]
    {
        let stack = Deployment::default().with("PUBLIC_ORIGIN", origin).start().await;
        let routes = Route::all().into_iter().filter(|route| route.path != Route::DEFAULT);
        let mut calls: Vec<_> = routes
            .map(|Route { method, path, function, .. }| {
                let path = path.replace("{subscription_id}", "sub-1");
                (function, if method == "GET" { Call::get(&path) } else { Call::post(&path) })
            })
            .collect();
        assert!(calls.len() >= 6);
        // A page, a redirect, an asset that does not exist, and an event that is no request.
        calls.extend(["/", "/auth/sign-in", "/assets/x", "/a b%"].map(|path| (Function::Portal, Call::get(path))));
        for (function, call) in calls {
            let answer = stack.call(function.name(), call).await;
            let header = answer.headers.get("strict-transport-security").map(String::as_str);
            assert_eq!(header, expected, "{function}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_callback_spends_a_budget_of_its_own_before_the_provider_is_asked() {
    let stack = Deployment::default().with("SIGN_IN_NETWORK_BURST", "4").start().await;
    let callback = async |address: &str| {
        let sign_in = PendingSignIn::start(&stack, "").await;
        let query = sign_in.authenticate(DANA).await;
        let answer = stack.call("portal", sign_in.callback(&query).from(address)).await;
        (sign_in, query, answer)
    };
    for _ in 0..2 {
        assert_eq!(location(&callback("192.0.2.1").await.2), "/");
    }
    let asked = |path: &str| stack.provider.user_agents().iter().filter(|(asked, _)| asked == path).count();
    let (sign_in, query, answer) = callback("192.0.2.1").await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str(), asked("/token")), (429, "2", 2));
    assert!(page(&answer).contains("2 seconds") && answer.cookies.is_empty(), "the sign-in can go on");
    assert_eq!(location(&callback("192.0.2.2").await.2), "/", "another network has its own budget");
    assert_eq!(stack.sign_in("nobody@fabrikam", "wrong").await.status, 401, "sign-in has another budget");
    stack.advance_clock(2);
    assert_eq!(location(&call_back(&stack, &sign_in, &query).await), "/");
    assert!(stack.items("CALLBACK").await.iter().any(|item| item["PK"]["S"] == "NETWORK#192.0.2.1/32"));
}

#[tokio::test]
async fn an_answer_must_name_its_issuer_where_the_provider_promises_it() {
    log();
    let stack = TestStack::start().await;
    let promised = json!({ "authorization_response_iss_parameter_supported": true });
    assert_eq!(location(&sign_in_with(&stack, discovery(promised.clone())).await), "/");
    let omitted = Oddities { omits_issuer: true, ..discovery(promised) };
    let answer = sign_in_with(&stack, omitted.clone()).await;
    assert_refused(&answer, words().sign_in_not_accepted);
    assert_eq!(logged("ERROR", "the answer names no issuer"), 1);

    let sign_in = PendingSignIn::start(&stack, "").await;
    let cancelled = format!("error=access_denied&state={}", sign_in.parameter("state"));
    assert_refused(&call_back(&stack, &sign_in, &cancelled).await, words().sign_in_not_accepted);

    let stack = TestStack::start().await;
    assert_eq!(location(&sign_in_with(&stack, Oddities { discovery: json!(null), ..omitted }).await), "/");
}

#[tokio::test]
async fn a_browser_gets_a_page_for_an_unknown_path_and_is_led_past_a_slash_too_many() {
    let stack = TestStack::start().await;
    let mut browser = Browser::default();
    let pages = document()["paths"].as_object().unwrap().iter();
    let pages =
        pages.filter(|(path, item)| item["get"]["x-function"] == "portal" && !path.contains('{') && *path != "/");
    let pages: Vec<_> = pages.map(|(path, _)| path).collect();
    assert!(pages.len() >= 8, "{pages:?}");
    for page in pages {
        for end in ["/", "//"] {
            let answer = browser.open(&stack, &format!("{page}{end}"), "language=de").await;
            assert_eq!(location(&answer), format!("{page}?language=de"));
        }
        assert_eq!(location(&browser.open(&stack, &format!("{page}/"), "").await), page);
    }
    for path in ["/foo", "/subscriptions/", "/foo/", "/administration/foo", "//evil.example/", "/auth/x", "/assets/x"] {
        let answer = browser.open(&stack, path, "").await;
        assert_eq!(answer.status, 404, "{path}");
        let page = page(&answer);
        let start = if path.starts_with("/administration") { "href=\"/administration\"" } else { "href=\"/\"" };
        assert!(page.contains(words().not_found_title) && page.contains(start), "{page}");
        for script in ["*/*", "application/json", ""] {
            let answer = stack.call("portal", Call::get(path).header("accept", script)).await;
            assert_eq!((answer.status, answer.problem()), (404, Some("not-found")), "{path} {script}");
        }
    }
    let head = stack.call("portal", Call::post("/foo").header("accept", "text/html")).await;
    assert_eq!(head.problem(), Some("not-found"), "a change is no navigation");
    assert!(stack.cloud.requests().is_empty());
}

/// A token that another key signed, to see that the page for it is that of a refused token.
#[tokio::test]
async fn a_token_with_a_foreign_signature_gives_no_session() {
    let stack = TestStack::start().await;
    let token_of = |email: &str| {
        let claims = stack.provider.claims(&provider::Person::with_email(email));
        stack.provider.sign(Algorithm::Rs256, &json!({}), &claims)
    };
    let (dana, kim) = (token_of(DANA), token_of("kim@fabrikam.example"));
    let (message, signature) = (dana.rsplit_once('.').unwrap().0, kim.rsplit_once('.').unwrap().1);
    let forged = format!("{message}.{signature}");
    let body = json!({ "token_type": "Bearer", "id_token": forged }).to_string();
    assert_refused(
        &sign_in_with(&stack, token_answer(200, "application/json", &body)).await,
        words().sign_in_misconfigured,
    );
}
