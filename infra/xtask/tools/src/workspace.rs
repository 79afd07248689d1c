//! The workspace, as Cargo describes it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio::process::Command;

/// The workspace that the calling program belongs to.
#[derive(Debug)]
pub struct Workspace {
    /// The directory of its manifest.
    pub root: PathBuf,
    /// Cargo's target directory, wherever its settings put it.
    pub target: PathBuf,
    /// The packages under `functions/`, by name.
    pub functions: Vec<String>,
    /// Whether checks that sample run all of their cases.
    pub full: bool,
}

/// The output of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

impl Workspace {
    /// Reads the workspace from `cargo metadata`.
    pub async fn find() -> anyhow::Result<Self> {
        let arguments = ["metadata", "--no-deps", "--format-version", "1"];
        let mut command = Command::new("cargo");
        let output = command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).kill_on_drop(true).output();
        let output = output.await.context("cargo could not be started")?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        let metadata = serde_json::from_slice(&output.stdout).context("what cargo metadata printed")?;
        Ok(Self::new(metadata))
    }

    /// Returns a command that runs in the workspace's root.
    #[must_use]
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(&self.root).kill_on_drop(true);
        command
    }

    /// Returns the path of a file that `cargo lambda build --release` made of a function: `bootstrap`, which is deployed, or
    /// `bootstrap.zip`.
    pub fn released(&self, function: &str, file: &str) -> anyhow::Result<PathBuf> {
        let path = self.target.join("lambda").join(function).join(file);
        ensure!(path.exists(), "{} is missing: run the stage release", path.display());
        Ok(path)
    }

    fn new(metadata: Metadata) -> Self {
        let Metadata { workspace_root: root, target_directory: target, packages } = metadata;
        let directory = root.join("functions");
        let here = packages.into_iter().filter(|package| package.manifest_path.starts_with(&directory));
        let mut functions: Vec<_> = here.map(|package| package.name).collect();
        functions.sort();
        Self { root, target, functions, full: false }
    }
}
