//! Chromium, for the checks of pages. It comes from the system's packages, which bring its libraries and fonts.

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use tokio::process::Command;

use tools::say;

use super::Found;

const NAME: &str = "chromium";

/// The command that a user without root is asked to run.
const INSTALL_COMMAND: &str = "sudo apt-get install -y chromium";

/// Returns Chromium on the `PATH`, after installing it if it is missing and this process is root.
pub(super) async fn get() -> anyhow::Result<Found> {
    if let Some(found) = find().await {
        return Ok(found);
    }
    if !rustix::process::geteuid().is_root() {
        bail!("{NAME} is not on the PATH; install it, on Debian by: {INSTALL_COMMAND}");
    }
    install().await.with_context(|| format!("{NAME} could not be installed; on Debian: {INSTALL_COMMAND}"))?;
    find().await.with_context(|| format!("{NAME} was installed, but does not run"))
}

/// Returns Chromium if it runs. `--version` prints `Chromium 148.0.7778.167 built on Debian GNU/Linux 12 (bookworm)`.
async fn find() -> Option<Found> {
    let output = Command::new(NAME).arg("--version").output().await.ok()?;
    let said = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    let what = said.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    Some(Found { what, at: PathBuf::from(NAME) })
}

/// Installs Chromium. If that fails, it updates the list of packages first: a fresh machine may have none, or an old one.
async fn install() -> anyhow::Result<()> {
    say!("installing {NAME} from the system's packages");
    if apt_get(&["install", "-y", NAME]).await.is_ok() {
        return Ok(());
    }
    apt_get(&["update"]).await?;
    apt_get(&["install", "-y", NAME]).await
}

async fn apt_get(arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("apt-get");
    command.arg("--quiet").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").kill_on_drop(true);
    let output = command.output().await.context("apt-get could not be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "apt-get {}: {}\n{}", arguments.join(" "), output.status, said.trim_end());
    Ok(())
}
