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
        let address = self.email.as_ref().map(|address| EmailAddress::parse(address).unwrap());
        let organizations = self.organizations.iter().map(|name| Principal::organization(issuer, name));
        let subject = Principal::subject(issuer, &self.subject);
        std::iter::once(subject).chain(address.as_ref().map(Principal::email)).chain(organizations).collect()
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
    let domain = json!({ "email": "dana@fabrikam.example" });
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
        ("google", json!({ "email_verified": true, "email": "dana@notgmail.com" }), false),
        ("google", json!({ "email_verified": true, "email": "dana@gmail.com.example" }), false),
        ("xms_edov", json!({ "xms_edov": true }), true),
        ("xms_edov", json!({ "xms_edov": "true" }), true),
        ("xms_edov", json!({ "xms_edov": 1 }), true),
        ("xms_edov", json!({ "xms_edov": "1" }), true),
        ("xms_edov", json!({ "xms_edov": 0 }), false),
        ("xms_edov", json!({ "xms_edov": "0" }), false),
        ("xms_edov", json!({ "xms_edov": false }), false),
        ("xms_edov", json!({ "xms_edov": null, "email_verified": true }), false),
        ("xms_edov", json!({ "xms_edov": true, "acct": 0 }), true),
        ("xms_edov", json!({ "xms_edov": true, "acct": 1 }), false),
        ("xms_edov", json!({ "xms_edov": true, "acct": "1" }), false),
        ("xms_edov", json!({ "xms_edov": true, "idp": super::ISSUER }), true),
        ("xms_edov", json!({ "xms_edov": true, "idp": "live.com" }), false),
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
    for (trust, changes, counts) in cases {
        let mut with = domain.clone();
        with.as_object_mut().unwrap().insert("email_verified".into(), Value::Null);
        with.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let mut settings = super::settings(super::ISSUER);
        settings.email_trust = Some(trust.into());
        let verifier = holding(settings, &[RSA.jwk("rsa")]);
        let caller = bearer(&verifier, &RSA.token("rsa", &claims(with))).await.ok().unwrap();
        assert_eq!(caller.principals().len() == 2, counts, "{trust} {changes}");
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
        (json!({ "org": "fabrikam", "roles": "owner", "idp": super::ISSUER }), one),
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
