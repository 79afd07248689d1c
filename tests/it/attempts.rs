//! Tests of the budgets for password guesses. A guess that was verified gets 401, one that the budget refused gets 429.

use cloud::{Fault, Mode, Service};
use futures_util::{future::join_all, join};
use serde_json::{Value, json};
use support::{Answer, Call, Deployment, TestStack, event};

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

/// Returns how many guesses were verified, and asserts that the others were refused by the budget.
fn count_verified(answers: &[Answer]) -> usize {
    for answer in answers {
        let found = (answer.status, answer.problem(), answer.headers.contains_key("retry-after"));
        let expected = [(401, Some("invalid-credentials"), false), (429, Some("too-many-attempts"), true)];
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
        if (admitted, accounts_read(stack)) == (budget, budget) {
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

/// Guesses wrong passwords in a row, each from a new network, as fast as the budget of the account allows.
async fn fail_in_a_row(stack: &TestStack, first: usize, count: usize) {
    let calls: Vec<Call> = guesses("admin@fabrikam", first, count).collect();
    for chunk in calls.chunks(4) {
        stack.advance_clock(4 * 30);
        assert_eq!(count_verified(&send_all(stack, chunk.to_vec()).await), chunk.len());
    }
    stack.advance_clock(600);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_of_64_guesses_at_one_instant_from_64_networks_are_verified_whatever_the_user_name() {
    let stack = with_a_temporary_password().await;
    for name in NAMES {
        let answers = whole_budget(&stack, 20, guesses(name, 0, 64)).await;
        assert_eq!(retry_after(&answers), 30);
        stack.advance_clock(29);
        assert_eq!(count_verified_in_turn(&stack, guesses(name, 100, 4)).await, 0, "{name}: one second too early");
        stack.advance_clock(1);
        assert_eq!(count_verified_in_turn(&stack, guesses(name, 200, 4)).await, 1, "{name}: one every 30 seconds");
    }
}

#[tokio::test]
async fn a_budget_refills_by_one_every_30_seconds_up_to_its_size() {
    let stack = with_a_temporary_password().await;
    for (first, seconds, admitted) in [(0, 0, 20), (100, 300, 10), (200, DAY, 20)] {
        stack.advance_clock(seconds);
        assert_eq!(count_verified_in_turn(&stack, guesses("admin@fabrikam", first, 24)).await, admitted, "{seconds}");
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
async fn one_network_spends_no_more_of_the_budget_of_a_user_name_than_its_share() {
    let stack = with_a_temporary_password().await;
    assert_eq!(count_verified_in_turn(&stack, (0..16).map(|_| guess("admin@fabrikam", HOME))).await, 5);
    assert_eq!(count_verified_in_turn(&stack, guesses("admin@fabrikam", 0, 24)).await, 15);
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
    let elsewhere = guesses("fresh@fabrikam", 0, 24);
    assert_eq!(
        count_verified_in_turn(&stack, elsewhere).await,
        20,
        "a refused guess spends nothing from the budget of the name"
    );
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
    let stack = with_a_temporary_password().await;
    let at_one_name = (0..64).map(|_| guess("nobody@fabrikam", HOME));
    let at_many_names = (0..64).map(|n| guess(&format!("person-{n}@fabrikam"), "192.0.2.2"));
    on_two_machines(&stack, 20..=20, guesses("admin@fabrikam", 0, 64)).await;
    on_two_machines(&stack, 5..=5, at_one_name).await;
    on_two_machines(&stack, 60..=61, at_many_names).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_or_a_duplicated_write_never_admits_an_additional_guess() {
    for fault in [
        Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1),
        Fault::new(Service::DynamoDb, "UpdateItem", Mode::Duplicated, 100_000),
    ] {
        let stack = with_a_temporary_password().await;
        stack.cloud.set_fault(fault.clone());
        let alone = count_verified_in_turn(&stack, guesses("admin@fabrikam", 0, 1)).await;
        assert_eq!(alone, 1, "the guess spends more than once, and a single caller is still admitted");
        let crowd = count_verified(&send_all(&stack, guesses("admin@fabrikam", 1, 63)).await);
        assert!(alone + crowd <= 20, "{crowd} with {fault:?}");
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
    let resets = (0..32).map(|n| stack.call("reset-password", choice(&session, WRONG, &network(n))));
    let sign_ins = send_all(&stack, guesses("admin@fabrikam", 32, 32));
    let (resets, sign_ins) = join!(join_all(resets), sign_ins);
    assert!((1..=20).contains(&(count_verified(&resets) + count_verified(&sign_ins))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_failures_in_a_row_from_elsewhere_close_an_account_to_strangers_and_not_to_its_owner() {
    let (stack, _) = with_a_chosen_password().await;
    fail_in_a_row(&stack, 0, 99).await;
    assert_eq!(sign_in_from(&stack, "203.0.113.1").await.status, 200, "the hundredth attempt may still succeed");
    fail_in_a_row(&stack, 200, 100).await;
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
    assert_eq!(sign_in_from(&stack, "203.0.113.4").await.status, 200, "a success ends the series of failures");
}

#[tokio::test]
async fn failures_never_close_an_account_with_a_temporary_password() {
    let stack = with_a_temporary_password().await;
    fail_in_a_row(&stack, 0, 110).await;
    let owner = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await;
    assert_eq!((owner.status, owner.next()), (200, Some("reset-password")));
}

#[tokio::test]
async fn failures_do_not_close_an_account_that_is_created_later() {
    let (stack, service) = with_a_chosen_password().await;
    for first in (0..110).step_by(4) {
        stack.advance_clock(4 * 30);
        let guesses = (first..first + 4).map(|n| guess("lee@fabrikam", &network(n)));
        assert_eq!(count_verified_in_turn(&stack, guesses).await, 4);
    }
    stack.advance_clock(600);
    let create = Call::create_admin(&service, "lee@fabrikam", "a quiet lamp over the harbour");
    assert_eq!(stack.call("create-admin", create).await.status, 201);
    let lee = stack.sign_in("lee@fabrikam", "a quiet lamp over the harbour").await;
    assert_eq!((lee.status, lee.next()), (200, Some("home")));
}

#[tokio::test]
async fn strangers_and_the_owner_on_a_known_network_spend_from_separate_budgets() {
    let (stack, _) = with_a_chosen_password().await;
    assert_eq!(count_verified_in_turn(&stack, (0..8).map(|_| guess("admin@fabrikam", HOME))).await, 5);
    assert_eq!(count_verified_in_turn(&stack, guesses("admin@fabrikam", 0, 24)).await, 20);
    assert_eq!(sign_in_from(&stack, "203.0.113.1").await.status, 429);
    stack.advance_clock(30);
    assert_eq!(count_verified_in_turn(&stack, guesses("admin@fabrikam", 100, 8)).await, 1);
    assert_eq!(sign_in_from(&stack, HOME).await.status, 200, "the budget of strangers is spent");
}

#[tokio::test]
async fn a_network_is_known_for_90_days_after_the_last_sign_in() {
    let (stack, _) = with_a_chosen_password().await;
    let (used, unused) = ("203.0.113.1", "203.0.113.2");
    for home in [used, unused] {
        assert_eq!(sign_in_from(&stack, home).await.status, 200);
    }
    stack.advance_clock(90 * DAY - 1);
    assert_eq!(
        count_verified_in_turn(&stack, guesses("admin@fabrikam", 0, 20)).await,
        20,
        "this spends the budget of strangers"
    );
    assert_eq!(sign_in_from(&stack, used).await.status, 200);
    stack.advance_clock(1);
    assert_eq!(sign_in_from(&stack, unused).await.status, 429);
    assert_eq!(sign_in_from(&stack, used).await.status, 200);
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
