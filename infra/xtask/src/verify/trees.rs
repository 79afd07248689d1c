//! The check that no function links unwanted crates. The emulators depend on all of them, and Cargo unifies the features of what one
//! command builds, so the check reads each function's own dependency tree.

use anyhow::{Context as _, ensure};

use tools::Workspace;

use super::Outcome;

/// The unwanted crates, by how their `name version` lines begin, with the reason.
const UNWANTED: [(&str, &str); 5] = [
    ("ring v", "a second cryptography beside aws-lc"),
    ("hyper v0.", "a second HTTP and TLS stack"),
    ("aws-sdk-sso v", "the SDK's default credential chain"),
    ("aws-sdk-ssooidc v", "the SDK's default credential chain"),
    ("winterbaume-core v", "an emulator"),
];

/// Checks the dependency tree of every function.
pub(super) async fn check(workspace: &Workspace) -> Outcome {
    for function in &workspace.functions {
        let mut command = workspace.command("cargo");
        command.args(["tree", "--package", function, "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
        let output = command.output().await.context("cargo tree could not be started")?;
        ensure!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
        let found = unwanted(&String::from_utf8_lossy(&output.stdout));
        ensure!(
            found.is_empty(),
            "{function} links {}\n`cargo tree --package {function} --edges normal --invert <crate>` says why",
            found.join(", ")
        );
    }
    Ok(Some(format!("{} functions", workspace.functions.len())))
}

fn unwanted(tree: &str) -> Vec<String> {
    let found = UNWANTED.iter().filter_map(|(beginning, what)| {
        let line = tree.lines().find(|line| line.starts_with(beginning))?;
        Some(format!("{line} ({what})"))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_unwanted_is_found() {
        let tree = "portal v0.1.0 (/here)\nhyper v1.12.0\nstring v0.1.0\nhyper v0.14.32\nring v0.17.14 (*)\n";
        let found = unwanted(tree);
        assert_eq!(
            found,
            ["ring v0.17.14 (*) (a second cryptography beside aws-lc)", "hyper v0.14.32 (a second HTTP and TLS stack)"]
        );
        assert!(unwanted("hyper v1.12.0\nspring v1.0.0\naws-sdk-ses v1.123.0\n").is_empty());
    }
}
