//! Packages of npm, each pinned by a lock file.

use std::{fs, io, path::Path};

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::say;

/// A copy of the lock file that `node_modules` was installed from, inside that directory, which `npm ci` removes first.
const INSTALLED: &str = ".installed-lock.json";

/// Installs exactly the packages of a lock file, with its manifest, below `directory`, unless they are there. Runs none of their scripts.
pub async fn install(npm: &Path, directory: &Path, manifest: &str, lock: &str) -> anyhow::Result<()> {
    let modules = directory.join("node_modules");
    if is_installed(&modules, lock) {
        return Ok(());
    }
    say!("installing packages from npm into {}", directory.display());
    write(directory, manifest, lock).with_context(|| format!("writing {}", directory.display()))?;
    let mut command = Command::new(npm);
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]);
    let status =
        command.current_dir(directory).kill_on_drop(true).status().await.context("npm could not be started")?;
    ensure!(status.success(), "npm ci in {}: {status}", directory.display());
    fs::write(modules.join(INSTALLED), lock).context("what was installed")
}

fn is_installed(modules: &Path, lock: &str) -> bool {
    fs::read_to_string(modules.join(INSTALLED)).is_ok_and(|installed| installed == lock)
}

fn write(directory: &Path, manifest: &str, lock: &str) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join("package.json"), manifest)?;
    fs::write(directory.join("package-lock.json"), lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"{ "integrity": "sha512-" }"#;

    #[test]
    fn what_another_lock_installed_is_not_installed() {
        let modules = tempfile::tempdir().expect("a directory");
        assert!(!is_installed(modules.path(), LOCK));
        fs::write(modules.path().join(INSTALLED), LOCK).expect("written");
        assert!(is_installed(modules.path(), LOCK));
        fs::write(modules.path().join(INSTALLED), LOCK.replacen("sha512-", "sha512-A", 1)).expect("written");
        assert!(!is_installed(modules.path(), LOCK));
    }
}
