//! The stages that run one command.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use tools::Workspace;

use super::Outcome;

/// Checks the format of the code.
pub(super) async fn format(workspace: &Workspace) -> Outcome {
    cargo(workspace, &["fmt", "--all", "--check"]).await
}

/// Runs clippy on every target.
pub(super) async fn lint(workspace: &Workspace) -> Outcome {
    cargo(workspace, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).await
}

/// Builds the documentation.
pub(super) async fn doc(workspace: &Workspace) -> Outcome {
    let mut command = workspace.command("cargo");
    command.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    succeed(command).await
}

/// Checks licences, bans and sources of dependencies. Advisories are not checked, since that needs a network and this must pass offline.
pub(super) async fn deny(workspace: &Workspace) -> Outcome {
    let mut command = tools::DENY.command(workspace).await?;
    command.args(["--config", ".deny.toml", "check", "licenses", "bans", "sources"]);
    succeed(command).await
}

/// Builds the functions alone, since the emulators turn on features that functions do not need; then the program behind `cargo dev`.
pub(super) async fn build(workspace: &Workspace) -> Outcome {
    cargo(workspace, &["build"]).await?;
    dev(workspace).await?;
    Ok(None)
}

/// Builds the program behind `cargo dev` with the features with which every test is built. Cargo adds those of the dependencies of tests only
/// where a test is built too, so a small one is: alone, the program would need most of its dependencies a second time.
pub(super) async fn dev(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    cargo(workspace, &["build", "--workspace", "--bin", "dev", "--test", "template"]).await?;
    Ok(workspace.target.join("debug").join("dev"))
}

/// Returns the path of the check for plain English.
pub(super) fn words_check(workspace: &Workspace) -> PathBuf {
    workspace.root.join("tests").join("words").join("check.py")
}

/// Checks that comments, documents and names are plain English.
pub(super) async fn words(workspace: &Workspace) -> Outcome {
    let mut command = workspace.command("python3");
    command.arg(words_check(workspace));
    succeed(command).await
}

/// The functions that a run without `--full` builds for release: those that `start` and `timing` measure, and the largest one.
const SAMPLE: [&str; 3] = ["get-credentials", "portal", "sign-in"];

/// Returns the functions that this run builds for release.
pub(super) fn released(workspace: &Workspace) -> Vec<String> {
    let is_released = |function: &&String| workspace.full || SAMPLE.contains(&function.as_str());
    workspace.functions.iter().filter(is_released).cloned().collect()
}

/// Builds the functions as `sam build` does, but for this machine and with its own linker. One command builds the functions and the empty
/// function that they are compared with, and nothing else, since Cargo unifies the features of what it builds together. The second
/// command finds everything built, and packs it.
pub(super) async fn release(workspace: &Workspace) -> Outcome {
    for format in ["binary", "zip"] {
        let mut command = tools::LAMBDA.command(workspace).await?;
        command.args(["build", "--release", "--compiler", "cargo", "--output-format", format, "--package", "noop"]);
        for function in released(workspace) {
            command.args(["--package", &function]);
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

/// Runs a command that must succeed.
pub(super) async fn succeed(mut command: Command) -> Outcome {
    let line = line(&command);
    let status = command.status().await.with_context(|| format!("{line} could not be started"))?;
    ensure!(status.success(), "{line}: {status}");
    Ok(None)
}

/// Returns the command as it would be typed.
pub(super) fn line(command: &Command) -> String {
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
