//! As much of the Lambda runtime API as it takes to see a function become ready: it asks for its first event, and the
//! answer never comes.

use std::{
    io,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tokio::{io::AsyncReadExt as _, net::TcpListener, process::Command, time::timeout};

const NEXT: &str = "GET /2018-06-01/runtime/invocation/next ";

/// A function that is not there by then does not start at all.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Runtime {
    listener: TcpListener,
}

impl Runtime {
    pub(super) async fn start() -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind("127.0.0.1:0").await? })
    }

    /// Starts the function and takes the time until it asks for its first event; then kills it.
    pub(super) async fn time_to_next(&self, mut function: Command) -> anyhow::Result<Duration> {
        let address = self.listener.local_addr()?.to_string();
        function.env("AWS_LAMBDA_RUNTIME_API", address).kill_on_drop(true);
        let started = Instant::now();
        let mut child = function.spawn().context("the function could not be started")?;
        let elapsed = tokio::select! {
            asked = timeout(PATIENCE, self.next()) => asked.context("the function asked for no event")?.map(|()| started.elapsed()),
            status = child.wait() => Err(anyhow::anyhow!("the function ended at once: {}", status?)),
        };
        child.kill().await?;
        elapsed
    }

    async fn next(&self) -> anyhow::Result<()> {
        let (mut connection, _) = self.listener.accept().await?;
        let mut request = Vec::new();
        while !request.windows(4).any(|window| window == b"\r\n\r\n") {
            ensure!(connection.read_buf(&mut request).await? > 0, "the function closed its connection");
        }
        let request = String::from_utf8_lossy(&request);
        ensure!(request.starts_with(NEXT), "the function began with {:?}", request.lines().next().unwrap_or_default());
        Ok(())
    }
}
