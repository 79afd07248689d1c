//! Virtual environments of Python: the workspace's own, for tools that are installed from the Python Package Index, and others beside it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use tokio::process::Command;

use crate::{Workspace, say};

/// The options that make pip install from wheels, never from source.
const WHEELS: &[&str] = &["--only-binary", ":all:"];

/// Packages that are installed together, under `target/tools/<name>`, since the dependencies of others conflict with theirs.
#[derive(Debug)]
pub struct Environment {
    name: &'static str,
    packages: &'static [&'static str],
    options: &'static [&'static str],
}

impl Environment {
    /// Returns an environment with these packages, each with its version, as in `boto3==1.44.8`.
    #[must_use]
    pub const fn new(name: &'static str, packages: &'static [&'static str]) -> Self {
        Self { name, packages, options: &[] }
    }

    /// Returns the environment with packages that are installed from wheels, never from source.
    #[must_use]
    pub const fn from_wheels(self) -> Self {
        Self { options: WHEELS, ..self }
    }

    /// Returns the packages and their versions, as in `boto3 1.44.8`.
    pub fn versions(&self) -> impl Iterator<Item = String> {
        self.packages.iter().map(|package| package.replace("==", " "))
    }

    /// Returns the directory of the environment's programs, including Python. Installs the packages if they are missing or of other versions.
    pub async fn programs(&self, workspace: &Workspace) -> anyhow::Result<PathBuf> {
        let directory = workspace.target.join("tools").join(self.name);
        let (programs, installed) = (directory.join("bin"), directory.join("installed"));
        if fs::read_to_string(&installed).is_ok_and(|packages| packages == self.packages.join("\n")) {
            return Ok(programs);
        }
        say!("installing {} from PyPI into {}", self.packages.join(", "), directory.display());
        make(&directory).await?;
        let mut install = pip_install(&programs.join("python"));
        let output =
            install.args(self.options).args(self.packages).output().await.context("pip could not be started")?;
        let said = [output.stdout, output.stderr].concat();
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&said).trim_end());
        fs::write(&installed, self.packages.join("\n"))?;
        Ok(programs)
    }
}

/// Returns the directory of the tools' binaries, for a `PATH`.
#[must_use]
pub fn directory(workspace: &Workspace) -> PathBuf {
    environment(workspace).join("bin")
}

/// Installs a package from wheels, never from source. `package` pins its version, as in `cargo-lambda==1.9.2`.
pub async fn install(workspace: &Workspace, package: &str) -> anyhow::Result<()> {
    let python = python(workspace).await?;
    say!("installing {package} from PyPI into {}", directory(workspace).display());
    let status = pip_install(&python).args(WHEELS).arg(package).status().await?;
    ensure!(status.success(), "pip install {package}: {status}");
    Ok(())
}

fn environment(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools").join("python")
}

/// Returns the interpreter of the environment, after creating the environment if it is missing or broken.
async fn python(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let python = directory(workspace).join("python");
    let pip = Command::new(&python).args(["-m", "pip", "--version"]).output().await;
    if pip.is_ok_and(|output| output.status.success()) {
        return Ok(python);
    }
    make(&environment(workspace)).await?;
    Ok(python)
}

/// Returns the command by which an interpreter installs packages, which are still to be added.
fn pip_install(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).kill_on_drop(true);
    command
}

/// Creates an empty environment, and removes what was in the directory before.
async fn make(directory: &Path) -> anyhow::Result<()> {
    let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(directory).output().await;
    let made = made.context("python3 could not be started; install Python 3 with its module venv")?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(if made.stderr.is_empty() { &made.stdout } else { &made.stderr });
        bail!(
            "python3 -m venv failed; it needs the modules venv and ensurepip (Debian: apt install python3-venv):\n{}",
            said.trim_end()
        );
    }
    Ok(())
}
