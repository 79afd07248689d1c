//! Third-party tools that only `cargo verify` needs. Cargo's subcommands are in the crate `tools`, which `cargo dev` uses too.

mod chromium;
pub(crate) mod environments;
mod node;

use std::path::PathBuf;

use futures_util::{future::try_join_all, join};
use tools::Workspace;

/// An installed tool.
#[derive(Debug)]
pub(crate) struct Found {
    /// The name and the version, such as `axe-core 4.14.1`.
    pub(crate) what: String,
    pub(crate) at: PathBuf,
}

/// Returns everything that `cargo verify` needs, after installing what is missing. The environments of Python and the system's packages are
/// installed at once.
pub(crate) async fn all(workspace: &Workspace) -> anyhow::Result<Vec<Found>> {
    let with_pip_and_npm = async {
        let mut found = Vec::new();
        for tool in tools::CARGO {
            found.push(Found { what: tool.to_string(), at: tool.get(workspace).await? });
        }
        found.extend(node::get(workspace).await?);
        anyhow::Ok(found)
    };
    let in_python =
        try_join_all(environments::ALL.iter().map(|environment| environments::found(environment, workspace)));
    // Each is carried through where another one fails: a package that the user has to install leaves the rest installed.
    let (found, chromium, in_python) = join!(with_pip_and_npm, chromium::get(), in_python);
    let mut found = found?;
    found.extend(in_python?.into_iter().flatten());
    found.push(chromium?);
    Ok(found)
}
