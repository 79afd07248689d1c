//! Third-party tools that only `cargo verify` needs. Cargo's subcommands are in the crate `tools`, which `cargo dev` uses too.

mod chromium;
pub(crate) mod environments;
mod node;

use std::path::PathBuf;

use tools::Workspace;

/// An installed tool.
#[derive(Debug)]
pub(crate) struct Found {
    /// The name and the version, such as `axe-core 4.14.1`.
    pub(crate) what: String,
    pub(crate) at: PathBuf,
}

/// Returns everything that `cargo verify` needs, after installing what is missing.
pub(crate) async fn all(workspace: &Workspace) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for tool in tools::CARGO {
        found.push(Found { what: tool.to_string(), at: tool.get(workspace).await? });
    }
    found.push(chromium::get().await?);
    found.extend(node::get(workspace).await?);
    for environment in environments::ALL {
        let at = environment.programs(workspace).await?;
        found.extend(
            environment.packages.iter().map(|package| Found { what: package.replace("==", " "), at: at.clone() }),
        );
    }
    Ok(found)
}
