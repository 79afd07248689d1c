//! Tests of the budgets for password guesses. A guess that was verified gets 401, one that the budget refused gets 429.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use cloud::{Fault, Mode, Service};
use domain::DeviceToken;
use futures_util::{future::join_all, join};
use serde_json::{Value, json};
use support::{Answer, Call, Deployment, TestStack, event, table::Table};

const CHOSEN: &str = "seven green boats at noon";
const WRONG: &str = "six blue kites at midnight";
const DAY: i64 = 24 * 3600;

/// A known user name, an unknown one and a malformed one: a caller must not be able to tell them apart.
const NAMES: [&str; 3] = ["admin@fabrikam", "nobody@fabrikam", "no user name"];

/// Starts a stack with the subscription `sub-1`, whose password is temporary.
async fn with_a_temporary_password() -> TestStack {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    stack
}

/// Starts a stack whose service administrator chose [`CHOSEN`] from [`HOME`] an hour ago, and returns their session.
async fn with_a_chosen_password() -> (TestStack, String) {
    let stack = TestStack::start().await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    stack.advance_clock(3600);
    (stack, session)
}

/// The address of callers by default.
const HOME: &str = "192.0.2.1";

/// Returns an address in a different network for each number.
fn network(n: usize) -> String {
    format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)
}

fn guess(name: &str, from: &str) -> Call {
    Call::sign_in(name, WRONG).from(from)
}

/// Returns `count` guesses, each from a network of its own; the networks are numbered from `first`.
fn guesses(name: &str, first: usize, count: usize) -> impl Iterator<Item = Call> + Clone {
    (first..first + count).map(move |n| guess(name, &network(n)))
}

/// Signs in with all calls at once.
async fn send_all(stack: &TestStack, calls: impl IntoIterator<Item = Call>) -> Vec<Answer> {
    join_all(calls.into_iter().map(|call| stack.call("sign-in", call))).await
}

/// Returns how many guesses were verified, and asserts that the others were refused by the budget, or used up their time on a busy machine.
fn count_verified(answers: &[Answer]) -> usize {
    for answer in answers {
        let found = (answer.status, answer.problem(), answer.headers.contains_key("retry-after"));
        let expected = [
            (401, Some("invalid-credentials"), false),
            (429, Some("too-many-attempts"), true),
            (503, Some("unavailable"), true),
        ];
        assert!(expected.contains(&found), "{answer:?}");
    }
    answers.iter().filter(|answer| answer.status == 401).count()
}

/// Sends all calls at one instant and asserts that exactly the budget is verified, and that no account is read for the other
/// calls.
///
/// More than the budget is never verified. Fewer can be verified on a busy machine, where an attempt that is not answered in time
/// is sent again and spends twice; then a day passes on the stack's clock, and all calls are sent again.
async fn whole_budget(stack: &TestStack, budget: usize, calls: impl Iterator<Item = Call> + Clone) -> Vec<Answer> {
    for _ in 0..3 {
        stack.cloud.clear_requests();
        let answers = send_all(stack, calls.clone()).await;
        let admitted = count_verified(&answers);
        assert!(admitted <= budget, "{admitted} of {budget}");
        let all_in_time = answers.iter().all(|answer| answer.status != 503);
        if all_in_time && (admitted, accounts_read(stack)) == (budget, budget) {
            return answers;
        }
        stack.advance_clock(DAY);
    }
    panic!("{budget} guesses were never verified, or accounts are read for the others");
}

/// Sends the calls one after the other, and returns how many guesses were verified.
async fn count_verified_in_turn(stack: &TestStack, calls: impl IntoIterator<Item = Call>) -> usize {
    let mut answers = Vec::new();
    for call in calls {
        answers.push(stack.call("sign-in", call).await);
    }
    count_verified(&answers)
}

/// Returns the seconds of `Retry-After`, which must be the same in every refusal.
fn retry_after(answers: &[Answer]) -> i64 {
    let mut seconds: Vec<&String> = answers.iter().filter_map(|answer| answer.headers.get("retry-after")).collect();
    seconds.dedup();
    assert_eq!(seconds.len(), 1, "{seconds:?}");
    seconds[0].parse().unwrap()
}

/// Returns how many accounts have been read.
fn accounts_read(stack: &TestStack) -> usize {
    stack.cloud.requests().iter().filter(|call| call.operation == "GetItem").count()
}

/// Returns what a caller can see of an answer, without the request id, which is always different.
fn without_request_id(mut answer: Answer) -> String {
    let _: Value = answer.body["request_id"].take();
    format!("{answer:?}")
}

/// Signs in as the service administrator, with the right password, from an address.
async fn sign_in_from(stack: &TestStack, from: &str) -> Answer {
    stack.call("sign-in", Call::sign_in("admin@fabrikam", CHOSEN).from(from)).await
}

/// Guesses wrong passwords in a row, each from a new network.
async fn fail_in_a_row(stack: &TestStack, first: usize, count: usize) {
    assert_eq!(count_verified_in_turn(stack, guesses("admin@fabrikam", first, count)).await, count);
}

/// Makes `count` calls in a row, as fast as the budget of one device or network allows.
async fn fail_slowly(stack: &TestStack, call: &Call, count: usize) {
    for n in 0..count {
        stack.advance_clock(30);
        assert_eq!(stack.call("sign-in", call.clone()).await.status, 401, "after {n} failures");
    }
    stack.advance_clock(600);
}

/// Sets the failures in a row of one of the service administrator's items, as if so many calls had failed. Hashing a hundred passwords takes
/// long, and one test does it.
async fn set_failures(stack: &TestStack, sort_key: &str, count: u32) {
    let update = Table::connect(&stack.cloud.aws_url(), "desk").client().update_item().table_name("firstkey");
    let update = update.key("PK", AttributeValue::S("ATTEMPTS#admin@fabrikam".into()));
    let update = update.key("SK", AttributeValue::S(sort_key.into())).update_expression("SET failures = :count");
    update.expression_attribute_values(":count", AttributeValue::N(count.to_string())).send().await.unwrap();
}

/// Returns the failures in a row of one of the service administrator's items.
async fn failures(stack: &TestStack, sort_key: &str) -> Option<String> {
    let items = attempts_at(stack, "admin@fabrikam", sort_key).await;
    items.first().and_then(|item| item["failures"]["N"].as_str()).map(str::to_owned)
}

/// Returns the sort key of a device.
fn device_key(device: &str) -> String {
    format!("DEVICE#{}", DeviceToken::parse(device).unwrap().digest().as_str())
}

/// The sort keys of the failures of strangers, and of the network at [`HOME`].
const STRANGERS: &str = "ACCOUNT";
const HOME_NETWORK: &str = "NETWORK#192.0.2.1/32";

/// Signs in as the service administrator, with the right password, from a device and an address.
async fn sign_in_with(stack: &TestStack, device: &str, from: &str) -> Answer {
    stack.call("sign-in", Call::sign_in("admin@fabrikam", CHOSEN).device(device).from(from)).await
}

/// Starts a stack as [`with_a_chosen_password`], and returns the device from which the service administrator has signed in.
async fn with_a_known_device() -> (TestStack, String) {
    let (stack, _) = with_a_chosen_password().await;
    let device = sign_in_from(&stack, HOME).await.device().unwrap();
    stack.advance_clock(600);
    (stack, device)
}

/// Returns a call with a wrong password and a device cookie.
fn guess_with(name: &str, device: &str, from: &str) -> Call {
    guess(name, from).device(device)
}

/// Returns the operations that `sign-in` calls for one call.
async fn operations(stack: &TestStack, call: Call) -> Vec<String> {
    stack.cloud.clear_requests();
    assert_eq!(stack.call("sign-in", call).await.status, 401);
    stack.cloud.requests().into_iter().map(|request| request.operation).collect()
}

/// Returns the items with the attempts at an account whose sort key starts with `sort_key`.
async fn attempts_at(stack: &TestStack, name: &str, sort_key: &str) -> Vec<Value> {
    let mut items = stack.items(sort_key).await;
    items.retain(|item| item["PK"]["S"] == format!("ATTEMPTS#{name}"));
    items
}

/// Returns the known networks of an account.
async fn known_networks(stack: &TestStack, name: &str) -> Vec<String> {
    let mut items = attempts_at(stack, name, "NETWORK#").await;
    items.retain(|item| !item["known_until"].is_null());
    items.iter().map(|item| item["SK"]["S"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn guesses_from_24_networks_at_one_instant_exhaust_no_budget_whatever_the_user_name() {
    let stack = with_a_temporary_password().await;
    for name in NAMES {
        assert_eq!(count_verified_in_turn(&stack, guesses(name, 0, 24)).await, 24, "{name}");
    }
}

#[tokio::test]
async fn strangers_who_guess_for_hours_do_not_keep_out_the_owner_of_a_temporary_password() {
    let stack = with_a_temporary_password().await;
    let password = stack.mailed_password();
    let all = (0..4).flat_map(|n| (0..5).map(move |_| guess("admin@fabrikam", &network(n))));
    assert_eq!(count_verified_in_turn(&stack, all).await, 20);
    for n in 0..8 {
        stack.advance_clock(30);
        assert_eq!(count_verified_in_turn(&stack, [guess("admin@fabrikam", &network(n % 4))]).await, 1);
    }
    let owner = stack.call("sign-in", Call::sign_in("admin@fabrikam", &password).from("203.0.113.7")).await;
    assert_eq!((owner.status, owner.next()), (200, Some("reset-password")));
}

#[tokio::test]
async fn a_budget_refills_by_one_every_30_seconds_up_to_its_size() {
    let stack = with_a_temporary_password().await;
    for (seconds, admitted) in [(0, 5), (60, 2), (DAY, 5)] {
        stack.advance_clock(seconds);
        let guesses = (0..8).map(|_| guess("admin@fabrikam", HOME));
        assert_eq!(count_verified_in_turn(&stack, guesses).await, admitted, "{seconds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_of_64_guesses_at_one_instant_from_one_network_are_verified_whatever_the_user_name() {
    let stack = Deployment::default().with("SIGN_IN_NETWORK_BURST", "1000").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    for name in NAMES {
        let from_one = |count| (0..count).map(move |_| guess(name, HOME));
        let answers = whole_budget(&stack, 5, from_one(64)).await;
        assert_eq!(retry_after(&answers), 30);
        stack.advance_clock(29);
        assert_eq!(count_verified_in_turn(&stack, from_one(4)).await, 0, "{name}: one second too early");
        stack.advance_clock(1);
        assert_eq!(count_verified_in_turn(&stack, from_one(4)).await, 1, "{name}: one every 30 seconds");
    }
}

#[tokio::test]
async fn each_network_has_a_budget_of_its_own() {
    let stack = with_a_temporary_password().await;
    assert_eq!(count_verified_in_turn(&stack, (0..16).map(|_| guess("admin@fabrikam", HOME))).await, 5);
    assert_eq!(count_verified_in_turn(&stack, guesses("admin@fabrikam", 0, 24)).await, 24);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_of_64_guesses_at_one_instant_from_one_network_at_64_names_are_verified() {
    let stack = with_a_temporary_password().await;
    let at_many_names =
        |first: usize, count| (first..first + count).map(|n| guess(&format!("person-{n}@fabrikam"), HOME));
    let all = NAMES.into_iter().map(|name| guess(name, HOME)).chain(at_many_names(0, 61));
    let answers = whole_budget(&stack, 60, all).await;
    assert_eq!(retry_after(&answers), 2);
    assert_eq!(count_verified_in_turn(&stack, (0..4).map(|_| guess("fresh@fabrikam", HOME))).await, 0);
    assert!(attempts_at(&stack, "fresh@fabrikam", "").await.is_empty(), "a refused guess counts nothing at the name");
    stack.advance_clock(1);
    assert_eq!(count_verified_in_turn(&stack, at_many_names(100, 4)).await, 0, "one second too early");
    stack.advance_clock(1);
    assert_eq!(count_verified_in_turn(&stack, at_many_names(200, 4)).await, 1, "one every two seconds");
    stack.advance_clock(20);
    assert_eq!(count_verified_in_turn(&stack, at_many_names(300, 16)).await, 10);
}

#[tokio::test]
async fn a_refusal_reveals_neither_whether_the_name_is_known_nor_whether_the_password_is_right() {
    let (stack, _) = with_a_chosen_password().await;
    for name in NAMES {
        assert_eq!(count_verified_in_turn(&stack, (0..5).map(|_| guess(name, "203.0.113.9"))).await, 5);
    }
    let right = sign_in_from(&stack, "203.0.113.9").await;
    assert_eq!(right.status, 429);
    let right = without_request_id(right);
    for name in NAMES {
        assert_eq!(without_request_id(stack.call("sign-in", guess(name, "203.0.113.9")).await), right, "{name}");
    }
}

/// Sends all calls at one instant to two machines whose clocks differ by two seconds, and asserts that the budget is verified. As
/// in [`whole_budget`], all calls are sent again a day later when fewer were.
async fn on_two_machines(
    stack: &TestStack,
    budget: std::ops::RangeInclusive<usize>,
    calls: impl Iterator<Item = Call> + Clone,
) {
    for _ in 0..3 {
        let machines = [stack.machine(-1), stack.machine(1)];
        let sent = calls.clone().enumerate().map(|(n, call)| machines[n % 2]("sign-in", call));
        let admitted = count_verified(&join_all(sent).await);
        assert!(admitted <= *budget.end(), "{admitted} of {budget:?}");
        if budget.contains(&admitted) {
            return;
        }
        stack.advance_clock(DAY);
    }
    panic!("{budget:?} guesses were never verified");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_clocks_two_seconds_apart_at_most_the_refill_of_two_seconds_is_verified_in_addition() {
    // A small budget: all passwords of one process are hashed one after the other, within the time limit of a request.
    let stack = Deployment::default().with("SIGN_IN_NETWORK_BURST", "12").start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let at_one_name = (0..64).map(|_| guess("nobody@fabrikam", HOME));
    let at_many_names = (0..64).map(|n| guess(&format!("person-{n}@fabrikam"), "192.0.2.2"));
    on_two_machines(&stack, 5..=5, at_one_name).await;
    on_two_machines(&stack, 12..=13, at_many_names).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_or_a_duplicated_write_never_admits_an_additional_guess() {
    for fault in [
        Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1),
        Fault::new(Service::DynamoDb, "UpdateItem", Mode::Duplicated, 100_000),
    ] {
        let stack = with_a_temporary_password().await;
        stack.cloud.set_fault(fault.clone());
        let alone = count_verified_in_turn(&stack, [guess("admin@fabrikam", HOME)]).await;
        assert_eq!(alone, 1, "the guess spends more than once, and a single caller is still admitted");
        let crowd = count_verified(&send_all(&stack, (0..63).map(|_| guess("admin@fabrikam", HOME))).await);
        assert!(alone + crowd <= 5, "{crowd} with {fault:?}");
        let crowd = count_verified(&send_all(&stack, (0..16).map(|_| guess("lee@fabrikam", HOME))).await);
        assert!(crowd <= 5, "{crowd} with {fault:?}");
    }
}

#[tokio::test]
async fn while_attempts_cannot_be_counted_nothing_is_verified() {
    let stack = with_a_temporary_password().await;
    let temporary = stack.mailed_password();
    stack.cloud.clear_requests();
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "UpdateItem", Mode::Refused, 100_000));
    let answer = stack.sign_in("admin@fabrikam", &temporary).await;
    assert_eq!((answer.status, answer.problem()), (503, Some("unavailable")));
    assert_eq!(accounts_read(&stack), 0);
}

/// Returns a call that chooses a password in a session, with what the caller gives as the current one.
fn choice(session: &str, current: &str, from: &str) -> Call {
    let body = json!({ "new_password": "a quiet lamp over the harbour", "current_password": current });
    Call::post("/reset-password").session(session).json(&body).from(from)
}

#[tokio::test]
async fn one_network_may_try_five_wrong_current_passwords_and_no_more() {
    let (stack, session) = with_a_chosen_password().await;
    let choose = async |current, from| stack.call("reset-password", choice(&session, current, from)).await;
    for _ in 0..5 {
        let wrong = choose(WRONG, "203.0.113.1").await;
        assert_eq!((wrong.status, wrong.problem()), (401, Some("invalid-credentials")));
    }
    let right = choose(CHOSEN, "203.0.113.1").await;
    assert_eq!((right.status, right.problem()), (429, Some("too-many-attempts")));
    assert_eq!(right.headers["retry-after"], "30");
    assert_eq!(
        sign_in_from(&stack, "203.0.113.1").await.status,
        429,
        "one budget for every form that asks for a password"
    );
    assert_eq!(choose(CHOSEN, "203.0.113.2").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_reset_and_at_sign_in_at_one_instant_spend_from_one_budget() {
    let (stack, session) = with_a_chosen_password().await;
    let resets = (0..32).map(|_| stack.call("reset-password", choice(&session, WRONG, "203.0.113.1")));
    let sign_ins = send_all(&stack, (0..32).map(|_| guess("admin@fabrikam", "203.0.113.1")));
    let (resets, sign_ins) = join!(join_all(resets), sign_ins);
    assert!((1..=5).contains(&(count_verified(&resets) + count_verified(&sign_ins))));
}

#[tokio::test]
async fn a_hundred_failures_in_a_row_from_elsewhere_close_an_account_to_strangers_and_not_to_its_owner() {
    let (stack, device) = with_a_known_device().await;
    set_failures(&stack, STRANGERS, 98).await;
    fail_in_a_row(&stack, 0, 1).await;
    assert_eq!(sign_in_from(&stack, "203.0.113.1").await.status, 200, "the hundredth attempt may still succeed");
    assert_eq!(failures(&stack, STRANGERS).await, None, "a success ends the series of failures");
    set_failures(&stack, STRANGERS, 99).await;
    fail_in_a_row(&stack, 200, 1).await;
    let right = sign_in_from(&stack, "203.0.113.2").await;
    let wrong = stack.call("sign-in", guess("admin@fabrikam", "203.0.113.3")).await;
    assert_eq!((right.status, right.problem()), (401, Some("invalid-credentials")));
    assert_eq!(
        without_request_id(right),
        without_request_id(wrong),
        "the caller learns neither that the password was right nor that the account is closed"
    );
    for known in [HOME, "203.0.113.1"] {
        assert_eq!(sign_in_from(&stack, known).await.status, 200, "{known}");
    }
    assert_eq!(sign_in_with(&stack, &device, "203.0.113.4").await.status, 200);
    assert_eq!(
        sign_in_from(&stack, "203.0.113.5").await.status,
        401,
        "strangers get no more guesses when the owner signs in"
    );
}

#[tokio::test]
async fn a_hundred_slow_guesses_from_one_address_close_an_account_to_others_alone() {
    let (stack, device) = with_a_known_device().await;
    fail_slowly(&stack, &guess("admin@fabrikam", "203.0.113.1"), 101).await;
    assert_eq!(sign_in_from(&stack, "203.0.113.2").await.status, 401);
    assert_eq!(sign_in_with(&stack, &device, "203.0.113.3").await.status, 200);
}

#[tokio::test]
async fn failures_never_close_an_account_with_a_temporary_password() {
    let stack = with_a_temporary_password().await;
    set_failures(&stack, STRANGERS, 99).await;
    fail_in_a_row(&stack, 0, 8).await;
    let owner = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await;
    assert_eq!((owner.status, owner.next()), (200, Some("reset-password")));
}

#[tokio::test]
async fn failures_do_not_close_an_account_that_is_created_later() {
    let (stack, service) = with_a_chosen_password().await;
    assert_eq!(count_verified_in_turn(&stack, guesses("lee@fabrikam", 0, 101)).await, 101);
    let create = Call::create_admin(&service, "lee@fabrikam", "a quiet lamp over the harbour");
    assert_eq!(stack.call("create-admin", create).await.status, 201);
    let lee = stack.sign_in("lee@fabrikam", "a quiet lamp over the harbour").await;
    assert_eq!((lee.status, lee.next()), (200, Some("home")));
    let again = Call::sign_in("lee@fabrikam", "a quiet lamp over the harbour").from("203.0.113.1");
    assert_eq!(stack.call("sign-in", again).await.status, 200, "the first sign-in ends the series of failures");
}

#[tokio::test]
async fn a_neighbour_who_exhausts_the_budget_of_a_network_does_not_keep_out_a_known_device() {
    let (stack, device) = with_a_known_device().await;
    assert_eq!(count_verified_in_turn(&stack, (0..8).map(|_| guess("admin@fabrikam", HOME))).await, 5);
    assert_eq!(sign_in_from(&stack, HOME).await.status, 429);
    assert_eq!(sign_in_with(&stack, &device, HOME).await.status, 200);
}

#[tokio::test]
async fn a_neighbour_who_exhausts_the_budget_of_a_network_at_all_names_does_not_keep_out_a_known_device() {
    let stack = Deployment::default().with("SIGN_IN_NETWORK_BURST", "6").start().await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    let device = sign_in_from(&stack, HOME).await.device().unwrap();
    stack.advance_clock(600);
    let at_many_names = (0..16).map(|n| guess(&format!("person-{n}@fabrikam"), HOME));
    assert_eq!(count_verified_in_turn(&stack, at_many_names).await, 6);
    assert_eq!(sign_in_from(&stack, HOME).await.status, 429);
    assert_eq!(sign_in_with(&stack, &device, HOME).await.status, 200);
    let change = choice(&session, CHOSEN, HOME).device(&device);
    assert_eq!(stack.call("reset-password", change).await.status, 200, "a current password spends the same budgets");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_of_64_guesses_at_one_instant_from_one_device_are_verified() {
    let (stack, device) = with_a_known_device().await;
    let from_one = |first: usize, count| {
        let device = device.clone();
        (first..first + count).map(move |n| guess_with("admin@fabrikam", &device, &network(n)))
    };
    let answers = whole_budget(&stack, 5, from_one(0, 64)).await;
    assert_eq!(retry_after(&answers), 30);
    stack.advance_clock(29);
    assert_eq!(count_verified_in_turn(&stack, from_one(100, 4)).await, 0, "one second too early");
    stack.advance_clock(1);
    assert_eq!(count_verified_in_turn(&stack, from_one(200, 4)).await, 1, "one every 30 seconds");
}

#[tokio::test]
async fn a_device_is_forgotten_after_a_hundred_failures_in_a_row() {
    let (stack, device) = with_a_known_device().await;
    let (wrong, key) = (guess_with("admin@fabrikam", &device, "203.0.113.1"), device_key(&device));
    set_failures(&stack, &key, 98).await;
    fail_slowly(&stack, &wrong, 1).await;
    assert_eq!(sign_in_with(&stack, &device, HOME).await.status, 200, "the hundredth attempt may still succeed");
    assert_eq!(failures(&stack, &key).await, None, "a success ends the series of failures");
    set_failures(&stack, &key, 98).await;
    fail_slowly(&stack, &wrong, 1).await;
    let known = async || attempts_at(&stack, "admin@fabrikam", &key).await.len();
    assert_eq!(known().await, 1);
    fail_slowly(&stack, &wrong, 1).await;
    assert_eq!(known().await, 0);
    assert_eq!(failures(&stack, STRANGERS).await, None, "none of them counts as a stranger's");
    assert_eq!(count_verified_in_turn(&stack, (0..5).map(|_| guess("admin@fabrikam", HOME))).await, 5);
    assert_eq!(sign_in_with(&stack, &device, HOME).await.status, 429, "it spends as any other browser");
    stack.advance_clock(600);
    assert_eq!(sign_in_with(&stack, &device, HOME).await.status, 200);
    assert_eq!(known().await, 1, "a success makes it known again");
}

#[tokio::test]
async fn a_device_that_could_not_be_deleted_at_its_last_failure_is_forgotten_all_the_same() {
    let (stack, device) = with_a_known_device().await;
    set_failures(&stack, &device_key(&device), 99).await;
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "DeleteItem", Mode::Refused, 100_000));
    assert_eq!(stack.call("sign-in", guess_with("admin@fabrikam", &device, "203.0.113.1")).await.status, 401);
    let calls = operations(&stack, guess_with("admin@fabrikam", &device, "203.0.113.2")).await;
    assert_eq!(calls.len(), 5, "it costs as much as a device that the account does not know");
}

#[tokio::test]
async fn a_network_is_not_known_any_more_after_a_hundred_failures_in_a_row() {
    let (stack, device) = with_a_known_device().await;
    set_failures(&stack, STRANGERS, 100).await;
    let neighbour = guess("admin@fabrikam", HOME);
    set_failures(&stack, HOME_NETWORK, 98).await;
    fail_slowly(&stack, &neighbour, 1).await;
    assert_eq!(sign_in_from(&stack, HOME).await.status, 200, "the hundredth attempt may still succeed");
    assert_eq!(failures(&stack, HOME_NETWORK).await, None, "a success ends the series of failures");
    set_failures(&stack, HOME_NETWORK, 99).await;
    fail_slowly(&stack, &neighbour, 1).await;
    assert_eq!(sign_in_from(&stack, HOME).await.status, 401, "the account is closed, and does not know the network");
    stack.advance_clock(600);
    assert_eq!(sign_in_with(&stack, &device, HOME).await.status, 200);
    assert_eq!(sign_in_from(&stack, HOME).await.status, 401, "a device does not end the failures of a network");
}

#[tokio::test]
async fn failures_from_a_known_network_count_as_a_strangers_only_after_a_hundred() {
    let (stack, _) = with_a_chosen_password().await;
    set_failures(&stack, HOME_NETWORK, 98).await;
    fail_slowly(&stack, &guess("admin@fabrikam", HOME), 2).await;
    assert_eq!(failures(&stack, STRANGERS).await, None);
    fail_slowly(&stack, &guess("admin@fabrikam", HOME), 1).await;
    assert_eq!(failures(&stack, STRANGERS).await.as_deref(), Some("1"));
    assert_eq!(sign_in_from(&stack, HOME).await.status, 200);
    assert_eq!(failures(&stack, STRANGERS).await, None);
}

#[tokio::test]
async fn a_device_that_the_account_does_not_know_costs_one_call_whatever_the_user_name() {
    let (stack, device) = with_a_known_device().await;
    let foreign = "B".repeat(43);
    let (known, stranger) = (["UpdateItem", "GetItem"], ["UpdateItem", "UpdateItem", "UpdateItem", "GetItem"]);
    assert_eq!(operations(&stack, guess_with("admin@fabrikam", &device, "203.0.113.1")).await, known);
    for (n, name) in NAMES.into_iter().enumerate() {
        let [with, without] = [1, 2].map(|m| network(100 + 10 * n + m));
        assert_eq!(operations(&stack, guess(name, &without)).await, stranger, "{name}");
        let unknown = operations(&stack, guess_with(name, &foreign, &with)).await;
        assert_eq!(unknown, [&["UpdateItem"][..], &stranger].concat(), "{name}");
    }
    let other = operations(&stack, guess_with("nobody@fabrikam", &device, &network(200))).await;
    assert_eq!(other.len(), 5, "another account does not know the device");
    assert_eq!(stack.items("DEVICE#").await.len(), 2, "a guess leaves no device behind");
}

#[tokio::test]
async fn a_cookie_that_cannot_be_a_device_counts_as_none() {
    let (stack, _) = with_a_chosen_password().await;
    for (n, value) in ["", "x", &"B".repeat(44), &"=".repeat(43)].into_iter().enumerate() {
        let calls = operations(&stack, guess_with("admin@fabrikam", value, &network(n))).await;
        assert_eq!(calls.len(), 4, "{value:?}");
    }
}

#[tokio::test]
async fn a_browser_has_one_device_cookie_for_all_accounts() {
    let (stack, device) = with_a_known_device().await;
    let service = sign_in_with(&stack, &device, HOME).await;
    assert_eq!(service.device().as_deref(), Some(&*device));
    let own = "a quiet lamp over the harbour";
    let create = Call::create_admin(&service.session().unwrap(), "lee@fabrikam", own);
    assert_eq!(stack.call("create-admin", create).await.status, 201);
    let lee = || Call::sign_in("lee@fabrikam", own).device(&device).from(HOME);
    assert_eq!(stack.call("sign-in", lee()).await.device().as_deref(), Some(&*device));
    assert_eq!(count_verified_in_turn(&stack, (0..8).map(|_| guess("lee@fabrikam", HOME))).await, 4);
    assert_eq!(stack.call("sign-in", lee()).await.status, 200);
    let refused = stack.call("sign-in", guess_with("lee@fabrikam", &device, HOME)).await;
    assert!(refused.cookies.is_empty(), "a failure sets no cookie");
}

#[tokio::test]
async fn an_account_knows_ten_devices_and_forgets_the_one_unused_for_longest() {
    let (stack, first) = with_a_known_device().await;
    let mut devices = vec![first];
    for n in 0..9 {
        stack.advance_clock(60);
        devices.push(sign_in_from(&stack, &network(n)).await.device().unwrap());
    }
    assert_eq!(sign_in_with(&stack, &devices[0], HOME).await.status, 200);
    stack.advance_clock(60);
    devices.push(sign_in_from(&stack, &network(20)).await.device().unwrap());
    let stored = attempts_at(&stack, "admin@fabrikam", "DEVICE#").await;
    assert_eq!(stored.len(), 10);
    for (n, device) in devices.iter().enumerate() {
        let is_known = stored.iter().any(|item| item["SK"]["S"] == device_key(device));
        assert_eq!(is_known, n != 1, "device {n}");
    }
    assert!(!serde_json::to_string(&stored).unwrap().contains(&devices[0]), "the table has the digest alone");
}

#[tokio::test]
async fn choosing_a_password_forgets_every_device_and_network_but_those_of_the_request() {
    let (stack, own) = with_a_known_device().await;
    let [other, elsewhere] = [1, 2].map(network);
    for from in [&other, &elsewhere] {
        assert_eq!(sign_in_from(&stack, from).await.status, 200);
    }
    let session = sign_in_with(&stack, &own, &other).await.session().unwrap();
    assert_eq!(known_networks(&stack, "admin@fabrikam").await.len(), 3);
    let changed = stack.call("reset-password", choice(&session, CHOSEN, &other).device(&own)).await;
    assert_eq!((changed.status, changed.device().as_deref()), (200, Some(&*own)));
    let devices = attempts_at(&stack, "admin@fabrikam", "DEVICE#").await;
    assert_eq!(devices.iter().map(|item| item["SK"]["S"].as_str().unwrap()).collect::<Vec<_>>(), [device_key(&own)]);
    assert_eq!(known_networks(&stack, "admin@fabrikam").await, [format!("NETWORK#{other}/32")]);
    let budget = |item: &Value| !item["tat"].is_null();
    assert!(attempts_at(&stack, "admin@fabrikam", "NETWORK#").await.iter().all(budget), "no budget is refilled");
}

#[tokio::test]
async fn devices_are_forgotten_even_if_the_networks_cannot_be_read() {
    let (stack, own) = with_a_known_device().await;
    let other = network(1);
    assert_eq!(sign_in_from(&stack, &other).await.status, 200);
    let session = sign_in_with(&stack, &own, &other).await.session().unwrap();
    assert!(attempts_at(&stack, "admin@fabrikam", "DEVICE#").await.len() > 1);
    let fault = Fault::new(Service::DynamoDb, "Query", Mode::Refused, 100).after(1);
    stack.cloud.set_fault(fault.on_function("reset-password"));
    assert_eq!(stack.call("reset-password", choice(&session, CHOSEN, &other).device(&own)).await.status, 200);
    assert!(stack.cloud.clear_faults_of("reset-password") > 0, "the second query failed");
    let devices = attempts_at(&stack, "admin@fabrikam", "DEVICE#").await;
    assert_eq!(devices.iter().map(|item| item["SK"]["S"].as_str().unwrap()).collect::<Vec<_>>(), [device_key(&own)]);
}

#[tokio::test]
async fn the_retirement_of_the_service_administrator_forgets_its_devices_and_networks() {
    let (stack, device) = with_a_known_device().await;
    let service = sign_in_with(&stack, &device, HOME).await.session().unwrap();
    let own = "a quiet lamp over the harbour";
    stack.call("create-admin", Call::create_admin(&service, "lee@fabrikam", own)).await;
    assert_eq!(stack.sign_in("lee@fabrikam", own).await.next(), Some("home"));
    assert!(attempts_at(&stack, "admin@fabrikam", "DEVICE#").await.is_empty());
    assert!(known_networks(&stack, "admin@fabrikam").await.is_empty());
    assert_eq!(attempts_at(&stack, "lee@fabrikam", "DEVICE#").await.len(), 1);
}

#[tokio::test]
async fn devices_that_cannot_be_noted_do_not_keep_anyone_out() {
    let (stack, _) = with_a_chosen_password().await;
    for operation in ["Query", "DeleteItem"] {
        stack.cloud.set_fault(Fault::new(Service::DynamoDb, operation, Mode::Refused, 100_000));
        let answer = sign_in_from(&stack, HOME).await;
        assert!(answer.status == 200 && answer.device().is_some() && answer.session().is_some(), "{answer:?}");
        stack.advance_clock(60);
    }
}

#[tokio::test]
async fn while_dynamodb_is_slow_a_sign_in_is_answered_in_the_time_of_its_function() {
    let stack = with_a_temporary_password().await;
    assert_eq!(stack.call("sign-in", guess("admin@fabrikam", HOME)).await.status, 401);
    let slow = Fault::new(Service::DynamoDb, "*", Mode::Delayed, 100_000).on_attempt(1);
    stack.cloud.set_fault(slow.held_for(Duration::from_secs(2)));
    let call = Call::sign_in("admin@fabrikam", &stack.mailed_password());
    let asked = Instant::now();
    let answer = stack.call("sign-in", call.device(&"B".repeat(43)).session(&"C".repeat(43))).await;
    assert_eq!(
        (answer.status, answer.problem()),
        (503, Some("unavailable")),
        "ten calls, each with its second attempt"
    );
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn an_item_of_a_network_alone_is_stored_for_a_day_and_one_of_a_device_for_400() {
    let (stack, device) = with_a_known_device().await;
    let before = attempts_at(&stack, "admin@fabrikam", "DEVICE#").await;
    assert_eq!(sign_in_with(&stack, &device, "203.0.113.1").await.status, 200);
    stack.call("sign-in", guess("admin@fabrikam", "203.0.113.2")).await;
    let ttl = |item: &Value| item["ttl"]["N"].as_str().unwrap().parse::<i64>().unwrap();
    let newest = |items: Vec<Value>| items.iter().map(ttl).max().unwrap();
    let device = newest(attempts_at(&stack, "admin@fabrikam", "DEVICE#").await);
    let network = newest(attempts_at(&stack, "admin@fabrikam", "NETWORK#").await);
    let alone = newest(stack.items("ATTEMPTS").await);
    assert_eq!((device - alone, network - alone), (399 * DAY, 89 * DAY));
    assert!(newest(before) < device);
}

#[tokio::test]
async fn a_network_is_known_for_90_days_after_the_last_sign_in() {
    let (stack, _) = with_a_chosen_password().await;
    let (used, unused) = ("203.0.113.1", "203.0.113.2");
    for home in [used, unused] {
        assert_eq!(sign_in_from(&stack, home).await.status, 200);
    }
    stack.advance_clock(90 * DAY - 1);
    set_failures(&stack, STRANGERS, 100).await;
    assert_eq!(sign_in_from(&stack, used).await.status, 200);
    stack.advance_clock(1);
    assert_eq!(sign_in_from(&stack, unused).await.status, 401);
    assert_eq!(sign_in_from(&stack, used).await.status, 200);
}

#[tokio::test]
async fn a_device_is_known_for_400_days_after_the_last_sign_in() {
    let (stack, used) = with_a_known_device().await;
    let unused = sign_in_from(&stack, HOME).await.device().unwrap();
    stack.advance_clock(600);
    assert_eq!(sign_in_with(&stack, &used, HOME).await.status, 200);
    stack.advance_clock(400 * DAY - 601);
    set_failures(&stack, STRANGERS, 100).await;
    assert_eq!(sign_in_with(&stack, &used, "203.0.113.1").await.status, 200);
    stack.advance_clock(601);
    assert_eq!(sign_in_with(&stack, &unused, "203.0.113.2").await.status, 401);
    assert_eq!(sign_in_with(&stack, &used, "203.0.113.3").await.status, 200);
}

#[tokio::test]
async fn each_ipv6_prefix_of_56_bits_is_one_network() {
    let stack = with_a_temporary_password().await;
    let one = (0..8).map(|n| guess("admin@fabrikam", &format!("2001:db8:0:12{n:02x}::{n:x}")));
    assert_eq!(count_verified_in_turn(&stack, one).await, 5);
    let others = (0..8).map(|n| guess("admin@fabrikam", &format!("2001:db8:0:{:x}00::1", 0x13 + n)));
    assert_eq!(count_verified_in_turn(&stack, others).await, 8);
    let mapped = (0..8).map(|n| guess("lee@fabrikam", if n % 2 == 0 { HOME } else { "::ffff:192.0.2.1" }));
    assert_eq!(
        count_verified_in_turn(&stack, mapped).await,
        5,
        "an IPv4 address and its IPv4-mapped IPv6 address are the same"
    );
}

#[tokio::test]
async fn no_header_changes_the_network_of_a_caller() {
    let stack = with_a_temporary_password().await;
    let headers = ["x-forwarded-for", "forwarded", "x-real-ip", "true-client-ip", "cf-connecting-ip", "via"];
    let disguised = headers.into_iter().enumerate().map(|(n, header)| {
        let value = if header == "forwarded" { format!("for={}", network(n)) } else { network(n) };
        guess("admin@fabrikam", HOME).header(header, &value)
    });
    assert_eq!(count_verified_in_turn(&stack, disguised.collect::<Vec<_>>()).await, 5);
}
