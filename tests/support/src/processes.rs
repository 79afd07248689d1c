//! The functions as separate processes, as Lambda runs them. Each handles one event at a time, and a test can kill each.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    io::{self, Read},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use cloud::{
    Cloud, CloudOptions,
    runtime::{Life, Running, Runtime},
};
use provider::{Person, Provider};
use serde_json::Value;
use tokio::{process::Command, sync::Semaphore};

use crate::{
    Answer, Call, Function,
    contract::RequestLine,
    stack::{listener, provider, settings},
};

/// The most events that are handled at once. Others wait: with more of them, on two processors, calls of AWS would exceed their deadlines.
const MAX_CONCURRENCY: usize = 12;

/// The time after which a queue delivers a failed message again. It is shorter than the lease of a mail: a mail whose worker died is
/// delivered once while the lease lasts, and then once after it.
const REDELIVERY: Duration = Duration::from_secs(1);
const LEASE_SECONDS: &str = "2";

/// The number of times that a schedule's run is repeated that failed.
const RUNS: u32 = 10;

/// The product as processes, with its cloud and its identity provider. Dropping it ends all of them.
pub struct Processes {
    /// The embedded cloud. Each process calls it under its own name, such as `get-credentials@3`.
    pub cloud: Cloud,
    /// The identity provider.
    pub provider: Provider,
    pools: Arc<Pools>,
}

/// A process that is handling an event.
pub struct BusyProcess {
    /// The name of the process.
    pub name: String,
    /// The event, as text.
    pub event: Arc<str>,
}

impl Processes {
    /// Returns the directory of the functions' programs, which `cargo build` puts beside this test, or `None` if one is missing.
    #[must_use]
    pub fn programs() -> Option<PathBuf> {
        let test = std::env::current_exe().ok()?;
        // <target>/<profile>/deps/<test>
        let directory = test.parent()?.parent()?;
        Function::ALL.iter().all(|function| directory.join(function.name()).exists()).then(|| directory.to_owned())
    }

    /// Starts the cloud and the identity provider. A process starts when an event needs it.
    pub async fn start(programs: &Path) -> Self {
        let (aws, provider) = (listener().await, provider(0).await);
        let mut settings = settings(&format!("http://{}", aws.local_addr().unwrap()), provider.issuer());
        settings.insert("MAIL_LEASE_SECONDS".into(), LEASE_SECONDS.into());
        settings.insert("NOTICES".into(), "security".into());
        let sender = settings["SENDER"].clone();
        let pools = Arc::new(Pools::new(programs, settings));
        let invoked = Arc::clone(&pools);
        let mut options = CloudOptions::new(Arc::new(move |function, event| {
            let pools = Arc::clone(&invoked);
            Box::pin(async move { pools.invoke(function, &event).await })
        }));
        options.redelivery = REDELIVERY;
        options.publishes = true;
        options.sender = sender;
        let cloud = Cloud::start(aws, listener().await, options).await.unwrap();
        Self { cloud, provider, pools }
    }

    /// Adds environment variables to the processes that start from now on.
    pub fn add_settings(&self, more: &[(&str, &str)]) {
        let more = more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        self.pools.settings.lock().unwrap().extend(more);
    }

    /// Ends the processes that wait for an event, so that the next event of each function gets a new one.
    pub fn end_idle(&self) {
        self.pools.idle.lock().unwrap().clear();
    }

    /// Runs `refresh-keys` until a run succeeds, as Lambda repeats it. Returns whether one did.
    pub async fn refresh_keys(&self) -> bool {
        let tick = serde_json::from_str(&Function::RefreshKeys.event()).unwrap();
        for _ in 0..RUNS {
            if self.invoke(Function::RefreshKeys.name(), &tick).await.is_ok() {
                return true;
            }
        }
        false
    }

    /// Invokes `function` in an idle or a new process. Returns its answer, or the reason why there is no answer.
    pub async fn invoke(&self, function: &'static str, event: &Value) -> Result<Value, String> {
        self.pools.invoke(function, event).await
    }

    /// Calls an HTTP function.
    pub async fn call(&self, function: &'static str, call: Call) -> Result<Answer, String> {
        let event = call.into_event();
        let answer = Answer::read(&self.invoke(function, &event).await?);
        let request_line = RequestLine::from_event(&event).map(|line| line.to_function(function));
        request_line.inspect(|line| line.assert_allows(&answer));
        Ok(answer)
    }

    /// Returns a token for a person with this verified e-mail address.
    #[must_use]
    pub fn token(&self, email: &str) -> String {
        self.provider.token(&Person::with_email(email))
    }

    /// Returns a lookup that maps the name of a process to the event that it is handling. Any thread may call it.
    pub fn event_lookup(&self) -> impl Fn(&str) -> Option<Arc<str>> + Send + use<> {
        let pools = Arc::clone(&self.pools);
        move |process| pools.live.lock().unwrap().get(process)?.event.clone()
    }

    /// Returns every process that is handling an event.
    #[must_use]
    pub fn busy(&self) -> Vec<BusyProcess> {
        let live = self.pools.live.lock().unwrap();
        let busy = live.iter().filter_map(|(name, one)| Some((name.clone(), one.event.clone()?)));
        busy.map(|(name, event)| BusyProcess { name, event }).collect()
    }

    /// Returns the names of the processes that wait for an event.
    #[must_use]
    pub fn idle(&self) -> Vec<String> {
        let live = self.pools.live.lock().unwrap();
        live.iter().filter(|(_, one)| one.event.is_none()).map(|(name, _)| name.clone()).collect()
    }

    /// Kills a process with SIGKILL and waits until it has ended. Returns `false` if it had already ended.
    pub async fn kill(&self, process: &str) -> bool {
        let life = self.pools.live.lock().unwrap().get(process).map(|one| one.life.clone());
        let Some(life) = life.filter(|life| !life.is_over()) else { return false };
        life.kill().await;
        true
    }

    /// Ends every process, and returns everything that any of them has written to its standard output and error.
    pub async fn stop_and_read_output(&self) -> String {
        self.end_idle();
        let readers = std::mem::take(&mut *self.pools.readers.lock().unwrap());
        let read = move || readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        tokio::task::spawn_blocking(read).await.unwrap()
    }
}

impl fmt::Debug for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processes").field("cloud", &self.cloud).finish_non_exhaustive()
    }
}

/// The processes of every function, which share one limit on concurrency.
struct Pools {
    programs: PathBuf,
    settings: Mutex<HashMap<String, String>>,
    idle: Mutex<HashMap<&'static str, Vec<Process>>>,
    live: Arc<Mutex<LiveProcesses>>,
    /// The number of processes of each function that have been started.
    started: Mutex<HashMap<&'static str, u32>>,
    readers: Mutex<Vec<JoinHandle<String>>>,
    slots: Semaphore,
}

type LiveProcesses = BTreeMap<String, LiveProcess>;

/// The state of a process that has not ended.
struct LiveProcess {
    life: Life,
    /// The event that the process is handling, as text.
    event: Option<Arc<str>>,
}

/// A process of a function, which is an execution environment of Lambda.
struct Process {
    name: String,
    running: Running,
    live: Arc<Mutex<LiveProcesses>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.live.lock().unwrap().remove(&self.name);
    }
}

impl Pools {
    fn new(programs: &Path, settings: HashMap<String, String>) -> Self {
        Self {
            programs: programs.to_owned(),
            settings: Mutex::new(settings),
            idle: Mutex::default(),
            live: Arc::default(),
            started: Mutex::default(),
            readers: Mutex::default(),
            slots: Semaphore::new(MAX_CONCURRENCY),
        }
    }

    /// Invokes `function`. A process that gives no answer is not used again.
    async fn invoke(&self, function: &'static str, event: &Value) -> Result<Value, String> {
        let _slot = self.slots.acquire().await.map_err(|_| "no slot".to_owned())?;
        let mut process = match self.take_idle(function) {
            Some(process) => process,
            None => self.spawn(function).await.map_err(|error| format!("{function} does not start: {error}"))?,
        };
        process.set_event(Some(event.to_string().into()));
        let answer = process.running.invoke(event).await.map_err(|error| format!("{}: {error}", process.name))?;
        process.set_event(None);
        self.idle.lock().unwrap().entry(function).or_default().push(process);
        serde_json::from_str(&answer.body).map_err(|_| format!("{function} answered no JSON"))
    }

    fn take_idle(&self, function: &'static str) -> Option<Process> {
        let mut idle = self.idle.lock().unwrap();
        let idle = idle.entry(function).or_default();
        idle.retain(|process| !process.running.life().is_over());
        idle.pop()
    }

    async fn spawn(&self, function: &'static str) -> io::Result<Process> {
        let number = {
            let mut started = self.started.lock().unwrap();
            let number = started.entry(function).or_default();
            *number += 1;
            *number
        };
        let name = format!("{function}@{number}");
        let (mut output, out) = io::pipe()?;
        let mut command = Command::new(self.programs.join(function));
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let settings = self.settings.lock().unwrap().clone();
        command.env_clear().envs(settings).env("AWS_ACCESS_KEY_ID", &name).envs([
            ("AWS_LAMBDA_FUNCTION_NAME", function),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "none"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", &name),
        ]);
        let running = Runtime::start().await?.run(command).map_err(io::Error::other)?;
        // The pipe ends with the process, which alone has its other end.
        self.readers.lock().unwrap().push(thread::spawn(move || {
            let mut all = Vec::new();
            output.read_to_end(&mut all).unwrap();
            String::from_utf8_lossy(&all).into_owned()
        }));
        let one = LiveProcess { life: running.life().clone(), event: None };
        self.live.lock().unwrap().insert(name.clone(), one);
        Ok(Process { name, running, live: Arc::clone(&self.live) })
    }
}

impl Process {
    fn set_event(&self, event: Option<Arc<str>>) {
        if let Some(one) = self.live.lock().unwrap().get_mut(&self.name) {
            one.event = event;
        }
    }
}
