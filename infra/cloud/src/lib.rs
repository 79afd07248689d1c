//! AWS as far as the product uses it, in one process: the endpoint for functions, queues and a Pipe that invoke them,
//! and the console.
//!
//! | module | what it stands for |
//! |---|---|
//! | `endpoint`, `service`, `wire` | the AWS endpoint: who calls what, and how each service words its answers |
//! | `dynamo`, `kms`, `ses`, `inbox` | the services behind it |
//! | `roles` | who may do what, by the roles of the deployment template |
//! | `faults`, `gate`, `requests` | what tests want from it: faults and halts on demand, and a record of every call |
//! | `pipe`, `pattern` | the table's stream, filtered into a queue |
//! | `queue`, `delivery` | SQS and its event source mappings |
//! | `runtime` | the runtime API of Lambda, for one process of a function |
//! | `events` | the events of `events/`, with live tokens |
//! | `console`, `page` | the page for people, which goes through the story, and the JSON for checks |

mod clock;
mod console;
mod delivery;
mod dynamo;
mod endpoint;
mod error;
pub mod events;
mod faults;
mod file;
mod gate;
mod inbox;
mod kms;
mod page;
mod pattern;
mod pipe;
mod queue;
mod requests;
pub mod roles;
pub mod runtime;
mod serve;
mod service;
mod ses;
mod wire;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use error::Error;
pub use faults::{Fault, Mode};
pub use gate::{Gate, HeldCall};
pub use inbox::Mail;
pub use kms::SEALING_KEY;
pub use queue::{DeadLetter, Queue};
pub use requests::Request;
pub use service::Service;

use dynamo::Dynamo;
use endpoint::Endpoint;
use faults::Faults;
use gate::Gates;
use inbox::Inbox;
use kms::Kms;
use page::StartForm;
use pipe::Pipe;
use queue::Queues;
use requests::Requests;
use roles::Roles;

/// The region that everything is in.
pub const REGION: &str = "us-east-1";

/// Invokes a function by its name with an event; the error is whatever kept it from answering.
pub type Invoke = Arc<dyn Fn(&'static str, Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// How a cloud is started.
#[derive(Clone)]
pub struct CloudOptions {
    /// Where state is kept between starts; in memory where there is no directory.
    pub data: Option<PathBuf>,
    /// After how long a failed message is delivered again.
    pub redelivery: Duration,
    /// The name of the table.
    pub table: String,
    /// Who mails come from, an address or `Name <address>`: the role of send-mail allows no other.
    pub sender: String,
    /// How the queues reach the functions.
    pub invoke: Invoke,
    /// Where browsers find the product: the console's page leads there.
    pub product: String,
}

impl CloudOptions {
    /// In memory, table `firstkey`, mails from Contoso, redelivery after one second, the product on port 9000 of this machine.
    #[must_use]
    pub fn new(invoke: Invoke) -> Self {
        let redelivery = Duration::from_secs(1);
        let sender = "Contoso <credentials@contoso.example>".to_owned();
        let product = "http://localhost:9000".to_owned();
        Self { data: None, redelivery, table: "firstkey".to_owned(), sender, invoke, product }
    }
}

/// A running local cloud. Dropped, it ends: connections close, deliveries stop, held calls are not carried out.
pub struct Cloud {
    inner: Arc<Inner>,
    aws: SocketAddr,
    console: SocketAddr,
    /// Dropped with the cloud, which ends what runs beside `_tasks`.
    _alive: watch::Sender<()>,
    _tasks: JoinSet<()>,
}

struct Inner {
    dynamo: Arc<Dynamo>,
    inbox: Arc<Inbox>,
    faults: Arc<Faults>,
    gates: Arc<Gates>,
    requests: Arc<Requests>,
    roles: Arc<Roles>,
    queues: Arc<Queues>,
    pipe: Arc<Pipe>,
    invoke: Invoke,
    product: String,
    /// The console's form, as it was filled in last.
    form: Mutex<StartForm>,
}

impl Cloud {
    /// Starts everything on two listeners, and returns when calls can be made.
    pub async fn start(aws: TcpListener, console: TcpListener, options: CloudOptions) -> Result<Self, Error> {
        let CloudOptions { data, redelivery, table, sender, invoke, product } = options;
        if let Some(directory) = &data {
            file::create_directory(directory)?;
        }
        let kept = |name: &str| data.as_ref().map(|directory| directory.join(name));
        let address = |listener: &TcpListener| {
            listener.local_addr().map_err(|source| Error::caused("a listener has no address", source))
        };
        let (aws_address, console_address) = (address(&aws)?, address(&console)?);

        let roles = Arc::new(Roles::deployed(&table, &sender)?);
        let mut tasks = JoinSet::new();
        let dynamo = Arc::new(Dynamo::start(kept("table.sqlite").as_deref(), &table, &mut tasks).await?);
        let kms = Kms::start(kept("kms.json")).await?;
        let inbox = Arc::new(Inbox::open(kept("inbox.jsonl"))?);
        let queues = Arc::new(Queues::open(kept("queues.json"), redelivery)?);
        let pipe = Arc::new(Pipe::new(Arc::clone(&dynamo), Arc::clone(&queues))?);
        let (faults, gates, requests) = <(Arc<Faults>, Arc<Gates>, Arc<Requests>)>::default();
        let form = Mutex::new(StartForm::suggested());
        let inner = Inner { dynamo, inbox, faults, gates, requests, roles, queues, pipe, invoke, product, form };
        let inner = Arc::new(inner);

        let (alive, watched) = watch::channel(());
        let endpoint = Arc::new(inner.endpoint(kms, watched));
        tasks.spawn(serve::serve(aws, move |request| Arc::clone(&endpoint).answer(request)));
        tasks.spawn(console::serve(console, Arc::clone(&inner)));
        tasks.spawn(Arc::clone(&inner.pipe).run());
        for queue in Queue::ALL {
            tasks.spawn(delivery::run(Arc::clone(&inner.queues), queue, Arc::clone(&inner.invoke)));
        }
        Ok(Self { inner, aws: aws_address, console: console_address, _alive: alive, _tasks: tasks })
    }

    /// What functions take as `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn aws_url(&self) -> String {
        format!("http://{}", self.aws)
    }

    /// Where the console is.
    #[must_use]
    pub fn console_url(&self) -> String {
        format!("http://{}", self.console)
    }

    /// Every mail that SES took, oldest first.
    #[must_use]
    pub fn inbox(&self) -> Vec<Mail> {
        self.inner.inbox.all()
    }

    /// Every call of the AWS endpoint, in the order of their answers.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.inner.requests.all()
    }

    /// Forgets the calls so far.
    pub fn clear_requests(&self) {
        self.inner.requests.clear();
    }

    /// The roles of the functions, what was used of them, and what they refused.
    #[must_use]
    pub fn roles(&self) -> &Roles {
        &self.inner.roles
    }

    /// Sets a fault, in place of the one of the same service, operation, mode and function.
    pub fn set_fault(&self, fault: Fault) {
        self.inner.faults.set(fault);
    }

    /// Clears the faults that were set for one function alone; how many of its calls they have hit since they were last cleared.
    #[must_use]
    pub fn clear_faults_of(&self, function: &str) -> u32 {
        self.inner.faults.clear(function)
    }

    /// From here on, calls that `holds` chooses wait at this gate until they are let through.
    pub fn gate(&self, holds: impl Fn(&HeldCall) -> bool + Send + 'static) -> Gate {
        self.inner.gates.add(Box::new(holds))
    }

    /// Publishes an event and waits for the function's answer to its first delivery. What failed comes back by itself.
    pub async fn deliver(&self, event: Value) -> Result<Value, DeliverError> {
        self.inner.deliver(event).await
    }

    /// Messages that were given up, oldest first.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.inner.queues.dead_letters()
    }

    /// Every item of the table, in DynamoDB's JSON.
    pub async fn dump_table(&self) -> Result<Vec<Value>, Error> {
        let dynamo = Arc::clone(&self.inner.dynamo);
        let dumped = tokio::task::spawn_blocking(move || dynamo.dump()).await;
        dumped.map_err(|source| Error::caused("the table could not be dumped", source))?
    }

    /// Every record of the table's stream so far, oldest first, as the Pipe reads them.
    pub async fn stream_records(&self) -> Result<Vec<Value>, Error> {
        let dynamo = Arc::clone(&self.inner.dynamo);
        let read = tokio::task::spawn_blocking(move || dynamo.records()).await;
        read.map_err(|source| Error::caused("the stream could not be read", source))?
    }

    /// Waits until the Pipe has nothing to read and no queue holds a message: everything that was ordered so far is
    /// done or a dead letter. Calls that a fault holds back are not waited for.
    pub async fn drained(&self) -> Result<(), Error> {
        self.inner.drained().await
    }
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud").field("aws", &self.aws).field("console", &self.console).finish_non_exhaustive()
    }
}

/// Why an event has no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum DeliverError {
    /// It is no event that the product takes.
    Event(String),
    /// The function did not answer; the event stays in its queue.
    Function(String),
}

impl fmt::Display for DeliverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(reason) | Self::Function(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for DeliverError {}

impl Inner {
    fn endpoint(&self, kms: Kms, alive: watch::Receiver<()>) -> Endpoint {
        Endpoint {
            dynamo: Arc::clone(&self.dynamo),
            kms,
            inbox: Arc::clone(&self.inbox),
            faults: Arc::clone(&self.faults),
            gates: Arc::clone(&self.gates),
            requests: Arc::clone(&self.requests),
            roles: Arc::clone(&self.roles),
            alive,
        }
    }

    /// The rules of the event bus.
    async fn deliver(&self, event: Value) -> Result<Value, DeliverError> {
        let queue = match (event["source"].as_str(), event["detail-type"].as_str()) {
            (Some("aws.ses"), _) => {
                let answer = delivery::invoked(&self.invoke, "mail-feedback", event).await;
                return answer.map_err(DeliverError::Function);
            }
            (_, Some("SubscriptionStarted")) => Queue::SubscriptionStart,
            (_, Some("SubscriptionEnded")) => Queue::SubscriptionEnd,
            _ => return Err(DeliverError::Event(UNROUTED.to_owned())),
        };
        let batch = self.queues.send_and_receive(queue, event.to_string());
        delivery::deliver(batch, &self.invoke).await.map_err(DeliverError::Function)
    }

    async fn drained(&self) -> Result<(), Error> {
        loop {
            let before = self.queues.position();
            self.queues.empty().await;
            self.pipe.pump().await?;
            if self.queues.position() == before {
                return Ok(());
            }
        }
    }
}

const UNROUTED: &str = "no rule of the event bus takes this event: `detail-type` must be SubscriptionStarted or \
                        SubscriptionEnded, or `source` aws.ses";

/// State behind these locks is whole after every statement, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
