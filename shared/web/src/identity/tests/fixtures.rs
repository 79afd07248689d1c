//! Tokens of the shapes of real providers, and exactly the principals that they give.

use domain::{EmailAddress, Principal};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{CLIENT, NOW, ORIGIN, RSA, bearer, claims, code, holding};
use crate::{identity::IdentitySettings, problem::ProblemCode};

const FIXTURES: [(&str, &str); 4] = [
    ("cognito", include_str!("fixtures/cognito.json")),
    ("entra", include_str!("fixtures/entra.json")),
    ("google", include_str!("fixtures/google.json")),
    ("okta", include_str!("fixtures/okta.json")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    /// The source of the shape.
    #[expect(dead_code, reason = "for people")]
    source: String,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    settings: Settings,
    /// The changed claims. Null removes a claim.
    #[serde(default)]
    claims: Map<String, Value>,
    /// The expected caller. Absent if the token is refused.
    principals: Option<Expected>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    email_trust: Option<String>,
    subject_claim: Option<String>,
    organization_claim: Option<String>,
    organization_role: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    subject: String,
    email: Option<String>,
    /// The other address of a mailbox of Google.
    other_email: Option<String>,
    #[serde(default)]
    organizations: Vec<String>,
}

impl Case {
    fn settings(&self, issuer: &str, client_id: &str) -> IdentitySettings {
        IdentitySettings {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            public_origin: ORIGIN.to_owned(),
            email_trust: self.settings.email_trust.clone(),
            subject_claim: self.settings.subject_claim.clone(),
            organization_claim: self.settings.organization_claim.clone(),
            organization_role: self.settings.organization_role.clone(),
        }
    }
}

impl Expected {
    fn principals(&self, issuer: &str) -> Vec<Principal> {
        let addresses = self.email.iter().chain(&self.other_email).map(|address| EmailAddress::parse(address).unwrap());
        let organizations = self.organizations.iter().map(|name| Principal::organization(issuer, name));
        let subject = Principal::subject(issuer, &self.subject);
        let addresses = addresses.map(|address| Principal::email(&address));
        std::iter::once(subject).chain(addresses).chain(organizations).collect()
    }
}

#[tokio::test]
async fn tokens_of_known_shapes_give_exactly_these_principals() {
    for (provider, text) in FIXTURES {
        let fixture: Fixture = serde_json::from_str(text).unwrap();
        let text_of = |claims: &Map<String, Value>, name: &str| claims[name].as_str().unwrap().to_owned();
        let (issuer, client_id) = (text_of(&fixture.claims, "iss"), text_of(&fixture.claims, "aud"));
        let kid = text_of(&fixture.header, "kid");
        for case in &fixture.cases {
            let mut claims = fixture.claims.clone();
            claims.extend(case.claims.clone());
            claims.retain(|_, value| !value.is_null());
            let token = RSA.sign(&json!(fixture.header), &json!(claims));
            let outcome = bearer(&holding(case.settings(&issuer, &client_id), &[RSA.jwk(&kid)]), &token).await;
            let name = format!("{provider}: {}", case.name);
            match &case.principals {
                Some(expected) => {
                    assert_eq!(outcome.ok().unwrap().principals(), expected.principals(&issuer), "{name}");
                }
                None => assert_eq!(code(outcome), Some(ProblemCode::NotSignedIn), "{name}"),
            }
        }
    }
}

#[tokio::test]
async fn each_trust_setting_decides_which_addresses_are_trusted() {
    let cases = [
        ("email_verified", json!({ "email_verified": true }), true),
        ("email_verified", json!({ "email_verified": "true" }), true),
        ("email_verified", json!({ "email_verified": false }), false),
        ("email_verified", json!({ "email_verified": "false" }), false),
        ("email_verified", json!({ "email_verified": 1 }), false),
        ("email_verified", json!({ "email_verified": "1" }), false),
        ("email_verified", json!({ "email_verified": ["true"] }), false),
        ("email_verified", json!({ "email_verified": null, "xms_edov": true }), false),
        ("google", json!({ "email_verified": true }), false),
        ("google", json!({ "email_verified": true, "hd": "fabrikam.example" }), true),
        ("google", json!({ "email_verified": true, "hd": "" }), false),
        ("google", json!({ "email_verified": false, "hd": "fabrikam.example" }), false),
        ("google", json!({ "email_verified": true, "email": "dana@GMAIL.com" }), true),
        ("google", json!({ "email_verified": true, "email": "dana@googlemail.com" }), true),
        ("google", json!({ "email_verified": false, "email": "dana@googlemail.com" }), false),
        ("google", json!({ "email_verified": true, "email": "dana@notgmail.com" }), false),
        ("google", json!({ "email_verified": true, "email": "dana@gmail.com.example" }), false),
        ("issuer", json!({ "email_verified": false }), true),
        ("issuer", json!({ "email": "nobody" }), false),
        ("issuer", json!({ "email": ["dana@fabrikam.example"] }), false),
        (
            "issuer",
            json!({ "email": null, "preferred_username": "dana@fabrikam.example", "upn": "dana@fabrikam.example" }),
            false,
        ),
        ("never", json!({ "email_verified": true, "xms_edov": true }), false),
    ];
    assert_counts(&cases).await;
}

#[tokio::test]
async fn entra_vouches_for_the_addresses_of_members_and_not_of_guests() {
    let cases = [
        ("xms_edov", json!({ "xms_edov": true, "acct": 0 }), true),
        ("xms_edov", json!({ "xms_edov": "true", "acct": 0 }), true),
        ("xms_edov", json!({ "xms_edov": 1, "acct": 0 }), true),
        ("xms_edov", json!({ "xms_edov": "1", "acct": "0" }), true),
        ("xms_edov", json!({ "xms_edov": 0, "acct": 0 }), false),
        ("xms_edov", json!({ "xms_edov": "0", "acct": 0 }), false),
        ("xms_edov", json!({ "xms_edov": false, "acct": 0 }), false),
        ("xms_edov", json!({ "xms_edov": null, "acct": 0, "email_verified": true }), false),
        ("xms_edov", json!({ "xms_edov": true }), false),
        ("xms_edov", json!({ "xms_edov": true, "acct": 1 }), false),
        ("xms_edov", json!({ "xms_edov": true, "acct": "1" }), false),
        ("xms_edov", json!({ "xms_edov": true, "acct": [0] }), false),
        ("xms_edov", json!({ "xms_edov": true, "acct": "member" }), false),
        ("xms_edov", json!({ "xms_edov": true, "acct": 0, "idp": super::ISSUER }), true),
        ("xms_edov", json!({ "xms_edov": true, "acct": 0, "idp": "local" }), true),
        ("xms_edov", json!({ "xms_edov": true, "acct": 0, "idp": "issuer.example" }), true),
        ("xms_edov", json!({ "xms_edov": true, "acct": 0, "idp": "Issuer.Example" }), true),
        ("xms_edov", json!({ "xms_edov": true, "acct": 0, "idp": "issuer.example.evil.example" }), false),
        ("xms_edov", json!({ "xms_edov": true, "acct": 0, "idp": "example" }), false),
        ("xms_edov", json!({ "xms_edov": true, "acct": 0, "idp": "" }), false),
        ("xms_edov", json!({ "xms_edov": true, "acct": 0, "idp": ["local"] }), false),
        ("xms_edov", json!({ "xms_edov": true, "acct": 0, "idp": "live.com" }), false),
        ("xms_edov", json!({ "xms_edov": true, "acct": 0, "idp": "00oabc" }), false),
    ];
    assert_counts(&cases).await;
}

/// Asserts which addresses count: each case has the trust setting, the changed claims, and whether the address counts.
async fn assert_counts(cases: &[(&str, Value, bool)]) {
    let domain = json!({ "email": "dana@fabrikam.example" });
    for (trust, changes, counts) in cases {
        let mut with = domain.clone();
        with.as_object_mut().unwrap().insert("email_verified".into(), Value::Null);
        with.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let mut settings = super::settings(super::ISSUER);
        settings.email_trust = Some((*trust).to_owned());
        let verifier = holding(settings, &[RSA.jwk("rsa")]);
        let caller = bearer(&verifier, &RSA.token("rsa", &claims(with))).await.ok().unwrap();
        assert_eq!(caller.email().is_some(), *counts, "{trust} {changes}");
    }
}

#[tokio::test]
async fn an_organisation_needs_its_role_and_is_not_given_to_guests() {
    let (one, two) = (vec!["fabrikam"], vec!["fabrikam", "contoso"]);
    let cases = [
        (json!({ "org": "fabrikam", "roles": "owner" }), one.clone()),
        (json!({ "org": ["fabrikam", "contoso"], "roles": ["reader", "owner"] }), two),
        (json!({ "org": ["fabrikam", "", 7, null], "roles": ["owner"] }), one.clone()),
        (json!({ "org": "fabrikam" }), vec![]),
        (json!({ "org": "fabrikam", "roles": "reader" }), vec![]),
        (json!({ "org": "fabrikam", "roles": "owners" }), vec![]),
        (json!({ "org": "fabrikam", "roles": { "owner": true } }), vec![]),
        (json!({ "roles": "owner" }), vec![]),
        (json!({ "org": { "id": "fabrikam" }, "roles": "owner" }), vec![]),
        (json!({ "org": "fabrikam", "roles": "owner", "acct": 0 }), one.clone()),
        (json!({ "org": "fabrikam", "roles": "owner", "acct": 1 }), vec![]),
        (json!({ "org": "fabrikam", "roles": "owner", "idp": super::ISSUER }), one.clone()),
        (json!({ "org": "fabrikam", "roles": "owner", "idp": "local" }), one.clone()),
        (json!({ "org": "fabrikam", "roles": "owner", "idp": "issuer.example" }), one),
        (json!({ "org": "fabrikam", "roles": "owner", "idp": "google.com" }), vec![]),
        (json!({ "org": "fabrikam", "roles": "owner", "idp": "https://sts.windows.net/other/" }), vec![]),
    ];
    for (changes, organizations) in cases {
        let mut settings = super::settings(super::ISSUER);
        settings.client_id = CLIENT.into();
        settings.organization_claim = Some("org".into());
        settings.organization_role = Some("roles=owner".into());
        let verifier = holding(settings, &[RSA.jwk("rsa")]);
        let caller = bearer(&verifier, &RSA.token("rsa", &claims(changes.clone()))).await.ok().unwrap();
        let expected = Expected {
            subject: "dana".into(),
            email: Some("dana@fabrikam.example".into()),
            other_email: None,
            organizations: organizations.into_iter().map(ToOwned::to_owned).collect(),
        };
        assert_eq!(caller.principals(), expected.principals(super::ISSUER), "{changes}");
    }
}

#[test]
fn the_fixtures_are_of_the_time_of_the_tests() {
    for (provider, text) in FIXTURES {
        let fixture: Fixture = serde_json::from_str(text).unwrap();
        assert!(fixture.claims["exp"].as_i64().unwrap() > NOW, "{provider}");
        assert!(fixture.claims["iat"].as_i64().unwrap() <= NOW, "{provider}");
    }
}

#[tokio::test]
async fn an_organisation_at_entra_needs_the_claim_that_tells_guests_apart() {
    let issuers = [
        "https://login.microsoftonline.com/9122040d/v2.0",
        "https://LOGIN.microsoftonline.us/9122040d/v2.0",
        "https://contoso.ciamlogin.com/9122040d/v2.0",
    ];
    for issuer in issuers {
        let mut settings = super::settings(issuer);
        settings.organization_claim = Some("tid".into());
        settings.organization_role = Some("roles=owner".into());
        let verifier = holding(settings, &[RSA.jwk("rsa")]);
        for (acct, is_member) in [(Value::Null, false), (json!(0), true), (json!("0"), true), (json!(1), false)] {
            let changes = json!({ "tid": "t-1", "roles": ["owner"], "xms_edov": true, "acct": acct });
            let caller = bearer(&verifier, &RSA.token("rsa", &super::claims_of(issuer, changes))).await.ok().unwrap();
            let organization = Principal::organization(issuer, "t-1");
            assert_eq!(caller.principals().contains(&organization), is_member, "{issuer} {acct}");
            assert_eq!(caller.email().is_some(), is_member, "{issuer} {acct}");
        }
    }
}

#[tokio::test]
async fn a_host_that_only_looks_like_one_of_entra_is_trusted_as_any_other() {
    let others = [
        "https://ciamlogin.com.evil.example",
        "https://contoso.ciamlogin.com.evil.example",
        "https://contoso-ciamlogin.com",
        "https://evil.example/.ciamlogin.com",
    ];
    for issuer in others {
        let verifier = holding(super::settings(issuer), &[RSA.jwk("rsa")]);
        let claims = super::claims_of(issuer, json!({ "email_verified": null, "xms_edov": true, "acct": 0 }));
        let caller = bearer(&verifier, &RSA.token("rsa", &claims)).await.ok().unwrap();
        assert!(caller.email().is_none(), "{issuer}: the default is email_verified");
    }
}

#[tokio::test]
async fn a_mailbox_of_google_is_known_by_both_of_its_addresses() {
    let both =
        ["dana@gmail.com", "dana@googlemail.com"].map(|text| Principal::email(&EmailAddress::parse(text).unwrap()));
    for email in ["dana@gmail.com", "Dana@GoogleMail.com"] {
        let token = |verified: bool| RSA.token("rsa", &claims(json!({ "email": email, "email_verified": verified })));
        let caller = bearer(&super::verifier(), &token(true)).await.ok().unwrap();
        assert!(both.iter().all(|principal| caller.principals().contains(principal)), "{email}");
        let caller = bearer(&super::verifier(), &token(false)).await.ok().unwrap();
        assert_eq!(caller.principals().len(), 1, "{email} is not confirmed");
    }
}
