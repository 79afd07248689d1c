//! The tests of the whole workspace, and what nextest counted.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{
    Outcome,
    steps::{line, succeed},
};
use crate::{environment, say, tools, workspace::Workspace};

/// A test that cannot run says so and passes; with this set it fails instead.
const NO_SKIPS: &str = "FIRSTKEY_VERIFY";

/// With this set, tests that sample run as many cases as the model and the properties have room for.
const FULL: &str = "FIRSTKEY_FULL";

pub(super) async fn run(workspace: &Workspace) -> Outcome {
    let summary = nextest(workspace).await?;
    let (run, passed) = counts(&summary).with_context(|| format!("nextest's summary reads {summary:?}"))?;
    ensure!(run == passed, "nextest passed {passed} of {run} tests");
    ensure!(summary.ends_with(", 0 skipped"), "a skipped test is a failure here: {summary}");
    doc_tests(workspace).await?;
    Ok(Some(summary))
}

/// How many tests passed, if the stage is among these lines.
pub(super) fn passed(summary: &str) -> Option<u64> {
    summary.lines().find_map(counts).map(|(_, passed)| passed)
}

/// Runs nextest, repeating what it says, and gives its summary.
async fn nextest(workspace: &Workspace) -> anyhow::Result<String> {
    let mut command = tools::NEXTEST.command(workspace).await?;
    command.args(["run", "--workspace", "--no-fail-fast", "--color", "never"]);
    command.env(NO_SKIPS, "1").env("PATH", path(workspace)?);
    if workspace.full {
        command.env(FULL, "1");
    }
    let line = line(&command);
    let mut child = command.stderr(Stdio::piped()).spawn().with_context(|| format!("{line} could not be started"))?;
    let mut said = BufReader::new(child.stderr.take().context("nextest's standard error")?).lines();
    let mut summary = String::new();
    while let Some(line) = said.next_line().await? {
        say!("{line}");
        if let Some((_, counted)) = line.split_once("] ").filter(|_| line.trim_start().starts_with("Summary [")) {
            counted.trim().clone_into(&mut summary);
        }
    }
    let status = child.wait().await?;
    ensure!(status.success(), "{line}: {status}; {summary}");
    Ok(summary)
}

async fn doc_tests(workspace: &Workspace) -> anyhow::Result<()> {
    let mut command = workspace.command("cargo");
    command.args(["test", "--workspace", "--doc", "--quiet"]).env(NO_SKIPS, "1");
    succeed(command).await.map(|_| ())
}

/// The caller's `PATH`, with our tools before it.
fn path(workspace: &Workspace) -> anyhow::Result<std::ffi::OsString> {
    let theirs = environment::get("PATH").unwrap_or_default();
    let directories = std::iter::once(tools::directory(workspace)).chain(std::env::split_paths(&theirs));
    std::env::join_paths(directories).context("a PATH with the tools")
}

/// From `… N tests run: N passed …`: both numbers.
fn counts(summary: &str) -> Option<(u64, u64)> {
    let words: Vec<_> = summary.split_whitespace().collect();
    let before = |what: &[&str]| {
        let at = words.windows(what.len()).position(|window| window == what)?;
        words.get(at.checked_sub(1)?)?.parse().ok()
    };
    let run = before(&["tests", "run:"]).or_else(|| before(&["test", "run:"]))?;
    Some((run, before(&["passed,"]).or_else(|| before(&["passed"]))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_counted() {
        assert_eq!(counts("12 tests run: 12 passed, 0 skipped"), Some((12, 12)));
        assert_eq!(counts("1 test run: 1 passed, 3 skipped"), Some((1, 1)));
        assert_eq!(counts("9 tests run: 8 passed (1 slow), 1 failed, 0 skipped"), Some((9, 8)));
        assert_eq!(counts("passed"), None);
    }

    #[test]
    fn the_stage_is_found_among_the_others() {
        let summary = "build      0.1 min  passed\ntest       2.0 min  31 tests run: 31 passed (2 slow), 0 skipped\n";
        assert_eq!(passed(summary), Some(31));
        assert_eq!(passed("build      0.1 min  passed\n"), None);
    }
}
