//! The product as it runs: `cargo dev` as a program of its own, for whoever looks at it from outside.

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

/// Building, and the first start of every function, on a machine that is busy.
const START: Duration = Duration::from_mins(10);

const FAREWELL: Duration = Duration::from_secs(30);

/// `cargo dev` at ports that were free, and all that it says.
pub struct Product {
    child: Child,
    said: mpsc::UnboundedReceiver<String>,
    /// Where the functions are.
    pub functions: String,
    /// Where the console is.
    pub console: String,
    /// Where the AWS endpoint is.
    pub aws: String,
    /// Where the identity provider is.
    pub oidc: String,
}

impl Product {
    /// Starts it in a directory of the workspace: the program that `FIRSTKEY_DEV` names, or else `cargo dev`, which builds what has
    /// changed. What it says until it is ready is repeated.
    #[expect(clippy::print_stderr, reason = "whoever waits sees for what, and why it did not start")]
    pub async fn start(directory: &Path) -> anyhow::Result<Self> {
        let mut command = if let Some(program) = crate::text_asked_for("FIRSTKEY_DEV") {
            Command::new(program)
        } else {
            let mut cargo = Command::new("cargo");
            cargo.arg("dev");
            cargo
        };
        command.args(["--port", "0", "--console-port", "0", "--aws-port", "0", "--oidc-port", "0"]);
        command.current_dir(directory).kill_on_drop(true);
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().context("cargo dev")?;
        let (say, mut said) = mpsc::unbounded_channel();
        tokio::spawn(repeat(child.stdout.take().context("its output")?, say.clone()));
        tokio::spawn(repeat(child.stderr.take().context("its errors")?, say));
        let ready = async {
            while let Some(line) = said.recv().await {
                if line.starts_with("ready") {
                    return Ok(line);
                }
                eprintln!("{line}");
            }
            bail!("cargo dev ended")
        };
        let ready = timeout(START, ready).await.context("cargo dev is not ready in time")??;
        let address = |name: &str| {
            let found = ready.split_whitespace().skip_while(|word| *word != name).nth(1);
            found.map(str::to_owned).with_context(|| format!("{name} in {ready}"))
        };
        let (functions, console) = (address("functions")?, address("console")?);
        let (aws, oidc) = (address("aws")?, address("oidc")?);
        Ok(Self { child, said, functions, console, aws, oidc })
    }

    /// Ends it as Ctrl-C does (killed, it would leave cargo-lambda behind), and returns all that it said since it was ready.
    pub async fn stop(mut self) -> anyhow::Result<Vec<String>> {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(id.context("cargo dev has ended by itself")?, Signal::INT)?;
        timeout(FAREWELL, self.child.wait()).await.context("cargo dev does not end")??;
        let mut said = Vec::new();
        while let Some(line) = self.said.recv().await {
            said.push(line);
        }
        Ok(said)
    }
}

/// Returns the root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Returns Cargo's target directory, in which the running test was built.
#[must_use]
pub fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // <target>/<profile>/deps/<test>
    test.ancestors().nth(3).unwrap().to_owned()
}

/// Returns the path of a function's release binary, as `cargo lambda build --release` leaves it: `bootstrap`, as it is deployed. Without
/// it the test is left out, which is a failure under `cargo verify`.
#[must_use]
pub fn released(function: &str) -> Option<PathBuf> {
    found(target().join("lambda").join(function).join("bootstrap"), "the stage release")
}

/// Returns the path of a program that `cargo verify --only tools` installs, such as `sam` and `cfn-lint`. Without it the test is left
/// out, which is a failure under `cargo verify`.
#[must_use]
pub fn installed(environment: &str, program: &str) -> Option<PathBuf> {
    found(target().join("tools").join(environment).join("bin").join(program), "the stage tools")
}

fn found(path: PathBuf, stage: &str) -> Option<PathBuf> {
    let there = path.exists();
    assert!(there || crate::skipped(stage), "{} is missing: run {stage}", path.display());
    there.then_some(path)
}

async fn repeat(output: impl AsyncRead + Unpin, say: mpsc::UnboundedSender<String>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let _ = say.send(line);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn without_the_release_build_a_test_is_left_out_and_under_verify_it_fails() {
        let sought = catch_unwind(|| found("/nowhere/lambda/sign-in/bootstrap".into(), "the stage release"));
        match sought {
            Ok(found) => assert!(found.is_none() && !crate::asked_for("FIRSTKEY_VERIFY")),
            Err(said) => {
                let said = said.downcast::<String>().unwrap();
                assert_eq!(*said, "/nowhere/lambda/sign-in/bootstrap is missing: run the stage release");
            }
        }
    }
}
