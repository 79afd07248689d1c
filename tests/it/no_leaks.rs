//! No secret where it must not be: neither in the table, nor in the record of calls, nor in an answer that has none to give.

use std::{
    io, panic,
    sync::{Arc, Mutex, OnceLock},
};

use futures_util::future::join_all;
use local::cloud::{Fault, Mode, Service};
use serde_json::json;
use tests::{Answer, Call, TestStack, canary::forms, event};

#[tokio::test]
async fn a_problem_repeats_nothing_of_the_request_and_nothing_of_the_item() {
    let stack = TestStack::start().await;
    stack.started(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    stack.cloud.set_fault(Fault::new(Service::DynamoDb, "*", Mode::Refused, 3));
    let refused = stack.retrieve(&dana, "sub-1", "canary-key").await;
    stack.cloud.set_fault(Fault::new(Service::Kms, "*", Mode::Refused, 3));
    let unsealed = stack.retrieve(&dana, "sub-1", "canary-key").await;
    for answer in [refused, unsealed] {
        assert_eq!(answer.problem(), Some("unavailable"));
        let shown = answer.body.to_string();
        for canary in ["canary", "dana", "fabrikam", "sub-1", "admin", "dynamodb", "kms"] {
            assert!(!shown.contains(canary), "{canary} in {shown}");
        }
    }
}

/// All that the functions of this process log.
fn log() -> &'static Mutex<Vec<u8>> {
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Arc::default();
        let (writer, hook) = (Arc::clone(&log), panic::take_hook());
        lambda::log_as_json_to(move || Log(Arc::clone(&writer)));
        panic::set_hook(hook);
        log
    })
}

const GUESS: &str = "canary of whoever guesses";
const WEAK: &str = "passwordpassword";
const CHOSEN: &str = "seven green boats at noon";
const OWN: &str = "a quiet lamp over the harbour";
const NEXT: &str = "eleven maps under the bridge";

/// The whole story, with a fault at each call of it and without: everything that was answered, and every secret on the way.
struct Story {
    stack: TestStack,
    fault: Fault,
    answers: Vec<Answer>,
    secrets: Vec<String>,
}

impl Story {
    async fn told(fault: Fault) -> Self {
        let secrets = [GUESS, WEAK, CHOSEN, OWN, NEXT].map(ToOwned::to_owned).into();
        let mut story = Self { stack: TestStack::start().await, fault, answers: Vec::new(), secrets };
        story.tell().await;
        story
    }

    async fn tell(&mut self) {
        self.stack.cloud.set_fault(self.fault.clone());
        self.stack.publish(event("sub-1", "trial")).await;
        self.stack.cloud.drained().await.unwrap();
        self.end_fault();
        self.stack.started(event("sub-1", "trial")).await;

        let dana = self.stack.token("dana@fabrikam.example");
        self.secrets.push(dana.clone());
        self.twice("list-subscriptions", Call::get("/subscriptions").bearer(&dana)).await;
        let click = Call::get_credentials("sub-1").bearer(&dana).key("click");
        let temporary = self.twice("get-credentials", click).await.password().unwrap().to_owned();
        self.secrets.push(temporary.clone());

        self.sign_in("admin@fabrikam", GUESS).await;
        let session = self.sign_in("admin@fabrikam", &temporary).await.session().unwrap();
        self.twice("reset-password", Call::reset_password(&session, WEAK)).await;
        let reset = self.twice("reset-password", Call::reset_password(&session, CHOSEN)).await.session();
        let service = self.session_of(reset, "admin@fabrikam", CHOSEN).await;
        let create = Call::create_admin(&service, "lee@fabrikam", OWN).key("click");
        assert_eq!(self.twice("create-admin", create).await.status, 201);
        self.sign_in("lee@fabrikam", GUESS).await;
        let lee = self.sign_in("lee@fabrikam", OWN).await.session().unwrap();
        let change = |current| json!({ "new_password": NEXT, "current_password": current });
        self.twice("reset-password", Call::post("/reset-password").session(&lee).json(&change(GUESS))).await;
        let reset = self
            .twice("reset-password", Call::post("/reset-password").session(&lee).json(&change(OWN)))
            .await
            .session();
        let last = self.session_of(reset, "lee@fabrikam", NEXT).await;
        assert_eq!(self.twice("sign-in", Call::post("/sign-out").session(&last)).await.status, 204);
    }

    fn end_fault(&self) {
        self.stack.cloud.set_fault(Fault { count: 0, ..self.fault.clone() });
    }

    /// With the fault, then without: the second answer.
    async fn twice(&mut self, function: &'static str, call: Call) -> &Answer {
        self.stack.cloud.set_fault(self.fault.clone());
        let faulty = self.stack.call(function, call.clone()).await;
        self.end_fault();
        // Neither is a budget spent by what failed before, nor is a session over.
        self.stack.pass(60);
        let answer = self.stack.call(function, call).await;
        let begun = [faulty.session(), answer.session()];
        self.secrets.extend(begun.into_iter().flatten());
        self.answers.extend([faulty, answer]);
        self.answers.last().unwrap()
    }

    async fn sign_in(&mut self, user_name: &str, password: &str) -> &Answer {
        self.twice("sign-in", Call::sign_in(user_name, password)).await
    }

    /// The session of a change, which may have been carried out without an answer.
    async fn session_of(&mut self, changed: Option<String>, user_name: &str, password: &str) -> String {
        match changed {
            Some(session) => session,
            None => self.sign_in(user_name, password).await.session().unwrap(),
        }
    }

    async fn hides_its_secrets(&self) {
        let table = json!(self.stack.cloud.dump_table().await.unwrap()).to_string();
        let elsewhere = format!("{:?} {:?}", self.stack.cloud.requests(), self.stack.cloud.dead_letters());
        let log = String::from_utf8(log().lock().unwrap().clone()).unwrap();
        assert!(table.contains("$argon2id$v=19$m=19456,t=2,p=1$") && elsewhere.contains("TransactWriteItems"));
        assert!(log.contains("sign-in") || log.contains("answered"), "the log was really read: {log}");
        for form in self.secrets.iter().flat_map(|secret| forms(secret)) {
            assert!(!table.contains(&form), "in the table: {:?}", self.fault);
            assert!(!elsewhere.contains(&form), "in calls or dead letters: {:?}", self.fault);
            assert!(!log.contains(&form), "in the log: {:?}", self.fault);
            for answer in &self.answers {
                let retrieved = answer.status == 200 && answer.password().is_some();
                assert!(retrieved || !answer.body.to_string().contains(&form), "in {answer:?}");
            }
        }
        for name in ["fabrikam", "dana", "lee@", "Ahmadi"] {
            assert!(!log.contains(name), "{name} is in the log: {:?}", self.fault);
        }
    }
}

const CALLS: [(Service, &str); 11] = [
    (Service::DynamoDb, "BatchGetItem"),
    (Service::DynamoDb, "BatchWriteItem"),
    (Service::DynamoDb, "DeleteItem"),
    (Service::DynamoDb, "GetItem"),
    (Service::DynamoDb, "PutItem"),
    (Service::DynamoDb, "Query"),
    (Service::DynamoDb, "TransactWriteItems"),
    (Service::DynamoDb, "UpdateItem"),
    (Service::Kms, "Decrypt"),
    (Service::Kms, "Encrypt"),
    (Service::Ses, "SendEmail"),
];

/// Tells the story once for each call of it, all of them failing in this way.
async fn told_with(mode: Mode) {
    log();
    let stories =
        join_all(CALLS.map(|(service, operation)| Story::told(Fault::new(service, operation, mode, 100_000))));
    for story in stories.await {
        story.hides_its_secrets().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_where_calls_are_refused() {
    told_with(Mode::Refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_where_answers_are_lost() {
    told_with(Mode::LostResponse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_where_calls_are_throttled() {
    told_with(Mode::Throttled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_where_writes_meet_transactions() {
    told_with(Mode::Conflict).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_where_connections_are_closed() {
    told_with(Mode::Reset).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_where_calls_arrive_twice() {
    told_with(Mode::Duplicated).await;
}
