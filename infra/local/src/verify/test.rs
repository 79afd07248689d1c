//! The tests of the whole workspace, and what nextest counted.

use anyhow::{Context as _, ensure};

use super::{Outcome, nextest, steps::succeed};
use crate::workspace::Workspace;

/// All but the binaries that have a stage of their own. By expression, which may match none.
const HERE: &str = "not binary(/^(browser|faults|crashes)$/)";

pub(super) async fn run(workspace: &Workspace) -> Outcome {
    let mut command = nextest::command(workspace).await?;
    command.args(["--workspace", "--filterset", HERE]);
    let run = nextest::run(command).await?;
    let summary = run.summary();
    ensure!(run.status.success(), "{}: {}; {summary}", run.line, run.status);
    let (all, passed) = counts(summary).with_context(|| format!("nextest's summary reads {summary:?}"))?;
    ensure!(all == passed, "nextest passed {passed} of {all} tests");
    ensure!(summary.ends_with(", 0 skipped"), "a skipped test is a failure here: {summary}");
    doc_tests(workspace).await?;
    Ok(Some(summary.to_owned()))
}

/// How many tests passed, if the stage is among these lines.
pub(super) fn passed(summary: &str) -> Option<u64> {
    summary.lines().find_map(counts).map(|(_, passed)| passed)
}

async fn doc_tests(workspace: &Workspace) -> anyhow::Result<()> {
    let mut command = workspace.command("cargo");
    command.args(["test", "--workspace", "--doc", "--quiet"]).env(nextest::NO_SKIPS, "1");
    succeed(command).await.map(|_| ())
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
