//! The stages that have passed on this commit. `--full` takes hours, and continues where it stopped.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, ensure};
use tools::Workspace;

/// The directory of the commit's stamps, with one file for each stage that has passed. It is `None` for a run that does not continue:
/// without `--full`, or in a working tree that differs from its commit.
pub(super) struct Stamps(Option<PathBuf>);

impl Stamps {
    /// Returns the stamps of the current commit.
    pub(super) async fn open(workspace: &Workspace) -> anyhow::Result<Self> {
        if !workspace.full {
            return Ok(Self(None));
        }
        let commit = commit(workspace).await?;
        Ok(Self(commit.map(|commit| workspace.target.join("verify").join(commit))))
    }

    /// Returns the summary of a stage that has passed.
    pub(super) fn passed(&self, stage: &str) -> Option<String> {
        fs::read_to_string(self.0.as_ref()?.join(stage)).ok()
    }

    /// Records that a stage has passed, with its summary.
    pub(super) fn pass(&self, stage: &str, said: &str) -> anyhow::Result<()> {
        let Some(directory) = &self.0 else { return Ok(()) };
        fs::create_dir_all(directory)?;
        fs::write(directory.join(stage), said).with_context(|| format!("the stamp of {stage}"))
    }
}

/// Returns the commit of the working tree, or `None` if the tree differs from it. The results of mutants, which a run appends, do not
/// count.
pub(super) async fn commit(workspace: &Workspace) -> anyhow::Result<Option<String>> {
    let changes = git(workspace, &["status", "--porcelain", "--", ".", ":(exclude)tests/mutants/results.tsv"]).await?;
    if !changes.is_empty() {
        return Ok(None);
    }
    Ok(Some(git(workspace, &["rev-parse", "--short=12", "HEAD"]).await?))
}

/// Runs Git in the workspace, and returns what it prints.
pub(super) async fn git(workspace: &Workspace, arguments: &[&str]) -> anyhow::Result<String> {
    let output = workspace.command("git").args(arguments).output().await.context("git could not be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {}: {}", arguments.join(" "), said.trim_end());
    Ok(String::from_utf8(output.stdout).context("what git printed")?.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_passed_is_remembered_with_what_it_said() -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let stamps = Stamps(Some(directory.path().join("0123456789ab")));
        assert_eq!(stamps.passed("faults"), None);
        stamps.pass("faults", "12 tried, 0 violations")?;
        assert_eq!(stamps.passed("faults").as_deref(), Some("12 tried, 0 violations"));
        let none = Stamps(None);
        none.pass("faults", "12 tried")?;
        assert_eq!(none.passed("faults"), None);
        Ok(())
    }
}
