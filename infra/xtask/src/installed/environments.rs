//! Third-party tools in Python, pinned. Each set has its own virtual environment, since their dependencies conflict.

use tools::{Workspace, python::Environment};

use super::Found;

/// Transforms and validates templates, and checks their policies. parliament needs setuptools to find its data.
pub(crate) const SAM: Environment = Environment::new(
    "sam",
    &[
        "aws-sam-cli==1.170.0",
        "aws-sam-translator==1.115.0",
        "cfn-lint==1.58.0",
        "parliament==1.6.4",
        "setuptools==80.9.0",
    ],
);

/// Scans a transformed template for insecure settings.
pub(crate) const CHECKOV: Environment = Environment::new("checkov", &["checkov==3.3.30"]);

/// A third-party emulator of AWS, and a client for it.
pub(crate) const MINISTACK: Environment =
    Environment::new("ministack", &["ministack==1.5.33", "boto3==1.43.106", "cryptography==50.0.2"]);

/// Sends requests that an `OpenAPI` document allows, and requests that it does not, and checks the answers against the document.
pub(crate) const SCHEMATHESIS: Environment = Environment::new("schemathesis", &["schemathesis==4.32.5"]);

/// A client of OpenID Providers by other authors, which signs administrators in to the product.
pub(crate) const AUTHLIB: Environment =
    Environment::new("authlib", &["authlib==1.9.10", "joserfc==1.8.0", "requests==2.34.2"]);

/// Every environment that `cargo verify` needs.
pub(crate) const ALL: [Environment; 5] = [SAM, CHECKOV, MINISTACK, SCHEMATHESIS, AUTHLIB];

/// Returns the packages of an environment, after installing them if they are missing.
pub(super) async fn found(environment: &Environment, workspace: &Workspace) -> anyhow::Result<Vec<Found>> {
    let at = environment.programs(workspace).await?;
    Ok(environment.versions().map(|what| Found { what, at: at.clone() }).collect())
}
