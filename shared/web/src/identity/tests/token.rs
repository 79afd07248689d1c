use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    super::{
        key_set::{self, KeySet},
        token::{LEEWAY, LONGEST_SESSION, LONGEST_TOKEN, TokenRefusal},
    },
    CLIENT, EC, ED, ISSUER, NOW, RSA, Signer, at, bearer, bearer_at, claims, encode, holding, message, refusal,
    settings, verifier,
};

async fn refused(changes: Value) -> Option<String> {
    refusal(bearer(&verifier(), &RSA.token("rsa", &claims(changes))).await)
}

async fn refused_with_header(signer: &Signer, header: Value) -> Option<String> {
    refusal(bearer(&verifier(), &signer.sign(&header, &claims(json!({})))).await)
}

#[tokio::test]
async fn a_token_of_each_kind_of_key_is_accepted() {
    for (signer, kid) in [(&*RSA, "rsa"), (&*EC, "ec"), (&*ED, "ed")] {
        let token = signer.token(kid, &claims(json!({})));
        let caller = bearer(&verifier(), &token).await.ok().unwrap();
        assert_eq!((caller.issuer(), caller.subject()), (ISSUER, "dana"));
        assert_eq!(caller.label().address(), Some("dana@fabrikam.example"));
    }
}

#[tokio::test]
async fn a_token_that_was_changed_after_signing_is_refused() {
    let token = RSA.token("rsa", &claims(json!({})));
    let signature = token.rsplit('.').next().unwrap();
    let header = json!({ "alg": "RS256", "kid": "rsa", "typ": "JWT" });
    let forged = format!("{}.{signature}", message(&header, &claims(json!({ "sub": "kim" }))));
    assert_eq!(refusal(bearer(&verifier(), &forged).await).as_deref(), Some("the signature is not valid"));
    for broken in
        ["", ".", "..", "a.b.c", &token[..token.len() - 20], &format!("{token}.x"), &format!("{token}="), "\u{e4}"]
    {
        assert!(refusal(bearer(&verifier(), broken).await).is_some(), "{broken}");
    }
}

#[tokio::test]
async fn algorithms_without_a_public_key_are_refused() {
    let none = json!({ "alg": "none", "kid": "rsa", "typ": "JWT" });
    for token in [format!("{}.", message(&none, &claims(json!({})))), RSA.sign(&none, &claims(json!({})))] {
        assert_eq!(refusal(bearer(&verifier(), &token).await).as_deref(), Some("the algorithm is not accepted"));
    }
    for algorithm in ["None", "ES512", "ES256K", "Ed448", "HS512", ""] {
        let token = RSA.sign(&json!({ "alg": algorithm, "kid": "rsa" }), &claims(json!({})));
        assert_eq!(refusal(bearer(&verifier(), &token).await).as_deref(), Some("the algorithm is not accepted"));
    }
}

#[tokio::test]
async fn the_public_key_cannot_be_used_as_a_shared_secret() {
    let header = json!({ "alg": "HS256", "kid": "rsa", "typ": "JWT" });
    let public = RSA.jwk("rsa");
    let shared = json!({ "kty": "oct", "kid": "oct", "alg": "HS256", "k": "c2VjcmV0" });
    let verifier = holding(settings(ISSUER), &[public.clone(), ED.jwk("ed"), shared]);
    let edwards = ED.jwk("ed");
    let secrets = [
        (public["n"].as_str().unwrap().as_bytes(), "rsa"),
        (edwards["x"].as_str().unwrap().as_bytes(), "ed"),
        (b"secret", "oct"),
    ];
    for (secret, kid) in secrets {
        let header = json!({ "alg": "HS256", "kid": kid, "typ": header["typ"] });
        let message = message(&header, &claims(json!({})));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        let token = format!("{message}.{}", encode(aws_lc_rs::hmac::sign(&key, message.as_bytes()).as_ref()));
        assert_eq!(refusal(bearer(&verifier, &token).await).as_deref(), Some("the algorithm is not accepted"));
    }
}

#[tokio::test]
async fn a_key_verifies_its_own_algorithm_only() {
    let other = Some("the key is of another algorithm");
    let algorithms = [(&*RSA, "RS256", "rsa"), (&*EC, "ES256", "ec"), (&*ED, "EdDSA", "ed")];
    for (signer, own, own_key) in algorithms {
        for (_, algorithm, kid) in algorithms.into_iter().filter(|(_, _, kid)| *kid != own_key) {
            let named = |algorithm: &str, kid: &str| json!({ "alg": algorithm, "kid": kid });
            assert_eq!(refused_with_header(signer, named(own, kid)).await.as_deref(), other, "{own} with {kid}");
            assert_eq!(refused_with_header(signer, named(algorithm, own_key)).await.as_deref(), other);
            let forged = refused_with_header(signer, named(algorithm, kid)).await;
            assert_eq!(forged.as_deref(), Some("the signature is not valid"), "{own} as {algorithm}");
        }
    }
    let mut bound = RSA.jwk("rsa");
    bound["alg"] = json!("RS256");
    let token = RSA.sign(&json!({ "alg": "RS512", "kid": "rsa" }), &claims(json!({})));
    assert_eq!(refusal(bearer(&verifier(), &token).await), None, "a key without alg");
    assert_eq!(refusal(bearer(&holding(settings(ISSUER), &[bound]), &token).await).as_deref(), other);
    // RFC 9864 gives EdDSA with this curve the name of the curve.
    let mut renamed = ED.jwk("ed");
    renamed["alg"] = json!("Ed25519");
    let token = ED.token("ed", &claims(json!({})));
    assert_eq!(refusal(bearer(&holding(settings(ISSUER), &[renamed]), &token).await), None);
}

#[tokio::test]
async fn unsupported_keys_and_keys_that_are_not_for_signatures_are_ignored() {
    let changed = |name: &str, value: Value| {
        let mut key = RSA.jwk(name);
        key["use"] = json!("sig");
        key["key_ops"] = json!(["verify"]);
        key[name] = value;
        key
    };
    let keys = [
        changed("use", json!("enc")),
        changed("key_ops", json!(["encrypt"])),
        json!({ "kty": "AKP", "kid": "new", "alg": "ML-DSA-44", "pub": "x" }),
        changed("good", json!("extension")),
    ];
    let verifier = holding(settings(ISSUER), &keys);
    assert_eq!(refusal(bearer(&verifier, &RSA.token("good", &claims(json!({})))).await), None);
    let held = KeySet::parse(&json!({ "keys": keys }).to_string()).unwrap();
    assert_eq!(["use", "key_ops", "new", "good"].map(|id| held.contains(Some(id))), [false, false, false, true]);
}

#[test]
fn a_set_has_only_keys_that_can_verify_a_signature() {
    let is_usable = |key: &Value| {
        let document = json!({ "keys": [key] }).to_string();
        let reduced = key_set::reduced(document.as_bytes());
        assert_eq!(reduced.is_some(), KeySet::parse(&document).is_some(), "{key}");
        reduced.is_some()
    };
    let changed = |signer: &Signer, name: &str, value: Value| {
        let mut key = signer.jwk("key");
        key[name] = value;
        key
    };
    let number = |bytes: &[u8]| json!(encode(bytes));
    for signer in [&*RSA, &*EC, &*ED] {
        assert!(is_usable(&signer.jwk("key")), "{}", signer.jwk("key"));
    }
    let small = [&[0; 128][..], &[255; 128]].concat();
    let moduli = [
        json!(7),
        json!(""),
        json!("*"),
        number(&[255; 255]),
        number(&small),
        number(&[254; 256]),
        number(&[255; 1025]),
    ];
    let exponents = [json!(""), number(&[0, 0]), number(&[1]), number(&[1, 0]), number(&[1, 0, 0, 0, 1])];
    let rsa = moduli.map(|n| changed(&RSA, "n", n)).into_iter().chain(exponents.map(|e| changed(&RSA, "e", e)));
    let coordinates = [json!(""), json!("*"), number(&[1; 31]), number(&[1; 32]), number(&[1; 33])];
    let ec =
        ["x", "y"].into_iter().flat_map(|name| coordinates.iter().map(move |value| changed(&EC, name, value.clone())));
    let ed = [json!(""), json!("*"), number(&[1; 31]), number(&[1; 33])].map(|x| changed(&ED, "x", x));
    for key in rsa.chain(ec).chain(ed).chain([changed(&EC, "crv", json!("P-384"))]) {
        assert!(!is_usable(&key), "{key}");
    }
    let nameless = [RSA.jwk("key"), EC.jwk("key")].map(|mut key| {
        key["kid"] = Value::Null;
        key
    });
    assert!(nameless.iter().all(is_usable));
    assert!(
        key_set::reduced(json!({ "keys": nameless }).to_string().as_bytes()).is_none(),
        "no token can mean one of them"
    );
}

#[tokio::test]
async fn an_rsa_key_whose_numbers_have_leading_zeros_verifies() {
    let mut key = RSA.jwk("rsa");
    for name in ["n", "e"] {
        let number = BASE64_URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
        key[name] = json!(encode(&[&[0], &*number].concat()));
    }
    let token = RSA.token("rsa", &claims(json!({})));
    assert_eq!(refusal(bearer(&holding(settings(ISSUER), &[key]), &token).await), None);
}

#[tokio::test]
async fn the_header_must_name_a_known_key_and_cannot_supply_one() {
    assert_eq!(refused_with_header(&RSA, json!({ "alg": "RS256" })).await.as_deref(), Some("the token names no key"));
    let own = json!({ "alg": "ES256", "kid": "rsa", "jwk": EC.jwk("rsa") });
    assert!(refused_with_header(&EC, own).await.is_some());
    let critical = json!({ "alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": false });
    assert_eq!(refused_with_header(&RSA, critical).await.as_deref(), Some("the header demands an extension"));
}

#[tokio::test]
async fn a_token_may_name_no_key_if_the_provider_has_only_one() {
    let unnamed = |signer: &Signer| signer.sign(&json!({ "alg": signer.algorithm() }), &claims(json!({})));
    let outcome = |keys: Vec<Value>, token: String| async move {
        refusal(bearer(&holding(settings(ISSUER), &keys), &token).await)
    };
    let mut without_id = RSA.jwk("rsa");
    without_id.as_object_mut().unwrap().remove("kid");
    for key in [RSA.jwk("rsa"), without_id.clone()] {
        assert_eq!(outcome(vec![key], unnamed(&RSA)).await, None);
    }
    let mut for_encryption = EC.jwk("enc");
    for_encryption["use"] = json!("enc");
    assert_eq!(outcome(vec![RSA.jwk("rsa"), for_encryption.clone()], unnamed(&RSA)).await, None);
    let two = vec![RSA.jwk("rsa"), EC.jwk("ec")];
    assert_eq!(outcome(two, unnamed(&RSA)).await.as_deref(), Some("the token names no key"));
    for key in [RSA.jwk("rsa"), without_id] {
        let set = KeySet::parse(&json!({ "keys": [key] }).to_string()).unwrap();
        assert!(set.contains(None) && !set.contains(Some("other")), "a token that names another key stays refused");
    }
    let another = outcome(vec![EC.jwk("ec")], unnamed(&RSA)).await;
    assert_eq!(another.as_deref(), Some("the key is of another algorithm"));
    let stranger = Signer::Ed(aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap());
    let forged = outcome(vec![ED.jwk("ed")], unnamed(&stranger)).await;
    assert_eq!(forged.as_deref(), Some("the signature is not valid"));
    let keys = json!({ "keys": [for_encryption] }).to_string();
    assert!(KeySet::parse(&keys).is_none(), "a key for encryption verifies nothing");
}

#[tokio::test]
async fn the_type_is_absent_or_jwt() {
    let with = |typ: Value| refused_with_header(&RSA, json!({ "alg": "RS256", "kid": "rsa", "typ": typ }));
    assert_eq!(refused_with_header(&RSA, json!({ "alg": "RS256", "kid": "rsa" })).await, None);
    for typ in ["JWT", "jwt", "application/jwt"] {
        assert_eq!(with(json!(typ)).await, None, "{typ}");
    }
    for typ in ["at+jwt", "application/at+jwt", "logout+jwt", "JOSE", ""] {
        assert_eq!(with(json!(typ)).await.as_deref(), Some("the token is of another type"), "{typ}");
    }
}

#[tokio::test]
async fn a_token_is_valid_until_the_second_of_its_expiry() {
    let token = RSA.token("rsa", &claims(json!({ "exp": NOW + 5 })));
    assert_eq!(refusal(bearer_at(&verifier(), &token, NOW + 4).await), None);
    assert_eq!(refusal(bearer_at(&verifier(), &token, NOW + 5).await).as_deref(), Some("expired"));
    assert_eq!(refused(json!({ "exp": null })).await.as_deref(), Some("expired"));
    assert_eq!(refused(json!({ "exp": "never" })).await.as_deref(), Some("a time is not a number"));
    #[expect(clippy::cast_precision_loss, reason = "the time is small enough")]
    let parts = NOW as f64 + 0.9;
    assert_eq!(refused(json!({ "exp": parts })).await.as_deref(), Some("expired"));
}

#[tokio::test]
async fn the_clock_of_the_provider_may_be_a_minute_ahead() {
    for (name, reason) in [("nbf", "not valid yet"), ("iat", "issued in the future")] {
        assert_eq!(refused(json!({ name: NOW + LEEWAY })).await, None, "{name}");
        for ahead in [NOW + LEEWAY + 1, NOW * 1000, i64::MAX] {
            assert_eq!(refused(json!({ name: ahead })).await.as_deref(), Some(reason), "{name}");
        }
    }
}

#[tokio::test]
async fn a_token_is_a_session_for_12_hours_after_its_issue_whatever_its_expiry() {
    let far = NOW + 400_000_000;
    let token = RSA.token("rsa", &claims(json!({ "iat": NOW, "exp": far })));
    let cookie = format!("__Host-customer={token}");
    for headers in [[("authorization", format!("Bearer {token}"))], [("cookie", cookie)]] {
        let [(name, value)] = &headers;
        let customer = |seconds| {
            let request = super::request("GET", &[(*name, value.as_str())]);
            async move { verifier().customer(&request, at(seconds)).await }
        };
        let last = customer(NOW + LONGEST_SESSION - 1).await.ok().unwrap();
        assert_eq!(last.expires_at, at(NOW + 12 * 3600), "the cookie ends with the session");
        let refused = customer(NOW + LONGEST_SESSION).await.err().unwrap();
        assert_eq!(refused.token_refusal(), Some(TokenRefusal::TooOld), "{name}");
    }
    assert_eq!(refused(json!({ "iat": i64::MIN, "exp": far })).await.as_deref(), Some("issued over 12 hours ago"));
    assert_eq!(refused(json!({ "iat": NOW - 50_000, "exp": NOW - 1 })).await.as_deref(), Some("expired"));
    let unknown = refused(json!({ "iat": null, "exp": far })).await;
    assert_eq!(unknown.as_deref(), Some("the token does not say when it was issued"));
    assert_eq!(refused(json!({ "iat": "today" })).await.as_deref(), Some("a time is not a number"));
}

#[tokio::test]
async fn a_token_must_have_the_right_issuer_audience_and_party() {
    assert_eq!(refused(json!({ "iss": format!("{ISSUER}/") })).await.as_deref(), Some("another issuer"));
    assert_eq!(refused(json!({ "iss": null })).await.as_deref(), Some("another issuer"));
    let accepted = [
        json!({ "aud": [CLIENT] }),
        json!({ "aud": CLIENT, "azp": CLIENT }),
        json!({ "aud": ["other", CLIENT], "azp": CLIENT }),
    ];
    for changes in accepted {
        assert_eq!(refused(changes.clone()).await, None, "{changes}");
    }
    let others = [
        json!({ "aud": null }),
        json!({ "aud": "other" }),
        json!({ "aud": [] }),
        json!({ "aud": format!("{CLIENT}2") }),
        json!({ "aud": { CLIENT: true } }),
        json!({ "aud": CLIENT, "azp": "other" }),
        json!({ "aud": CLIENT, "azp": [CLIENT] }),
        json!({ "aud": ["other", CLIENT] }),
        json!({ "aud": ["other", CLIENT], "azp": "other" }),
    ];
    for changes in others {
        assert_eq!(refused(changes.clone()).await.as_deref(), Some("another audience"), "{changes}");
    }
}

#[tokio::test]
async fn an_access_token_is_not_accepted_as_an_id_token() {
    for kind in ["ID", "Id", "id"] {
        assert_eq!(refused(json!({ "token_use": "id", "typ": kind, "tty": kind })).await, None, "{kind}");
    }
    let marks = [
        json!({ "token_use": "access" }),
        json!({ "typ": "Bearer" }),
        json!({ "typ": "at+jwt" }),
        json!({ "typ": "Refresh" }),
        json!({ "typ": ["ID"] }),
        json!({ "typ": "" }),
        json!({ "tty": "access" }),
        json!({ "tty": 7 }),
        json!({ "idtyp": "user" }),
        json!({ "idtyp": "app" }),
        json!({ "scp": "access_as_user" }),
    ];
    for mark in marks {
        assert_eq!(refused(mark.clone()).await.as_deref(), Some("an access token"), "{mark}");
    }
    let cognito = json!({ "aud": null, "client_id": CLIENT, "token_use": "access" });
    assert!(refused(cognito).await.is_some());
}

#[tokio::test]
async fn a_token_must_name_one_person() {
    for subject in [json!(null), json!(""), json!("x".repeat(256))] {
        assert_eq!(refused(json!({ "sub": subject })).await.as_deref(), Some("the token names no person"));
    }
    for subject in [json!(7), json!(["dana"])] {
        assert!(refused(json!({ "sub": subject })).await.is_some(), "{subject}");
    }
}

#[tokio::test]
async fn a_token_over_the_limit_of_the_gateway_is_not_parsed() {
    let token = RSA.token("rsa", &claims(json!({ "picture": "x".repeat(LONGEST_TOKEN) })));
    assert_eq!(refusal(bearer(&verifier(), &token).await).as_deref(), Some("the token is too long"));
}

#[tokio::test]
async fn a_problem_has_the_reason_of_the_refusal_and_no_other_problem_has_one() {
    let problem = |changes: Value| async move {
        bearer(&verifier(), &RSA.token("rsa", &claims(changes))).await.err().unwrap().token_refusal()
    };
    assert_eq!(problem(json!({ "aud": "other" })).await, Some(TokenRefusal::Audience));
    assert_eq!(problem(json!({ "iat": NOW + 120 })).await, Some(TokenRefusal::IssuedInTheFuture));
    assert_eq!(problem(json!({ "exp": NOW })).await, Some(TokenRefusal::Expired));
    let header = json!({ "alg": "HS256", "kid": "rsa" });
    let unsigned = bearer(&verifier(), &RSA.sign(&header, &claims(json!({})))).await.err().unwrap();
    assert_eq!(unsigned.token_refusal(), Some(TokenRefusal::Algorithm));
    let token = RSA.token("rsa", &claims(json!({})));
    let refused = |token: String| async move {
        verifier()
            .customer_for_nonce(&token, "n", crate::identity::Deadline::start(), at(NOW))
            .await
            .err()
            .unwrap()
            .token_refusal()
    };
    assert_eq!(refused(token).await, Some(TokenRefusal::NonceMissing));
    let other = RSA.token("rsa", &claims(json!({ "nonce": "m" })));
    assert_eq!(refused(other).await, Some(TokenRefusal::NonceOfAnotherRequest));
    assert_eq!(crate::Problem::new(crate::ProblemCode::Internal).because("x").token_refusal(), None);
}

#[tokio::test]
async fn an_address_that_is_no_single_text_leaves_the_person_known_by_the_subject() {
    for email in
        [json!(null), json!(["dana@fabrikam.example"]), json!(7), json!({}), json!(""), json!("dana"), json!(true)]
    {
        let token = RSA.token("rsa", &claims(json!({ "email": email })));
        let request = super::request("GET", &[("authorization", &format!("Bearer {token}"))]);
        let customer = verifier().customer(&request, at(NOW)).await.ok().unwrap();
        assert_eq!(customer.caller.principals(), [domain::Principal::subject(ISSUER, "dana")], "{email}");
        assert!(customer.unconfirmed_address.is_none() && customer.caller.label().address().is_none(), "{email}");
    }
    // An explicit null is no text either.
    let mut with_null = claims(json!({}));
    with_null["email"] = Value::Null;
    assert!(bearer(&verifier(), &RSA.token("rsa", &with_null)).await.ok().unwrap().email().is_none());
}
