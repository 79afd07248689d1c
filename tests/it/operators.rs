//! The sign-in of operators at the vendor's own provider, and the two origins, which share neither people nor cookies. A small endpoint
//! stands for the functions of the support desk.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use lambda::{HttpService, Transport};
use lambda_http::{Context, LambdaEvent, Service, http::StatusCode};
use provider::Oddities;
use serde_json::{Value, json};
use support::{Answer, Api, Call, DESK_CLIENT, DESK_ORIGIN, Route, TestStack, event};
use web::{
    CodeFlow, LogoutHint, OperatorIdentity, OperatorSettings, Presentation, Problem, Reply, Request, SignInOutcome,
    SignIns,
};

const OLIVIA: &str = "olivia@contoso.example";
const HOUR: i64 = 60 * 60;

/// A desk that tells an operator who they are.
struct Desk {
    operators: OperatorIdentity,
    sign_ins: SignIns,
    clock: AtomicI64,
}

impl Desk {
    fn new(stack: &TestStack, role: &str) -> Arc<Self> {
        let settings = OperatorSettings {
            issuer: stack.provider.issuer().to_owned(),
            client_id: DESK_CLIENT.to_owned(),
            desk_origin: DESK_ORIGIN.to_owned(),
            role: role.to_owned(),
            ..OperatorSettings::default()
        };
        let nothing = |_| -> BoxFuture<'static, Result<_, Problem>> { Box::pin(async { Ok(None) }) };
        let operators = OperatorIdentity::new(settings, nothing).unwrap();
        let flow = CodeFlow::for_operators(&operators, None, LogoutHint::IfKnown);
        Arc::new(Self {
            operators,
            sign_ins: SignIns::new(flow, lambda::random_bytes::<32>),
            clock: AtomicI64::new(stack.cloud.clock().epoch_seconds()),
        })
    }

    async fn handle(self: Arc<Self>, request: Request) -> Result<Reply, Problem> {
        let now = domain::Timestamp::from_epoch_seconds(self.clock.load(Ordering::SeqCst));
        let page = |outcome: SignInOutcome| {
            outcome.into_reply(|refusal, again| Ok(web::html(refusal.status(), format!("{refusal:?} {again}"))))
        };
        match request.uri().path() {
            "/desk/auth/sign-in" => page(self.sign_ins.begin(&request, now).await),
            "/desk/auth/callback" => page(self.sign_ins.complete_for_operator(&self.operators, &request, now).await),
            "/desk/auth/sign-out" => self.sign_ins.sign_out(&request),
            _ => {
                let seen = self.operators.operator(&request, now).await?;
                let body = json!({
                    "label": seen.operator.label.as_stored(),
                    "decides": seen.may_decide(now),
                    "session": seen.presentation == Presentation::Session,
                });
                Ok(web::json(StatusCode::OK, &body))
            }
        }
    }

    async fn call(self: &Arc<Self>, call: Call) -> Answer {
        let desk = Arc::clone(self);
        let endpoint = web::endpoint((), move |_, request| Arc::clone(&desk).handle(request));
        let mut service = HttpService::new(endpoint, web::malformed, Transport::Plain);
        let request = serde_json::from_value(call.into_event()).unwrap();
        let Ok(answer) = service.call(LambdaEvent::new(request, Context::default())).await;
        Answer::read(&serde_json::to_value(answer).unwrap())
    }
}

/// An operator's browser.
struct Browser<'a> {
    desk: &'a Arc<Desk>,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    fn new(desk: &'a Arc<Desk>) -> Self {
        Self { desk, cookies: BTreeMap::new() }
    }

    async fn call(&mut self, call: Call) -> Answer {
        let call = self.cookies.iter().fold(call, |call, (name, value)| call.cookie(name, value));
        let answer = self.desk.call(call).await;
        for cookie in &answer.cookies {
            assert!(cookie.ends_with("; HttpOnly; Secure; SameSite=Lax") && cookie.contains("; Path=/; "), "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0;") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Begins a sign-in. Returns the address at the provider.
    async fn begin(&mut self, query: &str) -> String {
        location(&self.call(Call::get("/desk/auth/sign-in").query(query)).await)
    }

    /// Signs in at the provider, and returns to the desk.
    async fn arrive(&mut self, address: &str) -> Answer {
        let query = authenticate(address).await;
        self.call(Call::get("/desk/auth/callback").query(&query)).await
    }

    async fn sign_in(&mut self, query: &str) -> Answer {
        let address = self.begin(query).await;
        self.arrive(&address).await
    }
}

/// Signs in at the provider. Returns the query with which the browser returns to the desk.
pub(crate) async fn authenticate(address: &str) -> String {
    let (address, query) = address.split_once('?').unwrap();
    let form = format!("{query}&email={}", OLIVIA.replace('@', "%40"));
    let request = lambda_http::http::Request::post(address).header("content-type", "application/x-www-form-urlencoded");
    let client: Client<_, Full<VecDeque<u8>>> = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request.body(Full::new(form.into_bytes().into())).unwrap()).await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap();
    location.strip_prefix(&format!("{DESK_ORIGIN}/desk/auth/callback?")).unwrap().to_owned()
}

fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{answer:?}");
    answer.headers["location"].clone()
}

/// Returns a query parameter of an address at the provider.
fn parameter(address: &str, name: &str) -> Option<String> {
    let pairs = address.split_once('?').unwrap().1.split('&');
    pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// Asserts that there is nothing at a path, for this caller.
fn assert_not_found(answer: &Answer) {
    assert_eq!((answer.status, answer.problem()), (404, Some("not-found")), "{answer:?}");
}

/// Returns everything that a caller can see of an answer, but the id of the request.
fn seen(answer: &Answer) -> (u16, Value, Vec<String>, Vec<(String, String)>) {
    let mut body = answer.body.clone();
    body.as_object_mut().unwrap().remove("request_id");
    let headers = answer.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    (answer.status, body, answer.cookies.clone(), headers)
}

#[tokio::test]
async fn an_operator_signs_in_and_returns_to_the_page_of_the_desk() {
    let stack = TestStack::start().await;
    let desk = Desk::new(&stack, "roles=support");
    let mut browser = Browser::new(&desk);
    let address = browser.begin("return=%2Fdesk%2Fapprovals").await;
    assert!(address.starts_with(&format!("{}/authorize?", stack.provider.issuer())));
    for (name, value) in [
        ("client_id", Some("firstkey-desk")),
        ("scope", Some("openid+email+profile")),
        ("redirect_uri", Some("http%3A%2F%2F127.0.0.1%3A9004%2Fdesk%2Fauth%2Fcallback")),
        ("max_age", Some("28800")),
        ("prompt", None),
    ] {
        assert_eq!(parameter(&address, name).as_deref(), value, "{name}");
    }
    let names: Vec<_> = browser.cookies.keys().cloned().collect();
    assert_eq!(names, [format!("__Host-desk-sign-in.{}", &parameter(&address, "state").unwrap()[..8])]);
    assert_eq!(location(&browser.arrive(&address).await), "/desk/approvals");
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["__Host-desk"]);
    let page = browser.call(Call::get("/desk")).await;
    assert_eq!(page.body, json!({ "label": OLIVIA, "decides": true, "session": true }));
    let out = browser.call(Call::post("/desk/auth/sign-out").header("origin", DESK_ORIGIN)).await;
    assert_eq!(location(&out), "/desk/auth/signed-out");
    assert!(browser.cookies.is_empty());
    let foreign = browser.call(Call::post("/desk/auth/sign-out").header("origin", "http://localhost:9000")).await;
    assert_eq!(foreign.status, 403);
}

#[tokio::test]
async fn a_sign_in_returns_only_to_pages_of_the_desk() {
    let stack = TestStack::start().await;
    let desk = Desk::new(&stack, "roles=support");
    for back in
        ["", "return=%2F", "return=%2F%2Fevil.example%2Fdesk", "return=%2Fdesk%2F..%2Fsupport", "return=%2Fdesktop"]
    {
        assert_eq!(location(&Browser::new(&desk).sign_in(back).await), "/desk", "{back}");
    }
}

#[tokio::test]
async fn a_sign_in_before_a_decision_asks_for_a_recent_one() {
    let stack = TestStack::start().await;
    let desk = Desk::new(&stack, "roles=support");
    let address = Browser::new(&desk).begin("decision=true").await;
    assert_eq!(parameter(&address, "max_age").as_deref(), Some("900"));
}

#[tokio::test]
async fn a_provider_that_does_not_say_when_the_operator_signed_in_is_asked_to_make_them_sign_in() {
    let stack = TestStack::start().await;
    let desk = Desk::new(&stack, "roles=support");
    stack.provider.add_claims(json!({ "auth_time": null }));
    let mut browser = Browser::new(&desk);
    let again = location(&browser.sign_in("return=%2Fdesk%2Fapprovals").await);
    assert_eq!(parameter(&again, "prompt").as_deref(), Some("login"));
    assert!(!browser.cookies.contains_key("__Host-desk"), "the first token is no session");
    assert_eq!(location(&browser.arrive(&again).await), "/desk/approvals");
    assert_eq!(browser.call(Call::get("/desk")).await.body["decides"], true, "the time of issue counts");
    let next = Browser::new(&desk).begin("").await;
    assert_eq!(parameter(&next, "prompt").as_deref(), Some("login"), "the next one is asked at once");
}

#[tokio::test]
async fn a_provider_that_answers_with_an_old_sign_in_is_asked_once_more() {
    let stack = TestStack::start().await;
    let desk = Desk::new(&stack, "roles=support");
    let old = |age: i64| json!({ "auth_time": stack.cloud.clock().epoch_seconds() - age });
    for (query, age) in [("", 8 * HOUR), ("decision=true", 15 * 60)] {
        stack.provider.add_claims(old(age - 60));
        assert_eq!(location(&Browser::new(&desk).sign_in(query).await), "/desk", "{query}");
        stack.provider.add_claims(old(age));
        let mut browser = Browser::new(&desk);
        let again = location(&browser.sign_in(query).await);
        assert_eq!(parameter(&again, "prompt").as_deref(), Some("login"), "{query}");
        let refused = browser.arrive(&again).await;
        assert_eq!((refused.status, &refused.body), (500, &json!(refused_page(query))), "{query}");
        assert!(browser.cookies.is_empty(), "neither a session nor the sign-in is left");
    }
}

fn refused_page(query: &str) -> String {
    let more = if query.is_empty() { String::new() } else { format!("&{query}") };
    format!("Misconfigured /desk/auth/sign-in?return=%2Fdesk{more}")
}

#[tokio::test]
async fn a_person_without_the_role_gets_a_page_and_no_session() {
    let stack = TestStack::start().await;
    let desk = Desk::new(&stack, "roles=admin");
    let mut browser = Browser::new(&desk);
    let refused = browser.sign_in("").await;
    assert_eq!(
        (refused.status, &refused.body),
        (403, &json!("NoRole /desk/auth/sign-in?return=%2Fdesk&account=other"))
    );
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn an_answer_to_another_browser_is_refused() {
    let stack = TestStack::start().await;
    let desk = Desk::new(&stack, "roles=support");
    let address = Browser::new(&desk).begin("").await;
    let refused = Browser::new(&desk).arrive(&address).await;
    assert_eq!((refused.status, &refused.body), (400, &json!("Stale /desk/auth/sign-in?return=%2Fdesk")));
    let mut signed_in = Browser::new(&desk);
    signed_in.sign_in("").await;
    let old = signed_in.call(Call::get("/desk/auth/callback").query("state=x&code=y")).await;
    assert_eq!(location(&old), "/desk", "an old address leads a signed-in operator to the first page");
    stack.provider.set_oddities(Oddities { authorize_error: Some("access_denied".to_owned()), ..Oddities::default() });
    let refused = Browser::new(&desk).sign_in("").await;
    assert_eq!(refused.body, json!("Cancelled /desk/auth/sign-in?return=%2Fdesk"));
}

#[tokio::test]
async fn without_the_role_there_is_nothing_at_any_path_of_the_desk() {
    let stack = TestStack::start().await;
    let desk = Desk::new(&stack, "roles=support");
    let operator = stack.operator_token(OLIVIA);
    let (role, customer) = (stack.operator_token_with(OLIVIA, &json!({ "roles": [] })), stack.token(OLIVIA));
    let unknown = seen(&desk.call(Call::get("/desk/api/approvals")).await);
    for path in ["/desk", "/desk/api/subscriptions/sub-1", "/desk/nothing"] {
        for call in [Call::get(path), Call::post(path)] {
            for token in ["", "x", &role, &customer] {
                for call in [
                    call.clone().operator(token),
                    call.clone().bearer(token),
                    call.clone().cookie("__Host-customer", token),
                ] {
                    let answer = desk.call(call).await;
                    assert_not_found(&answer);
                    assert_eq!(seen(&answer), unknown, "{path}");
                }
            }
            assert_eq!(desk.call(call.clone().operator(&operator)).await.status, 200);
        }
    }
}

#[tokio::test]
async fn to_a_caller_without_the_role_no_route_of_the_desk_exists_and_no_service_is_called() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let without_role = stack.operator_token_with(OLIVIA, &json!({ "roles": ["sales"] }));
    let tokens = [String::new(), "x".to_owned(), without_role, stack.token(OLIVIA)];
    let mut calls = vec![Call::get("/desk/api/approvals"), Call::get("/desk/api/subscriptions/sub-1")];
    for route in Route::all().into_iter().filter(|route| route.api == Api::Desk && route.path != Route::DEFAULT) {
        let path = route.path.replace("{subscription_id}", "sub-1").replace(['{', '}'], "");
        calls.push(Call::post(&path).key("click").json(&json!({ "reason": "a reason" })));
    }
    assert!(calls.len() > 4);
    let unknown = seen(&stack.desk(Call::get("/desk/api/nothing")).await);
    assert_eq!((unknown.0, &unknown.1["code"]), (404, &json!("not-found")));
    stack.warm_up().await;
    stack.cloud.clear_requests();
    for call in calls {
        for token in &tokens {
            for call in [call.clone().operator(token), call.clone().bearer(token)] {
                assert_eq!(seen(&stack.desk(call).await), unknown);
            }
        }
    }
    assert_eq!(stack.cloud.requests().len(), 0, "no AWS service is called");
}

#[tokio::test]
async fn the_customers_origin_has_no_path_of_the_desk() {
    let stack = TestStack::start().await;
    let operator = stack.operator_token(OLIVIA);
    let unknown = seen(&stack.call("portal", Call::get("/nothing")).await);
    for path in ["/desk", "/desk/api/approvals", "/desk/auth/sign-in", "/desk/assets/x"] {
        let call = Call::get(path).operator(&operator).cookie("__Host-customer", &operator);
        assert_eq!(seen(&stack.call("portal", call).await), unknown, "{path}");
    }
    let elsewhere = seen(&stack.desk(Call::get("/subscriptions").operator(&operator)).await);
    assert_eq!((elsewhere.0, &elsewhere.1["code"]), (404, &json!("not-found")));
}

#[tokio::test]
async fn neither_operators_nor_customers_have_rights_on_the_origin_of_the_other() {
    let stack = TestStack::start().await;
    let desk = Desk::new(&stack, "roles=support");
    stack.start_subscription(event("sub-1", "trial")).await;
    let (operator, customer) = (stack.operator_token("dana@fabrikam.example"), stack.token("dana@fabrikam.example"));
    let retrieve = || Call::get_credentials("sub-1").key("click");
    for call in [
        retrieve().bearer(&operator),
        retrieve().cookie("__Host-customer", &operator),
        retrieve().cookie("__Host-desk", &operator),
    ] {
        assert_eq!(stack.call("get-credentials", call).await.status, 401);
    }
    let page = stack.call("portal", Call::get("/").cookie("__Host-desk", &operator)).await;
    assert!(!page.body.as_str().unwrap().contains("Contoso Online Suite"));
    assert_eq!(stack.call("get-credentials", retrieve().bearer(&customer)).await.status, 200);
    for call in [
        Call::get("/desk").bearer(&customer),
        Call::get("/desk").operator(&customer),
        Call::get("/desk").cookie("__Host-customer", &operator),
        Call::get("/desk").session(&operator),
    ] {
        assert_not_found(&desk.call(call).await);
    }
}

#[tokio::test]
async fn another_site_changes_nothing_with_the_cookie_of_an_operator() {
    let stack = TestStack::start().await;
    let desk = Desk::new(&stack, "roles=support");
    let token = stack.operator_token(OLIVIA);
    let post = || Call::post("/desk/api/accounts/admin@fabrikam/unlock").operator(&token);
    for (name, value, status) in [
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("origin", DESK_ORIGIN, 200),
        ("origin", "http://localhost:9000", 403),
        ("origin", "null", 403),
    ] {
        assert_eq!(desk.call(post().header(name, value)).await.status, status, "{name} {value}");
    }
}

#[tokio::test]
async fn a_session_lasts_eight_hours_and_a_bearer_token_one() {
    let stack = TestStack::start().await;
    let desk = Desk::new(&stack, "roles=support");
    let token = stack.operator_token(OLIVIA);
    for (at, session, bearer, decides) in [
        (15 * 60 - 1, 200, 200, true),
        (15 * 60, 200, 200, false),
        (HOUR - 1, 200, 200, false),
        (HOUR, 200, 404, false),
        (8 * HOUR - 1, 200, 404, false),
        (8 * HOUR, 404, 404, false),
    ] {
        desk.clock.store(stack.cloud.clock().epoch_seconds() + at, Ordering::SeqCst);
        let page = desk.call(Call::get("/desk").operator(&token)).await;
        assert_eq!((page.status, page.body["decides"] == true), (session, decides), "{at}");
        let answer = desk.call(Call::get("/desk").bearer(&token)).await;
        assert_eq!(answer.status, bearer, "{at}");
        assert_ne!(answer.body["decides"], true, "a bearer token never decides");
    }
}
