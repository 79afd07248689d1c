//! Third-party tools in Python, pinned. Each set has its own virtual environment, since their dependencies conflict.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use tools::{Workspace, python, say};

use super::Found;

/// Packages that are installed together, under `target/tools/<name>`.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) name: &'static str,
    pub(crate) packages: &'static [&'static str],
}

/// Transforms and validates templates, and checks their policies. parliament needs setuptools to find its data.
pub(crate) const SAM: Environment = Environment {
    name: "sam",
    packages: &[
        "aws-sam-cli==1.170.0",
        "aws-sam-translator==1.115.0",
        "cfn-lint==1.58.0",
        "parliament==1.6.4",
        "setuptools==80.9.0",
    ],
};

/// Scans a transformed template for insecure settings.
pub(crate) const CHECKOV: Environment = Environment { name: "checkov", packages: &["checkov==3.3.30"] };

/// A third-party emulator of AWS, and a client for it.
pub(crate) const MINISTACK: Environment =
    Environment { name: "ministack", packages: &["ministack==1.5.33", "boto3==1.43.106", "cryptography==50.0.2"] };

/// Sends requests that an `OpenAPI` document allows, and requests that it does not, and checks the answers against the document.
pub(crate) const SCHEMATHESIS: Environment = Environment { name: "schemathesis", packages: &["schemathesis==4.32.5"] };

/// A client of OpenID Providers by other authors, which signs administrators in to the product.
pub(crate) const AUTHLIB: Environment =
    Environment { name: "authlib", packages: &["authlib==1.9.10", "joserfc==1.8.0", "requests==2.34.2"] };

/// Every environment that `cargo verify` needs.
pub(crate) const ALL: [Environment; 5] = [SAM, CHECKOV, MINISTACK, SCHEMATHESIS, AUTHLIB];

impl Environment {
    /// Returns the environment's packages, after installing them if they are missing.
    pub(crate) async fn found(&self, workspace: &Workspace) -> anyhow::Result<Vec<Found>> {
        let at = self.programs(workspace).await?;
        let packages = self.packages.iter();
        Ok(packages.map(|package| Found { what: package.replace("==", " "), at: at.clone() }).collect())
    }

    /// Returns the directory of the environment's programs, including Python. Installs the packages if they are missing or of other versions.
    pub(crate) async fn programs(&self, workspace: &Workspace) -> anyhow::Result<PathBuf> {
        let directory = workspace.target.join("tools").join(self.name);
        let (programs, installed) = (directory.join("bin"), directory.join("installed"));
        if fs::read_to_string(&installed).is_ok_and(|packages| packages == self.packages.join("\n")) {
            return Ok(programs);
        }
        say!("installing {} from PyPI into {}", self.packages.join(", "), directory.display());
        python::make(&directory).await?;
        let mut install = Command::new(programs.join("python"));
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(self.packages);
        let output = install.kill_on_drop(true).output().await.context("pip could not be started")?;
        let said = [output.stdout, output.stderr].concat();
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&said).trim_end());
        fs::write(&installed, self.packages.join("\n"))?;
        Ok(programs)
    }
}
