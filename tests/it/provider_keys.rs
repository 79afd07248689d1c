//! Tests of the identity providers' keys in the table: `refresh-keys` copies them every 15 minutes, and the functions that verify ID tokens
//! read them there. Only where the table lacks a key do they ask the provider themselves.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cloud::{Fault, Mode, Service};
use futures_util::future::join_all;
use provider::{Algorithm, Client, Oddities, Options, Person, Provider, TokenOddities};
use serde_json::{Value, json};
use support::{
    Answer, Call, DESK_CLIENT, DESK_ORIGIN, Deployment, Function, TestStack, event,
    table::Table,
    verifiers::{SCHEDULE, fetched_at},
};
use template::Template;
use tokio::net::TcpListener;

use crate::portal_sign_in::{PendingSignIn, call_back};

const DANA: &str = "dana@fabrikam.example";
const OLIVIA: &str = "olivia@contoso.example";

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// Starts a stack with a subscription, whose table has the keys of a provider with these oddities.
async fn with_keys(odd: TokenOddities) -> TestStack {
    let stack = TestStack::start().await;
    stack.provider.set_token_oddities(odd);
    stack.start_subscription(event("sub-1", "trial")).await;
    assert!(stack.refresh_keys().await);
    stack
}

/// Returns the oddities of a provider that has the key of one algorithm, which signs every token. A provider that goes over to another one has
/// rotated its key.
fn only(algorithm: Algorithm) -> TokenOddities {
    TokenOddities { published: Some(vec![algorithm]), algorithm: Some(algorithm), ..TokenOddities::default() }
}

/// Returns the oddities of a provider that withholds its discovery document and its keys.
fn withheld() -> Oddities {
    Oddities { metadata_status: Some(503), ..Oddities::default() }
}

/// Returns the status of the list of a person who signs in now.
async fn status_of_list(stack: &TestStack) -> u16 {
    stack.list(&stack.token(DANA)).await.status
}

/// Lists the subscriptions of a person who signs in now, in a function that has handled no request before.
async fn list_cold(stack: &TestStack) -> Answer {
    let call = Call::get("/subscriptions").bearer(&stack.token(DANA));
    stack.separate_machine("").call("list-subscriptions", call).await
}

/// Returns how often `list-subscriptions` has read the provider's item: it gets no other item by itself.
fn reads(stack: &TestStack) -> usize {
    let requests = stack.cloud.requests().into_iter();
    requests.filter(|request| request.operation == "GetItem" && request.function == "list-subscriptions").count()
}

async fn item(stack: &TestStack) -> Value {
    let item = stack.provider_item(stack.provider.issuer()).await;
    assert!(item.is_object(), "the table has the keys");
    item
}

#[tokio::test]
async fn a_provider_that_is_down_for_a_day_stops_no_retrieval_and_is_then_unavailable() {
    let stack = with_keys(TokenOddities::default()).await;
    assert!(stack.retrieve(&stack.token(DANA), "sub-1", "before").await.password().is_some());
    assert_eq!(status_of_list(&stack).await, 200);
    stack.provider.stop();
    for hour in 1..=23 {
        stack.advance_clock(HOUR);
        assert!(!stack.refresh_keys().await, "the provider is down");
        assert_eq!(status_of_list(&stack).await, 200, "hour {hour}");
    }
    assert!(stack.retrieve(&stack.token(DANA), "sub-1", "warm").await.password().is_some());
    let click = Call::get_credentials("sub-1").bearer(&stack.token(DANA)).key("cold");
    let cold = stack.separate_machine("").call("get-credentials", click).await;
    assert!(cold.password().is_some(), "{cold:?}");

    stack.advance_clock(HOUR - 1);
    assert_eq!([status_of_list(&stack).await, list_cold(&stack).await.status], [200, 200]);
    stack.advance_clock(1);
    for late in [stack.list(&stack.token(DANA)).await, list_cold(&stack).await] {
        assert_eq!((late.status, late.problem()), (503, Some("unavailable")), "{late:?}");
        assert!(late.headers.contains_key("retry-after"));
    }
}

#[tokio::test]
async fn a_rotated_key_is_accepted_within_a_minute_of_its_first_token() {
    for is_limited in [false, true] {
        let stack = with_keys(only(Algorithm::Rs256)).await;
        assert_eq!(status_of_list(&stack).await, 200);
        stack.advance_clock(5 * MINUTE);
        if is_limited {
            // In this minute the function has already asked, for a key that no provider has.
            assert_eq!(stack.list(&forged(&stack, "forged")).await.status, 401);
        }
        stack.provider.set_token_oddities(only(Algorithm::Es256));
        let (token, asked) = (stack.token(DANA), stack.requests_for_keys());
        assert_eq!(stack.list(&token).await.status, if is_limited { 401 } else { 200 });
        stack.advance_clock(MINUTE);
        assert_eq!(stack.list(&token).await.status, 200, "limited: {is_limited}");
        assert_eq!(stack.requests_for_keys(), asked + 1, "the table has the earlier key, so the provider is asked");
    }
}

#[tokio::test]
async fn a_rotated_key_that_is_in_the_table_is_accepted_while_the_provider_is_down() {
    let stack = with_keys(only(Algorithm::Rs256)).await;
    assert_eq!(status_of_list(&stack).await, 200);
    stack.advance_clock(MINUTE);
    stack.provider.set_token_oddities(only(Algorithm::Es256));
    assert!(stack.refresh_keys().await);
    stack.provider.stop();
    assert_eq!(status_of_list(&stack).await, 200, "the function reads the item again");
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_within_half_an_hour() {
    let stack = with_keys(only(Algorithm::Rs256)).await;
    let old = stack.token(DANA);
    stack.provider.set_token_oddities(only(Algorithm::Es256));
    // At the worst a function reads the item just before the next run replaces it.
    stack.advance_clock(SCHEDULE - 1);
    assert_eq!(stack.list(&old).await.status, 200, "the table still has the key");
    stack.advance_clock(1);
    assert!(stack.refresh_keys().await);
    stack.advance_clock(SCHEDULE);
    assert_eq!(stack.list(&old).await.problem(), Some("not-signed-in"));
    assert_eq!(status_of_list(&stack).await, 200);
}

/// Signs the claims of Dana with the provider's key under another id.
fn forged(stack: &TestStack, key_id: &str) -> String {
    let claims = stack.provider.claims(&Person::with_email(DANA));
    stack.provider.sign(Algorithm::Rs256, &json!({ "kid": key_id }), &claims)
}

#[tokio::test]
async fn unknown_key_ids_cause_one_read_and_one_request_to_the_provider_in_a_minute() {
    let stack = with_keys(TokenOddities::default()).await;
    assert_eq!(status_of_list(&stack).await, 200);
    stack.advance_clock(MINUTE);
    let (read, fetched) = (reads(&stack), stack.requests_for_keys());
    let asked = || (reads(&stack) - read, stack.requests_for_keys() - fetched);
    let tokens: Vec<String> = (0..20).map(|n| forged(&stack, &format!("forged-{n}"))).collect();
    let answers = join_all(tokens.iter().map(|token| stack.list(token))).await;
    assert!(answers.iter().all(|answer| answer.status == 401), "{answers:?}");
    assert_eq!(asked(), (1, 1));
    stack.advance_clock(MINUTE - 1);
    assert_eq!(stack.list(&tokens[0]).await.status, 401);
    assert_eq!(asked(), (1, 1));
    stack.advance_clock(1);
    assert_eq!(stack.list(&tokens[1]).await.status, 401);
    assert_eq!(asked(), (2, 2));
}

#[tokio::test]
async fn a_forged_key_id_is_refused_while_the_provider_is_down() {
    let stack = with_keys(TokenOddities::default()).await;
    stack.provider.set_oddities(withheld());
    assert_eq!(stack.list(&forged(&stack, "forged")).await.problem(), Some("not-signed-in"));
    let olivia = stack.provider.claims(&Person::at_client(DESK_CLIENT, OLIVIA));
    let olivia = stack.provider.sign(Algorithm::Rs256, &json!({ "kid": "forged" }), &olivia);
    assert_eq!(stack.desk_get("/desk/api/subscriptions/sub-1", &olivia).await.status, 404);
    assert_eq!(status_of_list(&stack).await, 200);
}

#[tokio::test]
async fn requests_that_come_at_once_to_a_cold_function_read_the_keys_once() {
    let stack = with_keys(TokenOddities::default()).await;
    let (token, fetched) = (stack.token(DANA), stack.requests_for_keys());
    let answers = join_all((0..20).map(|_| stack.list(&token))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!((reads(&stack), stack.requests_for_keys()), (1, fetched), "the provider is not asked");
}

#[tokio::test]
async fn a_function_asks_the_provider_itself_while_the_table_has_no_keys() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    assert_eq!((status_of_list(&stack).await, stack.requests_for_keys()), (200, 1));
    assert_eq!(stack.items("KEYS").await, Vec::<Value>::new(), "what a function gets itself, it does not write");
    assert!(stack.refresh_keys().await);
    assert_eq!((list_cold(&stack).await.status, stack.requests_for_keys()), (200, 2), "refresh-keys alone has asked");
}

#[tokio::test]
async fn an_item_that_cannot_be_read_makes_a_function_ask_the_provider() {
    for (attribute, value) in [
        ("key_set", json!({ "S": "no keys" })),
        ("key_set", json!({ "S": "{\"keys\":[]}" })),
        ("discovery", json!({ "S": "[]" })),
        ("fetched_at", json!({ "S": "today" })),
        ("issuer", json!({ "S": "https://another.example" })),
    ] {
        let stack = with_keys(TokenOddities::default()).await;
        let mut item = item(&stack).await;
        item[attribute] = value;
        Table::connect(&stack.cloud.aws_url(), "desk").put(&item).await;
        let fetched = stack.requests_for_keys();
        assert_eq!((status_of_list(&stack).await, stack.requests_for_keys()), (200, fetched + 1), "{item}");
    }
}

#[tokio::test]
async fn a_bad_answer_of_the_provider_never_replaces_a_good_item() {
    let stack = with_keys(TokenOddities::default()).await;
    let good = item(&stack).await;
    let with_discovery = |discovery| Oddities { discovery, ..Oddities::default() };
    let bad_documents = [
        Oddities { metadata_status: Some(404), ..Oddities::default() },
        Oddities { metadata_status: Some(302), ..Oddities::default() },
        with_discovery(json!({ "issuer": format!("{}/", stack.provider.issuer()) })),
        with_discovery(json!({ "jwks_uri": null })),
        with_discovery(json!({ "jwks_uri": "http://keys.example/jwks" })),
        with_discovery(json!({ "authorization_endpoint": null })),
        with_discovery(json!({ "token_endpoint": "http://login.example/token" })),
    ];
    let with_key = |key| TokenOddities { key, ..TokenOddities::default() };
    let bad_keys = [
        TokenOddities { published: Some(Vec::new()), ..TokenOddities::default() },
        TokenOddities { key: json!({ "n": "" }), ..only(Algorithm::Rs256) },
        with_key(json!({ "kid": null })),
        with_key(json!({ "use": "enc" })),
        with_key(json!({ "kty": "oct", "k": "c2VjcmV0" })),
        with_key(json!({ "kty": null })),
    ];
    let documents = bad_documents.into_iter().map(|odd| (odd, TokenOddities::default()));
    for (odd, odd_keys) in documents.chain(bad_keys.into_iter().map(|odd| (Oddities::default(), odd))) {
        stack.advance_clock(SCHEDULE);
        let shown = format!("{odd:?} {odd_keys:?}");
        stack.provider.set_oddities(odd);
        stack.provider.set_token_oddities(odd_keys);
        assert!(!stack.refresh_keys().await, "{shown}");
        assert_eq!(item(&stack).await, good, "{shown}");
    }
    stack.provider.set_token_oddities(TokenOddities::default());
    assert!(stack.refresh_keys().await);
    assert_eq!(fetched_at(&item(&stack).await), fetched_at(&good) + 13 * SCHEDULE);
}

#[tokio::test]
async fn a_write_that_arrives_late_never_replaces_newer_keys() {
    let stack = with_keys(only(Algorithm::Rs256)).await;
    let late = Fault::new(Service::DynamoDb, "UpdateItem", Mode::Delayed, 3).on_function("refresh-keys");
    stack.cloud.set_fault(late.held_for(Duration::from_secs(4)));
    stack.advance_clock(SCHEDULE);
    assert!(!stack.refresh_keys().await, "the write has no answer in time");
    stack.advance_clock(SCHEDULE);
    stack.provider.set_token_oddities(only(Algorithm::Es256));
    assert!(stack.refresh_keys().await);
    let newer = item(&stack).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(item(&stack).await, newer);
}

#[tokio::test]
async fn keys_that_a_function_got_from_the_provider_stay_where_the_table_has_older_ones() {
    let stack = with_keys(only(Algorithm::Rs256)).await;
    assert_eq!(status_of_list(&stack).await, 200);
    stack.advance_clock(MINUTE);
    stack.provider.set_token_oddities(only(Algorithm::Es256));
    assert_eq!(status_of_list(&stack).await, 200, "the function has asked the provider");
    stack.provider.stop();
    stack.advance_clock(SCHEDULE);
    assert_eq!(status_of_list(&stack).await, 200, "no run of refresh-keys has replaced the item");
}

#[tokio::test]
async fn a_read_that_fails_again_and_again_leaves_a_function_the_keys_that_it_has() {
    let stack = with_keys(TokenOddities::default()).await;
    assert_eq!(status_of_list(&stack).await, 200);
    stack.provider.stop();
    let fault = Fault::new(Service::DynamoDb, "GetItem", Mode::Refused, 100_000).on_function("list-subscriptions");
    stack.cloud.set_fault(fault);
    for _ in 0..3 {
        stack.advance_clock(SCHEDULE);
        assert_eq!(status_of_list(&stack).await, 200);
    }
    assert_ne!(stack.cloud.clear_faults_of("list-subscriptions"), 0, "it has tried to read");
}

/// Returns a request of a person who is signed in, for each function that verifies tokens.
fn requests(stack: &TestStack) -> Vec<(Function, Call)> {
    let (dana, olivia) = (stack.token(DANA), stack.operator_token(OLIVIA));
    let desks = [Function::ChangeAccess, Function::ReissueCredentials, Function::SupportDesk];
    let token = |function| if desks.contains(function) { &olivia } else { &dana };
    let calls = Function::ALL.iter().map(|function| Some((*function, function.verifying_request(token(function))?)));
    calls.flatten().collect()
}

#[test]
fn every_function_that_the_template_gives_a_client_of_a_provider_has_a_request_that_verifies() {
    let template = Template::deployed().unwrap();
    for function in Function::ALL {
        let settings = &template.resource(&function.logical_id()).unwrap()["Properties"]["Environment"]["Variables"];
        let has_client = ["OIDC_CLIENT_ID", "DESK_OIDC_CLIENT_ID"].iter().any(|name| !settings[name].is_null());
        assert_eq!(function.verifying_request("").is_some(), has_client, "{function}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_read_of_the_keys_fails_no_request_while_the_provider_answers() {
    for mode in [Mode::Refused, Mode::LostResponse, Mode::Throttled, Mode::Reset, Mode::Delayed] {
        let stack = with_keys(TokenOddities::default()).await;
        let requests = requests(&stack);
        for (function, _) in &requests {
            // The first item that a cold function gets is the provider's.
            let fault = Fault::new(Service::DynamoDb, "GetItem", mode, 1).on_whole_calls();
            stack.cloud.set_fault(fault.on_function(function.name()).held_for(Duration::from_secs(3)));
        }
        let stack = &stack;
        join_all(requests.into_iter().map(|(function, call)| async move {
            let answer = stack.call(function.name(), call).await;
            let is_known = answer.status < 500 && ![401, 404].contains(&answer.status);
            assert!(is_known, "{function}, {mode:?}: {answer:?}");
            assert_ne!(stack.cloud.clear_faults_of(function.name()), 0, "{function}, {mode:?}: the read failed");
        }))
        .await;
    }
}

#[tokio::test]
async fn a_read_that_hangs_is_given_up_after_a_second() {
    let stack = with_keys(TokenOddities::default()).await;
    let hangs = Fault::new(Service::DynamoDb, "GetItem", Mode::Delayed, 1).on_whole_calls();
    stack.cloud.set_fault(hangs.on_function("list-subscriptions").held_for(Duration::from_secs(10)));
    let began = Instant::now();
    assert_eq!(status_of_list(&stack).await, 200);
    let took = began.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(2)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_sign_in_takes_the_providers_addresses_from_the_table() {
    let stack = with_keys(TokenOddities::default()).await;
    let asked = stack.provider.user_agents().len();
    stack.provider.set_oddities(withheld());
    let sign_in = PendingSignIn::start(&stack, "").await;
    let answer = call_back(&stack, &sign_in, &sign_in.authenticate(DANA).await).await;
    assert_eq!((answer.status, answer.headers["location"].as_str()), (303, "/"), "{answer:?}");
    let asked: Vec<String> = stack.provider.user_agents().into_iter().skip(asked).map(|(path, _)| path).collect();
    assert_eq!(asked, ["/authorize", "/token"]);
}

/// Starts a provider with one client and keys of its own.
async fn provider_with(client: Client) -> Provider {
    let options = Options { clients: vec![client], data: None, seconds_ahead: Arc::default() };
    Provider::start(TcpListener::bind("127.0.0.1:0").await.unwrap(), options).await.unwrap()
}

/// Otherwise a forged item that is dated ahead would verify tokens until a day after its date, and `refresh-keys` would never replace it.
#[tokio::test]
async fn an_item_from_the_future_verifies_no_token_and_is_replaced() {
    let stack = with_keys(TokenOddities::default()).await;
    let stranger =
        provider_with(Client { id: String::new(), redirect_origin: String::new(), claims: Value::Null }).await;
    let (table, now) = (Table::connect(&stack.cloud.aws_url(), "desk"), stack.cloud.clock().epoch_seconds());
    let mut forged = item(&stack).await;
    forged["key_set"]["S"] = stranger.jwks().to_string().into();
    forged["fetched_at"]["N"] = (now + HOUR).to_string().into();
    table.put(&forged).await;
    let token = stranger.sign(Algorithm::Rs256, &json!({}), &stack.provider.claims(&Person::with_email(DANA)));
    assert_eq!(stack.list(&token).await.status, 401);
    assert_eq!(status_of_list(&stack).await, 200, "the function asks the provider");
    assert!(stack.refresh_keys().await);
    assert_eq!(table.keys_fetched_at(&stack.provider).await, Ok(now.unsigned_abs()));
}

/// The customers' stack, and the provider of the operators. The only key of each provider has the same id.
async fn with_two_providers() -> (TestStack, Provider) {
    let client = Client {
        id: DESK_CLIENT.to_owned(),
        redirect_origin: DESK_ORIGIN.to_owned(),
        claims: json!({ "roles": ["support"] }),
    };
    let operators = provider_with(client).await;
    let stack = Deployment::default().with("DESK_OIDC_ISSUER", operators.issuer()).start().await;
    for provider in [&stack.provider, &operators] {
        let named = json!({ "kid": "1" });
        provider.set_token_oddities(TokenOddities { header: named.clone(), key: named, ..only(Algorithm::Rs256) });
    }
    stack.start_subscription(event("sub-1", "trial")).await;
    assert!(stack.refresh_keys().await);
    assert_eq!(stack.items("KEYS").await.len(), 2);
    (stack, operators)
}

/// Returns the statuses of the list and of a page of the desk: for a token of the provider of each, and for the same claims that the other
/// provider has signed with its key of the same id.
async fn statuses(stack: &TestStack, operators: &Provider) -> [u16; 4] {
    let (customers, name) = (&stack.provider, json!({ "kid": "1" }));
    let dana = customers.claims(&Person::with_email(DANA));
    let olivia = operators.claims(&Person::at_client(DESK_CLIENT, OLIVIA));
    let list = async |signer: &Provider| stack.list(&signer.sign(Algorithm::Rs256, &name, &dana)).await.status;
    let desk = async |signer: &Provider| {
        let token = signer.sign(Algorithm::Rs256, &name, &olivia);
        stack.desk_get("/desk/api/subscriptions/sub-1", &token).await.status
    };
    [list(customers).await, desk(operators).await, list(operators).await, desk(customers).await]
}

#[tokio::test]
async fn the_keys_of_one_issuer_verify_no_token_of_the_other() {
    let (stack, operators) = with_two_providers().await;
    assert_eq!(statuses(&stack, &operators).await, [200, 200, 401, 404]);
}

#[tokio::test]
async fn an_item_in_the_place_of_another_issuers_verifies_no_token() {
    let (stack, operators) = with_two_providers().await;
    let table = Table::connect(&stack.cloud.aws_url(), "desk");
    let customers_item = item(&stack).await;
    let operators_item = stack.provider_item(operators.issuer()).await;
    for (mut moved, place) in [(customers_item.clone(), &operators_item), (operators_item.clone(), &customers_item)] {
        moved["PK"] = place["PK"].clone();
        table.put(&moved).await;
    }
    for provider in [&stack.provider, &operators] {
        provider.set_oddities(withheld());
    }
    assert_eq!(statuses(&stack, &operators).await, [503; 4], "no provider can be asked");
    for provider in [&stack.provider, &operators] {
        provider.set_oddities(Oddities::default());
    }
    stack.advance_clock(MINUTE);
    assert_eq!(statuses(&stack, &operators).await, [200, 200, 401, 404]);
}
