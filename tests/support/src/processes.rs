//! The functions as they are deployed: processes, of which each has one event at a time, and which can be killed.

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
    contract::Asked,
    stack::{listener, provider, settings},
};

/// How many events are handled at once, the others waiting: with more, two processors leave none of them the time that a call of AWS may take.
const AT_ONCE: usize = 12;

/// After how long a queue gives a failed message again. A mail whose worker died has its lease for longer, so it is met once while it
/// is held, and is free the next time.
const REDELIVERY: Duration = Duration::from_secs(1);
const LEASE_SECONDS: &str = "2";

/// The product as processes, and its cloud. Everything ends when it is dropped.
pub struct Processes {
    /// The embedded cloud. It knows each process by a name of its own, such as `get-credentials@3`.
    pub cloud: Cloud,
    /// Who says who people are.
    pub provider: Provider,
    pools: Arc<Pools>,
}

/// A process at work.
pub struct Work {
    /// Its name.
    pub process: String,
    /// What it works on, as text.
    pub event: Arc<str>,
}

impl Processes {
    /// The programs of the functions, as `cargo build` leaves them beside this test; nothing where one is missing.
    #[must_use]
    pub fn programs() -> Option<PathBuf> {
        let test = std::env::current_exe().ok()?;
        // <target>/<profile>/deps/<test>
        let directory = test.parent()?.parent()?;
        Function::ALL.iter().all(|function| directory.join(function.name()).exists()).then(|| directory.to_owned())
    }

    /// Starts the cloud; processes start when there is something to do.
    pub async fn start(programs: &Path) -> Self {
        let (aws, provider) = (listener().await, provider(0).await);
        let mut settings = settings(&format!("http://{}", aws.local_addr().unwrap()), provider.issuer());
        settings.insert("MAIL_LEASE_SECONDS".into(), LEASE_SECONDS.into());
        let sender = settings["SENDER"].clone();
        let pools = Arc::new(Pools::new(programs, settings));
        let invoked = Arc::clone(&pools);
        let mut options = CloudOptions::new(Arc::new(move |function, event| {
            let pools = Arc::clone(&invoked);
            Box::pin(async move { pools.invoke(function, &event).await })
        }));
        options.redelivery = REDELIVERY;
        options.sender = sender;
        let cloud = Cloud::start(aws, listener().await, options).await.unwrap();
        Self { cloud, provider, pools }
    }

    /// What a process of `function`, idle or new, makes of `event`; or why there is no answer.
    pub async fn invoke(&self, function: &'static str, event: &Value) -> Result<Value, String> {
        self.pools.invoke(function, event).await
    }

    /// Calls an HTTP function.
    pub async fn call(&self, function: &'static str, call: Call) -> Result<Answer, String> {
        let event = call.into_event();
        let answer = Answer::read(&self.invoke(function, &event).await?);
        Asked::by(&event).inspect(|asked| asked.hold(&answer));
        Ok(answer)
    }

    /// A token of somebody with a verified address.
    #[must_use]
    pub fn token(&self, email: &str) -> String {
        self.provider.token(&Person::with_email(email))
    }

    /// What a process is at work on, to be asked from anywhere.
    pub fn at_work(&self) -> impl Fn(&str) -> Option<Arc<str>> + Send + use<> {
        let pools = Arc::clone(&self.pools);
        move |process| pools.living.lock().unwrap().get(process)?.event.clone()
    }

    /// Every process that is at work.
    #[must_use]
    pub fn working(&self) -> Vec<Work> {
        let living = self.pools.living.lock().unwrap();
        let working = living.iter().filter_map(|(name, one)| Some((name.clone(), one.event.clone()?)));
        working.map(|(process, event)| Work { process, event }).collect()
    }

    /// Every process that waits for an event.
    #[must_use]
    pub fn waiting(&self) -> Vec<String> {
        let living = self.pools.living.lock().unwrap();
        living.iter().filter(|(_, one)| one.event.is_none()).map(|(name, _)| name.clone()).collect()
    }

    /// Kills a process with SIGKILL, and returns when it is no more. `false`: it was none already.
    pub async fn kill(&self, process: &str) -> bool {
        let life = self.pools.living.lock().unwrap().get(process).map(|one| one.life.clone());
        let Some(life) = life.filter(|life| !life.is_over()) else { return false };
        life.kill().await;
        true
    }

    /// Ends every process, and tells all that any of them has ever written to its standard output and error.
    pub async fn said(&self) -> String {
        self.pools.idle.lock().unwrap().clear();
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

struct Pools {
    programs: PathBuf,
    settings: HashMap<String, String>,
    idle: Mutex<HashMap<&'static str, Vec<Process>>>,
    living: Arc<Mutex<Living>>,
    /// How many of each function have been started.
    started: Mutex<HashMap<&'static str, u32>>,
    readers: Mutex<Vec<JoinHandle<String>>>,
    room: Semaphore,
}

type Living = BTreeMap<String, One>;

struct One {
    life: Life,
    /// What it is at work on.
    event: Option<Arc<str>>,
}

/// One environment of Lambda.
struct Process {
    name: String,
    running: Running,
    living: Arc<Mutex<Living>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.living.lock().unwrap().remove(&self.name);
    }
}

impl Pools {
    fn new(programs: &Path, settings: HashMap<String, String>) -> Self {
        Self {
            programs: programs.to_owned(),
            settings,
            idle: Mutex::default(),
            living: Arc::default(),
            started: Mutex::default(),
            readers: Mutex::default(),
            room: Semaphore::new(AT_ONCE),
        }
    }

    /// A process that gave no answer is not asked again.
    async fn invoke(&self, function: &'static str, event: &Value) -> Result<Value, String> {
        let _place = self.room.acquire().await.map_err(|_| "no room".to_owned())?;
        let mut process = match self.take_idle(function) {
            Some(process) => process,
            None => self.begin(function).await.map_err(|error| format!("{function} does not start: {error}"))?,
        };
        process.works_on(Some(event.to_string().into()));
        let answer = process.running.invoke(event).await.map_err(|error| format!("{}: {error}", process.name))?;
        process.works_on(None);
        self.idle.lock().unwrap().entry(function).or_default().push(process);
        serde_json::from_str(&answer.body).map_err(|_| format!("{function} answered no JSON"))
    }

    fn take_idle(&self, function: &'static str) -> Option<Process> {
        let mut idle = self.idle.lock().unwrap();
        let idle = idle.entry(function).or_default();
        idle.retain(|process| !process.running.life().is_over());
        idle.pop()
    }

    async fn begin(&self, function: &'static str) -> io::Result<Process> {
        let number = {
            let mut started = self.started.lock().unwrap();
            let number = started.entry(function).or_default();
            *number += 1;
            *number
        };
        let name = format!("{function}@{number}");
        let (mut said, out) = io::pipe()?;
        let mut command = Command::new(self.programs.join(function));
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        command.env_clear().envs(&self.settings).env("AWS_ACCESS_KEY_ID", &name).envs([
            ("AWS_LAMBDA_FUNCTION_NAME", function),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "none"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", &name),
        ]);
        let running = Runtime::start().await?.run(command).map_err(io::Error::other)?;
        // The pipe ends with the process: nobody else has its other end.
        self.readers.lock().unwrap().push(thread::spawn(move || {
            let mut all = Vec::new();
            said.read_to_end(&mut all).unwrap();
            String::from_utf8_lossy(&all).into_owned()
        }));
        let one = One { life: running.life().clone(), event: None };
        self.living.lock().unwrap().insert(name.clone(), one);
        Ok(Process { name, running, living: Arc::clone(&self.living) })
    }
}

impl Process {
    fn works_on(&self, event: Option<Arc<str>>) {
        if let Some(one) = self.living.lock().unwrap().get_mut(&self.name) {
            one.event = event;
        }
    }
}
