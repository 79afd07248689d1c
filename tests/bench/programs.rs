//! The programs that are measured, the commands that build them, and their invocation.

use std::{
    collections::HashMap,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use cloud::runtime::{Running, Runtime};
use support::{Answer, Call, Function, TestStack};
use tokio::process::Command;
use tools::{Workspace, say};

/// The function that does nothing: the floor of a start.
pub(crate) const NOOP: &str = "noop";

/// The function that makes the two calls of a retrieval and does nothing else: the floor of an answer.
pub(crate) const BARE: &str = "bare";

/// A program that answers the events of one function.
#[derive(Clone)]
pub(crate) struct Program {
    /// The name in the report.
    pub(crate) name: &'static str,
    /// The access key by which the local cloud knows the program. What precedes the `@` is the function whose role it has.
    pub(crate) caller: String,
    /// The file that is deployed, with everything that the program consists of. Peers have none.
    pub(crate) file: Option<PathBuf>,
    command: Vec<OsString>,
    settings: HashMap<String, String>,
}

impl Program {
    /// Returns a release binary of this workspace, with the role of a function.
    pub(crate) fn released(
        name: &'static str,
        role: Function,
        directory: &Path,
        settings: &HashMap<String, String>,
    ) -> Self {
        let file = directory.join(name);
        let program = Self::new(name, format!("{role}@{name}"), vec![file.clone().into()], settings);
        Self { file: Some(file), ..program }
    }

    /// Returns the release binary of a function, with the cloud and the identity provider of a stack.
    pub(crate) fn for_function(stack: &TestStack, function: Function, directory: &Path) -> Self {
        Self::released(function.name(), function, directory, stack.settings())
    }

    /// Returns a program that a command starts.
    pub(crate) fn new(
        name: &'static str,
        caller: String,
        command: Vec<OsString>,
        settings: &HashMap<String, String>,
    ) -> Self {
        Self { name, caller, file: None, command, settings: settings.clone() }
    }

    /// Starts the program, measures the time until it asks for its first event, and ends it.
    pub(crate) async fn time_to_next(&self) -> anyhow::Result<Duration> {
        Runtime::start().await?.time_to_next(self.command()).await.with_context(|| self.name.to_owned())
    }

    /// Starts the program.
    pub(crate) async fn run(&self) -> anyhow::Result<Running> {
        Runtime::start().await?.run(self.command()).with_context(|| self.name.to_owned())
    }

    fn command(&self) -> Command {
        let mut words = self.command.iter();
        let mut command = Command::new(words.next().map(OsString::as_os_str).unwrap_or_default());
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null());
        let region = self.settings.get("AWS_REGION").map(String::as_str).unwrap_or_default();
        command.env_clear().envs(&self.settings).env("AWS_ACCESS_KEY_ID", &self.caller).envs([
            ("AWS_DEFAULT_REGION", region),
            ("AWS_LAMBDA_FUNCTION_NAME", self.name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "none"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "none"),
        ]);
        command
    }
}

/// Builds the functions for release, with the two floors and nothing else, since Cargo unifies the features of what it builds together.
/// Returns the directory of the programs.
pub(crate) async fn build(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    say!("building the functions for release");
    let mut command = workspace.command("cargo");
    command.args(["build", "--release", "--package", NOOP, "--package", BARE]);
    for function in Function::ALL {
        command.args(["--package", function.name()]);
    }
    let status = command.status().await.context("cargo could not be started")?;
    ensure!(status.success(), "cargo build --release: {status}");
    Ok(workspace.target.join("release"))
}

/// Invokes a function that an API has. Returns the answer, and the time that it took.
pub(crate) async fn call(process: &mut Running, call: Call) -> anyhow::Result<(Answer, Duration)> {
    let answer = process.invoke(&call.into_event()).await?;
    let response = serde_json::from_str(&answer.body).context("the answer is not JSON")?;
    Ok((Answer::read(&response), answer.took))
}

/// Runs a command that must succeed, and returns what it printed.
pub(crate) async fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.kill_on_drop(true).output().await.with_context(|| format!("{:?}", command.as_std()))?;
    let said = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{:?}: {}\n{said}\n{complained}", command.as_std(), output.status);
    Ok(said)
}
