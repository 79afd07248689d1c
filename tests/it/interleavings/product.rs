//! Uses of a code for the product beside each other and beside what ends sessions. A use waits before each of its calls of AWS in turn, while
//! something else is done as a whole. And late attempts: a put, and a transaction, that are carried out when all is over.

use cloud::{Fault, Mode, Service};
use domain::AuthorizationCode;
use futures_util::{future::join_all, join};
use serde_json::Value;
use support::{RelyingParty, ended};

use super::*;

const LEES: &str = CHOICES[1];
const MOS: &str = CHOICES[2];

/// The name of the machine whose use waits before each of its calls.
const SLOW: &str = "@slow";

/// The delay of an attempt that arrives when all is over.
const LATE: Duration = Duration::from_secs(3);

/// A deed that is done while a use of a code waits.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Reset,
    Removal,
    End,
    /// The first write of an end, before any account is closed.
    EndBegun,
    OtherUse,
}

/// A subscription with two administrators, of whom Mo has a code for the product.
struct Entry {
    subscription: String,
    lees_session: String,
    mos_id: String,
    code: String,
}

impl Entry {
    async fn new(stack: &TestStack, number: usize) -> Self {
        let (subscription, company) = (subscription(number), company(number));
        let [admin, lee, mo] = ["admin", "lee", "mo"].map(|who| format!("{who}@{company}"));
        let mut start = event(&subscription, "trial");
        start["detail"]["company"]["id"] = company.into();
        stack.start_subscription(start).await;
        let service = stack.choose_password(&admin, &stack.mailed_password(), CHOICES[0]).await;
        let lees_session = stack.first_administrator(&service, &lee, LEES).await;
        let mos_session = stack.proven_administrator(&lees_session, LEES, &mo, MOS).await;
        let code = RelyingParty::default().code(stack, &mos_session).await;
        Self { subscription, lees_session, mos_id: stack.account_id(&mo).await, code }
    }

    /// Returns the item of the code.
    async fn item(&self, stack: &TestStack) -> Value {
        let digest = AuthorizationCode::parse(&self.code).unwrap().digest();
        let key = format!("CODE#{}", digest.as_str());
        stack.items("CODE").await.into_iter().find(|item| item["PK"]["S"] == key.as_str()).unwrap()
    }

    async fn use_code(&self, stack: &TestStack) -> Answer {
        RelyingParty::default().redeem(stack, &self.code).await
    }

    /// Ends the subscription as the first write of an end does.
    async fn begin_end(&self, stack: &TestStack) {
        let table = Table::connect(&stack.cloud.aws_url(), "desk");
        let (key, now) = (format!("SUBSCRIPTION#{}", self.subscription), stack.cloud.clock().epoch_seconds());
        table.set_number(key, "CREDENTIAL", "ended_at", now).await;
    }

    /// Does a deed. Returns the answer to the use that it may be.
    async fn perform(&self, stack: &TestStack, deed: Deed) -> Option<Answer> {
        let (session, id) = (&self.lees_session, &self.mos_id);
        let (function, call, status) = match deed {
            Deed::Reset => ("reset-admin", Call::reset_admin(session, id, LEES), 200),
            Deed::Removal => ("remove-admin", Call::remove_admin(session, id, LEES), 204),
            Deed::End => {
                stack.end_subscription(ended(&self.subscription)).await;
                return None;
            }
            Deed::EndBegun => {
                self.begin_end(stack).await;
                return None;
            }
            Deed::OtherUse => return Some(self.use_code(stack).await),
        };
        assert_eq!(stack.call(function, call).await.status, status, "{deed:?}");
        None
    }
}

async fn deployed() -> TestStack {
    Deployment::default().with("SIGN_IN_NETWORK_BURST", "1000000").start().await
}

async fn start() -> (TestStack, Entry) {
    let stack = deployed().await;
    let entry = Entry::new(&stack, 1).await;
    (stack, entry)
}

async fn user_status(stack: &TestStack, token: &str) -> u16 {
    stack.call("product-sign-in", Call::userinfo(token)).await.status
}

/// Uses a code on the slow machine, which waits before its call number `position` while `deed` is done. Returns the answers to both, or `None`
/// where the use makes fewer calls.
async fn beside(
    stack: &TestStack,
    slow: &Machine,
    entry: &Entry,
    (deed, position): (Deed, usize),
) -> Option<(String, Answer, Option<Answer>)> {
    let mut gate = stack.cloud.gate(|call| call.function.ends_with(SLOW));
    let (finished, mut end) = tokio::sync::oneshot::channel::<()>();
    let used = async {
        let answer = slow.call("product-sign-in", RelyingParty::default().redemption(&entry.code)).await;
        drop(finished);
        answer
    };
    let interfere = async {
        for n in 0..=position {
            let held = tokio::select! {
                held = gate.next() => held.unwrap(),
                _ = &mut end => return None,
            };
            if n < position {
                held.release().await;
                continue;
            }
            let place = format!("a use waits before its call {n}, {held:?}, for {deed:?}");
            let other = entry.perform(stack, deed).await;
            drop(gate);
            held.release().await;
            return Some((place, other));
        }
        None
    };
    let (answer, interfered) = join!(used, interfere);
    let (place, other) = interfered?;
    Some((place, answer, other))
}

/// Lets a use wait before each of its calls in turn, each time with another code.
async fn at_every_call(deed: Deed) {
    let stack = deployed().await;
    let slow = stack.separate_machine(SLOW);
    let mut stops = 0;
    for position in 0.. {
        let entry = Entry::new(&stack, position).await;
        let Some((place, answer, other)) = beside(&stack, &slow, &entry, (deed, position)).await else { break };
        stops += 1;
        if answer.status == 503 {
            // The machine was so busy that a call waited longer than the time limit of a function.
            continue;
        }
        assert_eq!((answer.status, answer.oauth_error()), (400, Some("invalid_grant")), "{place}");
        let Some(other) = other else {
            assert!(entry.item(&stack).await["spent_by"].is_null(), "{place}: the code is spent");
            continue;
        };
        let token = other.access_token().unwrap_or_else(|| panic!("{place}: {other:?}"));
        assert_eq!(user_status(&stack, token).await, 401, "{place}: the token of a code that was used twice is good");
    }
    assert!(stops >= 4, "a use makes only {stops} calls");
    println!("a use beside {deed:?}: {stops} stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_or_a_removal_between_the_calls_of_a_use_leaves_the_code_unspent() {
    at_every_call(Deed::Reset).await;
    at_every_call(Deed::Removal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_between_the_calls_of_a_use_leaves_the_code_unspent() {
    at_every_call(Deed::End).await;
    at_every_call(Deed::EndBegun).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_void_as_soon_as_an_end_is_written() {
    let (stack, entry) = start().await;
    let answer = entry.use_code(&stack).await;
    let token = answer.access_token().unwrap_or_else(|| panic!("{answer:?}"));
    assert_eq!(user_status(&stack, token).await, 200);
    entry.begin_end(&stack).await;
    assert_eq!(user_status(&stack, token).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_use_between_the_calls_of_a_use_gets_a_token_that_is_void_after_it() {
    at_every_call(Deed::OtherUse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_twenty_uses_of_a_code_at_once_gets_a_token_that_is_void() {
    let (stack, entry) = start().await;
    let answers = join_all((0..20).map(|_| entry.use_code(&stack))).await;
    let tokens: Vec<_> = answers.iter().filter_map(Answer::access_token).collect();
    let refused = answers.iter().filter(|answer| answer.oauth_error() == Some("invalid_grant")).count();
    assert!(tokens.len() <= 1 && refused > 0, "{answers:?}");
    assert!(stack.items("TOKEN").await.is_empty(), "a token is left");
    for token in tokens {
        assert_eq!(user_status(&stack, token).await, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_attempt_to_put_a_code_does_not_make_it_new() {
    let (stack, entry) = start().await;
    let late = Fault::new(Service::DynamoDb, "PutItem", Mode::Delayed, 1).on_function("product-sign-in");
    stack.cloud.set_fault(late.on_attempt(1).held_for(LATE));
    let begun = std::time::Instant::now();
    let code = RelyingParty::default().code(&stack, &entry.lees_session).await;
    let entry = Entry { code, ..entry };
    let first = entry.use_code(&stack).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert!(begun.elapsed() < LATE, "the late attempt came before the first use");
    tokio::time::sleep(LATE.saturating_sub(begun.elapsed()) + Duration::from_millis(300)).await;
    assert_eq!(stack.cloud.clear_faults_of("product-sign-in"), 1, "an attempt was late");
    assert!(!entry.item(&stack).await["spent_by"].is_null(), "the code is new");
    assert_eq!(entry.use_code(&stack).await.oauth_error(), Some("invalid_grant"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_attempt_to_redeem_a_code_does_not_bring_a_void_token_back() {
    let (stack, entry) = start().await;
    let late = Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::Delayed, 1).on_function("product-sign-in");
    stack.cloud.set_fault(late.on_attempt(1).held_for(LATE));
    let begun = std::time::Instant::now();
    let first = entry.use_code(&stack).await;
    let token = first.access_token().unwrap_or_else(|| panic!("{first:?}"));
    assert_eq!(user_status(&stack, token).await, 200);
    assert_eq!(entry.use_code(&stack).await.oauth_error(), Some("invalid_grant"));
    assert_eq!(user_status(&stack, token).await, 401);
    tokio::time::sleep(LATE.saturating_sub(begun.elapsed()) + Duration::from_millis(300)).await;
    assert_eq!(stack.cloud.clear_faults_of("product-sign-in"), 1, "an attempt was late");
    assert_eq!(user_status(&stack, token).await, 401, "the late attempt has brought the token back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_whose_first_answer_was_lost_gets_a_token_that_is_good() {
    let (stack, entry) = start().await;
    let lost = Fault::new(Service::DynamoDb, "TransactWriteItems", Mode::LostResponse, 1).on_attempt(1);
    stack.cloud.set_fault(lost.on_function("product-sign-in"));
    let answer = entry.use_code(&stack).await;
    assert_eq!(stack.cloud.clear_faults_of("product-sign-in"), 1, "an answer was lost");
    let token = answer.access_token().unwrap_or_else(|| panic!("{answer:?}"));
    assert_eq!(user_status(&stack, token).await, 200);
}
