//! The parts of AWS that the product uses, in one process: the endpoint that functions call, the queues and the Pipe that
//! invoke functions, and the console.
//!
//! | module | contents |
//! |---|---|
//! | `endpoint`, `service`, `wire` | the AWS endpoint: who calls what, and the response format of each service |
//! | `dynamo`, `kms`, `signing`, `secrets`, `ses`, `inbox`, `sqs`, `put_events`, `published` | the services behind the endpoint |
//! | `roles` | authorization, by the roles of the deployment template |
//! | `faults`, `gate`, `requests` | tools for tests: fault injection, gates that hold calls, and a record of every call |
//! | `feedback` | what becomes of a mail, in the events of SES |
//! | `bus`, `pipe`, `pattern` | the rules of the event buses, the Pipe from the table's stream to a queue, and their patterns |
//! | `queue`, `delivery` | SQS and its event source mappings |
//! | `stream` | the event source mapping of the table's stream |
//! | `clock`, `schedule` | the clock, which can be moved forward, the schedules, and what the end of a deployment invokes |
//! | `console`, `controls`, `page` | the console: a web page for developers and a JSON API for tests |
//! | `runtime` | the runtime API of Lambda, for one process of a function |
//! | `events` | the events of `events/`, with live tokens |

mod bus;
mod clock;
mod console;
mod controls;
mod delivery;
mod dynamo;
mod endpoint;
mod error;
pub mod events;
mod faults;
mod feedback;
mod file;
mod gate;
mod inbox;
mod kms;
mod page;
mod pattern;
mod pipe;
mod published;
mod put_events;
mod queue;
mod requests;
pub mod roles;
pub mod runtime;
mod schedule;
mod secrets;
mod serve;
mod service;
mod ses;
mod signing;
mod sqs;
mod stream;
mod wire;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use clock::Clock;
pub use error::{DeliverError, Error, ReportError};
pub use faults::{Fault, Mode};
pub use feedback::Feedback;
pub use gate::{Gate, HeldCall};
pub use inbox::Mail;
pub use kms::{SEALING_KEY, SIGNING_KEYS};
pub use published::Published;
pub use put_events::EVENT_BUS;
pub use queue::{DeadLetter, Queue};
pub use requests::Request;
pub use secrets::SecretContent;
pub use service::Service;
pub use ses::{CONFIGURATION_SET, Limits};

use bus::Bus;
use dynamo::Dynamo;
use endpoint::Endpoint;
use faults::Faults;
use gate::Gates;
use inbox::Inbox;
use kms::Kms;
use page::StartForm;
use pipe::Pipe;
use published::PublishedEvents;
use queue::Queues;
use requests::Requests;
use roles::{Names, Roles};
use schedule::Schedules;
use secrets::Secrets;
use ses::Ses;
use signing::SigningKeys;
use stream::StreamMapping;

/// The AWS region of the local cloud.
pub const REGION: &str = "us-east-1";

/// Invokes the named function with an event. The error says why the function did not answer.
pub type Invoke = Arc<dyn Fn(&'static str, Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// The options of a local cloud.
#[derive(Clone)]
pub struct CloudOptions {
    /// The directory that preserves state between starts. Without one, state is in memory only.
    pub data: Option<PathBuf>,
    /// The delay before a failed message is delivered again.
    pub redelivery: Duration,
    /// The name of the table.
    pub table: String,
    /// The sender of mails, an address or `Name <address>`. The role of send-mail allows no other sender.
    pub sender: String,
    /// The name of the client secret. The role of portal allows reading it, unless it is empty.
    pub client_secret: String,
    /// Invokes functions for the queues.
    pub invoke: Invoke,
    /// The origin of the product in browsers, which the console links to.
    pub product: String,
    /// The origin of the demo of the vendor's product, if there is one. The console links to it as well.
    pub demo: Option<String>,
    /// The value of the template's `BillingPrincipals`: the ARNs of those who may put events on the bus, or empty.
    pub billing_principals: String,
    /// The clock.
    pub clock: Clock,
    /// Whether schedules also run when the clock reaches an hour by itself, and not only when it is moved.
    pub has_timer: bool,
    /// Whether the event source mapping of the template feeds the table's stream to `publish-events`. Without it, tests of other functions
    /// do not wait for this one.
    pub publishes: bool,
}

impl CloudOptions {
    /// Returns the default options: state in memory, the table `firstkey`, mails from Contoso, no client secret, redelivery after
    /// one second, the product at port 9000 of this machine, the machine's time without a timer, and no published events.
    #[must_use]
    pub fn new(invoke: Invoke) -> Self {
        let redelivery = Duration::from_secs(1);
        let sender = "Contoso <credentials@contoso.example>".to_owned();
        let product = "http://localhost:9000".to_owned();
        let (table, client_secret) = ("firstkey".to_owned(), String::new());
        let (billing_principals, clock, has_timer) = (String::new(), Clock::system(), false);
        Self {
            data: None,
            redelivery,
            table,
            sender,
            client_secret,
            invoke,
            product,
            demo: None,
            billing_principals,
            clock,
            has_timer,
            publishes: false,
        }
    }
}

/// A running local cloud. Dropping it ends it: connections close, deliveries stop, and held calls are not executed.
pub struct Cloud {
    inner: Arc<Inner>,
    aws: SocketAddr,
    console: SocketAddr,
    /// Dropped with the cloud, which ends the calls that run outside `_tasks`.
    _alive: watch::Sender<()>,
    _tasks: JoinSet<()>,
}

struct Inner {
    dynamo: Arc<Dynamo>,
    inbox: Arc<Inbox>,
    ses: Arc<Ses>,
    faults: Arc<Faults>,
    gates: Arc<Gates>,
    requests: Arc<Requests>,
    roles: Arc<Roles>,
    secrets: Arc<Secrets>,
    signing: Arc<SigningKeys>,
    queues: Arc<Queues>,
    bus: Arc<Bus>,
    pipe: Arc<Pipe>,
    /// The event source mapping of the stream, if it runs.
    stream: Option<Arc<StreamMapping>>,
    published: Arc<PublishedEvents>,
    invoke: Invoke,
    clock: Clock,
    schedules: Schedules,
    product: String,
    demo: Option<String>,
    /// The console's form as it was last submitted.
    form: Mutex<StartForm>,
}

impl Cloud {
    /// Starts the local cloud on two listeners and returns when it accepts calls.
    pub async fn start(aws: TcpListener, console: TcpListener, options: CloudOptions) -> Result<Self, Error> {
        let address = |listener: &TcpListener| {
            listener.local_addr().map_err(|source| Error::caused("a listener has no address", source))
        };
        let (aws_address, console_address) = (address(&aws)?, address(&console)?);
        let (has_timer, mut tasks) = (options.has_timer, JoinSet::new());
        let (inner, kms) = Inner::open(options, &mut tasks).await?;
        let inner = Arc::new(inner);

        let (alive, watched) = watch::channel(());
        let endpoint = Arc::new(inner.endpoint(kms, watched));
        tasks.spawn(serve::serve(aws, move |request| Arc::clone(&endpoint).answer(request)));
        tasks.spawn(console::serve(console, Arc::clone(&inner)));
        tasks.spawn(Arc::clone(&inner.pipe).run());
        if let Some(stream) = &inner.stream {
            tasks.spawn(Arc::clone(stream).run());
        }
        for queue in Queue::ALL {
            tasks.spawn(delivery::run(Arc::clone(&inner.queues), queue, Arc::clone(&inner.invoke)));
        }
        if has_timer {
            tasks.spawn(Arc::clone(&inner).run_timer());
        }
        Ok(Self { inner, aws: aws_address, console: console_address, _alive: alive, _tasks: tasks })
    }

    /// Returns the URL of the AWS endpoint, for `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn aws_url(&self) -> String {
        format!("http://{}", self.aws)
    }

    /// Returns the URL of the console.
    #[must_use]
    pub fn console_url(&self) -> String {
        format!("http://{}", self.console)
    }

    /// Returns every mail that SES accepted, oldest first.
    #[must_use]
    pub fn inbox(&self) -> Vec<Mail> {
        self.inner.inbox.all()
    }

    /// Returns the mails of a subscription that SES accepted, oldest first.
    #[must_use]
    pub fn inbox_of(&self, subscription: &str) -> Vec<Mail> {
        self.inner.inbox.for_subscription(subscription)
    }

    /// Returns every published event, oldest first.
    #[must_use]
    pub fn published(&self) -> Vec<Published> {
        self.inner.published.all()
    }

    /// Returns every call to the AWS endpoint, in the order in which they were answered.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.inner.requests.all()
    }

    /// Clears the record of calls.
    pub fn clear_requests(&self) {
        self.inner.requests.clear();
    }

    /// Returns the roles of the functions, with the grants that were used and the requests that were denied.
    #[must_use]
    pub fn roles(&self) -> &Roles {
        &self.inner.roles
    }

    /// Sets a fault. It replaces a fault with the same service, operation, mode and function.
    pub fn set_fault(&self, fault: Fault) {
        self.inner.faults.set(fault);
    }

    /// Clears the faults that are limited to one function. Returns how many calls they have hit since the last clearing.
    #[must_use]
    pub fn clear_faults_of(&self, function: &str) -> u32 {
        self.inner.faults.clear(function)
    }

    /// Stores a secret in Secrets Manager, or replaces its current version.
    pub fn put_secret(&self, name: &str, content: SecretContent) {
        self.inner.secrets.put(name, content);
    }

    /// Disables a signing key, given by its alias, as an operator of KMS may; with `false`, enables it again.
    pub fn disable_signing_key(&self, alias: &str, is_disabled: bool) {
        self.inner.signing.disable(alias, is_disabled);
    }

    /// Adds a gate. From now on, calls that `holds` selects wait there until they are released.
    pub fn gate(&self, holds: impl Fn(&HeldCall) -> bool + Send + 'static) -> Gate {
        self.inner.gates.add(Box::new(holds))
    }

    /// Publishes an event and returns the function's response to the first delivery. A failed event is redelivered by its
    /// queue.
    pub async fn deliver(&self, event: Value) -> Result<Value, DeliverError> {
        self.inner.deliver(event).await
    }

    /// Publishes what becomes of a mail, as SES does, and returns the function's response to the first delivery. The mail is given by its
    /// id, or by an address, whose latest mail it is.
    pub async fn report(&self, mail: &str, feedback: Feedback) -> Result<Value, ReportError> {
        let mail = self.inner.inbox.find(mail).ok_or(ReportError::UnknownMail)?;
        self.inner.report(&mail, feedback).await
    }

    /// Returns the event that [`Cloud::report`] publishes, for a test that changes it. SES publishes no event about an unknown mail,
    /// and about a mail without a configuration set.
    #[must_use]
    pub fn feedback_event(&self, mail: &str, feedback: Feedback) -> Option<Value> {
        feedback.event(&self.inner.inbox.find(mail)?, &self.inner.clock)
    }

    /// Returns the clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Moves the clock forward, and runs every hourly schedule once for each hour that it passes, at the time of this hour; of more than 200
    /// hours, for the last 200. A schedule of every 15 minutes runs once, for the last quarter of an hour. Returns why invocations failed.
    pub async fn advance_clock(&self, seconds: u64) -> Vec<String> {
        self.inner.advance_clock(seconds).await
    }

    /// Invokes a function now, as its schedule does.
    pub async fn run_schedule(&self, function: &str) -> Result<(), String> {
        let function = self.inner.schedules.find(function).ok_or_else(|| format!("no schedule invokes {function}"))?;
        self.inner.run_schedule(function, self.inner.clock.epoch_seconds()).await
    }

    /// Returns the functions that the end of a deployment invokes, each with the event of `CloudFormation`. The local cloud deploys nothing,
    /// so it invokes none of them by itself.
    #[must_use]
    pub fn deployment_events(&self) -> Vec<(&'static str, Value)> {
        self.inner.schedules.deployment_events(self.inner.clock.epoch_seconds())
    }

    /// Publishes an event as a principal with this ARN, whom the policy of the bus may refuse.
    pub async fn deliver_as(&self, principal: &str, event: Value) -> Result<Value, DeliverError> {
        let detail_type = event["detail-type"].as_str().unwrap_or_default();
        if !self.inner.roles.admits_event(principal, detail_type) {
            return Err(DeliverError::Denied(principal.to_owned()));
        }
        self.inner.deliver(event).await
    }

    /// Sets the limits of the account at SES. Without them it sends without limits.
    pub fn set_mail_limits(&self, limits: Limits) {
        self.inner.ses.set_limits(limits);
    }

    /// Returns how long each message stays hidden that waits in a queue.
    #[must_use]
    pub fn hidden(&self, queue: Queue) -> Vec<Duration> {
        self.inner.queues.hidden(queue)
    }

    /// Returns the dead letters, oldest first.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.inner.queues.dead_letters()
    }

    /// Returns every item of the table in DynamoDB JSON.
    pub async fn dump_table(&self) -> Result<Vec<Value>, Error> {
        let dynamo = Arc::clone(&self.inner.dynamo);
        let dumped = tokio::task::spawn_blocking(move || dynamo.dump()).await;
        dumped.map_err(|source| Error::caused("cannot dump the table", source))?
    }

    /// Adds items, each in DynamoDB JSON, past the endpoint: fast enough to fill a large table. The stream gets no records of them. If this
    /// fails, the batches before stay.
    pub async fn import(&self, batches: impl Iterator<Item = Vec<String>> + Send + 'static) -> Result<(), Error> {
        let dynamo = Arc::clone(&self.inner.dynamo);
        let imported = tokio::task::spawn_blocking(move || dynamo.import(batches)).await;
        imported.map_err(|source| Error::caused("cannot import items", source))?
    }

    /// Returns every record of the table's stream, oldest first, in the form that the Pipe reads.
    pub async fn stream_records(&self) -> Result<Vec<Value>, Error> {
        let dynamo = Arc::clone(&self.inner.dynamo);
        let read = tokio::task::spawn_blocking(move || dynamo.records()).await;
        read.map_err(|source| Error::caused("cannot read the stream", source))?
    }

    /// Waits until the Pipe and the event source mapping have read the whole stream and every queue is empty, so that all work has been done
    /// or has become a dead letter. Calls that a fault delays are not waited for.
    pub async fn drained(&self) -> Result<(), Error> {
        self.inner.drained().await
    }
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud").field("aws", &self.aws).field("console", &self.console).finish_non_exhaustive()
    }
}

impl Inner {
    /// Opens the state of every service. KMS belongs to the endpoint alone.
    async fn open(options: CloudOptions, tasks: &mut JoinSet<()>) -> Result<(Self, Kms), Error> {
        let CloudOptions { data, redelivery, table, sender, client_secret, invoke, product, .. } = options;
        let (billing_principals, clock) = (options.billing_principals, options.clock);
        if let Some(directory) = &data {
            file::create_directory(directory)?;
        }
        let state_file = |name: &str| data.as_ref().map(|directory| directory.join(name));
        let names = Names { table: table.clone(), sender, client_secret, billing_principals };
        let roles = Arc::new(Roles::deployed(&names)?);
        let dynamo = Arc::new(Dynamo::start(state_file("table.sqlite").as_deref(), &table, tasks).await?);
        let kms = Kms::start(data.as_deref()).await?;
        let inbox = Arc::new(Inbox::open(state_file("inbox.jsonl"))?);
        let queues = Arc::new(Queues::open(state_file("queues.json"), redelivery, clock.clone())?);
        let bus = Arc::new(Bus::deployed()?);
        let pipe = Arc::new(Pipe::new(Arc::clone(&dynamo), Arc::clone(&queues))?);
        let published = Arc::new(PublishedEvents::open(state_file("published.jsonl"))?);
        let stream = StreamMapping::deployed(&dynamo, &queues, &invoke)?.filter(|_| options.publishes);
        let ses = Ses::new(Arc::clone(&inbox), Arc::clone(&bus), Arc::clone(&queues), clock.clone());
        let inner = Self {
            dynamo,
            inbox,
            ses: Arc::new(ses),
            faults: Arc::default(),
            gates: Arc::default(),
            requests: Arc::default(),
            roles,
            secrets: Arc::default(),
            signing: kms.signing(),
            queues,
            bus,
            pipe,
            stream: stream.map(Arc::new),
            published,
            invoke,
            schedules: Schedules::deployed(&clock, options.has_timer)?,
            clock,
            product,
            demo: options.demo,
            form: Mutex::new(StartForm::suggested()),
        };
        Ok((inner, kms))
    }

    fn endpoint(&self, kms: Kms, alive: watch::Receiver<()>) -> Endpoint {
        Endpoint {
            dynamo: Arc::clone(&self.dynamo),
            kms,
            secrets: Arc::clone(&self.secrets),
            ses: Arc::clone(&self.ses),
            queues: Arc::clone(&self.queues),
            published: Arc::clone(&self.published),
            faults: Arc::clone(&self.faults),
            gates: Arc::clone(&self.gates),
            requests: Arc::clone(&self.requests),
            roles: Arc::clone(&self.roles),
            clock: self.clock.clone(),
            alive,
        }
    }

    /// Routes an event by the rules of the event bus.
    async fn deliver(&self, event: Value) -> Result<Value, DeliverError> {
        let event = Bus::receive(event);
        let Some(queue) = self.bus.queue(&event) else {
            // The default bus takes every event of AWS, also those that no rule asks for.
            let is_taken = Bus::is_from_aws(&event);
            let nothing_failed = json!({ "batchItemFailures": [] });
            return is_taken.then_some(nothing_failed).ok_or_else(|| DeliverError::Event(UNROUTED.to_owned()));
        };
        let batch = self.queues.send_and_receive(queue, event.to_string());
        delivery::deliver(batch, &self.invoke).await.map_err(DeliverError::Function)
    }

    /// Publishes what becomes of a mail.
    async fn report(&self, mail: &Mail, feedback: Feedback) -> Result<Value, ReportError> {
        let event = feedback.event(mail, &self.clock).ok_or(ReportError::Unreported)?;
        self.deliver(event).await.map_err(ReportError::Undelivered)
    }

    async fn drained(&self) -> Result<(), Error> {
        loop {
            let before = self.queues.positions();
            self.queues.empty().await;
            if let Some(stream) = &self.stream {
                stream.caught_up().await?;
            }
            // Last, because `publish-events` orders mails.
            self.pipe.pump().await?;
            if self.queues.positions() == before {
                return Ok(());
            }
        }
    }
}

const UNROUTED: &str = "no rule of the event bus matches this event: `detail-type` must be SubscriptionStarted or \
                        SubscriptionEnded";

/// Locks a mutex and ignores poisoning: the state is consistent after every statement, so a panic cannot corrupt it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
