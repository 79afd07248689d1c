//! Runs `cargo dev` as a separate process, for tests that exercise the product from outside.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};

/// The time-out of the start, which includes the build and the first start of every function on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(10);

const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// A running `cargo dev` on free ports, with its output.
pub struct Product {
    child: Child,
    output: mpsc::UnboundedReceiver<String>,
    /// The URL of the functions.
    pub functions: String,
    /// The URL of the console.
    pub console: String,
    /// The URL of the AWS endpoint.
    pub aws: String,
    /// The URL of the identity provider.
    pub oidc: String,
    /// The URL of the support desk.
    pub desk: String,
    /// The URL of the vendor's product, for demonstration.
    pub product: String,
}

impl Product {
    /// Starts the product in a directory of the workspace: the program that `FIRSTKEY_DEV` names, or else `cargo dev`, which builds what
    /// has changed. Repeats its output until it is ready.
    #[expect(clippy::print_stderr, reason = "the output shows what the start waits for, or why it failed")]
    pub async fn start(directory: &Path) -> anyhow::Result<Self> {
        let mut command = if let Some(program) = crate::env_text("FIRSTKEY_DEV") {
            Command::new(program)
        } else {
            let mut cargo = Command::new("cargo");
            cargo.arg("dev");
            cargo
        };
        for port in ["--port", "--console-port", "--aws-port", "--oidc-port", "--desk-port", "--product-port"] {
            command.args([port, "0"]);
        }
        command.current_dir(directory).kill_on_drop(true);
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().context("cargo dev")?;
        let (lines, mut output) = mpsc::unbounded_channel();
        tokio::spawn(forward(child.stdout.take().context("cargo dev has no standard output")?, lines.clone()));
        tokio::spawn(forward(child.stderr.take().context("cargo dev has no standard error")?, lines));
        let ready = async {
            while let Some(line) = output.recv().await {
                if line.starts_with("ready") {
                    return Ok(line);
                }
                eprintln!("{line}");
            }
            bail!("cargo dev exited before it was ready")
        };
        let ready = timeout(START_TIMEOUT, ready).await.context("cargo dev was not ready in time")??;
        let address = |name: &str| {
            let found = ready.split_whitespace().skip_while(|word| *word != name).nth(1);
            found.map(str::to_owned).with_context(|| format!("no address for {name} in {ready:?}"))
        };
        let (functions, console) = (address("functions")?, address("console")?);
        let (aws, oidc, desk) = (address("aws")?, address("oidc")?, address("desk")?);
        let product = address("product")?;
        Ok(Self { child, output, functions, console, aws, oidc, desk, product })
    }

    /// Stops `cargo dev` as Ctrl-C does, because killing it would leave cargo-lambda behind. Returns its output since it was
    /// ready.
    pub async fn stop(mut self) -> anyhow::Result<Vec<String>> {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(id.context("cargo dev has already exited")?, Signal::INT)?;
        timeout(STOP_TIMEOUT, self.child.wait()).await.context("cargo dev does not stop")??;
        let mut lines = Vec::new();
        while let Some(line) = self.output.recv().await {
            lines.push(line);
        }
        Ok(lines)
    }
}

/// Returns the root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Returns Cargo's target directory, in which the running test was built.
#[must_use]
pub fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // <target>/<profile>/deps/<test>
    test.ancestors().nth(3).unwrap().to_owned()
}

/// Returns the path of a function's release binary, the `bootstrap` that `cargo lambda build --release` builds and that is deployed.
/// Returns `None` if it is missing, so that the caller skips the test; under `cargo verify` that is a failure.
#[must_use]
pub fn released(function: &str) -> Option<PathBuf> {
    existing(target().join("lambda").join(function).join("bootstrap"), "the stage release")
}

/// Returns the path of a program that `cargo verify --only tools` installs, such as `sam` and `cfn-lint`. Returns `None` if it is missing,
/// so that the caller skips the test; under `cargo verify` that is a failure.
#[must_use]
pub fn installed(environment: &str, program: &str) -> Option<PathBuf> {
    existing(target().join("tools").join(environment).join("bin").join(program), "the stage tools")
}

fn existing(path: PathBuf, stage: &str) -> Option<PathBuf> {
    let exists = path.exists();
    assert!(exists || crate::skip_unless_verifying(stage), "{} is missing: run {stage}", path.display());
    exists.then_some(path)
}

async fn forward(output: impl AsyncRead + Unpin, lines: mpsc::UnboundedSender<String>) {
    let mut reader = BufReader::new(output).lines();
    while let Ok(Some(line)) = reader.next_line().await {
        let _ = lines.send(line);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_test_without_the_release_build_is_skipped_and_fails_under_verify() {
        let outcome = catch_unwind(|| existing("/nowhere/lambda/sign-in/bootstrap".into(), "the stage release"));
        match outcome {
            Ok(found) => assert!(found.is_none() && !crate::has_env("FIRSTKEY_VERIFY")),
            Err(message) => {
                let message = message.downcast::<String>().unwrap();
                assert_eq!(*message, "/nowhere/lambda/sign-in/bootstrap is missing: run the stage release");
            }
        }
    }
}
