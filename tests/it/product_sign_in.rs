//! Tests of `product-sign-in`: an administrator arrives in the vendor's product, and every other request is refused.

use std::collections::BTreeSet;

use cloud::{Fault, Mode, SIGNING_KEYS, Service};
use domain::AccessToken;
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{JwkSet, ThumbprintHash},
};
use serde_json::{Value, json};
use support::{
    Answer, CHALLENGE, Call, Deployment, Function, PRODUCT_CLIENT, PRODUCT_REDIRECT_URI, PRODUCT_SECRET,
    PRODUCT_SECRET_DIGEST, RelyingParty, TestStack, VERIFIER, address_in, answer_in, confirmed_account, ended,
};

use crate::{
    administrators::{ADMIN, CHOSEN, LEE, LEES, MO, MOS, REFILL, Team, change, outcome},
    portal::html,
};

const PROVIDER: &str = "product-sign-in";
const ORIGIN: &str = "http://localhost:9000";
const NEXT: &str = "nine slow trains to the coast";

fn discovery() -> Value {
    serde_json::from_str(&Function::ProductSignIn.event()).unwrap()
}

/// Returns the status and the OAuth error of an answer.
fn refusal(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.oauth_error())
}

/// Returns the claims of an ID token and the id of its key, if one of these keys signed it.
fn verified(token: &str, keys: &Value) -> Option<(String, Value)> {
    let key_id = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
    let keys: JwkSet = serde_json::from_value(keys.clone()).unwrap();
    let key = DecodingKey::from_jwk(keys.find(&key_id)?).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    // The clock of the tests is not the system's.
    validation.validate_exp = false;
    validation.set_audience(&[PRODUCT_CLIENT]);
    validation.set_issuer(&[ORIGIN]);
    Some((key_id, jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims))
}

async fn published_keys(stack: &TestStack) -> Value {
    let answer = stack.call(PROVIDER, Call::get("/oidc/jwks")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

async fn userinfo(stack: &TestStack, access_token: &str) -> Answer {
    stack.call(PROVIDER, Call::userinfo(access_token)).await
}

async fn is_empty(stack: &TestStack, kind: &str) -> bool {
    stack.items(kind).await.is_empty()
}

/// Returns the query with which a redirect leads to the sign-in.
fn sign_in_again(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{answer:?}");
    let location = &answer.headers["location"];
    assert!(location.starts_with("/administration/sign-in?continue="), "{location}");
    answer_in(location, "continue").unwrap()
}

#[tokio::test]
async fn the_discovery_document_names_every_endpoint_and_may_be_cached() {
    let stack = TestStack::start().await;
    let answer = Answer::read(&stack.invoke(PROVIDER, discovery()).await);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["issuer"], ORIGIN);
    assert_eq!(answer.body["token_endpoint"], format!("{ORIGIN}/oidc/token"));
    assert_eq!(answer.headers["cache-control"], "public, max-age=300");
}

#[tokio::test]
async fn without_a_client_there_is_no_provider() {
    let stack = Deployment::default().with("PRODUCT_CLIENT_ID", "").start().await;
    let party = RelyingParty::default();
    for call in [
        Call::get("/.well-known/openid-configuration"),
        Call::get("/oidc/jwks"),
        party.authorize(),
        Call::continue_to_product(&party.query(), ""),
        party.redemption(&"A".repeat(43)),
        Call::userinfo(&"A".repeat(43)),
    ] {
        let answer = stack.call(PROVIDER, call).await;
        assert_eq!(outcome(&answer), (404, Some("not-found")));
    }
}

#[tokio::test]
async fn an_administrator_arrives_in_the_product_with_their_claims() {
    let team = Team::start().await;
    let stack = &team.stack;
    let lee = stack.account(LEE).await;
    change(stack, lee, &[("email", json!({ "S": "lee@fabrikam.example" }))]).await;
    let answer = RelyingParty::default().sign_in(stack, &team.lee).await;
    assert_eq!((&*answer.headers["cache-control"], &*answer.headers["pragma"]), ("no-store", "no-cache"));
    let names: BTreeSet<_> = answer.body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["access_token", "expires_in", "id_token", "scope", "token_type"].into());
    assert_eq!((&answer.body["token_type"], &answer.body["expires_in"]), (&json!("Bearer"), &json!(300)));

    let access_token = answer.access_token().unwrap();
    let (_, mut claims) = verified(answer.id_token().unwrap(), &published_keys(stack).await).unwrap();
    let now = stack.cloud.clock().epoch_seconds();
    for (name, expected) in [
        ("iss", json!(ORIGIN)),
        ("aud", json!(PRODUCT_CLIENT)),
        ("iat", json!(now)),
        ("exp", json!(now + 300)),
        ("nonce", json!("the nonce of a sign-in")),
        ("at_hash", json!(AccessToken::parse(access_token).unwrap().hash_claim())),
    ] {
        assert_eq!(claims[name], expected, "{name}");
        claims.as_object_mut().unwrap().remove(name);
    }
    let expected = json!({
        "sub": team.lees_id, "preferred_username": LEE, "name": "Lee Ahmadi",
        "email": "lee@fabrikam.example", "email_verified": false,
        "subscription_id": "sub-1", "company_id": "fabrikam", "company_name": "Fabrikam, Inc.",
        "product": "Contoso Online Suite", "roles": ["administrator"],
        "auth_time": now - REFILL, "amr": ["pwd"],
    });
    assert_eq!(claims, expected);
    for call in [Call::userinfo(access_token), Call::post("/oidc/userinfo").bearer(access_token)] {
        let answer = stack.call(PROVIDER, call).await;
        assert_eq!((answer.status, &answer.body), (200, &expected), "the same claims");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn an_administrator_without_an_address_has_no_claim_about_one() {
    let team = Team::start().await;
    let party = RelyingParty::default().without("nonce").without("state");
    let answer = party.sign_in(&team.stack, &team.mo).await;
    let (_, claims) = verified(answer.id_token().unwrap(), &published_keys(&team.stack).await).unwrap();
    for name in ["email", "email_verified", "nonce"] {
        assert!(claims.get(name).is_none(), "{name}");
    }
    assert_eq!(claims["sub"], team.mos_id.as_str());
}

#[tokio::test]
async fn every_answer_at_the_client_repeats_the_state_and_names_the_issuer() {
    let team = Team::start().await;
    let stack = &team.stack;
    let party = RelyingParty::default();
    let question = party.ask(stack, &team.lee).await;
    assert_eq!(question.headers["referrer-policy"], "strict-origin", "the form has an origin");
    let page = party.confirm(stack, &team.lee).await;
    assert_eq!(page.status, 200, "a redirect after a form would be held against the policy of the page");
    assert_eq!((&*page.headers["referrer-policy"], &*page.headers["cache-control"]), ("no-referrer", "no-store"));
    let error = stack.call(PROVIDER, party.clone().with("prompt", "none").authorize()).await;
    let without = party.clone().without("state").confirm(stack, &team.lee).await;
    let [code, error, without] = [address_in(&page), error.headers["location"].clone(), address_in(&without)];
    for address in [&code, &error] {
        assert!(address.starts_with(&format!("{PRODUCT_REDIRECT_URI}?")), "{address}");
        assert_eq!(answer_in(address, "state").unwrap(), "the state of a browser");
        assert_eq!(answer_in(address, "iss").unwrap(), ORIGIN);
    }
    assert_eq!((answer_in(&without, "state"), answer_in(&without, "iss")), (None, Some(ORIGIN.to_owned())));
    assert_eq!(answer_in(&code, "code").unwrap().len(), 43);
}

// The authorization request.

#[tokio::test]
async fn an_unknown_client_or_address_gets_a_page_and_the_browser_is_sent_nowhere() {
    let team = Team::start().await;
    let party = RelyingParty::default();
    let address = |address: &str| party.clone().with("redirect_uri", address);
    let mut wrong = vec![
        party.clone().with("client_id", "stranger"),
        party.clone().with("client_id", "Contoso-Online-Suite"),
        party.clone().without("client_id"),
        party.clone().without("redirect_uri"),
        // An error is sent nowhere either.
        address("https://evil.example/").with("response_type", "token"),
    ];
    wrong.extend(
        [
            "https://evil.example/callback",
            "http://127.0.0.1:9005/Callback",
            "http://127.0.0.1:9005/callback/",
            "http://127.0.0.1:9005/callback?",
            "http://127.0.0.1:9005/callback?next=evil",
            "http://127.0.0.1:9005/callback#evil",
            "http://127.0.0.1:9005/callback.evil",
            "http://127.0.0.1:9006/callback",
            "http://127.0.0.1/callback",
            "http://localhost:9005/callback",
            "https://127.0.0.1:9005/callback",
            "http://evil@127.0.0.1:9005/callback",
            "HTTP://127.0.0.1:9005/callback",
        ]
        .map(address),
    );
    let calls = wrong.iter().flat_map(|party| {
        let query = party.query();
        let posted = Call::confirm_product(&query, &team.lee, &team.lees_id);
        [party.authorize(), Call::continue_to_product(&query, &team.lee), posted]
    });
    let repeated = format!("{}&redirect_uri=https%3A%2F%2Fevil.example%2F", party.query());
    for call in calls.chain([Call::get("/oidc/authorize").query(&repeated)]) {
        let answer = team.stack.call(PROVIDER, call).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        let page = html(&answer);
        assert!(!answer.headers.contains_key("location") && !page.contains("http-equiv=\"refresh\""), "{page}");
        // The links to other languages have the query of the page, encoded.
        assert!(!page.contains("//") && !page.contains(":9005"), "{page}");
    }
    assert!(is_empty(&team.stack, "CODE").await);
}

#[tokio::test]
async fn a_request_for_something_else_is_answered_at_the_client() {
    let team = Team::start().await;
    let party = RelyingParty::default();
    let with = |name: &str, value: &str| party.clone().with(name, value);
    for (wrong, error) in [
        (with("response_type", "token"), "unsupported_response_type"),
        (with("response_type", "code id_token"), "unsupported_response_type"),
        (party.clone().without("response_type"), "invalid_request"),
        (with("response_mode", "fragment"), "invalid_request"),
        (with("response_mode", "form_post"), "invalid_request"),
        (with("request", "eyJhbGciOiJub25lIn0.e30."), "request_not_supported"),
        (with("request_uri", "https://evil.example/request"), "request_uri_not_supported"),
        (with("registration", "{}"), "registration_not_supported"),
        (with("scope", "profile email"), "invalid_scope"),
        (party.clone().without("scope"), "invalid_scope"),
        (with("prompt", "none login"), "invalid_request"),
        (with("max_age", "-1"), "invalid_request"),
        (with("max_age", "soon"), "invalid_request"),
        (with("code_challenge_method", "plain"), "invalid_request"),
        (party.clone().without("code_challenge_method"), "invalid_request"),
        (party.clone().without("code_challenge"), "invalid_request"),
        (with("code_challenge", "short"), "invalid_request"),
        (with("nonce", &"n".repeat(1025)), "invalid_request"),
    ] {
        let answer = team.stack.call(PROVIDER, wrong.authorize()).await;
        assert_eq!(answer.status, 303, "{wrong:?}: {answer:?}");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer", "{wrong:?}");
        let location = &answer.headers["location"];
        assert!(location.starts_with(&format!("{PRODUCT_REDIRECT_URI}?error=")), "{location}");
        assert_eq!(answer_in(location, "error").as_deref(), Some(error), "{wrong:?}");
        // The page in between promises nothing: everything is checked again where the session is.
        let posted = Call::confirm_product(&wrong.query(), &team.lee, &team.lees_id);
        let page = team.stack.call(PROVIDER, posted).await;
        assert_eq!(answer_in(&address_in(&page), "error").as_deref(), Some(error), "{wrong:?}");
    }
    let twice = Call::get("/oidc/authorize").query(&format!("{}&nonce=another", party.query()));
    let twice = team.stack.call(PROVIDER, twice).await;
    assert_eq!(answer_in(&twice.headers["location"], "error").unwrap(), "invalid_request");
    assert!(is_empty(&team.stack, "CODE").await);
}

#[tokio::test]
async fn a_challenge_is_demanded_where_the_vendor_wants_it() {
    let team = Team::begin(Deployment::default().with("PRODUCT_PKCE", "required").start().await).await;
    let answer = team.stack.call(PROVIDER, RelyingParty::default().without_challenge().authorize()).await;
    assert_eq!(answer_in(&answer.headers["location"], "error").unwrap(), "invalid_request");
    RelyingParty::default().sign_in(&team.stack, &team.lee).await;
}

#[tokio::test]
async fn nothing_of_a_request_is_repeated_unescaped() {
    const MARKUP: &str = "\"'><script>alert(1)</script>&amp;&#38;%22";
    let team = Team::start().await;
    let party = RelyingParty::default().with("state", MARKUP).with("nonce", MARKUP).with(MARKUP, MARKUP);
    let first = team.stack.call(PROVIDER, party.authorize()).await;
    let second = party.ask(&team.stack, &team.lee).await;
    let third = party.confirm(&team.stack, &team.lee).await;
    let refused = party.clone().with("client_id", MARKUP).with("redirect_uri", MARKUP).authorize();
    let refused = team.stack.call(PROVIDER, refused).await;
    for page in [&first, &second, &third, &refused] {
        let page = html(page);
        assert!(!page.contains("<script") && !page.contains("alert(1)<"), "{page}");
    }
    let address = address_in(&third);
    assert_eq!(answer_in(&address, "state").unwrap(), MARKUP);
    let answer = party.redeem(&team.stack, &answer_in(&address, "code").unwrap()).await;
    let (_, claims) = verified(answer.id_token().unwrap(), &published_keys(&team.stack).await).unwrap();
    assert_eq!(claims["nonce"], MARKUP);
}

// Who continues.

#[tokio::test]
async fn a_visitor_without_a_session_signs_in_and_comes_back() {
    let team = Team::start().await;
    let stack = &team.stack;
    let party = RelyingParty::default();
    let query = party.begin(stack).await;
    for session in ["", "no token", &"A".repeat(43)] {
        let answer = stack.call(PROVIDER, Call::continue_to_product(&query, session)).await;
        assert_eq!(sign_in_again(&answer), query);
    }
    let answer = stack.call(PROVIDER, Call::continue_to_product(&query, "")).await;
    let (path, continued) = answer.headers["location"].split_once('?').unwrap();
    let page = html(&stack.call("portal", Call::get(path).query(continued)).await);
    let escaped = query.replace('&', "&#38;");
    assert!(page.contains(&format!("data-continue=\"/oidc/continue?{escaped}\"")), "{page}");
    let session = stack.sign_in(LEE, LEES).await.session().unwrap();
    let page = stack.call(PROVIDER, Call::continue_to_product(&query, &session)).await;
    assert_eq!(confirmed_account(&page), team.lees_id);
    assert!(html(&page).contains("Contoso Online Suite") && html(&page).contains(LEE), "{page:?}");
}

#[tokio::test]
async fn the_sign_in_leads_back_to_the_provider_alone() {
    let team = Team::start().await;
    for given in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%22%3E%3Cscript%3E", "x", ""] {
        let call = Call::get("/administration/sign-in").query(&format!("continue={given}"));
        let page = html(&team.stack.call("portal", call.session(&team.lee)).await);
        assert!(page.contains("data-form=\"sign-in\""), "another account is possible: {page}");
        let mut all = page.split("data-continue=\"").skip(1);
        assert!(all.all(|rest| rest.starts_with("/oidc/continue?")), "{page}");
        assert!(!page.contains("\"><script>") && !page.contains("href=\"https://evil"), "{page}");
    }
}

#[tokio::test]
async fn a_service_administrator_is_led_to_create_an_account() {
    let stack = TestStack::start().await;
    let service = stack.service_administrator("sub-1", ADMIN, CHOSEN).await;
    let party = RelyingParty::default();
    let answer = party.ask(&stack, &service).await;
    assert_eq!((answer.status, answer.headers["location"].as_str()), (303, "/administration/create"));
    let id = stack.account_id(ADMIN).await;
    let posted = Call::confirm_product(&party.begin(&stack).await, &service, &id);
    let answer = stack.call(PROVIDER, posted).await;
    assert_eq!((answer.status, answer.headers["location"].as_str()), (303, "/administration/create"));
    assert!(is_empty(&stack, "CODE").await);
}

#[tokio::test]
async fn an_administrator_with_a_temporary_password_chooses_one_first() {
    let team = Team::start().await;
    let temporary = team.reset_mo().await;
    let mo = team.stack.sign_in(MO, &temporary).await.session().unwrap();
    let party = RelyingParty::default();
    let answer = party.ask(&team.stack, &mo).await;
    assert_eq!((answer.status, answer.headers["location"].as_str()), (303, "/administration/password"));
    let posted = Call::confirm_product(&party.begin(&team.stack).await, &mo, &team.mos_id);
    assert_eq!(team.stack.call(PROVIDER, posted).await.status, 303);
    assert!(is_empty(&team.stack, "CODE").await);
    let mo = team.stack.call("reset-password", Call::reset_password(&mo, NEXT)).await.session().unwrap();
    party.sign_in(&team.stack, &mo).await;
}

/// The choice of a password needs a sign-in, so no request leads to this state. It would be one of a later release.
#[tokio::test]
async fn an_administrator_who_never_signed_in_gets_no_code() {
    let team = Team::start().await;
    let party = RelyingParty::default();
    let query = party.begin(&team.stack).await;
    let code = party.code(&team.stack, &team.lee).await;
    let lee = team.stack.account(LEE).await;
    change(&team.stack, lee, &[("first_signed_in_at", Value::Null)]).await;
    let known = team.stack.items("CODE").await;
    let asked = Call::continue_to_product(&query, &team.lee);
    for call in [asked, Call::confirm_product(&query, &team.lee, &team.lees_id)] {
        assert_eq!(team.stack.call(PROVIDER, call).await.status, 403);
    }
    assert_eq!(refusal(&party.redeem(&team.stack, &code).await), (400, Some("invalid_grant")));
    assert_eq!(team.stack.items("CODE").await, known);
}

#[tokio::test]
async fn removed_administrators_and_those_of_an_ended_subscription_get_no_code() {
    let team = Team::start().await;
    let stack = &team.stack;
    let query = RelyingParty::default().begin(stack).await;
    let refused = async |session: &str, id: &str| {
        let page = stack.call(PROVIDER, Call::continue_to_product(&query, session)).await;
        assert_eq!(sign_in_again(&page), query);
        let posted = stack.call(PROVIDER, Call::confirm_product(&query, session, id)).await;
        assert_eq!(sign_in_again(&posted), query);
    };
    team.remove_mo().await;
    refused(&team.mo, &team.mos_id).await;
    stack.end_subscription(ended("sub-1")).await;
    refused(&team.lee, &team.lees_id).await;
    assert!(is_empty(stack, "CODE").await);
}

#[tokio::test]
async fn another_site_cannot_continue() {
    let team = Team::start().await;
    let query = RelyingParty::default().begin(&team.stack).await;
    let posted = || Call::confirm_product(&query, &team.lee, &team.lees_id);
    // An older browser says only where the form comes from.
    let older = Call::post("/oidc/continue").query(&query).session(&team.lee).form(&[("as", &team.lees_id)]);
    for foreign in [
        posted().header("sec-fetch-site", "cross-site"),
        posted().header("sec-fetch-site", "same-site"),
        older.header("origin", "https://evil.example"),
    ] {
        assert_eq!(team.stack.call(PROVIDER, foreign).await.status, 403);
    }
    assert!(is_empty(&team.stack, "CODE").await);
    assert_eq!(team.stack.call(PROVIDER, posted()).await.status, 200);
}

#[tokio::test]
async fn a_page_shown_for_one_account_continues_no_other() {
    let team = Team::start().await;
    let query = RelyingParty::default().begin(&team.stack).await;
    for shown in [&*team.mos_id, "", "01JUNKNOWN"] {
        let posted = Call::confirm_product(&query, &team.lee, shown);
        let page = team.stack.call(PROVIDER, posted).await;
        assert_eq!((page.status, confirmed_account(&page)), (200, team.lees_id.clone()), "it asks again");
    }
    assert!(is_empty(&team.stack, "CODE").await);
}

#[tokio::test]
async fn a_sign_in_that_is_older_than_asked_for_is_not_enough() {
    let team = Team::start().await;
    let stack = &team.stack;
    let ask = async |query: &str, session: &str| stack.call(PROVIDER, Call::continue_to_product(query, session)).await;
    let query = RelyingParty::default().with("max_age", &REFILL.to_string()).begin(stack).await;
    assert_eq!(ask(&query, &team.lee).await.status, 200, "it is recent enough");
    for (name, value) in [("prompt", "login"), ("max_age", "0"), ("max_age", "599")] {
        let party = RelyingParty::default().with(name, value);
        let query = party.begin(stack).await;
        assert_eq!(sign_in_again(&ask(&query, &team.lee).await), query, "{name}={value}");
        let posted = Call::confirm_product(&query, &team.lee, &team.lees_id);
        assert_eq!(sign_in_again(&stack.call(PROVIDER, posted).await), query, "{name}={value}");
        stack.advance_clock(30);
        let again = stack.sign_in(LEE, LEES).await.session().unwrap();
        stack.advance_clock(30);
        assert_eq!(confirmed_account(&ask(&query, &again).await), team.lees_id, "{name}={value}: no loop");
    }
    let now = stack.cloud.clock().epoch_seconds();
    let login = RelyingParty::default().with("prompt", "login");
    for since in [0, now - 3601, now + 1] {
        let query = format!("{}&since={since}", login.query());
        sign_in_again(&ask(&query, &team.lee).await);
    }
}

#[tokio::test]
async fn without_a_prompt_only_a_session_of_that_very_request_goes_on() {
    let team = Team::start().await;
    let stack = &team.stack;
    let silent = RelyingParty::default().with("prompt", "none");
    let ask = async |party: &RelyingParty, session: &str| {
        let call = party.authorize().header("sec-fetch-site", "same-site");
        let answer = stack.call(PROVIDER, if session.is_empty() { call } else { call.session(session) }).await;
        assert_eq!((answer.status, &*answer.headers["referrer-policy"]), (303, "no-referrer"), "{answer:?}");
        answer.headers["location"].clone()
    };
    let error = |address: &str| answer_in(address, "error");
    for session in ["", "no token", &"A".repeat(43)] {
        assert_eq!(error(&ask(&silent, session).await).unwrap(), "login_required");
    }
    assert_eq!(error(&ask(&silent.clone().with("max_age", "60"), &team.lee).await).unwrap(), "login_required");
    let temporary = team.reset_mo().await;
    let mo = stack.sign_in(MO, &temporary).await.session().unwrap();
    assert_eq!(error(&ask(&silent, &mo).await).unwrap(), "interaction_required");
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::Refused, 100_000));
    assert_eq!(error(&ask(&silent, &team.lee).await).unwrap(), "temporarily_unavailable");
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::Refused, 0));
    assert!(is_empty(stack, "CODE").await);

    let code = answer_in(&ask(&silent, &team.lee).await, "code").unwrap();
    assert_eq!(silent.redeem(stack, &code).await.status, 200);
}

#[tokio::test]
async fn without_a_prompt_a_hint_of_another_account_is_refused() {
    let team = Team::start().await;
    let stack = &team.stack;
    let answer = RelyingParty::default().sign_in(stack, &team.lee).await;
    let hint = answer.id_token().unwrap();
    let silent = RelyingParty::default().with("prompt", "none");
    let ask = async |hint: &str, session: &str| {
        let call = silent.clone().with("id_token_hint", hint).authorize().header("sec-fetch-site", "same-site");
        let answer = stack.call(PROVIDER, call.session(session)).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let location = &answer.headers["location"];
        (answer_in(location, "error"), answer_in(location, "code"))
    };
    let refused = (Some("login_required".to_owned()), None);
    assert_eq!(ask(hint, &team.mo).await, refused, "someone else is signed in");
    assert_eq!(ask("no token", &team.lee).await, refused);
    let (error, code) = ask(hint, &team.lee).await;
    assert_eq!(error, None);
    assert_eq!(silent.redeem(stack, &code.unwrap()).await.status, 200);

    let query = RelyingParty::default().with("id_token_hint", hint).begin(stack).await;
    assert!(!query.contains("id_token_hint"), "{query}");
}

#[tokio::test]
async fn a_service_administrator_is_not_asked_in_silence() {
    let stack = TestStack::start().await;
    let service = stack.service_administrator("sub-1", ADMIN, CHOSEN).await;
    let silent = RelyingParty::default().with("prompt", "none").authorize().header("sec-fetch-site", "same-site");
    let answer = stack.call(PROVIDER, silent.session(&service)).await;
    assert_eq!(answer_in(&answer.headers["location"], "error").unwrap(), "interaction_required");
}

// The token endpoint.

#[tokio::test]
async fn the_client_is_authenticated_before_anything_is_read() {
    let team = Team::start().await;
    let stack = &team.stack;
    let party = RelyingParty::default();
    let code = party.code(stack, &team.lee).await;
    let bare = party.clone().redeeming_without("client_id").redeeming_without("client_secret");
    let with = |name: &str, value: &str| party.clone().redeeming_with(name, value).redemption(&code);
    stack.cloud.clear_requests();
    for wrong in [
        bare.redemption(&code),
        party.clone().redeeming_without("client_secret").redemption(&code),
        with("client_secret", "a wrong secret"),
        with("client_secret", &format!("{PRODUCT_SECRET} ")),
        with("client_secret", PRODUCT_SECRET_DIGEST),
        with("client_id", "stranger"),
        bare.redemption(&code).basic(PRODUCT_CLIENT, "a wrong secret"),
        bare.redemption(&code).basic("stranger", PRODUCT_SECRET),
        bare.redemption(&code).header("authorization", "Basic no base64"),
        bare.redemption(&code).bearer(PRODUCT_SECRET),
    ] {
        let answer = stack.call(PROVIDER, wrong).await;
        assert_eq!(refusal(&answer), (401, Some("invalid_client")), "{answer:?}");
        assert_eq!(answer.headers["www-authenticate"], "Basic realm=\"oidc\"");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    let both = stack.call(PROVIDER, party.redemption(&code).basic(PRODUCT_CLIENT, PRODUCT_SECRET)).await;
    assert_eq!(refusal(&both), (400, Some("invalid_request")));
    assert_eq!(stack.cloud.requests(), []);
    let answer = stack.call(PROVIDER, bare.redemption(&code).basic(PRODUCT_CLIENT, PRODUCT_SECRET)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn both_secrets_are_good_while_one_is_replaced() {
    const NEW: &str = "abc";
    const DIGEST_OF_NEW: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let team = Team::start().await;
    let machine = |digests: &str| team.stack.separate_machine_with("", &[("PRODUCT_CLIENT_SECRET_DIGESTS", digests)]);
    let (both, new) = (machine(&format!("{PRODUCT_SECRET_DIGEST},{DIGEST_OF_NEW}")), machine(DIGEST_OF_NEW));
    for (machine, secret, status) in
        [(&both, PRODUCT_SECRET, 200), (&both, NEW, 200), (&new, NEW, 200), (&new, PRODUCT_SECRET, 401)]
    {
        let party = RelyingParty::default().redeeming_with("client_secret", secret);
        let code = party.code(&team.stack, &team.lee).await;
        assert_eq!(machine.call(PROVIDER, party.redemption(&code)).await.status, status, "{secret}");
    }
}

#[tokio::test]
async fn a_request_that_redeems_a_code_has_every_parameter_once() {
    let team = Team::start().await;
    let stack = &team.stack;
    let party = RelyingParty::default();
    let code = party.code(stack, &team.lee).await;
    let whole = [
        ("client_id", PRODUCT_CLIENT),
        ("client_secret", PRODUCT_SECRET),
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", PRODUCT_REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    let mut wrong: Vec<_> = whole.map(|twice| Call::token(&[&whole[..], &[twice][..]].concat())).into();
    wrong.extend(["code", "redirect_uri"].map(|missing| {
        let others: Vec<_> = whole.into_iter().filter(|(name, _)| *name != missing).collect();
        Call::token(&others)
    }));
    wrong.push(Call::token(&[&whole[..], &[("padding", &*"x".repeat(20_000))][..]].concat()));
    wrong.push(Call::post("/oidc/token").json(&whole.into_iter().collect()));
    for call in wrong {
        let answer = stack.call(PROVIDER, call).await;
        assert_eq!(refusal(&answer), (400, Some("invalid_request")), "{answer:?}");
    }
    for grant in ["refresh_token", "client_credentials", "password"] {
        let answer = stack.call(PROVIDER, party.clone().redeeming_with("grant_type", grant).redemption(&code)).await;
        assert_eq!(refusal(&answer), (400, Some("unsupported_grant_type")), "{grant}");
    }
    assert_eq!(stack.call(PROVIDER, Call::token(&whole)).await.status, 200, "nothing was spent");
}

#[tokio::test]
async fn a_wrong_or_missing_verifier_is_refused_and_spends_nothing() {
    let team = Team::start().await;
    let party = RelyingParty::default();
    let code = party.code(&team.stack, &team.lee).await;
    for wrong in [
        party.clone().redeeming_without("code_verifier"),
        party.clone().redeeming_with("code_verifier", CHALLENGE),
        party.clone().redeeming_with("code_verifier", &VERIFIER.to_lowercase()),
        party.clone().redeeming_with("code_verifier", "x"),
    ] {
        assert_eq!(refusal(&wrong.redeem(&team.stack, &code).await), (400, Some("invalid_grant")));
    }
    assert!(is_empty(&team.stack, "TOKEN").await);
    assert_eq!(party.redeem(&team.stack, &code).await.status, 200);
}

#[tokio::test]
async fn a_verifier_for_a_request_without_a_challenge_is_refused() {
    let team = Team::start().await;
    let party = RelyingParty::default().without_challenge();
    let code = party.code(&team.stack, &team.lee).await;
    let with_one = party.clone().redeeming_with("code_verifier", VERIFIER);
    assert_eq!(refusal(&with_one.redeem(&team.stack, &code).await), (400, Some("invalid_grant")));
    assert_eq!(party.redeem(&team.stack, &code).await.status, 200, "Cognito sends neither");
}

#[tokio::test]
async fn a_code_for_one_address_is_not_redeemed_with_another() {
    const SECOND: &str = "https://product.contoso.example/oauth2/idpresponse";
    let both = format!("{PRODUCT_REDIRECT_URI},{SECOND}");
    let team = Team::begin(Deployment::default().with("PRODUCT_REDIRECT_URIS", &both).start().await).await;
    let party = RelyingParty::default();
    let code = party.code(&team.stack, &team.lee).await;
    for other in [SECOND, "http://127.0.0.1:9005/callback/", "https://evil.example"] {
        let wrong = party.clone().redeeming_with("redirect_uri", other);
        assert_eq!(refusal(&wrong.redeem(&team.stack, &code).await), (400, Some("invalid_grant")), "{other}");
    }
    assert_eq!(party.redeem(&team.stack, &code).await.status, 200, "nothing was spent");
    let second = party.with("redirect_uri", SECOND).redeeming_with("redirect_uri", SECOND);
    second.sign_in(&team.stack, &team.lee).await;
}

#[tokio::test]
async fn a_second_use_of_a_code_is_refused_and_voids_the_token_of_the_first() {
    let team = Team::start().await;
    let stack = &team.stack;
    let party = RelyingParty::default();
    let code = party.code(stack, &team.lee).await;
    let other = party.sign_in(stack, &team.lee).await;
    let first = party.redeem(stack, &code).await;
    let token = first.access_token().unwrap();
    assert_eq!(userinfo(stack, token).await.status, 200);
    let wrong = party.clone().redeeming_with("code_verifier", CHALLENGE).redeem(stack, &code).await;
    assert_eq!(refusal(&wrong), (400, Some("invalid_grant")));
    assert_eq!(userinfo(stack, token).await.status, 200, "who lacks the verifier voids nothing");
    for _ in 0..2 {
        assert_eq!(refusal(&party.redeem(stack, &code).await), (400, Some("invalid_grant")));
        assert_eq!(refusal(&userinfo(stack, token).await), (401, Some("invalid_token")));
    }
    assert_eq!(userinfo(stack, other.access_token().unwrap()).await.status, 200, "another sign-in is not touched");
    for unknown in ["A".repeat(43), "short".to_owned(), format!("{code}A")] {
        assert_eq!(refusal(&party.redeem(stack, &unknown).await), (400, Some("invalid_grant")), "{unknown}");
    }
}

#[tokio::test]
async fn a_code_ends_after_a_minute() {
    let team = Team::start().await;
    let party = RelyingParty::default();
    let (in_time, late) = (party.code(&team.stack, &team.lee).await, party.code(&team.stack, &team.lee).await);
    team.stack.advance_clock(59);
    assert_eq!(party.redeem(&team.stack, &in_time).await.status, 200);
    team.stack.advance_clock(1);
    assert_eq!(refusal(&party.redeem(&team.stack, &late).await), (400, Some("invalid_grant")));
    assert_eq!(team.stack.items("TOKEN").await.len(), 1);
}

#[tokio::test]
async fn an_access_token_is_good_for_five_minutes_in_the_header_alone() {
    let team = Team::start().await;
    let stack = &team.stack;
    let answer = RelyingParty::default().sign_in(stack, &team.lee).await;
    let token = answer.access_token().unwrap();
    let bare = stack.call(PROVIDER, Call::get("/oidc/userinfo")).await;
    assert_eq!((bare.status, &*bare.headers["www-authenticate"]), (401, "Bearer"));
    for call in [
        Call::get("/oidc/userinfo").query(&format!("access_token={token}")),
        Call::post("/oidc/userinfo").form(&[("access_token", token)]),
        Call::get("/oidc/userinfo").session(&team.lee),
    ] {
        assert_eq!(stack.call(PROVIDER, call).await.status, 401);
    }
    for wrong in ["A".repeat(43), format!("{token}A"), answer.id_token().unwrap().to_owned(), team.lee.clone()] {
        let refused = userinfo(stack, &wrong).await;
        assert_eq!(refusal(&refused), (401, Some("invalid_token")), "{wrong}");
        assert_eq!(refused.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
        assert_eq!(refused.headers["cache-control"], "no-store");
    }
    stack.advance_clock(299);
    assert_eq!(userinfo(stack, token).await.status, 200);
    stack.advance_clock(1);
    assert_eq!(refusal(&userinfo(stack, token).await), (401, Some("invalid_token")));
}

/// An act that ends Mo's sessions.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Change,
    Reset,
    Removal,
    End,
}

impl Ending {
    async fn happen(self, team: &Team) {
        match self {
            Self::Change => {
                let body = json!({ "new_password": NEXT, "current_password": MOS });
                let answer =
                    team.stack.call("reset-password", Call::post("/reset-password").session(&team.mo).json(&body));
                assert_eq!(answer.await.status, 200);
            }
            Self::Reset => drop(team.reset_mo().await),
            Self::Removal => team.remove_mo().await,
            Self::End => team.stack.end_subscription(ended("sub-1")).await,
        }
    }
}

#[tokio::test]
async fn a_code_and_a_token_end_with_what_ends_sessions() {
    for ending in [Ending::Change, Ending::Reset, Ending::Removal, Ending::End] {
        let team = Team::start().await;
        let stack = &team.stack;
        let party = RelyingParty::default();
        let signed_in = party.sign_in(stack, &team.mo).await;
        let lees = party.sign_in(stack, &team.lee).await;
        let code = party.code(stack, &team.mo).await;
        ending.happen(&team).await;
        assert_eq!(refusal(&party.redeem(stack, &code).await), (400, Some("invalid_grant")), "{ending:?}");
        let token = signed_in.access_token().unwrap();
        assert_eq!(refusal(&userinfo(stack, token).await), (401, Some("invalid_token")), "{ending:?}");
        let lees = userinfo(stack, lees.access_token().unwrap()).await.status;
        assert_eq!(lees, if matches!(ending, Ending::End) { 401 } else { 200 }, "{ending:?}");
    }
}

// Keys, and failures of AWS.

#[tokio::test]
async fn while_a_key_is_replaced_both_are_published_and_the_first_signs() {
    let team = Team::start().await;
    let stack = &team.stack;
    let [one, two] = SIGNING_KEYS;
    let party = RelyingParty::default();
    let old = party.sign_in(stack, &team.lee).await.id_token().unwrap().to_owned();
    let keys_of = |set: &Value| {
        let keys: JwkSet = serde_json::from_value(set.clone()).unwrap();
        for key in &keys.keys {
            let thumbprint = key.thumbprint(ThumbprintHash::SHA256).unwrap();
            assert_eq!(key.common.key_id.as_deref(), Some(&*thumbprint));
        }
        keys.keys.into_iter().map(|key| key.common.key_id.unwrap()).collect::<Vec<_>>()
    };
    let before = published_keys(stack).await;
    let (first, _) = verified(&old, &before).unwrap();
    assert_eq!(keys_of(&before), [&*first]);
    let mut second = String::new();
    for (setting, published) in [(format!("{one},{two}"), 2), (format!("{two},{one}"), 2), (two.to_owned(), 1)] {
        let machine = stack.separate_machine_with("", &[("SIGNING_KEYS", &setting)]);
        let set = machine.call(PROVIDER, Call::get("/oidc/jwks")).await;
        assert_eq!(set.headers["cache-control"], "public, max-age=300");
        let published_now = keys_of(&set.body);
        let code = party.code(stack, &team.lee).await;
        let answer = machine.call(PROVIDER, party.redemption(&code)).await;
        let (signed_by, _) = verified(answer.id_token().unwrap(), &set.body).unwrap();
        assert_eq!((published_now.len(), &published_now[0]), (published, &signed_by), "{setting}");
        assert_eq!(verified(&old, &set.body).is_some(), published == 2, "{setting}: a token of the time before");
        second = signed_by;
    }
    assert_ne!(first, second);
}

#[tokio::test]
async fn with_a_disabled_key_no_code_is_spent() {
    for has_signed_before in [false, true] {
        let team = Team::start().await;
        let stack = &team.stack;
        let party = RelyingParty::default();
        if has_signed_before {
            party.sign_in(stack, &team.lee).await;
        }
        let code = party.code(stack, &team.lee).await;
        let tokens = stack.items("TOKEN").await;
        stack.cloud.disable_signing_key(SIGNING_KEYS[0], true);
        let answer = party.redeem(stack, &code).await;
        assert_eq!(refusal(&answer), (503, Some("server_error")), "the key may be enabled again: {answer:?}");
        assert_eq!(answer.headers["cache-control"], "no-store");
        let keys = stack.call(PROVIDER, Call::get("/oidc/jwks")).await;
        if has_signed_before {
            assert_eq!(keys.status, 200, "the keys are kept");
        } else {
            assert_eq!(outcome(&keys), (503, Some("unavailable")));
            assert_eq!(keys.headers["cache-control"], "no-store", "a failure is not cached");
        }
        assert_eq!(stack.items("TOKEN").await, tokens);
        stack.cloud.disable_signing_key(SIGNING_KEYS[0], false);
        assert_eq!(party.redeem(stack, &code).await.status, 200, "nothing was spent");
    }
}

#[tokio::test]
async fn while_aws_fails_the_product_may_try_again_and_the_code_stays_good() {
    for (service, operation) in [
        (Service::Kms, "GetPublicKey"),
        (Service::Kms, "Sign"),
        (Service::DynamoDb, "GetItem"),
        (Service::DynamoDb, "BatchGetItem"),
        (Service::DynamoDb, "TransactWriteItems"),
    ] {
        let team = Team::start().await;
        let stack = &team.stack;
        let party = RelyingParty::default();
        let code = party.code(stack, &team.lee).await;
        stack.cloud.set_fault(Fault::new(service, operation, Mode::Refused, 100_000));
        let answer = party.redeem(stack, &code).await;
        assert_eq!(refusal(&answer), (503, Some("server_error")), "{operation}: {answer:?}");
        assert_eq!((&*answer.headers["retry-after"], &*answer.headers["cache-control"]), ("1", "no-store"));
        stack.cloud.set_fault(Fault::new(service, operation, Mode::Refused, 0));
        assert_eq!(party.redeem(stack, &code).await.status, 200, "{operation}");
        assert_eq!(stack.items("TOKEN").await.len(), 1, "{operation}");
    }
}

#[tokio::test]
async fn a_lost_answer_of_the_table_is_the_same_redemption() {
    let team = Team::start().await;
    let lost = |operation| Fault::new(Service::DynamoDb, operation, Mode::LostResponse, 100_000).on_attempt(1);
    for operation in ["PutItem", "TransactWriteItems"] {
        team.stack.cloud.set_fault(lost(operation));
    }
    let answer = RelyingParty::default().sign_in(&team.stack, &team.lee).await;
    assert_eq!(userinfo(&team.stack, answer.access_token().unwrap()).await.status, 200);
    assert_eq!((team.stack.items("CODE").await.len(), team.stack.items("TOKEN").await.len()), (1, 1));
}

#[tokio::test]
async fn while_the_table_fails_pages_and_userinfo_say_so() {
    let team = Team::start().await;
    let stack = &team.stack;
    let party = RelyingParty::default();
    let query = party.begin(stack).await;
    let answer = party.sign_in(stack, &team.lee).await;
    let token = answer.access_token().unwrap();
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::Refused, 100_000));
    assert_eq!(outcome(&userinfo(stack, token).await), (503, Some("unavailable")));
    let asked = Call::continue_to_product(&query, &team.lee);
    for call in [asked, Call::confirm_product(&query, &team.lee, &team.lees_id)] {
        let page = stack.call(PROVIDER, call).await;
        assert_eq!(page.status, 503);
        assert!(!html(&page).contains("http-equiv=\"refresh\""), "{page:?}");
    }
    party.begin(stack).await;
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::Refused, 0));
    assert_eq!(stack.items("CODE").await.len(), 1);
}

#[tokio::test]
async fn no_answer_but_discovery_and_keys_may_be_cached() {
    let team = Team::start().await;
    let stack = &team.stack;
    let party = RelyingParty::default();
    let query = party.begin(stack).await;
    let confirmed = Call::confirm_product(&query, &team.lee, &team.lees_id);
    let silent = party.clone().with("prompt", "none").authorize();
    for call in [
        party.authorize(),
        party.clone().with("client_id", "stranger").authorize(),
        party.clone().with("scope", "email").authorize(),
        silent.clone(),
        silent.session(&team.lee),
        Call::continue_to_product(&query, ""),
        Call::continue_to_product(&query, &team.lee),
        confirmed,
        party.redemption(&party.code(stack, &team.lee).await),
        party.redemption("unknown"),
        Call::userinfo("unknown"),
        Call::get("/oidc/unknown"),
    ] {
        let answer = stack.call(PROVIDER, call).await;
        assert_eq!(answer.headers["cache-control"], "no-store", "{answer:?}");
    }
}

#[tokio::test]
async fn the_style_of_the_pages_is_served_by_the_portal() {
    let team = Team::start().await;
    let page = html(&RelyingParty::default().ask(&team.stack, &team.lee).await);
    let assets: Vec<_> = page.split("href=\"/assets/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(assets.iter().any(|asset| asset.starts_with("style.")), "{page}");
    for asset in assets {
        let answer = team.stack.call("portal", Call::get(&format!("/assets/{asset}"))).await;
        assert_eq!(answer.status, 200, "{asset}");
    }
}
