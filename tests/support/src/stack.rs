//! The stack: one embedded cloud, one provider, and every function in this process.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cloud::{Cloud, CloudOptions, SEALING_KEY};
use futures_util::future::BoxFuture;
use lambda::{Clock, Settings};
use provider::{Algorithm, Person, Provider};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore, task::AbortHandle};

use crate::{Answer, Call, Function, contract::Asked, functions::Handler};

/// The settings of a deployment, before it starts.
pub struct Deployment {
    settings: HashMap<String, String>,
    redelivery: Duration,
    holds_mails: bool,
    tries_roles: bool,
    starts_at: Option<i64>,
    data: Option<PathBuf>,
    provider_port: u16,
}

impl Default for Deployment {
    fn default() -> Self {
        Self {
            settings: HashMap::new(),
            redelivery: Duration::from_millis(50),
            holds_mails: false,
            tries_roles: false,
            starts_at: None,
            data: None,
            provider_port: 0,
        }
    }
}

impl Deployment {
    /// With a setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// With queues that deliver a failed message again after so long.
    #[must_use]
    pub fn redelivering_after(self, redelivery: Duration) -> Self {
        Self { redelivery, ..self }
    }

    /// With nobody who mails: what is ordered waits for [`TestStack::mail_orders`].
    #[must_use]
    pub fn holding_mails(self) -> Self {
        Self { holds_mails: true, ..self }
    }

    /// With roles that are tried: what they refuse is no mistake.
    #[must_use]
    pub fn trying_roles(self) -> Self {
        Self { tries_roles: true, ..self }
    }

    /// Starts the clock at `seconds` since the epoch instead of the machine's time.
    #[must_use]
    pub fn starting_at(self, seconds: i64) -> Self {
        Self { starts_at: Some(seconds), ..self }
    }

    /// Keeps the state of the cloud, its keys included, in a directory.
    #[must_use]
    pub fn keeping_data_in(self, directory: PathBuf) -> Self {
        Self { data: Some(directory), ..self }
    }

    /// Starts the identity provider on a fixed port, waiting until the port is free. What the table keeps of a person depends on the
    /// provider's address.
    #[must_use]
    pub fn with_provider_on(self, port: u16) -> Self {
        Self { provider_port: port, ..self }
    }

    /// Starts it.
    pub async fn start(self) -> TestStack {
        TestStack::deploy(self).await
    }
}

/// The product and its cloud. Everything ends when it is dropped.
pub struct TestStack {
    /// The embedded cloud.
    pub cloud: Cloud,
    /// Who says who people are.
    pub provider: Provider,
    functions: Arc<Functions>,
    settings: HashMap<String, String>,
    clock: Arc<AtomicI64>,
    held_mails: Arc<Mutex<Vec<Value>>>,
    tries_roles: bool,
}

/// Whatever else a test looks at: no function has asked for what its role does not allow, not even where it goes on without.
impl Drop for TestStack {
    fn drop(&mut self) {
        if !self.tries_roles && !std::thread::panicking() {
            assert_eq!(self.cloud.roles().denied(), [], "a role does not allow what its function does");
        }
    }
}

impl TestStack {
    /// With the settings that `cargo dev` has.
    pub async fn start() -> Self {
        Deployment::default().start().await
    }

    async fn deploy(deployment: Deployment) -> Self {
        let (aws, provider) = (listener().await, provider(deployment.provider_port).await);
        let clock = Arc::new(AtomicI64::new(deployment.starts_at.unwrap_or_else(system_seconds)));
        let mut settings = settings(&format!("http://{}", aws.local_addr().unwrap()), provider.issuer());
        settings.extend(deployment.settings);
        let functions = Arc::new(Functions::new(&settings, "", &clock));
        let (invoked, held_mails) = (Arc::clone(&functions), Arc::<Mutex<Vec<Value>>>::default());
        let held = deployment.holds_mails.then(|| Arc::clone(&held_mails));
        let mut options = CloudOptions::new(Arc::new(move |function, event| {
            let (functions, held) = (Arc::clone(&invoked), held.clone().filter(|_| function == "send-mail"));
            Box::pin(async move {
                let Some(held) = held else { return functions.invoke(function, event).await };
                held.lock().unwrap().extend(event["Records"].as_array().into_iter().flatten().cloned());
                Ok(json!({ "batchItemFailures": [] }))
            })
        }));
        options.redelivery = deployment.redelivery;
        options.data = deployment.data;
        options.sender = settings["SENDER"].clone();
        let cloud = Cloud::start(aws, listener().await, options).await.unwrap();
        Self { cloud, provider, functions, settings, clock, held_mails, tries_roles: deployment.tries_roles }
    }

    /// Publishes an event; which messages of its first delivery failed.
    pub async fn publish(&self, event: Value) -> Value {
        self.cloud.deliver(event).await.unwrap()["batchItemFailures"].take()
    }

    /// Publishes an event that is done at once, and waits until its mail is out.
    pub async fn started(&self, event: Value) {
        assert_eq!(self.publish(event).await, json!([]));
        self.cloud.drained().await.unwrap();
    }

    /// Invokes a function with an event of its own.
    pub async fn invoke(&self, function: &'static str, event: Value) -> Value {
        self.functions.invoke(function, event).await.unwrap()
    }

    /// Calls an HTTP function.
    pub async fn call(&self, function: &'static str, call: Call) -> Answer {
        Answer::read(&self.invoke(function, call.into_event()).await)
    }

    /// Clicks **Go** on **Get credentials**, once, with a key.
    pub async fn retrieve(&self, token: &str, subscription: &str, key: &str) -> Answer {
        self.call("get-credentials", Call::get_credentials(subscription).bearer(token).key(key)).await
    }

    /// Signs in to the Administration Center.
    pub async fn sign_in(&self, user_name: &str, password: &str) -> Answer {
        self.call("sign-in", Call::sign_in(user_name, password)).await
    }

    /// The temporary password of the last mail, wherever it went.
    #[must_use]
    pub fn mailed_password(&self) -> String {
        let mail = self.cloud.inbox().pop().expect("a mail is out");
        let is_password = |line: &&str| line.len() == 23 && line.split('-').all(|group| group.len() == 5);
        mail.text.lines().find(is_password).expect("the mail has a password").to_owned()
    }

    /// A session of the service administrator of a new subscription, whose password is `chosen` by now.
    pub async fn service_administrator(&self, subscription: &str, user_name: &str, chosen: &str) -> String {
        self.started(event(subscription, "trial")).await;
        let session = self.sign_in(user_name, &self.mailed_password()).await.session().expect("signs in");
        let reset = self.call("reset-password", Call::reset_password(&session, chosen)).await;
        reset.session().expect("resets")
    }

    /// The items of the table whose sort key begins so, by their keys.
    pub async fn items(&self, sort_key: &str) -> Vec<Value> {
        let mut all = self.cloud.dump_table().await.unwrap();
        all.retain(|item| item["SK"]["S"].as_str().unwrap().starts_with(sort_key));
        all.sort_by_key(|item| item["PK"]["S"].to_string() + &item["SK"]["S"].to_string());
        all
    }

    /// What happened to a subscription, in its order, each with who did it. Its numbers have no gap, and the credential has the last.
    pub async fn history(&self, subscription: &str) -> Vec<String> {
        let key = json!(format!("SUBSCRIPTION#{subscription}"));
        let own = |mut items: Vec<Value>| {
            items.retain(|item| item["PK"]["S"] == key);
            items
        };
        let entries = own(self.items("EVENT#").await);
        for (n, entry) in entries.iter().enumerate() {
            assert_eq!(entry["SK"]["S"], format!("EVENT#{:010}", n + 1));
        }
        assert_eq!(own(self.items("CREDENTIAL").await)[0]["seq"]["N"], entries.len().to_string());
        let text = |entry: &Value, name: &str| entry[name]["S"].as_str().unwrap().to_owned();
        entries.iter().map(|entry| text(entry, "what") + " by " + &text(entry, "by")).collect()
    }

    /// Lists the subscriptions.
    pub async fn list(&self, token: &str) -> Answer {
        self.call("list-subscriptions", Call::get("/subscriptions").bearer(token)).await
    }

    /// A token of somebody with a verified address, good for years: the clock is moved by hand.
    #[must_use]
    pub fn token(&self, email: &str) -> String {
        self.token_with(email, &json!({}))
    }

    /// The same with more claims.
    #[must_use]
    pub fn token_with(&self, email: &str, claims: &Value) -> String {
        let person = Person { claims: claims.clone(), ..Person::with_email(email) };
        let mut all = self.provider.claims(&person);
        all["exp"] = (system_seconds() + 400_000_000).into();
        self.provider.sign(Algorithm::Rs256, &json!({}), &all)
    }

    /// Calls the same functions on another machine, whose clock is ahead by so many seconds and stands still.
    pub fn machine(&self, seconds_ahead: i64) -> impl Fn(&'static str, Call) -> BoxFuture<'static, Answer> + use<> {
        let clock = AtomicI64::new(self.clock.load(Ordering::SeqCst) + seconds_ahead);
        self.beside("", &Arc::new(clock))
    }

    /// Calls the same functions on another machine, which the cloud tells apart: there their names end in `suffix`.
    pub fn named_machine(&self, suffix: &str) -> impl Fn(&'static str, Call) -> BoxFuture<'static, Answer> + use<> {
        self.beside(suffix, &self.clock)
    }

    fn beside(
        &self,
        suffix: &str,
        clock: &Arc<AtomicI64>,
    ) -> impl Fn(&'static str, Call) -> BoxFuture<'static, Answer> + use<> {
        let functions = Arc::new(Functions::new(&self.settings, suffix, clock));
        move |function, call| {
            let functions = Arc::clone(&functions);
            Box::pin(async move { Answer::read(&functions.invoke(function, call.into_event()).await.unwrap()) })
        }
    }

    /// The same functions on another machine, with a clock of its own, which the cloud tells apart: there their names end in `suffix`.
    #[must_use]
    pub fn apart(&self, suffix: &str) -> Machine {
        self.apart_with(suffix, &[])
    }

    /// Returns such a machine whose functions have these settings instead of the deployment's.
    #[must_use]
    pub fn apart_with(&self, suffix: &str, more: &[(&str, &str)]) -> Machine {
        let clock = Arc::new(AtomicI64::new(self.clock.load(Ordering::SeqCst)));
        let mut settings = self.settings.clone();
        settings.extend(more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        Machine { functions: Arc::new(Functions::new(&settings, suffix, &clock)), clock, suffix: suffix.to_owned() }
    }

    /// Takes the messages that wait for whoever mails for a subscription.
    #[must_use]
    pub fn mail_orders(&self, subscription: &str) -> Vec<Value> {
        let key = format!("\"SUBSCRIPTION#{subscription}\"");
        let of_it = |record: &mut Value| record["body"].as_str().is_some_and(|body| body.contains(&key));
        self.held_mails.lock().unwrap().extract_if(.., of_it).collect()
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Kills every running instance of a function, as it stands.
    pub fn kill(&self, function: &str) {
        let mut running = self.functions.running.lock().unwrap();
        for (_, instance) in running.extract_if(.., |(running, _)| running.name() == function) {
            instance.abort();
        }
    }
}

/// A machine with all functions, apart from the others.
pub struct Machine {
    functions: Arc<Functions>,
    clock: Arc<AtomicI64>,
    suffix: String,
}

impl Machine {
    /// Calls an HTTP function.
    pub async fn call(&self, function: &'static str, call: Call) -> Answer {
        Answer::read(&self.functions.invoke(function, call.into_event()).await.unwrap())
    }

    /// Hands a function of a queue these messages; whether all of them are done.
    pub async fn consume(&self, function: &'static str, messages: &[Value]) -> bool {
        let answer = self.functions.invoke(function, json!({ "Records": messages })).await.unwrap();
        answer == json!({ "batchItemFailures": [] })
    }

    /// How the cloud calls a function of this machine.
    #[must_use]
    pub fn name_of(&self, function: &str) -> String {
        format!("{function}{}", self.suffix)
    }

    /// Returns this machine's time, in seconds since the epoch.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// Lets time pass here.
    pub fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }
}

struct Functions {
    handlers: HashMap<Function, Handler>,
    running: Mutex<Vec<(Function, AbortHandle)>>,
    room: Semaphore,
}

/// The most instances that run at once; others wait. With more of them, unoptimised, a call takes longer than the time-outs allow that are
/// set for a function with a processor to itself.
const INSTANCES: usize = 16;

impl Functions {
    fn new(settings: &HashMap<String, String>, suffix: &str, clock: &Arc<AtomicI64>) -> Self {
        let start = |function: Function| {
            let mut settings = settings.clone();
            settings.insert("AWS_ACCESS_KEY_ID".into(), format!("{function}{suffix}"));
            let handler = function.start(&Settings::given(settings), Clock::Manual(Arc::clone(clock)));
            (function, handler.unwrap_or_else(|error| panic!("{function} does not start: {error}")))
        };
        let handlers = Function::ALL.iter().map(|function| start(*function)).collect();
        Self { handlers, running: Mutex::default(), room: Semaphore::new(INSTANCES) }
    }

    async fn invoke(self: &Arc<Self>, function: &str, event: Value) -> Result<Value, String> {
        let _place = self.room.acquire().await.map_err(|_| "no room".to_owned())?;
        let function = Function::find(function).ok_or_else(|| format!("no function {function}"))?;
        let (this, asked) = (Arc::clone(self), Asked::by(&event));
        let instance = tokio::spawn(async move { this.handlers[&function](event).await });
        self.running.lock().unwrap().push((function, instance.abort_handle()));
        let answer = instance.await.map_err(|_| "killed".to_owned())??;
        asked.inspect(|asked| asked.hold(&Answer::read(&answer)));
        Ok(answer)
    }
}

/// A `SubscriptionStarted` for Fabrikam, as the vendor's bus gives it.
#[must_use]
pub fn event(subscription: &str, kind: &str) -> Value {
    json!({
        "version": "0",
        "id": format!("{subscription}-{kind}"),
        "detail-type": "SubscriptionStarted",
        "source": "billing.contoso",
        "account": "123456789012",
        "time": "2026-11-10T09:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "subscription_id": subscription,
            "kind": kind,
            "product": "Contoso Online Suite",
            "company": { "id": "fabrikam", "name": "Fabrikam, Inc." },
            "service_administrator": { "email": "it@fabrikam.example" },
            "portal_users": [{ "email": "dana@fabrikam.example" }, { "email": "kim@fabrikam.example" }],
        },
    })
}

/// What `cargo dev` sets, where these are; `AWS_ACCESS_KEY_ID` is each function's own.
pub(crate) fn settings(aws: &str, issuer: &str) -> HashMap<String, String> {
    let settings = [
        ("AWS_ENDPOINT_URL", aws),
        ("AWS_REGION", "us-east-1"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("TABLE_NAME", "firstkey"),
        ("SEALING_KEY", SEALING_KEY),
        ("SENDER", "Contoso <welcome@contoso.example>"),
        ("PUBLIC_ORIGIN", "http://localhost:9000"),
        ("SUPPORT_EMAIL", "support@contoso.example"),
        ("OIDC_ISSUER", issuer),
        ("OIDC_CLIENT_ID", "firstkey"),
    ];
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Starts the identity provider; on any free port if `port` is 0.
pub(crate) async fn provider(port: u16) -> Provider {
    let options = provider::Options {
        client_id: "firstkey".into(),
        data: None,
        redirect_origins: vec!["http://localhost:9000".into()],
    };
    Provider::start(listener_on(port).await, options).await.unwrap()
}

async fn listener_on(port: u16) -> TcpListener {
    for _ in 0..300 {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    panic!("another process uses port {port}")
}

pub(crate) async fn listener() -> TcpListener {
    listener_on(0).await
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokens are made by the machine's clock, so the clock of the tests starts there"
)]
fn system_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}
