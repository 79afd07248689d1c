//! The stages that are one command.

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::Outcome;
use crate::{tools, workspace::Workspace};

pub(super) async fn format(workspace: &Workspace) -> Outcome {
    cargo(workspace, &["fmt", "--all", "--check"]).await
}

pub(super) async fn lint(workspace: &Workspace) -> Outcome {
    cargo(workspace, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).await
}

pub(super) async fn doc(workspace: &Workspace) -> Outcome {
    let mut command = workspace.command("cargo");
    command.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    succeed(command).await
}

/// Advisories come from a repository elsewhere, which a check that must pass offline cannot ask.
pub(super) async fn deny(workspace: &Workspace) -> Outcome {
    let mut command = tools::DENY.command(workspace).await?;
    command.args(["--config", ".deny.toml", "check", "licenses", "bans", "sources"]);
    succeed(command).await
}

pub(super) async fn build(workspace: &Workspace) -> Outcome {
    cargo(workspace, &["build"]).await
}

/// As `sam build` builds them, but for this machine, with its own linker. One command for the functions and their yardstick, and
/// nothing else: Cargo unifies features of what it builds at once. The second one finds all built, and packs it.
pub(super) async fn release(workspace: &Workspace) -> Outcome {
    for format in ["binary", "zip"] {
        let mut command = tools::LAMBDA.command(workspace).await?;
        command.args(["build", "--release", "--compiler", "cargo", "--output-format", format, "--package", "noop"]);
        for function in &workspace.functions {
            command.args(["--package", function]);
        }
        command.env("CARGO_TARGET_DIR", &workspace.target);
        succeed(command).await?;
    }
    Ok(None)
}

async fn cargo(workspace: &Workspace, arguments: &[&str]) -> Outcome {
    let mut command = workspace.command("cargo");
    command.args(arguments);
    succeed(command).await
}

pub(super) async fn succeed(mut command: Command) -> Outcome {
    let line = line(&command);
    let status = command.status().await.with_context(|| format!("{line} could not be started"))?;
    ensure!(status.success(), "{line}: {status}");
    Ok(None)
}

/// The command as one would type it.
pub(super) fn line(command: &Command) -> String {
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
