//! The stage `test`: the tests of the whole workspace.

use anyhow::{Context as _, ensure};

use tools::Workspace;

use super::{Outcome, mutation, nextest, stamps::git, steps::succeed};

/// The filter for all tests but those of the binaries with their own stage. It is a regular expression, since one may match nothing.
const FILTER: &str = "not binary_id(/^tests::(browser|contract|crashes|faults|start|template|timing)$/)";

/// Runs the tests and the doc tests, and fails if one is skipped.
pub(super) async fn run(workspace: &Workspace) -> Outcome {
    let mut command = nextest::command_with_product(workspace).await?;
    command.args(["--workspace", "--filterset", FILTER]);
    // Tests wait for a quarter of their time, for one time-out or another.
    let at_once = std::thread::available_parallelism().map_or(1, usize::from) + 1;
    command.args(["--test-threads", &at_once.to_string()]);
    let run = nextest::run(command).await?;
    let summary = run.summary();
    ensure!(run.status.success(), "{}: {}; {summary}", run.line, run.status);
    let (all, passed) = counts(summary).with_context(|| format!("nextest's summary reads {summary:?}"))?;
    ensure!(all == passed, "nextest passed {passed} of {all} tests");
    ensure!(summary.ends_with(", 0 skipped"), "a skipped test is a failure here: {summary}");
    mutation::named_tests_exist(workspace).await?;
    doc_tests(workspace).await?;
    Ok(Some(summary.to_owned()))
}

/// Returns how many tests passed, if the stage is among these lines of the summary.
pub(super) fn passed(summary: &str) -> Option<u64> {
    summary.lines().find_map(counts).map(|(_, passed)| passed)
}

async fn doc_tests(workspace: &Workspace) -> anyhow::Result<()> {
    let sources = git(workspace, &["ls-files", "-z", "*.rs"]).await?;
    let read = |name: &str| std::fs::read_to_string(workspace.root.join(name)).unwrap_or_default();
    if !sources.split('\0').any(|name| has_doc_tests(&read(name))) {
        return Ok(());
    }
    let mut command = workspace.command("cargo");
    command.args(["test", "--workspace", "--doc", "--quiet"]).env(nextest::NO_SKIPS, "1");
    succeed(command).await.map(|_| ())
}

/// Returns whether a doc comment has a block of code that rustdoc runs: one that is not marked as another kind, such as `text`.
fn has_doc_tests(source: &str) -> bool {
    let documentation = source.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))
    });
    let mut is_open = false;
    documentation.filter_map(|line| line.trim().strip_prefix("```")).any(|kind| {
        is_open = !is_open;
        let mut words = kind.split(',').map(str::trim);
        is_open && words.all(|word| ["", "rust", "no_run", "should_panic", "compile_fail"].contains(&word))
    })
}

/// Returns both numbers of a summary such as `… N tests run: N passed …`.
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
    fn only_code_is_a_doc_test() {
        assert!(has_doc_tests("/// ```\n/// let one = 1;\n/// ```\n"));
        assert!(has_doc_tests("    //! ```text\n    //! no\n    //! ```\n    //! ```no_run\n    //! ```\n"));
        assert!(!has_doc_tests("//! ```text\n//! cargo verify\n//! ```\n"));
        assert!(!has_doc_tests("let text = \"```\";\n"));
    }

    #[test]
    fn the_stage_is_found_among_the_others() {
        let summary =
            "build      0.1 of  3 min  passed\ntest       2.0 of 13 min  31 tests run: 31 passed (2 slow), 0 skipped\n";
        assert_eq!(passed(summary), Some(31));
        assert_eq!(passed("build      0.1 of  3 min  passed\n"), None);
    }
}
