//! `cargo lambda watch`, the process that runs the functions.

use std::{
    ffi::OsString,
    net::Ipv4Addr,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    net::TcpStream,
    process::Child,
    task::JoinSet,
    time::{sleep, timeout},
};

use tools::{Workspace, say};

/// The time that cargo-lambda gets to stop the functions.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Watch {
    child: Child,
    port: u16,
    /// Repeats the output of cargo-lambda and the functions until they are stopped. Messages about stopping are noise.
    output: JoinSet<()>,
    ending: Arc<AtomicBool>,
}

impl Watch {
    /// Starts cargo-lambda in its own process group, so that Ctrl-C reaches it only through [`Watch::stop`].
    pub(super) async fn start(
        workspace: &Workspace,
        port: u16,
        withheld: impl Iterator<Item = OsString>,
        settings: impl IntoIterator<Item = (&'static str, OsString)>,
    ) -> anyhow::Result<Self> {
        let mut command = tools::LAMBDA.command(workspace).await?;
        command.args(["watch", "--quiet", "--ignore-changes", "--disable-cors", "--concurrency", "8"]);
        command.args(["--invoke-address", "127.0.0.1", "--invoke-port", &port.to_string()]);
        // For each function that it starts, cargo-lambda watches all directories below its own, although it ignores changes. From the root these
        // are thousands, most of them in the target directory, and take two seconds a function.
        command
            .arg("--manifest-path")
            .arg(workspace.root.join("Cargo.toml"))
            .current_dir(workspace.root.join("events"));
        for name in withheld {
            command.env_remove(name);
        }
        command.envs(settings).env("CARGO_TARGET_DIR", &workspace.target);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().context("cannot start cargo-lambda")?;

        let (mut output, ending) = (JoinSet::new(), Arc::<AtomicBool>::default());
        output.spawn(repeat(child.stdout.take(), Arc::clone(&ending)));
        output.spawn(repeat(child.stderr.take(), Arc::clone(&ending)));
        let mut watch = Self { child, port, output, ending };
        watch.wait_until_listening().await?;
        Ok(watch)
    }

    /// Waits until cargo-lambda exits without having been stopped.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        let status = self.child.wait().await;
        // Its last output says why. The time-out is for functions that still run and hold its pipes open.
        let _ = timeout(Duration::from_secs(1), async { while self.output.join_next().await.is_some() {} }).await;
        match status {
            Ok(status) => anyhow!("cargo-lambda exited: {status}"),
            Err(error) => anyhow!("cannot wait for cargo-lambda: {error}"),
        }
    }

    /// Stops cargo-lambda, which stops its functions. They also exit on their own when cargo-lambda is gone.
    pub(super) async fn stop(mut self) {
        self.ending.store(true, Ordering::Relaxed);
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id
            && let Err(error) = kill_process(id, Signal::TERM)
        {
            say!("cannot stop cargo-lambda: {error}");
        }
        if timeout(STOP_TIMEOUT, self.child.wait()).await.is_err() {
            say!("cargo-lambda does not stop; killing it");
            let _ = self.child.kill().await;
        }
    }

    async fn wait_until_listening(&mut self) -> anyhow::Result<()> {
        loop {
            if self.child.try_wait()?.is_some() {
                return Err(self.ended().await);
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn repeat(output: Option<impl AsyncRead + Unpin>, ending: Arc<AtomicBool>) {
    let Some(output) = output else { return };
    let mut lines = BufReader::new(output).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        if !ending.load(Ordering::Relaxed) {
            say!("{}", String::from_utf8_lossy(&line));
        }
    }
}
