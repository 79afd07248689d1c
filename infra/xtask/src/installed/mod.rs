//! Outside tools that only `cargo verify` needs. Those of Cargo are in the crate `tools`, which `cargo dev` uses too.

mod chromium;
pub(crate) mod environments;
mod node;

use std::path::PathBuf;

use tools::Workspace;

/// What there is, in which version, and where.
#[derive(Debug)]
pub(crate) struct Found {
    /// `axe-core 4.14.1`
    pub(crate) what: String,
    pub(crate) at: PathBuf,
}

/// Everything that `cargo verify` needs, installed where it is missing.
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
