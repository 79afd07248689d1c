use lambda_http::Request;
use serde_json::{Value, json};

use super::{
    CLIENT, EC, ED, ISSUER, NOW, OperatorIdentity, OperatorSettings, RSA, at, empty_table, provider_with, request,
};
use crate::{
    identity::{Deadline, Presentation, SignedInOperator},
    problem::{Problem, ProblemCode},
};

const DESK: &str = "https://desk.example";
const DESK_CLIENT: &str = "firstkey-desk";
const HOUR: i64 = 60 * 60;

fn settings() -> OperatorSettings {
    OperatorSettings {
        issuer: ISSUER.to_owned(),
        client_id: DESK_CLIENT.to_owned(),
        desk_origin: DESK.to_owned(),
        role: "roles=support".to_owned(),
        subject_claim: None,
        customers: (Some(ISSUER.to_owned()), Some(CLIENT.to_owned())),
    }
}

fn verifier_of(settings: OperatorSettings) -> OperatorIdentity {
    let mut operators = OperatorIdentity::new(settings, empty_table).unwrap();
    let keys = [RSA.jwk("rsa"), EC.jwk("ec"), ED.jwk("ed")];
    operators.verifier.provider = provider_with(&operators.verifier.party.issuer, &keys);
    operators
}

fn verifier() -> OperatorIdentity {
    verifier_of(settings())
}

/// Returns an operator's token with these changes to its claims. Null removes a claim.
fn token(changes: Value) -> String {
    let mut claims = super::claims(json!({
        "sub": "olivia", "aud": DESK_CLIENT, "email": "olivia@contoso.example", "roles": ["support", "sales"],
        "auth_time": NOW - 20, "exp": NOW + 24 * HOUR, "nonce": "n",
    }));
    let Value::Object(changes) = changes else { panic!("claims are an object") };
    claims.as_object_mut().unwrap().extend(changes);
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    RSA.token("rsa", &claims)
}

fn with_cookie(method: &str, token: &str, headers: &[(&str, &str)]) -> Request {
    request(method, &[headers, &[("cookie", &format!("__Host-desk={token}"))]].concat())
}

fn with_bearer(token: &str) -> Request {
    request("POST", &[("authorization", &format!("Bearer {token}"))])
}

async fn ask(request: &Request) -> Result<SignedInOperator, Problem> {
    verifier().operator(request, at(NOW)).await
}

async fn session(changes: Value) -> Result<SignedInOperator, Problem> {
    ask(&with_cookie("GET", &token(changes), &[])).await
}

/// Returns the reason of a refusal, which must be `not-found`. `None` if the token was accepted.
fn refusal(outcome: Result<SignedInOperator, Problem>) -> Option<String> {
    let problem = outcome.err()?;
    assert_eq!(problem.code(), ProblemCode::NotFound, "{:?}", problem.cause());
    problem.cause()
}

#[tokio::test]
async fn an_operator_comes_with_a_cookie_of_the_desk_or_as_bearer() {
    let seen = session(json!({})).await.ok().unwrap();
    assert_eq!(seen.operator, domain::Operator::new(ISSUER, "olivia", "olivia@contoso.example"));
    assert_eq!((seen.presentation, seen.signed_in_at), (Presentation::Session, at(NOW - 20)));
    assert_eq!(seen.expires_at, at(NOW - 20 + 8 * HOUR));
    let seen = ask(&with_bearer(&token(json!({})))).await.ok().unwrap();
    assert_eq!((seen.presentation, seen.expires_at), (Presentation::Bearer, at(NOW - 10 + HOUR)));
    let long = token(json!({ "picture": "x".repeat(4000) }));
    let (first, second) = long.split_at(3800);
    let split = format!("__Host-desk.1={first}; __Host-desk.2={second}");
    assert_eq!(refusal(ask(&request("GET", &[("cookie", &split)])).await), None);
}

#[tokio::test]
async fn a_request_without_a_token_of_the_desk_is_not_found() {
    let token = token(json!({}));
    let customers = RSA.token("rsa", &super::claims(json!({ "roles": ["support"] })));
    for (cookie, reason) in [
        (String::new(), "there is no token"),
        (format!("__Host-customer={token}"), "there is no token"),
        (format!("desk={token}"), "there is no token"),
        (format!("__Host-desk.1={token}"), "half of the cookie is missing"),
        (format!("__Host-desk={token}; __Host-desk={token}"), "there are several cookies of one name"),
        (format!("__Host-desk={customers}"), "another audience"),
        ("__Host-desk=x".to_owned(), "the token has no valid header"),
    ] {
        assert_eq!(refusal(ask(&request("GET", &[("cookie", &cookie)])).await).as_deref(), Some(reason), "{cookie}");
    }
    assert_eq!(refusal(ask(&with_bearer(&customers)).await).as_deref(), Some("another audience"));
}

#[tokio::test]
async fn a_token_that_no_browser_has_asked_for_is_no_session() {
    let machines = json!({ "nonce": null });
    assert_eq!(refusal(session(machines.clone()).await).as_deref(), Some("the token has no nonce"));
    assert_eq!(refusal(ask(&with_bearer(&token(machines))).await), None);
}

#[tokio::test]
async fn a_customer_cannot_use_the_token_of_an_operator() {
    for headers in [
        ("cookie", format!("__Host-desk={}", token(json!({})))),
        ("cookie", format!("__Host-customer={}", token(json!({})))),
        ("authorization", format!("Bearer {}", token(json!({})))),
    ] {
        let request = request("GET", &[(headers.0, &headers.1)]);
        let outcome = super::verifier().caller(&request, at(NOW)).await;
        assert_eq!(super::code(outcome), Some(ProblemCode::NotSignedIn), "{headers:?}");
    }
}

#[tokio::test]
async fn the_role_is_a_value_of_the_claim_to_the_letter() {
    for roles in [json!("support"), json!(["support"]), json!(["sales", "support"])] {
        assert_eq!(refusal(session(json!({ "roles": roles })).await), None, "{roles}");
    }
    for roles in [
        Value::Null,
        json!([]),
        json!("Support"),
        json!("support sales"),
        json!(["supporter"]),
        json!([["support"]]),
        json!({ "support": true }),
        json!(true),
    ] {
        let outcome = session(json!({ "roles": roles, "role": "support", "groups": ["support"] })).await;
        assert_eq!(refusal(outcome).as_deref(), Some("the token does not have the role of operators"), "{roles}");
    }
}

#[tokio::test]
async fn an_operator_signed_in_within_eight_hours() {
    let old = Some("signed in over eight hours ago");
    for (auth_time, expected) in [
        (json!(NOW - 8 * HOUR + 1), None),
        (json!(NOW - 8 * HOUR), old),
        (json!(0), old),
        (json!(-1e300), old),
        (json!(NOW + 60), None),
        (json!(NOW + 61), Some("signed in in the future")),
        (json!(1e300), Some("signed in in the future")),
        (json!("yesterday"), Some("a time is not a number")),
    ] {
        let outcome = session(json!({ "auth_time": auth_time, "iat": NOW - 1 })).await;
        assert_eq!(refusal(outcome).as_deref(), expected, "{auth_time}");
        let bearer = ask(&with_bearer(&token(json!({ "auth_time": auth_time, "iat": NOW - 1 })))).await;
        assert_eq!(refusal(bearer).as_deref(), expected, "bearer {auth_time}");
    }
}

#[tokio::test]
async fn the_issue_of_the_token_counts_where_the_provider_does_not_say_when_the_operator_signed_in() {
    for (issued, expected) in [(NOW - 8 * HOUR + 1, None), (NOW - 8 * HOUR, Some("signed in over eight hours ago"))] {
        let outcome = session(json!({ "auth_time": null, "iat": issued })).await;
        assert_eq!(outcome.as_ref().ok().map(|seen| seen.signed_in_at), expected.is_none().then_some(at(issued)));
        assert_eq!(refusal(outcome).as_deref(), expected);
    }
}

#[tokio::test]
async fn a_bearer_token_is_accepted_for_an_hour() {
    for (issued, expected) in
        [(NOW - HOUR + 1, None), (NOW - HOUR, Some("a bearer token that was issued over an hour ago"))]
    {
        let token = token(json!({ "iat": issued, "auth_time": issued }));
        assert_eq!(refusal(ask(&with_bearer(&token)).await).as_deref(), expected);
        assert_eq!(refusal(ask(&with_cookie("GET", &token, &[])).await), None);
    }
}

#[tokio::test]
async fn only_a_fresh_session_may_decide() {
    let decides = async |request: &Request| ask(request).await.ok().unwrap().may_decide(at(NOW));
    for (signed_in, expected) in [(NOW - 15 * 60 + 1, true), (NOW - 15 * 60, false)] {
        let token = token(json!({ "auth_time": signed_in, "iat": NOW - 1 }));
        assert_eq!(decides(&with_cookie("POST", &token, &[])).await, expected);
        assert!(!decides(&with_bearer(&token)).await);
    }
}

#[tokio::test]
async fn another_site_cannot_change_anything_with_the_cookie_of_an_operator() {
    let token = token(json!({}));
    for (headers, allowed) in [
        (&[][..], true),
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("sec-fetch-site", "cross-site"), ("origin", DESK)], false),
        (&[("origin", DESK)], true),
        (&[("origin", super::ORIGIN)], false),
        (&[("origin", "null")], false),
    ] {
        let code = ask(&with_cookie("POST", &token, headers)).await.err().map(|problem| problem.code());
        assert_eq!(code, (!allowed).then_some(ProblemCode::Forbidden), "{headers:?}");
        assert!(ask(&with_cookie("GET", &token, headers)).await.is_ok());
        let bearer = format!("Bearer {token}");
        assert!(ask(&request("POST", &[headers, &[("authorization", &bearer)]].concat())).await.is_ok());
        assert!(refusal(ask(&request("POST", headers)).await).is_some(), "without a token it is not found");
    }
}

#[tokio::test]
async fn an_operator_is_shown_by_address_or_name_and_known_by_the_subject_claim() {
    let label = async |changes: Value| session(changes).await.ok().unwrap().operator.label.as_stored().to_owned();
    assert_eq!(label(json!({ "name": "Olivia" })).await, "olivia@contoso.example");
    assert_eq!(label(json!({ "name": " Olivia ", "email": null })).await, "Olivia");
    assert_eq!(label(json!({ "name": " ", "email": "none", "preferred_username": "root" })).await, "olivia");
    let by_oid = verifier_of(OperatorSettings { subject_claim: Some("oid".to_owned()), ..settings() });
    let request = with_cookie("GET", &token(json!({ "oid": "7" })), &[]);
    let person = by_oid.operator(&request, at(NOW)).await.ok().unwrap().operator.person;
    assert_eq!(person, domain::PersonId::from_operator(ISSUER, "7"));
    assert!(by_oid.operator(&with_cookie("GET", &token(json!({})), &[]), at(NOW)).await.is_err());
}

#[tokio::test]
async fn a_token_for_the_sign_in_needs_its_nonce_and_the_role() {
    let outcome = async |changes: Value| {
        let arrived = verifier().operator_for_nonce(&token(changes), "n", Deadline::start(), at(NOW)).await;
        arrived.map(|arrived| arrived.has_auth_time).map_err(|problem| problem.code())
    };
    assert_eq!(outcome(json!({ "nonce": "n" })).await, Ok(true));
    assert_eq!(outcome(json!({ "nonce": "n", "auth_time": null })).await, Ok(false));
    assert_eq!(outcome(json!({ "nonce": "m" })).await, Err(ProblemCode::NotSignedIn));
    assert_eq!(outcome(json!({ "nonce": "n", "roles": [] })).await, Err(ProblemCode::Forbidden));
    assert_eq!(outcome(json!({ "nonce": "n", "aud": CLIENT })).await, Err(ProblemCode::Internal));
    assert_eq!(outcome(json!({ "nonce": "n", "auth_time": NOW + 120 })).await, Err(ProblemCode::Internal));
}

#[test]
fn an_invalid_setting_of_the_desk_is_named() {
    let invalid = |change: &dyn Fn(&mut OperatorSettings)| {
        let mut settings = settings();
        change(&mut settings);
        OperatorIdentity::new(settings, empty_table).err().map(|invalid| invalid.name)
    };
    assert_eq!(invalid(&|_| ()), None);
    assert_eq!(invalid(&|it| it.role = "groups=cn=support,dc=contoso".into()), None);
    assert_eq!(invalid(&|it| it.issuer = "http://issuer.example".into()), Some("DESK_OIDC_ISSUER"));
    assert_eq!(invalid(&|it| it.client_id.clear()), Some("DESK_OIDC_CLIENT_ID"));
    assert_eq!(invalid(&|it| it.desk_origin = "https://desk.example/".into()), Some("DESK_ORIGIN"));
    for role in ["", "support", "=support", "roles="] {
        assert_eq!(invalid(&|it| it.role = role.into()), Some("DESK_OIDC_ROLE"), "{role}");
    }
    assert_eq!(invalid(&|it| it.client_id = CLIENT.into()), Some("DESK_OIDC_CLIENT_ID"), "the customers' client");
    assert_eq!(invalid(&|it| it.customers.0 = Some("https://other.example".into())), None);
}
