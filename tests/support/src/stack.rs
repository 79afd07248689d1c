//! The stack: an embedded cloud, an identity provider, and every function in this process.

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
use provider::{Client, Person, Provider};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore, task::AbortHandle};

use crate::{Answer, Api, Call, Function, contract::RequestLine, functions::Handler};

/// The settings of a deployment, before it starts.
pub struct Deployment {
    settings: HashMap<String, String>,
    redelivery: Duration,
    holds_mails: bool,
    allows_denials: bool,
    starts_at: Option<i64>,
    data: Option<PathBuf>,
    provider_port: u16,
    billing_principals: String,
    publishes: bool,
}

impl Default for Deployment {
    fn default() -> Self {
        Self {
            settings: HashMap::new(),
            redelivery: Duration::from_millis(50),
            holds_mails: false,
            allows_denials: false,
            starts_at: None,
            data: None,
            provider_port: 0,
            billing_principals: String::new(),
            publishes: false,
        }
    }
}

impl Deployment {
    /// Sets a setting of every function.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// Sets the time after which queues deliver a failed message again.
    #[must_use]
    pub fn with_redelivery_delay(self, redelivery: Duration) -> Self {
        Self { redelivery, ..self }
    }

    /// Holds mail orders back from the mail function: they wait for [`TestStack::take_mail_orders`].
    #[must_use]
    pub fn with_held_mails(self) -> Self {
        Self { holds_mails: true, ..self }
    }

    /// Allows roles to deny calls, which otherwise fails the test.
    #[must_use]
    pub fn allowing_denials(self) -> Self {
        Self { allows_denials: true, ..self }
    }

    /// Starts the clock at `seconds` since the epoch instead of the machine's time.
    #[must_use]
    pub fn with_start_time(self, seconds: i64) -> Self {
        Self { starts_at: Some(seconds), ..self }
    }

    /// Keeps the state of the cloud, its keys included, in a directory.
    #[must_use]
    pub fn with_data_directory(self, directory: PathBuf) -> Self {
        Self { data: Some(directory), ..self }
    }

    /// Starts the identity provider on a fixed port, waiting until the port is free. What the table keeps of a person depends on the
    /// provider's address.
    #[must_use]
    pub fn with_provider_port(self, port: u16) -> Self {
        Self { provider_port: port, ..self }
    }

    /// Sets the template's `BillingPrincipals`.
    #[must_use]
    pub fn with_billing_principals(self, billing_principals: &str) -> Self {
        Self { billing_principals: billing_principals.to_owned(), ..self }
    }

    /// Feeds the table's stream to `publish-events`, as the event source mapping of the template does. Most tests do without.
    #[must_use]
    pub fn publishing(self) -> Self {
        Self { publishes: true, ..self }
    }

    /// Starts the stack.
    pub async fn start(self) -> TestStack {
        TestStack::deploy(self).await
    }
}

/// The product with its cloud and its identity provider. Dropping it ends all of them.
pub struct TestStack {
    /// The embedded cloud.
    pub cloud: Cloud,
    /// The identity provider.
    pub provider: Provider,
    functions: Arc<Functions>,
    settings: HashMap<String, String>,
    clock: Arc<AtomicI64>,
    held_mails: Arc<Mutex<Vec<Value>>>,
    allows_denials: bool,
}

/// Fails a test, in addition to its own assertions, if a role denied a call, even where the function does not depend on it.
impl Drop for TestStack {
    fn drop(&mut self) {
        if !self.allows_denials && !std::thread::panicking() {
            assert_eq!(self.cloud.roles().denied(), [], "a role denies a call of its function");
        }
    }
}

impl TestStack {
    /// Starts a stack with the settings of `cargo dev`.
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
        options.clock = cloud::Clock::manual(Arc::clone(&clock));
        options.data = deployment.data;
        options.sender = settings["SENDER"].clone();
        options.billing_principals = deployment.billing_principals;
        options.publishes = deployment.publishes;
        options.client_secret = settings.get("OIDC_CLIENT_SECRET_NAME").cloned().unwrap_or_default();
        let cloud = Cloud::start(aws, listener().await, options).await.unwrap();
        Self { cloud, provider, functions, settings, clock, held_mails, allows_denials: deployment.allows_denials }
    }

    /// Returns the settings of the functions, for processes beside this stack. `AWS_ACCESS_KEY_ID` is missing, which is the name of the caller.
    #[must_use]
    pub fn settings(&self) -> &HashMap<String, String> {
        &self.settings
    }

    /// Publishes an event. Returns the messages whose first delivery failed.
    pub async fn publish(&self, event: Value) -> Value {
        self.cloud.deliver(event).await.unwrap()["batchItemFailures"].take()
    }

    /// Publishes an event, which must succeed at once, and waits until its mail is sent.
    pub async fn start_subscription(&self, event: Value) {
        assert_eq!(self.publish(event).await, json!([]));
        self.cloud.drained().await.unwrap();
    }

    /// Invokes a function with an event. The error says why it did not answer.
    pub async fn try_invoke(&self, function: &'static str, event: Value) -> Result<Value, String> {
        self.functions.invoke(function, event).await
    }

    /// Invokes a function with an event.
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

    /// Returns the temporary password of the last mail that has one.
    #[must_use]
    pub fn mailed_password(&self) -> String {
        let is_password = |line: &&str| line.len() == 23 && line.split('-').all(|group| group.len() == 5);
        let inbox = self.cloud.inbox();
        let passwords = inbox.iter().rev().filter_map(|mail| mail.text.lines().find(is_password));
        passwords.map(str::to_owned).next().expect("a mail with a password is out")
    }

    /// Starts a subscription and replaces the temporary password by `chosen`. Returns a session of the service administrator.
    pub async fn service_administrator(&self, subscription: &str, user_name: &str, chosen: &str) -> String {
        self.start_subscription(event(subscription, "trial")).await;
        let session = self.sign_in(user_name, &self.mailed_password()).await.session().expect("signs in");
        let reset = self.call("reset-password", Call::reset_password(&session, chosen)).await;
        reset.session().expect("resets")
    }

    /// Returns the items of the table whose sort key starts with `sort_key`, sorted by their keys.
    pub async fn items(&self, sort_key: &str) -> Vec<Value> {
        let mut all = self.cloud.dump_table().await.unwrap();
        all.retain(|item| item["SK"]["S"].as_str().unwrap().starts_with(sort_key));
        all.sort_by_key(|item| item["PK"]["S"].to_string() + &item["SK"]["S"].to_string());
        all
    }

    /// Returns the history of a subscription, in order, with the author of each entry. Fails if its numbers have gaps or the credential does
    /// not have the last of them.
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

    /// Calls the function that has a path of the support desk, by its method and path.
    pub async fn desk(&self, call: Call) -> Answer {
        let (function, call) = call.routed(Api::Desk);
        self.call(function.name(), call).await
    }

    /// Gets a page or a document of the support desk in an operator's browser.
    pub async fn desk_get(&self, path: &str, token: &str) -> Answer {
        self.desk(Call::get(path).operator(token)).await
    }

    /// Posts to the support desk in an operator's browser, with the idempotency key of a click.
    pub async fn desk_post(&self, path: &str, token: &str, key: &str, body: &Value) -> Answer {
        self.desk(Call::post(path).operator(token).header("sec-fetch-site", "same-origin").key(key).json(body)).await
    }

    /// Lists the subscriptions of a customer.
    pub async fn list(&self, token: &str) -> Answer {
        self.call("list-subscriptions", Call::get("/subscriptions").bearer(token)).await
    }

    /// Returns a token for a person with this verified e-mail address. It is issued at the time of the stack's clock, and is a session for 12
    /// hours.
    #[must_use]
    pub fn token(&self, email: &str) -> String {
        self.token_with(email, &json!({}))
    }

    /// Returns such a token with additional claims.
    #[must_use]
    pub fn token_with(&self, email: &str, claims: &Value) -> String {
        self.token_for(&Person { claims: claims.clone(), ..Person::with_email(email) })
    }

    /// Returns a token for an operator with this e-mail address, who signs in at the time of the stack's clock. It is accepted as a bearer
    /// token and in the cookie of the desk.
    #[must_use]
    pub fn operator_token(&self, email: &str) -> String {
        self.operator_token_with(email, &json!({}))
    }

    /// Returns such a token with additional claims; null removes a claim.
    #[must_use]
    pub fn operator_token_with(&self, email: &str, claims: &Value) -> String {
        self.token_for(&Person { claims: claims.clone(), ..Person::at_client(DESK_CLIENT, email) })
    }

    fn token_for(&self, person: &Person) -> String {
        let (mut all, claims) = (self.provider.claims(person), &person.claims);
        let issued_at = claims["iat"].as_i64().unwrap_or_else(|| self.clock.load(Ordering::SeqCst));
        for (name, time) in [("auth_time", issued_at), ("iat", issued_at), ("exp", issued_at + 86_400)] {
            if claims.get(name).is_none() {
                all[name] = time.into();
            }
        }
        self.provider.token_with_claims(&all)
    }

    /// Returns a client of the same functions on another machine, whose clock is ahead by `seconds_ahead` and does not advance.
    pub fn machine(&self, seconds_ahead: i64) -> impl Fn(&'static str, Call) -> BoxFuture<'static, Answer> + use<> {
        let clock = Arc::new(AtomicI64::new(self.clock.load(Ordering::SeqCst) + seconds_ahead));
        let functions = Arc::new(Functions::new(&self.settings, "", &clock));
        move |function, call| {
            let functions = Arc::clone(&functions);
            Box::pin(async move { Answer::read(&functions.invoke(function, call.into_event()).await.unwrap()) })
        }
    }

    /// Returns another machine with the same functions and its own clock. The cloud knows its functions by names that end in `suffix`.
    #[must_use]
    pub fn separate_machine(&self, suffix: &str) -> Machine {
        self.separate_machine_with(suffix, &[])
    }

    /// Returns such a machine whose functions have additional settings, which override those of the deployment.
    #[must_use]
    pub fn separate_machine_with(&self, suffix: &str, more: &[(&str, &str)]) -> Machine {
        let clock = Arc::new(AtomicI64::new(self.clock.load(Ordering::SeqCst)));
        let mut settings = self.settings.clone();
        settings.extend(more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        Machine { functions: Arc::new(Functions::new(&settings, suffix, &clock)), clock, suffix: suffix.to_owned() }
    }

    /// Takes the held mail orders of a subscription.
    #[must_use]
    pub fn take_mail_orders(&self, subscription: &str) -> Vec<Value> {
        let key = format!("\"SUBSCRIPTION#{subscription}\"");
        let of_it = |record: &mut Value| record["body"].as_str().is_some_and(|body| body.contains(&key));
        self.held_mails.lock().unwrap().extract_if(.., of_it).collect()
    }

    /// Advances the clock of the functions and the cloud, and does nothing else: schedules do not run, hidden messages stay hidden, and the
    /// identity provider has its own clock.
    pub fn advance_clock(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Lets time pass: moves the clocks of the functions, the cloud and the identity provider, and runs the hourly schedules at each hour
    /// on the way. Fails the test if an invocation by a schedule fails.
    pub async fn pass_time(&self, seconds: u64) {
        self.provider.advance_clock(seconds.try_into().unwrap());
        assert_eq!(self.cloud.advance_clock(seconds).await, Vec::<String>::new());
    }

    /// Kills every running instance of a function immediately.
    pub fn kill(&self, function: &str) {
        let mut running = self.functions.running.lock().unwrap();
        for (_, instance) in running.extract_if(.., |(running, _)| running.name() == function) {
            instance.abort();
        }
    }
}

/// A machine with all functions and its own clock.
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

    /// Delivers messages to the function of a queue. Returns whether it handled all of them.
    pub async fn consume(&self, function: &'static str, messages: &[Value]) -> bool {
        let answer = self.functions.invoke(function, json!({ "Records": messages })).await.unwrap();
        answer == json!({ "batchItemFailures": [] })
    }

    /// Invokes the function of a schedule once. Returns whether it succeeded.
    pub async fn run_schedule(&self, function: &'static str) -> bool {
        let tick = serde_json::from_str(&Function::from_name(function).event()).unwrap();
        self.functions.invoke(function, tick).await.is_ok()
    }

    /// Returns the name by which the cloud knows a function of this machine.
    #[must_use]
    pub fn caller_name(&self, function: &str) -> String {
        format!("{function}{}", self.suffix)
    }

    /// Returns this machine's time, in seconds since the epoch.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// Advances the clock of this machine.
    pub fn advance_clock(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// The functions of one machine.
struct Functions {
    handlers: HashMap<Function, Handler>,
    running: Mutex<Vec<(Function, AbortHandle)>>,
    slots: Semaphore,
}

/// The most instances that run at once. Others wait: with more of them, in an unoptimized build, calls would exceed their deadlines, which
/// assume that a function has a processor to itself.
const MAX_INSTANCES: usize = 16;

impl Functions {
    fn new(settings: &HashMap<String, String>, suffix: &str, clock: &Arc<AtomicI64>) -> Self {
        let start = |function: Function| {
            let mut settings = settings.clone();
            settings.insert("AWS_ACCESS_KEY_ID".into(), format!("{function}{suffix}"));
            let handler = function.start(&Settings::given(settings), Clock::Manual(Arc::clone(clock)));
            (function, handler.unwrap_or_else(|error| panic!("{function} does not start: {error}")))
        };
        let handlers = Function::ALL.iter().map(|function| start(*function)).collect();
        Self { handlers, running: Mutex::default(), slots: Semaphore::new(MAX_INSTANCES) }
    }

    async fn invoke(self: &Arc<Self>, function: &str, event: Value) -> Result<Value, String> {
        let _slot = self.slots.acquire().await.map_err(|_| "no slot".to_owned())?;
        let function = Function::find(function).ok_or_else(|| format!("no function {function}"))?;
        let request_line = RequestLine::from_event(&event).map(|line| line.to_function(function.name()));
        let this = Arc::clone(self);
        let instance = tokio::spawn(async move { this.handlers[&function](event).await });
        self.running.lock().unwrap().push((function, instance.abort_handle()));
        let answer = instance.await.map_err(|_| "killed".to_owned())??;
        request_line.inspect(|line| line.assert_allows(&Answer::read(&answer)));
        Ok(answer)
    }
}

/// Returns a `SubscriptionStarted` event for Fabrikam, as the vendor's bus delivers it.
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

/// The origin of the support desk.
pub const DESK_ORIGIN: &str = "http://127.0.0.1:9004";

/// The operators' client at the provider. Everyone who signs in there is an operator.
pub const DESK_CLIENT: &str = "firstkey-desk";

/// The product's client id.
pub const PRODUCT_CLIENT: &str = "contoso-online-suite";
/// The secret of [`PRODUCT_CLIENT`].
pub const PRODUCT_SECRET: &str = "the-secret-of-the-product-that-no-other-client-has";
/// The SHA-256 of [`PRODUCT_SECRET`], in hexadecimal.
pub const PRODUCT_SECRET_DIGEST: &str = "b29bff73220f21417346e07dad37aaa9317bce43004cf31ec3f51439aa2c7b23";
/// The address of the product that gets codes.
pub const PRODUCT_REDIRECT_URI: &str = "http://127.0.0.1:9005/callback";

/// Returns the settings of `cargo dev` for an AWS endpoint and an identity provider, without `AWS_ACCESS_KEY_ID`, which differs between
/// functions.
pub(crate) fn settings(aws: &str, issuer: &str) -> HashMap<String, String> {
    let queue_url = cloud::Queue::SendMail.url(aws);
    let settings = [
        ("AWS_ENDPOINT_URL", aws),
        ("AWS_REGION", "us-east-1"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("TABLE_NAME", "firstkey"),
        ("SEALING_KEY", SEALING_KEY),
        ("SENDER", "Contoso <welcome@contoso.example>"),
        ("MAIL_CONFIGURATION_SET", cloud::CONFIGURATION_SET),
        ("MAIL_QUEUE_URL", &queue_url),
        // No test waits long for a turn, unless it is about turns.
        ("MAIL_RATE", "1000"),
        ("EVENT_BUS", cloud::EVENT_BUS),
        ("EVENTS_WITH_ADDRESSES", "false"),
        ("NOTICES", "none"),
        ("PUBLIC_ORIGIN", "http://localhost:9000"),
        ("SUPPORT_EMAIL", "support@contoso.example"),
        ("OIDC_ISSUER", issuer),
        ("OIDC_CLIENT_ID", "firstkey"),
        ("PRODUCT_CLIENT_ID", PRODUCT_CLIENT),
        ("PRODUCT_CLIENT_SECRET_DIGESTS", PRODUCT_SECRET_DIGEST),
        ("PRODUCT_REDIRECT_URIS", PRODUCT_REDIRECT_URI),
        ("SIGNING_KEYS", cloud::SIGNING_KEYS[0]),
        ("DESK_ORIGIN", DESK_ORIGIN),
        ("DESK_OIDC_ISSUER", issuer),
        ("DESK_OIDC_CLIENT_ID", DESK_CLIENT),
        ("DESK_OIDC_ROLE", "roles=support"),
        ("DESK_APPROVAL", "required"),
        ("DESK_APPROVAL_WAIT_SECONDS", "3600"),
    ];
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Starts the identity provider; on any free port if `port` is 0.
pub(crate) async fn provider(port: u16) -> Provider {
    let options = provider::Options {
        clients: vec![
            Client { id: "firstkey".into(), redirect_origin: "http://localhost:9000".into(), claims: Value::Null },
            Client {
                id: DESK_CLIENT.into(),
                redirect_origin: DESK_ORIGIN.into(),
                claims: json!({ "roles": ["support"] }),
            },
        ],
        data: Some(provider_keys()),
        seconds_ahead: Arc::default(),
    };
    Provider::start(listener_on(port).await, options).await.unwrap()
}

/// Returns the directory of the provider's keys, which all tests share: generating them takes half the time of a short test. They are
/// generated beside it and moved there as a whole, since many tests start at once.
fn provider_keys() -> PathBuf {
    let programs = std::env::current_exe().expect("the path of this test");
    let keys = programs.with_file_name("provider-keys");
    if !keys.exists() {
        let generated = tempfile::tempdir_in(keys.parent().expect("it is in a directory")).expect("a directory");
        Provider::generate_keys(generated.path()).expect("the keys are written");
        // Another test may have been faster; then its keys stay.
        drop(std::fs::rename(generated.path(), &keys));
    }
    keys
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

#[expect(clippy::disallowed_methods, reason = "tokens have the system's time, so the clock of the tests starts there")]
fn system_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn time_passes_for_the_functions_the_cloud_and_the_provider() {
        let began = 1_794_301_200;
        let stack = Deployment::default().with_start_time(began).start().await;
        let issued_at = || stack.provider.claims(&Person::with_email("it@fabrikam.example"))["iat"].as_i64().unwrap();
        let before = issued_at();
        stack.pass_time(7200).await;
        assert_eq!(
            (stack.clock.load(Ordering::SeqCst), stack.cloud.clock().epoch_seconds()),
            (began + 7200, began + 7200)
        );
        assert!(issued_at() - before >= 7200);
        stack.advance_clock(60);
        assert_eq!(stack.cloud.clock().epoch_seconds(), began + 7260);
    }
}
