//! A client of the Chrome DevTools Protocol: it starts Chromium, sends commands to the browser and its tabs, and receives events.
//!
//! It is our own because the tests use some thirty commands, and a crate with types for the whole protocol (chromiumoxide) takes 81
//! seconds of a build from nothing and 44 of a lint, measured on two cores. Commands and events are JSON, as
//! <https://chromedevtools.github.io/devtools-protocol/> describes them. They pass through pipes, so there is neither a port nor a
//! WebSocket, and Chromium ends when the test does.

use std::{
    collections::HashMap,
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{mpsc, oneshot},
};

/// The longest wait for the answer to a command, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// Starts Chromium with the pipes of the protocol as its file descriptors 3 and 4.
const START: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#;

/// Chromium without a window, and without what would make it differ from one run to the next.
const ARGUMENTS: [&str; 29] = [
    "--remote-debugging-pipe",
    "--enable-automation",
    "--headless=new",
    "--hide-scrollbars",
    "--mute-audio",
    "--lang=en-US",
    "--force-color-profile=srgb",
    "--password-store=basic",
    // The sandbox does not work as root, and the pages are our own. Containers have little shared memory, and no graphics card.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    // Tabs in the background run as fast as the one in front.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    // The test acts faster than a person.
    "--disable-hang-monitor",
    "--disable-ipc-flooding-protection",
    "--disable-popup-blocking",
    "--disable-prompt-on-repost",
    // The browser sends nothing but the requests of pages, and asks no questions.
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-features=Translate",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
];

/// Chromium, which is killed when this is dropped.
pub(crate) struct Browser {
    process: Child,
    /// The session for commands that concern no tab.
    session: Session,
}

/// A tab, and the session that controls it.
#[derive(Clone)]
pub(crate) struct Tab {
    /// The identifier of the target, and of its main frame.
    pub(crate) id: String,
    session: Session,
}

/// A way to send commands to the browser or to one tab, and to receive events.
#[derive(Clone)]
struct Session {
    /// The identifier, which is empty for the browser's own session.
    id: String,
    connection: Arc<Connection>,
}

/// The pipes, as the sessions share them.
struct Connection {
    commands: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Mutex<Waiting>,
}

/// The callers that wait for an answer, and the subscribers to the events of each session.
#[derive(Default)]
struct Waiting {
    last_call: u64,
    callers: HashMap<u64, oneshot::Sender<Value>>,
    subscribers: HashMap<String, Vec<mpsc::UnboundedSender<Event>>>,
}

/// An event of a tab.
#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) method: String,
    pub(crate) params: Value,
}

/// The events of a tab since the subscription, in their order.
pub(crate) struct Events(mpsc::UnboundedReceiver<Event>);

/// The reason why a command has no result.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    /// The browser refused the command. Otherwise it did not answer.
    pub(crate) is_refusal: bool,
}

impl Browser {
    /// Starts Chromium with a profile in this directory, which also gets its log.
    pub(crate) fn start(profile: &Path) -> Self {
        std::fs::create_dir_all(profile).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", START]).arg(chromium()).args(ARGUMENTS);
        command.arg(format!("--user-data-dir={}", profile.display())).arg("about:blank");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.stderr(File::create(profile.join("chromium.log")).unwrap()).spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let (commands, queue) = mpsc::unbounded_channel();
        let connection = Arc::new(Connection { commands, waiting: Mutex::default() });
        tokio::spawn(Arc::clone(&connection).run(queue, input, output));
        Self { process, session: Session { id: String::new(), connection } }
    }

    /// Sends a command that concerns no tab; returns its result.
    pub(crate) async fn send(&self, method: &str, params: Value) -> Result<Value, Failure> {
        self.session.send(method, params).await
    }

    /// Takes control of a tab.
    pub(crate) async fn attach(&self, target: &str) -> Result<Tab, Failure> {
        let attached = self.send("Target.attachToTarget", json!({ "targetId": target, "flatten": true })).await?;
        let (id, connection) = (text(&attached["sessionId"]), Arc::clone(&self.session.connection));
        Ok(Tab { id: target.to_owned(), session: Session { id, connection } })
    }

    /// Closes the browser, and waits for its end.
    pub(crate) async fn close(mut self) {
        let _ = self.send("Browser.close", json!({})).await;
        if tokio::time::timeout(DEADLINE, self.process.wait()).await.is_err() {
            let _ = self.process.kill().await;
        }
    }
}

impl Tab {
    /// Sends a command; returns its result.
    pub(crate) async fn send(&self, method: &str, params: Value) -> Result<Value, Failure> {
        self.session.send(method, params).await
    }

    /// Subscribes to the tab's events. Those of a domain begin when it is enabled.
    pub(crate) fn events(&self) -> Events {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.session.connection.waiting().subscribers.entry(self.session.id.clone()).or_default().push(sender);
        Events(receiver)
    }
}

impl Events {
    /// Waits for the next event with this name, and skips others. Returns its parameters, or `None` if the tab is closed.
    pub(crate) async fn next(&mut self, method: &str) -> Option<Value> {
        loop {
            let event = self.0.recv().await?;
            if event.method == method {
                return Some(event.params);
            }
        }
    }

    /// Returns the events that have arrived since the last call.
    pub(crate) fn arrived(&mut self) -> impl Iterator<Item = Event> {
        std::iter::from_fn(|| self.0.try_recv().ok())
    }
}

impl Session {
    async fn send(&self, method: &str, params: Value) -> Result<Value, Failure> {
        let mut answer = match tokio::time::timeout(DEADLINE, self.connection.call(&self.id, method, params)).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Err(no_answer(method, "the browser has ended")),
            Err(_) => return Err(no_answer(method, "no answer in time")),
        };
        match &answer["error"] {
            Value::Null => Ok(answer["result"].take()),
            error => Err(Failure { message: format!("{method}: {}", text(&error["message"])), is_refusal: true }),
        }
    }
}

impl Connection {
    /// Sends a command; returns the answer, or `None` if the browser has ended.
    async fn call(&self, session: &str, method: &str, params: Value) -> Option<Value> {
        let (sender, answer) = oneshot::channel();
        let id = {
            let mut waiting = self.waiting();
            waiting.last_call += 1;
            let id = waiting.last_call;
            waiting.callers.insert(id, sender);
            id
        };
        let mut command = json!({ "id": id, "method": method, "params": params });
        if !session.is_empty() {
            command["sessionId"] = json!(session);
        }
        self.commands.send(format!("{command}\0").into_bytes()).ok()?;
        answer.await.ok()
    }

    /// Transfers messages until the browser ends, which ends every wait.
    async fn run(
        self: Arc<Self>,
        mut queue: mpsc::UnboundedReceiver<Vec<u8>>,
        mut input: ChildStdin,
        output: ChildStdout,
    ) {
        let write = async {
            while let Some(command) = queue.recv().await {
                if input.write_all(&command).await.is_err() {
                    break;
                }
            }
        };
        let read = async {
            let mut output = BufReader::new(output);
            let mut message = Vec::new();
            while let Ok(1..) = output.read_until(0, &mut message).await {
                self.deliver(serde_json::from_slice(message.strip_suffix(&[0]).unwrap_or(&message)).unwrap());
                message.clear();
            }
        };
        tokio::select! { () = write => {}, () = read => {} }
        queue.close();
        let mut waiting = self.waiting();
        waiting.callers.clear();
        waiting.subscribers.clear();
    }

    /// Gives an answer to its caller, or an event to the subscribers of its session.
    fn deliver(&self, mut message: Value) {
        let mut waiting = self.waiting();
        if let Some(id) = message["id"].as_u64() {
            if let Some(caller) = waiting.callers.remove(&id) {
                let _ = caller.send(message);
            }
            return;
        }
        let event = Event { method: text(&message["method"]), params: message["params"].take() };
        if event.method == "Target.detachedFromTarget" {
            waiting.subscribers.remove(&text(&event.params["sessionId"]));
        } else if let Some(subscribers) = waiting.subscribers.get_mut(&text(&message["sessionId"])) {
            subscribers.retain(|subscriber| subscriber.send(event.clone()).is_ok());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap()
    }
}

/// Returns a text of a message, or an empty one.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn no_answer(method: &str, why: &str) -> Failure {
    Failure { message: format!("{method}: {why}"), is_refusal: false }
}

fn chromium() -> PathBuf {
    let path = support::env_text("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join("chromium")).find(|path| path.is_file());
    found.expect("chromium is on the PATH (Debian: apt install chromium)")
}
