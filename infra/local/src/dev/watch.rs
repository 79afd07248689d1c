//! `cargo lambda watch`, the process that runs the functions.

use std::{ffi::OsString, io, net::Ipv4Addr, process::ExitStatus, time::Duration};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    net::TcpStream,
    process::Child,
    time::{sleep, timeout},
};

use crate::{say, tools, workspace::Workspace};

/// How long cargo-lambda has to end the functions.
const FAREWELL: Duration = Duration::from_secs(5);

pub(super) struct Watch {
    child: Child,
    port: u16,
}

impl Watch {
    /// Starts cargo-lambda, in a process group of its own so that a Ctrl-C reaches it through [`Watch::stop`] alone.
    pub(super) async fn start(
        workspace: &Workspace,
        port: u16,
        withheld: impl Iterator<Item = OsString>,
        settings: impl IntoIterator<Item = (&'static str, OsString)>,
    ) -> anyhow::Result<Self> {
        let mut command = tools::LAMBDA.command(workspace).await?;
        command.args(["watch", "--quiet", "--ignore-changes", "--disable-cors", "--concurrency", "8"]);
        command.args(["--invoke-address", "127.0.0.1", "--invoke-port", &port.to_string()]);
        for name in withheld {
            command.env_remove(name);
        }
        command.envs(settings).env("CARGO_TARGET_DIR", &workspace.target);
        command.stdin(std::process::Stdio::null()).stdout(io::stderr()).process_group(0);
        let child = command.spawn().context("cargo-lambda could not be started")?;
        let mut watch = Self { child, port };
        watch.listening().await?;
        Ok(watch)
    }

    /// Waits for the end that nobody asked for.
    pub(super) async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.wait().await.context("cargo-lambda")
    }

    /// Ends cargo-lambda, which ends its functions. They also end by themselves when it is gone.
    pub(super) async fn stop(mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id
            && let Err(error) = kill_process(id, Signal::TERM)
        {
            say!("cargo-lambda could not be told to end: {error}");
        }
        if timeout(FAREWELL, self.child.wait()).await.is_err() {
            say!("cargo-lambda does not end; killing it");
            let _ = self.child.kill().await;
        }
    }

    async fn listening(&mut self) -> anyhow::Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("cargo-lambda ended before it listened on port {}: {status}", self.port);
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}
