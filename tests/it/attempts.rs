//! Budgets of whoever guesses: what is verified is told by 401, what is not by 429.

use futures_util::{future::join_all, join};
use local::cloud::{Fault, Mode, Service};
use serde_json::{Value, json};
use support::{Answer, Call, Deployment, TestStack, event};

const CHOSEN: &str = "seven green boats at noon";
const WRONG: &str = "six blue kites at midnight";
const DAY: i64 = 24 * 3600;

/// A name that is known, one that is not, and what is no user name at all: nobody may tell them apart.
const NAMES: [&str; 3] = ["admin@fabrikam", "nobody@fabrikam", "no user name"];

/// A stack with the subscription `sub-1`, whose password is temporary.
async fn issued() -> TestStack {
    let stack = TestStack::start().await;
    stack.started(event("sub-1", "trial")).await;
    stack
}

/// A stack whose service administrator has chosen [`CHOSEN`] on [`HOME`], an hour ago; and their session.
async fn chosen() -> (TestStack, String) {
    let stack = TestStack::start().await;
    let session = stack.service_administrator("sub-1", "admin@fabrikam", CHOSEN).await;
    stack.pass(3600);
    (stack, session)
}

/// The address that calls come from unless they name another.
const HOME: &str = "192.0.2.1";

/// A network of its own for each number.
fn network(n: usize) -> String {
    format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)
}

fn guess(name: &str, from: &str) -> Call {
    Call::sign_in(name, WRONG).from(from)
}

/// So many guesses, each from a network that has not been seen, `first` being the number of the first.
fn guesses(name: &str, first: usize, count: usize) -> impl Iterator<Item = Call> + Clone {
    (first..first + count).map(move |n| guess(name, &network(n)))
}

async fn at_once(stack: &TestStack, calls: impl IntoIterator<Item = Call>) -> Vec<Answer> {
    join_all(calls.into_iter().map(|call| stack.call("sign-in", call))).await
}

/// How many were verified; the others were refused.
fn verified(answers: &[Answer]) -> usize {
    for answer in answers {
        let told = (answer.status, answer.problem(), answer.headers.contains_key("retry-after"));
        let expected = [(401, Some("invalid-credentials"), false), (429, Some("too-many-attempts"), true)];
        assert!(expected.contains(&told), "{answer:?}");
    }
    answers.iter().filter(|answer| answer.status == 401).count()
}

/// Sends them all at one instant: never more than the budget are verified, and no account is read for another. On a machine that has
/// time to spare it is the whole budget; where it has none, an attempt that was not answered in time is sent again and costs another,
/// so that a day passes and all come again.
async fn whole_budget(stack: &TestStack, budget: usize, calls: impl Iterator<Item = Call> + Clone) -> Vec<Answer> {
    for _ in 0..3 {
        stack.cloud.clear_requests();
        let answers = at_once(stack, calls.clone()).await;
        let admitted = verified(&answers);
        assert!(admitted <= budget, "{admitted} of {budget}");
        if (admitted, accounts_read(stack)) == (budget, budget) {
            return answers;
        }
        stack.pass(DAY);
    }
    panic!("{budget} were never verified, or accounts are read for others");
}

/// How many of them are verified, one after the other.
async fn verified_in_turn(stack: &TestStack, calls: impl IntoIterator<Item = Call>) -> usize {
    let mut answers = Vec::new();
    for call in calls {
        answers.push(stack.call("sign-in", call).await);
    }
    verified(&answers)
}

/// The seconds that everybody who was refused is told.
fn retry_after(answers: &[Answer]) -> i64 {
    let mut told: Vec<&String> = answers.iter().filter_map(|answer| answer.headers.get("retry-after")).collect();
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    told[0].parse().unwrap()
}

fn accounts_read(stack: &TestStack) -> usize {
    stack.cloud.requests().iter().filter(|call| call.operation == "GetItem").count()
}

/// What a stranger can tell of an answer.
fn seen(mut answer: Answer) -> String {
    let _: Value = answer.body["request_id"].take();
    format!("{answer:?}")
}

async fn signs_in_from(stack: &TestStack, from: &str) -> Answer {
    stack.call("sign-in", Call::sign_in("admin@fabrikam", CHOSEN).from(from)).await
}

/// Wrong passwords in a row from networks that have not been seen, as fast as the budget of the account lets them.
async fn failures_in_a_row(stack: &TestStack, first: usize, count: usize) {
    let calls: Vec<Call> = guesses("admin@fabrikam", first, count).collect();
    for few in calls.chunks(4) {
        stack.pass(4 * 30);
        assert_eq!(verified(&at_once(stack, few.to_vec()).await), few.len());
    }
    stack.pass(600);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_guesses_at_one_instant_from_64_networks_20_are_verified_whoever_the_name_is() {
    let stack = issued().await;
    for name in NAMES {
        let answers = whole_budget(&stack, 20, guesses(name, 0, 64)).await;
        assert_eq!(retry_after(&answers), 30);
        stack.pass(29);
        assert_eq!(verified_in_turn(&stack, guesses(name, 100, 4)).await, 0, "{name}: a second too early");
        stack.pass(1);
        assert_eq!(verified_in_turn(&stack, guesses(name, 200, 4)).await, 1, "{name}: one each 30 seconds");
    }
}

#[tokio::test]
async fn a_budget_refills_by_one_each_30_seconds_up_to_its_size() {
    let stack = issued().await;
    for (first, seconds, admitted) in [(0, 0, 20), (100, 300, 10), (200, DAY, 20)] {
        stack.pass(seconds);
        assert_eq!(verified_in_turn(&stack, guesses("admin@fabrikam", first, 24)).await, admitted, "{seconds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_guesses_at_one_instant_from_one_network_5_are_verified_whoever_the_name_is() {
    let stack = Deployment::default().with("SIGN_IN_NETWORK_BURST", "1000").start().await;
    stack.started(event("sub-1", "trial")).await;
    for name in NAMES {
        let from_one = |count| (0..count).map(move |_| guess(name, HOME));
        let answers = whole_budget(&stack, 5, from_one(64)).await;
        assert_eq!(retry_after(&answers), 30);
        stack.pass(29);
        assert_eq!(verified_in_turn(&stack, from_one(4)).await, 0, "{name}: a second too early");
        stack.pass(1);
        assert_eq!(verified_in_turn(&stack, from_one(4)).await, 1, "{name}: one each 30 seconds");
    }
}

#[tokio::test]
async fn one_network_takes_no_more_of_a_name_than_its_share() {
    let stack = issued().await;
    assert_eq!(verified_in_turn(&stack, (0..16).map(|_| guess("admin@fabrikam", HOME))).await, 5);
    assert_eq!(verified_in_turn(&stack, guesses("admin@fabrikam", 0, 24)).await, 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_guesses_at_one_instant_from_one_network_at_64_names_60_are_verified() {
    let stack = issued().await;
    let at_many = |first: usize, count| (first..first + count).map(|n| guess(&format!("person-{n}@fabrikam"), HOME));
    let all = NAMES.into_iter().map(|name| guess(name, HOME)).chain(at_many(0, 61));
    let answers = whole_budget(&stack, 60, all).await;
    assert_eq!(retry_after(&answers), 2);
    assert_eq!(verified_in_turn(&stack, (0..4).map(|_| guess("fresh@fabrikam", HOME))).await, 0);
    let elsewhere = guesses("fresh@fabrikam", 0, 24);
    assert_eq!(verified_in_turn(&stack, elsewhere).await, 20, "what is refused spends nothing of a name");
    stack.pass(1);
    assert_eq!(verified_in_turn(&stack, at_many(100, 4)).await, 0, "a second too early");
    stack.pass(1);
    assert_eq!(verified_in_turn(&stack, at_many(200, 4)).await, 1, "one each two seconds");
    stack.pass(20);
    assert_eq!(verified_in_turn(&stack, at_many(300, 16)).await, 10);
}

#[tokio::test]
async fn whoever_is_refused_is_told_the_same_whether_the_name_is_known_or_the_password_right() {
    let (stack, _) = chosen().await;
    for name in NAMES {
        assert_eq!(verified_in_turn(&stack, (0..5).map(|_| guess(name, "203.0.113.9"))).await, 5);
    }
    let right = signs_in_from(&stack, "203.0.113.9").await;
    assert_eq!(right.status, 429);
    let right = seen(right);
    for name in NAMES {
        assert_eq!(seen(stack.call("sign-in", guess(name, "203.0.113.9")).await), right, "{name}");
    }
}

/// Sends them all at one instant to two machines whose clocks are two seconds apart; again another day, as for [`whole_budget`].
async fn on_two_machines(
    stack: &TestStack,
    budget: std::ops::RangeInclusive<usize>,
    calls: impl Iterator<Item = Call> + Clone,
) {
    for _ in 0..3 {
        let machines = [stack.machine(-1), stack.machine(1)];
        let sent = calls.clone().enumerate().map(|(n, call)| machines[n % 2]("sign-in", call));
        let admitted = verified(&join_all(sent).await);
        assert!(admitted <= *budget.end(), "{admitted} of {budget:?}");
        if budget.contains(&admitted) {
            return;
        }
        stack.pass(DAY);
    }
    panic!("{budget:?} were never verified");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_clocks_two_seconds_apart_no_more_is_verified_than_two_seconds_refill() {
    let stack = issued().await;
    let of_one_name = (0..64).map(|_| guess("nobody@fabrikam", HOME));
    let of_many = (0..64).map(|n| guess(&format!("person-{n}@fabrikam"), "192.0.2.2"));
    on_two_machines(&stack, 20..=20, guesses("admin@fabrikam", 0, 64)).await;
    on_two_machines(&stack, 5..=5, of_one_name).await;
    on_two_machines(&stack, 60..=61, of_many).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_or_a_write_that_is_doubled_never_admits_one_more() {
    for fault in [
        Fault::new(Service::DynamoDb, "*", Mode::LostResponse, 100_000).on_attempt(1),
        Fault::new(Service::DynamoDb, "UpdateItem", Mode::Duplicated, 100_000),
    ] {
        let stack = issued().await;
        stack.cloud.set_fault(fault.clone());
        let alone = verified_in_turn(&stack, guesses("admin@fabrikam", 0, 1)).await;
        assert_eq!(alone, 1, "it costs more, and whoever comes alone is still heard");
        let crowd = verified(&at_once(&stack, guesses("admin@fabrikam", 1, 63)).await);
        assert!(alone + crowd <= 20, "{crowd} with {fault:?}");
        let crowd = verified(&at_once(&stack, (0..16).map(|_| guess("lee@fabrikam", HOME))).await);
        assert!(crowd <= 5, "{crowd} with {fault:?}");
    }
}

#[tokio::test]
async fn while_attempts_cannot_be_counted_nothing_is_verified() {
    let stack = issued().await;
    let temporary = stack.mailed_password();
    stack.cloud.clear_requests();
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "UpdateItem", Mode::Refused, 100_000));
    let answer = stack.sign_in("admin@fabrikam", &temporary).await;
    assert_eq!((answer.status, answer.problem()), (503, Some("unavailable")));
    assert_eq!(accounts_read(&stack), 0);
}

/// A choice of a password in a session, with the current one as somebody gives it.
fn choice(session: &str, current: &str, from: &str) -> Call {
    let body = json!({ "new_password": "a quiet lamp over the harbour", "current_password": current });
    Call::post("/reset-password").session(session).json(&body).from(from)
}

#[tokio::test]
async fn five_wrong_current_passwords_from_one_network_are_all_that_it_may_try() {
    let (stack, session) = chosen().await;
    let choose = async |current, from| stack.call("reset-password", choice(&session, current, from)).await;
    for _ in 0..5 {
        let wrong = choose(WRONG, "203.0.113.1").await;
        assert_eq!((wrong.status, wrong.problem()), (401, Some("invalid-credentials")));
    }
    let right = choose(CHOSEN, "203.0.113.1").await;
    assert_eq!((right.status, right.problem()), (429, Some("too-many-attempts")));
    assert_eq!(right.headers["retry-after"], "30");
    assert_eq!(signs_in_from(&stack, "203.0.113.1").await.status, 429, "one budget, wherever a password is asked for");
    assert_eq!(choose(CHOSEN, "203.0.113.2").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_asked_for_at_reset_and_at_sign_in_at_one_instant_is_one_budget() {
    let (stack, session) = chosen().await;
    let resets = (0..32).map(|n| stack.call("reset-password", choice(&session, WRONG, &network(n))));
    let sign_ins = at_once(&stack, guesses("admin@fabrikam", 32, 32));
    let (resets, sign_ins) = join!(join_all(resets), sign_ins);
    assert!((1..=20).contains(&(verified(&resets) + verified(&sign_ins))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_failures_in_a_row_from_elsewhere_close_an_account_to_strangers_and_not_to_its_owner() {
    let (stack, _) = chosen().await;
    failures_in_a_row(&stack, 0, 99).await;
    assert_eq!(signs_in_from(&stack, "203.0.113.1").await.status, 200, "the hundredth may still be right");
    failures_in_a_row(&stack, 200, 100).await;
    let right = signs_in_from(&stack, "203.0.113.2").await;
    let wrong = stack.call("sign-in", guess("admin@fabrikam", "203.0.113.3")).await;
    assert_eq!((right.status, right.problem()), (401, Some("invalid-credentials")));
    assert_eq!(seen(right), seen(wrong), "nobody learns that it was right, or that it is closed");
    for known in [HOME, "203.0.113.1"] {
        assert_eq!(signs_in_from(&stack, known).await.status, 200, "{known}");
    }
    assert_eq!(signs_in_from(&stack, "203.0.113.4").await.status, 200, "after a success there is no row");
}

#[tokio::test]
async fn a_temporary_password_is_never_closed_by_failures() {
    let stack = issued().await;
    failures_in_a_row(&stack, 0, 110).await;
    let owner = stack.sign_in("admin@fabrikam", &stack.mailed_password()).await;
    assert_eq!((owner.status, owner.next()), (200, Some("reset-password")));
}

#[tokio::test]
async fn nobody_closes_an_account_that_is_still_to_be_created() {
    let (stack, service) = chosen().await;
    for first in (0..110).step_by(4) {
        stack.pass(4 * 30);
        let few = (first..first + 4).map(|n| guess("lee@fabrikam", &network(n)));
        assert_eq!(verified_in_turn(&stack, few).await, 4);
    }
    stack.pass(600);
    let create = Call::create_admin(&service, "lee@fabrikam", "a quiet lamp over the harbour");
    assert_eq!(stack.call("create-admin", create).await.status, 201);
    let lee = stack.sign_in("lee@fabrikam", "a quiet lamp over the harbour").await;
    assert_eq!((lee.status, lee.next()), (200, Some("home")));
}

#[tokio::test]
async fn strangers_and_the_owner_on_a_known_network_spend_nothing_of_each_other() {
    let (stack, _) = chosen().await;
    assert_eq!(verified_in_turn(&stack, (0..8).map(|_| guess("admin@fabrikam", HOME))).await, 5);
    assert_eq!(verified_in_turn(&stack, guesses("admin@fabrikam", 0, 24)).await, 20);
    assert_eq!(signs_in_from(&stack, "203.0.113.1").await.status, 429);
    stack.pass(30);
    assert_eq!(verified_in_turn(&stack, guesses("admin@fabrikam", 100, 8)).await, 1);
    assert_eq!(signs_in_from(&stack, HOME).await.status, 200, "while nothing is left for strangers");
}

#[tokio::test]
async fn a_network_is_known_for_90_days_after_the_last_sign_in() {
    let (stack, _) = chosen().await;
    let (kept, left) = ("203.0.113.1", "203.0.113.2");
    for home in [kept, left] {
        assert_eq!(signs_in_from(&stack, home).await.status, 200);
    }
    stack.pass(90 * DAY - 1);
    assert_eq!(verified_in_turn(&stack, guesses("admin@fabrikam", 0, 20)).await, 20, "nothing is left for strangers");
    assert_eq!(signs_in_from(&stack, kept).await.status, 200);
    stack.pass(1);
    assert_eq!(signs_in_from(&stack, left).await.status, 429);
    assert_eq!(signs_in_from(&stack, kept).await.status, 200);
}

#[tokio::test]
async fn a_56_of_ipv6_is_one_network_and_another_is_another() {
    let stack = issued().await;
    let one = (0..8).map(|n| guess("admin@fabrikam", &format!("2001:db8:0:12{n:02x}::{n:x}")));
    assert_eq!(verified_in_turn(&stack, one).await, 5);
    let others = (0..8).map(|n| guess("admin@fabrikam", &format!("2001:db8:0:{:x}00::1", 0x13 + n)));
    assert_eq!(verified_in_turn(&stack, others).await, 8);
    let mapped = (0..8).map(|n| guess("lee@fabrikam", if n % 2 == 0 { HOME } else { "::ffff:192.0.2.1" }));
    assert_eq!(verified_in_turn(&stack, mapped).await, 5, "an IPv4 address is the same when IPv6 carries it");
}

#[tokio::test]
async fn no_header_makes_another_network_of_a_caller() {
    let stack = issued().await;
    let headers = ["x-forwarded-for", "forwarded", "x-real-ip", "true-client-ip", "cf-connecting-ip", "via"];
    let disguised = headers.into_iter().enumerate().map(|(n, header)| {
        let value = if header == "forwarded" { format!("for={}", network(n)) } else { network(n) };
        guess("admin@fabrikam", HOME).header(header, &value)
    });
    assert_eq!(verified_in_turn(&stack, disguised.collect::<Vec<_>>()).await, 5);
}
