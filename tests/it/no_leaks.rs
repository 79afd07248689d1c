//! Tests that no secret is where it must not be: in the table, in the record of calls, in the log, or in an answer that must not
//! show it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io, panic,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use cloud::{Fault, Mode, Service};
use domain::{
    Account, AccountStatus, EmailAddress, PasswordHash, Principal, Role, SealedPassword, SubscriptionId, Timestamp,
    UserName,
};
use futures_util::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use lambda_http::{Service as _, http};
use serde_json::{Value, json};
use support::{
    Answer, Api, Call, Deployment, Function, PRODUCT_SECRET, RelyingParty, TestStack, address_in, ended, event,
    secrets::forms,
};

#[tokio::test]
async fn a_problem_repeats_nothing_of_the_request_and_nothing_of_the_item() {
    let stack = TestStack::start().await;
    stack.start_subscription(event("sub-1", "trial")).await;
    let dana = stack.token("dana@fabrikam.example");
    stack.warm_up().await;
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

/// Returns everything that the functions of this process log.
pub(crate) fn log() -> &'static Mutex<Vec<u8>> {
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

const GUESS: &str = "canary of a wrong guess";
const WEAK: &str = "passwordpassword";
const CHOSEN: &str = "seven green boats at noon";
const OWN: &str = "a quiet lamp over the harbour";
const NEXT: &str = "eleven maps under the bridge";

/// The whole story of a subscription, in which each call is made with a fault and then without it. Keeps all answers and all
/// secrets.
struct Story {
    stack: TestStack,
    fault: Fault,
    answers: Vec<Answer>,
    secrets: Vec<String>,
    /// The HTTP functions that it has called.
    called: BTreeSet<String>,
}

impl Story {
    /// Runs the story with a fault.
    async fn run(fault: Fault) -> Self {
        let secrets = [GUESS, WEAK, CHOSEN, OWN, NEXT, PRODUCT_SECRET].map(ToOwned::to_owned).into();
        let stack = Deployment::default().with("NOTICES", "all").start().await;
        let called = BTreeSet::new();
        let mut story = Self { stack, fault, answers: Vec::new(), secrets, called };
        story.run_steps().await;
        story.assert_every_function_ran();
        story
    }

    async fn run_steps(&mut self) {
        self.stack.cloud.set_fault(self.fault.clone());
        self.stack.refresh_keys().await;
        self.end_fault();
        assert!(self.stack.refresh_keys().await);
        self.stack.cloud.set_fault(self.fault.clone());
        self.stack.publish(event("sub-1", "trial")).await;
        self.stack.cloud.drained().await.unwrap();
        self.end_fault();
        self.stack.start_subscription(event("sub-1", "trial")).await;

        let dana = self.stack.token("dana@fabrikam.example");
        self.secrets.push(dana.clone());
        self.call_twice("list-subscriptions", Call::get("/subscriptions").bearer(&dana)).await;
        let click = Call::get_credentials("sub-1").bearer(&dana).key("click");
        let temporary = self.call_twice("get-credentials", click).await.password().unwrap().to_owned();
        self.secrets.push(temporary.clone());
        self.call_twice("portal", Call::get("/").cookie("__Host-customer", &dana)).await;
        assert_eq!(self.call_twice("show-history", Call::show_history("sub-1").bearer(&dana)).await.status, 200);
        let question = Call::contact_support("sub-1", "Our kettle is cold.").bearer(&dana).key("click");
        assert_eq!(self.call_twice("contact-support", question).await.status, 202);
        let again = self.call_twice("resend-mail", Call::resend_mail("sub-1").bearer(&dana)).await.status;
        assert!([202, 429].contains(&again), "the first call orders the mail, or the second one: {again}");
        self.stack.cloud.drained().await.unwrap();
        let temporary = self.remind_and_renew().await;

        self.sign_in("admin@fabrikam", GUESS).await;
        let session = self.sign_in("admin@fabrikam", &temporary).await.session().unwrap();
        self.call_twice("portal", Call::get("/administration/password").session(&session)).await;
        self.call_twice("reset-password", Call::reset_password(&session, WEAK)).await;
        let reset = self.call_twice("reset-password", Call::reset_password(&session, CHOSEN)).await.session();
        let service = self.session_of(reset, "admin@fabrikam", CHOSEN).await;
        let create = Call::create_admin(&service, "lee@fabrikam", OWN).key("click");
        assert_eq!(self.call_twice("create-admin", create).await.status, 201);
        self.sign_in("lee@fabrikam", GUESS).await;
        let lee = self.sign_in("lee@fabrikam", OWN).await.session().unwrap();
        let change = |current| json!({ "new_password": NEXT, "current_password": current });
        self.call_twice("reset-password", Call::post("/reset-password").session(&lee).json(&change(GUESS))).await;
        let reset = self
            .call_twice("reset-password", Call::post("/reset-password").session(&lee).json(&change(OWN)))
            .await
            .session();
        let last = self.session_of(reset, "lee@fabrikam", NEXT).await;
        self.team(&last).await;
        self.product(&last).await;
        assert_eq!(self.call_twice("sign-in", Call::post("/sign-out").session(&last)).await.status, 204);
        self.support().await;
        self.end().await;
        self.publish_events().await;
        self.purge().await;
    }

    /// Lets Lee add Mo, give Mo another temporary password, and remove Mo.
    async fn team(&mut self, lee: &str) {
        const MO: &str = "mo@fabrikam";
        let guess = Call::add_admin(lee, MO, GUESS).key("guess");
        assert_eq!(self.call_twice("create-admin", guess).await.status, 401);
        let add = Call::add_admin(lee, MO, NEXT).key("mo");
        assert_eq!(self.call_twice("create-admin", add).await.status, 201);
        let id = self.stack.account_id(MO).await;
        let reset = self.call_twice("reset-admin", Call::reset_admin(lee, &id, NEXT)).await;
        let temporary = reset.temporary_password().unwrap().to_owned();
        self.call_twice("portal", Call::get("/administration").session(lee)).await;
        let session = self.sign_in(MO, &temporary).await.session().unwrap();
        let kept = self.call_twice("reset-password", Call::reset_password(&session, &temporary)).await;
        assert_eq!(kept.problem(), Some("password-reused"));
        let removed = self.call_twice("remove-admin", Call::remove_admin(lee, &id, NEXT)).await;
        assert_eq!(removed.status, 204, "{removed:?}");
    }

    /// Signs Lee in to the product, and uses a code a second time.
    async fn product(&mut self, lee: &str) {
        const PROVIDER: &str = "product-sign-in";
        let party = RelyingParty::default();
        let id = self.stack.account_id("lee@fabrikam").await;
        let address = address_in(self.call_twice(PROVIDER, party.authorize()).await);
        let query = address.strip_prefix("/oidc/continue?").unwrap().to_owned();
        self.call_twice(PROVIDER, Call::continue_to_product(&query, lee)).await;
        let page = self.call_twice(PROVIDER, Call::confirm_product(&query, lee, &id)).await;
        let code = page.product_code().unwrap();
        // The code would not outlast the minute that passes between two calls.
        self.stack.cloud.set_fault(self.fault.clone());
        let faulty = party.redeem(&self.stack, &code).await;
        self.end_fault();
        let again = party.redeem(&self.stack, &code).await;
        assert!([200, 400].contains(&again.status), "the faulty call has redeemed the code, or this one: {again:?}");
        let last = party.sign_in(&self.stack, lee).await;
        let access_token = last.access_token().unwrap().to_owned();
        for answer in [faulty, again, last] {
            self.keep(answer);
        }
        self.call_twice(PROVIDER, Call::get("/oidc/jwks")).await;
        assert_eq!(self.call_twice(PROVIDER, Call::userinfo(&access_token)).await.status, 200);
    }

    /// Starts another company's subscription and ends it.
    async fn end(&mut self) {
        let mut other = event("sub-9", "trial");
        other["detail"]["company"] = json!({ "id": "tailspin", "name": "Fabrikam, Inc." });
        self.stack.start_subscription(other).await;
        self.secrets.push(self.stack.mailed_password());
        self.stack.cloud.set_fault(self.fault.clone());
        self.stack.publish(ended("sub-9")).await;
        self.end_fault();
        self.stack.cloud.drained().await.unwrap();
        self.stack.end_subscription(ended("sub-9")).await;
    }

    /// Deletes what has ended, after its retention.
    async fn purge(&self) {
        self.stack.advance_clock(400 * 86_400);
        let tick: Value = serde_json::from_str(&Function::PurgeSubscriptions.event()).unwrap();
        self.stack.cloud.set_fault(self.fault.clone());
        drop(self.stack.try_invoke("purge-subscriptions", tick.clone()).await);
        self.end_fault();
        // A run that was cut off has a lease.
        self.stack.advance_clock(3600);
        self.stack.invoke("purge-subscriptions", tick).await;
        let left = self.stack.items("").await;
        assert!(!left.iter().any(|item| item["PK"]["S"] == "SUBSCRIPTION#sub-9"), "it is purged");
    }

    /// Gives the whole stream to publish-events, with the fault and then without it, and lets the notices be sent.
    /// Lets two operators reissue the credentials to another address, and one look at the subscription and remove a portal user.
    async fn support(&mut self) {
        const SUBSCRIPTION: &str = "/desk/api/subscriptions/sub-1";
        let body = json!({ "reason": "Ticket 4711", "email": "mo@fabrikam.example", "if_issue": 2 });
        let asked = self.act("olivia", &format!("{SUBSCRIPTION}/reissues"), &body).await;
        let approval = asked["approval"].as_str().unwrap().to_owned();
        // The subscription is handed over, so the people who have the notice can object.
        self.stack.advance_clock(3600);
        let approve = json!({ "decision": "approve" });
        let decided = self.act("omar", &format!("{SUBSCRIPTION}/approvals/{approval}"), &approve).await;
        assert_eq!(decided["outcome"], "approved");
        let dana = self.stack.token("dana@fabrikam.example");
        let click = Call::get_credentials("sub-1").bearer(&dana).key("of-support");
        let temporary = self.call_twice("get-credentials", click).await.password().unwrap().to_owned();
        self.secrets.extend([dana, temporary]);
        let kim = Principal::email(&EmailAddress::parse("kim@fabrikam.example").unwrap());
        let removal = json!({ "reason": "Kim has left" });
        self.act("olivia", &format!("{SUBSCRIPTION}/portal-users/{kim}/removal"), &removal).await;
        for path in [SUBSCRIPTION.to_owned(), format!("{SUBSCRIPTION}/history"), "/desk/subscriptions/sub-1".to_owned()]
        {
            let (function, call) = Call::get(&path).operator(&self.operator("olivia")).routed(Api::Desk);
            assert_eq!(self.call_twice(function.name(), call).await.status, 200, "{path}");
        }
    }

    /// Returns the token of an operator who signs in now, which is a secret.
    fn operator(&mut self, name: &str) -> String {
        let token = self.stack.operator_token(&format!("{name}@contoso.example"));
        self.secrets.push(token.clone());
        token
    }

    /// Posts an act of an operator, and returns the answer.
    async fn act(&mut self, name: &str, path: &str, body: &Value) -> Value {
        let call = Call::post(path).operator(&self.operator(name)).header("sec-fetch-site", "same-origin");
        let key = format!("act-{}", self.answers.len());
        let (function, call) = call.key(&key).json(body).routed(Api::Desk);
        let answer = self.call_twice(function.name(), call).await;
        assert_eq!(answer.status, 202, "{path}: {answer:?}");
        answer.body.clone()
    }

    async fn publish_events(&self) {
        let records = json!({ "Records": self.stack.cloud.stream_records().await.unwrap() });
        self.stack.cloud.set_fault(self.fault.clone());
        drop(self.stack.try_invoke("publish-events", records.clone()).await);
        self.end_fault();
        assert_eq!(self.stack.invoke("publish-events", records).await["batchItemFailures"], json!([]));
        self.stack.cloud.drained().await.unwrap();
    }

    /// Lets SES report on the mail, the reminder go out, and the password expire, and renews it. Returns the new password.
    async fn remind_and_renew(&mut self) -> String {
        const DAY: i64 = 86_400;
        // The fault may have kept the mail from being sent, so the report is that of the example.
        let reported: serde_json::Value =
            serde_json::from_str(&Function::MailFeedback.event().replace("sub-1001", "sub-1")).unwrap();
        self.stack.cloud.set_fault(self.fault.clone());
        drop(self.stack.try_invoke("mail-feedback", reported.clone()).await);
        self.end_fault();
        assert_eq!(self.stack.invoke("mail-feedback", reported).await["batchItemFailures"], serde_json::json!([]));
        self.stack.advance_clock(5 * DAY);
        let tick: serde_json::Value = serde_json::from_str(&Function::SendReminders.event()).unwrap();
        // A run takes a second, so that it runs with a fault only where that hits it.
        if ["Query", "GetItem", "PutItem"].contains(&self.fault.operation.as_str()) {
            self.stack.cloud.set_fault(self.fault.clone());
            drop(self.stack.try_invoke("send-reminders", tick.clone()).await);
            self.end_fault();
        }
        self.stack.invoke("send-reminders", tick).await;
        self.stack.advance_clock(2 * DAY);
        let dana = self.stack.token("dana@fabrikam.example");
        self.secrets.push(dana.clone());
        let renew = Call::renew_credentials("sub-1").bearer(&dana);
        assert_eq!(self.call_twice("renew-credentials", renew).await.status, 202);
        self.stack.cloud.drained().await.unwrap();
        let click = Call::get_credentials("sub-1").bearer(&dana).key("click");
        let temporary = self.call_twice("get-credentials", click).await.password().unwrap().to_owned();
        self.secrets.push(temporary.clone());
        temporary
    }

    /// Asserts that the steps called every function, or delivered messages to it, so that the search for leaks covers all of them.
    fn assert_every_function_ran(&self) {
        // Queues invoke functions without this story, so the calls to AWS show which ones ran.
        let delivered = self.stack.cloud.requests().into_iter().map(|request| request.function);
        let ran: BTreeSet<String> = self.called.iter().cloned().chain(delivered).collect();
        let every: BTreeSet<String> = Function::names().into_iter().map(ToOwned::to_owned).collect();
        let missing: Vec<_> = every.difference(&ran).collect();
        assert_eq!(ran, every, "the story in tests/it/no_leaks.rs has no step for {missing:?}");
    }

    fn end_fault(&self) {
        self.stack.cloud.set_fault(Fault { count: 0, ..self.fault.clone() });
    }

    /// Makes a call with the fault and then without it, and returns the second answer.
    async fn call_twice(&mut self, function: &'static str, call: Call) -> &Answer {
        self.called.insert(function.to_owned());
        self.stack.cloud.set_fault(self.fault.clone());
        let faulty = self.stack.call(function, call.clone()).await;
        self.end_fault();
        // After this time the budgets have refilled what the failed calls spent, and no session has ended.
        self.stack.advance_clock(60);
        let answer = self.stack.call(function, call).await;
        self.keep(faulty);
        self.keep(answer);
        self.answers.last().unwrap()
    }

    /// Keeps an answer, and the secrets that it shows to its caller.
    fn keep(&mut self, answer: Answer) {
        self.secrets.extend([answer.session(), answer.device(), answer.product_code()].into_iter().flatten());
        let shown = [answer.temporary_password(), answer.access_token(), answer.id_token()];
        self.secrets.extend(shown.into_iter().flatten().map(str::to_owned));
        self.answers.push(answer);
    }

    async fn sign_in(&mut self, user_name: &str, password: &str) -> &Answer {
        self.call_twice("sign-in", Call::sign_in(user_name, password)).await
    }

    /// Returns the session of a change. A change may have been carried out without an answer; then this function signs in again.
    async fn session_of(&mut self, changed: Option<String>, user_name: &str, password: &str) -> String {
        match changed {
            Some(session) => session,
            None => self.sign_in(user_name, password).await.session().unwrap(),
        }
    }

    /// Returns everything that can be read later, except the answers that show a secret to their caller, and the inbox.
    async fn places(&self) -> Vec<(&'static str, String)> {
        let cloud = &self.stack.cloud;
        let page = get(&cloud.console_url(), "/").await;
        // The page also shows the inbox, and mails may contain secrets.
        let (head, rest) = page.split_once(" id=\"mail\"").expect("the page shows the inbox");
        let (_, tail) = rest.split_once("</section>").expect("the section of the inbox ends");
        vec![
            ("table", json!(cloud.dump_table().await.unwrap()).to_string()),
            ("stream", json!(cloud.stream_records().await.unwrap()).to_string()),
            ("calls", format!("{:?}", cloud.requests())),
            ("dead letters", format!("{:?}", cloud.dead_letters())),
            ("page", format!("{head}{tail}")),
            ("/requests", get(&cloud.console_url(), "/requests").await),
            ("/dead-letters", get(&cloud.console_url(), "/dead-letters").await),
            ("/published", get(&cloud.console_url(), "/published").await),
            ("log", String::from_utf8(log().lock().unwrap().clone()).unwrap()),
            (
                "answers",
                self.answers.iter().filter(|answer| !shows_secret(answer)).map(|a| a.body.to_string()).collect(),
            ),
        ]
    }

    /// Returns its secrets and the sentences of its mails, in every encoding.
    fn forms(&self) -> Vec<String> {
        let mails = self.stack.cloud.inbox();
        // Only sentences, because every HTML page contains the other lines of a mail in HTML.
        let lines: BTreeSet<&str> = mails.iter().flat_map(|mail| mail.text.lines()).collect();
        let sentences = lines.into_iter().filter(|line| line.len() > 20 && line.contains(' ')).map(ToOwned::to_owned);
        self.secrets.iter().cloned().chain(sentences).flat_map(|secret| forms(&secret)).collect()
    }

    /// Asserts that no place contains a secret, and that the log contains no personal data.
    async fn assert_no_leaks(&self) {
        let (places, forms) = (self.places().await, self.forms());
        for (place, expected) in EXPECTED_TEXT {
            let (_, text) = places.iter().find(|(name, _)| *name == place).unwrap();
            assert!(text.contains(expected), "{place} was really read: {:?}", self.fault);
        }
        assert_eq!(find_leaks(&places, &forms), BTreeSet::new(), "{:?}", self.fault);
        let (_, log) = places.iter().find(|(name, _)| *name == "log").unwrap();
        for name in ["fabrikam", "dana", "lee@", "mo@", "Ahmadi", "Rahimi", "kettle"] {
            assert!(!log.contains(name), "{name} is in the log: {:?}", self.fault);
        }
    }
}

/// A text that each place contains if it was read at all.
const EXPECTED_TEXT: [(&str, &str); 8] = [
    ("table", "$argon2id$v=19$m=32,t=1,p=1$"),
    ("stream", "$argon2id$v=19$m=32,t=1,p=1$"),
    ("calls", "TransactWriteItems"),
    ("page", "UpdateItem"),
    ("/requests", "TransactWriteItems"),
    ("/published", "CredentialsIssued"),
    ("log", "answered"),
    ("answers", "urn:firstkey:problem:"),
];

/// Returns whether an answer shows a password, a code or a token to its caller.
fn shows_secret(answer: &Answer) -> bool {
    answer.status == 200
        && (answer.password().is_some() || answer.access_token().is_some() || answer.product_code().is_some())
        || [200, 201].contains(&answer.status) && answer.temporary_password().is_some()
}

/// Returns the places that contain one of these forms.
fn find_leaks(places: &[(&'static str, String)], forms: &[String]) -> BTreeSet<&'static str> {
    let holds = |text: &str| forms.iter().any(|form| text.contains(form.as_str()));
    places.iter().filter(|(_, text)| holds(text)).map(|(place, _)| *place).collect()
}

async fn get(origin: &str, path: &str) -> String {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<VecDeque<u8>>>();
    let answer = client.get(format!("{origin}{path}").parse().unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
}

const CALLS: [(Service, &str); 13] = [
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
    (Service::Kms, "GetPublicKey"),
    (Service::Kms, "Sign"),
    (Service::Ses, "SendEmail"),
];

/// A delay past the 2.5 seconds that an operation may take: a call that is carried out after it no longer has a caller.
const PAST_THE_TIME_OUT: Duration = Duration::from_secs(3);

/// One of this many operations fails in a mode, another one in the next mode. With `FIRSTKEY_FULL=1` each fails in every mode.
const TURNS: usize = 5;

/// Returns the operations that fail in this mode.
fn calls(mode: Mode) -> Vec<(Service, &'static str)> {
    let is_chosen = |place: usize| support::has_env("FIRSTKEY_FULL") || (place + mode as usize).is_multiple_of(TURNS);
    CALLS.into_iter().enumerate().filter(|(place, _)| is_chosen(*place)).map(|(_, call)| call).collect()
}

/// Runs the story once for each chosen AWS operation, which fails in this way throughout, and searches for leaks.
async fn run_with(mode: Mode) {
    log();
    let fault =
        |(service, operation)| Fault { delay: PAST_THE_TIME_OUT, ..Fault::new(service, operation, mode, 100_000) };
    let stories = join_all(calls(mode).into_iter().map(|call| Story::run(fault(call))));
    let stories = stories.await;
    if mode == Mode::Delayed {
        tokio::time::sleep(PAST_THE_TIME_OUT).await;
    }
    for story in stories {
        story.assert_no_leaks().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_where_calls_are_refused() {
    run_with(Mode::Refused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_where_answers_are_lost() {
    run_with(Mode::LostResponse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_where_calls_are_throttled() {
    run_with(Mode::Throttled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_where_writes_conflict_with_transactions() {
    run_with(Mode::Conflict).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_where_connections_are_closed() {
    run_with(Mode::Reset).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_where_calls_arrive_twice() {
    run_with(Mode::Duplicated).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_where_calls_are_carried_out_after_they_were_given_up() {
    run_with(Mode::Delayed).await;
}

/// The secret that is leaked on purpose.
const PLANTED: &str = "seven-green-boats";

/// Returns the answer of a function with this handler.
async fn call_handler<F>(handle: F) -> String
where
    F: Fn() -> Result<web::Reply, web::Problem> + Send + Sync + 'static,
{
    let mut service = web::endpoint((), move |_, _| std::future::ready(handle()));
    let Ok(answer) = service.call(lambda_http::Request::default()).await;
    format!("{answer:?}")
}

/// Publishes an event with `text` in it.
async fn publish(stack: &TestStack, text: &str) {
    let entry = json!({
        "PK": { "S": "SUBSCRIPTION#sub-2" },
        "SK": { "S": "EVENT#0000000001" },
        "what": { "S": "administrator-created" },
        "by": { "S": "vendor" },
        "who": { "M": { "role": { "S": "vendor" } } },
        "at": { "N": "1794301201" },
        "issue": { "N": "1" },
        "account": { "S": text },
    });
    let keys = json!({ "PK": entry["PK"], "SK": entry["SK"] });
    let change = json!({ "Keys": keys, "NewImage": entry, "SequenceNumber": "1" });
    let records = json!({ "Records": [{ "eventName": "INSERT", "dynamodb": change }] });
    assert_eq!(stack.invoke("publish-events", records).await["batchItemFailures"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "this test writes an item that no function would write")]
async fn a_leak_is_found_in_every_place_that_is_searched() {
    log();
    let nothing = Fault::new(Service::Ses, "Nothing", Mode::Refused, 0);
    let (stack, called) = (TestStack::start().await, BTreeSet::new());
    let mut story = Story { stack, fault: nothing, answers: vec![], secrets: vec![], called };
    let forms = forms(PLANTED);
    assert_eq!(find_leaks(&story.places().await, &forms), BTreeSet::new());

    let settings = BTreeMap::from([
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "tests".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AWS_ENDPOINT_URL", story.stack.cloud.aws_url()),
    ]);
    let client = aws_sdk_dynamodb::Client::new(&aws::connect(|name| settings.get(name).cloned()).unwrap());
    let planted = AttributeValue::B(PLANTED.as_bytes().into());
    let put = client.put_item().table_name("firstkey").item("PK", AttributeValue::S("p".into()));
    put.item("SK", AttributeValue::S("s".into())).item("planted", planted).send().await.unwrap();

    let scope = "AWS4-HMAC-SHA256 Credential=tests/20261110/us-east-1/dynamodb/aws4_request";
    let call = http::Request::post(story.stack.cloud.aws_url()).header("authorization", scope);
    let call = call.header("x-amz-target", format!("DynamoDB_20120810.{PLANTED}")).body(Full::default()).unwrap();
    Client::builder(TokioExecutor::new()).build_http::<Full<VecDeque<u8>>>().request(call).await.unwrap();

    let mut event = event("sub-1", "trial");
    event["detail"]["company"] = json!({ "id": PLANTED.to_uppercase(), "name": PLANTED, "and": 1 });
    event["detail"]["portal_users"] = json!([{ "email": PLANTED }]);
    story.stack.publish(event).await;
    story.stack.cloud.drained().await.unwrap();

    publish(&story.stack, PLANTED).await;

    let leaky = || Err(web::Problem::new(web::ProblemCode::Internal).because(PLANTED));
    assert!(!call_handler(leaky).await.contains(PLANTED));
    let body = json!({ "detail": PLANTED });
    story.answers.push(Answer { status: 400, headers: BTreeMap::new(), cookies: vec![], body });

    let places = story.places().await;
    assert_eq!(find_leaks(&places, &forms), places.iter().map(|(place, _)| *place).collect());
}

#[tokio::test]
async fn a_panic_says_where_and_not_what() {
    log();
    // This sets the panic hook of a function; the log of the tests still gets the lines.
    lambda::log_as_json_to(io::sink);
    let answer = call_handler(|| panic!("{PLANTED}")).await;
    let batch = json!({ "Records": [{ "messageId": "1", "body": PLANTED }] });
    let handle = |_: Arc<()>, message: lambda::Message| async move { panic!("{}", message.body) };
    let response =
        lambda::handle_batch(&Arc::new(()), &handle, serde_json::from_value(batch).unwrap(), "r", Duration::ZERO).await;
    drop(panic::take_hook());
    let log = String::from_utf8(log().lock().unwrap().clone()).unwrap();
    assert!(log.contains("no_leaks.rs") && log.contains("panicked"), "{log}");
    let outputs = [("log", log), ("answer", answer), ("response", format!("{response:?}"))];
    assert_eq!(find_leaks(&outputs, &forms(PLANTED)), BTreeSet::new(), "{outputs:?}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test searches for the secrets")]
fn debug_output_shows_neither_stored_nor_returned_secrets() {
    let now = Timestamp::from_epoch_seconds(1_800_000_000);
    let account = Account {
        user_name: UserName::parse("lee@fabrikam").unwrap(),
        account_id: "01".into(),
        role: Role::Administrator,
        password_hash: PasswordHash::from_phc(PLANTED.into()),
        temporary: None,
        status: AccountStatus::Active,
        version: 1,
        subscription: SubscriptionId::parse("sub-1").unwrap(),
        created_by: None,
        first_signed_in_at: Some(now),
    };
    let token = lambda::session_token();
    let reply = web::session::begin(web::reply::empty(http::StatusCode::OK), &token, Duration::from_secs(1));
    let shown = [
        ("account", format!("{account:?}")),
        ("sealed password", format!("{:?}", SealedPassword::new(PLANTED.into()))),
        ("reply", format!("{reply:?}")),
    ];
    let forms = [forms(PLANTED), forms(&format!("{:?}", PLANTED.as_bytes())), forms(token.expose_secret())].concat();
    assert_eq!(find_leaks(&shown, &forms), BTreeSet::new(), "{shown:?}");
}

/// Asserts at compile time that none of these types implements `Debug`: if one did, two implementations would apply.
macro_rules! without_debug {
    ($($secret:ty),*) => {$(const _: fn() = || {
        trait Fits<A> {
            fn fits() {}
        }
        struct WithDebug;
        impl<T> Fits<()> for T {}
        impl<T: std::fmt::Debug> Fits<WithDebug> for T {}
        <$secret>::fits();
    };)*};
}

without_debug!(
    administration::Handout,
    domain::TemporaryPassword,
    domain::TypedPassword,
    domain::NewPassword,
    domain::SessionToken,
    domain::AuthorizationCode,
    domain::AccessToken,
    domain::ProductUser,
    domain::NewCredentials,
    aws::Message<'static>,
    lambda::Message
);
