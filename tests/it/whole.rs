//! The whole story over HTTP, against `cargo dev` with real cargo-lambda, which `cargo verify` installs.

use std::{collections::VecDeque, time::Duration};

use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use lambda_http::http::{Request, StatusCode};
use serde_json::{Value, json};
use support::{
    Answer, Call, Dev, Function, Trigger, address_in, answer_in, confirmed_account, contract::RequestLine, event,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_story_works_over_http_and_the_log_contains_no_secret() {
    let Some(dev) = Dev::start().await else { return };
    let published =
        dev.send(Request::post(format!("{}/events", dev.product.console)), Some(&event("sub-1001", "trial"))).await;
    assert_eq!(published, (StatusCode::OK, json!({ "batchItemFailures": [] })));
    for _ in 0..100 {
        if !dev.inbox().await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mail = dev.inbox().await[0]["text"].as_str().unwrap().to_owned();

    let token = dev.token("dana@fabrikam.example").await;
    let list = Request::get(format!("{}/subscriptions", dev.product.functions))
        .header("authorization", format!("Bearer {token}"));
    let (status, list) = dev.send(list, None).await;
    assert_eq!((status, &list["subscriptions"][0]["welcome_mail"]["status"]), (StatusCode::OK, &json!("sent")));

    let clicks = (0..200).map(|n| {
        let (dev, token) = (&dev, &token);
        async move { dev.retrieve(token, &format!("click-{n}")).await }
    });
    let answers = futures_util::future::join_all(clicks).await;
    let shown: Vec<&str> = answers.iter().filter_map(|(_, answer)| answer["password"].as_str()).collect();
    assert_eq!(shown.len(), 3);
    assert!(mail.lines().any(|line| line == shown[0]));
    let blank = answers.iter().filter(|(_, answer)| answer["blank"]["reasons"][0]["code"] == "retrieved-three-times");
    assert_eq!(blank.count(), 197);

    let missing = dev.send(Request::get(format!("{}/no-such-page", dev.product.functions)), None).await;
    assert_eq!((missing.0, &missing.1["code"]), (StatusCode::NOT_FOUND, &json!("not-found")));

    assert_each_origin_has_its_own_paths(&dev, &token).await;

    let password = shown[0].to_owned();
    let secrets = hand_over(&dev, &password).await;
    let blank = dev.retrieve(&token, "click-0").await.1;
    let codes = blank["blank"]["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap());
    assert!(codes.eq(["administrator-signed-in", "administrator-changed-password", "retrieved-three-times"]));
    let log = dev.stop().await;
    assert!(log.iter().any(|line| line.contains("answered")), "the log of the functions was collected");
    for line in &log {
        for secret in [&*password, &*password.replace('-', ""), &*token, "fabrikam.example", "admin@", "lee@"] {
            assert!(!line.contains(secret), "the log contains a secret, a name or an address");
        }
        assert!(secrets.iter().all(|secret| !line.contains(secret)), "the log contains a chosen password or a session");
    }
}

/// Asserts that the origins of customers and of the support desk have no path in common, and that the local provider makes an operator of
/// everyone who signs in to the desk.
async fn assert_each_origin_has_its_own_paths(dev: &Dev, customer: &str) {
    let get = async |origin: &str, path: &str, token: &str| {
        let request = Request::get(format!("{origin}{path}")).header("authorization", format!("Bearer {token}"));
        let (status, mut answer) = dev.send(request, None).await;
        answer.as_object_mut().and_then(|answer| answer.remove("request_id"));
        (status, answer)
    };
    let (customers, desk) = (&dev.product.functions, &dev.product.desk);
    let operator = dev.token_for(&json!({ "email": "olivia@contoso.example", "client": "firstkey-desk" })).await;
    let missing = get(customers, "/no-such-page", &operator).await;
    for path in ["/desk", "/desk/", "/desk/api/approvals", "/lambda-url/support-desk/desk/api/approvals"] {
        assert_eq!(get(customers, path, &operator).await, missing, "{path}");
    }
    let missing = get(desk, "/desk/api/no-such-path", &operator).await;
    assert_eq!((missing.0, &missing.1["code"]), (StatusCode::NOT_FOUND, &json!("not-found")));
    for path in [
        "/",
        "/subscriptions",
        "/auth/sign-in",
        "/oidc/jwks",
        "/.well-known/openid-configuration",
        "/no-such-page",
        "/2015-03-31/functions/portal/invocations",
    ] {
        assert_eq!(get(desk, path, &operator).await, missing, "{path}");
    }
    assert_eq!(get(desk, "/desk/api/approvals", customer).await, missing);
    assert_eq!(get(desk, "/desk/api/approvals", &operator).await, (StatusCode::OK, json!({ "approvals": [] })));
    let unlock =
        Request::post(format!("{desk}/desk/api/accounts/admin@fabrikam/unlock")).header("idempotency-key", "click");
    let unlock = unlock.header("authorization", format!("Bearer {operator}"));
    let (status, answer) = dev.send(unlock, Some(&json!({ "reason": "Ticket 4711" }))).await;
    assert_eq!((status, &answer["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")), "change-access has the route");
}

const CHOSEN: &str = "seven green boats at noon";
const OWN: &str = "a quiet lamp over the harbour";

/// Continues from the temporary password to the permanent administrator. Returns the secrets that were used.
async fn hand_over(dev: &Dev, temporary: &str) -> Vec<String> {
    let sign_in = |user_name: &'static str, password: String| {
        dev.post("/sign-in", "", json!({ "user_name": user_name, "password": password }))
    };
    let (status, answer, first) = sign_in("admin@fabrikam", temporary.to_owned()).await;
    assert_eq!((status, &answer["next"]), (StatusCode::OK, &json!("reset-password")), "{answer}");
    let (status, answer, service) = dev.post("/reset-password", &first, json!({ "new_password": CHOSEN })).await;
    assert_eq!((status, &answer["next"]), (StatusCode::OK, &json!("create-administrator")), "{answer}");
    let lee = json!({ "user_name": "lee@fabrikam", "display_name": "Lee Ahmadi", "password": OWN });
    let (status, answer, _) = dev.post("/administrators", &service, lee).await;
    assert_eq!((status, &answer["user_name"]), (StatusCode::CREATED, &json!("lee@fabrikam")), "{answer}");
    let (status, answer, own) = sign_in("lee@fabrikam", OWN.into()).await;
    assert_eq!((status, &answer["next"]), (StatusCode::OK, &json!("home")), "{answer}");
    assert_eq!(sign_in("admin@fabrikam", CHOSEN.into()).await.0, StatusCode::UNAUTHORIZED, "it is retired");
    let code = enter_the_product(dev, &own).await;
    assert_eq!(dev.post("/sign-out", &own, json!({})).await.0, StatusCode::NO_CONTENT);
    let (status, answer, _) = dev.post("/reset-password", &own, json!({ "new_password": CHOSEN })).await;
    assert_eq!((status, &answer["code"]), (StatusCode::UNAUTHORIZED, &json!("not-signed-in")));
    [CHOSEN.to_owned(), OWN.to_owned(), first, service, own, code].into()
}

/// Opens the demo product in a session of the Administration Center. Returns the code that it has redeemed.
async fn enter_the_product(dev: &Dev, session: &str) -> String {
    let begun = open(&format!("{}/sign-in", dev.product.product), "").await;
    let (_, query) = begun.headers["location"].split_once("/oidc/authorize?").expect("it leads to the provider");
    let page = dev.call(Call::get("/oidc/authorize").query(query)).await.unwrap();
    let address = address_in(&page);
    let query = address.strip_prefix("/oidc/continue?").unwrap();
    let page = dev.call(Call::continue_to_product(query, session)).await.unwrap();
    let confirmed = Call::confirm_product(query, session, &confirmed_account(&page));
    let address = address_in(&dev.call(confirmed).await.unwrap());
    let arrived = open(&address, &cookies(&begun)).await;
    assert_eq!((arrived.status, arrived.headers["location"].as_str()), (303, "/"), "{arrived:?}");
    let home = open(&dev.product.product, &cookies(&arrived)).await;
    let page = home.body.as_str().unwrap();
    assert!(page.contains("lee@fabrikam") && page.contains("sub-1001"), "{page}");
    let again = open(&address, &cookies(&begun)).await;
    assert_eq!(again.status, 400, "an answer belongs to one sign-in: {again:?}");
    answer_in(&address, "code").unwrap()
}

/// Opens an address of the demo product with its cookies.
async fn open(address: &str, cookies: &str) -> Answer {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<VecDeque<u8>>>();
    let request = Request::get(address).header("cookie", cookies).body(Full::default()).unwrap();
    let (head, body) = client.request(request).await.unwrap().into_parts();
    Answer::from_parts(&head, &body.collect().await.unwrap().to_bytes())
}

/// Returns the cookies that an answer sets, as a request has them.
fn cookies(answer: &Answer) -> String {
    let pairs: Vec<_> = answer.cookies.iter().filter_map(|cookie| cookie.split(';').next()).collect();
    pairs.join("; ")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_answers_its_own_event_through_cargo_lambda() {
    let Some(dev) = Dev::start().await else { return };
    let token = dev.token("dana@fabrikam.example").await;
    let (mut password, mut session) = (String::new(), String::new());
    for function in Function::ALL {
        let file = function.event().replace("{{id_token}}", &token).replace("{{temporary_password}}", &password);
        let payload: Value = serde_json::from_str(&file.replace("{{session}}", &session)).unwrap();
        let url = format!("{}/2015-03-31/functions/{function}/invocations", dev.product.functions);
        let (mut status, mut answer) = dev.send(Request::post(&url), Some(&payload)).await;
        for _ in 0..20 {
            // The queue's own worker may hold the lease of the mail. Then this delivery fails and is repeated.
            if *function != Function::SendMail || answer == json!({ "batchItemFailures": [] }) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
            (status, answer) = dev.send(Request::post(&url), Some(&payload)).await;
        }
        assert_eq!(status, StatusCode::OK, "{function}: {answer}");
        let expected = match function.trigger() {
            Trigger::Http { status } => status,
            Trigger::Queue | Trigger::Stream => {
                assert_eq!(answer, json!({ "batchItemFailures": [] }), "{function}");
                continue;
            }
            Trigger::Schedule => {
                assert_eq!(answer, Value::Null, "{function}");
                continue;
            }
        };
        assert_eq!(answer["statusCode"], expected, "{function}: {answer}");
        let answer = Answer::read(&answer);
        RequestLine::from_event(&payload).unwrap().assert_allows(&answer);
        password = answer.password().map_or(password, ToOwned::to_owned);
        session = answer.session().unwrap_or(session);
    }
    dev.stop().await;
}
