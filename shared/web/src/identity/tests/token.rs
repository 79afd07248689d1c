use serde_json::{Value, json};

use super::{
    super::token::{LEEWAY, LONGEST_TOKEN},
    CLIENT, EC, ISSUER, NOW, RSA, Signer, bearer, bearer_at, claims, encode, holding, message, refusal, settings,
    verifier,
};

async fn refused(changes: Value) -> Option<String> {
    refusal(bearer(&verifier(), &RSA.token("rsa", &claims(changes))).await)
}

async fn refused_with_header(signer: &Signer, header: Value) -> Option<String> {
    refusal(bearer(&verifier(), &signer.sign(&header, &claims(json!({})))).await)
}

#[tokio::test]
async fn a_token_of_either_kind_of_key_is_accepted() {
    for token in [RSA.token("rsa", &claims(json!({}))), EC.token("ec", &claims(json!({})))] {
        let caller = bearer(&verifier(), &token).await.ok().unwrap();
        assert_eq!((caller.issuer(), caller.subject()), (ISSUER, "dana"));
        assert_eq!(caller.label(), "dana@fabrikam.example");
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
        assert_eq!(refusal(bearer(&verifier(), &token).await).as_deref(), Some("the token has no valid header"));
    }
}

#[tokio::test]
async fn the_public_key_cannot_be_used_as_a_shared_secret() {
    let header = json!({ "alg": "HS256", "kid": "rsa", "typ": "JWT" });
    let public = RSA.jwk("rsa");
    let shared = json!({ "kty": "oct", "kid": "oct", "alg": "HS256", "k": "c2VjcmV0" });
    let verifier = holding(settings(ISSUER), &[public.clone(), shared]);
    for (secret, kid) in [(public["n"].as_str().unwrap().as_bytes(), "rsa"), (b"secret", "oct")] {
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
    for (signer, algorithm, kid) in
        [(&*RSA, "RS256", "ec"), (&*EC, "ES256", "rsa"), (&*RSA, "ES256", "rsa"), (&*EC, "RS256", "ec")]
    {
        assert_eq!(refused_with_header(signer, json!({ "alg": algorithm, "kid": kid })).await.as_deref(), other);
    }
    let mut bound = RSA.jwk("rsa");
    bound["alg"] = json!("RS256");
    let token = RSA.sign(&json!({ "alg": "RS512", "kid": "rsa" }), &claims(json!({})));
    assert_eq!(refusal(bearer(&verifier(), &token).await), None, "a key without alg");
    assert_eq!(refusal(bearer(&holding(settings(ISSUER), &[bound]), &token).await).as_deref(), other);
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
        changed("n", json!(7)),
        json!({ "kty": "AKP", "kid": "new", "alg": "ML-DSA-44", "pub": "x" }),
        changed("good", json!("extension")),
    ];
    let verifier = holding(settings(ISSUER), &keys);
    assert_eq!(refusal(bearer(&verifier, &RSA.token("good", &claims(json!({})))).await), None);
    let held = super::KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    assert_eq!(["use", "key_ops", "good"].map(|id| held.contains(id)), [false, false, true]);
    let token = RSA.sign(&json!({ "alg": "RS256", "kid": "n" }), &claims(json!({})));
    let broken = holding(settings(ISSUER), &[RSA.jwk("rsa"), changed("n", json!(7))]);
    assert!(bearer(&broken, &token).await.is_err());
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
    for name in ["nbf", "iat"] {
        assert_eq!(refused(json!({ name: NOW + LEEWAY })).await, None, "{name}");
        assert!(refused(json!({ name: NOW + LEEWAY + 1 })).await.is_some(), "{name}");
    }
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
    assert_eq!(refused(json!({ "token_use": "id", "typ": "ID" })).await, None);
    for mark in [json!({ "token_use": "access" }), json!({ "typ": "Bearer" }), json!({ "scp": "access_as_user" })] {
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
