//! Tests of ID tokens and key sets as real providers issue them, which differ in what the standard leaves open.

use provider::{Algorithm, Person, TokenOddities};
use serde_json::{Value, json};
use support::{Answer, Call, Deployment, TestStack, event};
use words::Language;

const HOUR: i64 = 3600;

async fn with_a_subscription() -> TestStack {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack
}

/// Starts a stack with one subscription whose portal users are these.
async fn with_portal_users(deployment: Deployment, users: impl Fn(&TestStack) -> Value) -> TestStack {
    let stack = deployment.start().await;
    let mut started = event("sub-1", "trial");
    started["detail"]["portal_users"] = users(&stack);
    stack.start_subscription(started).await;
    stack
}

/// Returns whether the list of a person with these claims has the subscription, or the code of the problem.
async fn sees(stack: &TestStack, email: &str, claims: &Value) -> Result<bool, String> {
    let listed = stack.list(&stack.token_with(email, claims)).await;
    match listed.problem() {
        Some(problem) => Err(problem.to_owned()),
        None => Ok(listed.body["subscriptions"].as_array().is_some_and(|all| !all.is_empty())),
    }
}

fn not_signed_in<T>() -> Result<T, String> {
    Err("not-signed-in".to_owned())
}

#[tokio::test]
async fn tokens_of_every_accepted_algorithm_and_type_open_the_list() {
    let odd = [
        TokenOddities { algorithm: Some(Algorithm::EdDsa), ..TokenOddities::default() },
        TokenOddities { algorithm: Some(Algorithm::Es256), ..TokenOddities::default() },
        TokenOddities { algorithm: Some(Algorithm::EdDsa), key: json!({ "alg": null }), ..TokenOddities::default() },
        TokenOddities { claims: json!({ "typ": "Id" }), ..TokenOddities::default() },
        TokenOddities { claims: json!({ "typ": "ID", "tty": "ID" }), ..TokenOddities::default() },
        TokenOddities { header: json!({ "typ": "jwt" }), ..TokenOddities::default() },
        TokenOddities { header: json!({ "typ": null }), ..TokenOddities::default() },
    ];
    for odd in odd {
        let stack = with_a_subscription().await;
        stack.provider.set_token_oddities(odd.clone());
        assert_eq!(sees(&stack, "dana@fabrikam.example", &json!({})).await, Ok(true), "{odd:?}");
    }
}

#[tokio::test]
async fn the_only_key_of_a_provider_needs_no_id_and_one_of_several_does() {
    let unnamed = || TokenOddities { header: json!({ "kid": null }), ..TokenOddities::default() };
    let only = |algorithm| TokenOddities { published: Some(vec![algorithm]), algorithm: Some(algorithm), ..unnamed() };
    let several = Some(vec![Algorithm::Rs256, Algorithm::EdDsa]);
    let cases = [
        (only(Algorithm::Rs256), Ok(true)),
        (only(Algorithm::EdDsa), Ok(true)),
        (TokenOddities { key: json!({ "kid": null }), ..only(Algorithm::Rs256) }, Ok(true)),
        (TokenOddities { header: json!({ "kid": "another" }), ..only(Algorithm::Rs256) }, not_signed_in()),
        (TokenOddities { algorithm: Some(Algorithm::Es256), ..only(Algorithm::Rs256) }, not_signed_in()),
        (TokenOddities { algorithm: Some(Algorithm::EdDsa), ..only(Algorithm::Rs256) }, not_signed_in()),
        (
            TokenOddities {
                header: json!({ "kid": null, "alg": "RS256" }),
                algorithm: Some(Algorithm::EdDsa),
                ..only(Algorithm::Rs256)
            },
            not_signed_in(),
        ),
        (TokenOddities { published: several, ..unnamed() }, not_signed_in()),
        (unnamed(), not_signed_in()),
    ];
    for (odd, outcome) in cases {
        let stack = with_a_subscription().await;
        stack.provider.set_token_oddities(odd.clone());
        assert_eq!(sees(&stack, "dana@fabrikam.example", &json!({})).await, outcome, "{odd:?}");
    }
}

#[tokio::test]
async fn an_access_token_stays_refused_however_it_is_marked() {
    let stack = with_a_subscription().await;
    let marks = [
        json!({ "typ": "Bearer" }),
        json!({ "typ": "at+jwt" }),
        json!({ "tty": "access" }),
        json!({ "idtyp": "user" }),
        json!({ "token_use": "access" }),
        json!({ "scp": "openid" }),
    ];
    for mark in marks {
        assert_eq!(sees(&stack, "dana@fabrikam.example", &mark).await, not_signed_in(), "{mark}");
    }
    for kind in ["at+jwt", "application/at+jwt"] {
        stack.provider.set_token_oddities(TokenOddities { header: json!({ "typ": kind }), ..TokenOddities::default() });
        assert_eq!(sees(&stack, "dana@fabrikam.example", &json!({})).await, not_signed_in(), "{kind}");
    }
}

#[tokio::test]
async fn a_person_without_an_address_in_the_token_is_known_by_the_subject_alone() {
    let users = |stack: &TestStack| json!([{ "email": "dana@fabrikam.example" }, { "issuer": stack.provider.issuer(), "subject": "s-1" }]);
    let stack = with_portal_users(Deployment::default(), users).await;
    for email in [Value::Null, json!(["dana@fabrikam.example"]), json!(7), json!({ "value": "dana@fabrikam.example" })]
    {
        stack.provider.add_claims(json!({ "email": email }));
        assert_eq!(sees(&stack, "dana@fabrikam.example", &json!({ "sub": "s-1" })).await, Ok(true), "{email}");
        assert_eq!(sees(&stack, "dana@fabrikam.example", &json!({ "sub": "s-2" })).await, Ok(false), "{email}");
        let token = stack.token_with("dana@fabrikam.example", &json!({ "sub": "8f3c@fabrikam.example" }));
        let page = stack.call("portal", Call::get("/").cookie("__Host-customer", &token)).await;
        assert_eq!(page.status, 200, "{email}");
        assert!(!page.body.as_str().unwrap().contains("8f3c@fabrikam.example"), "{email}");
    }
}

#[tokio::test]
async fn a_session_ends_12_hours_after_its_issue_whatever_the_expiry() {
    let stack = with_a_subscription().await;
    let far = json!({ "exp": 4_000_000_000_u64 });
    let token = stack.token_with("dana@fabrikam.example", &far);
    let statuses = async || {
        let bearer = stack.list(&token).await.status;
        let cookie = Call::get("/subscriptions").cookie("__Host-customer", &token);
        (bearer, stack.call("list-subscriptions", cookie).await.status)
    };
    stack.advance_clock(12 * HOUR - 1);
    assert_eq!(statuses().await, (200, 200));
    stack.advance_clock(1);
    assert_eq!(statuses().await, (401, 401));
    assert_eq!(sees(&stack, "dana@fabrikam.example", &far).await, Ok(true), "a new token");
    let ahead = json!({ "iat": 4_000_000_000_u64, "exp": 4_100_000_000_u64 });
    assert_eq!(sees(&stack, "dana@fabrikam.example", &ahead).await, not_signed_in());
    let unknown = stack.provider.token_with_claims(&without(stack.provider.claims(&dana()), "iat"));
    assert_eq!(stack.list(&unknown).await.status, 401, "the age of a token that does not say it is unknown");
}

fn dana() -> Person {
    Person::with_email("dana@fabrikam.example")
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[tokio::test]
async fn a_person_of_the_issuers_own_directory_is_no_guest() {
    let deployment = || {
        let settings = [("OIDC_ORGANIZATION_CLAIM", "org"), ("OIDC_ORGANIZATION_ROLE", "roles=billing")];
        settings.iter().fold(Deployment::default(), |all, (name, value)| all.with(name, value))
    };
    let users = |stack: &TestStack| json!([{ "issuer": stack.provider.issuer(), "organization": "o-1" }]);
    let stack = with_portal_users(deployment(), users).await;
    let issuer = stack.provider.issuer();
    let (host, member) = (issuer.strip_prefix("http://").unwrap(), json!({ "org": "o-1", "roles": "billing" }));
    let own = [json!("local"), json!(issuer), json!(host), json!("127.0.0.1")];
    let other =
        [json!("https://sts.windows.net/other/"), json!("live.com"), json!("Local"), json!(["local"]), json!("")];
    let cases = own.map(|idp| (idp, true)).into_iter().chain(other.map(|idp| (idp, false)));
    for (idp, expected) in cases {
        let mut claims = member.clone();
        claims["idp"] = idp.clone();
        assert_eq!(sees(&stack, "lee@fabrikam.example", &claims).await, Ok(expected), "{idp}");
    }
    assert_eq!(
        sees(&stack, "lee@fabrikam.example", &json!({ "org": "o-1", "roles": "billing", "acct": 1 })).await,
        Ok(false)
    );
}

#[tokio::test]
async fn an_address_that_entra_vouches_for_counts_only_if_the_token_says_that_the_person_is_no_guest() {
    let stack = Deployment::default().with("OIDC_EMAIL_TRUST", "xms_edov").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let cases = [
        (json!({ "xms_edov": true }), false),
        (json!({ "xms_edov": true, "acct": 0 }), true),
        (json!({ "xms_edov": "1", "acct": "0" }), true),
        (json!({ "xms_edov": true, "acct": 1 }), false),
        (json!({ "acct": 0 }), false),
    ];
    for (claims, counts) in cases {
        assert_eq!(sees(&stack, "dana@fabrikam.example", &claims).await, Ok(counts), "{claims}");
    }
}

#[tokio::test]
async fn a_mailbox_of_google_is_known_by_both_addresses_and_nothing_stored_changes() {
    for (listed, comes_as) in [("dana@googlemail.com", "dana@gmail.com"), ("dana@gmail.com", "Dana@googlemail.com")] {
        let stack = with_portal_users(Deployment::default(), |_| json!([{ "email": listed }])).await;
        let before = stack.items("SUBSCRIPTION#").await;
        assert_eq!(sees(&stack, comes_as, &json!({})).await, Ok(true), "{comes_as}");
        assert_eq!(sees(&stack, comes_as, &json!({ "email_verified": false })).await, Ok(false));
        assert_eq!(sees(&stack, "dana@gmail.com.example", &json!({})).await, Ok(false));
        let shown = stack.retrieve(&stack.token(comes_as), "sub-1", "click").await;
        assert_eq!(shown.body["retrievals"]["history"][0]["by"], comes_as);
        assert_eq!(stack.items("SUBSCRIPTION#").await, before, "the memberships are as they were");
    }
}

/// Retrieves as a person whose subject looks like the address of another one, and whose own address is not confirmed.
async fn retrieve_as_a_liar(stack: &TestStack) -> Answer {
    let liar = json!({ "sub": "ceo@fabrikam.example", "email_verified": false });
    stack.retrieve(&stack.token_with("mallory@elsewhere.example", &liar), "sub-1", "click").await
}

async fn with_a_liar(deployment: Deployment) -> TestStack {
    let users = |stack: &TestStack| {
        json!([{ "email": "dana@fabrikam.example" },
            { "issuer": stack.provider.issuer(), "subject": "ceo@fabrikam.example" }])
    };
    with_portal_users(deployment, users).await
}

#[tokio::test]
async fn a_subject_that_looks_like_an_address_is_shown_as_an_account_without_a_confirmed_one() {
    let stack = with_a_liar(Deployment::default()).await;
    let name = "an account without a confirmed address (…xample)";
    let own = &retrieve_as_a_liar(&stack).await.body["retrievals"]["history"][0];
    assert_eq!((&own["by"], &own["subject_end"], &own["you"]), (&json!(name), &json!("xample"), &json!(true)));
    let dana = stack.token("dana@fabrikam.example");
    let last = &stack.list(&dana).await.body["subscriptions"][0]["credentials"]["last_retrieved"];
    assert_eq!((&last["by"], &last["subject_end"], &last["you"]), (&json!(name), &json!("xample"), &json!(false)));
    for key in ["1", "2"] {
        let history = &stack.retrieve(&dana, "sub-1", key).await.body["retrievals"]["history"];
        let confirmed = history.as_array().unwrap().iter().find(|entry| entry["you"] == true).unwrap();
        assert_eq!((&confirmed["by"], confirmed.get("subject_end")), (&json!("dana@fabrikam.example"), None));
    }
    let blank = stack.retrieve(&dana, "sub-1", "3").await;
    let detail = blank.body["blank"]["reasons"][1]["detail"].as_str().unwrap();
    assert!(detail.contains(name) && !blank.body.to_string().contains("ceo@"), "{blank:?}");
    for language in Language::ALL {
        let page = Call::get("/").cookie("__Host-customer", &dana).header("accept-language", language.code());
        let page = stack.call("portal", page).await;
        let (page, words) = (page.body.as_str().unwrap(), language.words());
        let name = words::fill(words.unconfirmed_account_first, &[("end", "xample")]);
        assert!(page.contains(&name) && !page.contains("ceo@"), "{page}");
    }
}

#[tokio::test]
async fn the_history_in_the_table_and_the_mail_to_support_know_whether_an_address_was_confirmed() {
    for language in Language::ALL {
        let stack = with_a_liar(Deployment::default().with("SUPPORT_LANGUAGE", language.code())).await;
        let password = stack.mailed_password();
        retrieve_as_a_liar(&stack).await;
        let liar = json!({ "sub": "ceo@fabrikam.example", "email_verified": false });
        let liar = stack.token_with("mallory@elsewhere.example", &liar);
        let asked = stack.call("contact-support", Call::contact_support("sub-1", "Please call.").bearer(&liar)).await;
        assert_eq!(asked.status, 202, "{asked:?}");
        stack.cloud.drained().await.unwrap();
        let mail = stack.cloud.inbox().pop().unwrap();
        let name = words::fill(language.words().unconfirmed_account, &[("end", "xample")]);
        for body in [&mail.text, &mail.html] {
            assert_eq!(body.matches(&name).count(), 2, "who asks, and who retrieved: {body}");
            assert!(!body.contains("ceo@") && !body.contains("mallory"), "{body}");
        }
        assert_eq!(stack.sign_in("admin@fabrikam", &password).await.status, 200);
        let entries = stack.items("EVENT#").await;
        let confirmed =
            |what: &str| entries.iter().find(|entry| entry["what"]["S"] == what).unwrap()["confirmed"].clone();
        assert_eq!(
            [confirmed("retrieved"), confirmed("support-requested")],
            [json!({ "BOOL": false }), json!({ "BOOL": false })]
        );
        assert_eq!(confirmed("signed-in"), Value::Null, "an account has a user name");
    }
}
