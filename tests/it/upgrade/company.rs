//! A company and its subscription, on its own machine: the steps that lead to a state, and the requests that are sent in it.

use std::{collections::BTreeMap, time::Duration};

use aws::{MailOrder, Mails};
use cloud::{Fault, Mode, Service};
use domain::{MailStatus, Timestamp};
use serde_json::{Value, json};
use support::{
    Answer, Call, Machine, TestStack, event,
    table::{Table, text},
};

use super::states::{CHOSEN, LATER, OWN, Step};

/// The number of networks whose attempts are part of a fixture.
const NETWORKS: usize = 3;

/// The number of times that a test polls for a mail order from the table's stream.
const POLLS: usize = 500;

/// A company with its own machine, address and accounts.
pub(super) struct Company<'a> {
    stack: &'a TestStack,
    pub(super) machine: Machine,
    table: Table,
    name: &'a str,
    /// The IP address of its people.
    pub(super) address: String,
    pub(super) temporary_password: Option<String>,
    pub(super) sessions: BTreeMap<String, String>,
}

impl<'a> Company<'a> {
    /// Creates a company. `number` distinguishes its machine and its network from those of other companies.
    pub(super) fn new(stack: &'a TestStack, name: &'a str, number: usize, settings: &[(&str, &str)]) -> Self {
        Self {
            machine: stack.separate_machine_with(&format!("@{number}"), settings),
            table: Table::connect(&stack.cloud.aws_url(), "desk"),
            stack,
            name,
            address: format!("192.0.2.{}", number + 1),
            temporary_password: None,
            sessions: BTreeMap::new(),
        }
    }

    pub(super) fn now(&self) -> i64 {
        self.machine.now()
    }

    pub(super) fn advance_clock(&self, seconds: i64) {
        self.machine.advance_clock(seconds);
    }

    pub(super) fn subscription(&self) -> String {
        format!("sub-{}", self.name)
    }

    pub(super) fn account(&self, who: &str) -> String {
        format!("{who}@{}", self.name)
    }

    pub(super) fn token(&self, person: &str) -> String {
        // The clock of the stack does not advance here.
        self.stack.token_with(&format!("{person}@{}.example", self.name), &json!({ "iat": self.now() }))
    }

    pub(super) fn event(&self, id: &str, kind: &str) -> Value {
        let mut event = event(&self.subscription(), kind);
        event["id"] = id.into();
        event["detail"]["company"]["id"] = self.name.into();
        event["detail"]["service_administrator"]["email"] = format!("it@{}.example", self.name).into();
        let user = |person: &str| json!({ "email": format!("{person}@{}.example", self.name) });
        event["detail"]["portal_users"] = json!([user("dana"), user("kim")]);
        event
    }

    /// Returns the items of this company, sorted by their keys.
    pub(super) async fn items(&self) -> Vec<Value> {
        let marks = [
            format!("\"{}\"", self.subscription()),
            format!("SUBSCRIPTION#{}\"", self.subscription()),
            format!("@{}\"", self.name),
            format!("\"PK\":{{\"S\":\"NETWORK#{}/32\"", self.address),
        ];
        let mut items = self.stack.items("").await;
        items.retain(|item| marks.iter().any(|mark| item.to_string().contains(mark)));
        items
    }

    /// Returns the items of this company that its fixture contains.
    pub(super) async fn fixture_items(&self) -> Vec<Value> {
        let networks: Vec<_> = (0..NETWORKS).map(|n| format!("NETWORK#{}/32", self.network(n))).collect();
        let mut items = self.items().await;
        items.retain(|item| {
            let sort_key = item["SK"]["S"].as_str().unwrap();
            !sort_key.starts_with("NETWORK#10.") || networks.iter().any(|network| network == sort_key)
        });
        items
    }

    /// Writes items of a fixture to the table, each with an additional attribute that this code does not know.
    pub(super) async fn load(&self, items: &[Value]) {
        for item in items {
            let mut item = item.clone();
            item[UNKNOWN] = json!({ "S": "kept" });
            self.table.put(&item).await;
        }
    }

    /// Returns the keys of the loaded items that have lost the unknown attribute.
    pub(super) async fn without_unknown(&self, loaded: &[Value]) -> Vec<String> {
        let key = |item: &Value| format!("{} {}", item["PK"]["S"], item["SK"]["S"]).replace('"', "");
        let now: BTreeMap<String, Value> = self.items().await.into_iter().map(|item| (key(&item), item)).collect();
        let keeps = |key: &String| now.get(key).is_some_and(|item| item[UNKNOWN]["S"] == "kept");
        loaded.iter().map(key).filter(|key| !keeps(key)).collect()
    }

    fn network(&self, n: usize) -> String {
        format!("10.0.{}.{n}", self.address.rsplit('.').next().unwrap())
    }

    pub(super) async fn call(&self, function: &'static str, call: Call) -> Answer {
        self.machine.call(function, call.from(&self.address)).await
    }

    async fn start(&self, event: &Value) -> bool {
        let message = json!({ "messageId": "message", "body": event.to_string() });
        self.machine.consume("subscription-start", &[message]).await
    }

    pub(super) async fn orders(&self) -> Vec<Value> {
        for _ in 0..POLLS {
            let orders = self.stack.take_mail_orders(&self.subscription());
            if !orders.is_empty() {
                return orders;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{}: no mail is ordered", self.name)
    }

    /// Returns an order for the welcome mail of an issue, in the form of the table's stream.
    fn order(&self, issue: &str) -> Value {
        let keys = json!({ "PK": { "S": format!("SUBSCRIPTION#{}", self.subscription()) }, "SK": { "S": "MAIL" } });
        json!({ "dynamodb": { "Keys": keys, "NewImage": { "issue": { "N": issue } } } })
    }

    fn mails(&self) -> Vec<String> {
        let mails = self.stack.cloud.inbox().into_iter();
        mails.filter(|mail| mail.tags["subscription"] == self.subscription()).map(|mail| mail.text).collect()
    }

    /// Remembers the temporary password of the last mail that contains one.
    pub(super) fn read_password_from_mails(&mut self) {
        let is_password = |line: &&str| line.len() == 23 && line.split('-').all(|group| group.len() == 5);
        for mail in self.mails() {
            if let Some(password) = mail.lines().find(is_password) {
                self.temporary_password = Some(password.to_owned());
            }
        }
    }

    fn retrieve(&self, person: &str, key: &str) -> Call {
        Call::get_credentials(&self.subscription()).bearer(&self.token(person)).key(key)
    }

    fn contact_support(&self, person: &str, key: &str) -> Call {
        Call::contact_support(&self.subscription(), "Please call.").bearer(&self.token(person)).key(key)
    }

    fn create(&self, session: &str, who: &str) -> Call {
        let body = json!({
            "user_name": self.account(who), "display_name": "Lee Ahmadi", "password": OWN,
            "email": format!("{who}@{}.example", self.name),
        });
        Call::post("/administrators").session(session).key(who).json(&body)
    }

    fn reset(session: &str, current: Option<&str>, to: &str) -> Call {
        let mut body = json!({ "new_password": to });
        if let Some(current) = current {
            body["current_password"] = current.into();
        }
        Call::post("/reset-password").session(session).json(&body)
    }

    /// Takes one step to a state.
    pub(super) async fn take(&mut self, step: Step) {
        let expect = |answer: &Answer, status| assert_eq!(answer.status, status, "{}: {step:?}: {answer:?}", self.name);
        match step {
            Step::Start(id, kind) => assert!(self.start(&self.event(id, kind)).await, "{}: {step:?}", self.name),
            Step::StartWithEverything => assert!(self.start(&self.event_with_everything()).await),
            Step::Send => {
                let orders = self.orders().await;
                assert!(self.machine.consume("send-mail", &orders).await, "{}: {step:?}", self.name);
                self.read_password_from_mails();
            }
            Step::SendWithoutAnswer => self.send_without_answer().await,
            Step::Settle(status) => self.settle(status).await,
            Step::Wait(seconds) => self.advance_clock(seconds),
            Step::Retrieve(person, key) => {
                let answer = self.call("get-credentials", self.retrieve(person, key)).await;
                assert!(answer.password().is_some(), "{}: {step:?}: {answer:?}", self.name);
            }
            Step::ContactSupport(person, key) => {
                expect(&self.call("contact-support", self.contact_support(person, key)).await, 202);
            }
            Step::SignIn(who, password, session) => {
                let password = password.unwrap_or_else(|| self.temporary_password.as_deref().unwrap());
                let answer = self.call("sign-in", Call::sign_in(&self.account(who), password)).await;
                self.sessions.insert(session.to_owned(), answer.session().expect("signs in"));
            }
            Step::SignOut(session) => {
                expect(&self.call("sign-in", Call::post("/sign-out").session(&self.sessions[session])).await, 204);
            }
            Step::Reset(session, current, to, new) => {
                let call = Self::reset(&self.sessions[session], current, to);
                let answer = self.call("reset-password", call).await;
                self.sessions.insert(new.to_owned(), answer.session().expect("resets"));
            }
            Step::Create(session, who) => {
                expect(&self.call("create-admin", self.create(&self.sessions[session], who)).await, 201);
            }
            Step::Guess(count) => self.guess(count).await,
            Step::End => self.end().await,
        }
    }

    fn event_with_everything(&self) -> Value {
        let mut event = self.event("trial", "trial");
        event["detail"]["locale"] = "de-CH".into();
        event["detail"]["welcome_mail"] = "link".into();
        let users = event["detail"]["portal_users"].as_array_mut().unwrap();
        users.push(json!({ "issuer": "https://login.example", "organization": "fabrikam" }));
        users.push(json!({ "issuer": "https://login.example", "subject": "4711" }));
        event
    }

    async fn send_without_answer(&self) {
        let function = self.machine.caller_name("send-mail");
        let orders = self.orders().await;
        self.stack.cloud.set_fault(Fault::new(Service::Ses, "*", Mode::Reset, 1).on_function(&function));
        assert!(!self.machine.consume("send-mail", &orders).await, "SES does not answer");
        assert_eq!(self.stack.cloud.clear_faults_of(&function), 1);
    }

    async fn settle(&self, status: MailStatus) {
        let settings = BTreeMap::from([
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "desk".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_ENDPOINT_URL", self.stack.cloud.aws_url()),
        ]);
        let aws = aws::connect(|name| settings.get(name).cloned()).unwrap();
        let mails = Mails::new(aws::Table::new(&aws, "firstkey".to_owned()));
        let order = MailOrder::parse(&self.order("1").to_string()).unwrap();
        mails.settle(&order, status, None, Timestamp::from_epoch_seconds(self.now())).await.unwrap();
    }

    async fn guess(&self, count: usize) {
        for n in 0..count {
            // The account of 0.1.0 had a budget, which regained one attempt in this time.
            self.advance_clock(30);
            let guess = Call::sign_in(&self.account("admin"), "six blue kites at midnight").from(&self.network(n));
            assert_eq!(self.machine.call("sign-in", guess).await.status, 401);
        }
    }

    /// Ends the subscription by direct writes, because no function of 0.1.0 does.
    async fn end(&self) {
        let (subscription, now) = (format!("SUBSCRIPTION#{}", self.subscription()), self.now().to_string());
        let update = |pk: String, sk: &str| {
            let update = self.table.client().update_item().table_name("firstkey");
            update.key("PK", text(pk)).key("SK", text(sk))
        };
        let number = aws_sdk_dynamodb::types::AttributeValue::N;
        let credential =
            update(subscription, "CREDENTIAL").update_expression("SET ended_at = :now REMOVE sealed_password");
        credential.expression_attribute_values(":now", number(now)).send().await.unwrap();
        let account = update(format!("ACCOUNT#{}", self.account("admin")), "ACCOUNT");
        let account = account
            .update_expression("SET #status = :closed, version = version + :one")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":closed", text("closed"))
            .expression_attribute_values(":one", number("1".to_owned()));
        account.send().await.unwrap();
    }
}

/// An attribute that no code knows.
const UNKNOWN: &str = "of_a_later_release";

/// The names of requests with the answers to them, in order.
pub(super) type Answers = Vec<(String, Value)>;

/// The fields with texts or random values, which a release may change.
const IGNORED_FIELDS: [&str; 6] = ["account_id", "detail", "request_id", "text", "title", "type"];

/// Removes the ignored fields from a value.
fn remove_ignored(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !IGNORED_FIELDS.contains(&name.as_str()));
            fields.values_mut().for_each(remove_ignored);
        }
        Value::Array(values) => values.iter_mut().for_each(remove_ignored),
        _ => {}
    }
}

/// Returns the part of an answer that a fixture records.
fn recorded(answer: Answer) -> Value {
    let mut body = answer.body;
    if body.is_string() {
        return json!({ "status": answer.status });
    }
    remove_ignored(&mut body);
    json!({ "status": answer.status, "body": body })
}

impl Company<'_> {
    /// Sends every request that does not replace an item, and returns the answers.
    pub(super) async fn use_everything(&mut self) -> Answers {
        let mut answers = vec![
            ("list".to_owned(), self.list().await),
            ("page".to_owned(), self.page("/", "__Host-customer", &self.token("dana")).await),
        ];
        answers.extend(self.mail().await);
        for (person, key) in [("dana", "a"), ("kim", "another")] {
            answers.push((format!("{person} retrieves with {key}"), self.retrieved(person, key).await));
        }
        for (person, key) in [("dana", "a"), ("dana", "another")] {
            answers.push((
                format!("{person} asks with {key}"),
                recorded(self.call("contact-support", self.contact_support(person, key)).await),
            ));
        }
        for (name, session) in self.sessions.clone() {
            answers.push((format!("page of {name}"), self.page("/administration", "__Host-session", &session).await));
            let check = Self::reset(&session, None, "short");
            answers.push((format!("look at {name}"), recorded(self.call("reset-password", check).await)));
        }
        answers.extend(self.sign_ins().await);
        answers.extend(self.changes().await);
        answers.push(("in the end".to_owned(), self.summary().await));
        answers
    }

    /// Delivers a paid event and sends the mails that it orders. Returns the outcome.
    pub(super) async fn pay(&self) -> Answers {
        let issue = self.issue().await;
        let done = self.start(&self.event("paid by another event", "paid")).await;
        if self.issue().await != issue {
            // An order for the issue before may come first.
            self.stack.cloud.drained().await.unwrap();
            let orders = self.orders().await;
            assert!(self.machine.consume("send-mail", &orders).await);
        }
        vec![("pays".to_owned(), json!({ "done": done, "then": self.summary().await }))]
    }

    async fn list(&self) -> Value {
        recorded(self.call("list-subscriptions", Call::get("/subscriptions").bearer(&self.token("dana"))).await)
    }

    async fn page(&self, path: &str, cookie: &str, value: &str) -> Value {
        let page = self.call("portal", Call::get(path).cookie(cookie, value)).await;
        let text = page.body.as_str().unwrap_or_default();
        let names = ["admin", "lee"].map(|who| text.contains(&self.account(who)));
        json!({ "status": page.status, "location": page.headers.get("location"), "names": names })
    }

    /// Sends the pending mail orders, a duplicate, and another duplicate after the lease has ended. Returns the outcomes.
    async fn mail(&mut self) -> Answers {
        self.stack.cloud.drained().await.unwrap();
        let mut answers = Vec::new();
        let issue = self.issue().await;
        let again = json!({ "messageId": "again", "body": self.order(&issue).to_string() });
        for (question, orders) in [
            ("ordered", self.stack.take_mail_orders(&self.subscription())),
            ("order again", vec![again.clone()]),
            ("order after a lease", vec![again]),
        ] {
            if question == "order after a lease" {
                self.advance_clock(61);
            }
            let done = self.machine.consume("send-mail", &orders).await;
            answers.push((
                question.to_owned(),
                json!({ "orders": orders.len(), "done": done, "mails": self.mails().len() }),
            ));
        }
        self.read_password_from_mails();
        answers
    }

    async fn retrieved(&mut self, person: &str, key: &str) -> Value {
        let mut answer = self.call("get-credentials", self.retrieve(person, key)).await;
        if let Some(password) = answer.password().map(str::to_owned) {
            let known = self.temporary_password.get_or_insert_with(|| password.clone());
            answer.body["password"] = (*known == password).into();
        }
        recorded(answer)
    }

    async fn sign_ins(&mut self) -> Answers {
        let temporary = self.temporary_password.clone().unwrap_or_else(|| "not known".to_owned());
        let mut answers = Vec::new();
        for (who, password, name) in [
            ("admin", temporary.as_str(), "new temporary"),
            ("admin", CHOSEN, "new full"),
            ("lee", OWN, "new of lee"),
            ("lee", LATER, "new of lee, later"),
        ] {
            let answer = self.call("sign-in", Call::sign_in(&self.account(who), password)).await;
            if let Some(session) = answer.session() {
                self.sessions.insert(name.to_owned(), session);
            }
            answers.push((format!("sign in, {name}"), recorded(answer)));
        }
        let elsewhere =
            Call::sign_in(&self.account("admin"), CHOSEN).from(&self.address.replace("192.0.2", "198.51.100"));
        answers.push(("sign in, elsewhere".to_owned(), recorded(self.machine.call("sign-in", elsewhere).await)));
        answers
    }

    /// Creates an administrator, chooses passwords and signs out in every session. Returns the answers.
    async fn changes(&self) -> Answers {
        let mut answers = Vec::new();
        for (name, session) in &self.sessions {
            // The budgets regain attempts in this time, so that none of them is exhausted.
            self.advance_clock(120);
            let create = self.create(session, "mo");
            answers.push((format!("create in {name}"), recorded(self.call("create-admin", create).await)));
            for current in [None, Some(CHOSEN), Some(OWN)] {
                let reset = Self::reset(session, current, LATER);
                answers.push((
                    format!("reset in {name} from {current:?}"),
                    recorded(self.call("reset-password", reset).await),
                ));
            }
            let out = Call::post("/sign-out").session(session);
            answers.push((format!("leave {name}"), recorded(self.call("sign-in", out).await)));
        }
        answers
    }

    async fn issue(&self) -> String {
        let items = self.items().await;
        let credential = items.iter().find(|item| item["SK"]["S"] == "CREDENTIAL").unwrap();
        credential["issue"]["N"].as_str().unwrap().to_owned()
    }

    /// Returns the contents of the table, without random values.
    async fn summary(&self) -> Value {
        let items = self.items().await;
        let with_key = |sort_key: &'static str| {
            items.iter().filter(move |item| item["SK"]["S"].as_str().unwrap().starts_with(sort_key))
        };
        let accounts = items.iter().filter(|item| item["PK"]["S"].as_str().unwrap().starts_with("ACCOUNT#"));
        let mut entries: Vec<_> =
            with_key("EVENT#").map(|item| json!([item["SK"], item["what"], item["by"], item["at"]])).collect();
        entries.sort_by_key(Value::to_string);
        json!({
            "credential": with_key("CREDENTIAL").map(|item| json!({
                "issue": item["issue"], "kind": item["kind"], "seq": item["seq"], "expires_at": item["expires_at"],
                "signed_in_at": item["signed_in_at"], "changed_at": item["changed_at"],
                "handed_over_at": item["handed_over_at"], "ended_at": item["ended_at"],
                "is_sealed": !item["sealed_password"].is_null(), "retrievals": item["retrievals"],
            })).collect::<Vec<_>>(),
            "accounts": accounts.map(|item| json!({
                "name": item["PK"], "status": item["status"], "version": item["version"], "must_change": item["must_change"],
                "first_signed_in_at": item["first_signed_in_at"], "role": item["role"],
            })).collect::<Vec<_>>(),
            "mails": with_key("MAIL").map(|item| json!([item["SK"], item["status"], item["issue"], item["tries"]])).collect::<Vec<_>>(),
            "support_requests": with_key("SUPPORT#").map(|item| item["requests"].clone()).collect::<Vec<_>>(),
            "administrators": with_key("ADMINISTRATOR#").map(|item| item["user_name"].clone()).collect::<Vec<_>>(),
            "sessions": with_key("SESSION").count(),
            "history": entries,
        })
    }
}
