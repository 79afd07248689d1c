//! Tests of the client secret in Secrets Manager: when the portal reads it, what happens when it has changed, is missing or cannot be read, and
//! that it appears nowhere.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use cloud::{Fault, Mode, SecretContent, Service};
use futures_util::future::join;
use lambda::{Clock, Settings};
use provider::Oddities;
use serde_json::json;
use support::{Answer, Call, Deployment, Function, TestStack, secrets::forms};
use words::{Language, Words};

use crate::{
    no_leaks::log,
    portal_sign_in::{PendingSignIn, assert_refused, call_back},
    real_providers::{counted, logged, sign_in_with},
};

const DANA: &str = "dana@fabrikam.example";

/// The name of the secret.
const NAME: &str = "firstkey/oidc-2026";

/// The client secret, and the one that replaces it.
const SECRET: &str = "canary~of the+client%secret";
const NEXT: &str = "canary~of its&successor=";

/// How long a process keeps the secret, in seconds.
const KEPT: i64 = 15 * 60;

fn words() -> &'static Words {
    Language::English.words()
}

/// Starts a deployment with the name of a secret that is not stored yet.
async fn deployed() -> TestStack {
    log();
    Deployment::default().with("OIDC_CLIENT_SECRET_NAME", NAME).start().await
}

fn put(stack: &TestStack, secret: &str) {
    stack.cloud.put_secret(NAME, SecretContent::Text(secret.to_owned()));
}

/// Starts a deployment with a secret.
async fn deployed_with(secret: &str) -> TestStack {
    let stack = deployed().await;
    put(&stack, secret);
    stack
}

/// Returns a provider that demands this secret.
fn demanding(secret: &str) -> Oddities {
    let discovery = json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] });
    Oddities { secret_in_form: Some(secret.to_owned()), discovery, ..Oddities::default() }
}

/// Returns how often the secret was read. Attempts of one call count as one.
fn reads(stack: &TestStack) -> usize {
    let first = |request: &cloud::Request| request.operation == "GetSecretValue" && request.attempt == 1;
    stack.cloud.requests().iter().filter(|request| first(request)).count()
}

/// Returns how often a code was sent to the provider.
fn exchanges(stack: &TestStack) -> usize {
    stack.provider.user_agents().iter().filter(|(path, _)| path == "/token").count()
}

fn assert_signed_in(answer: &Answer) {
    assert_eq!((answer.status, answer.headers.get("location").map(String::as_str)), (303, Some("/")), "{answer:?}");
}

/// Asserts that the page says that sign-in is not set up, and leads on.
fn assert_misconfigured(answer: &Answer) {
    assert_refused(answer, words().sign_in_misconfigured);
    assert_eq!(answer.status, 500);
    assert!(answer.body.as_str().unwrap().contains("href=\"/auth/sign-in"), "the page has a way on");
}

#[tokio::test]
async fn the_secret_is_read_at_its_first_use_and_again_after_fifteen_minutes() {
    let stack = deployed_with(&format!("{SECRET}\n")).await;
    stack.provider.set_oddities(demanding(SECRET));
    for path in ["/", "/help", "/auth/sign-in", "/auth/signed-out"] {
        stack.call("portal", Call::get(path)).await;
    }
    assert_eq!(reads(&stack), 0, "no page needs it");
    for (seconds, expected) in [(0, 1), (KEPT - 1, 1), (1, 2), (KEPT - 1, 2), (1, 3)] {
        stack.advance_clock(seconds);
        assert_signed_in(&sign_in_with(&stack, demanding(SECRET)).await);
        assert_eq!(reads(&stack), expected);
    }
}

#[tokio::test]
async fn a_rotated_secret_is_read_again_after_the_provider_has_refused_the_earlier_one() {
    let stack = deployed_with(SECRET).await;
    assert_signed_in(&sign_in_with(&stack, demanding(SECRET)).await);
    put(&stack, NEXT);
    assert_signed_in(&sign_in_with(&stack, demanding(NEXT)).await);
    assert_eq!((reads(&stack), exchanges(&stack)), (2, 3), "the code of the second sign-in was sent twice");
    assert_signed_in(&sign_in_with(&stack, demanding(NEXT)).await);
    assert_eq!((reads(&stack), exchanges(&stack)), (2, 4));
    assert_eq!(counted("SignInMisconfigured"), 0);
}

#[tokio::test]
async fn a_code_is_not_sent_again_with_the_secret_that_was_refused() {
    let stack = deployed_with(SECRET).await;
    assert_misconfigured(&sign_in_with(&stack, demanding("another")).await);
    assert_eq!((reads(&stack), exchanges(&stack)), (2, 1));
    assert_eq!((counted("SignInMisconfigured"), logged("ERROR", "with this secret")), (1, 1));
}

#[tokio::test]
async fn a_second_refusal_is_final() {
    let stack = deployed_with(SECRET).await;
    assert_signed_in(&sign_in_with(&stack, demanding(SECRET)).await);
    put(&stack, NEXT);
    assert_misconfigured(&sign_in_with(&stack, demanding("another")).await);
    assert_eq!((reads(&stack), exchanges(&stack)), (2, 3));
}

#[tokio::test]
async fn a_secret_is_not_read_for_a_provider_that_takes_none() {
    for method in ["private_key_jwt", "none"] {
        let stack = deployed_with(SECRET).await;
        let discovery = json!({ "token_endpoint_auth_methods_supported": [method] });
        assert_signed_in(&sign_in_with(&stack, Oddities { discovery, ..Oddities::default() }).await);
        assert_eq!(reads(&stack), 0, "{method}");
    }
}

#[tokio::test]
async fn a_callback_without_a_code_reads_no_secret() {
    let stack = deployed_with(SECRET).await;
    stack.provider.set_oddities(demanding(SECRET));
    let sign_in = PendingSignIn::start(&stack, "").await;
    let cancelled = format!("error=access_denied&state={}", sign_in.parameter("state"));
    assert_refused(&call_back(&stack, &sign_in, &cancelled).await, words().sign_in_cancelled);
    assert_eq!(call_back(&stack, &sign_in, "code=x&state=x").await.status, 400);
    assert_eq!(reads(&stack), 0);
}

/// Starts two sign-ins, and lets both return at the same time while each read of the secret takes a while.
async fn two_at_once(stack: &TestStack) -> (Answer, Answer) {
    let slow = Fault::new(Service::SecretsManager, "GetSecretValue", Mode::Delayed, 10);
    stack.cloud.set_fault(slow.held_for(Duration::from_millis(300)));
    let (one, other) = (PendingSignIn::start(stack, "").await, PendingSignIn::start(stack, "").await);
    let (first, second) = (one.authenticate(DANA).await, other.authenticate(DANA).await);
    join(call_back(stack, &one, &first), call_back(stack, &other, &second)).await
}

#[tokio::test]
async fn sign_ins_at_the_same_time_share_one_read() {
    let stack = deployed_with(SECRET).await;
    stack.provider.set_oddities(demanding(SECRET));
    let (one, other) = two_at_once(&stack).await;
    assert_signed_in(&one);
    assert_signed_in(&other);
    assert_eq!(reads(&stack), 1);
    put(&stack, NEXT);
    stack.provider.set_oddities(demanding(NEXT));
    let (one, other) = two_at_once(&stack).await;
    assert_signed_in(&one);
    assert_signed_in(&other);
    assert_eq!(reads(&stack), 2, "nor do they read it twice after a refusal");
}

#[tokio::test]
async fn a_secret_that_is_no_text_leads_to_a_page_and_an_alarm() {
    let text = |text: &str| Some(SecretContent::Text(text.to_owned()));
    let pair = json!({ "client_secret": SECRET }).to_string();
    for (n, (content, cause)) in [
        (None, "secretsmanager GetSecretValue: ResourceNotFoundException"),
        (Some(SecretContent::Binary("Y2FuYXJ5".to_owned())), "the client secret is binary"),
        (text(" \n"), "the client secret is empty"),
        (text(&pair), "the client secret is a JSON object instead of plain text"),
    ]
    .into_iter()
    .enumerate()
    {
        let stack = deployed().await;
        if let Some(content) = content {
            stack.cloud.put_secret(NAME, content);
        }
        assert_misconfigured(&sign_in_with(&stack, demanding(SECRET)).await);
        assert_eq!((counted("SignInMisconfigured"), logged("ERROR", cause)), (n + 1, 1), "{cause}");
        assert_eq!(exchanges(&stack), 0, "{cause}");
        put(&stack, SECRET);
        assert_signed_in(&sign_in_with(&stack, demanding(SECRET)).await);
    }
}

#[tokio::test]
async fn a_secret_that_the_role_may_not_read_leads_to_a_page_and_an_alarm() {
    log();
    let deployment = Deployment::default().with("OIDC_CLIENT_SECRET_NAME", NAME).allowing_denials();
    let stack = deployment.start().await;
    put(&stack, SECRET);
    let role = stack.cloud.roles().role("portal").unwrap();
    stack.cloud.roles().replace("portal", role.without("ReadClientSecret"));
    assert_misconfigured(&sign_in_with(&stack, demanding(SECRET)).await);
    assert_eq!((counted("SignInMisconfigured"), logged("ERROR", "AccessDeniedException")), (1, 1));
}

#[tokio::test]
async fn while_the_secret_cannot_be_read_a_page_says_so_in_time_and_the_sign_in_can_go_on() {
    for mode in [Mode::Refused, Mode::Throttled, Mode::Reset, Mode::Delayed] {
        let stack = deployed_with(SECRET).await;
        stack.provider.set_oddities(demanding(SECRET));
        let sign_in = PendingSignIn::start(&stack, "").await;
        let query = sign_in.authenticate(DANA).await;
        stack.cloud.set_fault(Fault::new(Service::SecretsManager, "*", mode, 3));
        let began = Instant::now();
        let answer = call_back(&stack, &sign_in, &query).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{mode:?}: {:?}", began.elapsed());
        assert_refused(&answer, words().unavailable);
        assert_eq!((answer.status, answer.cookies.len(), exchanges(&stack)), (503, 0, 0), "{mode:?}");
        assert_signed_in(&call_back(&stack, &sign_in, &query).await);
    }
    assert_eq!(counted("SignInMisconfigured"), 0);
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_again_stays_in_use() {
    let stack = deployed_with(SECRET).await;
    assert_signed_in(&sign_in_with(&stack, demanding(SECRET)).await);
    stack.advance_clock(KEPT);
    stack.cloud.set_fault(Fault::new(Service::SecretsManager, "*", Mode::Refused, 3));
    assert_signed_in(&sign_in_with(&stack, demanding(SECRET)).await);
    assert_eq!(logged("WARN", "secretsmanager GetSecretValue: InternalServiceError"), 1);
    assert_signed_in(&sign_in_with(&stack, demanding(SECRET)).await);
    assert_eq!(reads(&stack), 3, "the next sign-in tries again");
}

#[tokio::test]
async fn the_secret_is_in_no_log_page_cookie_or_table() {
    let stack = deployed_with(SECRET).await;
    let mut answers = vec![sign_in_with(&stack, demanding(SECRET)).await];
    put(&stack, NEXT);
    answers.push(sign_in_with(&stack, demanding(NEXT)).await);
    answers.push(sign_in_with(&stack, demanding("another")).await);
    stack.advance_clock(KEPT);
    put(&stack, &json!({ "client_secret": SECRET }).to_string());
    answers.push(sign_in_with(&stack, demanding(SECRET)).await);
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [303, 303, 500, 500]);
    let table = json!(stack.cloud.dump_table().await.unwrap()).to_string();
    let places = [
        ("answers", format!("{answers:?}")),
        ("log", String::from_utf8(log().lock().unwrap().clone()).unwrap()),
        ("table", table),
        ("calls", format!("{:?}", stack.cloud.requests())),
    ];
    for (place, text) in &places {
        assert!(text.len() > 100, "{place} was really read: {text}");
        for form in [SECRET, NEXT].into_iter().flat_map(forms) {
            assert!(!text.contains(&form), "{place} has {form}");
        }
    }
}

#[test]
fn a_secret_is_either_a_value_or_a_name() {
    let starts = |more: &[(&str, &str)]| {
        let settings = [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "portal"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("TABLE_NAME", "firstkey"),
            ("PUBLIC_ORIGIN", "http://localhost:9000"),
            ("OIDC_ISSUER", "https://issuer.example"),
            ("OIDC_CLIENT_ID", "firstkey"),
            ("VENDOR_NAME", "Contoso"),
        ];
        let settings: HashMap<_, _> =
            settings.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Function::Portal.start(&Settings::given(settings), Clock::System).map(drop).map_err(|error| error.to_string())
    };
    let (value, name) = (("OIDC_CLIENT_SECRET", SECRET), ("OIDC_CLIENT_SECRET_NAME", NAME));
    for settings in [&[][..], &[value], &[name]] {
        assert_eq!(starts(settings), Ok(()));
    }
    let both = starts(&[value, name]).unwrap_err();
    assert_eq!(both, "OIDC_CLIENT_SECRET is not allowed with OIDC_CLIENT_SECRET_NAME");
    for text in [" \n", "{\"client_secret\":\"canary\"}"] {
        let refusal = starts(&[("OIDC_CLIENT_SECRET", text)]).unwrap_err();
        assert_eq!(refusal, "OIDC_CLIENT_SECRET is not a client secret in plain text");
    }
}
