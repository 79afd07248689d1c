//! Runs of nextest, and the parser of their output.

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

/// The variable that makes a test fail if it cannot run. Without it, such a test prints a note and passes.
pub(super) const NO_SKIPS: &str = "FIRSTKEY_VERIFY";

/// The variable that makes tests that sample run all of their cases.
const FULL: &str = "FIRSTKEY_FULL";

/// The variable with the path of the program behind `cargo dev`, for tests that start it.
const DEV: &str = "FIRSTKEY_DEV";

/// The exit code of nextest if it ran and a test failed. Any code other than this and 0 is no verdict:
/// <https://docs.rs/nextest-metadata/latest/nextest_metadata/struct.NextestExitCode.html>
const TEST_FAILED: i32 = 100;

/// A finished run.
pub(super) struct Run {
    /// The command line.
    pub(super) line: String,
    pub(super) status: ExitStatus,
    /// The lines that it printed.
    pub(super) output: Vec<String>,
}

/// Returns the command `nextest run`, with our tools on the `PATH` and without skipped tests.
pub(super) async fn command(workspace: &Workspace) -> anyhow::Result<Command> {
    let mut command = tools::NEXTEST.command(workspace).await?;
    command.args(["run", "--no-fail-fast", "--color", "never"]);
    command.env(NO_SKIPS, "1").env("PATH", path(workspace)?);
    if workspace.full {
        command.env(FULL, "1");
    }
    Ok(command)
}

/// Returns the same command for tests that start the product. They start the program that was built with the features of the whole
/// workspace, as everything else was. With `--full` they start it with `cargo dev`, as people do, which builds it alone.
pub(super) async fn command_with_product(workspace: &Workspace) -> anyhow::Result<Command> {
    let mut command = command(workspace).await?;
    if !workspace.full {
        command.env(DEV, steps::dev(workspace).await?);
    }
    Ok(command)
}

/// Returns the full names of all tests of the workspace, such as `tests::it portal::a_path`.
pub(super) async fn list(workspace: &Workspace) -> anyhow::Result<BTreeSet<String>> {
    let mut command = tools::NEXTEST.command(workspace).await?;
    command.args(["list", "--workspace", "--color", "never", "--message-format", "oneline"]);
    let output = command.stderr(Stdio::inherit()).output().await.context("nextest could not be started")?;
    ensure!(output.status.success(), "{}: {}", line(&command), output.status);
    Ok(String::from_utf8(output.stdout)?.lines().map(ToOwned::to_owned).collect())
}

/// Runs the command, and prints its output as it arrives.
pub(super) async fn run(mut command: Command) -> anyhow::Result<Run> {
    let line = line(&command);
    let mut child = command.stderr(Stdio::piped()).spawn().with_context(|| format!("{line} could not be started"))?;
    let mut lines = BufReader::new(child.stderr.take().context("nextest's standard error")?).lines();
    let mut output = Vec::new();
    while let Some(line) = lines.next_line().await? {
        say!("{line}");
        output.push(line);
    }
    Ok(Run { line, status: child.wait().await?, output })
}

impl Run {
    /// Returns the summary that nextest printed, `N tests run: …`, or an empty text.
    pub(super) fn summary(&self) -> &str {
        let summaries = self.output.iter().filter(|line| line.trim_start().starts_with("Summary ["));
        summaries.filter_map(|line| line.split_once("] ")).next_back().map_or("", |(_, counted)| counted.trim())
    }

    /// Returns whether tests ran and some of them failed.
    pub(super) fn caught(&self) -> bool {
        self.status.code() == Some(TEST_FAILED)
    }

    /// Returns the tests that failed at their last try. A test that timed out does not count, since the machine may have been busy.
    pub(super) fn failed(&self) -> Vec<&str> {
        let mut failed: Vec<_> = self.output.iter().filter_map(|line| failed(line)).collect();
        failed.sort_unstable();
        failed.dedup();
        failed
    }
}

/// Returns the name in a line such as `TRY 2 FAIL [   0.3s] (1/2) tests::it portal::a_path`.
fn failed(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let verdicts = ["FAIL [", "TRY 2 FAIL [", "SIGABRT [", "TRY 2 SIGABRT ["];
    let rest = verdicts.iter().find_map(|verdict| line.strip_prefix(verdict))?;
    rest.split_whitespace().next_back()
}

/// Returns the caller's `PATH` with our tools before it.
fn path(workspace: &Workspace) -> anyhow::Result<std::ffi::OsString> {
    let theirs = environment::get("PATH").unwrap_or_default();
    let directories = std::iter::once(tools::directory(workspace)).chain(std::env::split_paths(&theirs));
    std::env::join_paths(directories).context("a PATH with the tools")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(lines: &[&str]) -> Run {
        let output = lines.iter().map(ToString::to_string).collect();
        Run { line: String::new(), status: ExitStatus::default(), output }
    }

    #[test]
    fn the_last_summary_counts() {
        let run = printed(&["     Summary [   0.302s] 1 test run: 1 passed, 0 skipped", "done"]);
        assert_eq!(run.summary(), "1 test run: 1 passed, 0 skipped");
        assert_eq!(printed(&["nothing"]).summary(), "");
    }

    #[test]
    fn failures_are_named_once() {
        let run = printed(&[
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
