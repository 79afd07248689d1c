//! Runs of nextest, and what they say.

use std::{
    collections::BTreeSet,
    process::{ExitStatus, Stdio},
};

use anyhow::{Context as _, ensure};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use tools::{Workspace, environment, say};

use super::steps::{self, line};

/// A test that cannot run says so and passes; with this set it fails instead.
pub(super) const NO_SKIPS: &str = "FIRSTKEY_VERIFY";

/// With this set, tests that sample run as many cases as the model and the properties have room for.
const FULL: &str = "FIRSTKEY_FULL";

/// The path of the program behind `cargo dev`, for tests that start it.
const DEV: &str = "FIRSTKEY_DEV";

/// The exit code of nextest where it ran and a test failed. Any other than this and 0 is no verdict:
/// <https://docs.rs/nextest-metadata/latest/nextest_metadata/struct.NextestExitCode.html>
const TEST_FAILED: i32 = 100;

/// What a run came to.
pub(super) struct Run {
    /// As it was typed.
    pub(super) line: String,
    pub(super) status: ExitStatus,
    /// Everything that it said.
    pub(super) said: Vec<String>,
}

/// `nextest run`, with our tools on the `PATH`, and with nothing skipped.
pub(super) async fn command(workspace: &Workspace) -> anyhow::Result<Command> {
    let mut command = tools::NEXTEST.command(workspace).await?;
    command.args(["run", "--no-fail-fast", "--color", "never"]);
    command.env(NO_SKIPS, "1").env("PATH", path(workspace)?);
    if workspace.full {
        command.env(FULL, "1");
    }
    Ok(command)
}

/// The same, for tests that start the product: they start the program that was built with the features of the whole workspace, as all
/// else was. With `--full` they start it as people do, by `cargo dev`, which builds it by itself.
pub(super) async fn command_with_product(workspace: &Workspace) -> anyhow::Result<Command> {
    let mut command = command(workspace).await?;
    if !workspace.full {
        command.env(DEV, steps::dev(workspace).await?);
    }
    Ok(command)
}

/// The full names of all tests of the workspace, `tests::it portal::a_path`.
pub(super) async fn list(workspace: &Workspace) -> anyhow::Result<BTreeSet<String>> {
    let mut command = tools::NEXTEST.command(workspace).await?;
    command.args(["list", "--workspace", "--color", "never", "--message-format", "oneline"]);
    let output = command.stderr(Stdio::inherit()).output().await.context("nextest could not be started")?;
    ensure!(output.status.success(), "{}: {}", line(&command), output.status);
    Ok(String::from_utf8(output.stdout)?.lines().map(ToOwned::to_owned).collect())
}

/// Runs it, repeating what it says.
pub(super) async fn run(mut command: Command) -> anyhow::Result<Run> {
    let line = line(&command);
    let mut child = command.stderr(Stdio::piped()).spawn().with_context(|| format!("{line} could not be started"))?;
    let mut lines = BufReader::new(child.stderr.take().context("nextest's standard error")?).lines();
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await? {
        say!("{line}");
        said.push(line);
    }
    Ok(Run { line, status: child.wait().await?, said })
}

impl Run {
    /// What nextest counted, `N tests run: …`.
    pub(super) fn summary(&self) -> &str {
        let summaries = self.said.iter().filter(|line| line.trim_start().starts_with("Summary ["));
        summaries.filter_map(|line| line.split_once("] ")).next_back().map_or("", |(_, counted)| counted.trim())
    }

    /// Whether tests ran and some of them failed.
    pub(super) fn caught(&self) -> bool {
        self.status.code() == Some(TEST_FAILED)
    }

    /// The tests that failed at their last try. One that was ended because it took too long is none of them: the machine may
    /// have been busy.
    pub(super) fn failed(&self) -> Vec<&str> {
        let mut failed: Vec<_> = self.said.iter().filter_map(|line| failed(line)).collect();
        failed.sort_unstable();
        failed.dedup();
        failed
    }
}

/// From `TRY 2 FAIL [   0.3s] (1/2) tests::it portal::a_path`: the name.
fn failed(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let verdicts = ["FAIL [", "TRY 2 FAIL [", "SIGABRT [", "TRY 2 SIGABRT ["];
    let rest = verdicts.iter().find_map(|verdict| line.strip_prefix(verdict))?;
    rest.split_whitespace().next_back()
}

/// The caller's `PATH`, with our tools before it.
fn path(workspace: &Workspace) -> anyhow::Result<std::ffi::OsString> {
    let theirs = environment::get("PATH").unwrap_or_default();
    let directories = std::iter::once(tools::directory(workspace)).chain(std::env::split_paths(&theirs));
    std::env::join_paths(directories).context("a PATH with the tools")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &[&str]) -> Run {
        let said = lines.iter().map(ToString::to_string).collect();
        Run { line: String::new(), status: ExitStatus::default(), said }
    }

    #[test]
    fn the_last_summary_counts() {
        let run = said(&["     Summary [   0.302s] 1 test run: 1 passed, 0 skipped", "done"]);
        assert_eq!(run.summary(), "1 test run: 1 passed, 0 skipped");
        assert_eq!(said(&["nothing"]).summary(), "");
    }

    #[test]
    fn failures_are_named_once() {
        let run = said(&[
            "        FAIL [   0.3s] (1/2) tests::it portal::a_path",
            "     TIMEOUT [ 120.0s] (2/2) tests::it portal::a_hang",
            "  TRY 1 FAIL [   0.3s] (1/2) tests::it portal::a_flake",
            "  TRY 2 FAIL [   0.3s] (1/2) tests::it portal::another",
            "        PASS [   0.3s] (2/2) tests::it portal::nothing",
            "        FAIL [   0.3s] (1/2) tests::it portal::a_path",
            "thread 'x' panicked: FAIL",
        ]);
        assert_eq!(run.failed(), ["portal::a_path", "portal::another"]);
    }
}
