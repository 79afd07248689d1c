//! Tests of the OpenID Connect provider over HTTP: discovery, the code flow, tokens, and refused requests.

use std::{error::Error, sync::Arc};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use jsonwebtoken::{DecodingKey, Validation, jwk::JwkSet};
use provider::{Algorithm, Client as Application, Oddities, Options, Person, Provider};
use serde_json::{Value, json};
use tokio::net::TcpListener;

type Outcome = Result<(), Box<dyn Error>>;
type Answer = Response<Bytes>;

const CALLBACK: &str = "http://localhost:9000/auth/callback";
/// The client of operators, and its callback.
const DESK: &str = "firstkey-desk";
const DESK_CALLBACK: &str = "http://127.0.0.1:9004/desk/auth/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// The challenge for [`VERIFIER`]; both are from RFC 7636, appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

async fn provider() -> Result<Provider, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok(Provider::start(listener, options()).await?)
}

fn options() -> Options {
    Options {
        clients: vec![
            client("firstkey", "http://localhost:9000", Value::Null),
            client(DESK, "http://127.0.0.1:9004", json!({ "roles": ["support"] })),
        ],
        data: None,
        seconds_ahead: Arc::default(),
    }
}

fn client(id: &str, redirect_origin: &str, claims: Value) -> Application {
    Application { id: id.to_owned(), redirect_origin: redirect_origin.to_owned(), claims }
}

async fn send(request: Request<Full<Bytes>>) -> Result<Answer, Box<dyn Error>> {
    let (parts, body) = Client::builder(TokioExecutor::new()).build_http().request(request).await?.into_parts();
    Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
}

async fn get(url: &str) -> Result<Answer, Box<dyn Error>> {
    send(Request::get(url).body(Full::default())?).await
}

async fn post_form(url: &str, fields: &[(&str, &str)]) -> Result<Answer, Box<dyn Error>> {
    let request = Request::post(url).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    send(request.body(Full::from(encode(fields)))?).await
}

async fn post_json(url: &str, body: &Value) -> Result<Answer, Box<dyn Error>> {
    let request = Request::post(url).header(header::CONTENT_TYPE, "application/json");
    send(request.body(Full::from(body.to_string()))?).await
}

fn encode(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn body(answer: &Answer) -> Result<Value, Box<dyn Error>> {
    Ok(serde_json::from_slice(answer.body())?)
}

/// Returns the value of a query parameter in the address that the answer redirects to.
fn redirected(answer: &Answer, name: &str) -> Option<String> {
    let location = answer.headers().get(header::LOCATION)?.to_str().ok()?;
    let query = location.strip_prefix(CALLBACK).or(location.strip_prefix(DESK_CALLBACK))?.strip_prefix('?')?;
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Returns a valid request for a code with some parameters changed; an empty value removes a parameter.
fn request<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let valid = [
        ("response_type", "code"),
        ("client_id", "firstkey"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid email"),
        ("state", "st&te"),
        ("nonce", "n-1"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let unchanged = valid.into_iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    unchanged.chain(changes.iter().copied().filter(|(_, value)| !value.is_empty())).collect()
}

async fn code(provider: &Provider) -> Result<String, Box<dyn Error>> {
    code_with(provider, &[]).await
}

async fn code_with(provider: &Provider, changes: &[(&str, &str)]) -> Result<String, Box<dyn Error>> {
    let mut fields = request(changes);
    fields.push(("email", "dana@fabrikam.example"));
    let answer = post_form(&format!("{}/authorize", provider.issuer()), &fields).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(redirected(&answer, "state").as_deref(), Some("st&te"));
    redirected(&answer, "code").ok_or_else(|| "no code".into())
}

async fn redeem(provider: &Provider, code: &str, changes: &[(&str, &str)]) -> Result<Answer, Box<dyn Error>> {
    let valid = [
        ("grant_type", "authorization_code"),
        ("client_id", "firstkey"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let unchanged = valid.into_iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    let fields: Vec<_> = unchanged.chain(changes.iter().copied()).collect();
    post_form(&format!("{}/token", provider.issuer()), &fields).await
}

/// Verifies a token of the first client with the key of the published set that its `kid` names, and returns its claims.
async fn verify(provider: &Provider, token: &str) -> Result<Value, Box<dyn Error>> {
    verify_for(provider, "firstkey", token).await
}

async fn verify_for(provider: &Provider, client: &str, token: &str) -> Result<Value, Box<dyn Error>> {
    let keys: JwkSet = serde_json::from_slice(get(&format!("{}/jwks", provider.issuer())).await?.body())?;
    let header = jsonwebtoken::decode_header(token)?;
    let key = keys.find(header.kid.as_deref().ok_or("no kid")?).ok_or("unknown kid")?;
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[client]);
    validation.set_issuer(&[provider.issuer()]);
    Ok(jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(key)?, &validation)?.claims)
}

#[tokio::test]
async fn discovery_names_the_issuer_and_endpoints_that_answer() -> Outcome {
    let provider = provider().await?;
    let document = body(&get(&format!("{}/.well-known/openid-configuration", provider.issuer())).await?)?;
    assert_eq!(document["issuer"], provider.issuer());
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    let at = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(body(&get(&at("jwks_uri")).await?)?, provider.jwks());
    let asked = get(&format!("{}?{}", at("authorization_endpoint"), encode(&request(&[])))).await?;
    assert_eq!(asked.status(), StatusCode::OK);
    assert_eq!(post_form(&at("token_endpoint"), &[]).await?.status(), StatusCode::BAD_REQUEST);
    assert_eq!(get(&at("end_session_endpoint")).await?.status(), StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn the_code_flow_returns_an_id_token_with_the_nonce() -> Outcome {
    let provider = provider().await?;
    let code = code(&provider).await?;
    let answer = redeem(&provider, &code, &[]).await?;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    let claims = verify(&provider, body(&answer)?["id_token"].as_str().ok_or("no token")?).await?;
    assert_eq!(claims["email"], "dana@fabrikam.example");
    assert_eq!(claims["email_verified"], true);
    assert_eq!(claims["nonce"], "n-1");
    Ok(())
}

#[tokio::test]
async fn a_code_works_once() -> Outcome {
    let provider = provider().await?;
    let code = code(&provider).await?;
    assert_eq!(redeem(&provider, &code, &[]).await?.status(), StatusCode::OK);
    let again = redeem(&provider, &code, &[]).await?;
    assert_eq!(again.status(), StatusCode::BAD_REQUEST);
    assert_eq!(body(&again)?["error"], "invalid_grant");
    Ok(())
}

#[tokio::test]
async fn a_code_is_valid_only_with_its_verifier_redirect_uri_and_client() -> Outcome {
    let provider = provider().await?;
    for (change, error) in [
        (("code_verifier", "another-verifier-that-is-long-enough-for-the-rfc"), "invalid_grant"),
        (("redirect_uri", "http://localhost:9000/elsewhere"), "invalid_grant"),
        (("client_id", "another"), "invalid_client"),
        (("client_id", DESK), "invalid_grant"),
        (("grant_type", "password"), "unsupported_grant_type"),
        (("code", "guessed"), "invalid_grant"),
    ] {
        let code = code(&provider).await?;
        let answer = redeem(&provider, &code, &[change]).await?;
        assert_eq!((answer.status(), &body(&answer)?["error"]), (StatusCode::BAD_REQUEST, &json!(error)), "{change:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_invalid_request_for_a_code_is_redirected_with_an_error() -> Outcome {
    let provider = provider().await?;
    for (change, error) in [
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("response_mode", "form_post"), "invalid_request"),
        (("scope", "email"), "invalid_scope"),
        (("prompt", "none"), "login_required"),
    ] {
        let url = format!("{}/authorize?{}", provider.issuer(), encode(&request(&[change])));
        let answer = get(&url).await?;
        assert_eq!(redirected(&answer, "error").as_deref(), Some(error), "{change:?}");
        assert_eq!(redirected(&answer, "state").as_deref(), Some("st&te"), "{change:?}");
    }
    Ok(())
}

#[tokio::test]
async fn browsers_are_never_redirected_to_an_unknown_address_or_client() -> Outcome {
    let provider = provider().await?;
    let url = format!("{}/authorize", provider.issuer());
    for change in [
        ("redirect_uri", "http://evil.example/"),
        ("redirect_uri", ""),
        ("redirect_uri", DESK_CALLBACK),
        ("client_id", "another"),
        ("client_id", DESK),
    ] {
        let mut fields = request(&[change]);
        let asked = get(&format!("{url}?{}", encode(&fields))).await?;
        fields.push(("email", "dana@fabrikam.example"));
        for answer in [asked, post_form(&url, &fields).await?] {
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{change:?}");
            assert!(!answer.headers().contains_key(header::LOCATION));
        }
    }
    let evil = format!("{}/sign-out?post_logout_redirect_uri=http://evil.example/", provider.issuer());
    assert_eq!(get(&evil).await?.status(), StatusCode::BAD_REQUEST);
    let home = format!("{}/sign-out?post_logout_redirect_uri=http://localhost:9000/&state=s", provider.issuer());
    assert_eq!(get(&home).await?.headers()[header::LOCATION], "http://localhost:9000/?state=s");
    Ok(())
}

#[tokio::test]
async fn the_sign_in_page_escapes_request_parameters() -> Outcome {
    let provider = provider().await?;
    let hostile = "\"><script>alert(1)</script>";
    let fields = request(&[("state", hostile), ("login_hint", hostile), ("prompt", "login")]);
    let answer = get(&format!("{}/authorize?{}", provider.issuer(), encode(&fields))).await?;
    let page = String::from_utf8(answer.body().to_vec())?;
    assert_eq!(page.matches("&quot;&gt;&lt;script&gt;").count(), 2);
    assert!(!page.contains("<script>"));
    assert!(answer.headers()[header::CONTENT_SECURITY_POLICY].to_str()?.contains("default-src 'none'"));
    Ok(())
}

#[tokio::test]
async fn tokens_of_both_keys_are_verified_by_their_kid() -> Outcome {
    let provider = provider().await?;
    let url = format!("{}/dev/token", provider.issuer());
    let mut kids = Vec::new();
    for alg in ["RS256", "ES256"] {
        let answer = body(&post_json(&url, &json!({ "email": "kim@fabrikam.example", "alg": alg })).await?)?;
        let token = answer["id_token"].as_str().ok_or("no token")?;
        let claims = verify(&provider, token).await?;
        assert_eq!(claims["email"], "kim@fabrikam.example");
        let header: Value =
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().ok_or("")?)?)?;
        assert_eq!(header["alg"], alg);
        kids.push(header["kid"].clone());
    }
    assert_ne!(kids[0], kids[1]);
    Ok(())
}

#[tokio::test]
async fn a_dev_token_has_the_requested_claims() -> Outcome {
    let provider = provider().await?;
    let url = format!("{}/dev/token", provider.issuer());
    let mint = async |person: Value| -> Result<Value, Box<dyn Error>> {
        let answer = body(&post_json(&url, &person).await?)?;
        verify(&provider, answer["id_token"].as_str().ok_or("no token")?).await
    };
    let plain = mint(json!({ "email": "Dana@Fabrikam.example" })).await?;
    let same = mint(json!({ "email": "dana@fabrikam.example" })).await?;
    let other = mint(json!({ "email": "kim@fabrikam.example" })).await?;
    assert_eq!((&plain["sub"], &plain["email_verified"]), (&same["sub"], &json!(true)));
    assert_ne!(plain["sub"], other["sub"]);
    let odd = mint(json!({ "email": "d@x.example", "email_verified": false, "subject": "s-1",
        "claims": { "groups": ["a"], "email_verified": "true", "email": null } }))
    .await?;
    assert_eq!(odd["sub"], "s-1");
    assert_eq!(odd["groups"], json!(["a"]));
    assert_eq!(odd["email_verified"], "true");
    assert_eq!(odd.get("email"), None);
    Ok(())
}

#[tokio::test]
async fn a_token_of_one_client_has_neither_the_audience_nor_the_claims_of_the_other() -> Outcome {
    let provider = provider().await?;
    let desk = [("client_id", DESK), ("redirect_uri", DESK_CALLBACK)];
    let answer = redeem(&provider, &code_with(&provider, &desk).await?, &desk).await?;
    let by_code = body(&answer)?["id_token"].as_str().ok_or("no token")?.to_owned();
    let url = format!("{}/dev/token", provider.issuer());
    let person = json!({ "email": "dana@fabrikam.example", "client": DESK });
    let minted = body(&post_json(&url, &person).await?)?["id_token"].as_str().ok_or("no token")?.to_owned();
    for token in [by_code, minted, provider.token(&Person::at_client(DESK, "dana@fabrikam.example"))] {
        assert!(verify(&provider, &token).await.is_err());
        let claims = verify_for(&provider, DESK, &token).await?;
        assert_eq!((&claims["aud"], &claims["roles"]), (&json!(DESK), &json!(["support"])));
    }
    let customers = verify(&provider, &provider.token(&Person::with_email("dana@fabrikam.example"))).await?;
    assert_eq!((&customers["aud"], customers.get("roles")), (&json!("firstkey"), None));
    Ok(())
}

#[tokio::test]
async fn a_token_says_when_the_person_signed_in() -> Outcome {
    let provider = provider().await?;
    let code = code(&provider).await?;
    provider.advance_clock(30);
    let answer = redeem(&provider, &code, &[]).await?;
    let claims = verify(&provider, body(&answer)?["id_token"].as_str().ok_or("no token")?).await?;
    let (signed_in, issued) =
        (claims["auth_time"].as_i64().ok_or("no time")?, claims["iat"].as_i64().ok_or("no time")?);
    assert!((30..60).contains(&(issued - signed_in)), "{signed_in} {issued}");
    let now = provider.claims(&Person::with_email("dana@fabrikam.example"));
    assert_eq!(now["auth_time"], now["iat"]);
    let person = Person { claims: json!({ "auth_time": 7 }), ..Person::with_email("dana@fabrikam.example") };
    assert_eq!(provider.claims(&person)["auth_time"], 7);
    Ok(())
}

#[tokio::test]
async fn an_invalid_request_for_a_dev_token_is_refused() -> Outcome {
    let provider = provider().await?;
    let url = format!("{}/dev/token", provider.issuer());
    for person in [
        json!({}),
        json!({ "email": "d@x.example", "e-mail": "d@x.example" }),
        json!({ "email": "d@x.example", "claims": [] }),
        json!({ "email": "d@x.example", "alg": "none" }),
        json!({ "email": "d@x.example", "client": "another" }),
    ] {
        assert_eq!(post_json(&url, &person).await?.status(), StatusCode::BAD_REQUEST, "{person}");
    }
    Ok(())
}

#[tokio::test]
async fn a_dev_token_needs_no_json_content_type_and_other_origins_cannot_read_it() -> Outcome {
    let provider = provider().await?;
    let request = Request::post(format!("{}/dev/token", provider.issuer()));
    let request = request.header(header::CONTENT_TYPE, "text/plain").header(header::ORIGIN, "http://evil.example");
    let answer = send(request.body(Full::from(r#"{"email":"d@x.example"}"#))?).await?;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    Ok(())
}

#[tokio::test]
async fn tokens_that_a_verifier_must_reject_can_be_signed() -> Outcome {
    let provider = provider().await?;
    let mut claims = provider.claims(&Person::with_email("dana@fabrikam.example"));
    assert!(verify(&provider, &provider.sign(Algorithm::Es256, &json!({}), &claims)).await.is_ok());
    assert!(verify(&provider, &provider.sign(Algorithm::Es256, &json!({ "kid": null }), &claims)).await.is_err());
    claims["aud"] = "another".into();
    assert!(verify(&provider, &provider.sign(Algorithm::Rs256, &json!({}), &claims)).await.is_err());
    Ok(())
}

#[tokio::test]
async fn keys_are_saved_in_the_data_directory_and_only_the_owner_can_read_them() -> Outcome {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("data");
    let mut sets = Vec::new();
    for _ in 0..2 {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let provider = Provider::start(listener, Options { data: Some(data.clone()), ..options() }).await?;
        let token = provider.token(&Person::with_email("dana@fabrikam.example"));
        assert!(verify(&provider, &token).await.is_ok());
        sets.push(provider.jwks());
    }
    assert_eq!(sets[0], sets[1]);
    let mode = std::fs::metadata(data.join("oidc-keys.json"))?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    Ok(())
}

#[tokio::test]
async fn tokens_are_issued_by_the_clock_of_the_provider() -> Outcome {
    let provider = provider().await?;
    let issued_at = || provider.claims(&Person::with_email("dana@fabrikam.example"))["iat"].as_i64();
    let before = issued_at().ok_or("no iat")?;
    provider.advance_clock(604_800);
    let after = issued_at().ok_or("no iat")?;
    assert!((604_800..604_860).contains(&(after - before)), "{before} {after}");
    Ok(())
}

#[tokio::test]
async fn a_provider_that_withholds_its_documents_or_has_stopped_still_issues_tokens() -> Outcome {
    let provider = provider().await?;
    let withheld = Oddities { metadata_status: Some(503), ..Oddities::default() };
    provider.set_oddities(withheld);
    for path in ["/.well-known/openid-configuration", "/jwks"] {
        assert_eq!(get(&format!("{}{path}", provider.issuer())).await?.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    provider.set_oddities(Oddities::default());
    let jwks = format!("{}/jwks", provider.issuer());
    assert_eq!(get(&jwks).await?.status(), StatusCode::OK);
    provider.stop();
    tokio::task::yield_now().await;
    assert!(get(&jwks).await.is_err());
    let token = provider.token(&Person::with_email("dana@fabrikam.example"));
    assert_eq!(token.split('.').count(), 3);
    Ok(())
}
