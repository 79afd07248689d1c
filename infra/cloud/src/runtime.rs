//! An emulator of the Lambda runtime API for one process of a function. It either measures the time until the function asks
//! for its first event, or lets the function answer one event after the other until it is killed.

use std::{
    fmt, io,
    process::ExitStatus,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt as _,
};
use http::{StatusCode, Uri};
use serde_json::Value;
use tokio::{
    io::AsyncReadExt as _,
    net::TcpListener,
    process::{Child, Command},
    sync::{Notify, mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use uuid::Uuid;

const NEXT: &str = "GET /2018-06-01/runtime/invocation/next ";

/// The deadline of every invocation in milliseconds since the Unix epoch, in the year 2100, so that no answer is late.
const DEADLINE: &str = "4102444800000";

/// The time-out of every deployed function. A function that has not started by then has failed to start.
pub const TIME_OUT: Duration = Duration::from_secs(10);

/// The runtime API of one function, before the function has started.
#[derive(Debug)]
pub struct Runtime {
    listener: TcpListener,
}

impl Runtime {
    /// Starts to listen on a free port.
    pub async fn start() -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind("127.0.0.1:0").await? })
    }

    /// Starts the function, measures the time until it asks for its first event, and kills it.
    pub async fn time_to_next(&self, function: Command) -> anyhow::Result<Duration> {
        let started = Instant::now();
        let mut child = self.spawn(function)?;
        let elapsed = tokio::select! {
            asked = timeout(TIME_OUT, self.next()) => asked.context("the function did not ask for an event in time")?.map(|()| started.elapsed()),
            status = child.wait() => Err(anyhow::anyhow!("the function ended at once: {}", status?)),
        };
        child.kill().await?;
        elapsed
    }

    /// Starts the function. It runs until the returned [`Running`] is dropped.
    pub fn run(self, function: Command) -> anyhow::Result<Running> {
        let child = self.spawn(function)?;
        let process_id = child.id();
        let (events, queued) = mpsc::channel(1);
        let (answered, answers) = mpsc::channel(1);
        let api = Api { queued: queued.into(), handed_out: Mutex::new(None), answered };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .fallback(failure)
            .with_state(Arc::new(api));
        let mut tasks = JoinSet::new();
        // Best effort: without it, all times are equally longer.
        let listener = self.listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        tasks.spawn(axum::serve(listener, router).into_future());
        let (kill, (ended, end)) = (Arc::new(Notify::new()), watch::channel(None));
        tasks.spawn(supervise(child, Arc::clone(&kill), ended));
        Ok(Running { events, answers, life: Life { kill, end }, process_id, _tasks: tasks })
    }

    fn spawn(&self, mut function: Command) -> anyhow::Result<Child> {
        let address = self.listener.local_addr()?.to_string();
        function.env("AWS_LAMBDA_RUNTIME_API", address).kill_on_drop(true);
        function.spawn().context("cannot start the function")
    }

    async fn next(&self) -> anyhow::Result<()> {
        let (mut connection, _) = self.listener.accept().await?;
        let mut request = Vec::new();
        while !request.windows(4).any(|window| window == b"\r\n\r\n") {
            ensure!(connection.read_buf(&mut request).await? > 0, "the function closed its connection");
        }
        let request = String::from_utf8_lossy(&request);
        ensure!(
            request.starts_with(NEXT),
            "the first request of the function was {:?}",
            request.lines().next().unwrap_or_default()
        );
        Ok(())
    }
}

/// A running function that answers events. Dropping it kills the process.
pub struct Running {
    events: mpsc::Sender<Invocation>,
    answers: mpsc::Receiver<Result<Answer, String>>,
    life: Life,
    process_id: Option<u32>,
    _tasks: JoinSet<io::Result<()>>,
}

/// A handle to the process of a function, which can kill it at any moment.
#[derive(Clone)]
pub struct Life {
    kill: Arc<Notify>,
    end: watch::Receiver<Option<ExitStatus>>,
}

/// A function's answer to one event.
pub struct Answer {
    /// The id of the invocation, which is unique.
    pub request_id: String,
    /// The unparsed body.
    pub body: String,
    /// The time from the delivery of the event to the arrival of the answer.
    pub took: Duration,
}

struct Invocation {
    request_id: String,
    event: String,
}

impl Running {
    /// Invokes the function with `event`, and returns its answer and the time that it took.
    pub async fn invoke(&mut self, event: &Value) -> anyhow::Result<Answer> {
        let request_id = Uuid::new_v4().to_string();
        let invocation = Invocation { request_id: request_id.clone(), event: event.to_string() };
        self.events.send(invocation).await.context("the runtime API ended")?;
        let answer = tokio::select! {
            biased;
            answer = timeout(TIME_OUT, self.answers.recv()) => answer.context("the function did not answer in time")?,
            how = self.life.clone().ended() => bail!("the function ended: {how}"),
        };
        let answer = answer.context("the runtime API ended")?.map_err(anyhow::Error::msg)?;
        ensure!(answer.request_id == request_id, "the function answered another invocation");
        Ok(answer)
    }

    /// Returns the id of the process, by which the system reports its memory and processor time.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process_id
    }

    /// Returns the handle to the process.
    #[must_use]
    pub fn life(&self) -> &Life {
        &self.life
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("life", &self.life).finish_non_exhaustive()
    }
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Life").field(&*self.end.borrow()).finish()
    }
}

impl Life {
    /// Sends SIGKILL and waits until the process has exited.
    pub async fn kill(&self) {
        self.kill.notify_one();
        self.clone().ended().await;
    }

    /// Returns whether the process has exited.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.end.borrow().is_some() || self.end.has_changed().is_err()
    }

    /// Waits until the process has exited, and returns its exit status as text.
    async fn ended(mut self) -> String {
        match self.end.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(status)) => status.to_string(),
            _ => "its exit status is unknown".to_owned(),
        }
    }
}

/// Waits for the process and kills it on demand. Both happen in one task, so a process id that the system has reused is
/// never killed.
async fn supervise(mut child: Child, kill: Arc<Notify>, ended: watch::Sender<Option<ExitStatus>>) -> io::Result<()> {
    let status = tokio::select! {
        status = child.wait() => status?,
        () = kill.notified() => {
            child.start_kill()?;
            child.wait().await?
        }
    };
    ended.send_replace(Some(status));
    Ok(())
}

struct Api {
    queued: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    handed_out: Mutex<Option<Instant>>,
    answered: mpsc::Sender<Result<Answer, String>>,
}

type Shared = State<Arc<Api>>;

impl Api {
    fn handed_out(&self) -> MutexGuard<'_, Option<Instant>> {
        self.handed_out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on an answer. Sending fails only if the caller has given up, and then the answer is not needed.
    async fn answer(&self, answer: Result<Answer, String>) -> StatusCode {
        self.answered.send(answer).await.ok();
        StatusCode::ACCEPTED
    }
}

async fn next(State(api): Shared) -> Response {
    let Some(Invocation { request_id, event }) = api.queued.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [("lambda-runtime-aws-request-id", request_id.as_str()), ("lambda-runtime-deadline-ms", DEADLINE)];
    let response = (headers, event).into_response();
    *api.handed_out() = Some(Instant::now());
    response
}

async fn response(State(api): Shared, Path(request_id): Path<String>, body: String) -> StatusCode {
    let took = api.handed_out().take().map(|since| since.elapsed());
    let answer = took.map(|took| Answer { request_id, body, took });
    api.answer(answer.ok_or_else(|| "the function answered without an invocation".to_owned())).await
}

/// Handles an error report of the function, or a request to an unknown path.
async fn failure(State(api): Shared, uri: Uri, body: String) -> StatusCode {
    api.answer(Err(format!("the function called {uri} with {body}"))).await
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;
    use http_body_util::{BodyExt as _, Full};
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    use serde_json::json;

    use super::*;

    /// The function's side of the API, played by the test, next to a process that does nothing.
    struct Function(String);

    impl Function {
        async fn start() -> anyhow::Result<(Self, Running)> {
            let runtime = Runtime::start().await?;
            let function = Self(format!("http://{}/2018-06-01/runtime", runtime.listener.local_addr()?));
            let mut nothing = Command::new("sleep");
            nothing.arg("60");
            Ok((function, runtime.run(nothing)?))
        }

        async fn call(&self, method: &str, path: &str, body: &str) -> anyhow::Result<(http::HeaderMap, String)> {
            let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
            let request = Request::builder().method(method).uri(format!("{}/{path}", self.0));
            let (head, body) = client.request(request.body(Full::from(body.to_owned()))?).await?.into_parts();
            Ok((head.headers, String::from_utf8(body.collect().await?.to_bytes().into())?))
        }

        /// Asks for an event and sends it back as the answer `after` some time.
        async fn repeat(&self, path: &str, after: Duration) -> anyhow::Result<()> {
            let (headers, event) = self.call("GET", "invocation/next", "").await?;
            let id = headers["lambda-runtime-aws-request-id"].to_str()?;
            tokio::time::sleep(after).await;
            self.call("POST", &format!("invocation/{id}/{path}"), &event).await?;
            Ok(())
        }
    }

    #[tokio::test]
    async fn each_answer_belongs_to_its_event_and_has_its_duration() -> anyhow::Result<()> {
        let (function, mut running) = Function::start().await?;
        for (n, after) in [50, 0].map(Duration::from_millis).into_iter().enumerate() {
            let event = json!({ "n": n });
            let (answer, repeated) = tokio::join!(running.invoke(&event), function.repeat("response", after));
            repeated?;
            let answer = answer?;
            assert_eq!(answer.body, event.to_string());
            assert!(answer.took >= after, "{:?}", answer.took);
        }
        Ok(())
    }

    #[tokio::test]
    async fn an_error_report_is_not_an_answer() -> anyhow::Result<()> {
        let (function, mut running) = Function::start().await?;
        let event = json!("why");
        let (answer, _) = tokio::join!(running.invoke(&event), function.repeat("error", Duration::ZERO));
        let error = answer.err().context("no answer")?.to_string();
        assert!(error.contains("/error with \"why\""), "{error}");
        Ok(())
    }

    #[tokio::test]
    async fn a_killed_function_does_not_answer() -> anyhow::Result<()> {
        let (_function, mut running) = Function::start().await?;
        let life = running.life().clone();
        assert!(!life.is_over());
        let event = json!({});
        let (answer, ()) = tokio::join!(running.invoke(&event), life.kill());
        let error = answer.err().context("no answer")?.to_string();
        assert_eq!(error, "the function ended: signal: 9 (SIGKILL)");
        assert!(life.is_over());
        life.kill().await;
        Ok(())
    }

    #[tokio::test]
    async fn a_function_that_has_exited_does_not_answer() -> anyhow::Result<()> {
        let mut running = Runtime::start().await?.run(Command::new("true"))?;
        let error = running.invoke(&json!({})).await.err().context("no answer")?.to_string();
        assert!(error.starts_with("the function ended"), "{error}");
        Ok(())
    }
}
